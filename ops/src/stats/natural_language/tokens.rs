//! All tokens that a vocabulary or a schema names, each with what the schema wants of it.

use std::collections::{HashMap as StdMap, HashSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::sequences::Piece;
use crate::stats::Values;
use crate::tfmd::NaturalLanguageDomain;
use crate::tfmd::natural_language_statistics::token_statistics::Token as Name;
use crate::tfmd::sequence_value_constraints::Value;

/// Index of an item without a value: it takes a place, and that is all.
pub(super) const NOTHING: u32 = 0;
/// Index of all numbers that are not named.
pub(super) const OTHER_NUMBER: u32 = 1;
/// Index of all texts that are not named.
pub(super) const OTHER_TEXT: u32 = 2;
/// The three above come before all others.
const N_UNNAMED: usize = 3;
/// No sought token.
pub(super) const NONE: u32 = u32::MAX;

/// What an occurrence of a token means.
#[derive(Clone, Copy)]
pub(super) struct Token {
    /// It counts among all tokens: it is not excluded.
    pub(super) counted: bool,
    /// It counts among the known ones.
    pub(super) known: bool,
    /// It has a text, and not one that stands for unknown tokens.
    pub(super) covers: bool,
    /// Length of its text where it covers, else 0.
    pub(super) n_chars: u32,
    /// How much it takes off the length of its sequence: once as a number, once as a text.
    pub(super) excluded_from_length: u8,
    /// Indices of the sought tokens it is, as a number and as a text.
    pub(super) sought: [u32; 2],
}

const PLAIN: Token = Token {
    counted: true,
    known: false,
    covers: false,
    n_chars: 0,
    excluded_from_length: 0,
    sought: [NONE; 2],
};

/// A token that the schema's constraints name.
pub(super) struct Sought {
    pub(super) token: Name,
    /// False when it can only be told by a vocabulary that is not there.
    pub(super) is_countable: bool,
}

/// Every token by index.
pub(super) struct Tokens {
    meanings: Vec<Token>,
    texts: Vec<Option<Box<str>>>,
    /// Numbers below this are lines of the vocabulary, and come first.
    n_lines: usize,
    by_text: HashMap<Box<[u8]>, u32, FixedState>,
    by_number: HashMap<i64, u32, FixedState>,
    pub(super) sought: Vec<Sought>,
}

/// The sets that a domain holds.
struct Rules<'a> {
    excluded_numbers: HashSet<i64>,
    excluded_texts: HashSet<&'a str>,
    unknown_texts: HashSet<&'a str>,
    short_numbers: HashSet<i64>,
    short_texts: HashSet<&'a str>,
    sought_numbers: StdMap<i64, u32>,
    sought_texts: StdMap<&'a str, u32>,
}

fn set(list: &[String]) -> HashSet<&str> {
    list.iter().map(String::as_str).collect()
}

impl Rules<'_> {
    fn token(&self, number: Option<i64>, text: Option<&str>) -> Token {
        let has = |numbers: &HashSet<i64>| number.is_some_and(|number| numbers.contains(&number));
        let says = |texts: &HashSet<&str>| text.is_some_and(|text| texts.contains(text));
        let counted = !has(&self.excluded_numbers) && !says(&self.excluded_texts);
        let covers = text.is_some() && !says(&self.unknown_texts);
        let length = text.map_or(0, |text| text.chars().count() as u32);
        let number = number.and_then(|number| self.sought_numbers.get(&number).copied());
        let sought_text = text.and_then(|text| self.sought_texts.get(text).copied());
        Token {
            counted,
            known: counted && covers,
            covers,
            n_chars: if covers { length } else { 0 },
            excluded_from_length: u8::from(has(&self.short_numbers))
                + u8::from(says(&self.short_texts)),
            sought: [number.unwrap_or(NONE), sought_text.unwrap_or(NONE)],
        }
    }
}

