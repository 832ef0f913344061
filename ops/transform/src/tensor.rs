//! `Tensor`: a column of the graph, or a constant, over Arrow buffers.
//!
//! ```text
//!   shape [var, 2], rows 2:   splits[0]  0 1 3          row 0 has 1 item, row 1 has 2
//!                             values     a b | c d e f  each item has 2 values
//! ```
//!
//! A row that misses a feature has no values; there are no nulls.
//!
//! **Invariant:** for each `Var` dimension, outermost first, `splits` has one entry more than there
//! are items in the dimensions before it; it begins at 0, never falls, and ends at the number of
//! items after it. The last number of items is the number of values.

use std::sync::Arc;

use arrow_buffer::{Buffer, ScalarBuffer};
use engine::{Error, ErrorKind, Result};

use crate::text::TokenizerConstant;
use crate::types::{DType, Dim, Type};
use crate::vocabulary::Vocabulary;

/// Strings, one after the other.
#[derive(Clone, Debug)]
pub struct Strings {
    /// Where each begins in `bytes`, and where the last one ends.
    offsets: ScalarBuffer<i32>,
    bytes: Buffer,
}

impl PartialEq for Strings {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Default for Strings {
    fn default() -> Self {
        Strings { offsets: vec![0].into(), bytes: Buffer::from_vec(Vec::<u8>::new()) }
    }
}

impl Strings {
    /// From Arrow's parts; `offsets` are those of a valid Arrow array, from anywhere in `bytes`.
    pub fn new(offsets: ScalarBuffer<i32>, bytes: Buffer) -> Self {
        debug_assert!(offsets.windows(2).all(|pair| pair[0] <= pair[1]));
        debug_assert!(offsets.last().is_some_and(|&end| end as usize <= bytes.len()));
        Strings { offsets, bytes }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `i`th string.
    #[inline]
    pub fn get(&self, i: usize) -> &[u8] {
        &self.bytes[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let bytes = self.bytes.as_slice();
        self.offsets.windows(2).map(move |pair| &bytes[pair[0] as usize..pair[1] as usize])
    }

    /// Where each begins, and where the last one ends.
    pub fn offsets(&self) -> &ScalarBuffer<i32> {
        &self.offsets
    }

    /// The bytes that the offsets are of.
    pub fn bytes(&self) -> &Buffer {
        &self.bytes
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Strings {
    /// # Panics
    /// When there are more than 2 GiB: for literals and tests; kernels use [`StringsBuilder`].
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut builder = StringsBuilder::default();
        for string in strings {
            builder.push(string.as_ref());
        }
        builder.finish().expect("literals are short")
    }
}

/// Builds [`Strings`].
pub struct StringsBuilder {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    overflow: bool,
}

impl Default for StringsBuilder {
    fn default() -> Self {
        Self::with_capacity(0, 0)
    }
}

impl StringsBuilder {
    /// With room for so many strings and bytes.
    pub fn with_capacity(strings: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(strings + 1);
        offsets.push(0);
        StringsBuilder { offsets, bytes: Vec::with_capacity(bytes), overflow: false }
    }

    /// Adds a string.
    #[inline]
    pub fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.end();
    }

    /// The bytes so far, to write the next string into; [`StringsBuilder::end`] ends it.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends a string that was written into [`StringsBuilder::buffer`].
    #[inline]
    pub fn end(&mut self) {
        match i32::try_from(self.bytes.len()) {
            Ok(end) => self.offsets.push(end),
            Err(_) => {
                self.overflow = true;
                self.bytes.truncate(self.offsets.last().map_or(0, |&end| end as usize));
                self.offsets.push(self.bytes.len() as i32);
            }
        }
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The strings.
    ///
    /// # Errors
    /// When they are longer than 2 GiB together.
    pub fn finish(self) -> Result<Strings> {
        if self.overflow {
            return Err(too_long());
        }
        Ok(Strings { offsets: self.offsets.into(), bytes: Buffer::from_vec(self.bytes) })
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Unsupported, "a batch has more than 2 GiB of one column")
        .with_hint("Use fewer rows to a batch, such as `--batch-rows 256`.")
}

/// Lengths of lists as splits.
///
/// # Errors
/// When there are more than 2^31 items.
pub fn splits_of(lengths: impl IntoIterator<Item = usize>) -> Result<ScalarBuffer<i32>> {
    let mut end = 0usize;
    let mut splits = vec![0i32];
    for length in lengths {
        end += length;
        splits.push(i32::try_from(end).map_err(|_| too_long())?);
    }
    Ok(splits.into())
}

/// The values of a tensor, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One byte each, 0 or 1.
    Bool(ScalarBuffer<u8>),
    /// Also microseconds of [`DType::Timestamp`].
    Int64(ScalarBuffer<i64>),
    /// Single precision.
    Float32(ScalarBuffer<f32>),
    /// Double precision.
    Float64(ScalarBuffer<f64>),
    /// Bytes.
    String(Strings),
    /// One vocabulary: a constant.
    Vocabulary(Arc<Vocabulary>),
    /// One tokenizer: a constant.
    Tokenizer(Arc<TokenizerConstant>),
}

impl Values {
    /// No values of this type; no strings where a type is never without one.
    pub fn empty(dtype: DType) -> Self {
        match dtype {
            DType::Bool => Values::Bool(Vec::new().into()),
            DType::Int64 | DType::Timestamp => Values::Int64(Vec::new().into()),
            DType::Float32 => Values::Float32(Vec::new().into()),
            DType::Float64 => Values::Float64(Vec::new().into()),
            DType::String | DType::Vocabulary | DType::Tokenizer => {
                Values::String(Strings::default())
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Bool(v) => v.len(),
            Values::Int64(v) => v.len(),
            Values::Float32(v) => v.len(),
            Values::Float64(v) => v.len(),
            Values::String(v) => v.len(),
            Values::Vocabulary(_) | Values::Tokenizer(_) => 1,
        }
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of several, which are kept as the same.
    fn concat<'a>(parts: impl Iterator<Item = &'a Values> + Clone) -> Result<Self> {
        macro_rules! concat {
            ($variant:ident) => {
                Values::$variant(
                    parts
                        .flat_map(|part| match part {
                            Values::$variant(values) => values.as_ref(),
                            _ => &[],
                        })
                        .copied()
                        .collect(),
                )
            };
        }
        Ok(match parts.clone().next() {
            None => Values::empty(DType::Bool),
            Some(Values::Bool(_)) => concat!(Bool),
            Some(Values::Int64(_)) => concat!(Int64),
            Some(Values::Float32(_)) => concat!(Float32),
            Some(Values::Float64(_)) => concat!(Float64),
            Some(Values::String(_)) => {
                let mut builder = StringsBuilder::default();
                for part in parts {
                    if let Values::String(strings) = part {
                        strings.iter().for_each(|string| builder.push(string));
                    }
                }
                Values::String(builder.finish()?)
            }
            // Constants: one for all rows.
            Some(constant @ (Values::Vocabulary(_) | Values::Tokenizer(_))) => constant.clone(),
        })
    }

    /// What they are kept as: integers may also be timestamps.
    pub fn dtype(&self) -> DType {
        match self {
            Values::Bool(_) => DType::Bool,
            Values::Int64(_) => DType::Int64,
            Values::Float32(_) => DType::Float32,
            Values::Float64(_) => DType::Float64,
            Values::String(_) => DType::String,
            Values::Vocabulary(_) => DType::Vocabulary,
            Values::Tokenizer(_) => DType::Tokenizer,
        }
    }

    /// Whether they are what this type is kept as.
    pub fn is(&self, dtype: DType) -> bool {
        matches!(
            (self, dtype),
            (Values::Bool(_), DType::Bool)
                | (Values::Int64(_), DType::Int64 | DType::Timestamp)
                | (Values::Float32(_), DType::Float32)
                | (Values::Float64(_), DType::Float64)
                | (Values::String(_), DType::String)
                | (Values::Vocabulary(_), DType::Vocabulary)
                | (Values::Tokenizer(_), DType::Tokenizer)
        )
    }
}

macro_rules! from {
    ($($variant:ident $native:ty),*) => {$(
        impl From<Vec<$native>> for Values {
            fn from(values: Vec<$native>) -> Self {
                Values::$variant(values.into())
            }
        }
    )*};
}
from!(Bool u8, Int64 i64, Float32 f32, Float64 f64);

impl From<Strings> for Values {
    fn from(strings: Strings) -> Self {
        Values::String(strings)
    }
}

/// A column of so many rows, or a constant (one row for all).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Rows; 1 for a constant.
    pub rows: usize,
    /// Where the items of each `Var` dimension begin and end, outermost first.
    pub splits: Vec<ScalarBuffer<i32>>,
    /// All values, row after row.
    pub values: Values,
}

impl Tensor {
    /// A column or constant without varying dimensions.
    pub fn dense(rows: usize, values: impl Into<Values>) -> Self {
        Tensor { rows, splits: Vec::new(), values: values.into() }
    }

    /// A column with lists of values.
    pub fn var_len(splits: ScalarBuffer<i32>, values: impl Into<Values>) -> Self {
        Tensor { rows: splits.len() - 1, splits: vec![splits], values: values.into() }
    }

    /// The same structure with other values, one for each of the old ones.
    pub fn with_values(&self, values: impl Into<Values>) -> Self {
        let values = values.into();
        debug_assert_eq!(values.len(), self.values.len());
        Tensor { rows: self.rows, splits: self.splits.clone(), values }
    }

    /// The booleans.
    ///
    /// # Panics
    /// When it has others: a kernel was built for another type, which is a bug.
    pub fn bools(&self) -> &[u8] {
        match &self.values {
            Values::Bool(values) => values,
            other => wrong("bool", other),
        }
    }

    /// The integers (or microseconds).
    ///
    /// # Panics
    /// When it has others: a kernel was built for another type, which is a bug.
    pub fn ints(&self) -> &[i64] {
        match &self.values {
            Values::Int64(values) => values,
            other => wrong("int64", other),
        }
    }

    /// The single-precision floats.
    ///
    /// # Panics
    /// When it has others: a kernel was built for another type, which is a bug.
    pub fn floats(&self) -> &[f32] {
        match &self.values {
            Values::Float32(values) => values,
            other => wrong("float32", other),
        }
    }

    /// The double-precision floats.
    ///
    /// # Panics
    /// When it has others: a kernel was built for another type, which is a bug.
    pub fn doubles(&self) -> &[f64] {
        match &self.values {
            Values::Float64(values) => values,
            other => wrong("float64", other),
        }
    }

    /// The strings.
    ///
    /// # Panics
    /// When it has others: a kernel was built for another type, which is a bug.
    pub fn strings(&self) -> &Strings {
        match &self.values {
            Values::String(values) => values,
            other => wrong("string", other),
        }
    }

    /// The vocabulary.
    ///
    /// # Panics
    /// When it is none: a kernel was built for another type, which is a bug.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        match &self.values {
            Values::Vocabulary(vocabulary) => vocabulary,
            other => wrong("vocabulary", other),
        }
    }

