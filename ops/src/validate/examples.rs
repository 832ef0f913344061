//! Which examples do not agree with a schema, and why: the anomalies of the statistics of each alone.
//!
//! This is what `validate_instance` of TFDV finds, in the same words, without computing statistics
//! of single examples: the kernels of [`EXAMPLE_RULES`] look at the columns of a batch and mark the
//! rows that may break a rule. Only of those the statistics are made up, one feature and one row at
//! a time, and judged by the checks that judge whole datasets.
//!
//! ```text
//!  Batch ─► columns ─► kernels: rows in doubt ─► statistics of the row ─► checks ─► reasons
//!                  └─► required features that rows lack, features that are not in the schema
//! ```
//!
//! **Invariant:** a row has no reasons if its statistics have no anomalies, and whatever the batch.

mod composites;
mod of_row;
mod rows;
mod rules;
mod summary;
#[cfg(test)]
mod tests;
mod text;
mod untyped;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Batch, DoFn, Emit, Result, Rows as CountRows};

use self::composites::Composites;
use self::rows::Rows;
pub use self::rules::{EXAMPLE_RULES, ExampleRule};
use self::rules::{Kernel, Marks};
pub use self::summary::{ReasonCount, ReasonSummary, SummarizeReasons};
use super::anomalies as texts;
use super::reason::Reason;
use super::subject::{Controls, is_in_environment, is_required};
use super::walk::{Judged, judge};
use super::{ValidateOptions, Validator};
use crate::stats::column::{Column, columns};
use crate::stats::{FeaturePath, Kind};
use crate::tfmd::anomaly_info::Type;
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::{
    DatasetFeatureStatistics, DatasetView, Feature, FeatureNameStatistics, FeaturePresence, Schema,
    SchemaIndex,
};

/// How to validate examples.
#[derive(Clone, Debug, Default)]
pub struct ExampleOptions {
    /// The environment of the data: one of the schema's default environments.
    pub environment: Option<String>,
    /// Also hold every example to what the schema asks of the dataset as a whole, as TFDV does:
    /// features that only some examples must have, numbers of distinct values, flaws of the schema.
    pub dataset_rules: bool,
    /// The columns come from text and have the type of all rows together: a cell that reads as what
    /// the schema says is of that type.
    pub is_text: bool,
}

/// Anomalies that no single example can have.
const OF_DATASETS: [Type; 13] = [
    Type::FeatureTypeLowFractionPresent,
    Type::FeatureTypeLowNumberPresent,
    Type::FeatureTypeNotPresent,
    Type::SchemaTrainingServingSkew,
    Type::ComparatorControlDataMissing,
    Type::ComparatorTreatmentDataMissing,
    Type::ComparatorLInftyHigh,
    Type::ComparatorJensenShannonDivergenceHigh,
    Type::ComparatorLowNumExamples,
    Type::ComparatorHighNumExamples,
    Type::NoDataInSpan,
    Type::DatasetLowNumExamples,
    Type::DatasetHighNumExamples,
];

/// Anomalies that TFDV reports of every example, though they are not the example's fault.
const OF_OTHERS: [Type; 11] = [
    Type::FeatureMissingName,
    Type::FeatureMissingType,
    Type::InvalidSchemaSpecification,
    Type::InvalidDomainSpecification,
    Type::DerivedFeatureBadLifecycle,
    Type::DerivedFeatureInvalidSource,
    Type::FeatureTypeLowUnique,
    Type::FeatureTypeHighUnique,
    Type::FeatureTypeNoUnique,
    Type::StatsNotAvailable,
    Type::SemanticDomainUpdate,
];

/// Why an example is rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleReason {
    /// Row of the batch.
    pub row: usize,
    /// The feature, as anomalies name it.
    pub path: Arc<str>,
    /// What is wrong with it.
    pub reason: Arc<Reason>,
    /// The value that breaks the rule, if it is one.
    pub value: Option<Arc<str>>,
}

/// A batch of examples, and why some of them are rejected.
#[derive(Clone, Debug)]
pub struct CheckedExamples {
    /// The examples.
    pub batch: Batch,
    /// The reasons, by row, then by feature, then in the order of the checks.
    pub reasons: Vec<ExampleReason>,
}

impl CheckedExamples {
    /// Which rows have no reason to be rejected; `None` if none has one.
    pub fn clean(&self) -> Option<Vec<bool>> {
        if self.reasons.is_empty() {
            return None;
        }
        let mut clean = vec![true; self.batch.records.num_rows()];
        for reason in &self.reasons {
            clean[reason.row] = false;
        }
        Some(clean)
    }

    /// How many rows are rejected.
    pub fn num_rejected(&self) -> u64 {
        let mut last = None;
        let mut is_new = |row| last.replace(row) != Some(row);
        self.reasons.iter().filter(|reason| is_new(reason.row)).count() as u64
    }
}

impl CountRows for CheckedExamples {
    fn rows(&self) -> u64 {
        self.batch.records.num_rows() as u64
    }
}

