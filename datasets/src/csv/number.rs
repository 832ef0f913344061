//! Python's grammars of `int(bytes)` and `float(bytes)`, because they decide what a CSV column is.
//!
//! Nearly every cell is a short plain decimal. Those are parsed eight digits at a time from one
//! 16-byte load; everything else takes the slow functions, which follow the grammar letter by letter.

/// Every load of 16 bytes at the start of a cell must stay inside the text: it is followed by so many
/// bytes of anything.
pub(super) const PADDING: usize = 16;

/// The 16 bytes at `start`, the first in the lowest byte; bytes past the end of `text` are zero.
#[inline]
pub(super) fn load16(text: &[u8], start: usize) -> u128 {
    match text.get(start..start + 16) {
        Some(bytes) => u128::from_le_bytes(bytes.try_into().expect("sixteen bytes")),
        None => load_tail(text, start),
    }
}

#[cold]
fn load_tail(text: &[u8], start: usize) -> u128 {
    let mut bytes = [0; 16];
    let tail = text.get(start..).unwrap_or_default();
    bytes[..tail.len()].copy_from_slice(tail);
    u128::from_le_bytes(bytes)
}

/// What `int(cell)` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    /// An integer that fits.
    Value(i64),
    /// An integer that does not fit 64 bits.
    TooLarge,
    /// Not an integer.
    No,
}

/// The integer that the cell `text[start..end]` is, by Python's grammar.
#[inline]
pub(super) fn int(text: &[u8], start: usize, end: usize) -> Int {
    let negative = text.get(start) == Some(&b'-');
    let digits_start = start + usize::from(negative);
    let len = end.saturating_sub(digits_start);
    if let 1..=16 = len
        && let Some(value) = decimal(load16(text, digits_start), len)
    {
        let value = value as i64;
        return Int::Value(if negative { -value } else { value });
    }
    slow_int(&text[start..end])
}

/// The number that the cell `text[start..end]` is, by Python's grammar, correctly rounded.
#[inline]
pub(super) fn float(text: &[u8], start: usize, end: usize) -> Option<f64> {
    let negative = text.get(start) == Some(&b'-');
    let digits_start = start + usize::from(negative);
    let len = end.saturating_sub(digits_start);
    if let 1..=16 = len
        && let Some(value) = short_float(load16(text, digits_start), len)
    {
        return Some(if negative { -value } else { value });
    }
    slow_float(&text[start..end])
}

/// What a cell of at most 15 characters is, which are the low bytes of `chars`.
#[inline]
pub(super) fn short_kind(chars: u128, len: usize) -> Short {
    let negative = chars as u8 == b'-';
    let (chars, len) = if negative { (chars >> 8, len.saturating_sub(1)) } else { (chars, len) };
    if !(1..=15).contains(&len) {
        return Short::Unclear;
    }
    if decimal(chars, len).is_some() {
        Short::Int
    } else if short_float(chars, len).is_some() {
        Short::Float
    } else {
        Short::Unclear
    }
}

/// What is plain to see of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// An integer that fits.
    Int,
    /// A number with a point.
    Float,
    /// It has to be looked at letter by letter.
    Unclear,
}

/// `len` decimal digits (1 to 16) in the low bytes of `chars`, or `None` if one is not a digit.
#[inline]
fn decimal(chars: u128, len: usize) -> Option<u64> {
    // Left of the digits come zeros, so that there are always sixteen.
    let aligned = (chars << (8 * (16 - len))) | low_zeros(16 - len);
    let (high, low) = (aligned as u64, (aligned >> 64) as u64);
    if !all_digits(high) || !all_digits(low) {
        return None;
    }
    Some(eight_digits(high) * 100_000_000 + eight_digits(low))
}

/// `n` (0 to 15) characters `0` in the low bytes.
#[inline]
fn low_zeros(n: usize) -> u128 {
    const ZEROS: u128 = u128::from_le_bytes([b'0'; 16]);
    ZEROS & ((1 << (8 * n)) - 1)
}

