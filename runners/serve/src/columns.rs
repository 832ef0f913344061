//! `Columns`: values of JSON, appended row by row to the tensors that a graph reads.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use engine::Result;
use transform::{DType, Dim, StringsBuilder, Tensor, Type, Values};

use crate::cursor::{Cursor, Kind};
use crate::example::List;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Lists of one that may be around a single value.
const MOST_LISTS: usize = 8;

/// What is wrong with a value, in TensorFlow Serving's words.
pub(crate) type Wrong = String;

/// Rows of a graph's inputs.
pub(crate) struct Columns<'a> {
    inputs: &'a [(String, Type)],
    columns: Vec<Column>,
}

struct Column {
    rows: usize,
    /// As a [`Tensor`]'s.
    splits: Vec<Vec<i32>>,
    values: Buffer,
}

enum Buffer {
    Bool(Vec<u8>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    String(StringsBuilder),
}

/// TensorFlow's name of a type.
pub(crate) fn name_of(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::Int64 | DType::Timestamp => "int64",
        DType::Float32 => "float",
        DType::Float64 => "double",
        DType::String | DType::Vocabulary | DType::Tokenizer => "string",
    }
}

/// RapidJSON's name of a kind.
pub(crate) fn name_of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "Null",
        Kind::False => "False",
        Kind::True => "True",
        Kind::Object => "Object",
        Kind::Array => "Array",
        Kind::String => "String",
        Kind::Number => "Number",
    }
}

impl<'a> Columns<'a> {
    /// No rows yet.
    pub(crate) fn new(inputs: &'a [(String, Type)]) -> Self {
        let columns = inputs.iter().map(|(_, ty)| Column {
            rows: 0,
            splits: vec![vec![0]; ty.n_var()],
            values: match ty.dtype {
                DType::Bool => Buffer::Bool(Vec::new()),
                DType::Int64 | DType::Timestamp => Buffer::Int64(Vec::new()),
                DType::Float32 => Buffer::Float32(Vec::new()),
                DType::Float64 => Buffer::Float64(Vec::new()),
                DType::String | DType::Vocabulary | DType::Tokenizer => {
                    Buffer::String(StringsBuilder::default())
                }
            },
        });
        Columns { inputs, columns: columns.collect() }
    }

    /// How many rows an input has.
    pub(crate) fn rows(&self, input: usize) -> usize {
        self.columns[input].rows
    }

    /// Appends a row to an input: a value of its shape, and goes behind it.
    ///
    /// One value stands for a list of it, a flat list for a matrix of as many, and `null` for no value where
    /// a row need not have any.
    pub(crate) fn value(&mut self, input: usize, cursor: &mut Cursor<'_>) -> Result<(), Wrong> {
        let ty = &self.inputs[input].1;
        let column = &mut self.columns[input];
        match ty.fixed_len() {
            Some(1) => column.single(cursor, ty.dtype)?,
            Some(n) if ty.shape.len() > 1 && is_flat(*cursor) => {
                column.level(cursor, ty, &[Dim::Fixed(n as u32)], 0, 0)?;
            }
            None if cursor.kind() == Kind::Null => {
                cursor.skip();
                column.push_missing(&ty.shape);
            }
            _ => column.level(cursor, ty, &ty.shape, 0, 0)?,
        }
        column.rows += 1;
        Ok(())
    }

