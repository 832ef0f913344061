//! Meshes whose processes are threads of this one: each has sockets, workers and an end of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use engine::dataflow::{Cluster, Failure, Job, Workers, execute};
use engine::{Error, ErrorKind, Result};
use timely::worker::Worker;

use crate::support::{all, clusters, endless, messages, sum_of, sums};

#[test]
fn numbers_reach_their_processes() {
    for (processes, threads) in [(2, 1), (2, 2), (3, 1), (3, 2)] {
        let results = all(clusters(processes), move |cluster| {
            // The same sockets to listen on serve several runs, begun at different times.
            let first = sum_of(cluster.clone(), threads, 1000, |_, _| {}).unwrap();
            thread::sleep(Duration::from_millis(30 * cluster.process as u64));
            let second = sum_of(cluster.clone(), threads, 1000, |_, _| {}).unwrap();
            let third = sum_of(cluster, threads, 0, |_, _| {}).unwrap();
            assert_eq!((first, third), (second, 0));
            first
        });
        let workers = (processes * threads) as u64;
        assert_eq!(results.iter().sum::<u64>(), workers * 499_500);
        // The first process has the first workers.
        let first: u64 = (0..1000).filter(|n| n % workers < threads as u64).sum();
        assert_eq!(results[0], workers * first);
    }
}

#[test]
fn much_data_passes() {
    let n = 300_000;
    let results = all(clusters(2), move |cluster| sum_of(cluster, 2, n, |_, _| {}).unwrap());
    assert_eq!(results.iter().sum::<u64>(), 4 * n * (n - 1) / 2);
}

#[test]
fn a_panic_ends_all_processes() {
    // With little data, with much under way, and at the very beginning.
    for (n, unlucky) in [(100, 50), (300_000, 150_001), (300_000, 0)] {
        let start = Instant::now();
        let results = all(clusters(3), move |cluster| {
            sum_of(cluster, 2, n, move |number, _| assert!(number != unlucky, "unlucky"))
        });
        assert!(start.elapsed() < Duration::from_secs(3));
        let messages = messages(&results);
        let (process, worker) = (unlucky % 6 / 2, unlucky % 2);
        let start = format!("worker {worker} of process {process} panicked: unlucky at ");
        assert!(messages[0].starts_with(&start), "{messages:?}");
        assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    }
}

#[test]
fn an_error_of_an_operator_ends_all_processes() {
    let results = all(clusters(3), |cluster| {
        sum_of(cluster, 1, 1000, |number, failure| {
            if number == 301 {
                failure.set(Error::input("bad number").with_detail("It is 301."));
            }
        })
    });
    let told = |message: &str| Err(Error::input(message).with_detail("It is 301."));
    let by_peer = told("process 1 failed: bad number");
    assert_eq!(results, [by_peer.clone(), told("bad number"), by_peer]);
}

#[test]
fn an_error_of_build_or_finish_ends_all_processes() {
    for in_build in [true, false] {
        let results = all(clusters(3), move |cluster| {
            let fails = cluster.process == 2;
            let build = move |worker: &mut Worker, failure: &Arc<Failure>| {
                let fail = move || if fails { Err(Error::input("no")) } else { Ok(()) };
                if in_build {
                    fail()?;
                }
                let job = sums(10, |_, _| {})(worker, failure)?;
                Ok(Job { done: job.done, finish: Box::new(fail) })
            };
            execute(&Workers { threads: 2, cluster: Some(cluster) }, 0, build)
        });
        let by_peer = "process 2 failed: no";
        assert_eq!(messages(&results), [by_peer, by_peer, "no"]);
    }
}

/// Process 1 does something else than the others.
fn with_odd_one(odd: impl Fn(Cluster) -> Result<u64> + Send + Sync + 'static) -> Vec<Error> {
    let start = Instant::now();
    let results = all(clusters(3), move |cluster| {
        if cluster.process == 1 { odd(cluster) } else { sum_of(cluster, 2, 10, |_, _| {}) }
    });
    assert!(start.elapsed() < Duration::from_secs(3));
    results.into_iter().map(|result| result.unwrap_err()).collect()
}