#[inline]
fn all_digits(chars: u64) -> bool {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    let plus_six = chars.wrapping_add(0x0606_0606_0606_0606);
    (chars & HIGH) | ((plus_six & HIGH) >> 4) == 0x3333_3333_3333_3333
}

/// Eight digits, the most significant in the lowest byte, by three multiplications.
#[inline]
fn eight_digits(chars: u64) -> u64 {
    let ones = chars & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = (ones.wrapping_mul(2561) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(6_553_601) >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(42_949_672_960_001) >> 32
}

/// Powers of ten that `f64` holds exactly.
const EXACT_POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// `digits[.digits]` of at most 16 characters, where both the digits and the power of ten are exact
/// in an `f64`: then one division rounds once, which is correct rounding.
#[inline]
fn short_float(chars: u128, len: usize) -> Option<f64> {
    let dot = first_dot(chars);
    if dot >= len {
        let digits = decimal(chars, len)?;
        return (digits <= 1 << 53).then_some(digits as f64);
    }
    if len == 1 {
        return None;
    }
    let before = chars & ((1 << (8 * dot)) - 1);
    let after = (chars >> (8 * dot)) >> 8;
    let joined = before | (after << (8 * dot));
    let digits = decimal(joined, len - 1)?;
    (digits <= 1 << 53).then(|| digits as f64 / EXACT_POWERS[len - 1 - dot])
}

/// Position of the first `.` among sixteen characters, or 16.
#[inline]
fn first_dot(chars: u128) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest marked byte is exact: borrows only travel upwards.
    let marks = |half: u64| {
        let differs = half ^ (ONES * b'.' as u64);
        differs.wrapping_sub(ONES) & !differs & HIGH
    };
    let low = marks(chars as u64);
    if low != 0 {
        return low.trailing_zeros() as usize / 8;
    }
    let high = marks((chars >> 64) as u64);
    if high != 0 { 8 + high.trailing_zeros() as usize / 8 } else { 16 }
}

/// What C's `isspace` strips in Python's parsers of bytes.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn strip(mut cell: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = cell
        && is_space(*first)
    {
        cell = rest;
    }
    while let [rest @ .., last] = cell
        && is_space(*last)
    {
        cell = rest;
    }
    cell
}

/// `int(cell)`: white space, one sign, digits with single underscores between them.
#[cold]
fn slow_int(cell: &[u8]) -> Int {
    let mut rest = strip(cell);
    let mut negative = false;
    if let [sign @ (b'+' | b'-'), digits @ ..] = rest {
        negative = *sign == b'-';
        rest = digits;
    }
    let mut value: Option<i64> = Some(0);
    let mut after_digit = false;
    for &byte in rest {
        match byte {
            b'0'..=b'9' => {
                let digit = i64::from(byte - b'0');
                // Negative numbers are built downwards: -2^63 has no positive counterpart.
                value = value.and_then(|value| value.checked_mul(10)).and_then(|value| {
                    if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
                });
                after_digit = true;
            }
            b'_' if after_digit => after_digit = false,
            _ => return Int::No,
        }
    }
    match value {
        _ if !after_digit => Int::No,
        Some(value) => Int::Value(value),
        None => Int::TooLarge,
    }
}

