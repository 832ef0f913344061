//! `frazil demo`: from data to statistics, a schema, a verdict on another day, a report, a frozen graph
//! with the rows that it makes, and models that are trained behind it and judged.

use clap::Parser;

use crate::args::{Cli, Command, DemoArgs, StatsSubcommand};
use crate::failure::{Done, Failure};
#[cfg(feature = "serve")]
use crate::push;
#[cfg(feature = "train")]
use crate::train;
use crate::{
    analyze, evaluate, generate, graph, ingest, output, report, schema, show, stats, validate,
};

/// The preprocessing of TFX's examples, which the demo writes beside its data.
const TAXI: &str = include_str!("../../datasets/modules/taxi.star");
const BERT: &str = include_str!("../../datasets/modules/bert.star");
const PIECES: &str = include_str!("../../datasets/modules/vocab.txt");
/// What a model has to reach.
const EXPECTED: &str = include_str!("../../datasets/modules/eval_config.json");
/// The most sentences: so many are learnt in a quarter of a minute.
const MOST_TEXTS: u64 = 12_000;

pub(crate) fn run(args: &DemoArgs) -> Done {
    let dir = args.dir.display().to_string();
    let dir = dir.trim_end_matches('/');
    let rows = args.rows.0.to_string();
    let (data, next) = (format!("{dir}/data"), format!("{dir}/next"));
    let (input, drifted) = (format!("{data}/trips@8.tfrecord"), format!("{next}/trips@8.tfrecord"));
    let (binary, text) = (format!("{dir}/stats.pb"), format!("{dir}/stats.pbtxt"));
    let receipt = format!("{dir}/receipt.json");
    let schema = format!("{dir}/schema.pbtxt");
    let (next_stats, anomalies) = (format!("{dir}/next.pb"), format!("{dir}/anomalies.pbtxt"));
    let report = format!("{dir}/report.html");
    let trips = ["--name", "trips", "--columns", "full", "--rows", &rows];
    step(&[&["generate", &data], &trips[..]].concat())?;
    step(&["stats", &input, "-o", &binary, "-o", &text, "--receipt", &receipt])?;
    step(&["stats", "show", &binary])?;
    step(&["schema", "infer", &binary, "-o", &schema])?;
    step(&[&["generate", &next], &trips[..], &["--seed", "2", "--drift", "0.5"]].concat())?;
    let files = ["--statistics", &next_stats, "-o", &anomalies];
    let policy = ["--previous", &binary, "--drift-policy", "significant"];
    match step(&[&["validate", &drifted, "--schema", &schema], &policy[..], &files].concat()) {
        // The next day is meant to be found out.
        Ok(()) | Err(Failure::Data) => {}
        Err(failure) => return Err(failure),
    }
    let spans = [binary.as_str(), &next_stats, "--schema", &schema, "--anomalies", &anomalies];
    step(&[&["report"], &spans[..], &["-o", &report]].concat())?;

    let (module, frozen) = (format!("{dir}/taxi.star"), format!("{dir}/graph"));
    let (rows_of, picture) = (format!("{dir}/transformed"), format!("{dir}/graph.svg"));
    let [examples, train, eval] =
        ["", "/Split-train", "/Split-eval"].map(|split| format!("{dir}/examples{split}"));
    step(&["ingest", &input, "-o", &examples, "--overwrite"])?;
    datasets::artifacts::write_atomic(&module, TAXI.as_bytes())?;
    let analyze =
        ["analyze-and-transform", &train, "--preprocessing", &module, "--schema", &schema];
    step(&[&analyze[..], &["-o", &frozen, "--transformed", &rows_of, "--overwrite"]].concat())?;
    step(&["graph", "check", &frozen])?;
    step(&["graph", "svg", &frozen, "-o", &picture])?;
    let model = format!("{dir}/model");
    let (config, evaluation) = (format!("{dir}/eval_config.json"), format!("{dir}/evaluation"));
    let serving = format!("{dir}/serving");
    if cfg!(feature = "train") {
        datasets::artifacts::write_atomic(&config, EXPECTED.as_bytes())?;
        let learn = ["train", &train, "--eval", &eval, "--graph", &frozen, "--label", "tips_xf"];
        let how = ["--epochs", "20", "--learning-rate", "0.005", "-o", &model, "--overwrite"];
        step(&[&learn[..], &how].concat())?;
        let push = ["push", &model, "--to", &serving, "--blessing", &evaluation];
        let judge = ["evaluate", &eval, "--model", &model, "--config", &config];
        // Few rows make no good model, which is not pushed, then.
        for command in [&[&judge[..], &["-o", &evaluation, "--overwrite"]].concat(), &push[..]] {
            match step(command) {
                Ok(()) | Err(Failure::Data) => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    let texts = (args.rows.0 / 8).clamp(500, MOST_TEXTS).to_string();
    let [bert, pieces, tokens, ids, encoder] =
        ["bert.star", "vocab.txt", "graph", "transformed", "model"]
            .map(|it| format!("{dir}/texts/{it}"));
    let [learnt, held_out] = ["train", "eval"].map(|it| format!("{dir}/texts/{it}"));
    for (name, text) in [(&bert, BERT), (&pieces, PIECES)] {
        datasets::artifacts::write_atomic(name, text.as_bytes())?;
    }
    let sentences = ["--columns", "texts", "--shards", "2", "--rows"];
    step(&[&["generate", &learnt], &sentences[..], &[&texts]].concat())?;
    step(&[&["generate", &held_out], &sentences[..], &["1000", "--seed", "2"]].concat())?;
    let analyze = ["analyze-and-transform", &learnt, "--preprocessing", &bert, "--overwrite"];
    step(&[&analyze[..], &["-o", &tokens, "--transformed", &ids]].concat())?;
    step(&["stats", &ids])?;
    if cfg!(feature = "train") {
        let learn = ["train", &learnt, "--eval", &held_out, "--graph", &tokens, "--label", "label"];
        let kind = ["--architecture", "encoder", "--width", "64", "--batch", "64", "--epochs", "2"];
        step(&[&learn[..], &kind, &["-o", &encoder, "--overwrite"]].concat())?;
    }
    #[cfg(all(feature = "train", feature = "serve"))]
    if std::path::Path::new(&serving).exists() {
        ask(&serving)?;
    }
    output::print(&format!(
        "
What is where:
  {data}/  the data: 8 shards of tf.Examples
  {binary}  its statistics, as TensorFlow Data Validation writes them
  {text}  the same as text
  {receipt}  what became of every row, shard by shard
  {schema}  what is expected of data like these
  {next}/  the data of another day, which has drifted
  {anomalies}  what is wrong with it
  {report}  both days as a page for the browser
  {module}  features for a model, written down as for TensorFlow Transform
  {frozen}/  the same frozen: a graph with all that its analyzers found
  {rows_of}/  the rows that it makes, as tf.Examples
  {picture}  a picture of it
  {examples}/  the data in two splits, shuffled: to learn from, and to judge by
  {model}/  a wide and deep network behind the graph: would the tip be generous?
  {evaluation}/  how good it is, slice by slice: a page, numbers, and the blessing
  {serving}/  the model as it is served, under the number of its version
  {dir}/texts/  sentences, the inputs of a BERT model, and a model that tells right ones from wrong

What to type next:
  frazil explain {anomalies} payment_type
  frazil schema check {schema}
  frazil schema infer {binary} --suggest {dir}/tighter.pbtxt -o {schema}
  frazil validate {drifted} --schema {schema} --rejects {dir}/bad --clean {dir}/good
  frazil graph show {frozen}
  frazil transform {drifted} --graph {frozen} -o {dir}/next-transformed
  frazil predict {drifted} --model {model} -o {dir}/scored --keep trip_id
  frazil serve --model taxi={serving}
  frazil evaluate {drifted} --model {model} --baseline {evaluation} --slice payment_type
  frazil stats {input} --processes 2 --workers 1 -o {dir}/again.pb && cmp {binary} {dir}/again.pb
  frazil --help
"
    ))
}

/// A trip, as a client sends it.
#[cfg(all(feature = "train", feature = "serve"))]
const REQUEST: &str = r#"{"instances": [{"fare": 12.5, "trip_miles": 3.2, "trip_seconds": 840,
    "payment_type": "Credit Card", "company": "Taxi Affiliation Services",
    "pickup_latitude": 41.88, "pickup_longitude": -87.63, "dropoff_latitude": 41.97, "dropoff_longitude": -87.9}]}"#;

