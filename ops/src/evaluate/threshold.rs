//! Thresholds: what a metric has to reach.

use serde::{Deserialize, Serialize};

use super::json;
use crate::stats::SliceSpec;

/// What a metric has to reach in some slices.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdSpec {
    /// The metric's key.
    pub metric: String,
    /// Which slices; without any all rows together. A specification without features is those, too.
    pub slices: Vec<SliceSpec>,
    /// What has to be reached.
    pub threshold: Threshold,
}

/// What a metric has to reach; all that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Threshold {
    /// By its value.
    pub value: Option<ValueBounds>,
    /// By its difference from the baseline's.
    pub change: Option<Change>,
}

/// Bounds of a value, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueBounds {
    /// The least value.
    #[serde(with = "json::number")]
    pub lower: f64,
    /// The greatest value.
    #[serde(with = "json::number")]
    pub upper: f64,
}

/// Which way a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Up.
    HigherIsBetter,
    /// Down.
    LowerIsBetter,
}

/// What candidate - baseline has to be at least, or at most where lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which way is better.
    pub direction: Direction,
    /// The difference.
    pub absolute: Option<f64>,
    /// The difference over the baseline.
    pub relative: Option<f64>,
}
