//! Cached states: a run that finds them gives the bytes of one that reads everything, and reads only
//! what is new.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use engine::{
    Batch, Batches, CombineFn, DoFn, Emit, ErrorKind, KeyTable, KeyedBlock, KeyedCombineFn,
    Outputs, Pipeline, Plan, Rejected, Result, RunOptions, Shard, Sorted, Source, StateCache,
    StateStore, StoredStates,
};
use runners::Runner;

use crate::cluster::run_all;
use crate::support::workers;

/// Shards of words, by name; what was read of them and hashed, by name.
struct Words {
    shards: Vec<Shard>,
    texts: Vec<String>,
    reads: Mutex<BTreeMap<String, usize>>,
    hashed: AtomicUsize,
    /// Words that are rejected as bad records.
    bad: &'static str,
}

impl Words {
    fn new(texts: &[(&str, String)]) -> Arc<Self> {
        Words::with_bad(texts, "no word")
    }

    fn with_bad(texts: &[(&str, String)], bad: &'static str) -> Arc<Self> {
        let shard = |(path, text): &(&str, String)| Shard {
            path: (*path).to_owned(),
            part: None,
            bytes: text.len() as u64,
        };
        Arc::new(Words {
            shards: texts.iter().map(shard).collect(),
            texts: texts.iter().map(|(_, text)| text.clone()).collect(),
            reads: Mutex::default(),
            hashed: AtomicUsize::new(0),
            bad,
        })
    }

    /// Names of the shards that were read since this was last asked for.
    fn reads(&self) -> Vec<String> {
        std::mem::take(&mut *self.reads.lock().unwrap()).into_keys().collect()
    }
}

impl Source for Words {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<Batches> {
        *self.reads.lock().unwrap().entry(self.shards[shard].name()).or_default() += 1;
        let words: Vec<String> = self.texts[shard].split(' ').map(str::to_owned).collect();
        let schema = Arc::new(Schema::new(vec![Field::new("word", DataType::Utf8, false)]));
        let (mut record, mut first_row) = (0, 0);
        let bytes = self.shards[shard].bytes;
        let batches: Vec<_> = words
            .chunks(batch_rows)
            .enumerate()
            .map(|(number, words)| {
                let mut rejected = Vec::new();
                let good = words.iter().filter(|word| {
                    record += 1;
                    if **word == self.bad {
                        let reason = "it is bad".to_owned();
                        let (record, byte) = (record - 1, record);
                        rejected.push(Rejected { record, byte, reason, fatal: false });
                    }
                    **word != self.bad
                });
                let good: Arc<dyn Array> = Arc::new(StringArray::from_iter_values(good));
                let rows = good.len() as u64;
                let records = RecordBatch::try_new(schema.clone(), vec![good]).unwrap();
                let bytes = if number == 0 { bytes } else { 0 };
                let batch = Batch { shard, first_row, records, originals: None, rejected, bytes };
                first_row += rows;
                Ok(batch)
            })
            .collect();
        Ok(Box::new(batches.into_iter()))
    }

    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        self.hashed.fetch_add(1, SeqCst);
        let hash = |seed: u128| {
            let bytes = self.texts[shard].bytes();
            bytes.fold(seed, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x1_0000_01b3))
        };
        Ok(Some(hash(7) << 64 ^ hash(11)))
    }
}

fn words(batch: &Batch) -> impl Iterator<Item = &str> {
    let column: &StringArray = batch.records.column(0).as_any().downcast_ref().unwrap();
    column.iter().flatten()
}

/// Passes batches on.
struct Same;

impl DoFn for Same {
    type Input = Batch;
    type Output = Batch;
    fn name(&self) -> &'static str {
        "same"
    }
    fn process(&self, batch: &Batch, out: &mut Emit<Batch>) -> Result<()> {
        out.emit(batch.clone());
        Ok(())
    }
}

/// A hash of all words that is not commutative, times a factor.
#[derive(Clone)]
struct Lengths {
    factor: u64,
    is_cached: bool,
    /// How many batches were added.
    calls: Arc<AtomicUsize>,
}

impl CombineFn for Lengths {
    type Input = Batch;
    type Accumulator = u64;
    type Output = u64;

