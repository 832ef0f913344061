//! The laws of combiners, checked on a few examples in every leaf's own tests.
//!
//! The examples are added in one batch, in batches of every small size, and as shards that are
//! merged; states go through their bytes in between.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use engine::{AnyCombineFn, State};

use super::column::columns;
use super::{
    Column, DatasetGenerator, FeatureContext, FeaturePath, FeatureStats, Generator, Slice,
    StatsOptions, Variant,
};
use crate::tfmd::feature_name_statistics::Stats;
use crate::tfmd::{DatasetFeatureStatistics, FeatureNameStatistics};

/// What a generator adds to the message of a feature with these examples.
///
/// `agree` compares the result of merged shards with that of one: equality where states are exact.
pub(crate) fn feature(
    generator: &Generator,
    options: &StatsOptions,
    examples: ArrayRef,
    agree: impl Fn(&FeatureNameStatistics, &FeatureNameStatistics) -> bool,
) -> FeatureNameStatistics {
    weighted_feature(generator, options, examples, None, agree)
}

/// The same where every example has a weight.
pub(crate) fn weighted_feature(
    generator: &Generator,
    options: &StatsOptions,
    examples: ArrayRef,
    weights: Option<&[f64]>,
    agree: impl Fn(&FeatureNameStatistics, &FeatureNameStatistics) -> bool,
) -> FeatureNameStatistics {
    let path = FeaturePath::column("x");
    let records = RecordBatch::try_from_iter([("x", examples)]).unwrap();
    let cut = |from: usize, len: usize| -> Column {
        let weights = |_: &FeaturePath| Some(weights?[from..from + len].into());
        columns(&records.slice(from, len), from as u64, weights, |_| true).unwrap().remove(0)
    };
    let whole = cut(0, records.num_rows());
    let Some(kind) = whole.kind() else { return FeatureNameStatistics::default() };
    let schema = options.schema_feature(&path);
    let context = FeatureContext {
        path: &path,
        kind,
        logical: whole.logical.as_ref(),
        variant: Variant::of(kind, schema),
        weighted: weights.is_some(),
        schema,
        options,
    };
    let Some(f) = (generator.new)(&context) else { return FeatureNameStatistics::default() };
    let f: FeatureStats = f;
    let message = |patch: super::Patch| {
        let stats = (context.variant == Variant::Numeric).then(|| Stats::NumStats(<_>::default()));
        let mut message = FeatureNameStatistics { stats, ..Default::default() };
        patch(&mut message);
        message
    };
    check(&*f, records.num_rows(), cut, message, agree)
}

/// What a dataset generator makes of these records.
pub(crate) fn dataset(
    generator: &DatasetGenerator,
    options: &StatsOptions,
    records: &RecordBatch,
    agree: impl Fn(&DatasetFeatureStatistics, &DatasetFeatureStatistics) -> bool,
) -> DatasetFeatureStatistics {
    let Some(f) = (generator.new)(options) else { return DatasetFeatureStatistics::default() };
    let cut = |from: usize, len: usize| slice(&records.slice(from, len), from as u64);
    let message = |patch: super::DatasetPatch| {
        let mut message = DatasetFeatureStatistics::default();
        patch(&mut message).unwrap();
        message
    };
    check(&*f, records.num_rows(), cut, message, agree)
}

/// The default slice of a batch.
pub(crate) fn slice(records: &RecordBatch, first_row: u64) -> Slice {
    Slice {
        name: "".into(),
        n_examples: records.num_rows(),
        weights: None,
        columns: columns(records, first_row, |_| None, |_| true).unwrap(),
        records: records.clone(),
        first_row,
        rows: None,
        shard_seed: 0,
    }
}

fn check<I, P, M: std::fmt::Debug + PartialEq>(
    f: &dyn AnyCombineFn<I, P>,
    n_rows: usize,
    cut: impl Fn(usize, usize) -> I,
    message: impl Fn(P) -> M,
    agree: impl Fn(&M, &M) -> bool,
) -> M {
    let extract = |state: State| message(f.extract(state).unwrap());
    let through_bytes = |state: State| {
        let bytes = f.encode(&state);
        let back = f.decode(&bytes).unwrap();
        assert_eq!(f.encode(&back), bytes, "decode(encode(state)) is not the state");
        back
    };
    let whole = || {
        let mut state = f.create();
        f.add(&mut state, &cut(0, n_rows)).unwrap();
        state
    };
    let expected = extract(through_bytes(whole()));
    let compacted = {
        let mut state = whole();
        f.compact(&mut state);
        extract(through_bytes(state))
    };
    assert_eq!(compacted, expected, "compacting changed the meaning");
    for size in [1, 2, 3, 7, 100] {
        let mut state = f.create();
        let mut shards = f.create();
        for from in (0..n_rows).step_by(size) {
            let input = cut(from, size.min(n_rows - from));
            f.add(&mut state, &input).unwrap();
            let mut shard = f.create();
            f.add(&mut shard, &input).unwrap();
            f.merge(&mut shards, through_bytes(shard)).unwrap();
        }
        assert_eq!(f.encode(&state), f.encode(&whole()), "batches of {size} show in the state");
        f.merge(&mut state, f.create()).unwrap();
        assert_eq!(extract(state), expected, "merging nothing changed something");
        let merged = extract(shards);
        assert!(agree(&merged, &expected), "shards of {size}: {merged:#?}\nwhole: {expected:#?}");
    }
    expected
}

/// The custom statistics of a message as text, one `name: value` each.
pub(crate) fn custom(message: &FeatureNameStatistics) -> Vec<String> {
    use crate::tfmd::custom_statistic::Val;
    let value = |val: &Option<Val>| match val {
        Some(Val::Num(number)) => number.to_string(),
        Some(Val::Str(text)) => text.clone(),
        Some(Val::RankHistogram(ranks)) => {
            let buckets = ranks.buckets.iter().map(|b| format!("{}={}", b.label, b.sample_count));
            buckets.collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    };
    message.custom_stats.iter().map(|s| format!("{}: {}", s.name, value(&s.val))).collect()
}

/// A flat column of strings.
pub(crate) fn strings<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<arrow_array::BinaryArray>())
}
