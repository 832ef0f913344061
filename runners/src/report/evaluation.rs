//! An evaluation as a page: the verdict, all metrics, curves as SVG, and every slice.

use std::fmt::Write as _;

use ops::evaluate::{Cell, Evaluation, Measured, SliceResult, Table, Validation, slice_name};

use super::html::{clip, escape};
use super::page::fill;
use crate::table::evaluation::{metric_text, signed, telling};
use crate::table::format::count;

/// Most slices that have a row.
const MOST_SLICES: usize = 2_000;
/// Most classes of a confusion matrix that is drawn.
const MOST_CLASSES: usize = 60;
/// Width and height of a drawing, in its own units.
const SIDE: f64 = 100.0;

/// The evaluation as an HTML page that needs no network; the same numbers give the same bytes.
pub fn render_evaluation_page(
    evaluation: &Evaluation,
    baseline: Option<&Evaluation>,
    validation: &Validation,
) -> String {
    let mut body = String::new();
    let title = format!("Evaluation of {}", evaluation.prediction);
    let (class, words) = match validation.blessed {
        Some(true) => ("passed", "✔ Blessed"),
        Some(false) => ("failed", "✖ Not blessed"),
        None => ("", "○ No thresholds"),
    };
    let _ = write!(
        body,
        "<header><div class=top><h1>{}</h1><span class=\"verdict {class}\">{words}</span>\
         <button id=theme hidden></button></div>",
        clip(&title, 120)
    );
    let overall = evaluation.slices.first();
    let n = overall.map_or(0, |slice| slice.n_examples);
    let _ = write!(
        body,
        "<p class=meta>{} task · label {} · {} examples · {} slices",
        evaluation.task.name(),
        clip(&evaluation.label, 60),
        count(n),
        evaluation.slices.len().saturating_sub(1)
    );
    if evaluation.n_unlabelled > 0 {
        let _ = write!(body, " · {} without a label", count(evaluation.n_unlabelled));
    }
    body.push_str("</p></header><main>");
    verdict(&mut body, validation);
    if let Some(overall) = overall {
        let other = baseline.and_then(|baseline| baseline.slice(&overall.slice));
        if overall.n_undefined > 0 {
            let n = count(overall.n_undefined);
            let _ = write!(
                body,
                "<p class=bad>{n} examples have no prediction: no metric is defined.</p>"
            );
        }
        metrics(&mut body, overall, other);
        curves(&mut body, overall, other);
        classes(&mut body, overall);
    }
    slices(&mut body, evaluation, baseline);
    body.push_str("</main>");
    fill(&[("title", &clip(&title, 120)), ("body", &body), ("data", "")])
}

fn verdict(out: &mut String, validation: &Validation) {
    let missing = validation.missing_slices.iter().map(|name| ("no row is in slice ", name));
    let unmeasured = validation.missing_metrics.iter().map(|name| ("nobody has measured ", name));
    if validation.failures().next().is_some() || missing.len() + unmeasured.len() > 0 {
        out.push_str("<h2>Thresholds that are not reached</h2><ul>");
        for check in validation.failures() {
            let _ = write!(out, "<li class=bad>{}", clip(&check.message, 400));
        }
        for (what, name) in missing.chain(unmeasured) {
            let _ = write!(out, "<li class=bad>{what}{}", clip(name, 200));
        }
        out.push_str("</ul>");
    }
    if validation.rubber_stamp {
        out.push_str("<p class=warn>There was no baseline: changes were not checked.</p>");
    }
}

fn metrics(out: &mut String, overall: &SliceResult, baseline: Option<&SliceResult>) {
    out.push_str("<h2>All examples</h2><div class=scroll><table class=rank><thead><tr>");
    out.push_str("<th scope=col class=t>metric<th scope=col>value<th scope=col>interval");
    if baseline.is_some() {
        out.push_str("<th scope=col>baseline<th scope=col>change");
    }
    out.push_str("</thead><tbody>");
    for (key, measured) in &overall.metrics {
        let interval = measured.interval.map(|interval| {
            let text =
                |value| metric_text(&Measured { value, interval: None, replicates: Vec::new() });
            format!("{} … {}", text(interval.lower), text(interval.upper))
        });
        let _ = write!(
            out,
            "<tr><th scope=row>{}<td>{}<td>{}",
            clip(key, 80),
            metric_text(measured),
            interval.unwrap_or_default()
        );
        if let Some(baseline) = baseline {
            let other = baseline.number(key);
            let change = other.map(|other| signed(measured.value - other.value));
            let other = other.map(metric_text);
            let _ =
                write!(out, "<td>{}<td>{}", other.unwrap_or_default(), change.unwrap_or_default());
        }
    }
    out.push_str("</tbody></table></div>");
}

