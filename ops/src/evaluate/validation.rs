//! `Validation`: whether an evaluation reaches its thresholds, and so is blessed.
//!
//! A number that is not defined reaches nothing. Where significance is required, the whole interval
//! has to be within the threshold, not only the number that was drawn.

use serde::{Deserialize, Serialize};

use super::evaluation::{Evaluation, Measured, SliceResult};
use super::json;
use super::replicate::Interval;
use super::slices::{slice_name, slice_of_specs};
use super::threshold::{Change, Direction, ThresholdSpec, ValueBounds};
use crate::stats::{SliceKey, SliceSpec};

/// Whether an evaluation reaches its thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Whether all thresholds are reached; `None` where there are none, and nothing is blessed.
    pub blessed: Option<bool>,
    /// True where thresholds on changes were passed over, because there is no baseline.
    pub rubber_stamp: bool,
    /// Whether the whole interval has to be within a threshold.
    pub require_significance: bool,
    /// Every comparison with a threshold.
    pub checks: Vec<Check>,
    /// Slices that a threshold names and no row is in.
    pub missing_slices: Vec<String>,
    /// Metrics that a threshold names and nobody has measured.
    pub missing_metrics: Vec<String>,
    /// The fingerprint of the model, where it is known which was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// One comparison of a metric in a slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The slice.
    pub slice: SliceKey,
    /// The metric's key.
    pub metric: String,
    /// What it has to be: `value in [0.8, 1]`, `change >= 0`.
    pub threshold: String,
    /// What was compared: the value, or the change.
    #[serde(with = "json::number")]
    pub found: f64,
    /// Its interval, if there is one.
    pub interval: Option<Interval>,
    /// How that ended.
    pub outcome: Outcome,
    /// A sentence for people.
    pub message: String,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The threshold is reached.
    Passed,
    /// It is not.
    Failed,
    /// It is, but other rows might have said otherwise.
    NotSignificant,
    /// There is no number to compare.
    Undefined,
}

impl Validation {
    /// The comparisons that did not pass.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome != Outcome::Passed)
    }
}

/// Compares an evaluation with its thresholds, and with a baseline where there is one.
pub fn validate(
    evaluation: &Evaluation,
    baseline: Option<&Evaluation>,
    thresholds: &[ThresholdSpec],
    require_significance: bool,
) -> Validation {
    let mut validation = Validation {
        blessed: None,
        rubber_stamp: false,
        require_significance,
        checks: Vec::new(),
        missing_slices: Vec::new(),
        missing_metrics: Vec::new(),
        model: None,
    };
    let overall = [SliceSpec { features: Vec::new() }];
    for spec in thresholds {
        let slices = if spec.slices.is_empty() { &overall[..] } else { &spec.slices };
        for slice_spec in slices {
            let is_meant = |slice: &&SliceResult| slice_of_specs(&slice.slice, slice_spec);
            let mut meant = evaluation.slices.iter().filter(is_meant).peekable();
            if meant.peek().is_none() {
                once(&mut validation.missing_slices, spec_name(slice_spec));
            }
            for slice in meant {
                check_slice(&mut validation, evaluation, baseline, spec, slice);
            }
        }
    }
    if !thresholds.is_empty() {
        let is_complete =
            validation.missing_slices.is_empty() && validation.missing_metrics.is_empty();
        validation.blessed = Some(is_complete && validation.failures().next().is_none());
    }
    validation
}

