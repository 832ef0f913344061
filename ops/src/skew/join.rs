//! `Join`: the rows of both sides, gathered by identifier.
//!
//! ```text
//! row := varint(length) varint(entries)*2+side entry* value*                 entry := code hash
//!        one value for each feature to be counted, then the row's place where pairs are sampled
//! ```

use std::sync::Arc;

use arrow_array::Array;
use engine::{KeyState, KeyTable, KeyedCombineFn, Result, read_varint, write_varint};

use super::rows::{ENTRY, Fingerprints};
use super::{Side, SkewOptions};

/// The rows of one identifier: a multiset of each side.
///
/// Where duplicates are not to be compared, only their number is kept: an identifier that half of
/// the examples share takes no more room than any other.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Number of rows of each side.
    pub(super) n: [u64; 2],
    keeps_all: bool,
    /// The rows, one after the other, in any order.
    bytes: Vec<u8>,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row<'a> {
    pub(super) side: Side,
    /// Its features: [`ENTRY`] bytes each, by ascending code.
    pub(super) entries: &'a [u8],
    /// Values to be counted, then the place.
    pub(super) rest: &'a [u8],
}

impl<'a> Row<'a> {
    /// Reads a row from the front of `bytes` and advances it.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        let length = usize::try_from(read_varint(bytes)?).ok()?;
        let (mut row, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        let head = read_varint(&mut row)?;
        let length = usize::try_from(head >> 1).ok()?.checked_mul(ENTRY)?;
        let (entries, rest) = row.split_at_checked(length)?;
        let side = Side::BOTH[(head & 1) as usize];
        Some(Row { side, entries, rest })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut head = Vec::with_capacity(4);
        write_varint(&mut head, (self.entries.len() / ENTRY) as u64 * 2 + self.side as u64);
        let length = head.len() + self.entries.len() + self.rest.len();
        write_varint(out, length as u64);
        for part in [&head, self.entries, self.rest] {
            out.extend_from_slice(part);
        }
    }

    /// The values to be counted, `None` where there is none, and the place, if it is there.
    pub(super) fn rest(
        &self,
        n_values: usize,
    ) -> Option<(Vec<Option<&'a [u8]>>, Option<(u64, u64)>)> {
        let mut bytes = self.rest;
        let mut values = Vec::with_capacity(n_values);
        for _ in 0..n_values {
            values.push(match read_varint(&mut bytes)?.checked_sub(1) {
                None => None,
                Some(length) => {
                    let (value, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
                    bytes = rest;
                    Some(value)
                }
            });
        }
        if bytes.is_empty() {
            return Some((values, None));
        }
        let place = (read_varint(&mut bytes)?, read_varint(&mut bytes)?);
        Some((values, Some(place)))
    }
}

impl Rows {
    /// True where the rows are only counted.
    pub(super) fn is_skipped(&self) -> bool {
        !self.keeps_all && self.n.iter().any(|&n| n > 1)
    }

    /// The rows of the base, then those of the test set, sorted; `None` if the bytes are damaged.
    pub(super) fn sorted(&self) -> Option<Vec<Row<'_>>> {
        let mut bytes = &*self.bytes;
        let mut rows = Vec::with_capacity(2);
        while !bytes.is_empty() {
            rows.push(Row::read(&mut bytes)?);
        }
        rows.sort_unstable();
        Some(rows)
    }
}

