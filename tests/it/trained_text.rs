//! Vocabularies and tokenizers that are trained in an analysis: the same files from any runner, and ids
//! of which none is unknown.

use std::fmt::Write as _;

use datasets::{ReadOptions, inputs};
use transform::TransformGraph;
use transform::text::HuggingFaceTokenizer;

use crate::cli::Place;

const MODULE: &str = "
def preprocessing_fn(inputs):
    words = inputs[\"text\"]
    pieces = text.wordpiece_vocabulary(words, vocab_size=120, vocab_filename=\"pieces\")
    pairs = text.bpe_tokenizer(words, vocab_size=400, special_tokens=[\"<s>\"])
    return {
        \"pieces\": text.tokenize(words, text.bert_tokenizer(pieces)),
        \"pairs\": text.tokenize(words, pairs),
    }
";

/// Three files of sentences.
fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    let words =
        ["the", "Fox", "jumps,", "over", "\u{e9}t\u{e9}", "jumping", "<s>", "42", "lazily!"];
    for file in 0..3usize {
        let mut lines = "text\n".to_owned();
        for row in 0..40 {
            let word = |at: usize| words[(row * 7 + at * (at + file)) % words.len()];
            let sentence: Vec<&str> = (0..row % 9).map(word).collect();
            writeln!(lines, "\"{} .\"", sentence.join(" ")).unwrap();
        }
        place.write(&format!("data/{file}.csv"), &lines);
    }
    place.write("m.star", MODULE);
    place.ok(&["schema", "infer", "data", "-o", "schema.pbtxt"]);
    place
}

#[test]
fn what_is_trained_does_not_depend_on_the_runner() {
    let place = place();
    let analyze = ["analyze", "data", "-p", "m.star", "--schema", "schema.pbtxt", "-q"];
    let ways: [&[&str]; 5] = [
        &["--runner", "direct"],
        &["--workers", "1", "--batch-rows", "1"],
        &["--workers", "4", "--batch-rows", "7", "--memory", "1KiB"],
        &["--processes", "2", "--workers", "1"],
        &["--workers", "2", "--cache", "cache"],
    ];
    let assets = ["bpe_tokenizer.json", "pieces"];
    for (number, way) in ways.iter().enumerate() {
        let graph = format!("graph-{number}");
        place.ok(&[&analyze[..], way, &["-o", &graph]].concat());
        assert_eq!(place.names(&format!("{graph}/assets")), assets, "{way:?}");
        for file in ["manifest.json", "assets/pieces", "assets/bpe_tokenizer.json"] {
            if file != "manifest.json" || number < 4 {
                let bytes = |graph: &str| place.bytes(&format!("{graph}/{file}"));
                assert!(bytes(&graph) == bytes("graph-0"), "{way:?}: {file}");
            }
        }
    }
    // Larger vocabularies of the same words need no data that was read before.
    place.write("m.star", &MODULE.replace("=120", "=60").replace("=400", "=280"));
    let ran = place.ok(&[&analyze[..6], &["-o", "smaller", "--cache", "cache"]].concat());
    assert!(ran.stderr.contains("3 shards came from the cache"), "{}", ran.stderr);
    assert!(
        place.bytes("smaller/assets/pieces").len() < place.bytes("graph-0/assets/pieces").len()
    );
}

#[test]
fn what_was_trained_on_is_known() {
    let place = place();
    let analyze =
        ["analyze", "data", "-p", "m.star", "--schema", "schema.pbtxt", "-q", "-o", "graph"];
    place.ok(&analyze);
    let checked = place.ok(&["graph", "check", "graph"]).stdout;
    assert!(checked.contains("golden rows to the bit"), "{checked}");
    let graph = TransformGraph::load(&place.path("graph")).unwrap();
    let pieces = String::from_utf8(place.bytes("graph/assets/pieces")).unwrap();
    let unknown = pieces.lines().position(|piece| piece == "[UNK]").unwrap() as i64;
    let json = HuggingFaceTokenizer::new(&place.bytes("graph/assets/bpe_tokenizer.json")).unwrap();
    let files = inputs::resolve(&[place.path("data").display().to_string()], None).unwrap().files;
    let mut read = ReadOptions::default();
    let columns = [("text".to_owned(), datasets::csv::CsvType::String)].into();
    read.csv_types = Some(datasets::csv::CsvTypes { columns });
    let source = datasets::open(files, None, &read).unwrap();
    let mut n_ids = 0;
    for shard in 0..source.shards().len() {
        for batch in source.clone().read(shard, 100).unwrap() {
            let records = batch.unwrap().records;
            let fed = transform::arrow::feed(&records, graph.inputs()).unwrap();
            let texts = fed.tensors[0].strings().clone();
            let results = graph.run(fed.rows, fed.tensors).unwrap();
            for row in 0..records.num_rows() {
                let of_row = results.iter().zip(graph.outputs()).map(|(result, (_, ty))| {
                    result.ints()[result.row_ends(&ty.shape).range(row)].to_vec()
                });
                let [pieces, pairs]: [Vec<i64>; 2] = of_row.collect::<Vec<_>>().try_into().unwrap();
                assert!(!pieces.contains(&unknown) && !pieces.is_empty());
                let mut theirs = Vec::new();
                let text = texts.get(row);
                json.encode(text, &mut theirs).unwrap();
                assert_eq!(pairs, theirs);
                assert!(pairs.len() < text.len() || text.len() < 4, "pairs were merged");
                n_ids += pieces.len();
            }
        }
    }
    assert!(n_ids > 500, "{n_ids}");
}
