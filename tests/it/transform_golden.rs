//! The real TFT's transformed rows, analyzers and vocabularies, made by version 1.16.0, against those
//! of our modules: here of the shared data, in `transform_golden_own.rs` of what lies beside the tests.
//!
//! A module names its outputs as the golden does. What an analyzer gives is an output
//! `analyzers/NAME`, spread over the rows (`x * 0 + tft.mean(x)`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use datasets::csv::InferCsvTypes;
use datasets::{ReadOptions, inputs};
use engine::{Pipeline, RunOptions, Source};
use ops::tfmd::feature::DomainInfo;
use preprocessing::{Options, trace};
use runners::transform::analyze;
use serde_json::Value;
use transform::{DType, Dim, FileFormat, TransformGraph, Type, Values};

use crate::support::{shared, workers};
use crate::transform_golden_own::column;
use crate::transform_rows::{Rows, close, latin1};

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
    /// Differences that are meant: (output, analyzer or vocabulary, why). An output is written as
    /// `PART/NAME[ROWS]`, where few rows differ and other data than the analyzed has a part.
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

/// Compares everything that a module and a golden of the shared data both have.
pub(crate) fn check(golden: &Golden) {
    let Some(shared) = shared() else { return };
    let folder = shared.join("golden/tft").join(golden.case);
    let data = |pattern: &str| open(&shared.join("data").join(pattern).display().to_string());
    let mut rows = vec![(data(golden.data), folder.join("transformed.parquet"))];
    for (ending, pattern) in golden.more {
        rows.push((data(pattern), folder.join(format!("transformed_{ending}.parquet"))));
    }
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tft");
    let columns = columns(&folder);
    let schema = folder.join("schema.pbtxt");
    let found = Case { columns, modules, rows, schema, folder, own: false }
        .compare(golden.module, golden.vocabularies);
    found.assert_meant(&format!("{} of {}", golden.module, golden.case), golden.meant);
}

/// So many rows that differ are named one by one.
const FEW: usize = 16;

/// Where a golden and what should give it lie.
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
    pub(crate) modules: PathBuf,
    /// What the module is given.
    pub(crate) columns: Vec<(String, Type)>,
    /// The data with its golden rows; the first is analyzed.
    pub(crate) rows: Vec<(Arc<dyn Source>, PathBuf)>,
    /// Of the outputs.
    pub(crate) schema: PathBuf,
    /// Whether it is of `tests/golden/transform`: the module gives all that the golden has, in which
    /// bytes are characters of Latin-1.
    pub(crate) own: bool,
}

impl Case {
    /// What differs between the results of a module and the golden.
    pub(crate) fn compare(&self, module: &str, renamed: &[(&str, &str)]) -> Differences {
        let graph = self.analyzed(module);
        let mut found = Differences::default();
        let mut first = None;
        for (source, golden) in &self.rows {
            let ours = transformed(&graph, source);
            self.compare_rows(&graph, &ours, golden, &mut found);
            first.get_or_insert(ours);
        }
        self.compare_analyzers(&first.unwrap(), &mut found);
        self.compare_vocabularies(&graph, renamed, &mut found);
        self.compare_schema(&graph, &mut found);
        found
    }

    /// The module's frozen graph.
    fn analyzed(&self, module: &str) -> TransformGraph {
        let text = std::fs::read(self.modules.join(module)).unwrap();
        let load = |path: &str| Ok(std::fs::read(self.modules.join(path)).unwrap());
        let options = Options { load: &load, ..Options::default() };
        let graph = trace(module, &text, &self.columns, &options);
        let graph = graph.unwrap_or_else(|e| panic!("{e}"));
        analyze(graph, &self.rows[0].0, &workers(2), &RunOptions::default()).unwrap().graph
    }

    /// Compares the transformed rows.
    fn compare_rows(
        &self,
        graph: &TransformGraph,
        ours: &[Rows],
        golden: &Path,
        found: &mut Differences,
    ) {
        let outputs = graph.outputs().iter().filter(|(name, _)| analyzer(name).is_none());
        let outputs: Vec<(String, Type)> = outputs.cloned().collect();
        let theirs = if self.own {
            let text = std::fs::read_to_string(golden).unwrap();
            let golden: Value = serde_json::from_str(&text).unwrap();
            for name in golden.as_object().unwrap().keys() {
                if !outputs.iter().any(|(output, _)| output == name) {
                    found.add(name, "the module has no such output");
                }
            }
            let theirs = outputs.iter().filter_map(|(name, ty)| {
                let rows = golden.get(name)?;
                Some(Rows::of_json(name, ty.dtype, rows))
            });
            theirs.collect()
        } else {
            of_parquet(golden, &outputs)
        };
        let file = golden.file_stem().unwrap().to_string_lossy();
        let part = file.strip_prefix("transformed_").map(|part| format!("{part}/"));
        for (name, _) in &outputs {
            let Some(theirs) = theirs.iter().find(|rows| rows.name == *name) else {
                found.add(name, "TFT has no such output");
                continue;
            };
            let ours = ours.iter().find(|rows| rows.name == *name).unwrap();
            let differ = ours.differences(theirs, same(name));
            if let Some((row, how)) = differ.first() {
                let part = part.as_deref().unwrap_or_default();
                let rows: Vec<usize> = differ.iter().map(|(row, _)| *row).collect();
                let rows = if rows.len() <= FEW { format!("{rows:?}") } else { String::new() };
                let n = differ.len();
                found.add(&format!("{part}{name}{rows}"), format!("{n} rows; {row}: {how}"));
            }
        }
    }

