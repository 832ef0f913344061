//! WordPiece: a word into the longest pieces of a vocabulary, from left to right.
//!
//! A walk through a trie finds each longest piece. A walk that went too far is repeated from the end of
//! its piece; the linear-time automaton of Song et al. 2021 (doi:10.18653/v1/2021.emnlp-main.160)
//! avoids that, but nine of ten words are one piece, and words are at most 100 bytes long.

use engine::{Error, Result};
use hashbrown::HashMap;

use super::trie::{Node, Trie};

/// A vocabulary, ready to cut words.
#[derive(Clone, Debug)]
pub(super) struct WordPiece {
    trie: Trie,
    /// Where pieces that continue a word begin, if there are any.
    continuation: Option<Node>,
    unknown: i64,
    max_bytes_per_word: usize,
}

impl WordPiece {
    /// Words of more bytes are unknown.
    pub(super) fn max_bytes_per_word(&self) -> usize {
        self.max_bytes_per_word
    }

    /// The pieces of a vocabulary, numbered by their places in it.
    ///
    /// Pieces that are not UTF-8 match nothing: they would cut characters. Where the unknown token is not
    /// in the vocabulary, its id is the vocabulary's size, as in `tf.lookup.StaticVocabularyTable`.
    ///
    /// # Errors
    ///
    /// A piece that is there twice has two ids, which is an error of the input.
    pub(super) fn new(
        vocabulary: &[impl AsRef<[u8]>],
        continuation: &[u8],
        unknown: &[u8],
        max_bytes_per_word: usize,
    ) -> Result<Self> {
        let mut ids: HashMap<&[u8], usize, foldhash::fast::FixedState> = HashMap::default();
        for (id, piece) in vocabulary.iter().enumerate() {
            if let Some(first) = ids.insert(piece.as_ref(), id) {
                let piece = String::from_utf8_lossy(piece.as_ref());
                return Err(Error::input(format!("the vocabulary holds `{piece}` twice"))
                    .with_detail(format!("It has the ids {first} and {id}."))
                    .with_hint("Keep one of the two lines, or the ids of a trained model shift."));
            }
        }
        let mut keys: Vec<(&[u8], u32)> = ids
            .iter()
            .filter(|(piece, _)| !piece.is_empty() && std::str::from_utf8(piece).is_ok())
            .map(|(piece, id)| (*piece, *id as u32))
            .collect();
        keys.sort_unstable();
        let trie = Trie::new(&keys)?;
        Ok(WordPiece {
            continuation: trie.find(continuation),
            trie,
            unknown: ids.get(unknown).copied().unwrap_or(vocabulary.len()) as i64,
            max_bytes_per_word,
        })
    }

    /// The id of a piece; none of one that is empty or not UTF-8.
    pub(super) fn id(&self, piece: &[u8]) -> Option<i64> {
        self.trie.value(self.trie.find(piece)?).map(i64::from)
    }

    /// The id of words that have no pieces.
    pub(super) fn unknown(&self) -> i64 {
        self.unknown
    }

    /// Appends the ids of the pieces of `word`, each byte of which is first looked up in `fold`.
    #[inline]
    pub(super) fn encode(&self, word: &[u8], fold: &[u8; 256], ids: &mut Vec<i64>) {
        let start = ids.len();
        let mut root = Some(Trie::ROOT);
        let mut rest = word;
        if word.len() > self.max_bytes_per_word {
            root = None;
        }
        while !rest.is_empty() {
            let Some((id, length)) = root.and_then(|root| self.longest(root, rest, fold)) else {
                ids.truncate(start);
                ids.push(self.unknown);
                return;
            };
            ids.push(i64::from(id));
            rest = &rest[length..];
            root = self.continuation;
        }
    }

    /// The longest piece at the start of `text`: its id and its length.
    #[inline]
    fn longest(&self, root: Node, text: &[u8], fold: &[u8; 256]) -> Option<(u32, usize)> {
        let mut node = root;
        let mut longest = None;
        for (i, &byte) in text.iter().enumerate() {
            let Some(child) = self.trie.child(node, fold[usize::from(byte)]) else { break };
            node = child;
            if let Some(id) = self.trie.value(node) {
                longest = Some((id, i + 1));
            }
        }
        longest
    }
}
