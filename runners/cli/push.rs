//! `frazil push`: a model becomes the next version in a directory that servers watch.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ::serve::{Blessing, Outcome, Push, Pushed};
use clap::Args;
use engine::{Error, Result};

use crate::failure::{Done, Failure};
use crate::{interrupt, output};

const HELP: &str = "\
Examples:
  frazil push model --to /models/taxi --blessing evaluation
  frazil push model --to /models/taxi --blessing evaluation --blessing infra/BLESSED
  frazil push /models/taxi/1732800000 --to /models/taxi      go back to an older version
  frazil push model --to /models/taxi --force                whatever others say; that is recorded

A model is pushed if every blessing that is given says so: what `frazil evaluate -o` has written, or a
file BLESSED or NOT_BLESSED. Without any it is pushed with a warning.

The copy in BASE is read again with all its checks, and asked with its golden rows as a server is asked,
before it becomes visible, as a whole, as `BASE/VERSION`. `push.json` in it says where it came from. A
model that is the greatest version already is not pushed again.

Exit codes:
  0    pushed, or there already
  1    not blessed, and not pushed
  2    failed; the reason is on stderr, and nothing was pushed
  130  interrupted; nothing was pushed";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct PushArgs {
    /// A model that `frazil train` has written, a frozen graph, or an older version
    #[arg(value_name = "MODEL")]
    source: PathBuf,
    /// The directory of versions, as a server watches it
    #[arg(long = "to", value_name = "BASE")]
    base: PathBuf,
    /// An evaluation's directory, its validation.json, or a file BLESSED; may be repeated
    #[arg(long = "blessing", value_name = "PATH")]
    blessings: Vec<PathBuf>,
    /// Push also what is not blessed, and what is there already
    #[arg(long)]
    force: bool,
    /// The version's number [default: seconds since 1970, or more]
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &PushArgs) -> Done {
    let blessings: Result<Vec<Blessing>> =
        args.blessings.iter().map(|path| Blessing::read(path)).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|_| Error::invalid("this machine's clock is before 1970"))?.as_secs();
    let push = Push {
        source: &args.source,
        base: &args.base,
        blessings: blessings?,
        force: args.force,
        version: args.version,
        now,
    };
    let pushed = {
        let _writing = interrupt::writing();
        push.run()?
    };
    if args.json {
        let json = serde_json::to_string_pretty(&pushed)
            .expect("it is plain data with texts as keys, which always serializes");
        output::print(&format!("{json}\n"))?;
    } else {
        if args.blessings.is_empty() && pushed.pushed {
            output::note("no `--blessing`: nobody has said that this model is good\n");
        }
        output::print(&said(&pushed))?;
    }
    if pushed.outcome == Outcome::NotBlessed { Err(Failure::Data) } else { Ok(()) }
}

fn said(pushed: &Pushed) -> String {
    let source = pushed.source.display();
    let mut text = String::new();
    for blessing in pushed.blessings.iter().filter(|blessing| !blessing.blessed) {
        let _ = writeln!(text, "not blessed by `{}`:", blessing.from);
        for reason in &blessing.reasons {
            let _ = writeln!(text, "  {reason}");
        }
    }
    let version = pushed.pushed_version.unwrap_or_default();
    let _ = match pushed.outcome {
        Outcome::NotBlessed => writeln!(text, "`{source}` was not pushed"),
        Outcome::AlreadyThere => writeln!(text, "`{source}` is version {version} already"),
        Outcome::Pushed => {
            let how = if pushed.forced { "forced" } else { "pushed" };
            let rows = pushed.queried_rows;
            writeln!(
                text,
                "{how} `{source}` as version {version}; it has answered {rows} golden rows"
            )
        }
    };
    text
}
