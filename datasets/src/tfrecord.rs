//! TFRecord framing: a length, its checksum, the record, its checksum, and so on to the end.
//!
//! ```text
//!   8 bytes   4 bytes           length bytes   4 bytes
//!   length    masked CRC-32C    record         masked CRC-32C      all little-endian
//!             of the length                    of the record
//! ```
//!
//! A record whose own checksum is wrong is lost alone, for the next one is found by the length. A
//! wrong checksum of the length loses everything behind it.

mod inflate;
mod sniff;
mod source;

use std::io::{self, Read, Write};

pub use source::{TfRecordOptions, TfRecordSource};

use crate::example::MAX_RECORD_BYTES;

/// Bytes before a record: its length and the checksum of it.
const HEADER: usize = 12;
/// Bytes after a record: its checksum.
const FOOTER: usize = 4;
/// Size of the read buffer, which grows only for longer records.
const BUFFER: usize = 256 << 10;

/// The checksum that TFRecord files store: a rotated CRC-32C plus a constant.
#[inline]
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The length in a header, or `None` where its checksum is wrong.
#[inline]
pub(crate) fn record_len(header: &[u8; HEADER]) -> Option<u64> {
    let (len, crc) = header.split_first_chunk::<8>()?;
    (masked_crc(len).to_le_bytes() == *crc).then(|| u64::from_le_bytes(*len))
}

/// What the framing holds at one place.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A record whose checksums are right.
    Record(&'a [u8]),
    /// A record that is lost, and why; the next one may be good.
    Damaged(String),
    /// Nothing behind this place can be read, and why.
    Broken(String),
}

/// Reads records one after the other, without copying them where it can.
pub struct TfRecordReader<R> {
    input: R,
    /// Bytes that were read, and after them room for more.
    buffer: Vec<u8>,
    /// Where in `buffer` the next record begins and where the bytes that were read end.
    start: usize,
    end: usize,
    /// Offset in the input of the next record.
    offset: u64,
    /// Number and offset of the record that was handed out last.
    last: (u64, u64),
    /// Number of the next record.
    record: u64,
    is_at_end: bool,
    max_len: u64,
}

impl<R: Read> TfRecordReader<R> {
    /// Reads from the beginning of a (decompressed) TFRecord file.
    pub fn new(input: R) -> Self {
        TfRecordReader {
            input,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            offset: 0,
            last: (0, 0),
            record: 0,
            is_at_end: false,
            max_len: MAX_RECORD_BYTES,
        }
    }

    /// Number, from 0, of the record that [`Self::next_frame`] returned last.
    pub fn record(&self) -> u64 {
        self.last.0
    }

    /// Offset of the first byte of the header of that record.
    pub fn record_offset(&self) -> u64 {
        self.last.1
    }

    /// Number of bytes of the input that have been consumed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The input.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// The first bytes of the next record, as many as there are but at most a buffer full, at
    /// least `len` unless the input ends before.
    pub(crate) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        self.fill(len)?;
        Ok(&self.buffer[self.start..self.end])
    }

    /// Reads until `len` bytes are in the buffer or the input ends; says which.
    #[inline]
    fn fill(&mut self, len: usize) -> io::Result<bool> {
        if self.end - self.start >= len { Ok(true) } else { self.read_more(len) }
    }

    #[cold]
    fn read_more(&mut self, len: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < len && !self.is_at_end {
            if self.end == self.buffer.len() {
                // Grows with the bytes that came, never by what a length claims.
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end >= len)
    }

    /// Moves past bytes of the next record.
    #[inline]
    fn consume(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
    }

    /// The next record, or `None` at the end of the input.
    ///
    /// # Errors
    /// When the input cannot be read.
    #[inline]
    pub fn next_frame(&mut self) -> io::Result<Option<Frame<'_>>> {
        self.last = (self.record, self.offset);
        if !self.fill(HEADER)? && self.end == self.start {
            return Ok(None);
        }
        let Some(header) = self.buffer[self.start..self.end].first_chunk::<HEADER>() else {
            let len = self.end - self.start;
            self.consume(len);
            return Ok(Some(
                self.broken(&format!("has {len} of the {HEADER} bytes of its header")),
            ));
        };
        let Some(len) = record_len(header) else {
            return Ok(Some(self.broken("has a length whose checksum is wrong")));
        };
        self.record += 1;
        if len > self.max_len {
            return self.skip(len).map(Some);
        }
        let len = len as usize;
        let whole = HEADER + len + FOOTER;
        if !self.fill(whole)? {
            let left = (self.end - self.start - HEADER).min(len);
            self.consume(self.end - self.start);
            let what = if left == len {
                "is cut off in its checksum".to_owned()
            } else {
                format!("says it is {len} bytes long, but {left} remain")
            };
            return Ok(Some(self.broken(&what)));
        }
        let start = self.start;
        self.consume(whole);
        let bytes = &self.buffer[start..start + whole];
        let (data, crc) = bytes[HEADER..].split_at(len);
        if masked_crc(data).to_le_bytes() == *crc {
            return Ok(Some(Frame::Record(data)));
        }
        Ok(Some(Frame::Damaged(format!("record {} has a wrong checksum", self.last.0))))
    }

    /// Reads past a record that is too long to be held in memory.
    #[cold]
    fn skip(&mut self, len: u64) -> io::Result<Frame<'_>> {
        self.consume(HEADER);
        let whole = len.saturating_add(FOOTER as u64);
        let mut seen = 0;
        while seen < whole {
            if !self.fill(1)? {
                let remain = seen.min(len);
                let what = format!("says it is {len} bytes long, but {remain} remain");
                return Ok(self.broken(&what));
            }
            let n = (whole - seen).min((self.end - self.start) as u64);
            self.consume(n as usize);
            seen += n;
        }
        let number = self.last.0;
        let most = self.max_len;
        Ok(Frame::Damaged(format!("record {number} is {len} bytes long; at most {most} are read")))
    }

    #[cold]
    fn broken(&mut self, what: &str) -> Frame<'static> {
        self.is_at_end = true;
        self.start = self.end;
        let (record, byte) = self.last;
        Frame::Broken(format!("record {record} at byte {byte} {what}"))
    }
}

/// Writes records with their framing.
///
/// It does not buffer and does not compress: wrap the output before.
///
/// ```
/// use datasets::{Frame, TfRecordReader, TfRecordWriter};
///
/// let mut file = Vec::new();
/// TfRecordWriter::new(&mut file).write(b"one record")?;
/// let mut reader = TfRecordReader::new(&file[..]);
/// assert_eq!(reader.next_frame()?, Some(Frame::Record(b"one record")));
/// assert_eq!(reader.next_frame()?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TfRecordWriter<W> {
    output: W,
}

impl<W: Write> TfRecordWriter<W> {
    /// Writes from the beginning of a file.
    pub fn new(output: W) -> Self {
        TfRecordWriter { output }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When the output cannot be written.
    #[inline]
    pub fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let len = (record.len() as u64).to_le_bytes();
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&len);
        header[8..].copy_from_slice(&masked_crc(&len).to_le_bytes());
        self.output.write_all(&header)?;
        self.output.write_all(record)?;
        self.output.write_all(&masked_crc(record).to_le_bytes())
    }

    /// The output, to be flushed or finished.
    pub fn into_inner(self) -> W {
        self.output
    }
}

#[cfg(test)]
mod tests;
