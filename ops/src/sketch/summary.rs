//! `Summary`: distinct values with what is known of their ranks.
//!
//! ```text
//!   value      v[0]           v[1]              v[2]
//!   weight     w[0]           w[1]              w[2]          known to lie exactly there
//!   gap             before[1]       before[2]                 known to lie strictly between
//!                   slack[1]        slack[2]                  may lie there, or further right
//! ```
//!
//! With `P(i)` the sum of all `before` and `weight` up to and including entry `i`, the weight of
//! all values below `v[i]` lies in `[P(i-1) + before[i], P(i-1) + before[i] + slack[i]]`, and so
//! does, plus `w[i]`, that of all values up to `v[i]`. Values that were seen but are not entries lie
//! in a gap, so a rank is known up to the width `before + slack` of its gap.
//!
//! This is the summary of Greenwald and Khanna (doi:10.1145/375663.375670) with the weight of a
//! value kept apart from the gap before it: a value that makes up half of the data costs no accuracy.
//!
//! An entry is dropped when the gap that takes it in stays within a share of the total weight. That
//! share is raised, up to a limit, only while there are too many entries: the error is as small as
//! the memory lets it be. (It has to be a share, not a width: that it grows with every value is what
//! makes room between values that keep arriving in one gap.)
//!
//! **Invariant:** no gap is wider than `Limits::gap` of the total weight. Merging adds up the widths
//! of two gaps at most, hence keeps the invariant for the sum of the totals: errors do not pile up,
//! in whatever order summaries are merged. The smallest and the largest value are always entries,
//! without slack.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::runs::same;
use super::weight::Weight;

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "W: Weight", try_from = "Stored<W>", into = "Stored<W>")]
pub(crate) struct Summary<W: Weight> {
    /// All values while the summary is exact, each with its weight in `weights`.
    values: Vec<f64>,
    weights: Vec<W>,
    /// What is kept of them once it is not.
    entries: Vec<Entry<W>>,
    total: W,
    /// Up to which share of the total gaps take entries in.
    share: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Gap<W> {
    before: W,
    slack: W,
}

impl<W: Weight> Gap<W> {
    fn width(self) -> W {
        self.before + self.slack
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry<W> {
    value: f64,
    weight: W,
    gap: Gap<W>,
}

/// How large a summary may grow and how wide its gaps may get.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Number of distinct values up to which it is exact.
    pub(crate) exact: usize,
    /// Number of entries beyond that, as long as the next limit allows it.
    pub(crate) entries: usize,
    /// Widest gap, as a share of the total weight.
    pub(crate) gap: f64,
}

/// By how much gaps grow where there are too many entries.
const WIDER: f64 = 1.125;

/// What is added: a block of counted values, or the entries of a summary.
struct Side<'a, W, C> {
    values: &'a [f64],
    weights: &'a [C],
    gaps: &'a [Gap<W>],
}

impl<W: Weight, C: Copy + Into<W>> Side<'_, W, C> {
    fn entry(&self, i: usize) -> Entry<W> {
        Entry { value: self.values[i], weight: self.weights[i].into(), gap: self.gap(i) }
    }

    fn gap(&self, i: usize) -> Gap<W> {
        self.gaps.get(i).copied().unwrap_or_default()
    }

    /// The weight known to lie before each entry, and in all.
    fn weight_before(&self) -> Vec<W> {
        let mut all = Vec::with_capacity(self.values.len() + 1);
        let mut before = W::default();
        all.push(before);
        all.extend(self.weights.iter().enumerate().map(|(i, weight)| {
            before += self.gap(i).before + (*weight).into();
            before
        }));
        all
    }

    /// The first entry from `at` on that is not below `value`.
    fn skip_below(&self, mut at: usize, value: f64) -> usize {
        // Eight at a time and without a branch: how many there are cannot be foretold.
        while let Some(block) = self.values.get(at..at + 8) {
            let below: usize = block.iter().map(|v| usize::from(*v < value)).sum();
            at += below;
            if below < 8 {
                return at;
            }
        }
        while self.values.get(at).is_some_and(|v| *v < value) {
            at += 1;
        }
        at
    }
}

