//! Column kernels: the cells of one column of 64 records at a time, from text to Arrow buffers.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BinaryViewArray, Float32Array, Int64Array, ListArray, NullArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use engine::{Error, Result};

use super::number::{Int, float, int, load16};
use super::scan::Rows;
use super::types::CsvType;

/// Rows that are converted column by column before the next ones are: their text stays in the
/// nearest cache, and their validity is one word.
pub(super) const GROUP: usize = 64;

/// What becomes of the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text as it stands.
    Text,
    /// A column that has a type.
    Typed(CsvType),
    /// A column of lists of a type, whose values are separated by this byte.
    Lists(CsvType, u8),
}

impl Kind {
    /// The Arrow type of the column.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Kind::Text => DataType::BinaryView,
            Kind::Typed(kind) => value_type(kind),
            Kind::Lists(kind, _) => list_type(kind),
        }
    }
}

fn value_type(kind: CsvType) -> DataType {
    match kind {
        CsvType::Unknown => DataType::Null,
        CsvType::Int => DataType::Int64,
        CsvType::Float => DataType::Float32,
        CsvType::String => DataType::Binary,
    }
}

fn list_type(kind: CsvType) -> DataType {
    match kind {
        CsvType::Unknown => DataType::Null,
        _ => DataType::List(Arc::new(Field::new_list_field(value_type(kind), true))),
    }
}

/// A column under construction.
pub(super) struct Column {
    kind: Kind,
    values: Values,
    /// Ends of the lists, where the column holds lists.
    offsets: Vec<i32>,
    validity: Vec<u64>,
    rows: usize,
    n_missing: usize,
    /// Rows whose cell does not parse as the type of the column.
    pub(super) unparsed: Vec<usize>,
}

/// The values so far.
enum Values {
    /// Views, and the text that escapes had to be taken out of.
    Text(Vec<u128>, Vec<u8>),
    /// Ends of the values, and the values.
    Bytes(Vec<i32>, Vec<u8>),
    Int(Vec<i64>),
    Float(Vec<f32>),
    Nothing,
}

/// The buffers that views point into.
const IN_TEXT: u32 = 0;
const IN_UNESCAPED: u32 = 1;

