//! `Evaluation`: the results of all metrics in all slices, made of sums and tallies.

use std::collections::BTreeMap;

use engine::{Error, ErrorKind, Result, SortedKeys, order};
use serde::{Deserialize, Serialize};

use super::classes::ClassMatrix;
use super::json;
use super::metric::{Kind, MetricSpec, Table, Task, Value};
use super::options::{EvaluateOptions, Intervals};
use super::replicate::{Interval, Replicates};
use super::sums::{AllSums, Sums, Term};
use super::sweep::{Confusion, Curve, Sweep, Totals, thresholds};
use super::tallies::{Tally, read_classes, read_group};
use crate::sketch::ExactSum;
use crate::stats::SliceKey;

/// What was measured, of which data and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this form.
    pub version: u32,
    /// What is predicted.
    pub task: Task,
    /// Column of labels.
    pub label: String,
    /// Column of predictions, or what else made them.
    pub prediction: String,
    /// Column of weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Rows without a label, which are in no slice.
    pub n_unlabelled: u64,
    /// Slices of fewer rows have no metrics.
    pub min_slice_size: u64,
    /// How intervals were computed.
    pub intervals: Intervals,
    /// All rows first, then the slices by name.
    pub slices: Vec<SliceResult>,
}

/// The results of one slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceResult {
    /// Features and values; empty for all rows.
    pub slice: SliceKey,
    /// Rows with a label.
    pub n_examples: u64,
    /// Rows among them without a prediction, or with NaN: metrics are not defined where there are any.
    pub n_undefined: u64,
    /// Why there are no metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Numbers, by the metric's key.
    #[serde(with = "json::measurements")]
    pub metrics: Measurements,
    /// Tables, by the metric's key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Table>,
}

/// Numbers by the metric's key, in the order of the table of metrics.
pub type Measurements = Vec<(String, Measured)>;

/// A number, and where it would be if other rows had been drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The metric over all rows; NaN where it is not defined.
    #[serde(with = "json::number")]
    pub value: f64,
    /// Its interval, where one was asked for and can be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// The metric over each replicate; not written.
    #[serde(skip)]
    pub replicates: Vec<f64>,
}

impl Evaluation {
    /// The results of a slice, if it has rows.
    pub fn slice(&self, key: &SliceKey) -> Option<&SliceResult> {
        self.slices.iter().find(|slice| slice.slice == *key)
    }
}

impl SliceResult {
    /// A number, if it was measured.
    pub fn number(&self, key: &str) -> Option<&Measured> {
        self.metrics.iter().find(|(name, _)| name == key).map(|(_, measured)| measured)
    }
}

/// The results of each model, from sums and, where a metric needs them, tallies.
///
/// # Errors
/// When no row has a label or no row a prediction, or the tallies cannot be read.
pub fn evaluation(
    options: &EvaluateOptions,
    sums: &AllSums,
    tallies: Option<SortedKeys<Tally>>,
) -> Result<Vec<Evaluation>> {
    check(options, sums)?;
    let mut swept = BTreeMap::<(SliceKey, usize), Swept>::new();
    if let Some(mut tallies) = tallies {
        while let Some(group) = tallies.next_group()? {
            let (model, key) = read_group(&group).ok_or_else(damaged)?;
            let Some(of_slice) = sums.slices.get(&key) else { return Err(damaged()) };
            let of_model = of_slice.get(model).ok_or_else(damaged)?;
            let is_small = key_is_small(options, &key, of_model);
            let mut sweeps = Sweeps::new(options, &key, of_model)?;
            while let Some((score, tally)) = tallies.next_key()? {
                if !is_small {
                    sweeps.step(score, &tally)?;
                }
            }
            swept.insert((key, model), sweeps.finish());
        }
    }
    let of_model = |model: usize| {
        let slice = |(key, of_slice): (&SliceKey, &Vec<Vec<Sums>>)| {
            let swept = swept.remove(&(key.clone(), model)).unwrap_or_default();
            of_slice.get(model).map(|sums| slice_result(options, key, sums, &swept))
        };
        Evaluation {
            version: VERSION,
            task: options.task,
            label: options.label.clone(),
            prediction: options.predictions[model].clone(),
            weight: options.weight.clone(),
            n_unlabelled: sums.n_unlabelled,
            min_slice_size: options.min_slice_size,
            intervals: options.intervals,
            slices: sums.slices.iter().filter_map(slice).collect(),
        }
    };
    Ok((0..options.predictions.len()).map(of_model).collect())
}

/// Version of the form of [`Evaluation`].
const VERSION: u32 = 1;

fn damaged() -> Error {
    Error::new(ErrorKind::Incompatible, "the tallies of an evaluation are not those of its sums")
}

