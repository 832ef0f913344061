//! `ClassMatrix`: how often each class is taken for each, by weight.

use std::collections::{BTreeMap, BTreeSet};

/// Weights by label and predicted class.
#[derive(Clone, Debug, Default)]
pub struct ClassMatrix {
    /// All classes that are a label or predicted: by number where all are numbers, else by name.
    pub classes: Vec<String>,
    /// Weight of (label, predicted), ascending; pairs without weight are not there.
    pub cells: Vec<((usize, usize), f64)>,
    /// Weight of all rows.
    pub total: f64,
    /// Of each class.
    pub of_class: Vec<OfClass>,
}

/// A class against all others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OfClass {
    /// Weight of rows with this label that are predicted so.
    pub correct: f64,
    /// Weight of rows with this label.
    pub labelled: f64,
    /// Weight of rows that are predicted so.
    pub predicted: f64,
}

impl ClassMatrix {
    /// From pairs of label and predicted class, each once.
    pub fn new(pairs: &BTreeMap<(String, String), f64>) -> Self {
        let names: BTreeSet<&String> = pairs.keys().flat_map(|(a, b)| [a, b]).collect();
        let mut classes: Vec<String> = names.into_iter().cloned().collect();
        if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
            classes.sort_by_key(|class| class.parse::<i64>().unwrap_or_default());
        }
        let places: BTreeMap<&str, usize> =
            classes.iter().enumerate().map(|(i, class)| (class.as_str(), i)).collect();
        let mut cells: Vec<_> = pairs
            .iter()
            .map(|((label, predicted), &w)| {
                ((places[label.as_str()], places[predicted.as_str()]), w)
            })
            .filter(|(_, weight)| *weight != 0.0)
            .collect();
        cells.sort_by_key(|(place, _)| *place);
        let mut of_class = vec![OfClass::default(); classes.len()];
        let mut total = 0.0;
        for &((label, predicted), weight) in &cells {
            total += weight;
            of_class[label].labelled += weight;
            of_class[predicted].predicted += weight;
            if label == predicted {
                of_class[label].correct += weight;
            }
        }
        ClassMatrix { classes, cells, total, of_class }
    }

    /// Weight of rows that are predicted as they are labelled.
    pub fn correct(&self) -> f64 {
        self.of_class.iter().map(|class| class.correct).sum()
    }
}
