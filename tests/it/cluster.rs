//! A plan gives the same bytes on one thread, several threads and several processes, and the same
//! reason when it fails. The processes are threads here: each has sockets and workers of its own.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use arrow_array::{Array, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use engine::dataflow::{Cluster, Workers};
use engine::{
    Batch, Batches, CombineFn, Error, KeyTable, KeyedBlock, KeyedCombineFn, Outputs, Pipeline,
    Plan, Rejected, Result, RunOptions, Shard, Source,
};
use runners::Runner;

/// Shards of numbers whose sum depends on the order in which they are added.
struct Numbers {
    shards: Vec<Shard>,
    /// This shard cannot be read.
    bad: Option<usize>,
}

impl Numbers {
    fn new(n: usize, bad: Option<usize>) -> Arc<Self> {
        let shard =
            |n: usize| Shard { path: format!("/numbers/{n:03}"), part: None, bytes: rows(n) };
        Arc::new(Numbers { shards: (0..n).map(shard).collect(), bad })
    }
}

/// Rows of a shard: some are empty, some large.
fn rows(shard: usize) -> u64 {
    [0, 1, 700, 5000][shard % 4] + shard as u64
}

impl Source for Numbers {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        if self.bad == Some(shard) {
            return Err(Error::input(format!("shard `{}` is cut off", self.shards[shard].name())));
        }
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, true)]));
        let (rows, step) = (rows(shard), batch_rows as u64);
        Ok(Box::new((0..rows).step_by(batch_rows).map(move |first_row| {
            let numbers = first_row..rows.min(first_row + step);
            let column = Float64Array::from_iter_values(numbers.clone().map(|row| {
                let number = (row * 7919 + shard as u64 * 104_729) % 10_007;
                // Of very different sizes, so that every other order rounds otherwise.
                (number as f64 + 0.1) * 10_f64.powi((number % 30) as i32 - 15)
            }));
            let records = RecordBatch::try_new(schema.clone(), vec![Arc::new(column)]).unwrap();
            // Each shard's last record is bad.
            let rejected = Rejected {
                record: rows,
                byte: rows,
                reason: "it is the last".to_owned(),
                fatal: false,
            };
            let is_last = numbers.end == rows;
            let rejected = if is_last { vec![rejected] } else { Vec::new() };
            let bytes = numbers.end - numbers.start;
            Ok(Batch { shard, first_row, records, originals: None, rejected, bytes })
        })))
    }
}

fn numbers(batch: &Batch) -> &Float64Array {
    batch.records.column(0).as_any().downcast_ref().unwrap()
}

struct Sum;

impl CombineFn for Sum {
    type Input = Batch;
    type Accumulator = (u64, f64);
    type Output = (u64, f64);

    fn name(&self) -> &'static str {
        "sum"
    }
    fn create_accumulator(&self) -> (u64, f64) {
        (0, 0.0)
    }
    fn add_input(&self, acc: &mut (u64, f64), batch: &Batch) -> Result<()> {
        for &number in numbers(batch).values() {
            assert!(!number.is_nan(), "a number is none");
            acc.0 += 1;
            acc.1 += number;
        }
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut (u64, f64), other: (u64, f64)) -> Result<()> {
        acc.0 += other.0;
        acc.1 += other.1;
        Ok(())
    }
    fn extract_output(&self, acc: (u64, f64)) -> Result<(u64, f64)> {
        Ok(acc)
    }
}

/// Counts numbers by their text.
struct Texts {
    panics: bool,
}

impl KeyedCombineFn for Texts {
    type Input = Batch;
    type State = u64;

    fn name(&self) -> &'static str {
        "texts"
    }
    fn add_input(&self, table: &mut KeyTable<u64>, batch: &Batch) -> Result<()> {
        assert!(!self.panics || batch.shard != 3, "unlucky shard");
        let group = table.group(b"x");
        for number in numbers(batch).values() {
            group.add(number.to_string().as_bytes(), &1);
        }
        Ok(())
    }
}

/// Distinct keys and a checksum over keys and counts.
struct Checksum;

impl CombineFn for Checksum {
    type Input = KeyedBlock<u64>;
    type Accumulator = (u64, u64);
    type Output = (u64, u64);

    fn name(&self) -> &'static str {
        "checksum"
    }
    fn create_accumulator(&self) -> (u64, u64) {
        (0, 0)
    }
    fn add_input(&self, acc: &mut (u64, u64), block: &KeyedBlock<u64>) -> Result<()> {
        for (key, count) in block.iter() {
            let key = key.iter().fold(*count, |sum, byte| sum.wrapping_mul(31) ^ u64::from(*byte));
            self.merge_accumulators(acc, (1, key))?;
        }
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut (u64, u64), other: (u64, u64)) -> Result<()> {
        *acc = (acc.0 + other.0, acc.1.wrapping_add(other.1));
        Ok(())
    }
    fn extract_output(&self, acc: (u64, u64)) -> Result<(u64, u64)> {
        Ok(acc)
    }
}

