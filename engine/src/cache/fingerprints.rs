//! Fingerprints of shards, remembered for files that were not written to.

use std::fs::{File, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{DAY, FINGERPRINTS, StateCache};
use crate::state_file::{StateReader, StateWriter};
use crate::{Result, Shard, Source};

/// A file that was written to so recently may be written to again without a later time stamp.
const SETTLED: Duration = Duration::from_secs(2);

impl StateCache {
    /// The fingerprint of a shard, and the state of its file that it is of.
    pub(super) fn fingerprint(&self, source: &dyn Source, index: usize) -> Result<Option<Seen>> {
        let shard = &source.shards()[index];
        let stamp = Stamp::of(shard);
        let name = format!("{:016x}.state", xxh3_64(shard.name().as_bytes()));
        let path = self.dir.join(FINGERPRINTS).join(&name);
        if let (true, Some(stamp)) = (self.remembers && path.exists(), &stamp) {
            match StateReader::open::<(Stamp, u128)>(&path) {
                Ok((_, (known, fingerprint))) if known == *stamp => {
                    used(&path);
                    return Ok(Some(Seen { fingerprint, stamp: Some(known) }));
                }
                Ok(_) => {}
                Err(error) => self.warn(error),
            }
        }
        let Some(fingerprint) = source.fingerprint(index)? else { return Ok(None) };
        let seen = Seen { fingerprint, stamp };
        if !seen.is_unchanged(shard) {
            return Ok(None);
        }
        if let (true, Some(stamp)) = (self.remembers, &seen.stamp)
            && stamp.is_settled()
            && let Err(error) =
                StateWriter::create(&self.dir.join(FINGERPRINTS), &name, &(stamp, fingerprint))
                    .and_then(StateWriter::finish)
        {
            self.warn(error);
        }
        Ok(Some(seen))
    }
}

/// Notes that a file was used.
pub(super) fn used(path: &Path) {
    let now = SystemTime::now();
    let is_old = |metadata: Metadata| {
        metadata.modified().is_ok_and(|used| now.duration_since(used).is_ok_and(|t| t > DAY))
    };
    if path.metadata().is_ok_and(is_old) {
        // Of a file of somebody else it is not noted.
        let _ = File::open(path).and_then(|file| file.set_modified(now));
    }
}

/// What tells that a file was not written to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    shard: String,
    size: u64,
    /// Nanoseconds since 1970.
    modified: u128,
    device: u64,
    inode: u64,
}

impl Stamp {
    /// `None` when the shard's path is not that of a file.
    fn of(shard: &Shard) -> Option<Self> {
        let metadata = std::fs::metadata(&shard.path).ok().filter(Metadata::is_file)?;
        let since = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let (device, inode) = place(&metadata);
        let (size, modified) = (metadata.len(), since.as_nanos());
        Some(Stamp { shard: shard.name(), size, modified, device, inode })
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.as_nanos() > self.modified + SETTLED.as_nanos()
    }
}

#[cfg(unix)]
fn place(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn place(_metadata: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// A fingerprint, and the state of the file that it is of, if it is one.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) fingerprint: u128,
    stamp: Option<Stamp>,
}

impl Seen {
    pub(super) fn is_unchanged(&self, shard: &Shard) -> bool {
        self.stamp.is_none() || self.stamp == Stamp::of(shard)
    }
}
