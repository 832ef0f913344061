//! WordPiece vocabularies from word counts, the same whatever the order of the words.
//!
//! Pieces are grown by merging pairs: the most frequent first, as Hugging Face's trainer does (whose own
//! order depends on hash maps), or by likelihood. Ties go to the more frequent pair, and then to the one
//! whose left and right pieces come first as bytes.

use engine::Result;

use super::pair_merges::MergeScore;
use super::training::{Alphabet, TrainedVocabulary};

/// What a vocabulary of word pieces should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordPieceTraining {
    /// The most pieces, special tokens included.
    pub vocabulary_size: usize,
    /// Rarer pairs are not merged.
    pub min_frequency: u64,
    /// The first pieces, in this order.
    pub special_tokens: Vec<String>,
    /// So many of the most frequent characters are kept, and words with others left out.
    pub limit_alphabet: Option<usize>,
    /// What pieces begin with that continue a word.
    pub continuing_subword_prefix: String,
    /// By what pairs are chosen.
    pub score: MergeScore,
}

impl Default for WordPieceTraining {
    /// BERT's: 30,522 pieces of pairs that occur twice, and its five special tokens.
    fn default() -> Self {
        WordPieceTraining {
            vocabulary_size: 30_522,
            min_frequency: 2,
            special_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
                .map(str::to_owned)
                .to_vec(),
            limit_alphabet: None,
            continuing_subword_prefix: "##".to_owned(),
            score: MergeScore::Count,
        }
    }
}

impl WordPieceTraining {
    /// The vocabulary of words with their counts: special tokens, characters as they begin words, characters
    /// as they continue words, and merged pieces as they were found.
    ///
    /// Words may come in any order and more than once; bytes that are not UTF-8 are U+FFFD. Every word whose
    /// characters are kept can be cut into the pieces.
    ///
    /// # Errors
    ///
    /// If the special tokens and the characters alone are more than `vocabulary_size`.
    pub fn train(
        &self,
        words: impl IntoIterator<Item = (impl AsRef<[u8]>, u64)>,
    ) -> Result<TrainedVocabulary> {
        let alphabet = Alphabet::of_characters(words, self.limit_alphabet);
        let pairs = alphabet.pairs(
            self.score,
            self.min_frequency,
            &self.special_tokens,
            &self.continuing_subword_prefix,
            self.vocabulary_size,
        )?;
        TrainedVocabulary::grown(pairs, self.vocabulary_size)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::text::{BertOptions, BertTokenizer, HuggingFaceTokenizer};

    fn training(vocabulary_size: usize) -> WordPieceTraining {
        WordPieceTraining { vocabulary_size, ..WordPieceTraining::default() }
    }

    #[test]
    fn the_most_frequent_pairs_are_merged_first() {
        let words = [("hugs", 5), ("hug", 10), ("pug", 5), ("pun", 12), ("bun", 4)];
        let mut training = WordPieceTraining { special_tokens: vec![], ..training(15) };
        let trained = training.train(words).unwrap();
        let expected = [
            "b", "g", "h", "n", "p", "s", "u", "##g", "##n", "##s", "##u", "##ug", "##un", "hug",
            "pun",
        ];
        assert_eq!(trained.pieces, expected);
        training.score = MergeScore::Likelihood;
        let trained = training.train(words).unwrap();
        // 5 / (20 * 5) is best; then all pairs with ##u are as likely, and pu is the most frequent.
        assert_eq!(trained.pieces[11..], ["##gs", "pu", "hu", "bu"]);
    }

    #[test]
    fn ties_go_to_the_first_as_bytes() {
        let training = WordPieceTraining { special_tokens: vec![], ..training(7) };
        let trained = training.train([("bd", 2), ("ac", 2)]).unwrap();
        assert_eq!(trained.pieces, ["a", "b", "c", "d", "##c", "##d", "ac"]);
    }

    #[test]
    fn the_alphabet_can_be_limited() {
        let training = WordPieceTraining { limit_alphabet: Some(2), ..training(100) };
        let trained = training.train([("ab", 3), ("abc", 2), ("\u{e9}", 1)]).unwrap();
        assert_eq!(trained.pieces[5..], ["a", "b", "##b", "ab"]);
        let error = WordPieceTraining { vocabulary_size: 7, ..training }.train([("ab", 1)]);
        assert!(error.unwrap_err().to_string().contains("too small for its characters"));
    }

    #[test]
    fn no_words_give_the_special_tokens() {
        let trained = training(9).train([("", 3), ("a", 0)]).unwrap();
        assert_eq!(trained.pieces, training(9).special_tokens);
    }

    proptest! {
        #[test]
        fn every_word_has_pieces_whatever_their_order(
            words in prop::collection::btree_map("[abc\u{e9}\u{416}]{1,12}", 1..9u64, 0..30),
            size in 16..60usize,
            likelihood: bool,
        ) {
            let score = if likelihood { MergeScore::Likelihood } else { MergeScore::Count };
            let training = WordPieceTraining { score, ..training(size) };
            let trained = training.train(words.iter().map(|(word, count)| (word, *count))).unwrap();
            let halves = words.iter().rev().flat_map(|(word, n)| [(word, n / 2), (word, n - n / 2)]);
            prop_assert_eq!(&training.train(halves).unwrap(), &trained);
            prop_assert!(trained.pieces.len() <= size);

            let bert = BertTokenizer::new(&trained.pieces, &BertOptions::default()).unwrap();
            let json = training.tokenizer_json(&trained, false);
            let hugging_face = HuggingFaceTokenizer::new(json.as_bytes()).unwrap();
            prop_assert_eq!(hugging_face.vocabulary_size(), trained.pieces.len());
            for word in words.keys() {
                let (mut ours, mut theirs) = (vec![], vec![]);
                bert.encode(word.as_bytes(), &mut ours);
                hugging_face.encode(word.as_bytes(), &mut theirs).unwrap();
                prop_assert_eq!(&ours, &theirs);
                prop_assert!(!ours.contains(&bert.unknown_id()));
            }
        }

        #[test]
        fn any_bytes_can_be_trained_on(
            words in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9), any::<u32>()), 0..9),
        ) {
            let words = words.iter().map(|(word, count)| (word, u64::from(*count)));
            let words: BTreeMap<&Vec<u8>, u64> = words.collect();
            prop_assert!(training(500).train(words).is_ok());
        }
    }
}
