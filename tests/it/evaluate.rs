//! Evaluation: scikit-learn's own numbers, and whole commands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::Place;

/// A case of `tests/golden/evaluate/make.py`.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    task: String,
    csv: String,
    expected: BTreeMap<String, BTreeMap<String, Option<f64>>>,
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn scikit_learn_says_the_same() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../golden/evaluate/cases.json")).unwrap();
    let place = Place::new();
    let mut n_compared = 0;
    for case in &cases {
        std::fs::write(place.path("c.csv"), &case.csv).unwrap();
        let mut command =
            vec!["evaluate", "c.csv", "--label", "y", "--prediction", "p", "--json", "-q"];
        command.extend(["--weight", "w", "--slice", "s", "--task", &case.task]);
        if case.name == "probabilities" {
            command.extend(["--multivalent-columns", "p"]);
        }
        let found = json(&place.ok(&command).stdout);
        let slices = found["evaluation"]["slices"].as_array().unwrap();
        assert_eq!(slices.len(), case.expected.len(), "{}", case.name);
        for slice in slices {
            let key = slice["slice"][0][1].as_str().unwrap_or("");
            let expected = &case.expected[key];
            let metrics = slice["metrics"].as_object().unwrap();
            assert_eq!(metrics.len(), expected.len(), "{}: {metrics:?}", case.name);
            for (metric, expected) in expected {
                let found = metrics[metric]["value"].as_f64();
                let is_near = match (found, expected) {
                    (Some(found), Some(x)) => (found - x).abs() <= 1e-9 * x.abs().max(1.0),
                    (None, None) => true,
                    _ => false,
                };
                assert!(is_near, "{} {key} {metric}: {found:?}, not {expected:?}", case.name);
                n_compared += 1;
            }
        }
    }
    assert!(n_compared > 1_500, "{n_compared}");
}

/// 400 rows: `good` scores tell labels apart, `poor` ones hardly, `s` is one of two halves.
fn scored(place: &Place) {
    let mut csv = "y,good,poor,s\n".to_owned();
    for i in 0..400u32 {
        let noise = f64::from(i.wrapping_mul(2_654_435_761) >> 16 & 0xff) / 256.0;
        let y = i % 2;
        let (good, poor) = (0.35 * f64::from(y) + 0.6 * noise, 0.05 * f64::from(y) + 0.9 * noise);
        let half = ["left", "right"][(i / 2 % 2) as usize];
        let _ = writeln!(csv, "{y},{good:.6},{poor:.6},{half}");
    }
    std::fs::write(place.path("d.csv"), csv).unwrap();
}

fn config(place: &Place, metrics: &str) {
    let text = format!(
        r#"{{"modelSpecs": [{{"labelKey": "y", "prediction_key": "good"}}],
            "slicing_specs": [{{}}, {{"feature_keys": ["s"]}}],
            "metrics_specs": [{{"metrics": [{metrics}]}}]}}"#
    );
    std::fs::write(place.path("c.json"), text).unwrap();
}

