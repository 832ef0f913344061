//! Whether a text is JSON, in the words of TensorFlow Serving: RapidJSON's messages and offsets.
//!
//! `NaN`, `Infinity`, `Inf` and their negatives are numbers, as they are there. What follows the first
//! value is not looked at, and strings hold any bytes from 0x20 up: RapidJSON's own choices.
//!
//! A text is checked as a whole before anything is read of it, with one bit for each level that is open:
//! no nesting is too deep, and [`Cursor`](crate::cursor::Cursor) meets no surprise.

/// Why a text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// RapidJSON's sentence.
    pub(crate) message: &'static str,
    /// Bytes before the place.
    pub(crate) offset: usize,
}

type Checked = Result<(), SyntaxError>;

const EMPTY: &str = "The document is empty.";
const INVALID: &str = "Invalid value.";
const NO_NAME: &str = "Missing a name for object member.";
const NO_COLON: &str = "Missing a colon after a name of object member.";
const NO_BRACE: &str = "Missing a comma or '}' after an object member.";
const NO_BRACKET: &str = "Missing a comma or ']' after an array element.";
const NO_HEX: &str = "Incorrect hex digit after \\u escape in string.";
const NO_PAIR: &str = "The surrogate pair in string is invalid.";
const NO_ESCAPE: &str = "Invalid escape character in string.";
const NO_QUOTE: &str = "Missing a closing quotation mark in string.";
const CONTROL: &str = "Invalid encoding in string.";
const TOO_BIG: &str = "Number too big to be stored in double.";
const NO_FRACTION: &str = "Miss fraction part in number.";
const NO_EXPONENT: &str = "Miss exponent in number.";

/// The byte order mark, which may come first.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Checks the first value of a text.
///
/// # Errors
/// Saying what is wrong, and where.
pub(crate) fn check(text: &[u8]) -> Checked {
    let mut checker = Checker { text, at: if text.starts_with(BOM) { BOM.len() } else { 0 } };
    checker.document()
}

/// What may come next.
#[derive(Clone, Copy)]
enum State {
    Start,
    FirstMember,
    Member,
    FirstElement,
    Element,
    AfterValue,
}

struct Checker<'a> {
    text: &'a [u8],
    at: usize,
}

