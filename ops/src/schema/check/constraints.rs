//! Constraints: contradictory, impossible to violate, or violated by everything.

use super::{Check, Checked, Found, Severity};
use crate::tfmd::feature::{DomainInfo, PresenceConstraints, ShapeType};
use crate::tfmd::{
    FeatureComparator, FeatureType, LifecycleStage, NumericValueComparator, ValueCount,
};

pub(super) const FRACTION_OUT_OF_RANGE: Check = Check {
    code: "fraction_out_of_range",
    severity: Severity::Error,
    doc: "a fraction is not in [0, 1]",
    find: |checked, found| {
        for (path, field, fraction) in fractions(checked) {
            if !(0.0..=1.0).contains(&fraction) {
                let name = field.rsplit('.').next().unwrap_or_default();
                let message = format!("`{name}` is {fraction}, not a fraction from 0 to 1.");
                found.add(path, field, message, None);
            }
        }
    },
};

/// Every fraction with the thing it is about and the field it stands in.
fn fractions(checked: &Checked<'_>) -> Vec<(String, String, f64)> {
    let mut all = Vec::new();
    for place in checked.live() {
        let feature = place.feature;
        let mut add = |field: &str, fraction: Option<f64>| {
            let at = (place.path.to_string(), format!("{}.{field}", place.field));
            all.extend(fraction.map(|fraction| (at.0, at.1, fraction)));
        };
        if let Some(PresenceConstraints::Presence(presence)) = &feature.presence_constraints {
            add("presence.min_fraction", presence.min_fraction);
        }
        if let Some(constraints) = &feature.distribution_constraints {
            add("distribution_constraints.min_domain_mass", constraints.min_domain_mass);
        }
        match &feature.domain_info {
            Some(DomainInfo::ImageDomain(image)) => add(
                "image_domain.minimum_supported_image_fraction",
                image.minimum_supported_image_fraction.map(f64::from),
            ),
            Some(DomainInfo::NaturalLanguageDomain(language)) => {
                let coverage = language.coverage.as_ref().and_then(|c| c.min_coverage);
                add("natural_language_domain.coverage.min_coverage", coverage.map(f64::from));
                for (i, token) in language.token_constraints.iter().enumerate() {
                    let field = format!("natural_language_domain.token_constraints[{i}]");
                    let (min, max) =
                        (token.min_fraction_of_sequences, token.max_fraction_of_sequences);
                    add(&format!("{field}.min_fraction_of_sequences"), min.map(f64::from));
                    add(&format!("{field}.max_fraction_of_sequences"), max.map(f64::from));
                }
            }
            _ => {}
        }
    }
    all
}

/// Two numbers that limit the same thing, where they stand, and whether they count something.
struct Range {
    path: String,
    /// The message that holds both.
    field: String,
    /// The names of the two in it.
    names: (&'static str, &'static str),
    min: Option<f64>,
    max: Option<f64>,
    counts: bool,
}

