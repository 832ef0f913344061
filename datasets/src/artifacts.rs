//! Results on disk, whole or not at all: written beside their place, flushed, then renamed.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use engine::{Error, Result};
use tempfile::NamedTempFile;

use crate::inputs::InputFile;

/// A file that appears under its name when it is complete; dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Begins the file, and makes the directories that it will be in.
    ///
    /// # Errors
    /// When a directory cannot be made or written to, or when `path` is a directory.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |e: io::Error| Error::io(format_args!("write `{}`", path.display()), &e);
        if path.is_dir() || path.file_name().is_none() {
            return Err(Error::invalid(format!(
                "cannot write `{}`: it is a directory",
                path.display()
            ))
            .with_hint("Name a file in it."));
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent).map_err(|e| {
            Error::io(format_args!("make the directory `{}`", parent.display()), &e)
                .with_detail(format!("`{}` is to be written there.", path.display()))
        })?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".partial");
        // Without this only the owner could read the result; the umask still applies.
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let file = builder.tempfile_in(parent).map_err(failed)?;
        Ok(AtomicFile { file, path: path.to_owned() })
    }

    /// As [`AtomicFile::create`], unless `path` is one of the files that are read.
    ///
    /// # Errors
    /// Also when `path` is an input, under this name or another.
    pub fn create_beside(path: impl AsRef<Path>, inputs: &[InputFile]) -> Result<Self> {
        let path = path.as_ref();
        refuse_inputs(path, inputs)?;
        Self::create(path)
    }

    /// Flushes the file and gives it its name.
    ///
    /// # Errors
    /// When the disk is full or the file cannot be renamed; then nothing has changed.
    pub fn commit(self) -> Result<()> {
        let AtomicFile { mut file, path } = self;
        let failed = |e: &io::Error| Error::io(format_args!("write `{}`", path.display()), e);
        file.flush().and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
        file.persist(&path).map_err(|e| failed(&e.error))?;
        // The name itself is safe only when the directory is; not every system can do that.
        if let Some(parent) = path.parent()
            && let Ok(directory) =
                File::open(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
        {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))?;
    file.commit()
}

/// Writes a directory of files, whole or not at all; `marker` is the file by which an earlier one is
/// known, which only `overwrite` replaces.
///
/// # Errors
/// When there is something else at `path`, a file cannot be made, or the disk is full.
pub fn write_directory(
    path: &Path,
    files: &[(&str, Vec<u8>)],
    marker: &str,
    overwrite: bool,
) -> Result<()> {
    vacant(path, marker, overwrite)?;
    let failed = |e: &io::Error| Error::io(format_args!("write `{}`", path.display()), e);
    let absolute = std::path::absolute(path).map_err(|e| failed(&e))?;
    let parent = absolute.parent().unwrap_or(&absolute);
    std::fs::create_dir_all(parent).map_err(|e| failed(&e))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777));
    let temporary = builder.tempdir_in(parent).map_err(|e| failed(&e))?;
    for (name, bytes) in files {
        write_atomic(temporary.path().join(name), bytes)?;
    }
    let old = temporary.path().with_extension("old");
    let has_old = absolute.exists();
    if has_old {
        std::fs::rename(&absolute, &old).map_err(|e| failed(&e))?;
    }
    if let Err(error) = std::fs::rename(temporary.path(), &absolute) {
        if has_old {
            let _ = std::fs::rename(&old, &absolute);
        }
        return Err(failed(&error));
    }
    // It has its final name now.
    let _ = temporary.keep();
    if has_old {
        let _ = std::fs::remove_dir_all(&old);
    }
    if let Ok(parent) = File::open(parent) {
        let _ = parent.sync_all();
    }
    Ok(())
}

/// Checks that [`write_directory`] may write here, as far as that is known before.
///
/// # Errors
/// When there is something else, or an earlier result that is not to be replaced.
pub fn vacant(path: &Path, marker: &str, overwrite: bool) -> Result<()> {
    let shown = path.display();
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(Error::invalid(format!("`{shown}` is not a directory"))
            .with_hint("Name a new directory."));
    }
    if !std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
        return Ok(());
    }
    if !path.join(marker).is_file() {
        return Err(Error::invalid(format!("`{shown}` holds other files"))
            .with_detail(format!("It has no `{marker}`, so it is not an earlier result."))
            .with_hint("Name a new directory."));
    }
    if !overwrite {
        return Err(Error::invalid(format!("`{shown}` is there already"))
            .with_hint("Name a new directory, or pass `--overwrite` to replace it as a whole."));
    }
    Ok(())
}

/// Checks that writing `path` would not destroy an input.
///
/// # Errors
/// When `path` is one of `inputs`, also through links.
pub fn refuse_inputs(path: &Path, inputs: &[InputFile]) -> Result<()> {
    let Ok(real) = path.canonicalize() else { return Ok(()) };
    let same = |input: &&InputFile| {
        Path::new(&input.path) == real
            || Path::new(&input.path).canonicalize().is_ok_and(|input| input == real)
    };
    match inputs.iter().find(same) {
        None => Ok(()),
        Some(input) => Err(Error::invalid(format!("`{}` is an input", path.display()))
            .with_detail(format!("It is the same file as `{}`.", input.path))
            .with_hint("Write the result to another file.")),
    }
}

/// The name of one of `count` parts of `path`: `stem-00000-of-00004.ext`.
pub fn shard_path(path: &Path, index: usize, count: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = format!("{stem}-{index:05}-of-{count:05}");
    if let Some(extension) = path.extension() {
        name.push('.');
        name.push_str(&extension.to_string_lossy());
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_only_when_committed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/stats.pb");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert!(names(path.parent().unwrap()).is_empty());
        write_atomic(&path, b"first").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(names(path.parent().unwrap()), ["stats.pb"]);
    }

    #[test]
    fn inputs_and_directories_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        std::fs::write(&path, "x").unwrap();
        let input = InputFile { path: path.to_str().unwrap().to_owned(), bytes: 1 };
        let other_name = directory.path().join("./a.csv");
        let error = AtomicFile::create_beside(other_name, &[input]).unwrap_err();
        assert!(error.message().ends_with("a.csv` is an input"), "{error}");
        let error = AtomicFile::create(directory.path()).unwrap_err();
        assert!(error.message().ends_with("it is a directory"), "{error}");
        let error = AtomicFile::create(path.join("b")).unwrap_err();
        assert!(error.message().starts_with("cannot make the directory"), "{error}");
    }

    #[test]
    fn parts_are_numbered() {
        let check = |path: &str, expected: &str| {
            assert_eq!(shard_path(Path::new(path), 3, 12), Path::new(expected));
        };
        check("out/stats.tfrecord", "out/stats-00003-of-00012.tfrecord");
        check("stats", "stats-00003-of-00012");
    }
}
