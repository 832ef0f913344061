//! Strings with escapes, as both directions need them.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// Writes text in double quotes, as UTF-8.
pub(super) fn quote_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => escape(byte, out),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Writes bytes in double quotes, as ASCII.
pub(super) fn quote_bytes(bytes: &[u8], out: &mut String) {
    out.push('"');
    for &byte in bytes {
        escape(byte, out);
    }
    out.push('"');
}

/// Writes printable ASCII as it is, and everything else as an escape.
fn escape(byte: u8, out: &mut String) {
    match byte {
        b'\t' => out.push_str("\\t"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'"' | b'\'' | b'\\' => {
            out.push('\\');
            out.push(char::from(byte));
        }
        b' '..=b'~' => out.push(char::from(byte)),
        _ => {
            let _ = write!(out, "\\{byte:03o}");
        }
    }
}

/// Appends a string without its escapes; `Err` is where one is wrong.
pub(super) fn unescape(text: &str, out: &mut Vec<u8>) -> std::result::Result<(), usize> {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let (len, ok) = one_escape(escape, out);
        if !ok {
            return Err(text.len() - rest.len() + at);
        }
        rest = &escape[len..];
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(())
}

/// Appends what an escape without its backslash stands for; its length and whether it is known.
fn one_escape(escape: &str, out: &mut Vec<u8>) -> (usize, bool) {
    let byte = match escape.as_bytes().first() {
        Some(b'a') => 0x07,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 0x0b,
        Some(&same @ (b'?' | b'\\' | b'\'' | b'"')) => same,
        Some(b'0'..=b'7') => return number_escape(escape, 0, 8, 1..=3, out),
        Some(b'x' | b'X') => return number_escape(escape, 1, 16, 1..=2, out),
        Some(b'u') => return number_escape(escape, 1, 16, 4..=4, out),
        Some(b'U') => return number_escape(escape, 1, 16, 8..=8, out),
        _ => return (0, false),
    };
    out.push(byte);
    (1, true)
}

/// An escape by number: of a byte if it has few digits, of a character if it has many.
fn number_escape(
    escape: &str,
    skip: usize,
    radix: u32,
    lengths: RangeInclusive<usize>,
    out: &mut Vec<u8>,
) -> (usize, bool) {
    let digits = &escape[skip..];
    let len = digits.chars().take(*lengths.end()).take_while(|c| c.is_digit(radix)).count();
    if !lengths.contains(&len) {
        return (0, false);
    }
    let Ok(value) = u32::from_str_radix(&digits[..len], radix) else { return (0, false) };
    if *lengths.end() > 3 {
        let Some(c) = char::from_u32(value) else { return (0, false) };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let Ok(byte) = u8::try_from(value) else { return (0, false) };
        out.push(byte);
    }
    (skip + len, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], quoted: &str) {
        let mut out = String::new();
        quote_bytes(bytes, &mut out);
        assert_eq!(out, quoted);
        let mut back = Vec::new();
        unescape(&quoted[1..quoted.len() - 1], &mut back).unwrap();
        assert_eq!(back, bytes);
    }

    #[test]
    fn both_ways() {
        check(b"", r#""""#);
        check(b"a b~", r#""a b~""#);
        check(b"\t\n\r\"'\\", r#""\t\n\r\"\'\\""#);
        check(b"\0\x01\x1f\x7f\x80\xff1", r#""\000\001\037\177\200\3771""#);
        let mut out = String::new();
        quote_text("é\u{7}\u{7f}🙂", &mut out);
        assert_eq!(out, r#""é\007\177🙂""#);
    }

    #[test]
    fn escapes() {
        fn check(text: &str, expected: Result<&[u8], usize>) {
            let mut out = Vec::new();
            let result = unescape(text, &mut out);
            assert_eq!(result.map(|()| out.as_slice()), expected, "{text}");
        }
        check(r"\a\b\f\v\?", Ok(b"\x07\x08\x0c\x0b?"));
        check(r"\1\12\1234", Ok(b"\x01\nS4"));
        check(r"\x4\X41g", Ok(b"\x04Ag"));
        check(r"\u00e9\U0001F642", Ok("é🙂".as_bytes()));
        check(r"é\q", Err(2));
        check(r"a\", Err(1));
        check(r"\400", Err(0));
        check(r"\x", Err(0));
        check(r"\u12", Err(0));
        check(r"\ud800", Err(0));
        check(r"\U00110000", Err(0));
    }
}
