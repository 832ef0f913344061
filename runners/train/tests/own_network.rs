//! The documented example of a network of one's own learns, and goes on where it was stopped.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "../examples/own_network.rs"]
mod own_network;

use own_network::{learn, options};
use train::{Backend, Options};

#[test]
fn a_network_of_ones_own_learns() {
    for backend in Backend::ALL {
        match backend.device() {
            Ok(_) => {
                let trained = learn(&Options { backend, ..options() }, None).unwrap();
                assert!(trained.best_loss < 0.2, "{backend:?}: {}", trained.best_loss);
            }
            Err(error) => println!("skipped: {error}"),
        }
    }
}

#[test]
fn it_goes_on_as_if_it_had_not_been_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let of = |epochs, checkpoint| learn(&Options { epochs, ..options() }, checkpoint).unwrap();
    let whole = of(4, None);
    of(2, Some(&*checkpoint));
    let resumed = of(4, Some(&checkpoint));
    assert_eq!(resumed.weights, whole.weights);
}
