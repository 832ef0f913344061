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
    /// A text as ids of its pieces, in the text's order.
    Tokens {
        /// The output with the ids, from 0.
        name: String,
        /// The output that is 0 where there is only padding; without it all ids count.
        mask: Option<String>,
        /// The output that tells the first text from the second, by 0 and 1.
        types: Option<String>,
        /// How many ids there are; others have no weights, and no effect.
        size: usize,
        /// The most ids of a row; those after them have no effect.
        length: usize,
    },
}

impl Feature {
    /// The output's name; that of its ids if it has several.
    pub fn name(&self) -> &str {
        match self {
            Feature::Numeric { name, .. }
            | Feature::Categorical { name, .. }
            | Feature::Tokens { name, .. } => name,
        }
    }

    /// The names of all outputs that it is read from.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let beside = match self {
            Feature::Tokens { mask, types, .. } => [mask.as_deref(), types.as_deref()],
            Feature::Numeric { .. } | Feature::Categorical { .. } => [None, None],
        };
        [Some(self.name())].into_iter().chain(beside).flatten()
    }
}

/// Kinds of texts in a row: the first, and the second of a pair.
pub(crate) const TEXTS: usize = 2;

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
    /// A transformer encoder of a text (Vaswani et al. 2017, arXiv:1706.03762), as BERT has it (Devlin et
    /// al. 2018, arXiv:1810.04805), with one layer for the answer on top of its first token.
    Encoder {
        /// How many layers of attention there are.
        layers: usize,
        /// Heads of attention in each.
        heads: usize,
        /// Numbers for each token, a multiple of the heads.
        width: usize,
        /// Units between two layers.
        feed_forward: usize,
        /// Places that tokens can have.
        positions: usize,
    },
}

impl Architecture {
    /// Whether it reads a text, and nothing else.
    pub fn reads_text(&self) -> bool {
        matches!(self, Architecture::Encoder { .. })
    }

    /// Whether a network can be made of it.
    fn check(&self) -> Result<()> {
        let is_none = match self {
            Architecture::WideAndDeep { embedding, hidden } => {
                *embedding == 0 || hidden.contains(&0)
            }
            Architecture::Encoder { layers, heads, width, feed_forward, positions } => {
                if *heads > 0 && width % heads != 0 {
                    return Err(Error::invalid(format!(
                        "{width} numbers cannot be shared by {heads} heads"
                    ))
                    .with_hint("Make the width a multiple of the heads."));
                }
                [*layers, *heads, *width, *feed_forward, *positions].contains(&0)
            }
        };
        if is_none { Err(Error::invalid("a layer has no units")) } else { Ok(()) }
    }

    /// The sizes that it is made of.
    fn sizes(&self) -> Vec<usize> {
        match self {
            Architecture::WideAndDeep { embedding, hidden } => {
                hidden.iter().copied().chain([*embedding]).collect()
            }
            Architecture::Encoder { layers, width, feed_forward, positions, .. } => {
                vec![*layers, *width, *feed_forward, *positions]
            }
        }
    }
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
        for (name, value) in &graph.graph().outputs {
            if name == label {
                check_label(name, graph.graph().ty(*value), task)?;
            }
        }
        let label = label.to_owned();
        if architecture.reads_text() {
            let (tokens, left_out) = tokens_of(graph, &label, sizes)?;
            let spec = ModelSpec { task, label, features: vec![tokens], architecture };
            spec.check()?;
            return Ok((spec, left_out));
        }
        let (mut features, mut left_out) = (Vec::new(), Vec::new());
        for (name, value) in &graph.graph().outputs {
            let ty = graph.graph().ty(*value);
            if *name == label {
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
        let spec = ModelSpec { task, label, features, architecture };
        spec.check()?;
        Ok((spec, left_out))
    }

    /// Whether a network can be made of it.
    ///
    /// # Errors
    /// When a size is 0, or the weights are too many.
    pub fn check(&self) -> Result<()> {
        self.architecture.check()?;
        self.check_features()?;
        let sizes = self.features.iter().map(|feature| match feature {
            Feature::Numeric { width, .. } => *width,
            Feature::Categorical { size, .. } | Feature::Tokens { size, .. } => *size,
        });
        // Each by itself, so that the sums below are no surprise.
        let too_many = || {
            Error::invalid("the model has more than a billion weights")
                .with_hint("Give fewer or smaller layers, or smaller vocabularies.")
        };
        let mut sizes = sizes.chain(self.architecture.sizes()).chain([self.task.width()]);
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
                Feature::Categorical { .. } | Feature::Tokens { .. } => 0,
            })
            .sum()
    }

    /// The features that are categories, with their sizes.
    pub fn categories(&self) -> impl Iterator<Item = (&str, usize)> {
        self.features.iter().filter_map(|feature| match feature {
            Feature::Categorical { name, size, .. } => Some((name.as_str(), *size)),
            Feature::Numeric { .. } | Feature::Tokens { .. } => None,
        })
    }

    /// How many values each list of [`Ids`](crate::Ids) in its rows can have: one list for a feature of
    /// categories, three for tokens: what they are, of which text, and where.
    pub fn id_sizes(&self) -> Vec<usize> {
        self.features
            .iter()
            .flat_map(|feature| match feature {
                Feature::Numeric { .. } => vec![],
                Feature::Categorical { size, .. } => vec![*size],
                Feature::Tokens { size, length, .. } => vec![*size, TEXTS, *length],
            })
            .collect()
    }

    /// Whether the features are what the architecture reads.
    fn check_features(&self) -> Result<()> {
        let is_text = |feature: &Feature| matches!(feature, Feature::Tokens { .. });
        match &self.architecture {
            Architecture::WideAndDeep { .. } if self.features.iter().any(is_text) => {
                Err(Error::invalid("a wide and deep network reads no text"))
            }
            Architecture::Encoder { positions, .. } => match &self.features[..] {
                [Feature::Tokens { length, .. }] if length <= positions => Ok(()),
                [Feature::Tokens { length, name, .. }] => Err(Error::invalid(format!(
                    "`{name}` has {length} tokens, and the encoder places for {positions}"
                ))
                .with_hint("Make texts shorter in the graph: `max_seq_length=`.")),
                _ => Err(Error::invalid("an encoder reads one text")),
            },
            Architecture::WideAndDeep { .. } => Ok(()),
        }
    }

    /// Names and shapes of all weights.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        match &self.architecture {
            Architecture::WideAndDeep { .. } => crate::wide_and_deep::shapes(self),
            Architecture::Encoder { .. } => crate::encoder::shapes(self),
        }
    }

    /// Weights to begin training with, which depend on the seed and the names alone: biases and the
    /// linear part are 0, embeddings small, layers as Glorot and Bengio (2010) have them, and what is
    /// normal stays so.
    pub fn initial(&self, seed: u64) -> Weights {
        let shapes = self.shapes().into_iter();
        let arrays = shapes.map(|(name, shape)| {
            if name.ends_with("LayerNorm.weight") {
                let values = vec![1.0; shape.iter().product()];
                return (name, Array { shape, values });
            }
            let bound = match shape[..] {
                _ if name.starts_with("wide.") => 0.0,
                [_, _] if name.contains("embedding") => 0.05,
                [inputs, units] => (6.0 / (inputs + units) as f64).sqrt(),
                _ => 0.0,
            };
            let values = uniform(seed, &name, shape.iter().product(), bound);
            (name, Array { shape, values })
        });
        Weights(arrays.collect())
    }
}

