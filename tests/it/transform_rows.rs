//! Columns as they are compared with those of a golden: row after row, from tensors and from JSON.

use serde_json::Value;
use transform::{DType, Tensor, Type, Values};

/// One column, row after row.
pub(crate) struct Rows {
    pub(crate) name: String,
    /// Where each row ends.
    pub(crate) ends: Vec<usize>,
    pub(crate) values: Flat,
}

/// Values as they are compared.
#[derive(Debug)]
pub(crate) enum Flat {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<Vec<u8>>),
}

impl Rows {
    pub(crate) fn new(name: &str, dtype: DType) -> Self {
        let values = match dtype {
            DType::Bool | DType::Int64 | DType::Timestamp => Flat::Ints(Vec::new()),
            DType::Float32 | DType::Float64 => Flat::Floats(Vec::new()),
            DType::String | DType::Vocabulary | DType::Tokenizer => Flat::Texts(Vec::new()),
        };
        Rows { name: name.to_owned(), ends: Vec::new(), values }
    }

    /// A column of JSON: a list of values for each row, their bytes as characters of Latin-1.
    pub(crate) fn of_json(name: &str, dtype: DType, rows: &Value) -> Self {
        let mut found = Rows::new(name, dtype);
        for row in rows.as_array().unwrap() {
            for value in row.as_array().unwrap() {
                found.values.push(value, latin1);
            }
            found.ends.push(found.values.len());
        }
        found
    }

    /// Adds the rows of a tensor.
    pub(crate) fn add(&mut self, tensor: &Tensor, ty: &Type) {
        let before = self.ends.last().copied().unwrap_or(0);
        let ends = tensor.row_ends(&ty.shape);
        self.ends.extend((1..=tensor.rows).map(|row| before + ends.start(row)));
        match (&mut self.values, &tensor.values) {
            (Flat::Ints(all), Values::Bool(values)) => {
                all.extend(values.iter().map(|value| i64::from(*value)));
            }
            (Flat::Ints(all), Values::Int64(values)) => all.extend_from_slice(values),
            (Flat::Floats(all), Values::Float32(values)) => {
                all.extend(values.iter().map(|value| f64::from(*value)));
            }
            (Flat::Floats(all), Values::Float64(values)) => all.extend_from_slice(values),
            (Flat::Texts(all), Values::String(values)) => {
                all.extend(values.iter().map(<[u8]>::to_vec));
            }
            _ => panic!("{}: a tensor of another type", self.name),
        }
    }

    /// The first row alone.
    pub(crate) fn first(&self) -> Self {
        let n = self.ends.first().copied().unwrap_or(0);
        let values = match &self.values {
            Flat::Ints(all) => Flat::Ints(all[..n].to_vec()),
            Flat::Floats(all) => Flat::Floats(all[..n].to_vec()),
            Flat::Texts(all) => Flat::Texts(all[..n].to_vec()),
        };
        Rows { name: self.name.clone(), ends: vec![n], values }
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        row.checked_sub(1).map_or(0, |row| self.ends[row])..self.ends[row]
    }

    /// The values of a row, as text.
    fn show(&self, row: usize) -> String {
        let range = self.range(row);
        match &self.values {
            Flat::Ints(values) => format!("{:?}", &values[range]),
            Flat::Floats(values) => format!("{:?}", &values[range]),
            Flat::Texts(values) => {
                let texts = values[range].iter().map(|text| text.escape_ascii().to_string());
                format!("{:?}", texts.collect::<Vec<_>>())
            }
        }
    }

    /// The rows that differ, and how, by what makes two floats the same.
    pub(crate) fn differences(
        &self,
        golden: &Rows,
        same: impl Fn(f64, f64) -> bool,
    ) -> Vec<(usize, String)> {
        let (n, n_golden) = (self.ends.len(), golden.ends.len());
        assert_eq!(n, n_golden, "rows of `{}`", self.name);
        let same_row = |row: usize| {
            let (a, b) = (self.range(row), golden.range(row));
            match (&self.values, &golden.values) {
                (Flat::Ints(ours), Flat::Ints(theirs)) => ours[a] == theirs[b],
                (Flat::Texts(ours), Flat::Texts(theirs)) => ours[a] == theirs[b],
                (Flat::Floats(ours), Flat::Floats(theirs)) => {
                    a.len() == b.len() && a.zip(b).all(|(i, j)| same(ours[i], theirs[j]))
                }
                _ => false,
            }
        };
        let wrong = (0..n).filter(|row| !same_row(*row));
        wrong
            .map(|row| (row, format!("{}, TFT has {}", self.show(row), golden.show(row))))
            .collect()
    }
}

impl Flat {
    pub(crate) fn len(&self) -> usize {
        match self {
            Flat::Ints(all) => all.len(),
            Flat::Floats(all) => all.len(),
            Flat::Texts(all) => all.len(),
        }
    }

    /// Adds a value of JSON.
    pub(crate) fn push(&mut self, value: &Value, bytes: fn(&str) -> Vec<u8>) {
        match (self, value) {
            (Flat::Ints(all), Value::Number(number)) => all.push(number.as_i64().unwrap()),
            (Flat::Floats(all), value) => all.push(float(value)),
            (Flat::Texts(all), Value::String(text)) => all.push(bytes(text)),
            _ => panic!("{value} is of another type"),
        }
    }
}

/// A float, of which JSON has no infinities and NaN.
fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.to_lowercase().parse().unwrap(),
        Value::Null => f64::NAN,
        value => value.as_f64().unwrap(),
    }
}

/// The bytes whose characters of Latin-1 these are.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

/// The same number, as far as arithmetic in single precision goes.
pub(crate) fn close(ours: f64, theirs: f64) -> bool {
    let equal = ours == theirs || ours.is_nan() && theirs.is_nan();
    equal || theirs.is_finite() && (ours - theirs).abs() <= 1e-6 + 1e-5 * theirs.abs()
}
