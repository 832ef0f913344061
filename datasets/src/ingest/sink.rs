//! The sink of an ingest: rows to their splits, and splits to their places.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use engine::{Batch, Error, ErrorKind, Part, Result, Shard, ShardWriter, Sink};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::merge::{Job, Spilled, Target, on_threads, seeds};
use super::spill::{SpillSizes, SpillWriter};
use super::split::Splits;
use crate::ExampleEncoder;
use crate::example::canonical::Canonical;
use crate::originals::Originals;
use crate::output::{OutputDirectory, RowFormat};

/// Where rows are until all were read.
const SPILL: &str = ".spill";
/// Rows that are looked at together …
const PIECE_ROWS: usize = 8192;
/// … as long as they have no more bytes than these.
const PIECE_BYTES: usize = 64 << 20;

/// How splits are written.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Write Parquet instead of tf.Examples.
    pub parquet: bool,
    /// Compress TFRecord files.
    pub gzip: bool,
    /// Files of each split, at least 1.
    pub shards: u32,
    /// Rows are shuffled by this seed; `None`: they keep their order.
    pub seed: Option<u64>,
    /// The files that are read are Parquet, too: their columns keep their meaning.
    pub from_parquet: bool,
    /// Some of the files that are read hold records, whose columns have no order of their own.
    pub from_records: bool,
    /// Bytes that a process may hold.
    pub memory_bytes: usize,
    /// Threads of a process.
    pub threads: usize,
}

/// A file of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitShard {
    /// Number of the split in [`Splits::names`].
    pub split: usize,
    /// Its name in the output, such as `Split-train/data_tfrecord-00000-of-00001`.
    pub name: String,
    /// How many rows it holds.
    pub rows: u64,
}

/// Writes rows as splits: a [`Sink`] of batches.
pub struct IngestSink {
    splits: Arc<Splits>,
    shards: Vec<Shard>,
    seeds: Vec<u64>,
    directory: OutputDirectory,
    options: IngestOptions,
    sizes: SpillSizes,
}

impl IngestSink {
    /// Splits the rows of these shards into a directory.
    pub fn new(
        splits: Splits,
        directory: OutputDirectory,
        options: IngestOptions,
        shards: &[Shard],
    ) -> Self {
        let seeds = seeds(shards, options.seed.unwrap_or_default());
        let threads = options.threads.max(1);
        let run = (options.memory_bytes / (2 * threads)).clamp(64 << 10, 1 << 30);
        // While output shards are merged, a chunk of every run is in memory.
        let stored: u64 = shards.iter().map(|shard| shard.bytes).sum();
        let n_runs = shards.len() as u64 + stored.saturating_mul(4) / run as u64;
        let n_runs = usize::try_from(n_runs).unwrap_or(usize::MAX).max(1);
        let chunk = options.memory_bytes / 2 / threads / n_runs;
        let sizes = SpillSizes { run, chunk: chunk.clamp(4 << 10, 256 << 10) };
        let (splits, shards) = (Arc::new(splits), shards.to_vec());
        IngestSink { splits, shards, seeds, directory, options, sizes }
    }

