//! A `tokenizer.json` of BERT's family with the operations of TensorFlow and tensorflow_text, as the crate
//! `tokenizers` follows it: control characters go where tensorflow_text's own tokenizer makes spaces of
//! them, letters become small without being folded, and special tokens are found in text.
//!
//! Which characters are marks, punctuation or control characters is what that crate's tables say, which are
//! of Unicode 8: TensorFlow's own classes know more of them.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::Value;
use unicode_categories::UnicodeCategories;

use super::nodes::{Nodes, Out, of_text};
use super::tf_text::{self, Pieces};
use crate::types::DType;

/// What stands for special tokens while a text is made small and cut: characters for private use, which
/// the tokenizer takes out of texts.
const FIRST_PLACEHOLDER: u32 = 0xF_0000;
/// What stands for words that are too long: no piece begins with it.
const TOO_LONG: char = '\u{10FFFD}';
/// White space that becomes a space; what else is white space is a control character and goes.
const SPACES: &str =
    "[\\t\\n\\r \\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}]";
/// The ideographs that are words by themselves.
const IDEOGRAPHS: &str = "[\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{20000}-\\x{2A6DF}\\x{2A700}-\\x{2B73F}\\
     \\x{2B740}-\\x{2B81F}\\x{2B920}-\\x{2CEAF}\\x{F900}-\\x{FAFF}\\x{2F800}-\\x{2FA1F}]";

/// The rules of a file, as far as they have nodes.
pub struct Rules {
    tokens: Vec<(String, i64)>,
    added: Vec<String>,
    prefix: String,
    unknown: String,
    unknown_id: i64,
    most_characters: u64,
    lower_case: bool,
    strip_accents: bool,
    ideographs: bool,
    joins: bool,
}

impl Rules {
    /// Reads a file.
    ///
    /// # Errors
    /// Why its rules have no nodes: a clause.
    pub fn read(json: &[u8]) -> Result<Self, &'static str> {
        let file: Value =
            serde_json::from_slice(json).map_err(|_| "its `tokenizer.json` is no JSON")?;
        let (normalizer, model) = (&file["normalizer"], &file["model"]);
        if model["type"] != "WordPiece" || file["pre_tokenizer"]["type"] != "BertPreTokenizer" {
            return Err("of `tokenizer.json`s, those of BERT's family alone have nodes there");
        }
        if normalizer["type"] != "BertNormalizer" || normalizer["clean_text"] != true {
            return Err("its `tokenizer.json` has another normalizer than BERT's");
        }
        let vocabulary = model["vocab"].as_object().ok_or("its vocabulary is no map")?;
        let mut tokens = Vec::new();
        for (token, id) in vocabulary {
            tokens.push((token.clone(), id.as_i64().ok_or("an id is no integer")?));
        }
        let mut added = Vec::new();
        for token in file["added_tokens"].as_array().into_iter().flatten() {
            let options = ["single_word", "lstrip", "rstrip", "normalized"];
            let content = token["content"].as_str().unwrap_or_default();
            if content.is_empty() || options.iter().any(|option| token[*option] == true) {
                return Err("its added tokens are looked for in another way than as they are");
            }
            if !vocabulary.contains_key(content) {
                tokens
                    .push((content.to_owned(), token["id"].as_i64().ok_or("an id is no integer")?));
            }
            added.push(content.to_owned());
        }
        let unknown = model["unk_token"].as_str().ok_or("it has no unknown token")?.to_owned();
        let unknown_id = tokens.iter().find(|(token, _)| *token == unknown);
        let unknown_id = unknown_id.ok_or("it has no unknown token")?.1;
        let lower_case = normalizer["lowercase"] == true;
        tokens.sort_by_key(|(_, id)| *id);
        Ok(Rules {
            added,
            prefix: model["continuing_subword_prefix"].as_str().unwrap_or_default().to_owned(),
            unknown,
            unknown_id,
            most_characters: model["max_input_chars_per_word"].as_u64().unwrap_or(100).min(999),
            lower_case,
            strip_accents: normalizer["strip_accents"].as_bool().unwrap_or(lower_case),
            ideographs: normalizer["handle_chinese_chars"] == true,
            joins: joins_as_bert(&file),
            tokens,
        })
    }

    /// Whether rows are joined, cut and filled as BERT's: `[CLS] a [SEP] b [SEP]`, the longer text first,
    /// at ends.
    pub fn joins(&self) -> bool {
        self.joins
    }

    /// The pieces of texts.
    pub fn pieces(&self, nodes: &mut Nodes, x: &Out) -> Pieces {
        let string = DType::String;
        let text = nodes.reshape(x, string, &[-1]);
        let attrs = [
            ("input_encoding", of_text("UTF-8")),
            ("output_encoding", of_text("UTF-8")),
            ("errors", of_text("replace")),
        ];
        let mut text = nodes.node("UnicodeTranscode", &[&text], attrs);
        let replaced = |nodes: &mut Nodes, text: &Out, pattern: &str, rewrite: &str| {
            let attrs = [("pattern", of_text(pattern)), ("rewrite", of_text(rewrite))];
            nodes.node("StaticRegexReplace", &[text], attrs)
        };
        text = replaced(nodes, &text, r"\p{Co}", "\u{FFFD}");
        for (content, placeholder) in self.placeholders() {
            text = replaced(nodes, &text, &quoted(&content), &placeholder.to_string());
        }
        text = replaced(nodes, &text, SPACES, " ");
        let Classes { controls, marks, punctuation } = Classes::get();
        text = replaced(nodes, &text, &format!(r"[{controls}\x{{FFFD}}]"), "");
        if self.ideographs {
            text = replaced(nodes, &text, &format!("({IDEOGRAPHS})"), r" \1 ");
        }
        if self.strip_accents {
            text = nodes.node("NormalizeUTF8", &[&text], [("normalization_form", of_text("NFD"))]);
            text = replaced(nodes, &text, &format!("[{marks}]"), "");
        }
        if self.lower_case {
            // A letter for itself: at a word's end, too.
            text = replaced(nodes, &text, "\u{3A3}", "\u{3C3}");
            text = nodes.node("StringLower", &[&text], [("encoding", of_text("utf-8"))]);
        }
        let mut alone = format!(r"[!-/]|[:-@]|[\[-`]|[{{-~]|[{punctuation}]");
        for (_, placeholder) in self.placeholders() {
            let _ = write!(alone, "|{placeholder}");
        }
        let (between, kept) =
            (nodes.text(format!("( |{alone})")), nodes.text(format!("({alone})")));
        let words = nodes.node("RegexSplitWithOffsets", &[&text, &between, &kept], []);
        let too_long = format!("^(?s:.{{{},}})$", self.most_characters + 1);
        let mut found = replaced(nodes, &words, &too_long, &TOO_LONG.to_string());
        for (content, placeholder) in self.placeholders() {
            let rewrite = content.replace('\\', r"\\");
            found = replaced(nodes, &found, &placeholder.to_string(), &rewrite);
        }
        let keys: crate::Strings = self.tokens.iter().map(|(token, _)| token).collect();
        let ids: Vec<i64> = self.tokens.iter().map(|(_, id)| *id).collect();
        let table = nodes.table_from(&keys.into(), &ids.into());
        let pieces =
            tf_text::wordpiece(nodes, &found, &table, &self.prefix, &self.unknown, 1 << 30);
        let unknown = nodes.scalar(self.unknown_id);
        let ids = nodes.find(&table, &pieces, &unknown);
        let splits = nodes.gather(&pieces.port(1), DType::Int64, &words.port(3));
        Pieces { ids, texts: pieces, splits }
    }

    /// Special tokens, each with what stands for it.
    fn placeholders(&self) -> impl Iterator<Item = (String, char)> + '_ {
        let characters = (FIRST_PLACEHOLDER..).filter_map(char::from_u32);
        self.added.iter().cloned().zip(characters)
    }
}

