//! `frazil schema infer` and `update`: statistics in, a schema out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use datasets::artifacts::refuse_inputs;
use datasets::inputs::InputFile;
use engine::{Error, Result};
use ops::schema::{InferOptions, diff, infer_schema, suggest};
use ops::tfmd::{DatasetFeatureStatisticsList, text};
use ops::validate::{UpdateOptions, update_schema};

use super::files::{FORMS, write_schema};
use super::{FromArgs, InferArgs, UpdateArgs, read_schema};
use crate::args::{OutputArgs, StatsArgs};
use crate::failure::Done;
use crate::forms::{form_of, write_files};
use crate::run::Run;
use crate::{output, receipt, stats};

pub(super) fn infer(args: &InferArgs) -> Done {
    let outputs: Vec<&Path> =
        args.from.output.iter().chain(&args.suggest).map(PathBuf::as_path).collect();
    check_outputs(&args.from, &outputs)?;
    let Some(statistics) = statistics(&args.from, None)? else { return Ok(()) };
    let options = InferOptions {
        max_string_domain_size: args.from.max_string_domain_size,
        infer_feature_shape: !args.no_shape,
        ..InferOptions::default()
    };
    let schema = infer_schema(&statistics, &options)?;
    match &args.from.output {
        Some(path) => write_schema(path, &schema)?,
        None if args.suggest.is_none() => output::print(&text::print(&schema))?,
        None => {}
    }
    if let Some(path) = &args.suggest {
        let suggested = suggest(&schema, &statistics)?;
        if path.extension().is_some_and(|ending| ending == "pbtxt") {
            write_files([(path.as_path(), suggested.text().into_bytes())])?;
        } else {
            write_schema(path, &suggested.schema)?;
        }
        output::print(&suggested.diff())?;
    }
    Ok(())
}

/// Checks that what is to be written has a known form and overwrites no input.
fn check_outputs(args: &FromArgs, outputs: &[&Path]) -> Result<()> {
    let inputs: Vec<InputFile> = args
        .inputs
        .iter()
        .filter(|input| Path::new(input).is_file())
        .map(|input| InputFile { path: input.clone(), bytes: 0 })
        .collect();
    for (i, path) in outputs.iter().enumerate() {
        form_of(&FORMS, path)?;
        refuse_inputs(path, &inputs)?;
        if outputs[..i].contains(path) {
            return Err(Error::invalid(format!("`{}` is to be written twice", path.display())));
        }
    }
    Ok(())
}

pub(super) fn update(args: &UpdateArgs) -> Done {
    let outputs: Vec<&Path> = args.from.output.iter().map(PathBuf::as_path).collect();
    check_outputs(&args.from, &outputs)?;
    let old = read_schema(&args.old)?.schema;
    let Some(statistics) = statistics(&args.from, Some(&args.old))? else { return Ok(()) };
    let options = UpdateOptions { max_string_domain_size: args.from.max_string_domain_size };
    let new = update_schema(&old, statistics.all_examples()?, &options)?;
    let changes = diff(&old, &new)?.to_string();
    match &args.from.output {
        Some(path) => {
            write_schema(path, &new)?;
            output::print(&changes)?;
        }
        None => {
            output::print(&text::print(&new))?;
            if !args.from.quiet {
                output::note(&changes);
            }
        }
    }
    Ok(())
}

/// The statistics of a file, or those of data, in the process that writes results.
///
/// Data is counted as its schema says: a number that is a category has top values.
fn statistics(
    args: &FromArgs,
    schema: Option<&Path>,
) -> Result<Option<DatasetFeatureStatisticsList>> {
    if let [input] = args.inputs.as_slice() {
        let path = Path::new(input);
        if output::is_statistics(path) {
            return output::read_statistics(path).map(Some);
        }
        if path.is_file()
            && let Some(statistics) = one_record(path)
        {
            return Ok(Some(statistics));
        }
    }
    let mut options = args.options.clone();
    options.schema = options.schema.or_else(|| schema.map(Path::to_owned));
    let computed = StatsArgs {
        inputs: args.inputs.clone(),
        output: OutputArgs { outputs: Vec::new(), json: false, receipt: None, quiet: args.quiet },
        input: args.input.clone(),
        options,
        run: args.run.clone(),
    };
    let run = Run::start(&args.run, args.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let ran = stats::compute(&computed, &run);
    let ran = run.finish(ran)?;
    if is_leader && !is_quiet {
        output::note(&receipt::short(&ran.receipt, start.elapsed()));
    }
    Ok(is_leader.then_some(ran.statistics))
}

/// Statistics in a TFRecord file as TFDV writes them: its only record, and nothing else could be
/// written with the same bytes.
fn one_record(path: &Path) -> Option<DatasetFeatureStatisticsList> {
    let file = std::fs::File::open(path).ok()?;
    let mut records = datasets::TfRecordReader::new(std::io::BufReader::new(file));
    let Ok(Some(datasets::Frame::Record(record))) = records.next_frame() else { return None };
    let statistics = ops::tfmd::load_statistics(record).ok()?;
    let is_whole = ops::tfmd::encode(&statistics) == record;
    let has_any = statistics.datasets.iter().any(|dataset| !dataset.features.is_empty());
    let is_last = matches!(records.next_frame(), Ok(None));
    (is_whole && has_any && is_last).then_some(statistics)
}
