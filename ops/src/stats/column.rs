//! `Column`: one feature of one batch, prepared once and shared by all generators.
//!
//! ```text
//!  List<List<Int64>>          levels[0]            levels[1]              values
//!  [[[1, 2], []], null]  ►    2 parents            2 parents              1, 2
//!                             lengths 2, missing   lengths 2, 0
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::path::FeaturePath;

/// What the values of a feature are, in TFDV's three physical types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Integers of any width, booleans, dates, timestamps, durations.
    Int,
    /// Floats of any width, decimals.
    Float,
    /// Text and bytes.
    String,
    /// Structs; their fields are features of their own.
    Struct,
}

/// What an Arrow type says beyond its [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logical {
    /// True and false, as 1 and 0.
    Bool,
    /// Instants, as counts of `unit` ("s", "ms", "us", "ns") since 1970-01-01 in `zone`.
    Timestamp {
        /// Unit of one count.
        unit: String,
        /// Name of the time zone, if there is one.
        zone: Option<String>,
    },
    /// Days since 1970-01-01.
    Date,
    /// Times of day, as counts of `unit` since midnight.
    Time {
        /// Unit of one count.
        unit: String,
    },
    /// Lengths of time, as counts of `unit`.
    Duration {
        /// Unit of one count.
        unit: String,
    },
    /// Exact decimals, read as floats.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
}

/// The leaf values of a column, nest levels removed.
///
/// Nulls among the values of a flat column are missing examples; inside a list they are items
/// without a value, which every generator passes over.
#[derive(Clone, Debug)]
pub enum Values {
    /// Nothing with a type was seen: so many slots.
    Unknown(usize),
    /// Integers.
    Int(Int64Array),
    /// Single floats; tf.Example and CSV hold these.
    Float32(Float32Array),
    /// Double floats.
    Float64(Float64Array),
    /// Text or bytes.
    Bytes(BinaryArray),
    /// Text or bytes by code; a code may be out of use, and two codes may mean equal bytes.
    Dictionary {
        /// One code per slot.
        codes: Int32Array,
        /// The values that codes stand for.
        values: BinaryArray,
    },
    /// Structs.
    Struct(StructArray),
}

impl Values {
    /// Number of slots, null ones included.
    pub fn len(&self) -> usize {
        match self {
            Values::Unknown(n) => *n,
            Values::Int(a) => a.len(),
            Values::Float32(a) => a.len(),
            Values::Float64(a) => a.len(),
            Values::Bytes(a) => a.len(),
            Values::Dictionary { codes, .. } => codes.len(),
            Values::Struct(a) => a.len(),
        }
    }

    /// True without slots.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which slots are null, if any is.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Values::Unknown(_) => None,
            Values::Int(a) => a.nulls(),
            Values::Float32(a) => a.nulls(),
            Values::Float64(a) => a.nulls(),
            Values::Bytes(a) => a.nulls(),
            Values::Dictionary { codes, .. } => codes.nulls(),
            Values::Struct(a) => a.nulls(),
        }
    }

    /// The physical type; `None` when nothing with a type was seen.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Values::Unknown(_) => None,
            Values::Int(_) => Some(Kind::Int),
            Values::Float32(_) | Values::Float64(_) => Some(Kind::Float),
            Values::Bytes(_) | Values::Dictionary { .. } => Some(Kind::String),
            Values::Struct(_) => Some(Kind::Struct),
        }
    }
}

/// One nest level: how many values each parent slot holds.
#[derive(Clone, Debug)]
pub struct Level {
    /// Number of parent slots: examples at level 0, values of the level above below it.
    pub n_parents: usize,
    /// Borders of the parents' values, from 0; `None` in a flat column, where a present parent has
    /// exactly one value.
    pub offsets: Option<OffsetBuffer<i32>>,
    /// Which parents are missing (null), if any is.
    pub nulls: Option<NullBuffer>,
}

impl Level {
    /// Parents that are there, with however many values.
    pub fn n_present(&self) -> usize {
        self.n_parents - self.nulls.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// True when parent `i` is there.
    pub fn is_present(&self, i: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(i))
    }

