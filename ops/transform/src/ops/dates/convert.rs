//! `dates.from_unix`, `to_unix`, `trunc`, `diff`: instants and numbers.

use engine::Result;

use super::super::elementwise::{number, together};
use super::super::params::{X, option, required, value_like};
use super::super::tf::cast::to_int;
use super::calendar::{Civil, DAY, SECOND, days, instant, weekday};
use super::{OFFSET, each, map, offset, tensorflow as there, timestamps};
use crate::export::Export;
use crate::export::tensorflow::{Nodes, Out, of_type};
use crate::op::{Call, Default, Op, Param, Takes, function};
use crate::types::DType;

const UNIT: Param = option(
    "unit",
    Takes::Str,
    Default::Str("second"),
    "\"microsecond\", \"millisecond\", \"second\", \"minute\", \"hour\", \"day\" or \"week\"",
);

/// From a number.
pub(in super::super) const FROM_UNIX: Op = Op {
    name: "dates.from_unix",
    doc: "the instant so long after 1970",
    semantics: "Of integers or floats, in units of `unit`. What is out of range is the first or the last \
        instant there is; a float is rounded to microseconds, NaN is the first instant.",
    examples: &[
        "dates.from_unix(n)",
        "dates.from_unix(ns, unit='day')",
        "dates.from_unix(x)",
        "dates.from_unix(ds, unit='millisecond')",
        "dates.from_unix(n, unit='microsecond')",
        "dates.from_unix(ns, unit='week')",
    ],
    params: &[X, UNIT],
    kind: map(
        |call| {
            unit(call)?;
            Ok(vec![number(call, "x")?.with_dtype(DType::Timestamp)])
        },
        |call| {
            let unit = unit(call)?;
            let float = move |x: f64| match x * unit as f64 {
                micros if micros >= 9.3e18 => i64::MAX,
                micros => to_int(micros.round_ties_even()),
            };
            Ok(match call.ty("x")?.dtype {
                DType::Int64 => each(move |x: i64| x.saturating_mul(unit)),
                DType::Float32 => each(move |x: f32| float(f64::from(x))),
                _ => each(float),
            })
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (x, dtype, unit) = (&columns[0], call.ty("x")?.dtype, unit(call)?);
        let instants = if dtype == DType::Int64 {
            saturated(nodes, &x.values, unit)
        } else {
            let x = nodes.cast(&x.values, dtype, DType::Float64);
            rounded(nodes, &x, unit)
        };
        Ok(vec![x.with_values(instants)])
    })),
};

/// As a number.
pub(in super::super) const TO_UNIX: Op = Op {
    name: "dates.to_unix",
    doc: "how long after 1970 an instant is",
    semantics: "In whole units of `unit`, rounded down: negative before 1970.",
    examples: &["dates.to_unix(when)", "dates.to_unix(times, unit='day')"],
    params: &[X, UNIT],
    kind: map(
        |call| {
            unit(call)?;
            timestamps(call, DType::Int64)
        },
        |call| {
            let unit = unit(call)?;
            Ok(each(move |x: i64| x.div_euclid(unit)))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let units = there::with(nodes, "FloorDiv", &columns[0].values, unit(call)?);
        Ok(vec![columns[0].with_values(units)])
    })),
};

