//! A set of byte strings, each with a number, as a double-array trie (Aoe 1989, doi:10.1109/32.31365).
//!
//! One step is one load: the child of a node by byte `b` is at `base ^ b`, if the unit there says `b`.

use engine::{Error, ErrorKind, Result};

/// One node: 8 bytes, so that a step touches one cache line.
#[derive(Clone, Copy, Debug)]
struct Unit {
    /// The number of the key that ends here, or [`NO_VALUE`].
    value: u32,
    /// `base << 9 | label`: where the children are, and the byte that leads here.
    link: u32,
}

const NO_VALUE: u32 = u32::MAX;
const LABEL_BITS: u32 = 9;
const LABEL: u32 = (1 << LABEL_BITS) - 1;
/// Labels that no byte has.
const FREE: u32 = 0x100;
const ROOT_LABEL: u32 = 0x101;
/// Children are sought a place among so many of the last units: the others are as good as full.
const SEARCHED: usize = 256;
const MAX_UNITS: usize = 1 << (32 - LABEL_BITS);

/// A position in a [`Trie`].
pub(super) type Node = u32;

/// Byte strings with their numbers.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    units: Vec<Unit>,
}

impl Trie {
    /// The node of the empty string.
    pub(super) const ROOT: Node = 0;

    /// The trie of `keys`, which are ascending, distinct and have numbers below `u32::MAX`.
    ///
    /// # Errors
    ///
    /// Keys that need more than 8 million nodes are not supported.
    pub(super) fn new(keys: &[(&[u8], u32)]) -> Result<Self> {
        let mut builder = Builder::default();
        builder.grow();
        builder.units[0].link = ROOT_LABEL;
        // The base of leaves: were it a node's as well, they would share its children.
        builder.is_base[0] = true;
        if !keys.is_empty() {
            builder.insert(keys)?;
        }
        Ok(Trie { units: builder.units })
    }

    /// The child of `node` by `byte`.
    #[inline]
    pub(super) fn child(&self, node: Node, byte: u8) -> Option<Node> {
        let child = (self.units[node as usize].link >> LABEL_BITS) ^ u32::from(byte);
        let unit = self.units.get(child as usize)?;
        (unit.link & LABEL == u32::from(byte)).then_some(child)
    }

    /// The number of the key that ends at `node`.
    #[inline]
    pub(super) fn value(&self, node: Node) -> Option<u32> {
        let value = self.units[node as usize].value;
        (value != NO_VALUE).then_some(value)
    }

    /// The node of a string.
    pub(super) fn find(&self, key: &[u8]) -> Option<Node> {
        key.iter().try_fold(Self::ROOT, |node, &byte| self.child(node, byte))
    }
}

#[derive(Default)]
struct Builder {
    units: Vec<Unit>,
    /// Whether a unit is the base of a node: no two nodes may share one.
    is_base: Vec<bool>,
    /// No unit below this one is free.
    first_free: usize,
}

impl Builder {
    fn grow(&mut self) {
        let len = self.units.len() + 256;
        self.units.resize(len, Unit { value: NO_VALUE, link: FREE });
        self.is_base.resize(len, false);
    }

    fn is_free(&self, unit: usize) -> bool {
        self.units[unit].link == FREE
    }

    fn insert(&mut self, keys: &[(&[u8], u32)]) -> Result<()> {
        let mut children: Vec<(u8, usize, usize)> = Vec::new();
        // A node, its keys, and how many of their bytes lead to it.
        let mut open = vec![(0, 0, keys.len(), 0)];
        while let Some((node, mut start, end, depth)) = open.pop() {
            if keys[start].0.len() == depth {
                self.units[node].value = keys[start].1;
                start += 1;
            }
            if start == end {
                continue;
            }
            children.clear();
            for group in keys[start..end].chunk_by(|a, b| a.0[depth] == b.0[depth]) {
                children.push((group[0].0[depth], start, start + group.len()));
                start += group.len();
            }
            let base = self.place(&children);
            if self.units.len() > MAX_UNITS {
                return Err(Error::new(ErrorKind::Unsupported, "the vocabulary is too large")
                    .with_detail(format!(
                        "Its {} pieces need more than {MAX_UNITS} nodes in a trie.",
                        keys.len()
                    )));
            }
            self.is_base[base] = true;
            self.units[node].link |= (base as u32) << LABEL_BITS;
            for &(byte, start, end) in children.iter().rev() {
                let child = base ^ usize::from(byte);
                self.units[child].link = u32::from(byte);
                open.push((child, start, end, depth + 1));
            }
        }
        Ok(())
    }

    /// A base at which all `children` find free units.
    fn place(&mut self, children: &[(u8, usize, usize)]) -> usize {
        while self.first_free < self.units.len() && !self.is_free(self.first_free) {
            self.first_free += 1;
        }
        let mut unit = self.first_free.max(self.units.len().saturating_sub(SEARCHED));
        loop {
            if unit == self.units.len() {
                self.grow();
            }
            let base = unit ^ usize::from(children[0].0);
            let fits = |&(byte, ..): &(u8, usize, usize)| self.is_free(base ^ usize::from(byte));
            if self.is_free(unit) && !self.is_base[base] && children.iter().all(fits) {
                return base;
            }
            unit += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn trie(keys: &BTreeMap<Vec<u8>, u32>) -> Trie {
        let keys: Vec<(&[u8], u32)> = keys.iter().map(|(key, value)| (&**key, *value)).collect();
        Trie::new(&keys).unwrap()
    }

    fn get(trie: &Trie, key: &[u8]) -> Option<u32> {
        trie.value(trie.find(key)?)
    }

    #[test]
    fn an_empty_trie_has_no_key() {
        let trie = Trie::new(&[]).unwrap();
        assert_eq!(get(&trie, b""), None);
        assert!((0..=255).all(|byte| trie.child(Trie::ROOT, byte).is_none()));
    }

    #[test]
    fn all_bytes_are_children_of_all_bytes() {
        let pairs = (0..=u16::MAX).map(|pair| (pair.to_be_bytes().to_vec(), u32::from(pair)));
        let keys: BTreeMap<Vec<u8>, u32> = pairs.collect();
        let trie = trie(&keys);
        assert!(keys.iter().all(|(key, value)| get(&trie, key) == Some(*value)));
        assert_eq!(get(&trie, b"a"), None);
        assert_eq!(get(&trie, b"abc"), None);
    }

    proptest! {
        #[test]
        fn a_trie_is_a_map(
            keys in prop::collection::btree_map(prop::collection::vec(0..4u8, 0..6), 0..9u32, 0..60),
            others in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..50),
        ) {
            let trie = trie(&keys);
            let others: BTreeSet<&Vec<u8>> = keys.keys().chain(&others).collect();
            for key in others {
                prop_assert_eq!(get(&trie, key), keys.get(key).copied());
                for byte in 0..=255 {
                    let longer = [&key[..], &[byte]].concat();
                    prop_assert_eq!(get(&trie, &longer), keys.get(&longer).copied());
                }
            }
        }
    }
}
