//! What statistics suggest beyond what TFDV infers, each with what backs it.
//!
//! TFDV never infers ranges, categories of integers, keys, formats of strings or thresholds. Rows of
//! [`SUGGESTIONS`] do, one idea each, for a person to review: all of them are guesses from one
//! dataset. What statistics cannot tell is left out: the order of rows, so whether a column rises
//! from row to row, and whether numbers repeat.

mod categories;
mod dataset;
mod drift;
mod numbers;
mod presence;
mod strings;
mod time;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use engine::Result;
use serde::Serialize;

use super::diff::{Change, SchemaDiff, diff, diff_of_feature};
use crate::drift::FeatureDrift;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{
    DatasetFeatureStatisticsList, DatasetView, Feature, FeatureView, Path, Schema, text,
};

/// With fewer values nothing is suggested.
const ENOUGH: u64 = 100;

/// One kind of suggestion.
pub struct SuggestionKind {
    /// What it is called.
    pub name: &'static str,
    /// One line for a list.
    pub doc: &'static str,
    find: Find,
}

/// What a kind of suggestion looks at: it changes that, and gives what backs the change.
enum Find {
    Feature(fn(&Candidate<'_, '_>, &mut Feature) -> Option<String>),
    Schema(fn(&DatasetView<'_>, &mut Schema) -> Option<String>),
}

/// Every kind of suggestion; a later one sees what earlier ones have changed.
pub static SUGGESTIONS: &[SuggestionKind] = &[
    dataset::NUM_EXAMPLES,
    presence::MIN_FRACTION,
    presence::LIST_LENGTH,
    time::TIMESTAMP,
    categories::CATEGORICAL,
    numbers::RANGE,
    numbers::FINITE,
    strings::NUMBER_IN_TEXT,
    strings::FORMAT,
    categories::KEY,
    categories::DISTINCT,
    drift::DRIFT,
];

/// One suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The name of a row of [`SUGGESTIONS`].
    pub kind: &'static str,
    /// The feature, or nothing if it is about the dataset.
    pub path: String,
    /// How many values and examples back it, as a sentence.
    pub support: String,
    /// What it changes in the schema.
    pub changes: Vec<Change>,
}

/// A tighter schema, and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Suggested {
    /// The schema with everything that is suggested.
    pub schema: Schema,
    /// Each suggestion.
    pub suggestions: Vec<Suggestion>,
}

impl Suggested {
    /// The changes, one on each line, with what backs them below.
    pub fn diff(&self) -> String {
        let mut text = String::new();
        for suggestion in &self.suggestions {
            let changes = SchemaDiff { changes: suggestion.changes.clone(), same_bytes: false };
            let _ = write!(text, "{changes}");
            let _ = writeln!(text, "    {}: {}", suggestion.kind, suggestion.support);
        }
        text
    }

    /// The schema as text, with the changes and what backs them as comments in front.
    pub fn text(&self) -> String {
        let mut out =
            "# Suggested by statistics, for review: each change, and what backs it.\n".to_owned();
        for line in self.diff().lines() {
            let _ = writeln!(out, "# {line}");
        }
        out.push('\n');
        out.push_str(&text::print(&self.schema));
        out
    }
}

/// A feature of the data, counted in examples, whatever they weigh.
struct Candidate<'v, 'a> {
    path: &'v Path,
    view: FeatureView<'v, 'a>,
    /// The noise of two datasets like this one.
    noise: Option<&'v FeatureDrift>,
}

impl Candidate<'_, '_> {
    /// How many examples have the feature.
    fn present(&self) -> u64 {
        self.view.num_present() as u64
    }

    /// How many values there are.
    fn values(&self) -> u64 {
        self.view.num_values() as u64
    }

    fn examples(&self) -> u64 {
        self.view.dataset().num_examples() as u64
    }

    /// The most values in one example.
    fn most_values(&self) -> i64 {
        self.view.values_by_level().iter().map(|(_, most)| *most).max().unwrap_or(0)
    }

    /// Whether the name has one of these words.
    fn is_named(&self, words: &[&str]) -> bool {
        let name = self.path.step.last().map_or("", String::as_str);
        words_of(name).iter().any(|word| words.contains(&word.as_str()))
    }
}

/// The words of `a_name`, `aName` or `a-name`, in small letters.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let is_new = !c.is_alphanumeric() || (was_small && c.is_uppercase());
        if is_new && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// What the statistics suggest to add to a schema, which may be inferred from them or older.
