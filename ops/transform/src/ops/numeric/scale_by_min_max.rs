//! `tft.scale_by_min_max`, `tft.scale_to_0_1`: a column scaled to a range.

use engine::Result;

use super::min_and_max::MIN_AND_MAX;
use super::{ELEMENTWISE, Number, X};
use crate::dispatch;
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes};
use crate::graph::Builder;
use crate::op::{Args, Bound, Call, Default, Kernel, Kind, Op, Param, Ref, Takes, function};
use crate::ops::elementwise::{Broadcast, Native, number, together};
use crate::types::{DType, Type};

const SEMANTICS: &str = "(x - min) / (max - min), then moved to the range; computed in float32 as in \
    TFT, in double precision with `output_dtype=tf.float64`. Where min >= max (one value, or none) \
    or the range is NaN: sigmoid(x), moved to the range. Nothing is clipped. NaN stays NaN; missing \
    values stay missing.";

/// Least and greatest of the range.
pub(super) const OUTPUT_MIN: Param = Param {
    name: "output_min",
    takes: Takes::Float,
    default: Default::Float(0.0),
    doc: "what the least value becomes",
};
/// See [`OUTPUT_MIN`].
pub(super) const OUTPUT_MAX: Param = Param {
    name: "output_max",
    takes: Takes::Float,
    default: Default::Float(1.0),
    doc: "what the greatest value becomes",
};
/// The type that scaling gives.
pub(super) const OUTPUT_DTYPE: Param = Param {
    name: "output_dtype",
    takes: Takes::DType,
    default: Default::None,
    doc: "`tf.float32`, the default, or `tf.float64`",
};

/// The mapper with its analyzer.
pub(in crate::ops) const SCALE_BY_MIN_MAX: Op = Op {
    name: "tft.scale_by_min_max",
    doc: "a column scaled to the range from `output_min` to `output_max`",
    semantics: SEMANTICS,
    examples: &[
        "tft.scale_by_min_max(x, -1.0, 1.0)",
        "tft.scale_by_min_max(ns, 5, 10)",
        "tft.scale_by_min_max(d, output_dtype=tf.float64)",
    ],
    params: &[X, OUTPUT_MIN, OUTPUT_MAX, ELEMENTWISE, OUTPUT_DTYPE],
    kind: Kind::Compose(compose),
};

/// The same to the range from 0 to 1.
pub(in crate::ops) const SCALE_TO_0_1: Op = Op {
    name: "tft.scale_to_0_1",
    doc: "a column scaled to the range from 0 to 1",
    semantics: SEMANTICS,
    examples: &[
        "tft.scale_to_0_1(x)",
        "tft.scale_to_0_1(xs)",
        "tft.scale_to_0_1(vec, elementwise=True)",
    ],
    params: &[X, ELEMENTWISE, OUTPUT_DTYPE],
    kind: Kind::Compose(|builder, call| {
        let args = Args::default().with("x", call.get("x"));
        let args = args.with("elementwise", call.get("elementwise"));
        let args = args.with("output_dtype", call.get("output_dtype"));
        builder.call(SCALE_BY_MIN_MAX.name, args)
    }),
};

fn compose(builder: &mut Builder, call: &Bound) -> Result<Vec<Ref>> {
    let x = call.value("x")?;
    let args = Args::default().arg(x).with("reduce_instance_dims", !call.is("elementwise"));
    let range = builder.call(MIN_AND_MAX.name, args)?;
    let args = Args::default().arg(x).arg(range[0]).arg(range[1]);
    let args = ["output_min", "output_max", "output_dtype"]
        .into_iter()
        .fold(args, |args, name| args.with(name, call.get(name)));
    builder.call(MIN_MAX_SCALE.name, args)
}

/// The row-local half.
pub(in crate::ops) const MIN_MAX_SCALE: Op = Op {
    name: "tft.min_max_scale",
    doc: "a column scaled by a given least and greatest value",
    semantics: SEMANTICS,
    examples: &[
        "tft.min_max_scale(x, 0.0, 10.0)",
        "tft.min_max_scale(n, 2, 2)",
        "tft.min_max_scale(xs, x, y)",
        "tft.min_max_scale(d, d, 1.0, -1.0, 1.0, output_dtype=tf.float64)",
    ],
    params: &[
        X,
        Param {
            name: "min",
            takes: Takes::Value { like: "x" },
            default: Default::Required,
            doc: "what becomes `output_min`",
        },
        Param {
            name: "max",
            takes: Takes::Value { like: "x" },
            default: Default::Required,
            doc: "what becomes `output_max`",
        },
        OUTPUT_MIN,
        OUTPUT_MAX,
        OUTPUT_DTYPE,
    ],
    kind: Kind::Map {
        types: |call| Ok(vec![output_type(call)?]),
        kernel,
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(scaled_there),
    },
};

fn output_type(call: &Call<'_>) -> Result<Type> {
    number(call, "x")?;
    if number(call, "min")?.dtype != number(call, "max")?.dtype {
        return Err(call.wrong("`min` and `max` must be of one type"));
    }
    let ends = (call.opt_float("output_min"), call.opt_float("output_max"));
    match ends {
        (Some(min), Some(max)) if min < max => {}
        _ => return Err(call.wrong("`output_min` must be less than `output_max`")),
    }
    let dtype = match call.opt_dtype("output_dtype") {
        None => DType::Float32,
        Some(dtype) if dtype.is_float() => dtype,
        Some(dtype) => {
            return Err(call.wrong(format!("`output_dtype` is {dtype}; a float is wanted")));
        }
    };
    Ok(Type { dtype, ..together(call, &["x", "min", "max"])?.0 })
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (_, broadcast) = together(call, &["x", "min", "max"])?;
    let ends = [call.opt_float("output_min"), call.opt_float("output_max")];
    let ends = ends.map(Option::unwrap_or_default);
    let single = output_type(call)?.dtype == DType::Float32;
    let (x, range) = (call.ty("x")?.dtype, call.ty("min")?.dtype);
    let made = dispatch!(x, X => dispatch!(range, R => if single {
        scaled::<X, R, f32>(broadcast, ends)
    } else {
        scaled::<X, R, f64>(broadcast, ends)
    }));
    made.flatten().ok_or_else(|| call.wrong_type("x", "a number"))
}

