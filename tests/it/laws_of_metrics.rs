//! The laws of combiners, for every row of the table of metrics: where batches and shards are cut, who
//! computes them and in which order, and whether states went through their bytes, cannot be seen.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use engine::{Batch, Batches, Pipeline, Result, RunOptions, Shard, Source};
use ops::evaluate::{
    EvaluateOptions, Evaluation, Intervals, METRICS, Method, MetricSpec, Replicates, Task,
    default_metrics,
};
use ops::stats::SliceSpec;
use runners::Runner;
use runners::evaluate::{evaluate, pretty, read_predictions};

use crate::support::workers;

/// Rows in memory, in shards that have names.
struct Memory {
    shards: Vec<Shard>,
    records: Vec<RecordBatch>,
}

impl Memory {
    /// Ranges of rows as shards, called by their first rows.
    fn new(records: &RecordBatch, ranges: &[Range<usize>]) -> Arc<Self> {
        let shard = |range: &Range<usize>| Shard {
            path: format!("rows-{}", range.start),
            part: None,
            bytes: range.len() as u64,
        };
        let cut = |range: &Range<usize>| records.slice(range.start, range.len());
        Arc::new(Memory {
            shards: ranges.iter().map(shard).collect(),
            records: ranges.iter().map(cut).collect(),
        })
    }
}

impl Source for Memory {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        let records = self.records[shard].clone();
        let starts = (0..records.num_rows()).step_by(batch_rows);
        Ok(Box::new(starts.map(move |start| {
            let n = batch_rows.min(records.num_rows() - start);
            Ok(Batch {
                shard,
                first_row: start as u64,
                records: records.slice(start, n),
                originals: None,
                rejected: Vec::new(),
                bytes: n as u64,
            })
        })))
    }
}

const ROWS: usize = 240;

