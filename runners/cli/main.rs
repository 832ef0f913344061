//! The program `frazil`: flags in, options and runners called, results out.

mod analyze;
mod args;
mod demo;
mod evaluate;
mod examples;
mod explain;
mod failure;
mod forms;
mod generate;
mod generators;
mod graph;
mod import;
mod ingest;
mod input;
mod interrupt;
mod job;
mod merge;
mod module;
mod operations;
mod options;
mod output;
mod predict;
mod progress;
#[cfg(feature = "serve")]
mod push;
mod receipt;
mod report;
mod run;
mod scan;
mod schema;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod skew;
mod stats;
#[cfg(feature = "train")]
mod train;
mod transform;
mod validate;
mod values;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, StatsSubcommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::install();
    let done = match cli.command {
        Command::Stats(stats) => match stats.command {
            None => stats::run(&stats.run),
            Some(StatsSubcommand::Show(args)) => show::run(&args),
            Some(StatsSubcommand::Merge(args)) => merge::run(&args),
        },
        Command::Validate(args) => validate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Ingest(args) => ingest::run(&args),
        Command::Skew(args) => skew::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::AnalyzeAndTransform(args) => analyze::run_and_transform(&args),
        Command::Transform(args) => transform::run(&args),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args),
        #[cfg(feature = "serve")]
        Command::Push(args) => push::run(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Generators(args) => generators::run(&args),
        Command::Ops(args) => operations::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Demo(args) => demo::run(&args),
    };
    failure::exit_code(done)
}
