//! Distances of whole statistics, against those that TFDV wrote down for the same files.

use std::path::Path;

use ops::drift::{Values, infinity_norm, jensen_shannon, normalized_abs_difference};
use ops::tfmd::drift_skew_info::Measurement;
use ops::tfmd::drift_skew_info::measurement::Type;
use ops::tfmd::histogram::HistogramType;
use ops::tfmd::{
    self, DatasetFeatureStatistics, FeatureComparator, FeatureNameStatistics, histogram_selection,
};

use crate::support::shared;

/// Every measurement of TFDV's drift and skew cases, to the last few digits.
#[test]
fn golden_distances() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("golden/tfdv/anomalies");
    let mut n = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let case = entry.unwrap().path();
        let Ok(anomalies) = std::fs::read(case.join("anomalies.pbtxt")) else { continue };
        let anomalies = tfmd::load_anomalies(&anomalies).unwrap();
        if anomalies.drift_skew_info.is_empty() {
            continue;
        }
        let schema = tfmd::load_schema(&std::fs::read(case.join("schema.pbtxt")).unwrap()).unwrap();
        let current = statistics(&case.join("stats.pb")).unwrap();
        for info in &anomalies.drift_skew_info {
            let path = info.path.as_ref().unwrap();
            let feature = schema.feature_at(path).unwrap();
            for (measurements, comparator, control) in [
                (&info.drift_measurements, &feature.drift_comparator, "previous.pb"),
                (&info.skew_measurements, &feature.skew_comparator, "serving.pb"),
            ] {
                for measurement in measurements {
                    let control = statistics(&case.join(control)).unwrap();
                    let comparator = comparator.as_ref().unwrap();
                    let pair = (feature_at(&current, path), feature_at(&control, path));
                    let found = measure(measurement, comparator, pair);
                    let expected = measurement.value();
                    assert!(
                        (found - expected).abs() <= 1e-12,
                        "{} {path}: {found} is not {expected}",
                        case.display()
                    );
                    n += 1;
                }
            }
        }
    }
    assert!(n > 20, "only {n} measurements");
}

fn measure(
    measurement: &Measurement,
    comparator: &FeatureComparator,
    (current, control): (&FeatureNameStatistics, &FeatureNameStatistics),
) -> f64 {
    let source = comparator.jensen_shannon_divergence.as_ref().and_then(|js| js.source.as_ref());
    let kind = match source.map(|source| source.r#type()) {
        Some(histogram_selection::Type::Quantiles) => HistogramType::Quantiles,
        _ => HistogramType::Standard,
    };
    let (x, y) = (Values::of(current, false, kind), Values::of(control, false, kind));
    match measurement.r#type() {
        Type::LInfty => infinity_norm(&x.labels, &y.labels).value,
        Type::NormalizedAbsoluteDifference => normalized_abs_difference(&x.labels, &y.labels).value,
        Type::JensenShannonDivergence => jensen_shannon(&x, &y).unwrap(),
        Type::Unknown => panic!("{measurement:?}"),
    }
}

fn statistics(path: &Path) -> Option<DatasetFeatureStatistics> {
    let statistics = tfmd::load_statistics(&std::fs::read(path).ok()?).unwrap();
    statistics.datasets.into_iter().next()
}

fn feature_at<'a>(
    statistics: &'a DatasetFeatureStatistics,
    path: &tfmd::Path,
) -> &'a FeatureNameStatistics {
    statistics.features.iter().find(|feature| feature.path_or_name() == *path).unwrap()
}
