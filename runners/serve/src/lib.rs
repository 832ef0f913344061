//! Serving over HTTP and gRPC as TensorFlow Serving does, and pushing models to be served.
//!
//! ```text
//!   port: TLS ──► server: limits, token ──┬► handle: JSON ───┬► Servable: columns ──► graph, network
//!                                          └► grpc: protobuf ─┤
//!   directory of versions ──► watch ──► Models ◄──────────────┘  swapped as a whole, under running requests
//! ```
//!
//! **Invariant:** [`handle()`] and [`grpc()`] are functions of the models and the request: no socket, no clock.
//! **Invariant:** a prediction has the bits of [`model::Predictor::predict`] on the same rows.

mod answer;
mod batch;
mod blessing;
mod columns;
mod cursor;
mod example;
mod failure;
mod grpc;
mod handle;
mod metadata;
mod metrics;
mod models;
mod port;
mod push;
mod request;
mod servable;
mod server;
mod syntax;
mod tls;
mod watch;

pub use blessing::Blessing;
pub use failure::{Code, Failure};
pub use grpc::grpc;
pub use handle::{About, Response, handle};
pub use metrics::Metrics;
pub use models::{Choice, Model, ModelConfig, Models, Policy, State, Version, Versions};
pub use push::{Outcome, Push, Pushed, query};
pub use servable::{DEFAULT, EXAMPLES, Method, Output, Servable, Signature, TRANSFORM};
pub use server::{Options, serve};
pub use watch::{Log, Watcher, find_versions};
