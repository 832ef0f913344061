//! The assets of a graph: vocabularies as files that other programs read, too.
//!
//! A text file has one token a line, a TFRecord file one token a record; where frequencies are
//! stored, each is `FREQUENCY TOKEN`. Both are as TensorFlow Transform writes them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::files::{Files, is_inside};
use super::tensor::VocabularyJson;
use crate::tensor::{Strings, StringsBuilder};
use crate::vocabulary::{FileFormat, Vocabulary};

/// Where in an artifact assets are.
const FOLDER: &str = "assets/";

/// The assets of a graph, by the names of their files.
#[derive(Default)]
pub(super) struct Assets {
    vocabularies: BTreeMap<String, Arc<Vocabulary>>,
    /// What was read and is not a vocabulary yet.
    files: Files,
}

impl Assets {
    /// Assets that are among these files.
    pub(super) fn of(files: &Files) -> Self {
        let files = files.iter().filter(|(name, _)| name.starts_with(FOLDER));
        let files = files.map(|(name, bytes)| (name.clone(), bytes.clone()));
        Assets { vocabularies: BTreeMap::new(), files: files.collect() }
    }

    /// Adds a vocabulary; gives how the graph refers to it.
    ///
    /// # Errors
    /// When its file's name cannot be used, or another vocabulary has it.
    pub(super) fn add(&mut self, vocabulary: Arc<Vocabulary>) -> Result<VocabularyJson> {
        let name = &vocabulary.file_name;
        if !is_inside(name) || name.contains('/') || name.starts_with('.') {
            return Err(Error::invalid(format!(
                "`{name}` cannot be the name of a vocabulary's file"
            ))
            .with_hint("Choose a `vocab_filename` of letters, digits, `_` and `-`."));
        }
        let shown = VocabularyJson {
            file: format!("{FOLDER}{name}"),
            format: vocabulary.format,
            tokens: vocabulary.len() as u64,
            frequencies: vocabulary.frequencies.is_some(),
            unfiltered_size: vocabulary.unfiltered_size,
        };
        match self.vocabularies.get(&shown.file) {
            Some(other) if **other != *vocabulary => {
                Err(Error::invalid(format!("two vocabularies are named `{name}`"))
                    .with_detail(format!("They have {} and {} tokens.", other.len(), shown.tokens))
                    .with_hint("Give each a `vocab_filename` of its own."))
            }
            _ => {
                self.vocabularies.insert(shown.file.clone(), vocabulary);
                Ok(shown)
            }
        }
    }

    /// The vocabulary that a graph refers to.
    ///
    /// # Errors
    /// When its file is missing, damaged, or another one.
    pub(super) fn find(&mut self, shown: &VocabularyJson) -> Result<Arc<Vocabulary>> {
        if let Some(known) = self.vocabularies.get(&shown.file) {
            return Ok(known.clone());
        }
        let name = shown.file.strip_prefix(FOLDER).filter(|name| !name.contains('/'));
        let name = name.filter(|name| is_inside(name)).ok_or_else(|| {
            Error::new(ErrorKind::Input, "an asset is outside of the graph's assets")
                .with_detail(format!("The graph names `{}`.", shown.file))
        })?;
        let bytes = self.files.get(&shown.file).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("`{}` of the graph is missing", shown.file))
                .with_detail("The graph refers to it, and the manifest does not list it.")
        })?;
        let damaged = |why: &str| {
            Error::new(ErrorKind::Input, format!("`{}` of the graph is damaged", shown.file))
                .with_detail(why.to_owned())
        };
        let lines = match shown.format {
            FileFormat::Text => lines(bytes),
            FileFormat::TfrecordGzip => records(bytes),
        };
        let lines = lines.map_err(damaged)?;
        if lines.len() as u64 != shown.tokens {
            let (found, wanted) = (lines.len(), shown.tokens);
            return Err(damaged(&format!("It has {found} tokens; {wanted} were written.")));
        }
        let mut vocabulary = Vocabulary::new(name, shown.format, lines);
        if shown.frequencies {
            let (frequencies, tokens) = parted(&vocabulary.tokens)
                .ok_or_else(|| damaged("A line has no frequency before its token."))?;
            vocabulary.frequencies = Some(frequencies);
            vocabulary.tokens = tokens;
        }
        vocabulary.unfiltered_size = shown.unfiltered_size;
        let vocabulary = Arc::new(vocabulary);
        self.vocabularies.insert(shown.file.clone(), vocabulary.clone());
        Ok(vocabulary)
    }

    /// All vocabularies, by their files' names.
    pub(super) fn vocabularies(&self) -> impl Iterator<Item = (&str, &Vocabulary)> {
        self.vocabularies.iter().map(|(name, vocabulary)| (&**name, &**vocabulary))
    }

    /// Their files.
    ///
    /// # Errors
    /// When a token does not fit in a line of text.
    pub(super) fn print(&self) -> Result<Files> {
        let files = self.vocabularies.iter().map(|(name, vocabulary)| {
            let bytes = match vocabulary.format {
                FileFormat::Text => text(vocabulary)?,
                FileFormat::TfrecordGzip => tfrecord(vocabulary),
            };
            Ok((name.clone(), bytes))
        });
        files.collect()
    }
}

