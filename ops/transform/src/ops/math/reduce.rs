//! `math.reduce_*`: the values of a row made one.

use engine::Result;

use super::super::axis::Groups;
use super::super::elementwise::{Native, number, of_dtype};
use super::super::params::{X, option};
use super::arithmetic::{maximum, minimum};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Out, Segments, divided};
use crate::op::{Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::types::{DType, Type};

const PARAMS: &[Param] = &[
    X,
    option(
        "axis",
        Takes::Int,
        Default::None,
        "the dimension that goes; the rows are axis 0. All of a row's values by default",
    ),
];

/// The sum of a row.
pub(in super::super) const REDUCE_SUM: Op = Op {
    name: "math.reduce_sum",
    doc: "the sum of a row's values",
    semantics: "Added one after the other, from 0, in the column's dtype; integers wrap; NaN stays. \
        0 without values.",
    examples: &[
        "math.reduce_sum(vec)",
        "math.reduce_sum(xs)",
        "math.reduce_sum(ns, axis=1)",
        "math.reduce_sum(ds, axis=-1)",
    ],
    params: PARAMS,
    kind: map(numbers, |call| kernel(call, SUM, SUM_F32, SUM_F64))
        .tensorflow(Export::Nodes(|nodes, call, columns| fold(nodes, call, columns, "Sum"))),
};

const SUM: Fold<i64> = Fold { first: 0, fold: i64::wrapping_add, end: |sum, _| sum };
const SUM_F32: Fold<f32> = Fold { first: 0.0, fold: |a, b| a + b, end: |sum, _| sum };
const SUM_F64: Fold<f64> = Fold { first: 0.0, fold: |a, b| a + b, end: |sum, _| sum };

/// The mean of a row.
pub(in super::super) const REDUCE_MEAN: Op = Op {
    name: "math.reduce_mean",
    doc: "the mean of a row's values",
    semantics: "`math.reduce_sum` divided by the number of values; integers without the fraction. \
        Without values NaN, or 0 for integers.",
    examples: &["math.reduce_mean(vec)", "math.reduce_mean(ns)", "math.reduce_mean(ds, axis=-1)"],
    params: PARAMS,
    kind: map(numbers, |call| {
        kernel(
            call,
            Fold { end: |sum, n| if n == 0 { 0 } else { sum / n as i64 }, ..SUM },
            Fold { end: |sum, n| sum / n as f32, ..SUM_F32 },
            Fold { end: |sum, n| sum / n as f64, ..SUM_F64 },
        )
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| of_groups(nodes, call, columns, mean))),
};

/// The product of a row.
pub(in super::super) const REDUCE_PROD: Op = Op {
    name: "math.reduce_prod",
    doc: "the product of a row's values",
    semantics: "Multiplied one after the other, in the column's dtype; integers wrap. 1 without \
        values.",
    examples: &["math.reduce_prod(vec)", "math.reduce_prod(ns)", "math.reduce_prod(ds)"],
    params: PARAMS,
    kind: map(numbers, |call| {
        kernel(
            call,
            Fold { first: 1, fold: i64::wrapping_mul, ..SUM },
            Fold { first: 1.0, fold: |a, b| a * b, ..SUM_F32 },
            Fold { first: 1.0, fold: |a, b| a * b, ..SUM_F64 },
        )
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| fold(nodes, call, columns, "Prod"))),
};

/// The least of a row.
pub(in super::super) const REDUCE_MIN: Op = Op {
    name: "math.reduce_min",
    doc: "the least of a row's values",
    semantics: "NaN if any is. Without values infinity, or the greatest integer.",
    examples: &["math.reduce_min(vec)", "math.reduce_min(ns)", "math.reduce_min(ds, axis=1)"],
    params: PARAMS,
    kind: map(numbers, |call| {
        kernel(
            call,
            Fold { first: i64::MAX, fold: i64::min, ..SUM },
            Fold { first: f32::INFINITY, fold: minimum, ..SUM_F32 },
            Fold { first: f64::INFINITY, fold: minimum, ..SUM_F64 },
        )
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        of_groups(nodes, call, columns, |nodes, groups| extremes(nodes, groups, "Min"))
    })),
};

/// The greatest of a row.
pub(in super::super) const REDUCE_MAX: Op = Op {
    name: "math.reduce_max",
    doc: "the greatest of a row's values",
    semantics: "NaN if any is. Without values minus infinity, or the least integer.",
    examples: &["math.reduce_max(vec)", "math.reduce_max(ns)", "math.reduce_max(ds)"],
    params: PARAMS,
    kind: map(numbers, |call| {
        kernel(
            call,
            Fold { first: i64::MIN, fold: i64::max, ..SUM },
            Fold { first: f32::NEG_INFINITY, fold: maximum, ..SUM_F32 },
            Fold { first: f64::NEG_INFINITY, fold: maximum, ..SUM_F64 },
        )
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        of_groups(nodes, call, columns, |nodes, groups| extremes(nodes, groups, "Max"))
    })),
};

