//! The deterministic serialisation of a tf.Example or tf.SequenceExample, whatever wrote its bytes.
//!
//! It is what Python's `SerializeToString(deterministic=True)` gives for the message that was parsed:
//! maps by ascending names, the last of two entries with one name, packed numbers, shortest lengths. A
//! feature without a kind stays one. Fields that no declaration knows come last, but for those inside of
//! features, which are left out.

use super::wire::{self, Flaw};

/// Number of the field of a tf.Example that holds its features, and of the context of a
/// tf.SequenceExample.
const FEATURES: u32 = 1;
/// Number of the field that holds the feature lists of a tf.SequenceExample.
const FEATURE_LISTS: u32 = 2;

/// Serialises one record again and again, keeping its buffers.
#[derive(Default)]
pub(crate) struct Canonical {
    out: Vec<u8>,
    value: Vec<u8>,
    list: Vec<u8>,
}

impl Canonical {
    /// The deterministic serialisation of a record.
    ///
    /// # Errors
    /// When it is no such message.
    pub(crate) fn of(&mut self, record: &[u8]) -> Result<&[u8], Flaw> {
        let (mut features, mut lists) = (Vec::new(), Vec::new());
        let (mut has_features, mut has_lists, mut unknown) = (false, false, Vec::new());
        let mut rest = record;
        while !rest.is_empty() {
            let start = rest;
            let (number, wire) = wire::tag(&mut rest)?;
            match (number, wire) {
                (FEATURES, wire) => {
                    has_features = true;
                    entries(wire::message(number, wire, &mut rest)?, &mut features)?;
                }
                (FEATURE_LISTS, wire::LEN) => {
                    has_lists = true;
                    entries(wire::delimited(&mut rest)?, &mut lists)?;
                }
                _ => {
                    wire::skip(wire, &mut rest)?;
                    unknown.extend_from_slice(&start[..start.len() - rest.len()]);
                }
            }
        }
        self.out.clear();
        if has_features {
            self.map(FEATURES, &mut features, feature)?;
        }
        if has_lists {
            self.map(FEATURE_LISTS, &mut lists, feature_list)?;
        }
        self.out.extend_from_slice(&unknown);
        Ok(&self.out)
    }

    /// Appends a field that is a map.
    fn map(
        &mut self,
        number: u32,
        entries: &mut [Entry<'_>],
        put: fn(&[u8], &mut Vec<u8>) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        if !entries.is_sorted_by(|a, b| a.name < b.name) {
            // Stable: of entries with one name the last one stays the last.
            entries.sort_by_key(|entry| entry.name);
        }
        self.list.clear();
        for (i, entry) in entries.iter().enumerate() {
            if entries.get(i + 1).is_some_and(|next| next.name == entry.name) {
                continue;
            }
            self.value.clear();
            match &entry.value {
                Value::One(value) => put(value, &mut self.value)?,
                Value::Merged(value) => put(value, &mut self.value)?,
            }
            let (name, value) = (entry.name.len(), self.value.len());
            let len = 2 + wire::varint_len(name as u64) + name;
            let len = len + wire::varint_len(value as u64) + value;
            head(1, len, &mut self.list);
            field(1, entry.name, &mut self.list);
            field(2, &self.value, &mut self.list);
        }
        field(number, &self.list, &mut self.out);
        Ok(())
    }
}

/// One entry of a map.
struct Entry<'a> {
    name: &'a [u8],
    value: Value<'a>,
}

/// The bytes of a message; those that come in several pieces mean all of them, one after the other.
enum Value<'a> {
    One(&'a [u8]),
    Merged(Vec<u8>),
}

/// The entries of a message with a map as its field 1.
fn entries<'a>(mut message: &'a [u8], out: &mut Vec<Entry<'a>>) -> Result<(), Flaw> {
    while !message.is_empty() {
        let (number, wire) = wire::tag(&mut message)?;
        if number != 1 {
            wire::skip(wire, &mut message)?;
            continue;
        }
        let mut entry = wire::message(1, wire, &mut message)?;
        let mut found = Entry { name: &[], value: Value::One(&[]) };
        while !entry.is_empty() {
            let (number, wire) = wire::tag(&mut entry)?;
            match number {
                1 => found.name = wire::message(1, wire, &mut entry)?,
                2 => {
                    let more = wire::message(2, wire, &mut entry)?;
                    found.value = match found.value {
                        Value::One([]) => Value::One(more),
                        Value::One(first) => Value::Merged([first, more].concat()),
                        Value::Merged(first) => Value::Merged([&first, more].concat()),
                    };
                }
                _ => wire::skip(wire, &mut entry)?,
            }
        }
        out.push(found);
    }
    Ok(())
}

