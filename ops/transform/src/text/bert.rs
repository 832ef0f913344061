//! BERT's tokenizer, id for id as `tensorflow_text.BertTokenizer`: words by rules, then WordPiece.
//!
//! Text is folded to lower case without accents (if asked for), control characters become spaces, words
//! end at ASCII white space, and punctuation and CJK ideographs are words by themselves; then each word
//! is cut into the longest pieces of the vocabulary, or is unknown as a whole. There are no special
//! tokens in text: `[CLS]` is three words. Bytes that are not UTF-8 become U+FFFD where text is folded
//! and are letters of their word where it is not.
//!
//! One thing differs: where folded text is not UTF-8 and a character that folding removes (a soft hyphen,
//! a selector) stands near the damage, ICU 64 decodes characters that are not there. Here they are not.
//!
//! Words of ASCII are slices of the text, folded as the trie is walked. Other words are spelt out in a
//! buffer, character by character, by the table of `characters.rs`.

use engine::Result;

use super::characters::{Characters, Outcome, reordered};
use super::wordpiece::WordPiece;
use crate::tensor::StringsBuilder;

/// What a [`BertTokenizer`] does besides what its vocabulary says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BertOptions {
    /// Whether text is folded: NFKC case folding, then NFD without nonspacing marks.
    pub lower_case: bool,
    /// What pieces begin with that continue a word.
    pub suffix_indicator: Vec<u8>,
    /// Words of more bytes, counted when they are folded, are unknown.
    pub max_bytes_per_word: usize,
    /// The piece that stands for words which have no pieces.
    pub unknown_token: Vec<u8>,
}

impl Default for BertOptions {
    /// BERT's own: `##`, 100 bytes, `[UNK]`, and the text as it is.
    fn default() -> Self {
        BertOptions {
            lower_case: false,
            suffix_indicator: b"##".to_vec(),
            max_bytes_per_word: 100,
            unknown_token: b"[UNK]".to_vec(),
        }
    }
}

/// A vocabulary and the rules by which text becomes its ids.
#[derive(Clone)]
pub struct BertTokenizer {
    wordpiece: WordPiece,
    characters: &'static Characters,
    lower_case: bool,
    /// What each ASCII character becomes as part of a word.
    fold: [u8; 256],
    classes: [Byte; 256],
    vocabulary_size: usize,
}

/// What a byte of text says about the word it is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Byte {
    Word,
    Space,
    Split,
    /// Part of a character that is not ASCII, or of none.
    Other,
}

impl BertTokenizer {
    /// The tokenizer of a vocabulary, whose pieces have their places in it as ids.
    ///
    /// # Errors
    ///
    /// A piece may be there only once.
    pub fn new(vocabulary: &[impl AsRef<[u8]>], options: &BertOptions) -> Result<Self> {
        let lower_case = options.lower_case;
        let characters = Characters::get(lower_case);
        let mut fold: [u8; 256] = std::array::from_fn(|byte| byte as u8);
        if lower_case {
            fold.make_ascii_lowercase();
        }
        let classes = fold.map(|byte| match characters.outcome(char::from(byte)) {
            _ if !byte.is_ascii() => Byte::Other,
            Outcome::Space => Byte::Space,
            Outcome::Split => Byte::Split,
            _ => Byte::Word,
        });
        let wordpiece = WordPiece::new(
            vocabulary,
            &options.suffix_indicator,
            &options.unknown_token,
            options.max_bytes_per_word,
        )?;
        let vocabulary_size = vocabulary.len();
        Ok(BertTokenizer { wordpiece, characters, lower_case, fold, classes, vocabulary_size })
    }

