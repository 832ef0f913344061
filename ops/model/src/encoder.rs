//! A transformer encoder, ready to predict, with BERT's layers and the names that Hugging Face gives to
//! their weights (Devlin et al. 2018, arXiv:1810.04805).
//!
//! Padding is left out before anything is computed, so a row costs what its own tokens cost, and what
//! stands in other rows or behind its last token cannot change its bits.

use engine::{Error, Result};

use crate::inputs::Inputs;
use crate::spec::{Architecture, Feature, ModelSpec, TEXTS};
use crate::weights::Weights;

/// What is added to a variance, as BERT does.
pub const LAYER_NORM_EPSILON: f64 = 1e-12;

/// Rows that a layer goes through at once, so that a weight is loaded for all of them.
const BLOCK: usize = 4;

/// A layer: `units` sums of all its inputs.
#[derive(Debug)]
struct Dense {
    /// `[inputs, units]`: the other way round than in the file.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Dense {
    fn units(&self) -> usize {
        self.bias.len()
    }

    /// The sums for some rows. Each is the bias and then one product after the other, wherever the row
    /// stands.
    fn apply(&self, x: &[f32], out: &mut Vec<f32>) {
        let units = self.units();
        let inputs = self.weight.len() / units;
        out.clear();
        for rows in x.chunks(inputs * BLOCK) {
            let start = out.len();
            for _ in 0..rows.len() / inputs {
                out.extend_from_slice(&self.bias);
            }
            let sums = &mut out[start..];
            if rows.len() < inputs * BLOCK {
                for (x, sums) in rows.chunks_exact(inputs).zip(sums.chunks_exact_mut(units)) {
                    for (x, weights) in x.iter().zip(self.weight.chunks_exact(units)) {
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
                    }
                }
                continue;
            }
            let (a, rest) = sums.split_at_mut(units);
            let (b, rest) = rest.split_at_mut(units);
            let (c, d) = rest.split_at_mut(units);
            for (i, weights) in self.weight.chunks_exact(units).enumerate() {
                let x = [rows[i], rows[inputs + i], rows[2 * inputs + i], rows[3 * inputs + i]];
                let sums = a.iter_mut().zip(&mut *b).zip(&mut *c).zip(&mut *d);
                for ((((a, b), c), d), weight) in sums.zip(weights) {
                    *a += x[0] * weight;
                    *b += x[1] * weight;
                    *c += x[2] * weight;
                    *d += x[3] * weight;
                }
            }
        }
    }
}

#[derive(Debug)]
struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    fn apply(&self, rows: &mut [f32]) {
        let n = self.weight.len();
        for row in rows.chunks_exact_mut(n) {
            let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / n as f64;
            let squares = row.iter().map(|x| (f64::from(*x) - mean) * (f64::from(*x) - mean));
            let scale = 1.0 / (squares.sum::<f64>() / n as f64 + LAYER_NORM_EPSILON).sqrt();
            for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *x = ((f64::from(*x) - mean) * scale) as f32 * weight + bias;
            }
        }
    }
}

#[derive(Debug)]
struct Layer {
    query: Dense,
    key: Dense,
    value: Dense,
    attended: Dense,
    attended_norm: LayerNorm,
    intermediate: Dense,
    output: Dense,
    output_norm: LayerNorm,
}

/// A transformer encoder, ready to predict.
#[derive(Debug)]
pub struct Encoder {
    words: Vec<f32>,
    positions: Vec<f32>,
    texts: Vec<f32>,
    norm: LayerNorm,
    layers: Vec<Layer>,
    pooler: Dense,
    classifier: Dense,
    heads: usize,
    width: usize,
}

/// Room for what is computed of a row.
#[derive(Default)]
struct Room {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    /// The keys of a head, token by token in each row.
    keys: Vec<f32>,
    shares: Vec<f32>,
    context: Vec<f32>,
    out: Vec<f32>,
    intermediate: Vec<f32>,
}

