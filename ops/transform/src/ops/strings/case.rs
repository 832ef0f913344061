//! `strings.lower`, `upper`, `strip`, `normalize_utf8`, `unicode_transcode`: strings rewritten.

use std::fmt::Write as _;

use engine::Result;
use unicode_normalization::UnicodeNormalization;

use super::super::params::{X, option};
use super::{each, map, same, trimmed};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Out, of_text, of_type};
use crate::op::{Call, Default, Op, Param, Takes};
use crate::types::DType;

const ENCODING: Param = option(
    "encoding",
    Takes::Str,
    Default::Str(""),
    "\"\" for the letters of ASCII alone, \"utf-8\" for all",
);

/// Lower case.
pub(in super::super) const LOWER: Op = Op {
    name: "strings.lower",
    doc: "letters in lower case",
    semantics: "Of ASCII alone, as TensorFlow does without an encoding. With `encoding=\"utf-8\"` all \
        letters, as Unicode does without a language; what is no UTF-8 becomes U+FFFD.",
    examples: &["strings.lower(s)", "strings.lower(ss, encoding='utf-8')"],
    params: &[X, ENCODING],
    kind: map(cased, |call| {
        Ok(if unicode(call)? {
            each(|s, out| out.extend(String::from_utf8_lossy(s).to_lowercase().as_bytes()))
        } else {
            each(|s, out| out.extend(s.iter().map(u8::to_ascii_lowercase)))
        })
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        cased_there(nodes, call, columns, "StringLower", str::to_lowercase)
    })),
};

/// Upper case.
pub(in super::super) const UPPER: Op = Op {
    name: "strings.upper",
    doc: "letters in upper case",
    semantics: "Of ASCII alone, as TensorFlow does without an encoding. With `encoding=\"utf-8\"` all \
        letters, as Unicode does without a language (ß becomes SS); what is no UTF-8 becomes U+FFFD.",
    examples: &["strings.upper(s)", "strings.upper(ss, encoding='utf-8')"],
    params: &[X, ENCODING],
    kind: map(cased, |call| {
        Ok(if unicode(call)? {
            each(|s, out| out.extend(String::from_utf8_lossy(s).to_uppercase().as_bytes()))
        } else {
            each(|s, out| out.extend(s.iter().map(u8::to_ascii_uppercase)))
        })
    })
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        cased_there(nodes, call, columns, "StringUpper", str::to_uppercase)
    })),
};

/// Without white space around.
pub(in super::super) const STRIP: Op = Op {
    name: "strings.strip",
    doc: "without white space at both ends",
    semantics: "White space is that of ASCII.",
    examples: &["strings.strip(s)", "strings.strip(ss)"],
    params: &[X],
    kind: map(same, |_| Ok(each(|s, out| out.extend_from_slice(trimmed(s))))).tensorflow(
        Export::Nodes(|nodes, _, columns| {
            let stripped = nodes.node("StringStrip", &[&columns[0].values], []);
            Ok(vec![columns[0].with_values(stripped)])
        }),
    ),
};

/// A Unicode normal form.
pub(in super::super) const NORMALIZE_UTF8: Op = Op {
    name: "strings.normalize_utf8",
    doc: "text in a Unicode normal form",
    semantics: "`NFC`, `NFD`, `NFKC` or `NFKD`. What is no UTF-8 becomes U+FFFD. (Exported to TensorFlow, marks \
        that came after Unicode 12 are neither ordered nor composed.)",
    examples: &[
        "strings.normalize_utf8(s)",
        "strings.normalize_utf8(ss, 'NFD')",
        "strings.normalize_utf8(s, 'NFKD')",
        "strings.normalize_utf8(s, 'NFC')",
    ],
    params: &[X, option("normalization_form", Takes::Str, Default::Str("NFKC"), "the form")],
    kind: map(
        |call| {
            form(call)?;
            same(call)
        },
        |call| {
            Ok(match form(call)? {
                Form::C => each(|s, out| push(String::from_utf8_lossy(s).nfc(), out)),
                Form::D => each(|s, out| push(String::from_utf8_lossy(s).nfd(), out)),
                Form::Kc => each(|s, out| push(String::from_utf8_lossy(s).nfkc(), out)),
                Form::Kd => each(|s, out| push(String::from_utf8_lossy(s).nfkd(), out)),
            })
        },
    )
    .tensorflow(Export::Nodes(normalized_there)),
};

