//! Why two distributions are as far apart as they are, with the numbers in the formula.

use std::fmt::Write;

use engine::Result;

use super::{columns, find, paragraph, printable};
use crate::drift::{
    DriftOptions, DriftReport, FeatureDrift, Kind, METRICS, Measurement, Verdict, align, compare,
    short,
};
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{DatasetFeatureStatistics, DatasetView, FeatureView};

/// More rows of a distribution would not be read.
const ROWS: usize = 40;

/// Both distributions of a feature, every distance between them, and what chance alone would show.
///
/// # Errors
/// There is no such feature on the current side; similar names are in the hint.
pub fn explain_comparison(
    current: &DatasetFeatureStatistics,
    control: &DatasetFeatureStatistics,
    name: &str,
    options: &DriftOptions<'_>,
) -> Result<String> {
    let options = DriftOptions { thorough: true, contributors: 8, ..options.clone() };
    let view = DatasetView::new(current);
    let feature = find(&view, name)?;
    let path = feature.path().to_string();
    let other = DatasetView::by_weight_if(control, view.is_by_weight());
    let report = compare(current, control, &options);
    let mut out = String::new();
    let Some(drift) = report.features.iter().find(|drift| drift.path == path) else {
        return Ok(format!("{path} is retired in the schema and is not compared.\n"));
    };
    let kind = match drift.kind {
        Kind::Numbers => "numbers",
        Kind::Labels => "labels",
        Kind::Other => "presence only",
    };
    let (n, m) = (short(drift.current_size), short(drift.control_size));
    let _ = writeln!(out, "{path}: {kind}, {n} samples here and {m} there");
    let _ = writeln!(out, "verdict: {}", verdict(drift.verdict));
    out += &paragraph(2, &drift.why);
    if let (Some(p), Some(q)) = (drift.p, drift.q) {
        let text = format!(
            "p {}: two samples of one distribution differ as much so often. q {}: the share of false \
             alarms if every feature with a p like this raised one, of {} features.",
            short_p(p),
            short_p(q),
            report.features.iter().filter(|feature| feature.p.is_some()).count(),
        );
        out += &paragraph(2, &text);
    }
    if let Some(other) = other.get(feature.path()) {
        out += &distributions(&feature, &other, drift.kind);
    }
    for measurement in &drift.measurements {
        out.push('\n');
        out += &measured(measurement, drift, &report);
    }
    Ok(out)
}

/// All features in one table, the alarms first.
pub fn explain_drift(report: &DriftReport) -> String {
    let mut features: Vec<&FeatureDrift> = report.features.iter().collect();
    features.sort_by_key(|feature| std::cmp::Reverse(feature.verdict));
    let (n, m) = (report.current_examples, report.control_examples);
    let mut out = format!("{n} examples here and {m} there, {} features\n", features.len());
    for feature in features {
        let q = feature.q.map_or(String::new(), |q| format!(", q {}", short_p(q)));
        let _ = writeln!(out, "\n{}: {}{q}", feature.path, verdict(feature.verdict));
        out += &paragraph(2, &feature.why);
    }
    out + "\nName a feature to see both distributions and every distance.\n"
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Stable => "stable",
        Verdict::Moved => "moved, but not enough to matter",
        Verdict::Noise => "noise",
        Verdict::Incomparable => "cannot be compared",
        Verdict::Drifted => "drifted",
    }
}

/// Probabilities in two digits: more would pretend too much.
fn short_p(p: f64) -> String {
    match p {
        0.0 => "below 1e-300".to_owned(),
        ..0.001 => format!("{p:.0e}"),
        _ => short((p * 1000.0).round() / 1000.0),
    }
}

/// Both distributions over the same labels or buckets.
fn distributions(
    current: &FeatureView<'_, '_>,
    control: &FeatureView<'_, '_>,
    kind: Kind,
) -> String {
    let standard = HistogramType::Standard;
    let mut cells: Vec<(String, f64, f64)> = match kind {
        Kind::Numbers => match current.histogram(standard).zip(control.histogram(standard)) {
            Some((x, y)) => align(x, y)
                .into_iter()
                .map(|cell| (cell.values.to_string(), cell.current, cell.control))
                .collect(),
            None => return String::new(),
        },
        Kind::Labels => {
            let (x, y) = (current.labels(), control.labels());
            let mut labels: Vec<&str> = x.keys().chain(y.keys()).copied().collect();
            labels.sort_unstable();
            labels.dedup();
            let count = |side: &std::collections::BTreeMap<&str, f64>, label: &str| {
                side.get(label).copied().unwrap_or(0.0)
            };
            labels.iter().map(|l| (printable(l), count(&x, l), count(&y, l))).collect()
        }
        Kind::Other => return String::new(),
    };
    let sum = |of: fn(&(String, f64, f64)) -> f64| cells.iter().map(of).sum::<f64>();
    let (n, m) = (sum(|cell| cell.1), sum(|cell| cell.2));
    if n <= 0.0 || m <= 0.0 {
        return String::new();
    }
    if kind == Kind::Labels {
        cells.sort_by(|a, b| (b.1 / n + b.2 / m).total_cmp(&(a.1 / n + a.2 / m)));
    }
    let what = match kind {
        Kind::Numbers => {
            "STANDARD histograms, cut anew at the bounds of both, evenly within a bucket"
        }
        _ => "listed labels",
    };
    let mut out = format!("\n{what}:\n");
    let row = |cells: [&str; 6]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let mut rows = vec![row(["", "x", "p = x/n", "y", "q = y/m", "p − q"])];
    for (name, x, y) in cells.iter().take(ROWS) {
        let (p, q) = (x / n, y / m);
        let digits = [short(*x), rounded(p), short(*y), rounded(q), rounded(p - q)];
        let [x, p, y, q, d] = &digits;
        rows.push(row([name, x, p, y, q, d]));
    }
    let (n, m) = (short(n), short(m));
    rows.push(row(["sum", &n, "1", &m, "1", ""]));
    out += &columns(2, &rows);
    if cells.len() > ROWS {
        let _ = writeln!(out, "  and {} more", cells.len() - ROWS);
    }
    out
}

