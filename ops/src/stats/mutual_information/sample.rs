//! A bounded sample of rows that depends on their places alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::stats::{Column, Kind, Slice, Values as Leaf, Variant};
use crate::tfmd::Feature;

/// The rows with the least hashes, by hash.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Top-level features with a value in some row that was sampled at a time, in that order.
    features: Vec<(String, Kind)>,
    rows: BTreeMap<u64, Row>,
}

/// The values of a row, by position of their feature; features without any are left out.
type Row = Vec<(u32, Values)>;

/// The values of one feature in one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Values {
    Numbers(Vec<f64>),
    /// Numbers that may be categories, or hashes of texts.
    Labels(Vec<u64>),
}

impl Sample {
    pub(super) fn add(&mut self, slice: &Slice, n_max: usize) {
        // By name: which columns a batch has first must not show.
        let mut columns: Vec<&Column> = slice
            .columns
            .iter()
            .filter(|column| column.path.steps().len() == 1 && column.kind() != Some(Kind::Struct))
            .collect();
        columns.sort_by(|a, b| a.path.cmp(&b.path));
        for i in 0..slice.n_examples {
            let hash = slice.place_hash(i);
            if self.is_wanted(hash, n_max) {
                let row = self.row(&columns, i);
                self.insert(hash, row, n_max);
            }
        }
    }

    fn is_wanted(&self, hash: u64, n_max: usize) -> bool {
        self.rows.len() < n_max || self.rows.last_key_value().is_some_and(|(&last, _)| hash < last)
    }

    fn insert(&mut self, hash: u64, row: Row, n_max: usize) {
        self.rows.entry(hash).or_insert(row);
        if self.rows.len() > n_max {
            self.rows.pop_last();
        }
    }

    fn row(&mut self, columns: &[&Column], i: usize) -> Row {
        let mut row = Row::new();
        for column in columns {
            let Some(kind) = column.kind() else { continue };
            let slots =
                column.levels.iter().try_fold(i..i + 1, |slots, level| match &level.offsets {
                    Some(offsets) => {
                        Some(offsets[slots.start] as usize..offsets[slots.end] as usize)
                    }
                    None => level.is_present(slots.start).then_some(slots),
                });
            let Some(values) = slots
                .filter(|slots| !slots.is_empty())
                .and_then(|slots| values(&column.values, slots))
            else {
                continue;
            };
            let name = &column.path.steps()[0];
            let at = self.feature(name).unwrap_or_else(|| {
                self.features.push((name.clone(), kind));
                self.features.len() as u32 - 1
            });
            row.push((at, values));
        }
        row
    }

    pub(super) fn merge(&mut self, other: Sample, n_max: usize) {
        let positions: Vec<u32> = other
            .features
            .into_iter()
            .map(|(name, kind)| {
                self.feature(&name).unwrap_or_else(|| {
                    self.features.push((name, kind));
                    self.features.len() as u32 - 1
                })
            })
            .collect();
        for (hash, mut row) in other.rows {
            if !self.is_wanted(hash, n_max) {
                break;
            }
            for (at, _) in &mut row {
                *at = positions[*at as usize];
            }
            self.insert(hash, row, n_max);
        }
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.rows.keys().copied()
    }

    pub(super) fn feature(&self, name: &str) -> Option<u32> {
        self.features.iter().position(|(found, _)| found == name).map(|at| at as u32)
    }

    pub(super) fn features(&self) -> impl Iterator<Item = (&str, u32)> {
        self.features.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at as u32))
    }

    pub(super) fn variant_of(&self, feature: u32, schema: Option<&Feature>) -> Option<Variant> {
        let (_, kind) = self.features.get(feature as usize)?;
        Some(Variant::of(*kind, schema))
    }

    /// The values of a feature in every row, by hash; `None` where it has none.
    pub(super) fn values(&self, feature: u32) -> impl Iterator<Item = (u64, Option<&Values>)> {
        self.rows.iter().map(move |(&hash, row)| {
            let found = row.iter().find(|(at, _)| *at == feature);
            (hash, found.map(|(_, values)| values))
        })
    }
}

/// The values in some slots; NaN is none, but leaves the row one that has the feature.
fn values(leaf: &Leaf, slots: std::ops::Range<usize>) -> Option<Values> {
    let is_there = |&i: &usize| leaf.nulls().is_none_or(|nulls| nulls.is_valid(i));
    let slots = slots.filter(is_there);
    let numbers = |get: &dyn Fn(usize) -> f64, slots: &mut dyn Iterator<Item = usize>| {
        Values::Numbers(slots.map(get).filter(|number| !number.is_nan()).collect())
    };
    let mut slots = slots;
    Some(match leaf {
        Leaf::Int(array) => Values::Labels(slots.map(|i| array.value(i) as u64).collect()),
        Leaf::Float32(array) => numbers(&|i| array.value(i).into(), &mut slots),
        Leaf::Float64(array) => numbers(&|i| array.value(i), &mut slots),
        Leaf::Bytes(array) => Values::Labels(slots.map(|i| xxh3_64(array.value(i))).collect()),
        Leaf::Dictionary { codes, values } => {
            Values::Labels(slots.map(|i| xxh3_64(values.value(codes.value(i) as usize))).collect())
        }
        Leaf::Unknown(_) | Leaf::Struct(_) => return None,
    })
}