/// A number from 0 to 1 that depends on a row and what it is for.
fn dice(row: usize, what: u64) -> f64 {
    let mut x = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xd1b5);
    for _ in 0..3 {
        x = (x ^ x >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// Rows with ties, labels that are missing, weights that no float sums exactly, and scales apart.
fn records(task: Task) -> RecordBatch {
    let rows = || 0..ROWS;
    let missing = |i: usize| dice(i, 9) < 0.05;
    let weights: Float64Array = rows().map(|i| Some(0.1 + dice(i, 1) * 3.0)).collect();
    let slices: StringArray = rows().map(|i| Some(["a", "b", "c"][i % 3])).collect();
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("w", Arc::new(weights)), ("s", Arc::new(slices))];
    let class = |x: f64| ["ant", "bee", "cat", "dog"][(x * 3.99) as usize];
    let (y, p): (ArrayRef, ArrayRef) = match task {
        Task::Binary => {
            let y = |i: usize| (!missing(i)).then(|| f64::from(u8::from(dice(i, 2) < 0.4)));
            let p = |i: usize| {
                Some((dice(i, 2) * 0.5 + dice(i, 3) * 0.5).mul_add(-20.0, 20.0).round() / 20.0)
            };
            (
                Arc::new(rows().map(y).collect::<Float64Array>()),
                Arc::new(rows().map(p).collect::<Float64Array>()),
            )
        }
        Task::Multiclass => {
            let y = |i: usize| (!missing(i)).then(|| class(dice(i, 2)));
            let p = |i: usize| Some(class(if dice(i, 3) < 0.5 { dice(i, 2) } else { dice(i, 4) }));
            (
                Arc::new(rows().map(y).collect::<StringArray>()),
                Arc::new(rows().map(p).collect::<StringArray>()),
            )
        }
        Task::Regression => {
            let y = |i: usize| {
                (!missing(i)).then(|| dice(i, 2) * if i.is_multiple_of(50) { 1e12 } else { 1e-3 })
            };
            let p = |i: usize| Some(dice(i, 2) + dice(i, 3) * 1e-9);
            (
                Arc::new(rows().map(y).collect::<Float64Array>()),
                Arc::new(rows().map(p).collect::<Float64Array>()),
            )
        }
    };
    columns.extend([("y", y), ("p", p)]);
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

fn options(task: Task, metrics: Vec<MetricSpec>, method: Method) -> EvaluateOptions {
    EvaluateOptions {
        task,
        label: "y".into(),
        predictions: vec!["p".into()],
        weight: Some("w".into()),
        positive_label: None,
        classes: Vec::new(),
        slices: vec![SliceSpec { features: vec![("s".into(), Vec::new())] }],
        min_slice_size: 1,
        metrics,
        intervals: Intervals { replicates: Replicates::new(method, 7).unwrap(), confidence: 0.9 },
    }
}

fn run(
    source: Arc<Memory>,
    options: &EvaluateOptions,
    runner: &Runner,
    run: &RunOptions,
) -> Evaluation {
    let (pipeline, batches) = Pipeline::read(source);
    let options = Arc::new(options.clone());
    let handle = evaluate(&read_predictions(&batches, &options), options);
    let plan = pipeline.plan();
    let mut outputs = runner.run(&plan, run, plan.fingerprint("test")).unwrap();
    handle.output(&mut outputs).unwrap().remove(0)
}

fn bytes(evaluation: &Evaluation) -> String {
    String::from_utf8(pretty(evaluation)).unwrap()
}

const TASKS: [Task; 3] = [Task::Binary, Task::Multiclass, Task::Regression];
const SHARDS: [Range<usize>; 4] = [0..1, 1..100, 100..187, 187..ROWS];

#[test]
fn where_rows_are_cut_and_who_computes_cannot_be_seen() {
    for task in TASKS {
        let records = records(task);
        for method in [Method::None, Method::Jackknife, Method::PoissonBootstrap] {
            let options = options(task, default_metrics(task), method);
            let plain = RunOptions::default();
            let expected =
                bytes(&run(Memory::new(&records, &SHARDS), &options, &Runner::Direct, &plain));
            let mut backwards = SHARDS;
            backwards.reverse();
            let rows = RunOptions { batch_rows: 1, ..RunOptions::default() };
            let spilled = RunOptions { batch_rows: 13, memory_bytes: 1, ..RunOptions::default() };
            for (what, shards, runner, run_options) in [
                ("batches of one row", SHARDS, Runner::Direct, &rows),
                ("shards backwards", backwards.clone(), Runner::Direct, &plain),
                ("two workers, all on disk", SHARDS, workers(2), &spilled),
                ("three workers, shards backwards", backwards, workers(3), &rows),
            ] {
                let found = run(Memory::new(&records, &shards), &options, &runner, run_options);
                assert!(bytes(&found) == expected, "{task:?} {method:?}: {what}");
            }
            if method == Method::None {
                // Merged states of four shards are the state of one: nothing depends on places.
                let all = std::slice::from_ref(&(0..ROWS));
                let whole = run(Memory::new(&records, all), &options, &Runner::Direct, &plain);
                assert!(bytes(&whole) == expected, "{task:?}: one shard");
            }
        }
    }
}

#[test]
fn every_metric_alone_is_as_among_others() {
    let mut seen = BTreeSet::new();
    for task in TASKS {
        let source = Memory::new(&records(task), &SHARDS);
        let plain = RunOptions::default();
        let all = options(task, default_metrics(task), Method::Jackknife);
        let together = run(source.clone(), &all, &Runner::Direct, &plain);
        for spec in default_metrics(task) {
            let (key, name) = (spec.key.clone(), spec.metric.name);
            let one = options(task, vec![spec], Method::Jackknife);
            let alone = run(source.clone(), &one, &Runner::Direct, &plain);
            for (a, b) in alone.slices.iter().zip(&together.slices) {
                let numbers =
                    [a, b].map(|slice| slice.number(&key).map(|found| format!("{found:?}")));
                assert_eq!(numbers[0], numbers[1], "{name} of {:?}", a.slice);
                let tables = [a, b].map(|slice| format!("{:?}", slice.tables.get(&key)));
                assert_eq!(tables[0], tables[1], "{name} of {:?}", a.slice);
            }
            let overall = &alone.slices[0];
            let number = overall.number(&key).map(|found| found.value);
            // Classes without probabilities have no cross-entropy; everything else is defined here.
            let is_found = number.is_some_and(f64::is_finite) || overall.tables.contains_key(&key);
            assert!(is_found != (name == "CategoricalCrossEntropy"), "{name}: {number:?}");
            seen.insert(name);
        }
    }
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(seen, names, "a metric that no task here calls for");
}

#[test]
fn rows_without_labels_are_counted_and_written_numbers_come_back() {
    for task in TASKS {
        let options = options(task, default_metrics(task), Method::Jackknife);
        let found = run(
            Memory::new(&records(task), &SHARDS),
            &options,
            &Runner::Direct,
            &RunOptions::default(),
        );
        assert!(found.n_unlabelled > 0);
        let labelled: u64 = found.slices[1..].iter().map(|slice| slice.n_examples).sum();
        assert_eq!(labelled, found.slices[0].n_examples);
        assert_eq!(labelled + found.n_unlabelled, ROWS as u64);
        let back: Evaluation = serde_json::from_slice(&pretty(&found)).unwrap();
        assert_eq!(bytes(&back), bytes(&found));
    }
}
