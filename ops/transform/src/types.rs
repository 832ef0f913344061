//! Types: what a value of the graph is, known before any data is read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What single values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// True or false.
    Bool,
    /// 64-bit signed integers; arithmetic wraps, as in TensorFlow.
    Int64,
    /// IEEE single precision, the type of TFT's floats.
    Float32,
    /// IEEE double precision.
    Float64,
    /// Bytes, by convention UTF-8 text.
    String,
    /// Microseconds since 1970-01-01T00:00:00 UTC, kept as 64-bit integers.
    Timestamp,
    /// A list of tokens with their ids: the result of an analyzer or of a file, never a column.
    Vocabulary,
    /// What turns texts into ids: made of a vocabulary or a file, never a column.
    Tokenizer,
}

impl DType {
    /// The name that modules, messages and files use.
    pub fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::Int64 => "int64",
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::String => "string",
            DType::Timestamp => "timestamp",
            DType::Vocabulary => "vocabulary",
            DType::Tokenizer => "tokenizer",
        }
    }

    /// Whether arithmetic works on it.
    pub fn is_number(self) -> bool {
        matches!(self, DType::Int64 | DType::Float32 | DType::Float64)
    }

    /// Whether its values are constants alone: single ones, without order, that no column holds.
    pub fn is_asset(self) -> bool {
        matches!(self, DType::Vocabulary | DType::Tokenizer)
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, DType::Float32 | DType::Float64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One dimension of the instance (the row) of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dim {
    /// The same length in every row.
    Fixed(u32),
    /// A length of its own in every row: TensorFlow's `VarLen` and ragged dimensions.
    Var,
}

/// The type of a value: what it holds and how one row of it is shaped.
///
/// `[]` is one number for each row, `[3]` three, `[var]` any number (a `VarLen` feature or tokens),
/// `[var, var]` a list of lists. A constant has no rows: it is one instance for all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Type {
    /// What single values are.
    pub dtype: DType,
    /// Dimensions of one row, outermost first.
    pub shape: Vec<Dim>,
    /// The same for every row: a literal or the result of an analyzer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub constant: bool,
}

impl Type {
    /// A column with rows of this shape.
    pub fn column(dtype: DType, shape: impl Into<Vec<Dim>>) -> Self {
        Type { dtype, shape: shape.into(), constant: false }
    }

    /// One value for each row.
    pub fn scalar(dtype: DType) -> Self {
        Self::column(dtype, [])
    }

    /// Any number of values for each row.
    pub fn var_len(dtype: DType) -> Self {
        Self::column(dtype, [Dim::Var])
    }

    /// A constant of this shape.
    pub fn constant(dtype: DType, shape: impl Into<Vec<Dim>>) -> Self {
        Type { dtype, shape: shape.into(), constant: true }
    }

    /// The same shape with other values.
    pub fn with_dtype(&self, dtype: DType) -> Self {
        Type { dtype, ..self.clone() }
    }

    /// Values of one row, if every row has as many.
    pub fn fixed_len(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, dim| match dim {
            Dim::Fixed(d) => n.checked_mul(*d as usize),
            Dim::Var => None,
        })
    }

    /// Whether every row has the same number of values.
    pub fn is_dense(&self) -> bool {
        !self.shape.contains(&Dim::Var)
    }

    /// Whether it is one value for each row (or one constant value).
    pub fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }

    /// How many of the dimensions vary.
    pub fn n_var(&self) -> usize {
        self.shape.iter().filter(|dim| **dim == Dim::Var).count()
    }
}

impl fmt::Display for Type {
    /// `float32`, `string[var]`, `float32[3]`, `constant int64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.constant {
            f.write_str("constant ")?;
        }
        write!(f, "{}", self.dtype)?;
        if self.shape.is_empty() {
            return Ok(());
        }
        f.write_str("[")?;
        for (i, dim) in self.shape.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match dim {
                Dim::Fixed(n) => write!(f, "{comma}{n}")?,
                Dim::Var => write!(f, "{comma}var")?,
            }
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_shortly() {
        let check = |ty: Type, expected: &str| assert_eq!(ty.to_string(), expected);
        check(Type::scalar(DType::Float32), "float32");
        check(Type::var_len(DType::String), "string[var]");
        check(Type::column(DType::Int64, [Dim::Var, Dim::Fixed(2)]), "int64[var, 2]");
        check(Type::constant(DType::Float64, []), "constant float64");
    }

    #[test]
    fn fixed_lengths_multiply_without_overflow() {
        let fixed = |shape: &[Dim]| Type::column(DType::Bool, shape).fixed_len();
        assert_eq!(fixed(&[]), Some(1));
        assert_eq!(fixed(&[Dim::Fixed(2), Dim::Fixed(3)]), Some(6));
        assert_eq!(fixed(&[Dim::Fixed(2), Dim::Var]), None);
        assert_eq!(fixed(&[Dim::Fixed(u32::MAX); 3]), None);
    }
}
