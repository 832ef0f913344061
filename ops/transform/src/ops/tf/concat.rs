//! `tf.stack`, `tf.concat`: several columns as one.

use engine::Result;

use super::super::axis::dimension;
use super::super::copied::copied;
use super::super::params::{option, values};
use crate::export::Export;
use crate::export::tensorflow::{
    Attr, Column, DataType, Nodes, Out, Segments, of_type, refused, sizes,
};
use crate::op::{Call, Default, Kernel, Kind, Op, Takes, function};
use crate::tensor::{Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

/// Columns side by side.
pub(in super::super) const STACK: Op = Op {
    name: "tf.stack",
    doc: "columns of one shape side by side, in a new dimension",
    semantics: "All are of one dtype and one fixed shape: numbers become a vector. `axis` says \
        where the new dimension comes: 1 (as here by default) before the others of a row, -1 after \
        them. Axis 0, TensorFlow's default, would mix rows and is refused.",
    examples: &[
        "tf.stack([x, y, x], axis=1)",
        "tf.stack([n, k])",
        "tf.stack([d, d], axis=-1)",
        "tf.stack([s, t, key])",
        "tf.stack([flag, flag])",
        "tf.stack([when, when])",
        "tf.stack([vec, vec], axis=2)",
    ],
    params: &[
        values("values", "the columns"),
        option("axis", Takes::Int, Default::Int(1), "where the new dimension comes"),
    ],
    kind: Kind::Map {
        types: stack_types,
        kernel: stack,
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(stacked),
    },
};

/// Columns one after the other.
pub(in super::super) const CONCAT: Op = Op {
    name: "tf.concat",
    doc: "the values of several columns one after the other, row by row",
    semantics: "All are of one dtype. Lists (and vectors of fixed length) follow each other row by \
        row; a constant is a part of every row. With more dimensions, `axis` says along which; \
        the others are fixed and alike.",
    examples: &[
        "tf.concat([vec, vec], axis=1)",
        "tf.concat([xs, xs], axis=1)",
        "tf.concat([ns, nvec], axis=-1)",
        "tf.concat([ss, svec])",
        "tf.concat([ds, ds])",
        "tf.concat([flags, flags])",
        "tf.concat([times, times])",
    ],
    params: &[
        values("values", "the columns"),
        option("axis", Takes::Int, Default::Int(-1), "the dimension that grows"),
    ],
    kind: Kind::Map {
        types: concat_types,
        kernel: concat,
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(concatenated),
    },
};

/// The dtype and whether all are constants.
fn common(call: &Call<'_>) -> Result<(DType, bool)> {
    let Some(first) = call.types.first() else {
        return Err(call.wrong("`values` is empty"));
    };
    if first.dtype.is_asset() {
        return Err(call.wrong("a vocabulary is no column"));
    }
    match call.types.iter().position(|ty| ty.dtype != first.dtype) {
        Some(i) => Err(call
            .wrong(format!(
                "the first of `values` is {first}, number {} is {}",
                i + 1,
                call.types[i]
            ))
            .with_hint("Convert them to one type with `tf.cast`.")),
        None => Ok((first.dtype, call.is_constant())),
    }
}

/// A type whose axes count the rows, for the checks of an axis.
fn column_or_constant<'a>(call: &Call<'a>) -> &'a Type {
    call.types.iter().find(|ty| !ty.constant).unwrap_or(&call.types[0])
}

fn axis(call: &Call<'_>, rank: usize) -> Result<usize> {
    let axis = call.opt_int("axis").unwrap_or(1);
    dimension(call, column_or_constant(call), axis, rank)
}

fn length(dims: &[Dim]) -> usize {
    Type::column(DType::Bool, dims).fixed_len().unwrap_or(0)
}

fn stack_types(call: &Call<'_>) -> Result<Vec<Type>> {
    let (dtype, constant) = common(call)?;
    let first = &call.types[0];
    if let Some(i) = call.types.iter().position(|ty| ty.shape != first.shape || !ty.is_dense()) {
        let ty = &call.types[i];
        return Err(call
            .wrong(format!("number {} of `values` is {ty}; all must have one fixed shape", i + 1))
            .with_hint("Make it dense with `tft.sparse_tensor_to_dense_with_shape`."));
    }
    let mut shape = first.shape.clone();
    shape.insert(axis(call, shape.len() + 1)?, Dim::Fixed(call.types.len() as u32));
    Ok(vec![Type { dtype, shape, constant }])
}

fn stack(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let shape = &call.types[0].shape;
    let axis = axis(call, shape.len() + 1)?;
    let blocks = length(&shape[..axis]);
    let parts =
        Parts { items: vec![Some(1); call.types.len()], item: length(&shape[axis..]), blocks };
    Ok(joined(parts))
}

