//! Statistics against a schema: what is an anomaly, and what to do about it.

mod kinds;

pub use kinds::{KINDS, Kind};
