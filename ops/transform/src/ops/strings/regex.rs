//! `strings.regex_replace`, `regex_full_match`, `regex_extract`: regular expressions.

use engine::Result;
use regex::bytes::{Match, Regex};

use super::super::params::{X, option, required};
use super::regex_syntax::compile;
use super::{continues, each, map, measure, re2, same};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, refused};
use crate::op::{Call, Default, Op, Param, Takes};
use crate::types::DType;

const PATTERN: Param =
    required("pattern", Takes::Str, "a regular expression, in the syntax of RE2");

/// Matches replaced.
pub(in super::super) const REGEX_REPLACE: Op = Op {
    name: "strings.regex_replace",
    doc: "with what matches a pattern rewritten",
    semantics: "Patterns are those of RE2: characters of UTF-8; `\\d`, `\\s`, `\\w`, `\\b` of ASCII; \
        leftmost matches, the first alternative first; no look-around, no references. Bytes that are no \
        UTF-8 match no character and stay (RE2 takes surrogates for characters). `\\1` to `\\9` in `rewrite` are groups, `\\0` is the match, \
        `\\\\` a backslash; a group that did not take part is empty. A pattern that is wrong or compiles \
        to more than 4 MiB, and a group that is not there, are refused when the graph is traced.",
    examples: &[
        "strings.regex_replace(s, '[aeiou]', '_')",
        r"strings.regex_replace(ss, r'(\w)(\w)', r'\2\1\0')",
        r"strings.regex_replace(s, r'\s+', ' ', replace_global=False)",
        r"strings.regex_replace(svec, r'(?i)K+|(?P<x>\pL)', r'-\1\\')",
        r"strings.regex_replace(s, r'^\s*|\s*$', '')",
        "strings.regex_replace(s, 'a*', '-')",
    ],
    params: &[
        X,
        PATTERN,
        required("rewrite", Takes::Str, "what comes in its place"),
        option(
            "replace_global",
            Takes::Bool,
            Default::Bool(true),
            "all matches, not the first alone",
        ),
    ],
    kind: map(
        |call| {
            rewrite(call, &pattern(call, false)?)?;
            same(call)
        },
        |call| {
            let regex = pattern(call, false)?;
            let parts = rewrite(call, &regex)?;
            let most = if call.is("replace_global") { usize::MAX } else { 1 };
            // Groups cost: matches alone are found faster.
            let groups = parts.iter().any(|part| matches!(part, Part::Group(1..)));
            Ok(if groups {
                each(move |s, out| {
                    let mut rest = 0;
                    let all = regex.captures_iter(s).filter(|found| is_apart(s, found.get_match()));
                    for found in all.take(most) {
                        let range = found.get_match().range();
                        out.extend_from_slice(&s[rest..range.start]);
                        for part in &parts {
                            match part {
                                Part::Text(text) => out.extend_from_slice(text),
                                Part::Group(group) => {
                                    let group = found.get(*group);
                                    out.extend_from_slice(group.map_or(&[][..], |g| g.as_bytes()));
                                }
                            }
                        }
                        rest = range.end;
                    }
                    out.extend_from_slice(&s[rest..]);
                })
            } else {
                each(move |s, out| {
                    let mut rest = 0;
                    let all = regex.find_iter(s).filter(|found| is_apart(s, *found));
                    for found in all.take(most) {
                        out.extend_from_slice(&s[rest..found.start()]);
                        for part in &parts {
                            match part {
                                Part::Text(text) => out.extend_from_slice(text),
                                Part::Group(_) => out.extend_from_slice(found.as_bytes()),
                            }
                        }
                        rest = found.end();
                    }
                    out.extend_from_slice(&s[rest..]);
                })
            })
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (found, all) = (pattern(call, false)?, call.is("replace_global"));
        // Behind an empty match RE2 steps over what it takes for a character.
        let within = |text: &[u8]| {
            found.find_iter(text).any(|m| m.is_empty() && (1..text.len()).contains(&m.start()))
        };
        let steps = call.opt_str("pattern").is_some_and(|pattern| pattern.contains(r"\B"));
        if all && (within(b"\xed\xa0\x80") || steps && within("é".as_bytes())) {
            return Err(refused(
                call,
                "its pattern matches nothing, within characters or surrogates",
            ));
        }
        let pattern = re2_of(call)?;
        let rewrite = call.opt_str("rewrite").unwrap_or("");
        let rewritten = nodes.rewritten(&columns[0].values, &pattern, rewrite, all);
        Ok(vec![columns[0].with_values(rewritten)])
    })),
};

