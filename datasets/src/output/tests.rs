//! Rows that are read and written again: the same records, the same bytes, whole or not at all.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use engine::Source;
use flate2::write::GzEncoder;

use super::rows::Output;
use super::*;
use crate::inputs::InputFile;
use crate::{ReadOptions, TfRecordWriter, open};

/// Opens one file as a source.
fn source(path: &Path) -> Arc<dyn Source> {
    let bytes = fs::metadata(path).unwrap().len();
    let file = InputFile { path: path.to_str().unwrap().to_owned(), bytes };
    let types = crate::csv::CsvTypes {
        columns: [("i", crate::csv::CsvType::Int), ("s", crate::csv::CsvType::String)]
            .map(|(name, of)| (name.to_owned(), of))
            .into(),
    };
    let csv_types = Some(types);
    let options = ReadOptions { keep_originals: true, csv_types, ..ReadOptions::default() };
    open(vec![file], None, &options).unwrap()
}

/// Writes the rows of every shard of a file for which `keep` holds into `out`.
fn copy(from: &Path, format: &RowFormat, out: &Path, batch_rows: usize, keep: fn(u64) -> bool) {
    let source = source(from);
    for (number, shard) in source.shards().iter().enumerate() {
        let mut writer = RowsWriter::create(out, format, shard).unwrap();
        let mut row = 0;
        let mut kept = 0;
        for batch in source.clone().read(number, batch_rows).unwrap() {
            let batch = batch.unwrap();
            let rows = row..row + batch.records.num_rows() as u64;
            row = rows.end;
            let mask: Vec<bool> = rows.map(keep).collect();
            kept += mask.iter().filter(|keep| **keep).count() as u64;
            writer.write(&batch, Some(&mask)).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), kept);
    }
}

fn examples(n: usize) -> Vec<Vec<u8>> {
    // features { feature { key: "x" value { int64_list { value: i } } } }, with an unknown field.
    let example = |i: usize| {
        let mut record = b"\x0a\x0c\x0a\x0a\x0a\x01x\x12\x05\x1a\x03\x0a\x01".to_vec();
        record.extend([i as u8 % 100, 0xf8, 0x07, 0x01]);
        record
    };
    (0..n).map(example).collect()
}

fn tfrecord(records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = TfRecordWriter::new(Vec::new());
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.into_inner()
}

#[test]
fn records_are_written_as_they_came() {
    let place = tempfile::tempdir().unwrap();
    let (from, out) = (place.path().join("a.tfrecord"), place.path().join("b.tfrecord"));
    let records = examples(50);
    fs::write(&from, tfrecord(&records)).unwrap();
    let format = RowFormat::kept("tfrecord").unwrap();
    for batch_rows in [1, 7, 4096] {
        copy(&from, &format, &out, batch_rows, |_| true);
        assert_eq!(fs::read(&out).unwrap(), fs::read(&from).unwrap());
        copy(&from, &format, &out, batch_rows, |row| row % 3 == 0);
        let expected: Vec<_> = records.iter().step_by(3).cloned().collect();
        assert_eq!(fs::read(&out).unwrap(), tfrecord(&expected));
    }
}

#[test]
fn lines_are_written_as_they_came() {
    let place = tempfile::tempdir().unwrap();
    let (from, out) = (place.path().join("a.csv"), place.path().join("b.csv"));
    let format = RowFormat::kept("csv").unwrap();
    let check = |text: &str, expected: &str| {
        fs::write(&from, text).unwrap();
        for batch_rows in [1, 2, 4096] {
            copy(&from, &format, &out, batch_rows, |row| row != 1);
            assert_eq!(fs::read_to_string(&out).unwrap(), expected);
        }
    };
    check("i,s\n1,0.10\n2,b\n3,\"x,\n\"\"y\"\n", "i,s\n1,0.10\n3,\"x,\n\"\"y\"\n");
    // Other line endings, blank lines, an undecodable line, no ending at the end.
    check("\u{feff}i,s\r\n1,a\r\n\r\nx,y\r\n2,b\r\n3,c", "i,s\r\n1,a\r\n3,c\n");
    check("i,s\n", "i,s\n");
    let zipped = place.path().join("a.csv.gz");
    let mut zip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zip, b"i,s\n1,a\n2,b\n3,c\n").unwrap();
    fs::write(&zipped, zip.finish().unwrap()).unwrap();
    let out = place.path().join("b.csv.gz");
    copy(&zipped, &format, &out, 2, |row| row != 1);
    let mut text = String::new();
    let mut unzip = flate2::read::MultiGzDecoder::new(fs::File::open(&out).unwrap());
    std::io::Read::read_to_string(&mut unzip, &mut text).unwrap();
    assert_eq!(text, "i,s\n1,a\n3,c\n");
}