/// The beginning of a unit.
pub(in super::super) const TRUNC: Op = Op {
    name: "dates.trunc",
    doc: "the beginning of the second, minute, hour, day, week, month, quarter or year",
    semantics: "In the time zone of `offset`. Weeks begin on Monday. Where the beginning is before the \
        first instant there is, that one.",
    examples: &[
        "dates.trunc(when, 'day')",
        "dates.trunc(times, unit='month', offset='+02:00')",
        "dates.trunc(when, 'week')",
        "dates.trunc(when, 'quarter')",
        "dates.trunc(when, 'hour')",
        "dates.trunc(when, 'year')",
    ],
    params: &[X, required("unit", Takes::Str, "the unit, such as \"day\" or \"month\""), OFFSET],
    kind: map(
        |call| {
            beginning(call)?;
            offset(call)?;
            timestamps(call, DType::Timestamp)
        },
        |call| {
            let (begins, offset) = (beginning(call)?, offset(call)?);
            Ok(each(move |x: i64| {
                let civil = Civil::of(x, offset);
                let seconds = match begins {
                    Begins::Every(seconds) => {
                        civil.days * DAY + civil.second_of_day / seconds * seconds
                    }
                    Begins::Week => (civil.days - weekday(civil.days)) * DAY,
                    Begins::Months(n) => days(civil.year, (civil.month - 1) / n * n + 1, 1) * DAY,
                };
                instant(seconds - offset, 0).unwrap_or(i64::MIN)
            }))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (begins, offset) = (beginning(call)?, offset(call)?);
        Ok(vec![columns[0].with_values(truncated(nodes, &columns[0].values, begins, offset))])
    })),
};

/// The time between.
pub(in super::super) const DIFF: Op = Op {
    name: "dates.diff",
    doc: "how long `x` is after `y`",
    semantics: "In whole units of `unit`, without the rest: negative if `x` is before `y`. A difference \
        that does not fit is the least or greatest integer.",
    examples: &[
        "dates.diff(when, when)",
        "dates.diff(times, when, unit='hour')",
        "dates.diff(when, 0, unit='microsecond')",
        "dates.diff(times, when, unit='microsecond')",
        "dates.diff(times, when, unit='week')",
    ],
    params: &[value_like("x", "y", "timestamps"), value_like("y", "x", "timestamps"), UNIT],
    kind: map(
        |call| {
            unit(call)?;
            timestamps(call, DType::Int64)?;
            super::of_dtype(call, "y", DType::Timestamp)?;
            Ok(vec![together(call, &["x", "y"])?.0.with_dtype(DType::Int64)])
        },
        |call| {
            let unit = i128::from(unit(call)?);
            let (_, broadcast) = together(call, &["x", "y"])?;
            Ok(function(move |rows, inputs| {
                Ok(broadcast.zip(rows, inputs, |x: i64, y: i64| match x.checked_sub(y) {
                    Some(micros) => micros / unit as i64,
                    None => {
                        let units = (i128::from(x) - i128::from(y)) / unit;
                        units.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
                    }
                }))
            }))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (operands, structure, _) = nodes.operands(call, &["x", "y"], columns)?;
        let between = between(nodes, &operands[0], &operands[1], unit(call)?);
        Ok(vec![structure.with_values(between)])
    })),
};

/// Nodes of instants so many units after 1970, or the first or last one.
fn saturated(nodes: &mut Nodes, x: &Out, unit: i64) -> Out {
    let (first, last) = (nodes.scalar(i64::MIN), nodes.scalar(i64::MAX));
    let micros = there::with(nodes, "Mul", x, unit);
    let after = there::with(nodes, "Greater", x, i64::MAX / unit);
    let micros = nodes.select(&after, &last, &micros, DType::Int64);
    let before = there::with(nodes, "Less", x, i64::MIN / unit);
    nodes.select(&before, &first, &micros, DType::Int64)
}

/// The same of floats, rounded to microseconds.
fn rounded(nodes: &mut Nodes, x: &Out, unit: i64) -> Out {
    let float = DType::Float64;
    let [zero, unit, end, most] =
        [0.0, unit as f64, -(i64::MIN as f64), 9.3e18].map(|value: f64| nodes.scalar(value));
    let (first, last) = (nodes.scalar(i64::MIN), nodes.scalar(i64::MAX));
    let micros = nodes.typed("Mul", float, &[x, &unit]);
    let size = nodes.typed("Abs", float, &[&micros]);
    let fits = nodes.typed("Less", float, &[&size, &end]);
    let fitting = nodes.select(&fits, &micros, &zero, float);
    let whole = nodes.typed("Round", float, &[&fitting]);
    let whole = nodes.cast(&whole, float, DType::Int64);
    let whole = nodes.select(&fits, &whole, &first, DType::Int64);
    let after = nodes.typed("GreaterEqual", float, &[&micros, &most]);
    nodes.select(&after, &last, &whole, DType::Int64)
}

