//! `tf.gather`, `tf.slice`: some of a row's values, by their positions.

use engine::Result;

use super::super::axis::dimension;
use super::super::copied::copied;
use super::super::params::{option, required, value};
use crate::export::Export;
use crate::export::tensorflow::{Column, DataType, Nodes, Segments, of_type, sizes};
use crate::op::{Call, Default, Kernel, Kind, Literal, Op, Takes, function};
use crate::tensor::{Tensor, splits_of};
use crate::types::{DType, Dim, Type};

/// Values by position.
pub(in super::super) const GATHER: Op = Op {
    name: "tf.gather",
    doc: "the values at given positions of a row: `x[:, 2]`",
    semantics: "Positions are literals; one alone drops the dimension, a list keeps it. Negative \
        ones count from the end. `axis` is the dimension they are of, 1 by default (axis 0 are the \
        rows; constants have none, so that theirs count from 0). The dimension is fixed: lists of \
        differing lengths are made dense first.",
    examples: &[
        "tf.gather(vec, 0, axis=1)",
        "tf.gather(nvec, [2, 0, 2], axis=1)",
        "tf.gather(svec, -1)",
        "tf.gather(tf.stack([d, d]), 1)",
        "tf.gather(tf.stack([flag, flag]), [1])",
        "tf.gather(tf.stack([when, when]), 1)",
        "tf.gather(tf.stack([vec, vec]), 0, axis=2)",
    ],
    params: &[
        value("params", "a column with a fixed dimension"),
        required("indices", Takes::Literal, "a position or a list of them"),
        option("axis", Takes::Int, Default::None, "the dimension they are of"),
    ],
    kind: Kind::Map {
        types: |call| {
            let ty = call.ty("params")?;
            let (dim, indices, single) = gathered(call)?;
            let mut shape = ty.shape.clone();
            if single {
                shape.remove(dim);
            } else {
                shape[dim] = Dim::Fixed(indices.len() as u32);
            }
            Ok(vec![Type { shape, ..ty.clone() }])
        },
        kernel: gather,
        domain: Some(|call| call.domains[0]),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (dim, indices, single) = gathered(call)?;
            let ty = call.ty("params")?;
            let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
            let indices = if single { nodes.scalar(indices[0]) } else { nodes.list(indices) };
            let axis = nodes.int32((dim + usize::from(!ty.constant)) as i32);
            let attrs = [
                ("Tparams", of_type(ty.dtype)),
                ("Tindices", of_type(DType::Int64)),
                ("Taxis", of_type(DataType::Int32)),
            ];
            Ok(vec![nodes.node("GatherV2", &[&columns[0].values, &indices, &axis], attrs).into()])
        }),
    },
};

/// A range of positions.
pub(in super::super) const SLICE: Op = Op {
    name: "tf.slice",
    doc: "the values from one position on, so many: `x[:, 1:3]`",
    semantics: "`begin` and `size` are literals, one number for each dimension, rows first: 0 and \
        -1 there; dimensions at the end that are left out stay whole. A size of -1 is all the rest. Lists of differing lengths are cut: those that are \
        shorter give what they have.",
    examples: &[
        "tf.slice(vec, [0, 1], [-1, 2])",
        "tf.slice(nvec, [0, 0], [-1, 1])",
        "tf.slice(svec, [0, 1], [-1, -1])",
        "tf.slice(xs, [0, 1], [-1, 2])",
        "tf.slice(ss, [0, 0], [-1, 1])",
        "tf.slice(ds, [0, 3], [-1, -1])",
        "tf.slice(flags, [0, 0], [-1, 2])",
        "tf.slice(times, [0, 0], [-1, 2])",
        "tf.slice(tf.stack([vec, vec]), [0, 1, 0], [-1, 1, 2])",
    ],
    params: &[
        value("x", "a column with one or more dimensions"),
        required("begin", Takes::Literal, "the first position of each dimension"),
        required("size", Takes::Literal, "how many of each dimension"),
    ],
    kind: Kind::Map {
        types: |call| Ok(vec![Type { shape: sliced(call)?.0, ..call.ty("x")?.clone() }]),
        kernel: slice,
        domain: Some(|call| call.domains[0]),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(cut),
    },
};

