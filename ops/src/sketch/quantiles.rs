//! `Quantiles`: a weighted quantile summary, exact for few distinct values, bounded beyond.
//!
//! It stands in for `QuantilesSketch` of tfx_bsl and answers the same query. For the same `epsilon`
//! it is exact up to the same number of distinct values, where both give the same bits; beyond that
//! both have a bound of a third of `epsilon`, as a share of all weight.

use serde::{Deserialize, Serialize};

use super::runs::{Runs, key64, same};
use super::summary::{Limits, Summary};
use super::weight::Weight;

/// Values are sorted and merged in blocks of so many, counted from the first value.
pub(crate) const BLOCK: usize = 8192;

/// A summary of values from which any quantile can be read.
///
/// **Bound.** While at most [`Quantiles::exact_limit`] distinct values were seen, every answer is
/// exact. Beyond that, a value returned for rank `r` has a true rank within `epsilon / 3 * total` of
/// `r`, however the summary was built and merged, and usually within a tenth of `epsilon`: the
/// bound is used up only as far as it takes to hold half as many entries. The smallest and largest value are
/// exact, and so is the weight of any value that makes up two thirds of `epsilon`.
///
/// Blocks of values go in by count alone: where the caller's batches are cut changes no bit.
///
/// ```
/// use ops::sketch::Quantiles;
///
/// let mut lengths = Quantiles::<u64>::new(0.01);
/// [3.0, 1.0, 2.0, 2.0].map(|value| lengths.push(value));
/// let (values, cumulative) = lengths.quantiles_and_cumulative_weights(2);
/// assert_eq!(values, [1.0, 2.0, 3.0]);
/// assert_eq!(cumulative, [1.0, 3.0, 4.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "W: Weight")]
pub struct Quantiles<W: Weight> {
    epsilon: f64,
    summary: Summary<W>,
    /// Values that count once, not yet in the summary: fewer than `BLOCK`.
    singles: Vec<f64>,
    /// Values with a weight, not yet in the summary: fewer than `BLOCK`.
    weighted: Vec<(f64, W)>,
    /// The run that the last calls of `push_run` belong to.
    run: Option<(f64, W)>,
}

impl<W: Weight> Quantiles<W> {
    /// An empty summary with TFDV's `epsilon` (0.01 by default).
    pub fn new(epsilon: f64) -> Self {
        Quantiles {
            epsilon,
            summary: Summary::default(),
            singles: Vec::new(),
            weighted: Vec::new(),
            run: None,
        }
    }

    /// Number of distinct values up to which TFDV's sketch, and this one, is exact for an `epsilon`:
    /// the block size of tfx_bsl for 2^32 elements (5,701 for 0.01).
    pub fn exact_limit(epsilon: f64) -> usize {
        const MAX_ELEMENTS: f64 = 4_294_967_296.0;
        let mut size = 2.0;
        let mut levels = 1;
        while f64::from(levels).exp2() * size < MAX_ELEMENTS {
            // An epsilon that is not positive asks for exact answers: as many as there may be.
            let scaled = (f64::from(levels) / (epsilon / 3.0)).ceil() + 1.0;
            size = if epsilon > 0.0 { scaled.clamp(2.0, MAX_ELEMENTS) } else { MAX_ELEMENTS };
            levels += 1;
        }
        size as usize
    }

    fn limits(&self) -> Limits {
        let exact = Self::exact_limit(self.epsilon);
        Limits { exact, entries: exact / 2, gap: 2.0 * self.epsilon.max(0.0) / 3.0 }
    }

