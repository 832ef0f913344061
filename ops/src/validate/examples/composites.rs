//! Sparse and weighted features of examples: whether their columns fit together, row by row.

use std::sync::Arc;

use engine::{Batch, DoFn, Emit, Result};

use super::rows::Rows;
use super::{ExampleReason, ExampleValidator, SchemaIndex};
use crate::stats::column::Column;
use crate::stats::generator::SliceStats;
use crate::stats::{DATASET_GENERATORS, FeaturePath, Prepare, StatsOptions};
use crate::tfmd::{DatasetFeatureStatistics, Path, Schema};

/// The generators of statistics of composite features.
const GENERATORS: [&str; 2] = ["sparse_features", "weighted_features"];

/// The composite features at the top of a schema.
pub(super) struct Composites {
    /// Paths of the composite features and of the columns that each is made of.
    features: Vec<(FeaturePath, Vec<FeaturePath>)>,
    combiners: Vec<SliceStats>,
    prepare: Prepare,
}

impl Composites {
    pub(super) fn new(schema: &Arc<Schema>) -> Self {
        let column = |name: &str| FeaturePath::column(name);
        let of_path = |path: &Option<Path>| {
            FeaturePath::new(path.as_ref().map(|path| path.step.clone()).unwrap_or_default())
        };
        let sparse = schema.sparse_feature.iter().filter(|feature| !feature.is_retired());
        let sparse = sparse.map(|feature| {
            let value = feature.value_feature.iter().map(|value| column(value.name()));
            let indices = feature.index_feature.iter().map(|index| column(index.name()));
            (column(feature.name()), value.chain(indices).collect())
        });
        let weighted = schema.weighted_feature.iter().filter(|feature| !feature.is_retired());
        let weighted = weighted.map(|feature| {
            let parts = vec![of_path(&feature.feature), of_path(&feature.weight_feature)];
            (column(feature.name()), parts)
        });
        let features = sparse.chain(weighted).collect();
        let options = Arc::new(StatsOptions { schema: Some(schema.clone()), ..Default::default() });
        let generators = DATASET_GENERATORS.iter().filter(|g| GENERATORS.contains(&g.name));
        let combiners = generators.filter_map(|generator| (generator.new)(&options)).collect();
        Composites { features, combiners, prepare: Prepare::new(options) }
    }

    /// Whether this is a composite feature's name.
    pub(super) fn is_named(&self, path: &FeaturePath) -> bool {
        self.features.iter().any(|(name, _)| name == path)
    }

    pub(super) fn validate(
        &self,
        validator: &ExampleValidator,
        batch: &Batch,
        columns: &[Column],
    ) -> Result<Vec<ExampleReason>> {
        let n = batch.records.num_rows();
        let mut in_doubt = Rows::none(n);
        for (_, parts) in &self.features {
            let find = |path: &FeaturePath| columns.iter().find(|column| column.path == *path);
            let parts: Vec<Option<&Column>> = parts.iter().map(find).collect();
            if parts.iter().flatten().any(|part| part.levels[0].n_parents != n) {
                continue;
            }
            // All parts are as long as each other, or all are missing.
            let length = |part: Option<&Column>, row| {
                let level = &part?.levels[0];
                level.is_present(row).then(|| level.length(row))
            };
            let differ = |row: usize| {
                let mut lengths = parts.iter().map(|&part| length(part, row));
                let first = lengths.next().flatten();
                lengths.any(|other| other != first)
            };
            (0..n).filter(|&row| differ(row)).for_each(|row| in_doubt.set(row));
        }
        if !in_doubt.any() {
            return Ok(Vec::new());
        }
        let index = SchemaIndex::new(&validator.schema);
        let mut found = Vec::new();
        for row in in_doubt.iter() {
            for statistics in self.of_row(batch, row)?.features {
                let path: Arc<str> = statistics.path_or_name().to_string().into();
                let (reasons, _) = validator.judge(&index, statistics);
                found.extend(reasons.into_iter().map(|reason| ExampleReason {
                    row,
                    path: path.clone(),
                    value: reason.observed.as_deref().map(Into::into),
                    reason: Arc::new(reason),
                }));
            }
        }
        Ok(found)
    }

    /// The statistics of the composite features of one row.
    fn of_row(&self, batch: &Batch, row: usize) -> Result<DatasetFeatureStatistics> {
        let records = batch.records.slice(row, 1);
        let one = Batch { records, originals: None, rejected: Vec::new(), ..batch.clone() };
        let mut out = Emit::default();
        self.prepare.process(&one, &mut out)?;
        let mut statistics = DatasetFeatureStatistics::default();
        for slice in out.into_elements().iter().flat_map(|examples| &examples.slices) {
            for combiner in &self.combiners {
                let mut state = combiner.create();
                combiner.add(&mut state, slice)?;
                combiner.extract(state)?(&mut statistics)?;
            }
        }
        Ok(statistics)
    }
}
