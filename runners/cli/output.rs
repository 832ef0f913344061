//! Results: statistics in files of four forms, and text on the terminal.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use datasets::TfRecordWriter;
use datasets::artifacts::refuse_inputs;
use datasets::inputs::InputFile;
use engine::{Error, ErrorKind, Result};
use ops::tfmd::{DatasetFeatureStatisticsList, encode};
use runners::table::{Sort, TableOptions};

use crate::args::OutputArgs;
use crate::failure::{Done, Failure};
use crate::forms::{Form, form_of, write_files};
use crate::options::{in_file, read_or_stdin};

/// Every form of statistics in a file.
pub(crate) static FORMS: [Form<DatasetFeatureStatisticsList>; 4] =
    [Form::BINARY, Form::TEXT, Form { suffix: "tfrecord", bytes: one_record }, Form::JSON];

/// What `load_statistics` of TFDV reads: the binary form as one record.
fn one_record(statistics: &DatasetFeatureStatisticsList) -> Vec<u8> {
    let mut writer = TfRecordWriter::new(Vec::new());
    writer.write(&encode(statistics)).expect("a Vec takes every write");
    writer.into_inner()
}

/// Endings of files of statistics; data has others.
const STATISTICS: [&str; 3] = ["pb", "pbtxt", "json"];

/// Whether what the user names is a file of statistics and not data; `-` is.
pub(crate) fn is_statistics(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    path == Path::new("-") || ending.is_some_and(|ending| STATISTICS.contains(&ending))
}

/// The files to write, checked as far as that can be done before there is anything to write.
pub(crate) struct Outputs {
    files: Vec<(PathBuf, &'static Form<DatasetFeatureStatisticsList>)>,
}

impl Outputs {
    /// Checks that every name has a known ending and that no input would be overwritten.
    pub(crate) fn check(args: &OutputArgs, inputs: &[InputFile]) -> Result<Self> {
        let mut files: Vec<(PathBuf, _)> = Vec::new();
        for path in &args.outputs {
            let form = form_of(&FORMS, path)?;
            if files.iter().any(|(other, _)| other == path) {
                return Err(Error::invalid(format!("`{}` is to be written twice", path.display())));
            }
            if path.is_dir() {
                return Err(Error::invalid(format!("`{}` is a directory", path.display())));
            }
            files.push((path.clone(), form));
        }
        for path in args.outputs.iter().chain(&args.receipt) {
            refuse_inputs(path, inputs)?;
        }
        Ok(Outputs { files })
    }

    /// True if statistics go to no file.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes every file, or none under its final name.
    pub(crate) fn write(&self, statistics: &DatasetFeatureStatisticsList) -> Result<()> {
        let files = self.files.iter();
        write_files(files.map(|(path, form)| (path.as_path(), (form.bytes)(statistics))))
    }
}

/// Prints to stdout.
pub(crate) fn print(text: &str) -> Done {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::Closed),
        Err(error) => Err(Error::io("write to stdout", &error).into()),
    }
}

/// Prints to stderr what nobody has to read.
pub(crate) fn note(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether colours are wanted where there is a terminal: see <https://no-color.org>.
pub(crate) fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// A table as wide as the terminal, or as `COLUMNS` says, in colour only on a terminal.
pub(crate) fn table_options(sort: Sort) -> TableOptions {
    /// Where nobody says how wide the paper is.
    const WIDTH: usize = 120;
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        let size = if is_terminal { terminal_size::terminal_size() } else { None };
        size.map(|(width, _)| usize::from(width.0))
    };
    let width = columns.or_else(terminal).unwrap_or(WIDTH).max(20);
    TableOptions { width, color: is_terminal && wants_color(), sort }
}

/// Reads a file of statistics of any form.
pub(crate) fn read_statistics(path: &Path) -> Result<DatasetFeatureStatisticsList> {
    read_statistics_and_bytes(path).map(|(_, statistics)| statistics)
}

/// As [`read_statistics`], with the bytes of the file.
pub(crate) fn read_statistics_and_bytes(
    path: &Path,
) -> Result<(Vec<u8>, DatasetFeatureStatisticsList)> {
    let bytes = read_or_stdin(path)?;
    let shown = path.display();
    let mut records = datasets::TfRecordReader::new(&bytes[..]);
    let record = match records.next_frame() {
        Ok(Some(datasets::Frame::Record(record))) => Some(record.to_vec()),
        Ok(Some(datasets::Frame::Damaged(reason))) => {
            return Err(Error::new(ErrorKind::Input, format!("`{shown}` is damaged"))
                .with_detail(format!("As a TFRecord file: {reason}.")));
        }
        // Not a TFRecord file.
        _ => None,
    };
    let statistics = ops::tfmd::load_statistics(record.as_deref().unwrap_or(&bytes))
        .map_err(|error| in_file(path, &error))?;
    Ok((bytes, statistics))
}
