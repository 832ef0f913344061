//! The rules of inference, one by one.

use super::*;

/// Statistics of 10 examples with these features, and the schema in one line.
fn inferred(features: &str, options: &InferOptions) -> String {
    let text = format!("datasets {{ num_examples: 10 {features} }}");
    let statistics = text::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let schema = infer_schema(&statistics, options).unwrap();
    text::print(&schema).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(features: &str, expected: &str) {
    assert_eq!(inferred(features, &InferOptions::default()), expected, "{features}");
}

/// A feature of numbers with these common statistics.
fn numbers(common: &str) -> String {
    format!("features {{ path {{ step: 'a' }} num_stats {{ common_stats {{ {common} }} }} }}")
}

#[test]
fn presence() {
    let check = |common: &str, expected: &str| {
        check(&numbers(common), &format!("feature {{ name: \"a\" {expected} }}"));
    };
    check("num_non_missing: 10", "type: INT presence { min_fraction: 1.0 min_count: 1 }");
    check("num_non_missing: 9 num_missing: 1", "type: INT presence { min_count: 1 }");
    check("num_missing: 10", "type: INT presence { min_count: 0 }");
    // A feature that nobody has gets no shape either.
    check(
        "num_missing: 10 min_num_values: 1 max_num_values: 1",
        "type: INT presence { min_count: 0 }",
    );
}

#[test]
fn numbers_of_values() {
    // What comes before the type in the order of fields, and what comes after the presence.
    let check = |common: &str, with: (&str, &str), without: (&str, &str)| {
        let features = numbers(&format!("num_non_missing: 10 {common}"));
        let present = "type: INT presence { min_fraction: 1.0 min_count: 1 }";
        for (infer_feature_shape, (before, after)) in [(true, with), (false, without)] {
            let options = InferOptions { infer_feature_shape, ..Default::default() };
            let expected = format!("feature {{ name: \"a\" {before} {present} {after} }}");
            let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(inferred(&features, &options), expected, "{common}");
        }
    };
    let level = |min: u64, max: u64, missing: u64| {
        format!(
            "presence_and_valency_stats {{ num_missing: {missing} min_num_values: {min} \
             max_num_values: {max} }}"
        )
    };
    check(
        "min_num_values: 2 max_num_values: 2",
        ("", "shape { dim { size: 2 } }"),
        ("value_count { min: 2 max: 2 }", ""),
    );
    let check_both = |common: &str, expected| check(common, expected, expected);
    check_both("min_num_values: 2 max_num_values: 3", ("value_count { min: 1 }", ""));
    check_both("max_num_values: 3", ("", ""));
    check_both(&level(0, 3, 0), ("", ""));
    check(
        &(level(2, 2, 0) + &level(3, 3, 0)),
        ("", "shape { dim { size: 2 } dim { size: 3 } }"),
        ("", "value_counts { value_count { min: 2 max: 2 } value_count { min: 3 max: 3 } }"),
    );
    check_both(
        &(level(2, 2, 0) + &level(3, 3, 1)),
        ("", "value_counts { value_count { min: 2 max: 2 } value_count { min: 3 max: 3 } }"),
    );
    check_both(
        &(level(2, 4, 0) + &level(0, 3, 0)),
        ("", "value_counts { value_count { min: 1 } value_count { } }"),
    );
}

#[test]
fn bools() {
    let check = |stats: &str, expected: &str| {
        let features = format!("features {{ path {{ step: 'a' }} {stats} }}");
        let start = "feature { name: \"a\" type: ";
        let inferred = inferred(&features, &InferOptions::default());
        let found = inferred.strip_prefix(start).unwrap();
        let found = found.replace(" presence { min_count: 0 }", "");
        assert_eq!(found, expected, "{stats}");
    };
    check("num_stats { max: 1 }", "INT bool_domain { } }");
    check("num_stats { min: 1 max: 1 }", "INT bool_domain { } }");
    check("num_stats { min: -1 max: 1 }", "INT }");
    check("num_stats { }", "INT }");
    check("type: FLOAT num_stats { max: 1 }", "FLOAT }");
    check("type: BYTES bytes_stats { }", "BYTES }");
    let strings = |labels: &[&str]| {
        let buckets = labels.iter().map(|l| format!("buckets {{ label: '{l}' }}"));
        let buckets = buckets.collect::<Vec<_>>().concat();
        format!("type: STRING string_stats {{ rank_histogram {{ {buckets} }} }}")
    };
    let domain = |inside: &str| format!("BYTES bool_domain {{ {inside} }} }}");
    check(&strings(&["true"]), &domain("true_value: \"true\""));
    check(&strings(&["false"]), &domain("false_value: \"false\""));
    check(&strings(&["0", "1"]), &domain("true_value: \"1\" false_value: \"0\""));
    check(&strings(&["SET", "0"]), &domain("true_value: \"SET\" false_value: \"0\""));
    check(&strings(&[""]), &domain("true_value: \"\""));
    check(&strings(&[]), "BYTES }");
    let text =
        |values: &str| format!("BYTES domain: \"a\" }} string_domain {{ name: \"a\" {values} }}");
    check(&strings(&["True", "False"]), &text("value: \"False\" value: \"True\""));
    check(&strings(&["true", "1"]), &text("value: \"1\" value: \"true\""));
    check(
        &strings(&["true", "false", "x"]),
        &text("value: \"false\" value: \"true\" value: \"x\""),
    );
    // Integers in strings, however they are written.
    check(&strings(&["0", "-7", "+07", " 3 "]), "BYTES int_domain { } }");
    check(
        &strings(&["1", "9223372036854775808"]),
        &text("value: \"1\" value: \"9223372036854775808\""),
    );
    check(&strings(&["1.0"]), &text("value: \"1.0\""));
    // Categories of integers are strings to the statistics.
    check(
        "string_stats { rank_histogram { buckets { label: '3' } } }",
        "INT domain: \"a\" } string_domain { name: \"a\" value: \"3\" }",
    );
    check(
        "type: STRING string_stats { invalid_utf8_count: 1 rank_histogram { buckets { label: 'x' } } }",
        "BYTES }",
    );
}

#[test]
fn domains_have_names_of_their_own() {
    let feature = |path: &str| {
        format!(
            "features {{ path {{ {path} }} type: STRING string_stats {{
               rank_histogram {{ buckets {{ label: 'b' }} buckets {{ label: 'a' }} }} }} }}"
        )
    };
    let features =
        [feature("step: 'x.y'"), feature("step: 'x' step: 'y'"), feature("step: '\\'x.y\\''")];
    let structs = "features { path { step: 'x' } type: STRUCT struct_stats {} }";
    let found = inferred(&format!("{structs} {}", features.concat()), &InferOptions::default());
    let names: Vec<&str> = found.split("string_domain { name: ").skip(1).collect();
    let names = names.iter().map(|rest| rest.split(" value").next().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, ["\"x.y\"", "\"\\'x.y\\'\"", "\"\\'\\'\\'x.y\\'\\'\\'\""]);
    let two = feature("step: 'a'") + &feature("step: 'a2'");
    let mut schema = Schema::default();
    let taken = StringDomain { name: Some("a".into()), ..Default::default() };
    schema.string_domain = vec![taken.clone(), StringDomain { name: Some("a2".into()), ..taken }];
    let statistics: DatasetFeatureStatistics = text::parse(&two).unwrap();
    for feature in DatasetView::new(&statistics).roots() {
        create_column(&mut schema, feature, &InferOptions::default()).unwrap();
    }
    let names: Vec<&str> = schema.string_domain.iter().map(StringDomain::name).collect();
    assert_eq!(names, ["a", "a2", "a3", "a22"]);
    let small = InferOptions { max_string_domain_size: 1, ..Default::default() };
    assert!(!inferred(&two, &small).contains("domain"));
}

