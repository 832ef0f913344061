//! Which rows are looked at, and what is reported of them.

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch};

use super::*;
use crate::stats::laws;
use crate::tfmd::DatasetFeatureStatistics;

/// A label, a number that gives it away, one that does not, and lists.
fn records(n: i64) -> RecordBatch {
    let text = |i: i64| if i % 2 == 0 { &b"even"[..] } else { b"odd" };
    let random = |i: i64| (i.wrapping_mul(6_364_136_223_846_793_005) >> 33) as f64;
    let telling = (0..n).map(|i| (i % 2) as f64 * 10.0 + random(i) / 1e9);
    let lists = (0..n).map(|i| (i % 5 > 0).then(|| (0..i % 3).map(move |k| Some(i % 2 + k * 10))));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("label", laws::strings((0..n).map(|i| Some(text(i))))),
        ("lists", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
        ("missing", Arc::new(Int64Array::from(vec![None::<i64>; n as usize]))),
        ("noise", Arc::new((0..n).map(|i| Some(random(i))).collect::<Float64Array>())),
        ("telling", Arc::new(telling.map(Some).collect::<Float64Array>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn run(f: MutualInformation, records: &RecordBatch) -> BTreeMap<String, Vec<String>> {
    thread_local! {
        static SETTINGS: std::cell::RefCell<Option<MutualInformation>> = const { std::cell::RefCell::new(None) };
    }
    SETTINGS.with(|settings| *settings.borrow_mut() = Some(f));
    let generator = DatasetGenerator {
        name: "test",
        doc: "",
        new: |_| SETTINGS.with(|settings| Some(Arc::new(settings.borrow().clone()?) as _)),
    };
    let same = |a: &DatasetFeatureStatistics, b: &DatasetFeatureStatistics| a == b;
    let dataset = laws::dataset(&generator, &StatsOptions::default(), records, same);
    let features = dataset.features.iter();
    features
        .map(|feature| {
            let Some(crate::tfmd::feature_name_statistics::FieldId::Path(path)) = &feature.field_id
            else {
                panic!("{feature:?}")
            };
            (path.step.join("."), laws::custom(feature))
        })
        .collect()
}

fn number(found: &BTreeMap<String, Vec<String>>, feature: &str) -> f64 {
    let [only] = found[feature].as_slice() else { panic!("{found:?}") };
    only.strip_prefix("adjusted_mutual_information: ").unwrap().parse().unwrap()
}

#[test]
fn features_tell_what_they_can() {
    let found = run(MutualInformation::new("label", None), &records(150));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["lists", "noise", "telling"]);
    assert!(number(&found, "telling") > 0.9, "{found:?}");
    assert!(number(&found, "noise") < 0.1, "{found:?}");
    assert!(number(&found, "lists") > 0.2, "{found:?}");
    let f = MutualInformation {
        normalize_by_max: true,
        features_to_ignore: vec!["lists".into()],
        ..MutualInformation::new("telling", None)
    };
    let found = run(f, &records(150));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["label", "noise"]);
    assert!(number(&found, "label") < 1.0);
}

#[test]
fn a_sample_depends_on_rows_alone() {
    // The laws are checked with fewer rows than there are.
    let f = MutualInformation { n_sampled: 40, ..MutualInformation::new("label", None) };
    let found = run(f, &records(150));
    assert!(number(&found, "telling") > 0.8, "{found:?}");
}

#[test]
fn partitions_are_summed_up() {
    let f = MutualInformation { partitions: 3, ..MutualInformation::new("label", None) };
    let found = run(f, &records(150));
    let names: Vec<&str> =
        found["telling"].iter().map(|text| text.split_once(": ").unwrap().0).collect();
    assert_eq!(
        names,
        [
            "max_adjusted_mutual_information",
            "mean_adjusted_mutual_information",
            "median_adjusted_mutual_information",
            "min_adjusted_mutual_information",
            "num_partitions_adjusted_mutual_information",
            "std_dev_adjusted_mutual_information",
        ]
    );
    assert_eq!(found["telling"][4], "num_partitions_adjusted_mutual_information: 3");
    assert_eq!(summary(vec![4.0, 1.0]).map(|(_, value)| value), [1.0, 4.0, 2.5, 2.5, 1.5, 2.0]);
}

#[test]
fn nothing_to_tell() {
    assert_eq!(run(MutualInformation::new("label", None), &records(3)), BTreeMap::new());
    assert_eq!(run(MutualInformation::new("nowhere", None), &records(30)), BTreeMap::new());
    assert_eq!(run(MutualInformation::new("missing", None), &records(30)), BTreeMap::new());
    let ignored = StatsOptions { mutual_information: true, ..Default::default() };
    assert!((GENERATOR.new)(&ignored).is_none());
}
