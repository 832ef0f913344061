//! Numbers and strings as TFDV's texts show them.

use std::fmt::Write;

/// A number with six significant digits, as C's `%g` prints it.
pub(super) fn six_digits(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let decimals = (5 - exponent).max(0) as usize;
        return without_zeros(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
}

/// A decimal number without the zeros at its end.
fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A share as `~12%`, or `<1%`, or `?` of nothing.
pub(super) fn percentage(count: f64, total: f64) -> String {
    if total == 0.0 {
        return "?".to_owned();
    }
    let percent = 100.0 * count / total;
    if percent < 1.0 { "<1%".to_owned() } else { format!("~{}%", percent.floor() as i64) }
}

/// A string as in C's source, with letters beyond ASCII as they are.
pub(super) fn c_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '"' => escaped.push_str("\\\""),
            '\'' => escaped.push_str("\\'"),
            '\\' => escaped.push_str("\\\\"),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(escaped, "\\{:03o}", u32::from(letter));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A string as a 64-bit integer, spaces around it aside.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    text.trim_ascii().parse().ok()
}

/// A string as a float, spaces around it aside; infinities and NaN by their names.
pub(super) fn parse_float(text: &str) -> Option<f32> {
    text.trim_ascii().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        fn check(value: f64, expected: &str) {
            assert_eq!(six_digits(value), expected);
        }
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(0.1, "0.1");
        check(123_456.0, "123456");
        check(1_234_567.0, "1.23457e+06");
        check(999_999.5, "1e+06");
        check(0.000_123_456_78, "0.000123457");
        check(0.000_012_345_678, "1.23457e-05");
        check(-2.5e300, "-2.5e+300");
        check(f64::NAN, "nan");
        check(f64::NEG_INFINITY, "-inf");
        check(1.0 / 3.0, "0.333333");
    }

    #[test]
    fn shares() {
        fn check(count: f64, total: f64, expected: &str) {
            assert_eq!(percentage(count, total), expected);
        }
        check(1.0, 3.0, "~33%");
        check(1.0, 101.0, "<1%");
        check(1.0, 0.0, "?");
        check(3.0, 3.0, "~100%");
    }

    #[test]
    fn escapes() {
        assert_eq!(c_escape("a\n\"é\u{1}\\"), "a\\n\\\"é\\001\\\\");
    }
}
