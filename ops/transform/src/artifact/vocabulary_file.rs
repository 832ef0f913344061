//! A vocabulary's file: tokens as lines of text, or as records of a gzipped TFRecord file.
//!
//! Where frequencies are stored, a line or record is `FREQUENCY TOKEN`. Both are as TensorFlow
//! Transform writes them. They are written and read token by token: there may be many.

use std::io::{BufRead, Read, Write};

use engine::{Error, Result};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::tokens::{Tokens, TokensBuilder};
use crate::vocabulary::{FileFormat, Vocabulary};

/// Writes the file.
///
/// # Errors
/// When a token does not fit in a line of text, or `out` cannot be written.
pub(super) fn write(vocabulary: &Vocabulary, out: &mut dyn Write) -> Result<()> {
    match vocabulary.format {
        FileFormat::Text => text(vocabulary, out),
        FileFormat::TfrecordGzip => tfrecord(vocabulary, out),
    }
}

/// Each token as it is written, its frequency before it.
fn written(vocabulary: &Vocabulary, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let Some(frequencies) = &vocabulary.frequencies else {
        return vocabulary.tokens.each(f);
    };
    let (mut frequencies, mut line) = (frequencies.reader(), Vec::new());
    vocabulary.tokens.each(|token| {
        line.clear();
        line.extend_from_slice(frequencies.next()?.unwrap_or_default());
        line.push(b' ');
        line.extend_from_slice(token);
        f(&line)
    })
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::io("write a vocabulary", error)
}

fn text(vocabulary: &Vocabulary, out: &mut dyn Write) -> Result<()> {
    let mut id = 0u64;
    written(vocabulary, |line| {
        if memchr::memchr(b'\n', line).is_some() {
            let name = &vocabulary.file_name;
            let error = Error::invalid(format!("a token of `{name}` does not fit in a line"));
            return Err(error
                .with_detail(format!("Token {id} holds a line feed."))
                .with_hint("Use `file_format=\"tfrecord_gzip\"`."));
        }
        id += 1;
        out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(|e| unwritten(&e))
    })
}

/// The checksum that TFRecord files store: a rotated CRC-32C plus a constant.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn tfrecord(vocabulary: &Vocabulary, out: &mut dyn Write) -> Result<()> {
    let mut out = GzEncoder::new(out, Compression::default());
    written(vocabulary, |record| {
        let len = (record.len() as u64).to_le_bytes();
        let parts = [&len[..], &masked_crc(&len), record, &masked_crc(record)];
        parts.iter().try_for_each(|part| out.write_all(part)).map_err(|e| unwritten(&e))
    })?;
    out.finish().map(drop).map_err(|e| unwritten(&e))
}

/// Why a file gives no tokens.
pub(super) enum Unread {
    /// It is not what was written.
    Damaged(&'static str),
    /// There is no room for them.
    Failed(Error),
}

impl From<&'static str> for Unread {
    fn from(why: &'static str) -> Self {
        Unread::Damaged(why)
    }
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Unread::Failed(error)
    }
}

const CUT: &str = "It is cut off.";

/// The tokens of a file, and their frequencies where it has them.
///
/// # Errors
/// When it is damaged, or there is no room.
pub(super) fn read(
    input: &mut dyn BufRead,
    format: FileFormat,
    has_frequencies: bool,
) -> Result<(Tokens, Option<Tokens>), Unread> {
    let mut tokens = TokensBuilder::default();
    let mut frequencies = has_frequencies.then(TokensBuilder::default);
    let push = |line: &[u8]| -> Result<(), Unread> {
        let Some(frequencies) = &mut frequencies else { return Ok(tokens.push(line)?) };
        let space = memchr::memchr(b' ', line);
        let space = space.ok_or("A line has no frequency before its token.")?;
        frequencies.push(&line[..space])?;
        Ok(tokens.push(&line[space + 1..])?)
    };
    match format {
        FileFormat::Text => lines(input, push)?,
        FileFormat::TfrecordGzip => records(input, push)?,
    }
    Ok((tokens.finish()?, frequencies.map(TokensBuilder::finish).transpose()?))
}

/// The lines of a text; the last one ends as the others do.
fn lines(
    input: &mut dyn BufRead,
    mut push: impl FnMut(&[u8]) -> Result<(), Unread>,
) -> Result<(), Unread> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(|_| CUT)? == 0 {
            return Ok(());
        }
        push(line.strip_suffix(b"\n").ok_or(CUT)?)?;
    }
}

