//! `ValueCounts`: how often each value of each categorical feature occurs, exactly.
//!
//! ```text
//!  column ─► cache of 512 values ─evict─► hash table of the group (slice, feature)
//!            most values end here          one look-up for each value that left the cache
//!  dictionary column ─► one counter per code ─► the same table, once per code and batch
//! ```

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{Array, BinaryArray, Int32Array};
use engine::{Group, KeyState, KeyTable, KeyedCombineFn, Result, read_varint, write_varint};

use super::{Column, Examples, FeaturePath, StatsOptions, Values, Variant, text};
use crate::sketch::exact_sum::ExactSum;

/// What is kept for each value: how often it occurs and, in weighted runs, with what weight.
pub trait Tally: KeyState {
    /// One more occurrence; `weight` is 0 for features without weights.
    fn add(&mut self, weight: f64);
    /// Number of occurrences.
    fn count(&self) -> u64;
    /// Their weights' sum, rounded once.
    fn weight(&self) -> f64;
}

impl Tally for u64 {
    #[inline]
    fn add(&mut self, _weight: f64) {
        *self += 1;
    }
    fn count(&self) -> u64 {
        *self
    }
    fn weight(&self) -> f64 {
        0.0
    }
}

/// A count and the exact sum of weights: no order of additions can be seen in it.
#[derive(Clone, Debug, Default)]
pub struct WeightedCount {
    count: u64,
    weight: ExactSum,
}

impl KeyState for WeightedCount {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.weight.merge(&other.weight);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.count);
        self.weight.encode(out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(WeightedCount { count: read_varint(bytes)?, weight: ExactSum::decode(bytes)? })
    }
    fn heap_bytes(&self) -> usize {
        self.weight.heap_bytes()
    }
}

impl Tally for WeightedCount {
    #[inline]
    fn add(&mut self, weight: f64) {
        self.count += 1;
        self.weight.add(weight);
    }
    fn count(&self) -> u64 {
        self.count
    }
    fn weight(&self) -> f64 {
        self.weight.value()
    }
}

/// How the values of a feature are written as keys, so that keys sort as values do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// The bytes themselves.
    Text,
    /// Eight bytes, most significant first, sign flipped.
    Int,
    /// Eight bytes in the order of `f64::total_cmp`, all NaN alike.
    Float,
}

/// The name of a group of keys: one feature of one slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupName {
    pub(super) slice: String,
    pub(super) path: FeaturePath,
    pub(super) keys: KeyKind,
    pub(super) weighted: bool,
}

impl GroupName {
    /// `None` for columns whose values cannot be keys.
    pub(super) fn of(slice: &str, column: &Column) -> Option<Self> {
        let keys = match column.values {
            Values::Bytes(_) | Values::Dictionary { .. } => KeyKind::Text,
            Values::Int(_) => KeyKind::Int,
            Values::Float32(_) | Values::Float64(_) => KeyKind::Float,
            Values::Unknown(_) | Values::Struct(_) => return None,
        };
        let (path, weighted) = (column.path.clone(), column.weights.is_some());
        Some(GroupName { slice: slice.to_owned(), path, keys, weighted })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.keys as u8 | u8::from(self.weighted) << 2];
        for part in std::iter::once(&self.slice).chain(self.path.steps()) {
            write_varint(&mut out, part.len() as u64);
            out.extend_from_slice(part.as_bytes());
        }
        out
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        bytes = rest;
        let keys = [KeyKind::Text, KeyKind::Int, KeyKind::Float].get(usize::from(tag & 3))?;
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
            let (part, rest) = bytes.split_at_checked(length)?;
            parts.push(String::from_utf8(part.to_vec()).ok()?);
            bytes = rest;
        }
        let weighted = tag & 4 != 0;
        let slice = (!parts.is_empty()).then(|| parts.remove(0))?;
        Some(GroupName { slice, path: FeaturePath::new(parts), keys: *keys, weighted })
    }
}

impl KeyKind {
    /// The text by which a key is shown; `None` for bytes that are not UTF-8.
    pub(super) fn label(self, key: &[u8]) -> Option<String> {
        let number = || key.try_into().map(u64::from_be_bytes).ok();
        match self {
            KeyKind::Text => String::from_utf8(key.to_vec()).ok(),
            KeyKind::Int => Some(((number()? ^ 1 << 63) as i64).to_string()),
            KeyKind::Float => {
                let value = float_of(number()?);
                // Single floats were widened: 0.1 is not to be shown as 0.10000000149011612.
                let single = value as f32;
                let exact = f64::from(single) == value;
                Some(if exact { text::float(single) } else { text::float(value) })
            }
        }
    }
}