impl<W: Weight> Summary<W> {
    pub(crate) fn total(&self) -> W {
        self.total
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() + self.entries.len()
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds values in strictly ascending order, each with its weight.
    pub(crate) fn add<C: Copy + Into<W>>(
        &mut self,
        values: &[f64],
        weights: &[C],
        total: W,
        limits: Limits,
    ) {
        self.add_side(&Side { values, weights, gaps: &[] }, total, 0.0, limits);
    }

    /// Adds all that another summary knows.
    pub(crate) fn merge(&mut self, other: &Summary<W>, limits: Limits) {
        if other.is_exact() {
            let side = Side { values: &other.values, weights: &other.weights, gaps: &[] };
            self.add_side(&side, other.total, other.share, limits);
        } else {
            let values: Vec<f64> = other.entries.iter().map(|entry| entry.value).collect();
            let weights: Vec<W> = other.entries.iter().map(|entry| entry.weight).collect();
            let gaps: Vec<Gap<W>> = other.entries.iter().map(|entry| entry.gap).collect();
            let side = Side { values: &values, weights: &weights, gaps: &gaps };
            self.add_side(&side, other.total, other.share, limits);
        }
    }

    fn add_side<C: Copy + Into<W>>(
        &mut self,
        side: &Side<'_, W, C>,
        total: W,
        share: f64,
        limits: Limits,
    ) {
        if side.values.is_empty() {
            return;
        }
        self.total += total;
        let exact = self.is_exact() && side.gaps.is_empty();
        if exact && self.add_exactly(side, limits.exact) {
            return;
        }
        for (value, weight) in self.values.drain(..).zip(self.weights.drain(..)) {
            self.entries.push(Entry { value, weight, gap: Gap::default() });
        }
        let least = 2.0 / limits.entries as f64;
        self.share = self.share.max(share).max(least).min(limits.gap);
        self.add_roughly(side);
        while self.len() > limits.entries && self.share < limits.gap {
            self.share = (self.share * WIDER).min(limits.gap);
            self.add_roughly(&Side::<W, W> { values: &[], weights: &[], gaps: &[] });
        }
    }

    /// Tries to add without loss; changes nothing where there would be too many values.
    fn add_exactly<C: Copy + Into<W>>(&mut self, side: &Side<'_, W, C>, limit: usize) -> bool {
        let room = (self.values.len() + side.values.len()).min(limit);
        let mut values = Vec::with_capacity(room);
        let mut weights = Vec::with_capacity(room);
        let (mut i, mut j) = (0, 0);
        while i < self.values.len() || j < side.values.len() {
            if values.len() == limit {
                return false;
            }
            let (value, weight) = match (self.values.get(i), side.values.get(j)) {
                (Some(a), Some(b)) if a == b => {
                    (i, j) = (i + 1, j + 1);
                    (same(*a, *b), self.weights[i - 1] + side.weights[j - 1].into())
                }
                (Some(a), b) if b.is_none_or(|b| a < b) => {
                    i += 1;
                    (*a, self.weights[i - 1])
                }
                _ => {
                    j += 1;
                    (side.values[j - 1], side.weights[j - 1].into())
                }
            };
            values.push(value);
            weights.push(weight);
        }
        (self.values, self.weights) = (values, weights);
        true
    }

    /// Adds, and drops what can be dropped without making a gap too wide.
    fn add_roughly<C: Copy + Into<W>>(&mut self, side: &Side<'_, W, C>) {
        let allowed = W::at_most(self.total.to_f64() * self.share);
        let mine = std::mem::take(&mut self.entries);
        let out = Vec::with_capacity(mine.len() + mine.len() / 4);
        let mut out = Compressing { out, allowed };
        let sums = side.weight_before();
        let mut next = 0;
        for mut entry in mine {
            let first = next;
            next = side.skip_below(next, entry.value);
            let gap = entry.gap;
            if side.values.get(next) == Some(&entry.value) {
                let other = side.entry(next);
                entry.value = same(entry.value, other.value);
                entry.weight += other.weight;
                entry.gap.before += other.gap.before;
                entry.gap.slack += other.gap.slack;
            } else if next < side.values.len() {
                entry = entry.within(side.gap(next));
            }
            let before = entry.gap.before + (sums[next] - sums[first]);
            if first == next || before + entry.gap.slack <= allowed && !out.out.is_empty() {
                // The usual case: the gap takes all of them in.
                entry.gap.before = before;
            } else {
                out.push_all(side, first..next, &sums, gap);
            }
            next += usize::from(side.values.get(next) == Some(&entry.value));
            out.push(entry);
        }
        out.push_all(side, next..side.values.len(), &sums, Gap::default());
        self.entries = out.out;
    }

    /// Smallest and largest value.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        if let [first, .., last] | [first @ last] = &self.values[..] {
            return Some((*first, *last));
        }
        Some((self.entries.first()?.value, self.entries.last()?.value))
    }

    /// For each entry: its value and the bounds of the weight below it, and up to it.
    fn ranks(&self) -> Vec<Rank> {
        let exact = self.values.iter().zip(&self.weights).map(|(value, weight)| Entry {
            value: *value,
            weight: *weight,
            gap: Gap::default(),
        });
        let mut before = 0.0;
        exact
            .chain(self.entries.iter().copied())
            .map(|Entry { value, weight, gap }| {
                let min = before + gap.before.to_f64();
                let weight = weight.to_f64();
                before = min + weight;
                Rank { value, weight, min, max: before + gap.slack.to_f64() }
            })
            .collect()
    }

    /// See [`super::Quantiles::quantiles_and_cumulative_weights`].
    pub(crate) fn quantiles(&self, n: usize) -> (Vec<f64>, Vec<f64>) {
        let ranks = self.ranks();
        let Some(last) = ranks.last() else { return (Vec::new(), Vec::new()) };
        let (mut values, mut cumulative) = (Vec::new(), Vec::new());
        let mut at = 0;
        for i in 0..=n {
            let twice = 2.0 * (i as f64 * last.max / n as f64);
            let mut next = at + 1;
            while ranks.get(next).is_some_and(|rank| twice >= rank.min + rank.max) {
                next += 1;
            }
            at = next - 1;
            let here = &ranks[at];
            let taken = match ranks.get(next) {
                Some(next) if twice >= (here.min + here.weight) + (next.max - next.weight) => next,
                _ => here,
            };
            values.push(taken.value);
            cumulative.push(taken.max);
        }
        (values, cumulative)
    }
}

