//! Rows into a CSV file: the lines that were read, or cells made of columns.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use engine::{Error, ErrorKind, Result};
use flate2::read::MultiGzDecoder;

use super::RowFormat;
use super::rows::{Output, set_aside};
use crate::columns::Columns;

/// Rows on their way into a file.
///
/// A record may bring a column that none had before. Then the file so far is set aside as a part, and all
/// parts are written once more when all columns are known.
pub(super) struct CsvRows {
    path: PathBuf,
    out: Output,
    delimiter: u8,
    secondary: u8,
    header: bool,
    /// Whether the file has a header, or need not have one.
    is_begun: bool,
    columns: Columns,
    /// Whether there are rows with these columns.
    has_rows: bool,
    parts: Vec<Part>,
}

/// Rows that lack columns of others.
struct Part {
    path: PathBuf,
    names: Vec<String>,
}

impl CsvRows {
    pub(super) fn new(
        path: &Path,
        mut out: Output,
        format: &RowFormat,
        like: Option<&str>,
    ) -> Result<Self> {
        let (delimiter, header) = (format.delimiter, format.header);
        if let (Some(path), true) = (like, header) {
            out.write_all(&crate::csv::header_line(path, delimiter)?)
                .map_err(|e| Error::io("write a header", &e))?;
        }
        Ok(CsvRows {
            path: path.to_owned(),
            out,
            delimiter,
            secondary: format.secondary_delimiter,
            header,
            is_begun: like.is_some() || !header,
            columns: Columns::default(),
            has_rows: false,
            parts: Vec::new(),
        })
    }

    /// Writes a line as it was read.
    pub(super) fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.out.write_all(line)?;
        self.out.write_all(b"\n")
    }

    /// Writes the rows of a batch; a null or an empty list is an empty cell.
    pub(super) fn write(&mut self, records: &RecordBatch) -> Result<()> {
        let failed = |e: &io::Error| Error::io("write a line", e);
        let records = self.known(records)?;
        self.begin().map_err(|e| failed(&e))?;
        self.has_rows = true;
        let schema = records.schema();
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
            self.row(&line).map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Writes a line of cells: one empty cell in quotes, because readers skip empty lines.
    fn row(&mut self, line: &[u8]) -> io::Result<()> {
        self.line(if line.is_empty() { b"\"\"" } else { line })
    }

    /// Takes notice of the columns of rows; gives the rows with all that are known.
    fn known(&mut self, records: &RecordBatch) -> Result<RecordBatch> {
        let names = self.columns.names();
        let records = self.columns.add(records)?;
        if self.has_rows && self.columns.names() != names {
            // Which came first depends on where batches end.
            self.columns.sort();
            self.set_aside(names).map_err(|e| self.failed(&e))?;
        }
        self.columns.align(&records, 0)
    }

    /// Writes the header, where there is to be one and none is.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_begun, true) {
            return Ok(());
        }
        let mut line = Vec::new();
        for (i, name) in self.columns.names().iter().enumerate() {
            if i > 0 {
                line.push(self.delimiter);
            }
            self.cell(name.as_bytes(), &mut line);
        }
        self.row(&line)
    }

    /// Ends the file so far, which has these columns, under another name, and begins it anew.
    fn set_aside(&mut self, names: Vec<String>) -> io::Result<()> {
        let (path, file) = set_aside(&self.path, self.parts.len())?;
        let out = Output::new(&self.path, file);
        std::mem::replace(&mut self.out, out).finish()?;
        self.parts.push(Part { path, names });
        self.is_begun = !self.header;
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.parts.is_empty() {
            return self.out.finish();
        }
        let names = self.columns.names();
        self.set_aside(names.clone())?;
        self.begin()?;
        for part in std::mem::take(&mut self.parts) {
            let place = |name| part.names.iter().position(|own| own == name);
            let places: Vec<Option<usize>> = names.iter().map(place).collect();
            self.add(&part.path, &places)?;
            std::fs::remove_file(&part.path)?;
        }
        self.out.finish()
    }

    /// Adds the lines of a part, each with these of its cells.
    fn add(&mut self, part: &Path, places: &[Option<usize>]) -> io::Result<()> {
        let mut lines = Lines::open(part, Output::is_gzip(&self.path), self.delimiter)?;
        let mut line = Vec::new();
        if self.header {
            lines.next()?;
        }
        while lines.next()? {
            line.clear();
            for (i, place) in places.iter().enumerate() {
                if i > 0 {
                    line.push(self.delimiter);
                }
                let cell = place.map_or(&b""[..], |place| lines.cell(place));
                // The quotes of a line of one empty cell have no use here.
                line.extend_from_slice(if cell == b"\"\"" { b"" } else { cell });
            }
            self.row(&line)?;
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::io(format_args!("write `{}` anew", self.path.display()), error)
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

/// The lines of a file that was written here, a line after the other.
struct Lines {
    file: BufReader<Box<dyn Read>>,
    delimiter: u8,
    /// A line as it is, and where its cells end.
    line: Vec<u8>,
    ends: Vec<usize>,
}

impl Lines {
    fn open(path: &Path, is_gzip: bool, delimiter: u8) -> io::Result<Self> {
        let file = File::open(path)?;
        let file: Box<dyn Read> =
            if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let (file, line, ends) =
            (BufReader::with_capacity(256 << 10, file), Vec::new(), Vec::new());
        Ok(Lines { file, delimiter, line, ends })
    }

    /// Whether there is a next line, which is read then.
    fn next(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.ends.clear();
        let (mut at, mut is_quoted) = (0, false);
        // A cell in quotes may have ends of lines.
        while self.file.read_until(b'\n', &mut self.line)? > 0 {
            for place in at..self.line.len() {
                match self.line[place] {
                    b'"' => is_quoted = !is_quoted,
                    byte if !is_quoted && (byte == self.delimiter || byte == b'\n') => {
                        self.ends.push(place);
                    }
                    _ => {}
                }
            }
            at = self.line.len();
            if !is_quoted {
                break;
            }
        }
        Ok(!self.line.is_empty())
    }

    /// A cell as it was written.
    fn cell(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] + 1 };
        &self.line[start..self.ends[place]]
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
