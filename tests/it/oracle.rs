//! Direct = Local with any number of workers, bit for bit, whatever the batches, the memory and the
//! order of inputs; and stored states merge to the same bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::synthetic::{Columns, FileFormat, ShardWriter, Synthetic, SyntheticOptions};
use engine::{Pipeline, RunOptions, StateStore, StoredStates};
use ops::stats::{SliceSpec, StatsOptions, generate_statistics};
use ops::tfmd;
use runners::Runner;

use crate::support::{Job, workers};

/// Shards of synthetic data with lists, text, NaN and missing cells.
pub(crate) fn shards(directory: &Path, format: FileFormat, rows: u64, n: usize) -> Vec<PathBuf> {
    let options = SyntheticOptions { rows, columns: Columns::Full, ..Default::default() };
    let data = Synthetic::new(&options).unwrap();
    let writer = ShardWriter {
        directory: directory.to_owned(),
        name: "taxi".into(),
        shards: n,
        format,
        gzip: false,
        row_group_rows: 700,
    };
    (0..n)
        .map(|shard| {
            writer.write(&data, shard, |_| Ok(())).unwrap();
            writer.path(shard)
        })
        .collect()
}

fn all_statistics() -> StatsOptions {
    StatsOptions {
        weight_feature: Some("trip_start_month".into()),
        slices: vec![SliceSpec { features: vec![("payment_type".into(), vec![])] }],
        enable_semantic_domain_stats: true,
        cross_features: Some(vec![("fare".into(), "tips".into())]),
        ..Default::default()
    }
}

#[test]
fn every_runner_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files = shards(dir.path(), FileFormat::TfRecord, 3_000, 5);
    let mut job = Job::new(&files);
    job.stats = all_statistics();
    job.runner = Runner::Direct;
    let expected = job.bytes();
    for n in 1..=4 {
        job.runner = workers(n);
        job.run.batch_rows = [4096, 1, 7, 1000][n - 1];
        assert!(job.bytes() == expected, "{n} workers, {} rows in a batch", job.run.batch_rows);
    }
    job.inputs.reverse();
    assert!(job.bytes() == expected, "inputs in another order");
    job.run.memory_bytes = 1;
    assert!(job.bytes() == expected, "everything is spilled");
    job.runner = workers(1);
    assert!(job.bytes() == expected, "everything is spilled by one worker");
}

#[test]
fn more_keys_than_the_window_between_workers_holds_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let files = shards(dir.path(), FileFormat::Parquet, 200_000, 2);
    let mut job = Job::new(&files);
    job.stats.feature_allowlist = Some(vec!["trip_id".into()]);
    job.runner = workers(1);
    let expected = job.bytes();
    job.runner = workers(3);
    assert!(job.bytes() == expected);
    let statistics = job.run().unwrap().0;
    let text = format!("{:?}", statistics.datasets[0].features);
    assert!(text.contains("unique: 200000"), "{text:.300}");
}

#[test]
fn the_receipt_accounts_for_every_row_of_every_shard() {
    let dir = tempfile::tempdir().unwrap();
    let files = shards(dir.path(), FileFormat::TfRecord, 1_003, 4);
    let (statistics, receipt) = Job::new(&files).run().unwrap();
    assert_eq!(statistics.datasets[0].num_examples, 1_003);
    assert_eq!(receipt.shards.len(), 4);
    for ((shard, receipt), path) in receipt.shards.iter().zip(&files) {
        assert_eq!(shard.path, path.display().to_string());
        assert_eq!(receipt.bytes, std::fs::metadata(path).unwrap().len());
        assert_eq!((receipt.read, receipt.rejected), (receipt.counted, 0));
    }
    assert_eq!(receipt.total().counted, 1_003);
}

#[test]
fn merged_states_are_the_bytes_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let files = shards(dir.path(), FileFormat::TfRecord, 2_000, 4);
    let mut job = Job::new(&files);
    job.stats = all_statistics();
    let expected = job.bytes();
    let mut stores = Vec::new();
    for (day, files) in files.chunks(2).enumerate() {
        let states = dir.path().join(format!("states-{day}"));
        let mut part = Job { inputs: Vec::new(), ..Job::new(files) };
        part.inputs = files.iter().map(|path| path.display().to_string()).collect();
        part.stats = job.stats.clone();
        part.run.memory_bytes = 1 + day * (64 << 20);
        let fingerprint = fingerprint_of(&part.stats);
        let store = StateStore::create(&states, fingerprint, "options").unwrap();
        part.run = RunOptions { states: Some(Arc::new(store)), ..part.run };
        part.run().unwrap();
        let (store, description) = StateStore::open(&states).unwrap();
        assert_eq!(description, "options");
        stores.push(store);
    }
    stores.reverse();
    let stored = StoredStates::open(&stores).unwrap();
    let (pipeline, batches) = Pipeline::read(stored.source());
    let handle = generate_statistics(&batches, Arc::new(job.stats.clone()));
    let plan = pipeline.plan();
    let mut outputs = stored.merge(&plan, plan.fingerprint("test")).unwrap();
    assert_eq!(outputs.receipt.total().counted, 2_000);
    assert!(tfmd::encode(&handle.output(&mut outputs).unwrap()) == expected);
}

fn fingerprint_of(options: &StatsOptions) -> u64 {
    let none = StoredStates::open(&[]).unwrap();
    let (pipeline, batches) = Pipeline::read(none.source());
    generate_statistics(&batches, Arc::new(options.clone()));
    pipeline.plan().fingerprint("test")
}