    /// Compares the analyzers that are outputs: their first row.
    fn compare_analyzers(&self, rows: &[Rows], found: &mut Differences) {
        let Ok(golden) = std::fs::read_to_string(self.folder.join("analyzers.json")) else {
            return;
        };
        let golden = if self.own { golden } else { quoted(&golden) };
        let golden: Value = serde_json::from_str(&golden).unwrap();
        for (name, theirs) in golden.as_object().unwrap() {
            let Some(ours) = rows.iter().find(|rows| analyzer(&rows.name) == Some(name)) else {
                if self.own {
                    found.add(name, "the module has no such analyzer");
                }
                continue;
            };
            let ours = ours.first();
            let dtype = match theirs["dtype"].as_str().unwrap() {
                "int64" => DType::Int64,
                "string" => DType::String,
                _ => DType::Float64,
            };
            let mut golden = Rows::new(name, dtype);
            let (values, bytes): (_, fn(&str) -> Vec<u8>) = if self.own {
                (&theirs["values"], latin1)
            } else {
                (&theirs["value"], |text| text.as_bytes().to_vec())
            };
            flatten(values, &mut |value| golden.values.push(value, bytes));
            golden.ends = vec![golden.values.len()];
            let differ = ours.differences(&golden, same(name));
            differ.iter().for_each(|(_, how)| found.add(name, how));
        }
        for name in rows.iter().filter_map(|rows| analyzer(&rows.name)) {
            if golden.get(name).is_none() {
                found.add(name, "TFT has no such analyzer");
            }
        }
    }

    /// Compares the files of the graph's vocabularies.
    fn compare_vocabularies(
        &self,
        graph: &TransformGraph,
        renamed: &[(&str, &str)],
        found: &mut Differences,
    ) {
        let folder = self.folder.join("vocab");
        let mut theirs_left: BTreeSet<String> = BTreeSet::new();
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_file = Path::new(&name).extension().is_none_or(|ending| ending != "json");
            theirs_left.extend((self.own && is_file).then_some(name));
        }
        let tensors = graph.graph().nodes.iter().flat_map(|node| node.values().unwrap_or(&[]));
        for tensor in tensors {
            let Values::Vocabulary(vocabulary) = &tensor.values else { continue };
            let name = vocabulary.file_name.as_str();
            let theirs = renamed.iter().find(|(ours, _)| *ours == name).map_or(name, |pair| pair.1);
            theirs_left.remove(theirs);
            let path = folder.join(theirs);
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
                    let Ok(bytes) = std::fs::read(&path) else {
                        found.add(name, "TFT has no such vocabulary");
                        continue;
                    };
                    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                    bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
                }
                FileFormat::TfrecordGzip => {
                    let json = std::fs::read(path.with_added_extension("json")).unwrap();
                    let tokens: Vec<String> = serde_json::from_slice(&json).unwrap();
                    let bytes = if self.own { latin1 } else { unescaped };
                    tokens.iter().map(|token| bytes(token)).collect()
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
                let (ours, theirs) = (show(&ours), show(&theirs));
                found.add(name, format!("line {i} is {ours:?}, TFT has {theirs:?}"));
            }
        }
        theirs_left.iter().for_each(|name| found.add(name, "the module has no such vocabulary"));
    }

    /// Compares the types, and the ranges of integers, that TFT wrote into the schema.
    fn compare_schema(&self, graph: &TransformGraph, found: &mut Differences) {
        let text = std::fs::read(&self.schema).unwrap();
        let schema = ops::tfmd::load_schema(&text).unwrap();
        for feature in &schema.feature {
            let name = feature.name();
            let output = graph.graph().outputs.iter().find(|(output, _)| output == name);
            let Some((_, value)) = output else { continue };
            if self.own {
                let (ours, theirs) = (graph.graph().ty(*value), column(feature));
                let ours = ours.with_dtype(theirs_of(ours.dtype));
                if ours != theirs {
                    found.add(name, format!("it is {ours}, TFT has {theirs}"));
                }
            }
            if let Some(DomainInfo::IntDomain(domain)) = &feature.domain_info {
                let (min, max) = (domain.min(), domain.max());
                let ours = graph.graph().domain(*value);
                if ours != Some((min, max)) {
                    found.add(name, format!("its integers are {ours:?}, TFT has ({min}, {max})"));
                }
            }
        }
    }
}

