//! Shards of synthetic rows as files: TFRecord, Parquet or CSV.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use engine::{Error, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as ParquetCompression;
use parquet::file::properties::WriterProperties;

use super::Synthetic;
use super::csv::{write_header, write_rows};
use crate::artifacts::AtomicFile;
use crate::{TfRecordWriter, write_examples};

/// Rows that are made at once.
const BATCH_ROWS: u64 = 8192;

/// What files can be written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileFormat {
    /// tf.Examples in TFRecord files; floats become 32-bit floats.
    #[default]
    TfRecord,
    /// Parquet: Snappy, dictionaries, row groups of [`ShardWriter::row_group_rows`].
    Parquet,
    /// Comma-separated values with a header line; the values of lists are separated by `|`.
    Csv,
}

impl FileFormat {
    /// How names of such files end.
    pub fn extension(self) -> &'static str {
        match self {
            FileFormat::TfRecord => "tfrecord",
            FileFormat::Parquet => "parquet",
            FileFormat::Csv => "csv",
        }
    }
}

/// How and where shards are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardWriter {
    /// The directory.
    pub directory: PathBuf,
    /// What names begin with.
    pub name: String,
    /// How many files there are.
    pub shards: usize,
    /// What they are.
    pub format: FileFormat,
    /// Compress TFRecord and CSV files; Parquet is compressed anyway.
    pub gzip: bool,
    /// Rows of a Parquet row group.
    pub row_group_rows: usize,
}

impl ShardWriter {
    /// The path of one shard, such as `data/taxi-00000-of-00008.tfrecord.gz`.
    pub fn path(&self, shard: usize) -> PathBuf {
        let ShardWriter { name, shards, format, .. } = self;
        let gz = if self.gzip { ".gz" } else { "" };
        let extension = format.extension();
        self.directory.join(format!("{name}-{shard:05}-of-{shards:05}.{extension}{gz}"))
    }

    /// Checks what can be checked before anything is written.
    ///
    /// # Errors
    /// When the name is not a file's, or the numbers make no sense.
    pub fn check(&self) -> Result<()> {
        if self.name.is_empty() || self.name.contains(['/', '\0']) {
            return Err(Error::invalid(format!("`{}` cannot begin the name of a file", self.name)));
        }
        if self.shards == 0 || self.row_group_rows == 0 {
            return Err(Error::invalid("there must be at least one shard, of one row in a group"));
        }
        if self.gzip && self.format == FileFormat::Parquet {
            return Err(Error::invalid("Parquet files are not compressed with gzip")
                .with_detail("Their pages are compressed with Snappy already.")
                .with_hint("Leave the option out."));
        }
        Ok(())
    }

    /// Writes one shard, whole or not at all, telling `progress` of rows as they are written;
    /// returns its size in bytes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(
        &self,
        data: &Synthetic,
        shard: usize,
        mut progress: impl FnMut(u64) -> Result<()>,
    ) -> Result<u64> {
        self.check()?;
        let path = self.path(shard);
        let mut file = BufWriter::with_capacity(1 << 18, AtomicFile::create(&path)?);
        let rows = data.shard(shard, self.shards);
        let batches = (rows.start..rows.end).step_by(BATCH_ROWS as usize).map(|start| {
            let end = rows.end.min(start + BATCH_ROWS);
            (end - start, data.batch(start..end))
        });
        match self.format {
            FileFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(ParquetCompression::SNAPPY)
                    .set_max_row_group_row_count(Some(self.row_group_rows))
                    .set_created_by("frazil".to_owned())
                    .build();
                let failed = |error| {
                    Error::input(format!("cannot write `{}` as Parquet", path.display()))
                        .with_detail(format!("{error}."))
                };
                let schema = data.schema().clone();
                let mut writer =
                    ArrowWriter::try_new(&mut file, schema, Some(properties)).map_err(failed)?;
                for (n, batch) in batches {
                    writer.write(&batch).map_err(failed)?;
                    progress(n)?;
                }
                writer.close().map_err(failed)?;
            }
            FileFormat::TfRecord | FileFormat::Csv if self.gzip => {
                let mut encoder = GzEncoder::new(&mut file, Compression::default());
                self.write_rows(data, batches, &mut encoder, &path, progress)?;
                encoder.finish().map_err(|error| cannot_write(&path, &error))?;
            }
            FileFormat::TfRecord | FileFormat::Csv => {
                self.write_rows(data, batches, &mut file, &path, progress)?;
            }
        }
        let file = file.into_inner().map_err(|error| cannot_write(&path, error.error()))?;
        file.commit()?;
        let written = std::fs::metadata(&path).map_err(|error| cannot_write(&path, &error))?;
        Ok(written.len())
    }

    fn write_rows(
        &self,
        data: &Synthetic,
        batches: impl Iterator<Item = (u64, arrow_array::RecordBatch)>,
        out: &mut impl Write,
        path: &Path,
        mut progress: impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let mut lines = Vec::new();
        if self.format == FileFormat::Csv {
            write_header(data.schema(), &mut lines);
        }
        for (n, batch) in batches {
            if self.format == FileFormat::Csv {
                write_rows(&batch, &mut lines)?;
                out.write_all(&lines).map_err(|error| cannot_write(path, &error))?;
                lines.clear();
            } else {
                write_examples(&batch, &mut TfRecordWriter::new(&mut *out))?;
            }
            progress(n)?;
        }
        // Only a header, if there are no rows.
        out.write_all(&lines).map_err(|error| cannot_write(path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("write `{}`", path.display()), error)
}
