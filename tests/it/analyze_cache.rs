//! Analyses from cached states: the same constants to the bit, and no shard read for what is known.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arrow_array::RecordBatch;
use engine::{Batch, Batches, Receipt, Rejected, Result, RunOptions, Shard, Source, StateCache};
use runners::Runner;
use runners::transform::analyze;
use transform::{Graph, Tensor};

use crate::cli::Place;
use crate::laws_of_ops::{constants, for_every_operation, graph, module, rows, statement, traced};
use crate::support::workers;

/// Shards of random rows, which note when they are read.
struct Noted {
    shards: Vec<Shard>,
    /// Number of rows and seed.
    pieces: Vec<(usize, u64)>,
    reads: Mutex<Vec<String>>,
    /// Whether the first record of every shard is bad, by what is read of it.
    is_picky: bool,
}

impl Noted {
    fn new(pieces: &[(usize, u64)]) -> Arc<Self> {
        Noted::with_bad(pieces, false)
    }

    fn with_bad(pieces: &[(usize, u64)], is_picky: bool) -> Arc<Self> {
        let shard = |(n, seed): &(usize, u64)| Shard {
            path: format!("/rows/{seed:03}-{n}"),
            part: None,
            bytes: *n as u64,
        };
        let mut pieces = pieces.to_vec();
        pieces.sort_unstable_by_key(|(_, seed)| *seed);
        let shards = pieces.iter().map(shard).collect();
        Arc::new(Noted { shards, pieces, reads: Mutex::default(), is_picky })
    }

    /// Names of the shards that were read since this was last asked for, ascending.
    fn reads(&self) -> Vec<String> {
        let mut reads = std::mem::take(&mut *self.reads.lock().unwrap());
        reads.sort();
        reads
    }
}

impl Source for Noted {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        self.reads.lock().unwrap().push(self.shards[shard].path.clone());
        let (n, seed) = self.pieces[shard];
        let all: RecordBatch = rows(n, seed);
        let first = usize::from(self.is_picky);
        Ok(Box::new((first..n).step_by(batch_rows).map(move |start| {
            let records = all.slice(start, batch_rows.min(n - start));
            let bad = Rejected { record: 0, byte: 0, reason: "bad".to_owned(), fatal: false };
            let rejected = if start == first && first == 1 { vec![bad] } else { vec![] };
            let first_row = (start - first) as u64;
            Ok(Batch { shard, first_row, records, originals: None, rejected, bytes: 1 })
        })))
    }

    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        let (n, seed) = self.pieces[shard];
        Ok(Some(u128::from(seed) << 64 | n as u128))
    }
}

fn cached_in(dir: &Path) -> RunOptions {
    let cache = Some(Arc::new(StateCache::open(dir).unwrap()));
    RunOptions { batch_rows: 64, cache, ..RunOptions::default() }
}

type Found = Vec<(String, Vec<Tensor>)>;

/// What the analyzers found, and the receipts of the phases.
fn found(
    graph: Graph,
    source: &Arc<Noted>,
    runner: &Runner,
    options: &RunOptions,
) -> Result<(Found, Vec<Receipt>)> {
    let source: Arc<dyn Source> = source.clone();
    let analysis = analyze(graph, &source, runner, options)?;
    Ok((constants(&analysis.graph), analysis.receipts))
}

fn same(a: &Found, b: &Found) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((a_is, a), (b_is, b))| {
            a_is == b_is && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_bits(b))
        })
}

/// The graph of a module that returns these expressions.
fn graph_of(expressions: &[&str]) -> Graph {
    let body = expressions.iter().enumerate().map(|(n, expression)| statement(n, expression));
    traced(&module(&body.collect::<String>())).unwrap()
}

/// The files of states.
fn files(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let folders = list(dir).filter(|folder| !folder.ends_with("fingerprints"));
    let mut files: Vec<PathBuf> = folders.flat_map(|folder| list(&folder)).collect();
    files.sort();
    files
}

const PLAIN: fn() -> RunOptions = RunOptions::default;

