//! Ranges of integers and floats, and strings that hold them.

use std::collections::BTreeMap;

use super::anomalies as text;
use super::subject::Subject;
use super::words::{parse_float, parse_int};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::Type as DataType;
use crate::tfmd::{Feature, FloatDomain, IntDomain};

/// Labels that parse, as least and greatest number, and those that do not.
struct Parsed<'a, T> {
    range: Option<(T, T)>,
    invalid: Vec<(&'a str, f64)>,
}

fn parse<'a, T: Copy + PartialOrd>(
    labels: &BTreeMap<&'a str, f64>,
    parse: impl Fn(&str) -> Option<T>,
) -> Parsed<'a, T> {
    let mut parsed = Parsed { range: None, invalid: Vec::new() };
    for (&label, &count) in labels {
        match (parse(label), &mut parsed.range) {
            (None, _) => parsed.invalid.push((label, count)),
            (Some(value), None) => parsed.range = Some((value, value)),
            (Some(value), Some((least, most))) => {
                if value < *least {
                    *least = value;
                }
                if value > *most {
                    *most = value;
                }
            }
        }
    }
    parsed
}

/// Integers outside of the range, or strings that are no integers.
pub(super) fn check_int(subject: &mut Subject<'_>) {
    let Some(DomainInfo::IntDomain(domain)) = &subject.feature.domain_info else { return };
    let domain = domain.clone();
    let kind = subject.view.data_type();
    if matches!(kind, DataType::Float | DataType::Struct) {
        return;
    }
    let range = match subject.view.numeric() {
        Some(numbers) if kind == DataType::Int => {
            let beyond = [numbers.min, numbers.max]
                .into_iter()
                .find(|&value| value < i64::MIN as f64 || value > i64::MAX as f64);
            if let Some(value) = beyond {
                if domain.min.is_some() || domain.max.is_some() {
                    let reason = text::integer_beyond_64_bits(&format!("{value:.6}"));
                    subject.report(reason, |feature| feature.domain_info = None);
                }
                return;
            }
            Some((numbers.min as i64, numbers.max as i64))
        }
        _ => {
            let labels = subject.view.labels();
            let parsed = parse(&labels, parse_int);
            if let Some(&(first, _)) = parsed.invalid.first() {
                if kind == DataType::Int {
                    if domain.min.is_some() || domain.max.is_some() {
                        let reason = text::integer_beyond_64_bits(first);
                        subject.report(reason, |feature| feature.domain_info = None);
                    }
                } else {
                    let reason = text::string_is_no_int(first, parsed.invalid);
                    subject.report(reason, |feature| feature.domain_info = None);
                }
                return;
            }
            parsed.range
        }
    };
    let Some((least, most)) = range else { return };
    fn edit(feature: &mut Feature, change: impl FnOnce(&mut IntDomain)) {
        if let Some(DomainInfo::IntDomain(domain)) = &mut feature.domain_info {
            change(domain);
        }
    }
    if let Some(min) = domain.min.filter(|&min| min > least) {
        let reason = text::int_too_small(min, least);
        subject.report(reason, |feature| edit(feature, |domain| domain.min = Some(least)));
    }
    if let Some(max) = domain.max.filter(|&max| max < most) {
        let reason = text::int_too_big(max, most);
        subject.report(reason, |feature| edit(feature, |domain| domain.max = Some(most)));
    }
}

/// Floats outside of the range, or that are no numbers, or strings that are no floats.
///
/// Bounds and values are compared in single precision: that is what the schema's message holds.
pub(super) fn check_float(subject: &mut Subject<'_>) {
    fn edit(feature: &mut Feature, change: impl FnOnce(&mut FloatDomain)) {
        if let Some(DomainInfo::FloatDomain(domain)) = &mut feature.domain_info {
            change(domain);
        }
    }
    let Some(DomainInfo::FloatDomain(domain)) = &subject.feature.domain_info else { return };
    let domain = domain.clone();
    let kind = subject.view.data_type();
    let labels = subject.view.labels();
    let has_nan = match kind {
        DataType::Float => {
            subject.view.numeric().is_some_and(|n| n.histograms.iter().any(|h| h.num_nan > 0))
        }
        DataType::String => labels.keys().any(|l| parse_float(l).is_some_and(f32::is_nan)),
        _ => false,
    };
    if domain.disallow_nan() && has_nan {
        subject.report(text::float_is_nan(), |feature| {
            edit(feature, |domain| domain.disallow_nan = Some(false));
        });
    }
    let range = match kind {
        DataType::Float => match subject.view.numeric() {
            Some(numbers) => Some((numbers.min as f32, numbers.max as f32)),
            // Floats that are categories.
            None => parse(&labels, parse_float).range,
        },
        DataType::String | DataType::Bytes => {
            let parsed = parse(&labels, parse_float);
            if let Some(&(first, _)) = parsed.invalid.first() {
                let reason = text::string_is_no_float(first, parsed.invalid);
                subject.report(reason, |feature| feature.domain_info = None);
                return;
            }
            parsed.range
        }
        DataType::Int | DataType::Struct => None,
    };
    let Some((least, most)) = range else { return };
    if let Some(min) = domain.min.filter(|&min| least < min) {
        let reason = text::float_too_small(min, least);
        subject.report(reason, |feature| edit(feature, |domain| domain.min = Some(least)));
    }
    if let Some(max) = domain.max.filter(|&max| most > max) {
        let reason = text::float_too_big(max, most);
        subject.report(reason, |feature| edit(feature, |domain| domain.max = Some(most)));
    }
    if domain.disallow_inf() && (least.is_infinite() || most.is_infinite()) {
        subject.report(text::float_is_infinite(), |feature| {
            edit(feature, |domain| domain.disallow_inf = Some(false));
        });
    }
}
