//! A preprocessing module: its files, and the columns of a schema that it is traced over.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::{Error, ErrorKind, Result};
use ops::tfmd::feature::{PresenceConstraints, ShapeType};
use ops::tfmd::{Feature, FeatureType, Schema};
use preprocessing::{Limits, trace};
use transform::{DType, Dim, Graph, Type};

use crate::options::read;
use crate::output;

/// A preprocessing module, and what it has loaded.
pub(crate) struct Module {
    /// Its file's name, without folders.
    pub(crate) name: String,
    text: Vec<u8>,
    folder: PathBuf,
    /// Files by their paths from the folder.
    loaded: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| {
            Error::invalid(format!("`{}` is no file", path.display()))
                .with_hint("`--preprocessing` names a file of Starlark.")
        })?;
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
        Ok(Module { name, text: read(path)?, folder, loaded: RefCell::default() })
    }

    /// A file of the module's folder, or below it.
    fn load(&self, name: &str) -> Result<Vec<u8>> {
        let outside = || {
            Error::invalid(format!("`{name}` is outside of the module's folder"))
                .with_detail(format!("A module may load what is in `{}`.", self.folder.display()))
        };
        if name.split(['/', '\\']).any(|part| part == "..") || Path::new(name).is_absolute() {
            return Err(outside());
        }
        let path = self.folder.join(name);
        let real = |path: &Path| {
            path.canonicalize().map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => {
                    Error::new(ErrorKind::NotFound, format!("there is no `{}`", path.display()))
                }
                _ => Error::io(format_args!("read `{}`", path.display()), &e),
            })
        };
        // A link may lead out of the folder.
        if !real(&path)?.starts_with(real(&self.folder)?) {
            return Err(outside());
        }
        let bytes = read(&path)?;
        self.loaded.borrow_mut().insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Traces it over the columns of a schema, which comes from a file or was inferred.
    ///
    /// # Errors
    /// When it is wrong, or reads columns that are not there or have no type.
    pub(crate) fn trace(&self, schema: &Schema, file: Option<&Path>, quiet: bool) -> Result<Graph> {
        let load = |name: &str| self.load(name);
        let print = |text: &str| {
            if !quiet {
                output::note(&format!("{text}\n"));
            }
        };
        let unusable = unusable(schema, file);
        // Nothing in tf.Examples names such a column.
        let inputs_are = match file {
            Some(_) => "",
            None => {
                "The schema was inferred: a column that has no value in the data is not in it, and \
                     needs a schema of its own, `--schema`."
            }
        };
        let options = preprocessing::Options {
            load: &load,
            print: &print,
            limits: Limits::default(),
            unusable: &unusable,
            inputs_are,
        };
        trace(&self.name, &self.text, &columns(schema, file.is_none()), &options)
    }

    /// The module and what it has loaded, by their names.
    pub(crate) fn into_files(self) -> Vec<(String, Vec<u8>)> {
        let mut files = self.loaded.into_inner();
        files.insert(self.name, self.text);
        files.into_iter().collect()
    }
}

/// The columns that a module may use, by the rules of feature specs.
fn columns(schema: &Schema, inferred: bool) -> Vec<(String, Type)> {
    let columns = schema.feature.iter().filter_map(|feature| {
        let dtype = match feature.r#type() {
            FeatureType::Int => DType::Int64,
            FeatureType::Float => DType::Float32,
            FeatureType::Bytes => DType::String,
            FeatureType::Struct | FeatureType::TypeUnknown => return None,
        };
        let shape = match fixed_shape(feature) {
            Some(shape) if inferred && shape == [Dim::Fixed(1)] => Vec::new(),
            Some(shape) => shape,
            None => vec![Dim::Var],
        };
        Some((feature.name().to_owned(), Type::column(dtype, shape)))
    });
    columns.collect()
}

