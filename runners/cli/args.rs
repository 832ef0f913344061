//! The command line: what can be said, and how help explains it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::analyze::{AnalyzeAndTransformArgs, AnalyzeArgs};
use crate::evaluate::EvaluateArgs;
use crate::explain::ExplainArgs;
use crate::graph::GraphCommand;
use crate::ingest::IngestArgs;
use crate::options::OptionArgs;
use crate::predict::PredictArgs;
use crate::report::ReportArgs;
use crate::schema::SchemaCommand;
use crate::skew::SkewArgs;
use crate::transform::TransformArgs;
use crate::validate::ValidateArgs;
use crate::values::{Count, Delimiter, Size};

/// Statistics, validation and transformation of machine-learning data of any size.
#[derive(Debug, Parser)]
#[command(name = "frazil", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the data is not as it should be
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted

A message on stderr is `error: …`, and where it helps `detail: …` and `hint: …` below it.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make shuffled splits of examples, such as train and eval, of files of any format
    Ingest(Box<IngestArgs>),
    /// Compute statistics of files, show them, or merge what earlier runs kept
    Stats(Box<StatsCommand>),
    /// Validate statistics or data against a schema: anomalies, drift and skew
    Validate(Box<ValidateArgs>),
    /// Draw statistics, anomalies and drift as one HTML page that needs no network
    Report(Box<ReportArgs>),
    /// Explain a number, a distance, an anomaly or an error: how it came about and what to do
    Explain(ExplainArgs),
    /// Read and check every record, compute nothing, and print the number of rows
    Scan(Box<ScanArgs>),
    /// Compare two sets of examples, joined by identifier, feature by feature
    Skew(Box<SkewArgs>),
    /// Apply a model to data, and write its answers
    Predict(Box<PredictArgs>),
    /// Evaluate predictions, slice by slice: metrics, intervals, thresholds, and the blessing
    Evaluate(Box<EvaluateArgs>),
    /// Infer, update, show, compare and check schemas
    Schema(Box<SchemaCommand>),
    /// Run the analyzers of a preprocessing module over data, and freeze the graph
    Analyze(Box<AnalyzeArgs>),
    /// The same, and put the data through the graph
    AnalyzeAndTransform(Box<AnalyzeAndTransformArgs>),
    /// Put data through a frozen graph: the same bits as in training and serving
    Transform(Box<TransformArgs>),
    /// Train a model behind a frozen graph
    #[cfg(feature = "train")]
    Train(Box<crate::train::TrainArgs>),
    /// Push a model that is blessed: it becomes the next version that servers find
    #[cfg(feature = "serve")]
    Push(crate::push::PushArgs),
    /// Serve models over HTTP and gRPC, as TensorFlow Serving does it
    #[cfg(feature = "serve")]
    Serve(Box<crate::serve::ServeArgs>),
    /// Show, draw and check frozen graphs
    Graph(GraphCommand),
    /// List the statistics that are computed
    Generators(GeneratorsArgs),
    /// List the operations that preprocessing modules may call, or say all about one
    Ops(OpsArgs),
    /// Make synthetic data: taxi trips, the same rows whatever the shards and the format
    Generate(GenerateArgs),
    /// Make two days of data, and judge the second by the first: statistics, schema, report
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(override_usage = "frazil stats [OPTIONS] <INPUT>...\n       frazil stats <COMMAND>")]
#[command(after_help = EXIT_CODES, after_long_help = STATS_HELP)]
pub(crate) struct StatsCommand {
    #[command(subcommand)]
    pub(crate) command: Option<StatsSubcommand>,
    #[command(flatten)]
    pub(crate) run: StatsArgs,
}

const STATS_HELP: &str = "\
Examples:
  frazil stats data/                                  print a table of every file's rows together
  frazil stats 'day-*.parquet' -o stats.pb            write them as TFDV does
  frazil stats train@64.tfrecord --slice country      also for every country
  frazil stats {YYYY}-{MM}-{DD}/d.csv --span 2024-03-01..2024-03-31
  frazil stats examples/ --split train                a split that `frazil ingest` has made
  frazil stats show stats.pb --sort missing           look at statistics again
  frazil stats data/ --processes 4 --workers 2        on four processes of two threads

