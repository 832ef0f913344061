//! Examples that do not agree with a schema: the same reasons as TFDV's and as statistics of single
//! examples give, and outputs that are whole, the same however they are written, or not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use datasets::{ExampleDecoder, Frame, Payload, ReadOptions, TfRecordReader};
use engine::{Batch, Batches, Pipeline, Result, RunOptions, Shard, Source};
use ops::stats::{StatsOptions, generate_statistics};
use ops::tfmd::anomaly_info::Type;
use ops::tfmd::feature::DomainInfo;
use ops::tfmd::{FloatDomain, Schema, load_schema};
use ops::validate::examples::{ExampleOptions, ExampleValidator};
use ops::validate::{ControlStatistics, ValidateOptions, validate_statistics};
use serde_json::Value;
use tempfile::TempDir;

/// A reason as the golden file has it: feature, kind, text.
type Told = (String, String, String);

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn batch(records: RecordBatch) -> Batch {
    Batch { shard: 0, first_row: 0, records, originals: None, rejected: vec![], bytes: 0 }
}

fn validator(schema: &Arc<Schema>, environment: Option<&str>) -> ExampleValidator {
    let options = ExampleOptions {
        environment: environment.map(str::to_owned),
        dataset_rules: true,
        is_text: false,
    };
    ExampleValidator::new(schema.clone(), options).unwrap()
}

/// What is told of every row.
fn rows(validator: &ExampleValidator, records: &RecordBatch) -> Vec<Vec<Told>> {
    let mut rows = vec![Vec::new(); records.num_rows()];
    for found in validator.validate(&batch(records.clone())).unwrap() {
        let reason = &found.reason;
        let kind = reason.kind.as_str_name().to_owned();
        rows[found.row].push((found.path.to_string(), kind, reason.description.clone()));
    }
    // The order of custom statistics decides on that of some reasons.
    rows.iter_mut().for_each(|told| told.sort());
    rows
}

/// One batch as a source.
struct One(Vec<Shard>, RecordBatch);

impl Source for One {
    fn shards(&self) -> &[Shard] {
        &self.0
    }
    fn read(self: Arc<Self>, _shard: usize, _batch_rows: usize) -> Result<Batches> {
        Ok(Box::new(std::iter::once(Ok(batch(self.1.clone())))))
    }
}

/// What validation tells of the statistics of one example.
fn by_statistics(
    schema: &Arc<Schema>,
    environment: Option<&str>,
    records: &RecordBatch,
) -> Vec<Told> {
    // Decoded alone, an example has no columns that it lacks.
    let there: Vec<usize> =
        (0..records.num_columns()).filter(|&i| records.column(i).null_count() == 0).collect();
    let there: Vec<usize> = there
        .into_iter()
        .filter(|&i| *records.column(i).data_type() != arrow_schema::DataType::Null)
        .collect();
    let records = records.project(&there).unwrap();
    let shards = vec![Shard { path: "/one".to_owned(), part: None, bytes: 1 }];
    let (pipeline, batches) = Pipeline::read(Arc::new(One(shards, records)));
    let options = StatsOptions { schema: Some(schema.clone()), ..StatsOptions::default() };
    let statistics = generate_statistics(&batches, Arc::new(options));
    let mut outputs = runners::direct::run(&pipeline.plan(), &RunOptions::default()).unwrap();
    let statistics = statistics.output(&mut outputs).unwrap();
    let options = ValidateOptions {
        environment: environment.map(str::to_owned),
        ..ValidateOptions::default()
    };
    let found = validate_statistics(
        statistics.all_examples().unwrap(),
        ControlStatistics::default(),
        schema,
        &options,
    );
    let mut told = Vec::new();
    for (path, finding) in found.unwrap().features {
        for reason in finding.reasons {
            let is_of_dataset = matches!(
                reason.kind,
                Type::FeatureTypeNotPresent
                    | Type::FeatureTypeLowNumberPresent
                    | Type::FeatureTypeLowFractionPresent
            );
            if !is_of_dataset {
                let kind = reason.kind.as_str_name().to_owned();
                told.push((path.to_string(), kind, reason.description));
            }
        }
    }
    told.sort();
    told
}

