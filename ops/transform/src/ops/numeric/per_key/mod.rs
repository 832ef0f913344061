//! Statistics of a column for each key of another, and what they make of the column.
//!
//! ```text
//!   x, key ──analyzer──► keys, ascending ──► tft.key_index(key, keys): place or -1
//!                   └──► values by place ──► tft.value_at_index(values, index)
//! ```

use engine::{Error, ErrorKind, Result};
use serde_bytes::ByteBuf;

use self::key_file::{KEY_VOCABULARY_FILENAME, KeyFile};
use super::floats;
use crate::analyzer::Columns;
use crate::graph::Builder;
use crate::op::{Args, Bound, Call, Default, Param, Ref, Takes};
use crate::ops::elementwise::{Broadcast, number, together};
use crate::tensor::{StringsBuilder, Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

pub(in crate::ops) mod counts;
pub(in crate::ops) mod key_file;
pub(in crate::ops) mod key_index;
pub(in crate::ops) mod mean_and_var;
pub(in crate::ops) mod min_and_max;
pub(in crate::ops) mod quantiles;
pub(in crate::ops) mod target_encode;

/// The column of keys.
pub(super) const KEY: Param = Param {
    name: "key",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "a column of strings or integers: one key for each row, or for each value of `x`",
};

/// `x` and `key` of a mapper; lists of keys are made as long as those of `x`, with '' or 0 for a key
/// that is missing.
///
/// # Errors
/// When either is no value.
pub(super) fn x_and_key(builder: &mut Builder, call: &Bound) -> Result<(Ref, Ref)> {
    let (x, key) = (call.value("x")?, call.value("key")?);
    let lists = [x, key].iter().all(|value| builder.ty(*value).shape == [Dim::Var]);
    if !lists || builder.graph().structure(x) == builder.graph().structure(key) {
        return Ok((x, key));
    }
    Ok((x, builder.one("tft.align_lists", Args::default().arg(key).arg(x))?))
}

/// Whether positions of vectors are scaled by themselves.
pub(super) const ELEMENTWISE: Param = Param {
    name: "elementwise",
    takes: Takes::Bool,
    default: Default::Bool(false),
    doc: "each position of a vector by itself",
};

/// A mapper of `x` and `key` at each position of vectors, if that is asked for: as many calls as there
/// are positions, their results side by side.
///
/// # Errors
/// When rows are no vectors.
pub(super) fn by_position(
    builder: &mut Builder,
    call: &Bound,
    keep: &[&str],
) -> Result<Option<Vec<Ref>>> {
    let (x, key) = x_and_key(builder, call)?;
    let n = match builder.ty(x).shape[..] {
        _ if !call.is("elementwise") => return Ok(None),
        [] => return Ok(None),
        [Dim::Fixed(n)] => n,
        _ => return Err(call.wrong("`elementwise=True` is for vectors of one length")),
    };
    let has_file = call.op.params.iter().any(|param| param.name == KEY_VOCABULARY_FILENAME.name);
    if has_file && call.opt_str(KEY_VOCABULARY_FILENAME.name).is_some() {
        return Err(call
            .wrong("each position of `elementwise=True` has keys of its own, for one file")
            .with_hint("Leave `key_vocabulary_filename` out."));
    }
    let single = builder.ty(key).is_scalar();
    let mut results = Vec::new();
    for i in 0..i64::from(n) {
        let mut at = |value| builder.one("tf.gather", Args::default().arg(value).arg(i));
        let (x, key) = (at(x)?, if single { key } else { at(key)? });
        let args = Args::default().with("x", x).with("key", key);
        let args = keep.iter().fold(args, |args, name| args.with(name, call.get(name)));
        results.push(builder.one(call.op.name, args)?);
    }
    Ok(Some(vec![builder.one("tf.stack", Args::default().arg(results).with("axis", 1))?]))
}

/// Which key each value of `x` has.
pub(super) struct Pairs {
    broadcast: Broadcast,
    keys: DType,
}

impl Pairs {
    /// Of a call with `x` and `key`.
    ///
    /// # Errors
    /// When the two do not go together, or keys are neither strings nor integers.
    pub(super) fn of(call: &Call<'_>) -> Result<Self> {
        let x = number(call, "x")?;
        let keys = key_dtype(call)?;
        let (ty, broadcast) = together(call, &["x", "key"])?;
        if ty.shape != x.shape {
            return Err(call.wrong("`key` has more dimensions than `x`"));
        }
        Ok(Pairs { broadcast, keys })
    }

    /// Calls `f` with the key and the value of each value, as doubles.
    pub(super) fn each(&self, input: &Columns, mut f: impl FnMut(&[u8], f64)) {
        let operands: Vec<&Tensor> = input.tensors.iter().collect();
        let at = self.broadcast.indices(1, input.rows, &operands);
        let values = operands[0].to_doubles();
        match &operands[1].values {
            Values::String(keys) => {
                values.iter().enumerate().for_each(|(i, value)| f(keys.get(at.at(i)), *value));
            }
            Values::Int64(keys) => values.iter().enumerate().for_each(|(i, value)| {
                f(&bytes_of(keys[at.at(i)]), *value);
            }),
            _ => {}
        }
    }
}

/// The type of the keys of a call.
pub(super) fn key_dtype(call: &Call<'_>) -> Result<DType> {
    match call.ty("key")?.dtype {
        dtype @ (DType::String | DType::Int64) => Ok(dtype),
        _ => Err(call.wrong_type("key", "a column of strings or integers")),
    }
}

/// An integer as bytes of the same order.
pub(super) fn bytes_of(key: i64) -> [u8; 8] {
    (key as u64 ^ 1 << 63).to_be_bytes()
}

/// The integer that [`bytes_of`] has made bytes of.
fn int_of(key: &[u8]) -> i64 {
    let bytes = key.try_into().unwrap_or([0x80, 0, 0, 0, 0, 0, 0, 0]);
    (u64::from_be_bytes(bytes) ^ 1 << 63) as i64
}

/// Keys as a constant, in the order given.
///
/// # Errors
/// When they are longer than 2 GiB together.
pub(super) fn keys_tensor<'a>(
    dtype: DType,
    keys: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Tensor> {
    let values: Values = if dtype == DType::String {
        let mut builder = StringsBuilder::default();
        keys.into_iter().for_each(|key| builder.push(key));
        builder.finish().map_err(|_| too_many())?.into()
    } else {
        keys.into_iter().map(int_of).collect::<Vec<i64>>().into()
    };
    by_key(values.len(), values)
}

/// Values by key as a constant of `keys` items.
///
/// # Errors
/// When there are more than 2^31.
pub(super) fn by_key(keys: usize, values: impl Into<Values>) -> Result<Tensor> {
    let splits = splits_of([keys]).map_err(|_| too_many())?;
    Ok(Tensor { rows: 1, splits: vec![splits], values: values.into() })
}

fn too_many() -> Error {
    Error::new(ErrorKind::Unsupported, "there are too many keys to be constants of a graph")
        .with_hint("Keys should name groups, not rows.")
}

/// Types of keys, of two values for each, and of their file.
fn types(call: &Call<'_>, dtype: DType) -> Result<Vec<Type>> {
    let keys = Type::constant(key_dtype(call)?, [Dim::Var]);
    let values = Type::constant(dtype, [Dim::Var]);
    Ok(KeyFile::with_type(call, vec![keys, values.clone(), values]))
}

/// Two numbers of each key, in the order of the keys' bytes; and in a file, as `line` writes them.
fn two_by_key(
    keys: DType,
    dtype: DType,
    mut found: Vec<(ByteBuf, f64, f64)>,
    file: Option<&KeyFile>,
    line: impl Fn(f64, f64) -> String,
) -> Result<Vec<Tensor>> {
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let n = found.len();
    let lines = || found.iter().map(|(key, a, b)| (key.as_slice(), line(*a, *b)));
    let file = file.map(|file| file.tensor(lines())).transpose()?;
    let mut tensors = vec![
        keys_tensor(keys, found.iter().map(|(key, _, _)| key.as_slice()))?,
        by_key(n, floats(dtype, found.iter().map(|found| found.1)))?,
        by_key(n, floats(dtype, found.iter().map(|found| found.2)))?,
    ];
    tensors.extend(file);
    Ok(tensors)
}
