//! Strings of a closed set.

use std::collections::BTreeSet;

use super::anomalies as text;
use super::subject::Subject;
use crate::tfmd::StringDomain;
use crate::tfmd::feature::DomainInfo;

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
    let labels = subject.view.labels();
    let outside = |is_allowed: &dyn Fn(&str) -> bool| -> Vec<(&str, f64)> {
        labels.iter().filter(|(v, _)| !is_allowed(v)).map(|(v, n)| (*v, *n)).collect()
    };
    let (missing, size) = match (&named, &subject.feature.domain_info) {
        (Some(name), _) => match subject.index.values(name) {
            Some(values) => (outside(&|value| values.contains(value)), values.len()),
            None => return,
        },
        (None, Some(DomainInfo::StringDomain(domain))) => {
            let values: BTreeSet<&str> = domain.value.iter().map(String::as_str).collect();
            (outside(&|value| values.contains(value)), values.len())
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
