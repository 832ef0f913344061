//! Times: texts in one format of a fixed list, integers that count from 1970, Arrow's own types.
//!
//! The formats and ranges are those of TFDV (`time_stats_generator.py`): 17 dates, 3 times of day,
//! dates with times after a `T` or a space, and `%a %b %d %H:%M:%S %Y`. A feature has the format
//! that most of its values match. As there, one empty text or one that is not UTF-8 rules the
//! feature out, `%S` knows no leap second but the misspelt `600` and `601`, and the point before
//! `%f` stands for any character. Digits are those of ASCII.
//!
//! Of Arrow's timestamps and dates nothing is guessed: their domain is given always.

use arrow_array::Array;
use arrow_buffer::NullBuffer;
use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::{DOMAIN_INFO, MIN_RATIO, MIN_VALUES, for_each_bytes};
use crate::stats::generator::feature_stats;
use crate::stats::{Column, Generator, Kind, Logical, Patch, Values, custom};
use crate::tfmd::time_domain::IntegerTimeFormat;
use formats::Format;

mod formats;

pub(in crate::stats) const GENERATOR: Generator = Generator {
    name: "time",
    doc: "recognises times by their format, or by their range where they are integers",
    new: |feature| {
        let known = match feature.logical {
            Some(Logical::Timestamp { unit, .. }) => match unit.as_str() {
                "s" => Some(IntegerTimeFormat::UnixSeconds),
                "ms" => Some(IntegerTimeFormat::UnixMilliseconds),
                "us" => Some(IntegerTimeFormat::UnixMicroseconds),
                "ns" => Some(IntegerTimeFormat::UnixNanoseconds),
                _ => None,
            },
            Some(Logical::Date) => Some(IntegerTimeFormat::UnixDays),
            Some(_) => return None,
            None => None,
        };
        if let Some(format) = known {
            return Some(feature_stats(Typed { format }));
        }
        if !feature.options.enable_semantic_domain_stats {
            return None;
        }
        match feature.kind {
            Kind::String => Some(feature_stats(Texts)),
            Kind::Int => Some(feature_stats(Integers)),
            _ => None,
        }
    },
};

/// How many values match each format.
#[derive(Default, Serialize, Deserialize)]
struct Matches {
    considered: u64,
    ruled_out: bool,
    counts: Vec<u64>,
}

impl Matches {
    fn of(n_formats: usize) -> Self {
        Matches { counts: vec![0; n_formats], ..Default::default() }
    }

    fn merge(&mut self, other: &Matches) {
        self.considered += other.considered;
        self.ruled_out |= other.ruled_out;
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
    }

    /// The first of the formats that most values match, and the share of values that match it.
    fn best(&self) -> Option<(usize, f64)> {
        if self.ruled_out || self.considered < MIN_VALUES {
            return None;
        }
        let most = *self.counts.iter().max()?;
        let ratio = most as f64 / self.considered as f64;
        let at = self.counts.iter().position(|&n| n == most)?;
        (ratio >= MIN_RATIO).then_some((at, ratio))
    }

    fn patch(&self, format: impl Fn(usize) -> String) -> Patch {
        let found = self.best().map(|(at, ratio)| (format(at), ratio));
        Box::new(move |message| {
            if let Some((format, ratio)) = found {
                custom::add_text(message, DOMAIN_INFO, format!("time_domain {{{format}}}"));
                custom::add_number(message, "time_match_ratio", ratio);
            }
        })
    }
}

fn integer_format(format: IntegerTimeFormat) -> String {
    // TFDV prints the number, which the text format reads as well as the name.
    format!("integer_format: {}", format as i32)
}

struct Texts;

impl CombineFn for Texts {
    type Input = Column;
    type Accumulator = Matches;
    type Output = Patch;

    fn name(&self) -> &'static str {
        "time_texts"
    }

    fn create_accumulator(&self) -> Matches {
        Matches::of(formats::N_FORMATS)
    }

    fn add_input(&self, acc: &mut Matches, column: &Column) -> Result<()> {
        for_each_bytes(&column.values, |value, n| {
            acc.considered += n;
            match std::str::from_utf8(value) {
                Ok("") | Err(_) => acc.ruled_out = true,
                Ok(text) => formats::matches(text, |Format(at)| acc.counts[at] += n),
            }
        });
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Matches, other: Matches) -> Result<()> {
        acc.merge(&other);
        Ok(())
    }

    fn extract_output(&self, acc: Matches) -> Result<Patch> {
        Ok(acc.patch(|at| format!("string_format: '{}'", Format(at).name())))
    }
}

/// Units from 1970, each with its number in a day.
const UNITS: [(IntegerTimeFormat, i64); 5] = [
    (IntegerTimeFormat::UnixDays, 1),
    (IntegerTimeFormat::UnixSeconds, 86_400),
    (IntegerTimeFormat::UnixMilliseconds, 86_400_000),
    (IntegerTimeFormat::UnixMicroseconds, 86_400_000_000),
    (IntegerTimeFormat::UnixNanoseconds, 86_400_000_000_000),
];

/// The days of 1990-01-01 and 2030-01-01: integers of other years are rather something else.
const PLAUSIBLE_DAYS: (i64, i64) = (7_305, 21_915);

struct Integers;

impl CombineFn for Integers {
    type Input = Column;
    type Accumulator = Matches;
    type Output = Patch;

