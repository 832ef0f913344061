//! `tft.tfidf` and its parts: how telling a term is of a document.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Error, KeyTable, KeyedBlock, PCollection, Result};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::analyzer::{Analyzer, Columns, Keyed, Pending, gather};
use crate::export::Export;
use crate::export::tensorflow::{Attr, Column, Nodes, Out, Segments, column_of, of_type};
use crate::graph::Builder;
use crate::op::{Args, Bound, Call, Default, Kernel, Kind, Op, Param, Ref, Takes, function};
use crate::tensor::{Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

const VALUE: Takes = Takes::Value { like: "" };

const X: Param = Param {
    name: "x",
    takes: VALUE,
    default: Default::Required,
    doc: "a column with a list of terms' ids in each row",
};

const VOCAB_SIZE: Param = Param {
    name: "vocab_size",
    takes: VALUE,
    default: Default::Required,
    doc: "how many ids there are, with buckets for other tokens: a number or a constant",
};

const SMOOTH: Param = Param {
    name: "smooth",
    takes: Takes::Bool,
    default: Default::Bool(true),
    doc: "as if one more document had every term",
};

const ADD_BASELINE: Param = Param {
    name: "add_baseline",
    takes: Takes::Bool,
    default: Default::Bool(true),
    doc: "one is added",
};

// What the documents of the data have, as the row-local halves are given it.
const TERMS: Param = Param {
    name: "terms",
    takes: VALUE,
    default: Default::Required,
    doc: "ids that documents have",
};
const FREQUENCIES: Param = Param {
    name: "frequencies",
    takes: VALUE,
    default: Default::Required,
    doc: "how many documents have each",
};
const DOCUMENTS: Param = Param {
    name: "documents",
    takes: VALUE,
    default: Default::Required,
    doc: "how many there are",
};

/// The analyzer.
pub(in crate::ops) const DOCUMENT_FREQUENCIES: Op = Op {
    name: "tft.document_frequencies",
    doc: "in how many rows each term is",
    semantics: "Three constants: the ids that are there, ascending; how many rows have each; and the \
        number of rows. Ids wrap around modulo `vocab_size`.",
    examples: &[
        "tft.document_frequency_of(ns, 5, tft.document_frequencies(ns, 5)[0], tft.document_frequencies(ns, 5)[1], 9)",
    ],
    params: &[X, VOCAB_SIZE],
    kind: Kind::Analyze {
        types: |call| {
            check_terms(call)?;
            let list = Type::constant(DType::Int64, [Dim::Var]);
            Ok(vec![list.clone(), list, Type::constant(DType::Int64, [])])
        },
        analyzer: |call| {
            let shape = call.ty(X.name)?.shape.clone();
            Ok(Analyzer::Counts(Arc::new(Documents { shape, size: size(call)? })))
        },
    },
};

fn check_terms(call: &Call<'_>) -> Result<Type> {
    let x = call.ty(X.name)?;
    if x.dtype != DType::Int64 || x.shape.len() != 1 || x.constant {
        return Err(call.wrong_type(X.name, "a column with a list of int64 in each row"));
    }
    let size = call.ty(VOCAB_SIZE.name)?;
    if size.dtype != DType::Int64 || !size.is_scalar() || !size.constant {
        return Err(call.wrong_type(VOCAB_SIZE.name, "a constant int64"));
    }
    if let Some(Some(known)) = call.position(VOCAB_SIZE.name).map(|place| call.constants[place]) {
        positive(call, known.ints()[0])?;
    }
    Ok(x.clone())
}

fn positive(call: &Call<'_>, size: i64) -> Result<i64> {
    if size < 1 {
        return Err(call.wrong(format!("`vocab_size` is {size}; at least 1 is wanted")));
    }
    Ok(size)
}

fn size(call: &Call<'_>) -> Result<i64> {
    positive(call, call.constant(VOCAB_SIZE.name)?.ints()[0])
}

struct Documents {
    shape: Vec<Dim>,
    size: i64,
}

/// Documents with each term, and documents.
#[derive(Default, Serialize, Deserialize)]
struct Counted {
    terms: BTreeMap<i64, u64>,
    documents: u64,
}

impl Keyed<u64> for Documents {
    fn name(&self) -> &'static str {
        DOCUMENT_FREQUENCIES.name
    }

    fn add(&self, table: &mut KeyTable<u64>, group: &[u8], input: &Columns) -> Result<()> {
        let group = table.group(group);
        let (values, ends) = (input.tensors[0].ints(), input.tensors[0].row_ends(&self.shape));
        let mut terms = Vec::new();
        for row in 0..input.rows {
            terms.clear();
            terms.extend(values[ends.range(row)].iter().map(|term| term.rem_euclid(self.size)));
            terms.sort_unstable();
            terms.dedup();
            terms.iter().for_each(|term| group.update(&term.to_be_bytes(), |n| *n += 1));
        }
        if input.rows > 0 {
            group.update(b"", |n| *n += input.rows as u64);
        }
        Ok(())
    }

    fn finish(self: Arc<Self>, group: Vec<u8>, blocks: &PCollection<KeyedBlock<u64>>) -> Pending {
        gather::<u64, Counted>(
            DOCUMENT_FREQUENCIES.name,
            group,
            blocks,
            |counted, key, &count| match key.try_into() {
                Ok(term) => {
                    counted.terms.insert(i64::from_be_bytes(term), count);
                }
                Err(_) => counted.documents += count,
            },
            |counted, other| {
                counted.terms.extend(other.terms);
                counted.documents += other.documents;
            },
            |counted| {
                let splits = splits_of([counted.terms.len()])?;
                let terms: Vec<i64> = counted.terms.keys().copied().collect();
                let counts: Vec<i64> = counted.terms.values().map(|n| n.cast_signed()).collect();
                Ok(vec![
                    Tensor::var_len(splits.clone(), terms),
                    Tensor::var_len(splits, counts),
                    Tensor::dense(1, vec![counted.documents.cast_signed()]),
                ])
            },
        )
    }
}

