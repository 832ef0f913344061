//! `frazil graph`: frozen graphs shown, drawn and checked.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use runners::graph::{as_json, dot, show, svg};
use serde_json::json;
use transform::TransformGraph;

use crate::failure::Done;
use crate::forms::write_files;
use crate::output;

const HELP: &str = "\
Examples:
  frazil graph show graph             inputs, outputs, what analyzers found, calls by line
  frazil graph svg graph -o graph.svg a picture for the browser
  frazil graph dot graph | dot -Tpdf  the same by Graphviz
  frazil graph check graph            digests, types, golden rows to the bit

Exit codes:
  0    done
  2    failed, or the graph is not whole; the reason is on stderr";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct GraphCommand {
    #[command(subcommand)]
    command: GraphSubcommand,
}

#[derive(Debug, Subcommand)]
enum GraphSubcommand {
    /// Show inputs, outputs with their ranges, analyzers with their values, and calls by line
    Show(AskArgs),
    /// Print the graph for Graphviz
    Dot(DrawArgs),
    /// Draw the graph
    Svg(DrawArgs),
    /// Check the whole directory, and compute its golden rows again
    Check(AskArgs),
}

#[derive(Debug, Args)]
struct AskArgs {
    /// The graph's directory
    #[arg(value_name = "DIR")]
    graph: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DrawArgs {
    /// The graph's directory
    #[arg(value_name = "DIR")]
    graph: PathBuf,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &GraphCommand) -> Done {
    match &args.command {
        GraphSubcommand::Show(args) => {
            let (graph, checked) = TransformGraph::load_checked(&args.graph)?;
            output::print(&if args.json {
                format!("{:#}\n", as_json(&graph, &checked.fingerprint)?)
            } else {
                show(&graph, &checked.fingerprint)
            })
        }
        GraphSubcommand::Dot(args) => draw(args, dot),
        GraphSubcommand::Svg(args) => draw(args, svg),
        GraphSubcommand::Check(args) => check(args),
    }
}

fn draw(args: &DrawArgs, draw: fn(&transform::Graph) -> String) -> Done {
    let drawn = draw(TransformGraph::load(&args.graph)?.graph());
    match &args.output {
        None => output::print(&drawn),
        Some(path) => Ok(write_files([(path.as_path(), drawn.into_bytes())])?),
    }
}

fn check(args: &AskArgs) -> Done {
    match TransformGraph::load_checked(&args.graph) {
        Ok((_, checked)) if args.json => {
            output::print(&format!("{:#}\n", json!({ "ok": true, "checked": checked })))
        }
        Ok((_, checked)) => output::print(&format!(
            "whole: {} files of {} bytes, {} golden rows to the bit\n{}\n",
            checked.files, checked.bytes, checked.golden_rows, checked.fingerprint
        )),
        Err(error) => {
            if args.json {
                let found = json!({
                    "ok": false,
                    "message": error.message(),
                    "detail": error.detail(),
                    "hint": error.hint(),
                });
                output::print(&format!("{found:#}\n"))?;
            }
            Err(error.into())
        }
    }
}
