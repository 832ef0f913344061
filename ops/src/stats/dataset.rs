//! `DatasetStats`: the one combiner that holds the state of every generator of every feature.
//!
//! ```text
//!  slices ─► features (by path) ─► common (presence, valency)
//!        │                      └► cells: one state for each generator that applies
//!        └► dataset cells: one state for each dataset generator that applies
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{CombineFn, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::common::CommonAcc;
use super::examples::ALL_EXAMPLES;
use super::generator::Cell;
use super::{
    Column, DATASET_GENERATORS, DatasetPatch, Examples, FeatureContext, FeaturePath, FeatureStats,
    GENERATORS, Kind, Logical, Patch, Slice, SliceStats, StatsOptions, Variant,
};
use crate::sketch::ExactSum;
use crate::tfmd::feature_name_statistics::{FieldId, Stats, Type};
use crate::tfmd::{
    BytesStatistics, DatasetFeatureStatistics, DatasetFeatureStatisticsList, FeatureNameStatistics,
    NumericStatistics, StringStatistics, StructStatistics,
};

/// Computes every statistic that one scan can give from states alone.
pub struct DatasetStats {
    options: Arc<StatsOptions>,
}

impl DatasetStats {
    /// For these options.
    pub fn new(options: Arc<StatsOptions>) -> Self {
        DatasetStats { options }
    }

    /// The combiners of a feature: one for each generator that applies.
    fn combiners(
        &self,
        path: &FeaturePath,
        kind: Kind,
        logical: Option<&Logical>,
        weighted: bool,
    ) -> Vec<FeatureStats> {
        let options = &*self.options;
        let schema = options.schema_feature(path);
        let variant = Variant::of(kind, schema);
        let context = FeatureContext { path, kind, logical, variant, weighted, schema, options };
        let ours = GENERATORS.iter().filter_map(|generator| (generator.new)(&context));
        ours.chain(options.generators.of_feature(&context)).collect()
    }

    /// The combiners of a slice: one for each dataset generator that applies.
    fn dataset_combiners(&self) -> Vec<SliceStats> {
        let options = &self.options;
        let ours = DATASET_GENERATORS.iter().filter_map(|generator| (generator.new)(options));
        ours.chain(options.generators.of_slice(options)).collect()
    }

    /// Makes the states of a feature that were read from bytes usable.
    fn thaw(&self, path: &FeaturePath, feature: &mut FeatureAcc) -> Result<()> {
        let Some(kind) = feature.kind else { return Ok(()) };
        let combiners = self.combiners(path, kind, feature.logical.as_ref(), feature.weighted);
        thaw_all(&mut feature.cells, &combiners)
    }
}

fn thaw_all<I, O>(
    cells: &mut [Cell<I, O>],
    combiners: &[Arc<dyn engine::AnyCombineFn<I, O>>],
) -> Result<()> {
    if cells.len() != combiners.len() {
        return Err(Error::new(
            ErrorKind::Incompatible,
            "a stored state was made by other generators",
        )
        .with_hint("Compute the states again with the options and the version of today."));
    }
    cells.iter_mut().zip(combiners).try_for_each(|(cell, f)| cell.thaw(f))
}

/// The accumulator of [`DatasetStats`].
#[derive(Default, Serialize, Deserialize)]
pub struct DatasetAcc {
    slices: BTreeMap<String, SliceAcc>,
}

#[derive(Default, Serialize, Deserialize)]
struct SliceAcc {
    n_examples: u64,
    weighted_n_examples: ExactSum,
    features: BTreeMap<FeaturePath, FeatureAcc>,
    cells: Vec<Cell<Slice, DatasetPatch>>,
}

#[derive(Default, Serialize, Deserialize)]
struct FeatureAcc {
    kind: Option<Kind>,
    logical: Option<Logical>,
    weighted: bool,
    common: CommonAcc,
    cells: Vec<Cell<Column, Patch>>,
}

impl CombineFn for DatasetStats {
    type Input = Examples;
    type Accumulator = DatasetAcc;
    type Output = DatasetFeatureStatisticsList;

    fn name(&self) -> &'static str {
        "statistics"
    }

    fn create_accumulator(&self) -> DatasetAcc {
        DatasetAcc::default()
    }

    fn add_input(&self, acc: &mut DatasetAcc, input: &Examples) -> Result<()> {
        for slice in &input.slices {
            if !acc.slices.contains_key(&*slice.name) {
                let fresh = SliceAcc {
                    cells: self.dataset_combiners().into_iter().map(Cell::new).collect(),
                    ..SliceAcc::default()
                };
                acc.slices.insert(slice.name.to_string(), fresh);
            }
            let acc = acc.slices.get_mut(&*slice.name).expect("it was just put there");
            acc.n_examples += slice.n_examples as u64;
            if let Some(weights) = &slice.weights {
                // One by one: a sum of sums would show where batches were cut.
                weights.iter().for_each(|weight| acc.weighted_n_examples.add(*weight));
            }
            for column in &slice.columns {
                self.add_column(acc, column)?;
            }
            for cell in &mut acc.cells {
                let (f, state) = cell.live();
                f.add(state, slice)?;
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut DatasetAcc, other: DatasetAcc) -> Result<()> {
        for (name, slice) in other.slices {
            let Some(into) = acc.slices.get_mut(&name) else {
                acc.slices.insert(name, slice);
                continue;
            };
            self.merge_slices(into, slice)?;
        }
        Ok(())
    }

    fn compact(&self, acc: &mut DatasetAcc) {
        for slice in acc.slices.values_mut() {
            for feature in slice.features.values_mut() {
                feature.common.compact();
                feature.cells.iter_mut().for_each(compact_cell);
            }
            slice.cells.iter_mut().for_each(compact_cell);
        }
    }

    fn extract_output(&self, mut acc: DatasetAcc) -> Result<DatasetFeatureStatisticsList> {
        self.list_features_everywhere(&mut acc);
        let mut datasets = Vec::new();
        for (name, slice) in acc.slices {
            datasets.push(self.dataset(name, slice)?);
        }
        datasets.sort_by_key(|dataset| dataset.name != ALL_EXAMPLES);
        if datasets.is_empty() {
            datasets.push(DatasetFeatureStatistics::default());
        }
        Ok(DatasetFeatureStatisticsList { datasets })
    }
}

impl DatasetStats {
    /// Lets every slice list every feature, also one that is missing in all its rows: batches do
    /// not bring such columns to a slice, since whether they could depends on the other rows.
    fn list_features_everywhere(&self, acc: &mut DatasetAcc) {
        let Some(all) = acc.slices.remove(ALL_EXAMPLES) else { return };
        for slice in acc.slices.values_mut() {
            for (path, feature) in &all.features {
                if slice.features.contains_key(path) {
                    continue;
                }
                let (kind, logical) = (feature.kind, feature.logical.clone());
                let combiners = kind.map_or(Vec::new(), |kind| {
                    self.combiners(path, kind, logical.as_ref(), feature.weighted)
                });
                let absent = FeatureAcc {
                    kind,
                    logical,
                    weighted: feature.weighted,
                    common: feature.common.absent(),
                    cells: combiners.into_iter().map(Cell::new).collect(),
                };
                slice.features.insert(path.clone(), absent);
            }
        }
        acc.slices.insert(ALL_EXAMPLES.to_owned(), all);
    }

    fn add_column(&self, acc: &mut SliceAcc, column: &Column) -> Result<()> {
        if !acc.features.contains_key(&column.path) {
            acc.features.insert(column.path.clone(), FeatureAcc::default());
        }
        let feature = acc.features.get_mut(&column.path).expect("it was just put there");
        feature.common.add(column, feature.kind.is_some(), &self.options)?;
        let Some(kind) = column.kind() else { return Ok(()) };
        if feature.kind.is_none() {
            feature.kind = Some(kind);
            feature.logical.clone_from(&column.logical);
            feature.weighted = column.weights.is_some();
            let logical = column.logical.as_ref();
            feature.cells = self
                .combiners(&column.path, kind, logical, feature.weighted)
                .into_iter()
                .map(Cell::new)
                .collect();
        }
        agree(&column.path, (feature.kind, &feature.logical), (Some(kind), &column.logical))?;
        for cell in &mut feature.cells {
            let (f, state) = cell.live();
            f.add(state, column)?;
        }
        Ok(())
    }

    fn merge_slices(&self, acc: &mut SliceAcc, other: SliceAcc) -> Result<()> {
        acc.n_examples += other.n_examples;
        acc.weighted_n_examples.merge(&other.weighted_n_examples);
        for (path, mut feature) in other.features {
            let Some(into) = acc.features.get_mut(&path) else {
                acc.features.insert(path, feature);
                continue;
            };
            agree(&path, (into.kind, &into.logical), (feature.kind, &feature.logical))?;
            let are_typed = [into.kind.is_some(), feature.kind.is_some()];
            into.common.merge(&path, std::mem::take(&mut feature.common), are_typed)?;
            if into.kind.is_none() {
                into.kind = feature.kind;
                into.logical = feature.logical;
                into.weighted = feature.weighted;
                into.cells = feature.cells;
            } else if feature.kind.is_some() {
                self.thaw(&path, into)?;
                self.thaw(&path, &mut feature)?;
                merge_cells(&mut into.cells, feature.cells)?;
            }
        }
        let combiners = self.dataset_combiners();
        let mut cells = other.cells;
        thaw_all(&mut acc.cells, &combiners)?;
        thaw_all(&mut cells, &combiners)?;
        merge_cells(&mut acc.cells, cells)
    }

    fn dataset(&self, name: String, mut slice: SliceAcc) -> Result<DatasetFeatureStatistics> {
        let combiners = self.dataset_combiners();
        thaw_all(&mut slice.cells, &combiners)?;
        let all = (slice.n_examples, slice.weighted_n_examples.value());
        let n_values: BTreeMap<FeaturePath, (u64, f64)> = slice
            .features
            .iter()
            .filter(|(_, feature)| feature.kind == Some(Kind::Struct))
            .map(|(path, feature)| (path.clone(), feature.common.n_values()))
            .collect();
        let mut message = DatasetFeatureStatistics {
            name,
            num_examples: slice.n_examples,
            weighted_num_examples: slice.weighted_n_examples.value(),
            ..Default::default()
        };
        for (path, mut feature) in slice.features {
            self.thaw(&path, &mut feature)?;
            let n_parents =
                path.parent().and_then(|parent| n_values.get(&parent).copied()).unwrap_or(all);
            message.features.push(self.feature(&path, feature, n_parents)?);
        }
        for cell in slice.cells {
            let (f, state) = cell.into_live();
            f.extract(state)?(&mut message)?;
        }
        Ok(message)
    }

    fn feature(
        &self,
        path: &FeaturePath,
        feature: FeatureAcc,
        n_parents: (u64, f64),
    ) -> Result<FeatureNameStatistics> {
        let (common, mut custom_stats) = feature.common.messages(n_parents, &self.options);
        if feature.kind.is_none() {
            custom_stats.clear();
        }
        // A feature without any value is text to TFDV.
        let kind = feature.kind.unwrap_or(Kind::String);
        let variant = Variant::of(kind, self.options.schema_feature(path));
        let common_stats = Some(common);
        let stats = match variant {
            Variant::Numeric => {
                Stats::NumStats(NumericStatistics { common_stats, ..Default::default() })
            }
            Variant::String => {
                Stats::StringStats(StringStatistics { common_stats, ..Default::default() })
            }
            Variant::Bytes => {
                Stats::BytesStats(BytesStatistics { common_stats, ..Default::default() })
            }
            Variant::Struct => Stats::StructStats(StructStatistics { common_stats }),
        };
        let type_ = match (kind, variant) {
            (_, Variant::Bytes) => Type::Bytes,
            (Kind::Int, _) => Type::Int,
            (Kind::Float, _) => Type::Float,
            (Kind::String, _) => Type::String,
            (Kind::Struct, _) => Type::Struct,
        };
        let mut message = FeatureNameStatistics {
            r#type: type_ as i32,
            field_id: Some(FieldId::Path(path.to_proto())),
            stats: Some(stats),
            custom_stats,
            ..Default::default()
        };
        for cell in feature.cells {
            let (f, state) = cell.into_live();
            f.extract(state)?(&mut message);
        }
        Ok(message)
    }
}

fn merge_cells<I, O>(into: &mut [Cell<I, O>], other: Vec<Cell<I, O>>) -> Result<()> {
    for (cell, other) in into.iter_mut().zip(other) {
        let (f, state) = cell.live();
        f.merge(state, other.into_live().1)?;
    }
    Ok(())
}

fn compact_cell<I, O>(cell: &mut Cell<I, O>) {
    if let Cell::Live(f, state) = cell {
        f.compact(state);
    }
}

/// Checks that a feature has one type wherever it occurs.
fn agree(
    path: &FeaturePath,
    a: (Option<Kind>, &Option<Logical>),
    b: (Option<Kind>, &Option<Logical>),
) -> Result<()> {
    if a.0.is_none() || b.0.is_none() || a == b {
        return Ok(());
    }
    let name = |(kind, logical): (Option<Kind>, &Option<Logical>)| match (kind, logical) {
        (_, Some(logical)) => format!("{logical:?}"),
        (Some(kind), None) => format!("{kind:?}").to_uppercase(),
        (None, None) => "unknown".to_owned(),
    };
    Err(Error::input(format!("feature `{path}` has two types in the data"))
        .with_detail(format!("It is {} in one place and {} in another.", name(a), name(b)))
        .with_hint("Leave it out with `--features`, or mend the shards that differ."))
}
