//! The promises of the module: same rows whatever the shards, and the documented shares.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Float64Array, Int64Array};
use arrow_select::concat::concat_batches;

use super::*;
use crate::inputs::resolve;
use crate::{ReadOptions, open};

fn synthetic(rows: u64, columns: Columns) -> Synthetic {
    let options = SyntheticOptions { rows, columns, ..SyntheticOptions::default() };
    Synthetic::new(&options).unwrap()
}

#[test]
fn shards_are_parts_of_the_same_rows() {
    for columns in [Columns::Full, Columns::Texts, Columns::Wide(13)] {
        let data = synthetic(1000, columns);
        let whole = data.batch(0..1000);
        for shards in [1, 3, 8, 1001] {
            let parts: Vec<_> = (0..shards).map(|i| data.batch(data.shard(i, shards))).collect();
            assert_eq!(concat_batches(data.schema(), &parts).unwrap(), whole);
        }
    }
}

#[test]
fn rows_do_not_change_from_version_to_version() {
    let batch = synthetic(10, Columns::Full).batch(3..4);
    let mut line = Vec::new();
    csv::write_rows(&batch, &mut line).unwrap();
    let expected = "76,31.25,5,18,7,1463251500,41.97907082,-87.903039661,41.892507781,\
        -87.626214906,11.64,,17031080000,Cash,Dispatch Taxi Affiliation,2460,8,0.0,c5b3de827720cac5,\
        17.034146341463416,8|56|28|28|28|32,airport|extra passenger,again ride time.\n";
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn shares_are_the_documented_ones() {
    const N: u64 = 50_000;
    let batch = synthetic(N, Columns::Full).batch(0..N);
    let check = |what: &str, count: usize, percent: f64| {
        let share = percent / 100.0;
        // Five standard deviations of a binomial, and rounding in the documentation.
        let tolerance = 5.0 * (share * (1.0 - share) / N as f64).sqrt() + 0.005 * share;
        let found = count as f64 / N as f64;
        assert!((found - share).abs() <= tolerance, "{what}: {found}, documented {share}");
    };
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let missing = [
        ("trip_start_month", 0.0),
        ("trip_start_timestamp", 0.0),
        ("pickup_latitude", 0.0133),
        ("pickup_community_area", 0.0133),
        ("pickup_census_tract", 99.9),
        ("dropoff_longitude", 3.22),
        ("dropoff_community_area", 3.38),
        ("dropoff_census_tract", 28.27),
        ("trip_miles", 0.0),
        ("trip_seconds", 0.04),
        ("company", 34.26),
        ("trip_id", 0.0),
        ("speed_mph", 0.04),
        ("stop_areas", 20.0),
        ("extras", 50.0),
        ("review", 75.0),
    ];
    for (name, percent) in missing {
        check(name, column(name).null_count(), percent);
    }
    let floats = |name| column(name).as_primitive::<Float64Type>();
    let count = |array: &Float64Array, test: fn(f64) -> bool| {
        array.iter().flatten().filter(|&value| test(value)).count()
    };
    check("no miles", count(floats("trip_miles"), |x| x == 0.0), 27.0);
    check("no fare", count(floats("fare"), |x| x == 0.0), 0.18);
    check("no tips", count(floats("tips"), |x| x == 0.0), 68.0);
    check("NaN", count(floats("speed_mph"), f64::is_nan), 0.87);
    check("+inf", count(floats("speed_mph"), |x| x == f64::INFINITY), 2.12);
    check("-inf", count(floats("speed_mph"), |x| x == f64::NEG_INFINITY), 0.235);
    let text = |name: &str, value: &str| {
        column(name).as_string::<i32>().iter().flatten().filter(|found| *found == value).count()
    };
    check("cash", text("payment_type", "Cash"), 66.05);
    check("credit cards", text("payment_type", "Credit Card"), 33.16);
    check("the largest company", text("company", "Taxi Affiliation Services"), 52.0 * 0.6574);
    let mut ids: Vec<_> = column("trip_id").as_string::<i32>().iter().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u64, N);
    let range = |name| {
        let ints: &Int64Array = column(name).as_primitive::<Int64Type>();
        (ints.iter().flatten().min().unwrap(), ints.iter().flatten().max().unwrap())
    };
    assert_eq!(range("trip_start_month"), (1, 12));
    assert_eq!(range("trip_start_hour"), (0, 23));
    assert_eq!(range("trip_start_day"), (1, 7));
    assert_eq!(range("pickup_community_area"), (1, 77));
    let (first, last) = range("trip_start_timestamp");
    assert!(first >= 1_356_998_400 && last < 1_482_796_800, "{first} {last}");
    assert_eq!(first % 900, 0);
}

