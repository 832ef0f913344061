//! Rows into a Parquet file, with the schema of the file they come from.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use engine::{Error, ErrorKind, Result};

/// Rows that are encoded together, however they come: where pages end must not depend on batches …
const CHUNK: usize = 8192;
/// … or fewer, as soon as they have so many bytes.
const CHUNK_BYTES: usize = 16 << 20;
/// Rows of a row group …
const GROUP: usize = 128 << 10;
/// … or fewer, of about so many bytes: all of them are in memory.
const GROUP_BYTES: usize = 64 << 20;

/// What a file is to be like.
pub(crate) struct Template {
    /// The types of the rows as they are read.
    pub(crate) arrow: SchemaRef,
    /// The columns of the file, with the meaning that reading leaves out.
    pub(crate) columns: SchemaDescriptor,
    pub(crate) compression: Compression,
    /// What other programs have noted in the file, such as its Arrow types.
    pub(crate) notes: Option<Vec<KeyValue>>,
}

/// Rows on their way into a file.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: Option<File>,
    writer: Option<ArrowWriter<File>>,
    template: Option<Template>,
    waiting: Vec<RecordBatch>,
    n_waiting: usize,
    bytes_waiting: usize,
}

impl ParquetRows {
    pub(super) fn new(path: &Path, file: File, like: Option<&str>) -> Result<Self> {
        let template = like.map(crate::parquet::template).transpose()?;
        Ok(ParquetRows {
            path: path.to_owned(),
            file: Some(file),
            writer: None,
            template,
            waiting: Vec::new(),
            n_waiting: 0,
            bytes_waiting: 0,
        })
    }

    pub(super) fn write(&mut self, records: &RecordBatch) -> Result<()> {
        self.waiting.push(records.clone());
        self.n_waiting += records.num_rows();
        self.bytes_waiting += bytes_of(records, 0..records.num_rows());
        if self.n_waiting < CHUNK && self.bytes_waiting < CHUNK_BYTES {
            return Ok(());
        }
        let all = self.joined()?;
        let mut start = 0;
        while let Some(end) = chunk_end(&all, start) {
            self.encode(&all.slice(start, end - start))?;
            start = end;
        }
        self.n_waiting = all.num_rows() - start;
        self.bytes_waiting = bytes_of(&all, start..all.num_rows());
        self.waiting = vec![all.slice(start, self.n_waiting)];
        Ok(())
    }

    fn joined(&mut self) -> Result<RecordBatch> {
        let waiting = std::mem::take(&mut self.waiting);
        let schema = match waiting.first() {
            Some(first) => first.schema(),
            None => Arc::new(Schema::empty()),
        };
        concat_batches(&schema, &waiting).map_err(|e| self.arrow(&e))
    }

    fn encode(&mut self, records: &RecordBatch) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.begin(&records.schema())?,
        };
        let written = writer.write(records);
        written.map_err(|e| self.failed(&e))
    }

    fn begin(&mut self, schema: &SchemaRef) -> Result<&mut ArrowWriter<File>> {
        let mut properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(GROUP))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .set_created_by("frazil".to_owned());
        let mut options = ArrowWriterOptions::new();
        match self.template.take() {
            Some(Template { columns, compression, notes, .. }) => {
                properties = properties.set_compression(compression).set_key_value_metadata(notes);
                options = options.with_skip_arrow_metadata(true).with_parquet_schema(columns);
            }
            None => properties = properties.set_compression(Compression::SNAPPY),
        }
        let options = options.with_properties(properties.build());
        let again = || Error::new(ErrorKind::Io, "a Parquet file was begun twice");
        let file = self.file.take().ok_or_else(again)?;
        let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options)
            .map_err(|e| self.failed(&e))?;
        Ok(self.writer.insert(writer))
    }

    /// Ends the file; one without rows has the columns of its template, or of a batch without rows.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.n_waiting > 0 {
            let all = self.joined()?;
            self.encode(&all)?;
        } else if self.writer.is_none() {
            let schema = match (&self.template, self.waiting.first()) {
                (Some(template), _) => template.arrow.clone(),
                (None, Some(none)) => none.schema(),
                (None, None) => Arc::new(Schema::empty()),
            };
            self.begin(&schema)?;
        }
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(|e| self.failed(&e))?;
        let path = self.path.display();
        file.sync_all().map_err(|e| Error::io(format_args!("write `{path}`"), &e))
    }

    fn failed(&self, error: &ParquetError) -> Error {
        let path = self.path.display();
        if let ParquetError::External(source) = error
            && let Some(source) = source.downcast_ref::<std::io::Error>()
        {
            return Error::io(format_args!("write `{path}`"), source);
        }
        Error::new(ErrorKind::Io, format!("cannot write `{path}` as Parquet"))
            .with_detail(format!("{error}."))
    }

    fn arrow(&self, error: &ArrowError) -> Error {
        let message = format!("cannot write `{}` as Parquet", self.path.display());
        Error::new(ErrorKind::Unsupported, message)
            .with_detail(format!("{error}."))
            .with_hint("The rows of a Parquet file have the same columns; write TFRecord files.")
    }
}

/// Where the chunk that begins at a row ends, if all of its rows are there.
fn chunk_end(records: &RecordBatch, start: usize) -> Option<usize> {
    let most = records.num_rows().min(start + CHUNK);
    // The smallest number of rows that is enough: what they have grows with it.
    let (mut low, mut high) = (start, most);
    while low < high {
        let middle = low.midpoint(high);
        if bytes_of(records, start..middle + 1) < CHUNK_BYTES {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if low < most { Some(low + 1) } else { (most == start + CHUNK).then_some(most) }
}

/// About how many bytes rows have: a sum over rows, whatever batch they are in.
fn bytes_of(records: &RecordBatch, rows: Range<usize>) -> usize {
    records.columns().iter().map(|column| bytes_of_array(column, rows.clone())).sum()
}

fn bytes_of_array(array: &ArrayRef, rows: Range<usize>) -> usize {
    let n = rows.len();
    let bytes = |ends: &[i32]| (ends[rows.end] - ends[rows.start]) as usize;
    let large = |ends: &[i64]| (ends[rows.end] - ends[rows.start]) as usize;
    match array.data_type() {
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| bytes_of_array(column, rows.clone())).sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let ends = list.offsets();
            let values = ends[rows.start] as usize..ends[rows.end] as usize;
            n * size_of::<i32>() + bytes_of_array(list.values(), values)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let ends = list.offsets();
            let values = ends[rows.start] as usize..ends[rows.end] as usize;
            n * size_of::<i64>() + bytes_of_array(list.values(), values)
        }
        DataType::FixedSizeList(_, width) => {
            let width = *width as usize;
            let values = rows.start * width..rows.end * width;
            bytes_of_array(array.as_fixed_size_list().values(), values)
        }
        DataType::Utf8 => n * size_of::<i32>() + bytes(array.as_string::<i32>().offsets()),
        DataType::Binary => n * size_of::<i32>() + bytes(array.as_binary::<i32>().offsets()),
        DataType::LargeUtf8 => n * size_of::<i64>() + large(array.as_string::<i64>().offsets()),
        DataType::LargeBinary => n * size_of::<i64>() + large(array.as_binary::<i64>().offsets()),
        DataType::FixedSizeBinary(width) => n * *width as usize,
        other => n * other.primitive_width().unwrap_or(size_of::<u128>()),
    }
}
