//! `frazil ingest`: TFX's splits row by row, the same bytes however it runs, and what is wrong said.

use std::path::{Path, PathBuf};

use datasets::{Frame, TfRecordReader};
use serde_json::{Value, json};

use crate::cli::Place;
use crate::ingest_sequences::decoded;
use crate::transform_cli::files;

pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ingest").join(name)
}

/// The records of a TFRecord file that is not compressed.
pub(crate) fn records(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = TfRecordReader::new(std::fs::File::open(path).unwrap());
    let mut out = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        match frame {
            Frame::Record(record) => out.push(record.to_vec()),
            other => panic!("{other:?}"),
        }
    }
    out
}

pub(crate) fn receipt(place: &Place, directory: &str) -> Value {
    serde_json::from_slice(&place.bytes(&format!("{directory}/_receipt.json"))).unwrap()
}

/// The only file of a split, of records that are neither shuffled nor compressed.
fn split(place: &Place, directory: &str, name: &str) -> Vec<Vec<u8>> {
    records(&place.path(&format!("{directory}/Split-{name}/data_tfrecord-00000-of-00001")))
}

#[test]
fn rows_go_where_tfx_sends_them() {
    let place = Place::new();
    let rows = golden("rows.csv").display().to_string();
    let sequences = golden("sequences.tfrecord").display().to_string();
    for (input, out) in [(&rows, "parquet"), (&sequences, "parquet-sequences")] {
        let kept = ["--splits", "all:1", "--no-shuffle", "-q"];
        let parquet = ["ingest", input, "-o", out, "--write-format", "parquet"];
        place.ok(&[&parquet[..], &kept].concat());
    }
    let cases: Vec<Value> =
        serde_json::from_slice(&std::fs::read(golden("splits.json")).unwrap()).unwrap();
    assert!(cases.len() >= 30);
    for case in &cases {
        let name = case["file"].as_str().unwrap();
        let all = records(&golden(&format!("{name}.tfrecord")));
        let expected = case["expected"].as_str().unwrap();
        assert_eq!(all.len(), expected.len());
        let mut inputs = vec![golden(&format!("{name}.tfrecord")).display().to_string()];
        if name == "rows" {
            inputs.extend([rows.clone(), "parquet/Split-all".to_owned()]);
        }
        if name == "sequences" {
            inputs.push("parquet-sequences/Split-all".to_owned());
        }
        for input in &inputs {
            let splits = case["splits"].as_str().unwrap();
            let mut args = vec!["ingest", input, "-o", "out", "--no-shuffle", "-q", "--overwrite"];
            if splits != "train:2,eval:1" {
                args.extend(["--splits", splits]);
            }
            if let Some(feature) = case["feature"].as_str() {
                args.extend(["--partition-feature", feature]);
            }
            place.ok(&args);
            for (number, part) in splits.split(',').enumerate() {
                let digit = char::from_digit(number as u32, 10).unwrap();
                let wanted = all.iter().zip(expected.chars()).filter(|(_, found)| *found == digit);
                let wanted: Vec<Vec<u8>> = wanted.map(|(record, _)| record.clone()).collect();
                let name = part.split(':').next().unwrap();
                let found = split(&place, "out", name);
                // The maps of these records are in no order.
                let is_same = if input.starts_with("parquet-sequences") {
                    decoded(&found) == decoded(&wanted)
                } else {
                    found == wanted
                };
                assert!(is_same, "{case} {input} {name}");
            }
        }
    }
}

/// Ways of running that must not show in what is written.
pub(crate) const WAYS: [&[&str]; 5] = [
    &["--runner", "direct"],
    &["--workers", "1", "--batch-rows", "1000"],
    &["--workers", "4", "--batch-rows", "7"],
    &["--processes", "2", "--workers", "1", "--batch-rows", "33"],
    // Many runs, of chunks of a few rows.
    &["--workers", "2", "--memory", "1KiB"],
];