/// Valid UTF-8.
pub(in super::super) const UNICODE_TRANSCODE: Op = Op {
    name: "strings.unicode_transcode",
    doc: "text that is valid UTF-8",
    semantics: "Both encodings are UTF-8. What is none becomes U+FFFD, or goes with \
        `errors=\"ignore\"`.",
    examples: &[
        "strings.unicode_transcode(s, 'UTF-8', 'UTF-8')",
        "strings.unicode_transcode(ss, 'UTF-8', 'UTF-8', errors='ignore')",
    ],
    params: &[
        X,
        option("input_encoding", Takes::Str, Default::Str("UTF-8"), "the encoding: UTF-8"),
        option("output_encoding", Takes::Str, Default::Str("UTF-8"), "the encoding: UTF-8"),
        ERRORS,
    ],
    kind: map(
        |call| {
            utf8(call, "input_encoding")?;
            utf8(call, "output_encoding")?;
            ignores_errors(call)?;
            same(call)
        },
        |call| {
            let ignore = ignores_errors(call)?;
            Ok(each(move |s, out| {
                for chunk in s.utf8_chunks() {
                    out.extend_from_slice(chunk.valid().as_bytes());
                    if !chunk.invalid().is_empty() && !ignore {
                        out.extend_from_slice("\u{fffd}".as_bytes());
                    }
                }
            }))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let valid = nodes.valid_utf8(&columns[0].values, ignores_errors(call)?);
        Ok(vec![columns[0].with_values(valid)])
    })),
};

/// What becomes of bytes that are no UTF-8.
pub(super) const ERRORS: Param = option(
    "errors",
    Takes::Str,
    Default::Str("replace"),
    "\"replace\" by U+FFFD, or \"ignore\", what is no UTF-8",
);

/// Whether what is no UTF-8 goes.
///
/// # Errors
/// When `errors` is neither "replace" nor "ignore".
pub(super) fn ignores_errors(call: &Call<'_>) -> Result<bool> {
    match call.opt_str("errors") {
        Some("replace") => Ok(false),
        Some("ignore") => Ok(true),
        other => Err(call
            .wrong(format!("`errors` is {:?}", other.unwrap_or_default()))
            .with_hint("Use \"replace\" or \"ignore\": an operation never fails on a value.")),
    }
}

/// Checks that a parameter names UTF-8.
///
/// # Errors
/// When it names another encoding.
pub(super) fn utf8(call: &Call<'_>, param: &str) -> Result<()> {
    match call.opt_str(param) {
        Some(name) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        other => Err(call
            .wrong(format!("`{param}` is {:?}; \"UTF-8\" is wanted", other.unwrap_or_default()))),
    }
}

fn unicode(call: &Call<'_>) -> Result<bool> {
    match call.opt_str("encoding") {
        None | Some("") => Ok(false),
        Some(_) => utf8(call, "encoding").map(|()| true),
    }
}

fn cased(call: &Call<'_>) -> Result<Vec<crate::types::Type>> {
    unicode(call)?;
    same(call)
}

