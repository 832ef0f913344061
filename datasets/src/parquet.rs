//! Parquet files: groups of rows as shards, columns projected, everything that arrow-rs decodes.

mod schema;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use arrow_schema::Schema;
use engine::{Batch, Error, ErrorKind, Rejected, Result, Shard, Source};

use crate::ReadOptions;
use crate::did_you_mean;
use crate::fingerprint::Fingerprints;
use crate::inputs::InputFile;
use crate::output::Template;

/// Neighbouring row groups are one shard until they have so many stored bytes together.
const SHARD: u64 = 16 << 20;

/// Parquet files; their schemas may differ, since every batch carries its own.
#[derive(Clone)]
pub struct ParquetSource {
    files: Vec<ParquetFile>,
    shards: Vec<Shard>,
    /// Position in `files`, for each shard.
    file_of_shard: Vec<usize>,
    fingerprints: Fingerprints,
}

#[derive(Clone)]
struct ParquetFile {
    path: String,
    metadata: ArrowReaderMetadata,
    projection: ProjectionMask,
}

impl ParquetSource {
    /// Opens the files: reads their footers.
    ///
    /// # Errors
    /// When a file cannot be read or has no sound footer, or when a column that was named is in none.
    pub fn open(mut files: Vec<InputFile>, options: &ReadOptions) -> Result<Self> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut source = ParquetSource {
            files: Vec::new(),
            shards: Vec::new(),
            file_of_shard: Vec::new(),
            fingerprints: Fingerprints::default(),
        };
        for file in files {
            let metadata = footer(&file.path)?;
            source.files.push(ParquetFile {
                path: file.path,
                metadata,
                projection: ProjectionMask::all(),
            });
        }
        if let Some(columns) = &options.columns {
            source.project(columns)?;
        }
        for (position, file) in source.files.iter().enumerate() {
            for range in shard_ranges(file.metadata.metadata()) {
                let groups = range.start as usize..range.end as usize;
                source.shards.push(Shard {
                    path: file.path.clone(),
                    bytes: file.stored_bytes(groups),
                    part: Some(range),
                });
                source.file_of_shard.push(position);
            }
        }
        Ok(source)
    }

    /// Leaves only the columns that were named; a file may lack some of them, but not all files.
    fn project(&mut self, columns: &[String]) -> Result<()> {
        let names = |file: &ParquetFile| -> Vec<String> {
            file.metadata.schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        let mut all: Vec<String> = self.files.iter().flat_map(names).collect();
        all.sort_unstable();
        all.dedup();
        for name in columns {
            did_you_mean::known("column", name, all.iter().map(String::as_str))?;
        }
        for file in &mut self.files {
            let roots = names(file).into_iter().enumerate();
            let kept: Vec<usize> =
                roots.filter(|(_, name)| columns.contains(name)).map(|(i, _)| i).collect();
            file.projection = ProjectionMask::roots(file.metadata.parquet_schema(), kept);
        }
        Ok(())
    }

    /// Two files whose schemas differ, with the first difference, for a warning; reading goes on
    /// file by file.
    pub fn schema_conflict(&self) -> Option<String> {
        let mut files = self.files.iter();
        let first = files.next()?;
        let conflict = |file: &ParquetFile| -> Option<String> {
            let (a, b) = (first.metadata.schema(), file.metadata.schema());
            let differs = schema::difference(a, b)?;
            Some(format!("{differs} (`{}` and `{}`)", first.path, file.path))
        };
        files.find_map(conflict)
    }
}

impl ParquetFile {
    /// Stored bytes of the projected columns in these row groups.
    fn stored_bytes(&self, groups: std::ops::Range<usize>) -> u64 {
        let groups = &self.metadata.metadata().row_groups()[groups];
        let of_group = |group: &::parquet::file::metadata::RowGroupMetaData| -> u64 {
            let columns = group.columns().iter().enumerate();
            columns
                .filter(|(i, _)| self.projection.leaf_included(*i))
                .map(|(_, column)| u64::try_from(column.compressed_size()).unwrap_or(0))
                .sum()
        };
        groups.iter().map(of_group).sum()
    }
}

/// Row groups cut into shards by their stored bytes, whatever is projected.
fn shard_ranges(metadata: &ParquetMetaData) -> Vec<std::ops::Range<u64>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0u64);
    let groups = metadata.row_groups();
    for (i, group) in groups.iter().enumerate() {
        bytes = bytes.saturating_add(u64::try_from(group.compressed_size()).unwrap_or(0));
        if bytes >= SHARD || i + 1 == groups.len() {
            ranges.push(start..i as u64 + 1);
            start = i as u64 + 1;
            bytes = 0;
        }
    }
    ranges
}

/// Reads the footer of a file.
fn footer(path: &str) -> Result<ArrowReaderMetadata> {
    let file = File::open(path).map_err(|e| Error::io(format_args!("open `{path}`"), &e))?;
    let metadata = guarded(|| {
        // Only the encodings of the pages are of interest here, not the ranges of their values.
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_as_mask(true);
        let mut reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
        reader.try_parse(&file)?;
        schema::readable(reader.finish()?)
    });
    metadata.map_err(|reason| {
        Error::new(ErrorKind::Input, format!("`{path}` is not a sound Parquet file"))
            .with_detail(format!("Its footer cannot be read: {reason}."))
            .with_hint("The file may be cut off: write it again, or leave it out.")
    })
}