/// A share with five digits after the point.
fn rounded(x: f64) -> String {
    format!("{x:.5}")
}

/// One distance: value, bounds, formula, and the formula with its largest terms.
fn measured(m: &Measurement, drift: &FeatureDrift, report: &DriftReport) -> String {
    let mut out = format!("{} = {}", m.metric, short(m.value));
    if let Some(threshold) = m.threshold {
        let whose = if m.in_schema { "in the schema" } else { "the least that matters" };
        let _ = write!(out, "   threshold {} ({whose})", short(threshold));
    }
    if let Some(floor) = m.noise_floor {
        let _ = write!(out, "   noise floor {}", short(floor));
    }
    if let Some(p) = m.p {
        let _ = write!(out, "   p {}", short_p(p));
    }
    out.push('\n');
    let Some(metric) = METRICS.iter().find(|metric| metric.name == m.metric) else { return out };
    out += &paragraph(4, metric.doc);
    out += &paragraph(4, &format!("value: {}", metric.formula));
    if let Some(numbers) = inserted(m, drift) {
        out += &paragraph(4, &format!("     = {numbers}"));
    }
    let alpha = report.alpha;
    out += &paragraph(
        4,
        &format!("noise: {}; the floor is passed in {} of cases", metric.noise, short(alpha)),
    );
    out += &paragraph(4, &format!("source: {}", metric.citation));
    if m.contributors.len() > 1 {
        let header = ["", "here", "there", "of the distance"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(header)
            .chain(m.contributors.iter().map(|c| {
                let share = format!("{} %", short((1000.0 * c.share).round() / 10.0));
                vec![printable(&c.name), rounded(c.current), rounded(c.control), share]
            }))
            .collect();
        out += &columns(4, &rows);
    }
    out
}

/// The formula with numbers, where it is one term that decides or a sum of few.
fn inserted(m: &Measurement, drift: &FeatureDrift) -> Option<String> {
    let first = m.contributors.first()?;
    let (p, q) = (first.current, first.control);
    let at = printable(&first.name);
    Some(match m.metric {
        "infinity_norm" => format!("|{} − {}| of `{at}`", rounded(p), rounded(q)),
        "kolmogorov_smirnov" => format!("|{} − {}| {at}", rounded(p), rounded(q)),
        "missing_change" => format!("|{} − {}|", rounded(p), rounded(q)),
        "volume_change" => {
            format!("|{} − {}| / {}", short(p), short(q), short(p.max(q)))
        }
        "normalized_abs_difference" => {
            let (n, m) = (drift.current_size, drift.control_size);
            let (x, y) = (short((p * n).round()), short((q * m).round()));
            format!("|{x} − {y}| / {} of `{at}`", short(n + m))
        }
        _ => {
            let terms = m.contributors.iter().take(4).map(|c| short(c.share * m.value));
            let terms: Vec<String> = terms.collect();
            let more = if m.contributors.len() > 4 { " + …" } else { "" };
            format!("{}{more}, the largest terms first", terms.join(" + "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::DriftPolicy;
    use crate::tfmd::text::parse;

    fn numbers(shift: f64) -> DatasetFeatureStatistics {
        let buckets = |kind: &str| -> String {
            let bucket = |i: i32| {
                let (low, high) = (f64::from(i) + shift, f64::from(i + 1) + shift);
                format!("buckets {{ low_value: {low} high_value: {high} sample_count: 100 }} ")
            };
            format!("histograms {{ type: {kind} {} }}", (0..10).map(bucket).collect::<String>())
        };
        parse(&format!(
            "num_examples: 1000 features {{ path {{ step: 'fare' }} type: FLOAT num_stats {{
               common_stats {{ num_non_missing: 1000 tot_num_values: 1000 }} {} {} }} }}",
            buckets("STANDARD"),
            buckets("QUANTILES")
        ))
        .unwrap()
    }

    #[test]
    fn a_shift_of_numbers() {
        let options = DriftOptions { policy: DriftPolicy::Significant, ..Default::default() };
        let text = explain_comparison(&numbers(1.0), &numbers(0.0), "fare", &options).unwrap();
        for part in [
            "fare: numbers, 1000 samples here and 1000 there",
            "verdict: drifted",
            "0 to 1",
            "kolmogorov_smirnov = 0.1   threshold 0.05 (the least that matters)",
            "jensen_shannon_divergence = 0.1   noise floor",
            "wasserstein_1 = 1 ",
            "value: max |F(x) − G(x)|",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        let same = explain_comparison(&numbers(0.0), &numbers(0.0), "fare", &options).unwrap();
        assert!(same.contains("verdict: stable"), "{same}");
        assert!(explain_comparison(&numbers(0.0), &numbers(0.0), "fair", &options).is_err());
        assert!(
            explain_drift(&compare(&numbers(1.0), &numbers(0.0), &options))
                .contains("fare: drifted")
        );
    }
}