/// Whether any of a row is true.
pub(in super::super) const REDUCE_ANY: Op = Op {
    name: "math.reduce_any",
    doc: "whether any of a row's values is true",
    semantics: "Of booleans. False without values.",
    examples: &["math.reduce_any(flags)", "math.reduce_any(math.equal(svec, 'a'), axis=1)"],
    params: PARAMS,
    kind: map(bools, |call| folded(call, Fold { first: 0u8, fold: |a, b| a | b, end: |a, _| a }))
        .tensorflow(Export::Nodes(|nodes, call, columns| {
            of_groups(nodes, call, columns, |nodes, groups| {
                groups.any(nodes, "Max", &groups.values)
            })
        })),
};

/// Whether all of a row are true.
pub(in super::super) const REDUCE_ALL: Op = Op {
    name: "math.reduce_all",
    doc: "whether all of a row's values are true",
    semantics: "Of booleans. True without values.",
    examples: &["math.reduce_all(flags)", "math.reduce_all(math.equal(svec, 'a'))"],
    params: PARAMS,
    kind: map(bools, |call| folded(call, Fold { first: 1u8, fold: |a, b| a & b, end: |a, _| a }))
        .tensorflow(Export::Nodes(|nodes, call, columns| {
            of_groups(nodes, call, columns, |nodes, groups| {
                groups.any(nodes, "Min", &groups.values)
            })
        })),
};

const POSITION: &str =
    "NaN is less than everything; of equals the first counts. -1 without values.";

/// Where the greatest of a row is.
pub(in super::super) const ARGMAX: Op = Op {
    name: "math.argmax",
    doc: "the position of the greatest of a row's values",
    semantics: POSITION,
    examples: &["math.argmax(vec)", "math.argmax(ns)", "math.argmax(ds, axis=1)"],
    params: PARAMS,
    kind: map(positions, |call| position(call, false)).tensorflow(Export::Nodes(
        |nodes, call, columns| {
            of_groups(nodes, call, columns, |nodes, groups| place_of(nodes, groups, "Max"))
        },
    )),
};

/// Where the least of a row is.
pub(in super::super) const ARGMIN: Op = Op {
    name: "math.argmin",
    doc: "the position of the least of a row's values",
    semantics: "NaN is greater than everything; of equals the first counts. -1 without values.",
    examples: &["math.argmin(vec)", "math.argmin(ns)", "math.argmin(ds, axis=1)"],
    params: PARAMS,
    kind: map(positions, |call| position(call, true)).tensorflow(Export::Nodes(
        |nodes, call, columns| {
            of_groups(nodes, call, columns, |nodes, groups| place_of(nodes, groups, "Min"))
        },
    )),
};

