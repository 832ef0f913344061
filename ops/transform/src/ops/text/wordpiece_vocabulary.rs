//! `text.wordpiece_vocabulary`: word pieces, trained on a column of texts.

use std::sync::Arc;

use engine::{Error, Result};

use super::texts;
use crate::analyzer::Analyzer;
use crate::op::{Bound, Call, Default, Kind, Op, Param, Takes};
use crate::ops::params::{option, required, value};
use crate::ops::vocabulary::options::{sanitised, token_list};
use crate::ops::vocabulary::words::CountedWords;
use crate::ops::vocabulary::{FILE_NAME, names};
use crate::tensor::{StringsBuilder, Tensor, Values};
use crate::text::{BertOptions, BertTokenizer, MergeScore, TrainedVocabulary, WordPieceTraining};
use crate::types::{DType, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

const LOWER_CASE: Param = option(
    "lower_case",
    Takes::Bool,
    Default::Bool(true),
    "folds text to lower case without accents, as the tokenizer will",
);
const SCORE: Param = option(
    "score",
    Takes::Str,
    Default::Str("count"),
    "`count`: the most frequent pairs are merged; `likelihood`: those that are more frequent than \
     their halves would say",
);
pub(super) const X: Param = value("x", "a column of texts");
pub(super) const VOCAB_SIZE: Param =
    required("vocab_size", Takes::Int, "the most pieces, special tokens included");
pub(super) const MIN_FREQUENCY: Param =
    option("min_frequency", Takes::Int, Default::Int(2), "rarer pairs are not merged");
pub(super) const LIMIT_ALPHABET: Param = option(
    "limit_alphabet",
    Takes::Int,
    Default::Int(1000),
    "so many of the most frequent characters are kept, and words with others left out; `None` keeps \
     all",
);
pub(super) const SPECIAL_TOKENS: Param = option(
    "special_tokens",
    Takes::Literal,
    Default::None,
    "the first pieces; BERT's five by default: `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`",
);
pub(super) const MAX_WORDS: Param = option(
    "max_words",
    Takes::Int,
    Default::Int(1_000_000),
    "so many distinct words are trained on, the most frequent; memory grows with them alone, by less \
     than 1 KiB for each",
);

const PARAMS: &[Param] = &[
    X,
    VOCAB_SIZE,
    MIN_FREQUENCY,
    LIMIT_ALPHABET,
    SPECIAL_TOKENS,
    LOWER_CASE,
    SCORE,
    MAX_WORDS,
    FILE_NAME,
];

const SEMANTICS: &str = "Words are BERT's, as `text.bert_tokenizer` with the same `lower_case` splits \
    them; words of more than 100 bytes are unknown to it and not counted. Words are counted exactly; \
    of those that are as frequent at `max_words` the last in bytes are kept. Pieces are the special \
    tokens, the characters that are kept, those that continue a word with `##`, and pieces as they \
    are merged, until there are `vocab_size` or no pair occurs `min_frequency` times. Of pairs of \
    the same score the more frequent is merged first, then that whose left and right pieces come \
    first as bytes: the result depends on the words and their counts alone. Every word that was \
    trained on can be cut into pieces. More characters than `vocab_size` has room for end the \
    analysis. Bytes that are no UTF-8 count as U+FFFD.";

/// The vocabulary, under a name of its own.
pub(in crate::ops) const WORDPIECE_VOCABULARY: Op = Op {
    name: "text.wordpiece_vocabulary",
    doc: "a vocabulary of word pieces, trained on a column of texts",
    semantics: SEMANTICS,
    examples: &[
        "text.tokenize(s, text.bert_tokenizer(text.wordpiece_vocabulary(s, vocab_size=300)))",
        "tft.apply_vocabulary(ss, text.wordpiece_vocabulary(nested, vocab_size=400, min_frequency=1, \
         lower_case=False, limit_alphabet=None, special_tokens=['[UNK]']))",
        "tft.apply_vocabulary(s, text.wordpiece_vocabulary(svec, vocab_size=90, score='likelihood', \
         limit_alphabet=25, max_words=20, vocab_filename='pieces'))",
    ],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        let scope = names::Scope::plain("vocab_", "wordpiece_vocabulary");
        Ok(vec![names::analyze(builder, call, &WORDPIECE_ANALYZER, &scope)?])
    }),
};

/// The analyzer alone.
pub(in crate::ops) const WORDPIECE_ANALYZER: Op = Op {
    name: "text.wordpiece_vocabulary_analyzer",
    doc: "the analyzer of `text.wordpiece_vocabulary`, which finds a name for its file",
    semantics: SEMANTICS,
    examples: &[
        "tft.apply_vocabulary(s, text.wordpiece_vocabulary_analyzer(s, 300, vocab_filename='w'))",
    ],
    params: PARAMS,
    kind: Kind::Analyze {
        types: |call| {
            texts(call, X.name)?;
            training(call)?;
            max_words(call)?;
            Ok(vec![Type::constant(DType::Vocabulary, [])])
        },
        analyzer,
    },
};

