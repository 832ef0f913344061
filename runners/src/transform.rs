//! From a traced graph to a frozen one: phases of analyzers, each one scan of the data.

use std::sync::Arc;

use engine::{Pipeline, Receipt, Result, RunOptions, Source};
use transform::{Graph, Phase, TransformGraph};

use crate::Runner;

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
    mut graph: Graph,
    source: &Arc<dyn Source>,
    runner: &Runner,
    options: &RunOptions,
) -> Result<Analysis> {
    let mut receipts = Vec::new();
    loop {
        let (pipeline, batches) = Pipeline::read(source.clone());
        let Some(phase) = Phase::attach(&graph, &batches)? else { break };
        let plan = pipeline.plan();
        let fingerprint = plan.fingerprint(&format!("analyze, phase {}", receipts.len() + 1));
        let mut outputs = runner.run(&plan, options, fingerprint)?;
        phase.bind(&mut graph, &mut outputs)?;
        receipts.push(outputs.receipt);
    }
    Ok(Analysis { graph: TransformGraph::new(graph)?, receipts })
}
