//! Synthetic data whose every cell is a function of (seed, row): sharding and format change nothing.
//!
//! The default columns are those of a public set of Chicago taxi trips, with its types, shares of
//! missing cells and shapes of distributions. What is known about them, without drift:
//!
//! | column | missing | values |
//! |---|---|---|
//! | `trip_start_month`, `_hour`, `_day` | 0 | 1..=12; 0..=23; 1..=7, Sunday being 1 |
//! | `trip_start_timestamp` | 0 | multiples of 900 from 2013-01-01 to 2016-12-26 |
//! | `pickup_community_area`, `_latitude`, `_longitude` | 0.0133 % | 300 places, 77 areas |
//! | `pickup_census_tract` | 99.9 % | |
//! | `dropoff_latitude`, `_longitude` | 3.22 % | 300 places |
//! | `dropoff_community_area`, `_census_tract` | 3.38 %, 28.27 % | 77 areas, 300 tracts |
//! | `trip_miles` | 0 | 27 % are 0; median of the rest 1.60, quartiles 0.90 and 3.50, at most 170 |
//! | `trip_seconds` | 0.04 % | whole minutes; 3.22 % are 0 |
//! | `fare` | 0 | 0.18 % are 0 |
//! | `tips` | 0 | 68 % are 0 |
//! | `payment_type` | 0 | 7; Cash 66.05 %, Credit Card 33.16 %, No Charge 0.54 % |
//! | `company` | 34.26 % | 2,009; Taxi Affiliation Services 52.0 % of those present |
//!
//! [`Columns::Full`] adds what comma-separated values cannot say: lists, missing and empty ones,
//! and also infinities, NaN, text and identifiers:
//!
//! | column | missing | values |
//! |---|---|---|
//! | `trip_id` | 0 | as many as there are rows |
//! | `speed_mph` | 0.04 % | 0.87 % NaN, 2.1 % +inf, 0.24 % -inf |
//! | `stop_areas` | 20 % | 0 to 8 integers |
//! | `extras` | 50 % | 0 to 4 of 8 strings |
//! | `review` | 75 % | 3 to 18 words, some of them not ASCII |
//!
//! [`Columns::Texts`] are sentences to learn from: half of them have a verb that agrees with its subject.
//!
//! **Invariant:** nothing but additions, multiplications, divisions and comparisons of floats is
//! used, so that every machine makes the same bytes.

mod csv;
mod draw;
mod places;
mod taxi;
mod texts;
mod wide;
mod write;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, ListBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use engine::{Error, Result};

use self::draw::primitives;
use self::taxi::{COLUMNS, FLAT, Make, Taxi};
use self::texts::Texts;
use self::wide::WideColumn;
pub use self::write::{FileFormat, ShardWriter};

/// Which columns are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// 18 columns of taxi trips, one value at most in each cell.
    #[default]
    Taxi,
    /// The same and five more: an identifier, a float with infinities and NaN, lists of integers
    /// and of strings, and text.
    Full,
    /// A sentence, and 1 where its verb agrees with its subject, else 0.
    Texts,
    /// So many columns of six kinds in turn.
    Wide(usize),
}

/// What to make.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticOptions {
    /// Rows in all.
    pub rows: u64,
    /// Another seed gives other rows of the same distributions.
    pub seed: u64,
    /// Which columns.
    pub columns: Columns,
    /// How far distributions have moved, from 0 to 1: trips are a year later, a fifth is paid in a
    /// way unknown before, fares rise by 30 %, twenty more in a hundred lack their company. Of sentences
    /// up to half get another form.
    pub drift: f64,
}

impl Default for SyntheticOptions {
    fn default() -> Self {
        SyntheticOptions { rows: 100_000, seed: 1, columns: Columns::default(), drift: 0.0 }
    }
}

/// A table of synthetic rows, of which any part can be made.
pub struct Synthetic {
    rows: u64,
    schema: SchemaRef,
    maker: Maker,
}

enum Maker {
    Taxi(Box<Taxi>),
    Texts(Texts),
    Wide(Vec<WideColumn>),
}

