//! `dates.year` and its like: parts of an instant in the calendar.

use engine::Result;

use super::super::params::X;
use super::calendar::{Civil, days_of, weekday};
use super::{OFFSET, each, offset, tensorflow as there, timestamps};
use crate::export::Export;
use crate::export::tensorflow::{Nodes, Out};
use crate::op::{Call, Kernel, Kind, Op, Param};
use crate::types::DType;

const PARAMS: &[Param] = &[X, OFFSET];

macro_rules! parts {
    ($($constant:ident, $name:literal, $doc:literal, $semantics:literal, $domain:expr,
        [$($example:literal),*], $part:expr, $there:expr;)*) => {$(
        #[doc = concat!("`", $name, "`: ", $doc, ".")]
        pub(in super::super) const $constant: Op = Op {
            name: $name,
            doc: $doc,
            semantics: $semantics,
            examples: &[$($example),*],
            params: PARAMS,
            kind: Kind::Map {
                types: |call| {
                    offset(call)?;
                    timestamps(call, DType::Int64)
                },
                kernel: |call| kernel(call, $part),
                domain: Some(|_| $domain),
                keeps: "x",
                onnx: Export::AS_TENSORFLOW,
                tensorflow: Export::Nodes(|nodes, call, columns| {
                    let there: fn(&mut Nodes, &Out, i64) -> Out = $there;
                    let part = there(nodes, &columns[0].values, offset(call)?);
                    Ok(vec![columns[0].with_values(part)])
                }),
            },
        };
    )*};
}

parts! {
    YEAR, "dates.year", "the year", "Before the year 1 come 0, -1, ….", None,
        ["dates.year(when)", "dates.year(times, offset='+02:00')"], |x, offset| Civil::of(x, offset).year,
        |nodes, x, offset| there::civil(nodes, x, offset, 0);
    MONTH, "dates.month", "the month of the year", "1 is January.", Some((1, 12)),
        ["dates.month(when)", "dates.month(times)"], |x, offset| Civil::of(x, offset).month,
        |nodes, x, offset| there::civil(nodes, x, offset, 1);
    DAY_OF_MONTH, "dates.day", "the day of the month", "From 1.", Some((1, 31)),
        ["dates.day(when)", "dates.day(times, offset='-05:30')"], |x, offset| Civil::of(x, offset).day,
        |nodes, x, offset| there::civil(nodes, x, offset, 2);
    HOUR, "dates.hour", "the hour of the day", "From 0 to 23.", Some((0, 23)),
        ["dates.hour(when)", "dates.hour(times)"], |x, offset| days_of(x, offset).1 / 3600,
        |nodes, x, offset| there::of_day(nodes, x, offset, 3600, 24);
    MINUTE, "dates.minute", "the minute of the hour", "From 0 to 59.", Some((0, 59)),
        ["dates.minute(when)", "dates.minute(times)"], |x, offset| days_of(x, offset).1 / 60 % 60,
        |nodes, x, offset| there::of_day(nodes, x, offset, 60, 60);
    SECOND_OF_MINUTE, "dates.second", "the second of the minute", "From 0 to 59.", Some((0, 59)),
        ["dates.second(when)", "dates.second(times)"], |x, offset| days_of(x, offset).1 % 60,
        |nodes, x, offset| there::of_day(nodes, x, offset, 1, 60);
    DAY_OF_WEEK, "dates.day_of_week", "the day of the week", "0 is Monday, 6 is Sunday, as in \
        Python's `weekday()`.", Some((0, 6)),
        ["dates.day_of_week(when)", "dates.day_of_week(times)"], |x, offset| weekday(days_of(x, offset).0),
        |nodes, x, offset| there::of_days(nodes, x, offset, there::weekday);
    DAY_OF_YEAR, "dates.day_of_year", "the day of the year", "From 1 to 366.", Some((1, 366)),
        ["dates.day_of_year(when)", "dates.day_of_year(times)"], |x, offset| Civil::of(x, offset).day_of_year(),
        |nodes, x, offset| there::of_days(nodes, x, offset, there::day_of_year);
    WEEK, "dates.week", "the week of the year", "As ISO 8601 counts them: from 1 to 53, beginning on \
        Monday; a week belongs to the year of its Thursday.", Some((1, 53)),
        ["dates.week(when)", "dates.week(times)"], |x, offset| Civil::of(x, offset).iso_week().1,
        |nodes, x, offset| there::of_days(nodes, x, offset, |nodes, days| {
            let [_, week] = there::iso_week(nodes, days);
            week
        });
}

/// Whether it is Saturday or Sunday.
pub(in super::super) const IS_WEEKEND: Op = Op {
    name: "dates.is_weekend",
    doc: "whether it is Saturday or Sunday",
    semantics: "In the time zone of `offset`.",
    examples: &["dates.is_weekend(when)", "dates.is_weekend(times, offset='+09:00')"],
    params: PARAMS,
    kind: super::map(
        |call| {
            offset(call)?;
            timestamps(call, DType::Bool)
        },
        |call| {
            let offset = offset(call)?;
            Ok(each(move |x: i64| u8::from(weekday(days_of(x, offset).0) >= 5)))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let day = there::of_days(nodes, &columns[0].values, offset(call)?, there::weekday);
        Ok(vec![columns[0].with_values(there::with(nodes, "GreaterEqual", &day, 5))])
    })),
};

fn kernel(
    call: &Call<'_>,
    part: impl Fn(i64, i64) -> i64 + Send + Sync + 'static,
) -> Result<Box<dyn Kernel>> {
    let offset = offset(call)?;
    Ok(each(move |x: i64| part(x, offset)))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, ints, refused};

    #[test]
    fn instants_have_parts() {
        // 2020-02-29T12:34:56.789 (Saturday), 1969-12-31T23:59:59.999999 (Wednesday).
        let when = [("when", ints(&[1_582_979_696_789_000, -1]))];
        check("dates.year(when)", &when, ints(&[2020, 1969]));
        check("dates.month(when)", &when, ints(&[2, 12]));
        check("dates.day(when)", &when, ints(&[29, 31]));
        check("dates.hour(when)", &when, ints(&[12, 23]));
        check("dates.minute(when)", &when, ints(&[34, 59]));
        check("dates.second(when)", &when, ints(&[56, 59]));
        check("dates.day_of_week(when)", &when, ints(&[5, 2]));
        check("dates.day_of_year(when)", &when, ints(&[60, 365]));
        check("dates.week(when)", &when, ints(&[9, 1]));
        check("dates.is_weekend(when)", &when, bools(&[true, false]));
        check("dates.day(when, offset='+11:26')", &when, ints(&[1, 1]));
        check("dates.hour(when, '-13:00')", &when, ints(&[23, 10]));
        refused("dates.year(n)", "`dates.year`: `x` is int64; timestamp is wanted");
        refused(
            "dates.year(when, 'Europe/Paris')",
            "`dates.year`: `offset` is \"Europe/Paris\"; an offset from UTC is wanted",
        );
    }
}
