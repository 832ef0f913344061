//! `text.bert_tokenizer`, `text.hugging_face_tokenizer`: tokenizers as constants.

use std::sync::Arc;

use engine::{Error, Result};

use super::super::elementwise::of_dtype;
use super::super::params::{option, required, value};
use super::super::vocabulary::FROM_FILE;
use crate::export::Export;
use crate::op::{
    Arg, Args, Bound, Call, Default, Kernel, Kind, Literal, Op, Param, Takes, function,
};
use crate::tensor::{Tensor, Values};
use crate::text::{BertOptions, TokenizerConstant};
use crate::types::{DType, Type};

const VOCAB: &str = "vocab";
const TOKENIZER_JSON: &str = "tokenizer_json";
const LOWER_CASE: Param = option(
    "lower_case",
    Takes::Bool,
    Default::Bool(true),
    "folds text to lower case without accents, as models that are called uncased want it",
);
const SUFFIX_INDICATOR: Param = option(
    "suffix_indicator",
    Takes::Str,
    Default::Str("##"),
    "what pieces begin with that continue a word",
);
const MAX_BYTES_PER_WORD: Param =
    option("max_bytes_per_word", Takes::Int, Default::Int(100), "longer words are unknown");
const UNKNOWN_TOKEN: Param = option(
    "unknown_token",
    Takes::Str,
    Default::Str("[UNK]"),
    "the piece for words that have no pieces",
);

const SEMANTICS: &str = "Id for id `tensorflow_text.BertTokenizer`: words by BERT's rules (control \
    characters are blanks, words end at ASCII white space, punctuation and CJK ideographs stand \
    alone), then each word as the longest pieces of the vocabulary, or unknown as a whole. `lower_case` \
    is NFKC case folding and NFD without marks; it is on by default, as TFX has it from an uncased \
    model, while tensorflow_text's own default is off. An id is a piece's place in the vocabulary; \
    without `unknown_token` in it unknown words have its size as their id. Bytes that are no UTF-8 are \
    U+FFFD, or letters of their word without `lower_case`. A piece may be there only once. Pieces are \
    whatever they are when the vocabulary is known: that of a file, or one that is computed.";

/// BERT's tokenizer of a vocabulary, or of its file.
pub(in crate::ops) const BERT_TOKENIZER: Op = Op {
    name: "text.bert_tokenizer",
    doc: "BERT's tokenizer of a vocabulary, which is a file or another constant",
    semantics: SEMANTICS,
    examples: &[
        "text.tokenize(s, text.bert_tokenizer('vocab.txt'))",
        "text.tokenize(ss, text.bert_tokenizer(vocab='vocab.txt', lower_case=False))",
        "text.tokenize(s, text.bert_tokenizer(tft.vocabulary(ss)))",
        "text.tokenize(s, text.bert_tokenizer(text.wordpiece_vocabulary(s, vocab_size=300)))",
        "text.tokenize(s, text.bert_tokenizer(tokenizer_json='tokenizer.json'))",
    ],
    params: &[
        option(VOCAB, Takes::File, Default::None, "a file with a piece a line, or a vocabulary"),
        LOWER_CASE,
        SUFFIX_INDICATOR,
        MAX_BYTES_PER_WORD,
        UNKNOWN_TOKEN,
        option(
            TOKENIZER_JSON,
            Takes::File,
            Default::None,
            "in place of all others: a file for `text.hugging_face_tokenizer`",
        ),
    ],
    kind: Kind::Compose(|builder, call| {
        let mut args = call.again();
        let json = args.positional.pop().filter(|json| *json != Arg::Literal(Literal::None));
        let is_none = args.positional[0] == Arg::Literal(Literal::None);
        if let Some(json) = json {
            if !is_none {
                let why = "`vocab` and `tokenizer_json` are both given; one is wanted";
                return Err(call.wrong(why));
            }
            return builder.call(HUGGING_FACE_TOKENIZER.name, Args::default().arg(json));
        }
        if is_none {
            return Err(call.wrong("neither `vocab` nor `tokenizer_json` is given; one is wanted"));
        }
        if let Some(file) = call.opt_str(VOCAB) {
            let vocabulary = builder.one(FROM_FILE.name, Args::default().arg(file))?;
            args.positional[0] = vocabulary.into();
        }
        builder.call(BERT_TOKENIZER_OF.name, args)
    }),
};

