//! Exports of every operation of the table: what has a form in another runtime is written, what has none
//! says why. With `FRAZIL_EXPORTS=DIR` the cases are kept, with nasty rows and what comes out, for the
//! scripts in `tests/peers` that ask the real runtimes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use engine::{RunOptions, Source};
use runners::Runner;
use runners::transform::analyze;
use serde_json::{Value, json};
use transform::arrow::to_array;
use transform::artifact::saved_model;
use transform::export::{Export, tensorflow};
use transform::ops::{EXAMPLE_INPUTS, OPS};
use transform::{DType, Dim, Kind, Tensor, TransformGraph, Type, Values};

use crate::laws_of_ops::{Memory, module, rows, statement, traced};

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

/// TensorFlow's kernels take numbers below the normal ones for 0, also on the way to a result.
fn without_subnormals(all: &RecordBatch) -> RecordBatch {
    let inputs = EXAMPLE_INPUTS
        .iter()
        .map(|(name, dtype, dims)| ((*name).to_owned(), Type::column(*dtype, *dims)));
    let inputs: Vec<(String, Type)> = inputs.collect();
    let fed = transform::arrow::feed(all, &inputs).unwrap();
    let columns = fed.tensors.iter().zip(&inputs).map(|(tensor, (_, ty))| {
        let values: Values = match &tensor.values {
            Values::Float32(values) => values
                .iter()
                .map(|&v| if v.abs() < 1e-30 && v != 0.0 { 0.25 } else { v })
                .collect::<Vec<f32>>()
                .into(),
            Values::Float64(values) => values
                .iter()
                .map(|&v| if v.abs() < 1e-30 && v != 0.0 { 0.25 } else { v })
                .collect::<Vec<f64>>()
                .into(),
            other => other.clone(),
        };
        to_array(&tensor.with_values(values), ty).unwrap()
    });
    RecordBatch::try_new(all.schema(), columns.collect()).unwrap()
}

#[test]
fn every_operation_has_its_nodes_or_a_reason() {
    let kept = std::env::var_os("FRAZIL_EXPORTS");
    let all = without_subnormals(&rows(100, 7));
    let source: Arc<dyn Source> = Memory::source(vec![all.slice(0, 60), all.slice(60, 40)]);
    let (mut exported, mut reasons) = (0, 0);
    for op in OPS {
        let Kind::Map { tensorflow, .. } = &op.kind else { continue };
        for (number, example) in op.examples.iter().enumerate() {
            let graph = traced(&module(&statement(number, example))).unwrap();
            let options = RunOptions { batch_rows: 50, ..RunOptions::default() };
            let graph = analyze(graph, &source, &Runner::Direct, &options).unwrap().graph;
            match tensorflow::transform(graph.graph()) {
                Ok(saved) => {
                    exported += 1;
                    let Some(kept) = &kept else { continue };
                    let place = Path::new(kept).join(format!("{}.{number}", op.name));
                    for (name, contents) in saved_model("model", &saved) {
                        let path = place.join(name);
                        fs::create_dir_all(path.parent().unwrap()).unwrap();
                        contents(&mut fs::File::create(path).unwrap()).unwrap();
                    }
                    let case = case(&graph, &all, op.name, example).unwrap();
                    fs::write(place.join("case.json"), case.to_string()).unwrap();
                }
                Err(error) => {
                    reasons += 1;
                    let text = error.to_string();
                    assert!(text.contains("no form in TensorFlow"), "{example}: {text}");
                    if kept.is_some() {
                        println!("{example}: {text}");
                    }
                }
            }
        }
        if let Export::No(why) = tensorflow {
            assert!(!why.is_empty() && !why.ends_with('.'), "{}", op.name);
        }
    }
    assert!(exported > 100, "{exported} examples are exported, {reasons} are not");
}