/// Serves what was pushed, for one request.
#[cfg(all(feature = "train", feature = "serve"))]
fn ask(serving: &str) -> Done {
    use std::io::{Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ::serve::{ModelConfig, Models, Options, Policy};

    let failed = |e: &std::io::Error| engine::Error::io("ask the model that is served", e);
    let config = ModelConfig {
        name: "taxi".to_owned(),
        directory: serving.into(),
        policy: Policy::default(),
        labels: std::collections::BTreeMap::new(),
    };
    output::note(&format!("$ frazil serve --model taxi={serving}\n"));
    let models = Models::new(vec![config])?;
    let options = Options { listen: "127.0.0.1:0".to_owned(), ..Options::default() };
    let is_over = &AtomicBool::new(false);
    let answer = std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let server = scope.spawn(move || {
            let log: ::serve::Log = Arc::new(|line: &str| output::note(&format!("{line}\n")));
            let started = move |addresses: &[String]| drop(sender.send(addresses[0].clone()));
            let stop = || is_over.load(Ordering::Relaxed);
            ::serve::serve(models, options, &log, started, stop)
        });
        let ask = || -> std::io::Result<String> {
            let address: String = receiver.recv().map_err(std::io::Error::other)?;
            let host = address.trim_start_matches("http://");
            let path = "/v1/models/taxi:predict";
            output::note(&format!("$ curl {address}{path} -d '{REQUEST}'\n"));
            let mut socket = std::net::TcpStream::connect(host)?;
            let length = REQUEST.len();
            write!(
                socket,
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
                 Content-Length: {length}\r\n\r\n{REQUEST}"
            )?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask();
        is_over.store(true, Ordering::Relaxed);
        match server.join() {
            Ok(ended) => ended.and_then(|()| answer.map_err(|e| failed(&e))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    output::print(&format!("{}\n", body.trim_end()))
}

/// Runs one command, as if it had been typed.
fn step(words: &[&str]) -> Done {
    output::note(&format!("$ frazil {}\n", words.join(" ")));
    let cli = Cli::try_parse_from(std::iter::once(&"frazil").chain(words));
    match cli.map(|cli| cli.command) {
        Ok(Command::Generate(mut args)) => {
            args.is_part = true;
            generate::run(&args)
        }
        Ok(Command::Stats(args)) => match &args.command {
            Some(StatsSubcommand::Show(args)) => show::run(args),
            _ => stats::run(&args.run),
        },
        Ok(Command::Schema(args)) => schema::run(&args),
        Ok(Command::Validate(args)) => validate::run(&args),
        Ok(Command::Report(args)) => report::run(&args),
        Ok(Command::AnalyzeAndTransform(args)) => analyze::run_and_transform(&args),
        Ok(Command::Graph(args)) => graph::run(&args),
        Ok(Command::Ingest(args)) => ingest::run(&args),
        Ok(Command::Evaluate(args)) => evaluate::run(&args),
        #[cfg(feature = "train")]
        Ok(Command::Train(args)) => train::run(&args),
        #[cfg(feature = "serve")]
        Ok(Command::Push(args)) => push::run(&args),
        Ok(_) => Ok(()),
        Err(error) => Err(engine::Error::invalid("the demo's own command is wrong")
            .with_detail(error.to_string())
            .into()),
    }
}
