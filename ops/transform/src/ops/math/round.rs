//! Whole numbers near a number, and numbers held within bounds.

use engine::Result;

use super::super::elementwise::{Broadcast, Native, number, together};
use super::super::params::{X, value_like};
use super::arithmetic::{maximum, minimum};
use super::map;
use super::unary::{any, float, floats, numbers};
use crate::export::Export;
use crate::export::tensorflow::Column;
use crate::op::{Call, Kernel, Op, function};
use crate::types::{DType, Type};

/// Rounded down.
pub(in super::super) const FLOOR: Op = Op {
    name: "math.floor",
    doc: "the next whole number that is not greater",
    semantics: "Of floats; NaN and infinities stay.",
    examples: &["math.floor(x)", "math.floor(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, f32::floor, f64::floor)).tensorflow(Export::Each("Floor")),
};

/// Rounded up.
pub(in super::super) const CEIL: Op = Op {
    name: "math.ceil",
    doc: "the next whole number that is not less",
    semantics: "Of floats; NaN and infinities stay.",
    examples: &["math.ceil(x)", "math.ceil(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, f32::ceil, f64::ceil)).tensorflow(Export::Each("Ceil")),
};

/// Rounded to the nearest.
pub(in super::super) const ROUND: Op = Op {
    name: "math.round",
    doc: "the nearest whole number, of two the even one",
    semantics: "0.5 gives 0, 1.5 gives 2. NaN and infinities stay, and so do integers.",
    examples: &["math.round(x)", "math.round(ds)", "math.round(n)"],
    params: &[X],
    kind: map(any, |call| numbers(call, |a| a, f32::round_ties_even, f64::round_ties_even))
        .tensorflow(Export::Each("Round")),
};

/// Held within bounds.
pub(in super::super) const CLIP_BY_VALUE: Op = Op {
    name: "tf.clip_by_value",
    doc: "a number held between two bounds",
    semantics: "`maximum(minimum(x, clip_value_max), clip_value_min)`: NaN stays NaN; where the \
        bounds cross, the lower one counts. All are of one dtype.",
    examples: &[
        "tf.clip_by_value(x, 0.0, 1.0)",
        "tf.clip_by_value(n, -1, k)",
        "tf.clip_by_value(ds, d, 2.0)",
        "tf.clip_by_value(vec, [0.0, 1.0, 2.0], 3.0)",
    ],
    params: &[
        X,
        value_like("clip_value_min", "x", "the least that comes out"),
        value_like("clip_value_max", "x", "the most that comes out"),
    ],
    kind: map(
        |call| {
            let dtype = number(call, "x")?.dtype;
            for bound in ["clip_value_min", "clip_value_max"] {
                if number(call, bound)?.dtype != dtype {
                    return Err(call
                        .wrong_type(bound, dtype.name())
                        .with_hint("Convert it with `tf.cast`."));
                }
            }
            Ok(vec![Type { dtype, ..together(call, CLIP)?.0 }])
        },
        clip,
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (operands, structure, ty) = nodes.operands(call, CLIP, columns)?;
        let values = nodes.typed("Minimum", ty.dtype, &[&operands[0], &operands[2]]);
        let values = nodes.typed("Maximum", ty.dtype, &[&values, &operands[1]]);
        Ok(vec![Column { values, ..structure }])
    })),
};

const CLIP: &[&str] = &["x", "clip_value_min", "clip_value_max"];

fn clip(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (x, broadcast) = together(call, CLIP)?;
    Ok(match x.dtype {
        DType::Int64 => clipped::<i64>(broadcast),
        DType::Float32 => clipped::<f32>(broadcast),
        _ => clipped::<f64>(broadcast),
    })
}

fn clipped<T: Native + PartialOrd>(broadcast: Broadcast) -> Box<dyn Kernel> {
    function(move |rows, inputs| {
        let x = broadcast.expand::<T>(0, rows, inputs);
        let least = broadcast.expand::<T>(1, rows, inputs);
        let most = broadcast.expand::<T>(2, rows, inputs);
        let values = x.iter().zip(least.iter().zip(most.iter()));
        let values = values.map(|(&x, (&least, &most))| maximum(minimum(x, most), least));
        Ok(broadcast.result(rows, inputs, T::values(values.collect())))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, doubles, floats, ints, refused};

    #[test]
    fn numbers_are_rounded() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let x = [("x", floats(&[0.5, 1.5, -0.5, -2.5, 2.6, nan, inf]))];
        check("math.round(x)", &x, floats(&[0.0, 2.0, -0.0, -2.0, 3.0, nan, inf]));
        check("math.floor(x)", &x, floats(&[0.0, 1.0, -1.0, -3.0, 2.0, nan, inf]));
        check("math.ceil(x)", &x, floats(&[1.0, 2.0, -0.0, -2.0, 3.0, nan, inf]));
        check("math.round(n)", &[("n", ints(&[i64::MAX]))], ints(&[i64::MAX]));
        refused("math.floor(n)", "`math.floor`: `x` is int64; a float is wanted");
    }

    #[test]
    fn numbers_are_held_within_bounds() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let d = [("d", doubles(&[-1.0, 0.5, 7.0, nan, inf, -inf]))];
        check("tf.clip_by_value(d, 0.0, 1.0)", &d, doubles(&[0.0, 0.5, 1.0, nan, 1.0, 0.0]));
        check("tf.clip_by_value(d, 2.0, 1.0)", &d, doubles(&[2.0, 2.0, 2.0, nan, 2.0, 2.0]));
        let n = [("n", ints(&[-9, 9])), ("k", ints(&[0, 5]))];
        check("tf.clip_by_value(n, -1, k)", &n, ints(&[-1, 5]));
    }
}
