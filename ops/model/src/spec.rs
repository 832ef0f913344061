//! `ModelSpec`: what a model reads, what it is made of, and what it answers.

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use transform::{DType, Dim, TransformGraph, nearest};

use crate::weights::{Array, Weights, uniform};

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A label of 0 or 1: the answer is the probability of 1.
    Binary,
    /// A label from 0 up to `classes`: the answer is a probability for each.
    Multiclass {
        /// How many classes there are.
        classes: usize,
    },
    /// A number: the answer is its expected value.
    Regression,
}

impl Task {
    /// How many numbers come out of the network for each row.
    pub fn width(self) -> usize {
        match self {
            Task::Binary | Task::Regression => 1,
            Task::Multiclass { classes } => classes,
        }
    }

    /// The name of what is answered.
    pub fn output(self) -> &'static str {
        match self {
            Task::Binary => "score",
            Task::Multiclass { .. } => "probabilities",
            Task::Regression => "prediction",
        }
    }

    /// From what comes out of the network to what is answered, row by row, in place.
    ///
    /// Computed in doubles and rounded once, by functions that give the same bits on every machine.
    pub fn activate(self, logits: &mut [f32]) {
        match self {
            Task::Regression => {}
            Task::Binary => logits.iter_mut().for_each(|x| {
                *x = (1.0 / (1.0 + libm::exp(-f64::from(*x)))) as f32;
            }),
            Task::Multiclass { classes } => {
                let mut powers = vec![0.0; classes];
                for row in logits.chunks_exact_mut(classes.max(1)) {
                    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    for (power, x) in powers.iter_mut().zip(&*row) {
                        *power = libm::exp(f64::from(*x) - f64::from(most));
                    }
                    let sum: f64 = powers.iter().sum();
                    row.iter_mut().zip(&powers).for_each(|(x, power)| *x = (power / sum) as f32);
                }
            }
        }
    }
}

/// How one output of the graph is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Feature {
    /// Numbers as they are: `width` of them in every row. What is not finite counts as 0.
    Numeric {
        /// The output's name.
        name: String,
        /// How many numbers a row has.
        width: usize,
    },
    /// Integers from `least` up, each with weights of its own. A row may have any number of them.
    Categorical {
        /// The output's name.
        name: String,
        /// The least value.
        least: i64,
        /// How many values there are; others have no weights, and no effect.
        size: usize,
    },
}

impl Feature {
    /// The output's name.
    pub fn name(&self) -> &str {
        match self {
            Feature::Numeric { name, .. } | Feature::Categorical { name, .. } => name,
        }
    }
}

/// An output of the graph that a model does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// What a network is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// A linear model of categories beside a network of embeddings and numbers, trained together
    /// (Cheng et al. 2016, arXiv:1606.07792).
    WideAndDeep {
        /// Numbers for each category of a feature.
        embedding: usize,
        /// Units of each hidden layer; without any, the model is linear in its embeddings.
        hidden: Vec<usize>,
    },
}

/// Most values of a category: a table of weights has to fit into memory.
const MOST_CATEGORIES: i64 = 10_000_000;

/// Most weights of a model.
const MOST_WEIGHTS: usize = 1_000_000_000;

/// What a model reads, what it is made of, and what it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// What is predicted.
    pub task: Task,
    /// The graph's output that is the label.
    pub label: String,
    /// What is read, in the order in which it is.
    pub features: Vec<Feature>,
    /// What the network is made of.
    pub architecture: Architecture,
}

impl ModelSpec {
    /// Reads all outputs of a graph that a model can read, but the label; says what it leaves out.
    ///
    /// Integers with a domain are categories: ids of vocabularies, buckets, hashes. Floats are numbers.
    /// An integer without a domain may be a count or a code, so it is left out, but for those that
    /// `sizes` calls categories from 0 up to a size.
    ///
    /// # Errors
    /// When the label or a name of `sizes` is not an output, or the label's type is not the task's.
    pub fn of(
        graph: &TransformGraph,
        label: &str,
        task: Task,
        sizes: &[(String, usize)],
        architecture: Architecture,
    ) -> Result<(Self, Vec<LeftOut>)> {
        let names = || graph.outputs().iter().map(|(name, _)| name.as_str());
        for name in sizes.iter().map(|(name, _)| name.as_str()).chain([label]) {
            if !names().any(|known| known == name) {
                let error = Error::new(ErrorKind::NotFound, format!("the graph has no `{name}`"));
                return Err(match nearest(name, names()) {
                    Some(near) => error.with_hint(format!("There is `{near}`.")),
                    None => error.with_hint("`frazil graph show` lists what comes out of it."),
                });
            }
        }
        let (mut features, mut left_out) = (Vec::new(), Vec::new());
        for (name, value) in &graph.graph().outputs {
            let ty = graph.graph().ty(*value);
            if name == label {
                check_label(name, ty, task)?;
                continue;
            }
            let name = name.clone();
            let mut leave = |why: &str| {
                left_out.push(LeftOut { name: name.clone(), why: why.to_owned() });
            };
            let of_size = sizes.iter().find(|(known, _)| *known == name).map(|(_, size)| *size);
            let domain = match of_size {
                Some(size) => Some((0, size as i64 - 1)),
                None => graph.graph().domain(*value),
            };
            match (ty.dtype, domain) {
                (DType::Int64, Some((least, most))) => {
                    let size = most.saturating_sub(least).saturating_add(1);
                    if (1..=MOST_CATEGORIES).contains(&size) {
                        features.push(Feature::Categorical { name, least, size: size as usize });
                    } else {
                        leave("its domain is empty, or of more than 10,000,000 values");
                    }
                }
                (DType::Int64, None) => leave("an integer without a domain: a count, or a code"),
                (DType::Bool, _) => leave("a bool: cast it to a float"),
                (DType::Float32 | DType::Float64, _) if !ty.is_dense() => {
                    leave("rows have different numbers of values");
                }
                (DType::Float32 | DType::Float64, _) => {
                    let width = ty.fixed_len().unwrap_or(1);
                    features.push(Feature::Numeric { name, width });
                }
                (other, _) => leave(&format!("a {other}")),
            }
        }
        if features.is_empty() {
            return Err(Error::invalid("the graph has nothing that a model reads").with_hint(
                "Models read floats of fixed shapes, and integers with domains, such as ids.",
            ));
        }
        let spec = ModelSpec { task, label: label.to_owned(), features, architecture };
        spec.check()?;
        Ok((spec, left_out))
    }

