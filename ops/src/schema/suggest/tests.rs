//! Every kind of suggestion, made and not made.

use std::collections::BTreeSet;

use super::*;
use crate::schema::{InferOptions, check, infer_schema};
use crate::tfmd::text::parse;

/// The suggestions for one feature `name` of 10,000 examples: kind and diff.
fn suggested(name: &str, stats: &str) -> Vec<(&'static str, String)> {
    let text = format!(
        "datasets {{ num_examples: 10000 features {{ path {{ step: '{name}' }} {stats} }} }}"
    );
    let statistics = parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let schema = infer_schema(&statistics, &InferOptions::default()).unwrap();
    let suggested = suggest(&schema, &statistics).unwrap();
    for finding in check(&suggested.schema, None) {
        assert!(finding.code == "not_checked", "{finding:?}");
    }
    // What was suggested is not suggested again.
    let again = suggest(&suggested.schema, &statistics).unwrap();
    assert_eq!(again.suggestions, [], "{text}");
    let own = suggested.suggestions.iter().filter(|s| !s.path.is_empty());
    own.map(|s| {
        let lines = SchemaDiff { changes: s.changes.clone(), same_bytes: false }.to_string();
        let mut lines = lines.replace(&format!("{name}."), "");
        // Thresholds are simulated: only that there is one, and that it can be passed, is said here.
        if let Some((before, after)) = lines.split_once("threshold: ") {
            let (threshold, rest) = after.split_once(' ').unwrap();
            assert!((0.02..1.0).contains(&threshold.parse().unwrap()), "{lines}");
            lines = format!("{before}threshold: … {rest}");
        }
        (s.kind, lines)
    })
    .collect()
}

fn check_lines(name: &str, stats: &str, expected: &[(&str, &[&str])]) {
    let found = suggested(name, stats);
    let found: Vec<(&str, Vec<&str>)> =
        found.iter().map(|(kind, lines)| (*kind, lines.lines().collect())).collect();
    let expected: Vec<(&str, Vec<&str>)> =
        expected.iter().map(|(kind, lines)| (*kind, lines.to_vec())).collect();
    assert_eq!(found, expected, "{name} {stats}");
}

const COMMON: &str = "common_stats { num_non_missing: 10000 min_num_values: 1 max_num_values: 1
    tot_num_values: 10000 }";

fn numbers(kind: &str, inside: &str) -> String {
    format!("type: {kind} num_stats {{ {COMMON} {inside} }}")
}

#[test]
fn ranges() {
    check_lines(
        "x",
        &numbers("INT", "min: 3 max: 900"),
        &[("range", &["+ int_domain: { min: 0 max: 1800 } (tightened)"])],
    );
    check_lines(
        "x",
        &numbers("INT", "min: -3 max: 9"),
        &[("range", &["+ int_domain: { min: -3 max: 9 } (tightened)"])],
    );
    check_lines(
        "x",
        &numbers("FLOAT", "min: -1.25 max: 0.01"),
        &[("range", &["+ float_domain: { min: -2.5 max: 0.1 } (tightened)"])],
    );
    check_lines(
        "x",
        &numbers(
            "FLOAT",
            "min: 0.5 max: 1 histograms { buckets { low_value: 0.5 high_value: 1 } }",
        ),
        &[
            ("range", &["+ float_domain: { min: 0.5 max: 1.5 } (tightened)"]),
            (
                "finite",
                &[
                    "~ float_domain.disallow_nan: unset → true (tightened)",
                    "~ float_domain.disallow_inf: unset → true (tightened)",
                ],
            ),
        ],
    );
    check_lines("x", &numbers("FLOAT", "min: 0 max: inf"), &[]);
    check_lines("x", &numbers("INT", "max: 1"), &[]);
    check_lines(
        "x",
        "num_stats { common_stats { num_non_missing: 9999 num_missing: 1 } min: 1 max: 5 }",
        &[("min_fraction", &["~ presence.min_fraction: unset → 0.89 (tightened)"])],
    );
}

#[test]
fn integers_that_are_no_quantities() {
    let hours = numbers("INT", "min: 0 max: 23");
    check_lines(
        "pickup_hour",
        &hours,
        &[
            ("categorical", &["+ int_domain: { is_categorical: true } (tightened)"]),
            (
                "range",
                &[
                    "~ int_domain.min: unset → 0 (tightened)",
                    "~ int_domain.max: unset → 23 (tightened)",
                ],
            ),
        ],
    );
    check_lines("hours", &hours, &[("range", &["+ int_domain: { min: 0 max: 23 } (tightened)"])]);
    check_lines(
        "start",
        &numbers("INT", "min: 1500000000 max: 1600000000"),
        &[("timestamp", &["+ time_domain: { integer_format: UNIX_SECONDS }"])],
    );
    check_lines(
        "start",
        &numbers("INT", "min: 1500000000000 max: 1600000000000"),
        &[("timestamp", &["+ time_domain: { integer_format: UNIX_MILLISECONDS }"])],
    );
    check_lines(
        "birthDate",
        &numbers("INT", "min: 8000 max: 19000"),
        &[("timestamp", &["+ time_domain: { integer_format: UNIX_DAYS }"])],
    );
    check_lines(
        "price",
        &numbers("INT", "min: 8000 max: 19000"),
        &[("range", &["+ int_domain: { min: 8000 max: 30000 } (tightened)"])],
    );
}

