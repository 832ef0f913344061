//! Strings of a closed set.

use std::collections::{BTreeMap, BTreeSet};

use super::anomalies as text;
use super::subject::Subject;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{FeatureView, StringDomain};

/// Values outside of the set, if there are more of them than `min_domain_mass` allows.
pub(super) fn check(subject: &mut Subject<'_>) {
    let named = match &subject.feature.domain_info {
        Some(DomainInfo::Domain(name)) => Some(name.clone()),
        _ => None,
    };
    let rule = if named.is_some() { "domain" } else { "string_domain" };
    if subject.view.has_invalid_utf8() {
        let count = subject.view.string().map_or(0, |string| string.invalid_utf8_count);
        let reason = text::invalid_utf8(rule, count);
        subject.changed_domain = named.map(|name| (name, None));
        subject.report(reason, |feature| feature.domain_info = None);
        return;
    }
    let view = subject.view;
    let (missing, size) = match (&named, &subject.feature.domain_info) {
        (Some(name), _) => match subject.index.values(name) {
            Some(values) => (outside(view, |value| values.contains(value)), values.len()),
            None => return,
        },
        (None, Some(DomainInfo::StringDomain(domain))) => {
            let values: BTreeSet<&str> = domain.value.iter().map(String::as_str).collect();
            (outside(view, |value| values.contains(value)), values.len())
        }
        (None, _) => return,
    };
    let constraints = subject.feature.distribution_constraints.as_ref();
    let max_outside =
        constraints.and_then(|c| c.min_domain_mass).map_or(0.0, |min_mass| 1.0 - min_mass);
    let count: f64 = missing.iter().map(|(_, count)| count).sum();
    let total = subject.view.num_values();
    if !(count / total > max_outside || (max_outside == 0.0 && !missing.is_empty())) {
        return;
    }
    let reason = text::unexpected_strings(rule, size, &missing, total);
    let grow = |domain: &mut StringDomain| {
        domain.value.extend(missing.iter().map(|(value, _)| (*value).to_owned()));
    };
    if let Some(name) = named {
        let mut domain = subject.index.string_domain(&name).cloned().unwrap_or_default();
        grow(&mut domain);
        subject.changed_domain = Some((name, Some(domain)));
        subject.report(reason, |_| {});
    } else {
        subject.report(reason, |feature| {
            if let Some(DomainInfo::StringDomain(domain)) = &mut feature.domain_info {
                grow(domain);
            }
        });
    }
}

/// The labels that are not allowed, ascending, with their counts.
///
/// Labels of good data are looked up and nothing more: there are hundreds in each of thousands of
/// features.
fn outside<'a>(
    view: FeatureView<'_, 'a>,
    is_allowed: impl Fn(&str) -> bool,
) -> Vec<(&'a str, f64)> {
    let mut missing = BTreeMap::new();
    for bucket in view.rank_histogram().into_iter().flat_map(|histogram| &histogram.buckets) {
        if !is_allowed(&bucket.label) {
            missing.entry(bucket.label.as_str()).or_insert(bucket.sample_count);
        }
    }
    missing.into_iter().collect()
}
