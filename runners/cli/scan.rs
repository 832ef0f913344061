//! `frazil scan`: reads and decodes everything and computes nothing, to check files or to know how
//! long reading takes.

use std::time::Instant;

use engine::{Batch, CombineFn, Pipeline, Receipt, Result};

use crate::args::ScanArgs;
use crate::failure::Done;
use crate::input::Input;
use crate::output;
use crate::receipt;
use crate::run::Run;

/// The number of rows: the least that can be combined.
struct Count;

impl CombineFn for Count {
    type Input = Batch;
    type Accumulator = u64;
    type Output = u64;

    fn name(&self) -> &'static str {
        "count"
    }
    fn create_accumulator(&self) -> u64 {
        0
    }
    fn add_input(&self, acc: &mut u64, batch: &Batch) -> Result<()> {
        *acc += batch.records.num_rows() as u64;
        Ok(())
    }
    fn merge_accumulators(&self, acc: &mut u64, other: u64) -> Result<()> {
        *acc += other;
        Ok(())
    }
    fn extract_output(&self, acc: u64) -> Result<u64> {
        Ok(acc)
    }
}

pub(crate) fn run(args: &ScanArgs) -> Done {
    let run = Run::start(&args.run, args.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let scanned = scan(args, &run);
    let (rows, receipt) = run.finish(scanned)?;
    if is_leader {
        let elapsed = start.elapsed();
        if let Some(path) = &args.receipt {
            receipt::write(path, &receipt, elapsed)?;
        }
        output::print(&format!("{rows}\n"))?;
        if !is_quiet {
            output::note(&receipt::short(&receipt, elapsed));
        }
    }
    Ok(())
}

fn scan(args: &ScanArgs, run: &Run) -> Result<(u64, Receipt)> {
    let (_, source) = Input::find(&args.inputs, &args.input)?.open(None, None, run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let count = batches.combine_globally(Count);
    let mut outputs = run.execute("reading", &pipeline.plan(), "scan", None)?;
    Ok((count.output(&mut outputs)?, outputs.receipt))
}
