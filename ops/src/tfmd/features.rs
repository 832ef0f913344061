//! Questions to schemas and statistics, answered as TFDV's `schema_util` answers them.

use std::collections::BTreeMap;

use engine::{Error, Result};

use super::feature::{DomainInfo, PresenceConstraints, ShapeType};
use super::feature_name_statistics::{FieldId, Stats};
use super::histogram::HistogramType;
use super::string_domain::Categorical;
use super::{
    CommonStatistics, CustomStatistic, Feature, FeatureComparator, FeatureNameStatistics,
    FeaturePresence, FeatureType, FixedShape, HistogramSelection, LifecycleStage, Path, Schema,
    SparseFeature, StringDomain, WeightedFeature, histogram_selection,
};

impl FeatureComparator {
    /// Which histogram of numbers the Jensen–Shannon divergence is taken of.
    pub fn histogram_type(&self) -> HistogramType {
        let source = self.jensen_shannon_divergence.as_ref().and_then(|c| c.source.as_ref());
        match source.map(HistogramSelection::r#type) {
            Some(histogram_selection::Type::Quantiles) => HistogramType::Quantiles,
            _ => HistogramType::Standard,
        }
    }
}

impl Feature {
    /// Whether its values are categories rather than quantities.
    ///
    /// Strings are; numbers are if their domain says so, is boolean or is natural language.
    pub fn is_categorical(&self) -> bool {
        match (self.r#type(), &self.domain_info) {
            (FeatureType::Bytes, _) => true,
            (FeatureType::Int, Some(DomainInfo::IntDomain(domain))) => domain.is_categorical(),
            (FeatureType::Int, Some(domain)) => {
                matches!(domain, DomainInfo::BoolDomain(_) | DomainInfo::NaturalLanguageDomain(_))
            }
            (FeatureType::Float, Some(DomainInfo::FloatDomain(domain))) => domain.is_categorical(),
            _ => false,
        }
    }

    /// Whether its values are opaque bytes: encoded images.
    pub fn is_bytes(&self) -> bool {
        matches!(self.domain_info, Some(DomainInfo::ImageDomain(_)))
    }

    /// Whether its stage of life keeps it from being validated.
    pub fn is_retired(&self) -> bool {
        is_retired(self.lifecycle_stage, self.deprecated)
    }

    /// How many examples must have it; none if that is not said, or said of a group.
    pub fn presence(&self) -> Option<&FeaturePresence> {
        match &self.presence_constraints {
            Some(PresenceConstraints::Presence(presence)) => Some(presence),
            _ => None,
        }
    }

    /// The fixed number of values along each dimension, if there is one.
    pub fn shape(&self) -> Option<&FixedShape> {
        match &self.shape_type {
            Some(ShapeType::Shape(shape)) => Some(shape),
            _ => None,
        }
    }

    /// The features of a struct; none if this is not one.
    pub fn fields(&self) -> &[Feature] {
        match &self.domain_info {
            Some(DomainInfo::StructDomain(domain)) if self.r#type() == FeatureType::Struct => {
                &domain.feature
            }
            _ => &[],
        }
    }
}

impl SparseFeature {
    /// Whether its stage of life keeps it from being validated.
    pub fn is_retired(&self) -> bool {
        is_retired(self.lifecycle_stage, self.deprecated)
    }
}

impl WeightedFeature {
    /// Whether its stage of life keeps it from being validated.
    pub fn is_retired(&self) -> bool {
        is_retired(self.lifecycle_stage, None)
    }
}

fn is_retired(stage: Option<i32>, deprecated: Option<bool>) -> bool {
    let stage = stage.and_then(|stage| LifecycleStage::try_from(stage).ok());
    deprecated.unwrap_or(false)
        || matches!(
            stage,
            Some(
                LifecycleStage::Planned
                    | LifecycleStage::Alpha
                    | LifecycleStage::Deprecated
                    | LifecycleStage::DebugOnly
                    | LifecycleStage::Disabled
            )
        )
}

impl Schema {
    /// The feature at a path, whose steps but the last must be structs.
    pub fn feature_at(&self, path: &Path) -> Option<&Feature> {
        let (last, parents) = path.step.split_last()?;
        let mut features = self.feature.as_slice();
        for step in parents {
            features = find(features, step)?.fields();
        }
        find(features, last)
    }