///
/// Only what the schema leaves open is filled: a suggestion overwrites no range, threshold or domain.
///
/// # Errors
///
/// There are several datasets and none is that of all examples.
///
/// # Examples
///
/// ```
/// use ops::schema::{InferOptions, infer_schema, suggest};
///
/// let statistics = ops::tfmd::load_statistics(
///     b"datasets { num_examples: 5000 features { path { step: 'hour' } type: INT num_stats {
///         common_stats { num_non_missing: 5000 tot_num_values: 5000
///                        min_num_values: 1 max_num_values: 1 }
///         min: 0 max: 23 } } }",
/// )?;
/// let schema = infer_schema(&statistics, &InferOptions::default())?;
/// let suggested = suggest(&schema, &statistics)?;
/// let found = suggested.suggestions.iter().find(|s| s.kind == "categorical").unwrap();
/// assert_eq!(found.support, "5,000 values are among 24 integers, as the name says.");
/// # Ok::<(), engine::Error>(())
/// ```
pub fn suggest(schema: &Schema, statistics: &DatasetFeatureStatisticsList) -> Result<Suggested> {
    let statistics = statistics.all_examples()?;
    let dataset = DatasetView::by_weight_if(statistics, false);
    let noise = drift::noise(statistics);
    let mut suggested = Suggested { schema: schema.clone(), suggestions: Vec::new() };
    for kind in SUGGESTIONS {
        if let Find::Schema(find) = kind.find {
            let mut after = suggested.schema.clone();
            if let Some(support) = find(&dataset, &mut after) {
                let changes = diff(&suggested.schema, &after)?.changes;
                let path = String::new();
                suggested.suggestions.push(Suggestion { kind: kind.name, path, support, changes });
                suggested.schema = after;
            }
        }
    }
    let mut features = std::mem::take(&mut suggested.schema.feature);
    let given = Given { dataset: &dataset, noise: &noise };
    let done = of_features(&mut features, &Path::default(), &given, &mut suggested.suggestions);
    suggested.schema.feature = features;
    done.map(|()| suggested)
}

/// What is known of all features.
struct Given<'g> {
    dataset: &'g DatasetView<'g>,
    noise: &'g BTreeMap<String, FeatureDrift>,
}

fn of_features(
    features: &mut [Feature],
    parent: &Path,
    given: &Given<'_>,
    suggestions: &mut Vec<Suggestion>,
) -> Result<()> {
    for feature in features.iter_mut().filter(|feature| !feature.is_retired()) {
        let path = parent.child(feature.name());
        let view = given.dataset.get(&path);
        if let Some(view) = view.filter(|view| view.feature_type() == feature.r#type()) {
            let noise = given.noise.get(&path.to_string());
            let candidate = Candidate { path: &path, view, noise };
            for kind in SUGGESTIONS {
                let Find::Feature(find) = kind.find else { continue };
                let mut after = feature.clone();
                if let Some(support) = find(&candidate, &mut after) {
                    let changes = diff_of_feature(&path, feature, &after)?;
                    let path = path.to_string();
                    suggestions.push(Suggestion { kind: kind.name, path, support, changes });
                    *feature = after;
                }
            }
        }
        if let Some(DomainInfo::StructDomain(domain)) = &mut feature.domain_info {
            of_features(&mut domain.feature, &path, given, suggestions)?;
        }
    }
    Ok(())
}

/// A whole number, by thousands.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The next number that is round to the second digit of `size`, upwards or downwards.
fn outward(x: f64, size: f64, up: bool) -> f64 {
    if x == 0.0 || !x.is_finite() || size == 0.0 || !size.is_finite() {
        return x;
    }
    let exponent = size.abs().log10().floor() as i32 - 1;
    // Powers of ten with whole exponents are exact up to 1e22, those of fractions never are.
    let (scale, power) = (10_f64.powi(exponent.abs()), exponent >= 0);
    let scaled = if power { x / scale } else { x * scale };
    // What differs in the last bit only is the same number.
    let whole = scaled.round();
    let rounded = if (scaled - whole).abs() < 1e-9 {
        whole
    } else if up {
        scaled.ceil()
    } else {
        scaled.floor()
    };
    if power { rounded * scale } else { rounded / scale }
}

#[cfg(test)]
mod tests;
