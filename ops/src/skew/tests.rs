//! The comparison against a slow and obvious one: every pair is made, every value is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Float32Builder, Int64Builder, ListBuilder};
use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch};
use engine::{Batch, CombineFn, DoFn, Emit, KeyState, KeyTable, KeyedBlock, KeyedCombineFn};
use proptest::prelude::*;

use super::*;
use crate::tfmd::{ConfusionCount, FeatureSkew, MatchStats};

/// The values of a feature of one example.
#[derive(Clone, Debug, PartialEq)]
enum Feature {
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Bytes(Vec<Vec<u8>>),
}

impl Feature {
    fn len(&self) -> usize {
        match self {
            Feature::Ints(values) => values.len(),
            Feature::Floats(values) => values.len(),
            Feature::Bytes(values) => values.len(),
        }
    }

    /// A text that is equal for what is to be equal.
    fn canonical(&self, digits: Option<u32>) -> String {
        let float = |value: &f32| {
            let value = f64::from(*value);
            let value = match digits {
                Some(digits) => format!("{value:.*}", digits as usize).parse().unwrap(),
                None => value,
            };
            if value.is_nan() { "nan".to_owned() } else { format!("{:?}", value as f32 + 0.0) }
        };
        match self {
            Feature::Ints(values) => format!("ints {values:?}"),
            Feature::Floats(values) => {
                format!("floats {:?}", values.iter().map(float).collect::<Vec<_>>())
            }
            Feature::Bytes(values) => format!("bytes {values:?}"),
        }
    }
}

type Example = BTreeMap<&'static str, Feature>;

const NAMES: [&str; 5] = ["a", "b", "id", "s", "z.z"];

/// An Arrow batch of some examples; flat columns where `flat` and every example has a value.
fn records(examples: &[Example], flat: bool) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for name in NAMES {
        let cells: Vec<Option<&Feature>> = examples.iter().map(|e| e.get(name)).collect();
        let flat = flat && cells.iter().all(|cell| cell.is_none_or(|cell| cell.len() == 1));
        let Some(kind) = cells.iter().find_map(|cell| *cell) else { continue };
        let array: ArrayRef = match kind {
            Feature::Ints(_) => {
                let values = |cell: Option<&Feature>| match cell {
                    Some(Feature::Ints(values)) => Some(values.clone()),
                    _ => None,
                };
                if flat {
                    let one = |cell: Option<&Feature>| values(cell).map(|values| values[0]);
                    Arc::new(cells.iter().copied().map(one).collect::<Int64Array>())
                } else {
                    let mut builder = ListBuilder::new(Int64Builder::new());
                    for cell in &cells {
                        let values = values(*cell);
                        builder.append_option(values.map(|v| v.into_iter().map(Some)));
                    }
                    Arc::new(builder.finish())
                }
            }
            Feature::Floats(_) => {
                let values = |cell: Option<&Feature>| match cell {
                    Some(Feature::Floats(values)) => Some(values.clone()),
                    _ => None,
                };
                if flat {
                    // As wide as Parquet files often have them.
                    let one =
                        |cell: Option<&Feature>| values(cell).map(|values| f64::from(values[0]));
                    Arc::new(cells.iter().copied().map(one).collect::<Float64Array>())
                } else {
                    let mut builder = ListBuilder::new(Float32Builder::new());
                    for cell in &cells {
                        let values = values(*cell);
                        builder.append_option(values.map(|v| v.into_iter().map(Some)));
                    }
                    Arc::new(builder.finish())
                }
            }
            Feature::Bytes(_) => {
                let values = |cell: Option<&Feature>| match cell {
                    Some(Feature::Bytes(values)) => Some(values.clone()),
                    _ => None,
                };
                if flat {
                    let one = |cell: Option<&Feature>| values(cell).map(|values| values[0].clone());
                    Arc::new(cells.iter().copied().map(one).collect::<BinaryArray>())
                } else {
                    let mut builder = ListBuilder::new(BinaryBuilder::new());
                    for cell in &cells {
                        let values = values(*cell);
                        builder.append_option(values.map(|v| v.into_iter().map(Some)));
                    }
                    Arc::new(builder.finish())
                }
            }
        };
        columns.push((name, array));
    }
    if columns.is_empty() {
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(examples.len()));
        let schema = Arc::new(arrow_schema::Schema::empty());
        return RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    }
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The house's way: shard 0 is the base, shard 1 the test set.
fn found(options: &SkewOptions, sides: &[Vec<Example>; 2], cut: usize, flat: bool) -> Skew {
    let options = Arc::new(options.clone());
    let fingerprint = Fingerprint::new(options.clone(), 1);
    let (join, compare) = (Join::new(options.clone()), Compare::new(options.clone()));
    let mut acc = Sides.create_accumulator();
    let mut table = KeyTable::<Rows>::default();
    // Every batch of the test set comes before any of the base: no order can matter.
    for shard in [1, 0] {
        for (i, examples) in sides[shard].chunks(cut).enumerate() {
            let records = records(examples, flat && i % 2 == 0);
            let first_row = (i * cut) as u64;
            let batch = Batch {
                shard,
                first_row,
                records,
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            };
            let mut out = Emit::default();
            fingerprint.process(&batch, &mut out).unwrap();
            for rows in out.into_elements() {
                Sides.add_input(&mut acc, &rows).unwrap();
                join.add_input(&mut table, &rows).unwrap();
            }
        }
    }
    let mut block = KeyedBlock::<Rows>::new(Arc::from(&b""[..]));
    table.drain_sorted(|_, key, rows| {
        let mut bytes = Vec::new();
        rows.encode(&mut bytes);
        block.push(key, Rows::decode(&mut &*bytes).unwrap());
    });
    let mut compared = compare.create_accumulator();
    compare.add_input(&mut compared, &block).unwrap();
    let bytes = postcard::to_stdvec(&compared).unwrap();
    assert_eq!(postcard::from_bytes::<Compared>(&bytes).unwrap(), compared);
    result::result(&options, &acc, compared).unwrap()
}

