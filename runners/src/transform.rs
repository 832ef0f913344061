//! From a traced graph to a frozen one: phases of analyzers, each one scan of the data.

use std::sync::Arc;

use engine::{Error, Outputs, Pipeline, Plan, Receipt, Result, RunOptions, Source};
use transform::{Graph, Phase, TransformGraph};

use crate::Runner;

/// How many analyzers an error names.
const NAMED: usize = 3;

/// What an analysis gives.
pub struct Analysis {
    /// The graph with all results bound.
    pub graph: TransformGraph,
    /// What became of every record, in each phase.
    pub receipts: Vec<Receipt>,
}

/// Runs the analyzers of a graph over the source, phase by phase.
///
/// # Errors
/// When a run fails, or an analyzer does not suit the data.
pub fn analyze(
    graph: Graph,
    source: &Arc<dyn Source>,
    runner: &Runner,
    options: &RunOptions,
) -> Result<Analysis> {
    analyze_with(graph, source, |plan, description| {
        runner.run(plan, options, plan.fingerprint(description))
    })
}

/// As [`analyze`]; each phase is run by `run`, which is given its plan and what else its states depend
/// on.
///
/// # Errors
/// As [`analyze`], naming the phase.
pub fn analyze_with(
    mut graph: Graph,
    source: &Arc<dyn Source>,
    mut run: impl FnMut(&Plan, &str) -> Result<Outputs>,
) -> Result<Analysis> {
    let mut receipts = Vec::new();
    loop {
        let number = receipts.len() + 1;
        let (pipeline, batches) = Pipeline::read(source.clone());
        let attached = Phase::attach(&graph, &batches).map_err(|e| in_phase(number, "", e))?;
        let Some(phase) = attached else { break };
        let mut calls: Vec<String> = phase.calls(&graph).take(NAMED).collect();
        let more = phase.calls(&graph).len() - calls.len();
        calls.iter_mut().for_each(|call| *call = format!("`{call}`"));
        let calls = match more {
            0 => calls.join(", "),
            n => format!("{} and {n} more", calls.join(", ")),
        };
        let mut outputs = run(&pipeline.plan(), &format!("analyze, phase {number}: {calls}"))
            .map_err(|e| in_phase(number, &calls, e))?;
        phase.bind(&mut graph, &mut outputs).map_err(|e| in_phase(number, "", e))?;
        receipts.push(outputs.receipt);
    }
    Ok(Analysis { graph: TransformGraph::new(graph)?, receipts })
}

/// An error with the phase in which it came up, and what was computed.
fn in_phase(number: usize, calls: &str, error: Error) -> Error {
    let place = match calls {
        "" => format!("In phase {number} of the analysis."),
        calls => format!("In phase {number} of the analysis, of {calls}."),
    };
    let detail = error.detail().map_or_else(|| place.clone(), |detail| format!("{detail} {place}"));
    error.with_detail(detail)
}
