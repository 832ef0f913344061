//! `combine_per_key`: exact keyed states, hash-partitioned over workers, spilled past a budget; and
//! `sort_per_key`: the same, in one ascending stream.
//!
//! ```text
//!  batches ──► KeyTable (one hash table per group) ──over budget──► sorted run on disk
//!                  │ end of input                                        │
//!                  └────────────► sorted merge ◄──────────────────────────┘
//!                                     │ hash(group, key) % workers
//!                                     ▼
//!                       owner: sorted merge of all workers' runs
//!                                     │ KeyedBlock: one group's keys in ascending order
//!                                     ▼
//!          a CombineFn over blocks, or their keys anew: another combine_per_key, a sort_per_key
//! ```
//!
//! `sort_per_key` is that without owners: the first worker of every process gets all runs, and its
//! merge is the result ([`SortedKeys`]), as large as it may be.
//!
//! **Invariant:** merging two [`KeyState`]s is exactly commutative and associative (integers, fixed
//! point, sets), so no order of shards, batches or workers can be seen in the result.

pub mod order;
mod run;
mod sorted;
mod spill;
mod table;

pub(crate) use run::{Cut, Routed};
pub use run::{Entry, MergedRuns, Run, RunReader, RunWriter};
pub use sorted::SortedKeys;
#[cfg(feature = "dataflow")]
pub(crate) use spill::Spool;
pub(crate) use spill::Tables;
pub(crate) use table::hash;
pub use table::{Group, KeyTable};

use std::sync::Arc;

use crate::Result;

/// The state of one key: an exactly commutative monoid.
pub trait KeyState: Default + Clone + Send + Sync + 'static {
    /// Folds another state of the same key into this one.
    fn merge(&mut self, other: &Self);
    /// Appends the state's bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads a state from the front of `bytes` and advances it; `None` if the bytes are damaged.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
    /// Heap bytes beside `size_of::<Self>()`, for the memory budget.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// How often a key was seen.
impl KeyState for u64 {
    fn merge(&mut self, other: &Self) {
        *self += other;
    }
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, *self);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        read_varint(bytes)
    }
}

/// Nothing: a key that was seen, and that says all by itself.
impl KeyState for () {
    fn merge(&mut self, (): &Self) {}
    fn encode(&self, _out: &mut Vec<u8>) {}
    fn decode(_bytes: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

/// Assigns keyed states to inputs: the local half of `combine_per_key` and `sort_per_key`.
pub trait KeyedCombineFn: Send + Sync + 'static {
    /// What keys are taken from.
    type Input: 'static;
    /// What is kept for each key.
    type State: KeyState;

    /// Stable name: part of a stored state's identity.
    fn name(&self) -> &'static str;

    /// Raised when the keys or the states' bytes change.
    fn version(&self) -> u32 {
        1
    }

    /// Every group that is ever added to, with what its states depend on: see
    /// [`CombineFn::identity`](crate::CombineFn::identity). Groups are cached one by one, whatever
    /// they are called. Without any nothing is cached.
    fn identities(&self) -> Vec<(Vec<u8>, String)> {
        Vec::new()
    }

    /// Adds the keys of one input to the table.
    ///
    /// # Errors
    /// When the input contradicts an option; the run ends.
    fn add_input(&self, table: &mut KeyTable<Self::State>, input: &Self::Input) -> Result<()>;
}

/// Some keys of one group, ascending, with their final states.
///
/// A group's blocks come one after the other; a key is in exactly one block of one worker.
#[derive(Clone, Debug)]
pub struct KeyedBlock<S> {
    /// The group's name, as given to [`KeyTable::group`].
    pub group: Arc<[u8]>,
    /// End of each key in `bytes`.
    pub ends: Vec<u32>,
    /// The keys, one after the other.
    pub bytes: Vec<u8>,
    /// One state for each key.
    pub states: Vec<S>,
}

impl<S> KeyedBlock<S> {
    /// An empty block of a group.
    pub fn new(group: Arc<[u8]>) -> Self {
        KeyedBlock { group, ends: Vec::new(), bytes: Vec::new(), states: Vec::new() }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Appends a key, which must not be less than the last one.
    pub fn push(&mut self, key: &[u8], state: S) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u32);
        self.states.push(state);
    }

    /// Keys with their states, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &S)> {
        let mut start = 0;
        self.ends.iter().zip(&self.states).map(move |(&end, state)| {
            let key = &self.bytes[start..end as usize];
            start = end as usize;
            (key, state)
        })
    }
}

/// Appends a little-endian base-128 integer.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a base-128 integer from the front of `bytes` and advances it.
pub fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
