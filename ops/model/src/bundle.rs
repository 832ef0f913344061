//! A bundle: one directory with all that a model needs, to be evaluated, pushed and served.
//!
//! | file | what |
//! |---|---|
//! | `model.json` | what the model reads and answers, its metrics, where it comes from, golden predictions |
//! | `weights.safetensors` | the weights |
//! | `graph/` | the frozen graph that it was trained with, as `frazil analyze` has written it |
//!
//! `model.json` names the graph's fingerprint and the digest of the weights. All of it is checked when a
//! bundle is read: the graph with its golden rows, then the golden predictions, bit for bit.

#![allow(clippy::disallowed_methods, reason = "bundles are what this file reads and writes")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use engine::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use transform::TransformGraph;
use transform::artifact::directory::{self, NewDirectory};
use transform::artifact::sha256;

use crate::inputs::Inputs;
use crate::predictor::Predictor;
use crate::spec::ModelSpec;
use crate::weights::Weights;

const FORMAT: &str = "frazil model";
const VERSION: u32 = 1;
const MODEL: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";
const GRAPH: &str = "graph";
/// Rows whose predictions every reader computes again.
const GOLDEN_ROWS: usize = 4;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelJson {
    format: String,
    version: u32,
    /// Fingerprint of the graph.
    graph: String,
    /// SHA-256 of the weights' file.
    weights: String,
    spec: ModelSpec,
    signature: Signature,
    metrics: BTreeMap<String, f64>,
    training: BTreeMap<String, String>,
    golden: Golden,
}

/// What a request holds, and what is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Names and types of the raw columns that are read.
    pub inputs: BTreeMap<String, String>,
    /// Names and types of what is answered.
    pub outputs: BTreeMap<String, String>,
}

impl Signature {
    fn of(predictor: &Predictor) -> Self {
        let inputs = predictor.graph().inputs().iter();
        let outputs = predictor.schema().fields().iter();
        Signature {
            inputs: inputs.map(|(name, ty)| (name.clone(), ty.to_string())).collect(),
            outputs: outputs
                .map(|field| (field.name().clone(), field.data_type().to_string()))
                .collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    inputs: Inputs,
    scores: Vec<f32>,
}

/// A model with all that it needs.
#[derive(Debug)]
pub struct Bundle {
    /// The whole graph that it was trained with.
    pub graph: TransformGraph,
    /// The network behind the part of the graph that it reads.
    pub predictor: Predictor,
    /// What a request holds, and what is answered.
    pub signature: Signature,
    /// What was measured when it was trained.
    pub metrics: BTreeMap<String, f64>,
    /// Where it comes from: options, rows, the seed.
    pub training: BTreeMap<String, String>,
    /// SHA-256 over `model.json`, which names the digests of all else.
    pub fingerprint: String,
}

/// What goes into a bundle.
pub struct Parts<'a> {
    /// What the model reads and answers.
    pub spec: &'a ModelSpec,
    /// Its weights.
    pub weights: &'a Weights,
    /// The directory of the graph that it was trained with.
    pub graph: &'a Path,
    /// Rows of features, the first of which become golden.
    pub rows: &'a Inputs,
    /// What was measured.
    pub metrics: BTreeMap<String, f64>,
    /// Where it comes from.
    pub training: BTreeMap<String, String>,
}

impl Bundle {
    /// Writes a bundle, whole or not at all; gives its fingerprint.
    ///
    /// # Errors
    /// When the parts do not belong together, something else is at `directory`, or the disk is full.
    pub fn save(directory: &Path, overwrite: bool, parts: &Parts<'_>) -> Result<String> {
        check_vacant(directory, overwrite)?;
        let graph = TransformGraph::load(parts.graph)?;
        let predictor = Predictor::new(&graph, parts.spec.clone(), parts.weights.clone())?;
        let mut inputs = Inputs::new(parts.spec);
        let rows: Vec<u32> = (0..parts.rows.rows.min(GOLDEN_ROWS) as u32).collect();
        inputs.extend(parts.rows, &rows);
        let scores = predictor.scores(&inputs);
        if scores.iter().any(|score| !score.is_finite()) {
            return Err(Error::invalid("the model answers numbers that are not finite")
                .with_hint("Train with a lower `--learning-rate`."));
        }
        let weights = parts.weights.to_bytes()?;
        let model = ModelJson {
            format: FORMAT.to_owned(),
            version: VERSION,
            graph: graph.fingerprint()?,
            weights: sha256(&weights),
            spec: parts.spec.clone(),
            signature: Signature::of(&predictor),
            metrics: parts.metrics.clone(),
            training: parts.training.clone(),
            golden: Golden { inputs, scores },
        };
        let model = serde_json::to_vec_pretty(&model).map_err(|e| {
            Error::invalid("the model cannot be written as JSON").with_detail(format!("{e}."))
        })?;
        let new = NewDirectory::beside(directory)?;
        let failed =
            |e: &std::io::Error| Error::io(format_args!("write `{}`", directory.display()), e);
        copy(parts.graph, &new.path().join(GRAPH)).map_err(|e| failed(&e))?;
        for (name, bytes) in [(MODEL, &model), (WEIGHTS, &weights)] {
            write(&new.path().join(name), bytes).map_err(|e| failed(&e))?;
        }
        Bundle::load(new.path())?;
        new.commit()?;
        Ok(sha256(&model))
    }

