//! `TokenizerConstant`: a tokenizer as a value of a graph, with what it is made of.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use engine::{Error, Result};

use super::bert::{BertOptions, BertTokenizer};
use super::hugging_face::HuggingFaceTokenizer;
use super::tokenizer::Tokenizer;
use crate::tensor::Strings;
use crate::vocabulary::Vocabulary;

/// A tokenizer as a value of a graph: ready to encode any text.
pub struct TokenizerConstant {
    tokenizer: Tokenizer,
    source: TokenizerSource,
}

/// What a tokenizer is made of.
#[derive(Clone, PartialEq)]
pub enum TokenizerSource {
    /// A vocabulary and BERT's rules.
    Vocabulary {
        /// The pieces; their places are their ids.
        pieces: Strings,
        /// The rules.
        options: BertOptions,
    },
    /// The bytes of a `tokenizer.json`, an asset of the graph.
    Json {
        /// Name of its file among the assets, with its ending.
        file_name: String,
        /// What the file holds.
        json: Vec<u8>,
    },
}

impl TokenizerConstant {
    /// The tokenizer of a vocabulary by BERT's rules.
    ///
    /// # Errors
    /// When the vocabulary holds a piece twice, or is too large.
    pub fn of_vocabulary(vocabulary: &Vocabulary, options: BertOptions) -> Result<Self> {
        let pieces = vocabulary.tokens.to_strings()?;
        let all: Vec<&[u8]> = pieces.iter().collect();
        let tokenizer = BertTokenizer::new(&all, &options)?.into();
        Ok(TokenizerConstant { tokenizer, source: TokenizerSource::Vocabulary { pieces, options } })
    }

    /// The tokenizer that a `tokenizer.json` describes; `file_name` is its name among the assets.
    ///
    /// # Errors
    /// When the bytes are no such file, or there are texts that it cannot encode.
    pub fn of_json(file_name: impl Into<String>, json: Vec<u8>) -> Result<Self> {
        let file_name = file_name.into();
        let tokenizer = HuggingFaceTokenizer::new(&json)?;
        if !tokenizer.encodes_everything() {
            return Err(Error::invalid(format!("`{file_name}` does not encode every text"))
                .with_detail("Its model has no token for what it does not know.")
                .with_hint("Add the `unk_token` that it names to its vocabulary."));
        }
        let source = TokenizerSource::Json { file_name, json };
        Ok(TokenizerConstant { tokenizer: tokenizer.into(), source })
    }

    /// The name and the bytes of the `tokenizer.json` that it is made of; none of a vocabulary.
    pub fn file(&self) -> Option<(&str, &[u8])> {
        match &self.source {
            TokenizerSource::Json { file_name, json } => Some((file_name, json)),
            TokenizerSource::Vocabulary { .. } => None,
        }
    }

    /// What it is made of.
    pub fn source(&self) -> &TokenizerSource {
        &self.source
    }

    /// Appends the ids of a text, without special tokens and whole.
    #[inline]
    pub fn encode(&self, text: &[u8], ids: &mut Vec<i64>) {
        // What encodes everything has no error; nothing that was built may fail on a text.
        let _ = self.tokenizer.encode(text, ids);
    }

    /// Appends the ids of a text, and after each word the length that `ids` has then.
    pub fn encode_words(&self, text: &[u8], ids: &mut Vec<i64>, word_ends: &mut Vec<u32>) {
        let _ = self.tokenizer.encode_words(text, ids, word_ends);
    }

    /// The token of an id; the unknown token where the vocabulary lacks it.
    pub fn token(&self, id: i64) -> Option<Cow<'_, [u8]>> {
        match (&self.source, &self.tokenizer) {
            (TokenizerSource::Vocabulary { pieces, options }, _) => {
                let place = usize::try_from(id).ok()?;
                if place < pieces.len() {
                    return Some(pieces.get(place).into());
                }
                (id == self.tokenizer.unknown_id()?).then(|| (&*options.unknown_token).into())
            }
            (_, Tokenizer::HuggingFace(tokenizer)) => {
                tokenizer.token(id).map(|token| token.into_bytes().into())
            }
            (_, Tokenizer::Bert(_)) => None,
        }
    }

    /// The last id that texts may have.
    pub fn last_id(&self) -> i64 {
        match &self.tokenizer {
            Tokenizer::Bert(tokenizer) => {
                (tokenizer.vocabulary_size() as i64 - 1).max(tokenizer.unknown_id())
            }
            Tokenizer::HuggingFace(tokenizer) => tokenizer.last_id(),
        }
    }
}

impl Deref for TokenizerConstant {
    type Target = Tokenizer;
    fn deref(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

impl PartialEq for TokenizerConstant {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for TokenizerConstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file_name, _) = self.file().unwrap_or(("vocabulary", &[]));
        write!(f, "{file_name}: {} tokens", self.vocabulary_size())
    }
}