    /// The tokenizer.
    ///
    /// # Panics
    /// When it is none: a kernel was built for another type, which is a bug.
    pub fn tokenizer(&self) -> &Arc<TokenizerConstant> {
        match &self.values {
            Values::Tokenizer(tokenizer) => tokenizer,
            other => wrong("tokenizer", other),
        }
    }

    /// The values as doubles, whatever number they are.
    pub fn to_doubles(&self) -> Vec<f64> {
        match &self.values {
            Values::Bool(values) => values.iter().map(|&v| f64::from(v)).collect(),
            Values::Int64(values) => values.iter().map(|&v| v as f64).collect(),
            Values::Float32(values) => values.iter().map(|&v| f64::from(v)).collect(),
            Values::Float64(values) => values.to_vec(),
            Values::String(_) | Values::Vocabulary(_) | Values::Tokenizer(_) => Vec::new(),
        }
    }

    /// Whether both are the same to the bit: NaN equals NaN, and 0.0 does not equal −0.0.
    pub fn same_bits(&self, other: &Tensor) -> bool {
        let values = match (&self.values, &other.values) {
            (Values::Float32(a), Values::Float32(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b.iter()).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (Values::Float64(a), Values::Float64(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b.iter()).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (a, b) => a == b,
        };
        values && self.rows == other.rows && self.splits == other.splits
    }

    /// Where the values of each row begin, and where those of the last one end.
    pub fn row_ends(&self, shape: &[Dim]) -> RowEnds<'_> {
        let mut per_row = 1usize;
        let mut levels = Vec::new();
        let mut splits = self.splits.iter();
        for dim in shape {
            match dim {
                Dim::Fixed(n) => per_row *= *n as usize,
                Dim::Var => {
                    levels.push((per_row, splits.next()));
                    per_row = 1;
                }
            }
        }
        RowEnds { levels, last: per_row }
    }

    /// The rows of columns of one type, one column after the other.
    ///
    /// # Errors
    /// When they are more than 2 GiB of strings or 2^31 items together.
    pub fn concat(parts: &[&Tensor]) -> Result<Tensor> {
        let Some((first, rest)) = parts.split_first() else {
            return Err(Error::invalid("there are no columns to put together"));
        };
        if rest.is_empty() {
            return Ok((*first).clone());
        }
        let splits: Result<Vec<_>> = (0..first.splits.len())
            .map(|level| {
                let pairs = parts.iter().flat_map(|part| part.splits[level].windows(2));
                splits_of(pairs.map(|pair| (pair[1] - pair[0]) as usize))
            })
            .collect();
        let values = Values::concat(parts.iter().map(|part| &part.values))?;
        Ok(Tensor { rows: parts.iter().map(|part| part.rows).sum(), splits: splits?, values })
    }

    /// Checks the module's invariant for a type.
    ///
    /// # Errors
    /// Saying what does not agree.
    pub fn check(&self, ty: &Type) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Incompatible, what));
        if !self.values.is(ty.dtype) {
            return wrong(format!("values are not of type {ty}"));
        }
        let mut items = self.rows;
        let mut splits = self.splits.iter();
        for dim in &ty.shape {
            match dim {
                Dim::Fixed(n) => items = items.saturating_mul(*n as usize),
                Dim::Var => {
                    let Some(splits) = splits.next() else {
                        return wrong(format!("too few splits for type {ty}"));
                    };
                    let falls = splits.windows(2).any(|pair| pair[0] > pair[1]);
                    if splits.len() != items.saturating_add(1) || splits[0] != 0 || falls {
                        return wrong(format!("splits do not fit {items} items of type {ty}"));
                    }
                    items = splits[items] as usize;
                }
            }
        }
        if splits.next().is_some() || items != self.values.len() {
            let n = self.values.len();
            return wrong(format!("{n} values where {items} of type {ty} are wanted"));
        }
        Ok(())
    }
}