impl Checker<'_> {
    /// The next byte; 0 at the end, which ends a document for RapidJSON, too.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn fail<T>(&self, message: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError { message, offset: self.at })
    }

    #[inline]
    fn white(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == byte;
        self.at += usize::from(is_there);
        is_there
    }

    fn document(&mut self) -> Checked {
        let mut open = Levels::default();
        let mut state = State::Start;
        loop {
            self.white();
            let next = self.peek();
            match (state, next) {
                (State::Start, 0 | b']' | b'}' | b',' | b':') => return self.fail(EMPTY),
                (State::FirstMember, b'}') | (State::FirstElement, b']') => {
                    self.at += 1;
                    open.pop();
                    state = State::AfterValue;
                }
                (State::FirstMember | State::Member, b'"') => {
                    self.string()?;
                    self.white();
                    if !self.eat(b':') {
                        return self.fail(NO_COLON);
                    }
                    self.white();
                    state = self.value(&mut open)?;
                }
                (State::FirstMember | State::Member, _) => return self.fail(NO_NAME),
                (State::Start | State::FirstElement | State::Element, _) => {
                    state = self.value(&mut open)?;
                }
                (State::AfterValue, _) => {
                    let Some(is_object) = open.last() else { return Ok(()) };
                    match (is_object, next) {
                        (true, b',') => state = State::Member,
                        (false, b',') => state = State::Element,
                        (true, b'}') | (false, b']') => open.pop(),
                        (true, _) => return self.fail(NO_BRACE),
                        (false, _) => return self.fail(NO_BRACKET),
                    }
                    self.at += 1;
                }
            }
            if matches!(state, State::AfterValue) && open.n == 0 {
                return Ok(());
            }
        }
    }

    /// A whole value, or what opens one.
    #[inline]
    fn value(&mut self, open: &mut Levels) -> Result<State, SyntaxError> {
        match self.peek() {
            b'{' => {
                self.at += 1;
                open.push(true);
                return Ok(State::FirstMember);
            }
            b'[' => {
                self.at += 1;
                open.push(false);
                return Ok(State::FirstElement);
            }
            b'"' => self.string()?,
            b'n' => self.word(b"null")?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            _ => self.number()?,
        }
        Ok(State::AfterValue)
    }

    fn word(&mut self, word: &[u8]) -> Checked {
        for byte in word {
            if !self.eat(*byte) {
                return self.fail(INVALID);
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    #[inline]
    fn number(&mut self) -> Checked {
        let start = self.at;
        let too_big = Err(SyntaxError { message: TOO_BIG, offset: start });
        self.eat(b'-');
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => {
                self.digits();
            }
            b'N' => return self.word(b"NaN"),
            b'I' => {
                self.word(b"Inf")?;
                return if self.peek() == b'i' { self.word(b"inity") } else { Ok(()) };
            }
            _ => return self.fail(INVALID),
        }
        // As many digits as no double is without its exponent.
        let mut is_large = self.at - start > f64::MAX_10_EXP as usize;
        let mut n_fraction = 0;
        if self.eat(b'.') {
            n_fraction = self.digits();
            if n_fraction == 0 {
                return self.fail(NO_FRACTION);
            }
        }
        if self.eat(b'e') || self.eat(b'E') {
            let is_negative = !self.eat(b'+') && self.eat(b'-');
            let first = self.at;
            if self.digits() == 0 {
                return self.fail(NO_EXPONENT);
            }
            let most = f64::MAX_10_EXP as usize + n_fraction;
            let exponent = self.text[first..self.at].iter().fold(0usize, |exponent, digit| {
                exponent.saturating_mul(10).saturating_add((digit - b'0') as usize)
            });
            if !is_negative && exponent > most {
                return too_big;
            }
            is_large |= !is_negative;
        }
        let number = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if is_large && number.parse::<f64>().is_ok_and(f64::is_infinite) {
            return too_big;
        }
        Ok(())
    }

    fn string(&mut self) -> Checked {
        self.at += 1;
        loop {
            while !matches!(self.peek(), b'"' | b'\\' | 0..0x20) {
                self.at += 1;
            }
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0 => return self.fail(NO_QUOTE),
                _ => return self.fail(CONTROL),
            }
        }
    }

    fn escape(&mut self) -> Checked {
        let start = self.at;
        let wrong = |message| Err(SyntaxError { message, offset: start });
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                let Some(unit) = self.hex() else { return wrong(NO_HEX) };
                match unit {
                    0xd800..0xdc00 => {
                        if !self.eat(b'\\') || !self.eat(b'u') {
                            return wrong(NO_PAIR);
                        }
                        match self.hex() {
                            None => return wrong(NO_HEX),
                            Some(0xdc00..0xe000) => {}
                            Some(_) => return wrong(NO_PAIR),
                        }
                    }
                    0xdc00..0xe000 => return wrong(NO_PAIR),
                    _ => {}
                }
            }
            _ => return wrong(NO_ESCAPE),
        }
        Ok(())
    }

    fn hex(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit * 16 + char::from(self.peek()).to_digit(16)?;
            self.at += 1;
        }
        Some(unit)
    }
}

/// Which levels are open: a bit for each, 1 for an object.
#[derive(Default)]
struct Levels {
    n: usize,
    bits: Vec<u64>,
}

impl Levels {
    fn push(&mut self, is_object: bool) {
        let (word, bit) = (self.n / 64, self.n % 64);
        if word == self.bits.len() {
            self.bits.push(0);
        }
        self.bits[word] = self.bits[word] & !(1 << bit) | u64::from(is_object) << bit;
        self.n += 1;
    }

    fn pop(&mut self) {
        self.n = self.n.saturating_sub(1);
    }

