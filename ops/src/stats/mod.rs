//! Statistics: the tables of generators, and what a generator is.
//!
//! A generator is one file: a [`CombineFn`](engine::CombineFn) over the [`Column`]s of one feature
//! (or over all columns of a slice), with its name, its one-line doc and its patch on the result.
//! Its line in [`GENERATORS`] or [`DATASET_GENERATORS`] puts it into the scan, the stored states and
//! `frazil generators`.

mod bytes;
pub mod column;
mod common;
mod composite;
mod cross;
pub mod custom;
mod dataset;
mod empty_values;
mod examples;
pub mod generator;
pub(crate) mod histogram;
#[cfg(test)]
mod laws;
mod lift;
mod logical;
mod mutual_information;
mod natural_language;
mod numeric;
mod options;
mod path;
mod presence;
mod sample;
mod semantic;
mod slicing;
mod string;
#[cfg(test)]
mod testing;
pub(crate) mod text;
mod top_k;
mod top_k_sketch;
mod value_counts;

use std::sync::Arc;

use engine::{Batch, Combined, Outputs, PCollection, Result};

pub use column::{Column, Kind, Level, Logical, Values};
pub use custom::CustomGenerators;
pub use dataset::DatasetStats;
pub use empty_values::EMPTY_VALUES;
pub use examples::{Examples, Prepare, Slice};
pub use generator::{
    DatasetGenerator, DatasetPatch, FeatureContext, FeatureStats, Generator, Patch, SliceStats,
    Variant,
};
pub use lift::{FeatureLifts, Lift, LiftCounts, LiftState};
pub use mutual_information::MutualInformation;
pub use options::{SliceSpec, StatsOptions};
pub use path::FeaturePath;
pub(crate) use sample::seed as shard_seed;
pub use slicing::SliceKey;
pub(crate) use slicing::slices_named;
pub use top_k::{FeatureRanks, TopK};
pub(crate) use value_counts::each_valid;
pub use value_counts::{Tally, ValueCounts, WeightedCount};

use crate::tfmd::DatasetFeatureStatisticsList;

/// Every statistic of a single feature, in the order in which they patch the result.
pub static GENERATORS: &[Generator] = &[
    numeric::GENERATOR,
    string::GENERATOR,
    bytes::GENERATOR,
    top_k_sketch::GENERATOR,
    logical::GENERATOR,
    semantic::image::GENERATOR,
    semantic::natural_language_inference::GENERATOR,
    semantic::time::GENERATOR,
    natural_language::GENERATOR,
];

/// Every statistic of several features together.
pub static DATASET_GENERATORS: &[DatasetGenerator] = &[
    composite::sparse::GENERATOR,
    composite::weighted::GENERATOR,
    cross::GENERATOR,
    mutual_information::GENERATOR,
];

/// Adds the statistics of all examples, and of all slices, to a pipeline: one scan.
pub fn generate_statistics(
    batches: &PCollection<Batch>,
    options: Arc<StatsOptions>,
) -> StatisticsHandle {
    let examples = batches.par_do(Prepare::of_shards(options.clone(), batches.source().shards()));
    let dataset = examples.combine_globally(DatasetStats::new(options.clone()));
    let lifts = match (&options.label_feature, options.is_weighted()) {
        (None, _) => Lifts::None,
        (Some(_), true) => {
            let counts = examples.combine_per_key(LiftCounts::new(options.clone()));
            Lifts::Weighted(counts.combine_globally(Lift::new(options.clone())))
        }
        (Some(_), false) => {
            let counts = examples.combine_per_key(LiftCounts::new(options.clone()));
            Lifts::Counted(counts.combine_globally(Lift::new(options.clone())))
        }
    };
    let ranks = if options.use_sketch_based_topk_uniques {
        Ranks::Sketched
    } else if options.is_weighted() {
        let counts = examples.combine_per_key(ValueCounts::<WeightedCount>::new(options.clone()));
        Ranks::Weighted(counts.combine_globally(TopK::new(options)))
    } else {
        let counts = examples.combine_per_key(ValueCounts::<u64>::new(options.clone()));
        Ranks::Counted(counts.combine_globally(TopK::new(options)))
    };
    StatisticsHandle { dataset, ranks, lifts }
}

/// A handle on the statistics that a run will give.
pub struct StatisticsHandle {
    dataset: Combined<DatasetStats>,
    ranks: Ranks,
    lifts: Lifts,
}

/// Where the lift of categorical features comes from, if it is asked for.
enum Lifts {
    None,
    Counted(Combined<Lift<u64>>),
    Weighted(Combined<Lift<WeightedCount>>),
}

/// Where the distinct and the most frequent values come from.
enum Ranks {
    /// From a generator among the others.
    Sketched,
    Counted(Combined<TopK<u64>>),
    Weighted(Combined<TopK<WeightedCount>>),
}

impl StatisticsHandle {
    /// The statistics, in TFDV's message: one dataset for each slice, features sorted by path.
    ///
    /// # Errors
    /// When a state cannot be read or contradicts an option.
    pub fn output(&self, outputs: &mut Outputs) -> Result<DatasetFeatureStatisticsList> {
        let mut list = self.dataset.output(outputs)?;
        match &self.ranks {
            Ranks::Sketched => {}
            Ranks::Counted(ranks) => ranks.output(outputs)?.patch(&mut list),
            Ranks::Weighted(ranks) => ranks.output(outputs)?.patch(&mut list),
        }
        match &self.lifts {
            Lifts::None => {}
            Lifts::Counted(lifts) => lifts.output(outputs)?.patch(&mut list),
            Lifts::Weighted(lifts) => lifts.output(outputs)?.patch(&mut list),
        }
        Ok(list)
    }
}
