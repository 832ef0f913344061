//! `Compare`: counts over all pairs of rows with the same identifier.
//!
//! Of `a` rows of the base and `b` of the test set, `a × b` pairs are counted without being made:
//! `base_count` of a feature is the rows of the base that have a value, times `b`; `match_count` is
//! the sum over its values of how often each side has them; and so on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{CombineFn, Error, ErrorKind, KeyedBlock, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::fingerprint::EMPTY;
use super::join::{Row, Rows};
use super::rows::{ENTRY, entry};
use super::{Side, SkewOptions};
use crate::stats::generator::bytes;

/// Compares the rows of every identifier.
pub struct Compare {
    options: Arc<SkewOptions>,
}

impl Compare {
    /// For these options.
    pub fn new(options: Arc<SkewOptions>) -> Self {
        Compare { options }
    }
}

/// The accumulator of [`Compare`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    pub(super) with_id: [u64; 2],
    pub(super) n_ids: u64,
    /// Identifiers that a side lacks.
    pub(super) missing: [u64; 2],
    pub(super) n_pairs: u64,
    /// Pairs that were compared.
    pub(super) n_compared: u64,
    pub(super) n_duplicates: u64,
    /// By code.
    pub(super) features: BTreeMap<u64, Counts>,
    pub(super) confusion: BTreeMap<Met, u64>,
    /// The pairs that differ whose keys' hashes are least.
    pub(super) sample: BTreeSet<Differing>,
}

/// What is counted of one feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Pairs in which each side has a value.
    pub(super) has: [u64; 2],
    /// Pairs in which only that side has.
    pub(super) only: [u64; 2],
    pub(super) matches: u64,
    pub(super) mismatches: u64,
}

impl Counts {
    fn merge(&mut self, other: &Counts) {
        for side in [0, 1] {
            self.has[side] += other.has[side];
            self.only[side] += other.only[side];
        }
        self.matches += other.matches;
        self.mismatches += other.mismatches;
    }
}

/// Two values of a feature that met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Met {
    /// Which feature, by its place in the options.
    pub(super) feature: u32,
    pub(super) base: Value,
    pub(super) test: Value,
}

/// A value, or none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Value(pub(super) Option<Bytes>);

/// Byte strings, serialized as one block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Bytes(#[serde(with = "bytes")] pub(super) Vec<u8>);

/// Two rows that differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Differing {
    /// Of the key.
    hash: u64,
    key: Bytes,
    /// Which of the key's pairs.
    number: u32,
    pub(super) base: Bytes,
    pub(super) test: Bytes,
}

/// How two rows relate in one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Match,
    Mismatch,
    Only(Side),
    /// There without values on one side, not there on the other.
    Nothing,
}

/// Walks the features that one of two rows has, by ascending code.
pub(super) fn relations(base: &[u8], test: &[u8], mut f: impl FnMut(u64, Relation)) {
    let (mut a, mut b) = (base.chunks_exact(ENTRY), test.chunks_exact(ENTRY));
    let (mut x, mut y) = (a.next(), b.next());
    loop {
        let (left, right) = (x.map(entry), y.map(entry));
        let (code, in_base, in_test) = match (left, right) {
            (None, None) => return,
            (Some((code, hash)), None) => (code, Some(hash), None),
            (None, Some((code, hash))) => (code, None, Some(hash)),
            (Some((p, hash)), Some((q, _))) if p < q => (p, Some(hash), None),
            (Some((p, _)), Some((q, hash))) if q < p => (q, None, Some(hash)),
            (Some((code, left)), Some((_, right))) => (code, Some(left), Some(right)),
        };
        let value = |hash: Option<u64>| hash.filter(|&hash| hash > EMPTY);
        f(
            code,
            match (value(in_base), value(in_test)) {
                (Some(left), Some(right)) if left == right => Relation::Match,
                (Some(_), Some(_)) => Relation::Mismatch,
                (Some(_), None) => Relation::Only(Side::Base),
                (None, Some(_)) => Relation::Only(Side::Test),
                (None, None) if in_base.is_some() && in_test.is_some() => Relation::Match,
                (None, None) => Relation::Nothing,
            },
        );
        if in_base.is_some() {
            x = a.next();
        }
        if in_test.is_some() {
            y = b.next();
        }
    }
}

