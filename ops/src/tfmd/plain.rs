//! JSON whose numbers look the same whatever features of `serde_json` are on.
//!
//! With its feature `arbitrary_precision`, which any crate of a program can turn on, a number comes to
//! a visitor as a map with one entry of a reserved name. Here it is a number again.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// What `serde_json` calls the one entry of a number.
const NUMBER: &str = "$serde_json::private::Number";

/// Wraps a deserializer, a visitor, a seed or an access, and passes everything on.
pub(super) struct Plain<T>(pub(super) T);

macro_rules! forward {
    ($($method:ident($($arg:ident: $ty:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($arg,)* Plain(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Plain<D> {
    type Error = D::Error;
    forward! {
        deserialize_any(); deserialize_bool(); deserialize_i8(); deserialize_i16();
        deserialize_i32(); deserialize_i64(); deserialize_u8(); deserialize_u16();
        deserialize_u32(); deserialize_u64(); deserialize_f32(); deserialize_f64();
        deserialize_char(); deserialize_str(); deserialize_string(); deserialize_bytes();
        deserialize_byte_buf(); deserialize_option(); deserialize_unit(); deserialize_seq();
        deserialize_map(); deserialize_identifier(); deserialize_ignored_any();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }
}

macro_rules! visit {
    ($($method:ident: $ty:ty,)*) => {$(
        fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Plain<V> {
    type Value = V::Value;
    visit! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str,
        visit_borrowed_str: &'de str, visit_string: String, visit_bytes: &[u8],
        visit_byte_buf: Vec<u8>,
    }
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Plain(inner))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Plain(inner))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Plain(seq))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(data)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        let first: Option<String> = map.next_key()?;
        if first.as_deref() != Some(NUMBER) {
            return self.0.visit_map(Entries { first: Some(first), map });
        }
        let number: String = map.next_value()?;
        if let Ok(number) = number.parse() {
            return self.0.visit_u64(number);
        }
        if let Ok(number) = number.parse() {
            return self.0.visit_i64(number);
        }
        match number.parse::<f64>() {
            Ok(number) if number.is_finite() => self.0.visit_f64(number),
            _ => Err(A::Error::custom("number out of range")),
        }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Plain<S> {
    type Value = S::Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Plain(from))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Plain<A> {
    type Error = A::Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Plain(seed))
    }
}

/// The entries of a map whose first key was looked at.
#[expect(clippy::option_option, reason = "the inner is the map's, the outer whether it was asked")]
struct Entries<A> {
    /// The first key, until it is asked for; none where there are no entries.
    first: Option<Option<String>>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<A> {
    type Error = A::Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            None => self.map.next_key_seed(seed),
            Some(None) => Ok(None),
            Some(Some(key)) => seed.deserialize(StringDeserializer::new(key)).map(Some),
        }
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(Plain(seed))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::value::{MapDeserializer, StrDeserializer};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn numbers_are_numbers() {
        let check = |written: &str, expected: Value| {
            let entry = std::iter::once((NUMBER, written));
            let map: MapDeserializer<'_, _, serde::de::value::Error> = MapDeserializer::new(entry);
            assert_eq!(Value::deserialize(Plain(map)).unwrap(), expected);
        };
        check("7", json!(7));
        check("-7", json!(-7));
        check("18446744073709551615", json!(u64::MAX));
        check("0.1", json!(0.1));
        let text = r#"{"a": [1, {"b": 2.5, "c": null}], "d": "x", "e": {}}"#;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Value::deserialize(Plain(&mut json)).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(text).unwrap());
        let word: StrDeserializer<'_, serde::de::value::Error> = StrDeserializer::new("x");
        assert_eq!(Value::deserialize(Plain(word)).unwrap(), json!("x"));
    }
}
