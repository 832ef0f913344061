//! CSV files, plain or gzip: text into columns, with or without types.
//!
//! Without types every cell is text (a nullable `BinaryView` column for each column of the data), and
//! [`CsvTypes`] finds the types in a first pass; with types the columns are `Int64`, `Float32`,
//! `Binary`, `Null` (a column without a single value), or lists of these.
//!
//! Large plain files are read in ranges of [`RANGE`] bytes, each a shard, cut at the borders of
//! records; so the shards depend on the data alone. A gzip file is one shard.

mod border;
mod cells;
mod number;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use engine::{Error, Result, Shard, Source};

use self::cells::Kind;
use self::scan::{Rows, Stop, Want};
pub use self::types::{CsvType, CsvTypes, InferCsvTypes, Multivalent};
use crate::ReadOptions;
use crate::fingerprint::Fingerprints;
use crate::inputs::InputFile;

/// Bytes of a plain file that make one shard.
pub const RANGE: u64 = 64 << 20;

/// How much is read at once. The range decides what a shard is; the others change nothing that a
/// reader of well-formed data could see.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Bytes of a plain file that make one shard.
    range: u64,
    /// Bytes read at once; rows that are wide get larger blocks.
    block: usize,
    /// A longer record is refused, so that a quote that is never closed does not fill the memory.
    record: usize,
    /// How far before a range is looked first.
    window: u64,
}

const SIZES: Sizes = Sizes { range: RANGE, block: 1 << 20, record: 16 << 20, window: 64 << 10 };

/// CSV files with the same columns.
#[derive(Clone)]
pub struct CsvSource {
    files: Vec<CsvFile>,
    shards: Vec<Shard>,
    /// Position in `files`, for each shard.
    file_of_shard: Vec<usize>,
    header: Vec<String>,
    /// The columns that are read.
    columns: Vec<CsvColumn>,
    schema: SchemaRef,
    delimiter: u8,
    multivalent: Multivalent,
    keep_originals: bool,
    sizes: Sizes,
    fingerprints: Fingerprints,
}

/// One file, and where its records begin.
#[derive(Clone)]
struct CsvFile {
    path: String,
    gzip: bool,
    /// Offset of the first byte behind byte order mark and header, in the (decompressed) file.
    data_start: u64,
}

/// A column that is read.
#[derive(Clone)]
struct CsvColumn {
    name: String,
    /// Which cell of a record it is.
    position: usize,
    kind: Kind,
}

impl CsvColumn {
    /// Why a cell makes its record unusable.
    fn unparsed_reason(&self, cell: &[u8]) -> String {
        let (kind, list) = match self.kind {
            Kind::Typed(kind) => (kind, ""),
            Kind::Lists(kind, _) => (kind, "list of "),
            Kind::Text => (CsvType::String, ""),
        };
        let shown = String::from_utf8_lossy(&cell[..cell.len().min(40)]);
        let more = if cell.len() > 40 { "…" } else { "" };
        format!("column `{}` is {list}{}, not `{shown}{more}`", self.name, kind.name())
    }
}

impl CsvSource {
    /// Opens the files: reads their headers, cuts them into shards.
    ///
    /// # Errors
    /// When a file cannot be read, when headers differ, or when a column that was named is unknown.
    pub fn open(files: Vec<InputFile>, options: &ReadOptions) -> Result<Self> {
        Self::with_sizes(files, options, SIZES)
    }

