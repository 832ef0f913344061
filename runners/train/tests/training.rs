//! Training on rows whose labels are known: that it learns, and what its weights depend on.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch};
use engine::{Batch, Batches, Error, Result, Shard, Source};
use model::{Architecture, ModelSpec, Predictor, Task, Weights};
use train::{
    Backend, Dataset, Epoch, Evaluation, Network, Options, Read, Schedule, Trained, WideAndDeep,
    fit,
};
use transform::{Args, Builder, DType, Literal, TransformGraph, Type};

/// Rows in memory: `x` in -1..1, `k` in 0..10 and `y` of both, in shards of different lengths.
struct Rows {
    shards: Vec<Shard>,
    lengths: Vec<usize>,
    label: fn(f32, i64) -> f32,
}

impl Rows {
    fn new(lengths: &[usize], label: fn(f32, i64) -> f32) -> Arc<Self> {
        let shard = |i| Shard { path: format!("rows-{i}"), part: None, bytes: 1 };
        let shards = (0..lengths.len()).map(shard).collect();
        Arc::new(Rows { shards, lengths: lengths.to_vec(), label })
    }
}

fn x_of(n: usize) -> f32 {
    ((n.wrapping_mul(2_654_435_761) >> 8) % 2001) as f32 / 1000.0 - 1.0
}

fn k_of(n: usize) -> i64 {
    ((n.wrapping_mul(40_503) >> 4) % 10) as i64
}

impl Source for Rows {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        let start: usize = self.lengths[..shard].iter().sum();
        let end = start + self.lengths[shard];
        Ok(Box::new((start..end).step_by(batch_rows).map(move |first| {
            let rows = first..end.min(first + batch_rows);
            let x: Float32Array = rows.clone().map(x_of).collect();
            let k: Int64Array = rows.clone().map(k_of).collect();
            let y: Float32Array = rows.map(|n| (self.label)(x_of(n), k_of(n))).collect();
            let columns: [(&str, ArrayRef); 3] =
                [("x", Arc::new(x)), ("k", Arc::new(k)), ("y", Arc::new(y))];
            Ok(Batch {
                shard,
                first_row: (first - start) as u64,
                records: RecordBatch::try_from_iter(columns).unwrap(),
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            })
        })))
    }
}

/// `x` as it is, `k` in buckets of one, `y` as it is.
fn graph() -> TransformGraph {
    let inputs = [
        ("x".to_owned(), Type::scalar(DType::Float32)),
        ("k".to_owned(), Type::scalar(DType::Int64)),
        ("y".to_owned(), Type::scalar(DType::Float32)),
    ];
    let mut builder = Builder::new(inputs);
    let [x, k, y] = ["x", "k", "y"].map(|name| builder.input(name).unwrap());
    let bounds = (1..10).map(|bound| Literal::Float(f64::from(bound))).collect();
    let args = Args::default().arg(k).arg(Literal::List(bounds));
    let k = builder.one("tft.apply_buckets", args).unwrap();
    let outputs = [("x", x), ("k", k), ("y", y)].map(|(name, value)| (name.to_owned(), value));
    TransformGraph::new(builder.finish(outputs.to_vec()).unwrap()).unwrap()
}

fn spec(graph: &TransformGraph, task: Task) -> ModelSpec {
    let architecture = Architecture::WideAndDeep { embedding: 4, hidden: vec![16, 8] };
    let (spec, left_out) = ModelSpec::of(graph, "y", task, &[], architecture).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    assert_eq!((spec.n_numbers(), spec.categories().collect::<Vec<_>>()), (1, vec![("k", 10)]));
    spec
}

/// Trains on 3,000 rows; gives the epochs, too.
fn train(
    task: Task,
    label: fn(f32, i64) -> f32,
    options: &Options,
    checkpoint: Option<&Path>,
) -> (Trained, Vec<Epoch>, Predictor) {
    let (trained, epochs, predictor) = train_until(usize::MAX, task, label, options, checkpoint);
    (trained.unwrap(), epochs, predictor.unwrap())
}

/// The same, but that after `last` epochs it fails.
fn train_until(
    last: usize,
    task: Task,
    label: fn(f32, i64) -> f32,
    options: &Options,
    checkpoint: Option<&Path>,
) -> (Result<Trained>, Vec<Epoch>, Option<Predictor>) {
    let graph = graph();
    let spec = spec(&graph, task);
    let rows = Dataset::raw(Rows::new(&[1000, 1, 0, 1999], label), &graph, &spec).unwrap();
    let held_out = Dataset::raw(Rows::new(&[500], label), &graph, &spec).unwrap();
    let predictor =
        |weights: &Weights| Predictor::new(&graph, spec.clone(), weights.clone()).unwrap();
    let mut evaluated = 0;
    let evaluate = |weights: &Weights| {
        if evaluated == last {
            return Err(Error::invalid("that is enough"));
        }
        evaluated += 1;
        let predictor = predictor(weights);
        Evaluation::of(&held_out, |inputs| predictor.scores(inputs))
    };
    let mut epochs = Vec::new();
    let trained = fit(
        &rows,
        options,
        spec.initial(options.seed),
        |weights, device| WideAndDeep::new(&spec, weights, device),
        evaluate,
        checkpoint.map(|path| (path, "this training")),
        |_| {},
        |epoch| epochs.push(*epoch),
    );
    let predictor = trained.as_ref().ok().map(|trained| predictor(&trained.weights));
    (trained, epochs, predictor)
}

