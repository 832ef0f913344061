//! What flows: a batch of records of one shard, with the records that could not be read.

use std::fmt;

use arrow_array::{BinaryArray, RecordBatch};

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
    /// The bytes of the good rows as they are stored, where the source was asked to keep them:
    /// what is written again as it came loses nothing.
    pub originals: Option<BinaryArray>,
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

impl fmt::Display for Rejected {
    /// The place and the reason, each said once: `record 1 at byte 78 has a wrong checksum`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejected { record, byte, reason, .. } = self;
        match reason.strip_prefix(&format!("record {record}")) {
            Some(rest) if rest.starts_with(" at byte") => write!(f, "record {record}{rest}"),
            Some(rest) => write!(f, "record {record} at byte {byte}{rest}"),
            None => write!(f, "record {record} at byte {byte}: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_once() {
        let check = |reason: &str, expected: &str| {
            let rejected = Rejected { record: 1, byte: 78, reason: reason.into(), fatal: false };
            assert_eq!(rejected.to_string(), expected);
        };
        check("record 1 has a wrong checksum", "record 1 at byte 78 has a wrong checksum");
        check("record 1 at byte 70 is cut off", "record 1 at byte 70 is cut off");
        check("feature `x` has two kinds", "record 1 at byte 78: feature `x` has two kinds");
    }
}
