//! Fingerprints of shards: hashes of the bytes of their files and of what makes them into rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use engine::{Error, Result, Shard};
use xxhash_rust::xxh3::Xxh3;

/// Raised when the same bytes become other rows.
const VERSION: u32 = 1;

/// The hashes of files that are read in parts: each file is hashed once, not once for each part.
#[derive(Clone, Default)]
pub(crate) struct Fingerprints {
    files: Arc<Mutex<BTreeMap<String, Arc<Mutex<Option<(Stamp, u128)>>>>>>,
}

/// Size and time of change.
type Stamp = (u64, Option<SystemTime>);

impl Fingerprints {
    /// The fingerprint of a shard of a format; `fields` are what its rows depend on beside the bytes
    /// of the file and what the caller has chosen: columns and their types.
    pub(crate) fn of(&self, format: &str, fields: &[&[u8]], shard: &Shard) -> Result<u128> {
        let mut hash = Xxh3::new();
        for field in [format.as_bytes(), &VERSION.to_le_bytes()].iter().chain(fields) {
            hash.update(&(field.len() as u64).to_le_bytes());
            hash.update(field);
        }
        match &shard.part {
            None => hash.update(&hash_file(&shard.path)?.to_le_bytes()),
            Some(part) => {
                hash.update(&self.file(&shard.path)?.to_le_bytes());
                hash.update(&part.start.to_le_bytes());
                hash.update(&part.end.to_le_bytes());
            }
        }
        Ok(hash.digest128())
    }

    /// The hash of a file. Whoever asks for one that is being hashed waits for it.
    fn file(&self, path: &str) -> Result<u128> {
        let slot = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.entry(path.to_owned()).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = std::fs::metadata(path).map_err(|e| failed(path, &e))?;
        let stamp = (metadata.len(), metadata.modified().ok());
        match &*slot {
            Some((known, hash)) if *known == stamp => Ok(*hash),
            _ => {
                let hash = hash_file(path)?;
                *slot = Some((stamp, hash));
                Ok(hash)
            }
        }
    }
}

fn hash_file(path: &str) -> Result<u128> {
    let mut file = File::open(path).map_err(|e| failed(path, &e))?;
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(|e| failed(path, &e))? {
            0 => return Ok(hash.digest128()),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn failed(path: &str, error: &std::io::Error) -> Error {
    Error::io(format_args!("read `{path}`"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_bytes_part_format_and_fields() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            Shard { path: path.to_str().unwrap().to_owned(), part: None, bytes: 0 }
        };
        let prints = Fingerprints::default();
        let of = |shard: &Shard| prints.of("csv", &[b"x", b"y"], shard).unwrap();
        let (a, b, other) = (write("a", "one"), write("b", "one"), write("c", "two"));
        assert_eq!(of(&a), of(&b), "where a file lies does not matter");
        let parts = [0..1, 1..2].map(|part| Shard { part: Some(part), ..a.clone() });
        let all = [
            of(&a),
            of(&other),
            of(&parts[0]),
            of(&parts[1]),
            prints.of("csv", &[b"xy", b""], &a).unwrap(),
            prints.of("csv", &[], &a).unwrap(),
            prints.of("tfrecord", &[b"x", b"y"], &a).unwrap(),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[i + 1..].contains(one), "{i}");
        }
        // A file that has changed is hashed again.
        write("a", "longer");
        assert_ne!(of(&a), all[0]);
        assert_ne!(of(&parts[0]), all[2]);
        let gone = Shard { path: "/no/such/file".to_owned(), part: None, bytes: 0 };
        assert!(prints.of("csv", &[], &gone).is_err());
    }
}
