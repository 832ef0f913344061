//! What a worker knows of the shards that it reads: receipts, and states that earlier runs have left.
//!
//! At the end of a shard every node's state over it is kept where the options say so: in the store,
//! because all states were asked for, and in the cache, where it is new.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{Cacheable, Found, run};
use crate::combine::{AnyCombineFn, Element, State};
use crate::keyed::Tables;
use crate::plan::{AnyKeyed, Blocks, Plan};
use crate::state_file::StateWriter;
use crate::{Result, RunOptions, ShardReader, ShardReceipt};

/// What there is to say of a shard at its end.
pub(super) struct Closed {
    pub(super) receipt: ShardReceipt,
    /// Whether it was not read.
    pub(super) cached: bool,
    pub(super) fingerprint: Option<u128>,
}

/// Shared by all operators of a worker.
#[derive(Clone)]
pub(super) struct KnownShards {
    plan: Plan,
    options: RunOptions,
    cacheable: Arc<Cacheable>,
    receipts: Rc<RefCell<BTreeMap<usize, ShardReceipt>>>,
    found: Rc<RefCell<BTreeMap<usize, Found>>>,
}

impl KnownShards {
    pub(super) fn new(plan: &Plan, options: &RunOptions) -> Self {
        let cacheable = options.cache.as_ref().map(|_| Cacheable::of(plan)).unwrap_or_default();
        KnownShards {
            plan: plan.clone(),
            options: options.clone(),
            cacheable: Arc::new(cacheable),
            receipts: Rc::default(),
            found: Rc::default(),
        }
    }

    /// Opens a shard, if it has to be read.
    pub(super) fn open(&self, shard: usize) -> Result<ShardReader> {
        let Some(cache) = &self.options.cache else {
            return ShardReader::open(&self.plan, shard, &self.options);
        };
        let found = cache.find(&*self.plan.source, shard, &self.cacheable, &self.options);
        let receipt = found.receipt.clone();
        self.found.borrow_mut().insert(shard, found);
        match receipt {
            Some(receipt) => Ok(ShardReader::cached(&self.plan, shard, &self.options, &receipt)),
            None => ShardReader::open(&self.plan, shard, &self.options),
        }
    }

    /// Ends a shard that was read or need not be.
    pub(super) fn close(&self, shard: usize, reader: &mut ShardReader) -> Closed {
        let receipt = std::mem::take(&mut reader.receipt);
        self.receipts.borrow_mut().insert(shard, receipt.clone());
        let mut found = self.found.borrow_mut();
        let Some(found) = found.get_mut(&shard) else {
            return Closed { receipt, cached: false, fingerprint: None };
        };
        found.was_read(&self.plan.source.shards()[shard]);
        Closed { receipt, cached: found.receipt.is_some(), fingerprint: found.fingerprint() }
    }

    /// Adds to the receipt of a shard what a step has rejected.
    pub(super) fn reject(&self, shard: usize, rejected: &ShardReceipt) {
        if let Some(receipt) = self.receipts.borrow_mut().get_mut(&shard) {
            receipt.rejected += rejected.rejected;
            receipt.reasons.extend(rejected.reasons.iter().cloned());
        }
    }

    /// Whether a node need not look at a shard's rows.
    pub(super) fn has(&self, node: usize, shard: usize) -> bool {
        self.options.cache.is_some()
            && self.found.borrow().get(&shard).is_some_and(|found| found.has(node))
    }

    /// Whether states of single shards matter.
    pub(super) fn by_shard(&self, node: usize) -> bool {
        self.options.states.is_some() || self.cacheable.groups(node).is_some()
    }

    /// A table for the keys of one shard.
    pub(super) fn table(&self, node: usize, f: Arc<dyn AnyKeyed>, budget: usize) -> Tables {
        let tables = Tables::new(f, budget);
        match self.cacheable.groups(node) {
            Some(groups) => tables.only(groups),
            None => tables,
        }
    }

