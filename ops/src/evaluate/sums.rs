//! `SumsFn`: the exact sums of every slice, from which all metrics that are means are computed.

use std::collections::BTreeMap;

use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::predictions::{Answers, Predictions};
use super::replicate::Replicates;
use crate::sketch::ExactSum;
use crate::stats::SliceKey;

/// What is summed over rows, each term times the row's weight `w`; `y` is the label, `p` the
/// prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// `w`
    Weight,
    /// `w y`
    Label,
    /// `w p`
    Prediction,
    /// `w y`, rounded in each row, as scores are tallied.
    Positive,
    /// `w (1 - y)`, rounded in each row, as scores are tallied.
    Negative,
    /// `w y y`
    LabelSquared,
    /// `w p p`
    PredictionSquared,
    /// `w y p`
    Product,
    /// `w (p - y) (p - y)`
    SquaredError,
    /// `w |p - y|`
    AbsoluteError,
    /// `w |p - y| / |y|`
    RelativeError,
    /// `-w ln(probability of what the label says)`
    CrossEntropy,
}

/// Number of terms.
const N_TERMS: usize = 12;

/// The sums over the rows of one part of one slice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sums {
    /// Rows with a label.
    pub n: u64,
    /// Rows among them without a prediction, or with a NaN.
    pub n_undefined: u64,
    /// True where predictions are probabilities of classes.
    pub has_probabilities: bool,
    terms: [ExactSum; N_TERMS],
}

impl Sums {
    /// The sum of a term, rounded once.
    pub fn get(&self, term: Term) -> f64 {
        self.terms[term as usize].value()
    }

    /// The mean of a term over rows by weight; NaN without weight.
    pub fn mean(&self, term: Term) -> f64 {
        self.get(term) / self.get(Term::Weight)
    }

    /// The sum of a term as two floats: it and what rounding took.
    pub fn get_exactly(&self, term: Term) -> (f64, f64) {
        let sum = &self.terms[term as usize];
        let high = sum.value();
        if !high.is_finite() {
            return (high, 0.0);
        }
        let mut rest = sum.clone();
        rest.add(-high);
        (high, rest.value())
    }

    fn merge(&mut self, other: &Sums) {
        self.n += other.n;
        self.n_undefined += other.n_undefined;
        self.has_probabilities |= other.has_probabilities;
        for (sum, more) in self.terms.iter_mut().zip(&other.terms) {
            sum.merge(more);
        }
    }
}

/// Sums of every model over every slice.
pub struct SumsFn {
    replicates: Replicates,
}

impl SumsFn {
    /// For these replicates.
    pub fn new(replicates: Replicates) -> Self {
        SumsFn { replicates }
    }
}

/// The accumulator of [`SumsFn`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SumsAcc {
    /// Rows without a label, which are in no slice.
    pub(super) n_unlabelled: u64,
    /// For every slice and model, the sums of the parts that have rows.
    pub(super) slices: BTreeMap<SliceKey, Vec<BTreeMap<u8, Sums>>>,
}

/// The sums of a slice: for each model those of all rows, then those of each replicate.
pub type SumsOfSlice = Vec<Vec<Sums>>;

/// The output of [`SumsFn`].
#[derive(Clone, Debug, Default)]
pub struct AllSums {
    /// Rows without a label, which are in no slice.
    pub n_unlabelled: u64,
    /// Every slice that has rows.
    pub slices: BTreeMap<SliceKey, SumsOfSlice>,
}

impl CombineFn for SumsFn {
    type Input = Predictions;
    type Accumulator = SumsAcc;
    type Output = AllSums;

