//! The laws of operations, for every row of the table, on nasty values: where batches end does not
//! show, a row alone gives the same bits, results are of the declared types, and analyzers give the
//! same on any runner.
//!
//! The examples of the table are what is tested.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;
use engine::{Batch, RunOptions, Shard, Source};
use preprocessing::{Limits, Options, trace};
use runners::Runner;
use runners::transform::analyze;
use transform::arrow::{field, to_array};
use transform::ops::{EXAMPLE_FILES, EXAMPLE_INPUTS, OPS};
use transform::{
    DType, Dim, Graph, Op, Strings, Tensor, TransformGraph, Type, Values, What, splits_of,
};

use crate::support::workers;

/// Operations whose declared range leaves values out, and why: checked, so that the list cannot rot.
const OUTSIDE: &[(&str, &str)] = &[
    ("tft.quantiles_per_key", "its example is of `tft.apply_buckets_per_key`"),
    ("tft.apply_buckets_per_key", "the range is TFT's, which leaves out the -1 of unknown keys"),
];

/// A small generator of numbers with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides as u64) as usize
    }

    fn all<T: Clone>(&mut self, n: usize, from: &[T]) -> Vec<T> {
        (0..n).map(|_| from[self.roll(from.len())].clone()).collect()
    }
}

const BOOLS: [u8; 2] = [0, 1];
const INTS: [i64; 14] = [
    0,
    1,
    2,
    3,
    5,
    -1,
    -7,
    100,
    i64::MIN,
    i64::MIN + 1,
    i64::MAX,
    1 << 53,
    (1 << 53) + 1,
    1_500_000_000,
];
const LABELS: [i64; 3] = [0, 1, 2];
const TIMES: [i64; 7] =
    [0, -1, 1_600_000_000_000_000, 951_782_400_000_000, i64::MIN, i64::MAX, -86_400_000_000];
const FLOATS: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    2.0,
    0.5,
    -2.25,
    3.0e-45,
    -1.0e-40,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    16_777_216.0,
    1.0e-7,
];
const WEIGHTS: [f32; 8] = [1.0, 1.0, 0.5, 2.5, 0.0, -1.0, f32::NAN, 1.0e30];
const TEXTS: [&[u8]; 18] = [
    b"",
    b" ",
    b"\0",
    b"a",
    b"b",
    b"A b  a",
    b"line\nbreak",
    b"cr\r",
    b"tab\there",
    b"\xff\xfe",
    b"a\xc3",
    "日本 語".as_bytes(),
    "É ß ﬁ".as_bytes(),
    b"12",
    b"-1.5e3",
    b"2020-02-29T23:59:59Z",
    b"the quick brown fox jumps over the lazy dog, again and again and again",
    b"[CLS] unaffable!",
];
const KEYS: [&[u8]; 6] = [b"a", b"b", b"c d", b"", b"\xff", b"z\n"];

/// `n` values for a column.
fn values(name: &str, dtype: DType, n: usize, dice: &mut Dice) -> Values {
    match (name, dtype) {
        (_, DType::Bool) => dice.all(n, &BOOLS).into(),
        ("label", _) => dice.all(n, &LABELS).into(),
        ("weight", _) => dice.all(n, &WEIGHTS).into(),
        ("key", _) => dice.all(n, &KEYS).into_iter().collect::<Strings>().into(),
        (_, DType::Int64) => dice.all(n, &INTS).into(),
        (_, DType::Timestamp) => dice.all(n, &TIMES).into(),
        (_, DType::Float32) => dice.all(n, &FLOATS).into(),
        (_, DType::Float64) => {
            let floats = dice.all(n, &FLOATS).into_iter().map(f64::from);
            floats.map(|value| if value == 0.5 { 5e-324 } else { value }).collect::<Vec<_>>().into()
        }
        (_, DType::String) => dice.all(n, &TEXTS).into_iter().collect::<Strings>().into(),
        (_, DType::Vocabulary | DType::Tokenizer) => unreachable!("no column is an asset"),
    }
}

