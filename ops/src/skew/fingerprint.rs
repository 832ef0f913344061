//! One 64-bit hash for each example of a column: equal values have equal hashes, whatever Arrow
//! type, batch or file they come in.
//!
//! ```text
//!  [[1, 2], [], null, [3]]  ──►  hash(hash(1), hash(2)), EMPTY, ABSENT, hash(3)
//! ```

use arrow_array::Array;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SkewOptions;
use super::round::round;
use crate::stats::{Column, Level, Values, each_valid};

/// The feature is not there.
pub(super) const ABSENT: u64 = 0;
/// The feature is there without values.
pub(super) const EMPTY: u64 = 1;
/// An item of a list that is null.
const NULL: u64 = 2;

/// What separates hashes of different kinds of things.
const INT: u64 = 1;
const FLOAT: u64 = 2;
const BYTES: u64 = 3;
const LIST: u64 = 4;
const STRUCTS: u64 = 5;

/// How floats are made comparable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floats {
    digits: Option<u32>,
    single: bool,
}

impl Floats {
    pub(super) fn new(options: &SkewOptions) -> Self {
        Floats { digits: options.float_digits, single: options.single_floats }
    }

    /// Bits that are equal for equal values: all NaN are alike, and so are both zeros.
    #[inline]
    pub(super) fn bits(self, value: f64) -> u64 {
        let fit = |value: f64| if self.single { f64::from(value as f32) } else { value };
        // Rounded from what the other side holds, too: 17.175 in 64 bits lies on the other side of
        // the middle than in 32.
        let value = match self.digits {
            None => fit(value),
            Some(digits) => fit(round(fit(value), digits)),
        };
        if value.is_nan() {
            return f64::NAN.to_bits();
        }
        // -0.0 + 0.0 is 0.0.
        (value + 0.0).to_bits()
    }
}

/// Keeps hashes away from the words that mean something else.
#[inline]
fn word(hash: u64) -> u64 {
    if hash > NULL { hash } else { hash + NULL + 1 }
}

#[inline]
fn number(bits: u64, kind: u64) -> u64 {
    word(xxh3_64_with_seed(&bits.to_le_bytes(), kind))
}

/// A hash of the whole feature for each example; [`ABSENT`] or [`EMPTY`] where it has no value.
pub(super) fn fingerprints(column: &Column, floats: Floats) -> Vec<u64> {
    let mut hashes = of_slots(&column.values, floats);
    for (depth, level) in column.levels.iter().enumerate().rev() {
        hashes = of_parents(level, depth as u64, hashes);
    }
    match &column.examples {
        None => hashes,
        Some(examples) => of_examples(examples, &hashes, column.n_examples),
    }
}

fn of_slots(values: &Values, floats: Floats) -> Vec<u64> {
    match values {
        Values::Unknown(n) => vec![NULL; *n],
        Values::Int(array) => fill(array, |i| number(array.value(i) as u64, INT)),
        Values::Float32(array) => {
            fill(array, |i| number(floats.bits(array.value(i).into()), FLOAT))
        }
        Values::Float64(array) => fill(array, |i| number(floats.bits(array.value(i)), FLOAT)),
        Values::Bytes(array) => fill(array, |i| word(xxh3_64_with_seed(array.value(i), BYTES))),
        Values::Dictionary { codes, values } => {
            let hash = |code: usize| word(xxh3_64_with_seed(values.value(code), BYTES));
            if values.len() <= 2 * codes.len() {
                let hashes = fill(values, hash);
                fill(codes, |i| hashes[codes.value(i) as usize])
            } else {
                fill(codes, |i| {
                    let code = codes.value(i) as usize;
                    if values.is_valid(code) { hash(code) } else { NULL }
                })
            }
        }
        // Its fields are features of their own.
        Values::Struct(array) => vec![word(STRUCTS); array.len()],
    }
}

fn fill(array: &dyn Array, hash: impl Fn(usize) -> u64) -> Vec<u64> {
    let mut hashes = vec![NULL; array.len()];
    each_valid(array, |i| hashes[i] = hash(i));
    hashes
}