impl Tokens {
    /// The tokens of a domain, for texts or for numbers.
    pub(super) fn new(
        is_text: bool,
        domain: &NaturalLanguageDomain,
        vocabulary: Option<&[Vec<u8>]>,
    ) -> Self {
        let mut sought = Vec::<Sought>::new();
        let (mut sought_numbers, mut sought_texts) = (StdMap::new(), StdMap::new());
        for constraint in &domain.token_constraints {
            let next = sought.len() as u32;
            let (token, is_number, is_new) = match &constraint.value {
                Some(Value::IntValue(number)) => {
                    let at = *sought_numbers.entry(*number).or_insert(next);
                    (Name::IntToken(*number), true, at == next)
                }
                value => {
                    let text = match value {
                        Some(Value::StringValue(text)) => text.as_str(),
                        _ => "",
                    };
                    let at = *sought_texts.entry(text).or_insert(next);
                    (Name::StringToken(text.to_owned()), false, at == next)
                }
            };
            if is_new {
                let is_countable = is_number != is_text || vocabulary.is_some();
                sought.push(Sought { token, is_countable });
            }
        }
        let coverage = domain.coverage.as_ref();
        let lengths = domain.sequence_length_constraints.as_ref();
        let rules = Rules {
            excluded_numbers: coverage
                .map(|c| c.excluded_int_tokens.iter().copied().collect())
                .unwrap_or_default(),
            excluded_texts: coverage.map(|c| set(&c.excluded_string_tokens)).unwrap_or_default(),
            unknown_texts: coverage.map(|c| set(&c.oov_string_tokens)).unwrap_or_default(),
            short_numbers: lengths
                .map(|l| l.excluded_int_value.iter().copied().collect())
                .unwrap_or_default(),
            short_texts: lengths.map(|l| set(&l.excluded_string_value)).unwrap_or_default(),
            sought_numbers,
            sought_texts,
        };
        let mut all = Tokens {
            meanings: vec![
                Token { counted: false, ..PLAIN },
                PLAIN,
                Token { known: true, covers: true, ..PLAIN },
            ],
            texts: vec![None; N_UNNAMED],
            n_lines: 0,
            by_text: HashMap::default(),
            by_number: HashMap::default(),
            sought: Vec::new(),
        };
        let lines = vocabulary.unwrap_or_default().iter();
        let lines: Vec<String> =
            lines.map(|line| String::from_utf8_lossy(line).trim().to_owned()).collect();
        if is_text {
            // Of equal lines the last one gives the number.
            let mut numbers = StdMap::<&str, i64>::new();
            for (i, line) in lines.iter().enumerate() {
                numbers.insert(line, i as i64);
            }
            let named = [&rules.excluded_texts, &rules.unknown_texts, &rules.short_texts];
            let mut named: Vec<&str> = named.into_iter().flatten().copied().collect();
            named.extend(rules.sought_texts.keys());
            // States hold indices: they must be the same in every process.
            named.sort_unstable();
            for text in lines.iter().map(String::as_str).chain(named) {
                if !all.by_text.contains_key(text.as_bytes()) {
                    let token = rules.token(numbers.get(text).copied(), Some(text));
                    all.by_text.insert(text.as_bytes().into(), all.meanings.len() as u32);
                    all.push(token, Some(text));
                }
            }
        } else {
            all.n_lines = lines.len();
            for (i, line) in lines.iter().enumerate() {
                all.push(rules.token(Some(i as i64), Some(line)), Some(line));
            }
            let mut named: Vec<i64> = rules.excluded_numbers.iter().copied().collect();
            named.extend(&rules.short_numbers);
            named.extend(rules.sought_numbers.keys());
            named.sort_unstable();
            for number in named {
                if all.number(number) == OTHER_NUMBER {
                    all.by_number.insert(number, all.meanings.len() as u32);
                    all.push(rules.token(Some(number), None), None);
                }
            }
        }
        all.sought = sought;
        all
    }

    fn push(&mut self, token: Token, text: Option<&str>) {
        self.meanings.push(token);
        self.texts.push(text.map(Into::into));
    }

    pub(super) fn len(&self) -> usize {
        self.meanings.len()
    }

    pub(super) fn token(&self, id: u32) -> &Token {
        &self.meanings[id as usize]
    }

    pub(super) fn text(&self, id: usize) -> Option<&str> {
        self.texts[id].as_deref()
    }

    fn number(&self, number: i64) -> u32 {
        match usize::try_from(number) {
            Ok(line) if line < self.n_lines => (N_UNNAMED + line) as u32,
            _ => self.by_number.get(&number).copied().unwrap_or(OTHER_NUMBER),
        }
    }

    fn bytes_id(&self, text: &[u8]) -> u32 {
        self.by_text.get(text).copied().unwrap_or(OTHER_TEXT)
    }

    /// The index of every item.
    pub(super) fn ids(&self, values: &Values) -> Vec<u32> {
        match values {
            Values::Int(array) => {
                array.iter().map(|item| item.map_or(NOTHING, |n| self.number(n))).collect()
            }
            Values::Bytes(array) => {
                array.iter().map(|item| item.map_or(NOTHING, |text| self.bytes_id(text))).collect()
            }
            Values::Dictionary { codes, values } => {
                let ids: Vec<u32> = self.ids(&Values::Bytes(values.clone()));
                codes.iter().map(|code| code.map_or(NOTHING, |code| ids[code as usize])).collect()
            }
            other => vec![NOTHING; other.len()],
        }
    }

    /// The text of an item that has one.
    pub(super) fn bytes(values: &Values, slot: usize) -> &[u8] {
        match values {
            Values::Bytes(array) => array.value(slot),
            Values::Dictionary { codes, values } => values.value(codes.value(slot) as usize),
            _ => &[],
        }
    }

    /// An item as it is printed.
    pub(super) fn piece(&self, values: &Values, slot: usize, id: u32) -> Piece {
        match (values, &self.texts[id as usize]) {
            (_, Some(text)) => Piece::Text(text.to_string()),
            (Values::Int(array), None) if id != NOTHING => Piece::Number(array.value(slot)),
            (_, None) if id == NOTHING => Piece::Text(String::new()),
            (values, None) => {
                Piece::Text(String::from_utf8_lossy(Self::bytes(values, slot)).into_owned())
            }
        }
    }
}

/// Length in characters, as far as the bytes are some.
pub(super) fn n_chars(text: &[u8]) -> u64 {
    if text.is_ascii() {
        text.len() as u64
    } else {
        String::from_utf8_lossy(text).chars().count() as u64
    }
}

/// How a text is shown that may not be one.
pub(super) fn label(text: &[u8]) -> String {
    String::from_utf8(text.to_vec()).unwrap_or_else(|_| "__BYTES_VALUE__".to_owned())
}
