//! `strings.to_number`: numbers written as text.

use std::fmt::Write as _;

use engine::Result;

use super::super::elementwise::{Native, of_dtype};
use super::super::params::{X, option};
use super::{lists, trimmed};
use crate::bind;
use crate::export::Export;
use crate::export::tensorflow::{
    Attr, Column, DataType, ListValue, Nodes, Out, Segments, of_text, of_type, of_types, refused,
};
use crate::op::{Call, Default, Kernel, Literal, Op, Takes, function};
use crate::tensor::{Strings, Tensor, splits_of};
use crate::types::{DType, Dim, Type};

/// Numbers written as text.
pub(in super::super) const TO_NUMBER: Op = Op {
    name: "strings.to_number",
    doc: "the numbers that strings say",
    semantics: "White space around is left out. Integers are digits with or without a minus. Floats \
        are decimal with or without sign, point and exponent, rounded to the nearest one (infinity \
        if too large), or `inf` or `nan` in any case, or hexadecimal integers such as `0x1f`. What \
        says no number, or an integer that does not fit, gives `default`; without a default it is \
        left out, so that the result is a list for each row (TensorFlow stops there).",
    examples: &[
        "strings.to_number(s, default=0.0)",
        "strings.to_number(s)",
        "strings.to_number(ss, tf.int64)",
        "strings.to_number(ss, tf.int64, default=-1)",
        "strings.to_number(svec, out_type=tf.float64)",
        "strings.to_number(nested, tf.float64, default=0.5)",
        "strings.reduce_join(strings.as_string(strings.to_number(nested, tf.int64, default=2)))",
        "strings.to_number(strings.as_string(n), tf.int64)",
        "strings.to_number(strings.as_string(xs, precision=9, scientific=True))",
        "strings.to_number(strings.as_string(ds, precision=17, scientific=True), tf.float64)",
        "strings.to_number(strings.join([strings.as_string(n), '9']), tf.int64, default=3)",
        "strings.to_number(strings.join(['0x', s]), tf.float64)",
        "strings.to_number(strings.as_string(d, precision=70), tf.float64)",
        "strings.to_number(strings.as_string(x, width=50, fill='0'), default=0.5)",
    ],
    params: &[
        X,
        option(
            "out_type",
            Takes::DType,
            Default::None,
            "the type of the numbers; float32 by default",
        ),
        option("default", Takes::Literal, Default::None, "what stands where no number is"),
    ],
    kind: lists(
        |call| {
            let x = of_dtype(call, "x", DType::String)?;
            let dtype = out_type(call)?;
            if default(call)?.is_some() {
                return Ok(vec![x.with_dtype(dtype)]);
            }
            if x.shape.len() > 1 || x.constant {
                return Err(call
                    .wrong_type("x", "one list for each row")
                    .with_hint("Give a `default`, so that every string becomes a number."));
            }
            Ok(vec![Type { dtype, shape: vec![Dim::Var], ..x.clone() }])
        },
        |call| {
            let default = default(call)?;
            let shape = &call.ty("x")?.shape;
            Ok(match out_type(call)? {
                DType::Int64 => numbers(shape, default.map(|t| t.ints()[0]), int),
                DType::Float64 => numbers(shape, default.map(|t| t.doubles()[0]), float::<f64>),
                _ => numbers(shape, default.map(|t| t.floats()[0]), float::<f32>),
            })
        },
    )
    .tensorflow(Export::Nodes(|nodes, call, columns| {
        let (x, dtype) = (&columns[0], out_type(call)?);
        let flat = nodes.flattened(&x.values, DType::String);
        let texts = nodes.node("StringStrip", &[&flat], []);
        let says = if dtype == DType::Int64 { integers() } else { FLOATS.to_owned() };
        let known = nodes.full_match(&texts, &says);
        let numbers = read(nodes, &texts, &known, dtype);
        placed(nodes, call, x, &numbers, &known)
    }))
    .onnx(Export::Nodes(|nodes, call, columns| nodes.by(call, columns, integers_there))),
};

