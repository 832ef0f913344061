//! What operations on single values share: how shapes go together, and the loops.
//!
//! Two operands have one structure, or one of them is a single value for each row (or a constant)
//! that meets every value of the row, whether its shape is `[]` or `[1]`. Nothing else is broadcast, so no result is larger than its
//! operands, and no two rows ever meet.

use std::borrow::Cow;

use engine::Result;

use crate::op::Call;
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Dim, Type};

/// A native type of values.
pub trait Native: Copy + Send + Sync + 'static {
    /// The values of a tensor of this type.
    fn of(tensor: &Tensor) -> &[Self];
    /// As the values of a tensor.
    fn values(values: Vec<Self>) -> Values;
}

macro_rules! native {
    ($($native:ty, $read:ident;)*) => {$(
        impl Native for $native {
            fn of(tensor: &Tensor) -> &[Self] {
                tensor.$read()
            }
            fn values(values: Vec<Self>) -> Values {
                values.into()
            }
        }
    )*};
}
native!(u8, bools; i64, ints; f32, floats; f64, doubles;);

/// Calls a generic function with the native type of a dtype: numbers alone.
///
/// `dispatch!(dtype, T => kernel::<T>())`; evaluates to `None` for other types.
#[macro_export]
macro_rules! dispatch {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::types::DType::Int64 => {
                type $t = i64;
                Some($body)
            }
            $crate::types::DType::Float32 => {
                type $t = f32;
                Some($body)
            }
            $crate::types::DType::Float64 => {
                type $t = f64;
                Some($body)
            }
            _ => None,
        }
    };
}

/// How an operand meets the values of the result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Side {
    /// One value for each of the result's.
    Full,
    /// One value for all.
    One,
    /// One instance for every row.
    Cycle,
    /// One value for each row.
    PerRow,
}

/// How the operands of a call go together.
#[derive(Clone, Debug)]
pub struct Broadcast {
    sides: Vec<Side>,
    /// The operand that has the result's structure.
    leader: usize,
    leader_constant: bool,
    shape: Vec<Dim>,
}

/// The type that the operands of these parameters have together, with the dtype of the first.
///
/// # Errors
/// When shapes do not go together, or two columns with varying dimensions are not of one structure.
pub fn together(call: &Call<'_>, params: &[&str]) -> Result<(Type, Broadcast)> {
    let mut operands = Vec::new();
    for param in params {
        let position = call.position(param);
        let position = position.ok_or_else(|| call.wrong(format!("`{param}` is missing")))?;
        operands.push((*param, position, &call.types[position]));
    }
    of_operands(call, &operands)
}

/// The same of the values of one parameter.
///
/// # Errors
/// As [`together`], and without values.
pub fn together_all(call: &Call<'_>, param: &str) -> Result<(Type, Broadcast)> {
    let first = call.position(param);
    let first = first.ok_or_else(|| call.wrong(format!("`{param}` is empty")))?;
    let n = call.values(param).len();
    let operands: Vec<_> = (first..first + n).map(|i| (param, i, &call.types[i])).collect();
    of_operands(call, &operands)
}

fn of_operands(call: &Call<'_>, operands: &[(&str, usize, &Type)]) -> Result<(Type, Broadcast)> {
    // The result has the shape of the operand with the most dimensions; of several, a column's.
    let leader = (0..operands.len())
        .max_by_key(|&i| {
            let ty = operands[i].2;
            (ty.shape.len(), !is_single(ty), !ty.constant, usize::MAX - i)
        })
        .unwrap_or(0);
    let (lead_param, lead_position, lead) = operands[leader];
    let constant = operands.iter().all(|(_, _, ty)| ty.constant);
    if lead.constant && !constant && lead.n_var() > 0 {
        return Err(call
            .wrong(format!("`{lead_param}` is {lead}, as long as the data make it, for all rows"))
            .with_hint("`tft.value_at_index` takes one of its values for each row."));
    }
    let mut sides = Vec::new();
    for (i, (param, position, ty)) in operands.iter().enumerate() {
        sides.push(if i == leader && (!ty.constant || constant) {
            Side::Full
        } else if is_single(ty) {
            match (ty.constant, is_single(lead)) {
                (true, _) => Side::One,
                (false, true) => Side::Full,
                (false, false) => Side::PerRow,
            }
        } else if ty.shape != lead.shape {
            return Err(call.wrong(format!(
                "shapes do not go together: `{param}` is {ty}, `{lead_param}` is {lead}"
            )));
        } else if lead.n_var() > 0 && call.structures[*position] != call.structures[lead_position] {
            return Err(call
                .wrong(format!(
                    "`{param}` and `{lead_param}` may have different numbers of values in a row"
                ))
                .with_hint(
                    "Make one as long as the other with `tft.align_lists`, make both dense with \
                     `tft.sparse_tensor_to_dense_with_shape`, or derive both from one column.",
                ));
        } else if ty.constant && !constant {
            Side::Cycle
        } else {
            Side::Full
        });
    }
    // A constant instance can be larger than every column: then rows of it are what comes out.
    let ty = Type { dtype: operands[0].2.dtype, shape: lead.shape.clone(), constant };
    let broadcast = Broadcast {
        sides,
        leader,
        leader_constant: lead.constant && !constant,
        shape: lead.shape.clone(),
    };
    Ok((ty, broadcast))
}