fn options() -> Options {
    Options {
        epochs: 6,
        batch_rows: 64,
        learning_rate: 0.01,
        shuffle_buffer: 700,
        ..Options::default()
    }
}

/// The sign of `x`, turned over where `k` is odd: no linear model of both can tell.
fn crossed(x: f32, k: i64) -> f32 {
    f32::from(u8::from((x > 0.0) == (k % 2 == 0)))
}

#[test]
fn it_learns_what_no_linear_model_can() {
    let (trained, epochs, _) = train(Task::Binary, crossed, &options(), None);
    let last = epochs.last().unwrap();
    assert!(last.evaluation.accuracy > 0.95, "{epochs:?}");
    assert!(epochs.iter().all(|epoch| epoch.rows == 3000 && epoch.evaluation.rows == 500));
    let best = epochs.iter().map(|epoch| epoch.evaluation.loss).fold(f64::INFINITY, f64::min);
    assert_eq!(trained.best_loss, best);
}

#[test]
fn it_learns_classes_and_numbers() {
    let task = Task::Multiclass { classes: 3 };
    let (_, epochs, predictor) = train(
        task,
        |x, k| if k >= 7 { 2.0 } else { f32::from(u8::from(x > 0.2)) },
        &options(),
        None,
    );
    assert!(epochs.last().unwrap().evaluation.accuracy > 0.9, "{epochs:?}");
    let columns: Vec<_> = predictor.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(columns, ["probabilities", "class"]);
    let (_, epochs, _) = train(Task::Regression, |x, k| 2.0 * x + k as f32, &options(), None);
    // The labels' variance is above 9.
    assert!(epochs.last().unwrap().evaluation.loss < 0.2, "{epochs:?}");
}

#[test]
fn weights_do_not_depend_on_threads() {
    let of = |threads| {
        train(Task::Binary, crossed, &Options { threads, epochs: 1, ..options() }, None).0
    };
    let one = of(1).weights.to_bytes().unwrap();
    for threads in [2, 8] {
        assert_eq!(of(threads).weights.to_bytes().unwrap(), one, "{threads}");
    }
    let other = Options { seed: 1, epochs: 1, ..options() };
    assert_ne!(train(Task::Binary, crossed, &other, None).0.weights.to_bytes().unwrap(), one);
}

#[test]
fn a_training_that_is_stopped_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let mut weights = Vec::new();
    for schedule in Schedule::ALL {
        let options = Options { schedule, epochs: 4, ..options() };
        let (whole, epochs, _) = train(Task::Binary, crossed, &options, None);
        let (stopped, first, _) = train_until(2, Task::Binary, crossed, &options, Some(&path));
        assert!(stopped.is_err());
        let (resumed, rest, _) = train(Task::Binary, crossed, &options, Some(&path));
        assert_eq!([first, rest].concat(), epochs);
        assert_eq!(resumed.weights.to_bytes().unwrap(), whole.weights.to_bytes().unwrap());
        weights.push(whole.weights.to_bytes().unwrap());
        std::fs::remove_file(&path).unwrap();
    }
    assert_ne!(weights[0], weights[1]);
    // More epochs can be asked for where no step depends on their number.
    let (whole, epochs, _) = train(Task::Binary, crossed, &options(), None);
    let (_, first, _) =
        train(Task::Binary, crossed, &Options { epochs: 2, ..options() }, Some(&path));
    let (resumed, rest, _) = train(Task::Binary, crossed, &options(), Some(&path));
    assert_eq!([first, rest].concat(), epochs);
    assert_eq!(resumed.weights.to_bytes().unwrap(), whole.weights.to_bytes().unwrap());
    // There is nothing left to do, and a part of a file is no checkpoint.
    let (again, none, _) = train(Task::Binary, crossed, &options(), Some(&path));
    assert_eq!((again.weights, none.len()), (whole.weights, 0));
    let shapes = spec(&graph(), Task::Binary).shapes();
    let bytes = std::fs::read(&path).unwrap();
    for n in [0, 10, 300, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..n]).unwrap();
        assert!(train::Checkpoint::load(&path, "this training", &shapes).is_err(), "{n}");
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = train::Checkpoint::load(&path, "another", &shapes).unwrap_err();
    assert!(error.detail().unwrap().contains("other options"), "{error:?}");
}

