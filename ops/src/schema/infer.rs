//! The schema that statistics suggest, by the rules of TFDV's `infer_schema`.
//!
//! The rules are few and careful: what every example has is required, what few distinct strings
//! there are become a domain, and no range or threshold is ever guessed. `CreateColumn` in TFDV's
//! `anomalies/schema.cc` is the model of [`create_column`], which validation uses for columns that
//! a schema does not know.

use engine::{Error, Result};

use crate::tfmd::feature::{DomainInfo, PresenceConstraints, ShapeType};
use crate::tfmd::feature_name_statistics::Type;
use crate::tfmd::{
    BoolDomain, CustomStatistic, DatasetFeatureStatistics, DatasetFeatureStatisticsList,
    DatasetView, Feature, FeaturePresence, FeatureType, FeatureView, FixedShape, IntDomain,
    LifecycleStage, Schema, StringDomain, StructDomain, ValueCount, ValueCountList,
    custom_statistic, fixed_shape, text,
};

/// Strings that stand for true; of two, the first in order of bytes would be taken.
const TRUE: &[&str] = &["", "1", "SET", "TRUE", "set", "true"];
/// Strings that stand for false.
const FALSE: &[&str] = &["0", "CLEAR", "FALSE", "clear", "false"];
/// Deeper structs would make a schema that no reader of messages takes.
const MAX_STEPS: usize = 48;

/// Changes an inferred schema by what its maker knows of the data.
pub type Transformation = fn(&mut Schema, &DatasetFeatureStatistics) -> Result<()>;

/// What is inferred.
#[derive(Clone, Debug)]
pub struct InferOptions {
    /// The most distinct strings that become a domain.
    pub max_string_domain_size: usize,
    /// Whether a feature that always has equally many values gets a fixed shape.
    pub infer_feature_shape: bool,
    /// What is done to the schema afterwards, in this order.
    pub schema_transformations: Vec<Transformation>,
}

impl Default for InferOptions {
    fn default() -> Self {
        InferOptions {
            max_string_domain_size: 100,
            infer_feature_shape: true,
            schema_transformations: Vec::new(),
        }
    }
}

/// The schema of the data that statistics were computed from.
///
/// Sparse and weighted features, which have no values of their own, are left out.
///
/// # Errors
///
/// There are several datasets and none is that of all examples; structs are nested too deeply for
/// any schema; or a transformation fails.
///
/// # Examples
///
/// ```
/// use ops::schema::{InferOptions, infer_schema};
/// use ops::tfmd::{load_statistics, text};
///
/// let statistics = load_statistics(
///     b"datasets { num_examples: 3 features {
///         path { step: 'age' } type: INT num_stats {
///           common_stats { num_non_missing: 2 num_missing: 1 min_num_values: 1 max_num_values: 1 }
///           min: 20 max: 64 } } }",
/// )?;
/// let schema = infer_schema(&statistics, &InferOptions::default())?;
/// assert_eq!(
///     text::print(&schema).split_whitespace().collect::<Vec<_>>().join(" "),
///     "feature { name: \"age\" value_count { min: 1 max: 1 } type: INT presence { min_count: 1 } }"
/// );
/// # Ok::<(), engine::Error>(())
/// ```
pub fn infer_schema(
    statistics: &DatasetFeatureStatisticsList,
    options: &InferOptions,
) -> Result<Schema> {
    fn infer(
        schema: &mut Schema,
        feature: FeatureView<'_, '_>,
        options: &InferOptions,
    ) -> Result<()> {
        create_column(schema, feature, options)?;
        feature.children().try_for_each(|child| infer(schema, child, options))
    }
    let dataset = statistics.all_examples()?;
    // Whether weights count depends on the features that have values, and on them alone.
    let mut of_values = DatasetFeatureStatistics {
        name: dataset.name.clone(),
        num_examples: dataset.num_examples,
        weighted_num_examples: dataset.weighted_num_examples,
        ..DatasetFeatureStatistics::default()
    };
    of_values.features =
        dataset.features.iter().filter(|feature| feature.stats.is_some()).cloned().collect();
    let view = DatasetView::new(&of_values);
    let mut schema = Schema::default();
    for feature in view.roots() {
        // Of two statistics of one path the later counts.
        let counted = view.get(feature.path());
        if counted.is_some_and(|last| std::ptr::eq(last.statistics(), feature.statistics())) {
            infer(&mut schema, feature, options)?;
        }
    }
    for transformation in &options.schema_transformations {
        transformation(&mut schema, dataset)?;
    }
    Ok(schema)
}

