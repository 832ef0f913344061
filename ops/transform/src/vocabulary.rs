//! `Vocabulary`: tokens in the order of their ids, and the way back from a token to its id.

use std::fmt;
use std::sync::OnceLock;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::tensor::Strings;

/// How a vocabulary's file is written (TFT's `file_format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// One token a line.
    #[default]
    Text,
    /// One token a record of a gzipped TFRecord file.
    TfrecordGzip,
}

/// Tokens with their ids, as an asset of a graph.
#[derive(Clone, Default)]
pub struct Vocabulary {
    /// Name of its file among the assets, with its ending.
    pub file_name: String,
    /// How the file is written.
    pub format: FileFormat,
    /// The tokens; a token's id is its position.
    pub tokens: Strings,
    /// What is written before each token where frequencies are stored, as it is written.
    pub frequencies: Option<Strings>,
    /// Distinct tokens seen, before thresholds and `top_k`.
    pub unfiltered_size: u64,
    index: OnceLock<HashTable<u32>>,
}

impl Vocabulary {
    /// A vocabulary of these tokens. Of a token that is there twice the first counts.
    pub fn new(file_name: impl Into<String>, format: FileFormat, tokens: Strings) -> Self {
        let unfiltered_size = tokens.len() as u64;
        Vocabulary {
            file_name: file_name.into(),
            format,
            tokens,
            frequencies: None,
            unfiltered_size,
            index: OnceLock::new(),
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True without tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Builds the way back from tokens to ids now rather than at the first look-up.
    pub fn prepare(&self) {
        self.index();
    }

    /// The id of a token.
    #[inline]
    pub fn id(&self, token: &[u8]) -> Option<u32> {
        let hash = xxhash_rust::xxh3::xxh3_64(token);
        self.index().find(hash, |&id| self.tokens.get(id as usize) == token).copied()
    }

    fn index(&self) -> &HashTable<u32> {
        self.index.get_or_init(|| {
            let hash = |id: &u32| xxhash_rust::xxh3::xxh3_64(self.tokens.get(*id as usize));
            let mut table = HashTable::with_capacity(self.len());
            for (id, token) in (0u32..).zip(self.tokens.iter()) {
                let same = |other: &u32| self.tokens.get(*other as usize) == token;
                table.entry(xxhash_rust::xxh3::xxh3_64(token), same, hash).or_insert(id);
            }
            table
        })
    }
}

impl PartialEq for Vocabulary {
    fn eq(&self, other: &Self) -> bool {
        self.file_name == other.file_name
            && self.format == other.format
            && self.tokens == other.tokens
            && self.frequencies == other.frequencies
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocabulary({}, {} tokens)", self.file_name, self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_ids_of_their_positions() {
        let tokens = Strings::from_iter(["b", "a", "", "a", "\u{e9}"]);
        let vocabulary = Vocabulary::new("v", FileFormat::Text, tokens);
        let check = |token: &str, id| assert_eq!(vocabulary.id(token.as_bytes()), id, "{token}");
        check("b", Some(0));
        check("a", Some(1));
        check("", Some(2));
        check("\u{e9}", Some(4));
        check("c", None);
        assert_eq!(Vocabulary::default().id(b""), None);
    }
}
