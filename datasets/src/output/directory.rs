//! A directory that appears under its name when all that belongs in it is there.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use engine::{Error, Result};
use tempfile::TempDir;

use crate::inputs::InputFile;

/// The file in a finished output that lists its shards; by it an output is known, too.
pub const RECEIPT: &str = "_receipt.json";

/// A shard of an output, as its writer has left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedShard {
    /// The shard of the source that it was made of.
    pub shard: String,
    /// Its file's name in the output.
    pub name: String,
    /// How many rows it holds.
    pub rows: u64,
    /// [`OutputDirectory::place`] of the process that wrote it.
    pub place: String,
}

/// A directory to be written; dropped before its commit, it leaves nothing behind.
#[derive(Debug)]
pub struct OutputDirectory {
    path: PathBuf,
    overwrite: bool,
    temporary: PathBuf,
    /// Removes it when dropped.
    kept: Mutex<Option<TempDir>>,
}

impl OutputDirectory {
    /// Makes room for an output beside its place, in which there must be nothing, or an output that
    /// is to be replaced.
    ///
    /// # Errors
    /// When `path` is a file, or a directory that holds something else, or cannot be written to.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let shown = path.display();
        let absolute =
            std::path::absolute(path).map_err(|e| Error::io(format_args!("find `{shown}`"), &e))?;
        let (Some(name), Some(parent)) = (absolute.file_name(), absolute.parent()) else {
            return Err(Error::invalid(format!("`{shown}` is no directory to write"))
                .with_hint("Name a new directory."));
        };
        vacant(path, overwrite)?;
        fs::create_dir_all(parent).map_err(|e| {
            Error::io(format_args!("make the directory `{}`", parent.display()), &e)
                .with_detail(format!("`{shown}` is to be written there."))
        })?;
        let prefix = format!(".{}-", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial");
        // Without this only the owner could read the result; the umask still applies.
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777));
        let kept = builder
            .tempdir_in(parent)
            .map_err(|e| Error::io(format_args!("write `{shown}`"), &e))?;
        let temporary = kept.path().to_owned();
        Ok(OutputDirectory { path: absolute, overwrite, temporary, kept: Mutex::new(Some(kept)) })
    }

    /// Checks that an output would neither destroy what is read nor be read together with it.
    ///
    /// # Errors
    /// When an input is inside of `path`, or `path` is inside of a directory among `inputs`.
    pub fn refuse_inputs(path: &Path, inputs: &[String], files: &[InputFile]) -> Result<()> {
        let shown = path.display();
        let real = real(path);
        if let Some(file) = files.iter().find(|f| self::real(Path::new(&f.path)).starts_with(&real))
        {
            return Err(Error::invalid(format!("`{shown}` holds inputs"))
                .with_detail(format!("`{}` is to be read.", file.path))
                .with_hint("Write to another directory."));
        }
        let around = |input: &&String| {
            let input = Path::new(input);
            input.is_dir() && real.starts_with(self::real(input))
        };
        match inputs.iter().find(around) {
            None => Ok(()),
            Some(input) => Err(Error::invalid(format!("`{shown}` is inside of an input"))
                .with_detail(format!("All of `{input}` is to be read."))
                .with_hint("Write to a directory beside it.")),
        }
    }

    /// Where this process writes until the commit.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The same as text, to be told to process 0.
    pub fn place(&self) -> String {
        self.temporary.to_string_lossy().into_owned()
    }

    /// Where the file `name` of the output is to be written until the commit.
    ///
    /// # Errors
    /// When the directory that it is in cannot be made.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.temporary.join(name);
        make_parent(&path)?;
        Ok(path)
    }

    /// Puts the output in its place, whole or not at all: takes over what other processes have
    /// written, adds the [`RECEIPT`], and renames the directory.
    ///
    /// # Errors
    /// When a shard is not where its writer has left it, or the directory cannot be renamed.
    pub fn commit(&self, shards: &[SavedShard]) -> Result<()> {
        let places = shards.iter().map(|shard| Path::new(&*shard.place));
        let result = self.assemble(shards).and_then(|()| self.put(&receipt(shards)));
        self.remove_others(places);
        result
    }

    /// Puts an output in its place that is all in [`OutputDirectory::temporary`], with a receipt of its
    /// own; removes what other processes have left in `places`.
    ///
    /// # Errors
    /// When the directory cannot be renamed.
    pub fn commit_as<'a>(
        &self,
        receipt: &str,
        places: impl Iterator<Item = &'a Path>,
    ) -> Result<()> {
        let result = self.put(receipt);
        self.remove_others(places);
        result
    }

    fn remove_others<'a>(&self, places: impl Iterator<Item = &'a Path>) {
        for other in places.filter(|other| *other != self.temporary) {
            // What was in it is here now, or of no use.
            let _ = fs::remove_dir_all(other);
        }
    }

    fn assemble(&self, shards: &[SavedShard]) -> Result<()> {
        for SavedShard { shard, name, place, .. } in shards {
            let (from, to) = (Path::new(place).join(name), self.temporary.join(name));
            let moved = if from == to {
                fs::metadata(&from).map(drop)
            } else {
                make_parent(&to)?;
                fs::rename(&from, &to)
            };
            moved.map_err(|e| {
                Error::io(format_args!("take over `{}`", from.display()), &e)
                    .with_detail(format!("Another process has written it, of `{shard}`."))
                    .with_hint("All processes must write to a directory that process 0 can see.")
            })?;
        }
        Ok(())
    }

    fn put(&self, receipt: &str) -> Result<()> {
        let path = self.file(RECEIPT)?;
        File::create(&path)
            .and_then(|mut file| file.write_all(receipt.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))?;
        let failed =
            |e: &std::io::Error| Error::io(format_args!("write `{}`", self.path.display()), e);
        sync(&self.temporary);
        vacant(&self.path, self.overwrite)?;
        let old = self.temporary.with_extension("old");
        let has_old = is_full(&self.path);
        if has_old {
            fs::rename(&self.path, &old).map_err(|e| failed(&e))?;
        }
        if let Err(error) = fs::rename(&self.temporary, &self.path) {
            if has_old {
                let _ = fs::rename(&old, &self.path);
            }
            return Err(failed(&error));
        }
        if has_old {
            let _ = fs::remove_dir_all(&old);
        }
        self.leave();
        if let Some(parent) = self.path.parent() {
            sync(parent);
        }
        Ok(())
    }

    /// Leaves the files where they are.
    pub fn leave(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(kept.map(TempDir::keep));
    }
}

