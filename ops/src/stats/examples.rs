//! `Prepare`: a batch of records becomes slices of columns, ready for every generator.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::DataType;
use arrow_select::take::take_record_batch;
use engine::{Batch, DoFn, Emit, Error, Result, Rows, Shard};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::column::{self, Column};
use super::sample::Sample;
use super::{FeaturePath, StatsOptions, slicing};

/// The default slice's name where there are others beside it.
pub(crate) const ALL_EXAMPLES: &str = "All Examples";

/// A batch of examples, cut into slices.
#[derive(Debug)]
pub struct Examples {
    /// The default slice first, then the others, sorted by name.
    pub slices: Vec<Slice>,
    n_rows: u64,
}

#[cfg(test)]
impl Examples {
    /// A batch of one slice.
    pub(crate) fn of(slice: Slice) -> Self {
        let n_rows = slice.n_examples as u64;
        Examples { slices: vec![slice], n_rows }
    }
}

impl Rows for Examples {
    fn rows(&self) -> u64 {
        self.n_rows
    }
}

/// The examples of one slice in one batch.
#[derive(Debug)]
pub struct Slice {
    /// TFDV's slice key; empty for all examples when there is no other slice.
    pub name: Arc<str>,
    /// Number of examples.
    pub n_examples: usize,
    /// Weight of every example, where `weight_feature` is set.
    pub weights: Option<Arc<[f64]>>,
    /// Every feature that occurs in the batch, parents before their children.
    pub columns: Vec<Column>,
    /// The slice's rows as they came.
    pub records: RecordBatch,
    /// Place of the batch's first example in its shard, counted in good rows.
    pub first_row: u64,
    /// Rows of the batch that the examples are; `None` for all.
    pub rows: Option<Arc<[u32]>>,
    /// What tells the batch's shard from others: a hash of its file's name and part.
    pub shard_seed: u64,
}

impl Slice {
    /// A hash of the place of an example: its shard and its row, however they are batched.
    pub fn place_hash(&self, i: usize) -> u64 {
        let row = self.rows.as_ref().map_or(i as u64, |rows| rows[i].into());
        // Another seed than where a share of all rows is sampled: the two choices are independent.
        let seed = !self.shard_seed;
        xxh3_64_with_seed(&(self.first_row + row).to_le_bytes(), seed)
    }
}

/// Turns batches into [`Examples`]: sample, projection, weights, slices, nest levels.
pub struct Prepare {
    options: Arc<StatsOptions>,
    sample: Sample,
}

impl Prepare {
    /// For these options; shards are told apart by their numbers.
    pub fn new(options: Arc<StatsOptions>) -> Self {
        Self::of_shards(options, &[])
    }

    /// For these options and shards: which rows are sampled depends on the names of their files.
    pub fn of_shards(options: Arc<StatsOptions>, shards: &[Shard]) -> Self {
        let sample = Sample::new(options.sample_rate, shards);
        Prepare { options, sample }
    }

    fn slice(
        &self,
        name: Arc<str>,
        records: RecordBatch,
        batch: &Batch,
        rows: Option<Arc<[u32]>>,
    ) -> Result<Slice> {
        let first_row = batch.first_row;
        let options = &self.options;
        let weights = match &options.weight_feature {
            Some(name) => Some(weights(&records, name)?),
            None => None,
        };
        let mut overrides = Vec::new();
        for (path, name) in &options.per_feature_weight_override {
            overrides.push((path, self::weights(&records, name)?));
        }
        let weight_of = |path: &FeaturePath| match overrides.iter().find(|(p, _)| *p == path) {
            Some((_, weights)) => Some(weights.clone()),
            None => weights.clone(),
        };
        let wanted = |name: &str| {
            options.feature_allowlist.as_ref().is_none_or(|list| list.iter().any(|n| n == name))
        };
        let columns = column::columns(&records, first_row, weight_of, wanted)?;
        Ok(Slice {
            name,
            n_examples: records.num_rows(),
            weights,
            columns,
            records,
            first_row,
            rows,
            shard_seed: self.sample.seed(batch),
        })
    }
}

impl DoFn for Prepare {
    type Input = Batch;
    type Output = Examples;

    fn name(&self) -> &'static str {
        "prepare"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Examples>) -> Result<()> {
        // Rows that are not sampled count as taken in: they were read, and nothing is wrong with them.
        let n_rows = batch.records.num_rows() as u64;
        let (records, sampled) = self.sample.of(batch)?;
        let sampled: Option<Arc<[u32]>> = sampled.map(Into::into);
        let specs = &self.options.slices;
        let name = if specs.is_empty() { "" } else { ALL_EXAMPLES };
        let mut slices = vec![self.slice(name.into(), records.clone(), batch, sampled.clone())?];
        for (name, rows) in slicing::slices(specs, &records)? {
            let of_batch: Arc<[u32]> = match &sampled {
                Some(sampled) => rows.iter().map(|&row| sampled[row as usize]).collect(),
                None => rows.clone().into(),
            };
            let rows = take_record_batch(&records, &UInt32Array::from(rows))
                .map_err(|e| Error::input(format!("slice `{name}` cannot be made: {e}")))?;
            let mut slice = self.slice(name.into(), rows, batch, Some(of_batch))?;
            // That a column without values is there at all depends on the other rows of the batch.
            slice.columns.retain(|column| column.levels[0].n_present() > 0);
            slices.push(slice);
        }
        out.emit(Examples { slices, n_rows });
        Ok(())
    }
}

