//! Counting tokens: what a batch adds to the tables of `combine_per_key`.

use std::borrow::Cow;

use engine::{Group, KeyState, order};

use super::frequency::Frequency;
use crate::analyzer::Sums;
use crate::tensor::{Strings, Tensor, Values};

/// A state that counts occurrences of a token, or adds their weights up.
pub(super) trait Amount: KeyState {
    /// Adds an occurrence.
    fn add(&mut self, weight: f64);
    /// Back to nothing, with the memory it has.
    fn clear(&mut self);
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
    fn clear(&mut self) {
        *self = 0;
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
    fn clear(&mut self) {
        self.n = 0;
        self.sums.clear();
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
    let mut cache = Cache::new();
    match (values, weights) {
        (Values::String(strings), None) => {
            (0..strings.len()).for_each(|at| cache.text(group, strings, at, 1.0));
            cache.flush_texts(group, strings);
        }
        (Values::String(strings), Some(weights)) => {
            (0..strings.len()).for_each(|at| cache.text(group, strings, at, weights[at]));
            cache.flush_texts(group, strings);
        }
        (Values::Int64(ints), None) => {
            ints.iter().for_each(|&value| cache.int(group, value, 1.0));
            cache.flush_ints(group);
        }
        (Values::Int64(ints), Some(weights)) => {
            ints.iter().zip(weights).for_each(|(&value, &w)| cache.int(group, value, w));
            cache.flush_ints(group);
        }
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

const SLOTS_LOG2: u32 = 9;
const EMPTY: u32 = u32::MAX;

/// A direct-mapped cache in front of a table: tokens that are frequent in a batch do not reach the
/// table before it ends.
struct Cache<S> {
    slots: Vec<Slot<S>>,
}

#[derive(Clone)]
struct Slot<S> {
    /// First and last eight bytes: together with the length, all of a text of up to 16.
    ends: (u64, u64),
    length: u32,
    /// Which text of the batch.
    at: u32,
    amount: S,
}

impl<S: Amount> Cache<S> {
    fn new() -> Self {
        let empty = Slot { ends: (0, 0), length: EMPTY, at: 0, amount: S::default() };
        Cache { slots: vec![empty; 1 << SLOTS_LOG2] }
    }

    #[inline]
    fn text(&mut self, group: &mut Group<S>, texts: &Strings, at: usize, weight: f64) {
        let text = texts.get(at);
        let (ends, length) = (ends_of(text), text.len() as u32);
        let slot = &mut self.slots[place(ends.0 ^ ends.1.rotate_left(29) ^ u64::from(length))];
        let same = slot.ends == ends
            && slot.length == length
            && (length <= 16 || texts.get(slot.at as usize) == text);
        if !same {
            if slot.length != EMPTY {
                group.add(texts.get(slot.at as usize), &slot.amount);
            }
            (slot.ends, slot.length, slot.at) = (ends, length, at as u32);
            slot.amount.clear();
        }
        slot.amount.add(weight);
    }

    #[inline]
    fn int(&mut self, group: &mut Group<S>, value: i64, weight: f64) {
        let slot = &mut self.slots[place(value.cast_unsigned())];
        if slot.ends.0 != value.cast_unsigned() || slot.length == EMPTY {
            if slot.length != EMPTY {
                group.add(&int_key(slot.ends.0.cast_signed()), &slot.amount);
            }
            (slot.ends.0, slot.length) = (value.cast_unsigned(), 8);
            slot.amount.clear();
        }
        slot.amount.add(weight);
    }

    fn flush_texts(self, group: &mut Group<S>, texts: &Strings) {
        for slot in self.slots.iter().filter(|slot| slot.length != EMPTY) {
            group.add(texts.get(slot.at as usize), &slot.amount);
        }
    }

    fn flush_ints(self, group: &mut Group<S>) {
        for slot in self.slots.iter().filter(|slot| slot.length != EMPTY) {
            group.add(&int_key(slot.ends.0.cast_signed()), &slot.amount);
        }
    }
}

#[inline]
fn place(bits: u64) -> usize {
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS_LOG2)) as usize
}

/// The first and the last eight bytes; shorter texts are given whole.
#[inline]
fn ends_of(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into());
    }
    (text.iter().fold(1, |bits, &byte| bits << 8 | u64::from(byte)), 0)
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