/// A schema, compiled for validating examples.
pub struct ExampleValidator {
    schema: Arc<Schema>,
    options: ExampleOptions,
    features: Vec<Compiled>,
    by_path: BTreeMap<FeaturePath, usize>,
    composites: Composites,
}

/// One feature of the schema.
struct Compiled {
    path: FeaturePath,
    name: Arc<str>,
    /// Position of the struct that it is in.
    parent: Option<usize>,
    is_retired: bool,
    /// Whether every example must have it.
    is_required: bool,
    feature: Feature,
    kernels: Vec<Kernel>,
}

impl ExampleValidator {
    /// Compiles a schema.
    ///
    /// # Errors
    /// The schema does not know the environment.
    pub fn new(schema: Arc<Schema>, options: ExampleOptions) -> Result<Self> {
        let environment = options.environment.clone();
        Validator::new(&schema, &ValidateOptions { environment, ..ValidateOptions::default() })?;
        let composites = Composites::new(&schema);
        let (features, by_path) = (Vec::new(), BTreeMap::new());
        let mut validator = ExampleValidator { schema, options, features, by_path, composites };
        let schema = validator.schema.clone();
        validator.compile(None, &schema.feature);
        Ok(validator)
    }

    fn compile(&mut self, parent: Option<usize>, features: &[Feature]) {
        for feature in features {
            let path = match parent {
                None => FeaturePath::column(feature.name()),
                Some(parent) => self.features[parent].path.child(feature.name()),
            };
            if self.by_path.contains_key(&path) {
                continue;
            }
            let context = rules::Context {
                feature,
                schema: &self.schema,
                is_in_environment: is_in_environment(
                    &self.schema,
                    feature,
                    self.options.environment.as_deref(),
                ),
                options: &self.options,
            };
            let is_retired = feature.is_retired();
            let rules = EXAMPLE_RULES.iter().filter(|_| !is_retired);
            let kernels = rules.filter_map(|rule| (rule.compile)(&context)).collect();
            let number = self.features.len();
            self.by_path.insert(path.clone(), number);
            self.features.push(Compiled {
                name: path.to_proto().to_string().into(),
                parent,
                is_retired,
                is_required: self.is_required(feature),
                feature: feature.clone(),
                kernels,
                path,
            });
            if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info
                && !is_retired
            {
                self.compile(Some(number), &domain.feature);
            }
        }
    }

    fn is_required(&self, feature: &Feature) -> bool {
        let environment = self.options.environment.as_deref();
        let min_fraction = feature.presence().map_or(0.0, FeaturePresence::min_fraction);
        is_required(&self.schema, feature, environment)
            && (self.options.dataset_rules || min_fraction >= 1.0)
    }

    /// Validates the rows of a batch.
    ///
    /// # Errors
    /// When a column is of a type that has no meaning as a feature.
    pub fn validate(&self, batch: &Batch) -> Result<Vec<ExampleReason>> {
        let n = batch.records.num_rows();
        if n == 0 {
            return Ok(Vec::new());
        }
        let columns = columns(&batch.records, batch.first_row, |_| None, |_| true)?;
        let mut run = Run {
            validator: self,
            index: None,
            n,
            present: self.features.iter().map(|_| None).collect(),
            given_up: self.features.iter().map(|_| None).collect(),
            found: Vec::new(),
        };
        // A struct comes before its fields.
        let mut passed: Vec<&FeaturePath> = Vec::new();
        for column in &columns {
            let parent = column.path.parent();
            let is_passed = parent.is_some_and(|parent| passed.contains(&&parent));
            if is_passed || !run.column(column) {
                passed.push(&column.path);
            }
        }
        run.missing();
        let mut found = run.found;
        found.extend(self.composites.validate(self, batch, &columns)?);
        found.sort_by(|a, b| a.row.cmp(&b.row).then_with(|| a.path.cmp(&b.path)));
        Ok(found)
    }

    /// The checks' reasons against the statistics of one feature of one example.
    fn judge(
        &self,
        index: &SchemaIndex<'_>,
        statistics: FeatureNameStatistics,
    ) -> (Vec<Reason>, bool) {
        let dataset = DatasetFeatureStatistics {
            num_examples: 1,
            features: vec![statistics],
            ..DatasetFeatureStatistics::default()
        };
        let view = DatasetView::new(&dataset);
        let controls = Controls::default();
        let Some(feature) = view.features().next() else { return (Vec::new(), false) };
        let judged = judge(index, feature, self.options.environment.as_deref(), &controls);
        let (mut reasons, is_given_up) = match judged {
            Some(Judged::Feature(subject)) => {
                let is_given_up = !subject.reasons.is_empty() && subject.feature.is_retired();
                (subject.reasons, is_given_up)
            }
            Some(Judged::Composite { reasons, .. }) => (reasons, false),
            Some(Judged::Retired) | None => (Vec::new(), false),
        };
        let is_for_all = |kind| !self.options.dataset_rules && OF_OTHERS.contains(&kind);
        reasons.retain(|r| !OF_DATASETS.contains(&r.kind) && !is_for_all(r.kind));
        (reasons, is_given_up)
    }
}

