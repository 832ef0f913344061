//! Answers: tensors as JSON, in the forms of TensorFlow Serving.
//!
//! Floats are the shortest text that gives the same bits again, with `.0` where they are whole, and `NaN`,
//! `Infinity` and `-Infinity`, as TensorFlow Serving writes them. Strings are `{"b64": "…"}` where the
//! output's name ends in `_bytes`, and where they are no UTF-8.

use std::io::Write;

use transform::{Dim, Tensor, Values};

use crate::columns::to_base64;
use crate::request::Format;
use crate::servable::Output;

/// `{"predictions": …}` or `{"outputs": …}`.
pub(crate) fn predictions(outputs: &[Output<'_>], rows: usize, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::Rows => {
            out.extend_from_slice(b"{\"predictions\":[");
            for row in 0..rows {
                if row > 0 {
                    out.push(b',');
                }
                object(outputs, &mut out, |output, out| value(output, row, out));
            }
            out.extend_from_slice(b"]}");
        }
        Format::Columns => {
            out.extend_from_slice(b"{\"outputs\":");
            object(outputs, &mut out, |output, out| {
                list(0..rows, out, |row, out| value(output, row, out));
            });
            out.push(b'}');
        }
    }
    out
}

/// The values of a row as a JSON object, whatever their number.
pub(crate) fn instance(outputs: &[Output<'_>], row: usize) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (i, output) in outputs.iter().enumerate() {
        member(i, &output.name, &mut out);
        value(output, row, &mut out);
    }
    out.push(b'}');
    out
}