/// Adds a feature of the data to a schema that does not have it, without the fields of a struct.
///
/// # Errors
///
/// The feature is nested too deeply for any schema.
pub fn create_column(
    schema: &mut Schema,
    view: FeatureView<'_, '_>,
    options: &InferOptions,
) -> Result<()> {
    let path = view.path();
    let steps = path.step.as_slice();
    let (name, parents) = steps
        .split_last()
        .map_or((String::new(), steps), |(name, parents)| (name.clone(), parents));
    if steps.len() > MAX_STEPS {
        let shown: String = path.to_string().chars().take(60).collect();
        return Err(Error::input(format!("`{shown}…` is nested more than {MAX_STEPS} deep"))
            .with_detail("A schema of it could not be read by any program."));
    }
    let mut feature = Feature { name: Some(name), ..Feature::default() };
    feature.set_type(view.feature_type());
    set_presence_and_shape(view, options.infer_feature_shape, &mut feature);
    if let Some(source) = &view.statistics().validation_derived_source {
        feature.set_lifecycle_stage(LifecycleStage::ValidationDerived);
        feature.validation_derived_source = Some(source.clone());
    }
    feature.domain_info = custom_domain(&view.statistics().custom_stats);
    if feature.domain_info.is_none() {
        feature.domain_info = domain(schema, view, options.max_string_domain_size);
    }
    insert(&mut schema.feature, parents, feature);
    Ok(())
}

/// Puts a feature where it belongs; structs on the way are made if they are not there.
fn insert(features: &mut Vec<Feature>, parents: &[String], feature: Feature) {
    let Some((step, rest)) = parents.split_first() else {
        features.push(feature);
        return;
    };
    let at = features.iter().position(|known| known.name() == step).unwrap_or_else(|| {
        let mut parent = Feature { name: Some(step.clone()), ..Feature::default() };
        parent.set_type(FeatureType::Struct);
        features.push(parent);
        features.len() - 1
    });
    let mut domain = match features[at].domain_info.take() {
        Some(DomainInfo::StructDomain(domain)) => domain,
        _ => StructDomain::default(),
    };
    insert(&mut domain.feature, rest, feature);
    features[at].domain_info = Some(DomainInfo::StructDomain(domain));
}

fn set_presence_and_shape(view: FeatureView<'_, '_>, with_shape: bool, feature: &mut Feature) {
    let present = view.num_present();
    let mut presence =
        FeaturePresence { min_count: Some(i64::from(present >= 1.0)), ..Default::default() };
    if present > 0.0 {
        if view.num_missing() == 0.0 {
            presence.min_fraction = Some(1.0);
        }
        let shape = fixed_shape(view).filter(|_| with_shape).map(ShapeType::Shape);
        feature.shape_type = shape.or_else(|| value_counts(view));
    }
    feature.presence_constraints = Some(PresenceConstraints::Presence(presence));
}

/// The shape of a feature that has equally many values at each level, everywhere.
fn fixed_shape(view: FeatureView<'_, '_>) -> Option<FixedShape> {
    if view.feature_type() == FeatureType::Struct {
        return None;
    }
    let levels = view.values_by_level();
    let constant = levels.iter().all(|&(min, max)| min == max && min > 0);
    if !constant || view.missing_by_level().iter().any(|&missing| missing != 0.0) {
        return None;
    }
    let dim = levels.iter().map(|&(n, _)| fixed_shape::Dim { size: Some(n), name: None });
    Some(FixedShape { dim: dim.collect() })
}

