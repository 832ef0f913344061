//! Single rows, as a server has them: values by name in, values by name out, without Arrow.
//!
//! A row is a batch of one: the same kernels, so the same bits.

use std::ops::Deref;

use engine::{Error, ErrorKind, Result};

use crate::tensor::{Strings, Tensor, Values, splits_of};
use crate::transform_graph::TransformGraph;
use crate::types::{DType, Dim, Type};

/// The values of one row for a graph, by the names of its inputs. It can be used again.
#[derive(Clone, Debug)]
pub struct RowInput {
    /// One for each input of the graph, in their order.
    values: Vec<Option<Tensor>>,
}

/// What a graph makes of one row.
#[derive(Clone, Debug)]
pub struct RowOutput<'a> {
    graph: &'a TransformGraph,
    tensors: Vec<Tensor>,
}

macro_rules! from {
    ($($native:ty),*) => {$(
        impl From<&[$native]> for Values {
            fn from(values: &[$native]) -> Self {
                values.to_vec().into()
            }
        }
        impl From<$native> for Values {
            fn from(value: $native) -> Self {
                vec![value].into()
            }
        }
    )*};
}
from!(i64, f32, f64);

impl From<&[u8]> for Values {
    fn from(value: &[u8]) -> Self {
        Values::from(&[value][..])
    }
}
impl From<&str> for Values {
    fn from(value: &str) -> Self {
        Values::from(value.as_bytes())
    }
}
impl From<&[&[u8]]> for Values {
    /// # Panics
    /// When there are more than 2 GiB.
    fn from(values: &[&[u8]]) -> Self {
        values.iter().copied().collect::<Strings>().into()
    }
}
impl From<&[&str]> for Values {
    /// # Panics
    /// When there are more than 2 GiB.
    fn from(values: &[&str]) -> Self {
        values.iter().copied().collect::<Strings>().into()
    }
}
impl From<bool> for Values {
    fn from(value: bool) -> Self {
        vec![u8::from(value)].into()
    }
}

impl RowInput {
    /// Forgets all values.
    pub fn clear(&mut self) {
        self.values.iter_mut().for_each(|value| *value = None);
    }
}

impl TransformGraph {
    /// A row without values.
    pub fn row(&self) -> RowInput {
        RowInput { values: vec![None; self.inputs().len()] }
    }

    /// Sets the values of one feature of a row; false where the graph does not use it.
    ///
    /// # Errors
    /// When they are of another type or number than the graph takes.
    pub fn set(&self, row: &mut RowInput, name: &str, values: impl Into<Values>) -> Result<bool> {
        let Some(input) = self.input_number(name) else { return Ok(false) };
        let ty = &self.inputs()[input].1;
        let values = converted(name, ty, values.into())?;
        let splits = match &ty.shape[..] {
            shape if !shape.contains(&Dim::Var) => Vec::new(),
            [Dim::Var, inner @ ..] if !inner.contains(&Dim::Var) => {
                let each = Type::column(ty.dtype, inner).fixed_len().unwrap_or(1).max(1);
                vec![splits_of([values.len() / each])?]
            }
            _ => {
                return Err(Error::invalid(format!("`{name}` is {ty}: it has lists in lists"))
                    .with_hint("Set it with `set_tensor`."));
            }
        };
        self.put(row, input, Tensor { rows: 1, splits, values })?;
        Ok(true)
    }

    /// Sets one feature of a row, of any shape; false where the graph does not use it.
    ///
    /// # Errors
    /// When the tensor is not of the type that the graph takes.
    pub fn set_tensor(&self, row: &mut RowInput, name: &str, tensor: Tensor) -> Result<bool> {
        let Some(input) = self.input_number(name) else { return Ok(false) };
        self.put(row, input, tensor)?;
        Ok(true)
    }

    fn put(&self, row: &mut RowInput, input: usize, tensor: Tensor) -> Result<()> {
        let (name, ty) = &self.inputs()[input];
        let n = tensor.values.len();
        if let Some(wanted) = ty.fixed_len().filter(|wanted| *wanted != n) {
            return Err(if n == 0 {
                missing(name)
            } else {
                Error::input(format!("`{name}` has {n} values; {wanted} are wanted"))
            });
        }
        if tensor.rows != 1 {
            return Err(Error::invalid(format!("`{name}` has {} rows", tensor.rows))
                .with_hint("A row is one."));
        }
        tensor.check(ty).map_err(|e| {
            Error::input(format!("`{name}` does not fit")).with_detail(format!("{}.", e.message()))
        })?;
        let slot = row.values.get_mut(input).ok_or_else(|| {
            Error::new(ErrorKind::Incompatible, "the row is of another graph")
                .with_hint("Make it with `row()` of this graph.")
        })?;
        *slot = Some(tensor);
        Ok(())
    }

