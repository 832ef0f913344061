//! A run: which runner, its processes, its options, and what is seen while it goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::dataflow::{Cluster, Workers};
use engine::{
    Error, ErrorKind, Outputs, Plan, Progress, Result, RunOptions, StateCache, StateStore,
};
use runners::Runner;
use runners::cluster::{Launched, launch, read_hosts, token};

use crate::args::{RunArgs, RunnerArg};
use crate::output;
use crate::progress::Watch;

/// How long a copy waits for process 0 to make the directory of states.
const STATES: Duration = Duration::from_secs(30);

/// Everything that pipelines of one command are run with.
pub(crate) struct Run {
    runner: Runner,
    launched: Option<Launched>,
    /// Processes on several machines do not share a directory of states.
    own_states: Option<usize>,
    options: RunOptions,
    quiet: bool,
}

impl Run {
    /// Chooses the runner; starts processes if there are to be several.
    pub(crate) fn start(args: &RunArgs, quiet: bool) -> Result<Self> {
        let several = args.processes > 1 || args.hosts.is_some();
        if args.runner == RunnerArg::Direct && (several || args.workers.is_some()) {
            return Err(Error::invalid("the direct runner is one thread of one process")
                .with_hint("Leave out `--runner direct`, or the workers and processes."));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads =
            args.workers.map_or_else(|| (cores / usize::from(args.processes)).max(1), usize::from);
        let mut launched = None;
        let mut own_states = None;
        let cluster = match (&args.hosts, args.process) {
            (Some(hosts), Some(process)) => {
                own_states = Some(process);
                Some(Cluster::new(read_hosts(hosts)?, process, token()?)?)
            }
            _ if args.processes > 1 => {
                let words = std::env::args_os().skip(1);
                let started = launch(usize::from(args.processes), words)?;
                let cluster = started.cluster().clone();
                launched = Some(started);
                Some(cluster)
            }
            _ => None,
        };
        let runner = match args.runner {
            RunnerArg::Direct => Runner::Direct,
            RunnerArg::Local => Runner::Timely(Workers { threads, cluster }),
        };
        let quiet = quiet || !runner.is_leader();
        let options = RunOptions {
            batch_rows: args.batch_rows.as_usize().clamp(1, 1 << 20),
            memory_bytes: usize::try_from(args.memory.0).unwrap_or(usize::MAX),
            max_bad_records: args.max_bad_records.0,
            max_bad_shards: args.max_bad_shards.0,
            ..RunOptions::default()
        };
        Ok(Run { runner, launched, own_states, options, quiet })
    }

    /// Finds states of shards that were read before in a directory, and keeps those that are new.
    pub(crate) fn cache_in(&mut self, directory: &Path) -> Result<()> {
        if matches!(self.runner, Runner::Direct) {
            return Err(Error::invalid("the direct runner looks into no cache")
                .with_hint("Leave out `--runner direct`, or `--cache`."));
        }
        self.options.cache = Some(Arc::new(StateCache::open(directory)?));
        Ok(())
    }

    /// True in the process that writes the results.
    pub(crate) fn is_leader(&self) -> bool {
        self.runner.is_leader()
    }

    /// Worker threads of this process.
    pub(crate) fn threads(&self) -> usize {
        match &self.runner {
            Runner::Direct => 1,
            Runner::Timely(workers) => workers.threads,
        }
    }

    /// Bytes that this process may hold.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.options.memory_bytes
    }

    /// True where nothing is said but errors.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Runs a plan. `description` is what else than the plan its states depend on; they are kept
    /// in `states`, if anywhere.
    pub(crate) fn execute(
        &self,
        what: &'static str,
        plan: &Plan,
        description: &str,
        states: Option<&Path>,
    ) -> Result<Outputs> {
        let fingerprint = plan.fingerprint(description);
        let states = match states {
            None => None,
            Some(directory) => Some(Arc::new(self.store(directory, fingerprint, description)?)),
        };
        let progress = Arc::new(Progress::default());
        let options = RunOptions { states, progress: progress.clone(), ..self.options.clone() };
        let total = plan.source.shards().iter().map(|shard| shard.bytes).sum();
        let watch = (!self.quiet).then(|| Watch::start(what, total, progress));
        let ran = self.runner.run(plan, &options, fingerprint);
        drop(watch);
        if let (Some(cache), false) = (&self.options.cache, self.quiet) {
            for warning in cache.warnings() {
                output::note(&format!("warning: {warning}\n"));
            }
        }
        ran
    }

    fn store(&self, directory: &Path, fingerprint: u64, description: &str) -> Result<StateStore> {
        if let Some(process) = self.own_states {
            let directory: PathBuf = directory.join(format!("process-{process:03}"));
            return StateStore::create(&directory, fingerprint, description);
        }
        if self.is_leader() {
            return StateStore::create(directory, fingerprint, description);
        }
        // Copies keep their states where process 0 does, as soon as it has made the place.
        let start = Instant::now();
        loop {
            match StateStore::open(directory) {
                Ok((store, stored)) if stored == description => return Ok(store),
                Ok(_) => {
                    let message = format!("`{}` holds other states", directory.display());
                    return Err(Error::new(ErrorKind::Incompatible, message));
                }
                Err(error) if start.elapsed() > STATES => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Ends the other processes, and adds to a failure what they know of it.
    pub(crate) fn finish<T>(self, result: Result<T>) -> Result<T> {
        match self.launched {
            None => result,
            Some(launched) => launched.finish(result),
        }
    }
}