fn once(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn spec_name(spec: &SliceSpec) -> String {
    let part = |(feature, values): &(String, Vec<String>)| match values.as_slice() {
        [] => feature.clone(),
        values => format!("{feature}={}", values.join(",")),
    };
    spec.features.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn check_slice(
    validation: &mut Validation,
    evaluation: &Evaluation,
    baseline: Option<&Evaluation>,
    spec: &ThresholdSpec,
    slice: &SliceResult,
) {
    let judge = Judge {
        slice,
        metric: &spec.metric,
        require_significance: validation.require_significance,
    };
    if let Some(error) = &slice.error {
        let message = format!("{}: {error}", slice_name(&slice.slice));
        validation.checks.push(judge.undefined("a value".to_owned(), message));
        return;
    }
    let Some(measured) = slice.number(&spec.metric) else {
        once(&mut validation.missing_metrics, spec.metric.clone());
        return;
    };
    if let Some(bounds) = spec.threshold.value {
        validation.checks.push(judge.value(measured, bounds));
    }
    let Some(change) = spec.threshold.change else { return };
    let Some(baseline) = baseline else {
        validation.rubber_stamp = true;
        return;
    };
    let of_baseline = baseline.slice(&slice.slice).and_then(|slice| slice.number(&spec.metric));
    for relative in [false, true] {
        let limit = if relative { change.relative } else { change.absolute };
        let Some(limit) = limit else { continue };
        let wanted = limit_text(&change, relative, limit);
        let Some(of_baseline) = of_baseline else {
            let message = format!(
                "`{}` of {} has no value in the baseline",
                spec.metric,
                slice_name(&slice.slice)
            );
            validation.checks.push(judge.undefined(wanted, message));
            continue;
        };
        let compared = Compared::of(evaluation, measured, of_baseline, relative);
        validation.checks.push(judge.change(&compared, &change, limit, wanted));
    }
}

fn limit_text(change: &Change, relative: bool, limit: f64) -> String {
    let what = if relative { "relative change" } else { "change" };
    match change.direction {
        Direction::HigherIsBetter => format!("{what} >= {limit}"),
        Direction::LowerIsBetter => format!("{what} <= {limit}"),
    }
}

/// A change with its interval.
struct Compared {
    change: f64,
    interval: Option<Interval>,
}

impl Compared {
    fn of(
        evaluation: &Evaluation,
        candidate: &Measured,
        baseline: &Measured,
        relative: bool,
    ) -> Self {
        let between = |candidate: f64, baseline: f64| {
            let difference = candidate - baseline;
            if relative { difference / baseline } else { difference }
        };
        let change = between(candidate.value, baseline.value);
        let intervals = evaluation.intervals;
        let n = candidate.replicates.len();
        // Of the same rows: what is hard for one model is hard for the other, and cancels out.
        if n > 0 && baseline.replicates.len() == n {
            let both = candidate.replicates.iter().zip(&baseline.replicates);
            let mut samples = vec![change];
            samples.extend(both.map(|(candidate, baseline)| between(*candidate, *baseline)));
            let interval = intervals.replicates.interval(&samples, intervals.confidence);
            // Where a number has none there are too few rows.
            return Compared {
                change,
                interval: interval.filter(|_| candidate.interval.is_some()),
            };
        }
        let interval = candidate.interval.zip(baseline.interval).and_then(|(a, b)| {
            let (mut of_candidate, mut of_baseline) = (a.standard_error, b.standard_error);
            if relative {
                of_candidate /= baseline.value.abs();
                of_baseline *= (candidate.value / (baseline.value * baseline.value)).abs();
            }
            let standard_error = of_candidate.hypot(of_baseline);
            intervals.replicates.around(change, standard_error, intervals.confidence)
        });
        Compared { change, interval }
    }
}

/// What all comparisons of a metric in a slice have in common.
struct Judge<'a> {
    slice: &'a SliceResult,
    metric: &'a str,
    require_significance: bool,
}

impl Judge<'_> {
    fn undefined(&self, threshold: String, message: String) -> Check {
        Check {
            slice: self.slice.slice.clone(),
            metric: self.metric.to_owned(),
            threshold,
            found: f64::NAN,
            interval: None,
            outcome: Outcome::Undefined,
            message,
        }
    }

    fn value(&self, measured: &Measured, bounds: ValueBounds) -> Check {
        let wanted = match (bounds.lower.is_finite(), bounds.upper.is_finite()) {
            (true, false) => format!("value >= {}", bounds.lower),
            (false, true) => format!("value <= {}", bounds.upper),
            _ => format!("value in [{}, {}]", bounds.lower, bounds.upper),
        };
        let within = |x: f64| bounds.lower <= x && x <= bounds.upper;
        self.check(measured.value, measured.interval, wanted, within)
    }

    fn change(&self, compared: &Compared, change: &Change, limit: f64, wanted: String) -> Check {
        let within = |x: f64| match change.direction {
            Direction::HigherIsBetter => x >= limit,
            Direction::LowerIsBetter => x <= limit,
        };
        self.check(compared.change, compared.interval, wanted, within)
    }

    fn check(
        &self,
        found: f64,
        interval: Option<Interval>,
        threshold: String,
        within: impl Fn(f64) -> bool,
    ) -> Check {
        let outcome = if found.is_nan() {
            Outcome::Undefined
        } else if !within(found) {
            Outcome::Failed
        } else if self.require_significance
            && !interval.is_some_and(|interval| within(interval.lower) && within(interval.upper))
        {
            Outcome::NotSignificant
        } else {
            Outcome::Passed
        };
        let of = format!("`{}` of {}", self.metric, slice_name(&self.slice.slice));
        let message = match (outcome, interval) {
            (Outcome::Passed, _) => format!("{of}: {found}, {threshold}"),
            (Outcome::Undefined, _) => {
                format!("{of} is not defined, but should have {threshold}")
            }
            (Outcome::Failed, _) => format!("{of}: {found}, but should have {threshold}"),
            (Outcome::NotSignificant, Some(Interval { lower, upper, .. })) => format!(
                "{of}: {found} would do, but it may be {lower} to {upper}, and should have {threshold}"
            ),
            (Outcome::NotSignificant, None) => {
                format!(
                    "{of}: {found} would do, but there is no interval, and should have {threshold}"
                )
            }
        };
        let slice = self.slice.slice.clone();
        let metric = self.metric.to_owned();
        Check { slice, metric, threshold, found, interval, outcome, message }
    }
}
