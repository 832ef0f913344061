//! `MisraGries`: the frequent values of a stream, with a bound on what is missing.
//!
//! Misra and Gries, doi:10.1016/0167-6423(82)90012-0; merging: Agarwal et al.,
//! doi:10.1145/2500128.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Counts of the frequent values of a stream, in space for `2 * k` values.
///
/// Up to `2 * k` distinct values are counted exactly. With more, every true count lies between
/// the one kept (0 if none is) and that plus [`MisraGries::error`], which is at most the total
/// divided by `k + 1`; so every value with more than that share is among those kept.
///
/// **Invariant:** the state depends on the sequence of additions and merges alone: not on where
/// batches were cut, nor on the order of the hash table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Plain", into = "Plain")]
pub struct MisraGries {
    k: usize,
    table: HashTable<Counted>,
    error: f64,
}

#[derive(Clone, Debug)]
struct Counted {
    hash: u64,
    key: Box<[u8]>,
    count: f64,
}

impl MisraGries {
    /// An empty sketch.
    pub fn new(k: usize) -> Self {
        MisraGries { k, table: HashTable::new(), error: 0.0 }
    }

    /// The hash by which keys are found.
    #[inline]
    pub fn hash(key: &[u8]) -> u64 {
        xxh3_64(key)
    }

    /// Adds to a value that is counted already; false if it is not.
    #[inline]
    pub fn add_known(&mut self, hash: u64, key: &[u8], weight: f64) -> bool {
        let found = self.table.find_mut(hash, |c| c.hash == hash && *c.key == *key);
        found.map(|counted| counted.count += weight).is_some()
    }

    /// Adds to a value; weights that are not positive numbers are passed over.
    pub fn add(&mut self, key: &[u8], weight: f64) {
        if weight.is_nan() || weight <= 0.0 {
            return;
        }
        let hash = Self::hash(key);
        let same = |c: &Counted| c.hash == hash && *c.key == *key;
        match self.table.entry(hash, same, |c| c.hash) {
            Entry::Occupied(mut counted) => counted.get_mut().count += weight,
            Entry::Vacant(place) => {
                place.insert(Counted { hash, key: key.into(), count: weight });
                self.purge();
            }
        }
    }

    /// Adds another sketch.
    pub fn merge(&mut self, other: MisraGries) {
        self.error += other.error;
        let mut others: Vec<Counted> = other.table.into_iter().collect();
        others.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        for counted in others {
            self.add(&counted.key, counted.count);
        }
    }

    /// How much greater than the count kept a true count can be.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// The values kept and their counts, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], f64)> {
        self.table.iter().map(|counted| (&*counted.key, counted.count))
    }

    /// Past `2 * k` values, takes the (k + 1)-th greatest count from all and drops those at 0:
    /// at least k + 1 times as much is taken away as the error grows.
    fn purge(&mut self) {
        if self.table.len() <= 2 * self.k {
            return;
        }
        let mut counts: Vec<f64> = self.table.iter().map(|counted| counted.count).collect();
        let (_, &mut taken, _) = counts.select_nth_unstable_by(self.k, |a, b| b.total_cmp(a));
        self.error += taken;
        self.table.retain(|counted| {
            counted.count -= taken;
            counted.count > 0.0
        });
    }
}

/// What is stored: ascending keys.
#[derive(Serialize, Deserialize)]
struct Plain {
    k: usize,
    error: f64,
    entries: Vec<(Key, f64)>,
}

#[derive(Serialize, Deserialize)]
struct Key(#[serde(with = "crate::stats::generator::bytes")] Vec<u8>);

impl From<MisraGries> for Plain {
    fn from(sketch: MisraGries) -> Self {
        let entries = sketch.table.into_iter().map(|c| (Key(c.key.into_vec()), c.count));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by(|a, b| a.0.0.cmp(&b.0.0));
        Plain { k: sketch.k, error: sketch.error, entries }
    }
}

impl From<Plain> for MisraGries {
    fn from(plain: Plain) -> Self {
        let mut sketch = MisraGries::new(plain.k);
        for (key, count) in plain.entries {
            sketch.add(&key.0, count);
        }
        sketch.error += plain.error;
        sketch
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Counts = BTreeMap<Vec<u8>, f64>;

    fn counts(sketch: &MisraGries) -> Counts {
        sketch.iter().map(|(key, count)| (key.to_vec(), count)).collect()
    }

    /// A skewed stream and its true counts.
    fn stream(n: u64) -> (Vec<Vec<u8>>, Counts) {
        let values = (0..n).map(|i| {
            let u = xxh3_64(&i.to_le_bytes()) % 10_000;
            (u * u / 50_000).to_string().into_bytes()
        });
        let values: Vec<_> = values.collect();
        let mut truth = Counts::new();
        for value in &values {
            *truth.entry(value.clone()).or_default() += 1.0;
        }
        (values, truth)
    }

    fn check_bound(sketch: &MisraGries, truth: &Counts, n: f64) {
        let kept = counts(sketch);
        assert!(sketch.error() <= n / (sketch.k + 1) as f64);
        for (value, &count) in truth {
            let low = kept.get(value).copied().unwrap_or(0.0);
            assert!(low <= count && count <= low + sketch.error(), "{count} {low}");
        }
    }

    #[test]
    fn exact_while_all_values_fit() {
        let mut sketch = MisraGries::new(3);
        for (value, weight) in [("a", 1.5), ("", 2.0), ("a", 1.0), ("x", -1.0), ("y", f64::NAN)] {
            sketch.add(value.as_bytes(), weight);
        }
        assert_eq!(counts(&sketch), Counts::from([(b"".into(), 2.0), (b"a".into(), 2.5)]));
        assert_eq!(sketch.error(), 0.0);
        assert!(sketch.add_known(MisraGries::hash(b"a"), b"a", 1.0));
        assert!(!sketch.add_known(MisraGries::hash(b"b"), b"b", 1.0));
    }

    #[test]
    fn the_error_is_bounded() {
        let (values, truth) = stream(60_000);
        let mut whole = MisraGries::new(100);
        for value in &values {
            whole.add(value, 1.0);
        }
        assert!(truth.len() > 1000);
        check_bound(&whole, &truth, 60_000.0);
        let mut merged = MisraGries::new(100);
        for part in values.chunks(17_000) {
            let mut sketch = MisraGries::new(100);
            for value in part {
                sketch.add(value, 1.0);
            }
            let bytes = postcard::to_stdvec(&sketch).unwrap();
            let back: MisraGries = postcard::from_bytes(&bytes).unwrap();
            assert_eq!((counts(&back), back.error()), (counts(&sketch), sketch.error()));
            merged.merge(back);
        }
        check_bound(&merged, &truth, 60_000.0);
    }
}
