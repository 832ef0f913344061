//! Columns for the tests of this folder.

use std::sync::Arc;

use super::{Column, FeaturePath, Level, Values};

/// A flat column `x`, one value or none in every example.
pub(super) fn flat(values: Values) -> Column {
    let n_examples = values.len();
    let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
    Column {
        path: FeaturePath::column("x"),
        logical: None,
        levels: vec![Level { n_parents: n_examples, offsets: None, nulls }],
        values,
        n_examples,
        weights: None,
        examples: None,
        first_row: 0,
    }
}

/// The same with a weight for every example.
pub(super) fn weighted(values: Values, weights: Vec<f64>) -> Column {
    Column { weights: Some(Arc::from(weights)), ..flat(values) }
}
