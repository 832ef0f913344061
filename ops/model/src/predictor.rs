//! `Predictor`: a trained network behind the part of the graph that it reads.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use engine::{Batch, DoFn, Emit, Error, ErrorKind, Result};
use transform::arrow::{BadRow, feed};
use transform::{Graph, Tensor, TransformGraph, Transformed, Type, emit_transformed};

use crate::inputs::Inputs;
use crate::network::Network;
use crate::spec::{Feature, ModelSpec, Task};
use crate::weights::Weights;

/// A trained network behind the part of the graph that it reads: from raw rows to predictions.
#[derive(Debug)]
pub struct Predictor {
    /// Without the label, and without what only the label needs.
    graph: TransformGraph,
    spec: ModelSpec,
    network: Network,
    schema: SchemaRef,
}

/// Predictions of rows.
#[derive(Debug)]
pub struct Predicted {
    /// A row for each good one.
    pub records: RecordBatch,
    /// The rows that do not have what the graph asks for.
    pub bad: Vec<BadRow>,
}

impl Predictor {
    /// Puts a network behind a graph.
    ///
    /// # Errors
    /// When the graph lacks what the model reads, or weights are missing.
    pub fn new(graph: &TransformGraph, spec: ModelSpec, weights: Weights) -> Result<Self> {
        let graph = features_of(graph, &spec)?;
        let field = match spec.task {
            Task::Multiclass { classes } => {
                let item = Arc::new(Field::new("item", DataType::Float32, false));
                let list = DataType::FixedSizeList(item, classes as i32);
                vec![
                    Field::new(spec.task.output(), list, false),
                    Field::new("class", DataType::Int64, false),
                ]
            }
            _ => vec![Field::new(spec.task.output(), DataType::Float32, false)],
        };
        let network = Network::new(&spec, weights)?;
        Ok(Predictor { graph, spec, network, schema: Arc::new(Schema::new(field)) })
    }

    /// What the model reads and answers.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The graph, cut down to what the model reads; its inputs are what a request needs.
    pub fn graph(&self) -> &TransformGraph {
        &self.graph
    }

    /// The schema of predictions.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Predicts raw rows.
    ///
    /// # Errors
    /// When a column is of another type than the graph's.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Predicted> {
        let fed = feed(batch, self.graph.inputs())?;
        let records = self.records(self.scores_of(fed.rows, fed.tensors)?)?;
        Ok(Predicted { records, bad: fed.bad })
    }

    /// Predicts rows whose raw columns are tensors, one for each of the graph's inputs: the task's width of
    /// numbers for each row, of which [`Predictor::records`] makes predictions.
    ///
    /// # Errors
    /// When a result is too large.
    pub fn scores_of(&self, rows: usize, raw: Vec<Tensor>) -> Result<Vec<f32>> {
        let tensors = self.graph.run(rows, raw)?;
        let types = self.graph.outputs().iter().map(|(_, ty)| ty);
        let features: Vec<(&Tensor, &Type)> = tensors.iter().zip(types).collect();
        Ok(self.scores(&Inputs::of(&self.spec, rows, &features)?))
    }

    /// Predicts rows of features: the task's width of numbers for each.
    pub fn scores(&self, inputs: &Inputs) -> Vec<f32> {
        let mut scores = self.network.logits(inputs);
        self.spec.task.activate(&mut scores);
        scores
    }

    /// Predictions of what [`Predictor::scores`] gives, in [`Predictor::schema`].
    ///
    /// # Errors
    /// When there are more than a batch can hold.
    pub fn records(&self, scores: Vec<f32>) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = match self.spec.task {
            Task::Multiclass { classes } => {
                let class = scores.chunks_exact(classes).map(|row| greatest(row) as i64);
                let class: Int64Array = class.collect();
                let DataType::FixedSizeList(item, width) = self.schema.field(0).data_type() else {
                    return Err(Error::invalid("the probabilities are no list"));
                };
                let values = Arc::new(Float32Array::from(scores));
                let list = FixedSizeListArray::try_new(item.clone(), *width, values, None);
                vec![Arc::new(list.map_err(|e| no_batch(&e))?), Arc::new(class)]
            }
            _ => vec![Arc::new(Float32Array::from(scores))],
        };
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| no_batch(&e))
    }
}

fn no_batch(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Incompatible, "the predictions are no batch")
        .with_detail(format!("{error}."))
}

/// The first of the greatest numbers.
fn greatest(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}

/// The part of a graph that makes what a model reads, in the model's order.
///
/// # Errors
/// When an output is missing.
pub fn features_of(graph: &TransformGraph, spec: &ModelSpec) -> Result<TransformGraph> {
    select(graph, spec.features.iter().flat_map(Feature::names))
}

