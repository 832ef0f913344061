//! Whole TFRecord files: framing, compression, damage, and the shared test data.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use engine::{Batch, ErrorKind, Shard, Source};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::*;
use crate::{Payload, SEQUENCE_COLUMN};

/// Three records; the second one is long enough to have a two-byte varint.
fn records() -> Vec<Vec<u8>> {
    let long = [
        b"\x0a\x8d\x01\x0a\x8a\x01\x0a\x01s\x12\x84\x01\x0a\x81\x01\x0a\x7f".as_slice(),
        &[b'x'; 127],
    ];
    vec![
        b"\x0a\x0d\x0a\x0b\x0a\x01x\x12\x06\x1a\x04\x0a\x02\x01\x02".to_vec(),
        long.concat(),
        b"".to_vec(),
    ]
}

fn framed(records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = TfRecordWriter::new(Vec::new());
    for record in records {
        writer.write(record).unwrap();
    }
    writer.into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn shard(path: &Path) -> Shard {
    let bytes = fs::metadata(path).unwrap().len();
    Shard { path: path.to_str().unwrap().to_owned(), part: None, bytes }
}

fn source(paths: &[PathBuf]) -> Arc<TfRecordSource> {
    let shards = paths.iter().map(|path| shard(path)).collect();
    Arc::new(TfRecordSource::open(shards, TfRecordOptions::default()).unwrap())
}

/// Reads a shard and checks what holds for every shard.
fn read(source: &Arc<TfRecordSource>, shard: usize, batch_rows: usize) -> Vec<Batch> {
    let batches: Vec<Batch> =
        source.clone().read(shard, batch_rows).unwrap().collect::<engine::Result<_>>().unwrap();
    let mut rows = 0;
    let mut last_record = None;
    for batch in &batches {
        assert_eq!(batch.shard, shard);
        assert_eq!(batch.first_row, rows);
        assert!(batch.records.num_rows() <= batch_rows);
        rows += batch.records.num_rows() as u64;
        for rejected in &batch.rejected {
            assert!(last_record.is_none_or(|last| last < rejected.record));
            last_record = Some(rejected.record);
        }
    }
    let fatal = batches.iter().flat_map(|batch| &batch.rejected).any(|rejected| rejected.fatal);
    let bytes: u64 = batches.iter().map(|batch| batch.bytes).sum();
    assert!(bytes == source.shards()[shard].bytes || fatal, "{bytes} bytes");
    batches
}

fn rejected(batches: &[Batch]) -> Vec<(u64, u64, bool, &str)> {
    let all = batches.iter().flat_map(|batch| &batch.rejected);
    all.map(|r| (r.record, r.byte, r.fatal, &*r.reason)).collect()
}

fn n_rows(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.records.num_rows()).sum()
}

/// Reads the bytes as a file of their own.
fn read_bytes(bytes: &[u8], batch_rows: usize) -> Vec<Batch> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, bytes).unwrap();
    read(&source(&[path]), 0, batch_rows)
}

#[test]
fn plain_gzip_and_zlib_files_are_told_apart_by_content() {
    let plain = framed(&records());
    let (first, second) = plain.split_at(40);
    let two_members = [gzip(first), gzip(second)].concat();
    let two_streams = [zlib(first), zlib(second)].concat();
    for bytes in [&plain, &gzip(&plain), &zlib(&plain), &two_members, &two_streams] {
        for batch_rows in [1, 2, 3, 100] {
            let batches = read_bytes(bytes, batch_rows);
            assert_eq!(n_rows(&batches), 3);
            assert_eq!(rejected(&batches), []);
        }
    }
}

#[test]
fn empty_files_are_shards_without_records() {
    for bytes in [Vec::new(), gzip(b""), zlib(b"")] {
        assert_eq!(n_rows(&read_bytes(&bytes, 10)), 0);
    }
}

#[test]
fn damage_is_reported_where_it_is() {
    let good = framed(&records());
    let check = |bytes: &[u8], expected_rows, expected: &[(u64, u64, bool, &str)]| {
        let batches = read_bytes(bytes, 10);
        assert_eq!(n_rows(&batches), expected_rows);
        assert_eq!(rejected(&batches), expected);
    };
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        bytes
    };
    check(&good, 3, &[]);
    check(&flip(20), 2, &[(0, 0, false, "record 0 has a wrong checksum")]);
    check(&flip(28), 2, &[(0, 0, false, "record 0 has a wrong checksum")]);
    let length = "record 1 at byte 31 has a length whose checksum is wrong";
    check(&flip(31), 1, &[(1, 31, true, length)]);
    check(&flip(40), 1, &[(1, 31, true, length)]);
    let header = "record 1 at byte 31 has 9 of the 12 bytes of its header";
    check(&good[..40], 1, &[(1, 31, true, header)]);
    let data = "record 1 at byte 31 says it is 144 bytes long, but 6 remain";
    check(&good[..49], 1, &[(1, 31, true, data)]);
    check(
        &good[..31 + 12 + 144 + 3],
        1,
        &[(1, 31, true, "record 1 at byte 31 is cut off in its checksum")],
    );
    // An absurd length with a right checksum is neither allocated nor believed.
    for len in [1_u64 << 32, u64::MAX, 1 << 20] {
        let mut bytes = good.clone();
        bytes.extend(len.to_le_bytes());
        bytes.extend(masked_crc(&len.to_le_bytes()).to_le_bytes());
        bytes.extend([7; 100]);
        let reason = format!("record 3 at byte 207 says it is {len} bytes long, but 100 remain");
        check(&bytes, 3, &[(3, 207, true, &reason)]);
    }
    // A record that is no tf.Example, between good ones.
    let mut records = records();
    records.insert(1, b"\x0a\x05oops".to_vec());
    let reason = "the record is not the expected message: a field is longer than the message that \
                  holds it";
    check(&framed(&records), 3, &[(1, 31, false, reason)]);
}