    fn with_sizes(mut files: Vec<InputFile>, options: &ReadOptions, sizes: Sizes) -> Result<Self> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let delimiter = options.delimiter;
        if matches!(delimiter, b'"' | b'\n' | b'\r') {
            return Err(Error::invalid("a quote or a line's end cannot be the delimiter"));
        }
        let mut header: Option<(String, Vec<String>)> =
            options.column_names.clone().map(|names| ("--column-names".to_owned(), names));
        let mut opened = Vec::with_capacity(files.len());
        let (mut shards, mut file_of_shard) = (Vec::new(), Vec::new());
        for file in files {
            let start = Beginning::read(&file.path, delimiter, options.column_names.is_none())?;
            match (&header, start.header) {
                (_, None) => {}
                (None, Some(names)) => header = Some((file.path.clone(), names)),
                (Some((first, known)), Some(names)) => {
                    same_header(first, known, &file.path, &names)?;
                }
            }
            let ranges = if start.gzip { 1 } else { file.bytes.div_ceil(sizes.range).max(1) };
            for i in 0..ranges {
                let (begin, end) = (i * sizes.range, ((i + 1) * sizes.range).min(file.bytes));
                let whole = ranges == 1;
                shards.push(Shard {
                    path: file.path.clone(),
                    part: (!whole).then_some(begin..end),
                    bytes: if whole { file.bytes } else { end - begin },
                });
                file_of_shard.push(opened.len());
            }
            let (path, gzip, data_start) = (file.path, start.gzip, start.data_start);
            opened.push(CsvFile { path, gzip, data_start });
        }
        let (named_by, header) = header.unwrap_or_default();
        no_duplicates(&named_by, &header)?;
        let mut source = CsvSource {
            files: opened,
            shards,
            file_of_shard,
            header,
            columns: Vec::new(),
            schema: Arc::new(Schema::empty()),
            delimiter,
            multivalent: options.multivalent.clone(),
            keep_originals: options.keep_originals,
            sizes,
            fingerprints: Fingerprints::default(),
        };
        for name in &source.multivalent.columns {
            known_column(name, &source.header)?;
        }
        for name in options.columns.iter().flatten() {
            known_column(name, &source.header)?;
        }
        source.choose(options.columns.as_deref(), options.csv_types.as_ref());
        Ok(source)
    }

    /// The names of all columns, in the order of the file.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The same files with typed columns; columns without a type are left out.
    pub fn with_types(mut self, types: &CsvTypes) -> Self {
        let columns: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        self.choose(Some(&columns), Some(types));
        self
    }

    /// Decides which columns are read, and as what.
    fn choose(&mut self, wanted: Option<&[String]>, types: Option<&CsvTypes>) {
        self.columns.clear();
        for (position, name) in self.header.iter().enumerate() {
            if wanted.is_some_and(|wanted| !wanted.contains(name)) {
                continue;
            }
            let kind = match types {
                None => Kind::Text,
                Some(types) => match types.get(name) {
                    None => continue,
                    Some(kind) if self.multivalent.contains(name) => {
                        Kind::Lists(kind, self.multivalent.delimiter)
                    }
                    Some(kind) => Kind::Typed(kind),
                },
            };
            self.columns.push(CsvColumn { name: name.clone(), position, kind });
        }
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.kind.data_type(), true))
            .collect();
        self.schema = Arc::new(Schema::new(fields));
    }
}

impl Source for CsvSource {
    fn shards(&self) -> &[Shard] {
        &self.shards
    }

    fn read(self: Arc<Self>, shard: usize, batch_rows: usize) -> Result<engine::Batches> {
        crate::formats::check_shard(shard, &self.shards)?;
        if self.header.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        Ok(Box::new(read::Reader::new(self, shard, batch_rows)?))
    }

    fn fingerprint(&self, shard: usize) -> Result<Option<u128>> {
        crate::formats::check_shard(shard, &self.shards)?;
        // Another file may have named the columns.
        let mut fields: Vec<&[u8]> = self.header.iter().map(String::as_bytes).collect();
        let delimiters = [self.delimiter, self.multivalent.delimiter];
        fields.push(&delimiters);
        fields.extend(self.multivalent.columns.iter().map(String::as_bytes));
        self.fingerprints.of("csv", &fields, &self.shards[shard]).map(Some)
    }
}

/// What the beginning of a file tells.
struct Beginning {
    gzip: bool,
    data_start: u64,
    /// `None` when the file has no line at all, or no header is expected.
    header: Option<Vec<String>>,
}

/// The line of names at the beginning of a file, with its ending.
pub(crate) fn header_line(path: &str, delimiter: u8) -> Result<Vec<u8>> {
    let Beginning { gzip, data_start, .. } = Beginning::read(path, delimiter, true)?;
    let mut line = Vec::new();
    read::open_text(path, gzip)?
        .take(data_start)
        .read_to_end(&mut line)
        .map_err(|e| Error::io(format_args!("read `{path}`"), &e))?;
    if line.starts_with(b"\xef\xbb\xbf") {
        line.drain(..3);
    }
    if !line.is_empty() && !line.ends_with(b"\n") {
        line.push(b'\n');
    }
    Ok(line)
}

/// A record's cells, if there is a record, and where the next one starts.
type First = (Option<Vec<Vec<u8>>>, usize);

