//! The real TFDV's statistics, made on the shared data by version 1.16.1, against ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::synthetic::FileFormat;
use ops::stats::{SliceSpec, StatsOptions};
use ops::tfmd::{DatasetFeatureStatisticsList, json, load_schema, load_statistics};
use serde_json::Value;

use crate::compare::{EXACT, Tolerance, differences};
use crate::support::{Job, shared};

/// One golden: its data, the options it was made with, and which differences are meant.
struct Golden {
    /// Folder and file below `golden/tfdv`.
    file: &'static str,
    /// Files below `data`.
    data: &'static str,
    options: fn(&Path) -> StatsOptions,
    /// Differences that are meant: (part of the place, why).
    meant: &'static [(&'static str, &'static str)],
}

fn plain(_: &Path) -> StatsOptions {
    StatsOptions::default()
}

fn with_schema(folder: &Path, file: &str) -> StatsOptions {
    let bytes = std::fs::read(folder.join(file)).unwrap();
    StatsOptions { schema: Some(Arc::new(load_schema(&bytes).unwrap())), ..Default::default() }
}

fn fewer_buckets(_: &Path) -> StatsOptions {
    StatsOptions {
        epsilon: 0.001,
        num_histogram_buckets: 5,
        num_quantiles_histogram_buckets: 4,
        num_rank_histogram_buckets: 50,
        num_top_values: 5,
        num_values_histogram_buckets: 3,
        ..Default::default()
    }
}

fn semantic(_: &Path) -> StatsOptions {
    StatsOptions { enable_semantic_domain_stats: true, ..Default::default() }
}

fn slice(features: &[(&str, &[&str])]) -> SliceSpec {
    let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
    SliceSpec { features: features.iter().map(|(f, v)| ((*f).to_owned(), owned(v))).collect() }
}

const ALL_VALUES: (&str, &str) = (
    "natural_language_match_rate",
    "the peer looks at the first 100 values of each of its batches, Frazil at all values",
);

