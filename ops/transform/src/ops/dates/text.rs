//! `dates.parse`, `dates.format`: instants as text.

use engine::Result;

use super::super::elementwise::of_dtype;
use super::super::params::{X, option};
use super::layout::Layout;
use super::{OFFSET, map, offset, timestamps};
use crate::export::Export;
use crate::export::tensorflow::{Segments, refused};
use crate::op::{Call, Default, Kernel, Kind, Literal, Op, Param, Takes, function};
use crate::tensor::{StringsBuilder, Tensor, splits_of};
use crate::types::{DType, Dim, Type};

const FORMAT: Param = option(
    "format",
    Takes::Str,
    Default::Str("%Y-%m-%d %H:%M:%S"),
    "the format, in the directives of `strftime`",
);

/// From text.
pub(in super::super) const PARSE: Op = Op {
    name: "dates.parse",
    doc: "the instants that strings say",
    semantics: "The whole string is of the format: `%Y` four digits, `%y` two (69 is 1969), `%m %d %H \
        %I %M %S` one or two, `%j` the day of the year, `%f` one to nine decimals of a second (what \
        is less than microseconds is cut), `%b %B %a %A` English names, whole or three letters, in \
        any case, `%p` AM or PM, `%z` an offset such as `+02:00` or `Z`, `%s` seconds since 1970, `%e` \
        a day with a blank, `%F %T %R %D` for dates and times, `%%`. What is left out is that of \
        1970-01-01T00:00:00 in the time zone of `offset`. A day that is not in the calendar is no \
        instant; second 60 is the next minute. What says none gives `default`; without a default it \
        is left out, so that the result is a list for each row.",
    examples: &[
        "dates.parse(s, '%Y-%m-%d %H:%M:%S')",
        "dates.parse(ss, '%F', default=0)",
        "dates.parse(s, '%F %T', default='1970-01-02 00:00:00', offset='+02:00')",
        "dates.parse(svec)",
        "dates.parse(s, '%Y-%m-%dT%H:%M:%S%z', default=7)",
        "dates.parse(dates.format(when, '%d%b%Y %I%M%S%f%p'), '%d%b%Y %I%M%S%f%p')",
        "dates.parse(dates.format(times, '%j/%y %A %s'), '%j/%y %A %s', default=1)",
        "dates.parse(dates.format(when, '%Y %j|%e'), '%Y %j|%e', default=1)",
        "dates.parse(s, 'a', offset='-01:00')",
        "dates.parse(s, '%m%e')",
    ],
    params: &[
        X,
        FORMAT,
        option(
            "default",
            Takes::Literal,
            Default::None,
            "what stands where no instant is: microseconds, or a text of the format",
        ),
        OFFSET,
    ],
    kind: Kind::Map {
        types: |call| {
            let x = of_dtype(call, "x", DType::String)?;
            let layout = readable(call)?;
            if default(call, &layout)?.is_some() {
                return Ok(vec![x.with_dtype(DType::Timestamp)]);
            }
            if x.shape.len() > 1 || x.constant {
                return Err(call
                    .wrong_type("x", "one list for each row")
                    .with_hint("Give a `default`, so that every string becomes an instant."));
            }
            Ok(vec![Type { dtype: DType::Timestamp, shape: vec![Dim::Var], ..x.clone() }])
        },
        kernel: parse,
        domain: None,
        keeps: "",
        onnx: Export::AS_TENSORFLOW,
        tensorflow: Export::Nodes(|nodes, call, columns| {
            let (x, layout) = (&columns[0], readable(call)?);
            let read = layout.read(nodes, &x.values).map_err(|why| refused(call, why))?;
            let [instants, known] = read;
            if let Some(default) = default(call, &layout)? {
                let default = nodes.scalar(default);
                let instants = nodes.select(&known, &instants, &default, DType::Int64);
                return Ok(vec![x.with_values(instants)]);
            }
            let rows = Segments::of_rows(nodes, x, call.ty("x")?);
            let instants = nodes.flattened(&instants, DType::Int64);
            let known = nodes.flattened(&known, DType::Bool);
            Ok(vec![nodes.lists_of(&instants, DType::Int64, &rows, &known)])
        }),
    },
};

