//! A program that launches itself, as the command line does, and what becomes of its copies.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use engine::dataflow::{Job, Workers, execute};
use engine::{Error, Result};
use runners::cluster::launch;

const ROLE: &str = "LAUNCH_TEST_ROLE";
const CALL: &str = "LAUNCH_TEST_CALL";

/// The program: in the test run itself, nothing.
#[test]
fn program() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let is_copy = std::env::var_os("FRAZIL_COPY_OF").is_some();
    if is_copy && role == "does not start" {
        eprintln!("error: cannot start");
        std::process::exit(9);
    }
    // As `--processes 3` would.
    let launched = match launch(3, std::env::args_os().skip(1)) {
        Ok(launched) => launched,
        Err(error) => return report(is_copy, Err(error)),
    };
    assert_eq!(launched.is_copy(), is_copy);
    let cluster = launched.cluster().clone();
    let process = cluster.process;
    assert_eq!(cluster.hosts.len(), 3);
    let is_safe = |text: String| !text.contains(&cluster.token);
    assert!(std::env::args().all(is_safe) && std::env::vars().all(|(_, value)| is_safe(value)));
    if role == "does not join" && process == 2 {
        eprintln!("error: changed its mind");
        std::process::exit(0);
    }

    let workers = Workers { threads: 2, cluster: Some(cluster) };
    let result = execute(&workers, 0, move |_, failure| {
        let role = std::env::var(ROLE).unwrap();
        if role == "waits" {
            // Tells the test that this process lives, until it no longer does.
            let mut call = TcpStream::connect(std::env::var(CALL).unwrap()).unwrap();
            call.write_all(&[process as u8]).unwrap();
            std::mem::forget(call);
        }
        let failure = failure.clone();
        let start = Instant::now();
        let has_acted = Cell::new(false);
        let done = move || match role.as_str() {
            "adds" => true,
            _ if has_acted.replace(true) || process != 1 => start.elapsed().as_secs() > 30,
            "is killed" => {
                eprintln!("some last words");
                let kill = format!("kill -KILL {}", std::process::id());
                Command::new("sh").args(["-c", &kill]).status().unwrap();
                false
            }
            "fails" => {
                failure.set(Error::input("bad shard"));
                false
            }
            _ => false,
        };
        Ok(Job { done: Box::new(done), finish: Box::new(move || Ok(process)) })
    });
    println!("noise");
    report(is_copy, launched.finish(result));
}

fn report(is_copy: bool, result: Result<Vec<usize>>) {
    match result {
        Ok(_) if is_copy => {}
        Ok(results) => eprintln!("ok {results:?}"),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(7);
        }
    }
}

fn start(role: &str, call: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "program", "--nocapture"])
        .env(ROLE, role)
        .env(CALL, call)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn kill(signal: &str, id: u32) {
    let command = format!("kill -{signal} {id}");
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

/// Runs the program to its end: its exit code and stderr.
fn run(role: &str) -> (Option<i32>, String) {
    let child = start(role, "");
    let id = child.id();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output().unwrap()));
    // A program that hangs must fail the test, not hold it up.
    let Ok(Output { status, stderr, .. }) = receive.recv_timeout(Duration::from_secs(20)) else {
        kill("KILL", id);
        panic!("the program hangs");
    };
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_launched_run_succeeds() {
    assert_eq!(run("adds"), (Some(0), "ok [0, 0]\n".to_owned()));
}

#[test]
fn a_copy_that_is_killed_is_named() {
    let (code, said) = run("is killed");
    assert_eq!(code, Some(7), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("error: process 1 (127.0.0.1:"), "{said}");
    assert!(lines[0].ends_with(") was lost"), "{said}");
    assert!(lines[1].starts_with("  detail: Process 1 (pid "), "{said}");
    assert!(lines[1].contains(" was ended by signal 9. It said: some last words"), "{said}");
}

#[test]
fn a_copy_that_fails_is_named_once() {
    let expected = "error: process 1 failed: bad shard\n".to_owned();
    assert_eq!(run("fails"), (Some(7), expected));
}

#[test]
fn a_copy_that_does_not_begin_is_named() {
    let start = Instant::now();
    let (code, said) = run("does not start");
    assert_eq!(code, Some(7), "{said}");
    let expected = "ended with exit code 9 before the run began\n  detail: It said: error: cannot";
    assert!(said.contains(expected), "{said}");

    let (code, said) = run("does not join");
    assert_eq!(code, Some(7), "{said}");
    let expected = "process 2 ended with exit code 0 before the run began";
    assert!(said.contains(expected) && said.contains("error: changed its mind"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn copies_die_with_the_program() {
    for signal in ["KILL", "TERM"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut program = start("waits", &listener.local_addr().unwrap().to_string());
        // Two workers in each of three processes.
        let mut calls: Vec<_> = (0..6).map(|_| listener.accept().unwrap().0).collect();
        let mut processes = Vec::new();
        for call in &mut calls {
            let mut process = [0];
            call.read_exact(&mut process).unwrap();
            processes.push(process[0]);
        }
        processes.sort_unstable();
        assert_eq!(processes, [0, 0, 1, 1, 2, 2]);

        kill(signal, program.id());
        let start = Instant::now();
        for mut call in calls {
            // The connection ends with the process at its other end.
            call.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert_eq!(call.read(&mut [0]).unwrap_or(0), 0);
        }
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        program.wait().unwrap();
        let mut said = String::new();
        program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    }
}