/// The call of the row-local half of a mapper, with what the analyzer finds.
fn with_found(builder: &mut Builder, call: &Bound, op: &Op, more: &[Param]) -> Result<Vec<Ref>> {
    let (x, size) = (call.get(X.name), call.get(VOCAB_SIZE.name));
    let args = Args::default().arg(x.clone()).arg(size.clone());
    let found = builder.call(DOCUMENT_FREQUENCIES.name, args)?;
    let args = found.into_iter().fold(Args::default().arg(x).arg(size), Args::arg);
    let args = more.iter().fold(args, |args, param| args.with(param.name, call.get(param.name)));
    builder.call(op.name, args)
}

/// What is known of documents: of terms by their ids.
struct Corpus {
    size: i64,
    frequencies: HashMap<i64, i64, foldhash::fast::FixedState>,
    documents: i64,
}

impl Corpus {
    fn of(call: &Call<'_>) -> Result<Self> {
        let found = |param: &Param| call.constant(param.name).map(Tensor::ints);
        let (terms, counts) = (found(&TERMS)?, found(&FREQUENCIES)?);
        if terms.len() != counts.len() {
            return Err(call.wrong("`terms` and `frequencies` differ in length"));
        }
        let frequencies = terms.iter().copied().zip(counts.iter().copied()).collect();
        Ok(Corpus { size: size(call)?, frequencies, documents: found(&DOCUMENTS)?[0] })
    }

    /// Documents with a term.
    fn frequency(&self, term: i64) -> i64 {
        self.frequencies.get(&term.rem_euclid(self.size)).copied().unwrap_or(0)
    }

    /// TFT's `document_frequency_to_idf`, in single precision.
    fn idf(&self, frequency: i64, smooth: bool, baseline: bool) -> f32 {
        let one = if smooth { 1.0 } else { 0.0 };
        let ratio = (self.documents as f32 + one) / (one + frequency as f32);
        ratio.ln() + if baseline { 1.0 } else { 0.0 }
    }

    /// The terms that documents have, ascending.
    fn known(&self) -> Vec<i64> {
        let mut known: Vec<i64> = self.frequencies.keys().copied().collect();
        known.sort_unstable();
        known
    }

    /// Something of the frequency of each known term, and of none.
    fn each<V>(&self, f: impl Fn(i64) -> V) -> Vec<V> {
        let known = self.known().into_iter().map(|term| self.frequencies[&term]);
        known.chain([0]).map(f).collect()
    }