/// Appends the content of a `Feature`.
fn feature(message: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
    let start = out.len();
    let mut kind = 0;
    let mut rest = message;
    let mut list = Vec::new();
    while !rest.is_empty() {
        let (number, wire) = wire::tag(&mut rest)?;
        if !(1..=3).contains(&number) {
            wire::skip(wire, &mut rest)?;
            continue;
        }
        let content = wire::message(number, wire, &mut rest)?;
        // Of several kinds the last one counts; lists of one kind are one list.
        if number != kind {
            list.clear();
        }
        kind = number;
        match number {
            1 => bytes_list(content, &mut list)?,
            2 => floats(content, &mut list)?,
            _ => integers(content, &mut list)?,
        }
    }
    debug_assert_eq!(out.len(), start, "one feature at a time");
    match kind {
        0 => {}
        1 => field(1, &list, out),
        _ if list.is_empty() => head(kind, 0, out),
        _ => {
            head(kind, 1 + wire::varint_len(list.len() as u64) + list.len(), out);
            field(1, &list, out);
        }
    }
    Ok(())
}

/// Appends the content of a `FeatureList`.
fn feature_list(mut message: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut content = Vec::new();
    while !message.is_empty() {
        let (number, wire) = wire::tag(&mut message)?;
        if number != 1 {
            wire::skip(wire, &mut message)?;
            continue;
        }
        content.clear();
        feature(wire::message(1, wire, &mut message)?, &mut content)?;
        field(1, &content, out);
    }
    Ok(())
}

/// Appends the values of a `BytesList`, each with its tag.
fn bytes_list(mut list: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
    while !list.is_empty() {
        match wire::tag(&mut list)? {
            (1, wire) => field(1, wire::message(1, wire, &mut list)?, out),
            (_, wire) => wire::skip(wire, &mut list)?,
        }
    }
    Ok(())
}

/// Appends the values of a `FloatList`, without a tag.
fn floats(mut list: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
    while !list.is_empty() {
        match wire::tag(&mut list)? {
            (1, wire::LEN) => out.extend_from_slice(wire::delimited(&mut list)?),
            (1, wire::FIXED32) => out.extend_from_slice(&wire::fixed32(&mut list)?),
            (1, wire) => return Err(wire::wrong_type(1, wire)),
            (_, wire) => wire::skip(wire, &mut list)?,
        }
    }
    Ok(())
}

/// Appends the values of an `Int64List`, without a tag.
fn integers(mut list: &[u8], out: &mut Vec<u8>) -> Result<(), Flaw> {
    while !list.is_empty() {
        match wire::tag(&mut list)? {
            (1, wire::LEN) => {
                let mut packed = wire::delimited(&mut list)?;
                while !packed.is_empty() {
                    wire::put_varint(wire::varint(&mut packed)?, out);
                }
            }
            (1, wire::VARINT) => wire::put_varint(wire::varint(&mut list)?, out),
            (1, wire) => return Err(wire::wrong_type(1, wire)),
            (_, wire) => wire::skip(wire, &mut list)?,
        }
    }
    Ok(())
}

/// Appends the tag and the length of a delimited field.
fn head(number: u32, len: usize, out: &mut Vec<u8>) {
    out.push((number << 3) as u8 | wire::LEN);
    wire::put_varint(len as u64, out);
}

/// Appends a delimited field.
fn field(number: u32, content: &[u8], out: &mut Vec<u8>) {
    head(number, content.len(), out);
    out.extend_from_slice(content);
}

/// The content of the feature `name` in a message that [`Canonical`] or the encoder has made.
pub(crate) fn find_feature<'a>(record: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = record;
    while !rest.is_empty() {
        let (number, wire) = wire::tag(&mut rest).ok()?;
        if (number, wire) != (FEATURES, wire::LEN) {
            wire::skip(wire, &mut rest).ok()?;
            continue;
        }
        let mut map = wire::delimited(&mut rest).ok()?;
        while !map.is_empty() {
            wire::tag(&mut map).ok()?;
            let mut entry = wire::delimited(&mut map).ok()?;
            wire::tag(&mut entry).ok()?;
            let found = wire::delimited(&mut entry).ok()?;
            if found == name.as_bytes() {
                wire::tag(&mut entry).ok()?;
                return wire::delimited(&mut entry).ok();
            }
        }
    }
    None
}

/// The values of a feature that [`find_feature`] has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Single<'a> {
    /// It has no kind.
    None,
    /// One byte string.
    Bytes(&'a [u8]),
    /// One integer.
    Int(i64),
    /// One float.
    Float(f32),
    /// An empty list, or several values.
    Other,
}

