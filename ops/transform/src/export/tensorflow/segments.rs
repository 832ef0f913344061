//! Groups of values as TensorFlow's segments: for the operations that make one value of many.
//!
//! `UnsortedSegment…` folds the values of a segment one after the other, as our kernels do, so sums of
//! floats are the same.

use engine::Result;

use super::nodes::{Column, Nodes, Out, of_type, sizes};
use super::proto::{Attr, DataType};
use crate::op::{Call, Kind};
use crate::ops::Groups;
use crate::tensor::Values;
use crate::types::{DType, Dim, Type};

/// The groups that values are in.
pub struct Segments {
    /// All values, in one dimension.
    pub values: Out,
    /// Their type.
    pub dtype: DType,
    /// For each value its group.
    pub ids: Out,
    /// How many groups there are.
    pub n: Out,
    /// For each value its place in the group.
    pub places: Out,
}

/// The type of the only result of a call.
///
/// # Errors
/// When the arguments do not fit, which tracing has ruled out.
pub fn result_type(call: &Call<'_>) -> Result<Type> {
    match &call.op.kind {
        Kind::Map { types, .. } => Ok(types(call)?.swap_remove(0)),
        _ => Err(call.wrong("no function of rows")),
    }
}

impl Segments {
    /// The groups along the parameter `axis` of `x`.
    ///
    /// # Errors
    /// When there is no such axis, which tracing has ruled out.
    pub fn new(nodes: &mut Nodes, call: &Call<'_>, column: &Column) -> Result<Self> {
        let x = call.ty("x")?;
        let groups = Groups::new(call)?.1;
        Ok(Self::of(nodes, &groups, column, x))
    }

    /// All values of each row.
    pub fn of_rows(nodes: &mut Nodes, column: &Column, ty: &Type) -> Self {
        Self::of(nodes, &Groups::Row(ty.shape.clone()), column, ty)
    }

    /// Along one fixed dimension: `n` items, `step` values apart.
    pub fn along(nodes: &mut Nodes, n: usize, step: usize, column: &Column, ty: &Type) -> Self {
        Self::of(nodes, &Groups::Fixed { n, step }, column, ty)
    }

    fn of(nodes: &mut Nodes, groups: &Groups, column: &Column, ty: &Type) -> Self {
        let dtype = ty.dtype;
        let values = nodes.reshape(&column.values, dtype, &[-1]);
        let size = nodes.size(&values, dtype);
        let all = nodes.range(&size);
        let (ids, n, places) = match groups {
            Groups::Row(_) if ty.n_var() == 0 => {
                let each = nodes.scalar(ty.fixed_len().unwrap_or(1).max(1) as i64);
                let ids = nodes.ints("FloorDiv", &all, &each);
                let n = if ty.constant { nodes.scalar(1i64) } else { nodes.rows(column, ty) };
                let places = nodes.ints("FloorMod", &all, &each);
                (ids, n, places)
            }
            Groups::Row(_) => {
                let items = nodes.row_ids(column, ty);
                let each: i64 = sizes(ty)[1..].iter().product();
                let each = nodes.scalar(each.max(1));
                let item = nodes.ints("FloorDiv", &all, &each);
                let ids = nodes.gather(&items, DType::Int64, &item);
                let n = nodes.rows(column, ty);
                // Rows ascend, so a row begins where the first value that is not before it is.
                let begins = nodes.bound("LowerBound", &ids, &ids, DType::Int64);
                let places = nodes.ints("Sub", &all, &begins);
                (ids, n, places)
            }
            Groups::Fixed { n, step } => {
                let step = nodes.scalar(*step as i64);
                let each = nodes.scalar(*n as i64);
                let block = nodes.ints("Mul", &each, &step);
                let blocks = nodes.ints("FloorDiv", &all, &block);
                let first = nodes.ints("Mul", &blocks, &step);
                let within = nodes.ints("FloorMod", &all, &step);
                let ids = nodes.ints("AddV2", &first, &within);
                let n = nodes.ints("FloorDiv", &size, &each);
                let places = nodes.ints("FloorDiv", &all, &step);
                let places = nodes.ints("FloorMod", &places, &each);
                (ids, n, places)
            }
            Groups::Lists => {
                let splits = column.splits.last().cloned().unwrap_or_default();
                let ids = nodes.items(&splits, &all);
                let one = nodes.scalar(1i64);
                let n = nodes.size(&splits, DType::Int64);
                let n = nodes.ints("Sub", &n, &one);
                let begins = nodes.gather(&splits, DType::Int64, &ids);
                let places = nodes.ints("Sub", &all, &begins);
                (ids, n, places)
            }
        };
        Segments { values, dtype, ids, n, places }
    }

