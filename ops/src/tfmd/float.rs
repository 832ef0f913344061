//! Floating-point numbers in the spelling of Python, which text and JSON files share.

use std::fmt::Write as _;

/// Appends a finite number as Python's `repr` writes it: the shortest digits that give it back.
pub(super) fn write_f64(value: f64, out: &mut String) {
    let text = shortest(value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value.is_sign_negative() {
        out.push('-');
    }
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.abs());
        return;
    }
    let digits = mantissa.replace('.', "");
    let zeros = |n: usize| "0".repeat(n);
    let _ = match usize::try_from(exponent + 1) {
        Ok(whole) if whole >= digits.len() => {
            write!(out, "{digits}{}.0", zeros(whole - digits.len()))
        }
        Ok(whole @ 1..) => write!(out, "{}.{}", &digits[..whole], &digits[whole..]),
        _ => write!(out, "0.{}{digits}", zeros((-exponent - 1) as usize)),
    };
}

/// The shortest digits that give the number back, in scientific notation.
///
/// Where two of the same length are equally close, as only happens with 15 digits and more, the
/// standard library takes the upper one and Python the even one.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let digits = text.bytes().take_while(|&b| b != b'e').filter(|&b| b != b'.').count();
    if digits >= 15 {
        let even = format!("{value:.precision$e}", precision = digits - 1);
        if even.parse() == Ok(value) {
            return even;
        }
    }
    text
}

/// The shortest decimal number of at least six digits that is this number in 32 bits.
///
/// Printing it as a double gives what Python prints for a `float` field.
pub(super) fn widen(value: f32) -> f64 {
    if !value.is_finite() {
        return f64::from(value);
    }
    (5..17)
        .filter_map(|digits| format!("{value:.digits$e}").parse::<f64>().ok())
        .find(|wide| *wide as f32 == value)
        .unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles() {
        fn check(value: f64, expected: &str) {
            let mut out = String::new();
            write_f64(value, &mut out);
            assert_eq!(out, expected);
        }
        check(0.0, "0.0");
        check(-0.0, "-0.0");
        check(1.0, "1.0");
        check(-2.5, "-2.5");
        check(0.1 + 0.2, "0.30000000000000004");
        check(123.456, "123.456");
        check(1e15, "1000000000000000.0");
        check(-87.652_740_478_515_63, "-87.65274047851562");
        check(1e-4, "0.0001");
        check(0.0123, "0.0123");
        check(0.000_099_999_999_999_999_99, "9.999999999999999e-05");
        check(1.5e-7, "1.5e-07");
        check(9_007_199_254_740_993.0, "9007199254740992.0");
        check(9_999_999_999_999_998.0, "9999999999999998.0");
        check(1e16, "1e+16");
        check(-1.25e100, "-1.25e+100");
        check(5e-324, "5e-324");
        check(f64::MAX, "1.7976931348623157e+308");
    }

    #[test]
    fn floats() {
        fn check(value: f32, expected: &str) {
            let mut out = String::new();
            write_f64(widen(value), &mut out);
            assert_eq!(out, expected);
        }
        check(0.1, "0.1");
        check(1.0 / 3.0, "0.33333334");
        check(16_777_216.0, "16777216.0");
        check(1e10, "10000000000.0");
        check(-0.0, "-0.0");
        check(f32::MAX, "3.4028235e+38");
        // Six digits are tried first, so the smallest number keeps more than it needs.
        check(1e-45, "1.4013e-45");
    }
}
