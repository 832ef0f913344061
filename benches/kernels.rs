//! Every generator on one column of 65,536 values: nanoseconds for each value, by name.
//!
//! `cargo bench --bench kernels [NAME]`; a new generator is measured as soon as it is in its table.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float32Array, Float64Array, Int64Array, RecordBatch};
use criterion::{Criterion, Throughput};
use engine::{Batch, DoFn, Emit};
use ops::stats::{Examples, FeatureContext, GENERATORS, Prepare, StatsOptions, Variant};

const ROWS: u64 = 1 << 16;

/// Columns that differ in what is hard about them.
fn records() -> RecordBatch {
    let spread = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let many = (0..ROWS).map(|i| spread(i) as f64 / 7.0);
    let few = (0..ROWS).map(|i| (spread(i) % 300) as f32 / 4.0);
    let companies = (0..ROWS).map(|i| format!("Company of number {}", spread(i) % 500));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("many doubles", Arc::new(Float64Array::from_iter_values(many))),
        ("few floats", Arc::new(Float32Array::from_iter_values(few))),
        (
            "hours",
            Arc::new(Int64Array::from_iter_values((0..ROWS).map(|i| (spread(i) % 24) as i64))),
        ),
        ("companies", Arc::new(BinaryArray::from_iter_values(companies))),
    ];
    RecordBatch::try_from_iter(columns).expect("the columns are equally long")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let options = Arc::new(StatsOptions {
        enable_semantic_domain_stats: true,
        use_sketch_based_topk_uniques: true,
        ..Default::default()
    });
    let batch = Batch {
        shard: 0,
        first_row: 0,
        records: records(),
        originals: None,
        rejected: vec![],
        bytes: 0,
    };
    let mut out: Emit<Examples> = Emit::default();
    Prepare::new(options.clone()).process(&batch, &mut out).expect("the batch is sound");
    for slice in out.into_elements().iter().flat_map(|examples| &examples.slices) {
        for column in &slice.columns {
            let Some(kind) = column.kind() else { continue };
            let context = FeatureContext {
                path: &column.path,
                kind,
                logical: None,
                variant: Variant::of(kind, None),
                weighted: false,
                schema: None,
                options: &options,
            };
            let mut group = criterion.benchmark_group(column.path.to_string());
            group.throughput(Throughput::Elements(ROWS));
            for generator in GENERATORS {
                let Some(f) = (generator.new)(&context) else { continue };
                group.bench_function(generator.name, |bencher| {
                    let mut state = f.create();
                    bencher.iter(|| f.add(&mut state, column));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