    /// Adds a value that counts once; NaN is passed over.
    pub fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.singles.push(value);
        if self.singles.len() == BLOCK {
            self.flush_singles();
        }
    }

    /// Adds `n` equal values; adjacent runs of one value are one run, however they were cut.
    pub fn push_run(&mut self, value: f64, n: W) {
        match &mut self.run {
            Some((last, count)) if last.to_bits() == value.to_bits() => *count += n,
            run => {
                if let Some((value, n)) = run.replace((value, n)) {
                    self.push_weighted(value, n);
                }
            }
        }
    }

    /// Adds a value with a weight; NaN, and weights that do not count, are passed over.
    pub fn push_weighted(&mut self, value: f64, weight: W) {
        if value.is_nan() || !weight.counts() {
            return;
        }
        self.weighted.push((value, weight));
        if self.weighted.len() == BLOCK {
            self.flush_weighted();
        }
    }

    /// Adds a block of counted values.
    pub(crate) fn add_runs(&mut self, runs: &Runs) {
        let total = W::from(runs.counts.iter().sum());
        self.summary.add(&runs.values, &runs.counts, total, self.limits());
    }

    fn flush_singles(&mut self) {
        let runs = Runs::of_f64(&self.singles);
        self.singles.clear();
        self.add_runs(&runs);
    }

    fn flush_weighted(&mut self) {
        let mut pairs = std::mem::take(&mut self.weighted);
        // Stable: the weights of equal values are added in the order in which they came.
        pairs.sort_by_key(|(value, _)| key64(*value));
        let (mut values, mut weights) = (Vec::<f64>::new(), Vec::<W>::new());
        let mut total = W::default();
        for (value, weight) in &pairs {
            total += *weight;
            match (values.last_mut(), weights.last_mut()) {
                (Some(last), Some(sum)) if last == value => {
                    *last = same(*last, *value);
                    *sum += *weight;
                }
                _ => {
                    values.push(*value);
                    weights.push(*weight);
                }
            }
        }
        self.summary.add(&values, &weights, total, self.limits());
        pairs.clear();
        self.weighted = pairs;
    }

    /// Puts everything that waits for a full block into the summary, and gives memory back.
    pub fn compact(&mut self) {
        if let Some((value, n)) = self.run.take() {
            self.push_weighted(value, n);
        }
        if !self.singles.is_empty() {
            self.flush_singles();
        }
        if !self.weighted.is_empty() {
            self.flush_weighted();
        }
        (self.singles, self.weighted) = (Vec::new(), Vec::new());
    }

    /// True when nothing counted so far.
    pub fn is_empty(&self) -> bool {
        self.summary.is_empty()
            && self.singles.is_empty()
            && self.weighted.is_empty()
            && self.run.is_none()
    }

    /// Adds all that another summary, which came later, knows.
    pub fn merge(&mut self, mut other: Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = other;
            return;
        }
        self.compact();
        other.compact();
        self.summary.merge(&other.summary, self.limits());
    }

    /// Weight of all values.
    pub fn total(&mut self) -> W {
        self.compact();
        self.summary.total()
    }

    /// Smallest and largest value.
    pub fn range(&mut self) -> Option<(f64, f64)> {
        self.compact();
        self.summary.range()
    }

    /// True while every answer is exact; call [`Quantiles::compact`] before to include all values.
    pub fn is_exact(&self) -> bool {
        self.summary.is_exact()
    }

    /// Number of entries, each of 16 bytes while exact and of 32 beyond that.
    pub fn n_entries(&self) -> usize {
        self.summary.len()
    }

    /// The values at `n + 1` equidistant ranks, the smallest first and the largest last, each with
    /// the weight of all values up to it; nothing when there is no value.
    ///
    /// The rule is that of `GenerateQuantilesAndCumulativeWeights` in tfx_bsl: no interpolation,
    /// ties to the right.
    pub fn quantiles_and_cumulative_weights(&mut self, n: usize) -> (Vec<f64>, Vec<f64>) {
        self.compact();
        self.summary.quantiles(n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Quantiles<u64> {
        let mut quantiles = Quantiles::new(0.01);
        for value in values {
            quantiles.push(*value);
        }
        quantiles
    }

    #[test]
    fn the_limit_is_that_of_tfx_bsl() {
        let check = |epsilon, expected| {
            assert_eq!(Quantiles::<u64>::exact_limit(epsilon), expected, "{epsilon}");
        };
        check(0.01, 5_701);
        check(0.001, 48_001);
        check(0.1, 661);
        check(0.5, 145);
        check(0.0, 1 << 32);
        check(f64::NAN, 1 << 32);
    }

    /// The answers are those of `tfx_bsl.sketches.QuantilesSketch`.
    #[test]
    fn few_values_are_exact() {
        let check = |values: &[f64], n: usize, q: &[f64], c: &[f64]| {
            let found = of(values).quantiles_and_cumulative_weights(n);
            assert_eq!(found, (q.to_vec(), c.to_vec()), "{values:?}");
        };
        check(&[], 10, &[], &[]);
        check(
            &[1.0, 2.0, 2.0, 5.0],
            10,
            &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0],
            &[1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0],
        );
        let big = 9_007_199_254_740_992.0;
        check(
            &[big, big, big + 2.0],
            4,
            &[big, big, big, big + 2.0, big + 2.0],
            &[2.0, 2.0, 2.0, 3.0, 3.0],
        );
        check(
            &[f64::NAN, 3.0, f64::INFINITY],
            2,
            &[3.0, f64::INFINITY, f64::INFINITY],
            &[1.0, 2.0, 2.0],
        );
        check(&[-0.0, 0.0, -0.0], 1, &[0.0, 0.0], &[3.0, 3.0]);
        let mut weighted = Quantiles::<f64>::new(0.01);
        for (value, weight) in [(1.0, 0.1), (2.0, 0.0), (3.0, f64::NAN), (4.0, -1.0)] {
            weighted.push_weighted(value, weight);
        }
        assert_eq!(weighted.quantiles_and_cumulative_weights(1), (vec![1.0; 2], vec![0.1; 2]));
    }

    /// Values that are unkind to summaries.
    fn sequences(n: u64) -> Vec<(&'static str, Vec<f64>)> {
        let mut state = 42;
        let mut random = move || {
            state = u64::wrapping_add(state, 0x9e37_79b9_7f4a_7c15);
            let mut x = state;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (x ^ (x >> 31)) as f64 / u64::MAX as f64
        };
        let mut values = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            (0..n).map(|i| f(i as f64, random())).collect()
        };
        vec![
            ("random", values(&|_, r| r)),
            ("ascending", values(&|i, _| i)),
            ("descending", values(&|i, _| -i)),
            ("saw", values(&|i, r| (i % 100.0) * 1e6 + r)),
            ("inwards", values(&|i, _| if i % 2.0 == 0.0 { i } else { 1e9 - i })),
            ("outwards", values(&|i, _| if i % 2.0 == 0.0 { i } else { -i })),
            ("half zeros", values(&|_, r| if r < 0.5 { 0.0 } else { r })),
            ("steep", values(&|_, r| r.powi(40))),
            ("few", values(&|_, r| (r * 10.0).floor())),
            ("growing", values(&|i, r| i * r)),
        ]
    }

    /// How far a value's true ranks are from the rank it was returned for, as a share of all.
    fn rank_errors(values: &[f64], quantiles: &mut Quantiles<u64>) -> (f64, f64) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let (q, c) = quantiles.quantiles_and_cumulative_weights(1000);
        assert_eq!((q[0], q[1000]), (sorted[0], sorted[sorted.len() - 1]));
        assert_eq!(c[1000], n);
        let mut worst = (0.0_f64, 0.0_f64);
        for (i, (value, cumulative)) in q.iter().zip(&c).enumerate() {
            let below = sorted.partition_point(|v| v < value) as f64;
            let up_to = sorted.partition_point(|v| v <= value) as f64;
            let rank = i as f64 * n / 1000.0;
            worst.0 = worst.0.max((below - rank).max(rank - up_to) / n);
            worst.1 = worst.1.max((cumulative - up_to).abs() / n);
        }
        worst
    }

    #[test]
    fn errors_stay_within_the_bound_however_it_is_built() {
        for (name, values) in sequences(100_000) {
            let mut added = of(&values);
            let mut in_order = Quantiles::new(0.01);
            for shard in values.chunks(7_001) {
                in_order.merge(of(shard));
            }
            let mut tree: Vec<_> = values.chunks(30_011).map(of).collect();
            while tree.len() > 1 {
                let mut right = tree.split_off(tree.len().div_ceil(2)).into_iter();
                for left in &mut tree {
                    if let Some(right) = right.next() {
                        left.merge(right);
                    }
                }
            }
            let built = [("added", &mut added), ("merged", &mut in_order), ("tree", &mut tree[0])];
            for (how, quantiles) in built {
                let (rank, count) = rank_errors(&values, quantiles);
                // The bounds are 0.0033 and 0.0067.
                assert!(rank <= 0.0015 && count <= 0.002, "{name} {how}: {rank} {count}");
                let entries = quantiles.n_entries();
                assert!(entries <= 2_850 || quantiles.is_exact(), "{name} {how}: {entries}");
            }
        }
    }

    #[test]
    fn a_value_that_is_common_keeps_its_weight() {
        let (_, values) = sequences(100_000).swap_remove(6);
        let zeros = values.iter().filter(|v| **v == 0.0).count() as f64;
        let (q, c) = of(&values).quantiles_and_cumulative_weights(1000);
        let at = q.iter().position(|v| *v == 0.0).unwrap();
        assert_eq!(c[at], zeros);
    }

    #[test]
    fn bytes_are_small_and_come_back() {
        let check = |values: &[f64], limit: usize| {
            let mut quantiles = of(values);
            quantiles.compact();
            let bytes = postcard::to_stdvec(&quantiles).unwrap();
            assert!(bytes.len() <= limit, "{} bytes", bytes.len());
            let back: Quantiles<u64> = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(back, quantiles);
        };
        check(&[], 30);
        check(&[1.0; 1000], 40);
        check(&(-500..500).map(f64::from).collect::<Vec<_>>(), 2_100);
        check(&[-0.0, 1.0], 50);
        check(&[f64::NEG_INFINITY, f64::INFINITY, 0.1, f64::from(0.1_f32)], 80);
        for (_, values) in sequences(20_000) {
            check(&values, 100_000);
        }
    }

    #[test]
    fn broken_bytes_are_an_error() {
        let mut quantiles = of(&[1.5, 2.5, 3.5]);
        quantiles.compact();
        let bytes = postcard::to_stdvec(&quantiles).unwrap();
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken[i] ^= 1 << bit;
                // Whatever it says, it does not panic.
                if let Ok(mut q) = postcard::from_bytes::<Quantiles<u64>>(&broken) {
                    let _ = q.quantiles_and_cumulative_weights(10);
                }
            }
            assert!(postcard::from_bytes::<Quantiles<u64>>(&bytes[..i]).is_err());
        }
    }

    proptest! {
        #[test]
        fn runs_may_be_cut_anywhere(runs in proptest::collection::vec((0u8..4, 1u64..5), 0..50)) {
            let (mut whole, mut cut) = (Quantiles::<u64>::new(0.01), Quantiles::<u64>::new(0.01));
            for (value, n) in runs {
                whole.push_run(value.into(), n);
                (0..n).for_each(|_| cut.push_run(value.into(), 1));
            }
            prop_assert_eq!(&whole, &cut);
        }

        #[test]
        fn merging_few_values_is_exact(
            a in proptest::collection::vec(-5i8..5, 0..50),
            b in proptest::collection::vec(-5i8..5, 0..50),
        ) {
            let of_bytes = |values: &[i8]| {
                of(&values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>())
            };
            let mut merged = of_bytes(&a);
            merged.merge(of_bytes(&b));
            merged.compact();
            let mut added = of_bytes(&[a, b].concat());
            added.compact();
            prop_assert_eq!(merged, added);
        }
    }
}
