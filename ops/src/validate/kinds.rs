//! Every kind of anomaly in TensorFlow metadata: when there is one, and what to do about it.

use crate::tfmd::anomaly_info::Type;

/// A kind of anomaly, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Which of the message's types it is.
    pub r#type: Type,
    /// When it is found, as a sentence.
    pub trigger: &'static str,
    /// What to do about it, as a sentence.
    pub remedy: &'static str,
    /// Whether validation ever finds it: many types are reserved or of the past.
    pub raised: bool,
}

impl Kind {
    /// Its name in messages, such as `SCHEMA_NEW_COLUMN`.
    pub fn name(&self) -> &'static str {
        self.r#type.as_str_name()
    }

    /// The kind of a type.
    pub fn of(r#type: Type) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.r#type == r#type)
    }
}

const fn found(r#type: Type, trigger: &'static str, remedy: &'static str) -> Kind {
    Kind { r#type, trigger, remedy, raised: true }
}

const fn never(r#type: Type, trigger: &'static str, remedy: &'static str) -> Kind {
    Kind { r#type, trigger, remedy, raised: false }
}

/// All kinds, in the order of the message's definition.
pub static KINDS: &[Kind] = &[
    never(
        Type::UnknownType,
        "Reserved: the kind of an anomaly that an older reader does not know.",
        "Read the anomalies with a newer version.",
    ),
    found(
        Type::MultipleReasons,
        "Never by itself: it stands for several reasons of one feature together.",
        "See the reasons below it, one by one.",
    ),
    found(
        Type::BoolTypeBigInt,
        "An INT feature with `bool_domain` has a value above 1.",
        "Clean the data, or give the feature an `int_domain` instead of the `bool_domain`.",
    ),
    never(
        Type::BoolTypeBytesNotInt,
        "Reserved: BYTES data where a boolean of integers is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::BoolTypeBytesNotString,
        "Reserved: BYTES data where a boolean of strings is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::BoolTypeFloatNotInt,
        "Reserved: FLOAT data where a boolean of integers is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::BoolTypeFloatNotString,
        "Reserved: FLOAT data where a boolean of strings is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::BoolTypeIntNotString,
        "Reserved: INT data where a boolean of strings is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::BoolTypeSmallInt,
        "An INT feature with `bool_domain` has a value below 0.",
        "Clean the data, or give the feature an `int_domain` instead of the `bool_domain`.",
    ),
    never(
        Type::BoolTypeStringNotInt,
        "Reserved: STRING data where a boolean of integers is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::BoolTypeUnexpectedString,
        "A string is neither `true_value` nor `false_value` of the feature's `bool_domain`.",
        "Correct the spelling in the data, or replace the `bool_domain` by a `string_domain`.",
    ),
    found(
        Type::BoolTypeUnexpectedFloat,
        "A FLOAT feature with `bool_domain` has a value other than 0 and 1, or NaN.",
        "Clean the data, or give the feature a `float_domain` instead.",
    ),
    never(
        Type::BoolTypeInvalidConfig,
        "Reserved: `true_value` or `false_value` on a numeric boolean, or none on one of strings.",
        "Set both values for strings, and none for numbers.",
    ),
    never(
        Type::EnumTypeBytesNotString,
        "Reserved: BYTES data where a string of a domain is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::EnumTypeFloatNotString,
        "Reserved: FLOAT data where a string of a domain is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::EnumTypeIntNotString,
        "Reserved: INT data where a string of a domain is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::EnumTypeInvalidUtf8,
        "A feature with a string domain has values that are not UTF-8.",
        "Find where the bytes come from and decode them there; for opaque bytes remove the domain.",
    ),
    found(
        Type::EnumTypeUnexpectedStringValues,
        "Values that are not in the feature's domain make up more than 1 − `min_domain_mass` of \
         all; with the default mass of 1, any such value.",
        "Add the value to the `string_domain` if it is right, lower \
         `distribution_constraints.min_domain_mass` if some are to be let through, or correct \
         the data.",
    ),
    found(
        Type::FeatureTypeHighNumberValues,
        "An example has more values than `value_count.max`.",
        "Raise `value_count.max`, or see why values are repeated.",
    ),
    found(
        Type::FeatureTypeLowFractionPresent,
        "The share of examples that have the feature is below `presence.min_fraction`.",
        "See why values are missing; if they may be, lower `presence.min_fraction`.",
    ),
    found(
        Type::FeatureTypeLowNumberPresent,
        "Fewer examples than `presence.min_count` have the feature.",
        "See why values are missing; if they may be, lower `presence.min_count`.",
    ),
    found(
        Type::FeatureTypeLowNumberValues,
        "An example that has the feature has fewer values than `value_count.min`.",
        "Lower `value_count.min`, or see why values are lost.",
    ),
    found(
        Type::FeatureTypeNotPresent,
        "There are statistics of a feature that no example has, though it is required in this \
         environment.",
        "See why the column is empty; if it may be, remove `presence` or leave it out with \
         `not_in_environment`.",
    ),
    never(
        Type::FeatureTypeNoValues,
        "Reserved: a feature that is present without any value.",
        "See FEATURE_TYPE_LOW_NUMBER_VALUES, which is raised instead.",
    ),
    never(
        Type::FeatureTypeUnexpectedRepeated,
        "Reserved: several values where one is expected.",
        "See FEATURE_TYPE_HIGH_NUMBER_VALUES, which is raised instead.",
    ),
    found(
        Type::FeatureTypeHighUnique,
        "There are more distinct values than `unique_constraints.max`; without a `max` it \
         counts as 0.",
        "Raise `unique_constraints.max`.",
    ),
    found(
        Type::FeatureTypeLowUnique,
        "There are fewer distinct values than `unique_constraints.min`.",
        "Lower `unique_constraints.min`, or see which values are gone.",
    ),
    found(
        Type::FeatureTypeNoUnique,
        "`unique_constraints` are set, but distinct values of such a feature are not counted.",
        "Remove `unique_constraints`, or make the feature categorical.",
    ),
    found(
        Type::FloatTypeBigFloat,
        "A value is above `float_domain.max`; it is compared in single precision.",
        "Raise `float_domain.max`, or correct the data.",
    ),
    never(
        Type::FloatTypeNotFloat,
        "Reserved: data that are no FLOAT where one is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::FloatTypeSmallFloat,
        "A value is below `float_domain.min`; it is compared in single precision.",
        "Lower `float_domain.min`, or correct the data.",
    ),
    found(
        Type::FloatTypeStringNotFloat,
        "A string of a feature with `float_domain` is not a number.",
        "Correct the data, or replace the `float_domain` by a `string_domain`.",
    ),
    never(
        Type::FloatTypeNonString,
        "Reserved: a number that was expected as a string.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::FloatTypeUnknownTypeNumber,
        "Reserved: data of a type that has no number.",
        "Compute the statistics with a version that knows the type.",
    ),
    found(
        Type::FloatTypeHasNan,
        "There are NaN values though `float_domain.disallow_nan` is set.",
        "Find where they are computed, or unset `disallow_nan`.",
    ),
    found(
        Type::FloatTypeHasInf,
        "There are infinite values though `float_domain.disallow_inf` is set.",
        "Find where they are computed, or unset `disallow_inf`.",
    ),
    found(
        Type::IntTypeBigInt,
        "A value is above `int_domain.max`.",
        "Raise `int_domain.max`, or correct the data.",
    ),
    never(
        Type::IntTypeIntExpected,
        "Reserved: data that are no INT where one is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::IntTypeNotIntString,
        "A string of a feature with `int_domain` is not an integer.",
        "Correct the data, or replace the `int_domain` by a `string_domain`.",
    ),
    never(
        Type::IntTypeNotString,
        "Reserved: an integer that was expected as a string.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::IntTypeSmallInt,
        "A value is below `int_domain.min`.",
        "Lower `int_domain.min`, or correct the data.",
    ),
    never(
        Type::IntTypeStringExpected,
        "Reserved: data that are no string where one is expected.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::IntTypeUnknownTypeNumber,
        "Reserved: data of a type that has no number.",
        "Compute the statistics with a version that knows the type.",
    ),
    found(
        Type::LowSupportedImageFraction,
        "The share of values that are images of a known format is below \
         `image_domain.minimum_supported_image_fraction`.",
        "Lower the fraction, or see which values are no images.",
    ),
    found(
        Type::SchemaMissingColumn,
        "The schema requires a feature of which there are no statistics.",
        "Restore the column, or remove it from the schema: `lifecycle_stage: DEPRECATED`, \
         `not_in_environment`, or no `presence`.",
    ),
    found(
        Type::SchemaNewColumn,
        "There are statistics of a feature that is not in the schema, or not in this environment.",
        "Add the feature to the schema, or drop the column.",
    ),
    never(
        Type::SchemaTrainingServingSkew,
        "Reserved: superseded by the comparators.",
        "Set a `skew_comparator` on the feature.",
    ),
    never(
        Type::StringTypeNowFloat,
        "Reserved: strings that have become floats.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    never(
        Type::StringTypeNowInt,
        "Reserved: strings that have become integers.",
        "See UNEXPECTED_DATA_TYPE, which is raised instead.",
    ),
    found(
        Type::ComparatorControlDataMissing,
        "A feature with a comparator is not in the statistics that it should be compared with.",
        "Give statistics that have the feature, or remove the comparator.",
    ),
    never(
        Type::ComparatorTreatmentDataMissing,
        "Reserved: a feature with a comparator that is not in the current statistics.",
        "See SCHEMA_MISSING_COLUMN, which is raised instead.",
    ),
    found(
        Type::ComparatorLInftyHigh,
        "The largest difference of a label's share is above `infinity_norm.threshold` of the \
         comparator.",
        "See the label it names and why its share moved; raise the threshold if the change is \
         meant or is mere noise.",
    ),
    found(
        Type::ComparatorJensenShannonDivergenceHigh,
        "The Jensen–Shannon divergence is above `jensen_shannon_divergence.threshold` of the \
         comparator.",
        "Compare both distributions; raise the threshold if the change is meant or is mere noise.",
    ),
    found(
        Type::ComparatorNormalizedAbsoluteDifferenceHigh,
        "The largest difference of a label's count over all counts is above \
         `normalized_abs_difference.threshold` of the comparator.",
        "See the label it names; counts, not shares, are compared, so see whether there are \
         simply more examples.",
    ),
    never(
        Type::NoDataInSpan,
        "Reserved: a span without data.",
        "See whether the pipeline before has run.",
    ),
    found(
        Type::SparseFeatureMissingValue,
        "Examples have an index of a sparse feature but not its values.",
        "Write indices and values together.",
    ),
    found(
        Type::SparseFeatureMissingIndex,
        "Examples have the values of a sparse feature but lack an index.",
        "Write indices and values together.",
    ),
    found(
        Type::SparseFeatureLengthMismatch,
        "A sparse feature's values and indices differ in number within an example.",
        "Write as many indices as values.",
    ),
    found(
        Type::SparseFeatureNameCollision,
        "A sparse feature has the name of another feature.",
        "Rename one of them.",
    ),
    found(
        Type::SemanticDomainUpdate,
        "The values look like those of a semantic domain, which the schema does not have.",
        "Add the domain to the feature if it is right.",
    ),
    found(
        Type::ComparatorLowNumExamples,
        "There are fewer examples than the allowed fraction of those of the previous span or \
         version.",
        "See whether data are lost; lower `min_fraction_threshold` if not.",
    ),
    found(
        Type::ComparatorHighNumExamples,
        "There are more examples than the allowed fraction of those of the previous span or \
         version.",
        "See whether data are doubled; raise `max_fraction_threshold` if not.",
    ),
    found(
        Type::DatasetLowNumExamples,
        "There are fewer examples than `dataset_constraints.min_examples_count`.",
        "See whether data are lost; lower the count if not.",
    ),
    found(
        Type::DatasetHighNumExamples,
        "There are more examples than `dataset_constraints.max_examples_count`; it is looked at \
         only if `min_examples_count` is set as well.",
        "See whether data are doubled; raise the count if not.",
    ),
    found(
        Type::WeightedFeatureNameCollision,
        "A weighted feature has the name of another feature.",
        "Rename one of them.",
    ),
    found(
        Type::WeightedFeatureMissingValue,
        "Examples have the weight of a weighted feature but not its value.",
        "Write values and weights together.",
    ),
    found(
        Type::WeightedFeatureMissingWeight,
        "Examples have the value of a weighted feature but not its weight.",
        "Write values and weights together.",
    ),
    found(
        Type::WeightedFeatureLengthMismatch,
        "A weighted feature's values and weights differ in number within an example.",
        "Write as many weights as values.",
    ),
    found(
        Type::ValueNestednessMismatch,
        "The values are lists of lists of another depth than `value_count` or `value_counts` says.",
        "Give `value_counts` one entry for each level of the data.",
    ),
    found(
        Type::DomainInvalidForType,
        "The feature's domain does not go with its type, as an `int_domain` with FLOAT, or \
         numbers are beyond 64-bit integers.",
        "Choose the domain that goes with the type, or correct the type.",
    ),
    found(
        Type::FeatureMissingName,
        "A feature of the schema has no name.",
        "Name it or remove it.",
    ),
    found(Type::FeatureMissingType, "A feature of the schema has no type.", "Set its `type`."),
    found(
        Type::InvalidSchemaSpecification,
        "The schema contradicts itself: a `min_fraction` outside 0 to 1, a `value_count` with \
         `max` below `min`, a dimension below 1, or `distribution_constraints` without a string \
         domain.",
        "Correct the field that is named.",
    ),
    found(
        Type::InvalidDomainSpecification,
        "A domain contradicts itself: it is named but nowhere defined, lists a value twice or \
         too many values, or its true and false are the same.",
        "Correct the domain that is named.",
    ),
    found(
        Type::UnexpectedDataType,
        "The data are of another type than the feature's `type`.",
        "Correct the data or the type in the schema; readers differ in what they take for numbers.",
    ),
    found(
        Type::SequenceValueTooFewOccurrences,
        "A token occurs in a sequence less often than `token_constraints` allow.",
        "Lower `min_per_sequence`, or see how sequences are made.",
    ),
    found(
        Type::SequenceValueTooManyOccurrences,
        "A token occurs in a sequence more often than `token_constraints` allow.",
        "Raise `max_per_sequence`, or see how sequences are made.",
    ),
    found(
        Type::SequenceValueTooSmallFraction,
        "Too small a share of sequences holds a token of `token_constraints`.",
        "Lower `min_fraction_of_sequences`, or see how sequences are made.",
    ),
    found(
        Type::SequenceValueTooLargeFraction,
        "Too large a share of sequences holds a token of `token_constraints`.",
        "Raise `max_fraction_of_sequences`, or see how sequences are made.",
    ),
    found(
        Type::FeatureCoverageTooLow,
        "Too small a share of tokens is in the vocabulary: below `coverage.min_coverage`.",
        "Use the vocabulary the tokens were made with, or lower `min_coverage`.",
    ),
    found(
        Type::FeatureCoverageTooShortAvgTokenLength,
        "Tokens are shorter on average than `coverage.min_avg_token_length`.",
        "See whether text falls apart into characters, or lower the length.",
    ),
    never(
        Type::NlpWrongLocation,
        "Reserved: a natural-language feature at a place it should not be.",
        "Nothing: it is not raised.",
    ),
    found(
        Type::EmbeddingShapeInvalid,
        "Vectors of a feature with `is_embedding` have another length than `embedding_dim`. TFDV \
         never looks.",
        "Find out which model made the embeddings, or change `embedding_dim`.",
    ),
    found(
        Type::MaxImageByteSizeExceeded,
        "A value is larger than `image_domain.max_image_byte_size`.",
        "Raise the size, or see which images grow.",
    ),
    found(
        Type::InvalidFeatureShape,
        "Examples do not have the number of values that the feature's `shape` demands, or some \
         lack it.",
        "Give the feature a `value_count` instead of a `shape`, or fill what is missing.",
    ),
    found(
        Type::StatsNotAvailable,
        "The schema asks for something of which no statistics were computed: those of natural \
         language.",
        "Compute them: the option for semantic statistics, with the vocabulary.",
    ),
    found(
        Type::DerivedFeatureBadLifecycle,
        "A derived feature has another `lifecycle_stage` than VALIDATION_DERIVED or DISABLED.",
        "Set the stage.",
    ),
    found(
        Type::DerivedFeatureInvalidSource,
        "A derived feature does not say what it is derived from.",
        "Set `validation_derived_source`.",
    ),
    found(
        Type::CustomValidation,
        "A rule is broken that TFDV has no kind of anomaly for: lengths of sequences, or a shift of \
         a distribution that is significant where the schema has no threshold.",
        "Read the description; it names the rule.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_explained_once() {
        let known: Vec<i32> = KINDS.iter().map(|kind| kind.r#type as i32).collect();
        for number in 0..200 {
            let n = usize::from(Type::try_from(number).is_ok());
            assert_eq!(known.iter().filter(|known| **known == number).count(), n, "{number}");
        }
        assert_eq!(KINDS.len(), 89);
        for kind in KINDS {
            assert!(kind.trigger.ends_with('.') && kind.remedy.ends_with('.'), "{}", kind.name());
            assert_eq!(kind.raised, !kind.trigger.starts_with("Reserved: "), "{}", kind.name());
            assert_eq!(Kind::of(kind.r#type), Some(kind));
        }
    }
}
