//! What a schema says that no check looks at, so that nobody takes silence for consent.

use serde::Serialize;

use super::ControlStatistics;
use super::subject::name_of_domain;
use crate::tfmd::feature::{DomainInfo, PresenceConstraints};
use crate::tfmd::feature_name_statistics::Type as DataType;
use crate::tfmd::{
    DatasetFeatureStatistics, DatasetView, Feature, FeatureComparator, FeatureView, Path, Schema,
};

/// A part of a schema that was not checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unchecked {
    /// Which feature, by path; empty for the schema as a whole.
    pub path: String,
    /// The field of the schema.
    pub rule: &'static str,
    /// Why it was not checked, as a sentence.
    pub why: String,
    /// Whether some of the values were checked.
    pub is_partly: bool,
}

/// What a validation of a dataset does not look at, or not wholly.
pub fn unchecked(
    schema: &Schema,
    statistics: &DatasetFeatureStatistics,
    controls: ControlStatistics<'_>,
) -> Vec<Unchecked> {
    let dataset = DatasetView::new(statistics);
    let mut found = Collected::default();
    of_schema(schema, controls, &mut found);
    of_features(&Path::default(), &schema.feature, &dataset, controls, &mut found);
    found.0
}

#[derive(Default)]
struct Collected(Vec<Unchecked>);

impl Collected {
    fn add(&mut self, path: &Path, rule: &'static str, why: impl Into<String>) {
        let path = path.to_string();
        self.0.push(Unchecked { path, rule, why: why.into(), is_partly: false });
    }
}

fn of_schema(schema: &Schema, controls: ControlStatistics<'_>, found: &mut Collected) {
    let path = Path::default();
    let no_feature = "No feature can name a domain of numbers in the schema.";
    if !schema.int_domain.is_empty() {
        found.add(&path, "int_domain", no_feature);
    }
    if !schema.float_domain.is_empty() {
        found.add(&path, "float_domain", no_feature);
    }
    let constraints = schema.dataset_constraints.unwrap_or_default();
    if constraints.num_examples_drift_comparator.is_some() && controls.previous_span.is_none() {
        let rule = "dataset_constraints.num_examples_drift_comparator";
        found.add(&path, rule, "There are no statistics of the previous span.");
    }
    if constraints.num_examples_version_comparator.is_some() && controls.previous_version.is_none()
    {
        let rule = "dataset_constraints.num_examples_version_comparator";
        found.add(&path, rule, "There are no statistics of the previous version.");
    }
    for sparse in schema.sparse_feature.iter().filter(|sparse| !sparse.is_retired()) {
        let path = Path::new([sparse.name()]);
        let silent = "Statistics of sparse features do not tell it.";
        if sparse.is_sorted.is_some() {
            found.add(&path, "sparse_feature.is_sorted", silent);
        }
        if sparse.dense_shape.is_some() {
            found.add(&path, "sparse_feature.dense_shape", silent);
        }
        if sparse.presence.is_some() {
            found.add(&path, "sparse_feature.presence", silent);
        }
    }
}

fn of_features(
    parent: &Path,
    features: &[Feature],
    dataset: &DatasetView<'_>,
    controls: ControlStatistics<'_>,
    found: &mut Collected,
) {
    for feature in features.iter().filter(|feature| !feature.is_retired()) {
        let path = parent.child(feature.name());
        let view = dataset.get(&path);
        if matches!(feature.presence_constraints, Some(PresenceConstraints::GroupPresence(_))) {
            let why = "Statistics do not tell which features occur together.";
            found.add(&path, "group_presence", why);
        }
        of_comparator(
            &path,
            feature.drift_comparator,
            view,
            found,
            &Compared {
                rule: "drift_comparator",
                of_labels: "drift_comparator.infinity_norm",
                control: controls.previous_span,
                missing: "There are no statistics of the previous span.",
            },
        );
        of_comparator(
            &path,
            feature.skew_comparator,
            view,
            found,
            &Compared {
                rule: "skew_comparator",
                of_labels: "skew_comparator.infinity_norm",
                control: controls.serving,
                missing: "There are no statistics of what serving saw.",
            },
        );
        if let Some(domain) = &feature.domain_info {
            of_domain(&path, domain, view, found);
            if let DomainInfo::StructDomain(domain) = domain {
                of_features(&path, &domain.feature, dataset, controls, found);
            }
        }
    }
}

