//! `Checkpoint`: all that a training needs to go on, in one file that appears whole or not at all.

use std::io::Write;
use std::path::Path;

use engine::{Error, ErrorKind, Result};
use model::Weights;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "frazil checkpoint";
const VERSION: u32 = 3;

/// Where a training stands, after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What depends on: the same options, graph and data go on.
    pub identity: String,
    /// Epochs that are done.
    pub epochs: usize,
    /// Epochs since the evaluation was best.
    pub stale: usize,
    /// The best loss of the evaluation so far.
    pub best_loss: f64,
    /// The weights.
    pub weights: Weights,
    /// The weights that were best.
    pub best: Weights,
    /// The optimizer's state, as burn writes it.
    pub optimizer: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    version: u32,
    identity: String,
    epochs: usize,
    stale: usize,
    /// Bits, so that an infinite one comes back.
    best_loss: u64,
    /// Lengths of what follows the line.
    lengths: [usize; 3],
}

impl Checkpoint {
    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let parts = [self.weights.to_bytes()?, self.best.to_bytes()?, self.optimizer.clone()];
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            identity: self.identity.clone(),
            epochs: self.epochs,
            stale: self.stale,
            best_loss: self.best_loss.to_bits(),
            lengths: [parts[0].len(), parts[1].len(), parts[2].len()],
        };
        let failed = |e: &std::io::Error| Error::io(format_args!("write `{}`", path.display()), e);
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
        let head = serde_json::to_vec(&head)
            .map_err(|e| Error::invalid("no checkpoint").with_detail(format!("{e}.")))?;
        let bytes = [&head[..], b"\n", &parts[0], &parts[1], &parts[2]].concat();
        file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
        file.persist(path).map(|_| ()).map_err(|e| failed(&e.error))
    }

    /// Reads one, if there is one of this training, whose weights have these shapes.
    ///
    /// # Errors
    /// When the file is damaged, or of another training.
    pub fn load(
        path: &Path,
        identity: &str,
        shapes: &[(String, Vec<usize>)],
    ) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(format_args!("read `{}`", path.display()), &e)),
        };
        let broken = |detail: String| {
            let message = format!("`{}` is no checkpoint to go on from", path.display());
            Error::new(ErrorKind::Incompatible, message)
                .with_detail(detail)
                .with_hint("Remove the file to begin anew.")
        };
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let head: Head =
            serde_json::from_slice(&bytes[..line]).map_err(|e| broken(format!("{e}.")))?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(broken(format!("It is `{}`, version {}.", head.format, head.version)));
        }
        if head.identity != identity {
            return Err(broken("It is of other data, another graph or other options.".to_owned()));
        }
        let mut rest = bytes.get(line + 1..).unwrap_or_default();
        let mut parts = Vec::new();
        for length in head.lengths {
            let Some((part, after)) = rest.split_at_checked(length) else {
                return Err(broken("It is cut off.".to_owned()));
            };
            parts.push(part);
            rest = after;
        }
        Ok(Some(Checkpoint {
            identity: head.identity,
            epochs: head.epochs,
            stale: head.stale,
            best_loss: f64::from_bits(head.best_loss),
            weights: Weights::from_bytes(parts[0], shapes)?,
            best: Weights::from_bytes(parts[1], shapes)?,
            optimizer: parts[2].to_vec(),
        }))
    }
}
