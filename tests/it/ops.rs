//! TensorFlow's own operations, row by row, against ours, on values that break them.

use std::collections::BTreeSet;
use std::path::Path;

use datasets::{ReadOptions, inputs};
use preprocessing::{Options, trace};
use serde_json::Value;
use transform::{DType, Dim, Program, Tensor, Type, Values};

/// Outputs of the golden that modules have no words for: other widths of integers, and functions
/// that are not in the table.
const LEFT_OUT: &[&str] =
    &["f_int32", "i_int32", "number_int32", "s_fold", "s_hash_legacy", "s_unicode_decode"];

/// Differences that are meant: output, the string it is of, why.
const MEANT: &[(&str, &[u8], &str)] = &[
    (
        "floats_max",
        b"nul\0x",
        "TensorFlow's sparse maximum starts from the least float, not from NaN",
    ),
    ("s_lower_utf8", b"nul\0x", "TensorFlow ends the string at NUL"),
    ("s_upper_utf8", b"nul\0x", "TensorFlow ends the string at NUL"),
    ("s_regex_any", b"\xed\xa0\x80", "RE2 takes a surrogate for a character"),
    ("s_regex_any", b"\xf4\x90\x80\x80", "RE2 takes what is above U+10FFFF for a character"),
    ("s_regex_empty", b"\xed\xa0\x80", "RE2 takes a surrogate for a character"),
    ("s_full_match_any", b"\xed\xa0\x80", "RE2 takes a surrogate for a character"),
    ("s_full_match_any", b"\xf4\x90\x80\x80", "RE2 takes what is above U+10FFFF for a character"),
];

fn columns() -> Vec<(String, Type)> {
    let scalar = Type::scalar;
    let columns = [
        ("f", scalar(DType::Float32)),
        ("g", scalar(DType::Float32)),
        ("i", scalar(DType::Int64)),
        ("j", scalar(DType::Int64)),
        ("n", scalar(DType::Int64)),
        ("s", scalar(DType::String)),
        ("t", scalar(DType::String)),
        ("decimal", scalar(DType::String)),
        ("integer", scalar(DType::String)),
        ("vector", Type::column(DType::Float32, [Dim::Fixed(3)])),
        ("trio", Type::column(DType::String, [Dim::Fixed(3)])),
        ("floats", Type::var_len(DType::Float32)),
        ("ints", Type::var_len(DType::Int64)),
        ("strings", Type::var_len(DType::String)),
    ];
    columns.map(|(name, ty)| (name.to_owned(), ty)).into()
}

