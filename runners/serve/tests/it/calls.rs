//! gRPC over sockets: HTTP/2, statuses, and the limits that REST has, too.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use serde_json::json;
use serve::Options;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::fixture::all;
use crate::grpc::{message, read};
use crate::network::{CERTIFICATE, KEY, client_config, file, options, with_addresses};

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// How long is waited for what has to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back: the number of the status, its message, and the answer's message with its head.
type Answer = (String, String, Vec<u8>);

/// A body whose pieces come when they come.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// A message behind its head.
fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// A request to halve numbers.
fn halve(model: &str, x: &[f32]) -> Vec<u8> {
    let shape = json!({ "dim": [{ "size": x.len() }] });
    let x = json!({ "dtype": "DT_FLOAT", "tensor_shape": shape, "float_val": x });
    let request = json!({ "model_spec": { "name": model }, "inputs": { "x": x } });
    framed(&message("PredictRequest", &request))
}

async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> SendRequest<Body> {
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn connect(address: &str) -> SendRequest<Body> {
    over(TcpStream::connect(address.strip_prefix("grpc://").unwrap()).await.unwrap()).await
}

async fn send(client: &SendRequest<Body>, path: &str, token: &str, body: Body) -> Answer {
    let mut client = client.clone();
    let request =
        Request::post(format!("http://x{path}")).header("content-type", "application/grpc");
    let request = request.header("te", "trailers").header(AUTHORIZATION, token);
    client.ready().await.unwrap();
    let (head, body) = client.send_request(request.body(body).unwrap()).await.unwrap().into_parts();
    assert_eq!(
        (head.status.as_u16(), head.headers["content-type"].as_bytes()),
        (200, &b"application/grpc"[..])
    );
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or(head.headers);
    let text = |name: &str| trailers.get(name).map_or("", |of| of.to_str().unwrap()).to_owned();
    (text("grpc-status"), text("grpc-message"), body.to_bytes().to_vec())
}

async fn post(client: &SendRequest<Body>, path: &str, body: Vec<u8>) -> Answer {
    send(client, path, "", body.into()).await
}

fn halves(answer: &Answer) -> Vec<f64> {
    let (status, text, body) = answer;
    assert_eq!((status.as_str(), text.as_str()), ("0", ""));
    let (head, message) = body.split_at(5);
    assert_eq!(head, &framed(message)[..5]);
    let y = read("PredictResponse", message)["outputs"]["y"]["float_val"].take();
    y.as_array().unwrap().iter().map(|y| y.as_f64().unwrap()).collect()
}

fn metrics(address: &str) -> String {
    let mut stream =
        std::net::TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    metrics
}

/// Sends the beginning of a body, and waits until it is being answered; what it gives is sent the rest.
async fn begin(
    client: &SendRequest<Body>,
    rest: &str,
    body: &[u8],
) -> (JoinHandle<Answer>, mpsc::Sender<Bytes>) {
    let (sender, receiver) = mpsc::channel(2);
    let client = client.clone();
    let call =
        tokio::spawn(async move { send(&client, PREDICT, "", Body::new(Pieces(receiver))).await });
    sender.send(body.to_vec().into()).await.unwrap();
    let start = Instant::now();
    while !metrics(rest).contains("frazil_requests_in_flight 1\n") {
        assert!(start.elapsed() < PATIENCE);
    }
    (call, sender)
}

/// Runs a server that speaks gRPC while something is asked of it.
fn with_grpc<F: Future<Output = ()>>(
    options: Options,
    ask: impl FnOnce(Vec<String>, Arc<AtomicBool>) -> F,
) {
    let options = Options { grpc: Some("127.0.0.1:0".to_owned()), ..options };
    with_addresses(all(), options, |addresses, stop| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_io().enable_time().build().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let asking = ask(addresses.to_vec(), ended.clone());
        runtime.block_on(async {
            let mut asking = std::pin::pin!(asking);
            // Hands on the wish to end.
            while tokio::time::timeout(Duration::from_millis(5), &mut asking).await.is_err() {
                stop.fetch_or(ended.load(Ordering::SeqCst), Ordering::SeqCst);
            }
        });
    });
}

#[test]
fn calls_are_answered_over_http2() {
    with_grpc(options(), async |addresses, _| {
        let client = connect(&addresses[1]).await;
        assert_eq!(halves(&post(&client, PREDICT, halve("half", &[3.0, -1.0])).await), [1.5, -0.5]);
        // Many at the same time on one connection.
        let calls: Vec<_> = (0..50)
            .map(|i| {
                let client = client.clone();
                tokio::spawn(
                    async move { post(&client, PREDICT, halve("half", &[i as f32])).await },
                )
            })
            .collect();
        for (i, call) in calls.into_iter().enumerate() {
            assert_eq!(halves(&call.await.unwrap()), [i as f64 / 2.0]);
        }
        let check = async |path: &str, body: Vec<u8>, status: &str, text: &str| {
            let (found, message, body) = post(&client, path, body).await;
            assert_eq!((found.as_str(), message.as_str(), body.len()), (status, text, 0));
        };
        let text = "Servable not found for request: Latest(100%25 %C3%A9)";
        check(PREDICT, halve("100% é", &[1.0]), "5", text).await;
        check("/x/y", framed(b""), "12", "there is no method /x/y").await;
        check(PREDICT, vec![0, 0], "3", "the body is no message: it is cut off").await;
        check(PREDICT, vec![0, 0, 0, 0, 9, 1], "3", "the message has 9 bytes, and 1 are there")
            .await;
        let text = "the message is compressed, which is not understood; send it as it is";
        check(PREDICT, vec![1, 0, 0, 0, 0], "12", text).await;
        let large = framed(&vec![0; 17 << 20]);
        check(PREDICT, large, "8", "the body has more than 16777216 bytes").await;

        let metrics = metrics(&addresses[0]);
        let line = "{model=\"half\",version=\"1\",method=\"predict\",code=\"200\"} 51\n";
        assert!(metrics.contains(line), "{metrics}");
    });
}