    /// One value of each group: `Sum`, `Prod`, `Min` or `Max`.
    pub fn fold(&self, nodes: &mut Nodes, what: &str, values: &Out, dtype: DType) -> Out {
        let attrs = [
            ("T", of_type(dtype)),
            ("Tindices", of_type(DType::Int64)),
            ("Tnumsegments", of_type(DType::Int64)),
        ];
        nodes.node(&format!("UnsortedSegment{what}"), &[values, &self.ids, &self.n], attrs)
    }

    /// How many values each group has, int64.
    pub fn counts(&self, nodes: &mut Nodes) -> Out {
        let ones = nodes.like(&self.values, self.dtype, DType::Int64, 1.0);
        self.fold(nodes, "Sum", &ones, DType::Int64)
    }

    /// Whether any or, by `Min`, all of these booleans of a group are true; `Min` of none is true.
    pub fn any(&self, nodes: &mut Nodes, what: &str, values: &Out) -> Out {
        let numbers = nodes.cast(values, DType::Bool, DType::Int64);
        let found = self.fold(nodes, what, &numbers, DType::Int64);
        let zero = nodes.scalar(0i64);
        nodes.typed("Greater", DType::Int64, &[&found, &zero])
    }

    /// The value of its group for each value.
    pub fn spread(&self, nodes: &mut Nodes, values: &Out, dtype: DType) -> Out {
        nodes.gather(values, dtype, &self.ids)
    }

    /// Values of groups as the result of the call.
    ///
    /// # Errors
    /// As [`result_type`].
    pub fn result(
        &self,
        nodes: &mut Nodes,
        call: &Call<'_>,
        column: &Column,
        values: &Out,
    ) -> Result<Vec<Column>> {
        let ty = result_type(call)?;
        let values = nodes.reshape(values, ty.dtype, &sizes(&ty));
        let splits = column.splits[..ty.n_var().min(column.splits.len())].to_vec();
        Ok(vec![Column { values, splits }])
    }
}

impl Nodes {
    /// One number in the shape of a tensor.
    pub fn like(&mut self, x: &Out, dtype: DType, to: DType, value: f64) -> Out {
        let value = match to {
            DType::Bool => self.scalar(u8::from(value != 0.0)),
            _ => self.number(to, value),
        };
        self.fill(x, dtype, &value, to)
    }

    /// One value in the shape of a tensor.
    pub fn fill(&mut self, x: &Out, dtype: DType, value: &Out, to: DType) -> Out {
        let attrs = [("T", of_type(dtype)), ("out_type", of_type(DType::Int64))];
        let shape = self.node("Shape", &[x], attrs);
        let attrs = [("T", of_type(to)), ("index_type", of_type(DType::Int64))];
        self.node("Fill", &[&shape, value], attrs)
    }

    /// `x` where the condition holds, else `y`.
    pub fn select(&mut self, condition: &Out, x: &Out, y: &Out, dtype: DType) -> Out {
        self.typed("SelectV2", dtype, &[condition, x, y])
    }

    /// Tensors one behind the other, in an existing dimension.
    pub fn concat(&mut self, parts: &[&Out], dtype: DType, axis: i32) -> Out {
        let axis = self.int32(axis);
        let mut inputs = parts.to_vec();
        inputs.push(&axis);
        let n = parts.len() as i64;
        let attrs = [("N", Attr::I(n)), ("T", of_type(dtype)), ("Tidx", of_type(DataType::Int32))];
        if let [part] = parts {
            return (*part).clone();
        }
        self.node("ConcatV2", &inputs, attrs)
    }

    /// All values of a column as one list for each row, with its splits.
    pub fn flat(&mut self, column: &Column, ty: &Type) -> (Out, Out) {
        let groups = Segments::of_rows(self, column, ty);
        let lengths = groups.counts(self);
        (groups.values, self.splits(&lengths))
    }

    /// Splits of lists of these lengths.
    pub fn splits(&mut self, lengths: &Out) -> Out {
        let axis = self.int32(0);
        let attrs = [("T", of_type(DType::Int64)), ("Tidx", of_type(DataType::Int32))];
        let ends = self.node("Cumsum", &[lengths, &axis], attrs);
        let zero = self.list(vec![0i64]);
        self.concat(&[&zero, &ends], DType::Int64, 0)
    }

