//! Drift and skew: distances to the statistics of another span or of serving.

use std::ops::ControlFlow;

use super::anomalies_of_sets as text;
use super::anomalies_of_sets::Compared;
use super::reason::Reason;
use super::subject::Subject;
use crate::drift::{Values, infinity_norm, jensen_shannon, normalized_abs_difference};
use crate::tfmd::anomaly_info::Type;
use crate::tfmd::drift_skew_info::{Measurement, measurement};
use crate::tfmd::histogram::HistogramType;
use crate::tfmd::{DatasetView, Feature, FeatureComparator, FeatureView, histogram_selection};

/// One of the two comparators that a feature may have.
struct Comparison {
    compared: Compared,
    /// The rules' names, for the three distances and for control data that are not there.
    rules: [&'static str; 4],
    of: fn(&mut Feature) -> &mut Option<FeatureComparator>,
}

const DRIFT: Comparison = Comparison {
    compared: text::DRIFT,
    rules: [
        "drift_comparator.infinity_norm.threshold",
        "drift_comparator.normalized_abs_difference.threshold",
        "drift_comparator.jensen_shannon_divergence.threshold",
        "drift_comparator",
    ],
    of: |feature| &mut feature.drift_comparator,
};

const SKEW: Comparison = Comparison {
    compared: text::SKEW,
    rules: [
        "skew_comparator.infinity_norm.threshold",
        "skew_comparator.normalized_abs_difference.threshold",
        "skew_comparator.jensen_shannon_divergence.threshold",
        "skew_comparator",
    ],
    of: |feature| &mut feature.skew_comparator,
};

/// Distances to the previous span.
pub(super) fn check_drift(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let control = subject.controls.previous_span.as_ref();
    let comparator = subject.feature.drift_comparator;
    subject.drift = compare(subject, &DRIFT, comparator, control);
    ControlFlow::Continue(())
}

/// Distances to what serving saw.
pub(super) fn check_skew(subject: &mut Subject<'_>) -> ControlFlow<()> {
    let control = subject.controls.serving.as_ref();
    let comparator = subject.feature.skew_comparator;
    subject.skew = compare(subject, &SKEW, comparator, control);
    ControlFlow::Continue(())
}

fn compare(
    subject: &mut Subject<'_>,
    comparison: &Comparison,
    comparator: Option<FeatureComparator>,
    control: Option<&DatasetView<'_>>,
) -> Vec<Measurement> {
    let mut measurements = Vec::new();
    let (Some(comparator), Some(control)) = (comparator, control) else { return measurements };
    let linf = comparator.infinity_norm.and_then(|c| c.threshold);
    let difference = comparator.normalized_abs_difference.and_then(|c| c.threshold);
    let divergence = comparator.jensen_shannon_divergence.and_then(|c| c.threshold);
    if linf.or(difference).or(divergence).is_none() {
        return measurements;
    }
    let edit = |feature: &mut Feature, change: &dyn Fn(&mut FeatureComparator)| {
        if let Some(comparator) = (comparison.of)(feature) {
            change(comparator);
        }
    };
    let view = subject.view;
    let Some(control) = control.get(view.path()) else {
        let reason = text::control_data_missing(comparison.compared, comparison.rules[3]);
        subject.report(reason, |feature| (comparison.of)(feature).iter_mut().for_each(clear));
        return measurements;
    };
    let mut measured = |kind: measurement::Type, value: f64, threshold: f64| -> bool {
        measurements.push(Measurement {
            r#type: Some(kind.into()),
            value: Some(value),
            threshold: Some(threshold),
        });
        value > threshold
    };
    let high = |kind, name, rule: usize, distance: (f64, f64), label: Option<&str>| -> Reason {
        text::high_distance(
            kind,
            name,
            comparison.compared,
            comparison.rules[rule],
            distance,
            label,
        )
    };
    let kind = source_of(&comparator);
    let (current, control) = (values(view, kind), values(control, kind));
    if let Some(threshold) = linf {
        let distance = infinity_norm(&current.labels, &control.labels);
        let value = distance.value;
        if measured(measurement::Type::LInfty, value, threshold) {
            let label = Some(distance.label.as_deref().unwrap_or_default());
            let kind = Type::ComparatorLInftyHigh;
            let reason = high(kind, "Linfty distance", 0, (value, threshold), label);
            subject.report(reason, |feature| {
                edit(feature, &|c| set(&mut c.infinity_norm, |c| c.threshold = Some(value)));
            });
        }
    }
    if let Some(threshold) = difference {
        let distance = normalized_abs_difference(&current.labels, &control.labels);
        let value = distance.value;
        if measured(measurement::Type::NormalizedAbsoluteDifference, value, threshold) {
            let label = Some(distance.label.as_deref().unwrap_or_default());
            let kind = Type::ComparatorNormalizedAbsoluteDifferenceHigh;
            let name = "normalized absolute difference";
            let reason = high(kind, name, 1, (value, threshold), label);
            subject.report(reason, |feature| {
                edit(feature, &|c| {
                    set(&mut c.normalized_abs_difference, |c| c.threshold = Some(value));
                });
            });
        }
    }
    if let Some(threshold) = divergence
        && let Some(value) = jensen_shannon(&current, &control)
        && measured(measurement::Type::JensenShannonDivergence, value, threshold)
    {
        let kind = Type::ComparatorJensenShannonDivergenceHigh;
        let name = "approximate Jensen-Shannon divergence";
        let reason = high(kind, name, 2, (value, threshold), None);
        subject.report(reason, |feature| {
            edit(feature, &|c| {
                set(&mut c.jensen_shannon_divergence, |c| c.threshold = Some(value));
            });
        });
    }
    measurements
}

fn set<C>(comparator: &mut Option<C>, change: impl FnOnce(&mut C)) {
    if let Some(comparator) = comparator {
        change(comparator);
    }
}

/// Leaves no threshold: there is nothing to compare with.
fn clear(comparator: &mut FeatureComparator) {
    set(&mut comparator.infinity_norm, |c| c.threshold = None);
    set(&mut comparator.normalized_abs_difference, |c| c.threshold = None);
    set(&mut comparator.jensen_shannon_divergence, |c| c.threshold = None);
}

/// Which histogram of numbers a comparator looks at.
fn source_of(comparator: &FeatureComparator) -> HistogramType {
    let source = comparator.jensen_shannon_divergence.and_then(|c| c.source);
    match source.map(|source| source.r#type()) {
        Some(histogram_selection::Type::Quantiles) => HistogramType::Quantiles,
        _ => HistogramType::Standard,
    }
}

fn values<'a>(view: FeatureView<'_, 'a>, kind: HistogramType) -> Values<'a> {
    Values { labels: view.labels(), histogram: view.histogram(kind) }
}
