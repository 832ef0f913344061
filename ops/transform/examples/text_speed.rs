//! How fast texts become ids: by the tokenizer alone, in a graph, and as rows of a model.
//!
//! `cargo run --release -p transform --example text_speed -- VOCAB TEXT`, where `TEXT` has a text a line.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_methods, reason = "an example reads what it measures")]

use std::hint::black_box;
use std::time::Instant;

use transform::text::{BertOptions, BertTokenizer};
use transform::{Args, Builder, DType, Graph, Program, Strings, Tensor, Type};

const ROWS: usize = 4096;
const BATCHES: usize = 32;
const RUNS: usize = 5;

/// The best of some runs, in megabytes of text and in thousands of rows a second.
fn measure(what: &str, bytes: usize, mut run: impl FnMut()) {
    let seconds = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    let rows = (ROWS * BATCHES) as f64 / best / 1e3;
    println!("{what:<62} {:>6.0} MB/s {rows:>8.0} krows/s", bytes as f64 / best / 1e6);
}

/// The graph of a call of one column, with a tokenizer.
fn graph(vocabulary: &[u8], op: &str, options: &[(&str, &str)]) -> Graph {
    let mut builder = Builder::new([("x".to_owned(), Type::scalar(DType::String))]);
    builder.add_file("vocab.txt", vocabulary);
    let tokenizer = builder.one("text.bert_tokenizer", Args::default().arg("vocab.txt")).unwrap();
    let x = builder.input("x").unwrap();
    let args = Args::default().arg(x).with("tokenizer", tokenizer);
    let args = options.iter().fold(args, |args, (name, value)| args.with(name, *value));
    let results = builder.call(op, args).unwrap();
    let outputs = results.into_iter().enumerate();
    builder.finish(outputs.map(|(i, value)| (i.to_string(), value)).collect()).unwrap()
}

fn main() {
    let mut args = std::env::args().skip(1);
    let [vocabulary, texts] = [(); 2].map(|()| std::fs::read(args.next().unwrap()).unwrap());
    let lines: Vec<&[u8]> = texts.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).collect();
    let batches: Vec<Tensor> = (0..BATCHES)
        .map(|batch| {
            let rows = (0..ROWS).map(|row| lines[(batch * ROWS + row) % lines.len()]);
            Tensor::dense(ROWS, rows.collect::<Strings>())
        })
        .collect();
    let bytes = batches.iter().map(|batch| batch.strings().iter().map(<[u8]>::len).sum::<usize>());
    let bytes: usize = bytes.sum();

    let pieces: Vec<&[u8]> =
        vocabulary.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n').collect();
    let options = BertOptions { lower_case: true, ..BertOptions::default() };
    let tokenizer = BertTokenizer::new(&pieces, &options).unwrap();
    measure("tokenizer alone", bytes, || {
        let mut ids = Vec::new();
        for batch in &batches {
            ids.clear();
            batch.strings().iter().for_each(|text| tokenizer.encode(text, &mut ids));
            black_box(&ids);
        }
    });
    let threads = std::thread::available_parallelism().unwrap().get();
    let calls: [(&str, &[(&str, &str)]); 4] = [
        ("text.tokenize", &[]),
        ("text.tokenize_pieces", &[]),
        ("text.bert_inputs", &[]),
        ("text.bert_inputs", &[("layout", "segments")]),
    ];
    for (op, options) in calls {
        let graph = graph(&vocabulary, op, options);
        let wanted: Vec<_> = graph.outputs.iter().map(|(_, value)| *value).collect();
        let program = Program::new(&graph, &wanted).unwrap();
        let all = |of: &[Tensor]| {
            for batch in of {
                black_box(program.run(ROWS, vec![batch.clone()]).unwrap());
            }
        };
        measure(&format!("{op} {options:?}"), bytes, || all(&batches));
        measure(&format!("{op} {options:?}, {threads} threads"), bytes, || {
            std::thread::scope(|scope| {
                for share in batches.chunks(BATCHES.div_ceil(threads)) {
                    scope.spawn(|| all(share));
                }
            });
        });
    }
}
