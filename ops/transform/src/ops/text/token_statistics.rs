//! `text.token_statistics`: how well a tokenizer and a length suit the texts.

use engine::{CombineFn, Result};

use super::super::params::{option, value};
use super::{TOKENIZER, check_tokenizer, texts};
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Call, Default, Kind, Op, Param, Takes};
use crate::tensor::Tensor;
use crate::text::TokenStatistics;
use crate::types::{DType, Type};

const X: Param = value("x", "a column of texts");
const MAX_LENGTH: Param = option(
    "max_length",
    Takes::Int,
    Default::None,
    "the most ids of a text with two special ones; without it none is truncated",
);

/// The results, in their order.
pub(in crate::ops) const RESULTS: &[&str] = &[
    "unknown_rate",
    "truncated_rate",
    "pieces_per_word",
    "texts",
    "truncated_texts",
    "words",
    "pieces",
    "unknown_pieces",
    "longest_text",
];
/// How many of them are rates.
const N_RATES: usize = 3;

/// Counts over all texts.
pub(in crate::ops) const TOKEN_STATISTICS: Op = Op {
    name: "text.token_statistics",
    doc: "unknown pieces, truncated texts and pieces per word of all texts",
    semantics: "Nine constants. Three float32: the share of pieces that are the unknown token, the \
        share of texts that lose ids to `max_length` (with `[CLS]` and `[SEP]`, so those of more than \
        max_length - 2 pieces), and the mean number of pieces of a word (fertility); each 0 of nothing. \
        Six int64: texts, texts that lose ids, words as the tokenizer splits them, pieces, unknown \
        pieces, and the most pieces of a text. All texts of all dimensions count, empty ones, too; \
        missing ones do not.",
    examples: &[
        "x + text.token_statistics(s, text.bert_tokenizer('vocab.txt'), max_length=3)[1]",
        "n + text.token_statistics(nested, text.bert_tokenizer(tft.vocabulary(s)))[6]",
        "x + text.token_statistics(ss, text.hugging_face_tokenizer('tokenizer.json'))[0]",
    ],
    params: &[X, TOKENIZER, MAX_LENGTH],
    kind: Kind::Analyze {
        types: |call| {
            check_tokenizer(call)?;
            texts(call, X.name)?;
            most_pieces(call)?;
            let dtype = |i| if i < N_RATES { DType::Float32 } else { DType::Int64 };
            Ok((0..RESULTS.len()).map(|i| Type::constant(dtype(i), [])).collect())
        },
        analyzer: |call| {
            Ok(Analyzer::Global(Box::new(Statistics { most_pieces: most_pieces(call)? })))
        },
    },
};

/// The most pieces of a text that is not truncated.
fn most_pieces(call: &Call<'_>) -> Result<usize> {
    if call.opt_int(MAX_LENGTH.name).is_none() {
        return Ok(usize::MAX);
    }
    Ok(usize::try_from(call.int_from(MAX_LENGTH.name, 2)? - 2).unwrap_or(usize::MAX))
}

struct Statistics {
    most_pieces: usize,
}

impl CombineFn for Statistics {
    type Input = Columns;
    type Accumulator = TokenStatistics;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        TOKEN_STATISTICS.name
    }
    fn create_accumulator(&self) -> TokenStatistics {
        TokenStatistics::default()
    }
    fn add_input(&self, acc: &mut TokenStatistics, input: &Columns) -> Result<()> {
        let tokenizer = input.tensors[1].tokenizer();
        let unknown = tokenizer.unknown_id();
        let (mut ids, mut word_ends) = (Vec::new(), Vec::new());
        for text in input.tensors[0].strings().iter() {
            ids.clear();
            word_ends.clear();
            tokenizer.encode_words(text, &mut ids, &mut word_ends);
            acc.add(&ids, word_ends.len(), unknown, ids.len() > self.most_pieces);
        }
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut TokenStatistics, other: TokenStatistics) -> Result<()> {
        acc.merge(&other);
        Ok(())
    }
    fn extract_output(&self, acc: TokenStatistics) -> Result<Vec<Tensor>> {
        let rates = [acc.unknown_rate(), acc.truncated_rate(), acc.pieces_per_word()];
        let counts =
            [acc.rows, acc.truncated_rows, acc.words, acc.pieces, acc.unknown, acc.longest_row];
        let rates = rates.map(|rate| Tensor::dense(1, vec![rate as f32]));
        let counts = counts.map(|n| Tensor::dense(1, vec![n.cast_signed()]));
        Ok(rates.into_iter().chain(counts).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ops::EXAMPLE_FILES;
    use crate::tensor::{Strings, Values};
    use crate::text::TokenizerConstant;

    #[test]
    fn texts_are_counted() {
        let json = EXAMPLE_FILES[1].1.to_vec();
        let tokenizer = Arc::new(TokenizerConstant::of_json("t.json", json).unwrap());
        let tokenizer = Tensor::dense(1, Values::Tokenizer(tokenizer));
        let f = Statistics { most_pieces: 3 };
        let mut accs = [&["playing the dogs"][..], &["q play", ""], &[]].map(|texts| {
            let texts = Tensor::dense(texts.len(), Strings::from_iter(texts));
            let tensors = vec![texts, tokenizer.clone()];
            let mut acc = f.create_accumulator();
            let rows = tensors[0].rows;
            f.add_input(&mut acc, &Columns { rows, shard: 0, first_row: 0, tensors }).unwrap();
            acc
        });
        let (acc, others) = accs.split_first_mut().unwrap();
        others.iter().for_each(|other| f.merge_accumulators(acc, *other).unwrap());
        let found = f.extract_output(*acc).unwrap();
        assert_eq!(found.len(), RESULTS.len());
        let rates: Vec<f32> = found[..N_RATES].iter().map(|rate| rate.floats()[0]).collect();
        assert_eq!(rates, [1.0 / 7.0, 1.0 / 3.0, 7.0 / 5.0]);
        let counts: Vec<i64> = found[N_RATES..].iter().map(|n| n.ints()[0]).collect();
        assert_eq!(counts, [3, 1, 5, 7, 1, 5]);
    }
}
