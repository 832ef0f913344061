//! Opens the connections of a mesh, until one deadline.
//!
//! Every process listens, and connects to those before it on the list: one thread for each of
//! those, and one loop for everything else. Whoever connects is heard without waiting for it, so
//! that a stranger who says nothing holds up nobody; until it has shown the token it changes
//! nothing and is answered nothing.
//!
//! ```text
//!   connects: hello ────────────────► accepts: is it one of us? do we agree?
//!             do we agree?  ◄──────── hello, or the reason why the run has failed
//!             accepted ─────────────► the connection is open
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::mesh::{Cluster, LINGER, RETRY};
use super::mesh_control::lost;
use super::mesh_frame::{ABORT, Frame, Inbox};
use super::mesh_hello::{ACCEPTED, HELLO_BYTES, Heard, Hello, Kind, hear, version_error};
use crate::Error;

/// How often the loop looks at its sockets.
const TICK: Duration = Duration::from_millis(2);
/// How long somebody who connects may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many may be connected at once without having said who they are.
const MAX_UNKNOWN: usize = 128;
/// How often a connecting thread looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);
/// How long one attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The open connections to every process; `None` in this process's own place.
pub(super) struct Sockets {
    pub(super) data: Vec<Option<TcpStream>>,
    pub(super) control: Vec<Option<TcpStream>>,
}

/// Opens all connections; `None` when `failure` has been set, by this process or another.
pub(super) fn connect(
    cluster: &Cluster,
    listener: &TcpListener,
    hello: Hello,
    failure: &Failure,
) -> Option<Sockets> {
    let deadline = Instant::now() + cluster.patience();
    let stop = AtomicBool::new(false);
    let mut gathering = Gathering::new(cluster, hello, failure);
    let is_whole = thread::scope(|scope| {
        let (send, events) = mpsc::channel();
        for peer in 0..cluster.process {
            let (send, stop) = (send.clone(), &stop);
            scope.spawn(move || dial(cluster, peer, hello, stop, &send));
        }
        let mut failed_at: Option<Instant> = None;
        let is_whole = loop {
            gathering.accept(listener);
            gathering.hear_unknown();
            while let Ok(event) = events.try_recv() {
                gathering.take(event);
            }
            gathering.look_at_known();
            if failure.is_set() {
                gathering.tell_failure();
                // Those who connect in the meantime learn the reason, too.
                if failed_at.get_or_insert_with(Instant::now).elapsed() > LINGER {
                    break false;
                }
            } else if gathering.is_whole() {
                break true;
            } else if Instant::now() >= deadline {
                failure.set_named(gathering.missing());
            } else if let Some(error) = cluster.watch() {
                failure.set_named(error);
            }
            thread::sleep(TICK);
        };
        stop.store(true, Ordering::SeqCst);
        is_whole
    });
    is_whole.then_some(Sockets { data: gathering.data, control: gathering.control })
}

/// What has been found so far.
struct Gathering<'a> {
    cluster: &'a Cluster,
    hello: Hello,
    failure: &'a Failure,
    unknown: Vec<Unknown>,
    data: Vec<Option<TcpStream>>,
    control: Vec<Option<TcpStream>>,
    /// To whom the failure of this run has been told.
    told: Vec<bool>,
    /// The last thing that went wrong with each process.
    notes: Vec<Option<String>>,
    /// How many connections were dropped, and why the last one was.
    strangers: usize,
    last_stranger: String,
}

/// Somebody who has connected.
struct Unknown {
    socket: TcpStream,
    since: Instant,
    bytes: Vec<u8>,
    /// What it said, once it has shown the token: then only its acceptance is missing.
    hello: Option<Hello>,
}

/// What becomes of somebody who has connected.
enum Verdict {
    Wait,
    Drop,
    Open(Hello),
}

impl<'a> Gathering<'a> {
    fn new(cluster: &'a Cluster, hello: Hello, failure: &'a Failure) -> Self {
        let none = || cluster.hosts.iter().map(|_| None).collect();
        Gathering {
            cluster,
            hello,
            failure,
            unknown: Vec::new(),
            data: none(),
            control: none(),
            told: vec![false; cluster.hosts.len()],
            notes: vec![None; cluster.hosts.len()],
            strangers: 0,
            last_stranger: String::new(),
        }
    }

    fn is_whole(&self) -> bool {
        let open = self.data.iter().chain(&self.control).filter(|socket| socket.is_some()).count();
        open == 2 * (self.data.len() - 1)
    }

