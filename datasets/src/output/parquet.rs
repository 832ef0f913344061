//! Rows into a Parquet file, with the schema of the file they come from.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
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

use super::rows::set_aside;
use crate::columns::Columns;

/// Rows that are encoded together, however they come: where pages end must not depend on batches …
const CHUNK: usize = 8192;
/// … or fewer, as soon as they have so many bytes.
const CHUNK_BYTES: usize = 16 << 20;
/// Rows of a row group …
const GROUP: usize = 128 << 10;
/// … or fewer, of about so many bytes: all of them are in memory.
const GROUP_BYTES: usize = 64 << 20;

/// Rows of a part that are read again together.
const PART_ROWS: usize = 256;

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
///
/// A record may bring a column that none had before. Then the file so far is set aside as a part, and all
/// parts are written once more when all columns are known.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: Option<File>,
    writer: Option<ArrowWriter<File>>,
    template: Option<Template>,
    /// All that rows have had, where no template says it.
    columns: Option<Columns>,
    parts: Vec<PathBuf>,
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
            columns: template.is_none().then(Columns::default),
            template,
            parts: Vec::new(),
            waiting: Vec::new(),
            n_waiting: 0,
            bytes_waiting: 0,
        })
    }

    pub(super) fn write(&mut self, records: &RecordBatch) -> Result<()> {
        let records = self.known(records)?;
        self.n_waiting += records.num_rows();
        self.bytes_waiting += bytes_of(&records, 0..records.num_rows());
        self.waiting.push(records);
        let is_bare = self.columns.as_ref().is_some_and(Columns::is_empty);
        if is_bare || (self.n_waiting < CHUNK && self.bytes_waiting < CHUNK_BYTES) {
            return Ok(());
        }
        let rest = self.encode_chunks()?;
        self.n_waiting = rest.num_rows();
        self.bytes_waiting = bytes_of(&rest, 0..rest.num_rows());
        self.waiting = vec![rest];
        Ok(())
    }

    /// Encodes the chunks that are whole; gives the rows behind them.
    fn encode_chunks(&mut self) -> Result<RecordBatch> {
        let all = self.joined()?;
        let mut start = 0;
        while let Some(end) = chunk_end(&all, start) {
            self.encode(&all.slice(start, end - start))?;
            start = end;
        }
        Ok(all.slice(start, all.num_rows() - start))
    }

    /// Takes notice of the columns of rows.
    fn known(&mut self, records: &RecordBatch) -> Result<RecordBatch> {
        let Some(columns) = &mut self.columns else { return Ok(records.clone()) };
        let before = columns.clone();
        let records = columns.add(records)?;
        if before != Columns::default() && *columns != before {
            // Which came first depends on where batches end.
            columns.sort();
            if self.writer.is_some() {
                self.set_aside()?;
            }
        }
        Ok(records)
    }

    fn joined(&mut self) -> Result<RecordBatch> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let schema = match (&self.columns, waiting.first()) {
            (Some(columns), _) => {
                let mut columns = columns.clone();
                columns.retain_full();
                for records in &mut waiting {
                    *records = columns.align(records, 0)?;
                }
                columns.schema()
            }
            (None, Some(first)) => first.schema(),
            (None, None) => Arc::new(Schema::empty()),
        };
        if schema.fields().is_empty() && self.n_waiting > 0 {
            let message = "rows without any column cannot be written as Parquet";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("Write TFRecord files instead."));
        }
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
        let file = self.file.take().ok_or_else(begun_twice)?;
        let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options)
            .map_err(|e| self.failed(&e))?;
        Ok(self.writer.insert(writer))
    }

    /// Ends the file so far under another name, and begins it anew.
    fn set_aside(&mut self) -> Result<()> {
        self.close()?;
        let (part, file) = set_aside(&self.path, self.parts.len())
            .map_err(|e| Error::io(format_args!("write `{}` anew", self.path.display()), &e))?;
        self.file = Some(file);
        self.parts.push(part);
        Ok(())
    }

    /// Ends the file; one without rows has the columns of its template, or of a batch without rows.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.n_waiting > 0 {
            let rest = self.encode_chunks()?;
            if rest.num_rows() > 0 {
                self.encode(&rest)?;
            }
        } else if self.writer.is_none() {
            let schema = match &self.template {
                Some(template) => template.arrow.clone(),
                None => self.joined()?.schema(),
            };
            self.begin(&schema)?;
        }
        if self.parts.is_empty() {
            return self.close();
        }
        self.set_aside()?;
        let file = self.file.take().ok_or_else(begun_twice)?;
        let columns = self.columns.clone().unwrap_or_default();
        let mut whole = ParquetRows::new(&self.path, file, None)?;
        whole.write(&RecordBatch::new_empty(columns.schema()))?;
        for part in &self.parts {
            let read = File::open(part).map_err(ParquetError::from);
            let read = read.and_then(ParquetRecordBatchReaderBuilder::try_new);
            let read = read.and_then(|read| read.with_batch_size(PART_ROWS).build());
            for records in read.map_err(|e| self.failed(&e))? {
                whole.write(&records.map_err(|e| self.arrow(&e))?)?;
            }
            std::fs::remove_file(part).map_err(|e| self.failed(&e.into()))?;
        }
        whole.finish()
    }

    /// Ends the file that was begun, so that it is on the disk.
    fn close(&mut self) -> Result<()> {
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

fn begun_twice() -> Error {
    Error::new(ErrorKind::Io, "a Parquet file was begun twice")
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
