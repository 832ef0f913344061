//! Lift: how much more likely each value of a label is where a feature has a certain value.
//!
//! `lift(x, y) = P(y | x) / P(y)`, where an example with several values has each of them.
//!
//! ```text
//!  label column ─► its values (or ranges) by example ┐
//!  each categorical column ─► its values by example ──┴► (slice, feature), x ► examples with x,
//!                                                         and of these with each y
//! ```

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use engine::{
    CombineFn, Error, ErrorKind, KeyState, KeyTable, KeyedBlock, KeyedCombineFn, Result,
    read_varint, write_varint,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::presence::Presence;
use super::top_k::{Bytes, label};
use super::value_counts::{GroupName, KeyKind, Tally};
use super::{Column, Examples, FeaturePath, Slice, StatsOptions, Variant, text};
use crate::tfmd::cross_feature_statistics::CrossStats;
use crate::tfmd::custom_statistic::Val;
use crate::tfmd::feature_name_statistics::FieldId;
use crate::tfmd::lift_series::lift_value::{XAndYCountValue, XCountValue, XValue};
use crate::tfmd::lift_series::{Bucket, LiftValue, YCountValue, YValue};
use crate::tfmd::{
    CategoricalCrossStatistics, CrossFeatureStatistics, CustomStatistic,
    DatasetFeatureStatisticsList, LiftSeries, LiftStatistics, RankHistogram, rank_histogram,
};

/// The examples with one value of a feature: all of them, and those with each value of the label.
#[derive(Clone, Debug, Default)]
pub struct LiftState<S> {
    all: S,
    /// Ascending by value of the label.
    with: Vec<(Box<[u8]>, S)>,
}

impl<S: KeyState> KeyState for LiftState<S> {
    fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        for (y, tally) in &other.with {
            match self.with.binary_search_by(|(own, _)| own.cmp(y)) {
                Ok(at) => self.with[at].1.merge(tally),
                Err(at) => self.with.insert(at, (y.clone(), tally.clone())),
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.all.encode(out);
        write_varint(out, self.with.len() as u64);
        for (y, tally) in &self.with {
            write_varint(out, y.len() as u64);
            out.extend_from_slice(y);
            tally.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut state = LiftState { all: S::decode(bytes)?, with: Vec::new() };
        for _ in 0..read_varint(bytes)? {
            let length = usize::try_from(read_varint(bytes)?).ok()?;
            let (y, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            state.with.push((y.into(), S::decode(bytes)?));
        }
        Some(state)
    }

    fn heap_bytes(&self) -> usize {
        let of_y = |(y, tally): &(Box<[u8]>, S)| y.len() + tally.heap_bytes();
        self.with.capacity() * size_of::<(Box<[u8]>, S)>()
            + self.with.iter().map(of_y).sum::<usize>()
            + self.all.heap_bytes()
    }
}

/// Counts the values of every categorical feature together with those of the label.
pub struct LiftCounts<S> {
    options: Arc<StatsOptions>,
    of: PhantomData<fn() -> S>,
}

impl<S: Tally> LiftCounts<S> {
    /// For these options.
    pub fn new(options: Arc<StatsOptions>) -> Self {
        LiftCounts { options, of: PhantomData }
    }

    /// The label's values, by example.
    fn label(&self, column: &Column) -> Result<Option<Presence>> {
        let Some(kind) = column.kind() else { return Ok(None) };
        let schema = self.options.schema_feature(&column.path);
        let boundaries = boundaries(&self.options);
        let wrong = |what: &str| {
            Error::invalid(format!("label feature `{}` {what}", column.path)).with_hint(
                "Pass `--label-boundaries` for a label of numbers that are not categories, and \
                 only there.",
            )
        };
        match (Variant::of(kind, schema), boundaries.is_empty()) {
            (Variant::String, true) => Ok(Presence::of(column)),
            (Variant::Numeric, false) => Ok(Presence::in_ranges(column, &boundaries)),
            (Variant::String, false) => Err(wrong("holds categories, which have no boundaries")),
            (Variant::Numeric, true) => Err(wrong("is numeric, and there are no boundaries")),
            (Variant::Bytes | Variant::Struct, _) => Err(wrong("holds neither text nor numbers")),
        }
    }

    fn is_categorical(&self, column: &Column) -> bool {
        let schema = self.options.schema_feature(&column.path);
        let known = self.options.schema.is_none() || schema.is_some();
        known && column.kind().is_some_and(|kind| Variant::of(kind, schema) == Variant::String)
    }

    fn add_slice(
        &self,
        table: &mut KeyTable<LiftState<S>>,
        slice: &Slice,
        y_path: &FeaturePath,
    ) -> Result<()> {
        let Some(column) = slice.columns.iter().find(|column| column.path == *y_path) else {
            self.add_features(table, slice, y_path, None);
            return Ok(());
        };
        let y = self.label(column)?;
        if let Some(y) = &y {
            add(table, slice, column, y, None);
        }
        self.add_features(table, slice, y_path, y.as_ref());
        Ok(())
    }

    /// Examples without a label count for the features' values all the same.
    fn add_features(
        &self,
        table: &mut KeyTable<LiftState<S>>,
        slice: &Slice,
        y_path: &FeaturePath,
        y: Option<&Presence>,
    ) {
        let columns = slice.columns.iter().filter(|column| column.path != *y_path);
        for column in columns.filter(|column| self.is_categorical(column)) {
            if let Some(x) = Presence::of(column) {
                add(table, slice, column, &x, y);
            }
        }
    }
}

/// Sorted and without duplicates, as ranges need them.
fn boundaries(options: &StatsOptions) -> Vec<f64> {
    let mut boundaries = options.label_boundaries.clone();
    boundaries.sort_by(f64::total_cmp);
    boundaries.dedup();
    boundaries
}

/// Adds one column's values, together with the label's.
fn add<S: Tally>(
    table: &mut KeyTable<LiftState<S>>,
    slice: &Slice,
    column: &Column,
    x: &Presence,
    y: Option<&Presence>,
) {
    let weight = |example: u32| column.weights.as_ref().map_or(1.0, |w| w[example as usize]);
    let mut states = vec![LiftState::<S>::default(); x.keys.len()];
    for &(example, x) in &x.pairs {
        states[x as usize].all.add(weight(example));
    }
    if let Some(y) = y {
        let mut pairs = HashMap::<(u32, u32), S, _>::with_hasher(FixedState::default());
        let mut ys = y.pairs.as_slice();
        for &(example, x) in &x.pairs {
            ys = &ys[ys.iter().take_while(|&&(e, _)| e < example).count()..];
            for &(_, y) in ys.iter().take_while(|&&(e, _)| e == example) {
                pairs.entry((x, y)).or_default().add(weight(example));
            }
        }
        for ((x, key), tally) in pairs {
            states[x as usize].with.push((y.keys[key as usize].clone().into(), tally));
        }
    }
    let weighted = column.weights.is_some();
    let (slice, path) = (slice.name.to_string(), column.path.clone());
    let name = GroupName { slice, path, keys: x.kind, weighted };
    let group = table.group(&name.encode());
    for (key, mut state) in x.keys.iter().zip(states) {
        state.with.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        group.add(key, &state);
    }
}

impl<S: Tally> KeyedCombineFn for LiftCounts<S> {
    type Input = Examples;
    type State = LiftState<S>;

    fn name(&self) -> &'static str {
        "lift_counts"
    }

    fn add_input(&self, table: &mut KeyTable<LiftState<S>>, input: &Examples) -> Result<()> {
        let Some(label) = &self.options.label_feature else { return Ok(()) };
        let y_path = FeaturePath::column(label);
        input.slices.iter().try_for_each(|slice| self.add_slice(table, slice, &y_path))
    }
}

/// Gathers the counts; what is lift depends on all of them.
pub struct Lift<S> {
    options: Arc<StatsOptions>,
    of: PhantomData<fn() -> S>,
}

impl<S> Lift<S> {
    /// For these options.
    pub fn new(options: Arc<StatsOptions>) -> Self {
        Lift { options, of: PhantomData }
    }
}

/// The accumulator of [`Lift`]: the encoded state of every value, by group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LiftAcc {
    groups: BTreeMap<Bytes, BTreeMap<Bytes, Bytes>>,
}

impl<S: Tally> CombineFn for Lift<S> {
    type Input = KeyedBlock<LiftState<S>>;
    type Accumulator = LiftAcc;
    type Output = FeatureLifts<S>;

    fn name(&self) -> &'static str {
        "lift"
    }

    fn create_accumulator(&self) -> LiftAcc {
        LiftAcc::default()
    }

    fn add_input(&self, acc: &mut LiftAcc, block: &KeyedBlock<LiftState<S>>) -> Result<()> {
        let group = acc.groups.entry(Bytes(block.group.to_vec())).or_default();
        for (key, state) in block.iter() {
            let mut bytes = Vec::new();
            state.encode(&mut bytes);
            group.insert(Bytes(key.to_vec()), Bytes(bytes));
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut LiftAcc, other: LiftAcc) -> Result<()> {
        for (name, keys) in other.groups {
            acc.groups.entry(name).or_default().extend(keys);
        }
        Ok(())
    }

    fn extract_output(&self, acc: LiftAcc) -> Result<FeatureLifts<S>> {
        let mut features = BTreeMap::new();
        for (name, keys) in acc.groups {
            let name = GroupName::decode(&name.0).ok_or_else(damaged)?;
            let values = keys.into_iter().map(|(key, state)| {
                let state = LiftState::decode(&mut state.0.as_slice()).ok_or_else(damaged)?;
                Ok((key.0, state))
            });
            let values = values.collect::<Result<_>>()?;
            features.insert((name.slice, name.path), Values { kind: name.keys, values });
        }
        Ok(FeatureLifts { options: self.options.clone(), features })
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Incompatible, "the counts for lift cannot be read")
}

/// The counts of every value of every feature of every slice, the label's among them.
pub struct FeatureLifts<S> {
    options: Arc<StatsOptions>,
    features: BTreeMap<(String, FeaturePath), Values<S>>,
}

struct Values<S> {
    kind: KeyKind,
    /// Ascending.
    values: Vec<(Vec<u8>, LiftState<S>)>,
}

/// A lift and what it is made of.
struct One<'a> {
    x: &'a [u8],
    lift: f64,
    x_count: f64,
    xy_count: f64,
}

impl<S: Tally> FeatureLifts<S> {
    /// Adds them to the messages, as cross statistics and as custom statistics of the features.
    pub fn patch(&self, list: &mut DatasetFeatureStatisticsList) {
        let Some(label) = &self.options.label_feature else { return };
        let y_path = FeaturePath::column(label);
        for dataset in &mut list.datasets {
            let Some(ys) = self.features.get(&(dataset.name.clone(), y_path.clone())) else {
                continue;
            };
            for feature in &mut dataset.features {
                let Some(FieldId::Path(path)) = &feature.field_id else { continue };
                let path = FeaturePath::new(path.step.clone());
                if path == y_path {
                    continue;
                }
                let Some(xs) = self.features.get(&(dataset.name.clone(), path.clone())) else {
                    continue;
                };
                let mut lift = LiftStatistics::default();
                for weighted in [false, true] {
                    if weighted && !self.options.is_weighted() {
                        continue;
                    }
                    for (y, state) in &ys.values {
                        let ones = self.lifts(xs, y, state, dataset.num_examples, weighted);
                        if ones.is_empty() {
                            continue;
                        }
                        let (y_value, shown) = self.y_value(ys.kind, y);
                        let y_count = count(&state.all, weighted);
                        lift.lift_series.push(series(xs.kind, &ones, y_value, y_count, weighted));
                        feature.custom_stats.push(custom(xs.kind, &ones, &shown));
                    }
                }
                if lift.lift_series.is_empty() {
                    continue;
                }
                let stats = CategoricalCrossStatistics { lift: Some(lift) };
                dataset.cross_features.push(CrossFeatureStatistics {
                    path_x: Some(path.to_proto()),
                    path_y: Some(y_path.to_proto()),
                    cross_stats: Some(CrossStats::CategoricalCrossStats(stats)),
                    ..Default::default()
                });
            }
        }
    }

    /// The lift of every value for one value of the label: greatest first, then by value.
    fn lifts<'a>(
        &self,
        xs: &'a Values<S>,
        y: &[u8],
        y_state: &LiftState<S>,
        n_examples: u64,
        weighted: bool,
    ) -> Vec<One<'a>> {
        // As TFDV does it, the label's rate is its weight by the number of examples.
        let y_rate = count(&y_state.all, weighted) / n_examples as f64;
        let least = self.options.lift_min_x_count as f64;
        let mut ones = Vec::new();
        for (x, state) in &xs.values {
            let x_count = count(&state.all, weighted);
            if least > 0.0 && x_count <= least {
                continue;
            }
            let with = state.with.binary_search_by(|(own, _)| (**own).cmp(y));
            let xy_count = with.map_or(0.0, |at| count(&state.with[at].1, weighted));
            let lift = xy_count / x_count / y_rate;
            if !lift.is_nan() {
                ones.push(One { x, lift, x_count, xy_count });
            }
        }
        ones.sort_by(|a, b| b.lift.total_cmp(&a.lift).then_with(|| a.x.cmp(b.x)));
        let (top, bottom) = (self.options.lift_top_k_per_y, self.options.lift_bottom_k_per_y);
        if top.is_some() || bottom.is_some() {
            // Which of equal lifts are taken: the greatest values on top, the least at the bottom.
            let mut order: Vec<usize> = (0..ones.len()).collect();
            order.sort_by(|&a, &b| {
                let (a, b) = (&ones[a], &ones[b]);
                b.lift.total_cmp(&a.lift).then_with(|| b.x.cmp(a.x))
            });
            let n = order.len();
            let (top, bottom) = (top.unwrap_or(0).min(n), bottom.unwrap_or(0).min(n));
            let mut taken = vec![false; n];
            order[..top].iter().chain(&order[n - bottom..]).for_each(|&at| taken[at] = true);
            let mut taken = taken.into_iter();
            ones.retain(|_| taken.next().unwrap_or(false));
        }
        ones
    }

    /// A value of the label, and how it is shown.
    fn y_value(&self, kind: KeyKind, y: &[u8]) -> (YValue, String) {
        let shown = label(kind, y);
        let boundaries = boundaries(&self.options);
        match (kind, shown.parse::<i32>()) {
            (KeyKind::Int, Ok(range)) if !boundaries.is_empty() => {
                let range = range as usize;
                let low_value = if range == 0 { f64::NEG_INFINITY } else { boundaries[range - 1] };
                let high_value = boundaries.get(range).copied().unwrap_or(f64::INFINITY);
                let end = if range == boundaries.len() { ']' } else { ')' };
                let shown = format!("[{},{}{end}", text::float(low_value), text::float(high_value));
                (YValue::YBucket(Bucket { low_value, high_value }), shown)
            }
            (KeyKind::Int, Ok(value)) => (YValue::YInt(value), shown),
            // The message has no room for greater integers, or for floats.
            _ => (YValue::YString(shown.clone()), shown),
        }
    }
}

