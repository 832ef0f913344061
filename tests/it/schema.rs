//! Schemas against those of TFDV: inferred from the same statistics, equal as messages.

use std::path::{Path, PathBuf};

use ops::schema::{InferOptions, infer_schema};
use ops::tfmd::{Schema, load_schema, load_statistics, text};

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
