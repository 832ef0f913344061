//! The texts of all anomalies: one function for each kind and situation.
//!
//! Short and long descriptions are those that TFDV gives, since people and programs know them; the
//! rule, what was expected and what was found are ours.

use super::reason::Reason;
use super::words::{c_escape, percentage, six_digits};
use crate::tfmd::FeatureType;
use crate::tfmd::anomaly_info::Type;
use crate::tfmd::feature_name_statistics::Type as DataType;

// The schema itself.

pub(super) fn missing_name() -> Reason {
    let text = "unspecified name (maybe meant to be the empty string): find name rather than \
                deprecating.";
    Reason::new(Type::FeatureMissingName, text, "").rule("name", "a name").observed("none")
}

pub(super) fn missing_type() -> Reason {
    let text = "unspecified type: determine the type and set it, rather than deprecating.";
    Reason::new(Type::FeatureMissingType, text, "").rule("type", "a type").observed("none")
}

pub(super) fn missing_type_of_strings() -> Reason {
    let text = "unspecified type: inferring the type to be BYTES, given the domain specified.";
    Reason::new(Type::FeatureMissingType, text, "").rule("type", "BYTES").observed("none")
}

fn specification(short: &str) -> Reason {
    Reason::new(Type::InvalidSchemaSpecification, short, "")
}

pub(super) fn negative_min_fraction(min_fraction: f64) -> Reason {
    specification("min_fraction should not be negative: clear is equal to zero")
        .rule("presence.min_fraction", "0 to 1")
        .observed(min_fraction)
}

pub(super) fn min_fraction_above_one(min_fraction: f64) -> Reason {
    specification("min_fraction should not greater than 1")
        .rule("presence.min_fraction", "0 to 1")
        .observed(min_fraction)
}

pub(super) fn negative_value_count(min: i64) -> Reason {
    specification("ValueCount.min should not be negative")
        .rule("value_count.min", "0 or more")
        .observed(min)
}

pub(super) fn value_count_max_below_min(min: i64, max: i64) -> Reason {
    specification("ValueCount.max should not be less than min")
        .rule("value_count.max", format_args!("{min} or more"))
        .observed(max)
}

pub(super) fn negative_value_count_at(level: usize, min: i64) -> Reason {
    Reason::new(
        Type::InvalidSchemaSpecification,
        "ValueCounts.min should not be negative",
        format!("ValueCounts.min at level {level} should not be negative."),
    )
    .rule("value_counts.value_count.min", "0 or more")
    .observed(min)
}

pub(super) fn value_count_max_below_min_at(level: usize, min: i64, max: i64) -> Reason {
    Reason::new(
        Type::InvalidSchemaSpecification,
        "ValueCounts.max should not be less than min",
        format!("ValueCounts.max at level {level} should not be less than min."),
    )
    .rule("value_counts.value_count.max", format_args!("{min} or more"))
    .observed(max)
}

pub(super) fn dimension_not_positive(size: i64) -> Reason {
    specification("Shape.dim.size must be a positive integer")
        .rule("shape.dim.size", "1 or more")
        .observed(size)
}

pub(super) fn domain_against_type(domain: &'static str, kind: FeatureType) -> Reason {
    Reason::new(
        Type::DomainInvalidForType,
        "The domain does not match the type",
        format!("The domain \"{domain}\" does not match the type: {}", kind.as_str_name()),
    )
    .rule(domain, format_args!("a domain for {}", kind.as_str_name()))
    .observed(domain)
}

/// TFDV leaves out the name that it looked for.
pub(super) fn missing_domain(name: &str) -> Reason {
    Reason::new(Type::InvalidDomainSpecification, "missing domain: ", "")
        .rule("domain", format_args!("a string_domain named `{name}` in the schema"))
        .observed("none of that name")
}

pub(super) fn distribution_constraints_on(what: &str) -> Reason {
    specification(&match what {
        "" => "distribution constraints require domain or string domain.".to_owned(),
        what => format!("distribution constraints not supported for {what} domains."),
    })
    .rule("distribution_constraints", "a domain of strings")
    .observed(if what.is_empty() { "no domain" } else { what })
}

// Presence.

pub(super) fn missing_column() -> Reason {
    Reason::new(Type::SchemaMissingColumn, "Column dropped", "Column is completely missing")
        .rule("presence", "some examples with the feature")
        .observed("no statistics of it")
}

pub(super) fn new_column() -> Reason {
    let text = "New column (column in data but not in schema)";
    Reason::new(Type::SchemaNewColumn, "New column", text)
}

