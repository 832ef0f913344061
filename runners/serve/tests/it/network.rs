//! The network layer inside of this process: TLS, and what clients must not be able to hold up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serve::{Models, Options, serve};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::fixture::{ROW, all};

/// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500
/// -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`.
pub(crate) const CERTIFICATE: &str = "certificate.pem";
pub(crate) const KEY: &str = "key.pem";

pub(crate) fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(name)
}

/// Runs a server while something is asked of it.
fn with_server(models: Models, options: Options, ask: impl FnOnce(&str)) {
    with_addresses(models, options, |addresses, _| ask(&addresses[0]));
}

/// The same with all of its addresses, and what ends it.
pub(crate) fn with_addresses(
    models: Models,
    options: Options,
    ask: impl FnOnce(&[String], &AtomicBool),
) {
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let log: serve::Log = Arc::new(|_| {});
            let started = |addresses: &[String]| sender.send(addresses.to_vec()).unwrap();
            serve(models, options, &log, started, || stop.load(Ordering::SeqCst))
        });
        let addresses = receiver.recv().unwrap();
        // Also when it panics: the scope waits for the server.
        let asked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&addresses, &stop)));
        stop.store(true, Ordering::SeqCst);
        server.join().unwrap().unwrap();
        asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

pub(crate) fn options() -> Options {
    Options {
        listen: "127.0.0.1:0".to_owned(),
        // Directories of these models are not there: nothing is ever looked at again.
        poll: Duration::from_hours(1),
        ..Options::default()
    }
}

fn predict() -> String {
    post("/v1/models/taxi:predict", &format!("{{\"instances\": [{ROW}]}}"))
}

fn post(path: &str, body: &str) -> String {
    let n = body.len();
    let head = format!("Host: x\r\nConnection: close\r\nContent-Length: {n}\r\n");
    format!("POST {path} HTTP/1.1\r\n{head}\r\n{body}")
}

/// How a client trusts the server.
pub(crate) fn client_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file(CERTIFICATE)).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn answer(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn tls_is_spoken() {
    let options = Options { tls: Some((file(CERTIFICATE), file(KEY))), ..options() };
    with_server(all(), options, |address| {
        let address = address.strip_prefix("https://").unwrap();
        let config = client_config();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(client, TcpStream::connect(address).unwrap());
        stream.write_all(predict().as_bytes()).unwrap();
        let text = answer(&mut stream);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\n\r\n{\"predictions\":["), "{text}");
        // Without TLS there is no answer.
        let mut plain = TcpStream::connect(address).unwrap();
        plain.write_all(predict().as_bytes()).unwrap();
        assert!(!answer(&mut plain).contains("HTTP/1.1 200"));
    });
}