fn concat_types(call: &Call<'_>) -> Result<Vec<Type>> {
    let (dtype, constant) = common(call)?;
    let first = &call.types[0];
    let rank = first.shape.len();
    if rank == 0 {
        return Err(call
            .wrong(format!("the first of `values` is {first}, a single value"))
            .with_hint("Use `tf.stack` for single values."));
    }
    let axis = axis(call, rank)?;
    let mut total = Some(0u32);
    for (i, ty) in call.types.iter().enumerate() {
        let same =
            ty.shape.len() == rank && (0..rank).all(|d| d == axis || ty.shape[d] == first.shape[d]);
        let fixed = ty
            .shape
            .iter()
            .enumerate()
            .all(|(d, dim)| matches!(dim, Dim::Fixed(_)) || (d == axis && d == 0));
        if !same || !fixed {
            return Err(call.wrong(format!(
                "number {} of `values` is {ty}; along axis {axis} of {first} it does not fit",
                i + 1
            )));
        }
        total = match ty.shape[axis] {
            Dim::Fixed(n) => total.and_then(|total| total.checked_add(n)),
            Dim::Var => None,
        };
    }
    let mut shape = first.shape.clone();
    shape[axis] = total.map_or(Dim::Var, Dim::Fixed);
    Ok(vec![Type { dtype, shape, constant }])
}

fn concat(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let shape = &call.types[0].shape;
    let axis = axis(call, shape.len())?;
    let items = call.types.iter().map(|ty| match ty.shape[axis] {
        Dim::Fixed(n) => Some(n as usize),
        Dim::Var => None,
    });
    let items = items.collect();
    let blocks = length(&shape[..axis]);
    Ok(joined(Parts { items, item: length(&shape[axis + 1..]), blocks }))
}

/// How the inputs' values follow each other in the result.
struct Parts {
    /// Items of each input in a block; `None` for lists, whose blocks are rows.
    items: Vec<Option<usize>>,
    /// Values of an item.
    item: usize,
    /// Blocks of a row.
    blocks: usize,
}

impl Parts {
    /// Calls `f` with the input and its range of values, for each part of the result.
    fn for_each(
        &self,
        rows: usize,
        inputs: &[&Tensor],
        f: &mut dyn FnMut(usize, std::ops::Range<usize>),
    ) {
        for row in 0..rows {
            for block in 0..self.blocks {
                for (i, input) in inputs.iter().enumerate() {
                    // A constant has one row.
                    let row = if input.rows == rows { row } else { 0 };
                    let range = match self.items[i] {
                        Some(items) => {
                            let n = items * self.item;
                            let start = (row * self.blocks + block) * n;
                            start..start + n
                        }
                        None => {
                            let splits = &input.splits[0];
                            splits[row] as usize * self.item..splits[row + 1] as usize * self.item
                        }
                    };
                    f(i, range);
                }
            }
        }
    }

    /// A result of these values.
    fn result(&self, rows: usize, inputs: &[&Tensor], values: impl Into<Values>) -> Result<Tensor> {
        if self.items.iter().all(Option::is_some) {
            return Ok(Tensor::dense(rows, values));
        }
        let fixed: usize = self.items.iter().flatten().sum();
        let lists: Vec<_> = inputs.iter().filter_map(|input| input.splits.first()).collect();
        let splits = splits_of((0..rows).map(|row| {
            fixed
                + lists.iter().map(|splits| (splits[row + 1] - splits[row]) as usize).sum::<usize>()
        }))?;
        Ok(Tensor::var_len(splits, values))
    }
}

fn joined(parts: Parts) -> Box<dyn Kernel> {
    function(move |rows, inputs| {
        let values = copied(inputs, |copy| parts.for_each(rows, inputs, copy))?;
        parts.result(rows, inputs, values)
    })
}

