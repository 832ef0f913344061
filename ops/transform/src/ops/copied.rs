//! Values copied from several tensors, range by range, whatever they are.

use std::ops::Range;

use engine::Result;

use super::elementwise::Native;
use crate::tensor::{StringsBuilder, Tensor, Values};

/// Ranges of values of several tensors of one dtype, one after the other.
///
/// `ranges` calls what it is given with the number of a tensor and a range of its values.
///
/// # Errors
/// When there are more than 2 GiB of strings.
pub(super) fn copied(
    from: &[&Tensor],
    ranges: impl FnOnce(&mut dyn FnMut(usize, Range<usize>)),
) -> Result<Values> {
    Ok(match from.first().map(|tensor| &tensor.values) {
        Some(Values::Bool(_)) => natives::<u8>(from, ranges),
        Some(Values::Int64(_)) => natives::<i64>(from, ranges),
        Some(Values::Float32(_)) => natives::<f32>(from, ranges),
        Some(Values::Float64(_)) => natives::<f64>(from, ranges),
        Some(Values::String(_)) => {
            let mut out = StringsBuilder::default();
            ranges(&mut |i, range| {
                let strings = from[i].strings();
                range.for_each(|value| out.push(strings.get(value)));
            });
            out.finish()?.into()
        }
        Some(asset @ (Values::Vocabulary(_) | Values::Tokenizer(_))) => asset.clone(),
        None => Values::empty(crate::types::DType::Bool),
    })
}

fn natives<T: Native>(
    from: &[&Tensor],
    ranges: impl FnOnce(&mut dyn FnMut(usize, Range<usize>)),
) -> Values {
    let from: Vec<&[T]> = from.iter().map(|tensor| T::of(tensor)).collect();
    let mut out = Vec::with_capacity(from.iter().map(|values| values.len()).sum());
    ranges(&mut |i, range| out.extend_from_slice(&from[i][range]));
    T::values(out)
}
