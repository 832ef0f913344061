//! `tft.mean`, `tft.var`: moments of finite values.

use engine::{CombineFn, Result};
use ops::sketch::Moments;
use serde::{Deserialize, Serialize};

use super::numeric::{OUTPUT_DTYPE, REDUCE, X, float_of, floats, in_doubles, positions};
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Call, Kind, Op, Param};
use crate::tensor::Tensor;
use crate::types::{DType, Type};

const PARAMS: &[Param] = &[X, REDUCE, OUTPUT_DTYPE];

const SEMANTICS: &str = "NaN and infinities are ignored, and so are missing values. Computed in \
    double precision and rounded once. Without values the result is 0.";

/// The mean.
pub(super) const MEAN: Op = Op {
    name: "tft.mean",
    doc: "the mean of all values of a column",
    semantics: SEMANTICS,
    examples: &["x - tft.mean(x)", "d - tft.mean(n, output_dtype=tf.float64)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        Ok(vec![builder.call(MEAN_AND_VAR.name, call.again())?[0]])
    }),
};

/// The variance.
pub(super) const VAR: Op = Op {
    name: "tft.var",
    doc: "the variance of all values of a column, as of a whole population",
    semantics: SEMANTICS,
    examples: &["x - tft.var(x)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        Ok(vec![builder.call(MEAN_AND_VAR.name, call.again())?[1]])
    }),
};

/// Both in one analyzer, so that asking for either costs one state.
pub(super) const MEAN_AND_VAR: Op = Op {
    name: "tft.mean_and_var",
    doc: "mean and variance of all values of a column",
    semantics: SEMANTICS,
    examples: &[
        "x - tft.mean_and_var(xs)[0]",
        "vec - tft.mean_and_var(vec, reduce_instance_dims=False)[1]",
    ],
    params: PARAMS,
    kind: Kind::Analyze {
        types: |call| {
            let ty = output_type(call)?;
            Ok(vec![ty.clone(), ty])
        },
        analyzer: |call| {
            let ty = output_type(call)?;
            let positions = ty.fixed_len().unwrap_or(1);
            Ok(Analyzer::Global(Box::new(MeanAndVar { positions, dtype: ty.dtype })))
        },
    },
};

fn output_type(call: &Call<'_>) -> Result<Type> {
    let shape = positions(call, call.ty("x")?, call.is("reduce_instance_dims"))?;
    Ok(Type::constant(float_of(call)?, shape))
}

/// Moments of each position of a row.
struct MeanAndVar {
    positions: usize,
    dtype: DType,
}

/// How many values are summed in one go, counted from the shard's first, so that it does not show
/// where batches end.
const BLOCK: usize = 1024;

/// Moments of whole blocks, and the block in progress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Position {
    moments: Moments,
    block: Vec<f64>,
}

impl Position {
    fn flush(&mut self) {
        self.moments.merge(Moments::of_singles(&self.block));
        self.block.clear();
    }

    /// Adds values that are finite, in slices.
    fn extend(&mut self, mut values: &[f64]) {
        while !values.is_empty() {
            let (now, later) = values.split_at(values.len().min(BLOCK - self.block.len()));
            let before = self.block.len();
            self.block.extend_from_slice(now);
            // Products that are 0 for finite values, else NaN: one branch for all of them.
            if now.iter().map(|value| value * 0.0).sum::<f64>() != 0.0 {
                self.drop_not_finite(before);
            }
            if self.block.len() == BLOCK {
                self.flush();
            }
            values = later;
        }
    }

    fn drop_not_finite(&mut self, from: usize) {
        let mut kept = from;
        for i in from..self.block.len() {
            if self.block[i].is_finite() {
                self.block[kept] = self.block[i];
                kept += 1;
            }
        }
        self.block.truncate(kept);
    }

    /// Adds one value, if it is finite.
    fn push(&mut self, value: f64) {
        if value.is_finite() {
            self.block.push(value);
            if self.block.len() == BLOCK {
                self.flush();
            }
        }
    }
}

impl CombineFn for MeanAndVar {
    type Input = Columns;
    type Accumulator = Vec<Position>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        MEAN_AND_VAR.name
    }

    fn create_accumulator(&self) -> Vec<Position> {
        vec![Position::default(); self.positions]
    }

    fn add_input(&self, acc: &mut Vec<Position>, input: &Columns) -> Result<()> {
        let mut next = 0;
        in_doubles(&input.tensors[0], |values| {
            if let [position] = acc.as_mut_slice() {
                position.extend(values);
            } else {
                for value in values {
                    acc[next].push(*value);
                    next = if next + 1 == self.positions { 0 } else { next + 1 };
                }
            }
        });
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Vec<Position>, other: Vec<Position>) -> Result<()> {
        for (position, mut other) in acc.iter_mut().zip(other) {
            position.flush();
            other.flush();
            position.moments.merge(other.moments);
        }
        Ok(())
    }

    fn extract_output(&self, mut acc: Vec<Position>) -> Result<Vec<Tensor>> {
        acc.iter_mut().for_each(Position::flush);
        let result = |of: fn(&Moments) -> f64| {
            let values = acc.iter().map(|position| of(&position.moments));
            Tensor::dense(1, floats(self.dtype, values))
        };
        Ok(vec![result(Moments::mean), result(Moments::variance)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::combine;

    #[test]
    fn only_finite_values_count() {
        let check = |values: &[f64], expected: [f64; 2]| {
            let f = MeanAndVar { positions: 1, dtype: DType::Float64 };
            let found = combine(&f, &[Tensor::dense(values.len(), values.to_vec())], 1);
            assert_eq!([found[0].doubles()[0], found[1].doubles()[0]], expected, "{values:?}");
        };
        check(&[], [0.0, 0.0]);
        check(&[3.0], [3.0, 0.0]);
        check(&[1.0, 2.0, 3.0, 4.0], [2.5, 1.25]);
        check(&[1.0, f64::NAN, 3.0, f64::INFINITY, f64::NEG_INFINITY], [2.0, 1.0]);
        check(&[1e15, 1e15 + 2.0], [1e15 + 1.0, 1.0]);
        let many: Vec<f64> = (0..3000).map(|i| f64::from(i % 100)).collect();
        check(&many, [49.5, 833.25]);
        let holes = many.iter().flat_map(|&v| [v, f64::NAN, f64::INFINITY]);
        check(&holes.collect::<Vec<_>>(), [49.5, 833.25]);
    }

    #[test]
    fn positions_have_moments_of_their_own() {
        let f = MeanAndVar { positions: 3, dtype: DType::Float32 };
        let values: Vec<i64> = (0..9000).map(|i| if i % 3 == 2 { i } else { i % 3 }).collect();
        let found = combine(&f, &[Tensor::dense(3000, values)], 3);
        assert_eq!(found[0].floats(), [0.0, 1.0, 4500.5]);
        assert_eq!(found[1].floats()[..2], [0.0, 0.0]);
    }
}
