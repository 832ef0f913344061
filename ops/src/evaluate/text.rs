//! Protobuf's text format as JSON, without its schema: what an `EvalConfig` in a `.pbtxt` needs.
//!
//! A field that occurs several times becomes a list; whoever reads it has to take a single value for a
//! list of one where it may be repeated, and messages of `key` and `value` for entries of a map.

use engine::{Error, Result};
use serde_json::{Map, Value as Json};

/// Messages inside of each other.
const DEEPEST: usize = 32;

/// Reads a message in text format.
///
/// # Errors
/// When the text is none; the error names the line.
pub(super) fn parse(text: &str) -> Result<Json> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let message = parser.fields(None)?;
    Ok(Json::Object(message))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self, expected: &str) -> Error {
        let line = self.text[..self.at].matches('\n').count() + 1;
        Error::input(format!("line {line} of an EvalConfig in text format is not {expected}"))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is neither space nor comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if !self.rest().starts_with('#') {
                return self.rest().chars().next();
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.at += wanted.len_utf8();
        }
        is_there
    }

    /// Letters, digits and what numbers have beside them.
    fn word(&mut self) -> &'a str {
        self.peek();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
        let rest = self.rest();
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn fields(&mut self, end: Option<char>) -> Result<Map<String, Json>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("less than 32 messages deep"));
        }
        let mut fields = Map::new();
        loop {
            match (self.peek(), end) {
                (None, None) => break,
                (Some(c), Some(end)) if c == end => {
                    self.take(end);
                    break;
                }
                _ => {}
            }
            let name = self.word().to_owned();
            if name.is_empty() {
                return Err(self.wrong("a field"));
            }
            let has_colon = self.take(':');
            let value = match self.peek() {
                Some('[') => self.list()?,
                Some('{' | '<') => self.message()?,
                Some(_) if has_colon => self.scalar()?,
                _ => return Err(self.wrong("a value")),
            };
            add(&mut fields, name, value);
            let _ = self.take(',') || self.take(';');
        }
        self.depth -= 1;
        Ok(fields)
    }

    fn message(&mut self) -> Result<Json> {
        let end = if self.take('{') {
            '}'
        } else if self.take('<') {
            '>'
        } else {
            return Err(self.wrong("a message"));
        };
        Ok(Json::Object(self.fields(Some(end))?))
    }

    fn list(&mut self) -> Result<Json> {
        self.take('[');
        let mut items = Vec::new();
        while !self.take(']') {
            items.push(match self.peek() {
                Some('{' | '<') => self.message()?,
                Some(_) => self.scalar()?,
                None => return Err(self.wrong("the end of a list")),
            });
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.wrong("the end of a list"));
            }
        }
        Ok(Json::Array(items))
    }

    fn scalar(&mut self) -> Result<Json> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            let mut text = String::new();
            // Texts beside each other are one.
            while self.peek() == Some(quote) {
                self.quoted(quote, &mut text)?;
            }
            return Ok(Json::String(text));
        }
        let word = self.word();
        Ok(match word {
            "" => return Err(self.wrong("a value")),
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            word => match (word.parse::<i64>(), word.trim_end_matches(['f', 'F']).parse::<f64>()) {
                (Ok(whole), _) => Json::from(whole),
                (_, Ok(number)) if number.is_finite() => Json::from(number),
                _ => Json::String(word.to_owned()),
            },
        })
    }

    fn quoted(&mut self, quote: char, out: &mut String) -> Result<()> {
        self.take(quote);
        let start = self.at;
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at = start + i + 1;
                    return Ok(());
                }
                '\n' => break,
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, c @ ('\\' | '\'' | '"'))) => out.push(c),
                    _ => return Err(self.wrong("a text whose escapes are known")),
                },
                c => out.push(c),
            }
        }
        Err(self.wrong("a text with an end"))
    }
}

fn add(fields: &mut Map<String, Json>, name: String, value: Json) {
    let more = |value: Json| match value {
        Json::Array(items) => items,
        value => vec![value],
    };
    match fields.remove(&name) {
        None => fields.insert(name, value),
        Some(first) => {
            let mut all = more(first);
            all.extend(more(value));
            fields.insert(name, Json::Array(all))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_json() {
        let check = |text: &str, expected: &str| {
            let expected: Json = serde_json::from_str(expected).unwrap();
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        };
        check("", "{}");
        check("a: 1 b { c: 'x' 'y' } # end", r#"{"a": 1, "b": {"c": "xy"}}"#);
        check("a: 1, a: 2; a: [3, 4]", r#"{"a": [1, 2, 3, 4]}"#);
        check("m <n: {value: -0.5f}>", r#"{"m": {"n": {"value": -0.5}}}"#);
        check(
            "e: LOWER t: true s: 'it\\'s' i: inf",
            r#"{"e": "LOWER", "t": true, "s": "it's", "i": "inf"}"#,
        );
        check("j: '{\"thresholds\": '\n  '[0.5]}'", r#"{"j": "{\"thresholds\": [0.5]}"}"#);
    }

    #[test]
    fn what_is_no_text_format_names_its_line() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains(expected), "{text}: {error}");
        };
        check("a", "line 1");
        check("a: 1\n}", "line 2");
        check("a {\n", "line 2");
        check("a: 'x\n'", "is not a text with an end");
        check("a: [1 2]", "is not the end of a list");
        check(&"a {".repeat(99), "32 messages deep");
    }
}
