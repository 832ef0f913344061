//! Natural-language inference: values that read like sentences.
//!
//! A value is natural language when its first 100 characters hold at least three words of 2.5 to 8
//! characters on average (TFDV's `AverageWordHeuristicNLClassifier`). One value that is not UTF-8
//! rules the feature out.

use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::{DOMAIN_INFO, MIN_RATIO, MIN_VALUES, for_each_bytes};
use crate::stats::generator::feature_stats;
use crate::stats::{Column, Generator, Kind, Patch, custom};

pub(in crate::stats) const GENERATOR: Generator = Generator {
    name: "natural_language_inference",
    doc: "recognises sentences by the number and length of their words",
    new: |feature| {
        let wanted = feature.options.enable_semantic_domain_stats && feature.kind == Kind::String;
        wanted.then(|| feature_stats(NaturalLanguage))
    },
};

/// How much of a value is looked at, in characters.
const LOOKED_AT: usize = 100;

struct NaturalLanguage;

#[derive(Default, Serialize, Deserialize)]
struct Matches {
    considered: u64,
    matched: u64,
    not_text: bool,
}

impl CombineFn for NaturalLanguage {
    type Input = Column;
    type Accumulator = Matches;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> Matches {
        Matches::default()
    }

    fn add_input(&self, acc: &mut Matches, column: &Column) -> Result<()> {
        for_each_bytes(&column.values, |value, n| {
            acc.considered += n;
            match std::str::from_utf8(value) {
                Ok(text) if is_natural_language(text) => acc.matched += n,
                Ok(_) => {}
                Err(_) => acc.not_text = true,
            }
        });
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Matches, other: Matches) -> Result<()> {
        acc.considered += other.considered;
        acc.matched += other.matched;
        acc.not_text |= other.not_text;
        Ok(())
    }

    fn extract_output(&self, acc: Matches) -> Result<Patch> {
        Ok(Box::new(move |message| {
            let ratio = acc.matched as f64 / acc.considered as f64;
            if !acc.not_text && acc.considered >= MIN_VALUES && ratio >= MIN_RATIO {
                custom::add_text(message, DOMAIN_INFO, "natural_language_domain {}");
                custom::add_number(message, "natural_language_match_rate", ratio);
            }
        }))
    }
}

fn is_natural_language(text: &str) -> bool {
    let (mut n_words, mut n_chars, mut inside) = (0_u32, 0_u32, false);
    let mut step = |is_space: bool| {
        n_words += u32::from(!is_space && !inside);
        n_chars += u32::from(!is_space);
        inside = !is_space;
    };
    let head = &text.as_bytes()[..text.len().min(LOOKED_AT)];
    if head.is_ascii() {
        for &byte in head {
            step(is_space(byte.into()));
        }
    } else {
        for char in text.chars().take(LOOKED_AT) {
            step(is_space(char));
        }
    }
    // Words of 2.5 to 8 characters on average, without a division.
    n_words >= 3 && 2 * n_chars >= 5 * n_words && n_chars <= 8 * n_words
}

/// What Python's `str.split` takes for space: Unicode's, and four separators of ASCII.
fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\x1c'..='\x1f').contains(&char)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{StatsOptions, laws};

    #[test]
    fn sentences() {
        let rows = [
            ("", false),
            ("two words", false),
            ("the three words", true),
            ("a b c d", false),
            ("a bcd e fghi", false),
            ("ab abc ab abc", true),
            ("  \t spaced   out\nwords ", true),
            ("unbelievably extraordinary circumstances", false),
            ("12345678 12345678 12345678", true),
            ("12345678 12345678 123456789", false),
            ("un\u{a0}bon\u{2003}vin", true),
            ("one\x1ctwo\x1fthree", true),
            ("deux\u{200b}mots ici", false),
            ("žluťoučký kůň pěl ódy", true),
            ("日本語 の テスト です", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_natural_language(text), expected, "{text:?}");
        }
    }

    #[test]
    fn only_the_beginning_counts() {
        let head = "word ".repeat(20);
        assert!(is_natural_language(&format!("{head}{}", "x".repeat(1000))));
        assert!(!is_natural_language(&format!("{}{head}", "x".repeat(100))));
        // 100 characters, not bytes.
        assert!(is_natural_language(&format!("{} ab cd", "ééééé ".repeat(15))));
    }

    fn check(values: &[(&[u8], usize)], expected: &[&str]) {
        let options = StatsOptions { enable_semantic_domain_stats: true, ..Default::default() };
        let values = values.iter().flat_map(|&(value, n)| std::iter::repeat_n(Some(value), n));
        let column = laws::strings(values.chain([None]));
        let message = laws::feature(&GENERATOR, &options, column, |a, b| a == b);
        assert_eq!(laws::custom(&message), expected);
    }

    #[test]
    fn thresholds() {
        let text: &[u8] = b"some words here";
        let found = |rate| ["domain_info: natural_language_domain {}".to_owned(), rate];
        check(&[(text, 99)], &[]);
        let [domain, rate] = found("natural_language_match_rate: 1".into());
        check(&[(text, 100)], &[&domain, &rate]);
        check(&[(text, 79), (b"", 21)], &[]);
        check(&[(text, 80), (b"", 20)], &[&domain, "natural_language_match_rate: 0.8"]);
        check(&[(text, 1000), (b"\xff", 1)], &[]);
        check(&[], &[]);
    }
}
