//! Records: the decoder must not panic, must decide the same wherever batches end, and whatever
//! it has decoded the encoder must be able to write and the decoder to read again.

#![no_main]

use datasets::{ExampleDecoder, ExampleEncoder, Payload};
use libfuzzer_sys::fuzz_target;

/// Cuts the input into records: a byte that says how long the next one is, then the record.
fn records(mut data: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        let (record, rest) = rest.split_at(rest.len().min(len as usize));
        records.push(record);
        data = rest;
    }
    records
}

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let payload = match mode & 3 {
        0 | 3 => Payload::Example,
        1 => Payload::SequenceExample,
        _ => Payload::Detect,
    };
    let columns = (mode & 4 != 0).then(|| vec!["a".to_owned(), "b".to_owned()]);
    let mut whole = ExampleDecoder::new(payload, columns.as_deref());
    let mut pieces = ExampleDecoder::new(payload, columns.as_deref());
    let mut rows = 0;
    for record in records(data) {
        let result = whole.push(record);
        assert_eq!(result, pieces.push(record), "batches of one row decide differently");
        rows += result.is_ok() as usize;
        pieces.finish().expect("a batch of at most one row");
    }
    let batch = whole.finish().expect("a batch");
    assert_eq!(batch.num_rows(), rows);
    let mut encoder = ExampleEncoder::new(&batch).expect("lists of three kinds");
    for row in 0..rows {
        whole.push(encoder.encode(row)).expect("what was encoded here");
    }
    let again = whole.finish().expect("a batch");
    assert_eq!(format!("{batch:?}"), format!("{again:?}"));
});
