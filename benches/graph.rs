//! The frozen graph of the taxi module: one row as a server has it, and batches.
//!
//! `cargo bench --bench graph [NAME]`. Times are for each row, or for each row and output of a batch.

use std::sync::Arc;

use criterion::{Criterion, Throughput};
use datasets::synthetic::{FileFormat, ShardWriter, Synthetic, SyntheticOptions};
use datasets::{ReadOptions, inputs};
use engine::RunOptions;
use preprocessing::{Options, trace};
use runners::Runner;
use runners::transform::analyze;
use transform::{DType, RowInput, TransformGraph, Type, Values};

const MODULE: &str = include_str!("../datasets/modules/taxi.star");
const ROWS: u64 = 50_000;
/// What the module reads: every feature may be missing.
const COLUMNS: &[(&str, DType)] = &[
    ("trip_miles", DType::Float32),
    ("fare", DType::Float32),
    ("tips", DType::Float32),
    ("trip_seconds", DType::Int64),
    ("payment_type", DType::String),
    ("company", DType::String),
    ("pickup_latitude", DType::Float32),
    ("pickup_longitude", DType::Float32),
    ("dropoff_latitude", DType::Float32),
    ("dropoff_longitude", DType::Float32),
    ("trip_start_hour", DType::Int64),
    ("trip_start_day", DType::Int64),
    ("trip_start_month", DType::Int64),
    ("pickup_census_tract", DType::Int64),
    ("dropoff_census_tract", DType::Int64),
    ("pickup_community_area", DType::Int64),
    ("dropoff_community_area", DType::Int64),
];

/// The graph, analyzed over synthetic trips.
fn frozen(data: &Synthetic) -> TransformGraph {
    let place = tempfile::tempdir().expect("there is room for a directory");
    let writer = ShardWriter {
        directory: place.path().to_owned(),
        name: "trips".to_owned(),
        shards: 1,
        format: FileFormat::TfRecord,
        gzip: false,
        row_group_rows: 1 << 20,
    };
    writer.write(data, 0, |_| Ok(())).expect("there is room for a shard");
    let files = inputs::resolve(&[place.path().display().to_string()], None);
    let files = files.expect("the shard was written").files;
    let source = datasets::open(files, None, &ReadOptions::default()).expect("it can be read");
    let columns: Vec<(String, Type)> =
        COLUMNS.iter().map(|(name, dtype)| ((*name).to_owned(), Type::var_len(*dtype))).collect();
    let graph = trace("taxi.star", MODULE.as_bytes(), &columns, &Options::default());
    let graph = graph.expect("the module is right");
    let analysis = analyze(graph, &source, &Runner::Direct, &RunOptions::default());
    analysis.expect("the trips are sound").graph
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let options = SyntheticOptions { rows: ROWS, ..SyntheticOptions::default() };
    let data = Synthetic::new(&options).expect("there is nothing wrong with the options");
    let graph = Arc::new(frozen(&data));
    let outputs = graph.outputs().len() as u64;

    // A request: values by name, rows by name out. The row is filled again every time.
    let fill = |row: &mut RowInput, i: usize| {
        row.clear();
        for (name, dtype) in COLUMNS {
            let values: Values = match dtype {
                DType::Float32 => (i as f32 * 0.37 % 90.0).into(),
                DType::Int64 => ((i % 23) as i64).into(),
                _ => ["Cash", "Credit Card", "Dispatch Taxi Affiliation"][i % 3].into(),
            };
            graph.set(row, name, values).expect("the graph takes it");
        }
    };
    let mut row = graph.row();
    let mut i = 0;
    criterion.bench_function("row, filled and applied", |bencher| {
        bencher.iter(|| {
            i += 1;
            fill(&mut row, i);
            graph.apply_row(&row).expect("the row is whole").iter().count()
        });
    });
    criterion.bench_function("row, applied", |bencher| {
        bencher.iter(|| graph.apply_row(&row).expect("the row is whole").iter().count());
    });

    for rows in [1, 32, 1024, 32_768] {
        let batch = data.batch(0..rows);
        let mut group = criterion.benchmark_group("batch, Arrow in and out");
        group.throughput(Throughput::Elements(rows * outputs));
        group.bench_function(rows.to_string(), |bencher| {
            bencher.iter(|| graph.apply(&batch).expect("the batch is sound"));
        });
        group.finish();
    }
    criterion.final_summary();
}
