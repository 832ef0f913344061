//! `frazil evaluate`: metrics of predictions that are in data, in every slice, and the blessing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use engine::{Error, Pipeline, Receipt, Result};
use ops::evaluate::{
    Config, EvaluateOptions, Evaluation, Intervals, Method, Replicates, Task, Validation,
    default_metrics, load_config, validate,
};
use ops::stats::SliceSpec;
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
    let Found { evaluation, baseline, receipt, config } = found;
    let require = args.intervals.require_significance;
    let validation = validate(&evaluation, baseline.as_ref(), &config.thresholds, require);
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
    let (options, config) = options(args)?;
    if let Some(path) = &args.output.output
        && run.is_leader()
    {
        check_directory(path, args.output.overwrite)?;
    }
    let other = args.baseline.as_deref().map(read_evaluation).transpose()?;
    let input = Input::find(&args.inputs, &args.input)?;
    let columns = columns(&options);
    let (_, source) = input.open(Some(columns), None, run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let options = Arc::new(options);
    let handle = evaluate(&read_predictions(&batches, &options), options.clone());
    let description = format!("evaluate {options:?}");
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
    Ok(Found { evaluation, baseline, receipt: ran.receipt, config })
}

/// The columns that are looked at.
fn columns(options: &EvaluateOptions) -> Vec<String> {
    let mut columns = vec![options.label.clone()];
    columns.extend(options.predictions.iter().cloned());
    columns.extend(options.weight.clone());
    let features = options.slices.iter().flat_map(|slice| &slice.features);
    columns.extend(features.map(|(feature, _)| feature.clone()));
    columns.sort();
    columns.dedup();
    columns
}

fn options(args: &EvaluateArgs) -> Result<(EvaluateOptions, Config)> {
    let task = args.task.task();
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
    let mut predictions = vec![named(&args.prediction, &config.model.prediction, "prediction")?];
    let of_config = config.baseline.as_ref().and_then(|model| model.prediction.clone());
    // Another evaluation takes the place of the config's baseline.
    let of_config = of_config.filter(|_| args.baseline.is_none());
    predictions.extend(args.baseline_prediction.clone().or(of_config));
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
        label: named(&args.label, &config.model.label, "label")?,
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
