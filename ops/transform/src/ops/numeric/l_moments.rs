//! `LMoments`: the first four L-moments of a sample, and the Tukey HH distribution that has them.
//!
//! Hosking (1990), "L-Moments: Analysis and Estimation of Distributions Using Linear Combinations of
//! Order Statistics"; Headrick and Pant (2012), "Characterizing Tukey h and hh-Distributions through
//! L-Moments and the L-Correlation", doi:10.5402/2012/980153.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Values are sorted in blocks of so many, counted from the first value. It is the size of batches
/// that TFT's goldens were made with; larger blocks would only be less noisy.
pub(super) const BLOCK: usize = 1000;

/// L-moments of blocks of a sample, merged as means over the blocks' subsets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LMoments {
    /// How many subsets of 1, 2, 3 and 4 values went in.
    subsets: [f64; 4],
    moments: [f64; 4],
    /// Values of the block in progress.
    block: Vec<f64>,
}

impl LMoments {
    /// Adds a value; those that are not finite are passed over.
    pub(super) fn push(&mut self, value: f64) {
        if value.is_finite() {
            self.block.push(value);
            if self.block.len() == BLOCK {
                self.flush();
            }
        }
    }

    /// Takes the block in progress in.
    pub(super) fn flush(&mut self) {
        self.block.sort_unstable_by(f64::total_cmp);
        let (subsets, moments) = of_sorted(&self.block);
        self.add(&subsets, &moments);
        self.block.clear();
    }

    /// Adds those of a later shard.
    pub(super) fn merge(&mut self, mut other: LMoments) {
        self.flush();
        other.flush();
        self.add(&other.subsets, &other.moments);
    }

    fn add(&mut self, subsets: &[f64; 4], moments: &[f64; 4]) {
        for k in 0..4 {
            if subsets[k] > 0.0 {
                self.subsets[k] += subsets[k];
                let share = subsets[k] / self.subsets[k];
                self.moments[k] += share * (moments[k] - self.moments[k]);
            }
        }
    }

    /// The distribution that has these L-moments; call [`LMoments::flush`] before.
    pub(super) fn tukey(&self) -> Tukey {
        let [l1, l2, l3, l4] = self.moments;
        let mut h = [0.0, 0.0];
        if l2 > 0.0 && self.subsets[3] > 0.0 {
            let (skewness, kurtosis) = (l3 / l2, l4 / l2);
            h = h_params(skewness.abs(), kurtosis);
            if skewness < 0.0 {
                h.reverse();
            }
        }
        let [hl, hr] = h;
        let standard = 1.0 / (2.0 * PI).sqrt();
        let mean = standard * (1.0 / (1.0 - hr) - 1.0 / (1.0 - hl));
        let spread = standard * (1.0 / weight(hl) + 1.0 / weight(hr));
        let scale = if l2 > 0.0 { l2 / spread } else { 1.0 };
        Tukey { location: l1 - scale * mean, scale, hl, hr }
    }
}

/// Numbers of subsets, and L-moments, of ascending values.
fn of_sorted(values: &[f64]) -> ([f64; 4], [f64; 4]) {
    let n = values.len() as f64;
    if values.is_empty() {
        return ([0.0; 4], [0.0; 4]);
    }
    // Around the median, so that the differences below lose nothing.
    let middle = values[values.len() / 2];
    let mut b = [0.0; 4];
    for (i, value) in (0u32..).map(f64::from).zip(values) {
        let mut term = value - middle;
        for (k, sum) in (0u32..).map(f64::from).zip(&mut b) {
            *sum += term;
            // Binomials by the rule from one to the next; 0 where there are too few values below.
            term *= if n - 1.0 > k { (i - k) / (n - 1.0 - k) } else { 0.0 };
        }
    }
    let [b0, b1, b2, b3] = b.map(|sum| sum / n);
    let subsets = [
        n,
        n * (n - 1.0) / 2.0,
        n * (n - 1.0) * (n - 2.0) / 6.0,
        n * (n - 1.0) * (n - 2.0) * (n - 3.0) / 24.0,
    ];
    let moments = [
        middle + b0,
        2.0 * b1 - b0,
        6.0 * b2 - 6.0 * b1 + b0,
        20.0 * b3 - 30.0 * b2 + 12.0 * b1 - b0,
    ];
    (subsets.map(|n| n.max(0.0)), moments)
}

/// A Tukey HH distribution: location + scale * u * exp(h u² / 2) of a normal u, with one h for each
/// side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tukey {
    pub(super) location: f64,
    pub(super) scale: f64,
    pub(super) hl: f64,
    pub(super) hr: f64,
}

fn weight(h: f64) -> f64 {
    (1.0 - h) * (2.0 - h).sqrt()
}

/// L-skewness of the HH distribution.
fn skewness(hl: f64, hr: f64) -> f64 {
    let angle = |h: f64| (1.0 / (2.0 - h).sqrt()).atan();
    let (wl, wr) = (weight(hl), weight(hr));
    let tails = PI * (hl - hr) * ((2.0 - hl) * (2.0 - hr)).sqrt();
    (tails + 12.0 * (wl * angle(hr) - wr * angle(hl))) / (2.0 * PI * (wl + wr))
}

