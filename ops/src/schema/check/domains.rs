//! Domains: of the wrong kind, empty, dangling or used by nobody.

use std::collections::BTreeSet;

use super::{Check, Severity};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{Feature, FeatureType, StringDomain, nearest};

pub(super) const DANGLING_DOMAIN: Check = Check {
    code: "dangling_domain",
    severity: Severity::Error,
    doc: "a feature names a domain of strings that is not there",
    find: |checked, found| {
        let schema = checked.schema;
        let known: Vec<String> =
            schema.string_domain.iter().map(|domain| domain.name().to_owned()).collect();
        for place in checked.live() {
            let Some(DomainInfo::Domain(name)) = &place.feature.domain_info else { continue };
            if known.contains(name) {
                continue;
            }
            let is_number = schema.int_domain.iter().any(|domain| domain.name() == name)
                || schema.float_domain.iter().any(|domain| domain.name() == name);
            let hint = if is_number {
                "Write the range into the feature: `int_domain` or `float_domain`.".to_owned()
            } else if let Some(close) = nearest::nearest(name, &known) {
                format!("Did you mean `{close}`?")
            } else {
                "Write a `string_domain` of this name, or remove `domain`.".to_owned()
            };
            found.of(place, "domain", format!("There is no `string_domain` `{name}`."), &hint);
        }
    },
};

/// The name of the field that holds a domain, and the types of features it fits.
fn fits(domain: &DomainInfo) -> (&'static str, &'static [FeatureType]) {
    use FeatureType::{Bytes, Float, Int, Struct};
    match domain {
        DomainInfo::Domain(_) => ("domain", &[Bytes]),
        DomainInfo::IntDomain(_) => ("int_domain", &[Int, Bytes]),
        DomainInfo::FloatDomain(_) => ("float_domain", &[Float, Bytes]),
        DomainInfo::StringDomain(_) => ("string_domain", &[Bytes]),
        DomainInfo::BoolDomain(_) => ("bool_domain", &[Int, Bytes, Float]),
        DomainInfo::StructDomain(_) => ("struct_domain", &[Struct]),
        DomainInfo::NaturalLanguageDomain(_) => ("natural_language_domain", &[Bytes, Int]),
        DomainInfo::ImageDomain(_) => ("image_domain", &[Bytes]),
        DomainInfo::MidDomain(_) => ("mid_domain", &[Bytes]),
        DomainInfo::UrlDomain(_) => ("url_domain", &[Bytes]),
        DomainInfo::TimeDomain(_) => ("time_domain", &[Int, Bytes]),
        DomainInfo::TimeOfDayDomain(_) => ("time_of_day_domain", &[Int, Bytes, Float, Struct]),
    }
}

pub(super) const DOMAIN_TYPE: Check = Check {
    code: "domain_type",
    severity: Severity::Error,
    doc: "a domain does not fit the type of its feature",
    find: |checked, found| {
        for place in checked.live() {
            let (Some(domain), Some(_)) = (&place.feature.domain_info, place.feature.r#type) else {
                continue;
            };
            let (field, types) = fits(domain);
            let kind = place.feature.r#type();
            if kind == FeatureType::TypeUnknown || types.contains(&kind) {
                continue;
            }
            let names: Vec<&str> = types.iter().map(FeatureType::as_str_name).collect();
            let message = format!("A feature of type {} has a `{field}`.", kind.as_str_name());
            found.of(place, field, message, &format!("`{field}` is for {}.", names.join(", ")));
        }
    },
};

pub(super) const DOMAIN_UNSUPPORTED: Check = Check {
    code: "domain_unsupported",
    severity: Severity::Error,
    doc: "a domain that validation does not know: it reports INVALID_DOMAIN_SPECIFICATION",
    find: |checked, found| {
        for place in checked.live() {
            if let Some(DomainInfo::TimeOfDayDomain(_)) = &place.feature.domain_info {
                let message = "Validation does not know times of the day, and reports that.";
                let hint = "Remove the domain, or use `time_domain`.";
                found.of(place, "time_of_day_domain", message, hint);
            }
        }
    },
};

pub(super) const EQUAL_BOOL_VALUES: Check = Check {
    code: "equal_bool_values",
    severity: Severity::Error,
    doc: "true and false are the same string, or strings have none for either",
    find: |checked, found| {
        for place in checked.live() {
            let Some(DomainInfo::BoolDomain(domain)) = &place.feature.domain_info else { continue };
            match (&domain.true_value, &domain.false_value) {
                (Some(yes), Some(no)) if yes == no => {
                    let message = format!("`{yes}` stands for true and for false.");
                    found.of(place, "bool_domain.false_value", message, "Remove one of the two.");
                }
                (None, None) if place.feature.r#type() == FeatureType::Bytes => {
                    let message = "No string stands for true or false, so none is allowed.";
                    let hint = "Write a `true_value` and a `false_value`.";
                    found.of(place, "bool_domain", message, hint);
                }
                _ => {}
            }
        }
    },
};

/// The domains of strings with the field they stand in: those of the schema and those of features.
fn string_domains<'a>(checked: &super::Checked<'a>) -> Vec<(String, String, &'a StringDomain)> {
    let shared = checked.schema.string_domain.iter().enumerate();
    let shared = shared.map(|(i, d)| (d.name().to_owned(), format!("string_domain[{i}]"), d));
    let own = checked.features.iter().filter_map(|place| match &place.feature.domain_info {
        Some(DomainInfo::StringDomain(domain)) => {
            Some((place.path.to_string(), format!("{}.string_domain", place.field), domain))
        }
        _ => None,
    });
    shared.chain(own).collect()
}

pub(super) const DUPLICATE_VALUE: Check = Check {
    code: "duplicate_value",
    severity: Severity::Warning,
    doc: "a domain lists a string twice",
    find: |checked, found| {
        for (path, field, domain) in string_domains(checked) {
            let mut seen = BTreeSet::new();
            for (i, value) in domain.value.iter().enumerate() {
                if !seen.insert(value) {
                    let message = format!(
                        "The domain lists {} twice.",
                        super::super::describe::quoted(value)
                    );
                    found.add(&path, format!("{field}.value[{i}]"), message, None);
                }
            }
        }
    },
};

pub(super) const EMPTY_DOMAIN: Check = Check {
    code: "empty_domain",
    severity: Severity::Warning,
    doc: "a domain lists no string, so every string is an anomaly",
    find: |checked, found| {
        for (path, field, domain) in string_domains(checked) {
            if domain.value.is_empty() {
                let hint = Some("List the strings, or remove the domain.".to_owned());
                found.add(path, field, "The domain lists no string: every one is wrong.", hint);
            }
        }
    },
};

pub(super) const UNUSED_DOMAIN: Check = Check {
    code: "unused_domain",
    severity: Severity::Warning,
    doc: "no feature names this domain of strings",
    find: |checked, found| {
        let named = |feature: &Feature| match &feature.domain_info {
            Some(DomainInfo::Domain(name)) => Some(name.clone()),
            _ => None,
        };
        let used: BTreeSet<String> =
            checked.features.iter().filter_map(|place| named(place.feature)).collect();
        for (i, domain) in checked.schema.string_domain.iter().enumerate() {
            if !used.contains(domain.name()) {
                let hint =
                    format!("Write `domain: \"{}\"` into a feature, or remove it.", domain.name());
                let message = "No feature names the domain.";
                found.add(domain.name(), format!("string_domain[{i}]"), message, Some(hint));
            }
        }
    },
};
