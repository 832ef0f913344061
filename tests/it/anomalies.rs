//! The real TFDV's anomalies and updated schemas, made by version 1.16.1, against ours.

use std::path::Path;

use ops::tfmd::anomaly_info::{Severity, Type};
use ops::tfmd::{
    Anomalies, DatasetFeatureStatisticsList, DriftSkewInfo, Schema, load_anomalies, load_schema,
    load_statistics, text,
};
use ops::validate::{
    ControlStatistics, KINDS, Severities, UpdateOptions, ValidateOptions, Validation,
    update_schema, validate_statistics,
};
use serde_json::Value;

use crate::support::shared;

/// Cases that differ on purpose, and why.
const MEANT: &[(&str, &str)] = &[
    (
        "10b_version_comparator",
        "max_examples_count without min_examples_count is checked: nobody who writes it wants silence",
    ),
    ("25_custom_validation", "rules in SQL need a database; TFDV has removed them, too"),
];

fn read<T>(path: &Path, load: fn(&[u8]) -> engine::Result<T>) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    Some(load(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// One case: what goes in, what came out of TFDV.
struct Case {
    name: String,
    schema: Schema,
    statistics: DatasetFeatureStatisticsList,
    previous: Option<DatasetFeatureStatisticsList>,
    serving: Option<DatasetFeatureStatisticsList>,
    previous_version: Option<DatasetFeatureStatisticsList>,
    options: ValidateOptions,
    about: Value,
    anomalies: Option<Anomalies>,
    updated: Option<Schema>,
}

impl Case {
    /// A case of `tests/golden/anomalies.json`.
    fn small(name: &str, case: &Value) -> Self {
        let text = |field: &str| case[field].as_str().map(str::as_bytes);
        let statistics = |field: &str| text(field).map(|text| load_statistics(text).unwrap());
        let warnings = case["warnings"].as_array().into_iter().flatten();
        let overrides = warnings
            .map(|kind| (Type::from_str_name(kind.as_str().unwrap()).unwrap(), Severity::Warning))
            .collect();
        Case {
            name: name.to_owned(),
            schema: load_schema(text("schema").unwrap()).unwrap(),
            statistics: statistics("statistics").unwrap(),
            previous: statistics("previous"),
            serving: statistics("serving"),
            previous_version: None,
            options: ValidateOptions {
                environment: case["environment"].as_str().map(str::to_owned),
                severities: Severities { overrides },
                features_needed: None,
            },
            about: case.clone(),
            anomalies: text("anomalies").map(|text| load_anomalies(text).unwrap()),
            updated: text("updated").map(|text| load_schema(text).unwrap()),
        }
    }

    fn read(folder: &Path) -> Self {
        let statistics = |name: &str| read(&folder.join(name), load_statistics);
        let about = std::fs::read(folder.join("case.json")).unwrap();
        let about: Value = serde_json::from_slice(&about).unwrap();
        let mut overrides = Vec::new();
        let config = about["validation_config"].as_str().unwrap_or_default();
        if config.contains("SCHEMA_NEW_COLUMN") || config.contains("new_features_are_warnings") {
            overrides.push((Type::SchemaNewColumn, Severity::Warning));
        }
        Case {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            schema: read(&folder.join("schema.pbtxt"), load_schema).unwrap(),
            statistics: statistics("stats.pb").unwrap(),
            previous: statistics("previous.pb"),
            serving: statistics("serving.pb"),
            previous_version: statistics("previous_version.pb"),
            options: ValidateOptions {
                environment: about["environment"].as_str().map(str::to_owned),
                severities: Severities { overrides },
                features_needed: None,
            },
            about,
            anomalies: read(&folder.join("anomalies.pbtxt"), load_anomalies),
            updated: read(&folder.join("updated_schema.pbtxt"), load_schema),
        }
    }

    fn validate(&self) -> engine::Result<Validation> {
        let all = |list: &'_ Option<DatasetFeatureStatisticsList>| {
            list.as_ref().map(|list| list.all_examples().unwrap().clone())
        };
        let (previous, serving) = (all(&self.previous), all(&self.serving));
        let previous_version = all(&self.previous_version);
        let controls = ControlStatistics {
            previous_span: previous.as_ref(),
            serving: serving.as_ref(),
            previous_version: previous_version.as_ref(),
        };
        let statistics = self.statistics.all_examples().unwrap();
        validate_statistics(statistics, controls, &self.schema, &self.options)
    }

    /// What differs from TFDV; nothing if all is equal.
    fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        let ours = match (self.validate(), &self.about["error"]) {
            (Err(_), Value::String(_)) => return differences,
            (Err(error), _) => return vec![format!("failed: {error}")],
            (Ok(_), Value::String(error)) => return vec![format!("should fail: {error}")],
            (Ok(found), _) => found.to_anomalies(&self.schema),
        };
        let theirs = self.anomalies.as_ref().unwrap();
        let paths = ours.anomaly_info.keys().chain(theirs.anomaly_info.keys());
        for path in paths.collect::<std::collections::BTreeSet<_>>() {
            let (ours, theirs) = (ours.anomaly_info.get(path), theirs.anomaly_info.get(path));
            if ours != theirs {
                differences.push(format!("{path}: {ours:#?}\n  TFDV: {theirs:#?}"));
            }
        }
        if ours.dataset_anomaly_info != theirs.dataset_anomaly_info {
            let (ours, theirs) = (&ours.dataset_anomaly_info, &theirs.dataset_anomaly_info);
            differences.push(format!("dataset: {ours:?}, TFDV: {theirs:?}"));
        }
        if ours.data_missing() != theirs.data_missing() {
            differences.push("data_missing".to_owned());
        }
        if !close(&ours.drift_skew_info, &theirs.drift_skew_info) {
            let (ours, theirs) = (&ours.drift_skew_info, &theirs.drift_skew_info);
            differences.push(format!("drift and skew: {ours:#?}, TFDV: {theirs:#?}"));
        }
        if let Some(theirs) = &self.updated {
            let options = UpdateOptions::default();
            let statistics = self.statistics.all_examples().unwrap();
            let ours = update_schema(&self.schema, statistics, &options).unwrap();
            if &ours != theirs {
                let (ours, theirs) = (text::print(&ours), text::print(theirs));
                let lines = ours.lines().zip(theirs.lines()).enumerate();
                let mut other = lines.filter(|(_, (ours, theirs))| ours != theirs);
                let first = other.next();
                differences.push(format!("updated schema, first line that differs: {first:?}"));
            }
        }
        differences
    }
}

