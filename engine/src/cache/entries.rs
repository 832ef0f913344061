//! The files of the cache: found before a shard is read, written when it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::StateCache;
use super::fingerprints::{Seen, used};
use crate::plan::{Node, Plan};
use crate::state_file::{StateReader, StateWriter, damaged};
use crate::{Error, Result, Run, RunOptions, Shard, ShardReceipt, Source};

#[derive(Serialize, Deserialize)]
struct Header {
    fingerprint: u128,
    identity: u128,
    receipt: ShardReceipt,
}

impl StateCache {
    /// What is known of a shard.
    pub(crate) fn find(
        &self,
        source: &dyn Source,
        index: usize,
        wanted: &Cacheable,
        options: &RunOptions,
    ) -> Found {
        let mut found = Found::default();
        if wanted.nodes.is_empty() {
            return found;
        }
        match self.fingerprint(source, index) {
            Ok(Some(seen)) => found.seen = Some(seen),
            Ok(None) => return found,
            // Reading will fail, too, and say so.
            Err(error) => {
                self.warn(error);
                return found;
            }
        }
        let fingerprint = found.seen.as_ref().map_or(0, |seen| seen.fingerprint);
        let mut receipts: Vec<ShardReceipt> = Vec::new();
        for (&node, parts) in &wanted.nodes {
            let mut runs = Vec::new();
            for part in parts {
                let Some((path, reader, receipt)) = self.entry(fingerprint, part.identity) else {
                    continue;
                };
                match &part.group {
                    None => match reader.payload() {
                        Ok(state) => drop(found.states.insert(node, state)),
                        Err(error) => {
                            self.warn(error);
                            continue;
                        }
                    },
                    Some(group) => runs.push((group.clone(), path)),
                }
                found.known.insert(part.identity);
                receipts.push(receipt);
            }
            if !runs.is_empty() && runs.len() == parts.len() {
                found.runs.insert(node, runs);
            }
        }
        let all = found.states.len() + found.runs.len() == wanted.nodes.len();
        let same = |a: &ShardReceipt, b: &ShardReceipt| (a.read, a.counted) == (b.read, b.counted);
        if wanted.is_all && all && receipts.windows(2).all(|pair| same(&pair[0], &pair[1])) {
            // How many bytes were read depends on the columns that were.
            let bytes = source.shards()[index].bytes;
            let differs = receipts.windows(2).any(|pair| pair[0].bytes != pair[1].bytes);
            found.receipt = receipts.pop().map(|receipt| ShardReceipt {
                bytes: if differs { bytes } else { receipt.bytes },
                ..receipt
            });
        } else if options.max_bad_records > 0 || options.max_bad_shards > 0 {
            found.states.clear();
            found.runs.clear();
        }
        found
    }

    /// A file that is sound and what its name says.
    fn entry(
        &self,
        fingerprint: u128,
        identity: u128,
    ) -> Option<(PathBuf, StateReader, ShardReceipt)> {
        let path = self.folder(fingerprint).join(name_of(identity));
        if !path.exists() {
            return None;
        }
        match StateReader::open::<Header>(&path) {
            Ok((reader, header))
                if (header.fingerprint, header.identity) == (fingerprint, identity) =>
            {
                used(&path);
                Some((path, reader, header.receipt))
            }
            Ok(_) => {
                self.warn(damaged(&path));
                None
            }
            Err(error) => {
                self.warn(error);
                None
            }
        }
    }

    fn folder(&self, fingerprint: u128) -> PathBuf {
        self.dir.join(format!("{fingerprint:032x}"))
    }

    /// Begins the file of a state.
    fn begin(
        &self,
        fingerprint: u128,
        identity: u128,
        receipt: &ShardReceipt,
    ) -> Result<StateWriter> {
        let folder = self.folder(fingerprint);
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::io(format_args!("create `{}`", folder.display()), &e))?;
        let header = Header { fingerprint, identity, receipt: receipt.clone() };
        StateWriter::create(&folder, &name_of(identity), &header)
    }
}

fn name_of(identity: u128) -> String {
    format!("{identity:032x}.state")
}

/// What of a plan can be cached.
#[derive(Debug, Default)]
pub(crate) struct Cacheable {
    /// By node; groups ascending.
    nodes: BTreeMap<usize, Vec<Part>>,
    /// Whether nothing else of the plan needs the rows.
    is_all: bool,
}

/// A state of its own: that of a node, or of one group of its keys.
#[derive(Debug)]
struct Part {
    group: Option<Arc<[u8]>>,
    identity: u128,
}

