//! The hash tables behind `combine_per_key`: one per group, keys packed into 16 bytes.

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::KeyState;

/// Seeds are fixed: which worker owns a key must not depend on the process.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hash of a key, the same in every process and every run.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    if bytes.len() <= INLINE { hash_packed(pack(bytes)) } else { xxhash_rust::xxh3::xxh3_64(bytes) }
}

/// Longest key that is stored in its slot.
const INLINE: usize = 12;

/// Length in the low 32 bits, then the bytes: two short keys are equal when these are. Made in
/// registers: bytes that are copied to memory and read back as one word wait for every miss of the
/// cache before them.
#[inline]
fn pack(bytes: &[u8]) -> u128 {
    let n = bytes.len();
    let (first, rest) = if let Some(first) = bytes.first_chunk::<8>() {
        let last = bytes.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last));
        (u64::from_le_bytes(*first), u64::from(last) >> (8 * (INLINE - n)))
    } else if let Some(first) = bytes.first_chunk::<4>() {
        let last = bytes.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last));
        (u64::from(u32::from_le_bytes(*first)) | u64::from(last) << (8 * (n - 4)), 0)
    } else {
        (bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0)
    };
    n as u128 | u128::from(first) << 32 | u128::from(rest) << 96
}

fn hash_packed(packed: u128) -> u64 {
    let (lo, hi) = (packed as u64 ^ SEED, (packed >> 64) as u64 ^ SEED.rotate_left(32));
    let product = u128::from(lo.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ lo >> 29)
        * u128::from(hi | 1)
        + (u128::from(hi) << 17);
    let folded = (product >> 64) as u64 ^ product as u64;
    folded.wrapping_mul(0xc4ce_b9fe_1a85_ec53) ^ folded >> 31
}

/// A key in 16 bytes: short keys whole, longer ones as length, prefix and place in the arena.
#[derive(Clone, Copy)]
struct Slot<S> {
    key: u128,
    state: S,
}

/// The keys of one group (one feature of one slice, say) on one worker.
pub struct Group<S> {
    pub(crate) name: Arc<[u8]>,
    table: HashTable<Slot<S>>,
    arena: Vec<u8>,
    heap_bytes: usize,
    /// The greatest key that was kept by [`Group::keep_least`].
    bound: Option<Vec<u8>>,
}

impl<S: KeyState> Group<S> {
    fn new(name: &[u8]) -> Self {
        Group {
            name: name.into(),
            table: HashTable::new(),
            arena: Vec::new(),
            heap_bytes: 0,
            bound: None,
        }
    }

    /// Drops all but the `n` least keys once there are more than twice as many: for results that
    /// need no more. What is dropped is as if it had not been added.
    pub fn keep_least(&mut self, n: usize) {
        if n == 0 || self.len() / 2 <= n {
            return;
        }
        let arena = std::mem::take(&mut self.arena);
        let mut slots = with_prefixes(std::mem::take(&mut self.table), &arena);
        slots.select_nth_unstable_by(n - 1, |a, b| compare(a, b, &arena));
        let mut short = [0; INLINE];
        self.bound = Some(bytes_of(slots[n - 1].1.key, &arena, &mut short).to_vec());
        self.heap_bytes = 0;
        for (_, slot) in &slots[..n] {
            self.add(bytes_of(slot.key, &arena, &mut short), &slot.state);
        }
    }

    /// Whether [`Group::keep_least`] may keep a key that begins so.
    #[inline]
    pub fn may_keep(&self, prefix: &[u8]) -> bool {
        let Some(bound) = &self.bound else { return true };
        prefix <= &bound[..bound.len().min(prefix.len())]
    }

    #[inline]
    fn entry(&mut self, key: &[u8]) -> &mut S {
        if key.len() <= INLINE {
            let packed = pack(key);
            let hash = hash_packed(packed);
            &mut self
                .table
                .entry(hash, |slot| slot.key == packed, |slot| hash_slot(slot.key, &self.arena))
                .or_insert_with(|| Slot { key: packed, state: S::default() })
                .into_mut()
                .state
        } else {
            self.entry_long(key)
        }
    }

