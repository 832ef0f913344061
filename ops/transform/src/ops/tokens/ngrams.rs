//! `tft.ngrams`, `tft.bag_of_words`, `tft.word_count`.

use engine::Result;

use super::unique::DEDUPLICATE;
use super::{TOKENS, lists_of_strings};
use crate::export::Export;
use crate::export::tensorflow::{Column, Nodes, Segments};
use crate::op::{Args, Bound, Default, Kernel, Kind, Literal, Op, Param, Takes, function};
use crate::tensor::{StringsBuilder, Tensor, splits_of};
use crate::types::{DType, Dim, Type};

const RANGE: Param = Param {
    name: "ngram_range",
    takes: Takes::Literal,
    default: Default::Required,
    doc: "least and greatest number of tokens in an n-gram",
};

const SEPARATOR: Param = Param {
    name: "separator",
    takes: Takes::Str,
    default: Default::Required,
    doc: "what is between the tokens of an n-gram",
};

/// Runs of tokens.
pub(in crate::ops) const NGRAMS: Op = Op {
    name: "tft.ngrams",
    doc: "all runs of so many tokens of each row, joined",
    semantics: "By the place of the first token, then by length. A row with fewer tokens than an \
        n-gram has none of that length. Empty tokens are tokens.",
    examples: &[
        "tft.ngrams(ss, [1, 3], ' ')",
        "tft.ngrams(svec, [2, 2], '')",
        "tft.ngrams(ss, [2, 9223372036854775807], '+')",
    ],
    params: &[TOKENS, RANGE, SEPARATOR],
    kind: Kind::Map {
        types: |call| {
            lists_of_strings(call, TOKENS.name)?;
            range(call)?;
            Ok(vec![Type::var_len(DType::String)])
        },
        kernel: |call| -> Result<Box<dyn Kernel>> {
            let shape = lists_of_strings(call, TOKENS.name)?.shape.clone();
            let (range, separator) = (range(call)?, call.opt_str(SEPARATOR.name));
            let separator = separator.unwrap_or_default().as_bytes().to_vec();
            Ok(function(move |rows, inputs| ngrams(rows, inputs[0], &shape, range, &separator)))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (range, separator) = (range(call)?, call.opt_str(SEPARATOR.name));
            let rows = Segments::of_rows(nodes, &columns[0], call.ty(TOKENS.name)?);
            Ok(vec![ngrams_there(nodes, &rows, range, separator.unwrap_or_default())])
        }),
    },
};

fn range(call: &Bound) -> Result<(usize, usize)> {
    if let Literal::List(ends) = call.literal(RANGE.name)
        && let [Literal::Int(least), Literal::Int(most)] = ends[..]
        && let (Ok(least @ 1..), Ok(most)) = (usize::try_from(least), usize::try_from(most))
        && least <= most
    {
        return Ok((least, most));
    }
    Err(call
        .wrong(format!("`{}` is {}", RANGE.name, call.literal(RANGE.name)))
        .with_hint("Pass the least and the greatest number of tokens, such as `(1, 2)`."))
}

fn ngrams(
    rows: usize,
    tokens: &Tensor,
    shape: &[Dim],
    (least, most): (usize, usize),
    separator: &[u8],
) -> Result<Tensor> {
    let (strings, ends) = (tokens.strings(), tokens.row_ends(shape));
    let mut out = StringsBuilder::with_capacity(strings.len(), strings.bytes().len());
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let (range, before) = (ends.range(row), out.len());
        for first in range.clone() {
            for n in least..=most.min(range.end - first) {
                for (i, token) in (first..first + n).enumerate() {
                    if i > 0 {
                        out.buffer().extend_from_slice(separator);
                    }
                    out.buffer().extend_from_slice(strings.get(token));
                }
                out.end();
            }
        }
        lengths.push(out.len() - before);
    }
    Ok(Tensor::var_len(splits_of(lengths)?, out.finish()?))
}

