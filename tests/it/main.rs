//! Everything that takes more than one crate to test.
#![allow(clippy::unwrap_used)]

mod cli;
mod cluster;
