//! `math.logical_*`: and, or, not, exclusive or.

use engine::Result;

use super::super::elementwise::{map as map_values, of_dtype, together};
use super::super::params::{X, value};
use super::map;
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes};
use crate::op::{Call, Kernel, Op, Param, function};
use crate::types::{DType, Type};

const PARAMS: &[Param] = &[value("x", "left operand"), value("y", "right operand")];

/// Both.
pub(in super::super) const LOGICAL_AND: Op = Op {
    name: "math.logical_and",
    doc: "whether both are true",
    semantics: "Of booleans.",
    examples: &["math.logical_and(flag, flag)", "math.logical_and(flags, flag)"],
    params: PARAMS,
    kind: map(types, |call| kernel(call, |a, b| a & b)).tensorflow(Export::Nodes(
        |nodes, call, columns| logical(nodes, call, columns, "LogicalAnd"),
    )),
};

/// Either.
pub(in super::super) const LOGICAL_OR: Op = Op {
    name: "math.logical_or",
    doc: "whether either is true",
    semantics: "Of booleans.",
    examples: &["math.logical_or(flag, True)", "math.logical_or(flags, flags)"],
    params: PARAMS,
    kind: map(types, |call| kernel(call, |a, b| a | b)).tensorflow(Export::Nodes(
        |nodes, call, columns| logical(nodes, call, columns, "LogicalOr"),
    )),
};

/// One of both.
pub(in super::super) const LOGICAL_XOR: Op = Op {
    name: "math.logical_xor",
    doc: "whether one is true and the other false",
    semantics: "Of booleans.",
    examples: &["math.logical_xor(flag, True)", "math.logical_xor(flags, flag)"],
    params: PARAMS,
    kind: map(types, |call| kernel(call, |a, b| a ^ b)).tensorflow(Export::Nodes(
        |nodes, call, columns| logical(nodes, call, columns, "NotEqual"),
    )),
};

/// The opposite.
pub(in super::super) const LOGICAL_NOT: Op = Op {
    name: "math.logical_not",
    doc: "whether it is false",
    semantics: "Of booleans.",
    examples: &[
        "math.logical_not(flag)",
        "math.logical_not(flags)",
        "math.logical_not(math.less(x, y))",
    ],
    params: &[X],
    kind: map(
        |call| Ok(vec![of_dtype(call, "x", DType::Bool)?.clone()]),
        |_| Ok(function(|_, inputs| Ok(map_values(inputs[0], |a: u8| a ^ 1)))),
    )
    .tensorflow(Export::Nodes(|nodes, _, columns| {
        let values = nodes.opposite(&columns[0].values);
        Ok(vec![Column { values, ..columns[0].clone() }])
    })),
};

fn types(call: &Call<'_>) -> Result<Vec<Type>> {
    of_dtype(call, "x", DType::Bool)?;
    of_dtype(call, "y", DType::Bool)?;
    Ok(vec![together(call, &["x", "y"])?.0])
}

fn kernel(
    call: &Call<'_>,
    f: impl Fn(u8, u8) -> u8 + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    let (_, broadcast) = together(call, &["x", "y"])?;
    Ok(function(move |rows, inputs| Ok(broadcast.zip(rows, inputs, &f))))
}

fn logical(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
    op: &str,
) -> Result<Vec<Column>> {
    let (operands, structure, _) = nodes.operands(call, &["x", "y"], columns)?;
    let operands = [&operands[0], &operands[1]];
    let values = match op {
        "NotEqual" => nodes.typed(op, DType::Bool, &operands),
        _ => nodes.node(op, &operands, []),
    };
    Ok(vec![Column { values, ..structure }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, refused};

    #[test]
    fn truth_values_are_combined() {
        let flag = [("flag", bools(&[true, false]))];
        check("math.logical_and(flag, True)", &flag, bools(&[true, false]));
        check("math.logical_or(flag, True)", &flag, bools(&[true, true]));
        check("math.logical_xor(flag, True)", &flag, bools(&[false, true]));
        check("math.logical_not(flag)", &flag, bools(&[false, true]));
        refused("math.logical_not(n)", "`math.logical_not`: `x` is int64; bool is wanted");
    }
}
