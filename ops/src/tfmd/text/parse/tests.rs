//! Texts that people write, and what is said about those that are wrong.

use super::*;
use crate::tfmd::testing::{goldens, sibling};
use crate::tfmd::text::print;
use crate::tfmd::{
    Annotation, Anomalies, Any, DatasetFeatureStatisticsList, FeatureCoverageConstraints,
    FloatDomain, IntDomain, NumericStatistics, Path, Schema, encode, pack,
};

/// Reads the text and compares its printed form.
fn check<M: ReflectMessage + Default>(text: &str, expected: &str) {
    let message: M = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(print(&message), expected, "{text}");
}

#[test]
fn layouts() {
    let expected = "feature {\n  name: \"a\"\n  type: INT\n}\n";
    check::<Schema>("feature{name:'a'type:INT}", expected);
    check::<Schema>("# x\nfeature: < name: 'a', type: 2; > # y", expected);
    check::<Schema>("feature [{name: \"a\" type: INT},]", expected);
    check::<Schema>("", "");
    check::<Path>("step: ['a', 'b'] step: 'c' 'd'", "step: \"a\"\nstep: \"b\"\nstep: \"cd\"\n");
    check::<FeatureCoverageConstraints>(
        "excluded_int_tokens: [1, -2] excluded_int_tokens: 0x10 excluded_int_tokens: 010",
        "excluded_int_tokens: 1\nexcluded_int_tokens: -2\nexcluded_int_tokens: 16\n\
         excluded_int_tokens: 8\n",
    );
    check::<Schema>(
        "tensor_representation_group { key: 'b' value {} } \
         tensor_representation_group { key: 'a' }",
        "tensor_representation_group {\n  key: \"a\"\n  value {\n  }\n}\n\
         tensor_representation_group {\n  key: \"b\"\n  value {\n  }\n}\n",
    );
}

#[test]
fn scalars() {
    check::<NumericStatistics>(
        "mean: -0.0 std_dev: 0 min: -inf max: NaN",
        "mean: -0.0\nmin: -inf\nmax: nan\n",
    );
    check::<NumericStatistics>("mean: .5e1f median: 1e+2", "mean: 5.0\nmedian: 100.0\n");
    check::<FloatDomain>("min: 0 max: 3.4028235e38", "min: 0.0\nmax: 3.4028235e+38\n");
    check::<IntDomain>(
        "min: -9223372036854775808 max: 9223372036854775807 is_categorical: t",
        "min: -9223372036854775808\nmax: 9223372036854775807\nis_categorical: true\n",
    );
    check::<Path>(
        r#"step: "\t\'\"\\\?\x41\101\303\251\u00e9\U0001f600é""#,
        "step: \"\\t\\'\\\"\\\\?AAéé😀é\"\n",
    );
}

#[test]
fn any() {
    let expected = Annotation {
        extra_metadata: vec![pack(&NumericStatistics {
            mean: 1.0,
            num_zeros: 2,
            ..Default::default()
        })],
        ..Default::default()
    };
    let text = "extra_metadata { [type.googleapis.com/tensorflow.metadata.v0.NumericStatistics] \
                { num_zeros: 2 mean: 1 max: 0 } }";
    assert_eq!(parse::<Annotation>(text).unwrap(), expected);
    let any: Any = parse_any("type_url: 'a/b' value: '\\377'");
    assert_eq!(any, Any { type_url: "a/b".into(), value: vec![255] });
}

fn parse_any(text: &str) -> Any {
    let text = format!("extra_metadata {{ {text} }}");
    parse::<Annotation>(&text).unwrap().extra_metadata.remove(0)
}

fn check_error<M: ReflectMessage + Default + std::fmt::Debug>(
    text: &str,
    message: &str,
    hint: Option<&str>,
) {
    let error = parse::<M>(text).unwrap_err();
    assert_eq!((error.message(), error.hint()), (message, hint), "{text}");
}

