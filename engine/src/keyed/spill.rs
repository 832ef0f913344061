//! Keyed states past a budget of memory: tables that become sorted runs in temporary files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use super::Run;
use crate::combine::Element;
use crate::plan::{AnyKeyed, AnyTable};
use crate::{Error, Result};

/// Runs that are merged at once: each needs an open file and a buffer.
const FAN_IN: usize = 64;

/// Keyed states: a table, and sorted runs of what did not fit.
pub(crate) struct Tables {
    f: Arc<dyn AnyKeyed>,
    table: Box<dyn AnyTable>,
    budget: usize,
    /// Runs in temporary files; those of each level are merges of [`FAN_IN`] of the level before.
    levels: Vec<Vec<Run>>,
    /// The only groups that there may be, if that matters.
    groups: Option<BTreeSet<Arc<[u8]>>>,
}

impl Tables {
    pub(crate) fn new(f: Arc<dyn AnyKeyed>, budget: usize) -> Self {
        let table = f.table();
        Tables { f, table, budget, levels: Vec::new(), groups: None }
    }

    /// The same, but keys of other groups than these are an error.
    #[cfg(feature = "dataflow")]
    pub(crate) fn only(self, groups: BTreeSet<Arc<[u8]>>) -> Self {
        Tables { groups: Some(groups), ..self }
    }

    fn check_groups(&self) -> Result<()> {
        let Some(groups) = &self.groups else { return Ok(()) };
        match self.table.groups().into_iter().find(|group| !groups.contains(group)) {
            None => Ok(()),
            Some(group) => {
                let name = self.f.name();
                let message = format!("`{name}` has a group without an identity");
                Err(Error::invalid(message)
                    .with_detail(format!("Its name is `{}`.", group.escape_ascii()))
                    .with_hint("States are cached for all groups or none: list this one, too."))
            }
        }
    }

    /// Adds the keys of an element.
    pub(crate) fn add(&mut self, element: &Element) -> Result<()> {
        self.f.add(&mut *self.table, element)?;
        self.keep_to_budget()
    }

    /// Adds the keys of a block, with their states.
    pub(crate) fn absorb(&mut self, block: &Element) -> Result<()> {
        self.f.absorb(&mut *self.table, block);
        self.keep_to_budget()
    }

    fn keep_to_budget(&mut self) -> Result<()> {
        if self.table.bytes() <= self.budget {
            return Ok(());
        }
        self.check_groups()?;
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

    /// Everything, as sorted runs; nothing is left.
    pub(crate) fn finish(&mut self) -> Result<Vec<Run>> {
        self.check_groups()?;
        let mut runs: Vec<Run> = std::mem::take(&mut self.levels).into_iter().flatten().collect();
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
