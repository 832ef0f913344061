//! The frozen transform graph: typed columnar ops, full-pass analyzers, text.
//!
//! ```text
//!   Builder ──► Graph ──► Phase: one scan for all analyzers that can run ──bind──► Graph …
//!                                                                                    │ no analyzer left
//!                                             TransformGraph: apply to batches and rows ◄┘
//! ```
//!
//! **Invariant:** an operation is known from its row in [`ops::OPS`] alone.
//! **Invariant:** this crate opens no file but those of an [`artifact`], starts no thread, reads no
//! clock and no environment.

mod analyzer;
pub mod arrow;
pub mod artifact;
mod bind;
mod builder;
mod examples;
pub mod export;
mod graph;
pub mod hash;
mod identity;
mod numbers;
mod op;
pub mod ops;
mod phase;
mod program;
mod ranked;
mod row;
mod tensor;
pub mod text;
mod tokens;
mod transform_graph;
mod types;
mod vocabulary;

pub use analyzer::{Analyzer, Columns, Extremes, Fed, Global, Keyed, Pending, Sums, gather};
pub use bind::nearest;
pub use examples::ApplyToExamples;
pub use graph::{Builder, Graph, KeyedAsset, Node, Origin, What};
pub use op::{
    Arg, Args, Bound, Call, Default, Function, Kernel, Kind, Literal, Op, Param, Ref, Takes,
    function,
};
pub use phase::Phase;
pub use program::Program;
pub use ranked::{Keys, Ranked};
pub use row::{RowInput, RowOutput};
pub use tensor::{RowEnds, Strings, StringsBuilder, Tensor, Values, splits_of};
pub use tokens::{TokenReader, Tokens, TokensBuilder};
pub use transform_graph::{Apply, Evaluate, TransformGraph, Transformed, emit_transformed};
pub use types::{DType, Dim, Type};
pub use vocabulary::{FileFormat, Vocabulary};