#[test]
fn every_analyzer_gives_the_same_from_a_cache() {
    // One directory for all operations: only those that are made of the same analyzers may share.
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let pieces = [(60, 1), (1, 2), (90, 4)];
    let source = Noted::new(&pieces);
    let more = Noted::new(&[&pieces[..], &[(40, 3)]].concat());
    let n_new = AtomicUsize::new(0);
    for_every_operation(|op, broken| {
        let expected = found(graph(op)?, &source, &Runner::Direct, &PLAIN())?.0;
        if expected.is_empty() {
            return Ok(());
        }
        let mut check = |what: &str, source: &Arc<Noted>, expected: &Found, threads| {
            source.reads();
            let (found, receipts) = found(graph(op)?, source, &workers(threads), &options)?;
            if !same(&found, expected) {
                broken.push(format!("{what}:\n{found:?}\n{expected:?}"));
            }
            Ok::<_, engine::Error>((source.reads(), receipts))
        };
        check("empty", &source, &expected, 2)?;
        for threads in [1, 4] {
            let (reads, receipts) = check("warm", &source, &expected, threads)?;
            assert_eq!(reads, [""; 0]);
            assert!(receipts.iter().all(|receipt| receipt.cached.len() == 3));
            assert!(receipts.iter().all(|receipt| receipt.total().counted == 151));
        }
        let expected = found(graph(op)?, &more, &Runner::Direct, &PLAIN())?.0;
        let (reads, receipts) = check("one more", &more, &expected, 2)?;
        // Later phases see other constants.
        if receipts.len() == 1 {
            assert!(reads.is_empty() || reads == ["/rows/003-40"], "{reads:?}");
            n_new.fetch_add(reads.len(), Relaxed);
        }
        assert!(receipts[0].cached.is_superset(&[0, 1, 3].into()));
        Ok(())
    });
    assert!(n_new.into_inner() > 20);
    assert_eq!(options.cache.unwrap().warnings().len(), 0);
}

#[test]
fn a_changed_module_finds_nothing_that_is_not_its_own() {
    let expressions = [
        "tft.mean(x) + y",
        "tft.mean(y) + y",
        "tft.mean(x + 1.0) + y",
        "tft.mean(x + 2.0) + y",
        "tft.mean(xs) + y",
        "tft.mean(tf.cast(n, tf.float32)) + y",
        "tft.mean(tf.cast(n, tf.float64)) + d",
        "tft.mean(tf.where(x > 1.0, x, y)) + y",
        "tft.mean(tf.where(x > 2.0, x, y)) + y",
        "tft.mean(x - tft.mean(x)) + y",
        "tft.mean(x - tft.max(x)) + y",
        "tft.bucketize(x, 3)",
        "tft.bucketize(x, 4)",
        "tft.bucketize(x, 4, epsilon=0.1)",
        "tft.bucketize(x, 4, weights=weight)",
        "tft.compute_and_apply_vocabulary(s, vocab_filename='v')",
        "tft.compute_and_apply_vocabulary(t, vocab_filename='v')",
        "tft.compute_and_apply_vocabulary(s, top_k=2, vocab_filename='v')",
        "tft.compute_and_apply_vocabulary(s, weights=weight, vocab_filename='v')",
        "tft.compute_and_apply_vocabulary(s, weights=x, vocab_filename='v')",
        "tft.compute_and_apply_vocabulary(s, labels=label, vocab_filename='v')",
        "tft.compute_and_apply_vocabulary(s, labels=label, weights=weight, vocab_filename='v')",
        "tft.scale_by_min_max_per_key(x, key)",
        "tft.scale_by_min_max_per_key(y, key)",
        "tft.scale_by_min_max_per_key(x, s)",
        "tft.scale_to_z_score_per_key(x, key)",
    ];
    let source = Noted::new(&[(80, 5), (30, 6)]);
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let run = |expressions: &[&str], runner: &Runner, options: &RunOptions| {
        found(graph_of(expressions), &source, runner, options).unwrap()
    };
    for expression in expressions {
        let expected = run(&[expression], &Runner::Direct, &PLAIN()).0;
        let seen = run(&[expression], &workers(2), &options).0;
        assert!(same(&seen, &expected), "{expression}:\n{seen:?}\n{expected:?}");
    }
    // Another order in one module changes nothing: all are there already.
    let all: Vec<&str> = expressions[..9].iter().rev().copied().collect();
    let expected = run(&all, &Runner::Direct, &PLAIN()).0;
    let n_files = files(dir.path()).len();
    source.reads();
    assert!(same(&run(&all, &workers(2), &options).0, &expected));
    // But for the number of rows as these columns together give it.
    assert_eq!((source.reads().len(), files(dir.path()).len()), (2, n_files + 2));
    assert!(same(&run(&all, &workers(2), &options).0, &expected));
    assert_eq!(source.reads(), [""; 0]);
}

