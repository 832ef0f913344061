//! What is computed, as flags: every field of `StatsOptions`, under the name it has there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use engine::{Error, ErrorKind, Result};
use ops::stats::{FeaturePath, SliceSpec, StatsOptions};
use ops::tfmd;
use serde::{Deserialize, Serialize};

use crate::values::{parse_pair, parse_slice};

/// Flags, and what the files they name hold. As JSON they describe stored states, so that a later
/// merge knows what was computed without those files.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[command(next_help_heading = "Statistics")]
pub(crate) struct OptionArgs {
    /// A schema: it says which numbers are categories and which strings are images or language
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) schema: Option<PathBuf>,
    /// CSV: take the types of columns from the schema, and leave out columns it does not name
    #[arg(long, requires = "schema")]
    #[serde(skip)]
    pub(crate) infer_type_from_schema: bool,
    /// Only these features
    #[arg(long = "features", value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) feature_allowlist: Option<Vec<String>>,
    /// The feature that holds the weight of each example
    #[arg(long, value_name = "NAME")]
    pub(crate) weight_feature: Option<String>,
    /// The weight of one feature; may be repeated
    #[arg(long, value_name = "FEATURE=NAME", value_parser = parse_pair)]
    pub(crate) per_feature_weight_override: Vec<(String, String)>,
    /// Also compute the statistics of slices; may be repeated, see below
    #[arg(long = "slice", value_name = "SLICE", value_parser = parse_slice_features)]
    pub(crate) slices: Vec<SliceFeatures>,
    /// The same from a file with a `SlicingConfig` message
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) slicing_config: Option<PathBuf>,
    /// The label: how much more likely it is with each value of the other features (lift)
    #[arg(long, value_name = "NAME")]
    pub(crate) label_feature: Option<String>,
    /// Borders that cut a numeric label into buckets
    #[arg(long, value_name = "X,…", value_delimiter = ',', requires = "label_feature")]
    #[arg(allow_hyphen_values = true)]
    pub(crate) label_boundaries: Vec<f64>,
    /// Lift: leave out values of features that are rarer than this
    #[arg(long, value_name = "N", requires = "label_feature", default_value_t)]
    pub(crate) lift_min_x_count: u64,
    /// Lift: for each label only so many values, those that it is most likely with
    #[arg(long, value_name = "N", requires = "label_feature")]
    pub(crate) lift_top_k_per_y: Option<usize>,
    /// Lift: for each label also so many values that it is least likely with
    #[arg(long, value_name = "N", requires = "label_feature")]
    pub(crate) lift_bottom_k_per_y: Option<usize>,
    /// Look only at this share of the rows
    #[arg(long, value_name = "SHARE")]
    pub(crate) sample_rate: Option<f64>,
    /// Number of most frequent values
    #[arg(long, value_name = "N", default_value_t = defaults().num_top_values)]
    pub(crate) num_top_values: usize,
    /// Least count of a value to be among them
    #[arg(long, value_name = "N", default_value_t = defaults().frequency_threshold)]
    pub(crate) frequency_threshold: u64,
    /// Least weight of a value to be among them
    #[arg(long, value_name = "X", default_value_t = defaults().weighted_frequency_threshold)]
    pub(crate) weighted_frequency_threshold: f64,
    /// Buckets of the histogram of values by rank
    #[arg(long, value_name = "N", default_value_t = defaults().num_rank_histogram_buckets)]
    pub(crate) num_rank_histogram_buckets: usize,
    /// Buckets of the histogram of the number of values in an example
    #[arg(long, value_name = "N", default_value_t = defaults().num_values_histogram_buckets)]
    pub(crate) num_values_histogram_buckets: usize,
    /// Buckets of equal width
    #[arg(long, value_name = "N", default_value_t = defaults().num_histogram_buckets)]
    pub(crate) num_histogram_buckets: usize,
    /// Buckets of equally many values
    #[arg(long, value_name = "N", default_value_t = defaults().num_quantiles_histogram_buckets)]
    pub(crate) num_quantiles_histogram_buckets: usize,
    /// Largest error of a quantile's rank, as a share of all values
    #[arg(long, value_name = "SHARE", default_value_t = defaults().epsilon)]
    pub(crate) epsilon: f64,
    /// Recognise images, times and natural language
    #[arg(long)]
    pub(crate) semantic_domains: bool,
    /// A vocabulary of natural-language features, one token on each line; may be repeated
    #[arg(long = "vocab", value_name = "NAME=FILE", value_parser = parse_pair)]
    #[serde(skip)]
    pub(crate) vocabularies: Vec<(String, String)>,
    /// Estimate the most frequent and the number of distinct values, in little memory
    #[arg(long)]
    pub(crate) approximate: bool,
    /// Compute the mutual information of features with the label
    #[arg(long, requires = "label_feature")]
    pub(crate) mutual_information: bool,
    /// Correlate pairs of numeric features: those named, or all; write `--cross-features=A:B,C:D`
    #[arg(long, value_name = "A:B,…", value_delimiter = ',', value_parser = parse_cross)]
    #[arg(num_args = 0.., require_equals = true)]
    pub(crate) cross_features: Option<Vec<(String, String)>>,
    #[arg(skip)]
    schema_text: Option<String>,
    #[arg(skip)]
    vocabulary_lines: Vec<(String, Vec<Vec<u8>>)>,
}

