//! `Predictions`: a batch of labels with what models said, ready for every metric; `ReadPredictions`
//! takes them from columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use engine::{Batch, DoFn, Emit, Error, Result, Rows, Shard};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::metric::Task;
use super::options::EvaluateOptions;
use super::sums::EPSILON;
use crate::stats::{SliceKey, shard_seed, slices_named};

/// A batch of labels and predictions, with the rows of every slice.
#[derive(Debug)]
pub struct Predictions {
    /// Labels, and what each model said; rows without a label are in no slice.
    pub answers: Answers,
    /// Weight of every row: finite, not negative; 1 where there are none.
    pub weights: Option<Vec<f64>>,
    /// The rows of every slice, ascending; the empty key is all rows, and always there.
    pub slices: Vec<(SliceKey, Vec<u32>)>,
    /// Rows without a label.
    pub n_unlabelled: u64,
    /// Place of the batch's first row in its shard.
    pub first_row: u64,
    /// What tells the batch's shard from others: a hash of its file's name and part.
    pub shard_seed: u64,
}

/// Labels, and what each model said of them.
#[derive(Debug)]
pub enum Answers {
    /// Labels from 0 to 1, and scores for 1; NaN where there is none.
    Scores {
        /// One for each row.
        labels: Vec<f64>,
        /// For each model one for each row.
        predictions: Vec<Vec<f64>>,
    },
    /// Numbers; NaN where there is none.
    Numbers {
        /// One for each row.
        labels: Vec<f64>,
        /// For each model one for each row.
        predictions: Vec<Vec<f64>>,
    },
    /// Classes, by their places in `names`.
    Classes {
        /// Names of the classes in this batch.
        names: Vec<String>,
        /// One for each row.
        labels: Vec<u32>,
        /// What each model said.
        models: Vec<ClassAnswers>,
    },
}

/// What a model said of the rows of a batch.
#[derive(Debug)]
pub struct ClassAnswers {
    /// The likeliest class of each row; [`NO_CLASS`] where there is none.
    pub predicted: Vec<u32>,
    /// Minus the logarithm of the probability of each row's label.
    pub cross_entropy: Option<Vec<f64>>,
}

/// Where a model said nothing, or NaN.
pub const NO_CLASS: u32 = u32::MAX;

impl Answers {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Answers::Scores { labels, .. } | Answers::Numbers { labels, .. } => labels.len(),
            Answers::Classes { labels, .. } => labels.len(),
        }
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of models: one, or two where the second is the baseline.
    pub fn n_models(&self) -> usize {
        match self {
            Answers::Scores { predictions, .. } | Answers::Numbers { predictions, .. } => {
                predictions.len()
            }
            Answers::Classes { models, .. } => models.len(),
        }
    }

    /// True where a model said something of a row whose label is no NaN.
    pub fn is_defined(&self, model: usize, row: usize) -> bool {
        match self {
            Answers::Scores { labels, predictions } | Answers::Numbers { labels, predictions } => {
                !labels[row].is_nan() && !predictions[model][row].is_nan()
            }
            Answers::Classes { models, .. } => models[model].predicted[row] != NO_CLASS,
        }
    }
}

impl Predictions {
    /// A hash of the place of a row: its shard and its number there, however rows are batched.
    pub fn place_hash(&self, row: u32) -> u64 {
        /// Another seed than where rows are sampled: the choices are independent.
        const SEED: u64 = 0x5eed_0f0e_7a10_a7e5;
        let place = self.first_row + u64::from(row);
        xxh3_64_with_seed(&place.to_le_bytes(), self.shard_seed ^ SEED)
    }
}

impl Rows for Predictions {
    fn rows(&self) -> u64 {
        self.answers.len() as u64
    }
}

/// Takes labels, predictions and weights from columns.
pub struct ReadPredictions {
    options: Arc<EvaluateOptions>,
    seeds: Vec<u64>,
}

impl ReadPredictions {
    /// For these options and shards: how rows are resampled depends on the names of their files.
    pub fn new(options: Arc<EvaluateOptions>, shards: &[Shard]) -> Self {
        ReadPredictions { options, seeds: shards.iter().map(shard_seed).collect() }
    }
}

