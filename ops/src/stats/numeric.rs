//! `numeric`: mean, deviation, zeros, range, median and both histograms of a number feature.
//!
//! Values that are neither null nor NaN are gathered into blocks of a fixed number, so that the cuts
//! of batches change nothing; a full block is sorted and counted once, and everything else is read
//! off its runs:
//!
//! ```text
//!  column ─► values of one block ─► runs (value, count), ascending ─► quantiles
//!                                                                 ├─► moments of the finite ones
//!                                                                 └─► zeros, range, infinities
//! ```
//!
//! Where infinite values occur the mean in TFDV is NaN or infinite, depending on the order in which
//! batches meet. Here it does not depend on any order: infinite where all infinite values have one
//! sign, NaN where both occur; the standard deviation is 0, as in TFDV. Weights that are negative or
//! zero enter weighted means, as in TFDV, but no weighted quantile.

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, PrimitiveArray};
use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::generator::{feature_stats, num_stats};
use super::histogram::{FINER, coarser, median, quantiles_histogram, standard_histogram};
use super::{Column, FeatureContext, Generator, Patch, Values, Variant};
use crate::sketch::quantiles::BLOCK;
use crate::sketch::runs::Runs;
use crate::sketch::{Moments, Quantiles};
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{Histogram, WeightedNumericStatistics};

pub(super) const GENERATOR: Generator = Generator {
    name: "numeric",
    doc: "mean, standard deviation, zeros, range, median and histograms of numbers",
    new: |feature| {
        let applies = feature.variant == Variant::Numeric;
        applies.then(|| feature_stats(Numeric::new(feature)))
    },
};

struct Numeric {
    weighted: bool,
    epsilon: f64,
    n_buckets: usize,
    n_quantiles: usize,
}

impl Numeric {
    fn new(feature: &FeatureContext<'_>) -> Self {
        Numeric {
            weighted: feature.weighted,
            epsilon: feature.options.epsilon,
            n_buckets: feature.options.num_histogram_buckets,
            n_quantiles: feature.options.num_quantiles_histogram_buckets,
        }
    }

