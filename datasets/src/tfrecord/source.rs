//! TFRecord files of tf.Examples as a source of batches: one shard per file.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use engine::{Batch, Error, Rejected, Result, Shard, Source};

use super::inflate::Input;
use super::sniff::{Compression, HEAD, other_format};
use super::{Frame, TfRecordReader};
use crate::example::{ExampleDecoder, Payload, has_feature_lists};
use crate::fingerprint::Fingerprints;
use crate::formats::check_shard;
use crate::originals::Originals;

/// How many records are looked at to find out which message they hold.
const DETECT_RECORDS: usize = 16;

/// What to read from TFRecord files.
#[derive(Clone, Debug, Default)]
pub struct TfRecordOptions {
    /// The message in the records.
    pub payload: Payload,
    /// Names of the columns to read; all if `None`. Values of other features are not checked.
    pub columns: Option<Vec<String>>,
    /// Keep the bytes of every good record ([`Batch::originals`]).
    pub keep_originals: bool,
}

/// TFRecord files with tf.Examples or tf.SequenceExamples, uncompressed, gzip or zlib.
pub struct TfRecordSource {
    shards: Vec<Shard>,
    options: TfRecordOptions,
    fingerprints: Fingerprints,
}

impl TfRecordSource {
    /// A source of these files, each one shard.
    ///
    /// With [`Payload::Detect`] the first records decide what all files hold.
    ///
    /// # Errors
    /// When the first file has to be looked at and cannot be opened.
    pub fn open(mut shards: Vec<Shard>, mut options: TfRecordOptions) -> Result<Self> {
        shards.sort_by(|a, b| a.order().cmp(&b.order()));
        shards.dedup_by(|a, b| a.order() == b.order());
        if options.payload == Payload::Detect {
            options.payload = detect(&shards)?;
        }
        Ok(TfRecordSource { shards, options, fingerprints: Fingerprints::default() })
    }

    /// The message in the records: what was asked for or detected.
    ///
    /// [`Payload::Detect`] means tf.Examples that were not asked for by name: a record with
    /// feature lists is rejected then.
    pub fn payload(&self) -> Payload {
        self.options.payload
    }
}

/// Looks at the first records of the first shard that has any.
fn detect(shards: &[Shard]) -> Result<Payload> {
    for shard in shards {
        let mut reader = open(shard)?;
        let mut n_records = 0;
        while n_records < DETECT_RECORDS
            && let Ok(Some(frame)) = reader.next_frame()
        {
            if let Frame::Record(record) = frame
                && has_feature_lists(record)
            {
                return Ok(Payload::SequenceExample);
            }
            n_records += 1;
        }
        if n_records > 0 {
            break;
        }
    }
    Ok(Payload::Detect)
}

fn open(shard: &Shard) -> Result<TfRecordReader<Input>> {
    let name = shard.name();
    let file = File::open(&shard.path).map_err(|e| Error::io(format!("open `{name}`"), &e))?;
    let mut head = Vec::with_capacity(HEAD);
    (&file)
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(|e| Error::io(format!("read `{name}`"), &e))?;
    let compression = Compression::of(&head);
    let mut reader = TfRecordReader::new(Input::new(head, file, compression));
    let found = match reader.peek(HEAD) {
        Ok(head) => other_format(&head[..head.len().min(HEAD)]),
        Err(e) => {
            if reader.input().has_failed() {
                return Err(Error::io(format!("read `{name}`"), &e));
            }
            // Two bytes are enough to look like zlib, unlike gzip's.
            (compression == Compression::Zlib).then(|| "other binary data".to_owned())
        }
    };
    match found {
        None => Ok(reader),
        Some(found) => Err(Error::input(format!("`{name}` is not a TFRecord file"))
            .with_detail(format!(
                "A TFRecord file starts with a length and its checksum; this one looks like {found}."
            ))
            .with_hint("Give its format, or name only the TFRecord files.")),
    }
}

impl Source for TfRecordSource {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<engine::Batches> {
        check_shard(shard, &self.shards)?;
        let file = &self.shards[shard];
        Ok(Box::new(Batches {
            reader: open(file)?,
            decoder: ExampleDecoder::new(self.options.payload, self.options.columns.as_deref()),
            name: file.name(),
            shard,
            batch_rows: batch_rows.max(1),
            first_row: 0,
            originals: self.options.keep_originals.then(Originals::default),
            bytes: 0,
            is_done: false,
        }))
    }

    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        check_shard(shard, &self.shards)?;
        // What the records of the first shard are decides for all.
        let payload: &[u8] = match self.options.payload {
            Payload::Detect => b"detect",
            Payload::Example => b"example",
            Payload::SequenceExample => b"sequence",
        };
        self.fingerprints.of("tfrecord", &[payload], &self.shards[shard]).map(Some)
    }
}

/// The batches of one shard.
struct Batches {
    reader: TfRecordReader<Input>,
    decoder: ExampleDecoder,
    name: String,
    shard: usize,
    batch_rows: usize,
    first_row: u64,
    originals: Option<Originals>,
    /// Stored bytes that earlier batches consumed.
    bytes: u64,
    is_done: bool,
}

impl Batches {
    fn next_batch(&mut self) -> Result<Option<Batch>> {
        let mut rejected = Vec::new();
        while !self.is_done
            && self.decoder.rows() < self.batch_rows
            && rejected.len() < self.batch_rows
            && !self.decoder.is_full()
        {
            let (reason, fatal) = match self.reader.next_frame() {
                Ok(Some(Frame::Record(record))) => match self.decoder.push(record) {
                    Ok(()) => {
                        if let Some(originals) = &mut self.originals {
                            originals.push(record);
                        }
                        continue;
                    }
                    Err(reason) => (reason, false),
                },
                Ok(Some(Frame::Damaged(reason))) => (reason, false),
                Ok(Some(Frame::Broken(reason))) => (reason, true),
                Ok(None) => {
                    self.is_done = true;
                    break;
                }
                Err(error) => {
                    if self.reader.input().has_failed() {
                        self.is_done = true;
                        return Err(Error::io(format!("read `{}`", self.name), &error));
                    }
                    let (record, byte) = (self.reader.record(), self.reader.record_offset());
                    (format!("record {record} at byte {byte} is lost: {error}"), true)
                }
            };
            let (record, byte) = (self.reader.record(), self.reader.record_offset());
            rejected.push(Rejected { record, byte, reason, fatal });
            self.is_done |= fatal;
        }
        let consumed = self.reader.input().stored_bytes().unwrap_or(self.reader.offset());
        let bytes = consumed - self.bytes;
        if self.is_done && self.decoder.rows() == 0 && rejected.is_empty() && bytes == 0 {
            return Ok(None);
        }
        self.bytes = consumed;
        let records = self.decoder.finish()?;
        let first_row = self.first_row;
        self.first_row += records.num_rows() as u64;
        let originals = self.originals.as_mut().map(Originals::finish);
        Ok(Some(Batch { shard: self.shard, first_row, records, originals, rejected, bytes }))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