#[test]
fn processes_that_do_not_agree_are_named() {
    let check = |errors: &[Error], expected: &str| {
        for error in errors {
            // Who hears it from another hears the same.
            let known =
                [format!("processes 0 and 1 {expected}"), format!("processes 1 and 2 {expected}")];
            assert!(known.iter().any(|known| error.message() == known), "{error}");
            assert_eq!(error.kind(), ErrorKind::Incompatible);
        }
    };
    let errors = with_odd_one(|cluster| {
        let workers = Workers { threads: 2, cluster: Some(cluster) };
        execute(&workers, 43, sums(10, |_, _| {})).map(|results| results[0])
    });
    check(&errors, "do not run the same plan");
    let errors = with_odd_one(|cluster| sum_of(cluster, 1, 10, |_, _| {}));
    check(&errors, "have different numbers of worker threads");
    let errors = with_odd_one(|cluster| {
        let mut hosts = cluster.hosts.clone();
        hosts.push("127.0.0.1:9".to_owned());
        let token = cluster.token.clone();
        drop(cluster);
        let mut longer = Cluster::new(hosts, 1, token).unwrap();
        longer.connect_timeout = Duration::from_secs(10);
        sum_of(longer, 2, 10, |_, _| {})
    });
    check(&errors, "have lists of hosts of different lengths");
}

#[test]
fn two_processes_of_one_number_are_named() {
    let mut members = clusters(3);
    // Both connect to process 0; nobody is process 2.
    members[2] = members[1].clone();
    let second = Cluster::new(members[1].hosts.clone(), 1, "the token").unwrap();
    members[2] = second.with_listener(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    for member in &mut members {
        member.connect_timeout = Duration::from_secs(2);
    }
    let results = all(members, |cluster| sum_of(cluster, 1, 10, |_, _| {}));
    let expected = "two processes say that they are process 1";
    assert_eq!(messages(&results)[0], expected);
}

#[test]
fn a_missing_process_is_named() {
    let mut members = clusters(3);
    let missing = members.remove(1);
    let name = format!("process 1 ({})", missing.hosts[1]);
    for member in &mut members {
        member.connect_timeout = Duration::from_millis(500);
    }
    // Its port is open, but nobody answers; then nobody listens, either.
    for cluster in [Some(missing), None] {
        let start = Instant::now();
        let results = all(members.clone(), |cluster| sum_of(cluster, 1, 10, |_, _| {}));
        assert!(start.elapsed() < Duration::from_secs(3));
        for message in messages(&results) {
            assert_eq!(message, format!("{name} did not join within 0.5 s"));
        }
        let detail = results[1].as_ref().unwrap_err().detail().map(str::to_owned);
        println!("{detail:?}");
        drop(cluster);
    }
}

#[test]
fn a_process_known_to_be_gone_is_not_awaited() {
    let start = Instant::now();
    let mut members = clusters(2);
    let cluster = members
        .remove(0)
        .with_watch(|| Some(Error::new(ErrorKind::Worker, "process 1 ended before it began")));
    let results = all(vec![cluster], |cluster| sum_of(cluster, 1, 10, |_, _| {}));
    assert_eq!(messages(&results), ["process 1 ended before it began"]);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_process_that_is_ahead_waits_for_the_others() {
    let results = all(clusters(2), |cluster| {
        let first = sum_of(cluster.clone(), 1, 10, |_, _| {}).unwrap();
        if cluster.process == 0 {
            // Longer than a process may be silent within a run.
            thread::sleep(Duration::from_millis(2500));
        }
        first + sum_of(cluster, 1, 10, |_, _| {}).unwrap()
    });
    assert_eq!(results.iter().sum::<u64>(), 4 * 45);
}

#[test]
fn a_slow_finish_is_waited_for() {
    let results = all(clusters(2), |cluster| {
        let is_slow = cluster.process == 1;
        let build = move |worker: &mut Worker, failure: &Arc<Failure>| {
            let job = sums(10, |_, _| {})(worker, failure)?;
            let finish = job.finish;
            let slow = move || {
                if is_slow {
                    thread::sleep(Duration::from_millis(2500));
                }
                finish()
            };
            Ok(Job { done: job.done, finish: Box::new(slow) })
        };
        let sum = execute(&Workers { threads: 1, cluster: Some(cluster) }, 0, build).unwrap()[0];
        (sum, Instant::now())
    });
    assert_eq!(results[0].0 + results[1].0, 2 * 45);
    // Nobody leaves with a success that the other might yet turn into a failure.
    let apart = results[0].1.max(results[1].1) - results[0].1.min(results[1].1);
    assert!(apart < Duration::from_secs(1), "{apart:?}");
}

#[test]
fn a_failed_cluster_can_fail_again() {
    // After a failure the processes are still in step: the next run begins afresh.
    let results = all(clusters(2), |cluster| {
        let seen = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&seen);
        let workers = Workers { threads: 2, cluster: Some(cluster.clone()) };
        let failed = execute(
            &workers,
            42,
            endless(16, move |_| {
                let seen = counting.fetch_add(1, Ordering::SeqCst);
                assert!(seen < 500, "enough");
            }),
        );
        assert!(failed.unwrap_err().message().contains("panicked: enough at"));
        sum_of(cluster, 2, 10, |_, _| {}).unwrap()
    });
    assert_eq!(results.iter().sum::<u64>(), 4 * 45);
}
