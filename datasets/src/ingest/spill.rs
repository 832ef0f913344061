//! The rows of one input shard on their way to splits: sorted runs in one temporary file.
//!
//! ```text
//!   file    chunk | chunk | … | index | length of the index
//!   run     the chunks of one split after the other, in each rows by ascending order: as many as
//!           memory is for
//!   chunk   an Arrow IPC stream of some rows of one bucket: its first column is their order
//! ```
//!
//! A bucket is a range of orders, what becomes one output shard. So an output shard is the merge of its
//! chunks over all runs, and nothing else of them is read for it.

use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::interleave::interleave_record_batch;
use engine::{Error, ErrorKind, Result};

use crate::columns::Columns;
use crate::example::wire::{put_varint, varint};

/// The column that holds the order of rows.
const ORDER: &str = "##ORDER##";
/// Most rows of a chunk.
const CHUNK_ROWS: usize = 4096;

/// How much a spill holds in memory and writes at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpillSizes {
    /// Bytes of a run.
    pub(super) run: usize,
    /// Bytes of a chunk.
    pub(super) chunk: usize,
}

/// Writes the file of one input shard.
pub(super) struct SpillWriter {
    path: PathBuf,
    out: BufWriter<File>,
    at: u64,
    sizes: SpillSizes,
    /// Output shards of a split among which rows are dealt out by their order; 0: there is one bucket.
    n_buckets: u32,
    batches: Vec<RecordBatch>,
    /// Average bytes of a row of each batch, where they are not known one by one.
    averages: Vec<usize>,
    rows: Vec<Place>,
    bytes: usize,
    index: Index,
}

/// Where a row is, and where it goes; ascending as rows are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    split: u32,
    order: u64,
    batch: u32,
    row: u32,
}

/// What is in a file.
#[derive(Default)]
pub(super) struct Index {
    pub(super) chunks: Vec<Chunk>,
    /// The columns of the rows.
    pub(super) columns: Columns,
    n_runs: u32,
}

