//! Files: opening and reading must not panic, and batches of any size must hold the same rows.

#![no_main]

use std::sync::Arc;

use datasets::ReadOptions;
use datasets::csv::CsvSource;
use datasets::inputs::InputFile;
use engine::{Result, Source};
use libfuzzer_sys::fuzz_target;

/// Number of rows and of rejected records.
fn read(path: &str, bytes: u64, batch_rows: usize) -> Result<(usize, usize)> {
    let files = vec![InputFile { path: path.to_owned(), bytes }];
    let source = Arc::new(CsvSource::open(files, &ReadOptions::default())?);
    let (mut rows, mut rejected) = (0, 0);
    for shard in 0..source.shards().len() {
        for batch in source.clone().read(shard, batch_rows)? {
            let batch = batch?;
            assert!(batch.records.num_rows() <= batch_rows);
            rows += batch.records.num_rows();
            rejected += batch.rejected.len();
        }
    }
    Ok((rows, rejected))
}

fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("fuzz-csv-{}", std::process::id()));
    std::fs::write(&path, data).expect("the folder of temporary files can be written");
    let path = path.to_str().expect("a folder with a plain name");
    let len = data.len() as u64;
    assert_eq!(read(path, len, 1), read(path, len, 100));
});
