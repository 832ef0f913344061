//! The gate: what a validation found, told to people, to CI systems and to programs.
//!
//! Every form is a pure function of a [`Gate`]: [`text`] for a terminal, [`json`] for programs,
//! [`junit`] for CI systems, [`github`] for annotations of a pull request.

mod github;
mod json;
mod junit;
mod text;

use std::collections::BTreeMap;

use ops::drift::DriftReport;
use ops::tfmd::Path;
use ops::tfmd::anomaly_info::{Severity, Type};
use ops::validate::{Reason, Unchecked, Validation};
use serde::Serialize;

pub use github::github;
pub use json::json;
pub use junit::junit;
pub use text::{TextOptions, text};

/// Everything there is to tell about a validation.
#[derive(Clone, Debug)]
pub struct Gate {
    /// What was validated, as the user named it.
    pub data: String,
    /// The file of the schema, as the user named it.
    pub schema: String,
    /// The environment, if one was chosen.
    pub environment: Option<String>,
    /// How many features the schema has, those in structs included.
    pub num_features: usize,
    /// The datasets: all examples, then slices.
    pub checked: Vec<Checked>,
    /// Comparisons with other data.
    pub comparisons: Vec<DriftReport>,
    /// What of the schema nobody looked at.
    pub unchecked: Vec<Unchecked>,
    /// The least severity that closes the gate.
    pub fail_on: Severity,
}

/// One dataset, validated.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The slice's name; empty for all examples.
    pub slice: String,
    /// How many examples there were.
    pub examples: u64,
    /// What was found.
    pub validation: Validation,
    /// What is found in the statistics of the previous span by the same schema.
    pub before: Option<Validation>,
    /// Where anomalies are in the data, if those were read.
    pub places: BTreeMap<(Path, Type), Place>,
}

/// Where in the data an anomaly is first seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The row in the file, from 1.
    pub row: u64,
    /// How many rows have it.
    pub rows: u64,
    /// The value in that row.
    pub value: Option<String>,
}

/// Since when there is an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The previous span does not have it.
    ThisSpan,
    /// The previous span has it, too.
    Before,
}

impl Gate {
    /// True if nothing is severe enough to close the gate.
    pub fn is_open(&self) -> bool {
        self.severity().is_none_or(|severity| severity < self.fail_on)
    }

    /// The greatest severity of all anomalies.
    pub fn severity(&self) -> Option<Severity> {
        self.checked.iter().filter_map(|checked| checked.validation.severity()).max()
    }

    /// How many anomalies there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.anomalies().filter(|anomaly| anomaly.severity == severity).count()
    }

    /// Every anomaly, in the order of datasets and features; the severest first.
    pub fn anomalies(&self) -> impl Iterator<Item = Anomaly<'_>> {
        let mut all: Vec<Anomaly<'_>> = self.checked.iter().flat_map(Checked::anomalies).collect();
        all.sort_by_key(|anomaly| std::cmp::Reverse(anomaly.severity));
        all.into_iter()
    }
}

/// What is wrong with a feature, or with a dataset.
#[derive(Clone, Debug)]
pub struct Anomaly<'a> {
    /// Where it was found.
    pub checked: &'a Checked,
    /// The feature; none for the dataset as a whole.
    pub path: Option<&'a Path>,
    /// How severe it is.
    pub severity: Severity,
    /// Why; none where there were no examples to look at.
    pub reasons: &'a [Reason],
}

impl Anomaly<'_> {
    /// What it is about: a feature, in a slice if not in all examples.
    pub fn subject(&self) -> String {
        let what = match self.path {
            Some(path) => path.to_string(),
            None => "(dataset)".to_owned(),
        };
        match self.checked.slice.as_str() {
            "" => what,
            slice => format!("{slice}::{what}"),
        }
    }

    /// Since when there is a reason; none if nothing is known of the span before.
    pub fn since(&self, reason: &Reason) -> Option<Since> {
        let before = self.checked.before.as_ref()?;
        // What the previous span would be compared with is not known.
        if reason.rule.contains("comparator") {
            return None;
        }
        let found = match self.path {
            Some(path) => before.features.get(path),
            None => before.dataset.as_ref(),
        };
        let same = found.is_some_and(|found| found.reasons.iter().any(|r| r.kind == reason.kind));
        Some(if same { Since::Before } else { Since::ThisSpan })
    }

    /// Where a reason is first seen, if that is known.
    pub fn place(&self, reason: &Reason) -> Option<&Place> {
        let path = self.path?;
        // A dataset has a feature in too few examples; a single example lacks it.
        let kinds = match reason.kind {
            kind @ (Type::FeatureTypeLowFractionPresent | Type::InvalidFeatureShape) => {
                [kind, Type::SchemaMissingColumn]
            }
            kind => [kind, kind],
        };
        kinds.iter().find_map(|kind| self.checked.places.get(&(path.clone(), *kind)))
    }
}

impl Checked {
    fn anomalies(&self) -> impl Iterator<Item = Anomaly<'_>> {
        let found = &self.validation;
        let features = found.features.iter().map(|(path, finding)| (Some(path), finding));
        let dataset = found.dataset.iter().map(|finding| (None, finding));
        let all = dataset.chain(features).map(|(path, finding)| Anomaly {
            checked: self,
            path,
            severity: finding.severity,
            reasons: &finding.reasons,
        });
        let missing = found.data_missing.then_some(Anomaly {
            checked: self,
            path: None,
            severity: Severity::Error,
            reasons: &[],
        });
        missing.into_iter().chain(all)
    }
}

/// What is said where there was nothing to look at.
const NO_EXAMPLES: &str = "There are no examples: nothing was checked.";

#[cfg(test)]
mod tests;
