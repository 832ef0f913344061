//! Sizes of values that are neither text nor categories: images and the like.

use arrow_array::Array;
use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::generator::{bytes_stats, feature_stats};
use super::{Column, Generator, Patch, Values, Variant};

pub(super) const GENERATOR: Generator = Generator {
    name: "bytes",
    doc: "average, least and greatest number of bytes of values declared to be bytes",
    new: |feature| (feature.variant == Variant::Bytes).then(|| feature_stats(BytesStats)),
};

struct BytesStats;

/// Whole numbers only, so that nothing depends on any order.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct BytesAcc {
    n: u64,
    total: u64,
    /// Least and greatest.
    range: Option<(u64, u64)>,
}

impl BytesAcc {
    fn add(&mut self, size: usize) {
        let size = size as u64;
        self.merge(&BytesAcc { n: 1, total: size, range: Some((size, size)) });
    }

    fn merge(&mut self, other: &BytesAcc) {
        self.n += other.n;
        self.total += other.total;
        self.range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

impl CombineFn for BytesStats {
    type Input = Column;
    type Accumulator = BytesAcc;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> BytesAcc {
        BytesAcc::default()
    }

    fn add_input(&self, acc: &mut BytesAcc, column: &Column) -> Result<()> {
        match &column.values {
            Values::Bytes(values) => {
                for i in (0..values.len()).filter(|&i| values.is_valid(i)) {
                    acc.add(values.value_length(i) as usize);
                }
            }
            Values::Dictionary { codes, values } => {
                for code in codes.iter().flatten().filter(|&code| values.is_valid(code as usize)) {
                    acc.add(values.value_length(code as usize) as usize);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut BytesAcc, other: BytesAcc) -> Result<()> {
        acc.merge(&other);
        Ok(())
    }

    fn extract_output(&self, acc: BytesAcc) -> Result<Patch> {
        Ok(Box::new(move |message| {
            let stats = bytes_stats(message);
            if let Some((least, greatest)) = acc.range {
                stats.avg_num_bytes = (acc.total as f64 / acc.n as f64) as f32;
                stats.min_num_bytes = least as f32;
                stats.max_num_bytes = greatest as f32;
                stats.max_num_bytes_int = greatest as i64;
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{BinaryArray, Int32Array};

    use super::super::testing::flat;
    use super::*;

    fn check(batches: Vec<Values>, expected: (u64, u64, Option<(u64, u64)>)) {
        let mut acc = BytesAcc::default();
        for values in batches {
            let mut part = BytesAcc::default();
            BytesStats.add_input(&mut part, &flat(values)).unwrap();
            BytesStats.merge_accumulators(&mut acc, part).unwrap();
        }
        assert_eq!((acc.n, acc.total, acc.range), expected);
    }

    #[test]
    fn sizes() {
        let of = |values: Vec<Option<&[u8]>>| BinaryArray::from(values);
        check(vec![], (0, 0, None));
        check(vec![Values::Bytes(of(vec![None]))], (0, 0, None));
        check(vec![Values::Bytes(of(vec![Some(b"")])), Values::Unknown(2)], (1, 0, Some((0, 0))));
        let big = vec![0xff; 1 << 20];
        check(
            vec![Values::Bytes(of(vec![Some(&big), None])), Values::Bytes(of(vec![Some(b"abc")]))],
            (2, (1 << 20) + 3, Some((3, 1 << 20))),
        );
        let codes = Int32Array::from(vec![Some(1), None, Some(1), Some(2)]);
        let values = of(vec![Some(b"not used"), Some(b"ab"), None]);
        check(vec![Values::Dictionary { codes, values }], (2, 4, Some((2, 2))));
    }
}
