//! `tft.quantiles`: boundaries that cut values into parts of equal weight.

use engine::{CombineFn, Result};
use ops::sketch::{Quantiles, Weight};

use super::{REDUCE, X, floats, in_doubles, in_singles, positions};
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Call, Default, Kind, Op, Param, Takes};
use crate::ops::elementwise::{Broadcast, number, together};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

/// How many parts.
pub(super) const NUM_BUCKETS: Param = Param {
    name: "num_buckets",
    takes: Takes::Int,
    default: Default::Required,
    doc: "how many parts, at least 2",
};
/// How exact.
pub(super) const EPSILON: Param = Param {
    name: "epsilon",
    takes: Takes::Float,
    default: Default::None,
    doc: "most that a boundary's rank may be off, as a share; min(1 / num_buckets, 0.01) by default",
};
/// What values count for.
pub(super) const WEIGHTS: Param = Param {
    name: "weights",
    takes: Takes::Value { like: "" },
    default: Default::None,
    doc: "what each value counts for",
};

/// The analyzer.
pub(in crate::ops) const QUANTILES: Op = Op {
    name: "tft.quantiles",
    doc: "the boundaries that cut a column's values into parts of equal weight",
    semantics: "num_buckets - 1 boundaries, of shape [1, num_buckets - 1]; one list for each \
        position with `reduce_instance_dims=False`. Values are rounded to float32 first, as in TFT; \
        with `output_dtype=tf.float64` they are not. No interpolation: every boundary is one of the \
        values. Exact up to the number of distinct values where TFT is (5,701 for an epsilon of \
        0.01), and off by epsilon / 3 of all weight at most. NaN is not looked at, infinities are; \
        nor are values of a weight that is NaN, infinite, zero or less. Without values all \
        boundaries are 0.",
    examples: &[
        "tft.apply_buckets(x, tft.quantiles(x, 4))",
        "tft.apply_buckets(n, tft.quantiles(ns, 3, epsilon=0.1))",
        "tft.apply_buckets(d, tft.quantiles(d, 4, weights=weight, output_dtype=tf.float64))",
        "tft.apply_buckets(vec, tft.quantiles(vec, 2, reduce_instance_dims=False))",
    ],
    params: &[
        X,
        NUM_BUCKETS,
        EPSILON,
        WEIGHTS,
        REDUCE,
        Param {
            name: "output_dtype",
            takes: Takes::DType,
            default: Default::None,
            doc: "`tf.float32`, the default, or `tf.float64`",
        },
    ],
    kind: Kind::Analyze {
        types: |call| Ok(vec![output_type(call)?]),
        analyzer: |call| {
            let ty = output_type(call)?;
            let num_buckets = call.int_from("num_buckets", 2)? as usize;
            let positions = ty.fixed_len().unwrap_or(1) / (num_buckets - 1).max(1);
            let epsilon = epsilon(call, num_buckets)?;
            let weights = weights(call)?;
            let weighted = weights.is_some();
            let f = Boundaries { positions, num_buckets, epsilon, dtype: ty.dtype, weights };
            Ok(Analyzer::Global(if weighted {
                Box::new(Of { f, push: Quantiles::<f64>::push_weighted })
            } else {
                Box::new(Of { f, push: |quantiles: &mut Quantiles<u64>, x, _| quantiles.push(x) })
            }))
        },
    },
};

/// The epsilon of a call.
///
/// # Errors
/// When it is no share.
pub(super) fn epsilon(call: &Call<'_>, num_buckets: usize) -> Result<f64> {
    let epsilon = call.opt_float("epsilon").unwrap_or((1.0 / num_buckets as f64).min(0.01));
    if epsilon > 0.0 && epsilon < 1.0 {
        Ok(epsilon)
    } else {
        Err(call.wrong(format!("`epsilon` is {epsilon}; a number between 0 and 1 is wanted")))
    }
}

/// How weights meet values, if there are any.
fn weights(call: &Call<'_>) -> Result<Option<Broadcast>> {
    if call.opt_ty("weights").is_none() {
        return Ok(None);
    }
    number(call, "weights")?;
    let (ty, broadcast) = together(call, &["x", "weights"])?;
    if ty.shape != call.ty("x")?.shape {
        return Err(call.wrong("`weights` have more dimensions than `x`"));
    }
    Ok(Some(broadcast))
}

fn output_type(call: &Call<'_>) -> Result<Type> {
    let x = number(call, "x")?;
    let num_buckets = call.int_from("num_buckets", 2)?;
    let n = u32::try_from(num_buckets - 1)
        .ok()
        .filter(|n| *n < 1 << 24)
        .ok_or_else(|| call.wrong("`num_buckets` is more than 2^24"))?;
    epsilon(call, num_buckets as usize)?;
    weights(call)?;
    let mut shape = positions(call, x, call.is("reduce_instance_dims"))?;
    if shape.is_empty() {
        shape.push(Dim::Fixed(1));
    }
    shape.push(Dim::Fixed(n));
    let dtype = match call.opt_dtype("output_dtype") {
        None => DType::Float32,
        Some(dtype) if dtype.is_float() => dtype,
        Some(dtype) => {
            return Err(call.wrong(format!("`output_dtype` is {dtype}; a float is wanted")));
        }
    };
    Ok(Type::constant(dtype, shape))
}

