//! What a schema may say and no validation looks at.

use super::{Check, Severity};
use crate::tfmd::feature::{DomainInfo, PresenceConstraints};
use crate::tfmd::{FloatDomain, IntDomain};

pub(super) const NOT_CHECKED: Check = Check {
    code: "not_checked",
    severity: Severity::Note,
    doc: "something that is carried along, but that no data is held against",
    find: |checked, found| {
        for place in checked.live() {
            let feature = place.feature;
            if let Some(PresenceConstraints::GroupPresence(_)) = &feature.presence_constraints {
                found.of(place, "group_presence", "Presence within a group is not checked.", "");
            }
            let field = match &feature.domain_info {
                Some(DomainInfo::UrlDomain(_)) => {
                    Some(("url_domain", "Whether values are URLs is"))
                }
                Some(DomainInfo::MidDomain(_)) => {
                    Some(("mid_domain", "Whether values are MIDs is"))
                }
                Some(DomainInfo::TimeDomain(_)) => {
                    Some(("time_domain", "Whether values are points in time is"))
                }
                _ => None,
            };
            if let Some((field, what)) = field {
                found.of(place, field, format!("{what} not checked."), "");
            }
            if feature.sequence_metadata.is_some() {
                found.of(place, "sequence_metadata", "`sequence_metadata` is not checked.", "");
            }
        }
        let ranges = [
            (
                "float_domain",
                checked.schema.float_domain.iter().map(FloatDomain::name).collect::<Vec<_>>(),
            ),
            ("int_domain", checked.schema.int_domain.iter().map(IntDomain::name).collect()),
        ];
        for (field, names) in ranges {
            for (i, name) in names.into_iter().enumerate() {
                let hint = Some("Write the range into each feature.".to_owned());
                let message = "No feature can refer to a range of the schema: it is not checked.";
                found.add(name, format!("{field}[{i}]"), message, hint);
            }
        }
    },
};
