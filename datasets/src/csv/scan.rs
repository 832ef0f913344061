//! Finds the cells of records: 64 bytes at a time, by bit masks of the characters that matter.
//!
//! The grammar is RFC 4180 read the way Python's and Rust's `csv` readers do: a quote opens a quoted
//! cell only where a cell begins; inside, `""` is a quote; after the closing quote the cell goes on
//! unquoted to the next delimiter; a quote anywhere else is an ordinary character. A line ends with
//! `\n`, and a `\r` before it belongs to the ending. Lines without a single character are skipped.

/// The cells of consecutive good records of one text.
#[derive(Default)]
pub(super) struct Rows {
    /// Cells of a record.
    n: usize,
    /// `n + 1` numbers for each record: cell `c` is `text[bounds[c]..bounds[c + 1] - 1]`.
    bounds: Vec<u32>,
    /// Records with another number of cells.
    pub(super) misfits: Vec<Misfit>,
    /// True when a cell may be quoted: then every cell has to be looked at.
    pub(super) quotes: bool,
}

/// A record that does not have as many cells as there are columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Number of good rows before it.
    pub(super) row: usize,
    /// Where it starts.
    pub(super) start: u32,
    /// How many cells it has.
    pub(super) cells: usize,
}

/// Why scanning stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// As many records as were asked for.
    Full,
    /// The next record starts at or after the limit.
    Limit,
    /// The text ends within a record that starts at the returned offset.
    Partial {
        /// True when the record ends within a quoted cell.
        quoted: bool,
    },
    /// The text ended with the last record.
    End,
}

/// How much to scan.
pub(super) struct Want {
    /// At most so many records, good or not.
    pub(super) rows: usize,
    /// Only records that start before this offset.
    pub(super) limit: usize,
    /// True when nothing follows the text: its last record needs no newline.
    pub(super) last: bool,
}

impl Rows {
    pub(super) fn new(n: usize) -> Self {
        Rows { n, ..Rows::default() }
    }

    /// Number of good records.
    pub(super) fn len(&self) -> usize {
        self.bounds.len() / (self.n + 1)
    }

    /// The bounds of the cells in column `column` of the records in `rows`.
    #[inline]
    pub(super) fn cells(
        &self,
        column: usize,
        rows: std::ops::Range<usize>,
    ) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        let stride = self.n + 1;
        let rows = &self.bounds[rows.start * stride..rows.end * stride];
        rows.chunks_exact(stride)
            .map(move |row| (row[column] as usize, row[column + 1] as usize - 1))
    }

    /// Where record `row` starts.
    pub(super) fn start(&self, row: usize) -> usize {
        self.bounds[row * (self.n + 1)] as usize
    }

    /// Scans records of `text` from `from`, replacing what was here; returns where the next one
    /// starts and why it is not here.
    pub(super) fn scan(
        &mut self,
        text: &[u8],
        from: usize,
        delimiter: u8,
        want: &Want,
    ) -> (usize, Stop) {
        self.bounds.clear();
        self.misfits.clear();
        self.quotes = false;
        let mut scan = Scan {
            rows: self,
            text,
            row_start: from,
            cell_start: from,
            row_bounds: 0,
            quoted: false,
            skip: usize::MAX,
            records: 0,
            want,
        };
        if let Some(stop) = scan.open_record(from) {
            return (from, stop);
        }
        let mut base = from;
        while base < text.len() {
            let (masks, valid) = Masks::at(text, base, delimiter);
            if let Some(stop) = scan.block(base, masks) {
                return (scan.row_start, stop);
            }
            base += valid;
        }
        scan.finish()
    }
}

/// Where the characters that matter are among 64 bytes: bit `i` stands for byte `i`.
#[derive(Clone, Copy)]
struct Masks {
    quotes: u64,
    delimiters: u64,
    newlines: u64,
}

impl Masks {
    /// The masks of the bytes from `base`, and how many bytes these are (64 but at the end).
    #[inline]
    fn at(text: &[u8], base: usize, delimiter: u8) -> (Masks, usize) {
        if let Some(block) = text.get(base..base + 64) {
            return (Masks::of(block.try_into().expect("64 bytes"), delimiter), 64);
        }
        let mut block = [0; 64];
        let tail = &text[base..];
        block[..tail.len()].copy_from_slice(tail);
        let masks = Masks::of(&block, delimiter);
        // The filling must not be taken for a delimiter.
        let valid = (1 << tail.len()) - 1;
        let masks = Masks {
            quotes: masks.quotes & valid,
            delimiters: masks.delimiters & valid,
            newlines: masks.newlines & valid,
        };
        (masks, tail.len())
    }

