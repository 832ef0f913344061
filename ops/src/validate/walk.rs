//! The walk over features: which are checked, which are new, which are not there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use engine::{Error, Result};

use super::anomalies as text;
use super::anomalies_of_sets;
use super::reason::{Reason, Severities};
use super::subject::{Controls, Subject, is_required};
use super::validation::{Finding, Validation};
use super::{check, composite, dataset};
use crate::tfmd::anomaly_info::Severity;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{
    DatasetFeatureStatistics, DatasetView, DriftSkewInfo, Feature, FeatureView, Path, Schema,
    SchemaIndex,
};

/// How to validate.
#[derive(Clone, Debug, Default)]
pub struct ValidateOptions {
    /// The environment of the data: one of the schema's default environments.
    pub environment: Option<String>,
    /// Severities other than that of an error.
    pub severities: Severities,
    /// The new features that are anomalies; all of them if none are named.
    pub features_needed: Option<BTreeSet<Path>>,
}

/// Statistics of other data that the data are compared with.
#[derive(Clone, Copy, Debug, Default)]
pub struct ControlStatistics<'a> {
    /// Of the span before this: for drift.
    pub previous_span: Option<&'a DatasetFeatureStatistics>,
    /// Of what serving saw: for skew.
    pub serving: Option<&'a DatasetFeatureStatistics>,
    /// Of an earlier version of this span: for its number of examples.
    pub previous_version: Option<&'a DatasetFeatureStatistics>,
}

/// Validates the statistics of a dataset against a schema.
///
/// # Errors
///
/// The schema does not know the environment.
///
/// # Examples
///
/// ```
/// use ops::tfmd::{load_schema, load_statistics};
/// use ops::validate::{ControlStatistics, ValidateOptions, validate_statistics};
///
/// let schema = load_schema(
///     b"feature { name: 'age' type: INT presence { min_fraction: 1.0 } int_domain { max: 120 } }",
/// )?;
/// let statistics = load_statistics(
///     b"datasets { num_examples: 3 features {
///         path { step: 'age' } type: INT num_stats {
///           common_stats { num_non_missing: 2 num_missing: 1 } min: 20 max: 640 } } }",
/// )?;
/// let found = validate_statistics(
///     statistics.all_examples()?,
///     ControlStatistics::default(),
///     &schema,
///     &ValidateOptions::default(),
/// )?;
/// let told = &found.to_anomalies(&schema).anomaly_info["age"];
/// assert_eq!(
///     told.description(),
///     "The feature was present in fewer examples than expected: minimum fraction = 1.000000, \
///      actual = 0.666667 Unexpectedly large value: 640."
/// );
/// # Ok::<(), engine::Error>(())
/// ```
pub fn validate_statistics(
    statistics: &DatasetFeatureStatistics,
    controls: ControlStatistics<'_>,
    schema: &Schema,
    options: &ValidateOptions,
) -> Result<Validation> {
    Ok(Validator::new(schema, options)?.validate(statistics, controls))
}

/// A schema, prepared for validating many statistics.
pub struct Validator<'s> {
    index: SchemaIndex<'s>,
    required: Vec<Path>,
    options: &'s ValidateOptions,
}

impl<'s> Validator<'s> {
    /// Prepares a schema.
    ///
    /// # Errors
    ///
    /// The schema does not know the environment.
    pub fn new(schema: &'s Schema, options: &'s ValidateOptions) -> Result<Self> {
        let environment = options.environment.as_deref();
        if let Some(wanted) = environment
            && !schema.default_environment.iter().any(|known| known == wanted)
        {
            let known = &schema.default_environment;
            let hint = if known.is_empty() {
                "Add a `default_environment` to it.".to_owned()
            } else {
                format!("It knows {}.", known.join(", "))
            };
            let message = format!("the schema does not know the environment `{wanted}`");
            return Err(Error::invalid(message)
                .with_detail("The schema's `default_environment` lists the environments.")
                .with_hint(hint));
        }
        let mut required = Vec::new();
        add_required(schema, &Path::default(), &schema.feature, environment, &mut required);
        Ok(Validator { index: SchemaIndex::new(schema), required, options })
    }

    /// Validates the statistics of one dataset.
    pub fn validate(
        &self,
        statistics: &DatasetFeatureStatistics,
        controls: ControlStatistics<'_>,
    ) -> Validation {
        if statistics.num_examples == 0 {
            return Validation { data_missing: true, ..Validation::default() };
        }
        let dataset = DatasetView::new(statistics);
        let by_weight = dataset.is_by_weight();
        // TFDV takes a message without anything in it for none.
        let empty = DatasetFeatureStatistics::default();
        let given = [controls.previous_span, controls.serving, controls.previous_version];
        let [previous_span, serving, previous_version] = given.map(|statistics| {
            let statistics = statistics.filter(|statistics| **statistics != empty)?;
            Some(DatasetView::by_weight_if(statistics, by_weight))
        });
        let controls = Controls { previous_span, serving, previous_version };
        let mut walk = Walk {
            validator: self,
            controls: &controls,
            found: BTreeMap::new(),
            drift_skew: BTreeMap::new(),
        };
        for feature in dataset.roots() {
            walk.visit(feature);
        }
        for path in &self.required {
            if dataset.get(path).is_none() {
                walk.found.entry(path.clone()).or_default().push(text::missing_column());
            }
        }
        let severities = &self.options.severities;
        let finding = |(path, reasons): (Path, Vec<Reason>)| {
            (path, Finding { severity: severities.of_all(&reasons), reasons })
        };
        let of_dataset = dataset::judge(self.index.schema(), &dataset, &controls);
        Validation {
            features: walk.found.into_iter().map(finding).collect(),
            // TFDV's overrides do not reach them.
            dataset: (!of_dataset.is_empty())
                .then_some(Finding { severity: Severity::Error, reasons: of_dataset }),
            data_missing: false,
            noise: BTreeMap::new(),
            drift_skew: walk.drift_skew.into_values().collect(),
        }
    }
}