    /// The number of pieces in the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The id of a piece of the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<i64> {
        self.wordpiece.id(token.as_bytes())
    }

    /// The id of a word that has no pieces: the vocabulary's size where it lacks the unknown token.
    pub fn unknown_id(&self) -> i64 {
        self.wordpiece.unknown()
    }

    /// Appends the ids of a text.
    pub fn encode(&self, text: &[u8], ids: &mut Vec<i64>) {
        self.split(text, |word| self.wordpiece.encode(word, &self.fold, ids));
    }

    /// Appends the ids of a text, and after each word the length that `ids` has then.
    ///
    /// `word_ends` are the offsets, less the first, of a list of pieces for each word.
    pub fn encode_words(&self, text: &[u8], ids: &mut Vec<i64>, word_ends: &mut Vec<u32>) {
        self.split(text, |word| {
            self.wordpiece.encode(word, &self.fold, ids);
            word_ends.push(ids.len() as u32);
        });
    }

    /// The words of a text, as the vocabulary is asked for them.
    pub fn words(&self, text: &[u8]) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        self.split(text, |word| {
            words.push(word.iter().map(|&byte| self.fold[usize::from(byte)]).collect());
        });
        words
    }

    /// Appends the words of a text that have not too many bytes to be known, as they are folded.
    pub(crate) fn push_words(&self, text: &[u8], words: &mut StringsBuilder) {
        self.split(text, |word| {
            if word.len() <= self.wordpiece.max_bytes_per_word() {
                words.buffer().extend(word.iter().map(|&byte| self.fold[usize::from(byte)]));
                words.end();
            }
        });
    }

    /// Calls `emit` with each word; only ASCII letters may still have to be folded.
    #[inline]
    fn split(&self, text: &[u8], mut emit: impl FnMut(&[u8])) {
        let class = |at: usize| text.get(at).map(|&byte| self.classes[usize::from(byte)]);
        let mut at = 0;
        while let Some(first) = class(at) {
            let start = at;
            at += 1;
            match first {
                Byte::Space => continue,
                Byte::Split => {
                    emit(&text[start..at]);
                    continue;
                }
                Byte::Word => {
                    while class(at) == Some(Byte::Word) {
                        at += 1;
                    }
                    if class(at) != Some(Byte::Other) {
                        emit(&text[start..at]);
                        continue;
                    }
                }
                Byte::Other => {}
            }
            // No mark changes places with ASCII, so this far characters may depend on each other.
            while matches!(class(at), Some(Byte::Word | Byte::Other)) {
                at += 1;
            }
            self.split_characters(&text[start..at], &mut emit);
        }
    }

    /// The words of a text that is not all ASCII.
    fn split_characters(&self, text: &[u8], emit: &mut impl FnMut(&[u8])) {
        let mut word = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(chunk) = rest.utf8_chunks().next() {
            for (at, c) in chunk.valid().char_indices() {
                let bytes = &chunk.valid().as_bytes()[at..at + c.len_utf8()];
                match self.characters.outcome(c) {
                    Outcome::Word => word.extend_from_slice(bytes),
                    Outcome::Expand(expansion) => self.spell(expansion, &mut word, emit),
                    Outcome::Reorder => {
                        self.spell(&reordered(&rest[at..]), &mut word, emit);
                        return end(&mut word, emit);
                    }
                    Outcome::Space => end(&mut word, emit),
                    Outcome::Split => {
                        end(&mut word, emit);
                        emit(bytes);
                    }
                }
            }
            let invalid = chunk.invalid();
            if !invalid.is_empty() {
                word.extend_from_slice(if self.lower_case {
                    "\u{fffd}".as_bytes()
                } else {
                    invalid
                });
            }
            rest = &rest[chunk.valid().len() + invalid.len()..];
        }
        end(&mut word, emit);
    }

    /// Adds characters that are folded already to the word, or ends it.
    fn spell(&self, folded: &str, word: &mut Vec<u8>, emit: &mut impl FnMut(&[u8])) {
        for (at, c) in folded.char_indices() {
            let bytes = &folded.as_bytes()[at..at + c.len_utf8()];
            match self.characters.outcome(c) {
                Outcome::Space => end(word, emit),
                Outcome::Split => {
                    end(word, emit);
                    emit(bytes);
                }
                _ => word.extend_from_slice(bytes),
            }
        }
    }
}

