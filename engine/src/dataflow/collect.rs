//! Worker 0's half of a run: states merged in shard order, receipts put together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::lower::Body;
use crate::combine::{AnyCombineFn, Element, State};
use crate::plan::{Node, Plan};
use crate::run::check_receipt;
use crate::{Error, ErrorKind, Part, Receipt, Result, RunOptions, Shard, ShardReceipt};

/// Merges what the workers send.
pub(super) struct Collector {
    shards: Vec<Shard>,
    receipts: Vec<ShardReceipt>,
    /// Shards that were not read.
    cached: BTreeSet<usize>,
    fingerprints: BTreeMap<usize, u128>,
    /// Rows counted, by node and shard.
    counted: BTreeMap<usize, Vec<u64>>,
    merges: BTreeMap<usize, Merge>,
    /// What was written, by node and shard.
    written: BTreeMap<usize, Vec<Option<Vec<Part>>>>,
    options: RunOptions,
}

/// The fold of one node's states.
struct Merge {
    f: Arc<dyn AnyCombineFn<Element, ()>>,
    state: State,
    /// Number of states that have been folded: the next one's position.
    next: usize,
    /// How many there will be.
    all: usize,
    /// States that came before their turn.
    early: BTreeMap<usize, Vec<u8>>,
}

impl Collector {
    pub(super) fn new(plan: &Plan, options: &RunOptions, peers: usize) -> Self {
        let shards = plan.source.shards().to_vec();
        let mut merges = BTreeMap::new();
        let mut counted = BTreeMap::new();
        let mut written = BTreeMap::new();
        for (number, node) in plan.nodes.iter().enumerate() {
            if plan.counts_rows(number) {
                counted.insert(number, vec![0; shards.len()]);
            }
            match node {
                Node::CombineGlobally { f, .. } => {
                    let all = if plan.is_fed_by_keys(number) { peers } else { shards.len() };
                    let (f, state, early) = (f.clone(), f.create(), BTreeMap::new());
                    merges.insert(number, Merge { f, state, next: 0, all, early });
                }
                Node::Write { .. } => drop(written.insert(number, vec![None; shards.len()])),
                Node::ParDo { .. } | Node::CombinePerKey { .. } | Node::SortPerKey { .. } => {}
            }
        }
        let receipts = vec![ShardReceipt::default(); shards.len()];
        Collector {
            shards,
            receipts,
            cached: BTreeSet::new(),
            fingerprints: BTreeMap::new(),
            counted,
            merges,
            written,
            options: options.clone(),
        }
    }

    pub(super) fn add(&mut self, body: Body) -> Result<()> {
        match body {
            Body::Read { shard, receipt, cached, fingerprint } => {
                if cached {
                    self.cached.insert(shard);
                }
                self.fingerprints.extend(fingerprint.map(|fingerprint| (shard, fingerprint)));
                let into = &mut self.receipts[shard];
                into.bytes += receipt.bytes;
                into.read += receipt.read;
                into.failed = into.failed.take().or(receipt.failed.clone());
                reject(into, receipt);
            }
            Body::Rejected { shard, receipt } => reject(&mut self.receipts[shard], receipt),
            Body::Counted { node, shard, rows } => {
                if let Some(counted) = self.counted.get_mut(&node) {
                    counted[shard] += rows;
                }
            }
            Body::Written { node, shard, parts } => {
                let written =
                    self.written.get_mut(&node).ok_or_else(|| lost("the sink of a shard"))?;
                written[shard] = Some(parts);
            }
            Body::State { node, shard, bytes } => {
                let merge = self.merges.get_mut(&node).ok_or_else(|| lost("a state of no node"))?;
                merge.early.insert(shard, bytes.into_vec());
                while let Some(bytes) = merge.early.remove(&merge.next) {
                    merge.f.merge(&mut merge.state, merge.f.decode(&bytes)?)?;
                    merge.next += 1;
                }
            }
            Body::Piece { .. } | Body::Outputs { .. } => return Err(lost("a stray message")),
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Body> {
        let mut states = Vec::new();
        for (node, mut merge) in self.merges {
            if merge.next != merge.all {
                return Err(lost("a shard's state"));
            }
            merge.f.compact(&mut merge.state);
            states.push((node, merge.f.encode(&merge.state).into()));
        }
        let mut written = Vec::new();
        for (node, shards) in self.written {
            let shards: Option<Vec<Vec<Part>>> = shards.into_iter().collect();
            written.push((node, shards.ok_or_else(|| lost("what was written of a shard"))?));
        }
        for (index, receipt) in self.receipts.iter_mut().enumerate() {
            let mut counts = self.counted.values().map(|counted| counted[index]);
            receipt.counted = counts.next().unwrap_or(receipt.read - receipt.rejected);
            // Every aggregation must have seen the same rows; the receipt shows the one that did not.
            if let Some(other) = counts.find(|&other| other != receipt.counted) {
                receipt.counted = other;
            }
        }
        let shards = self.shards.into_iter().zip(self.receipts).collect();
        let (cached, fingerprints) = (self.cached, self.fingerprints);
        let receipt = Receipt { shards, cached, fingerprints };
        check_receipt(&receipt, &self.options)?;
        Ok(Body::Outputs { states, written, receipt })
    }
}

fn reject(into: &mut ShardReceipt, receipt: ShardReceipt) {
    into.rejected += receipt.rejected;
    into.reasons.extend(receipt.reasons);
    into.reasons.sort_by_key(|rejected| rejected.record);
}

fn lost(what: &str) -> Error {
    Error::new(ErrorKind::Reconciliation, format!("{what} did not arrive"))
        .with_hint("The result was not written. This is a bug: please report it.")
}
