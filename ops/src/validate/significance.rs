//! Anomalies of drift and skew, judged by what two samples of one distribution would show, too.
//!
//! A threshold alone alarms whenever samples are small enough, and never where nobody set one. Under
//! [`DriftPolicy::Significant`](crate::drift::DriftPolicy) the report of a comparison decides:
//! distances within the noise are kept apart as [`Validation::noise`], and shifts that nobody set a
//! threshold for become anomalies.

use super::Severities;
use super::anomalies_of_sets as text;
use super::reason::Reason;
use super::validation::{Finding, Validation};
use crate::drift::{Comparison, DriftPolicy, DriftReport, Verdict};
use crate::tfmd::Path;

impl Validation {
    /// Judges anomalies of drift, or of skew, by a report on the same two datasets.
    ///
    /// A report under TFDV's policy changes nothing.
    pub fn judge_significance(&mut self, report: &DriftReport, severities: &Severities) {
        if report.policy == DriftPolicy::Tfdv || self.data_missing {
            return;
        }
        let comparator = match report.comparison {
            Comparison::Drift => "drift_comparator",
            Comparison::Skew => "skew_comparator",
        };
        for feature in &report.features {
            let Ok(path) = feature.path.parse::<Path>() else { continue };
            let mut reasons =
                self.features.remove(&path).map(|found| found.reasons).unwrap_or_default();
            for measurement in &feature.measurements {
                let is_of = |reason: &Reason| {
                    let rule = reason.rule.strip_prefix(comparator);
                    let rule = rule.and_then(|rule| rule.strip_prefix('.'));
                    rule.is_some_and(|rule| rule.starts_with(measurement.metric))
                };
                match measurement.verdict {
                    Verdict::Noise => {
                        let (noise, kept): (Vec<_>, Vec<_>) = reasons.into_iter().partition(is_of);
                        reasons = kept;
                        if !noise.is_empty() {
                            self.noise.entry(path.clone()).or_default().extend(noise);
                        }
                    }
                    Verdict::Drifted if !reasons.iter().any(is_of) => {
                        reasons.push(text::significant_shift(report.comparison, measurement));
                    }
                    _ => {}
                }
            }
            if !reasons.is_empty() {
                let severity = severities.of_all(&reasons);
                self.features.insert(path, Finding { severity, reasons });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ControlStatistics, ValidateOptions, validate_statistics};
    use super::*;
    use crate::drift::{DriftOptions, compare};
    use crate::tfmd::text::parse;
    use crate::tfmd::{DatasetFeatureStatistics, Schema};

    fn of(card: u32, cash: u32) -> DatasetFeatureStatistics {
        let n = card + cash;
        parse(&format!(
            "num_examples: {n} features {{ path {{ step: 'f' }} type: STRING string_stats {{
               common_stats {{ num_non_missing: {n} min_num_values: 1 max_num_values: 1
                 tot_num_values: {n} }} unique: 2 rank_histogram {{
               buckets {{ label: 'card' sample_count: {card} }}
               buckets {{ label: 'cash' sample_count: {cash} }} }} }} }}"
        ))
        .unwrap()
    }

    /// The kinds of anomalies, and of those that are noise.
    fn check(
        schema: &str,
        before: (u32, u32),
        now: (u32, u32),
        anomalies: &[&str],
        noise: &[&str],
    ) {
        let schema: Schema = parse(schema).unwrap();
        let (control, current) = (of(before.0, before.1), of(now.0, now.1));
        let controls =
            ControlStatistics { previous_span: Some(&control), ..ControlStatistics::default() };
        let options = ValidateOptions::default();
        let mut found = validate_statistics(&current, controls, &schema, &options).unwrap();
        let report = compare(
            &current,
            &control,
            &DriftOptions {
                policy: DriftPolicy::Significant,
                schema: Some(&schema),
                ..DriftOptions::default()
            },
        );
        found.judge_significance(&report, &options.severities);
        let kinds = |reasons: Vec<&Reason>| -> Vec<&'static str> {
            reasons.into_iter().map(|reason| reason.kind.as_str_name()).collect()
        };
        let all = found.features.values().flat_map(|finding| &finding.reasons).collect();
        assert_eq!(kinds(all), anomalies);
        assert_eq!(kinds(found.noise.values().flatten().collect()), noise);
    }

    #[test]
    fn noise_is_kept_apart_and_shifts_are_found() {
        let with = "feature { name: 'f' type: BYTES
            drift_comparator { infinity_norm { threshold: 0.1 } } }";
        let without = "feature { name: 'f' type: BYTES }";
        let high = "COMPARATOR_L_INFTY_HIGH";
        check(with, (600, 400), (400, 600), &[high], &[]);
        check(with, (6, 4), (4, 6), &[], &[high]);
        check(with, (600, 400), (600, 400), &[], &[]);
        check(without, (6, 4), (4, 6), &[], &[]);
        check(without, (600, 400), (400, 600), &["CUSTOM_VALIDATION"], &[]);
    }
}