/// Each token as it is written, its frequency before it.
fn written(vocabulary: &Vocabulary) -> impl Iterator<Item = Vec<u8>> + '_ {
    vocabulary.tokens.iter().enumerate().map(|(id, token)| match &vocabulary.frequencies {
        Some(frequencies) => [frequencies.get(id), b" ", token].concat(),
        None => token.to_vec(),
    })
}

fn text(vocabulary: &Vocabulary) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for (id, line) in written(vocabulary).enumerate() {
        if line.contains(&b'\n') {
            let name = &vocabulary.file_name;
            let error = Error::invalid(format!("a token of `{name}` does not fit in a line"));
            return Err(error
                .with_detail(format!("Token {id} holds a line feed."))
                .with_hint("Use `file_format=\"tfrecord_gzip\"`."));
        }
        out.extend_from_slice(&line);
        out.push(b'\n');
    }
    Ok(out)
}

/// The checksum that TFRecord files store: a rotated CRC-32C plus a constant.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn tfrecord(vocabulary: &Vocabulary) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    let mut put = |bytes: &[u8]| out.write_all(bytes).expect("a Vec takes every write");
    for record in written(vocabulary) {
        let len = (record.len() as u64).to_le_bytes();
        put(&len);
        put(&masked_crc(&len));
        put(&record);
        put(&masked_crc(&record));
    }
    out.finish().expect("a Vec takes every write")
}

/// The lines of a text; the last one ends as the others do.
fn lines(bytes: &[u8]) -> Result<Strings, &'static str> {
    let mut strings = StringsBuilder::default();
    let Some(bytes) = bytes.strip_suffix(b"\n") else {
        return if bytes.is_empty() { Ok(Strings::default()) } else { Err("It is cut off.") };
    };
    bytes.split(|byte| *byte == b'\n').for_each(|line| strings.push(line));
    strings.finish().map_err(|_| "It is longer than 2 GiB.")
}

/// The records of a gzipped TFRecord file.
fn records(bytes: &[u8]) -> Result<Strings, &'static str> {
    /// What a vocabulary may unpack to: what [`Strings`] holds, and its framing.
    const MOST: u64 = 1 << 33;
    const CUT: &str = "It is cut off.";
    let mut input = MultiGzDecoder::new(bytes).take(MOST);
    let mut strings = StringsBuilder::default();
    loop {
        let mut head = [0; 12];
        let mut got = 0;
        while got < head.len() {
            match input.read(&mut head[got..]) {
                Ok(0) if got == 0 => {
                    return strings.finish().map_err(|_| "It is longer than 2 GiB.");
                }
                Ok(0) | Err(_) => return Err(CUT),
                Ok(n) => got += n,
            }
        }
        let (len, crc) = head.split_at(8);
        if masked_crc(len) != *crc {
            return Err("The checksum of a length is wrong.");
        }
        let len = u64::from_le_bytes(len.try_into().map_err(|_| CUT)?);
        let mut record = Vec::new();
        let n = (&mut input).take(len.saturating_add(4)).read_to_end(&mut record);
        if n.map_err(|_| CUT)? as u64 != len.saturating_add(4) {
            return Err(CUT);
        }
        let (record, crc) = record.split_at(record.len() - 4);
        if masked_crc(record) != *crc {
            return Err("The checksum of a record is wrong.");
        }
        strings.push(record);
    }
}

