//! Ports: where connections are taken, with or without TLS, to speak HTTP/1.1 or HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use engine::{Error, ErrorKind, Result};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::server::{MOST_HEADER, Options, TICK};
use crate::tls;
use crate::watch::Log;

/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1
    Rest,
    /// HTTP/2
    Grpc,
}

/// A place where connections are taken.
pub(crate) struct Port {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    protocol: Protocol,
}

/// What all ports share.
pub(crate) struct Connections {
    /// Places for connections.
    pub(crate) places: Arc<Semaphore>,
    /// Tells connections that the program is to end.
    pub(crate) graceful: GracefulShutdown,
    /// For headers to arrive.
    pub(crate) header_timeout: Duration,
    /// What is told.
    pub(crate) log: Log,
}

impl Port {
    /// The port, and its address with what is spoken there.
    ///
    /// # Errors
    /// When the address cannot be used, or the certificate or key cannot be read.
    pub(crate) async fn bind(
        protocol: Protocol,
        address: &str,
        router: Router,
        options: &Options,
    ) -> Result<(Self, String)> {
        let (alpn, flag, scheme) = match protocol {
            Protocol::Rest => ("http/1.1", "listen", "http"),
            Protocol::Grpc => ("h2", "grpc", "grpc"),
        };
        let (acceptor, scheme) = match &options.tls {
            Some((chain, key)) => (Some(tls::acceptor(chain, key, alpn)?), format!("{scheme}s")),
            None => (None, scheme.to_owned()),
        };
        let cannot = |error: std::io::Error| {
            let hint = format!(
                "Choose another address with `--{flag} HOST:PORT`; port 0 is any free one."
            );
            Error::new(ErrorKind::Io, format!("cannot listen at `{address}`: {error}"))
                .with_hint(hint)
        };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = format!("{scheme}://{}", listener.local_addr().map_err(cannot)?);
        Ok((Port { listener, acceptor, router, protocol }, address))
    }

    /// Takes connections for ever.
    pub(crate) async fn accept(self, all: Arc<Connections>) {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, say: others are being closed.
                    (all.log)(&format!("cannot take a connection: {error}"));
                    tokio::time::sleep(TICK).await;
                    continue;
                }
            };
            let Ok(place) = all.places.clone().acquire_owned().await else { return };
            let (router, acceptor) = (self.router.clone(), self.acceptor.clone());
            let (protocol, wait, watcher) =
                (self.protocol, all.header_timeout, all.graceful.watcher());
            tokio::spawn(async move {
                connection(stream, acceptor, router, protocol, wait, watcher).await;
                drop(place);
            });
        }
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    protocol: Protocol,
    wait: Duration,
    watcher: Watcher,
) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => speak(stream, router, protocol, wait, watcher).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(wait, acceptor.accept(stream)).await {
                speak(stream, router, protocol, wait, watcher).await;
            }
        }
    }
}

// What goes wrong here is the other side's: it has gone, or speaks no HTTP.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut stream: S,
    router: Router,
    protocol: Protocol,
    wait: Duration,
    watcher: Watcher,
) {
    let service = TowerToHyperService::new(router);
    if protocol == Protocol::Rest {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(wait)
            .max_header_size(MOST_HEADER)
            .serve_connection(TokioIo::new(stream), service);
        let _ = watcher.watch(connection).await;
        return;
    }
    // A connection of HTTP/2 may be idle; one that does not begin, or answers no pings, is closed.
    let mut preface = [0; PREFACE.len()];
    let begun = timeout(wait, stream.read_exact(&mut preface)).await;
    if !matches!(begun, Ok(Ok(_))) || preface != *PREFACE {
        return;
    }
    let (reader, writer) = tokio::io::split(stream);
    let stream = tokio::io::join(PREFACE.chain(reader), writer);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(wait)
        .keep_alive_timeout(wait)
        .max_header_list_size(MOST_HEADER as u32)
        .serve_connection(TokioIo::new(stream), service);
    let _ = watcher.watch(connection).await;
}
