//! The handler without sockets: TensorFlow Serving's shapes and messages, and the bits of predictions.
#![allow(clippy::unwrap_used)]

mod calls;
mod fixture;
mod grpc;
mod hostile;
mod messages;
mod network;
mod shapes;
