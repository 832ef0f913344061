//! The lowering to timely dataflow: threads, processes, and how a run ends.

mod execute;
mod failure;
mod mesh;

pub use execute::{Job, Workers, execute};
pub use failure::Failure;
pub use mesh::Cluster;
