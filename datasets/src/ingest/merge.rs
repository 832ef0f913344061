//! The output shards of all splits, from what was spilled of every input shard.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::interleave::interleave_record_batch;
use engine::{Error, ErrorKind, Result, Shard};

use super::spill::{Chunk, Index, arrow};
use crate::columns::Columns;
use crate::output::{RowFormat, RowsWriter};

/// Rows that become columns together.
const ROWS: usize = 1024;
/// Bytes that are read for them, at most, before they do.
const BYTES: u64 = 8 << 20;

/// Everything that was spilled, in the order of the input shards.
pub(super) struct Spilled {
    files: Vec<(PathBuf, Index)>,
    /// By split and bucket: the chunks of each run.
    buckets: BTreeMap<(u32, u32), Vec<Vec<(usize, Chunk)>>>,
}

/// One output shard: the merge of streams of chunks, of which the rows in `range` are written.
pub(super) struct Job {
    /// The split.
    pub(super) split: usize,
    streams: Vec<Vec<(usize, Chunk)>>,
    skip: u64,
    rows: u64,
}

impl Spilled {
    /// Reads what is in the files.
    pub(super) fn read(files: impl Iterator<Item = PathBuf>) -> Result<Self> {
        let mut buckets = BTreeMap::<_, Vec<Vec<(usize, Chunk)>>>::new();
        let mut all = Vec::new();
        for (number, path) in files.enumerate() {
            let index = Index::read(&path)?;
            for chunk in &index.chunks {
                let runs = buckets.entry((chunk.split, chunk.bucket)).or_default();
                let is_new = runs.last().and_then(|run| run.last()).is_none_or(
                    |(file, last): &(usize, Chunk)| (*file, last.run) != (number, chunk.run),
                );
                if is_new {
                    runs.push(Vec::new());
                }
                if let Some(run) = runs.last_mut() {
                    run.push((number, *chunk));
                }
            }
            all.push((path, index));
        }
        Ok(Spilled { files: all, buckets })
    }

    /// The columns of the rows of some of the input shards, sorted by name if asked to.
    pub(super) fn columns(
        &self,
        shards: &[Shard],
        of: impl Fn(usize) -> bool,
        sorted: bool,
    ) -> Result<Columns> {
        let mut columns = Columns::default();
        for (number, (_, index)) in self.files.iter().enumerate() {
            if of(number) {
                columns.join(&index.columns).map_err(|error| {
                    let found = error.detail().unwrap_or_default();
                    let detail = format!("{found} Seen in shard `{}`.", shards[number].name());
                    error.with_detail(detail)
                })?;
            }
        }
        columns.retain_full();
        if sorted {
            columns.sort();
        }
        Ok(columns)
    }

    /// The output shards of a split whose rows are shuffled: each is a bucket.
    pub(super) fn shuffled(&self, split: usize, n_shards: u32) -> Vec<Job> {
        let job = |bucket| {
            let streams = self.buckets.get(&(split as u32, bucket)).cloned().unwrap_or_default();
            let rows = streams.iter().flatten().map(|(_, chunk)| u64::from(chunk.rows)).sum();
            Job { split, streams, skip: 0, rows }
        };
        (0..n_shards).map(job).collect()
    }

    /// The output shards of a split whose rows keep their order: each is an equal share of them.
    pub(super) fn in_order(&self, split: usize, n_shards: u32) -> Vec<Job> {
        let chunks: Vec<(usize, Chunk)> =
            self.buckets.get(&(split as u32, 0)).into_iter().flatten().flatten().copied().collect();
        let total: u64 = chunks.iter().map(|(_, chunk)| u64::from(chunk.rows)).sum();
        let border = |k: u32| (u128::from(total) * u128::from(k) / u128::from(n_shards)) as u64;
        let job = |k: u32| {
            let (start, end) = (border(k), border(k + 1));
            let (mut first, mut skip, mut stream) = (0, 0, Vec::new());
            for (file, chunk) in &chunks {
                let last = first + u64::from(chunk.rows);
                if first < end && start < last {
                    if stream.is_empty() {
                        skip = start - first;
                    }
                    stream.push((*file, *chunk));
                }
                first = last;
            }
            Job { split, streams: vec![stream], skip, rows: end - start }
        };
        (0..n_shards).map(job).collect()
    }

    /// Writes one output shard; gives the number of its rows.
    pub(super) fn write(&self, job: &Job, mut out: Target) -> Result<u64> {
        if job.rows > 0 && out.columns.as_ref().is_some_and(Columns::is_empty) {
            let message = "rows without any column cannot be written as Parquet";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_detail("No row that was read has a feature.")
                .with_hint("Write TFRecord files: their records are kept as they are."));
        }
        let mut cursors = Vec::new();
        let mut next = BinaryHeap::new();
        for stream in &job.streams {
            let mut cursor = Cursor::new(self, stream);
            if cursor.load(&mut out)? {
                next.push(Reverse((cursor.order(), cursors.len())));
            }
            cursors.push(cursor);
        }
        let mut skip = job.skip;
        let mut left = job.rows;
        // Rows of one order come in the order of their runs, which is that of the input.
        while left > 0
            && let Some(Reverse((_, number))) = next.pop()
        {
            let cursor = &mut cursors[number];
            if skip > 0 {
                skip -= 1;
            } else {
                out.push(cursor)?;
                left -= 1;
            }
            cursor.at += 1;
            if cursor.at < cursor.records.num_rows() || cursor.load(&mut out)? {
                next.push(Reverse((cursor.order(), number)));
            }
        }
        out.finish()
    }
}

