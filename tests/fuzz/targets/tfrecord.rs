//! Files: reading must not panic, batches of any size must hold the same records, and a file that
//! was written here must lose no more than was damaged.

#![no_main]

use std::sync::Arc;

use datasets::{Frame, Payload, TfRecordOptions, TfRecordReader, TfRecordSource, TfRecordWriter};
use engine::{Shard, Source};
use libfuzzer_sys::fuzz_target;

/// Rows and rejected records of a file, read in batches of `batch_rows`.
fn read(path: &str, bytes: u64, batch_rows: usize) -> Option<(usize, Vec<(u64, u64, bool)>)> {
    let shards = vec![Shard { path: path.to_owned(), part: None, bytes }];
    let options = TfRecordOptions { payload: Payload::Example, ..Default::default() };
    let source = Arc::new(TfRecordSource::open(shards, options).expect("nothing to look at"));
    let (mut rows, mut rejected) = (0, Vec::new());
    for batch in source.read(0, batch_rows).ok()? {
        let batch = batch.expect("the file can be read");
        assert!(batch.records.num_rows() <= batch_rows);
        assert_eq!(batch.first_row, rows as u64);
        rows += batch.records.num_rows();
        rejected.extend(batch.rejected.iter().map(|r| (r.record, r.byte, r.fatal)));
    }
    Some((rows, rejected))
}

/// A file of up to 20 records cut from the data, with one bit flipped.
fn damaged(data: &[u8]) {
    let [len, at, bit, data @ ..] = data else { return };
    let records: Vec<&[u8]> = data.chunks(*len as usize + 1).take(20).collect();
    let mut writer = TfRecordWriter::new(Vec::new());
    for record in &records {
        writer.write(record).expect("vectors take all");
    }
    let mut file = writer.into_inner();
    let at = *at as usize * file.len().max(1) / 256;
    if let Some(byte) = file.get_mut(at) {
        *byte ^= 1 << (bit & 7);
    }
    let mut reader = TfRecordReader::new(&file[..]);
    let mut number = 0;
    while let Some(frame) = reader.next_frame().expect("memory can be read") {
        match frame {
            Frame::Record(record) => assert_eq!(record, records[number]),
            Frame::Damaged(_) => {}
            Frame::Broken(_) => return,
        }
        number += 1;
    }
    assert_eq!(number, records.len());
}

fuzz_target!(|data: &[u8]| {
    damaged(data);
    let path = std::env::temp_dir().join(format!("fuzz-tfrecord-{}", std::process::id()));
    std::fs::write(&path, data).expect("the folder of temporary files can be written");
    let path = path.to_str().expect("a folder with a plain name");
    let len = data.len() as u64;
    assert_eq!(read(path, len, 1), read(path, len, 100));
});