#[test]
fn splits_have_the_same_bytes_however_they_are_made() {
    let place = Place::new();
    place.ok(&["generate", "data", "--rows", "3000", "--shards", "3", "--columns", "full", "-q"]);
    place.ok(&["generate", "csv", "--rows", "3000", "--shards", "1", "--format", "csv", "-q"]);
    let kinds: [&[&str]; 4] = [
        &["data", "--shards", "3", "--gzip"],
        &["data", "--no-shuffle", "--shards", "2", "--partition-feature", "trip_start_hour"],
        &["data", "--write-format", "parquet", "--shards", "2"],
        &["csv", "--write-format", "parquet", "--splits", "a:1,b:1,c:1", "--seed", "3"],
    ];
    for (k, kind) in kinds.iter().enumerate() {
        for (i, way) in WAYS.iter().enumerate() {
            let out = format!("out-{k}-{i}");
            let ran = place.ok(&[&["ingest", "-o", &out, "-q"], *kind, way].concat());
            assert_eq!(ran.stderr, "", "{kind:?} {way:?}");
            assert!(
                files(&place.path(&format!("out-{k}-0"))) == files(&place.path(&out)),
                "{kind:?} {way:?}"
            );
        }
    }
    assert_eq!(
        place.names("out-0-0/Split-eval"),
        [0, 1, 2].map(|i| format!("data_tfrecord-0000{i}-of-00003.gz"))
    );
    assert_eq!(place.names("out-3-0"), ["Split-a", "Split-b", "Split-c", "_receipt.json"]);

    // Shuffled, each record is there once, as it was; another seed is another order of the same.
    let data: Vec<Vec<u8>> = place
        .names("data")
        .iter()
        .flat_map(|name| records(&place.path(&format!("data/{name}"))))
        .collect();
    let all = |seed: &str| {
        let args =
            ["ingest", "data", "-o", "all", "--splits", "all:1", "--overwrite", "-q", "--seed"];
        place.ok(&[&args[..], &[seed]].concat());
        split(&place, "all", "all")
    };
    let (one, two) = (all("1"), all("2"));
    assert!(one != data && one != two && one[..100] != two[..100]);
    let sorted = |mut records: Vec<Vec<u8>>| {
        records.sort();
        records
    };
    assert!(sorted(one) == sorted(data.clone()) && sorted(two) == sorted(data.clone()));
    // In order, output shards one after the other are the input.
    let args = [
        "ingest",
        "data",
        "-o",
        "kept",
        "--splits",
        "all:1",
        "--no-shuffle",
        "--shards",
        "7",
        "-q",
    ];
    place.ok(&args);
    let names = place.names("kept/Split-all");
    let kept = names.iter().map(|name| records(&place.path(&format!("kept/Split-all/{name}"))));
    let kept: Vec<Vec<Vec<u8>>> = kept.collect();
    assert!(kept.iter().all(|shard| (428..=429).contains(&shard.len())));
    assert!(kept.concat() == data);
}

