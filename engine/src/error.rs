//! The one error type of the house: a kind to branch on, a sentence to read.
//!
//! Rejected records and anomalies are *data* and never become an [`Error`] by themselves; an `Error`
//! ends a run. A panic is a bug; the workers' border turns it into an `Error` of kind
//! [`ErrorKind::Worker`].

use std::fmt;

/// What a program may want to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes of an input are not what its format promises.
    Input,
    /// A file, directory or pattern that was named does not exist or matches nothing.
    NotFound,
    /// A well-formed input or option asks for something that is not supported.
    Unsupported,
    /// A flag, option or argument is wrong.
    InvalidArgument,
    /// A stored artefact was written by another version or for another plan.
    Incompatible,
    /// The operating system refused to read, write or connect.
    Io,
    /// A worker thread or process failed or was lost.
    Worker,
    /// Counts that must be equal are not: the run cannot vouch for its own result.
    Reconciliation,
}

/// A failed run, in four parts: what happened, the details, what to do, and where.
///
/// `Display` writes the message, then one `detail:` and one `hint:` line if they are set.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq, Eq)]
struct Parts {
    kind: ErrorKind,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

/// The result of everything fallible in this house.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error whose message is one lower-case sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Parts { kind, message: message.into(), detail: None, hint: None }))
    }

    /// The bytes of an input are wrong.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// An option or argument is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// The operating system refused `what` (for example ``read `a.csv` ``).
    pub fn io(what: impl fmt::Display, source: &std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("cannot {what}: {source}"))
    }

    /// Adds the sentence that says exactly what was found, and where.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the sentence that says what to do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The primary message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The sentence that says exactly what was found, and where.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The sentence that says what to do.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(detail) = &self.0.detail {
            write!(f, "\n  detail: {detail}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}
