//! The distribution function of numbers, as far as histograms tell it.
//!
//! Quantile buckets say exactly which share of values is up to each of their bounds; the buckets of
//! equal width say it between them. In between, values are taken to lie evenly. NaN comes behind all
//! numbers, infinite ones included, so that its share is part of the distribution.

use crate::tfmd::Histogram;

/// Which share of the values is below `at`, and which up to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Knot {
    pub(super) at: f64,
    pub(super) below: f64,
    pub(super) upto: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    /// Ascending.
    pub(super) knots: Vec<Knot>,
    /// The values between quantile buckets: where the curve is known best.
    pub(super) bounds: Vec<f64>,
    /// The share of values that are not NaN.
    pub(super) numbers: f64,
}

impl Curve {
    /// The curve of a feature's histograms; none without values.
    pub(super) fn of(quantiles: Option<&Histogram>, standard: Option<&Histogram>) -> Option<Curve> {
        let n_nan = quantiles.or(standard)?.num_nan as f64;
        let (quantiles, standard) = (quantiles.and_then(steps), standard.and_then(steps));
        let total = quantiles.as_ref().or(standard.as_ref()).map_or(0.0, |(_, total)| *total);
        if total + n_nan <= 0.0 {
            return None;
        }
        let numbers = total / (total + n_nan);
        let mut bounds = Vec::new();
        let mut all: Vec<Knot> = Vec::new();
        for (steps, _) in [&quantiles, &standard].into_iter().flatten() {
            if bounds.is_empty() {
                let inner = 1..steps.len().max(2) - 1;
                bounds = steps.get(inner).unwrap_or_default().iter().map(|k| k.at).collect();
                // A value that repeats has a share of its own even at the ends.
                let ends = steps.first().into_iter().chain(steps.last());
                bounds.extend(ends.filter(|k| k.upto - k.below > 1e-9).map(|k| k.at));
                bounds.sort_by(f64::total_cmp);
                bounds.dedup();
            }
            // Where all values are whole, nothing lies between a bound and the whole number below it.
            let is_whole = bounds.iter().all(|at: &f64| at.fract() == 0.0);
            for knot in steps {
                let at = if is_whole { knot.at.floor() } else { knot.at };
                // Of two knots at one place the first, which is of quantiles, knows better.
                if !all.iter().any(|known| known.at == at) {
                    all.push(Knot { at, ..*knot });
                }
            }
        }
        all.sort_by(|a, b| a.at.total_cmp(&b.at));
        let mut reached = 0.0_f64;
        for knot in &mut all {
            knot.below = (knot.below * numbers).max(reached);
            knot.upto = (knot.upto * numbers).max(knot.below);
            reached = knot.upto;
        }
        Some(Curve { knots: all, bounds, numbers })
    }

    /// The share of values up to `x`.
    pub(super) fn upto(&self, x: f64) -> f64 {
        let i = self.knots.partition_point(|knot| knot.at < x);
        match (i.checked_sub(1).map(|i| self.knots[i]), self.knots.get(i)) {
            (_, Some(next)) if next.at == x => next.upto,
            (Some(before), Some(next)) => between(before, *next, x),
            (Some(before), None) => before.upto,
            (None, _) => 0.0,
        }
    }

    /// The share of values below `x`.
    pub(super) fn below(&self, x: f64) -> f64 {
        let i = self.knots.partition_point(|knot| knot.at < x);
        match self.knots.get(i) {
            Some(next) if next.at == x => next.below,
            _ => self.upto(x),
        }
    }

    /// The curve of all values of two curves together.
    pub(super) fn pooled(&self, n: f64, other: &Curve, m: f64) -> Curve {
        let mix = |a: f64, b: f64| (a * n + b * m) / (n + m);
        let knots = merged(self, other).into_iter().map(|at| Knot {
            at,
            below: mix(self.below(at), other.below(at)),
            upto: mix(self.upto(at), other.upto(at)),
        });
        let numbers = mix(self.numbers, other.numbers);
        Curve { knots: knots.collect(), bounds: Vec::new(), numbers }
    }

    /// The least value up to which there is a share `u` of the numbers.
    pub(super) fn quantile(&self, u: f64) -> f64 {
        let u = u * self.numbers;
        let i = self.knots.partition_point(|knot| knot.upto < u).min(self.knots.len() - 1);
        let knot = self.knots[i];
        if i == 0 || u >= knot.below {
            return knot.at;
        }
        let before = self.knots[i - 1];
        if !before.at.is_finite() || !knot.at.is_finite() {
            return if before.at.is_finite() { before.at } else { knot.at };
        }
        let share = (u - before.upto) / (knot.below - before.upto);
        before.at + share * (knot.at - before.at)
    }
}

/// All places where one of two curves has a knot, ascending.
pub(super) fn merged(a: &Curve, b: &Curve) -> Vec<f64> {
    let mut at: Vec<f64> = a.knots.iter().chain(&b.knots).map(|knot| knot.at).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    at
}

