//! Cells of text that are what the schema says, in columns whose type is that of all cells together.
//!
//! One word among the numbers of a CSV column makes the column text. Told apart cell by cell, only
//! the row with the word is at fault.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float32Array, Int64Array};

use super::super::words::{parse_float, parse_int};
use super::of_row::bytes;
use crate::stats::column::{Column, Kind, Values};
use crate::tfmd::{Feature, FeatureType};

/// A column read as what the schema says.
pub(super) struct Typed {
    pub(super) column: Column,
    /// Places of values that cannot be read so.
    pub(super) unread: Vec<usize>,
}

/// The column as numbers, if the schema wants numbers and it holds something else.
pub(super) fn read(column: &Column, feature: &Feature) -> Option<Typed> {
    let kind = column.kind()?;
    let n = column.values.len();
    let is_there = |i: usize| column.values.nulls().is_none_or(|nulls| nulls.is_valid(i));
    let text = |i: usize| bytes(column, i).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let values: ArrayRef = match (feature.r#type(), kind) {
        (FeatureType::Int, Kind::String) => {
            Arc::new((0..n).map(|i| text(i).and_then(parse_int)).collect::<Int64Array>())
        }
        (FeatureType::Float, Kind::String) => {
            Arc::new((0..n).map(|i| text(i).and_then(parse_float)).collect::<Float32Array>())
        }
        (FeatureType::Float, Kind::Int) => {
            let Values::Int(ints) = &column.values else { return None };
            Arc::new(ints.iter().map(|int| int.map(|int| int as f32)).collect::<Float32Array>())
        }
        _ => return None,
    };
    let unread = (0..n).filter(|&i| is_there(i) && values.is_null(i)).collect();
    let ints = values.as_any().downcast_ref::<Int64Array>().cloned().map(Values::Int);
    let floats = || values.as_any().downcast_ref::<Float32Array>().cloned().map(Values::Float32);
    let values = ints.or_else(floats)?;
    Some(Typed { column: Column { values, ..column.clone() }, unread })
}
