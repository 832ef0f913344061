//! The rows of one shard into one file, in any format that can be written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_array::{Array, BinaryArray, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use engine::{Batch, Error, ErrorKind, Result, Shard};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::csv::CsvRows;
use super::parquet::ParquetRows;
use crate::{ExampleEncoder, TfRecordWriter};

/// What the rows are written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFormat {
    kind: Kind,
    /// It is the format that was read: rows are written as they came, as far as that is known.
    kept: bool,
    /// CSV: what separates cells.
    pub delimiter: u8,
    /// CSV: what separates the values of a list.
    pub secondary_delimiter: u8,
    /// CSV: files begin with a line of names.
    pub header: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TfRecord,
    Parquet,
    Csv,
}

/// The formats that can be written, by the names that they have where they are read.
const KINDS: [(&str, Kind); 3] =
    [("tfrecord", Kind::TfRecord), ("parquet", Kind::Parquet), ("csv", Kind::Csv)];

impl RowFormat {
    /// The named format, whatever was read.
    ///
    /// # Errors
    /// When nothing can be written in it.
    pub fn named(name: &str) -> Result<Self> {
        let found = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let kind = found.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("cannot write `{name}`"))
                .with_hint("Choose tfrecord, parquet or csv.")
        })?;
        let (delimiter, secondary_delimiter) = (b',', b'|');
        Ok(RowFormat { kind, kept: false, delimiter, secondary_delimiter, header: true })
    }

    /// The format that was read.
    ///
    /// # Errors
    /// When nothing can be written in it.
    pub fn kept(name: &str) -> Result<Self> {
        Ok(RowFormat { kept: true, ..Self::named(name)? })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name)
    }

    /// How names of new files end.
    pub fn extension(&self) -> &'static str {
        self.name()
    }

    /// Whether it is the format that was read.
    pub fn is_kept(&self) -> bool {
        self.kept
    }
}

/// Writes the rows of one shard; the file is whole only after [`RowsWriter::finish`].
pub struct RowsWriter {
    path: PathBuf,
    rows: Rows,
    /// Records are written as they came, where their bytes are known.
    kept: bool,
    n_rows: u64,
}

enum Rows {
    TfRecord(TfRecordWriter<Output>),
    Csv(CsvRows),
    Parquet(Box<ParquetRows>),
}

impl RowsWriter {
    /// Begins the file `path` for rows of `shard`. It is compressed if its name ends in `.gz`.
    ///
    /// # Errors
    /// When the file cannot be made, or what belongs at its beginning cannot be read.
    pub fn create(path: &Path, format: &RowFormat, shard: &Shard) -> Result<Self> {
        Self::new(path, format, format.kept.then_some(&shard.path))
    }

