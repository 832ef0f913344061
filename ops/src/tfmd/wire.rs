//! Messages as bytes, exactly as Python's protobuf library writes them.

use std::collections::HashMap;

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};

use super::{Any, DESCRIPTOR_POOL};

/// How deep messages may be nested in each other: the limit of every protobuf library.
pub(super) const MAX_DEPTH: usize = 100;

/// What the type of a message in an [`Any`] is prefixed with.
pub(super) const TYPE_URL: &str = "type.googleapis.com/";

/// The bytes of a message: fields in ascending order of number, defaults of proto3 left out.
///
/// Unlike `prost`'s own `encode_to_vec`, which puts a `oneof` at the place of its first member and
/// writes every floating-point field, this gives the bytes that TFDV gives for the same message,
/// so that files can be compared by their bytes.
pub fn encode<M: ReflectMessage>(message: &M) -> Vec<u8> {
    in_order(&message.descriptor(), &message.encode_to_vec())
        .expect("a message just encoded is well-formed")
}

/// Puts a message into an [`Any`], under its full name.
pub fn pack<M: ReflectMessage>(message: &M) -> Any {
    Any {
        type_url: format!("{TYPE_URL}{}", message.descriptor().full_name()),
        value: encode(message),
    }
}

/// The message in an [`Any`], if it is of this type and well-formed.
pub fn unpack<M: ReflectMessage + Default>(any: &Any) -> Option<M> {
    let name = any.type_url.rsplit_once('/')?.1;
    if M::default().descriptor().full_name() != name {
        return None;
    }
    M::decode(any.value.as_slice()).ok()
}

/// A message by its description, for printing it.
pub(super) fn dynamic<M: ReflectMessage>(message: &M) -> DynamicMessage {
    DynamicMessage::decode(message.descriptor(), encode(message).as_slice())
        .expect("both forms of a message have the same limit of nesting")
}

/// The address of the type and the message that an `Any` holds, if that type is known here.
pub(super) fn expand_any(message: &DynamicMessage) -> Option<(String, DynamicMessage)> {
    if message.descriptor().full_name() != "google.protobuf.Any" {
        return None;
    }
    let url = message.get_field_by_name("type_url")?.as_str()?.to_owned();
    let inner = DESCRIPTOR_POOL.get_message_by_name(url.rsplit_once('/')?.1)?;
    let value = message.get_field_by_name("value")?;
    // What another program packed may hold explicit defaults.
    let bytes = in_order(&inner, value.as_bytes()?)?;
    Some((url, DynamicMessage::decode(inner, bytes.as_slice()).ok()?))
}

/// The entries of a map in ascending order of key.
pub(super) fn sorted(entries: &HashMap<MapKey, Value>) -> Vec<(&MapKey, &Value)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

/// The name of a value of an enumeration, if this number has one.
pub(super) fn enum_name(kind: &Kind, number: i32) -> Option<String> {
    let Kind::Enum(values) = kind else { return None };
    Some(values.get_value(number)?.name().to_owned())
}

/// The canonical form of `raw`; `None` if that is not well-formed or nested too deeply.
pub(super) fn in_order(descriptor: &MessageDescriptor, raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    canonical(descriptor, raw, 2 * MAX_DEPTH, &mut out)?;
    Some(out)
}