impl Cacheable {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut found = Cacheable { nodes: BTreeMap::new(), is_all: true };
        for (number, node) in plan.nodes.iter().enumerate() {
            if !plan.counts_rows(number) {
                continue;
            }
            let parts: Vec<Part> = match node {
                Node::CombineGlobally { f, .. } => {
                    let part = |text: String| Part {
                        group: None,
                        identity: identity("combine", f.name(), f.version(), &text),
                    };
                    f.identity().map(part).into_iter().collect()
                }
                Node::CombinePerKey { f, .. } | Node::SortPerKey { f, .. } => {
                    let groups: BTreeMap<Vec<u8>, String> = f.identities().into_iter().collect();
                    let part = |(group, text): (Vec<u8>, String)| Part {
                        group: Some(group.into()),
                        identity: identity("keys", f.name(), f.version(), &text),
                    };
                    groups.into_iter().map(part).collect()
                }
                Node::ParDo { .. } | Node::Write { .. } => Vec::new(),
            };
            if parts.is_empty() {
                found.is_all = false;
            } else {
                found.nodes.insert(number, parts);
            }
        }
        found
    }

    /// The only groups that a node may have keys of, if it is cached.
    pub(crate) fn groups(&self, node: usize) -> Option<BTreeSet<Arc<[u8]>>> {
        let parts = self.nodes.get(&node)?;
        Some(parts.iter().filter_map(|part| part.group.clone()).collect())
    }
}

fn identity(kind: &str, name: &str, version: u32, text: &str) -> u128 {
    let fields = postcard::to_stdvec(&(kind, name, version, text));
    xxh3_128(&fields.expect("plain data always serializes"))
}

/// What is known of one shard, by node, and what of it is yet to be kept.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// `None` when nothing can be known of it.
    seen: Option<Seen>,
    states: BTreeMap<usize, Vec<u8>>,
    /// Files of sorted runs of one group each, and what the group is called here.
    runs: BTreeMap<usize, Vec<(Arc<[u8]>, PathBuf)>>,
    /// Identities whose files are there.
    known: BTreeSet<u128>,
    /// The receipt of the whole shard, if it need not be read.
    pub(crate) receipt: Option<ShardReceipt>,
}

impl Found {
    /// Whether the node need not look at the shard's rows.
    pub(crate) fn has(&self, node: usize) -> bool {
        self.states.contains_key(&node) || self.runs.contains_key(&node)
    }

    pub(crate) fn take_state(&mut self, node: usize) -> Option<Vec<u8>> {
        self.states.remove(&node)
    }

    pub(crate) fn take_runs(&mut self, node: usize) -> Option<Vec<(Arc<[u8]>, PathBuf)>> {
        self.runs.remove(&node)
    }

    /// The shard's fingerprint, if it is known.
    pub(crate) fn fingerprint(&self) -> Option<u128> {
        self.seen.as_ref().map(|seen| seen.fingerprint)
    }

    /// Called when the shard was read: states of a file that was written to meanwhile are not kept.
    pub(crate) fn was_read(&mut self, shard: &Shard) {
        self.seen = self.seen.take().filter(|seen| seen.is_unchanged(shard));
    }

    /// Begins to keep what a node has computed; `None` if it cannot be kept.
    pub(crate) fn keep<'a>(
        &self,
        cache: &'a StateCache,
        wanted: &'a Cacheable,
        node: usize,
        receipt: &ShardReceipt,
    ) -> Option<Keeping<'a>> {
        let is_good = receipt.rejected == 0 && receipt.failed.is_none();
        let seen = self.seen.as_ref().filter(|_| is_good)?;
        let parts = wanted.nodes.get(&node)?;
        Some(Keeping {
            cache,
            fingerprint: seen.fingerprint,
            receipt: receipt.clone(),
            parts: parts.iter().filter(|part| !self.known.contains(&part.identity)).collect(),
            next: 0,
            writer: None,
        })
    }
}

/// Writes the files of one node over one shard, one after the other.
pub(crate) struct Keeping<'a> {
    cache: &'a StateCache,
    fingerprint: u128,
    receipt: ShardReceipt,
    /// Those whose files are missing.
    parts: Vec<&'a Part>,
    next: usize,
    writer: Option<StateWriter>,
}

impl Keeping<'_> {
    /// Appends to the state, or to the run of this group, which is not less than the last one.
    pub(crate) fn write(&mut self, group: Option<&Arc<[u8]>>, bytes: &[u8]) {
        while self.parts.get(self.next).is_some_and(|part| part.group.as_ref() <= group) {
            self.turn();
        }
        let current = self.next.checked_sub(1).map(|at| self.parts[at].group.as_ref());
        if current == Some(group)
            && let Some(writer) = &mut self.writer
            && let Err(error) = writer.write(bytes)
        {
            self.writer = None;
            self.cache.warn(error);
        }
    }

    /// Finishes one file and begins the next.
    fn turn(&mut self) {
        if let Some(Err(error)) = self.writer.take().map(StateWriter::finish) {
            self.cache.warn(error);
        }
        if let Some(part) = self.parts.get(self.next) {
            match self.cache.begin(self.fingerprint, part.identity, &self.receipt) {
                Ok(writer) => self.writer = Some(writer),
                Err(error) => self.cache.warn(error),
            }
        }
        self.next += 1;
    }

    /// Finishes all: groups without keys have files, too.
    pub(crate) fn finish(mut self) {
        while self.next <= self.parts.len() {
            self.turn();
        }
    }
}

/// The payload of a file, as a sorted run.
pub(crate) fn run(path: &Path) -> Result<Run> {
    let (reader, _) = StateReader::open::<Header>(path)
        .map_err(|error| error.with_hint("Run again: what was cached is gone or has changed."))?;
    Ok(Run::Reader(Box::new(reader)))
}
