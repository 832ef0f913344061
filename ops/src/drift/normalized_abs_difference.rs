//! The largest difference of counts over all counts: TFDV's `normalized_abs_difference`.

use super::infinity_norm::{largest_difference, sum};
use super::metric::{LABELS, Measured, Metric, no_minimum};
use super::{Distance, Labels};

pub(super) const METRIC: Metric = Metric {
    name: "normalized_abs_difference",
    doc: "TFDV's normalized absolute difference: the largest change of a listed label's count",
    formula: "max |x − y| / (n + m) over listed labels; 0 for numbers",
    noise: "all labels' hypergeometric or normal tails together, which bounds it",
    citation: "TensorFlow Data Validation, anomalies/metrics.cc",
    kinds: LABELS,
    threshold: |comparator| comparator.normalized_abs_difference.as_ref()?.threshold,
    minimum: no_minimum,
    measure: |pair, options| {
        let value = normalized_abs_difference(&pair.current.labels, &pair.control.labels).value;
        let table = &pair.listed;
        let all = table.n + table.m;
        Some(Measured {
            value,
            noise: (!table.is_empty())
                .then(|| table.noise_of_largest(value, pair.alpha, 1.0 / all, 1.0 / all)),
            contributors: table
                .contributors(options.contributors, |p, q| (p * table.n - q * table.m) / all),
        })
    },
};

/// The largest difference of a label's count: max |x − y| / (Σx + Σy).
///
/// Counts, not shares: twice as many examples of the same kind are a difference.
///
/// # Examples
///
/// ```
/// use ops::drift::{Labels, normalized_abs_difference};
///
/// let today = Labels::from([("cash", 30.0), ("card", 50.0)]);
/// let before = Labels::from([("cash", 10.0), ("card", 10.0)]);
/// assert_eq!(normalized_abs_difference(&today, &before).value, 0.4);
/// ```
pub fn normalized_abs_difference(current: &Labels<'_>, control: &Labels<'_>) -> Distance {
    let all = sum(current) + sum(control);
    largest_difference(current, control, all, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        fn check(
            current: &[(&str, f64)],
            control: &[(&str, f64)],
            value: f64,
            label: Option<&str>,
        ) {
            let current: Labels<'_> = current.iter().copied().collect();
            let control: Labels<'_> = control.iter().copied().collect();
            let found = normalized_abs_difference(&current, &control);
            assert!((found.value - value).abs() < 1e-12, "{found:?}");
            assert_eq!(found.label.as_deref(), label);
            assert_eq!(normalized_abs_difference(&control, &current), found, "symmetric");
        }
        check(&[], &[], 0.0, None);
        check(&[("a", 3.0)], &[], 1.0, Some("a"));
        check(&[("a", 5.0)], &[("a", 5.0)], 0.0, Some("a"));
        check(&[("a", 6.0), ("b", 1.0)], &[("a", 2.0), ("b", 1.0)], 0.4, Some("a"));
    }
}
