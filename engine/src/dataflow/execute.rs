//! Runs a pipeline on every worker thread of this process, and ends all of them as one.
//!
//! Timely's own `execute` leaves the other workers waiting for ever when one panics. Here a worker
//! looks at the run's [`Failure`] before every step; whoever fails sets it, which wakes all.
//!
//! A worker leaves only when *every* worker of every process is done, so that nobody waits for
//! progress from one that has gone:
//!
//! ```text
//!  build ──► step … step ──► done here ──► step … ──► done everywhere ──► finish ──► Ok(results)
//!    │           │                                                          │
//!    └───────────┴──────────── error, panic, lost process ──────────────────┴──────► Err(first)
//! ```

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use timely::WorkerConfig;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::thread::ThreadBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::{Allocator, AllocatorBuilder, Hooks, initialize_from};
use timely::worker::Worker;

use super::failure::{Failure, catch, lock};
use super::mesh::Cluster;
use super::mesh_connect::connect;
use super::mesh_control::Membership;
use super::mesh_hello::{Hello, Kind};
use crate::{Error, ErrorKind, Result};

/// Which workers run a pipeline: threads of this process, and the other processes if there are any.
#[derive(Clone, Debug)]
pub struct Workers {
    /// Worker threads of this process; every process of a cluster has the same number.
    pub threads: usize,
    /// This process's place among others, or `None` when it is alone.
    pub cluster: Option<Cluster>,
}

impl Workers {
    /// Threads of this process alone.
    pub fn local(threads: usize) -> Self {
        Workers { threads, cluster: None }
    }

    /// How many processes take part, this one included.
    pub fn processes(&self) -> usize {
        self.cluster.as_ref().map_or(1, |cluster| cluster.hosts.len())
    }

    /// Number of this process; the results of a run belong to process 0.
    pub fn process(&self) -> usize {
        self.cluster.as_ref().map_or(0, |cluster| cluster.process)
    }
}

/// What one worker is asked to do once its dataflows are built.
pub struct Job<T> {
    /// True when this worker has nothing left to do; asked after every step until it says so.
    pub done: Box<dyn FnMut() -> bool>,
    /// Called when every worker of every process is done.
    pub finish: Box<dyn FnOnce() -> Result<T>>,
}

/// What the threads of a run in this process share.
pub(super) struct Run {
    pub(super) failure: Arc<Failure>,
    /// Workers of this process that are not done.
    busy_here: AtomicUsize,
    /// Other processes that are not done.
    busy_elsewhere: AtomicUsize,
    /// True when no worker of this process looks at its queues any more.
    left: Mutex<bool>,
    leaving: Condvar,
}

impl Run {
    pub(super) fn new(threads: usize, other_processes: usize) -> Self {
        Run {
            failure: Arc::default(),
            busy_here: AtomicUsize::new(threads),
            busy_elsewhere: AtomicUsize::new(other_processes),
            left: Mutex::new(false),
            leaving: Condvar::new(),
        }
    }

    fn worker_is_done(&self) {
        self.busy_here.fetch_sub(1, Ordering::SeqCst);
        self.failure.wake();
    }

    /// Every worker of this process is done.
    pub(super) fn is_done_here(&self) -> bool {
        self.busy_here.load(Ordering::SeqCst) == 0
    }

    /// Every worker of every process is done.
    pub(super) fn is_done(&self) -> bool {
        self.is_done_here() && self.busy_elsewhere.load(Ordering::SeqCst) == 0
    }

    /// Every worker of another process is done.
    pub(super) fn process_is_done(&self) {
        self.busy_elsewhere.fetch_sub(1, Ordering::SeqCst);
        self.failure.wake();
    }

    fn workers_have_left(&self) {
        *lock(&self.left) = true;
        self.leaving.notify_all();
    }

    pub(super) fn wait_for_workers_to_leave(&self) {
        let left = lock(&self.left);
        drop(self.leaving.wait_while(left, |left| !*left));
    }

    fn result<T>(&self, results: Vec<T>) -> Result<Vec<T>> {
        self.failure.error().map_or(Ok(results), Err)
    }
}

/// How long a worker sleeps at most when it has nothing to do: the price of a lost wake-up.
const NAP: Duration = Duration::from_millis(50);

