//! The few distributions that tests of two samples need, as tails and the values that bound them.

use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::checked_gamma_ur;

/// How often a standard normal variable is above `z`.
pub(super) fn normal_tail(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

/// What a standard normal variable exceeds in a share `p` of all cases.
pub(super) fn normal_bound(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * p.clamp(1e-300, 1.0))
}

/// How often Kolmogorov's statistic is above `x` (Kolmogorov 1933).
pub(super) fn kolmogorov_tail(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0;
    }
    let square = x * x;
    let p = if x < 1.0 {
        // Jacobi's form of the series, which ends sooner for small values.
        let odd: [f64; 4] = [1.0, 9.0, 25.0, 49.0];
        let pi_2 = std::f64::consts::PI.powi(2);
        let sum: f64 = odd.iter().map(|k| (-k * pi_2 / (8.0 * square)).exp()).sum();
        1.0 - (2.0 * std::f64::consts::PI).sqrt() / x * sum
    } else {
        let term = |k: f64| (-2.0 * k * k * square).exp();
        2.0 * (term(1.0) - term(2.0) + term(3.0) - term(4.0))
    };
    p.clamp(0.0, 1.0)
}

/// What Kolmogorov's statistic exceeds in a share `p` of all cases.
pub(super) fn kolmogorov_bound(p: f64) -> f64 {
    bisect(0.2, 30.0, |x| kolmogorov_tail(x) > p)
}

/// A distribution of sums of squares and the like: gamma, of a mean and a variance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gamma {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Gamma {
    /// How often it is at least `x`.
    pub(super) fn tail(self, x: f64) -> f64 {
        if !self.is_spread() {
            // Without any spread only what is beyond the mean is surprising.
            return if x > self.mean * (1.0 + 1e-9) { 0.0 } else { 1.0 };
        }
        if x <= 0.0 {
            return 1.0;
        }
        let (shape, scale) = (self.mean * self.mean / self.variance, self.variance / self.mean);
        checked_gamma_ur(shape, x / scale).map_or(1.0, |p| p.clamp(0.0, 1.0))
    }

    /// What it exceeds in a share `p` of all cases.
    pub(super) fn bound(self, p: f64) -> f64 {
        if !self.is_spread() {
            return self.mean;
        }
        let shape = self.mean * self.mean / self.variance;
        if shape > 0.5 {
            // Wilson and Hilferty, doi:10.1073/pnas.17.12.684: within a hundredth here.
            let root = 1.0 - 1.0 / (9.0 * shape) + normal_bound(p) / (3.0 * shape.sqrt());
            return self.mean * root.max(0.0).powi(3);
        }
        let far = self.mean + 100.0 * self.variance.sqrt();
        bisect(0.0, far, |x| self.tail(x) > p)
    }

    fn is_spread(self) -> bool {
        self.mean > 0.0 && self.variance > 0.0 && (self.mean + self.variance).is_finite()
    }
}

/// Where a condition that holds at `low` ceases to hold.
pub(super) fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low, high);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { low = middle } else { high = middle }
    }
    high
}

/// All ways to split `k` marked of `n + m` drawn without return: how many are among the first `n`,
/// each with its probability.
///
/// Exact (hypergeometric) where few numbers are likely; seven points of Gauss and Hermite otherwise.
pub(super) fn splits(k: f64, n: f64, m: f64) -> Vec<(f64, f64)> {
    let (k, n, m) = (k.round(), n.round().max(1.0), m.round().max(1.0));
    let all = n + m;
    let k = k.clamp(0.0, all);
    let mean = k * n / all;
    let sd = (mean * (m / all) * (1.0 - k / all)).max(0.0).sqrt();
    if sd > 8.0 {
        const POINTS: [(f64, f64); 4] = [
            (0.0, 0.457_142_857_142_857_1),
            (1.154_405_394_739_968, 0.240_123_178_605_012_7),
            (2.366_759_410_734_541, 0.030_757_123_967_586_5),
            (3.750_439_717_725_742, 0.000_548_268_855_972_219),
        ];
        let two = |(z, weight): &(f64, f64)| {
            let at = |z: f64| ((mean + z * sd).clamp(0.0, k), *weight);
            let other = (*z > 0.0).then(|| at(-z));
            std::iter::once(at(*z)).chain(other)
        };
        return POINTS.iter().flat_map(two).collect();
    }
    let (least, most) = ((k - m).max(0.0), k.min(n));
    let up = |x: f64| (k - x) * (n - x) / ((x + 1.0) * (m - k + x + 1.0));
    let mode = (((k + 1.0) * (n + 1.0) / (all + 2.0)).floor()).clamp(least, most);
    let mut found = vec![(mode, 1.0)];
    let (mut x, mut weight) = (mode, 1.0);
    while x < most && weight > 1e-18 {
        weight *= up(x);
        x += 1.0;
        found.push((x, weight));
    }
    (x, weight) = (mode, 1.0);
    while x > least && weight > 1e-18 {
        x -= 1.0;
        weight /= up(x);
        found.push((x, weight));
    }
    let sum: f64 = found.iter().map(|(_, weight)| weight).sum();
    found.iter_mut().for_each(|(_, weight)| *weight /= sum);
    found
}

