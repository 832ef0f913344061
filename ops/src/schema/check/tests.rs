//! One schema for every kind of mistake.

use std::collections::BTreeSet;

use super::*;
use crate::tfmd::text::parse_with_places;

/// The findings of a schema: code, path, field.
fn check(schema: &str, expected: &[(&str, &str, &str)]) {
    let (schema, places) = parse_with_places::<Schema>(schema).unwrap();
    let found = super::check(&schema, Some(&places));
    let found: Vec<_> = found.iter().map(|f| (f.code, f.path.as_str(), f.field.as_str())).collect();
    assert_eq!(found, expected, "{schema:?}");
}

/// The findings of a feature named `a`, of this type: code and field in it.
fn check_feature(kind: &str, inside: &str, expected: &[(&str, &str)]) {
    let text = format!("feature {{ name: 'a' type: {kind} {inside} }}");
    let fields: Vec<String> = expected.iter().map(|(_, f)| format!("feature[0].{f}")).collect();
    let expected: Vec<_> = expected
        .iter()
        .zip(&fields)
        .map(|((code, _), field)| (*code, "a", field.as_str()))
        .collect();
    check(&text, &expected);
}

#[test]
fn names() {
    check("", &[]);
    check("feature { type: INT }", &[("feature_without_name", "''", "feature[0]")]);
    check("feature { name: 'a' }", &[("feature_without_type", "a", "feature[0]")]);
    check("feature { name: 'a' type: 0 }", &[("feature_without_type", "a", "feature[0].type")]);
    check("feature { deprecated: true }", &[]);
    check(
        "feature { name: 'a' type: INT } feature { name: 'a' type: INT } feature { name: 'a' type: INT deprecated: true }",
        &[("duplicate_feature", "a", "feature[1].name")],
    );
    check(
        "feature { name: 'x' type: INT } feature { name: 'y' type: INT }
         sparse_feature { name: 'x' index_feature { name: 'y' } value_feature { name: 'x' } }
         weighted_feature { name: 'y' feature { step: 'x' } weight_feature { step: 'y' } }",
        &[
            ("duplicate_feature", "x", "sparse_feature[0].name"),
            ("duplicate_feature", "y", "weighted_feature[0].name"),
        ],
    );
    check(
        "feature { name: 's' type: STRUCT struct_domain {
           feature { name: 'a' type: INT } feature { name: 'a' type: INT } } }",
        &[("duplicate_feature", "s.a", "feature[0].struct_domain.feature[1].name")],
    );
    // What is in a retired struct is not validated.
    check("feature { name: 's' type: STRUCT deprecated: true struct_domain { feature {} } }", &[]);
    check(
        "feature { name: 'a' type: BYTES domain: 'd' } string_domain { name: 'd' value: 'x' }
         string_domain { name: 'd' value: 'y' }",
        &[("duplicate_domain", "d", "string_domain[1].name")],
    );
    check(
        "default_environment: 'TRAINING' feature { name: 'a' type: INT in_environment: 'TRAINNG'
         not_in_environment: ['TRAINING', 'X'] }",
        &[
            ("unknown_environment", "a", "feature[0].in_environment[0]"),
            ("unknown_environment", "a", "feature[0].not_in_environment[1]"),
        ],
    );
    check(
        "default_environment: 'T' feature { name: 'a' type: INT in_environment: 'T' not_in_environment: 'T' }",
        &[("unknown_environment", "a", "feature[0].not_in_environment[0]")],
    );
}

#[test]
fn columns_of_others() {
    check(
        "feature { name: 'value' type: INT }
         sparse_feature { name: 's' index_feature { name: 'idx' } value_feature { name: 'valu' }
           dense_shape { dim { size: 3 } dim { size: 4 } } }
         sparse_feature { name: 't' lifecycle_stage: DISABLED }
         weighted_feature { name: 'w' feature { step: 'value' } weight_feature { step: 'x' } }
         weighted_feature { name: 'v' feature { step: 'value' } }
         tensor_representation_group { key: '' value { tensor_representation { key: 'k'
           value { sparse_tensor { index_column_names: 'value' value_column_name: 'z' } } } } }",
        &[
            ("missing_column", "s", "sparse_feature[0].index_feature[0].name"),
            ("missing_column", "s", "sparse_feature[0].value_feature.name"),
            ("missing_column", "s", "sparse_feature[0].dense_shape"),
            ("missing_column", "w", "weighted_feature[0].weight_feature"),
            ("missing_column", "v", "weighted_feature[1]"),
            ("missing_column", "[k]", "tensor_representation_group"),
        ],
    );
    check(
        "sparse_feature { name: 's' }",
        &[
            ("missing_column", "s", "sparse_feature[0]"),
            ("missing_column", "s", "sparse_feature[0]"),
        ],
    );
}

