//! Trained models behind the frozen graph: what they read, their weights, their predictions.
//!
//! ```text
//!   raw rows ──► TransformGraph, cut down to what the model reads ──► Inputs ──► Network ──► predictions
//! ```
//!
//! Training happens elsewhere, with gradients; predictions are made here, for the trainer's own
//! evaluation, for batches and for requests alike.
//!
//! **Invariant:** a row's prediction has the same bits whatever rows are beside it: all sums over a row
//! are added in one order. **Invariant:** this crate opens no file but those of a [`bundle`], starts no
//! thread, reads no clock and no environment.

pub mod bundle;
mod dense;
mod encoder;
mod inputs;
mod network;
mod predictor;
pub mod pretrained;
mod spec;
mod weights;
mod wide_and_deep;

pub use bundle::Bundle;
pub use encoder::{Encoder, LAYER_NORM_EPSILON};
pub use inputs::{Ids, Inputs};
pub use network::Network;
pub use predictor::{Predict, Predicted, Predictor, features_of, select};
pub use spec::{Architecture, Feature, LeftOut, ModelSpec, Task};
pub use weights::{Array, Weights};
pub use wide_and_deep::WideAndDeep;
