//! A network of one's own: any burn module that makes logits of what a model reads is trained by the
//! same `fit`, with its shuffling, checkpoints and early stopping.
//!
//! ```sh
//! cargo run --release -p train --example own_network
//! cargo run --release -p train --example own_network --features wgpu -- wgpu
//! ```
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use engine::{Batch, Batches, Result, Shard, Source};
use model::{Architecture, Array, Inputs, ModelSpec, Task, Weights};
use train::{Backend, Dataset, Evaluation, Network, Options, Trained, fit};
use transform::{Builder, DType, TransformGraph, Type};

/// Sixteen sums that are cut off below 0, and one sum of those.
#[derive(Module, Debug)]
struct Hinges {
    inner: Param<Tensor<2>>,
    outer: Param<Tensor<2>>,
    numbers: usize,
}

impl Hinges {
    const NAMES: [&'static str; 2] = ["inner", "outer"];

    fn new(weights: &Weights, device: &Device) -> Self {
        let [inner, outer] = Self::NAMES.map(|name| {
            let Array { shape, values } = weights.0[name].clone();
            let tensor = Tensor::from_data(TensorData::new(values, shape), device);
            Param::from_tensor(tensor.require_grad())
        });
        let numbers = weights.0["inner"].shape[0];
        Hinges { inner, outer, numbers }
    }
}

impl Network for Hinges {
    fn logits(&self, inputs: &Inputs, device: &Device) -> Tensor<2> {
        let data = TensorData::new(inputs.numbers.clone(), [inputs.rows, self.numbers]);
        let x: Tensor<2> = Tensor::from_data(data, device);
        relu(x.matmul(self.inner.val())).matmul(self.outer.val())
    }

    fn weights(&self) -> Weights {
        let params = [&self.inner, &self.outer];
        let named = Self::NAMES.iter().zip(params).map(|(name, param)| {
            let shape = param.val().dims().to_vec();
            let values = param.val().into_data().iter::<f32>().collect();
            ((*name).to_owned(), Array { shape, values })
        });
        Weights(named.collect())
    }
}

/// Where rows come from: here from a rule, else from `datasets::open`.
struct Rows(Vec<Shard>);

impl Source for Rows {
    fn shards(&self) -> &[Shard] {
        &self.0
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        let first = shard * 4000;
        let starts = (first..first + 4000).step_by(batch_rows);
        Ok(Box::new(starts.map(move |start| {
            let rows = start..(start + batch_rows).min(first + 4000);
            let of = |n: usize, prime: usize| (n * prime % 2003) as f32 / 1001.5 - 1.0;
            let a: Float32Array = rows.clone().map(|n| of(n, 577)).collect();
            let b: Float32Array = rows.clone().map(|n| of(n, 1129)).collect();
            // Which no sum of both can tell.
            let y = rows.map(|n| if (of(n, 577) > 0.0) == (of(n, 1129) > 0.0) { 1.0 } else { 0.0 });
            let y: Float32Array = y.collect();
            let columns: [(&str, ArrayRef); 3] =
                [("a", Arc::new(a)), ("b", Arc::new(b)), ("y", Arc::new(y))];
            Ok(Batch {
                shard,
                first_row: (start - first) as u64,
                records: RecordBatch::try_from_iter(columns).unwrap(),
                originals: None,
                rejected: Vec::new(),
                bytes: 0,
            })
        })))
    }
}

pub(crate) fn main() -> Result<()> {
    let named = |backend: &Backend| std::env::args().nth(1).as_deref() == Some(backend.name());
    let backend = Backend::ALL.into_iter().find(named).unwrap_or_default();
    let trained = learn(&Options { backend, ..options() }, None)?;
    println!("{} weights, loss {:.4}", trained.weights.len(), trained.best_loss);
    Ok(())
}

pub(crate) fn options() -> Options {
    Options { epochs: 20, learning_rate: 0.02, ..Options::default() }
}

/// Goes on from the checkpoint, if there is one.
pub(crate) fn learn(options: &Options, checkpoint: Option<&Path>) -> Result<Trained> {
    let names = ["a", "b", "y"].map(str::to_owned);
    let builder = Builder::new(names.clone().map(|name| (name, Type::scalar(DType::Float32))));
    let outputs: Result<Vec<_>> =
        names.into_iter().map(|name| Ok((name.clone(), builder.input(&name)?))).collect();
    let graph = TransformGraph::new(builder.finish(outputs?)?)?;
    // What is read, and the label; the architecture is that of the module.
    let any = Architecture::WideAndDeep { embedding: 1, hidden: Vec::new() };
    let (spec, _) = ModelSpec::of(&graph, "y", Task::Binary, &[], any)?;
    let shard = |i: usize| Shard { path: format!("rows-{i}"), part: None, bytes: 1 };
    let rows = |n: usize| Arc::new(Rows((0..n).map(shard).collect()));
    let learnt = Dataset::raw(rows(2), &graph, &spec)?;
    let judged = Dataset::raw(rows(1), &graph, &spec)?;

    let first = [("inner", vec![2, 16]), ("outer", vec![16, 1])].map(|(name, shape)| {
        let n: usize = shape.iter().product();
        let values = (0..n).map(|i| ((i * 37 + 11) % 23) as f32 / 11.0 - 1.0).collect();
        (name.to_owned(), Array { shape, values })
    });
    fit(
        &learnt,
        options,
        Weights(first.into()),
        |weights, device| Ok(Hinges::new(weights, device)),
        |weights| {
            let device = Backend::Cpu.device()?.autodiff();
            let network = Hinges::new(weights, &device);
            Evaluation::of(&judged, |inputs| {
                let logits = network.logits(inputs, &device).into_data();
                let mut scores: Vec<f32> = logits.iter().collect();
                Task::Binary.activate(&mut scores);
                scores
            })
        },
        checkpoint.map(|path| (path, "hinges of two numbers")),
        |_| {},
        |epoch| println!("{:>3}  {:.4}", epoch.number, epoch.evaluation.accuracy),
    )
}
