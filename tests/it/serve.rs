//! `frazil serve` over real sockets: good requests, ugly ones, and models that change while it runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Place;
use crate::pushing::{bundle, trained};

/// How long is waited for what has to happen.
const PATIENCE: Duration = Duration::from_mins(1);
const PREDICT: &str = "/v1/models/taxi:predict";
/// A row with what every row has to have, a feature that it may have, and nothing of the others.
const BODY: &str = r#"{"instances": [{"fare": [12.5], "company": ["Taxi"], "trip_miles": 3,
    "payment_type": "Cash", "pickup_latitude": 41.5, "pickup_longitude": [-87.25]}]}"#;

/// A server that is running.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back: code, headers, body.
struct Answer(u16, String, String);

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.2).unwrap_or_else(|e| panic!("{e}: {}", self.2))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Server {
    fn start(place: &Place, args: &[&str]) -> Self {
        let mut command = place.command(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| {
            panic!("{args:?}: {line:?}");
        });
        Server { address: address.to_owned(), child }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"")
    }

    fn post(&self, body: &str) -> Answer {
        self.send("POST", PREDICT, "", body.as_bytes())
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(head(method, path, headers, body.len()).as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        answer(&mut stream)
    }

    /// Asks until an answer is as it has to be.
    fn wait_for(&self, path: &str, is_done: impl Fn(&Answer) -> bool) -> Answer {
        let start = Instant::now();
        loop {
            let answer = self.get(path);
            if is_done(&answer) {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "{path}: {}", answer.2);
        }
    }

    fn score(&self) -> f64 {
        let answer = self.post(BODY);
        assert_eq!(answer.0, 200, "{}", answer.2);
        answer.json()["predictions"][0].as_f64().unwrap()
    }

    /// Sends a request's headers and the beginning of its body, and waits until it is being answered.
    fn begin(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(head("POST", PREDICT, "", BODY.len()).as_bytes()).unwrap();
        stream.write_all(&BODY.as_bytes()[..10]).unwrap();
        self.wait_for("/metrics", |answer| answer.2.contains("frazil_requests_in_flight 1\n"));
        stream
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }
}

fn head(method: &str, path: &str, headers: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
}

/// Reads an answer up to its end, which is the connection's.
fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            // A reset is an end, too, where something of the request was not read.
            _ => break,
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let (headers, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let code = headers.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer(code, headers.to_owned(), body.to_owned())
}

