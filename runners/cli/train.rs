//! `frazil train`: a network behind a frozen graph, and all that it needs in one directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use engine::{Error, Result, Source};
use model::bundle::{Parts, check_vacant};
use model::{Architecture, Bundle, Feature, ModelSpec, Predictor, Task, Weights, pretrained};
use train::{Backend, Built, Dataset, Epoch, Evaluation, FineTune, Options, Read, Schedule, fit};
use transform::TransformGraph;

use crate::args::InputArgs;
use crate::failure::Done;
use crate::input::Input;
use crate::options::read;
use crate::progress::bar;
use crate::values::Count;
use crate::{interrupt, output};

const HELP: &str = "\
Examples:
  frazil train 'train/*' --eval 'eval/*' --graph graph --label tips_xf -o model
  frazil train 'train/*' --eval 'eval/*' --graph graph --label stars --task regression -o model
  frazil train texts/ --eval texts-eval/ --graph graph --label acceptable --architecture encoder -o model
  frazil train texts/ --eval … --architecture encoder --pretrained bert-base-uncased -o model
  frazil train … --pretrained DIR --fine-tune all --schedule linear --learning-rate 5e-5 --batch 32 -o model
  frazil train transformed/ --eval transformed-eval/ --transformed --graph graph --label tips_xf -o model

The graph is applied to rows on their way; `--transformed` reads rows that it was applied to before.
A wide and deep network reads all outputs of the graph but the label: floats of fixed shapes as numbers,
integers with a domain (ids of vocabularies, buckets, hashes) as categories. An encoder is a transformer
with BERT's layers: it reads `input_word_ids`, `input_mask` and `input_type_ids`, as `text.bert_inputs`
makes them. What is left out is said.

Rows are read in an order of their own in each epoch, which depends on the seed. Weights are the same
bits for any number of threads of the processor. After each epoch the weights are judged on the rows of
`--eval`; those of the best epoch are kept.

`--device wgpu` trains on the fastest graphics processor, or on the one that CUBECL_WGPU_DEFAULT_DEVICE
names, such as `IntegratedGpu(0)`. It rounds otherwise: weights have other bits than the processor's, and
need not have the same in the next run, though on Mesa's software device they do. Epochs are judged, and
predictions made, by the processor all the same.

While it trains, DIR.checkpoint holds where it stands: the same command goes on from there. It is removed
when the model is written.

Exit codes:
  0    done
  2    failed; the reason is on stderr, and no model was written
  130  interrupted; the same command goes on after the last whole epoch";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct TrainArgs {
    /// Files, directories, globs, numbered shards or patterns of spans to learn from
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The rows that epochs are judged by
    #[arg(long, required = true, value_name = "INPUT")]
    eval: Vec<String>,
    /// The graph, as `frazil analyze` has written it
    #[arg(short, long, value_name = "DIR")]
    graph: PathBuf,
    /// The output of the graph that is to be predicted
    #[arg(short, long, value_name = "NAME")]
    label: String,
    /// What is predicted: `binary`, `multiclass:N` or `regression`
    #[arg(long, value_name = "TASK", default_value = "binary", value_parser = task)]
    task: Task,
    /// The directory for the model
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Replace an earlier model
    #[arg(long)]
    overwrite: bool,
    /// The inputs are transformed rows
    #[arg(long)]
    transformed: bool,
    /// Integers without a domain that are categories from 0 up to below N
    #[arg(long, value_name = "NAME:N", value_parser = category)]
    categorical: Vec<(String, usize)>,
    /// What the network is made of
    #[arg(long, value_enum, value_name = "KIND", default_value = "wide-and-deep")]
    architecture: Kind,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Wide and deep: units of hidden layers
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "64,32")]
    hidden: Vec<usize>,
    /// Wide and deep: numbers for each category
    #[arg(long, value_name = "N", default_value = "8")]
    embedding: usize,
    /// Times that all rows are read, at most
    #[arg(long, value_name = "N", default_value = "10")]
    epochs: usize,
    /// Epochs without a better one after which training ends
    #[arg(long, value_name = "N", default_value = "2")]
    patience: usize,
    /// Rows for each step
    #[arg(long, value_name = "N", default_value = "256")]
    batch: Count,
    /// Rows in memory that are shuffled together
    #[arg(long, value_name = "N", default_value = "65536")]
    shuffle: Count,
    /// How far a step goes
    #[arg(long, value_name = "X", default_value = "0.001", value_parser = rate)]
    learning_rate: f64,
    /// How that goes from step to step; `linear` is up for a tenth of all steps, then down to 0
    #[arg(long, value_name = "SCHEDULE", default_value = "constant", value_parser = named(Schedule::ALL, Schedule::name))]
    schedule: Schedule,
    /// Of the order of rows and of the first weights
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Threads [default: cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// What computes gradients; `wgpu`, a graphics processor, in programs built with that feature
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = named(Backend::ALL, Backend::name))]
    device: Backend,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    input: InputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A linear model beside a network of embeddings, for tables
    WideAndDeep,
    /// The linear model alone: what others have to be better than
    Linear,
    /// A transformer encoder, for texts
    Encoder,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Encoder")]