#[test]
fn domains_of_custom_statistics_come_first() {
    let check = |stats: &str, expected: Option<&str>| {
        let statistics: DatasetFeatureStatistics =
            text::parse(&format!("features {{ {stats} }}")).unwrap();
        let found = custom_domain(&statistics.features[0].custom_stats);
        let found = found.map(|domain| Feature { domain_info: Some(domain), ..Default::default() });
        let expected: Option<Feature> = expected.map(|text| text::parse(text).unwrap());
        assert_eq!(found, expected, "{stats}");
    };
    let stat = |text: &str| format!("custom_stats {{ name: 'domain_info' str: '{text}' }}");
    check(&stat("mid_domain {}"), Some("mid_domain {}"));
    check(
        &stat("time_domain { integer_format: UNIX_DAYS }"),
        Some("time_domain { integer_format: UNIX_DAYS }"),
    );
    check(&stat("mid_domain {} name: \"a\""), None);
    check(&stat("name: \"a\""), None);
    check(&stat("no_domain {}"), None);
    check(&stat(""), None);
    check(&(stat("mid_domain {}") + &stat("url_domain {}")), None);
    check("custom_stats { name: 'domain_info' num: 1 }", None);
    check("custom_stats { name: 'domain' str: 'mid_domain {}' }", None);
}