/// The obvious way.
fn expected(options: &SkewOptions, sides: &[Vec<Example>; 2]) -> (FeatureSkewParts, Vec<[u64; 2]>) {
    let digits = options.float_digits;
    let mut stats = MatchStats::default();
    let mut ids = BTreeMap::<String, [Vec<u64>; 2]>::new();
    for (side, examples) in sides.iter().enumerate() {
        for (row, example) in examples.iter().enumerate() {
            match example.get("id").filter(|id| id.len() > 0) {
                Some(id) => {
                    ids.entry(id.canonical(digits)).or_default()[side].push(row as u64);
                }
                None if side == 0 => stats.base_missing_id_count += 1,
                None => stats.test_missing_id_count += 1,
            }
        }
    }
    let mut features = BTreeMap::<&str, FeatureSkew>::new();
    let mut confusion = BTreeMap::<(Vec<u8>, Vec<u8>), u64>::new();
    let mut differing = Vec::new();
    for [base, test] in ids.values() {
        stats.base_with_id_count += base.len() as u64;
        stats.test_with_id_count += test.len() as u64;
        stats.identifiers_count += 1;
        stats.ids_missing_in_base_count += u64::from(base.is_empty());
        stats.ids_missing_in_test_count += u64::from(test.is_empty());
        stats.matching_pairs_count += (base.len() * test.len()) as u64;
        let is_duplicate = base.len() > 1 || test.len() > 1;
        stats.duplicate_id_count += u64::from(is_duplicate);
        if is_duplicate && !options.allow_duplicates {
            continue;
        }
        for &i in base {
            for &j in test {
                let (left, right) = (&sides[0][i as usize], &sides[1][j as usize]);
                let mut differs = false;
                for name in NAMES {
                    if name == "id" || options.ignore.iter().any(|ignored| ignored == name) {
                        continue;
                    }
                    let (left, right) = (left.get(name), right.get(name));
                    if left.is_none() && right.is_none() {
                        continue;
                    }
                    let skew = features.entry(name).or_default();
                    let value = |feature: Option<&Feature>| {
                        feature.filter(|f| f.len() > 0).map(|f| f.canonical(digits))
                    };
                    let before = skew.diff_count;
                    match (value(left), value(right)) {
                        (Some(left), Some(right)) => {
                            skew.base_count += 1;
                            skew.test_count += 1;
                            skew.match_count += u64::from(left == right);
                            skew.mismatch_count += u64::from(left != right);
                        }
                        (Some(_), None) => {
                            skew.base_count += 1;
                            skew.base_only += 1;
                        }
                        (None, Some(_)) => {
                            skew.test_count += 1;
                            skew.test_only += 1;
                        }
                        (None, None) if left.is_some() == right.is_some() => skew.match_count += 1,
                        (None, None) => {}
                    }
                    skew.diff_count = skew.base_only + skew.test_only + skew.mismatch_count;
                    differs |= skew.diff_count > before;
                }
                if differs {
                    differing.push([i, j]);
                }
                let text = |example: &Example| match example.get("s") {
                    Some(Feature::Bytes(values)) if !values.is_empty() => values[0].clone(),
                    _ => b"__MISSING_VALUE__".to_vec(),
                };
                if !options.confusion.is_empty() {
                    *confusion.entry((text(left), text(right))).or_default() += 1;
                }
            }
        }
    }
    let features = features
        .into_iter()
        .map(|(name, skew)| FeatureSkew { feature_name: name.to_owned(), ..skew })
        .collect();
    let confusion = confusion.into_iter().map(|((base, test), n)| (base, test, n)).collect();
    (FeatureSkewParts { stats, features, confusion }, differing)
}

