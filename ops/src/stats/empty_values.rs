//! Stand-ins for missing values: `-1`, empty texts and empty inner lists.
//!
//! The names and meanings are those of TFDV's `EmptyValueCounterGenerator`, which has to be asked for
//! there as here: pass [`EMPTY_VALUES`] to [`super::custom::CustomGenerators::feature`].

use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::generator::feature_stats;
use super::{Column, Generator, Kind, Level, Patch, Values, custom};

/// Counts `-1`, empty texts or empty inner lists of a feature, by its type.
pub const EMPTY_VALUES: Generator = Generator {
    name: "empty_values",
    doc: "number of -1, of empty texts and of empty inner lists",
    new: |feature| (feature.kind != Kind::Struct).then(|| feature_stats(EmptyValues)),
};

struct EmptyValues;

#[derive(Default, Serialize, Deserialize)]
struct Counts {
    minus_one: u64,
    empty_text: u64,
    empty_list: u64,
}

impl CombineFn for EmptyValues {
    type Input = Column;
    type Accumulator = Counts;
    type Output = Patch;

    fn name(&self) -> &'static str {
        EMPTY_VALUES.name
    }

    fn create_accumulator(&self) -> Counts {
        Counts::default()
    }

    fn add_input(&self, acc: &mut Counts, column: &Column) -> Result<()> {
        if let [_, inner, ..] = column.levels.as_slice() {
            let is_empty = |level: &Level, i| level.length(i) == 0;
            acc.empty_list += (0..inner.n_parents).filter(|&i| is_empty(inner, i)).count() as u64;
            return Ok(());
        }
        match &column.values {
            Values::Int(a) => acc.minus_one += a.iter().filter(|v| *v == Some(-1)).count() as u64,
            Values::Float32(a) => {
                acc.minus_one += a.iter().filter(|v| *v == Some(-1.0)).count() as u64;
            }
            Values::Float64(a) => {
                acc.minus_one += a.iter().filter(|v| *v == Some(-1.0)).count() as u64;
            }
            Values::Bytes(a) => {
                acc.empty_text += a.iter().flatten().filter(|text| text.is_empty()).count() as u64;
            }
            Values::Dictionary { codes, values } => {
                let is_empty: Vec<bool> =
                    values.iter().map(|text| text.is_some_and(<[u8]>::is_empty)).collect();
                let codes = codes.iter().flatten();
                acc.empty_text += codes.filter(|&code| is_empty[code as usize]).count() as u64;
            }
            Values::Unknown(_) | Values::Struct(_) => {}
        }
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Counts, other: Counts) -> Result<()> {
        acc.minus_one += other.minus_one;
        acc.empty_text += other.empty_text;
        acc.empty_list += other.empty_list;
        Ok(())
    }

    fn extract_output(&self, acc: Counts) -> Result<Patch> {
        Ok(Box::new(move |message| {
            let counts = [
                ("int_-1", acc.minus_one),
                ("str_empty", acc.empty_text),
                ("list_empty", acc.empty_list),
            ];
            for (name, n) in counts.into_iter().filter(|&(_, n)| n > 0) {
                custom::add_number(message, name, n as f64);
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{ArrayRef, Float32Array, Int64Array};

    use super::*;
    use crate::stats::{StatsOptions, laws};

    fn check(column: ArrayRef, expected: &[&str]) {
        let message = laws::feature(&EMPTY_VALUES, &StatsOptions::default(), column, |a, b| a == b);
        assert_eq!(laws::custom(&message), expected);
    }

    #[test]
    fn stand_ins() {
        check(Arc::new(Int64Array::from(vec![Some(-1), None, Some(0), Some(-1)])), &["int_-1: 2"]);
        check(Arc::new(Float32Array::from(vec![-1.0, f32::NAN, -1.5])), &["int_-1: 1"]);
        let texts = || laws::strings([Some(&b""[..]), None, Some(b"-1"), Some(b"\xff"), Some(b"")]);
        check(texts(), &["str_empty: 2"]);
        let dictionary = arrow_schema::DataType::Dictionary(
            Box::new(arrow_schema::DataType::Int32),
            Box::new(arrow_schema::DataType::Binary),
        );
        check(arrow_cast::cast(&texts(), &dictionary).unwrap(), &["str_empty: 2"]);
        check(laws::strings([None, Some(&b" "[..])]), &[]);
    }

    #[test]
    fn inner_lists() {
        let mut builder = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
        for row in [Some(vec![vec![-1, -1], vec![]]), None, Some(vec![]), Some(vec![vec![]])] {
            for list in row.iter().flatten() {
                builder.values().append_value(list.iter().copied().map(Some));
            }
            builder.append(row.is_some());
        }
        check(Arc::new(builder.finish()), &["list_empty: 2"]);
    }
}