#[test]
fn what_has_no_values_is_left_out() {
    // Without the sparse feature every feature has weights, so they count.
    let weighted =
        "weighted_num_examples: 5 features { path { step: 'a' } num_stats { common_stats {
        num_non_missing: 10 weighted_common_stats { num_non_missing: 0.5 num_missing: 4.5 } } } }
        features { path { step: 's' } custom_stats { name: 'missing_value' num: 1 } }
        features { path { step: 'n' } }";
    check(weighted, "feature { name: \"a\" type: INT presence { min_count: 0 } }");
}

#[test]
fn structs() {
    let child = |path: &str| format!("features {{ path {{ {path} }} num_stats {{ }} }}");
    let of = |name: &str| format!("name: \"{name}\" type: INT presence {{ min_count: 0 }}");
    check(
        &(child("step: 's' step: 'b'")
            + "features { path { step: 's' } type: STRUCT struct_stats {} }"
            + &child("step: 's' step: 'a'")),
        &format!(
            "feature {{ name: \"s\" type: STRUCT presence {{ min_count: 0 }} struct_domain {{ \
             feature {{ {} }} feature {{ {} }} }} }}",
            of("a"),
            of("b")
        ),
    );
    // A struct that the statistics leave out.
    check(
        &child("step: 's' step: 'a'"),
        &format!(
            "feature {{ name: \"s\" type: STRUCT struct_domain {{ feature {{ {} }} }} }}",
            of("a")
        ),
    );
    let deep = child(&"step: 'x' ".repeat(100_000));
    let statistics = text::parse(&format!("datasets {{ {deep} }}")).unwrap();
    let error = infer_schema(&statistics, &InferOptions::default()).unwrap_err();
    assert!(error.message().ends_with("is nested more than 48 deep"), "{error}");
    let deep = text::parse(&format!("datasets {{ {} }}", child(&"step: 'x' ".repeat(48)))).unwrap();
    let schema = infer_schema(&deep, &InferOptions::default()).unwrap();
    assert_eq!(text::parse::<Schema>(&text::print(&schema)).unwrap(), schema);
}

#[test]
fn transformations_come_last() {
    let options = InferOptions {
        schema_transformations: vec![
            |schema, statistics| {
                assert_eq!(statistics.num_examples, 10);
                schema.default_environment.push("TRAINING".to_owned());
                Ok(())
            },
            |schema, _| {
                schema.default_environment.push("SERVING".to_owned());
                Ok(())
            },
        ],
        ..Default::default()
    };
    assert_eq!(
        inferred("", &options),
        "default_environment: \"TRAINING\" default_environment: \"SERVING\""
    );
}
