//! Feature names to column numbers, mostly without hashing.
//!
//! Writers put the features of every record in about the same order, so the name that followed
//! the previous name last time is the best guess for this one. A right guess costs one comparison
//! of the bytes of key and tags; a wrong one a hash look-up.
//!
//! ```text
//!   map entry   0a 14 0a 04 'f' 'a' 'r' 'e' 12 0c …value…
//!                     └─── Named::prefix ───┘
//!               └──────── Named::head ──────┘ with any length as second byte
//! ```

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::wire;

/// No column.
const NONE: u32 = u32::MAX;

/// How good luck can get, and how bad.
const LUCK: i32 = 32;

/// How many bytes are compared at once.
const CHUNK: usize = 32;

/// The first bytes of a map entry, as words.
pub(super) type Words = [u64; CHUNK / 8];

/// A name and the column that belongs to it.
pub(super) struct Named<T> {
    text: Box<str>,
    /// Key field and tag of the value field, as every writer puts them.
    prefix: Box<[u8]>,
    /// The first bytes of a short map entry, tag included, and which of their bits matter.
    head: Words,
    mask: Words,
    /// Columns that came after this one in a record: the latest, then the one before.
    next: [u32; 2],
    pub(super) column: T,
}

impl<T: Default> Named<T> {
    fn new(text: &str) -> Self {
        let mut prefix = vec![0x0a];
        wire::put_varint(text.len() as u64, &mut prefix);
        prefix.extend_from_slice(text.as_bytes());
        prefix.push(0x12);
        let (mut head, mut mask) = ([0; CHUNK], [0; CHUNK]);
        head[0] = 0x0a;
        mask[0] = 0xff;
        for (i, &byte) in prefix.iter().enumerate().take(CHUNK - 2) {
            head[i + 2] = byte;
            mask[i + 2] = 0xff;
        }
        Named {
            text: text.into(),
            prefix: prefix.into(),
            head: words_of(&head),
            mask: words_of(&mask),
            next: [NONE; 2],
            column: T::default(),
        }
    }
}

impl<T> Named<T> {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the length of the value is in a short entry, tag included.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.prefix.len() + 2
    }

    /// Whether this is the name in the entry at the start of a map, if that entry is short.
    #[inline]
    fn is_in(&self, words: &Words, map: &[u8]) -> bool {
        // Without branches, so that a wrong guess is found in one go.
        let mut differences = 0;
        for ((word, head), mask) in words.iter().zip(&self.head).zip(&self.mask) {
            differences |= (word ^ head) & mask;
        }
        differences == 0 && (self.end() <= CHUNK || map[2..].starts_with(&self.prefix))
    }
}

/// The first bytes of a map, followed by zeros where it is shorter.
#[inline]
pub(super) fn words(map: &[u8]) -> Words {
    match map.first_chunk() {
        Some(chunk) => words_of(chunk),
        None => last_words(map),
    }
}

#[inline]
fn words_of(chunk: &[u8; CHUNK]) -> Words {
    let (words, _) = chunk.as_chunks();
    std::array::from_fn(|i| words.get(i).map_or(0, |word| u64::from_le_bytes(*word)))
}

#[cold]
fn last_words(map: &[u8]) -> Words {
    let mut padded = [0; CHUNK];
    padded[..map.len()].copy_from_slice(map);
    words_of(&padded)
}

/// The names seen so far in a shard with their columns, numbered from 0 as they came.
pub(super) struct Names<T> {
    list: Vec<Named<T>>,
    table: HashTable<u32>,
    /// Columns that came first in a record: the latest, then the one before.
    first: [u32; 2],
    /// The previous column of this record.
    last: u32,
    /// Grows with good guesses and falls with bad ones; below zero nothing is guessed, for there is
    /// no order in the data and a guess costs two cache misses.
    luck: i32,
}

impl<T: Default> Names<T> {
    pub(super) fn new() -> Self {
        Names {
            list: Vec::new(),
            table: HashTable::new(),
            first: [NONE; 2],
            last: NONE,
            luck: LUCK,
        }
    }

