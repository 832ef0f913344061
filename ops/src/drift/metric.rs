//! The row of a metric: what it is called, what it means and how it is computed.

use super::pair::Pair;
use super::table::Noise;
use super::{Contributor, DriftOptions, Kind};
use crate::tfmd::FeatureComparator;

/// A way to measure how far two sides of a feature are apart.
#[derive(Debug)]
pub struct Metric {
    /// Its name in reports, as in the schema where the schema has it.
    pub name: &'static str,
    /// What it says, in one line.
    pub doc: &'static str,
    /// How it is computed, in signs: p and q are the shares of the current and of the other side,
    /// x and y the counts, n and m their sums.
    pub formula: &'static str,
    /// How its noise floor is found.
    pub noise: &'static str,
    /// Where it comes from.
    pub citation: &'static str,
    /// For which kinds of values it is there.
    pub kinds: &'static [Kind],
    /// The threshold in a schema.
    pub(super) threshold: fn(&FeatureComparator) -> Option<f64>,
    /// The least value that matters where the schema has no threshold.
    pub(super) minimum: fn(&DriftOptions<'_>) -> Option<f64>,
    pub(super) measure: fn(&Pair<'_>, &DriftOptions<'_>) -> Option<Measured>,
}

/// A distance with its noise and its reasons.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) value: f64,
    pub(super) noise: Option<Noise>,
    pub(super) contributors: Vec<Contributor>,
}

pub(super) const NUMBERS: &[Kind] = &[Kind::Numbers];
pub(super) const LABELS: &[Kind] = &[Kind::Labels];
pub(super) const VALUES: &[Kind] = &[Kind::Numbers, Kind::Labels];
pub(super) const ANY: &[Kind] = &[Kind::Numbers, Kind::Labels, Kind::Other];

/// Of metrics that the schema knows no threshold for.
pub(super) fn not_in_schema(_: &FeatureComparator) -> Option<f64> {
    None
}

/// Of metrics that raise no alarm without the schema's threshold.
pub(super) fn no_minimum(_: &DriftOptions<'_>) -> Option<f64> {
    None
}
