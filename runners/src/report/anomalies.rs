//! The table of anomalies: what is wrong, how much, by which rule, and what it was before.

use std::fmt::Write as _;

use ops::tfmd::anomaly_info::{Reason, Severity, Type};
use ops::tfmd::{AnomalyInfo, DatasetView, FeatureView, Path};

use super::Context;
use super::drift::{self, Against};
use super::features::{Kind, chart, num_nan, severity_name};
use super::histograms::digits;
use super::html::{clip, value};
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
pub(super) fn all(anomalies: &ops::tfmd::Anomalies) -> Vec<Anomaly<'_>> {
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
            out.push_str(&facts(ctx, reason, anomaly.path.as_ref(), &features));
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
    path: Option<&Path>,
    features: &[Option<FeatureView<'_, '_>>],
) -> String {
    let kind = reason.r#type();
    if let (
        Type::ComparatorLInftyHigh
        | Type::ComparatorJensenShannonDivergenceHigh
        | Type::ComparatorNormalizedAbsoluteDifferenceHigh,
        Some(path),
    ) = (kind, path)
    {
        let is_skew = reason.short_description().contains("serving");
        let against = if is_skew { Against::Serving } else { Against::Previous };
        return drift::facts(ctx.distances(path), against, kind);
    }
    let mut facts: Vec<(&str, String)> = Vec::new();
    let finding = ctx.validation.and_then(|validation| match path {
        Some(path) => validation.features.get(path),
        None => validation.dataset.as_ref(),
    });
    let evidence = finding.and_then(|finding| finding.reasons.iter().find(|r| r.kind == kind));
    if let Some(evidence) = evidence {
        let quoted = |text: &String| clip(text, 160);
        facts.extend(evidence.observed.as_ref().map(|text| ("observed", quoted(text))));
        facts.extend(evidence.expected.as_ref().map(|text| ("expected", quoted(text))));
        if !evidence.rule.is_empty() {
            facts.push(("rule", format!("<code>{}</code>", clip(evidence.rule, 60))));
        }
    }
    let baseline = (ctx.current > 0).then(|| features[0].as_ref()).flatten();
    let before = baseline.and_then(|baseline| before(kind, baseline));
    facts.extend(before.map(|text| ("baseline", text)));
    list(&facts) + &evidence.map_or(String::new(), |evidence| offending(evidence, features, ctx))
}

/// What the baseline had of the number that is wrong now.
fn before(kind: Type, baseline: &FeatureView<'_, '_>) -> Option<String> {
    match kind {
        Type::FeatureTypeLowFractionPresent
        | Type::FeatureTypeLowNumberPresent
        | Type::FeatureTypeNotPresent
        | Type::SchemaMissingColumn
        | Type::InvalidFeatureShape => {
            let share = baseline.fraction_present()?;
            Some(format!("in {} of examples", percent(share, 1.0)))
        }
        Type::IntTypeBigInt
        | Type::IntTypeSmallInt
        | Type::FloatTypeBigFloat
        | Type::FloatTypeSmallFloat => {
            let stats = baseline.numeric()?;
            Some(format!("{} to {}", digits(stats.min), digits(stats.max)))
        }
        Type::FloatTypeHasNan => Some(format!("{} NaN", count(num_nan(baseline)))),
        Type::FeatureTypeHighUnique | Type::FeatureTypeLowUnique => {
            Some(format!("{} distinct", count(baseline.num_unique()?)))
        }
        _ => None,
    }
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

/// The values that break the rule, with their counts.
fn offending(
    evidence: &ops::validate::Reason,
    features: &[Option<FeatureView<'_, '_>>],
    ctx: &Context<'_>,
) -> String {
    if evidence.values.is_empty() {
        return String::new();
    }
    let total = features[ctx.current].map_or(0.0, |feature| feature.num_values());
    let mut out = String::from("<ul>");
    for offending in evidence.values.iter().take(QUOTED) {
        let text = value(&offending.value, 60);
        let share = percent(offending.count, total);
        let _ = write!(out, "<li><q>{text}</q> {} ({share})", number(offending.count));
    }
    if evidence.num_values > QUOTED {
        let more = count((evidence.num_values - QUOTED) as u64);
        let _ = write!(out, "<li>and {more} more values");
    }
    out.push_str("</ul>");
    out
}