/// Nodes of the beginnings of units.
fn truncated(nodes: &mut Nodes, x: &Out, begins: Begins, offset: i64) -> Out {
    let [days, second, _] = there::days_of(nodes, x, offset);
    let seconds = match begins {
        Begins::Every(unit) => {
            let rest = there::with(nodes, "FloorMod", &second, unit);
            let whole = nodes.ints("Sub", &second, &rest);
            let days = there::with(nodes, "Mul", &days, DAY);
            nodes.ints("AddV2", &days, &whole)
        }
        Begins::Week => {
            let weekday = there::weekday(nodes, &days);
            let monday = nodes.ints("Sub", &days, &weekday);
            there::with(nodes, "Mul", &monday, DAY)
        }
        Begins::Months(n) => {
            let [year, month, _] = there::date(nodes, &days);
            let month = there::with(nodes, "Sub", &month, 1);
            let rest = there::with(nodes, "FloorMod", &month, n);
            let month = nodes.ints("Sub", &month, &rest);
            let month = there::with(nodes, "AddV2", &month, 1);
            let one = nodes.scalar(1i64);
            let days = there::days(nodes, &year, &month, &one);
            there::with(nodes, "Mul", &days, DAY)
        }
    };
    let seconds = there::with(nodes, "Sub", &seconds, offset);
    let (zero, first) = (nodes.scalar(0i64), nodes.scalar(i64::MIN));
    let [instant, is_there] = there::instant(nodes, &seconds, &zero);
    nodes.select(&is_there, &instant, &first, DType::Int64)
}

/// Nodes of the whole units between instants.
fn between(nodes: &mut Nodes, x: &Out, y: &Out, unit: i64) -> Out {
    let int = DType::Int64;
    let zero = nodes.scalar(0i64);
    if unit == 1 {
        // The difference wraps where signs differ and its own is not that of `x`.
        let difference = nodes.ints("Sub", x, y);
        let [of_x, of_y, own] = [x, y, &difference].map(|n| there::with(nodes, "Less", n, 0));
        let differ = nodes.node("NotEqual", &[&of_x, &of_y], [("T", of_type(DType::Bool))]);
        let wraps = nodes.node("NotEqual", &[&of_x, &own], [("T", of_type(DType::Bool))]);
        let wraps = nodes.node("LogicalAnd", &[&differ, &wraps], []);
        let (first, last) = (nodes.scalar(i64::MIN), nodes.scalar(i64::MAX));
        let end = nodes.select(&of_x, &first, &last, int);
        return nodes.select(&wraps, &end, &difference, int);
    }
    let parts = |nodes: &mut Nodes, op: &str| {
        let [x, y] = [x, y].map(|n| there::with(nodes, op, n, unit));
        nodes.ints("Sub", &x, &y)
    };
    // Units and the rest may have opposite signs: then one unit is not whole.
    let (units, rest) = (parts(nodes, "FloorDiv"), parts(nodes, "FloorMod"));
    let signs = nodes.typed("Sign", int, &[&units]);
    let of_rest = nodes.typed("Sign", int, &[&rest]);
    let opposite = nodes.ints("Mul", &signs, &of_rest);
    let opposite = nodes.ints("Less", &opposite, &zero);
    let less = nodes.ints("Sub", &units, &signs);
    nodes.select(&opposite, &less, &units, int)
}

/// Microseconds of the unit.
fn unit(call: &Call<'_>) -> Result<i64> {
    match call.opt_str("unit").unwrap_or("second") {
        "microsecond" | "us" => Ok(1),
        "millisecond" | "ms" => Ok(1000),
        "second" | "s" => Ok(SECOND),
        "minute" => Ok(60 * SECOND),
        "hour" => Ok(3600 * SECOND),
        "day" => Ok(DAY * SECOND),
        "week" => Ok(7 * DAY * SECOND),
        other => Err(call
            .wrong(format!("`unit` is {other:?}; a unit of one length is wanted"))
            .with_hint("Units are microsecond, millisecond, second, minute, hour, day and week.")),
    }
}

