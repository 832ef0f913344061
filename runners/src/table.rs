//! Statistics as a table for people: a pure function from the message to text.
//!
//! A slice is a heading and up to five tables: numbers, strings, bytes and structs, other
//! statistics, and pairs of features. Columns that do not fit the width are left out, the least telling first, and
//! a last line names them.

pub(crate) mod evaluation;
pub(crate) mod format;
mod layout;
mod rows;
mod schema;
mod skew;

use std::fmt::Write as _;

use ops::tfmd::DatasetFeatureStatisticsList;

pub use self::evaluation::{render_evaluation, render_validation};
pub use self::schema::render_schema;
pub use self::skew::{ShownPair, render_skew};

use self::format::{Paint, count};
use self::layout::Table;

/// How the table looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to use the terminal's colours.
    pub color: bool,
    /// The order of features.
    pub sort: Sort,
}

impl Default for TableOptions {
    fn default() -> Self {
        TableOptions { width: 100, color: false, sort: Sort::default() }
    }
}

/// The order of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As in the statistics.
    #[default]
    Given,
    /// By name.
    Name,
    /// Those that lack most values first.
    Missing,
    /// Those with most zeros first.
    Zeros,
    /// Those with most distinct values first.
    Unique,
}

/// The statistics as text, lines ended by line feeds.
///
/// ```
/// use runners::table::{TableOptions, render};
///
/// let statistics = ops::tfmd::load_statistics(
///     br#"{"datasets": [{"name": "All Examples", "numExamples": "3"}]}"#,
/// )?;
/// assert_eq!(render(&statistics, &TableOptions::default()), "All Examples · 3 examples\n");
/// # Ok::<(), engine::Error>(())
/// ```
pub fn render(statistics: &DatasetFeatureStatisticsList, options: &TableOptions) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    for (i, dataset) in statistics.datasets.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let name = if dataset.name.is_empty() { "All Examples" } else { &dataset.name };
        out.push_str(&paint.bold(&format::printable(name)));
        let plural = if dataset.num_examples == 1 { "" } else { "s" };
        let _ = write!(out, " · {} example{plural}", count(dataset.num_examples));
        if dataset.weighted_num_examples > 0.0 {
            let weight = format::number(dataset.weighted_num_examples);
            let _ = write!(out, " · weight {weight}");
        }
        out.push('\n');
        let mut left_out: Vec<&str> = Vec::new();
        for table in rows::tables(dataset, options.sort) {
            out.push('\n');
            let hidden = Table::render(&table, options.width, paint, &mut out);
            let is_new = |header: &&str| !left_out.contains(header);
            let new: Vec<&str> = hidden.into_iter().filter(is_new).collect();
            left_out.extend(new);
        }
        if !left_out.is_empty() {
            let line = format!("not shown, for want of width: {}", left_out.join(", "));
            let _ = writeln!(out, "\n{}", paint.dim(&line));
        }
    }
    if statistics.datasets.is_empty() {
        out.push_str("no statistics\n");
    }
    out
}

#[cfg(test)]
mod tests;
