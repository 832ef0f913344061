//! What is wrong with a schema that can be told without data.
//!
//! Each row of [`CHECKS`] looks at the whole schema for one kind of mistake: what validation would
//! report of any data, what can never be true or never be violated, and what nobody looks at.

mod constraints;
mod domains;
mod names;
mod unchecked;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{Feature, Path, Schema, text};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is as it is: worth knowing.
    Note,
    /// Probably not what was meant.
    Warning,
    /// Validation reports it of any data, or it cannot be read as it is written.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One kind of mistake.
pub struct Check {
    /// What findings are called, for people and programs.
    pub code: &'static str,
    /// How bad such a finding is.
    pub severity: Severity,
    /// One line for a list.
    pub doc: &'static str,
    find: fn(&Checked<'_>, &mut Found<'_>),
}

/// Every kind of mistake, the worst first.
pub static CHECKS: &[Check] = &[
    names::FEATURE_WITHOUT_NAME,
    names::FEATURE_WITHOUT_TYPE,
    names::DUPLICATE_FEATURE,
    names::DUPLICATE_DOMAIN,
    names::MISSING_COLUMN,
    domains::DANGLING_DOMAIN,
    domains::DOMAIN_TYPE,
    domains::DOMAIN_UNSUPPORTED,
    domains::EQUAL_BOOL_VALUES,
    constraints::FRACTION_OUT_OF_RANGE,
    constraints::NEGATIVE_COUNT,
    constraints::MIN_ABOVE_MAX,
    constraints::SHAPE_DIM,
    constraints::DISTRIBUTION_WITHOUT_DOMAIN,
    constraints::UNIQUE_WITHOUT_MAX,
    constraints::UNIQUE_NOT_COUNTED,
    constraints::DERIVED_LIFECYCLE,
    domains::DUPLICATE_VALUE,
    domains::EMPTY_DOMAIN,
    domains::UNUSED_DOMAIN,
    constraints::SHAPE_NEEDS_PRESENCE,
    constraints::NEVER_FIRES,
    constraints::ALWAYS_FIRES,
    constraints::MAX_EXAMPLES_WITHOUT_MIN,
    names::UNKNOWN_ENVIRONMENT,
    unchecked::NOT_CHECKED,
];

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of mistake: the code of a row of [`CHECKS`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The feature, domain or other thing that has it: `trip.fare`.
    pub path: String,
    /// The field at fault, down from the whole schema: `feature[3].presence.min_fraction`.
    pub field: String,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What to do, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Line and column of the field, if the schema was read from text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<(usize, usize)>,
}

/// Finds everything that is wrong with a schema, in the order of the schema, the worst first where
/// several things are wrong with one field.
///
/// # Examples
///
/// ```
/// use ops::schema::check;
/// use ops::tfmd::{Schema, text};
///
/// let (schema, places) = text::parse_with_places::<Schema>(
///     "feature {\n  name: 'state'\n  type: BYTES\n  domain: 'stats'\n}\n\
///      string_domain { name: 'states' value: 'ny' }",
/// )?;
/// let found = check(&schema, Some(&places));
/// assert_eq!((found[0].code, found[0].place), ("dangling_domain", Some((4, 3))));
/// assert_eq!(found[0].hint.as_deref(), Some("Did you mean `states`?"));
/// assert_eq!(found[1].code, "unused_domain");
/// # Ok::<(), engine::Error>(())
/// ```
pub fn check(schema: &Schema, places: Option<&text::Places>) -> Vec<Finding> {
    let checked = Checked::new(schema);
    let mut findings = Vec::new();
    for check in CHECKS {
        (check.find)(&checked, &mut Found { check, findings: &mut findings });
    }
    for finding in &mut findings {
        finding.place = places.and_then(|places| places.of(&finding.field));
    }
    let order: BTreeMap<&str, usize> = checked.order();
    // Stable: what is wrong with one thing stays in the order of the checks.
    findings.sort_by_cached_key(|finding| {
        let top = finding.field.split('.').next().unwrap_or_default();
        let place = order.get(top).copied().unwrap_or(usize::MAX);
        let place_in_text = finding.place.unwrap_or((usize::MAX, 0));
        (place_in_text, place, std::cmp::Reverse(finding.severity))
    });
    findings
}

/// A feature, where it is called so and where it stands in the message.
struct Place<'a> {
    path: Path,
    field: String,
    feature: &'a Feature,
}

/// A schema and its features, those in structs included.
struct Checked<'a> {
    schema: &'a Schema,
    features: Vec<Place<'a>>,
    /// Those that validation looks at: not retired, and not in what is.
    live: Vec<bool>,
}

impl<'a> Checked<'a> {
    fn new(schema: &'a Schema) -> Self {
        let mut checked = Checked { schema, features: Vec::new(), live: Vec::new() };
        checked.add(&schema.feature, &Path::default(), "", true);
        checked
    }

    fn add(&mut self, features: &'a [Feature], parent: &Path, field: &str, is_live: bool) {
        for (i, feature) in features.iter().enumerate() {
            let (path, field) = (parent.child(feature.name()), format!("{field}feature[{i}]"));
            let is_live = is_live && !feature.is_retired();
            self.live.push(is_live);
            self.features.push(Place { path: path.clone(), field: field.clone(), feature });
            if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info {
                self.add(&domain.feature, &path, &format!("{field}.struct_domain."), is_live);
            }
        }
    }

    /// The features that validation looks at.
    fn live(&self) -> impl Iterator<Item = &Place<'a>> {
        self.features.iter().zip(&self.live).filter(|(_, live)| **live).map(|(place, _)| place)
    }

    /// The place of each thing of the schema itself, in the order of the schema.
    fn order(&self) -> BTreeMap<&str, usize> {
        let top = self.features.iter().map(|place| place.field.as_str());
        top.filter(|field| !field.contains('.')).zip(0..).collect()
    }
}

/// Takes down what one check finds.
struct Found<'f> {
    check: &'static Check,
    findings: &'f mut Vec<Finding>,
}

impl Found<'_> {
    fn add(
        &mut self,
        path: impl std::fmt::Display,
        field: impl Into<String>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.findings.push(Finding {
            code: self.check.code,
            severity: self.check.severity,
            path: super::describe::plain(&path.to_string()),
            field: field.into(),
            message: super::describe::plain(&message.into()),
            hint: hint.map(|hint| super::describe::plain(&hint)),
            place: None,
        });
    }

    /// Something about a field of a feature.
    fn of(&mut self, place: &Place<'_>, field: &str, message: impl Into<String>, hint: &str) {
        let dot = if field.is_empty() { "" } else { "." };
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.add(&place.path, format!("{}{dot}{field}", place.field), message, hint);
    }
}

#[cfg(test)]
mod tests;
