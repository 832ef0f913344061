//! The Beam model — sources, `ParDo`, `CombineFn` — and its lowering to timely dataflow.
//!
//! A pipeline reads one sharded [`Source`], applies [`DoFn`]s to its batches and aggregates in
//! exactly two ways: [`PCollection::combine_globally`] (one state per shard, merged in shard order)
//! and [`PCollection::combine_per_key`] (exact keyed states, hash-partitioned over the workers).
//! [`PCollection::sort_per_key`] gives keyed states back in one ascending stream of any size, and
//! [`PCollection::write`] hands elements to a sharded [`Sink`].
//! The state of one combiner over one shard is the atom that is merged, sent and stored.
//!
//! **Invariant:** this crate knows no statistic, no schema and no file format.
//! **Invariant:** what a run gives depends on its shards' contents alone, bit for bit: not on the
//! number of threads or processes, the size of batches or the order in which inputs were named.

mod batch;
mod cache;
mod combine;
#[cfg(feature = "dataflow")]
pub mod dataflow;
mod error;
mod keyed;
mod pardo;
mod pcollection;
mod plan;
mod receipt;
mod run;
mod sink;
mod source;
mod spooled;
mod state_file;
mod store;

pub use batch::{Batch, Rejected};
pub use cache::{Pruned, StateCache};
pub use combine::{AnyCombineFn, CombineFn, Element, State};
pub use error::{Error, ErrorKind, Result};
pub use keyed::{
    Entry, Group, KeyState, KeyTable, KeyedBlock, KeyedCombineFn, MergedRuns, Run, RunReader,
    RunWriter, SortedKeys, order, read_varint, write_varint,
};
pub use pardo::{DoFn, Emit};
pub use pcollection::{Combined, PCollection, Pipeline, Rows, Sorted};
pub use plan::{AnyDoFn, AnyKeyed, AnyTable, Blocks, Node, Outputs, Pieces, Plan};
pub use receipt::{QUOTED, Receipt, ShardReceipt};
pub use run::{Progress, RunOptions, ShardReader, check_receipt};
pub use sink::{AnySink, Part, ShardWriter, Sink, Writing, Written};
pub use source::{Batches, Flatten, Shard, Source};
pub use spooled::{SpooledReader, SpooledStrings, SpooledStringsBuilder};
pub use store::{StateStore, StoredShards, StoredStates};
