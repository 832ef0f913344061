//! How fast one thread reads TFRecord files of tf.Examples into Arrow batches.
//!
//! `cargo run --release -p datasets --example decode -- FOLDER [BATCH_ROWS]`
//!
//! The rate counts time on the processor where the system tells it, so that a busy machine does
//! not distort it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datasets::{TfRecordOptions, TfRecordSource};
use engine::{Error, Result, Shard, Source};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or_else(|| Error::invalid("name a folder of TFRecord files"))?;
    let batch_rows = args.next().and_then(|rows| rows.parse().ok()).unwrap_or(1024);
    let shards = shards(Path::new(&folder))?;
    let source = Arc::new(TfRecordSource::open(shards, TfRecordOptions::default())?);

    let (wall, cpu) = (Instant::now(), cpu_time());
    let (mut rows, mut bytes, mut cells, mut rejected) = (0, 0, 0, 0);
    for shard in 0..source.shards().len() {
        for batch in source.clone().read(shard, batch_rows)? {
            let batch = batch?;
            rows += batch.records.num_rows();
            cells += batch.records.num_rows() * batch.records.num_columns();
            bytes += batch.bytes;
            rejected += batch.rejected.len();
        }
    }
    let (wall, cpu) =
        (wall.elapsed(), cpu_time().zip(cpu).map(|(now, then)| now.saturating_sub(then)));
    println!("{rows} rows, {cells} cells, {bytes} bytes, {rejected} rejected");
    for (what, time) in [("wall", Some(wall)), ("cpu", cpu)] {
        if let Some(seconds) = time.map(|time| time.as_secs_f64()) {
            let (rate, rows) = (bytes as f64 / seconds / 1e6, rows as f64 / seconds);
            println!("{what}: {seconds:.3} s, {rate:.0} MB/s, {rows:.0} rows/s");
        }
    }
    Ok(())
}

fn shards(folder: &Path) -> Result<Vec<Shard>> {
    let error = |e| Error::io(format!("list `{}`", folder.display()), &e);
    let mut shards = Vec::new();
    for file in std::fs::read_dir(folder).map_err(error)? {
        let file = file.map_err(error)?;
        let bytes = file.metadata().map_err(error)?.len();
        let path = file.path().to_string_lossy().into_owned();
        shards.push(Shard { path, part: None, bytes });
    }
    Ok(shards)
}

/// Time that this thread was on a processor, user and system.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
