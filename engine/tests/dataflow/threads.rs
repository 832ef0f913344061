//! Runs on the threads of one process.

use std::sync::Arc;

use engine::dataflow::{Failure, Job, Workers, execute};
use engine::{Error, ErrorKind};
use timely::worker::Worker;

use crate::support::{sums, within};

#[test]
fn numbers_reach_their_workers() {
    for threads in 1..=4 {
        let results =
            within(20, move || execute(&Workers::local(threads), 0, sums(1000, |_, _| {})));
        let results = results.unwrap();
        assert_eq!(results.len(), threads);
        assert_eq!(results.iter().sum::<u64>(), threads as u64 * 499_500);
        if threads == 4 {
            // Worker 1 gets 1, 5, 9, … 997, four times.
            assert_eq!(results[1], 4 * (1..1000).step_by(4).sum::<u64>());
        }
    }
}

#[test]
fn a_panic_ends_all_workers() {
    for threads in 1..=4 {
        let error = within(20, move || {
            let build = sums(1000, |number, _| assert!(number != 3, "three is unlucky"));
            execute(&Workers::local(threads), 0, build).unwrap_err()
        });
        let start = format!("worker {} panicked: three is unlucky at ", 3 % threads);
        assert!(error.message().starts_with(&start), "{error}");
        assert!(error.message().contains("threads.rs:"), "{error}");
    }
}

#[test]
fn an_error_set_by_an_operator_ends_all_workers() {
    for threads in 1..=4 {
        let error = within(20, move || {
            let build = sums(1000, |number, failure| {
                if number == 7 {
                    failure.set(Error::input("seven is not allowed").with_hint("Leave it out."));
                }
            });
            execute(&Workers::local(threads), 0, build).unwrap_err()
        });
        assert_eq!(error, Error::input("seven is not allowed").with_hint("Leave it out."));
    }
}

#[test]
fn errors_and_panics_of_build_and_finish_end_all_workers() {
    let run = |build_fails: bool, panics: bool| {
        within(20, move || {
            let build = move |worker: &mut Worker, failure: &Arc<Failure>| {
                let fail = move |index: usize| {
                    assert!(!(panics && index == 1), "no");
                    if index == 1 { Err(Error::input("no")) } else { Ok(()) }
                };
                let index = worker.index();
                if build_fails {
                    fail(index)?;
                }
                let job = sums(10, |_, _| {})(worker, failure)?;
                Ok(Job { done: job.done, finish: Box::new(move || fail(index)) })
            };
            execute(&Workers::local(3), 0, build).unwrap_err()
        })
    };
    for build_fails in [true, false] {
        assert_eq!(run(build_fails, false), Error::input("no"));
        let error = run(build_fails, true);
        assert!(error.message().starts_with("worker 1 panicked: no at "), "{error}");
    }
}

#[test]
fn a_run_without_workers_is_refused() {
    let error = execute(&Workers::local(0), 0, sums(1, |_, _| {})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
