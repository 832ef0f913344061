//! The real TFT's transformed rows, analyzers and vocabularies, made on the shared data by version
//! 1.16.0, against those of our modules.
//!
//! A module of `tests/golden/tft` names its outputs as the golden does. What an analyzer gives is an
//! output `analyzers/NAME`, spread over the rows (`x * 0 + tft.mean(x)`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datasets::csv::InferCsvTypes;
use datasets::{ReadOptions, inputs};
use engine::{Pipeline, RunOptions, Source};
use preprocessing::{Options, trace};
use runners::transform::analyze;
use serde_json::Value;
use transform::{DType, Dim, FileFormat, Tensor, TransformGraph, Type, Values};

use crate::support::{shared, workers};

/// One golden, the module that should give it, and which differences are meant.
pub(crate) struct Golden {
    /// Folder below `golden/tft`.
    pub(crate) case: &'static str,
    /// File below `tests/golden/tft`.
    pub(crate) module: &'static str,
    /// Files below `data` that are analyzed.
    pub(crate) data: &'static str,
    /// Other files of rows that only the frozen graph saw: (ending of the golden's name, data).
    pub(crate) more: &'static [(&'static str, &'static str)],
    /// Names that a vocabulary has in the golden: (ours, TFT's).
    pub(crate) vocabularies: &'static [(&'static str, &'static str)],
    /// Differences that are meant: (output, analyzer or vocabulary, why).
    pub(crate) meant: &'static [(&'static str, &'static str)],
}

const TAXI: Golden = Golden {
    case: "taxi_official",
    module: "../../../datasets/modules/taxi.star",
    data: "taxi/tfrecord_gz/*.gz",
    more: &[],
    vocabularies: &[
        ("vocab_compute_and_apply_vocabulary", "vocab_compute_and_apply_vocabulary_vocabulary"),
        ("vocab_compute_and_apply_vocabulary_1", "vocab_compute_and_apply_vocabulary_1_vocabulary"),
    ],
    meant: &[],
};

const SCALING: Golden = Golden {
    case: "penguin",
    module: "scaling.star",
    data: "penguin/penguin_train*.gz",
    more: &[("eval", "penguin/penguin_eval*.gz")],
    vocabularies: &[],
    meant: &[],
};

#[test]
fn scaled_penguins_are_as_tft_has_them() {
    check(&SCALING);
}

#[test]
fn taxis_are_as_tft_has_them() {
    check(&TAXI);
}

/// Compares everything that a module and a golden both have.
pub(crate) fn check(golden: &Golden) {
    let Some(shared) = shared() else { return };
    let folder = shared.join("golden/tft").join(golden.case);
    let data = |pattern: &str| shared.join("data").join(pattern).display().to_string();
    let source = open(&data(golden.data));
    let graph = analyzed(golden, &columns(&folder), &source);
    let mut found = Differences::default();

    let rows = compare_rows(&graph, &source, &folder.join("transformed.parquet"), &mut found);
    for (ending, pattern) in golden.more {
        let file = folder.join(format!("transformed_{ending}.parquet"));
        compare_rows(&graph, &open(&data(pattern)), &file, &mut found);
    }
    compare_analyzers(&graph, rows.as_deref().unwrap_or(&[]), &folder, &mut found);
    compare_vocabularies(&graph, golden, &folder, &mut found);
    compare_domains(&graph, &folder, &mut found);

    let meant: BTreeSet<&str> = golden.meant.iter().map(|(name, _)| *name).collect();
    let differing: BTreeSet<&str> = found.0.iter().map(|(name, _)| name.as_str()).collect();
    let unmeant: Vec<String> = found
        .0
        .iter()
        .filter(|(name, _)| !meant.contains(name.as_str()))
        .map(|(name, how)| format!("{name}: {how}"))
        .collect();
    assert!(unmeant.is_empty(), "{} of {}:\n{}", golden.module, golden.case, unmeant.join("\n"));
    let unused: Vec<_> = meant.difference(&differing).collect();
    assert!(unused.is_empty(), "{}: meant to differ, but do not: {unused:?}", golden.case);
}