#[test]
fn thresholds_bless() {
    let place = Place::new();
    scored(&place);
    let reached = r#"{"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": {"value": 0.7}}},
        "per_slice_thresholds": [{"slicing_specs": [{"feature_keys": ["s"]}],
            "threshold": {"valueThreshold": {"lowerBound": 0.6}}}]}"#;
    config(&place, reached);
    let ran = place.ok(&["evaluate", "d.csv", "--config", "c.json", "-o", "e", "-q"]);
    assert!(ran.stdout.contains("BLESSED: 3 of 3 thresholds reached\n"), "{}", ran.stdout);
    assert_eq!(place.bytes("e/BLESSED"), b"");
    assert!(
        place
            .fails(&["evaluate", "d.csv", "--config", "c.json", "-o", "e"])
            .contains("--overwrite")
    );
    let validation = json(&String::from_utf8(place.bytes("e/validation.json")).unwrap());
    assert_eq!(validation["blessed"], true);
    assert_eq!(validation["checks"].as_array().unwrap().len(), 3);

    // The same with a threshold that is not reached: exit code 1, and the other file.
    config(&place, &reached.replace("0.7", "0.99"));
    let ran =
        place.run(&["evaluate", "d.csv", "--config", "c.json", "-o", "e", "--overwrite", "-q"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("`auc` of overall: "), "{}", ran.stdout);
    assert!(place.path("e/NOT_BLESSED").exists() && !place.path("e/BLESSED").exists());

    // Without thresholds nothing is blessed.
    config(&place, r#"{"class_name": "AUC"}"#);
    place.ok(&["evaluate", "d.csv", "--config", "c.json", "-o", "n", "-q"]);
    assert!(!place.path("n/NOT_BLESSED").exists() && !place.path("n/BLESSED").exists());

    // A slice that nobody is in, and one too small, are not blessed.
    config(
        &place,
        &reached.replace(r#"{"feature_keys": ["s"]}"#, r#"{"feature_values": {"s": "up"}}"#),
    );
    let ran = place.run(&["evaluate", "d.csv", "--config", "c.json", "-q"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("missing: no row is in slice s=up"), "{}", ran.stdout);
    config(&place, reached);
    let ran =
        place.run(&["evaluate", "d.csv", "--config", "c.json", "--min-slice-size", "300", "-q"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("the slice has 200 of at least 300 examples"), "{}", ran.stdout);
}

#[test]
fn changes_are_from_a_baseline() {
    let place = Place::new();
    scored(&place);
    let change = r#"{"class_name": "AUC", "threshold": {"change_threshold":
        {"direction": "HIGHER_IS_BETTER", "absolute": {"value": 0.0}, "relative": 0.01}}}"#;
    config(&place, change);
    let rubber = place.ok(&["evaluate", "d.csv", "--config", "c.json", "-o", "good", "-q"]);
    assert!(rubber.stdout.contains("without a baseline: changes were not checked"));
    place.ok(&["evaluate", "d.csv", "--label", "y", "--prediction", "poor", "-o", "poor", "-q"]);
    for baseline in [["--baseline", "poor"], ["--baseline-prediction", "poor"]] {
        let mut command = vec!["evaluate", "d.csv", "--config", "c.json", "-q"];
        command.extend(baseline);
        let better = place.ok(&command);
        assert!(
            better.stdout.contains("BLESSED: 2 of 2 thresholds reached\n"),
            "{}",
            better.stdout
        );
        command.extend(["--prediction", "poor"]);
        let same = place.run(&command);
        assert_eq!(same.code, Some(1), "{}", same.stdout);
        assert!(
            same.stdout.contains("0, but should have relative change >= 0.01"),
            "{}",
            same.stdout
        );
    }
}

#[test]
fn significance_may_be_required() {
    let place = Place::new();
    scored(&place);
    let auc = |bound: f64| {
        format!(
            r#"{{"class_name": "AUC", "threshold": {{"value_threshold": {{"lower_bound": {bound}}}}}}}"#
        )
    };
    config(&place, &auc(0.5));
    let found = place.ok(&[
        "evaluate",
        "d.csv",
        "--config",
        "c.json",
        "--require-significance",
        "--json",
        "-q",
    ]);
    let found = json(&found.stdout);
    let auc_found = &found["evaluation"]["slices"][0]["metrics"]["auc"];
    let (value, lower) =
        (auc_found["value"].as_f64().unwrap(), auc_found["interval"]["lower"].as_f64().unwrap());
    assert!(lower < value && lower > 0.5);
    // Between its lower end and the value: reached, but not with significance.
    config(&place, &auc(f64::midpoint(value, lower)));
    place.ok(&["evaluate", "d.csv", "--config", "c.json", "-q"]);
    let ran =
        place.run(&["evaluate", "d.csv", "--config", "c.json", "--require-significance", "-q"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.starts_with("binary") && ran.stdout.contains("not significant: `auc`"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let place = Place::new();
    scored(&place);
    std::fs::write(place.path("bad.csv"), "y,p,w\n1,0.5,1\n3,0.5,-1\n").unwrap();
    let check = |args: &str, expected: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        let said = place.fails(&args);
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    check("evaluate d.csv --label y", "no column of predictions is named");
    check("evaluate d.csv --label z --prediction good", "there is no column `z`");
    check("evaluate d.csv --label y --prediction z", "there is no column `z`");
    check("evaluate bad.csv --label y --prediction p", "label 3 in row 2 is not from 0 to 1");
    check(
        "evaluate bad.csv --label y --prediction p --task regression --weight w",
        "the weight of row 2 is -1",
    );
    check("evaluate d.csv --label s --prediction good", "label `s` is not numeric");
    check(
        "evaluate d.csv --label y --prediction good --task multiclass",
        "holds floats, not classes",
    );
    check(
        "evaluate d.csv --label y --prediction good --confidence 1",
        "`--confidence 1` is no confidence",
    );
    config(&place, r#"{"class_name": "AUX"}"#);
    check("evaluate d.csv --config c.json", "There is no metric `AUX`.");
    config(&place, r#"{"class_name": "AUC", "treshold": {}}"#);
    check("evaluate d.csv --config c.json", "metrics_specs[0].metrics[0].treshold");
    config(&place, r#"{"class_name": "MeanAbsolutePercentageError"}"#);
    check("evaluate d.csv --config c.json", "is no metric of a binary task");
}

#[test]
fn names_may_be_labels() {
    let place = Place::new();
    std::fs::write(place.path("n.csv"), "y,p\nspam,0.9\nham,0.2\nspam,0.4\nham,0.4\n").unwrap();
    let command = [
        "evaluate",
        "n.csv",
        "--label",
        "y",
        "--prediction",
        "p",
        "--positive",
        "spam",
        "--json",
        "-q",
    ];
    let found = json(&place.ok(&command).stdout);
    // Three of four pairs are in order, and one is a tie.
    assert_eq!(found["evaluation"]["slices"][0]["metrics"]["auc"]["value"], 0.875);
}
