//! Exports as directories, each whole or not at all.

#![allow(clippy::disallowed_methods, reason = "artifacts are what this folder reads and writes")]

use std::collections::BTreeMap;
use std::path::Path;

use engine::Result;
use ops::tfmd::feature::ShapeType;
use ops::tfmd::fixed_shape::Dim;
use ops::tfmd::{self, Schema};
use serde_json::{Map, Value};

use super::directory::{NewDirectory, check_vacant};
use super::files::{Contents, bytes_of, put};
use super::{pruned, vocabulary_file};
use crate::export::tensorflow::{self, Saved};
use crate::transform_graph::TransformGraph;

/// The file by which an export to TensorFlow is known.
const MARK: &str = "transform_fn/saved_model.pb";
/// How TFT ends names of vocabularies that are no text.
const TFRECORD: &str = ".tfrecord.gz";

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Nodes of the graph there.
    pub nodes: usize,
    /// Vocabularies that were written.
    pub assets: usize,
    /// Whether there is a model to serve: none of columns that no tf.Example holds.
    pub is_served: bool,
}

/// The files of a SavedModel in a folder.
pub fn saved_model<'a>(folder: &str, saved: &'a Saved) -> BTreeMap<String, Contents<'a>> {
    let mut files: BTreeMap<String, Contents<'a>> = BTreeMap::new();
    files.insert(format!("{folder}/saved_model.pb"), bytes_of(saved.bytes.clone()));
    for vocabulary in &saved.assets {
        let name = format!("{folder}/assets/{}", vocabulary.file_name);
        let contents: Contents<'a> = Box::new(|out| vocabulary_file::write(vocabulary, out));
        files.insert(name, contents);
    }
    files
}

/// The fixed shape that a schema gives to a feature.
fn shape_of(schema: &Schema, name: &str) -> Option<Vec<i64>> {
    let feature = schema.feature.iter().find(|feature| feature.name() == name)?;
    match feature.shape_type.as_ref()? {
        ShapeType::Shape(shape) => Some(shape.dim.iter().map(Dim::size).collect()),
        ShapeType::ValueCount(_) | ShapeType::ValueCounts(_) => None,
    }
}

impl TransformGraph {
    /// Writes the graph as TensorFlow Transform does, to be read by its `TFTransformOutput`, and beside it
    /// as a model that TensorFlow serves.
    ///
    /// # Errors
    /// When an operation or a type has no form in TensorFlow, there is something else at `directory`, or
    /// the disk is full.
    pub fn export_tensorflow(
        &self,
        directory: &Path,
        input_schema: Option<&Schema>,
        overwrite: bool,
    ) -> Result<Exported> {
        check_vacant(directory, "export", MARK, overwrite)?;
        let input_schema =
            input_schema.map_or_else(|| self.input_schema(), |schema| pruned(schema, self));
        let transform = tensorflow::transform(self.graph(), |name| shape_of(&input_schema, name))?;
        let is_served = tensorflow::is_servable(self.graph());
        let serving = is_served.then(|| tensorflow::serving(self.graph())).transpose()?;
        let mut files = saved_model("transform_fn", &transform);
        if let Some(serving) = &serving {
            files.append(&mut saved_model("serving", serving));
        }
        let mut text = |name: &str, text: String| {
            files.insert(name.to_owned(), bytes_of(text.into_bytes()));
        };
        text("metadata/schema.pbtxt", tfmd::text::print(&input_schema));
        text("transformed_metadata/schema.pbtxt", tfmd::text::print(&self.output_schema()?));
        let names = transform.assets.iter().map(|vocabulary| {
            let file = vocabulary.file_name.as_str();
            let key = file.strip_suffix(TFRECORD).unwrap_or(file);
            (key.to_owned(), Value::from(file))
        });
        let names: Map<String, Value> = names.collect();
        text("transformed_metadata/asset_map", Value::Object(names).to_string());
        let new = NewDirectory::beside(directory)?;
        for (name, contents) in &files {
            put(new.path(), name, contents)?;
        }
        new.commit()?;
        Ok(Exported { nodes: transform.nodes, assets: transform.assets.len(), is_served })
    }
}
