//! Training behind the frozen graph, with burn.
//!
//! ```text
//!   shards ──► Dataset: the graph, then shuffled batches ──► Trainer: parts of a batch on all threads,
//!                                                            gradients added in one order, one step
//! ```
//!
//! **Invariant:** weights depend on the data, the options and the seed alone: not on threads, and not on
//! being stopped and resumed; on a graphics processor, on the kernels that burn chooses for it, too.
//! **Invariant:** only this crate names burn.

mod backend;
mod checkpoint;
mod dataset;
mod encoder;
mod network;
mod optimizer;
mod order;
mod reduce;
mod schedule;
mod tables;
mod trainer;

pub use backend::Backend;
pub use burn::tensor::Device;
pub use checkpoint::Checkpoint;
pub use dataset::{Dataset, Examples, Read};
pub use encoder::{Encoder, FineTune};
pub use network::{Built, Network, WideAndDeep};
pub use schedule::Schedule;
pub use trainer::{Epoch, Evaluation, Options, Trained, Trainer, fit};