#[test]
fn one_more_analyzer_leaves_the_states_of_the_others() {
    let source = Noted::new(&[(80, 5), (30, 6), (20, 7)]);
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let check = |expressions: &[&str], n_new: usize, read: bool| {
        let before = files(dir.path());
        let modified = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
        let times: Vec<_> = before.iter().map(modified).collect();
        let graph = || graph_of(expressions);
        let expected = found(graph(), &source, &Runner::Direct, &PLAIN()).unwrap().0;
        source.reads();
        let (seen, receipts) = found(graph(), &source, &workers(2), &options).unwrap();
        assert!(same(&seen, &expected), "{expressions:?}");
        assert_eq!(source.reads().len(), if read { 3 } else { 0 }, "{expressions:?}");
        assert_eq!(receipts[0].cached.len(), if read { 0 } else { 3 });
        assert_eq!(receipts[0].fingerprints.len(), 3);
        assert_eq!(files(dir.path()).len(), before.len() + 3 * n_new, "{expressions:?}");
        assert_eq!(before.iter().map(modified).collect::<Vec<_>>(), times);
    };
    let (z, vocabulary) = ("tft.scale_to_z_score(x) + y", "tft.compute_and_apply_vocabulary(s)");
    // The number of rows, and an analyzer.
    check(&[z, "s"], 2, true);
    check(&[z, "s", "tft.scale_to_0_1(x)"], 1, true);
    check(&[z, vocabulary], 1, true);
    check(&[z, vocabulary, "tft.scale_to_0_1(x)"], 0, false);
    // How keys are ranked is no matter of the shards.
    check(&[z, "tft.compute_and_apply_vocabulary(s, top_k=3)"], 0, false);
    // Columns that no analyzer uses may have bad records, too.
    check(&[z, vocabulary, "t"], 1, true);
}

#[test]
fn later_phases_are_found_while_earlier_ones_find_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let pieces = [(80, 5), (30, 6)];
    let check = |pieces: &[(usize, u64)], cached: [&[usize]; 2]| {
        let source = Noted::new(pieces);
        let graph = || graph_of(&["tft.scale_to_0_1(tft.apply_vocabulary(s, tft.vocabulary(s)))"]);
        let expected = found(graph(), &source, &Runner::Direct, &PLAIN()).unwrap().0;
        let (seen, receipts) = found(graph(), &source, &workers(2), &options).unwrap();
        assert!(same(&seen, &expected));
        let seen: Vec<Vec<usize>> =
            receipts.iter().map(|receipt| receipt.cached.iter().copied().collect()).collect();
        assert_eq!(seen, cached);
    };
    check(&pieces, [&[], &[]]);
    check(&pieces, [&[0, 1], &[0, 1]]);
    check(&[&pieces[..], &[(70, 7)]].concat(), [&[0, 1], &[]]);
    check(&pieces, [&[0, 1], &[0, 1]]);
}

#[test]
fn damaged_states_are_computed_again() {
    let dir = tempfile::tempdir().unwrap();
    let source = Noted::new(&[(80, 5), (30, 6)]);
    let graph = || {
        graph_of(&[
            "tft.scale_to_z_score(x) + tft.quantiles(y, 3, 0.1)[0]",
            "tft.compute_and_apply_vocabulary(s)",
            "tft.scale_by_min_max_per_key(x, key)",
        ])
    };
    let expected = found(graph(), &source, &Runner::Direct, &PLAIN()).unwrap().0;
    found(graph(), &source, &workers(2), &cached_in(dir.path())).unwrap();
    let all = files(dir.path());
    assert_eq!(all.len(), 2 * 5);
    for path in &all {
        let bytes = std::fs::read(path).unwrap();
        let mut turned = bytes.clone();
        turned[bytes.len() * 2 / 3] ^= 0x10;
        for damaged in [&turned[..], &bytes[..bytes.len() / 2], &[]] {
            std::fs::write(path, damaged).unwrap();
            source.reads();
            let options = cached_in(dir.path());
            let (seen, receipts) = found(graph(), &source, &workers(2), &options).unwrap();
            assert!(same(&seen, &expected));
            assert_eq!((source.reads().len(), receipts[0].cached.len()), (1, 1));
            let warnings = options.cache.unwrap().warnings();
            assert!(warnings[0].message().contains(".state"), "{warnings:?}");
            assert_eq!(std::fs::read(path).unwrap(), bytes, "it is written again");
        }
    }
}

