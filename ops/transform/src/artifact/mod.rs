//! The artifact: a frozen graph as a directory that batches, training and servers load.
//!
//! ```text
//!   DIR/graph.json        nodes, types, constants, outputs; `ops/transform/FORMAT.md` specifies it
//!   DIR/assets/           vocabularies and tokenizers
//!   DIR/input_schema.pbtxt, output_schema.pbtxt
//!   DIR/analyzers.json    what the analyzers found, for people
//!   DIR/golden_rows.json  inputs with their outputs: computed again whenever the graph is loaded
//!   DIR/provenance.json, module/    what it was made from
//!   DIR/manifest.json     size and SHA-256 of all of these
//! ```
//!
//! **Invariant:** a directory has its final name only when all of it is there. **Invariant:** the
//! same graph gives the same bytes: there is no time, path or machine in it.

mod assets;
mod describe;
pub mod directory;
mod exported;
mod files;
mod golden;
mod graph;
mod json;
mod schema;
mod tensor;
#[cfg(test)]
mod tests;
mod vocabulary_file;

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;
use engine::{Error, ErrorKind, Result};
use ops::tfmd::{self, Schema};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::assets::{Asset, Assets};
use self::files::{Files, Stored};
use self::golden::GoldenJson;
use self::json::GraphJson;
use crate::arrow;
use crate::graph::Graph;
use crate::transform_graph::TransformGraph;

pub use describe::{AnalyzerReport, ResultReport};
pub use exported::{Exported, saved_model};
pub use files::{Contents, sha256};
pub use schema::RaggedNames;
pub use vocabulary_file::lines_of_records;

/// The graph's own file.
const GRAPH: &str = "graph.json";
const GOLDEN: &str = "golden_rows.json";
/// Rows of the data that are kept as golden rows.
const DATA_ROWS: usize = 4;

/// What a graph was made from.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The shards that were analyzed.
    pub inputs: Vec<InputShard>,
    /// The files of the module, by their names; they are copied.
    pub modules: Vec<(String, Vec<u8>)>,
    /// Whatever else the result depends on.
    pub options: BTreeMap<String, String>,
}

/// A shard that was analyzed.
#[derive(Clone, Debug, Serialize)]
pub struct InputShard {
    /// Its name, without the folders of this machine.
    pub name: String,
    /// Rows that were counted.
    pub rows: u64,
    /// Bytes as stored.
    pub bytes: u64,
    /// [`engine::Source::fingerprint`] in hexadecimal, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// What goes into an artifact beside the graph.
#[derive(Clone, Debug, Default)]
pub struct SaveOptions {
    /// What the graph was made from.
    pub provenance: Provenance,
    /// Rows of the data: the first of them become golden rows.
    pub rows: Option<RecordBatch>,
    /// The schema that the inputs come from; what the graph does not use is left out.
    pub input_schema: Option<Schema>,
    /// Whether an earlier artifact is replaced.
    pub overwrite: bool,
}

/// Checks that an artifact may be written here, as far as that is known before there is one.
///
/// # Errors
/// When there is something else, or an artifact that is not to be replaced.
pub fn check_vacant(directory: &Path, overwrite: bool) -> Result<()> {
    files::vacant(directory, overwrite)
}

impl TransformGraph {
    /// Writes the graph as a directory, whole or not at all; gives its fingerprint.
    ///
    /// # Errors
    /// When an asset cannot be a file, something else is at `directory`, or the disk is full.
    pub fn save(&self, directory: &Path, options: &SaveOptions) -> Result<String> {
        let (graph, assets) = self.to_json()?;
        let fingerprint = match self.fingerprint.get() {
            Some(known) => known.clone(),
            None => fingerprint(&graph, &assets)?,
        };
        let _ = self.fingerprint.set(fingerprint.clone());
        let mut files = assets.print();
        let mut text = |name: &str, text: String| {
            files.insert(name.to_owned(), files::bytes_of(text.into_bytes()));
        };
        text(GRAPH, graph);
        let input_schema = match &options.input_schema {
            Some(schema) => pruned(schema, self),
            None => self.input_schema(),
        };
        text("input_schema.pbtxt", tfmd::text::print(&input_schema));
        text("output_schema.pbtxt", tfmd::text::print(&self.output_schema()?));
        text("analyzers.json", describe::analyzers(self.graph())?);
        text(GOLDEN, json::text(&GoldenJson::new(self, self.golden_data(options)?)?) + "\n");
        text("provenance.json", provenance(&options.provenance, &fingerprint));
        for (name, bytes) in &options.provenance.modules {
            let name = format!("module/{name}");
            if !files::is_inside(&name) {
                return Err(Error::invalid(format!("`{name}` is not inside of the module")));
            }
            files.insert(name, files::bytes_of(bytes.clone()));
        }
        files::write(directory, &files, &fingerprint, options.overwrite)?;
        Ok(fingerprint)
    }