    fn name(&self) -> &'static str {
        "lengths"
    }
    fn identity(&self) -> Option<String> {
        self.is_cached.then(|| format!("words, times {}", self.factor))
    }
    fn create_accumulator(&self) -> u64 {
        0
    }
    fn add_input(&self, acc: &mut u64, batch: &Batch) -> Result<()> {
        self.calls.fetch_add(1, SeqCst);
        *acc = words(batch).fold(*acc, |acc, word| {
            acc.wrapping_mul(31).wrapping_add(self.factor * word.len() as u64)
        });
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut u64, other: u64) -> Result<()> {
        *acc = acc.wrapping_mul(1_000_003).wrapping_add(other);
        Ok(())
    }
    fn extract_output(&self, acc: u64) -> Result<u64> {
        Ok(acc)
    }
}

/// Words that begin with a letter: each letter is an analyzer, which has a group.
#[derive(Clone)]
struct Beginnings {
    letters: Vec<&'static str>,
    /// Whether the group of the last letter is left out of the list.
    lies: bool,
    calls: Arc<AtomicUsize>,
}

impl KeyedCombineFn for Beginnings {
    type Input = Batch;
    type State = u64;

    fn name(&self) -> &'static str {
        "beginnings"
    }
    fn identities(&self) -> Vec<(Vec<u8>, String)> {
        let listed = self.letters.len() - usize::from(self.lies);
        let identity = |(n, letter): (usize, &&str)| (vec![n as u8], format!("words in {letter}"));
        self.letters.iter().take(listed).enumerate().map(identity).collect()
    }
    fn add_input(&self, table: &mut KeyTable<u64>, batch: &Batch) -> Result<()> {
        self.calls.fetch_add(1, SeqCst);
        for (n, letter) in self.letters.iter().enumerate() {
            let group = table.group(&[n as u8]);
            for word in words(batch).filter(|word| word.starts_with(letter)) {
                group.add(word.as_bytes(), &1);
            }
        }
        Ok(())
    }
}

/// Takes blocks as they are.
struct Again;

impl KeyedCombineFn for Again {
    type Input = KeyedBlock<u64>;
    type State = u64;

    fn name(&self) -> &'static str {
        "again"
    }
    fn add_input(&self, table: &mut KeyTable<u64>, block: &KeyedBlock<u64>) -> Result<()> {
        block.iter().for_each(|(key, n)| table.group(&block.group).add(key, n));
        Ok(())
    }
}

/// Which analyzers a plan has, and how often each was given something.
#[derive(Clone)]
struct Analyzers {
    lengths: Vec<Lengths>,
    beginnings: Beginnings,
}

impl Analyzers {
    fn new(factors: &[u64], letters: &[&'static str]) -> Self {
        let lengths = |&factor| Lengths { factor, is_cached: true, calls: Arc::default() };
        let letters = letters.to_vec();
        Analyzers {
            lengths: factors.iter().map(lengths).collect(),
            beginnings: Beginnings { letters, lies: false, calls: Arc::default() },
        }
    }

    fn plan(&self, source: &Arc<Words>) -> (Plan, Vec<Sorted<u64>>) {
        let (pipeline, batches) = Pipeline::read(source.clone());
        let same = batches.par_do(Same);
        for lengths in &self.lengths {
            same.combine_globally(lengths.clone());
        }
        let counted = same.combine_per_key(self.beginnings.clone());
        let sorted = vec![counted.sort_per_key(Again), same.sort_per_key(self.beginnings.clone())];
        (pipeline.plan(), sorted)
    }

    /// How often analyzers were given something since this was last asked for.
    fn calls(&self) -> Vec<usize> {
        let all = self.lengths.iter().map(|lengths| &lengths.calls);
        all.chain([&self.beginnings.calls]).map(|calls| calls.swap(0, SeqCst)).collect()
    }

    fn run(&self, source: &Arc<Words>, options: &RunOptions, runner: &Runner) -> Seen {
        let (plan, sorted) = self.plan(source);
        let outputs = runner.run(&plan, options, plan.fingerprint("test")).unwrap();
        Seen::of(&sorted, outputs)
    }
}

/// Everything that a run gives.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    states: BTreeMap<usize, Vec<u8>>,
    sorted: Vec<Vec<(Vec<u8>, Vec<u8>, u64)>>,
    shards: Vec<(Shard, engine::ShardReceipt)>,
    cached: u64,
}