fn ranges(checked: &Checked<'_>) -> Vec<Range> {
    let int = |x: Option<i64>| x.map(|x| x as f64);
    let mut all = Vec::new();
    for place in checked.live() {
        let mut add = |field: &str, names, min, max, counts| {
            let (path, field) = (place.path.to_string(), format!("{}.{field}", place.field));
            all.push(Range { path, field, names, min, max, counts });
        };
        const NAMES: (&str, &str) = ("min", "max");
        if let Some(PresenceConstraints::Presence(presence)) = &place.feature.presence_constraints {
            add("presence", ("min_count", ""), int(presence.min_count), None, true);
        }
        let mut value_count = |field: &str, count: &ValueCount| {
            add(field, NAMES, int(count.min), int(count.max), true);
        };
        match &place.feature.shape_type {
            Some(ShapeType::ValueCount(count)) => value_count("value_count", count),
            Some(ShapeType::ValueCounts(levels)) => {
                for (i, level) in levels.value_count.iter().enumerate() {
                    value_count(&format!("value_counts.value_count[{i}]"), level);
                }
            }
            _ => {}
        }
        if let Some(unique) = &place.feature.unique_constraints {
            // Without a largest number there is another finding.
            add("unique_constraints", NAMES, int(unique.min), int(unique.max), true);
        }
        match &place.feature.domain_info {
            Some(DomainInfo::IntDomain(domain)) => {
                add("int_domain", NAMES, int(domain.min), int(domain.max), false);
            }
            Some(DomainInfo::FloatDomain(domain)) => {
                let (min, max) = (domain.min.map(f64::from), domain.max.map(f64::from));
                add("float_domain", NAMES, min, max, false);
            }
            Some(DomainInfo::NaturalLanguageDomain(language)) => {
                for (i, token) in language.token_constraints.iter().enumerate() {
                    let field = format!("natural_language_domain.token_constraints[{i}]");
                    let names = ("min_per_sequence", "max_per_sequence");
                    let (min, max) = (int(token.min_per_sequence), int(token.max_per_sequence));
                    add(&field, names, min, max, true);
                    let names = ("min_fraction_of_sequences", "max_fraction_of_sequences");
                    let min = token.min_fraction_of_sequences.map(f64::from);
                    let max = token.max_fraction_of_sequences.map(f64::from);
                    add(&field, names, min, max, false);
                }
                if let Some(length) = &language.sequence_length_constraints {
                    let field = "natural_language_domain.sequence_length_constraints";
                    let names = ("min_sequence_length", "max_sequence_length");
                    let (min, max) =
                        (int(length.min_sequence_length), int(length.max_sequence_length));
                    add(field, names, min, max, true);
                }
            }
            _ => {}
        }
    }
    if let Some(dataset) = &checked.schema.dataset_constraints {
        let mut add = |field: &str, names, min, max| {
            let (path, counts) = ("dataset".to_owned(), true);
            all.push(Range { path, field: field.to_owned(), names, min, max, counts });
        };
        let names = ("min_examples_count", "max_examples_count");
        let (min, max) = (int(dataset.min_examples_count), int(dataset.max_examples_count));
        add("dataset_constraints", names, min, max);
        let comparators = [
            ("num_examples_drift_comparator", &dataset.num_examples_drift_comparator),
            ("num_examples_version_comparator", &dataset.num_examples_version_comparator),
        ];
        for (name, comparator) in comparators {
            let Some(NumericValueComparator {
                min_fraction_threshold: min,
                max_fraction_threshold: max,
            }) = comparator
            else {
                continue;
            };
            let names = ("min_fraction_threshold", "max_fraction_threshold");
            add(&format!("dataset_constraints.{name}"), names, *min, *max);
        }
    }
    all
}

pub(super) const NEGATIVE_COUNT: Check = Check {
    code: "negative_count",
    severity: Severity::Error,
    doc: "a number of things is below zero",
    find: |checked, found| {
        for range in ranges(checked).into_iter().filter(|range| range.counts) {
            for (name, number) in [(range.names.0, range.min), (range.names.1, range.max)] {
                if let Some(number) = number.filter(|number| *number < 0.0) {
                    let message = format!("`{name}` is {number}: there cannot be so few.");
                    found.add(&range.path, format!("{}.{name}", range.field), message, None);
                }
            }
        }
    },
};

pub(super) const MIN_ABOVE_MAX: Check = Check {
    code: "min_above_max",
    severity: Severity::Error,
    doc: "the smallest allowed number is above the largest",
    find: |checked, found| {
        for range in ranges(checked) {
            if let (Some(min), Some(max)) = (range.min, range.max)
                && min > max
            {
                let (least, most) = range.names;
                let message = format!("`{least}` is {min} and `{most}` is {max}: nothing fits.");
                let hint = Some("Exchange the two.".to_owned());
                found.add(&range.path, format!("{}.{least}", range.field), message, hint);
            }
        }
    },
};

pub(super) const SHAPE_DIM: Check = Check {
    code: "shape_dim",
    severity: Severity::Error,
    doc: "a dimension of a shape has no size, or one below 1",
    find: |checked, found| {
        for place in checked.live() {
            let Some(ShapeType::Shape(shape)) = &place.feature.shape_type else { continue };
            for (i, dim) in shape.dim.iter().enumerate().filter(|(_, dim)| dim.size() < 1) {
                let message = match dim.size {
                    None => "The dimension has no size.".to_owned(),
                    Some(size) => format!("The dimension has size {size}."),
                };
                let hint = "For one value write `shape {}` or a dimension of size 1; for a varying \
                            number use `value_count`.";
                found.of(place, &format!("shape.dim[{i}].size"), message, hint);
            }
        }
    },
};

