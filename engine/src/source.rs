//! Sharded input that can be read again.

use std::ops::Range;
use std::sync::Arc;

use crate::{Batch, Error, Result};

/// One independently readable piece of the input: a file, a row group, a byte range of a file.
///
/// Shards depend on the data alone, never on the number of workers: the state of a combiner over
/// one shard is the atom that is merged, sent and stored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shard {
    /// Absolute path of the file.
    pub path: String,
    /// Which part of the file: bytes of a CSV file, row-group numbers of a Parquet file.
    /// `None` is the whole file.
    pub part: Option<Range<u64>>,
    /// Stored size in bytes: only for balancing work and for progress.
    pub bytes: u64,
}

impl Shard {
    /// How messages name it: the path, and the part where there is one.
    pub fn name(&self) -> String {
        match &self.part {
            None => self.path.clone(),
            Some(part) => format!("{}[{}..{}]", self.path, part.start, part.end),
        }
    }

    /// The canonical order in which states are merged, whatever order the user named files in.
    pub fn order(&self) -> (&str, u64) {
        (&self.path, self.part.as_ref().map_or(0, |part| part.start))
    }
}

/// A sharded, re-readable input.
pub trait Source: Send + Sync + 'static {
    /// Every shard, in canonical order ([`Shard::order`]), without duplicates.
    fn shards(&self) -> &[Shard];

    /// Reads one shard from its start, in record order, in batches of at most `batch_rows` rows.
    ///
    /// A record that cannot be decoded is a [`crate::Rejected`] entry of its batch, not an `Err`.
    /// After a fatal rejection the iterator ends.
    ///
    /// # Errors
    /// When the shard cannot be opened or read at all, or is not of this source's format.
    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches>;

    /// A hash of the bytes of a shard, and of what else than the caller's options makes them into
    /// rows: shards of equal fingerprints hold equal rows, wherever they are. `None`, the default:
    /// not known, and states of its shards are not cached.
    ///
    /// # Errors
    /// When the bytes cannot be read.
    fn fingerprint(&self, _shard: usize) -> Result<Option<u128>> {
        Ok(None)
    }
}

/// The batches of one shard, in record order. They borrow nothing, so that a worker can hold them
/// from one activation to the next.
pub type Batches = Box<dyn Iterator<Item = Result<Batch>> + Send>;

/// Several sources as one: all shards of the first, then those of the second, and so on (Beam's
/// `Flatten`).
///
/// The order of the sources is part of the plan, so the shards' order still depends on nothing but
/// the data; a shard that two sources have comes once for each of them.
pub struct Flatten {
    sources: Vec<Arc<dyn Source>>,
    shards: Vec<Shard>,
    /// Number of the first shard of each source.
    starts: Vec<usize>,
}

impl Flatten {
    /// These sources, in this order.
    pub fn new(sources: Vec<Arc<dyn Source>>) -> Self {
        let mut shards = Vec::new();
        let mut starts = Vec::new();
        for source in &sources {
            starts.push(shards.len());
            shards.extend_from_slice(source.shards());
        }
        Flatten { sources, shards, starts }
    }

    /// Which of the sources a shard is of.
    pub fn source_of(&self, shard: usize) -> usize {
        // Sources without shards begin where the next one does: the last of them has the shard.
        self.starts.partition_point(|&start| start <= shard).saturating_sub(1)
    }
}

impl Source for Flatten {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        let number = self.source_of(shard);
        let Some(source) = self.sources.get(number).filter(|_| shard < self.shards.len()) else {
            let n = self.shards.len();
            return Err(Error::invalid(format!("shard {shard} of {n} shards was asked for")));
        };
        let start = self.starts[number];
        let batches = source.clone().read(shard - start, batch_rows)?;
        Ok(Box::new(
            batches
                .map(move |batch| batch.map(|batch| Batch { shard: batch.shard + start, ..batch })),
        ))
    }

    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        let number = self.source_of(shard);
        match self.sources.get(number) {
            Some(source) => source.fingerprint(shard - self.starts[number]),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{RecordBatch, RecordBatchOptions};
    use arrow_schema::Schema;

    use super::*;

    /// Every shard is one batch of as many rows as the number that its path is.
    struct Rows(Vec<Shard>);

    impl Source for Rows {
        fn shards(&self) -> &[Shard] {
            &self.0
        }
        fn read(self: Arc<Self>, shard: usize, _batch_rows: usize) -> Result<Batches> {
            let rows = self.0[shard].path.parse().unwrap();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let schema = Arc::new(Schema::empty());
            let records = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
            let batch = Batch {
                shard,
                first_row: 0,
                records,
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            };
            Ok(Box::new(std::iter::once(Ok(batch))))
        }
    }

    #[test]
    fn shards_of_all_sources_in_their_order() {
        let rows = |paths: &[&str]| {
            let shard = |path: &&str| Shard { path: (*path).into(), part: None, bytes: 0 };
            Arc::new(Rows(paths.iter().map(shard).collect())) as Arc<dyn Source>
        };
        let flat = Flatten::new(vec![rows(&[]), rows(&["3", "1"]), rows(&[]), rows(&["3"])]);
        let flat = Arc::new(flat);
        let found: Vec<_> = (0..3)
            .map(|shard| {
                let batch = flat.clone().read(shard, 10).unwrap().next().unwrap().unwrap();
                (flat.source_of(shard), batch.shard, batch.records.num_rows())
            })
            .collect();
        assert_eq!(found, [(1, 0, 3), (1, 1, 1), (3, 2, 3)]);
        assert!(flat.read(3, 10).is_err());
        assert!(Arc::new(Flatten::new(vec![])).read(0, 10).is_err());
    }
}
