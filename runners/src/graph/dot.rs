//! A graph as text for Graphviz.

use std::fmt::Write as _;

use transform::Graph;

use super::picture::{Kind, Picture};

/// The graph in the language of `dot`.
pub fn dot(graph: &Graph) -> String {
    let picture = Picture::new(graph);
    let mut out = String::from(
        "digraph transform {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n",
    );
    for (number, shape) in picture.shapes.iter().enumerate() {
        let color = match shape.kind {
            Kind::Input => "#dbeafe",
            Kind::Call => "#ffffff",
            Kind::Analyzer => "#fef3c7",
            Kind::Output => "#dcfce7",
        };
        let mut label = escaped(&shape.title);
        for line in &shape.lines {
            label.push_str("\\n");
            label.push_str(&escaped(line));
        }
        let tip = escaped(&shape.tip);
        let _ = writeln!(
            out,
            "  n{number} [label=\"{label}\", tooltip=\"{tip}\", fillcolor=\"{color}\"];"
        );
    }
    for (from, to) in &picture.edges {
        let _ = writeln!(out, "  n{from} -> n{to};");
    }
    out + "}\n"
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