fn close(ours: &[DriftSkewInfo], theirs: &[DriftSkewInfo]) -> bool {
    let close = |a: &DriftSkewInfo, b: &DriftSkewInfo| {
        let all = |info: &DriftSkewInfo| {
            let (drift, skew) = (&info.drift_measurements, &info.skew_measurements);
            [drift.clone(), skew.clone()]
        };
        let pairs = all(a).into_iter().zip(all(b));
        a.path == b.path
            && pairs.into_iter().all(|(ours, theirs)| {
                ours.len() == theirs.len()
                    && ours.iter().zip(&theirs).all(|(a, b)| {
                        a.r#type == b.r#type
                            && a.threshold == b.threshold
                            && (a.value() - b.value()).abs() <= 1e-6
                    })
            })
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| close(a, b))
}

fn check_folder(folder: &Path, meant: &[(&str, &str)]) -> usize {
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").is_file())
        .collect();
    cases.sort();
    check_cases(cases.iter().map(|folder| Case::read(folder)), meant);
    cases.len()
}

fn check_cases(cases: impl Iterator<Item = Case>, meant: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    let mut n = 0;
    for case in cases {
        n += 1;
        let differences = case.differences();
        let meant = meant.iter().find(|(name, _)| *name == case.name);
        match (meant, differences.is_empty()) {
            (Some((_, why)), false) => eprintln!("{}: differs, since {why}", case.name),
            (Some(_), true) => wrong.push(format!("{}: no longer differs", case.name)),
            (None, true) => {}
            (None, false) => wrong.push(format!("{}: {}", case.name, differences.join("\n"))),
        }
    }
    assert!(wrong.is_empty(), "{} of {n}:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{n} cases");
}

#[test]
fn as_tfdv_on_its_files() {
    let Some(shared) = shared() else { return };
    let n = check_folder(&shared.join("golden/tfdv/anomalies"), MEANT);
    assert!(n >= 50);
}

