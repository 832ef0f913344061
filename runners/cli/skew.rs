//! `frazil skew`: two sets of examples, joined by identifier and compared feature by feature.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use datasets::artifacts::refuse_inputs;
use datasets::inputs::InputFile;
use datasets::{ExampleEncoder, TfRecordWriter};
use engine::{Batch, Error, Flatten, Pipeline, Receipt, Result, Source};
use ops::skew::{Skew, SkewOptions, detect_feature_skew, shown};
use ops::tfmd::{FeatureSkewResults, SkewPair, encode};
use runners::rows::read_rows;
use runners::table::{ShownPair, Sort, render_skew};

use crate::args::{InputArgs, RunArgs};
use crate::failure::{Done, Failure};
use crate::forms::{Form, as_json, form_of, write_files};
use crate::input::{Input, open_both};
use crate::run::Run;
use crate::{output, receipt};

const HELP: &str = "\
Examples:
  frazil skew train/ serving/ --id trip_id                    which features differ, and how often
  frazil skew train/ serving/ --id user,time --ignore score   identified by two features together
  frazil skew a.parquet b.tfrecord --id id --float-digits 3 --sample 5
  frazil skew train/ serving/ --id id --confusion country -o skew.pb --max-skew 0.001

BASE and TEST are each a file, a directory, a glob, numbered shards or a pattern of spans. Examples
without an identifier are counted and passed over, and so are identifiers that several examples of a
side have, unless --allow-duplicates. A list without values and a feature that is not there are alike.
Equal values are equal whatever file they are in; values of two types, such as 1 and 1.0, are not.

Exit codes:
  0    every feature differs in at most --max-skew of the pairs in which a side has it
  1    some feature differs in more, or no two examples have the same identifier
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

/// Flags of `frazil skew`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct SkewArgs {
    /// What to compare with: training data, or yesterday's
    base: String,
    /// What to compare: serving data, or today's
    test: String,
    /// Features that together say which examples are the same
    #[arg(long = "id", value_name = "FEATURE,…", value_delimiter = ',', required = true)]
    identifiers: Vec<String>,
    /// Features that are not compared
    #[arg(long, value_name = "FEATURE,…", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Digits after the point to which floats are rounded before they are compared
    #[arg(long, value_name = "N")]
    float_digits: Option<u32>,
    /// Compare all pairs where several examples of a side have the same identifier
    #[arg(long)]
    allow_duplicates: bool,
    /// Count which values meet, of features that are one string
    #[arg(long, value_name = "FEATURE,…", value_delimiter = ',')]
    confusion: Vec<String>,
    /// Show so many pairs that differ, always the same ones
    #[arg(long, value_name = "N", default_value = "0")]
    sample: usize,
    /// The largest share of pairs, from 0 to 1, in which a feature may differ
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    max_skew: f64,
    #[command(flatten)]
    output: SkewOutputArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
struct SkewOutputArgs {
    /// Write what was found: .pb, .pbtxt or .json, or .tfrecord with a FeatureSkew in each record
    #[arg(short, long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,
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

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("write a share from 0 to 1, such as 0.01".to_owned()),
    }
}

/// Every form of results in a file.
static FORMS: [Form<FeatureSkewResults>; 4] =
    [Form::BINARY, Form::TEXT, Form::JSON, Form { suffix: "tfrecord", bytes: records }];

/// What TFDV's `skew_results_sink` writes.
fn records(results: &FeatureSkewResults) -> Vec<u8> {
    let mut writer = TfRecordWriter::new(Vec::new());
    for feature in &results.feature_skew {
        writer.write(&encode(feature)).expect("a Vec takes every write");
    }
    writer.into_inner()
}

