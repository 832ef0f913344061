//! Axes as TensorFlow counts them: 0 are the rows, 1 is the first dimension of a row.

use engine::Result;

use crate::op::Call;
use crate::tensor::Tensor;
use crate::types::{Dim, Type};

/// Which of `rank` dimensions of a row an axis means. Those of a constant are counted from 0.
///
/// # Errors
/// For the axis of the rows, and for one that is not there.
pub(super) fn dimension(call: &Call<'_>, ty: &Type, axis: i64, rank: usize) -> Result<usize> {
    let first = i64::from(!ty.constant);
    let rank = rank as i64;
    let position = if axis < 0 { rank + axis } else { axis - first };
    if !ty.constant && (axis == 0 || position == -1) {
        return Err(call
            .wrong(format!("`axis` is {axis}, the rows of the batch"))
            .with_hint("A row's result depends on that row alone: use an axis from 1, or -1."));
    }
    if !(0..rank).contains(&position) {
        return Err(call.wrong(format!("there is no axis {axis} in {ty}")));
    }
    Ok(position as usize)
}

/// Values that are made one: those of a row, or of one dimension of it.
#[derive(Clone, Debug)]
pub(crate) enum Groups {
    /// All values of a row.
    Row(Vec<Dim>),
    /// Along one dimension of a fixed shape: as many items, so far apart, in blocks so long.
    Fixed { n: usize, step: usize },
    /// The lists of the last dimension.
    Lists,
}

impl Groups {
    /// The groups along the parameter `axis` of `x`, and the shape of what becomes of them.
    ///
    /// # Errors
    /// As [`dimension`], and where lists are not those of the last dimension.
    pub(crate) fn new(call: &Call<'_>) -> Result<(Vec<Dim>, Groups)> {
        let x = call.ty("x")?;
        let rank = x.shape.len();
        let Some(axis) = call.opt_int("axis") else {
            return Ok((Vec::new(), Groups::Row(x.shape.clone())));
        };
        let dim = dimension(call, x, axis, rank)?;
        let mut shape = x.shape.clone();
        let dropped = shape.remove(dim);
        if rank == 1 {
            return Ok((shape, Groups::Row(x.shape.clone())));
        }
        let fixed = |dims: &[Dim]| Type::column(x.dtype, dims).fixed_len();
        match (dropped, fixed(&x.shape[dim + 1..])) {
            (Dim::Fixed(0), _) => Err(call.wrong(format!("axis {axis} of {x} has no values"))),
            (Dim::Fixed(n), Some(step)) => Ok((shape, Groups::Fixed { n: n as usize, step })),
            (Dim::Var, _) if dim + 1 == rank => Ok((shape, Groups::Lists)),
            _ => Err(call
                .wrong(format!("axis {axis} of {x} holds lists of differing lengths"))
                .with_hint("Use `axis=-1`, or no axis for all values of a row.")),
        }
    }

    /// The distance between two values of a group.
    pub(super) fn step(&self) -> usize {
        if let Groups::Fixed { step, .. } = self { *step } else { 1 }
    }

    /// Calls `f` with the first value and the length of each group.
    pub(super) fn for_each(&self, tensor: &Tensor, mut f: impl FnMut(usize, usize)) {
        match self {
            Groups::Row(shape) => {
                let ends = tensor.row_ends(shape);
                for row in 0..tensor.rows {
                    let range = ends.range(row);
                    f(range.start, range.len());
                }
            }
            Groups::Fixed { n, step } => {
                let block = n * step;
                let blocks = tensor.values.len().checked_div(block).unwrap_or(0);
                for first in (0..blocks).map(|i| i * block) {
                    (first..first + step).for_each(|start| f(start, *n));
                }
            }
            Groups::Lists => {
                for pair in tensor.splits.last().map_or(&[0][..], |splits| splits).windows(2) {
                    f(pair[0] as usize, (pair[1] - pair[0]) as usize);
                }
            }
        }
    }

    /// What was made of the groups, as a tensor.
    pub(super) fn result(
        &self,
        tensor: &Tensor,
        values: impl Into<crate::tensor::Values>,
    ) -> Tensor {
        let splits = match self {
            Groups::Row(_) => Vec::new(),
            Groups::Fixed { .. } => tensor.splits.clone(),
            Groups::Lists => tensor.splits[..tensor.splits.len() - 1].to_vec(),
        };
        Tensor { rows: tensor.rows, splits, values: values.into() }
    }
}
