//! The struct of a batch's feature lists as `FeatureLists` messages: what
//! [`super::sequence::FeatureLists`] undoes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field};
use engine::{Error, Result};

use super::SEQUENCE_COLUMN;
use super::encode::{Values, element, plain, prefix};
use super::wire::{put_varint, varint_len};

/// The feature lists of all rows.
pub(super) struct EncodedLists {
    /// Rows without any feature lists.
    nulls: Option<NullBuffer>,
    columns: Vec<Column>,
    /// The message of one row, and in it one list, as they are made.
    message: Vec<u8>,
    list: Vec<u8>,
}

/// One feature list of every row.
struct Column {
    /// Key field and tag of the value field.
    prefix: Vec<u8>,
    /// The features of each row; rows that lack the list are null.
    rows: OffsetBuffer<i32>,
    row_nulls: Option<NullBuffer>,
    features: Features,
}

/// The features of all rows.
enum Features {
    /// None of them has a kind.
    Kindless,
    /// Null ones have none.
    Of { offsets: OffsetBuffer<i32>, nulls: Option<NullBuffer>, values: Values },
}

impl EncodedLists {
    /// Of the struct column that [`super::SEQUENCE_COLUMN`] names.
    ///
    /// # Errors
    /// When a field of it is no column of lists of lists of what a tf.Example can hold.
    pub(super) fn new(lists: &StructArray) -> Result<Self> {
        let mut fields: Vec<_> = lists.fields().iter().zip(lists.columns()).collect();
        fields.retain(|(field, _)| *field.data_type() != DataType::Null);
        fields.sort_by_key(|(field, _)| field.name());
        let columns = fields.iter().map(|(field, array)| Column::new(field.name(), array));
        Ok(EncodedLists {
            nulls: lists.nulls().cloned(),
            columns: columns.collect::<Result<_>>()?,
            message: Vec::new(),
            list: Vec::new(),
        })
    }

    /// Appends the field of a tf.SequenceExample that holds the feature lists of one row.
    pub(super) fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return;
        }
        self.message.clear();
        for column in &self.columns {
            if column.row_nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            self.list.clear();
            for feature in column.rows[row] as usize..column.rows[row + 1] as usize {
                column.features.encode(feature, &mut self.list);
            }
            let (key, list) = (column.prefix.len(), self.list.len());
            self.message.push(0x0a);
            put_varint((key + varint_len(list as u64) + list) as u64, &mut self.message);
            self.message.extend_from_slice(&column.prefix);
            put_varint(list as u64, &mut self.message);
            self.message.extend_from_slice(&self.list);
        }
        out.push(0x12);
        put_varint(self.message.len() as u64, out);
        out.extend_from_slice(&self.message);
    }
}

impl Column {
    fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        let shown = format!("{SEQUENCE_COLUMN}.{name}");
        let is_kindless = element(array.data_type()) == Some(&DataType::Null);
        let array = if is_kindless {
            let nulls = Arc::new(Field::new("item", DataType::Null, true));
            cast(array, &DataType::List(nulls)).map_err(|error| {
                Error::invalid(format!("column `{shown}` does not fit in tf.SequenceExamples"))
                    .with_detail(format!("{error}."))
            })?
        } else {
            plain(&shown, array, 2)?
        };
        let rows = array.as_list::<i32>();
        let features = if is_kindless {
            Features::Kindless
        } else {
            let features = rows.values().as_list::<i32>();
            Features::Of {
                offsets: features.offsets().clone(),
                nulls: features.nulls().cloned(),
                values: Values::of_lists(&shown, features.values())?,
            }
        };
        let (prefix, offsets) = (prefix(name), rows.offsets().clone());
        Ok(Column { prefix, rows: offsets, row_nulls: rows.nulls().cloned(), features })
    }
}

