//! `== != < <= > >=`: comparisons of values.

use engine::Result;

use super::super::elementwise::{Broadcast, Native, together};
use super::super::params::value_like;
use super::{alike, map};
use crate::export::Export;
use crate::op::{Call, Kernel, Op, Param, function};
use crate::tensor::Tensor;
use crate::types::{DType, Type};

const PARAMS: &[Param] =
    &[value_like("x", "y", "left operand"), value_like("y", "x", "right operand")];

/// `x == y`.
pub(in super::super) const EQUAL: Op = Op {
    name: "math.equal",
    doc: "whether two values are the same",
    semantics: "Both are of one dtype, any but a vocabulary. NaN equals nothing; -0.0 equals 0.0. \
        Strings are compared byte by byte.",
    examples: &[
        "math.equal(x, y)",
        "math.equal(n, 1)",
        "math.equal(d, d)",
        "math.equal(s, 'a')",
        "math.equal(ss, s)",
        "math.equal(flag, True)",
        "math.equal(when, when)",
        "math.equal(svec, ['a', 'b', 'c'])",
    ],
    params: PARAMS,
    kind: map(equatable, |call| {
        kernel(call, |a, b| a == b, |a, b| a == b, |a, b| a == b, |a, b| a == b, |a, b| a == b)
    })
    .tensorflow(Export::Each("Equal")),
};

/// `x != y`.
pub(in super::super) const NOT_EQUAL: Op = Op {
    name: "math.not_equal",
    doc: "whether two values differ",
    semantics: "The opposite of `math.equal`: NaN differs from everything.",
    examples: &[
        "math.not_equal(x, y)",
        "math.not_equal(n, 1)",
        "math.not_equal(d, d)",
        "math.not_equal(s, t)",
        "math.not_equal(flag, flag)",
        "math.not_equal(times, when)",
    ],
    params: PARAMS,
    kind: map(equatable, |call| {
        kernel(call, |a, b| a != b, |a, b| a != b, |a, b| a != b, |a, b| a != b, |a, b| a != b)
    })
    .tensorflow(Export::Each("NotEqual")),
};

const SEMANTICS: &str = "Both are numbers or timestamps of one dtype. False if either is NaN.";

/// `x < y`.
pub(in super::super) const LESS: Op = Op {
    name: "math.less",
    doc: "whether `x` is less than `y`",
    semantics: SEMANTICS,
    examples: &["math.less(x, y)", "math.less(n, 1)", "math.less(ds, d)", "math.less(when, 0)"],
    params: PARAMS,
    kind: map(ordered, |call| {
        kernel(call, |a, b| a < b, |a, b| a < b, |a, b| a < b, |a, b| a < b, |a, b| a < b)
    })
    .tensorflow(Export::Each("Less")),
};

/// `x <= y`.
pub(in super::super) const LESS_EQUAL: Op = Op {
    name: "math.less_equal",
    doc: "whether `x` is at most `y`",
    semantics: SEMANTICS,
    examples: &[
        "math.less_equal(x, y)",
        "math.less_equal(1, n)",
        "math.less_equal(d, ds)",
        "math.less_equal(times, when)",
    ],
    params: PARAMS,
    kind: map(ordered, |call| {
        kernel(call, |a, b| a <= b, |a, b| a <= b, |a, b| a <= b, |a, b| a <= b, |a, b| a <= b)
    })
    .tensorflow(Export::Each("LessEqual")),
};

/// `x > y`.
pub(in super::super) const GREATER: Op = Op {
    name: "math.greater",
    doc: "whether `x` is greater than `y`",
    semantics: SEMANTICS,
    examples: &[
        "math.greater(x, y * 0.2)",
        "math.greater(nvec, n)",
        "math.greater(d, 0.5)",
        "math.greater(when, 0)",
    ],
    params: PARAMS,
    kind: map(ordered, |call| {
        kernel(call, |a, b| a > b, |a, b| a > b, |a, b| a > b, |a, b| a > b, |a, b| a > b)
    })
    .tensorflow(Export::Each("Greater")),
};

/// `x >= y`.
pub(in super::super) const GREATER_EQUAL: Op = Op {
    name: "math.greater_equal",
    doc: "whether `x` is at least `y`",
    semantics: SEMANTICS,
    examples: &[
        "math.greater_equal(x, y)",
        "math.greater_equal(ns, 1)",
        "math.greater_equal(d, d)",
        "math.greater_equal(when, when)",
    ],
    params: PARAMS,
    kind: map(ordered, |call| {
        kernel(call, |a, b| a >= b, |a, b| a >= b, |a, b| a >= b, |a, b| a >= b, |a, b| a >= b)
    })
    .tensorflow(Export::Each("GreaterEqual")),
};

