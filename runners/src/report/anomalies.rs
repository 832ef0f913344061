//! The table of anomalies: what is wrong, how much, by which rule, and what it was before.

use std::fmt::Write as _;

use ops::tfmd::anomaly_info::{Reason, Severity, Type};
use ops::tfmd::feature::{DomainInfo, PresenceConstraints};
use ops::tfmd::{AnomalyInfo, DatasetView, FeatureView, Path};

use super::Context;
use super::drift::{self, Against};
use super::features::{Kind, chart, num_nan, severity_name};
use super::html::{clip, value};
use super::ranks::Ranks;
use crate::table::format::{count, number, percent};

/// Anomalies with a chart beside them.
const CHARTS: usize = 100;
/// Values that are quoted for one anomaly.
const QUOTED: usize = 12;
/// Characters of a sentence.
const SENTENCE: usize = 600;

/// One anomaly and where it is.
pub(super) struct Anomaly<'a> {
    /// None for the dataset as a whole.
    pub(super) path: Option<Path>,
    pub(super) info: &'a AnomalyInfo,
}

impl Anomaly<'_> {
    pub(super) fn severity(&self) -> Severity {
        self.info.severity()
    }
}

/// All anomalies, errors first.
pub(super) fn all<'a>(anomalies: &'a ops::tfmd::Anomalies) -> Vec<Anomaly<'a>> {
    let dataset = anomalies.dataset_anomaly_info.iter().map(|info| Anomaly { path: None, info });
    let features = anomalies.anomaly_info.iter().map(|(key, info)| {
        // Old writers gave no path; their keys are paths as text, or just names.
        let path = info.path.clone();
        let path = path.or_else(|| key.parse().ok()).unwrap_or_else(|| Path::new([key.as_str()]));
        Anomaly { path: Some(path), info }
    });
    let mut all: Vec<Anomaly<'_>> = dataset.chain(features).collect();
    all.sort_by_key(|anomaly| std::cmp::Reverse(anomaly.severity()));
    all
}

