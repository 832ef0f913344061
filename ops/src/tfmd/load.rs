//! Reads the bytes of a file whose form is not known: text, JSON or binary.

use engine::{Error, Result};
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::{
    Anomalies, DESCRIPTOR_POOL, DatasetFeatureStatisticsList, Schema, SlicingConfig, encode, json,
    text,
};

/// The messages that stand alone in files, and what people call them.
const KINDS: &[(&str, &str)] = &[
    ("tensorflow.metadata.v0.DatasetFeatureStatisticsList", "statistics"),
    ("tensorflow.metadata.v0.Schema", "a schema"),
    ("tensorflow.metadata.v0.Anomalies", "anomalies"),
    ("tfx_bsl.slicing_spec.SlicingConfig", "a slicing configuration"),
];

/// Reads statistics from binary, text or JSON.
///
/// A TFRecord file must be unwrapped before: its one record holds the binary form.
///
/// # Errors
///
/// The bytes are none of the three, or they hold something else than statistics.
pub fn load_statistics(bytes: &[u8]) -> Result<DatasetFeatureStatisticsList> {
    load(bytes)
}

/// Reads a schema from binary, text or JSON.
///
/// # Errors
///
/// The bytes are none of the three, or they hold something else than a schema.
///
/// # Examples
///
/// ```
/// let schema = ops::tfmd::load_schema(b"feature { name: 'age' type: INT }").unwrap();
/// assert_eq!(schema.feature[0].name(), "age");
/// ```
pub fn load_schema(bytes: &[u8]) -> Result<Schema> {
    load(bytes)
}

/// Reads anomalies from binary, text or JSON.
///
/// # Errors
///
/// The bytes are none of the three, or they hold something else than anomalies.
pub fn load_anomalies(bytes: &[u8]) -> Result<Anomalies> {
    load(bytes)
}

/// Reads a slicing configuration from binary, text or JSON.
///
/// # Errors
///
/// The bytes are none of the three, or they hold something else than a slicing configuration.
pub fn load_slicing_config(bytes: &[u8]) -> Result<SlicingConfig> {
    load(bytes)
}

fn load<M: ReflectMessage + Default>(bytes: &[u8]) -> Result<M> {
    let Some(text) = as_text(bytes) else {
        return load_binary(bytes).map_err(|error| damaged_text::<M>(bytes).unwrap_or(error));
    };
    let (form, parsed) = if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        ("JSON", json::parse::<M>(text.as_bytes()))
    } else {
        ("text", text::parse::<M>(text))
    };
    parsed.or_else(|error| {
        // A binary message of nothing but long strings can look like text.
        match M::decode(bytes) {
            Ok(message) if encode(&message) == bytes => Ok(message),
            _ => Err(describe::<M>(form, &error, |name| others_parse(name, text))),
        }
    })
}

/// The bytes as text, unless they hold what no text does and nearly every binary message.
fn as_text(bytes: &[u8]) -> Option<&str> {
    if bytes.iter().copied().any(is_control) { None } else { str::from_utf8(bytes).ok() }
}

/// Where bytes that are no message stop to be the text that they begin as.
fn damaged_text<M: ReflectMessage + Default>(bytes: &[u8]) -> Option<Error> {
    /// Longer beginnings look no different.
    const LOOKED_AT: usize = 4096;
    let expected = called(M::default().descriptor().full_name()).to_owned();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let message = format!("this text is not {expected}: it is UTF-16");
        return Some(Error::input(message).with_hint("Save the file as UTF-8."));
    }
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    let plain = start.iter().filter(|b| !is_control(**b)).count();
    let first = start.iter().find(|b| !b.is_ascii_whitespace())?;
    let begins = first.is_ascii_alphabetic() || matches!(first, b'#' | b'{' | b'_');
    if !begins || plain * 10 < start.len() * 9 {
        return None;
    }
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
    };
    let end = text.bytes().position(is_control).unwrap_or(text.len());
    let line = text[..end].matches('\n').count() + 1;
    let column = text[..end].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let byte = bytes.get(end)?;
    let (what, hint) = if is_control(*byte) {
        ("a control character", "Write it as an escape, such as \\000, or remove it.")
    } else {
        ("not UTF-8", "Save the file as UTF-8.")
    };
    let place = format!("line {line}, column {column}");
    let message = format!("this text is not {expected}: {place}: byte 0x{byte:02x} is {what}");
    Some(Error::input(message).with_hint(hint))
}

