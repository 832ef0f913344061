//! `+ - * / // %` and what else takes two numbers.

use engine::Result;

use super::super::elementwise::{Native, number, together};
use super::super::params::value_like;
use super::float::Float;
use super::{alike, map};
use crate::export::Export;
use crate::export::tensorflow::{self, Column, Nodes, Out};
use crate::op::{Call, Kernel, Op, Param, function};
use crate::types::{DType, Type};

const PARAMS: &[Param] =
    &[value_like("x", "y", "left operand"), value_like("y", "x", "right operand")];

/// `x + y`.
pub(in super::super) const ADD: Op = Op {
    name: "math.add",
    doc: "the sum of two numbers: `x + y`",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &["x + y", "n + 1", "d + d", "xs + x", "vec + vec"],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, i64::wrapping_add, |a, b| a + b, |a, b| a + b))
        .tensorflow(Export::Each("AddV2")),
};

/// `x - y`.
pub(in super::super) const SUBTRACT: Op = Op {
    name: "math.subtract",
    doc: "the difference of two numbers: `x - y`",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &["x - y", "1 - n", "d - d", "xs - tft.mean(xs)"],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, i64::wrapping_sub, |a, b| a - b, |a, b| a - b))
        .tensorflow(Export::Each("Sub")),
};

/// `x * y`.
pub(in super::super) const MULTIPLY: Op = Op {
    name: "math.multiply",
    doc: "the product of two numbers: `x * y`",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &["x * 0.2", "n * k", "d * d", "vec * [1.0, 2.0, 3.0]"],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, i64::wrapping_mul, |a, b| a * b, |a, b| a * b))
        .tensorflow(Export::Each("Mul")),
};

/// `x / y`.
pub(in super::super) const DIVIDE: Op = Op {
    name: "math.divide",
    doc: "the quotient of two numbers: `x / y`",
    semantics: "Both are of one dtype. Integers are divided as float64. By zero: infinity, or NaN \
        for 0 / 0.",
    examples: &["x / y", "n / k", "d / 2.0", "xs / x", "math.divide(vec, vec)"],
    params: PARAMS,
    kind: map(
        |call| {
            let ty = numbers(call)?.remove(0);
            let dtype = if ty.dtype == DType::Int64 { DType::Float64 } else { ty.dtype };
            Ok(vec![Type { dtype, ..ty }])
        },
        |call| {
            let (ty, broadcast) = together(call, &["x", "y"])?;
            Ok(match ty.dtype {
                DType::Int64 => function(move |rows, inputs| {
                    Ok(broadcast.zip(rows, inputs, |a: i64, b: i64| a as f64 / b as f64))
                }),
                DType::Float32 => function(move |rows, inputs| {
                    Ok(broadcast.zip(rows, inputs, |a: f32, b: f32| a / b))
                }),
                _ => function(move |rows, inputs| {
                    Ok(broadcast.zip(rows, inputs, |a: f64, b: f64| a / b))
                }),
            })
        },
    )
    .tensorflow(Export::Nodes(quotient)),
};

/// `x // y`.
pub(in super::super) const FLOORDIV: Op = Op {
    name: "math.floordiv",
    doc: "the quotient of two numbers, rounded down: `x // y`",
    semantics: "Both are of one dtype. Rounds towards minus infinity, as Python does. An integer \
        divided by 0 is 0 (TensorFlow stops there); floats give infinity or NaN. The least integer \
        divided by -1 wraps.",
    examples: &["x // y", "n // k", "n // -3", "d // 2.0", "ns // 0"],
    params: PARAMS,
    kind: map(numbers, |call| {
        kernel(call, floordiv, |a, b| (a / b).floor(), |a, b| (a / b).floor())
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| divided(nodes, call, columns, "FloorDiv"))),
};

/// `x % y`.
pub(in super::super) const MOD: Op = Op {
    name: "math.mod",
    doc: "what remains of a division that rounds down: `x % y`",
    semantics: "Both are of one dtype. The result has the sign of `y`, as in Python. An integer \
        modulo 0 is 0 (TensorFlow stops there); a float modulo 0, or infinity modulo anything, is \
        NaN.",
    examples: &["x % y", "n % k", "n % -3", "d % 2.0", "ns % 0"],
    params: PARAMS,
    kind: map(numbers, |call| {
        kernel(
            call,
            floormod,
            |a, b| signed(a % b, b, f32::from(0u8)),
            |a, b| signed(a % b, b, f64::from(0u8)),
        )
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| divided(nodes, call, columns, "FloorMod"))),
};

