//! The files of an artifact: written beside their place and renamed, read only as the manifest says.

#![allow(clippy::disallowed_methods, reason = "artifacts are what this folder reads and writes")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::assets::FOLDER;
use super::directory::{NewDirectory, check_vacant};
use super::json;

/// The file that lists all others; by it an artifact is known, too.
pub(super) const MANIFEST: &str = "manifest.json";
const FORMAT: &str = "frazil transform manifest";
/// A manifest is short: more is no manifest.
const MOST_MANIFEST: u64 = 16 << 20;

/// Digits of bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The digest in hexadecimal digits, as `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestJson {
    format: String,
    version: u32,
    fingerprint: String,
    files: Vec<EntryJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryJson {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Writes what is in a file.
pub type Contents<'a> = Box<dyn Fn(&mut dyn Write) -> Result<()> + 'a>;

/// A file that was read, as the manifest says it is; names have `/` between folders.
#[derive(Debug)]
pub(super) enum Stored {
    /// Its bytes.
    Memory(Vec<u8>),
    /// It is large: it is read again when it is wanted.
    File(PathBuf),
}

impl Stored {
    /// Its bytes, one after the other.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn open(&self) -> Result<Box<dyn BufRead + '_>> {
        Ok(match self {
            Stored::Memory(bytes) => Box::new(&bytes[..]),
            Stored::File(path) => {
                let file = File::open(path);
                let file =
                    file.map_err(|e| Error::io(format_args!("read `{}`", path.display()), &e));
                Box::new(BufReader::with_capacity(BLOCK, file?))
            }
        })
    }
}

/// Bytes of an asset that are kept in memory.
const MOST_IN_MEMORY: u64 = 64 << 20;
/// How much is read or written at once.
const BLOCK: usize = 1 << 18;

/// Bytes on their way into a file: counted, and their digest.
struct Counted<W> {
    out: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.digest.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a file; gives its line of the manifest.
pub(super) fn put(folder: &Path, name: &str, contents: &Contents<'_>) -> Result<EntryJson> {
    debug_assert!(is_inside(name));
    let path = folder.join(name);
    let failed = |e: &io::Error| Error::io(format_args!("write `{name}`"), e);
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|e| failed(&e))?;
    let file = File::create(&path).map_err(|e| failed(&e))?;
    // The digest is over blocks, too, rather than over single tokens.
    let counted = Counted { out: file, digest: Sha256::new(), bytes: 0 };
    let mut out = BufWriter::with_capacity(BLOCK, counted);
    contents(&mut out)?;
    let counted = out.into_inner().map_err(|e| failed(e.error()))?;
    counted.out.sync_all().map_err(|e| failed(&e))?;
    let sha256 = hex(&counted.digest.finalize());
    Ok(EntryJson { name: name.to_owned(), bytes: counted.bytes, sha256 })
}

/// Whether a name stays inside of the artifact, on any system.
pub(super) fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// A file of these bytes.
pub(super) fn bytes_of<'a>(bytes: Vec<u8>) -> Contents<'a> {
    Box::new(move |out| out.write_all(&bytes).map_err(|e| Error::io("write a file", &e)))
}

/// Writes an artifact whole, or not at all.
///
/// # Errors
/// When there is something else at `path`, a file cannot be made, or the disk is full.
pub(super) fn write(
    path: &Path,
    files: &BTreeMap<String, Contents<'_>>,
    fingerprint: &str,
    overwrite: bool,
) -> Result<()> {
    vacant(path, overwrite)?;
    let new = NewDirectory::beside(path)?;
    let entries = files.iter().map(|(name, contents)| put(new.path(), name, contents));
    let manifest = ManifestJson {
        format: FORMAT.to_owned(),
        version: json::VERSION,
        fingerprint: fingerprint.to_owned(),
        files: entries.collect::<Result<_>>()?,
    };
    let manifest = json::pretty(&manifest);
    put(new.path(), MANIFEST, &bytes_of(manifest.into_bytes()))?;
    new.commit()
}

/// Checks that an artifact may be written here, as far as that is known before there is one.
///
/// # Errors
/// When there is something else, or an artifact that is not to be replaced.
pub(super) fn vacant(path: &Path, overwrite: bool) -> Result<()> {
    check_vacant(path, "graph", MANIFEST, overwrite)
}