/// Whether it is one value for each row, in dimensions of 1 or none.
fn is_single(ty: &Type) -> bool {
    ty.shape.iter().all(|dim| *dim == Dim::Fixed(1))
}

impl Broadcast {
    /// How each operand meets the values of the result.
    pub(crate) fn sides(&self) -> &[Side] {
        &self.sides
    }

    /// Which operand has the result's structure.
    pub(crate) fn leader(&self) -> usize {
        self.leader
    }

    /// How many values the result has.
    pub fn n_values(&self, rows: usize, operands: &[&Tensor]) -> usize {
        let leader = operands[self.leader];
        if self.leader_constant { rows * leader.values.len() } else { leader.values.len() }
    }

    /// A result of these values in the structure of the leading operand.
    pub fn result(&self, rows: usize, operands: &[&Tensor], values: impl Into<Values>) -> Tensor {
        let leader = operands[self.leader];
        if self.leader_constant { Tensor::dense(rows, values) } else { leader.with_values(values) }
    }

    /// One value of an operand for each value of the result.
    pub fn expand<'a, T: Native>(
        &self,
        operand: usize,
        rows: usize,
        operands: &[&'a Tensor],
    ) -> Cow<'a, [T]> {
        let values = T::of(operands[operand]);
        let leader = operands[self.leader];
        let n = self.n_values(rows, operands);
        match self.sides[operand] {
            Side::Full if values.len() == n => Cow::Borrowed(values),
            Side::One => Cow::Owned(vec![values[0]; n]),
            Side::Full | Side::Cycle => {
                Cow::Owned(values.iter().copied().cycle().take(n).collect())
            }
            Side::PerRow if self.leader_constant => {
                let each = leader.values.len();
                Cow::Owned(values.iter().flat_map(|&v| std::iter::repeat_n(v, each)).collect())
            }
            Side::PerRow => {
                let ends = leader.row_ends(&self.shape);
                let mut all = Vec::with_capacity(n);
                for (row, &value) in values.iter().enumerate() {
                    all.resize(ends.start(row + 1), value);
                }
                Cow::Owned(all)
            }
        }
    }

    /// Which value of an operand meets each value of the result, for operands that are not numbers.
    pub fn indices(&self, operand: usize, rows: usize, operands: &[&Tensor]) -> Indices {
        let n_own = operands[operand].values.len();
        let leader = operands[self.leader];
        let n = self.n_values(rows, operands);
        match self.sides[operand] {
            Side::Full if n_own == n => Indices::Same,
            Side::One => Indices::One,
            Side::Full | Side::Cycle => Indices::Each((0..n).map(|i| (i % n_own) as u32).collect()),
            Side::PerRow if self.leader_constant => {
                let each = leader.values.len().max(1);
                Indices::Each((0..n).map(|i| (i / each) as u32).collect())
            }
            Side::PerRow => {
                let ends = leader.row_ends(&self.shape);
                let mut all = Vec::with_capacity(n);
                for row in 0..rows {
                    all.resize(ends.start(row + 1), row as u32);
                }
                Indices::Each(all)
            }
        }
    }

    /// Computes a result of two operands, value by value.
    #[inline]
    pub fn zip<A: Native, B: Native, C: Native>(
        &self,
        rows: usize,
        operands: &[&Tensor],
        f: impl Fn(A, B) -> C,
    ) -> Tensor {
        let values: Vec<C> = match (&self.sides[0], &self.sides[1]) {
            (Side::Full, Side::One) if !self.leader_constant => {
                let b = B::of(operands[1])[0];
                A::of(operands[0]).iter().map(|&a| f(a, b)).collect()
            }
            (Side::One, Side::Full) if !self.leader_constant => {
                let a = A::of(operands[0])[0];
                B::of(operands[1]).iter().map(|&b| f(a, b)).collect()
            }
            _ => {
                let a = self.expand::<A>(0, rows, operands);
                let b = self.expand::<B>(1, rows, operands);
                a.iter().zip(b.iter()).map(|(&a, &b)| f(a, b)).collect()
            }
        };
        self.result(rows, operands, C::values(values))
    }
}

/// Which value of an operand meets each value of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Indices {
    /// The one of the same number.
    Same,
    /// The first one.
    One,
    /// These.
    Each(Vec<u32>),
}

impl Indices {
    /// The position in the operand for value `i` of the result.
    #[inline]
    pub fn at(&self, i: usize) -> usize {
        match self {
            Indices::Same => i,
            Indices::One => 0,
            Indices::Each(indices) => indices[i] as usize,
        }
    }
}

/// Computes a value for each value.
#[inline]
pub fn map<A: Native, B: Native>(tensor: &Tensor, f: impl Fn(A) -> B) -> Tensor {
    tensor.with_values(B::values(A::of(tensor).iter().map(|&value| f(value)).collect()))
}

/// The type of an argument that must be a number.
///
/// # Errors
/// When it is none.
pub fn number<'a>(call: &Call<'a>, param: &str) -> Result<&'a Type> {
    let ty = call.ty(param)?;
    if ty.dtype.is_number() { Ok(ty) } else { Err(call.wrong_type(param, "a number")) }
}

/// The type of an argument that must be of this dtype.
///
/// # Errors
/// When it is of another.
pub fn of_dtype<'a>(call: &Call<'a>, param: &str, dtype: DType) -> Result<&'a Type> {
    let ty = call.ty(param)?;
    if ty.dtype == dtype { Ok(ty) } else { Err(call.wrong_type(param, dtype.name())) }
}
