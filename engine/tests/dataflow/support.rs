//! Small dataflows, and meshes whose processes are threads of this one.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use engine::Result;
use engine::dataflow::{Cluster, Failure, Job, Workers, execute};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::vec::{Map, ToStream};
use timely::dataflow::operators::{Exchange, Inspect, Probe};
use timely::worker::Worker;

/// Every worker sends the numbers below `n`, each to the worker its value names, which sums them.
pub(crate) fn sums(
    n: u64,
    per_number: impl Fn(u64, &Failure) + Clone + 'static,
) -> impl Fn(&mut Worker, &Arc<Failure>) -> Result<Job<u64>> {
    move |worker, failure| {
        let sum = Rc::new(Cell::new(0));
        let (adding, per_number, failure) = (sum.clone(), per_number.clone(), Arc::clone(failure));
        let probe = Handle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            (0..n)
                .to_stream(scope)
                .exchange(|number| *number)
                .map(move |number| {
                    per_number(number, &failure);
                    number
                })
                .inspect(move |number| adding.set(adding.get() + number))
                .probe_with(&probe);
        });
        Ok(Job { done: Box::new(move || probe.done()), finish: Box::new(move || Ok(sum.get())) })
    }
}

/// Every worker sends the numbers to all others, `n` each time, and is never done.
///
/// `seen` is told each number that arrives.
pub(crate) fn endless(
    n: u64,
    seen: impl Fn(u64) + Clone + 'static,
) -> impl Fn(&mut Worker, &Arc<Failure>) -> Result<Job<u64>> {
    move |worker, _| {
        let seen = seen.clone();
        let probe = Handle::new();
        worker.dataflow::<u64, _, _>(|scope| {
            source::<_, CapacityContainerBuilder<Vec<u64>>, _, _>(scope, "Endless", |cap, info| {
                let activator = scope.activator_for(info.address);
                let mut cap = cap;
                move |output| {
                    let now = *cap.time();
                    output.session(&cap).give_iterator(now * n..now * n + n);
                    cap.downgrade(&(now + 1));
                    activator.activate_after(Duration::from_millis(1));
                }
            })
            .exchange(|number| *number)
            .inspect(move |number| seen(*number))
            .probe_with(&probe);
        });
        Ok(Job { done: Box::new(move || probe.done()), finish: Box::new(|| Ok(0)) })
    }
}

/// A run that hangs must fail the test, not hold it up.
pub(crate) fn within<T: Send + 'static>(
    seconds: u64,
    run: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (send, receive) = mpsc::channel();
    let thread = thread::spawn(move || send.send(run()));
    let result = receive.recv_timeout(Duration::from_secs(seconds)).expect("the run hangs");
    thread.join().unwrap().unwrap();
    result
}

/// `n` clusters that find each other on this machine, whose ports the system has chosen.
pub(crate) fn clusters(n: usize) -> Vec<Cluster> {
    let listeners: Vec<_> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let hosts: Vec<_> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let clusters = listeners.into_iter().enumerate().map(|(process, listener)| {
        let mut cluster = Cluster::new(hosts.clone(), process, "the token").unwrap();
        cluster.connect_timeout = Duration::from_secs(10);
        cluster.with_listener(listener)
    });
    clusters.collect()
}

/// Does `run` for each of the clusters at the same time, and gives the answers in their order.
pub(crate) fn all<T: Send + 'static>(
    clusters: Vec<Cluster>,
    run: impl Fn(Cluster) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let run = Arc::new(run);
    within(20, move || {
        let threads: Vec<_> = clusters
            .into_iter()
            .map(|cluster| {
                let run = Arc::clone(&run);
                thread::spawn(move || run(cluster))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// One process's part of [`sums`] over the numbers below `n`: what its workers got, added up.
pub(crate) fn sum_of(
    cluster: Cluster,
    threads: usize,
    n: u64,
    per_number: impl Fn(u64, &Failure) + Clone + Send + Sync + 'static,
) -> Result<u64> {
    let workers = Workers { threads, cluster: Some(cluster) };
    execute(&workers, 42, sums(n, per_number)).map(|results| results.iter().sum())
}

/// The messages of runs that must all have failed.
pub(crate) fn messages<T: std::fmt::Debug>(results: &[Result<T>]) -> Vec<String> {
    results.iter().map(|result| result.as_ref().unwrap_err().message().to_owned()).collect()
}