pub(super) const SHAPE_NEEDS_PRESENCE: Check = Check {
    code: "shape_needs_presence",
    severity: Severity::Warning,
    doc: "a shape does not allow an example without the feature, but its presence does",
    find: |checked, found| {
        for place in checked.live() {
            let required = match &place.feature.presence_constraints {
                Some(PresenceConstraints::Presence(presence)) => presence.min_fraction() >= 1.0,
                _ => false,
            };
            if let (Some(ShapeType::Shape(_)), false) = (&place.feature.shape_type, required) {
                let message = "An example without the feature breaks the shape, though `presence` \
                               allows it.";
                let hint = "Write `min_fraction: 1` into `presence`, or `value_count` for `shape`.";
                found.of(place, "shape", message, hint);
            }
        }
    },
};

pub(super) const DISTRIBUTION_WITHOUT_DOMAIN: Check = Check {
    code: "distribution_without_domain",
    severity: Severity::Error,
    doc: "`distribution_constraints` are for domains of strings only",
    find: |checked, found| {
        for place in checked.live() {
            let of_strings = matches!(
                place.feature.domain_info,
                Some(DomainInfo::Domain(_) | DomainInfo::StringDomain(_))
            );
            if place.feature.distribution_constraints.is_some() && !of_strings {
                let message = "The feature has no domain of strings whose share could be limited.";
                found.of(place, "distribution_constraints", message, "Remove them.");
            }
        }
    },
};

pub(super) const UNIQUE_WITHOUT_MAX: Check = Check {
    code: "unique_without_max",
    severity: Severity::Error,
    doc: "`unique_constraints` without `max`: TFDV reads 0, so that any value is too much",
    find: |checked, found| {
        for place in checked.live() {
            if place.feature.unique_constraints.is_some_and(|unique| unique.max.is_none()) {
                let message = "Without `max` the largest number of distinct values is 0.";
                let hint = "Write `max: 9223372036854775807` for no limit.";
                found.of(place, "unique_constraints", message, hint);
            }
        }
    },
};

pub(super) const UNIQUE_NOT_COUNTED: Check = Check {
    code: "unique_not_counted",
    severity: Severity::Error,
    doc: "`unique_constraints` of numbers that are no categories: nobody counts them",
    find: |checked, found| {
        for place in checked.live() {
            let feature = place.feature;
            let counted = feature.is_categorical() && !feature.is_bytes();
            if feature.unique_constraints.is_some() && feature.r#type.is_some() && !counted {
                let message = "Distinct values are counted of strings and categories only.";
                let hint = if matches!(feature.r#type(), FeatureType::Int | FeatureType::Float) {
                    "Write `is_categorical: true` into its domain, or remove the constraints."
                } else {
                    "Remove the constraints."
                };
                found.of(place, "unique_constraints", message, hint);
            }
        }
    },
};

pub(super) const DERIVED_LIFECYCLE: Check = Check {
    code: "derived_lifecycle",
    severity: Severity::Error,
    doc: "a derived feature has another stage than VALIDATION_DERIVED",
    find: |checked, found| {
        for place in checked.live() {
            let stage = place.feature.lifecycle_stage();
            if place.feature.validation_derived_source.is_some()
                && stage != LifecycleStage::ValidationDerived
            {
                let hint = "Write `lifecycle_stage: VALIDATION_DERIVED`.";
                let message = "The feature is derived for validation, but its stage is another.";
                found.of(place, "lifecycle_stage", message, hint);
            }
        }
    },
};

/// The comparators of live features, with their fields.
fn comparators<'a>(
    checked: &'a Checked<'a>,
) -> impl Iterator<Item = (&'a super::Place<'a>, &'static str, &'a FeatureComparator)> {
    checked.live().flat_map(|place| {
        let feature = place.feature;
        let both = [
            ("drift_comparator", &feature.drift_comparator),
            ("skew_comparator", &feature.skew_comparator),
        ];
        both.into_iter().filter_map(move |(field, c)| Some((place, field, c.as_ref()?)))
    })
}

