//! `tft.apply_buckets`, `tft.bucketize`: numbers as the numbers of the buckets they are in.

use engine::Result;

use super::quantiles::{EPSILON, NUM_BUCKETS, QUANTILES, WEIGHTS};
use super::{ELEMENTWISE, X};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, sizes};
use crate::op::{Args, Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::{Native, number};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

const APPLY: &str = "The number of boundaries <= x: 0 below the first, their number from the last on. \
    NaN is in the last bucket; missing values stay missing. Repeated boundaries leave empty buckets. \
    x and the boundaries are compared as float64 if one of them is, else as float32 if one of them is \
    (so integers above 2^24 are rounded first, as in TFT), else as integers.";

/// Lists that ascend.
pub(super) const BOUNDARIES: Param = Param {
    name: "bucket_boundaries",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "constants that ascend, `[[1.0, 5.0]]`; or a list of them for each position",
};

/// The row-local half.
pub(in crate::ops) const APPLY_BUCKETS: Op = Op {
    name: "tft.apply_buckets",
    doc: "the numbers of the buckets that values are in",
    semantics: APPLY,
    examples: &[
        "tft.apply_buckets(x, [[0.0, 1.0, 5.0]])",
        "tft.apply_buckets(ns, [-3, 0, 7])",
        "tft.apply_buckets(n, [0.5])",
        "tft.apply_buckets(ds, [[0.0, 0.0, 1e300]])",
        "tft.apply_buckets(vec, [[0.0], [1.0], [2.0]])",
    ],
    params: &[X, BOUNDARIES],
    kind: Kind::Map {
        types: |call| {
            let x = number(call, "x")?;
            lists(call)?;
            Ok(vec![x.with_dtype(DType::Int64)])
        },
        kernel: |call| {
            let lists = lists(call)?;
            Ok(match compared_as(call)? {
                DType::Int64 => kernel::<i64>(call, lists)?,
                DType::Float32 => kernel::<f32>(call, lists)?,
                _ => kernel::<f64>(call, lists)?,
            })
        },
        domain: Some(|call| {
            let Some(Dim::Fixed(n)) = call.opt_ty("bucket_boundaries")?.shape.last() else {
                return None;
            };
            Some((0, i64::from(*n)))
        }),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| match compared_as(call)? {
            DType::Int64 => assigned::<i64>(nodes, call, columns),
            DType::Float32 => assigned::<f32>(nodes, call, columns),
            _ => assigned::<f64>(nodes, call, columns),
        }),
    },
};

/// The mapper with its analyzer.
pub(in crate::ops) const BUCKETIZE: Op = Op {
    name: "tft.bucketize",
    doc: "a column cut into buckets of about as many values each",
    semantics: "`tft.quantiles`, then `tft.apply_buckets`: see there.",
    examples: &[
        "tft.bucketize(x, 4)",
        "tft.bucketize(ns, 3)",
        "tft.bucketize(d, 10, weights=weight)",
        "tft.bucketize(vec, 2, elementwise=True)",
    ],
    params: &[X, NUM_BUCKETS, EPSILON, WEIGHTS, ELEMENTWISE],
    kind: Kind::Compose(|builder, call| {
        let args = ["x", "num_buckets", "epsilon", "weights"]
            .into_iter()
            .fold(Args::default(), |args, name| args.with(name, call.get(name)));
        let args = args.with("reduce_instance_dims", !call.is("elementwise"));
        let boundaries = builder.one(QUANTILES.name, args)?;
        builder.call(APPLY_BUCKETS.name, Args::default().arg(call.value("x")?).arg(boundaries))
    }),
};

/// The number of buckets of a column.
pub(in crate::ops) const NUM_BUCKETS_OF: Op = Op {
    name: "tft.get_num_buckets_for_transformed_feature",
    doc: "how many buckets or ids a transformed column can have",
    semantics: "A constant int64: one more than the greatest id. An error where the column's range is \
        not known, or does not begin at 0. Of a vocabulary's ids it is the size with buckets for other \
        tokens, wherever they begin.",
    examples: &[
        "n - tft.get_num_buckets_for_transformed_feature(tft.bucketize(x, 4))",
        "n - tft.get_num_buckets_for_transformed_feature(tft.compute_and_apply_vocabulary(s))",
    ],
    params: &[X],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        // Ids of a vocabulary are known once that is.
        if let Some(n) = crate::ops::vocabulary::apply::num_ids(builder, x)? {
            return Ok(vec![n]);
        }
        match builder.graph().domain(x) {
            Some((0, last)) if last < i64::MAX => {
                let n = Tensor::dense(1, vec![last + 1]);
                Ok(vec![builder.constant(Type::constant(DType::Int64, []), n)])
            }
            _ => Err(call.wrong("the number of buckets is not known").with_hint(
                "It is known of results of `tft.bucketize`, `tft.apply_buckets` and \
                     `tft.apply_vocabulary`.",
            )),
        }
    }),
};

