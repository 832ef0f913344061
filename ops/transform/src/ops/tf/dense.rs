//! Lists of differing lengths as fixed shapes, and what is asked of lists.
//!
//! Lists are always aligned to the left: they have no gaps, whatever a sparse tensor had.

use engine::Result;

use super::super::copied::copied;
use super::super::elementwise::{number, of_dtype};
use super::super::params::{X, option, required, value};
use super::shape::fixed_shape;
use crate::bind;
use crate::export::Export;
use crate::export::tensorflow::{
    Attr, Column, DataType, ListValue, Nodes, Segments, fixed, of_type, refused, result_type, sizes,
};
use crate::op::{Args, Call, Default, Kernel, Kind, Literal, Op, Takes, function};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

const DEFAULT_VALUE: crate::op::Param = option(
    "default_value",
    Takes::Literal,
    Default::None,
    "what stands where nothing is: 0, '' or False by default",
);

/// Lists as vectors of fixed length.
pub(in super::super) const TO_DENSE: Op = Op {
    name: "tft.sparse_tensor_to_dense_with_shape",
    doc: "lists as vectors of one length",
    semantics: "`shape` begins with the rows (None or -1). Shorter lists are filled up with the \
        default, longer ones are cut (TensorFlow stops there). Vectors stay if they have that shape.",
    examples: &[
        "tft.sparse_tensor_to_dense_with_shape(xs, [None, 4], -1.0)",
        "tft.sparse_tensor_to_dense_with_shape(ns, [None, 2], 7)",
        "tft.sparse_tensor_to_dense_with_shape(ss, [-1, 1])",
        "tft.sparse_tensor_to_dense_with_shape(ds, [None, 2])",
        "tft.sparse_tensor_to_dense_with_shape(flags, [None, 3], True)",
        "tft.sparse_tensor_to_dense_with_shape(times, [None, 2])",
        "tft.sparse_tensor_to_dense_with_shape(nested, [None, 2, 2], '-')",
        "tft.sparse_tensor_to_dense_with_shape(svec, [None, 3])",
    ],
    params: &[
        X,
        required("shape", Takes::Literal, "the lengths of the dimensions, rows first"),
        DEFAULT_VALUE,
    ],
    kind: Kind::Map {
        types: |call| {
            let x = call.ty("x")?;
            let shape = fixed_shape(call, false)?;
            let fits = shape.len() == x.shape.len()
                && x.shape.iter().zip(&shape).all(|(old, new)| *old == Dim::Var || old == new);
            if !fits || Type::column(x.dtype, shape.clone()).fixed_len().is_none_or(|n| n > 1 << 28)
            {
                return Err(call.wrong(format!("{x} has no shape {}", call.literal("shape"))));
            }
            default_value(call)?;
            Ok(vec![Type { shape, ..x.clone() }])
        },
        kernel: to_dense,
        domain: Some(with_default),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(densified),
    },
};

/// The same by TensorFlow's name.
pub(in super::super) const RAGGED_TO_DENSE: Op = Op {
    name: "tf.ragged_to_dense",
    doc: "lists as vectors of one length (`RaggedTensor.to_tensor`)",
    semantics: "As `tft.sparse_tensor_to_dense_with_shape`. The shape must be given: TensorFlow's \
        default is as long as the longest list of the batch, and so depends on other rows.",
    examples: &["tf.ragged_to_dense(ns, 0, [None, 3])", "tf.ragged_to_dense(ss, shape=[None, 2])"],
    params: &[
        X,
        DEFAULT_VALUE,
        required("shape", Takes::Literal, "the lengths of the dimensions, rows first"),
    ],
    kind: Kind::Compose(|builder, call| {
        let args = ["x", "shape", "default_value"].map(|name| call.get(name));
        builder.call(TO_DENSE.name, args.into_iter().fold(Args::default(), Args::arg))
    }),
};

