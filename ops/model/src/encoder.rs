//! A transformer encoder, ready to predict, with BERT's layers and the names that Hugging Face gives to
//! their weights (Devlin et al. 2018, arXiv:1810.04805).
//!
//! Padding is left out before anything is computed, so a row costs what its own tokens cost. Tokens of
//! many rows go through a layer of sums at once, where each has its own, and look at those of their row
//! alone: what stands in other rows or behind a row's last token cannot change its bits.

use std::ops::Range;

use engine::{Error, Result};

use crate::dense::{Dense, wide};
use crate::inputs::Inputs;
use crate::spec::{Architecture, Feature, ModelSpec, TEXTS};
use crate::weights::Weights;

/// What is added to a variance, as BERT does.
pub const LAYER_NORM_EPSILON: f64 = 1e-12;

/// Tokens that go through the layers at once, but for a row that has more: weights are loaded for all of
/// them.
const TOKENS: usize = 256;

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

/// Room for what is computed of some rows.
#[derive(Default)]
struct Room {
    /// The states of tokens, one after the other.
    x: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    context: Vec<f32>,
    out: Vec<f32>,
    intermediate: Vec<f32>,
    heads: HeadRoom,
}

/// Room for what is computed of one head in a row.
#[derive(Default)]
struct HeadRoom {
    /// The keys, the first number of all tokens, then the next.
    keys: Vec<f32>,
    shares: Vec<f32>,
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
        let mut take = |name: String| weights.take(&name);
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
            let inputs = array.shape[1];
            Ok(Dense::new(inputs, bias, |input, unit| array.values[unit * inputs + input]))
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
        let mut logits = Vec::with_capacity(inputs.rows * self.classifier.units());
        let (mut room, mut next) = (Room::default(), 0);
        while next < inputs.rows {
            let first = next;
            let splits = &inputs.categories[0].splits;
            let fits = |end: &u32| (*end - splits[first]) as usize <= TOKENS;
            next = first + splits[first + 1..].iter().take_while(|end| fits(end)).count().max(1);
            self.pool(inputs, first..next, &mut room);
            self.pooler.apply(next - first, &room.context, &mut room.out);
            room.out.iter_mut().for_each(|x| *x = libm::tanhf(*x));
            self.classifier.apply(next - first, &room.out, &mut room.intermediate);
            logits.extend_from_slice(&room.intermediate);
        }
        logits
    }

    /// Leaves the last states of the first tokens of some rows in `room.context`.
    fn pool(&self, inputs: &Inputs, rows: Range<usize>, room: &mut Room) {
        let width = self.width;
        let [words, texts, places] = &inputs.categories[..] else { return };
        let splits = &words.splits[rows.start..=rows.end];
        let tokens = splits[0] as usize..splits[splits.len() - 1] as usize;
        let rows: Vec<Range<usize>> = splits
            .windows(2)
            .map(|pair| pair[0] as usize - tokens.start..pair[1] as usize - tokens.start)
            .collect();
        room.x.clear();
        for token in tokens {
            let word = &self.words[words.ids[token] as usize * width..][..width];
            let text = &self.texts[texts.ids[token] as usize * width..][..width];
            let place = &self.positions[places.ids[token] as usize * width..][..width];
            let sums = word.iter().zip(text).zip(place);
            room.x.extend(sums.map(|((word, text), place)| word + text + place));
        }
        self.norm.apply(&mut room.x);
        for (i, layer) in self.layers.iter().enumerate() {
            // Nothing but the first tokens is looked at in the end.
            layer.apply(&rows, i + 1 == self.layers.len(), self.heads, width, room);
        }
        if self.layers.is_empty() {
            firsts(&rows, width, &mut room.x);
        }
        // Without tokens there is nothing but biases.
        room.context.clear();
        room.context.resize(rows.len() * width, 0.0);
        let has_tokens = room.context.chunks_exact_mut(width).zip(&rows);
        let has_tokens = has_tokens.filter(|(_, tokens)| !tokens.is_empty());
        for ((to, _), from) in has_tokens.zip(room.x.chunks_exact(width)) {
            to.copy_from_slice(from);
        }
    }
}

/// Keeps the first token of each row that has any.
fn firsts(rows: &[Range<usize>], width: usize, x: &mut Vec<f32>) {
    let mut n = 0;
    for tokens in rows.iter().filter(|tokens| !tokens.is_empty()) {
        x.copy_within(tokens.start * width..(tokens.start + 1) * width, n * width);
        n += 1;
    }
    x.truncate(n * width);
}

impl Layer {
    /// Replaces the states of the tokens of some rows by those after the layer, of the first tokens alone
    /// if `only_firsts`.
    fn apply(
        &self,
        rows: &[Range<usize>],
        only_firsts: bool,
        heads: usize,
        width: usize,
        room: &mut Room,
    ) {
        let Room { x, query, key, value, context, out, intermediate, heads: of_head } = room;
        let tokens = x.len() / width;
        self.key.apply(tokens, x, key);
        self.value.apply(tokens, x, value);
        if only_firsts {
            firsts(rows, width, x);
        }
        let tokens = x.len() / width;
        self.query.apply(tokens, x, query);
        context.clear();
        context.resize(tokens * width, 0.0);
        let mut at = 0;
        for row in rows.iter().filter(|row| !row.is_empty()) {
            let wanted = if only_firsts { 1 } else { row.len() };
            let asking = at * width..(at + wanted) * width;
            at += wanted;
            let asked = row.start * width..row.end * width;
            let (query, context) = (&query[asking.clone()], &mut context[asking]);
            let (key, value) = (&key[asked.clone()], &value[asked]);
            wide(
                #[inline(always)]
                || attend(query, key, value, heads, width, context, of_head),
            );
        }
        self.attended.apply(tokens, context, out);
        x.iter_mut().zip(&*out).for_each(|(x, out)| *x += out);
        self.attended_norm.apply(x);
        self.intermediate.apply(tokens, x, intermediate);
        intermediate.iter_mut().for_each(|x| *x = gelu(*x));
        self.output.apply(tokens, intermediate, out);
        x.iter_mut().zip(&*out).for_each(|(x, out)| *x += out);
        self.output_norm.apply(x);
    }
}

/// Adds to the context of each asking token of a row the values of all of its tokens, by their shares.
#[expect(clippy::inline_always, reason = "`wide` asks for it")]
#[inline(always)]
fn attend(
    query: &[f32],
    key: &[f32],
    value: &[f32],
    heads: usize,
    width: usize,
    context: &mut [f32],
    room: &mut HeadRoom,
) {
    let (tokens, of_head) = (key.len() / width, width / heads);
    let scale = 1.0 / (of_head as f32).sqrt();
    for head in 0..heads {
        let at = head * of_head;
        room.keys.clear();
        for i in at..at + of_head {
            room.keys.extend(key.iter().skip(i).step_by(width));
        }
        for (query, context) in query.chunks_exact(width).zip(context.chunks_exact_mut(width)) {
            room.shares.clear();
            room.shares.resize(tokens, 0.0);
            let query = &query[at..at + of_head];
            for (x, keys) in query.iter().zip(room.keys.chunks_exact(tokens)) {
                room.shares.iter_mut().zip(keys).for_each(|(sum, key)| *sum += x * key);
            }
            softmax(&mut room.shares, scale);
            let context = &mut context[at..at + of_head];
            for (share, value) in room.shares.iter().zip(value.chunks_exact(width)) {
                let value = &value[at..at + of_head];
                context.iter_mut().zip(value).for_each(|(sum, x)| *sum += share * x);
            }
        }
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