Slices, `--slice FEATURE[=VALUE,…][:FEATURE[=VALUE,…]]…`:
  country                  one slice for every value of `country`
  country=de,fr            only for these values
  country=de:device        for every value of `device` among those of `de`; `×` is the same as `:`
  A backslash takes the meaning from the character behind it.

Inputs are files, directories, globs, `path@N.ext` for N numbered shards, and patterns with {SPAN},
{VERSION} or {YYYY}, {MM}, {DD}, of which `--span` chooses.

Several processes: `--processes N` starts them on this machine. On several machines run the same
command on each, with the same `--hosts FILE` (`host:port` of one process on each line), its own
`--process I`, and the same secret in FRAZIL_TOKEN. Process 0 writes the results.

Exit codes:
  0    done
  1    the data is not as it should be
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum StatsSubcommand {
    /// Show statistics that are in a file
    Show(ShowArgs),
    /// Merge the states that runs have kept with `--states`, without reading data again
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Files, directories, globs, numbered shards or patterns of spans
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) options: OptionArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Files, directories, globs, numbered shards or patterns of spans
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Write the whole row receipt as JSON: for each shard what was read, rejected and counted
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Write statistics to a file: .pb, .pbtxt, .tfrecord or .json; without it a table is printed
    #[arg(short, long = "output", value_name = "FILE")]
    pub(crate) outputs: Vec<PathBuf>,
    /// Print statistics as JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the whole row receipt as JSON: for each shard what was read, rejected and counted
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// Format of the files; found by their content otherwise
    #[arg(long, value_parser = formats())]
    pub(crate) format: Option<String>,
    /// What is in TFRecord files; found by their content otherwise
    #[arg(long, value_enum)]
    pub(crate) payload: Option<PayloadArg>,
    /// CSV: what separates cells, a character or `tab`
    #[arg(long, value_name = "CHAR", default_value = ",")]
    pub(crate) delimiter: Delimiter,
    /// CSV: names of the columns, for files without a header line
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) column_names: Option<Vec<String>>,
    /// CSV: columns whose cells are lists of values
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) multivalent_columns: Vec<String>,
    /// CSV: what separates the values of a list
    #[arg(long, value_name = "CHAR", default_value = "|")]
    pub(crate) secondary_delimiter: Delimiter,
    /// Which spans of a pattern: `latest`, one, or `A..B`; numbers or dates as 2024-03-31
    #[arg(long, value_name = "SPAN")]
    pub(crate) span: Option<String>,
    /// Read this split of inputs that `frazil ingest` or TFX has written: `INPUT/Split-NAME`
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PayloadArg {
    /// tf.train.Example
    Example,
    /// tf.train.SequenceExample
    SequenceExample,
}

