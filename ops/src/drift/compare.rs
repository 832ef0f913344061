//! Two datasets, feature by feature: what is measured, and which chances it has.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::judge::Compared;
use super::metric::Measured;
use super::pair::{Pair, Sample};
use super::probability::FalseDiscovery;
use super::{
    Comparison, DriftOptions, DriftReport, FeatureDrift, METRICS, Measurement, Metric, Verdict,
    chi_square, kolmogorov_smirnov, missing,
};
use crate::tfmd::{
    DatasetFeatureStatistics, DatasetView, Feature, FeatureComparator, FeatureView, Path,
    SchemaIndex,
};

/// Compares every feature of two datasets.
///
/// Each feature is asked two questions at most: are its values distributed as they were, and is it
/// missing as often as it was? The smaller p-value of the two, doubled, is the feature's, and these are
/// adjusted for the number of features. How far both sides are apart is measured besides, and must be
/// enough to matter for an alarm.
///
/// # Examples
///
/// ```
/// use ops::drift::{DriftOptions, DriftPolicy, Verdict, compare};
/// use ops::tfmd::load_statistics;
///
/// let of = |card: u64, cash: u64| {
///     let text = format!(
///         "datasets {{ num_examples: {n} features {{ path {{ step: 'payment' }} type: STRING string_stats {{
///              common_stats {{ num_non_missing: {n} tot_num_values: {n} }}
///              rank_histogram {{ buckets {{ label: 'card' sample_count: {card} }}
///                                buckets {{ label: 'cash' sample_count: {cash} }} }} }} }} }}",
///         n = card + cash,
///     );
///     load_statistics(text.as_bytes()).unwrap().datasets.remove(0)
/// };
/// let options = DriftOptions { policy: DriftPolicy::Significant, ..Default::default() };
/// let report = compare(&of(600, 400), &of(400, 600), &options);
/// assert_eq!(report.features[0].verdict, Verdict::Drifted);
/// // As far apart, but so are samples of one distribution.
/// let report = compare(&of(6, 4), &of(4, 6), &options);
/// assert_eq!(report.features[0].verdict, Verdict::Noise);
/// ```
pub fn compare(
    current: &DatasetFeatureStatistics,
    control: &DatasetFeatureStatistics,
    options: &DriftOptions<'_>,
) -> DriftReport {
    let examples = (current.num_examples, control.num_examples);
    let current = DatasetView::new(current);
    let control = DatasetView::by_weight_if(control, current.is_by_weight());
    let mut paths: BTreeMap<Path, (Option<FeatureView<'_, '_>>, Option<FeatureView<'_, '_>>)> =
        BTreeMap::new();
    for view in current.features() {
        paths.entry(view.path().clone()).or_default().0 = Some(view);
    }
    for view in control.features() {
        paths.entry(view.path().clone()).or_default().1 = Some(view);
    }
    let index = options.schema.map(SchemaIndex::new);
    let mut features = Vec::with_capacity(paths.len());
    for (path, views) in paths {
        let feature = index.as_ref().and_then(|index| index.feature(&path));
        if !feature.is_some_and(Feature::is_retired) {
            let comparator = feature.and_then(|feature| match options.comparison {
                Comparison::Drift => feature.drift_comparator.as_ref(),
                Comparison::Skew => feature.skew_comparator.as_ref(),
            });
            features.push(measure(&path, views, examples, comparator, options));
        }
    }
    let adjustment = FalseDiscovery::new(features.iter().filter_map(|f| f.drift.p).collect());
    DriftReport {
        policy: options.policy,
        comparison: options.comparison,
        alpha: options.alpha,
        current_examples: examples.0,
        control_examples: examples.1,
        features: features.into_iter().map(|f| f.judged(&adjustment, options)).collect(),
    }
}

/// All that is measured of one feature, without verdicts yet.
fn measure(
    path: &Path,
    (current, control): (Option<FeatureView<'_, '_>>, Option<FeatureView<'_, '_>>),
    examples: (u64, u64),
    comparator: Option<&FeatureComparator>,
    options: &DriftOptions<'_>,
) -> Compared {
    let path = path.to_string();
    let is_new = control.is_none();
    let pair = Pair::new(
        Sample::of(current, examples.0),
        Sample::of(control, examples.1),
        comparator,
        options,
        xxh3_64(path.as_bytes()) ^ options.seed,
    );
    let measurements: Vec<Measurement> = METRICS
        .iter()
        .filter_map(|metric| {
            let threshold = comparator.and_then(metric.threshold);
            let applies = metric.kinds.contains(&pair.kind) || threshold.is_some();
            let measured = if applies { (metric.measure)(&pair, options) } else { None };
            measured.map(|measured| measurement(metric, threshold, measured))
        })
        .collect();
    let p = |metric: &Metric| measurements.iter().find(|m| m.metric == metric.name)?.p;
    let distribution =
        p(&kolmogorov_smirnov::METRIC).or(p(&chi_square::METRIC)).filter(|_| pair.is_comparable());
    // Where nothing is missing on either side there is no question.
    let is_missing = pair.current.missing + pair.control.missing > 0.0;
    let absence = p(&missing::METRIC).filter(|_| is_missing && !is_new);
    let questions = [distribution, absence];
    let n = questions.iter().flatten().count() as f64;
    let least = questions.into_iter().flatten().reduce(f64::min);
    Compared {
        questions: n,
        distribution,
        absence,
        alpha: pair.alpha,
        has_comparator: METRICS.iter().any(|m| comparator.and_then(m.threshold).is_some()),
        is_comparable: pair.is_comparable(),
        is_mixed: pair.is_mixed(),
        is_new,
        is_empty: pair.current.present + pair.control.present == 0.0,
        drift: FeatureDrift {
            path,
            kind: pair.kind,
            current_size: pair.current.size,
            control_size: pair.control.size,
            p: least.map(|p| (p * n).min(1.0)),
            q: None,
            verdict: Verdict::Stable,
            why: String::new(),
            measurements,
        },
    }
}

fn measurement(metric: &Metric, threshold: Option<f64>, measured: Measured) -> Measurement {
    Measurement {
        metric: metric.name,
        value: measured.value,
        threshold,
        in_schema: threshold.is_some(),
        noise_floor: measured.noise.map(|noise| noise.floor),
        p: measured.noise.map(|noise| noise.p),
        q: None,
        verdict: Verdict::Stable,
        contributors: measured.contributors,
    }
}