/// The columns that are there but that no module can use, each with the error of one that does.
fn unusable(schema: &Schema, file: Option<&Path>) -> Vec<(String, Error)> {
    let place = file.map_or("the inferred schema".to_owned(), |f| format!("`{}`", f.display()));
    let columns = schema.feature.iter().filter_map(|feature| {
        let name = feature.name();
        let error = match feature.r#type() {
            FeatureType::TypeUnknown => {
                Error::invalid(format!("column `{name}` has no type in {place}")).with_hint(
                    "Give it `type: INT`, `FLOAT` or `BYTES` in a schema, and pass that with \
                     `--schema`.",
                )
            }
            FeatureType::Struct => {
                Error::invalid(format!("column `{name}` of {place} holds structs"))
                    .with_hint("Modules read columns of numbers and strings.")
            }
            FeatureType::Int | FeatureType::Float | FeatureType::Bytes => return None,
        };
        Some((name.to_owned(), error))
    });
    columns.collect()
}

/// The shape of a feature that is in every row.
fn fixed_shape(feature: &Feature) -> Option<Vec<Dim>> {
    let Some(PresenceConstraints::Presence(presence)) = &feature.presence_constraints else {
        return None;
    };
    if presence.min_fraction() < 1.0 {
        return None;
    }
    let Some(ShapeType::Shape(shape)) = &feature.shape_type else { return None };
    let dims = shape.dim.iter().map(|dim| u32::try_from(dim.size()).ok().map(Dim::Fixed));
    dims.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_specs_follow_the_schema() {
        let schema = "
            feature { name: 'dense' type: FLOAT presence { min_fraction: 1 } shape {} }
            feature { name: 'one' type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
            feature { name: 'matrix' type: FLOAT presence { min_fraction: 1 }
                      shape { dim { size: 2 } dim { size: 3 } } }
            feature { name: 'some' type: BYTES presence { min_fraction: 0.5 } shape {} }
            feature { name: 'list' type: BYTES presence { min_fraction: 1 } }
            feature { name: 'inner' type: STRUCT }";
        let schema = ops::tfmd::text::parse(schema).unwrap();
        let shown = |inferred| {
            let columns = columns(&schema, inferred);
            columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect::<Vec<_>>().join("; ")
        };
        let expected = "dense float32; one int64[1]; matrix float32[2, 3]; some string[var]; \
                        list string[var]";
        assert_eq!(shown(false), expected);
        assert_eq!(shown(true), expected.replace("[1]", ""));
    }

    #[test]
    fn columns_that_no_module_can_use_say_why() {
        let schema = "
            feature { name: 'none' }
            feature { name: 'inner' type: STRUCT }
            feature { name: 'x' type: INT }";
        let schema = ops::tfmd::text::parse(schema).unwrap();
        let shown = |file| {
            let errors = unusable(&schema, file);
            let errors = errors.iter().map(|(name, e)| format!("{name}: {}", e.message()));
            errors.collect::<Vec<_>>().join("; ")
        };
        let given = "none: column `none` has no type in `a/s.pbtxt`; \
                     inner: column `inner` of `a/s.pbtxt` holds structs";
        assert_eq!(shown(Some(Path::new("a/s.pbtxt"))), given);
        assert_eq!(shown(None), given.replace("`a/s.pbtxt`", "the inferred schema"));
    }

    #[test]
    fn modules_load_from_their_own_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("modules");
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        std::fs::write(folder.join("m.star"), "x").unwrap();
        std::fs::write(folder.join("lib/a.star"), "a").unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        let module = Module::read(&folder.join("m.star")).unwrap();
        assert_eq!(module.load("lib/a.star").unwrap(), b"a");
        let refused = |name: &str| module.load(name).unwrap_err().message().to_owned();
        assert!(refused("../secret").contains("outside of the module's folder"));
        assert!(refused(&place.path().join("secret").display().to_string()).contains("outside"));
        assert!(refused("lib/b.star").contains("there is no"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(place.path().join("secret"), folder.join("link")).unwrap();
            assert!(refused("link").contains("outside of the module's folder"));
        }
        assert_eq!(module.loaded.borrow().len(), 1);
    }
}
