//! Artifacts as a whole: what is written is read, and what was changed is refused.

#![allow(clippy::disallowed_methods, reason = "a test writes artifacts and damages them")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Float32Array, ListArray, RecordBatch};

use super::*;
use crate::graph::{Builder, Origin, What};
use crate::op::Args;
use crate::tensor::{Tensor, Values};
use crate::types::{DType, Type};
use crate::vocabulary::{FileFormat, Vocabulary};

/// A frozen graph with an analyzer, a list, and constants of all kinds.
fn sample() -> TransformGraph {
    let inputs = [
        ("unused".to_owned(), Type::scalar(DType::String)),
        ("x".to_owned(), Type::scalar(DType::Float32)),
        ("xs".to_owned(), Type::var_len(DType::Float32)),
        ("n".to_owned(), Type::scalar(DType::Int64)),
    ];
    let mut builder = Builder::new(inputs);
    builder.at(Some(Origin { file: Arc::from("taxi.star"), line: 3, column: 5 }));
    let [x, xs, n] = ["x", "xs", "n"].map(|name| builder.input(name).unwrap());
    let z = builder.one("tft.scale_to_z_score", Args::default().arg(x)).unwrap();
    let zs = builder.one("tft.scale_to_z_score", Args::default().arg(xs)).unwrap();
    let more = builder.one("math.multiply", Args::default().arg(zs).arg(0.1)).unwrap();
    let next = builder.one("math.add", Args::default().arg(n).arg(1i64)).unwrap();
    let outputs = [("z", z), ("more", more), ("next", next)];
    let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
    let mut graph = builder.finish(outputs.to_vec()).unwrap();
    for node in graph.next_phase() {
        let types = graph.nodes[node as usize].types.clone();
        let values = [0.1f32, 2.5].into_iter().zip(&types);
        let values = values.map(|(value, _)| Tensor::dense(1, vec![value])).collect();
        graph.bind(node, values).unwrap();
    }
    TransformGraph::new(graph).unwrap()
}

fn rows() -> RecordBatch {
    let x = Float32Array::from(vec![1.0, f32::NAN, -0.0]);
    let xs = ListArray::from_iter_primitive::<arrow_array::types::Float32Type, _, _>([
        Some(vec![Some(1.0f32), Some(2.0)]),
        None,
        Some(vec![]),
    ]);
    let n = arrow_array::Int64Array::from(vec![1, i64::MAX, -1]);
    RecordBatch::try_from_iter([
        ("x", Arc::new(x) as arrow_array::ArrayRef),
        ("xs", Arc::new(xs)),
        ("n", Arc::new(n)),
    ])
    .unwrap()
}

fn saved() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("graph");
    let options = SaveOptions {
        provenance: Provenance {
            inputs: vec![InputShard {
                name: "a.csv".to_owned(),
                rows: 3,
                bytes: 30,
                fingerprint: None,
            }],
            modules: vec![
                ("taxi.star".to_owned(), b"def preprocessing_fn(inputs): pass\n".to_vec()),
                ("lib/more.star".to_owned(), Vec::new()),
            ],
            options: BTreeMap::from([("batch_rows".to_owned(), "4096".to_owned())]),
        },
        rows: Some(rows()),
        ..SaveOptions::default()
    };
    sample().save(&directory, &options).unwrap();
    (place, directory)
}

/// The files of an artifact, and its fingerprint.
fn read(directory: &Path) -> (BTreeMap<String, Vec<u8>>, String) {
    let Files { stored, fingerprint, .. } = files::read(directory).unwrap();
    let stored = stored.into_iter().map(|(name, stored)| match stored {
        Stored::Memory(bytes) => (name, bytes),
        Stored::File(path) => panic!("`{}` is not large", path.display()),
    });
    (stored.collect(), fingerprint)
}

fn write(directory: &Path, files: BTreeMap<String, Vec<u8>>, fingerprint: &str) {
    let files = files.into_iter().map(|(name, bytes)| (name, files::bytes_of(bytes)));
    files::write(directory, &files.collect(), fingerprint, true).unwrap();
}

/// Replaces text in a file, and makes the manifest agree.
fn alter(directory: &Path, name: &str, from: &str, to: &str) {
    let (mut files, fingerprint) = read(directory);
    let text = String::from_utf8(files[name].clone()).unwrap();
    assert!(text.contains(from), "{name} has no {from}:\n{text}");
    files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
    write(directory, files, &fingerprint);
}

