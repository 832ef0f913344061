//! Monoids without a feature: sums and sketches that statistics are made of.
//!
//! Each is a function of the sequence of values alone: no border of a batch, no random number and no
//! order of a hash map can reach its bytes.

pub mod exact_sum;
pub mod kmv;
pub mod misra_gries;
pub mod moments;
pub mod quantiles;
pub(crate) mod runs;
mod summary;
pub mod weight;

pub use exact_sum::ExactSum;
pub use moments::Moments;
pub use quantiles::Quantiles;
pub use weight::Weight;
