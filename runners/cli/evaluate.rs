//! `frazil evaluate`: metrics of predictions that are in data, in every slice, and the blessing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use engine::{Error, Pipeline, Receipt, Result};
use model::{Bundle, Predict};
use ops::evaluate::{
    Config, EvaluateOptions, Evaluation, Intervals, Method, Replicates, Task, Validation,
    default_metrics, load_config, validate,
};
use ops::stats::SliceSpec;
use ops::tfmd::Schema;
use runners::evaluate::{
    check_directory, evaluate, pretty, read_evaluation, read_predictions, write_evaluation,
};
use runners::table::{Sort, render_evaluation, render_validation};

use crate::args::{InputArgs, RunArgs};
use crate::failure::{Done, Failure};
use crate::input::Input;
use crate::options::{in_file, read};
use crate::run::Run;
use crate::values::parse_slice;
use crate::{interrupt, output, receipt};

const HELP: &str = "\
Examples:
  frazil evaluate eval/ --model model --slice company               a model answers for raw rows
  frazil evaluate eval/ --model model --baseline-model pushed/3 --config eval_config.json -o evaluation/
  frazil evaluate scored.csv --label tipped --prediction score
  frazil evaluate scored/ --label tipped --prediction score --slice company --slice hour:weekday
  frazil evaluate scored.parquet --label class --prediction probabilities --task multiclass
  frazil evaluate scored/ --config eval_config.json --baseline yesterday/ -o evaluation/
  frazil evaluate scored/ --label y --prediction new --baseline-prediction old --config c.json

Tasks:
  binary      labels from 0 to 1 (or one name, with --positive), predictions are scores for 1
  multiclass  predictions are classes, or lists of probabilities, class i at place i
  regression  labels and predictions are numbers

A config is TFMA's EvalConfig, as JSON or text format: models, slices, metrics and thresholds. Without a baseline,
thresholds on changes are passed over, and the verdict says so. With --require-significance the whole
interval of a value or change has to be within its threshold. NaN and missing predictions make every
metric of their slices undefined, and what is undefined reaches no threshold.

-o writes metrics.json, validation.json, a page report.html, and, where there are thresholds, BLESSED or
NOT_BLESSED. In JSON what is undefined is null.

Exit codes:
  0    all thresholds are reached, or there are none
  1    not blessed
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

/// Flags of `frazil evaluate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct EvaluateArgs {
    /// Data with predictions: files, directories, globs, numbered shards or patterns of spans
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// A model that `frazil train` has written: it answers for raw rows, and its graph makes the label
    #[arg(long, value_name = "DIR", conflicts_with_all = ["label", "prediction", "task", "positive"])]
    model: Option<PathBuf>,
    /// Another model to compare with, for the same label
    #[arg(long, value_name = "DIR", requires = "model")]
    #[arg(conflicts_with_all = ["baseline", "baseline_prediction"])]
    baseline_model: Option<PathBuf>,
    /// The column of labels
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The column of predictions
    #[arg(long, value_name = "COLUMN")]
    prediction: Option<String>,
    /// The column of weights
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// What is predicted
    #[arg(long, value_enum, default_value = "binary")]
    task: TaskArg,
    /// The label that is 1, where labels of a binary task are names
    #[arg(long, value_name = "NAME")]
    positive: Option<String>,
    /// Names of the classes in the order of their probabilities
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    classes: Vec<String>,
    /// Also evaluate slices: FEATURE, FEATURE=VALUE,… or FEATURE:FEATURE; may be repeated
    #[arg(long = "slice", value_name = "SLICE", value_parser = parse_slice)]
    slices: Vec<SliceSpec>,
    /// Slices of fewer rows have no metrics
    #[arg(long, value_name = "N")]
    min_slice_size: Option<u64>,
    /// TFMA's EvalConfig, as JSON or text format: models, slices, metrics and thresholds
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The evaluation of another model to compare with: a directory that `-o` has written
    #[arg(long, value_name = "DIR", conflicts_with = "baseline_prediction")]
    baseline: Option<PathBuf>,
    /// The column of another model's predictions to compare with
    #[arg(long, value_name = "COLUMN")]
    baseline_prediction: Option<String>,
    #[command(flatten)]
    intervals: IntervalArgs,
    #[command(flatten)]
    output: EvaluateOutputArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Intervals")]
