//! The control sockets: who is ready, alive, done, gone; and the one reason when a run fails.
//!
//! One thread tells all others, one for each other process hears what it says. A process is lost
//! when its control connection ends without a goodbye or nothing has been heard for
//! [`SILENCE`]; the second catches one that is stopped, which TCP does not notice.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::execute::Run;
use super::failure::lock;
use super::mesh::{Cluster, HEARTBEAT, LINGER, SILENCE};
use super::mesh_connect::Sockets;
use super::mesh_frame::{Frame, Inbox};
use super::mesh_wire::Wire;
use crate::{Error, ErrorKind, Result};

/// How often a hearing thread looks whether the run has failed.
const TICK: Duration = Duration::from_millis(100);
/// How long a data connection may be broken before that is a reason of its own. When a process
/// fails or dies, its control connection says so much sooner.
const BROKEN: Duration = Duration::from_secs(1);
/// How long telling one process may hold up telling the next.
const WRITE_TIMEOUT: Duration = Duration::from_millis(200);

/// What the threads of a mesh share.
pub(super) struct Mesh {
    pub(super) run: Arc<Run>,
    process: usize,
    peers: Vec<Peer>,
    /// This process's workers have finished and its data connections are closed.
    is_leaving: AtomicBool,
    ready_within: Duration,
}

/// Another process.
struct Peer {
    name: String,
    control: TcpStream,
    /// Kept to shut it down when the run fails.
    data: TcpStream,
    is_ready: AtomicBool,
    broken_since: Mutex<Option<Instant>>,
}

/// This process's part in a mesh, from the first connection to the goodbye.
pub(super) struct Membership {
    mesh: Arc<Mesh>,
    threads: Vec<JoinHandle<()>>,
}

impl Membership {
    /// Joins the mesh; also gives the data connections, one for each process but this one.
    pub(super) fn new(
        cluster: &Cluster,
        run: &Arc<Run>,
        sockets: Sockets,
    ) -> Result<(Self, Vec<Option<Wire>>)> {
        let refused = |error: io::Error| Error::io("use a connection", &error);
        let mut peers = Vec::new();
        let mut data = Vec::new();
        for (process, (data_socket, control)) in
            sockets.data.into_iter().zip(sockets.control).enumerate()
        {
            let (Some(data_socket), Some(control)) = (data_socket, control) else {
                data.push(None);
                continue;
            };
            // While connections were opened it was looked at without waiting.
            control.set_nonblocking(false).map_err(refused)?;
            control.set_read_timeout(Some(TICK)).map_err(refused)?;
            control.set_write_timeout(Some(WRITE_TIMEOUT)).map_err(refused)?;
            peers.push(Peer {
                name: cluster.name(process),
                control,
                data: data_socket.try_clone().map_err(refused)?,
                is_ready: AtomicBool::new(false),
                broken_since: Mutex::new(None),
            });
            data.push(Some((data_socket, peers.len() - 1)));
        }
        let mesh = Arc::new(Mesh {
            run: Arc::clone(run),
            process: cluster.process,
            peers,
            is_leaving: AtomicBool::new(false),
            ready_within: cluster.patience() + SILENCE,
        });
        let wires = data
            .into_iter()
            .map(|data| data.map(|(socket, peer)| Wire::new(socket, peer, Arc::clone(&mesh))))
            .collect();
        let mut membership = Membership { mesh, threads: Vec::new() };
        membership.start();
        Ok((membership, wires))
    }

    fn start(&mut self) {
        let mut start = |name: String, work: Box<dyn FnOnce(&Mesh) + Send>| {
            let mesh = Arc::clone(&self.mesh);
            match thread::Builder::new().name(name).spawn(move || work(&mesh)) {
                Ok(thread) => self.threads.push(thread),
                Err(error) => self.mesh.run.failure.set(Error::io("start a thread", &error)),
            }
        };
        start("mesh:tell".to_owned(), Box::new(Mesh::tell));
        for peer in 0..self.mesh.peers.len() {
            start(format!("mesh:hear-{peer}"), Box::new(move |mesh| mesh.hear(peer)));
        }
    }

    /// Waits until every process has all its connections; false when the run has failed.
    pub(super) fn wait_until_ready(&self) -> bool {
        let Mesh { run, peers, .. } = &*self.mesh;
        run.failure.wake_me();
        while !run.failure.is_set() {
            if peers.iter().all(|peer| peer.is_ready.load(Ordering::SeqCst)) {
                return true;
            }
            thread::park_timeout(TICK);
        }
        false
    }

    /// Parts: with a goodbye, waiting for everybody else's, or with the reason of the failure.
    pub(super) fn leave(self) {
        self.mesh.is_leaving.store(true, Ordering::SeqCst);
        self.mesh.run.failure.wake();
        for thread in self.threads {
            if thread.join().is_err() {
                let bug = Error::new(ErrorKind::Worker, "a thread of the mesh panicked");
                self.mesh.run.failure.set(bug);
            }
        }
    }
}