fn golden_examples() -> (Arc<Schema>, Vec<Vec<u8>>) {
    let schema = load_schema(&std::fs::read(golden("examples.pbtxt")).unwrap()).unwrap();
    let bytes = std::fs::read(golden("examples.tfrecord")).unwrap();
    let mut reader = TfRecordReader::new(&bytes[..]);
    let mut records = Vec::new();
    while let Some(Frame::Record(record)) = reader.next_frame().unwrap() {
        records.push(record.to_vec());
    }
    (Arc::new(schema), records)
}

fn decoded(records: &[&[u8]]) -> RecordBatch {
    let mut decoder = ExampleDecoder::new(Payload::Example, None);
    records.iter().for_each(|record| drop(decoder.push(record)));
    decoder.finish().unwrap()
}

#[test]
fn examples_are_told_what_tfdv_tells_them() {
    let (schema, records) = golden_examples();
    let text = std::fs::read_to_string(golden("examples.json")).unwrap();
    let mut expected: BTreeMap<String, Vec<Vec<Told>>> = serde_json::from_str(&text).unwrap();
    expected.values_mut().flatten().for_each(|told| told.sort());
    // TFDV takes 0 for the least of no numbers, and passes integers that it counts as categories.
    let ours = [
        (31, vec![]),
        (43, vec![("bool_int", "BOOL_TYPE_SMALL_INT", "-1")]),
        (44, vec![("bool_int", "BOOL_TYPE_BIG_INT", "2")]),
    ];
    for (environment, expected) in &expected {
        let environment = (!environment.is_empty()).then_some(environment.as_str());
        let validator = validator(&schema, environment);
        let mut n_checked = 0;
        for (row, (record, expected)) in records.iter().zip(expected).enumerate() {
            let records = decoded(&[record]);
            let found = rows(&validator, &records).remove(0);
            if let Some((_, told)) = ours.iter().find(|(known, _)| *known == row) {
                assert_ne!(found, *expected, "row {row}");
                assert_eq!(found.len(), told.len(), "row {row}: {found:?}");
                for (found, (path, kind, value)) in found.iter().zip(told) {
                    assert_eq!((&*found.0, &*found.1), (*path, *kind));
                    assert!(found.2.contains(value), "{found:?}");
                }
                continue;
            }
            assert_eq!(found, *expected, "row {row}, {environment:?}");
            let of_statistics = by_statistics(&schema, environment, &records);
            assert_eq!(of_statistics, *expected, "statistics of row {row}, {environment:?}");
            n_checked += 1;
        }
        assert_eq!(n_checked, records.len() - ours.len());
    }
    // Together they are told the same, as far as they can be decoded together.
    let validator = validator(&schema, None);
    let mut decoder = ExampleDecoder::new(Payload::Example, None);
    let alone: Vec<Vec<Told>> = records
        .iter()
        .filter(|record| decoder.push(record).is_ok())
        .map(|record| rows(&validator, &decoded(&[record])).remove(0))
        .collect();
    let together = decoder.finish().unwrap();
    assert!(together.num_rows() > 60);
    assert_eq!(rows(&validator, &together), alone);
}

