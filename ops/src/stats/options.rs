//! `StatsOptions`: what to compute, with TFDV's names and defaults.

use std::sync::Arc;

use crate::stats::custom::CustomGenerators;
use crate::stats::path::FeaturePath;
use crate::tfmd::Schema;

/// What `generate_statistics` computes. Names and defaults are those of TFDV's `StatsOptions`.
#[derive(Clone, Debug)]
pub struct StatsOptions {
    /// Picks categorical numbers, bytes, sparse, weighted and natural-language features.
    pub schema: Option<Arc<Schema>>,
    /// Only these top-level columns, if given.
    pub feature_allowlist: Option<Vec<String>>,
    /// Numeric column whose one value per example weights everything.
    pub weight_feature: Option<String>,
    /// Weight columns of single features, looked up by exact path before `weight_feature`.
    pub per_feature_weight_override: Vec<(FeaturePath, String)>,
    /// Slices to compute beside "All Examples".
    pub slices: Vec<SliceSpec>,
    /// Switches on lift against every categorical feature.
    pub label_feature: Option<String>,
    /// Boundaries that turn a numeric label into buckets for lift.
    pub label_boundaries: Vec<f64>,
    /// Values in at most this many examples (or of at most this weight) have no lift; 0 is no limit.
    pub lift_min_x_count: u64,
    /// For each value of the label only so many values of the greatest lift, if given.
    pub lift_top_k_per_y: Option<usize>,
    /// For each value of the label only so many values of the least lift, if given.
    pub lift_bottom_k_per_y: Option<usize>,
    /// Share of rows to look at, in (0, 1]; rows are chosen by a hash of their place.
    pub sample_rate: Option<f64>,
    /// Length of `top_values`.
    pub num_top_values: usize,
    /// Least count of a value in `top_values` and the rank histogram.
    pub frequency_threshold: u64,
    /// The same for weighted counts.
    pub weighted_frequency_threshold: f64,
    /// Length of the rank histogram.
    pub num_rank_histogram_buckets: usize,
    /// Quantile buckets of the number of values per example.
    pub num_values_histogram_buckets: usize,
    /// Equal-width buckets.
    pub num_histogram_buckets: usize,
    /// Quantile buckets.
    pub num_quantiles_histogram_buckets: usize,
    /// Rank error of every quantile, as a share of the number of values.
    pub epsilon: f64,
    /// Images, times and natural language are recognised.
    pub enable_semantic_domain_stats: bool,
    /// Vocabularies of natural-language features: (name, lines in order).
    pub vocabularies: Vec<(String, Arc<Vec<Vec<u8>>>)>,
    /// Top values and uniques from sketches instead of exactly (`--approximate`).
    pub use_sketch_based_topk_uniques: bool,
    /// Mutual information with the label feature.
    pub mutual_information: bool,
    /// Covariance and correlation of these pairs of numeric features, or of all with `Some([])`.
    pub cross_features: Option<Vec<(String, String)>>,
    /// Generators of the user's own, beside those of the tables.
    pub generators: CustomGenerators,
}

impl Default for StatsOptions {
    fn default() -> Self {
        StatsOptions {
            schema: None,
            feature_allowlist: None,
            weight_feature: None,
            per_feature_weight_override: Vec::new(),
            slices: Vec::new(),
            label_feature: None,
            label_boundaries: Vec::new(),
            lift_min_x_count: 0,
            lift_top_k_per_y: None,
            lift_bottom_k_per_y: None,
            sample_rate: None,
            num_top_values: 20,
            frequency_threshold: 1,
            weighted_frequency_threshold: 1.0,
            num_rank_histogram_buckets: 1000,
            num_values_histogram_buckets: 10,
            num_histogram_buckets: 10,
            num_quantiles_histogram_buckets: 10,
            epsilon: 0.01,
            enable_semantic_domain_stats: false,
            vocabularies: Vec::new(),
            use_sketch_based_topk_uniques: false,
            mutual_information: false,
            cross_features: None,
            generators: CustomGenerators::default(),
        }
    }
}

/// One slicing: the cross of the values of some features (TFDV's `SlicingSpec`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceSpec {
    /// Features, each with the values to keep; no values means every value that occurs.
    pub features: Vec<(String, Vec<String>)>,
}

impl StatsOptions {
    /// True when any feature is weighted.
    pub fn is_weighted(&self) -> bool {
        self.weight_feature.is_some() || !self.per_feature_weight_override.is_empty()
    }

    /// What the schema says of a feature, if anything.
    pub fn schema_feature(&self, path: &FeaturePath) -> Option<&crate::tfmd::Feature> {
        let mut features = &self.schema.as_ref()?.feature;
        let (last, parents) = path.steps().split_last()?;
        for step in parents {
            let feature = features.iter().find(|f| f.name.as_deref() == Some(step))?;
            match &feature.domain_info {
                Some(crate::tfmd::feature::DomainInfo::StructDomain(domain)) => {
                    features = &domain.feature;
                }
                _ => return None,
            }
        }
        features.iter().find(|f| f.name.as_deref() == Some(last))
    }
}
