//! What answering costs without sockets: `cargo run --release -p serve --example handle -- MODEL ROW.json`.
//!
//! It times requests with the same row once, 8 and 64 times, and the model alone on as many rows.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serve::{ModelConfig, Models, Policy, Servable, State, Version, handle};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, row] = &args[..] else {
        eprintln!("MODEL ROW.json");
        return;
    };
    let row = std::fs::read_to_string(row).unwrap();
    let directory = Path::new(model).to_owned();
    let servable = Some(Arc::new(Servable::load(&directory).unwrap()));
    let name = "m".to_owned();
    let (policy, labels) = (Policy::default(), BTreeMap::new());
    let models = Models::new(vec![ModelConfig { name, directory, policy, labels }]).unwrap();
    let version = Version { state: State::Available, error: None, servable };
    models.get("m").unwrap().set([(1, version)].into());
    for n in [1, 8, 64] {
        let rows = vec![row.trim(); n].join(",");
        let body = format!("{{\"instances\":[{rows}]}}");
        let mut best = f64::INFINITY;
        for _ in 0..20 {
            let times = 2000 / n;
            let start = Instant::now();
            for _ in 0..times {
                let response = handle(&models, "POST", "/v1/models/m:predict", body.as_bytes());
                assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
            }
            best = best.min(start.elapsed().as_secs_f64() / times as f64);
        }
        println!("{n:>3} rows {:>8.1} µs, {:.2} µs a row", best * 1e6, best * 1e6 / n as f64);
    }
}
