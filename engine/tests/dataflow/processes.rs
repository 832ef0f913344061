//! Meshes of real processes: this test program starts itself again, and is killed.
#![cfg(unix)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use engine::Result;
use engine::dataflow::{Cluster, Failure, Job, Workers, execute};
use timely::worker::Worker;

use crate::support::{all, clusters, endless, sum_of};

const ROLE: &str = "MESH_TEST_ROLE";

/// What a process of these tests does; in the test run itself, nothing.
#[test]
fn member() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let result = match role.as_str() {
        "sums" => sum_of(meet(), 2, 1000, |_, _| {}),
        "endless" => run_endless(16, |_, _| {}),
        "flood" => run_endless(10_000, |_, _| {}),
        "panics" => run_endless(16, |process, n| assert!(process != 1 || n < 4000, "enough")),
        "exits" => run_endless(16, |process, n| {
            if process == 1 && n > 4000 {
                std::process::exit(0);
            }
        }),
        "idles" => idle(meet()),
        "leaks" => Ok(count_leaks()),
        _ => unreachable!(),
    };
    match result {
        Ok(sum) => eprintln!("ok {sum}"),
        Err(error) => {
            eprintln!("error: {}", error.message());
            std::process::exit(7);
        }
    }
}

fn run_endless(n: u64, act: impl Fn(usize, u64) + Clone + Send + Sync + 'static) -> Result<u64> {
    let cluster = meet();
    let process = cluster.process;
    let has_begun = Arc::new(AtomicBool::new(false));
    let build = endless(n, move |n| {
        if n > 1000 && !has_begun.swap(true, Ordering::SeqCst) {
            eprintln!("running");
        }
        act(process, n);
    });
    execute(&Workers { threads: 2, cluster: Some(cluster) }, 0, build).map(|sums| sums[0])
}

/// Says where this process listens, and hears where all do.
fn meet() -> Cluster {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    eprintln!("{}", listener.local_addr().unwrap());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    let process = words.next().unwrap().parse().unwrap();
    let mut cluster = Cluster::new(words.collect(), process, "the token").unwrap();
    cluster.connect_timeout = Duration::from_secs(10);
    cluster.with_listener(listener)
}

/// A started process: what it says on stderr comes line by line.
struct Member {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Member {
    fn start(role: &str) -> Member {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::member", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Member { child, lines, address: String::new() }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("a line on stderr")
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits for the end of the process: its exit code and everything it still said.
    fn end(&mut self, within: Duration) -> (Option<i32>, Vec<String>) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < within, "a process has not ended");
            thread::sleep(Duration::from_millis(5));
        };
        // Nothing but the test harness's own words on stdout.
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let of_harness = |line: &str| {
            ["", "running 1 test", "ok"].contains(&line.trim())
                || line.starts_with("test processes::member")
                || line.starts_with("test result: ok")
        };
        assert!(stdout.lines().all(of_harness), "on stdout: {stdout}");
        (status.code(), self.lines.iter().collect())
    }
}

/// Starts `n` processes and lets them meet.
fn start(n: usize, role: &str) -> Vec<Member> {
    let mut members: Vec<_> = (0..n).map(|_| Member::start(role)).collect();
    for member in &mut members {
        member.address = member.line();
    }
    let hosts: Vec<_> = members.iter().map(|member| member.address.clone()).collect();
    for (process, member) in members.iter_mut().enumerate() {
        let stdin = member.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{process} {}", hosts.join(" ")).unwrap();
    }
    members
}

/// Ends process `victim` of three somehow; the others must end soon and say the same, and only that.
fn survivors_say(
    role: &str,
    victim: usize,
    end: impl Fn(&Member),
    expected: impl Fn(&str) -> String,
) {
    let mut members = start(3, role);
    for member in &members {
        assert_eq!(member.line(), "running");
    }
    end(&members[victim]);
    let expected = format!("error: {}", expected(&members[victim].address));
    for (process, member) in members.iter_mut().enumerate() {
        if process != victim {
            let (code, said) = member.end(Duration::from_secs(3));
            assert_eq!((code, said), (Some(7), vec![expected.clone()]), "process {process}");
        }
    }
}

