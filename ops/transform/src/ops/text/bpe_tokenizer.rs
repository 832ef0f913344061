//! `text.bpe_tokenizer`: a byte-pair encoding as a tokenizer, trained on a column of texts.

use std::sync::Arc;

use engine::Result;
use regex::Regex;

use super::texts;
use super::wordpiece_vocabulary::{
    MAX_WORDS, MIN_FREQUENCY, SPECIAL_TOKENS, VOCAB_SIZE, X, cannot, max_words, size,
    special_tokens,
};
use crate::analyzer::Analyzer;
use crate::op::{Bound, Call, Kind, Op, Param};
use crate::ops::vocabulary::options::sanitised;
use crate::ops::vocabulary::words::CountedWords;
use crate::ops::vocabulary::{FILE_NAME, names};
use crate::tensor::{StringsBuilder, Tensor, Values};
use crate::text::{BpeTraining, TokenizerConstant};
use crate::types::{DType, Type};

/// Longer words are not trained on.
const MAX_BYTES: usize = 100;
/// How many bytes there are.
const BYTES: usize = 256;

const PARAMS: &[Param] = &[
    X,
    VOCAB_SIZE,
    MIN_FREQUENCY,
    Param {
        doc: "the first pieces, found in texts as they are; none by default",
        ..SPECIAL_TOKENS
    },
    MAX_WORDS,
    Param { doc: "name of the tokenizer's file among the assets, without `.json`", ..FILE_NAME },
];

const SEMANTICS: &str = "A `tokenizer.json` of Hugging Face's, with GPT-2's words (a blank belongs to the \
    word after it) and its characters for the 256 bytes, all of which are pieces: no text is unknown. \
    Words are counted exactly, those of more than 100 bytes not at all; of those that are as frequent \
    at `max_words` the last in bytes are kept. Pieces are the special tokens, the bytes, and pieces as \
    they are merged, until there are `vocab_size` or no pair occurs `min_frequency` times. The most \
    frequent pair is merged first; of two as frequent that whose left and right pieces come first as \
    bytes: the result depends on the words and their counts alone. Bytes that are no UTF-8 count as \
    U+FFFD, as when they are tokenized.";

/// The tokenizer, under a name of its own.
pub(in crate::ops) const BPE_TOKENIZER: Op = Op {
    name: "text.bpe_tokenizer",
    doc: "a tokenizer of byte pairs, trained on a column of texts",
    semantics: SEMANTICS,
    examples: &[
        "text.tokenize(s, text.bpe_tokenizer(s, vocab_size=300))",
        "text.tokenize(ss, text.bpe_tokenizer(nested, vocab_size=400, min_frequency=1, \
         special_tokens=['<s>', '[CLS]'], vocab_filename='pairs', max_words=9))",
    ],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        let scope = names::Scope::plain("", "bpe_tokenizer");
        Ok(vec![names::analyze(builder, call, &BPE_ANALYZER, &scope)?])
    }),
};

/// The analyzer alone.
pub(in crate::ops) const BPE_ANALYZER: Op = Op {
    name: "text.bpe_tokenizer_analyzer",
    doc: "the analyzer of `text.bpe_tokenizer`, which finds a name for its file",
    semantics: SEMANTICS,
    examples: &["text.tokenize(s, text.bpe_tokenizer_analyzer(s, 300, vocab_filename='b'))"],
    params: PARAMS,
    kind: Kind::Analyze {
        types: |call| {
            texts(call, X.name)?;
            training(call)?;
            max_words(call)?;
            Ok(vec![Type::constant(DType::Tokenizer, [])])
        },
        analyzer,
    },
};

fn training(call: &Bound) -> Result<BpeTraining> {
    let training = BpeTraining {
        vocabulary_size: size(call, &VOCAB_SIZE)?,
        min_frequency: size(call, &MIN_FREQUENCY)? as u64,
        special_tokens: special_tokens(call, Vec::new())?,
        ..BpeTraining::default()
    };
    let (asked, least) = (training.vocabulary_size, BYTES + training.special_tokens.len());
    if asked < least {
        let why = format!("`vocab_size` is {asked}; at least {least} is wanted");
        return Err(call.wrong(why).with_detail("All bytes and special tokens are pieces."));
    }
    Ok(training)
}

fn analyzer(call: &Call<'_>) -> Result<Analyzer> {
    let training = training(call)?;
    let words = Words::new();
    let file_name = sanitised(call.opt_str(FILE_NAME.name).unwrap_or("tokenizer"));
    Ok(Analyzer::RankedCounts(Arc::new(CountedWords {
        name: format!("words of GPT-2's, {MAX_BYTES}"),
        split: Box::new(move |text, into: &mut StringsBuilder| {
            words.of(&String::from_utf8_lossy(text), |word| {
                if word.len() <= MAX_BYTES {
                    into.push(word.as_bytes());
                }
            });
            Ok(())
        }),
        max_words: max_words(call)?,
        make: Box::new(move |words| {
            let trained = training.train(words);
            let json = trained.map(|trained| training.tokenizer_json(&trained).into_bytes());
            let made =
                json.and_then(|json| TokenizerConstant::of_json(format!("{file_name}.json"), json));
            let tokenizer = made.map_err(|e| cannot(BPE_TOKENIZER.name, &e))?;
            Ok(vec![Tensor::dense(1, Values::Tokenizer(Arc::new(tokenizer)))])
        }),
    })))
}

