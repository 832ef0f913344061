//! Rows of Arrow batches as serialized tf.Examples, or tf.SequenceExamples: what
//! [`super::ExampleDecoder`] undoes.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, Float32Array, Int64Array, RecordBatch};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field};
use engine::{Error, ErrorKind, Result};

use super::SEQUENCE_COLUMN;
use super::encode_lists::EncodedLists;
use super::wire::{put_varint, varint_len};
use crate::TfRecordWriter;

/// Room for the tag and the length that come before all features.
const ROOM: usize = 11;

/// Encodes the rows of one batch as tf.Examples, features sorted by name.
///
/// Integers and booleans become an `int64_list`, floats a `float_list`, strings and binary a
/// `bytes_list`, each of one value; a list becomes one of all its values. A null is an absent
/// feature, an empty list a present one without values. With a struct [`SEQUENCE_COLUMN`], rows
/// become tf.SequenceExamples: its lists of lists are their feature lists.
pub struct ExampleEncoder {
    columns: Vec<Encoded>,
    lists: Option<EncodedLists>,
    buffer: Vec<u8>,
    rows: usize,
}

struct Encoded {
    /// Key field and tag of the value field.
    prefix: Vec<u8>,
    /// The rows of a list column.
    offsets: Option<OffsetBuffer<i32>>,
    nulls: Option<NullBuffer>,
    values: Values,
}

/// The values of features, in one of the three types of tf.Example.
pub(super) enum Values {
    Ints(Int64Array),
    Floats(Float32Array),
    Bytes(BinaryArray),
}

impl ExampleEncoder {
    /// An encoder for the rows of this batch.
    ///
    /// # Errors
    /// When a column has a type that tf.Example cannot hold, or a null inside a list, or when two
    /// columns have the same name.
    pub fn new(batch: &RecordBatch) -> Result<Self> {
        let schema = batch.schema();
        let mut order: Vec<usize> = (0..batch.num_columns()).collect();
        order.sort_by_key(|&i| schema.field(i).name());
        for pair in order.windows(2) {
            let [a, b] = [schema.field(pair[0]).name(), schema.field(pair[1]).name()];
            if a == b {
                return Err(Error::invalid(format!("there are two columns `{a}`"))
                    .with_detail("The features of a tf.Example have distinct names."));
            }
        }
        let mut columns = Vec::with_capacity(order.len());
        let mut lists = None;
        for i in order {
            let (name, column) = (schema.field(i).name(), batch.column(i));
            match column.data_type() {
                DataType::Null => {}
                DataType::Struct(_) if name == SEQUENCE_COLUMN => {
                    lists = Some(EncodedLists::new(column.as_struct())?);
                }
                _ => columns.push(Encoded::new(name, column)?),
            }
        }
        Ok(ExampleEncoder { columns, lists, buffer: Vec::new(), rows: batch.num_rows() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One row as a serialized tf.Example, or tf.SequenceExample.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn encode(&mut self, row: usize) -> &[u8] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        self.buffer.clear();
        self.buffer.extend_from_slice(&[0; ROOM]);
        for column in &self.columns {
            column.encode(row, &mut self.buffer);
        }
        let mut len = (self.buffer.len() - ROOM) as u64;
        let start = ROOM - 1 - varint_len(len);
        self.buffer[start] = 0x0a;
        for byte in &mut self.buffer[start + 1..ROOM] {
            *byte = len as u8 | 0x80;
            len >>= 7;
        }
        self.buffer[ROOM - 1] &= 0x7f;
        if let Some(lists) = &mut self.lists {
            lists.encode(row, &mut self.buffer);
        }
        &self.buffer[start..]
    }
}

impl Encoded {
    fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        let is_list = element(array.data_type()).is_some();
        let array = plain(name, array, usize::from(is_list))?;
        let nulls = array.nulls().cloned();
        let Some(list) = array.as_list_opt::<i32>() else {
            return Ok(Encoded {
                prefix: prefix(name),
                offsets: None,
                nulls,
                values: Values::new(&array),
            });
        };
        let values = Values::of_lists(name, list.values())?;
        Ok(Encoded { prefix: prefix(name), offsets: Some(list.offsets().clone()), nulls, values })
    }

    #[inline]
    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return;
        }
        let range = match &self.offsets {
            None => row..row + 1,
            Some(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
        };
        let len = self.values.len(range.clone());
        let feature = self.values.feature_len(len);
        let entry = self.prefix.len() + varint_len(feature as u64) + feature;
        out.push(0x0a);
        put_varint(entry as u64, out);
        out.extend_from_slice(&self.prefix);
        put_varint(feature as u64, out);
        self.values.encode(range, len, out);
    }
}

