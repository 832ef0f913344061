//! `tf.zeros_like`, `tf.ones_like`, `tf.fill_like`: constants in the structure of a column.

use engine::Result;

use super::super::params::{X, option, required};
use crate::bind;
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes};
use crate::op::{Call, Default, Kernel, Kind, Literal, Op, Param, Takes, function};
use crate::tensor::{StringsBuilder, Tensor, Values};
use crate::types::{DType, Type};

/// A kind whose constant is what this function of the call says.
macro_rules! filled {
    ($literal:expr) => {
        Kind::Map {
            types: |call| types(call, &$literal(call)?),
            kernel: |call| kernel(call, &$literal(call)?),
            domain: None,
            keeps: "x",
            onnx: Export::AS_TENSORFLOW,
            tensorflow: Export::Nodes(|nodes, call, columns| {
                let literal = $literal(call)?;
                filled(nodes, call, columns, &literal)
            }),
        }
    };
}
const DTYPE: Param =
    option("dtype", Takes::DType, Default::None, "another type; the column's by default");

/// Zeros.
pub(in super::super) const ZEROS_LIKE: Op = Op {
    name: "tf.zeros_like",
    doc: "0 for every value of a column",
    semantics: "False for booleans, '' for strings, 1970 for timestamps. Missing values stay missing.",
    examples: &[
        "tf.zeros_like(x)",
        "tf.zeros_like(ns)",
        "tf.zeros_like(d)",
        "tf.zeros_like(s)",
        "tf.zeros_like(flag)",
        "tf.zeros_like(when)",
        "tf.zeros_like(vec, dtype=tf.int64)",
    ],
    params: &[X, DTYPE],
    kind: filled!(zero),
};

/// Ones.
pub(in super::super) const ONES_LIKE: Op = Op {
    name: "tf.ones_like",
    doc: "1 for every value of a column",
    semantics: "True for booleans. Missing values stay missing. A string is no one: give a `dtype`.",
    examples: &[
        "tf.ones_like(x)",
        "tf.ones_like(ns)",
        "tf.ones_like(d)",
        "tf.ones_like(flag)",
        "tf.ones_like(ss, dtype=tf.float32)",
    ],
    params: &[X, DTYPE],
    kind: filled!(one),
};

/// Any constant.
pub(in super::super) const FILL_LIKE: Op = Op {
    name: "tf.fill_like",
    doc: "one constant for every value of a column",
    semantics: "Of the column's dtype, or of `dtype`. Missing values stay missing.",
    examples: &[
        "tf.fill_like(x, 0.5)",
        "tf.fill_like(ns, -1)",
        "tf.fill_like(ss, 'none')",
        "tf.fill_like(flag, True)",
        "tf.fill_like(s, 1.5, dtype=tf.float64)",
        "tf.fill_like(when, 0)",
    ],
    params: &[X, required("value", Takes::Literal, "the constant"), DTYPE],
    kind: filled!(given),
};

fn dtype(call: &Call<'_>) -> Result<DType> {
    Ok(call.opt_dtype("dtype").unwrap_or(call.ty("x")?.dtype))
}

fn zero(call: &Call<'_>) -> Result<Literal> {
    Ok(match dtype(call)? {
        DType::String => Literal::Str(String::new()),
        DType::Bool => Literal::Bool(false),
        _ => Literal::Int(0),
    })
}

fn one(call: &Call<'_>) -> Result<Literal> {
    Ok(if dtype(call)? == DType::Bool { Literal::Bool(true) } else { Literal::Int(1) })
}

#[expect(clippy::unnecessary_wraps, reason = "as its siblings, which may fail")]
fn given(call: &Call<'_>) -> Result<Literal> {
    Ok(call.literal("value").clone())
}

fn types(call: &Call<'_>, literal: &Literal) -> Result<Vec<Type>> {
    constant(call, literal)?;
    Ok(vec![call.ty("x")?.with_dtype(dtype(call)?)])
}

fn constant(call: &Call<'_>, literal: &Literal) -> Result<Tensor> {
    let (ty, tensor) =
        bind::constant(literal, Some(dtype(call)?)).map_err(|e| call.wrong(e.message()))?;
    if !ty.is_scalar() {
        return Err(call.wrong(format!("{literal} is more than one value")));
    }
    Ok(tensor)
}

fn kernel(call: &Call<'_>, literal: &Literal) -> Result<Box<dyn Kernel>> {
    let constant = constant(call, literal)?;
    Ok(function(move |_, inputs| {
        let n = inputs[0].values.len();
        let values: Values = match &constant.values {
            Values::Bool(v) => vec![v[0]; n].into(),
            Values::Int64(v) => vec![v[0]; n].into(),
            Values::Float32(v) => vec![v[0]; n].into(),
            Values::Float64(v) => vec![v[0]; n].into(),
            Values::String(v) => {
                let mut strings = StringsBuilder::with_capacity(n, 0);
                (0..n).for_each(|_| strings.push(v.get(0)));
                strings.finish()?.into()
            }
            asset @ (Values::Vocabulary(_) | Values::Tokenizer(_)) => asset.clone(),
        };
        Ok(inputs[0].with_values(values))
    }))
}

fn filled(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
    literal: &Literal,
) -> Result<Vec<Column>> {
    let value = nodes.constant(&constant(call, literal)?.values, &[]);
    let values = nodes.fill(&columns[0].values, call.ty("x")?.dtype, &value, dtype(call)?);
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, floats, ints, lists, refused, texts};

    #[test]
    fn columns_are_filled() {
        let xs = [("xs", lists(&[1, 0, 2], floats(&[7.0, f32::NAN, 1.0])))];
        let filled = |values| lists(&[1, 0, 2], values);
        check("tf.zeros_like(xs)", &xs, filled(floats(&[0.0; 3])));
        check("tf.ones_like(xs, dtype=tf.int64)", &xs, filled(ints(&[1; 3])));
        check("tf.fill_like(xs, 'é', dtype=tf.string)", &xs, filled(texts(&["é"; 3])));
        check("tf.zeros_like(s)", &[("s", texts(&["a"]))], texts(&[""]));
        check("tf.ones_like(flag)", &[("flag", bools(&[false]))], bools(&[true]));
        refused("tf.ones_like(s)", "`tf.ones_like`: 1 is no string");
        refused("tf.fill_like(n, 0.5)", "`tf.fill_like`: 0.5 is no int64");
        refused("tf.fill_like(n, [1])", "`tf.fill_like`: [1] is more than one value");
    }
}
