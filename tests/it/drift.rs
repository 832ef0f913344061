//! Distances of whole statistics, against those that TFDV wrote down for the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ops::drift::{
    DriftOptions, DriftReport, Kind, METRICS, Values, Verdict, compare, infinity_norm,
    jensen_shannon, normalized_abs_difference,
};
use ops::tfmd::drift_skew_info::Measurement;
use ops::tfmd::drift_skew_info::measurement::Type;
use ops::tfmd::{self, DatasetFeatureStatistics, DatasetView, FeatureComparator};

use crate::calibration::everything;
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
                    let found = measure(measurement, comparator, (&current, &control), path);
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
    (current, control): (&DatasetFeatureStatistics, &DatasetFeatureStatistics),
    path: &tfmd::Path,
) -> f64 {
    let kind = comparator.histogram_type();
    let views = (DatasetView::new(current), DatasetView::new(control));
    let x = Values::of(views.0.get(path).unwrap(), kind);
    let y = Values::of(views.1.get(path).unwrap(), kind);
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

/// Distances of drawn statistics: 0 for the same, the same both ways round, and within their bounds.
#[test]
fn laws_of_distances() {
    let one_sided = ["population_stability_index", "chi_square", "g_test"];
    let bounded = [
        "infinity_norm",
        "jensen_shannon_divergence",
        "normalized_abs_difference",
        "total_variation",
        "kolmogorov_smirnov",
        "missing_change",
        "volume_change",
    ];
    let options = DriftOptions { thorough: true, simulations: 2, ..Default::default() };
    let statistics: Vec<_> = [(1, 90), (2, 80), (3, 1)].map(|(seed, n)| everything(seed, n)).into();
    for (i, a) in statistics.iter().enumerate() {
        for measurement in measurements(&compare(a, a, &options)) {
            assert!(measurement.value.abs() < 1e-9, "{measurement:?}");
            assert_eq!(measurement.verdict, Verdict::Stable, "{measurement:?}");
        }
        for b in &statistics[i + 1..] {
            let there = compare(a, b, &options);
            assert_eq!(there, compare(a, b, &options), "the same again");
            let back = compare(b, a, &options);
            for (x, y) in there.features.iter().zip(&back.features) {
                for (m, w) in x.measurements.iter().zip(&y.measurements) {
                    let (value, other) = (m.value, w.value);
                    assert_eq!(m.metric, w.metric);
                    assert!(value >= 0.0, "{} {value}", m.metric);
                    let is_one_sided = x.kind == Kind::Numbers && one_sided.contains(&m.metric);
                    let close = (value - other).abs() <= 1e-9 * value.abs().max(1.0);
                    assert!(close || is_one_sided, "{}: {} {value} {other}", x.path, m.metric);
                    assert!(value <= 1.0 + 1e-9 || !bounded.contains(&m.metric), "{m:?}");
                    let sum: f64 = m.contributors.iter().map(|c| c.share).sum();
                    assert!(sum <= 1.0 + 1e-9, "{m:?}");
                    assert!(m.p.is_none_or(|p| (0.0..=1.0).contains(&p)), "{m:?}");
                    assert!(m.noise_floor.is_none_or(|floor| floor >= 0.0), "{m:?}");
                }
            }
            serde_json::to_string(&there).unwrap();
        }
    }
    let seen: BTreeSet<&str> = measurements(&compare(&statistics[0], &statistics[1], &options))
        .map(|m| m.metric)
        .collect();
    assert_eq!(
        seen,
        METRICS.iter().map(|metric| metric.name).collect(),
        "every metric is measured"
    );
}

fn measurements(report: &DriftReport) -> impl Iterator<Item = &ops::drift::Measurement> {
    report.features.iter().flat_map(|feature| &feature.measurements)
}

/// What TFDV says of statistics with everything that can be odd about histograms: gaps, points,
/// infinities, NaN, empty buckets, bounds of both sides in common.
#[test]
fn odd_histograms_are_as_far_apart_as_in_tfdv() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/distances");
    let current = statistics(&folder.join("current.pb")).unwrap();
    let control = statistics(&folder.join("previous.pb")).unwrap();
    let schema = tfmd::load_schema(&std::fs::read(folder.join("schema.pb")).unwrap()).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_slice(&std::fs::read(folder.join("tfdv.json")).unwrap()).unwrap();
    let options = DriftOptions { schema: Some(&schema), ..Default::default() };
    let report = compare(&current, &control, &options);
    assert_eq!(report.features.len(), expected.len());
    for feature in &report.features {
        let found: BTreeMap<&str, f64> = feature
            .measurements
            .iter()
            .filter(|m| m.in_schema)
            .map(|m| {
                assert_eq!(m.verdict == Verdict::Drifted, m.value > 0.0, "{feature:?}");
                (m.metric, m.value)
            })
            .collect();
        let expected = &expected[&feature.path];
        assert_eq!(found.len(), expected.len(), "{}: {found:?} {expected:?}", feature.path);
        for (metric, value) in expected {
            let found = found[metric.as_str()];
            assert!((found - value).abs() < 1e-12, "{} {metric}: {found} {value}", feature.path);
        }
    }
}
