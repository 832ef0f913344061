//! The one format of files with states: magic, version, header, payload, checksum.
//!
//! A file is written beside its name and renamed when it is whole; it is read only after its whole
//! checksum was verified.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::Xxh3;

use crate::{Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"FRZSTATE";
const VERSION: u32 = 2;

/// Bytes of magic, version and checksum.
const FRAME: u64 = 8 + 4 + 8;

/// Writes one file; without [`StateWriter::finish`] nothing is left of it.
pub(crate) struct StateWriter {
    out: BufWriter<NamedTempFile>,
    hash: Xxh3,
    path: PathBuf,
}

impl StateWriter {
    /// Begins the file `name` in a directory.
    pub(crate) fn create<H: Serialize>(dir: &Path, name: &str, header: &H) -> Result<Self> {
        let path = dir.join(name);
        let temporary = NamedTempFile::new_in(dir).map_err(|e| failed(&path, &e))?;
        let out = BufWriter::with_capacity(1 << 16, temporary);
        let mut writer = StateWriter { out, hash: Xxh3::new(), path };
        let header = postcard::to_stdvec(header).expect("plain data always serializes");
        let length = (header.len() as u32).to_le_bytes();
        writer.write(&[MAGIC, &VERSION.to_le_bytes()[..], &length, &header].concat())?;
        Ok(writer)
    }

    /// Appends to the payload.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes).map_err(|e| failed(&self.path, &e))
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> Result<()> {
        let digest = self.hash.digest().to_le_bytes();
        self.out.write_all(&digest).map_err(|e| failed(&self.path, &e))?;
        let temporary = self.out.into_inner().map_err(|e| failed(&self.path, e.error()))?;
        temporary.persist(&self.path).map_err(|e| failed(&self.path, &e.error))?;
        Ok(())
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("write `{}`", path.display()), error)
}

/// Reads the payload of a file.
pub(crate) struct StateReader {
    path: PathBuf,
    file: std::io::Take<BufReader<File>>,
}

impl StateReader {
    /// Opens a file, after its whole checksum was verified, and reads its header.
    pub(crate) fn open<H: DeserializeOwned>(path: &Path) -> Result<(Self, H)> {
        let io = |e: std::io::Error| Error::io(format_args!("read `{}`", path.display()), &e);
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
        let length = file.get_ref().metadata().map_err(io)?.len();
        let body = length.checked_sub(FRAME).ok_or_else(|| damaged(path))?;
        let mut hash = Xxh3::new();
        let mut buffer = vec![0; (1 << 16).min(length as usize)];
        let mut left = length - 8;
        while left > 0 {
            let n = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..n]).map_err(io)?;
            hash.update(&buffer[..n]);
            left -= n as u64;
        }
        let mut digest = [0; 8];
        file.read_exact(&mut digest).map_err(io)?;
        let mut head = [0; 12];
        std::io::Seek::rewind(&mut file).and_then(|()| file.read_exact(&mut head)).map_err(io)?;
        if head[..8] != MAGIC[..] || hash.digest() != u64::from_le_bytes(digest) {
            return Err(damaged(path));
        }
        let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if version != VERSION {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("`{}` has format version {version}; {VERSION} is wanted", path.display()),
            )
            .with_hint("Compute the states again."));
        }
        let mut reader = StateReader { path: path.to_owned(), file: file.take(body) };
        let mut length = [0; 4];
        reader.read_exact(&mut length).map_err(|_| damaged(path))?;
        let mut header = Vec::new();
        let length = u64::from(u32::from_le_bytes(length));
        (&mut reader.file).take(length).read_to_end(&mut header).map_err(io)?;
        let header = postcard::from_bytes(&header).map_err(|_| damaged(path))?;
        Ok((reader, header))
    }

    /// The whole payload.
    pub(crate) fn payload(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file
            .read_to_end(&mut bytes)
            .map_err(|e| Error::io(format_args!("read `{}`", self.path.display()), &e))?;
        Ok(bytes)
    }
}

impl Read for StateReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

/// What is said of a file that is not what was written.
pub(crate) fn damaged(path: &Path) -> Error {
    Error::new(ErrorKind::Incompatible, format!("`{}` is damaged", path.display()))
        .with_detail("Its checksum does not agree with its contents.")
        .with_hint("Delete it and compute the states again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole_and_read_when_it_is_sound() {
        let dir = tempfile::tempdir().unwrap();
        let begin = || StateWriter::create(dir.path(), "a", &(7_u8, "header".to_owned())).unwrap();
        drop(begin());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut writer = begin();
        writer.write(b"pay").unwrap();
        writer.write(b"load").unwrap();
        writer.finish().unwrap();

        let path = dir.path().join("a");
        let (reader, header) = StateReader::open::<(u8, String)>(&path).unwrap();
        assert_eq!(header, (7, "header".to_owned()));
        assert_eq!(reader.payload().unwrap(), b"payload");
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut turned = whole.clone();
            turned[at] ^= 0x20;
            for bytes in [&turned[..], &whole[..at]] {
                std::fs::write(&path, bytes).unwrap();
                let error = StateReader::open::<(u8, String)>(&path).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
            }
        }
        // A header that is another one than what is asked for.
        std::fs::write(&path, &whole).unwrap();
        assert!(StateReader::open::<(u8, String, String)>(&path).is_err());
    }
}
