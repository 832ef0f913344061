//! How one schema differs from another: by path, with what a change does to the data it accepts.
//!
//! Both are walked by their descriptions, so that no field is forgotten. Features, domains and
//! other things with names are matched by name, strings in lists as sets, and what is left in
//! lists by place. The order of what has a name means nothing and is no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use engine::{Error, Result};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};
use serde::Serialize;

use super::describe;
use super::effect::{self, Effect};
use crate::tfmd::sparse_feature::IndexFeature;
use crate::tfmd::{Feature, Path, Schema, SparseFeature, StringDomain, WeightedFeature, encode};

/// Whether something came, went or is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Only the new schema has it.
    Added,
    /// Only the old schema has it.
    Removed,
    /// Both have it.
    Changed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Whether it came, went or is different.
    pub kind: ChangeKind,
    /// What it is: `feature`, `string_domain`, …, `value` of a list, or `field`.
    pub subject: String,
    /// Where it is: `trip.fare`, `trip.fare.float_domain.max`, `string_domain.company`.
    pub path: String,
    /// What the old schema says, on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What the new schema says, on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Whether more or less data is accepted than before, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// Every difference of two schemas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SchemaDiff {
    /// In the order of the old schema, what was added last.
    pub changes: Vec<Change>,
    /// Whether the schemas differ at all; without changes, then, in the order of named things.
    pub same_bytes: bool,
}

/// Compares two schemas.
///
/// # Errors
///
/// A schema is nested more deeply than any that could be read from a file.
///
/// # Examples
///
/// ```
/// use ops::schema::diff;
/// use ops::tfmd::load_schema;
///
/// let old = load_schema(b"feature { name: 'fare' type: FLOAT float_domain { max: 100 } }")?;
/// let new = load_schema(
///     b"feature { name: 'fare' type: FLOAT float_domain { max: 250 } }
///       feature { name: 'tips' type: FLOAT presence { min_fraction: 1 } }",
/// )?;
/// assert_eq!(
///     diff(&old, &new)?.to_string(),
///     "~ fare.float_domain.max: 100.0 → 250.0 (relaxed)\n+ feature tips: FLOAT, required\n"
/// );
/// # Ok::<(), engine::Error>(())
/// ```
pub fn diff(old: &Schema, new: &Schema) -> Result<SchemaDiff> {
    let (old_bytes, new_bytes) = (encode(old), encode(new));
    if old_bytes == new_bytes {
        return Ok(SchemaDiff { changes: Vec::new(), same_bytes: true });
    }
    let dynamic = |bytes: &[u8]| {
        DynamicMessage::decode(Schema::default().descriptor(), bytes)
            .map_err(|error| broken(&error))
    };
    let mut differ = Differ { schemas: [old, new], changes: Vec::new() };
    differ.message(&At::default(), &dynamic(&old_bytes)?, &dynamic(&new_bytes)?);
    Ok(SchemaDiff { changes: differ.changes, same_bytes: false })
}

/// How a feature at a path has changed.
pub(super) fn diff_of_feature(path: &Path, old: &Feature, new: &Feature) -> Result<Vec<Change>> {
    let dynamic = |feature: &Feature| {
        DynamicMessage::decode(feature.descriptor(), encode(feature).as_slice())
            .map_err(|error| broken(&error))
    };
    let empty = Schema::default();
    let mut differ = Differ { schemas: [&empty, &empty], changes: Vec::new() };
    let at = At { feature: path.clone(), field: String::new() };
    differ.message(&at, &dynamic(old)?, &dynamic(new)?);
    Ok(differ.changes)
}

fn broken(error: &prost::DecodeError) -> Error {
    Error::input("a schema cannot be compared").with_detail(format!("It is broken: {error}."))
}

/// A place in both schemas.
#[derive(Clone, Default)]
struct At {
    /// The innermost feature.
    feature: Path,
    /// The field in it, or in the schema if there is no feature.
    field: String,
}

impl At {
    fn field(&self, name: &str) -> At {
        let field = match self.field.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        At { feature: self.feature.clone(), field }
    }

    fn path(&self) -> String {
        let feature = self.feature.to_string();
        let path = match (feature.as_str(), self.field.as_str()) {
            (_, "") => feature,
            ("", field) => field.to_owned(),
            (feature, field) => format!("{feature}.{field}"),
        };
        describe::plain(&path)
    }
}