/// How many values there are: a number only if it is always the same.
pub(crate) fn value_counts(view: FeatureView<'_, '_>) -> Option<ShapeType> {
    let count = |&(min, max): &(i64, i64)| match (min, max) {
        (..=0, _) => ValueCount::default(),
        (min, max) if min == max => ValueCount { min: Some(min), max: Some(max) },
        _ => ValueCount { min: Some(1), max: None },
    };
    let levels = view.values_by_level();
    if view.is_nested() {
        let value_count = levels.iter().map(count).collect();
        return Some(ShapeType::ValueCounts(ValueCountList { value_count }));
    }
    levels.first().filter(|(min, _)| *min > 0).map(|level| ShapeType::ValueCount(count(level)))
}

/// The domain that a custom statistic gives as text, if it is one and nothing else.
pub(crate) fn custom_domain(custom_stats: &[CustomStatistic]) -> Option<DomainInfo> {
    let named = custom_stats.iter().filter(|stat| stat.name == "domain_info");
    let texts = named.map(|stat| match &stat.val {
        Some(custom_statistic::Val::Str(text)) => text.as_str(),
        _ => "",
    });
    // Empty ones in front do not make two of one.
    let mut texts = texts.skip_while(|text| text.is_empty());
    let (Some(domain), None) = (texts.next(), texts.next()) else { return None };
    let mut feature: Feature = text::parse(domain).ok()?;
    let found = feature.domain_info.take();
    if feature == Feature::default() { found } else { None }
}

fn domain(
    schema: &mut Schema,
    view: FeatureView<'_, '_>,
    max_string_domain_size: usize,
) -> Option<DomainInfo> {
    if view.has_invalid_utf8() || view.data_type() == Type::Bytes {
        return None;
    }
    if let Some(domain) = bool_domain(view) {
        return Some(DomainInfo::BoolDomain(domain));
    }
    let labels = view.labels();
    if labels.is_empty() {
        return None;
    }
    if view.data_type() == Type::String && labels.keys().all(|label| is_integer(label)) {
        return Some(DomainInfo::IntDomain(IntDomain::default()));
    }
    if labels.len() > max_string_domain_size {
        return None;
    }
    let name = new_domain_name(schema, view.path().to_string());
    schema.string_domain.push(StringDomain {
        name: Some(name.clone()),
        value: labels.into_keys().map(str::to_owned).collect(),
        is_categorical: None,
    });
    Some(DomainInfo::Domain(name))
}

/// Two values: the integers 0 and 1, or a word for true and a word for false.
fn bool_domain(view: FeatureView<'_, '_>) -> Option<BoolDomain> {
    match view.data_type() {
        Type::Int => {
            let numeric = view.numeric()?;
            // All zero is not enough to tell.
            (numeric.min >= 0.0 && numeric.max == 1.0).then(BoolDomain::default)
        }
        Type::String => {
            let labels = view.labels();
            if labels.is_empty() || labels.len() > 2 {
                return None;
            }
            let mut domain = BoolDomain::default();
            for label in labels.into_keys() {
                let side = if TRUE.contains(&label) {
                    &mut domain.true_value
                } else if FALSE.contains(&label) {
                    &mut domain.false_value
                } else {
                    return None;
                };
                if side.replace(label.to_owned()).is_some() {
                    return None;
                }
            }
            Some(domain)
        }
        _ => None,
    }
}

/// Whether a string is a decimal number of 64 bits, as `absl::SimpleAtoi` reads it.
pub(crate) fn is_integer(text: &str) -> bool {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    text.trim_matches(blank).parse::<i64>().is_ok()
}

/// The name, with the least number behind it that makes it new.
fn new_domain_name(schema: &Schema, name: String) -> String {
    let is_new = |name: &str| schema.string_domain.iter().all(|domain| domain.name() != name);
    if is_new(&name) {
        return name;
    }
    let numbered = (2..).map(|n: usize| format!("{name}{n}"));
    numbered.into_iter().find(|name| is_new(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests;
