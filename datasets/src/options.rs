//! How files are read: one struct for every format, each field of interest to those that name it.

use crate::Payload;
use crate::csv::{CsvTypes, Multivalent};

/// How to read an input. The default reads everything, and finds out what there is to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Only these columns (top-level features), in the order of the data; all when `None`.
    pub columns: Option<Vec<String>>,
    /// TFRecord: what the records are.
    pub payload: Payload,
    /// CSV: what separates the cells of a record.
    pub delimiter: u8,
    /// CSV: the names of the columns of files that have no header line.
    pub column_names: Option<Vec<String>>,
    /// CSV: the types of the columns. `None` yields every cell as text, for inference.
    pub csv_types: Option<CsvTypes>,
    /// CSV: columns whose cells are lists.
    pub multivalent: Multivalent,
    /// TFRecord and CSV: keep the bytes of every good record ([`engine::Batch::originals`]), so that
    /// they can be written again as they are.
    pub keep_originals: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            columns: None,
            payload: Payload::default(),
            delimiter: b',',
            column_names: None,
            csv_types: None,
            multivalent: Multivalent::default(),
            keep_originals: false,
        }
    }
}
