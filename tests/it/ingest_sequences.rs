//! `frazil ingest` of tf.SequenceExamples: Parquet files that say what the records said.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use datasets::{ExampleDecoder, Payload, TfRecordWriter};

use crate::cli::Place;
use crate::ingest::{WAYS, golden, receipt, records};
use crate::transform_cli::files;

/// A delimited field of a message, shorter than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8][..], content].concat()
}

fn ints(values: &[u8]) -> Vec<u8> {
    field(3, &if values.is_empty() { vec![] } else { field(1, values) })
}

fn bytes(values: &[&[u8]]) -> Vec<u8> {
    field(1, &values.iter().flat_map(|value| field(1, value)).collect::<Vec<_>>())
}

fn floats(values: &[f32]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    field(2, &field(1, &values))
}

/// A map of names to messages, as a field of a message.
fn map(number: u8, entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entry = |(name, value): &(&str, Vec<u8>)| {
        field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
    };
    let message: Vec<u8> = entries.iter().flat_map(entry).collect();
    // Longer than 127 bytes: a length of two bytes.
    let len = message.len();
    [&[number << 3 | 2, len as u8 | 0x80, (len >> 7) as u8][..], &message].concat()
}

/// Row `i` of a file: lists that some rows lack, empty ones, and ones whose features have no kind.
fn row(i: usize, is_late: bool) -> Vec<u8> {
    let (byte, mut context, mut lists) = ((i % 100) as u8, Vec::new(), Vec::new());
    let every = |n: usize| i.is_multiple_of(n);
    let mut list = |name, features: Vec<Vec<u8>>| {
        let features = features.iter().flat_map(|feature| field(1, feature));
        lists.push((name, features.collect()));
    };
    if !every(3) {
        context.push(("id", ints(&[byte])));
    }
    if every(7) {
        context.push(("kindless", vec![]));
    }
    if every(11) {
        context.push(("score", floats(&[i as f32 / 3.0, f32::NAN])));
    }
    if !every(4) {
        list("tokens", vec![bytes(&[b"\xff", b""]), bytes(&[]), bytes(&[&[byte]])]);
    }
    if !every(6) {
        let number = || floats(&vec![i as f32; i % 3]);
        let feature = |k: usize| if (i + k).is_multiple_of(2) { number() } else { vec![] };
        list("x", (0..i % 4).map(feature).collect());
    }
    if every(9) {
        list("empty", vec![]);
    }
    if every(10) {
        list("kindless", vec![vec![]; i % 3]);
    }
    if is_late && !every(2) {
        list("late", vec![ints(&[byte, 1]), ints(&[])]);
    }
    if is_late && every(5) {
        context.push(("late", bytes(&[b"z"])));
    }
    [map(1, &context), map(2, &lists)].concat()
}

fn write(place: &Place, name: &str, rows: impl Iterator<Item = Vec<u8>>) {
    let path = place.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut out = TfRecordWriter::new(std::fs::File::create(path).unwrap());
    rows.for_each(|row| out.write(&row).unwrap());
}

/// Three files, of which the first lacks what comes late in the second; and one without any lists.
fn ugly() -> Place {
    let place = Place::new();
    write(&place, "ugly/a.tfrecord", (0..200).map(|i| row(i, false)));
    write(&place, "ugly/b.tfrecord", (0..300).map(|i| row(i, i > 150)));
    write(&place, "ugly/c.tfrecord", (0..100).map(|i| row(i, true)));
    let bare = (1..50).map(|i| [map(1, &[("id", ints(&[i]))]), map(2, &[])].concat());
    write(&place, "ugly/d.tfrecord", bare);
    place
}

/// The columns of records, but for those that have no kind: nothing of them is left in a Parquet file.
pub(crate) fn decoded(records: &[Vec<u8>]) -> RecordBatch {
    let mut decoder = ExampleDecoder::new(Payload::SequenceExample, None);
    records.iter().for_each(|record| decoder.push(record).unwrap());
    let all = decoder.finish().unwrap();
    let schema = all.schema();
    let has_kind = |i: &usize| *schema.field(*i).data_type() != DataType::Null;
    all.project(&(0..all.num_columns()).filter(has_kind).collect::<Vec<_>>()).unwrap()
}

