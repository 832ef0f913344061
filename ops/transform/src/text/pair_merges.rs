//! Vocabularies grown by merging the best pair of neighbours, over and over (Sennrich et al. 2016,
//! doi:10.18653/v1/P16-1162), with counts that are kept up to date.
//!
//! A merge costs what the words hold in which the pair occurs, and a logarithm for each pair that it
//! changes. Memory is bounded by the characters of the distinct words.
//!
//! **Invariant:** pairs are in a total order (score, then count, then the bytes of the left symbol, then
//! those of the right one), so what is grown depends on the words alone, not on their order.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use engine::{Error, Result};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// By what the next pair to merge is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergeScore {
    /// How often it occurs: byte-pair encoding, and what Hugging Face's trainers do.
    #[default]
    Count,
    /// How much more often it occurs than its halves would say: its count by the product of theirs,
    /// which is what a merge adds to the likelihood of a unigram model (Schuster & Nakajima 2012).
    Likelihood,
}

type Pair = (u32, u32);

/// What is known of a pair.
#[derive(Default)]
struct Occurrences {
    count: u64,
    /// Words that held the pair when they were noted; some may have lost it since.
    words: Vec<u32>,
    /// Candidates of an older version are out of date.
    version: u32,
    /// The count of the candidate that is not; 0 without one.
    offered: u64,
}

/// A pair in the heap.
#[derive(PartialEq)]
struct Candidate {
    score: f64,
    count: u64,
    left: Reverse<Arc<str>>,
    right: Reverse<Arc<str>>,
    pair: Pair,
    version: u32,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.score.total_cmp(&other.score))
            .then_with(|| self.count.cmp(&other.count))
            .then_with(|| self.left.cmp(&other.left))
            .then_with(|| self.right.cmp(&other.right))
            .then_with(|| self.version.cmp(&other.version))
    }
}

/// A word as symbols, and how often it occurs.
struct Word {
    symbols: Vec<u32>,
    count: u64,
}

/// A vocabulary that grows.
pub(super) struct PairMerges {
    score: MergeScore,
    /// Rarer pairs are not merged.
    min_frequency: u64,
    /// What symbols of a word begin with that are not its first.
    prefix: String,
    symbols: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32, FixedState>,
    symbol_counts: Vec<u64>,
    words: Vec<Word>,
    pairs: HashMap<Pair, Occurrences, FixedState>,
    /// Pairs that have been merged: which merge it was, and the symbol it gave.
    merged: HashMap<Pair, (usize, u32), FixedState>,
    /// The pairs that a symbol has ever been in, where scores depend on its count.
    pairs_of: Vec<Vec<Pair>>,
    heap: BinaryHeap<Candidate>,
}

impl PairMerges {
    pub(super) fn new(score: MergeScore, min_frequency: u64, prefix: &str) -> Self {
        PairMerges {
            score,
            min_frequency: min_frequency.max(1),
            prefix: prefix.to_owned(),
            symbols: Vec::new(),
            ids: HashMap::default(),
            symbol_counts: Vec::new(),
            words: Vec::new(),
            pairs: HashMap::default(),
            merged: HashMap::default(),
            pairs_of: Vec::new(),
            heap: BinaryHeap::new(),
        }
    }

    /// The id of a symbol, which is a new one if it was not there.
    pub(super) fn symbol(&mut self, symbol: &str) -> u32 {
        if let Some(&id) = self.ids.get(symbol) {
            return id;
        }
        let (id, symbol) = (self.symbols.len() as u32, Arc::<str>::from(symbol));
        self.symbols.push(symbol.clone());
        self.symbol_counts.push(0);
        self.pairs_of.push(Vec::new());
        self.ids.insert(symbol, id);
        id
    }

    /// The number of symbols.
    pub(super) fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Adds a word, whose symbols are there.
    pub(super) fn word(&mut self, symbols: Vec<u32>, count: u64) {
        self.words.push(Word { symbols, count });
    }

    /// Merges pairs until there are `vocabulary_size` symbols, or no pair is frequent enough.
    ///
    /// # Errors
    ///
    /// If a count does not fit into 64 bits.
    pub(super) fn grow(&mut self, vocabulary_size: usize) -> Result<Vec<(String, String)>> {
        self.count()?;
        let mut merges = Vec::new();
        while self.symbols.len() < vocabulary_size {
            let Some(best) = self.heap.pop() else { break };
            let Some(known) = self.pairs.get_mut(&best.pair) else { continue };
            if known.version != best.version {
                continue;
            }
            known.offered = 0;
            if known.count != best.count {
                self.offer(best.pair);
                continue;
            }
            let (left, right) =
                (&self.symbols[best.pair.0 as usize], &self.symbols[best.pair.1 as usize]);
            merges.push((left.to_string(), right.to_string()));
            let merged = [left, right.strip_prefix(&*self.prefix).unwrap_or(right)].concat();
            let merged = self.symbol(&merged);
            self.merged.insert(best.pair, (merges.len(), merged));
            // A symbol that two pairs give can bring back pairs that were merged: who encodes would merge
            // these first, the oldest before the others.
            let mut due = BTreeMap::from([(merges.len(), (best.pair, merged))]);
            while let Some((_, (pair, merged))) = due.pop_first() {
                for pair in self.merge(pair, merged) {
                    match self.merged.get(&pair) {
                        Some(&(merge, merged)) => _ = due.insert(merge, (pair, merged)),
                        None => self.offer(pair),
                    }
                }
            }
        }
        Ok(merges)
    }