pub(super) fn not_present() -> Reason {
    let text = "The feature was not present in any examples.";
    Reason::new(Type::FeatureTypeNotPresent, "Column dropped", text)
        .rule("presence", "some examples with the feature")
        .observed("0 examples")
}

pub(super) fn not_in_environment(path: &str, environment: &str) -> Reason {
    Reason::new(
        Type::SchemaNewColumn,
        "Column missing in environment",
        format!(
            "New column {path} found in data but not in the environment {environment} in the \
             schema."
        ),
    )
    .rule("in_environment", format_args!("`{environment}` among the feature's environments"))
    .observed("a feature that has values there")
}

pub(super) fn low_number_present(min_count: i64, actual: i64) -> Reason {
    Reason::new(
        Type::FeatureTypeLowNumberPresent,
        "Column dropped",
        format!(
            "The feature was present in fewer examples than expected: minimum count = {min_count}, \
             actual = {actual}"
        ),
    )
    .rule("presence.min_count", min_count)
    .observed(actual)
}

pub(super) fn low_fraction_present(min_fraction: f64, actual: f64, missing: f64) -> Reason {
    Reason::new(
        Type::FeatureTypeLowFractionPresent,
        "Column dropped",
        format!(
            "The feature was present in fewer examples than expected: minimum fraction = {:.6}, \
             actual = {actual:.6}",
            // TFDV keeps the expected fraction in a float.
            f64::from(min_fraction as f32)
        ),
    )
    .rule("presence.min_fraction", min_fraction)
    .observed(format_args!("{actual:.6}; {} missing", six_digits(missing)))
}

pub(super) fn not_everywhere(missing: f64) -> Reason {
    Reason::new(
        Type::FeatureTypeLowFractionPresent,
        "Column dropped",
        format!(
            "The feature was expected everywhere, but was missing in {} examples.",
            six_digits(missing)
        ),
    )
    .rule("presence.min_fraction", 1)
    .observed(format_args!("{} missing", six_digits(missing)))
}

// Numbers of values.

pub(super) fn nestedness_of_value_count(levels: usize) -> Reason {
    Reason::new(
        Type::ValueNestednessMismatch,
        "Mismatched value nest level",
        "This feature has a value_count, but the nestedness level of the feature > 1. For features \
         with nestedness levels greater than 1, value_counts, not value_count, should be specified.",
    )
    .rule("value_count", "1 nest level")
    .observed(format_args!("{levels} nest levels"))
}

pub(super) fn nestedness_of_value_counts(expected: usize, levels: usize) -> Reason {
    Reason::new(
        Type::ValueNestednessMismatch,
        "Mismatched value nest level",
        "The values have a different nest level than expected. Value counts will not be checked.",
    )
    .rule("value_counts", format_args!("{expected} nest levels"))
    .observed(format_args!("{levels} nest levels"))
}

pub(super) fn too_few_values(level: Option<usize>, min: i64, actual: i64) -> Reason {
    let (rule, text) = match level {
        None => ("value_count.min", "Some examples have fewer values than expected.".to_owned()),
        Some(level) => (
            "value_counts.value_count.min",
            format!("Some examples have fewer values than expected at nestedness level {level}."),
        ),
    };
    Reason::new(Type::FeatureTypeLowNumberValues, "Missing values", text)
        .rule(rule, min)
        .observed(actual)
}

pub(super) fn too_many_values(level: Option<usize>, max: i64, actual: i64) -> Reason {
    let (rule, text) = match level {
        None => ("value_count.max", "Some examples have more values than expected.".to_owned()),
        Some(level) => (
            "value_counts.value_count.max",
            format!("Some examples have more values than expected at nestedness level {level}."),
        ),
    };
    Reason::new(Type::FeatureTypeHighNumberValues, "Superfluous values", text)
        .rule(rule, max)
        .observed(actual)
}

pub(super) fn shape_of_varying(expected: i64, observed: &str) -> Reason {
    Reason::new(
        Type::InvalidFeatureShape,
        "Feature shape dropped",
        "The feature has a shape, but it's not always present (if the feature is nested, then it \
         should always be present at each nested level) or its value lengths vary.",
    )
    .rule("shape", format_args!("{expected} values everywhere"))
    .observed(observed)
}

