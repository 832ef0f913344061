//! Schemas against those of TFDV: inferred from the same statistics, equal as messages.

use std::path::{Path, PathBuf};

use ops::schema::{InferOptions, infer_schema};
use ops::tfmd::{Schema, load_schema, load_statistics, text};
use serde_json::Value;

use crate::support::shared;

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn inferred(statistics: &Path, options: &InferOptions) -> Schema {
    infer_schema(&load_statistics(&read(statistics)).unwrap(), options)
        .unwrap_or_else(|e| panic!("{}: {e}", statistics.display()))
}

/// The schemas of a folder: their files, the statistics and the options they are inferred with.
fn cases() -> [(&'static str, &'static str, InferOptions); 4] {
    let options = InferOptions::default;
    [
        ("schema", "stats", options()),
        ("schema_noshape", "stats", InferOptions { infer_feature_shape: false, ..options() }),
        ("schema_domain8", "stats", InferOptions { max_string_domain_size: 8, ..options() }),
        ("schema_semantic", "stats_semantic", options()),
    ]
}

#[test]
fn tfdv_infers_the_same_schemas() {
    let Some(shared) = shared() else { return };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(shared.join("golden/tfdv"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let mut compared = 0;
    for folder in folders {
        for (schema, statistics, options) in cases() {
            let expected = folder.join(schema).with_extension("pbtxt");
            if !expected.is_file() {
                continue;
            }
            let found = inferred(&folder.join(statistics).with_extension("pb"), &options);
            let expected_schema = load_schema(&read(&expected)).unwrap();
            assert_eq!(
                text::print(&found),
                text::print(&expected_schema),
                "{}",
                expected.display()
            );
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

/// What `tests/golden/schemas.py` asked TFDV: one case for each rule, and some at random.
#[test]
fn tfdv_infers_the_same_of_every_rule() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases: Vec<Value> = serde_json::from_slice(&read(&golden.join("schemas.json"))).unwrap();
    assert!(cases.len() > 200, "{}", cases.len());
    for case in &cases {
        let bytes = match case["file"].as_str() {
            Some(file) => read(&golden.join(file)),
            None => case["statistics"].as_str().unwrap().as_bytes().to_vec(),
        };
        let mut options = InferOptions::default();
        if let Some(n) = case["options"]["max_string_domain_size"].as_u64() {
            options.max_string_domain_size = usize::try_from(n).unwrap();
        }
        if let Some(shape) = case["options"]["infer_feature_shape"].as_bool() {
            options.infer_feature_shape = shape;
        }
        let found = infer_schema(&load_statistics(&bytes).unwrap(), &options).unwrap();
        let expected = case["schema"].as_str().unwrap();
        let expected_schema: Schema = text::parse(expected).unwrap();
        let shown = case["statistics"].as_str().or(case["file"].as_str()).unwrap();
        assert_eq!(text::print(&found), text::print(&expected_schema), "{shown}");
    }
}