/// What a run gave.
struct Found {
    skew: Skew,
    receipt: Receipt,
    source: Arc<dyn Source>,
    base_shards: usize,
    forms: Vec<(PathBuf, &'static Form<FeatureSkewResults>)>,
}

pub(crate) fn run(args: &SkewArgs) -> Done {
    let run = Run::start(&args.run, args.output.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let found = compare(args, &run);
    let mut found = run.finish(found)?;
    if !is_leader {
        return Ok(());
    }
    let elapsed = start.elapsed();
    let pairs = fill(args, &mut found)?;
    let results = &found.skew.results;
    write_files(found.forms.iter().map(|(path, form)| (path.as_path(), (form.bytes)(results))))?;
    if let Some(path) = &args.output.receipt {
        receipt::write(path, &found.receipt, elapsed)?;
    }
    if args.output.json {
        output::print(&as_json(&found.skew.results))?;
    } else if found.forms.is_empty() {
        output::print(&render_skew(&found.skew, &pairs, &output::table_options(Sort::Given)))?;
    }
    if !is_quiet {
        output::note(&receipts(&found, elapsed));
    }
    judge(&found.skew, args.max_skew, is_quiet)
}

fn compare(args: &SkewArgs, run: &Run) -> Result<Found> {
    if args.run.states.is_some() {
        return Err(Error::invalid("a comparison keeps no states")
            .with_hint("Leave out `--states`: compare the data itself."));
    }
    let find = |input: &String| {
        let found = Input::find(std::slice::from_ref(input), &args.input)?;
        // Pairs are given back as they are stored.
        Ok(if args.sample > 0 { found.keeping_messages() } else { found })
    };
    let inputs = [find(&args.base)?, find(&args.test)?];
    let files: Vec<InputFile> =
        inputs.iter().flat_map(|input| input.files.iter().cloned()).collect();
    let forms = forms(&args.output, &files)?;
    let options = Arc::new(SkewOptions {
        identifiers: args.identifiers.clone(),
        ignore: args.ignore.clone(),
        float_digits: args.float_digits,
        single_floats: inputs.iter().any(Input::has_single_floats),
        allow_duplicates: args.allow_duplicates,
        confusion: once(&args.confusion),
        sample: args.sample,
    });
    let sources = open_both(inputs, run)?;
    let base_shards = sources[0].shards().len();
    let source: Arc<dyn Source> = Arc::new(Flatten::new(sources.into()));
    let (pipeline, batches) = Pipeline::read(source.clone());
    let handle = detect_feature_skew(&batches, base_shards, options.clone());
    let description = format!("skew {base_shards} {options:?}");
    let mut ran = run.execute("comparing", &pipeline.plan(), &description, None)?;
    let skew = handle.output(&mut ran)?;
    Ok(Found { skew, receipt: ran.receipt, source, base_shards, forms })
}

/// The names, each once, in their order.
fn once(names: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(*name)).cloned().collect()
}

/// The files to write, checked as far as that can be done before there is anything to write.
fn forms(
    args: &SkewOutputArgs,
    inputs: &[InputFile],
) -> Result<Vec<(PathBuf, &'static Form<FeatureSkewResults>)>> {
    for path in args.outputs.iter().chain(&args.receipt) {
        refuse_inputs(path, inputs)?;
    }
    args.outputs.iter().map(|path| Ok((path.clone(), form_of(&FORMS, path)?))).collect()
}

/// Puts the examples into the pairs that were chosen, and makes them readable.
fn fill(args: &SkewArgs, found: &mut Found) -> Result<Vec<ShownPair>> {
    let places = found.skew.places.clone();
    let batch_rows = args.run.batch_rows.as_usize().clamp(1, 1 << 20);
    let rows = read_rows(&found.source, places.iter().flatten().copied(), batch_rows)?;
    let pairs = found.skew.results.skew_pairs.iter_mut();
    pairs
        .zip(places)
        .map(|(pair, [base, test])| {
            let (base, test) = (&rows[&base], &rows[&test]);
            let example = |batch: &Batch| {
                if let Some(originals) = &batch.originals {
                    return originals.value(0).to_vec();
                }
                // What does not fit into a tf.Example, such as a list of lists, is shown only.
                let encoder = ExampleEncoder::new(&batch.records);
                encoder.map_or_else(|_| Vec::new(), |mut encoder| encoder.encode(0).to_vec())
            };
            (pair.base, pair.test) = (example(base), example(test));
            show(args, pair, [base, test])
        })
        .collect()
}

fn show(args: &SkewArgs, pair: &SkewPair, rows: [&Batch; 2]) -> Result<ShownPair> {
    let identifiers = args.identifiers.iter().map(|name| shown(rows[0], name));
    let identifier = identifiers.collect::<Result<Vec<_>>>()?.join(", ");
    let differing = [&pair.mismatched_features, &pair.base_only_features, &pair.test_only_features];
    let values = |name: &String| Ok([name.clone(), shown(rows[0], name)?, shown(rows[1], name)?]);
    let features = differing.into_iter().flatten().map(values).collect::<Result<_>>()?;
    Ok(ShownPair { identifier, features })
}

/// What was read of both sides.
fn receipts(found: &Found, elapsed: Duration) -> String {
    let (base, test) = found.receipt.shards.split_at(found.base_shards);
    let of = |name: &str, shards: &[_]| {
        let receipt = Receipt { shards: shards.to_vec(), ..Receipt::default() };
        format!("{name}: {}", receipt::short(&receipt, elapsed))
    };
    of("base", base) + &of("test", test)
}

/// Whether the data is as it should be.
fn judge(skew: &Skew, most: f64, is_quiet: bool) -> Done {
    let say = |line: String| {
        if !is_quiet {
            output::note(&line);
        }
        Err(Failure::Data)
    };
    if skew.n_compared == 0 {
        return say("nothing was compared: no two examples have the same identifier\n".to_owned());
    }
    match skew.worst() {
        Some((feature, share)) if share > most => say(format!(
            "skew: `{}` differs in {} of {} pairs, {}\n",
            feature.feature_name,
            receipt::thousands(feature.diff_count),
            receipt::thousands(feature.base_count + feature.test_only),
            if most > 0.0 { format!("more than {most} of them") } else { "none may".to_owned() },
        )),
        _ => Ok(()),
    }
}