/// From the hashes of values to those of the lists that hold them.
fn of_parents(level: &Level, depth: u64, hashes: Vec<u64>) -> Vec<u64> {
    let none = if depth == 0 { ABSENT } else { NULL };
    let Some(offsets) = &level.offsets else {
        let mut hashes = hashes;
        if let Some(nulls) = &level.nulls {
            for (hash, is_there) in hashes.iter_mut().zip(nulls) {
                *hash = if is_there { *hash } else { none };
            }
        }
        return hashes;
    };
    let mut bytes = Vec::new();
    (0..level.n_parents)
        .map(|i| {
            if !level.is_present(i) {
                return none;
            }
            match &hashes[offsets[i] as usize..offsets[i + 1] as usize] {
                [] => EMPTY,
                // A list of one value is that value, as files with and without lists hold it.
                [one] if depth == 0 => *one,
                many => of_many(many, LIST + (depth << 8), &mut bytes),
            }
        })
        .collect()
}

fn of_many(hashes: &[u64], seed: u64, bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    bytes.extend(hashes.iter().flat_map(|hash| hash.to_le_bytes()));
    word(xxh3_64_with_seed(bytes, seed))
}

/// From the hashes of a struct's field to those of the examples that hold the structs.
fn of_examples(examples: &[u32], hashes: &[u64], n_examples: usize) -> Vec<u64> {
    let mut out = vec![ABSENT; n_examples];
    let mut bytes = Vec::new();
    let mut start = 0;
    for structs in examples.chunk_by(|a, b| a == b) {
        let of_example = &hashes[start..start + structs.len()];
        start += structs.len();
        out[structs[0] as usize] = match of_example {
            [one] => *one,
            many if many.iter().all(|&hash| hash == ABSENT) => ABSENT,
            many => of_many(many, STRUCTS, &mut bytes),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::{Float32Type, Int32Type, Int64Type};
    use arrow_array::{
        ArrayRef, BinaryArray, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
        ListArray, NullArray, RecordBatch, StringArray, StructArray,
    };
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use arrow_schema::{DataType, Field};

    use super::*;

    fn hashes_with(array: ArrayRef, options: &SkewOptions) -> Vec<Vec<u64>> {
        let field = Field::new("x", array.data_type().clone(), true);
        let schema = Arc::new(arrow_schema::Schema::new(vec![field]));
        let records = RecordBatch::try_new(schema, vec![array]).unwrap();
        let columns = crate::stats::column::columns(&records, 0, |_| None, |_| true).unwrap();
        columns.iter().map(|column| fingerprints(column, Floats::new(options))).collect()
    }

    fn hashes(array: impl Array + 'static) -> Vec<u64> {
        hashes_with(Arc::new(array), &SkewOptions::default()).remove(0)
    }

    #[test]
    fn how_values_are_stored_does_not_show() {
        let lists = |values: Vec<Option<Vec<Option<i64>>>>| {
            ListArray::from_iter_primitive::<Int64Type, _, _>(values)
        };
        let flat = hashes(Int64Array::from(vec![Some(7), None, Some(-1)]));
        assert_eq!(flat, hashes(Int32Array::from(vec![Some(7), None, Some(-1)])));
        let listed = hashes(lists(vec![Some(vec![Some(7)]), None, Some(vec![Some(-1)])]));
        assert_eq!(flat, listed);
        let text = hashes(StringArray::from(vec![Some("a"), None, Some("b"), Some("a")]));
        let bytes: Vec<Option<&[u8]>> = vec![Some(b"a"), None, Some(b"b"), Some(b"a")];
        assert_eq!(text, hashes(BinaryArray::from(bytes)));
        let dictionary: DictionaryArray<Int32Type> =
            [Some("a"), None, Some("b"), Some("a")].into_iter().collect();
        assert_eq!(text, hashes(dictionary.clone()));
        assert_eq!(text[3..], hashes(dictionary.slice(3, 1)));
        assert_eq!(hashes(NullArray::new(2)), [ABSENT, ABSENT]);
    }

    #[test]
    fn what_differs_differs() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            None,
            Some(vec![]),
            Some(vec![Some(1)]),
            Some(vec![Some(1), Some(2)]),
            Some(vec![Some(2), Some(1)]),
            Some(vec![Some(1), Some(1)]),
            Some(vec![None]),
            Some(vec![Some(1), None]),
            Some(vec![None, Some(1)]),
        ]);
        let mut all = hashes(lists);
        assert_eq!(all[..2], [ABSENT, EMPTY]);
        all.extend(hashes(Float64Array::from(vec![1.0, 2.0, 0.1])));
        all.extend(hashes(StringArray::from(vec!["", "1", "12", "\0"])));
        let mut sorted = all.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), all.len());
    }

    #[test]
    fn floats_are_compared_by_value() {
        let odd = f64::from_bits(f64::NAN.to_bits() | 1);
        let found = hashes(Float64Array::from(vec![0.0, -0.0, f64::NAN, odd, -f64::NAN]));
        assert_eq!((found[0], found[2], found[2]), (found[1], found[3], found[4]));
        let single: ArrayRef = Arc::new(Float32Array::from(vec![0.5, 0.1, 1e30]));
        let double: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 0.1, 1e30]));
        let equal = |options: &SkewOptions| -> Vec<bool> {
            let [single, double] =
                [&single, &double].map(|array| hashes_with(array.clone(), options));
            single[0].iter().zip(&double[0]).map(|(a, b)| a == b).collect()
        };
        assert_eq!(equal(&SkewOptions::default()), [true, false, false]);
        let options = SkewOptions { single_floats: true, ..Default::default() };
        assert_eq!(equal(&options), [true, true, true]);
        let options = SkewOptions { float_digits: Some(3), ..Default::default() };
        assert_eq!(equal(&options), [true, true, false]);
        let single: ArrayRef = Arc::new(Float32Array::from(vec![17.175]));
        let double: ArrayRef = Arc::new(Float64Array::from(vec![17.175]));
        let options =
            SkewOptions { float_digits: Some(2), single_floats: true, ..Default::default() };
        assert_eq!(hashes_with(single, &options), hashes_with(double, &options));
        let close: ArrayRef = Arc::new(Float32Array::from(vec![1.121, 1.1249, -0.001, 0.001]));
        let options = SkewOptions { float_digits: Some(2), ..Default::default() };
        let found = hashes_with(close, &options).remove(0);
        assert_eq!((found[0], found[2]), (found[1], found[3]));
    }

    #[test]
    fn nested_lists_and_structs() {
        let inner = ListArray::from_iter_primitive::<Float32Type, _, _>([
            Some(vec![Some(1.0), Some(2.0)]),
            Some(vec![Some(1.0)]),
            Some(vec![Some(2.0)]),
            Some(vec![Some(1.0), Some(2.0)]),
        ]);
        let item = Arc::new(Field::new("item", inner.data_type().clone(), true));
        let outer = OffsetBuffer::from_lengths([1, 2, 0, 1]);
        let nested = ListArray::new(item, outer, Arc::new(inner), None);
        let found = hashes(nested);
        assert_eq!((found[0], found[2]), (found[3], EMPTY));
        let flat =
            ListArray::from_iter_primitive::<Float32Type, _, _>([Some(vec![Some(1.0), Some(2.0)])]);
        assert!(found[0] != found[1] && found[0] != hashes(flat)[0]);

        let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(1), None]));
        let fields = vec![Field::new("x", DataType::Int64, true)];
        let structs = StructArray::new(
            fields.into(),
            vec![x],
            Some(NullBuffer::from(vec![true, true, true, false])),
        );
        let found = hashes_with(Arc::new(structs.clone()), &SkewOptions::default());
        assert_eq!(found[1], [found[1][0], ABSENT, found[1][0], ABSENT]);
        let item = Arc::new(Field::new("item", structs.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([2, 1, 1, 0]);
        let lists = ListArray::new(item, offsets, Arc::new(structs), None);
        let listed = hashes_with(Arc::new(lists), &SkewOptions::default());
        assert_eq!(listed[1][1..], [found[1][0], ABSENT, ABSENT]);
        assert!(listed[1][0] > NULL && listed[1][0] != listed[1][1]);
    }
}
