//! `Batches`: requests that wait at the same time are answered together.
//!
//! ```text
//!   requests ──► queue ──► a thread takes its share of what waits ──► each is read
//!                             rows for one model ──► one pass through graph and network ──► answers
//! ```
//!
//! Nobody waits for company unless it is asked for: a thread that has nothing to do takes what is there,
//! one request or many. Weights are loaded, and the graph's operations begun, once for all rows; a row's
//! bits do not depend on the rows beside it. A request whose rows cannot be read, or that needs no network,
//! is answered by itself; so is each one when what was put together fails.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use transform::Tensor;

use crate::failure::Failure;
use crate::handle::About;
use crate::models::Models;
use crate::servable::Servable;

/// What there is to say, and what it was about.
pub(crate) type Answered = (About, Answer);

/// What there is to say.
type Answer = std::result::Result<Vec<u8>, Failure>;

/// How far a request is answered by itself.
pub(crate) enum Step {
    /// It is.
    Answered(Vec<u8>),
    /// A network is needed.
    Rows(Work),
}

/// Rows for the network of a model.
pub(crate) struct Work {
    servable: Arc<Servable>,
    rows: usize,
    /// One for each input of the default signature.
    tensors: Vec<Tensor>,
    /// Makes an answer of what the network gives.
    answer: Box<dyn FnOnce(&Servable, Vec<f32>) -> Answer + Send>,
}

impl Step {
    /// Rows for the network of a model, and what makes an answer of what it gives.
    pub(crate) fn rows(
        servable: &Arc<Servable>,
        rows: usize,
        tensors: Vec<Tensor>,
        answer: impl FnOnce(&Servable, Vec<f32>) -> Answer + Send + 'static,
    ) -> Step {
        Step::Rows(Work { servable: servable.clone(), rows, tensors, answer: Box::new(answer) })
    }

    /// Answers it by itself.
    pub(crate) fn alone(self) -> Answer {
        match self {
            Step::Answered(body) => Ok(body),
            Step::Rows(Work { servable, rows, tensors, answer }) => {
                answer(&servable, servable.scores(rows, tensors)?)
            }
        }
    }
}

/// An answer and what it was about: no rows where there is none.
pub(crate) fn settled(mut about: About, answer: Answer) -> Answered {
    if answer.is_err() {
        about.rows = 0;
    }
    (about, answer)
}

/// Reads a request.
type Begin = Box<dyn FnOnce(&Models, &mut About) -> std::result::Result<Step, Failure> + Send>;

/// Bytes of requests that one thread takes at once at most, but for a request that has more: reading them is
/// what others would have to wait for.
const MOST_BYTES: usize = 64 << 10;

/// A request that waits.
struct Job {
    begin: Begin,
    /// Of its body.
    bytes: usize,
    since: Instant,
    reply: Reply,
}

/// Where an answer goes; the request counts as being answered until then.
struct Reply {
    sender: oneshot::Sender<Answered>,
    slot: OwnedSemaphorePermit,
}

impl Reply {
    fn send(self, about: About, answer: Answer) {
        // Before the answer: whoever has it may ask again.
        drop(self.slot);
        // Whoever has asked may be gone.
        let _ = self.sender.send(settled(about, answer));
    }
}

/// The queue, and the threads that answer what is in it.
pub(crate) struct Batches {
    queue: Mutex<Queue>,
    more: Condvar,
    threads: usize,
    /// Requests, and rows, that are put together at most.
    most: usize,
    /// How long a request may wait for others.
    wait: Duration,
    /// Passes through a network so far.
    passes: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_ended: bool,
}