/// `CASES=FILE` compares other cases, which `tests/golden/anomalies.py` has made.
#[test]
fn as_tfdv_on_small_cases() {
    let file = std::env::var("CASES").map(std::fs::read_to_string);
    let text = file.map_or(include_str!("../golden/anomalies.json").to_owned(), Result::unwrap);
    let cases: Value = serde_json::from_str(&text).unwrap();
    let cases = cases.as_object().unwrap();
    check_cases(cases.iter().map(|(name, case)| Case::small(name, case)), &[]);
    // There is a case for every kind that is ever found.
    let told: String = cases.values().filter_map(|case| case["anomalies"].as_str()).collect();
    const OURS: [Type; 3] =
        [Type::MultipleReasons, Type::EmbeddingShapeInvalid, Type::CustomValidation];
    for kind in KINDS.iter().filter(|kind| kind.raised && !OURS.contains(&kind.r#type)) {
        assert!(told.contains(&format!("type: {}\n", kind.name())), "no case of {}", kind.name());
    }
}

/// What Frazil finds and TFDV does not.
#[test]
fn beyond_tfdv() {
    fn check(feature: &str, statistics: &str, expected: &[&str]) {
        let schema = load_schema(format!("feature {{ name: 'f' {feature} }}").as_bytes()).unwrap();
        let statistics = format!(
            "datasets {{ num_examples: 9 features {{ path {{ step: 'f' }} {statistics} }} }}"
        );
        let statistics = load_statistics(statistics.as_bytes()).unwrap();
        let statistics = statistics.all_examples().unwrap();
        let (controls, options) = (ControlStatistics::default(), ValidateOptions::default());
        let found = validate_statistics(statistics, controls, &schema, &options).unwrap();
        let reasons = found.features.values().flat_map(|finding| &finding.reasons);
        let kinds: Vec<_> = reasons.map(|reason| reason.kind.as_str_name()).collect();
        assert_eq!(kinds, expected, "{feature}");
        // A schema that was relaxed by statistics agrees with them.
        let relaxed = update_schema(&schema, statistics, &UpdateOptions::default()).unwrap();
        let found = validate_statistics(statistics, controls, &relaxed, &options).unwrap();
        assert!(found.is_clean(), "{feature}: {found:#?}");
    }
    let vectors = |least: u32, most: u32| {
        format!(
            "type: FLOAT num_stats {{ common_stats {{ num_non_missing: 9
               min_num_values: {least} max_num_values: {most} }} }}"
        )
    };
    let embedding = "type: FLOAT float_domain { is_embedding: true embedding_dim: 3 }";
    check(embedding, &vectors(3, 3), &[]);
    check(embedding, &vectors(2, 3), &["EMBEDDING_SHAPE_INVALID"]);
    let language = |min: i64, max: i64| {
        format!(
            "type: STRING string_stats {{ common_stats {{ num_non_missing: 9 }} }}
             custom_stats {{ name: 'nl_statistics' any {{
               [type.googleapis.com/tensorflow.metadata.v0.NaturalLanguageStatistics] {{
                 min_sequence_length: {min} max_sequence_length: {max} }} }} }}"
        )
    };
    let lengths = "type: BYTES natural_language_domain {
        sequence_length_constraints { min_sequence_length: 2 max_sequence_length: 5 } }";
    check(lengths, &language(2, 5), &[]);
    check(lengths, &language(1, 6), &["CUSTOM_VALIDATION", "CUSTOM_VALIDATION"]);
    // A bound that is not set is none.
    let unique = "type: STRING string_stats { common_stats { num_non_missing: 9 } unique: 7 }";
    check("type: BYTES unique_constraints { min: 3 }", unique, &[]);
    check("type: BYTES unique_constraints { max: 3 }", unique, &["FEATURE_TYPE_HIGH_UNIQUE"]);
    // A range grows to what an integer can hold.
    let huge =
        "type: INT num_stats { common_stats { num_non_missing: 9 } max: 9223372036854775807 }";
    check("type: INT bool_domain {}", huge, &["BOOL_TYPE_BIG_INT"]);
    // Integers that are counted as categories have no range; their labels have.
    let labels = "type: INT string_stats { common_stats { num_non_missing: 9 } unique: 2
        rank_histogram { buckets { label: '2' sample_count: 9 } } }";
    check("type: INT bool_domain {}", labels, &["BOOL_TYPE_BIG_INT"]);
    let none = "type: INT string_stats { common_stats { num_non_missing: 9 } rank_histogram {} }";
    check("type: INT int_domain { min: 1 is_categorical: true }", none, &[]);
}