/// One output by itself, several by their names.
fn object(
    outputs: &[Output<'_>],
    out: &mut Vec<u8>,
    mut each: impl FnMut(&Output<'_>, &mut Vec<u8>),
) {
    if let [output] = outputs {
        return each(output, out);
    }
    out.push(b'{');
    for (i, output) in outputs.iter().enumerate() {
        member(i, &output.name, out);
        each(output, out);
    }
    out.push(b'}');
}

fn member(i: usize, name: &str, out: &mut Vec<u8>) {
    if i > 0 {
        out.push(b',');
    }
    string(name, out);
    out.push(b':');
}

/// `{"results": [[["label", score], …], …]}`: labels are the classes' numbers.
pub(crate) fn classes<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Vec<u8> {
    let mut out = b"{\"results\":[".to_vec();
    for (row, scores) in rows.enumerate() {
        if row > 0 {
            out.push(b',');
        }
        list(0..scores.len(), &mut out, |class, out| {
            let _ = write!(out, "[\"{class}\",");
            float(scores[class], out);
            out.push(b']');
        });
    }
    out.extend_from_slice(b"]}");
    out
}

/// `{"results": [value, …]}`.
pub(crate) fn regressions(values: &[f32]) -> Vec<u8> {
    let mut out = b"{\"results\":".to_vec();
    list(0..values.len(), &mut out, |row, out| float(values[row], out));
    out.push(b'}');
    out
}

fn list(
    items: std::ops::Range<usize>,
    out: &mut Vec<u8>,
    mut each: impl FnMut(usize, &mut Vec<u8>),
) {
    out.push(b'[');
    let first = items.start;
    for item in items {
        if item > first {
            out.push(b',');
        }
        each(item, out);
    }
    out.push(b']');
}

/// The value of a row.
fn value(output: &Output<'_>, row: usize, out: &mut Vec<u8>) {
    let is_bytes = output.name.ends_with("_bytes");
    level(&output.tensor, &output.ty.shape, 0, row, is_bytes, out);
}

fn level(
    tensor: &Tensor,
    dims: &[Dim],
    n_var: usize,
    item: usize,
    is_bytes: bool,
    out: &mut Vec<u8>,
) {
    let Some((dim, inner)) = dims.split_first() else {
        return leaf(&tensor.values, item, is_bytes, out);
    };
    let (items, n_var) = match dim {
        Dim::Fixed(n) => (item * *n as usize..(item + 1) * *n as usize, n_var),
        Dim::Var => {
            let splits = &tensor.splits[n_var];
            (splits[item] as usize..splits[item + 1] as usize, n_var + 1)
        }
    };
    list(items, out, |item, out| level(tensor, inner, n_var, item, is_bytes, out));
}

fn leaf(values: &Values, at: usize, is_bytes: bool, out: &mut Vec<u8>) {
    match values {
        Values::Bool(values) => {
            out.extend_from_slice(if values[at] == 0 { b"false" } else { b"true" });
        }
        Values::Int64(values) => {
            let _ = write!(out, "{}", values[at]);
        }
        Values::Float32(values) => float(values[at], out),
        Values::Float64(values) => double(values[at], out),
        Values::String(values) => match std::str::from_utf8(values.get(at)) {
            Ok(text) if !is_bytes => string(text, out),
            _ => {
                let _ = write!(out, "{{\"b64\":\"{}\"}}", to_base64(values.get(at)));
            }
        },
        // Constants are no outputs.
        Values::Vocabulary(_) | Values::Tokenizer(_) => out.extend_from_slice(b"null"),
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

fn float(value: f32, out: &mut Vec<u8>) {
    // `{:?}` is the shortest text that is read as the same bits, and always a float's.
    if value.is_finite() {
        let _ = write!(out, "{value:?}");
    } else {
        double(f64::from(value), out);
    }
}

fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        let _ = write!(out, "{value:?}");
    } else if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use transform::{DType, Type};

    use super::*;

    fn output(name: &'static str, ty: Type, tensor: Tensor) -> Output<'static> {
        tensor.check(&ty).unwrap();
        Output { name: Cow::Borrowed(name), ty: Cow::Owned(ty), tensor }
    }

    #[test]
    fn numbers_are_short_and_come_back_to_the_bit() {
        let check = |value: f32, expected: &str| {
            let mut out = Vec::new();
            float(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            let back: f32 = expected.parse().unwrap();
            assert!(back.to_bits() == value.to_bits() || value.is_nan(), "{expected}");
        };
        check(0.2, "0.2");
        check(9_000_000.0, "9000000.0");
        check(-0.0, "-0.0");
        check(1e20, "1e20");
        check(f32::MIN_POSITIVE, "1.1754944e-38");
        check(1e-45, "1e-45");
        check(f32::NAN, "NaN");
        check(f32::NEG_INFINITY, "-Infinity");
        check(f32::INFINITY, "Infinity");
    }

    #[test]
    fn outputs_are_rows_or_columns_alone_or_by_name() {
        let floats = || {
            let ty = Type::column(DType::Float64, [Dim::Fixed(2)]);
            output("x", ty, Tensor::dense(2, vec![1.0, 2.5, f64::NAN, -1.0]))
        };
        let lists = || {
            let values: transform::Strings = [&b"a\""[..], b"\xff", b"c"].into_iter().collect();
            let ty = Type::var_len(DType::String);
            output("y", ty, Tensor::var_len(vec![0, 0, 3].into(), values))
        };
        let check = |outputs: &[Output<'_>], format, expected: &str| {
            assert_eq!(String::from_utf8(predictions(outputs, 2, format)).unwrap(), expected);
        };
        check(&[floats()], Format::Rows, r#"{"predictions":[[1.0,2.5],[NaN,-1.0]]}"#);
        check(&[floats()], Format::Columns, r#"{"outputs":[[1.0,2.5],[NaN,-1.0]]}"#);
        let rows = r#"{"predictions":[{"x":[1.0,2.5],"y":[]},{"x":[NaN,-1.0],"y":["a\"",{"b64":"/w=="},"c"]}]}"#;
        check(&[floats(), lists()], Format::Rows, rows);
        let columns =
            r#"{"outputs":{"x":[[1.0,2.5],[NaN,-1.0]],"y":[[],["a\"",{"b64":"/w=="},"c"]]}}"#;
        check(&[floats(), lists()], Format::Columns, columns);
        let ty = Type::scalar(DType::String);
        let bytes: transform::Strings = ["a", ""].into_iter().collect();
        let bytes = output("z_bytes", ty, Tensor::dense(2, bytes));
        check(&[bytes], Format::Rows, r#"{"predictions":[{"b64":"YQ=="},{"b64":""}]}"#);
        let nested = Tensor {
            rows: 2,
            splits: vec![vec![0, 2, 2].into(), vec![0, 1, 1].into()],
            values: vec![7i64].into(),
        };
        let ty = Type::column(DType::Int64, [Dim::Var, Dim::Var]);
        check(&[output("n", ty, nested)], Format::Rows, r#"{"predictions":[[[7],[]],[]]}"#);
    }

    #[test]
    fn classes_and_regressions_have_their_forms() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let rows = [[0.25f32, 0.75], [1.0, 0.0]];
        let expected = r#"{"results":[[["0",0.25],["1",0.75]],[["0",1.0],["1",0.0]]]}"#;
        assert_eq!(text(classes(rows.iter().map(|row| &row[..]))), expected);
        assert_eq!(text(regressions(&[42.0, -0.5])), r#"{"results":[42.0,-0.5]}"#);
    }
}
