//! Mean label against mean prediction, bucket by bucket of predictions.

use crate::evaluate::metric::{Kind, Metric, Parameters, Table, Task, Value};
use crate::evaluate::sweep::{Curve, Point, Totals};

/// TFMA's `CalibrationPlot`.
pub(crate) const CALIBRATION_PLOT: Metric = Metric {
    name: "CalibrationPlot",
    aliases: &[],
    key: "calibration_plot",
    doc: "Mean label and mean prediction in buckets of predictions of equal width from 0 to 1.",
    kinds: &[(Task::Binary, Kind::Plot(plot))],
    parameters: &["num_buckets"],
};

/// Buckets, unless the metric is told.
const BUCKETS: u32 = 10;

fn plot(parameters: &Parameters, _: Totals) -> Box<dyn Curve> {
    let n = parameters.num_buckets.unwrap_or(BUCKETS).max(1);
    Box::new(Plot { buckets: vec![Bucket::default(); n as usize] })
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    positive: f64,
    weight: f64,
    predicted: f64,
}

struct Plot {
    buckets: Vec<Bucket>,
}

impl Curve for Plot {
    fn step(&mut self, point: &Point) {
        let n = self.buckets.len();
        // What lies outside of 0 to 1 belongs to the first and last.
        let place = (point.score.clamp(0.0, 1.0) * n as f64) as usize;
        let bucket = &mut self.buckets[place.min(n - 1)];
        let weight = point.positive + point.negative;
        bucket.positive += point.positive;
        bucket.weight += weight;
        bucket.predicted += weight * point.score;
    }

    fn finish(self: Box<Self>) -> Value {
        let mut table = Table::new(&["lower", "upper", "weight", "mean_prediction", "mean_label"]);
        let n = self.buckets.len() as f64;
        for (i, bucket) in self.buckets.iter().enumerate() {
            let Bucket { positive, weight, predicted } = *bucket;
            let (lower, upper) = (i as f64 / n, (i + 1) as f64 / n);
            table.push([lower, upper, weight, predicted / weight, positive / weight]);
        }
        Value::Table(table)
    }
}
