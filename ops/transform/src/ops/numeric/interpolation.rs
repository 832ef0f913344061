//! `tft.apply_buckets_with_interpolation`: where a value lies between boundaries, from 0 to 1.

use engine::Result;

use super::X;
use super::buckets::{BOUNDARIES, Compared, search};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, sizes};
use crate::op::{Call, Kernel, Kind, Op, function};
use crate::ops::elementwise::number;
use crate::types::{DType, Dim, Type};

/// The operation.
pub(in crate::ops) const APPLY_BUCKETS_WITH_INTERPOLATION: Op = Op {
    name: "tft.apply_buckets_with_interpolation",
    doc: "where values lie between boundaries, from 0 at the first to 1 at the last",
    semantics: "Boundaries at equal distances from 0 to 1, and straight lines between them; 0 below \
        the first, 1 from the last on. With one boundary 0 below it, 1 (and 1 for NaN) from it on. \
        Else NaN is 0.5. Boundaries that are not finite are dropped; that none is left is an error. \
        float64 for float64 values, else computed in float32. Missing values stay missing.",
    examples: &[
        "tft.apply_buckets_with_interpolation(x, [[0.0, 1.0, 5.0]])",
        "tft.apply_buckets_with_interpolation(ns, [[0, 10]])",
        "tft.apply_buckets_with_interpolation(d, [[1.5]])",
        "tft.apply_buckets_with_interpolation(xs, tft.quantiles(xs, 4))",
    ],
    params: &[X, BOUNDARIES],
    kind: Kind::Map {
        types: |call| Ok(vec![output_type(call)?]),
        kernel: |call| match output_type(call)?.dtype {
            DType::Float64 => kernel::<f64>(call),
            _ => kernel::<f32>(call),
        },
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| match output_type(call)?.dtype {
            DType::Float64 => placed::<f64>(nodes, call, columns),
            _ => placed::<f32>(nodes, call, columns),
        }),
    },
};

fn output_type(call: &Call<'_>) -> Result<Type> {
    let (x, boundaries) = (number(call, "x")?, number(call, "bucket_boundaries")?);
    match (boundaries.constant, boundaries.shape.as_slice()) {
        (true, [_] | [Dim::Fixed(1), _]) => {}
        _ => return Err(call.wrong_type("bucket_boundaries", "a constant list of numbers")),
    }
    Ok(x.with_dtype(if x.dtype == DType::Float64 { DType::Float64 } else { DType::Float32 }))
}

fn kernel<F: Interpolated>(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let mut boundaries = F::all(call.constant("bucket_boundaries")?);
    boundaries.retain(|boundary| boundary.is_finite());
    if boundaries.is_empty() {
        return Err(call.wrong("no boundary is finite"));
    }
    if !boundaries.is_sorted() {
        return Err(call.wrong("`bucket_boundaries` do not ascend"));
    }
    Ok(function(move |_, inputs| {
        let places = F::each(inputs[0], |values| {
            F::values(values.iter().map(|value| value.place(&boundaries)).collect())
        });
        Ok(inputs[0].with_values(places))
    }))
}

/// A float type to interpolate in.
trait Interpolated: Compared {
    fn is_finite(self) -> bool;
    fn place(self, boundaries: &[Self]) -> Self;
}

macro_rules! interpolated {
    ($($float:ident),*) => {$(
        impl Interpolated for $float {
            fn is_finite(self) -> bool {
                $float::is_finite(self)
            }
            #[inline]
            fn place(self, boundaries: &[$float]) -> $float {
                let bucket = search(boundaries, self);
                let last = boundaries.len() - 1;
                if self.is_nan() && last > 0 {
                    0.5
                } else if bucket == 0 {
                    0.0
                } else if bucket > last {
                    1.0
                } else {
                    let (low, high) = (boundaries[bucket - 1], boundaries[bucket]);
                    ((bucket - 1) as $float + (self - low) / (high - low)) / last as $float
                }
            }
        }
    )*};
}
interpolated!(f32, f64);

fn placed<F: Interpolated>(
    nodes: &mut Nodes,
    call: &Call<'_>,
    columns: &[Column],
) -> Result<Vec<Column>> {
    let mut boundaries = F::all(call.constant("bucket_boundaries")?);
    boundaries.retain(|boundary| boundary.is_finite());
    let (ty, last) = (output_type(call)?, boundaries.len() as i64 - 1);
    let (dtype, int, shape) = (ty.dtype, DType::Int64, sizes(&ty));
    let list = nodes.constant(&F::values(boundaries), &[last + 1]);
    let x = nodes.cast(&columns[0].values, call.ty("x")?.dtype, dtype);
    let bucket = nodes.bound("UpperBound", &list, &x, dtype);
    let bucket = nodes.reshape(&bucket, int, &shape);
    let [zero, one, end] = [0, 1, last].map(|n| nodes.scalar(n));
    let high = nodes.ints("Minimum", &bucket, &end);
    let low = nodes.ints("Sub", &bucket, &one);
    let low = nodes.ints("Maximum", &low, &zero);
    let [low_is, high_is] = [&low, &high].map(|at| nodes.gather(&list, dtype, at));
    let from = nodes.typed("Sub", dtype, &[&x, &low_is]);
    let width = nodes.typed("Sub", dtype, &[&high_is, &low_is]);
    let share = nodes.typed("RealDiv", dtype, &[&from, &width]);
    let low = nodes.cast(&low, int, dtype);
    let place = nodes.typed("AddV2", dtype, &[&low, &share]);
    let n = nodes.number(dtype, last as f64);
    let place = nodes.typed("RealDiv", dtype, &[&place, &n]);
    let [none, all, half] = [0.0, 1.0, 0.5].map(|value| nodes.number(dtype, value));
    let below = nodes.typed("Equal", int, &[&bucket, &zero]);
    let above = nodes.typed("Greater", int, &[&bucket, &end]);
    let place = nodes.select(&above, &all, &place, dtype);
    let mut values = nodes.select(&below, &none, &place, dtype);
    if last > 0 {
        let nan = nodes.typed("IsNan", dtype, &[&x]);
        values = nodes.select(&nan, &half, &values, dtype);
    }
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_between_boundaries() {
        let check = |boundaries: &[f32], x: f32, expected: f32| {
            assert_eq!(x.place(boundaries), expected, "{boundaries:?} {x}");
        };
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let three = [0.0, 1.0, 5.0];
        check(&three, -1.0, 0.0);
        check(&three, 0.0, 0.0);
        check(&three, 0.5, 0.25);
        check(&three, 1.0, 0.5);
        check(&three, 3.0, 0.75);
        check(&three, 5.0, 1.0);
        check(&three, inf, 1.0);
        check(&three, -inf, 0.0);
        check(&three, nan, 0.5);
        check(&[2.0], 1.0, 0.0);
        check(&[2.0], 2.0, 1.0);
        check(&[2.0], nan, 1.0);
        check(&[2.0, 2.0], 2.0, 1.0);
        check(&[1.0, 2.0, 2.0, 3.0], 2.0, 2.0 / 3.0);
    }
}
