//! The CSV source as a whole: against another reader, at every size, and on real files.

use std::io::Write;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use engine::CombineFn;
use proptest::prelude::*;

use super::*;

/// A cell of any type as text.
fn cell(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) || array.data_type() == &arrow_schema::DataType::Null {
        return None;
    }
    Some(match array.data_type() {
        arrow_schema::DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        arrow_schema::DataType::Float32 => {
            format!("{:?}", array.as_primitive::<Float32Type>().value(row))
        }
        arrow_schema::DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            let values = (0..list.len()).map(|i| cell(&list, i).unwrap_or_default());
            values.collect::<Vec<_>>().join(" ")
        }
        arrow_schema::DataType::Binary => {
            String::from_utf8_lossy(array.as_binary::<i32>().value(row)).into_owned()
        }
        _ => String::from_utf8_lossy(array.as_binary_view().value(row)).into_owned(),
    })
}

fn rows(records: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let row = |i| records.columns().iter().map(|column| cell(column, i)).collect();
    (0..records.num_rows()).map(row).collect()
}

/// Everything that reading a source gives.
#[derive(Debug, Default, PartialEq)]
struct All {
    rows: Vec<Vec<Option<String>>>,
    /// Byte, reason, fatal.
    rejected: Vec<(u64, String, bool)>,
}

fn read_all(source: &CsvSource, batch_rows: usize) -> All {
    let mut all = All::default();
    for (shard, about) in source.shards().iter().enumerate() {
        let (mut first_row, mut records, mut bytes) = (0, 0, 0);
        let mut fatal = false;
        for batch in Arc::new(source.clone()).read(shard, batch_rows).unwrap() {
            let batch = batch.unwrap();
            assert!(!fatal, "nothing comes after a fatal rejection");
            assert_eq!((batch.shard, batch.first_row), (shard, first_row));
            assert!(batch.records.num_rows() <= batch_rows);
            first_row += batch.records.num_rows() as u64;
            for rejected in &batch.rejected {
                assert!(rejected.record >= records, "in record order");
                fatal |= rejected.fatal;
                all.rejected.push((rejected.byte, rejected.reason.clone(), rejected.fatal));
            }
            records += (batch.records.num_rows() + batch.rejected.len()) as u64;
            bytes += batch.bytes;
            all.rows.extend(rows(&batch.records));
        }
        assert!(fatal || bytes == about.bytes, "{bytes} of {} bytes", about.bytes);
    }
    all
}

/// A file with this text, which lives as long as the returned directory.
fn file(text: &[u8]) -> (tempfile::TempDir, Vec<InputFile>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, vec![InputFile { path, bytes: text.len() as u64 }])
}

#[expect(clippy::unnecessary_wraps, reason = "it is the value of an option")]
fn names(columns: &[&str]) -> Option<Vec<String>> {
    Some(columns.iter().map(|name| (*name).to_owned()).collect())
}

fn infer(source: &CsvSource) -> CsvTypes {
    let infer = InferCsvTypes { multivalent: source.multivalent.clone() };
    let mut merged = infer.create_accumulator();
    for shard in 0..source.shards().len() {
        let mut types = infer.create_accumulator();
        for batch in Arc::new(source.clone()).read(shard, 100).unwrap() {
            infer.add_input(&mut types, &batch.unwrap()).unwrap();
        }
        infer.merge_accumulators(&mut merged, types).unwrap();
    }
    infer.extract_output(merged).unwrap()
}

/// Reads text with a header, untyped, and compares the rows (cells joined by `|`, missing as `-`).
fn check(text: &str, options: &ReadOptions, expected: &[&str], rejected: &[(u64, &str)]) {
    let (_directory, files) = file(text.as_bytes());
    let source = CsvSource::open(files, options).unwrap();
    let all = read_all(&source, 100);
    let shown: Vec<String> = all
        .rows
        .iter()
        .map(|row| {
            let cells = row.iter().map(|cell| cell.clone().unwrap_or("-".to_owned()));
            cells.collect::<Vec<_>>().join("|")
        })
        .collect();
    assert_eq!(shown, expected, "{text:?}");
    let found: Vec<(u64, &str)> =
        all.rejected.iter().map(|(byte, reason, _)| (*byte, reason.as_str())).collect();
    assert_eq!(found, rejected, "{text:?}");
}