impl Seen {
    fn of(sorted: &[Sorted<u64>], mut outputs: Outputs) -> Self {
        let sorted = sorted.iter().map(|sorted| {
            let (mut keys, mut seen) = (sorted.output(&mut outputs).unwrap(), Vec::new());
            while let Some(group) = keys.next_group().unwrap() {
                while let Some((key, n)) = keys.next_key().unwrap() {
                    seen.push((group.to_vec(), key.to_vec(), n));
                }
            }
            seen
        });
        let sorted = sorted.collect();
        let engine::Receipt { shards, cached, .. } = outputs.receipt;
        Seen { states: outputs.states, sorted, shards, cached: cached.len() as u64 }
    }

    /// The same, had so many shards come from the cache.
    fn with_cached(self, cached: u64) -> Self {
        Seen { cached, ..self }
    }
}

/// Some shards of random words; two have the same.
fn texts(n: u64) -> Vec<(&'static str, String)> {
    let names = ["/words/a", "/words/b", "/words/c", "/words/d", "/words/e", "/words/f"];
    let text = |shard: u64| {
        let word = |row: u64| {
            let mixed = ((row + 1000 * shard) * 2_654_435_761) >> 7;
            let letter = ["a", "b", "c", "dd", ""][(mixed % 5) as usize];
            format!("{letter}{}", mixed / 5 % 97)
        };
        (0..100 + 300 * (shard % 2)).map(word).collect::<Vec<_>>().join(" ")
    };
    (0..n).map(|shard| (names[shard as usize], text(if shard == 4 { 1 } else { shard }))).collect()
}

fn cached_in(dir: &Path) -> RunOptions {
    let cache = Some(Arc::new(StateCache::open(dir).unwrap()));
    RunOptions { batch_rows: 64, cache, ..RunOptions::default() }
}

fn warnings(options: &RunOptions) -> Vec<String> {
    let warnings = options.cache.as_ref().unwrap().warnings();
    warnings.iter().map(|warning| warning.message().to_owned()).collect()
}

/// The files of states, without those of fingerprints.
fn files(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| {
        let mut paths: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let folders = list(dir).into_iter().filter(|folder| !folder.ends_with("fingerprints"));
    folders.flat_map(|folder| list(&folder)).collect()
}

#[test]
fn a_run_from_the_cache_gives_the_bytes_of_one_that_reads() {
    let analyzers = Analyzers::new(&[1, 3], &["a", "b", "no word", "dd"]);
    let source = Words::new(&texts(6));
    let plain = RunOptions::default();
    let expected = || analyzers.run(&source, &plain, &Runner::Direct);
    let one = expected();
    assert!(one.sorted.iter().all(|sorted| sorted.len() > 100));
    for (processes, threads, memory_bytes) in [(1, 1, 1), (1, 3, 64 << 20), (2, 2, 1 << 16)] {
        let what = format!("{processes} × {threads} workers wrote it");
        let dir = tempfile::tempdir().unwrap();
        let run = |processes, threads, batch_rows, memory_bytes| -> Vec<Seen> {
            let options = RunOptions { batch_rows, memory_bytes, ..cached_in(dir.path()) };
            let (analyzers, source) = (analyzers.clone(), source.clone());
            let sorted = analyzers.plan(&source).1;
            let results = run_all(processes, threads, &options, move || analyzers.plan(&source).0);
            assert_eq!(warnings(&options), [""; 0], "{what}");
            results.into_iter().map(|outputs| Seen::of(&sorted, outputs.unwrap())).collect()
        };
        source.reads();
        for seen in run(processes, threads, 64, memory_bytes) {
            // Of two shards with the same words the second may find what the first has left.
            let cached = seen.cached;
            assert!(cached <= 1 && seen == expected().with_cached(cached), "{what}");
        }
        // Five different shards, two numbers and four letters.
        assert_eq!(files(dir.path()).len(), 5 * (2 + 4));
        source.reads();
        for (processes, threads, batch_rows, memory_bytes) in
            [(1, 2, 1, 1), (2, 1, 64, 64 << 20), (1, 1, 4096, 1 << 16), (3, 2, 7, 1)]
        {
            for seen in run(processes, threads, batch_rows, memory_bytes) {
                assert_eq!(source.reads(), [""; 0], "{what}");
                assert!(seen == expected().with_cached(6), "{what}");
                source.reads();
            }
        }
    }
}

#[test]
fn a_new_shard_is_all_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let analyzers = Analyzers::new(&[1, 3], &["a", "b"]);
    let first = Words::new(&texts(3));
    assert_eq!(analyzers.run(&first, &options, &workers(2)).cached, 0);
    assert_eq!(first.reads().len(), 3);
    // It is not the last one, either, and others were renamed.
    let mut more = texts(3);
    more.insert(1, ("/words/aa", "a new shard".to_owned()));
    more[3].0 = "/words/z";
    let more = Words::new(&more);
    let expected = analyzers.run(&more, &RunOptions::default(), &Runner::Direct).with_cached(3);
    more.reads();
    let seen = analyzers.run(&more, &options, &workers(2));
    assert_eq!(more.reads(), ["/words/aa"]);
    assert!(seen == expected);
    // Words that have changed are read; so is everything, when nothing is known of the bytes.
    let mut changed = texts(3);
    changed[2].1.push('x');
    let changed = Words::new(&changed);
    analyzers.run(&changed, &options, &workers(2));
    assert_eq!(changed.reads(), ["/words/c"]);
}

