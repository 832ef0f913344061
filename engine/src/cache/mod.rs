//! States cached by content: what a combiner has made of a shard's bytes, for every later run.
//!
//! ```text
//! FINGERPRINT/IDENTITY.state  header {fingerprint, identity, receipt}, payload: a state or a sorted run
//! fingerprints/HASH.state     header {path, size, mtime, inode, …: fingerprint}
//! ```
//!
//! FINGERPRINT is the shard's ([`Source::fingerprint`]), IDENTITY that of what computes: the
//! combiner's name and version and [`CombineFn::identity`](crate::CombineFn::identity). So neither
//! the other nodes of the plan matter, nor who computed it, nor where the shard lay. A file that is
//! damaged or another one than its name says is computed again, with a warning.
//!
//! Which records are bad may depend on what else is read of them. So only a shard without bad
//! records is kept, and one that must be read for some states gives the others only to a run that
//! would fail at a bad record.

#[cfg(feature = "dataflow")]
mod entries;
#[cfg(feature = "dataflow")]
mod fingerprints;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

#[cfg(feature = "dataflow")]
pub(crate) use entries::{Cacheable, Found, run};

use crate::{Error, Result};

/// Where fingerprints are remembered.
const FINGERPRINTS: &str = "fingerprints";
/// How exactly it is noted when a file was last used.
const DAY: Duration = Duration::from_hours(24);
/// How many warnings are kept.
#[cfg(feature = "dataflow")]
const WARNINGS: usize = 100;

/// A directory of cached states; any number of runs may share it at the same time.
///
/// It is never the reason why a run fails to compute: what cannot be read or written is computed,
/// and a warning kept.
#[derive(Debug)]
pub struct StateCache {
    dir: PathBuf,
    remembers: bool,
    warnings: Mutex<Vec<Error>>,
}

/// What [`StateCache::prune`] has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl StateCache {
    /// Opens a directory, and makes it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: &Path) -> Result<Self> {
        let made = std::fs::create_dir_all(dir.join(FINGERPRINTS));
        made.map_err(|e| Error::io(format_args!("create `{}`", dir.display()), &e))?;
        Ok(StateCache { dir: dir.to_owned(), remembers: true, warnings: Mutex::default() })
    }

    /// The same, but the bytes of every shard are hashed anew in every run.
    ///
    /// Else the fingerprint of a file whose path, size, time of change and inode are the same as
    /// before is taken to be the same, too.
    pub fn without_remembered_fingerprints(mut self) -> Self {
        self.remembers = false;
        self
    }

    /// What could not be used or kept, and why, since this was last asked for; the first 100.
    pub fn warnings(&self) -> Vec<Error> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(feature = "dataflow")]
    fn warn(&self, error: Error) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.len() < WARNINGS {
            warnings.push(error);
        }
    }

    /// Deletes what was not used for so long, and then what was used least recently until not more
    /// than so many bytes are left. When it was used is known to a day.
    ///
    /// # Errors
    /// When the directory cannot be listed or a file cannot be deleted.
    pub fn prune(&self, unused: Option<Duration>, most_bytes: Option<u64>) -> Result<Pruned> {
        let failed = |path: &Path, e: &std::io::Error| {
            Error::io(format_args!("prune `{}`", path.display()), e)
        };
        let now = SystemTime::now();
        let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(|e| failed(&self.dir, &e))? {
            let folder = entry.map_err(|e| failed(&self.dir, &e))?.path();
            // Whatever else somebody keeps here is left alone.
            let Ok(listing) = std::fs::read_dir(&folder) else { continue };
            for entry in listing {
                let path = entry.map_err(|e| failed(&folder, &e))?.path();
                let is_state = path.extension().is_some_and(|extension| extension == "state");
                // What a run has left that was killed while it wrote.
                let is_rest = path
                    .file_name()
                    .is_some_and(|name| name.as_encoded_bytes().starts_with(b".tmp"));
                let Some(metadata) = path.metadata().ok().filter(Metadata::is_file) else {
                    continue;
                };
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                if is_state || is_rest && now.duration_since(used).is_ok_and(|age| age > DAY) {
                    files.push((used, path, metadata.len()));
                }
            }
            folders.push(folder);
        }
        files.sort();
        let mut left: u64 = files.iter().map(|(_, _, bytes)| bytes).sum();
        let mut pruned = Pruned::default();
        for (used, path, bytes) in files {
            let is_old =
                unused.is_some_and(|unused| now.duration_since(used).is_ok_and(|t| t >= unused));
            if !is_old && most_bytes.is_none_or(|most| left <= most) {
                continue;
            }
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                // Another run has deleted it.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(&path, &e)),
            }
            left -= bytes;
            pruned.files += 1;
            pruned.bytes += bytes;
        }
        for folder in folders.iter().filter(|folder| !folder.ends_with(FINGERPRINTS)) {
            // Those that are not empty stay.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(pruned)
    }
}