    pub(super) fn all(&self) -> &[Named<T>] {
        &self.list
    }

    pub(super) fn all_mut(&mut self) -> &mut [Named<T>] {
        &mut self.list
    }

    pub(super) fn text(&self, column: usize) -> &str {
        self.list[column].text()
    }

    /// Has to be called before the first name of a record.
    #[inline]
    pub(super) fn start(&mut self) {
        self.last = NONE;
    }

    /// The columns that may come next, the likelier one first.
    #[inline]
    fn next(&self) -> [u32; 2] {
        self.list.get(self.last as usize).map_or(self.first, |name| name.next)
    }

    /// The column whose name starts this map entry, and what follows the tag of its value.
    #[inline]
    pub(super) fn guess<'a>(&self, entry: &'a [u8]) -> Option<(usize, &'a [u8])> {
        for column in self.next() {
            if let Some(name) = self.list.get(column as usize)
                && let Some(rest) = entry.strip_prefix(&*name.prefix)
            {
                return Some((column as usize, rest));
            }
        }
        None
    }

    /// The column of the entry at the start of a map, if the name is known and the entry short.
    #[inline]
    pub(super) fn find_entry(&mut self, words: &Words, map: &[u8]) -> Option<Found<'_, T>> {
        if self.luck >= 0 {
            for column in self.next() {
                if let Some(name) = self.list.get(column as usize)
                    && name.is_in(words, map)
                {
                    self.luck = (self.luck + 1).min(LUCK);
                    return Some(self.found(column));
                }
            }
        }
        self.look_up(words, map)
    }

    #[inline]
    fn found(&mut self, column: u32) -> Found<'_, T> {
        Found { named: &mut self.list[column as usize], last: &mut self.last, column }
    }

    #[inline(never)]
    fn look_up(&mut self, words: &Words, map: &[u8]) -> Option<Found<'_, T>> {
        let &[0x0a, _, 0x0a, len] = map.first_chunk::<4>()? else { return None };
        if len >= 0x80 {
            return None;
        }
        let hash = xxh3_64(map.get(4..4 + len as usize)?);
        let &column = self.table.find(hash, |&i| self.list[i as usize].is_in(words, map))?;
        self.learn(column);
        Some(self.found(column))
    }

    /// Makes this column the next guess after the last one.
    fn learn(&mut self, column: u32) {
        let next = match self.list.get_mut(self.last as usize) {
            Some(last) => &mut last.next,
            None => &mut self.first,
        };
        if next.contains(&column) {
            self.luck = (self.luck + 1).min(LUCK);
        } else {
            *next = [column, next[0]];
            self.luck = (self.luck - 2).max(-LUCK);
        }
    }

    /// Has to be called when a guess was right.
    #[inline]
    pub(super) fn guessed(&mut self, column: usize) {
        self.last = column as u32;
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
        self.learn(column);
        self.last = column;
        Ok((column as usize, is_new))
    }

    fn add(&mut self, key: &[u8], hash: u64) -> Result<u32, wire::Flaw> {
        let text = std::str::from_utf8(key).map_err(|_| wire::Flaw::Name)?;
        let column = self.list.len() as u32;
        self.list.push(Named::new(text));
        let list = &self.list;
        self.table.insert_unique(hash, column, |&i| xxh3_64(list[i as usize].text.as_bytes()));
        Ok(column)
    }

    /// Forgets all names from number `len` on, and their columns.
    pub(super) fn truncate(&mut self, len: usize) {
        for (i, name) in self.list.iter().enumerate().skip(len) {
            let hash = xxh3_64(name.text.as_bytes());
            if let Ok(entry) = self.table.find_entry(hash, |&j| j as usize == i) {
                entry.remove();
            }
        }
        self.list.truncate(len);
        self.last = NONE;
    }
}

/// The column of an entry.
pub(super) struct Found<'a, T> {
    pub(super) named: &'a mut Named<T>,
    last: &'a mut u32,
    column: u32,
}

impl<T> Found<'_, T> {
    /// Has to be called when the entry is used.
    #[inline]
    pub(super) fn accept(self) {
        *self.last = self.column;
    }
}
