//! How the shards of an output are called: as what they were made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::Shard;

use super::RowFormat;
use crate::formats::FORMATS;

/// A name for the output of each shard, relative to the output.
///
/// A file that is one shard lends its name, with the directories below the one that all files share;
/// the shards of a larger file are numbered. Where the format is another than that of the file, the
/// ending is, too.
pub fn shard_names(shards: &[Shard], format: &RowFormat) -> Vec<String> {
    let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
    for shard in shards {
        *parts.entry(&shard.path).or_default() += 1;
    }
    let shared = shared_directory(parts.keys().copied());
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let names: Vec<String> = shards
        .iter()
        .map(|shard| {
            let name = &shard.path[shared.len()..];
            let (stem, ending) = split(name, format);
            let part = seen.entry(&shard.path).or_default();
            *part += 1;
            match parts[&*shard.path] {
                1 => format!("{stem}{ending}"),
                n => format!("{stem}-{:05}-of-{n:05}{ending}", *part - 1),
            }
        })
        .collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() == names.len() {
        return names;
    }
    let (n, extension) = (shards.len(), format.extension());
    (0..n).map(|i| format!("shard-{i:05}-of-{n:05}.{extension}")).collect()
}

/// The directory, with its slash, below which all paths are.
pub(crate) fn shared_directory<'a>(mut paths: impl Iterator<Item = &'a str>) -> &'a str {
    let directory = |path: &'a str| &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
    let Some(mut shared) = paths.next().map(directory) else { return "" };
    for path in paths {
        while !path.starts_with(shared) {
            shared = directory(&shared[..shared.len() - 1]);
        }
    }
    shared
}

/// A file's name without its ending, and the ending for the format.
fn split<'a>(name: &'a str, format: &RowFormat) -> (&'a str, String) {
    let file = Path::new(name).file_name().map_or(name.len(), std::ffi::OsStr::len);
    let lower = name[name.len() - file..].to_ascii_lowercase();
    let endings = FORMATS.iter().flat_map(|known| {
        let of_format = known.name == format.name();
        known.extensions.iter().map(move |ending| (*ending, of_format))
    });
    let found = endings
        .filter(|(ending, _)| {
            lower.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.') && stem.len() > 1)
        })
        .max_by_key(|(ending, _)| ending.len());
    match found {
        Some((ending, of_format)) => {
            let (stem, ending) = name.split_at(name.len() - ending.len() - 1);
            let kept =
                if of_format { ending.to_owned() } else { format!(".{}", format.extension()) };
            (stem, kept)
        }
        None if format.is_kept() => (name, String::new()),
        None => (name, format!(".{}", format.extension())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &RowFormat, shards: &[(&str, Option<u64>)], expected: &[&str]) {
        let shards: Vec<Shard> = shards
            .iter()
            .map(|&(path, start)| Shard {
                path: path.to_owned(),
                part: start.map(|start| start..start + 1),
                bytes: 1,
            })
            .collect();
        assert_eq!(shard_names(&shards, format), expected);
    }

    #[test]
    fn names_are_kept() {
        let tfrecord = RowFormat::kept("tfrecord").unwrap();
        check(&tfrecord, &[("/d/a.tfrecord", None)], &["a.tfrecord"]);
        check(
            &tfrecord,
            &[("/d/1/a.tfrecord.gz", None), ("/d/2/a", None), ("/d/2/b/c.rec", None)],
            &["1/a.tfrecord.gz", "2/a", "2/b/c.rec"],
        );
        check(&tfrecord, &[("/ab/x", None), ("/a/x", None)], &["ab/x", "a/x"]);
        check(&tfrecord, &[], &[]);
    }

    #[test]
    fn shards_of_one_file_are_numbered() {
        let csv = RowFormat::kept("csv").unwrap();
        check(
            &csv,
            &[("/d/a.tsv", Some(0)), ("/d/a.tsv", Some(64)), ("/d/b.csv", None)],
            &["a-00000-of-00002.tsv", "a-00001-of-00002.tsv", "b.csv"],
        );
        check(
            &csv,
            &[("/d/a-00000-of-00002.csv", None), ("/d/a.csv", Some(0)), ("/d/a.csv", Some(1))],
            &["shard-00000-of-00003.csv", "shard-00001-of-00003.csv", "shard-00002-of-00003.csv"],
        );
    }

    #[test]
    fn another_format_has_another_ending() {
        let tfrecord = RowFormat::named("tfrecord").unwrap();
        check(&tfrecord, &[("/a.b/x.csv.gz", None)], &["x.tfrecord"]);
        check(&tfrecord, &[("/a.b/x", None)], &["x.tfrecord"]);
        check(&tfrecord, &[("/a.b/x.rec", None)], &["x.rec"]);
    }
}
