//! `Sweep`: all distinct scores of a slice, from the highest down, as thresholds pass them.
//!
//! ```text
//!  score      0.9   0.7   0.7   0.2      each distinct score once, with the weight of its labels
//!  threshold      ▲ 0.8       ▲ 0.5      positive: what lies above, strictly
//! ```

use super::metric::{Parameters, Value};

/// Weight of all labels of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Of label 1.
    pub positive: f64,
    /// Of label 0.
    pub negative: f64,
}

/// One distinct score.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// The score.
    pub score: f64,
    /// Weight of label 1 that has it.
    pub positive: f64,
    /// Weight of label 0 that has it.
    pub negative: f64,
    /// Weight of label 1 that has it or a higher one.
    pub tp: f64,
    /// Weight of label 0 that has it or a higher one.
    pub fp: f64,
}

/// A metric that needs all distinct scores.
pub trait Curve {
    /// The next score, less than the one before.
    fn step(&mut self, point: &Point);
    /// The result when all were seen.
    fn finish(self: Box<Self>) -> Value;
}

/// What a threshold tells apart, by weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confusion {
    /// Scores above it are positive.
    pub threshold: f64,
    /// True positives.
    pub tp: f64,
    /// False positives.
    pub fp: f64,
    /// True negatives.
    pub tn: f64,
    /// False negatives.
    pub fn_: f64,
}

/// Thresholds that are asked for, where metrics are not told.
pub(super) fn thresholds(parameters: &Parameters, default: &[f64]) -> Vec<f64> {
    if parameters.thresholds.is_empty() { default.to_vec() } else { parameters.thresholds.clone() }
}

/// Runs curves and thresholds over the scores of one sample of one slice.
pub struct Sweep {
    totals: Totals,
    tp: Cumulative,
    fp: Cumulative,
    curves: Vec<Box<dyn Curve>>,
    /// Descending; the first so many were passed.
    thresholds: Vec<f64>,
    confusions: Vec<Confusion>,
}

impl Sweep {
    /// Over curves, and thresholds in any order.
    pub fn new(totals: Totals, curves: Vec<Box<dyn Curve>>, mut thresholds: Vec<f64>) -> Self {
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let (tp, fp) = (Cumulative::default(), Cumulative::default());
        Sweep { totals, tp, fp, curves, thresholds, confusions: Vec::new() }
    }

    /// The next score, with the weight of its labels.
    pub fn step(&mut self, score: f64, positive: f64, negative: f64) {
        self.pass(score);
        self.tp.add(positive);
        self.fp.add(negative);
        let (tp, fp) = self.now();
        let point = Point { score, positive, negative, tp, fp };
        self.curves.iter_mut().for_each(|curve| curve.step(&point));
    }

    /// The results of the curves, and what each threshold tells apart, the highest first.
    pub fn finish(mut self) -> (Vec<Value>, Vec<Confusion>) {
        self.pass(f64::NEG_INFINITY);
        (self.curves.into_iter().map(Curve::finish).collect(), self.confusions)
    }

    /// Passes all thresholds at which a score is not positive.
    fn pass(&mut self, score: f64) {
        while let Some(&threshold) = self.thresholds.get(self.confusions.len())
            && threshold >= score
        {
            let (tp, fp) = self.now();
            let Totals { positive, negative } = self.totals;
            let (tn, fn_) = (negative - fp, positive - tp);
            self.confusions.push(Confusion { threshold, tp, fp, tn, fn_ });
        }
    }

    /// Weights so far: never more than all, whatever was rounded.
    fn now(&self) -> (f64, f64) {
        (self.tp.value().min(self.totals.positive), self.fp.value().min(self.totals.negative))
    }
}

/// A sum with what rounding took, so that the sum of all is the total.
#[derive(Clone, Copy, Debug, Default)]
struct Cumulative {
    sum: f64,
    rest: f64,
}

impl Cumulative {
    fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        let of_x = sum - self.sum;
        self.rest += (self.sum - (sum - of_x)) + (x - of_x);
        self.sum = sum;
    }

    fn value(self) -> f64 {
        self.sum + self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_at_a_threshold_are_not_above_it() {
        let totals = Totals { positive: 2.0, negative: 3.0 };
        let mut sweep = Sweep::new(totals, Vec::new(), vec![0.5, 0.9, -1.0, 0.2, 2.0, 0.5]);
        for (score, positive, negative) in [(0.9, 1.0, 0.0), (0.5, 1.0, 1.0), (0.1, 0.0, 2.0)] {
            sweep.step(score, positive, negative);
        }
        let found: Vec<_> =
            sweep.finish().1.iter().map(|c| (c.threshold, [c.tp, c.fp, c.tn, c.fn_])).collect();
        assert_eq!(
            found,
            [
                (2.0, [0.0, 0.0, 3.0, 2.0]),
                (0.9, [0.0, 0.0, 3.0, 2.0]),
                (0.5, [1.0, 0.0, 3.0, 1.0]),
                (0.2, [2.0, 1.0, 2.0, 0.0]),
                (-1.0, [2.0, 3.0, 0.0, 0.0]),
            ]
        );
    }

    #[test]
    fn sums_of_tenths_are_whole() {
        let mut sum = Cumulative::default();
        (0..1000).for_each(|_| sum.add(0.1));
        assert_eq!(sum.value(), 1000.0 * 0.1);
    }
}
