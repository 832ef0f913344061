//! `frazil push`: blessed or not, whole or not at all, and back to an older version.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use model::bundle::Parts;
use model::{Architecture, Bundle, Inputs, ModelSpec, Task};
use serde_json::Value;
use transform::TransformGraph;

use crate::cli::Place;
use crate::transform_cli::files;

const MODULE: &str = include_str!("../../datasets/modules/taxi.star");

/// A graph of taxi trips in `graph`, and models with other weights each in `model-1` and `model-2`.
pub(crate) fn trained() -> Place {
    /// All files, which are made once.
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let all = FILES.get_or_init(|| {
        let place = Place::new();
        place.write("taxi.star", MODULE);
        place.ok(&["generate", "more", "--rows", "5000", "--shards", "1", "-q"]);
        place.ok(&["analyze", "more", "--preprocessing", "taxi.star", "-o", "graph"]);
        let graph = TransformGraph::load(&place.path("graph")).unwrap();
        let architecture = Architecture::WideAndDeep { embedding: 4, hidden: vec![8] };
        let (spec, _) = ModelSpec::of(&graph, "tips_xf", Task::Binary, &[], architecture).unwrap();
        for seed in [1, 2] {
            let parts = Parts {
                spec: &spec,
                weights: &spec.initial(seed),
                graph: &place.path("graph"),
                rows: &Inputs::new(&spec),
                metrics: BTreeMap::new(),
                training: BTreeMap::new(),
            };
            Bundle::save(&place.path(&format!("model-{seed}")), false, &parts).unwrap();
        }
        std::fs::remove_dir_all(place.path("more")).unwrap();
        files(&place.path("."))
    });
    let place = Place::new();
    for (name, bytes) in all {
        let path = place.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    place
}

/// One of the models.
pub(crate) fn bundle(place: &Place, seed: u64) -> Bundle {
    Bundle::load(&place.path(&format!("model-{seed}"))).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_model_becomes_a_version_once() {
    let place = trained();
    let ran = place.ok(&["push", "model-1", "--to", "deep/base"]);
    assert!(ran.stderr.contains("no `--blessing`"), "{}", ran.stderr);
    assert!(ran.stdout.contains("golden rows"), "{}", ran.stdout);
    let names = place.names("deep/base");
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], ".push.lock");
    // The version is the time.
    let version = &names[1];
    assert!(version.parse::<u64>().unwrap() > 1_700_000_000, "{version}");
    let mut copied = files(&place.path("deep/base").join(version));
    let record = copied.iter().position(|(name, _)| name == "push.json").unwrap();
    let record = json(&String::from_utf8(copied.remove(record).1).unwrap());
    assert!(copied == files(&place.path("model-1")));
    assert_eq!(record["pushed"], true);
    assert_eq!(record["pushed_version"].to_string(), *version);
    assert_eq!(record["forced"], false);
    assert_eq!(record["fingerprint"], bundle(&place, 1).fingerprint.as_str());
    assert!(record["queried_rows"].as_u64().unwrap() > 8, "{record}");

    let again = place.ok(&["push", "model-1", "--to", "deep/base", "--json"]);
    assert_eq!(json(&again.stdout)["outcome"], "already_there");
    assert_eq!(json(&again.stdout)["pushed_version"].to_string(), *version);
    assert_eq!(place.names("deep/base").len(), 2);
    place.ok(&["push", "model-1", "--to", "deep/base", "--force"]);
    assert_eq!(place.names("deep/base").len(), 3);
    // A graph alone can be pushed, too.
    place.ok(&["push", "graph", "--to", "features", "--version", "7"]);
    assert!(place.path("features/7/graph.json").is_file());
}

#[test]
fn what_is_not_blessed_is_not_pushed_unless_it_is_forced() {
    let place = trained();
    std::fs::create_dir(place.path("evaluation")).unwrap();
    let verdict = r#"{"blessed": false, "rubber_stamp": false, "require_significance": false,
        "missing_slices": [], "missing_metrics": [], "checks": [{"slice": [], "metric": "auc",
        "threshold": "value >= 0.8", "found": 0.5, "interval": null, "outcome": "FAILED",
        "message": "`auc` of Overall: 0.5 should have value >= 0.8"}]}"#;
    place.write("evaluation/validation.json", verdict);
    place.write("BLESSED", "");
    let args =
        ["push", "model-1", "--to", "base", "--blessing", "BLESSED", "--blessing", "evaluation"];
    let ran = place.run(&args);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("not blessed by `evaluation`:\n  `auc` of Overall"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("`model-1` was not pushed"), "{}", ran.stdout);
    assert!(!place.path("base").exists());
    let forced = place.ok(&[&args[..], &["--force", "--version", "5"]].concat());
    assert!(forced.stdout.contains("forced `model-1` as version 5"), "{}", forced.stdout);
    let record = json(&String::from_utf8(place.bytes("base/5/push.json")).unwrap());
    assert_eq!(record["forced"], true);
    assert_eq!(record["blessings"][1]["blessed"], false);
    let blessed = ["push", "model-2", "--to", "base", "--blessing", "BLESSED", "--json"];
    let ran = place.ok(&blessed);
    assert_eq!(json(&ran.stdout)["forced"], false);
    assert_eq!(ran.stderr, "");
    // A blessing of another model is no blessing of this one.
    place.write("other.json", r#"{"blessed": true, "model": "abc"}"#);
    let said =
        place.fails(&["push", "model-1", "--to", "base", "--blessing", "other.json", "--force"]);
    assert!(said.contains("the blessing in `other.json` is another model's"), "{said}");
}

