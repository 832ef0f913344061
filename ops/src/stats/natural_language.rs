//! Natural-language statistics: how well a vocabulary covers sequences of tokens, and what they hold.
//!
//! Computed where the schema gives a feature a `natural_language_domain` with a vocabulary, excluded
//! or out-of-vocabulary tokens. Tokens are numbers, looked up in the vocabulary, or texts. The result
//! is TFDV's message `NaturalLanguageStatistics`, packed as the custom statistic `nl_statistics`, and
//! the numbers are those of its `natural_language_stats_generator.py`, except that
//! - lengths are counted exactly (its sketch was meant for 2^32 elements and got 2 ^ 32 = 34);
//! - tokens of the vocabulary are counted exactly, whatever their number;
//! - the least sequence length is the least, also if it is 0 and others follow.
//!
//! ```text
//!  values ─► indices into `Tokens` ─► per sequence: counts, positions, lengths
//!                                     └► the five least covered and shortest-worded sequences
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use engine::{CombineFn, Error, Result};
use serde::{Deserialize, Serialize};

use super::custom::{self, Val};
use super::generator::feature_stats;
use super::histogram::quantiles_histogram;
use super::{Column, Generator, Kind, Patch};
use crate::sketch::Quantiles;
use crate::sketch::misra_gries::MisraGries;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::histogram::Bucket;
use crate::tfmd::natural_language_statistics::TokenStatistics;
use crate::tfmd::{
    Histogram, NaturalLanguageDomain, NaturalLanguageStatistics, RankHistogram,
    WeightedNaturalLanguageStatistics, pack, rank_histogram,
};
use sequences::{Kept, Piece};
use tokens::{Sought, Tokens};

mod sequences;
mod tokens;

pub(super) const GENERATOR: Generator = Generator {
    name: "natural_language",
    doc: "coverage by a vocabulary, lengths, positions and frequencies of tokens",
    new: |feature| {
        let Some(DomainInfo::NaturalLanguageDomain(domain)) = &feature.schema?.domain_info else {
            return None;
        };
        let is_text = match feature.kind {
            Kind::Int => false,
            Kind::String => true,
            Kind::Float | Kind::Struct => return None,
        };
        let coverage = domain.coverage.clone().unwrap_or_default();
        let vocabulary = domain.vocabulary.clone().unwrap_or_default();
        if vocabulary.is_empty()
            && coverage.excluded_string_tokens.is_empty()
            && coverage.excluded_int_tokens.is_empty()
            && coverage.oov_string_tokens.is_empty()
        {
            return None;
        }
        let options = feature.options;
        let lines = options.vocabularies.iter().find(|(name, _)| *name == vocabulary);
        Some(feature_stats(NaturalLanguage {
            feature: feature.path.to_string(),
            is_text,
            domain: domain.clone(),
            vocabulary,
            lines: lines.map(|(_, lines)| lines.clone()),
            tokens: OnceLock::new(),
            n_position_buckets: options.num_histogram_buckets,
            n_length_buckets: options.num_quantiles_histogram_buckets,
            n_ranks: options.num_rank_histogram_buckets,
            epsilon: options.epsilon,
        }))
    },
};

/// As many texts outside the vocabulary as TFDV keeps of all.
const N_OTHERS: usize = 16_384;

struct NaturalLanguage {
    feature: String,
    is_text: bool,
    domain: NaturalLanguageDomain,
    vocabulary: String,
    lines: Option<Arc<Vec<Vec<u8>>>>,
    /// Made when first needed: merging states needs no vocabulary.
    tokens: OnceLock<Tokens>,
    n_position_buckets: usize,
    n_length_buckets: usize,
    n_ranks: usize,
    epsilon: f64,
}

impl NaturalLanguage {
    fn tokens(&self) -> Result<&Tokens> {
        if self.lines.is_none() && !self.vocabulary.is_empty() {
            return Err(Error::invalid(format!(
                "the vocabulary `{}` of feature `{}` is not given",
                self.vocabulary, self.feature
            ))
            .with_detail("The schema names it in the feature's natural-language domain.")
            .with_hint("Pass the vocabulary's file, or take the domain out of the schema."));
        }
        let lines = self.lines.as_ref().map(|lines| lines.as_slice());
        Ok(self.tokens.get_or_init(|| Tokens::new(self.is_text, &self.domain, lines)))
    }
}