/// What comes first in the entry of a map: the key, and the tag of the value.
pub(super) fn prefix(name: &str) -> Vec<u8> {
    let mut prefix = vec![0x0a];
    put_varint(name.len() as u64, &mut prefix);
    prefix.extend_from_slice(name.as_bytes());
    prefix.push(0x12);
    prefix
}

/// The type of a list's values.
pub(super) fn element(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type())
        }
        _ => None,
    }
}

/// A column as `depth` lists of lists of one of the three types of tf.Example.
///
/// # Errors
/// When there is none for its values.
pub(super) fn plain(name: &str, array: &ArrayRef, depth: usize) -> Result<ArrayRef> {
    let leaf = (0..depth).try_fold(array.data_type(), |data_type, _| element(data_type));
    let steps = leaf.and_then(steps).ok_or_else(|| {
        let data_type = array.data_type();
        let message = format!("column `{name}` of type {data_type} does not fit in tf.Examples");
        Error::new(ErrorKind::Unsupported, message).with_hint(match depth {
            2 => "Use lists of lists of integers, floats, strings or binary.",
            _ => "Use integers, floats, strings, binary, or lists of these.",
        })
    })?;
    let mut array = array.clone();
    for step in steps {
        let list = |item, _| DataType::List(Arc::new(Field::new("item", item, true)));
        let target = (0..depth).fold(step, list);
        let options = CastOptions { safe: false, ..CastOptions::default() };
        array = cast_with_options(&array, &target, &options).map_err(|error| {
            Error::invalid(format!("column `{name}` does not fit in tf.Examples"))
                .with_detail(format!("{error}."))
        })?;
    }
    Ok(array)
}

impl Values {
    /// Of an array that is of one of these types already.
    fn new(array: &ArrayRef) -> Self {
        match array.data_type() {
            DataType::Int64 => Values::Ints(array.as_primitive::<Int64Type>().clone()),
            DataType::Float32 => Values::Floats(array.as_primitive::<Float32Type>().clone()),
            _ => Values::Bytes(array.as_binary().clone()),
        }
    }

    /// Of what lists hold.
    ///
    /// # Errors
    /// When there is a null.
    pub(super) fn of_lists(name: &str, values: &ArrayRef) -> Result<Self> {
        if values.null_count() > 0 {
            return Err(Error::invalid(format!("column `{name}` has a null inside a list"))
                .with_detail("A tf.Example has values in its lists, and nothing else."));
        }
        Ok(Values::new(values))
    }

    /// Bytes of these values: numbers packed, byte strings each with tag and length.
    #[inline]
    pub(super) fn len(&self, range: Range<usize>) -> usize {
        match self {
            Values::Ints(values) => {
                values.values()[range].iter().map(|&value| varint_len(value as u64)).sum()
            }
            Values::Floats(_) => range.len() * 4,
            Values::Bytes(values) => {
                let lens = range.map(|i| values.value_length(i) as usize);
                lens.map(|len| 1 + varint_len(len as u64) + len).sum()
            }
        }
    }

    /// Bytes of the list message around `len` bytes of values.
    #[inline]
    fn list_len(&self, len: usize) -> usize {
        match self {
            Values::Ints(_) | Values::Floats(_) if len > 0 => 1 + varint_len(len as u64) + len,
            _ => len,
        }
    }

    /// Bytes of the `Feature` message around `len` bytes of values.
    #[inline]
    pub(super) fn feature_len(&self, len: usize) -> usize {
        let list = self.list_len(len);
        1 + varint_len(list as u64) + list
    }