impl Features {
    /// Appends one feature to a list of features.
    fn encode(&self, i: usize, out: &mut Vec<u8>) {
        out.push(0x0a);
        match self {
            Features::Of { offsets, nulls, values }
                if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(i)) =>
            {
                let range = offsets[i] as usize..offsets[i + 1] as usize;
                let len = values.len(range.clone());
                put_varint(values.feature_len(len) as u64, out);
                values.encode(range, len, out);
            }
            _ => out.push(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int64Type;
    use arrow_array::{Int64Array, ListArray, RecordBatch};

    use super::*;
    use crate::{ExampleDecoder, ExampleEncoder, Payload};

    /// Field `number` of a message, shorter than 128 bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8][..], content].concat()
    }

    /// A tf.SequenceExample without context, as protobuf writes it: features of each list by name.
    fn sequence(lists: &[(&str, &[&[u8]])]) -> Vec<u8> {
        let entry = |&(name, features): &(&str, &[&[u8]])| {
            let list: Vec<u8> = features.iter().flat_map(|feature| field(1, feature)).collect();
            field(1, &[field(1, name.as_bytes()), field(2, &list)].concat())
        };
        [field(1, b""), field(2, &lists.iter().flat_map(entry).collect::<Vec<u8>>())].concat()
    }

    #[test]
    fn decoded_sequences_are_encoded_to_the_same_bytes() {
        let ints: &[u8] = b"\x1a\x05\x0a\x03\x05\x80\x01";
        let floats: &[u8] = b"\x12\x06\x0a\x04\x00\x00\xc0\x7f";
        let bytes: &[u8] = b"\x0a\x05\x0a\x00\x0a\x01\xff";
        let records = [
            sequence(&[("b", &[bytes, b"\x0a\x00"]), ("f", &[floats]), ("i", &[ints, b""])]),
            sequence(&[]),
            sequence(&[("f", &[b"\x12\x00", floats]), ("i", &[]), ("none", &[])]),
            sequence(&[("b", &[b""]), ("none", &[b"", b""])]),
        ];
        let mut decoder = ExampleDecoder::new(Payload::SequenceExample, None);
        for record in &records {
            decoder.push(record).unwrap();
        }
        let batch = decoder.finish().unwrap();
        for first in 0..records.len() {
            let rows = batch.slice(first, records.len() - first);
            let mut encoder = ExampleEncoder::new(&rows).unwrap();
            for (row, record) in records[first..].iter().enumerate() {
                assert_eq!(encoder.encode(row), record, "{first} {row}");
            }
        }
    }

    #[test]
    fn rows_without_the_struct_are_examples_and_what_does_not_fit_is_refused() {
        let of = |name: &str, column: ArrayRef, nulls: Vec<bool>| {
            let fields = vec![Field::new("x", column.data_type().clone(), true)].into();
            let lists = StructArray::new(fields, vec![column], Some(nulls.into()));
            RecordBatch::try_from_iter_with_nullable([(name, Arc::new(lists) as ArrayRef, true)])
                .unwrap()
        };
        let lists = |values: Vec<Option<i64>>| {
            let inner = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(values)]);
            let item = Arc::new(Field::new("element", inner.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths([1, 0]);
            Arc::new(ListArray::new(item, offsets, Arc::new(inner), None)) as ArrayRef
        };
        let batch = of(SEQUENCE_COLUMN, lists(vec![Some(5)]), vec![true, false]);
        let mut encoder = ExampleEncoder::new(&batch).unwrap();
        assert_eq!(encoder.encode(0), sequence(&[("x", &[b"\x1a\x03\x0a\x01\x05"])]));
        assert_eq!(encoder.encode(1), b"\x0a\x00");

        let check = |name: &str, column: ArrayRef, expected: &str| {
            let error = ExampleEncoder::new(&of(name, column, vec![true; 2])).err().unwrap();
            assert_eq!(error.message(), expected);
        };
        let flat = Arc::new(Int64Array::from(vec![1, 2]));
        let expected = "column `##SEQUENCE##.x` of type Int64 does not fit in tf.Examples";
        check(SEQUENCE_COLUMN, flat.clone(), expected);
        let expected = "column `##SEQUENCE##.x` has a null inside a list";
        check(SEQUENCE_COLUMN, lists(vec![None]), expected);
        let expected = "column `other` of type Struct(\"x\": Int64) does not fit in tf.Examples";
        check("other", flat, expected);
    }
}
