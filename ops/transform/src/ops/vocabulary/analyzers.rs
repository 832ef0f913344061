//! The analyzers behind `tft.vocabulary`: tokens alone, and tokens with labels or keys.
//!
//! ```text
//!   plain:     token                          ──rank──► frequency ↓, token ↓ ──► the first top_k
//!   detailed:  all rows | all rows, label       sorted as they are, so that a token's
//!              token ↓  | token ↓, label | token ↓, key          entries follow each other
//! ```

use std::collections::BTreeMap;
use std::marker::PhantomData;

use engine::{Group, KeyedBlock, Result, order};
use hashbrown::HashMap;

use super::count::{self, Amount, Digits, Texts};
use super::frequency::Frequency;
use super::information::{Information, Labels};
use super::options::{Coverage, Options};
use super::select::{Best, Making};
use crate::analyzer::Columns;
use crate::ops::elementwise::Broadcast;
use crate::ranked::{Keys, Ranked};
use crate::tensor::Tensor;
use crate::types::{DType, Dim};
use crate::vocabulary::FileFormat;

/// Where the weights are among the inputs, their type, and how they meet tokens.
#[derive(Clone)]
pub(super) struct Weights {
    pub place: usize,
    pub dtype: DType,
    pub broadcast: Broadcast,
}

impl Weights {
    /// One weight for each value of the first input.
    pub(super) fn of_values(&self, input: &Columns) -> Vec<f64> {
        let operands = [&input.tensors[0], &input.tensors[self.place]];
        let (b, rows) = (&self.broadcast, input.rows);
        match self.dtype {
            DType::Int64 => b.expand::<i64>(1, rows, &operands).iter().map(|&w| w as f64).collect(),
            DType::Float32 => {
                b.expand::<f32>(1, rows, &operands).iter().map(|&w| f64::from(w)).collect()
            }
            _ => b.expand::<f64>(1, rows, &operands).into_owned(),
        }
    }
}

/// Tokens by how often they were seen, or by their weights.
pub(super) struct Plain<S> {
    pub options: Options,
    pub weights: Option<Weights>,
    pub state: PhantomData<fn() -> S>,
}

impl<S: Amount> Ranked<S> for Plain<S> {
    fn name(&self) -> String {
        "values".to_owned()
    }

    fn add(&self, group: &mut Group<S>, input: &Columns) -> Result<()> {
        let weights = self.weights.as_ref().map(|weights| weights.of_values(input));
        count::add_values(group, &input.tensors[0].values, weights.as_deref());
        Ok(())
    }

    fn rank(&self, sorted: &mut Group<S>, block: &KeyedBlock<S>) {
        let mut digits = Digits::default();
        let (mut key, mut distinct, none) = (Vec::new(), 0, S::default());
        let drop = !self.options.ints && self.options.format == FileFormat::Text;
        for (token, amount) in block.iter() {
            if drop && count::no_line(token) {
                continue;
            }
            distinct += 1;
            let frequency = amount.frequency();
            // A frequency that is no number passes no threshold.
            if self.options.threshold.is_finite() && frequency.value().is_nan()
                || frequency.value() < self.options.threshold
            {
                continue;
            }
            key.clear();
            frequency.push(&mut key);
            if !sorted.may_keep(&key) {
                continue;
            }
            let text = match count::key_int(token) {
                Some(value) if self.options.ints => digits.of(value),
                _ => token,
            };
            order::push_descending_bytes(&mut key, text);
            if sorted.may_keep(&key) {
                sorted.add(&key, &none);
            }
        }
        if distinct > 0 {
            sorted.add(b"", &S::of_number(distinct));
        }
        // The empty key is the least of all.
        self.options.top_k.iter().for_each(|&k| sorted.keep_least(k.saturating_add(1)));
    }

    fn finish(&self, keys: &mut dyn Keys<S>) -> Result<Vec<Tensor>> {
        let mut making = Making::new(&self.options)?;
        let most = self.options.top_k.map_or(u64::MAX, |k| k as u64);
        let (mut distinct, mut token) = (0, Vec::new());
        while making.len() < most
            && let Some((mut key, state)) = keys.next()?
        {
            if key.is_empty() {
                distinct = state.number();
            } else if let Some(frequency) = S::read(&mut key)
                && order::read_descending_bytes(&mut key, &mut token).is_some()
            {
                making.push(frequency, &token)?;
            }
        }
        making.finish(distinct)
    }
}