/// Values the other way round.
pub(in super::super) const REVERSE: Op = Op {
    name: "tf.reverse",
    doc: "the values of each row in the opposite order",
    semantics: "Of vectors and lists. `axis` is 1 or -1, alone or in a list.",
    examples: &[
        "tf.reverse(vec, [1])",
        "tf.reverse(ns)",
        "tf.reverse(ss, axis=-1)",
        "tf.reverse(ds)",
        "tf.reverse(flags)",
        "tf.reverse(times)",
    ],
    params: &[
        value("x", "a column of vectors or lists"),
        option("axis", Takes::Literal, Default::Int(-1), "the dimension: 1 or -1"),
    ],
    kind: Kind::Map {
        types: |call| {
            let axis = match call.literal("axis") {
                Literal::List(axes) if axes.len() == 1 => &axes[0],
                axis => axis,
            };
            let x = call.ty("x")?;
            if !matches!(axis, Literal::Int(1 | -1)) || x.constant {
                return Err(call.wrong(format!("the rows of {x} have no axis {axis}")));
            }
            if x.shape.len() != 1 {
                return Err(call.wrong_type("x", "one vector or list for each row"));
            }
            Ok(vec![x.clone()])
        },
        kernel: |call| {
            let shape = call.ty("x")?.shape.clone();
            Ok(function(move |rows, inputs| {
                let ends = inputs[0].row_ends(&shape);
                let values = copied(inputs, |copy| {
                    for row in 0..rows {
                        ends.range(row).rev().for_each(|i| copy(0, i..i + 1));
                    }
                })?;
                Ok(inputs[0].with_values(values))
            }))
        },
        domain: Some(|call| call.domains[0]),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(reversed),
    },
};

fn fixed(dims: &[Dim]) -> Option<usize> {
    Type::column(DType::Bool, dims).fixed_len()
}

/// The dimension, the positions in it, and whether it goes.
fn gathered(call: &Call<'_>) -> Result<(usize, Vec<usize>, bool)> {
    let ty = call.ty("params")?;
    let axis = call.opt_int("axis").unwrap_or(i64::from(!ty.constant));
    let dim = dimension(call, ty, axis, ty.shape.len())?;
    let Dim::Fixed(n) = ty.shape[dim] else {
        return Err(call
            .wrong_type("params", "a fixed dimension")
            .with_hint("Make it dense with `tft.sparse_tensor_to_dense_with_shape`."));
    };
    if !ty.is_dense() {
        return Err(call.wrong_type("params", "a column of a fixed shape"));
    }
    let literal = call.literal("indices");
    let (literals, single) = match literal {
        Literal::List(literals) => (&literals[..], false),
        one => (std::slice::from_ref(one), true),
    };
    let index = |literal: &Literal| match literal {
        Literal::Int(i) => {
            let i = if *i < 0 { i64::from(n) + i } else { *i };
            (0..i64::from(n)).contains(&i).then_some(i as usize)
        }
        _ => None,
    };
    match literals.iter().map(index).collect::<Option<Vec<_>>>() {
        Some(indices) if !indices.is_empty() => Ok((dim, indices, single)),
        _ => Err(call.wrong(format!("`indices` is {literal}; there are {n} positions in {ty}"))),
    }
}

fn gather(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (dim, indices, _) = gathered(call)?;
    let shape = &call.ty("params")?.shape;
    let item = fixed(&shape[dim + 1..]).unwrap_or(1);
    let block = fixed(&shape[dim..]).unwrap_or(1);
    Ok(function(move |rows, inputs| {
        let n = inputs[0].values.len();
        let values = copied(inputs, |copy| {
            for start in (0..n).step_by(block.max(1)) {
                for first in indices.iter().map(|&index| start + index * item) {
                    copy(0, first..first + item);
                }
            }
        })?;
        Ok(Tensor::dense(rows, values))
    }))
}

