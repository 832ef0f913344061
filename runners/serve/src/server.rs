//! The network: sockets, TLS, limits, and an end that loses no request.
//!
//! | what happens | answer |
//! |---|---|
//! | a body of more than `max_body` bytes | 413, without reading it all |
//! | more than `max_concurrent` requests | 429, at once |
//! | a body that does not arrive within `timeout` | 408 |
//! | an answer that is not ready within `timeout` | 504 |
//! | headers that do not arrive within `header_timeout` | the connection is closed |
//! | no token, or another one | 401 |
//! | the program is told to end | what was begun is answered, for `timeout` at most |
//!
//! Answers are computed on threads of their own, as many as there are cores: a long one, or a large body,
//! holds up neither new connections nor other requests.
//!
//! Requests are not put together into batches: networks answer row by row, so that a row's bits do not
//! depend on its neighbours, and all else is 8 µs for a row of taxi trips alone, 3 µs beside 63 others. A
//! request over loopback is some 35 µs of one core.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::{Error, ErrorKind, Result};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{self, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::failure::{Code, Failure};
use crate::handle::{self, About};
use crate::metrics::Metrics;
use crate::models::Models;
use crate::tls;
use crate::watch::{Log, Watcher};

/// How often is looked whether the program is to end.
const TICK: Duration = Duration::from_millis(50);
/// What is still read, and for how long, of a request that was refused, so that its sender sees why.
const LINGER_BYTES: usize = 64 << 20;
const LINGER: Duration = Duration::from_secs(5);
/// Bytes of headers at most.
const MOST_HEADER: usize = 64 << 10;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`; port 0 is any that is free.
    pub listen: String,
    /// Threads that compute answers.
    pub threads: usize,
    /// Bytes of a body at most.
    pub max_body: usize,
    /// Requests that are answered at the same time.
    pub max_concurrent: usize,
    /// Connections that are open at the same time; more wait.
    pub max_connections: usize,
    /// For a body to arrive, and an answer to be ready.
    pub timeout: Duration,
    /// For headers to arrive.
    pub header_timeout: Duration,
    /// Between looks at the directories of models.
    pub poll: Duration,
    /// What every request but those for health has to bring.
    pub token: Option<String>,
    /// Files with the chain of certificates and the key.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: "127.0.0.1:8501".to_owned(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            max_body: 16 << 20,
            max_concurrent: 128,
            max_connections: 4096,
            timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            token: None,
            tls: None,
        }
    }
}

/// What all requests share.
struct Shared {
    models: Arc<Models>,
    metrics: Metrics,
    options: Options,
    slots: Arc<Semaphore>,
}

/// Serves until `stop` says so. `started` is told the address when everything that is there is loaded and
/// connections are taken.
///
/// # Errors
/// When the address cannot be used, or the certificate or key cannot be read.
pub fn serve(
    models: Models,
    options: Options,
    log: &Log,
    started: impl FnOnce(&str),
    stop: impl Fn() -> bool,
) -> Result<()> {
    let models = Arc::new(models);
    let acceptor = match &options.tls {
        Some((certificate, key)) => Some(tls::acceptor(certificate, key)?),
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads.clamp(1, 4))
        .max_blocking_threads(options.threads.max(1))
        .thread_name("serve")
        .enable_io()
        .enable_time()
        .build()
        .map_err(|e| Error::io("start threads", &e))?;
    let mut watcher = Watcher::new(models.clone(), log.clone());
    let listener = runtime
        .block_on(TcpListener::bind(&options.listen))
        .map_err(|e| cannot_listen(&options.listen, &e))?;
    let address = listener.local_addr().map_err(|e| cannot_listen(&options.listen, &e))?;
    watcher.poll();
    let ended = Arc::new(AtomicBool::new(false));
    let watch = watch(watcher, options.poll, ended.clone())?;
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    started(&format!("{scheme}://{address}"));
    let slots = Arc::new(Semaphore::new(options.max_concurrent.max(1)));
    let metrics = Metrics::default();
    let wait = options.timeout;
    let shared = Arc::new(Shared { models, metrics, options, slots });
    runtime.block_on(accept(listener, &shared, acceptor, log, stop));
    runtime.shutdown_timeout(wait.min(Duration::from_secs(1)));
    ended.store(true, Ordering::SeqCst);
    watch.thread().unpark();
    // It ends with the version that it is loading.
    let _ = watch.join();
    Ok(())
}

fn cannot_listen(address: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot listen at `{address}`: {error}"))
        .with_hint("Choose another address with `--listen HOST:PORT`; port 0 is any free one.")
}

/// Looks at the directories of models again and again.
fn watch(
    mut watcher: Watcher,
    poll: Duration,
    ended: Arc<AtomicBool>,
) -> Result<std::thread::JoinHandle<()>> {
    let look = move || {
        let mut next = Instant::now() + poll;
        while !ended.load(Ordering::SeqCst) {
            let now = Instant::now();
            if now >= next {
                watcher.poll();
                next = Instant::now() + poll;
            } else {
                std::thread::park_timeout(next - now);
            }
        }
    };
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(look)
        .map_err(|e| Error::io("start a thread", &e))
}

/// Takes connections until the program is to end, then waits for those that are answered.
async fn accept(
    listener: TcpListener,
    shared: &Arc<Shared>,
    acceptor: Option<TlsAcceptor>,
    log: &Log,
    stop: impl Fn() -> bool,
) {
    let options = &shared.options;
    let router = router(shared);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.max_connections.max(1)));
    let mut place = None;
    while !stop() {
        if place.is_none() {
            place = timeout(TICK, places.clone().acquire_owned())
                .await
                .ok()
                .and_then(std::result::Result::ok);
            if place.is_none() {
                continue;
            }
        }
        let (stream, _) = match timeout(TICK, listener.accept()).await {
            Err(_) => continue,
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => {
                // Too many open files, say: others are being closed.
                log(&format!("cannot take a connection: {error}"));
                tokio::time::sleep(TICK).await;
                continue;
            }
        };
        let taken = place.take();
        let (router, acceptor) = (router.clone(), acceptor.clone());
        let (shared, watcher) = (shared.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(stream, router, acceptor, &shared.options, watcher).await;
            drop(taken);
        });
    }
    drop(listener);
    let _ = timeout(options.timeout, graceful.shutdown()).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    options: &Options,
    watcher: graceful::Watcher,
) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => serve_connection(stream, router, options, watcher).await,
        Some(acceptor) => {
            let accepted = timeout(options.header_timeout, acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = accepted {
                serve_connection(stream, router, options, watcher).await;
            }
        }
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    options: &Options,
    watcher: graceful::Watcher,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(MOST_HEADER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // What goes wrong here is the other side's: it has gone, or speaks no HTTP.
    let _ = watcher.watch(connection).await;
}

fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/monitoring/prometheus/metrics", get(metrics))
        .fallback(api)
        .layer(from_fn_with_state(shared.clone(), authorize))
        // Behind the layer above: whoever watches the process has no token.
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .with_state(shared.clone())
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.models.is_ready() {
        return "ok\n".into_response();
    }
    let waiting = shared.models.iter().filter(|model| !model.is_ready());
    let names: Vec<&str> = waiting.map(|model| model.config.name.as_str()).collect();
    let what = format!("no version is available of {}", names.join(", "));
    failed(&Failure::new(Code::Unavailable, what))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.metrics.text(&shared.models);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// Lets requests pass that bring the token.
async fn authorize(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Some(token) = &shared.options.token else { return next.run(request).await };
    let given = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.and_then(|given| {
        let (scheme, token) = given.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    if given.is_some_and(|given| is_same(given, token.as_bytes())) {
        return next.run(request).await;
    }
    linger(request.into_body());
    let failure = Failure::new(Code::Unauthenticated, "a bearer token is required");
    let mut response = failed(&failure);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Compares in a time that does not depend on where they differ.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differs) == 0
}

/// All paths of the API.
async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let start = Instant::now();
    let _in_flight = InFlight::of(&shared);
    let (about, response) = match answer(&shared, request).await {
        Ok(response) => {
            let handle::Response { status, body, about } = response;
            (about, json(StatusCode::from_u16(status).unwrap_or_default(), body))
        }
        Err(failure) => (About::default(), failed(&failure)),
    };
    shared.metrics.count(&about, response.status().as_u16(), start.elapsed());
    response
}

/// Counts a request while it is being answered, also when its sender goes before that.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn of(shared: &Arc<Shared>) -> Self {
        shared.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(shared.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer(shared: &Arc<Shared>, request: Request) -> Result<handle::Response, Failure> {
    let Options { max_body, max_concurrent, timeout: within, .. } = &shared.options;
    let deadline = tokio::time::Instant::now() + *within;
    let (head, body) = request.into_parts();
    let Ok(slot) = shared.slots.clone().try_acquire_owned() else {
        linger(body);
        let what = format!("{max_concurrent} requests are being answered; try again");
        return Err(Failure::new(Code::ResourceExhausted, what));
    };
    let too_large =
        || Failure::new(Code::TooLarge, format!("the body has more than {max_body} bytes"));
    if body.size_hint().lower() > *max_body as u64 {
        linger(body);
        return Err(too_large());
    }
    let body = match timeout_at(deadline, read(body, *max_body)).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) => return Err(too_large()),
        Ok(Err(error)) => return Err(Failure::invalid(format!("cannot read the body: {error}"))),
        Err(_) => {
            let what = format!("the body did not arrive within {} s", within.as_secs_f64());
            return Err(Failure::new(Code::TooSlow, what));
        }
    };
    let models = shared.models.clone();
    let mut computing = spawn_blocking(move || {
        let answer = handle::handle(&models, head.method.as_str(), head.uri.path(), &body);
        // Only now: one that is too late is still being computed.
        drop(slot);
        answer
    });
    match timeout_at(deadline, &mut computing).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Failure::new(Code::Internal, "the answer could not be computed")),
        Err(_) => {
            computing.abort();
            let what = format!("the answer was not ready within {} s", within.as_secs_f64());
            Err(Failure::new(Code::DeadlineExceeded, what))
        }
    }
}

/// Reads a body, unless it is too large.
async fn read(mut body: Body, most: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut first: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame.transpose()? else { break };
        let Ok(data) = frame.into_data() else { continue };
        if first.as_ref().map_or(all.len(), Bytes::len) + data.len() > most {
            linger(body);
            return Ok(None);
        }
        // Most requests come in one piece, which need not be copied.
        match first.take() {
            None if all.is_empty() => first = Some(data),
            None => all.extend_from_slice(&data),
            Some(first) => {
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(Some(first.unwrap_or_else(|| all.into())))
}

/// Goes on reading a body that nobody wants for a while: a sender that is still at it when the connection
/// is closed would not see the answer.
fn linger(body: Body) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(async move {
        let _ = timeout(LINGER, discard(body)).await;
    });
}

async fn discard(mut body: Body) {
    let mut n = 0;
    while n < LINGER_BYTES
        && let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        n += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    if body.is_empty() {
        return status.into_response();
    }
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn failed(failure: &Failure) -> Response {
    let status = StatusCode::from_u16(failure.code.http()).unwrap_or_default();
    let mut response = json(status, failure.body());
    if failure.code == Code::ResourceExhausted {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
