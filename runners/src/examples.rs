//! Examples parted into those that agree with a schema and those that do not, shard by shard.
//!
//! ```text
//!   clean/    train-00000.tfrecord …                   the examples without a reason
//!   rejects/  train-00000.tfrecord … _reasons.jsonl    the others; a line for each of their reasons
//! ```

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use datasets::output::{OutputDirectory, RowFormat, RowsWriter, SavedShard, shard_names};
use engine::{Error, Part, Result, Shard, ShardWriter, Sink};
use ops::validate::examples::{CheckedExamples, ExampleReason};
use serde::Serialize;

/// The file beside the rejected examples that says why.
pub const REASONS: &str = "_reasons.jsonl";

/// What the outputs are called where rows are accounted for.
const OUTPUTS: [&str; 2] = ["clean", "rejects"];

/// How much of a value or of a text is shown.
const SHOWN: usize = 1000;

/// Writes examples to up to two outputs: those without reasons and those with.
///
/// An example whose output is not wanted is counted, not written.
pub struct SplitSink {
    shards: Vec<Shard>,
    names: Vec<String>,
    format: RowFormat,
    /// Of [`OUTPUTS`].
    directories: [Option<OutputDirectory>; 2],
}

impl SplitSink {
    /// Parts the rows of these shards.
    pub fn new(
        clean: Option<OutputDirectory>,
        rejects: Option<OutputDirectory>,
        format: RowFormat,
        shards: &[Shard],
    ) -> Self {
        let names = shard_names(shards, &format);
        SplitSink { shards: shards.to_vec(), names, format, directories: [clean, rejects] }
    }

    fn reasons_of(&self, shard: usize) -> String {
        format!("{}{REASONS}", self.names[shard])
    }

    /// Puts the reasons of all shards into one file.
    fn gather_reasons(&self, rejects: &OutputDirectory, shards: &[Vec<Part>]) -> Result<()> {
        let path = rejects.file(REASONS)?;
        let failed = |e: &std::io::Error| Error::io(format_args!("write `{}`", path.display()), e);
        let mut all = File::create(&path).map_err(|e| failed(&e))?;
        for (shard, parts) in shards.iter().enumerate() {
            let part = parts.iter().find(|part| part.output == OUTPUTS[1]);
            let Some(place) = part.map(|part| Path::new(&part.place)) else { continue };
            let piece = place.join(self.reasons_of(shard));
            File::open(&piece)
                .and_then(|mut piece| std::io::copy(&mut piece, &mut all))
                .and_then(|_| fs::remove_file(&piece))
                .map_err(|e| Error::io(format_args!("take over `{}`", piece.display()), &e))?;
        }
        all.sync_all().map_err(|e| failed(&e))
    }
}

impl Sink for SplitSink {
    type Input = CheckedExamples;