    /// The splits.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Writes the files of all splits, in process 0 when all rows were read; `parts` are what every
    /// shard has left.
    ///
    /// # Errors
    /// When what was left cannot be read, or does not hold the rows it should.
    pub fn merge(&self, parts: &[Vec<Part>]) -> Result<Vec<SplitShard>> {
        let paths = parts.iter().enumerate().map(|(shard, parts)| {
            let place = parts.first().map_or("", |part| &part.place);
            Path::new(place).join(spill_name(shard))
        });
        let spilled = Spilled::read(paths)?;
        let names = self.splits.names();
        let n = self.options.shards;
        let jobs: Vec<Job> = (0..names.len())
            .flat_map(|split| match self.options.seed {
                Some(_) => spilled.shuffled(split, n),
                None => spilled.in_order(split, n),
            })
            .collect();
        let numbered: Vec<(usize, Job)> = jobs.into_iter().enumerate().collect();
        let shard_name = |i: usize| self.name(i / n as usize, i % n as usize);
        let format = RowFormat::named(if self.options.parquet { "parquet" } else { "tfrecord" })?;
        let rows = on_threads(&numbered, self.options.threads, |(i, job)| {
            let path = self.directory.file(&shard_name(*i))?;
            let of = |shard| self.splits.of_shard(shard).is_none_or(|split| split == job.split);
            let first = (0..self.shards.len()).find(|shard| of(*shard));
            let mut like = first.filter(|_| self.options.from_parquet && self.options.parquet);
            let columns = self
                .options
                .parquet
                .then(|| spilled.columns(&self.shards, of, self.options.from_records));
            let columns = columns.transpose()?;
            if let (Some(shard), Some(columns)) = (like, &columns) {
                let template = crate::parquet::template(&self.shards[shard].path)?;
                like = like.filter(|_| columns.fit(&template.arrow));
            }
            let like = like.map(|shard| &*self.shards[shard].path);
            spilled.write(job, Target::create(&path, &format, like, columns)?)
        })?;
        for (split, name) in names.iter().enumerate() {
            let merged: u64 = rows[split * n as usize..][..n as usize].iter().sum();
            let parts = parts.iter().flatten().filter(|part| part.output == *name);
            let read: u64 = parts.map(|part| part.rows).sum();
            if read != merged {
                let message = format!("the rows of split `{name}` do not add up");
                return Err(Error::new(ErrorKind::Reconciliation, message)
                    .with_detail(format!("{read} belong to it; written: {merged}."))
                    .with_hint("The result was not written. This is a bug: please report it."));
            }
        }
        let shards = rows.iter().enumerate().map(|(i, &rows)| SplitShard {
            split: i / n as usize,
            name: shard_name(i),
            rows,
        });
        Ok(shards.collect())
    }

    /// Puts the files of all splits in their place, together with a receipt.
    ///
    /// # Errors
    /// When the directory cannot be renamed.
    pub fn put(&self, parts: &[Vec<Part>], receipt: &str) -> Result<()> {
        let own = self.directory.temporary().join(SPILL);
        fs::remove_dir_all(&own)
            .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
            .map_err(|e| Error::io(format_args!("remove `{}`", own.display()), &e))?;
        let places = parts.iter().flatten().map(|part| Path::new(&*part.place));
        self.directory.commit_as(receipt, places)
    }

    /// The name of a file: as TFX names those of ExampleGen.
    fn name(&self, split: usize, shard: usize) -> String {
        let IngestOptions { parquet, gzip, shards, .. } = self.options;
        let (stem, ending) = match (parquet, gzip) {
            (true, _) => ("data_parquet", ".parquet"),
            (false, true) => ("data_tfrecord", ".gz"),
            (false, false) => ("data_tfrecord", ""),
        };
        format!("Split-{}/{stem}-{shard:05}-of-{shards:05}{ending}", self.splits.names()[split])
    }
}

fn spill_name(shard: usize) -> String {
    format!("{SPILL}/{shard:08}")
}

impl Sink for IngestSink {
    type Input = Batch;

    fn name(&self) -> &'static str {
        "ingest"
    }

    fn open(&self, shard: usize) -> Result<Box<dyn ShardWriter<Batch>>> {
        let path = self.directory.file(&spill_name(shard))?;
        let buckets = if self.options.seed.is_some() { self.options.shards } else { 0 };
        Ok(Box::new(Writer {
            splits: self.splits.clone(),
            given: self.splits.of_shard(shard),
            seed: self.options.seed.map(|_| self.seeds[shard]),
            parquet: self.options.parquet,
            spill: SpillWriter::create(path, self.sizes, buckets)?,
            counts: vec![0; self.splits.names().len()],
            place: self.directory.place(),
            canonical: Canonical::default(),
        }))
    }

    /// All at once, with the names and rows of the files as the receipt.
    fn commit(&self, shards: &[Vec<Part>]) -> Result<()> {
        let rows: u64 = self.merge(shards)?.iter().map(|shard| shard.rows).sum();
        self.put(shards, &format!("{{\n  \"rows\": {rows}\n}}\n"))
    }

    fn leave(&self) {
        self.directory.leave();
    }
}