#[test]
fn other_analyzers_do_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let source = Words::new(&texts(3));
    let check = |analyzers: &Analyzers, read: bool, called: &[bool]| {
        let expected = analyzers.run(&source, &RunOptions::default(), &Runner::Direct);
        let _ = (source.reads(), analyzers.calls());
        let seen = analyzers.run(&source, &options, &workers(2));
        assert_eq!(source.reads().len(), if read { 3 } else { 0 });
        let calls: Vec<bool> = analyzers.calls().iter().map(|calls| *calls > 0).collect();
        assert_eq!(calls, called);
        assert!(seen == expected.with_cached(if read { 0 } else { 3 }));
        assert_eq!(warnings(&options), [""; 0]);
    };
    check(&Analyzers::new(&[1, 3], &["a", "b"]), true, &[true, true, true]);
    check(&Analyzers::new(&[1, 3], &["a", "b"]), false, &[false, false, false]);
    // One less, in another order, under other names.
    check(&Analyzers::new(&[3], &["b", "a"]), false, &[false, false]);
    check(&Analyzers::new(&[3, 3, 1], &["b"]), false, &[false, false, false, false]);
    // Shards are read for a new one, which alone computes.
    check(&Analyzers::new(&[1, 7, 3], &["a", "b"]), true, &[false, true, false, false]);
    check(&Analyzers::new(&[1, 7, 3], &["a", "b"]), false, &[false; 4]);
    // Groups share one pass over keys: a new one takes the others with it.
    check(&Analyzers::new(&[1, 7, 3], &["a", "c", "b"]), true, &[false, false, false, true]);
    check(&Analyzers::new(&[1, 7, 3], &["c"]), false, &[false; 4]);
    // What has no identity is computed each time.
    let mut analyzers = Analyzers::new(&[1, 3], &["a"]);
    analyzers.lengths[1].is_cached = false;
    check(&analyzers, true, &[false, true, false]);
    check(&analyzers, true, &[false, true, false]);
}