fn check(options: &EvaluateOptions, sums: &AllSums) -> Result<()> {
    let overall = sums.slices.get(&SliceKey::new());
    let n_of = |model: usize| overall.and_then(|models| models.get(model)).map(|sums| &sums[0]);
    if n_of(0).is_none_or(|sums| sums.n == 0) {
        let label = &options.label;
        return Err(Error::input(format!("no row has a label `{label}`"))
            .with_detail(format!("{} rows were read.", sums.n_unlabelled))
            .with_hint("Name the column of labels: `--label COLUMN`."));
    }
    for (model, name) in options.predictions.iter().enumerate() {
        if n_of(model).is_some_and(|sums| sums.n_undefined == sums.n) {
            return Err(Error::input(format!("no row has a prediction `{name}`"))
                .with_detail("The column is not there, empty, or all of it is NaN.")
                .with_hint("Name the column of predictions: `--prediction COLUMN`."));
        }
    }
    Ok(())
}

/// Whether a slice has fewer rows than are asked for; all rows never are too few.
fn key_is_small(options: &EvaluateOptions, key: &SliceKey, samples: &[Sums]) -> bool {
    !key.is_empty() && samples[0].n < options.min_slice_size
}

/// Whether a metric is computed in a slice.
fn is_wanted(spec: &MetricSpec, kind: &Kind, key: &SliceKey) -> bool {
    !matches!(kind, Kind::Plot(_)) || key.is_empty() || spec.is_asked_for
}

/// What tallies have given for one slice and model: for each sample, by the metric's place.
#[derive(Default)]
struct Swept {
    values: Vec<BTreeMap<usize, Value>>,
}

fn slice_result(
    options: &EvaluateOptions,
    key: &SliceKey,
    samples: &[Sums],
    swept: &Swept,
) -> SliceResult {
    let all = &samples[0];
    let mut result = SliceResult {
        slice: key.clone(),
        n_examples: all.n,
        n_undefined: all.n_undefined,
        error: None,
        metrics: Vec::new(),
        tables: BTreeMap::new(),
    };
    if key_is_small(options, key, samples) {
        let least = options.min_slice_size;
        result.error = Some(format!("the slice has {} of at least {least} examples", all.n));
        return result;
    }
    let replicates = options.intervals.replicates;
    for (place, spec) in options.metrics.iter().enumerate() {
        let Some(kind) = spec.metric.kind(options.task) else { continue };
        if !is_wanted(spec, kind, key) {
            continue;
        }
        let of_sample = |(i, sums): (usize, &Sums)| match kind {
            Kind::Count(f) => Value::Number(f(sums)),
            _ if sums.n_undefined > 0 => Value::Number(f64::NAN),
            Kind::Sums(f) => Value::Number(f(sums)),
            _ => {
                let value = swept.values.get(i).and_then(|values| values.get(&place));
                value.cloned().unwrap_or(Value::Number(f64::NAN))
            }
        };
        let mut values = samples.iter().enumerate().map(of_sample);
        match values.next() {
            Some(Value::Table(table)) => {
                result.tables.insert(spec.key.clone(), table);
            }
            // A table of a slice with undefined rows is none.
            Some(Value::Number(_)) if is_table(kind, spec) => {}
            Some(Value::Number(value)) => {
                let number = |value| match value {
                    Value::Number(number) => number,
                    Value::Table(_) => f64::NAN,
                };
                // A number of rows is what it is: no other rows could have been drawn.
                let has_interval = !matches!(kind, Kind::Count(_));
                let of_replicates = values.map(number).take_while(|_| has_interval).collect();
                let measured = measured(value, of_replicates, replicates, options, all.n);
                result.metrics.push((spec.key.clone(), measured));
            }
            None => {}
        }
    }
    result
}

fn is_table(kind: &Kind, spec: &MetricSpec) -> bool {
    match kind {
        Kind::Confusions(_) | Kind::Plot(_) => true,
        Kind::Confusion(_) => spec.parameters.thresholds.len() > 1,
        _ => false,
    }
}

fn measured(
    value: f64,
    of_replicates: Vec<f64>,
    replicates: Replicates,
    options: &EvaluateOptions,
    n_examples: u64,
) -> Measured {
    let samples: Vec<f64> = [value].into_iter().chain(of_replicates.iter().copied()).collect();
    // With fewer rows, parts of the jackknife are empty, and say that nothing varies.
    let is_enough = n_examples >= 2 * u64::from(replicates.n);
    let interval = replicates.interval(&samples, options.intervals.confidence);
    Measured { value, interval: interval.filter(|_| is_enough), replicates: of_replicates }
}

/// The sweeps over one slice and model: one for each sample.
struct Sweeps<'a> {
    options: &'a EvaluateOptions,
    /// Places of metrics, as curves are held.
    curves: Vec<usize>,
    samples: Vec<Sample>,
}

enum Sample {
    Scores(Sweep),
    Classes(BTreeMap<(String, String), f64>),
}

/// Thresholds of a metric that is not told: one in the middle, or those of a table.
fn thresholds_of(spec: &MetricSpec, kind: &Kind) -> Vec<f64> {
    const TABLE: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
    match kind {
        Kind::Confusion(_) => thresholds(&spec.parameters, &[0.5]),
        Kind::Confusions(_) => thresholds(&spec.parameters, &TABLE),
        _ => Vec::new(),
    }
}