    /// Number of values of parent `i`, 0 when it is missing.
    pub fn length(&self, i: usize) -> usize {
        match &self.offsets {
            Some(offsets) if self.is_present(i) => (offsets[i + 1] - offsets[i]) as usize,
            None if self.is_present(i) => 1,
            _ => 0,
        }
    }

    /// Number of values of each present parent, in order.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.n_parents).filter(|&i| self.is_present(i)).map(|i| self.length(i))
    }

    /// The length that every present parent has, if there is one and it can be told cheaply.
    pub fn constant_length(&self) -> Option<usize> {
        let Some(offsets) = &self.offsets else { return Some(1) };
        if self.nulls.is_some() || self.n_parents == 0 {
            return None;
        }
        let first = offsets[1] - offsets[0];
        // Branch-free, so that it is a vector loop: this is asked of every column of every batch.
        let differ = offsets.windows(2).fold(0, |differ, w| differ | ((w[1] - w[0]) ^ first));
        (differ == 0).then_some(first as usize)
    }
}

/// One feature of one batch of one slice.
#[derive(Clone, Debug)]
pub struct Column {
    /// Which feature.
    pub path: FeaturePath,
    /// What the Arrow type said beyond the kind.
    pub logical: Option<Logical>,
    /// Nest levels, outermost first; at least one.
    pub levels: Vec<Level>,
    /// The innermost values.
    pub values: Values,
    /// Number of examples in the batch.
    pub n_examples: usize,
    /// Weight of every example, if this feature is weighted.
    pub weights: Option<Arc<[f64]>>,
    /// Example of every parent slot of level 0; `None` when they are the same.
    pub examples: Option<Arc<[u32]>>,
    /// Place of the batch's first example in its shard, counted in good rows.
    pub first_row: u64,
}

impl Column {
    /// The physical type; `None` when nothing with a type was seen.
    pub fn kind(&self) -> Option<Kind> {
        self.values.kind()
    }

    /// Example (row of the batch) of every parent slot of nest level `level`, or of every value for
    /// `level == levels.len()`.
    pub fn examples_of(&self, level: usize) -> Arc<[u32]> {
        let mut examples: Arc<[u32]> = match &self.examples {
            Some(examples) => examples.clone(),
            None => (0..self.levels[0].n_parents as u32).collect(),
        };
        for level in &self.levels[..level] {
            let Some(offsets) = &level.offsets else { continue };
            let mut next = Vec::with_capacity(offsets[offsets.len() - 1] as usize);
            for (window, &example) in offsets.windows(2).zip(examples.iter()) {
                next.extend(std::iter::repeat_n(example, (window[1] - window[0]) as usize));
            }
            examples = next.into();
        }
        examples
    }

    /// Weight of every parent slot of a nest level, or of every value for `level == levels.len()`;
    /// `None` when the feature is not weighted.
    pub fn weights_of(&self, level: usize) -> Option<Arc<[f64]>> {
        let weights = self.weights.as_ref()?;
        if self.examples.is_none()
            && self.levels[..level].iter().all(|level| level.offsets.is_none())
        {
            return Some(weights.clone());
        }
        Some(self.examples_of(level).iter().map(|&i| weights[i as usize]).collect())
    }
}

/// All features of a batch, parents before their children.
///
/// # Errors
/// When a column is of a type that has no meaning as a feature (a union, an interval).
pub fn columns(
    records: &RecordBatch,
    first_row: u64,
    weights: impl Fn(&FeaturePath) -> Option<Arc<[f64]>>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Column>> {
    let mut walk =
        Walk { n_examples: records.num_rows(), first_row, weights: &weights, out: vec![] };
    for (field, array) in records.schema_ref().fields().iter().zip(records.columns()) {
        if wanted(field.name()) {
            walk.feature(FeaturePath::column(field.name()), array.clone(), None)?;
        }
    }
    Ok(walk.out)
}

struct Walk<'a> {
    n_examples: usize,
    first_row: u64,
    weights: &'a dyn Fn(&FeaturePath) -> Option<Arc<[f64]>>,
    out: Vec<Column>,
}

