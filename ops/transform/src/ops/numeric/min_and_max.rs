//! `tft.min`, `tft.max`: the range of values.

use std::marker::PhantomData;

use engine::{CombineFn, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{REDUCE, X, positions};
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Call, Default, Kind, Op, Param, Takes};
use crate::ops::elementwise::Native;
use crate::tensor::Tensor;
use crate::types::{DType, Type};

const PARAMS: &[Param] = &[X, REDUCE];

const SEMANTICS: &str = "Of the column's own dtype. NaN makes the result NaN; infinities count; \
    missing values do not. A zero is never -0.0. Without values a float's range is NaN, and an \
    integer's is 2^63 - 1 (least) and 1 - 2^63 (greatest), as in TFT.";

/// The least value.
pub(in crate::ops) const MIN: Op = Op {
    name: "tft.min",
    doc: "the least value of a column",
    semantics: SEMANTICS,
    examples: &["x - tft.min(x)", "n - tft.min(n)", "d - tft.min(ds)", "ns - tft.min(k)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| Ok(vec![builder.call(MIN_AND_MAX.name, call.again())?[0]])),
};

/// The greatest value.
pub(in crate::ops) const MAX: Op = Op {
    name: "tft.max",
    doc: "the greatest value of a column",
    semantics: SEMANTICS,
    examples: &["x - tft.max(x)", "vec - tft.max(vec, reduce_instance_dims=False)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| Ok(vec![builder.call(MIN_AND_MAX.name, call.again())?[1]])),
};

/// Both in one analyzer.
pub(in crate::ops) const MIN_AND_MAX: Op = Op {
    name: "tft.min_and_max",
    doc: "the least and the greatest value of a column",
    semantics: SEMANTICS,
    examples: &[
        "xs - tft.min_and_max(xs)[0]",
        "n - tft.min_and_max(ns)[1]",
        "xs - tft.min_and_max(xs, finite=True)[0]",
        "vec - tft.min_and_max(vec, reduce_instance_dims=False, finite=True)[1]",
    ],
    params: &[
        X,
        REDUCE,
        Param {
            name: "finite",
            takes: Takes::Bool,
            default: Default::Bool(false),
            doc: "NaN and infinities are not looked at",
        },
    ],
    kind: Kind::Analyze {
        types: |call| {
            let ty = output_type(call)?;
            Ok(vec![ty.clone(), ty])
        },
        analyzer: |call| {
            let ty = output_type(call)?;
            let n = ty.fixed_len().unwrap_or(1);
            let finite = call.is("finite");
            Ok(Analyzer::Global(match ty.dtype {
                DType::Float32 => Box::new(MinAndMax::<f32>::new(n, finite)),
                DType::Float64 => Box::new(MinAndMax::<f64>::new(n, finite)),
                _ => Box::new(MinAndMax::<i64>::new(n, false)),
            }))
        },
    },
};

fn output_type(call: &Call<'_>) -> Result<Type> {
    let x = call.ty("x")?;
    if !x.dtype.is_number() && x.dtype != DType::Timestamp {
        return Err(call.wrong_type("x", "a number or timestamp"));
    }
    Ok(Type::constant(x.dtype, positions(call, x, call.is("reduce_instance_dims"))?))
}

/// Values with an order, in which NaN is both least and greatest.
pub(in crate::ops) trait Ordered:
    Native + Serialize + DeserializeOwned + PartialOrd
{
    /// The range of no values: the greatest as least, the least as greatest.
    const EMPTY: Range<Self>;
    /// What is answered without values.
    const NONE: (Self, Self);
    /// The lesser one, or NaN.
    fn least(self, other: Self) -> Self;
    /// The greater one, or NaN.
    fn most(self, other: Self) -> Self;
    /// The value, with one zero only.
    fn one_zero(self) -> Self;
    /// Whether it is neither NaN nor infinite.
    fn is_finite(self) -> bool;
}

impl Ordered for i64 {
    const EMPTY: Range<i64> = Range { min: i64::MAX, max: i64::MIN };
    const NONE: (i64, i64) = (i64::MAX, i64::MIN + 1);
    fn least(self, other: i64) -> i64 {
        self.min(other)
    }
    fn most(self, other: i64) -> i64 {
        self.max(other)
    }
    fn one_zero(self) -> i64 {
        self
    }
    fn is_finite(self) -> bool {
        true
    }
}

macro_rules! ordered {
    ($($float:ident),*) => {$(
        impl Ordered for $float {
            const EMPTY: Range<$float> = Range { min: $float::INFINITY, max: $float::NEG_INFINITY };
            const NONE: ($float, $float) = ($float::NAN, $float::NAN);
            #[inline]
            fn least(self, other: $float) -> $float {
                if self < other || self.is_nan() { self } else { other }
            }
            #[inline]
            fn most(self, other: $float) -> $float {
                if self > other || self.is_nan() { self } else { other }
            }
            fn one_zero(self) -> $float {
                if self.is_nan() { $float::NAN } else { self + 0.0 }
            }
            fn is_finite(self) -> bool {
                $float::is_finite(self)
            }
        }
    )*};
}
ordered!(f32, f64);

/// The range of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::ops) struct Range<T> {
    min: T,
    max: T,
}

impl<T: Ordered> Range<T> {
    /// Takes a value in.
    #[inline]
    fn add(&mut self, value: T) {
        self.min = self.min.least(value);
        self.max = self.max.most(value);
    }

    fn merge(&mut self, other: Range<T>) {
        self.min = self.min.least(other.min);
        self.max = self.max.most(other.max);
    }

    /// Of all values, in lanes.
    fn of(values: &[T]) -> Self {
        let mut lanes = [T::EMPTY; 8];
        let mut blocks = values.chunks_exact(lanes.len());
        for block in blocks.by_ref() {
            for (lane, value) in lanes.iter_mut().zip(block) {
                lane.add(*value);
            }
        }
        let mut range = T::EMPTY;
        blocks.remainder().iter().for_each(|value| range.add(*value));
        lanes.into_iter().for_each(|lane| range.merge(lane));
        range
    }

    /// Least and greatest.
    fn ends(self) -> (T, T) {
        if self.min > self.max { T::NONE } else { (self.min.one_zero(), self.max.one_zero()) }
    }
}

/// Ranges of each position of a row.
struct MinAndMax<T> {
    positions: usize,
    finite: bool,
    of: PhantomData<fn(T)>,
}

impl<T> MinAndMax<T> {
    fn new(positions: usize, finite: bool) -> Self {
        MinAndMax { positions, finite, of: PhantomData }
    }
}

impl<T: Ordered> CombineFn for MinAndMax<T> {
    type Input = Columns;
    type Accumulator = Vec<Range<T>>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        MIN_AND_MAX.name
    }

    fn create_accumulator(&self) -> Vec<Range<T>> {
        vec![T::EMPTY; self.positions]
    }

    fn add_input(&self, acc: &mut Vec<Range<T>>, input: &Columns) -> Result<()> {
        let values = T::of(&input.tensors[0]);
        if self.finite {
            let places = (0..self.positions).cycle();
            for (place, value) in places.zip(values).filter(|(_, value)| value.is_finite()) {
                acc[place].add(*value);
            }
        } else if let [range] = acc.as_mut_slice() {
            range.merge(Range::of(values));
        } else {
            for row in values.chunks_exact(self.positions.max(1)) {
                acc.iter_mut().zip(row).for_each(|(range, value)| range.add(*value));
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Vec<Range<T>>, other: Vec<Range<T>>) -> Result<()> {
        acc.iter_mut().zip(other).for_each(|(range, other)| range.merge(other));
        Ok(())
    }

    fn extract_output(&self, acc: Vec<Range<T>>) -> Result<Vec<Tensor>> {
        let (min, max): (Vec<T>, Vec<T>) = acc.into_iter().map(Range::ends).unzip();
        Ok(vec![Tensor::dense(1, T::values(min)), Tensor::dense(1, T::values(max))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::combine;

    fn ends<T: Ordered>(values: &[T], positions: usize) -> Vec<Tensor> {
        let tensor = Tensor::dense(values.len() / positions, T::values(values.to_vec()));
        combine(&MinAndMax::<T>::new(positions, false), &[tensor], positions)
    }

    #[test]
    fn the_range_of_nasty_values() {
        let check = |values: &[f32], min: f32, max: f32| {
            let found = ends(values, 1);
            let found = [found[0].floats()[0].to_bits(), found[1].floats()[0].to_bits()];
            assert_eq!(found, [min.to_bits(), max.to_bits()], "{values:?}");
        };
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        check(&[], nan, nan);
        check(&[2.0, -1.0, 3.0], -1.0, 3.0);
        check(&[inf], inf, inf);
        check(&[-inf, 1.0, inf], -inf, inf);
        check(&[1.0, nan, 3.0], nan, nan);
        check(&[nan, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], nan, nan);
        check(&[-0.0, 0.0], 0.0, 0.0);
        check(&[0.0, -0.0], 0.0, 0.0);
        check(&[f32::MIN, f32::MAX, 1e-45], f32::MIN, f32::MAX);
        let check = |values: &[i64], min: i64, max: i64| {
            let found = ends(values, 1);
            assert_eq!([found[0].ints()[0], found[1].ints()[0]], [min, max], "{values:?}");
        };
        check(&[], i64::MAX, i64::MIN + 1);
        check(&[i64::MIN], i64::MIN, i64::MIN);
        check(&[i64::MIN, 0, i64::MAX], i64::MIN, i64::MAX);
    }

    #[test]
    fn the_range_of_finite_values() {
        let check = |values: &[f64], positions: usize, expected: &str| {
            let tensor = Tensor::dense(values.len() / positions, values.to_vec());
            let found = combine(&MinAndMax::<f64>::new(positions, true), &[tensor], positions);
            let found = [found[0].doubles(), found[1].doubles()];
            assert_eq!(format!("{found:?}"), expected, "{values:?}");
        };
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        check(&[nan, 2.0, inf, -0.0, -inf], 1, "[[0.0], [2.0]]");
        check(&[nan, inf], 1, "[[NaN], [NaN]]");
        check(&[nan, 1.0, 2.0, inf], 2, "[[2.0, 1.0], [2.0, 1.0]]");
    }

    #[test]
    fn positions_have_ranges_of_their_own() {
        let found = ends(&[1.0, f64::NAN, 3.0, 4.0, 5.0, -6.0], 3);
        let shown = |tensor: &Tensor| format!("{:?}", tensor.doubles());
        assert_eq!(shown(&found[0]), "[1.0, NaN, -6.0]");
        assert_eq!(shown(&found[1]), "[4.0, NaN, 3.0]");
    }
}
