//! Histograms of samples that are drawn, for distances whose noise no formula gives.
//!
//! TFDV's Jensen–Shannon divergence of numbers depends on where both histograms were cut, and these
//! cuts are chance, too: the smallest and the largest value decide them. So samples of both sizes are
//! drawn from both distributions together, their histograms are made by the very rules that statistics
//! are made by, and the divergence of each pair shows what chance alone does. Of a sample only its
//! quantiles are drawn, so that its size costs nothing.

use super::curve::Curve;
use super::probability::{Gamma, normal_bound};
use super::table::Noise;
use super::{Values, jensen_shannon};
use crate::stats::histogram::{FINER, quantiles_histogram, standard_histogram};
use crate::tfmd::Histogram;
use crate::tfmd::histogram::HistogramType;

/// Buckets of a histogram by the options' defaults.
const BUCKETS: usize = 10;
/// As many quantiles as statistics ask for, of which those in the middle are drawn more coarsely: it
/// is the ends that decide where buckets of equal width are.
const QUANTILES: usize = FINER * BUCKETS;
const TAIL: usize = 50;

fn is_drawn(i: usize) -> bool {
    i <= TAIL || i >= QUANTILES - TAIL || i.is_multiple_of(10)
}

/// The noise of a divergence of histograms that came out as `value`.
pub(super) fn noise_of_divergence(
    value: f64,
    pooled: &Curve,
    sizes: (f64, f64),
    kind: HistogramType,
    alpha: f64,
    (times, seed): (usize, u64),
) -> Option<Noise> {
    if pooled.knots.is_empty() || times == 0 {
        return None;
    }
    let mut random = Random { state: seed };
    let mut found: Vec<f64> = (0..times)
        .filter_map(|_| {
            let current = draw(pooled, sizes.0, kind, &mut random);
            let control = draw(pooled, sizes.1, kind, &mut random);
            let of = |histogram| Values { histogram: Some(histogram), ..Default::default() };
            jensen_shannon(&of(&current), &of(&control))
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let n = found.len();
    let mean = found.iter().sum::<f64>() / n as f64;
    let variance = found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
    // What is rarer than one draw in all is told by a gamma distribution of their mean and variance.
    let chance = Gamma { mean, variance };
    let rank = ((1.0 - alpha) * n as f64).ceil() as usize;
    let floor = found[rank.clamp(1, n) - 1].max(chance.bound(alpha)).min(1.0);
    let above = n - found.partition_point(|other| *other < value);
    let least = 1.0 / (n + 1) as f64;
    let p = if above > 0 { (above + 1) as f64 * least } else { chance.tail(value).min(least) };
    Some(Noise { floor, p })
}

/// The histogram of a sample.
fn draw(curve: &Curve, size: f64, kind: HistogramType, random: &mut Random) -> Histogram {
    let n = size.round().max(1.0) as u64;
    // The rule of `Quantiles`: the least rank that reaches the share, so 1 and n at the ends.
    let rank = |i: usize| ((n as f64 * i as f64 / QUANTILES as f64).ceil() as u64).max(1);
    let wanted = |i: &usize| match kind {
        HistogramType::Standard => is_drawn(*i),
        HistogramType::Quantiles => i.is_multiple_of(FINER),
    };
    let ranks: Vec<u64> = (0..=QUANTILES).filter(wanted).map(rank).collect();
    let mut last = 0;
    let gaps: Vec<f64> = ranks
        .iter()
        .map(|rank| {
            let gap = random.gamma(rank - last);
            last = *rank;
            gap
        })
        .collect();
    let sum: f64 = gaps.iter().sum::<f64>() + random.gamma(1);
    // Ordered uniform numbers are partial sums of exponential ones over their total.
    let mut reached = 0.0;
    let q: Vec<f64> = gaps
        .iter()
        .map(|gap| {
            reached += gap;
            curve.quantile((reached / sum).min(1.0))
        })
        .collect();
    let c: Vec<f64> = ranks.iter().map(|rank| *rank as f64).collect();
    let is_finite = |q: &&f64| q.is_finite();
    let finite = q.iter().copied().filter(|q| is_finite(&q));
    let least = finite.clone().fold(f64::INFINITY, f64::min);
    let most = finite.fold(f64::NEG_INFINITY, f64::max);
    if kind == HistogramType::Quantiles {
        return quantiles_histogram(&q, &c);
    }
    let first_infinite = q.partition_point(|q| *q < f64::INFINITY);
    let n_infinite = match first_infinite {
        at if at == q.len() => 0.0,
        0 => n as f64,
        at => n as f64 - c[at - 1],
    };
    standard_histogram(&q, &c, (least, most), BUCKETS, n_infinite)
}

/// SplitMix64 (Steele, Lea and Flood, doi:10.1145/2714064.2660195).
struct Random {
    state: u64,
}

impl Random {
    /// Between 0 and 1, neither included.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// The sum of `n` exponential variables: exact up to 3, then by Wilson and Hilferty's cube.
    fn gamma(&mut self, n: u64) -> f64 {
        if n <= 3 {
            return (0..n).map(|_| -self.uniform().ln()).sum();
        }
        let shape = n as f64;
        let z = normal_bound(self.uniform());
        shape * (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).max(0.0).powi(3)
    }
}

#[cfg(test)]
mod tests {
    use super::super::align::tests::histogram;
    use super::*;

    #[test]
    fn drawn_histograms_are_like_those_of_samples() {
        let q: Vec<_> = (0..10).map(|i| (f64::from(i), f64::from(i + 1), 100.0)).collect();
        let curve = Curve::of(Some(&histogram(&q, 0)), None).unwrap();
        let mut random = Random { state: 7 };
        for size in [1.0, 2.0, 10.0, 57.0, 1000.0, 1e9] {
            for kind in [HistogramType::Standard, HistogramType::Quantiles] {
                let drawn = draw(&curve, size, kind, &mut random);
                let n: f64 = drawn.buckets.iter().map(|bucket| bucket.sample_count).sum();
                assert!((n - size).abs() < 1e-6 * size, "{n} of {size}");
                let low = drawn.buckets.first().map_or(0.0, |bucket| bucket.low_value);
                assert!((0.0..=10.0).contains(&low));
            }
        }
        let wide = draw(&curve, 1e6, HistogramType::Standard, &mut random);
        assert!(wide.buckets.iter().all(|b| (b.sample_count - 1e5).abs() < 2e3), "{wide:?}");
    }

    #[test]
    fn gammas_have_their_mean_and_variance() {
        let mut random = Random { state: 1 };
        for n in [1, 3, 4, 100] {
            let drawn: Vec<f64> = (0..4000).map(|_| random.gamma(n)).collect();
            let mean = drawn.iter().sum::<f64>() / 4000.0;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4000.0;
            let n = n as f64;
            assert!((mean - n).abs() < 5.0 * (n / 4000.0).sqrt(), "{mean} of {n}");
            assert!((variance / n - 1.0).abs() < 0.2, "{variance} of {n}");
        }
    }
}