/// Nodes of another case. TensorFlow's own know older letters, and end a text of Unicode at a NUL: there
/// each character is looked up.
fn cased_there(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
    ascii: &str,
    case: fn(&str) -> String,
) -> Result<Vec<Column>> {
    let x = &columns[0];
    if !unicode(call)? {
        let cased = nodes.node(ascii, &[&x.values], []);
        return Ok(vec![x.with_values(cased)]);
    }
    let pairs = ('\0'..=char::MAX)
        .map(|c| (c.to_string(), case(c.encode_utf8(&mut [0; 4]))))
        .filter(|(from, to)| from != to);
    let pairs: Vec<(String, String)> = pairs.collect();
    let flat = nodes.flattened(&x.values, DType::String);
    let cased = nodes.node(ascii, &[&flat], []);
    let plain = nodes.full_match(&flat, r"[\x00-\x7f]*");
    let others = nodes.opposite(&plain);
    let cased = in_those(nodes, &cased, &flat, &others, |nodes, texts| {
        let mut texts = nodes.valid_utf8(texts, false);
        if case("\u{3a3}") == "\u{3c3}" {
            texts = nodes.rewritten(&texts, &final_sigma(), "\\1\u{3c2}\\2", true);
        }
        looked_up(nodes, &texts, &pairs)
    });
    Ok(vec![x.with_values(nodes.shaped(&cased, call.ty("x")?))])
}

/// Nodes of a list of texts, in the place of some of which stands what is made of others.
fn in_those(
    nodes: &mut Nodes,
    texts: &Out,
    others: &Out,
    those: &Out,
    f: impl FnOnce(&mut Nodes, &Out) -> Out,
) -> Out {
    let some = nodes.kept(others, DType::String, those);
    let some = f(nodes, &some);
    let at = nodes.typed("Where", DType::Bool, &[those]);
    let attrs = [("T", of_type(DType::String)), ("Tindices", of_type(DType::Int64))];
    nodes.node("TensorScatterUpdate", &[texts, &at, &some], attrs)
}

/// Nodes of a list of valid texts with characters replaced by a table.
fn looked_up(nodes: &mut Nodes, flat: &Out, pairs: &[(String, String)]) -> Out {
    let (chars, of) = nodes.chars(flat);
    let found = nodes.mapped(pairs, &chars);
    let none = nodes.text("");
    let unknown = nodes.typed("Equal", DType::String, &[&found, &none]);
    let chars = nodes.select(&unknown, &chars, &found, DType::String);
    let n = nodes.length(flat, DType::String);
    nodes.joined(&chars, &of, &n, "")
}

/// Nodes of a normal form. TensorFlow knows the characters of Unicode 12: those that came later are taken apart
/// in the few texts that have them, but their marks have no order to it.
fn normalized_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let x = &columns[0];
    let valid = nodes.valid_utf8(&x.values, false);
    let mut flat = nodes.flattened(&valid, DType::String);
    let (name, apart): (&str, Option<fn(char) -> String>) = match form(call)? {
        Form::C => ("NFC", None),
        Form::D => ("NFD", Some(|c| [c].into_iter().nfd().collect())),
        Form::Kc => ("NFKC", Some(|c| [c].into_iter().nfkc().collect())),
        Form::Kd => ("NFKD", Some(|c| [c].into_iter().nfkd().collect())),
    };
    let later = regex::Regex::new(r"\P{Age=12.0}").map_err(|e| call.wrong(e))?;
    let pairs = apart.map_or_else(Vec::new, |apart| {
        let pairs = ('\0'..=char::MAX).map(|c| (c.to_string(), apart(c)));
        pairs.filter(|(from, to)| from != to && later.is_match(from)).collect()
    });
    if !pairs.is_empty() {
        let class: String = pairs.iter().map(|(from, _)| &**from).collect();
        let has = nodes.full_match(&flat, &format!(r"\C*[{class}]\C*"));
        flat = in_those(nodes, &flat, &flat, &has, |nodes, texts| looked_up(nodes, texts, &pairs));
    }
    let normal = nodes.node("NormalizeUTF8", &[&flat], [("normalization_form", of_text(name))]);
    Ok(vec![x.with_values(nodes.shaped(&normal, call.ty("x")?))])
}

