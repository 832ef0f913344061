//! A schema with every field that there is, in all three forms and back.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use super::{Schema, encode, json, text};

/// Messages in messages, the outermost counted.
const DEPTH: usize = 7;

/// The most members of a oneof of a message.
fn members(descriptor: &MessageDescriptor) -> usize {
    let oneofs = descriptor.oneofs().filter(|oneof| !oneof.is_synthetic());
    oneofs.map(|oneof| oneof.fields().len()).max().unwrap_or(1)
}

/// How many messages it takes to set every field of this one and of those in it that are not
/// repeated.
fn variants(descriptor: &MessageDescriptor, depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    let inner = descriptor.fields().filter(|field| !field.is_list() && !field.is_map());
    let inner = inner.filter_map(|field| match field.kind() {
        Kind::Message(inner) => Some(variants(&inner, depth - 1)),
        _ => None,
    });
    members(descriptor) * inner.max().unwrap_or(1)
}

/// Messages that between them have every field set.
fn every(descriptor: &MessageDescriptor, depth: usize) -> Vec<DynamicMessage> {
    // Features in structs need not show again what the others have shown.
    let is_inner = descriptor.name() == "Feature" && depth + 1 < DEPTH;
    let variants = if is_inner { 1 } else { variants(descriptor, depth) };
    (0..variants).map(|variant| one(descriptor, variant, depth)).collect()
}

fn one(descriptor: &MessageDescriptor, variant: usize, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let (own, inner) = (variant % members(descriptor), variant / members(descriptor));
    for field in descriptor.fields() {
        let in_oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        if let Some(oneof) = in_oneof {
            let members: Vec<FieldDescriptor> = oneof.fields().collect();
            if members[own % members.len()] != field {
                continue;
            }
        }
        if let Some(value) = value(&field, inner, depth) {
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, variant: usize, depth: usize) -> Option<Value> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return None };
        let values = scalars(&entry.map_entry_value_field(), variant, depth);
        let entries = values.into_iter().enumerate();
        let key = |i: usize| MapKey::String(format!("key {i}"));
        return Some(Value::Map(entries.map(|(i, value)| (key(i), value)).collect()));
    }
    let mut values = scalars(field, variant, depth);
    if field.is_list() { Some(Value::List(values)) } else { values.pop() }
}

/// Values that are told apart from defaults.
fn scalars(field: &FieldDescriptor, variant: usize, depth: usize) -> Vec<Value> {
    let n = field.number() as i32 + variant as i32;
    vec![match field.kind() {
        Kind::Double => Value::F64(f64::from(n) + 0.1),
        Kind::Float => Value::F32(n as f32 + 0.1),
        Kind::Int32 => Value::I32(-n),
        Kind::Int64 => Value::I64(i64::MIN + i64::from(n)),
        Kind::Uint32 => Value::U32(u32::MAX - n as u32),
        Kind::Uint64 => Value::U64(u64::MAX - n as u64),
        Kind::Bool => Value::Bool(true),
        Kind::String => Value::String(format!("\"é\\'\n\u{7f} {n}")),
        Kind::Bytes => Value::Bytes(vec![0, 255, b'"', n as u8].into()),
        Kind::Enum(values) => {
            let last = values.values().last().map_or(0, |value| value.number());
            Value::EnumNumber(last)
        }
        Kind::Message(inner) if inner.full_name() == "google.protobuf.Any" => {
            let any = super::pack(&super::Path::new(["inside"]));
            return vec![Value::Message(any.transcode_to_dynamic())];
        }
        Kind::Message(inner) => {
            if depth == 0 {
                return Vec::new();
            }
            let messages = if field.is_list() || field.parent_message().is_map_entry() {
                every(&inner, depth - 1)
            } else {
                vec![one(&inner, variant, depth - 1)]
            };
            return messages.into_iter().map(Value::Message).collect();
        }
        kind => panic!("a field of kind {kind:?}"),
    }]
}

/// Names of all fields that are set, anywhere.
fn fields(message: &DynamicMessage, found: &mut BTreeSet<String>) {
    fn of_value(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Message(message) => fields(message, found),
            Value::List(values) => values.iter().for_each(|value| of_value(value, found)),
            Value::Map(entries) => entries.values().for_each(|value| of_value(value, found)),
            _ => {}
        }
    }
    for (field, value) in message.fields() {
        found.insert(field.full_name().to_owned());
        of_value(value, found);
    }
}

/// Names of all fields of a message and of those in it.
fn names(
    descriptor: &MessageDescriptor,
    seen: &mut BTreeSet<String>,
    found: &mut BTreeSet<String>,
) {
    if !seen.insert(descriptor.full_name().to_owned()) {
        return;
    }
    for field in descriptor.fields() {
        if !descriptor.is_map_entry() {
            found.insert(field.full_name().to_owned());
        }
        if let Kind::Message(inner) = field.kind() {
            names(&inner, seen, found);
        }
    }
}

#[test]
fn every_field_of_a_schema_survives_every_form() {
    let descriptor = Schema::default().descriptor();
    let (mut expected, mut set) = (BTreeSet::new(), BTreeSet::new());
    names(&descriptor, &mut BTreeSet::new(), &mut expected);
    let full = one(&descriptor, 0, DEPTH);
    fields(&full, &mut set);
    let missing: Vec<_> = expected.difference(&set).collect();
    assert!(missing.is_empty(), "the test sets no {missing:?}");
    assert!(expected.len() > 150, "{}", expected.len());

    let schema = Schema::decode(full.encode_to_vec().as_slice()).unwrap();
    let binary = encode(&schema);
    let printed = text::print(&schema);
    let from_text: Schema = text::parse(&printed).unwrap();
    assert!(encode(&from_text) == binary);
    let from_binary = super::load_schema(&binary).unwrap();
    for names in [json::FieldNames::Snake, json::FieldNames::Camel] {
        let options = json::JsonOptions { field_names: names, ..Default::default() };
        let from_json = super::load_schema(json::print(&from_binary, &options).as_bytes()).unwrap();
        assert!(text::print(&from_json) == printed);
        assert!(encode(&from_json) == binary);
    }
}
