//! Regular expressions as RE2 reads them, for the engine that runs them.
//!
//! Both share syntax, leftmost-first matching and linear time. What differs is rewritten here: in
//! RE2 `\d`, `\s`, `\w` and `\b` know ASCII alone, `[` and `&&` in a class are themselves, `\Q…\E`
//! quotes, `\C` is any byte, `\<` is `<`, and a brace that repeats nothing is itself.

use regex::bytes::{Regex, RegexBuilder};

/// Most bytes of a compiled pattern, so that `(a{1000}){1000}` is refused rather than built.
const SIZE_LIMIT: usize = 4 << 20;

/// Compiles an RE2 pattern; `whole` to match whole strings alone.
///
/// # Errors
/// Saying what is wrong with the pattern, in one line.
pub(super) fn compile(pattern: &str, whole: bool) -> Result<Regex, String> {
    let translated = translate(pattern);
    let text = if whole { format!(r"\A(?:{translated})\z") } else { translated };
    let regex = RegexBuilder::new(&text).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build();
    regex.map_err(|error| {
        let text = error.to_string();
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it is wrong");
        line.trim().trim_start_matches("error: ").to_owned()
    })
}

/// The pattern in the engine's syntax.
pub(super) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => escaped(after, in_class, &mut out),
            '[' if in_class && !after.starts_with(':') => {
                out.push_str(r"\[");
                after
            }
            '[' if in_class => {
                let end = after.find(":]").map_or(after.len(), |end| end + 2);
                out.push('[');
                out.push_str(&after[..end]);
                &after[end..]
            }
            '[' => {
                in_class = true;
                out.push('[');
                let (negated, after) = match after.strip_prefix('^') {
                    Some(after) => ("^", after),
                    None => ("", after),
                };
                out.push_str(negated);
                // A bracket that closes nothing yet is itself.
                match after.strip_prefix(']') {
                    Some(after) => {
                        out.push_str(r"\]");
                        after
                    }
                    None => after,
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
                after
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
                after
            }
            '{' if !in_class && !repeats(after) => {
                out.push_str(r"\{");
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// Writes what an escape means; gives what comes after it.
fn escaped<'a>(after: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let rest = &after[c.len_utf8()..];
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'b' | 'B' if !in_class => {
            out.push_str(r"(?-u:\");
            out.push(c);
            out.push(')');
        }
        'C' if !in_class => out.push_str(r"(?s-u:.)"),
        '<' | '>' => out.push(c),
        'Q' => {
            let (quoted, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(quoted));
            return rest;
        }
        _ => {
            out.push('\\');
            out.push(c);
            // What stands in braces after `\x` or `\p` is no repetition.
            if matches!(c, 'x' | 'p' | 'P') && rest.starts_with('{') {
                let end = rest.find('}').map_or(rest.len(), |end| end + 1);
                out.push_str(&rest[..end]);
                return &rest[end..];
            }
        }
    }
    rest
}

/// Whether a brace repeats what is before it: `{2}`, `{2,}`, `{2,3}`.
fn repeats(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    !least.is_empty() && least.bytes().chain(most.bytes()).all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_re2() {
        let check = |pattern: &str, yes: &[&str], no: &[&str]| {
            let regex = compile(pattern, true).unwrap_or_else(|e| panic!("`{pattern}`: {e}"));
            yes.iter().for_each(|s| assert!(regex.is_match(s.as_bytes()), "`{pattern}` on {s:?}"));
            no.iter().for_each(|s| assert!(!regex.is_match(s.as_bytes()), "`{pattern}` on {s:?}"));
        };
        check(r"\d+", &["19"], &["٣", ""]);
        check(r"[\w.]+", &["a_.9"], &["é", "-"]);
        check(r"\W", &["é", "-"], &["a"]);
        check(r"[^\s]", &["a", "\u{b}", "\u{a0}"], &[" ", "\n"]);
        check(r"\S\s", &["a "], &["a\u{b}", "a\u{a0}"]);
        check(r".", &["é", "日"], &["\n", ""]);
        check(r"\C\C", &["é"], &["a"]);
        check(r"\Qa.b\E+", &["a.b", "a.bb"], &["axb"]);
        check(r"[[]a]", &["[a]"], &["a"]);
        check(r"[]a]", &["]", "a"], &["b"]);
        check(r"[^]a]", &["b"], &["]", "a"]);
        check(r"[a&&b~~]+", &["a&b~"], &["c"]);
        check(r"[[:alpha:]_]+", &["ab_"], &["é", "1"]);
        check(r"a{2,3}", &["aa", "aaa"], &["a"]);
        check(r"{a}{,2}", &["{a}{,2}"], &["aa"]);
        check(r"\<\/\>\-\_", &["</>-_"], &["a"]);
        check(r"(?i)straSSe\pL", &["STRASSEé"], &["straße"]);
        check(r"\x41\x{e9}", &["Aé"], &["A"]);
        check(r"a$|b", &["a", "b"], &["a\n"]);
        check("é+", &["éé"], &["e"]);
    }

    #[test]
    fn patterns_are_refused() {
        for pattern in ["(", "(?=a)", r"\1", "a**b{2", "[a", "(a{1000}){1000}", r"\"] {
            let refused = compile(pattern, false).is_err();
            assert_eq!(refused, pattern != "a**b{2", "`{pattern}`");
        }
    }
}
