//! Vocabularies: tokens counted by key, then sorted by rank, the same stream from every runner.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use engine::{
    Batch, Batches, CombineFn, ErrorKind, KeyTable, KeyedBlock, KeyedCombineFn, Outputs, Pipeline,
    Plan, Result, RunOptions, Shard, Sorted, Source, order,
};
use runners::Runner;

use crate::cluster::run_all;
use crate::support::workers;

/// Shards of tokens of very different frequencies, in several columns.
struct Tokens {
    shards: Vec<Shard>,
    rows: u64,
    columns: usize,
}

impl Tokens {
    fn new(shards: usize, rows: u64, columns: usize) -> Arc<Self> {
        let shard = |n: usize| Shard { path: format!("/tokens/{n:03}"), part: None, bytes: rows };
        Arc::new(Tokens { shards: (0..shards).map(shard).collect(), rows, columns })
    }

    /// The token of a cell: every other one is rare, some are empty, some prefixes of others.
    fn token(&self, shard: usize, row: u64, column: usize) -> String {
        let n = shard as u64 * self.rows + row;
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        match mixed % 4 {
            0 => format!("rare token {}", mixed % 3_001),
            1 => "ab".repeat((mixed >> 8) as usize % 5),
            2 => format!("{column}\0{}", (mixed >> 8) % 10),
            _ => format!("{:x}", (mixed >> 8) % (40 << column)),
        }
    }
}

impl Source for Tokens {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }
    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        let field = |column: usize| Field::new(format!("text_{column}"), DataType::Utf8, true);
        let schema = Arc::new(Schema::new((0..self.columns).map(field).collect::<Vec<_>>()));
        Ok(Box::new((0..self.rows).step_by(batch_rows).map(move |first_row| {
            let rows = first_row..self.rows.min(first_row + batch_rows as u64);
            let bytes = rows.end - rows.start;
            let column = |column: usize| {
                let cells = rows.clone().map(|row| self.token(shard, row, column));
                Arc::new(StringArray::from_iter_values(cells)) as Arc<dyn Array>
            };
            let columns = (0..self.columns).map(column).collect();
            let records = RecordBatch::try_new(schema.clone(), columns).unwrap();
            Ok(Batch { shard, first_row, records, originals: None, rejected: vec![], bytes })
        })))
    }
}

/// How often each token occurs, a group for each column.
struct Count;

impl KeyedCombineFn for Count {
    type Input = Batch;
    type State = u64;

    fn name(&self) -> &'static str {
        "count tokens"
    }
    fn add_input(&self, table: &mut KeyTable<u64>, batch: &Batch) -> Result<()> {
        for (field, column) in batch.records.schema().fields().iter().zip(batch.records.columns()) {
            let column: &StringArray = column.as_any().downcast_ref().unwrap();
            let group = table.group(field.name().as_bytes());
            for token in column.iter().flatten() {
                group.add(token.as_bytes(), &1);
            }
        }
        Ok(())
    }
}

/// Tokens that are frequent enough, by their rank: the most frequent first, then the last in bytes.
struct Rank {
    frequency_threshold: u64,
}

impl KeyedCombineFn for Rank {
    type Input = KeyedBlock<u64>;
    type State = ();

    fn name(&self) -> &'static str {
        "rank tokens"
    }
    fn add_input(&self, table: &mut KeyTable<()>, block: &KeyedBlock<u64>) -> Result<()> {
        let group = table.group(&block.group);
        let mut key = Vec::new();
        for (token, &count) in block.iter().filter(|(_, n)| **n >= self.frequency_threshold) {
            key.clear();
            order::push_descending_u64(&mut key, count);
            order::push_descending_bytes(&mut key, token);
            group.add(&key, &());
        }
        Ok(())
    }
}

/// How many tokens of all columns have the same count.
struct CountOfCounts;

impl KeyedCombineFn for CountOfCounts {
    type Input = KeyedBlock<u64>;
    type State = u64;

    fn name(&self) -> &'static str {
        "count counts"
    }
    fn add_input(&self, table: &mut KeyTable<u64>, block: &KeyedBlock<u64>) -> Result<()> {
        let group = table.group(b"");
        block.states.iter().for_each(|count| group.add(&count.to_be_bytes(), &1));
        Ok(())
    }
}

/// The sum of all states.
struct Total;