/// Ends a word, if there is one.
fn end(word: &mut Vec<u8>, emit: &mut impl FnMut(&[u8])) {
    if !word.is_empty() {
        emit(word);
        word.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VOCABULARY: [&str; 12] =
        ["[UNK]", "un", "##aff", "##able", "##a", "affable", "!", "e", "##e", "ι", "日", "[CLS]"];

    fn tokenizer(lower_case: bool) -> BertTokenizer {
        let options = BertOptions { lower_case, ..BertOptions::default() };
        BertTokenizer::new(&VOCABULARY, &options).unwrap()
    }

    fn words(text: &[u8], lower_case: bool) -> Vec<String> {
        let words = tokenizer(lower_case).words(text);
        words.iter().map(|word| word.escape_ascii().to_string()).collect()
    }

    #[test]
    fn text_is_split_into_words() {
        let check = |text: &[u8], lower_case, expected: &[&str]| {
            assert_eq!(words(text, lower_case), expected, "{}", text.escape_ascii());
        };
        check(b"", true, &[]);
        check(b" \t\n\r\x0b\x0c\0\x7f", true, &[]);
        check(b" Don't  STOP-it. ", true, &["don", "\\'", "t", "stop", "-", "it", "."]);
        check(b"Don't", false, &["Don", "\\'", "t"]);
        check("nai\u{308}Ve".as_bytes(), true, &["naive"]);
        check("a\u{2026}b\u{a0}c".as_bytes(), true, &["a", ".", ".", ".", "b", "c"]);
        check("a\u{a0}b".as_bytes(), false, &[r"a\xc2\xa0b"]);
        check("soft\u{ad}hy zero\u{200b}w".as_bytes(), true, &["softhy", "zerow"]);
        check("soft\u{ad}hy".as_bytes(), false, &["soft", "hy"]);
        check("日本x".as_bytes(), true, &[r"\xe6\x97\xa5", r"\xe6\x9c\xac", "x"]);
        check(b"a\xffB\xe2\x80,", true, &[r"a\xef\xbf\xbdb\xef\xbf\xbd", ","]);
        check(b"a\xffB\xe2\x80,", false, &[r"a\xffB\xe2\x80", ","]);
        check(
            "\u{1d165}\u{1b44} x!".as_bytes(),
            true,
            &[r"\xe1\xad\x84\xf0\x9d\x85\xa5", "x", "!"],
        );
    }

    #[test]
    fn words_are_cut_into_the_longest_pieces() {
        let check = |text: &str, expected: &[i64], word_ends: &[u32]| {
            let (mut ids, mut ends) = (vec![], vec![]);
            tokenizer(true).encode_words(text.as_bytes(), &mut ids, &mut ends);
            assert_eq!((&*ids, &*ends), (expected, word_ends), "{text}");
            ids.clear();
            tokenizer(true).encode(text.as_bytes(), &mut ids);
            assert_eq!(ids, expected, "{text}");
        };
        check("", &[], &[]);
        check("Unaffable affable", &[1, 2, 3, 5], &[3, 4]);
        check("unaffx una aff able", &[0, 1, 4, 0, 0], &[1, 3, 4, 5]);
        check("é\u{301} \u{391}\u{345} \u{345}", &[7, 0, 9], &[1, 2, 3]);
        // There are no special tokens in text: brackets are words, and unknown here.
        check("[CLS]!日", &[0, 0, 0, 6, 10], &[1, 2, 3, 4, 5]);
        check(&"e".repeat(100), &[&[7][..], &[8; 99]].concat(), &[100]);
        check(&"e".repeat(101), &[0], &[1]);
        check(&"é".repeat(100), &[&[7][..], &[8; 99]].concat(), &[100]);
        check(&"é".repeat(101), &[0], &[1]);
    }

    #[test]
    fn ids_are_appended() {
        let (mut ids, mut ends) = (vec![9], vec![1]);
        tokenizer(false).encode_words(b"una UN", &mut ids, &mut ends);
        assert_eq!((ids, ends), (vec![9, 1, 4, 0], vec![1, 3, 4]));
    }

    #[test]
    fn options_are_followed() {
        let options = BertOptions {
            suffix_indicator: b"@".to_vec(),
            unknown_token: b"?".to_vec(),
            max_bytes_per_word: 3,
            ..BertOptions::default()
        };
        let tokenizer = BertTokenizer::new(&["a", "@b", "", "@"], &options).unwrap();
        let mut ids = vec![];
        tokenizer.encode(b"abb abbb b", &mut ids);
        assert_eq!(ids, [0, 1, 1, 4, 4]);
        assert_eq!((tokenizer.unknown_id(), tokenizer.vocabulary_size()), (4, 4));
        let options = BertOptions { suffix_indicator: vec![], ..options };
        let tokenizer = BertTokenizer::new(&["a", "b"], &options).unwrap();
        ids.clear();
        tokenizer.encode(b"aba", &mut ids);
        assert_eq!(ids, [0, 1, 0]);
    }

    #[test]
    fn a_vocabulary_without_pieces_knows_no_word() {
        let tokenizer = BertTokenizer::new(&[""; 0], &BertOptions::default()).unwrap();
        let mut ids = vec![];
        tokenizer.encode(b"a b", &mut ids);
        assert_eq!(ids, [0, 0]);
    }

    #[test]
    fn a_piece_may_be_there_only_once() {
        let Err(error) = BertTokenizer::new(&["a", "b", "a"], &BertOptions::default()) else {
            panic!("a duplicate was accepted")
        };
        assert!(error.to_string().contains("the vocabulary holds `a` twice"), "{error}");
    }

    #[test]
    fn pieces_that_are_not_utf8_cut_no_character() {
        let vocabulary: [&[u8]; 3] = [b"[UNK]", b"\xe2", b"##\x80\xa8"];
        let tokenizer = BertTokenizer::new(&vocabulary, &BertOptions::default()).unwrap();
        let mut ids = vec![];
        tokenizer.encode("\u{2028}".as_bytes(), &mut ids);
        assert_eq!(ids, [0]);
    }

    proptest! {
        #[test]
        fn any_bytes_have_ids(text in prop::collection::vec(any::<u8>(), 0..60), lower_case: bool) {
            let tokenizer = tokenizer(lower_case);
            let (mut ids, mut ends) = (vec![], vec![]);
            tokenizer.encode_words(&text, &mut ids, &mut ends);
            prop_assert_eq!(ends.len(), tokenizer.words(&text).len());
            prop_assert!(ids.iter().all(|id| (0..VOCABULARY.len() as i64).contains(id)));
            prop_assert!(ends.is_sorted());
            prop_assert_eq!(ends.last().map_or(0, |&end| end as usize), ids.len());
        }

        #[test]
        fn folding_twice_is_folding_once(text in "(?s).{0,20}") {
            let tokenizer = tokenizer(true);
            let words = tokenizer.words(text.as_bytes());
            prop_assert_eq!(tokenizer.words(&words.join(&b' ')), words);
        }
    }
}
