//! A list column under construction, and the lists of tf.Example that go into it.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BinaryArray, Float32Array, Int64Array, ListArray, NullArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef};

use super::slots::{Shared, Slots};
use super::wire::{self, Flaw};

/// The three kinds of a tf.Feature, in the order of their field numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bytes,
    Floats,
    Ints,
}

impl Kind {
    /// By field number in tf.Feature.
    #[inline]
    pub(super) fn of_field(number: u32) -> Option<Kind> {
        match number {
            1 => Some(Kind::Bytes),
            2 => Some(Kind::Floats),
            3 => Some(Kind::Ints),
            _ => None,
        }
    }

    /// As tf.Feature calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Bytes => "bytes_list",
            Kind::Floats => "float_list",
            Kind::Ints => "int64_list",
        }
    }
}

/// The values of a column, one after the other.
// With a tag of its own: to find it in the capacity of a vector takes longer.
#[derive(Default)]
#[repr(u8)]
pub(super) enum Values {
    /// No feature of a kind has been seen.
    #[default]
    Unknown,
    /// Nobody wants to know.
    Unwanted,
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    /// Where each value ends, after a zero, and their bytes.
    Bytes(Vec<i32>, Vec<u8>),
}

impl Values {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Ints => Values::Ints(Vec::new()),
            Kind::Floats => Values::Floats(Vec::new()),
            Kind::Bytes => Values::Bytes(vec![0], Vec::new()),
        }
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Values::Unknown | Values::Unwanted => None,
            Values::Ints(_) => Some(Kind::Ints),
            Values::Floats(_) => Some(Kind::Floats),
            Values::Bytes(..) => Some(Kind::Bytes),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Values::Unknown | Values::Unwanted => {}
            Values::Ints(values) => values.truncate(len),
            Values::Floats(values) => values.truncate(len),
            Values::Bytes(ends, data) => {
                ends.truncate(len + 1);
                data.truncate(ends[len] as usize);
            }
        }
    }

    /// The array of all values; starts anew with room for as many.
    fn finish(&mut self) -> ArrayRef {
        match self {
            Values::Unknown | Values::Unwanted => Arc::new(NullArray::new(0)),
            Values::Ints(values) => {
                let room = Vec::with_capacity(values.len());
                Arc::new(Int64Array::new(std::mem::replace(values, room).into(), None))
            }
            Values::Floats(values) => {
                let room = Vec::with_capacity(values.len());
                Arc::new(Float32Array::new(std::mem::replace(values, room).into(), None))
            }
            Values::Bytes(ends, data) => {
                let mut room = Vec::with_capacity(ends.len());
                room.push(0);
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, room)));
                let room = Vec::with_capacity(data.len());
                Arc::new(BinaryArray::new(ends, std::mem::replace(data, room).into(), None))
            }
        }
    }
}

/// Why a list was not appended.
pub(super) enum Refused {
    /// The column has values of another kind, or none yet.
    Kind,
    /// The bytes are not a list.
    Flaw(Flaw),
}

impl From<Flaw> for Refused {
    fn from(flaw: Flaw) -> Self {
        Refused::Flaw(flaw)
    }
}

/// A column of lists of one kind.
#[derive(Default)]
pub(super) struct Column {
    values: Values,
    slots: Slots,
    /// What [`Self::values_at`] looks for, if the column has a kind.
    list_head: u64,
}