    /// Nodes of ids within the vocabulary.
    fn terms(&self, nodes: &mut Nodes, ids: &Out) -> Out {
        let size = nodes.scalar(self.size);
        nodes.ints("FloorMod", ids, &size)
    }

    /// Nodes of something of each term, of those of the known terms and of others.
    fn of_terms(&self, nodes: &mut Nodes, terms: &Out, each: impl Into<Values>) -> Out {
        // No term is as great as the last, so that every term has a place.
        let mut known = self.known();
        let none = nodes.scalar(known.len() as i64);
        known.push(i64::MAX);
        let known = nodes.list(known);
        let places = nodes.bound("LowerBound", &known, terms, DType::Int64);
        let there = nodes.gather(&known, DType::Int64, &places);
        let flat = nodes.flattened(terms, DType::Int64);
        let is_known = nodes.typed("Equal", DType::Int64, &[&there, &flat]);
        let places = nodes.select(&is_known, &places, &none, DType::Int64);
        let each: Values = each.into();
        let (dtype, n) = (each.dtype(), each.len() as i64);
        let each = nodes.constant(&each, &[n]);
        let found = nodes.gather(&each, dtype, &places);
        let attrs = [("T", of_type(DType::Int64)), ("out_type", of_type(DType::Int64))];
        let shape = nodes.node("Shape", &[terms], attrs);
        let attrs = [("T", of_type(dtype)), ("Tshape", of_type(DType::Int64))];
        nodes.node("Reshape", &[&found, &shape], attrs)
    }
}

fn check_found(call: &Call<'_>) -> Result<Type> {
    let x = check_terms(call)?;
    for param in [TERMS, FREQUENCIES, DOCUMENTS] {
        let ty = call.ty(param.name)?;
        if ty.dtype != DType::Int64 || !ty.constant {
            return Err(call.wrong_type(param.name, "constants of int64"));
        }
    }
    Ok(x)
}

/// How many documents have each term of a row.
pub(in crate::ops) const DOCUMENT_FREQUENCY: Op = Op {
    name: "tft.experimental.document_frequency",
    doc: "for each term of a row, in how many rows of the data it is",
    semantics: "An int64 for each id, in the order of the row. Ids wrap around modulo `vocab_size`; a \
        term that was in no row is 0.",
    examples: &["tft.experimental.document_frequency(ns, 5)"],
    params: &[X, VOCAB_SIZE],
    kind: Kind::Compose(|builder, call| with_found(builder, call, &DOCUMENT_FREQUENCY_OF, &[])),
};

/// The row-local half.
pub(in crate::ops) const DOCUMENT_FREQUENCY_OF: Op = Op {
    name: "tft.document_frequency_of",
    doc: "for each term of a row, in how many documents it is, of given ones",
    semantics: "As `tft.experimental.document_frequency`.",
    examples: &[
        "tft.document_frequency_of(ns, 5, [0, 3], [2, 7], 9)",
        "tft.document_frequency_of(nvec, 9223372036854775807, [3, 0, 100], [1, 2, 7], 9)",
    ],
    params: &[X, VOCAB_SIZE, TERMS, FREQUENCIES, DOCUMENTS],
    kind: Kind::Map {
        types: |call| Ok(vec![check_found(call)?]),
        kernel: |call| -> Result<Box<dyn Kernel>> {
            let corpus = Corpus::of(call)?;
            Ok(function(move |_, inputs| {
                let found = inputs[0].ints().iter().map(|&term| corpus.frequency(term));
                Ok(inputs[0].with_values(found.collect::<Vec<i64>>()))
            }))
        },
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (x, corpus) = (&columns[0], Corpus::of(call)?);
            let terms = corpus.terms(nodes, &x.values);
            let frequencies: Vec<i64> = corpus.each(|frequency| frequency);
            Ok(vec![x.with_values(corpus.of_terms(nodes, &terms, frequencies))])
        }),
    },
};

