//! What is said on a control socket.

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// One thing said on a control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// All my connections are open.
    Ready,
    /// I am alive.
    Alive,
    /// All my workers are done.
    Done,
    /// All my workers have finished; nothing follows.
    Goodbye,
    /// The run has failed, and this is the one reason; nothing follows.
    Abort(Error),
}

/// First byte of an [`Frame::Abort`].
pub(super) const ABORT: u8 = 5;

/// Longest text of each part of a reason that is sent, and longest reason that is believed.
const MAX_TEXT_BYTES: usize = 8 << 10;
const MAX_REASON_BYTES: usize = 64 << 10;

/// The reason of an abort on its way.
#[derive(Serialize, Deserialize)]
struct Reason {
    kind: u8,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

/// The number of a kind on the wire is its place here.
const KINDS: [ErrorKind; 8] = [
    ErrorKind::Worker,
    ErrorKind::Input,
    ErrorKind::NotFound,
    ErrorKind::Unsupported,
    ErrorKind::InvalidArgument,
    ErrorKind::Incompatible,
    ErrorKind::Io,
    ErrorKind::Reconciliation,
];

impl Frame {
    /// The bytes to send: one for the kind, and for a reason its length and text.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Frame::Ready => vec![1],
            Frame::Alive => vec![2],
            Frame::Done => vec![3],
            Frame::Goodbye => vec![4],
            Frame::Abort(error) => {
                let cut = |text: &str| text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned();
                let reason = Reason {
                    kind: KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(0) as u8,
                    message: cut(error.message()),
                    detail: error.detail().map(cut),
                    hint: error.hint().map(cut),
                };
                let reason = postcard::to_stdvec(&reason).expect("strings can be written");
                let mut bytes = vec![ABORT];
                bytes.extend((reason.len() as u32).to_be_bytes());
                bytes.extend(reason);
                bytes
            }
        }
    }
}

/// Bytes that have arrived, cut into frames.
#[derive(Default)]
pub(super) struct Inbox(Vec<u8>);

/// What arrived is no frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

impl Inbox {
    /// Takes what has arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next complete frame.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Nonsense> {
        let Some((&first, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        let (frame, taken) = match first {
            1 => (Frame::Ready, 1),
            2 => (Frame::Alive, 1),
            3 => (Frame::Done, 1),
            4 => (Frame::Goodbye, 1),
            ABORT => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                let length = u32::from_be_bytes(*length) as usize;
                if length > MAX_REASON_BYTES {
                    return Err(Nonsense);
                }
                let Some(reason) = rest.get(..length) else {
                    return Ok(None);
                };
                let reason: Reason = postcard::from_bytes(reason).map_err(|_| Nonsense)?;
                let kind = KINDS.get(usize::from(reason.kind)).copied();
                let mut error = Error::new(kind.unwrap_or(ErrorKind::Worker), reason.message);
                if let Some(detail) = reason.detail {
                    error = error.with_detail(detail);
                }
                if let Some(hint) = reason.hint {
                    error = error.with_hint(hint);
                }
                (Frame::Abort(error), 5 + length)
            }
            _ => return Err(Nonsense),
        };
        self.0.drain(..taken);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_however_they_are_cut() {
        let frames = [
            Frame::Ready,
            Frame::Abort(Error::input("a").with_detail("B.").with_hint("C.")),
            Frame::Alive,
            Frame::Abort(Error::new(ErrorKind::Reconciliation, "d")),
            Frame::Done,
            Frame::Goodbye,
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for step in 1..=bytes.len() {
            let mut inbox = Inbox::default();
            let mut arrived = Vec::new();
            for part in bytes.chunks(step) {
                inbox.push(part);
                while let Some(frame) = inbox.next().unwrap() {
                    arrived.push(frame);
                }
            }
            assert_eq!(arrived, frames, "in steps of {step}");
        }
    }

    #[test]
    fn long_reasons_are_cut_and_nonsense_is_refused() {
        let check = |bytes: &[u8], expected: Result<Option<Frame>, Nonsense>| {
            let mut inbox = Inbox::default();
            inbox.push(bytes);
            assert_eq!(inbox.next(), expected);
        };
        let long = Frame::Abort(Error::input("ä".repeat(100_000))).encode();
        check(&long, Ok(Some(Frame::Abort(Error::input("ä".repeat(4096))))));
        check(&[], Ok(None));
        check(&[0], Err(Nonsense));
        check(&[6], Err(Nonsense));
        check(&[ABORT, 0, 1, 0, 0], Ok(None));
        check(&[ABORT, 0, 1, 0, 1], Err(Nonsense));
        check(&[ABORT, 255, 255, 255, 255], Err(Nonsense));
        check(&[ABORT, 0, 0, 0, 2, 1, 9], Err(Nonsense));
    }
}