    /// The symbols, in the order in which they came.
    pub(super) fn into_symbols(self) -> Vec<String> {
        self.symbols.iter().map(ToString::to_string).collect()
    }

    /// How each word is cut now.
    #[cfg(test)]
    pub(super) fn segmentations(&self) -> impl Iterator<Item = Vec<&str>> {
        self.words.iter().map(|word| {
            word.symbols.iter().map(|&symbol| &*self.symbols[symbol as usize]).collect()
        })
    }

    fn count(&mut self) -> Result<()> {
        let too_many = || {
            Error::input("the words are too many to be counted")
                .with_detail("The characters of all of them together do not fit into 64 bits.")
        };
        let total = self.words.iter().try_fold(0_u64, |total, word| {
            total.checked_add(word.count.checked_mul(word.symbols.len() as u64)?)
        });
        total.ok_or_else(too_many)?;
        for (number, word) in self.words.iter().enumerate() {
            for &symbol in &word.symbols {
                self.symbol_counts[symbol as usize] += word.count;
            }
            for pair in pairs(&word.symbols) {
                let known = self.pairs.entry(pair).or_default();
                known.count += word.count;
                if known.words.last() != Some(&(number as u32)) {
                    known.words.push(number as u32);
                }
            }
        }
        let mut all: Vec<Pair> = self.pairs.keys().copied().collect();
        all.sort_unstable();
        for pair in all {
            self.note_symbols(pair);
            self.offer(pair);
        }
        Ok(())
    }

    fn note_symbols(&mut self, pair: Pair) {
        if self.score == MergeScore::Likelihood {
            self.pairs_of[pair.0 as usize].push(pair);
            if pair.0 != pair.1 {
                self.pairs_of[pair.1 as usize].push(pair);
            }
        }
    }

    /// Puts a pair into the heap as it is now; what stood there for it is out of date.
    ///
    /// Where counts alone matter, a pair that has become rarer stays as it is until its turn comes: most
    /// never do.
    fn offer(&mut self, pair: Pair) {
        let Some(known) = self.pairs.get_mut(&pair) else { return };
        if self.score == MergeScore::Count && known.offered >= known.count.max(1) {
            return;
        }
        known.version += 1;
        known.offered = 0;
        if known.count < self.min_frequency {
            return;
        }
        known.offered = known.count;
        let symbol = |id: u32| Reverse(self.symbols[id as usize].clone());
        let count = |id: u32| self.symbol_counts[id as usize] as f64;
        self.heap.push(Candidate {
            score: match self.score {
                MergeScore::Count => 0.0,
                MergeScore::Likelihood => known.count as f64 / (count(pair.0) * count(pair.1)),
            },
            count: known.count,
            left: symbol(pair.0),
            right: symbol(pair.1),
            pair,
            version: known.version,
        });
    }

