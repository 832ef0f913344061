//! Floats in JSON, those that JSON has no word for included.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

/// Writes a number, or the name of one that JSON has no word for.
///
/// # Errors
/// Those of the serializer.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        to.serialize_f64(*value)
    } else {
        to.serialize_str(if value.is_nan() {
            "NaN"
        } else if *value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    }
}

/// Reads what [`serialize`] has written.
///
/// # Errors
/// Those of the deserializer, and for other words.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    match read(from)? {
        Ok(number) => Ok(number),
        Err(word) => Err(D::Error::custom(format!("`{word}` is no number"))),
    }
}

/// A number, or a word that stands for none.
///
/// # Errors
/// Those of the deserializer, and for what is neither.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Result<f64, String>, D::Error> {
    // Through `Value`, because what a number looks like to a visitor depends on features of
    // `serde_json` that other crates turn on.
    match Value::deserialize(from)? {
        Value::Number(number) => match number.as_f64() {
            Some(number) => Ok(Ok(number)),
            None => Err(D::Error::custom(format!("`{number}` is too large"))),
        },
        Value::String(word) => Ok(match &*word {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(word),
        }),
        _ => Err(D::Error::custom("expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"")),
    }
}

/// A number as Python's `repr` writes it: the shortest digits that give it back.
pub(crate) fn python_float(value: f64) -> String {
    python(&format!("{value:e}"), &value.to_string())
}

/// A single-precision number as NumPy's `str` writes it.
pub(crate) fn python_float32(value: f32) -> String {
    python(&format!("{value:e}"), &value.to_string())
}

/// A number that is written with an exponent, and without one, as Python chooses.
fn python(scientific: &str, fixed: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        // `NaN`, `inf`.
        return fixed.to_lowercase();
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let minus = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{minus}{:02}", exponent.abs());
    }
    let point = if fixed.contains('.') { "" } else { ".0" };
    format!("{fixed}{point}")
}

#[cfg(test)]
mod tests {
    use super::{python_float, python_float32};

    #[test]
    fn floats_are_written_as_python_does() {
        let check = |value: f64, expected: &str| assert_eq!(python_float(value), expected);
        check(34396.0, "34396.0");
        check(9.581_654_807_225_776, "9.581654807225776");
        check(-0.5, "-0.5");
        check(-0.0, "-0.0");
        check(1e16, "1e+16");
        check(123_456_789_012_345_680.0, "1.2345678901234568e+17");
        check(9_999_999_999_999_998.0, "9999999999999998.0");
        check(0.0001, "0.0001");
        check(0.000_012, "1.2e-05");
        check(f64::NAN, "nan");
        check(f64::NEG_INFINITY, "-inf");
        let check = |value: f32, expected: &str| assert_eq!(python_float32(value), expected);
        check(24.256_758, "24.256758");
        check(f32::MIN, "-3.4028235e+38");
        check(1e-7, "1e-07");
        check(-0.0, "-0.0");
        check(-f32::NAN, "nan");
    }
}
