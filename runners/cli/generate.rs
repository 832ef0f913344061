//! `frazil generate`: synthetic shards, as many at once as there are threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use datasets::synthetic::{Columns, FileFormat, ShardWriter, Synthetic, SyntheticOptions};
use engine::{Error, ErrorKind, Result};
use indicatif::HumanBytes;

use crate::args::{ColumnsArg, FileFormatArg, GenerateArgs};
use crate::failure::Done;
use crate::progress::rows_per_second;
use crate::{interrupt, output, progress, receipt};

pub(crate) fn run(args: &GenerateArgs) -> Done {
    let start = Instant::now();
    let data = Synthetic::new(&SyntheticOptions {
        rows: args.rows.0,
        seed: args.seed,
        columns: match (args.wide, args.columns) {
            (Some(n), _) => Columns::Wide(n),
            (None, ColumnsArg::Taxi) => Columns::Taxi,
            (None, ColumnsArg::Full) => Columns::Full,
            (None, ColumnsArg::Texts) => Columns::Texts,
        },
        drift: args.drift,
    })?;
    let default = if matches!(args.columns, ColumnsArg::Texts) { "texts" } else { "taxi" };
    let writer = ShardWriter {
        directory: args.directory.clone(),
        name: args.name.clone().unwrap_or_else(|| default.to_owned()),
        shards: args.shards as usize,
        format: match args.format {
            FileFormatArg::TfRecord => FileFormat::TfRecord,
            FileFormatArg::Parquet => FileFormat::Parquet,
            FileFormatArg::Csv => FileFormat::Csv,
        },
        gzip: args.gzip,
        row_group_rows: args.row_group_rows.as_usize(),
    };
    writer.check()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.workers.map_or(cores, usize::from).min(writer.shards);
    interrupt::look_often(true);
    let written = write(&data, &writer, threads, args.quiet);
    interrupt::look_often(false);
    let bytes = written?;
    // What `frazil stats` takes for all of them together.
    let path = writer.path(0).display().to_string();
    let numbered = format!("-00000-of-{:05}", writer.shards);
    let pattern = match path.rsplit_once(&numbered) {
        Some((stem, suffix)) => format!("{stem}@{}{suffix}", writer.shards),
        None => path,
    };
    if !args.quiet {
        let rate = data.rows() as f64 / start.elapsed().as_secs_f64().max(1e-9);
        output::note(&format!(
            "wrote {} of {} in {} ({}); {}\n",
            receipt::plural(data.rows(), "row"),
            receipt::plural(data.schema().fields().len() as u64, "column"),
            receipt::plural(writer.shards as u64, "shard"),
            HumanBytes(bytes),
            rows_per_second(rate),
        ));
    }
    if args.is_part { Ok(()) } else { output::print(&format!("{pattern}\n")) }
}

/// Writes all shards; gives their size in bytes.
fn write(data: &Synthetic, writer: &ShardWriter, threads: usize, quiet: bool) -> Result<u64> {
    let bar = if quiet {
        indicatif::ProgressBar::hidden()
    } else {
        progress::bar("making rows", data.rows())
    };
    let next = AtomicUsize::new(0);
    let bytes = AtomicU64::new(0);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let has_failed = || failed.lock().is_ok_and(|error| error.is_some());
    let start = Instant::now();
    let work = || -> Result<()> {
        loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            if shard >= writer.shards {
                return Ok(());
            }
            let size = writer.write(data, shard, |rows| {
                bar.inc(rows);
                let rate = bar.position() as f64 / start.elapsed().as_secs_f64().max(1e-9);
                bar.set_message(rows_per_second(rate));
                if has_failed() {
                    return Err(Error::new(ErrorKind::Worker, "another shard has failed"));
                }
                interrupt::check()
            })?;
            bytes.fetch_add(size, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                if let Err(error) = work()
                    && let Ok(mut first) = failed.lock()
                {
                    first.get_or_insert(error);
                }
            });
        }
    });
    bar.finish_and_clear();
    match failed.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(bytes.into_inner()),
    }
}
