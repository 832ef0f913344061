//! Reads the text form of messages, with errors that name line, column and what was meant.
//!
//! The parser writes the binary form as it goes and lets that be decoded: so it needs no second
//! representation of messages, and keeps the sign of -0.0.

use std::fmt::Display;

use engine::{Error, Result};
use prost::encoding::{self, WireType, encode_key, encode_varint};
use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage,
};

use super::super::{DESCRIPTOR_POOL, nearest, wire};
use super::escape::unescape;
use super::places::{Places, Recorder};
use super::scan::{Scanner, Token};

/// More of a word is not quoted in an error.
const SHOWN: usize = 60;

/// Reads a message from its text form.
///
/// # Errors
///
/// The text is not well-formed, or it names fields or values that the message does not have. The
/// message tells line and column.
///
/// # Examples
///
/// ```
/// let path: ops::tfmd::Path = ops::tfmd::text::parse("step: 'a' step: \"b\"").unwrap();
/// assert_eq!(path.step, ["a", "b"]);
///
/// let error = ops::tfmd::text::parse::<ops::tfmd::Schema>("feature {\n  nam: 'a'\n}").unwrap_err();
/// assert_eq!(error.message(), "line 2, column 3: `Feature` has no field `nam`");
/// assert_eq!(error.hint(), Some("Did you mean `name`?"));
/// ```
pub fn parse<M: ReflectMessage + Default>(text: &str) -> Result<M> {
    Parser::new(text, None).whole()
}

/// Reads a message from its text form, and where each of its fields stands.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_with_places<M: ReflectMessage + Default>(text: &str) -> Result<(M, Places)> {
    let mut parser = Parser::new(text, Some(Recorder::default()));
    let message = parser.whole()?;
    Ok((message, parser.recorder.map(Recorder::finish).unwrap_or_default()))
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// The token that is looked at, and where it begins.
    token: Token<'a>,
    start: usize,
    recorder: Option<Recorder>,
}

/// What a message has so far.
struct Seen {
    /// Where its opening bracket stands, if it has one.
    open: Option<usize>,
    /// The numbers of the fields that must not be repeated.
    fields: Vec<u32>,
    /// The names of the `oneof`s and of their members.
    oneofs: Vec<(String, String)>,
    /// The numbers of the fields that may be repeated, and how often they are there.
    counts: Vec<(u32, usize)>,
}

impl Seen {
    fn new(open: Option<usize>) -> Self {
        Seen { open, fields: Vec::new(), oneofs: Vec::new(), counts: Vec::new() }
    }

