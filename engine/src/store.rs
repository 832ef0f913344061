//! States on disk: the state of every combiner over every shard, one file each.
//!
//! ```text
//! plan         header {fingerprint, the caller's description of the plan}
//! HASH-N.state header {fingerprint, node, shard, receipt}, payload: a state or a sorted run
//! ```
//!
//! HASH is the shard's, N the node's number in the plan. A directory is written by one run, and is
//! whole when every shard has a file for every node; [`merge_states`] says what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::keyed::{Run, Tables};
use crate::plan::{AnyKeyed, Node, Outputs, Plan};
use crate::state_file::{StateReader, StateWriter, damaged};
use crate::{Batches, Error, ErrorKind, Result, RunOptions, Shard, ShardReceipt, Source};

const PLAN: &str = "plan";

/// A directory of states.
#[derive(Clone, Debug)]
pub struct StateStore {
    dir: PathBuf,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    fingerprint: u64,
    node: u32,
    shard: Shard,
    receipt: ShardReceipt,
}

#[derive(Serialize, Deserialize)]
struct PlanFile {
    fingerprint: u64,
    description: String,
}

impl StateStore {
    /// Makes a directory for the states of one run. `description` comes back from
    /// [`StateStore::open`], so that a plan can be rebuilt from it.
    ///
    /// # Errors
    /// When the directory holds states already or cannot be written.
    pub fn create(dir: &Path, fingerprint: u64, description: &str) -> Result<Self> {
        let shown = dir.display();
        std::fs::create_dir_all(dir).map_err(|e| Error::io(format!("create `{shown}`"), &e))?;
        if dir.join(PLAN).exists() {
            return Err(Error::invalid(format!("`{shown}` already holds states")).with_hint(
                "Name another directory for `--states`, or delete this one: states of two runs \
                 are merged, never mixed.",
            ));
        }
        let plan = PlanFile { fingerprint, description: description.to_owned() };
        StateWriter::create(dir, PLAN, &plan)?.finish()?;
        Ok(StateStore { dir: dir.to_owned(), fingerprint })
    }

    /// Opens a directory of states and gives its description back.
    ///
    /// # Errors
    /// When it is not one, or of another version.
    pub fn open(dir: &Path) -> Result<(Self, String)> {
        let path = dir.join(PLAN);
        if !path.exists() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("`{}` holds no states", dir.display()),
            )
            .with_hint("States are written by `frazil stats … --states DIR`."));
        }
        let (_, plan) = StateReader::open::<PlanFile>(&path)?;
        let store = StateStore { dir: dir.to_owned(), fingerprint: plan.fingerprint };
        Ok((store, plan.description))
    }

    /// Begins the file of one node's state over one shard.
    ///
    /// # Errors
    /// When the file cannot be written.
    #[cfg(feature = "dataflow")]
    pub(crate) fn begin(
        &self,
        node: usize,
        shard: &Shard,
        receipt: &ShardReceipt,
    ) -> Result<StateWriter> {
        let header = Header {
            fingerprint: self.fingerprint,
            node: node as u32,
            shard: shard.clone(),
            receipt: receipt.clone(),
        };
        let name =
            format!("{:016x}-{node}.state", xxhash_rust::xxh3::xxh3_64(shard.name().as_bytes()));
        StateWriter::create(&self.dir, &name, &header)
    }
}

/// The `combine_per_key` that feeds a node, if it is one.
fn keys_of(plan: &Plan, input: Option<usize>) -> Option<(usize, &Arc<dyn AnyKeyed>)> {
    match &plan.nodes[input?] {
        Node::CombinePerKey { f, .. } => Some((input?, f)),
        _ => None,
    }
}

/// A source whose shards were read by earlier runs; it can only be merged, not read.
#[derive(Debug)]
pub struct StoredShards(Vec<Shard>);

impl Source for StoredShards {
    fn shards(&self) -> &[Shard] {
        &self.0
    }
    fn read(self: Arc<Self>, shard: usize, _batch_rows: usize) -> Result<Batches> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("shard `{}` is known by its states alone", self.0[shard].name()),
        ))
    }
}

/// All states of some directories, sorted as one run over all their shards would have them.
#[derive(Debug)]
pub struct StoredStates {
    fingerprint: u64,
    shards: Vec<Shard>,
    /// By position of the shard, then by node.
    files: Vec<BTreeMap<usize, (ShardReceipt, PathBuf)>>,
}

