//! Every kind of difference, as it is printed.

use super::*;
use crate::tfmd::text::parse;

fn compare(old: &str, new: &str) -> SchemaDiff {
    diff(&parse(old).unwrap(), &parse(new).unwrap()).unwrap()
}

fn check(old: &str, new: &str, expected: &[&str]) {
    let found = compare(old, new).to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{old} | {new}");
}

/// A change within one feature, and what is printed behind its name.
fn check_feature(old: &str, new: &str, expected: &[&str]) {
    let feature = |inside: &str| format!("feature {{ name: 'a.b' {inside} }}");
    let found = compare(&feature(old), &feature(new)).to_string();
    let lines: Vec<String> = found.lines().map(|line| line.replacen("'a.b'.", "", 1)).collect();
    assert_eq!(lines, expected, "{old} | {new}");
}

#[test]
fn features() {
    check("", "", &[]);
    check(
        "feature { name: 'a' type: INT presence { min_count: 1 } } feature { name: 'b' type: FLOAT }",
        "feature { name: 'c' type: BYTES domain: 'd' } feature { name: 'b' type: INT }
         string_domain { name: 'd' value: 'x' }",
        &[
            "- feature a: INT, optional",
            "~ b.type: FLOAT → INT",
            "+ feature c: BYTES, optional, \"x\"",
            "+ string_domain.d: \"x\"",
        ],
    );
    // Order is nothing.
    let found = compare(
        "feature { name: 'a' } feature { name: 'b' }",
        "feature { name: 'b' } feature { name: 'a' }",
    );
    assert!(found.is_empty() && !found.same_bytes);
    assert!(compare("feature { name: 'a' }", "feature { name: 'a' }").same_bytes);
    // The second of a name.
    check(
        "feature { name: 'a' } feature { name: 'a' type: INT }",
        "feature { name: 'a' }",
        &["- feature a: INT, optional"],
    );
    let structs =
        |inside: &str| format!("feature {{ name: 's' type: STRUCT struct_domain {{ {inside} }} }}");
    check(
        &structs("feature { name: 'x' type: INT } sparse_feature { name: 'p' is_sorted: true }"),
        &structs("feature { name: 'x' type: INT deprecated: true } sparse_feature { name: 'p' }"),
        &[
            "~ s.x.deprecated: unset → true (relaxed)",
            "~ s.sparse_feature.p.is_sorted: true → unset",
        ],
    );
    check(
        "",
        "sparse_feature { name: 's' index_feature { name: 'i' } value_feature { name: 'v' } }
         weighted_feature { name: 'w' feature { step: 'a' step: 'b' } weight_feature { step: 'c' } }",
        &["+ sparse_feature.s: values of v at i", "+ weighted_feature.w: a.b by c"],
    );
}

#[test]
fn numbers() {
    check_feature(
        "int_domain { min: 0 }",
        "int_domain { min: -1 max: 5 }",
        &["~ int_domain.min: 0 → -1 (relaxed)", "~ int_domain.max: unset → 5 (tightened)"],
    );
    check_feature(
        "float_domain { max: 0.1 disallow_nan: true }",
        "float_domain { max: 0.1 }",
        &["~ float_domain.disallow_nan: true → unset (relaxed)"],
    );
    check_feature(
        "presence { min_fraction: 1 }",
        "presence { min_fraction: 0.9 min_count: 1 }",
        &[
            "~ presence.min_fraction: 1.0 → 0.9 (relaxed)",
            "~ presence.min_count: unset → 1 (tightened)",
        ],
    );
    check_feature(
        "unique_constraints { min: 1 }",
        "unique_constraints { min: 1 max: 5 }",
        &["~ unique_constraints.max: unset → 5 (relaxed)"],
    );
    check_feature(
        "distribution_constraints { min_domain_mass: 0.9 }",
        "distribution_constraints {}",
        &["~ distribution_constraints.min_domain_mass: 0.9 → unset (tightened)"],
    );
    check_feature(
        "",
        "drift_comparator { infinity_norm { threshold: 0.1 } }",
        &["+ drift_comparator: { infinity_norm { threshold: 0.1 } } (tightened)"],
    );
    check_feature(
        "lifecycle_stage: BETA",
        "lifecycle_stage: DEPRECATED",
        &["~ lifecycle_stage: BETA → DEPRECATED (relaxed)"],
    );
    check_feature(
        "lifecycle_stage: BETA",
        "lifecycle_stage: PRODUCTION",
        &["~ lifecycle_stage: BETA → PRODUCTION"],
    );
    check_feature(
        "float_domain { max: nan }",
        "float_domain { max: nan min: 0 }",
        &["~ float_domain.min: unset → 0.0 (tightened)"],
    );
}

