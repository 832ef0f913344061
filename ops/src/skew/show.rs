//! The values of a feature as text, for people who look at pairs that differ.

use arrow_array::Array;
use engine::{Batch, Result};

use crate::stats::{Column, Values, column, text};

/// The values that the first row of a batch has in a feature: a value, a list in brackets, or
/// nothing where the feature is not there.
///
/// # Errors
/// When a column has a type that means nothing as a feature.
pub fn shown(batch: &Batch, feature: &str) -> Result<String> {
    let columns = column::columns(&batch.records, batch.first_row, |_| None, |_| true)?;
    let found = columns.iter().find(|column| column.path.to_string() == feature);
    Ok(found.map_or_else(String::new, of_column))
}

fn of_column(column: &Column) -> String {
    let examples = column.examples_of(column.levels.len());
    let mut values: Vec<String> =
        (0..column.values.len()).filter(|&i| examples[i] == 0).map(|i| value(column, i)).collect();
    let is_there = column.levels[0].n_parents > 0 && column.levels[0].is_present(0);
    match values.as_mut_slice() {
        _ if !is_there => String::new(),
        [one] if column.levels.len() == 1 => std::mem::take(one),
        values => format!("[{}]", values.join(", ")),
    }
}

fn value(column: &Column, i: usize) -> String {
    if column.values.nulls().is_some_and(|nulls| nulls.is_null(i)) {
        return "null".to_owned();
    }
    let bytes = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("b\"{}\"", value.escape_ascii()),
    };
    match &column.values {
        Values::Unknown(_) => "null".to_owned(),
        Values::Int(array) => array.value(i).to_string(),
        Values::Float32(array) => text::float(array.value(i)),
        Values::Float64(array) => text::float(array.value(i)),
        Values::Bytes(array) => bytes(array.value(i)),
        Values::Dictionary { codes, values } => match codes.value(i) as usize {
            code if values.is_null(code) => "null".to_owned(),
            code => bytes(values.value(code)),
        },
        Values::Struct(_) => "{…}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int64Type;
    use arrow_array::{
        ArrayRef, BinaryArray, Float32Array, Int64Array, ListArray, RecordBatch, StructArray,
    };

    use super::*;

    #[test]
    fn values_are_written_as_they_are() {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1)]));
        let list = |values| {
            let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([values]);
            Arc::new(lists) as ArrayRef
        };
        let records = RecordBatch::try_from_iter_with_nullable([
            ("int", Arc::new(Int64Array::from(vec![-7])) as ArrayRef, true),
            ("float", Arc::new(Float32Array::from(vec![0.1])), true),
            ("none", Arc::new(Int64Array::from(vec![None])), true),
            ("text", Arc::new(BinaryArray::from(vec![&b"caf\xc3\xa9"[..]])), true),
            ("bytes", Arc::new(BinaryArray::from(vec![&b"\xff\""[..]])), true),
            ("one", list(Some(vec![Some(5)])), true),
            ("many", list(Some(vec![Some(5), None])), true),
            ("empty", list(Some(vec![])), true),
            ("absent", list(None), true),
            ("s", Arc::new(StructArray::try_from(vec![("x", x)]).unwrap()), true),
        ])
        .unwrap();
        let rejected = Vec::new();
        let batch = Batch { shard: 0, first_row: 0, records, originals: None, rejected, bytes: 0 };
        for (feature, expected) in [
            ("int", "-7"),
            ("float", "0.1"),
            ("none", ""),
            ("text", "café"),
            ("bytes", "b\"\\xff\\\"\""),
            ("one", "5"),
            ("many", "[5, null]"),
            ("empty", "[]"),
            ("absent", ""),
            ("s.x", "1"),
            ("nowhere", ""),
        ] {
            assert_eq!(shown(&batch, feature).unwrap(), expected, "{feature}");
        }
    }
}