#[test]
fn processes_add_up_numbers() {
    for n in [2, 3] {
        let mut sum = 0;
        for mut member in start(n, "sums") {
            let (code, said) = member.end(Duration::from_secs(20));
            assert_eq!(code, Some(0), "{said:?}");
            sum += said[0].strip_prefix("ok ").unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(sum, 2 * n as u64 * 499_500);
    }
}

#[test]
fn a_killed_process_ends_all() {
    for (victim, role) in [(0, "endless"), (1, "endless"), (2, "endless"), (1, "flood")] {
        survivors_say(
            role,
            victim,
            |member| member.signal("KILL"),
            |address| format!("process {victim} ({address}) was lost"),
        );
    }
}

#[test]
fn a_stopped_process_ends_all() {
    // The flood fills the sockets to the stopped process until writing to them blocks.
    for role in ["endless", "flood"] {
        survivors_say(
            role,
            1,
            |member| member.signal("STOP"),
            |address| format!("process 1 ({address}) does not answer"),
        );
    }
}

#[test]
fn a_process_that_wakes_up_late_learns_why() {
    let mut members = start(2, "endless");
    for member in &members {
        assert_eq!(member.line(), "running");
    }
    members[1].signal("STOP");
    let expected = format!("error: process 1 ({}) does not answer", members[1].address);
    let (code, said) = members[0].end(Duration::from_secs(3));
    assert_eq!((code, said), (Some(7), vec![expected]));
    members[1].signal("CONT");
    let (code, said) = members[1].end(Duration::from_secs(3));
    assert_eq!(code, Some(7), "{said:?}");
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_panicking_process_ends_all() {
    let mut members = start(3, "panics");
    let mut reasons = HashMap::new();
    for member in &mut members {
        assert_eq!(member.line(), "running");
        let (code, said) = member.end(Duration::from_secs(10));
        assert_eq!((code, said.len()), (Some(7), 1), "{said:?}");
        *reasons.entry(said[0].clone()).or_insert(0) += 1;
    }
    let (reason, n) = reasons.into_iter().next().unwrap();
    assert_eq!(n, 3);
    assert!(reason.starts_with("error: worker "), "{reason}");
    assert!(reason.contains(" of process 1 panicked: enough at "), "{reason}");
}

#[test]
fn a_process_that_just_exits_is_lost() {
    let mut members = start(3, "exits");
    for process in [0, 2] {
        assert_eq!(members[process].line(), "running");
        let (code, said) = members[process].end(Duration::from_secs(10));
        let expected = format!("error: process 1 ({}) was lost", members[1].address);
        assert_eq!((code, said), (Some(7), vec![expected]));
    }
}

#[test]
fn waiting_takes_no_time() {
    for mut member in start(3, "idles") {
        let (code, said) = member.end(Duration::from_secs(20));
        assert_eq!(code, Some(0), "{said:?}");
        let ticks: u64 = said[0].strip_prefix("ok ").unwrap().parse().unwrap();
        // Hundredths of a second, of the two hundred that the run lasts.
        assert!(ticks < 40, "{ticks}");
    }
}

/// Does nothing for two seconds, and gives the processor time that it took.
fn idle(cluster: Cluster) -> Result<u64> {
    let used = || {
        // Fields 14 and 15 of the line, counted after the name in parentheses; 0 off Linux.
        let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = line.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    };
    let build = move |_: &mut Worker, _: &Arc<Failure>| {
        let (start, before) = (Instant::now(), used());
        Ok(Job {
            done: Box::new(move || start.elapsed() > Duration::from_secs(2)),
            finish: Box::new(move || Ok(used() - before)),
        })
    };
    execute(&Workers { threads: 2, cluster: Some(cluster) }, 0, build).map(|ticks| ticks[0])
}

#[test]
fn nothing_is_left_behind() {
    let mut member = Member::start("leaks");
    let (code, said) = member.end(Duration::from_secs(20));
    assert_eq!((code, said), (Some(0), vec!["ok 0".to_owned()]));
}

/// Threads and open files that runs leave behind, after successes and after failures.
fn count_leaks() -> u64 {
    let count =
        |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).map_or(0, Iterator::count);
    let run = |fails: bool| {
        let members = clusters(3);
        let results = all(members, move |cluster| {
            sum_of(cluster, 2, 20_000, move |number, _| assert!(!fails || number != 10_000))
        });
        assert!(results.iter().all(|result| result.is_err() == fails));
    };
    run(false);
    let before = (count("task"), count("fd"));
    for round in 0..10 {
        run(round % 2 == 0);
    }
    // A thread that has been joined may take a moment to disappear from the list.
    let start = Instant::now();
    let leaked = || (count("task") + count("fd")).saturating_sub(before.0 + before.1);
    while leaked() > 0 && start.elapsed() < Duration::from_secs(1) {
        thread::sleep(Duration::from_millis(10));
    }
    leaked() as u64
}
