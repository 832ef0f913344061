//! Reads one shard of a CSV source: blocks of text, cut into batches at the ends of records.
//!
//! ```text
//!   block:   |..............text..............|padding|
//!             rows of batch 1 | rows of batch 2 |carry|
//!                                                 └──► the beginning of the next block
//! ```
//!
//! Batches of text point into the block they were found in; a block lives as long as they do.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{BinaryArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use engine::{Batch, Error, Rejected, Result};
use flate2::read::MultiGzDecoder;

use super::border::{end_of_record, state_at};
use super::cells::{Column, GROUP};
use super::number::PADDING;
use super::scan::{Rows, Stop, Want};
use super::{CsvFile, CsvSource};
use crate::originals::Originals;

/// Wide rows: a block holds so many, so that the cost of a batch is spread over them.
const ROWS_IN_BLOCK: usize = 2048;

/// Batches of one shard.
pub(super) struct Reader {
    source: Arc<CsvSource>,
    shard: usize,
    batch_rows: usize,
    text: Text,
    /// Records that start at this offset or later belong to the next shard.
    end: u64,
    /// Text read and not yet scanned: `block[at..len]`.
    block: Buffer,
    len: usize,
    at: usize,
    /// Offset in the (decompressed) file of the first byte of `block`.
    block_offset: u64,
    /// Nothing follows `block`.
    last: bool,
    rows: Rows,
    n_rows: u64,
    n_records: u64,
    /// Stored bytes that earlier batches accounted for.
    bytes_told: u64,
    block_size: usize,
    done: bool,
}

/// Where the text comes from.
struct Text {
    reader: Box<dyn Read + Send>,
    /// Bytes of the file that were read: for a compressed file these are not those of the text.
    stored: Option<Arc<AtomicU64>>,
    /// Why reading stopped before the end.
    broken: Option<String>,
}

/// Counts the bytes that the decompressor took.
struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.read(buf)?;
        self.1.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Opens the text of `file` from its first byte.
pub(super) fn open_text(path: &str, gzip: bool) -> Result<Box<dyn Read + Send>> {
    let file = open(path)?;
    Ok(if gzip { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(file) })
}

fn open(path: &str) -> Result<File> {
    File::open(path).map_err(|e| Error::io(format_args!("open `{path}`"), &e))
}

impl Reader {
    pub(super) fn new(source: Arc<CsvSource>, shard: usize, batch_rows: usize) -> Result<Self> {
        let CsvFile { path, gzip, data_start } = &source.files[source.file_of_shard[shard]];
        let (path, gzip, data_start) = (path.clone(), *gzip, *data_start);
        let part = source.shards[shard].part.clone().unwrap_or(0..u64::MAX);
        let (rows, block_size) = (Rows::new(source.header.len()), source.sizes.block);
        let mut reader = Reader {
            source,
            shard,
            batch_rows: batch_rows.max(1),
            text: Text { reader: Box::new(std::io::empty()), stored: None, broken: None },
            end: part.end,
            block: Buffer::from_vec(Vec::<u8>::new()),
            len: 0,
            at: 0,
            block_offset: part.start.max(data_start),
            last: false,
            rows,
            n_rows: 0,
            n_records: 0,
            bytes_told: 0,
            block_size,
            done: false,
        };
        if gzip {
            let counter = Arc::new(AtomicU64::new(0));
            let counted = BufReader::new(Counted(open(&path)?, Arc::clone(&counter)));
            let mut text = MultiGzDecoder::new(counted);
            // The header was readable when the source was opened.
            let header = std::io::copy(&mut text.by_ref().take(data_start), &mut std::io::sink());
            header.map_err(|e| Error::io(format_args!("read `{path}`"), &e))?;
            reader.text.reader = Box::new(text);
            reader.text.stored = Some(counter);
        } else {
            let mut text = open(&path)?;
            if part.start > data_start {
                reader
                    .skip_to_record(&mut text, data_start, part.start)
                    .map_err(|e| Error::io(format_args!("read `{path}`"), &e))?;
            }
            // Behind the end of the part there is nothing to read.
            if reader.block_offset < reader.end {
                text.seek(SeekFrom::Start(reader.block_offset))
                    .map_err(|e| Error::io(format_args!("read `{path}`"), &e))?;
            }
            reader.text.reader = Box::new(text);
        }
        Ok(reader)
    }

