//! `strings.split`, `unicode_split`, `bytes_split`: a string as a list.

use memchr::memmem;

use super::super::params::{X, option};
use super::case::{ERRORS, ignores_errors, utf8};
use super::{is_space, list_of_each, lists, pieces};
use crate::export::Export;
use crate::export::tensorflow::{Attr, Column, Nodes, Out, column_of};
use crate::op::{Default, Op, Takes};
use crate::tensor::StringsBuilder;
use crate::types::DType;

/// Parts between separators.
pub(in super::super) const SPLIT: Op = Op {
    name: "strings.split",
    doc: "the parts of a string between separators",
    semantics: "Without a separator (or with '') at runs of ASCII's white space, without empty \
        parts; else at every separator, empty parts included: '' gives ['']. With `maxsplit` of 1 or \
        more, what is left after so many splits is the last part. Lists give lists of lists.",
    examples: &[
        "strings.split(s)",
        "strings.split(strings.lower(s), sep=' ')",
        "strings.split(ss, ',')",
        "strings.split(svec, maxsplit=1)",
        "strings.split(s, ' ', maxsplit=2)",
        "strings.split(s, maxsplit=1)",
        "strings.reduce_join(strings.split(ss, 'a'), axis=-1, separator='|')",
        "strings.reduce_join(strings.split(svec), separator='|')",
    ],
    params: &[
        X,
        option("sep", Takes::Str, Default::None, "the separator; white space by default"),
        option("maxsplit", Takes::Int, Default::Int(-1), "most splits; all by default"),
    ],
    kind: lists(list_of_each, |call| {
        let most = call.opt_int("maxsplit").filter(|&most| most > 0);
        let most = most.map_or(usize::MAX, |most| most as usize);
        Ok(match call.opt_str("sep") {
            None | Some("") => pieces(move |s, out| words(s, most, out)),
            Some(sep) => {
                let (finder, n) = (memmem::Finder::new(sep).into_owned(), sep.len());
                pieces(move |s, out| {
                    let mut rest = 0;
                    for found in finder.find_iter(s).take(most) {
                        out.push(&s[rest..found]);
                        rest = found + n;
                    }
                    out.push(&s[rest..]);
                })
            }
        })
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let flat = nodes.flattened(&columns[0].values, DType::String);
        let sep = nodes.text(call.opt_str("sep").unwrap_or(""));
        let most = call.opt_int("maxsplit").filter(|&most| most > 0).unwrap_or(-1);
        let most = [("maxsplit", Attr::I(most))];
        let split = nodes.node("StringSplitV2", &[&flat, &sep], most);
        let of = column_of(nodes, &split, 0);
        Ok(vec![pieces_there(nodes, &columns[0], &flat, (&split.port(1), &of))])
    })),
};

/// Characters.
pub(in super::super) const UNICODE_SPLIT: Op = Op {
    name: "strings.unicode_split",
    doc: "the characters of a string",
    semantics: "Code points of UTF-8. What is none becomes U+FFFD, or goes with `errors=\"ignore\"`.",
    examples: &[
        "strings.unicode_split(s, 'UTF-8')",
        "strings.unicode_split(ss)",
        "strings.unicode_split(s, errors='ignore')",
        "strings.reduce_join(strings.unicode_split(svec), separator='|')",
    ],
    params: &[
        X,
        option("input_encoding", Takes::Str, Default::Str("UTF-8"), "the encoding: UTF-8"),
        ERRORS,
    ],
    kind: lists(
        |call| {
            utf8(call, "input_encoding")?;
            ignores_errors(call)?;
            list_of_each(call)
        },
        |call| {
            let ignore = ignores_errors(call)?;
            Ok(pieces(move |s, out| {
                for chunk in s.utf8_chunks() {
                    let mut buffer = [0; 4];
                    let chars = chunk.valid().chars();
                    chars.for_each(|c| out.push(c.encode_utf8(&mut buffer).as_bytes()));
                    if !chunk.invalid().is_empty() && !ignore {
                        out.push("\u{fffd}".as_bytes());
                    }
                }
            }))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let flat = nodes.flattened(&columns[0].values, DType::String);
        let valid = nodes.valid_utf8(&flat, ignores_errors(call)?);
        let (chars, of) = nodes.chars(&valid);
        Ok(vec![pieces_there(nodes, &columns[0], &flat, (&chars, &of))])
    })),
};