#[derive(Debug, PartialEq)]
struct FeatureSkewParts {
    stats: MatchStats,
    features: Vec<FeatureSkew>,
    confusion: Vec<(Vec<u8>, Vec<u8>, u64)>,
}

impl FeatureSkewParts {
    fn of(skew: &Skew) -> Self {
        let met = |count: &ConfusionCount| {
            let bytes = |value: &Option<crate::tfmd::confusion_count::Value>| {
                value.as_ref().unwrap().bytes_value.clone()
            };
            (bytes(&count.base), bytes(&count.test), count.count)
        };
        FeatureSkewParts {
            stats: skew.results.match_stats.unwrap(),
            features: skew.results.feature_skew.clone(),
            confusion: skew.results.confusion_counts.iter().map(met).collect(),
        }
    }
}

fn check(options: &SkewOptions, sides: &[Vec<Example>; 2]) {
    let (expected, mut differing) = expected(options, sides);
    let all = found(options, sides, usize::MAX, false);
    assert_eq!(FeatureSkewParts::of(&all), expected);
    for (cut, flat) in [(1, true), (3, true), (2, false)] {
        assert_eq!(found(options, sides, cut, flat), all, "{cut} rows in a batch");
    }
    let mut sampled: Vec<[u64; 2]> =
        all.places.iter().map(|[base, test]| [base.row, test.row]).collect();
    assert!(all.places.iter().all(|[base, test]| (base.shard, test.shard) == (0, 1)));
    assert_eq!(sampled.len(), differing.len().min(options.sample));
    sampled.sort_unstable();
    differing.sort_unstable();
    assert!(sampled.iter().all(|pair| differing.binary_search(pair).is_ok()), "{sampled:?}");
    assert!(sampled.is_sorted_by(|a, b| a < b), "each once: {sampled:?}");
    for pair in &all.results.skew_pairs {
        let n = pair.base_only_features.len()
            + pair.test_only_features.len()
            + pair.mismatched_features.len();
        assert!(n > 0, "{pair:?}");
    }
}

