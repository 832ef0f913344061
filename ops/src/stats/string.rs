//! Lengths of values as text, and how many are not UTF-8.

use arrow_array::{Array, BinaryArray};
use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::generator::{feature_stats, string_stats};
use super::{Column, Generator, Patch, Values, Variant, text};

pub(super) const GENERATOR: Generator = Generator {
    name: "string",
    doc: "average length in bytes, number of values that are not UTF-8",
    new: |feature| (feature.variant == Variant::String).then(|| feature_stats(StringStats)),
};

struct StringStats;

/// Whole numbers only, so that nothing depends on any order.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct StringAcc {
    values: u64,
    bytes: u64,
    invalid_values: u64,
}

impl StringAcc {
    fn add_times(&mut self, n: u64, n_bytes: usize, invalid: bool) {
        self.values += n;
        self.bytes += n * n_bytes as u64;
        self.invalid_values += if invalid { n } else { 0 };
    }

    fn add_bytes(&mut self, values: &BinaryArray) {
        self.values += (values.len() - values.null_count()) as u64;
        let offsets = values.value_offsets();
        let (first, last) = (offsets[0] as usize, offsets[values.len()] as usize);
        let bytes = &values.value_data()[first..last];
        self.bytes += bytes.len() as u64;
        if let Some(nulls) = values.nulls() {
            // A null may cover bytes.
            let covered: i32 = (0..values.len())
                .filter(|&i| nulls.is_null(i))
                .map(|i| values.value_length(i))
                .sum();
            self.bytes -= covered as u64;
        }
        if !is_utf8(bytes, first, &offsets[..values.len()]) {
            let invalid = values.iter().flatten().filter(|v| std::str::from_utf8(v).is_err());
            self.invalid_values += invalid.count() as u64;
        }
    }
}

/// True when the buffer is UTF-8 and no value begins inside a character: then every value is too.
fn is_utf8(bytes: &[u8], first: usize, starts: &[i32]) -> bool {
    if bytes.is_ascii() {
        return true;
    }
    let inside = |start: &i32| {
        let byte = bytes.get(*start as usize - first);
        byte.is_some_and(|byte| byte & 0xc0 == 0x80)
    };
    std::str::from_utf8(bytes).is_ok() && !starts.iter().any(inside)
}

impl CombineFn for StringStats {
    type Input = Column;
    type Accumulator = StringAcc;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> StringAcc {
        StringAcc::default()
    }

    fn add_input(&self, acc: &mut StringAcc, column: &Column) -> Result<()> {
        match &column.values {
            Values::Bytes(values) => acc.add_bytes(values),
            Values::Dictionary { codes, values } if values.len() <= codes.len() => {
                let mut counts = vec![0u64; values.len()];
                codes.iter().flatten().for_each(|code| counts[code as usize] += 1);
                for (code, &n) in counts.iter().enumerate() {
                    if n > 0 && values.is_valid(code) {
                        let value = values.value(code);
                        acc.add_times(n, value.len(), std::str::from_utf8(value).is_err());
                    }
                }
            }
            Values::Dictionary { codes, values } => {
                for code in codes.iter().flatten() {
                    if values.is_valid(code as usize) {
                        let value = values.value(code as usize);
                        acc.add_times(1, value.len(), std::str::from_utf8(value).is_err());
                    }
                }
            }
            Values::Int(values) => {
                values.iter().flatten().for_each(|v| acc.add_times(1, text::int_length(v), false));
            }
            Values::Float32(values) => {
                let texts = values.iter().flatten().map(text::float);
                texts.for_each(|text| acc.add_times(1, text.len(), false));
            }
            Values::Float64(values) => {
                let texts = values.iter().flatten().map(text::float);
                texts.for_each(|text| acc.add_times(1, text.len(), false));
            }
            Values::Unknown(_) | Values::Struct(_) => {}
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut StringAcc, other: StringAcc) -> Result<()> {
        acc.values += other.values;
        acc.bytes += other.bytes;
        acc.invalid_values += other.invalid_values;
        Ok(())
    }

    fn extract_output(&self, acc: StringAcc) -> Result<Patch> {
        Ok(Box::new(move |message| {
            let stats = string_stats(message);
            if acc.values > 0 {
                stats.avg_length = (acc.bytes as f64 / acc.values as f64) as f32;
            }
            stats.invalid_utf8_count = acc.invalid_values;
        }))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{Array, DictionaryArray, Float32Array, Int32Array, Int64Array};

    use super::super::testing::flat;
    use super::*;

    fn check(values: Values, expected: (u64, u64, u64)) {
        let mut acc = StringAcc::default();
        StringStats.add_input(&mut acc, &flat(values)).unwrap();
        assert_eq!((acc.values, acc.bytes, acc.invalid_values), expected);
    }

    #[test]
    fn text_and_bytes() {
        let of = |values: Vec<Option<&[u8]>>| Values::Bytes(BinaryArray::from(values));
        check(of(vec![]), (0, 0, 0));
        check(of(vec![Some(b""), None, Some(b"abc")]), (2, 3, 0));
        check(of(vec![Some("ü€".as_bytes()), Some(b"x")]), (2, 6, 0));
        check(of(vec![Some(b"\xff"), Some(b"ok"), None, Some(b"\xff")]), (3, 4, 2));
        // Valid together, but neither alone.
        check(of(vec![Some(b"\xc3"), Some(b"\xbc")]), (2, 2, 2));
        let big = vec![b'x'; 1 << 20];
        check(of(vec![Some(&big), Some(&big)]), (2, 2 << 20, 0));
        let cut = BinaryArray::from(vec![Some(&b"\xff"[..]), Some(b"ab"), Some(b"\xff")]);
        check(Values::Bytes(cut.slice(1, 1)), (1, 2, 0));
    }

    #[test]
    fn a_null_over_bytes_does_not_count() {
        let values = BinaryArray::from(vec![&b"ab"[..], b"\xff\xff\xff", b"c"]);
        let (offsets, data, _) = values.into_parts();
        let nulls = Some(vec![true, false, true].into());
        check(Values::Bytes(BinaryArray::new(offsets, data, nulls)), (2, 3, 0));
    }

    #[test]
    fn dictionaries_and_numbers() {
        let array: DictionaryArray<Int32Type> =
            vec![Some("aa"), None, Some("b"), Some("aa")].into_iter().collect();
        let values = array.values().as_any().downcast_ref::<arrow_array::StringArray>().unwrap();
        let dictionary = BinaryArray::from(values.clone());
        let codes = array.keys().clone();
        check(Values::Dictionary { codes, values: dictionary.clone() }, (3, 5, 0));
        let codes = Int32Array::from(vec![1]);
        check(Values::Dictionary { codes, values: dictionary }, (1, 1, 0));
        check(Values::Int(Int64Array::from(vec![Some(i64::MIN), None, Some(0)])), (2, 21, 0));
        check(Values::Float32(Float32Array::from(vec![0.1, f32::NAN, -0.0])), (3, 10, 0));
        check(Values::Unknown(3), (0, 0, 0));
    }
}