    fn accept(&mut self, listener: &TcpListener) {
        while self.unknown.len() < MAX_UNKNOWN
            && let Ok((socket, _)) = listener.accept()
        {
            if socket.set_nonblocking(true).is_ok() && socket.set_nodelay(true).is_ok() {
                let since = Instant::now();
                self.unknown.push(Unknown { socket, since, bytes: Vec::new(), hello: None });
            }
        }
    }

    fn hear_unknown(&mut self) {
        for mut unknown in std::mem::take(&mut self.unknown) {
            match self.judge(&mut unknown) {
                Verdict::Wait => self.unknown.push(unknown),
                Verdict::Drop => {}
                Verdict::Open(hello) => self.open(hello.process, hello.kind, unknown.socket),
            }
        }
    }

    fn judge(&mut self, unknown: &mut Unknown) -> Verdict {
        let missing = if unknown.hello.is_some() { 1 } else { HELLO_BYTES - unknown.bytes.len() };
        let mut bytes = [0; HELLO_BYTES];
        match unknown.socket.read(&mut bytes[..missing]) {
            Ok(0) => return Verdict::Drop,
            Ok(n) => unknown.bytes.extend(&bytes[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if unknown.hello.is_none() && unknown.since.elapsed() > PATIENCE {
                    return self.stranger("said nothing");
                }
                return Verdict::Wait;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Verdict::Wait,
            Err(_) => return Verdict::Drop,
        }
        if let Some(hello) = unknown.hello {
            let accepts = unknown.bytes.last() == Some(&ACCEPTED);
            return if accepts { Verdict::Open(hello) } else { Verdict::Drop };
        }
        match hear(&unknown.bytes, &self.cluster.token) {
            Heard::Part => Verdict::Wait,
            Heard::Stranger(why) => self.stranger(why),
            Heard::Version(theirs) => {
                // The connecting process hears this one's version and says the same.
                let hello = self.hello.encode(&self.cluster.token);
                let _ = unknown.socket.write_all(&hello);
                self.failure.set_named(version_error(theirs, "another process"));
                Verdict::Drop
            }
            Heard::Hello(theirs) => self.answer(unknown, theirs),
        }
    }

    /// Somebody has shown the token: this is a process of this run, rightly started or not.
    fn answer(&mut self, unknown: &mut Unknown, theirs: Hello) -> Verdict {
        if let Some(error) = self.failure.error_for_peers(self.hello.process) {
            let _ = unknown.socket.write_all(&Frame::Abort(error).encode());
            return Verdict::Drop;
        }
        let mine = Hello { kind: theirs.kind, ..self.hello };
        let agreed = mine.check(&theirs);
        if agreed.is_ok() && theirs.phase != mine.phase {
            // A connection that was given up in an earlier run, or a process that is ahead.
            self.note(theirs.process, out_of_step(&theirs, &mine));
            return Verdict::Drop;
        }
        if unknown.socket.write_all(&mine.encode(&self.cluster.token)).is_err() {
            return Verdict::Drop;
        }
        if let Err(error) = agreed {
            self.failure.set_named(error);
            return Verdict::Drop;
        }
        let taken = match theirs.kind {
            Kind::Data => self.data.get(theirs.process),
            Kind::Control => self.control.get(theirs.process),
        };
        let process = theirs.process;
        if process < mine.process {
            self.failure.set_named(
                Error::invalid(format!("process {process} took this one for one before it"))
                    .with_detail(format!("This is process {}.", mine.process))
                    .with_hint("Give every process the same list of hosts."),
            );
            return Verdict::Drop;
        }
        if process == mine.process || !matches!(taken, Some(None)) {
            self.failure.set_named(twice(process));
            return Verdict::Drop;
        }
        unknown.hello = Some(theirs);
        Verdict::Wait
    }

    fn stranger(&mut self, why: &str) -> Verdict {
        self.strangers += 1;
        why.clone_into(&mut self.last_stranger);
        Verdict::Drop
    }

    fn note(&mut self, process: usize, note: String) {
        if let Some(kept) = self.notes.get_mut(process) {
            *kept = Some(note);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Open(peer, kind, socket) => self.open(peer, kind, socket),
            Event::Trouble(peer, Trouble::Again(note)) => self.note(peer, note),
            Event::Trouble(_, Trouble::Fatal(error)) => self.failure.set_named(error),
        }
    }

    /// Both ends have accepted: the socket is timely's or ours from now on.
    fn open(&mut self, process: usize, kind: Kind, socket: TcpStream) {
        let is_watched = kind == Kind::Control;
        let set = socket
            .set_nonblocking(is_watched)
            .and_then(|()| socket.set_read_timeout(None))
            .and_then(|()| socket.set_write_timeout(None));
        if let Err(error) = set {
            self.failure.set(Error::io("use a connection", &error));
        }
        let sockets = if is_watched { &mut self.control } else { &mut self.data };
        match sockets.get_mut(process) {
            Some(place @ None) => *place = Some(socket),
            _ => self.failure.set_named(twice(process)),
        }
    }

    /// A process that has failed, or is gone, while others are still awaited.
    fn look_at_known(&mut self) {
        for (process, control) in self.control.iter_mut().enumerate() {
            let Some(socket) = control else { continue };
            let mut first = [0];
            match socket.peek(&mut first) {
                Ok(1) if first[0] == ABORT => {
                    let reason = read_reason(socket);
                    let name = self.cluster.name(process);
                    self.failure.set_named(
                        reason.unwrap_or_else(|| lost(&name, "It ended without a reason.")),
                    );
                }
                Ok(0) => self.failure.set_named(lost(
                    &self.cluster.name(process),
                    "Its connection ended before the run began.",
                )),
                _ => {}
            }
        }
    }

    fn tell_failure(&mut self) {
        let Some(error) = self.failure.error_for_peers(self.hello.process) else { return };
        let bytes = Frame::Abort(error).encode();
        for (control, told) in self.control.iter_mut().zip(&mut self.told) {
            if let (Some(socket), false) = (control, &*told) {
                *told = true;
                let _ = socket.write_all(&bytes);
            }
        }
    }

    /// The deadline has passed.
    fn missing(&self) -> Error {
        let missing: Vec<usize> = (0..self.data.len())
            .filter(|&process| process != self.hello.process)
            .filter(|&process| self.data[process].is_none() || self.control[process].is_none())
            .collect();
        let names: Vec<String> =
            missing.iter().map(|&process| self.cluster.name(process)).collect();
        let seconds = self.cluster.patience().as_secs_f64();
        let message = format!("{} did not join within {seconds} s", names.join(" and "));
        let mut detail: Vec<String> = missing
            .iter()
            .filter_map(|&process| {
                let note = self.notes[process].as_ref()?;
                Some(format!("Process {process} {note}."))
            })
            .collect();
        if self.strangers > 0 {
            detail.push(format!(
                "Dropped {} connections of strangers, the last of which {}.",
                self.strangers, self.last_stranger
            ));
        }
        let error = Error::new(crate::ErrorKind::Worker, message).with_hint(
            "Start every process, with the same list of hosts and the same token, and see that \
             they can reach each other.",
        );
        if detail.is_empty() { error } else { error.with_detail(detail.join(" ")) }
    }
}

fn twice(process: usize) -> Error {
    Error::invalid(format!("two processes say that they are process {process}"))
        .with_hint("Give every process a number of its own, from 0, in the order of the list.")
}

fn out_of_step(theirs: &Hello, mine: &Hello) -> String {
    format!("is in phase {} while this one is in phase {}", theirs.phase, mine.phase)
}

/// Reads the reason that a process gave before it went.
fn read_reason(socket: &mut TcpStream) -> Option<Error> {
    let mut inbox = Inbox::default();
    let mut bytes = [0; 512];
    let since = Instant::now();
    while since.elapsed() < LINGER {
        match socket.read(&mut bytes) {
            Ok(0) => return None,
            Ok(n) => inbox.push(&bytes[..n]),
            Err(error) if is_timeout(&error) => thread::sleep(TICK),
            Err(_) => return None,
        }
        match inbox.next() {
            Ok(None) => {}
            Ok(Some(Frame::Abort(error))) => return Some(error),
            _ => return None,
        }
    }
    None
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// What a connecting thread reports.
enum Event {
    Open(usize, Kind, TcpStream),
    Trouble(usize, Trouble),
}

/// Why a connection was not opened.
enum Trouble {
    /// What the process did, to be told when it stays missing.
    Again(String),
    Fatal(Error),
}

/// Life of the thread that connects to one process.
fn dial(cluster: &Cluster, peer: usize, hello: Hello, stop: &AtomicBool, send: &Sender<Event>) {
    for kind in [Kind::Control, Kind::Data] {
        let hello = Hello { kind, ..hello };
        loop {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let event = match dial_once(cluster, peer, &hello, stop) {
                Ok(socket) => Event::Open(peer, kind, socket),
                Err(trouble) => Event::Trouble(peer, trouble),
            };
            let is_open = matches!(event, Event::Open(..));
            let is_over = matches!(event, Event::Trouble(_, Trouble::Fatal(_)));
            // The loop that takes these may have ended: then so does this.
            if send.send(event).is_err() || is_over {
                return;
            }
            if is_open {
                break;
            }
            thread::sleep(RETRY);
        }
    }
}

fn dial_once(
    cluster: &Cluster,
    peer: usize,
    hello: &Hello,
    stop: &AtomicBool,
) -> Result<TcpStream, Trouble> {
    let host = &cluster.hosts[peer];
    let again = |what: &str, error: &io::Error| Trouble::Again(format!("{what}: {error}"));
    let addresses =
        host.to_socket_addrs().map_err(|error| again("has no known address", &error))?;
    let mut socket = Err(Trouble::Again("has no known address".to_owned()));
    for address in addresses {
        socket = TcpStream::connect_timeout(&address, ATTEMPT)
            .map_err(|error| again("could not be reached", &error));
        if socket.is_ok() {
            break;
        }
    }
    let mut socket = socket?;
    socket
        .set_nodelay(true)
        .and_then(|()| socket.set_write_timeout(Some(ATTEMPT)))
        .and_then(|()| socket.set_read_timeout(Some(LOOK)))
        .and_then(|()| socket.write_all(&hello.encode(&cluster.token)))
        .map_err(|error| again("did not answer", &error))?;
    let theirs = read_answer(&mut socket, cluster, peer, stop)?;
    hello.check(&theirs).map_err(Trouble::Fatal)?;
    if theirs.process != peer {
        return Err(Trouble::Fatal(
            Error::invalid(format!("`{host}` is process {}, not {peer}", theirs.process))
                .with_hint("Give every process the same list of hosts."),
        ));
    }
    if theirs.phase != hello.phase || theirs.kind != hello.kind {
        return Err(Trouble::Again(out_of_step(&theirs, hello)));
    }
    socket.write_all(&[ACCEPTED]).map_err(|error| again("went away", &error))?;
    Ok(socket)
}

/// Waits for the other's hello; it comes late when that process is still in its last run.
fn read_answer(
    socket: &mut TcpStream,
    cluster: &Cluster,
    peer: usize,
    stop: &AtomicBool,
) -> Result<Hello, Trouble> {
    let mut answer = Vec::new();
    let mut bytes = [0; HELLO_BYTES];
    while !stop.load(Ordering::SeqCst) {
        match socket.read(&mut bytes[..HELLO_BYTES - answer.len()]) {
            Ok(0) => {
                return Err(Trouble::Again("closed the connection without an answer".to_owned()));
            }
            Ok(n) => answer.extend(&bytes[..n]),
            Err(error) if is_timeout(&error) => continue,
            Err(error) => return Err(Trouble::Again(format!("did not answer: {error}"))),
        }
        if answer.first() == Some(&ABORT) {
            return Err(read_refusal(socket, &answer));
        }
        match hear(&answer, &cluster.token) {
            Heard::Part => {}
            Heard::Stranger(why) => {
                return Err(Trouble::Again(format!("is none of this run: what answers {why}")));
            }
            Heard::Version(theirs) => {
                return Err(Trouble::Fatal(version_error(theirs, &cluster.name(peer))));
            }
            Heard::Hello(theirs) => return Ok(theirs),
        }
    }
    Err(Trouble::Again("accepted the connection but did not answer".to_owned()))
}

/// The run has failed before this process joined it.
fn read_refusal(socket: &mut TcpStream, start: &[u8]) -> Trouble {
    let mut inbox = Inbox::default();
    inbox.push(start);
    // The sender closes the connection after the reason.
    let mut rest = Vec::new();
    let _ = socket.set_read_timeout(Some(LINGER));
    let _ = socket.take(1 << 16).read_to_end(&mut rest);
    inbox.push(&rest);
    match inbox.next() {
        Ok(Some(Frame::Abort(error))) => Trouble::Fatal(error),
        _ => Trouble::Again("refused without a reason".to_owned()),
    }
}
