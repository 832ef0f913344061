//! Data at rest: what a file is, which files are meant, and how they become batches.
//!
//! | question | where |
//! |---|---|
//! | which files does the user mean? | [`inputs`]: paths, globs, shard counts, spans |
//! | what format are they? | [`FORMATS`], [`detect`], [`open`] |
//! | how are records framed, and what is a tf.Example? | [`TfRecordSource`], [`ExampleDecoder`] |
//! | how is text made into columns? | [`csv`] |
//! | how are row groups read? | [`parquet`] |
//! | where does data come from that is known in advance? | [`synthetic`] |
//! | how does a result reach the disk whole or not at all? | [`artifacts`] |
//! | how are rows written, shard by shard? | [`output`] |
//! | how are rows split, shuffled and written as examples? | [`ingest`] |
//!
//! **Invariant:** nothing is computed here but the types of CSV columns, without which there would
//! be no columns, and the splits of rows. **Invariant:** shards depend on the data alone.

pub mod artifacts;
mod columns;
pub mod csv;
mod did_you_mean;
mod example;
mod fingerprint;
mod formats;
pub mod ingest;
pub mod inputs;
mod options;
mod originals;
pub mod output;
pub mod parquet;
pub mod synthetic;
mod tfrecord;

pub use example::{ExampleDecoder, ExampleEncoder, Payload, SEQUENCE_COLUMN, write_examples};
pub use formats::{FORMATS, Format, OpenFn, detect, open};
pub use options::ReadOptions;
pub use tfrecord::{Frame, TfRecordOptions, TfRecordReader, TfRecordSource, TfRecordWriter};
