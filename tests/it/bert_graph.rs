//! BERT's preprocessing in a frozen graph: TFX's rows from batches, single rows and a graph that was
//! saved, and the module that ships.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use preprocessing::{Options, trace};
use transform::artifact::SaveOptions;
use transform::{DType, Tensor, TransformGraph, Type};

use crate::bert::{INPUTS, MAX_LENGTH, column, texts};
use crate::cli::Place;
use crate::support::shared;

const NAMES: [&str; 2] = ["a", "b"];

/// The graph of both layouts of `n` texts, and of their pieces, with the vocabulary of a real model.
fn graph(shared: &Path, n: usize) -> TransformGraph {
    let sentences = ["inputs['a']", "inputs['a'], inputs['b']"][n - 1];
    let module = format!(
        "def preprocessing_fn(inputs):\n    \
             tokenizer = text.bert_tokenizer('bert/vocab.txt', lower_case=True)\n    \
             outputs = {{}}\n    \
             for i, name in enumerate(inputs):\n        \
                 outputs['raw_tokens_%d' % i] = text.tokenize(inputs[name], tokenizer)\n    \
             for layout, short in [('tfx', 'tfx'), ('segments', 'seg')]:\n        \
                 rows = text.bert_inputs({sentences}, tokenizer=tokenizer, layout=layout,\n\
                                         max_length={MAX_LENGTH})\n        \
                 for name, column in zip(['word_ids', 'mask', 'type_ids'], rows):\n            \
                     outputs[short + '_input_' + name] = column\n    \
             return outputs\n"
    );
    let inputs = NAMES[..n].iter().map(|name| ((*name).to_owned(), Type::scalar(DType::String)));
    let load = |path: &str| Ok(std::fs::read(shared.join("data").join(path)).unwrap());
    let options = Options { load: &load, ..Options::default() };
    let inputs: Vec<_> = inputs.collect();
    let traced = trace("m.star", module.as_bytes(), &inputs, &options);
    TransformGraph::new(traced.unwrap_or_else(|e| panic!("{e}"))).unwrap()
}

