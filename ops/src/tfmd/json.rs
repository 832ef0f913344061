//! The canonical JSON form of messages, as `MessageToJson` of Python's protobuf library.
//!
//! 64-bit integers are strings, `NaN` and the infinities too, bytes are in base64, and an `Any`
//! shows the fields of its message beside `@type`. Strings stay UTF-8, where Python escapes them.

use std::fmt::Write as _;

use engine::{Error, Result};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};

use super::plain::Plain;
use super::{DESCRIPTOR_POOL, float, nearest, wire};

/// How fields are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldNames {
    /// As in the definitions: `num_examples`.
    #[default]
    Snake,
    /// As is usual in JSON: `numExamples`.
    Camel,
}

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// How fields are named.
    pub field_names: FieldNames,
    /// Blanks per level; `None` puts everything on one line.
    pub indent: Option<usize>,
}

impl Default for JsonOptions {
    fn default() -> Self {
        JsonOptions { field_names: FieldNames::default(), indent: Some(2) }
    }
}

/// The JSON form of a message, fields in ascending order of number.
///
/// # Examples
///
/// ```
/// use ops::tfmd::{Path, json};
///
/// let one_line = json::JsonOptions { indent: None, ..Default::default() };
/// assert_eq!(json::print(&Path::new(["a", "b"]), &one_line), r#"{"step":["a","b"]}"#);
/// ```
pub fn print<M: ReflectMessage>(message: &M, options: &JsonOptions) -> String {
    let mut printer = Printer { out: String::new(), depth: 0, options: *options };
    printer.message(&wire::dynamic(message));
    printer.out
}

/// Reads a message from its JSON form; both ways to name fields are understood.
///
/// # Errors
///
/// The text is not JSON, or it names fields or values that the message does not have. The message
/// tells line and column.
pub fn parse<M: ReflectMessage + Default>(json: &[u8]) -> Result<M> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize(M::default().descriptor(), Plain(&mut deserializer))
        .and_then(|message| deserializer.end().map(|()| message))
        .map_err(|e| explain(&e))?;
    M::decode(message.encode_to_vec().as_slice())
        .map_err(|e| Error::input("the JSON is not a valid message").with_detail(e.to_string()))
}

/// Puts the position in front and adds a hint to an unknown field.
fn explain(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let wrapped =
        Error::input(format!("line {line}, column {column}: {}", text.replace('\'', "`")));
    let Some(name) = text.strip_prefix("unrecognized field name '") else { return wrapped };
    let name = name.trim_end_matches('\'');
    // The error does not say in which message; a name that exists fits elsewhere.
    let names: Vec<_> = DESCRIPTOR_POOL
        .all_messages()
        .flat_map(|m| m.fields().map(|f| f.name().to_owned()).collect::<Vec<_>>())
        .filter(|known| known != name)
        .collect();
    nearest::hint(wrapped, name, &names)
}

struct Printer {
    out: String,
    /// Of brackets, which is at least that of messages.
    depth: usize,
    options: JsonOptions,
}

impl Printer {
    fn message(&mut self, message: &DynamicMessage) {
        let is_any = message.descriptor().full_name() == "google.protobuf.Any";
        if !is_any {
            let fields = message.fields();
            return self.brackets('{', '}', fields, |p, (field, value)| p.field(&field, value));
        }
        if let Some((url, inner)) =
            wire::expand_any(message).filter(|_| self.depth < 2 * wire::MAX_DEPTH)
        {
            let fields = std::iter::once(None).chain(inner.fields().map(Some));
            return self.brackets('{', '}', fields, |p, field| match field {
                None => p.entry("@type", |p| p.string(&url)),
                Some((field, value)) => p.field(&field, value),
            });
        }
        let fields = message.fields();
        self.brackets('{', '}', fields, |p, (field, value)| {
            let name = if field.name() == "type_url" { "@type" } else { "value" };
            p.entry(name, |p| p.value(&field.kind(), value));
        });
    }

    /// Writes the items between two brackets, each on a line of its own if there are lines.
    fn brackets<T>(
        &mut self,
        open: char,
        close: char,
        items: impl Iterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) {
        self.out.push(open);
        self.depth += 1;
        let mut empty = true;
        for content in items {
            if !empty {
                self.out.push(',');
            }
            empty = false;
            self.line();
            item(self, content);
        }
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(close);
    }

