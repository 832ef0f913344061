//! The graph as JSON: the same bytes for the same graph, readable by any language.
//!
//! `ops/transform/FORMAT.md` is the specification. One node is one line, so that two graphs can be
//! compared line by line.

use std::fmt;

use engine::{Error, ErrorKind, Result};
use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tensor::TensorJson;
use crate::op::{Arg, Ref};
use crate::types::Type;

/// What the first member of every file of JSON in an artifact says, for graphs.
pub(super) const FORMAT: &str = "frazil transform graph";
/// The version that is written; older ones are read for ever.
pub(super) const VERSION: u32 = 1;

/// What can be known of a file before its version is.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// The file `graph.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GraphJson {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) nodes: Vec<NodeJson>,
    pub(super) outputs: Vec<OutputJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) assets: Vec<AssetJson>,
}

/// A file that has a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssetJson {
    pub(super) key: String,
    pub(super) file: String,
    /// How long it is; absent where it is the file of a vocabulary or tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

/// A node: what it is, the types of its results, and where it was written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeJson {
    pub(super) what: WhatJson,
    pub(super) types: Vec<Type>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<OriginJson>,
}

/// What a node is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum WhatJson {
    Input(String),
    Constant(Vec<TensorJson>),
    Analyzed { call: String, values: Vec<TensorJson> },
    Op { name: String, args: NamedArgs },
}

/// Where a node was written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginJson {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// An output.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputJson {
    pub(super) name: String,
    pub(super) value: Ref,
}

/// Arguments by the names of their parameters, in the order of the operation.
#[derive(Default)]
pub(super) struct NamedArgs(pub(super) Vec<(String, Arg)>);

impl Serialize for NamedArgs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, arg) in &self.0 {
            map.serialize_entry(name, arg)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for NamedArgs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = NamedArgs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("arguments by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NamedArgs, A::Error> {
                let mut args: Vec<(String, Arg)> = Vec::new();
                while let Some((name, arg)) = map.next_entry::<String, Arg>()? {
                    if args.iter().any(|(other, _)| *other == name) {
                        return Err(de::Error::custom(format!("argument `{name}` is there twice")));
                    }
                    args.push((name, arg));
                }
                Ok(NamedArgs(args))
            }
        }
        from.deserialize_map(Entries)
    }
}

impl GraphJson {
    /// The canonical text.
    pub(super) fn print(&self) -> String {
        let lines = |items: Vec<String>| {
            if items.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", items.join(",\n")) }
        };
        let nodes = lines(self.nodes.iter().map(text).collect());
        let outputs = lines(self.outputs.iter().map(text).collect());
        let (format, version) = (text(&self.format), self.version);
        let assets = match &self.assets[..] {
            [] => String::new(),
            assets => format!(",\n\"assets\": {}", lines(assets.iter().map(text).collect())),
        };
        format!(
            "{{\n\"format\": {format},\n\"version\": {version},\n\"nodes\": {nodes},\n\
             \"outputs\": {outputs}{assets}\n}}\n"
        )
    }
}

/// Plain data as JSON on one line.
pub(super) fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with names as keys always serializes")
}

/// Plain data as JSON for people.
pub(super) fn pretty<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string_pretty(value);
    text.expect("plain data with names as keys always serializes") + "\n"
}

/// Reads a file of JSON whose head says what it is.
///
/// # Errors
/// When it is something else, of a newer version, or damaged.
pub(super) fn parse<T: DeserializeOwned>(file: &str, format: &str, bytes: &[u8]) -> Result<T> {
    let damaged = |e: &serde_json::Error| {
        Error::new(ErrorKind::Input, format!("`{file}` is damaged")).with_detail(format!("{e}."))
    };
    let head: Head = serde_json::from_slice(bytes).map_err(|e| damaged(&e))?;
    if head.format != format {
        return Err(Error::new(ErrorKind::Incompatible, format!("`{file}` is something else"))
            .with_detail(format!("It says `{}`; `{format}` is wanted.", head.format)));
    }
    if head.version > VERSION {
        return Err(newer(file, head.version));
    }
    serde_json::from_slice(bytes).map_err(|e| damaged(&e))
}

/// A file that only a later version can read.
fn newer(file: &str, version: u32) -> Error {
    Error::new(ErrorKind::Incompatible, format!("`{file}` is of a newer format"))
        .with_detail(format!("It has version {version}; this program reads up to {VERSION}."))
        .with_hint("Use the version of Frazil that wrote it, or a later one.")
}