#[test]
fn damaged_compressed_streams_end_their_shard() {
    let good = gzip(&framed(&vec![records().concat(); 2000]));
    let batches = read_bytes(&good[..good.len() / 2], 10);
    let rejected = rejected(&batches);
    assert!(n_rows(&batches) > 100);
    assert_eq!(rejected.len(), 1);
    let (record, _, fatal, reason) = rejected[0];
    assert_eq!(record as usize, n_rows(&batches));
    assert!(fatal && reason.contains("is lost: the gzip stream is cut off"), "{reason}");
}

#[test]
fn other_formats_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let check = |bytes: &[u8], what: &str| {
        for bytes in [bytes.to_vec(), gzip(bytes)] {
            let path = dir.path().join("file");
            fs::write(&path, bytes).unwrap();
            let shards = vec![shard(&path)];
            let options = TfRecordOptions { payload: Payload::Example, ..Default::default() };
            let source = Arc::new(TfRecordSource::open(shards.clone(), options).unwrap());
            let detected = TfRecordSource::open(shards, TfRecordOptions::default()).err().unwrap();
            let error = source.clone().read(0, 10).err().unwrap();
            assert_eq!(error, detected);
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(error.message().ends_with("/file` is not a TFRecord file"), "{error}");
            assert!(error.detail().unwrap().contains(what), "{error}");
        }
    };
    check(b"trip,fare\n1,2.5\n", "CSV or other text: `trip,fare`");
    check(b"PAR1\x15\x04\x15\x10\x15\x04\x15\x10\x15\x04\x15\x10", "a Parquet file");
    check(b"\x89\x12\x93\x01\x55\x66\x77\x88\x99\x00\x11\x22\x33", "other binary data");
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_file_panics() {
    let good = framed(&records());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let options = TfRecordOptions { payload: Payload::Example, ..Default::default() };
        let source = Arc::new(TfRecordSource::open(vec![shard(&path)], options).unwrap());
        match source.clone().read(0, 2) {
            Ok(_) => drop(read(&source, 0, 2)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Input),
        }
    };
    for bytes in [&good, &gzip(&good), &zlib(&good)] {
        for end in 0..bytes.len() {
            check(&bytes[..end]);
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            check(&bytes);
        }
    }
}

#[test]
fn records_longer_than_the_limit_and_the_buffer() {
    let records = [vec![1; 10], vec![2; 3 * BUFFER], vec![3; 20]];
    let bytes = framed(&records);
    let mut reader = TfRecordReader::new(&bytes[..]);
    for record in &records {
        assert_eq!(reader.next_frame().unwrap(), Some(Frame::Record(record)));
    }
    assert_eq!(reader.next_frame().unwrap(), None);

    let mut reader = TfRecordReader::new(&bytes[..]);
    reader.max_len = 100;
    assert_eq!(reader.next_frame().unwrap(), Some(Frame::Record(&records[0])));
    let reason = "record 1 is 786432 bytes long; at most 100 are read".to_owned();
    assert_eq!(reader.next_frame().unwrap(), Some(Frame::Damaged(reason)));
    assert_eq!(reader.next_frame().unwrap(), Some(Frame::Record(&records[2])));
    assert_eq!((reader.record(), reader.record_offset()), (2, 26 + 16 + 786_432));
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn shards_come_sorted_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["b", "a", "b"].map(|name| dir.path().join(name));
    for path in &paths {
        fs::write(path, framed(&records())).unwrap();
    }
    let source = source(&paths);
    let names: Vec<_> = source.shards().iter().map(|s| s.path.rsplit('/').next()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
    assert!(source.clone().read(2, 10).is_err());
}

/// The folder of shared test data next to the checkout, if it is there.
fn shared(folder: &str) -> Option<Vec<PathBuf>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(folder);
    let Ok(files) = fs::read_dir(&data) else {
        println!("skipped: there is no {}", data.display());
        return None;
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().contains(".tfrecord"));
    paths.sort();
    Some(paths)
}