#[test]
fn tables_keep_their_schema_and_have_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let (from, out) = (place.path().join("a.parquet"), place.path().join("b.parquet"));
    let numbers: ArrayRef =
        Arc::new((0..20_000).map(|i| (i % 10 != 3).then_some(i)).collect::<Int64Array>());
    let words: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..20_000).map(|i| format!("w{}", i % 7))));
    let records = RecordBatch::try_from_iter([("i", numbers), ("s", words)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&from).unwrap(), records.schema(), None).unwrap();
    writer.write(&records).unwrap();
    writer.close().unwrap();
    let format = RowFormat::kept("parquet").unwrap();
    let read = || {
        let file = fs::File::open(&out).unwrap();
        let reader =
            ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1 << 20);
        reader.unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let mut bytes = Vec::new();
    for batch_rows in [1000, 4096, 4097, 100_000] {
        copy(&from, &format, &out, batch_rows, |_| true);
        assert_eq!(read(), std::slice::from_ref(&records));
        bytes.push(fs::read(&out).unwrap());
    }
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
    copy(&from, &format, &out, 4096, |_| false);
    assert!(read().is_empty());
    let file = fs::File::open(&out).unwrap();
    let schema = ::parquet::arrow::arrow_reader::ArrowReaderMetadata::load(
        &file,
        ::parquet::arrow::arrow_reader::ArrowReaderOptions::new(),
    );
    assert_eq!(schema.unwrap().schema(), &records.schema());
}

#[test]
fn columns_that_come_late_are_in_the_whole_table() {
    let directory = tempfile::tempdir().unwrap();
    // features { feature { key: "b" … } }, then with `a` before it: more rows than are encoded together.
    let entry = |name: u8, i: u8| {
        [b"\x0a\x0a\x0a\x01", &[name][..], b"\x12\x05\x1a\x03\x0a\x01", &[i]].concat()
    };
    let record = |i: usize| match i {
        0..20_000 => [b"\x0a\x0c", &entry(b'b', 7)[..]].concat(),
        _ => [b"\x0a\x18", &entry(b'a', 5)[..], &entry(b'b', 7)].concat(),
    };
    let records: Vec<Vec<u8>> = (0..30_000).map(record).collect();
    let from = directory.path().join("a.tfrecord");
    fs::write(&from, tfrecord(&records)).unwrap();
    let written = [9_000, 123, 30_000].map(|batch_rows| {
        let out = directory.path().join(format!("{batch_rows}.parquet"));
        copy(&from, &RowFormat::named("parquet").unwrap(), &out, batch_rows, |_| true);
        out
    });
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(names.len(), 4, "{names:?}");
    let bytes = written.each_ref().map(|path| fs::read(path).unwrap());
    assert!(bytes[0] == bytes[1] && bytes[1] == bytes[2]);
    let (mut sums, mut nulls) = ([0, 0], [0, 0]);
    for batch in source(&written[0]).read(0, 1000).unwrap() {
        let records = batch.unwrap().records;
        for (i, name) in ["a", "b"].into_iter().enumerate() {
            let lists = records.column_by_name(name).unwrap().as_list::<i32>();
            nulls[i] += lists.null_count();
            sums[i] += lists.values().as_primitive::<Int64Type>().values().iter().sum::<i64>();
        }
    }
    assert_eq!((sums, nulls), ([50_000, 210_000], [20_000, 0]));
}