/// The words of GPT-2.
struct Words {
    pattern: Regex,
}

impl Words {
    fn new() -> Self {
        // GPT-2's own but for `\s+(?!\S)`, which this dialect has not: see below.
        let pattern = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";
        Words { pattern: Regex::new(pattern).expect("the pattern is one") }
    }

    /// Calls `emit` with each word; together they are the text.
    fn of(&self, text: &str, mut emit: impl FnMut(&str)) {
        let mut at = 0;
        while let Some(found) = self.pattern.find_at(text, at) {
            let mut word = found.as_str();
            // Of blanks before something the last one is left for it.
            if found.end() < text.len()
                && word.chars().all(char::is_whitespace)
                && let Some((last @ 1.., _)) = word.char_indices().next_back()
            {
                word = &word[..last];
            }
            emit(word);
            at = found.start() + word.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;
    use crate::op::{Args, Literal};
    use crate::ops::testing::refused;
    use crate::ops::vocabulary::testing::{rank, scalars};
    use crate::tensor::Strings;

    const TEXTS: [&[u8]; 7] = [
        b"Hug the pug, and the pug's hugs! They'll hug 12 pugs.",
        b"",
        b"  the \n\n the\t the  ",
        "\u{c9}t\u{e9} \u{e9}t\u{e9} \u{65e5}\u{672c}".as_bytes(),
        b"un\0able \xff\xfe",
        b"hugging punning running 2024",
        b"<s>the",
    ];

    fn tokenizer(
        texts: &[&[u8]],
        more: impl Fn(Args) -> Args,
        batch: usize,
        block: usize,
    ) -> Arc<TokenizerConstant> {
        let columns = [("x", scalars(texts.iter().collect::<Strings>()))];
        rank(BPE_ANALYZER.name, &columns, more, batch, block).unwrap()[0].tokenizer().clone()
    }

    #[test]
    fn a_tokenizer_depends_on_the_words_alone() {
        let more = |args: Args| {
            let special: Vec<&str> = vec!["<s>"];
            args.with("vocab_size", 290).with("special_tokens", Literal::from(special))
        };
        let expected = tokenizer(&TEXTS, more, 100, 100);
        assert!(expected.vocabulary_size() > 262);
        let mut turned = TEXTS;
        turned.reverse();
        for (batch, block) in [(1, 1), (3, 2), (7, 7)] {
            assert!(tokenizer(&TEXTS, more, batch, block) == expected);
            assert!(tokenizer(&turned, more, batch, block) == expected);
        }
        // The file gives the library that it is for the same ids, and the text comes back.
        let (name, json) = expected.file().unwrap();
        assert_eq!(name, "tokenizer.json");
        let theirs = tokenizers::Tokenizer::from_bytes(json).unwrap();
        for text in TEXTS {
            let mut ids = Vec::new();
            expected.encode(text, &mut ids);
            let text = String::from_utf8_lossy(text);
            let encoded = theirs.encode(&*text, false).unwrap();
            assert!(encoded.get_ids().iter().map(|&id| i64::from(id)).eq(ids.iter().copied()));
            assert_eq!(theirs.decode(encoded.get_ids(), false).unwrap(), text);
        }
        let mut ids = Vec::new();
        expected.encode(b"<s> the", &mut ids);
        assert_eq!(ids.len(), 2, "` the` is one piece");
        assert_eq!(ids[0], 0);
    }

    #[test]
    fn options_are_checked() {
        let check = |options: &str, expected: &str| {
            let call = format!("text.tokenize(s, text.bpe_tokenizer({options}))");
            refused(&call, &format!("`text.bpe_tokenizer_analyzer`: {expected}"));
        };
        check("n, 300", "`x` is int64; a column of strings is wanted");
        check("s, 255", "`vocab_size` is 255; at least 256 is wanted");
        check("s, 256, special_tokens=['a']", "`vocab_size` is 256; at least 257 is wanted");
        check("s, 300, min_frequency=0", "`min_frequency` is 0; at least 1 is wanted");
    }

    fn theirs(text: &str) -> Vec<String> {
        let mut split = PreTokenizedString::from(text);
        ByteLevel::new(false, true, true).pre_tokenize(&mut split).unwrap();
        let words = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
        words.into_iter().map(|(_, (start, end), _)| text[start..end].to_owned()).collect()
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_library(text in "[ a'dlrst1,\n\t\u{a0}\u{e9}\u{300}\u{3000}\u{2028}\u{1f600}]{0,24}|\\PC{0,9}") {
            let mut ours: Vec<String> = Vec::new();
            Words::new().of(&text, |word| ours.push(word.to_owned()));
            prop_assert_eq!(ours.concat(), &*text);
            prop_assert_eq!(ours, theirs(&text));
        }
    }
}
