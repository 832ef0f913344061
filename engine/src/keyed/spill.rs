//! Keyed states past a budget of memory: tables that become sorted runs in temporary files.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use super::Run;
use crate::combine::Element;
use crate::plan::{AnyKeyed, AnyTable};
use crate::{Error, Result};
#[cfg(feature = "dataflow")]
use crate::{Shard, ShardReceipt, StateStore, store};

/// Runs that are merged at once: each needs an open file and a buffer.
const FAN_IN: usize = 64;

/// The keyed states of one worker: a table, and sorted runs of what did not fit.
pub(crate) struct Tables {
    f: Arc<dyn AnyKeyed>,
    table: Box<dyn AnyTable>,
    budget: usize,
    /// Runs in temporary files; those of each level are merges of [`FAN_IN`] of the level before.
    levels: Vec<Vec<Run>>,
    /// Files of the store, one for each shard.
    kept: Vec<Run>,
}

impl Tables {
    pub(crate) fn new(f: Arc<dyn AnyKeyed>, budget: usize) -> Self {
        let table = f.table();
        Tables { f, table, budget, levels: Vec::new(), kept: Vec::new() }
    }

    pub(crate) fn add(&mut self, element: &Element) -> Result<()> {
        self.f.add(&mut *self.table, element)?;
        if self.table.bytes() > self.budget { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let mut run = to_file(|file| self.table.drain(file))?;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < FAN_IN {
                break;
            }
            let runs = std::mem::take(&mut self.levels[level]);
            run = to_file(|file| merge(&*self.f, runs, file))?;
        }
        Ok(())
    }

    /// Writes the table, which holds exactly one shard's states, to the store, and goes on with
    /// that file in its place.
    #[cfg(feature = "dataflow")]
    pub(crate) fn keep(
        &mut self,
        store: &StateStore,
        node: usize,
        shard: &Shard,
        receipt: &ShardReceipt,
    ) -> Result<()> {
        let spilled: Vec<Run> = std::mem::take(&mut self.levels).into_iter().flatten().collect();
        let mut failed = Ok(());
        let path = store.save(node, shard, receipt, |mut out| {
            failed = if spilled.is_empty() {
                self.table.drain(out)
            } else {
                let mut last = Vec::new();
                self.table.drain(&mut last).and_then(|()| {
                    let runs = spilled.into_iter().chain([Run::Memory(last)]).collect();
                    merge(&*self.f, runs, &mut out)
                })
            };
            Ok(())
        })?;
        failed?;
        self.kept.push(store::payload(&path)?);
        Ok(())
    }

    /// Everything, as sorted runs.
    pub(crate) fn finish(&mut self) -> Result<Vec<Run>> {
        let mut runs = std::mem::take(&mut self.kept);
        runs.extend(std::mem::take(&mut self.levels).into_iter().flatten());
        if !self.table.is_empty() {
            let mut bytes = Vec::new();
            self.table.drain(&mut bytes)?;
            runs.push(Run::Memory(bytes));
        }
        Ok(runs)
    }
}

/// Merges runs into one.
fn merge(f: &dyn AnyKeyed, runs: Vec<Run>, out: &mut dyn Write) -> Result<()> {
    for piece in f.route(runs, 1)? {
        out.write_all(&piece?.1).map_err(|e| spilling(&e))?;
    }
    Ok(())
}

/// A run in a temporary file, which is gone when it is closed.
fn to_file(write: impl FnOnce(&mut File) -> Result<()>) -> Result<Run> {
    let mut file = tempfile::tempfile().map_err(|e| spilling(&e))?;
    write(&mut file)?;
    file.rewind().map_err(|e| spilling(&e))?;
    Ok(Run::File(file))
}

fn spilling(error: &std::io::Error) -> Error {
    Error::io("spill keyed states to a temporary file", error)
        .with_hint("Make room in the directory for temporary files (TMPDIR), or raise `--memory`.")
}

/// A run that arrives in pieces: in memory, and on disk once it is large.
#[cfg(feature = "dataflow")]
#[derive(Default)]
pub(crate) struct Spool {
    bytes: Vec<u8>,
    file: Option<File>,
}

#[cfg(feature = "dataflow")]
impl Spool {
    pub(crate) fn push(&mut self, piece: &[u8], budget: usize) -> Result<()> {
        if self.bytes.len() + piece.len() <= budget && self.file.is_none() {
            self.bytes.extend_from_slice(piece);
            return Ok(());
        }
        if self.file.is_none() {
            let mut file = tempfile::tempfile().map_err(|e| spilling(&e))?;
            file.write_all(&std::mem::take(&mut self.bytes)).map_err(|e| spilling(&e))?;
            self.file = Some(file);
        }
        let file = self.file.as_mut().expect("it was just made");
        file.write_all(piece).map_err(|e| spilling(&e))
    }

    pub(crate) fn finish(self) -> Result<Run> {
        match self.file {
            None => Ok(Run::Memory(self.bytes)),
            Some(mut file) => {
                file.rewind().map_err(|e| spilling(&e))?;
                Ok(Run::File(file))
            }
        }
    }
}
