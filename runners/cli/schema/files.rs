//! Schemas in files: read in any form, written in the form that the name's ending says.

use std::io::Read as _;
use std::path::Path;

use datasets::artifacts::write_atomic;
use engine::{Error, Result};
use ops::tfmd::{Schema, encode, json, load_schema, text};
use serde::Serialize;

use crate::interrupt;

/// A schema as it was read.
pub(crate) struct SchemaFile {
    pub(crate) schema: Schema,
    /// Where its fields stand, if it is text.
    pub(crate) places: Option<text::Places>,
}

/// Reads a schema of any form; `-` is stdin.
pub(crate) fn read_schema(path: &Path) -> Result<SchemaFile> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|e| Error::io(format_args!("read `{}`", path.display()), &e))?;
    let schema = load_schema(&bytes).map_err(|error| crate::options::in_file(path, &error))?;
    // What is text to this parser was read as text.
    let text = str::from_utf8(&bytes).ok();
    let places = text.and_then(|text| text::parse_with_places::<Schema>(text).ok());
    let places = places.filter(|(parsed, _)| *parsed == schema).map(|(_, places)| places);
    Ok(SchemaFile { schema, places })
}

/// The schema as a file of this name holds it.
pub(crate) fn form(path: &Path) -> Result<fn(&Schema) -> Vec<u8>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("pbtxt") => Ok(|schema| text::print(schema).into_bytes()),
        Some("pb") => Ok(encode),
        Some("json") => Ok(|schema| as_json(schema).into_bytes()),
        _ => {
            let message = format!("cannot tell in which form to write `{}`", path.display());
            Err(Error::invalid(message)
                .with_detail("The end of the name says it.")
                .with_hint("Use .pbtxt, .pb or .json."))
        }
    }
}

/// Writes a schema, whole or not at all.
pub(crate) fn write_schema(path: &Path, schema: &Schema) -> Result<()> {
    let bytes = form(path)?(schema);
    let _writing = interrupt::writing();
    write_atomic(path, &bytes)
}

/// A schema as JSON, with a line feed at the end.
pub(super) fn as_json(schema: &Schema) -> String {
    json::print(schema, &json::JsonOptions::default()) + "\n"
}

/// Anything else as JSON, with a line feed at the end.
pub(super) fn pretty(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string_pretty(value).map_err(|error| {
        Error::invalid("the result is no JSON").with_detail(format!("{error}."))
    })?;
    Ok(json + "\n")
}