/// Appends the canonical form of `raw`; `None` if that is not well-formed or nested too deeply.
fn canonical(
    descriptor: &MessageDescriptor,
    raw: &[u8],
    depth: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let mut fields = split(raw)?;
    if descriptor.is_map_entry() {
        // Key and value of a map are written even if they are empty. Ours are strings and messages.
        for number in [1, 2] {
            if fields.iter().all(|field| field.number != number) {
                let whole: &[u8] = if number == 1 { &[0x0a, 0] } else { &[0x12, 0] };
                let wire_type = WireType::LengthDelimited;
                fields.push(Field { number, wire_type, whole, payload: &[] });
            }
        }
    }
    // Stable: the elements of a repeated field and the entries of a map keep their order.
    fields.sort_by_key(|field| field.number);
    for Field { number, wire_type, whole, payload } in fields {
        match descriptor.get_field(number).map(|f| (f.kind(), f.containing_oneof())) {
            Some((Kind::Message(inner), _)) if wire_type == WireType::LengthDelimited => {
                let mut bytes = Vec::with_capacity(payload.len());
                canonical(&inner, payload, depth, &mut bytes)?;
                encode_key(number, wire_type, out);
                encode_varint(bytes.len() as u64, out);
                out.extend_from_slice(&bytes);
            }
            // Only fields whose presence was added for the sake of -0.0 are in synthetic oneofs.
            Some((Kind::Float | Kind::Double, Some(oneof)))
                if oneof.is_synthetic() && payload.iter().all(|&b| b == 0) => {}
            _ => out.extend_from_slice(whole),
        }
    }
    Some(())
}

struct Field<'a> {
    number: u32,
    wire_type: WireType,
    /// With the key.
    whole: &'a [u8],
    /// Without the key and the length.
    payload: &'a [u8],
}

/// Cuts a message into its fields.
fn split(mut raw: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !raw.is_empty() {
        let start = raw;
        let (number, wire_type) = decode_key(&mut raw).ok()?;
        let len = match wire_type {
            WireType::LengthDelimited => decode_varint(&mut raw).ok()? as usize,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::Varint => {
                let mut rest = raw;
                decode_varint(&mut rest).ok()?;
                raw.len() - rest.len()
            }
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let payload = raw.get(..len)?;
        raw = &raw[len..];
        fields.push(Field { number, wire_type, whole: &start[..start.len() - raw.len()], payload });
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::testing::goldens;
    use super::super::{
        CustomStatistic, DatasetFeatureStatisticsList, FeatureNameStatistics, Histogram,
        NumericStatistics, Path, custom_statistic, feature_name_statistics, histogram,
    };
    use super::*;

    fn check<M: ReflectMessage + Default>(message: &M, expected: &[u8]) {
        assert_eq!(encode(message), expected);
        assert_eq!(encode(&M::decode(expected).unwrap()), expected);
    }

    #[test]
    fn zeros_and_order() {
        check(&NumericStatistics::default(), b"");
        check(
            &NumericStatistics { min: -0.0, ..Default::default() },
            &[0x29, 0, 0, 0, 0, 0, 0, 0, 0x80],
        );
        let bucket = histogram::Bucket { high_value: 1.0, ..Default::default() };
        check(
            &Histogram { buckets: vec![bucket], ..Default::default() },
            &[0x1a, 9, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
        );
        // A member of a oneof has its presence from the oneof.
        check(
            &CustomStatistic { val: Some(custom_statistic::Val::Num(0.0)), ..Default::default() },
            &[0x11, 0, 0, 0, 0, 0, 0, 0, 0],
        );
        let path = Path { step: vec!["a".into()] };
        check(
            &FeatureNameStatistics {
                r#type: feature_name_statistics::Type::String.into(),
                field_id: Some(feature_name_statistics::FieldId::Path(path)),
                ..Default::default()
            },
            &[0x10, 2, 0x42, 3, 0x0a, 1, b'a'],
        );
    }

    #[test]
    fn any_holds_one_type() {
        let any = pack(&Path { step: vec!["a".into()] });
        assert_eq!(any.type_url, "type.googleapis.com/tensorflow.metadata.v0.Path");
        assert_eq!(unpack::<Path>(&any).unwrap().step, ["a"]);
        assert_eq!(unpack::<Histogram>(&any), None);
    }

    #[test]
    fn bytes_are_those_of_tfdv() {
        for (path, bytes) in goldens("pb", |_| true) {
            let message = DatasetFeatureStatisticsList::decode(bytes.as_slice()).unwrap();
            assert!(encode(&message) == bytes, "{}", path.display());
        }
    }
}
