//! The Jensen–Shannon divergence of labels or of histograms: TFDV's `jensen_shannon_divergence`.
//!
//! Lin, “Divergence measures based on the Shannon entropy”, doi:10.1109/18.61115. With logarithms to
//! the base 2 it lies between 0 and 1.

use super::infinity_norm::{both, sum};
use super::metric::{Measured, Metric, VALUES, no_minimum};
use super::pair::Pair;
use super::table::{Noise, top};
use super::{DriftOptions, Kind, Labels, Values, align, simulate};
use crate::tfmd::Histogram;

pub(super) const METRIC: Metric = Metric {
    name: "jensen_shannon_divergence",
    doc: "TFDV's approximate Jensen–Shannon divergence: 0 for alike, 1 for nothing in common",
    formula: "Σ p log₂(p / r) / 2 + Σ q log₂(q / r) / 2, where r = (p + q) / 2, over listed labels \
              or buckets cut at both sides' bounds",
    noise: "labels: a gamma distribution of the mean and variance that dealing them out gives; \
            numbers: samples drawn from both sides together, with histograms made anew",
    citation: "Lin 1991, doi:10.1109/18.61115; TensorFlow Data Validation, anomalies/metrics.cc",
    kinds: VALUES,
    threshold: |comparator| comparator.jensen_shannon_divergence.as_ref()?.threshold,
    minimum: no_minimum,
    measure,
};

fn measure(pair: &Pair<'_>, options: &DriftOptions<'_>) -> Option<Measured> {
    let half = |p: f64, q: f64| f64::midpoint(term(p, q), term(q, p));
    if pair.kind == Kind::Labels {
        if pair.current.labels.is_empty() || pair.control.labels.is_empty() {
            return None;
        }
        let value = of_labels(&pair.current.labels, &pair.control.labels)?;
        let table = &pair.listed;
        return Some(Measured {
            value,
            noise: (!table.is_empty()).then(|| table.noise(value, pair.alpha, half)),
            contributors: table.contributors(options.contributors, half),
        });
    }
    let simulate_above = pair.simulate_above?;
    let (x, y) = (pair.current.histogram(pair.source)?, pair.control.histogram(pair.source)?);
    let value = of_histograms(x, y)?;
    let (n, m) = (pair.current.size, pair.control.size);
    let curves = pair.curves.as_ref().filter(|_| value > simulate_above);
    let noise = curves.and_then(|(f, g)| -> Option<Noise> {
        let pooled = f.pooled(n, g, m);
        let draws = (options.simulations, pair.seed);
        simulate::noise_of_divergence(value, &pooled, (n, m), pair.source, pair.alpha, draws)
    });
    let cells = align::align(x, y);
    let of_current = cells.iter().fold(0.0, |sum, cell| sum + cell.current);
    let of_control = cells.iter().fold(0.0, |sum, cell| sum + cell.control);
    let names: Vec<String> = cells.iter().map(|cell| cell.values.to_string()).collect();
    let terms = cells.iter().zip(&names).map(|(cell, name)| {
        let (p, q) = (cell.current / of_current, cell.control / of_control);
        (half(p, q), p, q, name)
    });
    Some(Measured { value, noise, contributors: top(terms.collect(), options.contributors) })
}

/// The divergence of two features: of their labels where both have some, else of their histograms.
///
/// `None` where there is nothing to compare, as in TFDV: one side has no values, the two sides are of
/// different kinds, or a label is counted 0 times.
pub fn jensen_shannon(current: &Values<'_>, control: &Values<'_>) -> Option<f64> {
    if !current.labels.is_empty() && !control.labels.is_empty() {
        return of_labels(&current.labels, &control.labels);
    }
    of_histograms(current.histogram?, control.histogram?)
}