/// Adds the paths of all features that examples must have.
///
/// A required feature in a struct is required also where the struct is not.
fn add_required(
    schema: &Schema,
    parent: &Path,
    features: &[Feature],
    environment: Option<&str>,
    required: &mut Vec<Path>,
) {
    for feature in features {
        let path = parent.child(feature.name());
        if is_required(schema, feature, environment) {
            required.push(path.clone());
        }
        if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info
            && !feature.is_retired()
        {
            add_required(schema, &path, &domain.feature, environment, required);
        }
    }
}

struct Walk<'w> {
    validator: &'w Validator<'w>,
    controls: &'w Controls<'w>,
    found: BTreeMap<Path, Vec<Reason>>,
    drift_skew: BTreeMap<Path, DriftSkewInfo>,
}

impl<'w> Walk<'w> {
    fn visit(&mut self, view: FeatureView<'w, 'w>) {
        let path = view.path();
        let index = &self.validator.index;
        match judge(index, view, self.validator.options.environment.as_deref(), self.controls) {
            None => self.add_new(view),
            Some(Judged::Retired) => {}
            Some(Judged::Composite { reasons, .. }) => self.add(path, reasons),
            Some(Judged::Feature(subject)) => {
                let subject = *subject;
                if !subject.drift.is_empty() || !subject.skew.is_empty() {
                    let info = self.drift_skew.entry(path.clone()).or_default();
                    info.path = Some(path.clone());
                    info.drift_measurements = subject.drift;
                    info.skew_measurements = subject.skew;
                }
                let is_given_up = !subject.reasons.is_empty() && subject.feature.is_retired();
                self.add(path, subject.reasons);
                if !is_given_up {
                    view.children().for_each(|child| self.visit(child));
                }
            }
        }
    }

    fn add(&mut self, path: &Path, reasons: Vec<Reason>) {
        if !reasons.is_empty() {
            self.found.entry(path.clone()).or_default().extend(reasons);
        }
    }

    /// A feature that the schema does not know; the fields of a new struct count with it.
    fn add_new(&mut self, view: FeatureView<'w, 'w>) {
        let needed = self.validator.options.features_needed.as_ref();
        if needed.is_none_or(|needed| needed.contains(view.path())) {
            self.add(view.path(), vec![text::new_column()]);
        }
    }
}

/// What the schema says of a feature of the statistics.
pub(super) enum Judged<'a> {
    /// Nothing: it is not to be validated.
    Retired,
    /// It is a sparse or a weighted feature.
    Composite {
        reasons: Vec<Reason>,
        /// True for a weighted feature.
        is_weighted: bool,
        /// True if a feature has its name, too.
        collides: bool,
    },
    /// It is a feature, with what the checks found.
    Feature(Box<Subject<'a>>),
}

/// Judges one feature; none if the schema does not know it.
pub(super) fn judge<'a>(
    index: &'a SchemaIndex<'a>,
    view: FeatureView<'a, 'a>,
    environment: Option<&'a str>,
    controls: &'a Controls<'a>,
) -> Option<Judged<'a>> {
    let path = view.path();
    let feature = index.feature(path);
    let sparse = index.sparse_feature(path);
    let weighted = index.weighted_feature(path);
    let is_retired = match (feature, sparse) {
        (Some(feature), _) => feature.is_retired(),
        (None, Some(sparse)) => sparse.is_retired(),
        (None, None) => false,
    };
    if is_retired {
        return Some(Judged::Retired);
    }
    if let Some(weighted) = weighted {
        let collides = (feature.is_some() || sparse.is_some()) && !weighted.is_retired();
        let reasons = if collides {
            vec![anomalies_of_sets::weighted_name_collision()]
        } else {
            composite::judge_weighted(view)
        };
        return Some(Judged::Composite { reasons, is_weighted: true, collides });
    }
    if sparse.is_some_and(|sparse| !sparse.is_retired()) {
        // A retired feature of the name was left out above.
        let collides = feature.is_some();
        let reasons = if collides {
            vec![anomalies_of_sets::sparse_name_collision()]
        } else {
            composite::judge_sparse(view)
        };
        return Some(Judged::Composite { reasons, is_weighted: false, collides });
    }
    let mut subject = Subject {
        feature: Cow::Borrowed(feature?),
        view,
        index,
        environment,
        controls,
        changed_domain: None,
        reasons: Vec::new(),
        drift: Vec::new(),
        skew: Vec::new(),
    };
    check(&mut subject);
    Some(Judged::Feature(Box::new(subject)))
}
