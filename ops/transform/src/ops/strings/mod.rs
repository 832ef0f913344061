//! `strings.*`: functions of strings, as TensorFlow's `tf.strings` has them.
//!
//! Strings are bytes. Where characters are meant, they are those of UTF-8; what is no UTF-8 is
//! replaced by U+FFFD where an operation has to understand it, and else left as it is.

pub(super) mod case;
pub(super) mod compare;
pub(super) mod format;
pub(super) mod hash;
pub(super) mod join;
pub(super) mod number;
mod re2;
pub(super) mod regex;
mod regex_syntax;
pub(super) mod split;
pub(super) mod substr;

use engine::Result;

use super::elementwise::{Native, of_dtype};
use crate::op::{Call, Kernel, Kind, function};
use crate::tensor::{Strings, StringsBuilder, Tensor, splits_of};
use crate::types::{DType, Dim, Type};

/// A function whose result has the structure of `x`.
const fn map(
    types: fn(&Call<'_>) -> Result<Vec<Type>>,
    kernel: fn(&Call<'_>) -> Result<Box<dyn Kernel>>,
) -> Kind {
    Kind::Map {
        types,
        kernel,
        domain: None,
        keeps: "x",
        onnx: crate::export::Export::AS_TENSORFLOW,
        tensorflow: crate::op::UNSAID,
    }
}

/// A function whose result has a list for each string.
const fn lists(
    types: fn(&Call<'_>) -> Result<Vec<Type>>,
    kernel: fn(&Call<'_>) -> Result<Box<dyn Kernel>>,
) -> Kind {
    Kind::Map {
        types,
        kernel,
        domain: None,
        keeps: "",
        onnx: crate::export::Export::AS_TENSORFLOW,
        tensorflow: crate::op::UNSAID,
    }
}

/// Strings of the structure of `x`.
fn same(call: &Call<'_>) -> Result<Vec<Type>> {
    Ok(vec![of_dtype(call, "x", DType::String)?.clone()])
}

/// A list for each string of `x`.
fn list_of_each(call: &Call<'_>) -> Result<Vec<Type>> {
    let x = of_dtype(call, "x", DType::String)?;
    if x.constant {
        return Err(call.wrong_type("x", "a column"));
    }
    let mut shape = x.shape.clone();
    shape.push(Dim::Var);
    Ok(vec![Type { shape, ..x.clone() }])
}

/// The bytes that strings take.
pub(super) fn n_bytes(strings: &Strings) -> usize {
    let offsets = strings.offsets();
    (offsets[strings.len()] - offsets[0]) as usize
}

/// A kernel that writes a string for each.
fn each(f: impl Fn(&[u8], &mut Vec<u8>) + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let strings = inputs[0].strings();
        let mut out = StringsBuilder::with_capacity(strings.len(), n_bytes(strings));
        for string in strings.iter() {
            f(string, out.buffer());
            out.end();
        }
        Ok(inputs[0].with_values(out.finish()?))
    })
}

/// A kernel that computes a value for each string.
fn measure<T: Native>(f: impl Fn(&[u8]) -> T + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let values = inputs[0].strings().iter().map(&f).collect();
        Ok(inputs[0].with_values(T::values(values)))
    })
}

/// A kernel that writes a list of strings for each.
fn pieces(f: impl Fn(&[u8], &mut StringsBuilder) + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let strings = inputs[0].strings();
        let mut out = StringsBuilder::with_capacity(strings.len(), n_bytes(strings));
        let mut lengths = Vec::with_capacity(strings.len());
        for string in strings.iter() {
            let before = out.len();
            f(string, &mut out);
            lengths.push(out.len() - before);
        }
        let mut splits = inputs[0].splits.clone();
        splits.push(splits_of(lengths)?);
        Ok(Tensor { rows: inputs[0].rows, splits, values: out.finish()?.into() })
    })
}

/// Whether C calls it white space: blank, tab, line feed, vertical tab, form feed, return.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Without white space at both ends.
fn trimmed(string: &[u8]) -> &[u8] {
    let start = string.iter().position(|&b| !is_space(b)).unwrap_or(string.len());
    let end = string.iter().rposition(|&b| !is_space(b)).map_or(start, |last| last + 1);
    &string[start..end]
}

/// Whether a byte goes on with a character of UTF-8.
fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
