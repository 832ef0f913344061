//! The assets of a graph: vocabularies and tokenizers as files that other programs read, too.
//!
//! A tokenizer is the `tokenizer.json` that it was made of. Files that have keys are there, too.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};

use super::files::{Contents, Stored, bytes_of, is_inside};
use super::tensor::{TokenizerJson, VocabularyJson};
use super::vocabulary_file::{self, Unread};
use crate::text::TokenizerConstant;
use crate::vocabulary::Vocabulary;

/// Where in an artifact assets are.
pub(super) const FOLDER: &str = "assets/";

/// The assets of a graph, by the names of their files.
#[derive(Default)]
pub(super) struct Assets {
    known: BTreeMap<String, Asset>,
    /// What was read and is no asset yet.
    files: BTreeMap<String, Stored>,
}

/// An asset of a graph.
pub(super) enum Asset {
    /// Tokens with their ids.
    Vocabulary(Arc<Vocabulary>),
    /// A tokenizer that a `tokenizer.json` describes.
    Tokenizer(Arc<TokenizerConstant>),
    /// Any file, which a key finds.
    File(Arc<[u8]>),
}

impl Asset {
    /// Whether both have the same file.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Asset::Vocabulary(a), Asset::Vocabulary(b)) => Arc::ptr_eq(a, b) || a == b,
            (Asset::Tokenizer(a), Asset::Tokenizer(b)) => Arc::ptr_eq(a, b) || a == b,
            (Asset::File(a), Asset::File(b)) => a == b,
            _ => false,
        }
    }

    /// How large it is, for messages.
    fn size(&self) -> String {
        match self {
            Asset::Vocabulary(vocabulary) => format!("{} tokens", vocabulary.len()),
            Asset::Tokenizer(tokenizer) => format!("{} tokens", tokenizer.vocabulary_size()),
            Asset::File(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

impl Assets {
    /// Assets that are among these files.
    pub(super) fn of(mut files: BTreeMap<String, Stored>) -> Self {
        files.retain(|name, _| name.starts_with(FOLDER));
        Assets { known: BTreeMap::new(), files }
    }

    /// Adds an asset under the name of its file; gives the path that the graph refers to it by.
    ///
    /// # Errors
    /// When the name cannot be used, or another asset has it.
    fn insert(&mut self, name: &str, asset: Asset) -> Result<String> {
        if !is_inside(name) || name.contains('/') || name.starts_with('.') {
            return Err(Error::invalid(format!("`{name}` cannot be the name of an asset's file"))
                .with_hint("Choose a `vocab_filename` of letters, digits, `_` and `-`."));
        }
        let path = format!("{FOLDER}{name}");
        match self.known.get(&path) {
            Some(other) if !other.is(&asset) => {
                Err(Error::invalid(format!("two assets are named `{name}`"))
                    .with_detail(format!("They have {} and {}.", other.size(), asset.size()))
                    .with_hint("Give each a name of its own, such as by `vocab_filename`."))
            }
            _ => {
                self.known.insert(path.clone(), asset);
                Ok(path)
            }
        }
    }

    /// Adds a vocabulary; gives how the graph refers to it.
    ///
    /// # Errors
    /// When its file's name cannot be used, or another asset has it.
    pub(super) fn add(&mut self, vocabulary: &Arc<Vocabulary>) -> Result<VocabularyJson> {
        Ok(VocabularyJson {
            file: self.insert(&vocabulary.file_name, Asset::Vocabulary(vocabulary.clone()))?,
            format: vocabulary.format,
            tokens: vocabulary.len() as u64,
            frequencies: vocabulary.frequencies.is_some(),
            unfiltered_size: vocabulary.unfiltered_size,
        })
    }

    /// Adds a tokenizer; gives how the graph refers to it.
    ///
    /// # Errors
    /// When it is made of a vocabulary, which is an asset itself, and as [`Assets::add`].
    pub(super) fn add_tokenizer(
        &mut self,
        tokenizer: &Arc<TokenizerConstant>,
    ) -> Result<TokenizerJson> {
        let (file_name, json) = tokenizer.file().ok_or_else(|| {
            Error::invalid("a tokenizer of a vocabulary is no constant of a graph")
                .with_hint("Make it of the vocabulary with `text.bert_tokenizer`.")
        })?;
        let file = self.insert(file_name, Asset::Tokenizer(tokenizer.clone()))?;
        Ok(TokenizerJson { file, bytes: json.len() as u64 })
    }

    /// Adds a file that has a key, if it has bytes of its own; gives its path.
    ///
    /// # Errors
    /// When its name cannot be used, another asset has it, or no asset of the graph does.
    pub(super) fn add_keyed(&mut self, file: &str, bytes: Option<&Arc<[u8]>>) -> Result<String> {
        if let Some(bytes) = bytes {
            return self.insert(file, Asset::File(bytes.clone()));
        }
        let path = format!("{FOLDER}{file}");
        if !self.known.contains_key(&path) {
            return Err(Error::invalid(format!("no asset of the graph is named `{file}`")));
        }
        Ok(path)
    }

    /// The name of a file that has a key, and its bytes if it is not a vocabulary's or tokenizer's.
    ///
    /// # Errors
    /// When it is missing, or another one.
    pub(super) fn find_keyed(
        &mut self,
        path: &str,
        bytes: Option<u64>,
    ) -> Result<(String, Option<Arc<[u8]>>)> {
        let (name, stored) = self.read(path)?;
        let Some(len) = bytes else {
            if !self.known.contains_key(path) {
                return Err(damaged(
                    path,
                    "No vocabulary or tokenizer of the graph has this file.",
                ));
            }
            return Ok((name.to_owned(), None));
        };
        let mut bytes = Vec::new();
        let read = stored.open()?.read_to_end(&mut bytes);
        read.map_err(|e| Error::io(format_args!("read `{path}`"), &e))?;
        if bytes.len() as u64 != len {
            let why = format!("It has {} bytes; {len} were written.", bytes.len());
            return Err(damaged(path, &why));
        }
        let bytes: Arc<[u8]> = bytes.into();
        let asset = Asset::File(bytes.clone());
        match self.known.get(path) {
            Some(known) if !known.is(&asset) => Err(damaged(path, "It is two assets.")),
            _ => {
                self.known.insert(path.to_owned(), asset);
                Ok((name.to_owned(), Some(bytes)))
            }
        }
    }

    /// The name and the contents of a file that a graph refers to.
    ///
    /// # Errors
    /// When it is missing or elsewhere.
    fn read<'a>(&self, file: &'a str) -> Result<(&'a str, &Stored)> {
        let name = file.strip_prefix(FOLDER).filter(|name| !name.contains('/'));
        let name = name.filter(|name| is_inside(name)).ok_or_else(|| {
            Error::new(ErrorKind::Input, "an asset is outside of the graph's assets")
                .with_detail(format!("The graph names `{file}`."))
        })?;
        let stored = self.files.get(file).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("`{file}` of the graph is missing"))
                .with_detail("The graph refers to it, and the manifest does not list it.")
        })?;
        Ok((name, stored))
    }

    /// The vocabulary that a graph refers to.
    ///
    /// # Errors
    /// When its file is missing, damaged, or another one.
    pub(super) fn find(&mut self, shown: &VocabularyJson) -> Result<Arc<Vocabulary>> {
        if let Some(Asset::Vocabulary(known)) = self.known.get(&shown.file) {
            return Ok(known.clone());
        }
        let (name, stored) = self.read(&shown.file)?;
        let damaged = |why: &str| damaged(&shown.file, why);
        let mut input = stored.open()?;
        let read = vocabulary_file::read(&mut *input, shown.format, shown.frequencies);
        drop(input);
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
        self.known.insert(shown.file.clone(), Asset::Vocabulary(vocabulary.clone()));
        Ok(vocabulary)
    }

    /// The tokenizer that a graph refers to.
    ///
    /// # Errors
    /// When its file is missing, damaged, or another one.
    pub(super) fn find_tokenizer(
        &mut self,
        shown: &TokenizerJson,
    ) -> Result<Arc<TokenizerConstant>> {
        if let Some(Asset::Tokenizer(known)) = self.known.get(&shown.file) {
            return Ok(known.clone());
        }
        let (name, stored) = self.read(&shown.file)?;
        let mut json = Vec::new();
        let read = stored.open()?.read_to_end(&mut json);
        read.map_err(|e| Error::io(format_args!("read `{}`", shown.file), &e))?;
        if json.len() as u64 != shown.bytes {
            let why = format!("It has {} bytes; {} were written.", json.len(), shown.bytes);
            return Err(damaged(&shown.file, &why));
        }
        let tokenizer = TokenizerConstant::of_json(name, json);
        let tokenizer = tokenizer.map_err(|e| {
            damaged(&shown.file, e.detail().unwrap_or("It describes no tokenizer."))
        })?;
        let tokenizer = Arc::new(tokenizer);
        self.known.insert(shown.file.clone(), Asset::Tokenizer(tokenizer.clone()));
        Ok(tokenizer)
    }

    /// All assets, by their files' names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Asset)> {
        self.known.iter().map(|(name, asset)| (&**name, asset))
    }

    /// The vocabularies among them.
    pub(super) fn vocabularies(&self) -> impl Iterator<Item = &Vocabulary> {
        self.known.values().filter_map(|asset| match asset {
            Asset::Vocabulary(vocabulary) => Some(&**vocabulary),
            Asset::Tokenizer(_) | Asset::File(_) => None,
        })
    }

    /// Their files.
    pub(super) fn print(&self) -> BTreeMap<String, Contents<'_>> {
        let files = self.known.iter().map(|(name, asset)| {
            let contents: Contents<'_> = match asset {
                Asset::Vocabulary(vocabulary) => {
                    Box::new(|out| vocabulary_file::write(vocabulary, out))
                }
                Asset::Tokenizer(tokenizer) => {
                    bytes_of(tokenizer.file().map_or_else(Vec::new, |(_, json)| json.to_vec()))
                }
                Asset::File(bytes) => bytes_of(bytes.to_vec()),
            };
            (name.clone(), contents)
        });
        files.collect()
    }
}

