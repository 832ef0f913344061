//! The loop: a batch in parts, gradients added in one order, a step; an evaluation after each epoch.

use std::path::Path;
use std::thread;

use burn::module::{ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Int, Tensor, TensorData};
use engine::{Error, ErrorKind, Result};
use model::{Inputs, ModelSpec, Task, Weights};

use crate::backend::Backend;
use crate::checkpoint::Checkpoint;
use crate::dataset::{Dataset, Examples, Read};
use crate::network::Network;
use crate::optimizer;
use crate::reduce::tree_reduce;
use crate::schedule::Schedule;
use crate::tables::Tables;

/// Rows that are evaluated at once.
const EVALUATED_ROWS: usize = 4096;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Of the order of rows.
    pub seed: u64,
    /// Times that all rows are read.
    pub epochs: usize,
    /// Rows for each step.
    pub batch_rows: usize,
    /// Rows that are shuffled at once, in memory.
    pub shuffle_buffer: usize,
    /// Of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).
    pub learning_rate: f64,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// Of AdamW.
    pub weight_decay: f64,
    /// Epochs without a better evaluation after which training ends; `None`: never.
    pub patience: Option<usize>,
    /// Threads that compute gradients.
    pub threads: usize,
    /// What computes gradients.
    pub backend: Backend,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            seed: 0,
            epochs: 5,
            batch_rows: 256,
            shuffle_buffer: 65_536,
            learning_rate: 1e-3,
            schedule: Schedule::default(),
            weight_decay: 1e-4,
            patience: Some(2),
            threads: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            backend: Backend::default(),
        }
    }
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss: cross entropy, or squared error.
    pub loss: f64,
    /// How much of the labels is guessed right; the negative mean absolute error of numbers.
    pub accuracy: f64,
    /// Rows.
    pub rows: u64,
}

impl Evaluation {
    /// Judges the scores of all rows of a dataset, in the order in which they are stored.
    ///
    /// # Errors
    /// When rows cannot be read, or there are none.
    pub fn of(dataset: &Dataset, scores: impl Fn(&Inputs) -> Vec<f32>) -> Result<Self> {
        /// Probabilities below count as this much, as in Keras.
        const LEAST: f64 = 1e-7;
        let task = dataset.spec().task;
        let (mut loss, mut right, mut rows) = (0.0, 0.0, 0u64);
        for batch in dataset.batches(EVALUATED_ROWS, Read::InOrder) {
            let batch = batch?;
            let scores = scores(&batch.inputs);
            for (scores, label) in scores.chunks_exact(task.width()).zip(&batch.labels) {
                let score = f64::from(scores[0]);
                match task {
                    Task::Binary => {
                        let of_label = if *label == 1.0 { score } else { 1.0 - score };
                        loss -= of_label.max(LEAST).ln();
                        right += f64::from(u8::from((score > 0.5) == (*label == 1.0)));
                    }
                    Task::Multiclass { .. } => {
                        let of_label = scores[*label as usize];
                        loss -= f64::from(of_label).max(LEAST).ln();
                        let first = scores.iter().position(|score| *score >= of_label);
                        let most = scores.iter().all(|score| *score <= of_label);
                        right += f64::from(u8::from(most && first == Some(*label as usize)));
                    }
                    Task::Regression => {
                        let off = score - f64::from(*label);
                        loss += off * off;
                        right -= off.abs();
                    }
                }
            }
            rows += batch.len() as u64;
        }
        if rows == 0 {
            return Err(Error::input("there are no rows to evaluate"));
        }
        Ok(Evaluation { loss: loss / rows as f64, accuracy: right / rows as f64, rows })
    }
}

/// What an epoch did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// The mean loss over its batches, while weights moved.
    pub loss: f64,
    /// Rows that were learnt from.
    pub rows: u64,
    /// The evaluation after it.
    pub evaluation: Evaluation,
    /// Whether it is the best so far.
    pub is_best: bool,
}

/// A trained network.
#[derive(Debug)]
pub struct Trained {
    /// The weights of the best epoch.
    pub weights: Weights,
    /// What its evaluation found.
    pub best_loss: f64,
    /// Epochs that were run, those before a resumption included.
    pub epochs: usize,
}

/// A network in training.
pub struct Trainer<N> {
    network: N,
    tables: Tables,
    optimizer: ModuleOptimizer,
    device: Device,
    task: Task,
    backend: Backend,
    threads: usize,
    learning_rate: f64,
}

