//! How many examples there should be.

use super::{Find, SuggestionKind, count};
use crate::tfmd::NumericValueComparator;

/// The number of examples may halve or double from span to span.
const RATIO: f64 = 2.0;

pub(super) const NUM_EXAMPLES: SuggestionKind = SuggestionKind {
    name: "num_examples",
    doc: "the dataset neither halves nor doubles from span to span",
    find: Find::Schema(|dataset, schema| {
        let n = dataset.num_examples();
        let constraints = schema.dataset_constraints.get_or_insert_default();
        if n < super::ENOUGH as f64 || constraints.num_examples_drift_comparator.is_some() {
            return None;
        }
        constraints.num_examples_drift_comparator = Some(NumericValueComparator {
            min_fraction_threshold: Some(1.0 / RATIO),
            max_fraction_threshold: Some(RATIO),
        });
        Some(format!("{} examples, of one dataset.", count(n as u64)))
    }),
};
