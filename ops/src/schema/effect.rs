//! Whether a change of a schema accepts more data or less.

use prost_reflect::{FieldDescriptor, Value};
use serde::Serialize;

use crate::tfmd::Feature;

/// What a change does to the data that the schema accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// What was accepted still is.
    Relaxed,
    /// What is accepted now was accepted before.
    Tightened,
}

impl Effect {
    /// `relaxed` or `tightened`.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Relaxed => "relaxed",
            Effect::Tightened => "tightened",
        }
    }

    fn tightened(is: bool) -> Effect {
        if is { Effect::Tightened } else { Effect::Relaxed }
    }
}

/// Which numbers accept more.
#[derive(Clone, Copy, PartialEq)]
enum Looser {
    Low,
    High,
}

use Looser::{High, Low};

/// A field with a number or a flag: its message, its name, which way is looser, and which number
/// validation takes where it is not set.
type Rule = (&'static str, &'static str, Looser, f64);

const INF: f64 = f64::INFINITY;

const RULES: &[Rule] = &[
    ("DatasetConstraints", "max_examples_count", High, INF),
    ("DatasetConstraints", "min_examples_count", Low, -INF),
    ("DistributionConstraints", "min_domain_mass", Low, 1.0),
    ("Feature", "deprecated", High, 0.0),
    ("FeatureCoverageConstraints", "min_avg_token_length", Low, 0.0),
    ("FeatureCoverageConstraints", "min_coverage", Low, 0.0),
    ("FeaturePresence", "min_count", Low, 0.0),
    ("FeaturePresence", "min_fraction", Low, 0.0),
    ("FeaturePresenceWithinGroup", "required", Low, 0.0),
    ("FloatDomain", "disallow_inf", Low, 0.0),
    ("FloatDomain", "disallow_nan", Low, 0.0),
    ("FloatDomain", "max", High, INF),
    ("FloatDomain", "min", Low, -INF),
    ("ImageDomain", "max_image_byte_size", High, INF),
    ("ImageDomain", "minimum_supported_image_fraction", Low, 0.0),
    ("InfinityNorm", "threshold", High, INF),
    ("IntDomain", "max", High, INF),
    ("IntDomain", "min", Low, -INF),
    ("JensenShannonDivergence", "threshold", High, INF),
    ("NormalizedAbsoluteDifference", "threshold", High, INF),
    ("NumericValueComparator", "max_fraction_threshold", High, INF),
    ("NumericValueComparator", "min_fraction_threshold", Low, -INF),
    ("SequenceLengthConstraints", "max_sequence_length", High, INF),
    ("SequenceLengthConstraints", "min_sequence_length", Low, -INF),
    ("SequenceValueConstraints", "max_fraction_of_sequences", High, INF),
    ("SequenceValueConstraints", "max_per_sequence", High, INF),
    ("SequenceValueConstraints", "min_fraction_of_sequences", Low, -INF),
    ("SequenceValueConstraints", "min_per_sequence", Low, -INF),
    ("SparseFeature", "deprecated", High, 0.0),
    // TFDV reads 0 where no largest number is given.
    ("UniqueConstraints", "max", High, 0.0),
    ("UniqueConstraints", "min", Low, 0.0),
    ("ValueCount", "max", High, INF),
    ("ValueCount", "min", Low, -INF),
];

/// Fields that constrain by being there, whatever they hold.
const CONSTRAINTS: &[(&str, &[&str])] = &[
    ("DatasetConstraints", &["num_examples_drift_comparator", "num_examples_version_comparator"]),
    (
        "Feature",
        &[
            "presence",
            "group_presence",
            "shape",
            "value_count",
            "value_counts",
            "domain",
            "int_domain",
            "float_domain",
            "string_domain",
            "bool_domain",
            "natural_language_domain",
            "image_domain",
            "skew_comparator",
            "drift_comparator",
            "unique_constraints",
        ],
    ),
    (
        "FeatureComparator",
        &["infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference"],
    ),
    ("NaturalLanguageDomain", &["coverage"]),
    ("Schema", &["dataset_constraints"]),
];

/// The effect of a field that is set, changed or no longer set.
pub(super) fn of_field(
    field: &FieldDescriptor,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Option<Effect> {
    let message = field.parent_message();
    if field.name() == "lifecycle_stage" {
        let retired = |value: Option<&Value>| {
            let stage = value.and_then(Value::as_enum_number);
            Feature { lifecycle_stage: stage, ..Feature::default() }.is_retired()
        };
        let (was, is) = (retired(old), retired(new));
        return (was != is).then(|| Effect::tightened(was));
    }
    let rule = RULES.iter().find(|(m, f, ..)| *m == message.name() && *f == field.name());
    if let Some(&(_, _, looser, unset)) = rule {
        let number = |value: Option<&Value>| value.map_or(Some(unset), as_number);
        let (was, is) = (number(old)?, number(new)?);
        return match was.partial_cmp(&is)? {
            std::cmp::Ordering::Equal => None,
            order => {
                Some(Effect::tightened((order == std::cmp::Ordering::Less) == (looser == Low)))
            }
        };
    }
    let constrains = CONSTRAINTS
        .iter()
        .any(|(m, fields)| *m == message.name() && fields.contains(&field.name()));
    match (old.is_some(), new.is_some()) {
        _ if field.name() == "distribution_constraints" => None,
        (true, false) if constrains => Some(Effect::Relaxed),
        (false, true) if constrains => Some(Effect::Tightened),
        _ => None,
    }
}

/// The effect of a value that comes into a list or leaves it.
pub(super) fn of_value(field: &FieldDescriptor, removed: bool) -> Option<Effect> {
    let is_domain = field.parent_message().name() == "StringDomain" && field.name() == "value";
    is_domain.then(|| Effect::tightened(removed))
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(x) => Some(f64::from(u8::from(*x))),
        Value::I32(x) => Some(f64::from(*x)),
        Value::I64(x) => Some(*x as f64),
        Value::F32(x) => Some(f64::from(*x)),
        Value::F64(x) => Some(*x),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfmd::{DESCRIPTOR_POOL, LifecycleStage};

    #[test]
    fn tables_name_fields_that_exist() {
        let check = |message: &str, field: &str| {
            let name = format!("tensorflow.metadata.v0.{message}");
            let message = DESCRIPTOR_POOL.get_message_by_name(&name).unwrap();
            assert!(message.get_field_by_name(field).is_some(), "{name}.{field}");
        };
        for (message, field, ..) in RULES {
            check(message, field);
        }
        for (message, fields) in CONSTRAINTS {
            fields.iter().for_each(|field| check(message, field));
        }
        assert!(RULES.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        // Retired stages are those that validation passes over.
        let stage = LifecycleStage::Alpha as i32;
        assert!(Feature { lifecycle_stage: Some(stage), ..Feature::default() }.is_retired());
    }
}
