//! Sparse and weighted features: whether the features that they are made of fit together.

use super::anomalies_of_sets as text;
use super::reason::Reason;
use crate::tfmd::custom_statistic::Val;
use crate::tfmd::{CustomStatistic, FeatureView};

fn number(stat: &CustomStatistic) -> f64 {
    match stat.val {
        Some(Val::Num(number)) => number,
        _ => 0.0,
    }
}

/// Labels with their counts, which are differences of lengths here.
fn counts(stat: &CustomStatistic) -> impl Iterator<Item = (&str, i64)> {
    let buckets = match &stat.val {
        Some(Val::RankHistogram(histogram)) => histogram.buckets.as_slice(),
        _ => &[],
    };
    let counts = buckets.iter().map(|b| (b.label.as_str(), b.sample_count as i64));
    counts.filter(|(_, count)| *count != 0)
}

/// What is wrong with a sparse feature.
pub(super) fn judge_sparse(view: FeatureView<'_, '_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for stat in &view.statistics().custom_stats {
        match stat.name.as_str() {
            "missing_value" if number(stat) != 0.0 => {
                reasons.push(text::sparse_missing_value(number(stat)));
            }
            "missing_index" => {
                reasons.extend(counts(stat).map(|(i, n)| text::sparse_missing_index(i, n)));
            }
            name @ ("max_length_diff" | "min_length_diff") => {
                let reason = |(i, n)| text::sparse_length_mismatch(i, name, n);
                reasons.extend(counts(stat).map(reason));
            }
            _ => {}
        }
    }
    reasons
}

/// What is wrong with a weighted feature.
pub(super) fn judge_weighted(view: FeatureView<'_, '_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let (mut min, mut max) = (0, 0);
    for stat in &view.statistics().custom_stats {
        let value = number(stat);
        match stat.name.as_str() {
            "missing_value" if value != 0.0 => reasons.push(text::weighted_missing_value(value)),
            "missing_weight" if value != 0.0 => reasons.push(text::weighted_missing_weight(value)),
            "min_weight_length_diff" if value != 0.0 => min = value as i64,
            "max_weight_length_diff" if value != 0.0 => max = value as i64,
            _ => {}
        }
    }
    if min != 0 || max != 0 {
        reasons.push(text::weighted_length_mismatch(min, max));
    }
    reasons
}
