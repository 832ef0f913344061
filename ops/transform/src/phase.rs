//! One phase of an analysis: every analyzer that can run now, in one scan.

use engine::{Batch, CombineFn, Error, Outputs, PCollection, Result};

use crate::analyzer::{self, Analyzer, Columns, Fed, Pending};
use crate::graph::{Graph, What};
use crate::identity::{self, Identities};
use crate::op::{Kind, Ref};
use crate::program::Program;
use crate::transform_graph::Evaluate;

/// The analyzers of a phase, attached to a pipeline.
pub struct Phase {
    nodes: Vec<u32>,
    pending: Vec<Pending>,
}

impl Phase {
    /// Attaches the next phase of a graph to a pipeline; `None` when all analyzers have run.
    ///
    /// # Errors
    /// When an analyzer does not suit its arguments.
    pub fn attach(graph: &Graph, batches: &PCollection<Batch>) -> Result<Option<Phase>> {
        let nodes = graph.next_phase();
        if nodes.is_empty() {
            return Ok(None);
        }
        let mut wanted: Vec<Ref> = Vec::new();
        let mut analyzers: Vec<(Analyzer, Fed)> = Vec::new();
        let inputs = nodes.iter().flat_map(|&node| graph.nodes[node as usize].inputs());
        let identities = Identities::of(graph, inputs);
        for &node in &nodes {
            let What::Op(bound) = &graph.nodes[node as usize].what else { continue };
            let Kind::Analyze { analyzer, .. } = bound.op.kind else { continue };
            let places = bound.inputs().map(|value| {
                wanted.iter().position(|known| *known == value).unwrap_or_else(|| {
                    wanted.push(value);
                    wanted.len() - 1
                })
            });
            let fed = Fed {
                places: places.collect(),
                inputs: bound.inputs().map(|value| identities.get(value)).collect(),
                identity: identities.of_call(bound, &graph.nodes[node as usize].types),
            };
            let made = graph.with_call(bound, analyzer);
            analyzers.push((made.map_err(|e| of_analyzer(graph, node, e))?, fed));
        }
        let program = Program::new(graph, &wanted)?;
        let columns = batches.par_do(Evaluate(program));
        columns.combine_globally(RowsRead { inputs: identity::of_inputs(graph) });
        let pending = analyzer::attach(analyzers, &columns);
        Ok(Some(Phase { nodes, pending }))
    }

    /// The calls of its analyzers, as they would be written.
    pub fn calls<'a>(&'a self, graph: &'a Graph) -> impl ExactSizeIterator<Item = String> + 'a {
        self.nodes.iter().map(|&node| graph.show(Ref { node, port: 0 }))
    }

    /// Binds the results of the run.
    ///
    /// # Errors
    /// When a result cannot be computed: an analyzer's state contradicts an option.
    pub fn bind(self, graph: &mut Graph, outputs: &mut Outputs) -> Result<()> {
        for (node, pending) in self.nodes.into_iter().zip(self.pending) {
            let bound = pending(outputs).and_then(|values| graph.bind(node, values));
            bound.map_err(|e| of_analyzer(graph, node, e))?;
        }
        Ok(())
    }
}

/// The number of rows, as they are read for these columns.
///
/// Which records are bad depends on the columns that are read of them, all columns of the graph. In a
/// cache the analyzers alone cannot tell: their states are found whatever else was read with them.
/// This one is found only where the same columns were.
struct RowsRead {
    inputs: u128,
}

impl CombineFn for RowsRead {
    type Input = Columns;
    type Accumulator = u64;
    type Output = u64;

    fn name(&self) -> &'static str {
        "rows read"
    }
    fn identity(&self) -> Option<String> {
        Some(format!("{:032x}", self.inputs))
    }
    fn create_accumulator(&self) -> u64 {
        0
    }
    fn add_input(&self, acc: &mut u64, input: &Columns) -> Result<()> {
        *acc += input.rows as u64;
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

/// The error of an analyzer, with the call and its place, where it does not say more already.
fn of_analyzer(graph: &Graph, node: u32, error: Error) -> Error {
    if error.detail().is_some() {
        return error;
    }
    let shown = graph.show(Ref { node, port: 0 });
    error.with_detail(match &graph.nodes[node as usize].origin {
        Some(origin) => format!("Analyzer `{shown}`, at {origin}."),
        None => format!("Analyzer `{shown}`."),
    })
}
