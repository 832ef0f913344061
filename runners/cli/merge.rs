//! `frazil stats merge`: the states of several runs, as if one run had read all their shards.

use std::sync::Arc;
use std::time::Instant;

use engine::{Error, ErrorKind, Pipeline, StateStore, StoredStates};
use ops::stats::generate_statistics;

use crate::args::MergeArgs;
use crate::failure::Done;
use crate::options::OptionArgs;
use crate::output::{self, Outputs};
use crate::{receipt, stats};

pub(crate) fn run(args: &MergeArgs) -> Done {
    let start = Instant::now();
    let outputs = Outputs::check(&args.output, &[])?;
    let mut stores = Vec::new();
    let mut described: Option<String> = None;
    for directory in &args.directories {
        let (store, description) = StateStore::open(directory)?;
        if described.as_ref().is_some_and(|first| *first != description) {
            let (first, other) = (args.directories[0].display(), directory.display());
            let message = format!("`{first}` and `{other}` hold states of different options");
            return Err(Error::new(ErrorKind::Incompatible, message)
                .with_hint("Compute one of them again, with the options of the other.")
                .into());
        }
        described.get_or_insert(description);
        stores.push(store);
    }
    let description = described.unwrap_or_default();
    let options = OptionArgs::from_description(&description)?.to_stats_options()?;
    let states = StoredStates::open(&stores)?;
    let (pipeline, batches) = Pipeline::read(states.source());
    let statistics = generate_statistics(&batches, Arc::new(options));
    let plan = pipeline.plan();
    let mut merged = states.merge(&plan, plan.fingerprint(&description))?;
    let statistics = statistics.output(&mut merged)?;
    merged.receipt.reconcile()?;
    stats::deliver(&statistics, &outputs, &args.output)?;
    if let Some(path) = &args.output.receipt {
        receipt::write(path, &merged.receipt, start.elapsed())?;
    }
    if !args.output.quiet {
        let total = merged.receipt.total();
        output::note(&format!(
            "merged {} of {} in {:.1} s, without reading data\n",
            receipt::plural(total.counted, "row"),
            receipt::plural(merged.receipt.shards.len() as u64, "shard"),
            start.elapsed().as_secs_f64(),
        ));
    }
    Ok(())
}