impl Beginning {
    fn read(path: &str, delimiter: u8, with_header: bool) -> Result<Beginning> {
        let failed = |e: std::io::Error| Error::io(format_args!("read `{path}`"), &e);
        let mut magic = Vec::new();
        read::open_text(path, false)?.take(2).read_to_end(&mut magic).map_err(failed)?;
        let gzip = magic == [0x1f, 0x8b];
        let mut reader = read::open_text(path, gzip)?;
        let mut text = Vec::new();
        let mut wanted = 64 << 10;
        loop {
            let n = reader.by_ref().take(wanted).read_to_end(&mut text).map_err(failed)?;
            let last = (n as u64) < wanted;
            if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
                return Err(Error::input(format!("`{path}` is UTF-16 text"))
                    .with_detail("It begins with the byte order mark of UTF-16.")
                    .with_hint(
                        "Convert it to UTF-8, for example with `iconv -f UTF-16 -t UTF-8`.",
                    ));
            }
            let skip = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            if !with_header {
                return Ok(Beginning { gzip, data_start: skip as u64, header: None });
            }
            let found = first_record(&text, skip, delimiter, last);
            match found {
                Some((cells, data_start)) => {
                    let header = cells.map(|cells| column_names(path, cells)).transpose()?;
                    return Ok(Beginning { gzip, data_start: data_start as u64, header });
                }
                None if last || text.len() > SIZES.record => {
                    return Err(Error::input(format!("the header of `{path}` does not end"))
                        .with_detail(format!(
                            "It opens a quote that is not closed within {} bytes.",
                            text.len()
                        )));
                }
                None => wanted = text.len() as u64,
            }
        }
    }
}

/// The first record that is not blank; `None` when the text ends within it.
fn first_record(text: &[u8], from: usize, delimiter: u8, last: bool) -> Option<First> {
    // One cell is expected; the number that is found is then scanned for.
    let mut n = 1;
    loop {
        let mut rows = Rows::new(n);
        let want = Want { rows: 1, limit: usize::MAX, last };
        let (next, stop) = rows.scan(text, from, delimiter, &want);
        if let [misfit] = rows.misfits[..] {
            n = misfit.cells;
            continue;
        }
        if rows.len() == 1 {
            let cells = (0..n).flat_map(|c| rows.cells(c, 0..1)).map(|(start, end)| {
                let cell = &text[start..end];
                let mut plain = Vec::new();
                match cell.first() {
                    Some(b'"') => cells::unquote(cell, &mut plain),
                    _ => plain.extend_from_slice(cell),
                }
                plain
            });
            return Some((Some(cells.collect()), next));
        }
        return match stop {
            Stop::End if last => Some((None, next)),
            _ => None,
        };
    }
}

fn column_names(path: &str, cells: Vec<Vec<u8>>) -> Result<Vec<String>> {
    let name = |(i, cell): (usize, Vec<u8>)| {
        String::from_utf8(cell).map_err(|e| {
            Error::input(format!("a column name of `{path}` is not UTF-8"))
                .with_detail(format!("Column {i} is `{}`.", String::from_utf8_lossy(e.as_bytes())))
        })
    };
    cells.into_iter().enumerate().map(name).collect()
}

fn same_header(first: &str, known: &[String], path: &str, names: &[String]) -> Result<()> {
    if known == names {
        return Ok(());
    }
    let differs = known.iter().zip(names).position(|(a, b)| a != b);
    let detail = match differs {
        Some(i) => {
            format!("Column {i} is `{}` in `{first}` and `{}` in `{path}`.", known[i], names[i])
        }
        None => format!("`{first}` has {} columns, `{path}` has {}.", known.len(), names.len()),
    };
    Err(Error::input("files have different headers")
        .with_detail(detail)
        .with_hint("Read files with other columns in a run of their own."))
}

fn no_duplicates(path: &str, names: &[String]) -> Result<()> {
    let mut seen = HashMap::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name, i) {
            return Err(Error::input(format!("column `{name}` appears twice in the header"))
                .with_detail(format!("In `{path}` it is column {first} and column {i}.")));
        }
    }
    Ok(())
}

fn known_column(name: &str, header: &[String]) -> Result<()> {
    crate::did_you_mean::known("column", name, header.iter().map(String::as_str))
}
