//! Drift and skew: distances to the statistics of another span or of serving.

use std::ops::ControlFlow;

use super::anomalies_of_sets as text;
use super::anomalies_of_sets::Compared;
use super::subject::Subject;
use crate::drift::{Values, infinity_norm, jensen_shannon, normalized_abs_difference};
use crate::tfmd::anomaly_info::Type;
use crate::tfmd::drift_skew_info::{Measurement, measurement};
use crate::tfmd::{DatasetView, Feature, FeatureComparator};

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

/// A distance that a comparator may bound.
struct Distance {
    kind: Type,
    name: &'static str,
    measured: measurement::Type,
    threshold: fn(&mut FeatureComparator) -> Option<&mut Option<f64>>,
    /// The distance, and the label that is furthest apart where labels are asked for.
    of: fn(&Values<'_>, &Values<'_>) -> Option<(f64, Option<String>)>,
}

/// Every distance, in the order of a comparison's rules.
const DISTANCES: [Distance; 3] = [
    Distance {
        kind: Type::ComparatorLInftyHigh,
        name: "Linfty distance",
        measured: measurement::Type::LInfty,
        threshold: |comparator| comparator.infinity_norm.as_mut().map(|c| &mut c.threshold),
        of: |current, control| {
            let distance = infinity_norm(&current.labels, &control.labels);
            Some((distance.value, Some(distance.label.unwrap_or_default())))
        },
    },
    Distance {
        kind: Type::ComparatorNormalizedAbsoluteDifferenceHigh,
        name: "normalized absolute difference",
        measured: measurement::Type::NormalizedAbsoluteDifference,
        threshold: |comparator| {
            comparator.normalized_abs_difference.as_mut().map(|c| &mut c.threshold)
        },
        of: |current, control| {
            let distance = normalized_abs_difference(&current.labels, &control.labels);
            Some((distance.value, Some(distance.label.unwrap_or_default())))
        },
    },
    Distance {
        kind: Type::ComparatorJensenShannonDivergenceHigh,
        name: "approximate Jensen-Shannon divergence",
        measured: measurement::Type::JensenShannonDivergence,
        threshold: |comparator| {
            comparator.jensen_shannon_divergence.as_mut().map(|c| &mut c.threshold)
        },
        of: |current, control| jensen_shannon(current, control).map(|value| (value, None)),
    },
];

fn compare(
    subject: &mut Subject<'_>,
    comparison: &Comparison,
    comparator: Option<FeatureComparator>,
    control: Option<&DatasetView<'_>>,
) -> Vec<Measurement> {
    let mut measurements = Vec::new();
    let (Some(mut comparator), Some(control)) = (comparator, control) else { return measurements };
    let thresholds = DISTANCES.map(|d| (d.threshold)(&mut comparator).and_then(|t| *t));
    if thresholds.iter().all(Option::is_none) {
        return measurements;
    }
    let view = subject.view;
    let Some(control) = control.get(view.path()) else {
        let reason = text::control_data_missing(comparison.compared, comparison.rules[3]);
        // There is nothing to compare with, so no threshold is left.
        subject.report(reason, |feature| {
            DISTANCES.iter().for_each(|distance| comparison.set(feature, distance, None));
        });
        return measurements;
    };
    let kind = comparator.histogram_type();
    let (current, control) = (Values::of(view, kind), Values::of(control, kind));
    for ((distance, threshold), rule) in DISTANCES.iter().zip(thresholds).zip(comparison.rules) {
        let Some(threshold) = threshold else { continue };
        let Some((value, label)) = (distance.of)(&current, &control) else { continue };
        measurements.push(Measurement {
            r#type: Some(distance.measured.into()),
            value: Some(value),
            threshold: Some(threshold),
        });
        if value > threshold {
            let Distance { kind, name, .. } = *distance;
            let of = comparison.compared;
            let reason =
                text::high_distance(kind, name, of, rule, (value, threshold), label.as_deref());
            subject.report(reason, |feature| comparison.set(feature, distance, Some(value)));
        }
    }
    measurements
}

impl Comparison {
    /// Sets the threshold of a distance, where the feature has one.
    fn set(&self, feature: &mut Feature, distance: &Distance, threshold: Option<f64>) {
        let comparator = (self.of)(feature).as_mut();
        if let Some(found) = comparator.and_then(|comparator| (distance.threshold)(comparator)) {
            *found = threshold;
        }
    }
}