/// The first value, or a default.
pub(in super::super) const FILL_IN_MISSING: Op = Op {
    name: "tft.fill_in_missing",
    doc: "the first value of each row, or a default where there is none",
    semantics: "What TFX modules write as `tf.sparse.to_dense` of a column with one value in a row, \
        or none; here further values are dropped. A column that is not a list stays as it is.",
    examples: &[
        "tft.fill_in_missing(xs)",
        "tft.fill_in_missing(ns, -1)",
        "tft.fill_in_missing(ss, 'none')",
        "tft.fill_in_missing(ds, 0.5)",
        "tft.fill_in_missing(flags)",
        "tft.fill_in_missing(times)",
        "tft.fill_in_missing(x)",
    ],
    params: &[X, DEFAULT_VALUE],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        match builder.ty(x).shape[..] {
            [Dim::Var] => {
                let shape = Literal::List(vec![Literal::None, Literal::Int(1)]);
                let args = Args::default().arg(x).arg(shape);
                let args = args.with("default_value", call.get("default_value"));
                let dense = builder.one(TO_DENSE.name, args)?;
                builder.call("tf.squeeze", Args::default().arg(dense))
            }
            [Dim::Var, ..] => {
                Err(call
                    .wrong(format!("`x` is {}; one list for each row is wanted", builder.ty(x))))
            }
            _ => Ok(vec![x]),
        }
    }),
};

/// Lists as long as others.
pub(in super::super) const ALIGN_LISTS: Op = Op {
    name: "tft.align_lists",
    doc: "lists as long as those of another column",
    semantics: "Each row has as many values as that of `like`: more are dropped, and where there are \
        less the default stands. So two columns whose lists go together in the data go together in \
        operations; TensorFlow compares their lengths when it runs, and stops where they differ.",
    examples: &[
        "xs + tf.cast(tft.align_lists(ns, xs, 1), tf.float32)",
        "tft.align_lists(ds, ns, 0.5)",
        "tft.align_lists(ss, ns, 'none')",
        "tft.align_lists(flags, ss, True)",
        "tft.align_lists(times, xs)",
    ],
    params: &[X, value("like", "a column of lists"), DEFAULT_VALUE],
    kind: Kind::Map {
        types: |call| {
            for name in ["x", "like"] {
                if call.ty(name)?.shape != [Dim::Var] || call.ty(name)?.constant {
                    return Err(call.wrong_type(name, "one list for each row"));
                }
            }
            default_value(call)?;
            Ok(vec![call.ty("x")?.clone()])
        },
        kernel: |call| {
            let default = default_value(call)?;
            Ok(function(move |rows, inputs| {
                let (x, like) = (&inputs[0].splits[0], &inputs[1].splits[0]);
                let values = copied(&[inputs[0], &default], |copy| {
                    for row in 0..rows {
                        let wanted = (like[row + 1] - like[row]) as usize;
                        let (start, end) = (x[row] as usize, x[row + 1] as usize);
                        let there = wanted.min(end - start);
                        copy(0, start..start + there);
                        (there..wanted).for_each(|_| copy(1, 0..1));
                    }
                })?;
                Ok(Tensor::var_len(like.clone(), values))
            }))
        },
        domain: Some(with_default),
        keeps: "like",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(aligned),
    },
};

/// Aligned to the left, which lists are.
pub(in super::super) const LEFT_ALIGN: Op = Op {
    name: "tft.sparse_tensor_left_align",
    doc: "lists without gaps at their beginning",
    semantics: "Lists have no gaps: they stay as they are.",
    examples: &["tft.sparse_tensor_left_align(xs)", "tft.sparse_tensor_left_align(ss)"],
    params: &[X],
    kind: Kind::Compose(|_, call| Ok(vec![call.value("x")?])),
};

/// Positions in runs.
pub(in super::super) const SEGMENT_INDICES: Op = Op {
    name: "tft.segment_indices",
    doc: "the position of each value in its run of equal ones",
    semantics: "[0, 0, 1, 1, 1] gives [0, 1, 0, 1, 2]. Of integers, in each row by itself.",
    examples: &["tft.segment_indices(ns)", "tft.segment_indices(nvec)"],
    params: &[X],
    kind: Kind::Map {
        types: |call| Ok(vec![of_dtype(call, "x", DType::Int64)?.clone()]),
        kernel: |call| {
            let shape = call.ty("x")?.shape.clone();
            Ok(function(move |rows, inputs| {
                let ids = inputs[0].ints();
                let ends = inputs[0].row_ends(&shape);
                let mut out = Vec::with_capacity(ids.len());
                for row in 0..rows {
                    let (mut position, mut before) = (0i64, None);
                    for &id in &ids[ends.range(row)] {
                        position = if before == Some(id) { position + 1 } else { 0 };
                        before = Some(id);
                        out.push(position);
                    }
                }
                Ok(inputs[0].with_values(out))
            }))
        },
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(runs),
    },
};

