//! Sentences, and whether their verb agrees with its subject: what no count of words can tell, because
//! every sentence has one noun in the singular and one in the plural.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;
use arrow_array::types::Int64Type;
use arrow_schema::{DataType, Field};

use super::draw::{Stream, primitives};

const NOUNS: [&str; 12] = [
    "boy", "girl", "friend", "driver", "dog", "cat", "bird", "horse", "town", "company", "river",
    "teacher",
];
const ADJECTIVES: [&str; 8] = ["old", "young", "small", "big", "happy", "sad", "good", "black"];
const PREPOSITIONS: [&str; 5] = ["near", "by", "with", "behind", "before"];
/// In the plural; with an `s` in the singular.
const VERBS: [&str; 9] = ["walk", "run", "eat", "think", "stop", "play", "work", "read", "wait"];
/// What one noun did to the other: the past has no number.
const SEEN: [&str; 4] = ["saw", "knew", "found", "left"];
const ADVERBS: [&str; 6] = ["often", "always", "again", "slowly", "today", "here"];

/// A table of sentences.
pub(super) struct Texts {
    draws: [Stream; 12],
    drift: f64,
}

impl Texts {
    pub(super) fn new(seed: u64, drift: f64) -> Self {
        let names = [
            "label",
            "number",
            "form",
            "subject",
            "other",
            "verb",
            "seen",
            "preposition",
            "adverb",
            "adjective",
            "adjective of other",
            "has adverb",
        ];
        Texts { draws: names.map(|name| Stream::new(seed, name)), drift }
    }

    pub(super) fn fields() -> Vec<Field> {
        vec![
            Field::new("sentence", DataType::Utf8, true),
            Field::new("label", DataType::Int64, true),
        ]
    }

    pub(super) fn columns(&self, rows: Range<u64>) -> Vec<ArrayRef> {
        let mut sentences = StringBuilder::new();
        for row in rows.clone() {
            sentences.append_value(self.sentence(row));
        }
        let labels = primitives::<Int64Type>(rows, |row| Some(i64::from(self.is_right(row))));
        vec![Arc::new(sentences.finish()), labels]
    }

    fn is_right(&self, row: u64) -> bool {
        self.draws[0].chance(row, 0.5)
    }

    fn sentence(&self, row: u64) -> String {
        let [
            _,
            number,
            form,
            subject,
            other,
            verb,
            seen,
            preposition,
            adverb,
            adjective,
            of_other,
            has,
        ] = self.draws;
        let pick = |stream: Stream, of: &'static [&'static str]| {
            of[stream.below(row, of.len() as u64) as usize]
        };
        let is_plural = number.chance(row, 0.5);
        let noun = |stream: Stream, adjective: Stream, is_plural: bool| {
            // One noun in three has an adjective.
            let before = match adjective.below(row, 3 * ADJECTIVES.len() as u64) as usize {
                i if i < ADJECTIVES.len() => format!("{} ", ADJECTIVES[i]),
                _ => String::new(),
            };
            let noun = pick(stream, &NOUNS);
            let noun = match (is_plural, noun.strip_suffix('y')) {
                (false, _) => noun.to_owned(),
                (true, Some(stem)) if noun == "company" => format!("{stem}ies"),
                (true, _) => format!("{noun}s"),
            };
            format!("{before}{noun}")
        };
        let (first, second) =
            (noun(subject, adjective, is_plural), noun(other, of_other, !is_plural));
        let between = if form.chance(row, 0.3 + 0.5 * self.drift) {
            format!("that the {second} {}", pick(seen, &SEEN))
        } else {
            format!("{} the {second}", pick(preposition, &PREPOSITIONS))
        };
        let verb = of_number(pick(verb, &VERBS), is_plural == self.is_right(row));
        let last = if has.chance(row, 0.5) {
            format!(" {}", pick(adverb, &ADVERBS))
        } else {
            String::new()
        };
        format!("The {first} {between} {verb}{last}.")
    }
}

fn of_number(verb: &str, is_plural: bool) -> String {
    if is_plural { verb.to_owned() } else { format!("{verb}s") }
}
