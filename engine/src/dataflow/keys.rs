//! The moving parts of `combine_per_key`: tables that spill, runs on their way to their owners.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilderSession;

use super::lower::{Body, Either, Item, Message, Time};
use crate::combine::Element;
use crate::keyed::Run;
use crate::plan::{AnyKeyed, AnyTable, Pieces};
use crate::{Error, Result, Shard, ShardReceipt, StateStore, store};

/// Pieces a worker may have sent that their owners have not taken in.
const WINDOW: u64 = 16;

/// The keyed states of one worker: a table, and sorted runs of what did not fit.
pub(super) struct Tables {
    f: Arc<dyn AnyKeyed>,
    table: Box<dyn AnyTable>,
    budget: usize,
    runs: Vec<Run>,
}

impl Tables {
    pub(super) fn new(f: Arc<dyn AnyKeyed>, budget: usize) -> Self {
        let table = f.table();
        Tables { f, table, budget, runs: Vec::new() }
    }

    pub(super) fn add(&mut self, element: &Element) -> Result<()> {
        self.f.add(&mut *self.table, element)?;
        if self.table.bytes() > self.budget { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let mut file = tempfile::tempfile().map_err(|e| spilling(&e))?;
        self.table.drain(&mut file)?;
        file.rewind().map_err(|e| spilling(&e))?;
        self.runs.push(Run::File(file));
        Ok(())
    }

    /// Writes the table, which holds exactly one shard's states, to the store, and goes on with
    /// that file in its place.
    pub(super) fn keep(
        &mut self,
        store: &StateStore,
        node: usize,
        shard: &Shard,
        receipt: &ShardReceipt,
    ) -> Result<()> {
        // What was spilled since the last shard belongs to this one.
        let kept = self.runs.iter().take_while(|run| matches!(run, Run::Reader(_))).count();
        let mut spilled = self.runs.split_off(kept);
        let mut failed = Ok(());
        let path = store.save(node, shard, receipt, |out| {
            if spilled.is_empty() {
                failed = self.table.drain(out);
                return Ok(());
            }
            let mut last = Vec::new();
            failed = self.table.drain(&mut last);
            spilled.push(Run::Memory(last));
            match self.f.route(spilled, 1) {
                Err(error) => failed = Err(error),
                Ok(pieces) => {
                    for piece in pieces {
                        match piece {
                            Ok((_, bytes)) => out.write_all(&bytes)?,
                            Err(error) => failed = Err(error),
                        }
                    }
                }
            }
            Ok(())
        })?;
        failed?;
        self.runs.push(store::payload(&path)?);
        Ok(())
    }

    /// Everything, as sorted runs.
    pub(super) fn finish(&mut self) -> Result<Vec<Run>> {
        if !self.table.is_empty() {
            let mut bytes = Vec::new();
            self.table.drain(&mut bytes)?;
            self.runs.push(Run::Memory(bytes));
        }
        Ok(std::mem::take(&mut self.runs))
    }
}

fn spilling(error: &std::io::Error) -> Error {
    Error::io("spill keyed states to a temporary file", error)
        .with_hint("Make room in the directory for temporary files (TMPDIR), or raise `--memory`.")
}

/// A run that arrives in pieces: in memory, and on disk once it is large.
#[derive(Default)]
pub(super) struct Spool {
    bytes: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    pub(super) fn push(&mut self, piece: &[u8], budget: usize) -> Result<()> {
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

    pub(super) fn finish(self) -> Result<Run> {
        match self.file {
            None => Ok(Run::Memory(self.bytes)),
            Some(mut file) => {
                file.rewind().map_err(|e| spilling(&e))?;
                Ok(Run::File(file))
            }
        }
    }
}

/// Blocks of final keyed states.
pub(super) type Blocks = Box<dyn Iterator<Item = Result<Element>>>;

/// What a worker does with its runs when its input has ended.
pub(super) enum Sending {
    /// It is alone: it owns all keys.
    Blocks(Blocks),
    /// Pieces for every owner, with the number of pieces sent so far.
    Pieces(Pieces, u64),
}

/// When the next step of sending is due.
pub(super) enum Next {
    Now,
    Later,
    Never,
}

impl Sending {
    /// Sends one block or piece.
    pub(super) fn step(
        &mut self,
        cap: &mut Capability<Time>,
        watched: &ProbeHandle<Time>,
        index: usize,
        output: &mut OutputBuilderSession<'_, Time, CapacityContainerBuilder<Vec<Either>>>,
    ) -> Result<Next> {
        match self {
            Sending::Blocks(blocks) => {
                let next = blocks.next().transpose()?;
                let mut session = output.session(&*cap);
                if let Some(block) = next {
                    session.give(Either::Item(Item::Element(index, block)));
                    Ok(Next::Now)
                } else {
                    session.give(Either::Item(Item::Done(index)));
                    Ok(Next::Never)
                }
            }
            Sending::Pieces(pieces, sent) => {
                // Owners that lag behind hold their senders back: queues between workers would
                // otherwise grow to the size of the data.
                if *sent > WINDOW && watched.less_than(&(*sent - WINDOW)) {
                    return Ok(Next::Later);
                }
                let Some((to, bytes)) = pieces.next().transpose()? else { return Ok(Next::Never) };
                *sent += 1;
                // The probe follows the oldest time that any sender may still send at.
                cap.downgrade(&*sent);
                let body = Body::Piece { from: index, bytes: bytes.into() };
                output.session(&*cap).give(Either::Message(Message { to, body }));
                Ok(Next::Now)
            }
        }
    }
}
