//! Between Arrow's columns and the graph's.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, RecordBatch,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use engine::{Error, ErrorKind, Result};

use crate::tensor::{Strings, Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

/// A row that does not have what a graph asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its position in the batch.
    pub row: usize,
    /// Why, naming the column.
    pub reason: String,
}

/// The columns of a batch for a graph.
#[derive(Debug)]
pub struct Fed {
    /// One tensor for each input, of the good rows.
    pub tensors: Vec<Tensor>,
    /// How many rows are good.
    pub rows: usize,
    /// The others, ascending.
    pub bad: Vec<BadRow>,
}

/// Takes the columns that a graph asks for out of a batch.
///
/// A column that is not there is missing in every row: no values where any number will do, a bad row
/// where the shape is fixed.
///
/// # Errors
/// When a column is of a type that is not the graph's.
pub fn feed(batch: &RecordBatch, inputs: &[(String, Type)]) -> Result<Fed> {
    let rows = batch.num_rows();
    let mut bad = Vec::new();
    let tensors = feed_columns(batch, inputs, rows, &mut bad)?;
    if bad.is_empty() {
        return Ok(Fed { tensors, rows, bad });
    }
    bad.sort_by_key(|bad: &BadRow| bad.row);
    bad.dedup_by_key(|bad| bad.row);
    let mut keep = vec![true; rows];
    bad.iter().for_each(|bad| keep[bad.row] = false);
    let good = arrow_select::filter::filter_record_batch(batch, &BooleanArray::from(keep))
        .map_err(|e| Error::input("rows cannot be chosen").with_detail(format!("{e}.")))?;
    let rows = good.num_rows();
    let mut none = Vec::new();
    let tensors = feed_columns(&good, inputs, rows, &mut none)?;
    debug_assert!(none.is_empty());
    Ok(Fed { tensors, rows, bad })
}

fn feed_columns(
    batch: &RecordBatch,
    inputs: &[(String, Type)],
    rows: usize,
    bad: &mut Vec<BadRow>,
) -> Result<Vec<Tensor>> {
    inputs
        .iter()
        .map(|(name, ty)| match batch.column_by_name(name) {
            Some(column) => to_tensor(name, column, ty, bad),
            None => Ok(missing(name, ty, rows, bad)),
        })
        .collect()
}

/// A column without any values.
fn missing(name: &str, ty: &Type, rows: usize, bad: &mut Vec<BadRow>) -> Tensor {
    if ty.is_dense() {
        let reason = format!("`{name}` is missing; the graph needs it in every row");
        bad.extend((0..rows).map(|row| BadRow { row, reason: reason.clone() }));
    }
    let mut splits = Vec::new();
    let mut items = rows;
    for dim in &ty.shape {
        match dim {
            Dim::Fixed(n) => items *= *n as usize,
            Dim::Var => {
                splits.push(vec![0i32; items + 1].into());
                items = 0;
            }
        }
    }
    Tensor { rows, splits, values: Values::empty(ty.dtype) }
}