fn batch(texts: &[Vec<String>]) -> RecordBatch {
    let columns = NAMES.iter().zip(texts).map(|(name, texts)| {
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        (*name, column)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The rows of an output, as lists.
fn lists(tensor: &Tensor, ty: &Type) -> Vec<Vec<i64>> {
    let ends = tensor.row_ends(&ty.shape);
    let rows = 0..tensor.rows;
    rows.map(|row| tensor.ints()[ends.start(row)..ends.start(row + 1)].to_vec()).collect()
}

#[test]
fn graphs_give_the_rows_of_tfx() {
    let Some(shared) = shared() else { return };
    let check = |golden: &str, file: &str, data: &str, expected_rows: usize| {
        let file = shared.join("golden/tft").join(golden).join(file);
        let texts = texts(&shared, data);
        let built = graph(&shared, texts.len());
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("graph");
        let all = batch(&texts);
        let options = SaveOptions { rows: Some(all.clone()), ..SaveOptions::default() };
        built.save(&directory, &options).unwrap();
        let (loaded, checked) = TransformGraph::load_checked(&directory).unwrap();
        assert!(checked.golden_rows > 8, "{golden}");
        let asset = std::fs::read(directory.join("assets/vocab.txt")).unwrap();
        assert_eq!(asset, std::fs::read(shared.join("data/bert/vocab.txt")).unwrap());

        let order: Vec<usize> = column(&file, "row_id").iter().map(|row| row[0] as usize).collect();
        assert_eq!(order.len(), expected_rows, "{golden}");
        for graph in [&built, &loaded] {
            let fed = transform::arrow::feed(&all, graph.inputs()).unwrap();
            assert_eq!(fed.bad, []);
            let whole = graph.run(fed.rows, fed.tensors).unwrap();
            for ((name, ty), tensor) in graph.outputs().iter().zip(&whole) {
                let (found, expected) = (lists(tensor, ty), column(&file, name));
                for (row, expected) in order.iter().zip(expected) {
                    assert_eq!(found[*row], expected, "{golden} {name} of row {row}");
                }
            }
            for row in 0..all.num_rows() {
                let mut input = graph.row();
                for (name, texts) in NAMES.iter().zip(&texts) {
                    assert!(graph.set(&mut input, name, &*texts[row]).unwrap());
                }
                let output = graph.apply_row(&input).unwrap();
                for ((name, ty, one), whole) in output.iter().zip(&whole) {
                    assert_eq!(lists(one, ty)[0], lists(whole, ty)[row], "{golden} {name}");
                }
            }
        }
    };
    for task in ["cola", "mrpc"] {
        let golden = format!("bert_{task}");
        check(&golden, "transformed.parquet", &format!("{task}_train"), 100);
        check(&golden, "transformed_validation.parquet", &format!("{task}_validation"), 100);
    }
    check("bert_torture", "transformed.parquet", "bert_torture", 73);
}

const SENTENCES: &str = "\
idx,label,sentence
0,1,The dog walked home.
1,0,\"Home, the dog walking?\"
2,1,She reads 12 books a week!
";
const PAIRS: &str = "\
idx,label,sentence1,sentence2
0,1,The bank made money.,\"Money, the bank made.\"
1,0,It is raining.,It was a warm day
2,0,Zürich,Ünïcode 日本
";

/// A folder with the module that ships, its vocabulary, and data.
fn place() -> Place {
    let place = Place::new();
    place.write("bert.star", include_str!("../../datasets/modules/bert.star"));
    place.write("vocab.txt", include_str!("../../datasets/modules/vocab.txt"));
    place.write("sentences.csv", SENTENCES);
    place.write("pairs.csv", PAIRS);
    place
}

fn vocabulary_of(place: &Place) -> Vec<String> {
    let text = String::from_utf8(place.bytes("vocab.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_module_makes_rows_of_sentences_and_of_pairs() {
    let place = place();
    let pieces = vocabulary_of(&place);
    let rows = |data: &str, names: &[&str], texts: &[&str]| {
        let graph = format!("graph-{data}");
        place.ok(&["analyze", data, "--preprocessing", "bert.star", "-o", &graph, "-q"]);
        assert_eq!(place.bytes(&format!("{graph}/assets/vocab.txt")), place.bytes("vocab.txt"));
        assert_eq!(place.bytes(&format!("{graph}/module/vocab.txt")), place.bytes("vocab.txt"));
        let graph = TransformGraph::load(&place.path(&graph)).unwrap();
        let mut row = graph.row();
        graph.set(&mut row, "label", 1i64).unwrap();
        for (name, text) in names.iter().zip(texts) {
            graph.set(&mut row, name, *text).unwrap();
        }
        let output = graph.apply_row(&row).unwrap();
        let [word_ids, mask, type_ids] = INPUTS.map(|name| output.get(name).unwrap().ints());
        let shown: Vec<&str> = word_ids.iter().map(|id| &*pieces[*id as usize]).collect();
        let end = shown.iter().rposition(|piece| *piece != "[PAD]").unwrap() + 1;
        assert_eq!(mask.iter().sum::<i64>(), end as i64);
        assert_eq!(mask.len(), MAX_LENGTH);
        (shown[..end].join(" "), type_ids.iter().sum::<i64>())
    };
    let (shown, ones) = rows("sentences.csv", &["sentence"], &["The dogs walked home!"]);
    assert_eq!(shown, "[CLS] the dog ##s walk ##ed home ! [SEP]");
    assert_eq!(ones, 0);
    let (shown, ones) = rows("pairs.csv", &["sentence1", "sentence2"], &["It rained.", "日"]);
    assert_eq!(shown, "[CLS] it rain ##ed . [SEP] [UNK] [SEP]");
    // The first sentence with its special pieces are 6; padding counts as the second, as in TFX.
    assert_eq!(ones, MAX_LENGTH as i64 - 6);
}

#[test]
fn rows_are_the_same_however_they_are_made() {
    let place = place();
    for data in ["sentences.csv", "pairs.csv"] {
        let mut first = None;
        for (i, way) in [&["--batch-rows", "1"][..], &["--workers", "2"]].iter().enumerate() {
            let (graph, rows) = (format!("graph-{data}-{i}"), format!("rows-{data}-{i}"));
            let args = ["analyze-and-transform", data, "--preprocessing", "bert.star", "-q"];
            place.ok(&[&args[..], way, &["-o", &graph, "--transformed", &rows]].concat());
            let manifest = place.bytes(&format!("{graph}/manifest.json"));
            let first = first.get_or_insert_with(|| manifest.clone());
            assert_eq!(*first, manifest, "{data} {way:?}");
        }
    }
}

#[test]
fn a_graph_without_its_vocabulary_is_refused() {
    let place = place();
    let refused = |change: &dyn Fn(&Path), words: &[&str]| {
        let args = ["analyze", "sentences.csv", "--preprocessing", "bert.star", "-o", "graph"];
        place.ok(&[&args[..], &["-q", "--overwrite"]].concat());
        change(&place.path("graph/assets/vocab.txt"));
        let Err(error) = TransformGraph::load(&place.path("graph")) else { panic!("accepted") };
        for word in words {
            assert!(error.to_string().contains(word), "no {word:?} in: {error}");
        }
        std::fs::remove_dir_all(place.path("graph")).unwrap();
    };
    refused(&|file| std::fs::remove_file(file).unwrap(), &["`assets/vocab.txt`", "is missing"]);
    let changed = |file: &Path| {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replacen("\ndog\n", "\ngod\n", 1)).unwrap();
    };
    refused(&changed, &["`assets/vocab.txt`", "has changed", "SHA-256"]);
}

#[test]
fn a_tokenizer_json_is_an_asset() {
    let place = place();
    let [_, (_, json)] = transform::ops::EXAMPLE_FILES else { panic!("two files") };
    std::fs::create_dir(place.path("lib")).unwrap();
    place.write("lib/tokenizer.json", std::str::from_utf8(json).unwrap());
    place.write(
        "m.star",
        "def preprocessing_fn(inputs):\n    \
             x = inputs['sentence']\n    \
             tokenizer = text.hugging_face_tokenizer('lib/tokenizer.json')\n    \
             rate = text.token_statistics(x, tokenizer, max_length=6)[0]\n    \
             return {'ids': text.tokenize(x, tokenizer), 'rate': tf.zeros_like(inputs['label']) \
                     + tf.cast(rate * 100.0, tf.int64)}\n",
    );
    place.ok(&["analyze", "sentences.csv", "--preprocessing", "m.star", "-o", "graph", "-q"]);
    assert_eq!(place.bytes("graph/assets/tokenizer.json"), *json);
    let analyzers = String::from_utf8(place.bytes("graph/analyzers.json")).unwrap();
    for words in ["text.token_statistics(sentence", "\"unknown_rate\"", "\"longest_text\""] {
        assert!(analyzers.contains(words), "no {words} in {analyzers}");
    }
    let graph = TransformGraph::load(&place.path("graph")).unwrap();
    let mut row = graph.row();
    graph.set(&mut row, "sentence", "The dogs play").unwrap();
    graph.set(&mut row, "label", 0i64).unwrap();
    let output = graph.apply_row(&row).unwrap();
    assert_eq!(output.get("ids").unwrap().ints(), [7, 12, 9, 6]);
    let shown = place.ok(&["graph", "show", "graph"]).stdout;
    assert!(shown.contains("int64[var]  0..21"), "{shown}");
    let text = std::fs::read_to_string(place.path("graph/assets/tokenizer.json")).unwrap();
    std::fs::write(place.path("graph/assets/tokenizer.json"), text.replace("fox", "fix")).unwrap();
    let Err(error) = TransformGraph::load(&place.path("graph")) else { panic!("accepted") };
    assert!(error.to_string().contains("`assets/tokenizer.json`"), "{error}");
}
