//! What is shown of a feature when its row is opened: quantiles, values, distances, its schema.

use std::fmt::Write as _;

use ops::tfmd::custom_statistic::Val;
use ops::tfmd::histogram::HistogramType;
use ops::tfmd::{FeatureView, Histogram, Path, text};

use super::features::{Kind, num_nan};
use super::histograms::digits;
use super::html::{clip, escape};
use super::ranks::{self, Ranks};
use super::{Context, drift, trends};
use crate::table::format::{count, number};

/// Characters of a custom statistic or of a schema.
const LENGTH: usize = 1500;

/// The contents of the opened row.
pub(super) fn detail(
    ctx: &Context<'_>,
    path: &Path,
    kind: Kind,
    features: &[Option<FeatureView<'_, '_>>],
    distances: &[drift::Distance],
    is_main: bool,
) -> String {
    let mut out = String::new();
    if kind == Kind::Categorical {
        let series: Vec<Option<Ranks<'_>>> =
            features.iter().map(|f| f.as_ref().and_then(Ranks::of)).collect();
        out.push_str(&ranks::table(&series, &ctx.labels).unwrap_or_default());
    }
    if kind == Kind::Numeric {
        out.push_str(&quantiles(ctx, features));
    }
    out.push_str(&drift::table(distances).unwrap_or_default());
    if is_main {
        out.push_str(&trends::table(ctx, path, kind).unwrap_or_default());
    }
    out.push_str(&numbers_of_values(ctx, features));
    out.push_str(&custom(ctx, features));
    if let Some(feature) = ctx.schema.and_then(|schema| schema.feature_at(path)) {
        let schema = text::print(feature);
        let schema: Vec<String> = schema.lines().map(escape).collect();
        let schema = schema.join("&#10;");
        // Cutting escaped text could cut an escape: long ones, which are enumerations, are left out.
        if schema.len() <= LENGTH {
            let _ = write!(out, "<section><h4>Schema</h4><pre>{schema}</pre></section>");
        }
    }
    out
}

/// The head of the table of deciles.
pub(super) const QUANTILES: &str = "<table><caption>Quantiles<thead><tr><td><th scope=col>Min\
    <th scope=col>10%<th scope=col>20%<th scope=col>30%<th scope=col>40%<th scope=col>50%\
    <th scope=col>60%<th scope=col>70%<th scope=col>80%<th scope=col>90%<th scope=col>Max\
    <th scope=col>NaN<th scope=col>−∞<th scope=col>+∞<tbody>";

/// Datasets as rows: deciles, NaN and infinities.
fn quantiles(ctx: &Context<'_>, features: &[Option<FeatureView<'_, '_>>]) -> String {
    let ends = |histogram: &Histogram| -> Vec<f64> {
        let buckets = &histogram.buckets;
        let n = buckets.len();
        // Ten of however many.
        let at = |i: usize| match i * n / 10 {
            i if i < n => buckets[i].low_value,
            _ => buckets.last().map_or(f64::NAN, |last| last.high_value),
        };
        if n > 0 && n.is_multiple_of(10) { (0..=10).map(at).collect() } else { Vec::new() }
    };
    let mut rows = String::new();
    for (feature, label) in features.iter().zip(&ctx.labels) {
        let Some(feature) = feature else { continue };
        let ends = feature.histogram(HistogramType::Quantiles).map(ends).unwrap_or_default();
        if ends.is_empty() {
            continue;
        }
        let _ = write!(rows, "<tr><th scope=row>{}", clip(label, 40));
        for end in ends {
            let _ = write!(rows, "<td>{}", digits(end));
        }
        let infinite = |sign: f64| {
            let buckets = feature.histogram(HistogramType::Standard).map(|h| &h.buckets);
            let buckets = buckets.into_iter().flatten();
            let found = buckets.filter(|b| b.low_value == b.high_value && b.low_value == sign);
            found.map(|b| b.sample_count).sum::<f64>()
        };
        let (low, high) = (infinite(f64::NEG_INFINITY), infinite(f64::INFINITY));
        for n in [num_nan(feature) as f64, low, high] {
            let class = if n > 0.0 { "warn" } else { "none" };
            let _ = write!(rows, "<td class={class}>{}", number(n));
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!("{QUANTILES}{rows}</table>")
}

/// Datasets as rows: how many values an example has; nothing if it is one everywhere.
fn numbers_of_values(ctx: &Context<'_>, features: &[Option<FeatureView<'_, '_>>]) -> String {
    let levels = |feature: &FeatureView<'_, '_>| feature.values_by_level();
    let is_one = |feature: &FeatureView<'_, '_>| levels(feature) == [(1, 1)];
    if features.iter().flatten().all(is_one) {
        return String::new();
    }
    let mut out = String::from(
        "<table><caption>Values in an example<thead><tr><td><th scope=col>Fewest\
         <th scope=col>Mean<th scope=col>Most<th scope=col>In all<tbody>",
    );
    for (feature, label) in features.iter().zip(&ctx.labels) {
        let Some(feature) = feature else { continue };
        let levels = levels(feature);
        let ends = |get: fn(&(i64, i64)) -> i64| {
            let ends: Vec<String> = levels.iter().map(|level| number(get(level) as f64)).collect();
            ends.join(" · ")
        };
        let common = feature.statistics().common_stats();
        let (mean, all) = common.map_or((0.0, 0), |c| (c.avg_num_values, c.tot_num_values));
        let _ = write!(
            out,
            "<tr><th scope=row>{}<td>{}<td>{}<td>{}<td>{}",
            clip(label, 40),
            ends(|level| level.0),
            number(f64::from(mean)),
            ends(|level| level.1),
            count(all)
        );
    }
    out.push_str("</table>");
    out
}

/// The custom statistics that are numbers or text, of the judged dataset.
fn custom(ctx: &Context<'_>, features: &[Option<FeatureView<'_, '_>>]) -> String {
    let Some(feature) = &features[ctx.current] else { return String::new() };
    let mut rows = String::new();
    for statistic in feature.statistics().custom_stats.iter().take(24) {
        let value = match &statistic.val {
            Some(Val::Num(x)) => number(*x),
            Some(Val::Str(text)) => clip(text, 200),
            Some(Val::RankHistogram(ranks)) => {
                let labels = ranks.buckets.iter().take(5);
                let labels = labels.map(|b| {
                    format!("<bdi>{}</bdi> {}", clip(&b.label, 32), number(b.sample_count))
                });
                labels.collect::<Vec<_>>().join(", ")
            }
            Some(Val::Histogram(histogram)) => {
                let n: f64 = histogram.buckets.iter().map(|bucket| bucket.sample_count).sum();
                format!("histogram of {}", number(n))
            }
            Some(Val::Any(_)) | None => continue,
        };
        let name = clip(&statistic.name, 60);
        let _ = write!(rows, "<tr><th scope=row>{name}<td class=t>{value}");
    }
    if rows.is_empty() {
        return rows;
    }
    format!("<table><caption>Further statistics<tbody>{rows}</table>")
}
