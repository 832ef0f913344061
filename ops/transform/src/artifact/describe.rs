//! What the analyzers found, for people: each call, where it was written, and its values.

use engine::Result;
use serde::Serialize;

use super::json::pretty;
use crate::graph::{Graph, What};
use crate::tensor::{Tensor, Values};

/// How many values are shown.
const SHOWN: usize = 50;
/// How many bytes of a string are shown.
const SHOWN_BYTES: usize = 200;

/// One analyzer that has run.
#[derive(Clone, Debug, Serialize)]
pub struct AnalyzerReport {
    /// Number of its node.
    pub node: u32,
    /// The call as it would be written.
    pub call: String,
    /// Where it was written: `FILE:LINE:COLUMN`.
    pub at: Option<String>,
    /// Its results.
    pub results: Vec<ResultReport>,
}

/// One result of an analyzer.
#[derive(Clone, Debug, Serialize)]
pub struct ResultReport {
    /// Its name, where the analyzer has many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// The first values; tokens of a vocabulary or tokenizer, with frequencies where they are stored.
    pub values: Vec<serde_json::Value>,
    /// How many values there are in all.
    pub count: usize,
    /// True where there are more than are shown here.
    pub cut: bool,
    /// The file of the vocabulary or tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Distinct tokens that were seen, before thresholds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfiltered_size: Option<u64>,
}

impl Graph {
    /// The analyzers that have run, with their values for people to read.
    ///
    /// # Errors
    /// When a vocabulary cannot be read from its temporary file.
    pub fn analyzers(&self) -> Result<Vec<AnalyzerReport>> {
        let nodes = (0u32..).zip(&self.nodes);
        let reports = nodes.filter_map(|(number, node)| {
            let What::Analyzed(call, values) = &node.what else { return None };
            let op = call.split('(').next().unwrap_or_default();
            let names = crate::ops::result_names(op).iter().map(|name| Some(*name));
            let results = values.iter().zip(&node.types).zip(names.chain(std::iter::repeat(None)));
            let results = results.map(|((value, ty), name)| {
                Ok(ResultReport { name, ..result(value, ty.to_string())? })
            });
            Some(results.collect::<Result<_>>().map(|results| AnalyzerReport {
                node: number,
                call: call.clone(),
                at: node.origin.as_ref().map(ToString::to_string),
                results,
            }))
        });
        reports.collect()
    }
}

/// The file `analyzers.json`.
pub(super) fn analyzers(graph: &Graph) -> Result<String> {
    Ok(pretty(&serde_json::json!({
        "format": "frazil analyzers",
        "version": super::json::VERSION,
        "analyzers": graph.analyzers()?,
    })))
}

fn result(value: &Tensor, ty: String) -> Result<ResultReport> {
    let (mut file, mut unfiltered_size) = (None, None);
    let mut count = value.values.len();
    let values: Vec<serde_json::Value> = match &value.values {
        Values::Bool(values) => values.iter().take(SHOWN).map(|v| (*v != 0).into()).collect(),
        Values::Int64(values) => values.iter().take(SHOWN).map(|v| (*v).into()).collect(),
        Values::Float32(values) => values.iter().take(SHOWN).map(|v| single(*v)).collect(),
        Values::Float64(values) => values.iter().take(SHOWN).map(|v| double(*v)).collect(),
        Values::String(values) => values.iter().take(SHOWN).map(|v| string(v).into()).collect(),
        Values::Vocabulary(vocabulary) => {
            file = Some(vocabulary.file_name.clone());
            unfiltered_size = Some(vocabulary.unfiltered_size);
            count = vocabulary.len();
            let tokens = (0..count.min(SHOWN)).map(|id| {
                let token = string(&vocabulary.tokens.get(id)?);
                Ok(match &vocabulary.frequencies {
                    None => token.into(),
                    Some(all) => serde_json::json!([token, string(&all.get(id)?)]),
                })
            });
            tokens.collect::<Result<_>>()?
        }
        Values::Tokenizer(tokenizer) => {
            file = tokenizer.file().map(|(name, _)| name.to_owned());
            count = tokenizer.vocabulary_size();
            let tokens = (0..count.min(SHOWN) as i64).filter_map(|id| tokenizer.token(id));
            tokens.map(|token| string(&token).into()).collect()
        }
    };
    let cut = values.len() < count;
    Ok(ResultReport { name: None, ty, values, count, cut, file, unfiltered_size })
}

/// A number, or its name where JSON has none; a single one with its own digits.
fn single(value: f32) -> serde_json::Value {
    match value.to_string().parse() {
        Ok(short) if value.is_finite() => double(short),
        _ => double(value.into()),
    }
}

fn double(value: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.into(),
        None => value.to_string().into(),
    }
}

fn string(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]).into_owned();
    if bytes.len() > SHOWN_BYTES { text + "…" } else { text }
}