/// Where a unit begins.
#[derive(Clone, Copy)]
enum Begins {
    /// At multiples of so many seconds since midnight.
    Every(i64),
    Week,
    /// At the first of every such month.
    Months(i64),
}

fn beginning(call: &Call<'_>) -> Result<Begins> {
    match call.opt_str("unit").unwrap_or("") {
        "second" => Ok(Begins::Every(1)),
        "minute" => Ok(Begins::Every(60)),
        "hour" => Ok(Begins::Every(3600)),
        "day" => Ok(Begins::Every(DAY)),
        "week" => Ok(Begins::Week),
        "month" => Ok(Begins::Months(1)),
        "quarter" => Ok(Begins::Months(3)),
        "year" => Ok(Begins::Months(12)),
        other => Err(call
            .wrong(format!("`unit` is {other:?}"))
            .with_hint("Units are second, minute, hour, day, week, month, quarter and year.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, doubles, ints, refused};

    const WHEN: i64 = 1_582_979_696_789_000; // 2020-02-29T12:34:56.789, a Saturday

    #[test]
    fn instants_are_numbers() {
        let n = [("n", ints(&[1, -1, i64::MAX, i64::MIN]))];
        check("dates.from_unix(n)", &n, ints(&[1_000_000, -1_000_000, i64::MAX, i64::MIN]));
        let d = [("d", doubles(&[1.5, -0.000_000_5, f64::NAN, 1e300, -1e300]))];
        check("dates.from_unix(d)", &d, ints(&[1_500_000, 0, i64::MIN, i64::MAX, i64::MIN]));
        let when = [("when", ints(&[WHEN, -1, i64::MIN]))];
        check("dates.to_unix(when)", &when, ints(&[1_582_979_696, -1, -9_223_372_036_855]));
        check("dates.to_unix(when, 'day')", &when, ints(&[18_321, -1, -106_751_992]));
        refused(
            "dates.to_unix(when, 'month')",
            "`dates.to_unix`: `unit` is \"month\"; a unit of one length is wanted",
        );
    }

    #[test]
    fn instants_are_cut_and_compared() {
        let when = [("when", ints(&[WHEN, -1, i64::MIN]))];
        let day = 86_400_000_000;
        let (least, leap) = (i64::MIN, 18_321 * day);
        check(
            "dates.trunc(when, 'second')",
            &when,
            ints(&[1_582_979_696_000_000, -1_000_000, least]),
        );
        check("dates.trunc(when, 'day')", &when, ints(&[leap, -day, least]));
        check("dates.trunc(when, 'week')", &when, ints(&[leap - 5 * day, -3 * day, least]));
        check("dates.trunc(when, 'month')", &when, ints(&[leap - 28 * day, -31 * day, least]));
        check("dates.trunc(when, 'quarter')", &when, ints(&[leap - 59 * day, -92 * day, least]));
        check("dates.trunc(when, 'year')", &when, ints(&[leap - 59 * day, -365 * day, least]));
        let ahead = leap + day - 11 * 3_600_000_000 - 26 * 60_000_000;
        check(
            "dates.trunc(when, 'day', '+11:26')",
            &when,
            ints(&[ahead, -11 * 3_600_000_000 - 26 * 60_000_000, least]),
        );
        let hour = 3_600_000_000_i64;
        check("dates.diff(when, 0, 'hour')", &when, ints(&[WHEN / hour, 0, least / hour]));
        check(
            "dates.diff(when, 9223372036854775807, 'microsecond')",
            &when,
            ints(&[WHEN - i64::MAX, least, least]),
        );
        check(
            "dates.diff(when, 9223372036854775807, 'week')",
            &[("when", ints(&[least]))],
            ints(&[-30_500_568]),
        );
    }
}
