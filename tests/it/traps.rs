//! Places where the peer's answers depend on how data were cut, as `ops/src/stats/traps.md` lists them.

use std::path::PathBuf;

use ops::stats::{SliceSpec, StatsOptions};
use ops::tfmd::feature_name_statistics::Stats;
use ops::tfmd::{FeatureNameStatistics, NumericStatistics};

use crate::support::Job;

/// Runs over one CSV text, in batches of one row and of many, which must agree.
struct Text {
    _directory: tempfile::TempDir,
    job: Job,
}

impl Text {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        Text { _directory: directory, job: Job::new(&[path]) }
    }

    /// The features of every slice.
    fn features(&mut self) -> Vec<Vec<FeatureNameStatistics>> {
        let many = self.job.bytes();
        self.job.run.batch_rows = 1;
        assert!(self.job.bytes() == many, "batches of one row");
        let datasets = self.job.run().unwrap().0.datasets;
        datasets.into_iter().map(|dataset| dataset.features).collect()
    }
}

fn numbers(feature: &FeatureNameStatistics) -> &NumericStatistics {
    match &feature.stats {
        Some(Stats::NumStats(numbers)) => numbers,
        other => panic!("{other:?}"),
    }
}

#[test]
fn means_with_infinite_values_depend_on_no_order() {
    let check = |text: &str, expected: f64| {
        let features = Text::new(text).features();
        let found = numbers(&features[0][0]);
        assert_eq!((found.mean.to_bits(), found.std_dev), (expected.to_bits(), 0.0), "{text:?}");
    };
    check("x\ninf\n1.5\n2\n", f64::INFINITY);
    check("x\n1.5\n-inf\n2\n", f64::NEG_INFINITY);
    check("x\n-inf\n1.5\ninf\n", f64::NAN);
    check("x\ninf\n1.5\n-inf\n", f64::NAN);
}

#[test]
fn a_feature_of_nan_has_empty_histograms() {
    let features = Text::new("x\nnan\nnan\n").features();
    let found = numbers(&features[0][0]);
    assert_eq!(found.histograms.len(), 2);
    for histogram in &found.histograms {
        assert_eq!((histogram.num_nan, histogram.buckets.len()), (2, 0));
    }
    assert_eq!((found.mean, found.min, found.max), (0.0, 0.0, 0.0));
}

#[test]
fn weights_lose_no_digits() {
    let n = 5_000;
    let mut text = Text::new(&format!("w\n{}", "0.1\n".repeat(n)));
    text.job.stats.weight_feature = Some("w".into());
    let found = text.job.run().unwrap().0.datasets[0].weighted_num_examples;
    // What one weight of 32 bits is, so many times; single floats would be off in the fifth digit.
    assert_eq!(found, f64::from(0.1_f32) * n as f64);
}

#[test]
fn a_missing_weight_is_an_error() {
    let mut text = Text::new("w,x\n1,2\n,3\n");
    text.job.stats.weight_feature = Some("w".into());
    let error = text.job.run().unwrap_err();
    assert!(error.message().starts_with("weight feature `w` "), "{error}");
}

#[test]
fn every_slice_lists_every_feature() {
    let mut text = Text::new("s,x\na,1\nb,\na,2\n");
    let slices = vec![SliceSpec { features: vec![("s".into(), vec![])] }];
    text.job.stats = StatsOptions { slices, ..StatsOptions::default() };
    let slices = text.features();
    assert_eq!(slices.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
    let common = |feature: &FeatureNameStatistics| numbers(feature).common_stats.clone().unwrap();
    let (a, b) = (common(&slices[1][1]), common(&slices[2][1]));
    assert_eq!((a.num_non_missing, a.num_missing), (2, 0));
    assert_eq!((b.num_non_missing, b.num_missing), (0, 1));
}
