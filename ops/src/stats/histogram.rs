//! Histograms out of quantiles, by TFDV's rules (its `quantiles_util.py`).
//!
//! Both kinds come from one query: `q` holds values at equidistant ranks, `c` the weight of all values
//! up to each. Counts are therefore fractions, also on exact data.

use crate::tfmd::Histogram;
use crate::tfmd::histogram::{Bucket, HistogramType};

/// Quantile buckets are cut so many times finer for the equal-width histogram.
pub(crate) const FINER: usize = 100;

/// The middle of the quantiles: the mean of two for an even number of them.
pub(crate) fn median(q: &[f64]) -> f64 {
    match q.len() {
        0 => 0.0,
        n if n % 2 == 0 => f64::midpoint(q[n / 2 - 1], q[n / 2]),
        n => q[n / 2],
    }
}

/// Every `factor`-th quantile.
pub(crate) fn coarser(q: &[f64], c: &[f64], factor: usize) -> (Vec<f64>, Vec<f64>) {
    (q.iter().step_by(factor).copied().collect(), c.iter().step_by(factor).copied().collect())
}

/// Buckets of equal weight: the first closed on the left, the others open there.
pub(crate) fn quantiles_histogram(q: &[f64], c: &[f64]) -> Histogram {
    let buckets = q
        .windows(2)
        .zip(bucket_weights(q, c))
        .map(|(w, sample_count)| Bucket { low_value: w[0], high_value: w[1], sample_count })
        .collect();
    Histogram { buckets, r#type: HistogramType::Quantiles as i32, ..Default::default() }
}

/// The weight of each bucket between two quantiles.
///
/// Buckets that end at the same value share their weight evenly; the weight of the smallest value
/// goes to the first bucket and to all that equal it.
fn bucket_weights(q: &[f64], c: &[f64]) -> Vec<f64> {
    let mut weights: Vec<f64> = c.windows(2).map(|w| w[1] - w[0]).collect();
    let mut i = 0;
    while i < weights.len() {
        let mut j = i + 1;
        while j < weights.len() && q[i + 1] == q[j + 1] {
            j += 1;
        }
        if j > i + 1 {
            let shared = weights[i..j].iter().sum::<f64>() / (j - i) as f64;
            weights[i..j].fill(shared);
        }
        i = j;
    }
    let n_first = (0..weights.len()).take_while(|&i| q[i] == q[0] && q[i + 1] == q[1]).count();
    for weight in &mut weights[..n_first] {
        *weight += c[0] / n_first as f64;
    }
    weights
}

/// Equal-width buckets between the smallest and the largest finite value; infinities have buckets of
/// their own at the ends. No buckets where the width is beyond the range of floats.
pub(crate) fn standard_histogram(
    q: &[f64],
    c: &[f64],
    (min, max): (f64, f64),
    n_buckets: usize,
    n_pos_inf: f64,
) -> Histogram {
    let mut histogram = Histogram { r#type: HistogramType::Standard as i32, ..Default::default() };
    let Some(total) = c.last() else { return histogram };
    if !min.is_finite() || !max.is_finite() {
        // There is no finite value: TFDV gives one bucket from inf to -inf.
        let bucket = Bucket { low_value: min, high_value: max, sample_count: *total };
        histogram.buckets.push(bucket);
        return histogram;
    }
    let Finite { q, c, n_neg_inf } = finite(q, c, max, n_pos_inf);
    let boundaries = boundaries(min, max, n_buckets);
    if !boundaries.iter().all(|boundary| boundary.is_finite()) {
        return histogram;
    }
    let mut point = |value: f64, sample_count: f64| {
        if sample_count != 0.0 {
            let bucket = Bucket { low_value: value, high_value: value, sample_count };
            histogram.buckets.push(bucket);
        }
    };
    point(f64::NEG_INFINITY, n_neg_inf);
    let weights = bucket_weights(&q, &c);
    let mut start = 0;
    for (i, window) in boundaries.windows(2).enumerate() {
        let (low, high) = (window[0], window[1]);
        let mut sample_count = 0.0;
        let mut last_before = start;
        for at in start..weights.len() {
            match overlap((q[at], q[at + 1]), (low, high), i == 0) {
                Overlap::After => break,
                Overlap::Before => last_before = at,
                Overlap::Share(share) => sample_count += share * weights[at],
            }
        }
        start = last_before;
        histogram.buckets.push(Bucket { low_value: low, high_value: high, sample_count });
    }
    if n_pos_inf != 0.0 {
        let value = f64::INFINITY;
        let bucket = Bucket { low_value: value, high_value: value, sample_count: n_pos_inf };
        histogram.buckets.push(bucket);
    }
    histogram
}

struct Finite {
    q: Vec<f64>,
    c: Vec<f64>,
    n_neg_inf: f64,
}

/// Quantiles without infinite ones; the last of the finite values ends the last bucket.
fn finite(q: &[f64], c: &[f64], max: f64, n_pos_inf: f64) -> Finite {
    let first = q.partition_point(|v| *v == f64::NEG_INFINITY);
    let n_neg_inf = if first > 0 { c[first - 1] } else { 0.0 };
    let mut q = q[first..].to_vec();
    let mut c: Vec<f64> = c[first..].iter().map(|c| c - n_neg_inf).collect();
    if n_pos_inf != 0.0 {
        let n_finite = c.last().map_or(0.0, |last| last - n_pos_inf);
        let end = q.partition_point(|v| *v < f64::INFINITY);
        q.truncate(end);
        c.truncate(end);
        q.push(max);
        c.push(n_finite);
    }
    Finite { q, c, n_neg_inf }
}

/// `numpy.linspace`, digit for digit; only the ends where there is one value.
fn boundaries(min: f64, max: f64, n: usize) -> Vec<f64> {
    if min == max {
        return vec![min, max];
    }
    let width = max - min;
    let step = width / n as f64;
    let mut boundaries: Vec<f64> = (0..=n)
        .map(|i| {
            // A step that underflows to 0 would put all boundaries at the minimum.
            let offset = if step == 0.0 { i as f64 / n as f64 * width } else { i as f64 * step };
            offset + min
        })
        .collect();
    if n > 0 {
        boundaries[n] = max;
    }
    boundaries
}

enum Overlap {
    Before,
    After,
    Share(f64),
}

/// Which part of a quantile bucket lies in a bucket of the equal-width histogram, if values lie
/// uniformly. A bucket that is a point on a boundary belongs to the bucket that ends there.
fn overlap(part: (f64, f64), whole: (f64, f64), is_first: bool) -> Overlap {
    let (low, high) = whole;
    if part.0 == part.1 && part.1 == low {
        return if is_first { Overlap::Share(1.0) } else { Overlap::Before };
    }
    if part.1 < low {
        return Overlap::Before;
    }
    if part.0 > high {
        return Overlap::After;
    }
    let width = part.1 - part.0;
    Overlap::Share(match (low <= part.0, high >= part.1) {
        (true, true) => 1.0,
        (true, false) => (high - part.0) / width,
        (false, true) => (part.1 - low) / width,
        (false, false) => (high - low) / width,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(histogram: &Histogram) -> Vec<(f64, f64, f64)> {
        let triple = |b: &Bucket| (b.low_value, b.high_value, b.sample_count);
        histogram.buckets.iter().map(triple).collect()
    }

    /// The expected buckets are TFDV's.
    #[test]
    fn quantile_buckets_share_weight() {
        let check = |q: &[f64], c: &[f64], expected: &[(f64, f64, f64)]| {
            assert_eq!(buckets(&quantiles_histogram(q, c)), expected, "{q:?} {c:?}");
        };
        check(&[], &[], &[]);
        check(&[1.0, 2.0, 3.0], &[1.0, 5.0, 6.0], &[(1.0, 2.0, 5.0), (2.0, 3.0, 1.0)]);
        check(&[7.0; 4], &[6.0; 4], &[(7.0, 7.0, 2.0); 3]);
        check(
            &[0.0, 0.0, 2.0, 2.0, 2.0],
            &[40.0, 40.0, 100.0, 100.0, 100.0],
            &[(0.0, 0.0, 40.0), (0.0, 2.0, 20.0), (2.0, 2.0, 20.0), (2.0, 2.0, 20.0)],
        );
    }

    #[test]
    fn equal_width_buckets_are_cut_from_quantiles() {
        let check = |q: &[f64], c: &[f64], range, n_pos_inf, expected: &[(f64, f64, f64)]| {
            let histogram = standard_histogram(q, c, range, 2, n_pos_inf);
            assert_eq!(buckets(&histogram), expected, "{q:?} {c:?}");
        };
        check(&[], &[], (0.0, 0.0), 0.0, &[]);
        check(&[5.0; 3], &[4.0; 3], (5.0, 5.0), 0.0, &[(5.0, 5.0, 4.0)]);
        check(
            &[0.0, 1.0, 4.0],
            &[1.0, 2.0, 5.0],
            (0.0, 4.0),
            0.0,
            &[(0.0, 2.0, 3.0), (2.0, 4.0, 2.0)],
        );
        // A point on an inner boundary belongs to the bucket that ends there.
        check(
            &[0.0, 2.0, 2.0, 4.0],
            &[1.0, 3.0, 5.0, 6.0],
            (0.0, 4.0),
            0.0,
            &[(0.0, 2.0, 5.0), (2.0, 4.0, 1.0)],
        );
        check(
            &[-INF, 1.0, 3.0, INF, INF],
            &[2.0, 3.0, 4.0, 6.0, 6.0],
            (1.0, 3.0),
            2.0,
            &[(-INF, -INF, 2.0), (1.0, 2.0, 0.75), (2.0, 3.0, 1.25), (INF, INF, 2.0)],
        );
        check(&[-INF, INF], &[2.0, 4.0], (INF, -INF), 2.0, &[(INF, -INF, 4.0)]);
        // The width is not a number any more.
        check(&[-1e308, 1e308], &[1.0, 2.0], (-1e308, 1e308), 0.0, &[]);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let check = |q: &[f64], expected: f64| assert_eq!(median(q), expected, "{q:?}");
        check(&[], 0.0);
        check(&[1.0, 2.0, 9.0], 2.0);
        check(&[1.0, 2.0, 4.0, 9.0], 3.0);
    }
}
