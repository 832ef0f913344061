//! The calendar in TensorFlow's nodes, as [`super::calendar`] computes it.

use super::calendar::{DAY, SECOND};
use crate::export::tensorflow::{Nodes, Out};
use crate::types::DType;

const INT: DType = DType::Int64;

/// The least and the greatest instant: whole seconds, and microseconds behind them.
const FIRST: (i64, i64) = (i64::MIN.div_euclid(SECOND), i64::MIN.rem_euclid(SECOND));
const LAST: (i64, i64) = (i64::MAX.div_euclid(SECOND), i64::MAX.rem_euclid(SECOND));

/// Arithmetic with a constant.
pub(super) fn with(nodes: &mut Nodes, op: &str, x: &Out, constant: i64) -> Out {
    let constant = nodes.scalar(constant);
    nodes.ints(op, x, &constant)
}

/// Days, seconds of the day and microseconds of instants, so many seconds ahead of UTC.
pub(super) fn days_of(nodes: &mut Nodes, micros: &Out, offset: i64) -> [Out; 3] {
    let seconds = with(nodes, "FloorDiv", micros, SECOND);
    let seconds = with(nodes, "AddV2", &seconds, offset);
    [
        with(nodes, "FloorDiv", &seconds, DAY),
        with(nodes, "FloorMod", &seconds, DAY),
        with(nodes, "FloorMod", micros, SECOND),
    ]
}

/// Year, month or day of instants.
pub(super) fn civil(nodes: &mut Nodes, micros: &Out, offset: i64, part: usize) -> Out {
    let [days, ..] = days_of(nodes, micros, offset);
    date(nodes, &days)[part].clone()
}

/// A part of the time of day: whole units of so many seconds, of which so many are one more of the next.
pub(super) fn of_day(nodes: &mut Nodes, micros: &Out, offset: i64, unit: i64, of: i64) -> Out {
    let [_, seconds, _] = days_of(nodes, micros, offset);
    let units = with(nodes, "FloorDiv", &seconds, unit);
    with(nodes, "FloorMod", &units, of)
}

/// Something of the days of instants.
pub(super) fn of_days(
    nodes: &mut Nodes,
    micros: &Out,
    offset: i64,
    part: fn(&mut Nodes, &Out) -> Out,
) -> Out {
    let [days, ..] = days_of(nodes, micros, offset);
    part(nodes, &days)
}

/// 0 for Monday.
pub(super) fn weekday(nodes: &mut Nodes, days: &Out) -> Out {
    let days = with(nodes, "AddV2", days, 3);
    with(nodes, "FloorMod", &days, 7)
}

/// Whether each is less than a constant, as 1 or 0.
fn is_less(nodes: &mut Nodes, x: &Out, constant: i64) -> Out {
    let less = with(nodes, "Less", x, constant);
    nodes.cast(&less, DType::Bool, INT)
}

/// Year, month and day of numbers of days since 1970-01-01.
pub(super) fn date(nodes: &mut Nodes, days: &Out) -> [Out; 3] {
    let days = with(nodes, "AddV2", days, 719_468);
    let era = with(nodes, "FloorDiv", &days, 146_097);
    let day_of_era = with(nodes, "FloorMod", &days, 146_097);
    let part = |nodes: &mut Nodes, sum: Out, op: &str, x: &Out, of: i64| {
        let part = with(nodes, "FloorDiv", x, of);
        nodes.ints(op, &sum, &part)
    };
    let days = part(nodes, day_of_era.clone(), "Sub", &day_of_era, 1460);
    let days = part(nodes, days, "AddV2", &day_of_era, 36_524);
    let days = part(nodes, days, "Sub", &day_of_era, 146_096);
    let year_of_era = with(nodes, "FloorDiv", &days, 365);
    let before = with(nodes, "Mul", &year_of_era, 365);
    let before = part(nodes, before, "AddV2", &year_of_era, 4);
    let before = part(nodes, before, "Sub", &year_of_era, 100);
    let day_of_year = nodes.ints("Sub", &day_of_era, &before);
    // Months are counted from March.
    let month = with(nodes, "Mul", &day_of_year, 5);
    let month = with(nodes, "AddV2", &month, 2);
    let month = with(nodes, "FloorDiv", &month, 153);
    let before = with(nodes, "Mul", &month, 153);
    let before = with(nodes, "AddV2", &before, 2);
    let before = with(nodes, "FloorDiv", &before, 5);
    let day = nodes.ints("Sub", &day_of_year, &before);
    let day = with(nodes, "AddV2", &day, 1);
    let month = with(nodes, "AddV2", &month, 2);
    let month = with(nodes, "FloorMod", &month, 12);
    let month = with(nodes, "AddV2", &month, 1);
    let years = with(nodes, "Mul", &era, 400);
    let years = nodes.ints("AddV2", &years, &year_of_era);
    let next = is_less(nodes, &month, 3);
    [nodes.ints("AddV2", &years, &next), month, day]
}

