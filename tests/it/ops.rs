//! TensorFlow's own operations, row by row, against ours, on values that break them.

use std::collections::BTreeSet;
use std::path::Path;

use datasets::{ReadOptions, inputs};
use preprocessing::{Options, trace};
use serde_json::Value;
use transform::{DType, Program};

use crate::transform_golden_own::columns;
use crate::transform_rows::{Flat, Rows};

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

#[test]
fn operations_give_what_tensorflow_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/transform/ops");
    let text = std::fs::read(folder.join("module.star")).unwrap();
    let graph = trace("module.star", &text, &columns(&folder), &Options::default());
    let graph = graph.unwrap_or_else(|e| panic!("{e}"));
    let values: Vec<_> = graph.outputs.iter().map(|(_, value)| *value).collect();
    let program = Program::new(&graph, &values).unwrap();

    let file = folder.join("data-00000-of-00001.tfrecord").display().to_string();
    let files = inputs::resolve(&[file], None).unwrap().files;
    let source = datasets::open(files, None, &ReadOptions::default()).unwrap();
    let golden = std::fs::read(folder.join("transformed.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let golden = golden.as_object().unwrap();

    let outputs = graph.outputs.iter();
    let mut ours: Vec<Rows> =
        outputs.map(|(name, value)| Rows::new(name, graph.ty(*value).dtype)).collect();
    let mut texts = Rows::new("s", DType::String);
    for batch in source.read(0, 1000).unwrap() {
        let fed = transform::arrow::feed(&batch.unwrap().records, program.inputs()).unwrap();
        assert_eq!(fed.bad, []);
        let s = program.inputs().iter().position(|(name, _)| name == "s").unwrap();
        texts.add(&fed.tensors[s], &program.inputs()[s].1);
        let found = program.run(fed.rows, fed.tensors).unwrap();
        for (rows, ((_, value), tensor)) in ours.iter_mut().zip(graph.outputs.iter().zip(&found)) {
            rows.add(tensor, graph.ty(*value));
        }
    }
    assert_eq!(texts.ends.len(), 130);
    let Flat::Texts(texts) = texts.values else { panic!("`s` is no text") };
    let mut differ = Vec::new();
    for (ours, (name, value)) in ours.iter().zip(&graph.outputs) {
        let golden = golden.get(name).unwrap_or_else(|| panic!("there is no golden `{name}`"));
        let theirs = Rows::of_json(name, graph.ty(*value).dtype, golden);
        let rows = ours.differences(&theirs, |ours, theirs| is_float(name, ours, theirs));
        differ.extend(rows.into_iter().map(|(row, how)| (name.clone(), texts[row].clone(), how)));
    }
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

/// The same number, or one beside it for functions that IEEE 754 leaves open.
fn is_float(name: &str, ours: f64, theirs: f64) -> bool {
    const OPEN: &[&str] =
        &["f_exp", "f_expm1", "f_log", "f_log1p", "f_sigmoid", "f_tanh", "f_pow", "f_reciprocal"];
    let (ours, theirs) = (ours as f32, theirs as f32);
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