impl Walk<'_> {
    fn feature(
        &mut self,
        path: FeaturePath,
        mut array: ArrayRef,
        examples: Option<Arc<[u32]>>,
    ) -> Result<()> {
        let mut levels = Vec::new();
        while let Some((level, values)) = unnest(&array, &path)? {
            levels.push(level);
            array = values;
        }
        if levels.is_empty() {
            levels.push(Level {
                n_parents: array.len(),
                offsets: None,
                nulls: match array.data_type() {
                    DataType::Null => Some(NullBuffer::new_null(array.len())),
                    _ => array.logical_nulls().filter(|nulls| nulls.null_count() > 0),
                },
            });
        }
        let (values, logical) = leaf(&array, &path)?;
        let column = Column {
            logical,
            levels,
            values,
            n_examples: self.n_examples,
            weights: (self.weights)(&path),
            examples,
            first_row: self.first_row,
            path,
        };
        let Values::Struct(structs) = &column.values else {
            self.out.push(column);
            return Ok(());
        };
        // Fields of a null struct are not even missing: they have no parent.
        let depth = column.levels.len();
        let mut of_values = column.examples_of(depth);
        let structs = if structs.null_count() > 0 {
            let valid = structs.nulls().expect("it has nulls").inner().clone();
            let mask = arrow_array::BooleanArray::new(valid, None);
            of_values = of_values
                .iter()
                .zip(mask.values())
                .filter_map(|(&example, keep)| keep.then_some(example))
                .collect();
            let kept = arrow_select::filter::filter(structs, &mask)
                .map_err(|e| arrow(&column.path, &e))?;
            kept.as_struct().clone()
        } else {
            structs.clone()
        };
        let path = column.path.clone();
        self.out.push(column);
        for (field, child) in structs.fields().iter().zip(structs.columns()) {
            self.feature(path.child(field.name()), child.clone(), Some(of_values.clone()))?;
        }
        Ok(())
    }
}

/// The outermost list of an array and its values, if it is a list.
fn unnest(array: &ArrayRef, path: &FeaturePath) -> Result<Option<(Level, ArrayRef)>> {
    let list = match array.data_type() {
        DataType::List(_) => array.clone(),
        DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => {
            arrow_cast::cast(array, &DataType::List(field.clone())).map_err(|e| arrow(path, &e))?
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let offsets = map.offsets();
            let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
            let values = map.entries().slice(first as usize, (last - first) as usize);
            let level = Level {
                n_parents: map.len(),
                offsets: Some(rebase(offsets)),
                nulls: map.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
            };
            return Ok(Some((level, Arc::new(values))));
        }
        _ => return Ok(None),
    };
    let list = list.as_list::<i32>();
    let offsets = list.offsets();
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let mut values = list.values().slice(first as usize, (last - first) as usize);
    let nulls = list.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
    let mut offsets = rebase(offsets);
    if let Some(nulls) = &nulls {
        // A null list may still cover values: they are not part of the data.
        if (0..list.len()).any(|i| nulls.is_null(i) && offsets[i + 1] > offsets[i]) {
            let lengths: Vec<usize> = (0..list.len())
                .map(|i| if nulls.is_valid(i) { list.value_length(i) as usize } else { 0 })
                .collect();
            let keep: Vec<u32> = (0..list.len())
                .filter(|&i| nulls.is_valid(i))
                .flat_map(|i| offsets[i] as u32..offsets[i + 1] as u32)
                .collect();
            values = arrow_select::take::take(&values, &arrow_array::UInt32Array::from(keep), None)
                .map_err(|e| arrow(path, &e))?;
            offsets = OffsetBuffer::from_lengths(lengths);
        }
    }
    Ok(Some((Level { n_parents: list.len(), offsets: Some(offsets), nulls }, values)))
}

fn rebase(offsets: &OffsetBuffer<i32>) -> OffsetBuffer<i32> {
    let first = offsets[0];
    if first == 0 {
        return offsets.clone();
    }
    OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect())
}