    fn name(&self) -> &'static str {
        "evaluation sums"
    }

    fn create_accumulator(&self) -> SumsAcc {
        SumsAcc::default()
    }

    fn add_input(&self, acc: &mut SumsAcc, input: &Predictions) -> Result<()> {
        acc.n_unlabelled += input.n_unlabelled;
        let weights = input.weights.as_deref();
        for model in 0..input.answers.n_models() {
            let terms = Terms::of(&input.answers, model, weights);
            for (key, rows) in &input.slices {
                if !acc.slices.contains_key(key) {
                    acc.slices.insert(key.clone(), Vec::new());
                }
                let models = acc.slices.get_mut(key).expect("it was just put there");
                if models.len() <= model {
                    models.resize_with(model + 1, BTreeMap::new);
                }
                let parts = &mut models[model];
                for &row in rows {
                    self.replicates.parts(input.place_hash(row), |part, times| {
                        terms.add(parts.entry(part).or_default(), row as usize, times);
                    });
                }
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut SumsAcc, other: SumsAcc) -> Result<()> {
        acc.n_unlabelled += other.n_unlabelled;
        for (key, models) in other.slices {
            let Some(into) = acc.slices.get_mut(&key) else {
                acc.slices.insert(key, models);
                continue;
            };
            into.resize_with(into.len().max(models.len()), BTreeMap::new);
            for (into, parts) in into.iter_mut().zip(models) {
                for (part, sums) in parts {
                    into.entry(part).or_default().merge(&sums);
                }
            }
        }
        Ok(())
    }

    fn extract_output(&self, acc: SumsAcc) -> Result<AllSums> {
        let samples = |parts: BTreeMap<u8, Sums>| {
            let parts: Vec<_> = parts.into_iter().collect();
            self.replicates.samples(&parts, &Sums::default(), Sums::merge)
        };
        let of_slice = |models: Vec<_>| models.into_iter().map(samples).collect();
        let slices = acc.slices.into_iter().map(|(key, models)| (key, of_slice(models))).collect();
        Ok(AllSums { n_unlabelled: acc.n_unlabelled, slices })
    }
}

/// The terms of all rows of a batch, computed once for all slices.
struct Terms {
    is_defined: Vec<bool>,
    has_probabilities: bool,
    weights: Vec<f64>,
    columns: Vec<(Term, Vec<f64>)>,
}

impl Terms {
    fn of(answers: &Answers, model: usize, weights: Option<&[f64]>) -> Self {
        let n = answers.len();
        let weights = weights.map_or_else(|| vec![1.0; n], <[f64]>::to_vec);
        let mut terms = Terms {
            is_defined: (0..n).map(|row| answers.is_defined(model, row)).collect(),
            has_probabilities: false,
            weights,
            columns: Vec::new(),
        };
        match answers {
            Answers::Scores { labels, predictions } => {
                let p = &predictions[model];
                terms.of_numbers(labels, p);
                terms.column(Term::Positive, |i, w| w * labels[i]);
                terms.column(Term::Negative, |i, w| w * (1.0 - labels[i]));
                terms.column(Term::CrossEntropy, |i, w| w * cross_entropy(labels[i], p[i]));
            }
            Answers::Numbers { labels, predictions } => {
                terms.of_numbers(labels, &predictions[model]);
                terms.products(Term::LabelSquared, labels, labels);
                terms.products(Term::PredictionSquared, &predictions[model], &predictions[model]);
                terms.products(Term::Product, labels, &predictions[model]);
            }
            Answers::Classes { models, .. } => {
                if let Some(losses) = &models[model].cross_entropy {
                    terms.has_probabilities = true;
                    terms.column(Term::CrossEntropy, |i, w| w * losses[i]);
                }
            }
        }
        terms
    }

    fn of_numbers(&mut self, labels: &[f64], predictions: &[f64]) {
        let ones = vec![1.0; labels.len()];
        self.products(Term::Label, labels, &ones);
        self.products(Term::Prediction, predictions, &ones);
        let error = |i: usize| predictions[i] - labels[i];
        self.column(Term::SquaredError, |i, w| w * (error(i) * error(i)));
        self.column(Term::AbsoluteError, |i, w| w * error(i).abs());
        self.column(Term::RelativeError, |i, w| {
            w * (error(i).abs() / labels[i].abs().max(EPSILON))
        });
    }

    fn column(&mut self, term: Term, f: impl Fn(usize, f64) -> f64) {
        let column = self.weights.iter().enumerate().map(|(i, &weight)| f(i, weight)).collect();
        self.columns.push((term, column));
    }

    /// `w a b`, as three terms whose sum it is but for the last digits of the least of them: what is
    /// subtracted later, as in a variance, must not have been rounded here.
    fn products(&mut self, term: Term, a: &[f64], b: &[f64]) {
        let two = |x: f64, y: f64| {
            let product = x * y;
            let rest = x.mul_add(y, -product);
            (product, if rest.is_finite() { rest } else { 0.0 })
        };
        let (mut high, mut middle, mut low) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &weight) in self.weights.iter().enumerate() {
            let (product, rest) = two(a[i], b[i]);
            let (first, second) = two(weight, product);
            high.push(first);
            middle.push(second);
            low.push(weight * rest);
        }
        for column in [high, middle, low] {
            if column.iter().any(|&x| x != 0.0) {
                self.columns.push((term, column));
            }
        }
    }

    fn add(&self, sums: &mut Sums, row: usize, times: u64) {
        sums.n += times;
        sums.has_probabilities |= self.has_probabilities;
        sums.terms[Term::Weight as usize].add_times(self.weights[row], times);
        if !self.is_defined[row] {
            sums.n_undefined += times;
            return;
        }
        for (term, column) in &self.columns {
            sums.terms[*term as usize].add_times(column[row], times);
        }
    }
}

/// Probabilities and labels are kept so far from 0, as Keras does.
pub(super) const EPSILON: f64 = 1e-7;

fn cross_entropy(label: f64, prediction: f64) -> f64 {
    let p = prediction.clamp(EPSILON, 1.0 - EPSILON);
    let term = |share: f64, p: f64| if share == 0.0 { 0.0 } else { -share * p.ln() };
    term(label, p) + term(1.0 - label, 1.0 - p)
}
