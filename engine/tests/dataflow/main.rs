//! Runs on threads and in meshes of processes: right results, and one reason for every failure.
#![cfg(feature = "dataflow")]
#![allow(clippy::unwrap_used)]

mod mesh;
mod processes;
mod strangers;
mod support;
mod threads;
