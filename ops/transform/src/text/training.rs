//! What trainers of vocabularies have in common: words, their characters, and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Error, Result};

use super::pair_merges::{MergeScore, PairMerges};

/// A vocabulary, and how it was grown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainedVocabulary {
    /// The pieces; their places are their ids.
    pub pieces: Vec<String>,
    /// The pairs that were merged, in this order.
    pub merges: Vec<(String, String)>,
}

impl TrainedVocabulary {
    /// What pairs grow to.
    pub(super) fn grown(mut pairs: PairMerges, vocabulary_size: usize) -> Result<Self> {
        let merges = pairs.grow(vocabulary_size)?;
        Ok(TrainedVocabulary { pieces: pairs.into_symbols(), merges })
    }
}

/// Words with their counts, ascending, and the characters that are kept.
pub(super) struct Alphabet {
    words: BTreeMap<String, u64>,
    characters: BTreeSet<char>,
}

impl Alphabet {
    /// The most frequent characters of words; of two as frequent, the first.
    pub(super) fn of_characters(
        words: impl IntoIterator<Item = (impl AsRef<[u8]>, u64)>,
        limit: Option<usize>,
    ) -> Self {
        let texts = words
            .into_iter()
            .map(|(word, count)| (String::from_utf8_lossy(word.as_ref()).into_owned(), count));
        let words = summed(texts);
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        for (word, &count) in &words {
            for c in word.chars() {
                let sum = counts.entry(c).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        let mut ranked: Vec<(char, u64)> = counts.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(limit.unwrap_or(usize::MAX));
        Alphabet { words, characters: ranked.into_iter().map(|(c, _)| c).collect() }
    }

    /// All 256 bytes, and words of bytes, as the characters that [`byte_character`] gives them.
    pub(super) fn of_bytes(words: impl IntoIterator<Item = (impl AsRef<[u8]>, u64)>) -> Self {
        let texts = words.into_iter().map(|(word, count)| {
            (word.as_ref().iter().map(|&byte| byte_character(byte)).collect(), count)
        });
        Alphabet { words: summed(texts), characters: (0..=255).map(byte_character).collect() }
    }

    /// The pairs of special tokens, characters, characters with the prefix of `pairs`, and the words
    /// that have no others.
    ///
    /// # Errors
    ///
    /// If those that are no words are more than `vocabulary_size`.
    pub(super) fn pairs(
        self,
        score: MergeScore,
        min_frequency: u64,
        special_tokens: &[String],
        prefix: &str,
        vocabulary_size: usize,
    ) -> Result<PairMerges> {
        let mut pairs = PairMerges::new(score, min_frequency, prefix);
        for token in special_tokens {
            pairs.symbol(token);
        }
        let mut buffer = [0; 4];
        for c in &self.characters {
            pairs.symbol(c.encode_utf8(&mut buffer));
        }
        let is_kept = |word: &&String| word.chars().all(|c| self.characters.contains(&c));
        let continuing: BTreeSet<char> =
            self.words.keys().filter(is_kept).flat_map(|word| word.chars().skip(1)).collect();
        for c in continuing {
            pairs.symbol(&format!("{prefix}{c}"));
        }
        for (word, &count) in self.words.iter().filter(|(word, _)| is_kept(word)) {
            let mut symbols = Vec::new();
            let mut symbol = String::new();
            for (i, c) in word.chars().enumerate() {
                symbol.clear();
                symbol.push_str(if i == 0 { "" } else { prefix });
                symbol.push(c);
                symbols.push(pairs.symbol(&symbol));
            }
            pairs.word(symbols, count);
        }
        check_size(pairs.len(), vocabulary_size)?;
        Ok(pairs)
    }
}

fn summed(words: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (word, count) in words.filter(|(word, count)| !word.is_empty() && *count > 0) {
        let sum = sums.entry(word).or_default();
        *sum = sum.saturating_add(count);
    }
    sums
}

/// The printable character that stands for a byte in byte-level vocabularies, as in GPT-2.
pub fn byte_character(byte: u8) -> char {
    // Printable bytes of Latin-1 stand for themselves; the 68 others follow after it, in their order.
    let others = match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => return char::from(byte),
        0..=b' ' => byte,
        0x7f..=0xa0 => byte - 0x7f + 33,
        0xad => 67,
    };
    char::from_u32(256 + u32::from(others)).unwrap_or_default()
}

/// Checks that there is room for what a vocabulary begins with.
///
/// # Errors
///
/// If that is more than it may hold.
fn check_size(begins_with: usize, vocabulary_size: usize) -> Result<()> {
    if begins_with <= vocabulary_size {
        return Ok(());
    }
    Err(Error::invalid("the vocabulary is too small for its characters")
        .with_detail(format!(
            "Special tokens and characters are {begins_with} pieces; the size asked for is \
             {vocabulary_size}."
        ))
        .with_hint("Raise it, or keep fewer characters with `limit_alphabet`."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_characters_of_gpt2() {
        let theirs = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let ours: BTreeSet<char> = (0..=255).map(byte_character).collect();
        assert_eq!(ours.len(), 256);
        assert_eq!(ours, theirs.into_iter().collect());
        for (byte, c) in [(b'a', 'a'), (b' ', '\u{120}'), (0, '\u{100}'), (0x7f, '\u{121}')] {
            assert_eq!(byte_character(byte), c);
        }
        assert_eq!(byte_character(0xad), '\u{143}');
    }
}
