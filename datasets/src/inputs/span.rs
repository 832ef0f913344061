//! Spans: numbers or dates that files carry in their names, and which of them are wanted.

use std::fmt;
use std::str::FromStr;

use engine::{Error, Result};

/// Which spans to read: `latest`, one, or a range with both ends; a span is a number or a date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanRange {
    /// The largest number there is.
    #[default]
    Latest,
    /// Every span from the first to the last number, both included, as far as there is one.
    Between(u64, u64),
}

impl SpanRange {
    /// Whether `span` is wanted, where `latest` is the largest there is.
    pub(super) fn contains(self, span: u64, latest: u64) -> bool {
        match self {
            SpanRange::Latest => span == latest,
            SpanRange::Between(first, last) => (first..=last).contains(&span),
        }
    }
}

impl FromStr for SpanRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "latest" {
            return Ok(SpanRange::Latest);
        }
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let last = last.strip_prefix('=').unwrap_or(last);
        match (span_number(first), span_number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(SpanRange::Between(first, last)),
            (Some(_), Some(_)) => Err(Error::invalid(format!("the spans `{text}` are empty"))
                .with_detail("The first is behind the last.")),
            _ => Err(Error::invalid(format!("`{text}` is not a span")).with_hint(
                "Say `latest`, a number, a date as 2024-03-31, or two of these as `A..B`, both \
                 included.",
            )),
        }
    }
}

impl fmt::Display for SpanRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpanRange::Latest => f.write_str("latest"),
            SpanRange::Between(first, last) if first == last => write!(f, "{first}"),
            SpanRange::Between(first, last) => write!(f, "{first}..{last}"),
        }
    }
}

/// A number, or a date as days since 1970-01-01.
fn span_number(text: &str) -> Option<u64> {
    if let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] {
        return days(digits(year)?, digits(month)?, digits(day)?);
    }
    digits(text)
}

/// A number of nothing but digits.
pub(super) fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01 to a day that exists and is not before it.
pub(super) fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    if !(1970..=9999).contains(&year) || day == 0 || day > *lengths.get(month)? {
        return None;
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let in_year: u64 = lengths[..month].iter().sum();
    Some((year - 1970) * 365 + leap_days + in_year + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        let check = |date: &str, expected: Option<u64>| assert_eq!(span_number(date), expected);
        check("1970-01-01", Some(0));
        check("1970-12-31", Some(364));
        check("1972-03-01", Some(790));
        check("2000-02-29", Some(11_016));
        check("2024-03-31", Some(19_813));
        check("2100-03-01", Some(47_541));
        for wrong in ["2023-02-29", "1969-12-31", "2024-13-01", "2024-00-01", "2024-01-00", "a-b-c"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn ranges_are_parsed() {
        let check = |text: &str, expected: SpanRange| {
            assert_eq!(text.parse::<SpanRange>().unwrap(), expected, "{text}");
        };
        check("latest", SpanRange::Latest);
        check("7", SpanRange::Between(7, 7));
        check("007", SpanRange::Between(7, 7));
        check("3..9", SpanRange::Between(3, 9));
        check("3..=9", SpanRange::Between(3, 9));
        check("1970-01-02..1970-01-31", SpanRange::Between(1, 30));
        for wrong in ["", "x", "9..3", "-1", "1..", "..1", "1.5", "+3", "2024-1"] {
            assert!(wrong.parse::<SpanRange>().is_err(), "{wrong}");
        }
    }
}
