//! `Metric`: a row of the table of metrics, and what it is computed from.

use engine::{Error, Result};
use serde::{Deserialize, Serialize};

use super::classes::ClassMatrix;
use super::sums::Sums;
use super::sweep::{Confusion, Curve, Totals};

/// What is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Labels from 0 to 1, and a score for 1.
    #[default]
    Binary,
    /// One of several classes: the class, or a probability for each.
    Multiclass,
    /// A number.
    Regression,
}

impl Task {
    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Task::Binary => "binary",
            Task::Multiclass => "multiclass",
            Task::Regression => "regression",
        }
    }
}

/// A metric: one row of [`super::METRICS`].
#[derive(Debug)]
pub struct Metric {
    /// TFMA's `class_name`.
    pub name: &'static str,
    /// Other names that configurations may call it by.
    pub aliases: &'static [&'static str],
    /// What it is called in results.
    pub key: &'static str,
    /// One line: what it computes.
    pub doc: &'static str,
    /// For each task that it applies to, what it is computed from.
    pub kinds: &'static [(Task, Kind)],
    /// Names of the parameters that it takes.
    pub parameters: &'static [&'static str],
}

/// What a metric is computed from.
#[derive(Debug)]
pub enum Kind {
    /// A number of rows: defined also where a prediction is not.
    Count(fn(&Sums) -> f64),
    /// Exact sums over rows.
    Sums(fn(&Sums) -> f64),
    /// What a threshold tells apart: a number, or one for each threshold.
    Confusion(fn(&Confusion) -> f64),
    /// What all thresholds tell apart.
    Confusions(fn(&[Confusion]) -> Table),
    /// All distinct scores, from the highest down.
    Curve(fn(&Parameters, Totals) -> Box<dyn Curve>),
    /// As `Curve`, for a picture: of all rows, not of slices, unless asked for.
    Plot(fn(&Parameters, Totals) -> Box<dyn Curve>),
    /// How often each class is taken for each.
    Classes(fn(&ClassMatrix, &Parameters) -> Value),
}

impl Metric {
    /// What it is computed from in a task, if it applies there.
    pub fn kind(&self, task: Task) -> Option<&'static Kind> {
        self.kinds.iter().find(|(of, _)| *of == task).map(|(_, kind)| kind)
    }

    /// True where it takes the parameter.
    pub fn takes(&self, parameter: &str) -> bool {
        self.parameters.contains(&parameter)
    }
}

/// How numbers of several classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Average {
    /// The mean over classes.
    Macro,
    /// Of all rows together, whatever their class.
    Micro,
    /// The mean over classes, each by the weight of its rows.
    Weighted,
}

/// What a metric is told beside the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Scores above a threshold are positive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f64>,
    /// Number of buckets of a plot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_buckets: Option<u32>,
    /// The sensitivity, specificity, precision or recall to be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// How classes are averaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Average>,
    /// The one class that is told from all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

/// A metric with its parameters: what is computed, once for each slice.
#[derive(Clone, Debug)]
pub struct MetricSpec {
    /// The row of the table.
    pub metric: &'static Metric,
    /// What it is called in results; no two of an evaluation are called alike.
    pub key: String,
    /// What it is told.
    pub parameters: Parameters,
    /// Plots: also for slices.
    pub is_asked_for: bool,
}

impl MetricSpec {
    /// What it is computed from.
    ///
    /// # Errors
    /// When it does not apply to the task.
    pub fn kind(&self, task: Task) -> Result<&'static Kind> {
        self.metric.kind(task).ok_or_else(|| {
            let tasks: Vec<_> = self.metric.kinds.iter().map(|(task, _)| task.name()).collect();
            Error::invalid(format!("`{}` is no metric of a {} task", self.metric.name, task.name()))
                .with_hint(format!("It applies to: {}.", tasks.join(", ")))
        })
    }
}

/// The result of a metric in a slice.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; NaN where it is not defined.
    Number(f64),
    /// A table.
    Table(Table),
}

/// Rows of cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// As many cells in each row as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[&str]) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        Table { columns, rows: Vec::new() }
    }

    /// Appends a row of numbers.
    pub fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        self.rows.push(row.into_iter().map(Cell::Number).collect());
    }
}

/// A number or a name in a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number; NaN where it is not defined.
    Number(f64),
    /// A class.
    Text(String),
}
