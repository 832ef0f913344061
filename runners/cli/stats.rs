//! `frazil stats`: one scan of the data, and its statistics.

use std::sync::Arc;
use std::time::Instant;

use engine::{Pipeline, Receipt, Result};
use ops::stats::generate_statistics;
use ops::tfmd::DatasetFeatureStatisticsList;
use runners::table::{Sort, render};

use crate::args::{OutputArgs, StatsArgs};
use crate::failure::Done;
use crate::input::Input;
use crate::options::OptionArgs;
use crate::output::{self, Outputs};
use crate::receipt;
use crate::run::Run;

/// What a run gave, where it is to be written.
pub(crate) struct Computed {
    pub(crate) statistics: DatasetFeatureStatisticsList,
    pub(crate) receipt: Receipt,
    outputs: Outputs,
}

pub(crate) fn run(args: &StatsArgs) -> Done {
    let run = Run::start(&args.run, args.output.quiet)?;
    let (is_leader, is_quiet) = (run.is_leader(), run.is_quiet());
    let start = Instant::now();
    let computed = compute(args, &run);
    let computed = run.finish(computed)?;
    if is_leader {
        let elapsed = start.elapsed();
        deliver(&computed.statistics, &computed.outputs, &args.output)?;
        if let Some(path) = &args.output.receipt {
            receipt::write(path, &computed.receipt, elapsed)?;
        }
        if !is_quiet {
            output::note(&receipt::short(&computed.receipt, elapsed));
        }
    }
    Ok(())
}

/// One scan of the inputs.
pub(crate) fn compute(args: &StatsArgs, run: &Run) -> Result<Computed> {
    let flags = args.options.clone().load()?;
    let options = Arc::new(flags.to_stats_options()?);
    let input = Input::find(&args.inputs, &args.input)?;
    let outputs = Outputs::check(&args.output, &input.files)?;
    let types = args.options.infer_type_from_schema.then_some(()).and(options.schema.as_deref());
    let (_, source) = input.open(OptionArgs::columns(&options), types, run)?;
    let (pipeline, batches) = Pipeline::read(source);
    let statistics = generate_statistics(&batches, options);
    let plan = pipeline.plan();
    let description = flags.description()?;
    let states = args.run.states.as_deref();
    let mut ran = run.execute("computing statistics", &plan, &description, states)?;
    let statistics = statistics.output(&mut ran)?;
    Ok(Computed { statistics, receipt: ran.receipt, outputs })
}

/// Statistics into files, or onto the terminal where there are none.
pub(crate) fn deliver(
    statistics: &DatasetFeatureStatisticsList,
    outputs: &Outputs,
    args: &OutputArgs,
) -> Done {
    outputs.write(statistics)?;
    if args.json {
        output::print(&crate::forms::as_json(statistics))?;
    } else if outputs.is_empty() {
        output::print(&render(statistics, &output::table_options(Sort::Given)))?;
    }
    Ok(())
}
