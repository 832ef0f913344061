//! `tft.experimental.approximate_vocabulary`: the frequent tokens of a column, in bounded memory.

use std::sync::Arc;

use engine::{CombineFn, Result};
use ops::sketch::misra_gries::MisraGries;

use super::analyzers::Weights;
use super::apply::{self, DEFAULT_VALUE, NUM_OOV_BUCKETS};
use super::count::{self, Texts};
use super::frequency::Frequency;
use super::names::{self, Scope};
use super::options::{self, Options};
use super::select::{Best, Making};
use super::{FILE_NAME, FORMAT, RESERVED, STORE, TOP_K, WEIGHTS, X};
use crate::analyzer::{Analyzer, Columns};
use crate::op::{Call, Default, Kind, Op, Param};
use crate::tensor::Tensor;
use crate::types::{DType, Type};
use crate::vocabulary::FileFormat;

const LIMIT: Param = Param { default: Default::Required, ..TOP_K };

const SEMANTICS: &str = "As `tft.vocabulary`, by a Misra-Gries sketch of `top_k` counters: exact up \
    to twice as many distinct tokens; beyond that a token's frequency is too low by at most the \
    share 1 / (top_k + 1) of all. Memory is bounded whatever the data. Frequencies are written with \
    a point, `37.0`, also without weights, as TFT writes them.";

/// The approximate vocabulary, under a name of its own.
pub(in crate::ops) const APPROXIMATE: Op = Op {
    name: "tft.experimental.approximate_vocabulary",
    doc: "the frequent tokens of a column, in bounded memory",
    semantics: SEMANTICS,
    examples: &[
        "tft.apply_vocabulary(s, tft.experimental.approximate_vocabulary(s, 3))",
        "tft.apply_vocabulary(ns, tft.experimental.approximate_vocabulary(ns, 2, weights=weight))",
    ],
    params: &[X, LIMIT, FILE_NAME, STORE, RESERVED, WEIGHTS, FORMAT],
    kind: Kind::Compose(|builder, call| {
        let scope = Scope::of(call, "approximate_vocabulary");
        Ok(vec![names::analyze(builder, call, &APPROXIMATE_ANALYZER, &scope)?])
    }),
};

/// The analyzer alone.
pub(in crate::ops) const APPROXIMATE_ANALYZER: Op = Op {
    name: "tft.experimental.approximate_vocabulary_analyzer",
    doc: "the analyzer of `tft.experimental.approximate_vocabulary`, which finds a name for its file",
    semantics: SEMANTICS,
    examples: &["tft.apply_vocabulary(s, \
        tft.experimental.approximate_vocabulary_analyzer(s, 3, vocab_filename='v'))"],
    params: &[X, LIMIT, FILE_NAME, STORE, RESERVED, WEIGHTS, FORMAT],
    kind: Kind::Analyze {
        types: |call| {
            options::tokens(call)?;
            options::weights(call)?;
            settings(call)?;
            Ok(vec![Type::constant(DType::Vocabulary, [])])
        },
        analyzer: |call| {
            let place = call.position("weights");
            let weights = options::weights(call)?.zip(place).zip(call.opt_ty("weights"));
            let weights = weights.map(|((broadcast, place), ty)| Weights {
                place,
                dtype: ty.dtype,
                broadcast,
            });
            let options = Arc::new(settings(call)?);
            Ok(Analyzer::Global(Box::new(Approximate { options, weights })))
        },
    },
};

fn settings(call: &Call<'_>) -> Result<Options> {
    let top_k = usize::try_from(call.int_from("top_k", 1)?).unwrap_or(usize::MAX);
    Ok(Options {
        top_k: Some(top_k),
        threshold: f64::NEG_INFINITY,
        coverage: None,
        file_name: options::sanitised(call.opt_str(FILE_NAME.name).unwrap_or("vocabulary")),
        format: options::format(call)?,
        store_frequency: call.is(STORE.name),
        reserved: options::token_list(call, RESERVED.name)?,
        shuffle: false,
        ints: call.ty("x")?.dtype == DType::Int64,
    })
}

/// The frequent tokens.
struct Approximate {
    options: Arc<Options>,
    weights: Option<Weights>,
}

impl CombineFn for Approximate {
    type Input = Columns;
    type Accumulator = MisraGries;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        APPROXIMATE.name
    }

    fn create_accumulator(&self) -> MisraGries {
        MisraGries::new(self.options.top_k.unwrap_or(1))
    }

    fn add_input(&self, sketch: &mut MisraGries, input: &Columns) -> Result<()> {
        let weights = self.weights.as_ref().map(|weights| weights.of_values(input));
        let mut texts = Texts::of(&input.tensors[0]);
        let drop = !self.options.ints && self.options.format == FileFormat::Text;
        for i in 0..input.tensors[0].values.len() {
            let token = texts.get(i);
            if !(drop && count::no_line(token)) {
                sketch.add(token, weights.as_ref().map_or(1.0, |weights| weights[i]));
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, sketch: &mut MisraGries, other: MisraGries) -> Result<()> {
        sketch.merge(other);
        Ok(())
    }

    fn extract_output(&self, sketch: MisraGries) -> Result<Vec<Tensor>> {
        let mut best = Best::new(self.options.top_k);
        let mut distinct = 0;
        for (token, count) in sketch.iter() {
            distinct += 1;
            best.push(Frequency::Number(count), token);
        }
        let mut making = Making::new(&self.options)?;
        for (frequency, token) in best.into_sorted() {
            making.push(frequency, &token)?;
        }
        making.finish(distinct)
    }
}

/// The approximate vocabulary of a column, applied to it.
pub(in crate::ops) const COMPUTE_AND_APPLY_APPROXIMATE: Op = Op {
    name: "tft.experimental.compute_and_apply_approximate_vocabulary",
    doc: "each token of a column as its place among the column's frequent tokens",
    semantics: "`tft.experimental.approximate_vocabulary`, then `tft.apply_vocabulary`.",
    examples: &[
        "tft.experimental.compute_and_apply_approximate_vocabulary(s, top_k=2)",
        "tft.experimental.compute_and_apply_approximate_vocabulary(ns, top_k=2, num_oov_buckets=2)",
    ],
    params: &[
        X,
        DEFAULT_VALUE,
        LIMIT,
        NUM_OOV_BUCKETS,
        FILE_NAME,
        WEIGHTS,
        FORMAT,
        STORE,
        RESERVED,
    ],
    kind: Kind::Compose(|builder, call| {
        let call = apply::spaces_escaped(builder, call)?;
        let scope = Scope::within(
            &call,
            "compute_and_apply_approximate_vocabulary",
            "_approximate_vocabulary",
        );
        let vocabulary = names::analyze(builder, &call, &APPROXIMATE_ANALYZER, &scope)?;
        apply::apply(builder, &call, vocabulary)
    }),
};
