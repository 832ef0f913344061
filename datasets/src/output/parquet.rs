//! Rows into a Parquet file, with the schema of the file they come from.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use engine::{Error, ErrorKind, Result};

/// Rows that are encoded together, however they come: where pages end must not depend on batches.
const CHUNK: usize = 8192;
/// Rows of a row group.
const GROUP: usize = 128 << 10;

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
        })
    }

    pub(super) fn write(&mut self, records: &RecordBatch) -> Result<()> {
        self.waiting.push(records.clone());
        self.n_waiting += records.num_rows();
        if self.n_waiting < CHUNK {
            return Ok(());
        }
        let all = self.joined()?;
        let mut start = 0;
        while all.num_rows() - start >= CHUNK {
            self.encode(&all.slice(start, CHUNK))?;
            start += CHUNK;
        }
        self.n_waiting = all.num_rows() - start;
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
