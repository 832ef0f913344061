//! Numbers: ranges, sums, moments, quantiles, buckets and scaling, over all rows and by key.
//!
//! | what | not finite values | missing values |
//! |---|---|---|
//! | min, max, sum | NaN wins, infinities count | not looked at |
//! | mean, var, covariance by key, L-moments | not looked at | not looked at |
//! | quantiles | NaN not looked at, infinities count | not looked at |
//! | buckets | NaN in the last one | stay missing |

use engine::Result;

use super::elementwise::{Native, number};
use crate::op::{Call, Default, Param, Takes};
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Dim, Type};

pub(super) mod buckets;
pub(super) mod covariance;
mod eigen;
pub(super) mod gaussian;
pub(super) mod histogram;
pub(super) mod impute;
pub(super) mod interpolation;
mod l_moments;
pub(super) mod min_and_max;
pub(super) mod per_key;
pub(super) mod quantiles;
pub(super) mod robust;
pub(super) mod scale_by_min_max;
pub(super) mod sum_and_size;

/// The column that an operation is about.
pub(super) const X: Param = Param {
    name: "x",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "a column of numbers",
};

/// One result over all values, or one for each position.
pub(super) const REDUCE: Param = Param {
    name: "reduce_instance_dims",
    takes: Takes::Bool,
    default: Default::Bool(true),
    doc: "one result over all values; else one for each position in a row",
};

/// The same for mappers, the other way round.
pub(super) const ELEMENTWISE: Param = Param {
    name: "elementwise",
    takes: Takes::Bool,
    default: Default::Bool(false),
    doc: "each position of a row by itself",
};

/// The float type of a result.
pub(super) const OUTPUT_DTYPE: Param = Param {
    name: "output_dtype",
    takes: Takes::DType,
    default: Default::None,
    doc: "`tf.float32` or `tf.float64`; the column's own by default, float32 for integers",
};

/// The shape of a result for each position, or for all of them together.
///
/// # Errors
/// When rows have no fixed positions.
pub(super) fn positions(call: &Call<'_>, x: &Type, reduce: bool) -> Result<Vec<Dim>> {
    if reduce {
        Ok(Vec::new())
    } else if x.is_dense() {
        Ok(x.shape.clone())
    } else {
        Err(call.wrong_type("x", "a column of a fixed shape, for a result by position,"))
    }
}

/// The float type that a call asks for, or the one that suits its column.
///
/// # Errors
/// When it asks for another type, or the column is of no number.
pub(super) fn float_of(call: &Call<'_>) -> Result<DType> {
    let x = number(call, "x")?;
    match call.opt_dtype("output_dtype") {
        None if x.dtype == DType::Int64 => Ok(DType::Float32),
        None => Ok(x.dtype),
        Some(dtype) if dtype.is_float() => Ok(dtype),
        Some(dtype) => Err(call.wrong(format!("`output_dtype` is {dtype}; a float is wanted"))),
    }
}

/// Doubles as values of a float type.
pub(super) fn floats(dtype: DType, values: impl IntoIterator<Item = f64>) -> Values {
    let values = values.into_iter();
    match dtype {
        DType::Float64 => values.collect::<Vec<f64>>().into(),
        _ => values.map(|value| value as f32).collect::<Vec<f32>>().into(),
    }
}

/// A number as a double.
pub(super) trait Number: Native {
    /// The double next to it.
    fn double(self) -> f64;
}

impl Number for i64 {
    fn double(self) -> f64 {
        self as f64
    }
}

impl Number for f32 {
    fn double(self) -> f64 {
        f64::from(self)
    }
}

impl Number for f64 {
    fn double(self) -> f64 {
        self
    }
}

/// Calls `f` with the values of a tensor as doubles, in slices of a length that stays in the cache.
pub(super) fn in_doubles(tensor: &Tensor, f: impl FnMut(&[f64])) {
    match &tensor.values {
        Values::Int64(values) => in_slices(values, Number::double, f),
        Values::Float32(values) => in_slices(values, Number::double, f),
        Values::Float64(values) => in_slices(values, |value| value, f),
        _ => {}
    }
}

