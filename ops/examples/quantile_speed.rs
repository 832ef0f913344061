//! How long a value takes in a quantile summary: `cargo run --release -p ops --example quantile_speed`.
//!
//! The best of five rounds, so that a busy machine shows less.

use std::time::Instant;

use ops::sketch::Quantiles;

const N: u64 = 2_000_000;

/// A random number in [0, 1) for each index.
fn random(i: u64) -> f64 {
    let x = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn main() {
    type Value = fn(u64) -> f64;
    let kinds: [(&str, Value); 8] = [
        ("uniform doubles", random),
        ("sums of three", |i| random(i) + random(i + N) + random(i + 2 * N)),
        ("timestamps", |i| (1.4e9 + random(i) * 1e8).floor()),
        ("cents, 20,000 distinct", |i| (random(i) * 20_000.0).floor() / 100.0),
        ("tenths, 1,000 distinct", |i| (random(i) * 1_000.0).floor() / 10.0),
        ("integers, 1,000 distinct", |i| (random(i) * 1_000.0).floor()),
        ("booleans", |i| (random(i) * 2.0).floor()),
        ("ascending", |i| i as f64),
    ];
    for (name, value) in kinds {
        let values: Vec<f64> = (0..N).map(value).collect();
        let mut best = f64::INFINITY;
        let mut entries = 0;
        for _ in 0..5 {
            let start = Instant::now();
            let mut quantiles = Quantiles::<u64>::new(0.01);
            for value in &values {
                quantiles.push(*value);
            }
            quantiles.compact();
            best = best.min(start.elapsed().as_secs_f64());
            entries = quantiles.n_entries();
        }
        println!("{name:25} {:6.2} ns per value, {entries} entries", best * 1e9 / N as f64);
    }
}