    fn line(&mut self) {
        if let Some(indent) = self.options.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent * self.depth));
        }
    }

    fn entry(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.string(name);
        self.out.push_str(if self.options.indent.is_some() { ": " } else { ":" });
        value(self);
    }

    fn field(&mut self, field: &FieldDescriptor, value: &Value) {
        let name = match self.options.field_names {
            FieldNames::Snake => field.name(),
            FieldNames::Camel => field.json_name(),
        };
        self.entry(name, |p| p.value(&field.kind(), value));
    }

    fn value(&mut self, kind: &Kind, value: &Value) {
        let out = &mut self.out;
        match value {
            Value::Message(message) => self.message(message),
            Value::List(values) => {
                self.brackets('[', ']', values.iter(), |p, value| p.value(kind, value));
            }
            Value::Map(entries) => {
                let Kind::Message(entry) = kind else { return };
                let kind = entry.map_entry_value_field().kind();
                let entries = wire::sorted(entries).into_iter();
                self.brackets('{', '}', entries, |p, (key, value)| {
                    p.entry(key.as_str().unwrap_or_default(), |p| p.value(&kind, value));
                });
            }
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => base64(bytes, out),
            Value::F32(number) => {
                // The shortest form of the largest number is above it, and then not read back.
                let wide = float::widen(*number);
                let in_range = wide.is_infinite() || wide.abs() <= f64::from(f32::MAX);
                write_float(if in_range { wide } else { f64::from(*number) }, out);
            }
            Value::F64(number) => write_float(*number, out),
            Value::EnumNumber(number) => match wire::enum_name(kind, *number) {
                Some(name) => self.string(&name),
                None => self.display(number),
            },
            Value::Bool(value) => self.display(value),
            Value::I32(value) => self.display(value),
            Value::U32(value) => self.display(value),
            Value::I64(value) => self.display(format_args!("\"{value}\"")),
            Value::U64(value) => self.display(format_args!("\"{value}\"")),
        }
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        let _ = write!(self.out, "{value}");
    }

    fn string(&mut self, text: &str) {
        self.display(serde_json::Value::from(text));
    }
}