/// The values, constants once for each row.
fn tiled(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Vec<Out> {
    let Some(first) = call.types.iter().position(|ty| !ty.constant) else {
        return columns.iter().map(|column| column.values.clone()).collect();
    };
    let rows = nodes.rows(&columns[first], &call.types[first]);
    let rows = nodes.reshape(&rows, DType::Int64, &[1]);
    let each = columns.iter().zip(call.types).map(|(column, ty)| {
        if !ty.constant {
            return column.values.clone();
        }
        let sizes = nodes.list(sizes(ty));
        let shape = nodes.concat(&[&rows, &sizes], DType::Int64, 0);
        let attrs = [("T", of_type(ty.dtype)), ("Tidx", of_type(DType::Int64))];
        nodes.node("BroadcastTo", &[&column.values, &shape], attrs)
    });
    each.collect()
}

fn stacked(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (dtype, constant) = common(call)?;
    let axis = axis(call, call.types[0].shape.len() + 1)? + usize::from(!constant);
    let values = tiled(nodes, call, columns);
    let values: Vec<&Out> = values.iter().collect();
    let n = values.len() as i64;
    let attrs = [("N", Attr::I(n)), ("T", of_type(dtype)), ("axis", Attr::I(axis as i64))];
    Ok(vec![nodes.node("Pack", &values, attrs).into()])
}

fn concatenated(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (dtype, constant) = common(call)?;
    let values = tiled(nodes, call, columns);
    if call.types.iter().all(Type::is_dense) {
        let axis = axis(call, call.types[0].shape.len())? + usize::from(!constant);
        let values: Vec<&Out> = values.iter().collect();
        return Ok(vec![nodes.concat(&values, dtype, axis as i32).into()]);
    }
    if call.types[0].shape.len() > 1 {
        return Err(refused(call, "lists of more than one dimension are not joined there"));
    }
    // Each value's place in the result: behind the rows before, and behind what other columns have in its row.
    let groups: Vec<Segments> = columns
        .iter()
        .zip(call.types)
        .zip(&values)
        .map(|((column, ty), values)| {
            let column = Column { values: values.clone(), splits: column.splits.clone() };
            Segments::of_rows(nodes, &column, &Type { constant: false, ..ty.clone() })
        })
        .collect();
    let mut befores = Vec::new();
    let mut lengths: Option<Out> = None;
    for group in &groups {
        let own = group.counts(nodes);
        befores.push(lengths.clone());
        lengths = Some(match lengths {
            None => own,
            Some(lengths) => nodes.ints("AddV2", &lengths, &own),
        });
    }
    let splits = nodes.splits(&lengths.unwrap_or_default());
    let mut parts = Vec::new();
    for (group, before) in groups.iter().zip(&befores) {
        let begins = nodes.gather(&splits, DType::Int64, &group.ids);
        let mut place = nodes.ints("AddV2", &begins, &group.places);
        if let Some(before) = before {
            let before = group.spread(nodes, before, DType::Int64);
            place = nodes.ints("AddV2", &place, &before);
        }
        parts.push(nodes.cast(&place, DType::Int64, DataType::Int32));
    }
    parts.extend(groups.iter().map(|group| group.values.clone()));
    let parts: Vec<&Out> = parts.iter().collect();
    let attrs = [("N", Attr::I(groups.len() as i64)), ("T", of_type(dtype))];
    let values = nodes.node("DynamicStitch", &parts, attrs);
    Ok(vec![Column { values, splits: vec![splits] }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, ints, lists, refused, texts};

    #[test]
    fn columns_stand_side_by_side() {
        let n = [("n", ints(&[1, 2])), ("k", ints(&[3, 4]))];
        check("tf.stack([n, k, 9])", &n, ints(&[1, 3, 9, 2, 4, 9]));
        check("tf.stack([n, k], axis=-1)", &n, ints(&[1, 3, 2, 4]));
        let vec = [("vec", floats(&[1.0, 2.0, 3.0]))];
        let rows = floats(&[1.0, 2.0, 3.0, -1.0, -2.0, -3.0]);
        check("tf.stack([vec, -vec])", &vec, rows);
        let columns = floats(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0]);
        check("tf.stack([vec, -vec], axis=2)", &vec, columns);
        refused("tf.stack([x, y], axis=0)", "`tf.stack`: `axis` is 0, the rows of the batch");
        refused(
            "tf.stack([x, n])",
            "`tf.stack`: the first of `values` is float32, number 2 is int64",
        );
        refused(
            "tf.stack([xs, xs])",
            "`tf.stack`: number 1 of `values` is float32[var]; all must have one fixed shape",
        );
    }

    #[test]
    fn columns_follow_each_other() {
        let n = [("ns", lists(&[2, 0], ints(&[1, 2]))), ("nvec", ints(&[3, 4, 5, 6, 7, 8]))];
        check("tf.concat([ns, nvec], axis=1)", &n, lists(&[5, 3], ints(&[1, 2, 3, 4, 5, 6, 7, 8])));
        check(
            "tf.concat([[101], ns, [102]], axis=1)",
            &n,
            lists(&[4, 2], ints(&[101, 1, 2, 102, 101, 102])),
        );
        let vec = [("nvec", ints(&[1, 2, 3]))];
        check("tf.concat([nvec, [9], nvec])", &vec, ints(&[1, 2, 3, 9, 1, 2, 3]));
        let two = "tf.concat([tf.stack([nvec, nvec]), tf.stack([nvec * 10])], axis=1)";
        check(two, &vec, ints(&[1, 2, 3, 1, 2, 3, 10, 20, 30]));
        let two =
            "tf.concat([tf.stack([nvec, nvec], axis=2), tf.stack([nvec * 10], axis=2)], axis=2)";
        check(two, &vec, ints(&[1, 1, 10, 2, 2, 20, 3, 3, 30]));
        let ss = [("ss", lists(&[1, 0], texts(&["a"])))];
        check("tf.concat([ss, ss])", &ss, lists(&[2, 0], texts(&["a", "a"])));
        refused(
            "tf.concat([x, y])",
            "`tf.concat`: the first of `values` is float32, a single value",
        );
    }
}