/// Names of what differs, and how.
#[derive(Default)]
struct Differences(Vec<(String, String)>);

impl Differences {
    fn add(&mut self, name: &str, how: impl Into<String>) {
        self.0.push((name.to_owned(), how.into()));
    }
}

/// The columns that TFT was given, with their types.
fn columns(folder: &Path) -> Vec<(String, Type)> {
    let meta: Value =
        serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let spec = meta["input_feature_spec"].as_object().unwrap();
    let columns = spec.iter().filter(|(name, _)| *name != "row_id").map(|(name, spec)| {
        let spec = spec.as_str().unwrap();
        let dtype = ["int64", "float32", "string"]
            .into_iter()
            .zip([DType::Int64, DType::Float32, DType::String])
            .find(|(name, _)| spec.contains(&format!("tf.{name}")))
            .unwrap_or_else(|| panic!("{name}: {spec}"))
            .1;
        let ty = match spec.split_once("shape=[") {
            None => Type::var_len(dtype),
            Some((_, rest)) => {
                let dims = rest.split(']').next().unwrap().split(',').map(str::trim);
                let dims = dims.filter(|dim| !dim.is_empty());
                let dims: Vec<Dim> = dims.map(|dim| Dim::Fixed(dim.parse().unwrap())).collect();
                Type::column(dtype, dims)
            }
        };
        (name.clone(), ty)
    });
    columns.collect()
}

/// The data of a pattern.
fn open(pattern: &str) -> Arc<dyn Source> {
    let files = inputs::resolve(&[pattern.to_owned()], None).unwrap().files;
    let mut read = ReadOptions::default();
    if datasets::detect(&files, None).unwrap().name == "csv" {
        let source = datasets::open(files.clone(), None, &read).unwrap();
        let (pipeline, batches) = Pipeline::read(source);
        let infer = InferCsvTypes { multivalent: read.multivalent.clone() };
        let types = batches.combine_globally(infer);
        let mut outputs = workers(1).run(&pipeline.plan(), &RunOptions::default(), 0).unwrap();
        read.csv_types = Some(types.output(&mut outputs).unwrap());
    }
    datasets::open(files, None, &read).unwrap()
}

/// The module's frozen graph.
fn analyzed(
    golden: &Golden,
    columns: &[(String, Type)],
    source: &Arc<dyn Source>,
) -> TransformGraph {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tft");
    let text = std::fs::read(modules.join(golden.module)).unwrap();
    let load = |path: &str| Ok(std::fs::read(modules.join(path)).unwrap());
    let options = Options { load: &load, ..Options::default() };
    let graph = trace(golden.module, &text, columns, &options).unwrap_or_else(|e| panic!("{e}"));
    analyze(graph, source, &workers(2), &RunOptions::default()).unwrap().graph
}

fn batches(source: &Arc<dyn Source>) -> impl Iterator<Item = RecordBatch> {
    let shards = 0..source.shards().len();
    let source = source.clone();
    shards.flat_map(move |shard| {
        let batches = source.clone().read(shard, 1000).unwrap();
        batches.map(|batch| batch.unwrap().records)
    })
}

/// One column, row after row.
struct Rows {
    name: String,
    /// Where each row ends.
    ends: Vec<usize>,
    values: Flat,
}

/// Values as they are compared.
#[derive(Debug)]
enum Flat {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<Vec<u8>>),
}

impl Rows {
    fn new(name: &str, dtype: DType) -> Self {
        let values = match dtype {
            DType::Bool | DType::Int64 | DType::Timestamp => Flat::Ints(Vec::new()),
            DType::Float32 | DType::Float64 => Flat::Floats(Vec::new()),
            DType::String | DType::Vocabulary => Flat::Texts(Vec::new()),
        };
        Rows { name: name.to_owned(), ends: Vec::new(), values }
    }

