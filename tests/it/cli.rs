//! Whole commands: what they print, what they write, and how they end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory to run commands in.
pub(crate) struct Place(TempDir);

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frazil"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("COLUMNS").env_remove("NO_COLOR").env_remove("FRAZIL_TOKEN");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that has to succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        ran
    }

    /// Runs a command that has to fail; gives what it said.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(ran.stderr.starts_with("error: "), "{args:?}: {}", ran.stderr);
        ran.stderr
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Three shards of 300 rows in `data`.
    pub(crate) fn with_data() -> Self {
        let place = Place::new();
        place.ok(&["generate", "data", "--rows", "300", "--shards", "3", "--columns", "full"]);
        place
    }
}

const DATA: &str = "data/taxi@3.tfrecord";

#[test]
fn help_explains_itself() {
    let place = Place::new();
    let help = place.ok(&["--help"]).stdout;
    for word in ["stats", "generate", "generators", "demo", "Exit codes", "interrupted"] {
        assert!(help.contains(word), "{word}");
    }
    let help = place.ok(&["stats", "--help"]).stdout;
    for word in ["--weight-feature", "--slice", "--max-bad-records", "[default: 512MiB]", "show"] {
        assert!(help.contains(word), "{word}");
    }
    assert!(place.ok(&["--version"]).stdout.starts_with("frazil "));
    let generators = place.ok(&["generators"]).stdout;
    assert!(generators.contains("string"), "{generators}");
    let json: serde_json::Value =
        serde_json::from_str(&place.ok(&["generators", "--json"]).stdout).unwrap();
    assert!(json["generators"].as_array().unwrap().iter().all(|row| row["doc"].is_string()));
}