/// Some rows of one bucket of one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk {
    pub(super) run: u32,
    pub(super) split: u32,
    pub(super) bucket: u32,
    pub(super) rows: u32,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl SpillWriter {
    pub(super) fn create(path: PathBuf, sizes: SpillSizes, n_buckets: u32) -> Result<Self> {
        let out = File::create(&path).map_err(|e| writing(&path, &e))?;
        Ok(SpillWriter {
            path,
            out: BufWriter::with_capacity(1 << 18, out),
            at: 0,
            sizes,
            n_buckets,
            batches: Vec::new(),
            averages: Vec::new(),
            rows: Vec::new(),
            bytes: 0,
            index: Index::default(),
        })
    }

    /// Adds rows, each with its split and its order.
    pub(super) fn add(
        &mut self,
        records: &RecordBatch,
        splits: &[usize],
        orders: Vec<u64>,
    ) -> Result<()> {
        let records = self.index.columns.add(records)?;
        let batch = self.batches.len() as u32;
        let places = splits.iter().zip(&orders).enumerate();
        self.rows.extend(places.map(|(row, (&split, &order))| Place {
            split: split as u32,
            order,
            batch,
            row: row as u32,
        }));
        let bytes: usize = records
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum();
        self.averages.push(bytes / splits.len().max(1) + size_of::<u64>());
        self.bytes += bytes + splits.len() * (size_of::<Place>() + size_of::<u64>());
        let mut fields = vec![Arc::new(Field::new(ORDER, DataType::UInt64, false))];
        fields.extend(records.schema().fields().iter().cloned());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(orders))];
        columns.extend(records.columns().iter().cloned());
        let records = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        self.batches.push(records.map_err(|e| arrow(&e))?);
        if self.bytes >= self.sizes.run { self.flush() } else { Ok(()) }
    }

    /// Writes the rows in memory as a run.
    fn flush(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable();
        let batches: Vec<RecordBatch> = self
            .batches
            .drain(..)
            .map(|batch| self.index.columns.align(&batch, 1))
            .collect::<Result<_>>()?;
        let all: Vec<&RecordBatch> = batches.iter().collect();
        let bucket = |place: &Place| bucket_of(place.order, self.n_buckets);
        let mut start = 0;
        while start < rows.len() {
            let (split, of) = (rows[start].split, bucket(&rows[start]));
            let mut bytes = 0;
            let mut end = start;
            while let Some(place) = rows.get(end) {
                let other = place.split != split || bucket(place) != of;
                if other || bytes >= self.sizes.chunk || end - start == CHUNK_ROWS {
                    break;
                }
                bytes += self.bytes_of(&batches, place);
                end += 1;
            }
            let places = rows[start..end].iter();
            let places: Vec<(usize, usize)> =
                places.map(|place| (place.batch as usize, place.row as usize)).collect();
            let records = interleave_record_batch(&all, &places).map_err(|e| arrow(&e))?;
            let stream = to_stream(&records)?;
            self.out.write_all(&stream).map_err(|e| writing(&self.path, &e))?;
            self.index.chunks.push(Chunk {
                run: self.index.n_runs,
                split,
                bucket: of,
                rows: places.len() as u32,
                start: self.at,
                len: stream.len() as u64,
            });
            self.at += stream.len() as u64;
            start = end;
        }
        self.index.n_runs += 1;
        rows.clear();
        self.rows = rows;
        self.averages.clear();
        self.bytes = 0;
        Ok(())
    }

    /// About how long a row is.
    fn bytes_of(&self, batches: &[RecordBatch], place: &Place) -> usize {
        match batches[place.batch as usize].columns() {
            [_, column] if column.data_type() == &DataType::Binary => {
                column.as_binary::<i32>().value_length(place.row as usize) as usize
            }
            _ => self.averages[place.batch as usize],
        }
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<()> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        let index = self.index.encode()?;
        self.out
            .write_all(&index)
            .and_then(|()| self.out.write_all(&(index.len() as u64).to_le_bytes()))
            .and_then(|()| self.out.flush())
            .map_err(|e| writing(&self.path, &e))
    }
}

/// The bucket that an order falls into.
fn bucket_of(order: u64, n_buckets: u32) -> u32 {
    ((u128::from(order) * u128::from(n_buckets)) >> 64) as u32
}

impl Index {
    fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        put_varint(self.chunks.len() as u64, &mut out);
        for chunk in &self.chunks {
            let Chunk { run, split, bucket, rows, start, len } = *chunk;
            for number in [run.into(), split.into(), bucket.into(), rows.into(), start, len] {
                put_varint(number, &mut out);
            }
        }
        out.extend(to_stream(&RecordBatch::new_empty(self.columns.schema()))?);
        Ok(out)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let n = varint(&mut bytes).ok()?;
        let mut chunks = Vec::new();
        for _ in 0..n {
            let mut next = || varint(&mut bytes).ok();
            let mut small = || u32::try_from(next()?).ok();
            let (run, split, bucket, rows) = (small()?, small()?, small()?, small()?);
            chunks.push(Chunk { run, split, bucket, rows, start: next()?, len: next()? });
        }
        let schema = StreamReader::try_new(bytes, None).ok()?.schema();
        Some(Index { chunks, columns: Columns::of(&schema), n_runs: 0 })
    }

    /// Reads the index of a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let failed = |e: &std::io::Error| reading(path, e);
        let mut file = File::open(path).map_err(|e| failed(&e))?;
        let end = file.seek(SeekFrom::End(-8)).map_err(|e| failed(&e))?;
        let mut len = [0; 8];
        file.read_exact(&mut len).map_err(|e| failed(&e))?;
        let len = u64::from_le_bytes(len);
        let start = end.checked_sub(len).ok_or_else(|| damaged(path))?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(|e| failed(&e))?;
        file.take(len).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
        Index::decode(&bytes).ok_or_else(|| damaged(path))
    }
}

