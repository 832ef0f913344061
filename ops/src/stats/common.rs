//! Presence and valency: what every feature of every type has, at every nest level.

use engine::{Error, Result};
use serde::{Deserialize, Serialize};

use super::column::Level;
use super::histogram::{quantiles_histogram, standard_histogram};
use super::{Column, FeaturePath, StatsOptions};
use crate::sketch::{ExactSum, Quantiles};
use crate::tfmd::custom_statistic::Val;
use crate::tfmd::{
    CommonStatistics, CustomStatistic, Histogram, PresenceAndValencyStatistics,
    WeightedCommonStatistics,
};

/// The state of a feature's common statistics.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CommonAcc {
    /// Outermost first.
    levels: Vec<LevelAcc>,
    /// Of a feature of several levels: innermost values of every present example.
    innermost: Lengths,
    weighted: bool,
}

/// One nest level.
#[derive(Debug, Default, Serialize, Deserialize)]
struct LevelAcc {
    n_present: u64,
    n_values: u64,
    /// Values of every present parent.
    lengths: Lengths,
    weighted_present: ExactSum,
    weighted_values: ExactSum,
}

impl CommonAcc {
    /// Adds a column; `is_typed`: whether a value with a type has been added before.
    pub(crate) fn add(
        &mut self,
        column: &Column,
        is_typed: bool,
        options: &StatsOptions,
    ) -> Result<()> {
        let epsilon = options.epsilon;
        let n_values = column.levels.last().map_or(0, n_values);
        let is_open = column.kind().is_none() || n_values == 0;
        self.agree(&column.path, is_typed, column.levels.len(), is_open)?;
        self.weighted |= column.weights.is_some();
        for (i, (acc, level)) in self.levels.iter_mut().zip(&column.levels).enumerate() {
            acc.n_present += level.n_present() as u64;
            acc.n_values += self::n_values(level);
            acc.lengths.add_level(level, epsilon);
            if let Some(weights) = column.weights_of(i) {
                acc.add_weights(level, &weights);
            }
        }
        if column.levels.len() < self.levels.len() {
            self.innermost.merge(Lengths::of_empty(column.levels[0].n_present() as u64));
        } else if self.levels.len() > 1 {
            add_innermost(&mut self.innermost, &column.levels, epsilon);
        }
        Ok(())
    }

    /// The state of this feature where no example has it.
    pub(crate) fn absent(&self) -> CommonAcc {
        let levels = self.levels.iter().map(|_| LevelAcc::default()).collect();
        CommonAcc { levels, innermost: Lengths::default(), weighted: self.weighted }
    }

    /// Makes room for so many nest levels. How many there are is open as long as nothing has a type, or
    /// there are no values; all values are missing in levels of which nothing is known.
    fn agree(
        &mut self,
        path: &FeaturePath,
        is_typed: bool,
        n_levels: usize,
        is_open: bool,
    ) -> Result<()> {
        let mine = self.levels.len();
        if mine < n_levels && (!is_typed || self.is_empty()) {
            if mine == 1 {
                self.innermost = Lengths::of_empty(self.levels[0].n_present);
            }
            self.levels.resize_with(n_levels, LevelAcc::default);
        } else if mine != n_levels && !(mine > n_levels && is_open) {
            return Err(Error::input(format!("feature `{path}` has two nest levels in the data"))
                .with_detail(format!(
                    "Its values lie in {mine} lists in one place and in {n_levels} in another."
                ))
                .with_hint("Leave it out with `--features`, or mend the shards that differ."));
        }
        Ok(())
    }

    /// Whether there are no innermost values.
    fn is_empty(&self) -> bool {
        self.levels.last().is_none_or(|last| last.n_values == 0)
    }

    /// Adds another state; `are_typed`: whether this one and the other hold a value with a type.
    pub(crate) fn merge(
        &mut self,
        path: &FeaturePath,
        mut other: CommonAcc,
        are_typed: [bool; 2],
    ) -> Result<()> {
        let [is_typed, is_other_typed] = are_typed;
        let is_open = !is_other_typed || other.is_empty();
        if other.levels.len() < self.levels.len() && is_open {
            other.agree(path, is_other_typed, self.levels.len(), true)?;
        }
        self.agree(path, is_typed, other.levels.len(), is_open)?;
        self.weighted |= other.weighted;
        self.innermost.merge(other.innermost);
        for (acc, other) in self.levels.iter_mut().zip(other.levels) {
            acc.n_present += other.n_present;
            acc.n_values += other.n_values;
            acc.lengths.merge(other.lengths);
            acc.weighted_present.merge(&other.weighted_present);
            acc.weighted_values.merge(&other.weighted_values);
        }
        Ok(())
    }