struct IntervalArgs {
    /// Compute intervals: how rows are resampled
    #[arg(long, value_enum, value_name = "METHOD")]
    intervals: Option<MethodArg>,
    /// Number of replicates
    #[arg(long, value_name = "N", default_value_t = Replicates::DEFAULT)]
    replicates: u8,
    /// Share of intervals that hold the truth
    #[arg(long, value_name = "SHARE", default_value_t = Intervals::default().confidence)]
    confidence: f64,
    /// Bless only where whole intervals are within thresholds; computes them by the jackknife
    #[arg(long)]
    require_significance: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
struct EvaluateOutputArgs {
    /// Write the evaluation to a new directory
    #[arg(short, long = "output", value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace an earlier evaluation, as a whole
    #[arg(long)]
    overwrite: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Write the whole row receipt as JSON: for each shard what was read, rejected and counted
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TaskArg {
    /// Labels from 0 to 1, and scores for 1
    Binary,
    /// One of several classes
    Multiclass,
    /// Numbers
    Regression,
}

impl TaskArg {
    fn task(self) -> Task {
        match self {
            TaskArg::Binary => Task::Binary,
            TaskArg::Multiclass => Task::Multiclass,
            TaskArg::Regression => Task::Regression,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MethodArg {
    /// Leave out one part of the rows after the other
    Jackknife,
    /// Weights of the Poisson distribution; slower, and right for statistics that are no means
    PoissonBootstrap,
}

impl MethodArg {
    fn method(self) -> Method {
        match self {
            MethodArg::Jackknife => Method::Jackknife,
            MethodArg::PoissonBootstrap => Method::PoissonBootstrap,
        }
    }
}

/// What a run gave.
struct Found {
    evaluation: Evaluation,
    baseline: Option<Evaluation>,
    receipt: Receipt,
    config: Config,
    /// The model's fingerprint, if there is one.
    model: Option<String>,
}

pub(crate) fn run(args: &EvaluateArgs) -> Done {
    let run = Run::start(&args.run, args.output.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let found = compute(args, &run);
    let found = run.finish(found)?;
    if !is_leader {
        return Ok(());
    }
    let Found { evaluation, baseline, receipt, config, model } = found;
    let require = args.intervals.require_significance;
    let mut validation = validate(&evaluation, baseline.as_ref(), &config.thresholds, require);
    validation.model = model;
    if let Some(path) = &args.output.output {
        let _writing = interrupt::writing();
        write_evaluation(path, &evaluation, baseline.as_ref(), &validation, args.output.overwrite)?;
    }
    if let Some(path) = &args.output.receipt {
        receipt::write(path, &receipt, start.elapsed())?;
    }
    show(args, &evaluation, baseline.as_ref(), &validation)?;
    if !is_quiet {
        output::note(&receipt::short(&receipt, start.elapsed()));
    }
    if validation.blessed == Some(false) { Err(Failure::Data) } else { Ok(()) }
}

fn show(
    args: &EvaluateArgs,
    evaluation: &Evaluation,
    baseline: Option<&Evaluation>,
    validation: &Validation,
) -> Done {
    if args.output.json {
        let both = serde_json::json!({ "evaluation": evaluation, "validation": validation });
        let text = String::from_utf8(pretty(&both)).expect("JSON is UTF-8");
        return output::print(&text);
    }
    let options = output::table_options(Sort::Given);
    let mut text = render_evaluation(evaluation, baseline, &options);
    text.push('\n');
    text.push_str(&render_validation(validation, &options));
    output::print(&text)
}

fn compute(args: &EvaluateArgs, run: &Run) -> Result<Found> {
    if args.run.states.is_some() {
        return Err(Error::invalid("an evaluation keeps no states")
            .with_hint("Leave out `--states`: evaluate the data itself."));
    }
    let models = Models::load(args)?;
    let model = models.as_ref().map(|models| models.model.fingerprint.clone());
    let (options, config) = options(args, models.as_ref())?;
    if let Some(path) = &args.output.output
        && run.is_leader()
    {
        check_directory(path, args.output.overwrite)?;
    }
    let other = args.baseline.as_deref().map(read_evaluation).transpose()?;
    let input = Input::find(&args.inputs, &args.input)?;
    let (pipeline, batches, of_models) = match models {
        None => {
            let (_, source) = input.open(Some(columns(&options)), None, run)?;
            let (pipeline, batches) = Pipeline::read(source);
            (pipeline, batches, String::new())
        }
        Some(models) => {
            let fingerprints = models.fingerprints();
            let types = models.input_schema();
            let (first, second) = models.steps(&options)?;
            let (_, source) = input.open(Some(first.columns()), Some(&types), run)?;
            let (pipeline, batches) = Pipeline::read(source);
            let batches = batches.par_do(first);
            let batches = match second {
                Some(second) => batches.par_do(second),
                None => batches,
            };
            (pipeline, batches, fingerprints)
        }
    };
    let options = Arc::new(options);
    let handle = evaluate(&read_predictions(&batches, &options), options.clone());
    let description = format!("evaluate {options:?} {of_models}");
    let mut ran = run.execute("evaluating", &pipeline.plan(), &description, None)?;
    let mut evaluations = handle.output(&mut ran)?.into_iter();
    let evaluation = evaluations.next().expect("there is one for each column of predictions");
    let baseline = evaluations.next().or(other);
    if let Some(baseline) = &baseline
        && baseline.task != evaluation.task
    {
        return Err(Error::invalid(format!("the baseline is of a {} task", baseline.task.name()))
            .with_hint("Compare evaluations of one task."));
    }
    Ok(Found { evaluation, baseline, receipt: ran.receipt, config, model })
}

/// The columns that are looked at.
fn columns(options: &EvaluateOptions) -> Vec<String> {
    let mut columns = vec![options.label.clone()];
    columns.extend(options.predictions.iter().cloned());
    columns.extend(beside(options));
    columns.sort();
    columns.dedup();
    columns
}

/// The columns that are looked at beside labels and predictions.
fn beside(options: &EvaluateOptions) -> Vec<String> {
    let features = options.slices.iter().flat_map(|slice| &slice.features);
    let features = features.map(|(feature, _)| feature.clone());
    let mut columns: Vec<String> = features.chain(options.weight.clone()).collect();
    columns.sort();
    columns.dedup();
    columns
}

/// The models whose answers are evaluated.
struct Models {
    model: Bundle,
    baseline: Option<Bundle>,
}

impl Models {
    /// What the label is called among columns of the input.
    const LABEL: &str = "label of the model";
    /// What names of the model's answers begin with.
    const ANSWERS: [&str; 2] = ["answer of the model: ", "answer of the baseline: "];

    fn load(args: &EvaluateArgs) -> Result<Option<Self>> {
        let Some(model) = &args.model else { return Ok(None) };
        let model = Bundle::load(model)?;
        let baseline = args.baseline_model.as_deref().map(Bundle::load).transpose()?;
        if let Some(baseline) = &baseline {
            let (of_model, of_baseline) = (model.predictor.spec(), baseline.predictor.spec());
            if of_model.task != of_baseline.task {
                let detail = format!(
                    "The model's is {:?}, the baseline's {:?}.",
                    of_model.task, of_baseline.task
                );
                return Err(Error::invalid("the baseline is of another task")
                    .with_detail(detail)
                    .with_hint("Compare models of one task."));
            }
        }
        Ok(Some(Models { model, baseline }))
    }

    fn task(&self) -> Task {
        match self.model.predictor.spec().task {
            model::Task::Binary => Task::Binary,
            model::Task::Multiclass { .. } => Task::Multiclass,
            model::Task::Regression => Task::Regression,
        }
    }

    /// The columns of answers.
    fn predictions(&self) -> Vec<String> {
        let answer = self.model.predictor.spec().task.output();
        let n = 1 + usize::from(self.baseline.is_some());
        Self::ANSWERS[..n].iter().map(|prefix| format!("{prefix}{answer}")).collect()
    }

    fn fingerprints(&self) -> String {
        let baseline = self.baseline.as_ref().map_or("", |baseline| &baseline.fingerprint);
        format!("{} {baseline}", self.model.fingerprint)
    }

    /// The types of columns that graphs read.
    fn input_schema(&self) -> Schema {
        let mut schema = self.model.graph.input_schema();
        if let Some(baseline) = &self.baseline {
            for feature in baseline.graph.input_schema().feature {
                if schema.feature.iter().all(|known| known.name != feature.name) {
                    schema.feature.push(feature);
                }
            }
        }
        schema
    }

    /// The models' answers, one after the other.
    fn steps(self, options: &EvaluateOptions) -> Result<(Predict, Option<Predict>)> {
        let Models { model, baseline } = self;
        let mut kept = beside(options);
        if let Some(baseline) = &baseline {
            let inputs = baseline.predictor.graph().inputs().iter();
            kept.extend(inputs.map(|(name, _)| name.clone()));
            kept.sort();
            kept.dedup();
        }
        let first = Predict::new(Arc::new(model.predictor), kept)
            .with_prefix(Self::ANSWERS[0])
            .with_label(&model.graph, Self::LABEL)?;
        first.check_names()?;
        let Some(baseline) = baseline else { return Ok((first, None)) };
        let mut kept = beside(options);
        kept.extend([Self::LABEL.to_owned(), options.predictions[0].clone()]);
        let second = Predict::new(Arc::new(baseline.predictor), kept).with_prefix(Self::ANSWERS[1]);
        second.check_names()?;
        Ok((first, Some(second)))
    }
}

fn options(args: &EvaluateArgs, models: Option<&Models>) -> Result<(EvaluateOptions, Config)> {
    let task = models.map_or_else(|| args.task.task(), Models::task);
    let config = match &args.config {
        None => Config { metrics: default_metrics(task), ..Config::default() },
        Some(path) => load_config(&read(path)?, task).map_err(|error| in_file(path, &error))?,
    };
    let named = |flag: &Option<String>, of_config: &Option<String>, what: &str| {
        flag.clone().or_else(|| of_config.clone()).ok_or_else(|| {
            Error::invalid(format!("no column of {what}s is named"))
                .with_hint(format!("Pass `--{what} COLUMN`, or `{what}_key` in the config."))
        })
    };
    let (label, predictions) = match models {
        Some(models) => (Models::LABEL.to_owned(), models.predictions()),
        None => {
            let label = named(&args.label, &config.model.label, "label")?;
            let mut predictions =
                vec![named(&args.prediction, &config.model.prediction, "prediction")?];
            let of_config = config.baseline.as_ref().and_then(|model| model.prediction.clone());
            // Another evaluation takes the place of the config's baseline.
            let of_config = of_config.filter(|_| args.baseline.is_none());
            predictions.extend(args.baseline_prediction.clone().or(of_config));
            (label, predictions)
        }
    };
    let mut slices = config.slices.clone();
    slices.extend(args.slices.iter().cloned());
    let wanted = args.intervals.intervals.map(MethodArg::method).or(config.intervals);
    let default =
        if args.intervals.require_significance { Method::Jackknife } else { Method::None };
    let replicates = Replicates::new(wanted.unwrap_or(default), args.intervals.replicates)?;
    let confidence = args.intervals.confidence;
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(Error::invalid(format!("`--confidence {confidence}` is no confidence"))
            .with_hint("Choose a number above 0 and below 1, such as 0.95."));
    }
    let options = EvaluateOptions {
        task,
        label,
        predictions,
        weight: args.weight.clone().or_else(|| config.model.weight.clone()),
        positive_label: args.positive.clone(),
        classes: args.classes.clone(),
        slices,
        min_slice_size: args.min_slice_size.or(config.min_slice_size).unwrap_or(1),
        metrics: config.metrics.clone(),
        intervals: Intervals { replicates, confidence },
    };
    Ok((options, config))
}