#[test]
fn wrong_commands_fail_before_anything_is_done() {
    let place = Place::with_data();
    let check = |args: &[&str], expected: &str| {
        let said = place.fails(args);
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    check(&["stats"], "<INPUT>");
    check(&["stats", DATA, "--no-such-flag"], "--no-such-flag");
    check(&["stats", "nothing.csv"], "error: cannot read `nothing.csv`");
    check(&["stats", DATA, "-o", "stats.txt"], "hint: Use .pb, .pbtxt, .tfrecord or .json.");
    check(&["stats", DATA, "-o", "a.pb", "-o", "a.pb"], "`a.pb` is to be written twice");
    check(&["stats", DATA, "--epsilon", "7"], "`--epsilon 7` is not a share");
    check(&["stats", DATA, "--slice", "a="], "a value of `a` is empty");
    check(&["stats", DATA, "--memory", "much"], "512MiB");
    check(&["stats", DATA, "--format", "xml"], "parquet");
    check(&["stats", DATA, "--schema", "none.pbtxt"], "cannot read `none.pbtxt`");
    check(&["stats", DATA, "--runner", "direct", "--workers", "2"], "direct runner");
    check(&["stats", DATA, "--hosts", "hosts"], "--process");
    check(&["stats", "show", "none.pb"], "cannot read `none.pb`");
    check(&["stats", "merge", "data"], "`data` holds no states");
    check(&["generate", "x", "--drift", "2"], "a drift of 2 cannot be made");
    check(&["generate", "x", "--format", "parquet", "--gzip"], "hint: Leave the option out.");
    assert_eq!(place.names("."), ["data"]);
    place.write("broken.pbtxt", "feature { nam: 'x' }");
    let said = place.fails(&["stats", DATA, "--schema", "broken.pbtxt"]);
    assert!(said.starts_with("error: cannot use `broken.pbtxt`\n  detail: "), "{said}");
}

#[test]
fn statistics_are_written_in_four_forms_that_agree() {
    let place = Place::with_data();
    let outputs = ["-o", "a.pb", "-o", "deep/a.pbtxt", "-o", "a.tfrecord", "-o", "a.json"];
    let ran = place.ok(&[&["stats", DATA][..], &outputs].concat());
    assert_eq!(ran.stdout, "");
    let line = ran.stderr.strip_suffix('\n').unwrap();
    assert!(line.starts_with("read 300 rows in 3 shards ("), "{line}");
    assert!(line.contains("300 counted, 0 rejected; "), "{line}");
    let json = place.ok(&["stats", DATA, "--json", "--quiet"]);
    assert_eq!(json.stderr, "");
    for file in ["a.pb", "deep/a.pbtxt", "a.tfrecord", "a.json"] {
        let shown = place.ok(&["stats", "show", file, "--json"]);
        assert_eq!(shown.stdout, json.stdout, "{file}");
        assert_eq!(shown.stderr, "", "{file}");
    }
    let whole: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    // So few rows have no `pickup_census_tract`.
    assert_eq!(whole["datasets"][0]["num_examples"], "300");
    assert_eq!(whole["datasets"][0]["features"].as_array().unwrap().len(), 22);
    // No temporary file is left behind.
    assert_eq!(place.names("."), ["a.json", "a.pb", "a.tfrecord", "data", "deep"]);
}

#[test]
fn a_table_is_printed_without_colours_into_a_pipe() {
    let place = Place::with_data();
    let table = place.ok(&["stats", DATA, "-q"]).stdout;
    assert!(table.starts_with("All Examples · 300 examples\n"), "{table}");
    assert!(table.contains("payment_type") && table.contains("Cash"), "{table}");
    assert!(!table.contains('\x1b'), "{table}");
    place.ok(&["stats", DATA, "-o", "a.pb"]);
    assert_eq!(place.ok(&["stats", "show", "a.pb"]).stdout, table);
    let one = place.ok(&["stats", "show", "a.pb", "--features", "company"]).stdout;
    assert!(one.contains("company") && !one.contains("payment_type"), "{one}");
    let said = place.fails(&["stats", "show", "a.pb", "--features", "compani"]);
    assert!(said.contains("there is no feature `compani`"), "{said}");
    let narrow = place.command(&["stats", "show", "a.pb"]).env("COLUMNS", "40").output().unwrap();
    let narrow = String::from_utf8(narrow.stdout).unwrap();
    assert!(narrow.contains("not shown, for want of width"), "{narrow}");
}

#[test]
fn results_do_not_depend_on_how_a_run_was_made() {
    let place = Place::with_data();
    place.ok(&["stats", DATA, "-o", "a.pb", "--runner", "direct"]);
    let ways: [&[&str]; 5] = [
        &["--workers", "1"],
        &["--workers", "3"],
        &["--batch-rows", "7"],
        &["--processes", "2", "--workers", "1"],
        &["--memory", "1k"],
    ];
    for way in ways {
        place.ok(&[&["stats", DATA, "-o", "b.pb"][..], way].concat());
        assert_eq!(place.bytes("a.pb"), place.bytes("b.pb"), "{way:?}");
    }
}

#[test]
fn processes_of_several_machines_give_the_same_result() {
    let place = Place::with_data();
    place.ok(&["stats", DATA, "-o", "a.pb"]);
    let ports = [0; 2].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let hosts = ports.each_ref().map(|port| port.local_addr().unwrap().to_string());
    drop(ports);
    place.write("hosts", &format!("# both here\n{}\n{}\n", hosts[0], hosts[1]));
    let said = place.fails(&["stats", DATA, "--hosts", "hosts", "--process", "0"]);
    assert!(said.contains("`FRAZIL_TOKEN` is not set"), "{said}");
    let run = |process: &str| {
        let args = ["stats", DATA, "-o", "b.pb", "--hosts", "hosts", "--states", "s"];
        let mut command = place.command(&[&args[..], &["--process", process]].concat());
        command.env("FRAZIL_TOKEN", "secret").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let [second, first] = ["1", "0"].map(run);
    let [second, first] = [second, first].map(|child| child.wait_with_output().unwrap());
    let said = String::from_utf8(first.stderr).unwrap();
    assert_eq!(first.status.code(), Some(0), "{said}");
    assert!(said.contains("300 counted"), "{said}");
    assert_eq!(second.status.code(), Some(0));
    assert_eq!(String::from_utf8(second.stderr).unwrap(), "");
    assert_eq!(place.bytes("a.pb"), place.bytes("b.pb"));
    // Each machine keeps the states of the shards that it has read.
    place.ok(&["stats", "merge", "s/process-000", "s/process-001", "-q", "-o", "c.pb"]);
    assert_eq!(place.bytes("a.pb"), place.bytes("c.pb"));
}

#[test]
fn kept_states_are_merged_without_the_data() {
    let place = Place::with_data();
    let slice = ["--slice", "payment_type"];
    place.ok(&[&["stats", DATA, "-o", "whole.pb"][..], &slice].concat());
    for (states, shards, processes) in [("one", vec![0], "1"), ("two", vec![1, 2], "2")] {
        let files: Vec<String> =
            shards.iter().map(|i| format!("data/taxi-{i:05}-of-00003.tfrecord")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let run = ["--processes", processes, "--workers", "1", "-q", "-o", "x.pb"];
        place.ok(&[&["stats", "--states", states][..], &run, &slice, &files].concat());
    }
    std::fs::rename(place.path("data"), place.path("moved")).unwrap();
    let ran = place.ok(&["stats", "merge", "two", "one", "-o", "merged.pb"]);
    assert!(ran.stderr.starts_with("merged 300 rows of 3 shards in "), "{}", ran.stderr);
    assert_eq!(place.bytes("whole.pb"), place.bytes("merged.pb"));
    std::fs::create_dir(place.path("copy")).unwrap();
    for name in place.names("one") {
        std::fs::copy(place.path("one").join(&name), place.path("copy").join(&name)).unwrap();
    }
    let said = place.fails(&["stats", "merge", "one", "copy"]);
    assert!(said.contains("hint: Its rows would be counted twice"), "{said}");
    place.ok(&[
        "stats",
        "--states",
        "other",
        "-q",
        "-o",
        "x.pb",
        "moved/taxi-00000-of-00003.tfrecord",
    ]);
    let said = place.fails(&["stats", "merge", "one", "other"]);
    assert!(said.contains("different options"), "{said}");
}

#[test]
fn damaged_shards_leave_no_result_unless_they_may() {
    let place = Place::with_data();
    let shard = "data/taxi-00001-of-00003.tfrecord";
    let bytes = place.bytes(shard);
    std::fs::write(place.path(shard), &bytes[..bytes.len() - 10]).unwrap();
    let said = place.fails(&["stats", DATA, "-o", "a.pb", "--receipt", "r.json"]);
    assert!(said.contains("taxi-00001-of-00003.tfrecord"), "{said}");
    assert!(said.contains("hint: Pass `--max-bad-shards 1`"), "{said}");
    assert_eq!(place.names("."), ["data"]);

    let flags = ["-o", "a.pb", "--receipt", "r.json", "--max-bad-shards", "1"];
    let ran = place.ok(&[&["stats", DATA][..], &flags].concat());
    assert!(ran.stderr.contains("299 counted, 1 rejected"), "{}", ran.stderr);
    assert!(ran.stderr.contains("record 99 at byte"), "{}", ran.stderr);
    let receipt: serde_json::Value = serde_json::from_slice(&place.bytes("r.json")).unwrap();
    assert_eq!(receipt["counted"], 299);
    assert_eq!(receipt["failed_shards"], 1);
    let shard = &receipt["shards"][1];
    assert_eq!(shard["read"], 100);
    assert_eq!(shard["reasons"][0]["record"], 99);
    assert_eq!(shard["reasons"][0]["fatal"], true);

    // A record whose content is wrong, but not its frame.
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    std::fs::write(place.path("data/taxi-00001-of-00003.tfrecord"), flipped).unwrap();
    let said = place.fails(&["stats", DATA, "-o", "b.pb"]);
    assert!(said.contains("--max-bad-records"), "{said}");
    let ran = place.ok(&["stats", DATA, "-o", "b.pb", "--max-bad-records", "1"]);
    assert!(ran.stderr.contains("299 counted, 1 rejected"), "{}", ran.stderr);
}

#[test]
fn inputs_are_never_overwritten() {
    let place = Place::new();
    place.write("a.json", "x\n1\n");
    let said = place.fails(&["stats", "a.json", "--format", "csv", "-o", "./a.json"]);
    assert!(said.contains("is an input"), "{said}");
    let said = place.fails(&["stats", "a.json", "--format", "csv", "--receipt", "a.json"]);
    assert!(said.contains("is an input"), "{said}");
    assert_eq!(place.bytes("a.json"), b"x\n1\n");
}

/// The JSON statistics of the features of a run.
fn features(place: &Place, args: &[&str]) -> Vec<serde_json::Value> {
    let ran = place.ok(&[&["stats", "--json", "-q"][..], args].concat());
    let mut whole: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    match whole["datasets"][0]["features"].take() {
        serde_json::Value::Array(features) => features,
        other => panic!("{other}"),
    }
}

#[test]
fn csv_columns_get_the_types_of_all_their_cells() {
    let place = Place::new();
    place.write("a.csv", "i,f,s,l\n1,2,x,1|2\n-3,0.5,7,3\n");
    let check = |args: &[&str], expected: &[(&str, Option<&str>)]| {
        let found = features(&place, args);
        let found: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|f| (f["path"]["step"][0].as_str().unwrap(), f["type"].as_str()))
            .collect();
        assert_eq!(found, expected, "{args:?}");
    };
    // INT is 0, and fields of value 0 are not written.
    let (int, float, string) = (None, Some("FLOAT"), Some("STRING"));
    check(&["a.csv"], &[("f", float), ("i", int), ("l", string), ("s", string)]);
    let lists = ["a.csv", "--multivalent-columns", "l"];
    check(&lists, &[("f", float), ("i", int), ("l", int), ("s", string)]);
    check(&["a.csv", "--features", "s"], &[("s", string)]);
    place.write(
        "schema.pbtxt",
        "feature { name: 'i' type: FLOAT } feature { name: 's' type: BYTES }",
    );
    let schema = ["a.csv", "--schema", "schema.pbtxt", "--infer-type-from-schema"];
    check(&schema, &[("i", float), ("s", string)]);
    place.write("b.tsv", "1\tx\n2\ty\n");
    let names = ["b.tsv", "--delimiter", "tab", "--column-names", "n,t"];
    check(&names, &[("n", int), ("t", string)]);
}

#[test]
fn formats_hold_the_same_rows() {
    let place = Place::new();
    for format in ["tfrecord", "parquet", "csv"] {
        let args = ["--rows", "3000", "--shards", "2", "--format", format, "-q"];
        let said = place.ok(&[&["generate", format][..], &args].concat());
        assert_eq!(said.stdout, format!("{format}/taxi@2.{format}\n"));
        assert_eq!(said.stderr, "");
        let names = [0, 1].map(|i| format!("taxi-0000{i}-of-00002.{format}"));
        assert_eq!(place.names(format), names);
    }
    let missing = |format: &str| -> Vec<serde_json::Value> {
        let found = features(&place, &[format]);
        let common = |f: &serde_json::Value| {
            let of = ["num_stats", "string_stats"].map(|kind| f[kind]["common_stats"].clone());
            let [number, string] = of;
            let common = if number.is_null() { string } else { number };
            serde_json::json!([f["path"], f["type"], common["num_non_missing"]])
        };
        found.iter().map(common).collect()
    };
    let expected = missing("tfrecord");
    assert_eq!(expected.len(), 18);
    assert_eq!(missing("parquet"), expected);
    assert_eq!(missing("csv"), expected);
}

#[test]
fn nobody_listening_is_no_failure() {
    let place = Place::with_data();
    let mut child = place
        .command(&["stats", "--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let mut child = place
        .command(&["stats", DATA, "-q"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[cfg(unix)]
#[test]
fn an_interrupted_generation_leaves_no_file() {
    let place = Place::new();
    let child = place
        .command(&["generate", "big", "--rows", "100M", "--shards", "2", "-q"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let big = place.path("big");
    let is_begun = || std::fs::read_dir(&big).is_ok_and(|mut entries| entries.next().is_some());
    while !is_begun() {
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "interrupted\n");
    assert!(place.names("big").is_empty(), "{:?}", place.names("big"));
}

#[test]
fn the_demo_shows_what_there_is() {
    let place = Place::new();
    let ran = place.ok(&["demo", "--rows", "2000", "--dir", "d"]);
    let told = ["2,000 examples", "trip_id", "Mobile", "input_word_ids", "What to type next"];
    for word in told {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let mut made = vec!["anomalies.pbtxt", "data", "examples", "graph", "graph.svg", "next"];
    made.extend(["next.pb", "receipt.json", "report.html", "schema.pbtxt", "stats.pb"]);
    made.extend(["stats.pbtxt", "taxi.star", "texts", "transformed"]);
    if cfg!(feature = "train") {
        made.extend(["eval_config.json", "evaluation", "model"]);
        assert!(place.path("d/evaluation/BLESSED").exists(), "{}", ran.stdout);
        assert!(place.path("d/texts/model/model.json").exists());
        if cfg!(feature = "serve") {
            made.push("serving");
            assert!(ran.stdout.contains("{\"predictions\":["), "{}", ran.stdout);
        }
        made.sort_unstable();
    }
    assert_eq!(place.names("d"), made);
    assert!(ran.stderr.contains("$ frazil stats d/data/trips@8.tfrecord"), "{}", ran.stderr);
}

#[test]
fn the_real_taxi_data_adds_up() {
    let shards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/taxi/tfrecord");
    if !shards.exists() {
        eprintln!("skipped: there is no {}", shards.display());
        return;
    }
    let place = Place::new();
    let ran = place.ok(&["stats", shards.to_str().unwrap(), "-o", "a.pb"]);
    assert!(ran.stderr.contains("15,002 counted, 0 rejected"), "{}", ran.stderr);
}

#[test]
fn operations_are_listed_and_explained() {
    let place = Place::new();
    let list = place.ok(&["ops"]).stdout;
    let json: serde_json::Value =
        serde_json::from_str(&place.ok(&["ops", "--json"]).stdout).unwrap();
    let rows = json["ops"].as_array().unwrap();
    assert_eq!(rows.len(), transform::ops::OPS.len());
    for (op, row) in transform::ops::OPS.iter().zip(rows) {
        assert!(list.contains(&format!("  {}(", op.name)), "{}", op.name);
        assert!(list.contains(&format!("      {}\n", op.doc)), "{}", op.name);
        assert_eq!(row["name"], op.name);
        assert_eq!(row["params"].as_array().unwrap().len(), op.params.len());
    }
    let page = place.ok(&["ops", "tf.multiply"]).stdout;
    for part in [
        "math.multiply(x, y)\n",
        "the product of two numbers: `x * y`: of each row alone.\n",
        "Also: tf.math.multiply, tf.multiply.\n",
        "Both are of one dtype; integers wrap.\n",
        "  x  left operand (column or constant)\n",
        "  x * 0.2\n",
    ] {
        assert!(page.contains(part), "{part:?} in {page}");
    }
    let scaling = place.ok(&["ops", "tft.scale_to_z_score"]).stdout;
    assert!(scaling.contains("tft.scale_to_z_score(x, elementwise=False, output_dtype=None)\n"));
    let math = place.ok(&["ops", "math"]).stdout;
    assert!(math.contains("  math.add(x, y)\n") && !math.contains("  tft."), "{math}");
    let error = place.fails(&["ops", "tft.scale_to_zscore"]);
    assert_eq!(
        error,
        "error: there is no operation `tft.scale_to_zscore`\n  hint: Is `tft.scale_to_z_score` meant?\n"
    );
}
