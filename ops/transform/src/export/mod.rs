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