fn strings(unique: u64, labels: impl IntoIterator<Item = (String, u64)>) -> String {
    let buckets = labels
        .into_iter()
        .map(|(label, n)| format!("buckets {{ label: '{label}' sample_count: {n} }}"))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "type: STRING string_stats {{ {COMMON} unique: {unique} rank_histogram {{ {buckets} }} }}"
    )
}

#[test]
fn texts() {
    let of =
        |unique: u64, label: fn(u64) -> String| strings(unique, (0..200).map(|i| (label(i), 10)));
    check_lines(
        "x",
        &of(10_000, |i| format!("AB-{i:04}")),
        &[
            ("format", &["+ annotation: { comment: \"form: [A-Z]{2}-[0-9]{4}\" }"]),
            ("key", &["+ annotation.tag: \"key\""]),
        ],
    );
    check_lines(
        "x",
        &of(200, |i| format!("https://a.b/{i}")),
        &[
            ("format", &["+ url_domain: {}"]),
            ("drift", &["+ drift_comparator: { infinity_norm { threshold: … } } (tightened)"]),
        ],
    );
    check_lines(
        "x",
        &of(5000, |i| format!("2024-01-{:02}", i % 31 + 1)),
        &[("drift", &["+ drift_comparator: { infinity_norm { threshold: … } } (tightened)"])],
    );
    check_lines(
        "x",
        &of(200, |i| format!("{i}.5")),
        &[
            ("number_in_text", &["+ float_domain: {} (tightened)"]),
            ("drift", &["+ drift_comparator: { infinity_norm { threshold: … } } (tightened)"]),
        ],
    );
    let words = |i: u64| format!("{}{}", "x".repeat(i as usize % 7), "é");
    let many = strings(300, (0..200).map(|i| (format!("{}{i}", words(i)), 25)));
    check_lines(
        "x",
        &many,
        &[
            ("distinct", &["+ unique_constraints: { min: 150 max: 600 } (tightened)"]),
            ("drift", &["+ drift_comparator: { infinity_norm { threshold: … } } (tightened)"]),
        ],
    );
}

#[test]
fn lists_and_structs() {
    let list = "num_stats { common_stats { num_non_missing: 10000 min_num_values: 1
        max_num_values: 7 tot_num_values: 30000 } max: 1 }";
    check_lines("x", list, &[("list_length", &["~ value_count.max: unset → 14 (tightened)"])]);
    let empty = list.replace("min_num_values: 1", "");
    check_lines("x", &empty, &[("list_length", &["+ value_count: { max: 14 } (tightened)"])]);
    let text = "datasets { num_examples: 500
        features { path { step: 's' } type: STRUCT struct_stats {} }
        features { path { step: 's' step: 'a' } type: FLOAT num_stats { common_stats {
          num_non_missing: 400 num_missing: 100 tot_num_values: 400 } min: 1 max: 2 } } }";
    let statistics = parse(text).unwrap();
    let schema = infer_schema(&statistics, &InferOptions::default()).unwrap();
    let suggested = suggest(&schema, &statistics).unwrap();
    assert_eq!(
        suggested.diff(),
        "+ dataset_constraints: { num_examples_drift_comparator { min_fraction_threshold: 0.5 \
         max_fraction_threshold: 2.0 } } (tightened)\n    num_examples: 500 examples, of one dataset.\n\
         + s.a.float_domain: { min: 1.0 max: 3.0 } (tightened)\n    \
         range: 400 values from 1 to 2; the ends are twice as far from the median.\n"
    );
    let text = suggested.text();
    assert!(text.starts_with("# Suggested by statistics"), "{text}");
    assert_eq!(parse::<Schema>(&text).unwrap(), suggested.schema);
    assert_eq!(suggest(&Schema::default(), &statistics).unwrap().suggestions.len(), 1);
}

#[test]
fn few_values_suggest_nothing() {
    let text = "datasets { num_examples: 99 features { path { step: 'hour' } num_stats {
        common_stats { num_non_missing: 99 tot_num_values: 99 } max: 23 } } }";
    let statistics = parse(text).unwrap();
    let schema = infer_schema(&statistics, &InferOptions::default()).unwrap();
    let suggested = suggest(&schema, &statistics).unwrap();
    assert_eq!(suggested.suggestions, []);
    assert_eq!(suggested.schema, schema);
}

#[test]
fn rounding_and_words() {
    let check = |x: f64, down: f64, up: f64| {
        assert_eq!((outward(x, x, false), outward(x, x, true)), (down, up), "{x}");
    };
    check(0.0, 0.0, 0.0);
    check(99.1, 99.0, 100.0);
    check(1234.0, 1200.0, 1300.0);
    check(-1234.0, -1300.0, -1200.0);
    check(0.3, 0.3, 0.3);
    check(0.001_234, 0.0012, 0.0013);
    check(12.0, 12.0, 12.0);
    assert_eq!((outward(41.663, 0.3533, false), outward(42.016, 0.3533, true)), (41.66, 42.02));
    assert_eq!(outward(5.0, 0.0, true), 5.0);
    assert_eq!(words_of("trip_startHour-2"), ["trip", "start", "hour", "2"]);
    assert_eq!(words_of("ZIP"), ["zip"]);
    let names: BTreeSet<&str> = SUGGESTIONS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), SUGGESTIONS.len());
}
