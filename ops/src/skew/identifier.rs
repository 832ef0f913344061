//! The key of every example: its identifier features, typed, in the order of their names.
//!
//! ```text
//! key  := cell*, or 0xff and 16 bytes of hash where that is shorter
//! cell := kind value                    one value
//!       | kind+8 varint(count) value*   several
//! ```

use std::ops::Range;

use arrow_array::Array;
use engine::{Error, ErrorKind, Result, write_varint};
use xxhash_rust::xxh3::xxh3_128;

use super::fingerprint::Floats;
use crate::stats::{Column, Values};

const INT: u8 = 1;
const FLOAT: u8 = 2;
const BYTES: u8 = 3;
/// Added where the number of values is not one.
const SEVERAL: u8 = 8;
/// What a hashed key begins with.
const HASHED: u8 = 0xff;
/// Longer keys are hashed.
const LONGEST: usize = 24;

/// One piece of bytes for each row; empty where there is no identifier.
#[derive(Debug, Default)]
pub(super) struct Cells {
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Cells {
    pub(super) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// Ends the piece of a row.
    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// The keys of a batch. Every identifier feature has its column, or is missing everywhere.
///
/// # Errors
/// When an identifier is a struct or a list of lists.
pub(super) fn keys(columns: &[Option<&Column>], n_rows: usize, floats: Floats) -> Result<Cells> {
    let mut parts = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(column) = column else {
            return Ok(Cells { ends: vec![0; n_rows], bytes: Vec::new() });
        };
        parts.push(cells(column, floats)?);
    }
    let mut keys = Cells::default();
    for row in 0..n_rows {
        let start = keys.bytes.len();
        for part in &parts {
            match part.get(row) {
                [] => {
                    keys.bytes.truncate(start);
                    break;
                }
                cell => keys.bytes.extend_from_slice(cell),
            }
        }
        if keys.bytes.len() - start > LONGEST {
            let hash = xxh3_128(&keys.bytes[start..]);
            keys.bytes.truncate(start);
            keys.bytes.push(HASHED);
            keys.bytes.extend_from_slice(&hash.to_be_bytes());
        }
        keys.end();
    }
    Ok(keys)
}

/// The identifier's part that one feature is.
fn cells(column: &Column, floats: Floats) -> Result<Cells> {
    let is_plain = column.levels.len() == 1 && column.examples.is_none();
    if !is_plain || matches!(column.values, Values::Struct(_)) {
        let message = format!("the identifier feature `{}` is nested", column.path);
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("Identify examples by features of numbers or strings."));
    }
    Ok(match &column.values {
        Values::Unknown(n) => Cells { ends: vec![0; *n], bytes: Vec::new() },
        Values::Int(array) => each(column, INT, |i, out| {
            out.extend_from_slice(&array.value(i).to_le_bytes());
        }),
        Values::Float32(array) => each(column, FLOAT, |i, out| {
            out.extend_from_slice(&floats.bits(array.value(i).into()).to_le_bytes());
        }),
        Values::Float64(array) => each(column, FLOAT, |i, out| {
            out.extend_from_slice(&floats.bits(array.value(i)).to_le_bytes());
        }),
        Values::Bytes(array) => each(column, BYTES, |i, out| text(array.value(i), out)),
        Values::Dictionary { codes, values } => {
            each(column, BYTES, |i, out| text(values.value(codes.value(i) as usize), out))
        }
        Values::Struct(_) => Cells::default(),
    })
}

