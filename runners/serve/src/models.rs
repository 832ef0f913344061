//! `Models`: what is served under which names, versions and labels.
//!
//! The versions of a model are swapped as a whole: a request keeps those that it found, and a version is
//! dropped with the last request that uses it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use engine::{Error, Result};

use crate::failure::{Code, Failure};
use crate::servable::Servable;

/// Which of the versions that are found are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The greatest that can be loaded, so many.
    Latest(usize),
    /// All of them.
    All,
    /// These.
    Only(Vec<u64>),
}

impl Default for Policy {
    fn default() -> Self {
        Policy::Latest(1)
    }
}

/// What is served under a name.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The name.
    pub name: String,
    /// A bundle, a frozen graph, or a directory of numbered ones.
    pub directory: PathBuf,
    /// Which versions.
    pub policy: Policy,
    /// Other names of versions; what has one is served, whatever the policy.
    pub labels: BTreeMap<String, u64>,
}

/// How far a version is, in TensorFlow Serving's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being read and checked.
    Loading,
    /// It answers.
    Available,
    /// It does not answer any more, or never did.
    End,
}

impl State {
    /// TensorFlow Serving's name.
    pub fn name(self) -> &'static str {
        match self {
            State::Loading => "LOADING",
            State::Available => "AVAILABLE",
            State::End => "END",
        }
    }

    /// TensorFlow Serving's number.
    pub(crate) fn number(self) -> i32 {
        match self {
            State::Loading => 20,
            State::Available => 30,
            State::End => 50,
        }
    }
}

/// A version that is there or was.
#[derive(Clone, Debug)]
pub struct Version {
    /// How far it is.
    pub state: State,
    /// Why it could not be loaded.
    pub error: Option<String>,
    /// What answers, while it is available.
    pub servable: Option<Arc<Servable>>,
}

/// All versions of a model.
pub type Versions = BTreeMap<u64, Version>;

/// Which version is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The greatest that is available.
    Latest,
    /// This one.
    Number(u64),
    /// The one with this label.
    Label(String),
}

/// One name, and what is served under it.
#[derive(Debug)]
pub struct Model {
    /// What it was told to serve.
    pub config: ModelConfig,
    versions: RwLock<Arc<Versions>>,
}

impl Model {
    /// The versions at this moment.
    pub fn versions(&self) -> Arc<Versions> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Swaps the versions.
    pub fn set(&self, versions: Versions) {
        *self.versions.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(versions);
    }

    /// Whether any version answers.
    pub fn is_ready(&self) -> bool {
        self.versions().values().any(|version| version.servable.is_some())
    }

    /// The number that a choice means, if it means one.
    pub(crate) fn number(&self, choice: &Choice) -> Result<Option<u64>, Failure> {
        match choice {
            Choice::Latest => Ok(None),
            Choice::Number(number) => Ok(Some(*number)),
            Choice::Label(label) => {
                self.config.labels.get(label).copied().map(Some).ok_or_else(|| {
                    Failure::invalid(format!("Unrecognized servable version label: {label}"))
                })
            }
        }
    }
}

/// All that is served.
#[derive(Debug, Default)]
pub struct Models(BTreeMap<String, Model>);

impl Models {
    /// Nothing is loaded yet.
    ///
    /// # Errors
    /// When a name is there twice, is empty, or could not be a part of a path.
    pub fn new(configs: Vec<ModelConfig>) -> Result<Self> {
        let mut models = BTreeMap::new();
        for config in configs {
            let name = config.name.clone();
            if name.is_empty() || name.contains(['/', ':']) {
                return Err(Error::invalid(format!("`{name}` is no name of a model"))
                    .with_hint("Leave out `/` and `:`: it is a part of paths."));
            }
            let model = Model { config, versions: RwLock::default() };
            if models.insert(name.clone(), model).is_some() {
                return Err(Error::invalid(format!("two models are called `{name}`"))
                    .with_hint("Give each a name of its own."));
            }
        }
        Ok(Models(models))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.0.values()
    }

    /// The model of a name.
    pub fn get(&self, name: &str) -> Option<&Model> {
        self.0.get(name)
    }

    /// Whether every model has a version that answers.
    pub fn is_ready(&self) -> bool {
        self.iter().all(Model::is_ready)
    }

    /// What answers a request.
    ///
    /// # Errors
    /// When there is no such model, version or label.
    pub fn find(&self, name: &str, choice: &Choice) -> Result<(u64, Arc<Servable>), Failure> {
        let not_found = |what: String| {
            Failure::new(Code::NotFound, format!("Servable not found for request: {what}"))
        };
        let Some(model) = self.get(name) else {
            return Err(match choice {
                Choice::Number(number) => not_found(format!("Specific({name}, {number})")),
                Choice::Latest => not_found(format!("Latest({name})")),
                Choice::Label(label) => {
                    Failure::invalid(format!("Unrecognized servable version label: {label}"))
                }
            });
        };
        let versions = model.versions();
        let answers = |(number, version): (&u64, &Version)| {
            version.servable.clone().map(|servable| (*number, servable))
        };
        match model.number(choice)? {
            None => versions
                .iter()
                .rev()
                .find_map(answers)
                .ok_or_else(|| not_found(format!("Latest({name})"))),
            Some(number) => versions
                .get_key_value(&number)
                .and_then(answers)
                .ok_or_else(|| not_found(format!("Specific({name}, {number})"))),
        }
    }
}
