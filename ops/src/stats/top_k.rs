//! `TopK`: the number of distinct values of each feature and the most frequent of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use engine::{CombineFn, Error, ErrorKind, KeyedBlock, Result};
use serde::{Deserialize, Serialize};

use super::generator::bytes;
use super::value_counts::{GroupName, KeyKind, Tally, float_key, float_of};
use super::{FeaturePath, StatsOptions};
use crate::tfmd::feature_name_statistics::{FieldId, Stats};
use crate::tfmd::rank_histogram::Bucket;
use crate::tfmd::string_statistics::FreqAndValue;
use crate::tfmd::{
    DatasetFeatureStatisticsList, RankHistogram, StringStatistics, WeightedStringStatistics,
};

/// How TFDV shows a value that is not UTF-8.
pub(crate) const BYTES_VALUE: &str = "__BYTES_VALUE__";

/// Reduces exact counts to `unique`, `top_values` and `rank_histogram`.
///
/// The order is total (count descending, then value descending; a value comes once), so what is
/// kept does not depend on the order of blocks.
pub struct TopK<S> {
    options: Arc<StatsOptions>,
    of: PhantomData<fn() -> S>,
}

impl<S> TopK<S> {
    /// For these options.
    pub fn new(options: Arc<StatsOptions>) -> Self {
        TopK { options, of: PhantomData }
    }

    fn k(&self) -> usize {
        self.options.num_top_values.max(self.options.num_rank_histogram_buckets)
    }
}

/// The accumulator of [`TopK`]: what is known of each group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TopKAcc {
    groups: BTreeMap<Bytes, Ranks>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ranks {
    n_unique: u64,
    by_count: Best,
    by_weight: Best,
}

/// Byte strings, serialized as one block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Bytes(#[serde(with = "bytes")] pub(super) Vec<u8>);

/// The best entries seen, and up to as many again that may yet turn out not to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Best {
    entries: Vec<(u64, Bytes)>,
    /// Entries that do not beat this one are not among the best.
    floor: Option<(u64, Bytes)>,
}

/// Best first.
fn rank(a: &(u64, Bytes), b: &(u64, Bytes)) -> Ordering {
    b.cmp(a)
}

impl Best {
    pub(super) fn push(&mut self, k: usize, rank: u64, key: &[u8]) {
        if self.floor.as_ref().is_some_and(|(r, floor)| (rank, key) < (*r, &floor.0)) {
            return;
        }
        self.entries.push((rank, Bytes(key.to_vec())));
        if self.entries.len() >= k.saturating_mul(2).max(64) {
            self.shrink(k);
        }
    }

    pub(super) fn merge(&mut self, k: usize, other: Best) {
        for (rank, key) in other.entries {
            self.push(k, rank, &key.0);
        }
    }

    fn shrink(&mut self, k: usize) {
        if self.entries.len() > k {
            if k > 0 {
                self.entries.select_nth_unstable_by(k - 1, rank);
            }
            self.entries.truncate(k);
            self.floor = self.entries.last().cloned();
        }
    }

    /// The best `k`, best first.
    pub(super) fn sorted(mut self, k: usize) -> Vec<(u64, Bytes)> {
        self.entries.sort_unstable_by(rank);
        self.entries.truncate(k);
        self.entries
    }
}

impl<S: Tally> CombineFn for TopK<S> {
    type Input = KeyedBlock<S>;
    type Accumulator = TopKAcc;
    type Output = FeatureRanks;