/// One slicing, as a type that can be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SliceFeatures(Vec<(String, Vec<String>)>);

fn parse_slice_features(text: &str) -> Result<SliceFeatures, String> {
    parse_slice(text).map(|slice| SliceFeatures(slice.features))
}

fn parse_cross(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((x, y)) if !x.is_empty() && !y.is_empty() => Ok((x.to_owned(), y.to_owned())),
        _ => Err("write two features with a `:` between".to_owned()),
    }
}

fn defaults() -> StatsOptions {
    StatsOptions::default()
}

impl OptionArgs {
    /// Reads the files that flags name, and checks what no single flag can know.
    pub(crate) fn load(mut self) -> Result<Self> {
        if let Some(path) = &self.schema {
            let schema = load(path, tfmd::load_schema)?;
            self.schema_text = Some(tfmd::text::print(&schema));
        }
        if let Some(path) = &self.slicing_config {
            self.slices.extend(load_slices(path)?);
        }
        for (name, path) in &self.vocabularies {
            let mut lines: Vec<Vec<u8>> =
                read(Path::new(path))?.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            // The line feed at the end of a file does not begin another token.
            lines.pop_if(|last| last.is_empty());
            for line in &mut lines {
                line.pop_if(|last| *last == b'\r');
            }
            self.vocabulary_lines.push((name.clone(), lines));
        }
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        /// A histogram of more buckets is not one that anybody looks at, and is held per feature.
        const MOST: usize = 100_000;
        let share = |flag: &str, x: f64| {
            if x > 0.0 && x <= 1.0 {
                return Ok(());
            }
            Err(Error::invalid(format!("`{flag} {x}` is not a share"))
                .with_hint("Choose a number above 0, up to 1."))
        };
        share("--epsilon", self.epsilon)?;
        self.sample_rate.map_or(Ok(()), |rate| share("--sample-rate", rate))?;
        let counts = [
            ("--num-values-histogram-buckets", self.num_values_histogram_buckets),
            ("--num-histogram-buckets", self.num_histogram_buckets),
            ("--num-quantiles-histogram-buckets", self.num_quantiles_histogram_buckets),
        ];
        for (flag, n) in counts {
            if n == 0 || n > MOST {
                return Err(Error::invalid(format!("`{flag} {n}` makes no histogram"))
                    .with_hint(format!("Choose from 1 to {MOST} buckets.")));
            }
        }
        if !self.label_boundaries.is_sorted_by(|a, b| a < b) {
            return Err(Error::invalid("the borders of the label do not ascend")
                .with_hint("Write `--label-boundaries` from the smallest to the largest."));
        }
        Ok(())
    }

