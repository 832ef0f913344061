//! Any tokenizer of Hugging Face's, from the bytes of its `tokenizer.json`, by the crate `tokenizers`.
//!
//! Its normalizer, model, post-processor, and the directions of its truncation and padding are followed;
//! a row is as long as the caller has laid it out. Texts get U+FFFD where they are not UTF-8. Nothing is
//! read from elsewhere, and what would be random (dropout) is refused.

use engine::{Error, ErrorKind, Result};
use serde_json::Value;
use tokenizers::utils::padding::PaddingDirection;
use tokenizers::utils::truncation::{TruncationDirection, TruncationStrategy};
use tokenizers::{Encoding, PostProcessor};

use super::model_inputs::{InputRow, Truncation};

/// A `tokenizer.json`, ready to encode.
#[derive(Clone)]
pub struct HuggingFaceTokenizer {
    /// Without truncation and padding, which are done here.
    tokenizer: tokenizers::Tokenizer,
    truncation: Truncation,
    truncated_end: TruncationDirection,
    padding: Option<Padding>,
    unknown: Option<i64>,
    encodes_everything: bool,
    max_length: Option<usize>,
}

#[derive(Clone, Copy)]
struct Padding {
    id: i64,
    type_id: i64,
    direction: PaddingDirection,
}

