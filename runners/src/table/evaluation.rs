//! An evaluation for people: all numbers of all rows, the telling ones of slices, and the verdict.

use std::fmt::Write as _;

use ops::evaluate::{Evaluation, Interval, Measured, Outcome, Task, Validation, slice_name};

use super::TableOptions;
use super::format::{Paint, Style, count, fit, number, printable, width};

/// Most numbers of a slice that are shown, and the most columns of its name.
const MOST: usize = 7;
const NAME: usize = 40;

/// The evaluation as text, lines ended by line feeds; `baseline` is shown beside it.
pub fn render_evaluation(
    evaluation: &Evaluation,
    baseline: Option<&Evaluation>,
    options: &TableOptions,
) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    let Some(overall) = evaluation.slices.first() else { return out };
    let n = count(overall.n_examples);
    let _ = writeln!(out, "{} · {n} examples", paint.bold(evaluation.task.name()));
    if evaluation.n_unlabelled > 0 {
        let n = count(evaluation.n_unlabelled);
        let _ = writeln!(
            out,
            "{}",
            paint.style(Style::Odd, &format!("{n} without a label were passed over"))
        );
    }
    if overall.n_undefined > 0 {
        let line = format!(
            "{} without a prediction, or NaN: no metric is defined",
            count(overall.n_undefined)
        );
        let _ = writeln!(out, "{}", paint.style(Style::Odd, &line));
    }
    out.push('\n');
    let of_baseline = baseline.and_then(|baseline| baseline.slice(&overall.slice));
    let has_intervals = overall.metrics.iter().any(|(_, measured)| measured.interval.is_some());
    let mut rows = vec![vec!["metric".to_owned(), "value".to_owned()]];
    if has_intervals {
        rows[0].push("interval".to_owned());
    }
    if of_baseline.is_some() {
        rows[0].extend(["baseline".to_owned(), "change".to_owned()]);
    }
    for (key, measured) in &overall.metrics {
        let mut row = vec![printable(key), metric_text(measured)];
        if has_intervals {
            row.push(measured.interval.map(interval_text).unwrap_or_default());
        }
        if let Some(slice) = of_baseline {
            let other = slice.number(key);
            row.push(other.map(metric_text).unwrap_or_default());
            row.push(other.map_or_else(String::new, |other| signed(measured.value - other.value)));
        }
        rows.push(row);
    }
    align(&rows, paint, &mut out);
    if evaluation.slices.len() > 1 {
        out.push('\n');
        slices(evaluation, paint, &mut out);
    }
    out
}

/// The telling numbers of each task, the most telling first.
fn headlines(task: Task) -> &'static [&'static str] {
    match task {
        Task::Binary => &[
            "auc",
            "auc_precision_recall",
            "binary_accuracy",
            "precision",
            "recall",
            "binary_cross_entropy",
            "calibration",
        ],
        Task::Multiclass => {
            &["accuracy", "balanced_accuracy", "f1_score_macro", "categorical_cross_entropy"]
        }
        Task::Regression => {
            &["root_mean_squared_error", "mean_absolute_error", "r2_score", "calibration"]
        }
    }
}

/// Keys of the metrics that are shown of slices: telling ones, or whatever there is where those are few.
pub(crate) fn telling(evaluation: &Evaluation) -> Vec<&str> {
    let Some(overall) = evaluation.slices.first() else { return Vec::new() };
    let has = |key: &&str| overall.number(key).is_some();
    let mut keys: Vec<&str> = headlines(evaluation.task).iter().copied().filter(has).collect();
    let counts = ["example_count", "weighted_example_count"];
    let others = overall.metrics.iter().map(|(name, _)| name.as_str());
    let others: Vec<&str> =
        others.filter(|name| !keys.contains(name) && !counts.contains(name)).collect();
    let room = if keys.len() < 3 { MOST - keys.len() } else { 0 };
    keys.extend(others.into_iter().take(room));
    keys
}

fn slices(evaluation: &Evaluation, paint: Paint, out: &mut String) {
    let keys = telling(evaluation);
    let mut rows = vec![vec!["slice".to_owned(), "examples".to_owned()]];
    rows[0].extend(keys.iter().map(|key| printable(key)));
    for slice in &evaluation.slices {
        let name = fit(&printable(&slice_name(&slice.slice)), NAME);
        let mut row = vec![name, count(slice.n_examples)];
        for key in &keys {
            row.push(slice.number(key).map_or_else(|| "too few".to_owned(), metric_text));
        }
        rows.push(row);
    }
    align(&rows, paint, out);
}

/// A number as people read it.
pub(crate) fn metric_text(measured: &Measured) -> String {
    if measured.value.is_nan() {
        return "undefined".to_owned();
    }
    if measured.value.fract() == 0.0 {
        return number(measured.value);
    }
    if (1e-3..10.0).contains(&measured.value.abs()) {
        return format!("{:.4}", measured.value);
    }
    number(measured.value)
}

fn interval_text(interval: Interval) -> String {
    let text = |value| metric_text(&Measured { value, interval: None, replicates: Vec::new() });
    format!("{} … {}", text(interval.lower), text(interval.upper))
}

/// A change with its sign.
pub(crate) fn signed(change: f64) -> String {
    if change.is_nan() {
        return "undefined".to_owned();
    }
    let text = metric_text(&Measured { value: change, interval: None, replicates: Vec::new() });
    if change > 0.0 { format!("+{text}") } else { text }
}

/// Columns side by side, the first flush left; the first row is the header.
fn align(rows: &[Vec<String>], paint: Paint, out: &mut String) {
    let n = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|text| width(text)).max();
    let widths: Vec<usize> = (0..n).map(|i| widest(i).unwrap_or(0)).collect();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (i, text) in row.iter().enumerate() {
            let pad = " ".repeat(widths[i] - width(text));
            if i == 0 {
                line.push_str(text);
                line.push_str(&pad);
            } else {
                line.push_str("  ");
                line.push_str(&pad);
                line.push_str(text);
            }
        }
        let line = line.trim_end();
        let _ = writeln!(out, "{}", if number == 0 { paint.dim(line) } else { line.to_owned() });
    }
}

/// The verdict as text: every threshold that is not reached, then whether the model is blessed.
pub fn render_validation(validation: &Validation, options: &TableOptions) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    for check in validation.failures() {
        let word = match check.outcome {
            Outcome::NotSignificant => "not significant",
            Outcome::Undefined => "undefined",
            Outcome::Failed | Outcome::Passed => "failed",
        };
        let _ = writeln!(out, "{}: {}", paint.style(Style::Odd, word), printable(&check.message));
    }
    for slice in &validation.missing_slices {
        let _ = writeln!(
            out,
            "{}: no row is in slice {}",
            paint.style(Style::Odd, "missing"),
            printable(slice)
        );
    }
    for metric in &validation.missing_metrics {
        let _ = writeln!(
            out,
            "{}: `{}` is no number that was measured",
            paint.style(Style::Odd, "missing"),
            printable(metric)
        );
    }
    let n = validation.checks.len();
    let passed = n - validation.failures().count();
    let stamp =
        if validation.rubber_stamp { ", without a baseline: changes were not checked" } else { "" };
    let _ = match validation.blessed {
        None => writeln!(out, "no thresholds: neither blessed nor not"),
        Some(true) => {
            writeln!(out, "{}: {passed} of {n} thresholds reached{stamp}", paint.bold("BLESSED"))
        }
        Some(false) => writeln!(
            out,
            "{}: {passed} of {n} thresholds reached{stamp}",
            paint.bold("NOT_BLESSED")
        ),
    };
    out
}