/// Whether all of it matches.
pub(in super::super) const REGEX_FULL_MATCH: Op = Op {
    name: "strings.regex_full_match",
    doc: "whether the whole of a string matches a pattern",
    semantics: "Patterns as in `strings.regex_replace`.",
    examples: &[
        "strings.regex_full_match(s, '[a-z ]*')",
        r"strings.regex_full_match(ss, r'\d+')",
        r"strings.regex_full_match(svec, r'.*(\n\C+)?')",
        r"strings.regex_full_match(s, r'(?-u:\xff).*')",
    ],
    params: &[X, PATTERN],
    kind: map(
        |call| {
            pattern(call, true)?;
            Ok(vec![same(call)?[0].with_dtype(DType::Bool)])
        },
        |call| {
            let regex = pattern(call, true)?;
            Ok(measure(move |s| u8::from(regex.is_match(s))))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let matches = nodes.full_match(&columns[0].values, &re2_of(call)?);
        Ok(vec![columns[0].with_values(matches)])
    })),
};

/// The first match.
pub(in super::super) const REGEX_EXTRACT: Op = Op {
    name: "strings.regex_extract",
    doc: "the first match of a pattern in a string, or a group of it",
    semantics: "Patterns as in `strings.regex_replace`. Without a match, or where the group did not take \
        part, `default`.",
    examples: &[
        r"strings.regex_extract(s, r'\d+')",
        r"strings.regex_extract(ss, r'(\w)-(\w)', group=2, default='none')",
        r"strings.regex_extract(svec, r'\b(a)|b|again\b', group=1)",
        r"strings.regex_extract(s, r'(a)|b', group=1, default='none')",
        r"strings.regex_extract(s, r'(?m)^\pL*$', default='none')",
    ],
    params: &[
        X,
        PATTERN,
        option("group", Takes::Int, Default::Int(0), "a group from 1, or 0 for the whole match"),
        option("default", Takes::Str, Default::Str(""), "what stands where nothing matches"),
    ],
    kind: map(
        |call| {
            group(call, &pattern(call, false)?)?;
            same(call)
        },
        |call| {
            let regex = pattern(call, false)?;
            let group = group(call, &regex)?;
            let default = call.opt_str("default").unwrap_or("").as_bytes().to_vec();
            Ok(each(move |s, out| {
                let found = if group == 0 {
                    regex.find(s)
                } else {
                    regex.captures(s).and_then(|found| found.get(group))
                };
                out.extend_from_slice(found.map_or(&default[..], |found| found.as_bytes()));
            }))
        },
    )
    .tensorflow(Export::Nodes(extracted)),
};

/// Nodes of the first match: all of a string is rewritten to it.
fn extracted(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let regex = pattern(call, false)?;
    let (re2, x) = (re2_of(call)?, &columns[0].values);
    let group = group(call, &regex)?;
    let default = call.opt_str("default").unwrap_or("");
    // A group that took no part is empty to RE2, too.
    let always = group == 0 || regex.static_captures_len() == Some(regex.captures_len());
    if !always && !default.is_empty() {
        return Err(refused(call, "a group that did not take part is not told from an empty one"));
    }
    let (open, number) = if group == 0 { ("(", 1) } else { ("(?:", group) };
    if number > 9 {
        return Err(refused(call, "rewriting knows 9 groups"));
    }
    let whole = format!(r"\A\C*?{open}{re2})\C*\z");
    let rewritten = nodes.rewritten(x, &whole, &format!(r"\{number}"), false);
    let (matches, default) = (nodes.full_match(x, &whole), nodes.text(default));
    let values = nodes.select(&matches, &rewritten, &default, DType::String);
    Ok(vec![columns[0].with_values(values)])
}

/// The pattern for RE2.
fn re2_of(call: &Call<'_>) -> Result<String> {
    re2::pattern(call.opt_str("pattern").unwrap_or("")).map_err(|why| refused(call, why))
}

/// Whether a match is none of nothing within a character.
fn is_apart(s: &[u8], found: Match<'_>) -> bool {
    let at = found.start();
    if !found.is_empty() || !s.get(at).is_some_and(|&byte| continues(byte)) {
        return true;
    }
    let Some(start) = (at.saturating_sub(3)..at).rfind(|&i| !continues(s[i])) else { return true };
    let end = s.len().min(start + 4);
    let first = s[start..end].utf8_chunks().next().map_or("", |chunk| chunk.valid());
    first.chars().next().is_none_or(|c| start + c.len_utf8() <= at)
}