/// How Arrow calls the values of a type.
fn leaf_type(dtype: DType) -> DataType {
    match dtype {
        DType::Bool => DataType::Boolean,
        DType::Int64 => DataType::Int64,
        DType::Float32 => DataType::Float32,
        DType::Float64 => DataType::Float64,
        DType::String | DType::Vocabulary | DType::Tokenizer => DataType::Binary,
        DType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// A column as a tensor of this type; rows that do not fit are noted.
fn to_tensor(name: &str, column: &ArrayRef, ty: &Type, bad: &mut Vec<BadRow>) -> Result<Tensor> {
    let rows = column.len();
    if column.data_type() == &DataType::Null {
        return Ok(missing(name, ty, rows, bad));
    }
    let mut splits = Vec::new();
    // The row that each item of the level that is looked at belongs to; none: items are rows.
    let mut owner: Option<Vec<u32>> = None;
    let mut values = column.clone();
    let mut note = |owner: &Option<Vec<u32>>, item: usize, reason: String| {
        let row = owner.as_ref().map_or(item, |owner| owner[item] as usize);
        bad.push(BadRow { row, reason });
    };
    // A feature with fixed inner dimensions is stored flat: one list of all its values.
    let levels: Vec<Dim> = match ty.fixed_len() {
        Some(1) if !is_list(values.data_type()) => Vec::new(),
        Some(n) => vec![Dim::Fixed(n as u32)],
        None => ty.shape.clone(),
    };
    for (depth, dim) in levels.iter().enumerate() {
        let (ends, nulls, inner) = list_level(name, &values, ty)?;
        let lengths = (0..values.len()).map(|item| {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(item)) {
                0
            } else {
                (ends[item + 1] - ends[item]) as usize
            }
        });
        match dim {
            Dim::Var => splits.push(splits_of(lengths.clone())?),
            Dim::Fixed(n) => {
                for (item, length) in lengths.clone().enumerate() {
                    if length != *n as usize {
                        let found = if length == 0 && depth == 0 {
                            format!("`{name}` is missing; the graph needs it in every row")
                        } else {
                            format!("`{name}` has {length} values; {n} are wanted")
                        };
                        note(&owner, item, found);
                    }
                }
            }
        }
        let mut next = Vec::new();
        if levels.len() > depth + 1 {
            for (item, length) in lengths.enumerate() {
                let row = owner.as_ref().map_or(item as u32, |owner| owner[item]);
                next.extend(std::iter::repeat_n(row, length));
            }
        }
        owner = Some(next);
        let (from, to) = (ends[0] as usize, ends[values.len()] as usize);
        let unused = nulls.is_some_and(|nulls| {
            (0..values.len()).any(|item| nulls.is_null(item) && ends[item] != ends[item + 1])
        });
        if unused {
            return Err(unlike(name, column, ty).with_hint("Its nulls hold values."));
        }
        values = inner.slice(from, to - from);
    }
    if is_list(values.data_type()) {
        return Err(unlike(name, column, ty));
    }
    let wanted = leaf_type(ty.dtype);
    let array = if values.data_type() == &wanted {
        values
    } else if convertible(values.data_type(), ty.dtype) {
        cast(&values, &wanted).map_err(|e| unlike(name, column, ty).with_hint(format!("{e}.")))?
    } else {
        return Err(unlike(name, column, ty));
    };
    if let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
        for item in (0..array.len()).filter(|&item| nulls.is_null(item)) {
            if levels.is_empty() {
                let reason = format!("`{name}` is missing; the graph needs it in every row");
                note(&None, item, reason);
            } else {
                // Which row it is of is only known by its place.
                let ends = splits.first();
                let row = ends.map_or(item / ty.fixed_len().unwrap_or(1).max(1), |ends| {
                    ends.partition_point(|&end| end as usize <= item).saturating_sub(1)
                });
                note(&None, row, format!("`{name}` has a null among its values"));
            }
        }
    }
    Ok(Tensor { rows, splits, values: leaf_values(&array, ty.dtype) })
}

fn is_list(ty: &DataType) -> bool {
    matches!(ty, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// Whether a stored type is read as a type of the graph without asking.
fn convertible(from: &DataType, to: DType) -> bool {
    match to {
        DType::Bool => matches!(from, DataType::Boolean),
        DType::Int64 => from.is_integer() || *from == DataType::Boolean || from.is_temporal(),
        DType::Float32 | DType::Float64 => from.is_numeric() || *from == DataType::Boolean,
        DType::String => match from {
            DataType::Dictionary(_, values) => {
                convertible(values, to) || **values == DataType::Binary
            }
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => true,
            _ => false,
        },
        DType::Timestamp => from.is_temporal(),
        DType::Vocabulary | DType::Tokenizer => false,
    }
}

/// One level of lists: where each begins and ends, which are null, and what is in them.
fn list_level(
    name: &str,
    array: &ArrayRef,
    ty: &Type,
) -> Result<(ScalarBuffer<i32>, Option<NullBuffer>, ArrayRef)> {
    let nulls = array.nulls().cloned().filter(|nulls| nulls.null_count() > 0);
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            Ok((list.offsets().inner().clone(), nulls, list.values().clone()))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let ends: Option<Vec<i32>> =
                list.offsets().iter().map(|&end| i32::try_from(end).ok()).collect();
            let ends = ends.ok_or_else(|| unlike(name, array, ty).with_hint("It is too long."))?;
            Ok((ends.into(), nulls, list.values().clone()))
        }
        DataType::FixedSizeList(_, n) => {
            let list = array.as_fixed_size_list();
            if nulls.is_none() {
                let ends: Vec<i32> = (0..=list.len() as i32).map(|item| item * n).collect();
                return Ok((ends.into(), None, list.values().clone()));
            }
            // Nulls of fixed-size lists hold values: leave them out.
            let lists = cast(array, &DataType::List(list_field(list)))
                .map_err(|e| unlike(name, array, ty).with_hint(format!("{e}.")))?;
            list_level(name, &lists, ty)
        }
        // A plain column is a list of at most one value for each row.
        _ if nulls.is_none() && array.logical_null_count() == 0 => {
            let ends: Vec<i32> = (0..=array.len() as i32).collect();
            Ok((ends.into(), None, array.clone()))
        }
        _ => {
            let nulls = array.logical_nulls();
            let present = |item: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(item));
            let ends = splits_of((0..array.len()).map(|item| usize::from(present(item))))?;
            let keep: BooleanArray = (0..array.len()).map(|item| Some(present(item))).collect();
            let values = arrow_select::filter::filter(array, &keep)
                .map_err(|e| unlike(name, array, ty).with_hint(format!("{e}.")))?;
            Ok((ends, None, values))
        }
    }
}

