//! Exports of every operation of the table: what has a form in another runtime is written, what has none
//! says why, in `ops/transform/EXPORTS.md`, which `FRAZIL_WRITE=1` writes. With `FRAZIL_EXPORTS=DIR` the cases are kept, with nasty rows and what comes out, for the
//! scripts in `tests/peers` that ask the real runtimes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datasets::ReadOptions;
use engine::{RunOptions, Source};
use runners::Runner;
use runners::transform::analyze;
use serde_json::{Value, json};
use transform::arrow::to_array;
use transform::artifact::saved_model;
use transform::export::{onnx, tensorflow};
use transform::ops::{EXAMPLE_INPUTS, OPS};
use transform::{DType, Dim, Op, Strings, Tensor, TransformGraph, Type, Values};

use crate::cli::Place;
use crate::laws_of_ops::{Memory, module, rows, statement, traced};
use crate::transform_cli::files;

/// A tensor as the scripts read it: floats as their bits, strings as digits.
fn shown(name: &str, ty: &Type, tensor: &Tensor) -> Value {
    let values: Vec<Value> = match &tensor.values {
        Values::Bool(values) => values.iter().map(|v| json!(v)).collect(),
        Values::Int64(values) => values.iter().map(|v| json!(v)).collect(),
        Values::Float32(values) => values.iter().map(|v| json!(v.to_bits())).collect(),
        Values::Float64(values) => values.iter().map(|v| json!(v.to_bits())).collect(),
        Values::String(values) => {
            let digits = |bytes: &[u8]| {
                bytes.iter().fold(String::new(), |mut all, byte| {
                    let _ = write!(all, "{byte:02x}");
                    all
                })
            };
            values.iter().map(|v| json!(digits(v))).collect()
        }
        Values::Vocabulary(_) | Values::Tokenizer(_) => unreachable!("no column is an asset"),
    };
    let shape = ty.shape.iter().map(|dim| match dim {
        Dim::Fixed(n) => i64::from(*n),
        Dim::Var => -1,
    });
    let dtype = if ty.dtype == DType::Timestamp { DType::Int64 } else { ty.dtype };
    json!({
        "name": name,
        "dtype": dtype.name(),
        "shape": shape.collect::<Vec<i64>>(),
        "splits": tensor.splits.iter().map(|splits| splits.to_vec()).collect::<Vec<_>>(),
        "values": values,
    })
}

/// A graph with rows, and what comes out of it.
fn case(
    graph: &TransformGraph,
    all: &RecordBatch,
    op: &str,
    example: &str,
) -> engine::Result<Value> {
    let fed = transform::arrow::feed(all, graph.inputs())?;
    let inputs = graph.inputs().iter().zip(&fed.tensors);
    let inputs: Vec<Value> = inputs.map(|((name, ty), tensor)| shown(name, ty, tensor)).collect();
    let outputs = graph.run(fed.rows, fed.tensors)?;
    let outputs = graph.outputs().iter().zip(&outputs);
    let outputs: Vec<Value> = outputs.map(|((name, ty), tensor)| shown(name, ty, tensor)).collect();
    Ok(
        json!({ "op": op, "example": example, "rows": fed.rows, "inputs": inputs, "outputs": outputs }),
    )
}

fn changed(all: &RecordBatch, change: impl Fn(&Values) -> Option<Values>) -> RecordBatch {
    let inputs = EXAMPLE_INPUTS
        .iter()
        .map(|(name, dtype, dims)| ((*name).to_owned(), Type::column(*dtype, *dims)));
    let inputs: Vec<(String, Type)> = inputs.collect();
    let fed = transform::arrow::feed(all, &inputs).unwrap();
    let columns = fed.tensors.iter().zip(&inputs).map(|(tensor, (_, ty))| {
        let values = change(&tensor.values).unwrap_or_else(|| tensor.values.clone());
        to_array(&tensor.with_values(values), ty).unwrap()
    });
    RecordBatch::try_new(all.schema(), columns.collect()).unwrap()
}

