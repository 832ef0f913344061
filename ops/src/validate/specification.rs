//! What is wrong with a feature of the schema whatever the data are.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::{Subject, name_of_domain, retire};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature::{PresenceConstraints, ShapeType};
use crate::tfmd::{Feature, FeaturePresence, FeatureType};

/// Judges the feature of the schema by itself; ends the checks if it says too little to go on.
pub(super) fn check(subject: &mut Subject<'_>) -> ControlFlow<()> {
    if subject.feature.name.is_none() {
        subject.report(text::missing_name(), retire);
        return ControlFlow::Break(());
    }
    if subject.feature.r#type.is_none() {
        if matches!(
            subject.feature.domain_info,
            Some(DomainInfo::Domain(_) | DomainInfo::StringDomain(_))
        ) {
            let reason = text::missing_type_of_strings();
            subject.report(reason, |f| f.r#type = Some(FeatureType::Bytes.into()));
        } else {
            subject.report(text::missing_type(), retire);
            return ControlFlow::Break(());
        }
    }
    presence(subject);
    value_counts(subject);
    let flat = subject.feature.shape().and_then(|shape| shape.dim.iter().find(|d| d.size() <= 0));
    if let Some(size) = flat.map(crate::tfmd::fixed_shape::Dim::size) {
        subject.report(text::dimension_not_positive(size), |f| f.shape_type = None);
    }
    domain(subject);
    if subject.feature.is_retired() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn presence(subject: &mut Subject<'_>) {
    fn set(feature: &mut Feature, min_fraction: Option<f64>) {
        if let Some(PresenceConstraints::Presence(presence)) = &mut feature.presence_constraints {
            presence.min_fraction = min_fraction;
        }
    }
    let min_fraction = subject.feature.presence().map_or(0.0, FeaturePresence::min_fraction);
    if min_fraction < 0.0 {
        subject.report(text::negative_min_fraction(min_fraction), |f| set(f, None));
    }
    if min_fraction > 1.0 {
        subject.report(text::min_fraction_above_one(min_fraction), |f| set(f, Some(1.0)));
    }
}

fn value_counts(subject: &mut Subject<'_>) {
    if let Some(ShapeType::ValueCount(count)) = subject.feature.shape_type.clone() {
        let edit = |feature: &mut Feature, min: Option<i64>, max: Option<i64>| {
            if let Some(ShapeType::ValueCount(count)) = &mut feature.shape_type {
                (count.min, count.max) = (min, max);
            }
        };
        let mut min = count.min;
        if count.min() < 0 {
            min = None;
            subject.report(text::negative_value_count(count.min()), |f| edit(f, None, count.max));
        }
        let least = min.unwrap_or(0);
        if let Some(max) = count.max.filter(|&max| max < least) {
            let reason = text::value_count_max_below_min(least, max);
            subject.report(reason, |f| edit(f, min, Some(least)));
        }
    }
    let Some(ShapeType::ValueCounts(counts)) = subject.feature.shape_type.clone() else { return };
    for (level, count) in counts.value_count.iter().enumerate() {
        let edit = |feature: &mut Feature, min: Option<i64>, max: Option<i64>| {
            if let Some(ShapeType::ValueCounts(counts)) = &mut feature.shape_type {
                let count = &mut counts.value_count[level];
                (count.min, count.max) = (min, max);
            }
        };
        let mut min = count.min;
        if count.min() < 0 {
            min = None;
            let reason = text::negative_value_count_at(level, count.min());
            subject.report(reason, |f| edit(f, None, count.max));
        }
        let least = min.unwrap_or(0);
        if let Some(max) = count.max.filter(|&max| max < least) {
            let reason = text::value_count_max_below_min_at(level, least, max);
            subject.report(reason, |f| edit(f, min, Some(least)));
        }
    }
}

fn domain(subject: &mut Subject<'_>) {
    let kind = subject.feature.r#type();
    if let Some(domain) = &subject.feature.domain_info
        && !allows(domain, kind)
    {
        let reason = text::domain_against_type(name_of_domain(domain), kind);
        subject.report(reason, |f| f.domain_info = None);
    }
    let unconstrained = match &subject.feature.domain_info {
        Some(DomainInfo::Domain(name)) => {
            if subject.index.string_domain(name).is_none() {
                let reason = text::missing_domain(name);
                subject.report(reason, |f| f.domain_info = None);
            }
            return;
        }
        Some(DomainInfo::StringDomain(domain)) => {
            // TFDV mends these two without a word.
            let mut seen = BTreeSet::new();
            if !domain.value.iter().all(|value| seen.insert(value)) {
                let mut values = domain.value.clone();
                let mut seen = BTreeSet::new();
                values.retain(|value| seen.insert(value.clone()));
                if let Some(DomainInfo::StringDomain(domain)) =
                    &mut subject.feature.to_mut().domain_info
                {
                    domain.value = values;
                }
            }
            return;
        }
        Some(DomainInfo::BoolDomain(domain)) => {
            if domain.true_value.is_some()
                && domain.true_value == domain.false_value
                && let Some(DomainInfo::BoolDomain(domain)) =
                    &mut subject.feature.to_mut().domain_info
            {
                domain.false_value = None;
            }
            "bool"
        }
        Some(DomainInfo::IntDomain(_)) => "int",
        Some(DomainInfo::FloatDomain(_)) => "float",
        Some(DomainInfo::StructDomain(_)) => "struct",
        Some(_) => "semantic",
        None => "",
    };
    if subject.feature.distribution_constraints.is_some() {
        let reason = text::distribution_constraints_on(unconstrained);
        subject.report(reason, |f| f.distribution_constraints = None);
    }
}

/// Whether values of a type can have a domain.
fn allows(domain: &DomainInfo, kind: FeatureType) -> bool {
    use FeatureType::{Bytes, Float, Int, Struct};
    match domain {
        DomainInfo::BoolDomain(_) => matches!(kind, Int | Bytes | Float),
        DomainInfo::IntDomain(_)
        | DomainInfo::NaturalLanguageDomain(_)
        | DomainInfo::TimeDomain(_) => matches!(kind, Int | Bytes),
        DomainInfo::FloatDomain(_) => matches!(kind, Float | Bytes),
        DomainInfo::StructDomain(_) => kind == Struct,
        DomainInfo::Domain(_)
        | DomainInfo::StringDomain(_)
        | DomainInfo::ImageDomain(_)
        | DomainInfo::MidDomain(_)
        | DomainInfo::UrlDomain(_) => kind == Bytes,
        DomainInfo::TimeOfDayDomain(_) => kind != FeatureType::TypeUnknown,
    }
}
