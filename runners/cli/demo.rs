//! `frazil demo`: from data to statistics, a schema, a verdict on another day, a report, and a frozen
//! graph with the rows that it makes.

use clap::Parser;

use crate::args::{Cli, Command, DemoArgs, StatsSubcommand};
use crate::failure::{Done, Failure};
use crate::{analyze, generate, graph, output, report, schema, show, stats, validate};

/// The preprocessing of TFX's examples, which the demo writes beside its data.
const TAXI: &str = include_str!("../../datasets/modules/taxi.star");
const BERT: &str = include_str!("../../datasets/modules/bert.star");
const PIECES: &str = include_str!("../../datasets/modules/vocab.txt");
const SENTENCES: &str = include_str!("../../datasets/modules/sentences.csv");

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
    datasets::artifacts::write_atomic(&module, TAXI.as_bytes())?;
    let analyze =
        ["analyze-and-transform", &input, "--preprocessing", &module, "--schema", &schema];
    step(&[&analyze[..], &["-o", &frozen, "--transformed", &rows_of, "--overwrite"]].concat())?;
    step(&["graph", "check", &frozen])?;
    step(&["graph", "svg", &frozen, "-o", &picture])?;

    let files = [("bert.star", BERT), ("vocab.txt", PIECES), ("sentences.csv", SENTENCES)];
    for (name, text) in files {
        datasets::artifacts::write_atomic(format!("{dir}/texts/{name}"), text.as_bytes())?;
    }
    let [bert, sentences, tokens, ids] = ["bert.star", "sentences.csv", "graph", "transformed"]
        .map(|it| format!("{dir}/texts/{it}"));
    let analyze = ["analyze-and-transform", &sentences, "--preprocessing", &bert, "--overwrite"];
    step(&[&analyze[..], &["-o", &tokens, "--transformed", &ids]].concat())?;
    step(&["stats", &ids])?;
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
  {dir}/texts/  sentences, and the same for them: the inputs of a BERT model

What to type next:
  frazil explain {anomalies} payment_type
  frazil schema check {schema}
  frazil schema infer {binary} --suggest {dir}/tighter.pbtxt -o {schema}
  frazil validate {drifted} --schema {schema} --rejects {dir}/bad --clean {dir}/good
  frazil graph show {frozen}
  frazil transform {drifted} --graph {frozen} -o {dir}/next-transformed
  frazil stats {input} --processes 2 --workers 1 -o {dir}/again.pb && cmp {binary} {dir}/again.pb
  frazil --help
"
    ))
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
        Ok(_) => Ok(()),
        Err(error) => Err(engine::Error::invalid("the demo's own command is wrong")
            .with_detail(error.to_string())
            .into()),
    }
}