/// How often a share differs as much between two samples: `x` of `n` and `y` of `m`.
///
/// Fisher's exact test, the smaller tail counted twice; for many expected cases the normal
/// approximation with Yates's correction, which is its limit.
pub(super) fn two_shares(x: f64, n: f64, y: f64, m: f64) -> f64 {
    let (k, all) = (x + y, n + m);
    if n < 1.0 || m < 1.0 || k <= 0.0 || k >= all {
        return 1.0;
    }
    let mean = k * n / all;
    let sd = (mean * (m / all) * (1.0 - k / all)).sqrt();
    if sd > 8.0 {
        return (2.0 * normal_tail(((x - mean).abs() - 0.5).max(0.0) / sd)).min(1.0);
    }
    let ways = splits(k, n, m);
    let x = x.round();
    let tail = |keep: &dyn Fn(f64) -> bool| -> f64 {
        ways.iter().filter(|(at, _)| keep(*at)).map(|(_, weight)| weight).sum()
    };
    (2.0 * tail(&|at| at >= x).min(tail(&|at| at <= x))).min(1.0)
}

/// Benjamini and Hochberg's adjustment (doi:10.1111/j.2517-6161.1995.tb02031.x) of many tests.
pub(super) struct FalseDiscovery {
    /// Ascending, with the adjusted value of each.
    adjusted: Vec<(f64, f64)>,
}

impl FalseDiscovery {
    /// The adjustment for these p-values.
    pub(super) fn new(mut p: Vec<f64>) -> Self {
        p.sort_by(f64::total_cmp);
        let n = p.len() as f64;
        let mut least = 1.0_f64;
        let mut adjusted: Vec<(f64, f64)> = p
            .iter()
            .enumerate()
            .rev()
            .map(|(i, &p)| {
                least = least.min(p * n / (i + 1) as f64);
                (p, least)
            })
            .collect();
        adjusted.reverse();
        FalseDiscovery { adjusted }
    }

    /// The least share of false discoveries at which a test with this p-value is one.
    pub(super) fn adjust(&self, p: f64) -> f64 {
        let rank = self.adjusted.partition_point(|(other, _)| *other <= p);
        let own = p * self.adjusted.len() as f64 / rank.max(1) as f64;
        let later = self.adjusted[rank..].first().map_or(1.0, |(_, q)| *q);
        let at = self.adjusted[..rank].last().filter(|(other, _)| *other == p);
        at.map_or_else(|| own.min(later), |(_, q)| *q).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn tails_and_bounds() {
        close(normal_tail(1.959_964), 0.025, 1e-5);
        close(normal_bound(0.01), 2.326_348, 1e-5);
        close(kolmogorov_tail(1.358_1), 0.05, 1e-3);
        close(kolmogorov_tail(0.8), 0.544_142, 1e-4);
        close(kolmogorov_bound(0.01), 1.627_6, 1e-3);
        // χ² of 5 and of 1 degrees of freedom.
        close(Gamma { mean: 5.0, variance: 10.0 }.tail(11.070_5), 0.05, 1e-4);
        close(Gamma { mean: 5.0, variance: 10.0 }.bound(0.01), 15.086_3, 1e-2);
        close(Gamma { mean: 1.0, variance: 2.0 }.bound(0.01), 6.634_9, 1e-2);
        close(Gamma { mean: 1.0, variance: 20.0 }.tail(10.0), 0.028_683, 1e-3);
        assert_eq!(Gamma { mean: 0.0, variance: 0.0 }.tail(0.0), 1.0);
        assert_eq!(Gamma { mean: 0.0, variance: 0.0 }.tail(0.1), 0.0);
    }

    #[test]
    fn shares() {
        // Σ C(10, x) C(10, 9 − x) / C(20, 9) over x ≥ 8, twice.
        close(two_shares(8.0, 10.0, 1.0, 10.0), 2.0 * 0.002_739, 0.01);
        assert_eq!(two_shares(0.0, 10.0, 0.0, 1000.0), 1.0);
        assert_eq!(two_shares(10.0, 10.0, 1000.0, 1000.0), 1.0);
        assert_eq!(two_shares(5.0, 10.0, 5.0, 10.0), 1.0);
        assert!(two_shares(10.0, 10.0, 0.0, 1000.0) < 1e-20);
        close(two_shares(5100.0, 10_000.0, 4900.0, 10_000.0), 0.004_87, 0.02);
    }

    #[test]
    fn splits_have_the_moments_of_hypergeometric_variables() {
        for (k, n, m) in [(3.0, 10.0, 1000.0), (800.0, 10.0, 1000.0), (5000.0, 9000.0, 9000.0)] {
            let ways = splits(k, n, m);
            let sum = |of: &dyn Fn(f64) -> f64| ways.iter().map(|(x, w)| of(*x) * w).sum::<f64>();
            let (all, mean): (f64, f64) = (n + m, k * n / (n + m));
            close(sum(&|_| 1.0), 1.0, 1e-9);
            close(sum(&|x| x), mean, 1e-6);
            let variance = mean * (m / all) * (1.0 - k / all);
            close(sum(&|x| (x - mean).powi(2)), variance, 2e-3);
        }
    }

    #[test]
    fn false_discoveries() {
        let of = FalseDiscovery::new(vec![0.01, 0.02, 0.03, 0.5]);
        close(of.adjust(0.01), 0.04, 1e-9);
        close(of.adjust(0.03), 0.04, 1e-9);
        close(of.adjust(0.5), 0.5, 1e-9);
        close(of.adjust(0.025), 0.04, 1e-9);
        assert_eq!(FalseDiscovery::new(vec![]).adjust(0.5), 0.0_f64.max(0.0));
    }
}
