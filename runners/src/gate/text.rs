//! A validation for a terminal: the verdict, what is wrong and where, what moved, what nobody saw.

use std::collections::BTreeMap;
use std::fmt::Write;

use ops::drift::{Comparison, DriftReport, FeatureDrift, Verdict};
use ops::tfmd::anomaly_info::Severity;
use ops::validate::{OffendingValue, Reason};

use super::{Anomaly, Gate, NO_EXAMPLES, Since};
use crate::table::format::{Paint, Style, count, fit, number, printable};

/// How the text looks.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to use the terminal's colours.
    pub color: bool,
}

/// More lines of one kind than this would not be read; the rest is counted.
const MOST: usize = 50;

/// The gate as text, lines ended by line feeds.
pub fn text(gate: &Gate, options: TextOptions) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    head(gate, paint, &mut out);
    let anomalies: Vec<Anomaly<'_>> = gate.anomalies().collect();
    for anomaly in anomalies.iter().take(MOST) {
        tell(anomaly, paint, options.width, &mut out);
    }
    if let Some(more) = anomalies.len().checked_sub(MOST).filter(|&more| more > 0) {
        let _ = writeln!(out, "\n… and {} anomalies more; `--json` tells all", count(more as u64));
    }
    noise(gate, paint, &mut out);
    for report in &gate.comparisons {
        compared(report, paint, options.width, &mut out);
    }
    unchecked(gate, paint, &mut out);
    out
}

fn head(gate: &Gate, paint: Paint, out: &mut String) {
    let examples = gate.checked.first().map_or(0, |checked| checked.examples);
    let _ = write!(
        out,
        "{} · {} examples against {} ({} features)",
        paint.bold(&printable(&gate.data)),
        count(examples),
        printable(&gate.schema),
        count(gate.num_features as u64)
    );
    if let Some(environment) = &gate.environment {
        let _ = write!(out, " in {}", printable(environment));
    }
    if let Some(slices) = gate.checked.len().checked_sub(1).filter(|&slices| slices > 0) {
        let _ = write!(out, ", and {slices} slices");
    }
    out.push('\n');
    let counts: Vec<String> =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Unknown, "note")]
            .into_iter()
            .filter_map(|(severity, name)| {
                let n = gate.count(severity);
                (n > 0).then(|| format!("{n} {name}{}", if n == 1 { "" } else { "s" }))
            })
            .collect();
    let verdict = match (gate.is_open(), counts.is_empty()) {
        (true, true) => paint.style(Style::Spark, "✓ no anomalies"),
        (true, false) => paint.style(Style::Odd, &format!("✓ passed, with {}", counts.join(", "))),
        (false, _) => paint.style(Style::Bad, &format!("✗ {}", counts.join(", "))),
    };
    let _ = writeln!(out, "{verdict}");
}

fn tell(anomaly: &Anomaly<'_>, paint: Paint, width: usize, out: &mut String) {
    let (name, style) = match anomaly.severity {
        Severity::Error => ("error", Style::Bad),
        Severity::Warning => ("warning", Style::Odd),
        Severity::Unknown => ("note", Style::Dim),
    };
    let subject = paint.style(Style::Name, &printable(&anomaly.subject()));
    let _ = writeln!(out, "\n{} {subject}", paint.style(style, name));
    if anomaly.reasons.is_empty() {
        let _ = writeln!(out, "  {NO_EXAMPLES}");
    }
    for reason in anomaly.reasons {
        let since = match anomaly.since(reason) {
            None => "",
            Some(Since::ThisSpan) => " · new in this span",
            Some(Since::Before) => " · the previous span has it, too",
        };
        let _ = writeln!(out, "  {}{}", reason.kind.as_str_name(), paint.dim(since));
        line(out, paint, "", &told(reason), width);
        if let Some(expected) = &reason.expected {
            let rule =
                if reason.rule.is_empty() { String::new() } else { format!("{} = ", reason.rule) };
            line(out, paint, "expected", &format!("{rule}{expected}"), width);
        }
        if let Some(observed) = &reason.observed {
            line(out, paint, "found", observed, width);
        }
        if !reason.values.is_empty() {
            line(out, paint, "values", &values(reason), width);
        }
        if let Some(place) = anomaly.place(reason) {
            let mut text = format!("{} row {}", place.file, count(place.row));
            if let Some(value) = &place.value {
                let _ = write!(text, ": {value}");
            }
            match place.rows {
                1 => text.push_str(" (the only row)"),
                rows => {
                    let _ = write!(text, " ({} rows in all)", count(rows));
                }
            }
            line(out, paint, "first", &text, width);
        }
    }
}

/// A line below a reason, cut where the terminal ends.
fn line(out: &mut String, paint: Paint, label: &str, text: &str, width: usize) {
    const LABEL: usize = 8;
    let text = printable(text);
    // The description itself is the last thing to be cut: it wraps as the terminal does.
    let text =
        if label.is_empty() { text } else { fit(&text, width.saturating_sub(LABEL + 5).max(20)) };
    let label = paint.dim(&format!("{label:<LABEL$}"));
    if label.trim().is_empty() || text.is_empty() {
        let _ = writeln!(out, "    {text}");
    } else {
        let _ = writeln!(out, "    {label} {text}");
    }
}