/// The text among the outputs of a graph: the ids, their mask and their types, as models of BERT's kind
/// call them.
fn tokens_of(
    graph: &TransformGraph,
    label: &str,
    sizes: &[(String, usize)],
) -> Result<(Feature, Vec<LeftOut>)> {
    const IDS: &str = "input_word_ids";
    let of = graph.graph();
    // Names may have something in front: `text_input_word_ids`.
    let find = |what: &str| {
        let found = of.outputs.iter().filter(|(name, value)| {
            name.ends_with(what) && name != label && of.ty(*value).dtype == DType::Int64
        });
        found.cloned().collect::<Vec<_>>()
    };
    let ids = find(IDS);
    let [(name, value)] = &ids[..] else {
        let message = match ids.len() {
            0 => format!("the graph has no text: no output is called `…{IDS}`"),
            n => format!("the graph has {n} texts, and an encoder reads one"),
        };
        return Err(Error::invalid(message).with_hint(
            "`text.bert_inputs` in the `preprocessing_fn` makes the outputs of a text.",
        ));
    };
    let ty = of.ty(*value);
    let of_size = sizes.iter().find(|(known, _)| known == name).map(|(_, size)| *size as i64);
    let size = of_size.or_else(|| of.domain(*value).map(|(_, most)| most.saturating_add(1)));
    let Some(size) = size.filter(|size| (1..=MOST_CATEGORIES).contains(size)) else {
        return Err(Error::invalid(format!("nothing says how many ids `{name}` has"))
            .with_hint(format!("Say so: `--categorical {name}:N`.")));
    };
    let Some(length) = ty.fixed_len() else {
        return Err(Error::invalid(format!("`{name}` is not of one length: it is {ty}"))
            .with_hint("`text.bert_inputs` makes all rows equally long."));
    };
    let prefix = name.trim_end_matches(IDS);
    let beside = |what: &str| {
        let found = find(what).into_iter().find(|(name, _)| name.trim_end_matches(what) == prefix);
        found.filter(|(_, value)| of.ty(*value).fixed_len() == Some(length)).map(|(name, _)| name)
    };
    let (mask, types) = (beside("input_mask"), beside("input_type_ids"));
    let tokens = Feature::Tokens { name: name.clone(), mask, types, size: size as usize, length };
    let names: Vec<&str> = tokens.names().collect();
    let others = of.outputs.iter().map(|(name, _)| name.as_str());
    let left_out = others.filter(|name| !names.contains(name) && *name != label).map(|name| {
        LeftOut { name: name.to_owned(), why: "an encoder reads the text alone".to_owned() }
    });
    let left_out = left_out.collect();
    Ok((tokens, left_out))
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