/// The one value of a feature in its deterministic serialisation.
pub(crate) fn single(mut feature: &[u8]) -> Single<'_> {
    let Ok((kind, _)) = wire::tag(&mut feature) else { return Single::None };
    let Ok(mut list) = wire::delimited(&mut feature) else { return Single::None };
    let one = (|| {
        wire::tag(&mut list).ok()?;
        let value = wire::delimited(&mut list).ok()?;
        list.is_empty().then_some(value)
    })();
    let Some(mut value) = one else { return Single::Other };
    match kind {
        1 => Single::Bytes(value),
        2 => value.try_into().map_or(Single::Other, |v| Single::Float(f32::from_le_bytes(v))),
        _ => match wire::varint(&mut value) {
            Ok(int) if value.is_empty() => Single::Int(int as i64),
            _ => Single::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &[u8], expected: &[u8]) {
        let mut canonical = Canonical::default();
        assert_eq!(canonical.of(record).unwrap(), expected);
        assert_eq!(Canonical::default().of(expected).unwrap(), expected, "it is stable");
    }

    #[test]
    fn maps_are_sorted_and_lists_packed() {
        let a = b"\x0a\x0a\x0a\x01a\x12\x05\x1a\x03\x0a\x01\x01";
        let b = b"\x0a\x0a\x0a\x01b\x12\x05\x1a\x03\x0a\x01\x02";
        let sorted = [&b"\x0a\x18"[..], a, b].concat();
        check(&sorted, &sorted);
        check(&[&b"\x0a\x18"[..], b, a].concat(), &sorted);
        // In two pieces, with an earlier `a` that does not count.
        let other = b"\x0a\x0a\x0a\x01a\x12\x05\x1a\x03\x0a\x01\x07";
        check(&[&b"\x0a\x18"[..], other, b, b"\x0a\x0c", a].concat(), &sorted);
        // Not packed; a length, and a number, that are longer than they need to be.
        let unpacked = b"\x0a\x09\x0a\x01a\x12\x04\x1a\x02\x08\x01";
        check(&[&b"\x0a\x17"[..], unpacked, b].concat(), &sorted);
        let long = b"\x0a\x0b\x0a\x01a\x12\x06\x1a\x04\x0a\x02\x81\x00";
        check(&[&b"\x0a\x99\x00"[..], long, b].concat(), &sorted);
    }

    #[test]
    fn what_is_empty_stays() {
        check(b"", b"");
        check(b"\x0a\x00", b"\x0a\x00");
        // No kind; an empty list; floats, whose last list of another kind counts.
        check(b"\x0a\x07\x0a\x05\x0a\x01a\x12\x00", b"\x0a\x07\x0a\x05\x0a\x01a\x12\x00");
        check(b"\x0a\x05\x0a\x03\x0a\x01a", b"\x0a\x07\x0a\x05\x0a\x01a\x12\x00");
        check(
            b"\x0a\x09\x0a\x07\x0a\x01a\x12\x02\x0a\x00",
            b"\x0a\x09\x0a\x07\x0a\x01a\x12\x02\x0a\x00",
        );
        check(
            b"\x0a\x0b\x0a\x09\x0a\x01a\x12\x04\x0a\x00\x12\x00",
            b"\x0a\x09\x0a\x07\x0a\x01a\x12\x02\x12\x00",
        );
        // Unknown fields come last.
        check(b"\x18\x01\x0a\x00", b"\x0a\x00\x18\x01");
        assert!(Canonical::default().of(b"\x0a\x05").is_err());
    }

    #[test]
    fn features_are_found_with_their_value() {
        let record = b"\x0a\x1f\x0a\x0a\x0a\x01a\x12\x05\x1a\x03\x0a\x01\x05\
                       \x0a\x0a\x0a\x01b\x12\x05\x0a\x03\x0a\x01x\x0a\x05\x0a\x01c\x12\x00";
        let of = |name| find_feature(record, name).map(single);
        assert_eq!(of("a"), Some(Single::Int(5)));
        assert_eq!(of("b"), Some(Single::Bytes(b"x")));
        assert_eq!(of("c"), Some(Single::None));
        assert_eq!(of("d"), None);
        assert_eq!(single(b"\x12\x06\x0a\x04\x00\x00\xc0\x3f"), Single::Float(1.5));
        assert_eq!(single(b"\x12\x00"), Single::Other);
        assert_eq!(single(b"\x1a\x04\x0a\x02\x01\x02"), Single::Other);
        let ten = b"\x1a\x0c\x0a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(single(ten), Single::Int(-1));
    }
}