/// How many lists of boundaries there are: one for all values, or one for each position.
fn lists(call: &Call<'_>) -> Result<usize> {
    let (x, boundaries) = (call.ty("x")?, number(call, "bucket_boundaries")?);
    if !boundaries.constant {
        return Err(call.wrong_type("bucket_boundaries", "a constant"));
    }
    let lists = match boundaries.shape.as_slice() {
        [_] | [Dim::Fixed(1), Dim::Fixed(_)] => 1,
        [each @ .., Dim::Fixed(_)] if *each == *x.shape => x.fixed_len().unwrap_or(1),
        _ => {
            return Err(call.wrong_type(
                "bucket_boundaries",
                "a list of numbers, or one for each position of `x`,",
            ));
        }
    };
    Ok(lists)
}

/// The type that values and boundaries are compared as.
pub(super) fn compared_as(call: &Call<'_>) -> Result<DType> {
    let types = [number(call, "x")?.dtype, number(call, "bucket_boundaries")?.dtype];
    let order = [DType::Float64, DType::Float32];
    Ok(order.into_iter().find(|dtype| types.contains(dtype)).unwrap_or(DType::Int64))
}

fn kernel<T: Compared>(call: &Call<'_>, lists: usize) -> Result<Box<dyn Kernel>> {
    let boundaries = call.constant("bucket_boundaries")?;
    let all = T::all(boundaries);
    let each = all.len() / lists.max(1);
    let lists: Vec<Vec<T>> = match each {
        0 => vec![Vec::new(); lists],
        each => all.chunks_exact(each).map(<[T]>::to_vec).collect(),
    };
    if lists.iter().any(|list| !list.is_sorted()) {
        return Err(call.wrong("`bucket_boundaries` do not ascend"));
    }
    Ok(function(move |_, inputs| {
        let x = inputs[0];
        let buckets = match lists.as_slice() {
            [list] => T::each(x, |values| assign(list, values)),
            lists => T::each(x, |values| {
                let lists = lists.iter().cycle();
                values.iter().zip(lists).map(|(x, list)| search(list, *x) as i64).collect()
            }),
        };
        Ok(x.with_values(buckets))
    }))
}

/// A type that values and boundaries are compared as.
pub(super) trait Compared: Native + PartialOrd {
    /// All values of a tensor of any number.
    fn all(tensor: &Tensor) -> Vec<Self>;
    /// Calls `f` with the values of a tensor, without copying those of this type.
    fn each<R>(tensor: &Tensor, f: impl FnOnce(&[Self]) -> R) -> R;
}

macro_rules! compared {
    ($($native:ident $variant:ident),*) => {$(
        impl Compared for $native {
            fn all(tensor: &Tensor) -> Vec<$native> {
                use crate::tensor::Values;
                match &tensor.values {
                    Values::Int64(values) => values.iter().map(|&v| v as $native).collect(),
                    Values::Float32(values) => values.iter().map(|&v| v as $native).collect(),
                    Values::Float64(values) => values.iter().map(|&v| v as $native).collect(),
                    _ => Vec::new(),
                }
            }
            fn each<R>(tensor: &Tensor, f: impl FnOnce(&[$native]) -> R) -> R {
                match &tensor.values {
                    crate::tensor::Values::$variant(values) => f(values),
                    _ => f(&Self::all(tensor)),
                }
            }
        }
    )*};
}
compared!(i64 Int64, f32 Float32, f64 Float64);

/// Up to so many boundaries, comparing with all of them is quicker than searching: comparisons of
/// many values go through vector registers.
const FEW: usize = 32;

