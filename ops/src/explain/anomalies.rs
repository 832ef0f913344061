//! Anomalies in a file: the rule that is broken, what was found, and what to do.

use std::fmt::Write;

use engine::{Error, Result};

use super::paragraph;
use crate::drift::short;
use crate::tfmd::anomalies::BaselineSchema;
use crate::tfmd::anomaly_info::Severity;
use crate::tfmd::drift_skew_info::Measurement;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{Anomalies, AnomalyInfo, Feature, Path, Schema, text};
use crate::validate::Kind;

/// Which fields of a feature decide, by how the name of an anomaly begins; the longest beginning counts.
const FIELDS: &[(&str, &[&str])] = &[
    ("BOOL_TYPE", &["type", "bool_domain"]),
    ("COMPARATOR", &["drift_comparator", "skew_comparator"]),
    ("DERIVED", &["lifecycle_stage", "validation_derived_source"]),
    ("DOMAIN_INVALID", &["type", "*_domain", "domain"]),
    ("EMBEDDING", &["float_domain", "shape", "value_count"]),
    ("ENUM_TYPE", &["domain", "string_domain", "distribution_constraints"]),
    ("FEATURE_COVERAGE", &["natural_language_domain"]),
    ("FEATURE_MISSING", &["name", "type"]),
    ("FEATURE_TYPE_HIGH_NUMBER", &["value_count", "value_counts"]),
    ("FEATURE_TYPE_HIGH_UNIQUE", &["unique_constraints"]),
    ("FEATURE_TYPE_LOW_FRACTION", &["presence"]),
    ("FEATURE_TYPE_LOW_NUMBER_PRESENT", &["presence"]),
    ("FEATURE_TYPE_LOW_NUMBER_VALUES", &["value_count", "value_counts"]),
    ("FEATURE_TYPE_LOW_UNIQUE", &["unique_constraints"]),
    ("FEATURE_TYPE_NOT_PRESENT", &["presence", "in_environment", "not_in_environment"]),
    ("FEATURE_TYPE_NO_UNIQUE", &["unique_constraints"]),
    ("FLOAT_TYPE", &["float_domain"]),
    ("INT_TYPE", &["int_domain"]),
    ("INVALID_DOMAIN", &["domain", "*_domain"]),
    ("INVALID_FEATURE_SHAPE", &["shape"]),
    (
        "INVALID_SCHEMA",
        &["presence", "value_count", "value_counts", "shape", "distribution_constraints"],
    ),
    ("LOW_SUPPORTED_IMAGE", &["image_domain"]),
    ("MAX_IMAGE", &["image_domain"]),
    ("SCHEMA_MISSING", &["presence", "in_environment", "not_in_environment"]),
    ("SCHEMA_NEW", &["in_environment", "not_in_environment"]),
    ("SEMANTIC", &["domain", "*_domain"]),
    ("SEQUENCE", &["natural_language_domain"]),
    ("STATS_NOT_AVAILABLE", &["natural_language_domain"]),
    ("UNEXPECTED_DATA_TYPE", &["type"]),
    ("VALUE_NESTEDNESS", &["value_count", "value_counts"]),
];

/// Every anomaly of a file, or those of one feature: rule, finding and remedy.
///
/// # Errors
/// The feature that was named has no anomaly; similar names are in the hint.
pub fn explain_anomalies(anomalies: &Anomalies, feature: Option<&str>) -> Result<String> {
    let mut out = String::new();
    let nothing = Schema::default();
    let schema = match &anomalies.baseline_schema {
        Some(BaselineSchema::Baseline(schema)) => schema,
        _ => &nothing,
    };
    let known: Vec<String> = anomalies.anomaly_info.keys().cloned().collect();
    if let Some(name) = feature {
        if !known.iter().any(|key| key == name) {
            let error = Error::invalid(format!("`{name}` has no anomaly in this file"))
                .with_detail(format!("{} features have some.", known.len()));
            return Err(crate::tfmd::nearest::hint(error, name, &known));
        }
    } else if let Some(info) = &anomalies.dataset_anomaly_info {
        let constraints = schema.dataset_constraints.as_ref().map(text::print);
        out += &explained("The dataset", info, &constraints.unwrap_or_default());
    }
    for key in known.iter().filter(|key| feature.is_none_or(|name| name == *key)) {
        let info = &anomalies.anomaly_info[key];
        let path = info.path.clone().or_else(|| key.parse().ok()).unwrap_or_default();
        out += &explained(key, info, &rules(schema, &path, info));
        for found in anomalies.drift_skew_info.iter().filter(|d| d.path.as_ref() == Some(&path)) {
            out += &measurements("drift", &found.drift_measurements);
            out += &measurements("skew", &found.skew_measurements);
        }
    }
    if anomalies.data_missing() {
        out += "There are no examples, so nothing was checked.\n";
    } else if out.is_empty() {
        out += "There are no anomalies.\n";
    }
    Ok(out)
}

