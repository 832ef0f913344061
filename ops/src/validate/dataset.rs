//! Numbers of examples: bounds, and ratios to other data.

use super::anomalies_of_sets as text;
use super::reason::Reason;
use super::subject::Controls;
use crate::tfmd::{DatasetView, NumericValueComparator, Schema};

/// What is wrong with a dataset as a whole. It has examples.
///
/// Unlike in TFDV, the greatest number of examples counts also where the least is not given.
pub(super) fn judge(
    schema: &Schema,
    dataset: &DatasetView<'_>,
    controls: &Controls<'_>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let Some(constraints) = &schema.dataset_constraints else { return reasons };
    let examples = dataset.num_examples();
    let span = controls.previous_span.as_ref();
    let version = controls.previous_version.as_ref();
    let drift = (
        "previous span",
        "dataset_constraints.num_examples_drift_comparator.max_fraction_threshold",
        "dataset_constraints.num_examples_drift_comparator.min_fraction_threshold",
    );
    let versions = (
        "previous version",
        "dataset_constraints.num_examples_version_comparator.max_fraction_threshold",
        "dataset_constraints.num_examples_version_comparator.min_fraction_threshold",
    );
    compare(&mut reasons, drift, constraints.num_examples_drift_comparator, examples, span);
    compare(&mut reasons, versions, constraints.num_examples_version_comparator, examples, version);
    if let Some(min) = constraints.min_examples_count.filter(|&min| examples < min as f64) {
        reasons.push(text::few_examples(min, examples));
    }
    if let Some(max) = constraints.max_examples_count.filter(|&max| examples > max as f64) {
        reasons.push(text::many_examples(max, examples));
    }
    reasons
}

fn compare(
    reasons: &mut Vec<Reason>,
    (control, max_rule, min_rule): (&'static str, &'static str, &'static str),
    comparator: Option<NumericValueComparator>,
    examples: f64,
    dataset: Option<&DatasetView<'_>>,
) {
    let (Some(comparator), Some(dataset)) = (comparator, dataset) else { return };
    let before = dataset.num_examples();
    let ratio = examples / before;
    if let Some(max) = comparator.max_fraction_threshold {
        if before == 0.0 {
            reasons.push(text::more_examples_than_none(control, max_rule, max));
        } else if ratio > max {
            reasons.push(text::high_ratio_of_examples(control, max_rule, max, ratio));
        }
    }
    if let Some(min) = comparator.min_fraction_threshold.filter(|&min| before != 0.0 && ratio < min)
    {
        reasons.push(text::low_ratio_of_examples(control, min_rule, min, ratio));
    }
}