    /// The options of the library.
    pub(crate) fn to_stats_options(&self) -> Result<StatsOptions> {
        let schema = self.schema_text.as_ref().map(|text| tfmd::text::parse(text)).transpose()?;
        let path = |name: &str| FeaturePath::new(name.split('.').map(str::to_owned).collect());
        let overrides = self.per_feature_weight_override.iter();
        let vocabularies = self.vocabulary_lines.iter();
        Ok(StatsOptions {
            schema: schema.map(Arc::new),
            feature_allowlist: self.feature_allowlist.clone(),
            weight_feature: self.weight_feature.clone(),
            per_feature_weight_override: overrides
                .map(|(feature, weight)| (path(feature), weight.clone()))
                .collect(),
            slices: self.slices.iter().map(|s| SliceSpec { features: s.0.clone() }).collect(),
            label_feature: self.label_feature.clone(),
            label_boundaries: self.label_boundaries.clone(),
            lift_min_x_count: self.lift_min_x_count,
            lift_top_k_per_y: self.lift_top_k_per_y,
            lift_bottom_k_per_y: self.lift_bottom_k_per_y,
            sample_rate: self.sample_rate,
            num_top_values: self.num_top_values,
            frequency_threshold: self.frequency_threshold,
            weighted_frequency_threshold: self.weighted_frequency_threshold,
            num_rank_histogram_buckets: self.num_rank_histogram_buckets,
            num_values_histogram_buckets: self.num_values_histogram_buckets,
            num_histogram_buckets: self.num_histogram_buckets,
            num_quantiles_histogram_buckets: self.num_quantiles_histogram_buckets,
            epsilon: self.epsilon,
            enable_semantic_domain_stats: self.semantic_domains,
            vocabularies: vocabularies
                .map(|(name, lines)| (name.clone(), Arc::new(lines.clone())))
                .collect(),
            use_sketch_based_topk_uniques: self.approximate,
            mutual_information: self.mutual_information,
            cross_features: self.cross_features.clone(),
            // Generators of the user's own are code, not flags.
            generators: ops::stats::CustomGenerators::default(),
        })
    }

    /// The columns that have to be read; `None` is all of them.
    pub(crate) fn columns(options: &StatsOptions) -> Option<Vec<String>> {
        let mut columns = options.feature_allowlist.clone()?;
        // Sparse and weighted features are made of columns that only the schema names.
        if options.schema.is_some() {
            return None;
        }
        columns.extend(options.weight_feature.clone());
        columns.extend(options.per_feature_weight_override.iter().map(|(_, w)| w.clone()));
        let sliced = options.slices.iter().flat_map(|slice| &slice.features);
        columns.extend(sliced.map(|(feature, _)| feature.clone()));
        columns.extend(options.label_feature.clone());
        columns.sort_unstable();
        columns.dedup();
        Some(columns)
    }

    /// The text from which [`OptionArgs::from_description`] makes the same options again.
    pub(crate) fn description(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| {
            Error::invalid("the options cannot be described").with_detail(format!("{error}."))
        })
    }

    /// What [`OptionArgs::description`] describes.
    pub(crate) fn from_description(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Incompatible, "the options of stored states cannot be read")
                .with_detail(format!("{error}."))
                .with_hint("Compute the states again with this version.")
        })
    }
}

fn load_slices(path: &Path) -> Result<Vec<SliceFeatures>> {
    let config = load(path, tfmd::load_slicing_config)?;
    let mut slices = Vec::new();
    for spec in config.slicing_specs {
        if !spec.slice_keys_sql.is_empty() {
            let message = format!("`{}` slices by SQL", path.display());
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("Use `feature_keys` and `feature_values`."));
        }
        let keys = spec.feature_keys.into_iter().map(|key| (key, Vec::new()));
        let values = spec.feature_values.into_iter().map(|(key, value)| (key, vec![value]));
        let features: Vec<_> = keys.chain(values).collect();
        // An empty specification is all examples, which are there anyway.
        if !features.is_empty() {
            slices.push(SliceFeatures(features));
        }
    }
    Ok(slices)
}

