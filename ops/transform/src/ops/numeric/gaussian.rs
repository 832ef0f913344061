//! `tft.tukey_location`, `tft.tukey_scale`, `tft.tukey_h_params`, `tft.scale_to_gaussian`: long tails
//! made normal.

use engine::{CombineFn, Result};

use super::l_moments::{LMoments, Tukey, inverse_tukey};
use super::{ELEMENTWISE, OUTPUT_DTYPE, REDUCE, X, float_of, floats, in_doubles, positions};
use crate::analyzer::{Analyzer, Columns};
use crate::export::Export;
use crate::op::{Args, Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::{number, together};
use crate::tensor::Tensor;
use crate::types::{DType, Type};

const PARAMS: &[Param] = &[X, REDUCE, OUTPUT_DTYPE];

const SEMANTICS: &str = "Of the Tukey HH distribution that has the column's first four L-moments, which \
    are taken in blocks of 1,000 values counted from the shard's first, and merged as TFT merges those \
    of batches. NaN, infinities and missing values are not looked at. Both h are 0 where tails are \
    not longer than normal ones. Without values location is 0 and scale 1.";

/// All four parameters in one analyzer.
pub(in crate::ops) const TUKEY_PARAMETERS: Op = Op {
    name: "tft.tukey_parameters",
    doc: "location, scale, left and right h of the Tukey HH distribution of a column",
    semantics: SEMANTICS,
    examples: &["xs - tft.tukey_parameters(xs)[3]"],
    params: PARAMS,
    kind: Kind::Analyze {
        types: |call| Ok(vec![output_type(call)?; 4]),
        analyzer: |call| {
            let ty = output_type(call)?;
            let positions = ty.fixed_len().unwrap_or(1);
            Ok(Analyzer::Global(Box::new(Parameters { positions, dtype: ty.dtype })))
        },
    },
};

/// The first.
pub(in crate::ops) const TUKEY_LOCATION: Op = Op {
    name: "tft.tukey_location",
    doc: "the location of the Tukey HH distribution of a column",
    semantics: SEMANTICS,
    examples: &["x - tft.tukey_location(x)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        Ok(vec![builder.call(TUKEY_PARAMETERS.name, call.again())?[0]])
    }),
};

/// The second.
pub(in crate::ops) const TUKEY_SCALE: Op = Op {
    name: "tft.tukey_scale",
    doc: "the scale of the Tukey HH distribution of a column",
    semantics: SEMANTICS,
    examples: &["x * tft.tukey_scale(x)"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        Ok(vec![builder.call(TUKEY_PARAMETERS.name, call.again())?[1]])
    }),
};

/// The other two.
pub(in crate::ops) const TUKEY_H_PARAMS: Op = Op {
    name: "tft.tukey_h_params",
    doc: "left and right h of the Tukey HH distribution of a column: how long its tails are",
    semantics: SEMANTICS,
    examples: &["vec - tft.tukey_h_params(vec, reduce_instance_dims=False)[0]"],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        Ok(builder.call(TUKEY_PARAMETERS.name, call.again())?[2..].to_vec())
    }),
};

fn output_type(call: &Call<'_>) -> Result<Type> {
    let shape = positions(call, call.ty("x")?, call.is("reduce_instance_dims"))?;
    Ok(Type::constant(float_of(call)?, shape))
}

/// L-moments of each position of a row.
struct Parameters {
    positions: usize,
    dtype: DType,
}

impl CombineFn for Parameters {
    type Input = Columns;
    type Accumulator = Vec<LMoments>;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        TUKEY_PARAMETERS.name
    }
    fn create_accumulator(&self) -> Vec<LMoments> {
        vec![LMoments::default(); self.positions]
    }
    fn add_input(&self, acc: &mut Vec<LMoments>, input: &Columns) -> Result<()> {
        let mut position = 0;
        in_doubles(&input.tensors[0], |values| {
            for value in values {
                acc[position].push(*value);
                position = if position + 1 == self.positions { 0 } else { position + 1 };
            }
        });
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut Vec<LMoments>, other: Vec<LMoments>) -> Result<()> {
        acc.iter_mut().zip(other).for_each(|(moments, other)| moments.merge(other));
        Ok(())
    }
    fn extract_output(&self, mut acc: Vec<LMoments>) -> Result<Vec<Tensor>> {
        acc.iter_mut().for_each(LMoments::flush);
        let found: Vec<Tukey> = acc.iter().map(LMoments::tukey).collect();
        let result =
            |of: fn(&Tukey) -> f64| Tensor::dense(1, floats(self.dtype, found.iter().map(of)));
        Ok(vec![
            result(|tukey| tukey.location),
            result(|tukey| tukey.scale),
            result(|tukey| tukey.hl),
            result(|tukey| tukey.hr),
        ])
    }
}

