//! Custom statistics: how any generator, ours or a user's, adds named values to a message.
//!
//! **Invariant:** the custom statistics of a feature are sorted by name, those of one name in the
//! order in which they came, so that the bytes do not depend on which generators ran first.

use crate::tfmd::feature_name_statistics::FieldId;
use crate::tfmd::rank_histogram::Bucket;
use crate::tfmd::{
    CustomStatistic, DatasetFeatureStatistics, FeatureNameStatistics, RankHistogram,
};

use super::FeaturePath;

pub use crate::tfmd::custom_statistic::Val;

/// Adds a named value to the custom statistics of a feature.
pub fn add(message: &mut FeatureNameStatistics, name: &str, value: Val) {
    let stats = &mut message.custom_stats;
    let at = stats.partition_point(|stat| stat.name.as_str() <= name);
    stats.insert(at, CustomStatistic { name: name.to_owned(), val: Some(value) });
}

/// Adds a named number to the custom statistics of a feature.
pub fn add_number(message: &mut FeatureNameStatistics, name: &str, value: f64) {
    add(message, name, Val::Num(value));
}

/// Adds a named text to the custom statistics of a feature.
pub fn add_text(message: &mut FeatureNameStatistics, name: &str, value: impl Into<String>) {
    add(message, name, Val::Str(value.into()));
}

/// Adds a named list of labels with their counts to the custom statistics of a feature.
pub fn add_labels<L: Into<String>>(
    message: &mut FeatureNameStatistics,
    name: &str,
    labels: impl IntoIterator<Item = (L, f64)>,
) {
    let buckets = labels
        .into_iter()
        .map(|(label, sample_count)| Bucket {
            label: label.into(),
            sample_count,
            ..Default::default()
        })
        .collect();
    add(message, name, Val::RankHistogram(RankHistogram { buckets, ..Default::default() }));
}

/// The message of a feature, put at its place if the data have no such feature.
pub fn feature_mut<'a>(
    dataset: &'a mut DatasetFeatureStatistics,
    path: &FeaturePath,
) -> &'a mut FeatureNameStatistics {
    let features = &mut dataset.features;
    let at = features.partition_point(|feature| steps(feature) < path.steps());
    if features.get(at).is_none_or(|feature| steps(feature) != path.steps()) {
        let field_id = Some(FieldId::Path(path.to_proto()));
        features.insert(at, FeatureNameStatistics { field_id, ..Default::default() });
    }
    &mut features[at]
}

fn steps(feature: &FeatureNameStatistics) -> &[String] {
    match &feature.field_id {
        Some(FieldId::Path(path)) => &path.step,
        Some(FieldId::Name(name)) => std::slice::from_ref(name),
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_keep_their_order() {
        let mut message = FeatureNameStatistics::default();
        for (name, value) in [("b", 1.0), ("a", 2.0), ("b", 0.0), ("c", 3.0)] {
            add_number(&mut message, name, value);
        }
        let found: Vec<_> =
            message.custom_stats.iter().map(|s| (s.name.as_str(), s.val.clone())).collect();
        let expected = [("a", 2.0), ("b", 1.0), ("b", 0.0), ("c", 3.0)];
        assert_eq!(found, expected.map(|(name, value)| (name, Some(Val::Num(value)))));
    }

    #[test]
    fn features_are_found_or_put_at_their_place() {
        let mut dataset = DatasetFeatureStatistics::default();
        for name in ["m", "z", "a", "m"] {
            feature_mut(&mut dataset, &FeaturePath::column(name)).r#type += 1;
        }
        let nested = FeaturePath::column("m").child("x");
        feature_mut(&mut dataset, &nested);
        let found: Vec<_> =
            dataset.features.iter().map(|f| (steps(f).join("."), f.r#type)).collect();
        let expected = [("a", 1), ("m", 2), ("m.x", 0), ("z", 1)];
        assert_eq!(found, expected.map(|(name, n)| (name.to_owned(), n)));
    }
}