/// Days since 1970-01-01 of dates.
pub(super) fn days(nodes: &mut Nodes, year: &Out, month: &Out, day: &Out) -> Out {
    let before = is_less(nodes, month, 3);
    let year = nodes.ints("Sub", year, &before);
    let era = with(nodes, "FloorDiv", &year, 400);
    let year_of_era = with(nodes, "FloorMod", &year, 400);
    let month = with(nodes, "AddV2", month, 9);
    let month = with(nodes, "FloorMod", &month, 12);
    let days = with(nodes, "Mul", &month, 153);
    let days = with(nodes, "AddV2", &days, 2);
    let days = with(nodes, "FloorDiv", &days, 5);
    let mut sum = nodes.ints("AddV2", &days, day);
    for (op, part, by) in
        [("AddV2", "Mul", 365), ("AddV2", "FloorDiv", 4), ("Sub", "FloorDiv", 100)]
    {
        let part = with(nodes, part, &year_of_era, by);
        sum = nodes.ints(op, &sum, &part);
    }
    let days = with(nodes, "Mul", &era, 146_097);
    let days = nodes.ints("AddV2", &days, &sum);
    with(nodes, "Sub", &days, 719_469)
}

/// The first day of years.
fn new_year(nodes: &mut Nodes, year: &Out) -> Out {
    let one = nodes.scalar(1i64);
    days(nodes, year, &one, &one)
}

/// From 1.
pub(super) fn day_of_year(nodes: &mut Nodes, days: &Out) -> Out {
    let [year, _, _] = date(nodes, days);
    let first = new_year(nodes, &year);
    let day = nodes.ints("Sub", days, &first);
    with(nodes, "AddV2", &day, 1)
}

/// The year and the number of the week, from 1, as ISO 8601 counts them.
pub(super) fn iso_week(nodes: &mut Nodes, days: &Out) -> [Out; 2] {
    let weekday = weekday(nodes, days);
    let monday = nodes.ints("Sub", days, &weekday);
    let thursday = with(nodes, "AddV2", &monday, 3);
    let [year, _, _] = date(nodes, &thursday);
    let first = new_year(nodes, &year);
    let weeks = nodes.ints("Sub", &thursday, &first);
    let weeks = with(nodes, "FloorDiv", &weeks, 7);
    [year, with(nodes, "AddV2", &weeks, 1)]
}

/// Whether years are leap years.
fn is_leap(nodes: &mut Nodes, year: &Out) -> Out {
    let day = nodes.scalar(1i64);
    let [march, february] = [3i64, 2].map(|month| {
        let month = nodes.scalar(month);
        days(nodes, year, &month, &day)
    });
    let length = nodes.ints("Sub", &march, &february);
    with(nodes, "Greater", &length, 28)
}

/// Whether there is such a day in the month, of days from 1 to 31.
pub(super) fn is_day(nodes: &mut Nodes, year: &Out, month: &Out, day: &Out) -> Out {
    // A day that is not there is one of the next month.
    let number = days(nodes, year, month, day);
    let [_, same, _] = date(nodes, &number);
    nodes.ints("Equal", &same, month)
}

/// Whether years have so many days.
pub(super) fn has_day(nodes: &mut Nodes, year: &Out, day_of_year: &Out) -> Out {
    let short = with(nodes, "LessEqual", day_of_year, 365);
    let leap = is_leap(nodes, year);
    nodes.node("LogicalOr", &[&short, &leap], [])
}

/// The instants of seconds since 1970 in UTC, and whether there are such.
pub(super) fn instant(nodes: &mut Nodes, seconds: &Out, micros: &Out) -> [Out; 2] {
    let mut within = |op: &str, of_same: &str, (second, micro): (i64, i64)| {
        let inside = with(nodes, op, seconds, second);
        let same = with(nodes, "Equal", seconds, second);
        let fits = with(nodes, of_same, micros, micro);
        let fits = nodes.node("LogicalAnd", &[&same, &fits], []);
        nodes.node("LogicalOr", &[&inside, &fits], [])
    };
    let after = within("Greater", "GreaterEqual", FIRST);
    let before = within("Less", "LessEqual", LAST);
    let there = nodes.node("LogicalAnd", &[&after, &before], []);
    // What is out of range is not used; the first instants are reached around the ends of 64 bits.
    let whole = with(nodes, "Mul", seconds, SECOND);
    [nodes.ints("AddV2", &whole, micros), there]
}