/// The number of boundaries that are not above each value.
pub(super) fn assign<T: Compared>(boundaries: &[T], values: &[T]) -> Vec<i64> {
    if boundaries.len() > FEW {
        return values.iter().map(|value| search(boundaries, *value) as i64).collect();
    }
    let mut buckets = Vec::with_capacity(values.len());
    let mut counts = [0u32; 256];
    for values in values.chunks(counts.len()) {
        let counts = &mut counts[..values.len()];
        counts.fill(0);
        for boundary in boundaries {
            for (count, value) in counts.iter_mut().zip(values) {
                *count += u32::from(not_below(*value, *boundary));
            }
        }
        buckets.extend(counts.iter().map(|count| i64::from(*count)));
    }
    buckets
}

/// True for NaN, too, which is therefore in the last bucket.
#[inline]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is in the last bucket")]
fn not_below<T: Compared>(value: T, boundary: T) -> bool {
    !(value < boundary)
}

/// The number of boundaries that are not above a value, by halves and without branches.
#[inline]
pub(super) fn search<T: Compared>(boundaries: &[T], value: T) -> usize {
    let (mut base, mut n) = (0, boundaries.len());
    while n > 1 {
        let half = n / 2;
        base = if not_below(value, boundaries[base + half]) { base + half } else { base };
        n -= half;
    }
    base + usize::from(n == 1 && not_below(value, boundaries[base]))
}

fn assigned<T: Compared>(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
) -> Result<Vec<Column>> {
    let (ty, dtype) = (call.ty("x")?, compared_as(call)?);
    let all = T::all(call.constant("bucket_boundaries")?);
    let (n, lists) = (all.len() as i64, lists(call)? as i64);
    let boundaries = T::values(all);
    let x = nodes.cast(&columns[0].values, ty.dtype, dtype);
    let found = if lists == 1 {
        let list = nodes.constant(&boundaries, &[n]);
        nodes.bound("UpperBound", &list, &x, dtype)
    } else {
        let lists_there = nodes.constant(&boundaries, &[lists, n / lists.max(1)]);
        let x = nodes.reshape(&x, dtype, &[-1, lists, 1]);
        nodes.not_below(&x, &lists_there, dtype, 2, n / lists.max(1))
    };
    let values = nodes.reshape(&found, DType::Int64, &sizes(ty));
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::map;

    #[test]
    fn values_on_a_boundary_are_above_it() {
        let check = |x: &[f32], boundaries: &[f32], expected: &[i64]| {
            assert_eq!(assign(boundaries, x), expected, "{boundaries:?}");
            let found: Vec<i64> = x.iter().map(|x| search(boundaries, *x) as i64).collect();
            assert_eq!(found, expected, "{boundaries:?}");
        };
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        check(&[1.0, nan], &[], &[0, 0]);
        check(&[0.5, 1.0, 1.5, nan, inf, -inf], &[1.0], &[0, 1, 1, 1, 1, 0]);
        check(&[0.0, 1.0, 2.0, 3.0, nan], &[1.0, 1.0, 2.0], &[0, 2, 3, 3, 3]);
        check(&[-0.0, 0.0], &[0.0], &[1, 1]);
        check(&[-inf, inf, 0.0], &[-inf, inf], &[1, 2, 1]);
    }

    #[test]
    fn both_searches_agree() {
        let boundaries: Vec<f64> = (0..200).map(|i| f64::from(i / 3)).collect();
        let values: Vec<f64> = (-10..800).map(|i| f64::from(i) / 10.0).collect();
        for n in [1, 2, 3, 7, 31, 32, 33, 64, 200] {
            let boundaries = &boundaries[..n];
            let expected: Vec<i64> = values
                .iter()
                .map(|v| boundaries.iter().filter(|b| **b <= *v).count() as i64)
                .collect();
            assert_eq!(assign(boundaries, &values), expected, "{n}");
            let found: Vec<i64> = values.iter().map(|v| search(boundaries, *v) as i64).collect();
            assert_eq!(found, expected, "{n}");
        }
    }

    #[test]
    fn integers_are_compared_as_the_boundaries_are() {
        let column = || (Type::scalar(DType::Int64), Tensor::dense(2, vec![33_554_431i64, 3]));
        let found = map("tft.apply_buckets", &[column()], |x| {
            Args::default().arg(x[0]).arg(crate::Literal::from(vec![33_554_432.0]))
        });
        assert_eq!(found.ints(), [1, 0]);
        let found = map("tft.apply_buckets", &[column()], |x| {
            Args::default().arg(x[0]).arg(crate::Literal::from(vec![33_554_432i64]))
        });
        assert_eq!(found.ints(), [0, 0]);
    }
}
