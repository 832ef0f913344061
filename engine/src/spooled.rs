//! `SpooledStrings`: more strings than memory should hold, in a temporary file, found by number.
//!
//! ```text
//!   file    varint(length) bytes | varint(length) bytes | …
//!   starts  the place of every 16th string, in memory: half a byte for each string
//! ```
//!
//! The file has no name and is gone when it is closed. It is read by place and never mapped, so that
//! what is read of it counts as no memory of this process, and a broken disk is an [`Error`].

use std::fs::File;
use std::io::{BufWriter, Write};

use xxhash_rust::xxh3::Xxh3;

use crate::keyed::{read_varint, write_varint};
use crate::{Error, Result};

/// How many strings share a known place.
const STRIDE: usize = 16;
/// How much is written or read at once.
const BLOCK: usize = 1 << 18;

/// Writes [`SpooledStrings`].
pub struct SpooledStringsBuilder {
    out: BufWriter<File>,
    starts: Vec<u64>,
    end: u64,
    len: usize,
    head: Vec<u8>,
    digest: Xxh3,
}

impl SpooledStringsBuilder {
    /// Without any strings yet.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub fn new() -> Result<Self> {
        let file = tempfile::tempfile().map_err(|e| spooling(&e))?;
        let out = BufWriter::with_capacity(BLOCK, file);
        Ok(SpooledStringsBuilder {
            out,
            starts: Vec::new(),
            end: 0,
            len: 0,
            head: Vec::new(),
            digest: Xxh3::new(),
        })
    }

    /// Adds a string.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, string: &[u8]) -> Result<()> {
        if self.len.is_multiple_of(STRIDE) {
            self.starts.push(self.end);
        }
        self.head.clear();
        write_varint(&mut self.head, string.len() as u64);
        self.out
            .write_all(&self.head)
            .and_then(|()| self.out.write_all(string))
            .map_err(|e| spooling(&e))?;
        self.digest.update(&self.head);
        self.digest.update(string);
        self.end += (self.head.len() + string.len()) as u64;
        self.len += 1;
        Ok(())
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The strings.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self) -> Result<SpooledStrings> {
        let file = self.out.into_inner().map_err(|e| spooling(e.error()))?;
        self.starts.push(self.end);
        let digest = self.digest.digest128();
        Ok(SpooledStrings { file, starts: self.starts, len: self.len, digest })
    }
}

/// Strings in a temporary file.
#[derive(Debug)]
pub struct SpooledStrings {
    file: File,
    /// Where each [`STRIDE`]th string begins, and where the last one ends.
    starts: Vec<u64>,
    len: usize,
    digest: u128,
}

impl SpooledStrings {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What tells them apart from others: 128 bits of XXH3 over the file.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// The `i`th string, read into `buffer`.
    ///
    /// # Errors
    /// When the file cannot be read.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn get<'b>(&self, i: usize, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        assert!(i < self.len, "string {i} of {}", self.len);
        let (start, end) = (self.starts[i / STRIDE], self.starts[i / STRIDE + 1]);
        buffer.clear();
        buffer.resize((end - start) as usize, 0);
        read_exact_at(&self.file, buffer, start).map_err(|e| reading(&e))?;
        let mut rest = &buffer[..];
        for _ in 0..i % STRIDE {
            take(&mut rest).ok_or_else(cut)?;
        }
        take(&mut rest).ok_or_else(cut)
    }

    /// Reads all of them, front to back.
    pub fn reader(&self) -> SpooledReader<'_> {
        let end = self.starts.last().copied().unwrap_or(0);
        SpooledReader { file: &self.file, next: 0, end, buffer: Vec::new(), at: 0 }
    }
}

/// Reads strings front to back.
pub struct SpooledReader<'a> {
    file: &'a File,
    /// Where in the file what is not read yet begins.
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    /// Where in `buffer` the next string begins.
    at: usize,
}

impl SpooledReader<'_> {
    /// The next string; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        loop {
            let mut rest = &self.buffer[self.at..];
            if let Some(string) = take(&mut rest) {
                let end = self.buffer.len() - rest.len();
                let start = end - string.len();
                self.at = end;
                return Ok(Some(&self.buffer[start..end]));
            }
            if self.next == self.end {
                return if self.at == self.buffer.len() { Ok(None) } else { Err(cut()) };
            }
            self.fill()?;
        }
    }

    /// Reads on; twice as much each time that a string does not fit.
    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        let more = (self.end - self.next).min(BLOCK.max(held) as u64);
        self.buffer.resize(held + more as usize, 0);
        read_exact_at(self.file, &mut self.buffer[held..], self.next).map_err(|e| reading(&e))?;
        self.next += more;
        Ok(())
    }
}

/// The string at the front of `bytes`, which is advanced; `None` where it is cut off.
#[inline]
fn take<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let mut rest = *bytes;
    let length = usize::try_from(read_varint(&mut rest)?).ok()?;
    let string = rest.get(..length)?;
    *bytes = &rest[length..];
    Some(string)
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, at)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

fn spooling(error: &std::io::Error) -> Error {
    Error::io("write strings to a temporary file", error)
        .with_hint("Make room in the directory for temporary files (TMPDIR).")
}

fn reading(error: &std::io::Error) -> Error {
    Error::io("read strings from a temporary file", error)
}

fn cut() -> Error {
    reading(&std::io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spooled(strings: &[Vec<u8>]) -> SpooledStrings {
        let mut builder = SpooledStringsBuilder::new().unwrap();
        strings.iter().for_each(|string| builder.push(string).unwrap());
        assert_eq!(builder.len(), strings.len());
        builder.finish().unwrap()
    }

    #[test]
    fn strings_come_back_by_number_and_in_order() {
        let long = vec![b'x'; 3 * BLOCK];
        let short = (0..1000u32).map(|i| i.to_string().repeat(i as usize % 40).into_bytes());
        let check = |strings: Vec<Vec<u8>>| {
            let spooled = spooled(&strings);
            assert_eq!((spooled.len(), spooled.is_empty()), (strings.len(), strings.is_empty()));
            let mut buffer = vec![7];
            for (i, string) in strings.iter().enumerate() {
                assert_eq!(spooled.get(i, &mut buffer).unwrap(), string);
            }
            let mut reader = spooled.reader();
            for string in &strings {
                assert_eq!(reader.next().unwrap(), Some(&**string));
            }
            assert_eq!(reader.next().unwrap(), None);
        };
        assert_ne!(
            spooled(&[b"ab".to_vec(), b"c".to_vec()]).digest(),
            spooled(&[b"a".to_vec(), b"bc".to_vec()]).digest()
        );
        check(Vec::new());
        check(vec![Vec::new()]);
        check((0..STRIDE).map(|i| vec![i as u8]).collect());
        check(short.clone().collect());
        check(short.take(20).chain([long.clone(), Vec::new(), long]).collect());
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error() {
        let spooled = spooled(&[b"abc".to_vec(), b"def".to_vec()]);
        spooled.file.set_len(6).unwrap();
        assert!(spooled.get(0, &mut Vec::new()).is_err());
        assert!(spooled.reader().next().is_err());
    }
}
