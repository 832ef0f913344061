//! The wire walker by hand-written bytes.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::DataType;

use super::*;

mod against_prost;

/// One list, in a form that can be compared: floats by their bits.
#[derive(Clone, Debug, PartialEq, Eq)]
enum List {
    Bytes(Vec<Vec<u8>>),
    Floats(Vec<u32>),
    Ints(Vec<i64>),
}

impl List {
    fn name(&self) -> &'static str {
        match self {
            List::Bytes(_) => "bytes_list",
            List::Floats(_) => "float_list",
            List::Ints(_) => "int64_list",
        }
    }

    fn of_array(values: &ArrayRef) -> List {
        match values.data_type() {
            DataType::Int64 => List::Ints(values.as_primitive::<Int64Type>().values().to_vec()),
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>().values();
                List::Floats(values.iter().map(|value| value.to_bits()).collect())
            }
            DataType::Binary => {
                let values = values.as_binary::<i32>();
                List::Bytes(values.iter().map(|value| value.unwrap().to_vec()).collect())
            }
            other => panic!("a list of {other}"),
        }
    }
}

/// The lists of a column, `None` for null.
fn lists(column: &ArrayRef) -> Vec<Option<List>> {
    match column.data_type() {
        DataType::Null => vec![None; column.len()],
        DataType::List(field) => {
            assert_eq!(field.name(), "item");
            column.as_list::<i32>().iter().map(|list| list.as_ref().map(List::of_array)).collect()
        }
        other => panic!("a column of {other}"),
    }
}

type Row = BTreeMap<String, List>;
type ListsRow = BTreeMap<String, Vec<Option<List>>>;

/// The present features of each row; `##SEQUENCE##` apart.
fn rows(batch: &RecordBatch) -> Vec<(Row, ListsRow)> {
    let mut rows = vec![(Row::new(), ListsRow::new()); batch.num_rows()];
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for (name, column) in names.into_iter().zip(batch.columns()) {
        if let Some(columns) = column.as_struct_opt() {
            list_rows(columns, &mut rows);
            continue;
        }
        for (row, list) in rows.iter_mut().zip(lists(column)) {
            row.0.extend(list.map(|list| (name.clone(), list)));
        }
    }
    rows
}

fn list_rows(columns: &StructArray, rows: &mut [(Row, ListsRow)]) {
    assert_eq!(columns.null_count(), 0);
    for (name, column) in columns.column_names().into_iter().zip(columns.columns()) {
        let features = column.as_list::<i32>();
        for (i, row) in rows.iter_mut().enumerate() {
            if features.is_valid(i) {
                row.1.insert(name.to_owned(), lists(&features.value(i)));
            }
        }
    }
}

/// A delimited field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    wire::put_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

/// An Example with one `features` message of these map entries.
fn example(entries: &[Vec<u8>]) -> Vec<u8> {
    field(1, &entries.iter().flat_map(|entry| field(1, entry)).collect::<Vec<_>>())
}

fn entry(key: &str, feature: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, feature)].concat()
}

/// A feature with packed single-byte integers.
fn ints(values: &[u8]) -> Vec<u8> {
    field(3, &field(1, values))
}

fn float(value: f32) -> Vec<u8> {
    field(2, &field(1, &value.to_le_bytes()))
}

fn int_row(pairs: &[(&str, &[i64])]) -> Row {
    pairs.iter().map(|(name, values)| ((*name).to_owned(), List::Ints(values.to_vec()))).collect()
}

/// Decodes one record after a record that must not matter, and before one that must be good.
fn decode_one(payload: Payload, record: &[u8]) -> Result<(Row, ListsRow), String> {
    let mut decoder = ExampleDecoder::new(payload, None);
    let before = example(&[entry("before", &ints(&[7])), entry("a", b"")]);
    decoder.push(&before).unwrap();
    let result = decoder.push(record);
    decoder.push(&before).unwrap();
    let batch = decoder.finish().unwrap();
    let mut rows = rows(&batch);
    let first = rows.remove(0);
    assert_eq!(first.0, int_row(&[("before", &[7])]));
    assert_eq!(rows.pop().unwrap(), first);
    result.map(|()| rows.remove(0))
}

