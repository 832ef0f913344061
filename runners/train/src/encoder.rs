//! The transformer encoder as burn trains it (Devlin et al. 2018, arXiv:1810.04805).

use std::collections::BTreeMap;

use burn::module::{Module, Param, ParamId};
use burn::tensor::activation::{gelu, softmax, tanh};
use burn::tensor::{Device, Int, Tensor, TensorData};
use engine::{Error, Result};
use model::{Architecture, Array, Inputs, LAYER_NORM_EPSILON, ModelSpec, Weights};

use crate::network::{Network, param};

/// Which weights are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FineTune {
    /// All of them.
    All,
    /// The layer of the answer and the one under it: the encoder stays as it is.
    Head,
}

/// What there are embeddings of, as [`Inputs::categories`] has them.
const TABLES: [&str; 3] = ["word", "token_type", "position"];

fn table(name: &str) -> String {
    format!("bert.embeddings.{name}_embeddings.weight")
}

/// A transformer encoder of a text.
#[derive(Module, Debug)]
pub struct Encoder {
    matrices: Vec<Param<Tensor<2>>>,
    vectors: Vec<Param<Tensor<1>>>,
    width: usize,
    heads: usize,
    layers: usize,
    #[module(skip)]
    places: BTreeMap<String, Place>,
}

/// Where a parameter is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Embeddings: a row for each.
    Table(usize),
    /// `[inputs, units]`, the other way round than in a bundle: what `matmul` reads as it is, and gives
    /// gradients for that lie like the weights.
    Dense(usize),
    Vector(usize),
}

impl Encoder {
    /// With these weights, which are those of [`ModelSpec::shapes`].
    ///
    /// # Errors
    /// When the model is no encoder.
    pub fn new(
        spec: &ModelSpec,
        weights: &Weights,
        trained: FineTune,
        device: &Device,
    ) -> Result<Self> {
        let Architecture::Encoder { layers, heads, width, .. } = spec.architecture else {
            return Err(Error::invalid("the model is no encoder"));
        };
        let mut encoder = Encoder {
            matrices: Vec::new(),
            vectors: Vec::new(),
            width,
            heads,
            layers,
            places: BTreeMap::new(),
        };
        for (name, Array { shape, values }) in &weights.0 {
            let is_head = name.starts_with("classifier.") || name.starts_with("bert.pooler.");
            let is_trained = trained == FineTune::All || is_head;
            let data = TensorData::new(values.clone(), shape.clone());
            let place = if shape.len() == 1 {
                encoder.vectors.push(param(data, is_trained, device));
                Place::Vector(encoder.vectors.len() - 1)
            } else if name.ends_with("_embeddings.weight") {
                encoder.matrices.push(param(data, is_trained, device));
                Place::Table(encoder.matrices.len() - 1)
            } else {
                let data = Tensor::<2>::from_data(data, device).transpose().into_data();
                encoder.matrices.push(param(data, is_trained, device));
                Place::Dense(encoder.matrices.len() - 1)
            };
            encoder.places.insert(name.clone(), place);
        }
        Ok(encoder)
    }

    fn matrix(&self, name: &str) -> Tensor<2> {
        match self.places[name] {
            Place::Table(place) | Place::Dense(place) => self.matrices[place].val(),
            Place::Vector(_) => unreachable!("`{name}` is a matrix by its shape"),
        }
    }

    fn vector(&self, name: &str) -> Tensor<1> {
        match self.places[name] {
            Place::Vector(place) => self.vectors[place].val(),
            Place::Table(_) | Place::Dense(_) => unreachable!("`{name}` is a vector by its shape"),
        }
    }

    /// A layer of sums: `[rows, inputs]` to `[rows, units]`.
    fn dense(&self, name: &str, x: Tensor<2>) -> Tensor<2> {
        let weight = self.matrix(&format!("{name}.weight"));
        x.matmul(weight) + self.vector(&format!("{name}.bias")).unsqueeze()
    }

    fn norm(&self, name: &str, x: Tensor<2>) -> Tensor<2> {
        let weight = self.vector(&format!("{name}.LayerNorm.weight")).unsqueeze();
        let bias = self.vector(&format!("{name}.LayerNorm.bias")).unsqueeze();
        let off = x.clone() - x.mean_dim(1);
        let variance = (off.clone() * off.clone()).mean_dim(1);
        off / (variance + LAYER_NORM_EPSILON).sqrt() * weight + bias
    }