    /// Whether the innermost level is an object; none is open otherwise.
    fn last(&self) -> Option<bool> {
        let last = self.n.checked_sub(1)?;
        Some(self.bits[last / 64] >> (last % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_accepted() {
        let texts: [&[u8]; 16] = [
            b"{}",
            b" [ ] ",
            b"null",
            b"[NaN, -NaN, Infinity, -Infinity, Inf, -Inf]",
            b"[0, -0, 1.5e-3, 1E+2, 12345678901234567890123, 1e308, 1.7976931348623157e308]",
            b"1e-99999999999999999999",
            br#""\" \\ \/ \b \f \n \r \t \u00e9 \ud83d\ude00""#,
            b"\"\xff\xfe\"",
            b"\xef\xbb\xbf{}",
            br#"{"a": {"b": [{}, [], ""]}, "a": 1}"#,
            b"[1] and so on",
            b"true false",
            b"{\"\": [[[[]]]]}\n",
            b"\"\x7f\"",
            b"0.0",
            b"[1]\0",
        ];
        for text in texts {
            assert_eq!(check(text), Ok(()), "{}", String::from_utf8_lossy(text));
        }
        let deep = [vec![b'['; 1 << 20], vec![b']'; 1 << 20]].concat();
        assert_eq!(check(&deep), Ok(()));
    }

    #[test]
    fn mistakes_have_the_messages_and_offsets_of_rapidjson() {
        let check = |text: &[u8], message: &str, offset: usize| {
            let error = super::check(text).unwrap_err();
            assert_eq!((error.message, error.offset), (message, offset), "{text:?}");
        };
        check(b"  ", EMPTY, 2);
        check(b"]", EMPTY, 0);
        check(b"instances = [1, 2]", INVALID, 0);
        check(b"{", NO_NAME, 1);
        check(b"{1: 2}", NO_NAME, 1);
        check(b"{\"a\": 1,}", NO_NAME, 8);
        check(b"{\"a\" 1}", NO_COLON, 5);
        check(b"{\"a\"", NO_COLON, 4);
        check(b"{\"a\":", INVALID, 5);
        check(b"{\"a\":}", INVALID, 5);
        check(b"{\"a\": 1 \"b\"}", NO_BRACE, 8);
        check(b"{\"a\": 1]", NO_BRACE, 7);
        check(b"[1, 2", NO_BRACKET, 5);
        check(b"[1 2]", NO_BRACKET, 3);
        check(b"[1, 2,]", INVALID, 6);
        check(b"[,]", INVALID, 1);
        check(b"[1, 2}", NO_BRACKET, 5);
        check(b"nul", INVALID, 3);
        check(b"[trUe]", INVALID, 3);
        check(b"[-]", INVALID, 2);
        check(b"[+1]", INVALID, 1);
        check(b"[01]", NO_BRACKET, 2);
        check(b"[1.]", NO_FRACTION, 3);
        check(b"[1.e5]", NO_FRACTION, 3);
        check(b"[1e]", NO_EXPONENT, 3);
        check(b"[ 1e309]", TOO_BIG, 2);
        check(b"[-1.8e308]", TOO_BIG, 1);
        check(b"[Infinitx]", INVALID, 8);
        check(b"[Na]", INVALID, 3);
        check(b"\"abc", NO_QUOTE, 4);
        check(b"\"a\nb\"", CONTROL, 2);
        check(b"\"a\\x\"", NO_ESCAPE, 2);
        check(b"\"\\u12g4\"", NO_HEX, 1);
        check(b"\"\\ud800\"", NO_PAIR, 1);
        check(b"\"\\udc00\"", NO_PAIR, 1);
        check(b"\"\\ud800\\u0041\"", NO_PAIR, 1);
        check(&[&vec![b'9'; 400][..], b" "].concat(), TOO_BIG, 0);
        check(b"", EMPTY, 0);
    }

    #[test]
    fn a_text_that_is_cut_off_is_an_error_and_no_panic() {
        let text = br#"{"a": [1, -2.5e3, "\ud83d\ude00", {"b": null}], "c": NaN}"#;
        for n in 0..text.len() {
            assert!(super::check(&text[..n]).is_err(), "{n}");
        }
    }

    #[test]
    fn another_parser_agrees() {
        let seeds: [&[u8]; 3] = [
            br#"{"a": [1, -2.5e3, "x\n\ud83d\ude00", {"b": null}], "c": true, "d": ""}"#,
            br#"[[], {}, [0, 0.5, 1e5, -0], false, "\\ \" \u00e9", {"": {"a": [[]]}}]"#,
            b" { \"k\" : [ 12345678901234567890 , 1E-7 ] , \"k\" : null } ",
        ];
        let bytes = br#"{}[]:,"\ntfu0123456789eE+-. "#;
        let mut state = 1u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % n
        };
        let mut n = [0; 2];
        for i in 0..30_000 {
            let mut text = seeds[i % 3].to_vec();
            for _ in 0..=below(2) {
                let at = below(text.len());
                match below(3) {
                    0 => text[at] = bytes[below(bytes.len())],
                    1 => text.insert(at, bytes[below(bytes.len())]),
                    _ => drop(text.remove(at)),
                }
            }
            // Numbers without bounds are accepted by the other where any crate has asked for them.
            let digits =
                |rest: &[u8]| rest.iter().take_while(|b| b"+-0123456789".contains(b)).count();
            let exponents = text.iter().zip(0..).filter(|(byte, _)| b"eE".contains(byte));
            if exponents.map(|(_, at)| digits(&text[at + 1..])).any(|n| n > 2) {
                continue;
            }
            // A list, behind whose end neither of the two looks.
            text.insert(0, b'[');
            text.push(b']');
            let mut stream =
                serde_json::Deserializer::from_slice(&text).into_iter::<serde_json::Value>();
            let other = stream.next().is_some_and(|value| value.is_ok());
            let ours = super::check(&text).is_ok();
            assert_eq!(ours, other, "{}", String::from_utf8_lossy(&text));
            n[usize::from(ours)] += 1;
        }
        assert!(n.iter().all(|n| *n > 1_000), "{n:?}");
    }
}
