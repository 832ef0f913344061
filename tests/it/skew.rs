//! Feature skew: TFDV's own results, any runner, and whole commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::synthetic::FileFormat;
use datasets::{ReadOptions, inputs};
use engine::{Flatten, Pipeline, Result, RunOptions};
use ops::skew::{Skew, SkewOptions, detect_feature_skew};
use ops::tfmd::{self, json};
use runners::Runner;
use serde_json::Value;

use crate::cli::Place;
use crate::oracle::shards;
use crate::support::workers;

/// One comparison.
struct Comparison {
    sides: [Vec<PathBuf>; 2],
    options: SkewOptions,
    run: RunOptions,
    runner: Runner,
}

impl Comparison {
    fn new(sides: [Vec<PathBuf>; 2], id: &str) -> Self {
        let options = SkewOptions {
            identifiers: vec![id.into()],
            single_floats: true,
            ..SkewOptions::default()
        };
        Comparison { sides, options, run: RunOptions::default(), runner: workers(2) }
    }

    fn run(&self) -> Result<Skew> {
        let open = |files: &Vec<PathBuf>| {
            let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            datasets::open(inputs::resolve(&files, None)?.files, None, &ReadOptions::default())
        };
        let sources = [open(&self.sides[0])?, open(&self.sides[1])?];
        let base_shards = sources[0].shards().len();
        let (pipeline, batches) = Pipeline::read(Arc::new(Flatten::new(sources.into())));
        let options = Arc::new(self.options.clone());
        let handle = detect_feature_skew(&batches, base_shards, options);
        let plan = pipeline.plan();
        handle.output(&mut self.runner.run(&plan, &self.run, plan.fingerprint("test"))?)
    }

    /// All that can be seen.
    fn seen(&self) -> (Vec<u8>, String) {
        let skew = self.run().unwrap();
        (tfmd::encode(&skew.results), format!("{:?} {:?}", skew.places, skew.types))
    }
}

#[test]
fn every_runner_finds_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let base = shards(&dir.path().join("base"), FileFormat::TfRecord, 2_000, 3);
    let test = shards(&dir.path().join("test"), FileFormat::Parquet, 1_500, 2);
    // `company` is shared by many: all pairs of many rows.
    for (id, allow_duplicates) in [("trip_id", false), ("company", true), ("company", false)] {
        let mut comparison = Comparison::new([base.clone(), test.clone()], id);
        comparison.options.allow_duplicates = allow_duplicates;
        comparison.options.sample = 7;
        comparison.options.confusion = vec!["payment_type".into()];
        comparison.options.float_digits = Some(2);
        comparison.runner = Runner::Direct;
        let expected = comparison.seen();
        for n in 1..=3 {
            comparison.runner = workers(n);
            comparison.run.batch_rows = [4096, 7, 1000][n - 1];
            assert!(comparison.seen() == expected, "{id}, {n} workers");
        }
        comparison.sides.iter_mut().for_each(|side| side.reverse());
        assert!(comparison.seen() == expected, "{id}, inputs in another order");
        comparison.run.memory_bytes = 1;
        assert!(comparison.seen() == expected, "{id}, everything is spilled");
    }
}

const CASES: [&str; 10] = [
    "plain",
    "two_ids",
    "a_list_as_id",
    "a_float_as_id",
    "ignored",
    "rounded",
    "rounded_away",
    "duplicates",
    "confusion",
    "confusion_duplicates",
];

fn case(name: &str) -> SkewOptions {
    let own = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let mut options = SkewOptions {
        identifiers: own(&["id"]),
        ignore: own(&["row"]),
        single_floats: true,
        sample: 100_000,
        ..SkewOptions::default()
    };
    match name {
        "two_ids" => options.identifiers = own(&["id", "day"]),
        "a_list_as_id" => options.identifiers = own(&["list"]),
        "a_float_as_id" => {
            options.identifiers = own(&["float"]);
            options.float_digits = Some(1);
        }
        "ignored" => options.ignore = own(&["row", "int", "float", "zero"]),
        "rounded" => options.float_digits = Some(2),
        "rounded_away" => options.float_digits = Some(0),
        "duplicates" => options.allow_duplicates = true,
        "confusion" => options.confusion = own(&["country", "day"]),
        "confusion_duplicates" => {
            options.confusion = own(&["country"]);
            options.allow_duplicates = true;
        }
        _ => {}
    }
    options
}

/// Features that are counted otherwise on purpose: zeros that differ in their sign alone, to which
/// rounding may lead, and a feature without a kind, which is none here.
fn otherwise(case: &str) -> &'static [&'static str] {
    match case {
        "rounded_away" => &["zero", "near_zero", "no_kind", "float"],
        _ => &["zero", "near_zero", "no_kind"],
    }
}