#[test]
fn parquet_has_the_statistics_of_the_records() {
    let place = ugly();
    std::fs::create_dir(place.path("golden")).unwrap();
    std::fs::copy(golden("sequences.tfrecord"), place.path("golden/a.tfrecord")).unwrap();
    // Of many shards some know no kind of some lists.
    for (input, shards) in [("ugly", "2"), ("ugly", "60"), ("golden", "2")] {
        let judge = format!("{input}-{shards}.pbtxt");
        place.ok(&["schema", "infer", input, "-o", &judge, "-q"]);
        let of = |format: &str, split: &str| {
            let out = format!("{input}-{format}-{shards}");
            let args = ["ingest", input, "-o", &out, "--overwrite", "--write-format", format, "-q"];
            place.ok(&[&args[..], &["--shards", shards]].concat());
            let split = format!("{out}/Split-{split}");
            let (stats, schema) = (format!("{split}.pbtxt"), format!("{split}-schema.pbtxt"));
            place.ok(&["stats", &split, "-o", &stats, "-q", "--batch-rows", "1"]);
            place.ok(&["schema", "infer", &split, "-o", &schema, "-q"]);
            let rows = receipt(&place, &out)["splits"].clone();
            let rows: Vec<_> = rows.as_array().unwrap().iter().map(|s| s["rows"].clone()).collect();
            let text = |name: &str| String::from_utf8(place.bytes(name)).unwrap();
            let rejects = ["--rejects", "bad", "--overwrite", "-q"];
            place.ok(&[&["validate", &split, "--schema", &judge], &rejects[..]].concat());
            // What is told of rows, wherever they are.
            let feature = |line: &str| line[line.find("\"feature\"").unwrap()..].to_owned();
            let mut reasons: Vec<_> = text("bad/_reasons.jsonl").lines().map(feature).collect();
            reasons.sort();
            (rows, text(&stats), text(&schema), reasons)
        };
        for split in ["train", "eval"] {
            let (records, columns) = (of("tfrecord", split), of("parquet", split));
            assert!(records.1.contains("step: \"##SEQUENCE##\""), "{}", records.1);
            assert_eq!(records, columns, "{input} {shards} {split}");
        }
    }
}

#[test]
fn records_come_back_from_parquet() {
    let place = ugly();
    let ingest = |input: &str, out: &str, format: &str| {
        let args =
            ["ingest", input, "-o", out, "--write-format", format, "--splits", "all:1", "-q"];
        place.ok(&[&args[..], &["--no-shuffle"]].concat());
    };
    ingest("ugly", "all", "tfrecord");
    ingest("ugly", "columns", "parquet");
    ingest("columns/Split-all", "back", "tfrecord");
    let name = "Split-all/data_tfrecord-00000-of-00001";
    let [all, back] = ["all", "back"].map(|out| records(&place.path(&format!("{out}/{name}"))));
    assert!(decoded(&all) == decoded(&back));
    // Again as Parquet, and both as rows that agree with a schema.
    ingest("columns/Split-all", "again", "parquet");
    assert!(files(&place.path("columns/Split-all")) == files(&place.path("again/Split-all")));
    place.ok(&["schema", "infer", "all/Split-all", "-o", "schema.pbtxt", "-q"]);
    for (input, format) in [("all", "tfrecord"), ("columns", "tfrecord"), ("columns", "parquet")] {
        let (input, kept) = (format!("{input}/Split-all"), "--schema=schema.pbtxt");
        let out = ["--clean=clean", "--rejects=bad", "--overwrite", "--write-format", format];
        place.ok(&[&["validate", &input, kept, "-q"], &out[..]].concat());
        let clean = files(&place.path("clean")).pop().unwrap();
        if format == "parquet" {
            let stats = |input: &str| place.ok(&["stats", input, "--json", "-q"]).stdout;
            let [was, is] = ["columns/Split-all", "clean"].map(stats);
            assert_eq!(was.replace("columns/Split-all", "clean"), is);
        } else {
            let clean = records(&place.path("clean").join(&clean.0));
            assert!(decoded(&clean) == decoded(&all), "{input}");
        }
    }
    // Columns that come late are in the table wherever batches end.
    let tables = ["20", "1000"].map(|rows| {
        let args = ["validate", "all/Split-all", "--schema=schema.pbtxt", "-q", "--clean=clean"];
        let format = ["--overwrite", "--write-format=parquet", "--batch-rows", rows];
        place.ok(&[&args[..], &format].concat());
        let stats = place.ok(&["stats", "clean", "--json", "-q"]).stdout;
        (files(&place.path("clean")), stats)
    });
    assert!(tables[0] == tables[1]);
    let stats = place.ok(&["stats", "columns/Split-all", "--json", "-q"]).stdout;
    assert_eq!(stats.replace("columns/Split-all", "clean"), tables[0].1);
    let csv = ["--clean=clean", "--overwrite", "--write-format=csv"];
    let args = ["validate", "columns/Split-all", "--schema=schema.pbtxt", "-q"];
    let said = place.fails(&[&args[..], &csv].concat());
    assert!(said.contains("is no cell") && said.contains("Write Parquet files instead."), "{said}");
}

