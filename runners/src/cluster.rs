//! Several processes for one run: on machines that a file lists, or all started on this one.
//!
//! [`launch`] starts the program again, with the same arguments, as often as it takes. The copies
//! call [`launch`], too, and there learn which process they are:
//!
//! ```text
//!  process 0: launch ── starts ──► process 1: launch     in its environment: that it is a copy
//!                 ◄── its address ──       on its stdout, before anything else
//!                 ── number, token, all addresses ──►    on its stdin, which then stays open
//! ```
//!
//! The stdin of a copy ends when process 0 ends, however that happens, and the copy ends with it.
//! What copies write on their stderr is kept: process 0 prints the one reason of a failure.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use engine::dataflow::Cluster;
use engine::{Error, ErrorKind, Result};

/// The environment variable that holds the token of a run on several machines.
pub const TOKEN_VARIABLE: &str = "FRAZIL_TOKEN";

/// Tells a copy that it is one.
const COPY_VARIABLE: &str = "FRAZIL_COPY_OF";
/// What a copy writes before its address; other lines before it are not meant for process 0.
const ADDRESS: &str = "frazil listens on ";
/// How long copies may take to start.
const START: Duration = Duration::from_secs(30);
/// How long copies may take to end after a run, before they are killed.
const END: Duration = Duration::from_secs(5);
/// The same after a failure, when they have nothing left to do.
const END_FAILED: Duration = Duration::from_millis(200);
/// How long a copy outlives process 0: its run, if there is one, notices first and says so.
const ORPHAN: Duration = Duration::from_millis(2500);
/// How much of what a copy writes on its stderr is kept.
const KEPT_BYTES: usize = 16 << 10;

/// Reads a list of hosts: `host:port` of one process on each line, in the order of the processes.
///
/// Blank lines and everything after a `#` are left out.
///
/// # Errors
/// When the file cannot be read, or a line is not an address or repeats one: the line is named.
pub fn read_hosts(path: &Path) -> Result<Vec<String>> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::io(format_args!("read the list of hosts `{name}`"), &error))?;
    parse_hosts(&text, &name.to_string())
}

