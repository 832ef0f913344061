//! Lift against its definition, and the same whatever the batches.

use std::collections::BTreeSet;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

use super::super::value_counts::WeightedCount;
use super::super::{column, laws};
use super::*;
use crate::tfmd::feature_name_statistics::Stats;
use crate::tfmd::{DatasetFeatureStatistics, FeatureNameStatistics, StringStatistics};

const WORDS: [&str; 4] = ["a", "b", "ü", ""];

fn records(n: u64) -> RecordBatch {
    let mut x = ListBuilder::new(StringBuilder::new());
    let mut y = Vec::new();
    for i in 0..n {
        let word = |j: u64| WORDS[(i * 7 + j * j * 5 + i * i * i / 9) as usize % 4];
        match i % 5 {
            0 => x.append_null(),
            k => x.append_value((0..k).map(|j| Some(word(j)))),
        }
        y.push((i % 7 != 3).then(|| WORDS[(i * 3 % 11) as usize % 3]));
    }
    let z: Float64Array = (0..n).map(|i| (i % 6 != 0).then_some(i as f64 / 10.0)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("x", Arc::new(x.finish()) as ArrayRef, true),
        ("y", Arc::new(StringArray::from(y)), true),
        ("z", Arc::new(z), true),
        ("w", Arc::new(Int64Array::from_iter_values((0..n as i64).map(|i| i % 4))), true),
    ])
    .unwrap()
}

fn slice(records: &RecordBatch, options: &StatsOptions) -> Slice {
    let mut slice = laws::slice(records, 0);
    if let Some(name) = &options.weight_feature {
        let weights = slice.columns.iter().find(|c| c.path == FeaturePath::column(name));
        let weights: Arc<[f64]> = match &weights.unwrap().values {
            column::Values::Int(values) => values.values().iter().map(|&w| w as f64).collect(),
            _ => unreachable!(),
        };
        slice.columns.iter_mut().for_each(|c| c.weights = Some(weights.clone()));
    }
    slice
}

/// The patched message: from one batch, and the same from many with runs merged by key.
fn lift<S: Tally>(options: StatsOptions, records: &RecordBatch) -> DatasetFeatureStatistics {
    let options = Arc::new(options);
    let counts = LiftCounts::<S>::new(options.clone());
    let y = FeaturePath::column(options.label_feature.as_ref().unwrap());
    let result = |size: usize| {
        let mut table = KeyTable::default();
        for from in (0..records.num_rows()).step_by(size) {
            let part = records.slice(from, size.min(records.num_rows() - from));
            counts.add_slice(&mut table, &slice(&part, &options), &y).unwrap();
        }
        let mut blocks = BTreeMap::<Vec<u8>, KeyedBlock<LiftState<S>>>::new();
        table.drain_sorted(|group, key, state| {
            let mut bytes = Vec::new();
            state.encode(&mut bytes);
            let state = LiftState::decode(&mut bytes.as_slice()).unwrap();
            let block = blocks.entry(group.to_vec());
            block.or_insert_with(|| KeyedBlock::new(group.clone())).push(key, state);
        });
        let lift = Lift::<S>::new(options.clone());
        let mut acc = lift.create_accumulator();
        for block in blocks.values() {
            let mut part = lift.create_accumulator();
            CombineFn::add_input(&lift, &mut part, block).unwrap();
            let bytes = postcard::to_stdvec(&part).unwrap();
            lift.merge_accumulators(&mut acc, postcard::from_bytes(&bytes).unwrap()).unwrap();
        }
        let feature = |name: &str| FeatureNameStatistics {
            field_id: Some(FieldId::Path(FeaturePath::column(name).to_proto())),
            stats: Some(Stats::StringStats(StringStatistics::default())),
            ..Default::default()
        };
        let dataset = DatasetFeatureStatistics {
            num_examples: records.num_rows() as u64,
            features: ["w", "x", "y", "z"].map(feature).into(),
            ..Default::default()
        };
        let mut list = DatasetFeatureStatisticsList { datasets: vec![dataset] };
        lift.extract_output(acc).unwrap().patch(&mut list);
        list.datasets.remove(0)
    };
    let whole = result(usize::MAX >> 1);
    assert_eq!(result(1), whole);
    assert_eq!(result(7), whole);
    whole
}

fn series_of(dataset: &DatasetFeatureStatistics) -> Vec<LiftSeries> {
    assert_eq!(dataset.cross_features.len(), 1);
    match &dataset.cross_features[0].cross_stats {
        Some(CrossStats::CategoricalCrossStats(stats)) => stats.lift.clone().unwrap().lift_series,
        other => panic!("{other:?}"),
    }
}

