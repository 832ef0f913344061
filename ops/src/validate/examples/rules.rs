//! The kernels: which rows of a column may break a rule of the schema.

use std::sync::{Arc, OnceLock};

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::super::words::{parse_float, parse_int};
use super::ExampleOptions;
use super::rows::Rows;
use crate::stats::column::{Column, Kind, Values};
use crate::stats::generator::Variant;
use crate::tfmd::anomaly_info::Type;
use crate::tfmd::feature::{DomainInfo, ShapeType};
use crate::tfmd::{Feature, FeatureType, Schema, ValueCount};

/// A rule that examples can break: a row of [`EXAMPLE_RULES`].
pub struct ExampleRule {
    /// The part of the schema that is checked.
    pub name: &'static str,
    /// What is checked, in one line.
    pub doc: &'static str,
    /// What examples that break it can be told.
    pub kinds: &'static [Type],
    /// The kernel for a feature; `None` where the schema says nothing.
    pub(super) compile: fn(&Context<'_>) -> Option<Kernel>,
}

/// Marks the rows of a column that may break a rule: all that do, and hardly others.
pub(super) type Kernel = Box<dyn Fn(&mut Marks<'_>) + Send + Sync>;

/// What a kernel is compiled from.
pub(super) struct Context<'a> {
    pub(super) feature: &'a Feature,
    pub(super) schema: &'a Schema,
    pub(super) is_in_environment: bool,
    pub(super) options: &'a ExampleOptions,
}

/// Every rule about a feature that an example has; that a required one is missing, or one that is
/// not in the schema is there, is seen without looking at columns.
pub static EXAMPLE_RULES: &[ExampleRule] = &[
    ExampleRule {
        name: "environment",
        doc: "the feature belongs to the environment of the data",
        kinds: &[Type::SchemaNewColumn],
        compile: |context| (!context.is_in_environment).then(everywhere),
    },
    ExampleRule {
        name: "value_count",
        doc: "as many values as allowed, at each nest level",
        kinds: &[
            Type::ValueNestednessMismatch,
            Type::FeatureTypeLowNumberValues,
            Type::FeatureTypeHighNumberValues,
        ],
        compile: value_count,
    },
    ExampleRule {
        name: "shape",
        doc: "the fixed number of values, and none missing inside",
        kinds: &[Type::InvalidFeatureShape],
        compile: shape,
    },
    ExampleRule {
        name: "type",
        doc: "values of the schema's type",
        kinds: &[Type::UnexpectedDataType, Type::DomainInvalidForType],
        compile: |context| Some(data_type(context)),
    },
    ExampleRule {
        name: "domain",
        doc: "strings of the feature's set, in UTF-8",
        kinds: &[Type::EnumTypeUnexpectedStringValues, Type::EnumTypeInvalidUtf8],
        compile: strings,
    },
    ExampleRule {
        name: "bool_domain",
        doc: "zeros and ones, or the two strings that mean them",
        kinds: &[
            Type::BoolTypeSmallInt,
            Type::BoolTypeBigInt,
            Type::BoolTypeUnexpectedFloat,
            Type::BoolTypeUnexpectedString,
        ],
        compile: booleans,
    },
    ExampleRule {
        name: "int_domain",
        doc: "integers within the range, also as strings",
        kinds: &[Type::IntTypeSmallInt, Type::IntTypeBigInt, Type::IntTypeNotIntString],
        compile: integers,
    },
    ExampleRule {
        name: "float_domain",
        doc: "floats within the range, also as strings; no NaN or infinity where they are not allowed",
        kinds: &[
            Type::FloatTypeSmallFloat,
            Type::FloatTypeBigFloat,
            Type::FloatTypeStringNotFloat,
            Type::FloatTypeHasNan,
            Type::FloatTypeHasInf,
        ],
        compile: floats,
    },
    ExampleRule {
        name: "image_domain",
        doc: "images that are not too large",
        kinds: &[Type::MaxImageByteSizeExceeded],
        compile: images,
    },
    ExampleRule {
        name: "dataset",
        doc: "what a schema asks of a dataset as a whole, if every example is held to it",
        kinds: &[
            Type::FeatureTypeLowUnique,
            Type::FeatureTypeHighUnique,
            Type::FeatureTypeNoUnique,
            Type::StatsNotAvailable,
            Type::InvalidSchemaSpecification,
        ],
        compile: |context| context.options.dataset_rules.then(everywhere),
    },
];

/// Rows in doubt, marked by the places of their values.
pub(super) struct Marks<'a> {
    pub(super) column: &'a Column,
    rows: &'a mut Rows,
    owners: OnceLock<Arc<[u32]>>,
}

impl<'a> Marks<'a> {
    pub(super) fn new(column: &'a Column, rows: &'a mut Rows) -> Self {
        Marks { column, rows, owners: OnceLock::new() }
    }

    pub(super) fn all_of(mut self, kernels: &[Kernel]) {
        kernels.iter().for_each(|kernel| kernel(&mut self));
    }