/// On the straight line between two knots.
fn between(before: Knot, next: Knot, x: f64) -> f64 {
    let width = next.at - before.at;
    let share = if width.is_finite() { (x - before.at) / width } else { 0.5 };
    before.upto + share * (next.below - before.upto).max(0.0)
}

/// A histogram's bounds with the shares of its numbers, and how many these are.
fn steps(histogram: &Histogram) -> Option<(Vec<Knot>, f64)> {
    let is_sound = |x: f64| !x.is_nan();
    let mut buckets: Vec<(f64, f64, f64)> = histogram
        .buckets
        .iter()
        .filter(|b| is_sound(b.low_value) && is_sound(b.high_value) && b.low_value <= b.high_value)
        .map(|b| (b.low_value, b.high_value, b.sample_count.max(0.0)))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let total: f64 = buckets.iter().map(|bucket| bucket.2).sum();
    if !(total > 0.0 && total.is_finite()) {
        return None;
    }
    let mut knots: Vec<Knot> = Vec::new();
    let mut sum = 0.0;
    for (low, high, count) in buckets {
        if knots.last().is_none_or(|last| last.at < low) {
            knots.push(Knot { at: low, below: sum / total, upto: sum / total });
        }
        sum += count;
        match knots.last_mut() {
            Some(last) if last.at == high => last.upto = sum / total,
            _ => {
                knots.push(Knot { at: high, below: sum / total, upto: sum / total });
            }
        }
    }
    Some((knots, total))
}

#[cfg(test)]
mod tests {
    use super::super::align::tests::histogram;
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn shares() {
        // 40 zeros, 20 between 0 and 2, and 40 at 2.
        let q =
            histogram(&[(0.0, 0.0, 40.0), (0.0, 2.0, 20.0), (2.0, 2.0, 20.0), (2.0, 2.0, 20.0)], 0);
        let curve = Curve::of(Some(&q), None).unwrap();
        close(curve.upto(-1.0), 0.0);
        close(curve.below(0.0), 0.0);
        close(curve.upto(0.0), 0.4);
        close(curve.upto(1.0), 0.5);
        close(curve.below(2.0), 0.6);
        close(curve.upto(2.0), 1.0);
        close(curve.upto(3.0), 1.0);
        assert_eq!(curve.bounds, [0.0, 2.0]);
        close(curve.quantile(0.2), 0.0);
        close(curve.quantile(0.5), 1.0);
        close(curve.quantile(0.9), 2.0);
    }

    #[test]
    fn two_histograms_of_one_feature() {
        let q = histogram(&[(0.0, 1.0, 5.0), (1.0, 10.0, 5.0)], 10);
        let s = histogram(&[(0.0, 5.0, 9.0), (5.0, 10.0, 1.0)], 10);
        let curve = Curve::of(Some(&q), Some(&s)).unwrap();
        close(curve.numbers, 0.5);
        close(curve.upto(1.0), 0.25);
        close(curve.upto(5.0), 0.45);
        close(curve.upto(3.0), 0.35);
        close(curve.upto(99.0), 0.5);
        assert_eq!(curve.bounds, [1.0]);
        assert!(Curve::of(Some(&histogram(&[], 0)), None).is_none());
        close(Curve::of(Some(&histogram(&[], 3)), None).unwrap().upto(0.0), 0.0);
    }

    /// The distribution of hours: 24 values, each as frequent, is a straight line at whole numbers.
    #[test]
    fn whole_numbers() {
        let share = |x: f64| (x.floor() + 1.0).clamp(0.0, 24.0);
        let steps = |bounds: &[f64]| -> Vec<(f64, f64, f64)> {
            let first = |low: f64| if low == bounds[0] { 0.0 } else { share(low) };
            bounds.windows(2).map(|w| (w[0], w[1], share(w[1]) - first(w[0]))).collect()
        };
        let q = steps(&[0.0, 2.0, 4.0, 7.0, 9.0, 11.0, 14.0, 16.0, 19.0, 21.0, 23.0]);
        let s: Vec<f64> = (0..=10).map(|i| 2.3 * f64::from(i)).collect();
        let curve = Curve::of(Some(&histogram(&q, 0)), Some(&histogram(&steps(&s), 0))).unwrap();
        for hour in 2..24 {
            close(curve.upto(f64::from(hour)), f64::from(hour + 1) / 24.0);
        }
    }

    #[test]
    fn infinities() {
        const INF: f64 = f64::INFINITY;
        let s = histogram(&[(-INF, -INF, 1.0), (0.0, 1.0, 8.0), (INF, INF, 1.0)], 0);
        let curve = Curve::of(None, Some(&s)).unwrap();
        close(curve.upto(-INF), 0.1);
        close(curve.upto(-5.0), 0.1);
        close(curve.upto(0.5), 0.5);
        close(curve.below(INF), 0.9);
        close(curve.upto(INF), 1.0);
        assert_eq!(curve.quantile(0.05), -INF);
        close(curve.quantile(0.5), 0.5);
        assert_eq!(curve.quantile(0.95), INF);
    }
}
