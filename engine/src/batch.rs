//! What flows: a batch of records of one shard, with the records that could not be read.

use arrow_array::RecordBatch;

/// Up to `batch_rows` consecutive records of one shard, decoded.
///
/// **Invariant:** within a shard, batches come in record order and cover every record once:
/// each record is either a row of `records` or an entry of `rejected`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Position of the shard in [`crate::Source::shards`].
    pub shard: usize,
    /// Number of good rows that earlier batches of this shard held.
    pub first_row: u64,
    /// The good rows. A column may be absent from a batch: then all its rows are missing it.
    pub records: RecordBatch,
    /// The records that were read but could not be decoded, in record order.
    pub rejected: Vec<Rejected>,
    /// Bytes of the shard, as stored, that were consumed to make this batch.
    pub bytes: u64,
}

/// A record that was read but is not a row: where it lies and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejected {
    /// Number of the record in its shard, from 0, rejected ones included.
    pub record: u64,
    /// Offset of its first byte in the (decompressed) shard.
    pub byte: u64,
    /// One lower-case sentence: what is wrong, naming the column where there is one.
    pub reason: String,
    /// True when nothing after this record can be read (the shard is cut off, or its framing is
    /// damaged): the rest of the shard is lost, and says so in the receipt.
    pub fatal: bool,
}
