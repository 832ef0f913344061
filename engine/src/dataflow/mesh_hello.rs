//! The handshake: what two processes tell each other before they believe each other.
//!
//! ```text
//!  bytes   8      4        65               8     8      4        4          4        1
//!        magic version token (length, 64) plan  phase process processes  threads    kind
//!        └──── the same in all versions ────┘
//! ```

use crate::{Error, ErrorKind, Result};

/// Longest token that fits.
pub(super) const MAX_TOKEN_BYTES: usize = 64;
/// Length of a hello.
pub(super) const HELLO_BYTES: usize = 8 + 4 + TOKEN_BYTES + 8 + 8 + 4 + 4 + 4 + 1;
/// What the connecting process sends when it has accepted the other's hello.
pub(super) const ACCEPTED: u8 = 0x06;

const MAGIC: [u8; 8] = *b"frazil\r\n";
const VERSION: u32 = 1;
const TOKEN_BYTES: usize = 1 + MAX_TOKEN_BYTES;
const PREAMBLE_BYTES: usize = 8 + 4 + TOKEN_BYTES;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Timely's messages.
    Data,
    /// Heartbeats and how the run ends.
    Control,
}

/// What a process says about itself; the two ends of a connection must agree on most of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) plan: u64,
    pub(super) phase: u64,
    pub(super) process: usize,
    pub(super) processes: usize,
    pub(super) threads: usize,
    pub(super) kind: Kind,
}

/// What the first bytes of a connection turn out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not enough to tell.
    Part,
    /// Somebody who has no business here, and why.
    Stranger(&'static str),
    /// A process of this run that speaks another version of this protocol.
    Version(u32),
    /// A process of this run.
    Hello(Hello),
}

impl Hello {
    /// The bytes to send.
    pub(super) fn encode(&self, token: &str) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&MAGIC);
        put(&VERSION.to_be_bytes());
        put(&padded(token));
        put(&self.plan.to_be_bytes());
        put(&self.phase.to_be_bytes());
        for number in [self.process, self.processes, self.threads] {
            put(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
        }
        put(&[match self.kind {
            Kind::Data => 0,
            Kind::Control => 1,
        }]);
        bytes
    }

    /// Names the first thing that the two processes do not agree on.
    pub(super) fn check(&self, theirs: &Hello) -> Result<()> {
        // Both ends see the same pair and must say the same.
        let (a, b) = if self.process < theirs.process { (self, theirs) } else { (theirs, self) };
        let differ = |what: &str, of_a: String, of_b: String| {
            let (a, b) = (a.process, b.process);
            let message = format!("processes {a} and {b} {what}");
            Error::new(ErrorKind::Incompatible, message)
                .with_detail(format!("Process {a} has {of_a}, process {b} has {of_b}."))
                .with_hint("Start every process with the same program, options and inputs.")
        };
        if a.processes != b.processes {
            let of = |hello: &Hello| format!("{} processes", hello.processes);
            return Err(differ("have lists of hosts of different lengths", of(a), of(b)));
        }
        if a.threads != b.threads {
            let of = |hello: &Hello| format!("{} threads", hello.threads);
            return Err(differ("have different numbers of worker threads", of(a), of(b)));
        }
        if a.plan != b.plan {
            let of = |hello: &Hello| format!("plan {:016x}", hello.plan);
            return Err(differ("do not run the same plan", of(a), of(b)));
        }
        Ok(())
    }
}

/// Two ends with the right token but different versions of the program.
pub(super) fn version_error(theirs: u32, peer: &str) -> Error {
    Error::new(ErrorKind::Incompatible, format!("{peer} runs another version of this program"))
        .with_detail(format!("It speaks version {theirs} of the protocol, this one {VERSION}."))
        .with_hint("Start every process with the same program.")
}