/// Perturbed taxi trips: every 40th row and those with reasons, by rows and by statistics of each.
#[test]
fn rows_of_taxi_data_are_told_what_their_statistics_tell() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden/tfdv/anomalies");
    if !shared.exists() {
        eprintln!("skipped: no data beside the checkout");
        return;
    }
    let cases = [
        ("data/new_enum.csv", "04_new_enum"),
        ("data/out_of_range.csv", "07_out_of_range"),
        ("data/valency-00000-of-00001.tfrecord", "09_valency_value_count"),
        ("data/valency-00000-of-00001.tfrecord", "09b_valency_shape"),
        ("data/new_column.csv", "03_new_column"),
        ("data/str_int.csv", "20_string_ints"),
        ("data/clean.csv", "13c_env_label_in_serving"),
        ("data/clean.csv", "16_bool_domain"),
    ];
    for (data, case) in cases {
        let schema = std::fs::read(shared.join(case).join("schema.pbtxt")).unwrap();
        let schema = Arc::new(load_schema(&schema).unwrap());
        let environment = schema.default_environment.iter().find(|name| *name == "SERVING");
        let environment = environment.map(String::as_str);
        let path = shared.join(data).canonicalize().unwrap();
        let files =
            datasets::inputs::resolve(&[path.to_str().unwrap().to_owned()], None).unwrap().files;
        let mut options = ReadOptions::default();
        if data.ends_with("csv") {
            let source = datasets::open(files.clone(), None, &options).unwrap();
            let (pipeline, batches) = Pipeline::read(source);
            let types = batches.combine_globally(datasets::csv::InferCsvTypes::default());
            let plan = pipeline.plan();
            let mut outputs = runners::direct::run(&plan, &RunOptions::default()).unwrap();
            options.csv_types = Some(types.output(&mut outputs).unwrap());
        }
        let source = datasets::open(files, None, &options).unwrap();
        let validator = validator(&schema, environment);
        let (mut row, mut n_bad) = (0, 0);
        for batch in source.read(0, 1000).unwrap() {
            let records = batch.unwrap().records;
            let found = rows(&validator, &records);
            for (i, found) in found.into_iter().enumerate() {
                row += 1;
                n_bad += usize::from(!found.is_empty());
                if row % 40 == 1 || !found.is_empty() && n_bad <= 10 {
                    let told = by_statistics(&schema, environment, &records.slice(i, 1));
                    assert_eq!(found, told, "{case}: row {row} of {data}");
                }
            }
        }
        assert!(row > 100, "{case}");
    }
}

/// A directory to run commands in.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frazil"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("FRAZIL_TOKEN");
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.command(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Names and bytes of all files below a directory.
    fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Three shards of taxi trips, and a schema that some of them do not agree with.
    fn with_data(format: &str) -> Self {
        let place = Place::new();
        let generate =
            ["generate", "data", "--rows", "600", "--shards", "3", "--format", format, "-q"];
        assert_eq!(place.run(&generate).0, Some(0));
        let (code, said) = place.run(&["schema", "infer", "data", "-o", "inferred.pbtxt"]);
        assert_eq!(code, Some(0), "{said}");
        let mut schema =
            load_schema(&std::fs::read(place.path("inferred.pbtxt")).unwrap()).unwrap();
        for feature in &mut schema.feature {
            if feature.name() == "fare" {
                let domain = FloatDomain { max: Some(30.0), ..FloatDomain::default() };
                feature.domain_info = Some(DomainInfo::FloatDomain(domain));
            }
        }
        std::fs::write(place.path("schema.pbtxt"), ops::tfmd::text::print(&schema)).unwrap();
        place
    }
}

fn validate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let args = ["validate", "data", "--schema", "schema.pbtxt", "--rejects", "bad"];
    args.iter().chain(&["--clean", "good", "--json"]).chain(more).copied().collect()
}

#[test]
fn both_outputs_are_the_same_whoever_writes_them() {
    for format in ["tfrecord", "csv", "parquet"] {
        let place = Place::with_data(format);
        let (code, said) = place.run(&validate(&["--runner", "direct"]));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("rejected"), "{said}");
        let (good, bad) = (place.files("good"), place.files("bad"));
        // Nothing is added and nothing is lost.
        let rows = |receipt: &str| {
            let receipt: Value = serde_json::from_str(receipt).unwrap();
            assert_eq!(receipt["shards"].as_array().unwrap().len(), 3);
            receipt["rows"].as_u64().unwrap()
        };
        let (n_good, n_bad) =
            (rows(&place.text("good/_receipt.json")), rows(&place.text("bad/_receipt.json")));
        assert!(n_good > 0 && n_bad > 0);
        assert_eq!(n_good + n_bad, 600);
        let scan = |directory: &str| {
            let output = place.command(&["scan", directory, "-q"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap()
        };
        assert_eq!((scan("good"), scan("bad")), (n_good, n_bad));
        let shards = place.files("data").into_keys().collect::<Vec<_>>();
        assert!(shards.iter().all(|name| good.contains_key(name) && bad.contains_key(name)));

        for more in [
            &["--workers", "1", "--batch-rows", "1"][..],
            &["--workers", "3", "--batch-rows", "7"],
            &["--processes", "3", "--workers", "2"],
        ] {
            let more: Vec<&str> = more.iter().chain(&["--overwrite", "-q"]).copied().collect();
            let (code, said) = place.run(&validate(&more));
            assert_eq!(code, Some(1), "{more:?}: {said}");
            assert!(place.files("good") == good && place.files("bad") == bad, "{format} {more:?}");
            assert_eq!(place.names(), ["bad", "data", "good", "inferred.pbtxt", "schema.pbtxt"]);
        }
    }
}

#[test]
fn data_agree_with_the_schema_that_was_inferred_from_them() {
    for format in ["tfrecord", "csv", "parquet"] {
        let place = Place::with_data(format);
        let args = ["validate", "data", "--schema", "inferred.pbtxt", "--rejects", "bad"];
        let (code, said) = place.run(&[&args[..], &["--clean", "good"]].concat());
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("all 600 examples agree with the schema"), "{said}");
        assert_eq!(place.text("bad/_reasons.jsonl"), "");
        let (data, good) = (place.files("data"), place.files("good"));
        // Tables are encoded anew; records and lines are the very same.
        if format != "parquet" {
            assert!(data.iter().all(|(name, bytes)| good[name] == *bytes), "{format}");
        }
    }
}

