//! Golden rows: a few inputs with their outputs, computed again bit for bit whenever a graph is read.
//!
//! ```text
//!   data    the first rows that were analyzed
//!   edges   made from the types alone: NaN, infinities, −0.0, extremes, no values, invalid UTF-8
//! ```

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::assets::Assets;
use super::json::VERSION;
use super::tensor::TensorJson;
use crate::tensor::{StringsBuilder, Tensor, Values, splits_of};
use crate::transform_graph::TransformGraph;
use crate::types::{DType, Dim, Type};

pub(super) const FORMAT: &str = "frazil golden rows";

/// Rows with edge values.
const EDGE_ROWS: usize = 8;
/// The most edge values of a column: what has larger rows has fewer of them.
const MOST_VALUES: usize = 1 << 14;

/// The file `golden_rows.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoldenJson {
    format: String,
    version: u32,
    blocks: Vec<BlockJson>,
}

/// Some rows: columns by name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockJson {
    what: String,
    rows: usize,
    inputs: Vec<ColumnJson>,
    outputs: Vec<ColumnJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnJson {
    name: String,
    value: TensorJson,
}

impl GoldenJson {
    /// The rows of a graph; `data` are those of its inputs.
    ///
    /// # Errors
    /// When a result is too large.
    pub(super) fn new(graph: &TransformGraph, data: Option<(usize, Vec<Tensor>)>) -> Result<Self> {
        let edges = edges(graph.inputs())?;
        let blocks = data.map(|(rows, inputs)| ("data", rows, inputs));
        let blocks = blocks.into_iter().chain([("edges", edges.0, edges.1)]);
        let blocks = blocks.map(|(what, rows, inputs)| {
            let columns = |names: &[(String, Type)], values: &[Tensor]| {
                let columns = names.iter().zip(values).map(|((name, _), value)| {
                    let value = TensorJson::new(value, &mut Assets::default())?;
                    Ok(ColumnJson { name: name.clone(), value })
                });
                columns.collect::<Result<Vec<_>>>()
            };
            let shown = columns(graph.inputs(), &inputs)?;
            let outputs = graph.run(rows, inputs)?;
            let outputs = columns(graph.outputs(), &outputs)?;
            Ok(BlockJson { what: what.to_owned(), rows, inputs: shown, outputs })
        });
        let (format, version) = (FORMAT.to_owned(), VERSION);
        Ok(GoldenJson { format, version, blocks: blocks.collect::<Result<_>>()? })
    }

    /// The inputs of all rows, block by block.
    ///
    /// # Errors
    /// When they are not the graph's.
    pub(super) fn inputs(self, graph: &TransformGraph) -> Result<Vec<(usize, Vec<Tensor>)>> {
        let blocks = self.blocks.into_iter().map(|BlockJson { what, rows, inputs, .. }| {
            Ok((rows, columns(&what, rows, inputs, graph.inputs())?))
        });
        blocks.collect()
    }

    /// Computes all rows again; gives their number.
    ///
    /// # Errors
    /// Naming the first row and column that differ.
    pub(super) fn check(self, graph: &TransformGraph) -> Result<usize> {
        let mut n = 0;
        for BlockJson { what, rows, inputs, outputs } in self.blocks {
            let inputs = columns(&what, rows, inputs, graph.inputs())?;
            let wanted = columns(&what, rows, outputs, graph.outputs())?;
            let found = graph.run(rows, inputs)?;
            for ((found, wanted), (name, _)) in found.iter().zip(&wanted).zip(graph.outputs()) {
                if !found.same_bits(wanted) {
                    let error = "a golden row comes out differently";
                    return Err(Error::new(ErrorKind::Incompatible, error)
                        .with_detail(format!(
                            "Output `{name}` of rows `{what}` is not what it was when the graph \
                             was written."
                        ))
                        .with_hint(
                            "The file or the program has changed: use the version of Frazil that \
                             wrote the graph, or analyze again.",
                        ));
                }
            }
            n += rows;
        }
        Ok(n)
    }
}

