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
use super::scan::{Scanner, Token};

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
    let descriptor = M::default().descriptor();
    let mut parser = Parser::new(text);
    let mut out = Vec::new();
    parser.fields(&descriptor, Token::End, wire::MAX_DEPTH, &mut out)?;
    M::decode(out.as_slice())
        .map_err(|e| Error::input("the text is not a valid message").with_detail(e.to_string()))
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// The token that is looked at, and where it begins.
    token: Token<'a>,
    start: usize,
}

/// The numbers of the fields and the names of the `oneof`s that a message has so far.
#[derive(Default)]
struct Seen {
    fields: Vec<u32>,
    oneofs: Vec<(String, String)>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut scanner = Scanner::new(text);
        let (token, start) = scanner.next();
        Parser { scanner, token, start }
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
        let found = match self.token {
            Token::Word(text) | Token::Number(text) => format!("`{text}`"),
            Token::Quoted(_) => "a string".to_owned(),
            Token::Unclosed => "a string without an end".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end of the text".to_owned(),
        };
        Err(self.error_at(self.start, format!("expected {what}, found {found}")))
    }

    /// Fields of a message up to a closing token, which is passed over.
    fn fields(
        &mut self,
        descriptor: &MessageDescriptor,
        end: Token<'a>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            let limit = wire::MAX_DEPTH;
            let message = format!("messages are nested more than {limit} deep");
            return Err(self.error_at(self.start, message));
        };
        let mut seen = Seen::default();
        while self.token != end {
            match self.token {
                Token::Word(name) => self.field(descriptor, name, &mut seen, depth, out)?,
                Token::Sign('[') => self.any(descriptor, depth, out)?,
                _ if end == Token::End => return self.expected("the name of a field"),
                _ => return self.expected("the name of a field or the end of the message"),
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
            let message = format!("`{}` has no field `{name}`", descriptor.name());
            let names: Vec<_> = descriptor.fields().map(|f| f.name().to_owned()).collect();
            return Err(nearest::hint(self.error_at(self.start, message), name, &names));
        };
        self.only_once(&field, seen)?;
        self.advance();
        let kind = field.kind();
        if !self.accept(':') && !matches!(kind, Kind::Message(_)) {
            return self.expected(format!("`:` after `{name}`"));
        }
        if field.cardinality() != Cardinality::Repeated || !self.accept('[') {
            return self.value(field.number(), &kind, depth, out);
        }
        while !self.accept(']') {
            self.value(field.number(), &kind, depth, out)?;
            if !self.accept(',') && self.token != Token::Sign(']') {
                return self.expected("`,` or `]`");
            }
        }
        Ok(())
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
            return Err(self.error_at(start, format!("there is no message type `{url}`")));
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
        self.advance();
        self.fields(descriptor, Token::Sign(end), depth, out)
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
            Kind::Int32 => encoding::int32::encode(number, &self.integer("32-bit")?, out),
            Kind::Int64 => encoding::int64::encode(number, &self.integer("64-bit")?, out),
            Kind::Uint32 => {
                encoding::uint32::encode(number, &self.integer("unsigned 32-bit")?, out);
            }
            Kind::Uint64 => {
                encoding::uint64::encode(number, &self.integer("unsigned 64-bit")?, out);
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
            return Err(self.error_at(start, format!("`{text}` is not a number")));
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
            let sign = if negative { "-" } else { "" };
            return Err(self.error_at(start, format!("`{sign}{text}` is not a {what} integer")));
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
                Token::Number(_) | Token::Sign('-') => self.integer("32-bit"),
                _ => self.expected(format!("a value of `{}`", values.name())),
            };
        };
        let Some(value) = values.get_value_by_name(name) else {
            let message = format!("`{}` has no value `{name}`", values.name());
            let names: Vec<_> = values.values().map(|v| v.name().to_owned()).collect();
            return Err(nearest::hint(self.error_at(self.start, message), name, &names));
        };
        self.advance();
        Ok(value.number())
    }

    /// Adjacent strings are one.
    fn string(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if !matches!(self.token, Token::Quoted(_)) {
            return self.expected("a string");
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

#[cfg(test)]
mod tests {
    use super::super::super::testing::{goldens, sibling};
    use super::super::super::{
        Annotation, Anomalies, Any, DatasetFeatureStatisticsList, FeatureCoverageConstraints,
        FloatDomain, IntDomain, NumericStatistics, Path, Schema, encode, pack,
    };
    use super::super::print;
    use super::*;

    /// Reads the text and compares its printed form.
    fn check<M: ReflectMessage + Default>(text: &str, expected: &str) {
        let message: M = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(print(&message), expected, "{text}");
    }

    #[test]
    fn layouts() {
        let expected = "feature {\n  name: \"a\"\n  type: INT\n}\n";
        check::<Schema>("feature{name:'a'type:INT}", expected);
        check::<Schema>("# x\nfeature: < name: 'a', type: 2; > # y", expected);
        check::<Schema>("feature [{name: \"a\" type: INT},]", expected);
        check::<Schema>("", "");
        check::<Path>("step: ['a', 'b'] step: 'c' 'd'", "step: \"a\"\nstep: \"b\"\nstep: \"cd\"\n");
        check::<FeatureCoverageConstraints>(
            "excluded_int_tokens: [1, -2] excluded_int_tokens: 0x10 excluded_int_tokens: 010",
            "excluded_int_tokens: 1\nexcluded_int_tokens: -2\nexcluded_int_tokens: 16\n\
             excluded_int_tokens: 8\n",
        );
        check::<Schema>(
            "tensor_representation_group { key: 'b' value {} } \
             tensor_representation_group { key: 'a' }",
            "tensor_representation_group {\n  key: \"a\"\n  value {\n  }\n}\n\
             tensor_representation_group {\n  key: \"b\"\n  value {\n  }\n}\n",
        );
    }

    #[test]
    fn scalars() {
        check::<NumericStatistics>(
            "mean: -0.0 std_dev: 0 min: -inf max: NaN",
            "mean: -0.0\nmin: -inf\nmax: nan\n",
        );
        check::<NumericStatistics>("mean: .5e1f median: 1e+2", "mean: 5.0\nmedian: 100.0\n");
        check::<FloatDomain>("min: 0 max: 3.4028235e38", "min: 0.0\nmax: 3.4028235e+38\n");
        check::<IntDomain>(
            "min: -9223372036854775808 max: 9223372036854775807 is_categorical: t",
            "min: -9223372036854775808\nmax: 9223372036854775807\nis_categorical: true\n",
        );
        check::<Path>(
            r#"step: "\t\'\"\\\?\x41\101\303\251\u00e9\U0001f600é""#,
            "step: \"\\t\\'\\\"\\\\?AAéé😀é\"\n",
        );
    }

    #[test]
    fn any() {
        let expected = Annotation {
            extra_metadata: vec![pack(&NumericStatistics {
                mean: 1.0,
                num_zeros: 2,
                ..Default::default()
            })],
            ..Default::default()
        };
        let text = "extra_metadata { [type.googleapis.com/tensorflow.metadata.v0.NumericStatistics] \
                    { num_zeros: 2 mean: 1 max: 0 } }";
        assert_eq!(parse::<Annotation>(text).unwrap(), expected);
        let any: Any = parse_any("type_url: 'a/b' value: '\\377'");
        assert_eq!(any, Any { type_url: "a/b".into(), value: vec![255] });
    }

    fn parse_any(text: &str) -> Any {
        let text = format!("extra_metadata {{ {text} }}");
        parse::<Annotation>(&text).unwrap().extra_metadata.remove(0)
    }

    fn check_error<M: ReflectMessage + Default + std::fmt::Debug>(
        text: &str,
        message: &str,
        hint: Option<&str>,
    ) {
        let error = parse::<M>(text).unwrap_err();
        assert_eq!((error.message(), error.hint()), (message, hint), "{text}");
    }

    #[test]
    fn errors() {
        check_error::<Schema>(
            "feature {\n  tpe: INT }",
            "line 2, column 3: `Feature` has no field `tpe`",
            Some("Did you mean `type`?"),
        );
        check_error::<Schema>(
            "feature { type: BITES }",
            "line 1, column 17: `FeatureType` has no value `BITES`",
            Some("Did you mean `BYTES`?"),
        );
        for (text, message) in [
            (
                "feature { name 'a' }",
                "line 1, column 16: expected `:` after `name`, found a string",
            ),
            ("feature { name: }", "line 1, column 17: expected a string, found `}`"),
            (
                "feature {",
                "line 1, column 10: expected the name of a field or the end of the message, found the end of the text",
            ),
            ("}", "line 1, column 1: expected the name of a field, found `}`"),
            ("feature { name: 'a' name: 'b' }", "line 1, column 21: `name` is given twice"),
            (
                "feature { int_domain {} domain: 'b' }",
                "line 1, column 25: `domain` and `int_domain` exclude each other",
            ),
            (
                "feature { deprecated: 2 }",
                "line 1, column 23: expected `true` or `false`, found `2`",
            ),
            (
                "feature { name: 'é\n' }",
                "line 1, column 17: expected a string, found a string without an end",
            ),
            (
                "feature { name: 'é\\q' }",
                "line 1, column 19: this is not a known escape in a string",
            ),
            (
                "feature { name: '\\400' }",
                "line 1, column 18: this is not a known escape in a string",
            ),
            ("feature { name: '\\xff' }", "line 1, column 17: the string is not valid UTF-8"),
            ("int_domain { min: 1.5 }", "line 1, column 19: `1.5` is not a 64-bit integer"),
            (
                "int_domain { min: -9223372036854775809 }",
                "line 1, column 19: `-9223372036854775809` is not a 64-bit integer",
            ),
            (
                "int_domain { min: 99999999999999999999999999999999999999999 }",
                "line 1, column 19: `99999999999999999999999999999999999999999` is not a 64-bit integer",
            ),
            ("float_domain { min: abc }", "line 1, column 21: `abc` is not a number"),
            (
                "annotation { extra_metadata { [a/b.C] {} } }",
                "line 1, column 31: there is no message type `a/b.C`",
            ),
            (
                "annotation { extra_metadata { [a\n] {} } }",
                "line 1, column 31: expected the address of a type in `[` and `]`, found `[`",
            ),
            ("[a/b.C] {}", "line 1, column 1: expected the name of a field, found `[`"),
        ] {
            check_error::<Schema>(text, message, None);
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested =
            |n: usize| format!("{}{}", "feature { struct_domain { ".repeat(n), "} }".repeat(n));
        let schema: Schema = parse(&nested(49)).unwrap();
        assert_eq!(parse::<Schema>(&print(&schema)).unwrap(), schema);
        let error = parse::<Schema>(&nested(100_000)).unwrap_err();
        assert!(error.message().ends_with("nested more than 100 deep"), "{error}");
    }

    #[test]
    fn any_prefix_of_a_text_is_an_error_or_a_message() {
        let text = "feature { name: 'a\\x41é' value_count { min: 1 } } # x\nannotation { \
                    extra_metadata { [t/tensorflow.metadata.v0.Path] { step: ['a'] } } }";
        for end in (0..text.len()).filter(|&i| text.is_char_boundary(i)) {
            let _ = parse::<Schema>(&text[..end]);
        }
        assert!(parse::<Schema>(text).is_ok());
    }

    #[test]
    fn texts_of_tfdv_come_back() {
        for (path, bytes) in
            goldens("pbtxt", |name| name.starts_with("schema") || name.ends_with(".schema"))
        {
            let text = String::from_utf8(bytes).unwrap();
            let schema: Schema = parse(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            assert_eq!(print(&schema), text, "{}", path.display());
        }
        for (path, bytes) in goldens("pbtxt", |name| name == "anomalies") {
            let text = String::from_utf8(bytes).unwrap();
            let anomalies: Anomalies = parse(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            assert_eq!(print(&anomalies), text, "{}", path.display());
        }
        for (path, bytes) in goldens("pb", |name| name.starts_with("stats")) {
            let Some(text) = sibling(&path, "pbtxt") else {
                continue;
            };
            let text = String::from_utf8(text).unwrap();
            let parsed: DatasetFeatureStatisticsList = parse(&text).unwrap();
            // Text does not keep the sign of NaN.
            let same = if text.contains("nan") {
                print(&parsed) == text
            } else {
                encode(&parsed) == bytes
            };
            assert!(same, "{}", path.display());
        }
    }
}