#[test]
fn every_row_is_accounted_for() {
    let place = Place::with_data();
    let said = place.ok(&["ingest", "data", "-o", "out", "--receipt", "r.json"]).stderr;
    assert!(
        said.contains("300 counted, 0 rejected") && said.contains("out/Split-train  "),
        "{said}"
    );
    let found = receipt(&place, "out");
    assert_eq!(found["rows"], 300);
    assert_eq!(found["spans"], json!([]));
    let rows = |value: &Value| value.as_u64().unwrap();
    let of_split = |i: usize| rows(&found["splits"][i]["rows"]);
    assert_eq!(of_split(0) + of_split(1), 300);
    assert!((150..250).contains(&of_split(0)), "{found}");
    let inputs = found["inputs"].as_array().unwrap();
    let train: u64 = inputs.iter().map(|shard| rows(&shard["rows"]["train"])).sum();
    assert_eq!((inputs.len(), train), (3, of_split(0)));
    assert_eq!(found["splits"][0]["shards"][0]["name"], "Split-train/data_tfrecord-00000-of-00001");
    // Other commands read the splits.
    let stats = |args: &[&str]| {
        let shown = place.ok(&[&["stats"], args, &["--json", "-q"]].concat()).stdout;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let n = &shown["datasets"][0]["num_examples"];
        n.as_u64().unwrap_or_else(|| n.as_str().unwrap().parse().unwrap())
    };
    assert_eq!(stats(&["out", "--split", "train"]), of_split(0));
    assert_eq!(stats(&["out/Split-eval"]), of_split(1));
    let said = place.fails(&["stats", "out"]);
    assert!(
        said.contains("`out` has splits, and no files") && said.contains("--split eval"),
        "{said}"
    );
    let said = place.fails(&["stats", "out", "--split", "test"]);
    assert!(
        said.contains("`out` has no split `test`\n  detail: It has `eval`, `train`."),
        "{said}"
    );
    assert!(place.fails(&["stats", "data", "--split", "test"]).contains("Leave out `--split`"));

    // A damaged record is not lost silently.
    let path = place.path("data/taxi-00001-of-00003.tfrecord");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let bad = ["ingest", "data", "-o", "bad", "-q"];
    assert!(place.fails(&bad).contains("--max-bad-records"));
    assert!(
        !place.path("bad").exists()
            && place.names(".").iter().all(|name| !name.contains("partial"))
    );
    place.ok(&[&bad[..], &["--max-bad-records", "1"]].concat());
    let found = receipt(&place, "bad");
    assert_eq!(
        [&found["read"], &found["rejected"], &found["rows"]],
        [300, 1, 299].map(Value::from).each_ref()
    );
    assert_eq!(found["inputs"][1]["rejected"], 1);
}

#[test]
fn splits_that_are_there_and_spans_are_kept() {
    let place = Place::new();
    for (day, rows) in [("2024-03-01", "10"), ("2024-03-02", "20"), ("2024-03-03", "40")] {
        for split in ["train", "test"] {
            let directory = format!("days/{day}/{split}");
            place.ok(&["generate", &directory, "--rows", rows, "--shards", "2", "-q"]);
        }
    }
    let inputs = ["train=days/{YYYY}-{MM}-{DD}/train/*", "test=days/{YYYY}-{MM}-{DD}/test/*"];
    let ingest = |args: &[&str]| {
        place.ok(&[&["ingest", "-o", "out", "--overwrite", "-q"], args].concat());
        let found = receipt(&place, "out");
        let splits = found["splits"].as_array().unwrap().iter();
        let splits: Vec<Value> = splits.map(|s| json!([s["name"], s["rows"]])).collect();
        json!([splits, found["spans"]])
    };
    let span = |number: u64| json!({ "span": number, "version": null });
    let expected = json!([[["train", 40], ["test", 40]], [span(19785)]]);
    assert_eq!(ingest(&inputs), expected);
    let several = [&inputs[..], &["--span", "2024-03-01..2024-03-02"]].concat();
    let expected = json!([[["train", 30], ["test", 30]], [span(19783), span(19784)]]);
    assert_eq!(ingest(&several), expected);
    assert_eq!(ingest(&["only=days/2024-03-01/train"])[0], json!([["only", 10]]));
    let said =
        place.fails(&["ingest", "a=days/2024-03-01/train", "b=days/2024-03-01/*/*", "-o", "x"]);
    assert!(said.contains("is in two splits"), "{said}");
    let (first, second) = ("a=days/{YYYY}-{MM}-{DD}/train/*", "b=days/2024-03-01/test");
    let said = place.fails(&["ingest", first, second, "-o", "x"]);
    assert!(
        said.contains("splits are at different spans") && said.contains("`b` is at none"),
        "{said}"
    );
}