/// Counters of features while a block is added.
#[derive(Default)]
struct Local {
    places: hashbrown::HashMap<u64, usize, foldhash::fast::FixedState>,
    counts: Vec<(u64, Counts)>,
}

impl Local {
    #[inline]
    fn of(&mut self, code: u64) -> &mut Counts {
        let counts = &mut self.counts;
        let place = *self.places.entry(code).or_insert_with(|| {
            counts.push((code, Counts::default()));
            counts.len() - 1
        });
        &mut counts[place].1
    }

    /// One pair; true if it differs.
    fn pair(&mut self, base: &[u8], test: &[u8]) -> bool {
        let mut differs = false;
        relations(base, test, |code, relation| {
            let counts = self.of(code);
            match relation {
                Relation::Match => counts.matches += 1,
                Relation::Mismatch => counts.mismatches += 1,
                Relation::Only(side) => counts.only[side as usize] += 1,
                Relation::Nothing => {}
            }
            differs |= !matches!(relation, Relation::Match | Relation::Nothing);
        });
        // A match of empty features counts for neither side.
        for (side, entries) in [base, test].into_iter().enumerate() {
            for (code, hash) in entries.chunks_exact(ENTRY).map(entry) {
                self.of(code).has[side] += u64::from(hash > EMPTY);
            }
        }
        differs
    }

    /// All pairs of several rows.
    fn pairs(&mut self, base: &[Row<'_>], test: &[Row<'_>]) {
        /// How often a side has each value of a feature.
        type Values = BTreeMap<u64, u64>;
        let mut features = BTreeMap::<u64, [Values; 2]>::new();
        for row in base.iter().chain(test) {
            for (code, hash) in row.entries.chunks_exact(ENTRY).map(entry) {
                let sides = features.entry(code).or_default();
                *sides[row.side as usize].entry(hash).or_default() += 1;
            }
        }
        let (n_base, n_test) = (base.len() as u64, test.len() as u64);
        for (code, [base, test]) in features {
            let has = |values: &Values| values.range(EMPTY + 1..).map(|(_, n)| n).sum::<u64>();
            let (in_base, in_test) = (has(&base), has(&test));
            let both = base.iter().filter_map(|(hash, n)| Some((hash, n * test.get(hash)?)));
            let both: Vec<_> = both.collect();
            let equal = both.iter().filter(|(hash, _)| **hash > EMPTY).map(|(_, n)| n).sum::<u64>();
            self.of(code).merge(&Counts {
                has: [in_base * n_test, in_test * n_base],
                only: [in_base * (n_test - in_test), in_test * (n_base - in_base)],
                matches: both.iter().map(|(_, n)| n).sum(),
                mismatches: in_base * in_test - equal,
            });
        }
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Incompatible, "the rows of an identifier are damaged")
}

/// True if two rows differ in a feature.
fn differ(base: &Row<'_>, test: &Row<'_>) -> bool {
    let mut differ = false;
    relations(base.entries, test.entries, |_, relation| {
        differ |= !matches!(relation, Relation::Match | Relation::Nothing);
    });
    differ
}

