//! How far statistics have moved: drift from span to span, and skew between training and serving.
//!
//! [`infinity_norm`], [`jensen_shannon`] and [`normalized_abs_difference`] are TFDV's distances, to
//! the last digit that its own order of additions gives. The rows of [`METRICS`] stand beside them.
//!
//! A distance alone says little: 10 rows are far from 1,000 of the same distribution, and a million
//! rows differ significantly by nothing that matters. So every measurement has a noise floor, which
//! samples of one distribution of these sizes pass in a share `alpha` of all cases, and
//! [`DriftPolicy::Significant`] asks for both: enough to matter, and more than chance.
//!
//! - One test decides whether a distribution has changed at all: Kolmogorov–Smirnov for numbers, which
//!   needs no buckets and is hardly touched by how histograms were cut; Pearson's χ² for labels, over
//!   those with enough values. A second one asks whether as many examples lack the feature.
//! - Their p-values are adjusted over all features (Benjamini–Hochberg), since one in a hundred is
//!   below 0.01 by chance. More tests for each feature would say the same thing again and cost power.
//! - Values of one example may depend on each other, so lists count for as many samples as there are
//!   examples. Weights change distances, never the number of samples.
//! - Identifiers, of which no value comes twice, have no distribution to compare, and are left alone.

mod align;
mod chi_square;
mod compare;
mod curve;
mod g_test;
mod infinity_norm;
mod jensen_shannon;
mod judge;
mod kolmogorov_smirnov;
mod metric;
mod missing;
mod normalized_abs_difference;
mod options;
mod pair;
mod population_stability;
mod probability;
mod report;
mod simulate;
mod table;
mod total_variation;
mod values;
mod volume;
mod wasserstein;

pub(crate) use align::short;
pub use align::{Cell, CellValues, align};
pub use compare::compare;
pub use infinity_norm::infinity_norm;
pub use jensen_shannon::jensen_shannon;
pub use metric::Metric;
pub use normalized_abs_difference::normalized_abs_difference;
pub use options::DriftOptions;
pub use report::{
    Comparison, Contributor, DriftPolicy, DriftReport, FeatureDrift, Kind, Measurement, Verdict,
};
pub use values::{Labels, Values};

/// Every metric, in the order in which they are reported.
pub static METRICS: &[Metric] = &[
    infinity_norm::METRIC,
    jensen_shannon::METRIC,
    normalized_abs_difference::METRIC,
    total_variation::METRIC,
    kolmogorov_smirnov::METRIC,
    wasserstein::METRIC,
    population_stability::METRIC,
    chi_square::METRIC,
    g_test::METRIC,
    missing::METRIC,
    volume::METRIC,
];

/// A distance and the label that is responsible for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distance {
    /// The distance.
    pub value: f64,
    /// The last label, in order of bytes, that attains it; none where there are no labels.
    pub label: Option<String>,
}
