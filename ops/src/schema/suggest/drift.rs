//! Thresholds above what chance alone makes of two datasets of this size.
//!
//! [`crate::drift`] knows the noise of each distance: comparing a dataset with itself tells how far
//! apart two samples like it would be. Categories of integers are numbers to these statistics and
//! labels to the next, so their noise is that of the share of the most frequent, which is normal.

use std::collections::BTreeMap;

use super::numbers::is_finite;
use super::{Candidate, ENOUGH, Find, SuggestionKind, count, outward};
use crate::drift::{DriftOptions, FeatureDrift, compare};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::Type;
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{
    DatasetFeatureStatistics, FeatureComparator, InfinityNorm, JensenShannonDivergence,
};

/// The share of pairs of samples of one distribution that may exceed a threshold.
const ALPHA: f64 = 1e-4;
/// The quantile of the normal distribution that a share exceeds so seldom, on both sides.
const DEVIATIONS: f64 = 3.89;
/// The next dataset is not drawn from the last one's histogram, but from what that was drawn from.
const ROOM: f64 = 2.0;
/// A smaller distance matters to nobody, however sure it is.
const LEAST: f64 = 0.02;
/// Noise that is larger hides any drift: better no threshold than one that means nothing.
const MOST: f64 = 0.3;

/// The noise of every distance, by path.
pub(super) fn noise(statistics: &DatasetFeatureStatistics) -> BTreeMap<String, FeatureDrift> {
    let options = DriftOptions {
        alpha: ALPHA,
        simulations: 60,
        contributors: 0,
        thorough: true,
        ..DriftOptions::default()
    };
    let report = compare(statistics, statistics, &options);
    report.features.into_iter().map(|feature| (feature.path.clone(), feature)).collect()
}

pub(super) const DRIFT: SuggestionKind = SuggestionKind {
    name: "drift",
    doc: "a threshold above the noise of two datasets of this size: JSD of numbers, L∞ of strings",
    find: Find::Feature(|candidate, feature| {
        let n = candidate.values();
        // Time goes on, and that is no drift; nor is it that keys are new.
        let is_new = matches!(feature.domain_info, Some(DomainInfo::TimeDomain(_)))
            || candidate.view.num_unique() == Some(n);
        if n < ENOUGH || feature.drift_comparator.is_some() || is_new {
            return None;
        }
        let is_number = candidate.view.numeric().is_some();
        if is_number && !is_finite(candidate) {
            // TFDV takes every infinity and every NaN for another one: the distance is never 0.
            return None;
        }
        let floor = match candidate.view.data_type() {
            Type::Bytes | Type::Struct => return None,
            _ if is_number && feature.is_categorical() => share_noise(candidate)?,
            _ if is_number => floor(candidate, "jensen_shannon_divergence")?,
            _ => floor(candidate, "infinity_norm")?,
        };
        if floor > MOST {
            return None;
        }
        let threshold = (floor * ROOM).max(LEAST);
        let threshold = Some(outward(threshold, threshold, true));
        let comparator = if is_number && !feature.is_categorical() {
            let source = None;
            FeatureComparator {
                jensen_shannon_divergence: Some(JensenShannonDivergence { threshold, source }),
                ..FeatureComparator::default()
            }
        } else {
            FeatureComparator {
                infinity_norm: Some(InfinityNorm { threshold }),
                ..FeatureComparator::default()
            }
        };
        feature.drift_comparator = Some(comparator);
        Some(format!(
            "two samples of {} values differ by more than {floor:.2} once in 10,000 times.",
            count(n)
        ))
    }),
};

/// What a distance exceeds by chance only seldom.
fn floor(candidate: &Candidate<'_, '_>, metric: &str) -> Option<f64> {
    let measured = candidate.noise?.measurements.iter().find(|m| m.metric == metric)?;
    measured.noise_floor.filter(|floor| floor.is_finite())
}

/// The noise of the most frequent integer's share, which is at most that of its bucket.
fn share_noise(candidate: &Candidate<'_, '_>) -> Option<f64> {
    let buckets = &candidate.view.histogram(HistogramType::Standard)?.buckets;
    let n: f64 = buckets.iter().map(|bucket| bucket.sample_count).sum();
    let most = buckets.iter().map(|bucket| bucket.sample_count).fold(0.0, f64::max);
    let share = (most / n).clamp(0.0, 0.5);
    Some(DEVIATIONS * (2.0 * share * (1.0 - share) / n).sqrt()).filter(|noise| noise.is_finite())
}
