//! `+ - *`: arithmetic on values, as TensorFlow does it.

use engine::Result;

use super::elementwise::{Broadcast, Native, number, together};
use crate::op::{Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::types::{DType, Type};

const PARAMS: &[Param] = &[
    Param {
        name: "x",
        takes: Takes::Value { like: "y" },
        default: Default::Required,
        doc: "left operand",
    },
    Param {
        name: "y",
        takes: Takes::Value { like: "x" },
        default: Default::Required,
        doc: "right operand",
    },
];

/// `x + y`.
pub(super) const ADD: Op = Op {
    name: "math.add",
    doc: "the sum of two numbers: `x + y`",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &["x + y", "n + 1", "d + d", "xs + x", "vec + vec"],
    params: PARAMS,
    kind: Kind::Map {
        types: |call| types(call),
        kernel: |call| kernel(call, i64::wrapping_add, |a, b| a + b, |a, b| a + b),
        domain: None,
        keeps: "x",
    },
};

/// `x - y`.
pub(super) const SUBTRACT: Op = Op {
    name: "math.subtract",
    doc: "the difference of two numbers: `x - y`",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &["x - y", "1 - n", "d - d", "xs - tft.mean(xs)"],
    params: PARAMS,
    kind: Kind::Map {
        types: |call| types(call),
        kernel: |call| kernel(call, i64::wrapping_sub, |a, b| a - b, |a, b| a - b),
        domain: None,
        keeps: "x",
    },
};

/// `x * y`.
pub(super) const MULTIPLY: Op = Op {
    name: "math.multiply",
    doc: "the product of two numbers: `x * y`",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &["x * 0.2", "n * k", "d * d", "vec * [1.0, 2.0, 3.0]"],
    params: PARAMS,
    kind: Kind::Map {
        types: |call| types(call),
        kernel: |call| kernel(call, i64::wrapping_mul, |a, b| a * b, |a, b| a * b),
        domain: None,
        keeps: "x",
    },
};

fn types(call: &Call<'_>) -> Result<Vec<Type>> {
    let (x, y) = (number(call, "x")?, number(call, "y")?);
    if x.dtype != y.dtype {
        return Err(call
            .wrong(format!("`x` is {}, `y` is {}", x.dtype, y.dtype))
            .with_hint("Convert one side with `tf.cast`."));
    }
    Ok(vec![together(call, &["x", "y"])?.0])
}

fn kernel(
    call: &Call<'_>,
    ints: fn(i64, i64) -> i64,
    floats: fn(f32, f32) -> f32,
    doubles: fn(f64, f64) -> f64,
) -> Result<Box<dyn Kernel>> {
    let (ty, broadcast) = together(call, &["x", "y"])?;
    Ok(match ty.dtype {
        DType::Int64 => boxed(broadcast, ints),
        DType::Float32 => boxed(broadcast, floats),
        _ => boxed(broadcast, doubles),
    })
}

fn boxed<T: Native>(broadcast: Broadcast, f: fn(T, T) -> T) -> Box<dyn Kernel> {
    function(move |rows, inputs| Ok(broadcast.zip::<T, T, T>(rows, inputs, f)))
}