impl KeyState for Rows {
    fn merge(&mut self, other: &Self) {
        self.n = [self.n[0] + other.n[0], self.n[1] + other.n[1]];
        self.keeps_all |= other.keeps_all;
        if self.is_skipped() {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(&other.bytes);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.n[0]);
        write_varint(out, self.n[1]);
        write_varint(out, (self.bytes.len() as u64) << 1 | u64::from(self.keeps_all));
        if self.n[0] + self.n[1] < 2 {
            out.extend_from_slice(&self.bytes);
            return;
        }
        // In an order of their own, not in that of their coming.
        for row in self.sorted().unwrap_or_default() {
            row.write(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let n = [read_varint(bytes)?, read_varint(bytes)?];
        let head = read_varint(bytes)?;
        let (rows, rest) = bytes.split_at_checked(usize::try_from(head >> 1).ok()?)?;
        *bytes = rest;
        Some(Rows { n, keeps_all: head & 1 == 1, bytes: rows.to_vec() })
    }

    fn heap_bytes(&self) -> usize {
        /// What an allocation costs beside its bytes.
        const OVERHEAD: usize = 16;
        if self.bytes.capacity() == 0 { 0 } else { self.bytes.capacity() + OVERHEAD }
    }
}

/// Gathers the rows of every identifier.
pub struct Join {
    options: Arc<SkewOptions>,
}

impl Join {
    /// For these options.
    pub fn new(options: Arc<SkewOptions>) -> Self {
        Join { options }
    }
}

impl KeyedCombineFn for Join {
    type Input = Fingerprints;
    type State = Rows;

    fn name(&self) -> &'static str {
        "join"
    }

    fn add_input(&self, table: &mut KeyTable<Rows>, input: &Fingerprints) -> Result<()> {
        let group = table.group(b"");
        let (mut entries, mut rest) = (Vec::new(), Vec::new());
        let mut one = Rows { keeps_all: self.options.allow_duplicates, ..Rows::default() };
        one.n[input.side as usize] = 1;
        for i in 0..input.n_rows {
            let key = input.keys.get(i);
            if key.is_empty() {
                continue;
            }
            entries.clear();
            rest.clear();
            input.entries(i, &mut entries);
            for values in &input.confusion {
                match values.as_ref().filter(|values| values.is_valid(i)) {
                    None => rest.push(0),
                    Some(values) => {
                        let value = values.value(i);
                        write_varint(&mut rest, value.len() as u64 + 1);
                        rest.extend_from_slice(value);
                    }
                }
            }
            if self.options.sample > 0 {
                write_varint(&mut rest, input.shard);
                write_varint(&mut rest, input.first_row + i as u64);
            }
            one.bytes.clear();
            Row { side: input.side, entries: &entries, rest: &rest }.write(&mut one.bytes);
            group.add(key, &one);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(side: Side, entries: &[u8], rest: &[u8], keeps_all: bool) -> Rows {
        let mut rows = Rows { keeps_all, ..Rows::default() };
        rows.n[side as usize] = 1;
        Row { side, entries, rest }.write(&mut rows.bytes);
        rows
    }

    fn encoded(rows: &Rows) -> Vec<u8> {
        let mut out = Vec::new();
        rows.encode(&mut out);
        let decoded = Rows::decode(&mut &*out).unwrap();
        assert_eq!((decoded.n, decoded.sorted()), (rows.n, rows.sorted()));
        for cut in 0..out.len() {
            assert!(Rows::decode(&mut &out[..cut]).is_none());
        }
        out
    }

    #[test]
    fn merging_has_no_order() {
        for keeps_all in [true, false] {
            let parts = [
                rows(Side::Base, &[1; ENTRY], b"x", keeps_all),
                rows(Side::Test, &[2; 2 * ENTRY], b"", keeps_all),
                rows(Side::Test, &[], b"y", keeps_all),
            ];
            let merged = |order: [usize; 3]| {
                let mut all = Rows::default();
                order.iter().for_each(|&i| all.merge(&parts[i]));
                encoded(&all)
            };
            let expected = merged([0, 1, 2]);
            for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                assert_eq!(merged(order), expected);
            }
            let mut last = parts[1].clone();
            last.merge(&parts[2]);
            let mut all = parts[0].clone();
            all.merge(&last);
            assert_eq!(encoded(&all), expected);
            assert_eq!(all.sorted().unwrap().len(), if keeps_all { 3 } else { 0 });
            assert_eq!((all.n, all.is_skipped()), ([1, 2], !keeps_all));
        }
    }

    #[test]
    fn what_is_beside_the_features() {
        let row = |rest| Row { side: Side::Base, entries: &[], rest };
        let values = vec![None, Some(&b"ab"[..]), Some(b"")];
        assert_eq!(row(&[0, 3, b'a', b'b', 1]).rest(3), Some((values.clone(), None)));
        let placed = [0, 3, b'a', b'b', 1, 7, 0x80, 1];
        assert_eq!(row(&placed).rest(3), Some((values, Some((7, 128)))));
        assert_eq!(row(&placed[..3]).rest(3), None);
    }
}
