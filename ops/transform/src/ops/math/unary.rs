//! Functions of one number.

use engine::Result;

use super::super::elementwise::{Native, map as map_values, number};
use super::super::params::X;
use super::float::Float;
use super::map;
use crate::export::Export;
use crate::op::{Call, Kernel, Op, function};
use crate::types::{DType, Type};

/// `-x`.
pub(in super::super) const NEGATIVE: Op = Op {
    name: "math.negative",
    doc: "the number with the other sign: `-x`",
    semantics: "Integers wrap: the least one stays itself. -0.0 for 0.0.",
    examples: &["-x", "math.negative(n)", "math.negative(ds)"],
    params: &[X],
    kind: map(any, |call| numbers(call, i64::wrapping_neg, |a| -a, |a| -a))
        .tensorflow(Export::Each("Neg")),
};

/// |x|.
pub(in super::super) const ABS: Op = Op {
    name: "math.abs",
    doc: "the number without its sign",
    semantics: "Integers wrap: the least one stays itself. NaN stays NaN.",
    examples: &["math.abs(x)", "math.abs(n)", "math.abs(ds)"],
    params: &[X],
    kind: map(any, |call| numbers(call, i64::wrapping_abs, f32::abs, f64::abs))
        .tensorflow(Export::Each("Abs")),
};

/// −1, 0 or 1.
pub(in super::super) const SIGN: Op = Op {
    name: "math.sign",
    doc: "-1, 0 or 1, as the number is less than, equal to or greater than 0",
    semantics: "0 for -0.0; NaN for NaN.",
    examples: &["math.sign(x)", "math.sign(n)", "math.sign(ds)"],
    params: &[X],
    kind: map(any, |call| {
        numbers(
            call,
            i64::signum,
            |a| if a.is_nan() { a } else { f32::from(i8::from(a > 0.0) - i8::from(a < 0.0)) },
            |a| if a.is_nan() { a } else { f64::from(i8::from(a > 0.0) - i8::from(a < 0.0)) },
        )
    })
    .tensorflow(Export::Each("Sign")),
};

/// x².
pub(in super::super) const SQUARE: Op = Op {
    name: "math.square",
    doc: "the number times itself",
    semantics: "Integers wrap.",
    examples: &["math.square(x)", "math.square(n)", "math.square(ds)"],
    params: &[X],
    kind: map(any, |call| numbers(call, |a| a.wrapping_mul(a), |a| a * a, |a| a * a))
        .tensorflow(Export::Each("Square")),
};