fn refused(directory: &Path, words: &[&str]) {
    let Err(error) = TransformGraph::load(directory) else { panic!("it is not refused") };
    let shown = error.to_string();
    for word in words {
        assert!(shown.contains(word), "no {word:?} in: {shown}");
    }
}

#[test]
fn a_graph_comes_back_with_the_same_bits() {
    let (_place, directory) = saved();
    let (loaded, checked) = TransformGraph::load_checked(&directory).unwrap();
    assert_eq!(checked.golden_rows, 3 + 8);
    let graph = sample();
    assert_eq!(loaded.fingerprint().unwrap(), graph.fingerprint().unwrap());
    assert_eq!(loaded.inputs(), graph.inputs());
    let [a, b] = [&graph, &loaded].map(|graph| graph.apply(&rows()).unwrap().records);
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    let origin = loaded.graph().nodes.iter().find_map(|node| node.origin.clone()).unwrap();
    assert_eq!(origin.to_string(), "taxi.star:3:5");
    let text = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert!(text("analyzers.json").contains("tft.mean_and_var"), "{}", text("analyzers.json"));
    assert!(text("provenance.json").contains("a.csv"));
    assert!(text("output_schema.pbtxt").contains("min_fraction: 1.0"));
    assert!(directory.join("module/lib/more.star").is_file());
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let (_a, first) = saved();
    let (_b, second) = saved();
    assert_eq!(read(&first), read(&second));
    let loaded = TransformGraph::load(&first).unwrap();
    let (again, _) = loaded.to_json().unwrap();
    assert_eq!(again, fs::read_to_string(first.join(GRAPH)).unwrap());
}

#[test]
fn a_vocabulary_that_no_output_uses_is_a_file_all_the_same() {
    let inputs = ["s", "x"].map(|name| (name.to_owned(), Type::scalar(DType::String)));
    let mut builder = Builder::new(inputs);
    let [s, x] = ["s", "x"].map(|name| builder.input(name).unwrap());
    let args = Args::default().arg(s).with("vocab_filename", "names");
    builder.one("tft.vocabulary", args).unwrap();
    // Nothing is written of a size, or of what else nobody uses.
    builder.one("tft.size", Args::default().arg(s)).unwrap();
    let mut graph = builder.finish(vec![("x".to_owned(), x)]).unwrap();
    assert_eq!(graph.inputs().map(|(name, _)| name).collect::<Vec<_>>(), ["s", "x"]);
    let phase = graph.next_phase();
    assert_eq!(phase.len(), 1);
    let tokens = crate::Strings::from_iter(["b", "a"]);
    let vocabulary = Vocabulary::new("names", FileFormat::Text, tokens);
    let vocabulary = Tensor::dense(1, Values::Vocabulary(Arc::new(vocabulary)));
    graph.bind(phase[0], vec![vocabulary]).unwrap();
    let graph = TransformGraph::new(graph).unwrap();
    assert_eq!(graph.inputs().len(), 1, "rows are transformed without it");
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("graph");
    graph.save(&directory, &SaveOptions::default()).unwrap();
    let text = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(text("assets/names"), "b\na\n");
    assert!(text("analyzers.json").contains("\"file\": \"names\""));
    assert!(text("output_schema.pbtxt").contains(
        "type_url: \"type.googleapis.com/third_party.py.tensorflow_transform.annotations\
         .VocabularyMetadata\""
    ));
    let loaded = TransformGraph::load(&directory).unwrap();
    assert_eq!(loaded.to_json().unwrap().0, text(GRAPH));
    // Where it is large, it is read from where it lies.
    let read = || files::read_within(&directory, 3).unwrap().stored;
    assert!(matches!(read()["assets/names"], Stored::File(_)));
    let shown = serde_json::json!({ "file": "assets/names", "format": "text", "tokens": 2,
        "frequencies": false, "unfiltered_size": 2 });
    let shown = || serde_json::from_value(shown.clone()).unwrap();
    let found = Assets::of(read()).find(&shown()).unwrap();
    assert_eq!(found.id(b"a").unwrap(), Some(1));
    fs::write(directory.join("assets/names"), "b\nc\n").unwrap();
    let error = files::read_within(&directory, 3).err().unwrap();
    assert!(error.message().contains("`assets/names` of the graph has changed"), "{error}");
}