    /// The place of the next element of a field among its elements, if it has several.
    fn index(&mut self, field: &FieldDescriptor) -> Option<usize> {
        if field.cardinality() != Cardinality::Repeated {
            return None;
        }
        let number = field.number();
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == number) {
            *count += 1;
            return Some(*count);
        }
        self.counts.push((number, 0));
        Some(0)
    }
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, recorder: Option<Recorder>) -> Self {
        let mut scanner = Scanner::new(text);
        let (token, start) = scanner.next();
        Parser { scanner, token, start, recorder }
    }

    /// The message that the whole text is.
    fn whole<M: ReflectMessage + Default>(&mut self) -> Result<M> {
        let mut out = Vec::new();
        self.fields(&M::default().descriptor(), Token::End, None, wire::MAX_DEPTH, &mut out)?;
        M::decode(out.as_slice())
            .map_err(|e| Error::input("the text is not a valid message").with_detail(e.to_string()))
    }

    /// Passes over the current token and returns it.
    fn advance(&mut self) -> Token<'a> {
        let token = self.token;
        (self.token, self.start) = self.scanner.next();
        token
    }

    fn accept(&mut self, sign: char) -> bool {
        let found = self.token == Token::Sign(sign);
        if found {
            self.advance();
        }
        found
    }

    /// An error at a place in the text.
    fn error_at(&self, start: usize, message: impl Display) -> Error {
        let (line, column) = self.scanner.position(start);
        Error::input(format!("line {line}, column {column}: {message}"))
    }

    /// An error that says what should be here instead of the current token.
    fn expected<T>(&self, what: impl Display) -> Result<T> {
        Err(self.unexpected(what))
    }

    fn unexpected(&self, what: impl Display) -> Error {
        let found = match self.token {
            Token::Word(text) | Token::Number(text) => format!("`{}`", shown(text)),
            Token::Quoted(_) => "a string".to_owned(),
            Token::Unclosed => "a string without an end".to_owned(),
            Token::Sign(sign) => format!("`{}`", sign.escape_debug()),
            Token::End => "the end of the text".to_owned(),
        };
        let error = self.error_at(self.start, format!("expected {what}, found {found}"));
        match self.token {
            Token::Unclosed => error.with_hint("Close the string on the line it begins on."),
            _ => error,
        }
    }

    /// Fields of a message up to a closing token, which is passed over.
    fn fields(
        &mut self,
        descriptor: &MessageDescriptor,
        end: Token<'a>,
        open: Option<usize>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            let limit = wire::MAX_DEPTH;
            let message = format!("messages are nested more than {limit} deep");
            return Err(self.error_at(self.start, message));
        };
        let mut seen = Seen::new(open);
        while self.token != end {
            match (self.token, end) {
                (Token::Word(name), _) => self.field(descriptor, name, &mut seen, depth, out)?,
                (Token::Sign('['), _) => self.any(descriptor, depth, out)?,
                (_, Token::Sign(end)) => {
                    let error = self.unexpected(format!("the name of a field or `{end}`"));
                    return Err(self.opened(error, seen.open));
                }
                _ => return self.expected("the name of a field"),
            }
            if !self.accept(',') {
                self.accept(';');
            }
        }
        self.advance();
        Ok(())
    }

    fn field(
        &mut self,
        descriptor: &MessageDescriptor,
        name: &str,
        seen: &mut Seen,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(field) = descriptor.get_field_by_name(name) else {
            let message = format!("`{}` has no field `{}`", descriptor.name(), shown(name));
            let names: Vec<_> = descriptor.fields().map(|f| f.name().to_owned()).collect();
            return Err(nearest::hint(self.error_at(self.start, message), name, &names));
        };
        self.only_once(&field, seen)?;
        let start = self.start;
        self.advance();
        let kind = field.kind();
        if !self.accept(':') && !matches!(kind, Kind::Message(_)) {
            return self.expected(format!("`:` after `{name}`"));
        }
        if field.cardinality() != Cardinality::Repeated || !self.accept('[') {
            return self.element(&field, start, seen, depth, out);
        }
        while !self.accept(']') {
            self.element(&field, self.start, seen, depth, out)?;
            if !self.accept(',') && self.token != Token::Sign(']') {
                return self.expected("`,` or `]`");
            }
        }
        Ok(())
    }

    /// One value of a field that begins at `start`.
    fn element(
        &mut self,
        field: &FieldDescriptor,
        start: usize,
        seen: &mut Seen,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let text = self.scanner.text();
        let entered =
            self.recorder.as_mut().map(|r| r.enter(field.name(), seen.index(field), text, start));
        self.value(field.number(), &field.kind(), depth, out)?;
        if let (Some(recorder), Some(len)) = (&mut self.recorder, entered) {
            recorder.leave(len);
        }
        Ok(())
    }

    /// Adds where the message begins that an error is in.
    fn opened(&self, error: Error, open: Option<usize>) -> Error {
        let Some(open) = open else { return error };
        let (line, column) = self.scanner.position(open);
        error.with_detail(format!("The message is opened at line {line}, column {column}."))
    }

    /// Remembers a field that must not be repeated, and complains if it is.
    fn only_once(&self, field: &FieldDescriptor, seen: &mut Seen) -> Result<()> {
        if field.cardinality() == Cardinality::Repeated {
            return Ok(());
        }
        if seen.fields.contains(&field.number()) {
            let message = format!("`{}` is given twice", field.name());
            return Err(self.error_at(self.start, message));
        }
        seen.fields.push(field.number());
        if let Some(oneof) = field.containing_oneof() {
            if let Some((_, other)) = seen.oneofs.iter().find(|(name, _)| name == oneof.name()) {
                let message = format!("`{}` and `{other}` exclude each other", field.name());
                return Err(self.error_at(self.start, message));
            }
            seen.oneofs.push((oneof.name().to_owned(), field.name().to_owned()));
        }
        Ok(())
    }

    /// `[address/type] { … }`: the message inside an `Any`.
    fn any(
        &mut self,
        descriptor: &MessageDescriptor,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = self.start;
        if descriptor.full_name() != "google.protobuf.Any" {
            return self.expected("the name of a field");
        }
        let Some(url) = self.scanner.until(']').map(str::trim) else {
            return self.expected("the address of a type in `[` and `]`");
        };
        self.advance();
        self.accept(':');
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let Some(inner) = DESCRIPTOR_POOL.get_message_by_name(name) else {
            let message = format!("there is no message type `{}`", shown(url));
            return Err(self.error_at(start, message));
        };
        let mut fields = Vec::new();
        self.message(&inner, depth, &mut fields)?;
        encoding::string::encode(1, &url.to_owned(), out);
        let fields = wire::in_order(&inner, &fields).unwrap_or(fields);
        if !fields.is_empty() {
            encoding::bytes::encode(2, &fields, out);
        }
        Ok(())
    }

    /// The fields of a message in brackets.
    fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let end = match self.token {
            Token::Sign('{') => '}',
            Token::Sign('<') => '>',
            _ => return self.expected("`{`"),
        };
        let open = self.start;
        self.advance();
        self.fields(descriptor, Token::Sign(end), Some(open), depth, out)
    }

    fn value(&mut self, number: u32, kind: &Kind, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        match kind {
            Kind::Message(inner) => {
                let mut fields = Vec::new();
                self.message(inner, depth, &mut fields)?;
                encode_key(number, WireType::LengthDelimited, out);
                encode_varint(fields.len() as u64, out);
                out.extend_from_slice(&fields);
            }
            Kind::Double => encoding::double::encode(number, &self.float()?, out),
            Kind::Float => encoding::float::encode(number, &(self.float()? as f32), out),
            Kind::Int32 => encoding::int32::encode(number, &self.integer("a 32-bit")?, out),
            Kind::Int64 => encoding::int64::encode(number, &self.integer("a 64-bit")?, out),
            Kind::Uint32 => {
                encoding::uint32::encode(number, &self.integer("an unsigned 32-bit")?, out);
            }
            Kind::Uint64 => {
                encoding::uint64::encode(number, &self.integer("an unsigned 64-bit")?, out);
            }
            Kind::Bool => encoding::bool::encode(number, &self.bool()?, out),
            Kind::Enum(values) => encoding::int32::encode(number, &self.enum_value(values)?, out),
            Kind::Bytes => encoding::bytes::encode(number, &self.string()?, out),
            Kind::String => {
                let start = self.start;
                let text = String::from_utf8(self.string()?)
                    .map_err(|_| self.error_at(start, "the string is not valid UTF-8"))?;
                encoding::string::encode(number, &text, out);
            }
            // No message of ours has fields of the other kinds.
            _ => return self.expected("a value of a known kind"),
        }
        Ok(())
    }

    fn float(&mut self) -> Result<f64> {
        let start = self.start;
        let negative = self.accept('-');
        let (Token::Word(text) | Token::Number(text)) = self.token else {
            return self.expected("a number");
        };
        let lower = text.to_ascii_lowercase();
        let value = match lower.as_str() {
            "inf" | "infinity" => Some(f64::INFINITY),
            "nan" => Some(f64::NAN),
            _ if matches!(self.token, Token::Word(_)) => None,
            _ => lower.strip_suffix('f').unwrap_or(&lower).parse().ok(),
        };
        let Some(value) = value else {
            return Err(self.error_at(start, format!("`{}` is not a number", shown(text))));
        };
        self.advance();
        Ok(if negative { -value } else { value })
    }

    fn integer<T: TryFrom<i128>>(&mut self, what: &str) -> Result<T> {
        let start = self.start;
        let negative = self.accept('-');
        let Token::Number(text) = self.token else { return self.expected("an integer") };
        let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
            None => (text, 10),
        };
        let value = i128::from_str_radix(digits, radix).map(|v| if negative { -v } else { v });
        let Some(value) = value.ok().and_then(|v| T::try_from(v).ok()) else {
            let (sign, text) = (if negative { "-" } else { "" }, shown(text));
            let error = self.error_at(start, format!("`{sign}{text}` is not {what} integer"));
            let is_octal = radix == 8 && digits.bytes().all(|b| b.is_ascii_digit());
            return Err(if is_octal {
                error.with_hint("A 0 in front makes a number octal: leave it out.")
            } else {
                error
            });
        };
        self.advance();
        Ok(value)
    }

    fn bool(&mut self) -> Result<bool> {
        let value = match self.token {
            Token::Word("true" | "True" | "t") | Token::Number("1") => true,
            Token::Word("false" | "False" | "f") | Token::Number("0") => false,
            _ => return self.expected("`true` or `false`"),
        };
        self.advance();
        Ok(value)
    }

    fn enum_value(&mut self, values: &EnumDescriptor) -> Result<i32> {
        let Token::Word(name) = self.token else {
            return match self.token {
                Token::Number(_) | Token::Sign('-') => self.integer("a 32-bit"),
                Token::Quoted(_) => {
                    let error = self.unexpected(format!("a value of `{}`", values.name()));
                    Err(error.with_hint("Write it without quotes."))
                }
                _ => self.expected(format!("a value of `{}`", values.name())),
            };
        };
        let Some(value) = values.get_value_by_name(name) else {
            let message = format!("`{}` has no value `{}`", values.name(), shown(name));
            let names: Vec<_> = values.values().map(|v| v.name().to_owned()).collect();
            return Err(nearest::hint(self.error_at(self.start, message), name, &names));
        };
        self.advance();
        Ok(value.number())
    }

    /// Adjacent strings are one.
    fn string(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.token {
            Token::Quoted(_) => {}
            Token::Word(_) | Token::Number(_) => {
                return Err(self.unexpected("a string").with_hint("Put it in quotes."));
            }
            _ => return self.expected("a string"),
        }
        while let Token::Quoted(text) = self.token {
            if let Err(at) = unescape(text, &mut bytes) {
                // One byte for the opening quote.
                let start = self.start + 1 + at;
                return Err(self.error_at(start, "this is not a known escape in a string"));
            }
            self.advance();
        }
        Ok(bytes)
    }
}

/// The beginning of a text that is quoted in an error.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