#[test]
fn oneofs_and_lists() {
    check_feature(
        "int_domain { min: 1 }",
        "float_domain { max: 2 }",
        &["~ domain_info: int_domain { min: 1 } → float_domain { max: 2.0 }"],
    );
    check_feature(
        "bool_domain {}",
        "domain: 'x'",
        &["~ domain_info: bool_domain {} → domain: \"x\""],
    );
    check_feature("bool_domain {}", "", &["- bool_domain: {} (relaxed)"]);
    check_feature("domain: 'x'", "domain: 'y'", &["~ domain: \"x\" → \"y\""]);
    check_feature(
        "shape { dim { size: 1 } }",
        "value_count { min: 1 }",
        &["~ shape_type: shape { dim { size: 1 } } → value_count { min: 1 }"],
    );
    check_feature(
        "shape { dim { size: 1 } }",
        "shape { dim { size: 2 name: 'n' } }",
        &["~ shape.dim[0].size: 1 → 2", "~ shape.dim[0].name: unset → \"n\""],
    );
    check_feature(
        "value_counts { value_count { min: 1 } }",
        "value_counts { value_count { min: 1 } value_count {} }",
        &["~ value_counts.value_count: [{ min: 1 }] → [{ min: 1 }, {}]"],
    );
    check_feature(
        "string_domain { value: ['a', 'b', 'b'] } in_environment: 'X'",
        "string_domain { value: ['b', 'c', 'd', 'a'] }",
        &[
            "- string_domain.value: \"b\" (tightened)",
            "+ string_domain.value: \"c\", \"d\" (relaxed)",
            "- in_environment: \"X\"",
        ],
    );
    check(
        "tensor_representation_group { key: '' value { tensor_representation { key: 'a'
         value { dense_tensor { column_name: 'a' } } } } }",
        "tensor_representation_group { key: '' value { tensor_representation { key: 'a'
         value { dense_tensor { column_name: 'b' } } } } }
         tensor_representation_group { key: 'x' }",
        &[
            "~ tensor_representation_group[\"\"].tensor_representation[\"a\"].dense_tensor.column_name: \"a\" → \"b\"",
            "+ tensor_representation_group[\"x\"]: {}",
        ],
    );
}

#[test]
fn many_and_long_values_are_cut() {
    let values = (0..40).map(|i| format!("value: '{i:02}'")).collect::<Vec<_>>().concat();
    check(
        "string_domain { name: 'd' }",
        &format!("string_domain {{ name: 'd' {values} }}"),
        &[
            "+ string_domain.d.value: \"00\", \"01\", \"02\", \"03\", \"04\", \"05\", \"06\", \"07\", \"08\", \
         \"09\", \"10\", \"11\" and 28 more (relaxed)",
        ],
    );
    let long =
        format!("feature {{ name: 'a' annotation {{ comment: '{}' }} }}", "x".repeat(10_000));
    assert!(compare("feature { name: 'a' }", &long).to_string().len() < 300);
    // A name cannot steer the terminal.
    check("", "feature { name: '\\033[2J' }", &["+ feature \\u{1b}[2J: unknown, optional"]);
}

#[test]
fn json() {
    let found = compare("", "feature { name: 'a' type: INT } default_environment: 'X'");
    assert_eq!(
        serde_json::to_string(&found).unwrap(),
        r#"{"changes":[{"kind":"added","subject":"feature","path":"a","new":"INT, optional"},{"kind":"added","subject":"value","path":"default_environment","new":"\"X\""}],"same_bytes":false}"#
    );
}

#[test]
fn a_schema_and_its_samples() {
    for (path, bytes) in crate::tfmd::testing::goldens("pbtxt", |name| name == "updated_schema") {
        let before = path.with_file_name("schema.pbtxt");
        let Some(old) = crate::tfmd::testing::sibling(&before, "pbtxt") else { continue };
        let (old, new) = (String::from_utf8(old).unwrap(), String::from_utf8(bytes).unwrap());
        let found = compare(&old, &new);
        assert_eq!(found.is_empty(), old == new, "{}: {found}", path.display());
        // An update only relaxes.
        for change in &found.changes {
            assert_ne!(change.effect, Some(Effect::Tightened), "{}: {found}", path.display());
        }
    }
}