/// Characters as the crate classes them, as ranges of a pattern.
struct Classes {
    controls: String,
    marks: String,
    punctuation: String,
}

impl Classes {
    fn get() -> &'static Self {
        static CLASSES: OnceLock<Classes> = OnceLock::new();
        CLASSES.get_or_init(|| Classes {
            controls: ranges(|c| c.is_other_control() || c.is_other_format()),
            marks: ranges(char::is_mark_nonspacing),
            punctuation: ranges(char::is_punctuation),
        })
    }
}

fn ranges(is_in: impl Fn(char) -> bool) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for c in '\0'..=char::MAX {
        let code = u32::from(c);
        match ranges.last_mut() {
            _ if !is_in(c) => {}
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    ranges.iter().fold(String::new(), |mut pattern, (first, last)| {
        let _ = write!(pattern, r"\x{{{first:X}}}-\x{{{last:X}}}");
        pattern
    })
}

/// A text as a pattern for itself.
fn quoted(text: &str) -> String {
    format!(r"\Q{}\E", text.replace(r"\E", r"\E\\E\Q"))
}

fn joins_as_bert(file: &Value) -> bool {
    let special = |part: &Value, token: &str, type_id: i64| {
        part["SpecialToken"]["id"] == token && part["SpecialToken"]["type_id"] == type_id
    };
    let sequence = |part: &Value, id: &str, type_id: i64| {
        part["Sequence"]["id"] == id && part["Sequence"]["type_id"] == type_id
    };
    let processor = &file["post_processor"];
    let parts = |name: &str| processor[name].as_array().cloned().unwrap_or_default();
    let single = matches!(parts("single").as_slice(), [a, b, c]
        if special(a, "[CLS]", 0) && sequence(b, "A", 0) && special(c, "[SEP]", 0));
    let pair = matches!(parts("pair").as_slice(), [a, b, c, d, e]
        if special(a, "[CLS]", 0) && sequence(b, "A", 0) && special(c, "[SEP]", 0)
            && sequence(d, "B", 1) && special(e, "[SEP]", 1));
    let (truncation, padding) = (&file["truncation"], &file["padding"]);
    let ends = |part: &Value| part.is_null() || part["direction"] != "Left";
    let strategy = &truncation["strategy"];
    processor["type"] == "TemplateProcessing"
        && single
        && pair
        && ends(truncation)
        && ends(padding)
        && (strategy.is_null() || strategy == "LongestFirst")
        && padding["pad_type_id"].as_i64().unwrap_or(0) == 0
}
