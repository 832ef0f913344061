//! `tft.apply_vocabulary`: tokens as their ids.

use std::sync::Arc;

use engine::Result;
use hashbrown::HashMap;

use super::count::Digits;
use super::names::{self, Scope};
use super::{
    ADJUSTED, ANALYZER, COVERAGE_THRESHOLD, COVERAGE_TOP_K, FILE_NAME, FORMAT, KEYS, LABELS,
    MIN_DIFF_0, RESERVED, SHUFFLE, STORE, THRESHOLD, TOP_K, VALUE, WEIGHTS, X,
};
use crate::export::Export;
use crate::export::tensorflow::{Attr, Column, Nodes, of_text};
use crate::graph::{Builder, What};
use crate::hash::fingerprint64;
use crate::op::{Args, Bound, Call, Default, Kernel, Kind, Op, Param, Ref, Takes, function};
use crate::ops::elementwise::of_dtype;
use crate::tensor::StringsBuilder;
use crate::tokens::Tokens;
use crate::types::{DType, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

pub(super) const DEFAULT_VALUE: Param = Param {
    name: "default_value",
    takes: Takes::Int,
    default: Default::Int(-1),
    doc: "the id of tokens that the vocabulary does not have",
};
pub(super) const NUM_OOV_BUCKETS: Param = Param {
    name: "num_oov_buckets",
    takes: Takes::Int,
    default: Default::Int(0),
    doc: "how many ids after the last tokens that the vocabulary does not have share, by a hash",
};

const LOOKUP: Param = Param {
    name: "lookup",
    takes: Takes::Values,
    default: Default::None,
    doc: "ids that were looked up in another way, and how many ids there are; modules write `lookup_fn`, a \
        function of `x` and the vocabulary that returns both",
};

/// Tokens as ids.
pub(in crate::ops) const APPLY: Op = Op {
    name: "tft.apply_vocabulary",
    doc: "each token as its place in a vocabulary",
    semantics: "A token that the vocabulary does not have is `default_value`, or with \
        `num_oov_buckets` the vocabulary's size plus FarmHash Fingerprint64 of the token modulo \
        that. Integers are looked up and hashed in decimal. Missing values stay missing. A \
        vocabulary with stored frequencies is read without them, which TFT does not. Ids are \
        from min(0, default_value) to max(size - 1, default_value), or to size + \
        num_oov_buckets - 1. With `lookup` the result is its ids as they are, and their number is \
        believed: it stands for that of the vocabulary with its buckets, in the range of ids and in \
        `tft.get_num_buckets_for_transformed_feature`.",
    examples: &[
        "tft.apply_vocabulary(s, tft.vocabulary_from_list(['a', 'b']))",
        "tft.apply_vocabulary(nested, tft.vocabulary_from_list(['a']), default_value=7)",
        "tft.apply_vocabulary(nvec, tft.vocabulary_from_list(['1', '-3']), num_oov_buckets=3)",
        "tft.apply_vocabulary(s, tft.vocabulary_from_list(['a']), lookup=[tft.hash_strings(s, 9), 9])",
        "tft.apply_vocabulary(ns, tft.vocabulary_from_list([1]), 0, 2, lookup=[ns % 9, 9])",
    ],
    params: &[
        X,
        Param { name: "vocabulary", takes: VALUE, default: Default::Required, doc: "a vocabulary" },
        DEFAULT_VALUE,
        NUM_OOV_BUCKETS,
        LOOKUP,
        FORMAT,
    ],
    kind: Kind::Map {
        types: |call| {
            let x = call.ty("x")?;
            if !matches!(x.dtype, DType::String | DType::Int64) {
                return Err(call.wrong_type("x", "a column of strings or integers"));
            }
            of_dtype(call, "vocabulary", DType::Vocabulary)?;
            buckets(call)?;
            check_lookup(call)?;
            Ok(vec![x.with_dtype(DType::Int64)])
        },
        kernel,
        domain: Some(|call| {
            let default = call.opt_int(DEFAULT_VALUE.name)?;
            if let Some(place) = call.position(LOOKUP.name) {
                let size = *call.constants[place + 1]?.ints().first()?;
                let last = size.saturating_sub(1);
                return Some(match buckets(call).ok()? {
                    0 => (default.min(0), default.max(last)),
                    _ => (0, last),
                });
            }
            let place = call.position("vocabulary")?;
            let size = call.constants[place]?.vocabulary().len() as i64;
            Some(match buckets(call).ok()? {
                0 => (default.min(0), default.max(size - 1)),
                n => (0, size.saturating_add(n) - 1),
            })
        }),
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(found),
    },
};

fn buckets(call: &Bound) -> Result<i64> {
    call.int_from(NUM_OOV_BUCKETS.name, 0)
}

/// Checks ids that were looked up in another way, and their number.
fn check_lookup(call: &Call<'_>) -> Result<()> {
    let Some(place) = call.position(LOOKUP.name) else { return Ok(()) };
    let wrong = |why: String| {
        let hint = "Return the ids, and their number, such as `tft.vocabulary_size(vocabulary)`.";
        Err(call.wrong(why).with_hint(hint))
    };
    let ([_, _, ids, size], x) = (call.types, call.ty("x")?) else {
        return wrong("`lookup_fn` gives ids and their number, two values".to_owned());
    };
    if ids.dtype != DType::Int64 || ids.constant || ids.shape != x.shape {
        return wrong(format!("`lookup_fn` gives {ids}; an int64 for each value of `x` is wanted"));
    }
    if x.n_var() > 0 && call.structures[place] != call.structures[0] {
        return wrong("`lookup_fn` may give another number of ids than `x` has values".to_owned());
    }
    if *size != Type::constant(DType::Int64, []) {
        return wrong(format!(
            "`lookup_fn` gives {size} for the number of ids, not a constant int64"
        ));
    }
    Ok(())
}

/// The ids of tokens, and of those that are none.
struct Ids {
    vocabulary: Arc<Vocabulary>,
    default: i64,
    buckets: u64,
}

impl Ids {
    #[inline]
    fn of(&self, token: &[u8]) -> Result<i64> {
        Ok(self.vocabulary.id(token)?.map_or_else(|| self.other(token), i64::from))
    }

    /// The id of a token that the vocabulary does not have.
    #[inline]
    fn other(&self, token: &[u8]) -> i64 {
        if self.buckets == 0 {
            return self.default;
        }
        (self.vocabulary.len() as u64 + fingerprint64(token) % self.buckets).cast_signed()
    }
}

fn kernel(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    if let Some(place) = call.position(LOOKUP.name) {
        return Ok(function(move |_, inputs| Ok(inputs[place].clone())));
    }
    let ids = Ids {
        vocabulary: call.constant("vocabulary")?.vocabulary().clone(),
        default: call.opt_int(DEFAULT_VALUE.name).unwrap_or(-1),
        buckets: buckets(call)?.cast_unsigned(),
    };
    let ints = call.ty("x")?.dtype == DType::Int64;
    if let (true, Tokens::Memory(tokens)) = (ints, &ids.vocabulary.tokens) {
        // Integers find their ids without being written: the tokens are read instead, once.
        let mut of_ints: HashMap<i64, i64, foldhash::fast::FixedState> = HashMap::default();
        for (id, token) in (0i64..).zip(tokens.iter()) {
            if let Some(value) = integer(token) {
                of_ints.entry(value).or_insert(id);
            }
        }
        return Ok(function(move |_, inputs| {
            let mut digits = Digits::default();
            let values = inputs[0].ints().iter().map(|&value| match of_ints.get(&value) {
                Some(&id) => id,
                None if ids.buckets == 0 => ids.default,
                None => ids.other(digits.of(value)),
            });
            Ok(inputs[0].with_values(values.collect::<Vec<i64>>()))
        }));
    }
    ids.vocabulary.prepare()?;
    Ok(function(move |_, inputs| {
        let mut digits = Digits::default();
        let values: Result<Vec<i64>> = if ints {
            inputs[0].ints().iter().map(|&value| ids.of(digits.of(value))).collect()
        } else {
            inputs[0].strings().iter().map(|token| ids.of(token)).collect()
        };
        Ok(inputs[0].with_values(values?))
    }))
}

/// The integer that is written so.
fn integer(token: &[u8]) -> Option<i64> {
    let value = std::str::from_utf8(token).ok()?.parse().ok()?;
    (Digits::default().of(value) == token).then_some(value)
}

/// The vocabulary of a column, applied to it.
pub(in crate::ops) const COMPUTE_AND_APPLY: Op = Op {
    name: "tft.compute_and_apply_vocabulary",
    doc: "each token of a column as its place in the column's vocabulary",
    semantics: "`tft.vocabulary`, then `tft.apply_vocabulary`. As in TFT, `min_diff_from_avg` is 0 \
        by default here, and with `store_frequency` in a text file spaces in tokens become \
        `__SPACE__`.",
    examples: &[
        "tft.compute_and_apply_vocabulary(s)",
        "tft.compute_and_apply_vocabulary(ss, top_k=2, num_oov_buckets=3)",
        "tft.compute_and_apply_vocabulary(nvec, default_value=99, frequency_threshold=2)",
        "tft.compute_and_apply_vocabulary(nested, store_frequency=True, reserved_tokens=['x y'])",
        "tft.compute_and_apply_vocabulary(s, labels=label, weights=weight, top_k=4)",
    ],
    params: &[
        X,
        DEFAULT_VALUE,
        TOP_K,
        THRESHOLD,
        NUM_OOV_BUCKETS,
        FILE_NAME,
        WEIGHTS,
        LABELS,
        ADJUSTED,
        MIN_DIFF_0,
        COVERAGE_TOP_K,
        COVERAGE_THRESHOLD,
        KEYS,
        SHUFFLE,
        FORMAT,
        STORE,
        RESERVED,
    ],
    kind: Kind::Compose(|builder, call| {
        let call = spaces_escaped(builder, call)?;
        let scope = Scope::within(&call, "compute_and_apply_vocabulary", "_vocabulary");
        let vocabulary = names::analyze(builder, &call, &ANALYZER, &scope)?;
        apply(builder, &call, vocabulary)
    }),
};

/// Applies a vocabulary with the arguments of a call.
pub(super) fn apply(builder: &mut Builder, call: &Bound, vocabulary: Ref) -> Result<Vec<Ref>> {
    let args = Args::default().arg(call.value("x")?).arg(vocabulary);
    let args = args
        .with(DEFAULT_VALUE.name, call.get(DEFAULT_VALUE.name))
        .with(NUM_OOV_BUCKETS.name, call.get(NUM_OOV_BUCKETS.name));
    builder.call(APPLY.name, args)
}

/// The call with a column whose tokens stay one word in lines of frequencies.
pub(super) fn spaces_escaped(builder: &mut Builder, call: &Bound) -> Result<Bound> {
    let mut call = call.clone();
    let x = call.value("x")?;
    let text = super::options::format(&call)? == FileFormat::Text;
    if call.is(STORE.name) && text && builder.ty(x).dtype == DType::String {
        let escaped = builder.one(ESCAPE_SPACES.name, Args::default().arg(x))?;
        let place = call.op.params.iter().position(|param| param.name == X.name);
        call.args[place.unwrap_or(0)] = escaped.into();
    }
    Ok(call)
}

/// Spaces as a word.
pub(in crate::ops) const ESCAPE_SPACES: Op = Op {
    name: "tft.escape_spaces",
    doc: "each space as `__SPACE__`, as vocabularies with frequencies write it",
    semantics: "Spaces alone, not other white space.",
    examples: &["tft.escape_spaces(s)", "tft.escape_spaces(nested)"],
    params: &[X],
    kind: Kind::Map {
        types: |call| Ok(vec![of_dtype(call, "x", DType::String)?.clone()]),
        kernel: |_| {
            Ok(function(|_, inputs| {
                let strings = inputs[0].strings();
                let mut out = StringsBuilder::with_capacity(strings.len(), strings.bytes().len());
                for text in strings.iter() {
                    for (i, part) in text.split(|&byte| byte == b' ').enumerate() {
                        if i > 0 {
                            out.buffer().extend_from_slice(b"__SPACE__");
                        }
                        out.buffer().extend_from_slice(part);
                    }
                    out.end();
                }
                Ok(inputs[0].with_values(out.finish()?))
            }))
        },
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, _, columns| {
            let attrs = [("pattern", of_text(" ")), ("rewrite", of_text("__SPACE__"))];
            let values = nodes.node("StaticRegexReplace", &[&columns[0].values], attrs);
            Ok(vec![Column { values, ..columns[0].clone() }])
        }),
    },
};

