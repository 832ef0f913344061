//! `NewDirectory`: a directory that is written beside its place and has its name only when it is whole.

#![allow(clippy::disallowed_methods, reason = "artifacts are what this folder reads and writes")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use engine::{Error, Result};
use tempfile::TempDir;

/// A directory that is not yet at its place; dropped, it is gone.
pub struct NewDirectory {
    /// As it is shown in errors.
    shown: String,
    place: PathBuf,
    temporary: TempDir,
}

impl NewDirectory {
    /// Begins one.
    ///
    /// # Errors
    /// When the path names no directory, or none can be made beside it.
    pub fn beside(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let failed = |e: &std::io::Error| Error::io(format_args!("write `{shown}`"), e);
        let place = std::path::absolute(path).map_err(|e| failed(&e))?;
        let (Some(name), Some(parent)) = (place.file_name(), place.parent()) else {
            return Err(Error::invalid(format!("`{shown}` is no directory to write"))
                .with_hint("Name a new directory."));
        };
        fs::create_dir_all(parent).map_err(|e| failed(&e))?;
        let prefix = format!(".{}-", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial");
        // Without this only the owner could read the result; the umask still applies.
        #[cfg(unix)]
        builder
            .permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777));
        let temporary = builder.tempdir_in(parent).map_err(|e| failed(&e))?;
        Ok(NewDirectory { shown, place, temporary })
    }

    /// Where it is until then.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives it its name, in the place of what is there.
    ///
    /// # Errors
    /// When it cannot be moved: then what was there is there again.
    pub fn commit(self) -> Result<()> {
        let NewDirectory { shown, place, temporary } = self;
        let failed = |e: &std::io::Error| Error::io(format_args!("write `{shown}`"), e);
        sync(temporary.path());
        let old = temporary.path().with_extension("old");
        let has_old = is_full(&place);
        if has_old {
            fs::rename(&place, &old).map_err(|e| failed(&e))?;
        }
        if let Err(error) = fs::rename(temporary.path(), &place) {
            if has_old {
                let _ = fs::rename(&old, &place);
            }
            return Err(failed(&error));
        }
        // It has its final name now.
        let _ = temporary.keep();
        if has_old {
            let _ = fs::remove_dir_all(&old);
        }
        place.parent().into_iter().for_each(sync);
        Ok(())
    }
}

/// Checks that a directory may be written: that it is empty, or has the file by which its kind is known and
/// may be replaced. `kind` is what it is called.
///
/// # Errors
/// When there is something else, or one that is not to be replaced.
pub fn check_vacant(path: &Path, kind: &str, mark: &str, overwrite: bool) -> Result<()> {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(Error::invalid(format!("`{shown}` is not a directory"))
            .with_hint(format!("A {kind} is a directory: name a new one.")));
    }
    if !is_full(path) {
        return Ok(());
    }
    if !path.join(mark).is_file() {
        return Err(Error::invalid(format!("`{shown}` holds other files"))
            .with_detail(format!("It has no `{mark}`, so it is not an earlier {kind}."))
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
