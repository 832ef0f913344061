//! What every runner shares: options, progress, and the rules about bad records and bad shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::StateCache;
use crate::store::StateStore;
use crate::{
    Batch, Batches, Error, ErrorKind, Plan, Receipt, Rejected, Result, Shard, ShardReceipt,
};

/// How a plan is run. None of it can be seen in the result.
#[derive(Clone)]
pub struct RunOptions {
    /// Most rows of a batch.
    pub batch_rows: usize,
    /// Bytes that keyed states may hold in memory, over all workers of a process, before they are
    /// written to temporary files.
    pub memory_bytes: usize,
    /// The run goes on past so many rejected records.
    pub max_bad_records: u64,
    /// The run goes on past so many shards that are cut off, damaged or unreadable.
    pub max_bad_shards: u64,
    /// Where the state of every combiner over every shard is kept, if anywhere.
    pub states: Option<Arc<StateStore>>,
    /// Where states of shards that were read before are found, and others kept, if anywhere.
    pub cache: Option<Arc<StateCache>>,
    /// Counters that may be watched while the run goes on.
    pub progress: Arc<Progress>,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            batch_rows: 4096,
            memory_bytes: 256 << 20,
            max_bad_records: 0,
            max_bad_shards: 0,
            states: None,
            cache: None,
            progress: Arc::default(),
        }
    }
}

/// How far this process has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Stored bytes consumed.
    pub bytes: AtomicU64,
    /// Records read.
    pub records: AtomicU64,
    /// Shards finished.
    pub shards: AtomicU64,
}

/// Reads one shard batch by batch and keeps its half of the receipt.
pub struct ShardReader {
    shard: Shard,
    options: RunOptions,
    batches: Option<Batches>,
    /// What has been read so far; `counted` is left at 0.
    pub receipt: ShardReceipt,
}

impl ShardReader {
    /// Opens a shard.
    ///
    /// # Errors
    /// When it cannot be opened and no bad shard is allowed.
    pub fn open(plan: &Plan, index: usize, options: &RunOptions) -> Result<Self> {
        let mut reader = ShardReader {
            shard: plan.source.shards()[index].clone(),
            options: options.clone(),
            batches: None,
            receipt: ShardReceipt::default(),
        };
        match plan.source.clone().read(index, options.batch_rows) {
            Ok(batches) => reader.batches = Some(batches),
            Err(error) => reader.fail(error)?,
        }
        Ok(reader)
    }

    /// A shard that need not be read, for all of its states are known.
    #[cfg(feature = "dataflow")]
    pub(crate) fn cached(
        plan: &Plan,
        index: usize,
        options: &RunOptions,
        receipt: &ShardReceipt,
    ) -> Self {
        let Progress { bytes, records, shards } = &*options.progress;
        bytes.fetch_add(receipt.bytes, Ordering::Relaxed);
        records.fetch_add(receipt.read, Ordering::Relaxed);
        shards.fetch_add(1, Ordering::Relaxed);
        ShardReader {
            shard: plan.source.shards()[index].clone(),
            options: options.clone(),
            batches: None,
            receipt: ShardReceipt { counted: 0, ..receipt.clone() },
        }
    }

    /// The next batch, or `None` at the shard's end.
    ///
    /// # Errors
    /// When a record or the shard is bad and that is not allowed.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        let Some(batches) = &mut self.batches else { return Ok(None) };
        match batches.next() {
            None => {
                self.batches = None;
                self.options.progress.shards.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            Some(Err(error)) => {
                self.fail(error)?;
                Ok(None)
            }
            Some(Ok(batch)) => {
                let read = batch.records.num_rows() as u64 + batch.rejected.len() as u64;
                self.receipt.bytes += batch.bytes;
                self.receipt.read += read;
                self.receipt.reject(&batch.rejected);
                self.options.progress.bytes.fetch_add(batch.bytes, Ordering::Relaxed);
                self.options.progress.records.fetch_add(read, Ordering::Relaxed);
                check_rejected(&self.shard, &batch.rejected, &self.receipt, &self.options)?;
                Ok(Some(batch))
            }
        }
    }

    /// The shard as a whole is bad.
    fn fail(&mut self, error: Error) -> Result<()> {
        self.batches = None;
        if self.options.max_bad_shards == 0 {
            return Err(match error.hint() {
                Some(_) => error,
                None => error.with_hint("Pass `--max-bad-shards 1` to go on without this shard."),
            });
        }
        self.receipt.failed = Some(error.message().to_owned());
        Ok(())
    }
}

/// Ends the run at the first bad record or shard that is not allowed.
///
/// # Errors
/// Naming the shard, the record and its byte.
pub(crate) fn check_rejected(
    shard: &Shard,
    rejected: &[Rejected],
    so_far: &ShardReceipt,
    options: &RunOptions,
) -> Result<()> {
    for record in rejected {
        let detail = format!("{}.", capital(&record.to_string()));
        if record.fatal && options.max_bad_shards == 0 {
            return Err(Error::input(format!("shard `{}` is damaged", shard.name()))
                .with_detail(detail)
                .with_hint("Pass `--max-bad-shards 1` to go on without the rest of this shard."));
        }
        if !record.fatal && so_far.rejected > options.max_bad_records {
            return Err(Error::input(format!("shard `{}` holds a bad record", shard.name()))
                .with_detail(detail)
                .with_hint(format!(
                    "Pass `--max-bad-records N` to go on past bad records; {} so far, {} allowed.",
                    so_far.rejected, options.max_bad_records
                )));
        }
    }
    Ok(())
}

/// As the beginning of a sentence; what it is given begins with an ASCII letter.
fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(1.min(text.len()));
    first.to_uppercase() + rest
}

/// The last word on a finished run: totals within what is allowed, and every row accounted for.
///
/// # Errors
/// When more was rejected than allowed, or the rows do not add up.
pub fn check_receipt(receipt: &Receipt, options: &RunOptions) -> Result<()> {
    let fatal = receipt.shards.iter().flat_map(|(_, s)| &s.reasons).filter(|r| r.fatal).count();
    let rejected = receipt.total().rejected - fatal as u64;
    if rejected > options.max_bad_records {
        return Err(Error::input(format!("{rejected} records were rejected"))
            .with_detail(format!("{} are allowed.", options.max_bad_records))
            .with_hint("Raise `--max-bad-records`, or mend the shards."));
    }
    let failed = receipt.failed_shards() as u64;
    if failed > options.max_bad_shards {
        return Err(Error::new(ErrorKind::Input, format!("{failed} shards are damaged"))
            .with_detail(format!("{} are allowed.", options.max_bad_shards))
            .with_hint("Raise `--max-bad-shards`, or mend the shards."));
    }
    receipt.reconcile()
}
