//! Processes that run one pipeline together: who they are, how they meet and how they part.
//!
//! Timely's own cluster waits for ever for a process that never starts, accepts any stranger, and
//! hangs or panics when a process is lost. So the sockets are opened here and handed to timely:
//!
//! ```text
//!   process 0 ◄──── data, control ──── process 1         process i connects to every j < i, twice
//!       ▲                                  ▲
//!       └──── data, control ─ process 2 ───┘
//!
//!   connect ──► hello, both ways ──► ready ──► heartbeats, done ──► goodbye
//!                   └──────────────────┴─────────────┴──► abort: the one reason, told to all
//! ```
//!
//! `mesh_hello` is the handshake, `mesh_connect` opens the sockets, `mesh_frame` is what is said on
//! a control socket and `mesh_control` who says it when; `mesh_wire` stands between timely and the
//! data sockets, so that its network threads end quietly however a run ends.
//!
//! The token keeps strangers and other runs out. It is sent as it is and the data is not encrypted:
//! a mesh belongs on a network whose machines are trusted.

use std::fmt;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::failure::lock;
use super::mesh_hello::MAX_TOKEN_BYTES;
use crate::{Error, ErrorKind, Result};

/// How often a process says that it is alive.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(250);
/// How long a process may say nothing before it counts as lost.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// How long to wait before trying again to connect.
pub(super) const RETRY: Duration = Duration::from_millis(50);
/// How long a failed process stays to tell the others why.
pub(super) const LINGER: Duration = Duration::from_millis(300);

/// This process's place in a mesh of processes.
///
/// Clones share the listening socket and the count of runs.
#[derive(Clone)]
pub struct Cluster {
    /// `host:port` of every process, in order; the same list everywhere.
    pub hosts: Vec<String>,
    /// Which of them this process is.
    pub process: usize,
    /// What shows that a connection belongs to this run: the same everywhere, known to nobody else.
    pub token: String,
    /// How long to wait, at the start of every run, for the other processes.
    pub connect_timeout: Duration,
    session: Arc<Session>,
}

type Watch = Box<dyn Fn() -> Option<Error> + Send>;

/// What lasts from one run of a cluster to the next.
#[derive(Default)]
struct Session {
    listener: Mutex<Option<Arc<TcpListener>>>,
    /// Runs so far: a process that is ahead must not join a run that the others have yet to end.
    phase: AtomicU64,
    /// Held during a run: two at once would take each other's connections.
    turn: Mutex<()>,
    watch: Mutex<Option<Watch>>,
}

impl Cluster {
    /// Process `process` of those that listen on `hosts`.
    ///
    /// # Errors
    /// When a host is not `host:port`, the list names one twice or is empty, `process` is not on
    /// it, or the token is empty or longer than 64 bytes.
    pub fn new(hosts: Vec<String>, process: usize, token: impl Into<String>) -> Result<Self> {
        let token = token.into();
        for (number, host) in hosts.iter().enumerate() {
            let port = host.rsplit_once(':').filter(|(name, _)| !name.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(Error::invalid(format!("`{host}` is not an address"))
                    .with_hint("Write every process as `host:port`."));
            }
            if let Some(first) = hosts[..number].iter().position(|other| other == host) {
                return Err(Error::invalid(format!("`{host}` is listed twice"))
                    .with_detail(format!("It would be process {first} and process {number}.")));
            }
        }
        if process >= hosts.len() {
            return Err(Error::invalid(format!("there is no process {process}")).with_detail(
                format!("The list of hosts has {} entries; they are numbered from 0.", hosts.len()),
            ));
        }
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(Error::invalid(format!(
                "the token of a run must have 1 to {MAX_TOKEN_BYTES} bytes, not {}",
                token.len()
            )));
        }
        let connect_timeout = Duration::from_secs(30);
        Ok(Cluster { hosts, process, token, connect_timeout, session: Arc::default() })
    }

    /// Listens with a socket that is already bound to this process's address.
    pub fn with_listener(self, listener: TcpListener) -> Self {
        *lock(&self.session.listener) = Some(Arc::new(listener));
        self
    }

    /// Asks `watch`, while waiting for the others, whether one of them is known to be gone.
    pub fn with_watch(self, watch: impl Fn() -> Option<Error> + Send + 'static) -> Self {
        *lock(&self.session.watch) = Some(Box::new(watch));
        self
    }

    /// How messages name a process.
    pub(super) fn name(&self, process: usize) -> String {
        match self.hosts.get(process) {
            Some(host) => format!("process {process} ({host})"),
            None => format!("process {process}"),
        }
    }

    /// How long to wait for the others: what was asked for, within what a clock can add.
    pub(super) fn patience(&self) -> Duration {
        self.connect_timeout.min(Duration::from_hours(24 * 365))
    }

    pub(super) fn watch(&self) -> Option<Error> {
        lock(&self.session.watch).as_ref().and_then(|watch| watch())
    }

    /// Begins a run: the guard keeps others from beginning, the number tells runs apart.
    pub(super) fn begin(&self) -> (MutexGuard<'_, ()>, u64) {
        let turn = lock(&self.session.turn);
        (turn, self.session.phase.fetch_add(1, Ordering::SeqCst))
    }

    /// The socket on which this process is found, the same in every run.
    pub(super) fn listener(&self) -> Result<Arc<TcpListener>> {
        let mut kept = lock(&self.session.listener);
        let listener = if let Some(listener) = &*kept {
            Arc::clone(listener)
        } else {
            let host = &self.hosts[self.process];
            let listener = TcpListener::bind(host).map_err(|error| {
                Error::new(ErrorKind::Io, format!("cannot listen on `{host}`: {error}")).with_hint(
                    format!(
                        "Process {} must run on that machine, and nothing else may use \
                             that port.",
                        self.process
                    ),
                )
            })?;
            Arc::clone(kept.insert(Arc::new(listener)))
        };
        listener
            .set_nonblocking(true)
            .map_err(|error| Error::io("use a listening socket", &error))?;
        Ok(listener)
    }
}

impl fmt::Debug for Cluster {
    /// Leaves the token out: it is a secret, and this ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("hosts", &self.hosts)
            .field("process", &self.process)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &[&str], process: usize, token: &str, expected: &str) {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        let message = match Cluster::new(hosts, process, token) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.message().to_owned(),
        };
        assert_eq!(message, expected);
    }

    #[test]
    fn wrong_clusters_are_refused() {
        check(&["a:1", "b:1"], 1, "t", "ok");
        check(&["[::1]:1", "b:1"], 0, "t", "ok");
        check(&["a:1", "b:1"], 2, "t", "there is no process 2");
        check(&[], 0, "t", "there is no process 0");
        check(&["a:1", "b:2", "a:1"], 0, "t", "`a:1` is listed twice");
        check(&["a"], 0, "t", "`a` is not an address");
        check(&[":1"], 0, "t", "`:1` is not an address");
        check(&["a:65536"], 0, "t", "`a:65536` is not an address");
        check(&["a:1"], 0, "", "the token of a run must have 1 to 64 bytes, not 0");
        check(&["a:1"], 0, &"t".repeat(65), "the token of a run must have 1 to 64 bytes, not 65");
    }

    #[test]
    fn the_token_is_not_shown() {
        let cluster = Cluster::new(vec!["a:1".to_owned()], 0, "secret").unwrap();
        assert!(!format!("{cluster:?}").contains("secret"));
    }
}
