//! `TransformGraph`: a graph with every analyzer's result bound, ready to transform rows.

use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use engine::{Batch, DoFn, Emit, Error, ErrorKind, Rejected, Result};
use hashbrown::HashMap;

use crate::analyzer::Columns;
use crate::arrow::{self, BadRow};
use crate::graph::Graph;
use crate::op::Ref;
use crate::program::Program;
use crate::tensor::Tensor;
use crate::types::Type;

/// A frozen graph: the one object that batches, training and serving apply.
pub struct TransformGraph {
    graph: Graph,
    program: Program,
    outputs: Vec<(String, Type)>,
    /// Positions of inputs by name.
    numbers: HashMap<String, usize, foldhash::fast::FixedState>,
    schema: SchemaRef,
    /// As it was read or first computed.
    pub(crate) fingerprint: OnceLock<String>,
}

impl std::fmt::Debug for TransformGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TransformGraph({} nodes)", self.graph.nodes.len())
    }
}

/// Transformed rows.
#[derive(Debug)]
pub struct Transformed {
    /// The good rows, a column for each output.
    pub records: RecordBatch,
    /// The rows that do not have what the graph asks for.
    pub bad: Vec<BadRow>,
}

impl TransformGraph {
    /// Freezes a graph whose analyzers are all bound.
    ///
    /// # Errors
    /// When one is not, or a constant does not suit its operation.
    pub fn new(graph: Graph) -> Result<Self> {
        let graph = graph.pruned();
        if let Some(&node) = graph.next_phase().first() {
            let shown = graph.show(Ref { node, port: 0 });
            return Err(Error::new(ErrorKind::Incompatible, "the graph is not frozen")
                .with_detail(format!("Analyzer `{shown}` has not run.")));
        }
        let wanted: Vec<Ref> = graph.outputs.iter().map(|(_, value)| *value).collect();
        let program = Program::new(&graph, &wanted)?;
        let outputs = graph.outputs.iter();
        let outputs: Vec<(String, Type)> =
            outputs.map(|(name, value)| (name.clone(), graph.ty(*value).clone())).collect();
        let fields: Vec<_> = outputs.iter().map(|(name, ty)| arrow::field(name, ty)).collect();
        let schema = Arc::new(Schema::new(fields));
        let inputs = program.inputs().iter().enumerate();
        let numbers = inputs.map(|(number, (name, _))| (name.clone(), number)).collect();
        let fingerprint = OnceLock::new();
        Ok(TransformGraph { graph, program, outputs, numbers, schema, fingerprint })
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The columns that are needed, with their types.
    pub fn inputs(&self) -> &[(String, Type)] {
        self.program.inputs()
    }

    /// The position of an input among [`TransformGraph::inputs`].
    pub fn input_number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The columns that come out, with their types.
    pub fn outputs(&self) -> &[(String, Type)] {
        &self.outputs
    }

    /// The schema of transformed batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Transforms tensors: one for each of [`TransformGraph::inputs`], of so many rows.
    ///
    /// # Errors
    /// When a result is too large.
    pub fn run(&self, rows: usize, inputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        self.program.run(rows, inputs)
    }

    /// Transforms a batch of rows.
    ///
    /// # Errors
    /// When a column is of another type than the graph's, or a result is too large.
    pub fn apply(&self, batch: &RecordBatch) -> Result<Transformed> {
        self.transformed(batch, |results| {
            let columns: Result<Vec<_>> = results
                .iter()
                .zip(&self.outputs)
                .map(|(tensor, (_, ty))| arrow::to_array(tensor, ty))
                .collect();
            RecordBatch::try_new(self.schema.clone(), columns?).map_err(|e| {
                Error::new(ErrorKind::Incompatible, "the results are no batch")
                    .with_detail(format!("{e}."))
            })
        })
    }

    /// Transforms a batch of rows; `records` makes a batch of the results.
    pub(crate) fn transformed(
        &self,
        batch: &RecordBatch,
        records: impl FnOnce(&[Tensor]) -> Result<RecordBatch>,
    ) -> Result<Transformed> {
        let fed = arrow::feed(batch, self.program.inputs())?;
        let results = self.program.run(fed.rows, fed.tensors)?;
        Ok(Transformed { records: records(&results)?, bad: fed.bad })
    }
}

/// Transforms the batches of a pipeline.
pub struct Apply(pub Arc<TransformGraph>);

impl DoFn for Apply {
    type Input = Batch;
    type Output = Batch;

    fn name(&self) -> &'static str {
        "transform"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Batch>) -> Result<()> {
        emit_transformed(batch, self.0.apply(&batch.records)?, out);
        Ok(())
    }
}

/// Sends transformed rows on, in the place of those that they were made of.
pub fn emit_transformed(batch: &Batch, transformed: Transformed, out: &mut Emit<Batch>) {
    reject_rows(batch, &transformed.bad, out);
    out.emit(Batch {
        shard: batch.shard,
        first_row: batch.first_row,
        records: transformed.records,
        originals: None,
        rejected: Vec::new(),
        bytes: 0,
    });
}

/// Computes what the analyzers of a phase are fed.
pub struct Evaluate(pub Program);

impl DoFn for Evaluate {
    type Input = Batch;
    type Output = Columns;

    fn name(&self) -> &'static str {
        "evaluate"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Columns>) -> Result<()> {
        let fed = arrow::feed(&batch.records, self.0.inputs())?;
        reject_rows(batch, &fed.bad, out);
        let (rows, shard, first_row) = (fed.rows, batch.shard, batch.first_row);
        let tensors = self.0.run(rows, fed.tensors)?;
        out.emit(Columns { rows, shard, first_row, tensors });
        Ok(())
    }
}

/// Notes bad rows by their places in the shard.
fn reject_rows<T>(batch: &Batch, bad: &[BadRow], out: &mut Emit<T>) {
    for BadRow { row, reason } in bad {
        // The source counts bytes by batch: a row's place is its number.
        out.reject(Rejected {
            record: batch.first_row + *row as u64,
            byte: 0,
            reason: reason.clone(),
            fatal: false,
        });
    }
}