/// The thresholds of a comparator with their fields.
fn thresholds(comparator: &FeatureComparator) -> [(&'static str, Option<f64>); 3] {
    [
        ("infinity_norm", comparator.infinity_norm.and_then(|c| c.threshold)),
        (
            "jensen_shannon_divergence",
            comparator.jensen_shannon_divergence.as_ref().and_then(|c| c.threshold),
        ),
        (
            "normalized_abs_difference",
            comparator.normalized_abs_difference.and_then(|c| c.threshold),
        ),
    ]
}

pub(super) const NEVER_FIRES: Check = Check {
    code: "never_fires",
    severity: Severity::Warning,
    doc: "a limit that no data can break",
    find: |checked, found| {
        for (place, field, comparator) in comparators(checked) {
            never_fires(place, field, comparator, found);
        }
        for place in checked.live() {
            if let Some(DomainInfo::FloatDomain(domain)) = &place.feature.domain_info {
                let bounds =
                    [("min", domain.min, f32::NEG_INFINITY), ("max", domain.max, f32::INFINITY)];
                for (name, bound, limit) in bounds {
                    if bound.is_some_and(|bound| bound == limit || bound.is_nan()) {
                        let message = format!("`{name}` is {limit}, which no number breaks.");
                        let hint = "A bound is held in 32 bits: what is beyond 3.4e38 is infinite.";
                        found.of(place, &format!("float_domain.{name}"), message, hint);
                    }
                }
            }
        }
    },
};

fn never_fires(
    place: &super::Place<'_>,
    field: &str,
    comparator: &FeatureComparator,
    found: &mut Found<'_>,
) {
    let thresholds = thresholds(comparator);
    if thresholds.iter().all(|(_, threshold)| threshold.is_none()) {
        let hint = "Write `jensen_shannon_divergence { threshold: … }` into it.";
        found.of(place, field, "The comparator has no threshold.", hint);
    }
    let feature = place.feature;
    let is_number = matches!(feature.r#type(), FeatureType::Int | FeatureType::Float);
    for (name, threshold) in thresholds {
        let Some(threshold) = threshold else { continue };
        let at = format!("{field}.{name}.threshold");
        if is_number && !feature.is_categorical() && name != "jensen_shannon_divergence" {
            let message = "Of numbers that are no categories the distance is always 0.";
            found.of(place, &at, message, "Use `jensen_shannon_divergence`.");
        } else if threshold >= 1.0 || threshold.is_nan() {
            let message =
                format!("The distance is at most 1, so that {threshold} is never passed.");
            found.of(place, &at, message, "");
        }
    }
    if feature.r#type() == FeatureType::Struct {
        found.of(place, field, "A struct has no values to compare.", "Compare its fields.");
    }
}

pub(super) const ALWAYS_FIRES: Check = Check {
    code: "always_fires",
    severity: Severity::Warning,
    doc: "a threshold below zero: any two datasets are too far apart",
    find: |checked, found| {
        for (place, field, comparator) in comparators(checked) {
            for (name, threshold) in thresholds(comparator) {
                if let Some(threshold) = threshold.filter(|threshold| *threshold < 0.0) {
                    let message =
                        format!("A distance is at least 0, and so always above {threshold}.");
                    found.of(place, &format!("{field}.{name}.threshold"), message, "");
                }
            }
        }
    },
};

pub(super) const MAX_EXAMPLES_WITHOUT_MIN: Check = Check {
    code: "max_examples_without_min",
    severity: Severity::Warning,
    doc: "`max_examples_count` is looked at only where `min_examples_count` is set",
    find: |checked, found| {
        if let Some(dataset) = &checked.schema.dataset_constraints
            && dataset.max_examples_count.is_some()
            && dataset.min_examples_count.is_none()
        {
            let message = "Without `min_examples_count` nobody looks at it.";
            let hint = Some("Write `min_examples_count: 0` beside it.".to_owned());
            found.add("dataset", "dataset_constraints.max_examples_count", message, hint);
        }
    },
};
