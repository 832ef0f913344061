//! `Picture`: what is drawn of a graph. Constants are part of the calls that use them.

use transform::{Arg, Graph, Ref, Tensor, Values, What};

/// How much of a text is shown in a box.
const WIDTH: usize = 34;

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Input,
    Call,
    Analyzer,
    Output,
}

/// A box: a title and lines below it.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// The whole call, and where it was written.
    pub(super) tip: String,
}

/// Boxes, and which feeds which.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) shapes: Vec<Shape>,
    /// From, to: each once, and only forwards.
    pub(super) edges: Vec<(usize, usize)>,
}

impl Picture {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut picture = Picture::default();
        let mut places: Vec<Option<usize>> = Vec::new();
        for (number, node) in (0u32..).zip(&graph.nodes) {
            let ty = node.types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let at = node.origin.as_ref().map_or(String::new(), |at| format!("\n{at}"));
            let tip = format!("{}{at}", graph.show(Ref { node: number, port: 0 }));
            let (kind, title, lines) = match &node.what {
                What::Constant(_) => {
                    places.push(None);
                    continue;
                }
                What::Input(name) => (Kind::Input, name.clone(), vec![ty]),
                What::Analyzed(call, values) => {
                    let values = values.iter().map(short);
                    let title = call.split('(').next().unwrap_or(call).to_owned();
                    (Kind::Analyzer, title, values.collect())
                }
                What::Op(bound) => {
                    let mut lines: Vec<String> = Vec::new();
                    for (param, arg) in bound.op.params.iter().zip(&bound.args) {
                        match arg {
                            Arg::Value(value) => {
                                if let What::Constant(_) = &graph.nodes[value.node as usize].what
                                    && let Some(constant) = graph.constant(*value)
                                {
                                    lines.push(format!("{} {}", param.name, short(constant)));
                                }
                            }
                            Arg::Literal(transform::Literal::None) | Arg::Values(_) => {}
                            Arg::Literal(literal) => {
                                lines.push(format!("{} {literal}", param.name));
                            }
                        }
                    }
                    lines.truncate(3);
                    lines.push(ty);
                    (Kind::Call, bound.op.name.to_owned(), lines)
                }
            };
            let place = picture.add(kind, &title, lines, tip);
            for value in node.inputs() {
                if let Some(Some(from)) = places.get(value.node as usize) {
                    picture.join(*from, place);
                }
            }
            places.push(Some(place));
        }
        for (name, value) in &graph.outputs {
            let mut lines = vec![graph.ty(*value).to_string()];
            lines.extend(graph.domain(*value).map(|(min, max)| format!("{min}..{max}")));
            let place = picture.add(Kind::Output, name, lines, graph.show(*value));
            if let Some(Some(from)) = places.get(value.node as usize) {
                picture.join(*from, place);
            }
        }
        picture
    }

    fn add(&mut self, kind: Kind, title: &str, lines: Vec<String>, tip: String) -> usize {
        let lines = lines.into_iter().map(|line| cut(&line, WIDTH)).collect();
        self.shapes.push(Shape { kind, title: cut(title, WIDTH), lines, tip });
        self.shapes.len() - 1
    }

    fn join(&mut self, from: usize, to: usize) {
        if !self.edges.contains(&(from, to)) {
            self.edges.push((from, to));
        }
    }
}

/// As much of a text as there is room for.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A constant in a few characters.
pub(super) fn short(value: &Tensor) -> String {
    const MOST: usize = 4;
    fn all<T>(values: &[T], show: impl Fn(&T) -> String) -> (Vec<String>, usize) {
        (values.iter().take(MOST).map(show).collect(), values.len())
    }
    let (shown, n) = match &value.values {
        Values::Bool(values) => all(values, |v| (*v != 0).to_string()),
        Values::Int64(values) => all(values, ToString::to_string),
        Values::Float32(values) => all(values, ToString::to_string),
        Values::Float64(values) => all(values, ToString::to_string),
        Values::String(values) => {
            let first = values.iter().take(MOST).map(String::from_utf8_lossy);
            (first.map(|text| format!("{:?}", cut(&text, 24))).collect(), values.len())
        }
        Values::Vocabulary(vocabulary) => {
            return format!("{}: {} tokens", vocabulary.file_name, vocabulary.len());
        }
        Values::Tokenizer(tokenizer) => return format!("{tokenizer:?}"),
    };
    match (&shown[..], n) {
        ([one], 1) => one.clone(),
        _ if n > MOST => format!("[{}, … {n}]", shown.join(", ")),
        _ => format!("[{}]", shown.join(", ")),
    }
}
