//! Columns in which nothing has a type, as columns of what the schema says.
//!
//! Whether a batch knows the type of lists of features without a kind depends on its other rows. What is
//! told of a row must not.

use arrow_array::{BinaryArray, Float32Array, Int64Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};

use crate::stats::column::{Column, Level, Values};
use crate::tfmd::feature::ShapeType;
use crate::tfmd::{Feature, FeatureType};

/// The column with the type and the nest levels of the schema, if it has none itself: all values are
/// missing.
pub(super) fn read(column: &Column, feature: &Feature) -> Option<Column> {
    let Values::Unknown(mut n) = column.values else { return None };
    let n_levels = match &feature.shape_type {
        Some(ShapeType::ValueCounts(counts)) => counts.value_count.len(),
        Some(ShapeType::Shape(shape)) => shape.dim.len(),
        _ => 1,
    };
    let mut levels = column.levels.clone();
    while levels.len() < n_levels {
        let (offsets, nulls) = (OffsetBuffer::new_zeroed(n), NullBuffer::new_null(n));
        levels.push(Level { n_parents: n, offsets: Some(offsets), nulls: Some(nulls) });
        n = 0;
    }
    let values = match feature.r#type() {
        FeatureType::Struct => return None,
        FeatureType::Int => Values::Int(Int64Array::new_null(n)),
        FeatureType::Float => Values::Float32(Float32Array::new_null(n)),
        _ => Values::Bytes(BinaryArray::new_null(n)),
    };
    Some(Column { levels, values, ..column.clone() })
}
