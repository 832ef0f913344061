//! `annotate_sparse_output_shape`, `annotate_true_sparse_output`: lists as coordinates and values.
//!
//! An output that is so annotated comes out as TFT writes sparse tensors: `NAME$sparse_indices_0` and
//! one more for each further dimension, and `NAME$sparse_values`.

use engine::Result;

use super::super::params::{X, option, required, value};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes};
use crate::graph::Builder;
use crate::op::{Args, Call, Default, Kind, Op, Param, Ref, Takes, function};
use crate::tensor::{Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

/// The output that holds the positions of a sparse output along a dimension.
pub(crate) fn indices_name(name: &str, axis: usize) -> String {
    format!("{name}$sparse_indices_{axis}")
}

/// What the output that holds the values of a sparse output ends with.
pub(crate) const VALUES_ENDING: &str = "$sparse_values";

/// An output as the columns that TFT writes for a sparse tensor; `shape` bounds its positions.
///
/// # Errors
/// Those of the calls.
pub(crate) fn columns(
    builder: &mut Builder,
    name: &str,
    value: Ref,
    shape: Option<Ref>,
) -> Result<Vec<(String, Ref)>> {
    let dims = builder.ty(value).shape.len();
    let mut columns = Vec::with_capacity(dims + 1);
    for axis in 0..dims {
        let args = Args::default().arg(value).arg(axis as i64);
        let args = if let Some(shape) = shape { args.with("shape", shape) } else { args };
        columns.push((indices_name(name, axis), builder.one(INDICES.name, args)?));
    }
    let values = match dims {
        1 => value,
        _ => builder.one(VALUES.name, Args::default().arg(value))?,
    };
    columns.push((format!("{name}{VALUES_ENDING}"), values));
    Ok(columns)
}

const TENSOR: Param = value("tensor", "a column of lists that is an output");

/// An output with coordinates, within a shape.
pub(in super::super) const ANNOTATE_SHAPE: Op = Op {
    name: "tft.experimental.annotate_sparse_output_shape",
    doc: "an output as coordinates and values, within a shape",
    semantics: "Has no result. Wherever `tensor` is an output, `NAME$sparse_indices_0` and one more for \
        each further dimension, and `NAME$sparse_values`, come out in its place, and are a \
        `sparse_feature` of the output schema. `shape` is that of a row: the range of the indices in the \
        schema; values outside of it stay, as in TFT. A later shape counts in place of an earlier one.",
    examples: &[
        "[tft.experimental.annotate_sparse_output_shape(xs, [1000]), xs][1]",
        "[tft.experimental.annotate_sparse_output_shape(nested, [1000, 1000]), nested][1]",
        "[tft.experimental.annotate_sparse_output_shape(ns, tft.max(n)), ns][1]",
    ],
    params: &[TENSOR, value("shape", "constant int64 lengths, one for each dimension")],
    kind: Kind::Compose(|builder, call| {
        let (tensor, shape) = (call.value("tensor")?, call.value("shape")?);
        let (x, ty) = (builder.ty(tensor).clone(), builder.ty(shape).clone());
        check_lists(call, &x)?;
        let n = x.shape.len();
        let one_each = match ty.shape[..] {
            [] => n == 1,
            [Dim::Fixed(m)] => m as usize == n,
            _ => false,
        };
        if ty.dtype != DType::Int64 || !ty.constant || !one_each {
            return Err(call
                .wrong(format!("`shape` is {ty}; a constant int64[{n}] is wanted"))
                .with_hint("It is the shape of one row, without the batch."));
        }
        if let Some(known) = builder.graph().constant(shape) {
            let holds = |(dim, length): (&Dim, &i64)| match dim {
                Dim::Fixed(n) => i64::from(*n) <= *length,
                Dim::Var => *length >= 0,
            };
            if !x.shape.iter().zip(known.ints().iter()).all(holds) {
                let shape = known.ints().to_vec();
                return Err(call.wrong(format!("`shape` is {shape:?}, which does not hold {x}")));
            }
        }
        builder.annotate_sparse(tensor, Some(shape));
        Ok(Vec::new())
    }),
};

/// An output with coordinates.
pub(in super::super) const ANNOTATE_TRUE: Op = Op {
    name: "tft.experimental.annotate_true_sparse_output",
    doc: "an output as coordinates and values",
    semantics: "As `tft.experimental.annotate_sparse_output_shape`, without a range of the indices. In \
        TFT a ragged tensor stays one; lists are both here, and become sparse.",
    examples: &[
        "[tft.experimental.annotate_true_sparse_output(ss), ss][1]",
        "[tft.experimental.annotate_true_sparse_output(times), times][1]",
    ],
    params: &[TENSOR],
    kind: Kind::Compose(|builder, call| {
        let tensor = call.value("tensor")?;
        check_lists(call, builder.ty(tensor))?;
        builder.annotate_sparse(tensor, None);
        Ok(Vec::new())
    }),
};

fn check_lists(call: &crate::op::Bound, x: &Type) -> Result<()> {
    if x.constant || x.is_dense() {
        return Err(call.wrong(format!("`tensor` is {x}; a column of lists is wanted")));
    }
    Ok(())
}

/// Where values stand in their lists.
pub(in super::super) const INDICES: Op = Op {
    name: "tft.sparse_indices",
    doc: "the position of each value of a row along a dimension",
    semantics: "int64[var], from 0, for all values of a row in their order. `shape` changes nothing but the \
        range that the result is said to have.",
    examples: &[
        "tft.sparse_indices(xs, 0)",
        "tft.sparse_indices(nested, 1)",
        "tft.sparse_indices(vec, 0, [3])",
        "tft.sparse_indices(tf.expand_dims(ns), 1)",
    ],
    params: &[
        X,
        required("axis", Takes::Int, "which dimension of a row, from 0"),
        option(
            "shape",
            Takes::Value { like: "" },
            Default::None,
            "constant int64 lengths that bound positions",
        ),
    ],
    kind: Kind::Map {
        types: |call| {
            axis(call)?;
            if call.opt_ty("shape").is_some_and(|ty| ty.dtype != DType::Int64 || !ty.constant) {
                return Err(call.wrong_type("shape", "constant int64 lengths"));
            }
            let (dtype, shape) = (DType::Int64, vec![Dim::Var]);
            Ok(vec![Type { dtype, shape, ..call.ty("x")?.clone() }])
        },
        kernel: |call| {
            let (axis, shape) = (axis(call)?, call.ty("x")?.shape.clone());
            Ok(function(move |rows, inputs| indices(inputs[0], rows, &shape, axis)))
        },
        domain: Some(|call| {
            let lengths = call.constants[call.position("shape")?]?.ints();
            let length = *lengths.get(axis(call).ok()?)?;
            (length > 0).then(|| (0, length - 1))
        }),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(positions),
    },
};

fn axis(call: &Call<'_>) -> Result<usize> {
    let (axis, n) = (call.int_from("axis", 0)?, call.ty("x")?.shape.len());
    match usize::try_from(axis) {
        Ok(axis) if axis < n => Ok(axis),
        _ => Err(call.wrong(format!("`axis` is {axis}; `x` has {n} dimensions in a row"))),
    }
}

/// The positions along a dimension of all values, row by row.
fn indices(x: &Tensor, rows: usize, shape: &[Dim], axis: usize) -> Result<Tensor> {
    // Items of one dimension after the other.
    let (mut items, mut positions) = (rows, Vec::new());
    let mut splits = x.splits.iter();
    for (number, dim) in shape.iter().enumerate() {
        let lengths: Vec<usize> = match dim {
            Dim::Fixed(n) => vec![*n as usize; items],
            Dim::Var => {
                let splits = splits.next().map_or(&[][..], |splits| &splits[..]);
                splits.windows(2).map(|pair| (pair[1] - pair[0]) as usize).collect()
            }
        };
        if number == axis {
            positions = lengths.iter().flat_map(|&n| 0..n as i64).collect();
        } else if number > axis {
            let repeated = positions.iter().zip(&lengths);
            positions = repeated.flat_map(|(&at, &n)| std::iter::repeat_n(at, n)).collect();
        }
        items = lengths.iter().sum();
    }
    flat(x, rows, shape, positions)
}

/// Values of all dimensions as one list for each row.
fn flat(x: &Tensor, rows: usize, shape: &[Dim], values: impl Into<Values>) -> Result<Tensor> {
    let ends = x.row_ends(shape);
    let splits = splits_of((0..rows).map(|row| ends.range(row).len()))?;
    Ok(Tensor { rows, splits: vec![splits], values: values.into() })
}

/// Lists of lists as one list.
pub(in super::super) const VALUES: Op = Op {
    name: "tft.sparse_values",
    doc: "all values of a row as one list",
    semantics: "Of all dimensions, the last fastest.",
    examples: &[
        "tft.sparse_values(nested)",
        "tft.sparse_values(xs)",
        "tft.sparse_values(nvec)",
        "tft.sparse_values(tf.expand_dims(times, axis=1))",
        "tft.sparse_values(flag)",
        "tft.sparse_values(d)",
    ],
    params: &[X],
    kind: Kind::Map {
        types: |call| {
            let x = call.ty("x")?;
            Ok(vec![Type { shape: vec![Dim::Var], ..x.clone() }])
        },
        kernel: |call| {
            let shape = call.ty("x")?.shape.clone();
            Ok(function(move |rows, inputs| {
                flat(inputs[0], rows, &shape, inputs[0].values.clone())
            }))
        },
        domain: Some(|call| call.domains[0]),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (values, splits) = nodes.flat(&columns[0], call.ty("x")?);
            Ok(vec![Column { values, splits: vec![splits] }])
        }),
    },
};

