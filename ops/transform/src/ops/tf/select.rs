//! `tf.where`, `tf.boolean_mask`: one value or another, or none.

use engine::Result;

use super::super::copied::copied;
use super::super::elementwise::{Broadcast, Native, of_dtype, together};
use super::super::params::{value, value_like};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Segments};
use crate::op::{Call, Kernel, Kind, Op, function};
use crate::tensor::{StringsBuilder, Tensor, splits_of};
use crate::types::{DType, Type};

const OPERANDS: &[&str] = &["condition", "x", "y"];

/// One value or another.
pub(in super::super) const WHERE: Op = Op {
    name: "tf.where",
    doc: "`x` where the condition holds, else `y`",
    semantics: "`x` and `y` are of one dtype. One of the three may be a single value for each row, \
        or a constant, that meets all values of the others.",
    examples: &[
        "tf.where(flag, x, y)",
        "tf.where(math.is_nan(x), 0.0, x)",
        "tf.where(flag, n, 0)",
        "tf.where(math.greater(ds, 0.5), ds, d)",
        "tf.where(flag, s, 'none')",
        "tf.where(flags, s, t)",
        "tf.where(flag, ss, '')",
        "tf.where(flag, flag, False)",
        "tf.where(flag, when, when)",
    ],
    params: &[
        value("condition", "booleans"),
        value_like("x", "y", "where it holds"),
        value_like("y", "x", "where it does not"),
    ],
    kind: Kind::Map {
        types: |call| {
            of_dtype(call, "condition", DType::Bool)?;
            let (x, y) = (call.ty("x")?, call.ty("y")?);
            if x.dtype != y.dtype || x.dtype.is_asset() {
                return Err(call
                    .wrong(format!("`x` is {}, `y` is {}", x.dtype, y.dtype))
                    .with_hint("Convert one side with `tf.cast`."));
            }
            Ok(vec![Type { dtype: x.dtype, ..together(call, OPERANDS)?.0 }])
        },
        kernel,
        domain: Some(|call| {
            let (x, y) = (of(call, "x")?, of(call, "y")?);
            Some((x.0.min(y.0), x.1.max(y.1)))
        }),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (operands, structure, _) = nodes.operands(call, OPERANDS, columns)?;
            let [condition, x, y] = [0, 1, 2].map(|i| &operands[i]);
            let values = nodes.select(condition, x, y, call.ty("x")?.dtype);
            Ok(vec![Column { values, ..structure }])
        }),
    },
};

/// Values, or none.
pub(in super::super) const BOOLEAN_MASK: Op = Op {
    name: "tf.boolean_mask",
    doc: "the values for which a condition holds, as a list for each row",
    semantics: "Rows stay rows: one without such a value has an empty list, where TensorFlow drops the \
        row. Analyzers see the same values. The mask has the shape of `x`, or one value for each row.",
    examples: &[
        "tf.boolean_mask(x, flag)",
        "tf.boolean_mask(ns, math.greater(ns, 0))",
        "tf.boolean_mask(ds, flag)",
        "tf.boolean_mask(ss, math.not_equal(ss, ''))",
        "tf.boolean_mask(vec, math.is_finite(vec))",
        "tf.boolean_mask(flags, flags)",
        "tf.boolean_mask(when, flag)",
    ],
    params: &[value("x", "a column"), value("mask", "booleans")],
    kind: Kind::Map {
        types: |call| {
            of_dtype(call, "mask", DType::Bool)?;
            let ty = together(call, MASKED)?.0;
            let x = call.ty("x")?;
            if x.constant || x.shape.len() > 1 || ty.shape != x.shape {
                return Err(call.wrong_type("x", "a column of one dimension or none"));
            }
            Ok(vec![Type::var_len(x.dtype)])
        },
        kernel: |call| {
            let (_, broadcast) = together(call, MASKED)?;
            let shape = call.ty("x")?.shape.clone();
            Ok(function(move |rows, inputs| {
                let mask = broadcast.expand::<u8>(1, rows, inputs);
                let ends = inputs[0].row_ends(&shape);
                let kept = |row: usize| ends.range(row).filter(|&i| mask[i] != 0);
                let values = copied(&inputs[..1], |copy| {
                    (0..rows).flat_map(kept).for_each(|i| copy(0, i..i + 1));
                })?;
                Ok(Tensor::var_len(splits_of((0..rows).map(|row| kept(row).count()))?, values))
            }))
        },
        domain: Some(|call| call.domains[0]),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(masked),
    },
};

