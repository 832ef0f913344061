//! `Watcher`: finds the versions of models on the disk, loads and drops them.
//!
//! A version is read and checked beside those that answer, and takes their place when it is ready. One that
//! cannot be used changes nothing but what its status says; it is tried again when its files have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use engine::{Error, Result};

use crate::models::{Model, ModelConfig, Models, Policy, State, Version, Versions};
use crate::servable::{Servable, is_servable};

/// Where lines for people go.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// The version of a directory that is a model itself.
const ALONE: u64 = 1;

/// Finds the versions of models on the disk, loads and drops them.
pub struct Watcher {
    models: Arc<Models>,
    log: Log,
    of: BTreeMap<String, Watched>,
}

/// What is remembered of a model.
#[derive(Default)]
struct Watched {
    /// Versions that could not be loaded, as their files were.
    failed: BTreeMap<u64, Vec<Stamp>>,
    /// What was said of the directory last.
    said: String,
}

/// A file as it was: name, size, time.
type Stamp = (PathBuf, u64, Option<SystemTime>);

impl Watcher {
    /// Nothing was looked at yet.
    pub fn new(models: Arc<Models>, log: Log) -> Self {
        Watcher { models, log, of: BTreeMap::new() }
    }

    /// Looks at all directories once, loads what is new and drops what is gone.
    pub fn poll(&mut self) {
        for model in self.models.iter() {
            let watched = self.of.entry(model.config.name.clone()).or_default();
            watched.poll(model, &self.log);
        }
    }
}

/// The numbered versions in a directory, each with its own; 1 where the directory is a model itself.
///
/// # Errors
/// When the directory cannot be read.
pub fn find_versions(directory: &Path) -> Result<BTreeMap<u64, PathBuf>> {
    if is_servable(directory) {
        return Ok([(ALONE, directory.to_owned())].into());
    }
    let failed = |e: &std::io::Error| Error::io(format_args!("read `{}`", directory.display()), e);
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(|e| failed(&e))? {
        let path = entry.map_err(|e| failed(&e))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        // TensorFlow Serving's versions have 63 bits.
        let number = name.parse::<i64>().ok().filter(|_| is_number && path.is_dir());
        if let Some(number) = number {
            found.insert(number as u64, path);
        }
    }
    Ok(found)
}

/// The versions that are to answer.
fn wanted(config: &ModelConfig, found: impl Iterator<Item = u64>) -> BTreeSet<u64> {
    let found: BTreeSet<u64> = found.collect();
    let mut wanted: BTreeSet<u64> = match &config.policy {
        Policy::All => found.clone(),
        Policy::Latest(n) => found.iter().rev().take(*n).copied().collect(),
        Policy::Only(numbers) => numbers.iter().copied().collect(),
    };
    wanted.extend(config.labels.values());
    wanted.retain(|number| found.contains(number));
    wanted
}

impl Watched {
    fn say(&mut self, log: &Log, line: String) {
        if self.said != line {
            log(&line);
            self.said = line;
        }
    }

    fn poll(&mut self, model: &Model, log: &Log) {
        let config = &model.config;
        let name = &config.name;
        let found = match find_versions(&config.directory) {
            Ok(found) => found,
            // What answers goes on: the file system may come back.
            Err(error) => return self.say(log, format!("`{name}`: {error}")),
        };
        if found.is_empty() {
            let directory = config.directory.display();
            self.say(log, format!("`{name}`: there is no numbered version in `{directory}`"));
        } else {
            self.said.clear();
        }
        let mut versions: Versions = (*model.versions()).clone();
        let mut is_changed = false;
        self.failed.retain(|number, stamps| {
            found.get(number).is_some_and(|directory| *stamps == stamps_of(directory))
        });
        let wanted = loop {
            let candidates = found.keys().filter(|number| !self.failed.contains_key(number));
            let wanted = wanted(config, candidates.copied());
            let answers = |number: &u64| {
                versions.get(number).is_some_and(|version| version.servable.is_some())
            };
            let Some(number) = wanted.iter().rev().copied().find(|number| !answers(number)) else {
                break wanted;
            };
            is_changed = true;
            let loading = Version { state: State::Loading, error: None, servable: None };
            versions.insert(number, loading);
            model.set(versions.clone());
            let directory = &found[&number];
            let stamps = stamps_of(directory);
            let version = match load(directory) {
                Ok(servable) => {
                    log(&format!("`{name}` version {number}: loaded"));
                    let servable = Some(Arc::new(servable));
                    Version { state: State::Available, error: None, servable }
                }
                Err(error) => {
                    log(&format!("`{name}` version {number}: {error}"));
                    self.failed.insert(number, stamps);
                    let error = Some(error.to_string().replace('\n', ""));
                    Version { state: State::End, error, servable: None }
                }
            };
            versions.insert(number, version);
            // At once: what was loaded answers while others are being read.
            model.set(versions.clone());
        };
        // Last of all, so that there is no moment when nothing answers.
        versions.retain(|number, _| {
            let stays = found.contains_key(number);
            if !stays {
                log(&format!("`{name}` version {number}: gone"));
                is_changed = true;
            }
            stays
        });
        for (number, version) in &mut versions {
            if version.servable.is_some() && !wanted.contains(number) {
                log(&format!("`{name}` version {number}: unloaded"));
                *version = Version { state: State::End, error: None, servable: None };
                is_changed = true;
            }
        }
        if is_changed {
            model.set(versions);
        }
    }
}

/// Reads a version. A panic in it is a reason like any other: the watch goes on.
fn load(directory: &Path) -> Result<Servable> {
    catch_unwind(AssertUnwindSafe(|| Servable::load(directory))).unwrap_or_else(|_| {
        Err(Error::input(format!("`{}` makes the program fail", directory.display()))
            .with_detail("This is a bug: the files ought to be refused with a reason."))
    })
}

/// All files of a directory as they are now.
fn stamps_of(directory: &Path) -> Vec<Stamp> {
    let mut stamps = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            stamps.push((entry.path(), metadata.len(), metadata.modified().ok()));
        }
    }
    stamps.sort();
    stamps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_and_labels_choose_versions() {
        let check = |policy: Policy, labels: &[u64], expected: &[u64]| {
            let labels = labels.iter().map(|number| (format!("l{number}"), *number)).collect();
            let (name, directory) = ("m".to_owned(), PathBuf::new());
            let config = ModelConfig { name, directory, policy, labels };
            let found = wanted(&config, [1, 3, 20].into_iter());
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        };
        check(Policy::default(), &[], &[20]);
        check(Policy::Latest(2), &[], &[3, 20]);
        check(Policy::Latest(9), &[], &[1, 3, 20]);
        check(Policy::All, &[], &[1, 3, 20]);
        check(Policy::Only(vec![3, 4]), &[], &[3]);
        check(Policy::Latest(1), &[1, 2], &[1, 20]);
    }

    #[test]
    fn versions_are_directories_with_numbers() {
        let base = tempfile::tempdir().unwrap();
        for name in ["1", "0020", "-3", "x4", ".5", "99999999999999999999", "6 ", "+7"] {
            std::fs::create_dir(base.path().join(name)).unwrap();
        }
        std::fs::write(base.path().join("8"), "a file").unwrap();
        let found = find_versions(base.path()).unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [1, 20]);
        assert!(find_versions(&base.path().join("none")).is_err());
    }
}
