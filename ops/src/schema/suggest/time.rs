//! Integers that count time from 1970 on.

use super::{ENOUGH, Find, SuggestionKind, count};
use crate::tfmd::FeatureType;
use crate::tfmd::TimeDomain;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::time_domain::{Format, IntegerTimeFormat};

/// Seconds from 1970 to 1990 and to 2040: no other years are likely in data.
const YEARS: (f64, f64) = (631_152_000.0, 2_208_988_800.0);

/// What an integer may count, and how many of it are a second. Days are few: only a name tells them
/// from other numbers.
const UNITS: &[(IntegerTimeFormat, f64)] = &[
    (IntegerTimeFormat::UnixSeconds, 1.0),
    (IntegerTimeFormat::UnixMilliseconds, 1e3),
    (IntegerTimeFormat::UnixMicroseconds, 1e6),
    (IntegerTimeFormat::UnixNanoseconds, 1e9),
    (IntegerTimeFormat::UnixDays, 1.0 / 86_400.0),
];

pub(super) const TIMESTAMP: SuggestionKind = SuggestionKind {
    name: "timestamp",
    doc: "integers that are all points in time between 1990 and 2040",
    find: Find::Feature(|candidate, feature| {
        let numeric = candidate.view.numeric()?;
        let is_open = feature.domain_info.is_none() && feature.r#type() == FeatureType::Int;
        if !is_open || candidate.values() < ENOUGH {
            return None;
        }
        let fits = |&&(unit, per_second): &&(IntegerTimeFormat, f64)| {
            let (first, last) = (YEARS.0 * per_second, YEARS.1 * per_second);
            let is_likely =
                unit != IntegerTimeFormat::UnixDays || candidate.is_named(&["date", "day", "days"]);
            is_likely && numeric.min >= first && numeric.max <= last
        };
        let (unit, _) = UNITS.iter().find(fits)?;
        let format = Some(Format::IntegerFormat(*unit as i32));
        feature.domain_info = Some(DomainInfo::TimeDomain(TimeDomain { format }));
        Some(format!(
            "{} values from {} to {} are between 1990 and 2040.",
            count(candidate.values()),
            numeric.min,
            numeric.max
        ))
    }),
};