/// The rows of the table of formats, as values of `--format` with their docs.
fn formats() -> clap::builder::PossibleValuesParser {
    let formats = datasets::FORMATS.iter();
    formats
        .map(|f| clap::builder::PossibleValue::new(f.name).help(f.doc))
        .collect::<Vec<_>>()
        .into()
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Run (the result is the same whatever is chosen)")]
pub(crate) struct RunArgs {
    /// How to run: `local` on all cores, `direct` as one plain loop
    #[arg(long, value_enum, default_value = "local")]
    pub(crate) runner: RunnerArg,
    /// Worker threads of each process [default: cores divided by processes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Start so many processes on this machine
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "hosts")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) processes: u16,
    /// Run on several machines: a file with `host:port` of one process on each line
    #[arg(long, value_name = "FILE", requires = "process")]
    pub(crate) hosts: Option<PathBuf>,
    /// Which line of the file of hosts this process is, from 0
    #[arg(long, value_name = "I", requires = "hosts")]
    pub(crate) process: Option<usize>,
    /// Memory for counts of distinct values, in each process; more goes to temporary files
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    pub(crate) memory: Size,
    /// Rows that are looked at together
    #[arg(long, value_name = "N", default_value = "4096")]
    pub(crate) batch_rows: Count,
    /// Go on past so many records that cannot be decoded
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) max_bad_records: Count,
    /// Go on past so many shards that are cut off, damaged or unreadable
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) max_bad_shards: Count,
    /// Keep the state of every statistic over every shard in a directory, for `stats merge`
    #[arg(long, value_name = "DIR")]
    pub(crate) states: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunnerArg {
    /// One thread, one plain loop
    Direct,
    /// Worker threads
    Local,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// A file of statistics: binary, text, JSON, or one record of a TFRecord file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "View")]
pub(crate) struct ViewArgs {
    /// Show only these features
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) features: Option<Vec<String>>,
    /// Show only these slices
    #[arg(long = "slice", value_name = "NAME")]
    pub(crate) slices: Vec<String>,
    /// Order of features
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort: SortArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SortArg {
    /// As in the file
    #[default]
    Given,
    /// By name
    Name,
    /// Those that lack most values first
    Missing,
    /// Those with most zeros first
    Zeros,
    /// Those with most distinct values first
    Unique,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct MergeArgs {
    /// Directories that runs with the same options have written with `--states`
    #[arg(required = true, value_name = "DIR")]
    pub(crate) directories: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GeneratorsArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OpsArgs {
    /// An operation, such as `tft.bucketize`, or a namespace, such as `strings`
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The directory to write to
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,
    /// Rows in all, such as 1000000 or 1M
    #[arg(long, value_name = "N", default_value = "100k")]
    pub(crate) rows: Count,
    /// Number of files
    #[arg(long, value_name = "N", default_value = "8")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=99_999))]
    pub(crate) shards: u32,
    /// Format of the files
    #[arg(long, value_enum, default_value = "tfrecord")]
    pub(crate) format: FileFormatArg,
    /// Compress TFRecord and CSV files
    #[arg(long)]
    pub(crate) gzip: bool,
    /// Which columns
    #[arg(long, value_enum, default_value = "taxi", conflicts_with = "wide")]
    pub(crate) columns: ColumnsArg,
    /// So many columns of mixed types instead
    #[arg(long, value_name = "N")]
    pub(crate) wide: Option<usize>,
    /// Another seed gives other rows of the same distributions
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// How far distributions have moved, from 0 to 1
    #[arg(long, value_name = "X", default_value = "0")]
    pub(crate) drift: f64,
    /// What names of files begin with [default: taxi, or texts]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Rows of a Parquet row group
    #[arg(long, value_name = "N", default_value = "100k")]
    pub(crate) row_group_rows: Count,
    /// Threads [default: cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Whether another command goes on with what is made: its name need not be printed.
    #[arg(skip)]
    pub(crate) is_part: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FileFormatArg {
    /// tf.Examples in TFRecord files; floats have 32 bits
    #[value(name = "tfrecord")]
    TfRecord,
    /// Parquet with Snappy and dictionaries
    Parquet,
    /// Comma-separated values with a header line
    Csv,
}

impl FileFormatArg {
    /// What `--format` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            FileFormatArg::TfRecord => "tfrecord",
            FileFormatArg::Parquet => "parquet",
            FileFormatArg::Csv => "csv",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ColumnsArg {
    /// 18 columns of taxi trips, one value at most in a cell
    Taxi,
    /// The same, and an identifier, infinities and NaN, lists, and text
    Full,
    /// A sentence, and 1 where its verb agrees with its subject, else 0
    Texts,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to put data and results
    #[arg(long, value_name = "DIR", default_value = "frazil-demo")]
    pub(crate) dir: PathBuf,
    /// Rows of the data
    #[arg(long, value_name = "N", default_value = "100k")]
    pub(crate) rows: Count,
}
