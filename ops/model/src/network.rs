//! `Network`: what turns rows of features into logits.

use engine::Result;

use crate::encoder::Encoder;
use crate::inputs::Inputs;
use crate::spec::{Architecture, ModelSpec};
use crate::weights::Weights;
use crate::wide_and_deep::WideAndDeep;

/// A network, ready to predict: one of each [`Architecture`].
#[derive(Debug)]
pub enum Network {
    /// Of categories and numbers.
    WideAndDeep(WideAndDeep),
    /// Of a text.
    Encoder(Encoder),
}

impl Network {
    /// From weights of [`ModelSpec::shapes`].
    ///
    /// # Errors
    /// When one is not there.
    pub fn new(spec: &ModelSpec, weights: Weights) -> Result<Self> {
        Ok(match spec.architecture {
            Architecture::WideAndDeep { .. } => {
                Network::WideAndDeep(WideAndDeep::new(spec, weights)?)
            }
            Architecture::Encoder { .. } => Network::Encoder(Encoder::new(spec, weights)?),
        })
    }

    /// What comes out of the network for each row: the task's width of numbers.
    pub fn logits(&self, inputs: &Inputs) -> Vec<f32> {
        match self {
            Network::WideAndDeep(network) => network.logits(inputs),
            Network::Encoder(network) => network.logits(inputs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Ids;
    use crate::spec::{Feature, Task};

    /// So many ids in each row.
    fn ids(lengths: &[u32], size: u32) -> Ids {
        let mut ids = Ids { splits: vec![0], ids: Vec::new() };
        for (row, length) in lengths.iter().enumerate() {
            ids.ids.extend((0..*length).map(|at| (7 * at + 3 * row as u32) % size));
            ids.splits.push(ids.ids.len() as u32);
        }
        ids
    }

    fn check(features: Vec<Feature>, architecture: Architecture, inputs: &Inputs) {
        let task = Task::Multiclass { classes: 3 };
        let spec = ModelSpec { task, label: "y".to_owned(), features, architecture };
        assert!(inputs.suits(&spec));
        let mut weights = spec.initial(4);
        // Biases and the wide part begin at 0, which would hide them.
        for array in weights.0.values_mut() {
            let values = array.values.iter_mut().enumerate();
            values.for_each(|(i, value)| *value += (i % 13) as f32 * 0.013);
        }
        let network = Network::new(&spec, weights).unwrap();
        let together = network.logits(inputs);
        assert_eq!(together.len(), 3 * inputs.rows);
        for (row, expected) in together.chunks_exact(3).enumerate() {
            let mut alone = Inputs::new(&spec);
            alone.extend(inputs, &[row as u32]);
            let bits = |logits: &[f32]| logits.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&network.logits(&alone)), bits(expected), "row {row}");
        }
    }

    #[test]
    fn rows_have_the_bits_that_they_have_alone() {
        // Without tokens, more than go through at once, and all that is between.
        let lengths = [0, 1, 300, 2, 17, 0, 0, 255, 1, 255, 2, 400, 0, 5, 5, 5, 0];
        let places = Ids { ids: lengths.iter().flat_map(|n| 0..*n).collect(), ..ids(&lengths, 2) };
        let categories = vec![ids(&lengths, 50), ids(&lengths, 2), places];
        let texts = Inputs { rows: lengths.len(), numbers: Vec::new(), categories };
        for layers in 0..3 {
            let (mask, types) = (None, None);
            let tokens =
                Feature::Tokens { name: "x".to_owned(), mask, types, size: 50, length: 400 };
            let (heads, width, feed_forward, positions) = (2, 12, 20, 400);
            let encoder = Architecture::Encoder { layers, heads, width, feed_forward, positions };
            check(vec![tokens], encoder, &texts);
        }
        let lengths: Vec<u32> = (0..70).map(|row| row % 4).collect();
        let rows = lengths.len();
        let numbers = (0..2 * rows).map(|i| (i as f32 * 0.37).sin()).collect();
        let table = Inputs { rows, numbers, categories: vec![ids(&lengths, 9)] };
        for hidden in [vec![], vec![33], vec![20, 5]] {
            let numeric = Feature::Numeric { name: "a".to_owned(), width: 2 };
            let categorical = Feature::Categorical { name: "b".to_owned(), least: 0, size: 9 };
            let network = Architecture::WideAndDeep { embedding: 3, hidden };
            check(vec![numeric, categorical], network, &table);
        }
    }
}
