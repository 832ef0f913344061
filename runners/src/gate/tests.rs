//! The gate, told in every form.

use ops::tfmd::{load_schema, load_statistics};
use ops::validate::{ControlStatistics, ValidateOptions, validate_statistics};

use super::*;

/// A gate with a hostile feature name, values to list, and a rule that is a warning only.
fn gate(fail_on: Severity) -> Gate {
    let schema = load_schema(
        b"feature { name: 'a<b' type: BYTES string_domain { value: 'x' } presence { min_count: 1 } }
          feature { name: 'n' type: INT int_domain { max: 3 } }
          feature { name: 'gone' type: INT presence { min_count: 1 } }",
    )
    .unwrap();
    let statistics = load_statistics(
        b"datasets { num_examples: 4
           features { path { step: 'a<b' } type: STRING string_stats {
             common_stats { num_non_missing: 4 tot_num_values: 4 } unique: 2 rank_histogram {
             buckets { label: 'x' sample_count: 1 } buckets { label: '\\033[31m%' sample_count: 3 } } } }
           features { path { step: 'n' } type: INT num_stats {
             common_stats { num_non_missing: 4 } max: 9 } } }",
    )
    .unwrap();
    let mut options = ValidateOptions::default();
    options.severities.overrides.push((Type::IntTypeBigInt, Severity::Warning));
    let statistics = statistics.all_examples().unwrap();
    let validation =
        validate_statistics(statistics, ControlStatistics::default(), &schema, &options).unwrap();
    let mut before = validation.clone();
    before.features.remove(&Path::new(["n"]));
    let place = Place { file: "d.csv".to_owned(), row: 3, rows: 3, value: Some("9".to_owned()) };
    let places = BTreeMap::from([((Path::new(["n"]), Type::IntTypeBigInt), place)]);
    Gate {
        data: "d.csv".to_owned(),
        schema: "schema.pbtxt".to_owned(),
        environment: None,
        num_features: 3,
        checked: vec![Checked {
            slice: String::new(),
            examples: 4,
            validation,
            before: Some(before),
            places,
        }],
        comparisons: Vec::new(),
        unchecked: Vec::new(),
        fail_on,
    }
}

#[test]
fn as_text() {
    let told = text(&gate(Severity::Error), TextOptions { width: 80, color: false });
    let expected = "\
d.csv · 4 examples against schema.pbtxt (3 features)
✗ 2 errors, 1 warning

error a<b
  ENUM_TYPE_UNEXPECTED_STRING_VALUES · the previous span has it, too
    Examples contain values missing from the schema: \\033[31m% (~75%).
    expected string_domain = one of 1 values
    found    3 of 4 values outside of the domain
    values   \"\\u{1b}[31m%\" 3×

error gone
  SCHEMA_MISSING_COLUMN · the previous span has it, too
    Column is completely missing
    expected presence = some examples with the feature
    found    no statistics of it

warning n
  INT_TYPE_BIG_INT · new in this span
    Unexpectedly large value: 9.
    expected int_domain.max = 3
    found    9
    first    d.csv row 3: 9 (3 rows in all)
";
    assert_eq!(told, expected);
}

#[test]
fn severity_opens_and_closes() {
    let mut gate = gate(Severity::Error);
    assert!(!gate.is_open());
    gate.checked[0].validation.features.retain(|path, _| path == &Path::new(["n"]));
    assert!(gate.is_open());
    gate.fail_on = Severity::Warning;
    assert!(!gate.is_open());
    gate.checked[0].validation.features.clear();
    assert!(gate.is_open());
    let told = text(&gate, TextOptions { width: 80, color: false });
    assert!(told.contains("✓ no anomalies"), "{told}");
}

#[test]
fn as_xml() {
    let told = junit(&gate(Severity::Error));
    assert!(told.contains("tests=\"4\" failures=\"2\""), "{told}");
    assert!(told.contains("name=\"a&lt;b\""), "{told}");
    assert!(told.contains("<system-out>warning: INT_TYPE_BIG_INT"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn as_annotations() {
    let told = github(&gate(Severity::Error));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("::error file=schema.pbtxt,title=a<b::ENUM_TYPE"), "{told}");
    assert!(lines[0].contains("%25 (~75%25)"), "{told}");
    assert!(lines[2].ends_with("First at d.csv row 3."), "{told}");
}

#[test]
fn as_json() {
    let told: serde_json::Value = serde_json::from_str(&json(&gate(Severity::Error))).unwrap();
    assert_eq!(told["gate"], "closed");
    assert_eq!(told["anomalies"][0]["feature"], "'a<b'".trim_matches('\''));
    assert_eq!(told["anomalies"][0]["reasons"][0]["values"][0]["count"], 3.0);
    assert_eq!(told["anomalies"][2]["reasons"][0]["since"], "this_span");
    assert_eq!(told["anomalies"][2]["reasons"][0]["first"]["row"], 3);
}