/// The part of a graph that makes these outputs, in this order.
pub fn select<'a>(
    graph: &TransformGraph,
    names: impl Iterator<Item = &'a str>,
) -> Result<TransformGraph> {
    let of = graph.graph();
    let outputs: Result<Vec<_>> = names
        .map(|name| {
            of.outputs.iter().find(|(known, _)| known == name).cloned().ok_or_else(|| {
                Error::new(ErrorKind::Incompatible, format!("the graph has no `{name}`"))
                    .with_detail("The model reads it.")
                    .with_hint("Use the graph that the model was trained with.")
            })
        })
        .collect();
    TransformGraph::new(Graph { outputs: outputs?, ..of.clone() })
}

/// Predicts the batches of a pipeline: each row as it was, then the model's answer, and the label where
/// there is a graph that makes it.
pub struct Predict {
    predictor: Arc<Predictor>,
    /// What makes the label, and what it is called.
    label: Option<(TransformGraph, String)>,
    /// The columns of the input that go on.
    kept: Vec<String>,
    /// What the names of answers begin with.
    prefix: String,
}

impl Predict {
    /// Predictions beside these columns of the input.
    pub fn new(predictor: Arc<Predictor>, kept: Vec<String>) -> Self {
        Predict { predictor, label: None, kept, prefix: String::new() }
    }

    /// With answers whose names begin so, to stand beside those of another model.
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// With the label, too, from the whole graph that the model was trained with, in a column of this
    /// name.
    ///
    /// # Errors
    /// When the graph has no such output.
    pub fn with_label(mut self, graph: &TransformGraph, name: &str) -> Result<Self> {
        let label = self.predictor.spec.label.as_str();
        self.label = Some((select(graph, [label].into_iter())?, name.to_owned()));
        Ok(self)
    }

    /// The graphs that rows have to be good for.
    fn graphs(&self) -> impl Iterator<Item = &TransformGraph> {
        [Some(&self.predictor.graph), self.label.as_ref().map(|(graph, _)| graph)]
            .into_iter()
            .flatten()
    }

    /// Checks that no column that goes on has the name of an answer or of the label.
    ///
    /// # Errors
    /// When one has.
    pub fn check_names(&self) -> Result<()> {
        let answers = self.predictor.schema.fields().iter();
        let answers = answers.map(|field| format!("{}{}", self.prefix, field.name()));
        let label = self.label.as_ref().map(|(_, name)| name.clone());
        for name in answers.chain(label) {
            if self.kept.contains(&name) {
                return Err(Error::invalid(format!("two columns would be called `{name}`"))
                    .with_detail("The model answers one, and the input has the other.")
                    .with_hint("Leave the input's column out, or rename it."));
            }
        }
        Ok(())
    }

    /// The columns of the input that are needed.
    pub fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = self
            .graphs()
            .flat_map(|graph| graph.inputs().iter().map(|(name, _)| name.clone()))
            .chain(self.kept.iter().cloned())
            .collect();
        columns.sort();
        columns.dedup();
        columns
    }

    /// The rows of a batch that are good for all of its graphs, and what is said of the others.
    fn good_rows(&self, records: &RecordBatch) -> Result<(RecordBatch, Vec<BadRow>)> {
        let mut bad: Vec<BadRow> = Vec::new();
        for graph in self.graphs() {
            bad.extend(feed(records, graph.inputs())?.bad);
        }
        if bad.is_empty() {
            return Ok((records.clone(), bad));
        }
        bad.sort_by_key(|bad| bad.row);
        bad.dedup_by_key(|bad| bad.row);
        let mut is_good = vec![true; records.num_rows()];
        bad.iter().for_each(|bad| is_good[bad.row] = false);
        let good = filter_record_batch(records, &is_good.into()).map_err(|e| no_batch(&e))?;
        Ok((good, bad))
    }
}

impl DoFn for Predict {
    type Input = Batch;
    type Output = Batch;

    fn name(&self) -> &'static str {
        "predict"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Batch>) -> Result<()> {
        let (good, bad) = self.good_rows(&batch.records)?;
        let predicted = self.predictor.predict(&good)?.records;
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for name in &self.kept {
            // A feature that no row of a shard has is no column of its batches.
            if let Ok(at) = good.schema().index_of(name) {
                fields.push(good.schema().fields()[at].clone());
                columns.push(good.column(at).clone());
            }
        }
        let answers = predicted.schema_ref().fields().iter();
        fields.extend(answers.map(|field| {
            Arc::new(field.as_ref().clone().with_name(format!("{}{}", self.prefix, field.name())))
        }));
        columns.extend(predicted.columns().iter().cloned());
        if let Some((graph, name)) = &self.label {
            let labels = graph.apply(&good)?.records;
            fields.push(Arc::new(labels.schema().field(0).clone().with_name(name)));
            columns.push(labels.column(0).clone());
        }
        let records = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        let records = records.map_err(|e| no_batch(&e))?;
        emit_transformed(batch, Transformed { records, bad }, out);
        Ok(())
    }
}
