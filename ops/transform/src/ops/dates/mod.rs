//! `dates.*`: instants, their parts in the calendar, and their text.
//!
//! An instant is a number of microseconds since 1970-01-01T00:00:00 UTC; every 64-bit integer is one,
//! in the Gregorian calendar carried back and forth. There are no leap seconds and no clock; a time
//! zone is a fixed offset.

mod calendar;
pub(super) mod convert;
mod layout;
pub(super) mod parts;
mod tensorflow;
mod tensorflow_text;
pub(super) mod text;

use engine::Result;

use super::elementwise::{Native, map as map_values, of_dtype};
use super::params::option;
use crate::op::{Call, Default, Kernel, Kind, Param, Takes, function};
use crate::types::{DType, Type};

/// A function whose result has the structure of `x`.
const fn map(
    types: fn(&Call<'_>) -> Result<Vec<Type>>,
    kernel: fn(&Call<'_>) -> Result<Box<dyn Kernel>>,
) -> Kind {
    Kind::Map {
        types,
        kernel,
        domain: None,
        keeps: "x",
        onnx: crate::export::Export::AS_TENSORFLOW,
        tensorflow: crate::op::UNSAID,
    }
}

/// The type of timestamps `x` as another dtype.
fn timestamps(call: &Call<'_>, to: DType) -> Result<Vec<Type>> {
    let x = of_dtype(call, "x", DType::Timestamp);
    let x = x.map_err(|e| e.with_hint("Use `dates.parse` or `dates.from_unix`."))?;
    Ok(vec![x.with_dtype(to)])
}

fn each<A: Native, B: Native>(f: impl Fn(A) -> B + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| Ok(map_values(inputs[0], &f)))
}

/// A time zone.
const OFFSET: Param = option(
    "offset",
    Takes::Str,
    Default::Str("+00:00"),
    "the time zone, as a fixed offset from UTC such as \"-05:00\"",
);

/// Seconds that the time zone is ahead of UTC.
fn offset(call: &Call<'_>) -> Result<i64> {
    let text = call.opt_str("offset").unwrap_or("+00:00");
    match layout::offset(text.as_bytes()) {
        Some((seconds, [])) => Ok(seconds),
        _ => Err(call
            .wrong(format!("`offset` is {text:?}; an offset from UTC is wanted"))
            .with_hint("Write \"+02:00\". A zone whose offset changes is not one offset.")),
    }
}