#[test]
fn operations_give_what_tensorflow_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/transform/ops");
    let text = std::fs::read(folder.join("module.star")).unwrap();
    let graph = trace("module.star", &text, &columns(), &Options::default());
    let graph = graph.unwrap_or_else(|e| panic!("{e}"));
    let values: Vec<_> = graph.outputs.iter().map(|(_, value)| *value).collect();
    let program = Program::new(&graph, &values).unwrap();

    let file = folder.join("data-00000-of-00001.tfrecord").display().to_string();
    let files = inputs::resolve(&[file], None).unwrap().files;
    let source = datasets::open(files, None, &ReadOptions::default()).unwrap();
    let golden = std::fs::read(folder.join("transformed.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let golden = golden.as_object().unwrap();

    let mut differ = Vec::new();
    let mut first_row = 0;
    for batch in source.read(0, 1000).unwrap() {
        let fed = transform::arrow::feed(&batch.unwrap().records, program.inputs()).unwrap();
        assert_eq!(fed.bad, []);
        let s = program.inputs().iter().position(|(name, _)| name == "s").unwrap();
        let s = fed.tensors[s].clone();
        let found = program.run(fed.rows, fed.tensors).unwrap();
        for ((name, value), tensor) in graph.outputs.iter().zip(&found) {
            let ty = graph.ty(*value);
            let rows = golden.get(name).unwrap_or_else(|| panic!("there is no golden `{name}`"));
            let ends = tensor.row_ends(&ty.shape);
            for row in 0..fed.rows {
                let theirs = rows[first_row + row].as_array().unwrap();
                let same = ends.range(row).len() == theirs.len()
                    && ends.range(row).zip(theirs).all(|(i, value)| is(name, tensor, i, value));
                if !same {
                    let ours: Vec<_> = ends.range(row).map(|i| show(tensor, i)).collect();
                    let text = s.strings().get(row).to_vec();
                    differ.push((
                        name.clone(),
                        text,
                        format!("row {row}: {ours:?}, not {theirs:?}"),
                    ));
                }
            }
        }
        first_row += fed.rows;
    }
    assert_eq!(first_row, 130);
    let meant: BTreeSet<(&str, &[u8])> = MEANT.iter().map(|(name, s, _)| (*name, *s)).collect();
    let differing: BTreeSet<(&str, &[u8])> =
        differ.iter().map(|(name, s, _)| (name.as_str(), s.as_slice())).collect();
    let lines: Vec<String> = differ
        .iter()
        .filter(|(name, s, _)| !meant.contains(&(name.as_str(), s.as_slice())))
        .map(|(name, s, how)| format!("{name}, \"{}\", {how}", s.escape_ascii()))
        .collect();
    assert!(lines.is_empty(), "{} differences:\n{}", lines.len(), lines.join("\n"));
    let unused: Vec<_> = meant.difference(&differing).collect();
    assert!(unused.is_empty(), "meant to differ, but do not: {unused:?}");

    let ours: BTreeSet<&str> = graph.outputs.iter().map(|(name, _)| name.as_str()).collect();
    let theirs: BTreeSet<&str> = golden.keys().map(String::as_str).collect();
    let missing: Vec<&str> = theirs.difference(&ours).copied().collect();
    let mut left_out = LEFT_OUT.to_vec();
    left_out.sort_unstable();
    assert_eq!(missing, left_out);
}

fn show(tensor: &Tensor, i: usize) -> String {
    match &tensor.values {
        Values::Bool(values) => values[i].to_string(),
        Values::Int64(values) => values[i].to_string(),
        Values::Float32(values) => format!("{:?}", values[i]),
        Values::Float64(values) => format!("{:?}", values[i]),
        Values::String(values) => format!("{:?}", values.get(i).escape_ascii().to_string()),
        Values::Vocabulary(_) => String::new(),
    }
}

/// Whether a value is that of the golden.
fn is(name: &str, tensor: &Tensor, i: usize, golden: &Value) -> bool {
    match &tensor.values {
        Values::Int64(values) => golden.as_i64() == Some(values[i]),
        Values::Float32(values) => is_float(name, values[i], golden),
        Values::String(values) => {
            // Bytes are strings of Latin-1.
            let text = golden.as_str().unwrap();
            values.get(i).iter().map(|&byte| byte as char).eq(text.chars())
        }
        _ => false,
    }
}

/// The same number, or one beside it for functions that IEEE 754 leaves open.
fn is_float(name: &str, ours: f32, golden: &Value) -> bool {
    let theirs = match golden {
        Value::String(word) => word.to_lowercase().parse().unwrap(),
        number => number.as_f64().unwrap() as f32,
    };
    const OPEN: &[&str] =
        &["f_exp", "f_expm1", "f_log", "f_log1p", "f_sigmoid", "f_tanh", "f_pow", "f_reciprocal"];
    // TensorFlow takes what is below the least normal number for 0.
    let flushed = |x: f32| if x.is_subnormal() { 0.0 } else { x };
    if ours.is_nan() || theirs.is_nan() {
        return ours.is_nan() && theirs.is_nan();
    }
    if flushed(ours) == flushed(theirs) {
        return true;
    }
    OPEN.contains(&name) && (ours - theirs).abs() <= 4.0 * f32::EPSILON * theirs.abs()
}
