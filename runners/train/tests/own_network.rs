//! The documented example of a network of one's own learns.
#![allow(clippy::unwrap_used)]

#[path = "../examples/own_network.rs"]
mod own_network;

#[test]
fn a_network_of_ones_own_learns() {
    own_network::main().unwrap();
}