/// L-kurtosis of the HH distribution.
fn kurtosis(hl: f64, hr: f64) -> f64 {
    let angle = |h: f64| ((2.0 - h) / (4.0 - h)).sqrt().atan();
    let (wl, wr) = (weight(hl), weight(hr));
    6.0 - 30.0 / PI * (wr * angle(hl) + wl * angle(hr)) / (wl + wr)
}

/// Left and right h of an L-skewness that is not negative and an L-kurtosis; zeros (a normal
/// distribution) where the tails are no longer than normal.
fn h_params(target_skewness: f64, target_kurtosis: f64) -> [f64; 2] {
    /// L-kurtosis of the normal distribution, as TFT rounds it.
    const NORMAL: f64 = 0.122_601_7;
    if target_kurtosis.is_nan() || target_kurtosis < NORMAL {
        return [0.0, 0.0];
    }
    let target_kurtosis = target_kurtosis.min(1.0 - 1e-5);
    // The left h for a right one: what gives the skewness, or 0 if none is small enough.
    let left = |hr: f64| {
        let delta = bisect(0.0, hr, |delta| skewness(hr - delta, hr) < target_skewness);
        (hr - delta).max(0.0)
    };
    // With both sides alike there is a closed form, which is the least that the right one can be.
    let tangent = (PI * (6.0 - target_kurtosis) / 30.0).tan().powi(2);
    let least = ((2.0 - 4.0 * tangent) / (1.0 - tangent)).max(0.0);
    let hr = bisect(least, 1.0 - 1e-7, |hr| kurtosis(left(hr), hr) < target_kurtosis);
    [left(hr), hr]
}

/// Where `below` turns from true to false.
fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    if below(high) {
        return high;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The normal value that a value of the HH distribution (of location 0 and scale 1) stands for.
pub(super) fn inverse_tukey(x: f64, hl: f64, hr: f64) -> f64 {
    let (size, h) = if x < 0.0 { (-x, hl) } else { (x, hr) };
    if h * size * size < 1e-7 || !size.is_finite() || h <= 0.0 {
        return x;
    }
    // From x = u exp(h u² / 2): h u² is W(h x²).
    let u = (lambert_w_of_exp(h.ln() + 2.0 * size.ln()) / h).sqrt();
    if x < 0.0 { -u } else { u }
}

/// Lambert's W of exp(x): the w for which w + ln w = x. In logarithms nothing overflows.
fn lambert_w_of_exp(x: f64) -> f64 {
    // Not above the root, from where Newton's steps never overshoot, the function being concave.
    let mut w = if x > 1.0 { x - x.ln() } else { 1.0 / (1.0 + (-x).exp()) };
    for _ in 0..40 {
        let next = w - (w + w.ln() - x) / (1.0 + 1.0 / w);
        if next <= w {
            break;
        }
        w = next;
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l_moments_are_those_of_the_definition() {
        let check = |values: &[f64], expected: [f64; 4]| {
            let mut found = LMoments::default();
            values.iter().for_each(|value| found.push(*value));
            found.flush();
            for (found, expected) in found.moments.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{values:?}: {found} {expected}");
            }
        };
        check(&[], [0.0; 4]);
        check(&[3.0], [3.0, 0.0, 0.0, 0.0]);
        check(&[1.0, 4.0], [2.5, 1.5, 0.0, 0.0]);
        check(&[4.0, 1.0, f64::NAN, f64::INFINITY], [2.5, 1.5, 0.0, 0.0]);
        check(&[1.0, 2.0, 6.0], [3.0, 5.0 / 3.0, 1.0, 0.0]);
        check(&[1.0, 2.0, 3.0, 4.0], [2.5, 5.0 / 6.0, 0.0, 0.0]);
        check(&[0.0, 0.0, 0.0, 4.0], [1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn parameters_come_back() {
        let check = |hl: f64, hr: f64| {
            let [found_l, found_r] = h_params(skewness(hl, hr), kurtosis(hl, hr));
            assert!((found_l - hl).abs() < 1e-6 && (found_r - hr).abs() < 1e-6, "{hl} {hr}");
        };
        check(0.1, 0.1);
        check(0.0, 0.3);
        check(0.2, 0.7);
        check(0.05, 0.9);
        assert_eq!(h_params(0.5, 0.1), [0.0, 0.0]);
        assert_eq!(h_params(0.5, f64::NAN), [0.0, 0.0]);
        assert!(h_params(0.0, 1.0)[1] < 1.0);
    }

    #[test]
    fn the_inverse_undoes_the_distribution() {
        for h in [0.01, 0.3, 0.9] {
            for u in [-8.0, -1.0, -1e-3, 0.0, 0.5, 3.0, 30.0_f64] {
                let x = u * (0.5 * h * u * u).exp();
                let found = inverse_tukey(x, h, h);
                assert!((found - u).abs() <= 1e-7 * u.abs(), "{h} {u}: {found}");
            }
        }
        assert_eq!(inverse_tukey(f64::INFINITY, 0.1, 0.1), f64::INFINITY);
        assert!(inverse_tukey(f64::NAN, 0.1, 0.1).is_nan());
        assert_eq!(inverse_tukey(-2.5, 0.0, 0.5), -2.5);
        assert!(inverse_tukey(1e300, 0.1, 0.1) < 200.0);
    }
}