#[test]
fn cells_and_records() {
    let plain = ReadOptions::default();
    check("a,b\n1,2\n3,4", &plain, &["1|2", "3|4"], &[]);
    check("a,b\r\n1,2\r\n\r\n\n3,4\r\n", &plain, &["1|2", "3|4"], &[]);
    check("\u{feff}a,b\n1,2\n", &plain, &["1|2"], &[]);
    check("\n\r\na,b\n,\n1,\n,2\n", &plain, &["-|-", "1|-", "-|2"], &[]);
    check("a\n\"\"\n\n1\n", &plain, &["-", "1"], &[]);
    check("\"a,1\",\"b\"\n\"x,\ny\",\"\"\"q\"\"\"\n", &plain, &["x,\ny|\"q\""], &[]);
    check("a,b\nx\"y,z\"\n\"x\"y,z\n", &plain, &["x\"y|z\"", "xy|z"], &[]);
    check(
        "a,b\nlonger than twelve bytes,\"also longer \"\"than\"\" twelve\"\n",
        &plain,
        &["longer than twelve bytes|also longer \"than\" twelve"],
        &[],
    );
    check(
        "a,b\n1\n1,2\n1,2,3\n5,6\n",
        &plain,
        &["1|2", "5|6"],
        &[(4, "the record has 1 cells, expected 2"), (10, "the record has 3 cells, expected 2")],
    );
    check(
        "a,b\n1,2\n3,\"4\n5,6\n",
        &plain,
        &["1|2"],
        &[(8, "a quoted cell is not closed before the end of the file")],
    );
    let tabs = ReadOptions { delimiter: b'\t', ..ReadOptions::default() };
    check("a\tb\n1,\t2\n", &tabs, &["1,|2"], &[]);
    let nameless = ReadOptions { column_names: names(&["a", "b"]), ..ReadOptions::default() };
    check("1,2\n3,4\n", &nameless, &["1|2", "3|4"], &[]);
    let projected = ReadOptions { columns: names(&["c", "a"]), ..ReadOptions::default() };
    check("a,b,c\n1,2,3\n", &projected, &["1|3"], &[]);
    check("", &plain, &[], &[]);
    check("a,b\n", &plain, &[], &[]);
}

#[test]
fn typed_cells() {
    let typed = |pairs: &[(&str, CsvType)]| ReadOptions {
        csv_types: Some(CsvTypes {
            columns: pairs.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
        }),
        multivalent: Multivalent { columns: vec!["l".to_owned()], delimiter: b'|' },
        ..ReadOptions::default()
    };
    use CsvType::{Float, Int, String, Unknown};
    check(
        "a,b,c,l\n 5 ,1e3,x,1|2|3\n,,,\n\"1_0\",\"0.1\",\"\"\"\",\"7\"\n1,inf,,-1\n",
        &typed(&[("a", Int), ("b", Float), ("c", String), ("l", Int)]),
        &["5|1000.0|x|1 2 3", "-|-|-|-", "10|0.1|\"|7", "1|inf|-|-1"],
        &[],
    );
    check(
        "a,b,c,l\n1,x,1,1\n2,1,1,\n9223372036854775808,1,\"\",1.5|2\n3,1,,x\n4,5,,1|\n",
        &typed(&[("a", Int), ("b", Float), ("c", Unknown), ("l", Float)]),
        &[],
        &[
            (8, "column `b` is float, not `x`"),
            (16, "column `c` is unknown, not `1`"),
            (23, "column `a` is int, not `9223372036854775808`"),
            (54, "column `l` is list of float, not `x`"),
            (61, "column `l` is list of float, not `1|`"),
        ],
    );
    // Columns without a type are not read.
    check("a,b,c,l\n1,x,y,z\n", &typed(&[("a", Int)]), &["1"], &[]);
    check(
        "a,l\n1,x|\n1|2,\"a|\"\"b\"\n",
        &typed(&[("a", String), ("l", String)]),
        &["1|x ", "1|2|a \"b"],
        &[],
    );
}

#[test]
fn types_are_inferred() {
    let (_directory, files) = file(b"a,b,c,l,n\n1,1,1,1|2,\n2.5,2,x y z longer,3|4.5,\n");
    let options = ReadOptions {
        multivalent: Multivalent { columns: vec!["l".to_owned()], delimiter: b'|' },
        ..ReadOptions::default()
    };
    let types = infer(&CsvSource::open(files, &options).unwrap());
    let found: Vec<_> = types.columns.iter().map(|(name, kind)| (&name[..], *kind)).collect();
    use CsvType::{Float, Int, String, Unknown};
    assert_eq!(found, [("a", Float), ("b", Int), ("c", String), ("l", Float), ("n", Unknown)]);
}

