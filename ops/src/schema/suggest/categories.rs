//! Numbers and strings that name something: categories and keys.

use super::{ENOUGH, Find, SuggestionKind, count};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::Type;
use crate::tfmd::{FeatureType, IntDomain, UniqueConstraints};

/// More integers are a quantity, whatever their name is.
const MOST_INTEGERS: f64 = 200.0;
/// Every integer of a range must have had the chance to be seen so often.
const PER_INTEGER: f64 = 10.0;
/// So many values for each distinct one, and there are hardly more to come.
const PER_DISTINCT: u64 = 20;

/// Words in the names of numbers that nobody adds up.
const WORDS: &[&str] = &[
    "area", "category", "class", "cluster", "code", "day", "district", "flag", "gender", "group",
    "hour", "id", "kind", "label", "minute", "month", "quarter", "region", "sector", "segment",
    "sex", "species", "state", "status", "tract", "type", "week", "weekday", "zip", "zone",
];

pub(super) const CATEGORICAL: SuggestionKind = SuggestionKind {
    name: "categorical",
    doc: "few integers, by their name categories: counted one by one, compared like strings",
    find: Find::Feature(|candidate, feature| {
        let numeric = candidate.view.numeric()?;
        let is_open = match &feature.domain_info {
            None => true,
            Some(DomainInfo::IntDomain(domain)) => domain.is_categorical.is_none(),
            Some(_) => false,
        };
        let integers = numeric.max - numeric.min + 1.0;
        let values = candidate.values();
        if !is_open
            || feature.r#type() != FeatureType::Int
            || integers > MOST_INTEGERS
            || (values as f64) < PER_INTEGER * integers
            || values < ENOUGH
            || !candidate.is_named(WORDS)
        {
            return None;
        }
        let domain = match feature.domain_info.take() {
            Some(DomainInfo::IntDomain(domain)) => domain,
            _ => IntDomain::default(),
        };
        let domain = IntDomain { is_categorical: Some(true), ..domain };
        feature.domain_info = Some(DomainInfo::IntDomain(domain));
        Some(format!("{} values are among {integers} integers, as the name says.", count(values)))
    }),
};

pub(super) const KEY: SuggestionKind = SuggestionKind {
    name: "key",
    doc: "strings that are all distinct: marked as a key, because no constraint says so",
    find: Find::Feature(|candidate, feature| {
        let (unique, values) = (candidate.view.num_unique()?, candidate.values());
        let is_marked =
            feature.annotation.as_ref().is_some_and(|a| a.tag.iter().any(|t| t == "key"));
        if values < ENOUGH || unique != values || candidate.most_values() != 1 || is_marked {
            return None;
        }
        feature.annotation.get_or_insert_default().tag.push("key".to_owned());
        Some(format!("all {} values are distinct.", count(values)))
    }),
};

pub(super) const DISTINCT: SuggestionKind = SuggestionKind {
    name: "distinct",
    doc: "strings of many kinds that repeat often: half to twice as many kinds",
    find: Find::Feature(|candidate, feature| {
        let (unique, values) = (candidate.view.num_unique()?, candidate.values());
        let is_open = feature.domain_info.is_none() && feature.unique_constraints.is_none();
        let is_string = candidate.view.data_type() == Type::String;
        if !is_open || !is_string || unique < 2 || values / unique < PER_DISTINCT {
            return None;
        }
        let (min, max) = (i64::try_from(unique / 2).ok()?, i64::try_from(unique * 2).ok()?);
        feature.unique_constraints = Some(UniqueConstraints { min: Some(min), max: Some(max) });
        Some(format!("{} values are of {} kinds.", count(values), count(unique)))
    }),
};
