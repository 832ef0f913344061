//! Small batches against small schemas: the rows that are told, and what.

use arrow_array::builder::{BinaryBuilder, ListBuilder};
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int64Array, ListArray, NullArray, RecordBatch, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Field;
use engine::CombineFn;

use super::*;
use crate::tfmd::text::parse;

fn ints(rows: &[Option<&[i64]>]) -> ArrayRef {
    let rows =
        rows.iter().map(|row| row.map(|row| row.iter().map(|v| Some(*v)).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
}

fn floats(rows: &[Option<&[f32]>]) -> ArrayRef {
    let rows =
        rows.iter().map(|row| row.map(|row| row.iter().map(|v| Some(*v)).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
}

fn bytes(rows: &[Option<&[&[u8]]>]) -> ArrayRef {
    let mut builder = ListBuilder::new(BinaryBuilder::new());
    for row in rows {
        match row {
            Some(row) => builder.append_value(row.iter().map(Some)),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Batch {
    let records = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    );
    let (originals, rejected) = (None, Vec::new());
    let records = records.unwrap();
    Batch { shard: 0, first_row: 0, records, originals, rejected, bytes: 0 }
}

/// The reasons as `row path KIND: value`, the same however the rows are cut into batches.
fn reasons(schema: &str, options: &ExampleOptions, batch: &Batch) -> Vec<String> {
    let schema: Schema = parse(schema).unwrap();
    let validator = ExampleValidator::new(Arc::new(schema), options.clone()).unwrap();
    let shown = |found: &ExampleReason, first: usize| {
        let (row, path, kind) = (first + found.row, &found.path, found.reason.kind.as_str_name());
        match &found.value {
            Some(value) => format!("{row} {path} {kind}: {value}"),
            None => format!("{row} {path} {kind}"),
        }
    };
    let n = batch.records.num_rows();
    let all: Vec<String> =
        validator.validate(batch).unwrap().iter().map(|found| shown(found, 0)).collect();
    for size in [1, 2] {
        let mut cut = Vec::new();
        for first in (0..n).step_by(size) {
            let records = batch.records.slice(first, size.min(n - first));
            let batch = Batch { records, ..batch.clone() };
            let found = validator.validate(&batch).unwrap();
            cut.extend(found.iter().map(|found| shown(found, first)));
        }
        assert_eq!(cut, all, "batches of {size} show");
    }
    all
}

fn check(schema: &str, columns: Vec<(&str, ArrayRef)>, expected: &[&str]) {
    assert_eq!(reasons(schema, &ExampleOptions::default(), &batch(columns)), expected);
}

#[test]
fn numbers_of_values() {
    check(
        "feature { name: 'x' type: INT value_count { min: 1 max: 2 } }",
        vec![("x", ints(&[Some(&[1]), Some(&[]), None, Some(&[1, 2, 3]), Some(&[1, 2])]))],
        &["1 x FEATURE_TYPE_LOW_NUMBER_VALUES: 0", "3 x FEATURE_TYPE_HIGH_NUMBER_VALUES: 3"],
    );
    check(
        "feature { name: 'x' type: INT shape { dim { size: 2 } } }",
        vec![("x", ints(&[Some(&[1, 2]), Some(&[1]), None, Some(&[])]))],
        &[
            "1 x INVALID_FEATURE_SHAPE: 1 values everywhere",
            "3 x INVALID_FEATURE_SHAPE: 0 to 0 values",
        ],
    );
}

#[test]
fn rows_are_told_the_same_where_the_type_of_others_is_known() {
    let steps = |values: ArrayRef| -> ArrayRef {
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let nulls = Some(vec![true, true, false].into());
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 0]), values, nulls))
    };
    let counts = "value_counts { value_count { } value_count { min: 1 } }";
    let cases: [(&str, &[&str]); 4] = [
        ("", &[]),
        (counts, &["1 x FEATURE_TYPE_LOW_NUMBER_VALUES: 0"]),
        (
            "value_counts { value_count { min: 1 } value_count { } }",
            &["1 x FEATURE_TYPE_LOW_NUMBER_VALUES: 0"],
        ),
        (
            "shape { dim { size: 2 } dim { size: 1 } }",
            &[
                "0 x INVALID_FEATURE_SHAPE: 0 to 0 values",
                "1 x INVALID_FEATURE_SHAPE: 0 to 0 values",
            ],
        ),
    ];
    for (of_schema, expected) in cases {
        let schema = format!("feature {{ name: 'x' type: INT {of_schema} }}");
        check(&schema, vec![("x", steps(ints(&[None, None])))], expected);
        check(&schema, vec![("x", steps(Arc::new(NullArray::new(2))))], expected);
    }
}

#[test]
fn presence_and_environments() {
    let schema = "
        feature { name: 'x' type: INT presence { min_fraction: 1 } }
        feature { name: 'y' type: INT presence { min_fraction: 0.5 min_count: 1 } }
        feature { name: 'l' type: INT not_in_environment: 'S' presence { min_fraction: 1 } }
        default_environment: 'T' default_environment: 'S'";
    let columns = || {
        vec![
            ("x", ints(&[None, Some(&[]), Some(&[1])])),
            ("l", ints(&[Some(&[1]), None, None])),
            ("new", ints(&[None, Some(&[1]), None])),
        ]
    };
    let x = "0 x SCHEMA_MISSING_COLUMN";
    let l = |row| format!("{row} l SCHEMA_MISSING_COLUMN");
    let missing = [x.to_owned(), l(1), "1 new SCHEMA_NEW_COLUMN".to_owned(), l(2)];
    check(schema, columns(), &missing.each_ref().map(String::as_str));
    let options = ExampleOptions { environment: Some("S".into()), ..ExampleOptions::default() };
    let found = reasons(schema, &options, &batch(columns()));
    assert_eq!(found, ["0 l SCHEMA_NEW_COLUMN", x, "1 new SCHEMA_NEW_COLUMN"]);
    let options = ExampleOptions { dataset_rules: true, ..ExampleOptions::default() };
    assert_eq!(reasons(schema, &options, &batch(columns())).len(), missing.len() + 3);
    let unknown = ExampleOptions { environment: Some("U".into()), ..ExampleOptions::default() };
    assert!(ExampleValidator::new(Arc::new(parse(schema).unwrap()), unknown).is_err());
}

#[test]
fn types_and_domains() {
    check(
        "feature { name: 'x' type: FLOAT }",
        vec![("x", ints(&[Some(&[1]), None]))],
        &["0 x UNEXPECTED_DATA_TYPE: 1"],
    );
    check(
        "feature { name: 'x' type: BYTES domain: 'd' } string_domain { name: 'd' value: 'a' }",
        vec![("x", bytes(&[Some(&[b"a"]), Some(&[b"a", b"b"]), Some(&[b"\xff"]), None]))],
        &["1 x ENUM_TYPE_UNEXPECTED_STRING_VALUES: b", "2 x ENUM_TYPE_INVALID_UTF8: \\xff"],
    );
    check(
        "feature { name: 'x' type: INT int_domain { min: 1 max: 9 } }",
        vec![("x", ints(&[Some(&[1, 9]), Some(&[0, 10]), Some(&[]), None]))],
        &["1 x INT_TYPE_SMALL_INT: 0", "1 x INT_TYPE_BIG_INT: 10"],
    );
    check(
        "feature { name: 'x' type: FLOAT float_domain { min: 1 disallow_nan: true } }",
        vec![("x", floats(&[Some(&[1.0]), Some(&[f32::NAN]), Some(&[0.5, f32::INFINITY])]))],
        &["1 x FLOAT_TYPE_HAS_NAN: NaN", "2 x FLOAT_TYPE_SMALL_FLOAT: 0.5"],
    );
    check(
        "feature { name: 'x' type: INT lifecycle_stage: DEPRECATED int_domain { max: 0 } }",
        vec![("x", bytes(&[Some(&[b"a"])]))],
        &[],
    );
}

#[test]
fn fields_of_structs() {
    let schema = "
        feature { name: 's' type: STRUCT struct_domain {
            feature { name: 'a' type: INT presence { min_fraction: 1 } int_domain { max: 5 } } } }";
    let structs = |a: ArrayRef, lengths: &[usize], missing: &[usize]| -> ArrayRef {
        let fields = vec![(Arc::new(Field::new("a", a.data_type().clone(), true)), a.clone())];
        let values: ArrayRef = Arc::new(StructArray::from(fields));
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
        let valid = (0..lengths.len()).map(|row| !missing.contains(&row));
        let nulls = valid.collect::<arrow_buffer::NullBuffer>();
        Arc::new(ListArray::new(item, offsets, values, Some(nulls)))
    };
    // Rows: [{1}, {9}], null, [{missing}], [{2}, {missing}]
    let a = ints(&[Some(&[1]), Some(&[9]), None, Some(&[2]), None]);
    let s = structs(a, &[2, 0, 1, 2], &[1]);
    check(
        schema,
        vec![("s", s.clone())],
        &["0 s.a INT_TYPE_BIG_INT: 9", "2 s.a SCHEMA_MISSING_COLUMN"],
    );
    // The fields of what should not be a struct are not looked at.
    check(
        "feature { name: 's' type: INT }",
        vec![("s", s)],
        &["0 s UNEXPECTED_DATA_TYPE", "2 s UNEXPECTED_DATA_TYPE", "3 s UNEXPECTED_DATA_TYPE"],
    );
}

#[test]
fn cells_of_text() {
    let schema = "
        feature { name: 'i' type: INT int_domain { max: 9 } }
        feature { name: 'f' type: FLOAT float_domain { min: 0 } }";
    let cells: ArrayRef =
        Arc::new(BinaryArray::from_opt_vec(vec![Some(b"1"), Some(b"x"), None, Some(b"10")]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(-1), None, Some(0)]));
    let options = ExampleOptions { is_text: true, ..ExampleOptions::default() };
    let batch = batch(vec![("i", cells), ("f", whole)]);
    assert_eq!(
        reasons(schema, &options, &batch),
        [
            "1 f FLOAT_TYPE_SMALL_FLOAT: -1",
            "1 i UNEXPECTED_DATA_TYPE: x",
            "1 i INT_TYPE_NOT_INT_STRING: x",
            "3 i INT_TYPE_BIG_INT: 10",
        ]
    );
}

#[test]
fn reasons_are_counted_once_per_example() {
    let schema: Schema = parse("feature { name: 'x' type: INT int_domain { min: 1 } }").unwrap();
    let validator =
        Arc::new(ExampleValidator::new(Arc::new(schema), ExampleOptions::default()).unwrap());
    let summary = |cuts: &[(usize, u64, &[Option<&[i64]>])]| {
        let f = SummarizeReasons;
        let mut all = f.create_accumulator();
        for (shard, first_row, rows) in cuts {
            let batch = batch(vec![("x", ints(rows))]);
            let batch = Batch { shard: *shard, first_row: *first_row, ..batch };
            let mut out = Emit::default();
            CheckExamples::new(validator.clone()).process(&batch, &mut out).unwrap();
            let mut acc = f.create_accumulator();
            for examples in out.into_elements() {
                f.add_input(&mut acc, &examples).unwrap();
            }
            let bytes = postcard::to_stdvec(&acc).unwrap();
            f.merge_accumulators(&mut all, postcard::from_bytes(&bytes).unwrap()).unwrap();
        }
        f.extract_output(all).unwrap()
    };
    let (bad, good): (Option<&[i64]>, Option<&[i64]>) = (Some(&[0, -1]), Some(&[1]));
    let found = summary(&[(0, 0, &[good, good]), (1, 0, &[good]), (1, 1, &[bad, good, bad])]);
    assert_eq!((found.examples, found.rejected, found.reasons.len()), (6, 2, 1));
    let reason = &found.reasons[0];
    assert_eq!((reason.count, reason.first_shard, reason.first_row), (2, 1, 1));
    assert_eq!((&*reason.path, reason.value.as_deref()), ("x", Some("-1")));
    assert_eq!(summary(&[]), ReasonSummary::default());
}