/// Bytes.
pub(in super::super) const BYTES_SPLIT: Op = Op {
    name: "strings.bytes_split",
    doc: "the bytes of a string, one string each",
    semantics: "Whatever they mean.",
    examples: &[
        "strings.bytes_split(s)",
        "strings.bytes_split(ss)",
        "strings.reduce_join(strings.bytes_split(ss), axis=-1, separator='|')",
    ],
    params: &[X],
    kind: lists(list_of_each, |_| {
        Ok(pieces(|s, out| s.iter().for_each(|b| out.push(std::slice::from_ref(b)))))
    })
    .tensorflow(Export::Nodes(|nodes, _, columns| {
        let flat = nodes.flattened(&columns[0].values, DType::String);
        let none = nodes.text("");
        let split = [("skip_empty", Attr::B(false))];
        let split = nodes.node("StringSplit", &[&flat, &none], split);
        let of = column_of(nodes, &split, 0);
        Ok(vec![pieces_there(nodes, &columns[0], &flat, (&split.port(1), &of))])
    })),
};

/// The column of pieces, each of one of these strings.
fn pieces_there(
    nodes: &mut Nodes,
    x: &Column,
    strings: &Out,
    (pieces, of): (&Out, &Out),
) -> Column {
    let n = nodes.size(strings, DType::String);
    let mut splits = x.splits.clone();
    splits.push(nodes.splits_by(of, &n));
    Column { values: pieces.clone(), splits }
}

/// Parts between runs of white space; after `most` splits what is left.
fn words(s: &[u8], most: usize, out: &mut StringsBuilder) {
    let skip = |from: usize| s[from..].iter().position(|&b| !is_space(b)).map(|n| from + n);
    let mut start = skip(0);
    let mut splits = 0;
    while let Some(from) = start {
        let end = s[from..].iter().position(|&b| is_space(b)).map_or(s.len(), |n| from + n);
        out.push(&s[from..end]);
        start = skip(end);
        splits += 1;
        if splits == most {
            return out.push(start.map_or(&[][..], |from| &s[from..]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bytes, check, lists, texts};

    #[test]
    fn strings_are_split() {
        let s = [("s", texts(&["  a  b\u{b}c ", "", " ", "a"]))];
        check("strings.split(s)", &s, lists(&[3, 0, 0, 1], texts(&["a", "b", "c", "a"])));
        check(
            "strings.split(s, maxsplit=1)",
            &s,
            lists(&[2, 0, 0, 2], texts(&["a", "b\u{b}c ", "a", ""])),
        );
        let s = [("s", texts(&["a,b,,c,", "", "aaa", ","]))];
        check(
            "strings.split(s, ',')",
            &s,
            lists(&[5, 1, 1, 2], texts(&["a", "b", "", "c", "", "", "aaa", "", ""])),
        );
        check(
            "strings.split(s, 'aa')",
            &s,
            lists(&[1, 1, 2, 1], texts(&["a,b,,c,", "", "", "a", ","])),
        );
        check(
            "strings.split(s, ',', 1)",
            &s,
            lists(&[2, 1, 1, 2], texts(&["a", "b,,c,", "", "aaa", "", ""])),
        );
        let ss = [("ss", lists(&[2, 0], texts(&["a b", ""])))];
        check("strings.split(ss)", &ss, lists(&[2, 0], lists(&[2, 0], texts(&["a", "b"]))));
    }

    #[test]
    fn strings_are_taken_apart() {
        let s = [("s", bytes(&["aé".as_bytes(), b"\xffb", b""]))];
        check(
            "strings.unicode_split(s, 'UTF-8')",
            &s,
            lists(&[2, 2, 0], texts(&["a", "é", "\u{fffd}", "b"])),
        );
        check(
            "strings.unicode_split(s, errors='ignore')",
            &s,
            lists(&[2, 1, 0], texts(&["a", "é", "b"])),
        );
        check(
            "strings.bytes_split(s)",
            &s,
            lists(&[3, 2, 0], bytes(&[b"a", b"\xc3", b"\xa9", b"\xff", b"b"])),
        );
    }
}