/// The one weight of every example.
///
/// # Errors
/// When the column is absent, not numeric, or has no or several values in an example.
fn weights(records: &RecordBatch, name: &str) -> Result<Arc<[f64]>> {
    let wrong = |what: &str| {
        Error::input(format!("weight feature `{name}` {what}")).with_hint(
            "Every example must hold exactly one number there; choose another `--weight-feature`.",
        )
    };
    let array = records.column_by_name(name).ok_or_else(|| wrong("is missing from a batch"))?;
    let flat: ArrayRef = match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            if list.null_count() > 0 || list.offsets().lengths().any(|length| length != 1) {
                return Err(wrong("does not hold exactly one value in every example"));
            }
            let first = list.offsets()[0] as usize;
            list.values().slice(first, list.len())
        }
        _ => array.clone(),
    };
    if !flat.data_type().is_numeric() {
        return Err(wrong("is not numeric"));
    }
    if flat.null_count() > 0 {
        return Err(wrong("does not hold exactly one value in every example"));
    }
    let floats =
        arrow_cast::cast(&flat, &DataType::Float64).map_err(|_| wrong("is not numeric"))?;
    Ok(floats.as_primitive::<Float64Type>().values().iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array, StringArray};
    use engine::{Batches, Element, Node, Pipeline, Source};

    use super::super::SliceSpec;
    use super::*;

    /// A source that nothing is read from.
    struct Nothing;

    impl Source for Nothing {
        fn shards(&self) -> &[Shard] {
            &[]
        }
        fn read(self: Arc<Self>, _shard: usize, _batch_rows: usize) -> Result<Batches> {
            Ok(Box::new(std::iter::empty()))
        }
    }

    fn prepare(options: StatsOptions, records: RecordBatch) -> Result<Arc<Examples>> {
        let (pipeline, batches) = Pipeline::read(Arc::new(Nothing));
        batches.par_do(Prepare::new(Arc::new(options)));
        let plan = pipeline.plan();
        let Node::ParDo { f, .. } = &plan.nodes[0] else { panic!("one node was added") };
        let batch = Batch {
            shard: 0,
            first_row: 0,
            records,
            originals: None,
            rejected: Vec::new(),
            bytes: 0,
        };
        let (mut elements, _) = f.process(&(Arc::new(batch) as Element))?;
        let element = elements.remove(0);
        assert_eq!(f.rows(&element), 4);
        Ok(element.downcast().unwrap())
    }

    fn records() -> RecordBatch {
        let s: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
        let x = Arc::new(Int64Array::from(vec![None, Some(1), Some(2), None]));
        let w = Arc::new(Float64Array::from(vec![0.5, 1.0, 2.0, 4.0]));
        RecordBatch::try_from_iter_with_nullable([("s", s, true), ("x", x, true), ("w", w, true)])
            .unwrap()
    }

    #[test]
    fn slices_take_their_rows_weights_and_columns() {
        let spec = SliceSpec { features: vec![("s".into(), vec![])] };
        let options = StatsOptions {
            slices: vec![spec],
            weight_feature: Some("w".into()),
            feature_allowlist: Some(vec!["x".into()]),
            ..StatsOptions::default()
        };
        let examples = prepare(options, records()).unwrap();
        let found: Vec<_> = examples
            .slices
            .iter()
            .map(|s| (&*s.name, s.n_examples, s.weights.clone().unwrap().to_vec(), s.columns.len()))
            .collect();
        assert_eq!(
            found,
            [
                (ALL_EXAMPLES, 4, vec![0.5, 1.0, 2.0, 4.0], 1),
                ("s_a", 1, vec![2.0], 1),
                ("s_b", 2, vec![0.5, 4.0], 0),
            ]
        );
    }

    #[test]
    fn rows_that_are_not_sampled_are_accounted_for() {
        let options = StatsOptions { sample_rate: Some(1e-9), ..StatsOptions::default() };
        let examples = prepare(options, records()).unwrap();
        assert_eq!((&*examples.slices[0].name, examples.slices[0].n_examples), ("", 0));
        assert_eq!(examples.slices[0].columns.len(), 3);
    }

    #[test]
    fn weights_that_are_no_weights() {
        for name in ["s", "x", "absent"] {
            let options =
                StatsOptions { weight_feature: Some(name.into()), ..StatsOptions::default() };
            assert!(prepare(options, records()).is_err(), "{name}");
        }
    }
}
