//! The gate on wide statistics: 5,000 features, in one dataset and in 100 slices.
//!
//! `cargo bench --bench gate [NAME]`

use criterion::{Criterion, Throughput};
use ops::drift::{DriftOptions, DriftPolicy, compare};
use ops::schema::{InferOptions, infer_schema};
use ops::tfmd::feature_name_statistics::{FieldId, Stats, Type};
use ops::tfmd::histogram::{Bucket, HistogramType};
use ops::tfmd::{
    CommonStatistics, DatasetFeatureStatistics, DatasetFeatureStatisticsList,
    FeatureNameStatistics, Histogram, NumericStatistics, Path, RankHistogram, StringStatistics,
    rank_histogram,
};
use ops::validate::{ControlStatistics, UpdateOptions, ValidateOptions, Validator, update_schema};

const FEATURES: usize = 5_000;
const SLICES: usize = 100;
const EXAMPLES: u64 = 10_000;

fn common() -> CommonStatistics {
    CommonStatistics {
        num_non_missing: EXAMPLES,
        min_num_values: 1,
        max_num_values: 1,
        avg_num_values: 1.0,
        tot_num_values: EXAMPLES,
        ..CommonStatistics::default()
    }
}

fn histogram(kind: HistogramType, shift: usize) -> Histogram {
    let bucket = |i: usize| Bucket {
        low_value: i as f64,
        high_value: (i + 1) as f64,
        sample_count: (1000 + (i * 37 + shift * 11) % 90) as f64,
    };
    Histogram {
        buckets: (0..10).map(bucket).collect(),
        r#type: kind.into(),
        ..Histogram::default()
    }
}

/// Strings of 20 values and numbers in turns; `shift` moves distributions a little.
fn feature(i: usize, shift: usize) -> FeatureNameStatistics {
    let (kind, stats) = if i.is_multiple_of(2) {
        let bucket = |rank: usize| rank_histogram::Bucket {
            low_rank: rank as u64,
            high_rank: rank as u64,
            label: format!("value {rank} of {i}"),
            sample_count: (500 + (rank * 7 + shift * 3) % 20) as f64,
        };
        let stats = StringStatistics {
            common_stats: Some(common()),
            unique: 20,
            rank_histogram: Some(RankHistogram {
                buckets: (0..20).map(bucket).collect(),
                ..RankHistogram::default()
            }),
            ..StringStatistics::default()
        };
        (Type::String, Stats::StringStats(stats))
    } else {
        let stats = NumericStatistics {
            common_stats: Some(common()),
            max: 10.0,
            histograms: vec![
                histogram(HistogramType::Standard, shift),
                histogram(HistogramType::Quantiles, shift),
            ],
            ..NumericStatistics::default()
        };
        (Type::Float, Stats::NumStats(stats))
    };
    FeatureNameStatistics {
        r#type: kind.into(),
        field_id: Some(FieldId::Path(Path::new([format!("feature_{i:04}")]))),
        stats: Some(stats),
        ..FeatureNameStatistics::default()
    }
}

fn dataset(name: &str, shift: usize) -> DatasetFeatureStatistics {
    DatasetFeatureStatistics {
        name: name.to_owned(),
        num_examples: EXAMPLES,
        features: (0..FEATURES).map(|i| feature(i, shift)).collect(),
        ..DatasetFeatureStatistics::default()
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let (current, control) = (dataset("All Examples", 0), dataset("All Examples", 1));
    let list = DatasetFeatureStatisticsList { datasets: vec![current.clone()] };
    let schema = infer_schema(&list, &InferOptions::default()).expect("the statistics are sound");
    let options = ValidateOptions::default();
    let none = ControlStatistics::default();
    let mut group = criterion.benchmark_group("5,000 features");
    group.throughput(Throughput::Elements(FEATURES as u64));
    group.bench_function("infer a schema", |bencher| {
        bencher.iter(|| infer_schema(&list, &InferOptions::default()));
    });
    group.bench_function("validate", |bencher| {
        bencher.iter(|| {
            let validator = Validator::new(&schema, &options).expect("no environment is asked for");
            validator.validate(&current, none)
        });
    });
    group.bench_function("update a schema", |bencher| {
        bencher.iter(|| update_schema(&schema, &control, &UpdateOptions::default()));
    });
    for policy in [DriftPolicy::Tfdv, DriftPolicy::Significant] {
        let options = DriftOptions { policy, schema: Some(&schema), ..DriftOptions::default() };
        group.bench_function(format!("measure drift, {policy:?}"), |bencher| {
            bencher.iter(|| compare(&current, &control, &options));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("5,000 features in 100 slices");
    group.throughput(Throughput::Elements((FEATURES * SLICES) as u64));
    let slices: Vec<_> = (0..SLICES).map(|i| dataset(&format!("slice {i}"), i)).collect();
    group.bench_function("validate", |bencher| {
        bencher.iter(|| {
            let validator = Validator::new(&schema, &options).expect("no environment is asked for");
            slices.iter().map(|slice| validator.validate(slice, none).features.len()).sum::<usize>()
        });
    });
    group.finish();
    criterion.final_summary();
}