/// What was counted; whole numbers, but for weights, which are added row by row.
#[derive(Serialize, Deserialize)]
struct Acc {
    n_sequences: u64,
    n_filled: u64,
    /// Number of occurrences by index of [`Tokens`]; short or empty where the rest are 0.
    counts: Vec<u64>,
    weights: Vec<f64>,
    /// Texts that [`Tokens`] does not hold: by their length in characters, and the frequent ones.
    other_lengths: BTreeMap<u64, Tally>,
    others: MisraGries,
    weighted_others: MisraGries,
    sequence_lengths: BTreeMap<u64, Tally>,
    sought: Vec<Occurrences>,
    least_covered: Kept,
    shortest_tokens: Kept,
    weighted: bool,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Tally {
    n: u64,
    weight: f64,
}

impl Tally {
    fn add(&mut self, n: u64, weight: f64) {
        self.n += n;
        self.weight += weight;
    }
}

/// Where one sought token occurs.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Occurrences {
    frequency: u64,
    n_sequences: u64,
    range: Option<(u64, u64)>,
    /// By place in the sequence, relative to its length.
    positions: Vec<u64>,
}

impl Occurrences {
    fn widen(&mut self, (low, high): (u64, u64)) {
        let (min, max) = self.range.unwrap_or((low, high));
        self.range = Some((min.min(low), max.max(high)));
    }
}