/// Boundaries of each position of a row.
pub(super) struct Boundaries {
    pub(super) positions: usize,
    pub(super) num_buckets: usize,
    pub(super) epsilon: f64,
    pub(super) dtype: DType,
    pub(super) weights: Option<Broadcast>,
}

/// The same with the kind of weights that are counted.
pub(super) struct Of<W: Weight> {
    pub(super) f: Boundaries,
    pub(super) push: fn(&mut Quantiles<W>, f64, W),
}

impl<W: Weight + Sync + Number> CombineFn for Of<W> {
    type Input = Columns;
    type Accumulator = Vec<Quantiles<W>>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        QUANTILES.name
    }

    fn create_accumulator(&self) -> Vec<Quantiles<W>> {
        (0..self.f.positions).map(|_| Quantiles::new(self.f.epsilon)).collect()
    }

    fn add_input(&self, acc: &mut Vec<Quantiles<W>>, input: &Columns) -> Result<()> {
        let operands: Vec<&Tensor> = input.tensors.iter().collect();
        let weights: Option<Vec<f64>> = self.f.weights.as_ref().map(|broadcast| {
            let own = operands[1].to_doubles();
            let at = broadcast.indices(1, input.rows, &operands);
            (0..operands[0].values.len()).map(|i| own[at.at(i)]).collect()
        });
        let mut weights = weights.as_deref();
        let mut position = 0;
        let add = |values: &[f64]| {
            let now = weights.map(|all| {
                let (now, later) = all.split_at(values.len());
                weights = Some(later);
                now
            });
            for (i, value) in values.iter().enumerate() {
                let weight = now.map_or(W::from(1), |weights| W::of(weights[i]));
                (self.push)(&mut acc[position], *value, weight);
                position = if position + 1 == self.f.positions { 0 } else { position + 1 };
            }
        };
        if self.f.dtype == DType::Float32 {
            in_singles(operands[0], add);
        } else {
            in_doubles(operands[0], add);
        }
        Ok(())
    }

    fn merge_accumulators(
        &self,
        acc: &mut Vec<Quantiles<W>>,
        other: Vec<Quantiles<W>>,
    ) -> Result<()> {
        acc.iter_mut().zip(other).for_each(|(quantiles, other)| quantiles.merge(other));
        Ok(())
    }

    fn compact(&self, acc: &mut Vec<Quantiles<W>>) {
        acc.iter_mut().for_each(Quantiles::compact);
    }

    fn extract_output(&self, mut acc: Vec<Quantiles<W>>) -> Result<Vec<Tensor>> {
        let n = self.f.num_buckets;
        let all = acc.iter_mut().flat_map(|quantiles| interior(quantiles, n));
        Ok(vec![Tensor::dense(1, floats(self.f.dtype, all))])
    }
}

/// The boundaries between `n` parts; zeros without values.
pub(super) fn interior<W: Weight>(quantiles: &mut Quantiles<W>, n: usize) -> Vec<f64> {
    let (values, _) = quantiles.quantiles_and_cumulative_weights(n);
    match values.get(1..n) {
        Some(inner) => inner.to_vec(),
        None => vec![0.0; n - 1],
    }
}

/// A weight that can be made of a column's.
pub(super) trait Number {
    fn of(weight: f64) -> Self;
}

impl Number for u64 {
    fn of(weight: f64) -> u64 {
        weight as u64
    }
}

impl Number for f64 {
    fn of(weight: f64) -> f64 {
        weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::combine;

    fn quantiles(x: Tensor, num_buckets: usize, positions: usize) -> Tensor {
        let dtype = DType::Float32;
        let f = Boundaries { positions, num_buckets, epsilon: 0.01, dtype, weights: None };
        let push = |quantiles: &mut Quantiles<u64>, x, _| quantiles.push(x);
        combine(&Of { f, push }, &[x], positions).remove(0)
    }

    #[test]
    fn boundaries_are_values() {
        let check = |x: &[f32], n, expected: &[f32]| {
            let found = quantiles(Tensor::dense(x.len(), x.to_vec()), n, 1);
            assert_eq!(found.floats(), expected, "{x:?}");
        };
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        check(&[], 3, &[0.0, 0.0]);
        check(&[nan, nan], 3, &[0.0, 0.0]);
        check(&[1.0, 2.0, 3.0, 4.0], 2, &[3.0]);
        check(&[5.0; 10], 4, &[5.0; 3]);
        check(&[-inf, nan, 1.0, inf, inf], 2, &[inf]);
        let ints = Tensor::dense(3, vec![16_777_217i64, 16_777_217, 16_777_217]);
        assert_eq!(quantiles(ints, 2, 1).floats(), [16_777_216.0]);
        let values: Vec<f64> = (0..20_000).map(f64::from).collect();
        let found = quantiles(Tensor::dense(10_000, values), 2, 2);
        assert!((found.floats()[0] - 10_000.0).abs() < 40.0, "{found:?}");
        assert_eq!(found.floats().len(), 2);
    }
}
