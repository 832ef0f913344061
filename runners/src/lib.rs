//! Where a plan runs: the obvious loop, the threads of this process, or a cluster of processes.
//!
//! **Invariant:** all three give the same bytes. **Invariant:** there is no mathematics here.

pub mod cluster;
pub mod direct;
pub mod evaluate;
pub mod examples;
pub mod gate;
pub mod graph;
pub mod report;
pub mod rows;
pub mod table;
pub mod transform;

use engine::dataflow::Workers;
use engine::{Outputs, Plan, Result, RunOptions};

/// Where a plan runs.
#[derive(Clone, Debug)]
pub enum Runner {
    /// A plain loop over the shards: the oracle that the others are held to.
    Direct,
    /// Timely workers: threads of this process, and of other processes if there are any.
    Timely(Workers),
}

impl Runner {
    /// As many worker threads as this machine has cores.
    pub fn local() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Runner::Timely(Workers::local(cores))
    }

    /// True in the process that writes the results.
    pub fn is_leader(&self) -> bool {
        match self {
            Runner::Direct => true,
            Runner::Timely(workers) => workers.process() == 0,
        }
    }

    /// Runs the plan; every process of a cluster gets the same outputs. `fingerprint` must agree
    /// between processes: see [`Plan::fingerprint`].
    ///
    /// # Errors
    /// The first failure of the run.
    pub fn run(&self, plan: &Plan, options: &RunOptions, fingerprint: u64) -> Result<Outputs> {
        match self {
            Runner::Direct => direct::run(plan, options),
            Runner::Timely(workers) => engine::dataflow::run(plan, options, workers, fingerprint),
        }
    }
}
