//! Preprocessing modules: a `preprocessing_fn` in Starlark, traced into a transform graph.
//!
//! ```text
//!   module text ──parse──► syntax tree ──evaluate `preprocessing_fn(inputs)`──► Graph
//!                              │                    │
//!          operators become calls, so that          every call of an operation is written down
//!          `1 - x` and `x > 1` are operations       in the builder, with the line it stands in
//! ```
//!
//! The function is called once, with one value for each column; what it does to them is the graph.
//! Plain values keep their meaning: lists, loops, helper functions and f-strings run while tracing.
//!
//! **Invariant:** tracing reads no file, clock or environment: the text of other files comes from
//! the caller, and the same texts give the same graph.
//! **Invariant:** names and operators come from the table [`transform::ops::OPS`]; nothing here
//! knows what an operation does.
#![allow(
    unsafe_code,
    reason = "the derives of Starlark's values write `unsafe impl`; nothing is unsafe by hand"
)]

mod column;
mod error;
mod load;
mod names;
mod operation;
mod operators;
mod session;
mod trace;

pub use names::{FUNCTIONS, aliases, parameter};
pub use trace::{Limits, Options, trace};