impl<N: Network> Trainer<N> {
    /// For a network that was made on `device`, which is of the options' backend and computes gradients.
    pub fn new(network: N, device: Device, task: Task, options: &Options) -> Self {
        let optimizer = optimizer::adam_w(options.weight_decay, &device);
        let network = optimizer::numbered(network);
        Trainer {
            tables: Tables::of(&network),
            network,
            optimizer,
            device,
            task,
            backend: options.backend,
            threads: options.threads.max(1),
            learning_rate: options.learning_rate,
        }
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// Learns from a batch; gives the sum of its rows' losses before.
    ///
    /// # Errors
    /// When the loss is no longer finite, or the device fails.
    pub fn step(&mut self, spec: &ModelSpec, batch: &Examples) -> Result<f64> {
        let (loss, gradients) = self.gradients(spec, batch);
        let loss = total(loss)?;
        if !loss.is_finite() {
            return Err(diverged());
        }
        let network = self.network.clone();
        self.network = self.optimizer.step(self.learning_rate, network, gradients);
        Ok(loss)
    }

    /// The sum of the losses of all rows, and the gradients of their mean; neither has left the device.
    fn gradients(&self, spec: &ModelSpec, batch: &Examples) -> (Tensor<1>, GradientsParams) {
        // Rows of like lengths go together: a part is as wide as its longest.
        let mut rows: Vec<u32> = (0..batch.len() as u32).collect();
        rows.sort_by_key(|row| batch.inputs.length(*row as usize));
        let mut batch = batch.clone();
        let read = self.tables.read_by(&mut batch.inputs, &self.device);
        let network = read.narrow(self.network.clone());

        let n = self.backend.parts(batch.len());
        let of_part = |part: usize| {
            let part = &rows[part * batch.len() / n..(part + 1) * batch.len() / n];
            let part = batch.rows(spec, part);
            backward(&network, &part, self.task, batch.len(), &self.device)
        };
        let add = |left: (Tensor<1>, GradientsParams), right: (Tensor<1>, GradientsParams)| {
            // Added in place: the right ones to the left.
            let mut sum = GradientsAccumulator::new();
            sum.accumulate(&network, left.1);
            sum.accumulate(&network, right.1);
            (left.0 + right.0, sum.grads())
        };
        let found = tree_reduce(n, self.threads, of_part, add);
        let (loss, mut gradients) =
            found.unwrap_or_else(|| (Tensor::zeros([1], &self.device), GradientsParams::new()));
        read.widen(&self.network, &mut gradients);
        let mut whole = Whole(gradients);
        self.network.visit(&mut whole);
        (loss, whole.0)
    }
}

fn diverged() -> Error {
    Error::input("training does not converge: the loss is not finite")
        .with_hint("Give a lower `--learning-rate`, or scale numbers in the graph.")
}

/// The sum of the losses of `batch`, and its part of the gradients of the mean loss of `rows` rows.
fn backward<N: Network>(
    network: &N,
    batch: &Examples,
    task: Task,
    rows: usize,
    device: &Device,
) -> (Tensor<1>, GradientsParams) {
    // Leaves of its own: other threads compute gradients of the same weights.
    let network = network.clone().fork(device);
    let loss = loss(network.logits(&batch.inputs, device), &batch.labels, task, device);
    let scale = 1.0 / rows.max(1) as f32;
    let gradients = loss.clone().mul_scalar(scale).backward();
    (loss.inner(), GradientsParams::from_grads(gradients, &network))
}

/// A number that is on a device, where all that went wrong there is noticed.
fn total(loss: Tensor<1>) -> Result<f64> {
    let data = loss.try_into_data().map_err(|e| {
        let text = e.to_string();
        let lines = text.lines().map(str::trim).filter(|line| *line != "Caused by:");
        let causes: Vec<&str> = lines.take_while(|line| !line.contains("backtrace")).collect();
        Error::new(ErrorKind::Io, "the device failed")
            .with_detail(format!("{}.", causes.join(": ")))
            .with_hint("Give a smaller `--batch`, or train with `--device cpu`.")
    })?;
    Ok(data.iter::<f32>().next().map_or(f64::NAN, f64::from))
}

/// The sum of the losses of rows.
fn loss(logits: Tensor<2>, labels: &[f32], task: Task, device: &Device) -> Tensor<1> {
    let rows = labels.len();
    let y = || Tensor::<2>::from_data(TensorData::new(labels.to_vec(), [rows, 1]), device);
    match task {
        // log(1 + e^x) - xy, without overflow.
        Task::Binary => {
            let rest = logits.clone().abs().neg().exp().add_scalar(1.0).log();
            (relu(logits.clone()) - logits * y() + rest).sum()
        }
        Task::Regression => {
            let off = logits - y();
            (off.clone() * off).sum()
        }
        Task::Multiclass { .. } => {
            let classes: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
            let classes: Tensor<2, Int> =
                Tensor::from_data(TensorData::new(classes, [rows, 1]), device);
            log_softmax(logits, 1).gather(1, classes).sum().neg()
        }
    }
}

/// Gradients with zeros where nothing of a parameter was used, so that its weights decay, too.
struct Whole(GradientsParams);

impl ModuleVisitor for Whole {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() && self.0.get::<D>(param.id).is_none() {
            let device = param.val().device().inner();
            self.0.register::<D>(param.id, Tensor::zeros(param.val().shape(), &device));
        }
    }
}