/// Rows of all example columns: empty lists, long ones, and every value of the pools.
pub(crate) fn rows(n: usize, seed: u64) -> RecordBatch {
    let mut dice = Dice(seed);
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (name, dtype, dims) in EXAMPLE_INPUTS {
        let ty = Type::column(*dtype, *dims);
        let mut items = n;
        let mut splits = Vec::new();
        for dim in *dims {
            match dim {
                Dim::Fixed(k) => items *= *k as usize,
                Dim::Var => {
                    let lengths: Vec<usize> =
                        (0..items).map(|_| [0, 0, 1, 1, 2, 3, 5, 17][dice.roll(8)]).collect();
                    items = lengths.iter().sum();
                    splits.push(splits_of(lengths).unwrap());
                }
            }
        }
        let tensor = Tensor { rows: n, splits, values: values(name, *dtype, items, &mut dice) };
        tensor.check(&ty).unwrap();
        fields.push(field(name, &ty));
        columns.push(to_array(&tensor, &ty).unwrap());
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Shards that lie in memory.
pub(crate) struct Memory {
    shards: Vec<Shard>,
    records: Vec<RecordBatch>,
}

impl Memory {
    pub(crate) fn source(records: Vec<RecordBatch>) -> Arc<dyn Source> {
        let shard = |i| Shard { path: format!("/memory/{i}"), part: None, bytes: 1 };
        Arc::new(Memory { shards: (0..records.len()).map(shard).collect(), records })
    }
}

impl Source for Memory {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> engine::Result<engine::Batches> {
        let records = self.records[shard].clone();
        let starts = (0..records.num_rows()).step_by(batch_rows);
        Ok(Box::new(starts.map(move |start| {
            let n = batch_rows.min(records.num_rows() - start);
            let records = records.slice(start, n);
            let first_row = start as u64;
            Ok(Batch { shard, first_row, records, originals: None, rejected: vec![], bytes: 1 })
        })))
    }
}

/// A module that names the example columns and returns what `body` puts into `outputs`.
pub(crate) fn module(body: &str) -> String {
    let mut text = "def preprocessing_fn(inputs):\n".to_owned();
    for (name, _, _) in EXAMPLE_INPUTS {
        let _ = writeln!(text, "    {name} = inputs[\"{name}\"]");
    }
    text + "    outputs = {}\n" + body + "    return outputs\n"
}

/// Puts the results of an example into `outputs`.
pub(crate) fn statement(number: usize, example: &str) -> String {
    format!(
        "    r = {example}\n    \
         for i, v in enumerate(r if type(r) == \"tuple\" else [r]):\n        \
         outputs[\"{number}.\" + str(i)] = v\n"
    )
}

pub(crate) fn traced(module: &str) -> engine::Result<Graph> {
    let inputs: Vec<(String, Type)> = EXAMPLE_INPUTS
        .iter()
        .map(|(name, dtype, dims)| ((*name).to_owned(), Type::column(*dtype, *dims)))
        .collect();
    let limits = Limits { steps: 1 << 20, ..Limits::default() };
    let load = |path: &str| {
        let file = EXAMPLE_FILES.iter().find(|(name, _)| *name == path);
        file.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| engine::Error::input("no such file"))
    };
    let options = Options { load: &load, limits, ..Options::default() };
    trace("examples.star", module.as_bytes(), &inputs, &options)
}

/// The examples of an operation as one graph; results are named by the example's number.
pub(crate) fn graph(op: &Op) -> engine::Result<Graph> {
    let examples = op.examples.iter().enumerate();
    let body: String = examples.map(|(number, example)| statement(number, example)).collect();
    traced(&module(&body))
}

fn frozen(
    op: &Op,
    source: &Arc<dyn Source>,
    runner: &Runner,
    batch_rows: usize,
) -> engine::Result<TransformGraph> {
    let options = RunOptions { batch_rows, ..RunOptions::default() };
    Ok(analyze(graph(op)?, source, runner, &options)?.graph)
}

/// Holds every operation of the table to a law, which says how an operation breaks it.
pub(crate) fn for_every_operation(law: impl Fn(&Op, &mut Vec<String>) -> engine::Result<()>) {
    let mut wrong = Vec::new();
    for op in OPS {
        let mut broken = Vec::new();
        let done = catch_unwind(AssertUnwindSafe(|| law(op, &mut broken)));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => broken.push(error.to_string()),
            Err(_) => broken.push("panicked".to_owned()),
        }
        broken.truncate(3);
        let broken = broken.into_iter().map(|how| format!("`{}`: {how:.1500}", op.name));
        wrong.extend(broken);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_has_examples_that_use_it() {
    let mut names = BTreeSet::new();
    for_every_operation(|op, _| {
        assert!(!op.examples.is_empty(), "no examples");
        for example in op.examples {
            let graph = traced(&module(&statement(0, example)))?;
            let uses = graph
                .nodes
                .iter()
                .any(|node| matches!(&node.what, What::Op(bound) if bound.op.name == op.name));
            assert!(uses || example.contains(op.name), "not used by `{example}`");
        }
        Ok(())
    });
    assert!(OPS.iter().all(|op| names.insert(op.name)), "a name is there twice");
}

/// Two shards of the rows.
fn two_shards(all: &RecordBatch) -> Arc<dyn Source> {
    Memory::source(vec![all.slice(0, 60), all.slice(60, all.num_rows() - 60)])
}

#[test]
fn rows_do_not_see_each_other() {
    let all = rows(100, 7);
    let source = two_shards(&all);
    for_every_operation(|op, broken| {
        let graph = frozen(op, &source, &Runner::Direct, 50)?;
        let whole = graph.apply(&all)?;
        assert_eq!(whole.bad, []);
        let mut compare = |what: &str, start: usize, part: &[ArrayRef]| {
            for ((column, part), (output, ty)) in
                whole.records.columns().iter().zip(part).zip(graph.outputs())
            {
                let column = column.slice(start, part.len());
                if column.to_data() != part.to_data() {
                    let output = example(op, output);
                    broken.push(format!(
                        "{output} ({ty}), {what}, from row {start}:\n{column:?}\n{part:?}"
                    ));
                }
            }
        };
        for start in (0..all.num_rows()).step_by(7) {
            let part = all.slice(start, 7.min(all.num_rows() - start));
            compare("batches of 7", start, graph.apply(&part)?.records.columns());
        }
        for row in 0..all.num_rows() {
            let fed = transform::arrow::feed(&all.slice(row, 1), graph.inputs())?;
            let mut input = graph.row();
            for ((name, _), tensor) in graph.inputs().iter().zip(fed.tensors) {
                graph.set_tensor(&mut input, name, tensor)?;
            }
            let output = graph.apply_row(&input)?;
            let arrays = output.iter().map(|(_, ty, tensor)| to_array(tensor, ty));
            compare("row by row", row, &arrays.collect::<engine::Result<Vec<_>>>()?);
        }
        Ok(())
    });
}

/// The example behind an output.
fn example(op: &Op, output: &str) -> &'static str {
    let number: usize = output.split('.').next().unwrap().parse().unwrap();
    op.examples[number]
}

#[test]
fn results_are_of_their_types_and_domains() {
    let all = rows(100, 11);
    let source = two_shards(&all);
    let outside = RefCell::new(BTreeSet::new());
    for_every_operation(|op, broken| {
        let graph = frozen(op, &source, &Runner::Direct, 50)?;
        for data in [all.clone(), all.slice(0, 0), rows(40, 12)] {
            let fed = transform::arrow::feed(&data, graph.inputs())?;
            let results = graph.run(fed.rows, fed.tensors)?;
            for ((result, (output, ty)), (_, value)) in
                results.iter().zip(graph.outputs()).zip(&graph.graph().outputs)
            {
                let output = example(op, output);
                if result.rows != data.num_rows() {
                    broken.push(format!("{output}: {} rows", result.rows));
                }
                if let Err(error) = result.check(ty) {
                    broken.push(format!("{output}: {error}"));
                }
                let Some((least, most)) = graph.graph().domain(*value) else { continue };
                if ty.dtype != DType::Int64 {
                    continue;
                }
                if let Some(value) = result.ints().iter().find(|v| !(least..=most).contains(*v)) {
                    if OUTSIDE.iter().any(|(name, _)| *name == op.name) {
                        outside.borrow_mut().insert(op.name);
                    } else {
                        broken.push(format!("{output}: {value} is not in {least}..={most}"));
                    }
                }
            }
        }
        Ok(())
    });
    let expected: BTreeSet<&str> = OUTSIDE.iter().map(|(name, _)| *name).collect();
    assert_eq!(outside.into_inner(), expected, "every exception is needed");
}

/// The constants of a frozen graph, with the analyzers that gave them.
pub(crate) fn constants(graph: &TransformGraph) -> Vec<(String, Vec<Tensor>)> {
    let nodes = graph.graph().nodes.iter();
    let analyzed = nodes.filter_map(|node| match &node.what {
        What::Analyzed(shown, values) => Some((shown.clone(), values.clone())),
        _ => None,
    });
    analyzed.collect()
}

#[test]
fn analyzers_give_the_same_on_any_runner() {
    let all = rows(300, 3);
    let source = Memory::source(vec![all.slice(0, 150), all.slice(150, 1), all.slice(151, 149)]);
    let runs = [
        (Runner::Direct, 1),
        (Runner::Direct, 7),
        (workers(1), 7),
        (workers(2), 1000),
        (workers(3), 64),
    ];
    for_every_operation(|op, broken| {
        let expected = constants(&frozen(op, &source, &Runner::Direct, 1000)?);
        if expected.is_empty() {
            return Ok(());
        }
        for (runner, batch_rows) in &runs {
            let found = constants(&frozen(op, &source, runner, *batch_rows)?);
            assert_eq!(found.len(), expected.len());
            for ((shown, expected), (_, found)) in expected.iter().zip(&found) {
                if !expected.iter().zip(found).all(|(a, b)| a.same_bits(b)) {
                    broken.push(format!(
                        "`{shown}`, {runner:?}, batches of {batch_rows}:\n{expected:?}\n{found:?}"
                    ));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn no_data_is_data_too() {
    let empty = Memory::source(vec![rows(0, 1)]);
    let all = rows(20, 5);
    for_every_operation(|op, _| {
        let graph = frozen(op, &empty, &workers(2), 10)?;
        assert_eq!(graph.apply(&all)?.records.num_rows(), 20);
        assert_eq!(graph.apply(&all.slice(0, 0))?.records.num_rows(), 0);
        Ok(())
    });
}