#[test]
fn files_with_keys_come_back() {
    let mut builder = Builder::new([("s".to_owned(), Type::scalar(DType::String))]);
    builder.add_file("lib/note.bin", &b"\xff\n\0"[..]);
    builder.add_file("words.txt", &b"a\nb\n"[..]);
    let s = builder.input("s").unwrap();
    builder.one("tft.vocabulary_from_file", Args::default().arg("words.txt")).unwrap();
    for (key, file) in [("note", "lib/note.bin"), ("words", "words.txt")] {
        let none = builder.call("tft.annotate_asset", Args::default().arg(key).arg(file)).unwrap();
        assert_eq!(none, []);
    }
    let graph = builder.finish(vec![("s".to_owned(), s)]).unwrap();
    let graph = TransformGraph::new(graph).unwrap();
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("graph");
    let fingerprint = graph.save(&directory, &SaveOptions::default()).unwrap();
    assert_eq!(fs::read(directory.join("assets/note.bin")).unwrap(), b"\xff\n\0");
    assert_eq!(fs::read(directory.join("assets/words.txt")).unwrap(), b"a\nb\n");
    let loaded = TransformGraph::load(&directory).unwrap();
    assert_eq!(loaded.fingerprint().unwrap(), fingerprint);
    assert_eq!(loaded.graph().assets, graph.graph().assets);
    let note = loaded.graph().asset("note").unwrap();
    assert_eq!((&*note.file, note.bytes.as_deref()), ("note.bin", Some(&b"\xff\n\0"[..])));
    assert_eq!(loaded.graph().asset("words").unwrap().bytes, None);
    assert_eq!(loaded.graph().asset("others"), None);
    let again = place.path().join("again");
    loaded.save(&again, &SaveOptions::default()).unwrap();
    assert_eq!(read(&again), read(&directory));
    alter(&directory, GRAPH, "\"bytes\":3", "\"bytes\":4");
    refused(&directory, &["`assets/note.bin` of the graph is damaged", "3 bytes; 4 were written"]);
    alter(&directory, GRAPH, "\"bytes\":4", "\"bytes\":3");
    alter(&directory, GRAPH, "\"key\":\"words\"", "\"key\":\"note\"");
    refused(&directory, &["Two assets have the key `note`"]);
    alter(&directory, GRAPH, ",\"bytes\":3", "");
    refused(&directory, &["No vocabulary or tokenizer of the graph has this file"]);
}