/// `float(cell)`: white space, underscores between digits, then the grammar that Rust shares.
#[cold]
fn slow_float(cell: &[u8]) -> Option<f64> {
    let cell = strip(cell);
    // A number has no other characters than these; so the text is ASCII.
    if !cell.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_')) {
        return None;
    }
    if !cell.contains(&b'_') {
        return std::str::from_utf8(cell).ok()?.parse().ok();
    }
    let between_digits = |i: usize| {
        i > 0 && cell[i - 1].is_ascii_digit() && cell.get(i + 1).is_some_and(u8::is_ascii_digit)
    };
    let mut plain = String::with_capacity(cell.len());
    for (i, &byte) in cell.iter().enumerate() {
        if byte != b'_' {
            plain.push(byte as char);
        } else if !between_digits(i) {
            return None;
        }
    }
    plain.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_int(cell: &str, expected: Int) {
        // The neighbours must not matter.
        for (before, after) in [("", ""), ("9,", ",9999999999999999"), ("-", "\n.......")] {
            let text = format!("{before}{cell}{after}");
            let got = int(text.as_bytes(), before.len(), before.len() + cell.len());
            assert_eq!(got, expected, "{cell:?} in {text:?}");
        }
    }

    #[test]
    fn integers_follow_python() {
        for cell in ["0", "7", "12345678", "123456789", "1234567890123456", "9223372036854775807"] {
            check_int(cell, Int::Value(cell.parse().unwrap()));
            check_int(&format!("-{cell}"), Int::Value(-cell.parse::<i64>().unwrap()));
        }
        check_int("-9223372036854775808", Int::Value(i64::MIN));
        check_int("9223372036854775808", Int::TooLarge);
        check_int("-9223372036854775809", Int::TooLarge);
        check_int("99999999999999999999999999", Int::TooLarge);
        for (cell, value) in
            [(" 5 ", 5), ("+5", 5), ("1_000", 1000), ("007", 7), ("-0", 0), ("\t\x0b5\x0c", 5)]
        {
            check_int(cell, Int::Value(value));
        }
        for cell in [
            "",
            " ",
            "-",
            "+",
            "--5",
            "+-5",
            "+ 5",
            "_1",
            "1_",
            "1__0",
            "0x1f",
            "1.0",
            "1e3",
            "nan",
            "5 5",
            "a",
            "12345678a",
            "1234567890a",
            "/",
            ":",
            "٣",
            "1\0",
            "-_1",
        ] {
            check_int(cell, Int::No);
        }
    }

    fn check_float(cell: &str, expected: Option<f64>) {
        for (before, after) in [("", ""), ("9,", ",9999999999999999"), (".", "\n.......")] {
            let text = format!("{before}{cell}{after}");
            let got = float(text.as_bytes(), before.len(), before.len() + cell.len());
            assert_eq!(got.map(f64::to_bits), expected.map(f64::to_bits), "{cell:?} in {text:?}");
        }
    }

    #[test]
    fn floats_follow_python() {
        for cell in [
            "0",
            "1.5",
            ".5",
            "5.",
            "-87.655998182",
            "41.983636307",
            "0.1",
            "123456789012345.6",
            "9007199254740993",
            "9007199254740992",
            "1e3",
            "1E-3",
            "1.5e+300",
            "1e400",
            "-1e400",
            "0.30000000000000004",
            "2.2250738585072011e-308",
            "inf",
            "-inf",
            "Infinity",
            "-0",
            "-0.0",
            "00.10",
            "9999999999999999",
            "999999999999999.9",
            "1234567.12345678",
        ] {
            check_float(cell, Some(cell.parse().unwrap()));
        }
        for cell in ["nan", "NaN", "+nAn"] {
            assert!(float(cell.as_bytes(), 0, cell.len()).unwrap().is_nan());
        }
        check_float(" 1.5\n", Some(1.5));
        check_float("+1.5", Some(1.5));
        check_float("1_000.0_1e1_0", Some(1000.01e10));
        for cell in [
            "", " ", ".", "-", "-.", "e5", "1e", "1e+", "1.2.3", "0x1f", "1_", "_1", "1._5",
            "1_.5", "1__0.5", "infin", "nan1", "1,5", "1 5", "..", "1.5f", "é", "--1", "in_f",
        ] {
            check_float(cell, None);
        }
    }

    proptest::proptest! {
        #[test]
        fn short_numbers_equal_the_exact_parser(cell in "-?[0-9]{0,12}[.]?[0-9]{0,12}") {
            let expected = cell.parse::<f64>().ok().map(f64::to_bits);
            proptest::prop_assert_eq!(
                float(cell.as_bytes(), 0, cell.len()).map(f64::to_bits), expected);
            let expected = cell.parse::<i64>().map_or(Int::No, Int::Value);
            let got = int(cell.as_bytes(), 0, cell.len());
            if got != Int::TooLarge {
                proptest::prop_assert_eq!(got, expected);
            }
        }
    }
}
