//! How much of the labels' variance predictions explain.
//!
//! Moments come from exact sums, each as two floats, so that what they have in common is subtracted
//! without loss: a mean that is large beside the deviation costs no digits.

use crate::evaluate::metric::{Kind, Metric, Task};
use crate::evaluate::sums::{Sums, Term};

/// Keras's `R2Score`.
pub(crate) const R2_SCORE: Metric = Metric {
    name: "R2Score",
    aliases: &["R2", "CoefficientOfDetermination"],
    key: "r2_score",
    doc: "1 - squared errors over the labels' squared deviations from their mean.",
    kinds: &[(Task::Regression, Kind::Sums(r2))],
    parameters: &[],
};

/// TFMA's `SquaredPearsonCorrelation`.
pub(crate) const SQUARED_PEARSON_CORRELATION: Metric = Metric {
    name: "SquaredPearsonCorrelation",
    aliases: &[],
    key: "squared_pearson_correlation",
    doc: "Square of the weighted correlation of labels and predictions.",
    kinds: &[(Task::Regression, Kind::Sums(squared_pearson))],
    parameters: &[],
};

fn r2(sums: &Sums) -> f64 {
    let deviations = difference(sums, Term::LabelSquared, Term::Label, Term::Label);
    let errors = sums.get(Term::SquaredError) * sums.get(Term::Weight);
    if deviations > 0.0 { 1.0 - errors / deviations } else { f64::NAN }
}

fn squared_pearson(sums: &Sums) -> f64 {
    let labels = difference(sums, Term::LabelSquared, Term::Label, Term::Label);
    let predictions = difference(sums, Term::PredictionSquared, Term::Prediction, Term::Prediction);
    let both = difference(sums, Term::Product, Term::Label, Term::Prediction);
    if labels > 0.0 && predictions > 0.0 {
        (both / labels) * (both / predictions)
    } else {
        f64::NAN
    }
}

/// `W Σwab - Σwa Σwb`: the weight squared times a variance or covariance.
fn difference(sums: &Sums, product: Term, a: Term, b: Term) -> f64 {
    let left = multiply(sums.get_exactly(Term::Weight), sums.get_exactly(product));
    let right = multiply(sums.get_exactly(a), sums.get_exactly(b));
    (left.0 - right.0) + (left.1 - right.1)
}

/// The product of two numbers of two floats each.
fn multiply(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let high = a.0 * b.0;
    let low = a.0.mul_add(b.0, -high) + (a.0 * b.1 + a.1 * b.0);
    (high, low)
}
