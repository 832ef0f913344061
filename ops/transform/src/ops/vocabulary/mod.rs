//! `tft.vocabulary`: the distinct tokens of a column, by frequency or by information.
//!
//! Follows `analyzers.py` and `beam/analyzer_impls.py` of TensorFlow Transform. A vocabulary is a
//! constant of the graph; its file is written with the artifact.

use std::marker::PhantomData;
use std::sync::Arc;

use engine::Result;

mod analyzers;
pub(super) mod apply;
mod approximate;
mod asset;
mod constant;
mod count;
mod frequency;
mod information;
pub(super) mod names;
pub(super) mod options;
mod select;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
pub(super) mod words;

pub(super) use approximate::{APPROXIMATE, APPROXIMATE_ANALYZER, COMPUTE_AND_APPLY_APPROXIMATE};
pub(super) use asset::ANNOTATE_ASSET;
pub(super) use constant::{FROM_FILE, FROM_LIST};

use analyzers::{Detailed, Plain, Weights};
use options::Options;

use crate::analyzer::{Analyzer, Sums};
use crate::op::{Call, Default, Kind, Op, Param, Takes};
use crate::types::{DType, Type};

const fn param(name: &'static str, takes: Takes, default: Default, doc: &'static str) -> Param {
    Param { name, takes, default, doc }
}
const VALUE: Takes = Takes::Value { like: "" };

const X: Param = param("x", VALUE, Default::Required, "a column of strings or integers");
const TOP_K: Param =
    param("top_k", Takes::Int, Default::None, "how many tokens at most, the most frequent first");
const THRESHOLD: Param = param(
    "frequency_threshold",
    Takes::Float,
    Default::None,
    "the least frequency; with `labels`, the least information",
);
pub(super) const FILE_NAME: Param =
    param("vocab_filename", Takes::Str, Default::None, "name of the file among the assets");
const STORE: Param =
    param("store_frequency", Takes::Bool, Default::Bool(false), "frequencies in the file, too");
const RESERVED: Param = param(
    "reserved_tokens",
    Takes::Literal,
    Default::None,
    "tokens that come first, whether they are seen or not",
);
const WEIGHTS: Param = param(
    "weights",
    VALUE,
    Default::None,
    "a number for each value or row: sums of them count in place of occurrences",
);
const LABELS: Param = param(
    "labels",
    VALUE,
    Default::None,
    "int64 labels of rows: tokens are ordered by what they say about them",
);
const ADJUSTED: Param = param(
    "use_adjusted_mutual_info",
    Takes::Bool,
    Default::Bool(false),
    "subtracts the information that is expected by chance",
);
const MIN_DIFF: Param = param(
    "min_diff_from_avg",
    Takes::Float,
    Default::None,
    "differences from the expected count that count for nothing; from the number of rows by default",
);
const MIN_DIFF_0: Param = Param { default: Default::Float(0.0), ..MIN_DIFF };
const COVERAGE_TOP_K: Param = param(
    "coverage_top_k",
    Takes::Int,
    Default::None,
    "how many tokens each key keeps, beside the `top_k` of all",
);
const COVERAGE_THRESHOLD: Param = param(
    "coverage_frequency_threshold",
    Takes::Float,
    Default::None,
    "the least frequency of a token that a key keeps",
);
const KEYS: Param = param(
    "keys",
    VALUE,
    Default::None,
    "the key of each value of `x`; modules write `key_fn`, a function of a token",
);
const SHUFFLE: Param = param(
    "fingerprint_shuffle",
    Takes::Bool,
    Default::Bool(false),
    "tokens in the order of their SHA-1 digests",
);
const FORMAT: Param = param(
    "file_format",
    Takes::Str,
    Default::Str("text"),
    "`text`, a token a line, or `tfrecord_gzip`, a token a record",
);

const PARAMS: &[Param] = &[
    X,
    TOP_K,
    THRESHOLD,
    FILE_NAME,
    STORE,
    RESERVED,
    WEIGHTS,
    LABELS,
    ADJUSTED,
    MIN_DIFF,
    COVERAGE_TOP_K,
    COVERAGE_THRESHOLD,
    KEYS,
    SHUFFLE,
    FORMAT,
];

