//! States on disk: the state of every combiner over every shard, one file each.
//!
//! ```text
//! plan         magic, version, fingerprint, the caller's description of the plan
//! HASH-N.state magic, version, header {fingerprint, node, shard, receipt}, payload, checksum
//! ```
//!
//! HASH is the shard's, N the node's number in the plan. A directory is written by one run, and is
//! whole when every shard has a file for every node; [`merge_states`] says what is missing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::Xxh3;

use crate::keyed::{Run, Tables};
use crate::plan::{AnyKeyed, Node, Outputs, Plan};
use crate::{Batches, Error, ErrorKind, Result, RunOptions, Shard, ShardReceipt, Source};

const MAGIC: &[u8; 8] = b"FRZSTATE";
const VERSION: u32 = 1;
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
        let body = postcard::to_stdvec(&plan).expect("plain data always serializes");
        let store = StateStore { dir: dir.to_owned(), fingerprint };
        store.write(PLAN, |out| out.write_all(&body))?;
        Ok(store)
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
        let mut reader = StateReader::open(&path)?;
        let mut body = Vec::new();
        reader.read_to_end(&mut body).map_err(|e| reader.error(&e))?;
        let plan: PlanFile = postcard::from_bytes(&body).map_err(|_| damaged(&path))?;
        let store = StateStore { dir: dir.to_owned(), fingerprint: plan.fingerprint };
        Ok((store, plan.description))
    }

    /// Writes a file under its final name only when it is whole.
    fn write(
        &self,
        name: &str,
        body: impl FnOnce(&mut Checked<&mut BufWriter<&File>>) -> std::io::Result<()>,
    ) -> Result<PathBuf> {
        let path = self.dir.join(name);
        let failed = |e: std::io::Error| Error::io(format!("write `{}`", path.display()), &e);
        let temporary = NamedTempFile::new_in(&self.dir).map_err(failed)?;
        let mut out = BufWriter::with_capacity(1 << 18, temporary.as_file());
        let mut checked = Checked { inner: &mut out, hash: Xxh3::new() };
        let head = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        checked.write_all(&head).and_then(|()| body(&mut checked)).map_err(failed)?;
        let digest = checked.hash.digest();
        out.write_all(&digest.to_le_bytes()).and_then(|()| out.flush()).map_err(failed)?;
        drop(out);
        temporary.persist(&path).map_err(|e| failed(e.error))?;
        Ok(path)
    }

    /// Keeps the state of one node over one shard; gives the file's path.
    ///
    /// # Errors
    /// When the file cannot be written.
    #[cfg(feature = "dataflow")]
    pub(crate) fn save(
        &self,
        node: usize,
        shard: &Shard,
        receipt: &ShardReceipt,
        payload: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<PathBuf> {
        let header = Header {
            fingerprint: self.fingerprint,
            node: node as u32,
            shard: shard.clone(),
            receipt: receipt.clone(),
        };
        let header = postcard::to_stdvec(&header).expect("plain data always serializes");
        let name =
            format!("{:016x}-{node}.state", xxhash_rust::xxh3::xxh3_64(shard.name().as_bytes()));
        self.write(&name, |out| {
            out.write_all(&(header.len() as u32).to_le_bytes())?;
            out.write_all(&header)?;
            payload(out)
        })
    }
}

/// Hashes what is written.
struct Checked<W> {
    inner: W,
    hash: Xxh3,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Reads the body of a file of the store: what lies between magic and checksum.
struct StateReader {
    path: PathBuf,
    file: std::io::Take<BufReader<File>>,
}

impl StateReader {
    /// Opens a file, after its whole checksum was verified.
    fn open(path: &Path) -> Result<Self> {
        let io = |e: std::io::Error| Error::io(format!("read `{}`", path.display()), &e);
        let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(io)?);
        let length = file.get_ref().metadata().map_err(io)?.len();
        let body = length.checked_sub(20).ok_or_else(|| damaged(path))?;
        let mut hash = Xxh3::new();
        let mut buffer = vec![0; 1 << 16];
        let mut left = length - 8;
        while left > 0 {
            let n = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..n]).map_err(io)?;
            hash.update(&buffer[..n]);
            left -= n as u64;
        }
        let mut digest = [0; 8];
        file.read_exact(&mut digest).map_err(io)?;
        let mut head = [0; 12];
        std::io::Seek::rewind(&mut file).and_then(|()| file.read_exact(&mut head)).map_err(io)?;
        if head[..8] != MAGIC[..] || hash.digest() != u64::from_le_bytes(digest) {
            return Err(damaged(path));
        }
        let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if version != VERSION {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("`{}` has format version {version}; {VERSION} is wanted", path.display()),
            )
            .with_hint("Compute the states again."));
        }
        Ok(StateReader { path: path.to_owned(), file: file.take(body) })
    }

    fn header(&mut self) -> Result<Header> {
        let mut length = [0; 4];
        self.read_exact(&mut length).map_err(|e| self.error(&e))?;
        let mut bytes = Vec::new();
        let length = u64::from(u32::from_le_bytes(length));
        (&mut self.file).take(length).read_to_end(&mut bytes).map_err(|e| self.error(&e))?;
        postcard::from_bytes(&bytes).map_err(|_| damaged(&self.path))
    }

    fn error(&self, error: &std::io::Error) -> Error {
        Error::io(format!("read `{}`", self.path.display()), error)
    }
}

impl Read for StateReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

fn damaged(path: &Path) -> Error {
    Error::new(ErrorKind::Incompatible, format!("`{}` is damaged", path.display()))
        .with_detail("Its checksum does not agree with its contents.")
        .with_hint("Delete the directory and compute the states again.")
}

/// The payload of a state file, as a sorted run that can be merged.
pub(crate) fn payload(path: &Path) -> Result<Run> {
    let mut reader = StateReader::open(path)?;
    reader.header()?;
    Ok(Run::Reader(Box::new(reader)))
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
                let header = StateReader::open(&path)?.header()?;
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
                            let mut reader = StateReader::open(path)?;
                            reader.header()?;
                            let mut bytes = Vec::new();
                            reader.read_to_end(&mut bytes).map_err(|e| reader.error(&e))?;
                            f.merge(&mut state, f.decode(&bytes)?)?;
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
        let Some((keys, keyed)) = keys_of(plan, plan.nodes[node].input()) else {
            return self.files_of(node)?.into_iter().map(payload).collect();
        };
        let mut tables = Tables::new(f.clone(), RunOptions::default().memory_bytes / 3);
        for block in keyed.blocks(self.runs(plan, keys, keyed)?)? {
            tables.add(&block?)?;
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
