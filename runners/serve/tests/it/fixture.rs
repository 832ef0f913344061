//! Models of a small graph with inputs of every kind, made without any data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::bundle::Parts;
use model::{Architecture, Bundle, Inputs, ModelSpec, Task};
use serde_json::Value;
use serve::{ModelConfig, Models, Policy, Response, Servable, State, Version, handle};
use transform::{Arg, Args, Builder, DType, Dim, Literal, TransformGraph, Type};

/// The inputs of the graph; only `only_for_label` is read by the label alone.
pub(crate) fn inputs() -> Vec<(String, Type)> {
    let inputs = [
        ("fare", Type::scalar(DType::Float32)),
        ("pair", Type::column(DType::Float32, [Dim::Fixed(2)])),
        ("code", Type::scalar(DType::Int64)),
        ("miles", Type::var_len(DType::Float64)),
        ("words", Type::var_len(DType::String)),
        ("flag", Type::scalar(DType::Bool)),
        ("nested", Type::column(DType::Int64, [Dim::Var, Dim::Var])),
        ("only_for_label", Type::scalar(DType::Float32)),
    ];
    inputs.into_iter().map(|(name, ty)| (name.to_owned(), ty)).collect()
}

/// A graph that passes its inputs on, with a label made of one of them.
pub(crate) fn graph() -> TransformGraph {
    let mut builder = Builder::new(inputs());
    let mut outputs: Vec<_> = inputs()
        .into_iter()
        .filter(|(name, _)| name != "only_for_label")
        .map(|(name, _)| {
            let value = builder.input(&name).unwrap();
            (format!("{name}_xf"), value)
        })
        .collect();
    let fare = builder.input("fare").unwrap();
    let double = builder.one("math.add", Args::default().arg(fare).arg(fare)).unwrap();
    outputs.push(("double".to_owned(), double));
    let label = builder.input("only_for_label").unwrap();
    outputs.push(("label".to_owned(), label));
    TransformGraph::new(builder.finish(outputs).unwrap()).unwrap()
}

/// A graph of one input.
pub(crate) fn single() -> TransformGraph {
    let mut builder = Builder::new([("x".to_owned(), Type::scalar(DType::Float32))]);
    let x = builder.input("x").unwrap();
    let half = Arg::Literal(Literal::Float(0.5));
    let half = builder.one("math.multiply", Args::default().arg(x).arg(half)).unwrap();
    TransformGraph::new(builder.finish(vec![("y".to_owned(), half)]).unwrap()).unwrap()
}

/// Writes a bundle with weights that were never trained.
pub(crate) fn bundle(directory: &Path, task: Task, seed: u64) -> PathBuf {
    let graph_directory = directory.join("graph-of-bundle");
    let graph = graph();
    let options = transform::artifact::SaveOptions { overwrite: true, ..Default::default() };
    graph.save(&graph_directory, &options).unwrap();
    let architecture = Architecture::WideAndDeep { embedding: 2, hidden: vec![4] };
    let sizes = [("code_xf".to_owned(), 10)];
    let (spec, _) = ModelSpec::of(&graph, "label", task, &sizes, architecture).unwrap();
    let rows = Inputs::new(&spec);
    let weights = spec.initial(seed);
    let parts = Parts {
        spec: &spec,
        weights: &weights,
        graph: &graph_directory,
        rows: &rows,
        metrics: BTreeMap::new(),
        training: BTreeMap::new(),
    };
    let bundle = directory.join(format!("bundle-{seed}"));
    Bundle::save(&bundle, true, &parts).unwrap();
    bundle
}

/// Models under their names, with their versions.
pub(crate) fn models(served: Vec<(&str, Vec<(u64, Servable)>)>) -> Models {
    let config = |name: &str| ModelConfig {
        name: name.to_owned(),
        directory: PathBuf::new(),
        policy: Policy::default(),
        labels: [("stable".to_owned(), 123), ("gone".to_owned(), 4)].into(),
    };
    let configs = served.iter().map(|(name, _)| config(name)).collect();
    let models = Models::new(configs).unwrap();
    for (name, versions) in served {
        let versions = versions.into_iter().map(|(number, servable)| {
            let servable = Some(Arc::new(servable));
            (number, Version { state: State::Available, error: None, servable })
        });
        models.get(name).unwrap().set(versions.collect());
    }
    models
}

/// Models: `taxi` 123 and 200 answers a score, `classes` and `money` of the other tasks, `half` is a graph
/// alone, `none` has no version.
pub(crate) fn all() -> Models {
    let place = tempfile::tempdir().unwrap();
    let load = |task, seed| Servable::load(&bundle(place.path(), task, seed)).unwrap();
    let half = place.path().join("half");
    single().save(&half, &transform::artifact::SaveOptions::default()).unwrap();
    models(vec![
        ("taxi", vec![(123, load(Task::Binary, 1)), (200, load(Task::Binary, 2))]),
        ("classes", vec![(1, load(Task::Multiclass { classes: 3 }, 3))]),
        ("money", vec![(1, load(Task::Regression, 4))]),
        ("half", vec![(1, Servable::load(&half).unwrap())]),
        ("none", vec![]),
    ])
}

pub(crate) fn post(models: &Models, path: &str, body: &str) -> Response {
    handle(models, "POST", path, body.as_bytes())
}

/// A good answer.
pub(crate) fn ok(response: &Response) -> Value {
    let text = String::from_utf8(response.body.clone()).unwrap();
    assert_eq!(response.status, 200, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Code and message of an error.
pub(crate) fn error(response: &Response) -> (u16, String) {
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1);
    (response.status, body["error"].as_str().unwrap().to_owned())
}

/// A row that has all that a row must have.
pub(crate) const ROW: &str = r#"{"fare": 12.5, "pair": [1.0, -2.5], "code": 3, "flag": true}"#;