#[test]
fn domains() {
    check_feature("BYTES", "domain: 'x'", &[("dangling_domain", "domain")]);
    check_feature("INT", "string_domain { value: 'x' }", &[("domain_type", "string_domain")]);
    check_feature("FLOAT", "int_domain {}", &[("domain_type", "int_domain")]);
    check_feature("INT", "struct_domain {}", &[("domain_type", "struct_domain")]);
    check_feature("BYTES", "int_domain {}", &[]);
    check_feature("INT", "time_of_day_domain {}", &[("domain_unsupported", "time_of_day_domain")]);
    check_feature("INT", "bool_domain {}", &[]);
    check_feature("BYTES", "bool_domain {}", &[("equal_bool_values", "bool_domain")]);
    check_feature(
        "BYTES",
        "bool_domain { true_value: 'x' false_value: 'x' }",
        &[("equal_bool_values", "bool_domain.false_value")],
    );
    check_feature(
        "BYTES",
        "string_domain { value: ['x', 'y', 'x'] }",
        &[("duplicate_value", "string_domain.value[2]")],
    );
    check_feature("BYTES", "string_domain {}", &[("empty_domain", "string_domain")]);
    check("string_domain { name: 'd' value: 'x' }", &[("unused_domain", "d", "string_domain[0]")]);
    check(
        "feature { name: 'a' type: BYTES domain: 'n' } int_domain { name: 'n' max: 3 }",
        &[("dangling_domain", "a", "feature[0].domain"), ("not_checked", "n", "int_domain[0]")],
    );
}

#[test]
fn numbers() {
    for fraction in ["-0.1", "1.1", "nan", "inf"] {
        check_feature(
            "INT",
            &format!("presence {{ min_fraction: {fraction} }}"),
            &[("fraction_out_of_range", "presence.min_fraction")],
        );
    }
    check_feature(
        "BYTES",
        "string_domain { value: 'x' } distribution_constraints { min_domain_mass: 2 }",
        &[("fraction_out_of_range", "distribution_constraints.min_domain_mass")],
    );
    check_feature("INT", "presence { min_count: -1 }", &[("negative_count", "presence.min_count")]);
    check_feature(
        "INT",
        "value_count { min: -2 max: -3 }",
        &[
            ("negative_count", "value_count.min"),
            ("min_above_max", "value_count.min"),
            ("negative_count", "value_count.max"),
        ],
    );
    check_feature(
        "INT",
        "value_counts { value_count {} value_count { min: 2 max: 1 } }",
        &[("min_above_max", "value_counts.value_count[1].min")],
    );
    check_feature("INT", "int_domain { min: 3 max: -3 }", &[("min_above_max", "int_domain.min")]);
    check_feature("FLOAT", "float_domain { min: -3 max: -3 }", &[]);
    check_feature(
        "FLOAT",
        "float_domain { min: 1 max: 0 }",
        &[("min_above_max", "float_domain.min")],
    );
    check_feature("FLOAT", "float_domain { max: 1e39 }", &[("never_fires", "float_domain.max")]);
    check_feature(
        "INT",
        "presence { min_fraction: 1 } shape { dim { size: 0 } dim {} dim { size: 1 } }",
        &[("shape_dim", "shape.dim[0].size"), ("shape_dim", "shape.dim[1].size")],
    );
    check_feature(
        "INT",
        "presence { min_fraction: 0.5 } shape {}",
        &[("shape_needs_presence", "shape")],
    );
    check(
        "dataset_constraints { min_examples_count: 5 max_examples_count: 4
           num_examples_drift_comparator { min_fraction_threshold: 2 max_fraction_threshold: 1 } }",
        &[
            ("min_above_max", "dataset", "dataset_constraints.min_examples_count"),
            (
                "min_above_max",
                "dataset",
                "dataset_constraints.num_examples_drift_comparator.min_fraction_threshold",
            ),
        ],
    );
    check(
        "dataset_constraints { max_examples_count: 4 }",
        &[("max_examples_without_min", "dataset", "dataset_constraints.max_examples_count")],
    );
}