    /// The states of all tokens after a layer: `[rows × tokens, width]`.
    fn layer(&self, number: usize, x: Tensor<2>, rows: usize, padding: &Tensor<4>) -> Tensor<2> {
        let name = format!("bert.encoder.layer.{number}");
        let (tokens, of_head) = (x.dims()[0] / rows, self.width / self.heads);
        let by_head = |part: &str| -> Tensor<4> {
            self.dense(&format!("{name}.attention.self.{part}"), x.clone())
                .reshape([rows, tokens, self.heads, of_head])
                .swap_dims(1, 2)
        };
        let scores = by_head("query").matmul(by_head("key").swap_dims(2, 3));
        let scores = scores.mul_scalar(1.0 / (of_head as f32).sqrt()) + padding.clone();
        let context = softmax(scores, 3).matmul(by_head("value"));
        let context = context.swap_dims(1, 2).reshape([rows * tokens, self.width]);
        let attended = self.dense(&format!("{name}.attention.output.dense"), context);
        let x = self.norm(&format!("{name}.attention.output"), x + attended);
        let between = gelu(self.dense(&format!("{name}.intermediate.dense"), x.clone()));
        let out = self.dense(&format!("{name}.output.dense"), between);
        self.norm(&format!("{name}.output"), x + out)
    }
}

impl Network for Encoder {
    fn logits(&self, inputs: &Inputs, device: &Device) -> Tensor<2> {
        let rows = inputs.rows;
        let lengths: Vec<usize> =
            (0..rows).map(|row| inputs.categories[0].row(row).len()).collect();
        let tokens = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut x: Option<Tensor<2>> = None;
        for (ids, name) in inputs.categories.iter().zip(TABLES) {
            let mut padded: Vec<i64> = Vec::with_capacity(rows * tokens);
            for row in 0..rows {
                padded.extend(ids.row(row).iter().map(|id| i64::from(*id)));
                padded.resize((row + 1) * tokens, 0);
            }
            let ids: Tensor<1, Int> =
                Tensor::from_data(TensorData::new(padded, [rows * tokens]), device);
            let table = self.matrix(&table(name));
            let entries = table.select(0, ids);
            x = Some(match x {
                None => entries,
                Some(x) => x + entries,
            });
        }
        let x = x.unwrap_or_else(|| Tensor::zeros([rows * tokens, self.width], device));
        let mut x = self.norm("bert.embeddings", x);
        // What is added to scores: so much less than any that nothing of padding is left.
        let padding = lengths.iter().flat_map(|length| {
            (0..tokens).map(move |token| if token < *length { 0.0f32 } else { -1e9 })
        });
        let padding: Tensor<4> = Tensor::from_data(
            TensorData::new(padding.collect::<Vec<_>>(), [rows, 1, 1, tokens]),
            device,
        );
        for number in 0..self.layers {
            x = self.layer(number, x, rows, &padding);
        }
        let first: Vec<i64> = (0..rows).map(|row| (row * tokens) as i64).collect();
        let first: Tensor<1, Int> = Tensor::from_data(TensorData::new(first, [rows]), device);
        let mut x = x.select(0, first);
        if lengths.contains(&0) {
            // Without tokens there is nothing but biases.
            let there: Vec<f32> =
                lengths.iter().map(|length| if *length > 0 { 1.0 } else { 0.0 }).collect();
            x = x * Tensor::<2>::from_data(TensorData::new(there, [rows, 1]), device);
        }
        self.dense("classifier", tanh(self.dense("bert.pooler.dense", x)))
    }

    fn weights(&self) -> Weights {
        let all = self.places.iter().map(|(name, place)| {
            let of = |matrix: Tensor<2>| (matrix.dims().to_vec(), matrix.into_data());
            let (shape, data) = match *place {
                Place::Table(place) => of(self.matrices[place].val()),
                Place::Dense(place) => of(self.matrices[place].val().transpose()),
                Place::Vector(place) => {
                    let vector = self.vectors[place].val();
                    (vector.dims().to_vec(), vector.into_data())
                }
            };
            (name.clone(), Array { shape, values: data.iter::<f32>().collect() })
        });
        Weights(all.collect())
    }

    fn tables(&self) -> Vec<(ParamId, usize)> {
        let places = TABLES.iter().enumerate();
        let of = places.filter_map(|(place, name)| match self.places.get(&table(name)) {
            Some(Place::Table(at)) => Some((self.matrices[*at].id, place)),
            _ => None,
        });
        of.collect()
    }
}
