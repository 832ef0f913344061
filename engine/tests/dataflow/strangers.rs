//! Whoever connects without the token changes nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use engine::dataflow::Cluster;

use crate::support::{all, clusters, messages, sum_of};

/// Connects to every process, does something strange, and lets a run begin.
fn among(strange: impl Fn(&mut TcpStream)) -> Vec<TcpStream> {
    let members = clusters(3);
    let strangers: Vec<_> = members[0]
        .hosts
        .iter()
        .map(|host| {
            let mut stranger = TcpStream::connect(host).unwrap();
            strange(&mut stranger);
            stranger
        })
        .collect();
    let start = Instant::now();
    let results = all(members, |cluster| sum_of(cluster, 2, 100, |_, _| {}).unwrap());
    assert_eq!(results.iter().sum::<u64>(), 6 * 4950);
    assert!(start.elapsed() < Duration::from_secs(2), "somebody waited for a stranger");
    strangers
}

#[test]
fn strangers_change_nothing_and_hear_nothing() {
    among(|_| {});
    among(|stranger| stranger.write_all(&[0; 1000]).unwrap());
    // What stock timely takes for the number of a process.
    among(|stranger| stranger.write_all(&1_u64.to_be_bytes()).unwrap());
    among(|stranger| stranger.write_all(b"frazil\r\n").unwrap());
    let mut right_start = b"frazil\r\n\0\0\0\x01".to_vec();
    right_start.resize(1000, b'x');
    among(|stranger| stranger.write_all(&right_start).unwrap());
    for mut stranger in among(|stranger| stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap()) {
        let mut heard = Vec::new();
        stranger.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        // The connection is closed or reset; either way nothing is said.
        let _ = stranger.read_to_end(&mut heard);
        assert_eq!(heard, b"");
    }
}

#[test]
fn a_flood_of_strangers_does_not_keep_processes_apart() {
    let members = clusters(2);
    let silent: Vec<_> =
        (0..100).map(|_| TcpStream::connect(&members[0].hosts[0]).unwrap()).collect();
    let host = members[0].hosts[0].clone();
    let loud = thread::spawn(move || {
        // Ends when the other end has hung up.
        let mut stranger = TcpStream::connect(host).unwrap();
        let bytes = vec![b'f'; 1 << 16];
        while stranger.write_all(&bytes).is_ok() {}
    });
    let results = all(members, |cluster| sum_of(cluster, 1, 100, |_, _| {}).unwrap());
    assert_eq!(results.iter().sum::<u64>(), 2 * 4950);
    loud.join().unwrap();
    drop(silent);
}

#[test]
fn a_process_with_another_token_stays_outside() {
    let mut members = clusters(2);
    for member in &mut members {
        member.connect_timeout = Duration::from_millis(500);
    }
    members[1].token = "another token".to_owned();
    let [zero, one] =
        [0, 1].map(|process| format!("process {process} ({})", members[0].hosts[process]));
    let results = all(members, |cluster: Cluster| sum_of(cluster, 1, 10, |_, _| {}));
    assert_eq!(
        messages(&results),
        [format!("{one} did not join within 0.5 s"), format!("{zero} did not join within 0.5 s")]
    );
    let detail = |process: usize| results[process].as_ref().unwrap_err().detail().unwrap();
    assert!(detail(0).contains("the last of which had another run's token"), "{}", detail(0));
    assert_eq!(detail(1), "Process 0 closed the connection without an answer.");
}
