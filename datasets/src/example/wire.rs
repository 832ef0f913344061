//! The protobuf wire format, as far as tf.Example needs it: varints, tags, lengths, skipping.
//!
//! A cursor is a `&mut &[u8]` that shrinks from the front. Nothing here allocates or copies.

use std::fmt;

/// Why bytes are not a protobuf message of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A field goes on behind the end of its message.
    CutOff,
    /// A varint of more than ten bytes, or of more than 64 bits.
    Varint,
    /// Field number 0, or a tag of more than 32 bits.
    Tag,
    /// Wire types 3 and 4 (groups), which no tf.Example uses, and 6 and 7, which do not exist.
    WireType(u8),
    /// A field of tf.Example with a wire type that its declaration does not allow.
    Unexpected(u32, u8),
    /// Packed floats whose length is not a multiple of four.
    Floats(usize),
    /// A feature name that is not valid UTF-8.
    Name,
    /// A feature with the name of the column of feature lists.
    Reserved,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::CutOff => f.write_str("a field is longer than the message that holds it"),
            Flaw::Varint => f.write_str("a variable-length integer does not fit in 64 bits"),
            Flaw::Tag => f.write_str("a field has an impossible number"),
            Flaw::WireType(wire) => write!(f, "a field has the unsupported wire type {wire}"),
            Flaw::Unexpected(number, wire) => {
                write!(f, "field {number} has the wrong wire type {wire}")
            }
            Flaw::Floats(len) => {
                write!(f, "a list of packed floats is {len} bytes long, not a multiple of 4")
            }
            Flaw::Name => f.write_str("a feature name is not valid UTF-8"),
            Flaw::Reserved => f.write_str("this name is that of the column of all feature lists"),
        }
    }
}

/// Wire type of varints.
pub(crate) const VARINT: u8 = 0;
/// Wire type of eight little-endian bytes.
pub(crate) const FIXED64: u8 = 1;
/// Wire type of a length and that many bytes.
pub(crate) const LEN: u8 = 2;
/// Wire type of four little-endian bytes.
pub(crate) const FIXED32: u8 = 5;

/// Takes a varint off the front.
#[inline]
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, Flaw> {
    match bytes.split_first() {
        Some((&first, rest)) if first < 0x80 => {
            *bytes = rest;
            Ok(u64::from(first))
        }
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &mut &[u8]) -> Result<u64, Flaw> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            // The tenth byte holds the 64th bit and nothing else.
            if i == 9 && byte > 1 {
                return Err(Flaw::Varint);
            }
            *bytes = &bytes[i + 1..];
            return Ok(value);
        }
    }
    Err(if bytes.len() < 10 { Flaw::CutOff } else { Flaw::Varint })
}

/// Takes a tag off the front: field number and wire type.
#[inline]
pub(crate) fn tag(bytes: &mut &[u8]) -> Result<(u32, u8), Flaw> {
    let tag = u32::try_from(varint(bytes)?).map_err(|_| Flaw::Tag)?;
    if tag < 8 {
        return Err(Flaw::Tag);
    }
    Ok((tag >> 3, (tag & 7) as u8))
}

/// Takes a length and that many bytes off the front.
#[inline]
pub(crate) fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Flaw> {
    let len = usize::try_from(varint(bytes)?).map_err(|_| Flaw::CutOff)?;
    let (field, rest) = bytes.split_at_checked(len).ok_or(Flaw::CutOff)?;
    *bytes = rest;
    Ok(field)
}

/// Takes a delimited field off the front when its declaration allows nothing else.
#[inline]
pub(crate) fn message<'a>(number: u32, wire: u8, bytes: &mut &'a [u8]) -> Result<&'a [u8], Flaw> {
    if wire == LEN { delimited(bytes) } else { Err(wrong_type(number, wire)) }
}

/// Takes four bytes off the front.
#[inline]
pub(crate) fn fixed32(bytes: &mut &[u8]) -> Result<[u8; 4], Flaw> {
    let (value, rest) = bytes.split_first_chunk().ok_or(Flaw::CutOff)?;
    *bytes = rest;
    Ok(*value)
}

/// Skips the value of a field that tf.Example does not declare.
pub(crate) fn skip(wire: u8, bytes: &mut &[u8]) -> Result<(), Flaw> {
    match wire {
        VARINT => varint(bytes).map(|_| ()),
        FIXED64 => {
            *bytes = bytes.get(8..).ok_or(Flaw::CutOff)?;
            Ok(())
        }
        LEN => delimited(bytes).map(|_| ()),
        FIXED32 => fixed32(bytes).map(|_| ()),
        _ => Err(Flaw::WireType(wire)),
    }
}

/// What is wrong with a declared field of an undeclared wire type.
#[cold]
pub(crate) fn wrong_type(number: u32, wire: u8) -> Flaw {
    match wire {
        VARINT | FIXED64 | LEN | FIXED32 => Flaw::Unexpected(number, wire),
        _ => Flaw::WireType(wire),
    }
}

/// Appends a varint.
#[inline]
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Length in bytes of a value as a varint.
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    // Seven bits to a byte; zero takes one byte as well.
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_have_the_promised_length() {
        let mut values =
            vec![0, 1, 127, 128, 300, u64::MAX, i64::MIN as u64, 1 << 56, (1 << 56) - 1];
        values.extend((0..64).map(|bit| 1 << bit));
        for value in values {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert_eq!(bytes.len(), varint_len(value), "{value}");
            let mut cursor = &bytes[..];
            assert_eq!(varint(&mut cursor), Ok(value));
            assert!(cursor.is_empty());
            for end in 0..bytes.len() {
                assert_eq!(varint(&mut &bytes[..end]), Err(Flaw::CutOff));
            }
        }
    }

    #[test]
    fn varints_that_do_not_fit_are_flaws() {
        let check = |bytes: &[u8], expected| assert_eq!(varint(&mut &bytes[..]), expected);
        check(&[0x80, 0x00], Ok(0)); // longer than needed is allowed
        check(&[0xff; 10], Err(Flaw::Varint));
        check(&[0xff; 11], Err(Flaw::Varint));
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], Err(Flaw::Varint));
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], Ok(1 << 63));
    }

    #[test]
    fn fields_are_skipped_by_wire_type() {
        let check = |wire, bytes: &[u8], expected: Result<usize, Flaw>| {
            let mut cursor = bytes;
            assert_eq!(skip(wire, &mut cursor).map(|()| cursor.len()), expected);
        };
        check(VARINT, &[0x80, 0x01, 7], Ok(1));
        check(FIXED64, &[0; 9], Ok(1));
        check(FIXED64, &[0; 7], Err(Flaw::CutOff));
        check(LEN, &[2, 0, 0, 7], Ok(1));
        check(LEN, &[2, 0], Err(Flaw::CutOff));
        check(FIXED32, &[0; 5], Ok(1));
        check(FIXED32, &[0; 3], Err(Flaw::CutOff));
        check(3, &[0; 5], Err(Flaw::WireType(3)));
        check(4, &[0; 5], Err(Flaw::WireType(4)));
        check(7, &[0; 5], Err(Flaw::WireType(7)));
    }
}
