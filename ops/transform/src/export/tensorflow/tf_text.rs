//! BERT's tokenizer and the inputs of its models, with the operations of tensorflow_text: its
//! `BertTokenizer`, node for node, so that rare characters are the same too. Who loads such a graph imports
//! `tensorflow_text`; TensorFlow Serving has its operations.

use engine::Result;

use super::hugging_face::Rules;
use super::nodes::{Nodes, Out, of_text, of_type, refused};
use super::proto::Attr;
use crate::op::Call;
use crate::text::TokenizerSource;
use crate::text::model_inputs::Truncation;
use crate::types::DType;
use crate::vocabulary::{FileFormat, Vocabulary};

/// The pieces of texts.
pub struct Pieces {
    /// The ids of all pieces.
    pub ids: Out,
    /// The pieces.
    pub texts: Out,
    /// Where the pieces of each text begin and end.
    pub splits: Out,
}

/// Characters that are words by themselves: ASCII punctuation, Unicode's, and CJK ideographs.
const ALONE: [&str; 13] = [
    r"[!-/]",
    r"[:-@]",
    r"[\[-`]",
    r"[{-~]",
    r"[\p{P}]",
    r"[\x{4E00}-\x{9FFF}]",
    r"[\x{3400}-\x{4DBF}]",
    r"[\x{20000}-\x{2A6DF}]",
    r"[\x{2A700}-\x{2B73F}]",
    r"[\x{2B740}-\x{2B81F}]",
    r"[\x{2B820}-\x{2CEAF}]",
    r"[\x{F900}-\x{FAFF}]",
    r"[\x{2F800}-\x{2FA1F}]",
];

/// The pieces of texts by the tokenizer that is the call's `tokenizer`.
///
/// # Errors
/// For tokenizers of other rules than BERT's.
pub fn pieces(nodes: &mut Nodes, call: &Call<'_>, tokenizer: &str, x: &Out) -> Result<Pieces> {
    let tokenizer = call.constant(tokenizer)?.tokenizer();
    let (pieces, options) = match tokenizer.source() {
        TokenizerSource::Vocabulary { pieces, options } => (pieces, options),
        TokenizerSource::Json { json, .. } => {
            let rules = Rules::read(json).map_err(|why| refused(call, why))?;
            return Ok(rules.pieces(nodes, x));
        }
    };
    let unknown = String::from_utf8_lossy(&options.unknown_token).into_owned();
    let suffix = String::from_utf8_lossy(&options.suffix_indicator).into_owned();
    let digest = crc32c::crc32c(pieces.bytes());
    let vocabulary = Vocabulary::new(
        format!("pieces-{digest:08x}-{}.txt", pieces.len()),
        FileFormat::Text,
        pieces.clone(),
    );
    let table = nodes.table(&vocabulary.into())?;
    let string = DType::String;
    let mut text = nodes.reshape(x, string, &[-1]);
    let replaced = |nodes: &mut Nodes, text: &Out, pattern: &str, rewrite: &str| {
        let attrs = [("pattern", of_text(pattern)), ("rewrite", of_text(rewrite))];
        nodes.node("StaticRegexReplace", &[text], attrs)
    };
    if options.lower_case {
        text = nodes.node("CaseFoldUTF8", &[&text], []);
        text = nodes.node("NormalizeUTF8", &[&text], [("normalization_form", of_text("NFD"))]);
        text = replaced(nodes, &text, r"\p{Mn}", "");
    }
    text = replaced(nodes, &text, r"\p{Cc}|\p{Cf}", " ");
    let alone = ALONE.join("|");
    let (between, kept) = (nodes.text(format!(r"(\s+|{alone})")), nodes.text(format!("({alone})")));
    let words = nodes.node("RegexSplitWithOffsets", &[&text, &between, &kept], []);
    let most = i64::try_from(options.max_bytes_per_word).unwrap_or(i64::MAX);
    let found = wordpiece(nodes, &words, &table, &suffix, &unknown, most);
    let unknown = nodes.scalar(tokenizer.unknown_id().unwrap_or(pieces.len() as i64));
    let ids = nodes.find(&table, &found, &unknown);
    let splits = nodes.gather(&found.port(1), DType::Int64, &words.port(3));
    Ok(Pieces { ids, texts: found, splits })
}

/// The pieces of words, and behind them where the pieces of each word begin and end.
pub(super) fn wordpiece(
    nodes: &mut Nodes,
    words: &Out,
    table: &Out,
    suffix: &str,
    unknown: &str,
    most_bytes: i64,
) -> Out {
    let attrs = [
        ("suffix_indicator", of_text(suffix)),
        ("max_bytes_per_word", Attr::I(most_bytes)),
        ("max_chars_per_token", Attr::I(0)),
        ("use_unknown_token", Attr::B(true)),
        ("unknown_token", of_text(unknown)),
        ("split_unknown_characters", Attr::B(false)),
        ("output_row_partition_type", of_text("row_splits")),
    ];
    nodes.node("WordpieceTokenizeWithOffsets", &[words, table], attrs)
}