/// The shape that is left, and of each dimension the first position and the number, if it is cut.
fn sliced(call: &Call<'_>) -> Result<(Vec<Dim>, Vec<(usize, Option<usize>)>)> {
    let x = call.ty("x")?;
    let rank = x.shape.len();
    let skip = usize::from(!x.constant);
    let numbers = |name: &str, whole: i64| -> Result<Vec<i64>> {
        let literal = call.literal(name);
        let wrong = || {
            let wanted = rank + skip;
            call.wrong(format!("`{name}` is {literal}; {wanted} whole numbers are wanted"))
        };
        let Literal::List(literals) = literal else { return Err(wrong()) };
        let numbers = literals.iter().map(|literal| match literal {
            Literal::Int(n) => Some(*n),
            _ => None,
        });
        let numbers: Option<Vec<i64>> = numbers.collect();
        let fits = |numbers: &Vec<i64>| (skip + 1..=rank + skip).contains(&numbers.len());
        let mut numbers = numbers.filter(fits).ok_or_else(wrong)?;
        numbers.resize(rank + skip, whole);
        Ok(numbers)
    };
    let (begin, size) = (numbers("begin", 0)?, numbers("size", -1)?);
    if !x.constant && (begin[0] != 0 || size[0] != -1) {
        return Err(call.wrong("the rows are not cut: 0 and -1 come first in `begin` and `size`"));
    }
    let (mut shape, mut cuts) = (Vec::new(), Vec::new());
    for (i, dim) in x.shape.iter().enumerate() {
        let (begin, size) = (begin[i + skip], size[i + skip]);
        let wrong = || {
            call.wrong(format!(
                "{size} positions from {begin} are not there in axis {} of {x}",
                i + skip
            ))
        };
        let begin = usize::try_from(begin).map_err(|_| wrong())?;
        let size =
            if size == -1 { None } else { Some(usize::try_from(size).map_err(|_| wrong())?) };
        match dim {
            Dim::Fixed(n) => {
                let left = (*n as usize).checked_sub(begin).ok_or_else(wrong)?;
                let size = size.unwrap_or(left);
                if size == 0 || size > left {
                    return Err(wrong());
                }
                shape.push(Dim::Fixed(size as u32));
                cuts.push((begin, Some(size)));
            }
            Dim::Var if rank == 1 => {
                shape.push(Dim::Var);
                cuts.push((begin, size));
            }
            Dim::Var => return Err(call.wrong_type("x", "one list for each row, or a fixed shape")),
        }
    }
    Ok((shape, cuts))
}

fn slice(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (_, cuts) = sliced(call)?;
    let shape = call.ty("x")?.shape.clone();
    if shape == [Dim::Var] {
        let (begin, size) = cuts[0];
        return Ok(function(move |rows, inputs| {
            let ends = inputs[0].row_ends(&shape);
            let cut = |row: usize| {
                let range = ends.range(row);
                let start = range.start.saturating_add(begin).min(range.end);
                start..size.map_or(range.end, |n| start.saturating_add(n).min(range.end))
            };
            let values = copied(inputs, |copy| (0..rows).for_each(|row| copy(0, cut(row))))?;
            Ok(Tensor::var_len(splits_of((0..rows).map(|row| cut(row).len()))?, values))
        }));
    }
    // Where in a row the values are that stay.
    let mut places = vec![0usize];
    for (dim, (begin, size)) in shape.iter().zip(&cuts) {
        let Dim::Fixed(n) = dim else { continue };
        let size = size.unwrap_or(0);
        places = places
            .iter()
            .flat_map(|place| (0..size).map(move |i| place * *n as usize + begin + i))
            .collect();
    }
    let row = fixed(&shape).unwrap_or(1);
    Ok(function(move |rows, inputs| {
        let n = inputs[0].values.len();
        let values = copied(inputs, |copy| {
            for start in (0..n).step_by(row.max(1)) {
                places.iter().for_each(|place| copy(0, start + place..start + place + 1));
            }
        })?;
        Ok(Tensor::dense(rows, values))
    }))
}

fn cut(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let ty = call.ty("x")?;
    let (_, cuts) = sliced(call)?;
    if ty.is_dense() {
        let rows = usize::from(!ty.constant);
        let mut begin = vec![0i64; rows];
        let mut size = vec![-1i64; rows];
        begin.extend(cuts.iter().map(|(begin, _)| *begin as i64));
        size.extend(cuts.iter().map(|(_, size)| size.map_or(-1, |size| size as i64)));
        let (begin, size) = (nodes.list(begin), nodes.list(size));
        let attrs = [("T", of_type(ty.dtype)), ("Index", of_type(DType::Int64))];
        return Ok(vec![nodes.node("Slice", &[&columns[0].values, &begin, &size], attrs).into()]);
    }
    let (begin, size) = cuts[0];
    let groups = Segments::of_rows(nodes, &columns[0], ty);
    let end = size.map_or(usize::MAX, |size| begin.saturating_add(size));
    let clamp = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (begin, end) = (nodes.scalar(clamp(begin)), nodes.scalar(clamp(end)));
    let kept = nodes.within(&groups.places, &begin, &end);
    Ok(vec![nodes.lists_of(&groups.values, ty.dtype, &groups, &kept)])
}

