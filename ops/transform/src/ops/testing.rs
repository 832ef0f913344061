//! Operations in tests: small expressions over the example columns, read, traced and run.

use engine::Result;

use super::{EXAMPLE_FILES, EXAMPLE_INPUTS};
use crate::graph::Builder;
use crate::op::{Arg, Args, Literal, Ref};
use crate::program::Program;
use crate::tensor::{Strings, Tensor, Values, splits_of};
use crate::types::{DType, Dim, Type};

/// Reads expressions of calls, literals, lists and operators.
struct Reader<'a> {
    text: &'a str,
    builder: &'a mut Builder,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.text = self.text.trim_start();
        match self.text.strip_prefix(token) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) {
        assert!(self.eat(token), "`{token}` is wanted at `{}`", self.text);
    }

    fn word(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.text.find(|c| !of(c)).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        word
    }

    fn sum(&mut self) -> Result<Arg> {
        let mut left = self.product()?;
        loop {
            let op = match () {
                () if self.eat("+") => "math.add",
                () if self.eat("-") => "math.subtract",
                () => return Ok(left),
            };
            let right = self.product()?;
            left = self.builder.one(op, Args::default().arg(left).arg(right))?.into();
        }
    }

    fn product(&mut self) -> Result<Arg> {
        let mut left = self.unary()?;
        loop {
            let op = match () {
                () if self.eat("//") => "math.floordiv",
                () if self.eat("*") => "math.multiply",
                () if self.eat("/") => "math.divide",
                () if self.eat("%") => "math.mod",
                () => return Ok(left),
            };
            let right = self.unary()?;
            left = self.builder.one(op, Args::default().arg(left).arg(right))?.into();
        }
    }

    fn unary(&mut self) -> Result<Arg> {
        if !self.eat("-") {
            return self.primary();
        }
        Ok(match self.primary()? {
            Arg::Literal(Literal::Int(n)) => Literal::Int(-n).into(),
            Arg::Literal(Literal::Float(n)) => Literal::Float(-n).into(),
            value => self.builder.one("math.negative", Args::default().arg(value))?.into(),
        })
    }

    fn primary(&mut self) -> Result<Arg> {
        if self.eat("(") {
            let value = self.sum()?;
            self.expect(")");
            return Ok(value);
        }
        if self.eat("[") {
            return self.list();
        }
        for quote in ["'", "\""] {
            if self.eat(&format!("r{quote}")) || self.eat(quote) {
                let text = self.word(|c| !quote.contains(c));
                self.expect(quote);
                return Ok(text.into());
            }
        }
        self.text = self.text.trim_start();
        if self.text.starts_with(|c: char| c.is_ascii_digit()) {
            let number = self.word(|c| c.is_ascii_digit() || c == '.' || c == 'e');
            return Ok(match number.parse::<i64>() {
                Ok(n) => n.into(),
                Err(_) => number.parse::<f64>().unwrap().into(),
            });
        }
        let name = self.word(|c| c.is_alphanumeric() || c == '_' || c == '.');
        match name {
            "True" => return Ok(true.into()),
            "False" => return Ok(false.into()),
            "None" => return Ok(Literal::None.into()),
            _ => {}
        }
        if self.eat("(") {
            return self.call(name);
        }
        match name.strip_prefix("tf.") {
            Some("int64") => Ok(DType::Int64.into()),
            Some("float32") => Ok(DType::Float32.into()),
            Some("float64") => Ok(DType::Float64.into()),
            Some("bool") => Ok(DType::Bool.into()),
            Some("string") => Ok(DType::String.into()),
            Some("timestamp") => Ok(DType::Timestamp.into()),
            _ => Ok(self.builder.input(name)?.into()),
        }
    }

    fn list(&mut self) -> Result<Arg> {
        let mut items = Vec::new();
        while !self.eat("]") {
            match self.sum()? {
                // A call without a result.
                Arg::Values(values) if values.is_empty() => {}
                item => items.push(item),
            }
            self.eat(",");
        }
        let dtype = items.iter().find_map(|item| match item {
            Arg::Value(value) => Some(self.builder.ty(*value).dtype),
            _ => None,
        });
        if dtype.is_none() {
            let literals = items.into_iter().map(|item| match item {
                Arg::Literal(literal) => literal,
                other => panic!("{other:?} is no literal"),
            });
            return Ok(Literal::List(literals.collect()).into());
        }
        let values = items.into_iter().map(|item| match item {
            Arg::Value(value) => Ok(value),
            Arg::Literal(literal) => self.builder.literal(&literal, dtype),
            Arg::Values(_) => panic!("a list in a list"),
        });
        Ok(values.collect::<Result<Vec<Ref>>>()?.into())
    }

    fn call(&mut self, op: &str) -> Result<Arg> {
        let mut args = Args::default();
        while !self.eat(")") {
            self.text = self.text.trim_start();
            let before = self.text;
            let name = self.word(|c| c.is_alphanumeric() || c == '_');
            if !name.is_empty() && self.eat("=") {
                args = args.with(name, self.sum()?);
            } else {
                self.text = before;
                args = args.arg(self.sum()?);
            }
            self.eat(",");
        }
        let mut results = self.builder.call(op, args)?;
        if self.eat("[") {
            let port: usize = self.word(|c| c.is_ascii_digit()).parse().unwrap();
            self.expect("]");
            return Ok(results[port].into());
        }
        Ok(if results.len() == 1 { results.remove(0).into() } else { results.into() })
    }
}

