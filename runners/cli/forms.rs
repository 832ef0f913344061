//! Messages as files: in the form that the end of a file's name says, all of them or none.

use std::io::Write;
use std::path::Path;

use datasets::artifacts::AtomicFile;
use engine::{Error, Result};
use ops::tfmd::{ReflectMessage, encode, json, text};

use crate::interrupt;

/// The form of a message in a file.
pub(crate) struct Form<M> {
    /// How the file's name ends.
    pub(crate) suffix: &'static str,
    pub(crate) bytes: fn(&M) -> Vec<u8>,
}

impl<M: ReflectMessage> Form<M> {
    pub(crate) const BINARY: Self = Form { suffix: "pb", bytes: encode };
    pub(crate) const TEXT: Self = Form { suffix: "pbtxt", bytes: |m| text::print(m).into_bytes() };
    pub(crate) const JSON: Self = Form { suffix: "json", bytes: |m| as_json(m).into_bytes() };
}

/// A message as JSON, with a line feed at the end.
pub(crate) fn as_json<M: ReflectMessage>(message: &M) -> String {
    json::print(message, &json::JsonOptions::default()) + "\n"
}

/// The one of some forms that a file's name asks for.
pub(crate) fn form_of<M>(forms: &'static [Form<M>], path: &Path) -> Result<&'static Form<M>> {
    let suffix = path.extension().unwrap_or_default();
    forms.iter().find(|form| form.suffix == suffix).ok_or_else(|| {
        let names: Vec<String> = forms.iter().map(|form| format!(".{}", form.suffix)).collect();
        let (last, others) = names.split_last().expect("there is some form");
        Error::invalid(format!("cannot tell in which form to write `{}`", path.display()))
            .with_detail("The end of the name says it.")
            .with_hint(format!("Use {} or {last}.", others.join(", ")))
    })
}

/// Writes every file, or none under its final name.
pub(crate) fn write_files<'a>(files: impl IntoIterator<Item = (&'a Path, Vec<u8>)>) -> Result<()> {
    let _writing = interrupt::writing();
    let mut written = Vec::new();
    for (path, bytes) in files {
        let mut file = AtomicFile::create(path)?;
        file.write_all(&bytes)
            .map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))?;
        written.push(file);
    }
    written.into_iter().try_for_each(AtomicFile::commit)
}
