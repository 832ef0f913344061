//! Sharded input that can be read again.

use std::ops::Range;
use std::sync::Arc;

use crate::{Batch, Result};

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
}

/// The batches of one shard, in record order. They borrow nothing, so that a worker can hold them
/// from one activation to the next.
pub type Batches = Box<dyn Iterator<Item = Result<Batch>> + Send>;