#[test]
fn the_peer_counts_the_same() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/skew");
    let sides = ["base", "test"].map(|side| vec![golden.join(format!("{side}.tfrecord"))]);
    for name in CASES {
        let text = std::fs::read_to_string(golden.join(format!("{name}.json"))).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let mut comparison = Comparison::new(sides.clone(), "id");
        comparison.options = case(name);
        let skew = comparison.run().unwrap();
        let found = json::print(&skew.results, &json::JsonOptions::default());
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found["match_stats"], expected["match_stats"], "{name}");
        let counts = |of: &Value| of["confusion_counts"].as_array().cloned().unwrap_or_default();
        assert_eq!(counts(&found), counts(&expected), "{name}");
        let features = |of: &Value| -> BTreeMap<String, Value> {
            let features = of["feature_skew"].as_array().cloned().unwrap_or_default();
            let named = |f: Value| (f["feature_name"].as_str().unwrap().to_owned(), f);
            features.into_iter().map(named).collect()
        };
        let (mut found, mut expected_features) = (features(&found), features(&expected));
        for &feature in otherwise(name) {
            let [found, expected] =
                [&mut found, &mut expected_features].map(|of| of.remove(feature));
            let number = |of: &Value, field: &str| -> u64 {
                of[field].as_str().map_or(0, |n| n.parse().unwrap())
            };
            let Some(expected) = expected else { continue };
            let Some(found) = found else {
                assert_eq!(feature, "no_kind");
                continue;
            };
            // Nothing is lost, but zeros of both signs match.
            assert_eq!(found["base_count"], expected["base_count"]);
            let sum = |of: &Value| number(of, "match_count") + number(of, "mismatch_count");
            assert_eq!(sum(&found), sum(&expected));
            assert!(number(&found, "match_count") >= number(&expected, "match_count"));
            if feature == "zero" {
                assert_eq!(number(&found, "mismatch_count"), 0);
            }
        }
        assert_eq!(found, expected_features, "{name}");
        check_pairs(name, &skew, &expected["pairs"]);
    }
}

/// Compares all pairs that differ, by their rows and the features that do and do not.
fn check_pairs(case: &str, skew: &Skew, expected: &Value) {
    type Pairs = BTreeMap<(u64, u64), Vec<Vec<String>>>;
    let known = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| !otherwise(case).contains(&name.as_str())).collect()
    };
    let differs = |lists: &Vec<Vec<String>>| [0, 1, 3].iter().any(|&i| !lists[i].is_empty());
    let mut theirs = Pairs::new();
    for pair in expected.as_array().unwrap() {
        let row = |i: usize| pair[i].as_u64().unwrap();
        let lists = (2..6).map(|i| serde_json::from_value(pair[i].clone()).unwrap()).map(known);
        theirs.insert((row(0), row(1)), lists.collect());
    }
    let mut ours = Pairs::new();
    for (pair, [base, test]) in skew.results.skew_pairs.iter().zip(&skew.places) {
        assert_eq!((base.shard, test.shard), (0, 1));
        let lists = [
            &pair.base_only_features,
            &pair.test_only_features,
            &pair.matched_features,
            &pair.mismatched_features,
        ];
        ours.insert((base.row, test.row), lists.map(|list| known(list.clone())).into());
    }
    theirs.retain(|_, lists| differs(lists));
    ours.retain(|_, lists| differs(lists));
    assert_eq!(ours, theirs, "{case}");
    assert!(!ours.is_empty(), "{case}");
}

/// Two directories of trips: the same rows, but those of `test` have drifted.
fn place() -> Place {
    let place = Place::new();
    let rows = ["--rows", "900", "--columns", "full", "-q"];
    place.ok(&[&["generate", "base", "--shards", "2"][..], &rows].concat());
    place.ok(&[&["generate", "test", "--shards", "3", "--drift", "0.4"][..], &rows].concat());
    place
}