/// As text.
pub(in super::super) const FORMAT_OP: Op = Op {
    name: "dates.format",
    doc: "instants as text",
    semantics: "The directives of `dates.parse`, and `%u` the day of the week (1 is Monday), `%w` the \
        same with 0 for Sunday, `%G` and `%V` the year and the week of ISO 8601. In the time zone of \
        `offset`. Years have at least four digits, and a minus before year 0.",
    examples: &[
        "dates.format(when)",
        "dates.format(times, '%A %e %B %Y, %I:%M:%S.%f %p %z', offset='-03:30')",
        "dates.format(when, '%G-W%V-%u %j %w %y %s')",
        "dates.format(times, '%a %b %H %M %I %p %%')",
        "dates.format(when, 'é%z', offset='-13:30')",
    ],
    params: &[X, FORMAT, OFFSET],
    kind: map(
        |call| {
            layout(call)?;
            timestamps(call, DType::String)
        },
        |call| {
            let layout = layout(call)?;
            Ok(function(move |_, inputs| {
                let instants = inputs[0].ints();
                let mut out = StringsBuilder::with_capacity(instants.len(), instants.len() * 20);
                for &micros in instants {
                    layout.write(micros, out.buffer());
                    out.end();
                }
                Ok(inputs[0].with_values(out.finish()?))
            }))
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let written = layout(call)?.written(nodes, &columns[0].values);
        Ok(vec![columns[0].with_values(written)])
    })),
};

fn layout(call: &Call<'_>) -> Result<Layout> {
    let format = call.opt_str("format").unwrap_or("");
    Layout::new(format, offset(call)?).map_err(|directive| {
        call.wrong(format!("`format` is {format:?}; there is no directive `{directive}`"))
    })
}

fn readable(call: &Call<'_>) -> Result<Layout> {
    let layout = layout(call)?;
    if layout.only_written() {
        return Err(call
            .wrong("`format` has a directive that is written but not read")
            .with_hint("`%u`, `%w`, `%G` and `%V` say no day alone."));
    }
    Ok(layout)
}

fn default(call: &Call<'_>, layout: &Layout) -> Result<Option<i64>> {
    match call.literal("default") {
        Literal::None => Ok(None),
        Literal::Int(micros) => Ok(Some(*micros)),
        Literal::Str(text) => match layout.parse(text.as_bytes()) {
            Some(micros) => Ok(Some(micros)),
            None => Err(call.wrong(format!("`default` is {text:?}, which is not of the format"))),
        },
        other => {
            Err(call.wrong(format!("`default` is {other}; microseconds or a text are wanted")))
        }
    }
}