/// One feature's anomalies with what the schema says.
fn explained(name: &str, info: &AnomalyInfo, rules: &str) -> String {
    let severity = match info.severity() {
        Severity::Unknown => "anomaly",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut out = format!("{name}: {severity}\n");
    for reason in &info.reason {
        let kind = Kind::of(reason.r#type());
        let _ = writeln!(out, "  {}", reason.r#type().as_str_name());
        let found = match reason.description().trim() {
            "" => reason.short_description(),
            description => description,
        };
        out += &paragraph(4, &format!("found: {found}"));
        if let Some(kind) = kind {
            out += &paragraph(4, &format!("rule: {}", kind.trigger));
            out += &paragraph(4, &format!("remedy: {}", kind.remedy));
        }
    }
    if !rules.is_empty() {
        out.push_str("  in the schema:\n");
        rules.lines().for_each(|line| {
            let _ = writeln!(out, "    {line}");
        });
    }
    out.push('\n');
    out
}

fn measurements(of: &str, measurements: &[Measurement]) -> String {
    let mut out = String::new();
    for measurement in measurements {
        let name = measurement.r#type().as_str_name();
        let (value, threshold) = (short(measurement.value()), short(measurement.threshold()));
        let _ = writeln!(out, "  {of}: {name} {value}, threshold {threshold}");
    }
    out + if measurements.is_empty() { "" } else { "\n" }
}

/// What the schema says about a feature in the fields that its anomalies are about.
fn rules(schema: &Schema, path: &Path, info: &AnomalyInfo) -> String {
    let Some(feature) = schema.feature_at(path) else { return String::new() };
    let mut wanted: Vec<&str> = Vec::new();
    for reason in &info.reason {
        let name = reason.r#type().as_str_name();
        let longest = FIELDS
            .iter()
            .filter(|(beginning, _)| name.starts_with(beginning))
            .max_by_key(|(beginning, _)| beginning.len());
        wanted.extend(longest.into_iter().flat_map(|(_, fields)| *fields));
    }
    let is_wanted = |field: &str| {
        wanted.iter().any(|name| {
            *name == field || name.strip_prefix('*').is_some_and(|end| field.ends_with(end))
        })
    };
    let mut out = blocks(&text::print(feature), &is_wanted);
    if is_wanted("domain") {
        out += &named_domain(schema, feature);
    }
    out
}

/// The values of a domain that several features may share.
fn named_domain(schema: &Schema, feature: &Feature) -> String {
    const SHOWN: usize = 12;
    let Some(DomainInfo::Domain(name)) = &feature.domain_info else { return String::new() };
    let Some(domain) = schema.string_domain_of(feature) else { return String::new() };
    let values: Vec<&str> = domain.value.iter().take(SHOWN).map(String::as_str).collect();
    let more = domain.value.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("string_domain `{name}`: {}{more}\n", values.join(", "))
}

/// The outermost fields of a text message that are wanted, with all that is in them.
fn blocks(message: &str, is_wanted: &impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut keeps = false;
    for line in message.lines() {
        if !line.starts_with([' ', '}']) {
            let name = line.split([':', ' ']).next().unwrap_or_default();
            keeps = is_wanted(name);
        }
        if keeps {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfmd::text::parse;
    use crate::validate::KINDS;

    #[test]
    fn rule_finding_and_remedy() {
        let anomalies: Anomalies = parse(
            "baseline {
               feature { name: 'fare' type: FLOAT presence { min_fraction: 1 } float_domain { max: 9 } }
               feature { name: 'how' type: BYTES domain: 'ways' } string_domain { name: 'ways' value: 'cash' } }
             anomaly_info { key: 'fare' value { severity: ERROR path { step: 'fare' } reason {
               type: FEATURE_TYPE_LOW_FRACTION_PRESENT description: 'Half is missing.' } } }
             anomaly_info { key: 'how' value { severity: WARNING reason {
               type: ENUM_TYPE_UNEXPECTED_STRING_VALUES short_description: 'Unexpected string values' } } }
             drift_skew_info { path { step: 'how' } drift_measurements { type: L_INFTY value: 0.5 threshold: 0.1 } }",
        )
        .unwrap();
        let all = explain_anomalies(&anomalies, None).unwrap();
        for part in [
            "fare: error",
            "found: Half is missing.",
            "remedy: See why values are missing",
            "min_fraction: 1.0",
            "how: warning",
            "found: Unexpected string values",
            "string_domain `ways`: cash",
            "drift: L_INFTY 0.5, threshold 0.1",
        ] {
            assert!(all.contains(part), "{part}\nis not in\n{all}");
        }
        assert!(!all.contains("max: 9"), "{all}");
        assert!(!explain_anomalies(&anomalies, Some("how")).unwrap().contains("fare"));
        let error = explain_anomalies(&anomalies, Some("far")).unwrap_err();
        assert_eq!(error.hint(), Some("Did you mean `fare`?"));
        let none = explain_anomalies(&Anomalies::default(), None).unwrap();
        assert_eq!(none, "There are no anomalies.\n");
    }

    #[test]
    fn beginnings_are_those_of_anomalies() {
        for (beginning, _) in FIELDS {
            assert!(KINDS.iter().any(|kind| kind.name().starts_with(beginning)), "{beginning}");
        }
    }
}
