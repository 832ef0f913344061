//! Identities of values: what they depend on, beside the rows that are read.
//!
//! **Invariant:** equal identities mean equal values for equal rows, whatever else a graph computes:
//! a cached state of an analyzer is found by the identity of its call.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::bind;
use crate::graph::{Graph, What};
use crate::op::{Arg, Bound, Ref};
use crate::tensor::Tensor;
use crate::types::Type;

/// Raised when an operation gives other results than before, or an input is read otherwise: states
/// that were cached by older versions are not found any more.
const VERSION: u32 = 2;

/// An argument as far as it matters.
#[derive(Serialize)]
enum Argument<'a> {
    Value(u128),
    Values(Vec<u128>),
    /// As JSON.
    Literal(String),
    /// The name of a column that is fed in.
    Input(&'a str),
}

/// Identities of the values of a graph.
#[derive(Default)]
pub(crate) struct Identities {
    known: BTreeMap<Ref, u128>,
}

impl Identities {
    /// The identities of these values and of all that they are made of.
    pub(crate) fn of(graph: &Graph, values: impl IntoIterator<Item = Ref>) -> Self {
        let mut all = Identities::default();
        for number in graph.needed(values) {
            let node = &graph.nodes[number];
            let whole = match &node.what {
                What::Input(name) => {
                    hash(&("input", Argument::Input(name), &node.types, VERSION, crate_version()))
                }
                What::Constant(_) | What::Analyzed(..) => 0,
                What::Op(bound) => all.of_call(bound, &node.types),
            };
            for (port, ty) in (0u32..).zip(&node.types) {
                // Of constants only what they are matters, not how they came about.
                let identity = match node.values().map(|values| &values[port as usize]) {
                    Some(value) => of_constant(value, ty),
                    None => hash(&(whole, port)),
                };
                all.known.insert(Ref { node: number as u32, port }, identity);
            }
        }
        all
    }

    /// The identity of a value that was asked for.
    pub(crate) fn get(&self, value: Ref) -> u128 {
        self.known[&value]
    }

    /// The identity of a call of values that were asked for.
    pub(crate) fn of_call(&self, bound: &Bound, types: &[Type]) -> u128 {
        let arguments = bound.op.params.iter().zip(&bound.args).map(|(param, arg)| {
            let arg = match arg {
                Arg::Value(value) => Argument::Value(self.get(*value)),
                Arg::Values(values) => {
                    Argument::Values(values.iter().map(|value| self.get(*value)).collect())
                }
                Arg::Literal(literal) => Argument::Literal(
                    serde_json::to_string(literal).expect("literals always serialize"),
                ),
            };
            (param.name, arg)
        });
        let arguments: Vec<_> = arguments.collect();
        hash(&("call", bound.op.name, arguments, types, VERSION, crate_version()))
    }
}

/// The identity of the columns that a graph is fed.
pub(crate) fn of_inputs(graph: &Graph) -> u128 {
    let mut inputs: Vec<_> = graph.inputs().collect();
    inputs.sort_unstable_by_key(|(name, _)| *name);
    hash(&("inputs", inputs, VERSION, crate_version()))
}

fn of_constant(value: &Tensor, ty: &Type) -> u128 {
    let splits: Vec<&[i32]> = value.splits.iter().map(|splits| &splits[..]).collect();
    hash(&("constant", ty, splits, xxh3_128(&bind::key_of(value))))
}

fn crate_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn hash(of: &impl Serialize) -> u128 {
    xxh3_128(&serde_json::to_vec(of).expect("names, numbers and types always serialize"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use crate::op::Args;
    use crate::tensor::Values;
    use crate::types::DType;

    fn builder(x: DType) -> Builder {
        let inputs = [("x", x), ("y", DType::Float32)];
        Builder::new(inputs.map(|(name, dtype)| (name.to_owned(), Type::scalar(dtype))))
    }

    fn of(builder: &Builder, value: Ref) -> u128 {
        Identities::of(builder.graph(), [value]).get(value)
    }

    #[test]
    fn what_differs_has_another_identity() {
        let mut b = builder(DType::Float32);
        let (x, y) = (b.input("x").unwrap(), b.input("y").unwrap());
        let mut all = vec![x, y];
        for (op, args) in [
            ("math.add", Args::default().arg(x).arg(y)),
            ("math.add", Args::default().arg(y).arg(x)),
            ("math.subtract", Args::default().arg(x).arg(y)),
            ("math.add", Args::default().arg(x).arg(1.0)),
            ("math.add", Args::default().arg(x).arg(-0.0)),
            ("math.add", Args::default().arg(x).arg(0.0)),
            ("tf.cast", Args::default().arg(x).arg(DType::Int64)),
            ("tf.cast", Args::default().arg(x).arg(DType::Float64)),
            ("tft.mean_and_var", Args::default().arg(x)),
        ] {
            all.extend(b.call(op, args).unwrap());
        }
        let nested = b.one("math.add", Args::default().arg(all[2]).arg(y)).unwrap();
        all.push(nested);
        let mut seen: Vec<u128> = all.iter().map(|value| of(&b, *value)).collect();
        seen.extend([DType::Int64, DType::Float64].map(|dtype| {
            let other = builder(dtype);
            of(&other, other.input("x").unwrap())
        }));
        let n = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), n);
    }

    #[test]
    fn what_else_is_computed_does_not_matter() {
        let mut identities = Vec::new();
        for before in [0.0, 1.0] {
            let mut b = builder(DType::Float32);
            let x = b.input("x").unwrap();
            b.one("math.add", Args::default().arg(x).arg(before)).unwrap();
            let y = b.input("y").unwrap();
            let sum = b.one("math.multiply", Args::default().arg(y).arg(2.0)).unwrap();
            identities.push(of(&b, sum));
        }
        assert_eq!(identities[0], identities[1]);
    }

    #[test]
    fn results_of_analyzers_count_as_what_they_are() {
        let ty = Type::constant(DType::Float64, []);
        let constant = |values: Values| of_constant(&Tensor::dense(1, values), &ty);
        let analyzed = |value: f64| {
            let mut b = builder(DType::Float32);
            let x = b.input("x").unwrap();
            let mean = b.call("tft.mean_and_var", Args::default().arg(x)).unwrap();
            let mut graph = b.graph().clone();
            let both = [value, 7.0].map(|value| Tensor::dense(1, vec![value as f32]));
            graph.bind(mean[0].node, both.into()).unwrap();
            Identities::of(&graph, [mean[0]]).get(mean[0])
        };
        assert_eq!(analyzed(1.0), analyzed(1.0));
        assert_ne!(analyzed(1.0), analyzed(2.0));
        assert_ne!(constant(vec![0.0f64].into()), constant(vec![-0.0f64].into()));
        let nan = f64::NAN;
        assert_eq!(constant(vec![nan].into()), constant(vec![nan].into()));
    }
}
