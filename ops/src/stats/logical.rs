//! `logical`: what an Arrow type says beyond INT and FLOAT, with readable ends of its range.
//!
//! TFDV refuses these types or shows their raw counts. Here they stay numbers, and these custom
//! statistics are added: `logical_type`, and for times `min_iso` and `max_iso`, for decimals
//! `min_decimal` and `max_decimal`.

use arrow_array::{Array, Int64Array};
use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::column::Logical;
use super::generator::feature_stats;
use super::{Column, Generator, Patch, Values};
use crate::tfmd::CustomStatistic;
use crate::tfmd::custom_statistic::Val;

pub(super) const GENERATOR: Generator = Generator {
    name: "logical",
    doc: "type, earliest and latest value of dates, times and other types beyond numbers",
    new: |feature| {
        feature.logical.map(|logical| feature_stats(OfType { logical: logical.clone() }))
    },
};

struct OfType {
    logical: Logical,
}

/// Smallest and largest value: counts for times, and floats for decimals.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Range {
    counts: Option<(i64, i64)>,
    floats: Option<(f64, f64)>,
}

impl CombineFn for OfType {
    type Input = Column;
    type Accumulator = Range;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> Range {
        Range::default()
    }

    fn add_input(&self, acc: &mut Range, column: &Column) -> Result<()> {
        if self.logical == Logical::Bool {
            return Ok(());
        }
        let batch = match &column.values {
            Values::Int(array) => Range { counts: range(array), floats: None },
            Values::Float64(array) => {
                let present = array.iter().flatten().filter(|v| !v.is_nan());
                let floats = present.fold(None, |range, v| floats(range, Some((v, v))));
                Range { counts: None, floats }
            }
            _ => Range::default(),
        };
        self.merge_accumulators(acc, batch)
    }

    fn merge_accumulators(&self, acc: &mut Range, other: Range) -> Result<()> {
        acc.counts = match (acc.counts, other.counts) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        acc.floats = floats(acc.floats, other.floats);
        Ok(())
    }

    fn extract_output(&self, acc: Range) -> Result<Patch> {
        let mut stats = vec![("logical_type", self.type_name())];
        if let Some((min, max)) = acc.counts {
            stats.push(("min_iso", self.text(min)));
            stats.push(("max_iso", self.text(max)));
        }
        if let (Some((min, max)), Logical::Decimal { scale, .. }) = (acc.floats, &self.logical) {
            // A negative scale counts zeros before the point.
            let digits = usize::try_from(*scale).unwrap_or(0);
            stats.push(("min_decimal", format!("{min:.digits$}")));
            stats.push(("max_decimal", format!("{max:.digits$}")));
        }
        Ok(Box::new(move |message| {
            message.custom_stats.extend(stats.into_iter().map(|(name, text)| CustomStatistic {
                name: name.to_owned(),
                val: Some(Val::Str(text)),
            }));
        }))
    }
}

/// Smallest and largest value that is not null.
fn range(array: &Int64Array) -> Option<(i64, i64)> {
    if array.null_count() == 0 {
        let values = array.values();
        return Some((*values.iter().min()?, *values.iter().max()?));
    }
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    for value in array.iter().flatten() {
        (min, max) = (min.min(value), max.max(value));
    }
    (min <= max).then_some((min, max))
}

