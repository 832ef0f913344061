//! Sorted runs of (group, key, state): in memory, on disk and on the wire, the same bytes.
//!
//! ```text
//! run   := section*
//! section := 0 varint(len) group-name entry*      a new group begins
//! entry := varint(len + 1) key state
//! ```

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;

use super::{KeyState, KeyedBlock, hash, read_varint, write_varint};
use crate::{Error, ErrorKind, Result};

/// A finished sorted run.
pub enum Run {
    /// Bytes in memory.
    Memory(Vec<u8>),
    /// An anonymous temporary file, positioned at the run's start.
    File(File),
    /// Anything else that yields the run's bytes.
    Reader(Box<dyn Read + Send>),
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Run::Memory(bytes) => write!(f, "Memory({} bytes)", bytes.len()),
            Run::File(file) => write!(f, "File({file:?})"),
            Run::Reader(_) => f.write_str("Reader"),
        }
    }
}

/// Writes one run; entries must come in ascending order of (group, key).
pub struct RunWriter<W> {
    out: W,
    buffer: Vec<u8>,
    group: Option<Arc<[u8]>>,
}

/// How much is gathered before it is written.
const BLOCK: usize = 1 << 16;

impl<W: Write> RunWriter<W> {
    /// A writer of an empty run.
    pub fn new(out: W) -> Self {
        RunWriter { out, buffer: Vec::with_capacity(BLOCK + 1024), group: None }
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn push<S: KeyState>(
        &mut self,
        group: &Arc<[u8]>,
        key: &[u8],
        state: &S,
    ) -> std::io::Result<()> {
        if self.group.as_ref().is_none_or(|current| current != group) {
            self.buffer.push(0);
            write_varint(&mut self.buffer, group.len() as u64);
            self.buffer.extend_from_slice(group);
            self.group = Some(group.clone());
        }
        write_varint(&mut self.buffer, key.len() as u64 + 1);
        self.buffer.extend_from_slice(key);
        state.encode(&mut self.buffer);
        if self.buffer.len() >= BLOCK {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is left and gives the output back.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn finish(mut self) -> std::io::Result<W> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads one run entry by entry.
pub struct RunReader<S> {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Read position in `buffer`.
    at: usize,
    ended: bool,
    group: Arc<[u8]>,
    key: Vec<u8>,
    state: S,
}

impl<S: KeyState> RunReader<S> {
    /// A reader before the first entry of the run that `input` yields.
    pub fn new(input: impl Read + Send + 'static) -> Self {
        RunReader {
            input: Box::new(input),
            buffer: Vec::new(),
            at: 0,
            ended: false,
            group: Arc::from([]),
            key: Vec::new(),
            state: S::default(),
        }
    }

    /// Opens a run.
    pub fn open(run: Run) -> Self {
        match run {
            Run::Memory(bytes) => Self::new(std::io::Cursor::new(bytes)),
            Run::File(file) => Self::new(BufReader::with_capacity(BLOCK, file)),
            Run::Reader(reader) => Self::new(reader),
        }
    }

    /// Moves to the next entry; false at the end.
    ///
    /// # Errors
    /// When the run cannot be read or is damaged.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            let mut rest = &self.buffer[self.at..];
            match parse::<S>(&mut rest, &mut self.group, &mut self.key) {
                Some(state) => {
                    self.at = self.buffer.len() - rest.len();
                    self.state = state;
                    return Ok(true);
                }
                None if self.ended => {
                    return if self.at == self.buffer.len() { Ok(false) } else { Err(damaged()) };
                }
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        // Doubling lets an entry of any length fit in the end, growing only as bytes arrive.
        let want = BLOCK.max(held);
        let got = (&mut self.input)
            .take(want as u64)
            .read_to_end(&mut self.buffer)
            .map_err(|error| Error::io("read a sorted run", &error))?;
        self.ended = got < want;
        Ok(())
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Incompatible, "a sorted run of keyed states is damaged")
        .with_hint("Delete the states and compute them again.")
}

fn parse<S: KeyState>(rest: &mut &[u8], group: &mut Arc<[u8]>, key: &mut Vec<u8>) -> Option<S> {
    let mut at = *rest;
    let mut tag = read_varint(&mut at)?;
    let mut new_group = None;
    while tag == 0 {
        let length = usize::try_from(read_varint(&mut at)?).ok()?;
        new_group = Some(at.get(..length)?);
        at = &at[length..];
        tag = read_varint(&mut at)?;
    }
    let length = usize::try_from(tag - 1).ok()?;
    let bytes = at.get(..length)?;
    at = &at[length..];
    let state = S::decode(&mut at)?;
    // Nothing is changed before the whole entry is there.
    if let Some(name) = new_group {
        *group = name.into();
    }
    key.clear();
    key.extend_from_slice(bytes);
    *rest = at;
    Some(state)
}

/// One entry of a merge: group, key, merged state.
pub type Entry<'a, S> = (&'a Arc<[u8]>, &'a [u8], S);

/// The merge of sorted runs: every key once, with its merged state, ascending.
///
/// A binary heap of the runs by their current entry; `BinaryHeap` cannot advance in place.
pub struct MergedRuns<S> {
    heap: Vec<RunReader<S>>,
    group: Arc<[u8]>,
    key: Vec<u8>,
}

impl<S: KeyState> MergedRuns<S> {
    /// Opens the runs.
    ///
    /// # Errors
    /// When a run cannot be read or is damaged.
    pub fn open(runs: Vec<Run>) -> Result<Self> {
        let mut heap = Vec::with_capacity(runs.len());
        for run in runs {
            let mut run = RunReader::open(run);
            if run.advance()? {
                heap.push(run);
            }
        }
        let mut merged = MergedRuns { heap, group: Arc::from([]), key: Vec::new() };
        for at in (0..merged.heap.len() / 2).rev() {
            merged.sift(at);
        }
        Ok(merged)
    }

    fn sift(&mut self, mut at: usize) {
        let less = |a: &RunReader<S>, b: &RunReader<S>| (&a.group, &a.key) < (&b.group, &b.key);
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && less(&self.heap[child], &self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    /// The group of the next entry; `None` at the end.
    pub fn next_group(&self) -> Option<&Arc<[u8]>> {
        self.heap.first().map(|run| &run.group)
    }

    /// The next (group, key, state); `None` at the end.
    ///
    /// # Errors
    /// When a run cannot be read or is damaged.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, S>>> {
        let Some(top) = self.heap.first_mut() else { return Ok(None) };
        if !Arc::ptr_eq(&self.group, &top.group) {
            self.group = top.group.clone();
        }
        // Keys change hands: the reader fills the old buffer with its next key.
        std::mem::swap(&mut self.key, &mut top.key);
        let mut state = std::mem::take(&mut top.state);
        self.step()?;
        while let Some(top) = self.heap.first_mut()
            && top.key == self.key
            && top.group == self.group
        {
            state.merge(&top.state);
            self.step()?;
        }
        Ok(Some((&self.group, &self.key, state)))
    }

    /// Moves the first run on.
    fn step(&mut self) -> Result<()> {
        if !self.heap[0].advance()? {
            self.heap.swap_remove(0);
        }
        self.sift(0);
        Ok(())
    }
}

/// Cuts merged runs into blocks of one group and bounded size.
pub(crate) struct Cut<S> {
    merged: MergedRuns<S>,
    next: Option<KeyedBlock<S>>,
    /// Heap bytes of the states of `next`.
    heap_bytes: usize,
}

/// Heap bytes of a block's states, but for those of its last one.
const BLOCK_STATES: usize = 1 << 22;

impl<S: KeyState> Cut<S> {
    pub(crate) fn open(runs: Vec<Run>) -> Result<Self> {
        Ok(Cut { merged: MergedRuns::open(runs)?, next: None, heap_bytes: 0 })
    }
}

impl<S: KeyState> Iterator for Cut<S> {
    type Item = Result<KeyedBlock<S>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.merged.next_entry() {
                Err(error) => return Some(Err(error)),
                Ok(None) => return self.next.take().map(Ok),
                Ok(Some((group, key, state))) => {
                    let full = self.next.as_ref().is_some_and(|block| {
                        block.group != *group
                            || block.bytes.len() + key.len() > BLOCK
                            || block.len() >= 1 << 14
                            || self.heap_bytes > BLOCK_STATES
                    });
                    let done = if full { self.next.take() } else { None };
                    if full {
                        self.heap_bytes = 0;
                    }
                    self.heap_bytes += state.heap_bytes();
                    self.next
                        .get_or_insert_with(|| KeyedBlock::new(group.clone()))
                        .push(key, state);
                    if let Some(block) = done {
                        return Some(Ok(block));
                    }
                }
            }
        }
    }
}

/// Cuts merged runs into pieces of runs, each for the worker that owns its keys.
pub(crate) struct Routed<S> {
    merged: MergedRuns<S>,
    owners: Vec<RunWriter<Vec<u8>>>,
    ended: bool,
}

impl<S: KeyState> Routed<S> {
    pub(crate) fn open(runs: Vec<Run>, owners: usize) -> Result<Self> {
        let owners = (0..owners).map(|_| RunWriter::new(Vec::new())).collect();
        Ok(Routed { merged: MergedRuns::open(runs)?, owners, ended: false })
    }
}

impl<S: KeyState> Iterator for Routed<S> {
    type Item = Result<(usize, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.merged.next_entry() {
                Err(error) => return Some(Err(error)),
                Ok(None) => self.ended = true,
                Ok(Some((group, key, state))) => {
                    // The high bits: the low ones choose the bucket of the tables' hash maps.
                    let owner = ((hash(key) >> 32) * self.owners.len() as u64) >> 32;
                    let writer = &mut self.owners[owner as usize];
                    if let Err(error) = writer.push(group, key, &state) {
                        return Some(Err(Error::io("write a sorted run", &error)));
                    }
                    if !writer.out.is_empty() {
                        return Some(Ok((owner as usize, std::mem::take(&mut writer.out))));
                    }
                }
            }
        }
        let writer = self.owners.pop()?;
        Some(Ok((self.owners.len(), [writer.out, writer.buffer].concat())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(entries: &[(&str, &str, u64)]) -> Run {
        let mut writer = RunWriter::new(Vec::new());
        for (group, key, n) in entries {
            writer.push(&Arc::from(group.as_bytes()), key.as_bytes(), n).unwrap();
        }
        Run::Memory(writer.finish().unwrap())
    }

    #[test]
    fn merges_equal_keys_and_keeps_order() {
        let runs = vec![
            run(&[("a", "", 1), ("a", "x", 2), ("b", "x", 3)]),
            run(&[]),
            run(&[("", "z", 7), ("a", "x", 10), ("b", "", 5)]),
        ];
        let mut merged = MergedRuns::<u64>::open(runs).unwrap();
        let mut seen = Vec::new();
        while let Some((group, key, n)) = merged.next_entry().unwrap() {
            seen.push((group.to_vec(), key.to_vec(), n));
        }
        assert!(seen.is_sorted());
        assert_eq!(seen.iter().map(|(_, _, n)| *n).collect::<Vec<_>>(), [7, 1, 12, 5, 3]);
    }

    #[test]
    fn a_cut_run_is_damaged_not_short() {
        let mut writer = RunWriter::new(Vec::new());
        writer.push(&Arc::from(*b"g"), &[b'k'; 1000], &1u64).unwrap();
        let mut bytes = writer.finish().unwrap();
        bytes.pop();
        assert!(RunReader::<u64>::open(Run::Memory(bytes)).advance().is_err());
    }
}
