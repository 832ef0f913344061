//! Means of labels and predictions, and how far they are from each other.

use crate::evaluate::metric::{Kind, Metric, Task};
use crate::evaluate::sums::{Sums, Term};

/// TFMA's `MeanLabel`.
pub(crate) const MEAN_LABEL: Metric = Metric {
    name: "MeanLabel",
    aliases: &[],
    key: "mean_label",
    doc: "Weighted mean of the labels.",
    kinds: &[
        (Task::Binary, Kind::Sums(|sums| sums.mean(Term::Label))),
        (Task::Regression, Kind::Sums(|sums| sums.mean(Term::Label))),
    ],
    parameters: &[],
};

/// TFMA's `MeanPrediction`.
pub(crate) const MEAN_PREDICTION: Metric = Metric {
    name: "MeanPrediction",
    aliases: &[],
    key: "mean_prediction",
    doc: "Weighted mean of the predictions.",
    kinds: &[
        (Task::Binary, Kind::Sums(|sums| sums.mean(Term::Prediction))),
        (Task::Regression, Kind::Sums(|sums| sums.mean(Term::Prediction))),
    ],
    parameters: &[],
};

/// TFMA's `Calibration`.
pub(crate) const CALIBRATION: Metric = Metric {
    name: "Calibration",
    aliases: &[],
    key: "calibration",
    doc: "Mean prediction over mean label: 1 is right, more is too high.",
    kinds: &[(Task::Binary, Kind::Sums(calibration)), (Task::Regression, Kind::Sums(calibration))],
    parameters: &[],
};

fn calibration(sums: &Sums) -> f64 {
    let label = sums.get(Term::Label);
    // Not infinite, as TFMA has it: without labels nothing can be said.
    if label == 0.0 { f64::NAN } else { sums.get(Term::Prediction) / label }
}
