//! Columns with several dimensions that vary, or with fixed ones around one that does, as `RaggedTensor`s.
//!
//! A signature holds one as its parts, the flat values and the splits of each dimension up to the last that
//! varies, and its `RaggedTensorSpec`.

use super::info;
use super::nodes::{Column, Nodes, Out, sizes};
use super::proto::{
    CompositeTensor, DataType, StructuredValue, TensorInfo, TensorShape, TupleValue, TypeSpec,
};
use crate::types::{DType, Dim, Type};

/// `RAGGED_TENSOR_SPEC` of `TypeSpecProto`.
const RAGGED: i32 = 3;

/// Whether a type is a `RaggedTensor` outside of the graph: lists of single values are sparse there.
pub(super) fn is_ragged(ty: &Type) -> bool {
    ty.n_var() > 1 || (ty.n_var() == 1 && ty.shape.len() > 1)
}

/// The dimensions that have splits.
fn split(ty: &Type) -> &[Dim] {
    let last = ty.shape.iter().rposition(|dim| *dim == Dim::Var).map_or(0, |last| last + 1);
    &ty.shape[..last]
}

/// What a signature says of one.
pub(super) fn ragged_info(ty: &Type, values: &Out, splits: &[Out]) -> TensorInfo {
    let dtype = DataType::from(ty.dtype) as i32;
    let dims = ty.shape.iter().map(|dim| match dim {
        Dim::Fixed(n) => i64::from(*n),
        Dim::Var => -1,
    });
    let shape: Vec<i64> = std::iter::once(-1).chain(dims).collect();
    let shape = TensorShape::from(&shape[..]);
    let none = StructuredValue::default();
    let state = vec![
        StructuredValue { tensor_shape_value: Some(shape.clone()), ..none.clone() },
        StructuredValue { tensor_dtype_value: Some(dtype), ..none.clone() },
        StructuredValue { int64_value: Some(splits.len() as i64), ..none.clone() },
        StructuredValue { tensor_dtype_value: Some(DataType::Int64 as i32), ..none.clone() },
    ];
    let spec = TypeSpec {
        type_spec_class: RAGGED,
        type_state: Some(StructuredValue {
            tuple_value: Some(TupleValue { values: state }),
            ..none
        }),
        type_spec_class_name: "RaggedTensorSpec".to_owned(),
        num_flat_components: splits.len() as i32 + 1,
    };
    let mut components = vec![info(values, ty.dtype, &sizes(ty))];
    components.extend(splits.iter().map(|splits| info(splits, DType::Int64, &[-1])));
    TensorInfo {
        dtype,
        tensor_shape: Some(shape),
        composite_tensor: Some(CompositeTensor { type_spec: Some(spec), components }),
        ..TensorInfo::default()
    }
}

/// The splits of all dimensions up to the last that varies, fixed ones included, outermost first.
pub(super) fn all_splits(nodes: &mut Nodes, column: &Column, ty: &Type) -> Vec<Out> {
    let one = nodes.scalar(1i64);
    let mut own = column.splits.iter().rev();
    let (mut splits, mut items) = (Vec::new(), Out::default());
    for dim in split(ty).iter().rev() {
        let of_dim = match dim {
            Dim::Var => own.next().cloned().unwrap_or_default(),
            Dim::Fixed(n) => {
                let n = nodes.scalar(i64::from(*n).max(1));
                let above = nodes.ints("FloorDiv", &items, &n);
                let ends = nodes.ints("AddV2", &above, &one);
                let all = nodes.range(&ends);
                nodes.ints("Mul", &all, &n)
            }
        };
        let size = nodes.size(&of_dim, DType::Int64);
        items = nodes.ints("Sub", &size, &one);
        splits.push(of_dim);
    }
    splits.reverse();
    splits
}

/// A column that is fed as its parts, and what a signature says of it.
pub(super) fn fed(
    ty: &Type,
    mut part: impl FnMut(&str, DType, &[i64]) -> Out,
) -> (TensorInfo, Column) {
    let values = part("_values", ty.dtype, &sizes(ty));
    let numbered = split(ty).iter().enumerate();
    let all: Vec<(Dim, Out)> = numbered
        .map(|(number, dim)| (*dim, part(&format!("_splits_{number}"), DType::Int64, &[-1])))
        .collect();
    let splits: Vec<Out> = all.iter().map(|(_, splits)| splits.clone()).collect();
    let info = ragged_info(ty, &values, &splits);
    let own = all.into_iter().filter(|(dim, _)| *dim == Dim::Var).map(|(_, splits)| splits);
    (info, Column { values, splits: own.collect() })
}
