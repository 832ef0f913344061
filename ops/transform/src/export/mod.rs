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

pub mod tensorflow;

use engine::Result;

use crate::graph::{Graph, What};
use crate::op::{Kind, Ref};
use crate::tensor::Tensor;

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
