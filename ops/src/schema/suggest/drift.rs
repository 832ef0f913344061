//! Thresholds above what chance alone makes of two datasets of this size.
//!
//! Of two samples of n values each from one distribution over k cells, the Jensen–Shannon divergence
//! is about a χ² of k − 1 degrees of freedom times 1 / (4 n ln 2) bits; the difference of the shares
//! of one label of share p is normal with variance 2 p (1 − p) / n.

use super::{ENOUGH, Find, SuggestionKind, count, outward};
use crate::tfmd::feature_name_statistics::Type;
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{FeatureComparator, InfinityNorm, JensenShannonDivergence};

/// How many standard deviations a threshold is above the mean of the noise.
const DEVIATIONS: f64 = 6.0;
/// A smaller distance matters to nobody, however sure it is.
const LEAST: f64 = 0.01;

pub(super) const DRIFT: SuggestionKind = SuggestionKind {
    name: "drift",
    doc: "a threshold above the noise of two datasets of this size: JSD of numbers, L∞ of strings",
    find: Find::Feature(|candidate, feature| {
        let n = candidate.values();
        if n < ENOUGH || feature.drift_comparator.is_some() {
            return None;
        }
        let values = count(n);
        match candidate.view.data_type() {
            Type::Int | Type::Float if candidate.view.numeric().is_some() => {
                let cells = candidate.view.histogram(HistogramType::Standard)?.buckets.len();
                if cells < 2 {
                    return None;
                }
                let threshold = outward(jensen_shannon_noise(cells, n as f64).max(LEAST), true);
                feature.drift_comparator = Some(FeatureComparator {
                    jensen_shannon_divergence: Some(JensenShannonDivergence {
                        threshold: Some(threshold),
                        source: None,
                    }),
                    ..FeatureComparator::default()
                });
                Some(format!("{values} values in {cells} buckets make less noise than that."))
            }
            Type::Int | Type::Float | Type::String => {
                let labels = candidate.view.labels();
                if labels.is_empty() || candidate.view.num_unique() == Some(n) {
                    // All distinct: other strings come next time, and that is no drift.
                    return None;
                }
                let most = labels.values().copied().fold(0.0, f64::max) / n as f64;
                let threshold = outward(infinity_noise(most, n as f64).max(LEAST), true);
                feature.drift_comparator = Some(FeatureComparator {
                    infinity_norm: Some(InfinityNorm { threshold: Some(threshold) }),
                    ..FeatureComparator::default()
                });
                Some(format!(
                    "{values} values make less noise than that in the share of any string."
                ))
            }
            Type::Bytes | Type::Struct => None,
        }
    }),
};

fn jensen_shannon_noise(cells: usize, n: f64) -> f64 {
    let degrees = (cells - 1) as f64;
    let scale = 1.0 / (4.0 * n * std::f64::consts::LN_2);
    scale * (degrees + DEVIATIONS * (2.0 * degrees).sqrt())
}

/// The noise of the most uncertain share, that closest to a half.
fn infinity_noise(largest_share: f64, n: f64) -> f64 {
    let share = largest_share.clamp(0.0, 0.5);
    DEVIATIONS * (2.0 * share * (1.0 - share) / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_shrinks_with_data() {
        let check = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        };
        check(jensen_shannon_noise(10, 100.0), 0.124_273);
        check(jensen_shannon_noise(10, 10_000.0), 0.001_243);
        check(infinity_noise(0.9, 100.0), 0.424_264);
        check(infinity_noise(0.1, 10_000.0), 0.025_456);
        check(infinity_noise(0.0, 10.0), 0.0);
    }
}
