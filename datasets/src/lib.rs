//! Data at rest: file formats, and what is written to disk.

mod example;
mod tfrecord;

pub use example::{ExampleDecoder, Payload, SEQUENCE_COLUMN};
pub use tfrecord::{Frame, TfRecordOptions, TfRecordReader, TfRecordSource, TfRecordWriter};