struct Compared<'a> {
    rule: &'static str,
    of_labels: &'static str,
    control: Option<&'a DatasetFeatureStatistics>,
    missing: &'static str,
}

fn of_comparator(
    path: &Path,
    comparator: Option<FeatureComparator>,
    view: Option<FeatureView<'_, '_>>,
    found: &mut Collected,
    compared: &Compared<'_>,
) {
    let Some(comparator) = comparator else { return };
    if compared.control.is_none() {
        found.add(path, compared.rule, compared.missing);
    } else if comparator.infinity_norm.is_some() && view.is_some_and(|view| view.string().is_none())
    {
        let why = "L-infinity compares labels; of numbers it is always 0. Use \
                   jensen_shannon_divergence.";
        found.add(path, compared.of_labels, why);
    }
}

fn of_domain(
    path: &Path,
    domain: &DomainInfo,
    view: Option<FeatureView<'_, '_>>,
    found: &mut Collected,
) {
    let rule = name_of_domain(domain);
    match domain {
        DomainInfo::MidDomain(_)
        | DomainInfo::UrlDomain(_)
        | DomainInfo::TimeDomain(_)
        | DomainInfo::TimeOfDayDomain(_) => {
            found.add(path, rule, "The form of the values is not looked at.");
        }
        DomainInfo::ImageDomain(image) => {
            let Some(view) = view else { return };
            if image.minimum_supported_image_fraction.is_some()
                && view.custom_stat("image_format_histogram").is_none()
            {
                let rule = "image_domain.minimum_supported_image_fraction";
                let why = "The statistics do not count formats; `--semantic-domains` does.";
                found.add(path, rule, why);
            }
            if image.max_image_byte_size.is_some() && view.bytes().is_none() {
                let rule = "image_domain.max_image_byte_size";
                found.add(path, rule, "The statistics were made without this schema.");
            }
        }
        DomainInfo::Domain(_)
        | DomainInfo::StringDomain(_)
        | DomainInfo::BoolDomain(_)
        | DomainInfo::IntDomain(_)
        | DomainInfo::FloatDomain(_) => {
            let Some(view) = view.filter(|view| view.data_type() != DataType::Bytes) else {
                return;
            };
            let listed = view.rank_histogram().map_or(0, |histogram| histogram.buckets.len());
            if let Some(unique) = view.num_unique().filter(|&unique| unique > listed as u64) {
                let why = format!(
                    "The statistics list {listed} of {unique} distinct values, the most frequent; \
                     the others were not looked at. `--num-rank-histogram-buckets` lists more."
                );
                found.0.push(Unchecked { path: path.to_string(), rule, why, is_partly: true });
            }
        }
        DomainInfo::NaturalLanguageDomain(language) => {
            let has_statistics = view.is_some_and(|v| v.custom_stat("nl_statistics").is_some());
            if language.sequence_length_constraints.is_some() && !has_statistics {
                let rule = "natural_language_domain.sequence_length_constraints";
                found.add(path, rule, "The statistics were made without this schema.");
            }
        }
        DomainInfo::StructDomain(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfmd::text::parse;

    fn check(schema: &str, features: &str, expected: &[(&str, &str)]) {
        let schema: Schema = parse(schema).unwrap();
        let statistics: DatasetFeatureStatistics =
            parse(&format!("num_examples: 1 {features}")).unwrap();
        let found = unchecked(&schema, &statistics, ControlStatistics::default());
        let found: Vec<_> = found.iter().map(|u| (u.path.as_str(), u.rule)).collect();
        assert_eq!(found, expected, "{schema:?}");
    }

    #[test]
    fn what_nobody_checks() {
        check("", "", &[]);
        check("feature { name: 'a' group_presence {} }", "", &[("a", "group_presence")]);
        check("feature { name: 'a' url_domain {} }", "", &[("a", "url_domain")]);
        check("feature { name: 'a' deprecated: true url_domain {} }", "", &[]);
        check(
            "feature { name: 'a' drift_comparator { infinity_norm { threshold: 1 } } }",
            "",
            &[("a", "drift_comparator")],
        );
        check(
            "int_domain { name: 'x' } float_domain { name: 'y' }",
            "",
            &[("", "int_domain"), ("", "float_domain")],
        );
        check(
            "feature { name: 'a' string_domain { value: 'x' } }",
            "features { path { step: 'a' } type: STRING string_stats { unique: 2
               rank_histogram { buckets { label: 'x' } } } }",
            &[("a", "string_domain")],
        );
    }
}