    fn name(&self) -> &'static str {
        "time_integers"
    }

    fn create_accumulator(&self) -> Matches {
        Matches::of(UNITS.len())
    }

    fn add_input(&self, acc: &mut Matches, column: &Column) -> Result<()> {
        let Values::Int(values) = &column.values else { return Ok(()) };
        let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
        let is_null = |i| nulls.is_some_and(|nulls| nulls.is_null(i));
        acc.considered += (values.len() - nulls.map_or(0, NullBuffer::null_count)) as u64;
        for (count, (_, per_day)) in acc.counts.iter_mut().zip(UNITS) {
            let (begin, end) = (PLAUSIBLE_DAYS.0 * per_day, PLAUSIBLE_DAYS.1 * per_day);
            let is_inside = |&&value: &&i64| begin <= value && value < end;
            // The slots of nulls hold anything: they are taken off again in the rare case.
            *count += values.values().iter().filter(is_inside).count() as u64;
            if nulls.is_some() {
                let hidden = values.values().iter().enumerate().filter(|&(i, _)| is_null(i));
                *count -= hidden.filter(|(_, value)| is_inside(value)).count() as u64;
            }
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Matches, other: Matches) -> Result<()> {
        acc.merge(&other);
        Ok(())
    }

    fn extract_output(&self, acc: Matches) -> Result<Patch> {
        Ok(acc.patch(|at| integer_format(UNITS[at].0)))
    }
}

/// A column whose Arrow type says that it holds times.
struct Typed {
    format: IntegerTimeFormat,
}

impl CombineFn for Typed {
    type Input = Column;
    type Accumulator = ();
    type Output = Patch;

    fn name(&self) -> &'static str {
        "time_typed"
    }

    fn create_accumulator(&self) {}

    fn add_input(&self, (): &mut (), _: &Column) -> Result<()> {
        Ok(())
    }

    fn merge_accumulators(&self, (): &mut (), (): ()) -> Result<()> {
        Ok(())
    }

    fn extract_output(&self, (): ()) -> Result<Patch> {
        let format = integer_format(self.format);
        Ok(Box::new(move |message| {
            custom::add_text(message, DOMAIN_INFO, format!("time_domain {{{format}}}"));
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Date32Array, Float64Array, Int64Array, Time64MicrosecondArray,
        TimestampMillisecondArray,
    };

    use super::*;
    use crate::stats::{StatsOptions, laws};

    fn check(column: ArrayRef, expected: &[&str]) {
        let options = StatsOptions { enable_semantic_domain_stats: true, ..Default::default() };
        let message = laws::feature(&GENERATOR, &options, column, |a, b| a == b);
        assert_eq!(laws::custom(&message), expected);
    }

    fn texts(values: &[(&str, usize)]) -> ArrayRef {
        let values = values.iter();
        let values = values.flat_map(|&(v, n)| std::iter::repeat_n(Some(v.as_bytes()), n));
        laws::strings(values.chain([None]))
    }

    #[test]
    fn texts_have_the_format_of_most() {
        let found = "domain_info: time_domain {string_format: '%Y-%m-%d'}";
        check(texts(&[("2018-11-30", 99)]), &[]);
        check(texts(&[("2018-11-30", 100)]), &[found, "time_match_ratio: 1"]);
        check(texts(&[("2018-11-30", 80), ("x", 20)]), &[found, "time_match_ratio: 0.8"]);
        check(texts(&[("2018-11-30", 80), ("x", 21)]), &[]);
        check(texts(&[("2018-11-30", 50), ("11:45", 50)]), &[]);
        check(texts(&[("2018-11-30", 200), ("", 1)]), &[]);
        check(
            laws::strings((0..200).map(|i| Some(if i == 7 { &b"\xff"[..] } else { b"1:10" }))),
            &[],
        );
        // Of two formats that all values match, the first of the list.
        let found = "domain_info: time_domain {string_format: '%m/%d/%Y'}";
        check(texts(&[("1/2/2018", 100)]), &[found, "time_match_ratio: 1"]);
        check(texts(&[]), &[]);
    }

    #[test]
    fn integers_by_their_range() {
        let ints = |begin: i64, n: i64, nulls: usize| -> ArrayRef {
            let values = (begin..begin + n).map(Some).chain(std::iter::repeat_n(None, nulls));
            Arc::new(values.collect::<Int64Array>())
        };
        let rows = [
            (7_305, 5),
            (21_814, 5),
            (631_152_000, 1),
            (1_893_455_900, 1),
            (1_893_455_999_900, 2),
            (631_152_000_000_000, 3),
            (1_893_455_999_999_999_900, 4),
        ];
        for (begin, format) in rows {
            let found = format!("domain_info: time_domain {{integer_format: {format}}}");
            check(ints(begin, 100, 3), &[&found, "time_match_ratio: 1"]);
        }
        check(ints(7_305, 99, 100), &[]);
        check(ints(7_284, 100, 0), &[]);
        check(ints(0, 100, 0), &[]);
        check(ints(i64::MIN, 100, 0), &[]);
        check(ints(i64::MAX - 100, 100, 0), &[]);
        // What lies below nulls is no value.
        let hidden = Int64Array::new(vec![8_000; 120].into(), Some(NullBuffer::new_null(120)));
        check(Arc::new(hidden), &[]);
        check(Arc::new(Float64Array::from(vec![8_000.0; 120])), &[]);
    }

    #[test]
    fn arrow_types_are_certain() {
        let check = |column: ArrayRef, expected: &[&str]| {
            let options = StatsOptions::default();
            let message = laws::feature(&GENERATOR, &options, column, |a, b| a == b);
            assert_eq!(laws::custom(&message), expected);
        };
        let millis = "domain_info: time_domain {integer_format: 2}";
        check(Arc::new(TimestampMillisecondArray::from(vec![Some(0), None])), &[millis]);
        let days = "domain_info: time_domain {integer_format: 5}";
        check(Arc::new(Date32Array::from(vec![-1])), &[days]);
        check(Arc::new(Time64MicrosecondArray::from(vec![1])), &[]);
        check(Arc::new(Int64Array::from(vec![8_000; 100])), &[]);
    }
}