struct Rank {
    value: f64,
    weight: f64,
    min: f64,
    max: f64,
}

impl<W: Weight> Entry<W> {
    /// The entry where it falls into a gap of the other side: anything in that gap may lie before it.
    fn within(mut self, gap: Gap<W>) -> Self {
        self.gap.slack += gap.width();
        self
    }
}

/// Takes entries in ascending order and folds each into the gap of the next where it may.
struct Compressing<W: Weight> {
    out: Vec<Entry<W>>,
    allowed: W,
}

impl<W: Weight> Compressing<W> {
    #[inline]
    fn push(&mut self, mut entry: Entry<W>) {
        // The first one is the smallest value, which is kept.
        if let [_, .., last] = &mut self.out[..] {
            let before = last.gap.before + last.weight + entry.gap.before;
            if before + entry.gap.slack <= self.allowed {
                entry.gap.before = before;
                *last = entry;
                return;
            }
        }
        self.out.push(entry);
    }

    /// Entries of a side that lie in one gap of the other.
    fn push_all<C: Copy + Into<W>>(
        &mut self,
        side: &Side<'_, W, C>,
        entries: Range<usize>,
        sums: &[W],
        gap: Gap<W>,
    ) {
        let Range { start: mut next, end } = entries;
        while next < end {
            // Of counted values, the next one to be kept takes in as many as it may.
            let first = next;
            if side.gaps.is_empty() && !self.out.is_empty() {
                let fits = |to: usize| sums[to] - sums[first] + gap.width() <= self.allowed;
                let mut step = 1;
                while next + step < end && fits(next + step) {
                    next += step;
                    step *= 2;
                }
                while step > 1 {
                    step /= 2;
                    if next + step < end && fits(next + step) {
                        next += step;
                    }
                }
            }
            let mut entry = side.entry(next).within(gap);
            if side.gaps.is_empty() {
                entry.gap.before = sums[next] - sums[first];
            }
            self.push(entry);
            next += 1;
        }
    }
}

