//! `frazil validate`: statistics or data against a schema, and the gate's verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use datasets::artifacts::refuse_inputs;
use datasets::inputs::InputFile;
use engine::{Error, Outputs, Pipeline, Result, Shard};
use ops::drift::{Comparison, DriftOptions, DriftPolicy, DriftReport, compare};
use ops::stats::generate_statistics;
use ops::tfmd::anomaly_info::{Severity, Type};
use ops::tfmd::{
    Anomalies, DatasetFeatureStatistics, DatasetFeatureStatisticsList, Schema, load_schema,
};
use ops::validate::{
    ControlStatistics, KINDS, Severities, ValidateOptions, Validation, Validator, unchecked,
};
use runners::gate::{self, Checked, Gate, TextOptions};
use runners::table::Sort;

use crate::args::{InputArgs, RunArgs};
use crate::examples::{self, ExampleArgs, Examples, FoundExamples};
use crate::failure::{Done, Failure};
use crate::forms::{Form, form_of, write_files};
use crate::input::Input;
use crate::options::{OptionArgs, load};
use crate::run::Run;
use crate::{output, receipt};

const HELP: &str = "\
Examples:
  frazil validate day-2/ --schema schema.pbtxt                   scan data and validate it
  frazil validate stats.pb --schema schema.pbtxt -o anomalies.pb validate statistics, as TFDV does
  frazil validate d2.pb --schema s.pbtxt --previous d1.pb        also drift from the span before
  frazil validate d2/ --schema s.pbtxt --previous d1/ --drift-policy significant
  frazil validate d2/ --schema s.pbtxt --junit gate.xml --github for CI
  frazil validate d2/ --schema s.pbtxt --clean out/clean --rejects out/rejects

Statistics are files that end in .pb, .pbtxt or .json, or `-`; everything else is data.

Drift policies:
  tfdv         above the schema's threshold, whatever the number of examples: as TFDV
  significant  above the threshold and further apart than samples of one distribution are; features
               without a threshold are judged by practical minimums

Examples are validated one by one, too, in the same scan: that tells where anomalies are. Outputs
have a shard for every shard that is read, in its format; TFRecord and CSV files hold the very records
that were read. `_reasons.jsonl` among the rejects says why each is there, `_receipt.json` in an output
how many rows its shards hold. An output is a directory that appears whole or not at all.

