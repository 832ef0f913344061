//! Operations on rows of tokens: n-grams, bags, counts and term frequencies.

pub(super) mod ngrams;
pub(super) mod tfidf;
pub(super) mod unique;

use engine::Result;

use crate::op::{Call, Default, Param, Takes};
use crate::types::{DType, Type};

const TOKENS: Param = Param {
    name: "tokens",
    takes: Takes::Value { like: "" },
    default: Default::Required,
    doc: "a column with a list of strings in each row",
};

/// The type of a column whose rows are lists of strings.
fn lists_of_strings<'a>(call: &Call<'a>, param: &str) -> Result<&'a Type> {
    let ty = call.ty(param)?;
    if ty.dtype != DType::String || ty.shape.len() != 1 || ty.constant {
        return Err(call.wrong_type(param, "a column with a list of strings in each row"));
    }
    Ok(ty)
}