/// The validation of one batch.
struct Run<'v> {
    validator: &'v ExampleValidator,
    /// Only batches with rows in doubt need it.
    index: Option<SchemaIndex<'v>>,
    n: usize,
    /// Rows that have a feature, by its position.
    present: Vec<Option<Rows>>,
    /// Rows in which a struct is of another type, so that its fields are not looked at.
    given_up: Vec<Option<Rows>>,
    found: Vec<ExampleReason>,
}

impl Run<'_> {
    /// Looks at a column; false if its fields, if it is a struct, are not to be looked at.
    fn column(&mut self, column: &Column) -> bool {
        let validator = self.validator;
        let present = rows::present(column, self.n);
        let Some(&number) = validator.by_path.get(&column.path) else {
            if validator.composites.is_named(&column.path) {
                return false;
            }
            let reason = Arc::new(texts::new_column());
            let path: Arc<str> = column.path.to_proto().to_string().into();
            let mut rows = present;
            let parent = column.path.parent().and_then(|path| validator.by_path.get(&path));
            if let Some(given_up) = parent.and_then(|&parent| self.given_up[parent].as_ref()) {
                rows.and_not(given_up);
            }
            self.found.extend(rows.iter().map(|row| ExampleReason {
                row,
                path: path.clone(),
                reason: reason.clone(),
                value: None,
            }));
            return false;
        };
        let compiled = &validator.features[number];
        if compiled.is_retired {
            return false;
        }
        let as_schema = untyped::read(column, &compiled.feature);
        let column = as_schema.as_ref().unwrap_or(column);
        let text = validator.options.is_text.then(|| text::read(column, &compiled.feature));
        let typed = text.flatten();
        let mut in_doubt = Rows::none(self.n);
        match &typed {
            None => Marks::new(column, &mut in_doubt).all_of(&compiled.kernels),
            Some(typed) => {
                Marks::new(&typed.column, &mut in_doubt).all_of(&compiled.kernels);
                let mut bad = Rows::none(self.n);
                let mut marks = Marks::new(column, &mut bad);
                typed.unread.iter().for_each(|&value| marks.value(value));
                in_doubt.or(&bad);
                self.judge_rows(compiled, column, &bad, number);
                in_doubt.and_not(&bad);
            }
        }
        in_doubt.and(&present);
        if let Some(given_up) = compiled.parent.and_then(|parent| self.given_up[parent].as_ref()) {
            in_doubt.and_not(given_up);
        }
        let column = typed.as_ref().map_or(column, |typed| &typed.column);
        self.judge_rows(compiled, column, &in_doubt, number);
        self.present[number] = Some(present);
        true
    }

    fn judge_rows(&mut self, compiled: &Compiled, column: &Column, rows: &Rows, number: usize) {
        if !rows.any() {
            return;
        }
        let schema = &self.validator.schema;
        let index = self.index.get_or_insert_with(|| SchemaIndex::new(schema));
        for row in rows.iter() {
            let statistics = of_row::statistics(column, row, &compiled.feature);
            let (reasons, is_given_up) = self.validator.judge(index, statistics);
            if is_given_up && column.kind() == Some(Kind::Struct) {
                self.given_up[number].get_or_insert_with(|| Rows::none(self.n)).set(row);
            }
            self.found.extend(reasons.into_iter().map(|reason| ExampleReason {
                row,
                path: compiled.name.clone(),
                value: of_row::value(column, row, &reason).map(Into::into),
                reason: Arc::new(reason),
            }));
        }
    }

    /// Required features that rows do not have.
    fn missing(&mut self) {
        let mut reason = None;
        for (number, compiled) in self.validator.features.iter().enumerate() {
            if !compiled.is_required {
                continue;
            }
            let mut rows = match &self.present[number] {
                Some(present) if present.is_all() => continue,
                Some(present) => present.inverse(),
                None => Rows::all(self.n),
            };
            // TFDV asks for the fields of a struct that is not there, too.
            if let Some(parent) = compiled.parent.filter(|_| !self.validator.options.dataset_rules)
            {
                match &self.present[parent] {
                    Some(present) => rows.and(present),
                    None => continue,
                }
            }
            let reason = reason.get_or_insert_with(|| Arc::new(texts::missing_column()));
            self.found.extend(rows.iter().map(|row| ExampleReason {
                row,
                path: compiled.name.clone(),
                reason: reason.clone(),
                value: None,
            }));
        }
    }
}

/// Validates the examples of every batch.
pub struct CheckExamples {
    validator: Arc<ExampleValidator>,
}

impl CheckExamples {
    /// By a compiled schema.
    pub fn new(validator: Arc<ExampleValidator>) -> Self {
        CheckExamples { validator }
    }
}

impl DoFn for CheckExamples {
    type Input = Batch;
    type Output = CheckedExamples;

    fn name(&self) -> &'static str {
        "check_examples"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<CheckedExamples>) -> Result<()> {
        let reasons = self.validator.validate(batch)?;
        out.emit(CheckedExamples { batch: batch.clone(), reasons });
        Ok(())
    }
}
