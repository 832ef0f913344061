//! Values that are true or false.

use std::collections::BTreeMap;

use super::anomalies as text;
use super::reason::Reason;
use super::subject::Subject;
use crate::tfmd::anomaly_info::Type;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::Type as DataType;
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{BoolDomain, FloatDomain, IntDomain, NumericStatistics};

/// Numbers beside 0 and 1, or strings beside the two of the domain.
pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(DomainInfo::BoolDomain(domain)) = &subject.feature.domain_info else { return };
    match subject.view.data_type() {
        DataType::Int => {
            if let Some((reason, min, max)) = judge_integers(subject) {
                let domain = IntDomain { min: Some(min), max: Some(max), ..IntDomain::default() };
                subject.report(reason, |f| f.domain_info = Some(DomainInfo::IntDomain(domain)));
            }
        }
        DataType::Float => {
            let Some(numbers) = subject.view.numeric() else { return };
            if let Some(reason) = judge_floats(numbers) {
                let (min, max) = (Some(numbers.min as f32), Some(numbers.max as f32));
                let domain = FloatDomain { min, max, ..FloatDomain::default() };
                subject.report(reason, |f| f.domain_info = Some(DomainInfo::FloatDomain(domain)));
            }
        }
        DataType::String => {
            if let Some(reason) = judge_strings(domain, &subject.view.labels()) {
                subject.report(reason, |f| f.domain_info = None);
            }
        }
        DataType::Bytes | DataType::Struct => {}
    }
}

fn judge_integers(subject: &Subject<'_>) -> Option<(Reason, i64, i64)> {
    let (min, max) = match subject.view.numeric() {
        Some(numbers) => (numbers.min, numbers.max),
        // A schema with this domain makes statistics count values as categories; TFDV then has no
        // numbers and passes everything.
        None => {
            let labels = subject.view.labels();
            let values = labels.keys().filter_map(|label| label.parse::<i64>().ok());
            let (min, max) = values.fold((0, 0), |(min, max), v| (v.min(min), v.max(max)));
            (min as f64, max as f64)
        }
    };
    let kind = match (min < 0.0, max > 1.0) {
        (true, _) => Type::BoolTypeSmallInt,
        (false, true) => Type::BoolTypeBigInt,
        (false, false) => return None,
    };
    let value = if min < 0.0 { min } else { max };
    Some((text::not_boolean_integer(kind, value), min as i64, max as i64))
}

fn judge_floats(numbers: &NumericStatistics) -> Option<Reason> {
    let is_bool = |value: f64| value == 0.0 || value == 1.0;
    let such_as = |value: f64| {
        text::not_boolean_float(&format!("Floats (such as {})", super::words::six_digits(value)))
    };
    if !is_bool(numbers.min) {
        return Some(such_as(numbers.min));
    }
    if !is_bool(numbers.max) {
        return Some(such_as(numbers.max));
    }
    for histogram in &numbers.histograms {
        if histogram.num_nan > 0 {
            return Some(text::not_boolean_float("Floats (such as NaN)"));
        }
        for bucket in histogram.buckets.iter().filter(|bucket| bucket.sample_count > 0.0) {
            if bucket.high_value < 0.0 {
                return Some(text::not_boolean_float("Float values < 0"));
            }
            if bucket.low_value > 1.0 {
                return Some(text::not_boolean_float("Float values > 1"));
            }
            let is_between = bucket.high_value < 1.0 && bucket.low_value > 0.0;
            if histogram.r#type() == HistogramType::Quantiles && is_between {
                return Some(text::not_boolean_float_between());
            }
        }
    }
    None
}

fn judge_strings(domain: &BoolDomain, labels: &BTreeMap<&str, f64>) -> Option<Reason> {
    let mut valid: Vec<&str> = Vec::new();
    valid.extend(domain.true_value.as_deref());
    valid.extend(domain.false_value.as_deref());
    valid.sort_unstable();
    valid.dedup();
    let shown = if valid.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{\"{}\"}}", valid.join("\", \""))
    };
    let invalid = || labels.iter().filter(|(label, _)| !valid.contains(label));
    let (first, _) = invalid().next()?;
    Some(text::not_boolean_string(&shown, invalid().map(|(label, count)| (*label, *count)), first))
}