impl DoFn for ReadPredictions {
    type Input = Batch;
    type Output = Predictions;

    fn name(&self) -> &'static str {
        "read predictions"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Predictions>) -> Result<()> {
        let options = &*self.options;
        let (answers, labelled) = match options.task {
            Task::Binary => self.scores(batch)?,
            Task::Regression => self.numbers(batch)?,
            Task::Multiclass => self.classes(batch)?,
        };
        let weights = match &options.weight {
            None => None,
            Some(name) => Some(weights(batch, name)?),
        };
        let keep = |rows: Vec<u32>| match &labelled {
            None => rows,
            Some(labelled) => {
                rows.into_iter().filter(|&row| labelled.is_valid(row as usize)).collect()
            }
        };
        let all = keep((0..answers.len() as u32).collect());
        let n_unlabelled = (answers.len() - all.len()) as u64;
        let mut slices = vec![(SliceKey::new(), all)];
        for (key, rows) in slices_named(&options.slices, &batch.records, |key| key)? {
            let rows = keep(rows);
            if !rows.is_empty() {
                slices.push((key, rows));
            }
        }
        let shard_seed = self.seeds.get(batch.shard).copied().unwrap_or(batch.shard as u64);
        let first_row = batch.first_row;
        out.emit(Predictions { answers, weights, slices, n_unlabelled, first_row, shard_seed });
        Ok(())
    }
}

/// Answers, and which rows have a label if not all.
type Labelled = (Answers, Option<NullBuffer>);

impl ReadPredictions {
    fn scores(&self, batch: &Batch) -> Result<Labelled> {
        let (labels, labelled) = match &self.options.positive_label {
            None => self.number_labels(&batch.records)?,
            Some(positive) => {
                let labels = texts(&batch.records, &self.options.label, "label")?;
                let is =
                    |label: Option<&str>| f64::from(u8::from(label == Some(positive.as_str())));
                (labels.iter().map(is).collect(), labels.nulls().cloned())
            }
        };
        let is_label = |label: f64| (0.0..=1.0).contains(&label) || label.is_nan();
        if let Some(row) = labels.iter().position(|&label| !is_label(label)) {
            return Err(Error::input(format!(
                "label {} in row {} is not from 0 to 1",
                labels[row],
                batch.first_row + row as u64 + 1
            ))
            .with_detail(format!("`{}` is the label of a binary task.", self.options.label))
            .with_hint("Choose another task: `--task multiclass` or `--task regression`."));
        }
        Ok((Answers::Scores { labels, predictions: self.predicted(&batch.records)? }, labelled))
    }

    fn numbers(&self, batch: &Batch) -> Result<Labelled> {
        let (labels, labelled) = self.number_labels(&batch.records)?;
        Ok((Answers::Numbers { labels, predictions: self.predicted(&batch.records)? }, labelled))
    }

    fn number_labels(&self, records: &RecordBatch) -> Result<(Vec<f64>, Option<NullBuffer>)> {
        let labels = numbers(records, &self.options.label, "label")?;
        let values = labels.iter().map(|label| label.unwrap_or(f64::NAN)).collect();
        Ok((values, labels.nulls().cloned()))
    }

