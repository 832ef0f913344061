//! `tft.scale_robust`, `tft.clip_by_quantiles`: what outliers do not move.

use engine::Result;

use super::quantiles::{EPSILON, QUANTILES};
use super::{X, floats};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes};
use crate::graph::Builder;
use crate::op::{Args, Bound, Call, Default, Kernel, Kind, Op, Param, Ref, Takes, function};
use crate::ops::elementwise::number;
use crate::tensor::Values;
use crate::types::DType;

/// Quantiles of a column in its own precision.
fn quantiles(builder: &mut Builder, call: &Bound, num_buckets: i64) -> Result<Ref> {
    let x = call.value("x")?;
    let dtype = match builder.ty(x).dtype {
        DType::Float32 => DType::Float32,
        _ => DType::Float64,
    };
    let args = Args::default().arg(x).arg(num_buckets).with("epsilon", call.get("epsilon"));
    builder.one(QUANTILES.name, args.with("output_dtype", dtype))
}

/// The mapper with its analyzer.
pub(in crate::ops) const SCALE_ROBUST: Op = Op {
    name: "tft.scale_robust",
    doc: "a column scaled to median 0 and a distance of 1 between its quartiles",
    semantics: "(x - median) / (third quartile - first), by `tft.quantiles`. Where the quartiles are \
        equal or infinite, x - median. float64 for float64, else float32. NaN stays NaN; missing values \
        stay missing.",
    examples: &["tft.scale_robust(x)", "tft.scale_robust(ns)", "tft.scale_robust(d)"],
    params: &[X, EPSILON],
    kind: Kind::Compose(|builder, call| {
        let quartiles = quantiles(builder, call, 4)?;
        builder.call(ROBUST_SCALE.name, Args::default().arg(call.value("x")?).arg(quartiles))
    }),
};

/// The row-local half.
pub(in crate::ops) const ROBUST_SCALE: Op = Op {
    name: "tft.robust_scale",
    doc: "a column scaled by given quartiles",
    semantics: "As `tft.scale_robust`; computed in double precision.",
    examples: &[
        "tft.robust_scale(xs, [[1.0, 2.0, 4.0]])",
        "tft.robust_scale(d, [[1.0, 1.0, 1.0]])",
        "tft.robust_scale(n, [[1, 2, 3]])",
    ],
    params: &[
        X,
        Param {
            name: "quartiles",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a constant list of three numbers",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let (x, quartiles) = (number(call, "x")?, number(call, "quartiles")?);
            if !quartiles.constant || quartiles.fixed_len() != Some(3) {
                return Err(call.wrong_type("quartiles", "a constant list of three numbers"));
            }
            let double = x.dtype == DType::Float64;
            Ok(vec![x.with_dtype(if double { DType::Float64 } else { DType::Float32 })])
        },
        kernel: |call| {
            let (median, divisor) = middle(call)?;
            let double = call.ty("x")?.dtype == DType::Float64;
            let dtype = if double { DType::Float64 } else { DType::Float32 };
            Ok(function(move |_, inputs| {
                let x = inputs[0].to_doubles().into_iter();
                Ok(inputs[0].with_values(floats(dtype, x.map(|x| (x - median) / divisor))))
            }))
        },
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (median, divisor) = middle(call)?;
            let (x, double) = (call.ty("x")?.dtype, DType::Float64);
            let to = if x == double { double } else { DType::Float32 };
            let (median, divisor) = (nodes.scalar(median), nodes.scalar(divisor));
            let values = nodes.cast(&columns[0].values, x, double);
            let values = nodes.typed("Sub", double, &[&values, &median]);
            let values = nodes.typed("RealDiv", double, &[&values, &divisor]);
            Ok(vec![Column { values: nodes.cast(&values, double, to), ..columns[0].clone() }])
        }),
    },
};

/// The median, and what values are divided by.
fn middle(call: &Call<'_>) -> Result<(f64, f64)> {
    let quartiles = call.constant("quartiles")?.to_doubles();
    let (median, range) = (quartiles[1], quartiles[2] - quartiles[0]);
    Ok((median, if range > 0.0 && range.is_finite() { range } else { 1.0 }))
}

