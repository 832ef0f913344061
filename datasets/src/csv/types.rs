//! What type a CSV column is: a semilattice over its cells, as TensorFlow Data Validation infers it.
//!
//! A cell alone is an integer, a float or a string by Python's grammar; a column is the largest of
//! its cells. So the order of cells, batches and shards cannot matter.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BinaryViewArray};
use engine::{Batch, CombineFn, Error, Result};

use super::number::{Int, Short, float, int, short_kind};

/// The type of a column, or of one cell. A larger type can hold what a smaller one can.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum CsvType {
    /// Every cell so far was empty.
    #[default]
    Unknown,
    /// Integers that fit 64 bits.
    Int,
    /// Numbers.
    Float,
    /// Anything else; also integers that do not fit 64 bits.
    String,
}

impl CsvType {
    /// The type of one cell; an empty one is missing and says nothing.
    pub fn of(cell: &[u8]) -> Self {
        if cell.is_empty() {
            return CsvType::Unknown;
        }
        match int(cell, 0, cell.len()) {
            Int::Value(_) => CsvType::Int,
            Int::No if float(cell, 0, cell.len()).is_some() => CsvType::Float,
            Int::No | Int::TooLarge => CsvType::String,
        }
    }

    /// How messages name it.
    pub fn name(self) -> &'static str {
        match self {
            CsvType::Unknown => "unknown",
            CsvType::Int => "int",
            CsvType::Float => "float",
            CsvType::String => "string",
        }
    }
}

/// The types of the columns of a CSV dataset, by name.
///
/// A commutative, idempotent monoid under [`CsvTypes::merge`]: the empty map is its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CsvTypes {
    /// Type by column name. A column that is not here is not read.
    pub columns: BTreeMap<String, CsvType>,
}

impl CsvTypes {
    /// The type of `column`, if it is known at all.
    pub fn get(&self, column: &str) -> Option<CsvType> {
        self.columns.get(column).copied()
    }

    /// Takes the larger type of every column.
    pub fn merge(&mut self, other: &CsvTypes) {
        for (column, &found) in &other.columns {
            self.join(column, found);
        }
    }

    fn join(&mut self, column: &str, found: CsvType) {
        match self.columns.get_mut(column) {
            Some(known) => *known = found.max(*known),
            None => {
                self.columns.insert(column.to_owned(), found);
            }
        }
    }

    /// Folds the cells of an untyped batch in.
    ///
    /// # Errors
    /// When a column of the batch is not text as an untyped CSV source yields it.
    pub fn add(&mut self, batch: &Batch, multivalent: &Multivalent) -> Result<()> {
        let records = &batch.records;
        for (field, array) in records.schema_ref().fields().iter().zip(records.columns()) {
            let name = field.name();
            let Some(cells) = array.as_binary_view_opt() else {
                return Err(Error::invalid(format!("column `{name}` is not untyped CSV text"))
                    .with_detail(format!("It is {}.", array.data_type())));
            };
            let known = self.get(name).unwrap_or_default();
            let found = if multivalent.contains(name) {
                largest_of_lists(cells, multivalent.delimiter, known)
            } else {
                largest(cells, known)
            };
            self.join(name, found);
        }
        Ok(())
    }
}

/// Finds the types of the columns of an untyped CSV source.
#[derive(Clone, Debug, Default)]
pub struct InferCsvTypes {
    /// Columns whose cells are lists: their values decide.
    pub multivalent: Multivalent,
}

impl CombineFn for InferCsvTypes {
    type Input = Batch;
    type Accumulator = CsvTypes;
    type Output = CsvTypes;

    fn name(&self) -> &'static str {
        "csv_types"
    }

    fn create_accumulator(&self) -> CsvTypes {
        CsvTypes::default()
    }

    fn add_input(&self, acc: &mut CsvTypes, batch: &Batch) -> Result<()> {
        acc.add(batch, &self.multivalent)
    }

    fn merge_accumulators(&self, acc: &mut CsvTypes, other: CsvTypes) -> Result<()> {
        acc.merge(&other);
        Ok(())
    }

    fn extract_output(&self, acc: CsvTypes) -> Result<CsvTypes> {
        Ok(acc)
    }
}

/// Which columns hold several values in a cell, and what stands between the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multivalent {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// What separates the values of one cell.
    pub delimiter: u8,
}

impl Default for Multivalent {
    fn default() -> Self {
        Multivalent { columns: Vec::new(), delimiter: b'|' }
    }
}

impl Multivalent {
    /// True when `column` holds several values in a cell.
    pub fn contains(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }
}

/// The largest type among `known` and the cells; stops early, nothing is larger than a string.
fn largest(cells: &BinaryViewArray, known: CsvType) -> CsvType {
    let mut found = known;
    if cells.null_count() == cells.len() {
        return found;
    }
    // Empty cells are null and have empty views, so that the validity need not be asked for.
    for &view in cells.views() {
        if found == CsvType::String {
            break;
        }
        let len = view as u32 as usize;
        let of_cell = if len <= 12 {
            short_type(view >> 32, len)
        } else {
            let block = &cells.data_buffers()[(view >> 64) as u32 as usize];
            let start = (view >> 96) as usize;
            CsvType::of(&block[start..start + len])
        };
        found = found.max(of_cell);
    }
    found
}

/// The type of a cell of at most twelve bytes, which are the low bytes of `chars`.
#[inline]
fn short_type(chars: u128, len: usize) -> CsvType {
    match short_kind(chars, len) {
        Short::Int => CsvType::Int,
        Short::Float => CsvType::Float,
        Short::Unclear => CsvType::of(&chars.to_le_bytes()[..len]),
    }
}

/// As [`largest`], where every cell is a list of values.
fn largest_of_lists(cells: &BinaryViewArray, delimiter: u8, known: CsvType) -> CsvType {
    let values = cells.iter().flatten().flat_map(|cell| cell.split(|&byte| byte == delimiter));
    values.map(CsvType::of).fold(known, CsvType::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_one_type() {
        for (cell, expected) in [
            ("", CsvType::Unknown),
            ("1_000", CsvType::Int),
            (" 5 ", CsvType::Int),
            ("+5", CsvType::Int),
            ("-9223372036854775808", CsvType::Int),
            ("9223372036854775808", CsvType::String),
            ("1e3", CsvType::Float),
            ("nan", CsvType::Float),
            ("Infinity", CsvType::Float),
            ("0x1f", CsvType::String),
            (" ", CsvType::String),
            ("2021-01-01", CsvType::String),
            ("True", CsvType::String),
        ] {
            assert_eq!(CsvType::of(cell.as_bytes()), expected, "{cell:?}");
        }
    }

    #[test]
    fn merging_takes_the_larger_type() {
        let of = |pairs: &[(&str, CsvType)]| CsvTypes {
            columns: pairs.iter().map(|(name, t)| ((*name).to_owned(), *t)).collect(),
        };
        let mut types = of(&[("a", CsvType::Int), ("b", CsvType::String)]);
        types.merge(&of(&[("a", CsvType::Float), ("b", CsvType::Int), ("c", CsvType::Unknown)]));
        assert_eq!(
            types,
            of(&[("a", CsvType::Float), ("b", CsvType::String), ("c", CsvType::Unknown)])
        );
    }
}