/// √x.
pub(in super::super) const SQRT: Op = Op {
    name: "math.sqrt",
    doc: "the square root",
    semantics: "Of floats. NaN for negative numbers.",
    examples: &["math.sqrt(x)", "math.sqrt(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, f32::sqrt, f64::sqrt)).tensorflow(Export::Each("Sqrt")),
};

/// eˣ.
pub(in super::super) const EXP: Op = Op {
    name: "math.exp",
    doc: "e to the power of the number",
    semantics: "Of floats. Infinity where it is too large.",
    examples: &["math.exp(x)", "math.exp(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::exp, Float::exp)).tensorflow(Export::Each("Exp")),
};

/// eˣ − 1.
pub(in super::super) const EXPM1: Op = Op {
    name: "math.expm1",
    doc: "e to the power of the number, less 1; exact near 0",
    semantics: "Of floats. Infinity where it is too large.",
    examples: &["math.expm1(x)", "math.expm1(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::exp_m1, Float::exp_m1))
        .tensorflow(Export::Each("Expm1")),
};

/// ln x.
pub(in super::super) const LOG: Op = Op {
    name: "math.log",
    doc: "the natural logarithm",
    semantics: "Of floats. Minus infinity for 0, NaN for negative numbers.",
    examples: &["math.log(x)", "math.log(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::ln, Float::ln)).tensorflow(Export::Each("Log")),
};

/// ln(1 + x).
pub(in super::super) const LOG1P: Op = Op {
    name: "math.log1p",
    doc: "the natural logarithm of 1 more than the number; exact near 0",
    semantics: "Of floats. Minus infinity for -1, NaN for less.",
    examples: &["math.log1p(x)", "math.log1p(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::ln_1p, Float::ln_1p))
        .tensorflow(Export::Each("Log1p")),
};

/// 1 / (1 + e⁻ˣ).
pub(in super::super) const SIGMOID: Op = Op {
    name: "math.sigmoid",
    doc: "1 / (1 + exp(-x))",
    semantics: "Of floats. 0 for minus infinity, 1 for infinity.",
    examples: &["math.sigmoid(x)", "math.sigmoid(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::sigmoid, Float::sigmoid))
        .tensorflow(Export::Each("Sigmoid")),
};

/// The hyperbolic tangent.
pub(in super::super) const TANH: Op = Op {
    name: "math.tanh",
    doc: "the hyperbolic tangent",
    semantics: "Of floats. -1 for minus infinity, 1 for infinity.",
    examples: &["math.tanh(x)", "math.tanh(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::tanh, Float::tanh))
        .tensorflow(Export::Each("Tanh")),
};

/// The sine.
pub(in super::super) const SIN: Op = Op {
    name: "math.sin",
    doc: "the sine of radians",
    semantics: "Of floats. NaN for infinities.",
    examples: &["math.sin(x)", "math.sin(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::sin, Float::sin)).tensorflow(Export::Each("Sin")),
};

/// The cosine.
pub(in super::super) const COS: Op = Op {
    name: "math.cos",
    doc: "the cosine of radians",
    semantics: "Of floats. NaN for infinities.",
    examples: &["math.cos(x)", "math.cos(ds)"],
    params: &[X],
    kind: map(float, |call| floats(call, Float::cos, Float::cos)).tensorflow(Export::Each("Cos")),
};

/// Whether it is NaN.
pub(in super::super) const IS_NAN: Op = Op {
    name: "math.is_nan",
    doc: "whether it is no number (NaN)",
    semantics: "Of floats. A missing value is not NaN: it stays missing.",
    examples: &["math.is_nan(x)", "math.is_nan(ds)"],
    params: &[X],
    kind: map(test, |call| tests_of(call, f32::is_nan, f64::is_nan))
        .tensorflow(Export::Each("IsNan")),
};

/// Whether it is finite.
pub(in super::super) const IS_FINITE: Op = Op {
    name: "math.is_finite",
    doc: "whether it is neither infinite nor NaN",
    semantics: "Of floats.",
    examples: &["math.is_finite(x)", "math.is_finite(ds)"],
    params: &[X],
    kind: map(test, |call| tests_of(call, f32::is_finite, f64::is_finite))
        .tensorflow(Export::Each("IsFinite")),
};

/// Whether it is infinite.
pub(in super::super) const IS_INF: Op = Op {
    name: "math.is_inf",
    doc: "whether it is infinity or minus infinity",
    semantics: "Of floats.",
    examples: &["math.is_inf(x)", "math.is_inf(ds)"],
    params: &[X],
    kind: map(test, |call| tests_of(call, f32::is_infinite, f64::is_infinite))
        .tensorflow(Export::Each("IsInf")),
};

/// Of any number, its own type.
pub(super) fn any(call: &Call<'_>) -> Result<Vec<Type>> {
    Ok(vec![number(call, "x")?.clone()])
}

/// Of floats, their own type.
pub(super) fn float(call: &Call<'_>) -> Result<Vec<Type>> {
    let x = call.ty("x")?;
    if x.dtype.is_float() {
        Ok(vec![x.clone()])
    } else {
        Err(call
            .wrong_type("x", "a float")
            .with_hint("Convert it first, such as `tf.cast(x, tf.float32)`."))
    }
}

fn test(call: &Call<'_>) -> Result<Vec<Type>> {
    Ok(vec![float(call)?[0].with_dtype(DType::Bool)])
}

fn each<A: Native, B: Native>(f: impl Fn(A) -> B + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| Ok(map_values(inputs[0], &f)))
}

/// A kernel of a function of each type of number.
pub(super) fn numbers(
    call: &Call<'_>,
    ints: impl Fn(i64) -> i64 + Send + Sync + 'static,
    floats: impl Fn(f32) -> f32 + Send + Sync + 'static,
    doubles: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    Ok(match call.ty("x")?.dtype {
        DType::Int64 => each(ints),
        DType::Float32 => each(floats),
        _ => each(doubles),
    })
}

/// A kernel of a function of each type of float.
pub(super) fn floats(
    call: &Call<'_>,
    floats: impl Fn(f32) -> f32 + Send + Sync + 'static,
    doubles: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    Ok(if call.ty("x")?.dtype == DType::Float32 { each(floats) } else { each(doubles) })
}

fn tests_of(
    call: &Call<'_>,
    floats: impl Fn(f32) -> bool + Send + Sync + 'static,
    doubles: impl Fn(f64) -> bool + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    Ok(if call.ty("x")?.dtype == DType::Float32 {
        each(move |a| u8::from(floats(a)))
    } else {
        each(move |a| u8::from(doubles(a)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, doubles, floats, ints, lists, refused};
    use super::super::float::Float;

    #[test]
    fn each_number_has_its_function() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let n = [("n", ints(&[i64::MIN, -3, 0, 7]))];
        check("math.negative(n)", &n, ints(&[i64::MIN, 3, 0, -7]));
        check("math.abs(n)", &n, ints(&[i64::MIN, 3, 0, 7]));
        check("math.sign(n)", &n, ints(&[-1, -1, 0, 1]));
        check("math.square(n)", &n, ints(&[0, 9, 0, 49]));
        let x = [("x", floats(&[-2.5, -0.0, 4.0, nan, inf, -inf]))];
        check("math.negative(x)", &x, floats(&[2.5, 0.0, -4.0, nan, -inf, inf]));
        check("math.abs(x)", &x, floats(&[2.5, 0.0, 4.0, nan, inf, inf]));
        check("math.sign(x)", &x, floats(&[-1.0, 0.0, 1.0, nan, 1.0, -1.0]));
        check("math.sqrt(x)", &x, floats(&[nan, -0.0, 2.0, nan, inf, nan]));
        check("math.is_nan(x)", &x, bools(&[false, false, false, true, false, false]));
        check("math.is_inf(x)", &x, bools(&[false, false, false, false, true, true]));
        check("math.is_finite(x)", &x, bools(&[true, true, true, false, false, false]));
        let d = [("d", doubles(&[0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY]))];
        let inf = f64::INFINITY;
        let edges = [("d", doubles(&[0.0, inf, -inf, 710.0]))];
        check("math.exp(d)", &edges, doubles(&[1.0, inf, 0.0, inf]));
        check("math.expm1(d)", &edges, doubles(&[0.0, inf, -1.0, inf]));
        check("math.log(d)", &d, doubles(&[-inf, 0.0, f64::NAN, inf, f64::NAN]));
        check("math.log1p(d)", &d, doubles(&[0.0, 2f64.ln(), -inf, inf, f64::NAN]));
        check(
            "math.sigmoid(d)",
            &d[..],
            doubles(&[0.5, 0.731_058_578_630_004_9, 0.268_941_421_369_995_1, 1.0, 0.0]),
        );
        let tanh = 0.761_594_155_955_764_9;
        check("math.tanh(d)", &d, doubles(&[0.0, tanh, -tanh, 1.0, -1.0]));
        let xs = [("xs", lists(&[0, 2], floats(&[1.0, -1.0])))];
        check("math.negative(xs)", &xs, lists(&[0, 2], floats(&[-1.0, 1.0])));
    }

    #[test]
    fn functions_are_those_of_any_machine_but_for_the_last_place() {
        let near = |found: f64, expected: f64| {
            let same = found.is_nan() && expected.is_nan() || found == expected;
            assert!(
                same || (found - expected).abs() <= 4e-16 * expected.abs(),
                "{found} {expected}"
            );
        };
        for i in -300..300 {
            let x = f64::from(i) / 7.0;
            near(Float::exp(x), x.exp());
            near(Float::exp_m1(x), x.exp_m1());
            near(Float::ln(x), x.ln());
            near(Float::ln_1p(x), x.ln_1p());
            near(Float::tanh(x), x.tanh());
            near(Float::sin(x), x.sin());
            near(Float::cos(x), x.cos());
            near(Float::pow(x, 1.5), x.powf(1.5));
        }
    }

    #[test]
    fn functions_of_floats_refuse_integers() {
        refused("math.log(n)", "`math.log`: `x` is int64; a float is wanted");
        refused("math.is_nan(s)", "`math.is_nan`: `x` is string; a float is wanted");
    }
}