/// The bytes of a summary: values in the narrowest of three forms.
#[derive(Serialize, Deserialize)]
#[serde(bound = "W: Weight")]
struct Stored<W> {
    values: StoredValues,
    weights: Vec<W>,
    gaps: Vec<Gap<W>>,
    total: W,
    share: f64,
}

#[derive(Serialize, Deserialize)]
enum StoredValues {
    /// Integers: the first, then how far each lies above the one before.
    Integers(i64, Vec<u64>),
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
}

impl StoredValues {
    fn new(values: &[f64]) -> Self {
        // Up to 2^53, differences of integers are exact.
        let integers = |v: &f64| v.abs() <= 9e15 && v.trunc().to_bits() == v.to_bits();
        if !values.is_empty() && values.iter().all(|v| integers(v) && v.to_bits() != 1 << 63) {
            let steps = values.windows(2).map(|w| (w[1] as i64 - w[0] as i64) as u64).collect();
            StoredValues::Integers(values[0] as i64, steps)
        } else if values.iter().all(|v| f64::from(*v as f32).to_bits() == v.to_bits()) {
            StoredValues::Singles(values.iter().map(|v| *v as f32).collect())
        } else {
            StoredValues::Doubles(values.to_vec())
        }
    }

    fn into_values(self) -> Vec<f64> {
        match self {
            StoredValues::Integers(first, steps) => {
                let mut last = first;
                let rest = steps.into_iter().map(|step| {
                    last = last.wrapping_add(step as i64);
                    last as f64
                });
                std::iter::once(first as f64).chain(rest).collect()
            }
            StoredValues::Singles(values) => values.into_iter().map(f64::from).collect(),
            StoredValues::Doubles(values) => values,
        }
    }
}

impl<W: Weight> From<Summary<W>> for Stored<W> {
    fn from(summary: Summary<W>) -> Self {
        let Summary { mut values, mut weights, entries, total, share } = summary;
        values.extend(entries.iter().map(|entry| entry.value));
        weights.extend(entries.iter().map(|entry| entry.weight));
        Stored {
            values: StoredValues::new(&values),
            weights,
            gaps: entries.iter().map(|entry| entry.gap).collect(),
            total,
            share,
        }
    }
}

impl<W: Weight> TryFrom<Stored<W>> for Summary<W> {
    type Error = &'static str;

    fn try_from(stored: Stored<W>) -> Result<Self, Self::Error> {
        let Stored { values, weights, gaps, total, share } = stored;
        let values = values.into_values();
        if weights.len() != values.len() || !(gaps.is_empty() || gaps.len() == values.len()) {
            return Err("a quantile summary has not as many weights as values");
        }
        if values.windows(2).any(|w| w[0].partial_cmp(&w[1]) != Some(std::cmp::Ordering::Less)) {
            return Err("the values of a quantile summary do not ascend");
        }
        if !share.is_finite() {
            return Err("the error of a quantile summary is not a number");
        }
        if gaps.is_empty() {
            return Ok(Summary { values, weights, entries: Vec::new(), total, share });
        }
        let entries = values
            .into_iter()
            .zip(weights)
            .zip(gaps)
            .map(|((value, weight), gap)| Entry { value, weight, gap })
            .collect();
        Ok(Summary { values: Vec::new(), weights: Vec::new(), entries, total, share })
    }
}
