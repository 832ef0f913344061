//! Pushing: a model becomes the next version in a directory that servers watch.
//!
//! ```text
//!   BASE/.push-x7Qk2f/new/…   copied, flushed, read again, asked with its golden rows
//!   BASE/1732800000/…         renamed: there is no moment when half of it can be seen
//!   BASE/1732800000/push.json where it came from, who blessed it, whether it was forced
//! ```
//!
//! A push that is killed leaves a hidden directory, which no server looks at and the next push removes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{Error, ErrorKind, Result};
use serde::Serialize;
use transform::{Tensor, TransformGraph};

use crate::answer;
use crate::blessing::Blessing;
use crate::handle::handle;
use crate::models::{ModelConfig, Models, Policy, State, Version};
use crate::request::Format;
use crate::servable::{DEFAULT, Output, Servable, TRANSFORM, graph_of, is_servable};
use crate::watch::find_versions;

/// What is known of a push, in the version's own directory.
const RECORD: &str = "push.json";
const LOCK: &str = ".push.lock";
const TEMPORARY: &str = ".push-";

/// What to push where.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// A bundle, or a frozen graph alone; an older version, to go back to it.
    pub source: &'a Path,
    /// The directory of versions.
    pub base: &'a Path,
    /// What others say of the model.
    pub blessings: Vec<Blessing>,
    /// Push whatever others say, and what is served already.
    pub force: bool,
    /// The version's number.
    pub version: Option<u64>,
    /// Seconds since 1970, the version's number otherwise.
    pub now: u64,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is a version now.
    Pushed,
    /// The greatest version is this model: nothing was done.
    AlreadyThere,
    /// It is not blessed: nothing was done.
    NotBlessed,
}

/// What was pushed, or why not; also the file `push.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Pushed {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it is a new version.
    pub pushed: bool,
    /// The version's number.
    pub pushed_version: Option<u64>,
    /// The version's directory.
    pub pushed_destination: Option<PathBuf>,
    /// The model's fingerprint.
    pub fingerprint: String,
    /// Where it was copied from.
    pub source: PathBuf,
    /// Whether it was pushed against what others say.
    pub forced: bool,
    /// What others say.
    pub blessings: Vec<Blessing>,
    /// Rows that the copy was asked with, over the server's own paths.
    pub queried_rows: usize,
}

impl Push<'_> {
    /// Pushes, unless the model is not blessed, or is the greatest version already.
    ///
    /// # Errors
    /// When a blessing is another model's, the version is there, another push is under way, or the copy does
    /// not answer as the model does; then nothing has changed.
    pub fn run(self) -> Result<Pushed> {
        let Push { source, base, blessings, force, version, now } = self;
        let servable = Servable::load(source)?;
        let fingerprint = servable.fingerprint.clone();
        for blessing in &blessings {
            if let Some(other) = blessing.model.as_ref().filter(|model| **model != fingerprint) {
                return Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("the blessing in `{}` is another model's", blessing.from),
                )
                .with_detail(format!("It is of {other}; this model is {fingerprint}."))
                .with_hint("Evaluate this model."));
            }
        }
        let blessed = blessings.iter().all(|blessing| blessing.blessed);
        let mut pushed = Pushed {
            outcome: Outcome::NotBlessed,
            pushed: false,
            pushed_version: None,
            pushed_destination: None,
            fingerprint,
            source: source.to_owned(),
            forced: force && !blessed,
            blessings,
            queried_rows: 0,
        };
        if !blessed && !force {
            return Ok(pushed);
        }
        if is_servable(base) {
            return Err(Error::invalid(format!("`{}` is a model itself", base.display()))
                .with_hint("Name the directory of its versions, or a new one."));
        }
        let failed = |e: &io::Error| Error::io(format_args!("write to `{}`", base.display()), e);
        fs::create_dir_all(base).map_err(|e| failed(&e))?;
        let _lock = lock(base)?;
        remove_leftovers(base).map_err(|e| failed(&e))?;
        let versions = find_versions(base)?;
        if let Some((number, directory)) = versions.last_key_value()
            && !force
            && Servable::load(directory).is_ok_and(|last| last.fingerprint == pushed.fingerprint)
        {
            pushed.outcome = Outcome::AlreadyThere;
            pushed.pushed_version = Some(*number);
            pushed.pushed_destination = Some(directory.clone());
            return Ok(pushed);
        }
        let number = number(version, &versions, now)?;
        let destination = base.join(number.to_string());
        pushed.outcome = Outcome::Pushed;
        pushed.pushed = true;
        pushed.pushed_version = Some(number);
        pushed.pushed_destination = Some(destination.clone());

        let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(base);
        let temporary = temporary.map_err(|e| failed(&e))?;
        let new = temporary.path().join("new");
        copy(source, &new).map_err(|e| failed(&e))?;
        let copied = Servable::load(&new)?;
        if copied.fingerprint != pushed.fingerprint {
            return Err(Error::input(format!(
                "`{}` changed while it was copied",
                source.display()
            ))
            .with_hint("Push it again when nobody writes to it."));
        }
        pushed.queried_rows = query(copied, &new)?;
        let record = new.join(RECORD);
        let mut text = serde_json::to_vec_pretty(&pushed).map_err(|e| {
            Error::invalid(format!("`{RECORD}` cannot be written")).with_detail(format!("{e}."))
        })?;
        text.push(b'\n');
        fs::write(&record, text).map_err(|e| failed(&e))?;
        for path in [&record, &new] {
            sync(path).map_err(|e| failed(&e))?;
        }
        // A directory that somebody else has made meanwhile is not empty, and stays.
        fs::rename(&new, &destination).map_err(|e| failed(&e))?;
        sync(base).map_err(|e| failed(&e))?;
        Ok(pushed)
    }
}