fn scaled<X: Number, R: Number, F: Scaled>(
    broadcast: Broadcast,
    [output_min, output_max]: [f64; 2],
) -> Box<dyn Kernel> {
    function(move |rows, inputs| {
        let x = broadcast.expand::<X>(0, rows, inputs);
        let min = broadcast.expand::<R>(1, rows, inputs);
        let max = broadcast.expand::<R>(2, rows, inputs);
        let each = x.iter().zip(min.iter().zip(max.iter()));
        let each = each.map(|(x, (min, max))| {
            F::scaled(x.double(), min.double(), max.double(), output_min, output_max)
        });
        let values = F::values(each.collect());
        Ok(broadcast.result(rows, inputs, values))
    })
}

/// A float type to scale in.
trait Scaled: Native {
    fn scaled(x: f64, min: f64, max: f64, output_min: f64, output_max: f64) -> Self;
}

macro_rules! scaled {
    ($($float:ident),*) => {$(
        impl Scaled for $float {
            #[inline]
            fn scaled(x: f64, min: f64, max: f64, output_min: f64, output_max: f64) -> $float {
                let (x, min, max) = (x as $float, min as $float, max as $float);
                let (output_min, output_max) = (output_min as $float, output_max as $float);
                let share = if min < max {
                    (x - min) / (max - min)
                } else {
                    // In double precision: an exponential that is rounded once.
                    (1.0 / (1.0 + (-f64::from(x)).exp())) as $float
                };
                share * (output_max - output_min) + output_min
            }
        }
    )*};
}
scaled!(f32, f64);

fn scaled_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (operands, structure, _) = nodes.operands(call, &["x", "min", "max"], columns)?;
    let (double, dtype) = (DType::Float64, output_type(call)?.dtype);
    let types = [call.ty("x")?.dtype, call.ty("min")?.dtype, call.ty("min")?.dtype];
    // By way of double precision, as integers go here.
    let cast = |nodes: &mut Nodes, i: usize| {
        let wide = nodes.cast(&operands[i], types[i], double);
        nodes.cast(&wide, double, dtype)
    };
    let [x, min, max] = [0, 1, 2].map(|i| cast(nodes, i));
    let is_range = nodes.typed("Less", dtype, &[&min, &max]);
    let from_min = nodes.typed("Sub", dtype, &[&x, &min]);
    let range = nodes.typed("Sub", dtype, &[&max, &min]);
    let share = nodes.typed("RealDiv", dtype, &[&from_min, &range]);
    let wide = nodes.cast(&x, dtype, double);
    let negative = nodes.typed("Neg", double, &[&wide]);
    let power = nodes.typed("Exp", double, &[&negative]);
    let one = nodes.scalar(1f64);
    let power = nodes.typed("AddV2", double, &[&power, &one]);
    let sigmoid = nodes.typed("RealDiv", double, &[&one, &power]);
    let sigmoid = nodes.cast(&sigmoid, double, dtype);
    let share = nodes.select(&is_range, &share, &sigmoid, dtype);
    let ends = [call.opt_float("output_min"), call.opt_float("output_max")];
    let [low, high] = ends.map(|end| nodes.number(dtype, end.unwrap_or_default()));
    let width = nodes.typed("Sub", dtype, &[&high, &low]);
    let scaled = nodes.typed("Mul", dtype, &[&share, &width]);
    let values = nodes.typed("AddV2", dtype, &[&scaled, &low]);
    Ok(vec![Column { values, ..structure }])
}

#[cfg(test)]
mod tests {
    use crate::op::Args;
    use crate::ops::numeric::testing::map;
    use crate::tensor::Tensor;
    use crate::types::{DType, Type};

    #[test]
    fn a_range_is_moved_to_another() {
        let check = |x: &[f32], [min, max]: [f64; 2], expected: &[f32]| {
            let column = (Type::scalar(DType::Float32), Tensor::dense(x.len(), x.to_vec()));
            let found = map("tft.min_max_scale", &[column], |x| {
                let args = Args::default().arg(x[0]).arg(min).arg(max);
                args.with("output_min", -1.0).with("output_max", 3.0)
            });
            assert_eq!(format!("{:?}", found.floats()), format!("{expected:?}"), "{x:?}");
        };
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        check(&[0.0, 5.0, 10.0, 20.0, nan, inf], [0.0, 10.0], &[-1.0, 1.0, 3.0, 7.0, nan, inf]);
        check(&[0.0, -inf, inf, nan], [3.0, 3.0], &[1.0, -1.0, 3.0, nan]);
        check(&[0.0], [f64::NAN, f64::NAN], &[1.0]);
        check(&[], [0.0, 1.0], &[]);
        let ints = (Type::scalar(DType::Int64), Tensor::dense(2, vec![i64::MIN, i64::MAX]));
        let found = map("tft.min_max_scale", &[ints], |x| {
            Args::default().arg(x[0]).arg(i64::MIN).arg(i64::MAX)
        });
        assert_eq!(found.floats(), [0.0, 1.0]);
    }
}
