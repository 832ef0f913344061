//! The laws of `CombineFn`, for every row of both tables of generators, on nasty inputs.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int64Array, RecordBatch, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};
use engine::{AnyCombineFn, Batch, DoFn, Emit, State};
use ops::stats::{
    Column, DATASET_GENERATORS, Examples, FeatureContext, GENERATORS, Prepare, Slice, StatsOptions,
    Variant,
};
use ops::tfmd::feature_name_statistics::Stats;
use ops::tfmd::{
    BytesStatistics, DatasetFeatureStatistics, FeatureNameStatistics, NumericStatistics,
    StringStatistics, StructStatistics, json,
};
use serde_json::Value;

use crate::compare::{Tolerance, differences};

/// Generators that no input here calls for, and why: checked, so that the list cannot rot.
const NOT_EXERCISED: &[(&str, &str)] = &[
    ("bytes", "applies only to features that the schema declares to be images"),
    ("natural_language", "applies only to features that the schema declares to be text"),
    ("mutual_information", "wants a label; its own tests hold it to the laws on small samples"),
    ("sparse_features", "applies only to sparse features of the schema"),
    ("weighted_features", "applies only to weighted features of the schema"),
];

/// A small generator of numbers with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (self.roll(5) > 0).then(|| from[self.roll(from.len() as u64) as usize].clone())
    }
}

const INTS: [i64; 9] = [0, 1, 2, -7, i64::MIN, i64::MAX, 1 << 53, (1 << 53) + 1, 1_500_000_000];
const DOUBLES: [f64; 9] =
    [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5, -2.25, 1e300, 5e-324];
const TEXTS: [&[u8]; 8] = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"2020-01-31",
    b"it is a short sentence",
    b"zz",
    b"true",
    "日本".as_bytes(),
];