impl Column {
    /// A column that takes up no values.
    pub(super) fn unwanted() -> Self {
        Column { values: Values::Unwanted, ..Column::default() }
    }

    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.values, Values::Unwanted)
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.values.kind()
    }

    /// Decides the kind of a column that has none yet.
    #[cold]
    pub(super) fn set_kind(&mut self, kind: Kind) {
        self.values = Values::new(kind);
        // Bytes `00 tag -2 0a -4`, the negative ones borrowing from the next byte.
        let tag = (kind as u64 + 1) << 3 | u64::from(wire::LEN);
        self.list_head =
            (tag << 8 | u64::from(DELIMITED_1) << 24).wrapping_sub(2 << 16).wrapping_sub(4 << 32);
    }

    /// Takes back the kind together with all rows.
    pub(super) fn forget_kind(&mut self) {
        *self = Column::default();
    }

    /// Appends the list of `kind` whose message is `list` as row `row`, which replaces what that
    /// row held before. The column must have a kind.
    ///
    /// After a refusal the row is damaged until [`Self::truncate`].
    #[inline]
    pub(super) fn append(&mut self, row: usize, kind: Kind, list: &[u8]) -> Result<(), Refused> {
        if self.slots.rows() != row {
            self.slots.fill(row);
            self.truncate(row);
        }
        let end = match (&mut self.values, kind) {
            (Values::Ints(values), Kind::Ints) => {
                ints(list, values)?;
                values.len()
            }
            (Values::Floats(values), Kind::Floats) => {
                floats(list, values)?;
                values.len()
            }
            (Values::Bytes(ends, data), Kind::Bytes) => {
                byte_strings(list, ends, data)?;
                ends.len() - 1
            }
            _ => return Err(Refused::Kind),
        };
        self.slots.push(end);
        Ok(())
    }

    /// Where the values of a map entry begin, if its feature, whose length is at `at`, is one list
    /// of this column's kind with one packed chunk or one byte string.
    #[inline]
    pub(super) fn values_at(&self, entry: &[u8], at: usize) -> Option<usize> {
        let &[a, b, c, d, e] = entry.get(at..)?.first_chunk::<5>()?;
        let found = u64::from(u32::from_le_bytes([a, b, c, d])) | u64::from(e) << 32;
        // Lengths of the feature, of the list (2 less) and of its values (4 less): at most 127,
        // at least 4, so that no byte of the sum overflows.
        let len = (entry.len() - at - 1) as u64;
        (found == self.list_head.wrapping_add(len * 0x01_0001_0001)).then_some(at + 5)
    }

    /// Appends the values that lie at `range` in `map`, as [`Self::values_at`] found them.
    ///
    /// Nothing happens if they are damaged.
    #[inline]
    pub(super) fn append_usual(
        &mut self,
        row: usize,
        map: &[u8],
        range: Range<usize>,
    ) -> Option<()> {
        if self.slots.rows() != row {
            self.slots.fill(row);
            self.truncate(row);
        }
        let end = if let Values::Ints(values) = &mut self.values {
            packed_ints(&map[..range.end], range.len(), values)?;
            values.len()
        } else if let Values::Floats(values) = &mut self.values {
            packed_floats(&map[range], values)?;
            values.len()
        } else if let Values::Bytes(ends, data) = &mut self.values {
            copy(map, range, data);
            ends.push(data.len() as i32);
            ends.len() - 1
        } else {
            return None;
        };
        self.slots.push(end);
        Some(())
    }

    /// Takes back all rows from `row` on, damaged ones too.
    pub(super) fn truncate(&mut self, row: usize) {
        self.slots.truncate(row);
        self.values.truncate(self.slots.end());
    }

    /// The array of `rows` rows; starts anew, with the same kind.
    pub(super) fn finish(&mut self, rows: usize, shared: &mut Shared) -> ArrayRef {
        let Some(kind) = self.kind() else {
            self.slots = Slots::default();
            return Arc::new(NullArray::new(rows));
        };
        let (offsets, nulls) = self.slots.finish(rows, shared);
        list_array(item(kind), offsets, self.values.finish(), nulls)
    }

    /// The type of [`Self::finish`]'s array.
    pub(super) fn data_type(&self) -> DataType {
        self.kind().map_or(DataType::Null, |kind| DataType::List(item(kind)))
    }
}

pub(super) fn list_array(
    item: FieldRef,
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    Arc::new(ListArray::new(item, offsets, values, nulls))
}

/// The field of the values of a list.
fn item(kind: Kind) -> FieldRef {
    static ITEMS: LazyLock<[FieldRef; 3]> = LazyLock::new(|| {
        [DataType::Binary, DataType::Float32, DataType::Int64]
            .map(|data_type| Arc::new(Field::new("item", data_type, true)))
    });
    ITEMS[kind as usize].clone()
}

/// The tag of field 1 as a delimited field: `value` of the three lists, packed.
const DELIMITED_1: u8 = 0x0a;

/// Appends the values of an `Int64List`.
fn ints(mut list: &[u8], out: &mut Vec<i64>) -> Result<(), Flaw> {
    while !list.is_empty() {
        match wire::tag(&mut list)? {
            (1, wire::LEN) => {
                let mut packed = wire::delimited(&mut list)?;
                if many_packed_ints(packed, out).is_none() {
                    // Once more for the flaw.
                    while !packed.is_empty() {
                        wire::varint(&mut packed)?;
                    }
                }
            }
            (1, wire::VARINT) => out.push(wire::varint(&mut list)? as i64),
            (1, wire) => return Err(wire::wrong_type(1, wire)),
            (_, wire) => wire::skip(wire, &mut list)?,
        }
    }
    Ok(())
}

/// The top bit of each byte: set in every byte of a varint but the last.
const CONTINUED: u64 = 0x8080_8080_8080_8080;

/// The value of a varint of at most eight bytes that fills the lowest bytes of a word.
#[inline]
fn gather(word: u64) -> u64 {
    let word = word & !CONTINUED;
    let word = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let word = (word & 0x0000_3fff_0000_3fff) | ((word & 0x3fff_0000_3fff_0000) >> 2);
    (word & 0x0fff_ffff) | ((word & 0x0fff_ffff_0000_0000) >> 4)
}

/// Appends the packed integers in the last `len` bytes; appends nothing if they are damaged.
#[inline]
fn packed_ints(bytes: &[u8], len: usize, out: &mut Vec<i64>) -> Option<()> {
    if (1..=8).contains(&len)
        && let Some(last) = bytes.last_chunk::<8>()
    {
        let unused = 64 - 8 * len as u32;
        let word = u64::from_le_bytes(*last) >> unused;
        // All bytes but the last are continued: then it is one integer.
        if word & CONTINUED == (CONTINUED >> 8) >> unused {
            out.push(gather(word) as i64);
            return Some(());
        }
    }
    many_packed_ints(&bytes[bytes.len() - len..], out)
}