Exit codes:
  0    nothing as severe as `--fail-on`
  1    anomalies
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ValidateArgs {
    /// A file of statistics, or data: files, directories, globs, numbered shards, patterns of spans
    #[arg(required = true, value_name = "STATS_OR_DATA")]
    inputs: Vec<String>,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    control: ControlArgs,
    #[command(flatten)]
    examples: ExampleArgs,
    #[command(flatten)]
    output: ResultArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    options: OptionArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Rules")]
struct RuleArgs {
    /// The environment of the data: one of the schema's default environments
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Another severity for a kind of anomaly: warning, error or note; may be repeated
    #[arg(long, value_name = "TYPE=SEVERITY", value_parser = parse_severity)]
    severity: Vec<(Type, Severity)>,
    /// New features that are no anomalies unless they are among these
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    features_needed: Option<Vec<String>>,
    /// The least severity that gives exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,
    /// Also validate every slice of the statistics
    #[arg(long)]
    every_slice: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Drift and skew")]
struct ControlArgs {
    /// Statistics or data of the span before: drift, numbers of examples, and since when
    #[arg(long, value_name = "STATS_OR_DATA")]
    previous: Option<String>,
    /// Statistics or data of an earlier version of this span: numbers of examples
    #[arg(long, value_name = "STATS_OR_DATA")]
    previous_version: Option<String>,
    /// Statistics or data of what serving saw: skew
    #[arg(long, value_name = "STATS_OR_DATA")]
    serving: Option<String>,
    /// When a distance is an anomaly; see below
    #[arg(long, value_enum, default_value = "tfdv")]
    drift_policy: PolicyArg,
    /// Share of false alarms that is put up with under `significant`
    #[arg(long, value_name = "SHARE", default_value_t = DriftOptions::default().alpha)]
    alpha: f64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct ResultArgs {
    /// Write the anomalies as TFDV's message: .pb, .pbtxt or .json; may be repeated
    #[arg(short, long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,
    /// Write the result as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print annotations for GitHub's checks instead of text
    #[arg(long, conflicts_with = "json")]
    github: bool,
    /// Print everything that was found as JSON instead of text
    #[arg(long)]
    json: bool,
    /// Write the statistics of the data, too: .pb, .pbtxt, .tfrecord or .json
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
    /// Write the whole row receipt as JSON: for each shard what was read, rejected and counted
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOn {
    /// Errors and warnings
    Warning,
    /// Errors
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyArg {
    /// Above the schema's threshold
    Tfdv,
    /// Above the threshold and above the noise
    Significant,
}

fn parse_severity(text: &str) -> Result<(Type, Severity), String> {
    let (kind, severity) = text.split_once('=').ok_or("write it as TYPE=SEVERITY")?;
    let kind = kind.to_ascii_uppercase();
    let found = KINDS.iter().find(|known| known.name() == kind).ok_or_else(|| {
        let same = |a: &str, b: &str| a.split('_').filter(|word| b.contains(word)).count();
        let nearest = KINDS.iter().max_by_key(|known| same(known.name(), &kind));
        let hint = nearest
            .filter(|known| same(known.name(), &kind) > 0)
            .map_or(String::new(), |k| format!("; did you mean {}?", k.name()));
        format!("there is no kind of anomaly `{kind}`{hint}")
    })?;
    let severity = match severity {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        "note" => Severity::Unknown,
        other => return Err(format!("`{other}` is not warning, error or note")),
    };
    Ok((found.r#type, severity))
}

/// Every form of anomalies in a file.
static FORMS: [Form<Anomalies>; 3] = [Form::BINARY, Form::TEXT, Form::JSON];

/// Statistics that were read or computed.
struct Given {
    statistics: DatasetFeatureStatisticsList,
    /// The files that were scanned, and what the scan gave.
    scanned: Option<(Vec<InputFile>, Outputs)>,
    /// What was found out about examples, if they were looked at.
    examples: Option<FoundExamples>,
}

impl Given {
    /// The shards that were scanned.
    fn shards(&self) -> Vec<&Shard> {
        let receipts = self.scanned.iter().flat_map(|(_, ran)| &ran.receipt.shards);
        receipts.map(|(shard, _)| shard).collect()
    }
}

/// Everything that a verdict needs.
struct Gathered {
    schema: Arc<Schema>,
    current: Given,
    previous: Option<Given>,
    previous_version: Option<Given>,
    serving: Option<Given>,
}

pub(crate) fn run(args: &ValidateArgs) -> Done {
    args.output.outputs.iter().try_for_each(|path| form_of(&FORMS, path).map(drop))?;
    let alpha = args.control.alpha;
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Error::invalid(format!("`--alpha {alpha}` is not a share"))
            .with_hint("Choose a number between 0 and 1, such as 0.01.")
            .into());
    }
    if let Some(path) = &args.output.statistics {
        form_of(&output::FORMS, path)?;
    }
    let run = Run::start(&args.run, args.output.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let gathered = gather(args, &run);
    let mut gathered = run.finish(gathered)?;
    let current = &mut gathered.current;
    if let (Some(examples), Some((_, ran))) = (&mut current.examples, &current.scanned) {
        examples.deliver(ran, is_leader)?;
    }
    if !is_leader {
        return Ok(());
    }
    let elapsed = start.elapsed();
    let (gate, anomalies) = judge(args, &gathered)?;
    write(args, &gathered, &gate, &anomalies)?;
    if let Some((_, ran)) = &gathered.current.scanned {
        if let Some(path) = &args.output.receipt {
            receipt::write(path, &ran.receipt, elapsed)?;
        }
        if !is_quiet {
            output::note(&receipt::short(&ran.receipt, elapsed));
            let written = gathered.current.examples.as_ref();
            if let Some(found) = written.filter(|_| args.examples.is_written()) {
                output::note(&examples::as_text(&found.summary));
            }
        }
    }
    output::print(&if args.output.json {
        gate::json(&gate)
    } else if args.output.github {
        gate::github(&gate)
    } else {
        let table = output::table_options(Sort::Given);
        gate::text(&gate, TextOptions { width: table.width, color: table.color })
    })?;
    if gate.is_open() { Ok(()) } else { Err(Failure::Data) }
}

fn gather(args: &ValidateArgs, run: &Run) -> Result<Gathered> {
    let Some(path) = &args.options.schema else {
        return Err(Error::invalid("there is no schema to validate against")
            .with_hint("Give one with `--schema FILE`; `frazil schema infer` makes one."));
    };
    let schema = Arc::new(load(path, load_schema)?);
    let control = |input: &Option<String>| -> Result<Option<Given>> {
        let Some(input) = input else { return Ok(None) };
        given(std::slice::from_ref(input), args, None, run, &schema).map(Some)
    };
    // Of some features alone only statistics are wanted.
    let is_whole = args.options.feature_allowlist.is_none();
    let is_wanted = args.examples.is_written() || (is_whole && args.examples.is_wanted());
    let examples = is_wanted.then_some(&args.examples);
    Ok(Gathered {
        current: given(&args.inputs, args, examples, run, &schema)?,
        previous: control(&args.control.previous)?,
        previous_version: control(&args.control.previous_version)?,
        serving: control(&args.control.serving)?,
        schema,
    })
}

/// Reads statistics, or computes them in one scan of data.
fn given(
    inputs: &[String],
    args: &ValidateArgs,
    examples: Option<&ExampleArgs>,
    run: &Run,
    schema: &Arc<Schema>,
) -> Result<Given> {
    if let [only] = inputs
        && output::is_statistics(Path::new(only))
    {
        if examples.is_some_and(ExampleArgs::is_written) {
            return Err(Error::invalid(format!("`{only}` is statistics, which have no examples"))
                .with_hint("Validate the data themselves with `--rejects` and `--clean`."));
        }
        let statistics = output::read_statistics(Path::new(only))?;
        return Ok(Given { statistics, scanned: None, examples: None });
    }
    let flags = args.options.clone().load()?;
    let options = Arc::new(flags.to_stats_options()?);
    let mut input = Input::find(inputs, &args.input)?;
    for path in args.output.files() {
        refuse_inputs(path, &input.files)?;
    }
    let types = args.options.infer_type_from_schema.then_some(&**schema);
    let columns = if examples.is_some() { None } else { OptionArgs::columns(&options) };
    let environment = args.rules.environment.clone();
    let examples = examples
        .map(|args| Examples::prepare(args, schema.clone(), environment, inputs, &mut input))
        .transpose()?;
    let (files, source) = input.open(columns, types, run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let added = examples.map(|examples| examples.add(&batches));
    let statistics = generate_statistics(&batches, options);
    let plan = pipeline.plan();
    let description = flags.description()?;
    let states = args.run.states.as_deref();
    let mut ran = run.execute("computing statistics", &plan, &description, states)?;
    let statistics = statistics.output(&mut ran)?;
    let examples = added.map(|added| added.output(&mut ran)).transpose()?;
    Ok(Given { statistics, scanned: Some((files, ran)), examples })
}

impl ResultArgs {
    /// Every file that is written.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let single = [&self.junit, &self.statistics, &self.receipt];
        self.outputs.iter().chain(single.into_iter().flatten())
    }
}

/// The verdict, and TFDV's message of it.
fn judge(args: &ValidateArgs, gathered: &Gathered) -> Result<(Gate, Anomalies)> {
    let schema = &gathered.schema;
    let options = ValidateOptions {
        environment: args.rules.environment.clone(),
        severities: Severities { overrides: args.rules.severity.clone() },
        features_needed: args
            .rules
            .features_needed
            .as_ref()
            .map(|names| names.iter().map(|name| name.parse()).collect::<Result<_>>())
            .transpose()?,
    };
    let validator = Validator::new(schema, &options)?;
    let given = [&gathered.previous, &gathered.serving, &gathered.previous_version];
    let [previous, serving, previous_version] =
        given.map(|given| given.as_ref().map(|given| given.statistics.all_examples()).transpose());
    let (previous, serving) = (previous?, serving?);
    let current = gathered.current.statistics.all_examples()?;
    let controls =
        ControlStatistics { previous_span: previous, serving, previous_version: previous_version? };
    let mut validation = validator.validate(current, controls);
    let mut comparisons = Vec::new();
    for (comparison, control) in [(Comparison::Drift, previous), (Comparison::Skew, serving)] {
        let Some(control) = control.filter(|_| !validation.data_missing) else { continue };
        let report = moved(args, schema, comparison, current, control);
        validation.judge_significance(&report, &options.severities);
        comparisons.push(report);
    }
    let mut left = unchecked(schema, current, controls);
    if let Some(examples) = &gathered.current.examples {
        validation.add_tail(&examples.summary, &mut left, schema, &options.severities);
    }
    let none = ControlStatistics::default();
    let before = previous.map(|previous| validator.validate(previous, none));
    let mut anomalies = validation.to_anomalies(schema);
    let mut checked = vec![Checked {
        slice: String::new(),
        examples: current.num_examples,
        validation,
        before,
        places: gathered
            .current
            .examples
            .as_ref()
            .map_or_else(BTreeMap::new, |found| found.places(&gathered.current.shards())),
    }];
    if args.rules.every_slice {
        let slices = gathered.current.statistics.datasets.iter();
        for slice in slices.filter(|slice| !std::ptr::eq(*slice, current)) {
            let mut validation = validator.validate(slice, none);
            // Numbers of examples are said of the whole.
            validation.dataset = None;
            add_slice(&mut anomalies, &slice.name, &validation);
            checked.push(Checked {
                slice: slice.name.clone(),
                examples: slice.num_examples,
                validation,
                before: None,
                places: BTreeMap::new(),
            });
        }
    }
    let gate = Gate {
        data: args.inputs.join(" "),
        schema: args.options.schema.as_ref().map_or(String::new(), |p| p.display().to_string()),
        environment: args.rules.environment.clone(),
        num_features: schema.leaf_features().len(),
        checked,
        comparisons,
        unchecked: left,
        fail_on: match args.rules.fail_on {
            FailOn::Warning => Severity::Warning,
            FailOn::Error => Severity::Error,
        },
    };
    Ok((gate, anomalies))
}

fn moved(
    args: &ValidateArgs,
    schema: &Schema,
    comparison: Comparison,
    current: &DatasetFeatureStatistics,
    control: &DatasetFeatureStatistics,
) -> DriftReport {
    let policy = match args.control.drift_policy {
        PolicyArg::Tfdv => DriftPolicy::Tfdv,
        PolicyArg::Significant => DriftPolicy::Significant,
    };
    compare(
        current,
        control,
        &DriftOptions {
            policy,
            comparison,
            schema: Some(schema),
            alpha: args.control.alpha,
            rank_error: args.options.epsilon / 3.0,
            ..DriftOptions::default()
        },
    )
}

/// Adds the anomalies of a slice to the message, under names that TFDV gives them.
fn add_slice(anomalies: &mut Anomalies, name: &str, validation: &Validation) {
    for (_, mut info) in validation.to_anomalies(&Schema::default()).anomaly_info {
        let path = info.path.get_or_insert_default();
        if let Some(first) = path.step.first_mut() {
            *first = format!("slice({name})::{first}");
        }
        anomalies.anomaly_info.insert(path.to_string(), info);
    }
}

/// Writes every file, or none under its final name.
fn write(
    args: &ValidateArgs,
    gathered: &Gathered,
    gate: &Gate,
    anomalies: &Anomalies,
) -> Result<()> {
    let mut files: Vec<(&Path, Vec<u8>)> = Vec::new();
    for path in &args.output.outputs {
        files.push((path, (form_of(&FORMS, path)?.bytes)(anomalies)));
    }
    if let Some(path) = &args.output.junit {
        files.push((path, gate::junit(gate).into_bytes()));
    }
    if let Some(path) = &args.output.statistics {
        let form = form_of(&output::FORMS, path)?;
        files.push((path, (form.bytes)(&gathered.current.statistics)));
    }
    write_files(files)
}