fn wrong<T>(wanted: &str, found: &Values) -> T {
    panic!("a kernel for {wanted} was given {}", found.dtype())
}

/// Finds the values of rows, through any number of dimensions.
pub struct RowEnds<'a> {
    levels: Vec<(usize, Option<&'a ScalarBuffer<i32>>)>,
    last: usize,
}

impl RowEnds<'_> {
    /// Where the values of row `row` begin; with the number of rows, where the last ends.
    #[inline]
    pub fn start(&self, row: usize) -> usize {
        let mut item = row;
        for (per_row, splits) in &self.levels {
            item *= per_row;
            if let Some(splits) = splits {
                item = splits[item] as usize;
            }
        }
        item * self.last
    }

    /// The values of one row.
    #[inline]
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.start(row)..self.start(row + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_through_every_dimension() {
        let tensor = Tensor {
            rows: 2,
            splits: vec![vec![0, 1, 3].into()],
            values: vec![1i64, 2, 3, 4, 5, 6].into(),
        };
        let shape = [Dim::Var, Dim::Fixed(2)];
        let ends = tensor.row_ends(&shape);
        assert_eq!([ends.range(0), ends.range(1)], [0..2, 2..6]);
        tensor.check(&Type::column(DType::Int64, shape)).unwrap();
        assert!(tensor.check(&Type::column(DType::Int64, [Dim::Var])).is_err());
        assert!(tensor.check(&Type::column(DType::Float32, shape)).is_err());

        let nested = Tensor {
            rows: 2,
            splits: vec![vec![0, 2, 2].into(), vec![0, 1, 3].into()],
            values: Strings::from_iter(["a", "b", "c"]).into(),
        };
        let ends = nested.row_ends(&[Dim::Var, Dim::Var]);
        assert_eq!([ends.range(0), ends.range(1)], [0..3, 3..3]);
        nested.check(&Type::column(DType::String, [Dim::Var, Dim::Var])).unwrap();

        let vector = Tensor::dense(2, vec![0f32; 6]);
        assert_eq!(vector.row_ends(&[Dim::Fixed(3)]).range(1), 3..6);
        vector.check(&Type::column(DType::Float32, [Dim::Fixed(3)])).unwrap();
    }

    #[test]
    fn columns_are_put_together() {
        let nested = |rows: &[&[&[&str]]]| {
            let items = || rows.iter().flat_map(|row| row.iter());
            let rows_of = splits_of(rows.iter().map(|row| row.len())).unwrap();
            let items_of = splits_of(items().map(|item| item.len())).unwrap();
            let strings: Strings = items().flat_map(|item| item.iter()).collect();
            Tensor { rows: rows.len(), splits: vec![rows_of, items_of], values: strings.into() }
        };
        let (a, b) = (&[&["a", "b"][..], &[]][..], &[&["c"][..]][..]);
        let together = nested(&[a, &[], b, a]);
        together.check(&Type::column(DType::String, [Dim::Var, Dim::Var])).unwrap();
        let parts = [&nested(&[a, &[]]), &nested(&[]), &nested(&[b, a])];
        assert_eq!(Tensor::concat(&parts).unwrap(), together);
        assert_eq!(Tensor::concat(&parts[..1]).unwrap(), *parts[0]);
        assert!(Tensor::concat(&[]).is_err());

        let dense = |rows, values: Vec<f32>| Tensor::dense(rows, values);
        let together = dense(3, vec![1.0, f32::NAN, -0.0, 2.0, 3.0, 4.0]);
        let parts = [&dense(1, vec![1.0, f32::NAN]), &dense(2, vec![-0.0, 2.0, 3.0, 4.0])];
        assert!(Tensor::concat(&parts).unwrap().same_bits(&together));
        let parts = [&Tensor::dense(1, vec![1u8]), &Tensor::dense(2, vec![0u8, 1])];
        assert_eq!(Tensor::concat(&parts).unwrap(), Tensor::dense(3, vec![1u8, 0, 1]));
    }

    #[test]
    fn strings_are_built_and_read() {
        let mut builder = StringsBuilder::default();
        builder.push(b"a");
        builder.buffer().extend_from_slice(b"\xff\n");
        builder.end();
        builder.push(b"");
        let strings = builder.finish().unwrap();
        assert_eq!(strings.iter().collect::<Vec<_>>(), [&b"a"[..], b"\xff\n", b""]);
        assert_eq!(strings.get(1), b"\xff\n");
        assert_eq!(Strings::from_iter(["a", "\u{e9}"]).len(), 2);
        assert!(Strings::default().is_empty());
    }
}