    /// Begins the file `path`, like the file `like` in what rows alone do not say.
    ///
    /// # Errors
    /// As [`RowsWriter::create`].
    pub(crate) fn new(path: &Path, format: &RowFormat, like: Option<&str>) -> Result<Self> {
        let file = File::create(path)
            .map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))?;
        let rows = match format.kind {
            Kind::TfRecord => Rows::TfRecord(TfRecordWriter::new(Output::new(path, file))),
            Kind::Csv => Rows::Csv(CsvRows::new(path, Output::new(path, file), format, like)?),
            Kind::Parquet => Rows::Parquet(Box::new(ParquetRows::new(path, file, like)?)),
        };
        Ok(RowsWriter { path: path.to_owned(), rows, kept: format.kept, n_rows: 0 })
    }

    /// Writes the rows of a batch, or those of them that `keep` says.
    ///
    /// # Errors
    /// When the disk is full, or the rows do not fit the format.
    pub fn write(&mut self, batch: &Batch, keep: Option<&[bool]>) -> Result<()> {
        let failed = |e: &io::Error| Error::io(format_args!("write `{}`", self.path.display()), e);
        let rows =
            keep.map_or(batch.records.num_rows(), |keep| keep.iter().filter(|keep| **keep).count());
        if rows == 0 {
            return Ok(());
        }
        self.n_rows += rows as u64;
        let Some(originals) = batch.originals.as_ref().filter(|_| self.kept) else {
            return self.encode(batch, keep);
        };
        match &mut self.rows {
            Rows::TfRecord(writer) => {
                chosen(originals, keep).try_for_each(|record| writer.write(record))
            }
            Rows::Csv(writer) => chosen(originals, keep).try_for_each(|line| writer.line(line)),
            Rows::Parquet(_) => return self.encode(batch, keep),
        }
        .map_err(|e| failed(&e))
    }

    /// Writes a row that is a tf.Example, as TFRecord.
    ///
    /// # Errors
    /// When the disk is full, or another format is written.
    pub(crate) fn write_record(&mut self, record: &[u8]) -> Result<()> {
        let Rows::TfRecord(writer) = &mut self.rows else {
            return Err(Error::new(ErrorKind::Unsupported, "records are written as TFRecord only"));
        };
        self.n_rows += 1;
        writer
            .write(record)
            .map_err(|e| Error::io(format_args!("write `{}`", self.path.display()), &e))
    }

    /// Writes rows as Parquet.
    ///
    /// # Errors
    /// When the disk is full, or another format is written.
    pub(crate) fn write_columns(&mut self, records: &RecordBatch) -> Result<()> {
        let Rows::Parquet(writer) = &mut self.rows else {
            return Err(Error::new(ErrorKind::Unsupported, "columns are written as Parquet only"));
        };
        self.n_rows += records.num_rows() as u64;
        writer.write(records)
    }

    fn encode(&mut self, batch: &Batch, keep: Option<&[bool]>) -> Result<()> {
        let failed = |e: &io::Error| Error::io(format_args!("write `{}`", self.path.display()), e);
        let filtered;
        let records = match keep {
            Some(keep) if keep.contains(&false) => {
                let keep = BooleanArray::from(keep.to_vec());
                filtered = filter_record_batch(&batch.records, &keep).map_err(|e| {
                    Error::input("rows cannot be chosen").with_detail(format!("{e}."))
                })?;
                &filtered
            }
            _ => &batch.records,
        };
        match &mut self.rows {
            Rows::Parquet(writer) => writer.write(records),
            Rows::Csv(writer) => writer.write(records),
            Rows::TfRecord(writer) => {
                let mut encoder = ExampleEncoder::new(records)?;
                (0..encoder.rows())
                    .try_for_each(|row| writer.write(encoder.encode(row)))
                    .map_err(|e| failed(&e))
            }
        }
    }

    /// Ends the file, so that it is on the disk; gives the number of its rows.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<u64> {
        let RowsWriter { path, rows, n_rows, .. } = self;
        match rows {
            Rows::TfRecord(writer) => writer.into_inner().finish(),
            Rows::Csv(writer) => writer.finish(),
            Rows::Parquet(writer) => return writer.finish().map(|()| n_rows),
        }
        .map(|()| n_rows)
        .map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))
    }
}

/// The records that are kept.
fn chosen<'a>(
    originals: &'a BinaryArray,
    keep: Option<&'a [bool]>,
) -> impl Iterator<Item = &'a [u8]> {
    (0..originals.len())
        .filter(move |&row| keep.is_none_or(|keep| keep[row]))
        .map(|row| originals.value(row))
}

/// Gives a file the name of a part of what it will be, with this number, and begins it anew.
pub(super) fn set_aside(path: &Path, number: usize) -> io::Result<(PathBuf, File)> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".part-{number}"));
    std::fs::rename(path, &part)?;
    Ok((part.into(), File::create(path)?))
}

/// Bytes into a file, compressed or not.
pub(super) enum Output {
    Plain(BufWriter<File>),
    Gzip(BufWriter<Box<GzEncoder<File>>>),
}

impl Output {
    /// Whether a file of this name is compressed.
    pub(super) fn is_gzip(path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
    }

    pub(super) fn new(path: &Path, file: File) -> Self {
        const BUFFER: usize = 256 << 10;
        if Self::is_gzip(path) {
            let encoder = GzEncoder::new(file, Compression::default());
            Output::Gzip(BufWriter::with_capacity(BUFFER, Box::new(encoder)))
        } else {
            Output::Plain(BufWriter::with_capacity(BUFFER, file))
        }
    }

    /// Everything is on the disk after this.
    pub(super) fn finish(self) -> io::Result<()> {
        let file = match self {
            Output::Plain(plain) => plain.into_inner().map_err(io::IntoInnerError::into_error)?,
            Output::Gzip(gzip) => {
                gzip.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?
            }
        };
        file.sync_all()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Plain(plain) => plain.write(bytes),
            Output::Gzip(gzip) => gzip.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Plain(plain) => plain.flush(),
            Output::Gzip(gzip) => gzip.flush(),
        }
    }
}