    /// Reads a graph that [`TransformGraph::save`] has written, and checks all of it: digests,
    /// operations, types, and its golden rows.
    ///
    /// # Errors
    /// When the directory is not a graph, is of a newer format, or anything in it has changed.
    pub fn load(directory: &Path) -> Result<TransformGraph> {
        Self::load_checked(directory).map(|(graph, _)| graph)
    }

    /// As [`TransformGraph::load`], with what was checked.
    ///
    /// # Errors
    /// As [`TransformGraph::load`].
    pub fn load_checked(directory: &Path) -> Result<(TransformGraph, Checked)> {
        let named = |error: Error| match error.detail() {
            Some(_) if error.message().contains('`') => error,
            Some(detail) => {
                let detail = format!("In `{}`. {detail}", directory.display());
                error.with_detail(detail)
            }
            None => error.with_detail(format!("In `{}`.", directory.display())),
        };
        let Files { mut stored, bytes, fingerprint: stated } = files::read(directory)?;
        let n_files = stored.len();
        let mut take = |name: &str| match stored.remove(name) {
            Some(Stored::Memory(bytes)) => Ok(bytes),
            _ => {
                let error = Error::new(ErrorKind::NotFound, format!("there is no `{name}`"));
                Err(named(error.with_hint("Copy the directory as a whole, or analyze again.")))
            }
        };
        let (graph, golden) = (take(GRAPH)?, take(GOLDEN)?);
        let read: GraphJson = json::parse(GRAPH, json::FORMAT, &graph).map_err(named)?;
        let text = String::from_utf8_lossy(&graph).into_owned();
        let mut assets = Assets::of(stored);
        let graph = graph::from_json(read, &mut assets).map_err(named)?;
        let graph = TransformGraph::new(graph).map_err(named)?;
        let golden: GoldenJson = json::parse(GOLDEN, golden::FORMAT, &golden).map_err(named)?;
        let golden_rows = golden.check(&graph).map_err(named)?;
        // Of what was read: a later version may write the same graph differently.
        let fingerprint = fingerprint(&text, &assets)?;
        if fingerprint != stated {
            let error = Error::new(ErrorKind::Input, "the graph is not the one that was written");
            let detail = format!("Its fingerprint is {fingerprint}; {stated} was written.");
            return Err(named(error.with_detail(detail)));
        }
        let _ = graph.fingerprint.set(fingerprint.clone());
        let checked = Checked { fingerprint, files: n_files, bytes, golden_rows };
        Ok((graph, checked))
    }

    /// The golden rows of an artifact of this graph: in each block so many rows, and a tensor for each of
    /// [`TransformGraph::inputs`].
    ///
    /// # Errors
    /// When there are none, or they are another graph's.
    pub fn golden_rows(&self, directory: &Path) -> Result<Vec<(usize, Vec<crate::Tensor>)>> {
        let Some(Stored::Memory(bytes)) = files::read(directory)?.stored.remove(GOLDEN) else {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no `{GOLDEN}`")));
        };
        let golden: GoldenJson = json::parse(GOLDEN, golden::FORMAT, &bytes)?;
        golden.inputs(self)
    }