impl<'a> Sweeps<'a> {
    fn new(options: &'a EvaluateOptions, key: &SliceKey, samples: &[Sums]) -> Result<Self> {
        let mut sweeps = Sweeps { options, curves: Vec::new(), samples: Vec::new() };
        for (i, sums) in samples.iter().enumerate() {
            if options.task == Task::Multiclass {
                sweeps.samples.push(Sample::Classes(BTreeMap::new()));
                continue;
            }
            let totals =
                Totals { positive: sums.get(Term::Positive), negative: sums.get(Term::Negative) };
            let (mut curves, mut all): (Vec<Box<dyn Curve>>, _) = (Vec::new(), Vec::new());
            for (place, spec) in options.metrics.iter().enumerate() {
                let kind = spec.kind(options.task)?;
                all.extend(thresholds_of(spec, kind));
                let curve = match kind {
                    Kind::Curve(new) => new(&spec.parameters, totals),
                    // Pictures have no intervals; replicates hold the place.
                    Kind::Plot(new) if i == 0 && is_wanted(spec, kind, key) => {
                        new(&spec.parameters, totals)
                    }
                    _ => continue,
                };
                curves.push(curve);
                if i == 0 {
                    sweeps.curves.push(place);
                }
            }
            // Pictures come last, so that the curves of replicates are the first ones.
            if i == 0 {
                let is_plot = |place: usize| {
                    matches!(options.metrics[place].metric.kind(options.task), Some(Kind::Plot(_)))
                };
                let mut both: Vec<_> = sweeps.curves.drain(..).zip(curves).collect();
                both.sort_by_key(|(place, _)| is_plot(*place));
                (sweeps.curves, curves) = both.into_iter().unzip();
            }
            sweeps.samples.push(Sample::Scores(Sweep::new(totals, curves, all)));
        }
        Ok(sweeps)
    }

    fn step(&mut self, mut key: &[u8], tally: &Tally) -> Result<()> {
        let merge = |sums: &mut [ExactSum; 2], more: &[ExactSum; 2]| {
            sums.iter_mut().zip(more).for_each(|(sum, more)| sum.merge(more));
        };
        let replicates = self.options.intervals.replicates;
        let weights = replicates.samples(&tally.parts, &Default::default(), merge);
        if self.options.task == Task::Multiclass {
            let (label, predicted) = read_classes(key).ok_or_else(damaged)?;
            for (sample, [weight, _]) in self.samples.iter_mut().zip(&weights) {
                if let Sample::Classes(pairs) = sample {
                    pairs.insert((label.to_owned(), predicted.to_owned()), weight.value());
                }
            }
            return Ok(());
        }
        let score = order::read_descending_f64(&mut key).ok_or_else(damaged)?;
        for (sample, [positive, negative]) in self.samples.iter_mut().zip(&weights) {
            if let Sample::Scores(sweep) = sample {
                sweep.step(score, positive.value(), negative.value());
            }
        }
        Ok(())
    }

    fn finish(self) -> Swept {
        let Sweeps { options, curves, samples } = self;
        let of_sample = |sample| match sample {
            Sample::Classes(pairs) => of_classes(options, &ClassMatrix::new(&pairs)),
            Sample::Scores(sweep) => {
                let (values, confusions) = sweep.finish();
                let mut all: BTreeMap<usize, Value> = curves.iter().copied().zip(values).collect();
                all.extend(of_thresholds(options, &confusions));
                all
            }
        };
        Swept { values: samples.into_iter().map(of_sample).collect() }
    }
}

fn of_classes(options: &EvaluateOptions, matrix: &ClassMatrix) -> BTreeMap<usize, Value> {
    let mut values = BTreeMap::new();
    for (place, spec) in options.metrics.iter().enumerate() {
        if let Some(Kind::Classes(f)) = spec.metric.kind(options.task) {
            values.insert(place, f(matrix, &spec.parameters));
        }
    }
    values
}

fn of_thresholds(options: &EvaluateOptions, all: &[Confusion]) -> BTreeMap<usize, Value> {
    let mut values = BTreeMap::new();
    for (place, spec) in options.metrics.iter().enumerate() {
        let Some(kind) = spec.metric.kind(options.task) else { continue };
        let wanted = thresholds_of(spec, kind).into_iter();
        let find = |threshold: f64| all.iter().find(|c| c.threshold == threshold).copied();
        let confusions: Vec<Confusion> = wanted.filter_map(find).collect();
        let value = match kind {
            Kind::Confusion(f) => match confusions.as_slice() {
                [one] => Value::Number(f(one)),
                several => {
                    let mut table = Table::new(&["threshold", spec.metric.key]);
                    several.iter().for_each(|c| table.push([c.threshold, f(c)]));
                    Value::Table(table)
                }
            },
            Kind::Confusions(f) => Value::Table(f(&confusions)),
            _ => continue,
        };
        values.insert(place, value);
    }
    values
}