    fn add(&mut self, tensor: &Tensor, ty: &Type) {
        let before = self.ends.last().copied().unwrap_or(0);
        let ends = tensor.row_ends(&ty.shape);
        self.ends.extend((1..=tensor.rows).map(|row| before + ends.start(row)));
        match (&mut self.values, &tensor.values) {
            (Flat::Ints(all), Values::Bool(values)) => {
                all.extend(values.iter().map(|value| i64::from(*value)));
            }
            (Flat::Ints(all), Values::Int64(values)) => all.extend_from_slice(values),
            (Flat::Floats(all), Values::Float32(values)) => {
                all.extend(values.iter().map(|value| f64::from(*value)));
            }
            (Flat::Floats(all), Values::Float64(values)) => all.extend_from_slice(values),
            (Flat::Texts(all), Values::String(values)) => {
                all.extend(values.iter().map(<[u8]>::to_vec));
            }
            _ => panic!("{}: a tensor of another type", self.name),
        }
    }

    /// The values of a row, as text.
    fn show(&self, row: usize) -> String {
        let range = row.checked_sub(1).map_or(0, |row| self.ends[row])..self.ends[row];
        match &self.values {
            Flat::Ints(values) => format!("{:?}", &values[range]),
            Flat::Floats(values) => format!("{:?}", &values[range]),
            Flat::Texts(values) => {
                let texts = values[range].iter().map(|text| String::from_utf8_lossy(text));
                format!("{:?}", texts.collect::<Vec<_>>())
            }
        }
    }

    /// Where the values differ: float32 arithmetic may, by a few units in the last place.
    fn difference(&self, golden: &Rows) -> Option<String> {
        // The sign of a principal component is free.
        let close = |ours: f64, theirs: f64| match self.name.starts_with("pca") {
            true => close(ours.abs(), theirs.abs()),
            false => close(ours, theirs),
        };
        if self.ends.len() != golden.ends.len() {
            return Some(format!("{} rows, TFT has {}", self.ends.len(), golden.ends.len()));
        }
        let n = self.ends.last().copied().unwrap_or(0);
        let wrong: Vec<usize> = match (&self.values, &golden.values) {
            (Flat::Ints(a), Flat::Ints(b)) => (0..n).filter(|&i| a.get(i) != b.get(i)).collect(),
            (Flat::Floats(a), Flat::Floats(b)) => {
                (0..n).filter(|&i| !b.get(i).is_some_and(|b| close(a[i], *b))).collect()
            }
            (Flat::Texts(a), Flat::Texts(b)) => (0..n).filter(|&i| a.get(i) != b.get(i)).collect(),
            (ours, _) => return Some(format!("is of another type: {ours:.40?}")),
        };
        let shape = (0..self.ends.len()).find(|&row| self.ends[row] != golden.ends[row]);
        let row = match (shape, wrong.first()) {
            (None, None) => return None,
            (Some(row), _) => row,
            (None, Some(value)) => self.ends.partition_point(|end| end <= value),
        };
        let (ours, theirs) = (self.show(row), golden.show(row));
        Some(format!("{} of {n} values; row {row}: {ours}, TFT has {theirs}", wrong.len()))
    }
}

fn close(ours: f64, theirs: f64) -> bool {
    let equal = ours == theirs || ours.is_nan() && theirs.is_nan();
    equal || (ours - theirs).abs() <= 1e-6 + 1e-5 * theirs.abs()
}

/// The name of an analyzer's output.
fn analyzer(name: &str) -> Option<&str> {
    name.strip_prefix("analyzers/")
}