/// Shares are given in steps of this.
const STEPS: f64 = 1000.0;

const fn share(name: &'static str, default: f64, doc: &'static str) -> Param {
    Param { name, takes: Takes::Float, default: Default::Float(default), doc }
}

/// The mapper with its analyzer.
pub(in crate::ops) const CLIP_BY_QUANTILES: Op = Op {
    name: "tft.clip_by_quantiles",
    doc: "a column whose extreme values become its quantiles",
    semantics: "Values below the quantile `lower` become it, and those above `upper` that one; 0 and 1 clip \
        nothing. Shares are multiples of 0.001. By `tft.quantiles` with 1,000 buckets; without values in \
        analysis everything becomes 0. NaN stays NaN; missing values stay missing.",
    examples: &[
        "tft.clip_by_quantiles(x)",
        "tft.clip_by_quantiles(ns, 0, 0.9)",
        "tft.clip_by_quantiles(d, lower=0.25, upper=1.0)",
    ],
    params: &[
        X,
        share("lower", 0.01, "share of values that the least one is raised to"),
        share("upper", 0.99, "share of values that the greatest one is lowered to"),
        EPSILON,
    ],
    kind: Kind::Compose(|builder, call| {
        let step = |name: &str| -> Result<i64> {
            let share = call.opt_float(name).unwrap_or_default() * STEPS;
            if (share - share.round()).abs() > 1e-9 || !(0.0..=STEPS).contains(&share) {
                let wanted = "a multiple of 0.001 from 0 to 1 is wanted";
                return Err(call.wrong(format!("`{name}` is {}; {wanted}", share / STEPS)));
            }
            Ok(share.round() as i64)
        };
        let (lower, upper) = (step("lower")?, step("upper")?);
        if lower >= upper {
            return Err(call.wrong("`lower` must be less than `upper`"));
        }
        let boundaries = quantiles(builder, call, STEPS as i64)?;
        let args = Args::default().arg(call.value("x")?).arg(boundaries).arg(lower).arg(upper);
        builder.call(CLIP_BETWEEN.name, args)
    }),
};

/// The row-local half.
pub(in crate::ops) const CLIP_BETWEEN: Op = Op {
    name: "tft.clip_between",
    doc: "a column clipped to two of a list of boundaries",
    semantics: "The boundaries are numbered from 1; a number outside of the list clips nothing on its side. \
        Of the column's own dtype; integers are clipped to the integers between.",
    examples: &[
        "tft.clip_between(x, [[0.0, 1.0, 2.0]], 1, 3)",
        "tft.clip_between(ns, [[0.5, 1.0]], 1, 2)",
        "tft.clip_between(d, [[0.0]], 0, 1)",
    ],
    params: &[
        X,
        Param {
            name: "boundaries",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "constants that ascend",
        },
        Param {
            name: "lower",
            takes: Takes::Int,
            default: Default::Required,
            doc: "number of the least that stays",
        },
        Param {
            name: "upper",
            takes: Takes::Int,
            default: Default::Required,
            doc: "number of the greatest that stays",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            if !number(call, "boundaries")?.constant {
                return Err(call.wrong_type("boundaries", "a constant list of numbers"));
            }
            Ok(vec![number(call, "x")?.clone()])
        },
        kernel: clip,
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(clipped_there),
    },
};

/// The least and the greatest that stay.
fn ends(call: &Call<'_>) -> Result<(f64, f64)> {
    let boundaries = call.constant("boundaries")?.to_doubles();
    let at = |name: &str| {
        let number = call.opt_int(name).and_then(|number| usize::try_from(number - 1).ok());
        number.and_then(|number| boundaries.get(number)).copied()
    };
    let low = at("lower").unwrap_or(f64::NEG_INFINITY);
    let high = at("upper").unwrap_or(f64::INFINITY);
    if low > high || low.is_nan() || high.is_nan() {
        return Err(call.wrong("`boundaries` do not ascend"));
    }
    Ok((low, high))
}

