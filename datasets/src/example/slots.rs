//! The row structure of a list column under construction: offsets and which rows are null.
//!
//! Slots are filled lazily: a row in which nothing is appended costs nothing until a later row is
//! appended or the batch ends. As long as every row holds exactly one value, nothing is stored at
//! all; the offsets are then `0, 1, 2, …`, a buffer that all such columns share.

use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// Offsets and nulls of the rows of one list column.
#[derive(Default)]
pub(super) struct Slots {
    /// Number of rows that are finished.
    rows: usize,
    /// Empty while each row has exactly one value; then `rows + 1` offsets.
    offsets: Vec<i32>,
    /// How many of the rows are null.
    nulls: usize,
    /// The rows, ascending, that are present but have no values: what tells them from nulls.
    empties: Vec<u32>,
    /// How many offsets the last batch had.
    hint: usize,
}

impl Slots {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Where the values of the next row begin.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.offsets.last().map_or(self.rows, |&end| end as usize)
    }

    /// Makes the rows before `row` null where nothing was appended to them.
    #[inline]
    pub(super) fn fill(&mut self, row: usize) {
        if self.rows < row {
            self.fill_nulls(row);
        }
    }

    #[cold]
    fn fill_nulls(&mut self, row: usize) {
        self.spell_out();
        let end = self.end() as i32;
        self.offsets.resize(row + 1, end);
        self.nulls += row - self.rows;
        self.rows = row;
    }

    /// Ends a row whose values go up to `end`.
    #[inline]
    pub(super) fn push(&mut self, end: usize) {
        let is_single = end == self.rows + 1;
        if !self.offsets.is_empty() || !is_single {
            if self.offsets.is_empty() {
                self.spell_out();
            }
            if self.end() == end {
                self.empties.push(self.rows as u32);
            }
            self.offsets.push(end as i32);
        }
        self.rows += 1;
    }

    #[cold]
    fn spell_out(&mut self) {
        if self.offsets.is_empty() {
            self.offsets.reserve(self.hint.max(self.rows + 1));
            self.offsets.extend(0..=self.rows as i32);
        }
    }

    /// Takes back all rows from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        if rows >= self.rows {
            return;
        }
        if !self.offsets.is_empty() {
            let tail = &self.offsets[rows..];
            let without_values = tail.windows(2).filter(|pair| pair[0] == pair[1]).count();
            let kept = self.empties.partition_point(|&row| (row as usize) < rows);
            self.nulls -= without_values - (self.empties.len() - kept);
            self.empties.truncate(kept);
            self.offsets.truncate(rows + 1);
        }
        self.rows = rows;
    }

    /// The buffers of `rows` rows; starts anew.
    pub(super) fn finish(
        &mut self,
        rows: usize,
        shared: &mut Shared,
    ) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        if self.rows == 0 && rows > 0 {
            return shared.all_null(rows);
        }
        self.fill(rows);
        let done = std::mem::take(self);
        self.hint = done.offsets.len();
        if done.offsets.is_empty() {
            return (shared.singles(rows), None);
        }
        let nulls = (done.nulls > 0).then(|| {
            let ends = &done.offsets;
            let mut present: Vec<u64> = ends[1..]
                .chunks(64)
                .zip(ends.chunks(64))
                .map(|(ends, starts)| {
                    let pairs = ends.iter().zip(starts).enumerate();
                    pairs.fold(0, |bits, (i, (end, start))| bits | (u64::from(end != start) << i))
                })
                .collect();
            for &row in &done.empties {
                present[row as usize / 64] |= 1 << (row % 64);
            }
            NullBuffer::new(BooleanBuffer::new(ScalarBuffer::from(present).into_inner(), 0, rows))
        });
        (OffsetBuffer::new(ScalarBuffer::from(done.offsets)), nulls)
    }
}

/// Buffers that many columns have in common.
pub(super) struct Shared {
    singles: OffsetBuffer<i32>,
    zeros: OffsetBuffer<i32>,
    nulls: NullBuffer,
}

impl Shared {
    pub(super) fn new() -> Self {
        let zero = OffsetBuffer::new_zeroed(0);
        Shared { singles: zero.clone(), zeros: zero, nulls: NullBuffer::new_null(0) }
    }

    /// The offsets `0, 1, 2, …` of `rows` rows.
    fn singles(&mut self, rows: usize) -> OffsetBuffer<i32> {
        if self.singles.len() <= rows {
            self.singles = OffsetBuffer::new((0..=rows as i32).collect());
        }
        self.singles.slice(0, rows)
    }

    /// Offsets and nulls of `rows` null rows.
    fn all_null(&mut self, rows: usize) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        if self.zeros.len() <= rows {
            self.zeros = OffsetBuffer::new_zeroed(rows);
        }
        if self.nulls.len() < rows {
            self.nulls = NullBuffer::new_null(rows);
        }
        let nulls =
            if self.nulls.len() == rows { self.nulls.clone() } else { self.nulls.slice(0, rows) };
        (self.zeros.slice(0, rows), Some(nulls))
    }
}