#[test]
fn what_is_not_sound_is_computed_again() {
    let analyzers = Analyzers::new(&[1, 3], &["a", "b"]);
    let source = Words::new(&texts(3));
    let expected = || analyzers.run(&source, &RunOptions::default(), &Runner::Direct);
    type Damage = fn(&Path, &Path);
    let damages: [(&str, Damage); 6] = [
        ("cut off", |path, _| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("turned", |path, _| {
            let mut bytes = std::fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("empty", |path, _| std::fs::write(path, "").unwrap()),
        ("of another", |path, other| assert!(std::fs::copy(other, path).unwrap() > 0)),
        ("another thing", |path, _| std::fs::write(path, vec![b'x'; 5000]).unwrap()),
        ("a folder", |path, _| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let options = cached_in(dir.path());
        analyzers.run(&source, &options, &workers(2));
        let all = files(dir.path());
        assert_eq!(all.len(), 3 * 4);
        // Each shard loses one state: the first, and two others.
        for (damaged, other) in [(0, 1), (5, 4), (10, 2)] {
            damage(&all[damaged], &all[other]);
        }
        source.reads();
        let seen = analyzers.run(&source, &options, &workers(2));
        assert_eq!(source.reads().len(), 3, "{what}");
        let warned = warnings(&options);
        assert!(warned.len() >= 3 && warned.iter().all(|w| w.contains(".state")), "{warned:?}");
        assert!(seen == expected(), "{what}");
        source.reads();
        let seen = analyzers.run(&source, &options, &workers(2));
        if what == "a folder" {
            assert_eq!(source.reads().len(), 3, "nothing could be put there");
        } else {
            assert_eq!((source.reads().len(), warnings(&options).len()), (0, 0), "{what}");
            assert!(seen == expected().with_cached(3), "{what}");
        }
    }
}

#[test]
fn shards_with_bad_records_are_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let analyzers = Analyzers::new(&[1], &["a"]);
    let mut texts = texts(3);
    texts[1].1.push_str(" bad");
    let source = Words::with_bad(&texts, "bad");
    let tolerant = |cached: bool| RunOptions {
        max_bad_records: 5,
        ..if cached { cached_in(dir.path()) } else { RunOptions::default() }
    };
    let expected = || analyzers.run(&source, &tolerant(false), &Runner::Direct);
    for cached in [0, 2] {
        source.reads();
        let seen = analyzers.run(&source, &tolerant(true), &workers(2));
        assert_eq!(source.reads().len(), 3 - cached as usize);
        assert_eq!(seen.shards[1].1.rejected, 1);
        assert!(seen == expected().with_cached(cached));
    }
    // Words that were good, and are bad now, for another column is read, say: states of the good
    // ones must not meet states without them.
    let stricter = Words::with_bad(&texts, "a0");
    let more = Analyzers::new(&[1, 3], &["a"]);
    let tolerant = RunOptions { max_bad_records: 500, ..tolerant(true) };
    let plain = RunOptions { cache: None, ..tolerant.clone() };
    let seen = more.run(&stricter, &tolerant, &workers(2));
    assert!(seen.shards.iter().any(|(_, shard)| shard.rejected > 0));
    assert!(seen == more.run(&stricter, &plain, &Runner::Direct));
}

#[test]
fn states_that_are_kept_may_come_from_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let analyzers = Analyzers::new(&[1, 3], &["b", "a"]);
    let source = Words::new(&texts(4));
    let expected = analyzers.run(&source, &RunOptions::default(), &Runner::Direct);
    for round in 0..2 {
        let states = dir.path().join(format!("states-{round}"));
        // The second round finds states of groups that were called otherwise.
        let letters: &[&str] = if round == 0 { &["a", "b"] } else { &["b", "a"] };
        let analyzers = Analyzers::new(&[1, 3], letters);
        let (plan, _) = analyzers.plan(&source);
        let store = StateStore::create(&states, plan.fingerprint("test"), "").unwrap();
        let options =
            RunOptions { states: Some(Arc::new(store)), ..cached_in(&dir.path().join("cache")) };
        assert_eq!(analyzers.run(&source, &options, &workers(3)).cached, 4 * round);
    }
    let (store, _) = StateStore::open(&dir.path().join("states-1")).unwrap();
    let stored = StoredStates::open(&[store]).unwrap();
    let (plan, sorted) = analyzers.plan(&source);
    let outputs = stored.merge(&plan, plan.fingerprint("test")).unwrap();
    assert!(Seen::of(&sorted, outputs) == expected);
}

#[test]
fn runs_may_share_a_directory_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let analyzers = Analyzers::new(&[1, 3], &["a", "b"]);
    let source = Words::new(&texts(6));
    let expected = analyzers.run(&source, &RunOptions::default(), &Runner::Direct);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (1..=4)
            .map(|threads| {
                let (analyzers, source, dir) = (&analyzers, &source, dir.path());
                scope.spawn(move || {
                    let options = cached_in(dir);
                    let seen = analyzers.run(source, &options, &workers(threads));
                    (seen, warnings(&options))
                })
            })
            .collect();
        for run in runs {
            let (seen, warnings) = run.join().unwrap();
            assert_eq!(warnings, [""; 0]);
            assert!(seen.with_cached(0) == expected);
        }
    });
    assert_eq!(files(dir.path()).len(), 5 * 4);
}