impl Column {
    pub(super) fn new(kind: Kind, rows: usize) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(Vec::with_capacity(rows), Vec::new()),
            Kind::Typed(kind) | Kind::Lists(kind, _) => match kind {
                CsvType::String => {
                    let mut offsets = Vec::with_capacity(rows + 1);
                    offsets.push(0);
                    Values::Bytes(offsets, Vec::with_capacity(16 * rows))
                }
                CsvType::Int => Values::Int(Vec::with_capacity(rows)),
                CsvType::Float => Values::Float(Vec::with_capacity(rows)),
                CsvType::Unknown => Values::Nothing,
            },
        };
        Column {
            kind,
            values,
            offsets: if matches!(kind, Kind::Lists(..)) { vec![0] } else { Vec::new() },
            validity: Vec::with_capacity(rows.div_ceil(GROUP)),
            rows: 0,
            n_missing: 0,
            unparsed: Vec::new(),
        }
    }

    /// Appends the cells in column `column` of up to [`GROUP`] rows.
    pub(super) fn fill(&mut self, text: &[u8], rows: &Rows, column: usize, group: Range<usize>) {
        let n = group.len();
        let first_row = group.start;
        let cells = rows.cells(column, group);
        let unparsed = &mut self.unparsed;
        let present = match (&mut self.values, self.kind) {
            (values, Kind::Lists(_, delimiter)) => {
                lists(text, cells, delimiter, values, &mut self.offsets, unparsed, first_row)
            }
            (Values::Text(views, unescaped), _) if rows.quotes => {
                quoted_views(text, cells, views, unescaped)
            }
            (Values::Text(views, _), _) => views_of(text, cells, views),
            (Values::Bytes(offsets, bytes), _) => {
                bytes_of(text, cells, rows.quotes, offsets, bytes)
            }
            (Values::Int(values), _) => {
                let parse = |text: &[u8], start, end| match int(text, start, end) {
                    Int::Value(value) => Some(value),
                    Int::TooLarge | Int::No => None,
                };
                numbers(text, cells, rows.quotes, parse, values, unparsed, first_row)
            }
            (Values::Float(values), _) => {
                let parse =
                    |text: &[u8], start, end| float(text, start, end).map(|value| value as f32);
                numbers(text, cells, rows.quotes, parse, values, unparsed, first_row)
            }
            (Values::Nothing, _) => {
                let parse = |_: &[u8], _, _| None::<i64>;
                let mut none = Vec::new();
                numbers(text, cells, rows.quotes, parse, &mut none, unparsed, first_row)
            }
        };
        self.n_missing += n - present.count_ones() as usize;
        self.validity.push(present);
        self.rows += n;
    }

    /// The finished column; `text` is what its cells were found in.
    pub(super) fn finish(self, text: &Buffer) -> Result<ArrayRef> {
        let nulls = (self.n_missing > 0).then(|| {
            let bits = Buffer::from_vec(self.validity);
            NullBuffer::new(BooleanBuffer::new(bits, 0, self.rows))
        });
        let lists = matches!(self.kind, Kind::Lists(..));
        let value_nulls = if lists { None } else { nulls.clone() };
        let values: ArrayRef = match self.values {
            Values::Nothing => return Ok(Arc::new(NullArray::new(self.rows))),
            Values::Int(values) => Arc::new(Int64Array::new(values.into(), value_nulls)),
            Values::Float(values) => Arc::new(Float32Array::new(values.into(), value_nulls)),
            Values::Bytes(offsets, bytes) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(BinaryArray::new(offsets, Buffer::from_vec(bytes), value_nulls))
            }
            Values::Text(views, unescaped) => {
                let buffers = [text.clone(), Buffer::from_vec(unescaped)];
                let array = BinaryViewArray::try_new(views.into(), buffers, value_nulls);
                Arc::new(array.map_err(|e| Error::input(format!("bad cell views: {e}")))?)
            }
        };
        if !lists {
            return Ok(values);
        }
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Ok(Arc::new(ListArray::new(item, offsets, values, nulls)))
    }
}

/// The view of `len` bytes whose first sixteen are `chars`.
#[inline]
fn view(chars: u128, len: usize, buffer: u32, offset: usize) -> u128 {
    if len <= 12 {
        let inline = chars & ((1 << (8 * len)) - 1);
        return (inline << 32) | len as u128;
    }
    let prefix = chars as u32;
    (len as u128)
        | (u128::from(prefix) << 32)
        | (u128::from(buffer) << 64)
        | ((offset as u128) << 96)
}

#[inline]
fn views_of(
    text: &[u8],
    cells: impl Iterator<Item = (usize, usize)>,
    views: &mut Vec<u128>,
) -> u64 {
    let mut present = 0;
    views.extend(cells.enumerate().map(|(i, (start, end))| {
        present |= u64::from(end > start) << i;
        view(load16(text, start), end - start, IN_TEXT, start)
    }));
    present
}

/// As [`views_of`], where cells may be quoted.
fn quoted_views(
    text: &[u8],
    cells: impl Iterator<Item = (usize, usize)>,
    views: &mut Vec<u128>,
    unescaped: &mut Vec<u8>,
) -> u64 {
    let mut present = 0;
    for (i, (mut start, mut end)) in cells.enumerate() {
        if end > start && text[start] == b'"' {
            let Some(len) = plain_inside(&text[start..end]) else {
                let at = unescaped.len();
                unquote(&text[start..end], unescaped);
                present |= u64::from(unescaped.len() > at) << i;
                views.push(view(load16(unescaped, at), unescaped.len() - at, IN_UNESCAPED, at));
                continue;
            };
            start += 1;
            end = start + len;
        }
        present |= u64::from(end > start) << i;
        views.push(view(load16(text, start), end - start, IN_TEXT, start));
    }
    present
}

/// The length of what stands between the quotes of a quoted cell, if that is all of it.
#[inline]
fn plain_inside(cell: &[u8]) -> Option<usize> {
    let close = memchr::memchr(b'"', &cell[1..])?;
    (close + 2 == cell.len()).then_some(close)
}