fn list_field(list: &FixedSizeListArray) -> FieldRef {
    Arc::new(Field::new("item", list.value_type(), true))
}

fn unlike(name: &str, array: &ArrayRef, ty: &Type) -> Error {
    let found = array.data_type();
    Error::new(ErrorKind::Input, format!("column `{name}` is {found}; the graph takes {ty}"))
        .with_detail("The data are not of the schema that the graph was made with.")
}

/// Values without nulls (or with any value where there are some: their rows are noted as bad).
fn leaf_values(array: &ArrayRef, dtype: DType) -> Values {
    match dtype {
        DType::Bool => {
            let array = array.as_boolean();
            Values::from(array.values().iter().map(u8::from).collect::<Vec<_>>())
        }
        DType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values().clone()),
        DType::Timestamp => {
            Values::Int64(array.as_primitive::<TimestampMicrosecondType>().values().clone())
        }
        DType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values().clone()),
        DType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values().clone()),
        DType::String | DType::Vocabulary | DType::Tokenizer => {
            let array = array.as_binary::<i32>();
            Values::String(Strings::new(array.offsets().inner().clone(), array.values().clone()))
        }
    }
}

/// The values of a tensor as a flat Arrow array.
pub fn leaf_array(values: &Values, dtype: DType) -> ArrayRef {
    match values {
        Values::Bool(values) => {
            let bits = BooleanBuffer::collect_bool(values.len(), |i| values[i] != 0);
            Arc::new(BooleanArray::new(bits, None))
        }
        Values::Int64(values) if dtype == DType::Timestamp => {
            Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(values.clone(), None))
        }
        Values::Int64(values) => Arc::new(PrimitiveArray::<Int64Type>::new(values.clone(), None)),
        Values::Float32(values) => {
            Arc::new(PrimitiveArray::<Float32Type>::new(values.clone(), None))
        }
        Values::Float64(values) => {
            Arc::new(PrimitiveArray::<Float64Type>::new(values.clone(), None))
        }
        Values::String(strings) => {
            let offsets = OffsetBuffer::new(strings.offsets().clone());
            Arc::new(BinaryArray::new(offsets, strings.bytes().clone(), None))
        }
        // No column is an asset: its file is how it leaves.
        Values::Vocabulary(_) | Values::Tokenizer(_) => Arc::new(NullArray::new(1)),
    }
}

/// A tensor as an Arrow column: plain, or lists in lists, outermost first.
///
/// # Errors
/// When a fixed-size list does not fit Arrow.
pub fn to_array(tensor: &Tensor, ty: &Type) -> Result<ArrayRef> {
    let mut array = leaf_array(&tensor.values, ty.dtype);
    let mut splits = tensor.splits.iter().rev();
    for dim in ty.shape.iter().rev() {
        let field = Arc::new(Field::new("item", array.data_type().clone(), false));
        array = match dim {
            Dim::Fixed(n) => {
                // Its length would not be known without values.
                let n_items = if *n == 0 { tensor.rows } else { array.len() / *n as usize };
                let list =
                    FixedSizeListArray::try_new_with_length(field, *n as i32, array, None, n_items);
                Arc::new(list.map_err(|e| {
                    Error::new(ErrorKind::Unsupported, format!("no Arrow column: {e}"))
                })?)
            }
            Dim::Var => {
                let splits = splits.next().expect("a tensor has splits for each `Var`");
                Arc::new(ListArray::new(field, OffsetBuffer::new(splits.clone()), array, None))
            }
        };
    }
    Ok(array)
}

/// The Arrow field of an output.
pub fn field(name: &str, ty: &Type) -> Field {
    let mut data = leaf_type(ty.dtype);
    for dim in ty.shape.iter().rev() {
        let item = Arc::new(Field::new("item", data, false));
        data = match dim {
            Dim::Fixed(n) => DataType::FixedSizeList(item, *n as i32),
            Dim::Var => DataType::List(item),
        };
    }
    Field::new(name, data, false)
}
