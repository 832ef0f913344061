//! Ranked keyed results: counted by key, then read as one stream in another order, of any size.
//!
//! ```text
//!   Columns ──add──► combine_per_key: a table for each (columns, name), shared by analyzers
//!                        └──rank──► sort_per_key: a group for each analyzer ──finish──► constants
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use engine::{Group, KeyState, KeyTable, KeyedBlock, KeyedCombineFn, Outputs, PCollection, Result};
use engine::{Sorted, SortedKeys};

use crate::analyzer::{Columns, Pending};
use crate::tensor::Tensor;

/// An analyzer with a state for each key, whose result is read from one sorted stream.
///
/// Nothing of it is held in memory but what [`Ranked::finish`] keeps: a vocabulary's first tokens.
pub trait Ranked<S: KeyState>: Send + Sync + 'static {
    /// Stable name of what [`Ranked::add`] adds. Analyzers of one name over the same columns must
    /// add the same: their keys are counted once for all of them.
    fn name(&self) -> String;

    /// Raised when the keys that are added or the states' bytes change.
    fn version(&self) -> u32 {
        1
    }

    /// Adds the keys of a batch to the table's group.
    ///
    /// # Errors
    /// When the input contradicts an option; the run ends.
    fn add(&self, group: &mut Group<S>, input: &Columns) -> Result<()>;

    /// Adds the keys of a block, as they are to be sorted: see [`engine::order`]. Blocks are any part
    /// of all keys, so what is added must not depend on where they are cut.
    fn rank(&self, sorted: &mut Group<S>, block: &KeyedBlock<S>);

    /// Makes the result of the sorted keys.
    ///
    /// # Errors
    /// When they contradict an option.
    fn finish(&self, keys: &mut dyn Keys<S>) -> Result<Vec<Tensor>>;
}

/// Keys with their states, ascending.
pub trait Keys<S> {
    /// The next one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn next(&mut self) -> Result<Option<(&[u8], S)>>;
}

impl<S: KeyState> Keys<S> for SortedKeys<S> {
    fn next(&mut self) -> Result<Option<(&[u8], S)>> {
        self.next_key()
    }
}

/// No keys.
struct NoKeys;

impl<S> Keys<S> for NoKeys {
    fn next(&mut self) -> Result<Option<(&[u8], S)>> {
        Ok(None)
    }
}

/// A ranked analyzer in a phase.
pub(crate) struct Placed<S> {
    /// The group of its counts, maybe another analyzer's.
    pub counts: Vec<u8>,
    /// The group of its ranking.
    pub group: Vec<u8>,
    /// What it is.
    pub analyzer: Arc<dyn Ranked<S>>,
}

/// Ranks the keys of all analyzers of a phase.
struct Rank<S> {
    analyzers: Vec<Placed<S>>,
}

impl<S: KeyState> KeyedCombineFn for Rank<S> {
    type Input = KeyedBlock<S>;
    type State = S;

    fn name(&self) -> &'static str {
        "rank keys"
    }
    fn add_input(&self, table: &mut KeyTable<S>, block: &KeyedBlock<S>) -> Result<()> {
        for placed in self.analyzers.iter().filter(|placed| *block.group == *placed.counts) {
            placed.analyzer.rank(table.group(&placed.group), block);
        }
        Ok(())
    }
}

/// The one stream that all analyzers read, each its group, in the order of groups.
struct Stream<S> {
    sorted: Option<Sorted<S>>,
    keys: Option<SortedKeys<S>>,
    group: Option<Arc<[u8]>>,
}

impl<S: KeyState> Stream<S> {
    /// The keys of a group; `None` if it has none.
    fn seek(&mut self, group: &[u8], outputs: &mut Outputs) -> Result<Option<&mut SortedKeys<S>>> {
        if let Some(sorted) = self.sorted.take() {
            let mut keys = sorted.output(outputs)?;
            self.group = keys.next_group()?;
            self.keys = Some(keys);
        }
        let Some(keys) = &mut self.keys else { return Ok(None) };
        while self.group.as_deref().is_some_and(|current| current < group) {
            self.group = keys.next_group()?;
        }
        Ok((self.group.as_deref() == Some(group)).then_some(keys))
    }
}

/// Attaches the rankings of all analyzers to their counts; gives how each result is had, to be
/// called in the order of their groups.
pub(crate) fn attach<S: KeyState>(
    analyzers: Vec<Placed<S>>,
    blocks: &PCollection<KeyedBlock<S>>,
) -> Vec<Pending> {
    let all: Vec<_> = analyzers.iter().map(|p| (p.group.clone(), p.analyzer.clone())).collect();
    let sorted = blocks.sort_per_key(Rank { analyzers });
    let stream = Stream { sorted: Some(sorted), keys: None, group: None };
    let stream = Rc::new(RefCell::new(stream));
    let pending = all.into_iter().map(|(group, analyzer)| {
        let stream = stream.clone();
        let pending: Pending = Box::new(move |outputs| {
            let mut stream = stream.borrow_mut();
            match stream.seek(&group, outputs)? {
                Some(keys) => analyzer.finish(keys),
                None => analyzer.finish(&mut NoKeys),
            }
        });
        pending
    });
    pending.collect()
}
