//! `text.bert_inputs`: one text or two as the three inputs of a BERT model.

use std::sync::Arc;

use engine::{Error, ErrorKind, Result};

use super::super::params::{option, value};
use super::tokenize::ids_of;
use super::{TOKENIZER, check_tokenizer};
use crate::export::Export;
use crate::export::tensorflow::hugging_face::Rules;
use crate::export::tensorflow::{Column, Nodes, refused, tf_text};
use crate::op::{Bound, Call, Default, Kernel, Kind, Op, Param, Takes};
use crate::tensor::{Strings, Tensor};
use crate::text::model_inputs::{InputRow, SpecialIds, Truncation, segment_inputs, tfx_inputs};
use crate::text::{HuggingFaceTokenizer, Tokenizer, TokenizerConstant, TokenizerSource};
use crate::types::{DType, Dim, Type};

const A: Param = value("a", "a text for each row");
const B: Param =
    option("b", Takes::Value { like: "" }, Default::None, "a second text for each row");
const MAX_LENGTH: Param =
    option("max_length", Takes::Int, Default::Int(128), "the length of each input");
const LAYOUT: Param = option(
    "layout",
    Takes::Str,
    Default::Str("tfx"),
    "`tfx`, `segments` or `tokenizer`: where texts end, and what padding is",
);
const TRUNCATION: Param = option(
    "truncation",
    Takes::Str,
    Default::None,
    "which ids go in `segments`: `round_robin`, `longest_first`, `only_first` or `only_second`",
);
/// More is no row that a model takes.
const LONGEST: i64 = 1 << 20;

/// The results, in their order.
pub(in crate::ops) const RESULTS: &[&str] = &["input_word_ids", "input_mask", "input_type_ids"];

/// The inputs of a model.
pub(in crate::ops) const BERT_INPUTS: Op = Op {
    name: "text.bert_inputs",
    doc: "one text or two as a BERT model's `input_word_ids`, `input_mask` and `input_type_ids`",
    semantics: "Three columns of int64[max_length]. `tfx` is what TFX's BERT examples make: `[CLS] a \
        [SEP]`, a cut so that all of it fits; of a pair `[CLS] a [SEP] b [SEP]`, each text cut by \
        itself so that it fits half of `max_length` with its special ids. The rest is `[PAD]`; the mask \
        is 0 wherever the id is that of `[PAD]`; type ids are 0, of a pair 1 after the first `[SEP]`, \
        padding included. `segments` is tensorflow_text's `combine_segments` and `pad_model_inputs`: \
        the texts share `max_length` as `truncation` says (`round_robin` by default: in turn), the mask \
        covers all that is no padding, and padding has type 0. Where `only_first` or `only_second` has \
        too little to lose, the other text loses the rest. `tokenizer` joins, cuts and pads as a \
        `tokenizer.json` says. Ids of `[CLS]`, `[SEP]` and `[PAD]` are the tokenizer's. An empty text \
        has no ids: `[CLS] [SEP]`. Every row needs its texts; `tft.fill_in_missing(x, '')` makes \
        missing ones empty.",
    examples: &[
        "text.bert_inputs(s, tokenizer=text.bert_tokenizer('vocab.txt'), max_length=8)",
        "text.bert_inputs(s, t, text.bert_tokenizer('vocab.txt'), max_length=9)",
        "text.bert_inputs(tft.fill_in_missing(ss, ''), \
          tokenizer=text.bert_tokenizer('vocab.txt', lower_case=False), layout='segments')",
        "text.bert_inputs(s, t, text.bert_tokenizer('vocab.txt'), 7, 'segments', 'longest_first')",
        "text.bert_inputs(s, t, text.bert_tokenizer('vocab.txt'), 6, 'segments', 'only_first')",
        "text.bert_inputs(s, t, text.bert_tokenizer('vocab.txt'), 6, 'segments', 'only_second')",
        "text.bert_inputs(s, t, text.hugging_face_tokenizer('tokenizer.json'), 7, 'tokenizer')",
        "text.bert_inputs(s, tokenizer=text.hugging_face_tokenizer('tokenizer.json'), \
          layout='tokenizer')",
    ],
    params: &[A, B, TOKENIZER, MAX_LENGTH, LAYOUT, TRUNCATION],
    kind: Kind::Map {
        types: |call| {
            check_tokenizer(call)?;
            text(call, A.name)?;
            if call.opt_ty(B.name).is_some() {
                text(call, B.name)?;
            }
            truncation(call)?;
            let inputs = Type::column(DType::Int64, [Dim::Fixed(max_length(call)? as u32)]);
            Ok(vec![inputs; 3])
        },
        kernel,
        domain: Some(ids_of),
        keeps: "",
        onnx: super::NOT_IN_ONNX,
        tensorflow: Export::Nodes(inputs_there),
    },
};