impl Mesh {
    /// Notes that the data connection to a peer ended early; see [`BROKEN`].
    pub(super) fn data_is_broken(&self, peer: usize) {
        lock(&self.peers[peer].broken_since).get_or_insert_with(Instant::now);
    }

    /// Life of the telling thread.
    fn tell(&self) {
        let failure = &self.run.failure;
        failure.wake_me();
        self.tell_all(&Frame::Ready);
        let mut has_told_done = false;
        let mut next_heartbeat = Instant::now() + HEARTBEAT;
        loop {
            if let Some(error) = failure.error_for_peers(self.process) {
                self.tell_all(&Frame::Abort(error));
                for peer in &self.peers {
                    let _ = peer.control.shutdown(Shutdown::Write);
                    let _ = peer.data.shutdown(Shutdown::Both);
                }
                return;
            }
            if !has_told_done && self.run.is_done_here() {
                self.tell_all(&Frame::Done);
                has_told_done = true;
            }
            if self.is_leaving.load(Ordering::SeqCst) {
                self.tell_all(&Frame::Goodbye);
                return;
            }
            self.look_at_data();
            let now = Instant::now();
            if now >= next_heartbeat {
                self.tell_all(&Frame::Alive);
                next_heartbeat = now + HEARTBEAT;
            }
            thread::park_timeout(next_heartbeat - now);
        }
    }

    /// What cannot be told is noticed by the thread that hears the same peer.
    fn tell_all(&self, frame: &Frame) {
        let bytes = frame.encode();
        for peer in &self.peers {
            let _ = (&peer.control).write_all(&bytes);
        }
    }

    fn look_at_data(&self) {
        if self.run.is_done() {
            return;
        }
        for peer in &self.peers {
            if lock(&peer.broken_since).is_some_and(|since| since.elapsed() > BROKEN) {
                self.run.failure.set_named(lost(&peer.name, "Its data connection broke."));
            }
        }
    }

    /// Life of the thread that hears one peer.
    fn hear(&self, peer: usize) {
        let peer = &self.peers[peer];
        let failure = &self.run.failure;
        let mut inbox = Inbox::default();
        let mut bytes = [0; 512];
        let mut heard_at = Instant::now();
        let mut failed_at: Option<Instant> = None;
        loop {
            if failure.is_set() && failed_at.get_or_insert_with(Instant::now).elapsed() > LINGER {
                return;
            }
            // Measured before reading: this process may itself have been stopped meanwhile, and
            // then what the peer said is waiting.
            let silence = heard_at.elapsed();
            match (&peer.control).read(&mut bytes) {
                Ok(0) => {
                    failure.set_named(lost(&peer.name, "Its connection ended without a goodbye."));
                    return;
                }
                Ok(n) => {
                    heard_at = Instant::now();
                    inbox.push(&bytes[..n]);
                    if !self.take(peer, &mut inbox) {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    let is_ready = peer.is_ready.load(Ordering::SeqCst);
                    let limit = if is_ready { SILENCE } else { self.ready_within };
                    if silence > limit {
                        failure.set_named(silent(&peer.name, limit));
                        return;
                    }
                }
                Err(_) => {
                    failure.set_named(lost(&peer.name, "Its connection ended without a goodbye."));
                    return;
                }
            }
        }
    }

    /// Takes what a peer said; false when it has said its last.
    fn take(&self, peer: &Peer, inbox: &mut Inbox) -> bool {
        loop {
            match inbox.next() {
                Ok(None) => return true,
                Ok(Some(Frame::Alive)) => {}
                Ok(Some(Frame::Ready)) => {
                    peer.is_ready.store(true, Ordering::SeqCst);
                    self.run.failure.wake();
                }
                Ok(Some(Frame::Done)) => self.run.process_is_done(),
                Ok(Some(Frame::Goodbye)) => return false,
                Ok(Some(Frame::Abort(error))) => {
                    self.run.failure.set_named(error);
                    return false;
                }
                Err(_) => {
                    self.run.failure.set_named(lost(&peer.name, "What it says is no message."));
                    return false;
                }
            }
        }
    }
}

/// A process whose connection ended.
pub(super) fn lost(name: &str, how: &str) -> Error {
    Error::new(ErrorKind::Worker, format!("{name} was lost")).with_detail(how).with_hint(
        "Look there for the reason: it may have been killed, for example for want of memory.",
    )
}

/// A process whose connection is open but silent.
fn silent(name: &str, limit: Duration) -> Error {
    Error::new(ErrorKind::Worker, format!("{name} does not answer"))
        .with_detail(format!("Nothing was heard from it for {} seconds.", limit.as_secs()))
        .with_hint("It is stopped, its machine is overloaded, or the network is down.")
}