const GOLDENS: &[Golden] = &[
    Golden { file: "cola/stats", data: "text/cola_train.csv", options: plain, meant: &[] },
    Golden {
        file: "cola/stats_semantic",
        data: "text/cola_train.csv",
        options: semantic,
        meant: &[],
    },
    Golden { file: "mrpc/stats", data: "text/mrpc_train.csv", options: plain, meant: &[] },
    Golden {
        file: "mrpc/stats_semantic",
        data: "text/mrpc_train.csv",
        options: semantic,
        meant: &[],
    },
    Golden {
        file: "mrpc/stats_freq2",
        data: "text/mrpc_train.csv",
        options: |_| StatsOptions { frequency_threshold: 2, ..Default::default() },
        meant: &[],
    },
    Golden { file: "penguin/stats", data: "penguin/penguin_train*.gz", options: plain, meant: &[] },
    Golden {
        file: "penguin/stats_opts",
        data: "penguin/penguin_train*.gz",
        options: fewer_buckets,
        meant: &[],
    },
    Golden {
        file: "penguin/stats_with_schema",
        data: "penguin/penguin_train*.gz",
        options: |folder| with_schema(folder, "schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "penguin/stats_weighted",
        data: "penguin/penguin_train*.gz",
        options: |_| StatsOptions {
            weight_feature: Some("body_mass_g".into()),
            ..Default::default()
        },
        meant: &[],
    },
    Golden {
        file: "penguin_csv/stats",
        data: "penguin/penguins_labelled.csv",
        options: plain,
        meant: &[],
    },
    Golden { file: "sequence/stats", data: "sequence/*.gz", options: plain, meant: &[] },
    Golden {
        file: "sequence/stats_with_schema",
        data: "sequence/*.gz",
        options: |folder| with_schema(folder, "schema.pbtxt"),
        meant: &[],
    },
    Golden { file: "empty_file/stats", data: "corrupt/empty.tfrecord", options: plain, meant: &[] },
    Golden { file: "edge/stats", data: "edge/edge-*.tfrecord", options: plain, meant: &[] },
    Golden {
        file: "edge/stats_opts",
        data: "edge/edge-*.tfrecord",
        options: fewer_buckets,
        meant: &[],
    },
    Golden {
        file: "edge/stats_semantic",
        data: "edge/edge-*.tfrecord",
        options: semantic,
        meant: &[],
    },
    Golden {
        file: "edge/stats_with_schema",
        data: "edge/edge-*.tfrecord",
        options: |folder| with_schema(folder, "schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "edge/stats_sketch",
        data: "edge/edge-*.tfrecord",
        options: |_| StatsOptions { use_sketch_based_topk_uniques: true, ..Default::default() },
        meant: &[],
    },
    Golden {
        file: "edge/stats_weighted",
        data: "edge/edge-*.tfrecord",
        options: |_| StatsOptions { weight_feature: Some("weight".into()), ..Default::default() },
        meant: &[],
    },
    Golden {
        file: "edge/stats_bytes",
        data: "edge/edge-*.tfrecord",
        options: |folder| with_schema(folder, "stats_bytes.schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "edge/stats_sparse",
        data: "edge/edge-*.tfrecord",
        options: |folder| with_schema(folder, "stats_sparse.schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "edge/stats_sliced",
        data: "edge/edge-*.tfrecord",
        options: |_| StatsOptions { slices: vec![slice(&[("label", &[])])], ..Default::default() },
        meant: &[],
    },
    Golden { file: "edge_csv/stats", data: "edge/edge.csv", options: plain, meant: &[] },
    Golden { file: "taxi_csv/stats", data: "taxi/taxi.csv", options: plain, meant: &[] },
    Golden {
        file: "taxi_csv/stats_with_schema",
        data: "taxi/taxi.csv",
        options: |folder| with_schema(folder, "schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "taxi_csv/stats_sliced_company",
        data: "taxi/taxi.csv",
        options: |_| StatsOptions {
            slices: vec![slice(&[("payment_type", &["Cash"])])],
            ..Default::default()
        },
        meant: &[],
    },
    Golden {
        file: "taxi_parquet/stats",
        data: "taxi/parquet/*.parquet",
        options: plain,
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats",
        data: "taxi/tfrecord_gz/*.gz",
        options: plain,
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_allowlist",
        data: "taxi/tfrecord/*",
        options: |_| StatsOptions {
            feature_allowlist: Some(["fare", "company", "tips"].map(str::to_owned).to_vec()),
            ..Default::default()
        },
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_categorical_int",
        data: "taxi/tfrecord/*",
        options: |folder| with_schema(folder, "stats_categorical_int.schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_freq100",
        data: "taxi/tfrecord/*",
        options: |_| StatsOptions { frequency_threshold: 100, ..Default::default() },
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_opts",
        data: "taxi/tfrecord/*",
        options: fewer_buckets,
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_semantic",
        data: "taxi/tfrecord/*",
        options: semantic,
        meant: &[ALL_VALUES],
    },
    Golden {
        file: "taxi_tfrecord/stats_sketch",
        data: "taxi/tfrecord/*",
        options: |_| StatsOptions { use_sketch_based_topk_uniques: true, ..Default::default() },
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_weighted",
        data: "taxi/tfrecord/*",
        options: |_| StatsOptions {
            weight_feature: Some("trip_start_month".into()),
            ..Default::default()
        },
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_with_schema",
        data: "taxi/tfrecord/*",
        options: |folder| with_schema(folder, "schema.pbtxt"),
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_sliced_payment",
        data: "taxi/tfrecord/*",
        options: |_| StatsOptions {
            slices: vec![slice(&[("payment_type", &[])])],
            ..Default::default()
        },
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_sliced_two",
        data: "taxi/tfrecord/*",
        options: |_| StatsOptions {
            slices: vec![slice(&[
                ("trip_start_day", &["1", "7"]),
                ("payment_type", &["Cash", "Credit Card"]),
            ])],
            ..Default::default()
        },
        meant: &[],
    },
    Golden {
        file: "taxi_tfrecord/stats_lift",
        data: "taxi/tfrecord/*",
        options: |folder| StatsOptions {
            label_feature: Some("trip_start_day".into()),
            ..with_schema(folder, "stats_lift.schema.pbtxt")
        },
        meant: &[],
    },
    Golden {
        file: "nl_cola/stats",
        data: "bert/cola_tokens-*.tfrecord",
        options: plain,
        meant: &[],
    },
    Golden {
        file: "nl_cola/stats_nl",
        data: "bert/cola_tokens-*.tfrecord",
        options: |folder| {
            let vocabulary = std::fs::read(folder.join("../../../data/bert/vocab.txt")).unwrap();
            let lines = vocabulary.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            StatsOptions {
                vocabularies: vec![("bert_vocab".into(), Arc::new(lines))],
                ..with_schema(folder, "stats_nl.schema.pbtxt")
            }
        },
        meant: &[],
    },
];

/// As JSON, whose keys are the fields' own names.
fn to_json(statistics: &DatasetFeatureStatisticsList) -> Value {
    serde_json::from_str(&json::print(statistics, &json::JsonOptions::default())).unwrap()
}

/// Features with more distinct numbers than the peer holds exactly, from its `exact.json`.
fn approximate(folder: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(folder.join("exact.json")) else { return Vec::new() };
    // Python's spelling of what JSON cannot say.
    let text = text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null");
    let exact: Value = serde_json::from_str(&text).unwrap();
    let features = exact.get("features").unwrap_or(&exact);
    let Some(features) = features.as_object() else { return Vec::new() };
    features
        .iter()
        .filter(|(_, of)| {
            ["unique", "distinct", "num_distinct", "n_distinct"]
                .iter()
                .any(|key| of.get(*key).and_then(Value::as_u64).is_some_and(|n| n > EXACT))
        })
        .map(|(name, _)| name.clone())
        .collect()
}

fn files(shared: &Path, pattern: &str) -> Vec<PathBuf> {
    vec![shared.canonicalize().unwrap().join("data").join(pattern)]
}

/// The differences that are not meant.
fn check(shared: &Path, golden: &Golden) -> Result<Vec<String>, String> {
    let path = shared.join("golden/tfdv").join(format!("{}.pb", golden.file));
    let folder = path.parent().unwrap().to_owned();
    let theirs = load_statistics(&std::fs::read(&path).unwrap()).unwrap();
    let mut job = Job::new(&files(shared, golden.data));
    job.stats = (golden.options)(&folder);
    let ours = job.run().map_err(|error| error.to_string())?.0;
    let tolerance = Tolerance { approximate: approximate(&folder), epsilon: 0.02 };
    let mut found = differences(&to_json(&ours), &to_json(&theirs), &tolerance);
    found.retain(|place| !golden.meant.iter().any(|(part, _)| place.contains(part)));
    Ok(found)
}

#[test]
fn every_statistics_golden_of_the_peer_agrees() {
    let Some(shared) = shared() else { return };
    let only = std::env::var("GOLDEN").unwrap_or_default();
    let mut bad = Vec::new();
    for golden in GOLDENS.iter().filter(|golden| golden.file.contains(&only)) {
        match check(&shared, golden) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                let shown: Vec<_> = found.iter().take(12).map(|f| format!("    {f}")).collect();
                bad.push(format!(
                    "{}: {} differences\n{}",
                    golden.file,
                    found.len(),
                    shown.join("\n")
                ));
            }
            Err(error) => bad.push(format!("{}: {error}", golden.file)),
        }
    }
    assert!(bad.is_empty(), "{} of {} differ:\n{}", bad.len(), GOLDENS.len(), bad.join("\n"));
}

#[test]
fn no_statistics_golden_is_left_out() {
    let Some(shared) = shared() else { return };
    let mut left = Vec::new();
    for folder in std::fs::read_dir(shared.join("golden/tfdv")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.ends_with("anomalies") || !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let name = format!("{}/{stem}", folder.file_name().unwrap().to_str().unwrap());
            let is_statistics =
                file.extension().is_some_and(|e| e == "pb") && stem.starts_with("stats");
            if is_statistics && !GOLDENS.iter().any(|golden| golden.file == name) {
                left.push(name);
            }
        }
    }
    assert!(left.is_empty(), "not compared: {left:?}");
}

/// The real TFDV's statistics of Frazil's own synthetic data (`tests/golden/make.py`).
#[test]
fn every_golden_of_synthetic_data_agrees() {
    type Case = (&'static str, fn() -> StatsOptions);
    let cases: [Case; 3] = [
        ("synthetic", StatsOptions::default),
        ("synthetic_weighted", || StatsOptions {
            weight_feature: Some("trip_start_month".into()),
            ..Default::default()
        }),
        ("synthetic_semantic", || StatsOptions {
            enable_semantic_domain_stats: true,
            ..Default::default()
        }),
    ];
    let dir = tempfile::tempdir().unwrap();
    let files = crate::oracle::shards(dir.path(), FileFormat::TfRecord, 2_000, 2);
    for (name, options) in cases {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.pb"));
        let theirs = load_statistics(&std::fs::read(golden).unwrap()).unwrap();
        let job = Job { stats: options(), ..Job::new(&files) };
        let ours = job.run().unwrap().0;
        let tolerance = Tolerance { approximate: vec![], epsilon: 0.0 };
        let mut found = differences(&to_json(&ours), &to_json(&theirs), &tolerance);
        found.retain(|place| !place.contains(ALL_VALUES.0));
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}
