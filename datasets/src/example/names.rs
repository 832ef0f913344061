//! Feature names to column numbers, mostly without hashing.
//!
//! Writers put the features of every record in about the same order, so the name that followed
//! the previous name last time is the best guess for this one. A right guess costs one comparison
//! of the bytes of key and tags; a wrong one a hash look-up.
//!
//! ```text
//!   map entry   0a 04 'f' 'a' 'r' 'e' 12 0c …value…
//!               └──── Name::prefix ───┘
//! ```

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::wire;

/// No column.
const NONE: u32 = u32::MAX;

struct Name {
    text: Box<str>,
    /// Key field and tag of the value field, as every writer puts them.
    prefix: Box<[u8]>,
}

/// The names seen so far in a shard, numbered from 0 as they came.
pub(super) struct Names {
    list: Vec<Name>,
    table: HashTable<u32>,
    /// `next[0]`: names that came first in a record; `next[i + 1]`: names that came after name
    /// `i`. The latest first, then the one before.
    next: Vec<[u32; 2]>,
    /// Index in `next` of the previous name of this record.
    last: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Names { list: Vec::new(), table: HashTable::new(), next: vec![[NONE; 2]], last: 0 }
    }

    pub(super) fn text(&self, column: usize) -> &str {
        &self.list[column].text
    }

    /// Has to be called before the first name of a record.
    #[inline]
    pub(super) fn start(&mut self) {
        self.last = 0;
    }

    /// The column whose name starts this map entry, and what follows the tag of its value.
    #[inline]
    pub(super) fn guess<'a>(&self, entry: &'a [u8]) -> Option<(usize, &'a [u8])> {
        for column in self.next[self.last] {
            if let Some(name) = self.list.get(column as usize)
                && let Some(rest) = entry.strip_prefix(&*name.prefix)
            {
                return Some((column as usize, rest));
            }
        }
        None
    }

    /// Has to be called when a guess was right.
    #[inline]
    pub(super) fn guessed(&mut self, column: usize) {
        self.last = column + 1;
    }

    /// The column of a name; true if the name is new.
    ///
    /// The name has to be valid UTF-8 if it is new.
    pub(super) fn find(&mut self, key: &[u8]) -> Result<(usize, bool), wire::Flaw> {
        let hash = xxh3_64(key);
        let found = self.table.find(hash, |&i| self.list[i as usize].text.as_bytes() == key);
        let (column, is_new) = match found {
            Some(&column) => (column, false),
            None => (self.add(key, hash)?, true),
        };
        let next = &mut self.next[self.last];
        if next[0] != column {
            *next = [column, next[0]];
        }
        self.last = column as usize + 1;
        Ok((column as usize, is_new))
    }

    fn add(&mut self, key: &[u8], hash: u64) -> Result<u32, wire::Flaw> {
        let text = std::str::from_utf8(key).map_err(|_| wire::Flaw::Name)?;
        let mut prefix = vec![0x0a];
        wire::put_varint(key.len() as u64, &mut prefix);
        prefix.extend_from_slice(key);
        prefix.push(0x12);
        let column = self.list.len() as u32;
        self.list.push(Name { text: text.into(), prefix: prefix.into() });
        self.next.push([NONE; 2]);
        let list = &self.list;
        self.table.insert_unique(hash, column, |&i| xxh3_64(list[i as usize].text.as_bytes()));
        Ok(column)
    }

    /// Forgets all names from number `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        if len == self.list.len() {
            return;
        }
        for (i, name) in self.list.iter().enumerate().skip(len) {
            let hash = xxh3_64(name.text.as_bytes());
            if let Ok(entry) = self.table.find_entry(hash, |&j| j as usize == i) {
                entry.remove();
            }
        }
        self.list.truncate(len);
        self.next.truncate(len + 1);
        self.last = 0;
    }
}
