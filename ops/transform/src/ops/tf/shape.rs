//! `tf.squeeze`, `tf.expand_dims`, `tf.reshape`: the same values in another shape.

use engine::Result;

use super::super::axis::dimension;
use super::super::params::{X, option, required};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, result_type, sizes};
use crate::op::{Call, Default, Kernel, Kind, Literal, Op, Takes, function};
use crate::types::{Dim, Type};

/// Without dimensions of 1.
pub(in super::super) const SQUEEZE: Op = Op {
    name: "tf.squeeze",
    doc: "the same values without dimensions of length 1",
    semantics: "With `axis`, that one (the rows are axis 0); else all of them. A column of single \
        values stays as it is.",
    examples: &[
        "tf.squeeze(tf.stack([x]))",
        "tf.squeeze(tf.stack([s]), axis=1)",
        "tf.squeeze(tf.expand_dims(ns, axis=-1), axis=-1)",
        "tf.squeeze(d, axis=1)",
        "tf.squeeze(flag)",
        "tf.squeeze(when)",
    ],
    params: &[X, option("axis", Takes::Int, Default::None, "the dimension that goes")],
    kind: kind(|call| {
        let x = call.ty("x")?;
        let one = Dim::Fixed(1);
        let mut shape = x.shape.clone();
        match call.opt_int("axis") {
            Some(_) if shape.is_empty() => {}
            Some(axis) => {
                if shape.remove(dimension(call, x, axis, x.shape.len())?) != one {
                    return Err(call.wrong(format!("axis {axis} of {x} is not of length 1")));
                }
            }
            None => shape.retain(|dim| *dim != one),
        }
        Ok(vec![Type { shape, ..x.clone() }])
    }),
};

/// With one dimension of 1 more.
pub(in super::super) const EXPAND_DIMS: Op = Op {
    name: "tf.expand_dims",
    doc: "the same values with one more dimension, of length 1",
    semantics: "`axis` says where it comes: 1 before the others of a row, -1 after them.",
    examples: &[
        "tf.expand_dims(x, axis=1)",
        "tf.expand_dims(n)",
        "tf.expand_dims(ds, axis=1)",
        "tf.expand_dims(svec, axis=2)",
        "tf.expand_dims(flags)",
        "tf.expand_dims(when)",
    ],
    params: &[X, option("axis", Takes::Int, Default::Int(-1), "where the new dimension comes")],
    kind: kind(|call| {
        let x = call.ty("x")?;
        let axis = call.opt_int("axis").unwrap_or(-1);
        let mut shape = x.shape.clone();
        shape.insert(dimension(call, x, axis, x.shape.len() + 1)?, Dim::Fixed(1));
        Ok(vec![Type { shape, ..x.clone() }])
    }),
};

/// In another fixed shape.
pub(in super::super) const RESHAPE: Op = Op {
    name: "tf.reshape",
    doc: "the same values of a row in another fixed shape",
    semantics: "`shape` begins with the rows, as in TensorFlow: -1 or None. The rest is fixed, and as \
        large as before.",
    examples: &[
        "tf.reshape(vec, [-1, 3, 1])",
        "tf.reshape(tf.stack([vec, vec]), [-1, 6])",
        "tf.reshape(n, [None, 1])",
        "tf.reshape(svec, [-1, 1, 3])",
        "tf.reshape(tf.stack([d]), [-1])",
        "tf.reshape(flag, [-1, 1])",
        "tf.reshape(when, [-1, 1])",
    ],
    params: &[X, required("shape", Takes::Literal, "the lengths of the dimensions, rows first")],
    kind: kind(|call| {
        let x = call.ty("x")?;
        let shape = fixed_shape(call, x.constant)?;
        let ty = Type { shape, ..x.clone() };
        if x.fixed_len().is_none() || x.fixed_len() != ty.fixed_len() {
            return Err(call.wrong(format!("{x} does not fit into {ty}")));
        }
        Ok(vec![ty])
    }),
};

/// The dimensions of a row that the parameter `shape` says.
///
/// # Errors
/// When it does not begin with the rows, or something in it is no length.
pub(super) fn fixed_shape(call: &Call<'_>, constant: bool) -> Result<Vec<Dim>> {
    let literal = call.literal("shape");
    let wrong = |why: &str| Err(call.wrong(format!("`shape` is {literal}; {why}")));
    let Literal::List(dims) = literal else {
        return wrong("a list is wanted");
    };
    let dims = match (constant, dims.split_first()) {
        (true, _) => &dims[..],
        (false, Some((Literal::Int(-1) | Literal::None, rest))) => rest,
        (false, _) => return wrong("it must begin with the rows, -1 or None"),
    };
    let dim = |dim: &Literal| match dim {
        Literal::Int(n) if *n > 0 => u32::try_from(*n).ok().map(Dim::Fixed),
        _ => None,
    };
    match dims.iter().map(dim).collect() {
        Some(dims) => Ok(dims),
        None => wrong("after the rows, fixed lengths are wanted"),
    }
}

const fn kind(types: fn(&Call<'_>) -> Result<Vec<Type>>) -> Kind {
    Kind::Map {
        types,
        kernel: same,
        domain: Some(|call| call.domains[0]),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(reshaped),
    }
}

/// Dimensions are a matter of types: values and splits stay.
#[expect(clippy::unnecessary_wraps, reason = "a kernel's constructor may fail")]
fn same(_: &Call<'_>) -> Result<Box<dyn Kernel>> {
    Ok(function(|_, inputs| Ok(inputs[0].clone())))
}

fn reshaped(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let ty = result_type(call)?;
    let values = nodes.reshape(&columns[0].values, ty.dtype, &sizes(&ty));
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, refused};

    #[test]
    fn shapes_change_and_values_stay() {
        let vec = [("vec", floats(&[1.0, 2.0, 3.0]))];
        check("tf.squeeze(tf.expand_dims(vec, axis=1), axis=1)", &vec, vec[0].1.clone());
        check("tf.reshape(vec, [-1, 3, 1])", &vec, vec[0].1.clone());
        check("tf.squeeze(tf.reshape(vec, [None, 1, 3])) + vec", &vec, floats(&[2.0, 4.0, 6.0]));
        refused("tf.squeeze(vec, axis=1)", "`tf.squeeze`: axis 1 of float32[3] is not of length 1");
        refused(
            "tf.expand_dims(x, axis=0)",
            "`tf.expand_dims`: `axis` is 0, the rows of the batch",
        );
        refused(
            "tf.reshape(vec, [-1, 4])",
            "`tf.reshape`: float32[3] does not fit into float32[4]",
        );
        refused(
            "tf.reshape(vec, [3, 1])",
            "`tf.reshape`: `shape` is [3, 1]; it must begin with the rows, -1 or None",
        );
        refused(
            "tf.reshape(xs, [-1, 4])",
            "`tf.reshape`: float32[var] does not fit into float32[4]",
        );
    }
}
