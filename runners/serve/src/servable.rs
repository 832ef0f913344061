//! `Servable`: one version of a model, ready to answer.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use engine::{Error, ErrorKind, Result};
use model::{Bundle, Predictor, Task};
use transform::{DType, Dim, Graph, Tensor, TransformGraph, Type, Values};

/// The signature that a request gets which names none.
pub const DEFAULT: &str = "serving_default";
/// The signature that returns transformed features.
pub const TRANSFORM: &str = "transform";
/// The input of serialized tf.Examples, which stands for all others, as in the models that TFX exports.
pub const EXAMPLES: &str = "examples";
/// The file by which a bundle is known.
const MODEL: &str = "model.json";
/// The directory of a bundle that holds its graph.
const GRAPH: &str = "graph";

/// One version of a model, ready to answer.
#[derive(Debug)]
pub struct Servable {
    /// All outputs of the graph but the label.
    transform: TransformGraph,
    predictor: Option<Predictor>,
    /// The columns that the whole graph reads.
    known: BTreeSet<String>,
    /// SHA-256 of what it was read from.
    pub fingerprint: String,
}

/// Something that can be asked of a model, by TensorFlow Serving's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `tensorflow/serving/predict`
    Predict,
    /// `tensorflow/serving/classify`
    Classify,
    /// `tensorflow/serving/regress`
    Regress,
}

impl Method {
    /// The name that is a part of paths and of TensorFlow's names.
    pub fn name(self) -> &'static str {
        match self {
            Method::Predict => "predict",
            Method::Classify => "classify",
            Method::Regress => "regress",
        }
    }
}

/// What a request holds and what is answered.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    of: &'a Servable,
    predictor: Option<&'a Predictor>,
    /// Whether [`EXAMPLES`] are read.
    of_examples: bool,
}

static EXAMPLES_INPUT: LazyLock<[(String, Type); 1]> =
    LazyLock::new(|| [(EXAMPLES.to_owned(), Type::scalar(DType::String))]);

/// One column of an answer.
#[derive(Debug)]
pub struct Output<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its type.
    pub ty: Cow<'a, Type>,
    /// Its values.
    pub tensor: Tensor,
}

impl Servable {
    /// Reads a bundle, or a frozen graph alone, and checks all of it.
    ///
    /// # Errors
    /// When the directory is neither, is of a newer format, or anything in it has changed.
    pub fn load(directory: &Path) -> Result<Servable> {
        if !is_servable(directory) {
            let shown = directory.display();
            return Err(Error::new(ErrorKind::NotFound, format!("`{shown}` is no model"))
                .with_detail("There is neither a `model.json` nor a `graph.json` in it.")
                .with_hint("Name what `frazil train` or `frazil analyze` has written."));
        }
        if directory.join(MODEL).is_file() {
            let Bundle { graph, predictor, fingerprint, .. } = Bundle::load(directory)?;
            let known = known(&graph);
            let label = predictor.spec().label.as_str();
            let mut outputs = graph.graph().outputs.clone();
            outputs.retain(|(name, _)| name != label);
            let transform = TransformGraph::new(Graph { outputs, ..graph.graph().clone() })?;
            return Ok(Servable { transform, predictor: Some(predictor), known, fingerprint });
        }
        let transform = TransformGraph::load(directory)?;
        let (known, fingerprint) = (known(&transform), transform.fingerprint()?);
        Ok(Servable { transform, predictor: None, known, fingerprint })
    }

    /// What is predicted, if anything is.
    pub fn task(&self) -> Option<Task> {
        self.predictor.as_ref().map(|predictor| predictor.spec().task)
    }

    /// Predicts rows, a tensor for each input of the default signature: so many numbers for each row as the
    /// task has.
    ///
    /// # Errors
    /// When a result is larger than 2 GiB, or nothing is predicted.
    pub(crate) fn scores(&self, rows: usize, tensors: Vec<Tensor>) -> Result<Vec<f32>> {
        self.predictor()?.scores_of(rows, tensors)
    }

    /// Numbers of [`Servable::scores`] as the default signature answers them.
    pub(crate) fn answers(&self, scores: Vec<f32>) -> Result<Vec<Output<'static>>> {
        outputs_of(&self.predictor()?.records(scores)?)
    }

    fn predictor(&self) -> Result<&Predictor> {
        let none = || Error::new(ErrorKind::Incompatible, "there is no network behind the graph");
        self.predictor.as_ref().ok_or_else(none)
    }

    /// What answers to a name; an empty one is the default's.
    pub fn signature(&self, name: &str) -> Option<Signature<'_>> {
        let predictor = match name {
            "" | DEFAULT => self.predictor.as_ref(),
            TRANSFORM => None,
            _ => return None,
        };
        Some(Signature { of: self, predictor, of_examples: false })
    }

    /// The names of all signatures, each with its method.
    pub fn signatures(&self) -> Vec<(&'static str, Method)> {
        let mut all = vec![(DEFAULT, Method::Predict), (TRANSFORM, Method::Predict)];
        all.extend(self.task().map(|task| match task {
            Task::Regression => ("regress", Method::Regress),
            Task::Binary | Task::Multiclass { .. } => ("classify", Method::Classify),
        }));
        all
    }
}

