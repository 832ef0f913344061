//! The rules of this house that no compiler checks: who depends on whom, tables, docs, names of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files that may be longer than others, and why.
const LONG: &[(&str, &str)] =
    &[("ops/src/tfmd/generated/metadata.rs", "generated from the messages' definitions")];
const MOST_LINES: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The Rust files of the house, as paths from its root.
fn sources() -> Vec<String> {
    let mut found = Vec::new();
    let top = ["engine", "ops", "datasets", "runners", "tests", "benches"];
    let mut folders: Vec<PathBuf> = top.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).into_iter().flatten() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if !entry.file_type().unwrap().is_dir() {
                found.push(path.to_str().unwrap().to_owned());
            } else if entry.file_name() != "target" {
                folders.push(path);
            }
        }
    }
    found.retain(|path| is(path, "rs"));
    found.sort();
    found
}

/// The lines of a section of a manifest, by what stands before `=` or `.`.
fn section(manifest: &str, name: &str) -> BTreeMap<String, String> {
    let header = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| **line != header).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            Some((key.split('.').next()?.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Whether a name has this extension.
fn is(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

#[test]
fn crates_depend_only_downwards() {
    let folders = [
        "engine",
        "ops",
        "ops/transform",
        "ops/preprocessing",
        "ops/model",
        "datasets",
        "runners",
        "runners/serve",
        "runners/train",
    ];
    let ours = folders.map(|folder| folder.rsplit('/').next().unwrap_or(folder));
    let allowed = |of: &str, on: &str| match of {
        "engine" => false,
        "ops" | "datasets" => on == "engine",
        "transform" => ["engine", "ops"].contains(&on),
        "preprocessing" | "model" => ["engine", "transform"].contains(&on),
        "train" | "serve" => ["engine", "transform", "model"].contains(&on),
        _ => of != on && !["preprocessing", "train", "serve"].contains(&on),
    };
    for (folder, of) in folders.into_iter().zip(ours) {
        let manifest = text(&format!("{folder}/Cargo.toml"));
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (on, how) in section(&manifest, kind) {
                assert!(!ours.contains(&&*on) || allowed(of, &on), "{of} may not depend on {on}");
                let dataflow = on == "engine" && how.contains("dataflow");
                assert!(!dataflow || of == "runners", "{of} may not turn on the dataflow");
                assert!(on != "timely" || of == "engine", "only engine may depend on timely");
                assert!(on != "burn" || of == "train", "only train may depend on burn");
                let network = ["axum", "hyper", "hyper-util", "tokio", "tokio-rustls"];
                let may = of == "serve" || !network.contains(&&*on);
                assert!(may, "only serve may depend on {on}");
            }
        }
    }
    let manifest = text("Cargo.toml");
    let engine = &section(&manifest, "workspace.dependencies")["engine"];
    assert!(engine.contains("default-features = false"), "engine comes without its dataflow");
    for name in ["timely", "burn", "axum", "tokio"] {
        assert!(!section(&manifest, "dependencies").contains_key(name), "{name} is a leaf's");
    }
}

#[test]
fn only_the_dataflow_uses_timely() {
    let word = ["timely", "::"].concat();
    for file in sources() {
        let may = ["engine/src/dataflow/", "engine/tests/dataflow/"];
        if !may.iter().any(|folder| file.starts_with(folder)) {
            assert!(!text(&file).contains(&word), "{file} uses timely");
        }
    }
}

#[test]
fn what_is_computed_depends_on_nothing_else() {
    let words = ["fs", "env", "net", "thread", "process"].map(|name| format!("std::{name}"));
    let clocks = ["Instant::now", "SystemTime"].map(str::to_owned);
    let pure = ["ops/src/", "ops/transform/src/", "ops/preprocessing/src/", "ops/model/src/"];
    // Graphs and models are read and written by their own crates, so that a server links nothing else.
    let may = ["ops/transform/src/artifact/", "ops/model/src/bundle.rs"];
    let is_pure = |file: &&String| {
        let is_one = |folders: &[&str]| folders.iter().any(|folder| file.starts_with(folder));
        is_one(&pure) && !is_one(&may)
    };
    for file in sources().iter().filter(is_pure) {
        let text = text(file);
        if text.contains("#![allow(clippy::disallowed_methods, reason = \"a test ") {
            continue;
        }
        for word in words.iter().chain(&clocks) {
            assert!(!text.contains(word), "{file} says `{word}`: what is computed is pure");
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_is_finished() {
    let unfinished = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    for file in sources() {
        let text = text(&file);
        let generated = file.contains("/generated/");
        assert!(generated || text.starts_with("//! "), "{file} does not begin with `//! `");
        for word in &unfinished {
            assert!(!text.contains(word), "{file} contains `{word}…`");
        }
        let n = text.lines().count();
        let may = LONG.iter().any(|(long, _)| *long == file);
        assert!(may || n <= MOST_LINES, "{file} has {n} lines: cut it, or say why in `LONG`");
    }
    for (file, why) in LONG {
        assert!(root().join(file).is_file(), "{file} ({why}) is gone");
    }
}

#[test]
fn every_generator_has_its_row() {
    let table = text("ops/src/stats/mod.rs");
    let rows: BTreeSet<String> = table
        .split([' ', ',', '[', ']', '\n'])
        .filter_map(|word| word.strip_suffix("::GENERATOR"))
        .map(|path| format!("ops/src/stats/{}", path.replace("::", "/")))
        .collect();
    let files: BTreeSet<String> = sources()
        .into_iter()
        .filter(|file| file.starts_with("ops/src/stats/"))
        .filter(|file| {
            let text = text(file);
            text.contains("const GENERATOR: Generator =")
                || text.contains("const GENERATOR: DatasetGenerator =")
        })
        .map(|file| file.trim_end_matches(".rs").trim_end_matches("/mod").to_owned())
        .collect();
    assert!(rows.len() > 5, "{rows:?}");
    assert_eq!(rows, files, "a file without a row, or a row without a file");
}

#[test]
fn documents_name_only_what_exists() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "ops/src/evaluate/traps.md",
        "ops/src/skew/traps.md",
        "ops/src/stats/traps.md",
        "ops/src/validate/traps.md",
        "ops/transform/src/traps.md",
        "runners/serve/src/traps.md",
    ];
    let tops = ["engine/", "ops/", "datasets/", "runners/", "tests/", "benches/", ".ci/"];
    for document in documents {
        let text = text(document);
        let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        for &name in &quoted {
            let is_file = tops.iter().any(|top| name.starts_with(top)) && !name.contains("NAME");
            let is_top = !name.contains([' ', '/', '*']) && is(name, "md");
            let exists = root().join(name).exists();
            assert!(
                !(is_file || is_top) || exists,
                "{document} names `{name}`, which is not there"
            );
        }
        // `file.rs`: `test`
        for pair in text.split("| `").skip(1).filter_map(|rest| rest.split_once("`: `")) {
            let (file, test) = (pair.0, pair.1.split('`').next().unwrap_or_default());
            if is(file, "rs") {
                let tests = self::text(file);
                assert!(tests.contains(&format!("fn {test}()")), "{file} has no test `{test}`");
            }
        }
    }
    let lines = text("ARCHITECTURE.md").lines().count();
    assert!(lines <= 200, "ARCHITECTURE.md has {lines} lines");
}

#[test]
fn the_lock_holds_no_crate_that_is_refused() {
    let (deny, lock) = (text("deny.toml"), text("Cargo.lock"));
    let refused: Vec<&str> = deny
        .lines()
        .filter(|line| !line.contains("wrappers"))
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .collect();
    assert!(refused.contains(&"arrow2"), "{refused:?}");
    for name in refused {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "Cargo.lock holds {name}");
    }
    // Crates that one other crate may have: it, and nobody else.
    for package in lock.split("[[package]]") {
        let may =
            ["timely", "bincode"].iter().any(|n| package.contains(&format!("name = \"{n}\"\n")));
        assert!(may || !package.contains("bincode"), "bincode is timely's: {package}");
    }
}
