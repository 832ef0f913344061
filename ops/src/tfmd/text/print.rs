//! Prints messages as Python's `text_format.MessageToString` does with `as_utf8`, byte for byte.
//!
//! One thing differs: control characters in strings are escaped there only without `as_utf8`, here
//! always, because a name in a file must not be able to steer the terminal that shows it.

use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

use super::super::{float, wire};
use super::escape::{quote_bytes, quote_text};

/// The text form of a message: one field per line in ascending order of number.
///
/// # Examples
///
/// ```
/// let path = ops::tfmd::Path { step: vec!["a".into(), "b".into()] };
/// assert_eq!(ops::tfmd::text::print(&path), "step: \"a\"\nstep: \"b\"\n");
/// ```
pub fn print<M: ReflectMessage>(message: &M) -> String {
    let mut printer = Printer { out: String::new(), depth: 0 };
    printer.message(&wire::dynamic(message));
    printer.out
}

struct Printer {
    out: String,
    depth: usize,
}

impl Printer {
    fn message(&mut self, message: &DynamicMessage) {
        if let Some((url, inner)) =
            wire::expand_any(message).filter(|_| self.depth < wire::MAX_DEPTH)
        {
            self.block(&format!("[{url}]"), &inner);
            return;
        }
        for (field, value) in message.fields() {
            match value {
                Value::List(values) => {
                    for value in values {
                        self.field(&field, value);
                    }
                }
                Value::Map(entries) => {
                    for (key, value) in wire::sorted(entries) {
                        self.entry(&field, key, value);
                    }
                }
                value => self.field(&field, value),
            }
        }
    }

    fn field(&mut self, field: &FieldDescriptor, value: &Value) {
        if let Value::Message(message) = value {
            self.block(field.name(), message);
        } else {
            self.indent();
            let _ = write!(self.out, "{}: ", field.name());
            self.scalar(&field.kind(), value);
            self.out.push('\n');
        }
    }

    fn block(&mut self, name: &str, message: &DynamicMessage) {
        self.open(name);
        self.message(message);
        self.close();
    }

    fn entry(&mut self, field: &FieldDescriptor, key: &MapKey, value: &Value) {
        let Kind::Message(entry) = field.kind() else { return };
        self.open(field.name());
        self.field(&entry.map_entry_key_field(), &Value::from(key.clone()));
        self.field(&entry.map_entry_value_field(), value);
        self.close();
    }

    fn open(&mut self, name: &str) {
        self.indent();
        let _ = writeln!(self.out, "{name} {{");
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.indent();
        self.out.push_str("}\n");
    }