#[test]
fn columns_that_come_late_are_in_all_lines() {
    let directory = tempfile::tempdir().unwrap();
    // features { feature { key: "b" value { bytes_list { value: "…" } } } … }, with `a` and `c` later.
    let entry = |name: u8, text: &[u8]| {
        let n = text.len() as u8;
        let feature = [&[0x0a, n + 2, 0x0a, n], text].concat();
        let entry = [&[0x0a, 1, name, 0x12, n + 4], &feature[..]].concat();
        [&[0x0a, entry.len() as u8], &entry[..]].concat()
    };
    let example = |entries: &[Vec<u8>]| {
        let features = entries.concat();
        [&[0x0a, features.len() as u8], &features[..]].concat()
    };
    let records = [
        example(&[]),
        example(&[entry(b'b', b"1")]),
        example(&[entry(b'b', b"two\nlines, \"said\"")]),
        example(&[entry(b'b', b"3"), entry(b'c', b"last")]),
        example(&[entry(b'a', b"first"), entry(b'b', b"")]),
        example(&[]),
        example(&[entry(b'b', b"6")]),
    ];
    let from = directory.path().join("in.tfrecord");
    fs::write(&from, tfrecord(&records)).unwrap();
    let lines = [",,", ",1,", ",\"two\nlines, \"\"said\"\"\",", ",3,last", "first,,", ",,", ",6,"];
    for (header, name) in [(true, "out.csv"), (false, "out.csv"), (true, "out.csv.gz")] {
        let mut format = RowFormat::named("csv").unwrap();
        format.header = header;
        let expected: Vec<&str> = header.then_some("a,b,c").into_iter().chain(lines).collect();
        let expected = expected.join("\n") + "\n";
        for batch_rows in [1, 2, 3, 4, 100] {
            let out = directory.path().join(name);
            copy(&from, &format, &out, batch_rows, |_| true);
            let mut text = fs::read(&out).unwrap();
            if Output::is_gzip(&out) {
                let mut plain = Vec::new();
                std::io::Read::read_to_end(
                    &mut flate2::read::MultiGzDecoder::new(&text[..]),
                    &mut plain,
                )
                .unwrap();
                text = plain;
            }
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{batch_rows} {name}");
            fs::remove_file(&out).unwrap();
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }
}

#[test]
fn tables_of_long_rows_have_small_groups_and_the_same_bytes() {
    const ROW: usize = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    // Nothing that a codec could make smaller.
    let noise = |i: u64| xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()).to_le_bytes();
    let noise: Vec<u8> = (0..70 * ROW as u64 / 8).flat_map(noise).collect();
    let values = BinaryArray::from_iter_values(noise.chunks(ROW));
    let item = Arc::new(Field::new("item", DataType::Binary, true));
    let lists = OffsetBuffer::from_lengths([0, 2].into_iter().chain([1; 68]));
    let lists: ArrayRef = Arc::new(ListArray::new(item, lists, Arc::new(values), None));
    let lists = StructArray::from(vec![(
        Arc::new(Field::new("list", lists.data_type().clone(), true)),
        lists,
    )]);
    let all = RecordBatch::try_from_iter([("s", Arc::new(lists) as ArrayRef)]).unwrap();
    let written = [1, 7, 70].map(|batch_rows| {
        let path = directory.path().join(format!("{batch_rows}.parquet"));
        let format = RowFormat::named("parquet").unwrap();
        let mut writer = RowsWriter::new(&path, &format, None).unwrap();
        for start in (0..70).step_by(batch_rows) {
            writer.write_columns(&all.slice(start, batch_rows)).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 70);
        path
    });
    let bytes = written.each_ref().map(|path| fs::read(path).unwrap());
    assert!(bytes[0] == bytes[1] && bytes[1] == bytes[2]);
    let source = source(&written[0]);
    let parts: Vec<_> = source.shards().iter().map(|shard| shard.part.clone().unwrap()).collect();
    assert_eq!(parts, [0..1, 1..2]);
    let rows = (0..2).flat_map(|shard| source.clone().read(shard, 1000).unwrap());
    let rows: Vec<usize> = rows.map(|batch| batch.unwrap().records.num_rows()).collect();
    assert_eq!(rows.iter().sum::<usize>(), 70);
    assert!((60..=66).contains(&rows[0]), "{rows:?}");
}

#[test]
fn a_line_of_one_empty_cell_is_a_row() {
    let place = tempfile::tempdir().unwrap();
    let (from, out) = (place.path().join("a.csv"), place.path().join("b.csv"));
    fs::write(&from, "s\n1\n\"\"\n3\n").unwrap();
    let mut writer = RowsWriter::new(&out, &RowFormat::named("csv").unwrap(), None).unwrap();
    let read = || source(&from).read(0, 2).unwrap().map(|batch| batch.unwrap());
    assert_eq!(read().map(|batch| batch.records.num_rows()).sum::<usize>(), 3);
    read().for_each(|batch| writer.write(&batch, None).unwrap());
    assert_eq!(writer.finish().unwrap(), 3);
    assert_eq!(fs::read_to_string(&out).unwrap(), fs::read_to_string(&from).unwrap());
}