/// Appends what the quoted `cell` says to `out`.
pub(super) fn unquote(cell: &[u8], out: &mut Vec<u8>) {
    let mut rest = &cell[1..];
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        if rest.first() != Some(&b'"') {
            break;
        }
        out.push(b'"');
        rest = &rest[1..];
    }
    // Behind the closing quote everything stands for itself.
    out.extend_from_slice(rest);
}

/// Text that is copied: consumers of typed columns want it in one piece.
#[inline]
fn bytes_of(
    text: &[u8],
    cells: impl Iterator<Item = (usize, usize)>,
    quotes: bool,
    offsets: &mut Vec<i32>,
    bytes: &mut Vec<u8>,
) -> u64 {
    let mut present = 0;
    offsets.extend(cells.enumerate().map(|(i, (start, end))| {
        let at = bytes.len();
        if quotes && text[start..end].first() == Some(&b'"') {
            unquote(&text[start..end], bytes);
        } else if end - start <= 16 {
            // Copying sixteen bytes takes one instruction, copying fewer a call.
            bytes.extend_from_slice(&load16(text, start).to_le_bytes());
            bytes.truncate(at + end - start);
        } else {
            bytes.extend_from_slice(&text[start..end]);
        }
        present |= u64::from(bytes.len() > at) << i;
        bytes.len() as i32
    }));
    present
}

#[inline]
fn numbers<T: Default>(
    text: &[u8],
    cells: impl Iterator<Item = (usize, usize)>,
    quotes: bool,
    parse: impl Fn(&[u8], usize, usize) -> Option<T>,
    values: &mut Vec<T>,
    unparsed: &mut Vec<usize>,
    first_row: usize,
) -> u64 {
    let mut present = 0;
    values.extend(cells.enumerate().map(|(i, (start, end))| {
        if start == end {
            return T::default();
        }
        let value = if quotes && text[start] == b'"' {
            let mut cell = Vec::new();
            unquote(&text[start..end], &mut cell);
            if cell.is_empty() {
                return T::default();
            }
            parse(&cell, 0, cell.len())
        } else {
            parse(text, start, end)
        };
        present |= 1 << i;
        value.unwrap_or_else(|| {
            unparsed.push(first_row + i);
            T::default()
        })
    }));
    present
}

/// Cells that are lists: always split, then every value as a cell of its own.
fn lists(
    text: &[u8],
    cells: impl Iterator<Item = (usize, usize)>,
    delimiter: u8,
    values: &mut Values,
    offsets: &mut Vec<i32>,
    unparsed: &mut Vec<usize>,
    first_row: usize,
) -> u64 {
    let mut present = 0;
    let mut scratch = Vec::new();
    for (i, (start, end)) in cells.enumerate() {
        let mut cell = &text[start..end];
        if cell.first() == Some(&b'"') {
            scratch.clear();
            unquote(cell, &mut scratch);
            cell = &scratch;
        }
        if !cell.is_empty() {
            present |= 1 << i;
            let parsed =
                cell.split(|&byte| byte == delimiter).all(|value| push_value(value, values));
            if !parsed {
                unparsed.push(first_row + i);
            }
        }
        let n = match values {
            Values::Text(views, _) => views.len(),
            Values::Bytes(offsets, _) => offsets.len() - 1,
            Values::Int(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Nothing => 0,
        };
        offsets.push(n as i32);
    }
    present
}

/// Appends one value of a list, or says that it does not parse.
fn push_value(value: &[u8], values: &mut Values) -> bool {
    match values {
        Values::Bytes(offsets, bytes) => {
            bytes.extend_from_slice(value);
            offsets.push(bytes.len() as i32);
            true
        }
        Values::Int(values) => match int(value, 0, value.len()) {
            Int::Value(value) => {
                values.push(value);
                true
            }
            Int::TooLarge | Int::No => false,
        },
        Values::Float(values) => match float(value, 0, value.len()) {
            Some(value) => {
                values.push(value as f32);
                true
            }
            None => false,
        },
        // Untyped cells are never split.
        Values::Text(..) | Values::Nothing => false,
    }
}
