//! `Vocabulary`: tokens in the order of their ids, and the way back from a token to its id.

use std::fmt;
use std::sync::OnceLock;

use engine::{Result, SpooledStrings};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::tensor::Strings;
use crate::tokens::Tokens;

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
///
/// Tokens of a large vocabulary are in a temporary file ([`Tokens`]); a look-up then reads it. The way
/// from tokens to ids is in memory, whole: seven bytes for each token.
#[derive(Clone, Default)]
pub struct Vocabulary {
    /// Name of its file among the assets, with its ending.
    pub file_name: String,
    /// How the file is written.
    pub format: FileFormat,
    /// The tokens; a token's id is its position.
    pub tokens: Tokens,
    /// What is written before each token where frequencies are stored, as it is written.
    pub frequencies: Option<Tokens>,
    /// Distinct tokens seen, before thresholds and `top_k`.
    pub unfiltered_size: u64,
    index: OnceLock<HashTable<u32>>,
}

impl Vocabulary {
    /// A vocabulary of these tokens. Of a token that is there twice the first counts.
    pub fn new(
        file_name: impl Into<String>,
        format: FileFormat,
        tokens: impl Into<Tokens>,
    ) -> Self {
        let tokens = tokens.into();
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
    ///
    /// # Errors
    /// When the tokens cannot be read from their temporary file.
    pub fn prepare(&self) -> Result<()> {
        self.index().map(|_| ())
    }

    /// The id of a token.
    ///
    /// # Errors
    /// When the tokens cannot be read from their temporary file.
    #[inline]
    pub fn id(&self, token: &[u8]) -> Result<Option<u32>> {
        let index = self.index()?;
        match &self.tokens {
            Tokens::Memory(strings) => {
                Ok(index.find(xxh3_64(token), |&id| strings.get(id as usize) == token).copied())
            }
            Tokens::Spooled(strings) => id_of_spooled(index, strings, token),
        }
    }

    fn index(&self) -> Result<&HashTable<u32>> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = match &self.tokens {
            Tokens::Memory(strings) => index_of(strings),
            Tokens::Spooled(_) => self.index_of_spooled()?,
        };
        Ok(self.index.get_or_init(|| index))
    }

    /// The index of tokens that are not compared while it is made, which would read each of them
    /// again: those that are there twice are in it twice.
    fn index_of_spooled(&self) -> Result<HashTable<u32>> {
        // Hashes decide nothing when the table does not grow.
        let mut table = HashTable::with_capacity(self.len());
        let mut id = 0;
        self.tokens.each(|token| {
            table.insert_unique(xxh3_64(token), id, |_| unreachable!("it has room for all"));
            id += 1;
            Ok(())
        })?;
        Ok(table)
    }
}

fn index_of(strings: &Strings) -> HashTable<u32> {
    let hash = |id: &u32| xxh3_64(strings.get(*id as usize));
    let mut table = HashTable::with_capacity(strings.len());
    for (id, token) in (0u32..).zip(strings.iter()) {
        let same = |other: &u32| strings.get(*other as usize) == token;
        table.entry(xxh3_64(token), same, hash).or_insert(id);
    }
    table
}

/// The first of the tokens that are this one.
#[cold]
fn id_of_spooled(
    index: &HashTable<u32>,
    strings: &SpooledStrings,
    token: &[u8],
) -> Result<Option<u32>> {
    let (mut first, mut buffer) = (None, Vec::new());
    for &id in index.iter_hash(xxh3_64(token)) {
        if strings.get(id as usize, &mut buffer)? == token {
            first = Some(first.map_or(id, |first: u32| first.min(id)));
        }
    }
    Ok(first)
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
    use crate::tokens::TokensBuilder;

    #[test]
    fn tokens_have_the_ids_of_their_positions() {
        let all = ["b", "a", "", "a", "\u{e9}"];
        for most_in_memory in [0, 1000] {
            let mut tokens = TokensBuilder::within(most_in_memory);
            all.iter().for_each(|token| tokens.push(token.as_bytes()).unwrap());
            let vocabulary = Vocabulary::new("v", FileFormat::Text, tokens.finish().unwrap());
            let check = |token: &str, id| {
                assert_eq!(vocabulary.id(token.as_bytes()).unwrap(), id, "{token}");
            };
            check("b", Some(0));
            check("a", Some(1));
            check("", Some(2));
            check("\u{e9}", Some(4));
            check("c", None);
        }
        assert_eq!(Vocabulary::default().id(b"").unwrap(), None);
        let mut many = TokensBuilder::within(100);
        (0..5000).for_each(|n: u32| many.push(n.to_string().as_bytes()).unwrap());
        let many = Vocabulary::new("v", FileFormat::Text, many.finish().unwrap());
        for n in (0..6000).step_by(7) {
            assert_eq!(many.id(n.to_string().as_bytes()).unwrap(), (n < 5000).then_some(n));
        }
    }
}