    /// For each value how many of the `n` boundaries beside it are not above it, NaN being above all of
    /// them. TensorFlow's optimizer takes `not x < y` for `x >= y`, which NaN is not: those below are counted.
    pub fn not_below(&mut self, x: &Out, boundaries: &Out, dtype: DType, axis: i32, n: i64) -> Out {
        let below = self.typed("Less", dtype, &[x, boundaries]);
        let ones = self.cast(&below, DType::Bool, DType::Int64);
        let axis = self.int32s(&[axis]);
        let attrs = [("T", of_type(DType::Int64)), ("Tidx", of_type(DataType::Int32))];
        let below = self.node("Sum", &[&ones, &axis], attrs);
        let n = self.scalar(n);
        self.ints("Sub", &n, &below)
    }

    /// The opposite of booleans; see [`Nodes::not_below`] for what is wrong with `LogicalNot`.
    pub fn opposite(&mut self, x: &Out) -> Out {
        let [no, yes] = [0u8, 1].map(|value| self.scalar(value));
        self.select(x, &no, &yes, DType::Bool)
    }

    /// Whether floats are NaN; other values are there.
    pub fn missing(&mut self, x: &Out, dtype: DType) -> Out {
        if dtype.is_float() {
            self.typed("IsNan", dtype, &[x])
        } else {
            self.like(x, dtype, DType::Bool, 0.0)
        }
    }

    /// Whether int64 values are from the first of two others up to below the second.
    pub fn within(&mut self, x: &Out, from: &Out, below: &Out) -> Out {
        let from = self.typed("GreaterEqual", DType::Int64, &[x, from]);
        let below = self.typed("Less", DType::Int64, &[x, below]);
        self.node("LogicalAnd", &[&from, &below], [])
    }

    /// The values at places of a constant list; 0, or '', at a place that is not in it.
    pub fn at(&mut self, list: &Values, places: &Out) -> Out {
        let (dtype, int) = (list.dtype(), DType::Int64);
        let n = list.len() as i64;
        let list = self.constant(list, &[n]);
        let none = match dtype {
            DType::String => self.constant(&crate::Strings::from_iter([""]).into(), &[1]),
            _ => {
                let zero = self.number(dtype, 0.0);
                self.reshape(&zero, dtype, &[1])
            }
        };
        let list = self.concat(&[&list, &none], dtype, 0);
        let (zero, n) = (self.scalar(0i64), self.scalar(n));
        let there = self.within(places, &zero, &n);
        let places = self.select(&there, places, &n, int);
        self.gather(&list, dtype, &places)
    }

    /// The values for which a condition holds, both of one dimension.
    pub fn kept(&mut self, values: &Out, dtype: DType, condition: &Out) -> Out {
        let at = self.node("Where", &[condition], [("T", of_type(DType::Bool))]);
        let at = self.reshape(&at, DType::Int64, &[-1]);
        self.gather(values, dtype, &at)
    }
}

/// Integers divided by `op`, which stops or traps where ours gives 0 and wraps: x / 0 is 0, x / -1 is −x and
/// leaves nothing.
pub fn divided(nodes: &mut Nodes, op: &str, x: &Out, y: &Out) -> Out {
    let (zero, one, minus) = (nodes.scalar(0i64), nodes.scalar(1i64), nodes.scalar(-1i64));
    let is_zero = nodes.typed("Equal", DType::Int64, &[y, &zero]);
    let is_minus = nodes.typed("Equal", DType::Int64, &[y, &minus]);
    let odd = nodes.node("LogicalOr", &[&is_zero, &is_minus], []);
    let safe = nodes.select(&odd, &one, y, DType::Int64);
    let found = nodes.ints(op, x, &safe);
    let of_minus =
        if op.ends_with("Div") { nodes.typed("Neg", DType::Int64, &[x]) } else { zero.clone() };
    let found = nodes.select(&is_minus, &of_minus, &found, DType::Int64);
    nodes.select(&is_zero, &zero, &found, DType::Int64)
}

/// Fixed sizes of a shape.
pub fn fixed(shape: &[Dim]) -> Vec<i64> {
    shape
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => i64::from(*n),
            Dim::Var => -1,
        })
        .collect()
}
