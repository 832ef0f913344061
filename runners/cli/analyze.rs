//! `frazil analyze`: a preprocessing module and data in, a frozen graph out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use datasets::artifacts::refuse_inputs;
use datasets::output::OutputDirectory;
use engine::{Batch, Error, ErrorKind, Pipeline, Receipt, Result, Source};
use ops::schema::{InferOptions, infer_schema};
use ops::stats::{StatsOptions, generate_statistics};
use ops::tfmd::feature::{PresenceConstraints, ShapeType};
use ops::tfmd::{Feature, FeatureType, Schema, load_schema};
use preprocessing::{Limits, trace};
use runners::transform::analyze_with;
use transform::artifact::{InputShard, Provenance, SaveOptions, check_vacant};
use transform::{DType, Dim, Graph, Type};

use crate::args::{InputArgs, RunArgs};
use crate::failure::Done;
use crate::input::Input;
use crate::options::{load, read};
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
    /// Replace earlier outputs, each as a whole
    #[arg(long)]
    overwrite: bool,
    /// Write the whole row receipt as JSON: for each shard what was read, rejected and counted
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Keep the states of analyzers in a directory, and read only shards whose states are not there
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    run: RunArgs,
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
    let mut run = Run::start(&args.run, args.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let analyzed = analyze(args, transformed, &mut run);
    let Analyzed { fingerprint, n_analyzers, receipts } = run.finish(analyzed)?;
    if !is_leader {
        return Ok(());
    }
    let elapsed = start.elapsed();
    if let Some(path) = &args.receipt {
        receipt::write_all(path, &receipts, elapsed)?;
    }
    if !is_quiet {
        if let Some((last, earlier)) = receipts.split_last() {
            output::note(&receipt::short(last, elapsed));
            for (number, receipt) in (1..).zip(earlier) {
                output::note(&receipt::cached(receipt, &format!(" in phase {number}")));
            }
        }
        output::note(&format!(
            "graph {fingerprint}, {}, in `{}`\n",
            receipt::plural(n_analyzers as u64, "analyzer"),
            args.output.display()
        ));
    }
    Ok(())
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
    let input = Input::find(&args.inputs, &args.input)?;
    if run.is_leader() {
        check_vacant(&args.output, args.overwrite)?;
    }
    args.receipt.iter().try_for_each(|path| refuse_inputs(path, &input.files))?;
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
        Target::prepare(path, write, args.overwrite, &args.inputs, &input)
    });
    let target = target.transpose()?;
    let schema = match &args.schema {
        Some(path) => load(path, load_schema)?,
        None => inferred(args, run)?,
    };
    let columns = columns(&schema, args.schema.is_none());
    let graph = module.trace(&columns, run.is_quiet())?;
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
            overwrite: args.overwrite,
        };
        let _writing = interrupt::writing();
        graph.save(&args.output, &options)?;
    }
    if let Some(target) = target {
        receipts.push(target.write(&graph, source, run)?);
    }
    let n_analyzers = graph.graph().analyzers()?.len();
    Ok(Analyzed { fingerprint: graph.fingerprint()?, n_analyzers, receipts })
}

/// The schema of the data, by one scan for statistics.
fn inferred(args: &AnalyzeArgs, run: &Run) -> Result<Schema> {
    if !run.is_quiet() {
        output::note("no `--schema`: it is inferred by a scan of the data first\n");
    }
    let (_, source) = Input::find(&args.inputs, &args.input)?.open(None, None, run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let statistics = generate_statistics(&batches, Arc::new(StatsOptions::default()));
    let mut outputs = run.execute("inferring the schema", &pipeline.plan(), "infer", None)?;
    infer_schema(&statistics.output(&mut outputs)?, &InferOptions::default())
}

/// The columns that a module may use, by the rules of feature specs.
fn columns(schema: &Schema, inferred: bool) -> Vec<(String, Type)> {
    let columns = schema.feature.iter().filter_map(|feature| {
        let dtype = match feature.r#type() {
            FeatureType::Int => DType::Int64,
            FeatureType::Float => DType::Float32,
            FeatureType::Bytes => DType::String,
            FeatureType::Struct | FeatureType::TypeUnknown => return None,
        };
        let shape = match fixed_shape(feature) {
            Some(shape) if inferred && shape == [Dim::Fixed(1)] => Vec::new(),
            Some(shape) => shape,
            None => vec![Dim::Var],
        };
        Some((feature.name().to_owned(), Type::column(dtype, shape)))
    });
    columns.collect()
}

