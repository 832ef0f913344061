//! Rows of any format as splits of examples: what TFX's ExampleGen makes of data.
//!
//! ```text
//!   worker that reads shard 7:  rows ─► split, order ─► .spill/00000007: sorted runs (spill.rs)
//!                                                            │ every shard is done
//!   process 0, an output shard on each thread:               ▼ merge.rs
//!       Split-train/data_tfrecord-00000-of-00002 ◄── its bucket of all runs, merged by order
//!       Split-eval/…
//! ```
//!
//! A row's order is a hash of the seed, its file and its number there: a shuffle that needs no memory
//! of what came before. Without a shuffle it is its number.
//!
//! Where it differs from TFX on purpose: a cell of CSV or Parquet that is missing is a feature that is not
//! there (CsvExampleGen writes an empty list, earlier versions a feature without a kind), so that rows have
//! one split whatever their format; rows are never hashed as Python's pickles; fields inside of features
//! that tf.Example does not declare are no part of the key.
//!
//! A Parquet file has the columns of all rows that were read, or of those of its split where the inputs are
//! splits: a feature that none of its rows has is null there. The feature lists of tf.SequenceExamples are
//! the struct that they are read as, [`crate::SEQUENCE_COLUMN`], unless no row has any. What was a feature
//! without a kind is a null again, and no feature when rows are written as records.
//!
//! **Invariant:** the bytes of every output shard depend on the rows, their files' names and the options
//! alone. **Invariant:** what is read as a record is written to TFRecord files as the same bytes.

mod merge;
mod sink;
mod spill;
mod split;

pub use sink::{IngestOptions, IngestSink, SplitShard};
pub use split::{Splits, parse_splits};
