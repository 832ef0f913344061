//! From rows to a trained model and its answers: whole commands, and one set of bits for all of them.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use datasets::{ReadOptions, inputs};
use engine::Batch;
use model::Bundle;
use serde_json::Value;

use crate::cli::Place;
use crate::transform_cli::files;

const MODULE: &str = r#"
def preprocessing_fn(inputs):
    return {
        "x_xf": tft.scale_to_z_score(tft.fill_in_missing(inputs["x"])),
        "word_xf": tft.compute_and_apply_vocabulary(tft.fill_in_missing(inputs["word"]), num_oov_buckets=1),
        "y_xf": tft.fill_in_missing(inputs["y"]),
    }
"#;

/// Rows whose label is whether `x` is above 0, turned over for some words.
fn rows(range: std::ops::Range<u32>) -> String {
    let mut text = "id,x,word,y\n".to_owned();
    for n in range {
        let x = f64::from(n.wrapping_mul(2_654_435_761) % 2001) / 1000.0 - 1.0;
        let word = ["plain", "odd", "calm", "off"][(n.wrapping_mul(40_503) >> 3) as usize % 4];
        let label = u8::from((x > 0.0) != word.starts_with('o'));
        let _ = writeln!(text, "{n},{x},{word},{label}");
    }
    text
}

/// Rows to learn from and to be judged by, and a model.
fn place() -> Place {
    let place = Place::new();
    place.write("train.csv", &rows(0..2000));
    place.write("eval.csv", &rows(5000..5300));
    place.write("m.star", MODULE);
    place.ok(&["analyze", "train.csv", "--preprocessing", "m.star", "-o", "graph", "-q"]);
    train(&place, "model", &STRONG);
    place
}

const STRONG: [&str; 4] = ["--learning-rate", "0.02", "--epochs", "3"];

fn train(place: &Place, output: &str, options: &[&str]) -> Value {
    let command = ["train", "train.csv", "--eval", "eval.csv", "--graph", "graph", "--label"];
    let command = [&command[..], &["y_xf", "-o", output, "--json", "-q"]].concat();
    let small = ["--hidden", "16", "--batch", "64"];
    let ran = place.ok(&[&command[..], &small, options].concat());
    serde_json::from_str(&ran.stdout).unwrap()
}

fn batches(place: &Place, path: &str) -> Vec<Batch> {
    let files = inputs::resolve(&[place.path(path).display().to_string()], None).unwrap().files;
    let source = datasets::open(files, None, &ReadOptions::default()).unwrap();
    let shards = 0..source.shards().len();
    shards.flat_map(|shard| source.clone().read(shard, 64).unwrap().map(Result::unwrap)).collect()
}

/// The bits of a column of floats with one in every row.
fn bits(batches: &[Batch], column: &str) -> Vec<u32> {
    let mut bits = Vec::new();
    for batch in batches {
        let array = batch.records.column_by_name(column).unwrap();
        let array = array.as_list_opt::<i32>().map_or(array, |list| list.values());
        let values = array.as_primitive::<Float32Type>().values();
        assert_eq!(values.len(), batch.records.num_rows());
        bits.extend(values.iter().map(|x| x.to_bits()));
    }
    bits
}

