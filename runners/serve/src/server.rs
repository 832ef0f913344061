//! The network: limits, tokens, and an end that loses no request.
//!
//! | what happens | REST | gRPC |
//! |---|---|---|
//! | a body of more than `max_body` bytes, which is not read to its end | 413 | `RESOURCE_EXHAUSTED` |
//! | more than `max_concurrent` requests, at once | 429 | `RESOURCE_EXHAUSTED` |
//! | a body that does not arrive within `timeout` | 408 | `DEADLINE_EXCEEDED` |
//! | an answer that is not ready within `timeout` | 504 | `DEADLINE_EXCEEDED` |
//! | no token, or another one | 401 | `UNAUTHENTICATED` |
//! | headers, or HTTP/2's preface, that do not arrive within `header_timeout` | closed | closed |
//! | the program is told to end: what was begun is answered, for `timeout` at most | | |
//!
//! Answers are computed on threads of their own, as many as there are cores: a long one, or a large body,
//! holds up neither new connections nor other requests. Those that wait meanwhile are put together
//! ([`crate::batch`]).

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use engine::{Error, Result};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

use crate::batch::{Answered, Batches, Step};
use crate::failure::{Code, Failure};
use crate::grpc::{self, wire};
use crate::handle::{self, About};
use crate::metrics::Metrics;
use crate::models::Models;
use crate::port::{Connections, Port, Protocol};
use crate::watch::{Log, Watcher};

/// How often is looked whether the program is to end.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// What is still read, and for how long, of a request that was refused, so that its sender sees why.
const LINGER_BYTES: usize = 64 << 20;
const LINGER: Duration = Duration::from_secs(5);
/// Bytes of headers at most.
pub(crate) const MOST_HEADER: usize = 64 << 10;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`; port 0 is any that is free.
    pub listen: String,
    /// The same for gRPC, if it is spoken.
    pub grpc: Option<String>,
    /// Threads that compute answers.
    pub threads: usize,
    /// Bytes of a body at most.
    pub max_body: usize,
    /// Requests that are answered at the same time.
    pub max_concurrent: usize,
    /// Rows of requests that go through a network together at most; a request with more goes alone.
    pub max_batch_size: usize,
    /// How long a request may wait for others to go with; at 0 it goes with those that wait anyway.
    pub batch_timeout: Duration,
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
    /// The origin of the pages whose scripts may read REST's answers; `*` is any.
    pub allow_origin: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: "127.0.0.1:8501".to_owned(),
            grpc: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            max_body: 16 << 20,
            max_concurrent: 128,
            max_batch_size: 64,
            batch_timeout: Duration::ZERO,
            max_connections: 4096,
            timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            token: None,
            tls: None,
            allow_origin: None,
        }
    }
}

/// What all requests share.
struct Shared {
    models: Arc<Models>,
    batches: Arc<Batches>,
    metrics: Metrics,
    options: Options,
    slots: Arc<Semaphore>,
}

impl Shared {
    fn new(models: Arc<Models>, options: Options) -> Result<Arc<Self>> {
        let Options { threads, max_batch_size, batch_timeout, max_concurrent, .. } = options;
        let batches = Batches::start(&models, threads, max_batch_size, batch_timeout)?;
        let (metrics, slots) =
            (Metrics::default(), Arc::new(Semaphore::new(max_concurrent.max(1))));
        Ok(Arc::new(Shared { models, batches, metrics, options, slots }))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.batches.end();
    }
}

/// Serves until `stop` says so. `started` is told the addresses, REST's first, when everything that is there
/// is loaded and connections are taken.
///
/// # Errors
/// When an address cannot be used, or the certificate or key cannot be read.
pub fn serve(
    models: Models,
    options: Options,
    log: &Log,
    started: impl FnOnce(&[String]),
    stop: impl Fn() -> bool,
) -> Result<()> {
    let models = Arc::new(models);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads.clamp(1, 4))
        .thread_name("serve")
        .enable_io()
        .enable_time()
        .build()
        .map_err(|e| Error::io("start threads", &e))?;
    let mut watcher = Watcher::new(models.clone(), log.clone());
    let (poll, wait) = (options.poll, options.timeout);
    let shared = Shared::new(models, options)?;
    let (ports, addresses) = runtime.block_on(async {
        let options = &shared.options;
        let (rest, rest_address) =
            Port::bind(Protocol::Rest, &options.listen, rest(&shared)?, options).await?;
        let Some(address) = &options.grpc else { return Ok((vec![rest], vec![rest_address])) };
        let (grpc, address) = Port::bind(Protocol::Grpc, address, calls(&shared), options).await?;
        Ok::<_, Error>((vec![rest, grpc], vec![rest_address, address]))
    })?;
    watcher.poll();
    let ended = Arc::new(AtomicBool::new(false));
    let watch = watch(watcher, poll, ended.clone())?;
    started(&addresses);
    runtime.block_on(async {
        let connections = Arc::new(Connections {
            places: Arc::new(Semaphore::new(shared.options.max_connections.max(1))),
            graceful: GracefulShutdown::new(),
            header_timeout: shared.options.header_timeout,
            log: log.clone(),
        });
        let start = |port: Port| tokio::spawn(port.accept(connections.clone()));
        let accepting: Vec<_> = ports.into_iter().map(start).collect();
        while !stop() {
            tokio::time::sleep(TICK).await;
        }
        for accepting in accepting {
            accepting.abort();
            let _ = accepting.await;
        }
        if let Some(connections) = Arc::into_inner(connections) {
            let _ = timeout(wait, connections.graceful.shutdown()).await;
        }
    });
    runtime.shutdown_timeout(wait.min(Duration::from_secs(1)));
    ended.store(true, Ordering::SeqCst);
    watch.thread().unpark();
    // It ends with the version that it is loading.
    let _ = watch.join();
    Ok(())
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

fn rest(shared: &Arc<Shared>) -> Result<Router> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/monitoring/prometheus/metrics", get(metrics))
        .fallback(api)
        .layer(from_fn_with_state((shared.clone(), failed as Refuse), authorize))
        // Behind the layer above: whoever watches the process has no token.
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .with_state(shared.clone());
    let Some(origin) = &shared.options.allow_origin else { return Ok(router) };
    let origin = HeaderValue::from_str(origin).map_err(|_| {
        Error::invalid(format!("`{origin}` is no origin"))
            .with_hint("Give one such as `https://example.org`, or `*` for any.")
    })?;
    // Before all: a browser asks without a token whether it may ask.
    Ok(router.layer(from_fn_with_state(origin, cors)))
}