/// TensorFlow's kernels take numbers below the normal ones for 0, also on the way to a result.
fn without_subnormals(all: &RecordBatch) -> RecordBatch {
    changed(all, |values| match values {
        Values::Float32(values) => {
            let normal = |&v: &f32| if v.abs() < 1e-30 && v != 0.0 { 0.25 } else { v };
            Some(values.iter().map(normal).collect::<Vec<f32>>().into())
        }
        Values::Float64(values) => {
            let normal = |&v: &f64| if v.abs() < 1e-30 && v != 0.0 { 0.25 } else { v };
            Some(values.iter().map(normal).collect::<Vec<f64>>().into())
        }
        _ => None,
    })
}

/// Strings of ONNX are UTF-8.
fn with_texts(all: &RecordBatch) -> RecordBatch {
    changed(all, |values| match values {
        Values::String(strings) => {
            let texts = strings.iter().map(|text| String::from_utf8_lossy(text).into_owned());
            Some(texts.collect::<Strings>().into())
        }
        _ => None,
    })
}

/// A runtime that graphs are exported to.
struct Runtime {
    name: &'static str,
    /// The file of rows and results for its script.
    case: &'static str,
    /// The rows that it is asked about.
    fed: fn(&RecordBatch) -> RecordBatch,
    /// Writes a graph into a folder, or says why not.
    export: fn(&TransformGraph, Option<&Path>) -> engine::Result<()>,
}

const RUNTIMES: [Runtime; 2] = [
    Runtime {
        name: "TensorFlow",
        case: "case.json",
        fed: without_subnormals,
        export: to_tensorflow,
    },
    Runtime { name: "ONNX", case: "onnx.json", fed: with_texts, export: to_onnx },
];

fn to_onnx(graph: &TransformGraph, place: Option<&Path>) -> engine::Result<()> {
    let exported = onnx::model(graph.graph())?;
    assert!(exported.bytes == onnx::model(graph.graph())?.bytes, "one graph has two files");
    if let Some(place) = place {
        fs::write(place.join("model.onnx"), exported.bytes).unwrap();
    }
    Ok(())
}

fn to_tensorflow(graph: &TransformGraph, place: Option<&Path>) -> engine::Result<()> {
    let saved = tensorflow::transform(graph.graph(), |_| None)?;
    for (name, contents) in saved_model("model", &saved) {
        let Some(place) = place else { continue };
        let path = place.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        contents(&mut fs::File::create(path).unwrap())?;
    }
    Ok(())
}

/// Whether the examples of an operation are exported: a cell of the table.
fn cell(outcomes: &[(&str, engine::Result<()>)]) -> String {
    // What only the types of an example's columns stand against says nothing of the operation.
    let is_of_types = |error: &engine::Error| error.message().contains("signatures");
    let counted: Vec<_> =
        outcomes.iter().filter(|(_, outcome)| !outcome.as_ref().is_err_and(is_of_types)).collect();
    let reasons: Vec<_> = counted
        .iter()
        .filter_map(|(example, outcome)| outcome.as_ref().err().map(|error| (example, error)))
        .collect();
    let reason = |error: &engine::Error| {
        let why = error.message().split_once(": ").map_or(error.message(), |(_, why)| why);
        why.replace('|', "\\|")
    };
    match reasons.as_slice() {
        [] if counted.is_empty() => "inside of a graph only".to_owned(),
        [] => "yes".to_owned(),
        [(_, error), ..] if reasons.len() == counted.len() => format!("no: {}", reason(error)),
        some => {
            let but = some.iter().map(|(example, error)| {
                format!("not `{}`: {}", example.replace('|', "\\|"), reason(error))
            });
            format!("yes; {}", but.collect::<Vec<_>>().join("; "))
        }
    }
}

const HEADER: &str = "# What graphs can be elsewhere

`frazil graph export` writes a frozen graph for another runtime. Here is what each operation is there: \
examples of `frazil ops NAME` were exported. Analyzers are constants by then. This file is written by a test \
from the table of operations.

";