/// A curve from a table: the points of its rows that are numbers.
fn points(table: &Table, f: impl Fn(&[f64]) -> (f64, f64)) -> Vec<(f64, f64)> {
    let number = |cell: &Cell| match cell {
        Cell::Number(x) => *x,
        Cell::Text(_) => f64::NAN,
    };
    let rows = table.rows.iter().map(|row| f(&row.iter().map(number).collect::<Vec<_>>()));
    rows.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

/// Rates of a row of the confusion matrix plot: threshold, TP, FP, TN, FN.
fn roc(row: &[f64]) -> (f64, f64) {
    (row[2] / (row[2] + row[3]), row[1] / (row[1] + row[4]))
}

fn precision_recall(row: &[f64]) -> (f64, f64) {
    (row[1] / (row[1] + row[4]), row[1] / (row[1] + row[2]))
}

/// A row of the calibration plot: lower, upper, weight, mean prediction, mean label.
fn calibration(row: &[f64]) -> (f64, f64) {
    (row[3], row[4])
}

fn curves(out: &mut String, overall: &SliceResult, baseline: Option<&SliceResult>) {
    let drawings: [(&str, &str, &str, &str, bool, fn(&[f64]) -> (f64, f64)); 3] = [
        ("confusion_matrix_plot", "ROC", "false positive rate", "true positive rate", true, roc),
        (
            "confusion_matrix_plot",
            "Precision and recall",
            "recall",
            "precision",
            false,
            precision_recall,
        ),
        ("calibration_plot", "Calibration", "mean prediction", "mean label", true, calibration),
    ];
    let mut drawn = String::new();
    for (key, title, x, y, has_diagonal, f) in drawings {
        let Some(table) = overall.tables.get(key) else { continue };
        let other = baseline.and_then(|baseline| baseline.tables.get(key));
        let _ = write!(
            drawn,
            "<figure><h3>{title}</h3><svg class=p viewBox=\"0 0 {SIDE} {SIDE}\" role=img \
             aria-label=\"{title}: {y} over {x}\"><rect width={SIDE} height={SIDE} class=frame />"
        );
        if has_diagonal {
            let _ = write!(drawn, "<path class=one d=\"M0 {SIDE}L{SIDE} 0\"/>");
        }
        let has_dots = key == "calibration_plot";
        if let Some(other) = other {
            curve(&mut drawn, &points(other, f), "m", has_dots);
        }
        curve(&mut drawn, &points(table, f), "l", has_dots);
        let _ = write!(
            drawn,
            "</svg><figcaption class=x><span>{x} →</span><span>↑ {y}</span></figcaption></figure>"
        );
    }
    if !drawn.is_empty() {
        let _ = write!(out, "<h2>Curves</h2><div class=plots>{drawn}</div>");
        if baseline.is_some() {
            out.push_str("<p class=note>Dashed: the baseline.</p>");
        }
    }
}

fn curve(out: &mut String, points: &[(f64, f64)], class: &str, has_dots: bool) {
    let place = |(x, y): (f64, f64)| (x * SIDE, (1.0 - y) * SIDE);
    let _ = write!(out, "<path class={class} d=\"");
    for (i, &point) in points.iter().enumerate() {
        let (x, y) = place(point);
        let _ = write!(out, "{}{x:.2} {y:.2}", if i == 0 { 'M' } else { 'L' });
    }
    out.push_str("\"/>");
    if has_dots {
        for &point in points {
            let (x, y) = place(point);
            let _ = write!(out, "<circle class={class} cx={x:.2} cy={y:.2} r=1 />");
        }
    }
}

fn classes(out: &mut String, overall: &SliceResult) {
    if let Some(table) = overall.tables.get("per_class") {
        out.push_str("<h2>Classes</h2><div class=scroll><table class=rank><thead><tr>");
        for (i, column) in table.columns.iter().enumerate() {
            let _ = write!(
                out,
                "<th scope=col{}>{}",
                if i == 0 { " class=t" } else { "" },
                escape(column)
            );
        }
        out.push_str("</thead><tbody>");
        for row in &table.rows {
            out.push_str("<tr>");
            for cell in row {
                let _ = match cell {
                    Cell::Text(text) => write!(out, "<th scope=row>{}", clip(text, 60)),
                    Cell::Number(x) => write!(out, "<td>{}", shown(*x)),
                };
            }
        }
        out.push_str("</tbody></table></div>");
    }
    if let Some(table) = overall.tables.get("multi_class_confusion_matrix") {
        matrix(out, table);
    }
}

fn shown(value: f64) -> String {
    metric_text(&Measured { value, interval: None, replicates: Vec::new() })
}

fn matrix(out: &mut String, table: &Table) {
    let mut names: Vec<&str> = Vec::new();
    // Labels are in the order of classes; what is only predicted comes after them.
    let column = |i: usize| table.rows.iter().map(move |row| &row[i]);
    for cell in column(0).chain(column(1)) {
        if let Cell::Text(name) = cell
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
        if names.len() > MOST_CLASSES {
            out.push_str(
                "<p class=note>There are too many classes to draw which is taken for which.</p>",
            );
            return;
        }
    }
    let weight = |label: &str, predicted: &str| {
        let is = |cell: &Cell, name: &str| matches!(cell, Cell::Text(text) if text == name);
        let row = table.rows.iter().find(|row| is(&row[0], label) && is(&row[1], predicted));
        row.map_or(0.0, |row| if let Cell::Number(x) = row[2] { x } else { 0.0 })
    };
    out.push_str("<h2>Which class is taken for which <small>rows are labels, columns predictions</small></h2>");
    out.push_str("<div class=scroll><table class=heat><thead><tr><th>");
    for name in &names {
        let _ = write!(out, "<th scope=col>{}", clip(name, 20));
    }
    out.push_str("</thead><tbody>");
    for label in &names {
        let row: Vec<f64> = names.iter().map(|predicted| weight(label, predicted)).collect();
        let total: f64 = row.iter().sum();
        let _ = write!(out, "<tr><th scope=row>{}", clip(label, 40));
        for x in row {
            let share = x / total;
            let class = match share {
                0.5.. => "h3",
                0.2.. => "h2",
                0.0.. if x > 0.0 => "h1 hz",
                _ => "h0",
            };
            let _ = write!(
                out,
                "<td class=\"{class}\">{}",
                if x > 0.0 { shown(x) } else { String::new() }
            );
        }
    }
    out.push_str("</tbody></table></div>");
}

fn slices(out: &mut String, evaluation: &Evaluation, baseline: Option<&Evaluation>) {
    if evaluation.slices.len() < 2 {
        return;
    }
    let keys = telling(evaluation);
    out.push_str("<h2>Slices</h2><div class=scroll><table class=rank><thead><tr>");
    out.push_str("<th scope=col class=t>slice<th scope=col>examples");
    for key in &keys {
        let _ = write!(out, "<th scope=col>{}", clip(key, 40));
    }
    out.push_str("</thead><tbody>");
    for slice in evaluation.slices.iter().take(MOST_SLICES) {
        let name = clip(&slice_name(&slice.slice), 120);
        let _ = write!(out, "<tr><th scope=row>{name}<td>{}", count(slice.n_examples));
        let other = baseline.and_then(|baseline| baseline.slice(&slice.slice));
        for key in &keys {
            let Some(measured) = slice.number(key) else {
                out.push_str("<td class=none>too few");
                continue;
            };
            let change = other.and_then(|other| other.number(key));
            let change = change
                .map(|other| format!(" <small>{}</small>", signed(measured.value - other.value)));
            let _ = write!(out, "<td>{}{}", metric_text(measured), change.unwrap_or_default());
        }
    }
    out.push_str("</tbody></table></div>");
    if evaluation.slices.len() > MOST_SLICES {
        let n = count((evaluation.slices.len() - MOST_SLICES) as u64);
        let _ = write!(out, "<p class=note>{n} more slices are in metrics.json.</p>");
    }
}

#[cfg(test)]
mod tests {
    use ops::evaluate::{Intervals, Task};

    use super::*;

    fn number(value: f64) -> Measured {
        Measured { value, interval: None, replicates: Vec::new() }
    }

    fn slice(key: &[(&str, &str)]) -> SliceResult {
        SliceResult {
            slice: key
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            n_examples: 7,
            n_undefined: 0,
            error: None,
            metrics: vec![("auc".into(), number(0.75)), ("recall".into(), number(f64::NAN))],
            tables: std::collections::BTreeMap::default(),
        }
    }

    #[test]
    fn text_of_the_data_is_escaped_and_curves_are_drawn() {
        let mut overall = slice(&[]);
        let mut plot = Table::new(&["threshold", "tp", "fp", "tn", "fn"]);
        plot.push([f64::INFINITY, 0.0, 0.0, 4.0, 3.0]);
        plot.push([0.5, 3.0, 1.0, 3.0, 0.0]);
        overall.tables.insert("confusion_matrix_plot".into(), plot);
        let evaluation = Evaluation {
            version: 1,
            task: Task::Binary,
            label: "<label>".into(),
            prediction: "p".into(),
            weight: None,
            n_unlabelled: 2,
            min_slice_size: 1,
            intervals: Intervals::default(),
            slices: vec![overall, slice(&[("s", "<script>")])],
        };
        let validation = ops::evaluate::validate(&evaluation, None, &[], false);
        let page = render_evaluation_page(&evaluation, Some(&evaluation), &validation);
        assert!(!page.contains("<label>") && !page.contains("=<script>"));
        assert!(page.contains("s=&lt;script&gt;"), "{page}");
        // From nothing to 3 of 3 positives and 1 of 4 negatives.
        assert!(page.contains("<path class=l d=\"M0.00 100.00L25.00 0.00\"/>"));
        assert!(page.contains("undefined") && page.contains("2 without a label"));
    }
}