/// What an entry of a token says.
const ALL_ROWS: u8 = 0;
const TOKEN: u8 = 1;
const TOTAL: u8 = 0;
const LABEL: u8 = 1;
const KEY: u8 = 2;

/// Tokens by their information about labels, or with keys that each keep some.
pub(super) struct Detailed<S> {
    pub options: Options,
    pub weights: Option<Weights>,
    /// Dimensions of the tokens' rows.
    pub shape: Vec<Dim>,
    /// Where the labels are among the inputs, their dimensions, and what is made of them.
    pub labels: Option<(usize, Vec<Dim>, Information)>,
    /// Where the keys are among the inputs.
    pub keys: Option<usize>,
    pub state: PhantomData<fn() -> S>,
}

impl<S: Amount> Detailed<S> {
    fn drops(&self) -> bool {
        !self.options.ints && self.options.format == FileFormat::Text
    }
}

impl<S: Amount> Ranked<S> for Detailed<S> {
    fn name(&self) -> String {
        // The places say what is there, but not as what.
        let (labels, keys) = (self.labels.as_ref().map(|labels| labels.0), self.keys);
        format!("tokens, labels {labels:?}, keys {keys:?}, lines {}", self.drops())
    }

    fn add(&self, group: &mut Group<S>, input: &Columns) -> Result<()> {
        let x = &input.tensors[0];
        let ends = x.row_ends(&self.shape);
        let labels = self.labels.as_ref().map(|(place, shape, _)| {
            let tensor = &input.tensors[*place];
            (tensor.ints(), tensor.row_ends(shape))
        });
        let weights = self.weights.as_ref().map(|weights| weights.of_values(input));
        let row_weights = match (&self.weights, &labels) {
            (Some(weights), Some(_)) => Some(count::doubles(&input.tensors[weights.place])),
            _ => None,
        };
        let mut texts = Texts::of(x);
        let mut keys = self.keys.map(|place| Texts::of(&input.tensors[place]));
        let mut bump = |key: &[u8], weight: f64| group.update(key, |amount| amount.add(weight));
        let mut key: Vec<u8> = Vec::new();
        for row in 0..input.rows {
            let of_row = match &labels {
                Some((values, ends)) => &values[ends.range(row)],
                None => &[],
            };
            // Rows without a label say so with a negative one.
            let of_row = || of_row.iter().copied().filter(|label| *label >= 0);
            if labels.is_some() {
                let weight = row_weights.as_ref().map_or(1.0, |weights| weights[row]);
                bump(&[ALL_ROWS, TOTAL], weight);
                for label in of_row() {
                    key.clear();
                    key.extend_from_slice(&[ALL_ROWS, LABEL]);
                    key.extend_from_slice(&label.to_be_bytes());
                    bump(&key, weight);
                }
            }
            for i in ends.range(row) {
                let token = texts.get(i);
                if self.drops() && count::no_line(token) {
                    continue;
                }
                let weight = weights.as_ref().map_or(1.0, |weights| weights[i]);
                key.clear();
                key.push(TOKEN);
                order::push_descending_bytes(&mut key, token);
                let token_end = key.len();
                key.push(TOTAL);
                bump(&key, weight);
                for label in of_row() {
                    key.truncate(token_end);
                    key.push(LABEL);
                    key.extend_from_slice(&label.to_be_bytes());
                    bump(&key, weight);
                }
                if let Some(keys) = &mut keys {
                    key.truncate(token_end);
                    key.push(KEY);
                    key.extend_from_slice(keys.get(i));
                    bump(&key, weight);
                }
            }
        }
        Ok(())
    }

    fn rank(&self, sorted: &mut Group<S>, block: &KeyedBlock<S>) {
        block.iter().for_each(|(key, state)| sorted.add(key, state));
    }