    /// Appends a row to an input: a feature of a tf.Example, which is one value or a flat list. False where
    /// there is none and the shape asks for some.
    pub(crate) fn feature(&mut self, input: usize, cursor: &mut Cursor<'_>) -> Result<bool, Wrong> {
        let (name, ty) = &self.inputs[input];
        let column = &mut self.columns[input];
        let mut leaf = |cursor: &mut Cursor<'_>| {
            let done = column.feature_leaf(cursor, ty.dtype);
            done.map_err(|why| format!("Key: {name}.  {why}"))
        };
        let mut n = 0;
        if cursor.kind() == Kind::Array {
            cursor.open();
            while cursor.more() {
                leaf(cursor)?;
                n += 1;
            }
        } else {
            leaf(cursor)?;
            n = 1;
        }
        self.end_feature(input, n)
    }

    /// Appends a row to an input: a feature of a serialized tf.Example. False as for [`Columns::feature`].
    pub(crate) fn list(&mut self, input: usize, list: &List) -> Result<bool, Wrong> {
        let (name, ty) = &self.inputs[input];
        match (&mut self.columns[input].values, list) {
            (Buffer::Float32(values), List::Float(list)) => values.extend_from_slice(&list.value),
            (Buffer::Float64(values), List::Float(list)) => {
                values.extend(list.value.iter().map(|x| f64::from(*x)));
            }
            (Buffer::Int64(values), List::Int64(list)) => values.extend_from_slice(&list.value),
            (Buffer::Float32(values), List::Int64(list)) => {
                values.extend(list.value.iter().map(|x| *x as f32));
            }
            (Buffer::Float64(values), List::Int64(list)) => {
                values.extend(list.value.iter().map(|x| *x as f64));
            }
            (Buffer::Bool(values), List::Int64(list)) if list.value.iter().all(|x| x >> 1 == 0) => {
                values.extend(list.value.iter().map(|x| *x as u8));
            }
            (Buffer::String(values), List::Bytes(list)) => {
                list.value.iter().for_each(|value| values.push(value));
            }
            _ => {
                return Err(format!(
                    "Key: {name}.  Data types don't match. Data type: {} but expected type: {}",
                    list.kind(),
                    name_of(ty.dtype)
                ));
            }
        }
        self.end_feature(input, list.len())
    }

    /// Ends a feature, of which `n` values were appended.
    fn end_feature(&mut self, input: usize, n: usize) -> Result<bool, Wrong> {
        let (name, ty) = &self.inputs[input];
        let column = &mut self.columns[input];
        match (ty.fixed_len(), ty.shape.as_slice()) {
            (Some(wanted), _) if wanted == n => {}
            (Some(_), _) if n == 0 => return Ok(false),
            (Some(wanted), _) => {
                return Err(format!(
                    "Key: {name}.  Number of {} values != expected.  values size: {n} but output size: \
                     {wanted}",
                    name_of(ty.dtype)
                ));
            }
            (None, [Dim::Var, inner @ ..]) if !inner.contains(&Dim::Var) => {
                let each = Type::column(ty.dtype, inner).fixed_len().unwrap_or(1).max(1);
                if !n.is_multiple_of(each) {
                    return Err(format!("Key: {name}.  {n} values are no lists of {each}"));
                }
                column.push_split(0, n / each)?;
            }
            _ => return Err(format!("Key: {name}.  Lists in lists are no feature of an example")),
        }
        column.rows += 1;
        Ok(true)
    }

    /// Ends example `n`: inputs that it has no feature for have no values in it.
    pub(crate) fn end_example(&mut self, n: usize) -> Result<(), Wrong> {
        for (input, (name, ty)) in self.inputs.iter().enumerate() {
            if self.columns[input].rows == n && !self.missing(input) {
                return Err(format!(
                    "Feature: {name} (data type: {}) is required but could not be found.",
                    name_of(ty.dtype)
                ));
            }
        }
        Ok(())
    }

    /// Appends a row without values; false where the shape asks for some.
    pub(crate) fn missing(&mut self, input: usize) -> bool {
        let ty = &self.inputs[input].1;
        if !ty.is_dense() {
            self.columns[input].push_missing(&ty.shape);
            self.columns[input].rows += 1;
        }
        !ty.is_dense()
    }

    /// The tensors.
    ///
    /// # Errors
    /// When a column is larger than 2 GiB.
    pub(crate) fn finish(self) -> Result<Vec<Tensor>> {
        let tensors = self.columns.into_iter().map(|Column { rows, splits, values }| {
            let values = match values {
                Buffer::Bool(values) => Values::from(values),
                Buffer::Int64(values) => values.into(),
                Buffer::Float32(values) => values.into(),
                Buffer::Float64(values) => values.into(),
                Buffer::String(values) => values.finish()?.into(),
            };
            Ok(Tensor { rows, splits: splits.into_iter().map(Into::into).collect(), values })
        });
        let tensors = tensors.collect::<Result<Vec<_>>>()?;
        for (tensor, (name, ty)) in tensors.iter().zip(self.inputs) {
            debug_assert!(tensor.check(ty).is_ok(), "{name}: {:?}", tensor.check(ty));
        }
        Ok(tensors)
    }
}

/// Whether it is a list without lists.
fn is_flat(mut cursor: Cursor<'_>) -> bool {
    if cursor.kind() != Kind::Array {
        return false;
    }
    cursor.open();
    cursor.more() && cursor.kind() != Kind::Array
}

impl Column {
    /// One value, with lists of one around it, a few at most.
    fn single(&mut self, cursor: &mut Cursor<'_>, dtype: DType) -> Result<(), Wrong> {
        let mut lists = Vec::new();
        while cursor.kind() == Kind::Array {
            if lists.len() == MOST_LISTS {
                let depth = lists.len();
                let message = "Encountered list at unexpected level";
                return Err(format!("{message}: {depth} expected < {depth}"));
            }
            lists.push(*cursor);
            cursor.open();
            if !cursor.more() {
                return Err("Expecting tensor size: 1 but got: 0".to_owned());
            }
        }
        self.leaf(cursor, dtype)?;
        while let Some(list) = lists.pop() {
            if cursor.more() {
                return Err(format!("Expecting tensor size: 1 but got: {}", list.len()));
            }
        }
        Ok(())
    }

