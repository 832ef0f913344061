//! Sharded output: written by the workers beside its place, put there when the whole run is done.
//!
//! ```text
//!   worker that reads shard 7:  open(7) ─► write … write ─► finish ─► parts: rows and places
//!                                                                        │ to process 0
//!   when every worker of every process is done:       commit(all parts) ◄┘
//! ```
//!
//! **Invariant:** rows that go into a shard of the output equal rows that its parts hold, or the run
//! fails. **Invariant:** nothing has its final name before [`Sink::commit`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::combine::Element;
use crate::plan::downcast;
use crate::{Error, ErrorKind, Outputs, Result};

/// A sharded output: one shard of its own for each shard of the source, in record order.
///
/// A sink that is dropped without a commit leaves nothing behind.
pub trait Sink: Send + Sync + 'static {
    /// What is written: a batch, or what a `ParDo` has made of one.
    type Input: 'static;

    /// Stable name, for messages.
    fn name(&self) -> &'static str;

    /// Begins the output of one shard; called by the worker that reads it.
    ///
    /// # Errors
    /// When it cannot be written.
    fn open(&self, shard: usize) -> Result<Box<dyn ShardWriter<Self::Input>>>;

    /// Puts everything in its place: `shards` are the parts of every shard, in canonical order.
    ///
    /// Called once, in process 0, after the whole run has succeeded.
    ///
    /// # Errors
    /// When a part is not where its writer has left it, or cannot be put in its place.
    fn commit(&self, shards: &[Vec<Part>]) -> Result<()>;

    /// Leaves to process 0 what this process has written; called once in the others instead.
    fn leave(&self);
}

/// The output of one shard, under a temporary name; dropped before its end, it leaves nothing.
pub trait ShardWriter<T: ?Sized> {
    /// Writes one element.
    ///
    /// # Errors
    /// When the disk is full, or the element does not fit the format.
    fn write(&mut self, input: &T) -> Result<()>;

    /// Ends the shard: all of it is on the disk now. Every element went to exactly one part.
    ///
    /// # Errors
    /// When the disk is full.
    fn finish(self: Box<Self>) -> Result<Vec<Part>>;
}

/// One file of the output of one shard, as its writer has left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which output of the sink it belongs to, such as `clean`.
    pub output: String,
    /// Rows that it holds.
    pub rows: u64,
    /// Where it is until the commit.
    pub place: String,
}

/// A handle on what a `write` leaves behind.
pub struct Written<S> {
    pub(crate) sink: Arc<S>,
    pub(crate) node: usize,
}

impl<S: Sink> Written<S> {
    /// The parts of every shard, in canonical order.
    ///
    /// # Errors
    /// When the outputs are those of another plan.
    pub fn parts<'a>(&self, outputs: &'a Outputs) -> Result<&'a [Vec<Part>]> {
        outputs.written.get(&self.node).map(Vec::as_slice).ok_or_else(|| {
            let message = format!("nothing was written by `{}`", self.sink.name());
            Error::new(ErrorKind::Incompatible, message)
        })
    }

    /// The sink.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Puts everything in its place. Only process 0 calls this, and only after the whole run has
    /// succeeded, in every process.
    ///
    /// # Errors
    /// As [`Sink::commit`].
    pub fn commit(self, outputs: &Outputs) -> Result<()> {
        self.sink.commit(self.parts(outputs)?)
    }

    /// What the other processes call instead, when the run has succeeded.
    pub fn leave(self) {
        self.sink.leave();
    }
}

/// A [`Sink`] with its type erased: what a plan holds.
pub trait AnySink: Send + Sync {
    /// See [`Sink::name`].
    fn name(&self) -> &'static str;
    /// See [`Sink::open`].
    fn open(&self, shard: usize) -> Result<Box<dyn ShardWriter<Element>>>;
}

pub(crate) struct OverSink<S>(pub(crate) Arc<S>);

impl<S: Sink> AnySink for OverSink<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn open(&self, shard: usize) -> Result<Box<dyn ShardWriter<Element>>> {
        Ok(Box::new(OverWriter(self.0.open(shard)?)))
    }
}

struct OverWriter<T>(Box<dyn ShardWriter<T>>);

