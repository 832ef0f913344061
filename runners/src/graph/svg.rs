//! A graph as a picture: boxes in layers from left to right, and curves between them.

use std::fmt::Write as _;

use transform::Graph;

use super::layout::Layout;
use super::picture::{Kind, Picture};

/// Width of a box, and of the gap between layers.
const WIDTH: usize = 232;
const GAP: usize = 56;
/// Height of a line of text, and of the gap between boxes.
const LINE: usize = 15;
const SPACE: usize = 12;
/// What a point of an edge takes up in its layer.
const POINT: usize = 8;
const MARGIN: usize = 16;

/// The graph as SVG, readable in any browser.
pub fn svg(graph: &Graph) -> String {
    let picture = Picture::new(graph);
    let layout = Layout::new(&picture);
    let height_of = |point: usize| {
        let shape = picture.shapes.get(point);
        shape.map_or(POINT, |shape| (shape.lines.len() + 1) * LINE + 10)
    };
    let tall = |layer: &Vec<usize>| -> usize {
        layer.iter().map(|&point| height_of(point) + SPACE).sum::<usize>()
    };
    let height = layout.layers.iter().map(tall).max().unwrap_or(0);
    let n_points = layout.layers.iter().flatten().max().map_or(0, |last| last + 1);
    // Left edge and middle of every point.
    let mut places = vec![(0usize, 0usize); n_points];
    for (number, layer) in layout.layers.iter().enumerate() {
        let mut y = MARGIN + (height - tall(layer)) / 2;
        for &point in layer {
            let own = height_of(point);
            places[point] = (MARGIN + number * (WIDTH + GAP), y + own / 2);
            y += own + SPACE;
        }
    }
    let width = layout.layers.len() * (WIDTH + GAP) + 2 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {0}\" width=\"{width}\" \
         height=\"{0}\" font-family=\"ui-sans-serif, system-ui, sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        height + 2 * MARGIN
    );
    for path in &layout.paths {
        let mut d = String::new();
        let is_box = |point: usize| point < picture.shapes.len();
        let mut end = (0, 0);
        for (i, &point) in path.iter().enumerate() {
            let (x, y) = places[point];
            if i == 0 {
                end = (x + WIDTH, y);
                let _ = write!(d, "M{} {}", end.0, end.1);
                continue;
            }
            let half = GAP / 2;
            let _ = write!(d, "C{} {} {} {y} {x} {y}", end.0 + half, end.1, x.saturating_sub(half));
            if !is_box(point) {
                let _ = write!(d, "H{}", x + WIDTH);
            }
            end = (x + WIDTH, y);
        }
        let _ = writeln!(out, "<path d=\"{d}\" fill=\"none\" stroke=\"#94a3b8\"/>");
    }
    for (number, shape) in picture.shapes.iter().enumerate() {
        let (x, middle) = places[number];
        let own = height_of(number);
        let y = middle - own / 2;
        let (fill, stroke) = match shape.kind {
            Kind::Input => ("#dbeafe", "#3b82f6"),
            Kind::Call => ("#f8fafc", "#64748b"),
            Kind::Analyzer => ("#fef3c7", "#d97706"),
            Kind::Output => ("#dcfce7", "#16a34a"),
        };
        let _ = write!(
            out,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{own}\" rx=\"4\" \
             fill=\"{fill}\" stroke=\"{stroke}\"/><text x=\"{}\" y=\"{}\" font-weight=\"600\">{}</text>",
            escaped(&shape.tip),
            x + 8,
            y + LINE + 2,
            escaped(&shape.title)
        );
        for (i, line) in shape.lines.iter().enumerate() {
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{}\" fill=\"#475569\">{}</text>",
                x + 8,
                y + LINE * (i + 2) + 2,
                escaped(line)
            );
        }
        out.push_str("</g>\n");
    }
    out + "</svg>\n"
}

/// Text in markup; characters that XML cannot hold are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