#[test]
fn a_row_has_one_prediction_whoever_makes_it() {
    let place = place();
    let predict = ["predict", "eval.csv", "--model", "model", "--with-label", "--keep", "id,word"];
    let ways: [(&str, &[&str]); 4] = [
        ("examples", &[]),
        ("again", &["--workers", "2", "--batch-rows", "7"]),
        ("direct", &["--runner", "direct", "--batch-rows", "1"]),
        ("columns", &["--write-format", "parquet", "--workers", "1"]),
    ];
    for (output, way) in ways {
        let ran = place.ok(&[&predict[..], &["-o", output], way].concat());
        assert!(ran.stderr.contains("300 counted, 0 rejected"), "{}", ran.stderr);
    }
    for other in ["again", "direct"] {
        assert!(files(&place.path("examples")) == files(&place.path(other)), "{other}");
    }
    let written = batches(&place, "examples");
    let scores = bits(&written, "score");
    assert_eq!(scores.len(), 300);
    assert_eq!(scores, bits(&batches(&place, "columns"), "score"));

    // By the library: all rows at once, and one by one.
    let bundle = Bundle::load(&place.path("model")).unwrap();
    let predictor = Arc::new(bundle.predictor);
    place.ok(&["ingest", "raw=eval.csv", "-o", "raw", "--no-shuffle", "-q"]);
    let mut n = 0;
    for batch in batches(&place, "raw/Split-raw") {
        let records = batch.records;
        let all = predictor.predict(&records).unwrap();
        assert!(all.bad.is_empty());
        let all = all.records.column(0).as_primitive::<Float32Type>().clone();
        for row in 0..records.num_rows() {
            let alone = predictor.predict(&records.slice(row, 1)).unwrap().records;
            let alone = alone.column(0).as_primitive::<Float32Type>().value(0).to_bits();
            assert_eq!([alone, all.value(row).to_bits()], [scores[n]; 2], "row {n}");
            n += 1;
        }
    }
    assert_eq!(n, 300);

    // The trainer judged the model by the very same scores.
    let labels = written.iter().flat_map(|batch| {
        let labels = batch.records.column_by_name("y_xf").unwrap().as_list::<i32>();
        labels.values().as_primitive::<Int64Type>().values().to_vec()
    });
    let losses = labels.zip(&scores).map(|(label, bits)| {
        let score = f64::from(f32::from_bits(*bits));
        -(if label == 1 { score } else { 1.0 - score }).max(1e-7).ln()
    });
    let loss = losses.sum::<f64>() / 300.0;
    assert_eq!(loss.to_bits(), bundle.metrics["eval_loss"].to_bits());
    assert!(bundle.metrics["eval_accuracy"] > 0.9, "{:?}", bundle.metrics);
}

#[test]
fn a_model_is_evaluated_on_raw_rows_and_against_another() {
    let place = place();
    let weak = train(&place, "weak", &["--epochs", "1", "--learning-rate", "0.0001"]);
    let evaluate = ["evaluate", "eval.csv", "--model", "model", "--slice", "word", "--json", "-q"];
    let found: Value = serde_json::from_str(&place.ok(&evaluate).stdout).unwrap();
    let slices = found["evaluation"]["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 5);
    let value = |slice: &Value, name: &str| slice["metrics"][name]["value"].as_f64().unwrap();
    assert_eq!(value(&slices[0], "example_count"), 300.0);
    // The same numbers as from predictions in files, and as the trainer found.
    place.ok(&[
        "predict",
        "eval.csv",
        "--model",
        "model",
        "--with-label",
        "--keep",
        "word",
        "-o",
        "s",
    ]);
    let of_files = ["evaluate", "s", "--label", "y_xf", "--prediction", "score", "--slice", "word"];
    let of_files = place.ok(&[&of_files[..], &["--json", "-q"]].concat()).stdout;
    let of_files: Value = serde_json::from_str(&of_files).unwrap();
    assert_eq!(of_files["evaluation"]["slices"], found["evaluation"]["slices"]);
    let bundle = Bundle::load(&place.path("model")).unwrap();
    assert_eq!(value(&slices[0], "binary_accuracy"), bundle.metrics["eval_accuracy"]);

    // Blessed against a weaker one, and the other way round not.
    place.write(
        "c.json",
        r#"{"metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": {"change_threshold":
            {"direction": "HIGHER_IS_BETTER", "absolute": {"value": 0.01}}}}]}]}"#,
    );
    let against = |model: &str, baseline: &str| {
        let command = ["evaluate", "eval.csv", "--config", "c.json", "--model", model];
        place.run(&[&command[..], &["--baseline-model", baseline, "-q"]].concat())
    };
    let better = against("model", "weak");
    assert_eq!(better.code, Some(0), "{}", better.stdout);
    assert!(better.stdout.contains("BLESSED: 1 of 1"), "{}", better.stdout);
    let worse = against("weak", "model");
    assert_eq!(worse.code, Some(1), "{}", worse.stdout);
    assert!(weak["metrics"]["eval_loss"].as_f64().unwrap() > bundle.metrics["eval_loss"]);
}