    /// Gives memory back before the state is encoded.
    pub(crate) fn compact(&mut self) {
        let levels = self.levels.iter_mut().map(|level| &mut level.lengths);
        for lengths in levels.chain([&mut self.innermost]) {
            if let Some(long) = &mut lengths.long {
                long.compact();
            }
        }
    }

    /// Number of innermost values, unweighted and weighted: the parents of this feature's children.
    pub(crate) fn n_values(&self) -> (u64, f64) {
        self.levels.last().map_or((0, 0.0), |last| (last.n_values, last.weighted_values.value()))
    }

    /// The message, given the number (and weight) of parents the feature could be present in, and the
    /// histograms of inner levels.
    pub(crate) fn messages(
        mut self,
        n_parents: (u64, f64),
        options: &StatsOptions,
    ) -> (CommonStatistics, Vec<CustomStatistic>) {
        if self.levels.is_empty() {
            self.levels.push(LevelAcc::default());
        }
        let n_buckets = options.num_values_histogram_buckets;
        let levels = self.presence_and_valency(n_parents.0);
        let weighted_levels = self.weighted.then(|| self.weighted_presence(n_parents.1));
        let (first, last) = (&levels[0], &levels[levels.len() - 1]);
        let mut message = CommonStatistics {
            num_non_missing: first.num_non_missing,
            num_missing: first.num_missing,
            tot_num_values: last.tot_num_values,
            ..Default::default()
        };
        if first.num_non_missing > 0 {
            let lengths =
                if levels.len() > 1 { &mut self.innermost } else { &mut self.levels[0].lengths };
            let (min, max) = lengths.range().unwrap_or_default();
            (message.min_num_values, message.max_num_values) = (min, max);
            let average = last.tot_num_values as f64 / first.num_non_missing as f64;
            message.avg_num_values = average as f32;
            let (q, c) = lengths.quantiles(n_buckets, options.epsilon);
            message.num_values_histogram = Some(quantiles_histogram(&q, &c));
        }
        if let Some(weighted_levels) = weighted_levels {
            let (first, last) = (&weighted_levels[0], &weighted_levels[weighted_levels.len() - 1]);
            message.weighted_common_stats = Some(WeightedCommonStatistics {
                num_non_missing: first.num_non_missing,
                num_missing: first.num_missing,
                tot_num_values: last.tot_num_values,
                avg_num_values: ratio(last.tot_num_values, first.num_non_missing),
            });
            if weighted_levels.len() > 1 {
                message.weighted_presence_and_valency_stats = weighted_levels;
            }
        }
        if levels.len() > 1 {
            message.presence_and_valency_stats = levels;
        }
        let mut custom_stats = Vec::new();
        for (i, level) in self.levels.iter_mut().enumerate().skip(1) {
            let (q, c) = level.lengths.quantiles(n_buckets, options.epsilon);
            let (min, max) = level.lengths.range().unwrap_or_default();
            let standard = standard_histogram(&q, &c, (min as f64, max as f64), n_buckets, 0.0);
            let mut add = |kind: &str, histogram: Histogram| {
                custom_stats.push(CustomStatistic {
                    name: format!("level_{}_value_list_length_{kind}", i + 1),
                    val: Some(Val::Histogram(histogram)),
                });
            };
            add("quantiles", quantiles_histogram(&q, &c));
            add("standard", standard);
        }
        (message, custom_stats)
    }

    /// What is missing at a level is counted against the values of the level above.
    fn presence_and_valency(&self, n_parents: u64) -> Vec<PresenceAndValencyStatistics> {
        let mut n_parents = n_parents;
        let mut messages = Vec::new();
        for level in &self.levels {
            let (min, max) = level.lengths.range().unwrap_or_default();
            messages.push(PresenceAndValencyStatistics {
                num_non_missing: level.n_present,
                num_missing: n_parents.saturating_sub(level.n_present),
                min_num_values: min,
                max_num_values: max,
                tot_num_values: level.n_values,
            });
            n_parents = level.n_values;
        }
        messages
    }

    fn weighted_presence(&self, n_parents: f64) -> Vec<WeightedCommonStatistics> {
        let mut n_parents = n_parents;
        let mut messages = Vec::new();
        for level in &self.levels {
            let (present, values) = (level.weighted_present.value(), level.weighted_values.value());
            messages.push(WeightedCommonStatistics {
                num_non_missing: present,
                num_missing: n_parents - present,
                avg_num_values: ratio(values, present),
                tot_num_values: values,
            });
            n_parents = values;
        }
        messages
    }
}