fn is_control(b: u8) -> bool {
    // The last one, 0x7f, is allowed in JSON, and Python writes it there as it is.
    b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')
}

fn load_binary<M: ReflectMessage + Default>(bytes: &[u8]) -> Result<M> {
    match M::decode(bytes) {
        // Equal lengths: nothing was left out, so there were no unknown fields.
        Ok(message) if encode(&message).len() == bytes.len() => Ok(message),
        Ok(message) => {
            let expected = message.descriptor();
            let unknown = |name: &str| {
                let descriptor = DESCRIPTOR_POOL.get_message_by_name(name)?;
                DynamicMessage::decode(descriptor, bytes).ok().map(|m| has_unknown(&m))
            };
            let other = KINDS.iter().find(|(name, _)| unknown(name) == Some(false));
            // A newer writer may know fields that we do not; that alone is no reason to refuse.
            match other {
                Some((name, _)) if *name != expected.full_name() => {
                    Err(wrong_kind(expected.full_name(), name))
                }
                _ => Ok(message),
            }
        }
        Err(error) => {
            let detail = format!("They are neither text nor JSON, and as a message: {error}.");
            let error = Error::input("the bytes cannot be read").with_detail(detail);
            let error = if is_tfrecord(bytes) {
                error.with_hint("This looks like a TFRecord file: unwrap its record first.")
            } else {
                error
            };
            Err(describe::<M>("bytes", &error, |name| {
                let descriptor = DESCRIPTOR_POOL.get_message_by_name(name);
                let decoded = descriptor.and_then(|d| DynamicMessage::decode(d, bytes).ok());
                decoded.is_some_and(|m| !has_unknown(&m))
            }))
        }
    }
}

/// Replaces an error by a plainer one if the input is a message of another kind.
fn describe<M: ReflectMessage + Default>(
    form: &str,
    error: &Error,
    is_kind: impl Fn(&str) -> bool,
) -> Error {
    let descriptor = M::default().descriptor();
    let expected = descriptor.full_name();
    match KINDS.iter().find(|(name, _)| *name != expected && is_kind(name)) {
        Some((name, _)) => wrong_kind(expected, name),
        None => with_subject(form, expected, error),
    }
}

/// Says what was being read when the error happened.
fn with_subject(form: &str, expected: &str, error: &Error) -> Error {
    let what = called(expected);
    let mut wrapped = Error::input(if form == "bytes" {
        format!("these bytes are not {what}")
    } else {
        format!("this {form} is not {what}: {}", error.message())
    });
    if let Some(detail) = error.detail() {
        wrapped = wrapped.with_detail(detail);
    }
    if let Some(hint) = error.hint() {
        wrapped = wrapped.with_hint(hint);
    }
    wrapped
}

fn wrong_kind(expected: &str, found: &str) -> Error {
    let (expected, found) = (called(expected), called(found));
    Error::input(format!("expected {expected}, found {found}"))
}

/// What people call a message.
fn called(name: &str) -> &str {
    KINDS.iter().find(|(known, _)| *known == name).map_or(name, |(_, called)| called)
}

fn others_parse(name: &str, text: &str) -> bool {
    fn parses<M: ReflectMessage + Default>(text: &str) -> bool {
        text::parse::<M>(text).is_ok() || json::parse::<M>(text.as_bytes()).is_ok()
    }
    match called(name) {
        "statistics" => parses::<DatasetFeatureStatisticsList>(text),
        "a schema" => parses::<Schema>(text),
        "anomalies" => parses::<Anomalies>(text),
        _ => parses::<SlicingConfig>(text),
    }
}

