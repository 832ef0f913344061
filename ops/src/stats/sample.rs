//! Which rows are looked at where only a share of them is wanted.
//!
//! **Invariant:** a row is chosen by its place alone — file name, part of the file, number among
//! the good rows — so neither batches, workers nor the other shards can change the choice.

use arrow_array::{BooleanArray, RecordBatch};
use engine::{Batch, Error, Result, Shard};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// A choice of rows.
#[derive(Debug)]
pub(super) struct Sample {
    rate: Option<f64>,
    /// One seed for each shard.
    seeds: Vec<u64>,
}

impl Sample {
    pub(super) fn new(rate: Option<f64>, shards: &[Shard]) -> Self {
        Sample { rate, seeds: shards.iter().map(seed).collect() }
    }

    /// What tells the rows of a batch's shard from those of other shards.
    pub(super) fn seed(&self, batch: &Batch) -> u64 {
        self.seeds.get(batch.shard).copied().unwrap_or(batch.shard as u64)
    }

    /// The chosen rows of a batch, and which they are if not all.
    ///
    /// # Errors
    /// When the rate is not a share.
    pub(super) fn of(&self, batch: &Batch) -> Result<(RecordBatch, Option<Vec<u32>>)> {
        let Some(rate) = self.rate else { return Ok((batch.records.clone(), None)) };
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(Error::invalid(format!("the sample rate {rate} is not in (0, 1]"))
                .with_hint("Pass the share of rows to look at, such as `--sample-rate 0.1`."));
        }
        if rate == 1.0 {
            return Ok((batch.records.clone(), None));
        }
        // 53 bits of the hash, compared exactly.
        let limit = (rate * (1u64 << 53) as f64) as u64;
        let seed = self.seed(batch);
        let rows = batch.first_row..batch.first_row + batch.records.num_rows() as u64;
        let chosen = rows.map(|row| xxh3_64_with_seed(&row.to_le_bytes(), seed) >> 11 < limit);
        let chosen: BooleanArray = chosen.map(Some).collect();
        let records = arrow_select::filter::filter_record_batch(&batch.records, &chosen)
            .map_err(|error| Error::input(format!("rows cannot be sampled: {error}")))?;
        Ok((records, Some(chosen.values().set_indices().map(|row| row as u32).collect())))
    }
}

/// From the file's name without its folder, so that data may be moved.
pub(crate) fn seed(shard: &Shard) -> u64 {
    let name = shard.path.rsplit(['/', '\\']).next().unwrap_or_default();
    let start = shard.part.as_ref().map_or(0, |part| part.start);
    xxh3_64(name.as_bytes()) ^ xxh3_64(&start.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    fn shard(path: &str) -> Shard {
        Shard { path: path.into(), part: None, bytes: 0 }
    }

    fn chosen(sample: &Sample, shard: usize, batch_rows: usize) -> Vec<i64> {
        let rows: Vec<i64> = (0..10_000).collect();
        let mut out = Vec::new();
        for (i, rows) in rows.chunks(batch_rows).enumerate() {
            let column: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
            let records = RecordBatch::try_from_iter([("x", column)]).unwrap();
            let first_row = (i * batch_rows) as u64;
            let batch = Batch {
                shard,
                first_row,
                records,
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            };
            let (records, _) = sample.of(&batch).unwrap();
            out.extend(records.column(0).as_primitive::<Int64Type>().values());
        }
        out
    }

    #[test]
    fn batches_and_other_shards_do_not_matter() {
        let sample = Sample::new(Some(0.1), &[shard("/a/one"), shard("/a/two")]);
        let two = chosen(&sample, 1, 10_000);
        assert!((900..1100).contains(&two.len()), "{}", two.len());
        assert_eq!(chosen(&sample, 1, 7), two);
        assert_ne!(chosen(&sample, 0, 7), two);
        let moved = Sample::new(Some(0.1), &[shard("/elsewhere/two")]);
        assert_eq!(chosen(&moved, 0, 100), two);
        // A higher rate only adds rows.
        let more = chosen(&Sample::new(Some(0.3), &[shard("two")]), 0, 100);
        assert!(two.iter().all(|row| more.contains(row)));
        assert_eq!(chosen(&Sample::new(Some(1.0), &[]), 0, 100).len(), 10_000);
    }

    #[test]
    fn rates_that_are_no_share() {
        for rate in [0.0, -1.0, 1.5, f64::NAN] {
            let records = RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty()));
            let batch = Batch {
                shard: 0,
                first_row: 0,
                records,
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            };
            assert!(Sample::new(Some(rate), &[]).of(&batch).is_err());
        }
    }
}
