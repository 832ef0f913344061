//! Numbers in JSON, which has none for NaN and infinities: `null`, `"Infinity"`, `"-Infinity"`.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::evaluation::{Measured, Measurements};
use super::metric::Cell;

/// A float.
pub(super) mod number {
    use super::{Cell, Deserialize, Deserializer, Error, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(in crate::evaluate) fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
        Cell::Number(*x).serialize(s)
    }

    pub(in crate::evaluate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<f64, D::Error> {
        match Cell::deserialize(d)? {
            Cell::Number(x) => Ok(x),
            Cell::Text(text) => Err(D::Error::custom(format!("`{text}` is no number"))),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Text(text) => text.serialize(serializer),
            Cell::Number(x) if x.is_nan() => serializer.serialize_none(),
            Cell::Number(x) if x.is_infinite() => {
                (if *x > 0.0 { "Infinity" } else { "-Infinity" }).serialize(serializer)
            }
            // Counts are whole numbers, and look like that.
            Cell::Number(x) if *x == x.trunc() && x.abs() < 1e15 => {
                (*x as i64).serialize(serializer)
            }
            Cell::Number(x) => x.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through a value of JSON, which knows how numbers of any precision are handed over.
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Cell::Number(f64::NAN)),
            Value::Number(x) => Ok(Cell::Number(x.as_f64().unwrap_or(f64::NAN))),
            Value::String(text) => Ok(match text.as_str() {
                "Infinity" => Cell::Number(f64::INFINITY),
                "-Infinity" => Cell::Number(f64::NEG_INFINITY),
                _ => Cell::Text(text),
            }),
            _ => Err(D::Error::custom("expected a number, null or a text")),
        }
    }
}

/// Measurements as an object, in their order.
pub(super) mod measurements {
    use super::{Deserializer, Measurements, MeasurementsVisitor, SerializeMap, Serializer};

    pub(in crate::evaluate) fn serialize<S: Serializer>(
        all: &Measurements,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(all.len()))?;
        for (key, measured) in all {
            map.serialize_entry(key, measured)?;
        }
        map.end()
    }

    pub(in crate::evaluate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Measurements, D::Error> {
        deserializer.deserialize_map(MeasurementsVisitor)
    }
}

struct MeasurementsVisitor;

impl<'de> Visitor<'de> for MeasurementsVisitor {
    type Value = Measurements;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of metrics")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measurements, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry::<String, Measured>()? {
            all.push(entry);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_come_back() {
        let check = |cell: Cell, expected: &str| {
            let text = serde_json::to_string(&cell).unwrap();
            assert_eq!(text, expected);
            let back: Cell = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{back:?}"), format!("{cell:?}"));
        };
        check(Cell::Number(f64::NAN), "null");
        check(Cell::Number(f64::INFINITY), "\"Infinity\"");
        check(Cell::Number(f64::NEG_INFINITY), "\"-Infinity\"");
        check(Cell::Number(3.0), "3");
        check(Cell::Number(0.1), "0.1");
        check(Cell::Number(1e300), "1e+300");
        check(Cell::Text("a".into()), "\"a\"");
    }
}
