//! Rows on disk, shard by shard: an output is a directory that appears when all of it is there.
//!
//! ```text
//!   out.clean             the name that appears at the commit, by one rename
//!   .out.clean-x7.partial what one process writes until then; its files are named as in the end
//! ```
//!
//! Each process writes into a directory of its own, so nothing that a crash has left is in the way,
//! and process 0 takes over the files of the others. A shard keeps the name of the file it was read
//! from; a file of several shards becomes `NAME-SSSSS-of-NNNNN`.
//!
//! **Invariant:** the bytes of a shard depend on its rows alone, not on where batches end.

mod csv;
mod directory;
mod names;
mod parquet;
mod rows;
#[cfg(test)]
mod tests;

use engine::{Batch, Part, Result, Shard, ShardWriter, Sink};

pub use directory::{OutputDirectory, RECEIPT, SavedShard};
pub use names::shard_names;
pub(crate) use names::shared_directory;
pub(crate) use parquet::Template;
pub use rows::{RowFormat, RowsWriter};

/// All rows of a run, in the shards of its source: a [`Sink`] of batches.
pub struct DatasetSink {
    /// What the output is called where rows are accounted for.
    name: String,
    shards: Vec<Shard>,
    names: Vec<String>,
    directory: OutputDirectory,
    format: RowFormat,
}

impl DatasetSink {
    /// Writes the rows of these shards into a directory.
    pub fn new(
        name: impl Into<String>,
        directory: OutputDirectory,
        format: RowFormat,
        shards: &[Shard],
    ) -> Self {
        let names = shard_names(shards, &format);
        DatasetSink { name: name.into(), shards: shards.to_vec(), names, directory, format }
    }
}

impl Sink for DatasetSink {
    type Input = Batch;

    fn name(&self) -> &'static str {
        "write"
    }

    fn open(&self, shard: usize) -> Result<Box<dyn ShardWriter<Batch>>> {
        let path = self.directory.file(&self.names[shard])?;
        let rows = RowsWriter::create(&path, &self.format, &self.shards[shard])?;
        let (output, place) = (self.name.clone(), self.directory.place());
        Ok(Box::new(Writer { rows, part: Part { output, rows: 0, place } }))
    }

    fn commit(&self, shards: &[Vec<Part>]) -> Result<()> {
        let saved = shards.iter().flatten().zip(&self.shards).zip(&self.names);
        let saved = saved.map(|((part, shard), name)| SavedShard {
            shard: shard.name(),
            name: name.clone(),
            rows: part.rows,
            place: part.place.clone(),
        });
        self.directory.commit(&saved.collect::<Vec<_>>())
    }

    fn leave(&self) {
        self.directory.leave();
    }
}

struct Writer {
    rows: RowsWriter,
    part: Part,
}

impl ShardWriter<Batch> for Writer {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        self.rows.write(batch, None)
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<Part>> {
        self.part.rows = self.rows.finish()?;
        Ok(vec![self.part])
    }
}