#[test]
fn bad_records_count_as_they_would_without_a_cache() {
    let dir = tempfile::tempdir().unwrap();
    let pieces = [(80, 5), (30, 6)];
    let (good, picky) = (Noted::new(&pieces), Noted::with_bad(&pieces, true));
    let tolerant = |options: RunOptions| RunOptions { max_bad_records: 9, ..options };
    found(graph_of(&["tft.mean(x) + y"]), &good, &workers(2), &cached_in(dir.path())).unwrap();
    // The same analyzer beside a column of which a record is bad.
    let graph = || graph_of(&["tft.mean(x) + y", "t"]);
    let expected = found(graph(), &picky, &Runner::Direct, &tolerant(PLAIN())).unwrap().0;
    for _ in 0..2 {
        let options = tolerant(cached_in(dir.path()));
        let (seen, receipts) = found(graph(), &picky, &workers(2), &options).unwrap();
        assert!(same(&seen, &expected));
        let total = receipts[0].total();
        assert_eq!((total.read, total.rejected, total.counted), (110, 2, 108));
    }
    assert!(found(graph(), &picky, &workers(2), &cached_in(dir.path())).is_err());
}

/// The receipt that a command has written: which shards were not read, and how many rows count.
fn receipt(place: &Place) -> (Vec<bool>, u64, serde_json::Value) {
    let receipt: serde_json::Value = serde_json::from_slice(&place.bytes("r.json")).unwrap();
    let shards = receipt["shards"].as_array().unwrap();
    let cached = shards.iter().map(|shard| shard["cached"].as_bool().unwrap()).collect();
    (cached, receipt["counted"].as_u64().unwrap(), receipt)
}

#[test]
fn commands_read_only_what_is_new() {
    const MODULE: &str = "
def preprocessing_fn(inputs):
    return {
        \"fare\": tft.scale_to_z_score(inputs[\"fare\"]),
        \"company\": tft.compute_and_apply_vocabulary(inputs[\"company\"]),
        \"by_payment\": tft.scale_to_z_score_per_key(inputs[\"fare\"], inputs[\"payment_type\"]),
    }
";
    let place = Place::new();
    place.ok(&["generate", "all", "--rows", "400", "--shards", "4", "--columns", "full", "-q"]);
    place.ok(&["schema", "infer", "all", "-o", "schema.pbtxt"]);
    place.write("m.star", MODULE);
    std::fs::create_dir(place.path("data")).unwrap();
    let names = place.names("all");
    let names: Vec<&String> = names.iter().filter(|name| name.contains("tfrecord")).collect();
    let bring = |name: &str| {
        let path = place.path("data").join(name);
        std::fs::copy(place.path("all").join(name), &path).unwrap();
        // Fingerprints of files that were written a moment ago are not remembered.
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    };
    // The first one comes last: the golden rows of the graph are its first ones.
    names[1..].iter().for_each(|name| bring(name));
    let analyze = ["analyze", "data", "-p", "m.star", "--schema", "schema.pbtxt", "-q"];
    let analyze = [&analyze[..], &["--overwrite", "--receipt", "r.json", "-o"]].concat();
    let graph = |name: &str| {
        let all = place.names(name).into_iter().filter(|file| file != "module" && file != "assets");
        let all: Vec<_> = all.map(|file| (place.bytes(&format!("{name}/{file}")), file)).collect();
        let assets = place.names(&format!("{name}/assets"));
        let assets = assets.iter().map(|file| place.bytes(&format!("{name}/assets/{file}")));
        (all, assets.collect::<Vec<_>>())
    };
    place.ok(&[&analyze[..], &["plain"]].concat());
    let fingerprint = |name: &str| {
        let text = String::from_utf8(place.bytes(&format!("{name}/manifest.json"))).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        manifest["fingerprint"].as_str().unwrap().to_owned()
    };
    let ways: [&[&str]; 4] = [
        &["--workers", "2"],
        &["--workers", "1"],
        &["--workers", "4", "--batch-rows", "7"],
        &["--processes", "2", "--workers", "1", "--memory", "1KiB"],
    ];
    for (number, way) in ways.iter().enumerate() {
        // From an empty cache, each way has its own, and from the one that the first has left.
        for (cache, is_warm) in [(format!("cache-{number}"), false), ("cache-0".to_owned(), true)] {
            let ran = place.ok(&[&analyze[..], &["cached", "--cache", &cache], way].concat());
            assert_eq!(ran.stderr, "");
            let (cached, counted, receipt) = receipt(&place);
            assert_eq!((cached, counted), (vec![is_warm; 3], 300), "{way:?}, {cache}");
            assert!(receipt["shards"][0]["fingerprint"].is_string());
            assert_eq!(fingerprint("cached"), fingerprint("plain"), "{way:?}, {cache}");
            if number == 0 && !is_warm {
                place.ok(&["graph", "check", "cached"]);
                std::fs::rename(place.path("cached"), place.path("first")).unwrap();
            } else {
                assert!(graph("cached") == graph("first"), "{way:?}, {cache}");
            }
        }
    }
    let provenance = String::from_utf8(place.bytes("first/provenance.json")).unwrap();
    let provenance: serde_json::Value = serde_json::from_str(&provenance).unwrap();
    assert_eq!(provenance["rows"], 300);
    let prints = provenance["inputs"].as_array().unwrap().iter();
    let prints: Vec<&str> = prints.map(|shard| shard["fingerprint"].as_str().unwrap()).collect();
    assert!(prints.iter().all(|print| print.len() == 32) && prints[0] != prints[1], "{prints:?}");
    let plain = String::from_utf8(place.bytes("plain/provenance.json")).unwrap();
    assert!(!plain.contains(prints[0]), "{plain}");

    // One new shard is all that is read: the others cannot be any more.
    bring(names[0]);
    place.ok(&[&analyze[..], &["plain"]].concat());
    for name in &names[1..] {
        let path = place.path("data").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut &file, &bytes).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let said = place.fails(&[&analyze[..], &["no"]].concat());
    // Two workers read at once: which of the damaged shards is met first is not said.
    assert!(names[1..].iter().any(|name| said.contains(&***name)), "{said}");
    place.ok(&[&analyze[..], &["cached", "--cache", "cache-0"]].concat());
    let (cached, counted, _) = receipt(&place);
    assert_eq!((cached, counted), (vec![false, true, true, true], 400));
    assert_eq!(fingerprint("cached"), fingerprint("plain"));
    // Forgotten fingerprints show that these are other bytes now, which are read.
    std::fs::remove_dir_all(place.path("cache-0/fingerprints")).unwrap();
    let said = place.fails(&[&analyze[..], &["no", "--cache", "cache-0"]].concat());
    assert!(said.contains(".tfrecord"), "{said}");
}