/// Checks that an argument is one text for each row.
fn text(call: &Call<'_>, name: &str) -> Result<()> {
    match call.ty(name)? {
        ty if ty.dtype != DType::String || ty.constant => {
            Err(call.wrong_type(name, "a column of strings"))
        }
        ty if ty.fixed_len() == Some(1) => Ok(()),
        ty => {
            let error = call.wrong_type(name, "one text for each row");
            Err(if ty.shape == [Dim::Var] {
                error.with_hint(format!("`tft.fill_in_missing({name}, '')` is one text a row."))
            } else {
                error
            })
        }
    }
}

fn max_length(call: &Call<'_>) -> Result<i64> {
    // A row has its special ids, whatever the texts are.
    let least = if call.opt_ty(B.name).is_some() { 4 } else { 2 };
    let length = call.int_from(MAX_LENGTH.name, least)?;
    if length > LONGEST {
        return Err(call.wrong(format!("`max_length` is {length}; at most {LONGEST} is taken")));
    }
    Ok(length)
}

/// What `layout` and `truncation` say.
enum Wanted {
    Tfx,
    Segments(Truncation),
    Tokenizer,
}

fn truncation(call: &Bound) -> Result<Wanted> {
    let layout = call.opt_str(LAYOUT.name).unwrap_or("tfx");
    match (layout, call.opt_str(TRUNCATION.name)) {
        ("tfx", None) => Ok(Wanted::Tfx),
        ("tokenizer", None) => Ok(Wanted::Tokenizer),
        ("segments", truncation) => Ok(Wanted::Segments(match truncation {
            None | Some("round_robin") => Truncation::RoundRobin,
            Some("longest_first") => Truncation::LongestFirst,
            Some("only_first") => Truncation::OnlyFirst,
            Some("only_second") => Truncation::OnlySecond,
            Some(other) => {
                return Err(call.wrong(format!("`truncation` is `{other}`")).with_hint(
                    "It is `round_robin`, `longest_first`, `only_first` or `only_second`.",
                ));
            }
        })),
        ("tfx" | "tokenizer", Some(_)) => Err(call
            .wrong(format!("layout `{layout}` has a `truncation` of its own"))
            .with_hint("Leave `truncation` out, or choose `layout='segments'`.")),
        _ => Err(call
            .wrong(format!("`layout` is `{layout}`"))
            .with_hint("Layouts are `tfx`, `segments` and `tokenizer`.")),
    }
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let tokenizer = call.constant(TOKENIZER.name)?.tokenizer().clone();
    let max_length = max_length(call)? as usize;
    let is_pair = call.opt_ty(B.name).is_some();
    Ok(match truncation(call)? {
        Wanted::Tokenizer => {
            let Tokenizer::HuggingFace(hugging_face) = &**tokenizer else {
                return Err(call
                    .wrong("the tokenizer says nothing of layouts")
                    .with_hint("`layout='tokenizer'` is for `text.hugging_face_tokenizer`."));
            };
            let added = hugging_face.added_tokens(is_pair);
            if added > max_length {
                return Err(call
                    .wrong(format!("`max_length` is {max_length}; at least {added} is wanted"))
                    .with_hint("The tokenizer adds so many special tokens to a row."));
            }
            if !hugging_face.pads() {
                return Err(call.wrong("the tokenizer has no token to fill rows with").with_hint(
                    "Give `tokenizer.json` a `padding`, or a token `[PAD]` or `<pad>`.",
                ));
            }
            Box::new(Joined { tokenizer: (**hugging_face).clone(), max_length, is_pair })
        }
        wanted => {
            let id = |token: &str| {
                tokenizer.token_id(token).ok_or_else(|| {
                    call.wrong(format!("the tokenizer has no `{token}`"))
                        .with_hint("Rows need the pieces `[CLS]`, `[SEP]` and `[PAD]`.")
                })
            };
            let special = SpecialIds { start: id("[CLS]")?, end: id("[SEP]")?, pad: id("[PAD]")? };
            let truncation = match wanted {
                Wanted::Segments(truncation) => Some(truncation),
                _ => None,
            };
            Box::new(Inputs { tokenizer, special, truncation, max_length, is_pair })
        }
    })
}

