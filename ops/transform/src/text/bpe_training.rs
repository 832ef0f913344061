//! Byte-pair encodings from word counts, of characters or of bytes, the same whatever the order of the words.
//!
//! Of pairs as frequent as each other, the one is merged first whose left and right pieces come first as
//! bytes (Hugging Face's trainer asks for their ids, which depend on hash maps).

use engine::Result;

use super::pair_merges::{MergeScore, PairMerges};
use super::training::{Alphabet, TrainedVocabulary};

/// What a byte-pair encoding should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpeTraining {
    /// The most pieces, special tokens included.
    pub vocabulary_size: usize,
    /// Rarer pairs are not merged.
    pub min_frequency: u64,
    /// The first pieces, in this order.
    pub special_tokens: Vec<String>,
    /// Whether words are bytes, spelt with GPT-2's 256 characters, and not characters.
    pub byte_level: bool,
    /// So many of the most frequent characters are kept, and words with others left out; bytes all are.
    pub limit_alphabet: Option<usize>,
    /// What pieces begin with that continue a word: nothing, mostly.
    pub continuing_subword_prefix: String,
}

impl Default for BpeTraining {
    /// 30,000 pieces of bytes, of pairs that occur twice.
    fn default() -> Self {
        BpeTraining {
            vocabulary_size: 30_000,
            min_frequency: 2,
            special_tokens: Vec::new(),
            byte_level: true,
            limit_alphabet: None,
            continuing_subword_prefix: String::new(),
        }
    }
}

impl BpeTraining {
    /// The vocabulary of words with their counts, and its merges.
    ///
    /// Words may come in any order and more than once. Special tokens come first, then characters (or bytes)
    /// in their order, those with a prefix, and merged pieces as they were found.
    ///
    /// # Errors
    ///
    /// If the special tokens and the characters alone are more than `vocabulary_size`.
    pub fn train(
        &self,
        words: impl IntoIterator<Item = (impl AsRef<[u8]>, u64)>,
    ) -> Result<TrainedVocabulary> {
        TrainedVocabulary::grown(self.prepare(words)?, self.vocabulary_size)
    }

    /// The pairs to merge.
    fn prepare(
        &self,
        words: impl IntoIterator<Item = (impl AsRef<[u8]>, u64)>,
    ) -> Result<PairMerges> {
        let alphabet = if self.byte_level {
            Alphabet::of_bytes(words)
        } else {
            Alphabet::of_characters(words, self.limit_alphabet)
        };
        alphabet.pairs(
            MergeScore::Count,
            self.min_frequency,
            &self.special_tokens,
            &self.continuing_subword_prefix,
            self.vocabulary_size,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::HuggingFaceTokenizer;

    #[test]
    fn characters_are_merged() {
        let training = BpeTraining {
            vocabulary_size: 12,
            byte_level: false,
            special_tokens: vec!["<unk>".to_owned()],
            ..BpeTraining::default()
        };
        let words = [("hugs", 5), ("hug", 10), ("pug", 5), ("pun", 12), ("bun", 4)];
        let trained = training.train(words).unwrap();
        let expected = ["<unk>", "b", "g", "h", "n", "p", "s", "u", "ug", "un", "hug", "pun"];
        assert_eq!(trained.pieces, expected);
        let merges = [("u", "g"), ("u", "n"), ("h", "ug"), ("p", "un")];
        assert_eq!(trained.merges, merges.map(|(left, right)| (left.to_owned(), right.to_owned())));
    }

    #[test]
    fn all_bytes_are_pieces() {
        let training = BpeTraining { vocabulary_size: 257, ..BpeTraining::default() };
        let trained = training.train([(&b" \xff"[..], 2)]).unwrap();
        assert_eq!(trained.pieces.len(), 257);
        assert_eq!(trained.pieces[256], "\u{120}\u{ff}");
        assert_eq!(trained.pieces[..2], ["!", "\""]);
        assert!(BpeTraining { vocabulary_size: 255, ..training }.train([("a", 1)]).is_err());
    }

    proptest! {
        #[test]
        fn encoding_is_what_training_did(
            words in prop::collection::btree_map("[abc\u{e9}\u{416}]{1,12}", 1..9u64, 0..30),
            more in 0..60usize,
            byte_level: bool,
            prefix in "(##)?",
        ) {
            let training = BpeTraining {
                vocabulary_size: if byte_level { 270 + more } else { 12 + more },
                byte_level,
                continuing_subword_prefix: if byte_level { String::new() } else { prefix },
                special_tokens: vec!["<unk>".to_owned()],
                ..BpeTraining::default()
            };
            let pairs = || words.iter().map(|(word, count)| (word, *count));
            let trained = training.train(pairs()).unwrap();
            prop_assert_eq!(&training.train(pairs().rev()).unwrap(), &trained);
            prop_assert!(trained.pieces.len() <= training.vocabulary_size);

            let json = training.tokenizer_json(&trained);
            let hugging_face = HuggingFaceTokenizer::new(json.as_bytes()).unwrap();
            let mut grown = training.prepare(pairs()).unwrap();
            grown.grow(training.vocabulary_size).unwrap();
            let mut encoded: Vec<Vec<&str>> = Vec::new();
            for word in words.keys() {
                let mut ids = Vec::new();
                hugging_face.encode(word.as_bytes(), &mut ids).unwrap();
                encoded.push(ids.iter().map(|&id| &*trained.pieces[id as usize]).collect());
            }
            let mut segmentations: Vec<Vec<&str>> = grown.segmentations().collect();
            // Words of bytes are in the order of their characters.
            segmentations.sort_unstable();
            encoded.sort_unstable();
            prop_assert_eq!(encoded, segmentations);
        }

        #[test]
        fn any_bytes_can_be_trained_on(
            words in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9), 1..9u64), 0..9),
            byte_level: bool,
        ) {
            let training = BpeTraining { vocabulary_size: 600, byte_level, ..BpeTraining::default() };
            let trained = training.train(words.iter().map(|(word, n)| (word, *n))).unwrap();
            let json = training.tokenizer_json(&trained);
            prop_assert!(HuggingFaceTokenizer::new(json.as_bytes()).is_ok());
        }
    }
}
