//! Evaluation as a part of a pipeline, and its results as files.
//!
//! What makes [`Predictions`] does not matter: columns of files ([`read_predictions`]), or a model
//! whose answers a `DoFn` puts into them.

use std::path::Path;
use std::sync::Arc;

use datasets::artifacts::{vacant, write_directory};
use engine::{Batch, Combined, Error, Outputs, PCollection, Result, Sorted};
use ops::evaluate::{
    EvaluateOptions, Evaluation, Kind, Predictions, ReadPredictions, SumsFn, Tallies, Tally,
    Validation, evaluation,
};

use crate::report::render_evaluation_page;

/// Takes labels, predictions and weights from the columns that the options name.
pub fn read_predictions(
    batches: &PCollection<Batch>,
    options: &Arc<EvaluateOptions>,
) -> PCollection<Predictions> {
    let shards = batches.source().shards().to_vec();
    batches.par_do(ReadPredictions::new(options.clone(), &shards))
}

/// Adds the evaluation of predictions to a pipeline: every metric in every slice, in one scan.
pub fn evaluate(
    predictions: &PCollection<Predictions>,
    options: Arc<EvaluateOptions>,
) -> EvaluationHandle {
    let replicates = options.intervals.replicates;
    let sums = predictions.combine_globally(SumsFn::new(replicates));
    let needs_tallies = options.metrics.iter().any(|spec| {
        let kind = spec.metric.kind(options.task);
        !matches!(kind, None | Some(Kind::Count(_) | Kind::Sums(_)))
    });
    let tallies = needs_tallies.then(|| predictions.sort_per_key(Tallies::new(replicates)));
    EvaluationHandle { options, sums, tallies }
}

/// A handle on the evaluation that a run will give.
pub struct EvaluationHandle {
    options: Arc<EvaluateOptions>,
    sums: Combined<SumsFn>,
    tallies: Option<Sorted<Tally>>,
}

impl EvaluationHandle {
    /// The results, one for each model that the options name.
    ///
    /// # Errors
    /// When no row has a label or a prediction, or a state cannot be read.
    pub fn output(&self, outputs: &mut Outputs) -> Result<Vec<Evaluation>> {
        let sums = self.sums.output(outputs)?;
        let tallies = self.tallies.as_ref().map(|tallies| tallies.output(outputs)).transpose()?;
        evaluation(&self.options, &sums, tallies)
    }
}

/// The file of an evaluation's numbers, by which its directory is known.
pub const METRICS_FILE: &str = "metrics.json";

/// Checks that an evaluation may be written to a directory.
///
/// # Errors
/// When there is something else, or an earlier evaluation that is not to be replaced.
pub fn check_directory(path: &Path, overwrite: bool) -> Result<()> {
    vacant(path, METRICS_FILE, overwrite)
}

/// Writes an evaluation: `metrics.json`, `validation.json`, a page `report.html`, and, where there are
/// thresholds, an empty file `BLESSED` or `NOT_BLESSED`; all of it or nothing.
///
/// # Errors
/// When the directory holds something else, or the disk is full.
pub fn write_evaluation(
    path: &Path,
    evaluation: &Evaluation,
    baseline: Option<&Evaluation>,
    validation: &Validation,
    overwrite: bool,
) -> Result<()> {
    let page = render_evaluation_page(evaluation, baseline, validation);
    let mut files = vec![
        (METRICS_FILE, pretty(evaluation)),
        ("validation.json", pretty(validation)),
        ("report.html", page.into_bytes()),
    ];
    match validation.blessed {
        Some(true) => files.push(("BLESSED", Vec::new())),
        Some(false) => files.push(("NOT_BLESSED", Vec::new())),
        None => {}
    }
    write_directory(path, &files, METRICS_FILE, overwrite)
}

/// Reads the numbers of an evaluation from its directory.
///
/// # Errors
/// When there is no evaluation, or it is damaged.
pub fn read_evaluation(path: &Path) -> Result<Evaluation> {
    let file = path.join(METRICS_FILE);
    let bytes = std::fs::read(&file)
        .map_err(|e| Error::io(format_args!("read `{}`", file.display()), &e))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::input(format!("`{}` is no evaluation: {error}", file.display()))
            .with_hint("Name a directory that `frazil evaluate -o` has written.")
    })
}

/// A result as JSON for people, too.
pub fn pretty<T: serde::Serialize>(result: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(result)
        .expect("a result is plain data with texts as keys, which always serializes");
    bytes.push(b'\n');
    bytes
}
