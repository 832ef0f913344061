//! The few sequences that are kept as examples, and how Python would print them.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A token of a sequence: its text, or its number where it has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Piece {
    Text(String),
    Number(i64),
}

/// Sequences with the least metric, without repetition; of equal ones, those that came first.
///
/// "First" is in the order of rows and shards, so the choice depends on neither batches nor workers.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept(Vec<(f64, Vec<Piece>)>);

/// As many as TFDV reports of each kind.
const N_KEPT: usize = 5;

impl Kept {
    /// Keeps a sequence if its metric is small enough; only then is it looked at.
    pub(super) fn offer(&mut self, metric: f64, pieces: impl Fn() -> Vec<Piece>) {
        if self.0.len() < N_KEPT || self.0.last().is_some_and(|(most, _)| metric < *most) {
            self.insert(metric, pieces());
        }
    }

    fn insert(&mut self, metric: f64, pieces: Vec<Piece>) {
        if self.0.iter().any(|(_, kept)| *kept == pieces) {
            return;
        }
        let at = self.0.partition_point(|(kept, _)| *kept <= metric);
        self.0.insert(at, (metric, pieces));
        self.0.truncate(N_KEPT);
    }

    pub(super) fn merge(&mut self, other: Kept) {
        for (metric, pieces) in other.0 {
            self.insert(metric, pieces);
        }
    }

    /// The sequences as Python's `str` prints lists.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(_, pieces)| {
            let pieces: Vec<String> = pieces.iter().map(piece).collect();
            format!("[{}]", pieces.join(", "))
        })
    }
}

fn piece(piece: &Piece) -> String {
    let text = match piece {
        Piece::Number(number) => return number.to_string(),
        Piece::Text(text) => text,
    };
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            char if char == quote => out.extend(['\\', quote]),
            char if is_printable(char) => out.push(char),
            char => {
                let code = u32::from(char);
                let done = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
                done.expect("a String takes every write");
            }
        }
    }
    out.push(quote);
    out
}

/// Python's `str.isprintable`: Rust escapes the same characters when it prints a string for debugging,
/// and quotes, and marks that would otherwise stand alone.
fn is_printable(char: char) -> bool {
    let text = ['a', char];
    let text: String = text.iter().collect();
    matches!(char, '"' | '\'') || text.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn printed_as_python_does() {
        let rows = [
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "\"it's\""),
            ("say \"it\"", "'say \"it\"'"),
            ("'\"", "'\\'\"'"),
            ("\n\r\t\\", "'\\n\\r\\t\\\\'"),
            ("\0\x1f\x7f\u{80}\u{a0}\u{ad}", "'\\x00\\x1f\\x7f\\x80\\xa0\\xad'"),
            ("é日\u{301}\u{200b}\u{2028}", "'é日\u{301}\\u200b\\u2028'"),
            ("\u{1f600}\u{e0001}\u{10ffff}", "'\u{1f600}\\U000e0001\\U0010ffff'"),
        ];
        for (input, expected) in rows {
            assert_eq!(piece(&text(input)), expected);
        }
        assert_eq!(piece(&Piece::Number(-5)), "-5");
        let mut kept = Kept::default();
        kept.offer(1.0, || vec![text("a"), Piece::Number(7)]);
        kept.offer(2.0, Vec::new);
        assert_eq!(kept.texts().collect::<Vec<_>>(), ["['a', 7]", "[]"]);
    }

    #[test]
    fn the_least_that_came_first_are_kept() {
        let rows: Vec<(f64, Vec<Piece>)> = [3, 1, 2, 1, 3, 2, 2, 0, 1, 5, 0, 4, 3]
            .iter()
            .enumerate()
            .map(|(i, &metric)| (f64::from(metric), vec![Piece::Number(i as i64 % 9)]))
            .collect();
        let all = |rows: &[(f64, Vec<Piece>)]| {
            let mut kept = Kept::default();
            for (metric, row) in rows {
                kept.offer(*metric, || row.clone());
            }
            kept
        };
        let expected = all(&rows);
        let found: Vec<String> = expected.texts().collect();
        // 9 and 10 repeat 0 and 1, which were kept or not by then.
        assert_eq!(found, ["[7]", "[1]", "[3]", "[8]", "[2]"]);
        for cut in 0..rows.len() {
            let mut kept = all(&rows[..cut]);
            kept.merge(all(&rows[cut..]));
            assert_eq!(kept.0.len(), 5);
            if cut < 9 {
                assert_eq!(kept, expected, "cut at {cut}");
            }
        }
    }
}