/// The shape of a feature that is in every row.
fn fixed_shape(feature: &Feature) -> Option<Vec<Dim>> {
    let Some(PresenceConstraints::Presence(presence)) = &feature.presence_constraints else {
        return None;
    };
    if presence.min_fraction() < 1.0 {
        return None;
    }
    let Some(ShapeType::Shape(shape)) = &feature.shape_type else { return None };
    let dims = shape.dim.iter().map(|dim| u32::try_from(dim.size()).ok().map(Dim::Fixed));
    dims.collect()
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
        option("max_bad_records", args.run.max_bad_records.0.to_string()),
        option("max_bad_shards", args.run.max_bad_shards.0.to_string()),
    ];
    let mut modules = module.loaded.into_inner();
    modules.insert(module.name, module.text);
    Provenance {
        inputs: shards.collect(),
        modules: modules.into_iter().collect(),
        options: options.into(),
    }
}

/// A preprocessing module, and what it has loaded.
struct Module {
    /// Its file's name, without folders.
    name: String,
    text: Vec<u8>,
    folder: PathBuf,
    /// Files by their paths from the folder.
    loaded: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Module {
    fn read(path: &Path) -> Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| {
            Error::invalid(format!("`{}` is no file", path.display()))
                .with_hint("`--preprocessing` names a file of Starlark.")
        })?;
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
        Ok(Module { name, text: read(path)?, folder, loaded: RefCell::default() })
    }

    /// A file of the module's folder, or below it.
    fn load(&self, name: &str) -> Result<Vec<u8>> {
        let outside = || {
            Error::invalid(format!("`{name}` is outside of the module's folder"))
                .with_detail(format!("A module may load what is in `{}`.", self.folder.display()))
        };
        if name.split(['/', '\\']).any(|part| part == "..") || Path::new(name).is_absolute() {
            return Err(outside());
        }
        let path = self.folder.join(name);
        let real = |path: &Path| {
            path.canonicalize().map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => {
                    Error::new(ErrorKind::NotFound, format!("there is no `{}`", path.display()))
                }
                _ => Error::io(format_args!("read `{}`", path.display()), &e),
            })
        };
        // A link may lead out of the folder.
        if !real(&path)?.starts_with(real(&self.folder)?) {
            return Err(outside());
        }
        let bytes = read(&path)?;
        self.loaded.borrow_mut().insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn trace(&self, columns: &[(String, Type)], quiet: bool) -> Result<Graph> {
        let load = |name: &str| self.load(name);
        let print = |text: &str| {
            if !quiet {
                output::note(&format!("{text}\n"));
            }
        };
        let options =
            preprocessing::Options { load: &load, print: &print, limits: Limits::default() };
        trace(&self.name, &self.text, columns, &options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_specs_follow_the_schema() {
        let schema = "
            feature { name: 'dense' type: FLOAT presence { min_fraction: 1 } shape {} }
            feature { name: 'one' type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
            feature { name: 'matrix' type: FLOAT presence { min_fraction: 1 }
                      shape { dim { size: 2 } dim { size: 3 } } }
            feature { name: 'some' type: BYTES presence { min_fraction: 0.5 } shape {} }
            feature { name: 'list' type: BYTES presence { min_fraction: 1 } }
            feature { name: 'inner' type: STRUCT }";
        let schema = ops::tfmd::text::parse(schema).unwrap();
        let shown = |inferred| {
            let columns = columns(&schema, inferred);
            columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect::<Vec<_>>().join("; ")
        };
        let expected = "dense float32; one int64[1]; matrix float32[2, 3]; some string[var]; \
                        list string[var]";
        assert_eq!(shown(false), expected);
        assert_eq!(shown(true), expected.replace("[1]", ""));
    }

    #[test]
    fn modules_load_from_their_own_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("modules");
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        std::fs::write(folder.join("m.star"), "x").unwrap();
        std::fs::write(folder.join("lib/a.star"), "a").unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        let module = Module::read(&folder.join("m.star")).unwrap();
        assert_eq!(module.load("lib/a.star").unwrap(), b"a");
        let refused = |name: &str| module.load(name).unwrap_err().message().to_owned();
        assert!(refused("../secret").contains("outside of the module's folder"));
        assert!(refused(&place.path().join("secret").display().to_string()).contains("outside"));
        assert!(refused("lib/b.star").contains("there is no"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(place.path().join("secret"), folder.join("link")).unwrap();
            assert!(refused("link").contains("outside of the module's folder"));
        }
        assert_eq!(module.loaded.borrow().len(), 1);
    }
}
