//! A data socket as timely's network threads see it: one that never fails.
//!
//! Those threads panic when a socket breaks, which poisons the workers' queues. So a broken
//! connection is reported to the mesh, which decides what it means; what is written goes nowhere,
//! and what is read is, once no worker looks any more, the rest of the message that was cut off
//! and then the mark with which timely ends a connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use timely::communication::allocator::zero_copy::stream::Stream;

use super::mesh_control::Mesh;

/// One end of the data connection to one process.
pub(super) struct Wire {
    socket: TcpStream,
    peer: usize,
    mesh: Arc<Mesh>,
    read: Messages,
    is_broken: bool,
}

impl Wire {
    /// The connection to the process at position `peer` of the mesh's list.
    pub(super) fn new(socket: TcpStream, peer: usize, mesh: Arc<Mesh>) -> Self {
        Wire { socket, peer, mesh, read: Messages::default(), is_broken: false }
    }
}

impl Stream for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Wire::new(self.socket.try_clone()?, self.peer, Arc::clone(&self.mesh)))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // The other end may have closed it already; that is no failure of this end.
        let _ = self.socket.shutdown(how);
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_broken {
            match self.socket.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) if self.read.have_ended => return Ok(0),
                Ok(0) | Err(_) => {
                    self.is_broken = true;
                    self.mesh.data_is_broken(self.peer);
                }
                Ok(n) => {
                    self.read.follow(&buffer[..n]);
                    return Ok(n);
                }
            }
        }
        self.mesh.run.wait_for_workers_to_leave();
        Ok(self.read.make_up(buffer))
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        while !self.is_broken {
            match self.socket.write(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.is_broken = true;
                    self.mesh.data_is_broken(self.peer);
                }
                Ok(n) => return Ok(n),
            }
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Length of timely's `MessageHeader`: six big-endian numbers, the fifth is the message's length.
const HEADER_BYTES: usize = 48;
const LENGTH_AT: usize = 32;

/// Where in timely's sequence of (header, message) a connection is.
#[derive(Default)]
struct Messages {
    /// How much of the next header has been seen, and its length field as far as it has come.
    header_bytes: usize,
    length: [u8; 8],
    /// What is left of the current message.
    left: u64,
    /// A header of length 0 has been seen: nothing follows.
    have_ended: bool,
}

impl Messages {
    /// Takes note of bytes that have been read.
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.have_ended {
            if self.left > 0 {
                let n = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= n as u64;
                bytes = &bytes[n..];
                continue;
            }
            let n = bytes.len().min(HEADER_BYTES - self.header_bytes);
            for &byte in &bytes[..n] {
                if let Some(at) = self.header_bytes.checked_sub(LENGTH_AT)
                    && at < self.length.len()
                {
                    self.length[at] = byte;
                }
                self.header_bytes += 1;
            }
            bytes = &bytes[n..];
            if self.header_bytes == HEADER_BYTES {
                self.header_bytes = 0;
                self.left = u64::from_be_bytes(self.length);
                self.have_ended = self.left == 0;
            }
        }
    }

    /// Writes zeros up to the end of the current header or message: an all-zero header is the end.
    fn make_up(&mut self, buffer: &mut [u8]) -> usize {
        if self.have_ended {
            return 0;
        }
        let piece = match usize::try_from(self.left) {
            Ok(0) => HEADER_BYTES - self.header_bytes,
            Ok(left) => left,
            Err(_) => usize::MAX,
        };
        let n = buffer.len().min(piece);
        buffer[..n].fill(0);
        self.follow(&buffer[..n]);
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timely::communication::networking::MessageHeader;

    fn message(length: usize) -> Vec<u8> {
        let header = MessageHeader {
            channel: 7,
            source: usize::MAX,
            target_lower: 1,
            target_upper: 2,
            length,
            seqno: 9,
        };
        let mut bytes = Vec::new();
        header.write_to(&mut bytes).unwrap();
        bytes.resize(bytes.len() + length, 0xff);
        bytes
    }

    #[test]
    fn a_cut_connection_is_made_up_to_a_clean_end() {
        let bytes = [message(5), message(300), message(1)].concat();
        for cut in 0..=bytes.len() {
            for step in [1, 7, 48, 1000] {
                let mut messages = Messages::default();
                for part in bytes[..cut].chunks(step) {
                    messages.follow(part);
                }
                let mut whole = bytes[..cut].to_vec();
                let mut buffer = vec![1; step];
                loop {
                    let n = messages.make_up(&mut buffer);
                    if n == 0 {
                        break;
                    }
                    whole.extend(&buffer[..n]);
                }
                // As timely reads it: whole messages, then one of length 0, then nothing.
                let mut rest = &whole[..];
                loop {
                    let header = MessageHeader::try_read(rest).expect("a whole message");
                    rest = &rest[header.required_bytes()..];
                    if header.length == 0 {
                        break;
                    }
                }
                assert!(rest.is_empty(), "cut at {cut}, in steps of {step}");
            }
        }
    }

    #[test]
    fn a_clean_end_is_recognized() {
        let mut messages = Messages::default();
        messages.follow(&[message(5), message(0)].concat());
        assert!(messages.have_ended);
        assert_eq!(messages.make_up(&mut [0; 10]), 0);
    }
}