    /// All features that are not structs, with their paths, in the schema's order.
    pub fn leaf_features(&self) -> Vec<(Path, &Feature)> {
        let mut leaves = Vec::new();
        walk(&Path::default(), &self.feature, &mut |path, feature| {
            if feature.r#type() != FeatureType::Struct {
                leaves.push((path, feature));
            }
        });
        leaves
    }

    /// All sparse features, with the path of the struct they are in.
    pub fn sparse_features(&self) -> Vec<(Path, &SparseFeature)> {
        let top = self.sparse_feature.iter().map(|sparse| (Path::default(), sparse));
        let mut found: Vec<_> = top.collect();
        walk(&Path::default(), &self.feature, &mut |path, feature| {
            if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info {
                found.extend(domain.sparse_feature.iter().map(|sparse| (path.clone(), sparse)));
            }
        });
        found
    }

    /// The features whose values are opaque bytes.
    pub fn bytes_features(&self) -> Vec<Path> {
        let leaves = self.leaf_features().into_iter();
        leaves.filter(|(_, feature)| feature.is_bytes()).map(|(path, _)| path).collect()
    }

    /// The features whose numbers are categories, with their type.
    ///
    /// # Errors
    ///
    /// One path is in the schema twice, with different types.
    pub fn categorical_numbers(&self) -> Result<BTreeMap<Path, FeatureType>> {
        let mut found = BTreeMap::new();
        for (path, feature) in self.leaf_features() {
            let kind = feature.r#type();
            if found.get(&path).is_some_and(|known| *known != kind) {
                return Err(Error::input(format!("the schema gives `{path}` two types"))
                    .with_hint("Remove one of the two features of this name."));
            }
            if matches!(kind, FeatureType::Int | FeatureType::Float) && feature.is_categorical() {
                found.insert(path, kind);
            }
        }
        Ok(found)
    }

    /// What the domains of strings say about being categories, for every feature of strings.
    pub fn categorical_strings(&self) -> BTreeMap<Path, Categorical> {
        let mut found = BTreeMap::new();
        for (path, feature) in self.leaf_features() {
            let categorical = match &feature.domain_info {
                None if feature.r#type() != FeatureType::Bytes => continue,
                None => Categorical::Unspecified,
                Some(DomainInfo::Domain(_) | DomainInfo::StringDomain(_)) => {
                    match self.string_domain_of(feature) {
                        Some(domain) => domain.is_categorical(),
                        None => continue,
                    }
                }
                Some(_) => continue,
            };
            found.insert(path, categorical);
        }
        found
    }

    /// The set of strings a feature is limited to: its own, or the schema's one of that name.
    pub fn string_domain_of<'a>(&'a self, feature: &'a Feature) -> Option<&'a StringDomain> {
        match &feature.domain_info {
            Some(DomainInfo::StringDomain(domain)) => Some(domain),
            Some(DomainInfo::Domain(name)) => {
                self.string_domain.iter().find(|domain| domain.name() == name)
            }
            _ => None,
        }
    }
}

/// The first feature of a name.
fn find<'a>(features: &'a [Feature], name: &str) -> Option<&'a Feature> {
    features.iter().find(|feature| feature.name() == name)
}

/// Calls `visit` for every feature and then for those in it.
fn walk<'a>(parent: &Path, features: &'a [Feature], visit: &mut impl FnMut(Path, &'a Feature)) {
    for feature in features {
        let path = parent.child(feature.name());
        visit(path.clone(), feature);
        walk(&path, feature.fields(), visit);
    }
}

impl FeatureNameStatistics {
    /// The path, also where an old writer gave a name only.
    pub fn path_or_name(&self) -> Path {
        match &self.field_id {
            Some(FieldId::Path(path)) => path.clone(),
            Some(FieldId::Name(name)) => Path::new([name.as_str()]),
            None => Path::default(),
        }
    }

    /// Presence and number of values, which all kinds of statistics have.
    pub fn common_stats(&self) -> Option<&CommonStatistics> {
        match self.stats.as_ref()? {
            Stats::NumStats(stats) => stats.common_stats.as_ref(),
            Stats::StringStats(stats) => stats.common_stats.as_ref(),
            Stats::BytesStats(stats) => stats.common_stats.as_ref(),
            Stats::StructStats(stats) => stats.common_stats.as_ref(),
        }
    }

