//! This process's place in a mesh of processes.

use std::time::Duration;

/// This process's place in a mesh of processes.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `host:port` of every process, in order; the same list everywhere.
    pub hosts: Vec<String>,
    /// Which of them this process is.
    pub process: usize,
    /// What shows that a connection belongs to this run: the same everywhere, known to nobody else.
    pub token: String,
    /// How long to wait for the other processes.
    pub connect_timeout: Duration,
}