/// Trains a network until its evaluation is no better, or epochs are over; goes on from `checkpoint`
/// where that is there.
///
/// `make` makes the network of weights; `evaluate` judges weights after each epoch; `say` is told of
/// each epoch, and `tick` of every batch's rows.
///
/// # Errors
/// When rows cannot be read, the loss is not finite, or the checkpoint is of another training.
#[allow(clippy::too_many_arguments)]
pub fn fit<N: Network>(
    train: &Dataset,
    options: &Options,
    initial: Weights,
    make: impl Fn(&Weights, &Device) -> Result<N>,
    mut evaluate: impl FnMut(&Weights) -> Result<Evaluation>,
    checkpoint: Option<(&Path, &str)>,
    mut tick: impl FnMut(u64),
    mut say: impl FnMut(&Epoch),
) -> Result<Trained> {
    let spec = train.spec();
    let device = options.backend.device()?.autodiff();
    let mut trainer = Trainer::new(make(&initial, &device)?, device.clone(), spec.task, options);
    let shapes: Vec<_> =
        initial.0.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
    let steps_of_epoch = match options.schedule {
        Schedule::Constant => 0,
        // A rate that is to be 0 at the end needs to know where that is.
        Schedule::Linear => train.count()?.div_ceil(options.batch_rows.max(1) as u64),
    };
    let steps = steps_of_epoch * options.epochs as u64;
    let (mut done, mut stale, mut best_loss, mut best) = (0, 0, f64::INFINITY, initial);
    if let Some((path, identity)) = checkpoint
        && let Some(found) = Checkpoint::load(path, identity, &shapes)?
    {
        trainer.network = optimizer::numbered(make(&found.weights, &device)?);
        trainer.optimizer = optimizer::from_bytes(trainer.optimizer, found.optimizer)?;
        (done, stale, best_loss, best) = (found.epochs, found.stale, found.best_loss, found.best);
    }
    while done < options.epochs && options.patience.is_none_or(|patience| stale < patience.max(1)) {
        let read = Read::Shuffled {
            seed: options.seed,
            epoch: done as u64,
            buffer: options.shuffle_buffer,
        };
        let (mut loss, mut rows) = (0.0, 0);
        let first = steps_of_epoch * done as u64;
        for (step, batch) in (first..).zip(train.batches(options.batch_rows, read)) {
            let batch = batch?;
            trainer.learning_rate = options.learning_rate * options.schedule.share(step, steps);
            loss += trainer.step(spec, &batch)?;
            rows += batch.len() as u64;
            tick(batch.len() as u64);
        }
        if rows == 0 {
            return Err(Error::input("there are no rows to learn from"));
        }
        done += 1;
        let weights = trainer.network.weights();
        if weights.0.values().any(|array| array.values.iter().any(|x| !x.is_finite())) {
            return Err(diverged());
        }
        let evaluation = evaluate(&weights)?;
        let is_best = evaluation.loss < best_loss;
        if is_best {
            (best_loss, best, stale) = (evaluation.loss, weights.clone(), 0);
        } else {
            stale += 1;
        }
        if let Some((path, identity)) = checkpoint {
            let checkpoint = Checkpoint {
                identity: identity.to_owned(),
                epochs: done,
                stale,
                best_loss,
                weights,
                best: best.clone(),
                optimizer: optimizer::to_bytes(&trainer.optimizer)?,
            };
            checkpoint.save(path)?;
        }
        say(&Epoch { number: done, loss: loss / rows as f64, rows, evaluation, is_best });
    }
    Ok(Trained { weights: best, best_loss, epochs: done })
}
