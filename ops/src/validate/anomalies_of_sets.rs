//! The texts of anomalies that concern several features or whole datasets.

use std::fmt::Write;

use super::reason::Reason;
use super::words::six_digits;
use crate::drift::{Comparison, Measurement};
use crate::tfmd::anomaly_info::Type;

// Sparse and weighted features.

pub(super) fn sparse_name_collision() -> Reason {
    Reason::new(
        Type::SparseFeatureNameCollision,
        "Sparse feature name collision",
        "Sparse feature name collision.",
    )
    .rule("sparse_feature.name", "a name that no other feature has")
}

pub(super) fn weighted_name_collision() -> Reason {
    Reason::new(
        Type::WeightedFeatureNameCollision,
        "Weighted feature name collision",
        "Weighted feature name collision.",
    )
    .rule("weighted_feature.name", "a name that no other feature has")
}

pub(super) fn sparse_missing_value(count: f64) -> Reason {
    let count = six_digits(count);
    Reason::new(
        Type::SparseFeatureMissingValue,
        "Missing value feature",
        format!("Found {count} examples missing value feature"),
    )
    .rule("sparse_feature.value_feature", "present where an index is")
    .observed(format_args!("{count} examples without it"))
}

pub(super) fn sparse_missing_index(index: &str, count: i64) -> Reason {
    Reason::new(
        Type::SparseFeatureMissingIndex,
        "Missing index feature",
        format!("Found {count} examples missing index feature: {index}"),
    )
    .rule("sparse_feature.index_feature", "present where the value is")
    .observed(format_args!("{count} examples without `{index}`"))
}

pub(super) fn sparse_length_mismatch(index: &str, statistic: &str, difference: i64) -> Reason {
    Reason::new(
        Type::SparseFeatureLengthMismatch,
        "Length mismatch between value and index feature",
        format!(
            "Mismatch between index feature: {index} and value column, with {statistic} = \
             {difference}"
        ),
    )
    .rule("sparse_feature.index_feature", "as many indices as values")
    .observed(format_args!("`{index}`: {statistic} = {difference}"))
}

pub(super) fn weighted_missing_value(count: f64) -> Reason {
    let count = six_digits(count);
    Reason::new(
        Type::WeightedFeatureMissingValue,
        "Missing value feature",
        format!("Found {count} examples missing value feature."),
    )
    .rule("weighted_feature.feature", "present where the weight is")
    .observed(format_args!("{count} examples without it"))
}

pub(super) fn weighted_missing_weight(count: f64) -> Reason {
    let count = six_digits(count);
    Reason::new(
        Type::WeightedFeatureMissingWeight,
        "Missing weight feature",
        format!("Found {count} examples missing weight feature."),
    )
    .rule("weighted_feature.weight_feature", "present where the value is")
    .observed(format_args!("{count} examples without it"))
}

pub(super) fn weighted_length_mismatch(min: i64, max: i64) -> Reason {
    Reason::new(
        Type::WeightedFeatureLengthMismatch,
        "Length mismatch between value and weight feature",
        format!(
            "Mismatch between weight and value feature with min_weight_length_diff = {min} and \
             max_weight_length_diff = {max}."
        ),
    )
    .rule("weighted_feature.weight_feature", "as many weights as values")
    .observed(format_args!("differences from {min} to {max}"))
}

// Comparisons of distributions.

/// Which two datasets are compared: `treatment` against `control`.
#[derive(Clone, Copy)]
pub(super) struct Compared {
    pub(super) treatment: &'static str,
    pub(super) control: &'static str,
}

pub(super) const DRIFT: Compared = Compared { treatment: "current", control: "previous" };
pub(super) const SKEW: Compared = Compared { treatment: "training", control: "serving" };

pub(super) fn control_data_missing(compared: Compared, rule: &'static str) -> Reason {
    let control = compared.control;
    Reason::new(
        Type::ComparatorControlDataMissing,
        format!("{control} data missing"),
        format!("{control} data is missing."),
    )
    .rule(rule, format_args!("statistics of the feature in the {control} data"))
    .observed("none")
}

pub(super) fn high_distance(
    kind: Type,
    name: &str,
    compared: Compared,
    rule: &'static str,
    (distance, threshold): (f64, f64),
    label: Option<&str>,
) -> Reason {
    let Compared { treatment, control } = compared;
    let value = six_digits(distance);
    let limit = six_digits(threshold);
    let most = match label {
        Some(label) => format!(" The feature value with maximum difference is: {label}"),
        None => String::new(),
    };
    Reason::new(
        kind,
        format!("High {name} between {treatment} and {control}"),
        format!(
            "The {name} between {treatment} and {control} is {value} (up to six significant \
             digits), above the threshold {limit}.{most}"
        ),
    )
    .rule(rule, threshold)
    .observed(match label {
        Some(label) => format!("{distance}, most at `{label}`"),
        None => distance.to_string(),
    })
}