/// Rows of one input shard.
struct Writer {
    splits: Arc<Splits>,
    given: Option<usize>,
    seed: Option<u64>,
    parquet: bool,
    spill: SpillWriter,
    counts: Vec<u64>,
    place: String,
    canonical: Canonical,
}

/// Where the bytes of rows come from.
enum Records<'a> {
    /// As they were read.
    Read(&'a BinaryArray),
    /// Serialised here: all columns, or the one that splits.
    Encoded(ExampleEncoder),
    /// Nobody needs them.
    None,
}

impl Writer {
    /// The bytes of the rows of a batch, as far as they are needed.
    fn records<'a>(&self, batch: &'a Batch) -> Result<Records<'a>> {
        if let Some(originals) = &batch.originals {
            return Ok(Records::Read(originals));
        }
        if !self.parquet {
            return Ok(Records::Encoded(ExampleEncoder::new(&batch.records)?));
        }
        if self.given.is_some() {
            return Ok(Records::None);
        }
        let hint = "Split by one column: pass `--partition-feature` or `--split-by-time`.";
        let Some(feature) = self.splits.feature() else {
            let encoder = ExampleEncoder::new(&batch.records);
            return encoder.map(Records::Encoded).map_err(|e| e.with_hint(hint));
        };
        let column = batch.records.schema().index_of(feature).ok();
        let columns: Vec<usize> = column.into_iter().collect();
        let column = batch.records.project(&columns).map_err(|e| super::spill::arrow(&e))?;
        Ok(Records::Encoded(ExampleEncoder::new(&column)?))
    }

    fn split(&mut self, record: &[u8], is_read: bool, row: u64) -> Result<usize> {
        if let Some(split) = self.given {
            return Ok(split);
        }
        let place = || format!("row {}", row + 1);
        let record = if is_read {
            self.canonical
                .of(record)
                .map_err(|flaw| Error::input(format!("{} cannot be split: {flaw}", place())))?
        } else {
            record
        };
        self.splits.of_row(record, place)
    }
}

impl ShardWriter<Batch> for Writer {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        let n = batch.records.num_rows();
        let mut records = self.records(batch)?;
        let is_read = matches!(records, Records::Read(_));
        let mut row = 0;
        while row < n {
            let first = row;
            let (mut splits, mut orders, mut bytes) = (Vec::new(), Vec::new(), 0);
            let mut encoded = Originals::default();
            while row < n && bytes < PIECE_BYTES && row - first < PIECE_ROWS {
                let number = batch.first_row + row as u64;
                let record = match &mut records {
                    Records::Read(originals) => originals.value(row),
                    Records::Encoded(encoder) => encoder.encode(row),
                    Records::None => &[],
                };
                bytes += record.len();
                let split = self.split(record, is_read, number)?;
                if !self.parquet && !is_read {
                    encoded.push(record);
                }
                self.counts[split] += 1;
                splits.push(split);
                orders.push(match self.seed {
                    Some(seed) => xxh3_64_with_seed(&number.to_le_bytes(), seed),
                    None => number,
                });
                row += 1;
            }
            let rows = if self.parquet {
                batch.records.slice(first, row - first)
            } else {
                let column: ArrayRef = match &records {
                    Records::Read(originals) => Arc::new(originals.slice(first, row - first)),
                    _ => Arc::new(encoded.finish()),
                };
                RecordBatch::try_from_iter([("record", column)])
                    .map_err(|e| super::spill::arrow(&e))?
            };
            self.spill.add(&rows, &splits, orders)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<Part>> {
        let Writer { splits, spill, counts, place, .. } = *self;
        spill.finish()?;
        let part = |(name, rows): (&String, u64)| Part {
            output: name.clone(),
            rows,
            place: place.clone(),
        };
        Ok(splits.names().iter().zip(counts).map(part).collect())
    }
}

/// The directories that other processes have left their rows in.
impl IngestSink {
    /// Those among what every shard has left, each once.
    pub fn places(parts: &[Vec<Part>]) -> std::collections::BTreeSet<PathBuf> {
        parts.iter().flatten().map(|part| PathBuf::from(&part.place)).collect()
    }
}
