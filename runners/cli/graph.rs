//! `frazil graph`: frozen graphs shown, drawn and checked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use engine::Error;
use ops::tfmd::load_schema;
use runners::graph::{as_json, dot, show, svg};
use serde_json::json;
use transform::TransformGraph;
use transform::export::onnx;

use crate::failure::Done;
use crate::forms::write_files;
use crate::import::{self, ImportArgs};
use crate::module::Module;
use crate::options::load;
use crate::{interrupt, output};

const HELP: &str = "\
Examples:
  frazil graph show graph             inputs, outputs, what analyzers found, calls by line
  frazil graph svg graph -o graph.svg a picture for the browser
  frazil graph dot graph | dot -Tpdf  the same by Graphviz
  frazil graph check graph            digests, types, golden rows to the bit
  frazil graph columns graph          the columns that rows must have
  frazil graph columns --preprocessing taxi.star --schema schema.pbtxt
                                      the same, and those that analyzers read, before any data is read
  frazil graph export graph --to tensorflow -o transform_graph
                                      for TFT's TFTransformOutput, TFX's Trainer, and TensorFlow Serving
  frazil graph export graph --to onnx -o graph.onnx
                                      for onnxruntime
  frazil graph import transform_graph -o module
                                      vocabularies with their ids, and the schema, of TFX's Transform
  frazil graph import tokenizer.json -o module
                                      a tokenizer of Hugging Face

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
    /// List the columns that analyzers read and those that rows must have
    Columns(ColumnsArgs),
    /// Write the graph for another runtime
    Export(ExportArgs),
    /// Begin a module with the vocabularies or the tokenizer that another program has made
    Import(ImportArgs),
}

/// Another runtime.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Runtime {
    /// `transform_fn`, `transformed_metadata` and `metadata` as TensorFlow Transform writes them, and
    /// `serving`, a SavedModel that takes serialized tf.Examples
    Tensorflow,
    /// One file for onnxruntime, which columns are fed to as tensors: opset 20, and 4 of `ai.onnx.ml`
    Onnx,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The graph's directory
    #[arg(value_name = "DIR")]
    graph: PathBuf,
    /// The runtime
    #[arg(long, value_enum, value_name = "RUNTIME")]
    to: Runtime,
    /// Where to write
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    /// Replace an earlier export
    #[arg(long)]
    overwrite: bool,
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
struct ColumnsArgs {
    /// The graph's directory: rows that it transforms have these columns
    #[arg(value_name = "DIR", required_unless_present = "preprocessing")]
    graph: Option<PathBuf>,
    /// A module in place of a graph: Starlark that defines `preprocessing_fn(inputs)`
    #[arg(short, long, value_name = "FILE", requires = "schema", conflicts_with = "graph")]
    preprocessing: Option<PathBuf>,
    /// The schema of the module's data
    #[arg(long, value_name = "FILE", requires = "preprocessing")]
    schema: Option<PathBuf>,
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
        GraphSubcommand::Columns(args) => columns(args),
        GraphSubcommand::Export(args) => export(args),
        GraphSubcommand::Import(args) => import::run(args),
    }
}

fn export(args: &ExportArgs) -> Done {
    let graph = TransformGraph::load(&args.graph)?;
    let shown = args.output.display();
    match args.to {
        Runtime::Tensorflow => {
            let schema = load(&args.graph.join("input_schema.pbtxt"), load_schema)?;
            let _writing = interrupt::writing();
            let exported = graph.export_tensorflow(&args.output, Some(&schema), args.overwrite)?;
            let (nodes, assets) = (exported.nodes, exported.assets);
            if !exported.is_served {
                output::note("no `serving`: lists of lists are no part of a tf.Example\n");
            }
            output::print(&format!("{nodes} nodes and {assets} vocabularies in `{shown}`\n"))
        }
        Runtime::Onnx => {
            if args.output.exists() && !args.overwrite {
                return Err(Error::invalid(format!("`{shown}` is there already"))
                    .with_hint("Name a new file, or pass `--overwrite` to replace it.")
                    .into());
            }
            let onnx::Exported { bytes, nodes } = onnx::model(graph.graph())?;
            write_files([(args.output.as_path(), bytes)])?;
            output::print(&format!("{nodes} nodes in `{shown}`\n"))
        }
    }
}

fn columns(args: &ColumnsArgs) -> Done {
    let (graph, of_module) = match (&args.graph, &args.preprocessing, &args.schema) {
        (Some(directory), _, _) => (TransformGraph::load(directory)?.graph().clone(), false),
        (_, Some(module), Some(schema)) => {
            let read = load(schema, load_schema)?;
            (Module::read(module)?.trace(&read, Some(schema.as_path()), args.json)?, true)
        }
        _ => return Err(Error::invalid("neither a graph nor a module is named").into()),
    };
    let transform = graph.transform_input_columns();
    // Analyzers of a frozen graph have run.
    let analyze = of_module.then(|| graph.analyze_input_columns());
    if args.json {
        let mut found = json!({ "transform": transform });
        if let Some(analyze) = analyze {
            found["analyze"] = json!(analyze);
        }
        return output::print(&format!("{found:#}\n"));
    }
    let lines = |what: &str, names: &[&str]| {
        let names = if names.is_empty() { "none".to_owned() } else { names.join("\n  ") };
        format!("{what}\n  {names}\n")
    };
    let analyze = analyze.map(|names| lines("analyzers read", &names)).unwrap_or_default();
    output::print(&format!("{analyze}{}", lines("rows must have", &transform)))
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
