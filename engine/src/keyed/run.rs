//! Sorted runs of (group, key, state): in memory, on disk and on the wire, the same bytes.
//!
//! ```text
//! run   := section*
//! section := 0 varint(len) group-name entry*      a new group begins
//! entry := varint(len + 1) key state
//! ```

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::sync::Arc;

use super::{KeyState, KeyedBlock, read_varint, write_varint};
use crate::{Error, ErrorKind, Result};

/// A finished sorted run.
pub enum Run {
    /// Bytes in memory.
    Memory(Vec<u8>),
    /// An anonymous temporary file, positioned at the run's start.
    File(File),
}

/// Writes one run; entries must come in ascending order of (group, key).
pub struct RunWriter<W> {
    out: W,
    buffer: Vec<u8>,
    group: Option<Arc<[u8]>>,
}

/// How much is gathered before it is written.
const BLOCK: usize = 1 << 18;

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

/// Merges sorted runs and calls `f` with every (group, key, merged state), ascending.
///
/// # Errors
/// When a run cannot be read or is damaged, or `f` fails.
pub fn merge_runs<S: KeyState>(
    mut runs: Vec<RunReader<S>>,
    mut f: impl FnMut(&Arc<[u8]>, &[u8], S) -> Result<()>,
) -> Result<()> {
    let mut live = Vec::with_capacity(runs.len());
    for mut run in runs.drain(..) {
        if run.advance()? {
            live.push(run);
        }
    }
    // A binary heap of indices by hand-rolled sift: `BinaryHeap` cannot borrow the readers.
    let less = |a: &RunReader<S>, b: &RunReader<S>| (&a.group, &a.key) < (&b.group, &b.key);
    let sift = |heap: &mut [RunReader<S>], mut at: usize| {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < heap.len() && less(&heap[child], &heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            heap.swap(at, least);
            at = least;
        }
    };
    for at in (0..live.len() / 2).rev() {
        sift(&mut live, at);
    }
    let (mut group, mut key) = (Arc::from([]), Vec::new());
    while let Some(top) = live.first() {
        group = if Arc::ptr_eq(&group, &top.group) || group == top.group {
            group
        } else {
            top.group.clone()
        };
        key.clone_from(&top.key);
        let mut state: Option<S> = None;
        while let Some(top) = live.first_mut() {
            if top.key != key || top.group != group {
                break;
            }
            match &mut state {
                None => state = Some(std::mem::take(&mut top.state)),
                Some(state) => state.merge(&top.state),
            }
            if !top.advance()? {
                live.swap_remove(0);
            }
            sift(&mut live, 0);
        }
        let state = state.expect("the first run holds the key that was just read from it");
        f(&group, &key, state)?;
    }
    Ok(())
}

/// Cuts a sorted sequence of entries into blocks of one group and bounded size.
pub(crate) struct Blocks<S> {
    block: Option<KeyedBlock<S>>,
}

impl<S> Default for Blocks<S> {
    fn default() -> Self {
        Blocks { block: None }
    }
}

impl<S> Blocks<S> {
    /// Adds an entry; gives the finished block when the entry begins a new one.
    pub(crate) fn push(
        &mut self,
        group: &Arc<[u8]>,
        key: &[u8],
        state: S,
    ) -> Option<KeyedBlock<S>> {
        let full = self.block.as_ref().is_some_and(|block| {
            block.group != *group || block.bytes.len() + key.len() > BLOCK || block.len() >= 1 << 14
        });
        let done = if full { self.block.take() } else { None };
        self.block.get_or_insert_with(|| KeyedBlock::new(group.clone())).push(key, state);
        done
    }

    /// The last block.
    pub(crate) fn finish(&mut self) -> Option<KeyedBlock<S>> {
        self.block.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(entries: &[(&str, &str, u64)]) -> RunReader<u64> {
        let mut writer = RunWriter::new(Vec::new());
        for (group, key, n) in entries {
            writer.push(&Arc::from(group.as_bytes()), key.as_bytes(), n).unwrap();
        }
        RunReader::open(Run::Memory(writer.finish().unwrap()))
    }

    #[test]
    fn merges_equal_keys_and_keeps_order() {
        let runs = vec![
            run(&[("a", "", 1), ("a", "x", 2), ("b", "x", 3)]),
            run(&[]),
            run(&[("", "z", 7), ("a", "x", 10), ("b", "", 5)]),
        ];
        let mut seen = Vec::new();
        merge_runs(runs, |group, key, n| {
            seen.push((group.to_vec(), key.to_vec(), n));
            Ok(())
        })
        .unwrap();
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
