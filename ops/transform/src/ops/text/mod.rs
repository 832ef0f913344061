//! `text.*`: texts as the ids of their pieces, as tensorflow_text and the TFX BERT examples have them.
//!
//! A tokenizer is a constant: the rules of BERT with a vocabulary, or a `tokenizer.json`. Vocabularies
//! and tokenizers can also be trained on a column.

pub(super) mod bert_inputs;
pub(super) mod bpe_tokenizer;
pub(super) mod token_statistics;
pub(super) mod tokenize;
pub(super) mod tokenizers;
pub(super) mod wordpiece_vocabulary;

use engine::Result;

use super::params::value;
use crate::export::Export;
use crate::export::onnx::Onnx;
use crate::op::{Call, Param};
use crate::types::{DType, Type};

const TOKENIZER: Param = value("tokenizer", "a tokenizer, such as `text.bert_tokenizer(...)`");

/// Why no tokenizer is exported to ONNX.
const NOT_IN_ONNX: Onnx =
    Export::No("neither it nor onnxruntime's extensions have a tokenizer of many texts");

/// Checks that the tokenizer is one.
fn check_tokenizer(call: &Call<'_>) -> Result<()> {
    let ty = call.ty(TOKENIZER.name)?;
    if ty.dtype == DType::Tokenizer && ty.constant {
        return Ok(());
    }
    let error = call.wrong_type(TOKENIZER.name, "a tokenizer");
    Err(if ty.dtype == DType::Vocabulary {
        error.with_hint("`text.bert_tokenizer(vocab)` makes one of a vocabulary.")
    } else {
        error.with_hint("Pass `text.bert_tokenizer('vocab.txt')`.")
    })
}

/// A column of strings.
fn texts<'a>(call: &Call<'a>, name: &str) -> Result<&'a Type> {
    match call.ty(name)? {
        ty if ty.dtype == DType::String && !ty.constant => Ok(ty),
        _ => Err(call.wrong_type(name, "a column of strings")),
    }
}
