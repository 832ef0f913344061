//! `tft.scale_to_z_score`: (x − mean) / standard deviation.

use engine::Result;

use super::elementwise::{Broadcast, Native, number, together};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes};
use crate::op::{Args, Call, Default, Kernel, Kind, Op, Param, Takes, function};
use crate::types::{DType, Type};

const X: Param = Param {
    name: "x",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "a column of numbers",
};

/// The mapper with its analyzers.
pub(super) const SCALE_TO_Z_SCORE: Op = Op {
    name: "tft.scale_to_z_score",
    doc: "a column scaled to mean 0 and variance 1",
    semantics: "(x - mean) / sqrt(var), of the values that `tft.mean` counts. Where the variance is \
        0 the result is x - mean. NaN stays NaN; missing values stay missing. Integers give float32.",
    examples: &[
        "tft.scale_to_z_score(x)",
        "tft.scale_to_z_score(ns)",
        "tft.scale_to_z_score(vec, elementwise=True)",
    ],
    params: &[
        X,
        Param {
            name: "elementwise",
            takes: Takes::Bool,
            default: Default::Bool(false),
            doc: "each position of a row by its own mean and variance",
        },
        Param {
            name: "output_dtype",
            takes: Takes::DType,
            default: Default::None,
            doc: "`tf.float32` or `tf.float64`; the column's own by default, float32 for integers",
        },
    ],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        let moments = builder.call(
            "tft.mean_and_var",
            Args::default()
                .arg(x)
                .with("reduce_instance_dims", !call.is("elementwise"))
                .with("output_dtype", call.get("output_dtype")),
        )?;
        builder.call(Z_SCORE.name, Args::default().arg(x).arg(moments[0]).arg(moments[1]))
    }),
};

/// The row-local half.
pub(super) const Z_SCORE: Op = Op {
    name: "tft.z_score",
    doc: "a column scaled by a given mean and variance",
    semantics: "(x - mean) / sqrt(var), in the dtype of `mean`; x - mean where the variance is 0.",
    examples: &["tft.z_score(x, 1.5, 4.0)", "tft.z_score(xs, x, y)", "tft.z_score(d, d, d)"],
    params: &[
        X,
        Param {
            name: "mean",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "what becomes 0",
        },
        Param {
            name: "var",
            takes: Takes::Value { like: "mean" },
            default: Default::Required,
            doc: "the square of what becomes 1",
        },
    ],
    kind: Kind::Map {
        types: |call| {
            let dtype = number(call, "mean")?.dtype;
            number(call, "x")?;
            if !dtype.is_float() || number(call, "var")?.dtype != dtype {
                return Err(call.wrong("`mean` and `var` must be of one float type"));
            }
            Ok(vec![Type { dtype, ..together(call, &["x", "mean", "var"])?.0 }])
        },
        kernel: z_score,
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(scaled_there),
    },
};

fn z_score(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let (x, broadcast) = together(call, &["x", "mean", "var"])?;
    let double = call.ty("mean")?.dtype == DType::Float64;
    Ok(match (x.dtype, double) {
        (DType::Int64, false) => scaled::<i64, f32>(broadcast, |x| x as f32),
        (DType::Int64, true) => scaled::<i64, f64>(broadcast, |x| x as f64),
        (DType::Float32, false) => scaled::<f32, f32>(broadcast, |x| x),
        (DType::Float32, true) => scaled::<f32, f64>(broadcast, f64::from),
        (_, false) => scaled::<f64, f32>(broadcast, |x| x as f32),
        (_, true) => scaled::<f64, f64>(broadcast, |x| x),
    })
}

fn scaled<A, F>(broadcast: Broadcast, to: fn(A) -> F) -> Box<dyn Kernel>
where
    A: Native,
    F: Native + Float,
{
    function(move |rows, inputs| {
        let x = broadcast.expand::<A>(0, rows, inputs);
        let mean = broadcast.expand::<F>(1, rows, inputs);
        let var = broadcast.expand::<F>(2, rows, inputs);
        let scaled = x.iter().zip(mean.iter().zip(var.iter()));
        let scaled = scaled.map(|(&x, (&mean, &var))| to(x).z_score(mean, var)).collect();
        Ok(broadcast.result(rows, inputs, F::values(scaled)))
    })
}

/// A float type.
trait Float: Copy {
    fn z_score(self, mean: Self, var: Self) -> Self;
}

impl Float for f32 {
    fn z_score(self, mean: f32, var: f32) -> f32 {
        let std_dev = var.sqrt();
        if std_dev == 0.0 { self - mean } else { (self - mean) / std_dev }
    }
}

impl Float for f64 {
    fn z_score(self, mean: f64, var: f64) -> f64 {
        let std_dev = var.sqrt();
        if std_dev == 0.0 { self - mean } else { (self - mean) / std_dev }
    }
}
fn scaled_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (operands, structure, ty) = nodes.operands(call, &["x", "mean", "var"], columns)?;
    let dtype = call.ty("mean")?.dtype;
    let x = nodes.cast(&operands[0], ty.dtype, dtype);
    let std_dev = nodes.typed("Sqrt", dtype, &[&operands[2]]);
    let x = nodes.typed("Sub", dtype, &[&x, &operands[1]]);
    let zero = nodes.number(dtype, 0.0);
    let constant = nodes.typed("Equal", dtype, &[&std_dev, &zero]);
    let scaled = nodes.typed("RealDiv", dtype, &[&x, &std_dev]);
    let values = nodes.select(&constant, &x, &scaled, dtype);
    Ok(vec![Column { values, ..structure }])
}