#[test]
fn a_cache_is_mended_and_misuse_refused() {
    let place = Place::with_data();
    place.write(
        "m.star",
        "
def preprocessing_fn(inputs):
    return {\"fare\": tft.scale_to_z_score(inputs[\"fare\"])}
",
    );
    place.ok(&["schema", "infer", "data", "-o", "schema.pbtxt"]);
    let analyze = ["analyze", "data", "-p", "m.star", "--schema", "schema.pbtxt", "--overwrite"];
    let analyze = |more: &[&'static str]| [&analyze[..], &["-o", "graph"], more].concat();
    let said = place.fails(&analyze(&["--cache", "cache", "--runner", "direct"]));
    assert!(said.contains("the direct runner looks into no cache"), "{said}");
    let said = place.fails(&analyze(&["--cache", "data/cache"]));
    assert!(said.contains("is inside of an input"), "{said}");
    assert!(!place.path("data/cache").exists() && !place.path("cache").exists());

    place.ok(&analyze(&["--cache", "cache"]));
    let manifest = place.bytes("graph/manifest.json");
    let said = place.ok(&analyze(&["--cache", "cache"])).stderr;
    assert!(
        said.contains("300 counted") && said.contains("3 shards came from the cache"),
        "{said}"
    );
    std::fs::write(&files(&place.path("cache"))[0], "damaged").unwrap();
    let said = place.ok(&analyze(&["--cache", "cache"])).stderr;
    assert!(said.contains("warning: ") && said.contains("2 shards came from"), "{said}");
    assert!(manifest == place.bytes("graph/manifest.json"));
    let said = place.ok(&analyze(&["--cache", "cache"])).stderr;
    assert!(!said.contains("warning: ") && said.contains("3 shards came from"), "{said}");

    // Transforming reads all, whatever the analysis found.
    let both = ["analyze-and-transform", "data", "-p", "m.star", "--schema", "schema.pbtxt"];
    let both = [&both[..], &["-o", "g", "--transformed", "rows", "--cache", "cache"]].concat();
    let said = place.ok(&[&both[..], &["--receipt", "r.json"]].concat()).stderr;
    assert!(said.contains("3 shards came from the cache, unread in phase 1"), "{said}");
    let (cached, counted, receipt) = receipt(&place);
    assert_eq!((cached, counted), (vec![false; 3], 300));
    assert_eq!(receipt["earlier_scans"][0]["cached_shards"], 3);
}
