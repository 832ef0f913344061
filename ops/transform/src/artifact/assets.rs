//! The assets of a graph: vocabularies as files that other programs read, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};

use super::files::{Contents, Stored, is_inside};
use super::tensor::VocabularyJson;
use super::vocabulary_file::{self, Unread};
use crate::vocabulary::Vocabulary;

/// Where in an artifact assets are.
pub(super) const FOLDER: &str = "assets/";

/// The assets of a graph, by the names of their files.
#[derive(Default)]
pub(super) struct Assets {
    vocabularies: BTreeMap<String, Arc<Vocabulary>>,
    /// What was read and is not a vocabulary yet.
    files: BTreeMap<String, Stored>,
}

impl Assets {
    /// Assets that are among these files.
    pub(super) fn of(mut files: BTreeMap<String, Stored>) -> Self {
        files.retain(|name, _| name.starts_with(FOLDER));
        Assets { vocabularies: BTreeMap::new(), files }
    }

    /// Adds a vocabulary; gives how the graph refers to it.
    ///
    /// # Errors
    /// When its file's name cannot be used, or another vocabulary has it.
    pub(super) fn add(&mut self, vocabulary: Arc<Vocabulary>) -> Result<VocabularyJson> {
        let name = &vocabulary.file_name;
        if !is_inside(name) || name.contains('/') || name.starts_with('.') {
            return Err(Error::invalid(format!(
                "`{name}` cannot be the name of a vocabulary's file"
            ))
            .with_hint("Choose a `vocab_filename` of letters, digits, `_` and `-`."));
        }
        let shown = VocabularyJson {
            file: format!("{FOLDER}{name}"),
            format: vocabulary.format,
            tokens: vocabulary.len() as u64,
            frequencies: vocabulary.frequencies.is_some(),
            unfiltered_size: vocabulary.unfiltered_size,
        };
        match self.vocabularies.get(&shown.file) {
            Some(other) if !Arc::ptr_eq(other, &vocabulary) && **other != *vocabulary => {
                Err(Error::invalid(format!("two vocabularies are named `{name}`"))
                    .with_detail(format!("They have {} and {} tokens.", other.len(), shown.tokens))
                    .with_hint("Give each a `vocab_filename` of its own."))
            }
            _ => {
                self.vocabularies.insert(shown.file.clone(), vocabulary);
                Ok(shown)
            }
        }
    }

    /// The vocabulary that a graph refers to.
    ///
    /// # Errors
    /// When its file is missing, damaged, or another one.
    pub(super) fn find(&mut self, shown: &VocabularyJson) -> Result<Arc<Vocabulary>> {
        if let Some(known) = self.vocabularies.get(&shown.file) {
            return Ok(known.clone());
        }
        let name = shown.file.strip_prefix(FOLDER).filter(|name| !name.contains('/'));
        let name = name.filter(|name| is_inside(name)).ok_or_else(|| {
            Error::new(ErrorKind::Input, "an asset is outside of the graph's assets")
                .with_detail(format!("The graph names `{}`.", shown.file))
        })?;
        let stored = self.files.get(&shown.file).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("`{}` of the graph is missing", shown.file))
                .with_detail("The graph refers to it, and the manifest does not list it.")
        })?;
        let damaged = |why: &str| {
            Error::new(ErrorKind::Input, format!("`{}` of the graph is damaged", shown.file))
                .with_detail(why.to_owned())
        };
        let mut input = stored.open()?;
        let read = vocabulary_file::read(&mut *input, shown.format, shown.frequencies);
        let (tokens, frequencies) = read.map_err(|why| match why {
            Unread::Damaged(why) => damaged(why),
            Unread::Failed(error) => error,
        })?;
        if tokens.len() as u64 != shown.tokens {
            let (found, wanted) = (tokens.len(), shown.tokens);
            return Err(damaged(&format!("It has {found} tokens; {wanted} were written.")));
        }
        let mut vocabulary = Vocabulary::new(name, shown.format, tokens);
        vocabulary.frequencies = frequencies;
        vocabulary.unfiltered_size = shown.unfiltered_size;
        let vocabulary = Arc::new(vocabulary);
        self.vocabularies.insert(shown.file.clone(), vocabulary.clone());
        Ok(vocabulary)
    }

    /// All vocabularies, by their files' names.
    pub(super) fn vocabularies(&self) -> impl Iterator<Item = (&str, &Vocabulary)> {
        self.vocabularies.iter().map(|(name, vocabulary)| (&**name, &**vocabulary))
    }

    /// Their files.
    pub(super) fn print(&self) -> BTreeMap<String, Contents<'_>> {
        let files = self.vocabularies.iter().map(|(name, vocabulary)| {
            let contents: Contents<'_> = Box::new(|out| vocabulary_file::write(vocabulary, out));
            (name.clone(), contents)
        });
        files.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Strings;
    use crate::vocabulary::FileFormat;

    fn round(vocabulary: Vocabulary) -> Result<Vocabulary> {
        let mut assets = Assets::default();
        let shown = assets.add(Arc::new(vocabulary))?;
        let files = assets.print().into_iter().map(|(name, contents)| {
            let mut bytes = Vec::new();
            contents(&mut bytes)?;
            Ok((name, Stored::Memory(bytes)))
        });
        let mut read = Assets::of(files.collect::<Result<_>>()?);
        Ok((*read.find(&shown)?).clone())
    }

    #[test]
    fn vocabularies_come_back() {
        let tokens: [&[u8]; 4] = [b"a b", b"\xff\r", "\u{e9}".as_bytes(), b"a b"];
        for format in [FileFormat::Text, FileFormat::TfrecordGzip] {
            for tokens in [&tokens[..], &[]] {
                let mut vocabulary =
                    Vocabulary::new("v", format, tokens.iter().copied().collect::<Strings>());
                vocabulary.unfiltered_size = 77;
                let read = round(vocabulary.clone()).unwrap();
                assert_eq!(read, vocabulary);
                assert_eq!(read.unfiltered_size, 77);
                let frequencies = tokens.iter().map(|_| "9.5").collect::<Strings>();
                vocabulary.frequencies = Some(frequencies.into());
                assert_eq!(round(vocabulary.clone()).unwrap(), vocabulary);
            }
        }
        let odd = Strings::from_iter(["", "a\nb"]);
        let records = Vocabulary::new("v", FileFormat::TfrecordGzip, odd.clone());
        assert_eq!(round(records.clone()).unwrap(), records);
        let error = round(Vocabulary::new("v", FileFormat::Text, odd)).unwrap_err();
        assert!(error.message().contains("does not fit in a line"), "{error}");
        let empty = Vocabulary::new("v", FileFormat::Text, Strings::from_iter([""]));
        assert_eq!(round(empty.clone()).unwrap(), empty);
    }

    #[test]
    fn names_are_checked() {
        let named = |name: &str| {
            let vocabulary = Vocabulary::new(name, FileFormat::Text, Strings::default());
            Assets::default().add(Arc::new(vocabulary)).is_ok()
        };
        assert!(named("vocab_compute_and_apply_vocabulary.txt"));
        for name in ["", ".", "..", "a/b", "../a", ".hidden", "a\\b"] {
            assert!(!named(name), "{name}");
        }
        let mut assets = Assets::default();
        let of = |token: &str| {
            Arc::new(Vocabulary::new("v", FileFormat::Text, Strings::from_iter([token])))
        };
        assets.add(of("a")).unwrap();
        assets.add(of("a")).unwrap();
        assert!(assets.add(of("b")).unwrap_err().message().contains("two vocabularies"));
    }
}