/// What was read of an artifact.
pub(super) struct Files {
    /// The files, each as the manifest says.
    pub(super) stored: BTreeMap<String, Stored>,
    /// Their bytes.
    pub(super) bytes: u64,
    /// The fingerprint that the manifest states.
    pub(super) fingerprint: String,
}

/// The files of an artifact.
///
/// # Errors
/// When there is no manifest, or it names a file that is not there, not the same, or elsewhere.
pub(super) fn read(directory: &Path) -> Result<Files> {
    read_within(directory, MOST_IN_MEMORY)
}

/// As [`read`]; assets of more bytes than these stay where they are.
pub(super) fn read_within(directory: &Path, most_in_memory: u64) -> Result<Files> {
    let shown = directory.display();
    if !directory.is_dir() {
        let error = Error::new(ErrorKind::NotFound, format!("there is no graph at `{shown}`"));
        return Err(error.with_hint("`frazil analyze … -o DIR` makes one."));
    }
    let path = directory.join(MANIFEST);
    let bytes = read_file(&path, MOST_MANIFEST).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::new(ErrorKind::NotFound, format!("`{shown}` holds no graph"))
            .with_detail(format!("There is no `{MANIFEST}` in it.")),
        _ => error,
    })?;
    let manifest: ManifestJson = json::parse(MANIFEST, FORMAT, &bytes)?;
    let (mut stored, mut total) = (BTreeMap::new(), 0);
    for EntryJson { name, bytes: len, sha256: digest } in manifest.files {
        if !is_inside(&name) {
            return Err(Error::new(ErrorKind::Input, "a file is outside of the graph's directory")
                .with_detail(format!("`{MANIFEST}` names `{name}`."))
                .with_hint("Do not use this graph: somebody has changed it."));
        }
        let path = directory.join(&name);
        refuse_links(directory, &name)?;
        let is_large = name.starts_with(FOLDER) && len > most_in_memory;
        let read = if is_large {
            digest_of(&path, len).map(|(found, digest)| (Stored::File(path), found, digest))
        } else {
            read_file(&path, len).map(|bytes| {
                let (found, digest) = (bytes.len() as u64, sha256(&bytes));
                (Stored::Memory(bytes), found, digest)
            })
        };
        let (file, found, found_digest) = read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, format!("`{name}` of the graph is missing"))
                    .with_detail(format!("`{shown}` should hold it."))
                    .with_hint("Copy the directory as a whole, or analyze again.")
            }
            _ => error,
        })?;
        let wrong = if found != len {
            format!("It has {found} bytes; {len} were written.")
        } else if found_digest != digest {
            "Its SHA-256 is not that of the manifest.".to_owned()
        } else {
            total += len;
            stored.insert(name, file);
            continue;
        };
        return Err(Error::new(ErrorKind::Input, format!("`{name}` of the graph has changed"))
            .with_detail(wrong)
            .with_hint("Copy the directory again, or analyze again."));
    }
    Ok(Files { stored, bytes: total, fingerprint: manifest.fingerprint })
}

/// A link inside of an artifact could lead anywhere.
fn refuse_links(directory: &Path, name: &str) -> Result<()> {
    let mut path = PathBuf::from(directory);
    for part in name.split('/') {
        path.push(part);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(Error::new(ErrorKind::Input, format!("`{}` is a link", path.display()))
                .with_hint("A graph's directory holds plain files."));
        }
    }
    Ok(())
}

/// Bytes of a file, one more than it may have if it has more, and their digest.
fn digest_of(path: &Path, most: u64) -> Result<(u64, String)> {
    let mut counted = Counted { out: io::sink(), digest: Sha256::new(), bytes: 0 };
    File::open(path)
        .map(|file| BufReader::with_capacity(BLOCK, file).take(most.saturating_add(1)))
        .and_then(|mut file| io::copy(&mut file, &mut counted))
        .map_err(|e| Error::io(format_args!("read `{}`", path.display()), &e))?;
    Ok((counted.bytes, hex(&counted.digest.finalize())))
}

/// Reads a file, and one byte more than it may have, if it has more.
fn read_file(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|e| Error::io(format_args!("read `{}`", path.display()), &e))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let check = |name: &str, expected| assert_eq!(is_inside(name), expected, "{name:?}");
        check("graph.json", true);
        check("assets/a b.txt", true);
        check("assets/..txt", true);
        for name in ["", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "a\\b", "c:a", "a\0"] {
            check(name, false);
        }
    }
}