    /// Sets `block_offset` to the first record that starts at `start` or later.
    fn skip_to_record(
        &mut self,
        file: &mut File,
        data_start: u64,
        start: u64,
    ) -> std::io::Result<()> {
        let delimiter = self.source.delimiter;
        // The newline before a record may be the last byte of the part before.
        let mut at = start - 1;
        let mut state = state_at(file, data_start, at, delimiter, self.source.sizes)?;
        let mut before = b'\n';
        if at > data_start {
            let mut byte = [0];
            file.seek(SeekFrom::Start(at - 1))?;
            file.read_exact(&mut byte)?;
            before = byte[0];
        }
        file.seek(SeekFrom::Start(at))?;
        let mut chunk = vec![0; 16 << 10];
        loop {
            let n = file.read(&mut chunk)?;
            let (end, next) = end_of_record(state, before, &chunk[..n], delimiter);
            if let Some(end) = end {
                self.block_offset = at + end as u64;
                return Ok(());
            }
            at += n as u64;
            state = next;
            if n == 0 || at > start + self.source.sizes.record as u64 && at > self.end {
                self.block_offset = u64::MAX;
                return Ok(());
            }
            before = chunk[n - 1];
        }
    }

    /// Reads the next block, behind what is left of this one.
    ///
    /// What was read before an error (a compressed file that is cut off) is still good.
    fn fill(&mut self) {
        let carry = &self.block[self.at..self.len];
        let wanted = self.block_size.max(2 * carry.len());
        let mut block = Vec::with_capacity(wanted + PADDING);
        block.extend_from_slice(carry);
        self.block_offset += self.at as u64;
        // Little is needed behind the end of the part: the rest of its last record.
        let to_end = self.end.saturating_sub(self.block_offset).saturating_add(4 << 10);
        let wanted = if to_end > carry.len() as u64 {
            wanted.min(usize::try_from(to_end).unwrap_or(usize::MAX))
        } else {
            wanted
        };
        let missing = (wanted - carry.len()) as u64;
        let read = self.text.reader.by_ref().take(missing).read_to_end(&mut block);
        self.last = ((block.len() - carry.len()) as u64) < missing;
        if let Err(error) = read {
            self.last = true;
            self.text.broken = Some(format!("cannot read on: {error}"));
        }
        self.len = block.len();
        self.at = 0;
        block.resize(block.len() + PADDING, 0);
        self.block = Buffer::from_vec(block);
    }

    /// The next batch, or `None` at the end of the shard.
    fn next_batch(&mut self) -> Result<Option<Batch>> {
        if self.done {
            return Ok(None);
        }
        loop {
            let limit = self.end.saturating_sub(self.block_offset);
            let want = Want {
                rows: self.batch_rows,
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
                last: self.last && self.text.broken.is_none(),
            };
            let from = self.at;
            let text = &self.block[..self.len];
            let (next, stop) = self.rows.scan(text, from, self.source.delimiter, &want);
            let n_found = self.rows.len() + self.rows.misfits.len();
            self.at = next;
            self.done = stop == Stop::Limit || stop == Stop::End && self.last;
            let mut fatal = None;
            if self.last && matches!(stop, Stop::Partial { .. } | Stop::End) {
                fatal = self.text.broken.take();
            }
            if let Stop::Partial { quoted } = stop
                && fatal.is_none()
            {
                if self.last {
                    fatal =
                        Some("a quoted cell is not closed before the end of the file".to_owned());
                } else if self.len - next > self.source.sizes.record {
                    let what = if quoted { "a quoted cell" } else { "a line" };
                    fatal = Some(format!(
                        "{what} goes on for more than {} bytes",
                        self.source.sizes.record
                    ));
                }
            }
            if n_found > 0 || fatal.is_some() || self.done {
                let mut batch = self.batch()?;
                if let Some(reason) = fatal {
                    self.reject_rest(&mut batch, next, reason);
                }
                if let Some(row_bytes) = (next - from).checked_div(n_found) {
                    self.block_size = (row_bytes * ROWS_IN_BLOCK.min(self.batch_rows))
                        .clamp(self.source.sizes.block, self.source.sizes.record);
                }
                if batch.records.num_rows() == 0 && batch.rejected.is_empty() && batch.bytes == 0 {
                    return Ok(None);
                }
                return Ok(Some(batch));
            }
            self.fill();
        }
    }

    fn reject_rest(&mut self, batch: &mut Batch, at: usize, reason: String) {
        let byte = self.block_offset + at as u64;
        batch.rejected.push(Rejected { record: self.n_records, byte, reason, fatal: true });
        self.done = true;
    }

