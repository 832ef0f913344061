//! The schema relaxed until the statistics agree with it.

use std::collections::{BTreeMap, BTreeSet};

use engine::Result;

use super::subject::{Controls, Subject, is_required, retire};
use super::walk::{Judged, judge};
use crate::schema::{InferOptions, create_column};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{
    DatasetFeatureStatistics, DatasetView, Feature, FeatureView, LifecycleStage, Path, Schema,
    SchemaIndex, SparseFeature, StringDomain,
};

/// How to update a schema.
#[derive(Clone, Copy, Debug)]
pub struct UpdateOptions {
    /// The most distinct strings that become the domain of a new feature.
    pub max_string_domain_size: usize,
}

impl Default for UpdateOptions {
    fn default() -> Self {
        UpdateOptions { max_string_domain_size: 100 }
    }
}

/// Relaxes a schema until a dataset's statistics agree with it; nothing is tightened.
///
/// New features are added, required ones that are gone are deprecated, domains and ranges grow,
/// fractions and counts fall, types that do not fit are deprecated: `update_schema` of TFDV.
///
/// # Errors
///
/// A new feature is nested too deeply for any schema.
pub fn update_schema(
    schema: &Schema,
    statistics: &DatasetFeatureStatistics,
    options: &UpdateOptions,
) -> Result<Schema> {
    let dataset = DatasetView::new(statistics);
    let mut changes = Changes::new(schema);
    for feature in dataset.roots() {
        changes.visit(feature);
    }
    changes.retire_missing(&Path::default(), &schema.feature, &dataset);
    let mut updated = schema.clone();
    changes.apply(&mut updated);
    let options = InferOptions {
        max_string_domain_size: options.max_string_domain_size,
        infer_feature_shape: false,
        ..InferOptions::default()
    };
    let new = changes.new;
    for path in &new {
        if let Some(feature) = dataset.get(path) {
            create_column(&mut updated, feature, &options)?;
        }
    }
    Ok(updated)
}

/// What has to change.
struct Changes<'s> {
    index: SchemaIndex<'s>,
    features: BTreeMap<Path, Feature>,
    /// String domains that grew, or that are to go.
    domains: BTreeMap<String, Option<StringDomain>>,
    retired_sparse: BTreeSet<Path>,
    retired_weighted: BTreeSet<Path>,
    /// New features, parents first.
    new: Vec<Path>,
}

impl<'s> Changes<'s> {
    fn new(schema: &'s Schema) -> Self {
        Changes {
            index: SchemaIndex::new(schema),
            features: BTreeMap::new(),
            domains: BTreeMap::new(),
            retired_sparse: BTreeSet::new(),
            retired_weighted: BTreeSet::new(),
            new: Vec::new(),
        }
    }

    fn visit(&mut self, view: FeatureView<'_, '_>) {
        let path = view.path().clone();
        let controls = Controls::default();
        let is_retired = match judge(&self.index, view, None, &controls) {
            None => return self.add_new(view),
            Some(Judged::Retired) => true,
            Some(Judged::Composite { reasons, is_weighted, collides }) => {
                if !reasons.is_empty() {
                    self.retire_composite(&path, is_weighted, collides);
                }
                return;
            }
            Some(Judged::Feature(subject)) => {
                let Subject { feature, changed_domain, .. } = *subject;
                let is_retired = feature.is_retired();
                let changed = match feature {
                    std::borrow::Cow::Owned(feature) => Some(feature),
                    std::borrow::Cow::Borrowed(_) => None,
                };
                if let Some(feature) = changed {
                    self.features.insert(path, feature);
                }
                if let Some((name, domain)) = changed_domain {
                    // Features that come later are judged by the domain as it is now.
                    self.index.replace_domain(&name, domain.clone());
                    self.domains.insert(name, domain);
                }
                is_retired
            }
        };
        if !is_retired {
            view.children().for_each(|child| self.visit(child));
        }
    }

    fn add_new(&mut self, view: FeatureView<'_, '_>) {
        self.new.push(view.path().clone());
        view.children().for_each(|child| self.visit(child));
    }

    fn retire_composite(&mut self, path: &Path, is_weighted: bool, collides: bool) {
        if is_weighted {
            self.retired_weighted.insert(path.clone());
        }
        if !is_weighted || collides {
            self.retired_sparse.insert(path.clone());
        }
        if collides && let Some(feature) = self.index.feature(path) {
            let mut feature = feature.clone();
            retire(&mut feature);
            self.features.insert(path.clone(), feature);
        }
    }

    fn retire_missing(&mut self, parent: &Path, features: &[Feature], dataset: &DatasetView<'_>) {
        for known in features {
            let path = parent.child(known.name());
            let feature = self.features.get(&path).unwrap_or(known);
            if let Some(DomainInfo::StructDomain(domain)) = &known.domain_info
                && !feature.is_retired()
            {
                self.retire_missing(&path, &domain.feature, dataset);
            }
            let feature = self.features.get(&path).unwrap_or(known);
            if is_required(self.index.schema(), feature, None) && dataset.get(&path).is_none() {
                let mut feature = feature.clone();
                retire(&mut feature);
                self.features.insert(path, feature);
            }
        }
    }

    fn apply(&mut self, schema: &mut Schema) {
        let gone: BTreeSet<&str> = self
            .domains
            .iter()
            .filter(|(_, domain)| domain.is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        apply_to_features(
            &Path::default(),
            &mut schema.feature,
            &mut self.features,
            &gone,
            &self.retired_sparse,
        );
        retire_sparse(&Path::default(), &mut schema.sparse_feature, &self.retired_sparse);
        for weighted in &mut schema.weighted_feature {
            if self.retired_weighted.contains(&Path::new([weighted.name()])) {
                weighted.set_lifecycle_stage(LifecycleStage::Deprecated);
            }
        }
        schema.string_domain.retain(|domain| !gone.contains(domain.name()));
        for domain in &mut schema.string_domain {
            // The first of a name is the one that features mean.
            if let Some(Some(changed)) = self.domains.get_mut(domain.name()).map(Option::take) {
                *domain = changed;
            }
        }
    }
}

fn apply_to_features(
    parent: &Path,
    features: &mut [Feature],
    changed: &mut BTreeMap<Path, Feature>,
    gone: &BTreeSet<&str>,
    retired_sparse: &BTreeSet<Path>,
) {
    for feature in features {
        let path = parent.child(feature.name());
        if let Some(new) = changed.remove(&path) {
            *feature = new;
        }
        if matches!(&feature.domain_info, Some(DomainInfo::Domain(name)) if gone.contains(name.as_str()))
        {
            feature.domain_info = None;
        }
        if let Some(DomainInfo::StructDomain(domain)) = &mut feature.domain_info {
            apply_to_features(&path, &mut domain.feature, changed, gone, retired_sparse);
            retire_sparse(&path, &mut domain.sparse_feature, retired_sparse);
        }
    }
}

fn retire_sparse(parent: &Path, sparse: &mut [SparseFeature], retired: &BTreeSet<Path>) {
    for sparse in sparse {
        if retired.contains(&parent.child(sparse.name())) {
            sparse.set_lifecycle_stage(LifecycleStage::Deprecated);
        }
    }
}