    fn entry_long(&mut self, key: &[u8]) -> &mut S {
        let hash = hash(key);
        let prefix = u128::from(key.len() as u32)
            | u128::from(u32::from_le_bytes([key[0], key[1], key[2], key[3]])) << 32;
        let arena = &self.arena;
        let entry = self.table.entry(
            hash,
            |slot| slot.key & u128::from(u64::MAX) == prefix && long_key(slot.key, arena) == key,
            |slot| hash_slot(slot.key, arena),
        );
        match entry {
            Entry::Occupied(entry) => &mut entry.into_mut().state,
            Entry::Vacant(entry) => {
                let offset = self.arena.len() as u128;
                self.arena.extend_from_slice(key);
                let slot = Slot { key: prefix | offset << 64, state: S::default() };
                &mut entry.insert(slot).into_mut().state
            }
        }
    }

    /// Folds `state` into the state of `key`.
    #[inline]
    pub fn add(&mut self, key: &[u8], state: &S) {
        self.update(key, |kept| kept.merge(state));
    }

    /// Changes the state of a key, made by default when the key is new.
    #[inline]
    pub fn update(&mut self, key: &[u8], change: impl FnOnce(&mut S)) {
        let state = self.entry(key);
        let before = state.heap_bytes();
        change(state);
        let after = state.heap_bytes();
        self.heap_bytes += after.saturating_sub(before);
    }

    /// Number of distinct keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.table.capacity() * (size_of::<Slot<S>>() + 1) * 8 / 7
            + self.arena.capacity()
            + self.heap_bytes
    }

    /// Calls `f` with every key in ascending order, and empties the group.
    pub(crate) fn drain_sorted(&mut self, mut f: impl FnMut(&[u8], &S)) {
        let arena = std::mem::take(&mut self.arena);
        let mut slots = with_prefixes(std::mem::take(&mut self.table), &arena);
        slots.sort_unstable_by(|a, b| compare(a, b, &arena));
        let mut short = [0; INLINE];
        for (_, slot) in &slots {
            f(bytes_of(slot.key, &arena, &mut short), &slot.state);
        }
        self.heap_bytes = 0;
    }
}

fn long_key(key: u128, arena: &[u8]) -> &[u8] {
    let offset = (key >> 64) as usize;
    &arena[offset..offset + key as u32 as usize]
}

fn bytes_of<'a>(key: u128, arena: &'a [u8], short: &'a mut [u8; INLINE]) -> &'a [u8] {
    let length = key as u32 as usize;
    if length <= INLINE {
        short.copy_from_slice(&key.to_le_bytes()[4..]);
        &short[..length]
    } else {
        long_key(key, arena)
    }
}

fn hash_slot(key: u128, arena: &[u8]) -> u64 {
    if key as u32 as usize <= INLINE { hash_packed(key) } else { hash(long_key(key, arena)) }
}

/// The first eight bytes, so that most comparisons of a sort touch no arena.
fn prefix(key: u128, arena: &[u8]) -> u64 {
    let mut first = [0; 8];
    let mut short = [0; INLINE];
    let bytes = bytes_of(key, arena, &mut short);
    let n = bytes.len().min(8);
    first[..n].copy_from_slice(&bytes[..n]);
    u64::from_be_bytes(first)
}

/// The slots of a table, each with the first bytes of its key.
fn with_prefixes<S>(table: HashTable<Slot<S>>, arena: &[u8]) -> Vec<(u64, Slot<S>)> {
    table.into_iter().map(|slot| (prefix(slot.key, arena), slot)).collect()
}

/// The order of keys.
fn compare<S>(a: &(u64, Slot<S>), b: &(u64, Slot<S>), arena: &[u8]) -> Ordering {
    a.0.cmp(&b.0).then_with(|| {
        let (mut short_a, mut short_b) = ([0; INLINE], [0; INLINE]);
        bytes_of(a.1.key, arena, &mut short_a).cmp(bytes_of(b.1.key, arena, &mut short_b))
    })
}

/// All groups of one worker.
pub struct KeyTable<S> {
    groups: Vec<Group<S>>,
    by_name: hashbrown::HashMap<Arc<[u8]>, usize, foldhash::fast::FixedState>,
}

