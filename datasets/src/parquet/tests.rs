//! The Parquet source: real files, dictionaries, and files that are not sound.

use std::path::Path;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, Encoding};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::DataType;

use super::*;

/// What reading all shards gives: batches, and the reasons of rejections.
fn read_all(source: &ParquetSource, batch_rows: usize) -> (Vec<RecordBatch>, Vec<String>) {
    let (mut batches, mut reasons) = (Vec::new(), Vec::new());
    for (shard, about) in source.shards().iter().enumerate() {
        let (mut first_row, mut bytes, mut fatal) = (0, 0, false);
        for batch in Arc::new(source.clone()).read(shard, batch_rows).unwrap() {
            let batch = batch.unwrap();
            assert_eq!((batch.shard, batch.first_row), (shard, first_row));
            assert!(!fatal && batch.records.num_rows() <= batch_rows);
            first_row += batch.records.num_rows() as u64;
            bytes += batch.bytes;
            fatal = batch.rejected.iter().any(|rejected| rejected.fatal);
            reasons.extend(batch.rejected.iter().map(|rejected| rejected.reason.clone()));
            if batch.records.num_rows() > 0 {
                batches.push(batch.records);
            }
        }
        assert!(fatal || bytes == about.bytes, "{bytes} of {} bytes", about.bytes);
    }
    (batches, reasons)
}

fn n_rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Some columns of every physical type, with nulls.
fn sample(n: usize) -> RecordBatch {
    let some = |i: &usize| i % 7 != 3;
    let column = |name: &str, array: ArrayRef| (name.to_owned(), array);
    let of = 0..n;
    RecordBatch::try_from_iter([
        column("int", {
            let values = of.clone().map(|i| some(&i).then_some(i as i64 * 1_000_003));
            Arc::new(values.collect::<Int64Array>())
        }),
        column("float", {
            let values = of.clone().map(|i| some(&i).then_some(i as f64 / 3.0));
            Arc::new(values.collect::<Float64Array>())
        }),
        column("bool", {
            Arc::new(of.clone().map(|i| some(&i).then_some(i % 2 == 0)).collect::<BooleanArray>())
        }),
        column("few", {
            let values = of.clone().map(|i| some(&i).then(|| format!("value {}", i % 5)));
            Arc::new(values.collect::<StringArray>())
        }),
        column("many", {
            let values = of.map(|i| some(&i).then(|| format!("value {i}")));
            Arc::new(values.collect::<StringArray>())
        }),
    ])
    .unwrap()
}

fn write(records: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, records.schema(), Some(properties)).unwrap();
    writer.write(records).unwrap();
    writer.close().unwrap();
    bytes
}

/// A file with these bytes, which lives as long as the returned directory.
fn file(bytes: &[u8]) -> (tempfile::TempDir, Vec<InputFile>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, vec![InputFile { path, bytes: bytes.len() as u64 }])
}

/// Text of a column, whatever its encoding.
fn text(column: &ArrayRef) -> Vec<Option<String>> {
    let plain = arrow_cast::cast(column, &DataType::Utf8).unwrap();
    plain.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

#[test]
fn values_survive_every_encoding() {
    let records = sample(1000);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (dictionary, limit, encoding) in [
            (true, 1 << 20, Encoding::PLAIN),
            // The dictionary of `many` is given up in the middle of the row group.
            (true, 2000, Encoding::PLAIN),
            (false, 0, Encoding::PLAIN),
            (false, 0, Encoding::DELTA_BYTE_ARRAY),
            (false, 0, Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ] {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_dictionary_enabled(dictionary)
                .set_dictionary_page_size_limit(limit)
                .set_data_page_size_limit(500)
                .set_write_batch_size(16)
                .set_max_row_group_row_count(Some(300))
                .set_compression(Compression::SNAPPY)
                .set_column_encoding("many".into(), encoding)
                .build();
            let (_directory, files) = file(&write(&records, properties));
            let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
            assert_eq!(source.shards().len(), 1, "small row groups are one shard");
            let (batches, reasons) = read_all(&source, 128);
            assert!(reasons.is_empty(), "{reasons:?}");
            for name in ["int", "float", "bool", "few", "many"] {
                let column = |batch: &RecordBatch| text(batch.column_by_name(name).unwrap());
                let found: Vec<_> = batches.iter().flat_map(column).collect();
                assert_eq!(found, column(&records), "{name}, {version:?}, {encoding}, {limit}");
            }
            let few = batches[0].column_by_name("few").unwrap().data_type().clone();
            let coded = DataType::Dictionary(DataType::Int32.into(), DataType::Binary.into());
            assert_eq!(few == coded, dictionary);
            let many = batches[0].column_by_name("many").unwrap().data_type().clone();
            assert_eq!(many == coded, dictionary && limit > 2000, "{many}");
        }
    }
}

#[test]
fn codes_of_missing_values_are_null() {
    let (_directory, files) = file(&write(&sample(50), WriterProperties::default()));
    let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
    let (batches, _) = read_all(&source, 50);
    let few = batches[0].column_by_name("few").unwrap().as_dictionary::<Int32Type>();
    assert_eq!((few.null_count(), few.values().null_count()), (7, 0));
    assert_eq!(few.values().len(), 5);
}

#[test]
fn text_that_is_not_utf8_is_bytes() {
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), None, Some("good")]));
    let records = RecordBatch::try_from_iter([("s", column)]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut bytes = write(&records, properties);
    // No writer would write this: what the schema calls text is not.
    let value = bytes.windows(2).position(|two| two == b"ab").unwrap();
    bytes[value..value + 2].copy_from_slice(b"\xff\xfe");
    let (_directory, files) = file(&bytes);
    let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
    let (batches, reasons) = read_all(&source, 10);
    assert!(reasons.is_empty(), "{reasons:?}");
    let found: Vec<_> = batches[0].column(0).as_binary::<i32>().iter().collect();
    assert_eq!(found, [Some(&b"\xff\xfe"[..]), None, Some(b"good")]);
}