fn text(value: &[u8], out: &mut Vec<u8>) {
    write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// The cells of a column of one kind; `push` writes a value.
fn each(column: &Column, kind: u8, push: impl Fn(usize, &mut Vec<u8>)) -> Cells {
    let level = &column.levels[0];
    let is_null = |i: usize| match &column.values {
        Values::Dictionary { codes, values } => {
            codes.is_null(i) || values.is_null(codes.value(i) as usize)
        }
        values => values.nulls().is_some_and(|nulls| nulls.is_null(i)),
    };
    let has_nulls = match &column.values {
        Values::Dictionary { codes, values } => codes.null_count() + values.null_count() > 0,
        values => values.nulls().is_some_and(|nulls| nulls.null_count() > 0),
    };
    let mut cells = Cells::default();
    cells.ends.reserve(level.n_parents);
    for row in 0..level.n_parents {
        let values: Range<usize> = match &level.offsets {
            _ if !level.is_present(row) => 0..0,
            None => row..row + 1,
            Some(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
        };
        let is_missing = values.is_empty() || has_nulls && values.clone().any(is_null);
        if !is_missing {
            if values.len() == 1 {
                cells.bytes.push(kind);
            } else {
                cells.bytes.push(kind + SEVERAL);
                write_varint(&mut cells.bytes, values.len() as u64);
            }
            for i in values {
                push(i, &mut cells.bytes);
            }
        }
        cells.end();
    }
    cells
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int64Type;
    use arrow_array::{
        ArrayRef, BinaryArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch,
        StringArray, StructArray,
    };

    use super::super::SkewOptions;
    use super::*;

    fn keys_of(arrays: &[ArrayRef]) -> Result<Vec<Vec<u8>>> {
        let names = ["a", "b", "c"];
        let records = RecordBatch::try_from_iter_with_nullable(
            names.iter().zip(arrays).map(|(name, array)| (name, array.clone(), true)),
        )
        .unwrap();
        let columns = crate::stats::column::columns(&records, 0, |_| None, |_| true)?;
        let columns: Vec<_> = columns.iter().map(Some).collect();
        let keys = keys(&columns, records.num_rows(), Floats::new(&SkewOptions::default()))?;
        Ok((0..records.num_rows()).map(|row| keys.get(row).to_vec()).collect())
    }

    #[test]
    fn keys_are_typed_and_short() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1)]),
            Some(vec![Some(1), Some(2)]),
            Some(vec![]),
            None,
            Some(vec![Some(1), None]),
        ]);
        let keys = keys_of(&[Arc::new(lists)]).unwrap();
        assert_eq!(keys[0], keys_of(&[Arc::new(Int64Array::from(vec![1]))]).unwrap()[0]);
        assert_eq!(keys[0].len(), 9);
        assert_eq!(keys[1].len(), 2 + 16);
        assert!(keys[2..].iter().all(Vec::is_empty), "missing, in one way or another");
        let number = keys_of(&[Arc::new(Float64Array::from(vec![1.0]))]).unwrap();
        assert_ne!(number[0], keys[0], "1 and 1.0 are of different types");
        assert_eq!(number, keys_of(&[Arc::new(Float32Array::from(vec![1.0]))]).unwrap());
        let long = "x".repeat(1000);
        let texts = StringArray::from(vec!["x", "", &long, &long[1..]]);
        let bytes: BinaryArray = texts.clone().into();
        let texts = keys_of(&[Arc::new(texts)]).unwrap();
        assert_eq!(texts, keys_of(&[Arc::new(bytes)]).unwrap());
        assert_eq!((texts[1].len(), texts[2].len()), (2, 17));
        assert_ne!(texts[2], texts[3]);
    }

    #[test]
    fn several_features_make_one_key() {
        let texts = |values: [Option<&str>; 3]| -> ArrayRef {
            Arc::new(StringArray::from(values.to_vec()))
        };
        let one = texts([Some("ab"), Some("a"), None]);
        let two = texts([Some("c"), Some("bc"), Some("c")]);
        let keys = keys_of(&[one, two]).unwrap();
        assert_ne!(keys[0], keys[1], "where one ends and the next begins matters");
        assert!(keys[2].is_empty());
    }

    #[test]
    fn structs_identify_nothing() {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let structs = StructArray::try_from(vec![("x", x)]).unwrap();
        let records = RecordBatch::try_from_iter([("a", Arc::new(structs) as ArrayRef)]).unwrap();
        let columns = crate::stats::column::columns(&records, 0, |_| None, |_| true).unwrap();
        for (column, name) in columns.iter().zip(["a", "a.x"]) {
            let error = keys(&[Some(column)], 1, Floats::new(&SkewOptions::default())).unwrap_err();
            assert_eq!(error.message(), format!("the identifier feature `{name}` is nested"));
        }
    }
}