/// A pattern of a capital sigma at the end of a word, for RE2: with what is before it, and what is behind.
///
/// Before it is a letter with a case, and behind it none, leaving out what is ignored between. Which these are
/// is asked of the case mapping itself.
fn final_sigma() -> String {
    let lowered_behind = |before: &str| {
        let mut text = String::with_capacity(16 << 20);
        for c in '\0'..=char::MAX {
            text.push_str(before);
            text.push(if c == '\u{1}' { '\0' } else { c });
            text.push_str("\u{3a3}\u{1}");
        }
        let text = text.to_lowercase();
        text.split_terminator('\u{1}').map(|word| word.ends_with('\u{3c2}')).collect::<Vec<_>>()
    };
    let cased = lowered_behind("");
    let ignored: Vec<bool> =
        lowered_behind("a").iter().zip(&cased).map(|(&either, &cased)| either && !cased).collect();
    let (cased, ignored) = (ranges(&cased), ranges(&ignored));
    format!(r"([{cased}][{ignored}]*)\x{{3a3}}([{ignored}]*(?:[^{cased}{ignored}]|\z))")
}

/// The characters that are in a set, as ranges of a pattern.
fn ranges(set: &[bool]) -> String {
    let mut out = String::new();
    let mut members = ('\0'..=char::MAX).zip(set).peekable();
    while let Some((first, &is_in)) = members.next() {
        if !is_in {
            continue;
        }
        let mut last = first;
        while let Some((next, _)) = members.next_if(|(_, is_in)| **is_in) {
            last = next;
        }
        let _ = write!(out, r"\x{{{:x}}}-\x{{{:x}}}", u32::from(first), u32::from(last));
    }
    out
}

enum Form {
    C,
    D,
    Kc,
    Kd,
}

fn form(call: &Call<'_>) -> Result<Form> {
    let form = call.opt_str("normalization_form").unwrap_or("NFKC");
    match form.to_ascii_uppercase().as_str() {
        "NFC" => Ok(Form::C),
        "NFD" => Ok(Form::D),
        "NFKC" => Ok(Form::Kc),
        "NFKD" => Ok(Form::Kd),
        _ => Err(call.wrong(format!("there is no normal form {form:?}"))),
    }
}

fn push(chars: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    chars.for_each(|c| out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bytes, check, refused, texts};

    #[test]
    fn strings_are_rewritten() {
        let s = [("s", texts(&["ÀÉ Straße", "  a\t\u{b}", "ΑΣ", ""]))];
        check("strings.lower(s)", &s, texts(&["ÀÉ straße", "  a\t\u{b}", "ΑΣ", ""]));
        check("strings.lower(s, 'utf-8')", &s, texts(&["àé straße", "  a\t\u{b}", "ας", ""]));
        check("strings.upper(s, 'UTF-8')", &s, texts(&["ÀÉ STRASSE", "  A\t\u{b}", "ΑΣ", ""]));
        check("strings.strip(s)", &s, texts(&["ÀÉ Straße", "a", "ΑΣ", ""]));
        let bad = [("s", bytes(&[b"A\xffb", "e\u{301}ﬁ".as_bytes()]))];
        check("strings.lower(s)", &bad, bytes(&[b"a\xffb", "e\u{301}ﬁ".as_bytes()]));
        check("strings.lower(s, 'utf-8')", &bad, texts(&["a\u{fffd}b", "e\u{301}ﬁ"]));
        check("strings.normalize_utf8(s)", &bad, texts(&["A\u{fffd}b", "éfi"]));
        check("strings.normalize_utf8(s, 'NFC')", &bad, texts(&["A\u{fffd}b", "éﬁ"]));
        check("strings.unicode_transcode(s)", &bad, texts(&["A\u{fffd}b", "e\u{301}ﬁ"]));
        check("strings.unicode_transcode(s, errors='ignore')", &bad, texts(&["Ab", "e\u{301}ﬁ"]));
        refused("strings.lower(n)", "`strings.lower`: `x` is int64; string is wanted");
        refused(
            "strings.lower(s, 'latin1')",
            "`strings.lower`: `encoding` is \"latin1\"; \"UTF-8\" is wanted",
        );
        refused(
            "strings.normalize_utf8(s, 'X')",
            "`strings.normalize_utf8`: there is no normal form \"X\"",
        );
    }
}