impl CombineFn for Total {
    type Input = KeyedBlock<u64>;
    type Accumulator = u64;
    type Output = u64;

    fn name(&self) -> &'static str {
        "total"
    }
    fn create_accumulator(&self) -> u64 {
        0
    }
    fn add_input(&self, acc: &mut u64, block: &KeyedBlock<u64>) -> Result<()> {
        *acc += block.states.iter().sum::<u64>();
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut u64, other: u64) -> Result<()> {
        *acc += other;
        Ok(())
    }
    fn extract_output(&self, acc: u64) -> Result<u64> {
        Ok(acc)
    }
}

/// Vocabularies, the plain counts in order of keys, and what is counted of counts.
struct Handles {
    ranked: Sorted<()>,
    counts: Sorted<u64>,
    counted: Sorted<u64>,
}

fn plan(source: &Arc<Tokens>, frequency_threshold: u64) -> (Plan, Handles) {
    let (pipeline, batches) = Pipeline::read(source.clone());
    let counts = batches.combine_per_key(Count);
    let ranked = counts.sort_per_key(Rank { frequency_threshold });
    counts.combine_globally(Total);
    let of_counts = counts.combine_per_key(CountOfCounts);
    of_counts.combine_globally(Total);
    let counted = of_counts.sort_per_key(Same);
    let handles = Handles { ranked, counts: batches.sort_per_key(Count), counted };
    (pipeline.plan(), handles)
}

/// Keys and states as they are.
struct Same;

impl KeyedCombineFn for Same {
    type Input = KeyedBlock<u64>;
    type State = u64;

    fn name(&self) -> &'static str {
        "same"
    }
    fn add_input(&self, table: &mut KeyTable<u64>, block: &KeyedBlock<u64>) -> Result<()> {
        let group = table.group(&block.group);
        block.iter().for_each(|(key, count)| group.add(key, count));
        Ok(())
    }
}

type Counts = Vec<(String, Vec<u8>, u64)>;

/// What is in the streams: ranked tokens, counts by token, counts of counts.
fn read(handles: &Handles, outputs: &mut Outputs) -> [Counts; 3] {
    let ranked = entries(&handles.ranked, outputs, |mut key, ()| {
        let count = order::read_descending_u64(&mut key).unwrap();
        let mut token = Vec::new();
        order::read_descending_bytes(&mut key, &mut token).unwrap();
        assert!(key.is_empty());
        (token, count)
    });
    let plain = |sorted, outputs: &mut Outputs| {
        entries(sorted, outputs, |key, count| (key.to_vec(), count))
    };
    [ranked, plain(&handles.counts, outputs), plain(&handles.counted, outputs)]
}

fn entries<S: engine::KeyState>(
    sorted: &Sorted<S>,
    outputs: &mut Outputs,
    read: impl Fn(&[u8], S) -> (Vec<u8>, u64),
) -> Counts {
    let mut keys = sorted.output(outputs).unwrap();
    let mut seen = Vec::new();
    while let Some(group) = keys.next_group().unwrap() {
        let group = String::from_utf8(group.to_vec()).unwrap();
        while let Some((key, state)) = keys.next_key().unwrap() {
            let (token, count) = read(key, state);
            seen.push((group.clone(), token, count));
        }
    }
    seen
}

/// The same, by maps and sorts of the standard library.
fn by_hand(source: &Tokens, frequency_threshold: u64) -> [Counts; 3] {
    let mut counts: BTreeMap<(String, Vec<u8>), u64> = BTreeMap::new();
    for shard in 0..source.shards.len() {
        for row in 0..source.rows {
            for column in 0..source.columns {
                let token = source.token(shard, row, column).into_bytes();
                *counts.entry((format!("text_{column}"), token)).or_default() += 1;
            }
        }
    }
    let mut counted: BTreeMap<u64, u64> = BTreeMap::new();
    counts.values().for_each(|&count| *counted.entry(count).or_default() += 1);
    let plain: Counts = counts.into_iter().map(|((g, t), n)| (g, t, n)).collect();
    let mut ranked = plain.clone();
    ranked.retain(|(_, _, count)| *count >= frequency_threshold);
    ranked.sort_by(|(ga, ta, na), (gb, tb, nb)| (ga, nb, tb).cmp(&(gb, na, ta)));
    let counted = counted.into_iter().map(|(n, m)| (String::new(), n.to_be_bytes().to_vec(), m));
    [ranked, plain, counted.collect()]
}