    fn finish(&self, keys: &mut dyn Keys<S>) -> Result<Vec<Tensor>> {
        let mut choice = Choice {
            options: &self.options,
            information: self.labels.as_ref().map(|(_, _, information)| *information),
            all: Labels::default(),
            best: Best::new(self.options.top_k),
            covered: BTreeMap::new(),
            distinct: 0,
        };
        let (mut token, mut token_now) = (None::<Token>, Vec::new());
        while let Some((mut key, state)) = keys.next()? {
            let frequency = state.frequency();
            let Some((&kind, rest)) = key.split_first() else { continue };
            key = rest;
            if kind == TOKEN {
                let read = order::read_descending_bytes(&mut key, &mut token_now);
                if read.is_none() {
                    continue;
                }
                if token.as_ref().is_none_or(|token| token.text != token_now) {
                    if let Some(done) = token.take() {
                        choice.add(&done)?;
                    }
                    token = Some(Token::new(&token_now));
                }
            }
            let Some((&tag, rest)) = key.split_first() else { continue };
            let label = || rest.try_into().map_or(-1, i64::from_be_bytes);
            match (&mut token, tag) {
                (None, TOTAL) => choice.all.n = frequency.value(),
                (None, _) => {
                    choice.all.of.insert(label(), frequency.value());
                }
                (Some(token), TOTAL) => token.total = frequency,
                (Some(token), LABEL) => {
                    token.labels.insert(label(), frequency.value());
                }
                (Some(token), _) => token.keys.push((rest.to_vec(), frequency)),
            }
        }
        if let Some(done) = token.take() {
            choice.add(&done)?;
        }
        choice.finish()
    }
}

/// All that was counted of a token.
struct Token {
    text: Vec<u8>,
    total: Frequency,
    labels: BTreeMap<i64, f64>,
    keys: Vec<(Vec<u8>, Frequency)>,
}

impl Token {
    fn new(text: &[u8]) -> Self {
        let total = Frequency::Zero;
        Token { text: text.to_vec(), total, labels: BTreeMap::new(), keys: Vec::new() }
    }
}

/// The tokens that are kept so far.
struct Choice<'a> {
    options: &'a Options,
    information: Option<Information>,
    all: Labels,
    best: Best,
    /// For each key the tokens it keeps, by their frequencies under it, with those over all.
    covered: BTreeMap<Vec<u8>, Best>,
    distinct: u64,
}

impl Choice<'_> {
    fn add(&mut self, token: &Token) -> Result<()> {
        self.distinct += 1;
        let frequency = match self.information {
            None => token.total,
            Some(how) => how.of(&token.text, token.total.value(), &token.labels, &self.all)?,
        };
        if passes(frequency, self.options.threshold) {
            self.best.push(frequency, &token.text);
        }
        if let Some(Coverage { top_k, threshold }) = self.options.coverage {
            for (key, under_key) in &token.keys {
                let under_key = if self.information.is_some() { frequency } else { *under_key };
                if passes(under_key, threshold) {
                    let best = self.covered.entry(key.clone()).or_insert_with(|| Best::new(top_k));
                    best.push(under_key, &token.text);
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Tensor>> {
        let mut making = Making::new(self.options)?;
        if self.options.coverage.is_none() {
            for (frequency, token) in self.best.into_sorted() {
                making.push(frequency, &token)?;
            }
            return making.finish(self.distinct);
        }
        // One list of both arms; where a token has several keys, its greatest frequency counts.
        let mut all: HashMap<Vec<u8>, Frequency, foldhash::fast::FixedState> = HashMap::default();
        for (frequency, token) in self.best.into_tokens() {
            all.insert(token, frequency);
        }
        for best in self.covered.into_values() {
            for (frequency, token) in best.into_tokens() {
                let known = all.entry(token).or_insert(frequency);
                *known = (*known).max(frequency);
            }
        }
        let mut all: Vec<(Frequency, Vec<u8>)> = all.into_iter().map(|(t, f)| (f, t)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.iter().try_for_each(|(frequency, token)| making.push(*frequency, token))?;
        making.finish(self.distinct)
    }
}

/// Whether a frequency reaches a threshold; one that is no number reaches none.
fn passes(frequency: Frequency, threshold: f64) -> bool {
    threshold == f64::NEG_INFINITY || frequency.value() >= threshold
}