    /// All rows that have the feature.
    fn everywhere(&mut self) {
        let level = &self.column.levels[0];
        for i in (0..level.n_parents).filter(|&i| level.is_present(i)) {
            let row = self.column.examples.as_ref().map_or(i, |examples| examples[i] as usize);
            self.rows.set(row);
        }
    }

    /// The row of the list at place `i` of a nest level.
    fn list(&mut self, level: usize, i: usize) {
        if level == 0 {
            let row = self.column.examples.as_ref().map_or(i, |examples| examples[i] as usize);
            self.rows.set(row);
            return;
        }
        let owners = self.column.examples_of(level);
        self.rows.set(owners[i] as usize);
    }

    /// The row of the value at place `i`.
    pub(super) fn value(&mut self, i: usize) {
        let column = self.column;
        let is_single = |level: &crate::stats::column::Level| level.constant_length() == Some(1);
        let owners = self.owners.get_or_init(|| {
            // One value in each row: no table of owners is needed.
            if column.examples.is_none() && column.levels.iter().all(is_single) {
                return Arc::new([]);
            }
            column.examples_of(column.levels.len())
        });
        self.rows.set(if owners.is_empty() { i } else { owners[i] as usize });
    }

    /// The rows of the values that are in doubt, of those that are not null.
    fn values(&mut self, n: usize, is_in_doubt: impl Fn(usize) -> bool) {
        match self.column.values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => (0..n).filter(|&i| is_in_doubt(i)).for_each(|i| self.value(i)),
            Some(nulls) => {
                let indices = nulls.valid_indices().filter(|&i| is_in_doubt(i));
                indices.for_each(|i| self.value(i));
            }
        }
    }

    /// The rows of integers in doubt.
    fn ints(&mut self, is_in_doubt: impl Fn(i64) -> bool) {
        let Values::Int(array) = &self.column.values else { return };
        let values = array.values();
        // Without a branch, so that it is a vector loop: most columns have no value in doubt.
        if values.iter().fold(false, |any, &value| any | is_in_doubt(value)) {
            self.values(values.len(), |i| is_in_doubt(values[i]));
        }
    }

    /// The rows of floats in doubt.
    fn floats(&mut self, is_in_doubt: impl Fn(f32) -> bool) {
        match &self.column.values {
            Values::Float32(array) => {
                let values = array.values();
                if values.iter().fold(false, |any, &value| any | is_in_doubt(value)) {
                    self.values(values.len(), |i| is_in_doubt(values[i]));
                }
            }
            Values::Float64(array) => {
                let values = array.values();
                if values.iter().fold(false, |any, &value| any | is_in_doubt(value as f32)) {
                    self.values(values.len(), |i| is_in_doubt(values[i] as f32));
                }
            }
            _ => {}
        }
    }

    /// The rows of byte strings in doubt; each value of a dictionary is looked at once.
    fn bytes(&mut self, is_in_doubt: impl Fn(&[u8]) -> bool) {
        match &self.column.values {
            Values::Bytes(array) => {
                let n = array.value_offsets().len() - 1;
                self.values(n, |i| is_in_doubt(array.value(i)));
            }
            Values::Dictionary { codes, values } => {
                let n = values.value_offsets().len() - 1;
                let doubts: Vec<bool> =
                    (0..n).map(|code| is_in_doubt(values.value(code))).collect();
                if doubts.contains(&true) {
                    let codes = codes.values();
                    self.values(codes.len(), |i| doubts[codes[i] as usize]);
                }
            }
            _ => {}
        }
    }
}

fn everywhere() -> Kernel {
    fn all(marks: &mut Marks<'_>) {
        marks.everywhere();
    }
    Box::new(all)
}

fn value_count(context: &Context<'_>) -> Option<Kernel> {
    let expected: Vec<ValueCount> = match &context.feature.shape_type {
        Some(ShapeType::ValueCount(count)) => vec![*count],
        Some(ShapeType::ValueCounts(counts)) => counts.value_count.clone(),
        _ => return None,
    };
    Some(Box::new(move |marks| {
        let column = marks.column;
        if column.levels.len() != expected.len() {
            return marks.everywhere();
        }
        for (number, (level, count)) in column.levels.iter().zip(&expected).enumerate() {
            let (min, max) = (count.min.unwrap_or(0), count.max.unwrap_or(i64::MAX));
            let fits = |length: usize| (min..=max).contains(&(length as i64));
            let is_last = number + 1 == column.levels.len();
            // Of an empty list the lists inside are as short as can be.
            if level.constant_length().is_some_and(|length| fits(length) && (is_last || length > 0))
            {
                continue;
            }
            for i in (0..level.n_parents).filter(|&i| level.is_present(i)) {
                let length = level.length(i);
                if !fits(length) || (!is_last && length == 0) {
                    marks.list(number, i);
                }
            }
        }
    }))
}