/// `x` to the power of `y`.
pub(in super::super) const POW: Op = Op {
    name: "math.pow",
    doc: "`x` to the power of `y`",
    semantics: "Both are of one dtype. Integers wrap; to a negative power they are the whole part \
        of the quotient: 1 for 1, 1 or -1 for -1, else 0 (TensorFlow stops there). \
        Floats: `pow(x, 0)` and `pow(1, y)` are 1 even for NaN.",
    examples: &["math.pow(x, y)", "math.pow(n, k)", "math.pow(d, 0.5)", "math.pow(ns, -1)"],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, int_pow, Float::pow, Float::pow))
        .tensorflow(Export::Nodes(power)),
};

/// The lesser of two numbers.
pub(in super::super) const MINIMUM: Op = Op {
    name: "math.minimum",
    doc: "the lesser of two numbers",
    semantics: "Both are of one dtype. NaN if either is.",
    examples: &["math.minimum(x, y)", "math.minimum(n, k)", "math.minimum(d, 0.5)"],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, i64::min, minimum, minimum))
        .tensorflow(Export::Each("Minimum")),
};

/// The greater of two numbers.
pub(in super::super) const MAXIMUM: Op = Op {
    name: "math.maximum",
    doc: "the greater of two numbers",
    semantics: "Both are of one dtype. NaN if either is.",
    examples: &["math.maximum(x, y)", "math.maximum(n, k)", "math.maximum(ds, d)"],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, i64::max, maximum, maximum))
        .tensorflow(Export::Each("Maximum")),
};

fn numbers(call: &Call<'_>) -> Result<Vec<Type>> {
    number(call, "x")?;
    number(call, "y")?;
    Ok(vec![alike(call)?])
}

fn kernel(
    call: &Call<'_>,
    ints: impl Fn(i64, i64) -> i64 + Send + Sync + 'static,
    floats: impl Fn(f32, f32) -> f32 + Send + Sync + 'static,
    doubles: impl Fn(f64, f64) -> f64 + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    let (ty, broadcast) = together(call, &["x", "y"])?;
    Ok(match ty.dtype {
        DType::Int64 => function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, &ints))),
        DType::Float32 => function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, &floats))),
        _ => function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, &doubles))),
    })
}

/// Rounds down; 0 for a divisor of 0.
fn floordiv(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let quotient = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
}

