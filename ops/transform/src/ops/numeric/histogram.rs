//! `tft.histogram`, `tft.estimated_probability_density`: how many values are in each bucket.

use engine::{CombineFn, Result};

use super::X;
use super::buckets::{Compared, assign};
use super::min_and_max::MIN_AND_MAX;
use crate::analyzer::{Analyzer, Columns};
use crate::export::Export;
use crate::export::tensorflow::{Column, sizes};
use crate::graph::Builder;
use crate::op::{Args, Bound, Call, Default, Kernel, Kind, Op, Param, Ref, Takes, function};
use crate::ops::elementwise::{number, of_dtype};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

/// What TFT moves all boundaries by, so that values on the last one are in the last bucket.
const SHIFT: f32 = -0.0001;

const HISTOGRAM_BOUNDARIES: Param = Param {
    name: "boundaries",
    takes: Takes::Value { like: "" },
    default: Default::None,
    doc: "a list that ascends, or how many at equal distances from the least to the greatest value; \
        0, 0.1 … 1 by default",
};
const CATEGORICAL: Param = Param {
    name: "categorical",
    takes: Takes::Bool,
    default: Default::Bool(false),
    doc: "count each value by itself",
};

/// The analyzers of a histogram.
pub(in crate::ops) const HISTOGRAM: Op = Op {
    name: "tft.histogram",
    doc: "how many values of a column are in each bucket, and the buckets' boundaries",
    semantics: "n boundaries make n - 1 buckets. All boundaries are moved by -0.0001, as in TFT, and \
        come back so, as float32 of shape [1, n]. A value on a boundary is below it. Values outside are \
        in the first or last bucket, infinite ones, too; NaN is in the first. A number of boundaries \
        takes a pass of its own, for the range of finite values (TFT has boundaries of NaN where a \
        value is NaN or infinite). With `categorical=True`: see `tft.category_counts`; the values are \
        second.",
    examples: &[
        "nvec + tft.histogram(x, boundaries=[0.0, 1.0, 2.0, 3.0])[0]",
        "x + tft.histogram(x, boundaries=5)[1]",
        "tft.apply_buckets(x, tft.histogram(ns, boundaries=[1, 2, 3])[1])",
        "tft.apply_buckets(x, tft.histogram(x, boundaries=5)[1])",
        "tft.apply_buckets(xs, tft.histogram(ds, boundaries=7)[1])",
        "tft.apply_buckets(n, tft.histogram(ns, boundaries=3)[1])",
        "tft.key_index(k, tft.histogram(ns, categorical=True)[1])",
    ],
    params: &[X, HISTOGRAM_BOUNDARIES, CATEGORICAL],
    kind: Kind::Compose(histogram),
};

fn histogram(builder: &mut Builder, call: &Bound) -> Result<Vec<Ref>> {
    let x = call.value("x")?;
    if call.is("categorical") {
        let counted = builder.call("tft.category_counts", Args::default().arg(x))?;
        return Ok(vec![counted[1], counted[0]]);
    }
    let boundaries = match call.opt_value("boundaries") {
        None => moved(builder, (0..=10).map(|i| i as f32 / 10.0)),
        Some(given) => match builder.graph().constant(given).cloned() {
            Some(n) if builder.ty(given).is_scalar() => {
                if builder.ty(given).dtype != DType::Int64 || n.ints()[0] < 2 {
                    return Err(call.wrong("`boundaries` must be a list, or at least 2"));
                }
                let args = Args::default().arg(x).with("finite", true);
                let range = builder.call(MIN_AND_MAX.name, args)?;
                let args = Args::default().arg(range[0]).arg(range[1]).arg(n.ints()[0]);
                builder.one(EQUAL_WIDTH_BOUNDARIES.name, args)?
            }
            Some(list) => moved(builder, f32::all(&list)),
            None => {
                let args = Args::default().arg(given).arg(f64::from(-SHIFT));
                builder.one("math.subtract", args)?
            }
        },
    };
    let counts = builder.one(BUCKET_COUNTS.name, Args::default().arg(x).arg(boundaries))?;
    Ok(vec![counts, boundaries])
}

/// A constant of moved boundaries.
fn moved(builder: &mut Builder, boundaries: impl IntoIterator<Item = f32>) -> Ref {
    let moved: Vec<f32> = boundaries.into_iter().map(|boundary| boundary + SHIFT).collect();
    let shape = [Dim::Fixed(1), Dim::Fixed(moved.len() as u32)];
    builder.constant(Type::constant(DType::Float32, shape), Tensor::dense(1, moved))
}