#[test]
fn every_operation_has_its_nodes_or_a_reason() {
    let kept = std::env::var_os("FRAZIL_EXPORTS");
    let raw = rows(100, 7);
    let all = without_subnormals(&raw);
    let fed = RUNTIMES.map(|runtime| (runtime.fed)(&raw));
    let source: Arc<dyn Source> = Memory::source(vec![all.slice(0, 60), all.slice(60, 40)]);
    let mut table = HEADER.to_owned();
    let names = RUNTIMES.map(|runtime| runtime.name).join(" | ");
    let _ = writeln!(table, "| operation | {names} |\n|---|{}", "---|".repeat(RUNTIMES.len()));
    let mut exported = [0; RUNTIMES.len()];
    let mut ops: Vec<&Op> = OPS.iter().collect();
    ops.sort_by_key(|op| op.name);
    for op in ops {
        let mut outcomes = RUNTIMES.map(|_| Vec::new());
        for (number, example) in op.examples.iter().enumerate() {
            let graph = traced(&module(&statement(number, example))).unwrap();
            let options = RunOptions { batch_rows: 50, ..RunOptions::default() };
            let graph = analyze(graph, &source, &Runner::Direct, &options).unwrap().graph;
            let place =
                kept.as_ref().map(|kept| Path::new(kept).join(format!("{}.{number}", op.name)));
            if let Some(place) = &place {
                fs::create_dir_all(place).unwrap();
                for (runtime, fed) in RUNTIMES.iter().zip(&fed) {
                    let case = case(&graph, fed, op.name, example).unwrap();
                    fs::write(place.join(runtime.case), case.to_string()).unwrap();
                }
            }
            for (runtime, (outcomes, exported)) in
                RUNTIMES.iter().zip(outcomes.iter_mut().zip(&mut exported))
            {
                let outcome = (runtime.export)(&graph, place.as_deref());
                if let Err(error) = &outcome {
                    let text = error.message();
                    let says_why = format!("has no form in {}", runtime.name);
                    assert!(text.contains(&says_why), "{example}: {text}");
                }
                *exported += usize::from(outcome.is_ok());
                outcomes.push((*example, outcome));
            }
        }
        let cells = outcomes.map(|outcomes| cell(&outcomes)).join(" | ");
        let _ = writeln!(table, "| `{}` | {cells} |", op.name);
    }
    for (runtime, exported) in RUNTIMES.iter().zip(exported) {
        assert!(exported > 100, "{exported} examples are exported to {}", runtime.name);
    }
    assert!(!table.contains("no nodes were written"), "an operation says nothing of exports");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/transform/EXPORTS.md");
    if std::env::var_os("FRAZIL_WRITE").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == table, "EXPORTS.md is not what the table says: FRAZIL_WRITE=1 writes it");
}

#[test]
fn a_graph_is_exported_whole_or_not_at_all() {
    let place = Place::new();
    place.ok(&["generate", "data", "--rows", "5000", "--shards", "1", "-q"]);
    place.write("taxi.star", include_str!("../../datasets/modules/taxi.star"));
    place.ok(&["analyze", "data", "--preprocessing", "taxi.star", "-o", "graph", "-q"]);
    let export = ["graph", "export", "graph", "--to", "tensorflow", "-o", "there"];
    let said = place.ok(&export).stdout;
    assert!(said.contains("nodes and 2 vocabularies in `there`"), "{said}");
    let written = files(&place.path("there"));
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "metadata/schema.pbtxt",
        "serving/saved_model.pb",
        "transform_fn/saved_model.pb",
        "transformed_metadata/asset_map",
        "transformed_metadata/schema.pbtxt",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let of_assets = names.iter().filter(|name| name.contains("/assets/vocab_"));
    assert_eq!(of_assets.count(), 4, "two vocabularies in two models: {names:?}");
    // The same graph gives the same bytes; an earlier export is replaced only if that is said.
    assert!(place.fails(&export).contains("is there already"));
    place.ok(&[&export[..], &["--overwrite"]].concat());
    assert!(files(&place.path("there")) == written);
    let odd = "def preprocessing_fn(inputs):\n    \
        return {\"x\": tft.gaussianize(inputs[\"fare\"], 1.0, 2.0, 0.1, 0.3, 4.0)}\n";
    place.write("odd.star", odd);
    place.ok(&["analyze", "data", "--preprocessing", "odd.star", "-o", "odd", "-q"]);
    let error = place.fails(&["graph", "export", "odd", "--to", "tensorflow", "-o", "nowhere"]);
    assert!(error.contains("`tft.gaussianize` has no form in TensorFlow"), "{error}");
    assert!(error.contains("gaussianize(fare"), "{error}");
    assert!(!place.path("nowhere").exists());
}

