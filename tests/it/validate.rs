//! `frazil validate`, whole: what it prints, what it writes, and how it ends.

use std::fmt::Write as _;

use ops::tfmd::{load_anomalies, load_statistics};
use serde_json::Value;

use crate::cli::Place;

const SCHEMA: &str = "
    feature { name: 'id' type: INT presence { min_fraction: 1 min_count: 1 } shape { dim { size: 1 } } }
    feature { name: 'pay' type: BYTES presence { min_count: 1 } string_domain { value: 'card' value: 'cash' }
      drift_comparator { infinity_norm { threshold: 0.1 } } }
    feature { name: 'fare' type: FLOAT presence { min_count: 1 } float_domain { min: 0 } }
    default_environment: 'TRAINING'";

/// A place with a schema, a day that agrees with it and a day that does not.
fn place() -> Place {
    let place = Place::new();
    place.write("schema.pbtxt", SCHEMA);
    let mut monday = "id,pay,fare\n".to_owned();
    let mut tuesday = monday.clone();
    for i in 0..1000 {
        let _ = writeln!(monday, "{i},{},{}.5", if i % 2 == 0 { "card" } else { "cash" }, i % 9);
        let pay = if i % 10 == 3 { "bitcoin" } else { "card" };
        let _ = writeln!(tuesday, "{i},{pay},{}.5", if i == 70 { -4 } else { i % 9 });
    }
    place.write("monday.csv", &monday);
    place.write("tuesday.csv", &tuesday);
    place
}

#[test]
fn good_data_pass_and_bad_data_do_not() {
    let place = place();
    let clean = place.ok(&["validate", "monday.csv", "--schema", "schema.pbtxt"]);
    assert!(clean.stdout.contains("✓ no anomalies"), "{}", clean.stdout);
    assert!(clean.stderr.starts_with("read 1,000 rows"), "{}", clean.stderr);
    let bad = place.run(&["validate", "tuesday.csv", "--schema", "schema.pbtxt", "-q"]);
    assert_eq!((bad.code, bad.stderr.as_str()), (Some(1), ""));
    for told in [
        "✗ 2 errors",
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "values   \"bitcoin\" 100×",
        "FLOAT_TYPE_SMALL_FLOAT",
        "expected float_domain.min = 0",
        "tuesday.csv row 71: -4.5 (the only row)",
        "drift_comparator of pay: There are no statistics of the previous span.",
    ] {
        assert!(bad.stdout.contains(told), "{told}: {}", bad.stdout);
    }
    // A warning does not close the gate, unless it is asked to.
    let severities = [
        "--severity=ENUM_TYPE_UNEXPECTED_STRING_VALUES=warning",
        "--severity=float_type_small_float=warning",
    ];
    let flags =
        ["validate", "tuesday.csv", "--schema", "schema.pbtxt", severities[0], severities[1]];
    assert!(place.ok(&flags).stdout.contains("✓ passed, with 2 warnings"));
    assert_eq!(place.run(&[&flags[..], &["--fail-on=warning"]].concat()).code, Some(1));
}

#[test]
fn statistics_and_data_give_the_same_verdict() {
    let place = place();
    place.ok(&["stats", "tuesday.csv", "--schema", "schema.pbtxt", "-o", "tuesday.pb", "-q"]);
    let validate = |input: &str, output: &str, more: &[&str]| {
        let flags = ["validate", input, "--schema", "schema.pbtxt", "-o", output, "-q"];
        assert_eq!(place.run(&[&flags, more].concat()).code, Some(1));
        place.bytes(output)
    };
    let of_data = validate("tuesday.csv", "a.pb", &["--statistics", "again.pb"]);
    assert!(of_data == validate("tuesday.pb", "b.pb", &[]));
    assert!(of_data == validate("tuesday.csv", "c.pb", &["--processes", "2"]));
    assert!(place.bytes("again.pb") == place.bytes("tuesday.pb"));
    let anomalies = load_anomalies(&of_data).unwrap();
    assert_eq!(anomalies.anomaly_info.keys().collect::<Vec<_>>(), ["fare", "pay"]);
    assert!(load_statistics(&place.bytes("again.pb")).is_ok());
}

