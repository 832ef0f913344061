//! `text.tokenize`, `text.tokenize_pieces`: the ids and the pieces of texts.

use std::sync::Arc;

use engine::Result;

use super::super::params::value;
use super::super::strings::n_bytes;
use super::{TOKENIZER, check_tokenizer, texts};
use crate::export::Export;
use crate::export::tensorflow::{Column, tf_text};
use crate::op::{Call, Kind, Op, Param, function};
use crate::tensor::{StringsBuilder, Tensor, Values, splits_of};
use crate::text::TokenizerConstant;
use crate::types::{DType, Dim, Type};

const X: Param = value("x", "a column of texts");

const SEMANTICS: &str = "All pieces of a text in one list, without special tokens and whole: \
    tensorflow_text's `tokenize(x).merge_dims(-2, -1)`. An empty text has none. Special tokens in a \
    text are text for BERT's tokenizer. Lists of texts give lists of lists.";

/// Ids.
pub(in crate::ops) const TOKENIZE: Op = Op {
    name: "text.tokenize",
    doc: "the ids of a text's pieces",
    semantics: SEMANTICS,
    examples: &[
        "text.tokenize(s, text.bert_tokenizer('vocab.txt'))",
        "text.tokenize(nested, text.bert_tokenizer('vocab.txt', lower_case=False))",
        "text.tokenize(svec, text.hugging_face_tokenizer('tokenizer.json'))",
    ],
    params: &[X, TOKENIZER],
    kind: Kind::Map {
        types: |call| types(call, DType::Int64),
        kernel: |call| Ok(function(tokenize(call, |_, ids| Ok(ids.into()))?)),
        domain: Some(ids_of),
        keeps: "",
        onnx: super::NOT_IN_ONNX,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let pieces = tf_text::pieces(nodes, call, TOKENIZER.name, &columns[0].values)?;
            let splits = [&columns[0].splits[..], &[pieces.splits]].concat();
            Ok(vec![Column { values: pieces.ids, splits }])
        }),
    },
};

/// Pieces.
pub(in crate::ops) const TOKENIZE_PIECES: Op = Op {
    name: "text.tokenize_pieces",
    doc: "a text's pieces as strings",
    semantics: SEMANTICS,
    examples: &[
        "text.tokenize_pieces(s, text.bert_tokenizer('vocab.txt'))",
        "text.tokenize_pieces(s, text.bert_tokenizer_of(tft.vocabulary_from_list(['a', '##b'])))",
        "text.tokenize_pieces(ss, text.hugging_face_tokenizer('tokenizer.json'))",
    ],
    params: &[X, TOKENIZER],
    kind: Kind::Map {
        types: |call| types(call, DType::String),
        kernel: |call| {
            Ok(function(tokenize(call, |tokenizer, ids| {
                let mut pieces = StringsBuilder::with_capacity(ids.len(), ids.len() * 4);
                for id in ids {
                    pieces.push(&tokenizer.token(id).unwrap_or_default());
                }
                Ok(pieces.finish()?.into())
            })?))
        },
        domain: None,
        keeps: "",
        onnx: super::NOT_IN_ONNX,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let pieces = tf_text::pieces(nodes, call, TOKENIZER.name, &columns[0].values)?;
            let splits = [&columns[0].splits[..], &[pieces.splits]].concat();
            Ok(vec![Column { values: pieces.texts, splits }])
        }),
    },
};

fn types(call: &Call<'_>, dtype: DType) -> Result<Vec<Type>> {
    check_tokenizer(call)?;
    let x = texts(call, X.name)?;
    let shape: Vec<Dim> = x.shape.iter().copied().chain([Dim::Var]).collect();
    Ok(vec![Type::column(dtype, shape)])
}

/// The range of a tokenizer's ids.
pub(super) fn ids_of(call: &Call<'_>) -> Option<(i64, i64)> {
    let place = call.position(TOKENIZER.name)?;
    match call.constants[place] {
        Some(tokenizer) => Some((0, tokenizer.tokenizer().last_id())),
        None => call.domains[place],
    }
}

/// Tokenizes; `f` makes values of all ids.
fn tokenize(
    call: &Call<'_>,
    f: impl Fn(&TokenizerConstant, Vec<i64>) -> Result<Values> + Send + Sync + 'static,
) -> Result<impl Fn(usize, &[&Tensor]) -> Result<Tensor> + Send + Sync + 'static> {
    let tokenizer: Arc<TokenizerConstant> = call.constant(TOKENIZER.name)?.tokenizer().clone();
    Ok(move |_, inputs: &[&Tensor]| {
        let texts = inputs[0].strings();
        // English has 4 to 5 bytes to a piece; a text of other scripts lets the list grow.
        let mut ids = Vec::with_capacity(n_bytes(texts) / 4 + texts.len());
        let mut lengths = Vec::with_capacity(texts.len());
        for text in texts.iter() {
            let before = ids.len();
            tokenizer.encode(text, &mut ids);
            lengths.push(ids.len() - before);
        }
        let mut splits = inputs[0].splits.clone();
        splits.push(splits_of(lengths)?);
        Ok(Tensor { rows: inputs[0].rows, splits, values: f(&tokenizer, ids)? })
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bytes, check, ints, lists, texts};

    #[test]
    fn texts_have_ids_and_pieces() {
        let s = [("s", bytes(&[b"Play playing!", b"", b"q", "PLAY\u{301}".as_bytes(), b"\xff"]))];
        let bert = "text.bert_tokenizer('vocab.txt')";
        check(
            &format!("text.tokenize(s, {bert})"),
            &s,
            lists(&[4, 0, 1, 1, 1], ints(&[6, 6, 8, 5, 1, 6, 1])),
        );
        check(
            &format!("text.tokenize_pieces(s, {bert})"),
            &s,
            lists(
                &[4, 0, 1, 1, 1],
                texts(&["play", "play", "##ing", "!", "[UNK]", "play", "[UNK]"]),
            ),
        );
        let cased = "text.bert_tokenizer('vocab.txt', lower_case=False)";
        check(
            &format!("text.tokenize(s, {cased})"),
            &s,
            lists(&[4, 0, 1, 1, 1], ints(&[1, 6, 8, 5, 1, 1, 1])),
        );
        // Its normalizer drops U+FFFD.
        let hugging_face = "text.hugging_face_tokenizer('tokenizer.json')";
        check(
            &format!("text.tokenize_pieces(s, {hugging_face})"),
            &s,
            lists(&[4, 0, 1, 1, 0], texts(&["play", "play", "##ing", "!", "[UNK]", "play"])),
        );
    }

    #[test]
    fn lists_of_texts_give_lists_of_lists() {
        let ss = [("ss", lists(&[2, 0, 1], texts(&["play the", "", "!!"])))];
        check(
            "text.tokenize(ss, text.bert_tokenizer('vocab.txt'))",
            &ss,
            lists(&[2, 0, 1], lists(&[2, 0, 2], ints(&[6, 7, 5, 5]))),
        );
    }

    #[test]
    fn unknown_words_have_the_size_as_id_where_nothing_stands_for_them() {
        let s = [("s", texts(&["ab b"]))];
        let tokenizer = "text.bert_tokenizer(tft.vocabulary_from_list(['a', '##b']))";
        check(&format!("text.tokenize(s, {tokenizer})"), &s, lists(&[3], ints(&[0, 1, 2])));
        check(
            &format!("text.tokenize_pieces(s, {tokenizer})"),
            &s,
            lists(&[3], texts(&["a", "##b", "[UNK]"])),
        );
    }
}
