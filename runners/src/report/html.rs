//! Text from the data as it can stand in a page: escaped, visible, and no longer than there is room.

use std::fmt::Write as _;

/// Text that is safe in an element and in an attribute in double quotes.
///
/// Control characters, and those that are invisible or turn the direction of writing, are written as
/// escapes: what the reader sees is what there is.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

/// As [`escape`], of the first `most` characters, saying how many more there are.
pub(super) fn clip(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    for c in chars.by_ref().take(most) {
        push(&mut out, c);
    }
    match chars.count() {
        0 => out,
        // One more character takes no more room than the remark about it.
        1 => escape(text),
        n => format!("{out}… (+{})", crate::table::format::count(n as u64)),
    }
}

/// A value of the data where there is little room: as [`escape`], at most so many characters and an
/// ellipsis, with the empty string made visible.
pub(super) fn value(text: &str, most: usize) -> String {
    if text.is_empty() {
        return "\u{201c}\u{201d}".to_owned();
    }
    match text.char_indices().nth(most) {
        Some((end, _)) => escape(text[..end].trim_end()) + "…",
        None => escape(text),
    }
}

fn push(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c if is_invisible(c) => out.extend(c.escape_unicode()),
        c if c.is_control() => out.extend(c.escape_default()),
        c => out.push(c),
    }
}

/// JSON that can stand in a `<script>`: nothing in it ends the element, begins a comment or turns the
/// direction of writing.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("a summary has only strings as keys");
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // These stand only in strings, where an escape means the same.
        if matches!(c, '<' | '>' | '&') || is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character shows nothing, or turns the direction of writing.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{61c}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup_and_everything_is_visible() {
        assert_eq!(escape("<a b='c'>&\""), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
        assert_eq!(escape("a\u{202e}b\u{0}c\n"), "a\\u{202e}b\\u{0}c\\n");
        assert_eq!(escape("Zürich 出租车 👩\u{200d}🔬"), "Zürich 出租车 👩\u{200d}🔬");
        assert_eq!(json(&"</script><!--&"), "\"\\u003c/script\\u003e\\u003c!--\\u0026\"");
    }

    #[test]
    fn long_text_says_that_it_goes_on() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "abcd");
        assert_eq!(clip(&"é".repeat(10_003), 3), "ééé… (+10,000)");
        assert_eq!(value("", 3), "“”");
        assert_eq!(value("ab cd", 3), "ab…");
        assert_eq!(value("éé", 2), "éé");
    }
}