fn parse_hosts(text: &str, name: &str) -> Result<Vec<String>> {
    let mut hosts: Vec<(usize, String)> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let host = text.split('#').next().unwrap_or_default().trim();
        if host.is_empty() {
            continue;
        }
        let is_address = host.rsplit_once(':').is_some_and(|(machine, port)| {
            !machine.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !is_address || host.contains(char::is_whitespace) {
            return Err(Error::input(format!("line {line} of `{name}` is not an address"))
                .with_detail(format!("It is `{host}`."))
                .with_hint("Write `host:port`, one process on each line."));
        }
        if let Some((first, _)) = hosts.iter().find(|(_, other)| other.eq_ignore_ascii_case(host)) {
            return Err(Error::input(format!("line {line} of `{name}` repeats line {first}"))
                .with_detail(format!("Both are `{host}`."))
                .with_hint("Give every process an address of its own."));
        }
        hosts.push((line, host.to_owned()));
    }
    if hosts.is_empty() {
        return Err(Error::input(format!("`{name}` lists no host"))
            .with_hint("Write `host:port`, one process on each line."));
    }
    Ok(hosts.into_iter().map(|(_, host)| host).collect())
}

/// The token of a run on several machines, from the environment: arguments are visible to all.
///
/// # Errors
/// When [`TOKEN_VARIABLE`] is not set.
pub fn token() -> Result<String> {
    std::env::var(TOKEN_VARIABLE).map_err(|_| {
        Error::invalid(format!("`{TOKEN_VARIABLE}` is not set"))
            .with_hint("Set it to the same secret for every process, so that they know each other.")
    })
}

/// This process's place among those of [`launch`]; the copies die with it.
pub struct Launched {
    cluster: Cluster,
    copies: Copies,
}

/// The copies that this process has started; what still runs when this is dropped is killed.
#[derive(Default)]
struct Copies(Arc<Mutex<Vec<Started>>>);

/// One copy.
struct Started {
    process: usize,
    child: Child,
    stderr: Arc<Mutex<Vec<u8>>>,
    /// Fills `stderr` until there is no more.
    reader: Option<thread::JoinHandle<()>>,
}

/// Makes a cluster of `processes` processes on this machine, which run this program with `args`.
///
/// The program calls this in every process; it gives process 0 its copies, and a copy its place.
/// Process 0 then reports the results and ends with [`Launched::finish`], as do the copies.
///
/// # Errors
/// When a copy cannot be started or ends before it has said where it listens.
pub fn launch(
    processes: usize,
    args: impl IntoIterator<Item = impl Into<OsString>>,
) -> Result<Launched> {
    if std::env::var_os(COPY_VARIABLE).is_some() {
        return join();
    }
    if processes == 0 {
        return Err(Error::invalid("a run needs at least one process"));
    }
    let listener = listen()?;
    let mut hosts = vec![address(&listener)?];
    let program =
        std::env::current_exe().map_err(|error| Error::io("find this program", &error))?;
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();

    let copies = Copies::default();
    let (send, addresses) = mpsc::channel();
    for process in 1..processes {
        let mut command = Command::new(&program);
        command
            .args(&args)
            .env(COPY_VARIABLE, std::process::id().to_string())
            .env_remove(TOKEN_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|error| Error::io(format_args!("start process {process}"), &error))?;
        lock(&copies.0).push(Started::new(process, child, send.clone()));
    }
    drop(send);
    hosts.resize(processes, String::new());
    let start = Instant::now();
    for _ in 1..processes {
        let (process, address) =
            addresses.recv_timeout(START.saturating_sub(start.elapsed())).map_err(not_started)?;
        match address {
            Some(address) => hosts[process] = address,
            None => return Err(lock(&copies.0)[process - 1].ended_early()),
        }
    }

    let token = make_token();
    for copy in lock(&copies.0).iter_mut() {
        let line = format!("{} {token} {}\n", copy.process, hosts.join(" "));
        // If it has ended, the run will say so.
        let _ = copy.child.stdin.as_mut().map(|stdin| stdin.write_all(line.as_bytes()));
    }
    let watched = Arc::clone(&copies.0);
    let cluster = Cluster::new(hosts, 0, token)?.with_listener(listener).with_watch(move || {
        let mut copies = lock(&watched);
        let ended = copies.iter_mut().position(Started::has_ended)?;
        Some(copies[ended].ended_early())
    });
    Ok(Launched { cluster, copies })
}

/// What a copy does instead of starting more.
fn join() -> Result<Launched> {
    let listener = listen()?;
    let refused = |error: io::Error| Error::io("talk to process 0", &error);
    let mut stdout = io::stdout();
    writeln!(stdout, "\n{ADDRESS}{}", address(&listener)?).map_err(refused)?;
    stdout.flush().map_err(refused)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(refused)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let place = words.next().and_then(|process| process.parse().ok()).zip(words.next());
    let Some((process, token)) = place else {
        return Err(Error::new(ErrorKind::Worker, "process 0 is gone"));
    };
    thread::spawn(|| {
        // Process 0 writes nothing more: this ends when it does.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        thread::sleep(ORPHAN);
        std::process::exit(1);
    });
    let cluster = Cluster::new(words.collect(), process, token)?.with_listener(listener);
    Ok(Launched { cluster, copies: Copies::default() })
}

impl Launched {
    /// This process's place, to be given to the workers.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// True in the copies, which leave reporting to process 0.
    pub fn is_copy(&self) -> bool {
        self.cluster.process > 0
    }

    /// Waits for the copies to end, and gives the result of the whole run.
    ///
    /// # Errors
    /// The error in `result`, with what the copies' ends tell about it; or, after a success, that
    /// of a copy that failed all the same.
    pub fn finish<T>(self, result: Result<T>) -> Result<T> {
        let patience = if result.is_ok() { END } else { END_FAILED };
        wait_for(patience, || lock(&self.copies.0).iter_mut().all(Started::has_ended));
        let mut copies = lock(&self.copies.0);
        let ended = |copy: &mut Started| {
            let status = copy.child.try_wait().ok().flatten()?;
            (!status.success()).then_some(status)
        };
        match result {
            Ok(value) => match copies.iter_mut().find_map(|copy| Some((ended(copy)?, copy))) {
                None => Ok(value),
                Some((status, copy)) => Err(copy.error(format!(
                    "process {} failed at its end: {}",
                    copy.process,
                    describe(status)
                ))),
            },
            // Failed copies end with an exit code. A signal is the reason, not a consequence.
            Err(error) if error.kind() == ErrorKind::Worker => {
                let killed = copies.iter_mut().find_map(|copy| {
                    let status = ended(copy).filter(|status| status.code().is_none())?;
                    Some((status, copy))
                });
                Err(match killed {
                    None => error,
                    Some((status, copy)) => error.with_detail(copy.detail(&format!(
                        "Process {} (pid {}) {}.",
                        copy.process,
                        copy.child.id(),
                        describe(status)
                    ))),
                })
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for copy in lock(&self.0).iter_mut() {
            let _ = copy.child.kill();
            let _ = copy.child.wait();
        }
    }
}

impl Started {
    fn new(process: usize, mut child: Child, send: Sender<(usize, Option<String>)>) -> Self {
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let reader = child.stderr.take().map(|pipe| {
            let kept = Arc::clone(&stderr);
            thread::spawn(move || keep_end(pipe, &kept))
        });
        if let Some(pipe) = child.stdout.take() {
            thread::spawn(move || {
                let mut pipe = BufReader::new(pipe);
                let _ = send.send((process, read_address(&mut pipe)));
                // Only process 0 reports; but a copy must never wait for somebody to read.
                let _ = io::copy(&mut pipe, &mut io::sink());
            });
        }
        Started { process, child, stderr, reader }
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// It has ended, or closed its stdout, while it was awaited.
    fn ended_early(&mut self) -> Error {
        wait_for(Duration::from_secs(1), || self.has_ended());
        let how = match self.child.try_wait() {
            Ok(Some(status)) => describe(status),
            _ => "closed its output".to_owned(),
        };
        self.error(format!("process {} {how} before the run began", self.process))
    }

    fn error(&self, message: String) -> Error {
        let error = Error::new(ErrorKind::Worker, message);
        match self.detail("") {
            detail if detail.is_empty() => error,
            detail => error.with_detail(detail),
        }
    }

    /// A sentence, and what the copy has written on its stderr.
    fn detail(&self, sentence: &str) -> String {
        // Its last words may still be on their way when it has ended.
        let read = || self.reader.as_ref().is_none_or(thread::JoinHandle::is_finished);
        wait_for(Duration::from_millis(500), read);
        let kept = lock(&self.stderr);
        let said = String::from_utf8_lossy(&kept);
        let said = match said.trim() {
            "" => String::new(),
            said => format!("It said: {}", said.replace('\n', "\n    ")),
        };
        [sentence, &said].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// Waits until something is so, but no longer than this.
fn wait_for(patience: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() && start.elapsed() < patience {
        thread::sleep(Duration::from_millis(5));
    }
}

/// The address that a copy writes, or `None` when it ends without.
fn read_address(pipe: &mut impl BufRead) -> Option<String> {
    // Longer than any line before the address may be.
    let mut pipe = pipe.take(1 << 20);
    let mut line = String::new();
    while pipe.read_line(&mut line).ok()? > 0 {
        if let Some(address) = line.trim_end().strip_prefix(ADDRESS) {
            return Some(address.to_owned());
        }
        line.clear();
    }
    None
}

/// Keeps the last [`KEPT_BYTES`] of what comes.
fn keep_end(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut bytes) {
        let mut kept = lock(kept);
        kept.extend_from_slice(&bytes[..n]);
        let excess = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..excess);
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended without an exit code".to_owned(),
    }
}

fn not_started(error: RecvTimeoutError) -> Error {
    let how = match error {
        RecvTimeoutError::Timeout => format!("within {} seconds", START.as_secs()),
        RecvTimeoutError::Disconnected => "at all".to_owned(),
    };
    Error::new(ErrorKind::Worker, format!("the other processes did not start {how}"))
}

fn listen() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(|error| Error::io("listen on this machine", &error))
}

fn address(listener: &TcpListener) -> Result<String> {
    let address = listener.local_addr().map_err(|error| Error::io("listen", &error))?;
    Ok(address.to_string())
}

/// 256 bits that nobody can guess: the standard library keys its hasher with the system's
/// randomness, and without the key what the hasher makes of a number cannot be told.
fn make_token() -> String {
    let hasher = RandomState::new();
    let [a, b, c, d] = [0, 1, 2, 3].map(|n: u64| hasher.hash_one(n));
    format!("{a:016x}{b:016x}{c:016x}{d:016x}")
}

/// A panic leaves nothing half changed behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], &str>) {
        let hosts = parse_hosts(text, "hosts.txt");
        match expected {
            Ok(expected) => assert_eq!(hosts.unwrap(), expected),
            Err(message) => assert_eq!(hosts.unwrap_err().message(), message),
        }
    }

    #[test]
    fn hosts_are_read_or_their_line_is_named() {
        check("a:1\nb:2\n", Ok(&["a:1", "b:2"]));
        check("# three\n\n  a:1  # first\r\n\t\nb:1\r\n[::1]:1", Ok(&["a:1", "b:1", "[::1]:1"]));
        check("", Err("`hosts.txt` lists no host"));
        check("# a:1\n", Err("`hosts.txt` lists no host"));
        check("a:1\n\nb\n", Err("line 3 of `hosts.txt` is not an address"));
        check("a:1 b:1\n", Err("line 1 of `hosts.txt` is not an address"));
        check("a:0\n", Err("line 1 of `hosts.txt` is not an address"));
        check("a:65536\n", Err("line 1 of `hosts.txt` is not an address"));
        check(":1\n", Err("line 1 of `hosts.txt` is not an address"));
        check("a:1\n# b\nb:1\nA:1\n", Err("line 4 of `hosts.txt` repeats line 1"));
    }

    #[test]
    fn a_missing_list_is_named() {
        let error = read_hosts(Path::new("/nowhere/hosts.txt")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("`/nowhere/hosts.txt`"), "{error}");
    }

    #[test]
    fn tokens_differ() {
        assert_eq!(make_token().len(), 64);
        assert_ne!(make_token(), make_token());
    }

    #[test]
    fn the_end_of_what_a_copy_says_is_kept() {
        let kept = Mutex::new(Vec::new());
        let long: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        keep_end(&long[..], &kept);
        assert_eq!(*lock(&kept), long[long.len() - KEPT_BYTES..]);
    }
}