fn plan(source: Arc<Numbers>, panics: bool) -> Plan {
    let (pipeline, batches) = Pipeline::read(source);
    batches.combine_globally(Sum);
    batches.combine_per_key(Texts { panics }).combine_globally(Checksum);
    pipeline.plan()
}

fn options(batch_rows: usize, memory_bytes: usize) -> RunOptions {
    RunOptions { batch_rows, memory_bytes, max_bad_records: 1000, ..RunOptions::default() }
}

/// Runs a plan in `processes` processes of `threads` workers: what each of them got.
pub(crate) fn run_all(
    processes: usize,
    threads: usize,
    options: &RunOptions,
    plan: impl Fn() -> Plan + Send + Sync + 'static,
) -> Vec<Result<Outputs>> {
    let listeners: Vec<_> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let hosts: Vec<_> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let plan = Arc::new(plan);
    let (send, receive) = mpsc::channel();
    for (process, listener) in listeners.into_iter().enumerate() {
        let cluster = Cluster::new(hosts.clone(), process, "the token").unwrap();
        let cluster = Some(cluster.with_listener(listener));
        let (plan, options, send) = (plan.clone(), options.clone(), send.clone());
        thread::spawn(move || {
            let plan = plan();
            let runner = Runner::Timely(Workers { threads, cluster });
            let result = runner.run(&plan, &options, plan.fingerprint("test"));
            send.send((process, result)).unwrap();
        });
    }
    let mut results: Vec<_> = (0..processes)
        .map(|_| receive.recv_timeout(Duration::from_mins(1)).expect("the run hangs"))
        .collect();
    results.sort_by_key(|(process, _)| *process);
    results.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn threads_and_processes_give_the_bytes_of_the_plain_loop() {
    let make = || plan(Numbers::new(11, None), false);
    let expected = Runner::Direct.run(&make(), &options(512, 64 << 20), 0).unwrap();
    assert_eq!(expected.states.len(), 2);
    let total = expected.receipt.total();
    assert_eq!(total.counted + total.rejected, total.read);
    // Little memory makes workers write their keys to files, small batches cut everything.
    for (processes, threads, batch_rows, memory_bytes) in [
        (1, 1, 512, 64 << 20),
        (1, 4, 100, 1 << 16),
        (2, 1, 512, 64 << 20),
        (2, 2, 64, 1 << 16),
        (3, 1, 4096, 64 << 20),
        (3, 2, 333, 1 << 16),
    ] {
        let what = format!("{processes} processes of {threads} workers");
        let options = options(batch_rows, memory_bytes);
        for outputs in run_all(processes, threads, &options, make) {
            let outputs = outputs.unwrap();
            assert_eq!(outputs.states, expected.states, "{what}");
            assert_eq!(outputs.receipt.shards, expected.receipt.shards, "{what}");
        }
    }
}

#[test]
fn a_bad_shard_is_named_by_every_process() {
    let message = "shard `/numbers/007` is cut off";
    let results = run_all(3, 2, &options(512, 64 << 20), || plan(Numbers::new(11, Some(7)), false));
    let mut here = 0;
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), engine::ErrorKind::Input, "{error}");
        assert!(error.hint().is_some(), "{error}");
        here += usize::from(error.message() == message);
        let told = error.message().strip_prefix("process ").and_then(|rest| rest.get(1..));
        assert!(
            error.message() == message || told == Some(&format!(" failed: {message}")),
            "{error}"
        );
    }
    assert_eq!(here, 1);
}

#[test]
fn a_panicking_kernel_is_named_by_every_process() {
    let results = run_all(3, 2, &options(512, 64 << 20), || plan(Numbers::new(11, None), true));
    let errors: Vec<_> = results.into_iter().map(Result::unwrap_err).collect();
    for error in &errors {
        assert_eq!(error.kind(), engine::ErrorKind::Worker, "{error}");
        assert_eq!(error, &errors[0]);
        assert!(error.message().contains("panicked: unlucky shard at "), "{error}");
    }
}

#[test]
fn processes_with_other_plans_or_inputs_do_not_run() {
    for differs_in_shards in [true, false] {
        let is_second = AtomicBool::new(false);
        let results = run_all(2, 1, &options(512, 64 << 20), move || {
            let is_second = is_second.swap(true, Ordering::SeqCst);
            let shards = if is_second && differs_in_shards { 3 } else { 2 };
            let (pipeline, batches) = Pipeline::read(Numbers::new(shards, None));
            if is_second || differs_in_shards {
                batches.combine_globally(Sum);
            }
            pipeline.plan()
        });
        for result in results {
            assert_eq!(result.unwrap_err().message(), "processes 0 and 1 do not run the same plan");
        }
    }
}
