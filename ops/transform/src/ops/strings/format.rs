//! `strings.as_string`: values written as text.

use std::io::Write;

use engine::Result;

use super::super::elementwise::Native;
use super::super::params::{X, option};
use super::map;
use crate::export::Export;
use crate::export::tensorflow::{Attr, Column, Nodes, of_text, of_type};
use crate::op::{Call, Default, Kernel, Op, Takes, function};
use crate::tensor::StringsBuilder;
use crate::types::DType;

/// Values written as text.
pub(in super::super) const AS_STRING: Op = Op {
    name: "strings.as_string",
    doc: "values as text",
    semantics: "Integers in decimals, booleans as `true` and `false`. Floats as C's `%f`, with 6 \
        decimals or `precision`; with `scientific` as `%e`, with `shortest` as `%g`; `nan`, `inf`, \
        `-inf`. `width` is the least length: filled with blanks on the left, with `fill=\"0\"` with \
        zeros after the sign (infinities and NaN with blanks), with `fill=\"-\"` with blanks on the \
        right. Strings stay.",
    examples: &[
        "strings.as_string(x)",
        "strings.as_string(d, precision=3)",
        "strings.as_string(ds, scientific=True)",
        "strings.as_string(xs, shortest=True)",
        "strings.as_string(n)",
        "strings.as_string(ns, width=5, fill='0')",
        "strings.as_string(flag)",
        "strings.as_string(flags, width=6, fill='-')",
        "strings.as_string(n, width=4)",
        "strings.as_string(ns, width=4, fill='-')",
        "strings.as_string(x, width=9, fill='0', precision=2)",
        "strings.as_string(d, width=12, shortest=True, precision=0)",
        "strings.as_string(vec, precision=0, width=4, fill='-')",
        "strings.as_string(d, scientific=True, width=15, fill='0')",
        "strings.as_string(ds, shortest=True, precision=17)",
        "strings.as_string(ss)",
    ],
    params: &[
        X,
        option("precision", Takes::Int, Default::Int(-1), "decimals of floats"),
        option("scientific", Takes::Bool, Default::Bool(false), "floats with an exponent"),
        option(
            "shortest",
            Takes::Bool,
            Default::Bool(false),
            "floats in the shorter of both forms",
        ),
        option("width", Takes::Int, Default::Int(-1), "the least length"),
        option(
            "fill",
            Takes::Str,
            Default::Str(""),
            "\"\", \"0\" or \"-\": what fills up to `width`",
        ),
    ],
    kind: map(
        |call| {
            Layout::new(call)?;
            let x = call.ty("x")?;
            match x.dtype {
                DType::Timestamp => {
                    Err(call.wrong_type("x", "no timestamp").with_hint("Use `dates.format`."))
                }
                DType::Vocabulary | DType::Tokenizer => Err(call.wrong_type("x", "a value")),
                _ => Ok(vec![x.with_dtype(DType::String)]),
            }
        },
        |call| {
            let layout = Layout::new(call)?;
            Ok(match call.ty("x")?.dtype {
                DType::Bool => written(move |value: u8, out| {
                    let text = if value == 0 { "false" } else { "true" };
                    layout.pad(out, |out| out.extend_from_slice(text.as_bytes()));
                }),
                DType::Int64 => written(move |value: i64, out| {
                    layout.pad(out, |out| print(out, format_args!("{value}")));
                }),
                DType::Float32 => {
                    written(move |value: f32, out| layout.float(f64::from(value), out))
                }
                DType::Float64 => written(move |value: f64, out| layout.float(value, out)),
                _ => function(|_, inputs| Ok(inputs[0].clone())),
            })
        },
    )
    .tensorflow(Export::Nodes(written_there)),
};

/// How a value is written.
#[derive(Clone, Copy)]
struct Layout {
    precision: usize,
    form: Form,
    width: usize,
    fill: Fill,
}

#[derive(Clone, Copy)]
enum Form {
    Fixed,
    Scientific,
    Shortest,
}

#[derive(Clone, Copy, PartialEq)]
enum Fill {
    Left,
    Right,
    Zeros,
}

