//! What is wrong with a feature, in TFDV's words and with our own evidence beside them.

use std::fmt::Display;

use serde::Serialize;

use crate::tfmd::anomaly_info::{self, Severity, Type};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// The kind of anomaly.
    #[serde(serialize_with = "name_of_type")]
    pub kind: Type,
    /// TFDV's short description.
    pub short_description: String,
    /// TFDV's description.
    pub description: String,
    /// Which field of the schema says so, as `presence.min_fraction`; empty where none does.
    pub rule: &'static str,
    /// What the schema expects.
    pub expected: Option<String>,
    /// What the data hold.
    pub observed: Option<String>,
    /// The values that break the rule with their counts, most frequent first.
    pub values: Vec<OffendingValue>,
    /// How many distinct values break the rule, also those that are not listed.
    pub num_values: usize,
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OffendingValue {
    /// The value.
    pub value: String,
    /// How often it occurs, or what its occurrences weigh.
    pub count: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn name_of_type<S: serde::Serializer>(kind: &Type, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.as_str_name())
}

impl Reason {
    /// A reason in TFDV's words.
    pub(super) fn new(
        kind: Type,
        short_description: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Reason {
            kind,
            short_description: short_description.into(),
            description: description.into(),
            rule: "",
            expected: None,
            observed: None,
            values: Vec::new(),
            num_values: 0,
        }
    }

    /// Adds the rule that is broken.
    pub(super) fn rule(mut self, rule: &'static str, expected: impl Display) -> Self {
        self.rule = rule;
        self.expected = Some(format!("{expected}"));
        self
    }

    /// Adds what was found.
    pub(super) fn observed(mut self, observed: impl Display) -> Self {
        self.observed = Some(format!("{observed}"));
        self
    }

    /// Adds the values that break the rule; the most frequent are kept.
    pub(super) fn values<'a>(mut self, values: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        /// More would not be read.
        const KEPT: usize = 20;
        let mut values: Vec<(&str, f64)> = values.into_iter().collect();
        values.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        self.num_values = values.len();
        let kept = values.into_iter().take(KEPT);
        self.values =
            kept.map(|(value, count)| OffendingValue { value: value.to_owned(), count }).collect();
        self
    }

    /// The reason as a message.
    pub(super) fn to_message(&self) -> anomaly_info::Reason {
        anomaly_info::Reason {
            r#type: Some(self.kind.into()),
            short_description: Some(self.short_description.clone()),
            description: Some(self.description.clone()),
        }
    }
}

/// How severe anomalies are: errors, but for what a caller overrides.
#[derive(Clone, Debug, Default)]
pub struct Severities {
    /// Other severities of some kinds; the last of a kind counts.
    pub overrides: Vec<(Type, Severity)>,
}

impl Severities {
    /// The severity of one kind.
    pub fn of(&self, kind: Type) -> Severity {
        let found = self.overrides.iter().rev().find(|(overridden, _)| *overridden == kind);
        found.map_or(Severity::Error, |(_, severity)| *severity)
    }

    /// The greatest severity among reasons.
    pub fn of_all(&self, reasons: &[Reason]) -> Severity {
        reasons.iter().map(|reason| self.of(reason.kind)).max().unwrap_or(Severity::Unknown)
    }
}