/// Frequencies and tokens.
fn parted(lines: &Strings) -> Option<(Strings, Strings)> {
    let mut frequencies = StringsBuilder::default();
    let mut tokens = StringsBuilder::default();
    for line in lines.iter() {
        let space = memchr::memchr(b' ', line)?;
        frequencies.push(&line[..space]);
        tokens.push(&line[space + 1..]);
    }
    Some((frequencies.finish().ok()?, tokens.finish().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(vocabulary: Vocabulary) -> Result<Vocabulary> {
        let mut assets = Assets::default();
        let shown = assets.add(Arc::new(vocabulary))?;
        let mut read = Assets::of(&assets.print()?);
        Ok((*read.find(&shown)?).clone())
    }

    #[test]
    fn vocabularies_come_back() {
        let tokens: [&[u8]; 4] = [b"a b", b"\xff\r", "\u{e9}".as_bytes(), b"a b"];
        for format in [FileFormat::Text, FileFormat::TfrecordGzip] {
            for tokens in [&tokens[..], &[]] {
                let mut vocabulary =
                    Vocabulary::new("v", format, tokens.iter().copied().collect::<Strings>());
                vocabulary.unfiltered_size = 77;
                let read = round(vocabulary.clone()).unwrap();
                assert_eq!(read, vocabulary);
                assert_eq!(read.unfiltered_size, 77);
                vocabulary.frequencies = Some(tokens.iter().map(|_| "9.5").collect());
                assert_eq!(round(vocabulary.clone()).unwrap(), vocabulary);
            }
        }
        let odd = Strings::from_iter(["", "a\nb"]);
        let records = Vocabulary::new("v", FileFormat::TfrecordGzip, odd.clone());
        assert_eq!(round(records.clone()).unwrap(), records);
        let error = round(Vocabulary::new("v", FileFormat::Text, odd)).unwrap_err();
        assert!(error.message().contains("does not fit in a line"), "{error}");
        let empty = Vocabulary::new("v", FileFormat::Text, Strings::from_iter([""]));
        assert_eq!(round(empty.clone()).unwrap(), empty);
    }

    #[test]
    fn names_are_checked() {
        let named = |name: &str| {
            let vocabulary = Vocabulary::new(name, FileFormat::Text, Strings::default());
            Assets::default().add(Arc::new(vocabulary)).is_ok()
        };
        assert!(named("vocab_compute_and_apply_vocabulary.txt"));
        for name in ["", ".", "..", "a/b", "../a", ".hidden", "a\\b"] {
            assert!(!named(name), "{name}");
        }
        let mut assets = Assets::default();
        let of = |token: &str| {
            Arc::new(Vocabulary::new("v", FileFormat::Text, Strings::from_iter([token])))
        };
        assets.add(of("a")).unwrap();
        assets.add(of("a")).unwrap();
        assert!(assets.add(of("b")).unwrap_err().message().contains("two vocabularies"));
    }

    #[test]
    fn damage_is_found() {
        let vocabulary =
            Vocabulary::new("v", FileFormat::TfrecordGzip, Strings::from_iter(["abc"]));
        let good = tfrecord(&vocabulary);
        assert_eq!(records(&good).unwrap().len(), 1);
        for end in 1..good.len() {
            assert!(records(&good[..end]).is_err(), "{end}");
        }
        let raw = |bytes: &[u8]| {
            let mut out = GzEncoder::new(Vec::new(), Compression::default());
            out.write_all(bytes).unwrap();
            records(&out.finish().unwrap())
        };
        let len = u64::MAX.to_le_bytes();
        assert!(raw(&[&len[..], &masked_crc(&len)].concat()).is_err());
        assert!(raw(&[&len[..], b"abcd"].concat()).is_err());
        assert!(records(b"no gzip").is_err());
        assert!(lines(b"a\nb").is_err());
    }
}
