//! Custom statistics: how any generator adds named values, and how a user adds generators.
//!
//! A user's generator is what ours are: a function that looks at a feature (or at the options) and
//! gives a [`engine::CombineFn`], or `None` where it does not apply. It runs in the same scan, and its
//! states are merged, sent and stored like all others.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch};
//! use engine::{CombineFn, Result};
//! use ops::stats::{Column, CustomGenerators, Kind, Patch, StatsOptions, Values, column, custom};
//!
//! /// Counts the multiples of a number.
//! struct Multiples {
//!     of: i64,
//! }
//!
//! impl CombineFn for Multiples {
//!     type Input = Column;
//!     type Accumulator = u64;
//!     type Output = Patch;
//!
//!     fn name(&self) -> &'static str {
//!         "multiples"
//!     }
//!     fn create_accumulator(&self) -> u64 {
//!         0
//!     }
//!     fn add_input(&self, acc: &mut u64, column: &Column) -> Result<()> {
//!         if let Values::Int(values) = &column.values {
//!             *acc += values.iter().flatten().filter(|value| value % self.of == 0).count() as u64;
//!         }
//!         Ok(())
//!     }
//!     fn merge_accumulators(&self, acc: &mut u64, other: u64) -> Result<()> {
//!         *acc += other;
//!         Ok(())
//!     }
//!     fn extract_output(&self, acc: u64) -> Result<Patch> {
//!         Ok(Box::new(move |message| custom::add_number(message, "multiples", acc as f64)))
//!     }
//! }
//!
//! let of = 3;
//! let generators = CustomGenerators::default().feature(move |feature| {
//!     (feature.kind == Kind::Int).then(|| Arc::new(Multiples { of }) as _)
//! });
//! let options = StatsOptions { generators, ..StatsOptions::default() };
//!
//! // In a run, `generate_statistics` does the rest. By hand, on one batch:
//! let values: ArrayRef = Arc::new(Int64Array::from(vec![3, 4, 5, 6]));
//! let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
//! let columns = column::columns(&batch, 0, |_| None, |_| true).unwrap();
//! let multiples = Multiples { of };
//! let mut acc = multiples.create_accumulator();
//! multiples.add_input(&mut acc, &columns[0]).unwrap();
//! assert_eq!(acc, 2);
//! # assert!(format!("{options:?}").contains("1 of a feature"));
//! ```
//!
//! **Invariant:** the custom statistics of a feature are sorted by name, those of one name in the
//! order in which they came, so that the bytes do not depend on which generators ran first.

use std::fmt;
use std::sync::Arc;

use crate::tfmd::feature_name_statistics::FieldId;
use crate::tfmd::rank_histogram::Bucket;
use crate::tfmd::{
    CustomStatistic, DatasetFeatureStatistics, FeatureNameStatistics, RankHistogram,
};

use super::{FeatureContext, FeaturePath, FeatureStats, SliceStats, StatsOptions};

pub use crate::tfmd::custom_statistic::Val;

type NewFeatureStats = Arc<dyn Fn(&FeatureContext<'_>) -> Option<FeatureStats> + Send + Sync>;
type NewSliceStats = Arc<dyn Fn(&StatsOptions) -> Option<SliceStats> + Send + Sync>;

/// Generators of the user's own: [`StatsOptions::generators`].
///
/// They must be the same, in the same order, in every process of a run and wherever states of it are
/// read again; a state names its combiner and version, so a difference is an error and no wrong
/// number.
#[derive(Clone, Default)]
pub struct CustomGenerators {
    features: Vec<NewFeatureStats>,
    slices: Vec<NewSliceStats>,
}

impl CustomGenerators {
    /// Adds a generator of statistics of single features; `new` is that of a [`super::Generator`].
    #[must_use]
    pub fn feature(
        mut self,
        new: impl Fn(&FeatureContext<'_>) -> Option<FeatureStats> + Send + Sync + 'static,
    ) -> Self {
        self.features.push(Arc::new(new));
        self
    }

    /// Adds a generator of statistics of whole slices; `new` is that of a
    /// [`super::DatasetGenerator`].
    #[must_use]
    pub fn slice(
        mut self,
        new: impl Fn(&StatsOptions) -> Option<SliceStats> + Send + Sync + 'static,
    ) -> Self {
        self.slices.push(Arc::new(new));
        self
    }

    pub(super) fn of_feature(
        &self,
        feature: &FeatureContext<'_>,
    ) -> impl Iterator<Item = FeatureStats> {
        self.features.iter().filter_map(move |new| new(feature))
    }

    pub(super) fn of_slice(&self, options: &StatsOptions) -> impl Iterator<Item = SliceStats> {
        self.slices.iter().filter_map(move |new| new(options))
    }
}

impl fmt::Debug for CustomGenerators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of a feature, {} of a slice", self.features.len(), self.slices.len())
    }
}

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

    #[test]
    fn generators_of_the_user_run_beside_ours() {
        use arrow_array::{ArrayRef, Int64Array, RecordBatch};
        use engine::{AnyCombineFn, CombineFn, Result};

        use crate::stats::{DatasetPatch, DatasetStats, EMPTY_VALUES, Examples, Kind, Slice, laws};

        /// Counts the columns of all batches.
        struct Columns;

        impl CombineFn for Columns {
            type Input = Slice;
            type Accumulator = u64;
            type Output = DatasetPatch;

            fn name(&self) -> &'static str {
                "columns"
            }
            fn create_accumulator(&self) -> u64 {
                0
            }
            fn add_input(&self, acc: &mut u64, slice: &Slice) -> Result<()> {
                *acc += slice.columns.len() as u64;
                Ok(())
            }
            fn merge_accumulators(&self, acc: &mut u64, other: u64) -> Result<()> {
                *acc += other;
                Ok(())
            }
            fn extract_output(&self, acc: u64) -> Result<DatasetPatch> {
                Ok(Box::new(move |dataset| {
                    let message = feature_mut(dataset, &FeaturePath::column("all"));
                    add_number(message, "columns", acc as f64);
                    Ok(())
                }))
            }
        }

        let generators = CustomGenerators::default()
            .feature(EMPTY_VALUES.new)
            .feature(|feature| (feature.kind == Kind::Float).then(|| unreachable!()))
            .slice(|_| Some(Arc::new(Columns)));
        let options = Arc::new(StatsOptions { generators, ..Default::default() });
        let f = DatasetStats::new(options.clone());
        let values: ArrayRef = Arc::new(Int64Array::from(vec![-1, 2, -1]));
        let records = RecordBatch::try_from_iter([("x", values)]).unwrap();
        let examples = Examples::of(laws::slice(&records, 0));
        let (mut a, mut b) = (f.create(), f.create());
        f.add(&mut a, &examples).unwrap();
        f.add(&mut b, &examples).unwrap();
        let b = f.decode(&AnyCombineFn::encode(&f, &b)).unwrap();
        f.merge(&mut a, b).unwrap();
        let dataset = f.extract(a).unwrap().datasets.remove(0);
        let found: Vec<_> = dataset.features.iter().map(laws::custom).collect();
        assert_eq!(found, [["columns: 2"], ["int_-1: 4"]]);

        // Whoever reads a state must have the same generators.
        let other = DatasetStats::new(Arc::default());
        let mut state = f.create();
        f.add(&mut state, &examples).unwrap();
        let state = other.decode(&AnyCombineFn::encode(&f, &state)).unwrap();
        let error = other.extract(state).unwrap_err();
        assert_eq!(error.message(), "a stored state was made by other generators");
    }
}
