//! A wide and deep network, ready to predict (Cheng et al. 2016, arXiv:1606.07792).

use engine::Result;

use crate::inputs::Inputs;
use crate::spec::{Architecture, ModelSpec};
use crate::weights::{Array, Weights};

/// A layer: `units` sums of all its inputs.
#[derive(Debug)]
struct Layer {
    /// `[inputs, units]`.
    weight: Array,
    bias: Vec<f32>,
}

impl Layer {
    fn units(&self) -> usize {
        self.bias.len()
    }

    /// The sums for one row: inputs are added one after the other, to all units at once, so that the
    /// sum's order is the same for every row and the loop is a vector's.
    #[inline]
    fn apply(&self, inputs: &[f32], out: &mut [f32]) {
        out.copy_from_slice(&self.bias);
        for (x, weights) in inputs.iter().zip(self.weight.values.chunks_exact(out.len())) {
            for (sum, weight) in out.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
}

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
    hidden: Vec<Layer>,
    logits: Layer,
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
        let mut take = |name: &str| {
            let missing = || engine::Error::invalid(format!("there are no weights `{name}`"));
            weights.0.remove(name).ok_or_else(missing)
        };
        let mut tables = Vec::new();
        for (name, _) in spec.categories() {
            let wide = take(&format!("wide.{name}"))?;
            tables.push(Table { wide, embedding: take(&format!("embedding.{name}"))? });
        }
        let mut layer = |name: &str| -> Result<Layer> {
            let bias = take(&format!("{name}.bias"))?.values;
            Ok(Layer { weight: take(&format!("{name}.weight"))?, bias })
        };
        let layers: Result<Vec<Layer>> =
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
        let mut out = vec![0.0; inputs.rows * width];
        let mut x: Vec<f32> = Vec::new();
        let mut next: Vec<f32> = Vec::new();
        for row in 0..inputs.rows {
            x.clear();
            x.extend_from_slice(&inputs.numbers[row * self.n_numbers..][..self.n_numbers]);
            for (table, ids) in self.tables.iter().zip(&inputs.categories) {
                mean(&table.embedding, self.embedding, ids.row(row), &mut x);
            }
            for layer in &self.hidden {
                next.clear();
                next.resize(layer.units(), 0.0);
                layer.apply(&x, &mut next);
                next.iter_mut().for_each(|x| *x = x.max(0.0));
                std::mem::swap(&mut x, &mut next);
            }
            let out = &mut out[row * width..][..width];
            self.logits.apply(&x, out);
            for (table, ids) in self.tables.iter().zip(&inputs.categories) {
                for id in ids.row(row) {
                    let weights = &table.wide.values[*id as usize * width..][..width];
                    out.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                }
            }
        }
        out
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