fn damaged(file: &str, why: &str) -> Error {
    Error::new(ErrorKind::Input, format!("`{file}` of the graph is damaged"))
        .with_detail(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Strings;
    use crate::text::BertOptions;
    use crate::vocabulary::FileFormat;

    fn round(vocabulary: Vocabulary) -> Result<Vocabulary> {
        let mut assets = Assets::default();
        let shown = assets.add(&Arc::new(vocabulary))?;
        let mut read = Assets::of(printed(&assets)?);
        Ok((*read.find(&shown)?).clone())
    }

    /// The files of assets, as they are read.
    fn printed(assets: &Assets) -> Result<BTreeMap<String, Stored>> {
        let files = assets.print().into_iter().map(|(name, contents)| {
            let mut bytes = Vec::new();
            contents(&mut bytes)?;
            Ok((name, Stored::Memory(bytes)))
        });
        files.collect()
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
            Assets::default().add(&Arc::new(vocabulary)).is_ok()
        };
        assert!(named("vocab_compute_and_apply_vocabulary.txt"));
        for name in ["", ".", "..", "a/b", "../a", ".hidden", "a\\b"] {
            assert!(!named(name), "{name}");
        }
        let mut assets = Assets::default();
        let of = |token: &str| {
            Arc::new(Vocabulary::new("v", FileFormat::Text, Strings::from_iter([token])))
        };
        assets.add(&of("a")).unwrap();
        assets.add(&of("a")).unwrap();
        assert!(assets.add(&of("b")).unwrap_err().message().contains("two assets"));
    }

    #[test]
    fn tokenizers_come_back() {
        let json = crate::ops::EXAMPLE_FILES[1].1.to_vec();
        let tokenizer = Arc::new(TokenizerConstant::of_json("t.json", json).unwrap());
        let mut assets = Assets::default();
        let shown = assets.add_tokenizer(&tokenizer).unwrap();
        assert_eq!(shown.file, "assets/t.json");
        let mut read = Assets::of(printed(&assets).unwrap());
        assert_eq!(read.find_tokenizer(&shown).unwrap(), tokenizer);
        let same_name = Vocabulary::new("t.json", FileFormat::Text, Strings::default());
        let error = assets.add(&Arc::new(same_name)).unwrap_err();
        assert_eq!(error.message(), "two assets are named `t.json`");

        let refused = |change: &dyn Fn(&mut Vec<u8>), shown: &TokenizerJson| {
            let mut json = crate::ops::EXAMPLE_FILES[1].1.to_vec();
            change(&mut json);
            let files = [("assets/t.json".to_owned(), Stored::Memory(json))];
            let error = Assets::of(files.into()).find_tokenizer(shown).unwrap_err();
            format!("{}: {}", error.message(), error.detail().unwrap_or_default())
        };
        let damaged = "`assets/t.json` of the graph is damaged";
        let bytes = shown.bytes;
        assert_eq!(
            refused(&|json| json.truncate(5), &shown),
            format!("{damaged}: It has 5 bytes; {bytes} were written.")
        );
        assert!(refused(&|json| json[0] = b'[', &shown).starts_with(damaged));
        let elsewhere = |file: &str| TokenizerJson { file: file.to_owned(), bytes };
        assert!(refused(&|_| {}, &elsewhere("assets/u.json")).contains("is missing"));
        assert!(refused(&|_| {}, &elsewhere("assets/../t.json")).contains("outside"));

        let vocabulary = Vocabulary::default();
        let bert = TokenizerConstant::of_vocabulary(&vocabulary, BertOptions::default()).unwrap();
        let error = assets.add_tokenizer(&Arc::new(bert)).unwrap_err();
        assert!(error.message().contains("is no constant of a graph"), "{error}");
    }
}
