//! What the traps of evaluation promise, on batches by hand.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use engine::{AnyCombineFn, Batch, DoFn, Emit};

use super::*;
use crate::stats::SliceKey;

fn options(task: Task) -> EvaluateOptions {
    EvaluateOptions {
        task,
        label: "y".into(),
        predictions: vec!["p".into()],
        weight: None,
        positive_label: None,
        classes: Vec::new(),
        slices: Vec::new(),
        min_slice_size: 1,
        metrics: default_metrics(task),
        intervals: Intervals::default(),
    }
}

fn predictions(task: Task, y: ArrayRef, p: ArrayRef) -> engine::Result<Predictions> {
    let records =
        RecordBatch::try_from_iter_with_nullable([("y", y, true), ("p", p, true)]).unwrap();
    let batch =
        Batch { shard: 0, first_row: 0, records, originals: None, rejected: Vec::new(), bytes: 0 };
    let mut out = Emit::default();
    ReadPredictions::new(Arc::new(options(task)), &[]).process(&batch, &mut out)?;
    Ok(out.into_elements().remove(0))
}

/// The numbers of all rows that come from sums.
fn sums(task: Task, y: &[Option<f64>], p: &[Option<f64>]) -> Sums {
    let [y, p] = [y, p].map(|x| Arc::new(Float64Array::from(x.to_vec())) as ArrayRef);
    let input = predictions(task, y, p).unwrap();
    let f = SumsFn::new(Replicates::default());
    let mut state = f.create();
    f.add(&mut state, &input).unwrap();
    let all: AllSums = f.extract(f.decode(&f.encode(&state)).unwrap()).unwrap();
    all.slices[&SliceKey::new()][0][0].clone()
}

fn number(task: Task, key: &str, sums: &Sums) -> f64 {
    let metric = METRICS.iter().find(|metric| metric.key == key).unwrap();
    match metric.kind(task) {
        Some(Kind::Sums(f) | Kind::Count(f)) => f(sums),
        _ => panic!("`{key}` is no metric of sums"),
    }
}

#[test]
fn means_far_from_zero_cost_no_digits() {
    let check = |far: f64| {
        let y: Vec<_> = (0..100).map(|i| Some(far + f64::from(i % 10))).collect();
        let p: Vec<_> = (0..100).map(|i| Some(far + f64::from((i + i / 50) % 10))).collect();
        let sums = sums(Task::Regression, &y, &p);
        ["r2_score", "squared_pearson_correlation"].map(|key| number(Task::Regression, key, &sums))
    };
    // A variance that subtracts rounded squares is negative here.
    for (near, far) in check(0.0).into_iter().zip(check(1e12)) {
        assert!((near - far).abs() < 1e-12 && near > 0.3, "{near} {far}");
    }
}

#[test]
fn a_label_may_be_a_share() {
    let sums = sums(Task::Binary, &[Some(0.25), Some(1.0)], &[Some(0.5), Some(0.5)]);
    assert_eq!([Term::Positive, Term::Negative].map(|term| sums.get(term)), [1.25, 0.75]);
    assert_eq!(number(Task::Binary, "mean_label", &sums), 0.625);
    let half = number(Task::Binary, "binary_cross_entropy", &sums);
    assert!((half - std::f64::consts::LN_2).abs() < 1e-15);
}

#[test]
fn a_missing_prediction_is_no_prediction() {
    let y = [Some(1.0), Some(0.0), None, Some(1.0)];
    for nothing in [None, Some(f64::NAN)] {
        let sums = sums(Task::Binary, &y, &[Some(0.5), nothing, nothing, Some(0.5)]);
        assert_eq!((sums.n, sums.n_undefined, sums.get(Term::Weight)), (3, 1, 3.0));
    }
}

#[test]
fn the_first_of_equal_probabilities_is_predicted() {
    let mut lists = ListBuilder::new(Float64Builder::new());
    lists.append_value([Some(0.2), Some(0.4), Some(0.4)]);
    lists.append_value([Some(0.0), Some(0.0), Some(3.0)]);
    lists.append_value([Some(0.5), None, Some(0.5)]);
    lists.append_value([Some(0.5), Some(f64::NAN), Some(0.5)]);
    lists.append_null();
    let y = Arc::new(Int64Array::from(vec![2, 0, 0, 0, 0]));
    let found = predictions(Task::Multiclass, y, Arc::new(lists.finish())).unwrap();
    let Answers::Classes { names, models, .. } = &found.answers else { panic!("{found:?}") };
    let of = |code: u32| names.get(code as usize).map(String::as_str);
    let predicted: Vec<_> = models[0].predicted.iter().map(|&code| of(code)).collect();
    assert_eq!(predicted, [Some("1"), Some("2"), None, None, None]);
    let losses = models[0].cross_entropy.as_ref().unwrap();
    assert_eq!(losses[..2], [-0.4f64.ln(), -1e-7f64.ln()]);
    // A label that has no probability.
    let mut lists = ListBuilder::new(Float64Builder::new());
    lists.append_value([Some(0.2), Some(0.8)]);
    let y = Arc::new(Int64Array::from(vec![2]));
    let error = predictions(Task::Multiclass, y, Arc::new(lists.finish())).unwrap_err();
    assert_eq!(error.message(), "label `2` in row 1 has no probability");
}