/// Longest strings that are made to order.
const MOST: i64 = 1024;

impl Layout {
    fn new(call: &Call<'_>) -> Result<Self> {
        let float = call.ty("x")?.dtype.is_float();
        let length = |name: &str, default: usize| match call.opt_int(name) {
            None | Some(..0) => Ok(default),
            Some(n) if n <= MOST => Ok(n as usize),
            Some(n) => Err(call.wrong(format!("`{name}` is {n}; at most {MOST} is wanted"))),
        };
        let form = match (call.is("scientific"), call.is("shortest")) {
            (true, true) => {
                return Err(call.wrong("`scientific` and `shortest` exclude each other"));
            }
            (true, false) => Form::Scientific,
            (false, true) => Form::Shortest,
            (false, false) => Form::Fixed,
        };
        let plain = matches!(form, Form::Fixed) && call.opt_int("precision").is_none_or(|n| n < 0);
        if !float && !plain {
            return Err(call.wrong_type("x", "a float, for `precision` and forms of floats,"));
        }
        let fill = match call.opt_str("fill") {
            None | Some("" | " ") => Fill::Left,
            Some("0") => Fill::Zeros,
            Some("-") => Fill::Right,
            Some(other) => {
                return Err(
                    call.wrong(format!("`fill` is {other:?}; \"\", \"0\" or \"-\" is wanted"))
                );
            }
        };
        Ok(Layout { precision: length("precision", 6)?, form, width: length("width", 0)?, fill })
    }

    /// Writes something, and fills it up to the width.
    fn pad(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        write(out);
        let n = out.len() - start;
        let missing = self.width.saturating_sub(n);
        if missing == 0 {
            return;
        }
        out.resize(out.len() + missing, b' ');
        let text = &mut out[start..];
        let number = text[..n].last().is_some_and(u8::is_ascii_digit);
        match self.fill {
            Fill::Right => {}
            Fill::Zeros if number => {
                let sign = usize::from(text[0] == b'-');
                text[sign..].rotate_right(missing);
                text[sign..sign + missing].fill(b'0');
            }
            Fill::Left | Fill::Zeros => text.rotate_right(missing),
        }
    }

    fn float(self, value: f64, out: &mut Vec<u8>) {
        self.pad(out, |out| match value {
            _ if value.is_nan() => out.extend_from_slice(b"nan"),
            f64::INFINITY => out.extend_from_slice(b"inf"),
            f64::NEG_INFINITY => out.extend_from_slice(b"-inf"),
            _ => match self.form {
                Form::Fixed => print(out, format_args!("{value:.*}", self.precision)),
                Form::Scientific => scientific(value, self.precision, out),
                Form::Shortest => shortest(value, self.precision.max(1), out),
            },
        });
    }
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes all that is written to it");
}

/// C's `%e`: the exponent has a sign and at least two digits.
fn scientific(value: f64, precision: usize, out: &mut Vec<u8>) {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    print(out, format_args!("{digits}e{sign}{:02}", exponent.abs()));
}

/// C's `%g`: so many digits at most, without zeros at the end.
fn shortest(value: f64, digits: usize, out: &mut Vec<u8>) {
    let text = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let without_zeros = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').len()
        } else {
            text.len()
        }
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        let mantissa = &mantissa[..without_zeros(mantissa)];
        print(out, format_args!("{mantissa}e{sign}{:02}", exponent.abs()));
    } else {
        let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
        let text = format!("{value:.decimals$}");
        out.extend_from_slice(&text.as_bytes()[..without_zeros(&text)]);
    }
}

fn written<T: Native>(f: impl Fn(T, &mut Vec<u8>) + Send + Sync + 'static) -> Box<dyn Kernel> {
    function(move |_, inputs| {
        let values = T::of(inputs[0]);
        let mut out = StringsBuilder::with_capacity(values.len(), values.len() * 8);
        for &value in values {
            f(value, out.buffer());
            out.end();
        }
        Ok(inputs[0].with_values(out.finish()?))
    })
}

