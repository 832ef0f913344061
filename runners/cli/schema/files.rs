//! Schemas in files: read in any form, written in the form that the name's ending says.

use std::path::Path;

use engine::{Error, Result};
use ops::tfmd::{Schema, load_schema, text};
use serde::Serialize;

use crate::forms::{Form, form_of, write_files};
use crate::options::{in_file, read_or_stdin};

/// A schema as it was read.
pub(crate) struct SchemaFile {
    pub(crate) schema: Schema,
    /// Where its fields stand, if it is text.
    pub(crate) places: Option<text::Places>,
}

/// Reads a schema of any form; `-` is stdin.
pub(crate) fn read_schema(path: &Path) -> Result<SchemaFile> {
    let bytes = read_or_stdin(path)?;
    let schema = load_schema(&bytes).map_err(|error| in_file(path, &error))?;
    // What is text to this parser was read as text.
    let text = str::from_utf8(&bytes).ok();
    let places = text.and_then(|text| text::parse_with_places::<Schema>(text).ok());
    let places = places.filter(|(parsed, _)| *parsed == schema).map(|(_, places)| places);
    Ok(SchemaFile { schema, places })
}

/// Every form of a schema in a file.
pub(super) static FORMS: [Form<Schema>; 3] = [Form::TEXT, Form::BINARY, Form::JSON];

/// Writes a schema, whole or not at all.
pub(crate) fn write_schema(path: &Path, schema: &Schema) -> Result<()> {
    let form = form_of(&FORMS, path)?;
    write_files([(path, (form.bytes)(schema))])
}

/// Anything else as JSON, with a line feed at the end.
pub(super) fn pretty(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string_pretty(value).map_err(|error| {
        Error::invalid("the result is no JSON").with_detail(format!("{error}."))
    })?;
    Ok(json + "\n")
}
