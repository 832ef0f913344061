//! How fast tokens are counted for vocabularies, and looked up: `cargo run --release -p transform
//! --example vocabulary_speed`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use engine::KeyTable;
use transform::{
    Analyzer, Args, Builder, Columns, DType, Kind, Literal, Program, Strings, Tensor, Type, Values,
    What,
};

const ROWS: usize = 1000;
const BATCHES: usize = 50;

/// A skewed number, as the ranks of words are: the `i`th of a sequence.
fn skewed(i: u64, most: u64) -> u64 {
    let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let unit =
        ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / 2f64.powi(53);
    ((most as f64).powf(unit) - 1.0) as u64
}

/// A batch of words or numbers.
fn column(dtype: DType, batch: usize, seed: usize) -> Tensor {
    let numbers = (0..ROWS).map(|row| skewed(((batch * ROWS + row) * 31 + seed) as u64, 100_000));
    let values: Values = match dtype {
        DType::Int64 => numbers.map(|n| n as i64).collect::<Vec<i64>>().into(),
        _ => numbers.map(|n| format!("word {n}")).collect::<Strings>().into(),
    };
    Tensor::dense(ROWS, values)
}

/// Nanoseconds for each row and vocabulary while so many vocabularies of so many columns are counted.
fn count(dtype: DType, vocabularies: usize, columns: usize) -> f64 {
    let names: Vec<String> = (0..columns).map(|i| format!("c{i}")).collect();
    let mut builder = Builder::new(names.iter().map(|n| (n.clone(), Type::scalar(dtype))));
    let mut analyzers = Vec::new();
    for i in 0..vocabularies {
        let x = builder.input(&names[i % columns]).unwrap();
        let top_k = (i / columns + 1) as i64 * 10;
        let args = Args::default().arg(x).with("top_k", top_k);
        let node = builder.one("tft.vocabulary", args).unwrap().node;
        let graph = builder.graph();
        let What::Op(bound) = &graph.nodes[node as usize].what else { continue };
        let Kind::Analyze { analyzer, .. } = bound.op.kind else { continue };
        let Analyzer::RankedCounts(ranked) = graph.with_call(bound, analyzer).unwrap() else {
            continue;
        };
        // As a phase does: what adds the same of the same column is counted once.
        if i < columns {
            analyzers.push((i % columns, ranked));
        }
    }
    let batches: Vec<Vec<Tensor>> = (0..BATCHES)
        .map(|batch| (0..columns).map(|seed| column(dtype, batch, seed)).collect())
        .collect();
    let mut table = KeyTable::<u64>::default();
    let start = Instant::now();
    for batch in &batches {
        for (place, analyzer) in &analyzers {
            let group = table.group(&place.to_be_bytes());
            let tensors = vec![batch[*place].clone()];
            let input = Columns { rows: ROWS, shard: 0, first_row: 0, tensors };
            analyzer.add(group, &input).unwrap();
        }
    }
    black_box(&table);
    start.elapsed().as_nanos() as f64 / (ROWS * BATCHES * vocabularies) as f64
}

/// Nanoseconds for each token that is looked up.
fn look_up(dtype: DType, tokens: u64, buckets: i64) -> f64 {
    let tokens: Vec<Literal> = (0..tokens)
        .map(|n| match dtype {
            DType::Int64 => Literal::Int(n as i64),
            _ => Literal::Str(format!("word {n}")),
        })
        .collect();
    let mut builder = Builder::new([("x".to_owned(), Type::scalar(dtype))]);
    let x = builder.input("x").unwrap();
    let list = Args::default().arg(Literal::List(tokens));
    let vocabulary = builder.one("tft.vocabulary_from_list", list).unwrap();
    let args = Args::default().arg(x).arg(vocabulary).with("num_oov_buckets", buckets);
    let ids = builder.one("tft.apply_vocabulary", args).unwrap();
    let program = Program::new(builder.graph(), &[ids]).unwrap();
    let batches: Vec<Tensor> = (0..BATCHES).map(|batch| column(dtype, batch, 1)).collect();
    let start = Instant::now();
    for batch in &batches {
        black_box(program.run(ROWS, vec![batch.clone()]).unwrap());
    }
    start.elapsed().as_nanos() as f64 / (ROWS * BATCHES) as f64
}

fn main() {
    for dtype in [DType::String, DType::Int64] {
        for (vocabularies, columns) in [(20, 20), (200, 20), (200, 200)] {
            // The best of three, as the machine is shared.
            let best = (0..3).map(|_| count(dtype, vocabularies, columns)).fold(f64::MAX, f64::min);
            println!(
                "count {dtype}: {vocabularies} vocabularies of {columns} columns: {best:.1} ns for \
                 each value of each vocabulary"
            );
        }
        for (tokens, buckets) in [(1_000, 0), (100_000, 0), (1_000, 10)] {
            let best = (0..3).map(|_| look_up(dtype, tokens, buckets)).fold(f64::MAX, f64::min);
            println!("look up {dtype}: {tokens} tokens, {buckets} buckets: {best:.1} ns");
        }
    }
}
