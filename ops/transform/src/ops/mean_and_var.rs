//! `tft.mean`, `tft.var`: moments of finite values.

use engine::{CombineFn, Result};
use ops::sketch::Moments;
use serde::{Deserialize, Serialize};

use super::elementwise::number;
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Args, Call, Default, Kind, Op, Param, Takes};
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Dim, Type};

const PARAMS: &[Param] = &[
    Param {
        name: "x",
        takes: Takes::Value { like: "" },
        default: Default::Required,
        doc: "a column of numbers",
    },
    Param {
        name: "reduce_instance_dims",
        takes: Takes::Bool,
        default: Default::Bool(true),
        doc: "one result over all values; else one for each position in a row",
    },
    Param {
        name: "output_dtype",
        takes: Takes::DType,
        default: Default::None,
        doc: "`tf.float32` or `tf.float64`; the column's own by default, float32 for integers",
    },
];

const SEMANTICS: &str = "NaN and infinities are ignored, and so are missing values. Computed in \
    double precision and rounded once. Without values the result is 0.";

/// The mean.
pub(super) const MEAN: Op = Op {
    name: "tft.mean",
    doc: "the mean of all values of a column",
    semantics: SEMANTICS,
    examples: &["x - tft.mean(x)", "d - tft.mean(n, output_dtype=tf.float64)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| Ok(vec![builder.call(MEAN_AND_VAR.name, same(call))?[0]])),
};

/// The variance.
pub(super) const VAR: Op = Op {
    name: "tft.var",
    doc: "the variance of all values of a column, as of a whole population",
    semantics: SEMANTICS,
    examples: &["x - tft.var(x)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| Ok(vec![builder.call(MEAN_AND_VAR.name, same(call))?[1]])),
};

fn same(call: &crate::op::Bound) -> Args {
    Args { positional: call.args.clone(), named: Vec::new() }
}

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
    let x = number(call, "x")?;
    let dtype = match call.opt_dtype("output_dtype") {
        None if x.dtype == DType::Int64 => DType::Float32,
        None => x.dtype,
        Some(dtype) if dtype.is_float() => dtype,
        Some(dtype) => {
            return Err(call.wrong(format!("`output_dtype` is {dtype}; a float is wanted")));
        }
    };
    let shape: Vec<Dim> = if call.is("reduce_instance_dims") {
        Vec::new()
    } else if x.is_dense() {
        x.shape.clone()
    } else {
        return Err(call.wrong_type("x", "a column of a fixed shape, for a result by position,"));
    };
    Ok(Type::constant(dtype, shape))
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

    fn add(&mut self, values: impl Iterator<Item = f64>) {
        for value in values.filter(|value| value.is_finite()) {
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
        let n = self.positions;
        for (i, position) in acc.iter_mut().enumerate() {
            match &input.tensors[0].values {
                Values::Int64(v) => position.add(v.iter().skip(i).step_by(n).map(|&v| v as f64)),
                Values::Float32(v) => {
                    position.add(v.iter().skip(i).step_by(n).map(|&v| f64::from(v)));
                }
                Values::Float64(v) => position.add(v.iter().skip(i).step_by(n).copied()),
                _ => {}
            }
        }
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

/// Doubles as values of a float type.
fn floats(dtype: DType, values: impl Iterator<Item = f64>) -> Values {
    match dtype {
        DType::Float64 => values.collect::<Vec<f64>>().into(),
        _ => values.map(|value| value as f32).collect::<Vec<f32>>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_values_count() {
        let check = |values: &[f64], expected: [f64; 2]| {
            let f = MeanAndVar { positions: 1, dtype: DType::Float64 };
            let mut acc = f.create_accumulator();
            let tensors = vec![Tensor::dense(values.len(), values.to_vec())];
            let rows = values.len();
            f.add_input(&mut acc, &Columns { rows, shard: 0, first_row: 0, tensors }).unwrap();
            let found = f.extract_output(acc).unwrap();
            assert_eq!([found[0].doubles()[0], found[1].doubles()[0]], expected, "{values:?}");
        };
        check(&[], [0.0, 0.0]);
        check(&[3.0], [3.0, 0.0]);
        check(&[1.0, 2.0, 3.0, 4.0], [2.5, 1.25]);
        check(&[1.0, f64::NAN, 3.0, f64::INFINITY, f64::NEG_INFINITY], [2.0, 1.0]);
        check(&[1e15, 1e15 + 2.0], [1e15 + 1.0, 1.0]);
    }
}