struct Differ<'a> {
    schemas: [&'a Schema; 2],
    changes: Vec<Change>,
}

impl Differ<'_> {
    fn message(&mut self, at: &At, old: &DynamicMessage, new: &DynamicMessage) {
        let descriptor = old.descriptor();
        let mut fields: Vec<FieldDescriptor> = descriptor.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        for field in &fields {
            // A oneof whose member changes is one change, told at the member that comes first.
            if let Some((was, is)) = replaced(field, old, new) {
                if field.number() == was.number().min(is.number()) {
                    let name = field.containing_oneof().map_or(String::new(), |o| o.name().into());
                    let (a, b) = (old.get_field(&was), new.get_field(&is));
                    let told = |field: &FieldDescriptor, value: &Value| match value {
                        Value::Message(_) => format!("{} {}", field.name(), shown(field, value)),
                        _ => format!("{}: {}", field.name(), shown(field, value)),
                    };
                    let told = (told(&was, &a), told(&is, &b));
                    self.changed(&at.field(&name), Some(told.0), Some(told.1), None);
                }
                continue;
            }
            match (old.has_field(field), new.has_field(field)) {
                (false, false) => {}
                _ if field.is_map() => self.map(at, field, old, new),
                _ if field.is_list() => self.list(at, field, old, new),
                (true, true) => {
                    self.value(
                        &at.field(field.name()),
                        field,
                        &old.get_field(field),
                        &new.get_field(field),
                    );
                }
                (was, _) => self.one_side(at, field, if was { old } else { new }, was),
            }
        }
    }

    /// A field that both have.
    fn value(&mut self, at: &At, field: &FieldDescriptor, old: &Value, new: &Value) {
        if let (Value::Message(old), Value::Message(new)) = (old, new) {
            return self.message(at, old, new);
        }
        let (was, is) = (shown(field, old), shown(field, new));
        if was != is {
            self.changed(at, Some(was), Some(is), effect::of_field(field, Some(old), Some(new)));
        }
    }

    /// A field that is not repeated and that one of the two has.
    fn one_side(&mut self, at: &At, field: &FieldDescriptor, message: &DynamicMessage, was: bool) {
        let value = message.get_field(field);
        let (at, text) = (at.field(field.name()), shown(field, &value));
        let (old, new) = if was { (Some(&*value), None) } else { (None, Some(&*value)) };
        let effect = effect::of_field(field, old, new);
        match &*value {
            Value::Message(_) => self.came_or_went(was, "field", &at, text, effect),
            _ if was => self.changed(&at, Some(text), None, effect),
            _ => self.changed(&at, None, Some(text), effect),
        }
    }

    fn list(
        &mut self,
        at: &At,
        field: &FieldDescriptor,
        old: &DynamicMessage,
        new: &DynamicMessage,
    ) {
        let (old, new) = (old.get_field(field), new.get_field(field));
        let (Some(old), Some(new)) = (old.as_list(), new.as_list()) else { return };
        let is_named =
            matches!(field.kind(), Kind::Message(m) if m.get_field_by_name("name").is_some());
        if is_named && field.name() != "dim" {
            self.named(at, field, old, new);
        } else if !matches!(field.kind(), Kind::Message(_)) {
            self.set(&at.field(field.name()), field, old, new);
        } else if old.len() == new.len() {
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                self.value(&at.field(&format!("{}[{i}]", field.name())), field, old, new);
            }
        } else {
            let told = |values: &[Value]| {
                let values: Vec<String> = values.iter().map(|v| shown(field, v)).collect();
                (!values.is_empty()).then(|| format!("[{}]", values.join(", ")))
            };
            self.changed(&at.field(field.name()), told(old), told(new), None);
        }
    }

    /// Things with names, matched by them; of the same name, the first with the first.
    fn named(&mut self, at: &At, field: &FieldDescriptor, old: &[Value], new: &[Value]) {
        let (old, new) = (by_name(old), by_name(new));
        let place = |name: &str| match field.name() {
            "feature" => At { feature: at.feature.child(name), field: String::new() },
            _ => At { feature: at.feature.clone(), field: format!("{}.{name}", field.name()) },
        };
        for (key @ (name, _), was) in &old.in_order {
            match new.by_key.get(key) {
                Some(is) => self.message(&place(name), was, is),
                None => {
                    let text = self.summary(0, field, was);
                    self.came_or_went(true, field.name(), &place(name), text, None);
                }
            }
        }
        for (key @ (name, _), is) in &new.in_order {
            if !old.by_key.contains_key(key) {
                let text = self.summary(1, field, is);
                self.came_or_went(false, field.name(), &place(name), text, None);
            }
        }
    }

    /// Scalars whose order means nothing.
    fn set(&mut self, at: &At, field: &FieldDescriptor, old: &[Value], new: &[Value]) {
        let counted = |values: &[Value]| {
            let mut counts: BTreeMap<String, i64> = BTreeMap::new();
            for value in values {
                *counts.entry(shown(field, value)).or_default() += 1;
            }
            counts
        };
        let (was, is) = (counted(old), counted(new));
        for (this, other, values, removed) in [(&was, &is, old, true), (&is, &was, new, false)] {
            let mut left = this.clone();
            for value in values {
                let text = shown(field, value);
                let left = left.entry(text.clone()).or_default();
                *left -= 1;
                if *left >= other.get(&text).copied().unwrap_or(0) {
                    let effect = effect::of_value(field, removed);
                    self.came_or_went(removed, "value", at, text, effect);
                }
            }
        }
    }

    fn map(
        &mut self,
        at: &At,
        field: &FieldDescriptor,
        old: &DynamicMessage,
        new: &DynamicMessage,
    ) {
        let (old, new) = (old.get_field(field), new.get_field(field));
        let (Some(old), Some(new)) = (old.as_map(), new.as_map()) else { return };
        let Kind::Message(entry) = field.kind() else { return };
        let value_field = entry.map_entry_value_field();
        let keys: BTreeSet<&MapKey> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let name = key.as_str().unwrap_or_default();
            let at = at.field(&format!("{}[{}]", field.name(), describe::quoted(name)));
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => self.value(&at, &value_field, old, new),
                (Some(old), None) => {
                    self.came_or_went(true, "field", &at, shown(&value_field, old), None);
                }
                (None, Some(new)) => {
                    self.came_or_went(false, "field", &at, shown(&value_field, new), None);
                }
                (None, None) => {}
            }
        }
    }

    /// A thing with a name in few words.
    fn summary(&self, side: usize, field: &FieldDescriptor, message: &DynamicMessage) -> String {
        fn typed<M: ReflectMessage + Default>(message: &DynamicMessage) -> M {
            M::decode(message.encode_to_vec().as_slice()).unwrap_or_default()
        }
        match field.name() {
            "feature" => {
                let feature: Feature = typed(message);
                let domain = describe::domain(self.schemas[side], &feature);
                let words = [describe::presence(&feature), describe::valency(&feature), domain];
                let words = words.into_iter().filter(|word| !word.is_empty());
                let name = describe::type_name(&feature).to_owned();
                std::iter::once(name).chain(words).collect::<Vec<_>>().join(", ")
            }
            "string_domain" => describe::values(&typed::<StringDomain>(message).value),
            "sparse_feature" => {
                let sparse: SparseFeature = typed(message);
                let value = sparse.value_feature.as_ref().map_or("", |value| value.name());
                let index = sparse.index_feature.iter().map(IndexFeature::name);
                let index = index.collect::<Vec<_>>().join(", ");
                describe::plain(&format!("values of {value} at {index}"))
            }
            "weighted_feature" => {
                let weighted: WeightedFeature = typed(message);
                let path = |path: &Option<Path>| path.clone().unwrap_or_default().to_string();
                let (feature, weight) = (path(&weighted.feature), path(&weighted.weight_feature));
                describe::plain(&format!("{feature} by {weight}"))
            }
            _ => format!("{{ {} }}", describe::one_line(message)),
        }
    }

    fn changed(
        &mut self,
        at: &At,
        old: Option<String>,
        new: Option<String>,
        effect: Option<Effect>,
    ) {
        let (kind, subject) = (ChangeKind::Changed, "field".to_owned());
        self.changes.push(Change { kind, subject, path: at.path(), old, new, effect });
    }

    fn came_or_went(
        &mut self,
        went: bool,
        subject: &str,
        at: &At,
        text: String,
        effect: Option<Effect>,
    ) {
        let kind = if went { ChangeKind::Removed } else { ChangeKind::Added };
        let (old, new) = if went { (Some(text), None) } else { (None, Some(text)) };
        let subject = subject.to_owned();
        self.changes.push(Change { kind, subject, path: at.path(), old, new, effect });
    }
}