fn floats(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

impl OfType {
    fn type_name(&self) -> String {
        match &self.logical {
            Logical::Bool => "bool".to_owned(),
            Logical::Timestamp { unit, zone: Some(zone) } => format!("timestamp[{unit}, {zone}]"),
            Logical::Timestamp { unit, zone: None } => format!("timestamp[{unit}]"),
            Logical::Date => "date".to_owned(),
            Logical::Time { unit } => format!("time[{unit}]"),
            Logical::Duration { unit } => format!("duration[{unit}]"),
            Logical::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        }
    }

    fn text(&self, count: i64) -> String {
        match &self.logical {
            Logical::Timestamp { unit, zone } => {
                // Counts of a zoned timestamp are of UTC.
                let zone = if zone.is_some() { "Z" } else { "" };
                let (seconds, fraction) = split(count, unit);
                let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
                format!("{}T{}{fraction}{zone}", date(days), clock(second))
            }
            Logical::Date => date(count),
            Logical::Time { unit } => {
                let (seconds, fraction) = split(count, unit);
                match seconds {
                    0..=86_400 => format!("{}{fraction}", clock(seconds)),
                    _ => format!("{seconds}{fraction} s"),
                }
            }
            Logical::Duration { unit } => {
                // An ISO 8601 duration has its sign in front.
                let sign = if count < 0 { "-" } else { "" };
                let per_second = per_second(unit);
                let size = count.unsigned_abs();
                let fraction = fraction(size % per_second, per_second);
                format!("{sign}PT{}{fraction}S", size / per_second)
            }
            Logical::Bool | Logical::Decimal { .. } => count.to_string(),
        }
    }
}

/// Counts of a unit in one second.
fn per_second(unit: &str) -> u64 {
    match unit {
        "ms" => 1_000,
        "us" => 1_000_000,
        "ns" => 1_000_000_000,
        _ => 1,
    }
}

/// Whole seconds, rounded down, and the rest as a decimal fraction.
fn split(count: i64, unit: &str) -> (i64, String) {
    let per_second = per_second(unit);
    let rest = count.rem_euclid(per_second as i64);
    (count.div_euclid(per_second as i64), fraction(rest as u64, per_second))
}

/// `.` and the digits of `rest / per_second`; nothing for 0.
fn fraction(rest: u64, per_second: u64) -> String {
    if rest == 0 {
        return String::new();
    }
    let width = per_second.ilog10() as usize;
    format!(".{rest:0width$}").trim_end_matches('0').to_owned()
}

fn clock(second: i64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// The civil date of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years start in March here, so that the leap day is the last of a year, and 400 years are one
/// cycle of 146,097 days.
fn date(days: i64) -> String {
    // From 0000-03-01; wide, because a day count may be any i64.
    let days = i128::from(days) + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = cycle * 400 + year + carry;
    match year {
        0..=9999 => format!("{year:04}-{month:02}-{day_of_month:02}"),
        // ISO 8601 wants a sign on years of more or less than four digits.
        _ => format!("{year:+05}-{month:02}-{day_of_month:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let check = |days: i64, expected: &str| assert_eq!(date(days), expected, "{days}");
        check(0, "1970-01-01");
        check(-1, "1969-12-31");
        check(59, "1970-03-01");
        check(11_016, "2000-02-29");
        check(19_782, "2024-02-29");
        check(19_783, "2024-03-01");
        check(-25_509, "1900-02-28");
        check(-25_508, "1900-03-01");
        check(-719_468, "0000-03-01");
        check(-719_529, "-0001-12-31");
        check(2_932_896, "9999-12-31");
        check(2_932_897, "+10000-01-01");
        check(i64::MAX, "+25252734927768524-07-27");
        check(i64::MIN, "-25252734927764585-06-07");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let length = |year: i64, month: i64| match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(date(days), format!("{year:04}-{month:02}-{day:02}"));
            day += 1;
            if day > length(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn counts_are_text() {
        let check = |logical: Logical, count: i64, expected: &str| {
            let stats = OfType { logical };
            assert_eq!(stats.text(count), expected, "{} {count}", stats.type_name());
        };
        let stamp = |unit: &str| Logical::Timestamp { unit: unit.into(), zone: None };
        let utc = |unit: &str| Logical::Timestamp { unit: unit.into(), zone: Some("UTC".into()) };
        check(stamp("s"), 1_367_367_300, "2013-05-01T00:15:00");
        check(utc("us"), 1_367_367_300_500_000, "2013-05-01T00:15:00.5Z");
        check(stamp("ms"), -1, "1969-12-31T23:59:59.999");
        check(stamp("ns"), 1, "1970-01-01T00:00:00.000000001");
        check(stamp("ns"), i64::MIN, "1677-09-21T00:12:43.145224192");
        check(stamp("ns"), i64::MAX, "2262-04-11T23:47:16.854775807");
        check(stamp("s"), i64::MAX, "+292277026596-12-04T15:30:07");
        check(stamp("s"), i64::MIN, "-292277022657-01-27T08:29:52");
        check(Logical::Date, -1, "1969-12-31");
        let time = |unit: &str| Logical::Time { unit: unit.into() };
        check(time("us"), 3_723_000_001, "01:02:03.000001");
        check(time("s"), 86_400, "24:00:00");
        check(time("s"), -1, "-1 s");
        check(time("ns"), i64::MIN, "-9223372037.145224192 s");
        let duration = |unit: &str| Logical::Duration { unit: unit.into() };
        check(duration("ms"), 1500, "PT1.5S");
        check(duration("ms"), -1, "-PT0.001S");
        check(duration("ns"), i64::MIN, "-PT9223372036.854775808S");
        check(duration("s"), 0, "PT0S");
    }
}