    /// The identity of what the graph computes: SHA-256 over its canonical form and its assets.
    ///
    /// # Errors
    /// When an asset cannot be a file.
    pub fn fingerprint(&self) -> Result<String> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known.clone());
        }
        let (graph, assets) = self.to_json()?;
        let fingerprint = fingerprint(&graph, &assets)?;
        Ok(self.fingerprint.get_or_init(|| fingerprint).clone())
    }

    /// The schema of what goes in, as far as types say it.
    pub fn input_schema(&self) -> Schema {
        schema::schema_of(self.inputs().iter().map(|(name, ty)| (&**name, ty, None)))
    }

    /// The schema of what comes out, with the ranges that operations know.
    ///
    /// # Errors
    /// When an asset cannot be a file.
    pub fn output_schema(&self) -> Result<Schema> {
        let (_, assets) = self.to_json()?;
        let graph: &Graph = self.graph();
        let outputs = graph.outputs.iter();
        let outputs =
            outputs.map(|(name, value)| (&**name, graph.ty(*value), graph.domain(*value)));
        let mut schema = schema::schema_of(outputs);
        schema::annotate(&mut schema, assets.vocabularies());
        Ok(schema)
    }

    fn to_json(&self) -> Result<(String, Assets)> {
        let mut assets = Assets::default();
        let graph = graph::to_json(self.graph(), &mut assets)?;
        Ok((graph.print(), assets))
    }

    fn golden_data(&self, options: &SaveOptions) -> Result<Option<(usize, Vec<crate::Tensor>)>> {
        let Some(rows) = &options.rows else { return Ok(None) };
        let fed = arrow::feed(&rows.slice(0, rows.num_rows().min(DATA_ROWS)), self.inputs())?;
        Ok((fed.rows > 0).then_some((fed.rows, fed.tensors)))
    }
}

/// What was checked of an artifact.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// Its identity.
    pub fingerprint: String,
    /// Files whose digests agree.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Golden rows that came out to the bit.
    pub golden_rows: usize,
}

/// The identity of a graph: of its text, and of each asset's name and tokens or text.
///
/// Assets count as they are before they are compressed, so that a better compressor changes nothing.
///
/// # Errors
/// When a vocabulary cannot be read from its temporary file.
fn fingerprint(graph: &str, assets: &Assets) -> Result<String> {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(graph.as_bytes());
    for (name, asset) in assets.iter() {
        add(name.as_bytes());
        match asset {
            Asset::Vocabulary(vocabulary) => {
                add(&(vocabulary.len() as u64).to_le_bytes());
                for strings in [Some(&vocabulary.tokens), vocabulary.frequencies.as_ref()] {
                    strings.map_or(Ok(()), |strings| {
                        strings.each(|string| {
                            add(string);
                            Ok(())
                        })
                    })?;
                }
            }
            Asset::Tokenizer(tokenizer) => {
                tokenizer.file().into_iter().for_each(|(_, json)| add(json));
            }
            Asset::File(bytes) => add(bytes),
        }
    }
    Ok(files::hex(&digest.finalize()))
}

/// The features of a schema that the graph uses, and the domains that they refer to.
fn pruned(schema: &Schema, graph: &TransformGraph) -> Schema {
    let mut pruned = schema.clone();
    let is_used =
        |name: Option<&str>| graph.inputs().iter().any(|(input, _)| Some(&**input) == name);
    pruned.feature.retain(|feature| is_used(feature.name.as_deref()));
    pruned.sparse_feature.clear();
    pruned.weighted_feature.clear();
    pruned
}

/// The file `provenance.json`.
fn provenance(provenance: &Provenance, fingerprint: &str) -> String {
    let modules = provenance.modules.iter().map(|(name, bytes)| {
        serde_json::json!({ "name": name, "bytes": bytes.len(), "sha256": files::sha256(bytes) })
    });
    json::pretty(&serde_json::json!({
        "format": "frazil provenance",
        "version": json::VERSION,
        "fingerprint": fingerprint,
        "frazil": env!("CARGO_PKG_VERSION"),
        "rows": provenance.inputs.iter().map(|shard| shard.rows).sum::<u64>(),
        "inputs": provenance.inputs,
        "modules": modules.collect::<Vec<_>>(),
        "options": provenance.options,
    }))
}
