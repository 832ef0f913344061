//! `EvaluateOptions`: what is evaluated, and how.

use serde::{Deserialize, Serialize};

use super::METRICS;
use super::metric::{Average, Kind, MetricSpec, Parameters, Task};
use super::replicate::Replicates;
use crate::stats::SliceSpec;

/// What is evaluated, and how.
#[derive(Clone, Debug)]
pub struct EvaluateOptions {
    /// What is predicted.
    pub task: Task,
    /// Name of the column of labels.
    pub label: String,
    /// Names of the columns of predictions: the candidate's, then the baseline's if there is one.
    pub predictions: Vec<String>,
    /// Name of the column of weights.
    pub weight: Option<String>,
    /// The label that is 1 in a binary task whose labels are names.
    pub positive_label: Option<String>,
    /// Names of the classes in the order of their probabilities; places from 0 otherwise.
    pub classes: Vec<String>,
    /// Which slices beside all rows.
    pub slices: Vec<SliceSpec>,
    /// Slices of fewer rows have no metrics.
    pub min_slice_size: u64,
    /// What is computed.
    pub metrics: Vec<MetricSpec>,
    /// How rows are resampled for intervals.
    pub intervals: Intervals,
}

/// Whether and how intervals are computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// How rows are resampled.
    pub replicates: Replicates,
    /// The share of intervals that hold the truth.
    pub confidence: f64,
}

impl Default for Intervals {
    fn default() -> Self {
        Intervals { replicates: Replicates::default(), confidence: 0.95 }
    }
}

/// Every metric that applies to a task, as it is without being told anything.
pub fn default_metrics(task: Task) -> Vec<MetricSpec> {
    let mut specs = Vec::new();
    for metric in METRICS {
        let Some(kind) = metric.kind(task) else { continue };
        let spec =
            |key: String, parameters| MetricSpec { metric, key, parameters, is_asked_for: false };
        if matches!(kind, Kind::Classes(_)) && metric.takes("average") {
            for average in [Average::Macro, Average::Micro, Average::Weighted] {
                let parameters = Parameters { average: Some(average), ..Parameters::default() };
                specs.push(spec(averaged(metric.key, average), parameters));
            }
        } else {
            specs.push(spec(metric.key.to_owned(), Parameters::default()));
        }
    }
    specs
}

/// The key of a metric that is averaged over classes.
pub(super) fn averaged(key: &str, average: Average) -> String {
    match average {
        Average::Macro => format!("{key}_macro"),
        Average::Micro => format!("{key}_micro"),
        Average::Weighted => format!("{key}_weighted"),
    }
}
