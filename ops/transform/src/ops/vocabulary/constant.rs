//! Vocabularies that are known before any data is read.

use std::sync::Arc;

use super::options::{format, sanitised, token_list};
use super::{FILE_NAME, FORMAT};
use crate::op::{Default, Kind, Op, Param, Takes};
use crate::tensor::{Strings, Tensor, Values};
use crate::types::{DType, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// The vocabulary of a list of tokens.
pub(in crate::ops) const FROM_LIST: Op = Op {
    name: "tft.vocabulary_from_list",
    doc: "a vocabulary of given tokens",
    semantics: "A token's id is its place in the list; of a token that is there twice the first \
        place counts. It is written among the assets as one that was computed.",
    examples: &[
        "tft.apply_vocabulary(s, tft.vocabulary_from_list(['a', 'b', '']))",
        "tft.apply_vocabulary(ns, tft.vocabulary_from_list([3, 1], 'numbers'), num_oov_buckets=2)",
    ],
    params: &[
        Param {
            name: "tokens",
            takes: Takes::Literal,
            default: Default::Required,
            doc: "strings or whole numbers, in the order of their ids",
        },
        FILE_NAME,
        FORMAT,
    ],
    kind: Kind::Compose(|builder, call| {
        let tokens = token_list(call, "tokens")?;
        let format = format(call)?;
        let name = sanitised(call.opt_str(FILE_NAME.name).unwrap_or("vocabulary_from_list"));
        if format == FileFormat::Text
            && let Some(bad) =
                tokens.iter().find(|token| memchr::memchr2(b'\n', b'\r', token).is_some())
        {
            let bad = String::from_utf8_lossy(bad);
            return Err(call
                .wrong(format!("token {bad:?} is more than a line of text"))
                .with_hint("Pass `file_format='tfrecord_gzip'`."));
        }
        let file_name = match format {
            FileFormat::Text => name,
            FileFormat::TfrecordGzip => format!("{name}.tfrecord.gz"),
        };
        let tokens = Strings::from_iter(&tokens);
        let vocabulary = Arc::new(Vocabulary::new(file_name, format, tokens));
        let tensor = Tensor::dense(1, Values::Vocabulary(vocabulary));
        Ok(vec![builder.constant(Type::constant(DType::Vocabulary, []), tensor)])
    }),
};