/// Lengths of lists.
pub(in super::super) const ROW_LENGTHS: Op = Op {
    name: "tf.row_lengths",
    doc: "how many items each row has",
    semantics: "Of lists of lists: how many lists.",
    examples: &[
        "tf.row_lengths(xs)",
        "tf.row_lengths(ss)",
        "tf.row_lengths(nested)",
        "tf.row_lengths(vec)",
    ],
    params: &[X],
    kind: Kind::Map {
        types: |call| {
            let x = call.ty("x")?;
            if x.is_scalar() {
                return Err(call.wrong_type("x", "a list for each row"));
            }
            Ok(vec![Type { dtype: DType::Int64, shape: Vec::new(), ..x.clone() }])
        },
        kernel: |call| {
            let first = call.ty("x")?.shape[0];
            Ok(function(move |rows, inputs| {
                let lengths = match first {
                    Dim::Fixed(n) => vec![i64::from(n); rows],
                    Dim::Var => {
                        let splits = &inputs[0].splits[0];
                        splits.windows(2).map(|pair| i64::from(pair[1] - pair[0])).collect()
                    }
                };
                Ok(Tensor::dense(rows, lengths))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let ty = call.ty("x")?;
            let lengths = match ty.shape[0] {
                Dim::Var => nodes.lengths(&columns[0].splits[0]),
                Dim::Fixed(n) => {
                    let rows =
                        if ty.constant { nodes.scalar(1i64) } else { nodes.rows(&columns[0], ty) };
                    let rows = nodes.range(&rows);
                    nodes.like(&rows, DType::Int64, DType::Int64, f64::from(n))
                }
            };
            Ok(vec![nodes.reshape(&lengths, DType::Int64, &sizes(&result_type(call)?)).into()])
        }),
    },
};

/// Numbers of values.
pub(in super::super) const ROW_SIZE: Op = Op {
    name: "tf.size_of_row",
    doc: "how many values each row has, in all dimensions",
    semantics: "Of lists of lists: the values of all of them.",
    examples: &["tf.size_of_row(xs)", "tf.size_of_row(nested)", "tf.size_of_row(n)"],
    params: &[X],
    kind: Kind::Map {
        types: |call| {
            let x = call.ty("x")?;
            Ok(vec![Type { dtype: DType::Int64, shape: Vec::new(), ..x.clone() }])
        },
        kernel: |call| {
            let shape = call.ty("x")?.shape.clone();
            Ok(function(move |rows, inputs| {
                let ends = inputs[0].row_ends(&shape);
                let sizes = (0..rows).map(|row| ends.range(row).len() as i64);
                Ok(Tensor::dense(rows, sizes.collect::<Vec<_>>()))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let groups = Segments::of_rows(nodes, &columns[0], call.ty("x")?);
            let n = groups.counts(nodes);
            Ok(vec![nodes.reshape(&n, DType::Int64, &sizes(&result_type(call)?)).into()])
        }),
    },
};

/// The default as one value of the column's dtype.
fn default_value(call: &Call<'_>) -> Result<Tensor> {
    let dtype = call.ty("x")?.dtype;
    let literal = match (call.literal("default_value"), dtype) {
        (Literal::None, DType::String) => Literal::Str(String::new()),
        (Literal::None, DType::Bool) => Literal::Bool(false),
        (Literal::None, _) => Literal::Int(0),
        (literal, _) => literal.clone(),
    };
    let (ty, tensor) =
        bind::constant(&literal, Some(dtype)).map_err(|e| call.wrong(e.message()))?;
    if ty.is_scalar() {
        Ok(tensor)
    } else {
        Err(call.wrong(format!("`default_value` is {literal}; a single value is wanted")))
    }
}

/// The range of integers, with the default in it.
fn with_default(call: &Call<'_>) -> Option<(i64, i64)> {
    number(call, "x").ok().filter(|ty| ty.dtype == DType::Int64)?;
    let (least, most) = call.domains[0]?;
    let default = default_value(call).ok()?.ints()[0];
    Some((least.min(default), most.max(default)))
}

fn to_dense(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let default = default_value(call)?;
    let old = call.ty("x")?.shape.clone();
    let new: Vec<usize> = fixed_shape(call, false)?
        .iter()
        .map(|dim| if let Dim::Fixed(n) = dim { *n as usize } else { 0 })
        .collect();
    Ok(function(move |rows, inputs| {
        let values = copied(&[inputs[0], &default], |copy| {
            for row in 0..rows {
                fill(&inputs[0].splits, &old, &new, row..row + 1, copy);
            }
        })?;
        Ok(Tensor::dense(rows, values))
    }))
}

/// Copies items, dimension by dimension, and the default for what is missing.
fn fill(
    splits: &[arrow_buffer::ScalarBuffer<i32>],
    old: &[Dim],
    new: &[usize],
    items: std::ops::Range<usize>,
    copy: &mut dyn FnMut(usize, std::ops::Range<usize>),
) {
    let Some((dim, rest)) = old.split_first() else {
        return copy(0, items);
    };
    for item in items {
        let (range, deeper) = match dim {
            Dim::Fixed(n) => (item * *n as usize..(item + 1) * *n as usize, splits),
            Dim::Var => {
                let ends = &splits[0];
                (ends[item] as usize..ends[item + 1] as usize, &splits[1..])
            }
        };
        let n = range.len().min(new[0]);
        fill(deeper, rest, &new[1..], range.start..range.start + n, copy);
        let missing = (new[0] - n) * new[1..].iter().product::<usize>();
        (0..missing).for_each(|_| copy(1, 0..1));
    }
}

fn densified(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let ty = call.ty("x")?;
    if ty.is_dense() {
        return Ok(columns.to_vec());
    }
    let n_var = ty.n_var();
    if ty.shape[..n_var].iter().any(|dim| *dim != Dim::Var) {
        return Err(refused(call, "lists behind a fixed dimension are not made dense there"));
    }
    let shape: Vec<i64> = [-1].into_iter().chain(fixed(&fixed_shape(call, false)?)).collect();
    let shape = nodes.list(shape);
    let default = nodes.constant(&default_value(call)?.values, &[]);
    let partitions = vec![b"ROW_SPLITS".to_vec(); n_var];
    let attrs = [
        ("T", of_type(ty.dtype)),
        ("Tindex", of_type(DType::Int64)),
        ("Tshape", of_type(DType::Int64)),
        ("num_row_partition_tensors", Attr::I(n_var as i64)),
        ("row_partition_types", Attr::List(ListValue { s: partitions, ..ListValue::default() })),
    ];
    let mut inputs = vec![&shape, &columns[0].values, &default];
    inputs.extend(&columns[0].splits);
    Ok(vec![nodes.node("RaggedTensorToTensor", &inputs, attrs).into()])
}

fn aligned(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (x, like) = (call.ty("x")?, call.ty("like")?);
    let places = Segments::of_rows(nodes, &columns[1], like);
    let lengths = nodes.lengths(&columns[0].splits[0]);
    let lengths = places.spread(nodes, &lengths, DType::Int64);
    let begins = nodes.gather(&columns[0].splits[0], DType::Int64, &places.ids);
    let at = nodes.ints("AddV2", &begins, &places.places);
    let there = nodes.typed("Less", DType::Int64, &[&places.places, &lengths]);
    // What is missing is found behind the values.
    let default = nodes.constant(&default_value(call)?.values, &[1]);
    let n = nodes.size(&columns[0].values, x.dtype);
    let at = nodes.select(&there, &at, &n, DType::Int64);
    let all = nodes.concat(&[&columns[0].values, &default], x.dtype, 0);
    let values = nodes.gather(&all, x.dtype, &at);
    Ok(vec![Column { values, splits: columns[1].splits.clone() }])
}

fn runs(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (ty, int) = (call.ty("x")?, DType::Int64);
    let groups = Segments::of_rows(nodes, &columns[0], ty);
    let size = nodes.size(&groups.values, int);
    let all = nodes.range(&size);
    let (zero, one) = (nodes.scalar(0i64), nodes.scalar(1i64));
    // A run begins with a row, and with a value that is not the one before it.
    let before = nodes.ints("Sub", &all, &one);
    let before = nodes.ints("Maximum", &before, &zero);
    let before = nodes.gather(&groups.values, int, &before);
    let other = nodes.typed("NotEqual", int, &[&groups.values, &before]);
    let first = nodes.typed("Equal", int, &[&groups.places, &zero]);
    let begins = nodes.node("LogicalOr", &[&other, &first], []);
    let starts = nodes.kept(&all, int, &begins);
    let ones = nodes.cast(&begins, DType::Bool, int);
    let axis = nodes.int32(0);
    let attrs = [("T", of_type(int)), ("Tidx", of_type(DataType::Int32))];
    let run = nodes.node("Cumsum", &[&ones, &axis], attrs);
    let run = nodes.ints("Sub", &run, &one);
    let start = nodes.gather(&starts, int, &run);
    let places = nodes.ints("Sub", &all, &start);
    let values = nodes.reshape(&places, int, &sizes(ty));
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, ints, lists, refused, texts};

    #[test]
    fn lists_become_vectors() {
        let xs = [("xs", lists(&[2, 0, 4], floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])))];
        let dense = "tft.sparse_tensor_to_dense_with_shape(xs, [None, 3], -1)";
        check(dense, &xs, floats(&[1.0, 2.0, -1.0, -1.0, -1.0, -1.0, 3.0, 4.0, 5.0]));
        check("tft.fill_in_missing(xs)", &xs, floats(&[1.0, 0.0, 3.0]));
        check(
            "tft.fill_in_missing(xs, 9.0) + tf.cast(tf.row_lengths(xs), tf.float32)",
            &xs,
            floats(&[3.0, 9.0, 7.0]),
        );
        check("tft.sparse_tensor_left_align(xs)", &xs, xs[0].1.clone());
        let both = [xs[0].clone(), ("ns", lists(&[1, 1, 3], ints(&[1, 2, 3, 4, 5])))];
        let aligned = lists(&[2, 0, 4], ints(&[1, -1, 3, 4, 5, -1]));
        check("tft.align_lists(ns, xs, -1)", &both, aligned);
        let aligned = lists(&[1, 1, 3], floats(&[1.0, 9.0, 3.0, 4.0, 5.0]));
        check("tft.align_lists(xs, ns, 9.0)", &both, aligned);
        refused(
            "tft.align_lists(x, xs)",
            "`tft.align_lists`: `x` is float32; one list for each row is wanted",
        );
        let nested =
            [("nested", lists(&[2, 0, 1], lists(&[1, 3, 0], texts(&["a", "b", "c", "d"]))))];
        let dense = "tft.sparse_tensor_to_dense_with_shape(nested, [None, 2, 2], '-')";
        check(dense, &nested, texts(&["a", "-", "b", "c", "-", "-", "-", "-", "-", "-", "-", "-"]));
        check("tf.row_lengths(nested)", &nested, ints(&[2, 0, 1]));
        check("tf.size_of_row(nested)", &nested, ints(&[4, 0, 0]));
        refused(
            "tf.ragged_to_dense(xs)",
            "`tf.ragged_to_dense`: `shape` is missing: the lengths of the dimensions, rows first",
        );
        refused(
            "tft.fill_in_missing(ns, 'a')",
            "`tft.sparse_tensor_to_dense_with_shape`: \"a\" is no int64",
        );
        refused(
            "tft.sparse_tensor_to_dense_with_shape(vec, [None, 4])",
            "`tft.sparse_tensor_to_dense_with_shape`: float32[3] has no shape [None, 4]",
        );
    }

    #[test]
    fn runs_are_counted_in_each_row() {
        let ns = [("ns", lists(&[5, 2], ints(&[0, 0, 1, 1, 1, 1, 1])))];
        check("tft.segment_indices(ns)", &ns, lists(&[5, 2], ints(&[0, 1, 0, 1, 2, 0, 1])));
    }
}
