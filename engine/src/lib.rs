//! The Beam model — sources, `ParDo`, `CombineFn` — and its lowering to timely dataflow.

mod batch;
mod error;
mod source;

pub use batch::{Batch, Rejected};
pub use error::{Error, ErrorKind, Result};
pub use source::{Shard, Source};
