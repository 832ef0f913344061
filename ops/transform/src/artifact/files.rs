//! The files of an artifact: written beside their place and renamed, read only as the manifest says.

#![allow(clippy::disallowed_methods, reason = "artifacts are what this folder reads and writes")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
pub(super) fn sha256(bytes: &[u8]) -> String {
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
struct EntryJson {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Files by name, `/` between folders.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Whether a name stays inside of the artifact, on any system.
pub(super) fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Writes an artifact whole, or not at all.
///
/// # Errors
/// When there is something else at `path`, or the disk is full.
pub(super) fn write(path: &Path, files: &Files, fingerprint: &str, overwrite: bool) -> Result<()> {
    let shown = path.display();
    let failed = |e: &std::io::Error| Error::io(format_args!("write `{shown}`"), e);
    vacant(path, overwrite)?;
    let absolute = std::path::absolute(path).map_err(|e| failed(&e))?;
    let (Some(name), Some(parent)) = (absolute.file_name(), absolute.parent()) else {
        return Err(Error::invalid(format!("`{shown}` is no directory to write"))
            .with_hint("Name a new directory."));
    };
    fs::create_dir_all(parent).map_err(|e| failed(&e))?;
    let prefix = format!(".{}-", name.to_string_lossy());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".partial");
    // Without this only the owner could read the result; the umask still applies.
    #[cfg(unix)]
    builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777));
    let temporary = builder.tempdir_in(parent).map_err(|e| failed(&e))?;
    let entries = files.iter().map(|(name, bytes)| EntryJson {
        name: name.clone(),
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    });
    let manifest = ManifestJson {
        format: FORMAT.to_owned(),
        version: json::VERSION,
        fingerprint: fingerprint.to_owned(),
        files: entries.collect(),
    };
    let manifest = json::pretty(&manifest).into_bytes();
    let all = files.iter().map(|(name, bytes)| (name.as_str(), bytes));
    for (name, bytes) in all.chain([(MANIFEST, &manifest)]) {
        debug_assert!(is_inside(name));
        let file = temporary.path().join(name);
        file.parent().map_or(Ok(()), fs::create_dir_all).map_err(|e| failed(&e))?;
        File::create(&file)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(|e| failed(&e))?;
    }
    sync(temporary.path());
    let old = temporary.path().with_extension("old");
    let has_old = is_full(&absolute);
    if has_old {
        fs::rename(&absolute, &old).map_err(|e| failed(&e))?;
    }
    if let Err(error) = fs::rename(temporary.path(), &absolute) {
        if has_old {
            let _ = fs::rename(&old, &absolute);
        }
        return Err(failed(&error));
    }
    // It has its final name now.
    let _ = temporary.keep();
    if has_old {
        let _ = fs::remove_dir_all(&old);
    }
    sync(parent);
    Ok(())
}

/// Checks that an artifact may be written here, as far as that is known before there is one.
///
/// # Errors
/// When there is something else, or an artifact that is not to be replaced.
pub(super) fn vacant(path: &Path, overwrite: bool) -> Result<()> {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(Error::invalid(format!("`{shown}` is not a directory"))
            .with_hint("A graph is a directory: name a new one."));
    }
    if !is_full(path) {
        return Ok(());
    }
    if !path.join(MANIFEST).is_file() {
        return Err(Error::invalid(format!("`{shown}` holds other files"))
            .with_detail(format!("It has no `{MANIFEST}`, so it is not an earlier graph."))
            .with_hint("Name a new directory."));
    }
    if !overwrite {
        return Err(Error::invalid(format!("`{shown}` is there already"))
            .with_hint("Name a new directory, or pass `--overwrite` to replace it as a whole."));
    }
    Ok(())
}

/// True if there is something in the directory.
fn is_full(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}

/// A name is safe only when its directory is; not every system can do that.
fn sync(directory: &Path) {
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

/// The files of an artifact, each as the manifest says, and the fingerprint that it states.
///
/// # Errors
/// When there is no manifest, or it names a file that is not there, not the same, or elsewhere.
pub(super) fn read(directory: &Path) -> Result<(Files, String)> {
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
    let mut files = Files::new();
    for EntryJson { name, bytes: len, sha256: digest } in manifest.files {
        if !is_inside(&name) {
            return Err(Error::new(ErrorKind::Input, "a file is outside of the graph's directory")
                .with_detail(format!("`{MANIFEST}` names `{name}`."))
                .with_hint("Do not use this graph: somebody has changed it."));
        }
        let path = directory.join(&name);
        refuse_links(directory, &name)?;
        let bytes = read_file(&path, len).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, format!("`{name}` of the graph is missing"))
                    .with_detail(format!("`{shown}` should hold it."))
                    .with_hint("Copy the directory as a whole, or analyze again.")
            }
            _ => error,
        })?;
        let wrong = if bytes.len() as u64 != len {
            format!("It has {} bytes; {len} were written.", bytes.len())
        } else if sha256(&bytes) != digest {
            "Its SHA-256 is not that of the manifest.".to_owned()
        } else {
            files.insert(name, bytes);
            continue;
        };
        return Err(Error::new(ErrorKind::Input, format!("`{name}` of the graph has changed"))
            .with_detail(wrong)
            .with_hint("Copy the directory again, or analyze again."));
    }
    Ok((files, manifest.fingerprint))
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
