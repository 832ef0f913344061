//! `tf.cast`: the same value in another type.

use engine::Result;

use super::super::elementwise::{Native, map};
use super::super::params::{X, required};
use crate::export::Export;
use crate::export::tensorflow::{Column, result_type};
use crate::op::{Call, Kernel, Kind, Op, Takes, function};
use crate::types::DType;

/// The same value in another type.
pub(in super::super) const CAST: Op = Op {
    name: "tf.cast",
    doc: "the same values in another type",
    semantics: "To float: the nearest one; too large a float64 is infinity. Float to integer: \
        without the fraction; NaN, infinities and what does not fit are the least integer \
        (-9223372036854775808), as in TensorFlow on x86. To bool: whether it is not 0 (NaN is true). \
        From bool: 1 or 0. Integers and timestamps are microseconds since 1970. Strings are not \
        cast: see `strings.to_number` and `strings.as_string`.",
    examples: &[
        "tf.cast(x, tf.int64)",
        "tf.cast(x, tf.float64)",
        "tf.cast(d, tf.float32)",
        "tf.cast(ds, tf.bool)",
        "tf.cast(ds, tf.int64)",
        "tf.cast(ns, tf.float32)",
        "tf.cast(n, tf.float64)",
        "tf.cast(n, tf.bool)",
        "tf.cast(xs, tf.bool)",
        "tf.cast(flag, tf.int64)",
        "tf.cast(flags, tf.float32)",
        "tf.cast(flag, tf.float64)",
        "tf.cast(when, tf.int64)",
        "tf.cast(n, tf.timestamp)",
        "tf.cast(s, tf.string)",
    ],
    params: &[X, required("dtype", Takes::DType, "the type, such as `tf.int64`")],
    kind: Kind::Map {
        types: |call| {
            let (x, dtype) = (call.ty("x")?, wanted(call)?);
            let castable = |dtype: DType| dtype.is_number() || dtype == DType::Bool;
            let timestamp = |a, b| a == DType::Timestamp && b == DType::Int64;
            if x.dtype == dtype
                || castable(x.dtype) && castable(dtype)
                || timestamp(x.dtype, dtype)
                || timestamp(dtype, x.dtype)
            {
                return Ok(vec![x.with_dtype(dtype)]);
            }
            let error = call.wrong(format!("{} is not cast to {dtype}", x.dtype));
            Err(match (x.dtype, dtype) {
                (DType::String, to) if to.is_number() => {
                    error.with_hint(format!("Use `strings.to_number(x, out_type=tf.{to})`."))
                }
                (_, DType::String) => error.with_hint("Use `strings.as_string(x)`."),
                (DType::String, DType::Timestamp) => {
                    error.with_hint("Use `dates.parse(x, format)`.")
                }
                _ => error.with_hint("Cast it to `tf.int64` first."),
            })
        },
        kernel,
        domain: Some(|call| match (wanted(call).ok()?, call.ty("x").ok()?.dtype) {
            (DType::Int64, DType::Int64) => call.domains[0],
            (DType::Int64, DType::Bool) => Some((0, 1)),
            _ => None,
        }),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (from, to) = (call.ty("x")?.dtype, result_type(call)?.dtype);
            let values = nodes.cast(&columns[0].values, from, to);
            Ok(vec![Column { values, ..columns[0].clone() }])
        }),
    },
};

fn wanted(call: &Call<'_>) -> Result<DType> {
    call.opt_dtype("dtype").ok_or_else(|| call.wrong("`dtype` is missing"))
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    use DType::{Bool, Float32, Float64, Int64};
    Ok(match (call.ty("x")?.dtype, wanted(call)?) {
        (Bool, Int64) => each(|a: u8| i64::from(a)),
        (Bool, Float32) => each(|a: u8| f32::from(a)),
        (Bool, Float64) => each(|a: u8| f64::from(a)),
        (Int64, Bool) => each(|a: i64| u8::from(a != 0)),
        (Int64, Float32) => each(|a: i64| a as f32),
        (Int64, Float64) => each(|a: i64| a as f64),
        (Float32, Bool) => each(|a: f32| u8::from(a != 0.0)),
        (Float32, Int64) => each(|a: f32| to_int(f64::from(a))),
        (Float32, Float64) => each(|a: f32| f64::from(a)),
        (Float64, Bool) => each(|a: f64| u8::from(a != 0.0)),
        (Float64, Int64) => each(to_int),
        (Float64, Float32) => each(|a: f64| a as f32),
        // The same values, or microseconds: kept as they are.
        _ => function(|_, inputs| Ok(inputs[0].clone())),
    })
}

fn each<A: Native, B: Native>(f: impl Fn(A) -> B + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| Ok(map(inputs[0], &f)))
}

/// Without the fraction; the least integer for what does not fit.
#[inline]
pub(in super::super) fn to_int(a: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    // NaN is not in the range either.
    if (-LIMIT..LIMIT).contains(&a) { a as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, doubles, floats, ints, refused};

    #[test]
    fn values_change_their_type() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let x = [("x", floats(&[2.9, -2.9, -0.0, nan, inf, -inf, 1e19]))];
        let least = i64::MIN;
        check("tf.cast(x, tf.int64)", &x, ints(&[2, -2, 0, least, least, least, least]));
        check("tf.cast(x, tf.bool)", &x, bools(&[true, true, false, true, true, true, true]));
        let d = [("d", doubles(&[0.1, 1e300, -1e300, 9_223_372_036_854_774_784.0]))];
        check("tf.cast(d, tf.float32)", &d, floats(&[0.1, inf, -inf, 9.223_372e18]));
        check("tf.cast(d, tf.int64)", &d, ints(&[0, least, least, 9_223_372_036_854_774_784]));
        let n = [("n", ints(&[16_777_217, i64::MAX, 0]))];
        check("tf.cast(n, tf.float32)", &n, floats(&[16_777_216.0, 9.223_372e18, 0.0]));
        check("tf.cast(n, tf.bool)", &n, bools(&[true, true, false]));
        check("tf.cast(flag, tf.float32)", &[("flag", bools(&[true, false]))], floats(&[1.0, 0.0]));
        check("tf.cast(when, tf.int64)", &[("when", ints(&[-1]))], ints(&[-1]));
    }

    #[test]
    fn strings_are_not_cast() {
        refused("tf.cast(s, tf.int64)", "`tf.cast`: string is not cast to int64");
        refused("tf.cast(x, tf.string)", "`tf.cast`: float32 is not cast to string");
        refused("tf.cast(x, tf.timestamp)", "`tf.cast`: float32 is not cast to timestamp");
    }
}
