//! What a check looks at: a feature of the schema and its statistics.

use std::borrow::Cow;

use super::reason::Reason;
use crate::tfmd::drift_skew_info::Measurement;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{
    DatasetView, Feature, FeatureView, LifecycleStage, Schema, SchemaIndex, StringDomain,
};

/// What data are compared with, besides the schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Controls<'a> {
    pub(super) previous_span: Option<DatasetView<'a>>,
    pub(super) serving: Option<DatasetView<'a>>,
    pub(super) previous_version: Option<DatasetView<'a>>,
}

/// A feature of the schema, its statistics, and what was found out so far.
///
/// A check reads [`Subject::feature`] and reports reasons, each with the change of the schema that
/// would make the data valid. Later checks see that change. Features of valid data are not copied.
pub(super) struct Subject<'a> {
    pub(super) feature: Cow<'a, Feature>,
    pub(super) view: FeatureView<'a, 'a>,
    pub(super) index: &'a SchemaIndex<'a>,
    pub(super) environment: Option<&'a str>,
    pub(super) controls: &'a Controls<'a>,
    /// The schema's string domain that the feature names, if it was changed; `None` if it is to go.
    pub(super) changed_domain: Option<(String, Option<StringDomain>)>,
    pub(super) reasons: Vec<Reason>,
    pub(super) drift: Vec<Measurement>,
    pub(super) skew: Vec<Measurement>,
}

impl Subject<'_> {
    /// Reports a reason, and how the feature would have to change.
    pub(super) fn report(&mut self, reason: Reason, fix: impl FnOnce(&mut Feature)) {
        self.reasons.push(reason);
        fix(self.feature.to_mut());
    }

    /// True if examples must have the feature, here and in this environment.
    pub(super) fn is_required(&self) -> bool {
        is_required(self.index.schema(), &self.feature, self.environment)
    }

    /// True if the feature belongs to the environment of the data.
    pub(super) fn is_in_environment(&self) -> bool {
        is_in_environment(self.index.schema(), &self.feature, self.environment)
    }
}

/// True if a feature belongs to an environment; without one it does.
pub(super) fn is_in_environment(
    schema: &Schema,
    feature: &Feature,
    environment: Option<&str>,
) -> bool {
    let Some(environment) = environment else { return true };
    let has = |list: &[String]| list.iter().any(|name| name == environment);
    has(&feature.in_environment)
        || (!has(&feature.not_in_environment) && has(&schema.default_environment))
}

/// True if examples must have a feature.
pub(super) fn is_required(schema: &Schema, feature: &Feature, environment: Option<&str>) -> bool {
    let is_optional =
        feature.presence().is_none_or(|p| p.min_count() <= 0 && p.min_fraction() <= 0.0);
    !feature.is_retired() && !is_optional && is_in_environment(schema, feature, environment)
}

/// Marks what is not to be validated any more.
pub(super) fn retire(feature: &mut Feature) {
    feature.lifecycle_stage = Some(LifecycleStage::Deprecated.into());
}

/// The name of the field that holds a domain.
pub(super) fn name_of_domain(domain: &DomainInfo) -> &'static str {
    match domain {
        DomainInfo::Domain(_) => "domain",
        DomainInfo::IntDomain(_) => "int_domain",
        DomainInfo::FloatDomain(_) => "float_domain",
        DomainInfo::StringDomain(_) => "string_domain",
        DomainInfo::BoolDomain(_) => "bool_domain",
        DomainInfo::StructDomain(_) => "struct_domain",
        DomainInfo::NaturalLanguageDomain(_) => "natural_language_domain",
        DomainInfo::ImageDomain(_) => "image_domain",
        DomainInfo::MidDomain(_) => "mid_domain",
        DomainInfo::UrlDomain(_) => "url_domain",
        DomainInfo::TimeDomain(_) => "time_domain",
        DomainInfo::TimeOfDayDomain(_) => "time_of_day_domain",
    }
}