/// Nodes of numbers with the default for those that are unknown, or without these.
fn placed(
    nodes: &mut Nodes,
    call: &Call<'_>,
    x: &Column,
    numbers: &Out,
    known: &Out,
) -> Result<Vec<Column>> {
    let (ty, dtype) = (call.ty("x")?, out_type(call)?);
    if let Some(default) = default(call)? {
        let default = nodes.constant(&default.values, &[]);
        let numbers = nodes.select(known, numbers, &default, dtype);
        return Ok(vec![x.with_values(nodes.shaped(&numbers, &ty.with_dtype(dtype)))]);
    }
    let rows = Segments::of_rows(nodes, x, ty);
    Ok(vec![nodes.lists_of(numbers, dtype, &rows, known)])
}

/// Nodes that neither strip nor measure texts, which ONNX cannot.
fn integers_there(nodes: &mut Nodes, call: &Call<'_>, columns: &[Column]) -> Result<Vec<Column>> {
    let dtype = out_type(call)?;
    if dtype != DType::Int64 {
        return Err(refused(call, "a text of a float beyond the greatest would stop it"));
    }
    let texts = nodes.flattened(&columns[0].values, DType::String);
    let known = nodes.full_match(&texts, &format!(r"[\t-\r ]*(?:{})[\t-\r ]*", integers()));
    let zero = nodes.text("0");
    let texts = nodes.select(&known, &texts, &zero, DType::String);
    let numbers = nodes.node("StringToNumber", &[&texts], [("out_type", of_type(dtype))]);
    placed(nodes, call, &columns[0], &numbers, &known)
}

/// Floats as RE2 matches them: those that [`float`] reads.
const FLOATS: &str = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?i:inf|nan)|0[xX]0*[0-9a-fA-F]{1,16})";

/// Integers as RE2 matches them: those that fit.
fn integers() -> String {
    // Below the digits of the greatest: as far as one of them, then a lesser one, then any.
    let up_to = |greatest: &str| {
        let mut all = format!("[0-9]{{1,{}}}", greatest.len() - 1);
        for (i, digit) in greatest.bytes().enumerate().filter(|(_, digit)| *digit > b'0') {
            let (before, least, rest) =
                (&greatest[..i], char::from(digit - 1), greatest.len() - i - 1);
            let _ = write!(all, "|{before}[0-{least}][0-9]{{{rest}}}");
        }
        format!("0*(?:{all}|{greatest})")
    };
    let (negative, positive) = (i64::MIN.unsigned_abs().to_string(), i64::MAX.to_string());
    format!("-{}|{}", up_to(&negative), up_to(&positive))
}

/// Nodes of the numbers that texts say, 0 where none is known.
fn read(nodes: &mut Nodes, texts: &Out, known: &Out, dtype: DType) -> Out {
    let zero = nodes.text("0");
    let plain = |nodes: &mut Nodes, texts: &Out, known: &Out| {
        let texts = nodes.select(known, texts, &zero, DType::String);
        nodes.node("StringToNumber", &[&texts], [("out_type", of_type(dtype))])
    };
    if dtype == DType::Int64 {
        return plain(nodes, texts, known);
    }
    // TensorFlow reads floats of no more than 31 bytes.
    let texts = nodes.rewritten(texts, r"\A([-+]?0[xX])0+([0-9a-fA-F])", r"\1\2", false);
    let (length, most) = (nodes.string_length(&texts, "BYTE"), nodes.scalar(31i64));
    let long = nodes.ints("Greater", &length, &most);
    let long = nodes.node("LogicalAnd", &[known, &long], []);
    let short = nodes.opposite(&long);
    let short = nodes.node("LogicalAnd", &[known, &short], []);
    let numbers = plain(nodes, &texts, &short);
    let long_texts = nodes.kept(&texts, DType::String, &long);
    let read = long_floats(nodes, &long_texts, dtype);
    let at = nodes.typed("Where", DType::Bool, &[&long]);
    let attrs = [("T", of_type(dtype)), ("Tindices", of_type(DType::Int64))];
    nodes.node("TensorScatterUpdate", &[&numbers, &at, &read], attrs)
}

