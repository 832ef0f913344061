//! A wide and deep network, ready to predict (Cheng et al. 2016, arXiv:1606.07792).

use engine::Result;

use crate::dense::Dense;
use crate::inputs::Inputs;
use crate::spec::{Architecture, ModelSpec};
use crate::weights::{Array, Weights};

/// Rows that go through the layers at once: what is computed of them stays in the nearest cache.
const ROWS: usize = 32;

/// A feature of categories.
#[derive(Debug)]
struct Table {
    /// `[size, out]`.
    wide: Array,
    /// `[size, embedding]`.
    embedding: Array,
}

/// A wide and deep network, ready to predict.
#[derive(Debug)]
pub struct WideAndDeep {
    tables: Vec<Table>,
    hidden: Vec<Dense>,
    logits: Dense,
    embedding: usize,
    n_numbers: usize,
}

impl WideAndDeep {
    /// From weights of [`ModelSpec::shapes`].
    ///
    /// # Errors
    /// When one is not there.
    pub fn new(spec: &ModelSpec, mut weights: Weights) -> Result<Self> {
        let Architecture::WideAndDeep { embedding, hidden } = &spec.architecture else {
            return Err(engine::Error::invalid("the model is not wide and deep"));
        };
        let mut tables = Vec::new();
        for (name, _) in spec.categories() {
            let wide = weights.take(&format!("wide.{name}"))?;
            tables.push(Table { wide, embedding: weights.take(&format!("embedding.{name}"))? });
        }
        let mut layer = |name: &str| -> Result<Dense> {
            let bias = weights.take(&format!("{name}.bias"))?.values;
            let (weight, units) = (weights.take(&format!("{name}.weight"))?, bias.len());
            let inputs = weight.shape[0];
            Ok(Dense::new(inputs, bias, |input, unit| weight.values[input * units + unit]))
        };
        let layers: Result<Vec<Dense>> =
            (0..hidden.len()).map(|i| layer(&format!("hidden.{i}"))).collect();
        Ok(WideAndDeep {
            tables,
            hidden: layers?,
            logits: layer("logits")?,
            embedding: *embedding,
            n_numbers: spec.n_numbers(),
        })
    }

    /// What comes out of the network for each row: `width` numbers a row.
    pub fn logits(&self, inputs: &Inputs) -> Vec<f32> {
        let width = self.logits.units();
        let mut logits = Vec::with_capacity(inputs.rows * width);
        let (mut x, mut next): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
        for first in (0..inputs.rows).step_by(ROWS) {
            let rows = first..inputs.rows.min(first + ROWS);
            x.clear();
            for row in rows.clone() {
                x.extend_from_slice(&inputs.numbers[row * self.n_numbers..][..self.n_numbers]);
                for (table, ids) in self.tables.iter().zip(&inputs.categories) {
                    mean(&table.embedding, self.embedding, ids.row(row), &mut x);
                }
            }
            for layer in &self.hidden {
                layer.apply(rows.len(), &x, &mut next);
                next.iter_mut().for_each(|x| *x = x.max(0.0));
                std::mem::swap(&mut x, &mut next);
            }
            self.logits.apply(rows.len(), &x, &mut next);
            for (row, out) in rows.zip(next.chunks_exact_mut(width)) {
                for (table, ids) in self.tables.iter().zip(&inputs.categories) {
                    for id in ids.row(row) {
                        let weights = &table.wide.values[*id as usize * width..][..width];
                        out.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                    }
                }
            }
            logits.extend_from_slice(&next);
        }
        logits
    }
}

/// Names and shapes of the weights.
pub(crate) fn shapes(spec: &ModelSpec) -> Vec<(String, Vec<usize>)> {
    let Architecture::WideAndDeep { embedding, hidden } = &spec.architecture else {
        return Vec::new();
    };
    let out = spec.task.width();
    let mut shapes = Vec::new();
    for (name, size) in spec.categories() {
        shapes.push((format!("wide.{name}"), vec![size, out]));
        shapes.push((format!("embedding.{name}"), vec![size, *embedding]));
    }
    let mut width = spec.n_numbers() + spec.categories().count() * embedding;
    for (i, units) in hidden.iter().enumerate() {
        shapes.push((format!("hidden.{i}.weight"), vec![width, *units]));
        shapes.push((format!("hidden.{i}.bias"), vec![*units]));
        width = *units;
    }
    shapes.push(("logits.weight".to_owned(), vec![width, out]));
    shapes.push(("logits.bias".to_owned(), vec![out]));
    shapes
}

/// Appends the mean embedding of some categories; 0 of none.
fn mean(table: &Array, width: usize, ids: &[u32], x: &mut Vec<f32>) {
    let start = x.len();
    x.resize(start + width, 0.0);
    let sum = &mut x[start..];
    for id in ids {
        let row = &table.values[*id as usize * width..][..width];
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    if ids.len() > 1 {
        let n = ids.len() as f32;
        sum.iter_mut().for_each(|sum| *sum /= n);
    }
}