    /// Transforms one row: the same bits as in any batch.
    ///
    /// # Errors
    /// When a feature that every row must have is missing.
    pub fn apply_row(&self, row: &RowInput) -> Result<RowOutput<'_>> {
        let inputs = self.inputs().iter().enumerate().map(|(number, (name, ty))| {
            match row.values.get(number) {
                Some(Some(tensor)) => Ok(tensor.clone()),
                _ if ty.is_dense() => Err(missing(name)),
                _ => Ok(empty(ty)),
            }
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        Ok(RowOutput { graph: self, tensors: self.run(1, inputs)? })
    }
}

fn missing(name: &str) -> Error {
    Error::input(format!("`{name}` is missing; the graph needs it in every row"))
}

/// A row without values.
fn empty(ty: &Type) -> Tensor {
    let mut items = 1;
    let mut splits = Vec::new();
    for dim in &ty.shape {
        match dim {
            Dim::Fixed(n) => items *= *n as usize,
            Dim::Var => {
                splits.push(vec![0; items + 1].into());
                items = 0;
            }
        }
    }
    Tensor { rows: 1, splits, values: Values::empty(ty.dtype) }
}

/// Values as those of the type, as columns are converted.
fn converted(name: &str, ty: &Type, values: Values) -> Result<Values> {
    if values.is(ty.dtype) {
        return Ok(values);
    }
    Ok(match (values, ty.dtype) {
        (Values::Bool(v), DType::Int64) => {
            v.iter().map(|&v| i64::from(v)).collect::<Vec<_>>().into()
        }
        (Values::Bool(v), DType::Float32) => {
            v.iter().map(|&v| f32::from(v)).collect::<Vec<_>>().into()
        }
        (Values::Bool(v), DType::Float64) => {
            v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>().into()
        }
        (Values::Int64(v), DType::Float32) => {
            v.iter().map(|&v| v as f32).collect::<Vec<_>>().into()
        }
        (Values::Int64(v), DType::Float64) => {
            v.iter().map(|&v| v as f64).collect::<Vec<_>>().into()
        }
        (Values::Float32(v), DType::Float64) => {
            v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>().into()
        }
        (Values::Float64(v), DType::Float32) => {
            v.iter().map(|&v| v as f32).collect::<Vec<_>>().into()
        }
        // Nothing is there, so nothing is of the wrong type.
        (values, dtype) if values.is_empty() => {
            drop(values);
            Values::empty(dtype)
        }
        (values, _) => {
            let found = values.dtype();
            return Err(Error::input(format!("`{name}` is {found}; the graph takes {ty}")));
        }
    })
}

impl RowOutput<'_> {
    /// The values of an output.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let number = self.graph.outputs().iter().position(|(output, _)| output == name)?;
        self.tensors.get(number)
    }

    /// All outputs: name, type, values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Type, &Tensor)> {
        let outputs = self.graph.outputs().iter().zip(&self.tensors);
        outputs.map(|((name, ty), tensor)| (&**name, ty, tensor))
    }
}

impl Deref for RowOutput<'_> {
    type Target = [Tensor];
    fn deref(&self) -> &[Tensor] {
        &self.tensors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Builder;
    use crate::op::Args;

    fn graph() -> TransformGraph {
        let inputs = [
            ("x".to_owned(), Type::scalar(DType::Float32)),
            ("xs".to_owned(), Type::var_len(DType::Float64)),
            ("pair".to_owned(), Type::column(DType::Int64, [Dim::Fixed(2)])),
            ("nested".to_owned(), Type::column(DType::Float32, [Dim::Var, Dim::Var])),
        ];
        let mut builder = Builder::new(inputs);
        let outputs = ["x", "xs", "pair", "nested"].map(|name| {
            let value = builder.input(name).unwrap();
            let sum = Args::default().arg(value).arg(value);
            (format!("2{name}"), builder.one("math.add", sum).unwrap())
        });
        TransformGraph::new(builder.finish(outputs.to_vec()).unwrap()).unwrap()
    }

    #[test]
    fn a_row_is_transformed() {
        let graph = graph();
        let mut row = graph.row();
        assert!(graph.set(&mut row, "x", 1.5f32).unwrap());
        assert!(graph.set(&mut row, "xs", &[1i64, i64::MAX][..]).unwrap());
        assert!(graph.set(&mut row, "pair", &[1i64, -1][..]).unwrap());
        assert!(!graph.set(&mut row, "other", 1.5f32).unwrap());
        let out = graph.apply_row(&row).unwrap();
        assert_eq!(out.get("2x").unwrap().floats(), [3.0]);
        assert_eq!(out.get("2xs").unwrap().doubles(), [2.0, i64::MAX as f64 * 2.0]);
        assert_eq!(out.get("2pair").unwrap().ints(), [2, -2]);
        assert_eq!(out.get("2nested").unwrap().values.len(), 0);
        assert!(out.get("x").is_none());
        assert_eq!(out.iter().count(), 4);
        let nested = Tensor {
            rows: 1,
            splits: vec![vec![0, 2].into(), vec![0, 1, 1].into()],
            values: 4f32.into(),
        };
        graph.set_tensor(&mut row, "nested", nested).unwrap();
        assert_eq!(graph.apply_row(&row).unwrap()[3].floats(), [8.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let graph = graph();
        let mut row = graph.row();
        let check = |row: &RowInput, expected: &str| {
            assert_eq!(graph.apply_row(row).unwrap_err().message(), expected);
        };
        check(&row, "`x` is missing; the graph needs it in every row");
        let mut refuse = |name: &str, values: Values, expected: &str| {
            let error = graph.set(&mut row, name, values).unwrap_err();
            assert_eq!(error.message(), expected);
        };
        refuse("x", Values::from("a"), "`x` is string; the graph takes float32");
        refuse("pair", 1i64.into(), "`pair` has 1 values; 2 are wanted");
        refuse("pair", 1f32.into(), "`pair` is float32; the graph takes int64[2]");
        refuse("x", Vec::<f32>::new().into(), "`x` is missing; the graph needs it in every row");
        refuse("nested", 1f32.into(), "`nested` is float32[var, var]: it has lists in lists");
    }
}