/// Rows of pieces and special ids.
struct Inputs {
    tokenizer: Arc<TokenizerConstant>,
    special: SpecialIds,
    /// Of segments; TFX's layout cuts by itself.
    truncation: Option<Truncation>,
    max_length: usize,
    is_pair: bool,
}

impl Inputs {
    fn fill<const N: usize>(&self, segments: [&[i64]; N], row: InputRow<'_>) {
        match self.truncation {
            Some(truncation) => segment_inputs(segments, truncation, self.special, row),
            None => tfx_inputs(segments, self.special, row),
        };
    }
}

impl Kernel for Inputs {
    fn eval(&self, rows: usize, inputs: &[&Tensor], out: &mut Vec<Tensor>) -> Result<()> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let encode = |texts: &Strings, row: usize, ids: &mut Vec<i64>| {
            ids.clear();
            self.tokenizer.encode(texts.get(row), ids);
        };
        columns(rows, self.max_length, out, |row, place| {
            encode(inputs[0].strings(), row, &mut first);
            if self.is_pair {
                encode(inputs[1].strings(), row, &mut second);
                self.fill([&first, &second], place);
            } else {
                self.fill([&first], place);
            }
        })
    }
}

/// Rows as a `tokenizer.json` joins, cuts and fills them.
struct Joined {
    tokenizer: HuggingFaceTokenizer,
    max_length: usize,
    is_pair: bool,
}

impl Kernel for Joined {
    fn eval(&self, rows: usize, inputs: &[&Tensor], out: &mut Vec<Tensor>) -> Result<()> {
        columns(rows, self.max_length, out, |row, place| {
            let first = inputs[0].strings().get(row);
            // It encodes everything, so there is nothing that can go wrong.
            let _ = if self.is_pair {
                self.tokenizer.inputs([first, inputs[1].strings().get(row)], place)
            } else {
                self.tokenizer.inputs([first], place)
            };
        })
    }
}

/// The three columns, filled row by row.
fn columns(
    rows: usize,
    max_length: usize,
    out: &mut Vec<Tensor>,
    mut fill: impl FnMut(usize, InputRow<'_>),
) -> Result<()> {
    let n =
        rows.checked_mul(max_length).filter(|n| i32::try_from(*n).is_ok()).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "a batch has more than 2^31 ids of one input")
                .with_hint("Use fewer rows to a batch, such as `--batch-rows 256`.")
        })?;
    let [mut word_ids, mut mask, mut type_ids] = [(); 3].map(|()| vec![0i64; n]);
    let places = word_ids.chunks_exact_mut(max_length).zip(mask.chunks_exact_mut(max_length));
    let places = places.zip(type_ids.chunks_exact_mut(max_length));
    for (row, ((word_ids, mask), type_ids)) in places.enumerate() {
        fill(row, InputRow { word_ids, mask, type_ids });
    }
    out.extend([word_ids, mask, type_ids].map(|values| Tensor::dense(rows, values)));
    Ok(())
}