/// The same with values that are rounded to single precision first.
pub(super) fn in_singles(tensor: &Tensor, f: impl FnMut(&[f64])) {
    match &tensor.values {
        Values::Int64(values) => in_slices(values, |value| f64::from(value as f32), f),
        Values::Float32(values) => in_slices(values, Number::double, f),
        Values::Float64(values) => in_slices(values, |value| f64::from(value as f32), f),
        _ => {}
    }
}

fn in_slices<T: Number>(values: &[T], double: impl Fn(T) -> f64, mut f: impl FnMut(&[f64])) {
    let mut buffer = [0.0; 1024];
    for values in values.chunks(buffer.len()) {
        for (to, from) in buffer.iter_mut().zip(values) {
            *to = double(*from);
        }
        f(&buffer[..values.len()]);
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! What the tests of this folder share.

    use engine::CombineFn;

    use crate::analyzer::Columns;
    use crate::graph::Builder;
    use crate::op::{Args, Ref};
    use crate::program::Program;
    use crate::tensor::Tensor;
    use crate::types::Type;

    /// Some rows of dense tensors; constants stay whole.
    fn slice(tensor: &Tensor, per_row: usize, rows: std::ops::Range<usize>) -> Tensor {
        use crate::tensor::Values;
        let (start, n) = (rows.start * per_row, rows.len() * per_row);
        let values: Values = match &tensor.values {
            Values::Bool(v) => v[start..start + n].to_vec().into(),
            Values::Int64(v) => v[start..start + n].to_vec().into(),
            Values::Float32(v) => v[start..start + n].to_vec().into(),
            Values::Float64(v) => v[start..start + n].to_vec().into(),
            Values::String(v) => v.iter().skip(start).take(n).collect::<crate::Strings>().into(),
            Values::Vocabulary(_) | Values::Tokenizer(_) => tensor.values.clone(),
        };
        Tensor::dense(rows.len(), values)
    }

    /// The result of a combiner over dense columns of so many values a row, checked to be the same
    /// bits for batches of any size, and for states that go through bytes.
    pub(in crate::ops) fn combine<F>(f: &F, columns: &[Tensor], per_row: usize) -> Vec<Tensor>
    where
        F: CombineFn<Input = Columns, Output = Vec<Tensor>>,
    {
        let rows = columns[0].rows;
        let run = |batch: usize| {
            let mut acc = f.create_accumulator();
            for first in (0..rows).step_by(batch) {
                let range = first..(first + batch).min(rows);
                let tensors = columns.iter().map(|c| slice(c, per_row, range.clone()));
                let (shard, first_row) = (0, first as u64);
                let tensors = tensors.collect();
                f.add_input(&mut acc, &Columns { rows: range.len(), shard, first_row, tensors })
                    .unwrap();
            }
            f.compact(&mut acc);
            let bytes = postcard::to_stdvec(&acc).unwrap();
            let mut all = f.create_accumulator();
            f.merge_accumulators(&mut all, postcard::from_bytes(&bytes).unwrap()).unwrap();
            f.merge_accumulators(&mut all, f.create_accumulator()).unwrap();
            f.extract_output(all).unwrap()
        };
        let whole = run(rows.max(1));
        for batch in [1, 7] {
            let cut = run(batch);
            assert!(whole.iter().zip(&cut).all(|(a, b)| a.same_bits(b)), "{whole:?} {cut:?}");
        }
        whole
    }

    /// The result of a row-local operation on columns.
    pub(in crate::ops) fn map(
        op: &str,
        columns: &[(Type, Tensor)],
        args: impl FnOnce(&[Ref]) -> Args,
    ) -> Tensor {
        let named = columns.iter().enumerate().map(|(i, (ty, _))| (i.to_string(), ty.clone()));
        let mut builder = Builder::new(named);
        let inputs: Vec<Ref> =
            (0..columns.len()).map(|i| builder.input(&i.to_string()).unwrap()).collect();
        let result = builder.one(op, args(&inputs)).unwrap();
        let ty = builder.ty(result).clone();
        let program = Program::new(builder.graph(), &[result]).unwrap();
        let wanted = program.inputs().iter();
        let fed = wanted.map(|(name, _)| columns[name.parse::<usize>().unwrap()].1.clone());
        let fed = fed.collect();
        let rows = columns.first().map_or(1, |(_, tensor)| tensor.rows);
        let found = program.run(rows, fed).unwrap().remove(0);
        found.check(&ty).unwrap();
        found
    }
}