impl Compare {
    /// Offers pairs of one key that differ to the sample, in an order that is theirs.
    fn sample(&self, acc: &mut Compared, key: &[u8], base: &[Row<'_>], test: &[Row<'_>]) {
        let hash = xxh3_64(key);
        let most = self.options.sample;
        let is_full = |sample: &BTreeSet<Differing>| {
            sample.len() >= most && sample.last().is_none_or(|last| last.hash < hash)
        };
        if is_full(&acc.sample) {
            return;
        }
        let mut number = 0;
        // Rows are sorted by what is compared: of rows alike one is looked at for all.
        'pairs: for base in base.chunk_by(|a, b| a.entries == b.entries) {
            for test in test.chunk_by(|a, b| a.entries == b.entries) {
                if !differ(&base[0], &test[0]) {
                    continue;
                }
                for base in base {
                    for test in test {
                        if number as usize >= most {
                            break 'pairs;
                        }
                        let bytes = |row: &Row<'_>| {
                            let mut out = Vec::new();
                            row.write(&mut out);
                            Bytes(out)
                        };
                        let (base, test) = (bytes(base), bytes(test));
                        let key = Bytes(key.to_vec());
                        acc.sample.insert(Differing { hash, key, number, base, test });
                        number += 1;
                    }
                }
            }
        }
        while acc.sample.len() > most {
            acc.sample.pop_last();
        }
    }

    /// Counts which values meet.
    fn confuse<'a>(
        &self,
        met: &mut hashbrown::HashMap<
            (u32, Option<&'a [u8]>, Option<&'a [u8]>),
            u64,
            foldhash::fast::FixedState,
        >,
        base: &[Row<'a>],
        test: &[Row<'a>],
    ) -> Option<()> {
        let n = self.options.confusion.len();
        let values = |rows: &[Row<'a>]| {
            let mut counts = vec![BTreeMap::<Option<&'a [u8]>, u64>::new(); n];
            for row in rows {
                for (counts, value) in counts.iter_mut().zip(row.rest(n)?.0) {
                    *counts.entry(value).or_default() += 1;
                }
            }
            Some(counts)
        };
        for (feature, (base, test)) in values(base)?.into_iter().zip(values(test)?).enumerate() {
            for (left, n_left) in &base {
                for (right, n_right) in &test {
                    *met.entry((feature as u32, *left, *right)).or_default() += n_left * n_right;
                }
            }
        }
        Some(())
    }
}

impl CombineFn for Compare {
    type Input = KeyedBlock<Rows>;
    type Accumulator = Compared;
    type Output = Compared;

    fn name(&self) -> &'static str {
        "compare"
    }

    fn create_accumulator(&self) -> Compared {
        Compared::default()
    }

    fn add_input(&self, acc: &mut Compared, block: &KeyedBlock<Rows>) -> Result<()> {
        let mut local = Local::default();
        let mut met = hashbrown::HashMap::default();
        for (key, rows) in block.iter() {
            let [n_base, n_test] = rows.n;
            acc.with_id = [acc.with_id[0] + n_base, acc.with_id[1] + n_test];
            acc.n_ids += 1;
            acc.missing[0] += u64::from(n_base == 0);
            acc.missing[1] += u64::from(n_test == 0);
            acc.n_pairs += n_base * n_test;
            acc.n_duplicates += u64::from(n_base > 1 || n_test > 1);
            if n_base == 0 || n_test == 0 || rows.is_skipped() {
                continue;
            }
            let sorted = rows.sorted().ok_or_else(damaged)?;
            let (base, test) = sorted.split_at(sorted.partition_point(|r| r.side == Side::Base));
            if [base.len() as u64, test.len() as u64] != rows.n {
                return Err(damaged());
            }
            acc.n_compared += n_base * n_test;
            let mut may_differ = true;
            if let ([base], [test]) = (base, test) {
                may_differ = local.pair(base.entries, test.entries);
            } else {
                local.pairs(base, test);
            }
            if may_differ && self.options.sample > 0 {
                self.sample(acc, key, base, test);
            }
            if !self.options.confusion.is_empty() {
                self.confuse(&mut met, base, test).ok_or_else(damaged)?;
            }
        }
        for (code, counts) in local.counts {
            acc.features.entry(code).or_default().merge(&counts);
        }
        for ((feature, base, test), n) in met {
            let value = |value: Option<&[u8]>| Value(value.map(|value| Bytes(value.to_vec())));
            let met = Met { feature, base: value(base), test: value(test) };
            *acc.confusion.entry(met).or_default() += n;
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Compared, other: Compared) -> Result<()> {
        for side in [0, 1] {
            acc.with_id[side] += other.with_id[side];
            acc.missing[side] += other.missing[side];
        }
        acc.n_ids += other.n_ids;
        acc.n_pairs += other.n_pairs;
        acc.n_compared += other.n_compared;
        acc.n_duplicates += other.n_duplicates;
        for (code, counts) in other.features {
            acc.features.entry(code).or_default().merge(&counts);
        }
        for (met, n) in other.confusion {
            *acc.confusion.entry(met).or_default() += n;
        }
        acc.sample.extend(other.sample);
        while acc.sample.len() > self.options.sample {
            acc.sample.pop_last();
        }
        Ok(())
    }

    fn extract_output(&self, acc: Compared) -> Result<Compared> {
        Ok(acc)
    }
}