#[test]
fn every_form_that_protobuf_allows_is_read() {
    let check = |record: &[u8], expected: &[(&str, &[i64])]| {
        let (row, _) = decode_one(Payload::Example, record).unwrap();
        assert_eq!(row, int_row(expected), "{record:x?}");
    };
    let a = |feature: &[u8]| example(&[entry("a", feature)]);
    let varint = |value: u8| vec![0x08, value];
    check(b"", &[]);
    check(&field(1, b""), &[]);
    check(&a(&ints(&[1, 2])), &[("a", &[1, 2])]);
    // Empty lists are present, features without kind are not.
    check(&a(&field(3, b"")), &[("a", &[])]);
    check(&a(&field(3, &field(1, b""))), &[("a", &[])]);
    check(&a(b""), &[]);
    // Unpacked, and packed in several chunks.
    check(&a(&field(3, &varint(5))), &[("a", &[5])]);
    check(
        &a(&field(3, &[varint(5), field(1, &[6, 7]), varint(8)].concat())),
        &[("a", &[5, 6, 7, 8])],
    );
    // Unknown fields of all wire types at all levels.
    let unknown = [
        vec![0x78, 1],
        [vec![0x79], vec![0; 8]].concat(),
        field(15, b"?"),
        vec![0x7d, 0, 0, 0, 0],
        vec![0x80, 0x80, 0x01, 1],
    ]
    .concat();
    let list = [unknown.clone(), field(1, &[1]), unknown.clone()].concat();
    let feature = [unknown.clone(), field(3, &list), unknown.clone()].concat();
    let pair = [unknown.clone(), entry("a", &feature), unknown.clone()].concat();
    let map = [unknown.clone(), field(1, &pair), unknown.clone()].concat();
    check(&[unknown.clone(), field(1, &map), unknown.clone()].concat(), &[("a", &[1])]);
    // A missing key is the empty one, a missing value the empty feature.
    check(&example(&[field(2, &ints(&[1]))]), &[("", &[1])]);
    check(&example(&[field(1, b"a")]), &[]);
    check(&example(&[vec![]]), &[]);
    // Value before key; the last key counts; values are merged.
    check(&example(&[[field(2, &ints(&[1])), field(1, b"a")].concat()]), &[("a", &[1])]);
    check(&example(&[[field(1, b"b"), entry("a", &ints(&[1]))].concat()]), &[("a", &[1])]);
    let two_values = [entry("a", &ints(&[1])), field(2, &ints(&[2]))].concat();
    check(&example(&[two_values]), &[("a", &[1, 2])]);
    // Of repeated keys the last counts, whatever came before.
    let twice = |first: &[u8], second: &[u8]| example(&[entry("a", first), entry("a", second)]);
    check(&twice(&ints(&[1, 2]), &ints(&[3])), &[("a", &[3])]);
    check(&twice(&float(1.0), &ints(&[3])), &[("a", &[3])]);
    check(&twice(&ints(&[1]), b""), &[]);
    check(&twice(b"", &ints(&[1])), &[("a", &[1])]);
    // Repeated `features` are merged.
    let merged = [
        example(&[entry("a", &ints(&[1])), entry("b", &ints(&[2]))]),
        example(&[entry("a", &ints(&[3]))]),
    ];
    check(&merged.concat(), &[("a", &[3]), ("b", &[2])]);
    // Of several kinds the last counts; the same kind is merged.
    check(&a(&[ints(&[1]), ints(&[2])].concat()), &[("a", &[1, 2])]);
    check(&a(&[float(1.0), ints(&[2])].concat()), &[("a", &[2])]);
    check(&a(&[ints(&[1]), float(1.0), ints(&[2])].concat()), &[("a", &[2])]);
    // Lengths and tags that are longer than needed.
    check(b"\x0a\x8d\x00\x0a\x89\x80\x00\x8a\x00\x01a\x12\x03\x1a\x80\x00", &[("a", &[])]);
    // Long names.
    let name = "n".repeat(200);
    check(&example(&[entry(&name, &ints(&[1]))]), &[(&name, &[1])]);
}