impl<S: KeyState> Default for KeyTable<S> {
    fn default() -> Self {
        KeyTable {
            groups: Vec::new(),
            by_name: hashbrown::HashMap::with_hasher(foldhash::fast::FixedState::with_seed(SEED)),
        }
    }
}

impl<S: KeyState> KeyTable<S> {
    /// The group of that name, made when it is new. Look it up once per column and batch.
    pub fn group(&mut self, name: &[u8]) -> &mut Group<S> {
        let index = if let Some(&index) = self.by_name.get(name) {
            index
        } else {
            let group = Group::new(name);
            let index = self.groups.len();
            self.by_name.insert(group.name.clone(), index);
            self.groups.push(group);
            index
        };
        &mut self.groups[index]
    }

    /// Names of all groups, in the order in which they were made.
    pub fn groups(&self) -> Vec<Arc<[u8]>> {
        self.groups.iter().map(|group| group.name.clone()).collect()
    }

    /// Bytes of memory held by all groups.
    pub fn bytes(&self) -> usize {
        self.groups.iter().map(Group::bytes).sum()
    }

    /// True without any key.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(Group::is_empty)
    }

    /// Calls `f` with every (group, key, state), ascending by group then key, and empties the table.
    pub fn drain_sorted(&mut self, mut f: impl FnMut(&Arc<[u8]>, &[u8], &S)) {
        let mut groups = std::mem::take(&mut self.groups);
        self.by_name.clear();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        for mut group in groups {
            let name = group.name.clone();
            group.drain_sorted(|key, state| f(&name, key, state));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_short_long_and_empty_keys_in_order() {
        let mut table = KeyTable::<u64>::default();
        let keys: [&[u8]; 8] =
            [b"", b"a", b"a\0", b"exactly12byt", b"exactly13byte", b"exactly13bytf", b"zz", b"a"];
        for key in keys {
            *table.group(b"g2").entry(key) += 1;
            table.group(b"g1").add(key, &2);
        }
        let mut seen = Vec::new();
        table.drain_sorted(|group, key, n| seen.push((group.to_vec(), key.to_vec(), *n)));
        assert_eq!(seen.len(), 14);
        assert!(seen.is_sorted());
        assert_eq!(seen[1], (b"g1".to_vec(), b"a".to_vec(), 4));
        assert_eq!(seen[8], (b"g2".to_vec(), b"a".to_vec(), 2));
        assert!(table.is_empty());
    }

    #[test]
    fn keys_of_every_length_are_packed_as_they_are() {
        let bytes: Vec<u8> = (0..INLINE as u8).map(|i| 0xf0 | i).collect();
        for n in 0..=INLINE {
            let packed = pack(&bytes[..n]).to_le_bytes();
            assert_eq!(packed[..4], (n as u32).to_le_bytes());
            assert_eq!(packed[4..4 + n], bytes[..n]);
            assert!(packed[4 + n..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn the_least_keys_are_kept() {
        let texts = (0..5000u32).map(|i| format!("{:x}", i.wrapping_mul(2_654_435_761)));
        let texts = texts.map(|text| if text.len() % 2 == 0 { text.repeat(3) } else { text });
        let keys: Vec<String> = texts.collect();
        for n in [1, 7, 100, 2000, 5000] {
            let mut table = KeyTable::<u64>::default();
            let group = table.group(b"g");
            for key in &keys {
                let key = key.as_bytes();
                if group.may_keep(&key[..key.len().min(2)]) && group.may_keep(key) {
                    group.add(key, &1);
                }
                group.keep_least(n);
                assert!(group.len() <= 2 * n + 1);
            }
            let mut seen: Vec<String> = Vec::new();
            table.drain_sorted(|_, key, _| seen.push(String::from_utf8(key.to_vec()).unwrap()));
            let mut expected = keys.clone();
            expected.sort();
            assert_eq!(seen[..n], expected[..n], "{n}");
        }
    }

    #[test]
    fn grows_past_many_keys() {
        let mut table = KeyTable::<u64>::default();
        for i in 0..200_000u32 {
            *table.group(b"g").entry(format!("key-{}", i % 70_000).as_bytes()) += 1;
        }
        let mut total = 0;
        assert_eq!(table.group(b"g").len(), 70_000);
        table.drain_sorted(|_, _, n| total += n);
        assert_eq!(total, 200_000);
    }
}
