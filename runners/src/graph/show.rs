//! A graph as text: what goes in, what comes out, what is computed in which line, what was found.

use std::fmt::Write as _;

use engine::Result;
use serde_json::{Value, json};
use transform::{Graph, Ref, TransformGraph, Type, What};

use super::picture::{cut, short};

/// How wide a call is shown.
const WIDE: usize = 100;

/// Everything that one wants to know of a graph at first.
pub fn show(graph: &TransformGraph, fingerprint: &str) -> String {
    let inner = graph.graph();
    let mut out = format!("graph {fingerprint}\n");
    table(&mut out, "inputs", graph.inputs().iter().map(|(name, ty)| row(name, ty, None)));
    let outputs = inner.outputs.iter();
    let outputs = outputs.map(|(name, value)| row(name, inner.ty(*value), inner.domain(*value)));
    table(&mut out, "outputs", outputs);
    table(&mut out, "analyzers", analyzers(inner));
    let assets = inner.assets.iter();
    let assets = assets.map(|asset| [asset.key.clone(), asset.file.clone(), String::new()]);
    table(&mut out, "assets with keys", assets);
    let calls = (0u32..).zip(&inner.nodes).filter_map(|(number, node)| match &node.what {
        What::Op(_) => {
            let at = node.origin.as_ref().map_or_else(String::new, ToString::to_string);
            let types: Vec<String> = node.types.iter().map(ToString::to_string).collect();
            let call = cut(&inner.show(Ref { node: number, port: 0 }), WIDE);
            Some([at, types.join(", "), call])
        }
        _ => None,
    });
    let mut calls: Vec<[String; 3]> = calls.collect();
    // By line, as the module is read; within a line in the order of evaluation.
    let place = |number: &[String; 3]| {
        let mut parts = number[0].rsplitn(3, ':').skip(1);
        let line: u32 = parts.next().and_then(|line| line.parse().ok()).unwrap_or(0);
        (parts.next().unwrap_or_default().to_owned(), line)
    };
    calls.sort_by_key(place);
    table(&mut out, "calls, by line of the module", calls.into_iter());
    out
}

/// The same for programs.
///
/// # Errors
/// When a vocabulary cannot be read from its temporary file.
pub fn as_json(graph: &TransformGraph, fingerprint: &str) -> Result<Value> {
    let inner = graph.graph();
    let column = |name: &str, ty: &Type, domain: Option<(i64, i64)>| json!({ "name": name, "type": ty.to_string(), "domain": domain.map(|(a, b)| [a, b]) });
    let inputs = graph.inputs().iter().map(|(name, ty)| column(name, ty, None));
    let outputs = inner.outputs.iter();
    let outputs = outputs.map(|(name, value)| column(name, inner.ty(*value), inner.domain(*value)));
    Ok(json!({
        "fingerprint": fingerprint,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "analyzers": inner.analyzers()?,
        "assets": inner.assets.iter().map(|asset| json!({ "key": asset.key, "file": asset.file })).collect::<Vec<_>>(),
        "nodes": inner.nodes.len(),
    }))
}

fn row(name: &str, ty: &Type, domain: Option<(i64, i64)>) -> [String; 3] {
    let domain = domain.map_or_else(String::new, |(min, max)| format!("{min}..{max}"));
    [name.to_owned(), ty.to_string(), domain]
}

fn analyzers(graph: &Graph) -> impl Iterator<Item = [String; 3]> + '_ {
    graph.nodes.iter().filter_map(|node| {
        let What::Analyzed(call, values) = &node.what else { return None };
        let at = node.origin.as_ref().map_or_else(String::new, ToString::to_string);
        let values: Vec<String> = values.iter().map(short).collect();
        Some([cut(call, WIDE / 2), cut(&values.join(", "), WIDE), at])
    })
}

/// Aligned columns below a heading; nothing where there are no rows.
fn table(out: &mut String, heading: &str, rows: impl Iterator<Item = [String; 3]>) {
    let rows: Vec<[String; 3]> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let _ = writeln!(out, "\n{heading} ({})", rows.len());
    for [a, b, c] in &rows {
        let line = format!("  {a:first$}  {b:second$}  {c}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