/// Whether a message has fields, at any depth, that its description does not.
fn has_unknown(message: &DynamicMessage) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::Message(message) => has_unknown(message),
            Value::List(values) => values.iter().any(any),
            Value::Map(entries) => entries.values().any(any),
            _ => false,
        }
    }
    message.unknown_fields().next().is_some() || message.fields().any(|(_, value)| any(value))
}

/// Whether the bytes begin with a length and its checksum that leave room for the record.
fn is_tfrecord(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().map(|chunk| u64::from_le_bytes(*chunk));
    length.is_some_and(|length| length < bytes.len() as u64 && length + 16 <= bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::testing::goldens;
    use super::*;

    const SCHEMA: &str = "feature {\n  name: \"a\"\n  type: INT\n}\n";

    fn schema() -> Schema {
        text::parse(SCHEMA).unwrap()
    }

    fn statistics() -> DatasetFeatureStatisticsList {
        text::parse("datasets { num_examples: 3 features { path { step: 'a' } num_stats {} } }")
            .unwrap()
    }

    #[test]
    fn three_forms() {
        let json = json::print(&schema(), &json::JsonOptions::default());
        let marked = format!("\u{feff}# made by hand\n{SCHEMA}");
        let binary = encode(&schema());
        for bytes in [SCHEMA.as_bytes(), marked.as_bytes(), json.as_bytes(), &binary] {
            assert_eq!(load_schema(bytes).unwrap(), schema());
        }
        assert_eq!(load_schema(b"").unwrap(), Schema::default());
        assert_eq!(load_statistics(&encode(&statistics())).unwrap(), statistics());
    }

    #[test]
    fn slices() {
        let config = load_slicing_config(
            b"slicing_specs {} slicing_specs { feature_keys: [\"state\"] \
              feature_values: [{key: \"age\", value: \"20\"}, {key: 'sex' value: ''}] }",
        );
        let config = config.unwrap();
        assert_eq!(config.slicing_specs[1].feature_keys, ["state"]);
        let values: Vec<_> = config.slicing_specs[1].feature_values.iter().collect();
        assert_eq!(values, [(&"age".into(), &"20".into()), (&"sex".into(), &String::new())]);
        assert_eq!(load_slicing_config(&encode(&config)).unwrap(), config);
        assert_eq!(load_slicing_config(text::print(&config).as_bytes()).unwrap(), config);
    }

    #[test]
    fn binary_that_looks_like_text() {
        let name = "a name of forty letters and not one less";
        let schema: Schema = text::parse(&format!("feature {{ name: '{name}' }}")).unwrap();
        let bytes = encode(&schema);
        assert!(as_text(&bytes).is_some());
        assert_eq!(load_schema(&bytes).unwrap(), schema);
    }

    fn check<T: std::fmt::Debug>(loaded: Result<T>, message: &str, hint: Option<&str>) {
        let error = loaded.unwrap_err();
        assert_eq!((error.message(), error.hint()), (message, hint));
    }

    #[test]
    fn another_kind_of_message() {
        let message = "expected statistics, found a schema";
        let json = json::print(&schema(), &json::JsonOptions::default());
        check(load_statistics(SCHEMA.as_bytes()), message, None);
        check(load_statistics(json.as_bytes()), message, None);
        check(load_statistics(&encode(&schema())), message, None);
        let message = "expected a schema, found statistics";
        check(load_schema(&encode(&statistics())), message, None);
        check(load_schema(text::print(&statistics()).as_bytes()), message, None);
        check(
            load_schema(b"slicing_specs { feature_keys: 'a' }"),
            "expected a schema, found a slicing configuration",
            None,
        );
    }

    #[test]
    fn errors() {
        check(
            load_schema(b"feature { nam: 'a' }"),
            "this text is not a schema: line 1, column 11: `Feature` has no field `nam`",
            Some("Did you mean `name`?"),
        );
        check(
            load_schema(b"{\"features\": 1}"),
            "this JSON is not a schema: line 1, column 11: unrecognized field name `features`",
            Some("Did you mean `feature`?"),
        );
        check(load_schema(&[0xff; 40]), "these bytes are not a schema", None);
        check(
            load_schema(b"feature {\n  name: 'a\0b'\n}"),
            "this text is not a schema: line 2, column 11: byte 0x00 is a control character",
            Some("Write it as an escape, such as \\000, or remove it."),
        );
        check(
            load_schema(b"# \xc3\xa9\nfeature { name: 'caf\xe9' }"),
            "this text is not a schema: line 2, column 21: byte 0xe9 is not UTF-8",
            Some("Save the file as UTF-8."),
        );
        check(
            load_schema(b"{\"feature\": [{\"name\": \"\xff\"}]}"),
            "this text is not a schema: line 1, column 24: byte 0xff is not UTF-8",
            Some("Save the file as UTF-8."),
        );
        check(
            load_schema(b"\xff\xfef\0e\0a\0t\0u\0r\0e\0"),
            "this text is not a schema: it is UTF-16",
            Some("Save the file as UTF-8."),
        );
        let mut record = vec![5, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        record.extend([b'h'; 9]);
        check(
            load_statistics(&record),
            "these bytes are not statistics",
            Some("This looks like a TFRecord file: unwrap its record first."),
        );
    }

    #[test]
    fn fields_of_a_newer_writer_are_no_error() {
        let mut bytes = encode(&statistics());
        bytes.extend([0xfa, 0x3f, 1, b'x']);
        assert_eq!(load_statistics(&bytes).unwrap(), statistics());
    }

    #[test]
    fn every_depth_is_read_and_printed_or_refused() {
        let mut bytes = Vec::new();
        for depth in 0..300 {
            if let Ok(schema) = load_schema(&bytes) {
                assert_eq!(encode(&schema), bytes);
                let text = text::print(&schema);
                assert!(json::print(&schema, &json::JsonOptions::default()).len() > 1);
                let _ = load_schema(text.as_bytes());
            } else {
                assert!(depth > 40);
            }
            // feature { struct_domain { … } } around what there is.
            for key in [&[0xea_u8, 1][..], &[0x0a]] {
                let mut outer = key.to_vec();
                prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
                outer.extend(bytes);
                bytes = outer;
            }
        }
    }

    #[test]
    fn damaged_bytes_never_panic() {
        let mut seed = 7_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize
        };
        let json = json::print(&statistics(), &json::JsonOptions::default());
        let text = text::print(&statistics());
        for original in [encode(&statistics()), encode(&schema()), json.into(), text.into()] {
            for _ in 0..200 {
                let mut bytes = original.clone();
                for _ in 0..=random() % 3 {
                    let at = random() % bytes.len();
                    bytes[at] = random() as u8;
                }
                bytes.truncate(1 + random() % (bytes.len() + 20));
                if let Ok(statistics) = load_statistics(&bytes) {
                    let _ = (text::print(&statistics), statistics.encode_to_vec());
                }
                if let Ok(schema) = load_schema(&bytes) {
                    let _ = text::print(&schema);
                }
            }
        }
    }

    #[test]
    fn files_of_tfdv() {
        for (path, bytes) in goldens("pb", |_| true) {
            let statistics = load_statistics(&bytes);
            assert!(statistics.is_ok_and(|s| encode(&s) == bytes), "{}", path.display());
            // Without any feature there is nothing to tell the two apart.
            if bytes.len() > 100 {
                assert!(load_schema(&bytes).is_err(), "{}", path.display());
            }
        }
        for (path, bytes) in goldens("pbtxt", |name| name.starts_with("schema")) {
            assert!(load_schema(&bytes).is_ok(), "{}", path.display());
            assert_eq!(load_statistics(&bytes).is_ok(), bytes.is_empty(), "{}", path.display());
        }
    }
}