/// What another file has to be like to hold rows of this one.
pub(crate) fn template(path: &str) -> Result<Template> {
    let arrow = footer(path)?.schema().clone();
    let file = File::open(path).map_err(|e| Error::io(format_args!("open `{path}`"), &e))?;
    let metadata = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&file));
    let metadata = metadata.map_err(|reason| {
        Error::input(format!("`{path}` is not a sound Parquet file"))
            .with_detail(format!("Its footer cannot be read: {reason}."))
    })?;
    let first = metadata.row_groups().iter().find_map(|group| group.columns().first());
    let compression = first.map(ColumnChunkMetaData::compression);
    let file = metadata.file_metadata();
    Ok(Template {
        arrow,
        columns: file.schema_descr().clone(),
        compression: compression.unwrap_or(Compression::SNAPPY),
        notes: file.key_value_metadata().cloned(),
    })
}

/// Runs a decoder on bytes that nobody vouches for.
///
/// The decoders of arrow-rs check what they read, but not everywhere: a length that lies in a page
/// can still index out of bounds there. Such a panic is the file's fault and not ours, so it becomes
/// the reason why the shard cannot be read on.
fn guarded<T>(decode: impl FnOnce() -> std::result::Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(plain_reason(&error.to_string())),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("the decoder gave up: {}", text.unwrap_or("no reason given")))
        }
    }
}

/// The decoder's words without their label, on one line, without a full stop.
fn plain_reason(text: &str) -> String {
    let text = text.strip_prefix("Parquet error: ").unwrap_or(text);
    text.trim_end_matches('.').replace('\n', " ")
}

impl Source for ParquetSource {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<engine::Batches> {
        crate::formats::check_shard(shard, &self.shards)?;
        let file = self.files[self.file_of_shard[shard]].clone();
        let groups = self.shards[shard].part.clone().unwrap_or_default();
        Ok(Box::new(Reader {
            file,
            shard,
            batch_rows: batch_rows.max(1),
            groups: (groups.start as usize..groups.end as usize).collect(),
            group: None,
            first_row: 0,
        }))
    }

    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        crate::formats::check_shard(shard, &self.shards)?;
        self.fingerprints.of("parquet", &[], &self.shards[shard]).map(Some)
    }
}

/// Batches of one shard, row group by row group.
struct Reader {
    file: ParquetFile,
    shard: usize,
    batch_rows: usize,
    groups: VecDeque<usize>,
    group: Option<Group>,
    first_row: u64,
}

/// The row group that is being read.
struct Group {
    number: usize,
    reader: ParquetRecordBatchReader,
    rows: u64,
    rows_read: u64,
    bytes: u64,
    bytes_told: u64,
}

impl Reader {
    fn open_group(&self, number: usize) -> Result<Group, String> {
        let file = File::open(&self.file.path).map_err(|e| e.to_string())?;
        let metadata = self.file.metadata.clone();
        let reader = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_row_groups(vec![number])
                .with_projection(self.file.projection.clone())
                .with_batch_size(self.batch_rows)
                .build()
        })?;
        let rows = self.file.metadata.metadata().row_group(number).num_rows();
        let bytes = self.file.stored_bytes(number..number + 1);
        let rows = u64::try_from(rows).unwrap_or(0);
        Ok(Group { number, reader, rows, rows_read: 0, bytes, bytes_told: 0 })
    }

    /// The end of the shard, because `reason`.
    fn give_up(&mut self, number: usize, reason: &str) -> Batch {
        self.groups.clear();
        self.group = None;
        let group = self.file.metadata.metadata().row_group(number);
        let byte = u64::try_from(group.file_offset().unwrap_or(0)).unwrap_or(0);
        let reason = format!("row group {number} of `{}`: {reason}", self.file.path);
        let schema = Arc::new(Schema::empty());
        Batch {
            shard: self.shard,
            first_row: self.first_row,
            records: arrow_array::RecordBatch::new_empty(schema),
            originals: None,
            rejected: vec![Rejected { record: self.first_row, byte, reason, fatal: true }],
            bytes: 0,
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.group.is_none() {
                let number = self.groups.pop_front()?;
                match self.open_group(number) {
                    Ok(group) => self.group = Some(group),
                    Err(reason) => return Some(Ok(self.give_up(number, &reason))),
                }
            }
            let group = self.group.as_mut()?;
            let number = group.number;
            let next = guarded(|| group.reader.next().transpose().map_err(ParquetError::from));
            match next {
                Ok(Some(records)) => {
                    let rows = records.num_rows() as u64;
                    group.rows_read += rows;
                    let told = match group.rows {
                        0 => group.bytes,
                        rows => {
                            let part = u128::from(group.bytes) * u128::from(group.rows_read)
                                / u128::from(rows);
                            group.bytes.min(u64::try_from(part).unwrap_or(u64::MAX))
                        }
                    };
                    let bytes = told - group.bytes_told;
                    group.bytes_told = told;
                    let (shard, first_row) = (self.shard, self.first_row);
                    self.first_row += rows;
                    let (originals, rejected) = (None, Vec::new());
                    let batch = Batch { shard, first_row, records, originals, rejected, bytes };
                    return Some(Ok(batch));
                }
                Ok(None) if group.rows_read == group.rows => self.group = None,
                Ok(None) => {
                    let reason =
                        format!("it has {} rows, the footer says {}", group.rows_read, group.rows);
                    return Some(Ok(self.give_up(number, &reason)));
                }
                Err(reason) => return Some(Ok(self.give_up(number, &reason))),
            }
        }
    }
}