pub(super) fn max_words(call: &Bound) -> Result<usize> {
    size(call, &MAX_WORDS)
}

/// A number of at least 1.
pub(super) fn size(call: &Bound, param: &Param) -> Result<usize> {
    Ok(usize::try_from(call.int_from(param.name, 1)?).unwrap_or(usize::MAX))
}

/// Special tokens; `by_default` where the call has none.
pub(super) fn special_tokens(call: &Bound, by_default: Vec<String>) -> Result<Vec<String>> {
    let name = SPECIAL_TOKENS.name;
    if call.literal(name) == &crate::op::Literal::None {
        return Ok(by_default);
    }
    let mut tokens: Vec<String> = Vec::new();
    for token in token_list(call, name)? {
        let token = String::from_utf8(token)
            .map_err(|_| call.wrong(format!("a token of `{name}` is no UTF-8")))?;
        if token.is_empty() || token.contains(['\n', '\r']) {
            return Err(call.wrong(format!("{token:?} cannot be a token of `{name}`")));
        }
        if tokens.contains(&token) {
            return Err(call.wrong(format!("`{token}` is there twice in `{name}`")));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

/// So many characters, or all.
pub(super) fn limit_alphabet(call: &Bound) -> Result<Option<usize>> {
    match call.opt_int(LIMIT_ALPHABET.name) {
        None => Ok(None),
        Some(_) => size(call, &LIMIT_ALPHABET).map(Some),
    }
}

fn training(call: &Bound) -> Result<WordPieceTraining> {
    let by_default = WordPieceTraining::default();
    let score = match call.opt_str(SCORE.name) {
        Some("count") => MergeScore::Count,
        Some("likelihood") => MergeScore::Likelihood,
        _ => return Err(call.wrong("`score` is neither `count` nor `likelihood`")),
    };
    Ok(WordPieceTraining {
        vocabulary_size: size(call, &VOCAB_SIZE)?,
        min_frequency: size(call, &MIN_FREQUENCY)? as u64,
        special_tokens: special_tokens(call, by_default.special_tokens)?,
        limit_alphabet: limit_alphabet(call)?,
        score,
        ..by_default
    })
}

/// An error of training, with the call.
pub(super) fn cannot(op: &str, error: &Error) -> Error {
    let mut named = Error::new(error.kind(), format!("`{op}`: {}", error.message()));
    if let Some(detail) = error.detail() {
        named = named.with_detail(detail);
    }
    match error.hint() {
        Some(hint) => named.with_hint(hint),
        None => named,
    }
}

fn analyzer(call: &Call<'_>) -> Result<Analyzer> {
    let training = training(call)?;
    let lower_case = call.is(LOWER_CASE.name);
    let bert = BertOptions { lower_case, ..BertOptions::default() };
    let words = BertTokenizer::new(&[&bert.unknown_token], &bert)?;
    let file_name = sanitised(call.opt_str(FILE_NAME.name).unwrap_or("vocabulary"));
    Ok(Analyzer::RankedCounts(Arc::new(CountedWords {
        name: format!("words of BERT's, {bert:?}"),
        split: Box::new(move |text, into: &mut StringsBuilder| {
            words.push_words(text, into);
            Ok(())
        }),
        max_words: max_words(call)?,
        make: Box::new(move |words| {
            let TrainedVocabulary { pieces, .. } =
                training.train(words).map_err(|e| cannot(WORDPIECE_VOCABULARY.name, &e))?;
            let mut tokens = StringsBuilder::default();
            pieces.iter().for_each(|piece| tokens.push(piece.as_bytes()));
            let vocabulary = Vocabulary::new(&*file_name, FileFormat::Text, tokens.finish()?);
            Ok(vec![Tensor::dense(1, Values::Vocabulary(Arc::new(vocabulary)))])
        }),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Args;
    use crate::ops::testing::refused;
    use crate::ops::vocabulary::testing::{lists, rank, scalars};
    use crate::tensor::Strings;

    const TEXTS: [&[u8]; 8] = [
        b"Hug the pug, and the pug's hugs!",
        b"",
        "\u{c9}t\u{e9} \u{e9}t\u{e9} ETE".as_bytes(),
        b"un\0able unable \xff\xfe",
        b"hugging punning running",
        "\u{65e5}\u{672c} \u{65e5}".as_bytes(),
        b"the the the",
        b"zzz",
    ];

    fn pieces(
        texts: &[&[u8]],
        more: impl Fn(Args) -> Args,
        batch: usize,
        block: usize,
    ) -> Result<Vec<String>> {
        let x = scalars(texts.iter().collect::<Strings>());
        let columns = [("x", x)];
        let found = rank(WORDPIECE_ANALYZER.name, &columns, more, batch, block)?;
        let tokens = found[0].vocabulary().tokens.to_strings()?;
        Ok(tokens.iter().map(|token| String::from_utf8(token.to_vec()).unwrap()).collect())
    }

    #[test]
    fn pieces_depend_on_the_words_alone() {
        for lower_case in [true, false] {
            let more = |args: Args| args.with("vocab_size", 90).with("lower_case", lower_case);
            let expected = pieces(&TEXTS, more, 100, 100).unwrap();
            assert_eq!(expected[..5], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
            assert!(["the", "pug"].iter().all(|word| expected.iter().any(|piece| piece == word)));
            let mut turned = TEXTS;
            turned.reverse();
            for (batch, block) in [(1, 1), (3, 2), (8, 7)] {
                assert_eq!(pieces(&TEXTS, more, batch, block).unwrap(), expected);
                assert_eq!(pieces(&turned, more, batch, block).unwrap(), expected);
            }
            // What was trained on is known.
            let options = BertOptions { lower_case, ..BertOptions::default() };
            let tokenizer = BertTokenizer::new(&expected, &options).unwrap();
            for text in TEXTS.iter().filter(|text| lower_case || std::str::from_utf8(text).is_ok())
            {
                let mut ids = Vec::new();
                tokenizer.encode(text, &mut ids);
                assert!(!ids.contains(&tokenizer.unknown_id()), "{text:?}: {ids:?}");
            }
        }
    }

    #[test]
    fn the_most_frequent_words_are_trained_on() {
        let check = |max_words: i64, expected: &[&str]| {
            let more = |args: Args| {
                let special: Vec<&str> = vec!["?"];
                let args = args.with("special_tokens", crate::op::Literal::from(special));
                args.with("vocab_size", 100).with("max_words", max_words)
            };
            let texts: [&[u8]; 2] = [b"ab ab ab cd cd", b"ef ef gg"];
            for block in [1, 2, 9] {
                assert_eq!(pieces(&texts, more, 1, block).unwrap(), expected, "{max_words}");
            }
        };
        check(1, &["?", "a", "b", "##b", "ab"]);
        // Of two that are as frequent the last in bytes.
        check(2, &["?", "a", "b", "e", "f", "##b", "##f", "ab", "ef"]);
        let all = ["?", "a", "b", "c", "d", "e", "f", "g", "##b", "##d", "##f", "##g"];
        check(9, &[&all[..], &["ab", "cd", "ef"]].concat());
    }

    #[test]
    fn lists_of_texts_and_long_words_are_counted() {
        let long = "x".repeat(101);
        let texts = ["ab", "ab ab", &long, "b"];
        let columns = [("x", lists(&[2, 0, 2], texts.iter().collect::<Strings>()))];
        let more = |args: Args| args.with("vocab_size", 10).with("min_frequency", 3);
        let found = rank(WORDPIECE_ANALYZER.name, &columns, more, 1, 1).unwrap();
        let tokens = found[0].vocabulary().tokens.to_strings().unwrap();
        let tokens: Vec<&[u8]> = tokens.iter().skip(5).collect();
        assert_eq!(tokens, [&b"a"[..], b"b", b"##b", b"ab"]);
    }

    #[test]
    fn too_many_characters_are_an_error_of_the_call() {
        let more = |args: Args| args.with("vocab_size", 9);
        let error = pieces(&TEXTS, more, 9, 9).unwrap_err();
        assert_eq!(
            error.message(),
            "`text.wordpiece_vocabulary`: the vocabulary is too small for its characters"
        );
        assert!(error.hint().unwrap().contains("limit_alphabet"));
    }

    #[test]
    fn options_are_checked() {
        let check = |options: &str, expected: &str| {
            let analyzer = "`text.wordpiece_vocabulary_analyzer`";
            let call = format!("tft.apply_vocabulary(s, text.wordpiece_vocabulary({options}))");
            refused(&call, &format!("{analyzer}: {expected}"));
        };
        check("n, 300", "`x` is int64; a column of strings is wanted");
        check("s, 0", "`vocab_size` is 0; at least 1 is wanted");
        check("s, 300, min_frequency=0", "`min_frequency` is 0; at least 1 is wanted");
        check("s, 300, max_words=0", "`max_words` is 0; at least 1 is wanted");
        check("s, 300, limit_alphabet=0", "`limit_alphabet` is 0; at least 1 is wanted");
        check("s, 300, score='best'", "`score` is neither `count` nor `likelihood`");
        check("s, 300, special_tokens=['a', 'a']", "`a` is there twice in `special_tokens`");
        check("s, 300, special_tokens=['']", "\"\" cannot be a token of `special_tokens`");
    }
}