const fn map(
    types: fn(&Call<'_>) -> Result<Vec<Type>>,
    kernel: fn(&Call<'_>) -> Result<Box<dyn Kernel>>,
) -> Kind {
    Kind::Map {
        types,
        kernel,
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: crate::op::UNSAID,
    }
}

fn numbers(call: &Call<'_>) -> Result<Vec<Type>> {
    let x = number(call, "x")?;
    Ok(vec![Type { shape: Groups::new(call)?.0, ..x.clone() }])
}

fn bools(call: &Call<'_>) -> Result<Vec<Type>> {
    let x = of_dtype(call, "x", DType::Bool)?;
    Ok(vec![Type { shape: Groups::new(call)?.0, ..x.clone() }])
}

fn positions(call: &Call<'_>) -> Result<Vec<Type>> {
    Ok(vec![numbers(call)?[0].with_dtype(DType::Int64)])
}

/// How values become one.
#[derive(Clone, Copy)]
struct Fold<T: 'static> {
    first: T,
    fold: fn(T, T) -> T,
    /// The result, from what was folded and the number of values.
    end: fn(T, usize) -> T,
}

fn kernel(
    call: &Call<'_>,
    ints: Fold<i64>,
    floats: Fold<f32>,
    doubles: Fold<f64>,
) -> Result<Box<dyn Kernel>> {
    match call.ty("x")?.dtype {
        DType::Int64 => folded(call, ints),
        DType::Float32 => folded(call, floats),
        _ => folded(call, doubles),
    }
}

fn folded<T: Native>(call: &Call<'_>, with: Fold<T>) -> Result<Box<dyn Kernel>> {
    let Fold { first, fold, end } = with;
    let groups = Groups::new(call)?.1;
    let step = groups.step();
    Ok(function(move |rows, inputs| {
        let values = T::of(inputs[0]);
        let mut out = Vec::with_capacity(rows);
        groups.for_each(inputs[0], |start, n| {
            let group = values[start..].iter().step_by(step).take(n);
            out.push(end(group.fold(first, |a, &b| fold(a, b)), n));
        });
        Ok(groups.result(inputs[0], T::values(out)))
    }))
}

fn position(call: &Call<'_>, least: bool) -> Result<Box<dyn Kernel>> {
    Ok(match (call.ty("x")?.dtype, least) {
        (DType::Int64, false) => position_of(Groups::new(call)?.1, |a: i64, b| a > b),
        (DType::Int64, true) => position_of(Groups::new(call)?.1, |a: i64, b| a < b),
        (DType::Float32, false) => {
            position_of(Groups::new(call)?.1, |a: f32, b| a > b || (b.is_nan() && !a.is_nan()))
        }
        (DType::Float32, true) => {
            position_of(Groups::new(call)?.1, |a: f32, b| a < b || (b.is_nan() && !a.is_nan()))
        }
        (_, false) => {
            position_of(Groups::new(call)?.1, |a: f64, b| a > b || (b.is_nan() && !a.is_nan()))
        }
        (_, true) => {
            position_of(Groups::new(call)?.1, |a: f64, b| a < b || (b.is_nan() && !a.is_nan()))
        }
    })
}

fn position_of<T: Native>(
    groups: Groups,
    before: impl Fn(T, T) -> bool + Send + Sync + 'static,
) -> Box<dyn Kernel> {
    let step = groups.step();
    function(move |rows, inputs| {
        let values = T::of(inputs[0]);
        let mut out = Vec::with_capacity(rows);
        groups.for_each(inputs[0], |start, n| {
            let group = values[start..].iter().step_by(step).take(n).enumerate();
            let best =
                group.reduce(|best, next| if before(*next.1, *best.1) { next } else { best });
            out.push(best.map_or(-1, |(i, _)| i as i64));
        });
        Ok(groups.result(inputs[0], out))
    })
}

/// The results of groups, each of which `fold` makes one value of.
fn of_groups(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
    fold: impl FnOnce(&mut Nodes, &Segments) -> Out,
) -> Result<Vec<Column>> {
    let groups = Segments::new(nodes, call, &columns[0])?;
    let folded = fold(nodes, &groups);
    groups.result(nodes, call, &columns[0], &folded)
}

fn fold(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column], what: &str) -> Result<Vec<Column>> {
    of_groups(nodes, call, columns, |nodes, groups| {
        groups.fold(nodes, what, &groups.values, groups.dtype)
    })
}

fn mean(nodes: &mut Nodes, groups: &Segments) -> Out {
    let sum = groups.fold(nodes, "Sum", &groups.values, groups.dtype);
    let n = groups.counts(nodes);
    if groups.dtype == DType::Int64 {
        return divided(nodes, "TruncateDiv", &sum, &n);
    }
    let n = nodes.cast(&n, DType::Int64, groups.dtype);
    nodes.typed("RealDiv", groups.dtype, &[&sum, &n])
}

/// The extreme of each group, without regard to NaN. TensorFlow begins with the last finite number, ours
/// with infinity: that is what comes of nothing, and of infinities alone.
fn bounded(nodes: &mut Nodes, groups: &Segments, what: &str, values: &Out) -> Out {
    let dtype = groups.dtype;
    let found = groups.fold(nodes, what, values, dtype);
    if dtype == DType::Int64 {
        return found;
    }
    let most = if what == "Min" { f64::INFINITY } else { f64::NEG_INFINITY };
    let most = nodes.number(dtype, most);
    let infinite = nodes.typed("Equal", dtype, &[values, &most]);
    let nothing = groups.any(nodes, "Min", &infinite);
    nodes.select(&nothing, &most, &found, dtype)
}

/// NaN where a group has one.
fn extremes(nodes: &mut Nodes, groups: &Segments, what: &str) -> Out {
    let dtype = groups.dtype;
    let found = bounded(nodes, groups, what, &groups.values);
    if dtype == DType::Int64 {
        return found;
    }
    let nan = nodes.typed("IsNan", dtype, &[&groups.values]);
    let nan = groups.any(nodes, "Max", &nan);
    let not = nodes.number(dtype, f64::NAN);
    nodes.select(&nan, &not, &found, dtype)
}

