//! The bytes of a shard, decompressed on the way if need be.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::{Decompress, FlushDecompress, Status};

use super::sniff::Compression;

/// Size of the buffer of compressed bytes.
const BUFFER: usize = 128 << 10;

/// A file, and how far it has been read.
pub(super) struct Input {
    stream: Stream,
    progress: Arc<Progress>,
}

enum Stream {
    Plain(Counted),
    Compressed(Inflate<BufReader<Counted>>),
}

/// What the operating system has said so far.
#[derive(Default)]
struct Progress {
    bytes: AtomicU64,
    has_failed: AtomicBool,
}

struct Counted {
    /// The first bytes, which were read to find out what the file is.
    head: Cursor<Vec<u8>>,
    file: File,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.head.read(buffer)? {
            0 => self.file.read(buffer).inspect_err(|error| {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.progress.has_failed.store(true, Ordering::Relaxed);
                }
            })?,
            n => n,
        };
        self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Input {
    /// The rest of a file whose first bytes are `head`.
    pub(super) fn new(head: Vec<u8>, file: File, compression: Compression) -> Self {
        let progress = Arc::new(Progress::default());
        let counted = Counted { head: Cursor::new(head), file, progress: progress.clone() };
        let stream = match compression {
            Compression::None => Stream::Plain(counted),
            Compression::Gzip | Compression::Zlib => Stream::Compressed(Inflate::new(
                BufReader::with_capacity(BUFFER, counted),
                compression,
            )),
        };
        Input { stream, progress }
    }

    /// Number of stored bytes that were read, if that is not the number of bytes handed out.
    pub(super) fn stored_bytes(&self) -> Option<u64> {
        match self.stream {
            Stream::Plain(_) => None,
            Stream::Compressed(_) => Some(self.progress.bytes.load(Ordering::Relaxed)),
        }
    }

    /// Whether an error came from the operating system rather than from a damaged stream.
    pub(super) fn has_failed(&self) -> bool {
        self.progress.has_failed.load(Ordering::Relaxed)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Compressed(stream) => stream.read(buffer),
        }
    }
}

/// Decompresses one or more gzip members or zlib streams that follow each other.
struct Inflate<R> {
    input: R,
    state: Decompress,
    compression: Compression,
    /// Whether `state` is at the end of a stream.
    is_between: bool,
}

impl<R: BufRead> Inflate<R> {
    fn new(input: R, compression: Compression) -> Self {
        Inflate { input, state: new_state(compression), compression, is_between: false }
    }
}

fn new_state(compression: Compression) -> Decompress {
    match compression {
        Compression::Gzip => Decompress::new_gzip(15),
        Compression::None | Compression::Zlib => Decompress::new(true),
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.input.fill_buf()?;
            let is_at_end = input.is_empty();
            if self.is_between {
                if is_at_end {
                    return Ok(0);
                }
                self.state = new_state(self.compression);
                self.is_between = false;
            }
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(input, buffer, FlushDecompress::None);
            let consumed = (self.state.total_in() - before_in) as usize;
            let produced = (self.state.total_out() - before_out) as usize;
            self.input.consume(consumed);
            let name = self.compression.name();
            match status {
                Err(error) => {
                    let text = format!("the {name} stream is damaged ({error})");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
                Ok(Status::StreamEnd) => self.is_between = true,
                Ok(_) => {}
            }
            if produced > 0 || buffer.is_empty() {
                return Ok(produced);
            }
            if is_at_end && !self.is_between {
                let text = format!("the {name} stream is cut off");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
        }
    }
}