pub(super) fn shape_of_other_length(expected: i64, actual: i64) -> Reason {
    Reason::new(
        Type::InvalidFeatureShape,
        "Feature shape dropped",
        format!(
            "The feature has fixed value length {actual} but it's not compatible with the \
             specified shape."
        ),
    )
    .rule("shape", format_args!("{expected} values everywhere"))
    .observed(format_args!("{actual} values everywhere"))
}

pub(super) fn embedding_of_other_length(dim: i64, least: i64, most: i64) -> Reason {
    Reason::new(
        Type::EmbeddingShapeInvalid,
        "Embedding of another length",
        format!("Embeddings have {least} to {most} values; {dim} are expected."),
    )
    .rule("float_domain.embedding_dim", dim)
    .observed(format_args!("{least} to {most} values"))
}

// Types.

pub(super) fn unexpected_data_type(expected: FeatureType, actual: DataType) -> Reason {
    Reason::new(
        Type::UnexpectedDataType,
        "Unexpected data type",
        format!(
            "Expected data of type: {} but got {}",
            expected.as_str_name(),
            actual.as_str_name()
        ),
    )
    .rule("type", expected.as_str_name())
    .observed(actual.as_str_name())
}

pub(super) fn domain_of_bytes(domain: &'static str, feature: &str) -> Reason {
    Reason::new(
        Type::DomainInvalidForType,
        "Invalid domain type",
        format!("Data is marked as BYTES with incompatible domain_info: {feature}"),
    )
    .rule(domain, "a domain for opaque bytes")
    .observed(domain)
}

// Booleans.

fn not_boolean(kind: Type, text: String) -> Reason {
    Reason::new(kind, "Non-boolean values", text)
}

pub(super) fn not_boolean_integer(kind: Type, value: f64) -> Reason {
    let value = six_digits(value);
    let text = format!("Integers (such as {value}) not in {{0, 1}}: converting to an integer.");
    not_boolean(kind, text).rule("bool_domain", "0 or 1").observed(value)
}

pub(super) fn not_boolean_float(what: &str) -> Reason {
    let text = format!("{what} not in {{0, 1}}: converting to float_domain.");
    not_boolean(Type::BoolTypeUnexpectedFloat, text).rule("bool_domain", "0 or 1").observed(what)
}

pub(super) fn not_boolean_float_between() -> Reason {
    let text = "Float values falling between 0 and 1: converting to float_domain.".to_owned();
    not_boolean(Type::BoolTypeUnexpectedFloat, text)
        .rule("bool_domain", "0 or 1")
        .observed("values between 0 and 1")
}

pub(super) fn not_boolean_string<'a>(
    valid: &str,
    invalid: impl IntoIterator<Item = (&'a str, f64)>,
    first: &str,
) -> Reason {
    let text = format!("Saw unexpected value \"{first}\" instead of {valid}.");
    not_boolean(Type::BoolTypeUnexpectedString, text).rule("bool_domain", valid).values(invalid)
}

// Numbers.

pub(super) fn float_too_small(min: f32, actual: f32) -> Reason {
    let (limit, value) = (six_digits(f64::from(min)), six_digits(f64::from(actual)));
    Reason::new(
        Type::FloatTypeSmallFloat,
        "Out-of-range values",
        format!("Unexpectedly low values: {value}<{limit}(upto six significant digits)"),
    )
    .rule("float_domain.min", min)
    .observed(actual)
}

pub(super) fn float_too_big(max: f32, actual: f32) -> Reason {
    let (limit, value) = (six_digits(f64::from(max)), six_digits(f64::from(actual)));
    Reason::new(
        Type::FloatTypeBigFloat,
        "Out-of-range values",
        format!("Unexpectedly high value: {value}>{limit}(upto six significant digits)"),
    )
    .rule("float_domain.max", max)
    .observed(actual)
}

pub(super) fn float_is_nan() -> Reason {
    Reason::new(Type::FloatTypeHasNan, "Invalid values", "Float feature has NaN values.")
        .rule("float_domain.disallow_nan", "no NaN")
        .observed("NaN")
}

pub(super) fn float_is_infinite() -> Reason {
    Reason::new(Type::FloatTypeHasInf, "Invalid values", "Float feature has Inf values.")
        .rule("float_domain.disallow_inf", "no infinity")
        .observed("infinity")
}

pub(super) fn string_is_no_float<'a>(
    first: &str,
    invalid: impl IntoIterator<Item = (&'a str, f64)>,
) -> Reason {
    Reason::new(
        Type::FloatTypeStringNotFloat,
        "Invalid values",
        format!("String values that were not floats were found, such as \"{first}\"."),
    )
    .rule("float_domain", "strings that are floats")
    .values(invalid)
}

