//! How long vocabularies are trained: `cargo run --release -p transform
//! --example training_speed -- [WORDS]`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use transform::text::{BpeTraining, MergeScore, WordPieceTraining};

/// Words of two to five random syllables, by ranks: the `n`th is `n` times as rare as the first.
fn words(n: u64) -> Vec<(String, u64)> {
    let word = |rank: u64| {
        let mut bits = (rank + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut word = String::new();
        for _ in 0..2 + bits % 4 {
            bits = bits.rotate_right(11).wrapping_mul(0x94d0_49bb_1331_11eb) ^ rank;
            let pick = |from: &str, at: u64| char::from(from.as_bytes()[at as usize % from.len()]);
            word.push(pick("bcdfghjklmnpqrstvwxz", bits >> 40));
            word.push(pick("aeiouy", bits >> 20));
        }
        (word, 1 + 10 * n / (rank + 1))
    };
    (0..n).map(word).collect()
}

fn main() {
    let n = std::env::args().nth(1).map_or(1_000_000, |n| n.parse().unwrap());
    let words = words(n);
    for score in [MergeScore::Count, MergeScore::Likelihood] {
        let start = Instant::now();
        let training = WordPieceTraining { score, ..WordPieceTraining::default() };
        let trained = training.train(words.iter().map(|(word, n)| (word, *n))).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!("WordPiece by {score:?}: {} pieces, {seconds:.2} s", trained.pieces.len());
    }
    let start = Instant::now();
    let trained = BpeTraining::default().train(words.iter().map(|(word, n)| (word, *n))).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("bytes: {} pieces, {seconds:.2} s", trained.pieces.len());
}
