//! Exports: a frozen graph in the form of another runtime.
//!
//! ```text
//!   Graph ──► for each node: the column of its Op for that runtime ──► nodes there ──► files
//! ```
//!
//! A column is there what it is here: the values one after the other, and splits for dimensions that vary.
//! Dense columns are tensors of `[rows, …]`.
//!
//! **Invariant:** what a row of the table of operations says is all that an export knows of it.

pub mod onnx;
pub mod tensorflow;

use engine::Result;

use self::tensorflow::Column;
use crate::graph::{Graph, What};
use crate::op::{Call, Kind, Ref};
use crate::tensor::Tensor;
use crate::types::Type;

/// How an operation is expressed in another runtime.
#[derive(Clone, Copy, Debug)]
pub enum Export<F> {
    /// By one node of this name for all values, its operands made as long as the result.
    Each(&'static str),
    /// By these nodes.
    Nodes(F),
    /// Not at all, for this reason: a sentence without its full stop.
    No(&'static str),
}

impl<F> Export<F> {
    /// Of operations on constants alone: they have been computed.
    pub const CONSTANT: Self = Export::No("its argument is no constant");
}

/// Emits a whole graph into `nodes`: what inputs, constants and functions of rows are there is given. Gives
/// the columns that come out.
fn emit<N>(
    graph: &Graph,
    nodes: &mut N,
    mut input: impl FnMut(&mut N, &str, &Type) -> Result<Column>,
    constant: impl Fn(&mut N, &Tensor, &Type) -> Result<Column>,
    call: impl Fn(&mut N, &Call<'_>, &[Column]) -> Result<Vec<Column>>,
) -> Result<Vec<Column>> {
    let wanted = graph.outputs.iter().map(|(_, value)| *value);
    let mut known: Vec<Vec<Column>> = vec![Vec::new(); graph.nodes.len()];
    for number in graph.needed(wanted) {
        let node = &graph.nodes[number];
        known[number] = match &node.what {
            What::Input(name) => vec![input(nodes, name, &node.types[0])?],
            What::Constant(values) | What::Analyzed(_, values) => {
                // Vocabularies and tokenizers are known to the calls that use them.
                let values = values.iter().zip(&node.types);
                values.map(|(value, ty)| constant(nodes, value, ty)).collect::<Result<_>>()?
            }
            What::Op(bound) => {
                let column = |value: Ref| known[value.node as usize][value.port as usize].clone();
                let columns: Vec<Column> = bound.inputs().map(column).collect();
                let emitted = graph.with_call(bound, |bound| call(nodes, bound, &columns));
                emitted.map_err(|error| {
                    let value = Ref { node: number as u32, port: 0 };
                    let shown = graph.show(value);
                    let at = node.origin.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
                    error.with_detail(format!("It is needed for `{shown}`{at}."))
                })?
            }
        };
    }
    let outputs = graph.outputs.iter();
    Ok(outputs.map(|(_, value)| known[value.node as usize][value.port as usize].clone()).collect())
}

/// A frozen graph in which what constants alone are made of is a constant.
///
/// # Errors
/// When a constant does not suit an operation, which freezing has ruled out.
fn folded(graph: &Graph) -> Result<Graph> {
    let mut folded = graph.clone();
    for number in 0..folded.nodes.len() {
        let What::Op(bound) = &folded.nodes[number].what else { continue };
        let Kind::Map { kernel, .. } = bound.op.kind else { continue };
        let values: Vec<Ref> = bound.inputs().collect();
        let constants: Option<Vec<&Tensor>> =
            values.iter().map(|value| folded.constant(*value)).collect();
        let Some(constants) = constants.filter(|constants| !constants.is_empty()) else { continue };
        let mut out = Vec::new();
        folded.with_call(bound, kernel)?.eval(1, &constants, &mut out)?;
        folded.nodes[number].what = What::Constant(out);
    }
    Ok(folded)
}