pub(super) fn int_key(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

pub(super) fn float_key(value: f64) -> u64 {
    let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

pub(super) fn float_of(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// Counts every value of every feature whose statistics are those of strings.
pub struct ValueCounts<S> {
    options: Arc<StatsOptions>,
    of: PhantomData<fn() -> S>,
}

impl<S> ValueCounts<S> {
    /// For these options.
    pub fn new(options: Arc<StatsOptions>) -> Self {
        ValueCounts { options, of: PhantomData }
    }
}

impl<S: Tally> KeyedCombineFn for ValueCounts<S> {
    type Input = Examples;
    type State = S;

    fn name(&self) -> &'static str {
        "value_counts"
    }

    fn add_input(&self, table: &mut KeyTable<S>, input: &Examples) -> Result<()> {
        for slice in &input.slices {
            for column in &slice.columns {
                let Some(kind) = column.kind() else { continue };
                let schema = self.options.schema_feature(&column.path);
                if Variant::of(kind, schema) != Variant::String {
                    continue;
                }
                if let Some(name) = GroupName::of(&slice.name, column) {
                    count(column, table.group(&name.encode()));
                }
            }
        }
        Ok(())
    }
}

/// Adds every value of a column to its group.
fn count<S: Tally>(column: &Column, group: &mut Group<S>) {
    let weights = column.weights_of(column.levels.len());
    match weights.as_deref() {
        Some(weights) => count_with(column, group, |i| weights[i]),
        None => count_with(column, group, |_| 0.0),
    }
}

fn count_with<S: Tally>(column: &Column, group: &mut Group<S>, weight: impl Fn(usize) -> f64) {
    let mut number = |key: u64, i| group.update(&key.to_be_bytes(), |tally| tally.add(weight(i)));
    match &column.values {
        Values::Int(values) => each_valid(values, |i| number(int_key(values.value(i)), i)),
        Values::Float32(values) => {
            each_valid(values, |i| number(float_key(values.value(i).into()), i));
        }
        Values::Float64(values) => each_valid(values, |i| number(float_key(values.value(i)), i)),
        Values::Bytes(values) => {
            each_valid(values, |i| group.update(values.value(i), |tally| tally.add(weight(i))));
        }
        Values::Dictionary { codes, values } if values.len() <= 2 * codes.len() => {
            count_codes(codes, values, group, weight);
        }
        Values::Dictionary { codes, values } => each_valid(codes, |i| {
            let code = codes.value(i) as usize;
            if values.is_valid(code) {
                group.update(values.value(code), |tally| tally.add(weight(i)));
            }
        }),
        Values::Unknown(_) | Values::Struct(_) => {}
    }
}

#[inline]
pub(crate) fn each_valid(array: &dyn Array, mut f: impl FnMut(usize)) {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => (0..array.len()).for_each(f),
        Some(nulls) => nulls.valid_indices().for_each(&mut f),
    }
}

fn count_codes<S: Tally>(
    codes: &Int32Array,
    values: &BinaryArray,
    group: &mut Group<S>,
    weight: impl Fn(usize) -> f64,
) {
    let mut tallies = vec![S::default(); values.len()];
    each_valid(codes, |i| tallies[codes.value(i) as usize].add(weight(i)));
    for (code, tally) in tallies.iter().enumerate() {
        if tally.count() > 0 && values.is_valid(code) {
            group.add(values.value(code), tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow_array::{Float32Array, Float64Array, Int64Array};

    use super::super::testing::{flat, weighted};
    use super::*;

    type Counts = BTreeMap<Vec<u8>, (u64, f64)>;

    fn drain<S: Tally>(table: &mut KeyTable<S>) -> Counts {
        let mut counts = Counts::new();
        table.drain_sorted(|_, key, tally| {
            assert!(counts.insert(key.to_vec(), (tally.count(), tally.weight())).is_none());
        });
        counts
    }

    fn counted<S: Tally>(columns: &[Column]) -> Counts {
        let mut table = KeyTable::<S>::default();
        for column in columns {
            count(column, table.group(b"g"));
        }
        drain(&mut table)
    }

    fn texts(values: &[Option<&[u8]>]) -> Values {
        Values::Bytes(BinaryArray::from(values.to_vec()))
    }

    fn reference(values: &[Option<&[u8]>]) -> Counts {
        let mut counts = Counts::new();
        for value in values.iter().flatten() {
            counts.entry(value.to_vec()).or_default().0 += 1;
        }
        counts
    }

    #[test]
    fn counts_are_those_of_a_map() {
        let big = vec![b'x'; 1 << 20];
        let nasty: Vec<Option<&[u8]>> = vec![
            Some(b""),
            None,
            Some(b"\0"),
            Some(b"\0\0"),
            Some(b"a"),
            Some(b"\xff\xfe"),
            Some(&big),
            Some(b""),
            Some(&big[1..]),
            Some(&big),
            Some(b"same ends, differing middle 1 same ends"),
            Some(b"same ends, differing middle 2 same ends"),
        ];
        assert_eq!(counted::<u64>(&[flat(texts(&nasty))]), reference(&nasty));
        let many: Vec<String> =
            (0..50_000u64).map(|i| format!("{}", i * i % 7919 % (1 + i % 3000))).collect();
        let many: Vec<Option<&[u8]>> = many.iter().map(|s| Some(s.as_bytes())).collect();
        for batch in [1, 7, 1000, 50_000] {
            let batches: Vec<Column> = many.chunks(batch * 10).map(|c| flat(texts(c))).collect();
            assert_eq!(counted::<u64>(&batches), reference(&many), "{batch}");
        }
    }

    #[test]
    fn dictionaries_count_as_their_values_do() {
        let values = BinaryArray::from(vec![Some(&b"a"[..]), Some(b"b"), Some(b"a"), None]);
        for codes in [vec![Some(0), None, Some(2), Some(3), Some(1), Some(0)], vec![Some(2)]] {
            let plain: Vec<Option<&[u8]>> = codes
                .iter()
                .map(|code: &Option<i32>| {
                    code.filter(|&c| c != 3).map(|code| values.value(code as usize))
                })
                .collect();
            let codes = Int32Array::from(codes);
            let column = flat(Values::Dictionary { codes, values: values.clone() });
            assert_eq!(counted::<u64>(&[column]), reference(&plain));
        }
    }

    #[test]
    fn numbers_sort_as_values() {
        let ints = [i64::MIN, -1, 0, 1, 9, 10, i64::MAX];
        let counts = counted::<u64>(&[flat(Values::Int(Int64Array::from(ints.to_vec())))]);
        let labels: Vec<String> =
            counts.keys().map(|key| KeyKind::Int.label(key).unwrap()).collect();
        assert_eq!(labels, ints.map(|i| i.to_string()));

        let nan = f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 1);
        let floats = vec![f64::NAN, nan, 1.5, -0.0, 0.0, f64::NEG_INFINITY, 0.1];
        let counts = counted::<u64>(&[flat(Values::Float64(Float64Array::from(floats)))]);
        let labels: Vec<_> = counts
            .iter()
            .map(|(key, count)| (KeyKind::Float.label(key).unwrap(), count.0))
            .collect();
        let expected = [("-inf", 1), ("-0.0", 1), ("0.0", 1), ("0.1", 1), ("1.5", 1), ("nan", 2)];
        assert_eq!(labels, expected.map(|(label, n)| (label.to_owned(), n)));
        let counts = counted::<u64>(&[flat(Values::Float32(Float32Array::from(vec![0.1; 3])))]);
        let labels: Vec<_> = counts.keys().map(|key| KeyKind::Float.label(key)).collect();
        assert_eq!(labels, [Some("0.1".to_owned())]);
    }

    #[test]
    fn weights_add_up_in_any_order() {
        let values: Vec<Option<&[u8]>> = vec![Some(b"a"), Some(b"b"), None, Some(b"a"), Some(b"a")];
        let weights = vec![1e17, 2.5, 9.0, -1e17, 0.1];
        let column = weighted(texts(&values), weights.clone());
        let expected = Counts::from([(b"a".to_vec(), (3, 0.1)), (b"b".to_vec(), (1, 2.5))]);
        assert_eq!(counted::<WeightedCount>(&[column]), expected);
        let (values, weights): (Vec<_>, Vec<_>) = values.into_iter().zip(weights).rev().unzip();
        let parts = [(0..2), (2..5)].map(|range: std::ops::Range<usize>| {
            weighted(texts(&values[range.clone()]), weights[range].to_vec())
        });
        assert_eq!(counted::<WeightedCount>(&parts), expected);
        let mut bytes = Vec::new();
        let state = WeightedCount { count: 3, weight: ExactSum::default() };
        state.encode(&mut bytes);
        assert_eq!(WeightedCount::decode(&mut bytes.as_slice()).unwrap().count, 3);
    }

    #[test]
    fn group_names_are_reversible() {
        for (slice, steps) in [("", vec!["x"]), ("a_b", vec!["", "ü", "x"])] {
            for keys in [KeyKind::Text, KeyKind::Int, KeyKind::Float] {
                let path = FeaturePath::new(steps.iter().map(ToString::to_string).collect());
                let name =
                    GroupName { slice: slice.to_owned(), path, keys, weighted: slice.is_empty() };
                assert_eq!(GroupName::decode(&name.encode()), Some(name));
            }
        }
        assert_eq!(GroupName::decode(b""), None);
        assert_eq!(GroupName::decode(b"\0\xff\xff\xff\xff\x7f"), None);
    }
}