#[test]
fn predictions_are_served_with_the_predictors_bits() {
    let place = trained();
    let server = Server::start(&place, &["--model", "taxi=model-1", "--model", "graph=graph"]);
    let answer = server.post(BODY);
    assert!(answer.1.contains("content-type: application/json"), "{}", answer.1);
    let text = answer.json()["predictions"][0].to_string();

    let bundle = bundle(&place, 1);
    let fare = arrow_array::Float32Array::from(vec![12.5]);
    let miles = arrow_array::Float32Array::from(vec![3.0]);
    let text_of = |text| std::sync::Arc::new(arrow_array::StringArray::from(vec![text]));
    let degrees = |x| std::sync::Arc::new(arrow_array::Float32Array::from(vec![x]));
    let columns: Vec<(&str, arrow_array::ArrayRef)> = vec![
        ("fare", std::sync::Arc::new(fare)),
        ("trip_miles", std::sync::Arc::new(miles)),
        ("company", text_of("Taxi")),
        ("payment_type", text_of("Cash")),
        ("pickup_latitude", degrees(41.5)),
        ("pickup_longitude", degrees(-87.25)),
    ];
    let records = arrow_array::RecordBatch::try_from_iter(columns).unwrap();
    let predicted = bundle.predictor.predict(&records).unwrap().records;
    let expected = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Float32Type>(
        predicted.column(0),
    );
    assert_eq!(text.parse::<f32>().unwrap().to_bits(), expected.value(0).to_bits());

    let status = server.get("/v1/models/taxi");
    assert_eq!(status.json()["model_version_status"][0]["state"], "AVAILABLE");
    let metadata = server.get("/v1/models/taxi/metadata").json();
    assert_eq!(metadata["model_spec"]["version"], "1");
    let transform = BODY.replacen('{', r#"{"signature_name": "transform", "#, 1);
    let of_label_and_others = r#"[{"pickup_community_area": 8, "trip_start_day": 1,
        "trip_start_hour": 2, "trip_start_month": 3, "tips": 1, "#;
    let transform = transform.replacen("[{", of_label_and_others, 1);
    let features = server.post(&transform).json();
    assert!(features["predictions"][0]["fare_xf"].is_f64(), "{features}");
    assert!(features["predictions"][0].get("tips_xf").is_none(), "{features}");
    let alone = server.send("POST", "/v1/models/graph:predict", "", transform.as_bytes()).json();
    assert_eq!(alone["predictions"][0]["fare_xf"], features["predictions"][0]["fare_xf"]);
    let examples = BODY.replace("instances", "examples").replace("3,", "3.0,");
    let classes = server.send("POST", "/v1/models/taxi:classify", "", examples.as_bytes());
    assert_eq!(classes.json()["results"][0][1][0], "1");

    assert_eq!((server.get("/health").0, server.get("/ready").0), (200, 200));
    let metrics = server.get("/metrics").2;
    let line =
        "frazil_requests_total{model=\"taxi\",version=\"1\",method=\"predict\",code=\"200\"} 2";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn ugly_requests_get_their_codes_and_hurt_nobody() {
    let place = trained();
    let args = ["--model", "taxi=model-1", "--max-body", "64KiB", "--header-timeout", "0.5"];
    let server = Server::start(&place, &args);
    let expected = server.score();
    let check = |body: &str, code: u16, message: &str| {
        let answer = server.post(body);
        assert_eq!(answer.0, code, "{body}");
        assert!(answer.error().contains(message), "{}", answer.2);
    };
    check("", 400, "JSON Parse error: The document is empty");
    check("{\"instances\": [{", 400, "Missing a name for object member. at offset: 16");
    check(r#"{"instances": [{"fare": "much"}]}"#, 400, "is not of expected type: float");
    check(r#"{"instances": [{"fair": 1}]}"#, 400, "does not have named input: fair");
    check(&"[".repeat(60_000), 400, "JSON Parse error");
    assert_eq!(server.get("/v1/models/other").0, 404);
    assert_eq!(server.get("/nothing").0, 404);

    // A body that says how large it is, and one that does not; both are still being sent.
    let mut large = server.connect();
    large.write_all(head("POST", PREDICT, "", 1 << 30).as_bytes()).unwrap();
    let _ = large.write_all(&vec![b' '; 4 << 20]);
    let _ = large.shutdown(Shutdown::Write);
    let refused = answer(&mut large);
    assert_eq!(refused.0, 413, "{}", refused.1);
    assert_eq!(refused.error(), "the body has more than 65536 bytes");
    let mut chunked = server.connect();
    let headers = "POST /v1/models/taxi:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n";
    chunked.write_all(headers.as_bytes()).unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, " ".repeat(1 << 16));
    for _ in 0..4 {
        let _ = chunked.write_all(chunk.as_bytes());
    }
    let _ = chunked.write_all(b"0\r\n\r\n");
    assert_eq!(answer(&mut chunked).0, 413);

    // No HTTP, and headers that never end.
    let mut garbage = server.connect();
    garbage.write_all(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").unwrap();
    assert_eq!(answer(&mut garbage).0, 400);
    let mut endless = server.connect();
    let _ = endless.write_all(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1 << 20)).as_bytes());
    assert!([0, 431].contains(&answer(&mut endless).0));
    let mut slow: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"POST /v1/models/taxi:predict HTTP/1.1\r\nHo").unwrap();
    }
    assert_eq!(server.score(), expected);
    for stream in &mut slow {
        // The server hangs up: the end comes, and no answer.
        assert_eq!(answer(stream).2, "");
    }
    assert_eq!(server.score(), expected);
}