#[test]
fn drift_changes_what_it_says() {
    let options = SyntheticOptions { rows: 10_000, drift: 1.0, ..Default::default() };
    let batch = Synthetic::new(&options).unwrap().batch(0..10_000);
    let payments = batch.column_by_name("payment_type").unwrap().as_string::<i32>();
    let mobile = payments.iter().flatten().filter(|&payment| payment == "Mobile").count();
    assert!((1700..2150).contains(&mobile), "{mobile}");
    let missing = batch.column_by_name("company").unwrap().null_count();
    assert!((5180..5680).contains(&missing), "{missing}");
    for drift in [-0.1, 1.1, f64::NAN] {
        let options = SyntheticOptions { drift, ..Default::default() };
        assert!(Synthetic::new(&options).is_err());
    }
}

#[test]
fn every_format_can_be_read_again() {
    let data = synthetic(500, Columns::Full);
    let check = |format, gzip| {
        let directory = tempfile::tempdir().unwrap();
        let writer = ShardWriter {
            directory: directory.path().join("new"),
            name: "trips".to_owned(),
            shards: 3,
            format,
            gzip,
            row_group_rows: 100,
        };
        let mut told = 0;
        for shard in 0..3 {
            let bytes = writer
                .write(&data, shard, |n| {
                    told += n;
                    Ok(())
                })
                .unwrap();
            assert_eq!(std::fs::metadata(writer.path(shard)).unwrap().len(), bytes);
        }
        assert_eq!(told, 500);
        let named = directory.path().join("new").to_str().unwrap().to_owned();
        let files = resolve(&[named], None).unwrap().files;
        let source = open(files, None, &ReadOptions::default()).unwrap();
        let read =
            |shard| source.clone().read(shard, 64).unwrap().map(|batch| batch.unwrap().records);
        let batches: Vec<_> = (0..source.shards().len()).flat_map(read).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 500);
        assert!(batches.iter().any(|batch| batch.column_by_name("review").is_some()));
    };
    check(FileFormat::TfRecord, false);
    check(FileFormat::TfRecord, true);
    check(FileFormat::Csv, false);
    check(FileFormat::Csv, true);
    check(FileFormat::Parquet, false);
}

#[test]
fn no_count_of_words_tells_right_sentences() {
    let batch = synthetic(4000, Columns::Texts).batch(0..4000);
    let sentences = batch.column(0).as_string::<i32>();
    let labels = batch.column(1).as_primitive::<Int64Type>();
    let mut seen = std::collections::BTreeMap::new();
    for (sentence, label) in sentences.iter().zip(labels.iter()) {
        let (sentence, label) = (sentence.unwrap(), label.unwrap());
        let words: Vec<&str> = sentence.trim_end_matches('.').split(' ').collect();
        // Its words in the alphabet's order, without those that only the other half has.
        let plurals = words.iter().filter(|word| word.ends_with('s')).count();
        *seen.entry((words.contains(&"that"), plurals, label)).or_insert(0_i32) += 1;
    }
    // For every form and number of words in `s`, right and wrong ones are as frequent.
    for ((form, plurals, label), n) in &seen {
        let other = seen.get(&(*form, *plurals, 1 - label)).copied().unwrap_or(0);
        assert!((n - other).abs() < 150, "{seen:?}");
    }
}

#[test]
fn a_failed_shard_leaves_nothing() {
    let data = synthetic(500, Columns::Taxi);
    let directory = tempfile::tempdir().unwrap();
    let writer = ShardWriter {
        directory: directory.path().to_owned(),
        name: "trips".to_owned(),
        shards: 1,
        format: FileFormat::Csv,
        gzip: false,
        row_group_rows: 100,
    };
    writer.write(&data, 0, |_| Err(Error::invalid("enough"))).unwrap_err();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let gzip = ShardWriter { format: FileFormat::Parquet, gzip: true, ..writer.clone() };
    assert!(gzip.check().is_err());
    assert!(ShardWriter { name: "a/b".to_owned(), ..writer.clone() }.check().is_err());
    assert!(ShardWriter { shards: 0, ..writer }.check().is_err());
}