#[test]
fn nothing_else_is_replaced() {
    let (_place, directory) = saved();
    let save = |overwrite, directory: &Path| {
        sample().save(directory, &SaveOptions { overwrite, ..SaveOptions::default() })
    };
    assert!(save(false, &directory).unwrap_err().message().contains("is there already"));
    save(true, &directory).unwrap();
    TransformGraph::load(&directory).unwrap();
    let other = directory.with_file_name("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("mine"), "x").unwrap();
    assert!(save(true, &other).unwrap_err().message().contains("holds other files"));
    let left: Vec<_> = fs::read_dir(directory.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn changed_files_are_refused() {
    let (_place, directory) = saved();
    let graph = fs::read(directory.join(GRAPH)).unwrap();
    for end in [0, 1, graph.len() / 2, graph.len() - 1] {
        fs::write(directory.join(GRAPH), &graph[..end]).unwrap();
        refused(&directory, &["`graph.json` of the graph has changed", "bytes"]);
    }
    let mut other = graph.clone();
    *other.last_mut().unwrap() = b' ';
    fs::write(directory.join(GRAPH), &other).unwrap();
    refused(&directory, &["`graph.json` of the graph has changed", "SHA-256"]);
    fs::remove_file(directory.join(GRAPH)).unwrap();
    refused(&directory, &["`graph.json` of the graph is missing"]);
    fs::remove_file(directory.join(files::MANIFEST)).unwrap();
    refused(&directory, &["holds no graph", "`manifest.json`"]);
    refused(&directory.join("nowhere"), &["there is no graph at"]);
}

#[test]
fn files_that_agree_with_the_manifest_are_checked_too() {
    let check = |name: &str, from: &str, to: &str, words: &[&str]| {
        let (_place, directory) = saved();
        alter(&directory, name, from, to);
        refused(&directory, words);
    };
    let graph = |from: &str, to: &str, words: &[&str]| check(GRAPH, from, to, words);
    graph("\"version\": 1", "\"version\": 2", &["newer format", "version 2"]);
    graph("frazil transform graph", "other", &["something else"]);
    graph("\"nodes\"", "\"more\"", &["`graph.json` is damaged", "more"]);
    graph("\"math.add\"", "\"math.addd\"", &["`math.addd` is not known"]);
    graph("\"math.add\"", "\"tft.mean\"", &["Node"]);
    graph("\"z\"", "\"next\"", &["`next` is there twice"]);
    let line = sample().to_json().unwrap().0;
    let line = line.lines().find(|line| line.contains("math.add")).unwrap();
    graph(line, &line.replace("int64", "float64"), &["`math.add` gives int64", "float64"]);
    graph("\"float32\":[2.5]", "\"float32\":[2.5,1]", &["Node", "values"]);
    graph("\"float32\":[2.5]", "\"int64\":[2]", &["Node", "type"]);
    graph("{\"node\":0}", "{\"node\":4000000000}", &["is not before it"]);
    graph("{\"node\":0}", "{\"node\":0,\"port\":9}", &["has no result 9"]);
    graph("\"y\":", "\"why\":", &["has no parameter `why`"]);
    graph("\"shape\":[\"var\"]", "\"shape\":[{\"fixed\":4294967295}]", &["too large"]);
    graph("\"float32\":[2.5]", "\"float32\":[2.25]", &["a golden row comes out differently"]);
    let golden = |from: &str, to: &str, words: &[&str]| check(GOLDEN, from, to, words);
    golden("\"version\":1", "\"version\":7", &["newer format", "`golden_rows.json`"]);
    golden("9223372036854775807", "9223372036854775806", &["golden row", "`next`"]);
    golden("\"rows\":3", "\"rows\":99999999999", &["golden rows are damaged"]);
    golden("\"splits\":[[0,2,2,2]]", "\"splits\":[[0,2147483647]]", &["golden rows are damaged"]);
    check(GRAPH, "\"line\":3", "\"line\":4", &["not the one that was written", "fingerprint"]);
    let manifest = |from: &str, to: &str, words: &[&str]| {
        let (_place, directory) = saved();
        let path = directory.join(files::MANIFEST);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        refused(&directory, words);
    };
    manifest("\"graph.json\"", "\"../graph.json\"", &["outside of the graph's directory"]);
    manifest("\"graph.json\"", "\"/etc/passwd\"", &["outside of the graph's directory"]);
    manifest("\"version\": 1", "\"version\": 9", &["`manifest.json` is of a newer format"]);
    manifest("\"bytes\": ", "\"bytes\": 1844674407370955", &["has changed"]);
}

#[test]
fn garbage_is_refused() {
    let deep = vec![b'['; 100_000];
    let garbage: [&[u8]; 6] = [b"", b"{", b"null", b"[[[[", &deep, b"\xff\xfe\x00"];
    for bytes in garbage {
        let (_place, directory) = saved();
        let (mut files, fingerprint) = read(&directory);
        files.insert(GRAPH.to_owned(), bytes.to_vec());
        write(&directory, files, &fingerprint);
        refused(&directory, &["`graph.json` is damaged"]);
        fs::write(directory.join(files::MANIFEST), bytes).unwrap();
        refused(&directory, &["`manifest.json` is damaged"]);
    }
}

#[test]
#[cfg(unix)]
fn links_are_not_followed() {
    let (_place, directory) = saved();
    let outside = directory.with_file_name("outside.json");
    fs::rename(directory.join(GRAPH), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, directory.join(GRAPH)).unwrap();
    refused(&directory, &["is a link"]);
}

#[test]
fn graphs_of_the_first_version_are_read_for_ever() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/graphs/v1");
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !all.join("scale").exists() {
        let options = SaveOptions { rows: Some(rows()), ..SaveOptions::default() };
        sample().save(&all.join("scale"), &options).unwrap();
    }
    let graphs: Vec<_> = fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!graphs.is_empty());
    for directory in graphs {
        let (graph, checked) = TransformGraph::load_checked(&directory).unwrap();
        assert!(checked.golden_rows >= 8, "{}", directory.display());
        assert!(
            !graph
                .graph()
                .nodes
                .iter()
                .any(|node| matches!(node.what, What::Input(ref name) if name.is_empty()))
        );
    }
}
