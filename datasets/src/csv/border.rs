//! Where the first record of a byte range starts, without reading the file from its beginning.
//!
//! Whether a byte lies in a quoted cell depends on all the bytes before it, but nearly always only
//! on the last few hundred: readings that began differently soon agree, because a quote opens a cell
//! only behind a delimiter or a newline, and closes one only where no second quote follows. So the
//! text before the range is read from further and further back under every possible assumption,
//! until all of them agree.
//!
//! Text without any quote tells nothing. Since a record is at most [`Sizes::record`] long, so much text
//! without a quote cannot lie in a quoted cell.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::Sizes;

/// The state of a reader between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not in a quoted cell.
    Plain,
    /// In a quoted cell.
    Quoted,
    /// In a quoted cell, behind a quote that is its end unless another one follows.
    Closing,
}

/// The state after `text`, which begins in `state` behind the byte `before`.
fn advance(mut state: State, mut before: u8, text: &[u8], delimiter: u8) -> State {
    let mut at = 0;
    while at < text.len() {
        if state == State::Closing {
            state = if text[at] == b'"' { State::Quoted } else { State::Plain };
            // A byte that is not a quote is looked at again: it can be a delimiter.
            if state == State::Quoted {
                before = b'"';
                at += 1;
            }
            continue;
        }
        let Some(quote) = memchr::memchr(b'"', &text[at..]) else { break };
        at += quote;
        if at > 0 {
            before = text[at - 1];
        }
        state = match state {
            State::Quoted => State::Closing,
            _ if before == delimiter || before == b'\n' => State::Quoted,
            _ => State::Plain,
        };
        at += 1;
        before = b'"';
    }
    state
}

/// The state before byte `at` of `file`, whose first record starts at `data_start`.
pub(super) fn state_at(
    file: &mut File,
    data_start: u64,
    at: u64,
    delimiter: u8,
    sizes: Sizes,
) -> std::io::Result<State> {
    let mut window = sizes.window;
    loop {
        let from = at.saturating_sub(window).max(data_start);
        let mut states = vec![State::Plain];
        // Before the first record there is a line's end, or nothing, which is as good.
        let mut before = b'\n';
        if from > data_start {
            let mut byte = [0];
            file.seek(SeekFrom::Start(from - 1))?;
            file.read_exact(&mut byte)?;
            before = byte[0];
            states.push(State::Quoted);
            if before == b'"' {
                states.push(State::Closing);
            }
        } else {
            file.seek(SeekFrom::Start(from))?;
        }
        let any_quote = advance_all(file, at - from, &mut states, before, delimiter)?;
        if let [state] = states[..] {
            return Ok(state);
        }
        if !any_quote && at - from >= sizes.record as u64 {
            return Ok(State::Plain);
        }
        window = window.saturating_mul(16);
    }
}

/// Advances all `states` over the next `len` bytes, drops duplicates, and says if there was a quote.
fn advance_all(
    file: &mut File,
    len: u64,
    states: &mut Vec<State>,
    mut before: u8,
    delimiter: u8,
) -> std::io::Result<bool> {
    let mut chunk = vec![0; 64 << 10];
    let mut left = len;
    let mut any_quote = false;
    while left > 0 {
        let n = left.min(chunk.len() as u64) as usize;
        file.read_exact(&mut chunk[..n])?;
        let text = &chunk[..n];
        if states.len() > 1 || states[0] != State::Plain || memchr::memchr(b'"', text).is_some() {
            any_quote |= memchr::memchr(b'"', text).is_some();
            for state in states.iter_mut() {
                *state = advance(*state, before, text, delimiter);
            }
            states.dedup();
            if let [first, .., last] = states[..]
                && first == last
                && states.len() == 3
            {
                states.truncate(2);
            }
        }
        before = text[n - 1];
        left -= n as u64;
    }
    Ok(any_quote)
}

/// The length of the rest of the record under way in `text`, which begins in `state` behind `before`,
/// up to and with its newline; `None` when it does not end here. Also the state then.
pub(super) fn end_of_record(
    mut state: State,
    mut before: u8,
    text: &[u8],
    delimiter: u8,
) -> (Option<usize>, State) {
    for (i, &byte) in text.iter().enumerate() {
        if state == State::Closing {
            state = if byte == b'"' { State::Quoted } else { State::Plain };
            if state == State::Quoted {
                before = byte;
                continue;
            }
        }
        match (state, byte) {
            (State::Quoted, b'"') => state = State::Closing,
            (State::Plain, b'"') if before == delimiter || before == b'\n' => state = State::Quoted,
            (State::Plain, b'\n') => return (Some(i + 1), state),
            _ => {}
        }
        before = byte;
    }
    (None, state)
}
