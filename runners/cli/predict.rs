//! `frazil predict`: data through a model, shard by shard, as TFX's BulkInferrer.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use engine::{Pipeline, Receipt, Result};
use model::{Bundle, Predict};

use crate::failure::Done;
use crate::input::Input;
use crate::job::JobArgs;
use crate::run::Run;
use crate::transform::{Target, WriteArgs};

const HELP: &str = "\
Examples:
  frazil predict data/ --model model -o scored                      the answers alone
  frazil predict data/ --model model -o scored --keep id,company    beside columns of the input
  frazil predict data/ --model model -o scored --with-label --write-format parquet

Data are raw rows: the model's own graph transforms them. Answers are `score` of a binary model,
`probabilities` and `class` of one with several classes, `prediction` of a regression. A row has the same
bits whatever rows are beside it, and the same as from `frazil train` and `frazil serve`.

The output has a shard for every shard that is read. It is a directory that appears whole or not at all.

Exit codes:
  0    done
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct PredictArgs {
    /// Files, directories, globs, numbered shards or patterns of spans
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The model, as `frazil train` has written it
    #[arg(short, long, value_name = "DIR")]
    model: PathBuf,
    /// The directory to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Columns of the input that are written beside the answers
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    keep: Vec<String>,
    /// Write the label, too, as the graph makes it
    #[arg(long)]
    with_label: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    job: JobArgs,
}

pub(crate) fn run(args: &PredictArgs) -> Done {
    args.job.run(|run| Ok((vec![predict(args, run)?], String::new())))
}

fn predict(args: &PredictArgs, run: &Run) -> Result<Receipt> {
    let Bundle { graph, predictor, fingerprint, .. } = Bundle::load(&args.model)?;
    let predictor = Arc::new(predictor);
    let mut predict = Predict::new(predictor.clone(), args.keep.clone());
    if args.with_label {
        let label = predictor.spec().label.clone();
        predict = predict.with_label(&graph, &label)?;
    }
    predict.check_names()?;
    let input = Input::find(&args.inputs, &args.job.input)?;
    args.job.check_receipt(&input.files)?;
    let target =
        Target::prepare(&args.output, &args.write, args.job.overwrite, &args.inputs, &input)?;
    let (_, source) = input.open(Some(predict.columns()), Some(&graph.input_schema()), run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let description = format!("predict by {fingerprint} {} {:?}", args.with_label, args.keep);
    let rows = batches.par_do(predict);
    target.write(pipeline, &rows, ["predicting", "predicted"], &description, run)
}
