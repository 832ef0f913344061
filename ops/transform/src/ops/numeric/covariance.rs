//! `tft.covariance`, `tft.pca`: how the positions of a vector vary together.

use engine::{CombineFn, Result};
use ops::sketch::ExactSum;
use serde::{Deserialize, Serialize};

use super::eigen::symmetric_eigen;
use super::per_key::mean_and_var::covariance;
use super::{X, floats, in_doubles};
use crate::analyzer::{Analyzer, Columns};
use crate::export::Export;
use crate::op::{Args, Call, Default, Kind, Op, Param, Takes, function};
use crate::ops::elementwise::number;
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

const VECTOR: Param = Param { doc: "a column of vectors of one length", ..X };

const DTYPE: Param = Param {
    name: "dtype",
    takes: Takes::DType,
    default: Default::None,
    doc: "`tf.float32` or `tf.float64`; the column's own by default, float32 for integers",
};

/// The analyzer.
pub(in crate::ops) const COVARIANCE: Op = Op {
    name: "tft.covariance",
    doc: "the covariances of the positions of a vector, as of a whole population",
    semantics: "A matrix of [d, d]: mean of products less product of means, from exact sums and with \
        twice the digits of a double, so that nothing cancels (TFT loses digits in float32). NaN \
        makes what it takes part in NaN. Without rows all are 0.",
    examples: &["tf.matmul(vec, tft.covariance(vec))"],
    params: &[VECTOR, DTYPE],
    kind: Kind::Analyze {
        types: |call| Ok(vec![matrix(call)?]),
        analyzer: |call| {
            let ty = matrix(call)?;
            Ok(Analyzer::Global(Box::new(Covariance { d: length(call)?, dtype: ty.dtype })))
        },
    },
};

/// The mapper of the analyzer's result.
pub(in crate::ops) const PCA: Op = Op {
    name: "tft.pca",
    doc: "the directions in which a vector varies most",
    semantics: "The eigenvectors of `tft.covariance` as columns of a matrix of [d, output_dim], those \
        of the greatest eigenvalues first; computed in double precision (cyclic Jacobi). The sign of \
        a vector is free: here its entry of the greatest magnitude is positive, the first of equals.",
    examples: &["tf.matmul(vec, tft.pca(vec, 2))"],
    params: &[
        VECTOR,
        Param {
            name: "output_dim",
            takes: Takes::Int,
            default: Default::Required,
            doc: "how many directions",
        },
        DTYPE,
    ],
    kind: Kind::Compose(|builder, call| {
        let x = call.value("x")?;
        let dtype = match call.opt_dtype("dtype") {
            Some(dtype) => dtype,
            None if builder.ty(x).dtype == DType::Float64 => DType::Float64,
            None => DType::Float32,
        };
        let args = Args::default().arg(x).with("dtype", DType::Float64);
        let covariance = builder.one(COVARIANCE.name, args)?;
        let args = Args::default().arg(covariance).arg(call.get("output_dim"));
        builder.call(EIGENVECTORS.name, args.with("dtype", dtype))
    }),
};