    /// The custom statistic of a name.
    pub fn custom_stat(&self, name: &str) -> Option<&CustomStatistic> {
        self.custom_stats.iter().find(|stat| stat.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::parse;
    use super::*;

    fn schema(text: &str) -> Schema {
        parse(text).unwrap()
    }

    #[test]
    fn categorical() {
        fn check(feature: &str, expected: bool) {
            let feature: Feature = parse(feature).unwrap();
            assert_eq!(feature.is_categorical(), expected, "{feature:?}");
        }
        check("type: BYTES", true);
        check("type: BYTES image_domain {}", true);
        check("type: INT", false);
        check("type: INT int_domain {}", false);
        check("type: INT int_domain { is_categorical: true }", true);
        check("type: INT bool_domain {}", true);
        check("type: INT natural_language_domain {}", true);
        check("type: INT time_domain {}", false);
        check("type: FLOAT bool_domain {}", false);
        check("type: FLOAT float_domain { is_categorical: true }", true);
        check("type: FLOAT int_domain { is_categorical: true }", false);
        check("int_domain { is_categorical: true }", false);
        check("type: STRUCT struct_domain {}", false);
    }

    #[test]
    fn retired() {
        fn check(feature: &str, expected: bool) {
            let feature: Feature = parse(feature).unwrap();
            assert_eq!(feature.is_retired(), expected, "{feature:?}");
        }
        check("", false);
        check("deprecated: true", true);
        for stage in ["PLANNED", "ALPHA", "DEPRECATED", "DEBUG_ONLY", "DISABLED"] {
            check(&format!("lifecycle_stage: {stage}"), true);
        }
        for stage in ["UNKNOWN_STAGE", "BETA", "PRODUCTION", "VALIDATION_DERIVED"] {
            check(&format!("lifecycle_stage: {stage}"), false);
        }
    }

    const NESTED: &str = "
        feature { name: 'a' type: INT bool_domain {} }
        feature { name: 's' type: STRUCT struct_domain {
          feature { name: 'a' type: BYTES image_domain {} }
          feature { name: 't' type: STRUCT struct_domain { feature { name: 'b' type: FLOAT } } }
          sparse_feature { name: 'inner' }
        } }
        feature { name: 'u' type: BYTES domain: 'words' }
        feature { name: 'v' type: BYTES string_domain { is_categorical: CATEGORICAL_NO } }
        feature { name: 'w' type: BYTES domain: 'nowhere' }
        feature { name: 'x' type: BYTES }
        feature { name: 'y' type: INT struct_domain { feature { name: 'b' } } }
        sparse_feature { name: 'outer' }
        string_domain { name: 'words' value: 'yes' is_categorical: CATEGORICAL_YES }";

    #[test]
    fn lookup() {
        let schema = schema(NESTED);
        let at = |path: &str| {
            let feature = schema.feature_at(&path.parse().unwrap());
            feature.map(Feature::r#type)
        };
        assert_eq!(at("a"), Some(FeatureType::Int));
        assert_eq!(at("s.a"), Some(FeatureType::Bytes));
        assert_eq!(at("s.t.b"), Some(FeatureType::Float));
        assert_eq!(at("s"), Some(FeatureType::Struct));
        assert_eq!(at("y.b"), None);
        assert_eq!(at("a.b"), None);
        assert_eq!(at("b"), None);
        assert_eq!(at(""), None);
    }

    #[test]
    fn listings() {
        let schema = schema(NESTED);
        let paths =
            |paths: Vec<Path>| -> Vec<String> { paths.iter().map(ToString::to_string).collect() };
        let leaves = schema.leaf_features().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths(leaves), ["a", "s.a", "s.t.b", "u", "v", "w", "x", "y"]);
        assert_eq!(paths(schema.bytes_features()), ["s.a"]);
        let sparse = schema.sparse_features();
        let sparse: Vec<_> = sparse.iter().map(|(p, s)| (p.to_string(), s.name())).collect();
        assert_eq!(sparse, [(String::new(), "outer"), ("s".to_owned(), "inner")]);
        assert_eq!(
            schema.categorical_numbers().unwrap(),
            BTreeMap::from([(Path::new(["a"]), FeatureType::Int)])
        );
        assert_eq!(
            schema.categorical_strings(),
            BTreeMap::from([
                (Path::new(["u"]), Categorical::Yes),
                (Path::new(["v"]), Categorical::No),
                (Path::new(["x"]), Categorical::Unspecified),
            ])
        );
        let words = schema.string_domain_of(schema.feature_at(&Path::new(["u"])).unwrap());
        assert_eq!(words.unwrap().value, ["yes"]);
    }

    #[test]
    fn two_types_of_one_feature() {
        let schema = schema(
            "feature { name: 'a' type: INT bool_domain {} } feature { name: 'a' type: FLOAT }",
        );
        let error = schema.categorical_numbers().unwrap_err();
        assert_eq!(error.message(), "the schema gives `a` two types");
    }

    #[test]
    fn names_of_statistics() {
        fn check(text: &str, expected: &str) {
            let stats: FeatureNameStatistics = parse(text).unwrap();
            assert_eq!(stats.path_or_name().to_string(), expected);
        }
        check("name: 'a.b'", "'a.b'");
        check("path { step: 'a' step: 'b' }", "a.b");
        check("", "");
    }
}