impl Encoder {
    /// From weights of [`ModelSpec::shapes`].
    ///
    /// # Errors
    /// When one is not there.
    pub fn new(spec: &ModelSpec, mut weights: Weights) -> Result<Self> {
        let Architecture::Encoder { layers, heads, width, .. } = spec.architecture else {
            return Err(Error::invalid("the model is no encoder"));
        };
        let mut take = |name: String| {
            let missing = || Error::invalid(format!("there are no weights `{name}`"));
            weights.0.remove(&name).ok_or_else(missing)
        };
        let embeddings = |name: &str| format!("bert.embeddings.{name}_embeddings.weight");
        let words = take(embeddings("word"))?.values;
        let positions = take(embeddings("position"))?.values;
        let texts = take(embeddings("token_type"))?.values;
        let mut norm = |name: &str| -> Result<LayerNorm> {
            let bias = take(format!("{name}.LayerNorm.bias"))?.values;
            Ok(LayerNorm { weight: take(format!("{name}.LayerNorm.weight"))?.values, bias })
        };
        let of_embeddings = norm("bert.embeddings")?;
        let mut norms = Vec::new();
        for i in 0..layers {
            let layer = format!("bert.encoder.layer.{i}");
            norms.push((
                norm(&format!("{layer}.attention.output"))?,
                norm(&format!("{layer}.output"))?,
            ));
        }
        let mut dense = |name: &str| -> Result<Dense> {
            let bias = take(format!("{name}.bias"))?.values;
            let array = take(format!("{name}.weight"))?;
            let (units, inputs) = (array.shape[0], array.shape[1]);
            let mut weight = vec![0.0; units * inputs];
            for (unit, values) in array.values.chunks_exact(inputs).enumerate() {
                for (input, value) in values.iter().enumerate() {
                    weight[input * units + unit] = *value;
                }
            }
            Ok(Dense { weight, bias })
        };
        let mut all = Vec::new();
        for (i, (attended_norm, output_norm)) in norms.into_iter().enumerate() {
            let layer = format!("bert.encoder.layer.{i}");
            all.push(Layer {
                query: dense(&format!("{layer}.attention.self.query"))?,
                key: dense(&format!("{layer}.attention.self.key"))?,
                value: dense(&format!("{layer}.attention.self.value"))?,
                attended: dense(&format!("{layer}.attention.output.dense"))?,
                attended_norm,
                intermediate: dense(&format!("{layer}.intermediate.dense"))?,
                output: dense(&format!("{layer}.output.dense"))?,
                output_norm,
            });
        }
        Ok(Encoder {
            words,
            positions,
            texts,
            norm: of_embeddings,
            layers: all,
            pooler: dense("bert.pooler.dense")?,
            classifier: dense("classifier")?,
            heads,
            width,
        })
    }

    /// What comes out of the network for each row: `width` of the task numbers a row.
    pub fn logits(&self, inputs: &Inputs) -> Vec<f32> {
        let mut out = Vec::with_capacity(inputs.rows * self.classifier.units());
        let (mut x, mut room, mut logits) = (Vec::new(), Room::default(), Vec::new());
        let [words, texts, places] = &inputs.categories[..] else { return out };
        for row in 0..inputs.rows {
            x.clear();
            let tokens = words.row(row).iter().zip(texts.row(row)).zip(places.row(row));
            for ((word, text), place) in tokens {
                let word = &self.words[*word as usize * self.width..][..self.width];
                let text = &self.texts[*text as usize * self.width..][..self.width];
                let place = &self.positions[*place as usize * self.width..][..self.width];
                let sums = word.iter().zip(text).zip(place);
                x.extend(sums.map(|((word, text), place)| word + text + place));
            }
            self.norm.apply(&mut x);
            for (i, layer) in self.layers.iter().enumerate() {
                // Nothing but the first token is looked at in the end.
                let wanted = if i + 1 == self.layers.len() { self.width } else { x.len() };
                layer.apply(&mut x, wanted, self.heads, self.width, &mut room);
            }
            // Without tokens there is nothing but biases.
            x.resize(self.width, 0.0);
            self.pooler.apply(&x, &mut room.out);
            room.out.iter_mut().for_each(|x| *x = libm::tanhf(*x));
            self.classifier.apply(&room.out, &mut logits);
            out.extend_from_slice(&logits);
        }
        out
    }
}

