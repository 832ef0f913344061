//! Divisions that round towards 0, or that give 0 where they would give NaN; and differences squared.

use engine::Result;

use super::super::elementwise::{number, together};
use super::super::params::{X, value_like};
use super::arithmetic::divided;
use super::unary::{float, floats};
use super::{alike, map};
use crate::export::Export;
use crate::op::{Call, Kernel, Op, Param, function};
use crate::types::{DType, Type};

const PARAMS: &[Param] =
    &[value_like("x", "y", "left operand"), value_like("y", "x", "right operand")];

/// Rounded towards 0.
pub(in super::super) const TRUNCATEDIV: Op = Op {
    name: "math.truncatediv",
    doc: "the quotient of two integers, rounded towards 0",
    semantics: "As C divides. By 0 it is 0 (TensorFlow stops there). The least integer divided by -1 \
        wraps.",
    examples: &["math.truncatediv(n, k)", "math.truncatediv(ns, -2)"],
    params: PARAMS,
    kind: map(
        |call| {
            if let Some(ty) = call.types.iter().find(|ty| ty.dtype != DType::Int64) {
                return Err(call.wrong(format!("{ty} is given; integers are wanted")));
            }
            Ok(vec![alike(call)?])
        },
        |call| {
            let (_, broadcast) = together(call, &["x", "y"])?;
            let divide = |a: i64, b: i64| if b == 0 { 0 } else { a.wrapping_div(b) };
            Ok(function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, divide))))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| divided(nodes, call, columns, "TruncateDiv"))),
};

/// What remains of it.
pub(in super::super) const TRUNCATEMOD: Op = Op {
    name: "math.truncatemod",
    doc: "what remains of a division that rounds towards 0",
    semantics: "As C's `%` and `fmod`: it has the sign of `x`. An integer modulo 0 is 0 (TensorFlow \
        stops there), a float modulo 0 is NaN.",
    examples: &["math.truncatemod(n, k)", "math.truncatemod(xs, 2.0)", "math.truncatemod(d, d)"],
    params: PARAMS,
    kind: map(numbers, |call| {
        let (ty, broadcast) = together(call, &["x", "y"])?;
        let rest = |a: i64, b: i64| if b == 0 { 0 } else { a.wrapping_rem(b) };
        Ok(match ty.dtype {
            DType::Int64 => function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, rest))),
            DType::Float32 => {
                function(
                    move |rows, inputs| Ok(broadcast.zip(rows, inputs, |a: f32, b: f32| a % b)),
                )
            }
            _ => {
                function(
                    move |rows, inputs| Ok(broadcast.zip(rows, inputs, |a: f64, b: f64| a % b)),
                )
            }
        })
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| divided(nodes, call, columns, "TruncateMod"))),
};

/// 0 by 0.
pub(in super::super) const DIVIDE_NO_NAN: Op = Op {
    name: "math.divide_no_nan",
    doc: "the quotient of two floats, or 0 where the divisor is 0",
    semantics: "Both are of one dtype.",
    examples: &["math.divide_no_nan(x, y)", "math.divide_no_nan(ds, d)"],
    params: PARAMS,
    kind: map(both_float, |call| {
        of_floats(
            call,
            |a, b| if b == 0.0 { 0.0 } else { a / b },
            |a, b| if b == 0.0 { 0.0 } else { a / b },
        )
    })
    .tensorflow(Export::Each("DivNoNan")),
};

/// 0 times anything.
pub(in super::super) const MULTIPLY_NO_NAN: Op = Op {
    name: "math.multiply_no_nan",
    doc: "the product of two floats, or 0 where `y` is 0",
    semantics: "Both are of one dtype. 0 even where `x` is infinite or NaN.",
    examples: &["math.multiply_no_nan(x, y)", "math.multiply_no_nan(ds, d)"],
    params: PARAMS,
    kind: map(both_float, |call| {
        of_floats(
            call,
            |a, b| if b == 0.0 { 0.0 } else { a * b },
            |a, b| if b == 0.0 { 0.0 } else { a * b },
        )
    })
    .tensorflow(Export::Each("MulNoNan")),
};

/// (x − y)².
pub(in super::super) const SQUARED_DIFFERENCE: Op = Op {
    name: "math.squared_difference",
    doc: "the square of the difference of two numbers",
    semantics: "Both are of one dtype; integers wrap.",
    examples: &[
        "math.squared_difference(x, y)",
        "math.squared_difference(n, 1)",
        "math.squared_difference(ds, d)",
    ],
    params: PARAMS,
    kind: map(numbers, |call| {
        let (ty, broadcast) = together(call, &["x", "y"])?;
        if ty.dtype != DType::Int64 {
            return of_floats(call, |a, b| (a - b) * (a - b), |a, b| (a - b) * (a - b));
        }
        Ok(function(move |rows, inputs| {
            Ok(broadcast.zip(rows, inputs, |a: i64, b: i64| {
                let difference = a.wrapping_sub(b);
                difference.wrapping_mul(difference)
            }))
        }))
    })
    .tensorflow(Export::Each("SquaredDifference")),
};

/// 1 / x.
pub(in super::super) const RECIPROCAL: Op = Op {
    name: "math.reciprocal",
    doc: "1 divided by the number",
    semantics: "Of floats. Infinity for 0, with its sign.",
    examples: &["math.reciprocal(x)", "math.reciprocal(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, |a| 1.0 / a, |a| 1.0 / a))
        .tensorflow(Export::Each("Reciprocal")),
};

fn numbers(call: &Call<'_>) -> Result<Vec<Type>> {
    number(call, "x")?;
    number(call, "y")?;
    Ok(vec![alike(call)?])
}

fn both_float(call: &Call<'_>) -> Result<Vec<Type>> {
    float(call)?;
    numbers(call)
}

fn of_floats(
    call: &Call<'_>,
    floats: impl Fn(f32, f32) -> f32 + Send + Sync + 'static,
    doubles: impl Fn(f64, f64) -> f64 + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    let (ty, broadcast) = together(call, &["x", "y"])?;
    Ok(if ty.dtype == DType::Float32 {
        function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, &floats)))
    } else {
        function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, &doubles)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, doubles, floats, ints, refused};

    #[test]
    fn numbers_are_divided_otherwise() {
        let n = [("n", ints(&[-7, 7, 5, i64::MIN])), ("k", ints(&[2, -2, 0, -1]))];
        check("math.truncatediv(n, k)", &n, ints(&[-3, -3, 0, i64::MIN]));
        check("math.truncatemod(n, k)", &n, ints(&[-1, 1, 0, 0]));
        check("math.squared_difference(n, k)", &n, ints(&[81, 81, 25, 1]));
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let x = [("x", floats(&[-7.5, nan, inf, 1.0])), ("y", floats(&[2.0, 0.0, -0.0, 4.0]))];
        check("math.truncatemod(x, y)", &x, floats(&[-1.5, nan, nan, 1.0]));
        check("math.divide_no_nan(x, y)", &x, floats(&[-3.75, 0.0, 0.0, 0.25]));
        check("math.multiply_no_nan(x, y)", &x, floats(&[-15.0, 0.0, 0.0, 4.0]));
        check("math.squared_difference(x, y)", &x, floats(&[90.25, nan, inf, 9.0]));
        let d = [("d", doubles(&[4.0, -0.0]))];
        check("math.reciprocal(d)", &d, doubles(&[0.25, f64::NEG_INFINITY]));
        refused(
            "math.truncatediv(x, y)",
            "`math.truncatediv`: float32 is given; integers are wanted",
        );
    }
}