#[test]
fn a_command_finds_skew_and_says_so() {
    let place = place();
    let args = ["skew", "base", "test", "--id", "trip_id"];
    let said = |more: &[&str]| place.run(&[&args[..], more].concat());
    let ran = said(&["--sample", "1", "--confusion", "payment_type"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for word in ["900 pairs of 900 identifiers", "fare", "Some pairs that differ", "payment_type"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    for line in ["base: read 900 rows in 2 shards", "test: read 900 rows in 3 shards", "skew: `"] {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
    assert_eq!(said(&["--max-skew", "1"]).code, Some(0));
    let quiet = said(&["-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(1), ""));

    // Every form and every way to run says the same.
    let outputs = ["-o", "a.pb", "-o", "a.pbtxt", "-o", "a.json", "-o", "a.tfrecord"];
    let more = ["--sample", "5", "--receipt", "r.json"];
    assert_eq!(said(&[&outputs[..], &more].concat()).stdout, "");
    let several = ["--processes", "2", "--workers", "1", "--memory", "1", "--batch-rows", "10"];
    let ran = said(&[&["-o", "b.pb", "--sample", "5"][..], &several].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(place.bytes("a.pb") == place.bytes("b.pb"));
    let json = said(&["--json", "--sample", "5"]).stdout;
    assert_eq!(json.as_bytes(), place.bytes("a.json"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["match_stats"]["matching_pairs_count"], "900");
    assert_eq!(json["skew_pairs"].as_array().unwrap().len(), 5);
    let receipt: Value = serde_json::from_slice(&place.bytes("r.json")).unwrap();
    assert_eq!((&receipt["read"], &receipt["counted"]), (&1800.into(), &1800.into()));
    let bytes = place.bytes("a.tfrecord");
    let mut records = datasets::TfRecordReader::new(&bytes[..]);
    let mut n = 0;
    while let Some(datasets::Frame::Record(_)) = records.next_frame().unwrap() {
        n += 1;
    }
    assert_eq!(n, json["feature_skew"].as_array().unwrap().len());
}

#[test]
fn files_of_different_formats_join() {
    let place = Place::new();
    for format in ["tfrecord", "parquet", "csv"] {
        place.ok(&["generate", format, "--rows", "500", "--format", format, "-q"]);
    }
    let id = ["--id", "trip_start_timestamp,fare,trip_seconds", "--allow-duplicates"];
    for (base, test) in [("tfrecord", "parquet"), ("parquet", "csv"), ("csv", "tfrecord")] {
        // Trips may share all of their identifier: then some of the pairs differ.
        let ran = place
            .run(&[&["skew", base, test, "--json", "-q", "--max-skew", "0.2"][..], &id].concat());
        assert_eq!(ran.code, Some(0), "{base} {test}: {}{}", ran.stdout, ran.stderr);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        let pairs: u64 =
            found["match_stats"]["matching_pairs_count"].as_str().unwrap().parse().unwrap();
        assert!(pairs > 300, "{base} {test}: {found}");
    }
}

#[test]
fn ugly_inputs_are_named() {
    let place = place();
    let fails = |args: &[&str], expected: &str| {
        let said = place.fails(&[&["skew"], args].concat());
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    fails(&["base", "nowhere", "--id", "trip_id"], "`nowhere`");
    fails(&["base", "test", "--id", "trip_di"], "Did you mean `trip_id`?");
    fails(&["base", "test", "--id", "trip_id", "--confusion", "fare"], "It is numeric.");
    fails(&["base", "test", "--id", "trip_id", "-o", "skew.html"], "Use .pb, .pbtxt");
    fails(&["base", "test", "--id", "trip_id", "--states", "s"], "keeps no states");
    place.write("a.csv", "id,x\n1,2\n2,3\n");
    place.write("b.csv", "id,x\n1,2.5\n3,3\n");
    place.write("c.csv", "id,x\none,2\n");
    place.write("none.csv", "id,x\n");
    place.write("twice.csv", "id,x\n1,2\n1,3\n");
    place.write("floats.csv", "id,x\n0.5,1\n1e3,2\n");
    fails(&["a.csv", "a.csv", "--id", "id", "-o", "a.csv"], "a.csv");

    let check = |args: &[&str], code: i32, expected: &str| {
        let ran = place.run(&[&["skew"], args].concat());
        assert_eq!(ran.code, Some(code), "{args:?}: {}{}", ran.stdout, ran.stderr);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    let id = ["--id", "id"];
    let with_id = |args: [&'static str; 2]| [&args[..], &id].concat();
    check(&with_id(["a.csv", "a.csv"]), 0, "2 pairs of 2 identifiers");
    // 2 and 2.5 are of one type where both sides are read together.
    check(&with_id(["a.csv", "b.csv"]), 1, "1 pair of 3 identifiers");
    check(&with_id(["a.csv", "c.csv"]), 1, "nothing was compared");
    check(&with_id(["a.csv", "none.csv"]), 1, "nothing was compared");
    check(&with_id(["none.csv", "none.csv"]), 1, "nothing was compared");
    check(&with_id(["twice.csv", "a.csv"]), 1, "their 2 pairs were skipped");
    check(&with_id(["floats.csv", "floats.csv"]), 0, "2 pairs of 2 identifiers");
}