/// The table; none without anomalies.
pub(super) fn table(
    ctx: &Context<'_>,
    views: &[Option<DatasetView<'_>>],
    link: &dyn Fn(&Path) -> Option<usize>,
) -> Option<String> {
    if ctx.anomalies.is_empty() {
        return None;
    }
    let mut out = String::from(
        "<div class=scroll tabindex=0 role=region aria-label=\"Anomalies\"><table class=anomalies>\
         <caption class=sr>Anomalies, errors first<thead><tr><th scope=col>Severity\
         <th scope=col>Feature<th scope=col>What is wrong<th scope=col>Distribution",
    );
    for (i, anomaly) in ctx.anomalies.iter().enumerate() {
        let features: Vec<Option<FeatureView<'_, '_>>> = match &anomaly.path {
            Some(path) => views.iter().map(|v| v.as_ref().and_then(|v| v.get(path))).collect(),
            None => vec![None; views.len()],
        };
        let severity = severity_name(anomaly.severity());
        let sign = if severity == "error" { "✖" } else { "▲" };
        let whole = [Reason {
            r#type: None,
            short_description: anomaly.info.short_description.clone(),
            description: anomaly.info.description.clone(),
        }];
        let reasons = &anomaly.info.reason;
        let reasons = if reasons.is_empty() { &whole[..] } else { reasons.as_slice() };
        let n = reasons.len();
        let name = match &anomaly.path {
            None => "<i>dataset</i>".to_owned(),
            Some(path) => {
                let name = clip(&path.to_string(), 64);
                match link(path) {
                    Some(i) => format!("<a href=\"#f0-{i}\">{name}</a>"),
                    None => name,
                }
            }
        };
        let _ = write!(
            out,
            "<tbody><tr><td rowspan={n} class={severity}>{sign} {severity}<th scope=rowgroup \
             rowspan={n}>{name}"
        );
        for (j, reason) in reasons.iter().enumerate() {
            if j > 0 {
                out.push_str("<tr>");
            }
            let short = clip(reason.short_description().trim().trim_end_matches([':', '.']), 120);
            let sentence = clip(reason.description().trim(), SENTENCE);
            let _ = write!(out, "<td class=t><b>{short}</b>");
            if !sentence.is_empty() {
                let _ = write!(out, "<p>{sentence}");
            }
            if let Some(path) = &anomaly.path {
                out.push_str(&facts(ctx, reason, path, &features));
            }
            if j == 0 {
                let _ = write!(out, "<td class=c rowspan={n}>");
                let kind = features[ctx.current].as_ref().or(features.iter().flatten().next());
                if let (Some(path), Some(feature), true) = (&anomaly.path, kind, i < CHARTS) {
                    let kind = Kind::of(feature);
                    out.push_str(&chart(&path.to_string(), kind, &features, ctx));
                }
            }
        }
    }
    out.push_str("</table></div>");
    Some(out)
}

/// The numbers behind a reason: what was measured, what is allowed, what it was in the baseline.
fn facts(
    ctx: &Context<'_>,
    reason: &Reason,
    path: &Path,
    features: &[Option<FeatureView<'_, '_>>],
) -> String {
    let current = features[ctx.current].as_ref();
    let baseline = (ctx.current > 0).then(|| features[0].as_ref()).flatten();
    let schema = ctx.schema.and_then(|schema| schema.feature_at(path));
    let mut facts: Vec<(&str, String)> = Vec::new();
    match reason.r#type() {
        kind @ (Type::ComparatorLInftyHigh
        | Type::ComparatorJensenShannonDivergenceHigh
        | Type::ComparatorNormalizedAbsoluteDifferenceHigh) => {
            let is_skew = reason.short_description().contains("serving");
            let against = if is_skew { Against::Serving } else { Against::Previous };
            return drift::facts(ctx.distances(path), against, kind);
        }
        Type::EnumTypeUnexpectedStringValues | Type::BoolTypeUnexpectedString => {
            return unexpected(ctx, path, current);
        }
        Type::FeatureTypeLowFractionPresent
        | Type::FeatureTypeLowNumberPresent
        | Type::FeatureTypeNotPresent
        | Type::SchemaMissingColumn
        | Type::InvalidFeatureShape => {
            let present = |feature: Option<&FeatureView<'_, '_>>| {
                let share = feature.and_then(FeatureView::fraction_present)?;
                Some(format!("in {} of examples", percent(share, 1.0)))
            };
            facts.push(("measured", present(current).unwrap_or_else(|| "not there".to_owned())));
            if let Some(Some(PresenceConstraints::Presence(presence))) =
                schema.map(|s| s.presence_constraints)
            {
                let fraction =
                    presence.min_fraction.map(|x| format!("at least {}", percent(x, 1.0)));
                let least = presence.min_count.filter(|n| *n > 1);
                let least = least.map(|n| format!("at least {} examples", count(n as u64)));
                let limits: Vec<String> = fraction.into_iter().chain(least).collect();
                if !limits.is_empty() {
                    facts.push(("schema", limits.join(", ")));
                }
            }
            facts.extend(present(baseline).map(|text| ("baseline", text)));
        }
        Type::IntTypeBigInt
        | Type::IntTypeSmallInt
        | Type::FloatTypeBigFloat
        | Type::FloatTypeSmallFloat => {
            let range = |feature: Option<&FeatureView<'_, '_>>| {
                let stats = feature?.numeric()?;
                Some(format!("{} to {}", number(stats.min), number(stats.max)))
            };
            facts.extend(range(current).map(|text| ("measured", text)));
            let allowed = |low: Option<f64>, high: Option<f64>| match (low, high) {
                (Some(low), Some(high)) => Some(format!("{} to {}", number(low), number(high))),
                (Some(low), None) => Some(format!("at least {}", number(low))),
                (None, Some(high)) => Some(format!("at most {}", number(high))),
                (None, None) => None,
            };
            let allowed = match schema.and_then(|schema| schema.domain_info.as_ref()) {
                Some(DomainInfo::IntDomain(domain)) => {
                    allowed(domain.min.map(|x| x as f64), domain.max.map(|x| x as f64))
                }
                Some(DomainInfo::FloatDomain(domain)) => {
                    allowed(domain.min.map(f64::from), domain.max.map(f64::from))
                }
                _ => None,
            };
            facts.extend(allowed.map(|text| ("schema", text)));
            facts.extend(range(baseline).map(|text| ("baseline", text)));
        }
        Type::FloatTypeHasNan => {
            let share = |feature: Option<&FeatureView<'_, '_>>| {
                let feature = feature?;
                let n = num_nan(feature);
                Some(format!("{} NaN ({})", count(n), percent(n as f64, feature.num_values())))
            };
            facts.extend(share(current).map(|text| ("measured", text)));
            facts.extend(share(baseline).map(|text| ("baseline", text)));
        }
        Type::FeatureTypeHighUnique | Type::FeatureTypeLowUnique => {
            let unique = |feature: Option<&FeatureView<'_, '_>>| {
                Some(format!("{} distinct", count(feature?.num_unique()?)))
            };
            facts.extend(unique(current).map(|text| ("measured", text)));
            facts.extend(unique(baseline).map(|text| ("baseline", text)));
        }
        _ => {}
    }
    list(&facts)
}

/// Facts as a list.
pub(super) fn list(facts: &[(&str, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let mut out = String::from("<ul>");
    for (name, text) in facts {
        let _ = write!(out, "<li><i>{name}</i> {text}");
    }
    out.push_str("</ul>");
    out
}

/// The values that are not in the schema's set, with their counts.
fn unexpected(ctx: &Context<'_>, path: &Path, feature: Option<&FeatureView<'_, '_>>) -> String {
    let domain = ctx.schema.and_then(|schema| {
        let feature = schema.feature_at(path)?;
        schema.string_domain_of(feature)
    });
    let (Some(domain), Some(feature)) = (domain, feature) else { return String::new() };
    let known: std::collections::BTreeSet<&str> = domain.value.iter().map(String::as_str).collect();
    let Some(ranks) = Ranks::of(feature) else { return String::new() };
    let mut out = String::from("<ul>");
    let unexpected = || ranks.values().filter(|(value, _)| !known.contains(value));
    let total = feature.num_values();
    for (text, n) in unexpected().take(QUOTED) {
        let text = value(text, 60);
        let _ = write!(out, "<li><q>{text}</q> {} ({})", number(n), percent(n, total));
    }
    match unexpected().count() {
        0 => return String::new(),
        n if n > QUOTED => {
            let _ = write!(out, "<li>and {} more values", count((n - QUOTED) as u64));
        }
        _ => {}
    }
    out.push_str("</ul>");
    out
}