#[test]
fn parquet_has_the_same_bytes_however_it_is_made() {
    let place = ugly();
    place.ok(&["ingest", "ugly/b.tfrecord", "-o", "b", "--write-format", "parquet", "-q"]);
    let kinds: [&[&str]; 2] = [&["ugly", "--shards", "2"], &["a=ugly/b.tfrecord", "b=b/Split-*"]];
    for (k, kind) in kinds.iter().enumerate() {
        for (i, way) in WAYS.iter().enumerate() {
            let out = format!("out-{k}-{i}");
            let args = [&["ingest", "-o", &out, "--write-format", "parquet", "-q"], *kind, way];
            let ran = place.ok(&args.concat());
            assert_eq!(ran.stderr, "", "{kind:?} {way:?}");
            let [first, found] = [&format!("out-{k}-0"), &out].map(|out| files(&place.path(out)));
            assert!(first == found, "{kind:?} {way:?}");
        }
    }
    assert_eq!(receipt(&place, "out-0-0")["rows"], 649);
}

#[test]
fn what_parquet_cannot_hold_is_said() {
    let place = Place::new();
    let list = |feature: Vec<u8>| map(2, &[("f", field(1, &feature))]);
    write(&place, "types/a.tfrecord", (0..3).map(|_| list(ints(&[1]))));
    write(&place, "types/b.tfrecord", (0..3).map(|_| list(floats(&[1.0]))));
    write(&place, "nothing/a.tfrecord", (0..3).map(|_| map(2, &[])));
    let fails = |input: &str, words: &[&str]| {
        let said = place.fails(&["ingest", input, "-o", "out", "--write-format", "parquet"]);
        assert!(words.iter().all(|words| said.contains(words)), "{said}");
        assert_eq!(said.matches("error:").count(), 1, "{said}");
        assert!(!place.path("out").exists());
    };
    let types = "It is Int64 in some rows and Float32 in others. Seen in shard `";
    fails("types", &["column `##SEQUENCE##.f` has two types", types, "b.tfrecord`."]);
    fails("nothing", &["rows without any column cannot be written as Parquet"]);

    // A split without rows is a file that can be read.
    write(&place, "one/a.tfrecord", std::iter::once(list(ints(&[1]))));
    for format in ["tfrecord", "parquet"] {
        let args = ["ingest", "one", "-o", format, "--write-format", format, "-q"];
        place.ok(&[&args[..], &["--splits", "a:1,b:1"]].concat());
        let of = |split: &str| {
            let ran = place.ok(&["scan", &format!("{format}/Split-{split}"), "-q"]);
            ran.stdout.trim().parse::<u64>().unwrap()
        };
        assert_eq!(of("a") + of("b"), 1);
    }
    assert!(Path::new(&place.path("parquet/Split-b")).is_dir());
}