/// BERT's tokenizer of a vocabulary.
pub(in crate::ops) const BERT_TOKENIZER_OF: Op = Op {
    name: "text.bert_tokenizer_of",
    doc: "BERT's tokenizer of a vocabulary",
    semantics: SEMANTICS,
    examples: &[
        "text.tokenize(s, text.bert_tokenizer_of(tft.vocabulary_from_list(['a', '##b', '!'])))",
        "text.tokenize(svec, text.bert_tokenizer_of(tft.vocabulary_from_list(['?', 'a', 'b', '@d']), \
          suffix_indicator='@', unknown_token='?', max_bytes_per_word=2))",
    ],
    params: &[
        value(VOCAB, "a vocabulary"),
        LOWER_CASE,
        SUFFIX_INDICATOR,
        MAX_BYTES_PER_WORD,
        UNKNOWN_TOKEN,
    ],
    kind: Kind::Map {
        types: |call| {
            of_dtype(call, VOCAB, DType::Vocabulary)?;
            options(call)?;
            Ok(vec![Type::constant(DType::Tokenizer, [])])
        },
        kernel,
        // Of the ids that it gives.
        domain: Some(|call| {
            let vocabulary = call.constants[call.position(VOCAB)?]?.vocabulary();
            let unknown = vocabulary.id(call.opt_str(UNKNOWN_TOKEN.name)?.as_bytes()).ok()?;
            let n = vocabulary.len() as i64;
            Some((0, if unknown.is_some() { n - 1 } else { n }))
        }),
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::CONSTANT,
    },
};

fn options(call: &Bound) -> Result<BertOptions> {
    let text = |name: &str| call.opt_str(name).unwrap_or_default().as_bytes().to_vec();
    let most = call.int_from(MAX_BYTES_PER_WORD.name, 1)?;
    Ok(BertOptions {
        lower_case: call.is(LOWER_CASE.name),
        suffix_indicator: text(SUFFIX_INDICATOR.name),
        max_bytes_per_word: usize::try_from(most).unwrap_or(usize::MAX),
        unknown_token: text(UNKNOWN_TOKEN.name),
    })
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let vocabulary = call.constant(VOCAB)?.vocabulary();
    let tokenizer = TokenizerConstant::of_vocabulary(vocabulary, options(call)?);
    let tokenizer = Arc::new(tokenizer.map_err(|e| cannot(call, &e))?);
    Ok(function(move |_, _| Ok(Tensor::dense(1, Values::Tokenizer(tokenizer.clone())))))
}

/// A tokenizer of Hugging Face's.
pub(in crate::ops) const HUGGING_FACE_TOKENIZER: Op = Op {
    name: "text.hugging_face_tokenizer",
    doc: "the tokenizer that a `tokenizer.json` describes",
    semantics: "Any model, normalizer and pre-tokenizer of the library `tokenizers`. The file is an \
        asset of the graph. It must not drop merges at random, and must have the unknown token that \
        its model names, so that every text has ids. Its truncation and padding count only for \
        `text.bert_inputs` with `layout='tokenizer'`. Texts get U+FFFD where they are no UTF-8.",
    examples: &[
        "text.tokenize(s, text.hugging_face_tokenizer('tokenizer.json'))",
        "text.tokenize(nested, text.hugging_face_tokenizer(tokenizer_json='tokenizer.json'))",
    ],
    params: &[required(TOKENIZER_JSON, Takes::File, "a file of the module's folder")],
    kind: Kind::Compose(|builder, call| {
        let Some(file) = call.opt_str(TOKENIZER_JSON) else {
            return Err(call.wrong("`tokenizer_json` is a constant; the name of a file is wanted"));
        };
        let json = builder.file(file)?;
        let name = file.rsplit('/').next().unwrap_or(file);
        let tokenizer = TokenizerConstant::of_json(name, json.to_vec());
        let tokenizer = Arc::new(tokenizer.map_err(|e| cannot(call, &e))?);
        let tensor = Tensor::dense(1, Values::Tokenizer(tokenizer));
        Ok(vec![builder.constant(Type::constant(DType::Tokenizer, []), tensor)])
    }),
};

/// The error of a call that makes no tokenizer.
fn cannot(call: &Bound, why: &Error) -> Error {
    let mut error = call.wrong(why.message());
    if let Some(detail) = why.detail() {
        error = error.with_detail(detail);
    }
    match why.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::refused;

    #[test]
    fn tokenizers_are_checked() {
        refused("text.bert_tokenizer('other.txt')", "there is no file `other.txt`");
        refused(
            "text.bert_tokenizer(s)",
            "`text.bert_tokenizer_of`: `vocab` is string; vocabulary is wanted",
        );
        refused(
            "text.bert_tokenizer('vocab.txt', max_bytes_per_word=0)",
            "`text.bert_tokenizer_of`: `max_bytes_per_word` is 0; at least 1 is wanted",
        );
        refused(
            "text.hugging_face_tokenizer('vocab.txt')",
            "`text.hugging_face_tokenizer`: `tokenizer.json` cannot be read",
        );
        refused(
            "text.tokenize(s, tft.vocabulary_from_list(['a']))",
            "`text.tokenize`: `tokenizer` is constant vocabulary; a tokenizer is wanted",
        );
        refused(
            "text.tokenize(n, text.bert_tokenizer('vocab.txt'))",
            "`text.tokenize`: `x` is int64; a column of strings is wanted",
        );
    }
}