/// Reads a message of any form from a file.
pub(crate) fn load<M>(path: &Path, load: fn(&[u8]) -> Result<M>) -> Result<M> {
    load(&read(path)?).map_err(|error| in_file(path, &error))
}

/// Reads a file whole; `-` is stdin.
pub(crate) fn read_or_stdin(path: &Path) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return read(path);
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
        .map_err(|e| Error::io("read `-`", &e))?;
    Ok(bytes)
}

/// Reads a file whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io(format_args!("read `{}`", path.display()), &e))
}

/// The error of a file's content, which names the file.
pub(crate) fn in_file(path: &Path, error: &Error) -> Error {
    let named = Error::new(error.kind(), format!("cannot use `{}`", path.display()));
    let detail = match error.detail() {
        None => sentence(error.message()),
        Some(detail) => format!("{} {detail}", sentence(error.message())),
    };
    let named = named.with_detail(detail);
    match error.hint() {
        None => named,
        Some(hint) => named.with_hint(hint),
    }
}

/// A message as a sentence.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn options(flags: &[&str]) -> OptionArgs {
        let words = ["frazil", "stats", "input"].iter().chain(flags);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Stats(stats) => stats.run.options,
            _ => unreachable!(),
        }
    }

    #[test]
    fn without_flags_the_options_are_the_default_ones() {
        let made = options(&[]).load().unwrap().to_stats_options().unwrap();
        assert_eq!(format!("{made:?}"), format!("{:?}", StatsOptions::default()));
    }

    #[test]
    fn a_description_makes_the_same_options_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let schema = path("schema.pbtxt", "feature { name: 'x' type: INT }");
        let vocab = path("vocab", "a\r\nb\n\n");
        let slicing = path("slicing", "slicing_specs { feature_values { key: 'c' value: 'd' } }");
        let flags = [
            "--schema",
            &schema,
            "--vocab",
            &format!("v={vocab}"),
            "--slicing-config",
            &slicing,
            "--slice",
            "a=1:b",
            "--epsilon",
            "0.012345678901234567",
            "--cross-features=a:b,c:d",
            "--label-feature",
            "l",
            "--label-boundaries",
            "-1.5,2",
            "--features",
            "l,m",
            "--per-feature-weight-override",
            "s.t=w",
            "--weight-feature",
            "w",
        ];
        let loaded = options(&flags).load().unwrap();
        let described = OptionArgs::from_description(&loaded.description().unwrap()).unwrap();
        let made = loaded.to_stats_options().unwrap();
        assert_eq!(format!("{made:?}"), format!("{:?}", described.to_stats_options().unwrap()));
        assert_eq!(*made.vocabularies[0].1, [b"a".to_vec(), b"b".to_vec(), b"".to_vec()]);
        assert_eq!(made.slices.len(), 2);
        assert_eq!(made.cross_features.as_ref().map(Vec::len), Some(2));
        assert_eq!(made.label_boundaries, [-1.5, 2.0]);
        assert_eq!(options(&["--cross-features"]).cross_features, Some(Vec::new()));
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let check = |flags: &[&str], expected: &str| {
            assert_eq!(options(flags).load().unwrap_err().message(), expected);
        };
        check(&["--epsilon", "0"], "`--epsilon 0` is not a share");
        check(&["--sample-rate", "2"], "`--sample-rate 2` is not a share");
        check(&["--num-histogram-buckets", "0"], "`--num-histogram-buckets 0` makes no histogram");
        check(
            &["--label-feature", "l", "--label-boundaries", "2,1"],
            "the borders of the label do not ascend",
        );
    }
}
