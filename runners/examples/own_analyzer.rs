//! An analyzer of one's own: the longest text of a column, by which all texts are measured.
//!
//! TFT has `ptransform_analyzer` for this. Here it is a [`CombineFn`] and an [`Op`] that names it; the
//! frozen graph holds the result alone, and is loaded and applied without either.
//!
//! `cargo run -p runners --example own_analyzer`

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use engine::{Batch, Batches, CombineFn, Error, Result, RunOptions, Shard, Source};
use runners::Runner;
use transform::artifact::SaveOptions;
use transform::{
    Analyzer, Args, Builder, Columns, DType, Default, Kind, Op, Param, Strings, Takes, Tensor,
    TransformGraph, Type,
};

/// The row of the table that is not in the table.
static LONGEST: Op = Op {
    name: "own.longest",
    doc: "bytes of the longest text of a column",
    semantics: "A constant int64; 0 without texts.",
    examples: &[],
    params: &[Param {
        name: "x",
        takes: Takes::Value { like: "" },
        default: Default::Required,
        doc: "a column of strings",
    }],
    kind: Kind::Analyze {
        types: |call| match call.ty("x")?.dtype {
            DType::String => Ok(vec![Type::constant(DType::Int64, [])]),
            _ => Err(call.wrong_type("x", "a column of strings")),
        },
        analyzer: |_| Ok(Analyzer::Global(Box::new(Longest))),
    },
};

/// How the states of shards become one result. Merged in any order it is the same.
struct Longest;

impl CombineFn for Longest {
    type Input = Columns;
    type Accumulator = i64;
    type Output = Vec<Tensor>;

    fn name(&self) -> &'static str {
        LONGEST.name
    }
    fn create_accumulator(&self) -> i64 {
        0
    }
    fn add_input(&self, longest: &mut i64, input: &Columns) -> Result<()> {
        let lengths = input.tensors[0].strings().iter().map(|text| text.len() as i64);
        *longest = lengths.fold(*longest, i64::max);
        Ok(())
    }
    fn merge_accumulators(&self, longest: &mut i64, other: i64) -> Result<()> {
        *longest = other.max(*longest);
        Ok(())
    }
    fn extract_output(&self, longest: i64) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::dense(1, vec![longest])])
    }
}

/// Two shards of texts.
struct Texts {
    shards: Vec<Shard>,
}

const TEXTS: [&[&str]; 2] = [&["a", "bcd"], &["", "efghijkl", "mn"]];

fn records(texts: &[&str]) -> Result<RecordBatch> {
    let texts = Arc::new(StringArray::from_iter_values(texts)) as arrow_array::ArrayRef;
    RecordBatch::try_from_iter([("text", texts)]).map_err(|e| Error::input(e.to_string()))
}

impl Source for Texts {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }
    fn read(self: Arc<Self>, shard: usize, _batch_rows: usize) -> Result<Batches> {
        let batch = records(TEXTS[shard]).map(|records| Batch {
            shard,
            first_row: 0,
            records,
            originals: None,
            rejected: Vec::new(),
            bytes: 0,
        });
        Ok(Box::new(std::iter::once(batch)))
    }
}

/// Analyzes the texts, saves the graph, loads it and applies it.
///
/// # Errors
/// When the disk is full.
pub(crate) fn main() -> Result<()> {
    let mut builder = Builder::new([("text".to_owned(), Type::scalar(DType::String))]);
    let text = builder.input("text")?;
    let longest = builder.call_op(&LONGEST, Args::default().arg(text))?[0];
    let length = builder.one("strings.length", Args::default().arg(text))?;
    let share = builder.one("math.divide", Args::default().arg(length).arg(longest))?;
    let graph = builder.finish(vec![("share".to_owned(), share)])?;

    let shards = TEXTS.iter().enumerate();
    let shards = shards.map(|(number, _)| Shard { path: number.to_string(), part: None, bytes: 0 });
    let source: Arc<dyn Source> = Arc::new(Texts { shards: shards.collect() });
    let options = RunOptions::default();
    let analysis = runners::transform::analyze(graph, &source, &Runner::local(), &options)?;

    let folder = tempfile::tempdir().map_err(|e| Error::io("make a directory", &e))?;
    let directory = folder.path().join("graph");
    analysis.graph.save(&directory, &SaveOptions::default())?;
    // Nothing of this file is needed from here on.
    let graph = TransformGraph::load(&directory)?;
    assert_eq!(graph.graph().analyzers()?[0].call, "own.longest(text)");
    let texts = Strings::from_iter(["efghijkl", "mn", "", "longer than all"]);
    let shares = graph.run(4, vec![Tensor::dense(4, texts)])?;
    println!("shares of the longest text: {:?}", shares[0].values);
    assert_eq!(shares[0].to_doubles()[..], [1.0, 0.25, 0.0, 1.875]);
    Ok(())
}
