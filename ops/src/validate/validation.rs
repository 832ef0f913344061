//! What a validation found, and the message that TFDV makes of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reason::Reason;
use crate::tfmd::anomalies::{AnomalyNameFormat, BaselineSchema};
use crate::tfmd::anomaly_info::{Severity, Type};
use crate::tfmd::{Anomalies, AnomalyInfo, DriftSkewInfo, Path, Schema};

/// What is wrong with one feature, or with the dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// How severe it is: as the severest reason.
    pub severity: Severity,
    /// Why; at least one.
    pub reasons: Vec<Reason>,
}

/// What a validation found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validation {
    /// What is wrong with features.
    pub features: BTreeMap<Path, Finding>,
    /// What is wrong with the dataset as a whole.
    pub dataset: Option<Finding>,
    /// True if there were no examples: then nothing else was looked at.
    pub data_missing: bool,
    /// Distances above their thresholds that samples of one distribution show, too: no anomalies.
    pub noise: BTreeMap<Path, Vec<Reason>>,
    /// Every distance that was measured, whether above its threshold or not.
    pub drift_skew: Vec<DriftSkewInfo>,
}

impl Validation {
    /// True if nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.features.is_empty() && self.dataset.is_none() && !self.data_missing
    }

    /// The greatest severity; none if nothing is wrong. Missing data are an error.
    pub fn severity(&self) -> Option<Severity> {
        let findings = self.features.values().chain(&self.dataset).map(|found| found.severity);
        findings.chain(self.data_missing.then_some(Severity::Error)).max()
    }

    /// The message that TFDV writes.
    pub fn to_anomalies(&self, baseline: &Schema) -> Anomalies {
        let mut anomalies = Anomalies {
            baseline_schema: Some(BaselineSchema::Baseline(baseline.clone())),
            ..Anomalies::default()
        };
        if self.data_missing {
            anomalies.data_missing = Some(true);
            return anomalies;
        }
        anomalies.set_anomaly_name_format(AnomalyNameFormat::SerializedPath);
        let features = self.features.iter();
        anomalies.anomaly_info = features
            .map(|(path, found)| {
                let info = AnomalyInfo { path: Some(path.clone()), ..found.to_message() };
                (path.to_string(), info)
            })
            .collect();
        anomalies.dataset_anomaly_info = self.dataset.as_ref().map(Finding::to_message);
        anomalies.drift_skew_info.clone_from(&self.drift_skew);
        anomalies
    }
}

impl Finding {
    /// The message of one anomaly: several reasons are told one after the other.
    fn to_message(&self) -> AnomalyInfo {
        // What has no description adds none.
        let told: Vec<&Reason> =
            self.reasons.iter().filter(|reason| !reason.description.is_empty()).collect();
        let (short_description, description) = match told.as_slice() {
            [] => (self.reasons.last().map(|r| r.short_description.clone()), String::new()),
            [only] => (Some(only.short_description.clone()), only.description.clone()),
            several => {
                let texts: Vec<&str> = several.iter().map(|r| r.description.as_str()).collect();
                (Some("Multiple errors".to_owned()), texts.join(" "))
            }
        };
        AnomalyInfo {
            description: Some(description),
            short_description,
            severity: Some(self.severity.into()),
            reason: self.reasons.iter().map(Reason::to_message).collect(),
            ..AnomalyInfo::default()
        }
    }

    /// The kind of the only reason, or that of several.
    pub fn kind(&self) -> Type {
        match self.reasons.as_slice() {
            [only] => only.kind,
            _ => Type::MultipleReasons,
        }
    }
}

/// A finding as a program reads it.
#[derive(Serialize)]
struct Told<'a> {
    severity: &'static str,
    reasons: &'a [Reason],
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Told { severity: self.severity.as_str_name(), reasons: &self.reasons }.serialize(to)
    }
}