/// The area under the curve that a trained network has on the eval rows.
fn auc(place: &Place, model: &str) -> f64 {
    let found = place.ok(&["evaluate", "days", "--model", model, "--json", "-q"]).stdout;
    let found: Value = serde_json::from_str(&found).unwrap();
    found["evaluation"]["slices"][0]["metrics"]["auc"]["value"].as_f64().unwrap()
}

#[test]
fn taxi_tips_are_foretold_better_than_by_numbers_alone() {
    let place = Place::new();
    place.ok(&["generate", "trips", "--rows", "6000", "--shards", "2", "-q"]);
    place.ok(&["generate", "days", "--rows", "3000", "--seed", "2", "--shards", "1", "-q"]);
    place.write("taxi.star", include_str!("../../datasets/modules/taxi.star"));
    place.write(
        "numbers.star",
        r#"
NUMBERS = ["trip_miles", "fare", "trip_seconds", "pickup_latitude", "pickup_longitude", "trip_start_hour"]

def preprocessing_fn(inputs):
    fill = tft.fill_in_missing
    outputs = {n: tft.scale_to_z_score(tf.cast(fill(inputs[n]), tf.float32)) for n in NUMBERS}
    outputs["tips_xf"] = tf.cast(fill(inputs["tips"]) > fill(inputs["fare"]) * 0.2, tf.int64)
    return outputs
"#,
    );
    for (module, model, kind) in
        [("taxi", "wide", "wide-and-deep"), ("numbers", "linear", "linear")]
    {
        let module = format!("{module}.star");
        place.ok(&["analyze", "trips", "--preprocessing", &module, "-o", "g", "--overwrite", "-q"]);
        let train = ["train", "trips", "--eval", "days", "--graph", "g", "--label", "tips_xf"];
        let how = ["--architecture", kind, "--epochs", "3", "--batch", "128"];
        let rest = ["--learning-rate", "0.01", "-o", model, "-q"];
        place.ok(&[&train[..], &how, &rest].concat());
    }
    let (wide, linear) = (auc(&place, "wide"), auc(&place, "linear"));
    // A constant, as the majority, has 0.5.
    assert!(linear > 0.5 && wide > linear + 0.1 && wide > 0.9, "{wide} {linear}");
}

#[test]
fn a_text_has_one_prediction_whoever_makes_it() {
    let place = Place::new();
    place.ok(&["generate", "texts", "--columns", "texts", "--rows", "200", "--shards", "2", "-q"]);
    place.write("bert.star", include_str!("../../datasets/modules/bert.star"));
    place.write("vocab.txt", include_str!("../../datasets/modules/vocab.txt"));
    place.ok(&["analyze", "texts", "--preprocessing", "bert.star", "-o", "graph", "-q"]);
    let train = ["train", "texts", "--eval", "texts", "--graph", "graph", "--label", "label"];
    let how = ["--architecture", "encoder", "--width", "16", "--heads", "2", "--epochs", "1"];
    place.ok(&[&train[..], &how, &["-o", "model", "-q"]].concat());
    let predict = ["predict", "texts", "--model", "model", "--with-label", "-q", "-o"];
    place.ok(&[&predict[..], &["all"]].concat());
    place.ok(&[&predict[..], &["one", "--batch-rows", "1", "--runner", "direct"]].concat());
    assert!(files(&place.path("all")) == files(&place.path("one")));
    let scores = bits(&batches(&place, "all"), "score");
    assert_eq!(scores.len(), 200);
    let distinct: std::collections::BTreeSet<_> = scores.iter().collect();
    assert!(distinct.len() > 100, "{}", distinct.len());
}

#[test]
fn a_training_has_the_same_bytes_for_any_threads() {
    let place = place();
    train(&place, "other", &[&STRONG[..], &["--threads", "3"]].concat());
    assert!(files(&place.path("model")) == files(&place.path("other")));
}