fn calls(shared: &Arc<Shared>) -> Router {
    Router::new()
        .fallback(call)
        .layer(from_fn_with_state((shared.clone(), refused as Refuse), authorize))
        .route("/grpc.health.v1.Health/Check", post(health))
        .with_state(shared.clone())
}

/// Lets scripts of pages of an origin read what is answered.
async fn cors(State(origin): State<HeaderValue>, request: Request, next: Next) -> Response {
    let is_asked = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && is_asked {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
            (ACCESS_CONTROL_MAX_AGE, "7200"),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    if origin != "*" {
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response
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
    let text = shared.metrics.text(&shared.models, shared.batches.passes());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// How one of the protocols says why a request is not answered.
type Refuse = fn(&Failure) -> Response;

/// Lets requests pass that bring the token.
async fn authorize(
    State((shared, refuse)): State<(Arc<Shared>, Refuse)>,
    request: Request,
    next: Next,
) -> Response {
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
    refuse(&Failure::new(Code::Unauthenticated, "a bearer token is required"))
}

/// Compares in a time that does not depend on where they differ.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differs) == 0
}

/// All paths of the REST API.
async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (start, _in_flight) = (Instant::now(), InFlight::of(&shared));
    let within = shared.options.timeout;
    let (about, response) = if handle::is_ours(request.uri().path()) {
        let begin = |models: &Models, head: &Parts, body: Bytes, about: &mut About| {
            handle::begin(models, head.method.as_str(), head.uri.path(), &body, about)
        };
        let (about, answer) = answer(&shared, request, within, begin).await;
        let respond = |body| json(StatusCode::OK, body);
        (about, answer.map_or_else(|failure| failed(&failure), respond))
    } else {
        linger(request.into_body());
        (About::default(), StatusCode::NOT_FOUND.into_response())
    };
    shared.metrics.count(&about, response.status().as_u16(), start.elapsed());
    response
}

/// All methods of gRPC. Metrics know them by HTTP's codes, as REST's.
async fn call(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (start, _in_flight) = (Instant::now(), InFlight::of(&shared));
    let asked = wire::timeout(request.headers());
    let within = asked.map_or(shared.options.timeout, |asked| asked.min(shared.options.timeout));
    let begin = |models: &Models, head: &Parts, body: Bytes, about: &mut About| {
        grpc::begin(models, head.uri.path(), wire::message(body)?, about)
    };
    let (about, answer) = answer(&shared, request, within, begin).await;
    let code = answer.as_ref().map_or_else(|failure| failure.code.http(), |_| 200);
    shared.metrics.count(&about, code, start.elapsed());
    match answer {
        Ok(message) => wire::response(Ok(message)),
        Err(failure) => refused(&failure),
    }
}

/// Answers whoever watches the process, also while there is no place for other requests.
async fn health(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let body = timeout(shared.options.timeout, read(request.into_body(), MOST_HEADER)).await;
    let Ok(Ok(Some(body))) = body else {
        return refused(&Failure::invalid("cannot read the message"));
    };
    match wire::message(body).and_then(|message| grpc::health(&shared.models, message)) {
        Ok(message) => wire::response(Ok(message)),
        Err(failure) => refused(&failure),
    }
}

fn refused(failure: &Failure) -> Response {
    wire::response(Err(failure))
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

/// Answers a request within the limits that all have, and a time of its own.
async fn answer(
    shared: &Arc<Shared>,
    request: Request,
    within: Duration,
    begin: impl FnOnce(&Models, &Parts, Bytes, &mut About) -> Result<Step, Failure> + Send + 'static,
) -> Answered {
    let deadline = tokio::time::Instant::now() + within;
    let (head, body, slot) = match arrived(shared, request, deadline, within).await {
        Ok(arrived) => arrived,
        Err(failure) => return (About::default(), Err(failure)),
    };
    let bytes = body.len();
    let begin = move |models: &Models, about: &mut About| begin(models, &head, body, about);
    let failure = match timeout_at(deadline, shared.batches.push(slot, bytes, begin)).await {
        Ok(Ok(answered)) => return answered,
        Ok(Err(_)) => Failure::new(Code::Internal, "the answer could not be computed"),
        Err(_) => {
            let what = format!("the answer was not ready within {} s", within.as_secs_f64());
            Failure::new(Code::DeadlineExceeded, what)
        }
    };
    (About::default(), Err(failure))
}

/// A place among the requests that are answered, and the body.
async fn arrived(
    shared: &Arc<Shared>,
    request: Request,
    deadline: tokio::time::Instant,
    within: Duration,
) -> Result<(Parts, Bytes, OwnedSemaphorePermit), Failure> {
    let Options { max_body, max_concurrent, .. } = &shared.options;
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
    match timeout_at(deadline, read(body, *max_body)).await {
        Ok(Ok(Some(body))) => Ok((head, body, slot)),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => Err(Failure::invalid(format!("cannot read the body: {error}"))),
        Err(_) => {
            let what = format!("the body did not arrive within {} s", within.as_secs_f64());
            Err(Failure::new(Code::TooSlow, what))
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
    let header = match failure.code {
        Code::ResourceExhausted => Some((RETRY_AFTER, "1")),
        Code::Unauthenticated => Some((WWW_AUTHENTICATE, "Bearer")),
        _ => None,
    };
    response
        .headers_mut()
        .extend(header.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_ready_in_time_is_not_waited_for() {
        let shared = Shared::new(Arc::default(), Options::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        // It is computed until somebody lets it end.
        let slow = move |_: &Models, _: &Parts, _: Bytes, _: &mut About| {
            let _ = receiver.recv();
            Ok(Step::Answered(Vec::new()))
        };
        let answer = answer(&shared, Request::default(), Duration::from_millis(1), slow);
        let failure = runtime.block_on(answer).1.unwrap_err();
        let message = "the answer was not ready within 0.001 s";
        assert_eq!((failure.code.http(), failure.message.as_str()), (504, message));
        assert_eq!(failure.code.grpc(), (4, "DEADLINE_EXCEEDED"));
        drop(sender);
    }
}