/// A shift that the schema has no threshold for. TFDV knows no kind of anomaly for it.
pub(super) fn significant_shift(comparison: Comparison, measured: &Measurement) -> Reason {
    let (Compared { treatment, control }, rule) = match comparison {
        Comparison::Drift => (DRIFT, "drift_comparator"),
        Comparison::Skew => (SKEW, "skew_comparator"),
    };
    let name = match measured.metric {
        "kolmogorov_smirnov" => "Kolmogorov-Smirnov distance".to_owned(),
        "missing_change" => "difference in missing values".to_owned(),
        other => other.replace('_', " "),
    };
    let value = six_digits(measured.value);
    let limit = six_digits(measured.threshold.unwrap_or_default());
    let mut text =
        format!("The {name} between {treatment} and {control} is {value}, above {limit}");
    if let Some(floor) = measured.noise_floor {
        let _ = write!(text, "; samples of one distribution rarely exceed {}", six_digits(floor));
    }
    let shares: Vec<String> = measured
        .contributors
        .iter()
        .take(3)
        .map(|c| format!("{} ({} → {})", c.name, share(c.control), share(c.current)))
        .collect();
    if !shares.is_empty() {
        let _ = write!(text, ". Most is due to {}", shares.join(", "));
    }
    text.push('.');
    let short = format!("High {name} between {treatment} and {control}");
    Reason::new(Type::CustomValidation, short, text)
        .rule(rule, format_args!("at most {limit} (practical minimum, not in the schema)"))
        .observed(value)
}

fn share(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

// Numbers of examples.

pub(super) fn more_examples_than_none(control: &str, rule: &'static str, max: f64) -> Reason {
    Reason::new(
        Type::ComparatorHighNumExamples,
        format!("High num examples in current dataset versus the {control}, which has 0."),
        format!(
            "The {control} has 0 examples, so there is a high number of examples in the current \
             dataset versus the {control}."
        ),
    )
    .rule(rule, max)
    .observed(format_args!("the {control} has no examples"))
}

pub(super) fn high_ratio_of_examples(
    control: &str,
    rule: &'static str,
    max: f64,
    ratio: f64,
) -> Reason {
    Reason::new(
        Type::ComparatorHighNumExamples,
        format!("High num examples in current dataset versus the {control}."),
        format!(
            "The ratio of num examples in the current dataset versus the {control} is {} (up to \
             six significant digits), which is above the threshold {}.",
            six_digits(ratio),
            six_digits(max)
        ),
    )
    .rule(rule, max)
    .observed(ratio)
}

pub(super) fn low_ratio_of_examples(
    control: &str,
    rule: &'static str,
    min: f64,
    ratio: f64,
) -> Reason {
    Reason::new(
        Type::ComparatorLowNumExamples,
        format!("Low num examples in current dataset versus the {control}."),
        format!(
            "The ratio of num examples in the current dataset versus the {control} is {} (up to \
             six significant digits), which is below the threshold {}.",
            six_digits(ratio),
            six_digits(min)
        ),
    )
    .rule(rule, min)
    .observed(ratio)
}

pub(super) fn few_examples(min: i64, actual: f64) -> Reason {
    let count = six_digits(actual);
    Reason::new(
        Type::DatasetLowNumExamples,
        "Low num examples in dataset.",
        format!("The dataset has {count} examples, which is fewer than expected."),
    )
    .rule("dataset_constraints.min_examples_count", min)
    .observed(actual)
}

pub(super) fn many_examples(max: i64, actual: f64) -> Reason {
    let count = six_digits(actual);
    Reason::new(
        Type::DatasetHighNumExamples,
        "High num examples in dataset.",
        format!("The dataset has {count} examples, which is more than expected."),
    )
    .rule("dataset_constraints.max_examples_count", max)
    .observed(actual)
}

// Derived features.

pub(super) fn derived_source_not_in_schema() -> Reason {
    let text = "Derived source not set in schema.";
    Reason::new(Type::DerivedFeatureInvalidSource, text, text)
        .rule("validation_derived_source", "the source that the statistics name")
        .observed("none")
}

pub(super) fn derived_with_wrong_stage() -> Reason {
    let text = "Derived feature has wrong lifecycle.";
    Reason::new(Type::DerivedFeatureBadLifecycle, text, text)
        .rule("lifecycle_stage", "VALIDATION_DERIVED")
}
