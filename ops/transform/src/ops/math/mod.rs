//! `math.*`: arithmetic, comparisons, logic and functions of numbers, as TensorFlow does them.
//!
//! Floats follow IEEE 754. Functions that it leaves open (`exp`, `sin`, …) are those of one library
//! on every machine, so that a graph gives the same bits wherever it serves.

pub(super) mod arithmetic;
pub(super) mod compare;
pub(super) mod division;
pub(super) mod float;
pub(super) mod logical;
pub(super) mod reduce;
pub(super) mod round;
pub(super) mod unary;

use super::elementwise::together;
use crate::op::{Call, Kernel, Kind};
use crate::types::Type;
use engine::Result;

/// A row-local function whose result has the structure of `x`.
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

/// The type of `x` and `y` together, which must be of one dtype.
fn alike(call: &Call<'_>) -> Result<Type> {
    let (x, y) = (call.ty("x")?, call.ty("y")?);
    if x.dtype != y.dtype {
        return Err(call
            .wrong(format!("`x` is {}, `y` is {}", x.dtype, y.dtype))
            .with_hint("Convert one side with `tf.cast`."));
    }
    Ok(together(call, &["x", "y"])?.0)
}
