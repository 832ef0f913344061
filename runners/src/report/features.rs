//! The rows of the feature tables: one feature each, its datasets below each other, one chart.

use std::fmt::Write as _;

use ops::tfmd::anomaly_info::Severity;
use ops::tfmd::feature_name_statistics::Type;
use ops::tfmd::histogram::HistogramType;
use ops::tfmd::{DatasetView, FeatureView, Path};
use serde::Serialize;

use super::drift::{self, Distance};
use super::histograms::{self, Curve};
use super::html::clip;
use super::ranks::{self, Ranks};
use super::{Context, detail};
use crate::table::format::{count, number, percent};

/// Which table a feature is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Numeric,
    Categorical,
    Other,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Numeric, Kind::Categorical, Kind::Other];

    pub(super) fn of(feature: &FeatureView<'_, '_>) -> Kind {
        match (feature.numeric(), feature.string()) {
            (Some(_), _) => Kind::Numeric,
            (_, Some(_)) => Kind::Categorical,
            _ => Kind::Other,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Numeric => "numeric",
            Kind::Categorical => "categorical",
            Kind::Other => "other",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Kind::Numeric => "Numeric features",
            Kind::Categorical => "Categorical features",
            Kind::Other => "Other features",
        }
    }

    /// The columns of numbers: their keys in the summary, and their headings.
    pub(super) fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Numeric => &[
                ("count", "Count"),
                ("missing", "Missing"),
                ("zeros", "Zeros"),
                ("mean", "Mean"),
                ("std_dev", "Std dev"),
                ("min", "Min"),
                ("median", "Median"),
                ("max", "Max"),
            ],
            Kind::Categorical => &[
                ("count", "Count"),
                ("missing", "Missing"),
                ("unique", "Distinct"),
                ("avg_length", "Mean length"),
                ("top_share", "Most frequent"),
            ],
            Kind::Other => &[
                ("count", "Count"),
                ("missing", "Missing"),
                ("unique", "Distinct"),
                ("min_bytes", "Min bytes"),
                ("avg_bytes", "Mean bytes"),
                ("max_bytes", "Max bytes"),
            ],
        }
    }
}

/// What the page's own sorting and other programs read about a feature.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    name: String,
    #[serde(rename = "type")]
    data_type: &'static str,
    pub(super) kind: Kind,
    anomaly: Option<&'static str>,
    /// The largest distance in thresholds.
    ratio: Option<f64>,
    distances: Vec<Distance>,
    /// The numbers of each dataset, in the order of the kind's columns.
    values: Vec<Option<Vec<Option<f64>>>>,
}

/// One feature of one slice, as the page shows it.
pub(super) struct Row {
    pub(super) path: Path,
    severity: Option<Severity>,
    /// The `<tbody>`; its number is put in when the order is known.
    html: String,
    pub(super) detail: String,
}

impl Row {
    /// The row as the `i`th of a slice.
    pub(super) fn html(&self, slice: usize, i: usize) -> String {
        format!("<tbody id=f{slice}-{i}{}", self.html)
    }
}