/// The number of the new version: greater than all others, unless it is asked for.
fn number(wanted: Option<u64>, versions: &BTreeMap<u64, PathBuf>, now: u64) -> Result<u64> {
    let Some(wanted) = wanted else {
        let last = versions.last_key_value().map_or(0, |(number, _)| *number);
        return Ok(now.max(last.saturating_add(1)));
    };
    match versions.get(&wanted) {
        None if i64::try_from(wanted).is_ok() => Ok(wanted),
        None => Err(Error::invalid(format!("version {wanted} is too large"))
            .with_hint("Versions have 63 bits.")),
        Some(there) => {
            Err(Error::invalid(format!("version {wanted} is there already: `{}`", there.display()))
                .with_hint("Versions are never changed: choose another number, or none."))
        }
    }
}

/// Holds off other pushes, until it is dropped or the program ends, however that is.
fn lock(base: &Path) -> Result<File> {
    let path = base.join(LOCK);
    let failed = |e: &io::Error| Error::io(format_args!("lock `{}`", path.display()), e);
    let file = File::create(&path).map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::new(
            ErrorKind::Io,
            format!("another push to `{}` is under way", base.display()),
        )
        .with_hint("Push again when it has ended.")),
        Err(fs::TryLockError::Error(e)) => Err(failed(&e)),
    }
}

/// Removes what pushes that were killed have left.
fn remove_leftovers(base: &Path) -> io::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        if is_ours && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Copies a directory and flushes it; without hidden files, and without the record of an earlier push.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == RECORD || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
            sync(&to)?;
        }
    }
    sync(to)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Asks a model with its golden rows, as JSON over the server's own paths; gives the number of rows.
///
/// # Errors
/// When an answer is not to the bit what the model gives for the same tensors.
pub fn query(servable: Servable, directory: &Path) -> Result<usize> {
    const NAME: &str = "pushed";
    let graph = graph_of(directory);
    let whole = TransformGraph::load(&graph)?;
    let config = ModelConfig {
        name: NAME.to_owned(),
        directory: directory.to_owned(),
        policy: Policy::default(),
        labels: BTreeMap::new(),
    };
    let servable = Arc::new(servable);
    let version =
        Version { state: State::Available, error: None, servable: Some(servable.clone()) };
    let models = Models::new(vec![config])?;
    if let Some(model) = models.get(NAME) {
        model.set([(1, version)].into());
    }
    let mut n = 0;
    for (rows, columns) in whole.golden_rows(&graph)? {
        for name in [DEFAULT, TRANSFORM] {
            let Some(signature) = servable.signature(name) else { continue };
            let inputs: Vec<Output<'_>> = signature
                .inputs()
                .iter()
                .filter_map(|(name, ty)| {
                    let tensor = columns.get(whole.input_number(name)?)?.clone();
                    Some(Output { name: name.into(), ty: std::borrow::Cow::Borrowed(ty), tensor })
                })
                .collect();
            if inputs.is_empty() {
                continue;
            }
            let body = body_of(name, &inputs, rows);
            let tensors: Vec<Tensor> = inputs.into_iter().map(|input| input.tensor).collect();
            let expected = signature.run(rows, tensors)?;
            let expected = answer::predictions(&expected, rows, Format::Rows);
            let path = format!("/v1/models/{NAME}:predict");
            let response = handle(&models, "POST", &path, &body);
            if response.status != 200 || response.body != expected {
                let said = String::from_utf8_lossy(&response.body).chars().take(300).collect();
                let said: String = said;
                return Err(Error::input(format!(
                    "`{}` does not answer as it ought to",
                    directory.display()
                ))
                .with_detail(format!(
                    "Signature `{name}` answers its golden rows with {}: {said}",
                    response.status
                )));
            }
        }
        n += rows;
    }
    Ok(n)
}

fn body_of(signature: &str, inputs: &[Output<'_>], rows: usize) -> Vec<u8> {
    let mut body = format!("{{\"signature_name\":\"{signature}\",\"instances\":[").into_bytes();
    for row in 0..rows {
        if row > 0 {
            body.push(b',');
        }
        body.extend(answer::instance(inputs, row));
    }
    body.extend_from_slice(b"]}");
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_is_greater_than_all_others() {
        let versions = |numbers: &[u64]| numbers.iter().map(|n| (*n, PathBuf::new())).collect();
        let check = |wanted, there: &[u64], now, expected: Option<u64>| {
            assert_eq!(number(wanted, &versions(there), now).ok(), expected, "{there:?}");
        };
        check(None, &[], 100, Some(100));
        check(None, &[99], 100, Some(100));
        check(None, &[100], 100, Some(101));
        check(None, &[7, 5000], 100, Some(5001));
        check(Some(3), &[5], 100, Some(3));
        check(Some(5), &[5], 100, None);
        check(Some(u64::MAX), &[], 100, None);
    }
}
