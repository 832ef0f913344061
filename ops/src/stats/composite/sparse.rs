//! Sparse features: whether value and index columns of the schema's sparse features fit together.
//!
//! The names and meanings are those of TFDV (`sparse_feature_stats_generator.py`): examples that
//! lack all columns of a sparse feature do not count, whatever is asked.

use std::sync::Arc;

use engine::{CombineFn, Result};

use super::{Composite, Parts, add, create, merge};
use crate::stats::{DatasetGenerator, DatasetPatch, FeaturePath, Slice, StatsOptions, custom};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{Feature, Schema, SparseFeature};

pub(in crate::stats) const GENERATOR: DatasetGenerator = DatasetGenerator {
    name: "sparse_features",
    doc: "missing values and indices of sparse features, and differences of their lengths",
    new: |options: &StatsOptions| {
        let features = composites(options.schema.as_deref()?);
        if features.is_empty() {
            return None;
        }
        Some(Arc::new(Sparse { features }))
    },
};

struct Sparse {
    features: Vec<Composite>,
}

impl CombineFn for Sparse {
    type Input = Slice;
    type Accumulator = Vec<Parts>;
    type Output = DatasetPatch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> Vec<Parts> {
        create(&self.features)
    }

    fn add_input(&self, acc: &mut Vec<Parts>, slice: &Slice) -> Result<()> {
        add(&self.features, acc, slice)
    }

    fn merge_accumulators(&self, acc: &mut Vec<Parts>, other: Vec<Parts>) -> Result<()> {
        merge(acc, &other);
        Ok(())
    }

    fn extract_output(&self, acc: Vec<Parts>) -> Result<DatasetPatch> {
        let found: Vec<_> = self
            .features
            .iter()
            .zip(acc)
            .map(|(feature, parts)| {
                let labels = feature.others.iter().map(|p| p.steps().last().cloned());
                let labels: Vec<String> = labels.map(Option::unwrap_or_default).collect();
                (feature.path.clone(), labels, parts)
            })
            .collect();
        Ok(Box::new(move |dataset| {
            for (path, labels, parts) in found {
                let message = custom::feature_mut(dataset, &path);
                let ranks = |value: fn(&super::Other) -> f64| {
                    labels.iter().cloned().zip(parts.others.iter().map(value)).collect::<Vec<_>>()
                };
                let (min, max) = (
                    ranks(|other| other.diff.map_or(0.0, |(min, _)| min as f64)),
                    ranks(|other| other.diff.map_or(0.0, |(_, max)| max as f64)),
                );
                custom::add_number(message, "missing_value", parts.missing_value as f64);
                custom::add_labels(message, "missing_index", ranks(|other| other.missing as f64));
                custom::add_labels(message, "max_length_diff", max);
                custom::add_labels(message, "min_length_diff", min);
            }
            Ok(())
        }))
    }
}