#[test]
fn constraints() {
    check_feature(
        "INT",
        "distribution_constraints {}",
        &[("distribution_without_domain", "distribution_constraints")],
    );
    check_feature(
        "BYTES",
        "unique_constraints { min: 1 }",
        &[("unique_without_max", "unique_constraints")],
    );
    check_feature(
        "INT",
        "unique_constraints { max: 1 }",
        &[("unique_not_counted", "unique_constraints")],
    );
    check_feature("INT", "unique_constraints { max: 1 } int_domain { is_categorical: true }", &[]);
    check_feature(
        "INT",
        "validation_derived_source {}",
        &[("derived_lifecycle", "lifecycle_stage")],
    );
    check_feature("INT", "drift_comparator {}", &[("never_fires", "drift_comparator")]);
    check_feature(
        "INT",
        "skew_comparator { infinity_norm { threshold: 0.1 } }",
        &[("never_fires", "skew_comparator.infinity_norm.threshold")],
    );
    check_feature("BYTES", "skew_comparator { infinity_norm { threshold: 0.1 } }", &[]);
    check_feature(
        "BYTES",
        "skew_comparator { infinity_norm { threshold: 1 } }",
        &[("never_fires", "skew_comparator.infinity_norm.threshold")],
    );
    check_feature(
        "INT",
        "drift_comparator { jensen_shannon_divergence { threshold: -1 } }",
        &[("always_fires", "drift_comparator.jensen_shannon_divergence.threshold")],
    );
}

#[test]
fn what_nobody_checks() {
    check_feature("BYTES", "url_domain {}", &[("not_checked", "url_domain")]);
    check_feature("BYTES", "mid_domain {}", &[("not_checked", "mid_domain")]);
    check_feature("INT", "time_domain {}", &[("not_checked", "time_domain")]);
    check_feature("INT", "group_presence {}", &[("not_checked", "group_presence")]);
    check_feature("FLOAT", "float_domain { is_embedding: true embedding_dim: 3 }", &[]);
    check_feature("BYTES", "natural_language_domain { sequence_length_constraints {} }", &[]);
    check("float_domain { name: 'f' }", &[("not_checked", "f", "float_domain[0]")]);
}

#[test]
fn places_are_those_of_the_text() {
    let text = "feature {\n  name: 'a'\n  type: INT\n  presence { min_fraction: 2 }\n}\nfeature { name: 'b' }";
    let (schema, places) = parse_with_places::<Schema>(text).unwrap();
    let found = super::check(&schema, Some(&places));
    let found: Vec<_> = found.iter().map(|f| (f.code, f.place)).collect();
    assert_eq!(
        found,
        [("fraction_out_of_range", Some((4, 14))), ("feature_without_type", Some((6, 1))),]
    );
    assert!(super::check(&schema, None).iter().all(|finding| finding.place.is_none()));
}

#[test]
fn every_row_has_a_code_of_its_own() {
    let codes: BTreeSet<&str> = CHECKS.iter().map(|check| check.code).collect();
    assert_eq!(codes.len(), CHECKS.len());
    assert!(CHECKS.is_sorted_by(|a, b| a.severity >= b.severity));
}

/// What TFDV infers has no mistakes.
#[test]
fn inferred_schemas_are_sound() {
    for (path, bytes) in crate::tfmd::testing::goldens("pbtxt", |name| name.starts_with("schema_"))
    {
        let schema = crate::tfmd::load_schema(&bytes).unwrap();
        for finding in super::check(&schema, None) {
            assert_eq!(finding.severity, Severity::Note, "{}: {finding:?}", path.display());
        }
    }
}