fn reversed(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let ty = call.ty("x")?;
    let groups = Segments::of_rows(nodes, &columns[0], ty);
    // The last place of the row, less the own place, behind what is before the row.
    let n = groups.counts(nodes);
    let n = groups.spread(nodes, &n, DType::Int64);
    let size = nodes.size(&groups.values, ty.dtype);
    let all = nodes.range(&size);
    let begins = nodes.ints("Sub", &all, &groups.places);
    let one = nodes.scalar(1i64);
    let last = nodes.ints("Sub", &n, &one);
    let place = nodes.ints("Sub", &last, &groups.places);
    let from = nodes.ints("AddV2", &begins, &place);
    let values = nodes.gather(&groups.values, ty.dtype, &from);
    let values = nodes.reshape(&values, ty.dtype, &sizes(ty));
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, ints, lists, refused, texts};

    #[test]
    fn values_are_taken_by_position() {
        let vec = [("vec", floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))];
        check("tf.gather(vec, 1, axis=1)", &vec, floats(&[2.0, 5.0]));
        check("tf.gather(vec, [-1, 0])", &vec, floats(&[3.0, 1.0, 6.0, 4.0]));
        check(
            "tf.gather(tf.stack([vec, -vec]), 2, axis=-1)",
            &vec,
            floats(&[3.0, -3.0, 6.0, -6.0]),
        );
        check(
            "tf.gather(tf.stack([vec, -vec]), 1)",
            &vec,
            floats(&[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]),
        );
        check(
            "vec * tf.gather([10.0, 20.0], 1)",
            &vec,
            floats(&[20.0, 40.0, 60.0, 80.0, 100.0, 120.0]),
        );
        refused(
            "tf.gather(vec, 3)",
            "`tf.gather`: `indices` is 3; there are 3 positions in float32[3]",
        );
        refused(
            "tf.gather(xs, 0)",
            "`tf.gather`: `params` is float32[var]; a fixed dimension is wanted",
        );
        refused("tf.gather(vec, 0, axis=0)", "`tf.gather`: `axis` is 0, the rows of the batch");
    }

    #[test]
    fn rows_are_reversed() {
        let ss = [("ss", lists(&[2, 0, 1], texts(&["a", "b", "c"])))];
        check("tf.reverse(ss, [1])", &ss, lists(&[2, 0, 1], texts(&["b", "a", "c"])));
        refused("tf.reverse(vec, [0])", "`tf.reverse`: the rows of float32[3] have no axis 0");
    }

    #[test]
    fn values_are_taken_by_range() {
        let vec = [("nvec", ints(&[1, 2, 3, 4, 5, 6]))];
        check("tf.slice(nvec, [0, 1], [-1, 2])", &vec, ints(&[2, 3, 5, 6]));
        let block = "tf.slice(tf.stack([nvec, nvec * 10]), [0, 1, 1], [-1, 1, -1])";
        check(block, &vec, ints(&[20, 30, 50, 60]));
        let ss = [("ss", lists(&[3, 1, 0], texts(&["a", "b", "c", "d"])))];
        check("tf.slice(ss, [0, 1], [-1, 1])", &ss, lists(&[1, 0, 0], texts(&["b"])));
        check("tf.slice(ss, [0, 0], [-1, 2])", &ss, lists(&[2, 1, 0], texts(&["a", "b", "d"])));
        refused(
            "tf.slice(nvec, [0, 1], [-1, 3])",
            "`tf.slice`: 3 positions from 1 are not there in axis 1 of int64[3]",
        );
        refused(
            "tf.slice(nvec, [1, 1], [-1, 1])",
            "`tf.slice`: the rows are not cut: 0 and -1 come first in `begin` and `size`",
        );
    }
}