/// The tokens of a gzipped TFRecord file as lines of text.
///
/// # Errors
/// When the file is damaged, or a token does not fit in a line.
pub fn lines_of_records(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut fits = true;
    let read = records(&mut &*bytes, |record| {
        fits &= memchr::memchr2(b'\n', b'\r', record).is_none();
        out.extend_from_slice(record);
        out.push(b'\n');
        Ok(())
    });
    match read {
        Ok(()) if fits => Ok(out),
        Ok(()) => Err(Error::input("a token of the vocabulary does not fit in a line")),
        Err(Unread::Damaged(why)) => {
            Err(Error::input("a vocabulary is damaged").with_detail(why.to_owned()))
        }
        Err(Unread::Failed(error)) => Err(error),
    }
}

/// The records of a gzipped TFRecord file.
fn records(
    input: &mut dyn BufRead,
    mut push: impl FnMut(&[u8]) -> Result<(), Unread>,
) -> Result<(), Unread> {
    /// What a vocabulary may unpack to.
    const MOST: u64 = 1 << 36;
    let mut input = MultiGzDecoder::new(input).take(MOST);
    let mut record = Vec::new();
    loop {
        let mut head = [0; 12];
        let mut got = 0;
        while got < head.len() {
            match input.read(&mut head[got..]) {
                Ok(0) if got == 0 => return Ok(()),
                Ok(0) | Err(_) => return Err(CUT.into()),
                Ok(n) => got += n,
            }
        }
        let (len, crc) = head.split_at(8);
        if masked_crc(len) != *crc {
            return Err("The checksum of a length is wrong.".into());
        }
        let len = u64::from_le_bytes(len.try_into().map_err(|_| CUT)?).saturating_add(4);
        record.clear();
        let n = (&mut input).take(len).read_to_end(&mut record);
        if n.map_err(|_| CUT)? as u64 != len {
            return Err(CUT.into());
        }
        let (record, crc) = record.split_at(record.len() - 4);
        if masked_crc(record) != *crc {
            return Err("The checksum of a record is wrong.".into());
        }
        push(record)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Strings;

    fn is_damaged(bytes: &[u8], format: FileFormat) -> bool {
        matches!(read(&mut &*bytes, format, false), Err(Unread::Damaged(_)))
    }

    #[test]
    fn records_are_lines() {
        let file = |tokens: &[&str]| {
            let tokens: Strings = tokens.iter().collect();
            let mut out = Vec::new();
            write(&Vocabulary::new("v", FileFormat::TfrecordGzip, tokens), &mut out).unwrap();
            out
        };
        assert_eq!(lines_of_records(&file(&["b", "", "a c"])).unwrap(), b"b\n\na c\n");
        assert_eq!(lines_of_records(&file(&[])).unwrap(), b"");
        let error = lines_of_records(&file(&["a\nb"])).unwrap_err();
        assert!(error.message().contains("does not fit in a line"), "{error}");
        let good = file(&["abc"]);
        let error = lines_of_records(&good[..good.len() - 9]).unwrap_err();
        assert!(error.message().contains("damaged"), "{error}");
    }

    #[test]
    fn damage_is_found() {
        let tokens = Strings::from_iter(["abc"]);
        let vocabulary = Vocabulary::new("v", FileFormat::TfrecordGzip, tokens);
        let mut good = Vec::new();
        write(&vocabulary, &mut good).unwrap();
        let records = |bytes: &[u8]| is_damaged(bytes, FileFormat::TfrecordGzip);
        assert!(!records(&good));
        for end in 1..good.len() {
            assert!(records(&good[..end]), "{end}");
        }
        let raw = |bytes: &[u8]| {
            let mut out = GzEncoder::new(Vec::new(), Compression::default());
            out.write_all(bytes).unwrap();
            records(&out.finish().unwrap())
        };
        let len = u64::MAX.to_le_bytes();
        assert!(raw(&[&len[..], &masked_crc(&len)].concat()));
        assert!(raw(&[&len[..], b"abcd"].concat()));
        assert!(records(b"no gzip"));
        assert!(is_damaged(b"a\nb", FileFormat::Text));
        let frequencies = read(&mut &b"1 a\nb\n"[..], FileFormat::Text, true);
        assert!(matches!(frequencies, Err(Unread::Damaged(_))));
    }
}
