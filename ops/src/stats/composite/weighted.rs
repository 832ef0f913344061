//! Weighted features: whether values and weights of the schema's weighted features fit together.
//!
//! The names and meanings are those of TFDV (`weighted_feature_stats_generator.py`): examples that
//! lack both columns do not count, whatever is asked.

use std::sync::Arc;

use engine::{CombineFn, Result};

use super::{Composite, Parts, add, create, merge};
use crate::stats::{DatasetGenerator, DatasetPatch, FeaturePath, Slice, StatsOptions, custom};
use crate::tfmd::{Path, Schema};

pub(in crate::stats) const GENERATOR: DatasetGenerator = DatasetGenerator {
    name: "weighted_features",
    doc: "missing values and weights of weighted features, and differences of their lengths",
    new: |options: &StatsOptions| {
        let features = composites(options.schema.as_deref()?);
        if features.is_empty() {
            return None;
        }
        Some(Arc::new(Weighted { features }))
    },
};

struct Weighted {
    features: Vec<Composite>,
}

impl CombineFn for Weighted {
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
        let paths: Vec<_> = self.features.iter().map(|feature| feature.path.clone()).collect();
        Ok(Box::new(move |dataset| {
            for (path, parts) in paths.iter().zip(acc) {
                let message = custom::feature_mut(dataset, path);
                let weight = &parts.others[0];
                let (min, max) = weight.diff.unwrap_or((0, 0));
                custom::add_number(message, "missing_weight", weight.missing as f64);
                custom::add_number(message, "missing_value", parts.missing_value as f64);
                custom::add_number(message, "min_weight_length_diff", min as f64);
                custom::add_number(message, "max_weight_length_diff", max as f64);
            }
            Ok(())
        }))
    }
}

fn composites(schema: &Schema) -> Vec<Composite> {
    let path = |path: &Option<Path>| {
        FeaturePath::new(path.as_ref().map(|path| path.step.clone()).unwrap_or_default())
    };
    schema
        .weighted_feature
        .iter()
        .map(|feature| Composite {
            path: FeaturePath::column(feature.name.as_deref().unwrap_or_default()),
            value: path(&feature.feature),
            others: vec![path(&feature.weight_feature)],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Float32Type;
    use arrow_array::{ArrayRef, Float32Array, ListArray, RecordBatch};

    use super::*;
    use crate::stats::laws;
    use crate::tfmd::WeightedFeature;

    fn options() -> StatsOptions {
        let schema = Schema {
            weighted_feature: vec![WeightedFeature {
                name: Some("both".into()),
                feature: Some(Path { step: vec!["v".into()] }),
                weight_feature: Some(Path { step: vec!["w".into()] }),
                ..Default::default()
            }],
            ..Default::default()
        };
        StatsOptions { schema: Some(Arc::new(schema)), ..Default::default() }
    }

    fn check(columns: Vec<(&str, ArrayRef)>, expected: [f64; 4]) {
        let records = RecordBatch::try_from_iter(columns).unwrap();
        let dataset = laws::dataset(&GENERATOR, &options(), &records, |a, b| a == b);
        let [max, min, value, weight] = expected;
        assert_eq!(
            laws::custom(&dataset.features[0]),
            [
                format!("max_weight_length_diff: {max}"),
                format!("min_weight_length_diff: {min}"),
                format!("missing_value: {value}"),
                format!("missing_weight: {weight}"),
            ]
        );
    }

    fn lists(rows: &[Option<usize>]) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(
            rows.iter().map(|row| row.map(|n| vec![Some(0.5); n])),
        ))
    }

    #[test]
    fn lengths_and_missing() {
        let v = || lists(&[Some(2), Some(0), None, None]);
        let flat: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), None, Some(1.0), None]));
        check(vec![("v", v()), ("w", lists(&[Some(2), Some(3), None, Some(1)]))], [3., 0., 1., 0.]);
        check(vec![("v", v()), ("w", flat)], [1., -1., 1., 1.]);
        check(vec![("w", v())], [2., 0., 2., 0.]);
        check(vec![("x", v())], [0., 0., 0., 0.]);
    }

    #[test]
    fn columns_with_other_parents_are_an_error() {
        let mut slice = laws::slice(
            &RecordBatch::try_from_iter([("v", lists(&[Some(1)])), ("w", lists(&[None]))]).unwrap(),
            0,
        );
        slice.columns[1].levels[0].n_parents = 2;
        let f = (GENERATOR.new)(&options()).unwrap();
        let error = f.add(&mut f.create(), &slice).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the columns of the composite feature `both` cannot be paired\n  \
             detail: `v` has 1 parents in a batch, but `w` has 2.\n  \
             hint: Mend the schema: the columns must lie beside each other."
        );
    }
}
