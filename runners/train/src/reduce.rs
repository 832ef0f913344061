//! A reduction by several threads, in an order that does not depend on them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// `make(0)`, …, `make(n - 1)`, put together two at a time by `add`; `None` of none.
///
/// A thread takes the next number that nobody has, and two neighbours are put together as soon as both
/// are there. Who meets whom is fixed by `n` alone, and never are there more values than threads and
/// levels of the tree.
pub(crate) fn tree_reduce<T: Send>(
    n: usize,
    threads: usize,
    make: impl Fn(usize) -> T + Sync,
    add: impl Fn(T, T) -> T + Sync,
) -> Option<T> {
    let next = AtomicUsize::new(0);
    // 1 is the root of the tree, under k are 2k and 2k + 1, and the last n are its leaves.
    let nodes: Mutex<Vec<Option<T>>> = Mutex::new((0..2 * n).map(|_| None).collect());
    let work = || {
        loop {
            let leaf = next.fetch_add(1, Ordering::Relaxed);
            if leaf >= n {
                return;
            }
            let (mut node, mut value) = (n + leaf, make(leaf));
            loop {
                let mut nodes = lock(&nodes);
                let other = if node > 1 { nodes[node ^ 1].take() } else { None };
                let Some(other) = other else {
                    nodes[node] = Some(value);
                    break;
                };
                drop(nodes);
                value = if node % 2 == 0 { add(value, other) } else { add(other, value) };
                node /= 2;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(n) {
            scope.spawn(work);
        }
        work();
    });
    lock(&nodes).get_mut(1).and_then(Option::take)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::tree_reduce;

    #[test]
    fn the_order_does_not_depend_on_threads() {
        let of =
            |n, threads| tree_reduce(n, threads, |i| i.to_string(), |a, b| format!("({a} {b})"));
        assert_eq!(of(0, 3), None);
        assert_eq!(of(1, 3).as_deref(), Some("0"));
        assert_eq!(of(4, 1).as_deref(), Some("((0 1) (2 3))"));
        for n in 2..20 {
            let alone = of(n, 1).unwrap();
            for i in 0..n {
                let mut numbers = alone.split(|c: char| !c.is_ascii_digit());
                assert_eq!(numbers.clone().filter(|x| *x == i.to_string()).count(), 1, "{alone}");
                assert!(numbers.any(|x| x == i.to_string()));
            }
            for threads in [2, 3, 8, 40] {
                assert_eq!(of(n, threads).unwrap(), alone);
            }
        }
    }
}