/// The members of a oneof in both messages, if they are set and not the same.
fn replaced(
    field: &FieldDescriptor,
    old: &DynamicMessage,
    new: &DynamicMessage,
) -> Option<(FieldDescriptor, FieldDescriptor)> {
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic())?;
    let was = oneof.fields().find(|member| old.has_field(member))?;
    let is = oneof.fields().find(|member| new.has_field(member))?;
    let concerned = was.number() == field.number() || is.number() == field.number();
    (concerned && was.number() != is.number()).then_some((was, is))
}

/// Messages by name and by how many of this name came before.
struct ByName<'a> {
    in_order: Vec<((&'a str, usize), &'a DynamicMessage)>,
    by_key: BTreeMap<(&'a str, usize), &'a DynamicMessage>,
}

fn by_name(values: &[Value]) -> ByName<'_> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut in_order = Vec::new();
    for message in values.iter().filter_map(Value::as_message) {
        let name = match message.fields().find(|(field, _)| field.name() == "name") {
            Some((_, Value::String(name))) => name.as_str(),
            _ => "",
        };
        let count = counts.entry(name).or_default();
        in_order.push(((name, *count), message));
        *count += 1;
    }
    let by_key = in_order.iter().copied().collect();
    ByName { in_order, by_key }
}

