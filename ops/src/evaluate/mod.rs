//! Evaluation of models: metrics over labels and predictions, for every slice in one scan, as TFMA
//! names them; thresholds on them; and the blessing.
//!
//! ```text
//!  Batch ──► ReadPredictions ──► Predictions ──► combine_globally: exact sums of every slice
//!                 a model's ───────►   │
//!                                      └──► sort_per_key: weights of labels at every distinct score
//!                                                          (or of every pair of classes), descending
//!            METRICS: functions of sums, of thresholds, of the sweep over scores, of the matrix
//!                                      │
//!                                      ▼
//!            Evaluation: value and interval ──► Thresholds ──► Validation: blessed, or why not
//! ```
//!
//! **Invariant:** sums and tallies are exact, and scores are swept in their own order: the bytes of
//! an evaluation do not depend on batches, workers or the order of shards.

mod classes;
mod config;
mod evaluation;
mod json;
#[cfg(test)]
mod laws;
mod metric;
mod metrics;
mod options;
mod predictions;
mod replicate;
mod slices;
mod sums;
mod sweep;
mod tallies;
mod text;
mod threshold;
mod validation;

pub use classes::{ClassMatrix, OfClass};
pub use config::{Config, ModelSpec, load_config};
pub use evaluation::{Evaluation, Measured, Measurements, SliceResult, evaluation};
pub use metric::{Average, Cell, Kind, Metric, MetricSpec, Parameters, Table, Task, Value};
pub use options::{EvaluateOptions, Intervals, default_metrics};
pub use predictions::{Answers, ClassAnswers, NO_CLASS, Predictions, ReadPredictions};
pub use replicate::{Interval, Method, Replicates};
pub use slices::{slice_name, slice_of_specs};
pub use sums::{AllSums, Sums, SumsAcc, SumsFn, SumsOfSlice, Term};
pub use sweep::{Confusion, Curve, Point, Sweep, Totals};
pub use tallies::{Tallies, Tally};
pub use threshold::{Change, Direction, Threshold, ThresholdSpec, ValueBounds};
pub use validation::{Check, Outcome, Validation, validate};

use metrics::{
    auc, calibration_plot, classes as of_classes, confusion, correlation, counts, cross_entropy,
    errors, means, operating_point, precision_recall,
};

/// Every metric, in the order of reports.
pub static METRICS: &[Metric] = &[
    counts::EXAMPLE_COUNT,
    counts::WEIGHTED_EXAMPLE_COUNT,
    auc::AUC,
    precision_recall::AUC_PRECISION_RECALL,
    precision_recall::AVERAGE_PRECISION,
    confusion::BINARY_ACCURACY,
    of_classes::ACCURACY,
    confusion::PRECISION,
    confusion::RECALL,
    confusion::SPECIFICITY,
    confusion::F1_SCORE,
    confusion::BALANCED_ACCURACY,
    confusion::MATTHEWS_CORRELATION_COEFFICIENT,
    cross_entropy::BINARY_CROSS_ENTROPY,
    cross_entropy::CATEGORICAL_CROSS_ENTROPY,
    errors::MEAN_SQUARED_ERROR,
    errors::ROOT_MEAN_SQUARED_ERROR,
    errors::MEAN_ABSOLUTE_ERROR,
    errors::MEAN_ABSOLUTE_PERCENTAGE_ERROR,
    correlation::R2_SCORE,
    correlation::SQUARED_PEARSON_CORRELATION,
    means::MEAN_LABEL,
    means::MEAN_PREDICTION,
    means::CALIBRATION,
    operating_point::SPECIFICITY_AT_SENSITIVITY,
    operating_point::SENSITIVITY_AT_SPECIFICITY,
    operating_point::RECALL_AT_PRECISION,
    operating_point::PRECISION_AT_RECALL,
    confusion::CONFUSION_MATRIX_AT_THRESHOLDS,
    auc::CONFUSION_MATRIX_PLOT,
    calibration_plot::CALIBRATION_PLOT,
    of_classes::PER_CLASS,
    of_classes::MULTI_CLASS_CONFUSION_MATRIX,
];