/// Transforms the rows and compares them with a golden; gives the columns.
fn compare_rows(
    graph: &TransformGraph,
    source: &Arc<dyn Source>,
    golden: &Path,
    found: &mut Differences,
) -> Option<Vec<Rows>> {
    let outputs = graph.outputs();
    let mut ours: Vec<Rows> = outputs.iter().map(|(name, ty)| Rows::new(name, ty.dtype)).collect();
    for batch in batches(source) {
        let fed = transform::arrow::feed(&batch, graph.inputs()).unwrap();
        assert_eq!(fed.bad, []);
        let tensors = graph.run(fed.rows, fed.tensors).unwrap();
        for ((rows, tensor), (_, ty)) in ours.iter_mut().zip(&tensors).zip(outputs) {
            rows.add(tensor, ty);
        }
    }
    let golden = open(&golden.display().to_string());
    // TFT has no float64 and no bool columns.
    let theirs_of = |dtype: DType| match dtype {
        DType::Float64 => DType::Float32,
        DType::Bool => DType::Int64,
        other => other,
    };
    let wanted: Vec<(String, Type)> = outputs
        .iter()
        .filter(|(name, _)| analyzer(name).is_none())
        .map(|(name, ty)| (name.clone(), Type::var_len(theirs_of(ty.dtype))))
        .collect();
    let mut theirs: Vec<Rows> = wanted.iter().map(|(name, ty)| Rows::new(name, ty.dtype)).collect();
    for batch in batches(&golden) {
        for name in wanted.iter().map(|(name, _)| name) {
            if batch.column_by_name(name).is_none() {
                found.add(name, "TFT has no such output");
                return None;
            }
        }
        let fed = transform::arrow::feed(&batch, &wanted).unwrap();
        for ((rows, tensor), (_, ty)) in theirs.iter_mut().zip(&fed.tensors).zip(&wanted) {
            rows.add(tensor, ty);
        }
    }
    for theirs in &theirs {
        let ours = ours.iter().find(|rows| rows.name == theirs.name).unwrap();
        if let Some(how) = ours.difference(theirs) {
            found.add(&theirs.name, how);
        }
    }
    Some(ours)
}

/// Compares the analyzers that are outputs: their first row.
fn compare_analyzers(
    graph: &TransformGraph,
    rows: &[Rows],
    folder: &Path,
    found: &mut Differences,
) {
    let Ok(golden) = std::fs::read_to_string(folder.join("analyzers.json")) else { return };
    let golden: Value = serde_json::from_str(&quoted(&golden)).unwrap();
    for (rows, (name, _)) in rows.iter().zip(graph.outputs()) {
        let Some(name) = analyzer(name) else { continue };
        let Some(theirs) = golden.get(name) else {
            found.add(name, "TFT has no such analyzer");
            continue;
        };
        let mut values = Vec::new();
        flatten(&theirs["value"], &mut values);
        let dtype = match theirs["dtype"].as_str().unwrap() {
            "int64" => DType::Int64,
            "string" => DType::String,
            _ => DType::Float64,
        };
        let mut theirs = Rows::new(name, dtype);
        theirs.ends = vec![values.len()];
        match &mut theirs.values {
            Flat::Ints(all) => all.extend(values.iter().map(|value| value.as_i64().unwrap())),
            Flat::Floats(all) => all.extend(values.iter().map(|value| number(value))),
            Flat::Texts(all) => {
                all.extend(values.iter().map(|value| value.as_str().unwrap().as_bytes().to_vec()));
            }
        }
        let n = rows.ends.first().copied().unwrap_or(0);
        let mut ours = Rows::new(name, dtype);
        ours.ends = vec![n];
        ours.values = match &rows.values {
            Flat::Ints(all) => Flat::Ints(all[..n].to_vec()),
            Flat::Floats(all) => Flat::Floats(all[..n].to_vec()),
            Flat::Texts(all) => Flat::Texts(all[..n].to_vec()),
        };
        if let Some(how) = ours.difference(&theirs) {
            found.add(name, how);
        }
    }
}

fn flatten<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        value => into.push(value),
    }
}

/// Python's JSON with its bare `NaN` and `Infinity` as strings; no text of a golden has such words.
fn quoted(json: &str) -> String {
    let mut json = json.replace("-Infinity", "\"-inf\"");
    for (bare, text) in [("Infinity", "\"inf\""), ("NaN", "\"nan\"")] {
        json = json.replace(bare, text);
    }
    json
}

