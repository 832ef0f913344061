//! Either tokenizer, for what does not care which.

use engine::Result;

use super::bert::BertTokenizer;
use super::hugging_face::HuggingFaceTokenizer;

/// What turns texts into ids.
#[derive(Clone)]
pub enum Tokenizer {
    /// A vocabulary and BERT's rules, as tensorflow_text has them.
    Bert(Box<BertTokenizer>),
    /// A `tokenizer.json`.
    HuggingFace(Box<HuggingFaceTokenizer>),
}

impl From<BertTokenizer> for Tokenizer {
    fn from(tokenizer: BertTokenizer) -> Self {
        Tokenizer::Bert(Box::new(tokenizer))
    }
}

impl From<HuggingFaceTokenizer> for Tokenizer {
    fn from(tokenizer: HuggingFaceTokenizer) -> Self {
        Tokenizer::HuggingFace(Box::new(tokenizer))
    }
}

impl Tokenizer {
    /// Appends the ids of a text, without special tokens and whole.
    ///
    /// # Errors
    ///
    /// If a `tokenizer.json` cannot encode the text; BERT's rules encode all.
    pub fn encode(&self, text: &[u8], ids: &mut Vec<i64>) -> Result<()> {
        match self {
            Tokenizer::Bert(tokenizer) => {
                tokenizer.encode(text, ids);
                Ok(())
            }
            Tokenizer::HuggingFace(tokenizer) => tokenizer.encode(text, ids),
        }
    }

    /// Appends the ids of a text, and after each word the length that `ids` has then.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_words(
        &self,
        text: &[u8],
        ids: &mut Vec<i64>,
        word_ends: &mut Vec<u32>,
    ) -> Result<()> {
        match self {
            Tokenizer::Bert(tokenizer) => {
                tokenizer.encode_words(text, ids, word_ends);
                Ok(())
            }
            Tokenizer::HuggingFace(tokenizer) => tokenizer.encode_words(text, ids, word_ends),
        }
    }

    /// The id of a token.
    pub fn token_id(&self, token: &str) -> Option<i64> {
        match self {
            Tokenizer::Bert(tokenizer) => tokenizer.token_id(token),
            Tokenizer::HuggingFace(tokenizer) => tokenizer.token_id(token),
        }
    }

    /// The id of what the vocabulary does not know, if there is one.
    pub fn unknown_id(&self) -> Option<i64> {
        match self {
            Tokenizer::Bert(tokenizer) => Some(tokenizer.unknown_id()),
            Tokenizer::HuggingFace(tokenizer) => tokenizer.unknown_id(),
        }
    }

    /// The number of tokens, added ones included.
    pub fn vocabulary_size(&self) -> usize {
        match self {
            Tokenizer::Bert(tokenizer) => tokenizer.vocabulary_size(),
            Tokenizer::HuggingFace(tokenizer) => tokenizer.vocabulary_size(),
        }
    }
}