/// The columns of a block, as those of the graph.
fn columns(
    what: &str,
    rows: usize,
    columns: Vec<ColumnJson>,
    wanted: &[(String, Type)],
) -> Result<Vec<Tensor>> {
    let damaged = |why: String| {
        Error::new(ErrorKind::Input, "the golden rows are damaged")
            .with_detail(format!("In rows `{what}`: {why}."))
    };
    if columns.len() != wanted.len() {
        return Err(damaged(format!("{} columns, not {}", columns.len(), wanted.len())));
    }
    let tensors = columns.into_iter().zip(wanted).map(|(column, (name, ty))| {
        if column.name != *name {
            return Err(damaged(format!("column `{}` where `{name}` is wanted", column.name)));
        }
        let value = column.value.into_tensor(&mut Assets::default())?;
        if value.rows != rows {
            return Err(damaged(format!("`{name}` has {} rows, not {rows}", value.rows)));
        }
        value.check(ty).map_err(|e| damaged(format!("`{name}`: {}", e.message())))?;
        Ok(value)
    });
    tensors.collect()
}

/// Edge values of every input.
fn edges(inputs: &[(String, Type)]) -> Result<(usize, Vec<Tensor>)> {
    let largest = inputs.iter().map(|(_, ty)| {
        ty.shape.iter().fold(1usize, |n, dim| match dim {
            Dim::Fixed(d) => n.saturating_mul(*d as usize),
            Dim::Var => n.saturating_mul(3),
        })
    });
    let rows = (MOST_VALUES / largest.max().unwrap_or(1).max(1)).min(EDGE_ROWS);
    let tensors = inputs.iter().enumerate().map(|(column, (_, ty))| {
        let mut splits = Vec::new();
        let mut items = rows;
        for (depth, dim) in ty.shape.iter().enumerate() {
            match dim {
                Dim::Fixed(n) => items *= *n as usize,
                Dim::Var => {
                    let ends = splits_of((0..items).map(|item| (item + column + depth) % 4))?;
                    items = ends.last().map_or(0, |end| *end as usize);
                    splits.push(ends);
                }
            }
        }
        // Columns do not have their edges in the same rows.
        Ok(Tensor { rows, splits, values: edge_values(ty.dtype, column, items)? })
    });
    Ok((rows, tensors.collect::<Result<_>>()?))
}

/// So many edge values, beginning somewhere.
fn edge_values(dtype: DType, start: usize, n: usize) -> Result<Values> {
    fn cycle<T: Copy>(values: &[T], start: usize, n: usize) -> Vec<T> {
        values.iter().copied().cycle().skip(start % values.len()).take(n).collect()
    }
    Ok(match dtype {
        DType::Bool => cycle(&[1u8, 0, 0, 1, 1], start, n).into(),
        DType::Int64 | DType::Timestamp => {
            let beyond_doubles = (1i64 << 53) + 1;
            let values = [0, 1, -1, i64::MAX, i64::MIN, 12, beyond_doubles, 1_700_000_000_000_000];
            cycle(&values, start, n).into()
        }
        DType::Float32 => {
            let values = [0.0f32, 1.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX];
            cycle(&[&values[..], &[f32::from_bits(1), -2.25]].concat(), start, n).into()
        }
        DType::Float64 => {
            let values = [0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX];
            cycle(&[&values[..], &[f64::from_bits(1), -2.25]].concat(), start, n).into()
        }
        DType::String | DType::Vocabulary | DType::Tokenizer => {
            let texts: [&[u8]; 8] = [
                b"",
                b"a",
                b"The quick, brown fox!",
                "\u{c9}t\u{e9} \u{df} \u{6771}\u{4eac} \u{1f600}".as_bytes(),
                b"\xff\xfe",
                b" \t\n",
                b"3.5",
                b"2024-02-29 12:00:00",
            ];
            let mut strings = StringsBuilder::default();
            cycle(&texts, start, n).into_iter().for_each(|text| strings.push(text));
            strings.finish()?.into()
        }
    })
}