/// The mapper with its analyzers.
pub(in crate::ops) const SCALE_TO_GAUSSIAN: Op = Op {
    name: "tft.scale_to_gaussian",
    doc: "a column made about normal, with mean 0 and variance 1, however long its tails",
    semantics: "(x - location) / scale, then the inverse of the Tukey HH distribution, by \
        `tft.tukey_parameters`. Where neither tail is long: (x - location) / sqrt(var), a z-score. \
        Where the divisor is 0, x - location; so without values x itself. NaN stays NaN; missing \
        values stay missing.",
    examples: &[
        "tft.scale_to_gaussian(x)",
        "tft.scale_to_gaussian(ns)",
        "tft.scale_to_gaussian(vec, elementwise=True)",
    ],
    params: &[X, ELEMENTWISE, OUTPUT_DTYPE],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        let args = || {
            let args = Args::default().arg(x).with("reduce_instance_dims", !call.is("elementwise"));
            args.with("output_dtype", call.get("output_dtype"))
        };
        let tukey = builder.call(TUKEY_PARAMETERS.name, args())?;
        let var = builder.call("tft.mean_and_var", args())?[1];
        let all = tukey.into_iter().chain([var]);
        builder.call(GAUSSIANIZE.name, all.fold(Args::default().arg(x), Args::arg))
    }),
};

const fn parameter(name: &'static str, doc: &'static str) -> Param {
    Param { name, takes: Takes::Value { like: "location" }, default: Default::Required, doc }
}

/// The row-local half.
pub(in crate::ops) const GAUSSIANIZE: Op = Op {
    name: "tft.gaussianize",
    doc: "a column made about normal by given parameters of its Tukey HH distribution",
    semantics: "As `tft.scale_to_gaussian`; computed in double precision, in the dtype of `location`.",
    examples: &[
        "tft.gaussianize(x, 1.0, 2.0, 0.1, 0.3, 4.0)",
        "tft.gaussianize(ns, 0.0, 1.0, 0.0, 0.0, 4.0)",
    ],
    params: &[
        X,
        Param {
            name: "location",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "what becomes 0",
        },
        parameter("scale", "the scale, where a tail is long"),
        parameter("hl", "how long the left tail is"),
        parameter("hr", "how long the right tail is"),
        parameter("var", "the variance, which scales where no tail is long"),
    ],
    kind: Kind::Map {
        types: |call| {
            let dtype = number(call, "location")?.dtype;
            for name in &OPERANDS[1..] {
                if number(call, name)?.dtype != dtype || !dtype.is_float() {
                    return Err(call.wrong("all parameters must be of one float type"));
                }
            }
            number(call, "x")?;
            Ok(vec![together(call, &OPERANDS)?.0.with_dtype(dtype)])
        },
        kernel: gaussianize,
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::No("an equation is solved in as many steps as a value needs"),
    },
};

const OPERANDS: [&str; 6] = ["x", "location", "scale", "hl", "hr", "var"];

fn gaussianize(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let broadcast = together(call, &OPERANDS)?.1;
    let dtype = call.ty("location")?.dtype;
    Ok(function(move |rows, inputs| {
        let values: Vec<Vec<f64>> = inputs.iter().map(|input| input.to_doubles()).collect();
        let at: Vec<_> = (0..inputs.len()).map(|i| broadcast.indices(i, rows, inputs)).collect();
        let n = broadcast.n_values(rows, inputs);
        let normal = (0..n).map(|i| {
            let [x, location, scale, hl, hr, var] = std::array::from_fn(|k| values[k][at[k].at(i)]);
            let divisor = if hl > 0.0 || hr > 0.0 { scale } else { var.sqrt() };
            let x = x - location;
            inverse_tukey(if divisor == 0.0 { x } else { x / divisor }, hl, hr)
        });
        Ok(broadcast.result(rows, inputs, floats(dtype, normal)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::{combine, map};

    #[test]
    fn parameters_of_samples() {
        let f = Parameters { positions: 1, dtype: DType::Float64 };
        let check = |values: &[f64], expected: [f64; 4]| {
            let found = combine(&f, &[Tensor::dense(values.len(), values.to_vec())], 1);
            let found: Vec<f64> = found.iter().map(|tensor| tensor.doubles()[0]).collect();
            let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(close, "{values:?}: {found:?}");
        };
        check(&[], [0.0, 1.0, 0.0, 0.0]);
        check(&[7.0; 5], [7.0, 1.0, 0.0, 0.0]);
        // L-scale 5/6 of a normal distribution, whose own is 1 / sqrt(pi).
        let scale = 5.0 / 6.0 * std::f64::consts::PI.sqrt();
        check(&[1.0, 2.0, 3.0, 4.0], [2.5, scale, 0.0, 0.0]);
    }

    #[test]
    fn only_long_tails_are_bent() {
        let x = vec![0.0f32, 3.0, f32::NAN, f32::INFINITY];
        let column = (Type::scalar(DType::Float32), Tensor::dense(4, x));
        let run = |[location, scale, hl, hr, var]: [f64; 5]| {
            let found = map("tft.gaussianize", std::slice::from_ref(&column), |x| {
                let args = [location, scale, hl, hr, var];
                args.into_iter().fold(Args::default().arg(x[0]), Args::arg)
            });
            format!("{:?}", found.floats())
        };
        assert_eq!(run([1.0, 9.0, 0.0, 0.0, 4.0]), "[-0.5, 1.0, NaN, inf]");
        assert_eq!(run([1.0, 1.0, 0.0, 0.0, 0.0]), "[-1.0, 2.0, NaN, inf]");
        // 2 = u exp(0.25 u²), on the right side alone.
        assert_eq!(run([1.0, 1.0, 0.0, 0.5, 4.0]), "[-1.0, 1.3058373, NaN, inf]");
    }
}
