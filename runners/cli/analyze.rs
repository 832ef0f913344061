//! `frazil analyze`: a preprocessing module and data in, a frozen graph out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use datasets::output::OutputDirectory;
use engine::{Batch, Error, Pipeline, Receipt, Result, Source};
use ops::schema::{InferOptions, infer_schema};
use ops::stats::{StatsOptions, generate_statistics};
use ops::tfmd::{Schema, load_schema};
use runners::transform::analyze_with;
use transform::artifact::{InputShard, Provenance, SaveOptions, check_vacant};

use crate::failure::Done;
use crate::input::Input;
use crate::job::JobArgs;
use crate::module::Module;
use crate::options::load;
use crate::run::Run;
use crate::transform::{Target, WriteArgs};
use crate::{interrupt, output, receipt};

const HELP: &str = "\
Examples:
  frazil analyze data/ --preprocessing taxi.star --schema schema.pbtxt -o graph
  frazil analyze data/ --preprocessing taxi.star -o graph            the schema is inferred first
  frazil analyze data/ --preprocessing taxi.star --schema schema.pbtxt -o graph --cache cache
  frazil analyze-and-transform data/ --preprocessing taxi.star -o graph --transformed out
  frazil graph show graph                                            what was found

The module defines `preprocessing_fn(inputs)`, which returns a dict of columns by name. It may load files
from its own folder and those below.

Types of inputs: INT is int64, FLOAT float32, BYTES string. A feature with `presence.min_fraction: 1` and
a `shape` has that shape in every row; every other has any number of values. Where the schema is
inferred, a feature that has one value in every row is a scalar.

Only the columns that the module uses are read. Each phase of analyzers is one scan of the data.

With `--cache` the state of each analyzer over each shard is kept, and found again by the shard's bytes
and by all that the analyzer depends on, in any later run with any module. A shard is read only for what
is missing; a phase that depends on results of an earlier one is computed again when those have changed.
What is damaged in the cache is computed again, with a warning. A scan that infers the schema is not
cached.