/// Nodes of decimal floats of any length: a message of protocol buffers written as text has such.
fn long_floats(nodes: &mut Nodes, texts: &Out, dtype: DType) -> Out {
    let texts = nodes.rewritten(texts, r"\A\+", "", false);
    let texts = nodes.rewritten(&texts, r"\A(-?)0+([0-9])", r"\1\2", false);
    let scaled = nodes.full_match(&texts, r"\C*[eE]\C*");
    let [field, exponent] = ["double_val: ", "e0"].map(|text| nodes.text(text));
    let two = |nodes: &mut Nodes, a: &Out, b: &Out| {
        nodes.node("StringJoin", &[a, b], [("N", Attr::I(2))])
    };
    let with_exponent = two(nodes, &texts, &exponent);
    let texts = nodes.select(&scaled, &texts, &with_exponent, DType::String);
    // Of no message at all it reads nothing: there is one more.
    let one = nodes.constant(&crate::Strings::from_iter(["0e0"]).into(), &[1]);
    let texts = nodes.concat(&[&one, &texts], DType::String, 0);
    let messages = two(nodes, &field, &texts);
    let names = ListValue { s: vec![b"double_val".to_vec()], ..ListValue::default() };
    let attrs = [
        ("message_type", of_text("tensorflow.TensorProto")),
        ("message_format", of_text("text")),
        ("descriptor_source", of_text("local://")),
        ("field_names", Attr::List(names)),
        ("output_types", of_types([DataType::Double])),
    ];
    let read = nodes.node("DecodeProtoV2", &[&messages], attrs);
    let read = nodes.flattened(&read.port(1), DType::Float64);
    let read = nodes.slice(&read, DType::Float64, 1, -1);
    nodes.cast(&read, DType::Float64, dtype)
}

fn out_type(call: &Call<'_>) -> Result<DType> {
    match call.opt_dtype("out_type") {
        None => Ok(DType::Float32),
        Some(dtype) if dtype.is_number() => Ok(dtype),
        Some(dtype) => Err(call.wrong(format!("`out_type` is {dtype}; a number is wanted"))),
    }
}

fn default(call: &Call<'_>) -> Result<Option<Tensor>> {
    match call.literal("default") {
        Literal::None => Ok(None),
        literal => {
            let (ty, tensor) = bind::constant(literal, Some(out_type(call)?))
                .map_err(|e| call.wrong(format!("`default`: {}", e.message())))?;
            if !ty.is_scalar() {
                return Err(call.wrong(format!("`default` is {literal}; a number is wanted")));
            }
            Ok(Some(tensor))
        }
    }
}

fn numbers<T: Native>(
    shape: &[Dim],
    default: Option<T>,
    read: impl Fn(&[u8]) -> Option<T> + Send + Sync + 'static,
) -> Box<dyn Kernel> {
    let shape = shape.to_vec();
    match default {
        Some(default) => function(move |_, inputs| {
            let values = inputs[0].strings().iter().map(|s| read(s).unwrap_or(default)).collect();
            Ok(inputs[0].with_values(T::values(values)))
        }),
        None => function(move |rows, inputs| {
            let strings: &Strings = inputs[0].strings();
            let ends = inputs[0].row_ends(&shape);
            let mut values = Vec::with_capacity(strings.len());
            let mut lengths = Vec::with_capacity(rows);
            for row in 0..rows {
                let before = values.len();
                values.extend(ends.range(row).filter_map(|i| read(strings.get(i))));
                lengths.push(values.len() - before);
            }
            Ok(Tensor::var_len(splits_of(lengths)?, T::values(values)))
        }),
    }
}

