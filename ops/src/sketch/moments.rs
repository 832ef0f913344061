//! `Sum` and `Moments`: sums, means and variances that keep their digits.

use serde::{Deserialize, Serialize};

/// A sum of floats with the rounding errors summed beside it (Neumaier's).
///
/// It depends on the order of the values alone, and loses no digits however many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        let (high, error) = two_sum(self.high, value);
        self.high = high;
        self.low += error;
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: Sum) {
        self.add(other.high);
        self.low += other.low;
    }

    /// The sum.
    pub fn value(self) -> f64 {
        // Beyond the range of floats the error term is not a number.
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }
}

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
        let weight: f64 = sum(values, weights, |_| 1.0);
        if weight == 0.0 || weight.is_nan() {
            return Moments::default();
        }
        let mut mean = sum(values, weights, |v| v) / weight;
        if !mean.is_finite() {
            mean = sum(values, weights, |v| v / weight);
        }
        let deviations = sum(values, weights, |v| v - mean);
        let mean_error = deviations / weight;
        let squares = sum(values, weights, |v| (v - mean) * (v - mean)) - deviations * mean_error;
        Moments { weight, mean, mean_error, squares }
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

/// The weighted sum of `f` of each value, in four lanes by position.
fn sum<W: Copy + Into<f64>>(values: &[f64], weights: &[W], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 4];
    let mut value_blocks = values.chunks_exact(4);
    let mut weight_blocks = weights.chunks_exact(4);
    for (values, weights) in value_blocks.by_ref().zip(weight_blocks.by_ref()) {
        for lane in 0..4 {
            lanes[lane] += weights[lane].into() * f(values[lane]);
        }
    }
    for (value, weight) in value_blocks.remainder().iter().zip(weight_blocks.remainder()) {
        lanes[0] += (*weight).into() * f(*value);
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
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

    #[test]
    fn sums_keep_small_values() {
        let mut sum = Sum::default();
        for value in [1e16, 1.0, -1e16, 0.5] {
            sum.add(value);
        }
        assert_eq!(sum.value(), 1.5);
        let mut infinite = Sum::default();
        infinite.add(f64::INFINITY);
        assert_eq!(infinite.value(), f64::INFINITY);
    }
}