/// A feature of one of three kinds.
fn feature(kind: u8) -> BoxedStrategy<Feature> {
    let floats = [0.0, -0.0, f32::NAN, -f32::NAN, 1.0, 1.004, 1.005, -0.001, f32::INFINITY, 3e38];
    let texts: [&[u8]; 6] = [b"", b"a", b"\xff\xfe", b"ab", b"1", &[b'x'; 5000]];
    match kind {
        0 => prop::collection::vec(prop::sample::select(vec![0i64, 1, -1, i64::MIN]), 0..3)
            .prop_map(Feature::Ints)
            .boxed(),
        1 => prop::collection::vec(prop::sample::select(floats.to_vec()), 0..3)
            .prop_map(Feature::Floats)
            .boxed(),
        _ => prop::collection::vec(prop::sample::select(texts.to_vec()), 0..3)
            .prop_map(|values| Feature::Bytes(values.into_iter().map(<[u8]>::to_vec).collect()))
            .boxed(),
    }
}

fn example(kinds: [u8; 2], id: u8) -> impl Strategy<Value = Example> {
    let s = feature(2).prop_map(|feature| match feature {
        Feature::Bytes(values) => Feature::Bytes(values.into_iter().take(1).collect()),
        other => other,
    });
    let often = |feature: BoxedStrategy<Feature>| prop::option::weighted(0.8, feature);
    (often(feature(kinds[0])), often(feature(kinds[1])), often(feature(id)), often(s.boxed()))
        .prop_map(|(a, b, id, s)| {
            let z = a.clone();
            let features = [("a", a), ("b", b), ("id", id), ("s", s), ("z.z", z)];
            features.into_iter().filter_map(|(name, f)| Some((name, f?))).collect()
        })
}

fn options() -> impl Strategy<Value = SkewOptions> {
    (prop::option::of(0u32..4), any::<bool>(), any::<bool>(), 0usize..5).prop_map(
        |(float_digits, allow_duplicates, ignores, sample)| SkewOptions {
            identifiers: vec!["id".into()],
            ignore: if ignores { vec!["b".into()] } else { Vec::new() },
            float_digits,
            single_floats: true,
            allow_duplicates,
            confusion: vec!["s".into()],
            sample,
        },
    )
}

