//! The most frequent words of texts, for what is made of words and their counts.

use engine::{Group, KeyedBlock, Result, order};

use super::count::{self, Amount};
use super::frequency::Frequency;
use super::select::Best;
use crate::analyzer::Columns;
use crate::ranked::{Keys, Ranked};
use crate::tensor::{StringsBuilder, Tensor, Values};

/// So many bytes of words are counted together.
const CHUNK: usize = 1 << 20;

/// Appends the words of a text.
pub(in crate::ops) type Split = Box<dyn Fn(&[u8], &mut StringsBuilder) -> Result<()> + Send + Sync>;

/// What is made of words, each once, and how often each was seen: the most frequent first, of two as
/// frequent the last in bytes.
pub(in crate::ops) type Make =
    Box<dyn Fn(Vec<(Vec<u8>, u64)>) -> Result<Vec<Tensor>> + Send + Sync>;

/// Counts the words of a column of texts, and makes something of the most frequent.
///
/// Counts are exact, and spilled where there is no room for them; only the words that are made
/// something of are ever in memory together.
pub(in crate::ops) struct CountedWords {
    /// What words are, and all options that change them.
    pub name: String,
    /// How texts are split.
    pub split: Split,
    /// How many words are kept.
    pub max_words: usize,
    /// What is made of them.
    pub make: Make,
}

impl Ranked<u64> for CountedWords {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn add(&self, group: &mut Group<u64>, input: &Columns) -> Result<()> {
        let mut words = StringsBuilder::default();
        let mut count = |words: &mut StringsBuilder| -> Result<()> {
            let words = Values::String(std::mem::take(words).finish()?);
            count::add_values(group, &words, None);
            Ok(())
        };
        for text in input.tensors[0].strings().iter() {
            (self.split)(text, &mut words)?;
            if words.buffer().len() >= CHUNK {
                count(&mut words)?;
            }
        }
        count(&mut words)
    }

    fn rank(&self, sorted: &mut Group<u64>, block: &KeyedBlock<u64>) {
        // Of a block no more words than are kept can be among those that are.
        let mut best = Best::new(Some(self.max_words));
        block.iter().for_each(|(word, count)| best.push(Frequency::Count(*count), word));
        let mut key = Vec::new();
        for (frequency, word) in best.into_tokens() {
            key.clear();
            frequency.push(&mut key);
            order::push_descending_bytes(&mut key, &word);
            sorted.add(&key, &0);
        }
    }

    fn finish(&self, keys: &mut dyn Keys<u64>) -> Result<Vec<Tensor>> {
        let mut words = Vec::new();
        while words.len() < self.max_words
            && let Some((mut key, _)) = keys.next()?
        {
            let mut word = Vec::new();
            if let Some(Frequency::Count(count)) = <u64 as Amount>::read(&mut key)
                && order::read_descending_bytes(&mut key, &mut word).is_some()
            {
                words.push((word, count));
            }
        }
        (self.make)(words)
    }
}
