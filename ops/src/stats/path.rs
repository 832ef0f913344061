//! `FeaturePath`: the steps from the root of an example to a feature.

use serde::{Deserialize, Serialize};

use crate::tfmd::Path;

/// The steps from the root of an example to a feature (TFDV's `FeaturePath`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FeaturePath(Vec<String>);

impl FeaturePath {
    /// The path of a top-level column.
    pub fn column(name: &str) -> Self {
        FeaturePath(vec![name.to_owned()])
    }

    /// A path of several steps.
    pub fn new(steps: Vec<String>) -> Self {
        FeaturePath(steps)
    }

    /// This path and one more step.
    pub fn child(&self, step: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_owned());
        FeaturePath(steps)
    }

    /// The path without its last step; `None` for a top-level column.
    pub fn parent(&self) -> Option<FeaturePath> {
        (self.0.len() > 1).then(|| FeaturePath(self.0[..self.0.len() - 1].to_vec()))
    }

    /// The steps.
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// As the metadata message.
    pub fn to_proto(&self) -> Path {
        Path { step: self.0.clone() }
    }
}

impl std::fmt::Display for FeaturePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
