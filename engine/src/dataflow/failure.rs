//! The first failure of a run, and the panics that become one.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::Thread;

use crate::{Error, ErrorKind};

/// The first failure of a run: set once by anybody, seen by all.
///
/// Setting it wakes every thread of the run in this process, and the mesh tells the other
/// processes. Whoever comes second is ignored: what it saw is almost always a consequence.
#[derive(Default)]
pub struct Failure {
    is_set: AtomicBool,
    reason: Mutex<Option<Reason>>,
    sleepers: Mutex<Vec<Thread>>,
}

#[derive(Clone)]
struct Reason {
    error: Error,
    /// The message says by itself where it happened, so that every process can print it as it is.
    names_its_place: bool,
}

impl Failure {
    /// Ends the run with this error, unless it has already failed.
    pub fn set(&self, error: Error) {
        self.set_reason(Reason { error, names_its_place: false });
    }

    /// As [`Failure::set`], for a message that already names the process it is about.
    pub(super) fn set_named(&self, error: Error) {
        self.set_reason(Reason { error, names_its_place: true });
    }

    fn set_reason(&self, reason: Reason) {
        {
            let mut first = lock(&self.reason);
            if first.is_some() {
                return;
            }
            *first = Some(reason);
            self.is_set.store(true, Ordering::SeqCst);
        }
        self.wake();
    }

    /// True once the run has failed: long operators look at it between two slices of work.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    /// The error that ended the run, if it has failed.
    pub fn error(&self) -> Option<Error> {
        lock(&self.reason).as_ref().map(|reason| reason.error.clone())
    }

    /// The error as process `process` tells it to the others.
    pub(super) fn error_for_peers(&self, process: usize) -> Option<Error> {
        lock(&self.reason).as_ref().map(|reason| {
            let error = &reason.error;
            if reason.names_its_place {
                return error.clone();
            }
            let message = format!("process {process} failed: {}", error.message());
            let mut told = Error::new(error.kind(), message);
            if let Some(detail) = error.detail() {
                told = told.with_detail(detail);
            }
            if let Some(hint) = error.hint() {
                told = told.with_hint(hint);
            }
            told
        })
    }

    /// From now on this thread is unparked whenever something happens that all must see.
    pub(super) fn wake_me(&self) {
        lock(&self.sleepers).push(std::thread::current());
    }

    /// Unparks every thread that asked for it.
    pub(super) fn wake(&self) {
        for sleeper in lock(&self.sleepers).iter() {
            sleeper.unpark();
        }
    }
}

/// A panicking worker never leaves these locks' contents half changed: poison says nothing here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work` on this worker thread; a panic becomes an error that names `worker`.
///
/// The panic is not printed: the run prints its one reason, and this is it.
pub(super) fn catch<T>(worker: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    silence();
    let before = IS_WORKER.replace(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    IS_WORKER.set(before);
    result.map_err(|_| {
        let what = PANIC.take().unwrap_or_else(|| "no message".to_owned());
        Error::new(ErrorKind::Worker, format!("{worker} panicked: {what}"))
            .with_hint("This is a bug in the program, not in the data: please report it.")
    })
}

/// Puts a hook before the program's own that keeps, and does not print, the panics of workers.
fn silence() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if IS_WORKER.try_with(Cell::get).unwrap_or(false) {
                let message = panic.payload_as_str().unwrap_or("no message");
                let what = match panic.location() {
                    Some(at) => format!("{message} at {}:{}", at.file(), at.line()),
                    None => message.to_owned(),
                };
                let _ = PANIC.try_with(|kept| kept.borrow_mut().get_or_insert(what).len());
            } else if !is_network_thread() {
                others(panic);
            }
        }));
    });
}

/// Timely's network threads panic when their socket or their worker is gone: a consequence.
fn is_network_thread() -> bool {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    name.starts_with("timely:send-") || name.starts_with("timely:recv-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_wins() {
        let failure = Failure::default();
        assert!(!failure.is_set());
        assert_eq!(failure.error(), None);
        failure.set(Error::input("first").with_detail("One."));
        failure.set(Error::input("second"));
        assert!(failure.is_set());
        assert_eq!(failure.error(), Some(Error::input("first").with_detail("One.")));
    }

    #[test]
    fn peers_are_told_where_it_happened_once() {
        let failure = Failure::default();
        failure.set(Error::input("shard `a` is cut off").with_hint("Look at it."));
        let told = failure.error_for_peers(1).unwrap();
        assert_eq!(told.message(), "process 1 failed: shard `a` is cut off");
        assert_eq!(told.hint(), Some("Look at it."));

        let failure = Failure::default();
        failure.set_named(Error::input("process 2 was lost"));
        assert_eq!(failure.error_for_peers(1).unwrap().message(), "process 2 was lost");
    }

    #[test]
    fn a_panic_is_an_error_with_its_place() {
        let error = catch("worker 3", || panic!("number {}", 7)).unwrap_err();
        assert!(error.message().starts_with("worker 3 panicked: number 7 at "), "{error}");
        assert!(error.message().contains("failure.rs:"), "{error}");
        // The next panic of the same thread has a message of its own.
        let error = catch("worker 3", || panic!("other")).unwrap_err();
        assert!(error.message().starts_with("worker 3 panicked: other at "), "{error}");
    }
}