#[test]
fn drift_by_thresholds_and_by_significance() {
    let place = place();
    let json = |flags: &[&str]| -> (Option<i32>, Value) {
        let flags = [&["validate", "--schema", "schema.pbtxt", "-q", "--json"], flags].concat();
        let ran = place.run(&flags);
        (ran.code, serde_json::from_str(&ran.stdout).unwrap())
    };
    let (code, told) = json(&["tuesday.csv", "--previous", "monday.csv"]);
    assert_eq!((code, &told["gate"]), (Some(1), &Value::from("closed")));
    let pay = told["anomalies"].as_array().unwrap().iter().find(|a| a["feature"] == "pay").unwrap();
    let kinds: Vec<_> = pay["reasons"].as_array().unwrap().iter().map(|r| &r["kind"]).collect();
    assert_eq!(kinds, ["ENUM_TYPE_UNEXPECTED_STRING_VALUES", "COMPARATOR_L_INFTY_HIGH"]);
    assert_eq!(pay["reasons"][0]["since"], "this_span");
    // Ten rows are as far from a thousand as samples of one distribution are.
    let monday = std::fs::read_to_string(place.path("monday.csv")).unwrap();
    let cards = monday.lines().filter(|line| line.contains("card")).take(3);
    let few: Vec<&str> =
        monday.lines().take(1).chain(cards).chain(monday.lines().skip(2).take(1)).collect();
    let few = few.join("\n");
    place.write("few.csv", &few);
    let (code, _) = json(&["few.csv", "--previous", "monday.csv"]);
    assert_eq!(code, Some(1));
    let flags = ["few.csv", "--previous", "monday.csv", "--drift-policy", "significant"];
    let (code, told) = json(&flags);
    assert_eq!((code, told["gate"].as_str()), (Some(0), Some("open")), "{told:#}");
    assert_eq!(told["noise"]["pay"][0]["kind"], "COMPARATOR_L_INFTY_HIGH");
}

#[test]
fn values_that_statistics_do_not_list_are_found_in_data() {
    let place = place();
    let flags = ["validate", "tuesday.csv", "--schema", "schema.pbtxt", "-q"];
    let few = "--num-rank-histogram-buckets=1";
    let ran = place.run(&[&flags[..], &[few]].concat());
    assert!(ran.stdout.contains("too rare to be among those"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("string_domain of pay"), "{}", ran.stdout);
    let ran = place.run(&[&flags[..], &[few, "--no-places"]].concat());
    assert!(!ran.stdout.contains("ENUM_TYPE"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("string_domain of pay: The statistics list 1 of 2"),
        "{}",
        ran.stdout
    );
}

#[test]
fn slices_have_verdicts_of_their_own() {
    let place = place();
    let flags = ["validate", "tuesday.csv", "--schema", "schema.pbtxt", "--slice", "pay", "-q"];
    let ran = place.run(&[&flags[..], &["--every-slice", "-o", "a.pbtxt"]].concat());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("pay_bitcoin::pay"), "{}", ran.stdout);
    let anomalies = load_anomalies(&place.bytes("a.pbtxt")).unwrap();
    let keys: Vec<_> = anomalies.anomaly_info.keys().collect();
    assert_eq!(keys, ["'slice(pay_bitcoin)::pay'", "'slice(pay_card)::fare'", "fare", "pay"]);
}

#[test]
fn results_for_ci_systems() {
    let place = place();
    let flags = ["validate", "tuesday.csv", "--schema", "schema.pbtxt", "-q"];
    let ran = place.run(&[&flags[..], &["--github", "--junit", "gate.xml"]].concat());
    assert_eq!(ran.code, Some(1));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.stdout);
    assert!(lines.iter().all(|line| line.starts_with("::error file=schema.pbtxt,title=")));
    let xml = std::fs::read_to_string(place.path("gate.xml")).unwrap();
    assert!(xml.contains("failures=\"2\""), "{xml}");
}

#[test]
fn what_cannot_be_validated_is_one_clear_error() {
    let place = place();
    let check = |flags: &[&str], expected: &str| {
        let said = place.fails(&[&["validate"], flags].concat());
        assert!(said.contains(expected), "{said}");
    };
    check(&["monday.csv"], "there is no schema to validate against");
    check(&["monday.csv", "--schema", "no.pbtxt"], "cannot read `no.pbtxt`");
    check(&["nothing.csv", "--schema", "schema.pbtxt"], "nothing.csv");
    let known = ["monday.csv", "--schema", "schema.pbtxt"];
    check(&[&known[..], &["--environment", "SERVING"]].concat(), "It knows TRAINING.");
    check(&[&known[..], &["-o", "a.xml"]].concat(), "Use .pb, .pbtxt or .json.");
    check(&[&known[..], &["-o", "monday.csv"]].concat(), "monday.csv");
    check(&[&known[..], &["--alpha", "7"]].concat(), "`--alpha 7` is not a share");
    place.write("broken.pbtxt", "feature { name: 'a' typo: 3 }");
    check(&["monday.csv", "--schema", "broken.pbtxt"], "line 1");
    place.write("broken.pb", "not statistics");
    check(&["broken.pb", "--schema", "schema.pbtxt"], "broken.pb");
    let ran = place.run(&["validate", "monday.csv", "--severity", "INT_TYPE_BIG=warning"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("did you mean INT_TYPE_BIG_INT"), "{}", ran.stderr);
    // No examples are no reason to pass.
    place.write("empty.csv", "id,pay,fare\n");
    let ran = place.run(&["validate", "empty.csv", "--schema", "schema.pbtxt", "-q"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("There are no examples"), "{}", ran.stdout);
}
