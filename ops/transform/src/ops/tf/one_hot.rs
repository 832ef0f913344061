//! `tf.one_hot`: an index as a vector.

use engine::Result;

use super::super::elementwise::{Native, of_dtype};
use super::super::params::{option, required, value};
use crate::bind;
use crate::export::Export;
use crate::export::tensorflow::{Column, of_type};
use crate::op::{Call, Default, Kernel, Kind, Literal, Op, Takes, function};
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Dim, Type};

/// An index as a vector.
pub(in super::super) const ONE_HOT: Op = Op {
    name: "tf.one_hot",
    doc: "an index as a vector that is on there and off elsewhere",
    semantics: "An index outside [0, depth) gives a vector that is off everywhere. Lists of indices \
        give lists of vectors. The dtype is `dtype`, else that of `on_value`, else float32.",
    examples: &[
        "tf.one_hot(n, 4)",
        "tf.one_hot(ns, 3)",
        "tf.one_hot(nvec, 2, on_value=5, off_value=-1)",
        "tf.one_hot(n, 2, on_value=True, off_value=False, dtype=tf.bool)",
        "tf.one_hot(n, 2, on_value=0.5, dtype=tf.float64)",
    ],
    params: &[
        value("indices", "integers"),
        required("depth", Takes::Int, "the length of the vectors"),
        option("on_value", Takes::Literal, Default::None, "the value there; 1 by default"),
        option("off_value", Takes::Literal, Default::None, "the value elsewhere; 0 by default"),
        option("dtype", Takes::DType, Default::None, "the type of the values"),
    ],
    kind: Kind::Map {
        types: |call| {
            let indices = of_dtype(call, "indices", DType::Int64)?;
            let (_, on, _) = parts(call)?;
            let mut shape = indices.shape.clone();
            shape.push(Dim::Fixed(depth(call)? as u32));
            Ok(vec![Type { dtype: on.0, shape, ..indices.clone() }])
        },
        kernel: |call| {
            let (depth, (dtype, on), off) = parts(call)?;
            Ok(match dtype {
                DType::Bool => vectors::<u8>(depth, &on, &off),
                DType::Int64 => vectors::<i64>(depth, &on, &off),
                DType::Float32 => vectors::<f32>(depth, &on, &off),
                _ => vectors::<f64>(depth, &on, &off),
            })
        },
        domain: None,
        keeps: "indices",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (depth, (dtype, on), off) = parts(call)?;
            let depth = nodes.int32(depth as i32);
            let (on, off) = (nodes.constant(&on.values, &[]), nodes.constant(&off.values, &[]));
            let attrs = [("T", of_type(dtype)), ("TI", of_type(DType::Int64))];
            let values = nodes.node("OneHot", &[&columns[0].values, &depth, &on, &off], attrs);
            Ok(vec![Column { values, ..columns[0].clone() }])
        }),
    },
};

fn depth(call: &Call<'_>) -> Result<usize> {
    let depth = call.int_from("depth", 1)?;
    match u32::try_from(depth) {
        Ok(depth) if depth <= 1 << 24 => Ok(depth as usize),
        _ => Err(call.wrong(format!("`depth` is {depth}; at most 16777216 is wanted"))),
    }
}

/// Depth, the value where it is on, the value where it is off.
fn parts(call: &Call<'_>) -> Result<(usize, (DType, Tensor), Tensor)> {
    let given = |name: &str| match call.literal(name) {
        Literal::None => None,
        literal => Some(literal.clone()),
    };
    let (on, off) = (given("on_value"), given("off_value"));
    let natural = match (&on, &off) {
        (Some(literal), _) | (None, Some(literal)) => {
            bind::constant(literal, None).map_err(|e| call.wrong(e.message()))?.0.dtype
        }
        (None, None) => DType::Float32,
    };
    let dtype = call.opt_dtype("dtype").unwrap_or(natural);
    if !dtype.is_number() && dtype != DType::Bool {
        return Err(call.wrong(format!("vectors of {dtype} are not made")));
    }
    let value = |given: Option<Literal>, default: bool| {
        let default = match dtype {
            DType::Bool => Literal::Bool(default),
            _ => Literal::Int(i64::from(default)),
        };
        let (ty, tensor) = bind::constant(&given.unwrap_or(default), Some(dtype))
            .map_err(|e| call.wrong(e.message()))?;
        if ty.is_scalar() { Ok(tensor) } else { Err(call.wrong("a single value is wanted")) }
    };
    Ok((depth(call)?, (dtype, value(on, true)?), value(off, false)?))
}

fn vectors<T: Native>(depth: usize, on: &Tensor, off: &Tensor) -> Box<dyn Kernel> {
    let (on, off) = (T::of(on)[0], T::of(off)[0]);
    function(move |_, inputs| {
        let indices = inputs[0].ints();
        let mut values = vec![off; indices.len() * depth];
        for (vector, &index) in values.chunks_exact_mut(depth).zip(indices) {
            if let Some(value) = usize::try_from(index).ok().and_then(|i| vector.get_mut(i)) {
                *value = on;
            }
        }
        let values: Values = T::values(values);
        Ok(Tensor { rows: inputs[0].rows, splits: inputs[0].splits.clone(), values })
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, floats, ints, lists, refused};

    #[test]
    fn indices_become_vectors() {
        let n = [("n", ints(&[1, -1, 2, i64::MAX]))];
        check("tf.one_hot(n, 2)", &n, floats(&[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
        check("tf.one_hot(n, 1, on_value=True)", &n, bools(&[false; 4]));
        let ns = [("ns", lists(&[0, 2], ints(&[0, 1])))];
        check("tf.one_hot(ns, 2, 7, -7)", &ns, lists(&[0, 2], ints(&[7, -7, -7, 7])));
        refused("tf.one_hot(x, 2)", "`tf.one_hot`: `indices` is float32; int64 is wanted");
        refused("tf.one_hot(n, 0)", "`tf.one_hot`: `depth` is 0; at least 1 is wanted");
        refused(
            "tf.one_hot(n, 99999999)",
            "`tf.one_hot`: `depth` is 99999999; at most 16777216 is wanted",
        );
    }
}
