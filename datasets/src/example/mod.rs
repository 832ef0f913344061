//! Serialized tf.Example and tf.SequenceExample messages straight into Arrow columns.
//!
//! The bytes of a record are walked once and every value is written where it stays; there are no
//! message objects in between. A column is a list of 64-bit integers, of 32-bit floats or of byte
//! strings; a feature that a record does not have, or that has no kind, is a null list.
//!
//! **Invariant:** the columns of a shard depend on the order of its records alone, not on where
//! batches end. A rejected record leaves no trace.

pub(crate) mod canonical;
mod column;
mod encode;
mod encode_lists;
mod entry;
mod features;
mod names;
mod sequence;
mod slots;
pub(crate) mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use engine::{Error, ErrorKind, Result};

pub use encode::{ExampleEncoder, write_examples};
use features::{Features, Trouble};
use sequence::FeatureLists;
use slots::Shared;

/// Name of the struct column that holds the feature lists of tf.SequenceExamples.
pub const SEQUENCE_COLUMN: &str = "##SEQUENCE##";

/// A batch is full when its records have this many bytes …
const MAX_BATCH_BYTES: usize = 64 << 20;
/// … or when it has this many rows times columns.
const MAX_BATCH_CELLS: usize = 16 << 20;
/// Longest record: so that a batch with one more record fits in 32-bit offsets.
pub(crate) const MAX_RECORD_BYTES: u64 = 1 << 30;

/// Which message the records of a file hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// Decided by the first records: feature lists make it [`Payload::SequenceExample`].
    #[default]
    Detect,
    /// tf.Example: one column per feature.
    Example,
    /// tf.SequenceExample: one column per context feature, and [`SEQUENCE_COLUMN`].
    SequenceExample,
}

/// Decodes records one by one and hands them out as Arrow batches.
///
/// Columns are sorted by name. A column whose features never had a kind so far has type `Null`.
///
/// ```
/// use datasets::{ExampleDecoder, Payload};
///
/// let mut decoder = ExampleDecoder::new(Payload::Example, None);
/// // features { feature { key: "x" value { int64_list { value: [1, 2] } } } }
/// let record = b"\x0a\x0d\x0a\x0b\x0a\x01x\x12\x06\x1a\x04\x0a\x02\x01\x02";
/// decoder.push(record).expect("a well-formed tf.Example");
/// let batch = decoder.finish().expect("as long columns as rows");
/// assert_eq!(batch.schema().field(0).name(), "x");
/// assert_eq!(batch.num_rows(), 1);
/// ```
pub struct ExampleDecoder {
    features: Features,
    lists: Lists,
    rows: usize,
    bytes: usize,
    shared: Shared,
    schema: SchemaRef,
    /// Where the columns of `schema` come from.
    order: Vec<Origin>,
}

/// What happens to field 2 of a record.
enum Lists {
    /// It is an unknown field of tf.Example.
    Ignored,
    /// Nobody knew that there would be feature lists.
    Refused,
    /// It is not among the wanted columns.
    Skipped,
    /// It becomes a column.
    Read(Box<FeatureLists>),
}

#[derive(Clone, Copy)]
enum Origin {
    Feature(usize),
    Lists,
}

impl ExampleDecoder {
    /// A decoder of one kind of message, of all columns or of those that are named.
    ///
    /// With [`Payload::Detect`] it decodes tf.Examples and rejects records with feature lists.
    pub fn new(payload: Payload, columns: Option<&[String]>) -> Self {
        let projection: Option<BTreeSet<String>> =
            columns.map(|columns| columns.iter().cloned().collect());
        let lists = match payload {
            Payload::Example => Lists::Ignored,
            Payload::Detect => Lists::Refused,
            Payload::SequenceExample => match &projection {
                Some(columns) if !columns.contains(SEQUENCE_COLUMN) => Lists::Skipped,
                _ => Lists::Read(Box::new(FeatureLists::new())),
            },
        };
        let reserved = matches!(lists, Lists::Read(_)).then_some(SEQUENCE_COLUMN);
        ExampleDecoder {
            features: Features::new(projection, reserved),
            lists,
            rows: 0,
            bytes: 0,
            shared: Shared::new(),
            schema: Arc::new(Schema::empty()),
            order: Vec::new(),
        }
    }

    /// Number of rows that were decoded since the last batch.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the batch should be finished before more records, to bound its memory.
    #[inline]
    pub fn is_full(&self) -> bool {
        let mut n_columns = self.features.len();
        if let Lists::Read(lists) = &self.lists {
            n_columns += lists.len();
        }
        self.bytes >= MAX_BATCH_BYTES || self.rows.saturating_mul(n_columns) >= MAX_BATCH_CELLS
    }