    fn name(&self) -> &'static str {
        "top_k"
    }

    fn create_accumulator(&self) -> TopKAcc {
        TopKAcc::default()
    }

    fn add_input(&self, acc: &mut TopKAcc, block: &KeyedBlock<S>) -> Result<()> {
        let name = GroupName::decode(&block.group).ok_or_else(damaged)?;
        let ranks = acc.groups.entry(Bytes(block.group.to_vec())).or_default();
        ranks.n_unique += block.len() as u64;
        // From the last key back: of equal counts the greatest key is best, so that among many
        // values of one count almost none is taken in.
        for i in (0..block.len()).rev() {
            let start = if i == 0 { 0 } else { block.ends[i - 1] as usize };
            let (key, state) = (&block.bytes[start..block.ends[i] as usize], &block.states[i]);
            ranks.by_count.push(self.k(), state.count(), key);
            if name.weighted {
                ranks.by_weight.push(self.k(), float_key(state.weight()), key);
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut TopKAcc, other: TopKAcc) -> Result<()> {
        for (name, other) in other.groups {
            let ranks = acc.groups.entry(name).or_default();
            ranks.n_unique += other.n_unique;
            ranks.by_count.merge(self.k(), other.by_count);
            ranks.by_weight.merge(self.k(), other.by_weight);
        }
        Ok(())
    }

    fn compact(&self, acc: &mut TopKAcc) {
        for ranks in acc.groups.values_mut() {
            ranks.by_count.shrink(self.k());
            ranks.by_weight.shrink(self.k());
        }
    }

    fn extract_output(&self, acc: TopKAcc) -> Result<FeatureRanks> {
        let options = &*self.options;
        let mut features = BTreeMap::new();
        for (name, ranks) in acc.groups {
            let name = GroupName::decode(&name.0).ok_or_else(damaged)?;
            let counts = ranks.by_count.sorted(self.k()).into_iter();
            let counts = counts.map(|(count, key)| (count as f64, label(name.keys, &key.0)));
            let threshold = options.frequency_threshold as f64;
            let (top_values, rank_histogram) = lists(counts, threshold, options);
            let weights = ranks.by_weight.sorted(self.k()).into_iter();
            let weights = weights.map(|(bits, key)| (float_of(bits), label(name.keys, &key.0)));
            let threshold = options.weighted_frequency_threshold;
            let weighted = lists(weights, threshold, options);
            let weighted = (weighted != (Vec::new(), None)).then_some(WeightedStringStatistics {
                top_values: weighted.0,
                rank_histogram: weighted.1,
            });
            let stats = StringStatistics {
                unique: ranks.n_unique,
                top_values,
                rank_histogram,
                weighted_string_stats: weighted,
                ..StringStatistics::default()
            };
            features.insert((name.slice, name.path), stats);
        }
        Ok(FeatureRanks { features })
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Incompatible, "the name of a group of value counts cannot be read")
}

/// What is shown for a key.
pub(super) fn label(keys: KeyKind, key: &[u8]) -> String {
    keys.label(key).unwrap_or_else(|| BYTES_VALUE.to_owned())
}

/// `top_values` and `rank_histogram` of entries that come best first; both end at the first entry
/// below the threshold. Without entries there is no histogram.
pub(super) fn lists(
    entries: impl Iterator<Item = (f64, String)>,
    threshold: f64,
    options: &StatsOptions,
) -> (Vec<FreqAndValue>, Option<RankHistogram>) {
    let (mut top_values, mut buckets) = (Vec::new(), Vec::new());
    for (i, (frequency, value)) in entries.enumerate() {
        if frequency < threshold {
            break;
        }
        if i < options.num_top_values {
            let value = value.clone();
            top_values.push(FreqAndValue { value, frequency });
        }
        if i < options.num_rank_histogram_buckets {
            let rank = i as u64;
            buckets.push(Bucket {
                low_rank: rank,
                high_rank: rank,
                label: value,
                sample_count: frequency,
            });
        }
    }
    let histogram =
        (!buckets.is_empty()).then_some(RankHistogram { buckets, ..RankHistogram::default() });
    (top_values, histogram)
}

/// The distinct and the most frequent values of every feature of every slice.
#[derive(Clone, Debug, Default)]
pub struct FeatureRanks {
    features: BTreeMap<(String, FeaturePath), StringStatistics>,
}

impl FeatureRanks {
    /// Adds them to the features' messages.
    pub fn patch(mut self, list: &mut DatasetFeatureStatisticsList) {
        for dataset in &mut list.datasets {
            for feature in &mut dataset.features {
                let (Some(FieldId::Path(path)), Some(Stats::StringStats(stats))) =
                    (&feature.field_id, &mut feature.stats)
                else {
                    continue;
                };
                let key = (dataset.name.clone(), FeaturePath::new(path.step.clone()));
                if let Some(ranks) = self.features.remove(&key) {
                    stats.unique = ranks.unique;
                    stats.top_values = ranks.top_values;
                    stats.rank_histogram = ranks.rank_histogram;
                    stats.weighted_string_stats = ranks.weighted_string_stats;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::KeyState;

    use super::super::value_counts::WeightedCount;
    use super::*;

    fn options(top: usize, rank: usize) -> Arc<StatsOptions> {
        Arc::new(StatsOptions {
            num_top_values: top,
            num_rank_histogram_buckets: rank,
            ..StatsOptions::default()
        })
    }

    fn group(keys: KeyKind, weighted: bool) -> Arc<[u8]> {
        let path = FeaturePath::column("x");
        GroupName { slice: String::new(), path, keys, weighted }.encode().into()
    }

    /// Blocks of some keys each, as two workers would give them.
    fn blocks<S: Tally>(name: &Arc<[u8]>, counts: &[(Vec<u8>, S)], n: usize) -> Vec<KeyedBlock<S>> {
        let mut sorted = counts.to_vec();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut blocks: Vec<KeyedBlock<S>> = Vec::new();
        for worker in 0..2 {
            let own = sorted.iter().enumerate().filter(|(i, _)| i % 2 == worker);
            let own: Vec<_> = own.map(|(_, entry)| entry).collect();
            for chunk in own.chunks(n) {
                let mut block = KeyedBlock::new(name.clone());
                for (key, state) in chunk {
                    block.push(key, state.clone());
                }
                blocks.push(block);
            }
        }
        blocks
    }

    fn reduce<S: Tally>(options: &Arc<StatsOptions>, blocks: &[KeyedBlock<S>]) -> StringStatistics {
        let top_k = TopK::<S>::new(options.clone());
        let mut results = Vec::new();
        for cut in 0..=blocks.len() {
            let mut parts = [&blocks[..cut], &blocks[cut..]].map(|blocks| {
                let mut acc = top_k.create_accumulator();
                for block in blocks {
                    top_k.add_input(&mut acc, block).unwrap();
                }
                top_k.compact(&mut acc);
                postcard::from_bytes::<TopKAcc>(&postcard::to_stdvec(&acc).unwrap()).unwrap()
            });
            if cut % 2 == 0 {
                parts.reverse();
            }
            let [mut acc, other] = parts;
            top_k.merge_accumulators(&mut acc, other).unwrap();
            results.push(top_k.extract_output(acc).unwrap());
        }
        let first = results[0].features.clone();
        assert!(results.iter().all(|result| result.features == first));
        first.into_values().next().unwrap_or_default()
    }

    fn top(stats: &StringStatistics) -> Vec<(&str, f64)> {
        stats.top_values.iter().map(|top| (&*top.value, top.frequency)).collect()
    }

    #[test]
    fn counts_then_values_descending() {
        let name = group(KeyKind::Text, false);
        let counts: [(&[u8], u64); 6] =
            [(b"b", 2), (b"a", 2), (b"\xff", 2), (b"\xfe", 1), (b"", 7), (b"z", 1)];
        let counts = counts.map(|(key, n)| (key.to_vec(), n));
        let stats = reduce(&options(4, 5), &blocks(&name, &counts, 1));
        assert_eq!(stats.unique, 6);
        assert_eq!(top(&stats), [("", 7.0), (BYTES_VALUE, 2.0), ("b", 2.0), ("a", 2.0)]);
        let buckets = stats.rank_histogram.unwrap().buckets;
        assert_eq!(buckets.len(), 5);
        assert_eq!((buckets[4].low_rank, buckets[4].high_rank), (4, 4));
        assert_eq!((&*buckets[4].label, buckets[4].sample_count), (BYTES_VALUE, 1.0));
        assert_eq!(stats.weighted_string_stats, None);
    }

    #[test]
    fn integers_tie_by_value() {
        let name = group(KeyKind::Int, false);
        let counts: Vec<_> = [9, 10, -5, i64::MIN]
            .iter()
            .map(|&i| (super::super::value_counts::int_key(i).to_be_bytes().to_vec(), 1))
            .collect();
        let stats = reduce::<u64>(&options(20, 0), &blocks(&name, &counts, 2));
        let expected = [("10", 1.0), ("9", 1.0), ("-5", 1.0), ("-9223372036854775808", 1.0)];
        assert_eq!(top(&stats), expected);
        assert_eq!(stats.rank_histogram, None);
    }

    #[test]
    fn the_best_of_many() {
        let name = group(KeyKind::Text, false);
        let mut counts: Vec<(Vec<u8>, u64)> =
            (0..5000u64).map(|i| (format!("{i:05}").into_bytes(), 1 + i * 7919 % 100)).collect();
        let stats = reduce(&options(7, 30), &blocks(&name, &counts, 700));
        counts.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
        let expected: Vec<_> = counts.iter().map(|(key, n)| (key.clone(), *n as f64)).collect();
        let found = stats.rank_histogram.unwrap().buckets;
        let found: Vec<_> =
            found.into_iter().map(|b| (b.label.into_bytes(), b.sample_count)).collect();
        assert_eq!(found, expected[..30]);
        assert_eq!((stats.unique, stats.top_values.len()), (5000, 7));
    }

    #[test]
    fn thresholds_end_both_lists() {
        let name = group(KeyKind::Text, true);
        let counts: Vec<(Vec<u8>, WeightedCount)> = [("a", 5, 0.5), ("b", 2, 8.0), ("c", 1, 0.25)]
            .iter()
            .map(|&(key, n, weight): &(&str, i32, f64)| {
                let mut tally = WeightedCount::default();
                (0..n).for_each(|_| tally.add(weight));
                let mut bytes = Vec::new();
                tally.encode(&mut bytes);
                (key.into(), WeightedCount::decode(&mut bytes.as_slice()).unwrap())
            })
            .collect();
        let mut options = StatsOptions::clone(&options(20, 1000));
        options.frequency_threshold = 2;
        let stats = reduce(&Arc::new(options), &blocks(&name, &counts, 1));
        assert_eq!(top(&stats), [("a", 5.0), ("b", 2.0)]);
        let weighted = stats.weighted_string_stats.unwrap();
        let weighted: Vec<_> =
            weighted.top_values.iter().map(|top| (&*top.value, top.frequency)).collect();
        assert_eq!(weighted, [("b", 16.0), ("a", 2.5)]);
    }

    #[test]
    fn results_find_their_feature() {
        let name = group(KeyKind::Text, false);
        let counts = [(b"v".to_vec(), 3u64)];
        let top_k = TopK::<u64>::new(options(20, 1000));
        let mut acc = top_k.create_accumulator();
        top_k.add_input(&mut acc, &blocks(&name, &counts, 1)[0]).unwrap();
        let ranks = top_k.extract_output(acc).unwrap();
        let feature = crate::tfmd::FeatureNameStatistics {
            field_id: Some(FieldId::Path(FeaturePath::column("x").to_proto())),
            stats: Some(Stats::StringStats(StringStatistics::default())),
            ..Default::default()
        };
        let dataset =
            crate::tfmd::DatasetFeatureStatistics { features: vec![feature], ..Default::default() };
        let other = crate::tfmd::DatasetFeatureStatistics { name: "s".into(), ..dataset.clone() };
        let mut list = DatasetFeatureStatisticsList { datasets: vec![dataset, other] };
        ranks.patch(&mut list);
        let unique = list.datasets.iter().map(|dataset| match &dataset.features[0].stats {
            Some(Stats::StringStats(stats)) => stats.unique,
            _ => unreachable!(),
        });
        assert_eq!(unique.collect::<Vec<_>>(), [1, 0]);
    }
}
