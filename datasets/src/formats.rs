//! The table of file formats, and how the right row is found.

use std::io::Read;
use std::sync::Arc;

use engine::{Error, ErrorKind, Result, Shard, Source};
use flate2::read::MultiGzDecoder;

use crate::csv::CsvSource;
use crate::inputs::InputFile;
use crate::parquet::ParquetSource;
use crate::tfrecord::record_len;
use crate::{ReadOptions, TfRecordOptions, TfRecordSource};

/// Opens files of one format as one source.
pub type OpenFn = fn(Vec<InputFile>, &ReadOptions) -> Result<Arc<dyn Source>>;

/// One file format: a row of [`FORMATS`].
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// One line of help.
    pub doc: &'static str,
    /// How names of such files end, with `.gz` behind where that is allowed.
    pub extensions: &'static [&'static str],
    /// True when the types of the columns have to be found by a pass over the data
    /// ([`ReadOptions::csv_types`]).
    pub untyped: bool,
    /// Whether the first bytes of a file (decompressed, if it is gzip) can only be this format.
    pub sniff: fn(&[u8]) -> bool,
    /// Opens files of this format as one source.
    pub open: OpenFn,
}

/// Every format that can be read; the first row whose `sniff` says so wins.
pub static FORMATS: &[Format] = &[
    Format {
        name: "parquet",
        doc: "Apache Parquet; every row group is read on its own",
        extensions: &["parquet", "pq"],
        untyped: false,
        sniff: |head| head.starts_with(b"PAR1"),
        open: |files, options| Ok(Arc::new(ParquetSource::open(files, options)?)),
    },
    Format {
        name: "tfrecord",
        doc: "TFRecord files of tf.Examples or tf.SequenceExamples, plain, gzip or zlib",
        extensions: &["tfrecord", "tfrecords", "tfrecord.gz", "tfrecords.gz", "rec"],
        untyped: false,
        sniff: |head| head.first_chunk().is_some_and(|header| record_len(header).is_some()),
        open: open_records,
    },
    Format {
        name: "csv",
        doc: "comma-separated values with a header line, plain or gzip",
        extensions: &["csv", "tsv", "txt", "csv.gz", "tsv.gz", "txt.gz"],
        untyped: true,
        sniff: looks_like_lines,
        open: |files, options| Ok(Arc::new(CsvSource::open(files, options)?)),
    },
];

fn open_records(files: Vec<InputFile>, options: &ReadOptions) -> Result<Arc<dyn Source>> {
    let shard = |file: InputFile| Shard { path: file.path, part: None, bytes: file.bytes };
    let options = TfRecordOptions {
        payload: options.payload,
        columns: options.columns.clone(),
        keep_originals: options.keep_originals,
    };
    let shards = files.into_iter().map(shard).collect();
    Ok(Arc::new(TfRecordSource::open(shards, options)?))
}

/// Text: a line's end, and no control characters but white space.
fn looks_like_lines(head: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    head.contains(&b'\n') && !head.iter().any(control)
}

/// Opens files as one source of the named format, or of the one that they are.
///
/// # Errors
/// When the format is unknown or cannot be told, when files are of different formats, or when one
/// cannot be opened.
pub fn open(
    files: Vec<InputFile>,
    format: Option<&str>,
    options: &ReadOptions,
) -> Result<Arc<dyn Source>> {
    (detect(&files, format)?.open)(files, options)
}

/// The row of [`FORMATS`] for these files.
///
/// # Errors
/// When the format is unknown or cannot be told, or when files are of different formats.
pub fn detect(files: &[InputFile], format: Option<&str>) -> Result<&'static Format> {
    if let Some(name) = format {
        let names = FORMATS.iter().map(|format| format.name);
        crate::did_you_mean::known("format", name, names)?;
        return FORMATS
            .iter()
            .find(|format| format.name == name)
            .ok_or_else(|| Error::invalid(format!("there is no format `{name}`")));
    }
    let mut found: Option<(&'static Format, &InputFile)> = None;
    for file in files {
        let Some(format) = of_file(file)? else { continue };
        match found {
            None => found = Some((format, file)),
            Some((first, _)) if first.name == format.name => {}
            Some((first, first_file)) => {
                return Err(Error::invalid("the input has files of different formats")
                    .with_detail(format!(
                        "`{}` is {}, `{}` is {}.",
                        first_file.path, first.name, file.path, format.name
                    ))
                    .with_hint("Name files of one format, or pass `--format`."));
            }
        }
    }
    if let Some((format, _)) = found {
        return Ok(format);
    }
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    let shown = files.first().map_or("the input", |file| &file.path);
    Err(Error::new(ErrorKind::Unsupported, format!("cannot tell the format of `{shown}`"))
        .with_detail("Neither its content nor its name says what it is.")
        .with_hint(format!("Pass `--format` with one of {}.", names.join(", "))))
}

/// Checks the number of a shard that is to be read.
pub(crate) fn check_shard(shard: usize, shards: &[Shard]) -> Result<()> {
    if shard < shards.len() {
        return Ok(());
    }
    let n = shards.len();
    Err(Error::invalid(format!("shard {shard} of a source of {n} shards was asked for")))
}