/// Nodes of values written as text.
fn written_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let (x, dtype, layout) = (&columns[0], call.ty("x")?.dtype, Layout::new(call)?);
    let padded = |nodes: &mut Nodes, text: &str| {
        let mut out = Vec::new();
        layout.pad(&mut out, |out| out.extend_from_slice(text.as_bytes()));
        nodes.text(out)
    };
    let values = match dtype {
        DType::String => x.values.clone(),
        // TensorFlow fills no truth values up, and writes the sign of NaN.
        DType::Bool => {
            let (yes, no) = (padded(nodes, "true"), padded(nodes, "false"));
            nodes.select(&x.values, &yes, &no, DType::String)
        }
        _ => {
            let int = |name: &str| Attr::I(call.opt_int(name).unwrap_or(-1).max(-1));
            let fill = call.opt_str("fill").filter(|fill| *fill != " ").unwrap_or("");
            let attrs = [
                ("T", of_type(dtype)),
                ("precision", int("precision")),
                ("scientific", Attr::B(call.is("scientific"))),
                ("shortest", Attr::B(call.is("shortest"))),
                ("width", int("width")),
                ("fill", of_text(fill)),
            ];
            let written = nodes.node("AsString", &[&x.values], attrs);
            if dtype.is_float() {
                let (nan, text) = (nodes.typed("IsNan", dtype, &[&x.values]), padded(nodes, "nan"));
                nodes.select(&nan, &text, &written, DType::String)
            } else {
                written
            }
        }
    };
    Ok(vec![x.with_values(values)])
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bools, check, doubles, floats, ints, refused, texts};

    #[test]
    fn values_are_written() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let x = [("x", floats(&[0.1, -0.0, 2.5, 1e-10, -7.25, 3.402_823_5e38, nan, inf, -inf]))];
        let most = "340282346638528859811704183484516925440.000000";
        let fixed = [
            "0.100000",
            "-0.000000",
            "2.500000",
            "0.000000",
            "-7.250000",
            most,
            "nan",
            "inf",
            "-inf",
        ];
        check("strings.as_string(x)", &x, texts(&fixed));
        let shortest = ["0.1", "-0", "2.5", "1e-10", "-7.25", "3.40282e+38", "nan", "inf", "-inf"];
        check("strings.as_string(x, shortest=True)", &x, texts(&shortest));
        let d = [("d", doubles(&[0.5, 1.5, 123_456.789, 1e300 / 1e200, -1e-5]))];
        check(
            "strings.as_string(d, precision=0)",
            &d,
            texts(&["0", "2", "123457", &format!("{:.0}", 1e300 / 1e200), "-0"]),
        );
        let scientific = ["5.000e-01", "1.500e+00", "1.235e+05", "1.000e+100", "-1.000e-05"];
        check("strings.as_string(d, precision=3, scientific=True)", &d, texts(&scientific));
        check(
            "strings.as_string(d, shortest=True)",
            &d,
            texts(&["0.5", "1.5", "123457", "1e+100", "-1e-05"]),
        );
        check(
            "strings.as_string(n)",
            &[("n", ints(&[i64::MIN, 0]))],
            texts(&["-9223372036854775808", "0"]),
        );
        check(
            "strings.as_string(flag)",
            &[("flag", bools(&[true, false]))],
            texts(&["true", "false"]),
        );
    }

    #[test]
    fn values_are_filled_up() {
        let n = [("n", ints(&[-7, 123_456]))];
        check("strings.as_string(n, width=5, fill='0')", &n, texts(&["-0007", "123456"]));
        check("strings.as_string(n, width=5)", &n, texts(&["   -7", "123456"]));
        check("strings.as_string(n, width=5, fill='-')", &n, texts(&["-7   ", "123456"]));
        let x = [("x", floats(&[-0.5, f32::INFINITY]))];
        check(
            "strings.as_string(x, width=6, fill='0', precision=1)",
            &x,
            texts(&["-000.5", "   inf"]),
        );
        refused(
            "strings.as_string(n, precision=2)",
            "`strings.as_string`: `x` is int64; a float, for `precision` and forms of floats, is wanted",
        );
        refused(
            "strings.as_string(when)",
            "`strings.as_string`: `x` is timestamp; no timestamp is wanted",
        );
    }
}