Exit codes:
  0    done
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct AnalyzeArgs {
    /// Files, directories, globs, numbered shards or patterns of spans
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The module: Starlark that defines `preprocessing_fn(inputs)`
    #[arg(short, long, value_name = "FILE")]
    preprocessing: PathBuf,
    /// The schema of the data; without one it is inferred by a scan of its own
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The directory for the frozen graph
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Keep the states of analyzers in a directory, and read only shards whose states are not there
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    job: JobArgs,
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct AnalyzeAndTransformArgs {
    #[command(flatten)]
    analyze: AnalyzeArgs,
    /// The directory for the transformed rows
    #[arg(long, value_name = "DIR")]
    transformed: PathBuf,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: &AnalyzeArgs) -> Done {
    run_both(args, None)
}

pub(crate) fn run_and_transform(args: &AnalyzeAndTransformArgs) -> Done {
    run_both(&args.analyze, Some((&args.transformed, &args.write)))
}

fn run_both(args: &AnalyzeArgs, transformed: Option<(&PathBuf, &WriteArgs)>) -> Done {
    args.job.run(|run| {
        let Analyzed { fingerprint, n_analyzers, receipts } = analyze(args, transformed, run)?;
        let analyzers = receipt::plural(n_analyzers as u64, "analyzer");
        let output = args.output.display();
        Ok((receipts, format!("graph {fingerprint}, {analyzers}, in `{output}`\n")))
    })
}

/// What was done.
struct Analyzed {
    fingerprint: String,
    n_analyzers: usize,
    /// One for each scan, the inference of the schema left out.
    receipts: Vec<Receipt>,
}

fn analyze(
    args: &AnalyzeArgs,
    transformed: Option<(&PathBuf, &WriteArgs)>,
    run: &mut Run,
) -> Result<Analyzed> {
    let module = Module::read(&args.preprocessing)?;
    let input = Input::find(&args.inputs, &args.job.input)?;
    if run.is_leader() {
        check_vacant(&args.output, args.job.overwrite)?;
    }
    args.job.check_receipt(&input.files)?;
    if let Some(directory) = &args.cache {
        OutputDirectory::refuse_inputs(directory, &args.inputs, &input.files)?;
        run.cache_in(directory)?;
    }
    let run = &*run;
    let target = transformed.map(|(path, write)| {
        if path.starts_with(&args.output) || args.output.starts_with(path) {
            return Err(Error::invalid(
                "the graph and the transformed rows are not beside each other",
            )
            .with_hint("Name two directories, neither inside of the other."));
        }
        Target::prepare(path, write, args.job.overwrite, &args.inputs, &input)
    });
    let target = target.transpose()?;
    let schema = match &args.schema {
        Some(path) => load(path, load_schema)?,
        None => inferred(args, run)?,
    };
    let graph = module.trace(&schema, args.schema.as_deref(), run.is_quiet())?;
    let used = graph.inputs().map(|(name, _)| name.to_owned()).collect();
    let (_, source) = input.open(Some(used), Some(&schema), run)?;
    let analysis = analyze_with(graph, &source, |plan, description| {
        run.execute("analyzing", plan, description, None)
    })?;
    let graph = Arc::new(analysis.graph);
    let mut receipts = analysis.receipts;
    if run.is_leader() {
        let options = SaveOptions {
            provenance: provenance(&source, receipts.last(), module, args),
            rows: first_rows(&source)?.map(|batch| batch.records),
            input_schema: Some(schema),
            overwrite: args.job.overwrite,
        };
        let _writing = interrupt::writing();
        graph.save(&args.output, &options)?;
    }
    if let Some(target) = target {
        receipts.push(target.transform(&graph, source, run)?);
    }
    let n_analyzers = graph.graph().analyzers()?.len();
    Ok(Analyzed { fingerprint: graph.fingerprint()?, n_analyzers, receipts })
}

/// The schema of the data, by one scan for statistics.
fn inferred(args: &AnalyzeArgs, run: &Run) -> Result<Schema> {
    if !run.is_quiet() {
        output::note("no `--schema`: it is inferred by a scan of the data first\n");
    }
    let (_, source) = Input::find(&args.inputs, &args.job.input)?.open(None, None, run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let statistics = generate_statistics(&batches, Arc::new(StatsOptions::default()));
    let mut outputs = run.execute("inferring the schema", &pipeline.plan(), "infer", None)?;
    infer_schema(&statistics.output(&mut outputs)?, &InferOptions::default())
}

/// The first rows of the data, to be golden.
fn first_rows(source: &Arc<dyn Source>) -> Result<Option<Batch>> {
    const ROWS: usize = 16;
    for shard in 0..source.shards().len() {
        let Some(batch) = source.clone().read(shard, ROWS)?.next() else { continue };
        let batch = batch?;
        if batch.records.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

fn provenance(
    source: &Arc<dyn Source>,
    receipt: Option<&Receipt>,
    module: Module,
    args: &AnalyzeArgs,
) -> Provenance {
    let rows = |number: usize| {
        receipt.and_then(|receipt| receipt.shards.get(number)).map_or(0, |(_, shard)| shard.counted)
    };
    let fingerprint = |number: usize| {
        receipt
            .and_then(|receipt| receipt.fingerprints.get(&number))
            .map(|hash| format!("{hash:032x}"))
    };
    let shards = source.shards().iter().enumerate().map(|(number, shard)| {
        let name = shard.name();
        let name = Path::new(&name).file_name().map(|name| name.to_string_lossy().into_owned());
        InputShard {
            name: name.unwrap_or_default(),
            rows: rows(number),
            bytes: shard.bytes,
            fingerprint: fingerprint(number),
        }
    });
    let option = |name: &str, value: String| (name.to_owned(), value);
    let schema = if args.schema.is_some() { "given" } else { "inferred" };
    let options = [
        option("module", module.name.clone()),
        option("schema", schema.to_owned()),
        option("max_bad_records", args.job.run.max_bad_records.0.to_string()),
        option("max_bad_shards", args.job.run.max_bad_shards.0.to_string()),
    ];
    let modules = module.into_files();
    Provenance { inputs: shards.collect(), modules, options: options.into() }
}