/// Checks that there is nothing at `path` that must not be replaced.
fn vacant(path: &Path, overwrite: bool) -> Result<()> {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(Error::invalid(format!("`{shown}` is not a directory"))
            .with_hint("An output is a directory: name a new one."));
    }
    if !is_full(path) {
        return Ok(());
    }
    if !path.join(RECEIPT).is_file() {
        return Err(Error::invalid(format!("`{shown}` holds other files"))
            .with_detail(format!("It has no `{RECEIPT}`, so it is not an earlier output."))
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

fn make_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent)
        .map_err(|e| Error::io(format_args!("make the directory `{}`", parent.display()), &e))
}

/// The path behind all links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    let mut known = absolute.as_path();
    loop {
        if let Ok(real) = known.canonicalize() {
            return missing.iter().rev().fold(real, |real, name| real.join(name));
        }
        match (known.parent(), known.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name);
                known = parent;
            }
            _ => return absolute,
        }
    }
}

/// A name is safe only when its directory is; not every system can do that.
fn sync(directory: &Path) {
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

/// The shards of an output, as JSON.
fn receipt(shards: &[SavedShard]) -> String {
    let rows: u64 = shards.iter().map(|shard| shard.rows).sum();
    let lines = shards.iter().map(|SavedShard { shard, name, rows, .. }| {
        format!(
            "    {{\"name\": {}, \"rows\": {rows}, \"of\": {}}}",
            json_string(name),
            json_string(shard)
        )
    });
    let lines = lines.collect::<Vec<_>>().join(",\n");
    format!("{{\n  \"rows\": {rows},\n  \"shards\": [\n{lines}\n  ]\n}}\n")
}

fn json_string(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..' ' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes every write");
            }
            _ => out.push(c),
        }
    }
    out + "\""
}