/// The expression traced over the example columns: the graph so far, and the value.
pub(super) fn trace(expression: &str) -> Result<(Builder, Ref)> {
    let inputs = EXAMPLE_INPUTS.iter();
    let inputs = inputs.map(|(name, dtype, dims)| (name.to_string(), Type::column(*dtype, *dims)));
    let mut builder = Builder::new(inputs);
    EXAMPLE_FILES.iter().for_each(|(name, bytes)| builder.add_file(*name, *bytes));
    let mut reader = Reader { text: expression, builder: &mut builder };
    let value = match reader.sum()? {
        Arg::Value(value) => value,
        Arg::Values(values) => values[0],
        Arg::Literal(literal) => panic!("`{expression}` is {literal}"),
    };
    assert_eq!(reader.text.trim(), "", "`{expression}` goes on");
    Ok((builder, value))
}

/// Computes an expression of some of the example columns.
fn run(expression: &str, columns: &[(&str, Tensor)]) -> (Type, Tensor) {
    let (builder, value) = trace(expression).unwrap_or_else(|e| panic!("`{expression}`: {e}"));
    let program = Program::new(builder.graph(), &[value]).unwrap();
    let mut rows = 0;
    let tensors = program.inputs().iter().map(|(name, ty)| {
        let column = columns.iter().find(|(column, _)| column == name);
        let (_, tensor) = column.unwrap_or_else(|| panic!("`{expression}` needs `{name}`"));
        let mut tensor = tensor.clone();
        // Tensors of tests do not know how many of their values make a row.
        if tensor.splits.is_empty() {
            tensor.rows = tensor.values.len() / ty.fixed_len().unwrap_or(1);
        }
        tensor.check(ty).unwrap();
        rows = tensor.rows;
        tensor
    });
    let tensors = tensors.collect();
    let found = program.run(rows, tensors).unwrap().remove(0);
    let ty = builder.ty(value).clone();
    found.check(&ty).unwrap_or_else(|e| panic!("`{expression}`: {e}"));
    (ty, found)
}

/// Holds an expression of some of the example columns to a result.
#[track_caller]
pub(super) fn check(expression: &str, columns: &[(&str, Tensor)], expected: Tensor) {
    let (ty, found) = run(expression, columns);
    let expected =
        if expected.splits.is_empty() { Tensor { rows: found.rows, ..expected } } else { expected };
    expected.check(&ty).unwrap_or_else(|e| panic!("`{expression}`: {e}; found {found:?}"));
    let same = one_nan(&found).same_bits(&one_nan(&expected));
    assert!(same, "`{expression}`:\n{found:?}\n{expected:?}");
}