fn parse(call: &Call<'_>) -> Result<Box<dyn Kernel>> {
    let layout = readable(call)?;
    let shape = call.ty("x")?.shape.clone();
    Ok(match default(call, &layout)? {
        Some(default) => function(move |_, inputs| {
            let strings = inputs[0].strings().iter();
            let values = strings.map(|text| layout.parse(text).unwrap_or(default));
            Ok(inputs[0].with_values(values.collect::<Vec<i64>>()))
        }),
        None => function(move |rows, inputs| {
            let strings = inputs[0].strings();
            let ends = inputs[0].row_ends(&shape);
            let mut values: Vec<i64> = Vec::with_capacity(strings.len());
            let mut lengths = Vec::with_capacity(rows);
            for row in 0..rows {
                let before = values.len();
                values.extend(ends.range(row).filter_map(|i| layout.parse(strings.get(i))));
                lengths.push(values.len() - before);
            }
            Ok(Tensor::var_len(splits_of(lengths)?, values))
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{check, ints, lists, refused, texts};

    /// Parses texts of a format.
    #[track_caller]
    fn parsed(format: &str, texts: &[(&str, Option<i64>)]) {
        let s =
            super::super::super::testing::texts(&texts.iter().map(|(s, _)| *s).collect::<Vec<_>>());
        let values = texts.iter().filter_map(|(_, v)| *v).collect::<Vec<_>>();
        let lengths = texts.iter().map(|(_, v)| usize::from(v.is_some())).collect::<Vec<_>>();
        check(&format!("dates.parse(s, '{format}')"), &[("s", s)], lists(&lengths, ints(&values)));
    }

    #[test]
    fn texts_say_instants() {
        const S: i64 = 1_000_000;
        let leap = 18_321 * 86_400 * S;
        parsed(
            "%F",
            &[
                ("2020-02-29", Some(leap)),
                ("2020-2-29", Some(leap)),
                ("2019-02-29", None),
                ("20-02-29", None),
                ("2020-02-29 ", None),
                ("", None),
                ("2020-13-01", None),
                ("2020-00-01", None),
            ],
        );
        parsed(
            "%Y-%m-%dT%H:%M:%S.%f%z",
            &[
                ("2020-02-29T12:34:56.789Z", Some(1_582_979_696_789_000)),
                ("2020-02-29T12:34:56.7890019+01:30", Some(1_582_979_696_789_001 - 5400 * S)),
                ("2020-02-29T23:59:60.0-00", Some(leap + 86_400 * S)),
                ("2020-02-29T24:00:00.0Z", None),
                ("2020-02-29T12:34:56.Z", None),
            ],
        );
        parsed(
            "%d %b %y",
            &[
                ("1 jan 70", Some(0)),
                ("01 January 69", Some(-365 * 86_400 * S)),
                ("1 ja 70", None),
                ("31 Dec 68", Some(36_159 * 86_400 * S)),
            ],
        );
        parsed(
            "%A, %I %p",
            &[
                ("Thu, 12 AM", Some(0)),
                ("monday, 12 pm", Some(43_200 * S)),
                ("Thursday, 13 PM", None),
            ],
        );
        parsed(
            "%Y %j",
            &[
                ("2020 366", Some((18_262 + 365) * 86_400 * S)),
                ("2019 366", None),
                ("0000 1", Some(-719_528 * 86_400 * S)),
            ],
        );
        parsed(
            "%s",
            &[
                ("-1", Some(-S)),
                ("9223372036854", Some(9_223_372_036_854 * S)),
                ("9223372036855", None),
                ("999999999999999999", None),
            ],
        );
        check(
            "dates.parse(s, '%F', default='2020-02-29', offset='-01:00')",
            &[("s", texts(&["1970-01-01", "x"]))],
            ints(&[3600 * S, leap + 3600 * S]),
        );
        refused(
            "dates.parse(s, '%Q')",
            "`dates.parse`: `format` is \"%Q\"; there is no directive `%Q`",
        );
        refused(
            "dates.parse(s, '%V')",
            "`dates.parse`: `format` has a directive that is written but not read",
        );
        refused(
            "dates.parse(s, '%F', default='x')",
            "`dates.parse`: `default` is \"x\", which is not of the format",
        );
    }

    #[test]
    fn instants_are_written() {
        let when = [("when", ints(&[1_582_979_696_789_000, -1, i64::MAX, i64::MIN]))];
        let written = [
            "2020-02-29 12:34:56",
            "1969-12-31 23:59:59",
            "294247-01-10 04:00:54",
            "-290308-12-21 19:59:05",
        ];
        check("dates.format(when)", &when, texts(&written));
        let one = [("when", ints(&[1_582_979_696_789_000]))];
        let long = "dates.format(when, '%A %e %B %y, %I:%M:%S.%f %p %z %%', offset='-13:30')";
        check(long, &one, texts(&["Friday 28 February 20, 11:04:56.789000 PM -1330 %"]));
        check(
            "dates.format(when, '%G-W%V-%u %j %w %s %a %b %D %R')",
            &one,
            texts(&["2020-W09-6 060 6 1582979696 Sat Feb 02/29/20 12:34"]),
        );
        check(
            "dates.parse(dates.format(when, '%F %T.%f'), '%F %T.%f', default=0)",
            &one,
            one[0].1.clone(),
        );
    }
}
