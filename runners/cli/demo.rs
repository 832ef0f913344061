//! `frazil demo`: data, statistics and the table, with the commands that made them.

use clap::Parser;

use crate::args::{Cli, Command, DemoArgs, StatsSubcommand};
use crate::failure::Done;
use crate::{generate, output, show, stats};

pub(crate) fn run(args: &DemoArgs) -> Done {
    let dir = args.dir.display().to_string();
    let dir = dir.trim_end_matches('/');
    let rows = args.rows.0.to_string();
    let data = format!("{dir}/data");
    let input = format!("{data}/trips@8.tfrecord");
    let (binary, text) = (format!("{dir}/stats.pb"), format!("{dir}/stats.pbtxt"));
    let receipt = format!("{dir}/receipt.json");
    step(&["generate", &data, "--name", "trips", "--columns", "full", "--rows", &rows])?;
    step(&["stats", &input, "-o", &binary, "-o", &text, "--receipt", &receipt])?;
    step(&["stats", "show", &binary])?;
    output::print(&format!(
        "
What is where:
  {data}/  the data: 8 shards of tf.Examples
  {binary}  its statistics, as TensorFlow Data Validation writes them
  {text}  the same as text
  {receipt}  what became of every row, shard by shard

What to type next:
  frazil stats show {binary} --sort missing
  frazil stats {input} --slice payment_type --features fare,tips,payment_type
  frazil stats {input} --processes 2 --workers 1 -o {dir}/again.pb && cmp {binary} {dir}/again.pb
  frazil generate {dir}/drifted --name trips --columns full --drift 0.5
  frazil generators
  frazil stats --help
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
        Ok(_) => Ok(()),
        Err(error) => Err(engine::Error::invalid("the demo's own command is wrong")
            .with_detail(error.to_string())
            .into()),
    }
}