#[test]
fn a_group_that_is_not_listed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut analyzers = Analyzers::new(&[1], &["a", "b"]);
    analyzers.beginnings.lies = true;
    let source = Words::new(&texts(2));
    let (plan, _) = analyzers.plan(&source);
    for memory_bytes in [1, 64 << 20] {
        let options = RunOptions { memory_bytes, ..cached_in(dir.path()) };
        let error = workers(2).run(&plan, &options, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.message(), "`beginnings` has a group without an identity");
    }
    // Without a cache it does not matter.
    workers(2).run(&plan, &RunOptions::default(), 0).unwrap();
}

#[test]
fn files_that_nobody_wrote_to_are_hashed_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("words");
    let write = |text: &str, seconds: u64| {
        std::fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    let cache = dir.path().join("cache");
    let analyzers = Analyzers::new(&[1], &["a"]);
    let check = |text: &str, options: &RunOptions, hashed: usize, read: usize| {
        let source = Words::new(&[(path.to_str().unwrap(), text.to_owned())]);
        let seen = analyzers.run(&source, options, &workers(1));
        assert_eq!((source.hashed.load(SeqCst), source.reads().len()), (hashed, read));
        let plain = analyzers.run(&source, &RunOptions::default(), &Runner::Direct);
        assert!(seen == plain.with_cached(1 - read as u64));
    };
    write("a b c", 1_000);
    check("a b c", &cached_in(&cache), 1, 1);
    check("a b c", &cached_in(&cache), 0, 0);
    let forgets = || {
        let cache = StateCache::open(&cache).unwrap().without_remembered_fingerprints();
        RunOptions { cache: Some(Arc::new(cache)), ..RunOptions::default() }
    };
    check("a b c", &forgets(), 1, 0);
    // Another time, another size.
    write("a b d", 1_001);
    check("a b d", &cached_in(&cache), 1, 1);
    write("a b dd", 1_001);
    check("a b dd", &cached_in(&cache), 1, 1);
    write("a b c", 1_002);
    check("a b c", &cached_in(&cache), 1, 0);
    // What was written a moment ago may be written to again within the same tick of the clock.
    std::fs::write(&path, "a").unwrap();
    check("a", &cached_in(&cache), 1, 1);
    check("a", &cached_in(&cache), 1, 0);
    // What is remembered is checked, too.
    write("a b c", 1_003);
    check("a b c", &cached_in(&cache), 1, 0);
    let remembered: Vec<_> = std::fs::read_dir(cache.join("fingerprints")).unwrap().collect();
    let remembered = remembered[0].as_ref().unwrap().path();
    std::fs::write(&remembered, "damaged").unwrap();
    let options = cached_in(&cache);
    check("a b c", &options, 1, 0);
    assert_eq!(warnings(&options).len(), 1);
}

#[test]
fn what_was_not_used_is_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let options = cached_in(dir.path());
    let cache = options.cache.clone().unwrap();
    let analyzers = Analyzers::new(&[1, 3], &["a"]);
    let source = Words::new(&texts(3));
    let run = |analyzers: &Analyzers| analyzers.run(&source, &options, &workers(2)).cached;
    assert_eq!((run(&analyzers), files(dir.path()).len()), (0, 9));
    let month = Duration::from_hours(24 * 30);
    assert_eq!(cache.prune(Some(month), None).unwrap().files, 0);
    // All are old; then some are used.
    let old = SystemTime::now() - 2 * month;
    for path in files(dir.path()) {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    assert_eq!(run(&Analyzers::new(&[3], &["a"])), 3);
    let pruned = cache.prune(Some(month), None).unwrap();
    assert_eq!((pruned.files, files(dir.path()).len()), (3, 6));
    assert_eq!((run(&Analyzers::new(&[3], &["a"])), run(&analyzers)), (3, 0));
    // Not more than so many bytes; none at all.
    let bytes: u64 = files(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    let pruned = cache.prune(None, Some(bytes / 2)).unwrap();
    let left: u64 = files(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(left <= bytes / 2 && left > 0 && pruned.bytes == bytes - left);
    // What a killed run has left goes after a day.
    let rest = files(dir.path())[0].with_file_name(".tmpAbCdEf");
    std::fs::write(&rest, "x").unwrap();
    cache.prune(Some(month), None).unwrap();
    assert!(rest.exists());
    std::fs::File::options().write(true).open(&rest).unwrap().set_modified(old).unwrap();
    cache.prune(Some(month), None).unwrap();
    assert!(!rest.exists());
    cache.prune(None, Some(0)).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "folders are gone, too");
    assert_eq!(run(&analyzers), 0);
}