struct EncoderArgs {
    /// Layers of attention
    #[arg(long, value_name = "N", default_value = "2")]
    layers: usize,
    /// Heads of attention in each layer
    #[arg(long, value_name = "N", default_value = "4")]
    heads: usize,
    /// Numbers for each token, a multiple of the heads
    #[arg(long, value_name = "N", default_value = "128")]
    width: usize,
    /// Begin with an encoder of BERT's family: Hugging Face's `config.json` and `model.safetensors`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["layers", "heads", "width"])]
    pretrained: Option<PathBuf>,
    /// Which weights are trained [default: head with --pretrained, else all]
    #[arg(long, value_enum, value_name = "WEIGHTS")]
    fine_tune: Option<Trained>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Trained {
    /// All of them
    All,
    /// The layer of the answer and the one under it
    Head,
}

impl EncoderArgs {
    fn architecture(&self) -> Result<Architecture> {
        /// As many places as BERT has.
        const POSITIONS: usize = 512;
        match &self.pretrained {
            Some(directory) => pretrained::architecture(&read(&directory.join("config.json"))?),
            None => Ok(Architecture::Encoder {
                layers: self.layers,
                heads: self.heads,
                width: self.width,
                feed_forward: self.width.saturating_mul(4),
                positions: POSITIONS,
            }),
        }
    }

    fn trained(&self) -> FineTune {
        match (self.fine_tune, &self.pretrained) {
            (Some(Trained::All), _) | (None, None) => FineTune::All,
            (Some(Trained::Head), _) | (None, Some(_)) => FineTune::Head,
        }
    }

    /// Weights to begin with.
    fn initial(&self, spec: &ModelSpec, seed: u64) -> Result<Weights> {
        match &self.pretrained {
            Some(directory) => {
                pretrained::weights(spec, &read(&directory.join("model.safetensors"))?, seed)
            }
            None => Ok(spec.initial(seed)),
        }
    }
}

fn task(text: &str) -> std::result::Result<Task, String> {
    match text {
        "binary" => Ok(Task::Binary),
        "regression" => Ok(Task::Regression),
        _ => match text.strip_prefix("multiclass:").and_then(|n| n.parse().ok()) {
            Some(classes) if classes >= 2 => Ok(Task::Multiclass { classes }),
            _ => Err("`binary`, `regression`, or `multiclass:N` with N from 2".to_owned()),
        },
    }
}

fn category(text: &str) -> std::result::Result<(String, usize), String> {
    let parts = text.rsplit_once(':');
    match parts.and_then(|(name, size)| Some((name, size.parse().ok()?))) {
        Some((name, size)) if size > 0 && !name.is_empty() => Ok((name.to_owned(), size)),
        _ => Err("NAME:N, where N is how many values there are".to_owned()),
    }
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate < 1e3 => Ok(rate),
        _ => Err("a number above 0, such as 0.001".to_owned()),
    }
}