#[test]
fn ids_stay_when_a_team_moves() {
    let place = Place::new();
    place.ok(&["generate", "data", "--rows", "3000", "--shards", "1", "-q"]);
    let with = |name: &str, expression: &str| {
        let module =
            format!("def preprocessing_fn(inputs):\n    return {{\"id\": {expression}}}\n");
        place.write(name, &module);
    };
    let filled = "tft.fill_in_missing(inputs[\"payment_type\"], \"\")";
    for format in ["text", "tfrecord_gzip"] {
        with(
            "there.star",
            &format!(
                "tft.compute_and_apply_vocabulary({filled}, num_oov_buckets=2, \
                 vocab_filename=\"payments\", file_format=\"{format}\")"
            ),
        );
        let analyze = ["analyze", "data", "--overwrite", "-q", "--preprocessing"];
        place.ok(&[&analyze[..], &["there.star", "-o", "there"]].concat());
        place.ok(&["graph", "export", "there", "--to", "tensorflow", "-o", "out", "--overwrite"]);
        let said = place.ok(&["graph", "import", "out", "-o", "module", "--overwrite"]).stdout;
        assert!(said.contains("payments: ") && said.contains("schema.pbtxt: "), "{said}");
        // What is written runs as it is …
        let schema = ["--schema", "module/schema.pbtxt"];
        let as_is = ["module/preprocessing.star", "-o", "as-is"];
        place.ok(&[&analyze[..], &as_is, &schema].concat());
        // … and its function gives the ids that there were.
        let text = String::from_utf8(place.bytes("module/preprocessing.star")).unwrap();
        let text = text.replace(
            "inputs[\"payment_type\"],",
            &format!("payments({filled}, num_oov_buckets=2),"),
        );
        place.write("module/preprocessing.star", &text);
        let here = ["module/preprocessing.star", "-o", "here"];
        place.ok(&[&analyze[..], &here, &schema].concat());
        let rows = |graph: &str, output: &str| {
            let graph = TransformGraph::load(&place.path(graph)).unwrap();
            let files =
                datasets::inputs::resolve(&[place.path("data").display().to_string()], None);
            let source =
                datasets::open(files.unwrap().files, None, &ReadOptions::default()).unwrap();
            let number = graph.outputs().iter().position(|(name, _)| name == output).unwrap();
            let mut ids = Vec::new();
            for batch in source.read(0, 1000).unwrap() {
                let fed = transform::arrow::feed(&batch.unwrap().records, graph.inputs()).unwrap();
                ids.extend_from_slice(graph.run(fed.rows, fed.tensors).unwrap()[number].ints());
            }
            ids
        };
        let ids = rows("there", "id");
        assert!(ids.iter().any(|id| *id > 0), "{ids:?}");
        assert_eq!(rows("here", "payment_type"), ids, "{format}");
    }
    let error = place.fails(&["graph", "import", "data", "-o", "nowhere"]);
    assert!(error.contains("holds nothing to import"), "{error}");
    let json = include_bytes!("../../ops/transform/src/ops/text/example/tokenizer.json");
    std::fs::write(place.path("tokenizer.json"), json).unwrap();
    let said = place.ok(&["graph", "import", "tokenizer.json", "-o", "tokens"]).stdout;
    assert!(said.contains("tokenizer.json: "), "{said}");
    place.ok(&["generate", "texts", "--columns", "texts", "--rows", "50", "--shards", "1", "-q"]);
    let text = String::from_utf8(place.bytes("tokens/preprocessing.star")).unwrap();
    place.write("tokens/preprocessing.star", &text.replace("\"text\"", "\"sentence\""));
    let module = ["--preprocessing", "tokens/preprocessing.star", "-o", "graph"];
    place.ok(&[&["analyze", "texts", "-q"], &module[..]].concat());
}
