//! The lowering to timely dataflow: threads, processes, and how a run ends.

mod collect;
mod execute;
mod failure;
mod keys;
mod known;
mod lower;
mod mesh;
mod mesh_connect;
mod mesh_control;
mod mesh_frame;
mod mesh_hello;
mod mesh_wire;
mod write;

pub use execute::{Job, Workers, execute};
pub use failure::Failure;
pub use lower::run;
pub use mesh::Cluster;
