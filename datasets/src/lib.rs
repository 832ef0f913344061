//! Data at rest: file formats, and what is written to disk.

mod example;
mod tfrecord;

pub use example::{ExampleDecoder, ExampleEncoder, Payload, SEQUENCE_COLUMN, write_examples};
pub use tfrecord::{Frame, TfRecordOptions, TfRecordReader, TfRecordSource, TfRecordWriter};