    /// Stored bytes since the last batch.
    fn bytes(&mut self) -> u64 {
        let shard = &self.source.shards[self.shard];
        let told = if self.done {
            shard.bytes
        } else {
            let consumed = if let Some(counter) = &self.text.stored {
                counter.load(Ordering::Relaxed)
            } else {
                let start = shard.part.as_ref().map_or(0, |part| part.start);
                (self.block_offset + self.at as u64).saturating_sub(start)
            };
            consumed.min(shard.bytes)
        };
        let bytes = told.saturating_sub(self.bytes_told);
        self.bytes_told = told;
        bytes
    }

    /// Turns the rows that were found into a batch.
    fn batch(&mut self) -> Result<Batch> {
        let n = self.rows.len();
        let mut columns: Vec<Column> =
            self.source.columns.iter().map(|column| Column::new(column.kind, n)).collect();
        for start in (0..n).step_by(GROUP) {
            let group = start..(start + GROUP).min(n);
            for (column, output) in self.source.columns.iter().zip(&mut columns) {
                output.fill(&self.block, &self.rows, column.position, group.clone());
            }
        }
        let unparsed = unparsed(&columns);
        let arrays: Result<Vec<_>> =
            columns.into_iter().map(|column| column.finish(&self.block)).collect();
        let size = RecordBatchOptions::new().with_row_count(Some(n));
        let schema = Arc::clone(&self.source.schema);
        let mut records = RecordBatch::try_new_with_options(schema, arrays?, &size)
            .map_err(|e| Error::input(format!("cannot build a batch: {e}")))?;
        if !unparsed.is_empty() {
            let mut keep = vec![true; n];
            for &(row, _) in &unparsed {
                keep[row] = false;
            }
            records =
                arrow_select::filter::filter_record_batch(&records, &BooleanArray::from(keep))
                    .map_err(|e| Error::input(format!("cannot filter a batch: {e}")))?;
        }
        let originals = self.source.keep_originals.then(|| self.originals(&unparsed));
        let rejected = self.rejected(&unparsed);
        let first_row = self.n_rows;
        self.n_rows += records.num_rows() as u64;
        self.n_records += (n + self.rows.misfits.len()) as u64;
        let bytes = self.bytes();
        Ok(Batch { shard: self.shard, first_row, records, originals, rejected, bytes })
    }

    /// The lines of the rows that are left, without the line feed at their end.
    fn originals(&self, unparsed: &[(usize, usize)]) -> BinaryArray {
        let mut originals = Originals::default();
        let mut bad = unparsed.iter().map(|&(row, _)| row).peekable();
        let last = self.source.header.len() - 1;
        for (row, (_, end)) in self.rows.cells(last, 0..self.rows.len()).enumerate() {
            if bad.next_if_eq(&row).is_some() {
                continue;
            }
            // A carriage return belongs to the line's ending; behind the text there is padding.
            let end = end + usize::from(self.block[end] == b'\r');
            originals.push(&self.block[self.rows.start(row)..end]);
        }
        originals.finish()
    }

    /// Misfits and unparsed rows as rejections, in record order.
    fn rejected(&self, unparsed: &[(usize, usize)]) -> Vec<Rejected> {
        let mut all = Vec::with_capacity(unparsed.len() + self.rows.misfits.len());
        let first = self.n_records;
        let width = self.source.header.len();
        for (before, misfit) in self.rows.misfits.iter().enumerate() {
            all.push(Rejected {
                record: first + (misfit.row + before) as u64,
                byte: self.block_offset + u64::from(misfit.start),
                reason: format!("the record has {} cells, expected {width}", misfit.cells),
                fatal: false,
            });
        }
        for &(row, c) in unparsed {
            let before = self.rows.misfits.partition_point(|misfit| misfit.row <= row);
            let column = &self.source.columns[c];
            let (start, end) =
                self.rows.cells(column.position, row..row + 1).next().expect("the row exists");
            all.push(Rejected {
                record: first + (row + before) as u64,
                byte: self.block_offset + self.rows.start(row) as u64,
                reason: column.unparsed_reason(&self.block[start..end]),
                fatal: false,
            });
        }
        all.sort_by_key(|rejected| rejected.record);
        all
    }
}

/// The rows that have a cell that does not parse, in order, each with its first such column.
fn unparsed(columns: &[Column]) -> Vec<(usize, usize)> {
    let cells = columns.iter().enumerate();
    let mut all: Vec<(usize, usize)> =
        cells.flat_map(|(c, column)| column.unparsed.iter().map(move |&row| (row, c))).collect();
    all.sort_unstable();
    all.dedup_by_key(|(row, _)| *row);
    all
}

impl Iterator for Reader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch().transpose();
        if matches!(batch, Some(Err(_))) {
            self.done = true;
        }
        batch
    }
}
