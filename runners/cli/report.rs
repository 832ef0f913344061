//! `frazil report`: statistics, anomalies and drift as one HTML page.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::{Error, Result};
use ops::drift::{Comparison, DriftOptions, DriftPolicy, compare};
use ops::tfmd::anomalies::BaselineSchema;
use ops::tfmd::{
    Anomalies, DatasetFeatureStatistics, DatasetFeatureStatisticsList, Schema, load_anomalies,
};
use ops::validate::{ControlStatistics, ValidateOptions, Validation, validate_statistics};
use runners::report::{Data, Distances, Report, Span, distances_of_report, fingerprint, render};

use crate::failure::Done;
use crate::{options, output};

const HELP: &str = "\
Examples:
  frazil report stats.pb -o report.html                     what is in the data
  frazil report today.pb --previous yesterday.pb --anomalies anomalies.pbtxt -o report.html
  frazil report train.pb --serving serving.pb --schema schema.pbtxt -o report.html
  frazil report span-*/stats.pb -o report.html              spans, the oldest first

The page is one file without scripts, styles or pictures from anywhere else; its own content
security policy forbids every request. The same inputs give the same bytes.";

/// Flags of `frazil report`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ReportArgs {
    /// Statistics of one span or of several, the oldest first; the last one is judged
    #[arg(required = true, value_name = "STATS")]
    statistics: Vec<PathBuf>,
    /// Where to write the page; `-` is stdout
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// What is expected of the data
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// What was found wrong with the last span
    #[arg(long, value_name = "FILE")]
    anomalies: Option<PathBuf>,
    /// Statistics that every span is compared with [default: those of the span before it]
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Statistics of serving data
    #[arg(long, value_name = "FILE")]
    serving: Option<PathBuf>,
    /// What to call a file of statistics, once for each in their order [default: from its name]
    #[arg(long = "label", value_name = "NAME")]
    labels: Vec<String>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
}

/// A file of statistics that has been read.
struct Loaded {
    label: String,
    fingerprint: String,
    statistics: DatasetFeatureStatisticsList,
}

impl Loaded {
    /// The statistics of all examples.
    fn all(&self) -> Option<&DatasetFeatureStatistics> {
        self.statistics.all_examples().ok().or(self.statistics.datasets.first())
    }

    fn data(&self) -> Data<'_> {
        Data {
            label: self.label.clone(),
            fingerprint: self.fingerprint.clone(),
            statistics: &self.statistics,
        }
    }
}

pub(crate) fn run(args: &ReportArgs) -> Done {
    let n = args.statistics.len();
    if args.labels.len() > n {
        return Err(Error::invalid("there are more labels than files of statistics")
            .with_detail(format!("There are {} and {n}.", args.labels.len()))
            .with_hint("Give `--label` once for each STATS, in their order.")
            .into());
    }
    let mut labels = names(&args.statistics);
    labels.splice(..args.labels.len(), args.labels.iter().cloned());
    let spans = args.statistics.iter().zip(labels);
    let spans: Vec<Loaded> = spans.map(|(path, label)| load(path, label)).collect::<Result<_>>()?;
    let other = |path: &Option<PathBuf>| -> Result<Option<Loaded>> {
        let path =
            path.as_ref().map(|path| load(path, names(std::slice::from_ref(path)).remove(0)));
        path.transpose()
    };
    let previous = other(&args.previous)?;
    let serving = other(&args.serving)?;
    let schema: Option<(Schema, String)> = match &args.schema {
        Some(path) => {
            let bytes = options::read(path)?;
            let schema = ops::tfmd::load_schema(&bytes);
            Some((schema.map_err(|e| options::in_file(path, &e))?, fingerprint(&bytes)))
        }
        None => None,
    };
    let anomalies = args.anomalies.as_deref();
    let mut anomalies: Option<Anomalies> =
        anomalies.map(|path| options::load(path, load_anomalies)).transpose()?;
    let judged_by = schema.as_ref().map(|(schema, _)| schema.clone());
    let judged_by = judged_by.or_else(|| match anomalies.as_ref()?.baseline_schema.as_ref()? {
        BaselineSchema::Baseline(schema) | BaselineSchema::BaselineV1(schema) => {
            Some(schema.clone())
        }
    });
    let found = Found::new(&spans, previous.as_ref(), serving.as_ref(), judged_by.as_ref())?;
    if let (None, Some(validation), Some(schema)) = (&anomalies, &found.validation, &judged_by) {
        anomalies = Some(validation.to_anomalies(schema));
    }
    let page = render(&Report {
        spans: spans
            .iter()
            .zip(&found.distances)
            .map(|(span, distances)| Span { data: span.data(), distances: distances.clone() })
            .collect(),
        previous: previous.as_ref().map(Loaded::data),
        serving: serving.as_ref().map(Loaded::data),
        schema: schema.as_ref().map(|(schema, fingerprint)| (schema, fingerprint.clone())),
        anomalies: anomalies.as_ref(),
        validation: found.validation.as_ref(),
    });
    if args.output == Path::new("-") {
        return output::print(&page);
    }
    let inputs = args.statistics.iter().chain(&args.schema).chain(&args.anomalies);
    for input in inputs.chain(&args.previous).chain(&args.serving) {
        if let (Ok(input), Ok(output)) = (input.canonicalize(), args.output.canonicalize())
            && input == output
        {
            return Err(Error::invalid(format!("`{}` is an input", args.output.display()))
                .with_hint("Write the report to another file.")
                .into());
        }
    }
    datasets::artifacts::write_atomic(&args.output, page.as_bytes())?;
    if !args.quiet {
        let size = indicatif::HumanBytes(page.len() as u64);
        output::note(&format!("wrote {} ({size})\n", args.output.display()));
    }
    Ok(())
}