/// Runs `build` on every worker thread of this process and steps until the whole run is done.
///
/// Returns what this process's workers finished with, in the order of the workers. Processes of a
/// cluster must call it with the same `plan` (a fingerprint of what is computed), the same number
/// of threads, and equally often.
///
/// # Errors
/// The first failure of the run, wherever it happened: an error of `build`, of `finish` or set by
/// an operator through [`Failure::set`]; a panicking worker; a process that is missing, differs,
/// was lost or does not answer.
pub fn execute<T, F>(workers: &Workers, plan: u64, build: F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Fn(&mut Worker, &Arc<Failure>) -> Result<Job<T>> + Send + Sync + 'static,
{
    if workers.threads == 0 {
        return Err(Error::invalid("a run needs at least one worker thread"));
    }
    match &workers.cluster {
        Some(cluster) if cluster.hosts.len() > 1 => {
            execute_in_mesh(cluster, workers.threads, plan, build)
        }
        _ => {
            let run = Arc::new(Run::new(workers.threads, 0));
            let results = run_workers(local_builders(workers.threads), &run, None, build);
            run.result(results)
        }
    }
}

fn execute_in_mesh<T, F>(cluster: &Cluster, threads: usize, plan: u64, build: F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Fn(&mut Worker, &Arc<Failure>) -> Result<Job<T>> + Send + Sync + 'static,
{
    let (_turn, phase) = cluster.begin();
    let (process, processes) = (cluster.process, cluster.hosts.len());
    let run = Arc::new(Run::new(threads, processes - 1));
    let listener = cluster.listener()?;
    let hello = Hello { plan, phase, process, processes, threads, kind: Kind::Control };
    let Some(sockets) = connect(cluster, &listener, hello, &run.failure) else {
        return run.result(Vec::new());
    };
    let (membership, wires) = Membership::new(cluster, &run, sockets)?;
    let mut results = Vec::new();
    if membership.wait_until_ready() {
        let hooks = Hooks::default();
        let inner =
            ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
        match initialize_networking_from_sockets(inner, wires, process, threads, hooks) {
            Ok((builders, network)) => {
                let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
                results = run_workers(builders, &run, Some(process), build);
                // Waits for timely's network threads, which end when the other processes' workers
                // have left, too, or the run has failed; it panics if one of them has.
                if panic::catch_unwind(AssertUnwindSafe(|| drop(network))).is_err() {
                    let bug = Error::new(ErrorKind::Worker, "a network thread panicked");
                    run.failure.set(bug);
                }
            }
            Err(error) => run.failure.set(Error::io("start network threads", &error)),
        }
    }
    run.workers_have_left();
    membership.leave();
    run.result(results)
}

/// Channels between the threads of this process.
fn local_builders(threads: usize) -> Vec<AllocatorBuilder> {
    if threads == 1 {
        return vec![AllocatorBuilder::Thread(ThreadBuilder)];
    }
    let hooks = Hooks::default();
    ProcessBuilder::new_typed_vector(threads, hooks.refill, hooks.spill)
        .into_iter()
        .map(AllocatorBuilder::Process)
        .collect()
}

/// Starts one thread for each builder and waits for all; what failed is in `run.failure`.
fn run_workers<T, F>(
    builders: Vec<AllocatorBuilder>,
    run: &Arc<Run>,
    process: Option<usize>,
    build: F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(&mut Worker, &Arc<Failure>) -> Result<Job<T>> + Send + Sync + 'static,
{
    let threads = builders.len();
    let shared = Arc::clone(run);
    let work = move |allocator| work(allocator, &shared, threads, process, &build);
    let results = match initialize_from(builders, Box::new(()), work) {
        Ok(guards) => guards.join(),
        Err(refused) => {
            run.failure.set(
                Error::new(ErrorKind::Io, format!("cannot start {threads} worker threads"))
                    .with_detail(format!("The operating system said: {refused}.")),
            );
            Vec::new()
        }
    };
    run.workers_have_left();
    results
        .into_iter()
        .filter_map(|result| {
            result.unwrap_or_else(|_| {
                run.failure
                    .set(Error::new(ErrorKind::Worker, "a worker thread ended without a result"));
                None
            })
        })
        .collect()
}

/// One worker's life; `None` when the run failed.
fn work<T, F>(
    allocator: Allocator,
    run: &Run,
    threads: usize,
    process: Option<usize>,
    build: &F,
) -> Option<T>
where
    F: Fn(&mut Worker, &Arc<Failure>) -> Result<Job<T>>,
{
    run.failure.wake_me();
    // Workers are numbered through all processes; people count them within each.
    let thread = allocator.index() % threads;
    let name = match process {
        None => format!("worker {thread}"),
        Some(process) => format!("worker {thread} of process {process}"),
    };
    let mut worker = Worker::new(WorkerConfig::default(), allocator, Some(Instant::now()));
    let result = match catch(&name, || drive(&mut worker, run, build)) {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => {
            run.failure.set(error);
            None
        }
        Err(panic) => {
            run.failure.set_named(panic);
            None
        }
    };
    // Operators may panic while they are dropped, too; outside of `catch` that would poison the
    // queues of timely's network threads.
    let dropped = catch(&name, move || {
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
        drop(worker);
    });
    if let Err(panic) = dropped {
        run.failure.set_named(panic);
    }
    result
}

/// Builds, steps until all are done, finishes; `Ok(None)` when somebody else failed.
fn drive<T, F>(worker: &mut Worker, run: &Run, build: &F) -> Result<Option<T>>
where
    F: Fn(&mut Worker, &Arc<Failure>) -> Result<Job<T>>,
{
    let Job { mut done, finish } = build(worker, &run.failure)?;
    let mut is_done = false;
    loop {
        if run.failure.is_set() {
            return Ok(None);
        }
        if !is_done && done() {
            is_done = true;
            run.worker_is_done();
        }
        if run.is_done() {
            return finish().map(Some);
        }
        worker.step_or_park(Some(NAP));
    }
}
