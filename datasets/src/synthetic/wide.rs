//! Tables of any width: columns of six kinds in turn, each with shape and missing share of its own.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_schema::DataType;

use super::draw::{Stream, Weighted, primitives};

/// One of the columns.
pub(super) struct WideColumn {
    pub(super) name: String,
    kind: Kind,
    values: Stream,
    present: Stream,
    missing: f64,
    drift: f64,
}

enum Kind {
    /// Uniform integers below a bound.
    Ints(u64),
    /// Integers of which the small ones are frequent.
    Ranks(Weighted),
    /// The sum of four uniform numbers, which is bell-shaped: mean 0, standard deviation 1.
    Bell,
    /// Half zeros, and a long tail.
    Amounts,
    /// A few strings.
    Labels(Weighted),
    /// Strings of which nearly every one is new.
    Codes,
}

impl WideColumn {
    pub(super) fn new(seed: u64, drift: f64, index: usize) -> Self {
        let shape = Stream::new(0, "wide").bits(index as u64);
        let (kind, suffix) = match index % 6 {
            0 => (Kind::Ints(10 << (shape % 20)), "int"),
            1 => (Kind::Ranks(Weighted::zipf(20 + (shape % 2000) as usize)), "rank"),
            2 => (Kind::Bell, "bell"),
            3 => (Kind::Amounts, "amount"),
            4 => (Kind::Labels(Weighted::zipf(2 + (shape % 60) as usize)), "label"),
            _ => (Kind::Codes, "code"),
        };
        let name = format!("c{index:05}_{suffix}");
        WideColumn {
            kind,
            values: Stream::new(seed, &name),
            present: Stream::new(seed, &format!("{name} present")),
            // A third of the columns is complete; the others lack up to half of their cells.
            missing: if index.is_multiple_of(3) {
                0.0
            } else {
                ((shape >> 32) % 50) as f64 / 100.0
            },
            drift,
            name,
        }
    }

    pub(super) fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Ints(_) | Kind::Ranks(_) => DataType::Int64,
            Kind::Bell | Kind::Amounts => DataType::Float64,
            Kind::Labels(_) | Kind::Codes => DataType::Utf8,
        }
    }

    pub(super) fn array(&self, rows: Range<u64>) -> ArrayRef {
        let values = self.values;
        let present = |row: u64| self.missing == 0.0 || !self.present.chance(row, self.missing);
        match &self.kind {
            Kind::Ints(bound) => primitives::<Int64Type>(rows, |row| {
                present(row).then(|| values.below(row, *bound) as i64)
            }),
            Kind::Ranks(weighted) => primitives::<Int64Type>(rows, |row| {
                present(row).then(|| weighted.pick(values.bits(row)) as i64)
            }),
            Kind::Bell => primitives::<Float64Type>(rows, |row| {
                present(row).then(|| {
                    let bits = values.bits(row);
                    let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
                    // Four uniform numbers have the variance 4/12.
                    (sum as f64 / 65_536.0 - 2.0) * 1.732_050_807_568_877_2 + self.drift
                })
            }),
            Kind::Amounts => primitives::<Float64Type>(rows, |row| {
                present(row).then(|| {
                    let unit = values.unit(row);
                    if unit < 0.5 { 0.0 } else { (100.0 / (1.0 - unit)).round() / 100.0 }
                })
            }),
            Kind::Labels(weighted) => text(rows, present, |row, out| {
                let label = weighted.pick(values.bits(row));
                let _ = write!(out, "label {label}");
            }),
            Kind::Codes => text(rows, present, |row, out| {
                let _ = write!(out, "{:x}", values.bits(row));
            }),
        }
    }
}

fn text(
    rows: Range<u64>,
    present: impl Fn(u64) -> bool,
    write: impl Fn(u64, &mut String),
) -> ArrayRef {
    let mut builder = StringBuilder::new();
    let mut cell = String::new();
    for row in rows {
        if present(row) {
            cell.clear();
            write(row, &mut cell);
            builder.append_value(&cell);
        } else {
            builder.append_null();
        }
    }
    Arc::new(builder.finish())
}
