//! `tft.sum`, `tft.size`: how much and how many.

use engine::{CombineFn, Result};
use ops::sketch::ExactSum;

use super::{REDUCE, X, floats, in_doubles, positions};
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Call, Default, Kind, Op, Param, Takes};
use crate::ops::elementwise::number;
use crate::tensor::Tensor;
use crate::types::{DType, Type};

/// The sum.
pub(in crate::ops) const SUM: Op = Op {
    name: "tft.sum",
    doc: "the sum of all values of a column",
    semantics: "Of the column's own dtype. Integers wrap. Floats are added exactly and rounded once \
        (TFT adds in float32, batch by batch); NaN, and infinities of both signs, make the sum NaN. \
        Missing values are not looked at. Without values the sum is 0.",
    examples: &[
        "x - tft.sum(x)",
        "n - tft.sum(ns)",
        "d - tft.sum(ds)",
        "vec - tft.sum(vec, reduce_instance_dims=False)",
        "nvec - tft.sum(nvec, reduce_instance_dims=False)",
    ],
    params: &[X, REDUCE],
    kind: Kind::Analyze {
        types: |call| Ok(vec![sum_type(call)?]),
        analyzer: |call| {
            let Type { dtype, shape, .. } = &sum_type(call)?;
            let positions = Type::column(*dtype, shape.clone()).fixed_len().unwrap_or(1);
            Ok(Analyzer::Global(match dtype {
                DType::Int64 => Box::new(SumOfInts { positions }),
                dtype => Box::new(SumOfFloats { positions, dtype: *dtype }),
            }))
        },
    },
};

/// The number of values.
pub(in crate::ops) const SIZE: Op = Op {
    name: "tft.size",
    doc: "how many values a column has in all rows",
    semantics: "int64. Missing values are not counted; NaN and empty strings are.",
    examples: &["n - tft.size(xs)", "n - tft.size(ss)", "nvec * tft.size(nvec, False)"],
    params: &[
        Param {
            name: "x",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a column",
        },
        REDUCE,
    ],
    kind: Kind::Analyze {
        types: |call| Ok(vec![size_type(call)?]),
        analyzer: |call| {
            let positions = size_type(call)?.fixed_len().unwrap_or(1);
            Ok(Analyzer::Global(Box::new(Size { positions })))
        },
    },
};

fn sum_type(call: &Call<'_>) -> Result<Type> {
    let x = number(call, "x")?;
    Ok(Type::constant(x.dtype, positions(call, x, call.is("reduce_instance_dims"))?))
}

fn size_type(call: &Call<'_>) -> Result<Type> {
    let shape = positions(call, call.ty("x")?, call.is("reduce_instance_dims"))?;
    Ok(Type::constant(DType::Int64, shape))
}

/// Sums of integers, one for each position of a row.
struct SumOfInts {
    positions: usize,
}

impl CombineFn for SumOfInts {
    type Input = Columns;
    type Accumulator = Vec<i64>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        SUM.name
    }
    fn create_accumulator(&self) -> Vec<i64> {
        vec![0; self.positions]
    }
    fn add_input(&self, acc: &mut Vec<i64>, input: &Columns) -> Result<()> {
        let values = input.tensors[0].ints();
        if let [sum] = acc.as_mut_slice() {
            *sum = values.iter().fold(*sum, |sum, value| sum.wrapping_add(*value));
        } else {
            values.chunks_exact(self.positions.max(1)).for_each(|row| add_ints(acc, row));
        }
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut Vec<i64>, other: Vec<i64>) -> Result<()> {
        add_ints(acc, &other);
        Ok(())
    }
    fn extract_output(&self, acc: Vec<i64>) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::dense(1, acc)])
    }
}

fn add_ints(sums: &mut [i64], row: &[i64]) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
}

/// Exact sums of floats, one for each position of a row.
struct SumOfFloats {
    positions: usize,
    dtype: DType,
}

impl CombineFn for SumOfFloats {
    type Input = Columns;
    type Accumulator = Vec<ExactSum>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        SUM.name
    }
    fn create_accumulator(&self) -> Vec<ExactSum> {
        vec![ExactSum::default(); self.positions]
    }
    fn add_input(&self, acc: &mut Vec<ExactSum>, input: &Columns) -> Result<()> {
        let mut position = 0;
        in_doubles(&input.tensors[0], |values| {
            if let [sum] = acc.as_mut_slice() {
                values.iter().for_each(|value| sum.add(*value));
            } else {
                for value in values {
                    acc[position].add(*value);
                    position = if position + 1 == self.positions { 0 } else { position + 1 };
                }
            }
        });
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut Vec<ExactSum>, other: Vec<ExactSum>) -> Result<()> {
        acc.iter_mut().zip(&other).for_each(|(sum, other)| sum.merge(other));
        Ok(())
    }
    fn extract_output(&self, acc: Vec<ExactSum>) -> Result<Vec<Tensor>> {
        let sums = acc.iter().map(ExactSum::value);
        Ok(vec![Tensor::dense(1, floats(self.dtype, sums))])
    }
}

/// How many values there are, for each position of a row.
struct Size {
    positions: usize,
}

impl CombineFn for Size {
    type Input = Columns;
    type Accumulator = u64;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        SIZE.name
    }
    fn create_accumulator(&self) -> u64 {
        0
    }
    fn add_input(&self, acc: &mut u64, input: &Columns) -> Result<()> {
        *acc += input.tensors[0].values.len() as u64;
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut u64, other: u64) -> Result<()> {
        *acc += other;
        Ok(())
    }
    fn extract_output(&self, acc: u64) -> Result<Vec<Tensor>> {
        // Rows of a fixed shape have as many values at each position.
        let each = acc as i64 / self.positions.max(1) as i64;
        Ok(vec![Tensor::dense(1, vec![each; self.positions])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::combine;

    #[test]
    fn floats_are_added_exactly() {
        let check = |values: &[f32], expected: f32| {
            let sum = SumOfFloats { positions: 1, dtype: DType::Float32 };
            let found = combine(&sum, &[Tensor::dense(values.len(), values.to_vec())], 1);
            assert_eq!(found[0].floats()[0].to_bits(), expected.to_bits(), "{values:?}");
        };
        check(&[], 0.0);
        check(&[1e30, 1.0, -1e30], 1.0);
        check(&[16_777_216.0, 1.0, 1.0], 16_777_218.0);
        check(&[f32::MAX, f32::MAX], f32::INFINITY);
        check(&[f32::INFINITY, 1.0], f32::INFINITY);
        check(&[f32::INFINITY, f32::NEG_INFINITY], f32::NAN);
        check(&[f32::NAN, 1.0], f32::NAN);
        check(&[-0.0], 0.0);
    }

    #[test]
    fn positions_have_sums_of_their_own() {
        let sum = SumOfFloats { positions: 2, dtype: DType::Float64 };
        let values: Vec<f64> = (0..3000).map(f64::from).collect();
        let found = combine(&sum, &[Tensor::dense(1500, values)], 2);
        assert_eq!(found[0].doubles(), [2_248_500.0, 2_250_000.0]);
        let ints = Tensor::dense(2, vec![i64::MAX, 1, 1, 2]);
        let found = combine(&SumOfInts { positions: 2 }, std::slice::from_ref(&ints), 2);
        assert_eq!(found[0].ints(), [i64::MIN, 3]);
        let found = combine(&Size { positions: 2 }, &[ints], 2);
        assert_eq!(found[0].ints(), [2, 2]);
    }
}