fn write_float(value: f64, out: &mut String) {
    if value.is_finite() {
        float::write_f64(value, out);
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

/// Writes bytes as a string in base64, filled up with `=`.
fn base64(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push('"');
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(*chunk.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * i) & 63];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::testing::goldens;
    use super::super::{
        Annotation, Anomalies, Any, DatasetFeatureStatisticsList, DerivedFeatureConfig, Feature,
        NumericStatistics, Path, Schema, load_statistics, pack, text,
    };
    use super::*;

    const LINE: JsonOptions = JsonOptions { field_names: FieldNames::Snake, indent: None };

    fn check<M: ReflectMessage + Default + PartialEq + std::fmt::Debug>(from: &str, json: &str) {
        let message: M = text::parse(from).unwrap();
        assert_eq!(print(&message, &LINE), json);
        assert_eq!(text::print(&parse::<M>(json.as_bytes()).unwrap()), text::print(&message));
    }

    #[test]
    fn forms() {
        check::<Schema>("", "{}");
        check::<NumericStatistics>(
            "num_zeros: 3 mean: nan min: -inf max: inf median: -0.0 std_dev: 1",
            r#"{"mean":"NaN","std_dev":1.0,"num_zeros":"3","min":"-Infinity","median":-0.0,"max":"Infinity"}"#,
        );
        check::<Feature>(
            "name: '\\n\"é' type: INT int_domain { min: -5 is_categorical: false }",
            r#"{"name":"\n\"é","type":"INT","int_domain":{"min":"-5","is_categorical":false}}"#,
        );
        check::<Schema>(
            "float_domain { min: 0.1 } tensor_representation_group { key: 'b' value {} } \
             tensor_representation_group { key: 'a' value {} }",
            r#"{"float_domain":[{"min":0.1}],"tensor_representation_group":{"a":{},"b":{}}}"#,
        );
        check::<Schema>(
            "float_domain { min: -3.4028235e38 max: inf }",
            r#"{"float_domain":[{"min":-3.4028234663852886e+38,"max":"Infinity"}]}"#,
        );
        check::<DerivedFeatureConfig>(
            "allowlist { allowed_bytes_value: ['', 'a', 'ab', 'abc', '\\377\\376\\375\\374'] }",
            r#"{"allowlist":{"allowed_bytes_value":["","YQ==","YWI=","YWJj","//79/A=="]}}"#,
        );
        check::<Annotation>(
            "extra_metadata { [a/tensorflow.metadata.v0.Path] { step: 'x' } }",
            r#"{"extra_metadata":[{"@type":"a/tensorflow.metadata.v0.Path","step":["x"]}]}"#,
        );
    }

    #[test]
    fn layout_and_names() {
        let schema: Schema = text::parse("feature { not_in_environment: ['a', 'b'] }").unwrap();
        let camel = JsonOptions { field_names: FieldNames::Camel, ..Default::default() };
        let json = "{\n  \"feature\": [\n    {\n      \"notInEnvironment\": [\n        \"a\",\n        \
                    \"b\"\n      ]\n    }\n  ]\n}";
        assert_eq!(print(&schema, &camel), json);
        assert_eq!(parse::<Schema>(json.as_bytes()).unwrap(), schema);
    }

    #[test]
    fn unknown_any_keeps_its_bytes() {
        let any = Any { type_url: "a/b".into(), value: vec![255] };
        let annotation = Annotation { extra_metadata: vec![any], ..Default::default() };
        assert_eq!(
            print(&annotation, &LINE),
            r#"{"extra_metadata":[{"@type":"a/b","value":"/w=="}]}"#
        );
        let mut any = Any::default();
        for _ in 0..500 {
            let annotation = Annotation { extra_metadata: vec![any], ..Default::default() };
            any = pack(&Schema { annotation: Some(annotation), ..Default::default() });
        }
        let annotation = Annotation { extra_metadata: vec![any], ..Default::default() };
        assert!(print(&annotation, &LINE).contains("\"value\":\""));
    }

    #[test]
    fn errors() {
        fn check(json: &str, message: &str, hint: Option<&str>) {
            let error = parse::<Schema>(json.as_bytes()).unwrap_err();
            assert_eq!((error.message(), error.hint()), (message, hint), "{json}");
        }
        check(
            "{\n\"featur\": []}",
            "line 2, column 8: unrecognized field name `featur`",
            Some("Did you mean `feature`?"),
        );
        check("{", "line 1, column 1: EOF while parsing an object", None);
        check("{} x", "line 1, column 4: trailing characters", None);
        for json in
            ["", "[]", "{\"feature\":1}", "{\"feature\":[{\"type\":\"X\"}]}", "\u{0}", "nul"]
        {
            assert!(parse::<Schema>(json.as_bytes()).is_err(), "{json}");
        }
        let deep = "{\"feature\":[{\"struct_domain\":".repeat(10_000);
        assert!(parse::<Schema>(deep.as_bytes()).is_err());
    }

    #[test]
    fn statistics_of_tfdv_come_back() {
        for (path, bytes) in goldens("pb", |name| name == "stats_nl" || name == "stats_with_schema")
        {
            let statistics = load_statistics(&bytes).unwrap();
            let json = print(&statistics, &JsonOptions::default());
            let parsed: DatasetFeatureStatisticsList = parse(json.as_bytes()).unwrap();
            let (printed, expected) = (text::print(&parsed), text::print(&statistics));
            for (a, b) in printed.lines().zip(expected.lines()) {
                assert_eq!(a, b, "{}", path.display());
            }
            assert_eq!(printed.len(), expected.len(), "{}", path.display());
        }
    }

    #[test]
    fn other_messages() {
        check::<Path>("step: 'a'", r#"{"step":["a"]}"#);
        check::<Anomalies>(
            "anomaly_info { key: 'a' value { severity: ERROR reason { type: CUSTOM_VALIDATION } } }",
            r#"{"anomaly_info":{"a":{"severity":"ERROR","reason":[{"type":"CUSTOM_VALIDATION"}]}}}"#,
        );
    }
}