/// What is computed for the report.
struct Found {
    /// For each span.
    distances: Vec<Distances>,
    /// Of the last one.
    validation: Option<Validation>,
}

impl Found {
    fn new(
        spans: &[Loaded],
        previous: Option<&Loaded>,
        serving: Option<&Loaded>,
        schema: Option<&Schema>,
    ) -> Result<Found> {
        let mut distances = Vec::with_capacity(spans.len());
        let mut validation = None;
        for (i, span) in spans.iter().enumerate() {
            let Some(current) = span.all() else {
                distances.push(Distances::new());
                continue;
            };
            let is_last = i + 1 == spans.len();
            let baseline = previous.or_else(|| spans.get(i.checked_sub(1)?));
            let baseline = baseline.and_then(Loaded::all);
            let serving = serving.filter(|_| is_last).and_then(Loaded::all);
            let compared = |other, comparison| {
                let options = DriftOptions {
                    policy: DriftPolicy::Significant,
                    comparison,
                    schema,
                    ..DriftOptions::default()
                };
                distances_of_report(&compare(current, other, &options))
            };
            let mut found = Distances::new();
            if let Some(other) = baseline {
                found = compared(other, Comparison::Drift);
            }
            if let Some(other) = serving {
                for (path, skew) in compared(other, Comparison::Skew) {
                    found.entry(path).or_default().extend(skew);
                }
            }
            distances.push(found);
            if let (Some(schema), true) = (schema, is_last) {
                let controls =
                    ControlStatistics { previous_span: baseline, serving, previous_version: None };
                let options = ValidateOptions::default();
                validation = Some(validate_statistics(current, controls, schema, &options)?);
            }
        }
        Ok(Found { distances, validation })
    }
}

fn load(path: &Path, label: String) -> Result<Loaded> {
    let (bytes, statistics) = output::read_statistics_and_bytes(path)?;
    Ok(Loaded { label, fingerprint: fingerprint(&bytes), statistics })
}

/// What files are called: by their stems, or where these are all the same by their directories.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stems: Vec<String> = paths.iter().map(|path| stem(path).unwrap_or_default()).collect();
    let folder = |path: &PathBuf| {
        let parent = path.parent()?.file_name()?;
        Some(parent.to_string_lossy().into_owned())
    };
    let is_plain = |stem: &String| *stem == stems[0] && (paths.len() > 1 || stem == "stats");
    if stems.iter().all(is_plain) {
        let folders: Option<Vec<String>> = paths.iter().map(folder).collect();
        return folders.unwrap_or(stems);
    }
    stems
}