fn clip(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (low, high) = ends(call)?;
    Ok(function(move |_, inputs| {
        let clipped: Values = match &inputs[0].values {
            Values::Int64(values) => {
                // Infinities saturate at the ends of int64.
                let (low, high) = (low.ceil() as i64, high.floor() as i64);
                values.iter().map(|x| (*x).max(low).min(high)).collect::<Vec<i64>>().into()
            }
            Values::Float32(values) => {
                let (low, high) = (low as f32, high as f32);
                // Comparisons, so that NaN stays.
                let clip = |x: &f32| {
                    if *x < low {
                        low
                    } else if *x > high {
                        high
                    } else {
                        *x
                    }
                };
                values.iter().map(clip).collect::<Vec<f32>>().into()
            }
            values => {
                let Values::Float64(values) = values else { return Ok(inputs[0].clone()) };
                let clip = |x: &f64| {
                    if *x < low {
                        low
                    } else if *x > high {
                        high
                    } else {
                        *x
                    }
                };
                values.iter().map(clip).collect::<Vec<f64>>().into()
            }
        };
        Ok(inputs[0].with_values(clipped))
    }))
}

fn clipped_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (low, high) = ends(call)?;
    let (x, dtype) = (&columns[0].values, call.ty("x")?.dtype);
    let values = if dtype == DType::Int64 {
        let (low, high) = (nodes.scalar(low.ceil() as i64), nodes.scalar(high.floor() as i64));
        let least = nodes.ints("Maximum", x, &low);
        nodes.ints("Minimum", &least, &high)
    } else {
        let (low, high) = (nodes.number(dtype, low), nodes.number(dtype, high));
        let below = nodes.typed("Less", dtype, &[x, &low]);
        let above = nodes.typed("Greater", dtype, &[x, &high]);
        let most = nodes.select(&above, &high, x, dtype);
        nodes.select(&below, &low, &most, dtype)
    };
    Ok(vec![Column { values, ..columns[0].clone() }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Literal;
    use crate::ops::numeric::testing::map;
    use crate::tensor::Tensor;
    use crate::types::Type;

    fn column(values: Vec<f32>) -> (Type, Tensor) {
        (Type::scalar(DType::Float32), Tensor::dense(values.len(), values))
    }

    #[test]
    fn quartiles_scale() {
        let check = |quartiles: [f64; 3], x: f32, expected: f32| {
            let found = map("tft.robust_scale", &[column(vec![x])], |x| {
                Args::default().arg(x[0]).arg(Literal::from(quartiles.to_vec()))
            });
            assert_eq!(format!("{:?}", found.floats()), format!("{:?}", [expected]));
        };
        check([1.0, 2.0, 5.0], 4.0, 0.5);
        check([2.0, 2.0, 2.0], 4.0, 2.0);
        check([1.0, 2.0, 5.0], f32::NAN, f32::NAN);
        check([f64::NEG_INFINITY, 2.0, f64::INFINITY], 4.0, 2.0);
    }

    #[test]
    fn values_are_clipped_on_both_sides() {
        let check = |lower: i64, upper: i64, expected: &[f32]| {
            let x = column(vec![-5.0, 1.0, 5.0, f32::NAN, f32::INFINITY]);
            let found = map("tft.clip_between", &[x], |x| {
                let boundaries = Literal::from(vec![0.0, 2.0]);
                Args::default().arg(x[0]).arg(boundaries).arg(lower).arg(upper)
            });
            assert_eq!(format!("{:?}", found.floats()), format!("{expected:?}"));
        };
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        check(1, 2, &[0.0, 1.0, 2.0, nan, 2.0]);
        check(0, 2, &[-5.0, 1.0, 2.0, nan, 2.0]);
        check(1, 3, &[0.0, 1.0, 5.0, nan, inf]);
        let ints = (Type::scalar(DType::Int64), Tensor::dense(2, vec![i64::MIN, i64::MAX]));
        let found = map("tft.clip_between", &[ints], |x| {
            Args::default().arg(x[0]).arg(Literal::from(vec![0.5, 2.5])).arg(1).arg(2)
        });
        assert_eq!(found.ints(), [1, 2]);
    }
}
