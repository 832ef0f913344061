//! `strings.contains`, `starts_with`, `ends_with`, `replace`, `length`: literal text in strings.

use memchr::memmem;

use super::super::params::{X, option, required};
use super::{continues, each, map, measure, same};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, as_rewrite, quoted};
use crate::op::{Call, Default, Op, Param, Takes};
use crate::types::{DType, Type};
use engine::Result;

const TEXT: Param = required("text", Takes::Str, "the text, as it is");

/// Whether it is there.
pub(in super::super) const CONTAINS: Op = Op {
    name: "strings.contains",
    doc: "whether a string contains a text",
    semantics: "Byte by byte. Every string contains the empty text.",
    examples: &[
        "strings.contains(s, 'a')",
        "strings.contains(ss, '')",
        "strings.contains(svec, '\\n')",
        "strings.contains(s, '本 ')",
    ],
    params: &[X, TEXT],
    kind: map(bools, |call| {
        let finder = memmem::Finder::new(text(call)).into_owned();
        Ok(measure(move |s| u8::from(finder.find(s).is_some())))
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        Ok(matched(nodes, columns, &format!(r"\C*{}\C*", quoted_text(call))))
    })),
};

/// Whether it is at the beginning.
pub(in super::super) const STARTS_WITH: Op = Op {
    name: "strings.starts_with",
    doc: "whether a string begins with a text",
    semantics: "Byte by byte.",
    examples: &[
        "strings.starts_with(s, 'a')",
        "strings.starts_with(ss, '')",
        "strings.starts_with(svec, '[CLS]')",
    ],
    params: &[X, TEXT],
    kind: map(bools, |call| {
        let text = text(call).to_vec();
        Ok(measure(move |s| u8::from(s.starts_with(&text))))
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        Ok(matched(nodes, columns, &format!(r"{}\C*", quoted_text(call))))
    })),
};

/// Whether it is at the end.
pub(in super::super) const ENDS_WITH: Op = Op {
    name: "strings.ends_with",
    doc: "whether a string ends with a text",
    semantics: "Byte by byte.",
    examples: &["strings.ends_with(s, 'a')", "strings.ends_with(ss, '')"],
    params: &[X, TEXT],
    kind: map(bools, |call| {
        let text = text(call).to_vec();
        Ok(measure(move |s| u8::from(s.ends_with(&text))))
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        Ok(matched(nodes, columns, &format!(r"\C*{}", quoted_text(call))))
    })),
};

/// Another text in its place.
pub(in super::super) const REPLACE: Op = Op {
    name: "strings.replace",
    doc: "with every occurrence of a text replaced by another",
    semantics: "Byte by byte, from the left, without overlaps. The empty text is nowhere.",
    examples: &[
        "strings.replace(s, 'a', 'bb')",
        "strings.replace(ss, ' ', '')",
        r"strings.replace(s, '\n', r'\1')",
        "strings.replace(svec, '', 'a')",
    ],
    params: &[X, TEXT, required("by", Takes::Str, "what comes in its place")],
    kind: map(same, |call| {
        let (text, by) =
            (text(call).to_vec(), call.opt_str("by").unwrap_or("").as_bytes().to_vec());
        let finder = memmem::Finder::new(&text).into_owned();
        Ok(each(move |s, out| {
            let mut rest = 0;
            if !text.is_empty() {
                for found in finder.find_iter(s) {
                    out.extend_from_slice(&s[rest..found]);
                    out.extend_from_slice(&by);
                    rest = found + text.len();
                }
            }
            out.extend_from_slice(&s[rest..]);
        }))
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (text, by) = (quoted_text(call), as_rewrite(call.opt_str("by").unwrap_or("")));
        if text.is_empty() {
            return Ok(vec![columns[0].clone()]);
        }
        let replaced = nodes.rewritten(&columns[0].values, &text, &by, true);
        Ok(vec![columns[0].with_values(replaced)])
    })),
};

/// How long it is.
pub(in super::super) const LENGTH: Op = Op {
    name: "strings.length",
    doc: "the length of a string",
    semantics: "In bytes, or with `unit=\"UTF8_CHAR\"` in characters: bytes that do not go on with \
        one, as TensorFlow counts them in any string.",
    examples: &["strings.length(s)", "strings.length(ss, unit='UTF8_CHAR')"],
    params: &[X, UNIT],
    kind: map(
        |call| {
            counts_chars(call)?;
            Ok(vec![same(call)?[0].with_dtype(DType::Int64)])
        },
        |call| {
            Ok(if counts_chars(call)? {
                measure(|s| s.iter().filter(|&&b| !continues(b)).count() as i64)
            } else {
                measure(|s| s.len() as i64)
            })
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let length = nodes.string_length(&columns[0].values, unit(call)?);
        Ok(vec![columns[0].with_values(length)])
    })),
};

/// What positions and lengths count.
pub(super) const UNIT: Param =
    option("unit", Takes::Str, Default::Str("BYTE"), "\"BYTE\" or \"UTF8_CHAR\"");

/// Whether characters are counted, not bytes.
///
/// # Errors
/// When `unit` is something else.
pub(super) fn counts_chars(call: &Call<'_>) -> Result<bool> {
    match call.opt_str("unit") {
        None | Some("BYTE") => Ok(false),
        Some("UTF8_CHAR") => Ok(true),
        Some(other) => {
            Err(call.wrong(format!("`unit` is {other:?}; \"BYTE\" or \"UTF8_CHAR\" is wanted")))
        }
    }
}

/// The unit, as TensorFlow's nodes name it.
///
/// # Errors
/// As [`counts_chars`].
pub(super) fn unit(call: &Call<'_>) -> Result<&'static str> {
    Ok(if counts_chars(call)? { "UTF8_CHAR" } else { "BYTE" })
}

fn quoted_text(call: &Call<'_>) -> String {
    quoted(call.opt_str("text").unwrap_or(""))
}

fn matched(nodes: &mut Nodes, columns: &[Column], pattern: &str) -> Vec<Column> {
    let found = nodes.full_match(&columns[0].values, pattern);
    vec![columns[0].with_values(found)]
}

fn bools(call: &Call<'_>) -> Result<Vec<Type>> {
    Ok(vec![same(call)?[0].with_dtype(DType::Bool)])
}

fn text<'a>(call: &'a Call<'_>) -> &'a [u8] {
    call.opt_str("text").unwrap_or("").as_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, bytes, check, ints, refused, texts};

    #[test]
    fn text_is_found() {
        let s = [("s", texts(&["abab", "", "b", "ba"]))];
        check("strings.contains(s, 'ab')", &s, bools(&[true, false, false, false]));
        check("strings.contains(s, '')", &s, bools(&[true; 4]));
        check("strings.starts_with(s, 'ab')", &s, bools(&[true, false, false, false]));
        check("strings.ends_with(s, 'b')", &s, bools(&[true, false, true, false]));
        check("strings.replace(s, 'ab', 'x')", &s, texts(&["xx", "", "b", "ba"]));
        check("strings.replace(s, '', 'x')", &s, texts(&["abab", "", "b", "ba"]));
    }

    #[test]
    fn strings_have_lengths() {
        let s = [("s", bytes(&["日本".as_bytes(), b"", b"\xff\x80a"]))];
        check("strings.length(s)", &s, ints(&[6, 0, 3]));
        check("strings.length(s, 'UTF8_CHAR')", &s, ints(&[2, 0, 2]));
        refused(
            "strings.length(s, 'X')",
            "`strings.length`: `unit` is \"X\"; \"BYTE\" or \"UTF8_CHAR\" is wanted",
        );
    }
}
