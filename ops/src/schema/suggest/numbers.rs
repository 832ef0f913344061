//! Ranges of numbers, and whether they are numbers at all.

use super::{Candidate, ENOUGH, Find, SuggestionKind, count, outward};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{Feature, FeatureType, FloatDomain, IntDomain, NumericStatistics};

/// So many values for each integer of a range, and none outside is likely to come.
const PER_INTEGER: f64 = 100.0;
/// Integers beyond are not told apart by statistics.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) const RANGE: SuggestionKind = SuggestionKind {
    name: "range",
    doc: "numbers stay in the range they were seen in, with room for the tails",
    find: Find::Feature(|candidate, feature| {
        let numeric = candidate.view.numeric()?;
        let NumericStatistics { min, max, .. } = *numeric;
        let n = candidate.values();
        if n < ENOUGH || !min.is_finite() || !max.is_finite() || min > max {
            return None;
        }
        let is_integer = feature.r#type() == FeatureType::Int;
        let is_exhausted = is_integer && n as f64 >= PER_INTEGER * (max - min + 1.0);
        let (low, high) =
            if is_exhausted { (min, max) } else { with_room(min, max, numeric.median) };
        let is_set = match &mut feature.domain_info {
            None if is_integer => set_integers(&mut IntDomain::default(), low, high, feature),
            Some(DomainInfo::IntDomain(domain)) if is_integer => {
                let mut domain = domain.clone();
                set_integers(&mut domain, low, high, feature)
            }
            None => {
                let domain = FloatDomain {
                    min: Some(low as f32),
                    max: Some(high as f32),
                    ..FloatDomain::default()
                };
                feature.domain_info = Some(DomainInfo::FloatDomain(domain));
                true
            }
            Some(_) => false,
        };
        let room = if is_exhausted {
            "each integer had the chance to be seen"
        } else {
            "the ends are twice as far from the median"
        };
        is_set.then(|| format!("{} values from {min} to {max}; {room}.", count(n)))
    }),
};

/// Sets the ends of an integer feature's range; false if it has any.
fn set_integers(domain: &mut IntDomain, low: f64, high: f64, feature: &mut Feature) -> bool {
    let is_open = domain.min.is_none() && domain.max.is_none();
    if !is_open || low.abs() > EXACT || high.abs() > EXACT {
        return false;
    }
    domain.min = Some(low.floor() as i64);
    domain.max = Some(high.ceil() as i64);
    feature.domain_info = Some(DomainInfo::IntDomain(domain.clone()));
    true
}

/// The range with ends twice as far from the median, since a longer tail goes on for longer; what
/// has only one sign keeps it.
fn with_room(min: f64, max: f64, median: f64) -> (f64, f64) {
    let middle = if median.is_nan() { min } else { median.clamp(min, max) };
    let (low, high) = (min - (middle - min), max + (max - middle));
    let low = if min >= 0.0 { low.max(0.0) } else { low };
    let high = if max <= 0.0 { high.min(0.0) } else { high };
    (outward(low, max - min, false), outward(high, max - min, true))
}

pub(super) const FINITE: SuggestionKind = SuggestionKind {
    name: "finite",
    doc: "no NaN and no infinity where none was seen",
    find: Find::Feature(|candidate, feature| {
        let n = candidate.values();
        if feature.r#type() != FeatureType::Float || n < ENOUGH || !is_finite(candidate) {
            return None;
        }
        let Some(DomainInfo::FloatDomain(domain)) = &mut feature.domain_info else { return None };
        if domain.disallow_nan.is_some() || domain.disallow_inf.is_some() {
            return None;
        }
        (domain.disallow_nan, domain.disallow_inf) = (Some(true), Some(true));
        Some(format!("none of {} values is NaN or infinite.", count(n)))
    }),
};

/// Whether there are histograms, and none of them has anything but numbers.
pub(super) fn is_finite(candidate: &Candidate<'_, '_>) -> bool {
    let Some(numeric) = candidate.view.numeric() else { return false };
    let is_plain = |histogram: &crate::tfmd::Histogram| {
        histogram.num_nan == 0
            && histogram
                .buckets
                .iter()
                .all(|bucket| bucket.low_value.is_finite() && bucket.high_value.is_finite())
    };
    !numeric.histograms.is_empty() && numeric.histograms.iter().all(is_plain)
}