#[test]
fn what_is_too_much_or_too_late_is_refused() {
    let place = trained();
    let args = ["--model", "taxi=model-1", "--max-concurrent", "1", "--timeout", "20"];
    let server = Server::start(&place, &args);
    let first = server.begin();
    let refused = server.post(BODY);
    assert_eq!(refused.0, 429, "{}", refused.2);
    // A sender that goes away is not waited for.
    drop(first);
    server.wait_for("/metrics", |answer| answer.2.contains("frazil_requests_in_flight 0\n"));
    server.score();
    let mut first = server.begin();
    let refused = server.post(BODY);
    assert_eq!(refused.0, 429, "{}", refused.2);
    assert!(refused.1.contains("retry-after: 1"), "{}", refused.1);
    assert!(refused.error().contains("1 requests are being answered"));
    first.write_all(&BODY.as_bytes()[10..]).unwrap();
    assert_eq!(answer(&mut first).0, 200);
    server.score();

    let server = Server::start(&place, &["--model", "taxi=model-1", "--timeout", "0.2"]);
    let mut first = server.begin();
    let refused = answer(&mut first);
    assert_eq!(
        (refused.0, refused.error().as_str()),
        (408, "the body did not arrive within 0.2 s")
    );
    server.score();
}

#[test]
fn a_token_is_asked_for() {
    let place = trained();
    place.write("token", "secret\n");
    let server = Server::start(&place, &["--model", "taxi=model-1", "--token-file", "token"]);
    for (headers, code) in [
        ("", 401),
        ("Authorization: Bearer other\r\n", 401),
        ("Authorization: Bearer secre\r\n", 401),
        ("Authorization: Basic secret\r\n", 401),
        ("Authorization: Bearer secret\r\n", 200),
        ("authorization: bearer secret\r\n", 200),
    ] {
        let answer = server.send("POST", PREDICT, headers, BODY.as_bytes());
        assert_eq!(answer.0, code, "{headers}");
        let answer = server.send("GET", "/metrics", headers, b"");
        assert_eq!(answer.0, code, "{headers}");
    }
    assert_eq!((server.get("/health").0, server.get("/ready").0), (200, 200));
}

#[test]
fn versions_come_go_and_fail_under_load() {
    let place = trained();
    place.ok(&["push", "model-1", "--to", "base", "--version", "1"]);
    let server = Server::start(&place, &["--model", "taxi=base", "--poll", "0.02"]);
    let first = server.score();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut scores = Vec::new();
            while !ended.load(Ordering::SeqCst) {
                scores.push(server.score());
            }
            scores
        });
        place.ok(&["push", "model-2", "--to", "base", "--version", "2"]);
        let is = |answer: &Answer, version: &str, state: &str| {
            let states = answer.json()["model_version_status"].clone();
            let of = states.as_array().unwrap().iter().find(|of| of["version"] == version).cloned();
            of.is_some_and(|of| of["state"] == state)
        };
        server.wait_for("/v1/models/taxi", |answer| {
            is(answer, "2", "AVAILABLE") && is(answer, "1", "END")
        });
        let second = server.score();
        assert_ne!(first, second);

        copy(&place.path("base/2"), &place.path("broken"));
        let weights = place.path("broken/weights.safetensors");
        let mut bytes = std::fs::read(&weights).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&weights, bytes).unwrap();
        std::fs::rename(place.path("broken"), place.path("base/3")).unwrap();
        std::fs::create_dir(place.path("base/4")).unwrap();
        let answer = server
            .wait_for("/v1/models/taxi", |answer| is(answer, "3", "END") && is(answer, "4", "END"));
        assert!(is(&answer, "2", "AVAILABLE"), "{}", answer.2);
        assert!(answer.2.contains("`weights.safetensors` is not the file"), "{}", answer.2);
        assert_eq!(server.score(), second);
        // Mended, it is tried again.
        std::fs::copy(place.path("base/2/weights.safetensors"), place.path("new")).unwrap();
        std::fs::rename(place.path("new"), place.path("base/3/weights.safetensors")).unwrap();
        server.wait_for("/v1/models/taxi", |answer| is(answer, "3", "AVAILABLE"));
        // What is gone is gone; an older one takes its place.
        for version in ["base/2", "base/3"] {
            std::fs::rename(place.path(version), place.path(&version.replace("base/", "old-")))
                .unwrap();
        }
        server.wait_for("/v1/models/taxi", |answer| is(answer, "1", "AVAILABLE"));
        server.wait_for("/v1/models/taxi/versions/3", |answer| answer.0 == 404);
        assert_eq!(server.score(), first);
        ended.store(true, Ordering::SeqCst);
        let scores = load.join().unwrap();
        assert!(scores.contains(&first) && scores.contains(&second), "{}", scores.len());
        assert!(scores.iter().all(|score| [first, second].contains(score)));
    });
}