#[test]
fn large_values_and_all_kinds_are_read() {
    let mut values = Vec::new();
    for value in [i64::MIN, -1, i64::MAX, 1 << 55, 1 << 56, 127, 128, 16_383, 16_384] {
        wire::put_varint(value as u64, &mut values);
    }
    let record = example(&[
        entry("b", &field(1, &[field(1, b"x"), field(1, b""), field(1, &[0xff; 300])].concat())),
        entry("f", &field(2, &[vec![0x0d, 0, 0, 0x80, 0x3f], field(1, &[0; 8])].concat())),
        entry("i", &ints(&values)),
    ]);
    let (row, _) = decode_one(Payload::Example, &record).unwrap();
    let expected = [
        ("b", List::Bytes(vec![b"x".to_vec(), vec![], vec![0xff; 300]])),
        ("f", List::Floats(vec![1_f32.to_bits(), 0, 0])),
        ("i", List::Ints(vec![i64::MIN, -1, i64::MAX, 1 << 55, 1 << 56, 127, 128, 16_383, 16_384])),
    ];
    assert_eq!(row, expected.map(|(name, list)| (name.to_owned(), list)).into());
}

#[test]
fn bytes_that_are_no_example_are_rejected_with_a_reason() {
    let check = |record: &[u8], expected: &str| {
        assert_eq!(decode_one(Payload::Example, record).unwrap_err(), expected);
    };
    let a = |feature: &[u8]| example(&[entry("a", feature)]);
    let record = |what: &str| format!("the record is not the expected message: {what}");
    let map = |what: &str| format!("the map of features is damaged: {what}");
    let feature = |what: &str| format!("feature `a` is damaged: {what}");
    let long = "a field is longer than the message that holds it";
    check(b"\x0a\x05abc", &record(long));
    check(b"\x0a", &record(long));
    check(b"\x08\x01", &record("field 1 has the wrong wire type 0"));
    check(b"\x0b\x0c", &record("a field has the unsupported wire type 3"));
    check(b"\x7b\x7c", &record("a field has the unsupported wire type 3"));
    check(b"\x7f", &record("a field has the unsupported wire type 7"));
    check(b"\x02\x00", &record("a field has an impossible number"));
    check(b"\xfa\xff\xff\xff\x1f\x00", &record("a field has an impossible number"));
    check(&[0xff; 12], &record("a variable-length integer does not fit in 64 bits"));
    check(&field(1, &[0x0a, 9]), &map(long));
    check(&field(1, &[0x08, 9]), &map("field 1 has the wrong wire type 0"));
    check(&example(&[field(1, b"\xff")]), &map("a feature name is not valid UTF-8"));
    check(&example(&[vec![0x08, 1]]), &map("field 1 has the wrong wire type 0"));
    check(&example(&[vec![0x0a, 1, b'a', 0x10, 1]]), &map("field 2 has the wrong wire type 0"));
    check(&a(&[0x1a]), &feature(long));
    check(&a(&[0x18, 1]), &feature("field 3 has the wrong wire type 0"));
    check(&a(&field(3, &[0x0a, 1])), &feature(long));
    check(&a(&field(3, &[0x0d, 0, 0, 0, 0])), &feature("field 1 has the wrong wire type 5"));
    check(&a(&ints(&[0x80])), &feature(long));
    check(&a(&ints(&[0xff; 10])), &feature("a variable-length integer does not fit in 64 bits"));
    let floats = "a list of packed floats is 3 bytes long, not a multiple of 4";
    check(&a(&field(2, &field(1, &[0; 3]))), &feature(floats));
    check(&a(&field(2, &[0x0d, 0])), &feature(long));
    check(&a(&field(2, &[0x08, 0])), &feature("field 1 has the wrong wire type 0"));
    check(&a(&field(1, &[0x08, 0])), &feature("field 1 has the wrong wire type 0"));
    check(&a(&field(1, &[0x0a, 2, 0])), &feature(long));
    // A field that goes on in the next piece of a value.
    let pieces = [field(1, b"a"), field(2, &[0x79, 0, 0]), field(2, &[0; 6])].concat();
    check(&example(&[pieces]), &feature(long));
    // Also where a later kind or entry replaces the damaged list.
    check(&a(&[field(2, &field(1, &[0; 3])), ints(&[1])].concat()), &feature(floats));
    let replaced = example(&[entry("a", &field(2, &field(1, &[0; 3]))), entry("a", b"")]);
    check(&replaced, &feature(floats));
}

