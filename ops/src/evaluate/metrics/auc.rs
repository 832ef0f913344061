//! The area under the ROC curve, and the curve itself.
//!
//! Exact by ranks (Mann and Whitney, doi:10.1214/aoms/1177730491): the share of pairs of a positive
//! and a negative example in which the positive one has the higher score; equal scores count half.

use crate::evaluate::metric::{Kind, Metric, Parameters, Table, Task, Value};
use crate::evaluate::sweep::{Curve, Point, Totals};

/// TFMA's and Keras's `AUC`.
pub(crate) const AUC: Metric = Metric {
    name: "AUC",
    aliases: &["ROCAUC"],
    key: "auc",
    doc: "Area under the ROC curve, exact: no buckets of thresholds; ties count half.",
    kinds: &[(Task::Binary, Kind::Curve(|_, totals| Box::new(Area { totals, area: 0.0 })))],
    parameters: &[],
};

/// TFMA's `ConfusionMatrixPlot`: the points of the ROC and of the precision-recall curve.
pub(crate) const CONFUSION_MATRIX_PLOT: Metric = Metric {
    name: "ConfusionMatrixPlot",
    aliases: &["ROCCurve", "PrecisionRecallCurve"],
    key: "confusion_matrix_plot",
    doc: "Points of the ROC and precision-recall curves, one for each step of either rate.",
    kinds: &[(Task::Binary, Kind::Plot(plot))],
    parameters: &["num_buckets"],
};

struct Area {
    totals: Totals,
    area: f64,
}

impl Curve for Area {
    fn step(&mut self, point: &Point) {
        // Every negative here is below all positives with higher scores, and ties with those here.
        self.area += point.negative * (point.tp - point.positive / 2.0);
    }

    fn finish(self: Box<Self>) -> Value {
        Value::Number(self.area / (self.totals.positive * self.totals.negative))
    }
}

/// Steps of each rate, unless the metric is told.
const STEPS: u32 = 100;

fn plot(parameters: &Parameters, totals: Totals) -> Box<dyn Curve> {
    let columns =
        ["threshold", "true_positives", "false_positives", "true_negatives", "false_negatives"];
    let mut table = Table::new(&columns);
    // Nothing is above the highest score there could be.
    table.push([f64::INFINITY, 0.0, 0.0, totals.negative, totals.positive]);
    let steps = f64::from(parameters.num_buckets.unwrap_or(STEPS));
    Box::new(Plot { totals, steps, last: [0.0; 2], pending: None, table })
}

struct Plot {
    totals: Totals,
    steps: f64,
    /// Steps of both rates that the last point has reached.
    last: [f64; 2],
    pending: Option<[f64; 5]>,
    table: Table,
}

impl Curve for Plot {
    fn step(&mut self, point: &Point) {
        let Totals { positive, negative } = self.totals;
        let (tp, fp) = (point.tp, point.fp);
        // Scores at the threshold are above all thresholds just below it.
        let row = [point.score, tp, fp, negative - fp, positive - tp];
        let reached = [tp / positive, fp / negative].map(|rate| (rate * self.steps).floor());
        if reached == self.last {
            self.pending = Some(row);
        } else {
            self.last = reached;
            self.pending = None;
            self.table.push(row);
        }
    }

    fn finish(mut self: Box<Self>) -> Value {
        if let Some(row) = self.pending.take() {
            self.table.push(row);
        }
        Value::Table(self.table)
    }
}