fn inputs_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let segments = match truncation(call)? {
        Wanted::Tfx => None,
        Wanted::Segments(truncation) => Some(truncation),
        Wanted::Tokenizer => {
            let TokenizerSource::Json { json, .. } =
                call.constant(TOKENIZER.name)?.tokenizer().source()
            else {
                return Err(refused(call, "the tokenizer says nothing of layouts"));
            };
            let rules = Rules::read(json).map_err(|why| refused(call, why))?;
            if !rules.joins() {
                let why = "its `tokenizer.json` joins, cuts or pads in another way than BERT";
                return Err(refused(call, why));
            }
            Some(Truncation::LongestFirst)
        }
    };
    let mut texts = vec![tf_text::pieces(nodes, call, TOKENIZER.name, &columns[0].values)?];
    if call.opt_ty(B.name).is_some() {
        texts.push(tf_text::pieces(nodes, call, TOKENIZER.name, &columns[1].values)?);
    }
    let tokenizer = call.constant(TOKENIZER.name)?.tokenizer();
    let id = |token: &str| {
        tokenizer.token_id(token).ok_or_else(|| call.wrong(format!("there is no `{token}`")))
    };
    let special = [id("[CLS]")?, id("[SEP]")?, id("[PAD]")?];
    let columns = tf_text::model_inputs(nodes, &texts, special, max_length(call)?, segments);
    Ok(columns.into_iter().map(Column::from).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, ints, refused, texts, trace};
    use crate::program::Program;

    const BERT: &str = "text.bert_tokenizer('vocab.txt')";
    const HUGGING_FACE: &str = "text.hugging_face_tokenizer('tokenizer.json')";

    /// The three inputs of a pair of texts, or of the first alone.
    #[track_caller]
    fn rows(call: &str, expected: [[i64; 8]; 3]) {
        let columns = [("s", texts(&["play playing"])), ("t", texts(&["dogs!"]))];
        let call = call.replace("BERT", BERT).replace("HF", HUGGING_FACE);
        for (port, expected) in expected.iter().enumerate() {
            check(&format!("text.bert_inputs({call})[{port}]"), &columns, ints(expected));
        }
    }

    #[test]
    fn one_text_is_a_row() {
        let one = [[2, 6, 6, 8, 3, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0], [0; 8]];
        rows("s, None, BERT, 8", one);
        rows("s, tokenizer=BERT, max_length=8, layout='segments'", one);
        rows("s, tokenizer=HF, max_length=8, layout='tokenizer'", one);
    }

    #[test]
    fn layouts_of_pairs_differ() {
        rows("s, t, BERT, 8", [[2, 6, 6, 3, 12, 9, 5, 3], [1; 8], [0, 0, 0, 0, 1, 1, 1, 1]]);
        rows(
            "s, t, BERT, 8, 'segments'",
            [[2, 6, 6, 8, 3, 12, 9, 3], [1; 8], [0, 0, 0, 0, 0, 1, 1, 1]],
        );
        rows(
            "s, t, HF, 8, 'tokenizer'",
            [[2, 6, 6, 3, 12, 9, 5, 3], [1; 8], [0, 0, 0, 0, 1, 1, 1, 1]],
        );
        rows(
            "s, t, BERT, 8, 'segments', 'only_first'",
            [[2, 6, 6, 3, 12, 9, 5, 3], [1; 8], [0, 0, 0, 0, 1, 1, 1, 1]],
        );
    }

    #[test]
    fn padding_of_pairs_differs() {
        let columns = [("s", texts(&["play", ""])), ("t", texts(&["a", ""]))];
        let of = |layout: &str, port: usize, expected: [[i64; 6]; 2]| {
            let call = format!("text.bert_inputs(s, t, {BERT}, 6, '{layout}')[{port}]");
            check(&call, &columns, ints(expected.as_flattened()));
        };
        for layout in ["tfx", "segments"] {
            of(layout, 0, [[2, 6, 3, 13, 3, 0], [2, 3, 3, 0, 0, 0]]);
            of(layout, 1, [[1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0]]);
        }
        of("tfx", 2, [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]);
        of("segments", 2, [[0, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 0]]);
    }

    #[test]
    fn special_pieces_are_needed() {
        let built = |expression: &str| {
            let (builder, value) = trace(expression).unwrap();
            Program::new(builder.graph(), &[value]).err().map(|e| e.message().to_owned())
        };
        let check = |pieces: &str, missing: &str| {
            let vocabulary = format!("tft.vocabulary_from_list([{pieces}])");
            let call = format!("text.bert_inputs(s, None, text.bert_tokenizer({vocabulary}))[0]");
            let message = format!("`text.bert_inputs`: the tokenizer has no `{missing}`");
            assert_eq!(built(&call), Some(message));
        };
        check("'[CLS]', '[SEP]'", "[PAD]");
        check("'[CLS]', '[PAD]'", "[SEP]");
        let call = format!("text.bert_inputs(s, None, {BERT}, 8, 'tokenizer')[0]");
        let message = "`text.bert_inputs`: the tokenizer says nothing of layouts";
        assert_eq!(built(&call).as_deref(), Some(message));
    }

    #[test]
    fn calls_are_checked() {
        let check = |call: &str, message: &str| {
            let call = call.replace("BERT", BERT).replace("HF", HUGGING_FACE);
            refused(
                &format!("text.bert_inputs({call})"),
                &format!("`text.bert_inputs`: {message}"),
            );
        };
        check("s", "`tokenizer` is missing: a tokenizer, such as `text.bert_tokenizer(...)`");
        check("n, tokenizer=BERT", "`a` is int64; a column of strings is wanted");
        check("ss, tokenizer=BERT", "`a` is string[var]; one text for each row is wanted");
        check("s, svec, BERT", "`b` is string[3]; one text for each row is wanted");
        check("s, t, BERT, 3", "`max_length` is 3; at least 4 is wanted");
        check("s, t, BERT, 9999999", "`max_length` is 9999999; at most 1048576 is taken");
        check("s, t, BERT, 8, 'tf'", "`layout` is `tf`");
        check("s, t, BERT, 8, 'segments', 'no'", "`truncation` is `no`");
        check("s, t, HF, 8, 'tfx', 'only_first'", "layout `tfx` has a `truncation` of its own");
    }
}