/// The rows of a slice: those with anomalies first, then by distance, then as in the statistics.
pub(super) fn rows(
    ctx: &Context<'_>,
    views: &[Option<DatasetView<'_>>],
    is_main: bool,
) -> (Vec<Record>, Vec<Row>) {
    let mut paths: Vec<&Path> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    // The judged dataset's order, then what only others have.
    let order = std::iter::once(&views[ctx.current]).chain(views);
    for view in order.flatten() {
        paths.extend(view.features().map(|f| f.path()).filter(|path| seen.insert(*path)));
    }
    let rows = paths.into_iter().map(|path| row(ctx, views, path, is_main));
    let mut rows: Vec<(Record, Row)> = rows.collect();
    rows.sort_by(|(a, row_a), (b, row_b)| {
        let ratio = |record: &Record| record.ratio.unwrap_or(-1.0);
        row_b.severity.cmp(&row_a.severity).then(ratio(b).total_cmp(&ratio(a)))
    });
    rows.into_iter().unzip()
}

fn row(
    ctx: &Context<'_>,
    views: &[Option<DatasetView<'_>>],
    path: &Path,
    is_main: bool,
) -> (Record, Row) {
    let features: Vec<Option<FeatureView<'_, '_>>> =
        views.iter().map(|view| view.as_ref().and_then(|view| view.get(path))).collect();
    let shown = features[ctx.current].or_else(|| features.iter().flatten().next().copied());
    let kind = shown.as_ref().map_or(Kind::Other, Kind::of);
    let data_type = shown.map_or("", |feature| data_type(&feature));
    let name = path.to_string();
    // Anomalies and distances are those of all examples.
    let severity = if is_main { ctx.severity(path) } else { None };
    let distances = if is_main { ctx.distances(path) } else { &[] };
    let ratio = drift::worst(distances).and_then(Distance::ratio);

    let chart = chart(&name, kind, &features, ctx);
    let values: Vec<Option<Vec<Option<f64>>>> =
        features.iter().map(|f| f.as_ref().map(|f| values(kind, f))).collect();
    let n = views.len();
    let span = if n > 1 { format!(" rowspan={n}") } else { String::new() };
    let anomaly = severity.map(severity_name);
    let mut html = String::new();
    if let Some(name) = anomaly {
        let _ = write!(html, " class={name}");
    }
    let mut mark = anomaly.map_or(String::new(), |name| format!("<i class=sev>{name}</i>"));
    let nan = shown.as_ref().map_or(0, num_nan);
    if nan > 0 {
        let _ = write!(mark, "<i class=warn>{} NaN</i>", count(nan));
    }
    let long = if name.chars().count() > NAME {
        format!(" title=\"{}\"", clip(&name, 400))
    } else {
        String::new()
    };
    let _ = write!(
        html,
        "><tr><th scope=rowgroup{span}><button aria-expanded=false{long}>{}</button>\
         <small>{data_type}{mark}</small>",
        clip(&name, NAME)
    );
    for (i, (feature, values)) in features.iter().zip(&values).enumerate() {
        if i > 0 {
            html.push_str("<tr>");
        }
        if n > 1 {
            let _ = write!(html, "<th scope=row class=k{}>{}", i.min(2), clip(&ctx.labels[i], 28));
        }
        match (feature, values) {
            (Some(feature), Some(now)) if Kind::of(feature) == kind => {
                let baseline = (i > 0).then(|| features[0].as_ref()).flatten();
                cells(&mut html, kind, feature, now, baseline);
            }
            (Some(feature), _) => {
                let columns = kind.columns().len();
                let data_type = self::data_type(feature);
                let _ = write!(html, "<td colspan={columns} class=\"t bad\">is {data_type} here");
            }
            (None, _) => {
                let columns = kind.columns().len();
                let _ = write!(html, "<td colspan={columns} class=\"t none\">not there");
            }
        }
        if i == 0 {
            let _ = write!(html, "<td class=c{span}>{chart}");
            if ctx.has_distances {
                let _ = write!(html, "<td class=d{span}>{}", drift::cell(distances));
            }
        }
    }
    let record = Record {
        name,
        data_type,
        kind,
        anomaly,
        ratio: ratio.filter(|ratio| ratio.is_finite()),
        distances: distances.to_vec(),
        values,
    };
    let detail = detail::detail(ctx, path, kind, &features, distances, is_main);
    (record, Row { path: path.clone(), severity, html, detail })
}

/// Characters of a feature's name.
const NAME: usize = 64;

pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning | Severity::Unknown => "warning",
    }
}

fn data_type(feature: &FeatureView<'_, '_>) -> &'static str {
    match feature.data_type() {
        Type::Int => "INT",
        Type::Float => "FLOAT",
        Type::String => "STRING",
        Type::Bytes => "BYTES",
        Type::Struct => "STRUCT",
    }
}

/// The chart of a feature, in a table of features or of anomalies.
pub(super) fn chart(
    name: &str,
    kind: Kind,
    features: &[Option<FeatureView<'_, '_>>],
    ctx: &Context<'_>,
) -> String {
    let drawn = match kind {
        Kind::Numeric => {
            let curves: Vec<Option<Curve>> =
                features.iter().map(|f| f.as_ref().and_then(Curve::of)).collect();
            let whole = |f: &FeatureView<'_, '_>| f.data_type() == Type::Int;
            let is_whole = features.iter().flatten().all(whole);
            histograms::draw(name, is_whole, &curves, &ctx.labels)
        }
        Kind::Categorical => {
            let series: Vec<Option<Ranks<'_>>> =
                features.iter().map(|f| f.as_ref().and_then(Ranks::of)).collect();
            ranks::draw(name, &series)
        }
        Kind::Other => None,
    };
    drawn.unwrap_or_default()
}