fn options(batch_rows: usize, memory_bytes: usize) -> RunOptions {
    RunOptions { batch_rows, memory_bytes, ..RunOptions::default() }
}

#[test]
fn every_runner_gives_the_same_vocabularies_to_every_process() {
    let source = Tokens::new(7, 1_500, 3);
    let expected = by_hand(&source, 2);
    assert!(expected.iter().all(|counts| counts.len() > 50));
    let (direct, handles) = plan(&source, 2);
    let mut direct = Runner::Direct.run(&direct, &options(512, 64 << 20), 0).unwrap();
    assert!(read(&handles, &mut direct) == expected);
    // Without memory everything is spilled, to more runs than are merged at once.
    for (processes, threads, batch_rows, memory_bytes) in [
        (1, 1, 512, 64 << 20),
        (1, 1, 10, 1),
        (1, 2, 1, 64 << 20),
        (1, 3, 100, 1 << 18),
        (1, 4, 64, 1),
        (2, 1, 512, 64 << 20),
        (2, 2, 64, 1),
        (3, 1, 333, 1 << 18),
    ] {
        let what = format!("{processes} × {threads} workers, {memory_bytes} bytes");
        let make = {
            let source = source.clone();
            move || plan(&source, 2).0
        };
        for outputs in run_all(processes, threads, &options(batch_rows, memory_bytes), make) {
            let mut outputs = outputs.unwrap();
            assert_eq!(outputs.states, direct.states, "{what}");
            assert_eq!(outputs.receipt.shards, direct.receipt.shards, "{what}");
            assert!(read(&handles, &mut outputs) == expected, "{what}");
        }
    }
}

#[test]
fn more_keys_than_the_window_between_workers_holds_arrive_sorted() {
    let source = Tokens::new(3, 60_000, 1);
    let make = {
        let source = source.clone();
        move || {
            let (pipeline, batches) = Pipeline::read(source.clone());
            batches.combine_per_key(Rows).sort_per_key(Same);
            pipeline.plan()
        }
    };
    /// Every row's place is a key of its own.
    struct Rows;
    impl KeyedCombineFn for Rows {
        type Input = Batch;
        type State = u64;
        fn name(&self) -> &'static str {
            "rows"
        }
        fn add_input(&self, table: &mut KeyTable<u64>, batch: &Batch) -> Result<()> {
            for row in 0..engine::Rows::rows(batch) {
                let place = format!("{:020}-{:04}", batch.first_row + row, batch.shard);
                table.group(b"").add(place.as_bytes(), &1);
            }
            Ok(())
        }
    }
    let (_, handles) = plan(&source, 1);
    for (processes, threads, memory_bytes) in [(1, 3, 64 << 20), (2, 1, 1 << 20)] {
        for outputs in run_all(processes, threads, &options(4096, memory_bytes), make.clone()) {
            let mut outputs = outputs.unwrap();
            let runs = outputs.sorted.remove(&1).unwrap();
            assert_eq!(runs.len(), processes * threads);
            let mut merged = engine::MergedRuns::<u64>::open(runs).unwrap();
            for row in 0..60_000 {
                for shard in 0..3 {
                    let (_, key, n) = merged.next_entry().unwrap().unwrap();
                    assert_eq!((key, n), (format!("{row:020}-{shard:04}").as_bytes(), 1));
                }
            }
            assert!(merged.next_entry().unwrap().is_none());
            assert!(handles.ranked.output(&mut outputs).is_err());
        }
    }
}

#[test]
fn only_aggregations_follow_keys() {
    struct Blocks;
    impl engine::DoFn for Blocks {
        type Input = KeyedBlock<u64>;
        type Output = Batch;
        fn name(&self) -> &'static str {
            "blocks"
        }
        fn process(&self, _: &KeyedBlock<u64>, _: &mut engine::Emit<Batch>) -> Result<()> {
            Ok(())
        }
    }
    let (pipeline, batches) = Pipeline::read(Tokens::new(1, 1, 1));
    batches.combine_per_key(Count).par_do(Blocks);
    let plan = pipeline.plan();
    for runner in [Runner::Direct, workers(2)] {
        let error = runner.run(&plan, &RunOptions::default(), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.message(), "`blocks` cannot follow `combine_per_key`");
    }
}