#[test]
fn columns_are_projected() {
    let (_directory, files) = file(&write(&sample(100), WriterProperties::default()));
    let open = |columns: &[&str]| {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let options = ReadOptions { columns: Some(columns), ..ReadOptions::default() };
        ParquetSource::open(files.clone(), &options)
    };
    let source = open(&["many", "int"]).unwrap();
    let (batches, _) = read_all(&source, 100);
    let schema = batches[0].schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["int", "many"]);
    assert!(source.shards()[0].bytes < open(&["many", "int", "few"]).unwrap().shards()[0].bytes);
    let error = open(&["mnay"]).err().unwrap();
    assert_eq!(error.to_string(), "there is no column `mnay`\n  hint: Did you mean `many`?");
    let (batches, _) = read_all(&open(&[]).unwrap(), 100);
    assert_eq!((n_rows(&batches), batches[0].num_columns()), (100, 0));
}

#[test]
fn schemas_may_differ_but_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str, array: ArrayRef| {
        let records = RecordBatch::try_from_iter([("x", array)]).unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, write(&records, WriterProperties::default())).unwrap();
        InputFile { path: path.to_str().unwrap().to_owned(), bytes: 0 }
    };
    let ints = make("a", Arc::new(Int64Array::from(vec![1])));
    let floats = make("b", Arc::new(Float64Array::from(vec![1.0])));
    let options = ReadOptions::default();
    let source = ParquetSource::open(vec![floats, ints.clone()], &options).unwrap();
    let conflict = source.schema_conflict().unwrap();
    assert!(conflict.starts_with("column `x` is Int64 in one file and Float64"), "{conflict}");
    assert_eq!(n_rows(&read_all(&source, 10).0), 2);
    assert_eq!(ParquetSource::open(vec![ints], &options).unwrap().schema_conflict(), None);
}

#[test]
fn files_without_rows_are_fine() {
    let empty = sample(0);
    let (_directory, files) = file(&write(&empty, WriterProperties::default()));
    let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
    let (batches, reasons) = read_all(&source, 10);
    assert!(batches.is_empty() && reasons.is_empty());
}

/// Opens and reads, whatever comes; returns rows, and whether anything was wrong.
fn survives(bytes: &[u8]) -> (usize, bool) {
    let (_directory, files) = file(bytes);
    match ParquetSource::open(files, &ReadOptions::default()) {
        Err(error) => {
            assert!(error.message().ends_with("is not a sound Parquet file"), "{error}");
            (0, true)
        }
        Ok(source) => {
            let (mut rows, mut wrong) = (0, false);
            for shard in 0..source.shards().len() {
                for batch in Arc::new(source.clone()).read(shard, 64).unwrap() {
                    let batch = batch.unwrap();
                    rows += batch.records.num_rows();
                    wrong |= !batch.rejected.is_empty();
                }
            }
            (rows, wrong)
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(40))
        .set_compression(Compression::SNAPPY)
        .build();
    let bytes = write(&sample(100), properties);
    assert_eq!(survives(&bytes), (100, false));
    for len in (0..bytes.len()).step_by(13) {
        assert_eq!(survives(&bytes[..len]), (0, true), "cut off at {len}");
    }
    for at in (0..bytes.len()).step_by(5) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let (rows, _) = survives(&damaged);
        assert!(rows <= 1000, "{rows} rows from a file of 100, damaged at {at}");
    }
}

#[test]
fn the_row_group_that_is_damaged_is_named() {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(40))
        .set_dictionary_enabled(false)
        .set_compression(Compression::SNAPPY)
        .build();
    let mut bytes = write(&sample(100), properties);
    let (_directory, files) = file(&bytes);
    let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
    let group = source.files[0].metadata.metadata().row_group(1).clone();
    let column = group.column(4);
    let start = column.data_page_offset() as usize;
    let end = start + column.compressed_size() as usize;
    bytes[end - 60..end].fill(0xff);
    let (_directory, files) = file(&bytes);
    let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
    let (batches, reasons) = read_all(&source, 40);
    assert_eq!(n_rows(&batches), 40);
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].starts_with("row group 1 of `/"), "{reasons:?}");
}

#[test]
fn the_taxi_files_are_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/taxi/parquet");
    if !directory.is_dir() {
        println!("skipped: there is no {}", directory.display());
        return;
    }
    let input = directory.to_str().unwrap().to_owned();
    let files = crate::inputs::resolve(&[input], None).unwrap().files;
    let source = ParquetSource::open(files, &ReadOptions::default()).unwrap();
    assert_eq!(source.schema_conflict(), None);
    let (batches, reasons) = read_all(&source, 1000);
    assert_eq!((n_rows(&batches), reasons.len()), (15_002, 0));
    let missing = |name: &str| -> usize {
        batches.iter().map(|batch| batch.column_by_name(name).unwrap().null_count()).sum()
    };
    assert_eq!(missing("company"), 5_140);
    assert_eq!(missing("pickup_census_tract"), 15_001);
    assert_eq!(missing("fare"), 0);
}