    #[inline]
    fn of(block: &[u8; 64], delimiter: u8) -> Masks {
        let mut masks = Masks { quotes: 0, delimiters: 0, newlines: 0 };
        for (i, word) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            masks.quotes |= equal_bytes(word, b'"') << (8 * i);
            masks.delimiters |= equal_bytes(word, delimiter) << (8 * i);
            masks.newlines |= equal_bytes(word, b'\n') << (8 * i);
        }
        masks
    }
}

/// Which of the eight bytes of `word` are `wanted`, as eight bits.
#[inline]
fn equal_bytes(word: u64, wanted: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let differs = word ^ (ONES * u64::from(wanted));
    let equal = !(((differs & LOW) + LOW) | differs | LOW);
    // Gathers the high bit of every byte in the highest byte.
    (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// A scan under way.
struct Scan<'a> {
    rows: &'a mut Rows,
    text: &'a [u8],
    /// Where the record under way starts.
    row_start: usize,
    /// Where the cell under way starts.
    cell_start: usize,
    /// Length of `rows.bounds` before the record under way.
    row_bounds: usize,
    /// True inside a quoted cell.
    quoted: bool,
    /// The second quote of a `""` that was already taken.
    skip: usize,
    records: usize,
    want: &'a Want,
}

impl Scan<'_> {
    /// Begins a record at `start`, unless it is not wanted.
    #[inline]
    fn open_record(&mut self, start: usize) -> Option<Stop> {
        self.row_start = start;
        self.cell_start = start;
        if start >= self.want.limit {
            return Some(Stop::Limit);
        }
        if self.records == self.want.rows {
            return Some(Stop::Full);
        }
        self.row_bounds = self.rows.bounds.len();
        self.rows.bounds.push(start as u32);
        None
    }

    #[inline]
    fn end_cell(&mut self, at: usize) {
        self.rows.bounds.push(at as u32 + 1);
        self.cell_start = at + 1;
    }

    /// Ends the record under way with the line feed at `at` (or the end of the text).
    #[inline]
    fn end_record(&mut self, at: usize) {
        let end = at - usize::from(at > self.cell_start && self.text[at - 1] == b'\r');
        self.rows.bounds.push(end as u32 + 1);
        let cells = self.rows.bounds.len() - self.row_bounds - 1;
        let blank = cells == 1 && end == self.row_start;
        if blank || cells != self.rows.n {
            self.rows.bounds.truncate(self.row_bounds);
            if blank {
                return;
            }
            let row = self.rows.len();
            self.rows.misfits.push(Misfit { row, start: self.row_start as u32, cells });
        }
        self.records += 1;
    }

    /// Takes 64 bytes.
    #[inline]
    fn block(&mut self, base: usize, masks: Masks) -> Option<Stop> {
        if self.quoted || masks.quotes != 0 {
            return self.quoted_block(base, masks);
        }
        let mut ends = masks.delimiters | masks.newlines;
        while ends != 0 {
            let bit = ends & ends.wrapping_neg();
            let at = base + ends.trailing_zeros() as usize;
            ends ^= bit;
            if masks.newlines & bit == 0 {
                self.end_cell(at);
            } else {
                self.end_record(at);
                if let Some(stop) = self.open_record(at + 1) {
                    return Some(stop);
                }
            }
        }
        None
    }

    /// Takes 64 bytes with quotes among them, or inside a quoted cell.
    fn quoted_block(&mut self, base: usize, masks: Masks) -> Option<Stop> {
        let all = masks.quotes | masks.delimiters | masks.newlines;
        let mut left = all;
        loop {
            if self.quoted {
                left &= masks.quotes;
            }
            if left == 0 {
                return None;
            }
            let i = left.trailing_zeros();
            let bit = 1 << i;
            let at = base + i as usize;
            left ^= bit;
            if masks.quotes & bit != 0 {
                if self.quoted {
                    if at == self.skip {
                        continue;
                    }
                    if self.text.get(at + 1) == Some(&b'"') {
                        self.skip = at + 1;
                    } else {
                        self.quoted = false;
                        left = all & (u64::MAX << i) & !bit;
                    }
                } else if at == self.cell_start {
                    self.quoted = true;
                    self.rows.quotes = true;
                }
            } else if masks.newlines & bit == 0 {
                self.end_cell(at);
            } else {
                self.end_record(at);
                if let Some(stop) = self.open_record(at + 1) {
                    return Some(stop);
                }
            }
        }
    }

    /// What is left at the end of the text.
    fn finish(&mut self) -> (usize, Stop) {
        let end = self.text.len();
        if self.row_start == end {
            self.rows.bounds.truncate(self.row_bounds);
            return (end, Stop::End);
        }
        if self.quoted || !self.want.last {
            self.rows.bounds.truncate(self.row_bounds);
            return (self.row_start, Stop::Partial { quoted: self.quoted });
        }
        self.end_record(end);
        (end, Stop::End)
    }
}
