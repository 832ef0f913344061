//! `Cursor`: reads a text that is known to be JSON, value by value, without a tree of it.
//!
//! ```text
//!   cursor.open();                 behind `[` or `{`
//!   while cursor.more() { … }      before an element, or before a key
//! ```
//!
//! **Invariant:** [`syntax::check`](crate::syntax::check) has accepted the text. On any other text a
//! cursor says something wrong, and does not panic.

use std::borrow::Cow;

use crate::syntax::BOM;

/// The bytes of a value that a message shows at most.
const SHOWN: usize = 256;

/// What a value is, in RapidJSON's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    False,
    True,
    Object,
    Array,
    String,
    Number,
}

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Before the first value.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        let mut cursor = Cursor { text, at: if text.starts_with(BOM) { BOM.len() } else { 0 } };
        cursor.white();
        cursor
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn white(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// What the value is that comes next.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self.peek() {
            b'n' => Kind::Null,
            b'f' => Kind::False,
            b't' => Kind::True,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            _ => Kind::Number,
        }
    }

    /// Goes behind the bracket that opens an array or object.
    #[inline]
    pub(crate) fn open(&mut self) {
        self.at += 1;
        self.white();
    }

    /// Goes before the next element or key; when there is none, behind the bracket that closes.
    #[inline]
    pub(crate) fn more(&mut self) -> bool {
        self.white();
        match self.peek() {
            b']' | b'}' | 0 => {
                self.at += 1;
                self.white();
                false
            }
            b',' => {
                self.at += 1;
                self.white();
                true
            }
            _ => true,
        }
    }

    /// Reads a key and goes before its value.
    #[inline]
    pub(crate) fn key(&mut self) -> Cow<'a, [u8]> {
        let key = self.string();
        self.white();
        self.at += 1;
        self.white();
        key
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Cow<'a, [u8]> {
        let span = self.string_span();
        if !span.contains(&b'\\') {
            return Cow::Borrowed(span);
        }
        let mut bytes = Vec::new();
        unescape(span, &mut bytes);
        Cow::Owned(bytes)
    }

    /// What is between the quotes, as it is written.
    #[inline]
    fn string_span(&mut self) -> &'a [u8] {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                b'"' | 0 => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let end = self.at.min(self.text.len());
        self.at += 1;
        &self.text[start.min(end)..end]
    }

    /// Reads a number, as it is written.
    #[inline]
    pub(crate) fn number(&mut self) -> &'a str {
        let start = self.at;
        while matches!(self.peek(), b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') {
            self.at += 1;
        }
        let span = self.text.get(start..self.at).unwrap_or_default();
        std::str::from_utf8(span).unwrap_or_default()
    }

    /// Goes behind a value, whatever it is.
    #[inline]
    pub(crate) fn skip(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.peek() {
                0 if self.at >= self.text.len() => return,
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b'"' => {
                    self.string_span();
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    let start = self.at;
                    self.number();
                    // A byte of no value: the text was not checked.
                    self.at += usize::from(self.at == start);
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// The number of elements of an array; the cursor stays.
    pub(crate) fn len(mut self) -> usize {
        let mut n = 0;
        self.open();
        while self.more() {
            self.skip();
            n += 1;
        }
        n
    }

    /// The text of `{"b64": "…"}`, where it is nothing else.
    pub(crate) fn base64(mut self) -> Option<Cow<'a, [u8]>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.open();
        if !self.more() || self.key() != &b"b64"[..] || self.kind() != Kind::String {
            return None;
        }
        let text = self.string();
        if self.more() { None } else { Some(text) }
    }

    /// The value for a message: as it is written, and not all of a large one.
    pub(crate) fn shown(self) -> String {
        let mut end = self;
        end.skip();
        let span = &self.text[self.at.min(self.text.len())..end.at.min(self.text.len())];
        let span = &span[..span.len().min(SHOWN)];
        String::from_utf8_lossy(span).into_owned()
    }
}

/// Appends a string whose escapes are known to be right.
fn unescape(mut span: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', span) {
        out.extend_from_slice(&span[..at]);
        let escape = span.get(at + 1).copied().unwrap_or(0);
        span = span.get(at + 2..).unwrap_or_default();
        out.push(match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (point, n) = code_point(span);
                span = span.get(n..).unwrap_or_default();
                let mut utf8 = [0; 4];
                out.extend_from_slice(point.encode_utf8(&mut utf8).as_bytes());
                continue;
            }
            other => other,
        });
    }
    out.extend_from_slice(span);
}

/// The character that stands behind `\u`, and the bytes that it takes.
fn code_point(span: &[u8]) -> (char, usize) {
    let unit = |from: usize| {
        let digits = std::str::from_utf8(span.get(from..from + 4)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let high = unit(0).unwrap_or(0);
    let (point, n) = match (high, unit(6)) {
        (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
            (0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00), 10)
        }
        _ => (high, 4),
    };
    (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_one_after_the_other() {
        let text = br#" { "a" : [ 1 , -2.5e3, NaN ] , "\u0062": "x\n\ud83d\ude00\/", "c": {} } "#;
        let mut cursor = Cursor::new(text);
        assert_eq!(cursor.kind(), Kind::Object);
        cursor.open();
        assert!(cursor.more());
        assert_eq!(&*cursor.key(), b"a");
        assert_eq!(cursor.len(), 3);
        assert_eq!(cursor.shown(), "[ 1 , -2.5e3, NaN ]");
        cursor.open();
        for expected in ["1", "-2.5e3", "NaN"] {
            assert!(cursor.more());
            assert_eq!(cursor.number(), expected);
        }
        assert!(!cursor.more());
        assert!(cursor.more());
        assert_eq!(&*cursor.key(), b"b");
        assert_eq!(&*cursor.string(), "x\n😀/".as_bytes());
        assert!(cursor.more());
        assert_eq!(&*cursor.key(), b"c");
        cursor.skip();
        assert!(!cursor.more());
    }

    #[test]
    fn base64_is_an_object_of_one_member() {
        let check = |text: &str, expected: Option<&[u8]>| {
            assert_eq!(Cursor::new(text.as_bytes()).base64().as_deref(), expected, "{text}");
        };
        check(r#"{"b64": "YQ=="}"#, Some(b"YQ=="));
        check(r#"{"b64": "YQ==", "c": 1}"#, None);
        check(r#"{"c": 1, "b64": "YQ=="}"#, None);
        check(r#"{"b64": 1}"#, None);
        check("{}", None);
        check(r#"["b64", "YQ=="]"#, None);
    }

    #[test]
    fn a_text_that_nobody_checked_is_no_panic() {
        let text = br#"{"a": [1, "\ud83d\ude00", {"b": null}], "c": {"b64": "x\"#;
        for start in 0..text.len() {
            for end in start..=text.len() {
                let mut cursor = Cursor::new(&text[start..end]);
                let _ = (cursor.shown(), cursor.len(), cursor.base64());
                let _ = (cursor.key(), cursor.string(), cursor.number());
                cursor.skip();
            }
        }
    }
}
