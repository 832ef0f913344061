//! `strings.substr`: a part of a string.

use std::ops::Range;

use super::super::params::{X, required};
use super::compare::{UNIT, counts_chars, unit};
use super::{continues, each, map, same};
use crate::export::Export;
use crate::export::tensorflow::{Nodes, Out};
use crate::op::{Op, Takes};
use crate::types::DType;

/// A part of a string.
pub(in super::super) const SUBSTR: Op = Op {
    name: "strings.substr",
    doc: "the part of a string that begins at a position, so long",
    semantics: "A negative position counts from the end. The part ends where the string does; with \
        a negative length always. A position outside of the string gives '' (TensorFlow stops there). \
        In bytes, or with `unit=\"UTF8_CHAR\"` in characters.",
    examples: &[
        "strings.substr(s, 0, 3)",
        "strings.substr(ss, -2, 1)",
        "strings.substr(s, 1, -1, unit='UTF8_CHAR')",
        "strings.substr(s, -1, 5, unit='UTF8_CHAR')",
        "strings.substr(svec, 3, 9223372036854775807)",
        "strings.substr(s, -9223372036854775807, 2)",
        "strings.substr(strings.substr(ss, 1, -1), 1, 3, unit='UTF8_CHAR')",
    ],
    params: &[
        X,
        required("pos", Takes::Int, "where it begins"),
        required("len", Takes::Int, "how long it is"),
        UNIT,
    ],
    kind: map(
        |call| {
            counts_chars(call)?;
            same(call)
        },
        |call| {
            let (pos, len) = (call.opt_int("pos").unwrap_or(0), call.opt_int("len").unwrap_or(-1));
            Ok(if counts_chars(call)? {
                each(move |s, out| out.extend_from_slice(&s[chars(s, pos, len)]))
            } else {
                each(move |s, out| out.extend_from_slice(&s[bytes(s.len(), pos, len)]))
            })
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (pos, len) = (call.opt_int("pos").unwrap_or(0), call.opt_int("len").unwrap_or(-1));
        let part = part(nodes, &columns[0].values, pos, len, unit(call)?);
        Ok(vec![columns[0].with_values(part)])
    })),
};

/// The range of a part of `n` units.
fn bytes(n: usize, pos: i64, len: i64) -> Range<usize> {
    let start = if pos < 0 { (n as i64).checked_add(pos) } else { Some(pos) };
    let start = start.and_then(|start| usize::try_from(start).ok()).filter(|&start| start <= n);
    match (start, usize::try_from(len)) {
        (None, _) => 0..0,
        (Some(start), Ok(len)) => start..start.saturating_add(len).min(n),
        (Some(start), Err(_)) => start..n,
    }
}

/// The same in characters.
fn chars(s: &[u8], pos: i64, len: i64) -> Range<usize> {
    // A string that begins within a character begins with one, as in TensorFlow.
    let begins = |i: &usize| *i == 0 || !continues(s[*i]);
    let n = (0..s.len()).filter(begins).count();
    let range = bytes(n, pos, len);
    let mut starts = (0..s.len()).filter(begins).chain([s.len()]).skip(range.start);
    let start = starts.next().unwrap_or(s.len());
    let end = match range.len() {
        0 => start,
        more => starts.nth(more - 1).unwrap_or(s.len()),
    };
    start..end
}

/// Nodes of the part: TensorFlow's is stopped by a position outside of a string.
fn part(nodes: &mut Nodes, x: &Out, pos: i64, len: i64, unit: &str) -> Out {
    let (zero, one) = (nodes.scalar(0i64), nodes.scalar(1i64));
    let mut n = nodes.string_length(x, unit);
    if unit != "BYTE" {
        // What begins within a character begins with one that is not counted.
        let bytes = nodes.string_length(x, "BYTE");
        let some = nodes.ints("Minimum", &bytes, &one);
        let pos = nodes.typed("ZerosLike", DType::Int64, &[&some]);
        let first = nodes.substr(x, &pos, &some, "BYTE");
        let counted = nodes.string_length(&first, unit);
        let more = nodes.ints("Sub", &some, &counted);
        n = nodes.ints("AddV2", &n, &more);
    }
    // No string is so long.
    let most = i64::from(u32::MAX);
    let at = nodes.scalar(pos.clamp(-most, most));
    let start = if pos < 0 { nodes.ints("AddV2", &n, &at) } else { at };
    let within = nodes.ints("LessEqual", &start, &n);
    let not_before = nodes.ints("GreaterEqual", &start, &zero);
    let within = nodes.node("LogicalAnd", &[&within, &not_before], []);
    let start = nodes.select(&within, &start, &zero, DType::Int64);
    let rest = nodes.ints("Sub", &n, &start);
    let len = nodes.scalar(if len < 0 { most } else { len.min(most) });
    let len = nodes.ints("Minimum", &rest, &len);
    let len = nodes.select(&within, &len, &zero, DType::Int64);
    nodes.substr(x, &start, &len, unit)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bytes, check, texts};

    #[test]
    fn parts_are_cut_out() {
        let s = [("s", texts(&["abc", "", "日本語"]))];
        check("strings.substr(s, 1, 1)", &s, bytes(&[b"b", b"", b"\x97"]));
        check("strings.substr(s, -2, 9)", &s, bytes(&[b"bc", b"", b"\xaa\x9e"]));
        check("strings.substr(s, 1, -1)", &s, bytes(&[b"bc", b"", &"日本語".as_bytes()[1..]]));
        check("strings.substr(s, -9223372036854775807, 1)", &s, texts(&["", "", ""]));
        check("strings.substr(s, 1, 1, 'UTF8_CHAR')", &s, texts(&["b", "", "本"]));
        check("strings.substr(s, -2, 1, 'UTF8_CHAR')", &s, texts(&["b", "", "本"]));
        check("strings.substr(s, 0, 9, 'UTF8_CHAR')", &s, texts(&["abc", "", "日本語"]));
        check("strings.substr(s, 3, 1, 'UTF8_CHAR')", &s, texts(&["", "", ""]));
        check("strings.substr(s, -1, -1, 'UTF8_CHAR')", &s, texts(&["c", "", "語"]));
    }
}
