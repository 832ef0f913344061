//! `frazil analyze`, `transform` and `graph`: whole commands, and the same bytes however they run.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datasets::{ReadOptions, inputs};
use transform::{Tensor, TransformGraph};

use crate::cli::Place;

const MODULE: &str = include_str!("../../datasets/modules/taxi.star");

/// Three shards of data, more rows, from which the schema is, and the module.
fn place() -> Place {
    let place = Place::with_data();
    place.write("taxi.star", MODULE);
    // So many that each column has some value.
    place.ok(&["generate", "more", "--rows", "5000", "--shards", "1", "-q"]);
    place.ok(&["schema", "infer", "more", "-o", "schema.pbtxt"]);
    place
}

/// Every file of a directory, by name.
pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn graphs_and_rows_have_the_same_bytes_however_they_are_made() {
    let place = place();
    let analyze = ["analyze-and-transform", "data", "--preprocessing", "taxi.star", "--schema"];
    let analyze = [&analyze[..], &["schema.pbtxt", "-q"]].concat();
    let ways: [&[&str]; 5] = [
        &["--runner", "direct"],
        &["--workers", "1"],
        &["--workers", "4", "--batch-rows", "7"],
        &["--processes", "2", "--workers", "1", "--batch-rows", "33"],
        &["--workers", "2", "--memory", "1KiB"],
    ];
    for (i, way) in ways.iter().enumerate() {
        let (graph, rows) = (format!("graph-{i}"), format!("rows-{i}"));
        let ran = place.ok(&[&analyze[..], way, &["-o", &graph, "--transformed", &rows]].concat());
        assert_eq!(ran.stderr, "", "{way:?}");
        assert!(files(&place.path("graph-0")) == files(&place.path(&graph)), "{way:?}");
        assert!(files(&place.path("rows-0")) == files(&place.path(&rows)), "{way:?}");
    }
    // The graph from the disk gives what the graph in memory gave.
    let again = ["transform", "data", "--graph", "graph-0", "-o", "again", "--receipt", "r.json"];
    let said = place.ok(&again).stderr;
    assert!(said.contains("300 counted, 0 rejected"), "{said}");
    assert!(files(&place.path("rows-0")) == files(&place.path("again")));
    let receipt = String::from_utf8(place.bytes("again/_receipt.json")).unwrap();
    assert!(receipt.contains("\"rows\": 300"), "{receipt}");
    assert_eq!(place.names("again").len(), 4);
    single_rows(&place);
}

/// Rows one by one, without Arrow, against batches.
fn single_rows(place: &Place) {
    let graph = Arc::new(TransformGraph::load(&place.path("graph-0")).unwrap());
    let data = place.path("data").display().to_string();
    let files = inputs::resolve(&[data], None).unwrap().files;
    let source = datasets::open(files, None, &ReadOptions::default()).unwrap();
    for batch in source.read(0, 64).unwrap() {
        let records = batch.unwrap().records;
        let whole = graph.apply(&records).unwrap().records;
        for row in 0..records.num_rows() {
            let single = one_row(&graph, &records.slice(row, 1));
            let expected = whole.slice(row, 1);
            for (i, tensor) in single.iter().enumerate() {
                let ty = &graph.outputs()[i].1;
                let array = transform::arrow::to_array(tensor, ty).unwrap();
                assert_eq!(array.to_data(), expected.column(i).to_data(), "row {row}, output {i}");
            }
        }
    }
}

fn one_row(graph: &TransformGraph, records: &RecordBatch) -> Vec<Tensor> {
    let fed = transform::arrow::feed(records, graph.inputs()).unwrap();
    let mut row = graph.row();
    for ((name, _), tensor) in graph.inputs().iter().zip(fed.tensors) {
        assert!(graph.set_tensor(&mut row, name, tensor).unwrap());
    }
    graph.apply_row(&row).unwrap().to_vec()
}