    /// Whether a network can be made of it.
    ///
    /// # Errors
    /// When a size is 0, or the weights are too many.
    pub fn check(&self) -> Result<()> {
        let Architecture::WideAndDeep { embedding, hidden } = &self.architecture;
        if *embedding == 0 || hidden.contains(&0) {
            return Err(Error::invalid("a layer has no units"));
        }
        let sizes = self.features.iter().map(|feature| match feature {
            Feature::Numeric { width, .. } => *width,
            Feature::Categorical { size, .. } => *size,
        });
        // Each by itself, so that the sums below are no surprise.
        let too_many = || {
            Error::invalid("the model has more than a billion weights")
                .with_hint("Give fewer or smaller layers, or smaller vocabularies.")
        };
        let mut sizes = sizes.chain(hidden.iter().copied()).chain([*embedding, self.task.width()]);
        if sizes.any(|size| size > MOST_WEIGHTS) {
            return Err(too_many());
        }
        if matches!(self.task, Task::Multiclass { classes: 0 | 1 }) {
            return Err(Error::invalid("there are fewer than two classes"));
        }
        let product =
            |shape: &[usize]| shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
        let mut sizes = self.shapes().into_iter().map(|(_, shape)| product(&shape));
        let sum = sizes.try_fold(0usize, |sum, size| sum.checked_add(size?));
        match sum {
            Some(n) if n <= MOST_WEIGHTS => Ok(()),
            _ => Err(too_many()),
        }
    }

    /// How many numbers a row has.
    pub fn n_numbers(&self) -> usize {
        self.features
            .iter()
            .map(|feature| match feature {
                Feature::Numeric { width, .. } => *width,
                Feature::Categorical { .. } => 0,
            })
            .sum()
    }

    /// The features that are categories, with their sizes.
    pub fn categories(&self) -> impl Iterator<Item = (&str, usize)> {
        self.features.iter().filter_map(|feature| match feature {
            Feature::Categorical { name, size, .. } => Some((name.as_str(), *size)),
            Feature::Numeric { .. } => None,
        })
    }

    /// Names and shapes of all weights.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let Architecture::WideAndDeep { embedding, hidden } = &self.architecture;
        let out = self.task.width();
        let mut shapes = Vec::new();
        for (name, size) in self.categories() {
            shapes.push((format!("wide.{name}"), vec![size, out]));
            shapes.push((format!("embedding.{name}"), vec![size, *embedding]));
        }
        let mut width = self.n_numbers() + self.categories().count() * embedding;
        for (i, units) in hidden.iter().enumerate() {
            shapes.push((format!("hidden.{i}.weight"), vec![width, *units]));
            shapes.push((format!("hidden.{i}.bias"), vec![*units]));
            width = *units;
        }
        shapes.push(("logits.weight".to_owned(), vec![width, out]));
        shapes.push(("logits.bias".to_owned(), vec![out]));
        shapes
    }

    /// Weights to begin training with, which depend on the seed and the names alone: biases and the
    /// linear part are 0, embeddings small, layers as Glorot and Bengio (2010) have them.
    pub fn initial(&self, seed: u64) -> Weights {
        let shapes = self.shapes().into_iter();
        let arrays = shapes.map(|(name, shape)| {
            let bound = match shape[..] {
                _ if name.starts_with("wide.") => 0.0,
                [_, _] if name.starts_with("embedding.") => 0.05,
                [inputs, units] => (6.0 / (inputs + units) as f64).sqrt(),
                _ => 0.0,
            };
            let values = uniform(seed, &name, shape.iter().product(), bound);
            (name, Array { shape, values })
        });
        Weights(arrays.collect())
    }
}

/// Whether the label can be one of the task's.
fn check_label(name: &str, ty: &transform::Type, task: Task) -> Result<()> {
    let suits = match task {
        Task::Regression => ty.dtype.is_number(),
        Task::Binary | Task::Multiclass { .. } => ty.dtype.is_number() || ty.dtype == DType::Bool,
    };
    let one = ty.shape.iter().all(|dim| *dim == Dim::Fixed(1));
    if suits && one {
        return Ok(());
    }
    Err(Error::invalid(format!("the label `{name}` is no number"))
        .with_detail(format!("It is {ty}; a label is one number in every row."))
        .with_hint("Make it one in the `preprocessing_fn`, by `tf.cast` or a vocabulary."))
}
