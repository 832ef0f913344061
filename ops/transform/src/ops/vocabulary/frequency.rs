//! How frequent, or how informative, a token is: compared, sorted and written.

use std::cmp::Ordering;
use std::fmt;

use engine::order;

use crate::numbers::python_float;

/// What tokens are ordered by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frequency {
    /// How often it was seen.
    Count(u64),
    /// Its weight, or its information.
    Number(f64),
    /// No information at all, which TFT writes as an integer.
    Zero,
}

impl Frequency {
    /// As a number.
    pub(super) fn value(self) -> f64 {
        match self {
            Frequency::Count(n) => n as f64,
            Frequency::Number(x) => x + 0.0,
            Frequency::Zero => 0.0,
        }
    }

    /// Appends it to a key, so that the greatest comes first.
    pub(super) fn push(self, key: &mut Vec<u8>) {
        match self {
            Frequency::Count(n) => order::push_descending_u64(key, n),
            Frequency::Number(_) | Frequency::Zero => {
                order::push_descending_f64(key, self.value());
            }
        }
    }
}

impl PartialEq for Frequency {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Frequency {}
impl PartialOrd for Frequency {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Frequency {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Frequency::Count(a), Frequency::Count(b)) => a.cmp(b),
            (a, b) => a.value().total_cmp(&b.value()),
        }
    }
}

impl fmt::Display for Frequency {
    /// As Python prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Frequency::Count(n) => write!(f, "{n}"),
            Frequency::Number(x) => f.write_str(&python_float(*x)),
            Frequency::Zero => f.write_str("0"),
        }
    }
}