/// Adds `b` to `a`, which may be shorter.
fn add_all<T: Copy + Default + std::ops::AddAssign>(a: &mut Vec<T>, b: &[T]) {
    if a.len() < b.len() {
        a.resize(b.len(), T::default());
    }
    for (a, &b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

fn add_tallies(a: &mut BTreeMap<u64, Tally>, b: &BTreeMap<u64, Tally>) {
    for (&length, tally) in b {
        a.entry(length).or_default().add(tally.n, tally.weight);
    }
}

impl CombineFn for NaturalLanguage {
    type Input = Column;
    type Accumulator = Acc;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> Acc {
        Acc {
            n_sequences: 0,
            n_filled: 0,
            counts: Vec::new(),
            weights: Vec::new(),
            other_lengths: BTreeMap::new(),
            others: MisraGries::new(N_OTHERS),
            weighted_others: MisraGries::new(N_OTHERS),
            sequence_lengths: BTreeMap::new(),
            sought: Vec::new(),
            least_covered: Kept::default(),
            shortest_tokens: Kept::default(),
            weighted: false,
        }
    }

    fn add_input(&self, acc: &mut Acc, column: &Column) -> Result<()> {
        let tokens = self.tokens()?;
        let ids = tokens.ids(&column.values);
        let n_levels = column.levels.len();
        let level = &column.levels[n_levels - 1];
        let weights = column.weights_of(n_levels - 1);
        acc.counts.resize(tokens.len(), 0);
        acc.sought.resize(tokens.sought.len(), Occurrences::default());
        if weights.is_some() {
            acc.weighted = true;
            acc.weights.resize(tokens.len(), 0.0);
        }
        let mut n_here = vec![0_u64; tokens.sought.len()];
        for i in (0..level.n_parents).filter(|&i| level.is_present(i)) {
            let slots = match &level.offsets {
                Some(offsets) => offsets[i] as usize..offsets[i + 1] as usize,
                None => i..i + 1,
            };
            acc.n_sequences += 1;
            if slots.is_empty() {
                continue;
            }
            acc.n_filled += 1;
            let weight = weights.as_ref().map_or(0.0, |weights| weights[i]);
            let row = &ids[slots.clone()];
            let (mut n_covered, mut n_chars, mut excluded) = (0_u64, 0_u64, 0_u64);
            for (at, &id) in row.iter().enumerate() {
                let token = tokens.token(id);
                acc.counts[id as usize] += 1;
                n_covered += u64::from(token.covers);
                n_chars += u64::from(token.n_chars);
                excluded += u64::from(token.excluded_from_length);
                if id == tokens::OTHER_TEXT {
                    let text = Tokens::bytes(&column.values, slots.start + at);
                    let length = tokens::n_chars(text);
                    n_chars += length;
                    acc.other_lengths.entry(length).or_default().add(1, weight);
                    acc.others.add(text, 1.0);
                    if acc.weighted {
                        acc.weighted_others.add(text, weight);
                    }
                }
                for &sought in token.sought.iter().filter(|&&sought| sought != tokens::NONE) {
                    // The same steps as in TFDV, so that borders fall the same way.
                    let place = at as f64 / row.len() as f64 * self.n_position_buckets as f64;
                    let occurrences = &mut acc.sought[sought as usize];
                    occurrences.frequency += 1;
                    if occurrences.positions.len() <= place as usize {
                        occurrences.positions.resize(place as usize + 1, 0);
                    }
                    occurrences.positions[place as usize] += 1;
                    n_here[sought as usize] += 1;
                }
            }
            for (occurrences, n) in acc.sought.iter_mut().zip(&mut n_here) {
                occurrences.n_sequences += u64::from(*n > 0);
                occurrences.widen((*n, *n));
                *n = 0;
            }
            if acc.weighted {
                for &id in row {
                    acc.weights[id as usize] += weight;
                }
            }
            let length = (row.len() as u64).saturating_sub(excluded);
            acc.sequence_lengths.entry(length).or_default().add(1, weight);

            let pieces = || -> Vec<Piece> {
                slots.clone().map(|slot| tokens.piece(&column.values, slot, ids[slot])).collect()
            };
            acc.least_covered.offer(n_covered as f64 / row.len() as f64, pieces);
            let average = if n_covered == 0 { 0.0 } else { n_chars as f64 / n_covered as f64 };
            acc.shortest_tokens.offer(average, pieces);
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Acc, other: Acc) -> Result<()> {
        acc.n_sequences += other.n_sequences;
        acc.n_filled += other.n_filled;
        acc.weighted |= other.weighted;
        add_all(&mut acc.counts, &other.counts);
        add_all(&mut acc.weights, &other.weights);
        add_tallies(&mut acc.other_lengths, &other.other_lengths);
        add_tallies(&mut acc.sequence_lengths, &other.sequence_lengths);
        acc.others.merge(other.others);
        acc.weighted_others.merge(other.weighted_others);
        if acc.sought.len() < other.sought.len() {
            acc.sought.resize(other.sought.len(), Occurrences::default());
        }
        for (a, b) in acc.sought.iter_mut().zip(&other.sought) {
            a.frequency += b.frequency;
            a.n_sequences += b.n_sequences;
            add_all(&mut a.positions, &b.positions);
            if let Some(range) = b.range {
                a.widen(range);
            }
        }
        acc.least_covered.merge(other.least_covered);
        acc.shortest_tokens.merge(other.shortest_tokens);
        Ok(())
    }

    fn extract_output(&self, mut acc: Acc) -> Result<Patch> {
        let tokens = self.tokens()?;
        acc.counts.resize(tokens.len(), 0);
        let mut message = self.message(tokens, &acc);
        if acc.weighted {
            acc.weights.resize(tokens.len(), 0.0);
            message.weighted_nl_statistics = Some(self.weighted_message(tokens, &acc));
        }
        let any = pack(&message);
        Ok(Box::new(move |message| custom::add(message, "nl_statistics", Val::Any(any))))
    }
}

/// What the counts, or the weights, say about tokens.
struct Sums {
    coverage: f64,
    avg_token_length: f64,
    token_lengths: Option<Histogram>,
    sequence_lengths: Option<Histogram>,
    ranks: RankHistogram,
}

impl NaturalLanguage {
    /// Sums up counts or weights, `of` says which part of a [`Tally`].
    fn sums(
        &self,
        tokens: &Tokens,
        count: impl Fn(usize) -> f64,
        acc: &Acc,
        others: &MisraGries,
        of: fn(&Tally) -> f64,
    ) -> Sums {
        let mut lengths = BTreeMap::<u64, f64>::new();
        let mut ranks = BTreeMap::<&str, f64>::new();
        let (mut n_tokens, mut n_known) = (0.0, 0.0);
        for id in 0..tokens.len() {
            let (token, n) = (tokens.token(id as u32), count(id));
            if n == 0.0 || !token.counted {
                continue;
            }
            n_tokens += n;
            n_known += if token.known { n } else { 0.0 };
            if let Some(text) = tokens.text(id).filter(|_| token.known) {
                *lengths.entry(token.n_chars.into()).or_default() += n;
                *ranks.entry(text).or_default() += n;
            }
        }
        for (&length, tally) in &acc.other_lengths {
            *lengths.entry(length).or_default() += of(tally);
        }
        let n_chars: f64 = lengths.iter().map(|(&length, n)| length as f64 * n).sum();
        let mut ranks: Vec<(String, f64)> =
            ranks.into_iter().map(|(text, n)| (text.to_owned(), n)).collect();
        ranks.extend(others.iter().map(|(text, n)| (tokens::label(text), n)));
        ranks.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        ranks.truncate(self.n_ranks);
        let ranks = ranks.into_iter().enumerate().map(|(i, (label, sample_count))| {
            let rank = i as u64;
            rank_histogram::Bucket { low_rank: rank, high_rank: rank, label, sample_count }
        });
        let sequence_lengths = acc.sequence_lengths.iter().map(|(&length, n)| (length, of(n)));
        let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
        Sums {
            coverage: ratio(n_known, n_tokens),
            avg_token_length: ratio(n_chars, n_known),
            sequence_lengths: self.lengths(sequence_lengths),
            token_lengths: self.lengths(lengths),
            ranks: RankHistogram { buckets: ranks.collect(), ..Default::default() },
        }
    }

    fn lengths(&self, counts: impl IntoIterator<Item = (u64, f64)>) -> Option<Histogram> {
        let mut quantiles = Quantiles::<f64>::new(self.epsilon);
        for (length, n) in counts {
            quantiles.push_weighted(length as f64, n);
        }
        if quantiles.is_empty() || self.n_length_buckets == 0 {
            return None;
        }
        let (q, c) = quantiles.quantiles_and_cumulative_weights(self.n_length_buckets);
        Some(quantiles_histogram(&q, &c))
    }

    fn message(&self, tokens: &Tokens, acc: &Acc) -> NaturalLanguageStatistics {
        let count = |id: usize| acc.counts[id] as f64;
        let sums = self.sums(tokens, count, acc, &acc.others, |tally| tally.n as f64);
        let sought = tokens.sought.iter().zip(&acc.sought);
        let sought = sought.filter(|(sought, _)| sought.is_countable && acc.n_filled > 0);
        let length = |range: Option<(&u64, &Tally)>| range.map_or(0, |(&length, _)| length as i64);
        NaturalLanguageStatistics {
            feature_coverage: sums.coverage,
            avg_token_length: sums.avg_token_length,
            token_length_histogram: sums.token_lengths,
            min_sequence_length: length(acc.sequence_lengths.first_key_value()),
            max_sequence_length: length(acc.sequence_lengths.last_key_value()),
            sequence_length_histogram: sums.sequence_lengths,
            reported_sequences: acc
                .least_covered
                .texts()
                .chain(acc.shortest_tokens.texts())
                .collect(),
            token_statistics: sought.map(|(s, o)| self.sought(s, o, acc.n_sequences)).collect(),
            rank_histogram: Some(sums.ranks).filter(|ranks| !ranks.buckets.is_empty()),
            ..Default::default()
        }
    }

    fn weighted_message(&self, tokens: &Tokens, acc: &Acc) -> WeightedNaturalLanguageStatistics {
        let weight = |id: usize| acc.weights[id];
        let sums = self.sums(tokens, weight, acc, &acc.weighted_others, |tally| tally.weight);
        WeightedNaturalLanguageStatistics {
            feature_coverage: sums.coverage,
            avg_token_length: sums.avg_token_length,
            token_length_histogram: sums.token_lengths,
            sequence_length_histogram: sums.sequence_lengths,
            rank_histogram: Some(sums.ranks).filter(|ranks| !ranks.buckets.is_empty()),
            ..Default::default()
        }
    }

    fn sought(&self, sought: &Sought, found: &Occurrences, n_sequences: u64) -> TokenStatistics {
        let mut message =
            TokenStatistics { token: Some(sought.token.clone()), ..Default::default() };
        if found.n_sequences == 0 {
            return message;
        }
        let (min, max) = found.range.unwrap_or_default();
        let n_buckets = self.n_position_buckets as f64;
        let positions = found.positions.iter().enumerate().filter(|&(_, &n)| n > 0);
        let buckets = positions.map(|(i, &n)| Bucket {
            low_value: i as f64 / n_buckets,
            high_value: (i + 1) as f64 / n_buckets,
            sample_count: n as f64,
        });
        message.frequency = found.frequency as f64;
        message.fraction_of_sequences = found.n_sequences as f64 / n_sequences as f64;
        message.per_sequence_min_frequency = min as f64;
        message.per_sequence_max_frequency = max as f64;
        message.per_sequence_avg_frequency = found.frequency as f64 / found.n_sequences as f64;
        message.positions = Some(Histogram { buckets: buckets.collect(), ..Default::default() });
        message
    }
}

#[cfg(test)]
mod tests;
