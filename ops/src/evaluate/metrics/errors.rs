//! Means of errors.

use crate::evaluate::metric::{Kind, Metric, Task};
use crate::evaluate::sums::Term;

/// Keras's `MeanSquaredError`.
pub(crate) const MEAN_SQUARED_ERROR: Metric = Metric {
    name: "MeanSquaredError",
    aliases: &["MSE"],
    key: "mean_squared_error",
    doc: "Weighted mean of (prediction - label)²; of a binary task the Brier score.",
    kinds: &[
        (Task::Binary, Kind::Sums(|sums| sums.mean(Term::SquaredError))),
        (Task::Regression, Kind::Sums(|sums| sums.mean(Term::SquaredError))),
    ],
    parameters: &[],
};

/// Keras's `RootMeanSquaredError`.
pub(crate) const ROOT_MEAN_SQUARED_ERROR: Metric = Metric {
    name: "RootMeanSquaredError",
    aliases: &["RMSE"],
    key: "root_mean_squared_error",
    doc: "Square root of the mean squared error.",
    kinds: &[(Task::Regression, Kind::Sums(|sums| sums.mean(Term::SquaredError).sqrt()))],
    parameters: &[],
};

/// Keras's `MeanAbsoluteError`.
pub(crate) const MEAN_ABSOLUTE_ERROR: Metric = Metric {
    name: "MeanAbsoluteError",
    aliases: &["MAE"],
    key: "mean_absolute_error",
    doc: "Weighted mean of |prediction - label|.",
    kinds: &[
        (Task::Binary, Kind::Sums(|sums| sums.mean(Term::AbsoluteError))),
        (Task::Regression, Kind::Sums(|sums| sums.mean(Term::AbsoluteError))),
    ],
    parameters: &[],
};

/// Keras's `MeanAbsolutePercentageError`.
pub(crate) const MEAN_ABSOLUTE_PERCENTAGE_ERROR: Metric = Metric {
    name: "MeanAbsolutePercentageError",
    aliases: &["MAPE"],
    key: "mean_absolute_percentage_error",
    doc: "100 times the weighted mean of |prediction - label| / |label|, labels at least 1e-7.",
    kinds: &[(Task::Regression, Kind::Sums(|sums| 100.0 * sums.mean(Term::RelativeError)))],
    parameters: &[],
};