/// Nodes of the runs: the lengths of those that begin at each token, then the tokens of each.
fn ngrams_there(
    nodes: &mut Nodes,
    rows: &Segments,
    (least, most): (usize, usize),
    separator: &str,
) -> Column {
    let int = |n: usize| i64::try_from(n).unwrap_or(i64::MAX - 1);
    let (least, most, one) =
        (nodes.scalar(int(least)), nodes.scalar(int(most)), nodes.scalar(1i64));
    let splits = nodes.splits_by(&rows.ids, &rows.n);
    let ends = nodes.slice(&splits, DType::Int64, 1, -1);
    let ends = rows.spread(nodes, &ends, DType::Int64);
    let n = nodes.size(&ends, DType::Int64);
    let all = nodes.range(&n);
    let left = nodes.ints("Sub", &ends, &all);
    let longest = nodes.ints("Minimum", &left, &most);
    let limits = nodes.ints("AddV2", &longest, &one);
    let (lengths, first) = nodes.ranges(&least, &limits);
    let ends = nodes.ints("AddV2", &first, &lengths);
    let (tokens, of) = nodes.ranges(&first, &ends);
    let tokens = nodes.gather(&rows.values, DType::String, &tokens);
    let n = nodes.size(&first, DType::Int64);
    let values = nodes.joined(&tokens, &of, &n, separator);
    let row = nodes.gather(&rows.ids, DType::Int64, &first);
    Column { values, splits: vec![nodes.splits_by(&row, &rows.n)] }
}

/// Distinct runs of tokens.
pub(in crate::ops) const BAG_OF_WORDS: Op = Op {
    name: "tft.bag_of_words",
    doc: "the distinct n-grams of each row",
    semantics: "Those of `tft.ngrams`, each once, in the order in which they first occur.",
    examples: &["tft.bag_of_words(ss, [1, 2], ' ')"],
    params: &[TOKENS, RANGE, SEPARATOR],
    kind: Kind::Compose(|builder, call| {
        let args = [TOKENS, RANGE, SEPARATOR].map(|param| call.get(param.name));
        let args = args.into_iter().fold(Args::default(), Args::arg);
        let ngrams = builder.one(NGRAMS.name, args)?;
        builder.call(DEDUPLICATE.name, Args::default().arg(ngrams))
    }),
};

/// How many tokens there are.
pub(in crate::ops) const WORD_COUNT: Op = Op {
    name: "tft.word_count",
    doc: "how many tokens each row has",
    semantics: "An int64 for each row; empty tokens are tokens.",
    examples: &["tft.word_count(ss)", "tft.word_count(nested)", "tft.word_count(svec)"],
    params: &[TOKENS],
    kind: Kind::Map {
        types: |call| {
            let ty = call.ty(TOKENS.name)?;
            if ty.dtype != DType::String || ty.is_scalar() || ty.constant {
                return Err(call.wrong_type(TOKENS.name, "a column with strings in each row"));
            }
            Ok(vec![Type::scalar(DType::Int64)])
        },
        kernel: |call| {
            let shape = call.ty(TOKENS.name)?.shape.clone();
            Ok(function(move |rows, inputs| {
                let ends = inputs[0].row_ends(&shape);
                let counts = (0..rows).map(|row| ends.range(row).len() as i64);
                Ok(Tensor::dense(rows, counts.collect::<Vec<_>>()))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let rows = Segments::of_rows(nodes, &columns[0], call.ty(TOKENS.name)?);
            Ok(vec![rows.counts(nodes).into()])
        }),
    },
};

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, ints, lists, refused, texts};

    #[test]
    fn runs_of_tokens() {
        let rows = || [("ss", lists(&[3, 0, 1, 2], texts(&["a", "b", "c", "d", "", "a"])))];
        let runs = ["a", "a+b", "b", "b+c", "c", "d", "", "+a", "a"];
        let expected = lists(&[5, 0, 1, 3], texts(&runs));
        check("tft.ngrams(ss, [1, 2], '+')", &rows(), expected);
        let triples = lists(&[1, 0, 0, 0], texts(&["abc"]));
        check("tft.ngrams(ss, [3, 9], '')", &rows(), triples);
        check("tft.word_count(ss)", &rows(), ints(&[3, 0, 1, 2]));
        let again = [("ss", lists(&[4], texts(&["a", "b", "a", "b"])))];
        let bag = lists(&[4], texts(&["a", "a b", "b", "b a"]));
        check("tft.bag_of_words(ss, [1, 2], ' ')", &again, bag);
        for range in ["[0, 1]", "[2, 1]", "[1]", "3"] {
            refused(
                &format!("tft.ngrams(ss, {range}, '')"),
                &format!("`tft.ngrams`: `ngram_range` is {range}"),
            );
        }
    }
}
