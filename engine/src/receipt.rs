//! The row receipt: what was read, rejected and counted, shard by shard.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Rejected, Result, Shard};

/// How many rejected records a receipt quotes for each shard; all are counted.
pub const QUOTED: usize = 100;

/// What happened to the records of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardReceipt {
    /// Bytes of the shard, as stored, that were consumed.
    pub bytes: u64,
    /// Records read: good rows and rejected ones.
    pub read: u64,
    /// Records that were read but are not rows.
    pub rejected: u64,
    /// The first [`QUOTED`] of them, with their reasons.
    pub reasons: Vec<Rejected>,
    /// Rows that the aggregations took in, counted where they are added.
    pub counted: u64,
    /// Why the rest of the shard, or all of it, could not be read.
    pub failed: Option<String>,
}

impl ShardReceipt {
    /// Notes rejected records.
    pub fn reject(&mut self, rejected: &[Rejected]) {
        self.rejected += rejected.len() as u64;
        for rejected in rejected {
            if rejected.fatal {
                self.failed = Some(rejected.reason.clone());
            }
            if self.reasons.len() < QUOTED || rejected.fatal {
                self.reasons.push(rejected.clone());
            }
        }
    }
}

/// The receipt of a run: every shard's, in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// One entry for each shard.
    pub shards: Vec<(Shard, ShardReceipt)>,
    /// Positions of those that were not read: their states came from a [`crate::StateCache`].
    pub cached: BTreeSet<usize>,
    /// What [`crate::Source::fingerprint`] says of them, by position, as far as a cache has asked.
    pub fingerprints: BTreeMap<usize, u128>,
}

impl Receipt {
    /// The sums over all shards, without quoted reasons.
    pub fn total(&self) -> ShardReceipt {
        let mut total = ShardReceipt::default();
        for (_, shard) in &self.shards {
            total.bytes += shard.bytes;
            total.read += shard.read;
            total.rejected += shard.rejected;
            total.counted += shard.counted;
        }
        total
    }

    /// Shards of which at least a part could not be read.
    pub fn failed_shards(&self) -> usize {
        self.shards.iter().filter(|(_, shard)| shard.failed.is_some()).count()
    }

    /// Checks that every record read was rejected with a reason or counted.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Reconciliation`], naming the first shard that does not add up.
    pub fn reconcile(&self) -> Result<()> {
        for (shard, receipt) in &self.shards {
            if receipt.read != receipt.rejected + receipt.counted {
                return Err(Error::new(
                    ErrorKind::Reconciliation,
                    format!("the rows of `{}` do not add up", shard.name()),
                )
                .with_detail(format!(
                    "{} records were read, {} rejected, {} counted.",
                    receipt.read, receipt.rejected, receipt.counted
                ))
                .with_hint("The result was not written. This is a bug: please report it."));
            }
        }
        Ok(())
    }
}