    fn indent(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn scalar(&mut self, kind: &Kind, value: &Value) {
        let out = &mut self.out;
        let _ = match value {
            Value::Bool(value) => write!(out, "{value}"),
            Value::I32(value) => write!(out, "{value}"),
            Value::I64(value) => write!(out, "{value}"),
            Value::U32(value) => write!(out, "{value}"),
            Value::U64(value) => write!(out, "{value}"),
            Value::F32(value) => {
                number(float::widen(*value), out);
                Ok(())
            }
            Value::F64(value) => {
                number(*value, out);
                Ok(())
            }
            Value::String(value) => {
                quote_text(value, out);
                Ok(())
            }
            Value::Bytes(value) => {
                quote_bytes(value, out);
                Ok(())
            }
            Value::EnumNumber(number) => match wire::enum_name(kind, *number) {
                Some(name) => write!(out, "{name}"),
                None => write!(out, "{number}"),
            },
            Value::Message(_) | Value::List(_) | Value::Map(_) => Ok(()),
        };
    }
}

fn number(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("nan");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "inf" } else { "-inf" });
    } else {
        float::write_f64(value, out);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost::Message as _;

    use super::super::super::testing::goldens;
    use super::super::super::{
        Annotation, Anomalies, AnomalyInfo, Any, DatasetFeatureStatisticsList, Histogram,
        IntDomain, NumericStatistics, Path, Schema, StringDomain, histogram, pack, string_domain,
    };
    use super::*;

    fn check<M: ReflectMessage>(message: &M, expected: &str) {
        assert_eq!(print(message), expected);
    }

    #[test]
    fn scalars() {
        check(&Path::default(), "");
        check(&Path { step: vec![String::new()] }, "step: \"\"\n");
        check(
            &Path { step: vec!["\t\"'\\\u{7}\u{7f}é".into()] },
            "step: \"\\t\\\"\\'\\\\\\007\\177é\"\n",
        );
        check(
            &NumericStatistics {
                num_zeros: 3,
                mean: f64::NAN,
                min: f64::NEG_INFINITY,
                max: -0.0,
                ..Default::default()
            },
            "mean: nan\nnum_zeros: 3\nmin: -inf\nmax: -0.0\n",
        );
        check(
            &IntDomain { min: Some(0), is_categorical: Some(false), ..Default::default() },
            "min: 0\nis_categorical: false\n",
        );
        check(
            &StringDomain {
                is_categorical: Some(string_domain::Categorical::Yes.into()),
                ..Default::default()
            },
            "is_categorical: CATEGORICAL_YES\n",
        );
        check(
            &StringDomain { is_categorical: Some(7), ..Default::default() },
            "is_categorical: 7\n",
        );
    }

    #[test]
    fn blocks() {
        check(
            &Histogram {
                buckets: vec![histogram::Bucket::default()],
                r#type: histogram::HistogramType::Quantiles.into(),
                ..Default::default()
            },
            "buckets {\n}\ntype: QUANTILES\n",
        );
        let info =
            |text: &str| AnomalyInfo { description: Some(text.to_owned()), ..Default::default() };
        check(
            &Anomalies {
                anomaly_info: BTreeMap::from([
                    ("b".to_owned(), info("x")),
                    ("a".to_owned(), AnomalyInfo::default()),
                ]),
                ..Default::default()
            },
            "anomaly_info {\n  key: \"a\"\n  value {\n  }\n}\n\
             anomaly_info {\n  key: \"b\"\n  value {\n    description: \"x\"\n  }\n}\n",
        );
    }

    #[test]
    fn any_is_opened_where_its_type_is_known() {
        let annotated = |any| Schema {
            annotation: Some(Annotation { extra_metadata: vec![any], ..Default::default() }),
            ..Default::default()
        };
        check(
            &annotated(pack(&Path { step: vec!["a".into()] })),
            "annotation {\n  extra_metadata {\n    \
             [type.googleapis.com/tensorflow.metadata.v0.Path] {\n      step: \"a\"\n    }\n  \
             }\n}\n",
        );
        check(
            &annotated(Any { type_url: "x/unknown.Type".into(), value: vec![1, b'a'] }),
            "annotation {\n  extra_metadata {\n    type_url: \"x/unknown.Type\"\n    \
             value: \"\\001a\"\n  }\n}\n",
        );
    }

    #[test]
    fn endless_any_is_not_opened_for_ever() {
        let mut any = Any::default();
        for _ in 0..500 {
            let annotation = Annotation { extra_metadata: vec![any], ..Default::default() };
            any = pack(&Schema { annotation: Some(annotation), ..Default::default() });
        }
        let text = print(&Annotation { extra_metadata: vec![any], ..Default::default() });
        assert!(text.contains("value: \""));
    }

    #[test]
    fn text_is_that_of_tfdv() {
        let texts = goldens("pbtxt", |name| name.starts_with("stats"));
        let texts: BTreeMap<_, _> = texts.into_iter().collect();
        for (path, bytes) in goldens("pb", |_| true) {
            let Some(expected) = texts.get(&path.with_extension("pbtxt")) else { continue };
            let message = DatasetFeatureStatisticsList::decode(bytes.as_slice()).unwrap();
            let printed = print(&message);
            let expected = str::from_utf8(expected).unwrap();
            for (n, (a, b)) in printed.lines().zip(expected.lines()).enumerate() {
                assert_eq!(a, b, "{}:{}", path.display(), n + 1);
            }
            assert_eq!(printed.len(), expected.len(), "{}", path.display());
        }
    }
}