/// A float, of which JSON has no infinities and NaN.
fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.to_lowercase().parse().unwrap(),
        Value::Null => f64::NAN,
        value => value.as_f64().unwrap(),
    }
}

/// Compares the files of the graph's vocabularies.
fn compare_vocabularies(
    graph: &TransformGraph,
    golden: &Golden,
    folder: &Path,
    found: &mut Differences,
) {
    for node in &graph.graph().nodes {
        for tensor in node.values().unwrap_or(&[]) {
            let Values::Vocabulary(vocabulary) = &tensor.values else { continue };
            let name = vocabulary.file_name.as_str();
            let renamed = golden.vocabularies.iter().find(|(ours, _)| *ours == name);
            let theirs = folder.join("vocab").join(renamed.map_or(name, |(_, theirs)| theirs));
            let lines = (0..vocabulary.len()).map(|i| {
                let token = vocabulary.tokens.get(i).unwrap().into_owned();
                match &vocabulary.frequencies {
                    Some(all) => [&all.get(i).unwrap(), &b" "[..], &token].concat(),
                    None => token,
                }
            });
            let ours: Vec<Vec<u8>> = lines.collect();
            let theirs: Vec<Vec<u8>> = match vocabulary.format {
                FileFormat::Text => {
                    let Ok(bytes) = std::fs::read(&theirs) else {
                        found.add(name, "TFT has no such vocabulary");
                        continue;
                    };
                    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                    bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
                }
                FileFormat::TfrecordGzip => {
                    let json = std::fs::read(theirs.with_added_extension("json")).unwrap();
                    let tokens: Vec<String> = serde_json::from_slice(&json).unwrap();
                    tokens.iter().map(|token| unescaped(token)).collect()
                }
            };
            let n = ours.len().max(theirs.len());
            let differ = |i: &usize| match (ours.get(*i), theirs.get(*i)) {
                (Some(ours), Some(theirs)) => !same_line(ours, theirs),
                _ => true,
            };
            if let Some(i) = (0..n).find(differ) {
                let show = |lines: &[Vec<u8>]| {
                    lines.get(i).map(|line| String::from_utf8_lossy(line).into_owned())
                };
                found.add(
                    name,
                    format!("line {i} is {:?}, TFT has {:?}", show(&ours), show(&theirs)),
                );
            }
        }
    }
}

/// The bytes of a text in which what is no UTF-8 is written as `\xff`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// The same line, or the same token after information that is close: TFT makes it of shares that it
/// means in float32, batch by batch, and of differences of logarithms of those.
fn same_line(ours: &[u8], theirs: &[u8]) -> bool {
    let parts = |line: &[u8]| {
        let (frequency, token) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        Some((frequency.parse().ok().filter(|_| frequency.contains('.'))?, token.to_owned()))
    };
    ours == theirs
        || matches!((parts(ours), parts(theirs)), (Some((a, ours)), Some((b, theirs)))
            if ours == theirs && f64::abs(a - b) <= 1e-4 * f64::abs(b) + 2e-3)
}

/// Compares the ranges of integers that TFT wrote into the schema.
fn compare_domains(graph: &TransformGraph, folder: &Path, found: &mut Differences) {
    use ops::tfmd::feature::DomainInfo;
    let text = std::fs::read(folder.join("schema.pbtxt")).unwrap();
    let schema = ops::tfmd::load_schema(&text).unwrap();
    for feature in &schema.feature {
        let name = feature.name();
        let Some(DomainInfo::IntDomain(domain)) = &feature.domain_info else { continue };
        let output = graph.graph().outputs.iter().find(|(output, _)| output == name);
        let Some((_, value)) = output else { continue };
        let (min, max) = (domain.min(), domain.max());
        let ours = graph.graph().domain(*value);
        if ours != Some((min, max)) {
            found.add(name, format!("its integers are {ours:?}, TFT has ({min}, {max})"));
        }
    }
}