#[test]
fn burn_and_the_predictor_compute_the_same_network() {
    let (trained, _, predictor) =
        train(Task::Binary, crossed, &Options { epochs: 1, ..options() }, None);
    let graph = graph();
    let spec = spec(&graph, Task::Binary);
    let rows = Dataset::raw(Rows::new(&[333], crossed), &graph, &spec).unwrap();
    let batch = rows.batches(333, Read::InOrder).next().unwrap().unwrap();
    for device in Backend::ALL.into_iter().filter_map(|backend| backend.device().ok()) {
        let device = device.autodiff();
        let network = WideAndDeep::new(&spec, &trained.weights, &device).unwrap();
        assert_eq!(network.weights(), trained.weights);
        let logits: Vec<f32> = network.logits(&batch.inputs, &device).into_data().iter().collect();
        for (score, logit) in predictor.scores(&batch.inputs).iter().zip(logits) {
            let expected = 1.0 / (1.0 + (-logit).exp());
            assert!((score - expected).abs() < 1e-5, "{device:?}: {score} {expected}");
        }
    }
}

#[test]
fn graphics_processors_learn_too_or_it_is_said_why_not() {
    let backend = Backend::Wgpu;
    if let Err(error) = backend.device() {
        println!("skipped: {error}");
        let built = cfg!(feature = "wgpu");
        let why = if built { "there is no device for" } else { "this build has no backend" };
        assert_eq!(error.message(), format!("{why} `wgpu`"));
        assert!(error.hint().is_some_and(|hint| hint.contains(if built { "cpu" } else { "wgpu" })));
        return;
    }
    let options = Options { backend, ..options() };
    let near = |found: &[Epoch], expected: &[Epoch]| {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            let off = (a.evaluation.loss - b.evaluation.loss).abs();
            assert!(off < 0.01, "{found:?} {expected:?}");
        }
    };
    let (_, expected, _) = train(Task::Binary, crossed, &self::options(), None);
    let (_, found, _) = train(Task::Binary, crossed, &options, None);
    near(&found, &expected);
    // The optimizer's state comes back, too: without it losses are others.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let first = Options { epochs: 2, ..options.clone() };
    let (_, first, _) = train(Task::Binary, crossed, &first, Some(&path));
    let (_, rest, _) = train(Task::Binary, crossed, &options, Some(&path));
    near(&[first, rest].concat(), &expected);
}

#[test]
fn every_row_comes_once_in_every_epoch() {
    let graph = graph();
    let spec = spec(&graph, Task::Regression);
    let rows = Dataset::raw(Rows::new(&[100, 7, 250], |x, _| x), &graph, &spec).unwrap();
    let read = |read| -> Vec<u32> {
        let batches = rows.batches(32, read).map(|batch| batch.unwrap().labels);
        let batches: Vec<Vec<f32>> = batches.collect();
        assert!(batches[..batches.len() - 1].iter().all(|batch| batch.len() == 32));
        batches.concat().iter().map(|label| label.to_bits()).collect()
    };
    let stored = read(Read::InOrder);
    assert_eq!(stored.len(), 357);
    let sorted = |mut bits: Vec<u32>| {
        bits.sort_unstable();
        bits
    };
    let mut orders = BTreeSet::new();
    for epoch in 0..3 {
        for buffer in [1, 1000] {
            let shuffled = read(Read::Shuffled { seed: 3, epoch, buffer });
            assert_eq!(read(Read::Shuffled { seed: 3, epoch, buffer }), shuffled);
            assert_eq!(sorted(shuffled.clone()), sorted(stored.clone()));
            orders.insert(shuffled);
        }
    }
    assert_eq!(orders.len(), 6);
}

#[test]
fn labels_that_are_none_are_errors_with_their_rows() {
    let graph = graph();
    let check = |task, label: fn(f32, i64) -> f32, expected: &str| {
        let spec = spec(&graph, task);
        let rows = Dataset::raw(Rows::new(&[5, 100], label), &graph, &spec).unwrap();
        let error = rows.batches(10, Read::InOrder).find_map(Result::err).unwrap();
        assert!(error.detail().unwrap().contains(expected), "{error:?}");
    };
    check(Task::Binary, |_, k| if k == 9 { 2.0 } else { 0.0 }, "the label `y` is 2, not 0 to 1");
    check(Task::Multiclass { classes: 3 }, |_, k| k as f32, "not 0 to 2");
    check(Task::Multiclass { classes: 3 }, |_, _| 0.5, "Row 0: the label `y` is 0.5");
    check(Task::Regression, |_, _| f32::NAN, "the label `y` is NaN, not a number");
}