/// The number of ids of a column that is the result of [`APPLY`] itself; `None` for others.
///
/// # Errors
/// Those of the call.
pub(in crate::ops) fn num_ids(builder: &mut Builder, ids: Ref) -> Result<Option<Ref>> {
    let What::Op(bound) = &builder.graph().nodes[ids.node as usize].what else { return Ok(None) };
    if bound.op.name != APPLY.name {
        return Ok(None);
    }
    let args = ["vocabulary", DEFAULT_VALUE.name, NUM_OOV_BUCKETS.name].map(|name| bound.get(name));
    let [vocabulary, default, buckets] = args;
    if let [_, size] = *bound.values(LOOKUP.name) {
        if bound.opt_int(NUM_OOV_BUCKETS.name) != Some(0) {
            return Ok(Some(size));
        }
        let default = bound.opt_int(DEFAULT_VALUE.name).unwrap_or(-1).saturating_add(1);
        let args = Args::default().arg(size).arg(default);
        return builder.one("math.maximum", args).map(Some);
    }
    builder.one(IDS.name, Args::default().arg(vocabulary).arg(default).arg(buckets)).map(Some)
}

/// The number of ids that an application of a vocabulary gives.
pub(in crate::ops) const IDS: Op = Op {
    name: "tft.vocabulary_ids",
    doc: "one more than the greatest id that `tft.apply_vocabulary` gives",
    semantics: "A constant int64.",
    examples: &["n + tft.vocabulary_ids(tft.vocabulary_from_list(['a', 'b']), -1, 3)"],
    params: &[
        Param { name: "vocabulary", takes: VALUE, default: Default::Required, doc: "a vocabulary" },
        DEFAULT_VALUE,
        NUM_OOV_BUCKETS,
    ],
    kind: Kind::Map {
        types: |call| {
            buckets(call)?;
            of_dtype(call, "vocabulary", DType::Vocabulary)?;
            Ok(vec![Type::constant(DType::Int64, [])])
        },
        kernel: |call| {
            let (buckets, default) = (buckets(call)?, call.opt_int(DEFAULT_VALUE.name));
            Ok(function(move |_, inputs| {
                let size = inputs[0].vocabulary().len() as i64;
                let ids = match buckets {
                    0 => size.max(default.unwrap_or(-1).saturating_add(1)),
                    n => size.saturating_add(n),
                };
                Ok(crate::tensor::Tensor::dense(1, vec![ids]))
            }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::CONSTANT,
    },
};
fn found(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    if let Some(place) = call.position(LOOKUP.name) {
        return Ok(vec![columns[place].clone()]);
    }
    let vocabulary = call.constant("vocabulary")?.vocabulary();
    let table = nodes.table(vocabulary)?;
    let (x, int) = (call.ty("x")?.dtype, DType::Int64);
    let tokens = match x {
        DType::String => columns[0].values.clone(),
        _ => nodes.typed("AsString", x, &[&columns[0].values]),
    };
    let values = match buckets(call)? {
        0 => {
            let default = nodes.scalar(call.opt_int(DEFAULT_VALUE.name).unwrap_or(-1));
            nodes.find(&table, &tokens, &default)
        }
        n => {
            let none = nodes.scalar(-1i64);
            let ids = nodes.find(&table, &tokens, &none);
            let other =
                nodes.node("StringToHashBucketFast", &[&tokens], [("num_buckets", Attr::I(n))]);
            let size = nodes.scalar(vocabulary.len() as i64);
            let other = nodes.ints("AddV2", &other, &size);
            let missing = nodes.typed("Equal", int, &[&ids, &none]);
            nodes.select(&missing, &other, &ids, int)
        }
    };
    Ok(vec![Column { values, ..columns[0].clone() }])
}