#[test]
fn headers_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        InputFile { path: path.to_str().unwrap().to_owned(), bytes: text.len() as u64 }
    };
    let (a, b) = (make("a.csv", "x,y\n1,2\n"), make("b.csv", "x,z\n1,2\n"));
    let check = |files: &[&InputFile], options: &ReadOptions, expected: &str| {
        let files = files.iter().map(|file| (*file).clone()).collect();
        let error = CsvSource::open(files, options).err().expect(expected);
        assert!(error.to_string().contains(expected), "{error}");
    };
    let plain = ReadOptions::default();
    check(&[&a, &b], &plain, "files have different headers\n  detail: Column 1 is `y` in");
    check(&[&a, &make("c.csv", "x\n1\n")], &plain, "a.csv` has 2 columns, ");
    check(&[&make("d.csv", "x,x\n")], &plain, "column `x` appears twice in the header");
    check(&[&make("e.csv", "x,\"y\n1\n")], &plain, "does not end");
    let utf16 = directory.path().join("h.csv");
    std::fs::write(&utf16, b"\xff\xfea\0,\0").unwrap();
    let utf16 = InputFile { path: utf16.to_str().unwrap().to_owned(), bytes: 6 };
    check(&[&utf16], &plain, "is UTF-16 text");
    let unknown = ReadOptions { columns: names(&["Y"]), ..ReadOptions::default() };
    check(&[&a], &unknown, "there is no column `Y`\n  hint: Did you mean `y`?");
    let quote = ReadOptions { delimiter: b'"', ..ReadOptions::default() };
    check(&[&a], &quote, "cannot be the delimiter");
    let same = CsvSource::open(vec![a, make("f.csv", "\"x\",y"), make("g.csv", "")], &plain);
    assert_eq!(same.unwrap().header(), ["x", "y"]);
}

#[test]
fn gzip_is_told_by_content_and_may_be_cut_off() {
    let mut text = b"a,b\n".to_vec();
    (0..50_000).for_each(|i| writeln!(text, "{i},{}", i * 7).unwrap());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&text).unwrap();
    let packed = packed.finish().unwrap();
    let (_directory, files) = file(&packed);
    let source = CsvSource::open(files, &ReadOptions::default()).unwrap();
    let whole = read_all(&source, 1000);
    assert_eq!((whole.rows.len(), whole.rejected.len()), (50_000, 0));
    let (_directory, files) = file(&packed[..packed.len() / 2]);
    let source = CsvSource::open(files, &ReadOptions::default()).unwrap();
    let cut = read_all(&source, 1000);
    assert!(cut.rows.len() > 10_000, "{}", cut.rows.len());
    assert_eq!(cut.rows, whole.rows[..cut.rows.len()]);
    let (_, reason, fatal) = &cut.rejected[0];
    assert!(*fatal && reason.starts_with("cannot read on: "), "{reason}");
}

#[test]
fn a_record_that_never_ends_is_refused() {
    let (_directory, files) = file(format!("a\n1\n\"{}\n2\n", "x".repeat(5000)).as_bytes());
    let sizes = Sizes { block: 100, record: 1000, ..SIZES };
    let source = CsvSource::with_sizes(files, &ReadOptions::default(), sizes).unwrap();
    let all = read_all(&source, 10);
    assert_eq!(all.rows.len(), 1);
    assert_eq!(
        all.rejected,
        [(4, "a quoted cell goes on for more than 1000 bytes".to_owned(), true)]
    );
}

/// What the `csv` crate makes of text without a header: rows of two cells, and how many others.
fn reference(text: &[u8]) -> (Vec<Vec<Option<String>>>, usize) {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(::csv::Terminator::Any(b'\n'))
        .from_reader(text);
    let (mut rows, mut others) = (Vec::new(), 0);
    for record in reader.byte_records() {
        let record = record.unwrap();
        if record.len() != 2 {
            others += 1;
            continue;
        }
        let cell =
            |cell: &[u8]| (!cell.is_empty()).then(|| String::from_utf8_lossy(cell).into_owned());
        rows.push(record.iter().map(cell).collect());
    }
    (rows, others)
}