#[test]
fn tokens_are_asked_for_but_not_by_health() {
    let options = Options { token: Some("secret".to_owned()), ..options() };
    with_grpc(options, async |addresses, _| {
        let client = connect(&addresses[1]).await;
        let (status, text, _) =
            send(&client, PREDICT, "Bearer x", halve("half", &[1.0]).into()).await;
        assert_eq!((status.as_str(), text.as_str()), ("16", "a bearer token is required"));
        let answer = send(&client, PREDICT, "Bearer secret", halve("half", &[1.0]).into()).await;
        assert_eq!(halves(&answer), [0.5]);
        let health = async |service: &str| {
            let request = message("HealthCheckRequest", &json!({ "service": service }));
            let (status, _, body) = post(&client, HEALTH, framed(&request)).await;
            (
                status,
                body.get(5..).map(|body| read("HealthCheckResponse", body)["status"].to_string()),
            )
        };
        let is = |status: &str| ("0".to_owned(), Some(status.to_owned()));
        // `none` has no version.
        assert_eq!(health("").await, is("\"NOT_SERVING\""));
        assert_eq!(health("half").await, is("\"SERVING\""));
        assert_eq!(health("none").await, is("\"NOT_SERVING\""));
        assert_eq!(health("other").await, ("5".to_owned(), None));
    });
}

#[test]
fn what_is_too_much_or_too_late_is_refused() {
    let options = Options { max_concurrent: 1, timeout: Duration::from_secs(20), ..options() };
    with_grpc(options.clone(), async |addresses, _| {
        let client = connect(&addresses[1]).await;
        let body = halve("half", &[5.0]);
        let (first, sender) = begin(&client, &addresses[0], &body[..7]).await;
        let (status, text, _) = post(&client, PREDICT, halve("half", &[1.0])).await;
        let expected = "1 requests are being answered; try again";
        assert_eq!((status.as_str(), text.as_str()), ("8", expected));
        sender.send(body[7..].to_vec().into()).await.unwrap();
        drop(sender);
        assert_eq!(halves(&first.await.unwrap()), [2.5]);
    });
    let options = Options { timeout: Duration::from_millis(200), ..options };
    with_grpc(options, async |addresses, _| {
        let client = connect(&addresses[1]).await;
        let (_sender, receiver) = mpsc::channel(1);
        let (status, text, _) = send(&client, PREDICT, "", Body::new(Pieces(receiver))).await;
        let expected = "the body did not arrive within 0.2 s";
        assert_eq!((status.as_str(), text.as_str()), ("4", expected));
    });
}

#[test]
fn what_was_begun_is_answered_before_the_end() {
    with_grpc(options(), async |addresses, stop| {
        let client = connect(&addresses[1]).await;
        let body = halve("half", &[5.0]);
        let (first, sender) = begin(&client, &addresses[0], &body[..7]).await;
        stop.store(true, Ordering::SeqCst);
        let start = Instant::now();
        let address = addresses[1].strip_prefix("grpc://").unwrap();
        while TcpStream::connect(address).await.is_ok() {
            assert!(start.elapsed() < PATIENCE);
        }
        sender.send(body[7..].to_vec().into()).await.unwrap();
        drop(sender);
        assert_eq!(halves(&first.await.unwrap()), [2.5]);
    });
}

#[test]
fn tls_is_spoken_with_its_name_for_http2() {
    let options = Options { tls: Some((file(CERTIFICATE), file(KEY))), ..options() };
    with_grpc(options, async |addresses, _| {
        let address = addresses[1].strip_prefix("grpcs://").unwrap();
        let mut config = client_config();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let answer = post(&over(stream).await, PREDICT, halve("half", &[7.0])).await;
        assert_eq!(halves(&answer), [3.5]);
    });
}

#[test]
fn connections_that_never_begin_are_closed() {
    let options = Options { header_timeout: Duration::from_millis(300), ..options() };
    with_grpc(options, async |addresses, _| {
        for begin in ["", "PRI * HTTP/2.0\r\n", "GET /v1/models/half HTTP/1.1\r\n\r\n"] {
            let address = addresses[1].strip_prefix("grpc://").unwrap();
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(begin.as_bytes()).unwrap();
            let mut answer = Vec::new();
            // A reset is an end, too, where something was not read.
            let end = stream.read_to_end(&mut answer);
            assert!(end.is_ok_and(|n| n == 0) || answer.is_empty(), "{begin}");
        }
    });
}