/// The first place whose value is the group's extreme. NaN comes after everything: it counts only where
/// there is nothing else.
fn place_of(nodes: &mut Nodes, groups: &Segments, what: &str) -> Out {
    let (dtype, bool) = (groups.dtype, DType::Bool);
    let candidates = if dtype == DType::Int64 {
        let best = groups.fold(nodes, what, &groups.values, dtype);
        let best = groups.spread(nodes, &best, dtype);
        nodes.typed("Equal", dtype, &[&groups.values, &best])
    } else {
        let nan = nodes.typed("IsNan", dtype, &[&groups.values]);
        let least = if what == "Min" { f64::INFINITY } else { f64::NEG_INFINITY };
        let least = nodes.number(dtype, least);
        let values = nodes.select(&nan, &least, &groups.values, dtype);
        let best = bounded(nodes, groups, what, &values);
        let best = groups.spread(nodes, &best, dtype);
        let is_best = nodes.typed("Equal", dtype, &[&values, &best]);
        let all_nan = groups.any(nodes, "Min", &nan);
        let all_nan = groups.spread(nodes, &all_nan, bool);
        let number = nodes.opposite(&nan);
        let counts = nodes.node("LogicalOr", &[&number, &all_nan], []);
        nodes.node("LogicalAnd", &[&is_best, &counts], [])
    };
    let far = nodes.scalar(i64::MAX);
    let places = nodes.select(&candidates, &groups.places, &far, DType::Int64);
    let place = groups.fold(nodes, "Min", &places, DType::Int64);
    let none = nodes.typed("Equal", DType::Int64, &[&place, &far]);
    let minus = nodes.scalar(-1i64);
    nodes.select(&none, &minus, &place, DType::Int64)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{
        bools, check, doubles, floats, ints, lists, refused, texts,
    };

    #[test]
    fn rows_become_one_value() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let xs = [("xs", lists(&[2, 0, 1], floats(&[1.5, 2.0, nan])))];
        check("math.reduce_sum(xs)", &xs, floats(&[3.5, 0.0, nan]));
        check("math.reduce_mean(xs, axis=-1)", &xs, floats(&[1.75, nan, nan]));
        check("math.reduce_prod(xs, axis=1)", &xs, floats(&[3.0, 1.0, nan]));
        check("math.reduce_min(xs)", &xs, floats(&[1.5, inf, nan]));
        check("math.reduce_max(xs)", &xs, floats(&[2.0, -inf, nan]));
        check("math.argmax(xs)", &xs, ints(&[1, -1, 0]));
        check("math.argmin(xs)", &xs, ints(&[0, -1, 0]));
        let ns = [("ns", lists(&[0, 3], ints(&[-7, 4, 4])))];
        check("math.reduce_mean(ns)", &ns, ints(&[0, 0]));
        check("math.reduce_max(ns)", &ns, ints(&[i64::MIN, 4]));
        check("math.argmax(ns)", &ns, ints(&[-1, 1]));
        let flags = [("flags", lists(&[2, 0], bools(&[true, false])))];
        check("math.reduce_any(flags)", &flags, bools(&[true, false]));
        check("math.reduce_all(flags)", &flags, bools(&[false, true]));
        let d = [("d", doubles(&[2.0]))];
        check("math.reduce_sum(tf.stack([d, d + 1.0]))", &d, doubles(&[5.0]));
    }

    #[test]
    fn one_dimension_of_several_goes() {
        let vec = [("vec", floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))];
        check(
            "math.reduce_sum(tf.stack([vec, vec]), axis=1)",
            &vec,
            floats(&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0]),
        );
        check(
            "math.reduce_sum(tf.stack([vec, vec * 10.0]), axis=2)",
            &vec,
            floats(&[6.0, 60.0, 15.0, 150.0]),
        );
        check("math.argmax(tf.stack([vec, vec * 2.0]), axis=1)", &vec, ints(&[1, 1, 1, 1, 1, 1]));
        let nested = [("nested", texts(&["a", "b", "a"]))];
        let nested = [("nested", lists(&[2, 0], lists(&[1, 2], nested[0].1.clone())))];
        check(
            "math.reduce_all(math.equal(nested, 'a'), axis=-1)",
            &nested,
            lists(&[2, 0], bools(&[true, false])),
        );
        refused(
            "math.reduce_sum(xs, axis=0)",
            "`math.reduce_sum`: `axis` is 0, the rows of the batch",
        );
        refused(
            "math.reduce_sum(xs, axis=2)",
            "`math.reduce_sum`: there is no axis 2 in float32[var]",
        );
        refused(
            "math.reduce_any(math.equal(nested, 'a'), axis=1)",
            "`math.reduce_any`: axis 1 of bool[var, var] holds lists of differing lengths",
        );
    }
}