#[test]
fn time_cuts_rows() {
    let place = Place::new();
    place.write("t.csv", "day,n,x\n2024-01-01,1,1.5\n2024-02-01,2,2.5\n2024-03-01,3,3.5\n");
    let rows = |args: &[&str]| {
        let ingest = ["ingest", "t.csv", "-o", "out", "--overwrite", "-q", "--split-by-time"];
        place.ok(&[&ingest[..], args].concat());
        let found = receipt(&place, "out");
        let splits = found["splits"].as_array().unwrap().iter();
        splits.map(|split| split["rows"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(rows(&["day", "--cut", "2024-02-01"]), [1, 2]);
    assert_eq!(rows(&["n", "--cut", "2,3", "--splits", "train,eval,test"]), [1, 1, 1]);
    assert_eq!(rows(&["n", "--cut", "-1"]), [0, 3]);
    assert_eq!(rows(&["x", "--cut", "3", "--write-format", "parquet"]), [2, 1]);
    let shown = place.ok(&["stats", "out", "--split", "eval", "-q"]).stdout;
    assert!(shown.contains("day"), "{shown}");
    // A split without rows has columns in Parquet, too.
    assert_eq!(rows(&["x", "--cut", "0", "--write-format", "parquet"]), [0, 3]);
    assert_eq!(place.ok(&["scan", "out", "--split", "train", "-q"]).stdout, "0\n");
}

#[test]
fn what_is_wrong_is_said() {
    let place = Place::with_data();
    place.write("t.csv", "day,n,x\n2024-01-01,1,1.5\n2024-02-01,,2.5\n");
    let fails = |args: &[&str], words: &str| {
        let said = place.fails(&[&["ingest", "-o", "out"], args].concat());
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!(said.matches("error:").count(), 1, "{said}");
        assert!(!place.path("out").exists());
    };
    let splits = |text: &str, words: &str| fails(&["data", "--splits", text], words);
    splits("train", "split `train` has no number of buckets");
    splits("train:x", "`x` is no number of buckets");
    splits("train:2,eval:0", "split `eval` has no buckets");
    splits("train:2,train:1", "there are two splits `train`");
    splits("a/b:1", "`a/b` is no name of a split");
    splits(":1", "`` is no name of a split");
    let feature = |name: &str, words: &str| fails(&["t.csv", "--partition-feature", name], words);
    feature("x", "feature `x` holds floats\n  detail: It is row 1. Seen in shard `");
    feature("n", "feature `n` is missing\n  detail: It is row 2. Seen in shard `");
    feature("none", "feature `none` is missing");
    let cut = ["t.csv", "--split-by-time", "n", "--cut"];
    fails(&[&cut[..], &["2"]].concat(), "feature `n` is missing");
    fails(&[&cut[..], &["x"]].concat(), "the cut `x` is no number");
    fails(&[&cut[..], &["3,2", "--splits", "a,b,c"]].concat(), "the cut `2` is not behind `3`");
    fails(&[&cut[..], &["3", "--splits", "a"]].concat(), "There are 1 splits and 1 cuts.");
    fails(&[&cut[..], &["3", "--splits", "a:1,b"]].concat(), "split `a` has buckets and a cut");
    fails(&["t.csv", "--split-by-time", "n"], "--cut");
    fails(&["a=data", "b=t.csv", "--splits", "x:1"], "the inputs are splits already");
    fails(&["a=data", "t.csv"], "some inputs are splits and others are not");
    fails(&["data", "--write-format", "parquet", "--gzip"], "Leave out `--gzip`");
    fails(&["data", "--shards", "0"], "--shards");
    fails(&["nothing"], "cannot read `nothing`");

    let said = place.fails(&["ingest", "data", "-o", "data/in"]);
    assert!(said.contains("is inside of an input"), "{said}");
    let good = ["ingest", "t.csv", "-o", "out", "-q"];
    place.ok(&good);
    let said = place.fails(&good);
    assert!(said.contains("`out` is there already") && said.contains("--overwrite"), "{said}");
    place.ok(&[&good[..], &["--overwrite"]].concat());
    let said = place.fails(&["ingest", "t.csv", "-o", "data"]);
    assert!(said.contains("holds other files") || said.contains("holds inputs"), "{said}");
}
