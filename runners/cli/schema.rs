//! `frazil schema`: made from statistics, relaxed by them, shown, compared and checked.

mod check;
mod files;
mod make;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ops::schema::diff;
use runners::table::{Sort, render_schema};

use crate::args::{InputArgs, RunArgs};
use crate::failure::{Done, Failure};
use crate::forms::as_json;
use crate::options::OptionArgs;
use crate::output;

pub(crate) use files::read_schema;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct SchemaCommand {
    #[command(subcommand)]
    command: SchemaSubcommand,
}

const HELP: &str = "\
Examples:
  frazil schema infer stats.pb -o schema.pbtxt            what TFDV infers from these statistics
  frazil schema infer data/ --suggest tighter.pbtxt       and what one could ask for beyond that
  frazil schema check schema.pbtxt                        what is wrong with it, line by line
  frazil schema update schema.pbtxt new.pb -o next.pbtxt  relaxed until it accepts new.pb
  frazil schema diff schema.pbtxt next.pbtxt              what that has changed

Schemas are read as text, binary or JSON, whatever their names are, and from stdin as `-`.
They are written by the ending of the name: .pbtxt, .pb or .json.

Exit codes:
  0    done; the schemas are equal, or nothing is wrong
  1    the schemas differ, or the schema has errors
  2    failed; the reason is on stderr, and nothing was written under its final name";

#[derive(Debug, Subcommand)]
enum SchemaSubcommand {
    /// Infer a schema from statistics, or from data in one scan
    Infer(InferArgs),
    /// Relax a schema until it accepts statistics; never tightens it
    Update(UpdateArgs),
    /// Show a schema as a table
    Show(ShowArgs),
    /// Say how one schema differs from another, and which changes relax or tighten it
    Diff(DiffArgs),
    /// Find what is wrong with a schema, without data
    Check(CheckArgs),
}

/// Statistics: in a file, or computed from data.
#[derive(Debug, Args)]
struct FromArgs {
    /// A file of statistics, `-` for stdin, or data: files, directories, globs, numbered shards
    #[arg(required = true, value_name = "STATS_OR_DATA")]
    inputs: Vec<String>,
    /// Write the schema to a file: .pbtxt, .pb or .json; without it the text is printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The most distinct strings that become a domain
    #[arg(long, value_name = "N", default_value = "100")]
    max_string_domain_size: usize,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    options: OptionArgs,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Args)]
struct InferArgs {
    #[command(flatten)]
    from: FromArgs,
    /// Infer numbers of values, but no fixed shapes
    #[arg(long)]
    no_shape: bool,
    /// Also write a tighter schema, with what statistics suggest beyond TFDV and their support
    #[arg(long, value_name = "FILE")]
    suggest: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct UpdateArgs {
    /// The schema to relax
    #[arg(value_name = "SCHEMA")]
    old: PathBuf,
    #[command(flatten)]
    from: FromArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// A schema: text, binary or JSON
    #[arg(value_name = "SCHEMA")]
    file: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The old schema
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The new schema
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Print JSON instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// A schema: text, binary or JSON
    #[arg(value_name = "SCHEMA", required_unless_present = "list")]
    file: Option<PathBuf>,
    /// Print JSON instead of lines
    #[arg(long)]
    json: bool,
    /// Leave out notes of what nobody checks
    #[arg(long)]
    no_notes: bool,
    /// List everything that is looked for
    #[arg(long, exclusive = true)]
    list: bool,
}

pub(crate) fn run(args: &SchemaCommand) -> Done {
    match &args.command {
        SchemaSubcommand::Infer(args) => make::infer(args),
        SchemaSubcommand::Update(args) => make::update(args),
        SchemaSubcommand::Show(args) => show(args),
        SchemaSubcommand::Diff(args) => compare(args),
        SchemaSubcommand::Check(args) => check::run(args),
    }
}

fn show(args: &ShowArgs) -> Done {
    let schema = read_schema(&args.file)?.schema;
    if args.json {
        return output::print(&as_json(&schema));
    }
    output::print(&render_schema(&schema, &output::table_options(Sort::Given)))
}

fn compare(args: &DiffArgs) -> Done {
    let (old, new) = (read_schema(&args.old)?, read_schema(&args.new)?);
    let found = diff(&old.schema, &new.schema)?;
    if args.json {
        output::print(&files::pretty(&found)?)?;
    } else if found.is_empty() && !found.same_bytes {
        output::print("no difference but the order of parts\n")?;
    } else {
        output::print(&found.to_string())?;
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::Data) }
}