#[test]
fn errors() {
    check_error::<Schema>(
        "feature {\n  tpe: INT }",
        "line 2, column 3: `Feature` has no field `tpe`",
        Some("Did you mean `type`?"),
    );
    check_error::<Schema>(
        "feature { type: BITES }",
        "line 1, column 17: `FeatureType` has no value `BITES`",
        Some("Did you mean `BYTES`?"),
    );
    for (text, message) in [
        ("feature { name 'a' }", "line 1, column 16: expected `:` after `name`, found a string"),
        ("feature { name: }", "line 1, column 17: expected a string, found `}`"),
        (
            "feature {",
            "line 1, column 10: expected the name of a field or `}`, found the end of the text",
        ),
        (
            "feature {\n name: 'a' >",
            "line 2, column 12: expected the name of a field or `}`, found `>`",
        ),
        (
            "feature { value_count { min: -1 } ]",
            "line 1, column 35: expected the name of a field or `}`, found `]`",
        ),
        ("feature ( name: 'a' )", "line 1, column 9: expected `{`, found `(`"),
        ("feature { name: 'a' } }", "line 1, column 23: expected the name of a field, found `}`"),
        ("feature = { name: 'a' }", "line 1, column 9: expected `{`, found `=`"),
        ("feature { type: }", "line 1, column 17: expected a value of `FeatureType`, found `}`"),
        ("feature { presence: 1 }", "line 1, column 21: expected `{`, found `1`"),
        ("// a remark", "line 1, column 1: expected the name of a field, found `/`"),
        (
            "feature { presence { min_fraction: 1,0 } }",
            "line 1, column 38: expected the name of a field or `}`, found `0`",
        ),
        (
            "feature { presence { min_count: --1 } }",
            "line 1, column 34: expected an integer, found `-`",
        ),
        (
            "feature { presence { min_count: 0x } }",
            "line 1, column 33: `0x` is not a 64-bit integer",
        ),
        (
            "feature { presence { min_count: 1e3 } }",
            "line 1, column 33: `1e3` is not a 64-bit integer",
        ),
        ("}", "line 1, column 1: expected the name of a field, found `}`"),
        ("feature { name: 'a' name: 'b' }", "line 1, column 21: `name` is given twice"),
        (
            "feature { int_domain {} domain: 'b' }",
            "line 1, column 25: `domain` and `int_domain` exclude each other",
        ),
        ("feature { deprecated: 2 }", "line 1, column 23: expected `true` or `false`, found `2`"),
        ("feature { name: 'é\\q' }", "line 1, column 19: this is not a known escape in a string"),
        ("feature { name: '\\400' }", "line 1, column 18: this is not a known escape in a string"),
        ("feature { name: '\\xff' }", "line 1, column 17: the string is not valid UTF-8"),
        ("int_domain { min: 1.5 }", "line 1, column 19: `1.5` is not a 64-bit integer"),
        (
            "int_domain { min: -9223372036854775809 }",
            "line 1, column 19: `-9223372036854775809` is not a 64-bit integer",
        ),
        (
            "int_domain { min: 99999999999999999999999999999999999999999 }",
            "line 1, column 19: `99999999999999999999999999999999999999999` is not a 64-bit integer",
        ),
        ("float_domain { min: abc }", "line 1, column 21: `abc` is not a number"),
        (
            "annotation { extra_metadata { [a/b.C] {} } }",
            "line 1, column 31: there is no message type `a/b.C`",
        ),
        (
            "annotation { extra_metadata { [a\n] {} } }",
            "line 1, column 31: expected the address of a type in `[` and `]`, found `[`",
        ),
        ("[a/b.C] {}", "line 1, column 1: expected the name of a field, found `[`"),
    ] {
        check_error::<Schema>(text, message, None);
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested =
        |n: usize| format!("{}{}", "feature { struct_domain { ".repeat(n), "} }".repeat(n));
    let schema: Schema = parse(&nested(49)).unwrap();
    assert_eq!(parse::<Schema>(&print(&schema)).unwrap(), schema);
    let error = parse::<Schema>(&nested(100_000)).unwrap_err();
    assert!(error.message().ends_with("nested more than 100 deep"), "{error}");
}

#[test]
fn any_prefix_of_a_text_is_an_error_or_a_message() {
    let text = "feature { name: 'a\\x41é' value_count { min: 1 } } # x\nannotation { \
                extra_metadata { [t/tensorflow.metadata.v0.Path] { step: ['a'] } } }";
    for end in (0..text.len()).filter(|&i| text.is_char_boundary(i)) {
        let _ = parse::<Schema>(&text[..end]);
    }
    assert!(parse::<Schema>(text).is_ok());
}

#[test]
fn texts_of_tfdv_come_back() {
    for (path, bytes) in
        goldens("pbtxt", |name| name.starts_with("schema") || name.ends_with(".schema"))
    {
        let text = String::from_utf8(bytes).unwrap();
        let schema: Schema = parse(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(print(&schema), text, "{}", path.display());
    }
    for (path, bytes) in goldens("pbtxt", |name| name == "anomalies") {
        let text = String::from_utf8(bytes).unwrap();
        let anomalies: Anomalies = parse(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(print(&anomalies), text, "{}", path.display());
    }
    for (path, bytes) in goldens("pb", |name| name.starts_with("stats")) {
        let Some(text) = sibling(&path, "pbtxt") else {
            continue;
        };
        let text = String::from_utf8(text).unwrap();
        let parsed: DatasetFeatureStatisticsList = parse(&text).unwrap();
        // Text does not keep the sign of NaN.
        let same =
            if text.contains("nan") { print(&parsed) == text } else { encode(&parsed) == bytes };
        assert!(same, "{}", path.display());
    }
}

#[test]
fn errors_with_hints() {
    check_error::<Schema>(
        "feature {\n  name: 'é\n' }",
        "line 2, column 9: expected a string, found a string without an end",
        Some("Close the string on the line it begins on."),
    );
    check_error::<Schema>(
        "feature { name: age }",
        "line 1, column 17: expected a string, found `age`",
        Some("Put it in quotes."),
    );
    check_error::<Schema>(
        "feature { type: 'INT' }",
        "line 1, column 17: expected a value of `FeatureType`, found a string",
        Some("Write it without quotes."),
    );
    check_error::<Schema>(
        "feature { presence { min_count: 08 } }",
        "line 1, column 33: `08` is not a 64-bit integer",
        Some("A 0 in front makes a number octal: leave it out."),
    );
    check_error::<Schema>(
        "feature { string_domian { } }",
        "line 1, column 11: `Feature` has no field `string_domian`",
        Some("Did you mean `string_domain`?"),
    );
    check_error::<Schema>(
        "feature { lifecycle_stage: DEPRECTED }",
        "line 1, column 28: `LifecycleStage` has no value `DEPRECTED`",
        Some("Did you mean `DEPRECATED`?"),
    );
    check_error::<NumericStatistics>(
        "num_zeros: -1",
        "line 1, column 12: `-1` is not an unsigned 64-bit integer",
        None,
    );
    let error = parse::<Schema>("feature {\n  name: 'a'\n\nfeature { name: 'b' }").unwrap_err();
    assert_eq!(error.message(), "line 4, column 1: `Feature` has no field `feature`");
    let error = parse::<Schema>("feature {\n  name: 'a'\n").unwrap_err();
    assert_eq!(error.detail(), Some("The message is opened at line 1, column 9."));
}

/// What errors quote, and what they cost, does not grow with the text.
#[test]
fn long_texts_have_short_errors() {
    const LONG: usize = 10 << 20;
    let check = |text: &str| {
        let error = parse::<Schema>(text).unwrap_err();
        assert!(error.to_string().len() < 400, "{}", error.to_string().len());
    };
    let word = "x".repeat(LONG);
    check(&word);
    check(&format!("feature {{ type: {word} }}"));
    check(&format!("feature {{ name: {word} }}"));
    check(&format!("feature {{ name: '{word}"));
    check(&format!("feature {{ name: '{word}\\q' }}"));
    check(&format!("feature {{ presence {{ min_count: {} }} }}", "9".repeat(LONG)));
    check(&format!("feature {{ presence {{ min_fraction: 1{word} }} }}"));
    check(&format!("annotation {{ extra_metadata {{ [{word}] {{}} }} }}"));
    check(&"{".repeat(LONG));
    check(&"feature < ".repeat(LONG / 10));
    check(&"annotation { extra_metadata { [a/tensorflow.metadata.v0.Schema] { ".repeat(100_000));
    let schema: Schema = parse(&format!("feature {{ name: '{word}' }}")).unwrap();
    assert_eq!(schema.feature[0].name().len(), LONG);
    assert_eq!(parse::<Schema>(&print(&schema)).unwrap(), schema);
}

/// Numbers outside their type are errors, but a floating-point one may become infinite, as it does
/// for every reader of this form.
#[test]
fn huge_numbers() {
    check::<FloatDomain>("max: 1e39 min: -1e999", "min: -inf\nmax: inf\n");
    check::<FloatDomain>("min: 1e-60", "min: 0.0\n");
    check::<IntDomain>("max: 0x7fffffffffffffff", "max: 9223372036854775807\n");
    check_error::<FloatDomain>(
        "embedding_dim: 9223372036854775808",
        "line 1, column 16: `9223372036854775808` is not a 64-bit integer",
        None,
    );
}

#[test]
fn places_of_fields() {
    let text = "# made by hand\nfeature { name: 'a' value_counts {\n  value_count { min: 1 }\n  \
                value_count: { max: 2 } } }\nfeature: [ { name: 'é' type: INT },\n  { name: 'c' } ]\n\
                string_domain { value: ['x',\n 'y'] value: 'z' }";
    let (schema, places) = parse_with_places::<Schema>(text).unwrap();
    assert_eq!(schema, parse::<Schema>(text).unwrap());
    let check = |field: &str, expected: Option<(usize, usize)>| {
        assert_eq!(places.of(field), expected, "{field}");
    };
    check("feature[0]", Some((2, 1)));
    check("feature[0].value_counts.value_count[1].max", Some((4, 18)));
    check("feature[0].value_counts.value_count[1].min", Some((4, 3)));
    check("feature[1].name", Some((5, 14)));
    check("feature[1].type", Some((5, 24)));
    check("feature[2]", Some((6, 3)));
    check("string_domain[0].value[1]", Some((8, 2)));
    check("string_domain[0].value[2]", Some((8, 7)));
    check("feature[3]", None);
}

/// What the fuzzing target `schema_text` asks of any text, of texts that are broken a little.
#[test]
fn damaged_texts_are_errors_or_come_back() {
    let whole = "# x\nfeature { name: 'a\\x41é' type: INT value_count { min: 1 max: -2 } }\n\
                 feature: [{ name: \"b\" 'c' float_domain { min: -1.5e3 max: inf } }]\n\
                 string_domain < name: 'd' value: ['x', 'y'] is_categorical: CATEGORICAL_YES >\n\
                 annotation { extra_metadata { [t/tensorflow.metadata.v0.Path] { step: 'a' } } }\n\
                 feature { name: 'd' struct_domain { feature { deprecated: t } } presence {} }\n";
    let pieces = [
        "{", "}", "<", "[", "]", ":", ",", "'", "\"", "\\", "-", "0", "feature", "nan", "é", "\n",
        "#", " ",
    ];
    let mut seed = 11_u64;
    let mut random = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % n
    };
    let mut parsed = 0;
    for _ in 0..3000 {
        let mut text = whole.to_owned();
        for _ in 0..=random(3) {
            let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
            let (from, len) = (random(places.len()), random(12));
            let to = places.get(from + len).copied().unwrap_or(text.len());
            text.replace_range(places[from]..to, pieces[random(pieces.len())]);
        }
        match parse_with_places::<Schema>(&text) {
            Err(error) => assert!(error.message().starts_with("line "), "{text}: {error}"),
            Ok((schema, _)) => {
                let printed = print(&schema);
                let again: Schema = parse(&printed).unwrap();
                assert_eq!(print(&again), printed, "{text}");
                parsed += 1;
            }
        }
    }
    assert!((10..2900).contains(&parsed), "{parsed}");
}
