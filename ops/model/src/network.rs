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