    /// Both histograms and the median of one summary.
    fn distribution<W: crate::sketch::Weight>(
        &self,
        quantiles: &mut Quantiles<W>,
        finite: (f64, f64),
        n_pos_inf: f64,
        n_nan: u64,
    ) -> (f64, Vec<Histogram>) {
        let (q, c) = quantiles.quantiles_and_cumulative_weights(FINER * self.n_quantiles);
        let mut standard = standard_histogram(&q, &c, finite, self.n_buckets, n_pos_inf);
        let (coarse_q, coarse_c) = coarser(&q, &c, FINER);
        let mut quantiles = quantiles_histogram(&coarse_q, &coarse_c);
        (standard.num_nan, quantiles.num_nan) = (n_nan, n_nan);
        (median(&q), vec![standard, quantiles])
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NumericAcc {
    block: Block,
    /// Of the values of `block`, where the feature is weighted.
    weights: Vec<f64>,
    n_nan: u64,
    n_zeros: u64,
    n_neg_inf: u64,
    n_pos_inf: u64,
    /// Smallest and largest finite value.
    finite: Option<(f64, f64)>,
    /// Of the finite values.
    moments: Moments,
    quantiles: Quantiles<u64>,
    weighted: Option<Weighted>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Weighted {
    pos_inf: f64,
    moments: Moments,
    quantiles: Quantiles<f64>,
}

/// Values that wait for a block to be full. Integers are doubles here, as they are in the message.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Block {
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
}

impl Block {
    fn len(&self) -> usize {
        match self {
            Block::Singles(values) => values.len(),
            Block::Doubles(values) => values.len(),
        }
    }

    fn doubles(&mut self) -> &mut Vec<f64> {
        if let Block::Singles(values) = self {
            *self = Block::Doubles(values.iter().copied().map(f64::from).collect());
        }
        match self {
            Block::Doubles(values) => values,
            Block::Singles(_) => unreachable!("singles have just been turned into doubles"),
        }
    }

    fn is_of_doubles(&self) -> bool {
        matches!(self, Block::Doubles(_))
    }

    fn singles(&mut self) -> &mut Vec<f32> {
        match self {
            Block::Singles(values) => values,
            Block::Doubles(_) => unreachable!("singles are asked of a block of singles only"),
        }
    }

    fn clear(&mut self) {
        match self {
            Block::Singles(values) => values.clear(),
            Block::Doubles(values) => values.clear(),
        }
    }

    fn runs(&self) -> Runs {
        match self {
            Block::Singles(values) => Runs::of_f32(values),
            Block::Doubles(values) => Runs::of_f64(values),
        }
    }

    fn to_doubles(&self) -> Vec<f64> {
        match self {
            Block::Singles(values) => values.iter().copied().map(f64::from).collect(),
            Block::Doubles(values) => values.clone(),
        }
    }
}

impl NumericAcc {
    fn add(&mut self, values: &Values, weights: Option<&[f64]>) {
        match values {
            Values::Int(array) => {
                self.add_array(array, weights, |_| false, Block::doubles, |v| v as f64);
            }
            Values::Float64(array) => {
                self.add_array(array, weights, f64::is_nan, Block::doubles, |v| v);
            }
            Values::Float32(array) if self.block.is_of_doubles() => {
                self.add_array(array, weights, f32::is_nan, Block::doubles, f64::from);
            }
            Values::Float32(array) => {
                self.add_array(array, weights, f32::is_nan, Block::singles, |v| v);
            }
            _ => {}
        }
    }

    /// Adds the values of an array, in pieces that fill one block each.
    fn add_array<T: ArrowPrimitiveType, U: Copy>(
        &mut self,
        array: &PrimitiveArray<T>,
        weights: Option<&[f64]>,
        is_nan: impl Fn(T::Native) -> bool,
        block: impl Fn(&mut Block) -> &mut Vec<U>,
        convert: impl Fn(T::Native) -> U,
    ) {
        let values = array.values();
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let mut at = 0;
        while at < values.len() {
            let piece = at..values.len().min(at + BLOCK - self.block.len());
            at = piece.end;
            let found = &values[piece.clone()];
            // No kernel looks for NaN again.
            let all_count = nulls.is_none() && !found.iter().fold(false, |any, v| any | is_nan(*v));
            if all_count {
                block(&mut self.block).extend(found.iter().map(|v| convert(*v)));
                if let Some(weights) = weights {
                    self.weights.extend_from_slice(&weights[piece]);
                }
            } else {
                let block = block(&mut self.block);
                for (i, &value) in piece.zip(found) {
                    if nulls.is_some_and(|nulls| nulls.is_null(i)) {
                        continue;
                    }
                    if is_nan(value) {
                        self.n_nan += 1;
                        continue;
                    }
                    block.push(convert(value));
                    self.weights.extend(weights.map(|weights| weights[i]));
                }
            }
            if self.block.len() == BLOCK {
                self.flush();
            }
        }
    }

    /// Adds the waiting values to everything.
    fn flush(&mut self) {
        if self.block.len() == 0 {
            return;
        }
        let runs = self.block.runs();
        let (first, last) = (runs.below(f64::NEG_INFINITY.next_up()), runs.below(f64::INFINITY));
        self.n_zeros += u64::from(runs.count_of(0.0));
        self.n_neg_inf += u64::from(runs.count_of(f64::NEG_INFINITY));
        self.n_pos_inf += u64::from(runs.count_of(f64::INFINITY));
        let values = &runs.values[first..last];
        if let (Some(&min), Some(&max)) = (values.first(), values.last()) {
            self.finite = wider(self.finite, Some((min, max)));
            let all_distinct = runs.values.len() == self.block.len();
            self.moments.merge(if all_distinct {
                Moments::of_singles(values)
            } else {
                Moments::of(values, &runs.counts[first..last])
            });
        }
        self.quantiles.add_runs(&runs);
        if let Some(weighted) = &mut self.weighted {
            weighted.add(&self.block.to_doubles(), &self.weights);
        }
        self.block.clear();
        self.weights.clear();
    }
}

impl Weighted {
    fn add(&mut self, values: &[f64], weights: &[f64]) {
        let mut finite: (Vec<f64>, Vec<f64>) = Default::default();
        for (&value, &weight) in values.iter().zip(weights) {
            if value.is_finite() {
                finite.0.push(value);
                finite.1.push(weight);
            } else if value > 0.0 {
                self.pos_inf += weight;
            }
            self.quantiles.push_weighted(value, weight);
        }
        self.moments.merge(Moments::of(&finite.0, &finite.1));
    }
}

/// The range that covers both.
fn wider(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((lower(a.0, b.0), -lower(-a.1, -b.1))),
        (a, None) => a,
        (None, b) => b,
    }
}

/// The lower one, with -0.0 below 0.0, so that the order of the two does not matter.
fn lower(a: f64, b: f64) -> f64 {
    if a.total_cmp(&b).is_le() { a } else { b }
}

impl CombineFn for Numeric {
    type Input = Column;
    type Accumulator = NumericAcc;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> NumericAcc {
        NumericAcc {
            block: Block::Singles(Vec::new()),
            weights: Vec::new(),
            n_nan: 0,
            n_zeros: 0,
            n_neg_inf: 0,
            n_pos_inf: 0,
            finite: None,
            moments: Moments::default(),
            quantiles: Quantiles::new(self.epsilon),
            weighted: self.weighted.then(|| Weighted {
                pos_inf: 0.0,
                moments: Moments::default(),
                quantiles: Quantiles::new(self.epsilon),
            }),
        }
    }