/// Turns any Arrow leaf into one of the few that kernels know.
fn leaf(array: &ArrayRef, path: &FeaturePath) -> Result<(Values, Option<Logical>)> {
    use DataType as T;
    let to = |to: &T| arrow_cast::cast(array, to).map_err(|e| arrow(path, &e));
    let int =
        |logical| Ok((Values::Int(to(&T::Int64)?.as_primitive::<Int64Type>().clone()), logical));
    let unit = |unit: &arrow_schema::TimeUnit| match unit {
        arrow_schema::TimeUnit::Second => "s".to_owned(),
        arrow_schema::TimeUnit::Millisecond => "ms".to_owned(),
        arrow_schema::TimeUnit::Microsecond => "us".to_owned(),
        arrow_schema::TimeUnit::Nanosecond => "ns".to_owned(),
    };
    let values = match array.data_type() {
        T::Null => Values::Unknown(array.len()),
        T::Int64 => Values::Int(array.as_primitive::<Int64Type>().clone()),
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32 => return int(None),
        T::UInt64 => {
            let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
            let cast = arrow_cast::cast_with_options(array, &T::Int64, &options)
                .map_err(|e| arrow(path, &e))?;
            Values::Int(cast.as_primitive::<Int64Type>().clone())
        }
        T::Boolean => return int(Some(Logical::Bool)),
        T::Timestamp(u, zone) => {
            let zone = zone.as_ref().map(ToString::to_string);
            return int(Some(Logical::Timestamp { unit: unit(u), zone }));
        }
        T::Date32 => {
            let days = to(&T::Int32)?;
            let days = arrow_cast::cast(&days, &T::Int64).map_err(|e| arrow(path, &e))?;
            return Ok((
                Values::Int(days.as_primitive::<Int64Type>().clone()),
                Some(Logical::Date),
            ));
        }
        T::Date64 => {
            return int(Some(Logical::Timestamp { unit: "ms".to_owned(), zone: None }));
        }
        T::Time32(u) => {
            let counts = to(&T::Int32)?;
            let counts = arrow_cast::cast(&counts, &T::Int64).map_err(|e| arrow(path, &e))?;
            let values = Values::Int(counts.as_primitive::<Int64Type>().clone());
            return Ok((values, Some(Logical::Time { unit: unit(u) })));
        }
        T::Time64(u) => return int(Some(Logical::Time { unit: unit(u) })),
        T::Duration(u) => return int(Some(Logical::Duration { unit: unit(u) })),
        T::Float32 => Values::Float32(array.as_primitive::<Float32Type>().clone()),
        T::Float16 => Values::Float32(to(&T::Float32)?.as_primitive::<Float32Type>().clone()),
        T::Float64 => Values::Float64(array.as_primitive::<Float64Type>().clone()),
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => {
            let floats = to(&T::Float64)?.as_primitive::<Float64Type>().clone();
            let logical = Logical::Decimal { precision: *precision, scale: *scale };
            return Ok((Values::Float64(floats), Some(logical)));
        }
        T::Binary => Values::Bytes(array.as_binary::<i32>().clone()),
        T::Utf8 => Values::Bytes(BinaryArray::from(array.as_string::<i32>().clone())),
        T::LargeBinary | T::LargeUtf8 | T::BinaryView | T::Utf8View | T::FixedSizeBinary(_) => {
            Values::Bytes(to(&T::Binary)?.as_binary::<i32>().clone())
        }
        T::Dictionary(_, value) if is_bytes(value) => {
            let wanted = T::Dictionary(Box::new(T::Int32), Box::new(T::Binary));
            let array = if *array.data_type() == wanted { array.clone() } else { to(&wanted)? };
            let dictionary = array.as_dictionary::<Int32Type>();
            Values::Dictionary {
                codes: dictionary.keys().clone(),
                values: dictionary.values().as_binary::<i32>().clone(),
            }
        }
        T::Dictionary(_, value) => return leaf(&to(value)?, path),
        T::RunEndEncoded(_, value) => return leaf(&to(value.data_type())?, path),
        T::Struct(_) => Values::Struct(array.as_struct().clone()),
        other => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "feature `{path}` has Arrow type {other}, which has no meaning as a feature"
                ),
            )
            .with_hint("Leave the column out with `--features`, or cast it where it is written."));
        }
    };
    Ok((values, None))
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

fn arrow(path: &FeaturePath, error: &arrow_schema::ArrowError) -> Error {
    Error::input(format!("the values of feature `{path}` cannot be read"))
        .with_detail(error.to_string())
}
