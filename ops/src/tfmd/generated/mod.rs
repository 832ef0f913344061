//! What `ops/proto` becomes in Rust; made by a test, not by the build.

#[rustfmt::skip]
pub(super) mod metadata;
#[rustfmt::skip]
pub(super) mod skew;
#[rustfmt::skip]
pub(super) mod slicing;