/// The format of one file by its content, else by its name; `None` when neither tells.
fn of_file(file: &InputFile) -> Result<Option<&'static Format>> {
    let head = head(file)?;
    let by_content = FORMATS.iter().find(|format| !head.is_empty() && (format.sniff)(&head));
    Ok(by_content.or_else(|| FORMATS.iter().find(|format| by_name(format, &file.path))))
}

fn by_name(format: &Format, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ends = |name: &str, separators: &[char]| {
        format.extensions.iter().any(|ending| {
            name.strip_suffix(ending)
                .is_some_and(|stem| stem.ends_with(separators) && stem.len() > 1)
        })
    };
    // TFX calls the files of examples `data_tfrecord-00000-of-00001.gz`.
    ends(&name, &['.']) || before_numbers(&name).is_some_and(|stem| ends(stem, &['.', '_']))
}

/// What comes before the numbers in `NAME-00000-of-00001`, with or without `.gz` behind them.
fn before_numbers(name: &str) -> Option<&str> {
    let (rest, count) = name.strip_suffix(".gz").unwrap_or(name).rsplit_once("-of-")?;
    let (stem, index) = rest.rsplit_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(index) && is_number(count)).then_some(stem)
}

/// The first bytes, decompressed if the file is gzip.
fn head(file: &InputFile) -> Result<Vec<u8>> {
    const HEAD: u64 = 4096;
    let failed = |e: std::io::Error| Error::io(format_args!("read `{}`", file.path), &e);
    let mut head = Vec::new();
    let opened = std::fs::File::open(&file.path).map_err(failed)?;
    opened.take(HEAD).read_to_end(&mut head).map_err(failed)?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        // The compressed text is cut off here: what comes out before the error is enough.
        let _ = MultiGzDecoder::new(&head[..]).take(HEAD).read_to_end(&mut plain);
        return Ok(plain);
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::TfRecordWriter;

    /// Files of every kind, by a short name.
    fn make(directory: &std::path::Path, name: &str, content: &str) -> InputFile {
        let mut bytes = Vec::new();
        match content {
            "record" => TfRecordWriter::new(&mut bytes).write(b"x").unwrap(),
            "parquet" => bytes.extend(b"PAR1 and so on"),
            "gzip of lines" => {
                let mut packed =
                    flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
                packed.write_all(&b"a,b\n1,2\n".repeat(5000)).unwrap();
            }
            text => bytes.extend(text.bytes()),
        }
        let path = directory.join(name);
        std::fs::write(&path, &bytes).unwrap();
        InputFile { path: path.to_str().unwrap().to_owned(), bytes: bytes.len() as u64 }
    }

    #[test]
    fn content_decides_then_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let check = |files: &[(&str, &str)], expected: &str| {
            let files: Vec<_> =
                files.iter().map(|(name, text)| make(directory.path(), name, text)).collect();
            assert_eq!(detect(&files, None).unwrap().name, expected, "{files:?}");
        };
        check(&[("a", "record")], "tfrecord");
        check(&[("a.csv", "record")], "tfrecord");
        check(&[("a.tfrecord", "parquet")], "parquet");
        check(&[("part-00000", "a,b\n1,2\n")], "csv");
        check(&[("part-00000", "gzip of lines")], "csv");
        check(&[("a.CSV", "no line's end")], "csv");
        check(&[("a.tfrecord.gz", "\0\0")], "tfrecord");
        // Empty files go along with the others.
        check(&[("a", ""), ("b", "record")], "tfrecord");
        check(&[("a.csv", "")], "csv");
        check(&[("data_tfrecord-00000-of-00001", "")], "tfrecord");
        check(&[("a.tfrecord-00000-of-00001.gz", "")], "tfrecord");
    }

    #[test]
    fn what_is_unclear_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let check = |files: &[(&str, &str)], format: Option<&str>, expected: &str| {
            let files: Vec<_> =
                files.iter().map(|(name, text)| make(directory.path(), name, text)).collect();
            let error = detect(&files, format).err().expect(expected);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&[("a", "\0\x01")], None, "cannot tell the format of `");
        check(&[("a", "")], None, "with one of parquet, tfrecord, csv.");
        check(&[("my_tfrecord", "")], None, "cannot tell the format of `");
        check(&[("data_tfrecord-x-of-00001", "")], None, "cannot tell the format of `");
        check(&[("a", "record"), ("b", "x\n")], None, "/a` is tfrecord, `");
        check(&[("a", "record")], Some("cvs"), "there is no format `cvs`\n  hint: Did you mean");
        let csv = detect(&[make(directory.path(), "a", "record")], Some("csv")).unwrap();
        assert_eq!(csv.name, "csv");
    }

    #[test]
    fn every_format_opens_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let options = ReadOptions::default();
        for content in ["record", "a,b\n1,2\n", "gzip of lines"] {
            let files = vec![make(directory.path(), "a", content)];
            let source = open(files, None, &options).unwrap();
            assert_eq!(source.shards().len(), 1);
            let fingerprint = source.fingerprint(0).unwrap();
            let copy = open(vec![make(directory.path(), "b", content)], None, &options).unwrap();
            assert!(fingerprint.is_some() && copy.fingerprint(0).unwrap() == fingerprint);
            assert!(source.fingerprint(1).is_err());
        }
        let files = vec![make(directory.path(), "a", "parquet")];
        let error = open(files, None, &options).err().unwrap();
        assert!(error.message().ends_with("is not a sound Parquet file"), "{error}");
    }
}