#[test]
fn a_kind_is_for_the_whole_shard() {
    let mut decoder = ExampleDecoder::new(Payload::Example, None);
    let ok = Ok(());
    let bad = Err("feature `x` has int64_list here but float_list before".to_owned());
    let x = |feature: &[u8]| example(&[entry("x", feature)]);
    assert_eq!(decoder.push(&x(b"")), ok);
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.column(0).data_type(), &DataType::Null);
    // A rejected record decides nothing, neither kinds nor columns.
    let rejected = example(&[entry("x", &ints(&[1])), entry("y", &ints(&[1])), vec![0x08]]);
    assert!(decoder.push(&rejected).is_err());
    assert_eq!(decoder.push(&x(&float(1.0))), ok);
    assert_eq!(decoder.push(&x(&ints(&[1]))), bad);
    let batch = decoder.finish().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (1, 1));
    assert_eq!(decoder.push(&x(&ints(&[1]))), bad);
    assert_eq!(decoder.push(&x(&field(3, b""))), bad);
    assert_eq!(decoder.push(&x(&float(2.0))), ok);
    assert_eq!(decoder.finish().unwrap().num_rows(), 1);
    assert_eq!(decoder.finish().unwrap().num_rows(), 0);
}

#[test]
fn columns_that_come_late_or_stay_away_are_filled_with_nulls() {
    let mut decoder = ExampleDecoder::new(Payload::Example, None);
    for i in 0..200_u8 {
        let mut entries = vec![entry("all", &ints(&[1]))];
        if i >= 150 {
            entries.push(entry("late", &ints(&[i - 100])));
        }
        if i % 3 == 0 {
            entries.push(entry("some", &field(3, if i % 2 == 0 { b"" } else { b"\x08\x01" })));
        }
        if i == 0 {
            entries.push(entry("first", &ints(&[1, 2])));
        }
        decoder.push(&example(&entries)).unwrap();
    }
    let batch = decoder.finish().unwrap();
    let nulls = |name: &str| batch.column_by_name(name).unwrap().null_count();
    assert_eq!(["all", "first", "late", "some"].map(nulls), [0, 199, 150, 133]);
    let rows = rows(&batch);
    for (i, (row, _)) in rows.iter().enumerate() {
        let some = match (i % 3, i % 2) {
            (0, 0) => Some(List::Ints(vec![])),
            (0, _) => Some(List::Ints(vec![1])),
            _ => None,
        };
        assert_eq!(row.get("some"), some.as_ref());
        assert_eq!(row.contains_key("late"), i >= 150);
    }
    // The next batch knows all columns, though no record has them.
    decoder.push(b"").unwrap();
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.columns().iter().map(Array::null_count).sum::<usize>(), 4);
}

#[test]
fn only_wanted_columns_are_looked_at() {
    let columns = ["b".to_owned(), "z".to_owned()];
    let mut decoder = ExampleDecoder::new(Payload::Example, Some(&columns));
    let record = example(&[entry("a", b"damaged"), entry("b", &ints(&[1]))]);
    assert_eq!(decoder.push(&record), Ok(()));
    let batch = decoder.finish().unwrap();
    assert_eq!(rows(&batch)[0].0, int_row(&[("b", &[1])]));
    assert_eq!(batch.num_columns(), 1);
}

