//! `Presence`: which examples of a batch hold which values of a feature, as sets.

use std::hash::Hash;

use arrow_array::Array;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::value_counts::{KeyKind, float_key, int_key};
use super::{Column, Values};

/// The distinct values of a column, as keys, and the examples that hold them.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) kind: KeyKind,
    /// The distinct values, in order of first occurrence.
    pub(super) keys: Vec<Vec<u8>>,
    /// (example, index of the value), ascending by example, none twice.
    pub(super) pairs: Vec<(u32, u32)>,
}

impl Presence {
    /// `None` for columns whose values cannot be keys.
    pub(super) fn of(column: &Column) -> Option<Self> {
        Some(match &column.values {
            Values::Unknown(_) | Values::Struct(_) => return None,
            Values::Bytes(values) => Self::gather(
                column,
                KeyKind::Text,
                |i| values.is_valid(i).then(|| values.value(i)),
                <[u8]>::to_vec,
            ),
            Values::Dictionary { codes, values } => Self::gather(
                column,
                KeyKind::Text,
                |i| {
                    let code = codes.is_valid(i).then(|| codes.value(i) as usize)?;
                    values.is_valid(code).then(|| values.value(code))
                },
                <[u8]>::to_vec,
            ),
            Values::Int(values) => Self::gather(
                column,
                KeyKind::Int,
                |i| values.is_valid(i).then(|| int_key(values.value(i))),
                |key| key.to_be_bytes().to_vec(),
            ),
            Values::Float32(values) => Self::gather(
                column,
                KeyKind::Float,
                |i| values.is_valid(i).then(|| float_key(values.value(i).into())),
                |key| key.to_be_bytes().to_vec(),
            ),
            Values::Float64(values) => Self::gather(
                column,
                KeyKind::Float,
                |i| values.is_valid(i).then(|| float_key(values.value(i))),
                |key| key.to_be_bytes().to_vec(),
            ),
        })
    }

    /// Numbers as the ranges they are in: range i ends before boundary i. NaN is in none.
    pub(super) fn in_ranges(column: &Column, boundaries: &[f64]) -> Option<Self> {
        let range = |value: f64| {
            let range = boundaries.partition_point(|&boundary| boundary <= value);
            (!value.is_nan()).then(|| int_key(range as i64))
        };
        let key = |key: u64| key.to_be_bytes().to_vec();
        let kind = KeyKind::Int;
        Some(match &column.values {
            Values::Int(a) => {
                let value = |i| a.is_valid(i).then(|| range(a.value(i) as f64))?;
                Self::gather(column, kind, value, key)
            }
            Values::Float32(a) => {
                let value = |i| a.is_valid(i).then(|| range(a.value(i).into()))?;
                Self::gather(column, kind, value, key)
            }
            Values::Float64(a) => {
                let value = |i| a.is_valid(i).then(|| range(a.value(i)))?;
                Self::gather(column, kind, value, key)
            }
            _ => return None,
        })
    }

    fn gather<T: Hash + Eq + Copy>(
        column: &Column,
        kind: KeyKind,
        value: impl Fn(usize) -> Option<T>,
        key: impl Fn(T) -> Vec<u8>,
    ) -> Self {
        let examples = column.examples_of(column.levels.len());
        let (mut keys, mut pairs) = (Vec::new(), Vec::with_capacity(examples.len()));
        let mut known = HashMap::<T, u32, _>::with_hasher(FixedState::default());
        for (i, &example) in examples.iter().enumerate() {
            let Some(value) = value(i) else { continue };
            let index = *known.entry(value).or_insert_with(|| {
                keys.push(key(value));
                keys.len() as u32 - 1
            });
            pairs.push((example, index));
        }
        if column.examples.is_some() || column.levels.iter().any(|level| level.offsets.is_some()) {
            pairs.sort_unstable();
            pairs.dedup();
        }
        Presence { kind, keys, pairs }
    }
}
