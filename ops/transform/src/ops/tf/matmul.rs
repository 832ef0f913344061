//! `tf.matmul`: vectors times a constant matrix.

use engine::Result;

use super::super::elementwise::Native;
use super::super::params::{value, value_like};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Segments, result_type, sizes};
use crate::op::{Call, Kernel, Kind, Op, function};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Type};

/// Vectors times a constant matrix.
pub(in super::super) const MATMUL: Op = Op {
    name: "tf.matmul",
    doc: "a column of vectors times a constant matrix, such as the result of `tft.pca`",
    semantics: "[d] times [d, k] is [k]. Products are added in the order of the vector, in its own \
        dtype, each rounded: TensorFlow's order depends on the machine. Both are of one dtype.",
    examples: &[
        "tf.matmul(vec, [[1.0, 0.0], [0.5, 2.0], [-1.0, 0.0]])",
        "tf.matmul(tf.stack([d, d]), [[1.0], [2.0]])",
        "tf.matmul(nvec, [[1], [2], [3]])",
    ],
    params: &[value("a", "a column of vectors"), value_like("b", "a", "a constant matrix")],
    kind: Kind::Map {
        types: |call| {
            let (a, b) = (call.ty("a")?, call.ty("b")?);
            let ([d], [rows, k]) = (&a.shape[..], &b.shape[..]) else {
                return Err(shapes(call, a, b));
            };
            if !b.constant || !a.is_dense() || !b.is_dense() || d != rows {
                return Err(shapes(call, a, b));
            }
            if a.dtype != b.dtype || !a.dtype.is_number() {
                return Err(call.wrong(format!("`a` is {a}, `b` is {b}; one dtype is wanted")));
            }
            Ok(vec![Type { shape: vec![*k], ..a.clone() }])
        },
        kernel: |call| {
            let k = match call.ty("b")?.shape[..] {
                [_, Dim::Fixed(k)] => k as usize,
                _ => 1,
            };
            Ok(match call.ty("a")?.dtype {
                DType::Int64 => {
                    products::<i64>(k, 0, |sum, a, b| sum.wrapping_add(a.wrapping_mul(b)))
                }
                DType::Float32 => products::<f32>(k, 0.0, |sum, a, b| sum + a * b),
                _ => products::<f64>(k, 0.0, |sum, a, b| sum + a * b),
            })
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(multiplied),
    },
};

fn shapes(call: &Call<'_>, a: &Type, b: &Type) -> engine::Error {
    call.wrong(format!("`a` is {a}, `b` is {b}; a column [d] and a constant [d, k] are wanted"))
}

fn products<T: Native>(
    k: usize,
    zero: T,
    add: impl Fn(T, T, T) -> T + Send + Sync + 'static,
) -> Box<dyn Kernel> {
    function(move |rows, inputs| {
        let (a, b) = (T::of(inputs[0]), T::of(inputs[1]));
        let d = b.len().checked_div(k).unwrap_or(0).max(1);
        let mut out = vec![zero; rows * k];
        for (sums, vector) in out.chunks_exact_mut(k.max(1)).zip(a.chunks_exact(d)) {
            for (&a, weights) in vector.iter().zip(b.chunks_exact(k.max(1))) {
                sums.iter_mut().zip(weights).for_each(|(sum, &b)| *sum = add(*sum, a, b));
            }
        }
        Ok(Tensor::dense(rows, T::values(out)))
    })
}

/// Products, added one after the other as our kernel does: the order of TensorFlow's `MatMul` depends on the
/// machine.
fn multiplied(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (a, b, ty) = (call.ty("a")?, call.ty("b")?, result_type(call)?);
    let [Dim::Fixed(d), Dim::Fixed(k)] = b.shape[..] else { return Err(shapes(call, a, b)) };
    let sizes_a = if a.constant { vec![i64::from(d), 1] } else { vec![-1, i64::from(d), 1] };
    let column = nodes.reshape(&columns[0].values, a.dtype, &sizes_a);
    let products = nodes.typed("Mul", a.dtype, &[&column, &columns[1].values]);
    let shape = [Dim::Fixed(d), Dim::Fixed(k)];
    let of_rows = Type { shape: shape.to_vec(), ..a.clone() };
    let groups = Segments::along(nodes, d as usize, k as usize, &products.into(), &of_rows);
    let sums = groups.fold(nodes, "Sum", &groups.values, a.dtype);
    Ok(vec![nodes.reshape(&sums, ty.dtype, &sizes(&ty)).into()])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, ints, refused};

    #[test]
    fn vectors_are_projected() {
        let vec = [("vec", floats(&[1.0, 2.0, 3.0, 0.0, -1.0, 0.5]))];
        let matrix = "tf.matmul(vec, [[1.0, 0.0], [10.0, 0.5], [100.0, 0.0]])";
        check(matrix, &vec, floats(&[321.0, 1.0, 40.0, -0.5]));
        check(
            "tf.matmul(nvec, [[1], [2], [3]])",
            &[("nvec", ints(&[1, 1, i64::MAX]))],
            ints(&[i64::MIN]),
        );
        let wanted = "a column [d] and a constant [d, k] are wanted";
        refused(
            "tf.matmul(vec, [[1.0], [2.0]])",
            &format!("`tf.matmul`: `a` is float32[3], `b` is constant float32[2, 1]; {wanted}"),
        );
        refused(
            "tf.matmul(x, [[1.0]])",
            &format!("`tf.matmul`: `a` is float32, `b` is constant float32[1, 1]; {wanted}"),
        );
    }
}
