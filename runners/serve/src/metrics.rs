//! `Metrics`: what was answered, how often and how fast, as text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::handle::About;
use crate::models::Models;

/// Upper bounds of the buckets of latency, in seconds.
const BUCKETS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// What was answered, how often and how fast.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
    /// Requests that are being answered.
    pub in_flight: AtomicI64,
}

#[derive(Debug, Default)]
struct Counts {
    /// By model, version, method and HTTP's code.
    requests: BTreeMap<(String, Option<u64>, &'static str, u16), u64>,
    /// By model and method.
    latencies: BTreeMap<(String, &'static str), Histogram>,
    /// By model and version.
    rows: BTreeMap<(String, Option<u64>), u64>,
}

#[derive(Debug, Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    n: u64,
    sum: f64,
}

impl Metrics {
    /// Counts an answer.
    pub fn count(&self, about: &About, status: u16, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let About { model, version, method, rows } = about;
        let key = (model.clone(), *version, *method, status);
        *counts.requests.entry(key).or_default() += 1;
        if *rows > 0 {
            *counts.rows.entry((model.clone(), *version)).or_default() += *rows as u64;
        }
        let latency = counts.latencies.entry((model.clone(), *method)).or_default();
        let seconds = took.as_secs_f64();
        if let Some(count) = latency.counts.get_mut(BUCKETS.partition_point(|most| *most < seconds))
        {
            *count += 1;
        }
        latency.n += 1;
        latency.sum += seconds;
    }

    /// All numbers, as text for Prometheus; `passes` went through networks so far.
    pub fn text(&self, models: &Models, passes: u64) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        };
        let shown = |version: &Option<u64>| version.map_or_else(String::new, |n| n.to_string());
        let name = "frazil_requests_total";
        head(&mut out, name, "counter", "Answered requests.");
        for ((model, version, method, code), n) in &counts.requests {
            let (model, version) = (escaped(model), shown(version));
            let _ = writeln!(
                out,
                "{name}{{model=\"{model}\",version=\"{version}\",method=\"{method}\",code=\"{code}\"}} {n}"
            );
        }
        let name = "frazil_request_duration_seconds";
        head(&mut out, name, "histogram", "From the headers of a request to its answer.");
        for ((model, method), histogram) in &counts.latencies {
            let of = format!("model=\"{}\",method=\"{method}\"", escaped(model));
            let mut sum = 0;
            for (most, n) in BUCKETS.iter().zip(&histogram.counts) {
                sum += n;
                let _ = writeln!(out, "{name}_bucket{{{of},le=\"{most}\"}} {sum}");
            }
            let Histogram { n, sum, .. } = histogram;
            let _ = writeln!(out, "{name}_bucket{{{of},le=\"+Inf\"}} {n}");
            let _ = write!(out, "{name}_sum{{{of}}} {sum}\n{name}_count{{{of}}} {n}\n");
        }
        let name = "frazil_rows_total";
        head(&mut out, name, "counter", "Answered rows.");
        for ((model, version), n) in &counts.rows {
            let (model, version) = (escaped(model), shown(version));
            let _ = writeln!(out, "{name}{{model=\"{model}\",version=\"{version}\"}} {n}");
        }
        let name = "frazil_network_passes_total";
        head(&mut out, name, "counter", "Passes through networks, each of one request or several.");
        let _ = writeln!(out, "{name} {passes}");
        let name = "frazil_requests_in_flight";
        head(&mut out, name, "gauge", "Requests that are being answered.");
        let _ = writeln!(out, "{name} {}", self.in_flight.load(Ordering::Relaxed));
        let name = "frazil_version_available";
        head(&mut out, name, "gauge", "Whether a version answers.");
        for model in models.iter() {
            for (number, version) in model.versions().iter() {
                let (model, is) =
                    (escaped(&model.config.name), u8::from(version.servable.is_some()));
                let _ = writeln!(out, "{name}{{model=\"{model}\",version=\"{number}\"}} {is}");
            }
        }
        out
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted() {
        let metrics = Metrics::default();
        let about =
            About { model: "a\"b".to_owned(), version: Some(7), method: "predict", rows: 3 };
        metrics.count(&about, 200, Duration::from_micros(100));
        metrics.count(&about, 200, Duration::from_mins(1));
        metrics.count(&About::default(), 400, Duration::from_millis(1));
        let text = metrics.text(&Models::default(), 2);
        for line in [
            "frazil_requests_total{model=\"a\\\"b\",version=\"7\",method=\"predict\",code=\"200\"} 2",
            "frazil_requests_total{model=\"\",version=\"\",method=\"\",code=\"400\"} 1",
            "frazil_request_duration_seconds_bucket{model=\"a\\\"b\",method=\"predict\",le=\"0.0001\"} 1",
            "frazil_request_duration_seconds_bucket{model=\"a\\\"b\",method=\"predict\",le=\"10\"} 1",
            "frazil_request_duration_seconds_bucket{model=\"a\\\"b\",method=\"predict\",le=\"+Inf\"} 2",
            "frazil_request_duration_seconds_count{model=\"a\\\"b\",method=\"predict\"} 2",
            "frazil_rows_total{model=\"a\\\"b\",version=\"7\"} 6",
            "frazil_network_passes_total 2",
            "frazil_requests_in_flight 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
}