impl HuggingFaceTokenizer {
    /// The tokenizer that the bytes of a `tokenizer.json` describe.
    ///
    /// Where the file says nothing, the longest text is truncated first, at its end, and rows are filled
    /// with `[PAD]` or `<pad>`, at their end.
    ///
    /// # Errors
    ///
    /// If the bytes are no such file, or ask for dropout.
    pub fn new(json: &[u8]) -> Result<Self> {
        let file: Value = serde_json::from_slice(json).map_err(|e| unreadable(&e))?;
        let dropout = file["model"]["dropout"].as_f64();
        if dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err(Error::new(ErrorKind::Unsupported, "the tokenizer drops merges at random")
                .with_detail("The `dropout` of its model is not 0.")
                .with_hint("Set `dropout` to null: it is for training alone."));
        }
        check_template(&file["post_processor"])?;
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(json).map_err(|e| unreadable(&e))?;
        let truncation = tokenizer.get_truncation().cloned();
        let padding = tokenizer.get_padding().cloned();
        tokenizer.with_truncation(None).map_err(|e| unreadable(&e))?;
        tokenizer.with_padding(None);
        let token_id = |token: &str| tokenizer.token_to_id(token).map(i64::from);
        let pad = ["[PAD]", "<pad>"].into_iter().find_map(token_id);
        let fixed_length = padding.as_ref().and_then(|padding| match padding.strategy {
            tokenizers::PaddingStrategy::Fixed(length) => Some(length),
            tokenizers::PaddingStrategy::BatchLongest => None,
        });
        let model = &file["model"];
        let unknown = match model["unk_token"].as_str() {
            Some(token) => token_id(token),
            None => model["unk_id"].as_i64(),
        };
        // Models that name an unknown token fail without it; the others leave out what they do not know.
        let wants_unknown = model["unk_token"].is_string() || model.get("unk_id").is_some();
        Ok(HuggingFaceTokenizer {
            unknown,
            encodes_everything: unknown.is_some() || !wants_unknown,
            max_length: truncation
                .as_ref()
                .map(|truncation| truncation.max_length)
                .or(fixed_length),
            truncation: match truncation.as_ref().map(|truncation| truncation.strategy) {
                Some(TruncationStrategy::OnlyFirst) => Truncation::OnlyFirst,
                Some(TruncationStrategy::OnlySecond) => Truncation::OnlySecond,
                Some(TruncationStrategy::LongestFirst) | None => Truncation::LongestFirst,
            },
            truncated_end: truncation.map_or(TruncationDirection::Right, |it| it.direction),
            padding: match padding {
                Some(padding) => Some(Padding {
                    id: i64::from(padding.pad_id),
                    type_id: i64::from(padding.pad_type_id),
                    direction: padding.direction,
                }),
                None => {
                    pad.map(|id| Padding { id, type_id: 0, direction: PaddingDirection::Right })
                }
            },
            tokenizer,
        })
    }

    /// The length of rows that the file asks for, by its truncation or else its padding.
    pub fn max_length(&self) -> Option<usize> {
        self.max_length
    }

    /// The number of tokens, added ones included.
    pub fn vocabulary_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The id of a token, which may be a special one.
    pub fn token_id(&self, token: &str) -> Option<i64> {
        self.tokenizer.token_to_id(token).map(i64::from)
    }

    /// The id of what the vocabulary does not know, if the model has one.
    pub fn unknown_id(&self) -> Option<i64> {
        self.unknown
    }

    /// How many special tokens a row of one text, or of a pair, has.
    pub fn added_tokens(&self, is_pair: bool) -> usize {
        let processor = self.tokenizer.get_post_processor();
        processor.map_or(0, |processor| processor.added_tokens(is_pair))
    }

    /// Whether there is a token to fill rows with.
    pub fn pads(&self) -> bool {
        self.padding.is_some()
    }

    /// Whether it has ids, or none, for every text: false where the unknown token that its model wants is
    /// missing.
    pub fn encodes_everything(&self) -> bool {
        self.encodes_everything
    }

    /// The greatest id of its tokens; 0 without any.
    pub fn last_id(&self) -> i64 {
        self.tokenizer.get_vocab(true).into_values().max().map_or(0, i64::from)
    }

    /// The token of an id.
    pub fn token(&self, id: i64) -> Option<String> {
        self.tokenizer.id_to_token(u32::try_from(id).ok()?)
    }

    /// The special tokens with their ids, ascending by id.
    pub fn special_tokens(&self) -> Vec<(String, i64)> {
        let added = self.tokenizer.get_added_tokens_decoder();
        let special = added.into_iter().filter(|(_, token)| token.special);
        let mut special: Vec<(String, i64)> =
            special.map(|(id, token)| (token.content, i64::from(id))).collect();
        special.sort_unstable_by_key(|(_, id)| *id);
        special
    }

    /// Appends the ids of a text, without special tokens and whole, and the end of each word in `ids`.
    ///
    /// Words are those of the tokenizer's pre-tokenizer.
    ///
    /// # Errors
    ///
    /// If the model cannot encode the text, such as an unknown word without an unknown token.
    pub fn encode_words(
        &self,
        text: &[u8],
        ids: &mut Vec<i64>,
        word_ends: &mut Vec<u32>,
    ) -> Result<()> {
        // Words are counted on the way that computes offsets, too.
        let text = String::from_utf8_lossy(text);
        let encoding = self.tokenizer.encode(text, false).map_err(|e| unencodable(&e))?;
        let words = encoding.get_word_ids();
        for (i, &id) in encoding.get_ids().iter().enumerate() {
            ids.push(i64::from(id));
            if words.get(i + 1).is_none_or(|next| *next != words[i]) {
                word_ends.push(ids.len() as u32);
            }
        }
        Ok(())
    }

    /// Appends the ids of a text, without special tokens and whole.
    ///
    /// # Errors
    ///
    /// As [`encode_words`](Self::encode_words).
    pub fn encode(&self, text: &[u8], ids: &mut Vec<i64>) -> Result<()> {
        ids.extend(self.encoding(text)?.get_ids().iter().map(|&id| i64::from(id)));
        Ok(())
    }

    /// Fills a row with one text or two, as the post-processor joins them; true if ids were left out.
    ///
    /// # Errors
    ///
    /// If the model cannot encode a text, the special tokens alone are longer than the row, or the row is
    /// not full and there is no token to fill it with.
    pub fn inputs<const N: usize>(&self, texts: [&[u8]; N], row: InputRow<'_>) -> Result<bool> {
        const { assert!(N == 1 || N == 2, "post-processors take one text or two") };
        let length = row.word_ids.len();
        let mut encodings = Vec::with_capacity(N);
        for text in texts {
            encodings.push(self.encoding(text)?);
        }
        let added = self.added_tokens(N == 2);
        if added > length {
            return Err(Error::invalid("the special tokens alone are longer than a row")
                .with_detail(format!("There are {added} of them; `max_length` is {length}.")));
        }
        let mut lengths: [usize; N] = std::array::from_fn(|i| encodings[i].len());
        let whole = lengths;
        self.truncation.truncate(&mut lengths, length - added);
        for (encoding, length) in encodings.iter_mut().zip(lengths) {
            encoding.truncate(length, 0, self.truncated_end);
            encoding.take_overflowing();
        }
        let second = (N == 2).then(|| encodings.pop()).flatten().map(|mut second| {
            second.set_type_ids(vec![1; second.len()]);
            second
        });
        let first = encodings.pop().unwrap_or_default();
        let encoding =
            self.tokenizer.post_process(first, second, true).map_err(|e| unencodable(&e))?;
        self.fill(&encoding, row)?;
        Ok(lengths != whole)
    }

    fn fill(&self, encoding: &Encoding, row: InputRow<'_>) -> Result<()> {
        let max_length = row.word_ids.len();
        let n = encoding.len().min(max_length);
        let padding = match self.padding {
            Some(padding) => padding,
            None if n == max_length => {
                Padding { id: 0, type_id: 0, direction: PaddingDirection::Right }
            }
            None => {
                return Err(Error::invalid("the tokenizer has no token to fill rows with")
                    .with_detail(format!("A text has {n} ids; `max_length` is {max_length}."))
                    .with_hint(
                        "Give `tokenizer.json` a `padding`, or a token `[PAD]` or `<pad>`.",
                    ));
            }
        };
        let start = match padding.direction {
            PaddingDirection::Left => max_length - n,
            PaddingDirection::Right => 0,
        };
        let columns = [
            (row.word_ids, encoding.get_ids(), padding.id),
            (row.mask, encoding.get_attention_mask(), 0),
            (row.type_ids, encoding.get_type_ids(), padding.type_id),
        ];
        for (column, values, fill) in columns {
            column.fill(fill);
            for (place, &value) in column[start..].iter_mut().zip(values) {
                *place = i64::from(value);
            }
        }
        Ok(())
    }

    fn encoding(&self, text: &[u8]) -> Result<Encoding> {
        let text = String::from_utf8_lossy(text);
        self.tokenizer.encode_fast(text, false).map_err(|e| unencodable(&e))
    }
}

