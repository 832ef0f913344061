//! Trained vocabularies as the text of a `tokenizer.json`, which Hugging Face's libraries read.
//!
//! The text is a function of the vocabulary: tokens stand in the order of their ids, and what `json!` makes
//! is written with its keys ascending, which is their order in any case.

use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};

use super::bpe_training::BpeTraining;
use super::training::TrainedVocabulary;
use super::wordpiece_training::WordPieceTraining;

#[derive(serde::Serialize)]
struct File<'a> {
    version: &'static str,
    truncation: Option<()>,
    padding: Option<()>,
    added_tokens: Vec<AddedToken<'a>>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: Model<'a>,
}

#[derive(serde::Serialize)]
struct AddedToken<'a> {
    id: usize,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(serde::Serialize)]
#[serde(tag = "type")]
enum Model<'a> {
    WordPiece {
        unk_token: &'a str,
        continuing_subword_prefix: &'a str,
        max_input_chars_per_word: usize,
        vocab: Ids<'a>,
    },
    #[serde(rename = "BPE")]
    Bpe {
        dropout: Option<f32>,
        unk_token: Option<&'a str>,
        continuing_subword_prefix: Option<&'a str>,
        end_of_word_suffix: Option<&'a str>,
        fuse_unk: bool,
        byte_fallback: bool,
        ignore_merges: bool,
        vocab: Ids<'a>,
        merges: &'a [(String, String)],
    },
}

/// A map from tokens to their ids, in the order of these.
struct Ids<'a>(&'a [String]);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().enumerate().map(|(id, token)| (token, id)))
    }
}

impl WordPieceTraining {
    /// The `tokenizer.json` of a vocabulary trained so, with BERT's normalizer, words and, where there are
    /// `[CLS]` and `[SEP]`, rows.
    pub fn tokenizer_json(&self, trained: &TrainedVocabulary, lower_case: bool) -> String {
        let model = Model::WordPiece {
            unk_token: "[UNK]",
            continuing_subword_prefix: &self.continuing_subword_prefix,
            max_input_chars_per_word: 100,
            vocab: Ids(&trained.pieces),
        };
        let normalizer = json!({
            "clean_text": true,
            "handle_chinese_chars": true,
            "lowercase": lower_case,
            "strip_accents": null,
            "type": "BertNormalizer",
        });
        let prefix = &self.continuing_subword_prefix;
        text(&File {
            normalizer,
            pre_tokenizer: json!({"type": "BertPreTokenizer"}),
            post_processor: template(&trained.pieces),
            decoder: json!({"cleanup": true, "prefix": prefix, "type": "WordPiece"}),
            ..file(&self.special_tokens, model)
        })
    }
}

impl BpeTraining {
    /// The `tokenizer.json` of an encoding trained so: words are GPT-2's for bytes, and what is between
    /// white space for characters.
    pub fn tokenizer_json(&self, trained: &TrainedVocabulary) -> String {
        let mut names = ["[UNK]", "<unk>"].into_iter();
        let unknown = names.find(|token| trained.pieces.iter().any(|piece| piece == token));
        let prefix = &self.continuing_subword_prefix;
        let model = Model::Bpe {
            dropout: None,
            unk_token: unknown.filter(|_| !self.byte_level),
            continuing_subword_prefix: (!prefix.is_empty()).then_some(prefix),
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: Ids(&trained.pieces),
            merges: &trained.merges,
        };
        let bytes = json!({
            "add_prefix_space": false,
            "trim_offsets": true,
            "type": "ByteLevel",
            "use_regex": true,
        });
        let (pre_tokenizer, decoder) = if self.byte_level {
            (bytes.clone(), bytes)
        } else {
            (json!({"type": "WhitespaceSplit"}), Value::Null)
        };
        text(&File {
            pre_tokenizer,
            post_processor: template(&trained.pieces),
            decoder,
            ..file(&self.special_tokens, model)
        })
    }
}

fn file<'a>(special_tokens: &'a [String], model: Model<'a>) -> File<'a> {
    let added = special_tokens.iter().enumerate().map(|(id, content)| AddedToken {
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
    });
    File {
        version: "1.0",
        truncation: None,
        padding: None,
        added_tokens: added.collect(),
        normalizer: Value::Null,
        pre_tokenizer: Value::Null,
        post_processor: Value::Null,
        decoder: Value::Null,
        model,
    }
}

/// `[CLS] A [SEP] B [SEP]`, where the vocabulary has both.
fn template(pieces: &[String]) -> Value {
    let id = |token: &str| pieces.iter().position(|piece| piece == token);
    let (Some(cls), Some(sep)) = (id("[CLS]"), id("[SEP]")) else { return Value::Null };
    let special =
        |token: &str, type_id: u8| json!({"SpecialToken": {"id": token, "type_id": type_id}});
    let sequence = |name: &str, type_id: u8| json!({"Sequence": {"id": name, "type_id": type_id}});
    let explained = |token: &str, id: usize| json!({"id": token, "ids": [id], "tokens": [token]});
    let single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)];
    let second = [sequence("B", 1), special("[SEP]", 1)];
    let pair = [&single[..], &second[..]].concat();
    json!({
        "pair": pair,
        "single": single,
        "special_tokens": {"[CLS]": explained("[CLS]", cls), "[SEP]": explained("[SEP]", sep)},
        "type": "TemplateProcessing",
    })
}

fn text(file: &File<'_>) -> String {
    serde_json::to_string(file).expect("strings, numbers and JSON can be written")
}