/// The numbers of one dataset, in the order of the kind's columns; none where it makes no sense.
pub(super) fn values(kind: Kind, feature: &FeatureView<'_, '_>) -> Vec<Option<f64>> {
    let missing = feature.fraction_present().map(|present| (1.0 - present).clamp(0.0, 1.0));
    let mut values = vec![Some(feature.num_present()), missing];
    let total = feature.num_values();
    // Values that are all NaN have no mean; the zero that stands there says nothing.
    let numbers = feature.statistics().common_stats().map_or(0, |c| c.tot_num_values);
    let is_nan = numbers > 0 && num_nan(feature) >= numbers;
    let any = |x: f64| (total > 0.0 && !is_nan).then_some(x);
    match kind {
        Kind::Numeric => {
            let Some(stats) = feature.numeric() else { return values };
            let weighted = stats.weighted_numeric_stats.as_ref();
            let weighted = weighted.filter(|_| feature.dataset().is_by_weight());
            // Zeros are counted, never weighed.
            let zeros = (numbers > 0).then(|| stats.num_zeros as f64 / numbers as f64);
            let (mean, std_dev, median) = match weighted {
                Some(weighted) => (weighted.mean, weighted.std_dev, weighted.median),
                None => (stats.mean, stats.std_dev, stats.median),
            };
            values.push(zeros);
            values.extend([mean, std_dev, stats.min, median, stats.max].map(any));
        }
        Kind::Categorical => {
            let Some(stats) = feature.string() else { return values };
            let top = Ranks::of(feature).and_then(|ranks| ranks.top().map(|(_, share)| share));
            let unique = (stats.unique > 0).then_some(stats.unique as f64);
            values.extend([unique, any(f64::from(stats.avg_length)), top]);
        }
        Kind::Other => {
            let Some(stats) = feature.bytes() else { return values };
            let sizes = [stats.min_num_bytes, stats.avg_num_bytes, stats.max_num_bytes];
            values.push(Some(stats.unique as f64));
            values.extend(sizes.map(|size| any(f64::from(size))));
        }
    }
    values
}

/// The cells of one dataset; shares that a reader should look at are marked.
fn cells(
    html: &mut String,
    kind: Kind,
    feature: &FeatureView<'_, '_>,
    now: &[Option<f64>],
    baseline: Option<&FeatureView<'_, '_>>,
) {
    let before = baseline.filter(|b| Kind::of(b) == kind).map(|b| values(kind, b));
    for (i, (key, _)) in kind.columns().iter().enumerate() {
        let Some(x) = now.get(i).copied().flatten() else {
            html.push_str("<td>");
            continue;
        };
        let old = before.as_ref().and_then(|before| before.get(i).copied().flatten());
        match *key {
            "missing" | "zeros" => html.push_str(&share(x, old, *key == "missing")),
            "count" | "unique" if x < 1e15 && x.fract() == 0.0 => {
                let _ = write!(html, "<td>{}", count(x as u64));
            }
            "min" | "median" | "max" if x.is_finite() => {
                let digits = histograms::digits(x);
                // Long identifiers and times in smaller letters, so that columns stay narrow.
                let class = if digits.len() > 9 { " class=s" } else { "" };
                let _ = write!(html, "<td{class}>{digits}");
            }
            "top_share" => {
                let ranks = Ranks::of(feature);
                let top = ranks.as_ref().and_then(Ranks::top).map_or("", |(value, _)| value);
                let share = percent(x, 1.0);
                let top = super::html::value(top, 20);
                let _ = write!(html, "<td class=v><bdi>{top}</bdi> <i>{share}</i>");
            }
            _ => {
                let class = if x.is_finite() { "" } else { " class=bad" };
                let _ = write!(html, "<td{class}>{}", number(x));
            }
        }
    }
}

/// A share of missing values or of zeros, louder the more it is beyond the baseline's.
fn share(x: f64, baseline: Option<f64>, is_missing: bool) -> String {
    let (jump, many) = if is_missing { (0.01, 0.2) } else { (0.05, 0.5) };
    let text = percent(x, 1.0);
    match baseline {
        Some(before) if x - before >= jump => format!("<td class=bad>▲ {text}"),
        _ if x == 0.0 => format!("<td class=none>{text}"),
        _ if x >= many => format!("<td class=warn>{text}"),
        _ => format!("<td>{text}"),
    }
}

/// How many values of a feature are NaN, as its histograms say.
pub(super) fn num_nan(feature: &FeatureView<'_, '_>) -> u64 {
    feature.histogram(HistogramType::Standard).map_or(0, |histogram| histogram.num_nan)
}