#[test]
fn a_graph_is_shown_drawn_and_checked() {
    let place = place();
    let ran = place.ok(&["analyze", "more", "--preprocessing", "taxi.star", "-o", "graph"]);
    assert!(ran.stderr.contains("no `--schema`"), "{}", ran.stderr);
    let shown = place.ok(&["graph", "show", "graph"]).stdout;
    for words in ["inputs (", "fare_xf", "0..9", "tft.mean_and_var(fare)", "taxi.star:27"] {
        assert!(shown.contains(words), "no {words} in:\n{shown}");
    }
    // Columns that the module does not use are not inputs.
    assert!(!shown.contains("trip_start_timestamp"), "{shown}");
    let json = place.ok(&["graph", "show", "graph", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["outputs"].as_array().unwrap().len() > 9);
    let dot = place.ok(&["graph", "dot", "graph"]).stdout;
    assert!(dot.starts_with("digraph") && dot.contains(" -> "), "{dot}");
    place.ok(&["graph", "svg", "graph", "-o", "graph.svg"]);
    let svg = String::from_utf8(place.bytes("graph.svg")).unwrap();
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    assert!(svg.ends_with("</svg>\n") && svg.contains("fare_xf"), "{svg}");
    let checked = place.ok(&["graph", "check", "graph"]).stdout;
    assert!(checked.contains("golden rows to the bit"), "{checked}");
    let provenance = String::from_utf8(place.bytes("graph/provenance.json")).unwrap();
    assert!(provenance.contains("\"rows\": 5000"), "{provenance}");
    assert_eq!(place.bytes("graph/module/taxi.star"), MODULE.as_bytes());
}

#[test]
fn columns_of_modules_and_graphs_are_listed() {
    let place = Place::with_data();
    place.write(
        "m.star",
        "def preprocessing_fn(inputs):\n    mean = tft.mean(inputs[\"tips\"])\n    \
         return {\"o\": inputs[\"fare\"] - mean, \"n\": inputs[\"trip_seconds\"]}\n",
    );
    place.write(
        "m.pbtxt",
        "feature { name: 'fare' type: FLOAT } feature { name: 'tips' type: FLOAT }
         feature { name: 'trip_seconds' type: FLOAT } feature { name: 'company' type: BYTES }",
    );
    let module = ["--preprocessing", "m.star", "--schema", "m.pbtxt"];
    let columns = ["graph", "columns"];
    let shown = place.ok(&[&columns[..], &module].concat()).stdout;
    assert_eq!(shown, "analyzers read\n  tips\nrows must have\n  fare\n  trip_seconds\n");
    let json = |args: &[&str]| {
        let printed = place.ok(&[&columns[..], args, &["--json"]].concat()).stdout;
        serde_json::from_str::<serde_json::Value>(&printed).unwrap()
    };
    let rows = serde_json::json!(["fare", "trip_seconds"]);
    assert_eq!(json(&module), serde_json::json!({ "analyze": ["tips"], "transform": rows }));
    place.ok(&[&["analyze", "data", "-o", "graph", "-q"], &module[..]].concat());
    assert_eq!(json(&["graph"]), serde_json::json!({ "transform": rows }));
    let shown = place.ok(&["graph", "columns", "graph"]).stdout;
    assert_eq!(shown, "rows must have\n  fare\n  trip_seconds\n");
    assert!(place.fails(&columns).contains("DIR"));
}

#[test]
fn what_is_annotated_is_written() {
    let place = Place::with_data();
    place.write("note.txt", "a note");
    place.write(
        "m.star",
        "def preprocessing_fn(inputs):\n    tips = inputs[\"tips\"]\n    \
         tft.vocabulary(inputs[\"company\"], vocab_filename = \"companies\")\n    \
         tft.annotate_asset(\"names\", \"companies\")\n    tft.annotate_asset(\"note\", \"note.txt\")\n    \
         tft.experimental.annotate_sparse_output_shape(tips, [5])\n    return {\"tips\": tips}\n",
    );
    place.write(
        "m.pbtxt",
        "feature { name: 'tips' type: FLOAT } feature { name: 'company' type: BYTES }",
    );
    let module = ["--preprocessing", "m.star", "--schema", "m.pbtxt", "-q"];
    place.ok(&[&["analyze", "data", "-o", "graph"], &module[..]].concat());
    assert_eq!(place.bytes("graph/assets/note.txt"), b"a note");
    let shown = place.ok(&["graph", "show", "graph"]).stdout;
    assert!(shown.contains("names  companies") && shown.contains("note   note.txt"), "{shown}");
    let schema = String::from_utf8(place.bytes("graph/output_schema.pbtxt")).unwrap();
    assert!(schema.contains("sparse_feature {\n  name: \"tips\""), "{schema}");
    place.ok(&["transform", "data", "-g", "graph", "-o", "out", "-q"]);
    let shown = place.ok(&["stats", "out", "--json", "-q"]).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let features = shown["datasets"][0]["features"].as_array().unwrap();
    let path =
        |feature: &serde_json::Value| feature["path"]["step"][0].as_str().unwrap().to_owned();
    let names: Vec<String> = features.iter().map(path).collect();
    assert_eq!(names, ["tips$sparse_indices_0", "tips$sparse_values"]);
}

#[test]
fn parquet_keeps_the_values() {
    let place = place();
    let module = ["--preprocessing", "taxi.star", "--schema", "schema.pbtxt", "-q"];
    place.ok(&[&["analyze", "data", "-o", "graph"], &module[..]].concat());
    let to = |format: &str| {
        let out = format!("out-{format}");
        place.ok(&["transform", "data", "-g", "graph", "-o", &out, "--write-format", format, "-q"]);
        let shown = place.ok(&["stats", &out, "--json", "-q"]).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["datasets"][0]["features"].as_array().unwrap().len()
    };
    assert_eq!(to("parquet"), to("tfrecord"));
}

#[test]
fn what_is_wrong_is_said() {
    let place = place();
    let fails = |args: &[&str], words: &[&str]| {
        let said = place.fails(args);
        for word in words {
            assert!(said.contains(word), "{args:?}: no {word:?} in {said}");
        }
    };
    let analyze = |module: &str, words: &[&str]| {
        place.write("bad.star", module);
        let args = ["analyze", "data", "--preprocessing", "bad.star", "--schema", "schema.pbtxt"];
        fails(&[&args[..], &["-o", "graph", "-q"]].concat(), words);
        assert!(!place.path("graph").exists());
    };
    analyze("x = 1\n", &["preprocessing_fn"]);
    let of = |body: &str| format!("def preprocessing_fn(inputs):\n    return {{\"o\": {body}}}\n");
    analyze(&of("inputs[\"fair\"]"), &["fair", "bad.star"]);
    analyze(&of("tft.scale_to_z_scor(inputs[\"fare\"])"), &["scale_to_z_score"]);
    analyze(&of("tft.mean(inputs[\"fare\"])"), &["not a column"]);
    let tokenize = |of_what: &str| {
        of(&format!("text.tokenize(inputs[\"payment_type\"], text.bert_tokenizer({of_what}))"))
    };
    analyze(&tokenize(""), &["neither `vocab` nor `tokenizer_json` is given", "bad.star:2"]);
    place.write("a.txt", "[UNK]\na\n");
    place.write("a.json", "{");
    analyze(&tokenize("tokenizer_json=\"a.json\""), &["a.json", "bad.star:2"]);
    analyze(&tokenize("\"a.txt\", tokenizer_json=\"a.json\""), &["are both given", "bad.star:2"]);
    analyze(&tokenize("\"../a.txt\""), &["`../a.txt` is no file that a module may read"]);
    analyze(&tokenize("\"b.txt\""), &["there is no `./b.txt`"]);
    analyze("load(\"../secret.star\", \"x\")\n", &["secret"]);
    fails(&["graph", "show", "nowhere"], &["there is no graph at `nowhere`"]);
    fails(&["graph", "check", "data"], &["holds no graph"]);
    fails(&["transform", "data", "--graph", "data", "-o", "out"], &["holds no graph"]);
    let no_module = ["analyze", "data", "--preprocessing", "no.star", "-o", "graph", "-q"];
    fails(&no_module, &["no.star"]);

    let module = ["--preprocessing", "taxi.star", "--schema", "schema.pbtxt", "-q"];
    let good = [&["analyze", "data", "-o", "graph"], &module[..]].concat();
    place.ok(&good);
    fails(&good, &["`graph` is there already", "--overwrite"]);
    place.ok(&[&good[..], &["--overwrite"]].concat());
    fails(&[&["analyze", "data", "-o", "data"], &module[..]].concat(), &["holds other files"]);
    fails(&["transform", "data", "-g", "graph", "-o", "data/in"], &["is inside of an input"]);

    // A column that the schema does not say enough of, or that no row has.
    place.write("few.csv", "fare,tips\n1.5,\n");
    place.write("bad.star", &of("inputs[\"tips\"]"));
    place.write("few.pbtxt", "feature { name: \"tips\" }");
    let few = ["analyze", "few.csv", "--preprocessing", "bad.star", "-o", "few", "-q"];
    let untyped = [&few[..], &["--schema", "few.pbtxt"]].concat();
    fails(&untyped, &["column `tips` has no type in `few.pbtxt`", "bad.star:2", "type: INT"]);
    place.write("bad.star", &of("inputs[\"company\"]"));
    fails(&few, &["there is no `company` in the dict", "The schema was inferred", "bad.star:2"]);

    // Data without what every row must have.
    place.write("few.csv", "fare,tips\n1.5,2\n");
    place.ok(&["generate", "other", "--rows", "9", "--shards", "1", "--wide", "4", "-q"]);
    let other = ["transform", "other", "-g", "graph", "-o", "out"];
    let ran = place.run(&other);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("is missing; the graph needs it in every row"), "{}", ran.stderr);
    assert!(!place.path("out").exists());
    let ran = place.ok(&[&other[..], &["--max-bad-records", "9"]].concat());
    assert!(ran.stderr.contains("0 counted, 9 rejected"), "{}", ran.stderr);

    // A graph that somebody has changed.
    let golden = place.path("graph/graph.json");
    let text = std::fs::read_to_string(&golden).unwrap();
    std::fs::write(&golden, text.replacen("fare", "fair", 1)).unwrap();
    fails(&["graph", "check", "graph"], &["`graph.json` of the graph has changed"]);
    let ran = place.run(&["graph", "check", "graph", "--json"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("\"ok\": false"), "{}", ran.stdout);
}