#[test]
fn rejects_say_why_and_where() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::write(place.path("data/a.csv"), "i,c\n1,red\n2,blue\n").unwrap();
    std::fs::write(place.path("data/b.csv"), "i,c\n,red\nx,\"gr\ney\"\n12,red\n").unwrap();
    let schema = "
        feature { name: 'i' type: INT int_domain { max: 9 } presence { min_fraction: 1 } }
        feature { name: 'c' type: BYTES domain: 'colors' }
        string_domain { name: 'colors' value: 'red' }";
    std::fs::write(place.path("schema.pbtxt"), schema).unwrap();
    let (code, said) = place.run(&validate(&[]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("4 of 5 examples rejected"), "{said}");
    assert_eq!(place.text("good/a.csv"), "i,c\n1,red\n");
    assert_eq!(place.text("good/b.csv"), "i,c\n");
    assert_eq!(place.text("bad/a.csv"), "i,c\n2,blue\n");
    assert_eq!(place.text("bad/b.csv"), "i,c\n,red\nx,\"gr\ney\"\n12,red\n");
    let reasons: Vec<Value> = place
        .text("bad/_reasons.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<String> = reasons
        .iter()
        .map(|reason| {
            let shard = reason["shard"].as_str().unwrap().rsplit('/').next().unwrap();
            let of = |name: &str| reason[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{shard} {} {} {} {} {}",
                reason["row"],
                reason["reject"],
                of("feature"),
                of("type"),
                of("value")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "a.csv 1 0 c ENUM_TYPE_UNEXPECTED_STRING_VALUES blue",
            "b.csv 0 0 i SCHEMA_MISSING_COLUMN -",
            "b.csv 1 1 c ENUM_TYPE_UNEXPECTED_STRING_VALUES gr\ney",
            "b.csv 1 1 i UNEXPECTED_DATA_TYPE x",
            "b.csv 1 1 i INT_TYPE_NOT_INT_STRING x",
            "b.csv 2 2 i INT_TYPE_BIG_INT 12",
        ]
    );
}

#[test]
fn outputs_go_only_where_they_may() {
    let place = Place::with_data("tfrecord");
    let fails = |args: &[&str], expected: &str| {
        let args: Vec<&str> =
            ["validate", "data", "--schema", "schema.pbtxt"].iter().chain(args).copied().collect();
        let (code, said) = place.run(&args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
        assert_eq!(place.files("data").len(), 3);
    };
    fails(&["--clean", "data/clean"], "is inside of an input");
    fails(&["--clean", "data", "--overwrite"], "holds inputs");
    fails(&["--clean", ".", "--overwrite"], "holds inputs");
    fails(&["--clean", "schema.pbtxt", "--overwrite"], "is not a directory");
    fails(&["--clean", "out", "--rejects", "out"], "are not beside each other");
    fails(&["--clean", "out", "--rejects", "out/bad"], "are not beside each other");
    std::fs::create_dir(place.path("full")).unwrap();
    std::fs::write(place.path("full/precious"), "x").unwrap();
    fails(&["--clean", "full", "--overwrite"], "holds other files");
    fails(&["--clean", "schema.pbtxt/out"], "cannot make the directory");
    let args = ["validate", "data", "--schema", "schema.pbtxt", "--rejects", "bad"];
    assert_eq!(place.run(&args).0, Some(1));
    fails(&["--rejects", "bad"], "is there already");
    assert_eq!(place.names(), ["bad", "data", "full", "inferred.pbtxt", "schema.pbtxt"]);
    // Examples are not in statistics.
    let (code, said) =
        place.run(&["validate", "s.pb", "--schema", "schema.pbtxt", "--rejects", "x"]);
    assert!(code == Some(2) && said.contains("have no examples"), "{said}");
}

#[test]
fn nothing_is_left_of_a_run_that_fails() {
    let place = Place::with_data("tfrecord");
    // Cut off in its last record, long after writing has begun.
    let last = place.files("data").into_keys().next_back().unwrap();
    let mut bytes = std::fs::read(place.path("data").join(&last)).unwrap();
    bytes.truncate(bytes.len() - 20);
    std::fs::write(place.path("data").join(&last), bytes).unwrap();
    for more in [&["--batch-rows", "10"][..], &["--processes", "2", "--batch-rows", "10"]] {
        let (code, said) = place.run(&validate(more));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is damaged"), "{said}");
        assert_eq!(place.names(), ["data", "inferred.pbtxt", "schema.pbtxt"]);
    }
    // What can be read is accounted for, if that is asked for.
    let (code, said) = place.run(&validate(&["--max-bad-shards", "1"]));
    assert_eq!(code, Some(1), "{said}");
}

/// Kills process 0 or a copy while both are writing.
#[cfg(target_os = "linux")]
fn killed(is_copy: bool) {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::write(place.path("schema.pbtxt"), "feature { name: 'i' type: INT }").unwrap();
    // Takes seconds to write; nobody waits for the end.
    let lines = "i,j\n".to_owned() + &"1,some text\n".repeat(400_000);
    for name in ["data/a.csv", "data/b.csv"] {
        std::fs::write(place.path(name), &lines).unwrap();
    }
    let partial = || place.names().into_iter().filter(|name| name.ends_with(".partial"));
    let has_begun = |directory: String| {
        let files = place.files(&directory);
        files.iter().any(|(name, bytes)| (name == "a.csv" || name == "b.csv") && bytes.len() > 100)
    };
    let args =
        ["validate", "data", "--schema", "schema.pbtxt", "--clean", "good", "--rejects", "bad"];
    let more = ["--processes", "2", "--workers", "1", "--infer-type-from-schema"];
    let mut command = place.command(&[&args[..], &more].concat());
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let start = std::time::Instant::now();
    while partial().filter(|directory| has_begun(directory.clone())).count() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "the run has ended");
        assert!(start.elapsed().as_secs() < 60, "nothing is written");
        std::thread::yield_now();
    }
    if is_copy {
        let of = format!("/proc/{0}/task/{0}/children", child.id());
        let copies = std::fs::read_to_string(of).unwrap();
        let copy = copies.split_whitespace().next().unwrap();
        assert!(Command::new("kill").args(["-KILL", copy]).status().unwrap().success());
    } else {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!place.path("good").exists() && !place.path("bad").exists());
    if is_copy {
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("process 1"), "{said}");
    }
    // What is left of it does not hurt.
    for name in ["data/a.csv", "data/b.csv"] {
        std::fs::write(place.path(name), "i,j\n1,x\n").unwrap();
    }
    let (code, said) = place.run(&args);
    assert_eq!(code, Some(1), "{said}");
    assert!(place.path("good").exists() && place.text("bad/a.csv") == "i,j\n1,x\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_process_leaves_nothing_under_a_final_name() {
    killed(true);
    killed(false);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    // Every write to this file says that the disk is full.
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let place = Place::with_data("tfrecord");
    let shards = place.files("data").into_keys().next().unwrap();
    let shard =
        Shard { path: place.path("data").join(shards).display().to_string(), part: None, bytes: 1 };
    let format = datasets::output::RowFormat::kept("tfrecord").unwrap();
    let mut rows = datasets::output::RowsWriter::create(full, &format, &shard).unwrap();
    let records = decoded(&[b"\x0a\x00"]);
    rows.write(&batch(records), None).unwrap();
    let error = rows.finish().unwrap_err();
    assert!(error.message().contains("No space left on device"), "{error}");
}