/// Σ p log₂(p / m) / 2 + Σ q log₂(q / m) / 2, where m is the mean of p and q.
fn of_labels(current: &Labels<'_>, control: &Labels<'_>) -> Option<f64> {
    let is_positive = |labels: &Labels<'_>| labels.values().all(|count| *count > 0.0);
    if !is_positive(current) || !is_positive(control) {
        return None;
    }
    let (of_current, of_control) = (sum(current), sum(control));
    let mut kl = 0.0;
    for (_, x, y) in both(current, control) {
        let (p, q) = (x / of_current, y / of_control);
        // The mean is rounded as TFDV rounds it.
        let m = f64::midpoint(p, q);
        if x != 0.0 {
            kl += p * (p / m).log2();
        }
        if y != 0.0 {
            kl += q * (q / m).log2();
        }
    }
    Some((kl / 2.0).min(1.0))
}

/// The same over the cells of two histograms of one kind.
fn of_histograms(current: &Histogram, control: &Histogram) -> Option<f64> {
    if current.r#type != control.r#type {
        return None;
    }
    let cells = align::align(current, control);
    let of_current = cells.iter().fold(0.0, |sum, cell| sum + cell.current);
    let of_control = cells.iter().fold(0.0, |sum, cell| sum + cell.control);
    if of_current == 0.0 || of_control == 0.0 {
        return None;
    }
    let (mut of_p, mut of_q) = (0.0, 0.0);
    for cell in &cells {
        let (p, q) = (cell.current / of_current, cell.control / of_control);
        of_p += term(p, q);
        of_q += term(q, p);
    }
    Some(f64::midpoint(of_p, of_q).min(1.0))
}

/// p log₂(p / m), where m is the mean of p and q.
pub(super) fn term(p: f64, q: f64) -> f64 {
    let m = f64::midpoint(p, q);
    if p > 0.0 && m > 0.0 { p * (p / m).log2() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::align::tests::histogram;
    use super::*;

    fn check(current: &Values<'_>, control: &Values<'_>, expected: Option<f64>) {
        let found = jensen_shannon(current, control);
        match (found, expected) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{found}"),
            _ => assert_eq!(found, expected),
        }
        let back = jensen_shannon(control, current);
        assert!((found.unwrap_or(-1.0) - back.unwrap_or(-1.0)).abs() < 1e-12, "symmetric");
        assert!(found.is_none_or(|found| (0.0..=1.0).contains(&found)));
    }

    fn labels<'a>(counts: &[(&'a str, f64)]) -> Values<'a> {
        Values { labels: counts.iter().copied().collect(), histogram: None }
    }

    #[test]
    fn labels_diverge() {
        check(&labels(&[("a", 1.0)]), &labels(&[("a", 9.0)]), Some(0.0));
        check(&labels(&[("a", 1.0)]), &labels(&[("b", 9.0)]), Some(1.0));
        let half = 0.311_278_124_459_132_8;
        check(&labels(&[("a", 1.0)]), &labels(&[("a", 1.0), ("b", 1.0)]), Some(half));
        check(&labels(&[("a", 0.0)]), &labels(&[("a", 1.0)]), None);
        check(&labels(&[]), &labels(&[("a", 1.0)]), None);
    }

    #[test]
    fn histograms_diverge() {
        fn both(a: &Histogram, b: &Histogram, expected: Option<f64>) {
            let of = |histogram| Values { labels: Labels::default(), histogram: Some(histogram) };
            check(&of(a), &of(b), expected);
        }
        let a = histogram(&[(0.0, 1.0, 5.0), (1.0, 2.0, 5.0)], 0);
        both(&a, &a, Some(0.0));
        both(&a, &histogram(&[(0.0, 2.0, 700.0)], 0), Some(0.0));
        both(&a, &histogram(&[(3.0, 4.0, 1.0)], 0), Some(1.0));
        both(&a, &histogram(&[], 0), None);
        // NaN is not even equal to itself.
        both(&histogram(&[], 3), &histogram(&[], 3), Some(1.0));
        let mut quantiles = a.clone();
        quantiles.r#type = 1;
        both(&a, &quantiles, None);
    }

    #[test]
    fn kinds_that_do_not_match() {
        let numbers = histogram(&[(0.0, 1.0, 5.0)], 0);
        let numbers = Values { labels: Labels::default(), histogram: Some(&numbers) };
        check(&labels(&[("a", 1.0)]), &numbers, None);
    }
}