#[test]
fn requests_that_wait_go_together_and_have_the_bits_that_they_have_alone() {
    let row = |fare: usize| ROW.replace("2.5", &format!("{fare}.25"));
    assert_ne!(row(1), ROW);
    let rows = |n: usize| (0..n).map(row).collect::<Vec<_>>().join(",");
    let (taxi, of_123) = ("/v1/models/taxi:predict", "/v1/models/taxi/versions/123:predict");
    let mut asked: Vec<(&str, String)> = (0..6)
        .map(|i| {
            (if i % 2 == 0 { taxi } else { of_123 }, format!("{{\"instances\": [{}]}}", row(i)))
        })
        .collect();
    asked.push((taxi, format!("{{\"instances\": [{}]}}", rows(7))));
    // More than go together.
    asked.push((taxi, format!("{{\"instances\": [{}]}}", rows(30))));
    asked.push((
        taxi,
        format!("{{\"signature_name\": \"transform\", \"instances\": [{}]}}", row(1)),
    ));
    asked.push((taxi, "{\"instances\": [{}]}".to_owned()));
    asked.push((taxi, "{".to_owned()));
    asked.push(("/v1/models/classes:classify", format!("{{\"examples\": [{}]}}", row(3))));
    asked.push(("/v1/models/money:predict", format!("{{\"instances\": [{}]}}", row(4))));
    asked.push(("/v1/models/half:predict", "{\"instances\": [3.0]}".to_owned()));
    asked.push(("/v1/models/none:predict", "{\"instances\": [3.0]}".to_owned()));

    let models = all();
    let mut codes = std::collections::BTreeMap::new();
    let options = Options {
        threads: 1,
        // They come together: nothing begins before all are there.
        max_batch_size: asked.len(),
        batch_timeout: Duration::from_mins(10),
        ..options()
    };
    with_server(all(), options, |address| {
        let address = address.strip_prefix("http://").unwrap();
        let streams: Vec<TcpStream> = asked
            .iter()
            .map(|(path, body)| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(post(path, body).as_bytes()).unwrap();
                stream
            })
            .collect();
        for ((path, body), mut stream) in asked.iter().zip(streams) {
            let expected = serve::handle(&models, "POST", path, body.as_bytes());
            let found = answer(&mut stream);
            let (head, found) = found.split_once("\r\n\r\n").unwrap();
            assert!(
                head.starts_with(&format!("HTTP/1.1 {} ", expected.status)),
                "{path} {body}: {head}"
            );
            assert_eq!(found.as_bytes(), expected.body, "{path} {body}");
            *codes.entry(expected.status).or_insert(0) += 1;
        }
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        // Version 200 with 3 and 7 rows, and with 30; version 123; and the two other networks.
        let metrics = answer(&mut stream);
        assert!(metrics.contains("\nfrazil_network_passes_total 5\n"), "{metrics}");
    });
    assert_eq!(codes, [(200, 12), (400, 2), (404, 1)].into());
}

#[test]
fn a_full_house_lets_others_wait_and_not_for_ever() {
    let options =
        Options { max_connections: 1, header_timeout: Duration::from_millis(300), ..options() };
    with_server(all(), options, |address| {
        let address = address.strip_prefix("http://").unwrap();
        let mut silent = TcpStream::connect(address).unwrap();
        let mut other = TcpStream::connect(address).unwrap();
        other.write_all(predict().as_bytes()).unwrap();
        assert!(answer(&mut other).starts_with("HTTP/1.1 200"));
        assert_eq!(answer(&mut silent), "");
    });
}

#[test]
fn scripts_of_one_origin_may_ask() {
    let ask = |address: &str, request: &str| {
        let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        answer(&mut stream)
    };
    let preflight = "OPTIONS /v1/models/taxi:predict HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\
                     Connection: close\r\nAccess-Control-Request-Method: POST\r\n\r\n";
    let origin = "access-control-allow-origin";
    with_server(all(), options(), |address| {
        assert!(ask(address, preflight).starts_with("HTTP/1.1 400"));
        assert!(!ask(address, &predict()).contains(origin));
    });
    let check = |allowed: &str, token: Option<&str>, varies: bool, code: &str| {
        let allow_origin = Some(allowed.to_owned());
        let options = Options { allow_origin, token: token.map(str::to_owned), ..options() };
        with_server(all(), options, |address| {
            let text = ask(address, preflight);
            assert!(text.starts_with("HTTP/1.1 204"), "{text}");
            for line in [
                format!("{origin}: {allowed}\r\n"),
                "access-control-allow-methods: GET, POST\r\n".to_owned(),
                "access-control-allow-headers: authorization, content-type\r\n".to_owned(),
            ] {
                assert!(text.contains(&line), "{text}");
            }
            let text = ask(address, &predict());
            assert!(text.starts_with(code), "{text}");
            assert!(text.contains(&format!("{origin}: {allowed}\r\n")), "{text}");
            assert_eq!(text.contains("vary: origin\r\n"), varies, "{text}");
        });
    };
    check("https://a.example", None, true, "HTTP/1.1 200");
    // The script sees why it is refused.
    check("*", Some("secret"), false, "HTTP/1.1 401");
}