/// Refuses templates with tokens that they do not explain: they would panic when they are used.
fn check_template(processor: &Value) -> Result<()> {
    let parts = processor["processors"].as_array();
    parts.into_iter().flatten().try_for_each(check_template)?;
    if processor["type"] != "TemplateProcessing" {
        return Ok(());
    }
    let pieces = ["single", "pair"].iter().filter_map(|name| processor[name].as_array()).flatten();
    for id in pieces.filter_map(|piece| piece["SpecialToken"]["id"].as_str()) {
        if processor["special_tokens"].get(id).is_none() {
            return Err(Error::input("`tokenizer.json` cannot be used")
                .with_detail(format!("Its post-processor does not say what `{id}` is."))
                .with_hint("Add it to `special_tokens` of `post_processor`."));
        }
    }
    Ok(())
}

fn unreadable(e: &dyn std::fmt::Display) -> Error {
    Error::input("`tokenizer.json` cannot be read").with_detail(format!("{e}."))
}

fn unencodable(e: &dyn std::fmt::Display) -> Error {
    Error::input("a text cannot be encoded").with_detail(format!("The tokenizer says: {e}."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use tokenizers::{PaddingParams, PaddingStrategy, TruncationParams};

    use super::*;

    fn template() -> Value {
        json!({
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
            ],
            "pair": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 1}}
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}
            }
        })
    }

    fn file(post_processor: &Value) -> Value {
        let special = |id: u32, content: &str| {
            json!({
                "id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true
            })
        };
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": [
                special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")
            ],
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": post_processor,
            "decoder": null,
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "##a": 5, "b": 6}
            }
        })
    }

    fn tokenizer(file: &Value) -> HuggingFaceTokenizer {
        HuggingFaceTokenizer::new(file.to_string().as_bytes()).unwrap()
    }

    fn row<const N: usize>(
        tokenizer: &HuggingFaceTokenizer,
        texts: [&[u8]; N],
        max_length: usize,
    ) -> Result<([Vec<i64>; 3], bool)> {
        let [mut word_ids, mut mask, mut type_ids] = [(); 3].map(|()| vec![-7; max_length]);
        let row = InputRow { word_ids: &mut word_ids, mask: &mut mask, type_ids: &mut type_ids };
        let truncated = tokenizer.inputs(texts, row)?;
        Ok(([word_ids, mask, type_ids], truncated))
    }

    #[test]
    fn texts_have_ids_and_words() {
        let tokenizer = tokenizer(&file(&template()));
        let (mut ids, mut ends) = (vec![9], vec![]);
        tokenizer.encode_words(b"Aaa b!\xff [SEP]", &mut ids, &mut ends).unwrap();
        // The normalizer drops U+FFFD, and special tokens are found in text.
        assert_eq!(ids, [9, 4, 5, 5, 6, 1, 3]);
        assert_eq!(ends, [4, 5, 6, 7]);
        ids.clear();
        tokenizer.encode(b"", &mut ids).unwrap();
        assert_eq!(ids, [0; 0]);
        assert_eq!((tokenizer.unknown_id(), tokenizer.vocabulary_size()), (Some(1), 7));
        assert_eq!(tokenizer.token_id("##a"), Some(5));
        assert_eq!(tokenizer.token_id("c"), None);
        let special: Vec<String> =
            tokenizer.special_tokens().into_iter().map(|(token, _)| token).collect();
        assert_eq!(special, ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]);
    }

    #[test]
    fn rows_are_put_together_truncated_and_filled() {
        let mut file = file(&template());
        let check = |file: &Value, found: ([Vec<i64>; 3], bool), expected: [&[i64]; 3], cut| {
            assert_eq!(found.0.each_ref().map(|column| &**column), expected, "{}", file["padding"]);
            assert_eq!(found.1, cut);
        };
        let plain = tokenizer(&file);
        assert_eq!(plain.max_length(), None);
        let found = row(&plain, [b"a b", b"b"], 8).unwrap();
        let expected: [&[i64]; 3] =
            [&[2, 4, 6, 3, 6, 3, 0, 0], &[1, 1, 1, 1, 1, 1, 0, 0], &[0, 0, 0, 0, 1, 1, 0, 0]];
        check(&file, found, expected, false);
        let found = row(&plain, [b"a a a b b b", b"b b b b"], 8).unwrap();
        let expected: [&[i64]; 3] = [&[2, 4, 4, 4, 3, 6, 6, 3], &[1; 8], &[0, 0, 0, 0, 0, 1, 1, 1]];
        check(&file, found, expected, true);
        file["padding"] = json!({
            "strategy": {"Fixed": 6}, "direction": "Left", "pad_to_multiple_of": null,
            "pad_id": 5, "pad_type_id": 7, "pad_token": "##a"
        });
        file["truncation"] =
            json!({"direction": "Left", "max_length": 9, "strategy": "OnlyFirst", "stride": 2});
        let left = tokenizer(&file);
        assert_eq!(left.max_length(), Some(9));
        let found = row(&left, [b"b"], 5).unwrap();
        check(&file, found, [&[5, 5, 2, 6, 3], &[0, 0, 1, 1, 1], &[7, 7, 0, 0, 0]], false);
        let found = row(&left, [b"a a b"], 3).unwrap();
        check(&file, found, [&[2, 6, 3], &[1; 3], &[0; 3]], true);
        // The first text alone may lose ids, and has too few.
        let found = row(&left, [b"a", b"b b b"], 5).unwrap();
        check(&file, found, [&[2, 3, 6, 6, 3], &[1; 5], &[0, 0, 1, 1, 1]], true);
        let error = row(&left, [b"a", b"b"], 2).unwrap_err();
        assert!(error.to_string().contains("There are 3 of them; `max_length` is 2."), "{error}");
        // The last value is the number of ids that are kept, which may be none.
        let found = row(&plain, [b"a"], 2).unwrap();
        check(&file, found, [&[2, 3], &[1; 2], &[0; 2]], true);
    }

    #[test]
    fn files_that_cannot_be_used_are_refused() {
        let check = |file: &Value, expected: &str| {
            let error = HuggingFaceTokenizer::new(file.to_string().as_bytes()).err().unwrap();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&json!([]), "cannot be read");
        check(&json!({"model": {"type": "Other"}}), "cannot be read");
        let mut dropout = file(&Value::Null);
        dropout["model"] =
            json!({"type": "BPE", "dropout": 0.5, "vocab": {}, "merges": [], "unk_token": null});
        check(&dropout, "drops merges at random");
        let mut template = template();
        template["special_tokens"] = json!({});
        check(&file(&template), "does not say what `[CLS]` is");
        check(
            &file(&json!({"type": "Sequence", "processors": [template]})),
            "does not say what `[CLS]` is",
        );
        assert!(HuggingFaceTokenizer::new(b"\xff").is_err());
    }

    #[test]
    fn a_row_that_is_not_full_needs_padding() {
        let mut file = file(&Value::Null);
        file["added_tokens"] = json!([]);
        file["model"]["vocab"] = json!({"[UNK]": 0, "a": 1});
        let tokenizer = tokenizer(&file);
        let (found, _) = row(&tokenizer, [b"a b"], 2).unwrap();
        assert_eq!(found, [vec![1, 0], vec![1, 1], vec![0, 0]]);
        let error = row(&tokenizer, [b"a"], 2).unwrap_err();
        assert!(error.to_string().contains("no token to fill rows with"), "{error}");
    }

    proptest! {
        /// The crate's own way, with truncation, post-processor and padding in one call.
        ///
        /// (Its `encode` stops at `max_length` pieces of each text, and then takes two that are longer for
        /// equally long.)
        #[test]
        fn rows_are_those_of_the_crate(
            texts in prop::array::uniform2("[ab !]{0,12}"),
            max_length in 4..14usize,
            kind in 0..4usize,
            pair: bool,
        ) {
            let post_processor = match kind {
                0 => template(),
                1 => json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}),
                2 => json!({
                    "type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2],
                    "trim_offsets": true, "add_prefix_space": true
                }),
                _ => Value::Null,
            };
            let file = file(&post_processor);
            let ours = tokenizer(&file);
            let mut theirs = tokenizers::Tokenizer::from_bytes(file.to_string()).unwrap();
            let texts = texts.each_ref().map(String::as_str);
            let [first, mut second] = texts.map(|text| theirs.encode(text, false).unwrap());
            second.set_type_ids(vec![1; second.len()]);
            let truncation = TruncationParams { max_length, ..TruncationParams::default() };
            theirs.with_truncation(Some(truncation)).unwrap();
            theirs.with_padding(Some(PaddingParams {
                strategy: PaddingStrategy::Fixed(max_length),
                ..PaddingParams::default()
            }));
            let [one, two] = texts.map(str::as_bytes);
            let (second, found) = if pair {
                (Some(second), row(&ours, [one, two], max_length))
            } else {
                (None, row(&ours, [one], max_length))
            };
            let expected = theirs.post_process(first, second, true).unwrap();
            let (found, truncated) = found.unwrap();
            let wide = |values: &[u32]| values.iter().map(|&id| i64::from(id)).collect::<Vec<_>>();
            prop_assert_eq!(&found[0], &wide(expected.get_ids()));
            prop_assert_eq!(&found[1], &wide(expected.get_attention_mask()));
            prop_assert_eq!(&found[2], &wide(expected.get_type_ids()));
            if kind < 3 {
                prop_assert_eq!(truncated, !expected.get_overflowing().is_empty());
            }
        }

        #[test]
        fn any_bytes_have_ids(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let tokenizer = tokenizer(&file(&template()));
            let (mut ids, mut ends) = (vec![], vec![]);
            tokenizer.encode_words(&text, &mut ids, &mut ends).unwrap();
            prop_assert_eq!(ends.last().map_or(0, |&end| end as usize), ids.len());
            prop_assert!(row(&tokenizer, [&text], 9).is_ok());
        }
    }
}