pub(super) fn string_is_no_int<'a>(
    first: &str,
    invalid: impl IntoIterator<Item = (&'a str, f64)>,
) -> Reason {
    Reason::new(
        Type::IntTypeNotIntString,
        "Invalid values",
        format!("String values that were not ints were found, such as \"{first}\"."),
    )
    .rule("int_domain", "strings that are 64-bit integers")
    .values(invalid)
}

pub(super) fn integer_beyond_64_bits(value: &str) -> Reason {
    Reason::new(
        Type::DomainInvalidForType,
        "Invalid values",
        format!("Integer had values that were not valid Int64, such as \"{value}\"."),
    )
    .rule("int_domain", "64-bit integers")
    .observed(value)
}

pub(super) fn int_too_small(min: i64, actual: i64) -> Reason {
    Reason::new(
        Type::IntTypeSmallInt,
        "Out-of-range values",
        format!("Unexpectedly small value: {actual}."),
    )
    .rule("int_domain.min", min)
    .observed(actual)
}

pub(super) fn int_too_big(max: i64, actual: i64) -> Reason {
    Reason::new(
        Type::IntTypeBigInt,
        "Out-of-range values",
        format!("Unexpectedly large value: {actual}."),
    )
    .rule("int_domain.max", max)
    .observed(actual)
}

// Strings.

pub(super) fn invalid_utf8(rule: &'static str, count: u64) -> Reason {
    Reason::new(
        Type::EnumTypeInvalidUtf8,
        "Invalid UTF8 strings",
        "Found strings that were not valid UTF8 strings.",
    )
    .rule(rule, "strings in UTF-8")
    .observed(format_args!("{count} strings that are not"))
}

pub(super) fn unexpected_strings(
    rule: &'static str,
    allowed: usize,
    missing: &[(&str, f64)],
    total: f64,
) -> Reason {
    let listed: Vec<String> = missing
        .iter()
        .map(|(value, count)| format!("{} ({})", c_escape(value), percentage(count.trunc(), total)))
        .collect();
    let count: f64 = missing.iter().map(|(_, count)| count).sum();
    Reason::new(
        Type::EnumTypeUnexpectedStringValues,
        "Unexpected string values",
        format!("Examples contain values missing from the schema: {}. ", listed.join(", ")),
    )
    .rule(rule, format_args!("one of {allowed} values"))
    .observed(format_args!(
        "{} of {} values outside of the domain",
        six_digits(count),
        six_digits(total)
    ))
    .values(missing.iter().copied())
}

pub(super) fn low_unique(min: i64, actual: u64) -> Reason {
    Reason::new(
        Type::FeatureTypeLowUnique,
        "Low number of unique values",
        format!("Expected at least {min} unique values but found only {actual}."),
    )
    .rule("unique_constraints.min", min)
    .observed(actual)
}

pub(super) fn high_unique(max: i64, actual: u64) -> Reason {
    Reason::new(
        Type::FeatureTypeHighUnique,
        "High number of unique values",
        format!("Expected no more than {max} unique values but found {actual}."),
    )
    .rule("unique_constraints.max", max)
    .observed(actual)
}

pub(super) fn no_unique() -> Reason {
    Reason::new(
        Type::FeatureTypeNoUnique,
        "No unique values",
        "UniqueConstraints specified for the feature, but unique values were not counted (i.e., \
         feature is not string or categorical).",
    )
    .rule("unique_constraints", "a string or categorical feature")
    .observed("no count of unique values")
}

pub(super) fn new_semantic_domain(name: &str, domain: &str) -> Reason {
    Reason::new(
        Type::SemanticDomainUpdate,
        "Updated semantic domain",
        format!("Updated semantic domain for feature: {name}"),
    )
    .observed(domain)
}

// Images and text.

pub(super) fn few_supported_images(min: f32, actual: f32) -> Reason {
    Reason::new(
        Type::LowSupportedImageFraction,
        "Low supported image fraction",
        format!(
            "Fraction of values containing TensorFlow supported images: {actual:.6} is lower than \
             the threshold set in the Schema: {min:.6}."
        ),
    )
    .rule("image_domain.minimum_supported_image_fraction", min)
    .observed(actual)
}