    /// Appends the `Feature` message of these values, which have `len` bytes.
    #[inline]
    pub(super) fn encode(&self, range: Range<usize>, len: usize, out: &mut Vec<u8>) {
        out.push(match self {
            Values::Ints(_) => 0x1a,
            Values::Floats(_) => 0x12,
            Values::Bytes(_) => 0x0a,
        });
        put_varint(self.list_len(len) as u64, out);
        if len == 0 {
            return;
        }
        if !matches!(self, Values::Bytes(_)) {
            out.push(0x0a);
            put_varint(len as u64, out);
        }
        match self {
            Values::Ints(values) => {
                for &value in &values.values()[range] {
                    put_varint(value as u64, out);
                }
            }
            Values::Floats(values) => {
                for value in &values.values()[range] {
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
            Values::Bytes(values) => {
                for i in range {
                    let value = values.value(i);
                    out.push(0x0a);
                    put_varint(value.len() as u64, out);
                    out.extend_from_slice(value);
                }
            }
        }
    }
}

/// The casts that lead to one of the three types of tf.Example.
fn steps(data_type: &DataType) -> Option<Vec<DataType>> {
    use DataType::{
        Binary, BinaryView, Boolean, Dictionary, FixedSizeBinary, Float16, Float32, Float64, Int8,
        Int16, Int32, Int64, LargeBinary, LargeUtf8, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    match data_type {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Boolean => {
            Some(vec![Int64])
        }
        Float16 | Float32 | Float64 => Some(vec![Float32]),
        Binary | Utf8 | LargeBinary | BinaryView | FixedSizeBinary(_) => Some(vec![Binary]),
        LargeUtf8 | Utf8View => Some(vec![Utf8, Binary]),
        Dictionary(_, values) => {
            let mut all = vec![values.as_ref().clone()];
            all.extend(steps(values)?);
            Some(all)
        }
        _ => None,
    }
}

/// Writes all rows of a batch as tf.Examples.
///
/// # Errors
/// As [`ExampleEncoder::new`], and when the output cannot be written.
pub fn write_examples<W: Write>(batch: &RecordBatch, writer: &mut TfRecordWriter<W>) -> Result<()> {
    let mut encoder = ExampleEncoder::new(batch)?;
    for row in 0..encoder.rows() {
        writer.write(encoder.encode(row)).map_err(|e| Error::io("write a record", &e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{
        FixedSizeListBuilder, Float64Builder, Int32Builder, LargeListBuilder, StringBuilder,
    };
    use arrow_array::types::Int8Type;
    use arrow_array::{
        BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, ListArray,
        NullArray, StringViewArray, TimestampSecondArray, UInt64Array,
    };

    use super::*;
    use crate::{ExampleDecoder, Payload};

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
            .unwrap()
    }

    /// The batch after a round trip through records.
    fn round_trip(batch: &RecordBatch) -> RecordBatch {
        let mut encoder = ExampleEncoder::new(batch).unwrap();
        let mut decoder = ExampleDecoder::new(Payload::Example, None);
        for row in 0..encoder.rows() {
            decoder.push(encoder.encode(row)).unwrap();
        }
        decoder.finish().unwrap()
    }

    #[test]
    fn decoded_batches_survive_the_round_trip() {
        let ints = [Some(vec![Some(1), Some(-1)]), None, Some(vec![]), Some(vec![Some(300)])];
        let floats = [None, Some(vec![Some(1.5), Some(f32::INFINITY)]), Some(vec![]), None];
        let mut bytes =
            arrow_array::builder::ListBuilder::new(arrow_array::builder::BinaryBuilder::new());
        bytes.append_value([Some(b"".as_slice()), Some(&[b'x'; 200])]);
        bytes.append_null();
        bytes.append_value([] as [Option<&[u8]>; 0]);
        bytes.append_value([Some(b"\xff")]);
        let long_name = "n".repeat(300);
        let original = batch(vec![
            ("a", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(ints))),
            ("b", Arc::new(bytes.finish())),
            ("f", Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(floats))),
            (
                &long_name,
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                    (0..4).map(|i| Some((0..i * 100).map(Some).collect::<Vec<_>>())),
                )),
            ),
        ]);
        assert_eq!(round_trip(&original), original);
    }

    #[test]
    fn flat_columns_become_lists_of_one_value() {
        let dictionary: DictionaryArray<Int8Type> =
            [Some("p"), None, Some("p")].into_iter().collect();
        let mut large = LargeListBuilder::new(StringBuilder::new());
        let mut fixed = FixedSizeListBuilder::new(Float64Builder::new(), 2);
        let mut narrow = arrow_array::builder::ListBuilder::new(Int32Builder::new());
        for i in 0..3 {
            large.append_value([Some("s"), Some("t")]);
            fixed.values().append_slice(&[f64::from(i), 0.5]);
            fixed.append(true);
            narrow.append_value((0..i).map(Some));
        }
        let binary =
            FixedSizeBinaryArray::try_from_iter([b"ab", b"cd", b"ef"].into_iter()).unwrap();
        let all = batch(vec![
            ("zz", Arc::new(Int32Array::from(vec![Some(-5), None, Some(7)]))),
            ("bool", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
            ("double", Arc::new(Float64Array::from(vec![0.1, f64::NAN, 1e300]))),
            ("view", Arc::new(StringViewArray::from(vec![Some("a"), Some(""), None]))),
            ("dictionary", Arc::new(dictionary)),
            ("fixed", Arc::new(binary)),
            ("fixed_list", Arc::new(fixed.finish())),
            ("large", Arc::new(large.finish())),
            ("narrow", Arc::new(narrow.finish())),
            ("null", Arc::new(NullArray::new(3))),
        ]);
        let decoded = round_trip(&all);
        let names: Vec<_> = decoded.schema().fields().iter().map(|f| f.name().clone()).collect();
        let expected = [
            "bool",
            "dictionary",
            "double",
            "fixed",
            "fixed_list",
            "large",
            "narrow",
            "view",
            "zz",
        ];
        assert_eq!(names, expected);
        let nulls: Vec<_> = decoded.columns().iter().map(Array::null_count).collect();
        assert_eq!(nulls, [1, 1, 0, 0, 0, 0, 0, 1, 1]);
        let values = |name| decoded.column_by_name(name).unwrap().as_list::<i32>().values().clone();
        assert_eq!(values("zz").as_primitive::<Int64Type>().values(), &[-5, 7]);
        assert_eq!(values("bool").as_primitive::<Int64Type>().values(), &[1, 0]);
        assert_eq!(values("double").as_primitive::<Float32Type>().value(0), 0.1_f32);
        assert_eq!(values("double").as_primitive::<Float32Type>().value(2), f32::INFINITY);
        assert_eq!(values("view").as_binary::<i32>().value(0), b"a");
        assert_eq!(values("fixed").as_binary::<i32>().value(2), b"ef");
        assert_eq!(values("large").len(), 6);
        assert_eq!(values("narrow").len(), 3);
        assert_eq!(values("fixed_list").as_primitive::<Float32Type>().value(4), 2.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let check = |columns: Vec<(&str, ArrayRef)>, expected: &str| {
            let error = ExampleEncoder::new(&batch(columns)).err().unwrap();
            assert_eq!(error.message(), expected);
        };
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1]));
        check(vec![("t", time)], "column `t` of type Timestamp(s) does not fit in tf.Examples");
        let large: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        check(vec![("u", large)], "column `u` does not fit in tf.Examples");
        let lists = [Some(vec![Some(1), None])];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
        check(vec![("l", lists)], "column `l` has a null inside a list");
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        check(vec![("a", ints.clone()), ("a", ints)], "there are two columns `a`");
    }

    #[test]
    fn a_row_without_features_is_an_example_without_features() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![None, Some(1)]));
        let mut encoder = ExampleEncoder::new(&batch(vec![("a", ints)])).unwrap();
        assert_eq!(encoder.encode(0), b"\x0a\x00");
        assert_eq!(encoder.encode(1), b"\x0a\x0c\x0a\x0a\x0a\x01a\x12\x05\x1a\x03\x0a\x01\x01");
    }
}