fn count<S: Tally>(tally: &S, weighted: bool) -> f64 {
    if weighted { tally.weight() } else { tally.count() as f64 }
}

fn series(
    kind: KeyKind,
    ones: &[One<'_>],
    y_value: YValue,
    y_count: f64,
    weighted: bool,
) -> LiftSeries {
    let value = |one: &One<'_>| {
        let shown = label(kind, one.x);
        let x_value = match (kind, shown.parse()) {
            (KeyKind::Int, Ok(value)) => XValue::XInt(value),
            _ => XValue::XString(shown),
        };
        let (x_count, xy_count) = if weighted {
            let xy_count = XAndYCountValue::WeightedXAndYCount(one.xy_count);
            (XCountValue::WeightedXCount(one.x_count), xy_count)
        } else {
            let xy_count = XAndYCountValue::XAndYCount(one.xy_count as u64);
            (XCountValue::XCount(one.x_count as u64), xy_count)
        };
        LiftValue {
            lift: one.lift,
            x_value: Some(x_value),
            x_count_value: Some(x_count),
            x_and_y_count_value: Some(xy_count),
        }
    };
    LiftSeries {
        lift_values: ones.iter().map(value).collect(),
        y_value: Some(y_value),
        y_count_value: Some(if weighted {
            YCountValue::WeightedYCount(y_count)
        } else {
            YCountValue::YCount(y_count as u64)
        }),
    }
}

fn custom(kind: KeyKind, ones: &[One<'_>], y: &str) -> CustomStatistic {
    let bucket = |one: &One<'_>| rank_histogram::Bucket {
        label: label(kind, one.x),
        sample_count: one.lift,
        ..Default::default()
    };
    let buckets = ones.iter().map(bucket).collect();
    CustomStatistic {
        name: format!("Lift (Y={y})"),
        val: Some(Val::RankHistogram(RankHistogram { buckets, ..Default::default() })),
    }
}

#[cfg(test)]
mod tests;
