//! `frazil explain`: where a number, a distance, an anomaly or an error comes from.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::{Error, Result};
use ops::drift::{Comparison, DriftOptions, DriftPolicy, compare};
use ops::explain;
use ops::tfmd::{load_anomalies, load_schema};

use crate::failure::Done;
use crate::options::{in_file, load};
use crate::output;

const HELP: &str = "\
Examples:
  frazil explain stats.pb fare                        every number of a feature, and how it is made
  frazil explain day-2.pb --other day-1.pb            what has drifted, and what is mere noise
  frazil explain day-2.pb fare --other day-1.pb --schema schema.pbtxt
                                                      both distributions, each distance with its numbers
  frazil explain anomalies.pb fare                    the rule, what was found, and the remedy
  frazil explain COMPARATOR_L_INFTY_HIGH              when an anomaly is raised, and what to do
  frazil explain Reconciliation                       what a kind of error means";

/// Flags of `frazil explain`.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ExplainArgs {
    /// A file of statistics or anomalies, or the name of an anomaly, an error, a distance or a number
    #[arg(value_name = "FILE_OR_NAME")]
    what: String,
    /// A feature in the file
    feature: Option<String>,
    /// Statistics to compare with: those of the span before, or of serving
    #[arg(long, value_name = "FILE")]
    other: Option<PathBuf>,
    /// The schema, for its thresholds
    #[arg(long, value_name = "FILE", requires = "other")]
    schema: Option<PathBuf>,
    /// The other statistics are of serving: the schema's skew comparators hold
    #[arg(long, requires = "other")]
    skew: bool,
    /// Print the comparison as JSON
    #[arg(long, requires = "other")]
    json: bool,
}

pub(crate) fn run(args: &ExplainArgs) -> Done {
    output::print(&text(args)?)
}

fn text(args: &ExplainArgs) -> Result<String> {
    let path = Path::new(&args.what);
    let is_name = args.what.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c));
    if is_name && !path.exists() && args.feature.is_none() && args.other.is_none() {
        return explain::explain_code(&args.what);
    }
    let feature = args.feature.as_deref();
    let statistics = match output::read_statistics(path) {
        Ok(statistics) => statistics,
        Err(error) => {
            let anomalies = std::fs::read(path).ok().and_then(|bytes| load_anomalies(&bytes).ok());
            return match anomalies {
                Some(anomalies) if args.other.is_none() => {
                    explain::explain_anomalies(&anomalies, feature)
                        .map_err(|error| in_file(path, &error))
                }
                _ => Err(error),
            };
        }
    };
    let current = statistics.all_examples().map_err(|error| in_file(path, &error))?;
    let Some(other) = &args.other else {
        return match feature {
            Some(feature) => explain::explain_feature(current, feature),
            None => Ok(explain::explain_statistics(current)),
        };
    };
    let others = output::read_statistics(other)?;
    let control = others.all_examples().map_err(|error| in_file(other, &error))?;
    let schema = args.schema.as_deref().map(|path| load(path, load_schema)).transpose()?;
    let options = DriftOptions {
        policy: DriftPolicy::Significant,
        comparison: if args.skew { Comparison::Skew } else { Comparison::Drift },
        schema: schema.as_ref(),
        ..Default::default()
    };
    match feature {
        _ if args.json => {
            let mut report = compare(current, control, &options);
            report.features.retain(|drift| feature.is_none_or(|name| drift.path == name));
            let json = serde_json::to_string_pretty(&report);
            json.map(|json| json + "\n").map_err(|error| {
                Error::invalid("cannot write the comparison as JSON")
                    .with_detail(format!("{error}."))
            })
        }
        Some(feature) => explain::explain_comparison(current, control, feature, &options),
        None => Ok(explain::explain_drift(&compare(current, control, &options))),
    }
}
