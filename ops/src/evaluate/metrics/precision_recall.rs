//! The area under the precision-recall curve, two ways.

use crate::evaluate::metric::{Kind, Metric, Task, Value};
use crate::evaluate::sweep::{Curve, Point, Totals};

/// TFMA's `AUCPrecisionRecall`, Keras's `AUC(curve="PR")`.
///
/// Between two scores true positives grow evenly with what is predicted positive, and precision
/// follows (Davis and Goadrich, doi:10.1145/1143844.1143874).
pub(crate) const AUC_PRECISION_RECALL: Metric = Metric {
    name: "AUCPrecisionRecall",
    aliases: &["AUCPR", "PRAUC"],
    key: "auc_precision_recall",
    doc: "Area under the precision-recall curve, interpolated as Keras does, at every score.",
    kinds: &[(
        Task::Binary,
        Kind::Curve(|_, totals| Box::new(Interpolated { totals, ..Interpolated::default() })),
    )],
    parameters: &[],
};

/// scikit-learn's `average_precision_score`.
pub(crate) const AVERAGE_PRECISION: Metric = Metric {
    name: "AveragePrecision",
    aliases: &[],
    key: "average_precision",
    doc: "Mean of the precisions at every score, each by how much recall it adds: no interpolation.",
    kinds: &[(Task::Binary, Kind::Curve(|_, totals| Box::new(Steps { totals, area: 0.0 })))],
    parameters: &[],
};

#[derive(Default)]
struct Interpolated {
    totals: Totals,
    area: f64,
    /// True positives, and all that is predicted positive, at the score before.
    before: (f64, f64),
}

impl Curve for Interpolated {
    fn step(&mut self, point: &Point) {
        let (tp, all) = self.before;
        let now = (point.tp, point.tp + point.fp);
        self.before = now;
        let more = now.1 - all;
        if more <= 0.0 {
            return;
        }
        let slope = (now.0 - tp) / more;
        let intercept = tp - slope * all;
        let logarithm = if all > 0.0 { (now.1 / all).ln() } else { 0.0 };
        self.area += slope * ((now.0 - tp) + intercept * logarithm);
    }

    fn finish(self: Box<Self>) -> Value {
        Value::Number(self.area / self.totals.positive)
    }
}

struct Steps {
    totals: Totals,
    area: f64,
}

impl Curve for Steps {
    fn step(&mut self, point: &Point) {
        if point.positive > 0.0 {
            self.area += point.positive * (point.tp / (point.tp + point.fp));
        }
    }

    fn finish(self: Box<Self>) -> Value {
        Value::Number(self.area / self.totals.positive)
    }
}
