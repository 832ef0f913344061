//! Rows into a CSV file: the lines that were read, or cells made of columns.

use std::fmt::Write as _;
use std::io::{self, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, SchemaRef};
use engine::{Error, ErrorKind, Result};

use super::RowFormat;
use super::rows::Output;

/// Rows on their way into a file.
pub(super) struct CsvRows<W> {
    out: W,
    delimiter: u8,
    secondary: u8,
    header: bool,
    schema: Option<SchemaRef>,
}

impl CsvRows<Output> {
    /// Ends the file.
    pub(super) fn finish(self) -> io::Result<()> {
        self.out.finish()
    }
}

impl<W: Write> CsvRows<W> {
    pub(super) fn new(mut out: W, format: &RowFormat, like: Option<&str>) -> Result<Self> {
        let mut header = format.header;
        if let (Some(path), true) = (like, header) {
            out.write_all(&crate::csv::header_line(path, format.delimiter)?)
                .map_err(|e| Error::io("write a header", &e))?;
            header = false;
        }
        let (delimiter, secondary) = (format.delimiter, format.secondary_delimiter);
        Ok(CsvRows { out, delimiter, secondary, header, schema: None })
    }

    /// Writes a line as it was read.
    pub(super) fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.out.write_all(line)?;
        self.out.write_all(b"\n")
    }

    /// Writes the rows of a batch; a null or an empty list is an empty cell.
    pub(super) fn write(&mut self, records: &RecordBatch) -> Result<()> {
        let schema = records.schema();
        let failed = |e: &io::Error| Error::io("write a line", e);
        match &self.schema {
            Some(first) if *first != schema => {
                return Err(Error::new(ErrorKind::Unsupported, "columns change within a CSV file")
                    .with_hint("Write TFRecord files, whose rows may have different features."));
            }
            Some(_) => {}
            None => {
                if self.header {
                    let mut line = Vec::new();
                    for (i, field) in schema.fields().iter().enumerate() {
                        if i > 0 {
                            line.push(self.delimiter);
                        }
                        self.cell(field.name().as_bytes(), &mut line);
                    }
                    self.line(&line).map_err(|e| failed(&e))?;
                }
                self.schema = Some(schema.clone());
            }
        }
        let columns: Vec<Cells> = schema
            .fields()
            .iter()
            .zip(records.columns())
            .map(|(field, array)| Cells::new(field.name(), array))
            .collect::<Result<_>>()?;
        let (mut line, mut cell) = (Vec::new(), Vec::new());
        for row in 0..records.num_rows() {
            line.clear();
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    line.push(self.delimiter);
                }
                cell.clear();
                column.write(row, self.secondary, &mut cell)?;
                self.cell(&cell, &mut line);
            }
            self.line(&line).map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Adds a cell to a line, in quotes where it needs them.
    fn cell(&self, cell: &[u8], line: &mut Vec<u8>) {
        let special = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || *byte == self.delimiter;
        if !cell.iter().any(special) {
            line.extend_from_slice(cell);
            return;
        }
        line.push(b'"');
        for &byte in cell {
            if byte == b'"' {
                line.push(b'"');
            }
            line.push(byte);
        }
        line.push(b'"');
    }
}

/// One column as text.
struct Cells {
    name: String,
    array: ArrayRef,
    values: ArrayRef,
}

impl Cells {
    fn new(name: &str, array: &ArrayRef) -> Result<Self> {
        let values = match array.data_type() {
            DataType::List(_) => array.as_list::<i32>().values().clone(),
            DataType::Struct(_) | DataType::Map(..) | DataType::LargeList(_) => {
                let message = format!("column `{name}` of type {} is no cell", array.data_type());
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .with_hint("Write Parquet files instead."));
            }
            _ => array.clone(),
        };
        Ok(Cells { name: name.to_owned(), array: array.clone(), values })
    }

    fn write(&self, row: usize, secondary: u8, cell: &mut Vec<u8>) -> Result<()> {
        if self.array.is_null(row) || matches!(self.array.data_type(), DataType::Null) {
            return Ok(());
        }
        let range = match self.array.as_list_opt::<i32>() {
            Some(list) => {
                let offsets = list.value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }
            None => row..row + 1,
        };
        let first = range.start;
        for i in range {
            if i > first {
                cell.push(secondary);
            }
            self.value(i, cell)?;
        }
        Ok(())
    }

    fn value(&self, i: usize, cell: &mut Vec<u8>) -> Result<()> {
        let values = &self.values;
        if values.is_null(i) {
            return Ok(());
        }
        if let Some(bytes) = values.as_binary_opt::<i32>() {
            cell.extend_from_slice(bytes.value(i));
        } else if let Some(bytes) = values.as_binary_opt::<i64>() {
            cell.extend_from_slice(bytes.value(i));
        } else if let Some(codes) = values.as_dictionary_opt::<Int32Type>()
            && let Some(bytes) = codes.values().as_binary_opt::<i32>()
        {
            cell.extend_from_slice(bytes.value(codes.keys().value(i) as usize));
        } else {
            let options = FormatOptions::default();
            let failed = |e: &dyn std::fmt::Display| {
                Error::input(format!("column `{}` cannot be written as text", self.name))
                    .with_detail(format!("{e}."))
            };
            let formatter = ArrayFormatter::try_new(values, &options).map_err(|e| failed(&e))?;
            let mut text = String::new();
            write!(text, "{}", formatter.value(i)).map_err(|e| failed(&e))?;
            cell.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}