/// A value as text has it, messages in brackets.
fn shown(field: &FieldDescriptor, value: &Value) -> String {
    if let Value::Message(message) = value {
        let text = describe::one_line(message);
        return if text.is_empty() { "{}".to_owned() } else { format!("{{ {text} }}") };
    }
    // The text form of a message that has nothing but this value.
    let mut message = DynamicMessage::new(field.parent_message().clone());
    let one = if field.is_list() { Value::List(vec![value.clone()]) } else { value.clone() };
    if message.try_set_field(field, one).is_err() {
        return String::new();
    }
    let text = describe::one_line(&message);
    text.split_once(": ").map_or(String::new(), |(_, value)| value.to_owned())
}

impl SchemaDiff {
    /// True if the schemas say the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// One line for each change, values of one list together.
impl std::fmt::Display for SchemaDiff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// More values of a list are counted only.
        const VALUES: usize = 12;
        /// More of one value is not read.
        const SHOWN: usize = 200;
        let cut = |text: &str| match text.char_indices().nth(SHOWN) {
            None => text.to_owned(),
            Some((end, _)) => format!("{}…", &text[..end]),
        };
        let is_value = |change: &Change| change.subject == "value";
        let groups = self
            .changes
            .chunk_by(|a, b| is_value(a) && is_value(b) && a.kind == b.kind && a.path == b.path);
        for group in groups {
            let Some(change) = group.first() else { continue };
            let side = |side: fn(&Change) -> &Option<String>| {
                let values = group.iter().filter_map(|change| side(change).as_deref());
                let mut shown = values.take(VALUES).map(cut).collect::<Vec<_>>().join(", ");
                if group.len() > VALUES {
                    let _ = write!(shown, " and {} more", group.len() - VALUES);
                }
                if shown.is_empty() { "unset".to_owned() } else { shown }
            };
            let (old, new) = (side(|change| &change.old), side(|change| &change.new));
            let (sign, text) = match change.kind {
                ChangeKind::Added => ('+', new),
                ChangeKind::Removed => ('-', old),
                ChangeKind::Changed => ('~', format!("{old} → {new}")),
            };
            let subject = match change.subject.as_str() {
                // The path of a domain says what it is.
                subject @ ("feature" | "value") => format!("{subject} "),
                _ => String::new(),
            };
            let subject = if is_value(change) { String::new() } else { subject };
            write!(f, "{sign} {subject}{}: {text}", change.path)?;
            match change.effect {
                None => writeln!(f)?,
                Some(effect) => writeln!(f, " ({})", effect.name())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