/// With one NaN for all: machines differ in its sign.
fn one_nan(tensor: &Tensor) -> Tensor {
    match &tensor.values {
        Values::Float32(values) => {
            let values = values.iter().map(|v| if v.is_nan() { f32::NAN } else { *v });
            tensor.with_values(values.collect::<Vec<_>>())
        }
        Values::Float64(values) => {
            let values = values.iter().map(|v| if v.is_nan() { f64::NAN } else { *v });
            tensor.with_values(values.collect::<Vec<_>>())
        }
        _ => tensor.clone(),
    }
}

/// Holds an expression to the message it is refused with.
#[track_caller]
pub(super) fn refused(expression: &str, message: &str) {
    match trace(expression) {
        Ok(_) => panic!("`{expression}` is accepted"),
        Err(error) => assert_eq!(error.message(), message, "`{expression}`"),
    }
}

/// Booleans.
pub(super) fn bools(values: &[bool]) -> Tensor {
    Tensor::dense(values.len(), values.iter().map(|&v| u8::from(v)).collect::<Vec<_>>())
}

/// Integers or microseconds.
pub(super) fn ints(values: &[i64]) -> Tensor {
    Tensor::dense(values.len(), values.to_vec())
}

/// Singles.
pub(super) fn floats(values: &[f32]) -> Tensor {
    Tensor::dense(values.len(), values.to_vec())
}

/// Doubles.
pub(super) fn doubles(values: &[f64]) -> Tensor {
    Tensor::dense(values.len(), values.to_vec())
}

/// Strings.
pub(super) fn texts(values: &[&str]) -> Tensor {
    Tensor::dense(values.len(), values.iter().collect::<Strings>())
}

/// Strings of any bytes.
pub(super) fn bytes(values: &[&[u8]]) -> Tensor {
    Tensor::dense(values.len(), values.iter().collect::<Strings>())
}

/// Lists of these lengths.
pub(super) fn lists(lengths: &[usize], items: Tensor) -> Tensor {
    let mut splits = vec![splits_of(lengths.iter().copied()).unwrap()];
    splits.extend(items.splits);
    Tensor { rows: lengths.len(), splits, values: items.values }
}

/// Nasty values for an example column.
fn nasty(dtype: DType, dims: &[Dim]) -> Tensor {
    const ROWS: usize = 9;
    let mut items = ROWS;
    let mut splits = Vec::new();
    for (level, dim) in dims.iter().enumerate() {
        items = match dim {
            Dim::Fixed(n) => items * *n as usize,
            Dim::Var => {
                let lengths = (0..items).map(|i| [2, 0, 1, 5, 3][(i + level) % 5]);
                splits.push(splits_of(lengths).unwrap());
                splits.last().unwrap().last().copied().unwrap() as usize
            }
        };
    }
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let numbers = [0.0, -0.0, 1.5, -2.5, nan, inf, -inf, 1e10, 0.5, -7.0, 3e38, 1e-40];
    let numbers = (0..items).map(|i| numbers[i % numbers.len()]);
    let values: Values = match dtype {
        DType::Bool => (0..items).map(|i| u8::from(i % 3 == 0)).collect::<Vec<_>>().into(),
        DType::Int64 => {
            let ints = [0, 1, -1, 2, i64::MAX, i64::MIN, 7, -9, 3];
            (0..items).map(|i| ints[i % ints.len()]).collect::<Vec<_>>().into()
        }
        DType::Timestamp => {
            let times = [0, 1, -1, i64::MAX, 1_234_567_890_123_456, i64::MIN, -86_400_000_000];
            (0..items).map(|i| times[i % times.len()]).collect::<Vec<_>>().into()
        }
        DType::Float32 => numbers.map(|n| n as f32).collect::<Vec<_>>().into(),
        DType::Float64 => numbers.collect::<Vec<_>>().into(),
        _ => {
            let texts: [&[u8]; 11] = [
                b"a",
                b"",
                "Ünï ß\u{130}".as_bytes(),
                b"\xff\xfe",
                b" 12 ",
                b"-1.5e3",
                b"nan",
                b"2020-02-29 12:34:56",
                "e\u{301} \u{fb01}".as_bytes(),
                b"\0\n\tb  c ",
                b"99999999999999999999",
            ];
            (0..items).map(|i| texts[i % texts.len()]).collect::<Strings>().into()
        }
    };
    Tensor { rows: ROWS, splits, values }
}