fn pattern(call: &Call<'_>, whole: bool) -> Result<Regex> {
    let pattern = call.opt_str("pattern").unwrap_or("");
    compile(pattern, whole).map_err(|why| {
        call.wrong(format!("the pattern `{pattern}` is refused: {why}"))
            .with_hint("Patterns are those of RE2: no look-around, no references.")
    })
}

fn group(call: &Call<'_>, regex: &Regex) -> Result<usize> {
    let group = call.int_from("group", 0)?;
    match usize::try_from(group) {
        Ok(group) if group < regex.captures_len() => Ok(group),
        _ => Err(call.wrong(format!("there is no group {group} in the pattern"))),
    }
}

/// A part of what comes in place of a match.
#[derive(Debug, PartialEq)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

fn rewrite(call: &Call<'_>, regex: &Regex) -> Result<Vec<Part>> {
    let rewrite = call.opt_str("rewrite").unwrap_or("");
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut bytes = rewrite.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => text.push(b'\\'),
            Some(digit @ b'0'..=b'9') => {
                let group = usize::from(digit - b'0');
                if group >= regex.captures_len() {
                    return Err(call.wrong(format!("there is no group {group} in the pattern")));
                }
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Group(group));
            }
            _ => {
                return Err(call
                    .wrong(format!("`rewrite` is {rewrite:?}; a backslash stands before no digit"))
                    .with_hint("Write two backslashes for one."));
            }
        }
    }
    parts.push(Part::Text(text));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, bytes, check, refused, texts};

    #[test]
    fn matches_are_rewritten() {
        let s = [("s", bytes(&[b"abc", b"", b"xaxxb", "é b".as_bytes(), b"a\xffa"]))];
        let found = bytes(&[b"-a-b-c-", b"-", b"-a-b-", "-é- -b-".as_bytes(), b"-a-\xff-a-"]);
        check("strings.regex_replace(s, 'x*', '-')", &s, found);
        check(
            r"strings.regex_replace(s, r'(\w)(\w)', r'\2\1\\')",
            &s,
            bytes(&[b"ba\\c", b"", b"ax\\xx\\b", "é b".as_bytes(), b"a\xffa"]),
        );
        check(
            "strings.regex_replace(s, 'a', '<', replace_global=False)",
            &s,
            bytes(&[b"<bc", b"", b"x<xxb", "é b".as_bytes(), b"<\xffa"]),
        );
        check(
            r"strings.regex_replace(s, '.', r'\0\0')",
            &s,
            bytes(&[b"aabbcc", b"", b"xxaaxxxxbb", "éé  bb".as_bytes(), b"aa\xffaa"]),
        );
        check(
            r"strings.regex_replace(s, '(a)|(b)', r'[\1\2]')",
            &[("s", texts(&["ab"]))],
            texts(&["[a][b]"]),
        );
    }

    #[test]
    fn strings_are_matched() {
        let s = [("s", bytes(&[b"a1", b"", b"12 34", b"\xff"]))];
        check(r"strings.regex_full_match(s, r'\w*')", &s, bools(&[true, true, false, false]));
        check("strings.regex_full_match(s, 'a|a1')", &s, bools(&[true, false, false, false]));
        check(r"strings.regex_extract(s, r'\d+')", &s, texts(&["1", "", "12", ""]));
        check(
            r"strings.regex_extract(s, r'(\d+) (\d+)', 2, 'none')",
            &s,
            texts(&["none", "none", "34", "none"]),
        );
    }

    #[test]
    fn what_is_wrong_is_said_at_once() {
        refused(
            "strings.regex_replace(s, '(', '')",
            "`strings.regex_replace`: the pattern `(` is refused: unclosed group",
        );
        refused(
            r"strings.regex_replace(s, '(a)', r'\2')",
            "`strings.regex_replace`: there is no group 2 in the pattern",
        );
        refused(
            r"strings.regex_replace(s, 'a', r'\n')",
            "`strings.regex_replace`: `rewrite` is \"\\\\n\"; a backslash stands before no digit",
        );
        refused(
            "strings.regex_extract(s, 'a', 1)",
            "`strings.regex_extract`: there is no group 1 in the pattern",
        );
        refused(
            "strings.regex_full_match(n, 'a')",
            "`strings.regex_full_match`: `x` is int64; string is wanted",
        );
    }
}
