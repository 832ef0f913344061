//! `Dataset`: shards as a network reads them, in an order that depends on a seed alone.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use engine::{Error, Result, Source};
use model::{Inputs, ModelSpec, Task};
use transform::arrow::feed;
use transform::{Tensor, TransformGraph, Type};

use crate::order::Random;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 4096;
/// Batches that wait for the trainer.
const PREFETCHED: usize = 8;

/// Rows with their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples {
    /// What the network reads.
    pub inputs: Inputs,
    /// What it should answer: a number, or a class.
    pub labels: Vec<f32>,
}

impl Examples {
    fn new(spec: &ModelSpec) -> Self {
        Examples { inputs: Inputs::new(spec), labels: Vec::new() }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// These rows, in this order.
    pub fn rows(&self, spec: &ModelSpec, rows: &[u32]) -> Examples {
        let mut taken = Examples::new(spec);
        taken.extend(self, rows);
        taken
    }

    fn extend(&mut self, other: &Examples, rows: &[u32]) {
        self.inputs.extend(&other.inputs, rows);
        self.labels.extend(rows.iter().map(|row| other.labels[*row as usize]));
    }
}

/// In which order rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// As they are stored.
    InOrder,
    /// Shards in a random order, and rows at random among the `buffer` that are in memory.
    Shuffled {
        /// The seed.
        seed: u64,
        /// The epoch: each has an order of its own.
        epoch: u64,
        /// Rows in memory.
        buffer: usize,
    },
}

/// Shards as a network reads them.
#[derive(Clone)]
pub struct Dataset {
    source: Arc<dyn Source>,
    /// What is applied to rows; `None` where shards are transformed already.
    graph: Option<Arc<TransformGraph>>,
    /// Names and types of the features and, last, the label.
    columns: Arc<Vec<(String, Type)>>,
    spec: Arc<ModelSpec>,
}

impl Dataset {
    /// Raw shards: rows are transformed on their way.
    ///
    /// # Errors
    /// When the graph lacks what the model reads.
    pub fn raw(source: Arc<dyn Source>, graph: &TransformGraph, spec: &ModelSpec) -> Result<Self> {
        let graph = select(graph, spec)?;
        let columns = graph.outputs().to_vec();
        Ok(Dataset {
            source,
            graph: Some(Arc::new(graph)),
            columns: Arc::new(columns),
            spec: Arc::new(spec.clone()),
        })
    }

    /// Shards that the graph has transformed.
    ///
    /// # Errors
    /// When the graph lacks what the model reads.
    pub fn transformed(
        source: Arc<dyn Source>,
        graph: &TransformGraph,
        spec: &ModelSpec,
    ) -> Result<Self> {
        let columns = Arc::new(select(graph, spec)?.outputs().to_vec());
        Ok(Dataset { source, graph: None, columns, spec: Arc::new(spec.clone()) })
    }

    /// Columns that raw shards need to have; transformed ones have those of the graph's outputs.
    ///
    /// # Errors
    /// When the graph lacks what the model reads.
    pub fn raw_columns(graph: &TransformGraph, spec: &ModelSpec) -> Result<Vec<String>> {
        let graph = select(graph, spec)?;
        Ok(graph.inputs().iter().map(|(name, _)| name.clone()).collect())
    }

    /// What the network reads.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// How many rows there are, by reading them.
    ///
    /// # Errors
    /// Those of [`Dataset::batches`].
    pub fn count(&self) -> Result<u64> {
        self.batches(BATCH_ROWS, Read::InOrder).map(|batch| Ok(batch?.len() as u64)).sum()
    }