    /// Puts `merged` in the place of `pair` in all words; the other pairs whose counts or scores changed.
    fn merge(&mut self, pair: Pair, merged: u32) -> Vec<Pair> {
        let Some(known) = self.pairs.get_mut(&pair) else { return Vec::new() };
        known.version += 1;
        (known.count, known.offered) = (0, 0);
        let mut words = std::mem::take(&mut known.words);
        words.sort_unstable();
        words.dedup();
        let mut changed: Vec<Pair> = Vec::new();
        for number in words {
            let word = &mut self.words[number as usize];
            let before = word.symbols.clone();
            let n = replace(&mut word.symbols, pair, merged);
            if n == 0 {
                continue;
            }
            let (count, after) = (word.count, &word.symbols);
            for symbol in [pair.0, pair.1] {
                self.symbol_counts[symbol as usize] -= n * count;
            }
            self.symbol_counts[merged as usize] += n * count;
            for gone in pairs(&before).filter(|found| *found != pair) {
                if let Some(known) = self.pairs.get_mut(&gone) {
                    known.count -= count;
                    changed.push(gone);
                }
            }
            for found in pairs(after) {
                let known = self.pairs.entry(found).or_default();
                known.count += count;
                if known.words.last() != Some(&number) {
                    known.words.push(number);
                }
                changed.push(found);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for pair in &changed {
            if self.pairs.get(pair).is_some_and(|known| known.version == 0) {
                self.note_symbols(*pair);
            }
        }
        if self.score == MergeScore::Likelihood {
            for symbol in [pair.0, pair.1, merged] {
                let pairs = &mut self.pairs_of[symbol as usize];
                pairs.retain(|pair| self.pairs.get(pair).is_some_and(|known| known.count > 0));
                changed.extend_from_slice(pairs);
            }
            changed.sort_unstable();
            changed.dedup();
        }
        changed
    }
}

fn pairs(symbols: &[u32]) -> impl Iterator<Item = Pair> {
    symbols.windows(2).map(|pair| (pair[0], pair[1]))
}

/// Replaces a pair from left to right; how often.
fn replace(symbols: &mut Vec<u32>, pair: Pair, merged: u32) -> u64 {
    let (mut read, mut written, mut n) = (0, 0, 0);
    while read < symbols.len() {
        let found = symbols[read] == pair.0 && symbols.get(read + 1) == Some(&pair.1);
        symbols[written] = if found { merged } else { symbols[read] };
        n += u64::from(found);
        read += 1 + usize::from(found);
        written += 1;
    }
    symbols.truncate(written);
    n
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SIZE: usize = 40;

    fn symbols(word: &str, prefix: &str) -> Vec<String> {
        let symbol = |(i, c): (usize, char)| if i == 0 { c.into() } else { format!("{prefix}{c}") };
        word.chars().enumerate().map(symbol).collect()
    }

    /// Counts everything anew for each merge.
    fn slow(
        words: &BTreeMap<String, u64>,
        score: MergeScore,
        min_frequency: u64,
        prefix: &str,
    ) -> (Vec<(String, String)>, Vec<Vec<String>>) {
        let mut words: Vec<(Vec<String>, u64)> =
            words.iter().map(|(word, count)| (symbols(word, prefix), *count)).collect();
        let mut known: Vec<String> = Vec::new();
        let add = |known: &mut Vec<String>, symbol: &String| {
            if !known.contains(symbol) {
                known.push(symbol.clone());
            }
        };
        words.iter().flat_map(|(word, _)| word).for_each(|symbol| add(&mut known, symbol));
        let mut merges: Vec<(String, String)> = Vec::new();
        while known.len() < SIZE {
            let (mut pairs, mut single) = (BTreeMap::new(), BTreeMap::new());
            for (word, count) in &words {
                for symbol in word {
                    *single.entry(symbol.clone()).or_insert(0) += count;
                }
                for pair in word.windows(2) {
                    *pairs.entry((pair[0].clone(), pair[1].clone())).or_insert(0) += count;
                }
            }
            let best = pairs.into_iter().filter(|(_, count)| *count >= min_frequency).max_by(
                |(a, n), (b, m)| {
                    let value = |(left, right): &(String, String), count: u64| match score {
                        MergeScore::Count => 0.0,
                        MergeScore::Likelihood => {
                            count as f64 / (single[left] as f64 * single[right] as f64)
                        }
                    };
                    value(a, *n).total_cmp(&value(b, *m)).then(n.cmp(m)).then(b.cmp(a))
                },
            );
            let Some((pair, _)) = best else { break };
            let joined = |pair: &(String, String)| {
                [&*pair.0, pair.1.strip_prefix(prefix).unwrap_or(&pair.1)].concat()
            };
            add(&mut known, &joined(&pair));
            merges.push(pair);
            for (word, _) in &mut words {
                // As who encodes: the oldest merge that is possible, until there is none.
                let possible = |word: &[String], pair: &(String, String)| {
                    word.windows(2).any(|found| found[0] == pair.0 && found[1] == pair.1)
                };
                while let Some(pair) = merges.iter().find(|pair| possible(word, pair)) {
                    let mut next = Vec::new();
                    let mut rest = word.iter();
                    while let Some(symbol) = rest.next() {
                        if *symbol == pair.0 && rest.as_slice().first() == Some(&pair.1) {
                            rest.next();
                            next.push(joined(pair));
                        } else {
                            next.push(symbol.clone());
                        }
                    }
                    *word = next;
                }
            }
        }
        (merges, words.into_iter().map(|(word, _)| word).collect())
    }

    proptest! {
        #[test]
        fn counts_that_are_kept_are_counts_made_anew(
            words in prop::collection::btree_map("[abc]{1,9}", 1..6u64, 0..12),
            prefix in "(##)?",
            likelihood: bool,
            min_frequency in 0..4u64,
        ) {
            let score = if likelihood { MergeScore::Likelihood } else { MergeScore::Count };
            let mut pairs = PairMerges::new(score, min_frequency, &prefix);
            for (word, count) in &words {
                let word = symbols(word, &prefix).iter().map(|s| pairs.symbol(s)).collect();
                pairs.word(word, *count);
            }
            let merges = pairs.grow(SIZE).unwrap();
            let (expected, segmentations) = slow(&words, score, min_frequency, &prefix);
            prop_assert_eq!(merges, expected);
            prop_assert_eq!(pairs.segmentations().collect::<Vec<_>>(), segmentations);
        }
    }

    #[test]
    fn words_that_are_too_many_are_refused() {
        let mut pairs = PairMerges::new(MergeScore::Count, 1, "");
        let a = pairs.symbol("a");
        pairs.word(vec![a, a], u64::MAX / 2 + 1);
        assert!(pairs.grow(9).is_err());
    }
}
