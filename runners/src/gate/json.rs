//! A validation for programs.

use std::collections::BTreeMap;

use ops::drift::DriftReport;
use ops::validate::{Reason, Unchecked};
use serde::Serialize;

use super::{Anomaly, Gate, NO_EXAMPLES, Place, Since};

#[derive(Serialize)]
struct Told<'a> {
    data: &'a str,
    schema: &'a str,
    environment: Option<&'a str>,
    /// `open` or `closed`.
    gate: &'static str,
    fail_on: &'static str,
    examples: u64,
    anomalies: Vec<ToldAnomaly<'a>>,
    /// By feature: above a threshold, and no more than samples of one distribution show.
    noise: BTreeMap<String, &'a [Reason]>,
    comparisons: &'a [DriftReport],
    unchecked: &'a [Unchecked],
}

#[derive(Serialize)]
struct ToldAnomaly<'a> {
    slice: &'a str,
    feature: Option<String>,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    reasons: Vec<ToldReason<'a>>,
}

#[derive(Serialize)]
struct ToldReason<'a> {
    #[serde(flatten)]
    reason: &'a Reason,
    since: Option<Since>,
    first: Option<&'a Place>,
}

/// The gate as one JSON object, with a line feed at the end.
pub fn json(gate: &Gate) -> String {
    let anomalies: Vec<Anomaly<'_>> = gate.anomalies().collect();
    let told = anomalies.iter().map(|anomaly| ToldAnomaly {
        slice: &anomaly.checked.slice,
        feature: anomaly.path.map(ToString::to_string),
        severity: anomaly.severity.as_str_name(),
        note: anomaly.reasons.is_empty().then_some(NO_EXAMPLES),
        reasons: anomaly
            .reasons
            .iter()
            .map(|reason| ToldReason {
                reason,
                since: anomaly.since(reason),
                first: anomaly.place(reason),
            })
            .collect(),
    });
    let all = gate.checked.first();
    let noise = all.into_iter().flat_map(|checked| &checked.validation.noise);
    let told = Told {
        data: &gate.data,
        schema: &gate.schema,
        environment: gate.environment.as_deref(),
        gate: if gate.is_open() { "open" } else { "closed" },
        fail_on: gate.fail_on.as_str_name(),
        examples: all.map_or(0, |checked| checked.examples),
        anomalies: told.collect(),
        noise: noise.map(|(path, reasons)| (path.to_string(), reasons.as_slice())).collect(),
        comparisons: &gate.comparisons,
        unchecked: &gate.unchecked,
    };
    serde_json::to_string_pretty(&told).expect("names of fields are strings") + "\n"
}