    /// Batches of `rows` rows each, but the last; read and shuffled by another thread, some batches ahead.
    ///
    /// A record that cannot be read, or a row that the graph or the task has no use for, ends the
    /// batches with an error that says which: training on less than all rows is not done in silence.
    pub fn batches(&self, rows: usize, read: Read) -> Batches {
        let (sender, receiver) = sync_channel(PREFETCHED);
        let dataset = self.clone();
        let rows = rows.max(1);
        thread::spawn(move || {
            let mut window = Examples::new(&dataset.spec);
            let mut order = (0..dataset.source.shards().len()).collect::<Vec<_>>();
            let mut random = match read {
                Read::InOrder => None,
                Read::Shuffled { seed, epoch, .. } => Some(Random::new(seed, epoch)),
            };
            if let Some(random) = &mut random {
                random.shuffle(&mut order);
            }
            let most = match read {
                Read::InOrder => rows,
                Read::Shuffled { buffer, .. } => buffer.max(rows),
            };
            // Whoever reads the batches may be gone: then there is nothing more to do.
            let mut flush = |window: &mut Examples, is_last: bool| -> bool {
                let mut places: Vec<u32> = (0..window.len() as u32).collect();
                if let Some(random) = &mut random {
                    random.shuffle(&mut places);
                }
                let whole = if is_last { places.len() } else { places.len() / rows * rows };
                let (now, later) = places.split_at(whole);
                for rows in now.chunks(rows) {
                    if sender.send(Ok(window.rows(&dataset.spec, rows))).is_err() {
                        return false;
                    }
                }
                *window = window.rows(&dataset.spec, later);
                true
            };
            for shard in order {
                let mut read = match dataset.read(shard) {
                    Ok(read) => read,
                    Err(error) => {
                        let _ = sender.send(Err(error));
                        return;
                    }
                };
                loop {
                    match read.next() {
                        None => break,
                        Some(Err(error)) => {
                            let _ = sender.send(Err(error));
                            return;
                        }
                        Some(Ok(examples)) => {
                            let places: Vec<u32> = (0..examples.len() as u32).collect();
                            window.extend(&examples, &places);
                            if window.len() >= most && !flush(&mut window, false) {
                                return;
                            }
                        }
                    }
                }
            }
            flush(&mut window, true);
        });
        Batches(receiver)
    }

    /// The rows of one shard, in order.
    fn read(&self, shard: usize) -> Result<impl Iterator<Item = Result<Examples>>> {
        let name = self.source.shards()[shard].name();
        let batches = self.source.clone().read(shard, BATCH_ROWS)?;
        let dataset = self.clone();
        Ok(batches.map(move |batch| {
            let batch = batch?;
            let bad = |why: String| {
                Error::input(format!("`{name}` has rows that cannot be learnt from"))
                    .with_detail(why)
                    .with_hint("Set such rows aside before: `frazil validate --clean DIR`.")
            };
            if let Some(rejected) = batch.rejected.first() {
                return Err(bad(format!("{rejected}.")));
            }
            let first = batch.first_row;
            let (rows, tensors) = dataset.tensors(&batch.records, |row, why| {
                bad(format!("Row {}: {why}.", first + row as u64))
            })?;
            dataset.examples(rows, &tensors, |row, why| {
                bad(format!("Row {}: {why}.", first + row as u64))
            })
        }))
    }

    /// The features and the label of a batch.
    fn tensors(
        &self,
        records: &arrow_array::RecordBatch,
        bad: impl Fn(usize, &str) -> Error,
    ) -> Result<(usize, Vec<Tensor>)> {
        let inputs = match &self.graph {
            Some(graph) => graph.inputs(),
            None => &self.columns,
        };
        let fed = feed(records, inputs)?;
        if let Some(row) = fed.bad.first() {
            return Err(bad(row.row, &row.reason));
        }
        match &self.graph {
            Some(graph) => Ok((fed.rows, graph.run(fed.rows, fed.tensors)?)),
            None => Ok((fed.rows, fed.tensors)),
        }
    }

    fn examples(
        &self,
        rows: usize,
        tensors: &[Tensor],
        bad: impl Fn(usize, &str) -> Error,
    ) -> Result<Examples> {
        let columns = tensors.iter().zip(self.columns.iter().map(|(_, ty)| ty));
        let columns: Vec<(&Tensor, &Type)> = columns.collect();
        let n = columns.len() - 1;
        let inputs = Inputs::of(&self.spec, rows, &columns[..n])?;
        let labels: Vec<f64> = columns[n].0.to_doubles();
        let classes = match self.spec.task {
            Task::Regression => None,
            Task::Binary => Some(2),
            Task::Multiclass { classes } => Some(classes),
        };
        for (row, label) in labels.iter().enumerate() {
            let suits = match classes {
                None => label.is_finite(),
                Some(classes) => {
                    (0..classes).contains(&(*label as usize))
                        && label.fract() == 0.0
                        && *label >= 0.0
                }
            };
            if !suits {
                let of = classes.map_or("a number".to_owned(), |n| format!("0 to {}", n - 1));
                return Err(bad(
                    row,
                    &format!("the label `{}` is {label}, not {of}", self.spec.label),
                ));
            }
        }
        Ok(Examples { inputs, labels: labels.into_iter().map(|label| label as f32).collect() })
    }
}

/// Batches, as another thread makes them.
pub struct Batches(Receiver<Result<Examples>>);

impl Iterator for Batches {
    type Item = Result<Examples>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// The part of the graph that makes the features and, last, the label.
fn select(graph: &TransformGraph, spec: &ModelSpec) -> Result<TransformGraph> {
    let names = spec.features.iter().flat_map(model::Feature::names);
    model::select(graph, names.chain([spec.label.as_str()]))
}