fn positions(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (x, int) = (call.ty("x")?, DType::Int64);
    let (values, row_splits) = nodes.flat(&columns[0], x);
    let size = nodes.size(&values, x.dtype);
    let mut items = nodes.range(&size);
    let mut splits = columns[0].splits.iter().rev();
    let axis = axis(call)?;
    for (number, dim) in x.shape.iter().enumerate().rev() {
        let (above, begins) = match dim {
            Dim::Fixed(n) => {
                let n = nodes.scalar(i64::from(*n).max(1));
                let above = nodes.ints("FloorDiv", &items, &n);
                let begins = nodes.ints("Mul", &above, &n);
                (above, begins)
            }
            Dim::Var => {
                let splits = splits.next().cloned().unwrap_or_default();
                let above = nodes.items(&splits, &items);
                let begins = nodes.gather(&splits, int, &above);
                (above, begins)
            }
        };
        if number == axis {
            let values = nodes.ints("Sub", &items, &begins);
            return Ok(vec![Column { values, splits: vec![row_splits] }]);
        }
        items = above;
    }
    Err(call.wrong("there is no such axis"))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, ints, lists, refused, texts, trace};
    use super::*;

    #[test]
    fn values_have_positions() {
        let xs = [("xs", lists(&[3, 0, 1], floats(&[5.0, 6.0, 7.0, 8.0])))];
        check("tft.sparse_indices(xs, 0)", &xs, lists(&[3, 0, 1], ints(&[0, 1, 2, 0])));
        let fixed = "tf.expand_dims(xs, axis=1)";
        let of = |axis| format!("tft.sparse_indices({fixed}, {axis})");
        check(&of(0), &xs, lists(&[3, 0, 1], ints(&[0, 0, 0, 0])));
        check(&of(1), &xs, lists(&[3, 0, 1], ints(&[0, 1, 2, 0])));
        check(&format!("tft.sparse_values({fixed})"), &xs, xs[0].1.clone());
        let vec = [("nvec", ints(&[1, 2, 3, 4, 5, 6]))];
        check("tft.sparse_indices(nvec, 0)", &vec, lists(&[3, 3], ints(&[0, 1, 2, 0, 1, 2])));
        // [[a], [b, c]], [], [[], [d]]
        let splits = vec![vec![0, 2, 2, 4].into(), vec![0, 1, 3, 3, 4].into()];
        let nested = Tensor { rows: 3, splits, values: texts(&["a", "b", "c", "d"]).values };
        let nested = [("nested", nested)];
        check("tft.sparse_indices(nested, 0)", &nested, lists(&[3, 0, 1], ints(&[0, 1, 1, 1])));
        check("tft.sparse_indices(nested, 1)", &nested, lists(&[3, 0, 1], ints(&[0, 0, 1, 0])));
        let flat = lists(&[3, 0, 1], texts(&["a", "b", "c", "d"]));
        check("tft.sparse_values(nested)", &nested, flat);
        refused(
            "tft.sparse_indices(xs, 1)",
            "`tft.sparse_indices`: `axis` is 1; `x` has 1 dimensions in a row",
        );
    }

    #[test]
    fn shapes_must_hold_the_lists() {
        let annotated =
            |args: &str| format!("[tft.experimental.annotate_sparse_output_shape({args}), xs]");
        let check = |args: &str, why: &str| {
            let op = "`tft.experimental.annotate_sparse_output_shape`";
            refused(&annotated(args), &format!("{op}: {why}"));
        };
        check("x, [1]", "`tensor` is float32; a column of lists is wanted");
        check("xs, [2, 3]", "`shape` is constant int64[2]; a constant int64[1] is wanted");
        check("xs, [1.5]", "`shape` is constant float32[1]; a constant int64[1] is wanted");
        check("xs, n", "`shape` is int64; a constant int64[1] is wanted");
        check("xs, [-1]", "`shape` is [-1], which does not hold float32[var]");
        check(
            "tf.expand_dims(xs, axis=1), [0, 9]",
            "`shape` is [0, 9], which does not hold float32[1, var]",
        );
    }

    #[test]
    fn annotated_outputs_are_coordinates_and_values() {
        let check = |calls: &str, expected: &[(&str, Option<(i64, i64)>)]| {
            let (builder, value) = trace(&format!("[{calls}, xs]")).unwrap();
            let n = builder.input("n").unwrap();
            let outputs = [("a", value), ("n", n)];
            let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
            let graph = builder.finish(outputs.into()).unwrap();
            let outputs = graph.outputs.iter();
            let found: Vec<_> =
                outputs.map(|(name, value)| (name.as_str(), graph.domain(*value))).collect();
            assert_eq!(found, expected);
        };
        let shape =
            |shape: &str| format!("tft.experimental.annotate_sparse_output_shape(xs, {shape})");
        let truly = "tft.experimental.annotate_true_sparse_output(xs)";
        let sparse =
            |domain| [("a$sparse_indices_0", domain), ("a$sparse_values", None), ("n", None)];
        check("xs", &[("a", None), ("n", None)]);
        check(truly, &sparse(None));
        check(&shape("[5]"), &sparse(Some((0, 4))));
        check(&shape("7"), &sparse(Some((0, 6))));
        check(&shape("[0]"), &sparse(None));
        check(&format!("{}, {truly}", shape("[5]")), &sparse(Some((0, 4))));
        check(&format!("{truly}, {}, {}", shape("[5]"), shape("[6]")), &sparse(Some((0, 5))));
    }
}
