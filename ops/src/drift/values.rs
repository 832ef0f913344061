//! What a comparison looks at in the statistics of one feature.

use std::collections::BTreeMap;

use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{FeatureView, Histogram};

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
    /// The values in a feature's statistics, by weight where the view is.
    pub fn of(view: FeatureView<'_, 'a>, kind: HistogramType) -> Self {
        Values { labels: view.labels(), histogram: view.histogram(kind) }
    }
}