#[test]
fn a_training_that_was_killed_goes_on_to_the_same_bytes() {
    use std::io::{BufRead, BufReader};

    let place = place();
    let command =
        ["train", "train.csv", "--eval", "eval.csv", "--graph", "graph", "--label", "y_xf"];
    let how = ["--hidden", "16", "--batch", "64", "--epochs", "12", "--patience", "12", "-o"];
    let command = [&command[..], &how].concat();
    place.ok(&[&command[..], &["whole"]].concat());
    let killed = [&command[..], &["killed"]].concat();
    let mut child = place.command(&killed).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The heading, and two epochs.
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(lines.take(3).map_while(Result::ok).count(), 3);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("killed").exists() && place.path("killed.checkpoint").exists());
    let said = place.ok(&killed).stderr;
    assert!(!said.contains("\n    1 "), "{said}");
    assert!(!place.path("killed.checkpoint").exists());
    assert!(files(&place.path("whole")) == files(&place.path("killed")));
}

#[test]
fn a_graphics_processor_makes_a_model_as_any_other_or_it_is_said_why_not() {
    let place = place();
    let command =
        ["train", "train.csv", "--eval", "eval.csv", "--graph", "graph", "--label", "y_xf"];
    let how = ["--hidden", "16", "--batch", "64", "-o", "other", "-q", "--device", "wgpu"];
    let command = [&command[..], &how, &STRONG].concat();
    let ran = place.run(&command);
    if ran.code != Some(0) {
        println!("skipped: {}", ran.stderr);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let built = cfg!(feature = "wgpu");
        let why = if built { "there is no device for" } else { "this build has no backend" };
        assert!(ran.stderr.starts_with(&format!("error: {why} `wgpu`\n")), "{}", ran.stderr);
        assert!(ran.stderr.contains("\n  hint: "), "{}", ran.stderr);
        assert!(!place.path("other").exists() && !place.path("other.checkpoint").exists());
        return;
    }
    let [here, there] =
        ["model", "other"].map(|model| Bundle::load(&place.path(model)).unwrap().metrics);
    for (name, value) in here {
        assert!((value - there[&name]).abs() < 0.02, "{name}: {value} {}", there[&name]);
    }
    // It is predicted with by the processor: for all rows and for single ones the same.
    let predict = ["predict", "eval.csv", "--model", "other", "-q", "-o"];
    place.ok(&[&predict[..], &["all"]].concat());
    place.ok(&[&predict[..], &["one", "--batch-rows", "1", "--runner", "direct"]].concat());
    assert!(files(&place.path("all")) == files(&place.path("one")));
    place.ok(&["push", "other", "--to", "served"]);
}

#[test]
fn what_no_model_is_made_of_or_by_is_said() {
    let place = place();
    let check = |args: &str, expected: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        let said = place.fails(&args);
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    let train = "train train.csv --eval eval.csv --graph graph -o new -q --label";
    check(&format!("{train} y_fx"), "There is `y_xf`");
    check(&format!("{train} word_xf"), "Row 1: the label `word_xf` is 3, not 0 to 1");
    check(&format!("{train} y_xf --architecture encoder"), "the graph has no text");
    check(&format!("{train} y_xf --pretrained bert"), "Add `--architecture encoder`");
    check(&format!("{train} y_xf --hidden 0"), "a layer has no units");
    check("train train.csv --eval eval.csv --graph graph --label y_xf -o model -q", "--overwrite");
    check("predict eval.csv --model graph -o new", "there is no `model.json`");
    check(
        "predict eval.csv --model model -o new --keep score",
        "two columns would be called `score`",
    );
    check("evaluate eval.csv --model model --label y", "cannot be used with");
    // Damage in any file of the model.
    for file in ["model.json", "weights.safetensors", "graph/graph.json"] {
        let bytes = place.bytes(&format!("model/{file}"));
        let mut other = bytes.clone();
        let at = bytes.len() / 2;
        other[at] ^= 1;
        std::fs::write(place.path(&format!("model/{file}")), &other).unwrap();
        let said = place.fails(&["predict", "eval.csv", "--model", "model", "-o", "new"]);
        assert!(said.starts_with("error:") && said.contains("hint:"), "{file}: {said}");
        std::fs::write(place.path(&format!("model/{file}")), &bytes[..at]).unwrap();
        place.fails(&["predict", "eval.csv", "--model", "model", "-o", "new"]);
        std::fs::write(place.path(&format!("model/{file}")), &bytes).unwrap();
    }
    assert!(!place.path("new").exists());
    place.ok(&["predict", "eval.csv", "--model", "model", "-o", "new", "-q"]);
}