/// Has the sign of `b`; 0 for a divisor of 0.
fn floormod(a: i64, b: i64) -> i64 {
    if b == 0 {
        return 0;
    }
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

/// The remainder of a division with the sign of the divisor.
fn signed<F: Native + PartialOrd + std::ops::Add<Output = F>>(rest: F, b: F, zero: F) -> F {
    if rest != zero && (rest < zero) != (b < zero) { rest + b } else { rest }
}

fn int_pow(a: i64, b: i64) -> i64 {
    if b < 0 {
        return match a {
            1 => 1,
            -1 if b % 2 == 0 => 1,
            -1 => -1,
            _ => 0,
        };
    }
    let (mut base, mut power, mut result) = (a, b, 1i64);
    while power > 0 {
        if power % 2 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        power /= 2;
    }
    result
}

/// The lesser, or NaN if either is.
#[expect(clippy::eq_op, reason = "NaN alone differs from itself, in any type")]
pub(in super::super) fn minimum<F: Native + PartialOrd>(a: F, b: F) -> F {
    if a < b || a != a { a } else { b }
}

/// The greater, or NaN if either is.
#[expect(clippy::eq_op, reason = "NaN alone differs from itself, in any type")]
pub(in super::super) fn maximum<F: Native + PartialOrd>(a: F, b: F) -> F {
    if a > b || a != a { a } else { b }
}

fn quotient(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (operands, structure, ty) = nodes.operands(call, &["x", "y"], columns)?;
    let dtype = if ty.dtype == DType::Int64 { DType::Float64 } else { ty.dtype };
    let [x, y] = [&operands[0], &operands[1]].map(|operand| nodes.cast(operand, ty.dtype, dtype));
    let values = nodes.typed("RealDiv", dtype, &[&x, &y]);
    Ok(vec![Column { values, ..structure }])
}

/// A division that TensorFlow calls `op`.
pub(super) fn divided(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
    op: &str,
) -> Result<Vec<Column>> {
    let (operands, structure, ty) = nodes.operands(call, &["x", "y"], columns)?;
    let (x, y) = (&operands[0], &operands[1]);
    let values = match ty.dtype {
        DType::Int64 => tensorflow::divided(nodes, op, x, y),
        dtype => nodes.typed(op, dtype, &[x, y]),
    };
    Ok(vec![Column { values, ..structure }])
}

/// TensorFlow stops at negative powers of integers.
fn power(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (operands, structure, ty) = nodes.operands(call, &["x", "y"], columns)?;
    let (x, y) = (&operands[0], &operands[1]);
    if ty.dtype != DType::Int64 {
        let values = nodes.typed("Pow", ty.dtype, &[x, y]);
        return Ok(vec![Column { values, ..structure }]);
    }
    let int = DType::Int64;
    let [zero, one, two, minus] = [0i64, 1, 2, -1].map(|n| nodes.scalar(n));
    let power = nodes.ints("Maximum", y, &zero);
    let power = nodes.ints("Pow", x, &power);
    let odd = nodes.ints("FloorMod", y, &two);
    let is_odd = nodes.typed("Equal", int, &[&odd, &one]);
    let of_minus = nodes.select(&is_odd, &minus, &one, int);
    let is = |nodes: &mut Nodes, n: &Out| nodes.typed("Equal", int, &[x, n]);
    let (is_one, is_minus) = (is(nodes, &one), is(nodes, &minus));
    let rest = nodes.select(&is_minus, &of_minus, &zero, int);
    let negative = nodes.select(&is_one, &one, &rest, int);
    let below = nodes.typed("Less", int, &[y, &zero]);
    let values = nodes.select(&below, &negative, &power, int);
    Ok(vec![Column { values, ..structure }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, doubles, floats, ints};
    use super::*;

    #[test]
    fn integers_are_divided_as_python_does() {
        let check = |a: i64, b: i64, quotient: i64, rest: i64| {
            assert_eq!((floordiv(a, b), floormod(a, b)), (quotient, rest), "{a}, {b}");
        };
        check(7, 3, 2, 1);
        check(-7, 3, -3, 2);
        check(7, -3, -3, -2);
        check(-7, -3, 2, -1);
        check(6, -3, -2, 0);
        check(5, 0, 0, 0);
        check(i64::MIN, -1, i64::MIN, 0);
        check(i64::MIN, i64::MAX, -2, i64::MAX - 1);
    }

    #[test]
    fn integers_have_powers() {
        let check = |a: i64, b: i64, expected: i64| assert_eq!(int_pow(a, b), expected, "{a} {b}");
        check(2, 10, 1024);
        check(-2, 3, -8);
        check(0, 0, 1);
        check(3, 41, 3i64.wrapping_pow(41));
        check(2, -1, 0);
        check(-1, -3, -1);
        check(-1, i64::MIN, 1);
        check(2, i64::MAX, 0);
    }

    #[test]
    fn two_numbers_make_one() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        check(
            "math.floordiv(x, y)",
            &[("x", floats(&[7.0, -7.0, 1.0])), ("y", floats(&[2.0, 2.0, 0.0]))],
            floats(&[3.0, -4.0, inf]),
        );
        check(
            "math.mod(x, y)",
            &[("x", floats(&[7.5, -7.5, 1.0, inf])), ("y", floats(&[2.0, 2.0, 0.0, 2.0]))],
            floats(&[1.5, 0.5, nan, nan]),
        );
        check(
            "math.mod(x, -2.0)",
            &[("x", floats(&[7.5, -7.5, -0.0]))],
            floats(&[-0.5, -1.5, -0.0]),
        );
        check(
            "math.divide(n, k)",
            &[("n", ints(&[1, -3, 0])), ("k", ints(&[2, 0, 0]))],
            doubles(&[0.5, f64::NEG_INFINITY, f64::NAN]),
        );
        check(
            "math.minimum(x, y)",
            &[("x", floats(&[1.0, nan, 2.0])), ("y", floats(&[nan, 1.0, -inf]))],
            floats(&[nan, nan, -inf]),
        );
        check(
            "math.maximum(x, y)",
            &[("x", floats(&[1.0, nan, 2.0])), ("y", floats(&[nan, 1.0, -inf]))],
            floats(&[nan, nan, 2.0]),
        );
        check("math.maximum(n, 3)", &[("n", ints(&[i64::MIN, 4]))], ints(&[3, 4]));
        check(
            "math.pow(d, 0.5)",
            &[("d", doubles(&[4.0, 0.0, -1.0]))],
            doubles(&[2.0, 0.0, f64::NAN]),
        );
    }
}