fn shape(context: &Context<'_>) -> Option<Kernel> {
    let shape = context.feature.shape()?;
    let expected = shape.dim.iter().fold(1i64, |product, dim| product.saturating_mul(dim.size()));
    Some(Box::new(move |marks| {
        let column = marks.column;
        if let [level] = &column.levels[..] {
            if level.constant_length() == usize::try_from(expected).ok() && level.nulls.is_none() {
                return;
            }
            let fits = |i| level.is_present(i) && level.length(i) as i64 == expected;
            let is_field = column.examples.is_some();
            for i in 0..level.n_parents {
                // A row that lacks the feature has no shape, but a struct may lack a field.
                if !fits(i) && (is_field || level.is_present(i)) {
                    marks.list(0, i);
                }
            }
            return;
        }
        let lengths: Option<Vec<usize>> =
            column.levels.iter().map(crate::stats::column::Level::constant_length).collect();
        let product = |lengths: Vec<usize>| {
            lengths.iter().fold(1i64, |product, &length| product.saturating_mul(length as i64))
        };
        if lengths.map(product) != Some(expected) {
            marks.everywhere();
        }
    }))
}

fn data_type(context: &Context<'_>) -> Kernel {
    let feature = context.feature.clone();
    let expected = match feature.r#type() {
        FeatureType::Int => Some(Kind::Int),
        FeatureType::Float => Some(Kind::Float),
        FeatureType::Bytes => Some(Kind::String),
        FeatureType::Struct => Some(Kind::Struct),
        FeatureType::TypeUnknown => None,
    };
    Box::new(move |marks| {
        // A feature without any value is text to TFDV.
        let kind = marks.column.kind().unwrap_or(Kind::String);
        let is_opaque = Variant::of(kind, Some(&feature)) == Variant::Bytes;
        if Some(kind) != expected || is_opaque && domain_is_for_text(&feature) {
            marks.everywhere();
        }
    })
}

/// Whether a domain says more of bytes than that they are an image, a URL or language.
fn domain_is_for_text(feature: &Feature) -> bool {
    feature.domain_info.as_ref().is_some_and(|domain| {
        !matches!(
            domain,
            DomainInfo::NaturalLanguageDomain(_)
                | DomainInfo::ImageDomain(_)
                | DomainInfo::UrlDomain(_)
        )
    })
}

fn strings(context: &Context<'_>) -> Option<Kernel> {
    let values = match context.feature.domain_info.as_ref()? {
        DomainInfo::StringDomain(domain) => &domain.value,
        DomainInfo::Domain(name) => {
            &context.schema.string_domain.iter().find(|domain| domain.name() == name)?.value
        }
        _ => return None,
    };
    let known: HashSet<Vec<u8>, FixedState> =
        values.iter().map(|value| value.as_bytes().to_vec()).collect();
    Some(Box::new(move |marks| marks.bytes(|value| !known.contains(value))))
}

fn booleans(context: &Context<'_>) -> Option<Kernel> {
    let Some(DomainInfo::BoolDomain(domain)) = &context.feature.domain_info else { return None };
    let known = [domain.true_value.clone(), domain.false_value.clone()];
    Some(Box::new(move |marks| {
        marks.ints(|value| value != 0 && value != 1);
        marks.floats(|value| value != 0.0 && value != 1.0);
        marks.bytes(|value| !known.iter().flatten().any(|known| known.as_bytes() == value));
    }))
}

fn integers(context: &Context<'_>) -> Option<Kernel> {
    let Some(DomainInfo::IntDomain(domain)) = &context.feature.domain_info else { return None };
    let (min, max) = (domain.min.unwrap_or(i64::MIN), domain.max.unwrap_or(i64::MAX));
    Some(Box::new(move |marks| {
        let is_outside = |value: i64| value < min || value > max;
        marks.ints(is_outside);
        marks.bytes(|value| {
            let value = std::str::from_utf8(value).ok().and_then(parse_int);
            value.is_none_or(is_outside)
        });
    }))
}

fn floats(context: &Context<'_>) -> Option<Kernel> {
    let Some(DomainInfo::FloatDomain(domain)) = &context.feature.domain_info else { return None };
    let (min, max) = (domain.min.unwrap_or(f32::NEG_INFINITY), domain.max.unwrap_or(f32::INFINITY));
    let (no_nan, no_inf) = (domain.disallow_nan(), domain.disallow_inf());
    Some(Box::new(move |marks| {
        let is_bad = |value: f32| {
            let is_outside = value < min || value > max;
            is_outside || no_nan && value.is_nan() || no_inf && value.is_infinite()
        };
        marks.floats(is_bad);
        marks.bytes(|value| {
            let value = std::str::from_utf8(value).ok().and_then(parse_float);
            value.is_none_or(is_bad)
        });
    }))
}

fn images(context: &Context<'_>) -> Option<Kernel> {
    let Some(DomainInfo::ImageDomain(domain)) = &context.feature.domain_info else { return None };
    let max = usize::try_from(domain.max_image_byte_size?).unwrap_or(0);
    Some(Box::new(move |marks| marks.bytes(|value| value.len() > max)))
}