    fn name(&self) -> &'static str {
        "split"
    }

    fn open(&self, shard: usize) -> Result<Box<dyn ShardWriter<CheckedExamples>>> {
        let of = |directory: &Option<OutputDirectory>| -> Result<Half> {
            let Some(directory) = directory else { return Ok(Half::default()) };
            let path = directory.file(&self.names[shard])?;
            let writer = RowsWriter::create(&path, &self.format, &self.shards[shard])?;
            Ok(Half { writer: Some(writer), place: directory.place(), rows: 0 })
        };
        let reasons = match &self.directories[1] {
            None => None,
            Some(rejects) => Some(Reasons::create(rejects.file(&self.reasons_of(shard))?)?),
        };
        let [clean, rejects] = &self.directories;
        Ok(Box::new(Writer {
            shard: self.shards[shard].name(),
            halves: [of(clean)?, of(rejects)?],
            reasons,
        }))
    }

    fn commit(&self, shards: &[Vec<Part>]) -> Result<()> {
        // Last comes what people go on with: where it is, the rejects are, too.
        for (output, directory) in OUTPUTS.iter().zip(&self.directories).rev() {
            let Some(directory) = directory else { continue };
            if *output == OUTPUTS[1] {
                self.gather_reasons(directory, shards)?;
            }
            let parts = shards.iter().zip(&self.shards).zip(&self.names);
            let saved = parts.filter_map(|((parts, shard), name)| {
                let part = parts.iter().find(|part| part.output == *output)?;
                Some(SavedShard {
                    shard: shard.name(),
                    name: name.clone(),
                    rows: part.rows,
                    place: part.place.clone(),
                })
            });
            directory.commit(&saved.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn leave(&self) {
        self.directories.iter().flatten().for_each(OutputDirectory::leave);
    }
}

/// One shard of both outputs.
struct Writer {
    shard: String,
    halves: [Half; 2],
    reasons: Option<Reasons>,
}

/// One shard of one output.
#[derive(Default)]
struct Half {
    writer: Option<RowsWriter>,
    place: String,
    rows: u64,
}

impl Half {
    fn write(&mut self, examples: &CheckedExamples, keep: Option<&[bool]>) -> Result<()> {
        let all = examples.batch.records.num_rows();
        let kept = |keep: &[bool]| keep.iter().filter(|keep| **keep).count();
        self.rows += keep.map_or(all, kept) as u64;
        match &mut self.writer {
            Some(writer) => writer.write(&examples.batch, keep),
            None => Ok(()),
        }
    }

    fn finish(self, output: &str) -> Result<Part> {
        let rows = match self.writer {
            Some(writer) => writer.finish()?,
            None => self.rows,
        };
        Ok(Part { output: output.to_owned(), rows, place: self.place })
    }
}

impl ShardWriter<CheckedExamples> for Writer {
    fn write(&mut self, examples: &CheckedExamples) -> Result<()> {
        let [clean, rejects] = &mut self.halves;
        let Some(mut keep) = examples.clean() else { return clean.write(examples, None) };
        if let Some(reasons) = &mut self.reasons {
            reasons.write(&self.shard, rejects.rows, examples)?;
        }
        clean.write(examples, Some(&keep))?;
        keep.iter_mut().for_each(|keep| *keep = !*keep);
        rejects.write(examples, Some(&keep))
    }

    fn finish(self: Box<Self>) -> Result<Vec<Part>> {
        let Writer { halves: [clean, rejects], reasons, .. } = *self;
        if let Some(reasons) = reasons {
            reasons.finish()?;
        }
        Ok(vec![clean.finish(OUTPUTS[0])?, rejects.finish(OUTPUTS[1])?])
    }
}

/// One line of [`REASONS`].
#[derive(Serialize)]
struct Line<'a> {
    /// The shard that the example was read from.
    shard: &'a str,
    /// Its row there, from 0, counted in good rows.
    row: u64,
    /// Its row in the shard of rejects, from 0.
    reject: u64,
    feature: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
    value: Option<&'a str>,
}

/// The reasons of one shard.
struct Reasons {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Reasons {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path)
            .map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))?;
        Ok(Reasons { path, out: BufWriter::new(file) })
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::io(format_args!("write `{}`", self.path.display()), error)
    }

    /// Writes the reasons of a batch whose first reject is the `n_before`th of the shard.
    fn write(&mut self, shard: &str, n_before: u64, examples: &CheckedExamples) -> Result<()> {
        let mut reject = n_before;
        let mut last = examples.reasons.first().map(|reason| reason.row);
        for found in &examples.reasons {
            let ExampleReason { row, path, reason, value } = found;
            if last.replace(*row) != Some(*row) {
                reject += 1;
            }
            let line = Line {
                shard,
                row: examples.batch.first_row + *row as u64,
                reject,
                feature: path,
                kind: reason.kind.as_str_name(),
                text: shown(match reason.description.as_str() {
                    "" => &reason.short_description,
                    description => description,
                }),
                value: value.as_deref().map(shown),
            };
            let line = serde_json::to_string(&line).map_err(|e| self.failed(&e.into()))?;
            writeln!(self.out, "{line}").map_err(|e| self.failed(&e))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        let done = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        done.map_err(|e| self.failed(&e))
    }
}

/// The beginning of a text, as much as is shown.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN)]
}
