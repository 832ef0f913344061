//! What a comparison of two datasets found, ready to be printed, drawn or written as JSON.

use serde::Serialize;

/// Every feature of two datasets, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftReport {
    /// By which rule alarms were raised.
    pub policy: DriftPolicy,
    /// Against what was compared.
    pub comparison: Comparison,
    /// The share of false alarms that is put up with.
    pub alpha: f64,
    /// How many examples the current dataset has.
    pub current_examples: u64,
    /// How many examples the dataset has that it is compared with.
    pub control_examples: u64,
    /// The features of both datasets, in order of their paths.
    pub features: Vec<FeatureDrift>,
}

impl DriftReport {
    /// The features that raise an alarm.
    pub fn drifted(&self) -> impl Iterator<Item = &FeatureDrift> {
        self.features.iter().filter(|feature| feature.verdict == Verdict::Drifted)
    }
}

/// One feature, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureDrift {
    /// The path, as TFDV writes it in anomalies.
    pub path: String,
    /// What its values are.
    pub kind: Kind,
    /// How many values count as one sample each on the current side.
    pub current_size: f64,
    /// The same of the other side.
    pub control_size: f64,
    /// How often two samples of one distribution differ as much, in any way that is tested.
    pub p: Option<f64>,
    /// The share of false alarms if this and every feature less likely to be noise raise one.
    pub q: Option<f64>,
    /// The worst of its measurements' verdicts.
    pub verdict: Verdict,
    /// The verdict in a sentence.
    pub why: String,
    /// What was measured, in the order of the table of metrics.
    pub measurements: Vec<Measurement>,
}

/// One distance between the two sides of a feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// The name of its row in the table of metrics.
    pub metric: &'static str,
    /// The distance.
    pub value: f64,
    /// Above it there is an alarm: from the schema, or the practical minimum of this metric.
    pub threshold: Option<f64>,
    /// Whether the threshold stands in the schema.
    pub in_schema: bool,
    /// What only a share of `alpha` of all pairs of samples of one distribution exceed.
    pub noise_floor: Option<f64>,
    /// How often two samples of one distribution are as far apart.
    pub p: Option<f64>,
    /// `p` adjusted for the number of features.
    pub q: Option<f64>,
    /// What follows from it.
    pub verdict: Verdict,
    /// What contributes most, in descending order.
    pub contributors: Vec<Contributor>,
}

/// A label or a bucket, and how much of a distance is due to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contributor {
    /// The label, or the bounds of the bucket.
    pub name: String,
    /// Its share of the current values.
    pub current: f64,
    /// Its share of the other side's values.
    pub control: f64,
    /// Its part of the distance, from 0 to 1.
    pub share: f64,
}

/// What follows from a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No further apart than samples of one distribution are.
    Stable,
    /// Further apart than that, but not so far that it matters.
    Moved,
    /// Above the threshold, but so are samples of one distribution of these sizes.
    Noise,
    /// The two sides cannot be compared: one has no values, or values of another kind.
    Incomparable,
    /// An alarm.
    Drifted,
}

/// By which rule a measurement raises an alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftPolicy {
    /// Above the schema's threshold: exactly TFDV's rule.
    #[default]
    Tfdv,
    /// Above the threshold, and further apart than samples of one distribution.
    ///
    /// Features without a threshold in the schema are judged as well, by practical minimums.
    Significant,
}

/// Which of a feature's comparators holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The current span with the one before: `drift_comparator`.
    #[default]
    Drift,
    /// Training data with what is served: `skew_comparator`.
    Skew,
}

/// What the values of a feature are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers, in histograms.
    Numbers,
    /// Strings or categories, in rank histograms.
    Labels,
    /// Something of which only the presence is compared.
    Other,
}
