//! `strings.join`, `strings.reduce_join`: several strings as one.

use engine::Result;

use super::super::axis::Groups;
use super::super::elementwise::{Side, of_dtype, together_all};
use super::super::params::{X, option, values};
use crate::export::Export;
use crate::export::tensorflow::{Attr, Column, Nodes, Out, Segments, of_text, of_type};
use crate::op::{Call, Default, Kind, Op, Param, Takes, function};
use crate::tensor::StringsBuilder;
use crate::types::{DType, Type};

const SEPARATOR: Param =
    option("separator", Takes::Str, Default::Str(""), "what stands between two of them");

/// Columns joined.
pub(in super::super) const JOIN: Op = Op {
    name: "strings.join",
    doc: "the strings of several columns as one, value by value",
    semantics: "Single values and constants meet every value of a row.",
    examples: &[
        "strings.join([s, t])",
        "strings.join([s, '-', t], separator='_')",
        "strings.join([key, ss])",
        "strings.join(['a', s], separator=',')",
        "strings.join([s, svec, ['x', 'y', 'z']])",
        "strings.join([['x', 'y', 'z'], key], separator='-')",
    ],
    params: &[values("values", "the columns"), SEPARATOR],
    kind: Kind::Map {
        types: |call| {
            if let Some(ty) = call.types.iter().find(|ty| ty.dtype != DType::String) {
                return Err(call
                    .wrong(format!("one of `values` is {ty}; string is wanted"))
                    .with_hint("Use `strings.as_string`."));
            }
            Ok(vec![together_all(call, "values")?.0])
        },
        kernel: |call| {
            let (_, broadcast) = together_all(call, "values")?;
            let separator = separator(call);
            Ok(function(move |rows, inputs| {
                let n = broadcast.n_values(rows, inputs);
                let parts = inputs.iter().enumerate();
                let parts = parts.map(|(i, x)| (x.strings(), broadcast.indices(i, rows, inputs)));
                let parts: Vec<_> = parts.collect();
                let mut out = StringsBuilder::with_capacity(n, 0);
                for value in 0..n {
                    for (i, (strings, at)) in parts.iter().enumerate() {
                        if i > 0 {
                            out.buffer().extend_from_slice(&separator);
                        }
                        out.buffer().extend_from_slice(strings.get(at.at(value)));
                    }
                    out.end();
                }
                Ok(broadcast.result(rows, inputs, out.finish()?))
            }))
        },
        domain: None,
        keeps: "values",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(joined),
    },
};

/// A row joined.
pub(in super::super) const REDUCE_JOIN: Op = Op {
    name: "strings.reduce_join",
    doc: "the strings of a row as one",
    semantics: "In their order. '' without any.",
    examples: &[
        "strings.reduce_join(ss, separator=' ')",
        "strings.reduce_join(svec, axis=1)",
        "strings.reduce_join(nested, axis=-1, separator='+')",
        "strings.reduce_join(nested, separator='+')",
        "strings.reduce_join(s)",
        "strings.join([strings.reduce_join(['a', 'b']), s])",
        "strings.reduce_join(tf.stack([svec, svec], axis=1), axis=1, separator='-')",
    ],
    params: &[
        X,
        option(
            "axis",
            Takes::Int,
            Default::None,
            "the dimension that goes; the rows are axis 0. All of a row's values by default",
        ),
        SEPARATOR,
    ],
    kind: Kind::Map {
        types: |call| {
            let x = of_dtype(call, "x", DType::String)?;
            Ok(vec![Type { shape: Groups::new(call)?.0, ..x.clone() }])
        },
        kernel: |call| {
            let groups = Groups::new(call)?.1;
            let (step, separator) = (groups.step(), separator(call));
            Ok(function(move |rows, inputs| {
                let strings = inputs[0].strings();
                let mut out = StringsBuilder::with_capacity(rows, super::n_bytes(strings));
                groups.for_each(inputs[0], |start, n| {
                    for i in 0..n {
                        if i > 0 {
                            out.buffer().extend_from_slice(&separator);
                        }
                        out.buffer().extend_from_slice(strings.get(start + i * step));
                    }
                    out.end();
                });
                Ok(groups.result(inputs[0], out.finish()?))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(reduced),
    },
};

/// Nodes of columns joined: TensorFlow joins those of one shape, and single values.
fn joined(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (ty, broadcast) = together_all(call, "values")?;
    let positions: Vec<usize> = (0..columns.len()).collect();
    let (mut parts, structure, _) = nodes.broadcast(call, &positions, columns, ty, &broadcast)?;
    let same = broadcast.sides().iter().all(|side| matches!(side, Side::Full | Side::One));
    if !same {
        let int = ("T", of_type(DType::Int64));
        let shape = |nodes: &mut Nodes, part: &Out| {
            let attrs = [("T", of_type(DType::String)), ("out_type", of_type(DType::Int64))];
            nodes.node("Shape", &[part], attrs)
        };
        let mut together = shape(nodes, &parts[0]);
        for part in &parts[1..] {
            let own = shape(nodes, part);
            together = nodes.node("BroadcastArgs", &[&together, &own], [int.clone()]);
        }
        for part in &mut parts {
            let attrs = [("T", of_type(DType::String)), ("Tidx", of_type(DType::Int64))];
            *part = nodes.node("BroadcastTo", &[part, &together], attrs);
        }
    }
    let parts: Vec<&Out> = parts.iter().collect();
    let separator = of_text(call.opt_str("separator").unwrap_or(""));
    let attrs = [("N", Attr::I(parts.len() as i64)), ("separator", separator)];
    let joined = nodes.node("StringJoin", &parts, attrs);
    Ok(vec![structure.with_values(joined)])
}

/// Nodes of a row joined, or one dimension of it.
fn reduced(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (x, separator) = (&columns[0], call.opt_str("separator").unwrap_or(""));
    let groups = Segments::new(nodes, call, x)?;
    let joined = nodes.joined(&groups.values, &groups.ids, &groups.n, separator);
    groups.result(nodes, call, x, &joined)
}

fn separator(call: &Call<'_>) -> Vec<u8> {
    call.opt_str("separator").unwrap_or("").as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, lists, refused, texts};

    #[test]
    fn strings_are_joined() {
        let s = [("s", texts(&["a", ""])), ("t", texts(&["b", "c"]))];
        check("strings.join([s, t])", &s, texts(&["ab", "c"]));
        check("strings.join([s, '-', t], separator='_')", &s, texts(&["a_-_b", "_-_c"]));
        let ss = [s[0].clone(), ("ss", lists(&[2, 1], texts(&["x", "y", "z"])))];
        check("strings.join([s, ss, s])", &ss, lists(&[2, 1], texts(&["axa", "aya", "z"])));
        check("strings.reduce_join(ss, separator='|')", &ss, texts(&["x|y", "z"]));
        let vec = [("svec", texts(&["a", "b", "c"]))];
        check(
            "strings.reduce_join(tf.stack([svec, svec]), axis=1)",
            &vec,
            texts(&["aa", "bb", "cc"]),
        );
        refused(
            "strings.join([s, n])",
            "`strings.join`: one of `values` is int64; string is wanted",
        );
    }
}