impl<T: 'static> ShardWriter<Element> for OverWriter<T> {
    fn write(&mut self, input: &Element) -> Result<()> {
        self.0.write(downcast(&**input))
    }
    fn finish(self: Box<Self>) -> Result<Vec<Part>> {
        self.0.finish()
    }
}

/// One shard of a sink in progress: it is begun by its first element, or at its end.
#[derive(Default)]
pub struct Writing {
    writer: Option<Box<dyn ShardWriter<Element>>>,
    /// Rows that went in.
    pub rows: u64,
}

impl Writing {
    /// Writes one element that stands for so many rows.
    ///
    /// # Errors
    /// As [`Sink::open`] and [`ShardWriter::write`].
    pub fn write(
        &mut self,
        sink: &dyn AnySink,
        shard: usize,
        element: &Element,
        rows: u64,
    ) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(sink.open(shard)?),
        };
        self.rows += rows;
        writer.write(element)
    }

    /// Ends the shard, also one without any element.
    ///
    /// # Errors
    /// When the parts do not hold as many rows as went in, and as [`ShardWriter::finish`].
    pub fn finish(self, sink: &dyn AnySink, shard: usize) -> Result<Vec<Part>> {
        let writer = match self.writer {
            Some(writer) => writer,
            None => sink.open(shard)?,
        };
        let parts = writer.finish()?;
        let written: u64 = parts.iter().map(|part| part.rows).sum();
        if written == self.rows {
            return Ok(parts);
        }
        let of = |part: &Part| format!("{} to `{}`", part.rows, part.output);
        let parts: Vec<String> = parts.iter().map(of).collect();
        Err(Error::new(ErrorKind::Reconciliation, "the rows that were written do not add up")
            .with_detail(format!("{} went in; written: {}.", self.rows, parts.join(", ")))
            .with_hint("The result was not written. This is a bug: please report it."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that it has written one row less than it was given, if it lies.
    struct Counting {
        lies: bool,
    }

    struct Count(u64, bool);

    impl Sink for Counting {
        type Input = u64;
        fn name(&self) -> &'static str {
            "count"
        }
        fn open(&self, _shard: usize) -> Result<Box<dyn ShardWriter<u64>>> {
            Ok(Box::new(Count(0, self.lies)))
        }
        fn commit(&self, shards: &[Vec<Part>]) -> Result<()> {
            let rows: u64 = shards.iter().flatten().map(|part| part.rows).sum();
            if rows == 5 { Ok(()) } else { Err(Error::input(format!("{rows} rows"))) }
        }
        fn leave(&self) {}
    }

    impl ShardWriter<u64> for Count {
        fn write(&mut self, rows: &u64) -> Result<()> {
            self.0 += rows;
            Ok(())
        }
        fn finish(self: Box<Self>) -> Result<Vec<Part>> {
            let rows = self.0 - u64::from(self.1);
            Ok(vec![Part { output: "all".to_owned(), rows, place: String::new() }])
        }
    }

    fn write(lies: bool) -> Result<Vec<Part>> {
        let sink = OverSink(Arc::new(Counting { lies }));
        let mut writing = Writing::default();
        for rows in [2_u64, 3] {
            writing.write(&sink, 0, &(Arc::new(rows) as Element), rows)?;
        }
        writing.finish(&sink, 0)
    }

    #[test]
    fn rows_must_add_up() {
        let parts = write(false).unwrap();
        assert_eq!(parts[0].rows, 5);
        let error = write(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Reconciliation);
        assert_eq!(error.detail(), Some("5 went in; written: 4 to `all`."));
        // A shard without rows has parts, too.
        let sink = OverSink(Arc::new(Counting { lies: false }));
        assert_eq!(Writing::default().finish(&sink, 0).unwrap()[0].rows, 0);

        let mut outputs = Outputs::default();
        let written = || Written { sink: Arc::new(Counting { lies: false }), node: 3 };
        assert_eq!(written().commit(&outputs).unwrap_err().kind(), ErrorKind::Incompatible);
        outputs.written.insert(3, vec![parts, Vec::new()]);
        written().commit(&outputs).unwrap();
    }
}
