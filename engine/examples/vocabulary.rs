//! Ranks the tokens of made-up text and writes them as one file: what time and memory that takes.
//!
//! ```sh
//! cargo run --release -p engine --example vocabulary -- DISTINCT MEMORY_MIB WORKERS GROUPS COLUMNS FILE CACHE
//! ```
//!
//! Every one of DISTINCT tokens of ten bytes occurs once in each of GROUPS vocabularies' share of
//! COLUMNS columns, and half as many more cells hold frequent tokens. With CACHE, a directory, states
//! are cached there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use engine::dataflow::Workers;
use engine::{
    Batch, Batches, Error, KeyTable, KeyedBlock, KeyedCombineFn, Pipeline, Result, RunOptions,
    Shard, Source, StateCache, order,
};

const SHARDS: u64 = 64;

struct Tokens {
    shards: Vec<Shard>,
    rows: u64,
    distinct: u64,
    schema: Arc<Schema>,
}

impl Tokens {
    /// Ten digits of base 36; different for different numbers below 36^10.
    fn token(number: u64, text: &mut [u8; 10]) {
        const ALL: u128 = 36_u128.pow(10);
        let mut mixed = (u128::from(number) * 1_000_000_007_000_003 % ALL) as u64;
        for digit in text {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(mixed % 36) as usize];
            mixed /= 36;
        }
    }

    fn columns(&self) -> usize {
        self.schema.fields().len()
    }

    fn column(&self, rows: std::ops::Range<u64>, column: usize) -> StringArray {
        let mut text = [0; 10];
        StringArray::from_iter_values(rows.map(|row| {
            // Two new tokens, then one that is the more frequent the smaller its number is.
            let number = if row % 3 < 2 {
                row / 3 * 2 + row % 3
            } else {
                let chance = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                (self.distinct as f64).powf(chance as f64 / 2_f64.powi(32)) as u64
            };
            Self::token(number * 1000 + column as u64, &mut text);
            std::str::from_utf8(&text).expect("digits are ASCII").to_owned()
        }))
    }
}

impl Source for Tokens {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }
    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        let start = shard as u64 * self.rows / SHARDS;
        let end = (shard as u64 + 1) * self.rows / SHARDS;
        Ok(Box::new((start..end).step_by(batch_rows).map(move |first| {
            let rows = first..end.min(first + batch_rows as u64);
            let columns = (0..self.columns())
                .map(|column| Arc::new(self.column(rows.clone(), column)) as Arc<dyn Array>)
                .collect();
            let records = RecordBatch::try_new(self.schema.clone(), columns)
                .map_err(|error| Error::input(error.to_string()))?;
            let (first_row, bytes) = (first - start, rows.end - rows.start);
            Ok(Batch { shard, first_row, records, originals: None, rejected: vec![], bytes })
        })))
    }
    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        // The tokens follow from these numbers.
        Ok(Some(u128::from(self.distinct) << 64 | (shard as u128) << 32 | self.columns() as u128))
    }
}

fn name(group: usize) -> Vec<u8> {
    format!("vocabulary_{group:03}").into_bytes()
}

/// Counts the tokens of every column for as many groups as share it.
struct Count {
    groups: usize,
}

impl KeyedCombineFn for Count {
    type Input = Batch;
    type State = u64;

    fn name(&self) -> &'static str {
        "count"
    }
    fn identities(&self) -> Vec<(Vec<u8>, String)> {
        (0..self.groups).map(|group| (name(group), group.to_string())).collect()
    }
    fn add_input(&self, table: &mut KeyTable<u64>, batch: &Batch) -> Result<()> {
        let columns = batch.records.columns();
        for group in 0..self.groups {
            let column = columns[group % columns.len()].as_any().downcast_ref::<StringArray>();
            let group = table.group(&name(group));
            for token in column.into_iter().flatten().flatten() {
                group.update(token.as_bytes(), |n| *n += 1);
            }
        }
        Ok(())
    }
}

/// The most frequent first, then the last in bytes.
struct Rank;

impl KeyedCombineFn for Rank {
    type Input = KeyedBlock<u64>;
    type State = ();

    fn name(&self) -> &'static str {
        "rank"
    }
    fn add_input(&self, table: &mut KeyTable<()>, block: &KeyedBlock<u64>) -> Result<()> {
        let group = table.group(&block.group);
        let mut key = Vec::new();
        for (token, &count) in block.iter() {
            key.clear();
            order::push_descending_u64(&mut key, count);
            order::push_descending_bytes(&mut key, token);
            group.update(&key, |_n| {});
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        arguments.get(at).map_or(Ok(default), |text| {
            text.parse().map_err(|_| Error::invalid(format!("`{text}` is not a number")))
        })
    };
    let (distinct, memory, workers) = (number(0, 1_000_000)?, number(1, 512)?, number(2, 2)?);
    let (groups, columns) = (number(3, 1)? as usize, number(4, 1)? as usize);
    let file = arguments.get(5).map_or("/dev/null", String::as_str);

    let shard = |n| Shard { path: format!("/tokens/{n:03}"), part: None, bytes: 1 };
    let field = |n: usize| Field::new(format!("text_{n}"), DataType::Utf8, true);
    let source = Tokens {
        shards: (0..SHARDS).map(shard).collect(),
        rows: distinct * 3 / 2,
        distinct,
        schema: Arc::new(Schema::new((0..columns).map(field).collect::<Vec<_>>())),
    };
    let (pipeline, batches) = Pipeline::read(Arc::new(source));
    let ranked = batches.combine_per_key(Count { groups }).sort_per_key(Rank);
    let cache = match arguments.get(6) {
        None => None,
        Some(dir) => Some(Arc::new(StateCache::open(Path::new(dir))?)),
    };
    let memory_bytes = (memory as usize) << 20;
    let options = RunOptions { memory_bytes, cache, ..RunOptions::default() };

    let start = Instant::now();
    let workers = Workers::local(workers as usize);
    let mut outputs = engine::dataflow::run(&pipeline.plan(), &options, &workers, 0)?;
    println!(
        "counted and sorted after {:.1} s; {} of {SHARDS} shards came from the cache",
        start.elapsed().as_secs_f64(),
        outputs.receipt.cached.len()
    );

    let failed = |error| Error::io(format!("write `{file}`"), &error);
    let mut out = BufWriter::with_capacity(1 << 16, File::create(file).map_err(failed)?);
    let (mut keys, mut token, mut total, mut n) = (ranked.output(&mut outputs)?, vec![], 0, 0u64);
    while keys.next_group()?.is_some() {
        while let Some((mut key, ())) = keys.next_key()? {
            let count = order::read_descending_u64(&mut key);
            let read = order::read_descending_bytes(&mut key, &mut token);
            let (Some(count), Some(())) = (count, read) else {
                return Err(Error::input("a key is damaged"));
            };
            (n, total) = (n + 1, total + count);
            token.push(b'\n');
            out.write_all(&token).map_err(failed)?;
        }
    }
    out.flush().map_err(failed)?;
    println!("{n} tokens of {total} written after {:.1} s", start.elapsed().as_secs_f64());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("{peak}");
    }
    Ok(())
}
