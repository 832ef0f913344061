//! Bodies that nobody would send: whatever it is, there is an answer, and it is JSON.

use serde_json::Value;

use crate::fixture::{ROW, all, post};

/// Numbers that look random: splitmix64 (Steele et al. 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) as usize % n
    }
}

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "0",
    "-1.5e3",
    "1e400",
    "\"b64\"",
    "\"fare\"",
    "\"instances\"",
    "{\"b64\": \"/w==\"}",
    "\\u00e9",
    " ",
    "\u{0}",
    "é",
    "[[1],[]]",
];

#[test]
fn broken_bodies_get_an_answer() {
    let models = all();
    let row = format!(r#"{{"words": ["a", {{"b64": "YQ"}}], "nested": [[1], []], {}"#, &ROW[1..]);
    let bodies = [
        format!(r#"{{"signature_name": "transform", "instances": [{row}, {row}]}}"#),
        format!(r#"{{"instances": [{ROW}, {ROW}]}}"#),
        r#"{"inputs": {"fare": [1, 2], "pair": [[1, 2], [3, 4]], "code": [5, 6]}}"#.to_owned(),
        format!(r#"{{"context": {{"code": 1}}, "examples": [{ROW}, {{"fare": 2.5}}]}}"#),
    ];
    let mut random = Random(1);
    let mut codes = [0; 2];
    for i in 0..20_000 {
        let mut body = bodies[i % bodies.len()].clone().into_bytes();
        for _ in 0..=random.below(3) {
            let from = random.below(body.len());
            let to = (from + random.below(12)).min(body.len());
            let piece = PIECES[random.below(PIECES.len())];
            match random.below(3) {
                0 => drop(body.splice(from..to, piece.bytes())),
                1 => drop(body.splice(from..from, piece.bytes())),
                _ => body[from] = random.below(256) as u8,
            }
        }
        let path = ["/v1/models/taxi:predict", "/v1/models/taxi:classify"][usize::from(i % 4 == 3)];
        let text = String::from_utf8_lossy(&body).into_owned();
        let response = serve::handle(&models, "POST", path, &body);
        let code = usize::from(response.status == 200);
        assert!(code == 1 || response.status == 400, "{}: {text}", response.status);
        codes[code] += 1;
        let answer = String::from_utf8(response.body).unwrap();
        // NaN and infinities are TensorFlow Serving's JSON, and nobody else's.
        let answer = ["NaN", "-Infinity", "Infinity"]
            .iter()
            .fold(answer, |answer, name| answer.replace(name, if code == 1 { "0" } else { "" }));
        let found: Value =
            serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"));
        assert_eq!(found.get("error").is_some(), code == 0, "{answer}");
    }
    // Both happen, or this tests nothing.
    assert!(codes.iter().all(|n| *n > 100), "{codes:?}");
}

#[test]
fn deep_nests_and_large_strings_are_no_danger() {
    let models = all();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(1 << 18), close.repeat(1 << 18));
        for body in [
            format!("{{\"instances\": {deep}}}"),
            format!("{{\"instances\": [{{\"fare\": {deep}}}]}}"),
            format!("{{\"inputs\": {{\"words\": {deep}}}}}"),
            format!("{{\"other\": {deep}}}"),
        ] {
            let response = post(&models, "/v1/models/taxi:predict", &body);
            assert_eq!(response.status, 400);
            // A message does not repeat what was sent.
            assert!(response.body.len() < 2_000, "{}", response.body.len());
        }
    }
    let word = "x".repeat(1 << 20);
    let body = format!(
        r#"{{"signature_name": "transform", "instances": [{{"words": "{word}", {}]}}"#,
        &ROW[1..]
    );
    let response = post(&models, "/v1/models/taxi:predict", &body);
    assert_eq!(response.status, 200);
    assert!(response.body.len() > word.len());
}