/// The inverse document frequency of each term of a row.
pub(in crate::ops) const IDF: Op = Op {
    name: "tft.experimental.idf",
    doc: "for each term of a row its inverse document frequency",
    semantics: "ln((documents + 1) / (documents with the term + 1)) + 1, in float32; without `smooth` \
        no ones inside the logarithm (infinite for a term that was in no row), without \
        `add_baseline` none outside.",
    examples: &["tft.experimental.idf(ns, 5)", "tft.experimental.idf(ns, 5, smooth=False)"],
    params: &[X, VOCAB_SIZE, SMOOTH, ADD_BASELINE],
    kind: Kind::Compose(|builder, call| {
        with_found(builder, call, &IDF_OF, &[SMOOTH, ADD_BASELINE])
    }),
};

/// The row-local half.
pub(in crate::ops) const IDF_OF: Op = Op {
    name: "tft.idf_of",
    doc: "for each term of a row its inverse document frequency, of given documents",
    semantics: "As `tft.experimental.idf`.",
    examples: &[
        "tft.idf_of(ns, 5, [0, 3], [2, 7], 9)",
        "tft.idf_of(ns, 5, [0, 3], [2, 7], 9, smooth=False, add_baseline=False)",
    ],
    params: &[X, VOCAB_SIZE, TERMS, FREQUENCIES, DOCUMENTS, SMOOTH, ADD_BASELINE],
    kind: Kind::Map {
        types: |call| Ok(vec![check_found(call)?.with_dtype(DType::Float32)]),
        kernel: |call| {
            let corpus = Corpus::of(call)?;
            let (smooth, baseline) = (call.is(SMOOTH.name), call.is(ADD_BASELINE.name));
            Ok(function(move |_, inputs| {
                let found = inputs[0].ints().iter();
                let found = found.map(|&term| corpus.idf(corpus.frequency(term), smooth, baseline));
                Ok(inputs[0].with_values(found.collect::<Vec<f32>>()))
            }))
        },
        domain: None,
        keeps: "x",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (x, corpus) = (&columns[0], Corpus::of(call)?);
            let (smooth, baseline) = (call.is(SMOOTH.name), call.is(ADD_BASELINE.name));
            let terms = corpus.terms(nodes, &x.values);
            let idfs: Vec<f32> = corpus.each(|frequency| corpus.idf(frequency, smooth, baseline));
            Ok(vec![x.with_values(corpus.of_terms(nodes, &terms, idfs))])
        }),
    },
};

/// Terms and their weights.
pub(in crate::ops) const TFIDF: Op = Op {
    name: "tft.tfidf",
    doc: "the distinct terms of each row, and how telling each is",
    semantics: "Two results: ids, ascending, and float32 weights: the term's share of the row's terms \
        times its inverse document frequency (`tft.experimental.idf`). Ids wrap around modulo \
        `vocab_size`. A row without terms has none.",
    examples: &["tft.tfidf(ns, 5)[0]", "tft.tfidf(ns, 5, smooth=False)[1]"],
    params: &[X, VOCAB_SIZE, SMOOTH],
    kind: Kind::Compose(|builder, call| with_found(builder, call, &TFIDF_OF, &[SMOOTH])),
};

/// The row-local half.
pub(in crate::ops) const TFIDF_OF: Op = Op {
    name: "tft.tfidf_of",
    doc: "the distinct terms of each row, and how telling each is of given documents",
    semantics: "As `tft.tfidf`.",
    examples: &[
        "tft.tfidf_of(ns, 5, [0, 3], [2, 7], 9)[0]",
        "tft.tfidf_of(ns, 5, [0, 3], [2, 7], 9, smooth=False)[1]",
    ],
    params: &[X, VOCAB_SIZE, TERMS, FREQUENCIES, DOCUMENTS, SMOOTH],
    kind: Kind::Map {
        types: |call| {
            check_found(call)?;
            Ok(vec![Type::var_len(DType::Int64), Type::var_len(DType::Float32)])
        },
        kernel: |call| {
            let (corpus, smooth) = (Corpus::of(call)?, call.is(SMOOTH.name));
            Ok(Box::new(TermWeights { corpus, smooth, shape: call.ty(X.name)?.shape.clone() }))
        },
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(weights_there),
    },
};

struct TermWeights {
    corpus: Corpus,
    smooth: bool,
    shape: Vec<Dim>,
}