#[test]
fn other_formats_are_encoded() {
    let place = tempfile::tempdir().unwrap();
    let from = place.path().join("a.csv");
    fs::write(&from, "i,s\n1,a\n,\"b,\"\"\"\n2,\n").unwrap();
    let out = place.path().join("b");
    copy(&from, &RowFormat::named("csv").unwrap(), &out, 2, |_| true);
    assert_eq!(fs::read_to_string(&out).unwrap(), fs::read_to_string(&from).unwrap());
    copy(&from, &RowFormat::named("tfrecord").unwrap(), &out, 2, |_| true);
    let source = source(&out);
    let batch = source.read(0, 100).unwrap().next().unwrap().unwrap();
    let names: Vec<_> =
        batch.records.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!((batch.records.num_rows(), names), (3, vec!["i".to_owned(), "s".to_owned()]));
    assert!(RowFormat::named("xml").is_err());
}

#[test]
fn an_output_appears_whole_or_not_at_all() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("deep/out");
    let names = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    };
    let directory = OutputDirectory::create(&path, false).unwrap();
    fs::write(directory.file("a/x").unwrap(), "x").unwrap();
    assert!(!path.exists());
    drop(directory);
    assert!(names(path.parent().unwrap()).is_empty());

    // What a crash has left is in nobody's way.
    fs::create_dir(path.parent().unwrap().join(".out-crash.partial")).unwrap();
    let saved = |directory: &OutputDirectory, name: &str| SavedShard {
        shard: format!("/in/{name}"),
        name: name.to_owned(),
        rows: 1,
        place: directory.place(),
    };
    let write = |overwrite: bool, text: &str| {
        let first = OutputDirectory::create(&path, overwrite)?;
        // Another process.
        let second = OutputDirectory::create(&path, overwrite)?;
        fs::write(first.file("a").unwrap(), text).unwrap();
        fs::write(second.file("b/c").unwrap(), text).unwrap();
        let shards = [saved(&first, "a"), saved(&second, "b/c")];
        second.leave();
        drop(second);
        first.commit(&shards)
    };
    write(false, "first").unwrap();
    assert_eq!(names(&path), [RECEIPT, "a", "b"]);
    assert_eq!(fs::read_to_string(path.join("b/c")).unwrap(), "first");
    let receipt = fs::read_to_string(path.join(RECEIPT)).unwrap();
    assert!(receipt.contains("{\"name\": \"b/c\", \"rows\": 1, \"of\": \"/in/b/c\"}"), "{receipt}");
    let error = write(false, "second").unwrap_err();
    assert!(error.message().ends_with("is there already"), "{error}");
    write(true, "second").unwrap();
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "second");
    assert_eq!(names(path.parent().unwrap()), [".out-crash.partial", "out"]);

    // A shard that is not where it should be.
    let directory = OutputDirectory::create(&place.path().join("other"), false).unwrap();
    let error = directory.commit(&[saved(&directory, "a")]).unwrap_err();
    assert!(error.message().starts_with("cannot take over"), "{error}");
    drop(directory);
    assert_eq!(names(place.path()), ["deep"]);
}

#[test]
fn places_that_are_taken_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir_all(path("full/in")).unwrap();
    fs::create_dir(path("empty")).unwrap();
    fs::write(path("full/x"), "").unwrap();
    let create = |name: &str, expected: &str| {
        let error = OutputDirectory::create(&path(name), true).unwrap_err();
        assert!(error.message().ends_with(expected), "{error}");
    };
    create("full/x", "is not a directory");
    create("full", "holds other files");
    create("full/x/y", "File exists (os error 17)");
    OutputDirectory::create(&path("empty"), false).unwrap();

    let files = [InputFile { path: path("full/x").to_str().unwrap().to_owned(), bytes: 0 }];
    let inputs = [path("full").to_str().unwrap().to_owned()];
    let check = |name: &str, inputs: &[String], expected: Option<&str>| {
        let refused = OutputDirectory::refuse_inputs(&path(name), inputs, &files).err();
        let refused = refused.map(|error| error.message().to_owned());
        match expected {
            None => assert_eq!(refused, None),
            Some(end) => assert!(refused.clone().unwrap().ends_with(end), "{refused:?}"),
        }
    };
    check("full", &inputs, Some("holds inputs"));
    check("", &[], Some("holds inputs"));
    check("full/out", &inputs, Some("is inside of an input"));
    check("full/in/../out/deep", &inputs, Some("is inside of an input"));
    check("full/out", &[], None);
    check("out", &inputs, None);
}