pub(super) fn image_too_big(max: i64, actual: i64) -> Reason {
    Reason::new(
        Type::MaxImageByteSizeExceeded,
        "Num bytes exceeds the max byte size.",
        format!("The largest image has bytes: {actual}. The max allowed byte size is: {max}."),
    )
    .rule("image_domain.max_image_byte_size", max)
    .observed(actual)
}

pub(super) fn no_natural_language_statistics() -> Reason {
    Reason::new(
        Type::StatsNotAvailable,
        "Natural language stats are not computed.",
        "Constraints specified in natural language domain cannot be verified because natural \
         language stats have not been computed.",
    )
    .rule("natural_language_domain", "statistics of its vocabulary and tokens")
    .observed("none; `--vocabulary` and the schema make them")
}

pub(super) fn low_coverage(min: f32, actual: f64) -> Reason {
    let (limit, value) = (six_digits(f64::from(min)), six_digits(actual));
    Reason::new(
        Type::FeatureCoverageTooLow,
        "Feature coverage is too low.",
        format!(
            "Fraction of tokens in the vocabulary: {value} is lower than the threshold set in the \
             Schema: {limit}."
        ),
    )
    .rule("natural_language_domain.coverage.min_coverage", min)
    .observed(actual)
}

pub(super) fn short_tokens(min: f32, actual: f64) -> Reason {
    let (limit, value) = (six_digits(f64::from(min)), six_digits(actual));
    Reason::new(
        Type::FeatureCoverageTooShortAvgTokenLength,
        "Average token length is too short.",
        format!(
            "Average token length is: {value} which is lower than the threshold set in the Schema: \
             {limit}."
        ),
    )
    .rule("natural_language_domain.coverage.min_avg_token_length", min)
    .observed(actual)
}

/// A rule of the schema that TFDV knows no kind of anomaly for.
pub(super) fn short_sequences(min: i64, actual: i64) -> Reason {
    Reason::new(
        Type::CustomValidation,
        "Sequences are too short",
        format!("The shortest sequence has {actual} tokens; at least {min} are expected."),
    )
    .rule("natural_language_domain.sequence_length_constraints.min_sequence_length", min)
    .observed(actual)
}

pub(super) fn long_sequences(max: i64, actual: i64) -> Reason {
    Reason::new(
        Type::CustomValidation,
        "Sequences are too long",
        format!("The longest sequence has {actual} tokens; at most {max} are expected."),
    )
    .rule("natural_language_domain.sequence_length_constraints.max_sequence_length", max)
    .observed(actual)
}

pub(super) fn token_in_few_sequences(token: &str, min: f32, actual: f64) -> Reason {
    let (limit, value) = (six_digits(f64::from(min)), six_digits(actual));
    Reason::new(
        Type::SequenceValueTooSmallFraction,
        "Value occurs in too small a fraction of sequences.",
        format!(
            "Fraction of sequences with value: {token} is: {value} which is lower than the \
             threshold set in the Schema: {limit}."
        ),
    )
    .rule("natural_language_domain.token_constraints.min_fraction_of_sequences", min)
    .observed(actual)
}

pub(super) fn token_in_many_sequences(token: &str, max: f32, actual: f64) -> Reason {
    let (limit, value) = (six_digits(f64::from(max)), six_digits(actual));
    Reason::new(
        Type::SequenceValueTooLargeFraction,
        "Value occurs in too large a fraction of sequences.",
        format!(
            "Fraction of sequences with value: {token} is: {value} which is higher than the \
             threshold set in the Schema: {limit}."
        ),
    )
    .rule("natural_language_domain.token_constraints.max_fraction_of_sequences", max)
    .observed(actual)
}

pub(super) fn token_too_rare(token: &str, min: i64, actual: f64) -> Reason {
    Reason::new(
        Type::SequenceValueTooFewOccurrences,
        "Value has too few per-sequence occurrences.",
        format!(
            "Value: {token} occurs at least: {} times within a sequence, which is lower than the \
             threshold set in the Schema: {min}.",
            six_digits(actual)
        ),
    )
    .rule("natural_language_domain.token_constraints.min_per_sequence", min)
    .observed(actual)
}

pub(super) fn token_too_frequent(token: &str, max: i64, actual: f64) -> Reason {
    Reason::new(
        Type::SequenceValueTooManyOccurrences,
        "Value has too many per-sequence occurrences.",
        format!(
            "Value: {token} occurs at most: {} times within a sequence, which is higher than the \
             threshold set in the Schema: {max}.",
            six_digits(actual)
        ),
    )
    .rule("natural_language_domain.token_constraints.max_per_sequence", max)
    .observed(actual)
}