/// One of these, by its name.
fn named<T>(all: [T; 2], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Default + Send + Sync + 'static,
{
    let names = PossibleValuesParser::new(all.map(name));
    names.map(move |found| all.into_iter().find(|one| name(*one) == found).unwrap_or_default())
}

pub(crate) fn run(args: &TrainArgs) -> Done {
    check_vacant(&args.output, args.overwrite)?;
    args.device.device()?;
    let start = Instant::now();
    let graph = TransformGraph::load(&args.graph)?;
    let architecture = match args.architecture {
        Kind::Encoder => args.encoder.architecture()?,
        Kind::WideAndDeep | Kind::Linear if args.encoder.pretrained.is_some() => {
            return Err(Error::invalid("`--pretrained` is an encoder")
                .with_hint("Add `--architecture encoder`.")
                .into());
        }
        Kind::WideAndDeep => {
            Architecture::WideAndDeep { embedding: args.embedding, hidden: args.hidden.clone() }
        }
        Kind::Linear => Architecture::WideAndDeep { embedding: 1, hidden: Vec::new() },
    };
    let (spec, left_out) =
        ModelSpec::of(&graph, &args.label, args.task, &args.categorical, architecture)?;
    if !args.quiet {
        for out in left_out {
            output::note(&format!("not read: `{}`, {}\n", out.name, out.why));
        }
    }
    let (rows, sources) = open(args, &args.inputs, &graph, &spec)?;
    let (held_out, _) = open(args, &args.eval, &graph, &spec)?;
    let options = options(args);
    let trained = match args.architecture {
        Kind::Encoder => args.encoder.trained(),
        Kind::WideAndDeep | Kind::Linear => FineTune::All,
    };
    let initial = args.encoder.initial(&spec, options.seed)?;
    let identity = identity(&graph, &spec, &options, trained, &initial, &*sources)?;
    let checkpoint = checkpoint(&args.output);
    let mut table = Table { args, is_first: true };
    let bar = bar("training", 0);
    let trained = fit(
        &rows,
        &options,
        initial,
        |weights, device| Built::new(&spec, weights, trained, device),
        |weights| {
            let predictor = Predictor::new(&graph, spec.clone(), weights.clone())?;
            Evaluation::of(&held_out, |inputs| predictor.scores(inputs))
        },
        Some((&checkpoint, &identity)),
        |rows| bar.inc(rows),
        |epoch| bar.suspend(|| table.epoch(epoch)),
    );
    bar.finish_and_clear();
    let trained = trained?;

    let predictor = Predictor::new(&graph, spec.clone(), trained.weights.clone())?;
    let found = Evaluation::of(&held_out, |inputs| predictor.scores(inputs))?;
    let golden = held_out.batches(16, Read::InOrder).next().transpose()?.unwrap_or_default();
    let accuracy = match spec.task {
        Task::Regression => ("eval_mean_absolute_error", -found.accuracy),
        _ => ("eval_accuracy", found.accuracy),
    };
    let metrics = [("eval_loss", found.loss), accuracy, ("eval_rows", found.rows as f64)];
    let training = [
        ("epochs", trained.epochs.to_string()),
        ("seed", options.seed.to_string()),
        ("batch", options.batch_rows.to_string()),
        ("device", options.backend.name().to_owned()),
        ("learning_rate", options.learning_rate.to_string()),
        ("schedule", options.schedule.name().to_owned()),
        ("weights", trained.weights.len().to_string()),
    ];
    let metrics: BTreeMap<String, f64> =
        metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let parts = Parts {
        spec: &spec,
        weights: &trained.weights,
        graph: &args.graph,
        rows: &golden.inputs,
        metrics: metrics.clone(),
        training: training.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let fingerprint = {
        let _writing = interrupt::writing();
        Bundle::save(&args.output, args.overwrite, &parts)?
    };
    remove(&checkpoint)?;
    if args.json {
        let json = serde_json::json!({ "model": fingerprint, "metrics": metrics });
        return output::print(&format!("{json:#}\n"));
    }
    let seconds = start.elapsed().as_secs_f64();
    let n = trained.weights.len();
    output::print(&format!(
        "model {fingerprint}, {n} weights, in `{}`; {seconds:.1} s\n",
        args.output.display()
    ))
}

/// Epochs, a line each.
struct Table<'a> {
    args: &'a TrainArgs,
    is_first: bool,
}

impl Table<'_> {
    fn epoch(&mut self, epoch: &Epoch) {
        if self.args.quiet {
            return;
        }
        let mut text = String::new();
        let is_number = self.args.task == Task::Regression;
        if std::mem::take(&mut self.is_first) {
            let last = if is_number { "mean absolute error" } else { "accuracy" };
            let _ = writeln!(text, "epoch       rows      loss  eval loss  {last}");
        }
        let Epoch { number, loss, rows, evaluation, is_best } = epoch;
        let last = if is_number { -evaluation.accuracy } else { evaluation.accuracy };
        let mark = if *is_best { "  best so far" } else { "" };
        let _ = writeln!(
            text,
            "{number:>5} {rows:>10} {loss:>9.5}  {:>9.5}  {last:.5}{mark}",
            evaluation.loss
        );
        output::note(&text);
    }
}