fn equatable(call: &Call<'_>) -> Result<Vec<Type>> {
    if call.ty("x")?.dtype.is_asset() {
        return Err(call.wrong_type("x", "a value"));
    }
    Ok(vec![alike(call)?.with_dtype(DType::Bool)])
}

fn ordered(call: &Call<'_>) -> Result<Vec<Type>> {
    for param in ["x", "y"] {
        let dtype = call.ty(param)?.dtype;
        if !dtype.is_number() && dtype != DType::Timestamp {
            return Err(call.wrong_type(param, "a number or a timestamp"));
        }
    }
    Ok(vec![alike(call)?.with_dtype(DType::Bool)])
}

fn kernel(
    call: &Call<'_>,
    ints: impl Fn(i64, i64) -> bool + Send + Sync + 'static,
    floats: impl Fn(f32, f32) -> bool + Send + Sync + 'static,
    doubles: impl Fn(f64, f64) -> bool + Send + Sync + 'static,
    bools: impl Fn(u8, u8) -> bool + Send + Sync + 'static,
    strings: impl Fn(&[u8], &[u8]) -> bool + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    let (ty, broadcast) = together(call, &["x", "y"])?;
    Ok(match ty.dtype {
        DType::Int64 | DType::Timestamp => natives(broadcast, ints),
        DType::Float32 => natives(broadcast, floats),
        DType::Float64 => natives(broadcast, doubles),
        DType::Bool => natives(broadcast, bools),
        DType::String | DType::Vocabulary | DType::Tokenizer => {
            function(move |rows, inputs| Ok(of_strings(&broadcast, rows, inputs, &strings)))
        }
    })
}

fn natives<T: Native>(
    broadcast: Broadcast,
    f: impl Fn(T, T) -> bool + Send + Sync + 'static,
) -> Box<dyn Kernel> {
    function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, |a: T, b: T| u8::from(f(a, b)))))
}

fn of_strings(
    broadcast: &Broadcast,
    rows: usize,
    inputs: &[&Tensor],
    f: impl Fn(&[u8], &[u8]) -> bool,
) -> Tensor {
    let (x, y) = (inputs[0].strings(), inputs[1].strings());
    let (at_x, at_y) = (broadcast.indices(0, rows, inputs), broadcast.indices(1, rows, inputs));
    let n = broadcast.n_values(rows, inputs);
    let found = (0..n).map(|i| u8::from(f(x.get(at_x.at(i)), y.get(at_y.at(i)))));
    broadcast.result(rows, inputs, found.collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, floats, lists, refused, texts};

    #[test]
    fn values_are_compared() {
        let nan = f32::NAN;
        let x = [("x", floats(&[1.0, nan, -0.0])), ("y", floats(&[1.0, nan, 0.0]))];
        check("math.equal(x, y)", &x, bools(&[true, false, true]));
        check("math.not_equal(x, y)", &x, bools(&[false, true, false]));
        check("math.less_equal(x, y)", &x, bools(&[true, false, true]));
        check("math.greater(x, y)", &x, bools(&[false, false, false]));
        check("math.less(x, 0.5)", &x, bools(&[false, false, true]));
        let s = [("s", texts(&["a", "", "é"])), ("t", texts(&["a", "b", "e"]))];
        check("math.equal(s, t)", &s, bools(&[true, false, false]));
        check("math.equal(s, 'a')", &s, bools(&[true, false, false]));
        check("math.not_equal('a', s)", &s, bools(&[false, true, true]));
        let ss = [("ss", lists(&[2, 0, 1], texts(&["a", "b", "é"]))), s[0].clone()];
        check("math.equal(ss, s)", &ss, lists(&[2, 0, 1], bools(&[true, false, true])));
    }

    #[test]
    fn what_has_no_order_is_refused() {
        refused("math.less(s, t)", "`math.less`: `x` is string; a number or a timestamp is wanted");
        refused("math.equal(x, n)", "`math.equal`: `x` is float32, `y` is int64");
        refused("math.equal(x, 's')", "`math.equal`: `y`: \"s\" is no float32");
    }
}