const SEMANTICS: &str = "Tokens descend by frequency; of equal frequencies the last token in bytes \
    comes first. All values of all dimensions count; missing ones do not. Integers are tokens in \
    decimal, and sort as text. Text files drop tokens that are empty or have a line break; \
    `tfrecord_gzip` keeps them. `frequency_threshold` comes before `top_k`, `reserved_tokens` after \
    both. With `labels` the frequency is the mutual information in bits, times rows; rows must have \
    a token at most once. Without tokens the vocabulary has one that no data has. Sums are exact \
    where TFT adds in single precision.";

/// The vocabulary, under a name of its own.
pub(super) const VOCABULARY: Op = Op {
    name: "tft.vocabulary",
    doc: "the distinct tokens of a column, the most frequent first",
    semantics: SEMANTICS,
    examples: &[
        "tft.apply_vocabulary(s, tft.vocabulary(s))",
        "tft.apply_vocabulary(ns, tft.vocabulary(ns, top_k=3, store_frequency=True))",
        "tft.apply_vocabulary(ss, tft.vocabulary(ss, weights=weight, frequency_threshold=2))",
        "tft.apply_vocabulary(s, tft.vocabulary(s, labels=label, use_adjusted_mutual_info=True))",
        "tft.apply_vocabulary(s, tft.vocabulary(s, fingerprint_shuffle=True, reserved_tokens=['a']))",
        "tft.apply_vocabulary(k, tft.vocabulary(k, file_format='tfrecord_gzip'))",
    ],
    params: PARAMS,
    kind: Kind::Compose(|builder, call| {
        let scope = names::Scope::of(call, "vocabulary");
        Ok(vec![names::analyze(builder, call, &ANALYZER, &scope)?])
    }),
};

/// The analyzer alone.
pub(super) const ANALYZER: Op = Op {
    name: "tft.vocabulary_analyzer",
    doc: "the analyzer of `tft.vocabulary`, which finds a name for its file",
    semantics: SEMANTICS,
    examples: &[
        "tft.apply_vocabulary(s, tft.vocabulary_analyzer(s, vocab_filename='v'))",
        "tft.apply_vocabulary(ss, tft.vocabulary_analyzer(ss, keys=ss, coverage_top_k=1, top_k=2))",
    ],
    params: PARAMS,
    kind: Kind::Analyze {
        types: |call| {
            options::tokens(call)?;
            options::weights(call)?;
            options::information(call)?;
            options::keys(call)?;
            Options::of(call)?;
            Ok(vec![Type::constant(DType::Vocabulary, [])])
        },
        analyzer,
    },
};

fn analyzer(call: &Call<'_>) -> Result<Analyzer> {
    let x = options::tokens(call)?;
    let options = Options::of(call)?;
    let weights = match (options::weights(call)?, call.opt_ty("weights"), call.position("weights"))
    {
        (Some(broadcast), Some(ty), Some(place)) => {
            Some(Weights { place, dtype: ty.dtype, broadcast })
        }
        _ => None,
    };
    let labels = match (options::information(call)?, call.opt_ty("labels"), call.position("labels"))
    {
        (Some(how), Some(ty), Some(place)) => Some((place, ty.shape.clone(), how)),
        _ => None,
    };
    let (keys, weighted) = (call.position("keys"), weights.is_some());
    Ok(if labels.is_none() && keys.is_none() {
        if weighted {
            Analyzer::RankedSums(Arc::new(Plain::<Sums> { options, weights, state: PhantomData }))
        } else {
            Analyzer::RankedCounts(Arc::new(Plain::<u64> { options, weights, state: PhantomData }))
        }
    } else {
        let shape = x.shape.clone();
        if weighted {
            let state = PhantomData;
            let detailed = Detailed::<Sums> { options, weights, shape, labels, keys, state };
            Analyzer::RankedSums(Arc::new(detailed))
        } else {
            let state = PhantomData;
            let detailed = Detailed::<u64> { options, weights, shape, labels, keys, state };
            Analyzer::RankedCounts(Arc::new(detailed))
        }
    })
}