fn options(args: &TrainArgs) -> Options {
    let default = Options::default();
    Options {
        seed: args.seed,
        epochs: args.epochs,
        batch_rows: args.batch.as_usize().max(1),
        shuffle_buffer: args.shuffle.as_usize().max(1),
        learning_rate: args.learning_rate,
        schedule: args.schedule,
        patience: Some(args.patience),
        threads: args.threads.map_or(default.threads, usize::from),
        backend: args.device,
        ..default
    }
}

fn open(
    args: &TrainArgs,
    inputs: &[String],
    graph: &TransformGraph,
    spec: &ModelSpec,
) -> Result<(Dataset, Arc<dyn Source>)> {
    let input = Input::find(inputs, &args.input)?;
    if args.transformed {
        let columns = spec.features.iter().flat_map(Feature::names).map(str::to_owned);
        let columns = columns.chain([spec.label.clone()]).collect();
        let source = input.open_as(columns, &graph.output_schema()?)?;
        return Ok((Dataset::transformed(source.clone(), graph, spec)?, source));
    }
    let source = input.open_as(Dataset::raw_columns(graph, spec)?, &graph.input_schema())?;
    Ok((Dataset::raw(source.clone(), graph, spec)?, source))
}

/// All that the weights depend on, the number of epochs left out, so that more can be asked for.
fn identity(
    graph: &TransformGraph,
    spec: &ModelSpec,
    options: &Options,
    trained: FineTune,
    initial: &Weights,
    source: &dyn Source,
) -> Result<String> {
    let shards = source.shards().iter().map(|shard| format!("{} {}", shard.name(), shard.bytes));
    let shards = shards.collect::<Vec<_>>().join("\n");
    let Options { seed, batch_rows, shuffle_buffer, learning_rate, weight_decay, .. } = options;
    let schedule = match options.schedule {
        Schedule::Constant => String::new(),
        // Each of its steps depends on how many there will be.
        Schedule::Linear => format!(" linear {}", options.epochs),
    };
    let device = options.backend.name();
    Ok(format!(
        "{}\n{spec:?}\n{trained:?} {} {device}\n{seed} {batch_rows} {shuffle_buffer} {learning_rate}{schedule} {weight_decay}\n{shards}",
        graph.fingerprint()?,
        initial.fingerprint()?
    ))
}

/// Where a training of this model stands.
fn checkpoint(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".checkpoint");
    name.into()
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format_args!("remove `{}`", path.display()), &e))
        }
        _ => Ok(()),
    }
}
