//! What a comparison looks at in the statistics of one feature.

use std::collections::BTreeMap;

use crate::tfmd::feature_name_statistics::Stats;
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{FeatureNameStatistics, Histogram, RankHistogram};

/// Counts by label, as a rank histogram lists them.
pub type Labels<'a> = BTreeMap<&'a str, f64>;

/// The values of one feature: labels, or a histogram of numbers.
#[derive(Clone, Debug, Default)]
pub struct Values<'a> {
    /// The labels that are listed; none for numbers.
    pub labels: Labels<'a>,
    /// The histogram of numbers; none for labels.
    pub histogram: Option<&'a Histogram>,
}

impl<'a> Values<'a> {
    /// The values in a feature's statistics; `weighted` takes the weighted ones.
    pub fn of(stats: &'a FeatureNameStatistics, weighted: bool, kind: HistogramType) -> Self {
        let histogram = histogram(stats, weighted, kind);
        Values { labels: labels(stats, weighted), histogram }
    }
}

/// The labels a rank histogram lists; the first counts where one is listed twice.
pub fn labels_of(histogram: &RankHistogram) -> Labels<'_> {
    let mut labels = Labels::new();
    for bucket in &histogram.buckets {
        labels.entry(&bucket.label).or_insert(bucket.sample_count);
    }
    labels
}

pub(super) fn labels(stats: &FeatureNameStatistics, weighted: bool) -> Labels<'_> {
    let Some(Stats::StringStats(stats)) = &stats.stats else { return Labels::new() };
    let histogram = match (weighted, &stats.weighted_string_stats) {
        (false, _) => stats.rank_histogram.as_ref(),
        (true, weighted) => weighted.as_ref().and_then(|w| w.rank_histogram.as_ref()),
    };
    histogram.map(labels_of).unwrap_or_default()
}

pub(super) fn histogram(
    stats: &FeatureNameStatistics,
    weighted: bool,
    kind: HistogramType,
) -> Option<&Histogram> {
    let Some(Stats::NumStats(stats)) = &stats.stats else { return None };
    let histograms = match (weighted, &stats.weighted_numeric_stats) {
        (false, _) => &stats.histograms,
        (true, weighted) => &weighted.as_ref()?.histograms,
    };
    histograms.iter().find(|histogram| histogram.r#type == kind as i32)
}
