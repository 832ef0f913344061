//! Files written by TFDV, for the tests of this folder.

#![allow(clippy::disallowed_methods, reason = "a test may open the files it is about")]

use std::path::{Path, PathBuf};

/// Every file below `../shared/golden/tfdv` with this extension whose name without it passes, in
/// order of path.
///
/// Empty, with a note, where that folder is absent.
pub(crate) fn goldens(extension: &str, wanted: impl Fn(&str) -> bool) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden/tfdv");
    let (mut folders, mut files) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension)
                && path.file_stem().and_then(|n| n.to_str()).is_some_and(&wanted)
            {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        eprintln!("skipped: `../shared/golden/tfdv` is not there");
    }
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("read"))).collect()
}

/// The file of the same name with another extension, if there is one.
pub(crate) fn sibling(path: &Path, extension: &str) -> Option<Vec<u8>> {
    std::fs::read(path.with_extension(extension)).ok()
}
