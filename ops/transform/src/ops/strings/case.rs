//! `strings.lower`, `upper`, `strip`, `normalize_utf8`, `unicode_transcode`: strings rewritten.

use engine::Result;
use unicode_normalization::UnicodeNormalization;

use super::super::params::{X, option};
use super::{each, map, same, trimmed};
use crate::op::{Call, Default, Op, Param, Takes};

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
    }),
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
    }),
};

/// Without white space around.
pub(in super::super) const STRIP: Op = Op {
    name: "strings.strip",
    doc: "without white space at both ends",
    semantics: "White space is that of ASCII.",
    examples: &["strings.strip(s)", "strings.strip(ss)"],
    params: &[X],
    kind: map(same, |_| Ok(each(|s, out| out.extend_from_slice(trimmed(s))))),
};

/// A Unicode normal form.
pub(in super::super) const NORMALIZE_UTF8: Op = Op {
    name: "strings.normalize_utf8",
    doc: "text in a Unicode normal form",
    semantics: "`NFC`, `NFD`, `NFKC` or `NFKD`. What is no UTF-8 becomes U+FFFD.",
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
    ),
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
    ),
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
