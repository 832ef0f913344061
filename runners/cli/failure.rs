//! How a command ends: done, failed, interrupted, or with nobody left to read its output.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use engine::Error;

use crate::interrupt;

/// Why a command ends early.
pub(crate) enum Failure {
    /// It failed.
    Error(Error),
    /// It did what it was asked to, and the data is not as it should be: what is wrong was said.
    Data,
    /// Whoever read the output has gone, as `head` does when it has seen enough.
    Closed,
}

/// What commands return.
pub(crate) type Done<T = ()> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

/// Says why a command failed, if it did, and gives the program's exit code.
pub(crate) fn exit_code(done: Done) -> ExitCode {
    match done {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Data) => ExitCode::from(1),
        Err(Failure::Error(_)) if interrupt::is_asked() => {
            let _ = writeln!(std::io::stderr(), "interrupted");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(Failure::Error(error)) => {
            let stderr = std::io::stderr();
            let color = stderr.is_terminal() && crate::output::wants_color();
            let (red, plain) = if color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
            let _ = writeln!(stderr.lock(), "{red}error:{plain} {error}");
            ExitCode::from(2)
        }
    }
}