/// One row of a tensor.
fn row_of(tensor: &Tensor, dims: &[Dim], row: usize) -> Tensor {
    let (mut items, mut splits, mut rest) = (row..row + 1, Vec::new(), tensor.splits.iter());
    for dim in dims {
        items = match dim {
            Dim::Fixed(n) => items.start * *n as usize..items.end * *n as usize,
            Dim::Var => {
                let ends = rest.next().unwrap();
                let lengths = items.clone().map(|i| (ends[i + 1] - ends[i]) as usize);
                splits.push(splits_of(lengths).unwrap());
                ends[items.start] as usize..ends[items.end] as usize
            }
        };
    }
    let values = match &tensor.values {
        Values::Bool(v) => v[items].to_vec().into(),
        Values::Int64(v) => v[items].to_vec().into(),
        Values::Float32(v) => v[items].to_vec().into(),
        Values::Float64(v) => v[items].to_vec().into(),
        Values::String(v) => items.map(|i| v.get(i)).collect::<Strings>().into(),
        asset @ (Values::Vocabulary(_) | Values::Tokenizer(_)) => asset.clone(),
    };
    Tensor { rows: 1, splits, values }
}

#[test]
fn a_batch_gives_what_its_rows_give() {
    let mut expressions: Vec<&str> =
        super::OPS.iter().flat_map(|op| op.examples).copied().collect();
    // The small parser here knows no lists of results; the module language runs these, too.
    expressions.retain(|expression| !expression.starts_with('['));
    let mut ran = 0;
    for expression in expressions {
        let (builder, value) = trace(expression).unwrap_or_else(|e| panic!("`{expression}`: {e}"));
        // What analyzers find is held to the law where they run.
        if builder.graph().nodes.iter().any(crate::graph::Node::is_analyzer) {
            continue;
        }
        let program = Program::new(builder.graph(), &[value]).unwrap();
        let columns: Vec<(&[Dim], Tensor)> = program
            .inputs()
            .iter()
            .map(|(_, ty)| (&ty.shape[..], nasty(ty.dtype, &ty.shape)))
            .collect();
        let rows = columns.first().map_or(1, |(_, tensor)| tensor.rows);
        let ty = builder.ty(value);
        let inputs = columns.iter().map(|(_, tensor)| tensor.clone()).collect();
        let whole = program.run(rows, inputs).unwrap().remove(0);
        whole.check(ty).unwrap_or_else(|e| panic!("`{expression}`: {e}"));
        for row in 0..rows {
            let inputs = columns.iter().map(|(dims, tensor)| row_of(tensor, dims, row));
            let one = program.run(1, inputs.collect()).unwrap().remove(0);
            let expected = row_of(&whole, &ty.shape, row);
            assert!(one.same_bits(&expected), "`{expression}`, row {row}:\n{one:?}\n{expected:?}");
        }
        let empty = columns.iter().map(|(dims, tensor)| {
            let n = dims.iter().filter(|dim| **dim == Dim::Var).count();
            let splits = vec![splits_of([]).unwrap(); n];
            let dtype = match &tensor.values {
                Values::Bool(_) => DType::Bool,
                Values::Int64(_) => DType::Int64,
                Values::Float32(_) => DType::Float32,
                Values::Float64(_) => DType::Float64,
                _ => DType::String,
            };
            Tensor { rows: 0, splits, values: Values::empty(dtype) }
        });
        let none = program.run(0, empty.collect()).unwrap().remove(0);
        none.check(ty).unwrap_or_else(|e| panic!("`{expression}` of no rows: {e}"));
        ran += 1;
    }
    assert!(ran > 100, "{ran}");
}
