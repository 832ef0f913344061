//! `Weight`: what a value may count for, exact integers or floats.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Sub};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What values of a sketch count for: `u64` where each counts once, `f64` where each has a weight.
pub trait Weight:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + AddAssign
    + From<u32>
    + Serialize
    + DeserializeOwned
    + Send
    + sealed::Sealed
    + 'static
{
    /// As a float; exact up to 2^53.
    fn to_f64(self) -> f64;

    /// The largest weight that is not above a float.
    fn at_most(weight: f64) -> Self;

    /// False for weights that are passed over, as TFDV does: zero, negative, not finite.
    fn counts(self) -> bool;
}

impl Weight for u64 {
    fn to_f64(self) -> f64 {
        self as f64
    }

    fn at_most(weight: f64) -> Self {
        weight as u64
    }

    fn counts(self) -> bool {
        self > 0
    }
}

impl Weight for f64 {
    fn to_f64(self) -> f64 {
        self
    }

    fn at_most(weight: f64) -> Self {
        weight
    }

    fn counts(self) -> bool {
        self > 0.0 && self.is_finite()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for f64 {}
}