fn evaluation_of(metrics: &[(&str, f64)]) -> Evaluation {
    let of = |&(key, value): &(&str, f64)| {
        (key.to_owned(), Measured { value, interval: None, replicates: Vec::new() })
    };
    let slice = SliceResult {
        slice: SliceKey::new(),
        n_examples: 10,
        n_undefined: 0,
        error: None,
        metrics: metrics.iter().map(of).collect(),
        tables: std::collections::BTreeMap::default(),
    };
    Evaluation {
        version: 1,
        task: Task::Binary,
        label: "y".into(),
        prediction: "p".into(),
        weight: None,
        n_unlabelled: 0,
        min_slice_size: 1,
        intervals: Intervals::default(),
        slices: vec![slice],
    }
}

#[test]
fn thresholds_hold_what_they_say() {
    let check = |value: f64, baseline: f64, json: &str, expected: &[Outcome]| {
        let text = format!(
            r#"{{"metrics_specs": [{{"metrics": [{{"class_name": "AUC"}}], "thresholds": {{"auc": {json}}}}}]}}"#
        );
        let config = load_config(text.as_bytes(), Task::Binary).unwrap();
        let candidate = evaluation_of(&[("auc", value)]);
        let of_baseline = evaluation_of(&[("auc", baseline)]);
        let found = validate(&candidate, Some(&of_baseline), &config.thresholds, false);
        let outcomes: Vec<_> = found.checks.iter().map(|check| check.outcome).collect();
        assert_eq!(outcomes, expected, "{value} {baseline} {json}");
        assert_eq!(found.blessed, Some(expected.iter().all(|outcome| *outcome == Outcome::Passed)));
    };
    use Outcome::{Failed, Passed, Undefined};
    let value = r#"{"value_threshold": {"lower_bound": 0.5, "upper_bound": 0.75}}"#;
    check(0.5, 0.0, value, &[Passed]);
    check(0.75, 0.0, value, &[Passed]);
    check(0.7501, 0.0, value, &[Failed]);
    check(f64::NAN, 0.0, value, &[Undefined]);
    let change = |direction: &str, limits: &str| {
        format!(r#"{{"change_threshold": {{"direction": "{direction}_IS_BETTER", {limits}}}}}"#)
    };
    check(0.75, 0.5, &change("HIGHER", r#""absolute": 0.25"#), &[Passed]);
    check(0.74, 0.5, &change("HIGHER", r#""absolute": 0.25"#), &[Failed]);
    check(0.25, 0.5, &change("LOWER", r#""absolute": -0.25"#), &[Passed]);
    check(0.26, 0.5, &change("LOWER", r#""absolute": -0.25"#), &[Failed]);
    check(0.75, 0.5, &change("HIGHER", r#""relative": 0.5"#), &[Passed]);
    check(0.75, 0.5, &change("HIGHER", r#""absolute": 0.1, "relative": 0.51"#), &[Passed, Failed]);
    check(0.0, 0.0, &change("HIGHER", r#""relative": 0.0"#), &[Undefined]);
    check(0.5, f64::NAN, &change("LOWER", r#""absolute": 0.0"#), &[Undefined]);
}

#[test]
fn what_a_configuration_may_not_say() {
    let check = |json: &str, expected: &str| {
        let error = load_config(json.as_bytes(), Task::Binary).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("{", "an EvalConfig is no JSON");
    check("[]", "an EvalConfig is not an object");
    check(r#"{"modelSpec": []}"#, "unknown field `model_spec`");
    check(
        r#"{"cross_slicing_specs": [{}]}"#,
        "`cross_slicing_specs` of an EvalConfig is not supported",
    );
    check(r#"{"model_specs": [{"label_keys": {"a": "b"}}]}"#, "`model_specs[0].label_keys`");
    check(
        r#"{"slicing_specs": [{"feature_keys": 1}]}"#,
        "`slicing_specs[0].feature_keys` is not a list of names",
    );
    check(
        r#"{"options": {"min_slice_size": -1}}"#,
        "`options.min_slice_size` is not a number of examples",
    );
    check(r#"{"metrics_specs": [{"metrics": [{}]}]}"#, "is not an object with `class_name`");
    check(r#"{"metrics_specs": [{"query_key": "q"}]}"#, "`metrics_specs[0].query_key`");
    check(
        r#"{"metrics_specs": [{"metrics": [{"class_name": "AUC", "config": "{\"curve\": 1}"}]}]}"#,
        "unknown field `metrics_specs[0].metrics[0].config.curve`",
    );
    check(
        r#"{"metrics_specs": [{"metrics": [{"class_name": "AUC"}, {"class_name": "AUC"}]}]}"#,
        "two metrics are called `auc`",
    );
    check(
        r#"{"metrics_specs": [{"metrics": [{"class_name": "AUC"}], "thresholds": {"acu": {"value_threshold": {}}}}]}"#,
        "no metric is called `acu`",
    );
    check(
        r#"{"metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": {"change_threshold": {"absolute": 1}}}]}]}"#,
        "change_threshold.direction` is not HIGHER_IS_BETTER or LOWER_IS_BETTER",
    );
}

#[test]
fn what_a_configuration_asks_for() {
    let json = r#"{
        "modelSpecs": [{"name": "c", "labelKey": "y", "predictionKey": "p", "exampleWeightKey": "w"},
                       {"name": "b", "isBaseline": true, "prediction_key": "q"}],
        "slicingSpecs": [{}, {"featureKeys": ["a"], "featureValues": {"b": "1"}}],
        "metricsSpecs": [{
            "metrics": [{"className": "Precision", "config": "{\"name\": \"mine\"}"}, {"class_name": "Accuracy"}],
            "aggregate": {"macro_average": true, "micro_average": true},
            "binarize": {"class_ids": {"values": [0, 2]}}}],
        "options": {"compute_confidence_intervals": {"value": true}, "min_slice_size": {"value": 5},
                    "confidence_intervals": {"method": "POISSON_BOOTSTRAP"}}}"#;
    let config = load_config(json.as_bytes(), Task::Multiclass).unwrap();
    let names = |model: &ModelSpec| {
        [&model.label, &model.prediction, &model.weight].map(|n| n.clone().unwrap_or_default())
    };
    assert_eq!(names(&config.model), ["y", "p", "w"]);
    assert_eq!(names(config.baseline.as_ref().unwrap()), ["", "q", ""]);
    assert_eq!(config.slices[1].features, [("a".into(), vec![]), ("b".into(), vec!["1".into()])]);
    let keys: Vec<_> = config.metrics.iter().map(|metric| metric.key.as_str()).collect();
    assert_eq!(keys, ["mine_micro", "mine_macro", "mine_class_0", "mine_class_2", "accuracy"]);
    assert_eq!(
        (config.min_slice_size, config.intervals),
        (Some(5), Some(Method::PoissonBootstrap))
    );
    assert_eq!(
        load_config(b"{}", Task::Regression).unwrap().metrics.len(),
        default_metrics(Task::Regression).len()
    );
}

#[test]
fn a_configuration_in_text_format_is_the_same() {
    let json = r#"{
        "model_specs": [{"label_key": "y"}],
        "slicing_specs": [{}, {"feature_keys": ["a"], "feature_values": {"b": "1"}}],
        "metrics_specs": [{
            "metrics": [{"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.5}}},
                        {"class_name": "Recall", "config": "{\"thresholds\": [0.25]}"}],
            "thresholds": {"recall": {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -1e-10}}}}],
        "options": {"min_slice_size": 5}}"#;
    let text = r#"
        model_specs { label_key: "y" }
        slicing_specs {}  # all rows
        slicing_specs { feature_keys: "a" feature_values { key: "b" value: "1" } }
        metrics_specs {
          metrics { class_name: "AUC" threshold { value_threshold { lower_bound { value: 0.5 } } } }
          metrics { class_name: "Recall" config: '{"thresholds": [0.25]}' }
          thresholds {
            key: "recall"
            value { change_threshold { direction: HIGHER_IS_BETTER absolute { value: -1e-10 } } }
          }
        }
        options { min_slice_size { value: 5 } }"#;
    let [json, text] =
        [json, text].map(|config| load_config(config.as_bytes(), Task::Binary).unwrap());
    assert_eq!(format!("{text:?}"), format!("{json:?}"));
}