    fn add_input(&self, acc: &mut NumericAcc, column: &Column) -> Result<()> {
        let weights = column.weights_of(column.levels.len()).filter(|_| self.weighted);
        acc.add(&column.values, weights.as_deref());
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut NumericAcc, mut other: NumericAcc) -> Result<()> {
        acc.n_nan += other.n_nan;
        other.n_nan = 0;
        if other.block.len() == 0 && other.quantiles.is_empty() {
            return Ok(());
        }
        acc.flush();
        other.flush();
        acc.n_zeros += other.n_zeros;
        acc.n_neg_inf += other.n_neg_inf;
        acc.n_pos_inf += other.n_pos_inf;
        acc.finite = wider(acc.finite, other.finite);
        acc.moments.merge(other.moments);
        acc.quantiles.merge(other.quantiles);
        if let (Some(acc), Some(other)) = (&mut acc.weighted, other.weighted) {
            acc.pos_inf += other.pos_inf;
            acc.moments.merge(other.moments);
            acc.quantiles.merge(other.quantiles);
        }
        Ok(())
    }

    fn compact(&self, acc: &mut NumericAcc) {
        acc.flush();
        acc.block = Block::Singles(Vec::new());
        acc.weights = Vec::new();
        acc.quantiles.compact();
        if let Some(weighted) = &mut acc.weighted {
            weighted.quantiles.compact();
        }
    }