#[test]
fn versions_are_chosen_and_labelled() {
    let place = trained();
    std::fs::create_dir(place.path("base")).unwrap();
    let args = ["--versions", "taxi=latest:1", "--label", "taxi/stable=1", "--poll", "0.02"];
    let server = Server::start(&place, &[&["--model", "taxi=base"], &args[..]].concat());
    let ready = server.get("/ready");
    assert_eq!((ready.0, ready.error().as_str()), (503, "no version is available of taxi"));
    assert_eq!(server.post(BODY).0, 404);
    for version in ["1", "2", "3"] {
        let model = if version == "1" { "model-1" } else { "model-2" };
        place.ok(&["push", model, "--to", "base", "--version", version, "--force"]);
    }
    server.wait_for("/v1/models/taxi/versions/3", |answer| answer.2.contains("AVAILABLE"));
    server.wait_for("/v1/models/taxi/versions/2", |answer| !answer.2.contains("AVAILABLE"));
    let code = |of: &str| {
        server.send("POST", &format!("/v1/models/taxi/{of}:predict"), "", BODY.as_bytes()).0
    };
    assert_eq!([code("versions/1"), code("versions/2"), code("versions/3")], [200, 404, 200]);
    assert_eq!([code("labels/stable"), code("labels/other")], [200, 400]);
    let server = Server::start(&place, &["--model", "taxi=base", "--versions", "taxi=2,7"]);
    assert!(server.get("/v1/models/taxi/versions/2").2.contains("AVAILABLE"));
    assert_eq!(server.get("/v1/models/taxi/versions/3").0, 404);
}

#[test]
fn what_was_begun_is_answered_before_the_end() {
    let place = trained();
    let mut server = Server::start(&place, &["--model", "taxi=model-1"]);
    let expected = server.score();
    let idle = server.connect();
    let mut first = server.begin();
    server.terminate();
    // Nobody is let in any more; before that, the program has not noticed yet.
    let start = Instant::now();
    while TcpStream::connect(&server.address).is_ok() {
        assert!(start.elapsed() < PATIENCE);
    }
    first.write_all(&BODY.as_bytes()[10..]).unwrap();
    let answer = answer(&mut first);
    assert_eq!(answer.json()["predictions"][0].as_f64(), Some(expected));
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    drop(idle);
}

#[test]
fn grpc_is_spoken_where_it_is_asked_for() {
    let place = trained();
    let args =
        ["serve", "--listen", "127.0.0.1:0", "--model", "taxi=model-1", "--grpc", "127.0.0.1:0"];
    let mut command = place.command(&args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut address = |scheme: &str| {
        let line = lines.next().unwrap();
        line.strip_prefix(&format!("listening on {scheme}://")).expect(&line).to_owned()
    };
    let server = Server { address: address("http"), child };
    let mut stream = TcpStream::connect(address("grpc")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // HTTP/2's preface and no settings; settings come back: a frame of type 4.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4);
    server.score();
}

#[test]
fn wrong_commands_fail() {
    let place = trained();
    let check = |args: &[&str], expected: &str| {
        let said = place.fails(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    check(&[], "--model");
    check(&["--model", "taxi"], "NAME=DIR");
    check(&["--model", "taxi=nowhere"], "cannot read `nowhere`");
    check(&["--model", "a=model-1", "--model", "a=model-2"], "two models are called `a`");
    check(&["--model", "a/b=model-1"], "`a/b` is no name of a model");
    check(&["--model", "a=model-1", "--label", "b/x=1"], "no model is called `b`");
    check(&["--model", "a=model-1", "--versions", "a=newest"], "NAME=latest:N");
    check(&["--model", "a=model-1", "--tls-cert", "x"], "--tls-key");
    check(&["--model", "a=model-1", "--tls-cert", "x", "--tls-key", "y"], "cannot use `x` for TLS");
    check(&["--model", "a=model-1", "--allow-origin", "a.example"], "a scheme and a host");
    check(&["--model", "a=model-1", "--allow-origin", "https://a.example/"], "a scheme and a host");
    check(&["--model", "a=model-1", "--grpc", "256.0.0.1:80"], "with `--grpc HOST:PORT`");
    let args = ["serve", "--model", "a=model-1", "--listen", "256.0.0.1:80"];
    assert!(place.fails(&args).contains("cannot listen at `256.0.0.1:80`"));
}

/// Copies a directory.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