#[test]
fn sequence_examples_have_lists_of_lists() {
    let lists = |entries: &[Vec<u8>]| {
        field(2, &entries.iter().flat_map(|entry| field(1, entry)).collect::<Vec<_>>())
    };
    let list = |features: &[&[u8]]| features.iter().flat_map(|f| field(1, f)).collect::<Vec<_>>();
    let check = |record: &[u8], expected: &[(&str, &[Option<&[i64]>])]| {
        let (row, found) = decode_one(Payload::SequenceExample, record).unwrap();
        let expected: ListsRow = expected
            .iter()
            .map(|(name, lists)| {
                let lists = lists.iter().map(|list| list.map(|ints| List::Ints(ints.to_vec())));
                ((*name).to_owned(), lists.collect())
            })
            .collect();
        assert_eq!(found, expected, "{record:x?}");
        assert!(row.is_empty());
    };
    let s = |value: &[u8]| lists(&[entry("s", value)]);
    check(b"", &[]);
    check(&lists(&[]), &[]);
    check(&s(b""), &[("s", &[])]);
    check(&s(&list(&[b"", b""])), &[("s", &[None, None])]);
    let two = list(&[&ints(&[1, 2]), b"", &field(3, b""), &ints(&[3])]);
    let expected: &[Option<&[i64]>] = &[Some(&[1, 2]), None, Some(&[]), Some(&[3])];
    check(&s(&two), &[("s", expected)]);
    // Repeated keys, messages and values; kinds that are replaced.
    check(&lists(&[entry("s", &two), entry("s", b"")]), &[("s", &[])]);
    check(&[s(&two), s(&list(&[&ints(&[4])]))].concat(), &[("s", &[Some(&[4])])]);
    let pieces = [entry("s", &list(&[&ints(&[1])])), field(2, &list(&[&ints(&[2])]))].concat();
    check(&lists(&[pieces]), &[("s", &[Some(&[1]), Some(&[2])])]);
    let kinds = list(&[&[float(1.0), ints(&[1])].concat()]);
    check(&s(&kinds), &[("s", &[Some(&[1])])]);
    let replaced = [entry("s", &list(&[&float(1.0)])), entry("s", &list(&[&ints(&[1])]))];
    check(&lists(&replaced), &[("s", &[Some(&[1])])]);

    let reject = |record: &[u8], expected: &str| {
        assert_eq!(decode_one(Payload::SequenceExample, record).unwrap_err(), expected);
    };
    let mixed = s(&list(&[&ints(&[1]), &float(1.0)]));
    reject(&mixed, "feature list `s` has float_list here but int64_list before");
    // Such a record decides nothing about its context either.
    let mut decoder = ExampleDecoder::new(Payload::SequenceExample, None);
    assert!(decoder.push(&[example(&[entry("a", &ints(&[1]))]), mixed].concat()).is_err());
    assert_eq!(decoder.push(&example(&[entry("a", &float(1.0))])), Ok(()));
    let cut = "a field is longer than the message that holds it";
    reject(&s(&[0x0a, 7]), &format!("feature list `s` is damaged: {cut}"));
    reject(&field(2, &[0x0a, 7]), &format!("the map of feature lists is damaged: {cut}"));
    let taken = example(&[entry(SEQUENCE_COLUMN, &ints(&[1]))]);
    let reason = "feature `##SEQUENCE##` is damaged: this name is that of the column of all \
                  feature lists";
    reject(&taken, reason);
}

#[test]
fn feature_lists_are_detected_ignored_or_refused() {
    let record = field(2, &field(1, &entry("s", b"")));
    assert!(has_feature_lists(&record));
    assert!(!has_feature_lists(&example(&[entry("s", b"")])));
    assert!(!has_feature_lists(&record[..5]));
    let push = |payload| ExampleDecoder::new(payload, None).push(&record);
    assert_eq!(push(Payload::Example), Ok(()));
    let reason = "the record has feature lists, unlike the first ones: is it a tf.SequenceExample?";
    assert_eq!(push(Payload::Detect), Err(reason.to_owned()));
    let mut decoder = ExampleDecoder::new(Payload::SequenceExample, Some(&["x".to_owned()]));
    assert_eq!(decoder.push(&record), Ok(()));
    assert_eq!(decoder.finish().unwrap().num_columns(), 0);
}