impl Synthetic {
    /// Prepares the tables that rows are drawn from.
    ///
    /// # Errors
    /// When the drift is not from 0 to 1 or there are too many columns.
    pub fn new(options: &SyntheticOptions) -> Result<Self> {
        /// More columns than a Parquet footer or a tf.Example can sensibly name.
        const MOST_COLUMNS: usize = 100_000;
        let SyntheticOptions { rows, seed, columns, drift } = *options;
        if !(0.0..=1.0).contains(&drift) {
            return Err(Error::invalid(format!("a drift of {drift} cannot be made"))
                .with_hint("Choose one from 0 (none) to 1."));
        }
        let (maker, fields): (Maker, Vec<Field>) = match columns {
            Columns::Taxi | Columns::Full => {
                let n = if columns == Columns::Taxi { FLAT } else { COLUMNS.len() };
                let fields = COLUMNS[..n].iter();
                (
                    Maker::Taxi(Box::new(Taxi::new(seed, drift))),
                    fields.map(|(name, make)| Field::new(*name, make.data_type(), true)).collect(),
                )
            }
            Columns::Texts => (Maker::Texts(Texts::new(seed, drift)), Texts::fields()),
            Columns::Wide(n) => {
                if n == 0 || n > MOST_COLUMNS {
                    return Err(Error::invalid(format!("a table of {n} columns cannot be made"))
                        .with_hint(format!("Choose from 1 to {MOST_COLUMNS} columns.")));
                }
                let columns: Vec<_> = (0..n).map(|i| WideColumn::new(seed, drift, i)).collect();
                let field =
                    |column: &WideColumn| Field::new(&column.name, column.data_type(), true);
                let fields = columns.iter().map(field).collect();
                (Maker::Wide(columns), fields)
            }
        };
        Ok(Synthetic { rows, schema: Arc::new(Schema::new(fields)), maker })
    }

    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Some of the rows.
    ///
    /// # Panics
    /// When a batch of so many rows does not fit in 32-bit offsets.
    pub fn batch(&self, rows: Range<u64>) -> RecordBatch {
        let columns: Vec<ArrayRef> = match &self.maker {
            Maker::Taxi(taxi) => COLUMNS[..self.schema.fields().len()]
                .iter()
                .map(|(_, make)| make.array(taxi, rows.clone()))
                .collect(),
            Maker::Texts(texts) => texts.columns(rows),
            Maker::Wide(columns) => {
                columns.iter().map(|column| column.array(rows.clone())).collect()
            }
        };
        RecordBatch::try_new(self.schema.clone(), columns)
            .expect("every column has its field's type and one cell for each row")
    }

    /// The rows of one of `shards` shards: consecutive ones, as equally many as possible.
    pub fn shard(&self, index: usize, shards: usize) -> Range<u64> {
        let border =
            |i: usize| (u128::from(self.rows) * i as u128 / (shards as u128).max(1)) as u64;
        border(index)..border(index + 1)
    }
}

impl Make {
    fn data_type(self) -> DataType {
        match self {
            Make::Int(_) => DataType::Int64,
            Make::Float(_) => DataType::Float64,
            Make::Text(_) | Make::Write(_) => DataType::Utf8,
            Make::Ints(_) => DataType::new_list(DataType::Int64, true),
            Make::Texts(_) => DataType::new_list(DataType::Utf8, true),
        }
    }

    fn array(self, taxi: &Taxi, rows: Range<u64>) -> ArrayRef {
        match self {
            Make::Int(of) => primitives::<Int64Type>(rows, |row| of(taxi, row)),
            Make::Float(of) => primitives::<Float64Type>(rows, |row| of(taxi, row)),
            Make::Text(of) => {
                let mut builder = StringBuilder::new();
                rows.for_each(|row| builder.append_option(of(taxi, row)));
                Arc::new(builder.finish())
            }
            Make::Write(write) => {
                let mut builder = StringBuilder::new();
                let mut cell = String::new();
                for row in rows {
                    cell.clear();
                    builder.append_option(write(taxi, row, &mut cell).then_some(&cell));
                }
                Arc::new(builder.finish())
            }
            Make::Ints(write) => {
                lists(rows, PrimitiveBuilder::<Int64Type>::new(), |row, out: &mut Vec<i64>, to| {
                    write(taxi, row, out) && {
                        to.append_slice(out);
                        true
                    }
                })
            }
            Make::Texts(write) => {
                lists(rows, StringBuilder::new(), |row, out: &mut Vec<&'static str>, to| {
                    write(taxi, row, out) && {
                        for text in out {
                            to.append_value(text);
                        }
                        true
                    }
                })
            }
        }
    }
}

/// An array of lists, whose values `write` collects in a vector first.
fn lists<B: ArrayBuilder, T>(
    rows: Range<u64>,
    values: B,
    write: impl Fn(u64, &mut Vec<T>, &mut B) -> bool,
) -> ArrayRef {
    let mut builder = ListBuilder::new(values);
    let mut cell = Vec::new();
    for row in rows {
        cell.clear();
        let is_present = write(row, &mut cell, builder.values());
        builder.append(is_present);
    }
    Arc::new(builder.finish())
}

#[cfg(test)]
mod tests;