    fn predicted(&self, records: &RecordBatch) -> Result<Vec<Vec<f64>>> {
        let of_model = |name: &String| {
            let numbers = numbers(records, name, "prediction")?;
            Ok(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
        };
        self.options.predictions.iter().map(of_model).collect()
    }

    fn classes(&self, batch: &Batch) -> Result<Labelled> {
        let records = &batch.records;
        let mut names = Names::default();
        let labels = texts(records, &self.options.label, "label")?;
        let codes: Vec<u32> =
            labels.iter().map(|label| label.map_or(NO_CLASS, |label| names.code(label))).collect();
        let mut models = Vec::new();
        for name in &self.options.predictions {
            let array = records.column_by_name(name);
            let probabilities = array.filter(|array| is_vector(array));
            models.push(match probabilities {
                Some(array) => self.of_probabilities(batch, name, array, &codes, &mut names)?,
                None => {
                    let predicted = texts(records, name, "prediction")?;
                    let code = |class: Option<&str>| class.map_or(NO_CLASS, |c| names.code(c));
                    ClassAnswers {
                        predicted: predicted.iter().map(code).collect(),
                        cross_entropy: None,
                    }
                }
            });
        }
        let answers = Answers::Classes { names: names.names, labels: codes, models };
        Ok((answers, labels.nulls().cloned()))
    }

    /// Rows of probabilities: class i is called by its place, or as the options say.
    fn of_probabilities(
        &self,
        batch: &Batch,
        column: &str,
        array: &ArrayRef,
        labels: &[u32],
        names: &mut Names,
    ) -> Result<ClassAnswers> {
        let list = as_list(array, column)?;
        let list = list.as_list::<i32>();
        let values = as_floats(list.values(), column, "prediction")?;
        let mut places = HashMap::<u32, usize, _>::with_hasher(FixedState::default());
        let mut codes = Vec::new();
        let most = list.offsets().lengths().max().unwrap_or(0);
        for i in 0..most.max(self.options.classes.len()) {
            let name = self.options.classes.get(i).cloned().unwrap_or_else(|| i.to_string());
            let code = names.code(&name);
            places.insert(code, i);
            codes.push(code);
        }
        let (mut predicted, mut losses) = (Vec::new(), Vec::new());
        for (row, &label) in labels.iter().enumerate() {
            let of_row = list.offsets()[row] as usize..list.offsets()[row + 1] as usize;
            let row_values = &values.values()[of_row.clone()];
            let has_null = of_row.clone().any(|i| values.is_null(i));
            if list.is_null(row) || row_values.is_empty() || has_null {
                predicted.push(NO_CLASS);
                losses.push(f64::NAN);
                continue;
            }
            if row_values.iter().any(|p| p.is_nan()) {
                predicted.push(NO_CLASS);
                losses.push(f64::NAN);
                continue;
            }
            // The first of equals, as numpy's argmax.
            let first_best =
                |best: usize, i: usize| if row_values[i] > row_values[best] { i } else { best };
            predicted.push(codes[(0..row_values.len()).fold(0, first_best)]);
            if label == NO_CLASS {
                losses.push(f64::NAN);
                continue;
            }
            let place = places.get(&label).filter(|&&place| place < row_values.len());
            let Some(&place) = place else {
                return Err(Error::input(format!(
                    "label `{}` in row {} has no probability",
                    names.names[label as usize],
                    batch.first_row + row as u64 + 1
                ))
                .with_detail(format!("`{column}` holds {} of them.", row_values.len()))
                .with_hint("Labels are places from 0, or names that `--classes` lists in order."));
            };
            let sum: f64 = row_values.iter().sum();
            losses.push(-(row_values[place] / sum).clamp(EPSILON, 1.0 - EPSILON).ln());
        }
        Ok(ClassAnswers { predicted, cross_entropy: Some(losses) })
    }
}

/// The weight of every row.
fn weights(batch: &Batch, name: &str) -> Result<Vec<f64>> {
    let numbers = numbers(&batch.records, name, "weight")?;
    let is_weight = |weight: Option<f64>| weight.is_some_and(|w| w.is_finite() && w >= 0.0);
    if let Some(row) = numbers.iter().position(|weight| !is_weight(weight)) {
        let found = numbers.iter().nth(row).flatten();
        let found = found.map_or_else(|| "missing".to_owned(), |weight| format!("{weight}"));
        return Err(Error::input(format!(
            "the weight of row {} is {found}",
            batch.first_row + row as u64 + 1
        ))
        .with_detail(format!("Weights are in `{name}`."))
        .with_hint("Every row needs one weight, finite and not negative."));
    }
    Ok(numbers.values().to_vec())
}

/// Names by code, in the order in which they were first seen.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    codes: HashMap<String, u32, FixedState>,
}

impl Names {
    fn code(&mut self, name: &str) -> u32 {
        if let Some(&code) = self.codes.get(name) {
            return code;
        }
        let code = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.codes.insert(name.to_owned(), code);
        code
    }
}

