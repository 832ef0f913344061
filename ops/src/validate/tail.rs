//! Values that statistics do not list, found in single examples.
//!
//! Statistics list the most frequent values, so a domain is checked against those alone, as TFDV
//! does. Where examples were validated, too, every value was looked at: then the tail is known.

use super::Severities;
use super::examples::{ReasonCount, ReasonSummary};
use super::reason::{OffendingValue, Reason};
use super::unchecked::Unchecked;
use super::validation::Validation;
use crate::tfmd::{Path, Schema};

impl Validation {
    /// Adds what examples break of domains that the statistics show only in part, and takes those
    /// from the list of what was not checked.
    ///
    /// Domains that allow a share of other values stay on the list: how large the share is among
    /// values that nobody counted is not known.
    pub fn add_tail(
        &mut self,
        found: &ReasonSummary,
        unchecked: &mut Vec<Unchecked>,
        schema: &Schema,
        severities: &Severities,
    ) {
        unchecked.retain(|partly| {
            let Ok(path) = partly.path.parse::<Path>() else { return true };
            let allows_some = schema
                .feature_at(&path)
                .and_then(|feature| feature.distribution_constraints)
                .and_then(|constraints| constraints.min_domain_mass)
                .is_some_and(|mass| mass < 1.0);
            if !partly.is_partly || allows_some {
                return true;
            }
            let known = |kind| {
                let found = self.features.get(&path);
                found.is_some_and(|found| found.reasons.iter().any(|reason| reason.kind == kind))
            };
            let of_feature = found.reasons.iter().filter(|reason| reason.path == partly.path);
            let new: Vec<Reason> = of_feature
                .filter(|reason| is_of_domain(reason) && !known(reason.kind))
                .map(|reason| to_reason(reason, partly.rule))
                .collect();
            if !new.is_empty() {
                let finding = self.features.entry(path).or_default();
                finding.reasons.extend(new);
                finding.severity = severities.of_all(&finding.reasons);
            }
            false
        });
    }
}

/// Whether a reason is about the domain of values.
fn is_of_domain(reason: &ReasonCount) -> bool {
    let name = reason.kind.as_str_name();
    ["ENUM_TYPE_", "BOOL_TYPE_", "INT_TYPE_", "FLOAT_TYPE_"].iter().any(|of| name.starts_with(of))
}

fn to_reason(found: &ReasonCount, rule: &'static str) -> Reason {
    let text = format!(
        "{} examples have values outside of the domain that are too rare to be among those that \
         the statistics list.",
        found.count
    );
    let value = found.value.clone();
    let values = value.map(|value| OffendingValue { value, count: found.count as f64 });
    Reason {
        values: values.into_iter().collect(),
        num_values: 1,
        ..Reason::new(found.kind, "Rare values outside of the domain", text)
    }
    .rule(rule, "values of the domain")
}

#[cfg(test)]
mod tests {
    use super::super::{ControlStatistics, ValidateOptions, unchecked, validate_statistics};
    use super::*;
    use crate::tfmd::DatasetFeatureStatistics;
    use crate::tfmd::anomaly_info::Type;
    use crate::tfmd::text::parse;

    fn check(feature: &str, reasons: &[(&str, Type)], anomalies: usize, unchecked_after: usize) {
        let schema: Schema =
            parse(&format!("feature {{ name: 'a' type: BYTES {feature} }}")).unwrap();
        let statistics: DatasetFeatureStatistics = parse(
            "num_examples: 9 features { path { step: 'a' } type: STRING string_stats {
               common_stats { num_non_missing: 9 tot_num_values: 9 } unique: 2
               rank_histogram { buckets { label: 'x' sample_count: 8 } } } }",
        )
        .unwrap();
        let (controls, options) = (ControlStatistics::default(), ValidateOptions::default());
        let mut found = validate_statistics(&statistics, controls, &schema, &options).unwrap();
        assert!(found.is_clean());
        let mut left = unchecked(&schema, &statistics, controls);
        let reason = |(path, kind): &(&str, Type)| ReasonCount {
            path: (*path).to_owned(),
            kind: *kind,
            count: 1,
            first_shard: 0,
            first_row: 3,
            description: String::new(),
            value: Some("y".to_owned()),
        };
        let summary = ReasonSummary {
            examples: 9,
            rejected: 1,
            reasons: reasons.iter().map(reason).collect(),
        };
        found.add_tail(&summary, &mut left, &schema, &options.severities);
        assert_eq!((found.features.len(), left.len()), (anomalies, unchecked_after), "{feature}");
    }

    #[test]
    fn rare_values_are_found() {
        let outside = ("a", Type::EnumTypeUnexpectedStringValues);
        check("string_domain { value: 'x' }", &[outside], 1, 0);
        check("string_domain { value: 'x' value: 'y' }", &[], 0, 0);
        check(
            "string_domain { value: 'x' }",
            &[("b", outside.1), ("a", Type::SchemaNewColumn)],
            0,
            0,
        );
        let some = "string_domain { value: 'x' } distribution_constraints { min_domain_mass: 0.5 }";
        check(some, &[outside], 0, 1);
        check("", &[outside], 0, 0);
    }
}