fn ratio(values: f64, present: f64) -> f64 {
    if present > 0.0 { values / present } else { 0.0 }
}

impl LevelAcc {
    fn add_weights(&mut self, level: &Level, weights: &[f64]) {
        if level.nulls.is_none() && level.constant_length() == Some(1) {
            // The usual case: one value everywhere, so both sums get the same.
            let mut sum = ExactSum::default();
            for weight in weights {
                sum.add(*weight);
            }
            self.weighted_present.merge(&sum);
            self.weighted_values.merge(&sum);
            return;
        }
        for (i, &weight) in weights.iter().enumerate() {
            if level.is_present(i) {
                self.weighted_present.add(weight);
                self.weighted_values.add(level.length(i) as f64 * weight);
            }
        }
    }
}

/// Number of values of a level.
fn n_values(level: &Level) -> u64 {
    match (&level.offsets, &level.nulls) {
        (None, _) => level.n_present() as u64,
        (Some(offsets), None) => offsets[offsets.len() - 1] as u64,
        (Some(_), Some(_)) => level.lengths().map(|length| length as u64).sum(),
    }
}

/// Adds the number of innermost values of every present example.
fn add_innermost(lengths: &mut Lengths, levels: &[Level], epsilon: f64) {
    let Some((top, inner)) = levels.split_first() else { return };
    let mut ends: Vec<usize> = match &top.offsets {
        Some(offsets) => offsets.iter().map(|&offset| offset as usize).collect(),
        None => (0..=top.n_parents).collect(),
    };
    for offsets in inner.iter().filter_map(|level| level.offsets.as_ref()) {
        for end in &mut ends {
            *end = offsets[*end] as usize;
        }
    }
    for (i, window) in ends.windows(2).enumerate() {
        if top.is_present(i) {
            lengths.add(window[1] - window[0], 1, epsilon);
        }
    }
}

/// How many lists have which length: counted for short lists, a sketch for long ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lengths {
    /// Number of lists of length 0, 1, …
    short: Vec<u64>,
    /// Lists of at least `SHORT` values.
    long: Option<Box<Quantiles<u64>>>,
}

const SHORT: usize = 256;

impl Lengths {
    /// Those of so many lists without values.
    fn of_empty(n: u64) -> Self {
        Lengths { short: vec![n; usize::from(n > 0)], long: None }
    }

    fn add(&mut self, length: usize, n: u64, epsilon: f64) {
        if n == 0 {
            return;
        }
        if length < SHORT {
            if length >= self.short.len() {
                self.short.resize(length + 1, 0);
            }
            self.short[length] += n;
        } else {
            let long = self.long.get_or_insert_with(|| Box::new(Quantiles::new(epsilon)));
            long.push_run(length as f64, n);
        }
    }

    fn add_level(&mut self, level: &Level, epsilon: f64) {
        match level.constant_length() {
            Some(length) => self.add(length, level.n_present() as u64, epsilon),
            None => level.lengths().for_each(|length| self.add(length, 1, epsilon)),
        }
    }

    fn merge(&mut self, other: Lengths) {
        if self.short.len() < other.short.len() {
            self.short.resize(other.short.len(), 0);
        }
        for (a, b) in self.short.iter_mut().zip(other.short) {
            *a += b;
        }
        match (&mut self.long, other.long) {
            (Some(a), Some(b)) => a.merge(*b),
            (a @ None, b) => *a = b,
            (Some(_), None) => {}
        }
    }

    /// Shortest and longest.
    fn range(&self) -> Option<(u64, u64)> {
        let short = self.short.iter().position(|n| *n > 0);
        let long = self.long.clone().and_then(|mut long| long.range());
        let long = long.map(|(min, max)| (min as u64, max as u64));
        match (short, long) {
            (Some(min), Some((_, max))) => Some((min as u64, max)),
            (Some(min), None) => Some((min as u64, self.short.len() as u64 - 1)),
            (None, long) => long,
        }
    }