const MASKED: &[&str] = &["x", "mask"];

/// The range of an operand, if it is known.
fn of(call: &Call<'_>, param: &str) -> Option<(i64, i64)> {
    let position = call.position(param)?;
    call.domains[position]
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (_, broadcast) = together(call, OPERANDS)?;
    Ok(match call.ty("x")?.dtype {
        DType::Bool => natives::<u8>(broadcast),
        DType::Int64 | DType::Timestamp => natives::<i64>(broadcast),
        DType::Float32 => natives::<f32>(broadcast),
        DType::Float64 => natives::<f64>(broadcast),
        DType::String | DType::Vocabulary | DType::Tokenizer => strings(broadcast),
    })
}

fn natives<T: Native>(broadcast: Broadcast) -> Box<dyn Kernel> {
    function(move |rows, inputs| {
        let condition = broadcast.expand::<u8>(0, rows, inputs);
        let x = broadcast.expand::<T>(1, rows, inputs);
        let y = broadcast.expand::<T>(2, rows, inputs);
        let values = condition.iter().zip(x.iter().zip(y.iter()));
        let values = values.map(|(&holds, (&x, &y))| if holds == 0 { y } else { x });
        Ok(broadcast.result(rows, inputs, T::values(values.collect())))
    })
}

fn strings(broadcast: Broadcast) -> Box<dyn Kernel> {
    function(move |rows, inputs| {
        let condition = broadcast.expand::<u8>(0, rows, inputs);
        let (x, y) = (inputs[1].strings(), inputs[2].strings());
        let (at_x, at_y) = (broadcast.indices(1, rows, inputs), broadcast.indices(2, rows, inputs));
        let mut out = StringsBuilder::with_capacity(condition.len(), x.bytes().len());
        for (i, &holds) in condition.iter().enumerate() {
            out.push(if holds == 0 { y.get(at_y.at(i)) } else { x.get(at_x.at(i)) });
        }
        Ok(broadcast.result(rows, inputs, out.finish()?))
    })
}

fn masked(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (operands, structure, ty) = nodes.operands(call, MASKED, columns)?;
    let x = Column { values: operands[0].clone(), ..structure };
    let groups = Segments::of_rows(nodes, &x, &ty);
    // One value for each row, where that is what it is.
    let all = nodes.like(&x.values, ty.dtype, DType::Bool, 1.0);
    let mask = nodes.node("LogicalAnd", &[&all, &operands[1]], []);
    let mask = nodes.reshape(&mask, DType::Bool, &[-1]);
    Ok(vec![nodes.lists_of(&groups.values, ty.dtype, &groups, &mask)])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, floats, lists, refused, texts};

    #[test]
    fn the_condition_chooses() {
        let nan = f32::NAN;
        let x = [("x", floats(&[1.0, nan])), ("flag", bools(&[true, false]))];
        check("tf.where(math.is_nan(x), 0.0, x)", &x, floats(&[1.0, 0.0]));
        check("tf.where(flag, [1.0, 2.0, 3.0], x)", &x, floats(&[1.0, 2.0, 3.0, nan, nan, nan]));
        let ss = [("ss", lists(&[2, 1], texts(&["a", "b", "c"]))), x[1].clone()];
        check("tf.where(flag, ss, '')", &ss, lists(&[2, 1], texts(&["a", "b", ""])));
        check(
            "tf.where(math.equal(ss, 'b'), 'x', ss)",
            &ss,
            lists(&[2, 1], texts(&["a", "x", "c"])),
        );
        let x = [("x", floats(&[1.0, nan, 3.0])), ("flag", bools(&[true, false, true]))];
        check("tf.boolean_mask(x, flag)", &x, lists(&[1, 0, 1], floats(&[1.0, 3.0])));
        check(
            "tf.boolean_mask(ss, math.not_equal(ss, 'b'))",
            &ss[..1],
            lists(&[1, 1], texts(&["a", "c"])),
        );
        check("tf.boolean_mask(ss, flag)", &ss, lists(&[2, 0], texts(&["a", "b"])));
        refused(
            "tf.boolean_mask(x, flags)",
            "`tf.boolean_mask`: `x` is float32; a column of one dimension or none is wanted",
        );
        refused("tf.where(n, x, y)", "`tf.where`: `condition` is int64; bool is wanted");
        refused("tf.where(flag, x, n)", "`tf.where`: `x` is float32, `y` is int64");
    }
}
