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
                self.add_array(array, weights, |_| false, Block::doubles, |v| v as f64)
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
            self.moments.merge(match all_distinct {
                true => Moments::of_singles(values),
                false => Moments::of(values, &runs.counts[first..last]),
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