    fn quantiles(&mut self, n: usize, epsilon: f64) -> (Vec<f64>, Vec<f64>) {
        let mut all = Quantiles::<u64>::new(epsilon);
        for (length, n) in self.short.iter().enumerate() {
            all.push_weighted(length as f64, *n);
        }
        if let Some(long) = self.long.take() {
            all.merge(*long);
        }
        all.quantiles_and_cumulative_weights(n)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{ArrayRef, Int64Array, ListArray, NullArray, RecordBatch, new_null_array};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{DataType, Field};

    use super::super::column::columns;
    use super::*;

    fn column(examples: &ArrayRef, weights: Option<&[f64]>) -> Column {
        let records = RecordBatch::try_from_iter([("x", examples.clone())]).unwrap();
        let weights = weights.map(Arc::from);
        columns(&records, 0, |_| weights.clone(), |_| true).unwrap().remove(0)
    }

    type Messages = (CommonStatistics, Vec<CustomStatistic>);

    /// The messages, the same whether examples come in one batch, in many, or in shards.
    fn of(examples: &ArrayRef, weights: Option<&[f64]>) -> Messages {
        let options = StatsOptions::default();
        let n = examples.len();
        let path = FeaturePath::column("x");
        let weight = weights.map_or(0.0, |weights| weights.iter().sum());
        let messages = |acc: CommonAcc| acc.messages((n as u64, weight), &options);
        let cut = |from: usize, to: usize| {
            column(&examples.slice(from, to - from), weights.map(|weights| &weights[from..to]))
        };
        let mut whole = CommonAcc::default();
        whole.add(&cut(0, n), true, &options).unwrap();
        let bytes = postcard::to_stdvec(&whole).unwrap();
        for size in [1, 2, 3, 100] {
            let (mut acc, mut merged) = (CommonAcc::default(), CommonAcc::default());
            for from in (0..n).step_by(size) {
                let batch = cut(from, n.min(from + size));
                acc.add(&batch, true, &options).unwrap();
                let mut shard = CommonAcc::default();
                shard.add(&batch, true, &options).unwrap();
                shard.compact();
                let stored = postcard::to_stdvec(&shard).unwrap();
                merged.merge(&path, postcard::from_bytes(&stored).unwrap(), [true; 2]).unwrap();
            }
            merged.merge(&path, CommonAcc::default(), [true, false]).unwrap();
            if n > 0 {
                assert_eq!(postcard::to_stdvec(&acc).unwrap(), bytes, "batches of {size} show");
            }
            assert_eq!(messages(merged), messages(postcard::from_bytes(&bytes).unwrap()));
        }
        messages(whole)
    }

    fn lists(lists: &[Option<&[i64]>]) -> ArrayRef {
        let mut builder = ListBuilder::new(Int64Builder::new());
        for list in lists {
            match list {
                Some(values) => builder.append_value(values.iter().map(|v| Some(*v))),
                None => builder.append_null(),
            }
        }
        Arc::new(builder.finish())
    }

    /// [[[1, 2], [], null], null, [], [[3]]]
    fn nested() -> ArrayRef {
        let mut builder = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
        builder.values().append_value([Some(1), Some(2)]);
        builder.values().append_value([]);
        builder.values().append_null();
        builder.append(true);
        builder.append(false);
        builder.append(true);
        builder.values().append_value([Some(3)]);
        builder.append(true);
        Arc::new(builder.finish())
    }

    #[test]
    fn flat_columns() {
        let examples: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(2), Some(2)]));
        let (found, custom_stats) = of(&examples, None);
        assert_eq!((found.num_non_missing, found.num_missing), (3, 1));
        assert_eq!((found.min_num_values, found.max_num_values), (1, 1));
        assert_eq!((found.tot_num_values, found.avg_num_values), (3, 1.0));
        assert_eq!(found.num_values_histogram.unwrap().buckets.len(), 10);
        assert!(custom_stats.is_empty() && found.presence_and_valency_stats.is_empty());
        assert!(found.weighted_common_stats.is_none());
    }

    #[test]
    fn nothing_is_present() {
        let (found, _) = of(&(Arc::new(NullArray::new(3)) as ArrayRef), None);
        assert_eq!(found, CommonStatistics { num_missing: 3, ..Default::default() });
        let (found, _) = of(&lists(&[None, None]), None);
        assert_eq!(found, CommonStatistics { num_missing: 2, ..Default::default() });
    }

    #[test]
    fn lists_of_any_length() {
        let long = vec![0; 1000];
        let examples = lists(&[Some(&[1, 2, 3]), Some(&[]), None, Some(&long), Some(&long[..300])]);
        let (found, _) = of(&examples, None);
        assert_eq!((found.num_non_missing, found.num_missing), (4, 1));
        assert_eq!((found.min_num_values, found.max_num_values), (0, 1000));
        assert_eq!((found.tot_num_values, found.avg_num_values), (1303, 325.75));
        let histogram = found.num_values_histogram.unwrap();
        let n_lists: f64 = histogram.buckets.iter().map(|b| b.sample_count).sum();
        assert!((n_lists - 4.0).abs() < 1e-12);
        assert_eq!(histogram.buckets[9].high_value, 1000.0);
    }

    #[test]
    fn inner_levels_have_statistics_of_their_own() {
        let (found, custom_stats) = of(&nested(), Some(&[1.0, 2.0, 0.5, 0.25]));
        assert_eq!((found.num_non_missing, found.num_missing), (3, 1));
        // By innermost values of each example.
        assert_eq!((found.min_num_values, found.max_num_values), (0, 2));
        assert_eq!((found.tot_num_values, found.avg_num_values), (3, 1.0));
        let levels = &found.presence_and_valency_stats;
        let level =
            |num_non_missing, num_missing, min_num_values, max_num_values, tot_num_values| {
                PresenceAndValencyStatistics {
                    num_non_missing,
                    num_missing,
                    min_num_values,
                    max_num_values,
                    tot_num_values,
                }
            };
        assert_eq!(levels[..], [level(3, 1, 0, 3, 4), level(3, 1, 0, 2, 3)]);
        let weighted = |num_non_missing, num_missing, tot_num_values| WeightedCommonStatistics {
            num_non_missing,
            num_missing,
            tot_num_values,
            avg_num_values: tot_num_values / num_non_missing,
        };
        let levels = &found.weighted_presence_and_valency_stats;
        assert_eq!(levels[..], [weighted(1.75, 2.0, 3.25), weighted(2.25, 1.0, 2.25)]);
        let all = found.weighted_common_stats.unwrap();
        assert_eq!((all.num_non_missing, all.tot_num_values), (1.75, 2.25));
        let names: Vec<&str> = custom_stats.iter().map(|stat| stat.name.as_str()).collect();
        assert_eq!(
            names,
            ["level_2_value_list_length_quantiles", "level_2_value_list_length_standard"]
        );
    }

    #[test]
    fn a_column_without_a_type_may_come_first_or_last() {
        let options = StatsOptions::default();
        let path = FeaturePath::column("x");
        let is_typed = |column: &Column| column.kind().is_some();
        let typed = column(&nested(), None);
        // What it would be if it had the type of the other: lists of features without a kind.
        let item = |data_type| Arc::new(Field::new("item", data_type, true));
        let steps = |values: ArrayRef| -> ArrayRef {
            let nulls = Some(vec![true, true, false].into());
            let offsets = OffsetBuffer::from_lengths([2, 0, 0]);
            let item = item(values.data_type().clone());
            Arc::new(ListArray::new(item, offsets, values, nulls))
        };
        let absent = new_null_array(nested().data_type(), 2);
        let kindless = new_null_array(&DataType::List(item(DataType::Int64)), 2);
        let cases: [(ArrayRef, ArrayRef); 2] = [
            (Arc::new(NullArray::new(2)), absent),
            (steps(Arc::new(NullArray::new(2))), steps(kindless)),
        ];
        for (untyped, same) in cases {
            let (untyped, same) = (column(&untyped, None), column(&same, None));
            let add = |[first, second]: [&Column; 2]| {
                let mut acc = CommonAcc::default();
                acc.add(first, false, &options).unwrap();
                acc.add(second, is_typed(first), &options).unwrap();
                acc
            };
            let merge = |[first, second]: [&Column; 2]| {
                let [mut acc, mut shard] = [CommonAcc::default(), CommonAcc::default()];
                acc.add(first, false, &options).unwrap();
                shard.add(second, false, &options).unwrap();
                acc.merge(&path, shard, [is_typed(first), is_typed(second)]).unwrap();
                acc
            };
            let ways = [
                add([&same, &typed]),
                add([&untyped, &typed]),
                add([&typed, &untyped]),
                merge([&untyped, &typed]),
                merge([&typed, &untyped]),
            ];
            let messages = ways.map(|acc| acc.messages((7, 0.0), &options));
            assert_eq!(messages[0].0.presence_and_valency_stats.len(), 2);
            assert!(messages.iter().all(|message| message == &messages[0]));
        }
    }

    #[test]
    fn two_nest_levels_are_an_error() {
        let options = StatsOptions::default();
        let (flat, deep) = (column(&lists(&[Some(&[1])]), None), column(&nested(), None));
        for [first, second] in [[&flat, &deep], [&deep, &flat]] {
            let mut acc = CommonAcc::default();
            acc.add(first, false, &options).unwrap();
            let error = acc.add(second, true, &options).unwrap_err();
            assert_eq!(error.message(), "feature `x` has two nest levels in the data");
            let mut shard = CommonAcc::default();
            shard.add(second, false, &options).unwrap();
            assert!(acc.merge(&FeaturePath::column("x"), shard, [true; 2]).is_err());
        }
    }
}
