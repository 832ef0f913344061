//! `strings.join`, `strings.reduce_join`: several strings as one.

use super::super::axis::Groups;
use super::super::elementwise::{of_dtype, together_all};
use super::super::params::{X, option, values};
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
        tensorflow: crate::op::UNSAID,
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
        tensorflow: crate::op::UNSAID,
    },
};

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