impl StoredStates {
    /// Looks through the directories.
    ///
    /// # Errors
    /// When a file is damaged, the directories are of different plans, or two hold the same shard.
    pub fn open(stores: &[StateStore]) -> Result<Self> {
        let fingerprint = stores.first().map_or(0, |store| store.fingerprint);
        let mut found: BTreeMap<(String, u64), (Shard, PathBuf, BTreeMap<_, _>)> = BTreeMap::new();
        for store in stores {
            let shown = store.dir.display();
            if store.fingerprint != fingerprint {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("`{shown}` and `{}` are of different plans", stores[0].dir.display()),
                )
                .with_hint("Only states computed with the same options can be merged."));
            }
            let listing = std::fs::read_dir(&store.dir)
                .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
                .map_err(|e| Error::io(format!("list `{shown}`"), &e))?;
            for entry in listing {
                let path = entry.path();
                if path.extension().is_none_or(|extension| extension != "state") {
                    continue;
                }
                let (_, header) = StateReader::open::<Header>(&path)?;
                if header.fingerprint != fingerprint {
                    return Err(damaged(&path));
                }
                let key = (header.shard.path.clone(), header.shard.order().1);
                let slot = found
                    .entry(key)
                    .or_insert_with(|| (header.shard.clone(), store.dir.clone(), BTreeMap::new()));
                if slot.1 != store.dir {
                    return Err(Error::invalid(format!(
                        "shard `{}` is in `{}` and in `{shown}`",
                        header.shard.name(),
                        slot.1.display()
                    ))
                    .with_hint("Its rows would be counted twice: leave one directory out."));
                }
                slot.2.insert(header.node as usize, (header.receipt, path));
            }
        }
        let (shards, files) = found.into_values().map(|(shard, _, files)| (shard, files)).unzip();
        Ok(StoredStates { fingerprint, shards, files })
    }

    /// A source of the stored shards, to build the plan on.
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::new(StoredShards(self.shards.clone()))
    }

    /// Merges the states as a run of `plan` over the same shards would, without reading data.
    ///
    /// # Errors
    /// When the plan is another one, or a shard's states are not all there.
    pub fn merge(&self, plan: &Plan, fingerprint: u64) -> Result<Outputs> {
        if fingerprint != self.fingerprint {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the states were computed by another version or with other options",
            )
            .with_hint("Compute them again."));
        }
        let mut outputs = Outputs::default();
        for (shard, files) in self.shards.iter().zip(&self.files) {
            let receipt = files.values().next().map(|(receipt, _)| receipt.clone());
            outputs.receipt.shards.push((shard.clone(), receipt.unwrap_or_default()));
        }
        for (number, node) in plan.nodes.iter().enumerate() {
            match node {
                Node::CombineGlobally { f, input } => {
                    let mut state = f.create();
                    if let Some((keys, keyed)) = keys_of(plan, *input) {
                        for block in keyed.blocks(self.runs(plan, keys, keyed)?)? {
                            f.add(&mut state, &block?)?;
                        }
                    } else {
                        for path in self.files_of(number)? {
                            let (reader, _) = StateReader::open::<Header>(path)?;
                            f.merge(&mut state, f.decode(&reader.payload()?)?)?;
                        }
                    }
                    f.compact(&mut state);
                    outputs.states.insert(number, f.encode(&state));
                }
                Node::SortPerKey { f, .. } => {
                    outputs.sorted.insert(number, self.runs(plan, number, f)?);
                }
                Node::ParDo { .. } | Node::CombinePerKey { .. } | Node::Write { .. } => {}
            }
        }
        Ok(outputs)
    }

    /// Sorted runs of the keyed states of a node.
    fn runs(&self, plan: &Plan, node: usize, f: &Arc<dyn AnyKeyed>) -> Result<Vec<Run>> {
        let mut tables = Tables::new(f.clone(), RunOptions::default().memory_bytes / 3);
        if let Some((keys, keyed)) = keys_of(plan, plan.nodes[node].input()) {
            for block in keyed.blocks(self.runs(plan, keys, keyed)?)? {
                tables.add(&block?)?;
            }
        } else {
            // One after the other: there may be more shards than files may be open.
            for path in self.files_of(node)? {
                let (reader, _) = StateReader::open::<Header>(path)?;
                for block in f.blocks(vec![Run::Reader(Box::new(reader))])? {
                    tables.absorb(&block?)?;
                }
            }
        }
        tables.finish()
    }

    fn files_of(&self, node: usize) -> Result<Vec<&Path>> {
        self.shards
            .iter()
            .zip(&self.files)
            .map(|(shard, files)| match files.get(&node) {
                Some((_, path)) => Ok(&**path),
                None => Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("the states of shard `{}` are not complete", shard.name()),
                )
                .with_hint("The run that wrote them did not finish: run it again.")),
            })
            .collect()
    }
}
