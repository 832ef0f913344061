//! `frazil transform`: data through a frozen graph, shard by shard.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use datasets::output::{DatasetSink, OutputDirectory, RowFormat};
use engine::{Batch, Error, Outputs, PCollection, Pipeline, Receipt, Result, Source, Written};
use transform::{Apply, ApplyToExamples, TransformGraph};

use crate::failure::Done;
use crate::input::Input;
use crate::interrupt;
use crate::job::JobArgs;
use crate::run::Run;

const HELP: &str = "\
Examples:
  frazil transform data/ --graph graph -o transformed              tf.Examples, or as the input is
  frazil transform 'day-*.parquet' --graph graph -o out --write-format parquet

The output has a shard for every shard that is read. It is a directory that appears whole or not at all;
`_receipt.json` in it says how many rows its shards hold. A row that lacks a value which the graph needs
in every row is rejected: see `--max-bad-records`.

In tf.Examples a row's values are one flat list. Lists in lists become `NAME$ragged_values` and
`NAME$row_lengths_1`, as TensorFlow Transform writes them. In Parquet they stay lists of lists.

Exit codes:
  0    done
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct TransformArgs {
    /// Files, directories, globs, numbered shards or patterns of spans
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The graph, as `frazil analyze` has written it
    #[arg(short, long, value_name = "DIR")]
    graph: PathBuf,
    /// The directory to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    job: JobArgs,
}

/// How transformed rows are written.
#[derive(Clone, Debug, Args)]
pub(crate) struct WriteArgs {
    /// Format of the output [default: parquet if the input is Parquet, else tfrecord]
    #[arg(long, value_enum, value_name = "FORMAT")]
    write_format: Option<WriteFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WriteFormat {
    /// tf.Examples in TFRecord files
    #[value(name = "tfrecord")]
    TfRecord,
    /// Parquet
    Parquet,
}

pub(crate) fn run(args: &TransformArgs) -> Done {
    args.job.run(|run| Ok((vec![transform(args, run)?], String::new())))
}

fn transform(args: &TransformArgs, run: &Run) -> Result<Receipt> {
    let graph = Arc::new(TransformGraph::load(&args.graph)?);
    let input = Input::find(&args.inputs, &args.job.input)?;
    args.job.check_receipt(&input.files)?;
    let target =
        Target::prepare(&args.output, &args.write, args.job.overwrite, &args.inputs, &input)?;
    let columns = graph.inputs().iter().map(|(name, _)| name.clone()).collect();
    let (_, source) = input.open(Some(columns), Some(&graph.input_schema()), run)?;
    target.transform(&graph, source, run)
}

/// Where transformed rows go: checked before anything is read.
pub(crate) struct Target {
    directory: OutputDirectory,
    format: WriteFormat,
}

impl Target {
    /// Makes room for the output.
    pub(crate) fn prepare(
        path: &Path,
        args: &WriteArgs,
        overwrite: bool,
        inputs: &[String],
        input: &Input,
    ) -> Result<Self> {
        OutputDirectory::refuse_inputs(path, inputs, &input.files)?;
        let directory = OutputDirectory::create(path, overwrite)?;
        interrupt::remove_at_exit(directory.temporary());
        let default = if input.is_parquet() { WriteFormat::Parquet } else { WriteFormat::TfRecord };
        Ok(Target { directory, format: args.write_format.unwrap_or(default) })
    }

    /// Transforms all rows of a source.
    pub(crate) fn transform(
        self,
        graph: &Arc<TransformGraph>,
        source: Arc<dyn Source>,
        run: &Run,
    ) -> Result<Receipt> {
        let (pipeline, batches) = Pipeline::read(source);
        let rows = match self.format {
            WriteFormat::TfRecord => batches.par_do(ApplyToExamples(graph.clone())),
            WriteFormat::Parquet => batches.par_do(Apply(graph.clone())),
        };
        let description = format!("transform by {}", graph.fingerprint()?);
        self.write(pipeline, &rows, ["transforming", "transformed"], &description, run)
    }

    /// Writes all rows of a pipeline: with what is shown while it runs and what its rows are; and with
    /// what tells this run from others.
    pub(crate) fn write(
        self,
        pipeline: Pipeline,
        rows: &PCollection<Batch>,
        [doing, name]: [&'static str; 2],
        description: &str,
        run: &Run,
    ) -> Result<Receipt> {
        let format = match self.format {
            WriteFormat::TfRecord => "tfrecord",
            WriteFormat::Parquet => "parquet",
        };
        let format = RowFormat::named(format)?;
        let sink = DatasetSink::new(name, self.directory, format, rows.source().shards());
        let written = rows.write(sink);
        let outputs = run.execute(doing, &pipeline.plan(), description, None)?;
        check_rows(&written, &outputs)?;
        let _writing = interrupt::writing();
        if run.is_leader() {
            written.commit(&outputs)?;
        } else {
            written.leave();
        }
        Ok(outputs.receipt)
    }
}

/// Every row that was read is written or rejected.
fn check_rows(written: &Written<DatasetSink>, outputs: &Outputs) -> Result<()> {
    let rows: u64 = written.parts(outputs)?.iter().flatten().map(|part| part.rows).sum();
    let total = outputs.receipt.total();
    if total.read == rows + total.rejected {
        return Ok(());
    }
    Err(Error::new(engine::ErrorKind::Reconciliation, "the written rows do not add up")
        .with_detail(format!(
            "{} were read, {} rejected, {rows} written.",
            total.read, total.rejected
        )))
}
