//! Load for a server: latencies at a fixed rate, or as many requests as it takes; and the server's memory.
//!
//! ```text
//! cargo run --release -p serve --example load -- 127.0.0.1:8501 taxi body.json rate=1000 seconds=30 \
//!     connections=8 pid=$(pidof frazil)
//! ```
//!
//! `path=` asks a server that has other paths than TensorFlow Serving.
//!
//! At a rate, a request's latency counts from when it was to be sent: a server that stalls is not spared
//! the requests that would have come meanwhile. `rate=0` sends one request after the other.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, model, body, options @ ..] = &args[..] else {
        eprintln!("ADDRESS MODEL BODY [rate=N] [seconds=N] [connections=N] [pid=N] [path=PATH]");
        return;
    };
    let text = |name: &str| options.iter().find_map(|o| o.strip_prefix(name)?.strip_prefix('='));
    let option =
        |name: &str, default: u64| text(name).map_or(default, |value| value.parse().unwrap());
    let (rate, connections) = (option("rate", 1000), option("connections", 8).max(1));
    let (seconds, pid) = (option("seconds", 10), option("pid", 0));
    let path = text("path").map_or_else(|| format!("/v1/models/{model}:predict"), str::to_owned);
    let body = std::fs::read(body).unwrap();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);

    println!("resident before: {}", resident(pid));
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let ran = std::thread::scope(|scope| {
        let (request, address) = (&request, address.as_str());
        let threads: Vec<_> = (0..connections)
            .map(|connection| {
                let gap =
                    (rate > 0).then(|| Duration::from_secs_f64(connections as f64 / rate as f64));
                let first =
                    start + gap.unwrap_or_default().mul_f64(connection as f64 / connections as f64);
                scope.spawn(move || run(address, request, first, gap, end))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let took = start.elapsed().as_secs_f64();
    let mut codes: BTreeMap<u16, u64> = BTreeMap::new();
    let mut latencies: Vec<Duration> = Vec::new();
    for (code, latency) in ran.into_iter().flatten() {
        *codes.entry(code).or_default() += 1;
        latencies.push(latency);
    }
    latencies.sort();
    let n = latencies.len();
    println!("{n} answers in {took:.1} s, {:.0} a second; codes {codes:?}", n as f64 / took);
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)]
    {
        let at = ((n as f64 * share).ceil() as usize).clamp(1, n.max(1)) - 1;
        println!("{name:>6} {:.3} ms", latencies.get(at).map_or(0.0, |d| d.as_secs_f64() * 1e3));
    }
    println!("resident after: {}", resident(pid));
}

/// One connection: sends at its times, or at once; gives codes and latencies.
fn run(
    address: &str,
    request: &[u8],
    first: Instant,
    gap: Option<Duration>,
    end: Instant,
) -> Vec<(u16, Duration)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut ran, mut buffer) = (Vec::new(), Vec::new());
    let mut due = first;
    while due < end {
        match gap {
            Some(_) => std::thread::sleep(due.saturating_duration_since(Instant::now())),
            None => due = Instant::now(),
        }
        if stream.write_all(request).is_err() {
            stream = TcpStream::connect(address).unwrap();
            continue;
        }
        let code = answer(&mut stream, &mut buffer);
        ran.push((code, due.elapsed()));
        if code == 0 {
            stream = TcpStream::connect(address).unwrap();
        }
        due += gap.unwrap_or_default();
    }
    ran
}

/// Reads an answer to its end; 0 where there is none.
fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    let mut chunk = [0; 16384];
    loop {
        let n = stream.read(&mut chunk).unwrap_or(0);
        if n == 0 {
            return 0;
        }
        buffer.extend_from_slice(&chunk[..n]);
        let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..at]).to_ascii_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
        if buffer.len() >= at + 4 + length.unwrap_or(0) {
            return head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        }
    }
}

/// The memory of a process, as Linux says it.
fn resident(pid: u64) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.map_or("unknown".to_owned(), |line| line[6..].trim().to_owned())
}
