//! Whether values lie in the domain that the schema gives the feature.

use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::{Subject, name_of_domain};
use super::{bool_domain, image_domain, natural_language_domain, numeric_domain, string_domain};
use crate::schema::custom_domain;
use crate::tfmd::feature::DomainInfo;

/// The values against the domain; a domain that the statistics propose where there is none.
pub(super) fn check(subject: &mut Subject<'_>) -> ControlFlow<()> {
    match &subject.feature.domain_info {
        Some(DomainInfo::Domain(_) | DomainInfo::StringDomain(_)) => string_domain::check(subject),
        Some(DomainInfo::BoolDomain(_)) => bool_domain::check(subject),
        Some(DomainInfo::IntDomain(_)) => numeric_domain::check_int(subject),
        Some(DomainInfo::FloatDomain(_)) => numeric_domain::check_float(subject),
        Some(DomainInfo::ImageDomain(_)) => image_domain::check(subject),
        Some(DomainInfo::NaturalLanguageDomain(_)) => natural_language_domain::check(subject),
        // A struct's features are checked one by one; nothing is known of the values of the others.
        Some(
            DomainInfo::StructDomain(_)
            | DomainInfo::MidDomain(_)
            | DomainInfo::UrlDomain(_)
            | DomainInfo::TimeDomain(_)
            | DomainInfo::TimeOfDayDomain(_),
        ) => {}
        None => {
            if let Some(domain) = custom_domain(&subject.view.statistics().custom_stats) {
                let name = subject.feature.name();
                let reason = text::new_semantic_domain(name, name_of_domain(&domain));
                subject.report(reason, |feature| feature.domain_info = Some(domain));
            }
        }
    }
    ControlFlow::Continue(())
}
