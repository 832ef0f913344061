//! Whether the data have the type that the schema says.

use std::ops::ControlFlow;

use super::anomalies as text;
use super::subject::{Subject, name_of_domain, retire};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::Type as DataType;

/// Another type than the schema's, or a domain that opaque bytes cannot have.
pub(super) fn check(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let (expected, actual) = (subject.feature.r#type(), subject.view.data_type());
    if subject.view.feature_type() != expected {
        subject.report(text::unexpected_data_type(expected, actual), retire);
    }
    if actual == DataType::Bytes
        && let Some(domain) = &subject.feature.domain_info
        && !matches!(
            domain,
            DomainInfo::NaturalLanguageDomain(_)
                | DomainInfo::ImageDomain(_)
                | DomainInfo::UrlDomain(_)
        )
    {
        let name = name_of_domain(domain);
        subject.feature.to_mut().domain_info = None;
        // The text shows what is left of the feature, with whole numbers as C++ prints them.
        let left = crate::tfmd::text::print(&*subject.feature).replace(".0\n", "\n");
        subject.report(text::domain_of_bytes(name, &left), |_| {});
    }
    ControlFlow::Continue(())
}
