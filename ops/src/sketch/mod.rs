//! Monoids without a feature: sums and sketches that statistics are made of.

pub mod exact_sum;
pub mod kmv;
pub mod misra_gries;
