//! Regular expressions for RE2, with no word of theirs left to be read in another way: classes as ranges, groups
//! without names, flags applied.
//!
//! What RE2 takes for a character depends on its version of Unicode, and includes surrogates; what is written
//! here does not.

use std::fmt::Write as _;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};
use regex_syntax::utf8::Utf8Sequences;

use super::regex_syntax::translate;

/// Most steps of a program of RE2, in its 8 MiB.
const MOST_STEPS: usize = 80_000;
/// Most repetitions that RE2 counts, multiplied where they are nested.
const MOST_REPEATS: u32 = 1000;

/// A pattern that means to RE2 what this one means here.
///
/// # Errors
/// Saying why there is none.
pub(super) fn pattern(pattern: &str) -> Result<String, &'static str> {
    let mut parser = ParserBuilder::new().utf8(false).build();
    let hir = parser.parse(&translate(pattern)).map_err(|_| "its pattern is wrong")?;
    let mut out = String::new();
    let steps = write(&hir, 1, &mut 0, &mut out)?;
    if steps > MOST_STEPS {
        return Err("its pattern is too large for RE2");
    }
    Ok(out)
}

/// Writes an expression that is repeated so often; gives the steps that it takes at most.
fn write(
    hir: &Hir,
    repeats: u32,
    groups: &mut u32,
    out: &mut String,
) -> Result<usize, &'static str> {
    Ok(match hir.kind() {
        HirKind::Empty => {
            out.push_str("(?:)");
            1
        }
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| BYTES)?;
            out.push_str(&crate::export::tensorflow::quoted(text));
            text.len()
        }
        HirKind::Class(class) => write_class(class, out)?,
        HirKind::Look(look) => {
            out.push_str(match look {
                Look::Start => r"\A",
                Look::End => r"\z",
                Look::StartLF => "(?m:^)",
                Look::EndLF => "(?m:$)",
                Look::WordAscii => r"\b",
                Look::WordAsciiNegate => r"\B",
                _ => return Err("its pattern has an assertion that RE2 does not know"),
            });
            1
        }
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            let times = max.unwrap_or(*min).max(*min).max(1);
            // One or any number are no count.
            let counted = if (*min, *max) == (0, None) { 1 } else { times };
            let repeats = repeats.saturating_mul(counted);
            if repeats > MOST_REPEATS {
                return Err("its pattern repeats more often than RE2 can count");
            }
            out.push_str("(?:");
            let steps = write(sub, repeats, groups, out)?;
            out.push(')');
            let _ = match (min, max) {
                (0, None) => write!(out, "*"),
                (1, None) => write!(out, "+"),
                (0, Some(1)) => write!(out, "?"),
                (min, None) => write!(out, "{{{min},}}"),
                (min, Some(max)) => write!(out, "{{{min},{max}}}"),
            };
            if !greedy {
                out.push('?');
            }
            (steps + 1).saturating_mul(times as usize + 1)
        }
        HirKind::Capture(capture) => {
            // Those of what is repeated 0 times are gone.
            *groups += 1;
            if *groups != capture.index {
                return Err("its pattern has a group that takes no part");
            }
            out.push('(');
            let steps = write(&capture.sub, repeats, groups, out)?;
            out.push(')');
            steps + 2
        }
        HirKind::Concat(parts) => {
            let mut steps = 0usize;
            for part in parts {
                steps = steps.saturating_add(write(part, repeats, groups, out)?);
            }
            steps
        }
        HirKind::Alternation(parts) => {
            let mut steps = 0usize;
            for (i, part) in parts.iter().enumerate() {
                out.push_str(if i == 0 { "(?:" } else { "|" });
                steps = steps.saturating_add(write(part, repeats, groups, out)? + 1);
            }
            out.push(')');
            steps
        }
    })
}

const BYTES: &str = "its pattern matches single bytes of characters, which RE2 cannot say";

fn write_class(class: &Class, out: &mut String) -> Result<usize, &'static str> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|r| (r.start(), r.end())).collect(),
        Class::Bytes(class) => {
            if let [all] = class.ranges()
                && (all.start(), all.end()) == (0, 0xff)
            {
                out.push_str(r"\C");
                return Ok(1);
            }
            if !class.is_ascii() {
                return Err(BYTES);
            }
            class.iter().map(|r| (char::from(r.start()), char::from(r.end()))).collect()
        }
    };
    if ranges.is_empty() {
        // It matches nothing.
        out.push_str(r"[^\x00-\x{10FFFF}]");
        return Ok(1);
    }
    out.push('[');
    let mut steps = 1;
    for (first, last) in ranges {
        let range = |out: &mut String, first: u32, last: u32| {
            let _ = write!(out, r"\x{{{first:X}}}-\x{{{last:X}}}");
        };
        let (low, high) = (u32::from(first), u32::from(last));
        if low < 0xD800 && high > 0xDFFF {
            range(out, low, 0xD7FF);
            range(out, 0xE000, high);
        } else {
            range(out, low, high);
        }
        steps += Utf8Sequences::new(first, last).map(|bytes| bytes.len()).sum::<usize>();
    }
    out.push(']');
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_written_for_re2() {
        let check = |from: &str, expected: &str| assert_eq!(pattern(from).unwrap(), expected);
        check("a|(b+?)", r"(?:a|((?:b)+?))");
        check(r"^\Q.\E$", r"\A\.\z");
        check(r"(?m)^\b", r"(?m:^)\b");
        check(r"(?i)k{2,}", r"(?:[\x{4B}-\x{4B}\x{6B}-\x{6B}\x{212A}-\x{212A}]){2,}");
        check(r"(?P<x>\d)\C", r"([\x{30}-\x{39}])\C");
        check(r".", r"[\x{0}-\x{9}\x{B}-\x{D7FF}\x{E000}-\x{10FFFF}]");
        check(r"[^\x00-\x{10FFFF}]", r"[^\x00-\x{10FFFF}]");
        check("", "(?:)");
    }

    #[test]
    fn what_re2_cannot_say_is_refused() {
        assert_eq!(pattern(r"\pL{600}"), Err("its pattern is too large for RE2"));
        assert_eq!(pattern("a{1001}"), Err("its pattern repeats more often than RE2 can count"));
        assert_eq!(pattern("(?:a{40}b){40}"), pattern("a{1001}"));
        assert_eq!(pattern(r"(?-u:\xff)"), Err(BYTES));
        assert_eq!(pattern(r"(a){0}(b)"), Err("its pattern has a group that takes no part"));
    }
}