/// Nulls per column over all batches of all shards; a column may be absent from a batch.
fn null_counts(batches: &[RecordBatch]) -> BTreeMap<String, usize> {
    let mut present = BTreeMap::new();
    let mut n_rows = 0;
    for batch in batches {
        n_rows += batch.num_rows();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let nulls = column.logical_null_count();
            *present.entry(field.name().clone()).or_insert(0) += batch.num_rows() - nulls;
        }
    }
    present.into_iter().map(|(name, present)| (name, n_rows - present)).collect()
}

fn read_all(source: &Arc<TfRecordSource>) -> Vec<RecordBatch> {
    let batches = (0..source.shards().len()).flat_map(|shard| read(source, shard, 1000));
    batches.inspect(|batch| assert_eq!(batch.rejected, [])).map(|batch| batch.records).collect()
}

#[test]
fn taxi_has_its_rows_and_its_missing_values() {
    for folder in ["taxi/tfrecord", "taxi/tfrecord_gz"] {
        let Some(paths) = shared(folder) else { return };
        let batches = read_all(&source(&paths));
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 15_002);
        let mut nulls = null_counts(&batches);
        assert_eq!(nulls.len(), 18);
        nulls.retain(|_, n| *n > 0);
        let expected = [
            ("company", 5_140),
            ("dropoff_census_tract", 4_241),
            ("dropoff_community_area", 507),
            ("dropoff_latitude", 483),
            ("dropoff_longitude", 483),
            ("pickup_census_tract", 15_001),
            ("pickup_community_area", 2),
            ("pickup_latitude", 2),
            ("pickup_longitude", 2),
            ("trip_seconds", 6),
        ];
        assert_eq!(nulls, expected.map(|(name, n)| (name.to_owned(), n)).into());
    }
}

#[test]
fn projected_columns_are_the_same_as_without_projection() {
    let Some(paths) = shared("taxi/tfrecord") else { return };
    let all = read_all(&source(&paths));
    let columns = Some(vec!["fare".to_owned(), "company".to_owned(), "nothing".to_owned()]);
    let shards = paths.iter().map(|path| shard(path)).collect();
    let options = TfRecordOptions { payload: Payload::Detect, columns, keep_originals: false };
    let some = read_all(&Arc::new(TfRecordSource::open(shards, options).unwrap()));
    assert_eq!(all.len(), some.len());
    for (all, some) in all.iter().zip(&some) {
        let two =
            [all.schema().index_of("company").unwrap(), all.schema().index_of("fare").unwrap()];
        assert_eq!(&all.project(&two).unwrap(), some);
    }
}

#[test]
fn edge_penguin_and_sequence_have_their_rows() {
    let check = |folder: &str, rows: usize, columns: usize, null_counts_of: &[(&str, usize)]| {
        let Some(paths) = shared(folder) else { return };
        let batches = read_all(&source(&paths));
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{folder}");
        let nulls = null_counts(&batches);
        assert_eq!(nulls.len(), columns, "{folder}");
        for (name, expected) in null_counts_of {
            assert_eq!(nulls[*name], *expected, "{name}");
        }
    };
    check("edge", 400, 35, &[]);
    check("penguin", 334, 5, &[]);
    check("sequence", 15_000, 3, &[("f", 1_500), ("i", 1_500), (SEQUENCE_COLUMN, 0)]);
}

#[test]
fn sequences_are_lists_of_lists_under_one_struct() {
    let Some(paths) = shared("sequence") else { return };
    let source = source(&paths);
    assert_eq!(source.payload(), Payload::SequenceExample);
    for batch in read_all(&source) {
        let lists = batch.column_by_name(SEQUENCE_COLUMN).unwrap().as_struct();
        let DataType::List(outer) = lists.column_by_name("s").unwrap().data_type() else {
            panic!("not a list")
        };
        let DataType::List(inner) = outer.data_type() else { panic!("not a list of lists") };
        assert_eq!(inner.data_type(), &DataType::Binary);
    }
}

#[test]
fn corrupt_files_lose_what_they_must() {
    let Some(paths) = shared("corrupt") else { return };
    let expected = [
        ("bad_data_crc_record1", 2, vec![(1, false)]),
        ("bad_length_crc_record1", 1, vec![(1, true)]),
        ("empty", 0, vec![]),
        ("good3", 3, vec![]),
        ("truncated_in_header", 3, vec![(3, true)]),
        ("truncated_in_record2", 2, vec![(2, true)]),
    ];
    assert_eq!(paths.len(), expected.len());
    for (path, (name, rows, lost)) in paths.iter().zip(expected) {
        assert_eq!(path.file_stem().unwrap(), name);
        let batches = read(&source(std::slice::from_ref(path)), 0, 1000);
        let rejected = batches.iter().flat_map(|batch| &batch.rejected);
        assert_eq!(n_rows(&batches), rows, "{name}");
        assert_eq!(rejected.map(|r| (r.record, r.fatal)).collect::<Vec<_>>(), lost, "{name}");
    }
}
