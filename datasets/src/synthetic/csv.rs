//! Batches as lines of comma-separated values.

use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use engine::{Error, ErrorKind, Result};

/// Between the values of a list.
const LIST_DELIMITER: u8 = b'|';

/// Writes the header line.
pub(super) fn write_header(schema: &SchemaRef, out: &mut Vec<u8>) {
    for (i, field) in schema.fields().iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_text(field.name(), out);
    }
    out.push(b'\n');
}

/// Writes a line for every row; a missing cell and an empty list are empty.
pub(super) fn write_rows(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    let cells = batch.columns().iter().map(Cells::new).collect::<Result<Vec<_>>>()?;
    for row in 0..batch.num_rows() {
        for (i, cells) in cells.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            cells.write(row, out);
        }
        out.push(b'\n');
    }
    Ok(())
}

/// A column by its type, so that cells do not have to ask.
enum Cells<'a> {
    Ints(&'a arrow_array::Int64Array),
    Floats(&'a arrow_array::Float64Array),
    Text(&'a arrow_array::StringArray),
    Lists(&'a arrow_array::ListArray, Box<Cells<'a>>),
}

impl<'a> Cells<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Int64 => Cells::Ints(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Cells::Floats(array.as_primitive::<Float64Type>()),
            DataType::Utf8 => Cells::Text(array.as_string::<i32>()),
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                Cells::Lists(lists, Box::new(Cells::new(lists.values())?))
            }
            other => {
                let message = format!("values of type {other} do not fit in CSV");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        const VEC: &str = "a Vec takes every write";
        match self {
            Cells::Ints(array) if array.is_valid(row) => {
                write!(out, "{}", array.value(row)).expect(VEC);
            }
            // `Debug` keeps the `.0` of whole numbers, by which readers see that they are floats.
            Cells::Floats(array) if array.is_valid(row) => {
                write!(out, "{:?}", array.value(row)).expect(VEC);
            }
            Cells::Text(array) if array.is_valid(row) => write_text(array.value(row), out),
            Cells::Lists(array, values) if array.is_valid(row) => {
                let offsets = array.value_offsets();
                for i in offsets[row]..offsets[row + 1] {
                    if i > offsets[row] {
                        out.push(LIST_DELIMITER);
                    }
                    values.write(i as usize, out);
                }
            }
            _ => {}
        }
    }
}

/// Writes text, in quotes where it could be misread.
fn write_text(text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, ListArray, StringArray};

    use super::*;

    #[test]
    fn cells_are_written_so_that_they_are_read_again() {
        let lists = [Some(vec![Some(1), Some(-2)]), Some(vec![]), None];
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("i", Arc::new(Int64Array::from(vec![Some(-1), None, Some(7)]))),
            ("f,", Arc::new(Float64Array::from(vec![3.0, f64::NEG_INFINITY, f64::NAN]))),
            ("s", Arc::new(StringArray::from(vec![Some(""), Some("a \"b\""), Some("x,\n")]))),
            ("l", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = Vec::new();
        write_header(&batch.schema(), &mut out);
        write_rows(&batch, &mut out).unwrap();
        let expected = "i,\"f,\",s,l\n-1,3.0,\"\",1|-2\n,-inf,\"a \"\"b\"\"\",\n7,NaN,\"x,\n\",\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