impl Kernel for TermWeights {
    fn eval(&self, rows: usize, inputs: &[&Tensor], out: &mut Vec<Tensor>) -> Result<(), Error> {
        let (values, ends) = (inputs[0].ints(), inputs[0].row_ends(&self.shape));
        let (mut ids, mut weights, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        let mut terms = Vec::new();
        for row in 0..rows {
            terms.clear();
            let of_row = values[ends.range(row)].iter();
            terms.extend(of_row.map(|term| term.rem_euclid(self.corpus.size)));
            terms.sort_unstable();
            let before = ids.len();
            for same in terms.chunk_by(|a, b| a == b) {
                let share = same.len() as f64 / terms.len() as f64;
                ids.push(same[0]);
                let frequency = self.corpus.frequency(same[0]);
                weights.push(share as f32 * self.corpus.idf(frequency, self.smooth, true));
            }
            lengths.push(ids.len() - before);
        }
        let splits = splits_of(lengths)?;
        out.push(Tensor::var_len(splits.clone(), ids));
        out.push(Tensor::var_len(splits, weights));
        Ok(())
    }
}

/// Nodes of terms and their weights.
fn weights_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (corpus, smooth, int) = (Corpus::of(call)?, call.is(SMOOTH.name), DType::Int64);
    let rows = Segments::of_rows(nodes, &columns[0], call.ty(X.name)?);
    let terms = corpus.terms(nodes, &rows.values);
    // TensorFlow counts the values of no row at all in no way: there is an empty one more.
    let splits = nodes.splits_by(&rows.ids, &rows.n);
    let n = nodes.size(&terms, int);
    let n = nodes.reshape(&n, int, &[1]);
    let splits = nodes.concat(&[&splits, &n], int, 0);
    let no_weights = nodes.list(Vec::<i64>::new());
    let attrs =
        [("T", of_type(int)), ("output_type", of_type(int)), ("binary_output", Attr::B(false))];
    let counted = nodes.node("RaggedCountSparseOutput", &[&splits, &terms, &no_weights], attrs);
    let (row, ids) = (column_of(nodes, &counted, 0), column_of(nodes, &counted, 1));
    let lengths = rows.counts(nodes);
    let lengths = nodes.gather(&lengths, int, &row);
    let [counts, lengths] =
        [&counted.port(1), &lengths].map(|n| nodes.cast(n, int, DType::Float64));
    let shares = nodes.typed("RealDiv", DType::Float64, &[&counts, &lengths]);
    let shares = nodes.cast(&shares, DType::Float64, DType::Float32);
    let idfs: Vec<f32> = corpus.each(|frequency| corpus.idf(frequency, smooth, true));
    let idfs = corpus.of_terms(nodes, &ids, idfs);
    let weights = nodes.typed("Mul", DType::Float32, &[&shares, &idfs]);
    let splits = vec![nodes.splits_by(&row, &rows.n)];
    Ok(vec![Column { values: ids, splits: splits.clone() }, Column { values: weights, splits }])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, floats, ints, lists, refused};

    #[test]
    fn terms_are_weighed() {
        let rows = || [("ns", lists(&[3, 0, 2], ints(&[3, -2, 8, 0, i64::MIN])))];
        // Modulo 5: 3, 3, 3 and 0, 2.
        let call = "5, [0, 3], [2, 7], 9";
        let ids = lists(&[1, 0, 2], ints(&[3, 0, 2]));
        check(&format!("tft.tfidf_of(ns, {call})[0]"), &rows(), ids);
        let idf = |df: f32| (10.0 / (1.0 + df)).ln() + 1.0;
        let weights = floats(&[idf(7.0), 0.5 * idf(2.0), 0.5 * idf(0.0)]);
        check(&format!("tft.tfidf_of(ns, {call})[1]"), &rows(), lists(&[1, 0, 2], weights));
        let counts = lists(&[3, 0, 2], ints(&[7, 7, 7, 2, 0]));
        check(&format!("tft.document_frequency_of(ns, {call})"), &rows(), counts);
        let rough = [7.0f32, 7.0, 7.0, 2.0, 0.0].map(|df| (9.0 / df).ln());
        let rough = lists(&[3, 0, 2], floats(&rough));
        check(&format!("tft.idf_of(ns, {call}, False, False)"), &rows(), rough);
        refused(
            "tft.tfidf(ns, 0)",
            "`tft.document_frequencies`: `vocab_size` is 0; at least 1 is wanted",
        );
    }
}
