//! What decides when a measurement is an alarm.

use super::{Comparison, DriftPolicy};
use crate::tfmd::Schema;

/// How two datasets are compared.
///
/// The minimums keep large datasets quiet, where every difference is significant; `alpha` keeps small
/// ones quiet, where every difference is large.
#[derive(Clone, Debug)]
pub struct DriftOptions<'a> {
    /// When there is an alarm.
    pub policy: DriftPolicy,
    /// Whose thresholds hold.
    pub comparison: Comparison,
    /// The schema with the thresholds; retired features are not compared.
    pub schema: Option<&'a Schema>,
    /// The share of false alarms among all alarms that is put up with (Benjamini–Hochberg).
    pub alpha: f64,
    /// With fewer values than this on a side, only `alpha_of_few` is put up with.
    pub few: f64,
    /// The share of false alarms where there are few values.
    pub alpha_of_few: f64,
    /// Numbers without a threshold: the least Kolmogorov–Smirnov distance that matters.
    pub min_kolmogorov_smirnov: f64,
    /// Labels without a threshold: the least total variation that matters.
    pub min_total_variation: f64,
    /// The least change of the share of missing values that matters.
    pub min_missing_change: f64,
    /// How far ranks in histograms may be off: the statistics' `epsilon` over 3 is Frazil's bound.
    pub rank_error: f64,
    /// How often histograms are drawn anew where no formula gives their noise.
    pub simulations: usize,
    /// Another seed gives other simulated histograms.
    pub seed: u64,
    /// How many contributors are listed.
    pub contributors: usize,
    /// Measure the divergence of numbers and simulate its noise also where no threshold is exceeded.
    pub thorough: bool,
}

impl Default for DriftOptions<'_> {
    fn default() -> Self {
        DriftOptions {
            policy: DriftPolicy::default(),
            comparison: Comparison::default(),
            schema: None,
            alpha: 0.01,
            few: 30.0,
            alpha_of_few: 0.0001,
            min_kolmogorov_smirnov: 0.05,
            min_total_variation: 0.05,
            min_missing_change: 0.02,
            rank_error: 0.01 / 3.0,
            simulations: 200,
            seed: 0,
            contributors: 5,
            thorough: false,
        }
    }
}