fn records(dice: &mut Dice, rows: usize) -> RecordBatch {
    let mut ragged = ListBuilder::new(Int64Builder::new());
    for _ in 0..rows {
        match dice.roll(4) {
            0 => ragged.append_null(),
            n => {
                (1..n).for_each(|_| ragged.values().append_option(dice.pick(&INTS)));
                ragged.append(true);
            }
        }
    }
    let ints: Int64Array = (0..rows).map(|_| dice.pick(&INTS)).collect();
    let floats: Float32Array = (0..rows).map(|_| dice.pick(&DOUBLES).map(|x| x as f32)).collect();
    let doubles: Float64Array = (0..rows).map(|_| dice.pick(&DOUBLES)).collect();
    let dense: Float64Array = (0..rows).map(|_| Some(dice.roll(1 << 30) as f64 / 3.0)).collect();
    let texts: BinaryArray = (0..rows).map(|_| dice.pick(&TEXTS)).collect();
    let codes: DictionaryArray<arrow_array::types::Int32Type> =
        (0..rows).map(|_| dice.pick(&["a", "b", ""])).collect();
    let flags: BooleanArray = (0..rows).map(|_| dice.pick(&[true, false])).collect();
    let times: TimestampMicrosecondArray = (0..rows).map(|_| dice.pick(&INTS)).collect();
    let prices = (0..rows)
        .map(|_| dice.pick(&[0i128, -1, 12_345]))
        .collect::<Decimal128Array>()
        .with_precision_and_scale(10, 2)
        .unwrap();
    let inner: ArrayRef = Arc::new((0..rows).map(|_| dice.pick(&INTS)).collect::<Int64Array>());
    let outer = StructArray::from(vec![(Arc::new(Field::new("i", DataType::Int64, true)), inner)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("int", Arc::new(ints)),
        ("float", Arc::new(floats)),
        ("double", Arc::new(doubles)),
        ("dense", Arc::new(dense)),
        ("text", Arc::new(texts)),
        ("code", Arc::new(codes)),
        ("flag", Arc::new(flags)),
        ("time", Arc::new(times)),
        ("price", Arc::new(prices)),
        ("ragged", Arc::new(ragged.finish())),
        ("struct", Arc::new(outer)),
        ("none", arrow_array::new_null_array(&DataType::Int64, rows)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

fn options() -> Vec<Arc<StatsOptions>> {
    let plain = StatsOptions {
        enable_semantic_domain_stats: true,
        cross_features: Some(vec![]),
        ..Default::default()
    };
    let sketched = StatsOptions {
        use_sketch_based_topk_uniques: true,
        weight_feature: Some("dense".into()),
        ..plain.clone()
    };
    vec![Arc::new(plain), Arc::new(sketched)]
}

/// The records as one batch, cut where `cuts` says.
fn prepare(options: &Arc<StatsOptions>, records: &RecordBatch, cuts: &[usize]) -> Vec<Slice> {
    let prepare = Prepare::new(options.clone());
    let mut slices = Vec::new();
    let mut start = 0;
    for &end in cuts.iter().chain([&records.num_rows()]) {
        let batch = Batch {
            shard: 0,
            first_row: start as u64,
            records: records.slice(start, end - start),
            originals: None,
            rejected: vec![],
            bytes: 0,
        };
        let mut out: Emit<Examples> = Emit::default();
        prepare.process(&batch, &mut out).unwrap();
        slices.extend(out.into_elements().into_iter().flat_map(|examples| examples.slices));
        start = end;
    }
    slices
}

type Any<I, O> = Arc<dyn AnyCombineFn<I, O>>;

fn add_all<I, O>(f: &Any<I, O>, inputs: &[&I]) -> State {
    let mut state = f.create();
    inputs.iter().for_each(|input| f.add(&mut state, input).unwrap());
    state
}

fn merged<I, O>(f: &Any<I, O>, mut a: State, b: State) -> State {
    f.merge(&mut a, b).unwrap();
    a
}

/// Checks all laws for one combiner; `show` turns its output into a comparable value.
fn check<I, O>(
    name: &str,
    f: &Any<I, O>,
    whole: &[&I],
    parts: [&[&I]; 3],
    show: impl Fn(O) -> Value,
) {
    let out = |state: State| show(f.extract(state).unwrap());
    let copy = |state: &State| f.decode(&f.encode(state)).unwrap();
    let state = |inputs: &[&I]| add_all(f, inputs);
    let expected = out(state(whole));

    // Bit for bit: where batches are cut, the way through bytes, the identity, compaction.
    let all: Vec<&I> = parts.concat();
    assert_eq!(out(state(&all)), expected, "{name}: where batches are cut");
    assert_eq!(out(copy(&state(whole))), expected, "{name}: encode and decode");
    let bytes = f.encode(&state(whole));
    assert_eq!(f.encode(&f.decode(&bytes).unwrap()), bytes, "{name}: the same bytes again");
    assert_eq!(out(merged(f, f.create(), state(whole))), expected, "{name}: left identity");
    assert_eq!(out(merged(f, state(whole), f.create())), expected, "{name}: right identity");
    let mut compacted = state(whole);
    f.compact(&mut compacted);
    assert_eq!(out(compacted), expected, "{name}: compaction");

    // Up to rounding: adding is merging, and merging is associative and commutative.
    let [a, b, c] = parts;
    let near = |other: Value, law: &str| {
        let tolerance = Tolerance { approximate: vec![], epsilon: 0.0 };
        let found = differences(&other, &expected, &tolerance);
        assert!(found.is_empty(), "{name}: {law}: {found:?}");
    };
    near(out(merged(f, merged(f, state(a), state(b)), state(c))), "merge is add");
    near(out(merged(f, state(a), merged(f, state(b), state(c)))), "associativity");
    near(out(merged(f, merged(f, state(c), state(b)), state(a))), "commutativity");
}

fn template(variant: Variant) -> FeatureNameStatistics {
    let stats = match variant {
        Variant::Numeric => Stats::NumStats(NumericStatistics::default()),
        Variant::String => Stats::StringStats(StringStatistics::default()),
        Variant::Bytes => Stats::BytesStats(BytesStatistics::default()),
        Variant::Struct => Stats::StructStats(StructStatistics::default()),
    };
    FeatureNameStatistics { stats: Some(stats), ..Default::default() }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_generator_obeys_the_laws() {
    let mut seen = std::collections::BTreeSet::new();
    for (seed, rows) in [(1, 0), (2, 1), (3, 2), (4, 57), (5, 400)] {
        let records = records(&mut Dice(seed), rows);
        for options in options() {
            let whole = prepare(&options, &records, &[]);
            let cut = prepare(&options, &records, &[rows / 7, rows / 2]);
            for column in &whole[0].columns {
                let Some(kind) = column.kind() else { continue };
                let variant = Variant::of(kind, None);
                let context = FeatureContext {
                    path: &column.path,
                    kind,
                    logical: column.logical.as_ref(),
                    variant,
                    weighted: column.weights.is_some(),
                    schema: None,
                    options: &options,
                };
                let of = |i: usize| -> Vec<&Column> {
                    cut[i].columns.iter().filter(|c| c.path == column.path).collect()
                };
                let parts = [of(0), of(1), of(2)];
                for generator in GENERATORS {
                    let Some(f) = (generator.new)(&context) else { continue };
                    seen.insert(generator.name);
                    let name = format!("{} of `{}`, {rows} rows", generator.name, column.path);
                    check(&name, &f, &[column], [&parts[0], &parts[1], &parts[2]], |patch| {
                        let mut message = template(variant);
                        patch(&mut message);
                        parse(&json::print(&message, &json::JsonOptions::default()))
                    });
                }
            }
            for generator in DATASET_GENERATORS {
                let Some(f) = (generator.new)(&options) else { continue };
                seen.insert(generator.name);
                let name = format!("{}, {rows} rows", generator.name);
                let parts = [&[&cut[0]][..], &[&cut[1]], &[&cut[2]]];
                check(&name, &f, &[&whole[0]], parts, |patch| {
                    let mut message = DatasetFeatureStatistics::default();
                    patch(&mut message).unwrap();
                    parse(&json::print(&message, &json::JsonOptions::default()))
                });
            }
        }
    }
    let names = GENERATORS.iter().map(|g| g.name).chain(DATASET_GENERATORS.iter().map(|g| g.name));
    for name in names {
        let excused = NOT_EXERCISED.iter().any(|(excused, _)| *excused == name);
        assert_ne!(seen.contains(name), excused, "`{name}`: exercised or excused, not both");
    }
}