fn open_sized(files: Vec<InputFile>, sizes: Sizes) -> CsvSource {
    let options = ReadOptions { column_names: names(&["a", "b"]), ..ReadOptions::default() };
    CsvSource::with_sizes(files, &options, sizes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Text of nothing but what is special, at every size of ranges, blocks and batches.
    #[test]
    fn equals_the_csv_crate(
        text in "[a,\"\n]{0,80}|(\"(a|,|\n|\"\"){0,9}\"[,\n]|[ab]{0,20}[,\n]){0,30}",
        range in 1u64..50,
        block in 1usize..90,
        window in 1u64..20,
        batch_rows in 1usize..9,
    ) {
        let (_directory, files) = file(text.as_bytes());
        let whole = read_all(&open_sized(files.clone(), SIZES), 1000);
        let (mut rows, mut others) = reference(text.as_bytes());
        let rejected = whole.rejected.iter().filter(|(_, _, fatal)| !fatal).count();
        if whole.rejected.len() > rejected {
            // The other reader makes a record of what is not closed: it is the last one.
            if rows.len() > whole.rows.len() { rows.pop(); } else { others -= 1; }
        }
        prop_assert_eq!(&whole.rows, &rows);
        prop_assert_eq!(rejected, others);

        let sizes = Sizes { range, block, window, ..SIZES };
        let split = read_all(&open_sized(files, sizes), batch_rows);
        prop_assert_eq!(split, whole);
    }

    /// Any cells, written by the other crate.
    #[test]
    fn reads_what_the_csv_crate_writes(
        cells in proptest::collection::vec(("\\PC{0,20}|[\"\r\n, ]{0,9}", "[x\"]{0,30}"), 0..40),
        always in proptest::bool::ANY,
        block in 1usize..200,
    ) {
        let style =
            if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
        let mut writer = ::csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
        for (a, b) in &cells {
            writer.write_record([a, b]).unwrap();
        }
        let (_directory, files) = file(&writer.into_inner().unwrap());
        let all = read_all(&open_sized(files, Sizes { block, ..SIZES }), 1000);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let expected: Vec<_> = cells.iter().map(|(a, b)| vec![some(a), some(b)]).collect();
        prop_assert_eq!(all.rows, expected);
        prop_assert!(all.rejected.is_empty());
    }
}

/// The shared data, where they are.
fn shared(path: &str) -> Option<Vec<InputFile>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    let Ok(metadata) = std::fs::metadata(&path) else {
        println!("skipped: there is no {}", path.display());
        return None;
    };
    let path = path.to_str().unwrap().to_owned();
    Some(vec![InputFile { path, bytes: metadata.len() }])
}

/// Columns and types of TFDV's statistics: `type` is left out for INT, and has a name otherwise.
fn golden_types(path: &str) -> Option<CsvTypes> {
    let file = &shared(path)?[0];
    let text = std::fs::read_to_string(&file.path).unwrap();
    let mut types = CsvTypes::default();
    let mut kind = CsvType::Int;
    for line in text.lines() {
        // Fields of a feature, and of the path in it, by their indentation.
        match line {
            "  features {" => kind = CsvType::Int,
            "    type: FLOAT" => kind = CsvType::Float,
            "    type: STRING" => kind = CsvType::String,
            "    type: INT" => kind = CsvType::Int,
            _ => {}
        }
        if let Some(step) = line.strip_prefix("      step: \"") {
            types.columns.insert(step.trim_end_matches('"').to_owned(), kind);
        } else if line == "  }" {
            kind = CsvType::Int;
        }
    }
    Some(types)
}

#[test]
fn real_files_have_the_types_that_tfdv_found() {
    for (data, golden, n_rows) in [
        ("data/taxi/taxi.csv", "golden/tfdv/taxi_csv/stats.pbtxt", 15_002),
        ("data/edge/edge.csv", "golden/tfdv/edge_csv/stats.pbtxt", 60),
        ("data/penguin/penguins_labelled.csv", "golden/tfdv/penguin_csv/stats.pbtxt", 334),
        ("data/text/cola_train.csv", "golden/tfdv/cola/stats.pbtxt", 100),
        ("data/text/mrpc_train.csv", "golden/tfdv/mrpc/stats.pbtxt", 100),
    ] {
        let (Some(files), Some(mut expected)) = (shared(data), golden_types(golden)) else {
            return;
        };
        let source = CsvSource::open(files.clone(), &ReadOptions::default()).unwrap();
        let mut types = infer(&source);
        // TFDV calls a column without values a string.
        types.columns.values_mut().filter(|kind| **kind == CsvType::Unknown).for_each(|kind| {
            *kind = CsvType::String;
        });
        expected.columns.retain(|name, _| types.get(name).is_some());
        assert_eq!(types, expected, "{data}");
        let inferred = infer(&source);
        let typed = read_all(&source.with_types(&inferred), 1000);
        assert_eq!((typed.rows.len(), typed.rejected.len()), (n_rows, 0), "{data}");
    }
}