    /// Decodes one record into the next row.
    ///
    /// # Errors
    /// A lower-case sentence that says why the record is rejected. It leaves no trace then.
    #[inline]
    pub fn push(&mut self, record: &[u8]) -> Result<(), String> {
        match self.read(record) {
            Ok(()) => {
                self.rows += 1;
                self.bytes += record.len();
                Ok(())
            }
            Err(reason) => {
                self.features.reject(self.rows);
                if let Lists::Read(lists) = &mut self.lists {
                    lists.reject(self.rows);
                }
                Err(reason)
            }
        }
    }

    #[inline]
    fn read(&mut self, record: &[u8]) -> Result<(), String> {
        self.features.start();
        if let Lists::Read(lists) = &mut self.lists {
            lists.start();
        }
        if record.len() as u64 > MAX_RECORD_BYTES || self.bytes > MAX_BATCH_BYTES {
            return Err(format!("the record of {} bytes is too long", record.len()));
        }
        self.fields(record)?;
        self.features.conflict()?;
        if let Lists::Read(lists) = &mut self.lists {
            lists.conflict()?;
            lists.accept();
        }
        self.features.accept();
        Ok(())
    }

    #[inline]
    fn fields(&mut self, mut record: &[u8]) -> Result<(), String> {
        while !record.is_empty() {
            let (number, wire) = wire::tag(&mut record).map_err(no_message)?;
            match (number, &mut self.lists) {
                (1, _) => {
                    let message = wire::message(1, wire, &mut record).map_err(no_message)?;
                    if let Err(trouble) = self.features.read(self.rows, message) {
                        let name = trouble.column.map(|column| self.features.name(column));
                        return Err(reason("feature", name, trouble));
                    }
                }
                (2, Lists::Read(lists)) => {
                    let message = wire::message(2, wire, &mut record).map_err(no_message)?;
                    if let Err(trouble) = lists.read(self.rows, message) {
                        let name = trouble.column.map(|column| lists.name(column));
                        return Err(reason("feature list", name, trouble));
                    }
                }
                (2, Lists::Skipped) => {
                    wire::message(2, wire, &mut record).map_err(no_message)?;
                }
                (2, Lists::Refused) if wire == wire::LEN => {
                    let reason = "the record has feature lists, unlike the first ones: is it a \
                                  tf.SequenceExample?";
                    return Err(reason.to_owned());
                }
                _ => wire::skip(wire, &mut record).map_err(no_message)?,
            }
        }
        Ok(())
    }

    /// The rows so far as a batch; starts anew with the same columns.
    ///
    /// # Errors
    /// When Arrow refuses the columns, which would be a bug here.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        self.update_schema();
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let arrays: Vec<ArrayRef> = self
            .order
            .iter()
            .filter_map(|origin| match (origin, &mut self.lists) {
                (Origin::Feature(i), _) => {
                    Some(self.features.column_mut(*i).finish(rows, &mut self.shared))
                }
                (Origin::Lists, Lists::Read(lists)) => Some(lists.finish(rows, &mut self.shared)),
                (Origin::Lists, _) => None,
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "decoded columns do not form a batch")
                .with_detail(error.to_string())
        })
    }

    /// Rebuilds the schema if columns or kinds have come or gone.
    fn update_schema(&mut self) {
        let lists_changed = matches!(&self.lists, Lists::Read(lists) if lists.is_changed);
        if !self.features.is_changed && !lists_changed {
            return;
        }
        let wanted = self.features.wanted();
        let mut fields: Vec<(Field, Origin)> = wanted
            .map(|(i, name, data_type)| (Field::new(name, data_type, true), Origin::Feature(i)))
            .collect();
        if let Lists::Read(lists) = &mut self.lists {
            fields.push((Field::new(SEQUENCE_COLUMN, lists.data_type(), true), Origin::Lists));
        }
        fields.sort_by(|(a, _), (b, _)| a.name().cmp(b.name()));
        self.order = fields.iter().map(|(_, origin)| *origin).collect();
        let fields: Vec<Field> = fields.into_iter().map(|(field, _)| field).collect();
        self.schema = Arc::new(Schema::new(fields));
        self.features.is_changed = false;
    }
}

#[cold]
fn no_message(flaw: wire::Flaw) -> String {
    format!("the record is not the expected message: {flaw}")
}

#[cold]
fn reason(what: &str, name: Option<&str>, trouble: Trouble) -> String {
    match name {
        Some(name) => format!("{what} `{name}` is damaged: {}", trouble.flaw),
        None => format!("the map of {what}s is damaged: {}", trouble.flaw),
    }
}

/// Whether this is a message whose field 2 could be the feature lists of a tf.SequenceExample.
pub(crate) fn has_feature_lists(mut record: &[u8]) -> bool {
    let mut is_found = false;
    while !record.is_empty() {
        let Ok((number, wire)) = wire::tag(&mut record) else { return false };
        is_found |= number == 2 && wire == wire::LEN;
        if wire::skip(wire, &mut record).is_err() {
            return false;
        }
    }
    is_found
}

#[cfg(test)]
mod tests;
