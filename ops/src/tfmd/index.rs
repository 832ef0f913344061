//! A schema's features and domains by path and name, found at once.

use std::borrow::Cow;
use std::cell::OnceCell;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::feature::DomainInfo;
use super::{Feature, Path, Schema, SparseFeature, StringDomain, WeightedFeature};

type Map<K, V> = HashMap<K, V, FixedState>;

/// The values of a string domain.
pub(crate) type Values = HashSet<String, FixedState>;

/// A schema, found by path. Of two features of one path the first counts.
#[derive(Debug)]
pub(crate) struct SchemaIndex<'a> {
    schema: &'a Schema,
    features: Map<Path, &'a Feature>,
    sparse: Map<Path, &'a SparseFeature>,
    weighted: Map<Path, &'a WeightedFeature>,
    domains: Map<&'a str, (Cow<'a, StringDomain>, OnceCell<Values>)>,
}

impl<'a> SchemaIndex<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        let mut index = SchemaIndex {
            schema,
            features: Map::default(),
            sparse: Map::default(),
            weighted: Map::default(),
            domains: Map::default(),
        };
        index.add(&Path::default(), &schema.feature, &schema.sparse_feature);
        for weighted in &schema.weighted_feature {
            index.weighted.entry(Path::new([weighted.name()])).or_insert(weighted);
        }
        for domain in &schema.string_domain {
            let entry = || (Cow::Borrowed(domain), OnceCell::new());
            index.domains.entry(domain.name()).or_insert_with(entry);
        }
        index
    }

    fn add(&mut self, parent: &Path, features: &'a [Feature], sparse: &'a [SparseFeature]) {
        for sparse in sparse {
            self.sparse.entry(parent.child(sparse.name())).or_insert(sparse);
        }
        for feature in features {
            let path = parent.child(feature.name());
            if self.features.contains_key(&path) {
                continue;
            }
            if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info {
                self.add(&path, &domain.feature, &domain.sparse_feature);
            }
            self.features.insert(path, feature);
        }
    }

    pub(crate) fn schema(&self) -> &'a Schema {
        self.schema
    }

    pub(crate) fn feature(&self, path: &Path) -> Option<&'a Feature> {
        self.features.get(path).copied()
    }

    pub(crate) fn sparse_feature(&self, path: &Path) -> Option<&'a SparseFeature> {
        self.sparse.get(path).copied()
    }

    pub(crate) fn weighted_feature(&self, path: &Path) -> Option<&'a WeightedFeature> {
        self.weighted.get(path).copied()
    }

    pub(crate) fn string_domain(&self, name: &str) -> Option<&StringDomain> {
        self.domains.get(name).map(|(domain, _)| domain.as_ref())
    }

    /// The values of one of the schema's string domains.
    pub(crate) fn values(&self, name: &str) -> Option<&Values> {
        let (domain, values) = self.domains.get(name)?;
        Some(values.get_or_init(|| domain.value.iter().cloned().collect()))
    }

    /// Puts another string domain in the place of one of the schema's, or removes it.
    pub(crate) fn replace_domain(&mut self, name: &str, domain: Option<StringDomain>) {
        match (domain, self.domains.get_mut(name)) {
            (Some(domain), Some(entry)) => *entry = (Cow::Owned(domain), OnceCell::new()),
            _ => {
                self.domains.remove(name);
            }
        }
    }
}