fn many_packed_ints(mut packed: &[u8], out: &mut Vec<i64>) -> Option<()> {
    let before = out.len();
    while !packed.is_empty() {
        if let Some(chunk) = packed.first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let stops = !word & CONTINUED;
            if stops == CONTINUED {
                out.extend(chunk.map(i64::from));
                packed = &packed[8..];
                continue;
            }
            if stops != 0 {
                let unused = 63 - stops.trailing_zeros();
                out.push(gather(word << unused >> unused) as i64);
                packed = &packed[8 - unused as usize / 8..];
                continue;
            }
        }
        let Ok(value) = wire::varint(&mut packed) else {
            out.truncate(before);
            return None;
        };
        out.push(value as i64);
    }
    Some(())
}

/// Appends the values of a `FloatList`.
fn floats(mut list: &[u8], out: &mut Vec<f32>) -> Result<(), Flaw> {
    while !list.is_empty() {
        match wire::tag(&mut list)? {
            (1, wire::LEN) => {
                let packed = wire::delimited(&mut list)?;
                let (values, []) = packed.as_chunks() else {
                    return Err(Flaw::Floats(packed.len()));
                };
                out.extend(values.iter().map(|&value| f32::from_le_bytes(value)));
            }
            (1, wire::FIXED32) => out.push(f32::from_le_bytes(wire::fixed32(&mut list)?)),
            (1, wire) => return Err(wire::wrong_type(1, wire)),
            (_, wire) => wire::skip(wire, &mut list)?,
        }
    }
    Ok(())
}

/// Appends packed floats; appends nothing if they are damaged.
#[inline]
fn packed_floats(packed: &[u8], out: &mut Vec<f32>) -> Option<()> {
    if let Some(value) = packed.as_array() {
        out.push(f32::from_le_bytes(*value));
    } else {
        let (values, []) = packed.as_chunks() else { return None };
        out.extend(values.iter().map(|&value| f32::from_le_bytes(value)));
    }
    Some(())
}

/// Appends the bytes at `range` in `map`.
#[inline]
fn copy(map: &[u8], range: Range<usize>, out: &mut Vec<u8>) {
    let len = range.len();
    // To copy a fixed number of bytes is cheaper than the right number.
    if let Some(padded) = map[range.start..].first_chunk::<16>()
        && len <= padded.len()
    {
        out.extend_from_slice(padded);
        out.truncate(out.len() - padded.len() + len);
    } else {
        out.extend_from_slice(&map[range]);
    }
}

/// Appends the values of a `BytesList`.
fn byte_strings(mut list: &[u8], ends: &mut Vec<i32>, data: &mut Vec<u8>) -> Result<(), Flaw> {
    while let Some((&tag, rest)) = list.split_first() {
        if tag == DELIMITED_1 {
            list = rest;
            data.extend_from_slice(wire::delimited(&mut list)?);
            ends.push(data.len() as i32);
            continue;
        }
        match wire::tag(&mut list)? {
            (1, wire) => {
                data.extend_from_slice(wire::message(1, wire, &mut list)?);
                ends.push(data.len() as i32);
            }
            (_, wire) => wire::skip(wire, &mut list)?,
        }
    }
    Ok(())
}

/// A tf.Feature that is not simply one list: several kinds, repeated kinds, unknown fields.
///
/// Merged as protobuf has it: a list of the same kind is appended to, another kind replaces it.
/// Every list is checked, also those that are replaced. The result is one list in canonical form.
#[derive(Default)]
pub(super) struct Merged {
    kind: Option<Kind>,
    list: Vec<u8>,
}

impl Merged {
    /// Reads one feature: its kind and its list, or `None` where it has no kind.
    pub(super) fn read(&mut self, mut feature: &[u8]) -> Result<Option<(Kind, &[u8])>, Flaw> {
        self.kind = None;
        self.list.clear();
        while !feature.is_empty() {
            let (number, wire) = wire::tag(&mut feature)?;
            let Some(kind) = Kind::of_field(number) else {
                wire::skip(wire, &mut feature)?;
                continue;
            };
            let list = wire::message(number, wire, &mut feature)?;
            check(kind, list)?;
            if self.kind != Some(kind) {
                self.kind = Some(kind);
                self.list.clear();
            }
            // Messages in a row are one message: this is what merging lists means.
            self.list.extend_from_slice(list);
        }
        Ok(self.kind.map(|kind| (kind, &self.list[..])))
    }
}

/// Whether the bytes are a list of this kind.
pub(super) fn check(kind: Kind, list: &[u8]) -> Result<(), Flaw> {
    match kind {
        Kind::Bytes => byte_strings(list, &mut vec![0], &mut Vec::new()),
        Kind::Floats => floats(list, &mut Vec::new()),
        Kind::Ints => ints(list, &mut Vec::new()),
    }
}