    /// The state of a node over a shard, as bytes, and the rows that are in it.
    pub(super) fn end(
        &self,
        node: usize,
        shard: usize,
        f: &dyn AnyCombineFn<Element, ()>,
        mut state: State,
        rows: u64,
    ) -> Result<(Vec<u8>, u64)> {
        let (receipt, known) = self.receipt(shard, rows, |found| found.take_state(node));
        let is_new = known.is_none();
        let bytes = known.unwrap_or_else(|| {
            f.compact(&mut state);
            f.encode(&state)
        });
        if let Some(mut file) = self.store(node, shard, &receipt)? {
            file.write(&bytes)?;
            file.finish()?;
        }
        if let (Some(cache), true) = (&self.options.cache, is_new) {
            let found = self.found.borrow();
            let found = found.get(&shard);
            if let Some(mut kept) =
                found.and_then(|found| found.keep(cache, &self.cacheable, node, &receipt))
            {
                kept.write(None, &bytes);
                kept.finish();
            }
        }
        Ok((bytes, receipt.counted))
    }

    /// Moves the keys of a shard to those of all shards; gives the rows that are in them.
    pub(super) fn end_keys(
        &self,
        node: usize,
        shard: usize,
        f: &Arc<dyn AnyKeyed>,
        of_shard: &mut Tables,
        all: &mut Tables,
        rows: u64,
    ) -> Result<u64> {
        let (receipt, known) = self.receipt(shard, rows, |found| found.take_runs(node));
        let mut file = self.store(node, shard, &receipt)?;
        let found = self.found.borrow();
        let found = found.get(&shard).filter(|_| known.is_none());
        let mut kept = self.options.cache.as_ref().and_then(|cache| {
            found.and_then(|found| found.keep(cache, &self.cacheable, node, &receipt))
        });
        let blocks = match known {
            Some(files) => cached_blocks(f, files),
            None => f.blocks(of_shard.finish()?)?,
        };
        for block in blocks {
            let block = block?;
            if file.is_some() || kept.is_some() {
                let bytes = f.encode(&block);
                if let Some(file) = &mut file {
                    file.write(&bytes)?;
                }
                if let Some(kept) = &mut kept {
                    kept.write(Some(f.group(&block)), &bytes);
                }
            }
            all.absorb(&block)?;
        }
        if let Some(kept) = kept {
            kept.finish();
        }
        file.map_or(Ok(()), StateWriter::finish)?;
        Ok(receipt.counted)
    }

    /// The receipt of a shard at a node, and what is known there.
    fn receipt<T>(
        &self,
        shard: usize,
        rows: u64,
        take: impl FnOnce(&mut Found) -> Option<T>,
    ) -> (ShardReceipt, Option<T>) {
        let mut found = self.found.borrow_mut();
        let found = found.get_mut(&shard);
        let counted = found.as_ref().and_then(|found| Some(found.receipt.as_ref()?.counted));
        let receipts = self.receipts.borrow();
        let receipt = receipts.get(&shard).cloned().unwrap_or_default();
        let receipt = ShardReceipt { counted: counted.unwrap_or(rows), ..receipt };
        (receipt, found.and_then(take))
    }

    fn store(
        &self,
        node: usize,
        shard: usize,
        receipt: &ShardReceipt,
    ) -> Result<Option<StateWriter>> {
        let Some(store) = &self.options.states else { return Ok(None) };
        store.begin(node, &self.plan.source.shards()[shard], receipt).map(Some)
    }
}

/// The blocks of cached runs, one after the other, by what their groups are called now.
fn cached_blocks(f: &Arc<dyn AnyKeyed>, files: Vec<(Arc<[u8]>, PathBuf)>) -> Blocks {
    let f = f.clone();
    Box::new(files.into_iter().flat_map(move |(group, path)| -> Blocks {
        match run(&path).and_then(|run| f.blocks(vec![run])) {
            Err(error) => Box::new(std::iter::once(Err(error))),
            Ok(blocks) => {
                let f = f.clone();
                let regroup = move |block: Element| f.regroup(block, group.clone());
                Box::new(blocks.map(move |block| block.map(&regroup)))
            }
        }
    }))
}