/// Eigenvectors of a symmetric matrix.
pub(in crate::ops) const EIGENVECTORS: Op = Op {
    name: "tft.eigenvectors",
    doc: "the eigenvectors of a symmetric constant matrix, those of the greatest eigenvalues first",
    semantics: "As columns of [d, output_dim], of length 1, with a positive entry of the greatest \
        magnitude. A matrix with NaN has NaN eigenvectors.",
    examples: &[
        "tf.matmul(vec, tft.eigenvectors([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]], 2))",
    ],
    params: &[
        Param {
            name: "matrix",
            takes: Takes::Value { like: "" },
            default: Default::Required,
            doc: "a constant symmetric matrix",
        },
        Param {
            name: "output_dim",
            takes: Takes::Int,
            default: Default::Required,
            doc: "how many eigenvectors",
        },
        DTYPE,
    ],
    kind: Kind::Map {
        types: |call| {
            let matrix = number(call, "matrix")?;
            let k = call.int_from("output_dim", 1)?;
            match (matrix.constant, matrix.shape.as_slice()) {
                (true, [Dim::Fixed(a), Dim::Fixed(b)]) if a == b && k <= i64::from(*a) => {
                    let shape = [Dim::Fixed(*a), Dim::Fixed(k as u32)];
                    Ok(vec![Type::constant(float(call, matrix)?, shape)])
                }
                _ => {
                    Err(call.wrong_type("matrix", "a constant of [d, d], with d >= `output_dim`,"))
                }
            }
        },
        kernel: |call| {
            let matrix = call.ty("matrix")?;
            let dtype = float(call, matrix)?;
            let k = call.int_from("output_dim", 1)? as usize;
            Ok(function(move |_, inputs| {
                let matrix = inputs[0].to_doubles();
                let d = matrix.len().isqrt();
                let (_, vectors) = symmetric_eigen(matrix, d);
                let columns = (0..d).flat_map(|row| (0..k).map(move |column| (row, column)));
                let values = columns.map(|(row, column)| vectors[column][row]);
                Ok(Tensor::dense(1, floats(dtype, values)))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::CONSTANT,
    },
};

/// The length of the vectors of a call.
fn length(call: &Call<'_>) -> Result<usize> {
    match number(call, "x")?.shape.as_slice() {
        [Dim::Fixed(d)] if *d <= 4096 => Ok(*d as usize),
        _ => Err(call.wrong_type("x", "a column of vectors of one length, 4,096 at most,")),
    }
}

fn float(call: &Call<'_>, ty: &Type) -> Result<DType> {
    match call.opt_dtype("dtype") {
        None if ty.dtype == DType::Float64 => Ok(DType::Float64),
        None => Ok(DType::Float32),
        Some(dtype) if dtype.is_float() => Ok(dtype),
        Some(dtype) => Err(call.wrong(format!("`dtype` is {dtype}; a float is wanted"))),
    }
}

fn matrix(call: &Call<'_>) -> Result<Type> {
    let d = Dim::Fixed(length(call)? as u32);
    Ok(Type::constant(float(call, call.ty("x")?)?, [d, d]))
}

struct Covariance {
    d: usize,
    dtype: DType,
}

/// Exact sums: of each position, and of the products of each two, row by row of the lower triangle.
#[derive(Default, Serialize, Deserialize)]
struct Products {
    n: u64,
    sums: Vec<ExactSum>,
    products: Vec<ExactSum>,
}

impl CombineFn for Covariance {
    type Input = Columns;
    type Accumulator = Products;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        COVARIANCE.name
    }

    fn create_accumulator(&self) -> Products {
        let pairs = self.d * (self.d + 1) / 2;
        Products {
            n: 0,
            sums: vec![ExactSum::default(); self.d],
            products: vec![ExactSum::default(); pairs],
        }
    }

    fn add_input(&self, acc: &mut Products, input: &Columns) -> Result<()> {
        let mut row = Vec::with_capacity(self.d);
        in_doubles(&input.tensors[0], |values| {
            for value in values {
                row.push(*value);
                if row.len() == self.d {
                    acc.add(&row);
                    row.clear();
                }
            }
        });
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Products, other: Products) -> Result<()> {
        acc.n += other.n;
        acc.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| sum.merge(other));
        acc.products.iter_mut().zip(&other.products).for_each(|(sum, other)| sum.merge(other));
        Ok(())
    }

    fn extract_output(&self, acc: Products) -> Result<Vec<Tensor>> {
        let d = self.d;
        let mut matrix = vec![0.0; d * d];
        if acc.n > 0 {
            let mut products = acc.products.iter();
            for (i, x) in acc.sums.iter().enumerate() {
                for ((j, y), product) in acc.sums[..=i].iter().enumerate().zip(products.by_ref()) {
                    let found = covariance(acc.n as f64, product, x, y);
                    matrix[i * d + j] = found;
                    matrix[j * d + i] = found;
                }
            }
        }
        Ok(vec![Tensor::dense(1, floats(self.dtype, matrix))])
    }
}

impl Products {
    fn add(&mut self, row: &[f64]) {
        self.n += 1;
        self.sums.iter_mut().zip(row).for_each(|(sum, value)| sum.add(*value));
        let mut products = self.products.iter_mut();
        for (i, x) in row.iter().enumerate() {
            let single = f64::from(*x as f32) == *x;
            for (y, sum) in row[..=i].iter().zip(products.by_ref()) {
                let product = x * y;
                sum.add(product);
                // Products of single-precision numbers have no more digits than a double holds.
                if !(single && f64::from(*y as f32) == *y) && product.is_finite() {
                    sum.add(x.mul_add(*y, -product));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::numeric::testing::combine;

    #[test]
    fn covariances_keep_their_digits() {
        let check = |values: &[f64], expected: [f64; 4]| {
            let f = Covariance { d: 2, dtype: DType::Float64 };
            let found = combine(&f, &[Tensor::dense(values.len() / 2, values.to_vec())], 2);
            assert_eq!(format!("{:?}", found[0].doubles()), format!("{expected:?}"), "{values:?}");
        };
        check(&[], [0.0; 4]);
        check(&[1.0, 2.0], [0.0; 4]);
        check(&[1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 2.0, 4.0]);
        check(&[1e12 + 0.5, -1e12, 1e12 + 1.5, -1e12 - 1.0], [0.25, -0.25, -0.25, 0.25]);
        let nan = f64::NAN;
        check(&[1.0, nan, 3.0, 6.0], [1.0, nan, nan, nan]);
    }
}
