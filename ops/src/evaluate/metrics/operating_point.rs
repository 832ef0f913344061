//! One rate, at the best threshold at which another is reached.

use crate::evaluate::metric::{Kind, Metric, Parameters, Task, Value};
use crate::evaluate::sweep::{Curve, Point, Totals};

/// Keras's `SpecificityAtSensitivity`.
pub(crate) const SPECIFICITY_AT_SENSITIVITY: Metric = Metric {
    name: "SpecificityAtSensitivity",
    aliases: &[],
    key: "specificity_at_sensitivity",
    doc: "Highest specificity of all thresholds with a sensitivity of at least `sensitivity` (0.9).",
    kinds: &[(Task::Binary, Kind::Curve(|p, totals| best(p, totals, sensitivity, specificity)))],
    parameters: &["sensitivity"],
};

/// Keras's `SensitivityAtSpecificity`.
pub(crate) const SENSITIVITY_AT_SPECIFICITY: Metric = Metric {
    name: "SensitivityAtSpecificity",
    aliases: &[],
    key: "sensitivity_at_specificity",
    doc: "Highest sensitivity of all thresholds with a specificity of at least `specificity` (0.9).",
    kinds: &[(Task::Binary, Kind::Curve(|p, totals| best(p, totals, specificity, sensitivity)))],
    parameters: &["specificity"],
};

/// Keras's `RecallAtPrecision`.
pub(crate) const RECALL_AT_PRECISION: Metric = Metric {
    name: "RecallAtPrecision",
    aliases: &[],
    key: "recall_at_precision",
    doc: "Highest recall of all thresholds with a precision of at least `precision` (0.9); else 0.",
    kinds: &[(Task::Binary, Kind::Curve(|p, totals| best(p, totals, precision, sensitivity)))],
    parameters: &["precision"],
};

/// Keras's `PrecisionAtRecall`.
pub(crate) const PRECISION_AT_RECALL: Metric = Metric {
    name: "PrecisionAtRecall",
    aliases: &[],
    key: "precision_at_recall",
    doc: "Highest precision of all thresholds with a recall of at least `recall` (0.9).",
    kinds: &[(Task::Binary, Kind::Curve(|p, totals| best(p, totals, sensitivity, precision)))],
    parameters: &["recall"],
};

/// What is reached, unless a metric is told.
const AT: f64 = 0.9;

/// A rate at the threshold just below a score: true and false positives, and all labels.
type Rate = fn(f64, f64, Totals) -> f64;

fn sensitivity(tp: f64, _: f64, totals: Totals) -> f64 {
    tp / totals.positive
}

fn specificity(_: f64, fp: f64, totals: Totals) -> f64 {
    (totals.negative - fp) / totals.negative
}

fn precision(tp: f64, fp: f64, _: Totals) -> f64 {
    tp / (tp + fp)
}

fn best(parameters: &Parameters, totals: Totals, reached: Rate, wanted: Rate) -> Box<dyn Curve> {
    let at = parameters.at.unwrap_or(AT);
    let mut best = Box::new(Best { totals, at, reached, wanted, best: None });
    best.look(0.0, 0.0);
    best
}

struct Best {
    totals: Totals,
    at: f64,
    reached: Rate,
    wanted: Rate,
    best: Option<f64>,
}

impl Best {
    fn look(&mut self, tp: f64, fp: f64) {
        let reached = (self.reached)(tp, fp, self.totals);
        if reached.is_nan() || reached < self.at {
            return;
        }
        let found = (self.wanted)(tp, fp, self.totals);
        if self.best.is_none_or(|best| found > best || best.is_nan()) {
            self.best = Some(found);
        }
    }
}

impl Curve for Best {
    fn step(&mut self, point: &Point) {
        self.look(point.tp, point.fp);
    }

    fn finish(self: Box<Self>) -> Value {
        let Totals { positive, negative } = self.totals;
        // Of one class alone nothing can be said of the other.
        let number =
            if positive == 0.0 || negative == 0.0 { f64::NAN } else { self.best.unwrap_or(0.0) };
        Value::Number(number)
    }
}