/// What the lengths of two texts become so that they fit `budget` together.
fn truncated(nodes: &mut Nodes, lengths: &[Out], budget: i64, how: Truncation) -> Vec<Out> {
    let int = DType::Int64;
    let all = nodes.scalar(budget);
    let [a, b] = lengths else {
        return lengths.iter().map(|length| nodes.ints("Minimum", length, &all)).collect();
    };
    let only = |nodes: &mut Nodes, a: &Out, b: &Out| {
        let zero = nodes.scalar(0i64);
        let left = nodes.ints("Sub", &all, b);
        let left = nodes.ints("Maximum", &left, &zero);
        (nodes.ints("Minimum", a, &left), nodes.ints("Minimum", b, &all))
    };
    let (low, high) = (nodes.scalar(budget / 2), nodes.scalar(budget - budget / 2));
    // A text keeps its share, and what the other does not want of its own.
    let (of_a, of_b) = match how {
        Truncation::OnlyFirst => {
            let (a, b) = only(nodes, a, b);
            return vec![a, b];
        }
        Truncation::OnlySecond => {
            let (b, a) = only(nodes, b, a);
            return vec![a, b];
        }
        Truncation::RoundRobin => (high, low),
        Truncation::LongestFirst => {
            let longer = nodes.typed("Greater", int, &[a, b]);
            let of_a = nodes.select(&longer, &high, &low, int);
            (of_a, nodes.select(&longer, &low, &high, int))
        }
    };
    let keep = |nodes: &mut Nodes, own: &Out, other: &Out, share: &Out| {
        let left = nodes.ints("Sub", &all, other);
        let most = nodes.ints("Maximum", &left, share);
        nodes.ints("Minimum", own, &most)
    };
    vec![keep(nodes, a, b, &of_a), keep(nodes, b, a, &of_b)]
}

/// `input_word_ids`, `input_mask` and `input_type_ids` of one text or two: as TFX makes them, or with a
/// truncation as segments. `special` are the ids of `[CLS]`, `[SEP]` and `[PAD]`.
pub fn model_inputs(
    nodes: &mut Nodes,
    texts: &[Pieces],
    special: [i64; 3],
    max_length: i64,
    truncation: Option<Truncation>,
) -> [Out; 3] {
    let (int, n) = (DType::Int64, texts.len() as i64);
    let lengths: Vec<Out> = texts.iter().map(|text| nodes.lengths(&text.splits)).collect();
    let lengths = match truncation {
        Some(how) => truncated(nodes, &lengths, (max_length - n - 1).max(0), how),
        None => {
            let part = max_length / n;
            let limits = (0i64..).map(|number| (part - 1 - i64::from(number == 0)).max(0));
            let limited = lengths.iter().zip(limits).map(|(length, limit)| {
                let limit = nodes.scalar(limit);
                nodes.ints("Minimum", length, &limit)
            });
            limited.collect()
        }
    };
    // All ids, and behind them the special ones: each place of a row is one of these.
    let special_ids = nodes.list(special.to_vec());
    let mut all: Vec<&Out> = texts.iter().map(|text| &text.ids).collect();
    all.push(&special_ids);
    let all = nodes.concat(&all, int, 0);
    let [zero, one] = [0i64, 1].map(|value| nodes.scalar(value));
    let places = nodes.constant(&(0..max_length).collect::<Vec<i64>>().into(), &[1, max_length]);
    let mut first = zero.clone();
    let mut begins = Vec::new();
    for text in texts {
        begins.push(first.clone());
        let size = nodes.size(&text.ids, int);
        first = nodes.ints("AddV2", &first, &size);
    }
    let [start, end, pad] = [0i64, 1, 2].map(|k| {
        let k = nodes.scalar(k);
        nodes.ints("AddV2", &first, &k)
    });
    let is_start = nodes.typed("Equal", int, &[&places, &zero]);
    let mut at = nodes.select(&is_start, &start, &pad, int);
    let mut types = nodes.like(&places, int, int, 0.0);
    let mut next = one.clone();
    for (number, (text, length)) in texts.iter().zip(&lengths).enumerate() {
        let length = nodes.reshape(length, int, &[-1, 1]);
        let from = nodes.slice_rows(&text.splits);
        let from = nodes.ints("AddV2", &from, &begins[number]);
        let ends = nodes.ints("AddV2", &next, &length);
        let inside = nodes.within(&places, &next, &ends);
        let place = nodes.ints("Sub", &places, &next);
        let source = nodes.ints("AddV2", &place, &from);
        at = nodes.select(&inside, &source, &at, int);
        let is_end = nodes.typed("Equal", int, &[&places, &ends]);
        at = nodes.select(&is_end, &end, &at, int);
        let own = nodes.scalar(number as i64);
        // Padding has the type of the second text in TFX's layout, none in the other.
        let behind = nodes.typed("GreaterEqual", int, &[&places, &next]);
        let of_text = if truncation.is_none() {
            behind
        } else {
            let to_end = nodes.typed("LessEqual", int, &[&places, &ends]);
            nodes.node("LogicalAnd", &[&behind, &to_end], [])
        };
        types = nodes.select(&of_text, &own, &types, int);
        next = nodes.ints("AddV2", &ends, &one);
    }
    let ids = nodes.gather(&all, int, &at);
    let mask = if truncation.is_none() {
        let pad = nodes.scalar(special[2]);
        nodes.typed("NotEqual", int, &[&ids, &pad])
    } else {
        nodes.typed("Less", int, &[&places, &next])
    };
    let mask = nodes.cast(&mask, DType::Bool, int);
    // One text alone has the same types in every row.
    let types = nodes.fill_like(&ids, &types);
    [ids, mask, types]
}

impl Nodes {
    /// Where each row begins, as a column.
    fn slice_rows(&mut self, splits: &Out) -> Out {
        let lengths = self.lengths(splits);
        let ends = self.slice(splits, DType::Int64, 1, -1);
        let begins = self.ints("Sub", &ends, &lengths);
        self.reshape(&begins, DType::Int64, &[-1, 1])
    }

    /// int64 values in the shape of others.
    fn fill_like(&mut self, shape: &Out, values: &Out) -> Out {
        let attrs = [("T", of_type(DType::Int64))];
        let zeros = self.node("ZerosLike", &[shape], attrs);
        self.ints("AddV2", &zeros, values)
    }
}