fn sides() -> impl Strategy<Value = [Vec<Example>; 2]> {
    ([0..3u8, 0..3u8], [0..3u8, 0..3u8], 0..3u8).prop_flat_map(|(base, test, id)| {
        let side = |kinds| prop::collection::vec(example(kinds, id), 0..12);
        [side(base).boxed(), side(test).boxed()]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn it_is_what_all_pairs_give(options in options(), sides in sides()) {
        check(&options, &sides);
    }
}

fn ints(id: i64, values: &[(&'static str, i64)]) -> Example {
    let mut example: Example =
        values.iter().map(|(name, value)| (*name, Feature::Ints(vec![*value]))).collect();
    example.insert("id", Feature::Ints(vec![id]));
    example
}

#[test]
fn a_small_one_by_hand() {
    let options =
        SkewOptions { identifiers: vec!["id".into()], sample: 10, ..SkewOptions::default() };
    let sides = [
        vec![
            ints(1, &[("a", 5), ("b", 7)]),
            ints(2, &[("a", 5)]),
            ints(3, &[("a", 5)]),
            ints(4, &[("a", 5)]),
            ints(4, &[("a", 6)]),
            Example::new(),
        ],
        vec![ints(1, &[("a", 5), ("b", 8)]), ints(2, &[("z.z", 1)]), ints(4, &[("a", 5)])],
    ];
    check(&options, &sides);
    let skew = found(&options, &sides, 2, true);
    let worst = skew.worst().map(|(feature, share)| (feature.feature_name.as_str(), share));
    assert_eq!((worst, skew.n_compared, skew.n_examples), (Some(("b", 1.0)), 2, [6, 3]));
    let pairs = &skew.results.skew_pairs;
    assert_eq!(pairs.len(), 2);
    let pair = pairs.iter().find(|pair| !pair.mismatched_features.is_empty()).unwrap();
    assert_eq!(
        (&*pair.mismatched_features, &*pair.matched_features),
        (&["b".into()][..], &["a".into()][..])
    );
    let all = SkewOptions { allow_duplicates: true, ..options };
    check(&all, &sides);
    assert_eq!(found(&all, &sides, 1, false).n_compared, 4);
}

#[test]
fn an_identifier_that_everybody_shares_takes_little_room() {
    let options = SkewOptions { identifiers: vec!["id".into()], ..SkewOptions::default() };
    let many: Vec<Example> = (0..2_000).map(|i| ints(0, &[("a", i)])).collect();
    let fingerprint = Fingerprint::new(Arc::new(options.clone()), 1);
    let batch = Batch {
        shard: 0,
        first_row: 0,
        records: records(&many, true),
        originals: None,
        rejected: Vec::new(),
        bytes: 0,
    };
    let mut out = Emit::default();
    fingerprint.process(&batch, &mut out).unwrap();
    let mut table = KeyTable::<Rows>::default();
    Join::new(Arc::new(options.clone())).add_input(&mut table, &out.into_elements()[0]).unwrap();
    assert!(table.bytes() < 10_000, "{}", table.bytes());
    let all = SkewOptions { allow_duplicates: true, ..options };
    // Four million pairs, none of them made.
    let skew = found(&all, &[many.clone(), many], 500, true);
    let a = &skew.results.feature_skew[0];
    assert_eq!((a.match_count, a.mismatch_count), (2_000, 2_000 * 1_999));
}

#[test]
fn what_options_name_has_to_be_there() {
    let check = |options: SkewOptions, sides: [Vec<Example>; 2], expected: &str| {
        let options = Arc::new(options);
        let fingerprint = Fingerprint::new(options.clone(), 1);
        let mut acc = Sides.create_accumulator();
        for (shard, examples) in sides.iter().enumerate() {
            let records = records(examples, false);
            let batch = Batch {
                shard,
                first_row: 0,
                records,
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            };
            let mut out = Emit::default();
            if let Err(error) = fingerprint.process(&batch, &mut out) {
                return assert_eq!(error.to_string(), expected);
            }
            Sides.add_input(&mut acc, &out.into_elements()[0]).unwrap();
        }
        assert_eq!(acc.check(&options).unwrap_err().to_string(), expected);
    };
    let of = |name: &str| SkewOptions { identifiers: vec![name.into()], ..SkewOptions::default() };
    let sides = || [vec![ints(1, &[("a", 5)])], vec![ints(1, &[("b", 5)])]];
    check(
        of("idd"),
        sides(),
        "no example of the base has the identifier feature `idd`\n  detail: There are `a`, \
         `id`.\n  hint: Did you mean `id`?",
    );
    check(
        of("answer"),
        [sides()[0].clone(), vec![ints(1, &[("a", 5)]), ints(1, &[("z.z", 5)])]],
        "no example of the base has the identifier feature `answer`\n  detail: There are `a`, `id`.",
    );
    let text = Example::from([("id", Feature::Bytes(vec![b"1".to_vec()]))]);
    check(
        of("id"),
        [vec![ints(1, &[])], vec![text]],
        "the sides have identifier feature `id` in two types\n  detail: It is INT in the base and \
         BYTES in the test set.\n  hint: Values of two types are never equal, so no examples would \
         be joined: write it in the same type on both sides.",
    );
    let counted = |name: &str| SkewOptions { confusion: vec![name.into()], ..of("id") };
    check(
        counted("q"),
        sides(),
        "no example has the feature `q`\n  detail: There are `a`, `b`, `id`.\n  hint: Did you mean \
         `a`?",
    );
    check(
        counted("a"),
        sides(),
        "the values of feature `a` cannot be counted by pairs\n  detail: It is numeric.\n  hint: \
         Name features of one string with `--confusion`.",
    );
    let two = Feature::Bytes(vec![b"x".to_vec(), b"y".to_vec()]);
    let two = Example::from([("id", Feature::Ints(vec![1])), ("s", two)]);
    check(
        counted("s"),
        [vec![ints(1, &[]), two], vec![]],
        "the values of feature `s` cannot be counted by pairs\n  detail: Row 1 of a shard has 2 \
         values.\n  hint: Name features of one string with `--confusion`.",
    );
}
