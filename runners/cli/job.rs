//! What every command takes that reads all rows and writes something new.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use datasets::artifacts::refuse_inputs;
use datasets::inputs::InputFile;
use engine::{Receipt, Result};

use crate::args::{InputArgs, RunArgs};
use crate::failure::Done;
use crate::run::Run;
use crate::{output, receipt};

#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// Replace earlier outputs, each as a whole
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Write the whole row receipt as JSON: for each shard what was read, rejected and counted
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

impl JobArgs {
    /// Checks that the receipt is not written over what is read.
    pub(crate) fn check_receipt(&self, files: &[InputFile]) -> Result<()> {
        self.receipt.iter().try_for_each(|path| refuse_inputs(path, files))
    }

    /// Does the work, which gives a receipt for each scan and what else there is to say at the end.
    pub(crate) fn run(
        &self,
        work: impl FnOnce(&mut Run) -> Result<(Vec<Receipt>, String)>,
    ) -> Done {
        let mut run = Run::start(&self.run, self.quiet)?;
        let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
        let start = Instant::now();
        let worked = work(&mut run);
        let (receipts, note) = run.finish(worked)?;
        if !is_leader {
            return Ok(());
        }
        let elapsed = start.elapsed();
        if let Some(path) = &self.receipt {
            receipt::write_all(path, &receipts, elapsed)?;
        }
        if is_quiet {
            return Ok(());
        }
        if let Some((last, earlier)) = receipts.split_last() {
            output::note(&receipt::short(last, elapsed));
            for (number, receipt) in (1..).zip(earlier) {
                output::note(&receipt::cached(receipt, &format!(" in phase {number}")));
            }
        }
        output::note(&note);
        Ok(())
    }
}