#[test]
fn a_verdict_is_of_the_model_that_was_evaluated() {
    let place = trained();
    place.ok(&["generate", "rows", "--rows", "300", "--shards", "1", "-q"]);
    let config = r#"{"metrics_specs": [{"metrics": [{"class_name": "ExampleCount",
        "threshold": {"value_threshold": {"lower_bound": {"value": 1}}}}]}]}"#;
    place.write("config.json", config);
    let evaluate = ["evaluate", "rows", "--model", "model-1", "--config", "config.json"];
    place.ok(&[&evaluate[..], &["-o", "evaluation", "-q"]].concat());
    let push = |model| ["push", model, "--to", "base", "--blessing", "evaluation"];
    let said = place.fails(&push("model-2"));
    assert!(said.contains("the blessing in `evaluation` is another model's"), "{said}");
    assert_eq!(place.ok(&push("model-1")).stderr, "");
}

#[test]
fn an_older_version_can_be_pushed_again() {
    let place = trained();
    place.ok(&["push", "model-1", "--to", "base", "--version", "10"]);
    place.ok(&["push", "model-2", "--to", "base", "--version", "99999999999"]);
    place.ok(&["push", "base/10", "--to", "base"]);
    assert_eq!(place.names("base"), [".push.lock", "10", "100000000000", "99999999999"]);
    let back = Bundle::load(&place.path("base/100000000000")).unwrap();
    assert_eq!(back.fingerprint, bundle(&place, 1).fingerprint);
    let record = json(&String::from_utf8(place.bytes("base/100000000000/push.json")).unwrap());
    assert_eq!(record["source"], "base/10");
}

#[test]
fn what_cannot_be_pushed_changes_nothing() {
    let place = trained();
    place.ok(&["push", "model-1", "--to", "base", "--version", "1"]);
    let before = files(&place.path("base"));
    let check = |args: &[&str], expected: &str| {
        let said = place.fails(&[&["push"], args].concat());
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(files(&place.path("base")) == before, "{args:?}");
    };
    check(&["nowhere", "--to", "base"], "`nowhere` is no model");
    check(&["model-2", "--to", "base", "--version", "1"], "version 1 is there already");
    check(&["model-2", "--to", "model-1"], "`model-1` is a model itself");
    check(&["model-2", "--to", "base", "--blessing", "nothing"], "cannot read `nothing`");
    let weights = place.path("model-2/weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    check(&["model-2", "--to", "base"], "`model-2` is no model that can be used");
}

#[test]
fn a_push_that_is_killed_leaves_nothing_that_can_be_seen() {
    let place = trained();
    let expected = files(&place.path("model-1"));
    for looks in [0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800] {
        let mut push = place.command(&["push", "model-1", "--to", "base", "--force"]);
        let mut child = push
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Wherever it stands by then: killed at any time, it leaves whole versions and hidden files.
        (0..looks).for_each(|_| {
            let _ = std::fs::read_dir(place.path("base")).map(Iterator::count);
        });
        let _ = child.kill();
        let _ = child.wait();
        let names = if place.path("base").exists() { place.names("base") } else { Vec::new() };
        for name in names.iter().filter(|name| !name.starts_with('.')) {
            let mut found = files(&place.path("base").join(name));
            found.retain(|(name, _)| name != "push.json");
            assert!(found == expected, "{name}");
        }
    }
    std::fs::create_dir_all(place.path("base/.push-abc/new/graph")).unwrap();
    place.ok(&["push", "model-1", "--to", "base", "--force"]);
    let hidden = place.names("base").into_iter().filter(|name| name.starts_with('.'));
    assert_eq!(hidden.collect::<Vec<_>>(), [".push.lock"]);
}