    /// A value of these dimensions; `n_var` dimensions before them vary.
    fn level(
        &mut self,
        cursor: &mut Cursor<'_>,
        ty: &Type,
        dims: &[Dim],
        depth: usize,
        n_var: usize,
    ) -> Result<(), Wrong> {
        let is_list = cursor.kind() == Kind::Array;
        let Some((dim, inner)) = dims.split_first() else {
            if is_list {
                let message = "Encountered list at unexpected level";
                return Err(format!("{message}: {depth} expected < {depth}"));
            }
            return self.leaf(cursor, ty.dtype);
        };
        if !is_list {
            if depth == 0 && dims == [Dim::Var] {
                self.leaf(cursor, ty.dtype)?;
                return self.push_split(0, 1);
            }
            return Err(format!(
                "JSON Value: {} found at incorrect level: {} in the JSON DOM. Expected at level: {}",
                cursor.shown(),
                depth + 1,
                depth + dims.len()
            ));
        }
        let is_var = *dim == Dim::Var;
        let mut n = 0;
        cursor.open();
        while cursor.more() {
            self.level(cursor, ty, inner, depth + 1, n_var + usize::from(is_var))?;
            n += 1;
        }
        match dim {
            Dim::Var => self.push_split(n_var, n),
            Dim::Fixed(wanted) if *wanted as usize != n && depth == 0 => {
                Err(format!("Expecting tensor size: {wanted} but got: {n}"))
            }
            Dim::Fixed(wanted) if *wanted as usize != n => Err(format!(
                "Encountered list at unexpected size: {n} at level: {depth} expected size: {wanted}"
            )),
            Dim::Fixed(_) => Ok(()),
        }
    }

    fn push_split(&mut self, level: usize, n: usize) -> Result<(), Wrong> {
        let splits = &mut self.splits[level];
        let end = splits.last().map_or(0, |end| *end as usize) + n;
        splits.push(i32::try_from(end).map_err(|_| "Too many values of one input".to_owned())?);
        Ok(())
    }

    fn push_missing(&mut self, shape: &[Dim]) {
        let mut items = 1;
        let mut splits = self.splits.iter_mut();
        for dim in shape {
            match dim {
                Dim::Fixed(n) => items *= *n as usize,
                Dim::Var => {
                    if let Some(splits) = splits.next() {
                        let end = splits.last().copied().unwrap_or(0);
                        splits.extend(std::iter::repeat_n(end, items));
                    }
                    items = 0;
                }
            }
        }
    }

    /// A single value, by the rules of tensors.
    #[inline]
    fn leaf(&mut self, cursor: &mut Cursor<'_>, dtype: DType) -> Result<(), Wrong> {
        let before = *cursor;
        let done = match (&mut self.values, cursor.kind()) {
            (Buffer::Float32(values), Kind::Number) => {
                number(cursor.number()).map(|x| values.push(x))
            }
            (Buffer::Float64(values), Kind::Number) => {
                number(cursor.number()).map(|x| values.push(x))
            }
            (Buffer::Int64(values), Kind::Number) => {
                cursor.number().parse().ok().map(|x| values.push(x))
            }
            (Buffer::Bool(values), kind @ (Kind::True | Kind::False)) => {
                cursor.skip();
                values.push(u8::from(kind == Kind::True));
                Some(())
            }
            (Buffer::String(values), Kind::String) => {
                values.push(&cursor.string());
                Some(())
            }
            (Buffer::String(values), Kind::Object) => return base64(cursor, values),
            _ => None,
        };
        done.ok_or_else(|| {
            format!(
                "JSON Value: {} Type: {} is not of expected type: {}",
                before.shown(),
                name_of_kind(before.kind()),
                name_of(dtype)
            )
        })
    }

    /// A single value, by the rules of tf.Examples, whose booleans are integers.
    fn feature_leaf(&mut self, cursor: &mut Cursor<'_>, dtype: DType) -> Result<(), Wrong> {
        let kind = cursor.kind();
        if matches!(kind, Kind::True | Kind::False) {
            let bit = u8::from(kind == Kind::True);
            match &mut self.values {
                Buffer::Int64(values) => values.push(i64::from(bit)),
                Buffer::Float32(values) => values.push(f32::from(bit)),
                Buffer::Float64(values) => values.push(f64::from(bit)),
                _ => return self.leaf(cursor, dtype),
            }
            cursor.skip();
            return Ok(());
        }
        self.leaf(cursor, dtype)
    }
}

/// A number, rounded once; also those that are none.
#[inline]
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    // Rust reads `NaN`, `inf` and `infinity` in any case; what else it reads was no JSON.
    text.parse().ok()
}

fn base64(cursor: &mut Cursor<'_>, values: &mut StringsBuilder) -> Result<(), Wrong> {
    let Some(text) = cursor.base64() else {
        let shown = cursor.shown();
        return Err(format!("JSON Value: {shown} not formatted correctly for base64 data"));
    };
    cursor.skip();
    let bytes = BASE64.decode(text).map_err(|_| "Unable to base64 decode".to_owned())?;
    values.push(&bytes);
    Ok(())
}

/// Bytes as base64.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