/// All sparse features of a schema, at every depth; their columns lie beside them.
fn composites(schema: &Schema) -> Vec<Composite> {
    fn walk(
        parent: &[String],
        sparse: &[SparseFeature],
        features: &[Feature],
        out: &mut Vec<Composite>,
    ) {
        let child = |name: &Option<String>| {
            let step = name.clone().unwrap_or_default();
            FeaturePath::new(parent.iter().cloned().chain([step]).collect())
        };
        for feature in sparse {
            let value = feature.value_feature.as_ref().and_then(|value| value.name.clone());
            let mut others: Vec<_> =
                feature.index_feature.iter().map(|index| child(&index.name)).collect();
            others.sort();
            others.dedup();
            out.push(Composite { path: child(&feature.name), value: child(&value), others });
        }
        for feature in features {
            if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info {
                let path = child(&feature.name);
                walk(path.steps(), &domain.sparse_feature, &domain.feature, out);
            }
        }
    }
    let mut out = Vec::new();
    walk(&[], &schema.sparse_feature, &schema.feature, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, ListArray, RecordBatch, StructArray};
    use arrow_schema::{DataType, Field};

    use super::*;
    use crate::stats::laws;
    use crate::tfmd::StructDomain;
    use crate::tfmd::sparse_feature::{IndexFeature, ValueFeature};

    fn sparse(name: &str, value: &str, indices: &[&str]) -> SparseFeature {
        SparseFeature {
            name: Some(name.into()),
            value_feature: Some(ValueFeature { name: Some(value.into()) }),
            index_feature: indices
                .iter()
                .map(|&name| IndexFeature { name: Some(name.into()) })
                .collect(),
            ..Default::default()
        }
    }

    fn lists(rows: &[Option<usize>]) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            rows.iter().map(|row| row.map(|n| (0..n).map(|i| Some(i as i64)))),
        ))
    }

    fn check(columns: &[(&str, &[Option<usize>])], indices: &[&str], expected: &[&str]) {
        let schema =
            Schema { sparse_feature: vec![sparse("s", "v", indices)], ..Default::default() };
        let options = StatsOptions { schema: Some(Arc::new(schema)), ..Default::default() };
        let records =
            RecordBatch::try_from_iter(columns.iter().map(|(name, rows)| (*name, lists(rows))))
                .unwrap();
        let dataset = laws::dataset(&GENERATOR, &options, &records, |a, b| a == b);
        assert_eq!(dataset.features.len(), 1);
        assert_eq!(laws::custom(&dataset.features[0]), expected);
    }

    #[test]
    fn lengths_and_missing() {
        let v = &[Some(1), Some(2), None, None, Some(0)];
        check(
            &[("v", v), ("i", &[Some(3), Some(0), Some(1), None, None])],
            &["i"],
            &[
                "max_length_diff: i=2",
                "min_length_diff: i=-2",
                "missing_index: i=1",
                "missing_value: 1",
            ],
        );
        check(
            &[("v", v), ("i", v), ("j", &[Some(1); 5])],
            &["j", "i", "j"],
            &[
                "max_length_diff: i=0 j=1",
                "min_length_diff: i=0 j=-1",
                "missing_index: i=2 j=0",
                "missing_value: 2",
            ],
        );
    }

    #[test]
    fn absent_columns() {
        check(
            &[("v", &[Some(2), None])],
            &["i"],
            &[
                "max_length_diff: i=-2",
                "min_length_diff: i=-2",
                "missing_index: i=1",
                "missing_value: 0",
            ],
        );
        check(
            &[("other", &[Some(1)])],
            &["i"],
            &[
                "max_length_diff: i=0",
                "min_length_diff: i=0",
                "missing_index: i=0",
                "missing_value: 0",
            ],
        );
        check(
            &[("v", &[Some(2)])],
            &[],
            &["max_length_diff: ", "min_length_diff: ", "missing_index: ", "missing_value: 0"],
        );
    }

    #[test]
    fn inside_a_struct() {
        let domain =
            StructDomain { sparse_feature: vec![sparse("s", "v", &["i"])], ..Default::default() };
        let schema = Schema {
            feature: vec![Feature {
                name: Some("p".into()),
                domain_info: Some(DomainInfo::StructDomain(domain)),
                ..Default::default()
            }],
            ..Default::default()
        };
        let options = StatsOptions { schema: Some(Arc::new(schema)), ..Default::default() };
        let field =
            |name| Arc::new(Field::new(name, DataType::new_list(DataType::Int64, true), true));
        let structs = StructArray::from(vec![
            (field("v"), lists(&[Some(1), None, Some(3)])),
            (field("i"), lists(&[Some(2), None, Some(3)])),
        ]);
        let records = RecordBatch::try_from_iter([("p", Arc::new(structs) as ArrayRef)]).unwrap();
        let dataset = laws::dataset(&GENERATOR, &options, &records, |a, b| a == b);
        assert_eq!(
            laws::custom(&dataset.features[0]),
            [
                "max_length_diff: i=1",
                "min_length_diff: i=0",
                "missing_index: i=0",
                "missing_value: 0"
            ],
        );
    }
}