impl Batches {
    /// Starts the threads.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn start(
        models: &Arc<Models>,
        threads: usize,
        most: usize,
        wait: Duration,
    ) -> Result<Arc<Self>> {
        let (queue, more, passes) = (Mutex::default(), Condvar::new(), AtomicU64::new(0));
        let (threads, most) = (threads.max(1), most.max(1));
        let batches = Arc::new(Batches { queue, more, threads, most, wait, passes });
        for _ in 0..threads {
            let (worker, models) = (batches.clone(), models.clone());
            let thread = std::thread::Builder::new().name("answer".to_owned());
            if let Err(e) = thread.spawn(move || worker.work(&models)) {
                // Those that were started do not wait for ever.
                batches.end();
                return Err(Error::io("start a thread", &e));
            }
        }
        Ok(batches)
    }

    /// A request of so many bytes to be answered, which has a place among those that are.
    pub(crate) fn push(
        &self,
        slot: OwnedSemaphorePermit,
        bytes: usize,
        begin: impl FnOnce(&Models, &mut About) -> std::result::Result<Step, Failure> + Send + 'static,
    ) -> oneshot::Receiver<Answered> {
        let (sender, receiver) = oneshot::channel();
        let reply = Reply { sender, slot };
        let (begin, since) = (Box::new(begin), Instant::now());
        self.queue().jobs.push_back(Job { begin, bytes, since, reply });
        self.more.notify_one();
        receiver
    }

    /// Lets the threads end when they have answered what waits.
    pub(crate) fn end(&self) {
        self.queue().is_ended = true;
        self.more.notify_all();
    }

    /// Passes through a network so far.
    pub(crate) fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, models: &Models) {
        while let Some(jobs) = self.take() {
            // A panic is our mistake, and costs those that it was about an answer, but nobody else.
            let _ = catch_unwind(AssertUnwindSafe(|| self.answer(models, jobs)));
        }
    }

    /// A thread's share of what waits; nothing when no more will come.
    fn take(&self) -> Option<Vec<Job>> {
        let mut queue = self.queue();
        loop {
            let waited = queue.jobs.front().map(|first| first.since.elapsed());
            match waited {
                None if queue.is_ended => return None,
                None => queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(waited)
                    if waited < self.wait && queue.jobs.len() < self.most && !queue.is_ended =>
                {
                    let left = self.wait.saturating_sub(waited);
                    let woken = self.more.wait_timeout(queue, left);
                    queue = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => break,
            }
        }
        let share = queue.jobs.len().div_ceil(self.threads).min(self.most);
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.bytes;
            bytes <= MOST_BYTES
        };
        let share = queue.jobs.iter().take(share).take_while(fits).count().max(1);
        let jobs = queue.jobs.drain(..share).collect();
        if !queue.jobs.is_empty() {
            self.more.notify_one();
        }
        Some(jobs)
    }

    fn answer(&self, models: &Models, jobs: Vec<Job>) {
        let mut groups: Vec<Vec<Pending>> = Vec::new();
        for Job { begin, reply, .. } in jobs {
            if reply.sender.is_closed() {
                continue;
            }
            let mut about = About::default();
            match begin(models, &mut about) {
                Ok(Step::Answered(body)) => reply.send(about, Ok(body)),
                Err(failure) => reply.send(about, Err(failure)),
                Ok(Step::Rows(work)) => {
                    let fits = |group: &&mut Vec<Pending>| {
                        Arc::ptr_eq(&group[0].work.servable, &work.servable)
                            && rows_of(group) + work.rows <= self.most
                    };
                    let group = groups.iter_mut().find(fits);
                    let pending = Pending { work, about, reply };
                    match group {
                        Some(group) => group.push(pending),
                        None => groups.push(vec![pending]),
                    }
                }
            }
        }
        for group in groups {
            self.passes.fetch_add(1, Ordering::Relaxed);
            together(group);
        }
    }
}

/// A request whose rows wait for the network.
struct Pending {
    work: Work,
    about: About,
    reply: Reply,
}

impl Pending {
    fn alone(self) {
        self.reply.send(self.about, Step::Rows(self.work).alone());
    }
}

fn rows_of(group: &[Pending]) -> usize {
    group.iter().map(|pending| pending.work.rows).sum()
}

/// Answers requests to one model by one pass.
fn together(group: Vec<Pending>) {
    let scores = if group.len() > 1 { scores_of(&group) } else { None };
    let Some(scores) = scores else { return group.into_iter().for_each(Pending::alone) };
    let width = scores.len().checked_div(rows_of(&group)).unwrap_or(0);
    let mut scores = &scores[..];
    for Pending { work, about, reply } in group {
        let (own, rest) = scores.split_at(work.rows * width);
        scores = rest;
        reply.send(about, (work.answer)(&work.servable, own.to_vec()));
    }
}

/// What the network gives for all rows of requests; `None` where they are too large together.
fn scores_of(group: &[Pending]) -> Option<Vec<f32>> {
    let first = &group.first()?.work;
    let tensors: Result<Vec<Tensor>> = (0..first.tensors.len())
        .map(|input| {
            let parts = group.iter().map(|pending| &pending.work.tensors[input]);
            Tensor::concat(&parts.collect::<Vec<_>>())
        })
        .collect();
    first.servable.scores(rows_of(group), tensors.ok()?).ok()
}