/// A place in a stream of chunks.
struct Cursor<'a> {
    spilled: &'a Spilled,
    chunks: std::slice::Iter<'a, (usize, Chunk)>,
    orders: UInt64Array,
    records: RecordBatch,
    /// Which of the held batches `records` is.
    held: usize,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(spilled: &'a Spilled, chunks: &'a [(usize, Chunk)]) -> Self {
        Cursor {
            spilled,
            chunks: chunks.iter(),
            orders: UInt64Array::from(Vec::<u64>::new()),
            records: RecordBatch::new_empty(arrow_schema::Schema::empty().into()),
            held: 0,
            at: 0,
        }
    }

    /// Reads the next chunk; false at the end.
    fn load(&mut self, out: &mut Target) -> Result<bool> {
        let Some((file, chunk)) = self.chunks.next() else { return Ok(false) };
        let (orders, records) = chunk.read(&self.spilled.files[*file].0)?;
        self.at = 0;
        self.orders = orders;
        self.records = out.hold(records, chunk.len)?;
        self.held = out.held.len().saturating_sub(1);
        Ok(true)
    }

    fn order(&self) -> u64 {
        self.orders.value(self.at)
    }
}

/// The file of an output shard.
pub(super) struct Target {
    rows: RowsWriter,
    /// Where rows are columns and not records.
    columns: Option<Columns>,
    /// Batches that rows were taken from.
    held: Vec<RecordBatch>,
    bytes: u64,
    taken: Vec<(usize, usize)>,
}

impl Target {
    /// Begins a file, of rows with these columns, or of records.
    pub(super) fn create(
        path: &std::path::Path,
        format: &RowFormat,
        like: Option<&str>,
        columns: Option<Columns>,
    ) -> Result<Self> {
        let rows = RowsWriter::new(path, format, like)?;
        Ok(Target { rows, columns, held: Vec::new(), bytes: 0, taken: Vec::new() })
    }

    /// Holds a batch whose rows are going to be taken.
    fn hold(&mut self, records: RecordBatch, bytes: u64) -> Result<RecordBatch> {
        let Some(columns) = &self.columns else { return Ok(records) };
        let records = columns.align(&records, 0)?;
        self.bytes += bytes;
        self.held.push(records.clone());
        Ok(records)
    }

    /// Takes the row that a cursor is at.
    fn push(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        if self.columns.is_none() {
            let record = cursor.records.column(0).as_binary::<i32>().value(cursor.at);
            return self.rows.write_record(record);
        }
        // After a flush nothing is held but what cursors hold themselves.
        if self.held.get(cursor.held).is_none_or(|held| !same(held, &cursor.records)) {
            cursor.held = self.held.len();
            self.held.push(cursor.records.clone());
        }
        self.taken.push((cursor.held, cursor.at));
        if self.taken.len() >= ROWS || self.bytes >= BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        let records = interleave_record_batch(&held, &self.taken).map_err(|e| arrow(&e))?;
        self.taken.clear();
        self.held.clear();
        self.bytes = 0;
        self.rows.write_columns(&records)
    }

    fn finish(mut self) -> Result<u64> {
        self.flush()?;
        if let Some(columns) = &self.columns {
            // A shard without rows has columns, too.
            self.rows.write_columns(&RecordBatch::new_empty(columns.schema()))?;
        }
        self.rows.finish()
    }
}

/// Whether these are one batch: clones share their columns.
fn same(a: &RecordBatch, b: &RecordBatch) -> bool {
    match (a.columns().first(), b.columns().first()) {
        (Some(a), Some(b)) => std::sync::Arc::ptr_eq(a, b),
        _ => a.num_rows() == b.num_rows(),
    }
}

/// Runs `work` over all jobs on so many threads; ends at the first error.
pub(super) fn on_threads<J: Sync>(
    jobs: &[J],
    threads: usize,
    work: impl Fn(&J) -> Result<u64> + Sync,
) -> Result<Vec<u64>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![0; jobs.len()]);
    let failed = Mutex::new(None);
    let lock = "no thread panics while it holds this";
    let run = || {
        while failed.lock().expect(lock).is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { break };
            match work(job) {
                Ok(rows) => results.lock().expect(lock)[number] = rows,
                Err(error) => drop(failed.lock().expect(lock).get_or_insert(error)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(run);
        }
        run();
    });
    match failed.into_inner().expect(lock) {
        Some(error) => Err(error),
        None => Ok(results.into_inner().expect(lock)),
    }
}

/// What tells the rows of a shard from those of others in a shuffle: where it is below the directory
/// that all inputs share, so that data may be moved.
pub(super) fn seeds(shards: &[Shard], seed: u64) -> Vec<u64> {
    use xxhash_rust::xxh3::xxh3_64_with_seed;
    let shared = crate::output::shared_directory(shards.iter().map(|shard| &*shard.path)).len();
    let of = |shard: &Shard| {
        let start = shard.part.as_ref().map_or(0, |part| part.start);
        let name = xxh3_64_with_seed(&shard.path.as_bytes()[shared..], seed);
        xxh3_64_with_seed(&start.to_le_bytes(), name)
    };
    shards.iter().map(of).collect()
}
