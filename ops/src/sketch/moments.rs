//! `Moments`: means and variances that keep their digits.

use serde::{Deserialize, Serialize};

/// Weight, mean and sum of squared deviations of finite values.
///
/// A block of values is summed in two passes, so that squares are of deviations from the block's own
/// mean; blocks are put together by Chan's update (doi:10.1080/00031305.1983.10483115). The mean is
/// carried in two floats: with one, a mean of 1e15 would be known to 0.1 only, and the error would
/// enter the variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    weight: f64,
    mean: f64,
    /// What the mean lacks.
    mean_error: f64,
    /// Sum of weighted squared deviations from the mean.
    squares: f64,
}

impl Moments {
    /// Of one block of values, each with a weight.
    pub fn of<W: Copy + Into<f64>>(values: &[f64], weights: &[W]) -> Self {
        let (weight, total) = sums(values, weights, |v| (1.0, v));
        if weight == 0.0 || weight.is_nan() {
            return Moments::default();
        }
        let mut mean = total / weight;
        if !mean.is_finite() {
            mean = sums(values, weights, |v| (0.0, v / weight)).1;
        }
        let square = |v: f64| (v - mean, (v - mean) * (v - mean));
        let (deviations, squares) = sums(values, weights, square);
        let mean_error = deviations / weight;
        Moments { weight, mean, mean_error, squares: squares - deviations * mean_error }
    }

    /// Of one block of values that count once each.
    pub fn of_singles(values: &[f64]) -> Self {
        // Units take no memory, and multiplying by them no time.
        Self::of(values, &vec![Once; values.len()])
    }

    /// Adds those of a later block.
    pub fn merge(&mut self, other: Moments) {
        if other.weight == 0.0 {
            return;
        }
        let weight = self.weight + other.weight;
        if self.weight == 0.0 || weight == 0.0 {
            if self.weight == 0.0 {
                *self = other;
            }
            return;
        }
        let share = other.weight / weight;
        let delta = (other.mean - self.mean) + (other.mean_error - self.mean_error);
        self.squares += other.squares + delta * delta * (self.weight * share);
        if delta.is_finite() {
            let (mean, error) = two_sum(self.mean, delta * share);
            (self.mean, self.mean_error) = two_sum(mean, error + self.mean_error);
        } else {
            self.mean = self.mean * (self.weight / weight) + other.mean * share;
            self.mean_error = 0.0;
        }
        self.weight = weight;
    }

    /// Sum of the weights.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The mean; 0 without values.
    pub fn mean(&self) -> f64 {
        self.mean + self.mean_error
    }

    /// The variance of the whole population; 0 without values.
    pub fn variance(&self) -> f64 {
        if self.weight == 0.0 { 0.0 } else { (self.squares / self.weight).max(0.0) }
    }

    /// The square root of the variance.
    pub fn std_dev(&self) -> f64 {
        self.variance().sqrt()
    }
}

/// The weighted sums of the two terms that `f` makes of each value, in lanes by position.
fn sums<W: Copy + Into<f64>>(
    values: &[f64],
    weights: &[W],
    f: impl Fn(f64) -> (f64, f64),
) -> (f64, f64) {
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let mut value_blocks = values.chunks_exact(LANES);
    let mut weight_blocks = weights.chunks_exact(LANES);
    for (values, weights) in value_blocks.by_ref().zip(weight_blocks.by_ref()) {
        let lanes = first.iter_mut().zip(&mut second);
        for ((first, second), (value, weight)) in lanes.zip(values.iter().zip(weights)) {
            let (weight, terms) = ((*weight).into(), f(*value));
            *first += weight * terms.0;
            *second += weight * terms.1;
        }
    }
    for (value, weight) in value_blocks.remainder().iter().zip(weight_blocks.remainder()) {
        let (weight, terms) = ((*weight).into(), f(*value));
        first[0] += weight * terms.0;
        second[0] += weight * terms.1;
    }
    let sum = |lanes: [f64; LANES]| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    (sum(first), sum(second))
}

const LANES: usize = 4;

/// The weight 1.
#[derive(Clone, Copy)]
struct Once;

impl From<Once> for f64 {
    fn from(_: Once) -> f64 {
        1.0
    }
}

/// The rounded sum and its rounding error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], block: usize) -> Moments {
        let mut moments = Moments::default();
        for values in values.chunks(block) {
            moments.merge(Moments::of(values, &vec![1_u32; values.len()]));
        }
        moments
    }

    /// Deviations from `offset` are exact integers here, so that the truth is known exactly.
    #[test]
    fn offsets_cost_no_digits() {
        for offset in [0.0, 1.0, 1e9, -1e15, 4e15] {
            for n in [1_i128, 2, 1000, 30_000] {
                let deviation = |i: i128| i * 7_919 % 1_009 - 300;
                let values: Vec<f64> = (0..n).map(|i| offset + deviation(i) as f64).collect();
                let sum: i128 = (0..n).map(deviation).sum();
                let squares: i128 = (0..n).map(|i| deviation(i) * deviation(i)).sum();
                let mean = offset + sum as f64 / n as f64;
                let variance = (squares * n - sum * sum) as f64 / (n * n) as f64;
                for block in [64, 1000, 8192] {
                    let found = of(&values, block);
                    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
                    assert!(close(found.mean(), mean), "{offset} {n} {block}: mean");
                    assert!(close(found.variance(), variance), "{offset} {n} {block}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn edges() {
        let check = |values: &[f64], mean: f64, std_dev: f64| {
            for block in [1, 3, 100] {
                let found = of(values, block);
                assert_eq!((found.mean(), found.std_dev()), (mean, std_dev), "{values:?}");
            }
        };
        check(&[], 0.0, 0.0);
        check(&[0.1; 50], 0.1, 0.0);
        check(&[f64::MAX, f64::MAX], f64::MAX, 0.0);
        check(&[-1.0, 1.0], 0.0, 1.0);
        check(&[f64::MAX, -f64::MAX], 0.0, f64::INFINITY);
    }

    #[test]
    fn weights_may_be_any_floats() {
        let weighted = Moments::of(&[1.0, 2.0, 4.0], &[0.5, 0.0, 1.5]);
        assert_eq!((weighted.mean(), weighted.variance()), (3.25, 1.6875));
        let negative = Moments::of(&[1.0, 3.0], &[-1.0, 2.0]);
        assert_eq!(negative.mean(), 5.0);
        assert_eq!(Moments::of(&[1.0, 3.0], &[-1.0, 1.0]), Moments::default());
    }
}