/// An integer, if that is what the string says.
fn int(string: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(trimmed(string)).ok()?;
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// A float, if that is what the string says.
fn float<F: std::str::FromStr + std::ops::Neg<Output = F> + From<f32> + FromBits>(
    string: &[u8],
) -> Option<F> {
    let text = std::str::from_utf8(trimmed(string)).ok()?;
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let number: F = match digits.as_bytes() {
        [b'0', b'x' | b'X', hexadecimal @ ..] => {
            let digits = std::str::from_utf8(hexadecimal).ok()?;
            if !hexadecimal.first()?.is_ascii_hexdigit() {
                return None;
            }
            F::from_bits_of(u64::from_str_radix(digits, 16).ok()?)
        }
        [first, ..] if first.is_ascii_digit() || *first == b'.' => digits.parse().ok()?,
        word if word.eq_ignore_ascii_case(b"inf") => F::from(f32::INFINITY),
        word if word.eq_ignore_ascii_case(b"nan") => return Some(F::from(f32::NAN)),
        _ => return None,
    };
    Some(if negative { -number } else { number })
}

/// A float type that integers are rounded to.
trait FromBits {
    fn from_bits_of(integer: u64) -> Self;
}

impl FromBits for f32 {
    fn from_bits_of(integer: u64) -> f32 {
        integer as f32
    }
}

impl FromBits for f64 {
    fn from_bits_of(integer: u64) -> f64 {
        integer as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bytes, check, floats, ints, lists, refused, texts};

    #[test]
    fn strings_say_numbers() {
        let words =
            ["1", "+3", "-.5", "5.", "1e5", " 2\n", "1e39", "1e-50", "0x10", "-0", "+inf", "nAN"];
        let numbers = [
            1.0,
            3.0,
            -0.5,
            5.0,
            1e5,
            2.0,
            f32::INFINITY,
            0.0,
            16.0,
            -0.0,
            f32::INFINITY,
            f32::NAN,
        ];
        check("strings.to_number(s, default=7.0)", &[("s", texts(&words))], floats(&numbers));
        let words = [
            "", " ", "abc", "infinity", "1e", ".", "1f", "+ 1", "1 2", "1_000", "--1", "0x",
            "0x+1", "é",
        ];
        let none = lists(&[0; 14], floats(&[]));
        check("strings.to_number(s)", &[("s", texts(&words))], none);
        check("strings.to_number(s, default=7.0)", &[("s", texts(&words))], floats(&[7.0; 14]));
        check(
            "strings.to_number(s)",
            &[("s", bytes(&[b"1\xff", b"2"]))],
            lists(&[0, 1], floats(&[2.0])),
        );
    }

    #[test]
    fn strings_say_integers() {
        let words = ["-0", "007", " 5 ", "9223372036854775807", "-9223372036854775808"];
        let s = [("s", texts(&words))];
        check(
            "strings.to_number(s, tf.int64, default=1)",
            &s,
            ints(&[0, 7, 5, i64::MAX, i64::MIN]),
        );
        let ss = [("ss", lists(&[3, 2], texts(&["+3", "1", "1.5", "9223372036854775808", "2"])))];
        check("strings.to_number(ss, tf.int64)", &ss, lists(&[1, 1], ints(&[1, 2])));
        check(
            "strings.to_number(ss, tf.int64, default=-1)",
            &ss,
            lists(&[3, 2], ints(&[-1, 1, -1, -1, 2])),
        );
        refused(
            "strings.to_number(s, tf.bool)",
            "`strings.to_number`: `out_type` is bool; a number is wanted",
        );
        refused(
            "strings.to_number(s, tf.int64, default=0.5)",
            "`strings.to_number`: `default`: 0.5 is no int64",
        );
    }
}