/// The directory of the graph that is a part of what is served, or all of it.
pub(crate) fn graph_of(directory: &Path) -> std::path::PathBuf {
    if directory.join(MODEL).is_file() { directory.join(GRAPH) } else { directory.to_owned() }
}

/// Whether a directory looks like something to serve.
pub(crate) fn is_servable(directory: &Path) -> bool {
    directory.join(MODEL).is_file() || directory.join("graph.json").is_file()
}

fn known(graph: &TransformGraph) -> BTreeSet<String> {
    graph.inputs().iter().map(|(name, _)| name.clone()).collect()
}

impl<'a> Signature<'a> {
    fn graph(&self) -> &'a TransformGraph {
        self.predictor.map_or(&self.of.transform, Predictor::graph)
    }

    /// The same with [`EXAMPLES`] as its only input; `None` where the model has a column of that name.
    pub(crate) fn of_examples(self) -> Option<Self> {
        let is_free = !self.of.known.contains(EXAMPLES);
        is_free.then_some(Signature { of_examples: true, ..self })
    }

    /// Names and types of what is read.
    pub fn inputs(&self) -> &'a [(String, Type)] {
        if self.of_examples { &*EXAMPLES_INPUT } else { self.graph().inputs() }
    }

    /// The place of an input.
    pub fn input(&self, name: &str) -> Option<usize> {
        if self.of_examples {
            return (name == EXAMPLES).then_some(0);
        }
        self.graph().input_number(name)
    }

    /// Whether a column is one that the model's whole graph reads: the label's, say, whose rows a client
    /// may send as they are.
    pub fn is_known(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name).is_ok_and(|name| self.of.known.contains(name))
    }

    /// Names and types of what is answered.
    pub fn outputs(&self) -> Vec<(String, Type)> {
        let Some(predictor) = self.predictor else { return self.of.transform.outputs().to_vec() };
        let task = predictor.spec().task;
        let name = task.output().to_owned();
        match task {
            Task::Multiclass { classes } => {
                let list = Type::column(DType::Float32, [Dim::Fixed(classes as u32)]);
                vec![(name, list), ("class".to_owned(), Type::scalar(DType::Int64))]
            }
            Task::Binary | Task::Regression => vec![(name, Type::scalar(DType::Float32))],
        }
    }

    /// Whether the answer is the network's, and not the graph's alone.
    pub(crate) fn predicts(&self) -> bool {
        self.predictor.is_some()
    }

    /// Answers rows: a tensor for each of the inputs.
    ///
    /// # Errors
    /// When a result is larger than 2 GiB.
    pub fn run(&self, rows: usize, tensors: Vec<Tensor>) -> Result<Vec<Output<'a>>> {
        if self.predicts() {
            return self.of.answers(self.of.scores(rows, tensors)?);
        }
        let graph = self.graph();
        let tensors = graph.run(rows, tensors)?;
        let outputs = graph.outputs().iter().zip(tensors).map(|((name, ty), tensor)| Output {
            name: Cow::Borrowed(name),
            ty: Cow::Borrowed(ty),
            tensor,
        });
        Ok(outputs.collect())
    }
}

/// The columns of predictions as tensors.
fn outputs_of(records: &RecordBatch) -> Result<Vec<Output<'static>>> {
    let schema = records.schema();
    let outputs = schema.fields().iter().zip(records.columns()).map(|(field, column)| {
        let (shape, values) = match column.data_type() {
            DataType::FixedSizeList(_, n) => {
                (vec![Dim::Fixed(*n as u32)], column.as_fixed_size_list().values().clone())
            }
            _ => (Vec::new(), column.clone()),
        };
        let (dtype, values) = match values.data_type() {
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>().values().clone();
                (DType::Float32, Values::Float32(values))
            }
            DataType::Int64 => {
                let values = values.as_primitive::<Int64Type>().values().clone();
                (DType::Int64, Values::Int64(values))
            }
            other => {
                let what = format!("`{}` is {other}, which no model answers", field.name());
                return Err(Error::new(ErrorKind::Incompatible, what));
            }
        };
        Ok(Output {
            name: Cow::Owned(field.name().clone()),
            ty: Cow::Owned(Type::column(dtype, shape)),
            tensor: Tensor::dense(records.num_rows(), values),
        })
    });
    outputs.collect()
}
