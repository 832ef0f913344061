//! The L-infinity distance of two sets of labels: TFDV's `infinity_norm`.

use super::metric::{LABELS, Measured, Metric, no_minimum};
use super::{Distance, Labels};

pub(super) const METRIC: Metric = Metric {
    name: "infinity_norm",
    doc: "TFDV's L-infinity: the largest change of a listed label's share",
    formula: "max |p − q| over listed labels; 0 for numbers",
    noise: "all labels' hypergeometric or normal tails together, which bounds it",
    citation: "TensorFlow Data Validation, anomalies/metrics.cc",
    kinds: LABELS,
    threshold: |comparator| comparator.infinity_norm.as_ref()?.threshold,
    minimum: no_minimum,
    measure: |pair, options| {
        let value = infinity_norm(&pair.current.labels, &pair.control.labels).value;
        let table = &pair.listed;
        Some(Measured {
            value,
            noise: (!table.is_empty())
                .then(|| table.noise_of_largest(value, pair.alpha, 1.0 / table.n, 1.0 / table.m)),
            contributors: table.contributors(options.contributors, |p, q| p - q),
        })
    },
};

/// The largest difference of a label's share: max |p − q|, each side divided by its own sum.
///
/// A side without labels has no shares to differ in: the other side's largest share is the distance,
/// and 0 where both are empty, so that it is 0 for numbers always, as in TFDV.
///
/// # Examples
///
/// ```
/// use ops::drift::{Labels, infinity_norm};
///
/// let today = Labels::from([("cash", 30.0), ("card", 70.0)]);
/// let before = Labels::from([("cash", 5.0), ("card", 5.0)]);
/// let distance = infinity_norm(&today, &before);
/// assert!((distance.value - 0.2).abs() < 1e-12);
/// assert_eq!(distance.label.as_deref(), Some("cash"));
/// ```
pub fn infinity_norm(current: &Labels<'_>, control: &Labels<'_>) -> Distance {
    largest_difference(current, control, sum(current), sum(control))
}

/// The largest |x / of_current − y / of_control|, with the last label in order that attains it.
pub(super) fn largest_difference(
    current: &Labels<'_>,
    control: &Labels<'_>,
    of_current: f64,
    of_control: f64,
) -> Distance {
    // Nothing is divided by a sum of 0: counts that are all 0 stay so.
    let scale = |count: f64, of: f64| if of == 0.0 { count } else { count / of };
    let mut found = Distance { value: 0.0, label: None };
    for (label, x, y) in both(current, control) {
        let value = (scale(x, of_current) - scale(y, of_control)).abs();
        if value >= found.value {
            found = Distance { value, label: Some(label.to_owned()) };
        }
    }
    found
}

/// The sum of the counts, in order of the labels.
pub(super) fn sum(labels: &Labels<'_>) -> f64 {
    // Not `Iterator::sum`, which begins at −0.
    labels.values().fold(0.0, |sum, count| sum + count)
}

/// All labels in order, with the counts of both sides.
pub(super) fn both<'a>(
    current: &Labels<'a>,
    control: &Labels<'a>,
) -> impl Iterator<Item = (&'a str, f64, f64)> {
    let mut x = current.iter().peekable();
    let mut y = control.iter().peekable();
    std::iter::from_fn(move || {
        let label = match (x.peek(), y.peek()) {
            (Some((a, _)), Some((b, _))) => **a.min(b),
            (Some((label, _)), None) | (None, Some((label, _))) => **label,
            (None, None) => return None,
        };
        let x = x.next_if(|(other, _)| **other == label);
        let y = y.next_if(|(other, _)| **other == label);
        Some((label, x.map_or(0.0, |(_, n)| *n), y.map_or(0.0, |(_, n)| *n)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: &[(&str, f64)], control: &[(&str, f64)], value: f64, label: Option<&str>) {
        let (current, control) = (labels(current), labels(control));
        let found = infinity_norm(&current, &control);
        assert!((found.value - value).abs() < 1e-12, "{found:?}");
        assert_eq!(found.label.as_deref(), label);
        let back = infinity_norm(&control, &current);
        assert_eq!(back, found, "symmetric");
    }

    fn labels<'a>(counts: &[(&'a str, f64)]) -> Labels<'a> {
        counts.iter().copied().collect()
    }

    #[test]
    fn distances() {
        check(&[], &[], 0.0, None);
        check(&[("a", 3.0)], &[], 1.0, Some("a"));
        check(&[("a", 3.0)], &[("a", 700.0)], 0.0, Some("a"));
        check(&[("a", 1.0), ("b", 1.0)], &[("a", 1.0), ("c", 3.0)], 0.75, Some("c"));
        // The last label of those that attain the largest difference.
        check(&[("a", 1.0), ("b", 1.0)], &[("a", 3.0), ("b", 1.0)], 0.25, Some("b"));
        check(&[("a", 0.0)], &[("b", 0.0)], 0.0, Some("b"));
    }
}