/// Names of what differs, and how.
#[derive(Default)]
pub(crate) struct Differences(Vec<(String, String)>);

impl Differences {
    fn add(&mut self, name: &str, how: impl Into<String>) {
        self.0.push((name.to_owned(), how.into()));
    }

    /// Fails where something else differs than what is meant to, and why.
    pub(crate) fn assert_meant(&self, what: &str, meant: &[(&str, &str)]) {
        let meant: BTreeSet<&str> = meant.iter().map(|(name, _)| *name).collect();
        let differing: BTreeSet<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let unmeant = self.0.iter().filter(|(name, _)| !meant.contains(name.as_str()));
        let unmeant: Vec<String> = unmeant.map(|(name, how)| format!("{name}: {how}")).collect();
        assert!(unmeant.is_empty(), "{what}:\n{}", unmeant.join("\n"));
        let unused: Vec<_> = meant.difference(&differing).collect();
        assert!(unused.is_empty(), "{what}: meant to differ, but do not: {unused:?}");
    }
}

/// What makes two floats of an output the same: the sign of a principal component is free.
fn same(name: &str) -> fn(f64, f64) -> bool {
    if name.starts_with("pca") { |ours, theirs| close(ours.abs(), theirs.abs()) } else { close }
}

/// The name of an analyzer's output.
fn analyzer(name: &str) -> Option<&str> {
    name.strip_prefix("analyzers/")
}

/// The columns that a frozen graph gives.
fn transformed(graph: &TransformGraph, source: &Arc<dyn Source>) -> Vec<Rows> {
    let outputs = graph.outputs();
    let mut found: Vec<Rows> = outputs.iter().map(|(name, ty)| Rows::new(name, ty.dtype)).collect();
    for batch in batches(source) {
        let fed = transform::arrow::feed(&batch, graph.inputs()).unwrap();
        assert_eq!(fed.bad, []);
        let tensors = graph.run(fed.rows, fed.tensors).unwrap();
        for ((rows, tensor), (_, ty)) in found.iter_mut().zip(&tensors).zip(outputs) {
            rows.add(tensor, ty);
        }
    }
    found
}

/// Those columns of a file that are there.
fn of_parquet(file: &Path, wanted: &[(String, Type)]) -> Vec<Rows> {
    let source = open(&file.display().to_string());
    let there = batches(&source).next().unwrap();
    let wanted = wanted.iter().filter(|(name, _)| there.column_by_name(name).is_some());
    let wanted = wanted.map(|(name, ty)| (name.clone(), Type::var_len(theirs_of(ty.dtype))));
    let wanted: Vec<(String, Type)> = wanted.collect();
    let mut found: Vec<Rows> = wanted.iter().map(|(name, ty)| Rows::new(name, ty.dtype)).collect();
    for batch in batches(&source) {
        let fed = transform::arrow::feed(&batch, &wanted).unwrap();
        for ((rows, tensor), (_, ty)) in found.iter_mut().zip(&fed.tensors).zip(&wanted) {
            rows.add(tensor, ty);
        }
    }
    found
}

/// TFT has no float64 and no bool columns.
fn theirs_of(dtype: DType) -> DType {
    match dtype {
        DType::Float64 => DType::Float32,
        DType::Bool => DType::Int64,
        other => other,
    }
}

fn batches(source: &Arc<dyn Source>) -> impl Iterator<Item = RecordBatch> {
    let shards = 0..source.shards().len();
    let source = source.clone();
    shards.flat_map(move |shard| {
        let batches = source.clone().read(shard, 1000).unwrap();
        batches.map(|batch| batch.unwrap().records)
    })
}

fn flatten(value: &Value, into: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        value => into(value),
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
pub(crate) fn open(pattern: &str) -> Arc<dyn Source> {
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

/// Python's JSON with its bare `NaN` and `Infinity` as strings; no text of a golden has such words.
fn quoted(json: &str) -> String {
    let mut json = json.replace("-Infinity", "\"-inf\"");
    for (bare, text) in [("Infinity", "\"inf\""), ("NaN", "\"nan\"")] {
        json = json.replace(bare, text);
    }
    json
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

/// The same line, or the same token after numbers that are close: TFT makes them of shares that it
/// means in float32, batch by batch, and of differences of logarithms of those.
fn same_line(ours: &[u8], theirs: &[u8]) -> bool {
    let parts = |line: &[u8]| {
        let (numbers, token) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let numbers = numbers.split(',').map(|n| n.parse().ok().filter(|_| n.contains('.')));
        Some((numbers.collect::<Option<Vec<f64>>>()?, token.to_owned()))
    };
    let close = |(a, b): (&f64, &f64)| f64::abs(a - b) <= 1e-4 * f64::abs(*b) + 2e-3;
    ours == theirs
        || matches!((parts(ours), parts(theirs)), (Some((a, ours)), Some((b, theirs)))
            if ours == theirs && a.len() == b.len() && a.iter().zip(&b).all(close))
}