/// Reads the beginning of a connection, at most [`HELLO_BYTES`], as far as it has come.
pub(super) fn hear(bytes: &[u8], token: &str) -> Heard {
    let magic = bytes.len().min(MAGIC.len());
    if bytes[..magic] != MAGIC[..magic] {
        return Heard::Stranger("spoke another protocol");
    }
    let Some((preamble, rest)) = bytes.split_at_checked(PREAMBLE_BYTES) else {
        return Heard::Part;
    };
    let mut version = Fields(&preamble[8..12]);
    if !same(&preamble[12..], &padded(token)) {
        return Heard::Stranger("had another run's token");
    }
    match version.u32() {
        VERSION => {}
        other => return Heard::Version(other),
    }
    if rest.len() < HELLO_BYTES - PREAMBLE_BYTES {
        return Heard::Part;
    }
    let mut rest = Fields(rest);
    Heard::Hello(Hello {
        plan: rest.u64(),
        phase: rest.u64(),
        process: rest.u32() as usize,
        processes: rest.u32() as usize,
        threads: rest.u32() as usize,
        kind: if rest.0.first() == Some(&0) { Kind::Data } else { Kind::Control },
    })
}

/// A token at its fixed length, so that comparing it takes the same time whatever it is.
fn padded(token: &str) -> [u8; TOKEN_BYTES] {
    let mut bytes = [0; TOKEN_BYTES];
    let length = token.len().min(MAX_TOKEN_BYTES);
    bytes[0] = length as u8;
    bytes[1..=length].copy_from_slice(&token.as_bytes()[..length]);
    bytes
}

/// Compares without stopping at the first difference: how long it takes tells nothing.
fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | std::hint::black_box(a ^ b));
    a.len() == b.len() && difference == 0
}

/// Numbers at the front of bytes whose length has been checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> u32 {
        let (number, rest) = self.0.split_first_chunk().unwrap_or((&[0; 4], &[]));
        self.0 = rest;
        u32::from_be_bytes(*number)
    }

    fn u64(&mut self) -> u64 {
        let (number, rest) = self.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        self.0 = rest;
        u64::from_be_bytes(*number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello =
        Hello { plan: 0xfeed, phase: 3, process: 2, processes: 5, threads: 4, kind: Kind::Control };

    #[test]
    fn a_hello_is_heard_as_it_was_said() {
        for kind in [Kind::Data, Kind::Control] {
            let hello = Hello { kind, ..HELLO };
            let bytes = hello.encode("token");
            assert_eq!(hear(&bytes, "token"), Heard::Hello(hello));
            for cut in 0..HELLO_BYTES {
                assert_eq!(hear(&bytes[..cut], "token"), Heard::Part);
            }
        }
    }

    #[test]
    fn strangers_are_known_as_early_as_possible() {
        assert_eq!(hear(b"", "token"), Heard::Part);
        assert_eq!(hear(b"G", "token"), Heard::Stranger("spoke another protocol"));
        assert_eq!(hear(b"frazil\n", "token"), Heard::Stranger("spoke another protocol"));
        let bytes = HELLO.encode("token");
        let other = Heard::Stranger("had another run's token");
        for token in ["tokem", "toke", "token2", "Token", ""] {
            assert_eq!(hear(&bytes, token), other);
            assert_eq!(hear(&bytes[..PREAMBLE_BYTES], token), other);
        }
    }

    #[test]
    fn the_version_is_believed_only_with_the_token() {
        let mut bytes = HELLO.encode("token");
        bytes[11] = 9;
        assert_eq!(hear(&bytes, "token"), Heard::Version(9));
        assert_eq!(hear(&bytes, "other"), Heard::Stranger("had another run's token"));
    }

    #[test]
    fn both_ends_name_a_difference_alike() {
        let peer = Hello { process: 1, ..HELLO };
        assert_eq!(HELLO.check(&peer), Ok(()));
        for (other, expected) in [
            (Hello { plan: 7, ..peer }, "processes 1 and 2 do not run the same plan"),
            (
                Hello { threads: 1, ..peer },
                "processes 1 and 2 have different numbers of worker threads",
            ),
            (
                Hello { processes: 3, ..peer },
                "processes 1 and 2 have lists of hosts of different lengths",
            ),
        ] {
            let error = HELLO.check(&other).unwrap_err();
            assert_eq!(error.message(), expected);
            assert_eq!(other.check(&HELLO), Err(error));
        }
        let error = HELLO.check(&Hello { threads: 1, ..peer }).unwrap_err();
        assert_eq!(error.detail(), Some("Process 1 has 1 threads, process 2 has 4 threads."));
    }
}