impl Layer {
    /// Replaces the states of a row's tokens by those after the layer, the first `wanted` numbers alone.
    fn apply(&self, x: &mut Vec<f32>, wanted: usize, heads: usize, width: usize, room: &mut Room) {
        let wanted = wanted.min(x.len());
        self.query.apply(&x[..wanted], &mut room.query);
        self.key.apply(x, &mut room.key);
        self.value.apply(x, &mut room.value);
        let (tokens, of_head) = (x.len() / width, width / heads);
        let scale = 1.0 / (of_head as f32).sqrt();
        room.context.clear();
        room.context.resize(wanted, 0.0);
        for head in 0..heads {
            let at = head * of_head;
            room.keys.clear();
            for i in at..at + of_head {
                room.keys.extend(room.key.iter().skip(i).step_by(width));
            }
            let rows = room.query.chunks_exact(width).zip(room.context.chunks_exact_mut(width));
            for (query, context) in rows {
                room.shares.clear();
                room.shares.resize(tokens, 0.0);
                let query = &query[at..at + of_head];
                for (x, keys) in query.iter().zip(room.keys.chunks_exact(tokens)) {
                    room.shares.iter_mut().zip(keys).for_each(|(sum, key)| *sum += x * key);
                }
                softmax(&mut room.shares, scale);
                let context = &mut context[at..at + of_head];
                for (share, value) in room.shares.iter().zip(room.value.chunks_exact(width)) {
                    let value = &value[at..at + of_head];
                    context.iter_mut().zip(value).for_each(|(sum, x)| *sum += share * x);
                }
            }
        }
        x.truncate(wanted);
        self.attended.apply(&room.context, &mut room.out);
        x.iter_mut().zip(&room.out).for_each(|(x, out)| *x += out);
        self.attended_norm.apply(x);
        self.intermediate.apply(x, &mut room.intermediate);
        room.intermediate.iter_mut().for_each(|x| *x = gelu(*x));
        self.output.apply(&room.intermediate, &mut room.out);
        x.iter_mut().zip(&room.out).for_each(|(x, out)| *x += out);
        self.output_norm.apply(x);
    }
}

fn softmax(row: &mut [f32], scale: f32) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for x in &mut *row {
        *x = libm::expf((*x - most) * scale);
        sum += *x;
    }
    row.iter_mut().for_each(|x| *x /= sum);
}

/// Of Gaussian errors, as BERT has it, not the approximation.
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// Names and shapes of the weights.
pub(crate) fn shapes(spec: &ModelSpec) -> Vec<(String, Vec<usize>)> {
    let (Architecture::Encoder { layers, width, feed_forward, positions, .. }, Some(size)) =
        (&spec.architecture, words(spec))
    else {
        return Vec::new();
    };
    let mut shapes = Vec::new();
    for (name, n) in [("word", size), ("position", *positions), ("token_type", TEXTS)] {
        shapes.push((format!("bert.embeddings.{name}_embeddings.weight"), vec![n, *width]));
    }
    let norm = |shapes: &mut Vec<(String, Vec<usize>)>, name: &str| {
        for part in ["weight", "bias"] {
            shapes.push((format!("{name}.LayerNorm.{part}"), vec![*width]));
        }
    };
    let dense =
        |shapes: &mut Vec<(String, Vec<usize>)>, name: &str, units: usize, inputs: usize| {
            shapes.push((format!("{name}.weight"), vec![units, inputs]));
            shapes.push((format!("{name}.bias"), vec![units]));
        };
    norm(&mut shapes, "bert.embeddings");
    for i in 0..*layers {
        let layer = format!("bert.encoder.layer.{i}");
        for part in ["query", "key", "value"] {
            dense(&mut shapes, &format!("{layer}.attention.self.{part}"), *width, *width);
        }
        dense(&mut shapes, &format!("{layer}.attention.output.dense"), *width, *width);
        norm(&mut shapes, &format!("{layer}.attention.output"));
        dense(&mut shapes, &format!("{layer}.intermediate.dense"), *feed_forward, *width);
        dense(&mut shapes, &format!("{layer}.output.dense"), *width, *feed_forward);
        norm(&mut shapes, &format!("{layer}.output"));
    }
    dense(&mut shapes, "bert.pooler.dense", *width, *width);
    dense(&mut shapes, "classifier", spec.task.width(), *width);
    shapes
}

/// How many words there are.
fn words(spec: &ModelSpec) -> Option<usize> {
    spec.features.iter().find_map(|feature| match feature {
        Feature::Tokens { size, .. } => Some(*size),
        Feature::Numeric { .. } | Feature::Categorical { .. } => None,
    })
}
