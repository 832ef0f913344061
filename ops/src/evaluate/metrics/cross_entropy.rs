//! Logarithmic losses.

use crate::evaluate::metric::{Kind, Metric, Task};
use crate::evaluate::sums::{Sums, Term};

/// Keras's `BinaryCrossentropy`.
pub(crate) const BINARY_CROSS_ENTROPY: Metric = Metric {
    name: "BinaryCrossEntropy",
    aliases: &["BinaryCrossentropy", "LogLoss"],
    key: "binary_cross_entropy",
    doc: "Weighted mean of -ln(probability of the label), probabilities kept 1e-7 from 0 and 1.",
    kinds: &[(Task::Binary, Kind::Sums(|sums| sums.mean(Term::CrossEntropy)))],
    parameters: &[],
};

/// Keras's `CategoricalCrossentropy` and `SparseCategoricalCrossentropy`.
pub(crate) const CATEGORICAL_CROSS_ENTROPY: Metric = Metric {
    name: "CategoricalCrossEntropy",
    aliases: &[
        "CategoricalCrossentropy",
        "SparseCategoricalCrossentropy",
        "SparseCategoricalCrossEntropy",
    ],
    key: "categorical_cross_entropy",
    doc: "Weighted mean of -ln(probability of the label), probabilities of a row made to sum to 1.",
    kinds: &[(Task::Multiclass, Kind::Sums(categorical))],
    parameters: &[],
};

fn categorical(sums: &Sums) -> f64 {
    if sums.has_probabilities { sums.mean(Term::CrossEntropy) } else { f64::NAN }
}