    fn extract_output(&self, mut acc: NumericAcc) -> Result<Patch> {
        acc.flush();
        let n_nan = acc.n_nan;
        let Some((min, max)) = acc.quantiles.range() else {
            return Ok(Box::new(move |message| {
                // Only NaN: the histograms say how many, and nothing else is set.
                if n_nan > 0 {
                    num_stats(message).histograms =
                        [HistogramType::Standard, HistogramType::Quantiles]
                            .map(|t| Histogram {
                                num_nan: n_nan,
                                r#type: t as i32,
                                ..Default::default()
                            })
                            .into();
                }
            }));
        };
        let infinite = match (acc.n_neg_inf > 0, acc.n_pos_inf > 0) {
            (false, false) => None,
            (true, true) => Some(f64::NAN),
            (true, false) => Some(f64::NEG_INFINITY),
            (false, true) => Some(f64::INFINITY),
        };
        let mean_and_deviation = |moments: &Moments| match infinite {
            None => (moments.mean(), moments.std_dev()),
            Some(mean) => (mean, 0.0),
        };
        // Without finite values TFDV's range is empty: from inf to -inf.
        let finite = acc.finite.unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
        let n_pos_inf = acc.n_pos_inf as f64;
        let (median, histograms) = self.distribution(&mut acc.quantiles, finite, n_pos_inf, n_nan);
        let (mean, std_dev) = mean_and_deviation(&acc.moments);
        let weighted = acc.weighted.map(|mut weighted| {
            let (mean, std_dev) = mean_and_deviation(&weighted.moments);
            let pos_inf = weighted.pos_inf;
            let (median, histograms) =
                self.distribution(&mut weighted.quantiles, finite, pos_inf, n_nan);
            WeightedNumericStatistics { mean, std_dev, median, histograms }
        });
        let n_zeros = acc.n_zeros;
        Ok(Box::new(move |message| {
            let stats = num_stats(message);
            (stats.mean, stats.std_dev) = (mean, std_dev);
            stats.num_zeros = n_zeros;
            (stats.min, stats.median, stats.max) = (min, median, max);
            stats.histograms = histograms;
            stats.weighted_numeric_stats = weighted;
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array};

    use super::super::{StatsOptions, laws};
    use super::*;
    use crate::tfmd::feature_name_statistics::Stats;
    use crate::tfmd::{FeatureNameStatistics, NumericStatistics};

    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;

    fn stats_of(message: &FeatureNameStatistics) -> &NumericStatistics {
        match &message.stats {
            Some(Stats::NumStats(stats)) => stats,
            other => panic!("{other:?} are no numeric statistics"),
        }
    }

    /// Equal, but for the last digits of means and deviations.
    fn agree(a: &FeatureNameStatistics, b: &FeatureNameStatistics) -> bool {
        let close = |a: f64, b: f64| {
            a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
        };
        let plain = |message: &FeatureNameStatistics| {
            let mut stats = stats_of(message).clone();
            (stats.mean, stats.std_dev) = (0.0, 0.0);
            if let Some(weighted) = &mut stats.weighted_numeric_stats {
                (weighted.mean, weighted.std_dev) = (0.0, 0.0);
            }
            stats
        };
        let moments = |message: &FeatureNameStatistics| {
            let stats = stats_of(message);
            let weighted = stats.weighted_numeric_stats.clone().unwrap_or_default();
            [stats.mean, stats.std_dev, weighted.mean, weighted.std_dev]
        };
        plain(a) == plain(b) && moments(a).into_iter().zip(moments(b)).all(|(a, b)| close(a, b))
    }

    fn of(examples: ArrayRef) -> NumericStatistics {
        let message = laws::feature(&GENERATOR, &StatsOptions::default(), examples, agree);
        stats_of(&message).clone()
    }

    fn of_f64(values: &[f64]) -> NumericStatistics {
        of(Arc::new(Float64Array::from(values.to_vec())))
    }

    fn counts(histogram: &Histogram) -> Vec<f64> {
        histogram.buckets.iter().map(|bucket| bucket.sample_count).collect()
    }

    #[test]
    fn ordinary_numbers() {
        let found = of(Arc::new(Int64Array::from((0..400).collect::<Vec<_>>())));
        // TFDV's answers for `int_plain`.
        assert_eq!((found.mean, found.std_dev), (199.5, 115.469_692_993_443_09));
        assert_eq!((found.min, found.median, found.max), (0.0, 200.0, 399.0));
        assert_eq!(found.num_zeros, 1);
        assert_eq!(found.histograms[1].buckets[0].high_value, 40.0);
        assert_eq!(counts(&found.histograms[1])[..3], [41.0, 40.0, 40.0]);
        assert!(found.weighted_numeric_stats.is_none());
    }

    #[test]
    fn nulls_are_passed_over() {
        let flat = Int64Array::from(vec![Some(3), None, Some(5), None]);
        let found = of(Arc::new(flat));
        assert_eq!((found.mean, found.min, found.max), (4.0, 3.0, 5.0));
        let mut lists = ListBuilder::new(Int64Builder::new());
        lists.append_value([Some(3), None, Some(5)]);
        lists.append_null();
        lists.append_value([]);
        let nested = of(Arc::new(lists.finish()));
        assert_eq!(nested, found);
    }

    #[test]
    fn no_numbers() {
        assert_eq!(of_f64(&[]), NumericStatistics::default());
        let found = of_f64(&[NAN, NAN]);
        let num_nan = found.histograms.iter().map(|h| (h.num_nan, h.r#type)).collect::<Vec<_>>();
        assert_eq!(num_nan, [(2, 0), (2, 1)]);
        assert!(found.histograms.iter().all(|h| h.buckets.is_empty()));
        assert_eq!(NumericStatistics { histograms: vec![], ..found }, NumericStatistics::default());
    }

    #[test]
    fn infinities_do_not_depend_on_order() {
        let check = |values: &[f64], mean: f64| {
            for at in 0..=values.len() {
                let (first, last) = values.split_at(at);
                for shards in [[first, last], [last, first]] {
                    let found = merged(shards);
                    assert_eq!(found.mean.to_bits(), mean.to_bits(), "{shards:?}");
                    assert_eq!(found.std_dev, 0.0);
                }
            }
        };
        check(&[1.0, INF], INF);
        check(&[-INF, 1.0, -INF], -INF);
        check(&[INF, 1.0, -INF], NAN);
        check(&[-INF, INF], NAN);
        let found = merged([&[1.0, INF, 3.0], &[-INF, NAN]]);
        assert_eq!((found.min, found.max), (-INF, INF));
        let buckets = &found.histograms[0].buckets;
        assert_eq!((buckets[0].high_value, buckets[11].low_value), (-INF, INF));
        assert_eq!((buckets[1].low_value, buckets[10].high_value), (1.0, 3.0));
        assert_eq!(found.histograms[0].num_nan, 1);
    }

    /// The statistics of two shards: a mean that is NaN equals nothing, so the laws cannot be asked.
    fn merged(shards: [&[f64]; 2]) -> NumericStatistics {
        let mut total = NUMERIC.create_accumulator();
        for shard in shards {
            let mut acc = NUMERIC.create_accumulator();
            acc.add(&Values::Float64(Float64Array::from(shard.to_vec())), Some(&[1.0; 9]));
            NUMERIC.merge_accumulators(&mut total, acc).unwrap();
        }
        let stats = Some(Stats::NumStats(NumericStatistics::default()));
        let mut message = FeatureNameStatistics { stats, ..Default::default() };
        NUMERIC.extract_output(total).unwrap()(&mut message);
        stats_of(&message).clone()
    }

    const NUMERIC: Numeric =
        Numeric { weighted: true, epsilon: 0.01, n_buckets: 10, n_quantiles: 10 };

    #[test]
    fn zeros_have_signs() {
        let found = of_f64(&[-0.0, 0.0, -1.0]);
        assert_eq!((found.num_zeros, found.max.to_bits()), (2, 0));
        let found = of_f64(&[-0.0, -1.0]);
        assert_eq!((found.num_zeros, found.max.to_bits()), (1, (-0.0_f64).to_bits()));
    }

    #[test]
    fn large_integers_are_read_once() {
        let found = of(Arc::new(Int64Array::from(vec![i64::MIN, 0, i64::MAX, 1 << 53])));
        assert_eq!((found.min, found.max), (i64::MIN as f64, i64::MAX as f64));
        assert_eq!(found.num_zeros, 1);
    }

    #[test]
    fn singles_are_as_precise_as_doubles() {
        let values: Vec<f32> = (0..300).map(|i| 0.1 * (i * i % 97) as f32).collect();
        let singles = of(Arc::new(Float32Array::from(values.clone())));
        let doubles = of_f64(&values.into_iter().map(f64::from).collect::<Vec<_>>());
        assert_eq!(singles, doubles);
    }

    #[test]
    fn weights() {
        let examples: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, INF, NAN, 4.0]));
        let of = |weights: &[f64]| {
            let options = StatsOptions::default();
            let weights = Some(weights);
            let message =
                laws::weighted_feature(&GENERATOR, &options, examples.clone(), weights, agree);
            stats_of(&message).weighted_numeric_stats.clone().expect("weighted statistics")
        };
        let found = of(&[0.5, 1.0, 2.0, 7.0, 0.25]);
        assert_eq!((found.mean, found.std_dev, found.median), (INF, 0.0, INF));
        assert_eq!(counts(&found.histograms[0])[10], 2.0);
        let weight: f64 = counts(&found.histograms[1]).iter().sum();
        assert!((weight - 3.75).abs() < 1e-12);
        // Weights that do not count leave no distribution.
        let found = of(&[0.0, 0.0, 0.0, 1.0, -1.0]);
        assert_eq!((found.median, counts(&found.histograms[1]).len()), (0.0, 0));
    }

    /// Blocks are counted in values, so that where batches are cut cannot show.
    #[test]
    fn many_values_in_batches_of_any_size() {
        let values: Vec<Option<f64>> = (0..40_000_u64)
            .map(|i| match i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40 {
                x if x % 11 == 0 => None,
                x if x % 13 == 0 => Some(NAN),
                x => Some(x as f64 * 1e-3),
            })
            .collect();
        let array = Float64Array::from(values);
        let added = |size: usize| {
            let mut acc = NUMERIC.create_accumulator();
            for from in (0..array.len()).step_by(size) {
                let n = size.min(array.len() - from);
                let weights: Vec<f64> = (from..from + n).map(|i| (i % 7) as f64 * 0.1).collect();
                acc.add(&Values::Float64(array.slice(from, n)), Some(&weights));
            }
            postcard::to_stdvec(&acc).expect("plain data")
        };
        let whole = added(array.len());
        for size in [1, 999, 1000, BLOCK - 1, BLOCK, BLOCK + 1] {
            assert!(added(size) == whole, "{size}");
        }
    }
}