/// True where rows hold lists of other than one value each.
fn is_vector(array: &ArrayRef) -> bool {
    let is_list = matches!(
        array.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
    );
    is_list
        && as_list(array, "")
            .is_ok_and(|list| list.as_list::<i32>().offsets().lengths().any(|n| n > 1))
}

fn as_list(array: &ArrayRef, column: &str) -> Result<ArrayRef> {
    let item = match array.data_type() {
        DataType::List(_) => return Ok(array.clone()),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => item.clone(),
        other => {
            return Err(Error::input(format!("column `{column}` holds {other}, not lists")));
        }
    };
    arrow_cast::cast(array, &DataType::List(item))
        .map_err(|error| Error::input(format!("column `{column}` cannot be used: {error}")))
}

/// One value at most of each row, as lists of one value are written in tf.Examples.
fn flat(array: &ArrayRef, column: &str, what: &str) -> Result<ArrayRef> {
    let is_list = matches!(
        array.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
    );
    if !is_list {
        return Ok(array.clone());
    }
    let list = as_list(array, column)?;
    let list = list.as_list::<i32>();
    let mut indices = arrow_array::builder::UInt32Builder::with_capacity(list.len());
    for (row, n) in list.offsets().lengths().enumerate() {
        match n {
            _ if list.is_null(row) => indices.append_null(),
            0 => indices.append_null(),
            1 => indices.append_value(list.offsets()[row] as u32),
            n => {
                return Err(Error::input(format!("{what} `{column}` holds {n} values in a row"))
                    .with_hint(
                        "Name a column with one number in every row; lists of probabilities belong \
                         to `--task multiclass`.",
                    ));
            }
        }
    }
    arrow_select::take::take(list.values(), &indices.finish(), None)
        .map_err(|error| Error::input(format!("{what} `{column}` cannot be used: {error}")))
}

/// A column of numbers; all null where a batch does not have it.
fn numbers(records: &RecordBatch, column: &str, what: &str) -> Result<Float64Array> {
    let Some(array) = records.column_by_name(column) else {
        return Ok(Float64Array::new_null(records.num_rows()));
    };
    as_floats(&flat(array, column, what)?, column, what)
}

fn as_floats(array: &ArrayRef, column: &str, what: &str) -> Result<Float64Array> {
    let is_number = |data_type: &DataType| {
        data_type.is_numeric() || matches!(data_type, DataType::Boolean | DataType::Null)
    };
    if !is_number(array.data_type()) {
        return Err(Error::input(format!("{what} `{column}` is not numeric"))
            .with_detail(format!("It holds {}.", array.data_type()))
            .with_hint(
                "Classes that are names belong to `--task multiclass`, or to a binary task \
                        with `--positive NAME`.",
            ));
    }
    let floats = arrow_cast::cast(array, &DataType::Float64)
        .map_err(|error| Error::input(format!("{what} `{column}` is not numeric: {error}")))?;
    Ok(floats.as_primitive::<Float64Type>().clone())
}

/// A column of classes: text, or whole numbers as they are written.
fn texts(records: &RecordBatch, column: &str, what: &str) -> Result<StringArray> {
    let Some(array) = records.column_by_name(column) else {
        return Ok(StringArray::new_null(records.num_rows()));
    };
    let array = flat(array, column, what)?;
    if array.data_type().is_floating() {
        return Err(Error::input(format!("{what} `{column}` holds floats, not classes"))
            .with_hint("Classes are text or integers; scores belong to `--task binary`."));
    }
    let texts = arrow_cast::cast(&array, &DataType::Utf8)
        .map_err(|error| Error::input(format!("{what} `{column}` holds no classes: {error}")))?;
    let texts = texts.as_string::<i32>().clone();
    // A cast of bytes that are not UTF-8 gives null, which would be a row without a label.
    if texts.null_count() > array.logical_null_count() {
        return Err(Error::input(format!("{what} `{column}` holds a value that is not UTF-8")));
    }
    Ok(texts)
}
