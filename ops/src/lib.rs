//! What is computed: statistics now, schemas, validation and transforms on the same base.
//!
//! **Invariant:** this crate opens no file, starts no thread, reads no clock and no environment.
//! Given the same batches in the same shards it gives the same bytes.

pub mod drift;
pub mod evaluate;
pub mod explain;
pub mod schema;
pub mod sketch;
pub mod skew;
pub mod stats;
pub mod tfmd;
pub mod validate;