    /// Reads a bundle and checks all of it.
    ///
    /// # Errors
    /// When the directory is no bundle, is of a newer format, or anything in it has changed.
    pub fn load(directory: &Path) -> Result<Bundle> {
        let broken = |detail: String| {
            Error::new(
                ErrorKind::Input,
                format!("`{}` is no model that can be used", directory.display()),
            )
            .with_detail(detail)
            .with_hint("Copy the bundle as a whole, or train again.")
        };
        let read = |name: &str| -> Result<Vec<u8>> {
            let path: PathBuf = directory.join(name);
            fs::read(&path).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => Error::new(
                    ErrorKind::NotFound,
                    format!("`{}` is no model: there is no `{name}`", directory.display()),
                )
                .with_hint("Name a directory that `frazil train` has written."),
                _ => Error::io(format_args!("read `{}`", path.display()), &e),
            })
        };
        let bytes = read(MODEL)?;
        check_version(&bytes).map_err(&broken)?;
        let model: ModelJson =
            serde_json::from_slice(&bytes).map_err(|e| broken(format!("`{MODEL}`: {e}.")))?;
        model.spec.check().map_err(|e| broken(format!("`{MODEL}`: {}.", e.message())))?;
        let weights = read(WEIGHTS)?;
        if sha256(&weights) != model.weights {
            return Err(broken(format!("`{WEIGHTS}` is not the file that was written.")));
        }
        let weights = Weights::from_bytes(&weights, &model.spec.shapes())?;
        let graph = TransformGraph::load(&directory.join(GRAPH))?;
        if graph.fingerprint()? != model.graph {
            return Err(broken(
                "Its graph is another than the one it was trained with.".to_owned(),
            ));
        }
        let predictor = Predictor::new(&graph, model.spec, weights)?;
        let Golden { inputs, scores } = model.golden;
        if !inputs.suits(predictor.spec()) {
            return Err(broken(format!("The golden rows of `{MODEL}` are none of the model's.")));
        }
        let again = predictor.scores(&inputs);
        let same = again.len() == scores.len()
            && again.iter().zip(&scores).all(|(a, b)| a.to_bits() == b.to_bits());
        if !same {
            return Err(broken(format!(
                "Golden predictions are {scores:?}; they come out as {again:?}."
            )));
        }
        let signature = Signature::of(&predictor);
        if signature != model.signature {
            return Err(broken(format!("The signature in `{MODEL}` is not the model's.")));
        }
        Ok(Bundle {
            graph,
            predictor,
            signature,
            metrics: model.metrics,
            training: model.training,
            fingerprint: sha256(&bytes),
        })
    }
}

/// Checks that a bundle may be written here.
///
/// # Errors
/// When there is something else, or a bundle that is not to be replaced.
pub fn check_vacant(directory: &Path, overwrite: bool) -> Result<()> {
    directory::check_vacant(directory, "model", MODEL, overwrite)
}

/// The format and version, which a newer writer's file has, too, whatever else is in it.
fn check_version(bytes: &[u8]) -> std::result::Result<(), String> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        version: u32,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|e| format!("`{MODEL}`: {e}."))?;
    if head.format != FORMAT {
        return Err(format!("`{MODEL}` is `{}`, not `{FORMAT}`.", head.format));
    }
    match head.version {
        VERSION => Ok(()),
        version => Err(format!("Its format has version {version}; this program reads {VERSION}.")),
    }
}

/// Writes a file that is there after a loss of power, too.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
            File::open(&to)?.sync_all()?;
        }
    }
    Ok(())
}