/// A reason in words; some of TFDV's have a short description only.
pub(super) fn told(reason: &Reason) -> String {
    if reason.description.is_empty() {
        reason.short_description.clone()
    } else {
        reason.description.trim_end().to_owned()
    }
}

/// The values that break a rule, most frequent first.
fn values(reason: &Reason) -> String {
    const SHOWN: usize = 8;
    let shown = reason.values.iter().take(SHOWN);
    let mut text = shown
        .map(|OffendingValue { value, count }| format!("{value:?} {}×", number(*count)))
        .collect::<Vec<_>>()
        .join(", ");
    let more = reason.num_values.saturating_sub(reason.values.len().min(SHOWN));
    if more > 0 {
        let _ = write!(text, " and {} more", count(more as u64));
    }
    text
}

fn noise(gate: &Gate, paint: Paint, out: &mut String) {
    let noise = gate.checked.iter().flat_map(|checked| &checked.validation.noise);
    let mut noise = noise.peekable();
    if noise.peek().is_none() {
        return;
    }
    let heading = "above a threshold, but no more than samples of one distribution show:";
    let _ = writeln!(out, "\n{}", paint.dim(heading));
    for (path, reasons) in noise {
        for reason in reasons {
            let path = printable(&path.to_string());
            let found = reason.observed.as_deref().unwrap_or_default();
            let limit = reason.expected.as_deref().unwrap_or_default();
            let _ = writeln!(out, "  {path}: {} {found} > {limit}", reason.kind.as_str_name());
        }
    }
}

/// The features of a comparison that moved, and how many did not.
fn compared(report: &DriftReport, paint: Paint, width: usize, out: &mut String) {
    let (name, control) = match report.comparison {
        Comparison::Drift => ("drift", "the previous span"),
        Comparison::Skew => ("skew", "serving"),
    };
    let of = |verdict| report.features.iter().filter(move |f| f.verdict == verdict);
    let told: Vec<String> = [
        (Verdict::Drifted, "drifted"),
        (Verdict::Incomparable, "not comparable"),
        (Verdict::Noise, "within the noise"),
        (Verdict::Moved, "moved a little"),
        (Verdict::Stable, "stable"),
    ]
    .into_iter()
    .filter_map(|(verdict, word)| {
        let n = of(verdict).count();
        (n > 0).then(|| format!("{n} {word}"))
    })
    .collect();
    let _ = writeln!(
        out,
        "\n{} to {control} ({} examples): {}",
        paint.bold(name),
        count(report.control_examples),
        told.join(", ")
    );
    let shown: Vec<&FeatureDrift> = of(Verdict::Drifted)
        .chain(of(Verdict::Incomparable))
        .chain(of(Verdict::Noise))
        .chain(of(Verdict::Moved))
        .collect();
    let most = shown.iter().map(|f| crate::table::format::width(&f.path)).max().unwrap_or(0);
    let column = most.min(32);
    for feature in shown.iter().take(MOST) {
        let style = match feature.verdict {
            Verdict::Drifted => Style::Bad,
            Verdict::Incomparable | Verdict::Noise => Style::Odd,
            Verdict::Moved | Verdict::Stable => Style::Dim,
        };
        let path = fit(&printable(&feature.path), column);
        let gap = " ".repeat(column.saturating_sub(crate::table::format::width(&path)));
        let why = fit(&printable(&feature.why), width.saturating_sub(column + 4).max(20));
        let _ = writeln!(out, "  {}{gap}  {why}", paint.style(style, &path));
    }
    if shown.len() > MOST {
        let _ = writeln!(out, "  … and {} more; `--json` tells all", shown.len() - MOST);
    }
}

fn unchecked(gate: &Gate, paint: Paint, out: &mut String) {
    const NAMED: usize = 5;
    let mut by_rule: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for unchecked in &gate.unchecked {
        let paths = by_rule.entry((unchecked.rule, unchecked.why.as_str())).or_default();
        paths.push(&unchecked.path);
    }
    if by_rule.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", paint.dim("not checked:"));
    for ((rule, why), paths) in by_rule.iter().take(MOST) {
        let named: Vec<String> =
            paths.iter().filter(|p| !p.is_empty()).take(NAMED).map(|p| printable(p)).collect();
        let mut of = named.join(", ");
        if paths.len() > NAMED {
            let _ = write!(of, " and {} more", paths.len() - NAMED);
        }
        let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
        let _ = writeln!(out, "  {rule}{of}: {}", printable(why));
    }
    if by_rule.len() > MOST {
        let _ = writeln!(out, "  … and {} rules more; `--json` tells all", by_rule.len() - MOST);
    }
}
