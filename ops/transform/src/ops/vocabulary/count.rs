//! Counting tokens: what a batch adds to the tables of `combine_per_key`.

use std::borrow::Cow;

use engine::{Group, KeyState, order};

use super::frequency::Frequency;
use crate::analyzer::Sums;
use crate::tensor::{Tensor, Values};

/// A state that counts occurrences of a token, or adds their weights up.
pub(super) trait Amount: KeyState {
    /// Adds an occurrence.
    fn add(&mut self, weight: f64);
    /// What was added, as a frequency.
    fn frequency(&self) -> Frequency;
    /// Reads a frequency that [`Frequency::push`] has written.
    fn read(key: &mut &[u8]) -> Option<Frequency>;
    /// A state that carries a number.
    fn of_number(n: u64) -> Self;
    /// The number it carries.
    fn number(&self) -> u64;
}

impl Amount for u64 {
    #[inline]
    fn add(&mut self, _weight: f64) {
        *self += 1;
    }
    fn frequency(&self) -> Frequency {
        Frequency::Count(*self)
    }
    fn read(key: &mut &[u8]) -> Option<Frequency> {
        order::read_descending_u64(key).map(Frequency::Count)
    }
    fn of_number(n: u64) -> Self {
        n
    }
    fn number(&self) -> u64 {
        *self
    }
}

impl Amount for Sums {
    fn add(&mut self, weight: f64) {
        Sums::add(self, &[weight]);
    }
    fn frequency(&self) -> Frequency {
        Frequency::Number(self.sums.first().map_or(0.0, ops::sketch::ExactSum::value))
    }
    fn read(key: &mut &[u8]) -> Option<Frequency> {
        order::read_descending_f64(key).map(Frequency::Number)
    }
    fn of_number(n: u64) -> Self {
        Sums { n, sums: Vec::new() }
    }
    fn number(&self) -> u64 {
        self.n
    }
}

/// Adds every value, weighted by one number for each: text as it is, integers as eight bytes.
pub(super) fn add_values<S: Amount>(
    group: &mut Group<S>,
    values: &Values,
    weights: Option<&[f64]>,
) {
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    match values {
        Values::String(strings) => strings
            .iter()
            .enumerate()
            .for_each(|(at, text)| group.update(text, |amount| amount.add(weight(at)))),
        Values::Int64(ints) => ints
            .iter()
            .enumerate()
            .for_each(|(at, &int)| group.update(&int_key(int), |amount| amount.add(weight(at)))),
        _ => {}
    }
}

/// Integers as eight bytes that sort as they do.
pub(super) fn int_key(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

/// The integer of [`int_key`].
pub(super) fn key_int(key: &[u8]) -> Option<i64> {
    Some((u64::from_be_bytes(key.try_into().ok()?) ^ 1 << 63).cast_signed())
}

/// A column of tokens, whatever it holds: text as it is, integers in decimal.
pub(super) struct Texts<'a> {
    values: &'a Values,
    digits: Digits,
}

impl<'a> Texts<'a> {
    pub(super) fn of(tensor: &'a Tensor) -> Self {
        Texts { values: &tensor.values, digits: Digits::default() }
    }

    pub(super) fn get(&mut self, i: usize) -> &[u8] {
        match self.values {
            Values::String(strings) => strings.get(i),
            Values::Int64(ints) => self.digits.of(ints[i]),
            _ => b"",
        }
    }
}

/// Room for an integer in decimal.
#[derive(Default)]
pub(super) struct Digits([u8; 20]);

impl Digits {
    /// The integer in decimal.
    #[inline]
    pub(super) fn of(&mut self, value: i64) -> &[u8] {
        let (mut rest, mut at) = (value.unsigned_abs(), self.0.len());
        loop {
            at -= 1;
            self.0[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }
}

/// Weights as doubles, one for each value, from those of a batch.
pub(super) fn doubles(tensor: &Tensor) -> Cow<'_, [f64]> {
    match &tensor.values {
        Values::Float64(values) => Cow::Borrowed(values),
        _ => Cow::Owned(tensor.to_doubles()),
    }
}

/// Whether a text file cannot hold the token: TFT's `^$|\C*[\n\r]\C*`.
pub(super) fn no_line(token: &[u8]) -> bool {
    token.is_empty() || memchr::memchr2(b'\n', b'\r', token).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_in_decimal() {
        for value in [0, 1, -1, 9, 10, -10, 123_456, i64::MAX, i64::MIN] {
            assert_eq!(Digits::default().of(value), value.to_string().as_bytes());
            assert_eq!(key_int(&int_key(value)), Some(value));
        }
    }

    #[test]
    fn only_tokens_of_one_line_are_kept_in_text() {
        let check = |token: &[u8], dropped| assert_eq!(no_line(token), dropped, "{token:?}");
        check(b"", true);
        check(b"a", false);
        check(b"\t", false);
        check(b" ", false);
        check(b"a\n", true);
        check(b"\r", true);
        check(b"\xff\xfe", false);
    }
}