/// Boundaries from the least to the greatest value.
pub(in crate::ops) const EQUAL_WIDTH_BOUNDARIES: Op = Op {
    name: "tft.equal_width_boundaries",
    doc: "boundaries at equal distances from `min` to `max`, as a histogram moves them",
    semantics: "float32 of shape [1, num], each min + (max - min) * (i / (num - 1)) - 0.0001; the last \
        is max - 0.0001. Without a range, which is where an end is not finite or `max` is the lesser \
        one, both ends are taken for 0.",
    examples: &[
        "tft.apply_buckets(x, tft.equal_width_boundaries(0.0, 1.0, 5))",
        "tft.apply_buckets(d, tft.equal_width_boundaries(-3e38, 3e38, 4))",
        "tft.apply_buckets(x, tft.equal_width_boundaries(tft.min(x), tft.max(x), 4))",
    ],
    params: &[
        Param {
            name: "min",
            takes: Takes::Value { like: "max" },
            default: Default::Required,
            doc: "the first",
        },
        Param {
            name: "max",
            takes: Takes::Value { like: "min" },
            default: Default::Required,
            doc: "the last",
        },
        Param { name: "num", takes: Takes::Int, default: Default::Required, doc: "how many" },
    ],
    kind: Kind::Map {
        types: |call| {
            let num = call.int_from("num", 2)?;
            let num = u32::try_from(num).map_err(|_| call.wrong("`num` is too large"))?;
            for end in ["min", "max"] {
                if !number(call, end)?.constant || !number(call, end)?.is_scalar() {
                    return Err(call.wrong_type(end, "a constant number"));
                }
            }
            let shape = [Dim::Fixed(1), Dim::Fixed(num)];
            Ok(vec![Type::constant(DType::Float32, shape)])
        },
        kernel: |call| {
            let num = call.int_from("num", 2)? as usize;
            Ok(function(move |_, inputs| {
                Ok(Tensor::dense(
                    1,
                    equal_width(f32::all(inputs[0])[0], f32::all(inputs[1])[0], num),
                ))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::CONSTANT,
    },
};

/// Moved boundaries from `min` to `max`, which ascend whatever these are.
fn equal_width(min: f32, max: f32, num: usize) -> Vec<f32> {
    let is_range = min.is_finite() && max.is_finite() && min <= max;
    let (min, max) = if is_range { (min, max) } else { (0.0, 0.0) };
    let width = max - min;
    let inner = (0..num - 1).map(|i| {
        // In the order of TensorFlow's `linspace`, for its very bits.
        let share = i as f32 / (num - 1) as f32;
        let inner = if width.is_finite() {
            min + width * share
        } else {
            (f64::from(min) + (f64::from(max) - f64::from(min)) * f64::from(share)) as f32
        };
        inner.min(max)
    });
    inner.chain([max]).map(|boundary| boundary + SHIFT).collect()
}

/// The counting half.
pub(in crate::ops) const BUCKET_COUNTS: Op = Op {
    name: "tft.bucket_counts",
    doc: "how many values are between each two boundaries",
    semantics: "int64, one count less than there are boundaries. Compared as float32. NaN and values up \
        to the second boundary are in the first bucket; those above the last but one in the last.",
    examples: &["nvec + tft.bucket_counts(x, [0.0, 1.0, 2.0, 3.0])"],
    params: &[
        X,
        Param {
            name: "boundaries",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "constants that ascend",
        },
    ],
    kind: Kind::Analyze {
        types: |call| Ok(vec![Type::constant(DType::Int64, [Dim::Fixed(buckets(call)? as u32)])]),
        analyzer: |call| Ok(Analyzer::Global(Box::new(BucketCounts { buckets: buckets(call)? }))),
    },
};

/// How many buckets the boundaries of a call make.
fn buckets(call: &Call<'_>) -> Result<usize> {
    number(call, "x")?;
    let boundaries = number(call, "boundaries")?;
    match (boundaries.constant, boundaries.fixed_len()) {
        (true, Some(n)) if n >= 2 => Ok(n - 1),
        _ => Err(call.wrong_type("boundaries", "a constant list of at least 2 numbers")),
    }
}

/// The bucket of each value: how many boundaries are below it, without the first and the last.
fn bucket(boundaries: &[f32], values: &[f32]) -> Vec<i64> {
    let inner = &boundaries[1..boundaries.len() - 1];
    // Turned round, so that a value on a boundary, and NaN, count as below it.
    let turned: Vec<f32> = inner.iter().rev().map(|boundary| -boundary).collect();
    let values: Vec<f32> = values.iter().map(|value| -value).collect();
    let above = assign(&turned, &values).into_iter();
    above.map(|above| inner.len() as i64 - above).collect()
}

struct BucketCounts {
    buckets: usize,
}

impl CombineFn for BucketCounts {
    type Input = Columns;
    type Accumulator = Vec<u64>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        BUCKET_COUNTS.name
    }
    fn create_accumulator(&self) -> Vec<u64> {
        vec![0; self.buckets]
    }
    fn add_input(&self, acc: &mut Vec<u64>, input: &Columns) -> Result<()> {
        let boundaries = f32::all(&input.tensors[1]);
        let buckets = f32::each(&input.tensors[0], |values| bucket(&boundaries, values));
        buckets.iter().for_each(|bucket| acc[*bucket as usize] += 1);
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut Vec<u64>, other: Vec<u64>) -> Result<()> {
        acc.iter_mut().zip(other).for_each(|(count, other)| *count += other);
        Ok(())
    }
    fn extract_output(&self, acc: Vec<u64>) -> Result<Vec<Tensor>> {
        let counts: Vec<i64> = acc.into_iter().map(|count| count as i64).collect();
        Ok(vec![Tensor::dense(1, counts)])
    }
}

/// The density mapper with its analyzers.
pub(in crate::ops) const ESTIMATED_PROBABILITY_DENSITY: Op = Op {
    name: "tft.estimated_probability_density",
    doc: "how dense a column's values are around each value",
    semantics: "The share of values in the bucket of `tft.histogram` that a value is in, divided by \
        the mean width of the buckets; with `categorical=True` the share of the value itself, 0 if it \
        was never seen. float32. Without values 0.",
    examples: &[
        "tft.estimated_probability_density(x)",
        "tft.estimated_probability_density(n, boundaries=4)",
        "tft.estimated_probability_density(x, boundaries=4)",
        "tft.estimated_probability_density(xs, boundaries=[0.0, 1.0, 10.0])",
        "tft.estimated_probability_density(ss, categorical=True)",
    ],
    params: &[X, HISTOGRAM_BOUNDARIES, CATEGORICAL],
    kind: Kind::Compose(|builder, call| {
        let args = ["x", "boundaries", "categorical"];
        let args =
            args.into_iter().fold(Args::default(), |args, name| args.with(name, call.get(name)));
        let found = builder.call(HISTOGRAM.name, args)?;
        let op = if call.is("categorical") { "tft.key_share" } else { BUCKET_DENSITY.name };
        builder.call(op, Args::default().arg(call.value("x")?).arg(found[0]).arg(found[1]))
    }),
};

/// The row-local half.
pub(in crate::ops) const BUCKET_DENSITY: Op = Op {
    name: "tft.bucket_density",
    doc: "the density of a histogram at each value",
    semantics: "counts / sum of counts / mean width of buckets, in float32, for the bucket that a value \
        is in; the first or last for values outside, the first for NaN. Without counts 0.",
    examples: &["tft.bucket_density(xs, [3, 1], [0.0, 1.0, 2.0])"],
    params: &[
        X,
        Param {
            name: "counts",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a constant count for each bucket",
        },
        Param {
            name: "boundaries",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "constants that ascend, one more than counts",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let counts = of_dtype(call, "counts", DType::Int64)?;
            if !counts.constant || counts.fixed_len() != Some(buckets(call)?) {
                return Err(call.wrong_type("counts", "a constant count for each bucket"));
            }
            Ok(vec![number(call, "x")?.with_dtype(DType::Float32)])
        },
        kernel: bucket_density,
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let x = call.ty("x")?;
            let boundaries = f32::all(call.constant("boundaries")?);
            let n = boundaries.len() as i64 - 2;
            let inner = nodes.constant(&boundaries[1..boundaries.len() - 1].to_vec().into(), &[n]);
            let values = nodes.cast(&columns[0].values, x.dtype, DType::Float32);
            // How many boundaries are below a value, NaN's being none.
            let found = nodes.bound("LowerBound", &inner, &values, DType::Float32);
            let found = nodes.reshape(&found, DType::Int64, &sizes(x));
            let nan = nodes.typed("IsNan", DType::Float32, &[&values]);
            let first = nodes.scalar(0i64);
            let found = nodes.select(&nan, &first, &found, DType::Int64);
            let densities = densities(call)?;
            let n = densities.len() as i64;
            let densities = nodes.constant(&densities.into(), &[n]);
            let values = nodes.gather(&densities, DType::Float32, &found);
            Ok(vec![Column { values, ..columns[0].clone() }])
        }),
    },
};

/// The density of each bucket.
fn densities(call: &Call<'_>) -> Result<Vec<f32>> {
    let boundaries = f32::all(call.constant("boundaries")?);
    let counts = call.constant("counts")?.ints();
    let total: f32 = counts.iter().sum::<i64>() as f32;
    let width = (boundaries[boundaries.len() - 1] - boundaries[0]) / counts.len() as f32;
    let density = |count: &i64| if total == 0.0 { 0.0 } else { *count as f32 / total / width };
    Ok(counts.iter().map(density).collect())
}

fn bucket_density(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let boundaries = f32::all(call.constant("boundaries")?);
    let densities = densities(call)?;
    Ok(function(move |_, inputs| {
        let found = f32::each(inputs[0], |values| bucket(&boundaries, values));
        let found: Vec<f32> = found.iter().map(|bucket| densities[*bucket as usize]).collect();
        Ok(inputs[0].with_values(found))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::map;

    #[test]
    fn values_outside_are_in_the_buckets_at_the_ends() {
        let f = BucketCounts { buckets: 2 };
        let check = |values: &[f32], expected: &[i64]| {
            let mut acc = f.create_accumulator();
            let boundaries = Tensor::dense(1, vec![0.0f32, 1.0, 2.0]);
            let tensors = vec![Tensor::dense(values.len(), values.to_vec()), boundaries];
            let input = Columns { rows: values.len(), shard: 0, first_row: 0, tensors };
            f.add_input(&mut acc, &input).unwrap();
            assert_eq!(f.extract_output(acc).unwrap()[0].ints(), expected, "{values:?}");
        };
        check(&[], &[0, 0]);
        check(&[-1.0, 0.5, 1.0, 1.5, 9.0], &[3, 2]);
        check(&[f32::NAN, f32::NEG_INFINITY, f32::INFINITY], &[2, 1]);
    }

    #[test]
    fn boundaries_end_at_the_greatest_value() {
        let found = map("tft.equal_width_boundaries", &[], |_| {
            Args::default().arg(0.0).arg(700.07).arg(10)
        });
        // TensorFlow's boundaries of taxi fares.
        let expected = [
            -0.000_1, 77.785_46, 155.571_01, 233.356_57, 311.142_15, 388.927_7, 466.713_26,
            544.498_8, 622.284_36, 700.069_9,
        ];
        assert_eq!(found.floats(), expected);
    }

    #[test]
    fn boundaries_ascend_whatever_the_range() {
        let check = |min: f32, max: f32, expected: &[f32]| {
            assert_eq!(equal_width(min, max, expected.len()), expected, "{min} {max}");
        };
        let (inf, nan, none) = (f32::INFINITY, f32::NAN, [-0.0001; 3]);
        check(nan, nan, &none);
        check(-inf, 1.0, &none);
        check(0.0, inf, &none);
        check(1.0, 0.0, &none);
        check(2.0, 2.0, &[1.9999; 3]);
        check(f32::MIN, f32::MAX, &[f32::MIN, -0.0001, f32::MAX]);
        for (min, max) in [(-1.0, 1e-9), (0.1, 0.300_000_04), (-3e38, 3e38), (1e-45, 7e-45)] {
            let found = equal_width(min, max, 100_001);
            assert!(found.is_sorted() && found[100_000] == max + SHIFT, "{min} {max}");
        }
    }

    #[test]
    fn densities_of_a_histogram() {
        let column = (Type::scalar(DType::Float32), Tensor::dense(3, vec![-1.0f32, 1.5, f32::NAN]));
        let density = |counts: Vec<i64>| {
            let boundaries = crate::Literal::from(vec![0.0, 1.0, 4.0]);
            map("tft.bucket_density", std::slice::from_ref(&column), |x| {
                Args::default().arg(x[0]).arg(crate::Literal::from(counts)).arg(boundaries)
            })
        };
        assert_eq!(density(vec![1, 3]).floats(), [0.125, 0.375, 0.125]);
        assert_eq!(density(vec![0, 0]).floats(), [0.0; 3]);
    }
}