fn text_of(value: &LiftValue) -> &str {
    match &value.x_value {
        Some(XValue::XString(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn label(name: &str) -> StatsOptions {
    StatsOptions { label_feature: Some(name.into()), ..StatsOptions::default() }
}

#[test]
fn lift_is_that_of_sets() {
    let records = records(200);
    let slice = laws::slice(&records, 0);
    let sets = |name: &str| {
        let column = slice.columns.iter().find(|c| c.path == FeaturePath::column(name));
        let presence = Presence::of(column.unwrap()).unwrap();
        let mut sets = vec![BTreeSet::new(); 200];
        for (row, key) in presence.pairs {
            sets[row as usize].insert(presence.keys[key as usize].clone());
        }
        sets
    };
    let (xs, ys) = (sets("x"), sets("y"));
    let dataset = lift::<u64>(label("y"), &records);
    let series = series_of(&dataset);
    assert_eq!(series.len(), 3);
    for (series, y) in series.iter().zip(["a", "b", "ü"]) {
        assert_eq!(series.y_value, Some(YValue::YString(y.into())));
        let has =
            |sets: &[BTreeSet<Vec<u8>>], row: usize, v: &str| sets[row].contains(v.as_bytes());
        let count = |f: &dyn Fn(usize) -> bool| (0..200).filter(|&row| f(row)).count() as u64;
        let n_y = count(&|row| has(&ys, row, y));
        assert_eq!(series.y_count_value, Some(YCountValue::YCount(n_y)));
        assert_eq!(series.lift_values.len(), 4);
        assert!(series.lift_values.is_sorted_by(|a, b| a.lift >= b.lift));
        for value in &series.lift_values {
            let x = text_of(value);
            let n_x = count(&|row| has(&xs, row, x));
            let n_xy = count(&|row| has(&xs, row, x) && has(&ys, row, y));
            assert_eq!(value.x_count_value, Some(XCountValue::XCount(n_x)));
            assert_eq!(value.x_and_y_count_value, Some(XAndYCountValue::XAndYCount(n_xy)));
            assert_eq!(value.lift, n_xy as f64 / n_x as f64 / (n_y as f64 / 200.0));
        }
    }
    let x = &dataset.features[1].custom_stats;
    let names: Vec<_> = x.iter().map(|stat| &*stat.name).collect();
    assert_eq!(names, ["Lift (Y=a)", "Lift (Y=b)", "Lift (Y=ü)"]);
}

#[test]
fn ranges_of_a_number() {
    let options = StatsOptions { label_boundaries: vec![10.0, 2.5, 10.0], ..label("z") };
    // `y` is text too, and would be a second feature.
    let records = records(200).project(&[0, 2]).unwrap();
    let dataset = lift::<u64>(options, &records);
    let series = series_of(&dataset);
    let range = |low_value, high_value| Some(YValue::YBucket(Bucket { low_value, high_value }));
    let ranges: Vec<_> = series.iter().map(|series| series.y_value.clone()).collect();
    let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
    assert_eq!(ranges, [range(low, 2.5), range(2.5, 10.0), range(10.0, high)]);
    let count = (0..25).filter(|i| i % 6 != 0).count() as u64;
    assert_eq!(series[0].y_count_value, Some(YCountValue::YCount(count)));
    let names: Vec<_> = dataset.features[1].custom_stats.iter().map(|stat| &*stat.name).collect();
    assert_eq!(names, ["Lift (Y=[-inf,2.5))", "Lift (Y=[2.5,10.0))", "Lift (Y=[10.0,inf])"]);
}

#[test]
fn the_ends_and_the_rare() {
    let records = records(200);
    let all = series_of(&lift::<u64>(label("y"), &records));
    let ends = |top, bottom| StatsOptions {
        lift_top_k_per_y: top,
        lift_bottom_k_per_y: bottom,
        ..label("y")
    };
    let of = |options| series_of(&lift::<u64>(options, &records)).remove(0).lift_values;
    assert_eq!(
        of(ends(Some(1), Some(1))),
        [&all[0].lift_values[..1], &all[0].lift_values[3..]].concat()
    );
    assert_eq!(of(ends(Some(3), None)), all[0].lift_values[..3]);
    assert_eq!(of(ends(Some(9), Some(9))), all[0].lift_values);
    let mut counts: Vec<_> = all[0].lift_values.iter().map(|v| v.x_count_value).collect();
    counts.sort_by_key(|count| match count {
        Some(XCountValue::XCount(n)) => *n,
        _ => unreachable!(),
    });
    let Some(XCountValue::XCount(least)) = counts[0] else { unreachable!() };
    let rare = StatsOptions { lift_min_x_count: least, ..label("y") };
    assert!(of(rare).len() < 4);
}

#[test]
fn weights_follow_the_counts() {
    let options = StatsOptions { weight_feature: Some("w".into()), ..label("y") };
    let dataset = lift::<WeightedCount>(options, &records(200));
    let series = series_of(&dataset);
    assert_eq!(series.len(), 6);
    assert_eq!(series[..3], series_of(&lift::<u64>(label("y"), &records(200))));
    for (counted, weighted) in series[..3].iter().zip(&series[3..]) {
        assert_eq!(counted.y_value, weighted.y_value);
        assert!(matches!(weighted.y_count_value, Some(YCountValue::WeightedYCount(_))));
    }
}

#[test]
fn labels_that_cannot_be() {
    let slice = laws::slice(&records(5), 0);
    for options in [label("z"), StatsOptions { label_boundaries: vec![1.0], ..label("y") }] {
        let y = FeaturePath::column(options.label_feature.as_ref().unwrap());
        let counts = LiftCounts::<u64>::new(Arc::new(options));
        assert!(counts.add_slice(&mut KeyTable::default(), &slice, &y).is_err());
    }
}

/// Every lift as (value of the label, value, lift).
fn shown(series: &[LiftSeries]) -> Vec<(String, &str, f64)> {
    let of = |series: &LiftSeries| match &series.y_value {
        Some(YValue::YString(text)) => text.clone(),
        Some(YValue::YBucket(bucket)) => bucket.low_value.to_string(),
        other => panic!("{other:?}"),
    };
    let all = series.iter().flat_map(|series| {
        series.lift_values.iter().map(move |value| (of(series), text_of(value), value.lift))
    });
    all.collect()
}

/// What TFDV 1.16.1 gives for the same five examples, weights among them: there the rate of a
/// label's value is its weight by the number of examples, whatever these weigh.
#[test]
fn as_tfdv_computes_it() {
    let mut x = ListBuilder::new(StringBuilder::new());
    x.append_value([Some("a")]);
    x.append_value([Some("a"), Some("b")]);
    x.append_value([Some("b")]);
    x.append_null();
    x.append_value([Some("a")]);
    let y = StringArray::from(vec!["p", "q", "p", "p", "q"]);
    let z = Float64Array::from(vec![Some(0.1), Some(0.5), Some(2.5), Some(3.0), None]);
    // The peer's weights were 1, 2, 4, 8 and 0.5; twice the weight is half the lift.
    let w = Int64Array::from(vec![2, 4, 8, 16, 1]);
    let records = RecordBatch::try_from_iter_with_nullable([
        ("x", Arc::new(x.finish()) as ArrayRef, true),
        ("y", Arc::new(y), true),
        ("z", Arc::new(z), true),
        ("w", Arc::new(w), true),
    ])
    .unwrap();
    let options = StatsOptions { weight_feature: Some("w".into()), ..label("y") };
    let series = series_of(&lift::<WeightedCount>(options, &records));
    let y = |y: &str| y.to_owned();
    let expected = [
        (y("p"), "b", 0.833_333_333_333_333_4),
        (y("p"), "a", 0.555_555_555_555_555_6),
        (y("q"), "a", 1.666_666_666_666_666_5),
        (y("q"), "b", 1.25),
        (y("p"), "b", 0.256_410_256_410_256_4 / 2.0),
        (y("p"), "a", 0.109_890_109_890_109_87 / 2.0),
        (y("q"), "a", 1.428_571_428_571_428_6 / 2.0),
        (y("q"), "b", 0.666_666_666_666_666_6 / 2.0),
    ];
    assert_eq!(shown(&series), expected);
    let options = StatsOptions { label_boundaries: vec![0.5, 2.5], ..label("z") };
    let series = series_of(&lift::<u64>(options, &records.project(&[0, 2]).unwrap()));
    let expected = [
        (y("-inf"), "a", 1.666_666_666_666_666_5),
        (y("-inf"), "b", 0.0),
        (y("0.5"), "b", 2.5),
        (y("0.5"), "a", 1.666_666_666_666_666_5),
        (y("2.5"), "b", 1.25),
        (y("2.5"), "a", 0.0),
    ];
    assert_eq!(shown(&series), expected);
}