impl Chunk {
    /// Reads its rows, and their orders.
    pub(super) fn read(&self, path: &Path) -> Result<(UInt64Array, RecordBatch)> {
        let mut bytes = Vec::new();
        // Opened anew each time: there may be more files than a process may have open.
        File::open(path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(self.start))?;
                file.take(self.len).read_to_end(&mut bytes)
            })
            .map_err(|e| reading(path, &e))?;
        let records = StreamReader::try_new(Cursor::new(bytes), None)
            .ok()
            .and_then(|mut stream| stream.next()?.ok())
            .filter(|records| records.num_rows() == self.rows as usize)
            .ok_or_else(|| damaged(path))?;
        let orders = records
            .column(0)
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| damaged(path))?
            .clone();
        let others: Vec<usize> = (1..records.num_columns()).collect();
        Ok((orders, records.project(&others).map_err(|e| arrow(&e))?))
    }
}

fn to_stream(records: &RecordBatch) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let written = StreamWriter::try_new(&mut out, &records.schema())
        .and_then(|mut writer| writer.write(records).and_then(|()| writer.finish()));
    written.map_err(|e| arrow(&e))?;
    Ok(out)
}

pub(super) fn arrow(error: &ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, "rows cannot be shuffled").with_detail(format!("{error}."))
}

fn writing(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("write `{}`", path.display()), error)
        .with_hint("All rows are there twice while they are shuffled: make room.")
}

fn reading(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("read back `{}`", path.display()), error)
        .with_hint("All processes must write to a directory that process 0 can see.")
}

fn damaged(path: &Path) -> Error {
    Error::new(ErrorKind::Io, format!("`{}` was changed while it was used", path.display()))
}

#[cfg(test)]
mod tests {
    use arrow_array::BinaryArray;

    use super::*;

    fn rows(values: &[&[u8]]) -> RecordBatch {
        let column: ArrayRef = Arc::new(BinaryArray::from(values.to_vec()));
        RecordBatch::try_from_iter([("record", column)]).unwrap()
    }

    #[test]
    fn runs_are_sorted_and_cut_into_chunks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spill");
        let sizes = SpillSizes { run: 150, chunk: 2 };
        let mut writer = SpillWriter::create(path.clone(), sizes, 2).unwrap();
        let high = 1 << 63;
        let orders = vec![9, high, 3, 1, 2];
        writer.add(&rows(&[b"a", b"b", b"c", b"d", b"e"]), &[0, 0, 1, 0, 0], orders).unwrap();
        writer.add(&rows(&[b"f"]), &[1], vec![0]).unwrap();
        writer.finish().unwrap();
        let index = Index::read(&path).unwrap();
        let found: Vec<_> = index
            .chunks
            .iter()
            .map(|chunk| {
                let (_, records) = chunk.read(&path).unwrap();
                let values: Vec<u8> =
                    records.column(0).as_binary::<i32>().iter().map(|v| v.unwrap()[0]).collect();
                (chunk.run, chunk.split, chunk.bucket, String::from_utf8(values).unwrap())
            })
            .collect();
        let expected =
            [(0, 0, 0, "de"), (0, 0, 0, "a"), (0, 0, 1, "b"), (0, 1, 0, "c"), (1, 1, 0, "f")];
        let expected =
            expected.map(|(run, split, bucket, text)| (run, split, bucket, text.to_owned()));
        assert_eq!(found, expected);
        std::fs::write(&path, [255; 20]).unwrap();
        assert!(Index::read(&path).is_err() && index.chunks[0].read(&path).is_err());
        std::fs::write(&path, [1; 3]).unwrap();
        assert!(Index::read(&path).is_err());
    }

    #[test]
    fn buckets_are_ranges_of_orders() {
        assert_eq!([0, u64::MAX].map(|order| bucket_of(order, 1)), [0, 0]);
        assert_eq!([0, u64::MAX].map(|order| bucket_of(order, 3)), [0, 2]);
        assert_eq!([(1 << 63) - 1, 1 << 63].map(|order| bucket_of(order, 2)), [0, 1]);
        assert_eq!(bucket_of(u64::MAX, 0), 0);
    }
}
