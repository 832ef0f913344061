//! Transformed rows as the columns of tf.Examples: flat lists, by the conventions of
//! TensorFlow Transform (see `ops/transform/FORMAT.md`).

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Field;
use engine::{Batch, DoFn, Emit, Error, ErrorKind, Result};

use crate::arrow::leaf_array;
use crate::artifact::RaggedNames;
use crate::tensor::{Tensor, Values, splits_of};
use crate::transform_graph::{TransformGraph, Transformed, emit_transformed};
use crate::types::{Dim, Type};

/// Transforms the batches of a pipeline into columns of tf.Examples.
pub struct ApplyToExamples(pub Arc<TransformGraph>);

impl DoFn for ApplyToExamples {
    type Input = Batch;
    type Output = Batch;

    fn name(&self) -> &'static str {
        "transform to examples"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Batch>) -> Result<()> {
        emit_transformed(batch, self.0.apply_to_examples(&batch.records)?, out);
        Ok(())
    }
}

impl TransformGraph {
    /// Transforms a batch of rows into columns of tf.Examples.
    ///
    /// # Errors
    /// As [`TransformGraph::apply`].
    pub fn apply_to_examples(&self, batch: &RecordBatch) -> Result<Transformed> {
        self.transformed(batch, |tensors| {
            let mut columns = Vec::new();
            for (tensor, (name, ty)) in tensors.iter().zip(self.outputs()) {
                example_columns(name, tensor, ty, &mut columns)?;
            }
            RecordBatch::try_from_iter(columns).map_err(|e| {
                Error::new(ErrorKind::Incompatible, "the results are no examples")
                    .with_detail(format!("{e}."))
            })
        })
    }
}

/// The features of a tf.Example that a column becomes.
fn example_columns(
    name: &str,
    tensor: &Tensor,
    ty: &Type,
    columns: &mut Vec<(String, ArrayRef)>,
) -> Result<()> {
    let leaf = match &tensor.values {
        // What tf.Example has no type for.
        Values::Int64(values) => Arc::new(Int64Array::new(values.clone(), None)),
        values => leaf_array(values, ty.dtype),
    };
    debug_assert!(!ty.dtype.is_asset());
    if ty.is_scalar() {
        columns.push((name.to_owned(), leaf));
        return Ok(());
    }
    let names = RaggedNames::of(name, ty);
    // Where the items of each row begin, dimension by dimension.
    let mut starts: Vec<usize> = (0..=tensor.rows).collect();
    let mut splits = tensor.splits.iter();
    for (depth, dim) in ty.shape.iter().enumerate() {
        match dim {
            Dim::Fixed(n) => starts.iter_mut().for_each(|start| *start *= *n as usize),
            Dim::Var => {
                let splits = splits.next().expect("a tensor has splits for each `Var`");
                let lengths = names
                    .as_ref()
                    .and_then(|names| names.row_lengths.get(depth.checked_sub(1)?)?.clone());
                if let Some(name) = lengths {
                    let lengths = splits.windows(2).map(|pair| i64::from(pair[1] - pair[0]));
                    let lengths: Int64Array = lengths.collect::<Vec<_>>().into();
                    columns.push((name, list(&starts, Arc::new(lengths))?));
                }
                starts.iter_mut().for_each(|start| *start = splits[*start] as usize);
            }
        }
    }
    let name = names.map_or_else(|| name.to_owned(), |names| names.values);
    columns.push((name, list(&starts, leaf)?));
    Ok(())
}

fn list(starts: &[usize], values: ArrayRef) -> Result<ArrayRef> {
    let ends = splits_of(starts.windows(2).map(|pair| pair[1] - pair[0]))?;
    let field = Arc::new(Field::new("item", values.data_type().clone(), false));
    let list = ListArray::try_new(field, OffsetBuffer::new(ends), values, None);
    Ok(Arc::new(list.map_err(|e| {
        Error::new(ErrorKind::Unsupported, "the results are no lists").with_detail(format!("{e}."))
    })?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Strings;
    use crate::types::DType;

    #[test]
    fn every_shape_becomes_flat_lists() {
        let check = |tensor: &Tensor, ty: &Type, expected: &str| {
            let mut columns = Vec::new();
            example_columns("x", tensor, ty, &mut columns).unwrap();
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let shown: Vec<String> = (0..batch.num_columns())
                .map(|i| {
                    let column = batch.column(i);
                    let lists = column.as_any().downcast_ref::<ListArray>();
                    let ends = lists.map(|lists| lists.offsets().to_vec());
                    let values = lists.map_or(column.len(), |lists| lists.values().len());
                    format!("{} {ends:?} {values}", batch.schema().field(i).name())
                })
                .collect();
            assert_eq!(shown.join("; "), expected);
        };
        let scalar = Type::scalar(DType::Timestamp);
        check(&Tensor::dense(2, vec![1i64, 2]), &scalar, "x None 2");
        let pairs = Type::column(DType::Bool, [Dim::Fixed(2)]);
        check(&Tensor::dense(2, vec![1u8, 0, 1, 0]), &pairs, "x Some([0, 2, 4]) 4");
        let items = Type::column(DType::Int64, [Dim::Var, Dim::Fixed(2)]);
        let tensor =
            Tensor { rows: 2, splits: vec![vec![0, 1, 1].into()], values: vec![1i64, 2].into() };
        check(&tensor, &items, "x Some([0, 2, 2]) 2");
        let nested = Type::column(DType::String, [Dim::Var, Dim::Var]);
        let tensor = Tensor {
            rows: 2,
            splits: vec![vec![0, 2, 3].into(), vec![0, 1, 1, 3].into()],
            values: Strings::from_iter(["a", "b", "c"]).into(),
        };
        let expected = "x$row_lengths_1 Some([0, 2, 3]) 3; x$ragged_values Some([0, 1, 3]) 3";
        check(&tensor, &nested, expected);
    }
}
